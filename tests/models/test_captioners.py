import json

import pytest
import torch
import transformers
from checkpoints import HALF, bert_tokenizer, scramble
from PIL import Image
from toy import COLOURS, ToyEncoder, write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.images.read import PictureError
from sigscope.models import hub
from sigscope.models.captioners import BlipCaptions, NearestCaptions
from sigscope.models.hub import ModelError
from sigscope.search.searcher import Searcher


@pytest.fixture(scope="module")
def searcher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioners")
    gallery = load_gallery(write_gallery(folder / "gallery", 16))
    return Searcher(gallery, embed_gallery(gallery, ToyEncoder(), folder / "s"), ToyEncoder())


# --- the nearest caption


def test_the_nearest_caption_is_a_title_of_what_looks_alike(searcher):
    picture = Image.new("RGB", (4, 4), COLOURS["cyan"])
    assert NearestCaptions()(searcher, picture) == "a cyan square"
    assert NearestCaptions()(searcher, "001-green.png") == "a green square"


def test_an_items_own_captions_can_be_left_out(tmp_path):
    gallery = load_gallery(write_gallery(tmp_path / "gallery", 8))
    searcher = Searcher(gallery, embed_gallery(gallery, ToyEncoder(), tmp_path / "s"), ToyEncoder())
    caption = NearestCaptions(own=False)(searcher, "000-red.png")
    assert caption == "a orange square", "the only red one is its own"


def test_words_and_a_picture_are_searched_as_one_sentence(searcher):
    table = searcher.by_caption("000-red.png", "green", 3)
    assert table.attrs["caption"] == "a red square"
    assert table.attrs["sentence"] == "a green square"
    assert table["id"].str.contains("green").sum() == 2 and "000-red.png" not in set(table["id"])
    assert table["score"].equals(searcher.by_text("a green square", 3)["score"])


def test_captioner_and_merger_are_a_choice(searcher):
    picture = Image.new("RGB", (4, 4))
    table = searcher.by_caption(
        picture,
        "blue",
        2,
        captioner=lambda _, given: "a thing" if given is picture else "?",
        merge=lambda caption, words: f"{words} {caption}",
        category="cold",
    )
    assert table.attrs["sentence"] == "blue a thing" and set(table["category"]) == {"cold"}
    assert table["id"].str.contains("blue").all()


# --- BLIP


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """A BLIP of random weights in just the files that the published ones have."""
    folder = tmp_path_factory.mktemp("blip")
    bert_tokenizer(folder)
    size = len(transformers.BertTokenizer.from_pretrained(folder))
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = transformers.BlipConfig(
        text_config={
            **small,
            "num_attention_heads": 4,
            "encoder_hidden_size": 32,
            "vocab_size": size,
            "bos_token_id": 2,
            "eos_token_id": 3,
            "sep_token_id": 3,
            "pad_token_id": 0,
        },
        vision_config={**small, "num_attention_heads": 4, "image_size": 32, "patch_size": 8},
        projection_dim=24,
        image_text_hidden_size=24,
    )
    scramble(transformers.BlipForConditionalGeneration(config)).save_pretrained(folder)
    rules = {"image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    rules |= {"image_mean": HALF, "image_std": HALF, "processor_class": "BlipProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(rules))
    return folder


def test_a_blip_writes_a_caption_and_the_same_one_again(blip, searcher):
    torch.set_num_threads(1)
    captioner = BlipCaptions(blip, device="cpu")
    first = captioner(searcher, "000-red.png")
    assert first and first == captioner(searcher, searcher.gallery.file("000-red.png"))
    assert first == BlipCaptions(str(blip), device="cpu").caption(
        searcher.gallery.picture("000-red.png")
    )
    assert "[SEP]" not in first and "[CLS]" not in first
    noisy = Image.effect_noise((32, 32), 200).convert("RGB")
    assert captioner.caption(noisy) != first, "the picture matters"


def test_a_blip_serves_a_search(blip, searcher):
    captioner = BlipCaptions(blip, device="cpu")
    table = searcher.by_caption("000-red.png", "green", 3, captioner=captioner)
    assert table.attrs["sentence"] == f"{table.attrs['caption']}, green" and len(table) == 3


def test_a_name_on_the_hub_is_taken_from_its_cache(blip, monkeypatch):
    asked = []
    monkeypatch.setattr(hub, "cached_snapshot", lambda name: asked.append(name) or blip)
    assert BlipCaptions("somebody/blip", device="cpu").model == "somebody/blip"
    assert asked == ["somebody/blip"]


def test_no_such_captioner_is_a_sentence(tmp_path, blip, monkeypatch):
    with pytest.raises(ModelError, match="there is no captioner in"):
        BlipCaptions(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no config.json"):
        BlipCaptions(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(ModelError, match="of type siglip; a captioner must be a blip"):
        BlipCaptions(tmp_path)
    (tmp_path / "config.json").write_text((blip / "config.json").read_text())
    with pytest.raises(ModelError, match="safetensors only"):
        BlipCaptions(tmp_path)


def test_a_blip_without_its_decoder_is_refused(blip, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in blip.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "crossattention" not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="give a checkpoint that was saved as a captioner"):
        BlipCaptions(tmp_path, device="cpu")


def test_a_broken_picture_is_a_sentence(blip):
    with pytest.raises(PictureError):
        BlipCaptions(blip, device="cpu").caption(b"<html>")
