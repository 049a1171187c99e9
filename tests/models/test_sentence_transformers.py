"""Models of sentence-transformers against itself: run by `make test-extras`, which has it."""

import json
import shutil

import numpy as np
import pytest
import torch
import torchvision_anyway  # noqa: F401
from references import assert_answers_as

from sigscope.models import hub, shortcuts
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError

pytest.importorskip("sentence_transformers", reason='needs the extra "st": make test-extras')
from sentence_checkpoints import MAKERS, PROMPTS, QUERY, reranker  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

MULTILINGUAL = "clip-ViT-B-32-multilingual-v1"
TEXTS = ["two dogs", "a red sofa, and the sea!", "children play football " * 30, "x"]
BOTH = ("gemma", "qwen")  # take a text and a picture together


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from a name to the folder of a checkpoint."""
    torch.set_num_threads(1)
    home, known = tmp_path_factory.mktemp("modules"), {}

    def make(name):
        if name not in known:
            known[name] = MAKERS[name](home / name)
        return known[name]

    return make


@pytest.fixture
def exact(made):
    return lambda name, **choice: Encoder.load(made(name), dtype="float32", **choice)


def theirs(folder, inputs, how):
    model = SentenceTransformer(str(folder), device="cpu")
    return getattr(model, how)(inputs, batch_size=1, normalize_embeddings=True)


@pytest.mark.parametrize("name", MAKERS)
def test_vectors_are_those_of_sentence_transformers(made, exact, name):
    encoder, pictures = exact(name), shortcuts.pictures()
    shows = made("clip").with_name("clip-ViT-B-32") if name == MULTILINGUAL else made(name)
    texts = theirs(made(name), TEXTS, "encode_query")
    shown = theirs(shows, pictures, "encode_document")
    assert_answers_as(encoder, TEXTS, texts, shown)
    assert encoder.family == "sentence-transformers"


@pytest.mark.parametrize("name", BOTH)
def test_a_text_and_a_picture_are_one_input(made, exact, name):
    picture = shortcuts.pictures()[0]
    own = exact(name).encode_pair("two dogs", picture)
    one = theirs(made(name), [{"text": "two dogs", "image": picture}], "encode_query")[0]
    np.testing.assert_allclose(own, one, atol=1e-4)
    assert own @ exact(name).encode_texts(["two dogs"])[0] < 0.999


def test_a_model_that_takes_them_apart_says_so(exact):
    assert not exact("clip").takes_both
    with pytest.raises(ModelError, match="takes texts and pictures apart"):
        exact("clip").encode_pair("two dogs", shortcuts.pictures()[0])


def test_a_search_for_both_asks_with_the_model_s_own_vector(exact, tmp_path):
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import open_embeddings
    from sigscope.search import Part, Searcher

    for n, picture in enumerate(shortcuts.pictures()):
        picture.save(tmp_path / f"{n}.png")
    gallery, encoder = load_gallery(tmp_path), exact("qwen")
    searcher = Searcher(gallery, open_embeddings(gallery, encoder), encoder)
    id = gallery.items["id"].iloc[0]
    pair = [Part("text", "two dogs"), Part("item", id)]
    own = encoder.encode_pair("two dogs", gallery.picture(id))
    np.testing.assert_allclose(searcher.by_parts(pair).asked.vector, own, atol=1e-5)
    uneven = searcher.by_parts([Part("text", "two dogs", 2.0), Part("item", id)]).asked.vector
    assert not np.allclose(uneven, own, atol=1e-3)


def test_prompts_are_in_the_identity_and_count(made, exact, tmp_path):
    rules = exact("qwen").identity["preprocessing"]
    assert (rules["texts"]["prompt"], rules["pictures"]["prompt"]) == (QUERY, PROMPTS["document"])
    folder = shutil.copytree(made("qwen"), tmp_path / "qwen")
    settings = json.loads((folder / "config_sentence_transformers.json").read_text())
    settings["prompts"] = {"query": "Find the same colour.", "passage": ""}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    other = Encoder.load(folder, dtype="float32")
    assert other.identity["preprocessing"]["pictures"]["prompt"] == ""
    assert other.encode_texts(["two dogs"])[0] @ exact("qwen").encode_texts(["two dogs"])[0] < 0.999


def test_the_first_numbers_alone_are_the_model_s_own_cut(made, exact, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_DIMENSION", "16")
    model = SentenceTransformer(str(made("gemma")), device="cpu", truncate_dim=16)
    cut = model.encode_query(TEXTS, normalize_embeddings=True)
    assert exact("gemma").identity["dimension"] == 16
    np.testing.assert_allclose(exact("gemma").encode_texts(TEXTS), cut, atol=1e-4)
    monkeypatch.setenv("SIGSCOPE_DIMENSION", "64")
    with pytest.raises(ModelError, match="SIGSCOPE_DIMENSION 64 cannot be had; .* 1 to 48"):
        exact("gemma")


def test_a_text_tower_alone_loads_no_pictures(exact):
    text, both = exact(MULTILINGUAL, towers="text"), exact(MULTILINGUAL)
    counts = [sum(w.numel() for w in one._network.parameters()) for one in (text, both)]
    assert 0 < counts[0] < counts[1]
    np.testing.assert_allclose(text.encode_texts(TEXTS), both.encode_texts(TEXTS), atol=1e-6)
    assert text.identity == both.identity


def test_a_model_without_its_half_for_pictures_says_where_that_belongs(made, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "cached_snapshot", lambda name: None)
    folder = shutil.copytree(made(MULTILINGUAL), tmp_path / MULTILINGUAL)
    with pytest.raises(ModelError, match="put the folder of sentence-transformers/clip-ViT-B-32"):
        Encoder.load(folder)


@pytest.mark.parametrize("name", ["2_Dense/model.safetensors", "model.safetensors"])
def test_weights_of_any_module_are_missed_by_name(made, tmp_path, name):
    folder = shutil.copytree(made(MULTILINGUAL), tmp_path / MULTILINGUAL)
    shutil.copytree(made("clip").with_name("clip-ViT-B-32"), tmp_path / "clip-ViT-B-32")
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    with pytest.raises(ModelError, match="are not whole"):
        Encoder.load(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match="has no model.safetensors"):
        Encoder.load(folder)


def test_a_missing_tensor_is_not_made_up(made, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(made("qwen"), tmp_path / "qwen")
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if name.endswith("norm.weight"))
    del weights[lost]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"lacks 1 tensors, such as .*{lost[-12:]}"):
        Encoder.load(folder, dtype="float32")


def test_code_that_a_model_brings_is_never_run(made, tmp_path):
    folder = shutil.copytree(made("clip"), tmp_path / "clip")
    (folder / "custom.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    listed = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([listed[0] | {"type": "custom.Model"}]))
    with pytest.raises(ModelError, match="custom.Model, code of its own that is never run"):
        Encoder.load(folder)
    assert not (tmp_path / "ran").exists()


def test_a_short_number_format_stays_close(made, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_DTYPE", "bfloat16")
    encoder = Encoder.load(made("qwen"))
    assert encoder.dtype == "bfloat16" or "was given up" in encoder.note


def test_words_that_it_knows(exact):
    encoder = exact(MULTILINGUAL, towers="text")
    assert encoder.knows("mountains") and not encoder.knows("qzxvj wqkzj")


def test_a_re_ranker_judges_each_pair_as_the_likelihood_of_yes(tmp_path, monkeypatch):
    from transformers import AutoModelForMultimodalLM, AutoProcessor

    from sigscope import paths
    from sigscope.models import Reader

    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    folder, pictures = reranker(tmp_path / "reranker"), shortcuts.pictures()
    found = Reader(folder, device="cpu").probabilities("two dogs", pictures)
    network = AutoModelForMultimodalLM.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    for picture, p in zip(pictures, found, strict=True):
        asked = [{"role": "query", "content": [{"type": "text", "text": "two dogs"}]}]
        asked += [{"role": "document", "content": [{"type": "image", "image": picture}]}]
        how = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
        inputs = processor.apply_chat_template([asked], add_generation_prompt=True, **how)
        with torch.inference_mode():
            yes, no = network(**inputs).logits[0, -1, [20, 21]].tolist()
        assert p == pytest.approx(1 / (1 + np.exp(no - yes)), abs=1e-4)
    assert len(set(found.round(4))) == len(found), "the picture matters"
