"""The encoder on small random checkpoints, made of just the files that a model on the hub has.

What is loaded without a number format is in each of two that a machine may choose; what is compared
with vectors worked out in another way is loaded in float32.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import sleep

import numpy as np
import pytest
import torch
import transformers
from checkpoints import MAKERS, SENTENCES, scramble
from PIL import Image
from safetensors.torch import load_file, save_file
from siglip_by_hand import SiglipByHand

from sigscope import paths
from sigscope.models import checkpoints, shortcuts, towers
from sigscope.models import encoder as encoder_module
from sigscope.models.encoder import Encoder
from sigscope.models.families import FAMILIES
from sigscope.models.hub import ModelError

TEXTS = [
    "two dogs",
    "A Red Sofa, and the sea!",
    "children play football in the park " * 3,
    "a map",
    "x",
]
NETWORKS = sorted(MAKERS)


@pytest.fixture(scope="module")
def encoders():
    """Encoders by checkpoint and number format, loaded once."""
    return {}


@pytest.fixture
def loaded(checkpoint, encoders, dtype):
    """A function from a checkpoint's name to its encoder, in what the machine chooses."""

    def load(name):
        if (name, dtype) not in encoders:
            encoders[name, dtype] = Encoder.load(checkpoint(name))
        return encoders[name, dtype]

    return load


@pytest.fixture
def exact(checkpoint, encoders):
    """A function from a checkpoint's name to its encoder in float32."""

    def load(name):
        if (name, "float32") not in encoders:
            encoders[name, "float32"] = Encoder.load(checkpoint(name), dtype="float32")
        return encoders[name, "float32"]

    return load


@pytest.fixture
def copied(checkpoint, tmp_path):
    """A function from a checkpoint's name to a folder of its files that a test may spoil."""
    return lambda name: shutil.copytree(checkpoint(name), tmp_path / name)


def pictures():
    return shortcuts.pictures()


def cosines(ours, others):
    return (np.asarray(ours) * np.asarray(others)).sum(axis=1)


def agreement(encoder, pictures, texts):
    """Return the smallest cosine to the same checkpoint in float32, for each tower."""
    exact = Encoder.load(encoder.folder, device=encoder.device, dtype="float32")
    return {
        "text": cosines(encoder.encode_texts(texts), exact.encode_texts(texts)).min(),
        "image": cosines(encoder.encode_pictures(pictures), exact.encode_pictures(pictures)).min(),
    }


def assert_same(encoder, ours, others, atol=1e-5):
    """In a short number format, how many are encoded at once changes how they are rounded."""
    if encoder.dtype == "float32":
        np.testing.assert_allclose(ours, others, atol=atol)
    else:
        assert cosines(np.atleast_2d(ours), np.atleast_2d(others)).min() >= shortcuts.LEAST


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# --- the vectors are right ---------------------------------------------------------------------


def test_siglip_texts_agree_with_a_forward_pass_by_hand(checkpoint, exact):
    by_hand = SiglipByHand(checkpoint("siglip"))
    vectors = exact("siglip").encode_texts(TEXTS, batch_size=1)
    assert cosines(vectors, [by_hand.text(text) for text in TEXTS]).min() >= 0.99999


def test_siglip_pictures_agree_with_a_forward_pass_by_hand(checkpoint, exact):
    by_hand = SiglipByHand(checkpoint("siglip"))
    vectors = exact("siglip").encode_pictures(pictures())
    assert cosines(vectors, [by_hand.picture(picture) for picture in pictures()]).min() >= 0.99999


@pytest.mark.parametrize("length", [16, 63])
def test_another_padding_would_give_another_siglip_vector(checkpoint, exact, length):
    other = SiglipByHand(checkpoint("siglip")).text("two dogs", length)
    assert cosines(exact("siglip").encode_texts(["two dogs"]), [other])[0] < 0.999


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_agree_with_the_library_s_own_forward(checkpoint, exact, name):
    """forward() normalises and projects by itself: a second road to the same vectors."""
    folder, rules = checkpoint(name), exact(name).rules
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    texts = [text.lower() if rules["lower_case"] else text for text in TEXTS]
    shape = {key: rules[key] for key in ("padding", "max_length")}
    tokens = tokenizer(texts, truncation=True, return_tensors="pt", **shape)
    inputs = {key: tokens[key] for key in FAMILIES[exact(name).family].inputs}
    with torch.inference_mode():
        out = model(**inputs, **processor(pictures(), return_tensors="pt"))
    assert cosines(exact(name).encode_texts(TEXTS), out.text_embeds).min() >= 0.99999
    assert cosines(exact(name).encode_pictures(pictures()), out.image_embeds).min() >= 0.99999


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_unit_rows_of_float32(loaded, name):
    encoder = loaded(name)
    for vectors in (encoder.encode_texts(TEXTS), encoder.encode_pictures(pictures())):
        assert vectors.dtype == np.float32 and vectors.flags.c_contiguous
        assert vectors.shape[1] == encoder.dimension
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_size_changes_neither_vectors_nor_order(loaded, name):
    encoder = loaded(name)
    texts, shown = encoder.encode_texts(TEXTS), encoder.encode_pictures(pictures())
    for batch_size in (1, 3):
        assert_same(encoder, encoder.encode_texts(TEXTS, batch_size), texts)
        assert_same(encoder, encoder.encode_pictures(pictures(), batch_size), shown)


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_tell_texts_and_pictures_apart(loaded, name):
    encoder = loaded(name)
    for vectors in (encoder.encode_texts(TEXTS), encoder.encode_pictures(pictures())):
        assert (vectors @ vectors.T - np.eye(len(vectors))).max() < 0.999


@pytest.mark.parametrize("name", ["siglip", "siglip2-fixed", "siglip2", "clip", "dual"])
def test_capitals_do_not_matter(loaded, name):
    upper, lower = loaded(name).encode_texts(["A RED SOFA", "a red sofa"])
    assert_same(loaded(name), upper, lower, atol=1e-6)


def test_the_tokenizer_of_fixed_siglip2_keeps_capitals_so_we_must_not(loaded):
    tokenizer = loaded("siglip2-fixed")._tokenizer
    assert type(tokenizer).__name__ == "GemmaTokenizer"
    assert tokenizer("A RED SOFA")["input_ids"] != tokenizer("a red sofa")["input_ids"]


@pytest.mark.parametrize("name", ["siglip", "siglip2-fixed", "siglip2"])
def test_siglip_texts_end_once_then_are_padded_on_the_right_to_full_length(loaded, name):
    encoder = loaded(name)
    tokens = encoder._tokens(["two dogs"])
    ids = tokens["input_ids"][0].tolist()
    pad = encoder._tokenizer.pad_token_id
    assert list(tokens) == ["input_ids"] and len(ids) == 64
    assert ids[:2] != [pad, pad] and ids[-20:] == [pad] * 20
    assert encoder._tokenizer.eos_token_id in ids


def test_a_tokenizer_made_by_hand_adds_no_mask_to_siglip(copied, loaded):
    folder = copied("siglip")
    rewrite(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    vectors = Encoder.load(folder, towers="text").encode_texts(TEXTS)
    np.testing.assert_allclose(vectors, loaded("siglip").encode_texts(TEXTS), atol=1e-6)


@pytest.mark.parametrize("old", [True, False])
def test_both_spellings_of_the_picture_rules_are_read(copied, loaded, old):
    name = "dual" if old else "siglip"
    folder = copied(name)
    rules = checkpoints.picture_rules(folder)
    for path in (folder / "processor_config.json", folder / "preprocessor_config.json"):
        path.unlink(missing_ok=True)
    spelling = "preprocessor_config.json" if old else "processor_config.json"
    (folder / spelling).write_text(json.dumps(rules if old else {"image_processor": rules}))
    vectors = Encoder.load(folder).encode_pictures(pictures())
    np.testing.assert_allclose(vectors, loaded(name).encode_pictures(pictures()), atol=1e-6)


def test_a_bfloat16_checkpoint_is_computed_in_float32_unless_told_otherwise(copied):
    folder = copied("dual")
    weights = load_file(folder / "model.safetensors")
    half = {key: value.bfloat16() for key, value in weights.items()}
    save_file(half, folder / "model.safetensors", metadata={"format": "pt"})
    rewrite(folder / "config.json", dtype="bfloat16")
    encoder = Encoder.load(folder, dtype="float32")
    assert {weight.dtype for weight in encoder._network.parameters()} == {torch.float32}
    assert encoder.encode_texts(["a map"]).dtype == np.float32


# --- hostile input -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_a_text_of_5000_words_is_cut_where_the_model_stops_reading(loaded, name):
    encoder = loaded(name)
    words = " ".join(SENTENCES).split()
    long = [words[i % len(words)] for i in range(5000)]
    whole, start = encoder.encode_texts([" ".join(long), " ".join(long[:200])])
    assert_same(encoder, whole, start)


@pytest.mark.parametrize("blank", ["", " \n\t", None, float("nan")])
def test_a_blank_text_is_refused_by_its_position(loaded, blank):
    with pytest.raises(ValueError, match="text at position 2 is empty"):
        loaded("dual").encode_texts(["a cat", "a dog", blank])


def test_a_bare_text_is_not_taken_for_a_list_of_letters(loaded):
    with pytest.raises(ValueError, match=r"write \[text\]"):
        loaded("dual").encode_texts("cat")


@pytest.mark.parametrize(
    "text", ["!!!", "</s>", "<|endoftext|> <eos> [SEP]", "猫 🐱", "\ud800 cat"]
)
@pytest.mark.parametrize("name", NETWORKS)
def test_odd_texts_have_a_vector(loaded, name, text):
    assert np.isfinite(loaded(name).encode_texts([text])).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (1, 3), (2000, 2)])
def test_odd_shapes_of_pictures_have_a_vector(loaded, name, size):
    picture = Image.new("RGB", size, (200, 30, 90))
    assert np.isfinite(loaded(name).encode_pictures([picture])).all()


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "P", "CMYK"])
def test_a_picture_of_another_mode_is_converted(loaded, mode):
    picture = pictures()[0].convert(mode)
    vectors = loaded("siglip").encode_pictures([picture, picture.convert("RGB")])
    assert_same(loaded("siglip"), vectors[0], vectors[1], atol=1e-6)


def test_what_is_no_picture_is_refused_by_its_position(loaded):
    with pytest.raises(ValueError, match="picture at position 1 is a str"):
        loaded("dual").encode_pictures([pictures()[0], "cat.jpg"])


def test_nothing_gives_no_rows(loaded):
    assert loaded("dual").encode_texts([]).shape == (0, 24)
    assert loaded("dual").encode_pictures([]).shape == (0, 24)


@pytest.mark.usefixtures("dtype")
def test_a_vector_of_zeros_is_refused_not_divided_by(copied):
    folder = copied("dual")
    weights = load_file(folder / "model.safetensors")
    weights["text_projection.weight"].zero_()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="not those of a trained model"):
        Encoder.load(folder, towers="text").encode_texts(["a cat"])


# --- one tower alone ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_one_tower_alone_gives_the_same_vectors(checkpoint, loaded, name):
    text, image = (Encoder.load(checkpoint(name), towers=t) for t in (("text",), ("image",)))
    assert text.dtype == image.dtype == loaded(name).dtype
    texts, shown = text.encode_texts(TEXTS), image.encode_pictures(pictures())
    np.testing.assert_allclose(texts, loaded(name).encode_texts(TEXTS), atol=1e-6)
    np.testing.assert_allclose(shown, loaded(name).encode_pictures(pictures()), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_other_tower_has_no_weights(checkpoint, loaded, name):
    whole = count(loaded(name))
    text, image = (Encoder.load(checkpoint(name), towers=tower) for tower in ("text", "image"))
    assert not [key for key in text._network.state_dict() if key.startswith("vis")]
    assert not [key for key in image._network.state_dict() if key.startswith("text_")]
    assert count(text) + count(image) - 2 <= whole, "only the two scalars are in both"
    assert not any(weight.is_meta for weight in text._network.parameters())


def count(encoder):
    return sum(weight.numel() for weight in encoder._network.parameters())


@pytest.mark.usefixtures("dtype")
def test_asking_the_missing_tower_says_how_to_load_it(checkpoint):
    text, image = (Encoder.load(checkpoint("dual"), towers=t) for t in (("text",), ("image",)))
    with pytest.raises(ModelError, match=r'without its image tower; load it with towers=\("image"'):
        text.encode_pictures(pictures())
    with pytest.raises(ModelError, match="without its image tower"):
        text.preprocess(pictures())
    with pytest.raises(ModelError, match="without its text tower"):
        image.encode_texts(["a cat"])
    assert "text tower only" in text.describe()


def test_an_unknown_tower_is_refused(checkpoint):
    with pytest.raises(ValueError, match="choose from"):
        Encoder.load(checkpoint("dual"), towers=("sound",))


# --- device, number format, description --------------------------------------------------------


def test_describe_is_one_line(exact):
    n = torch.get_num_threads()
    threads = "1 thread" if n == 1 else f"{n} threads"
    line = f"dual (dual encoder, 24-d) on CPU in float32, {threads}"
    assert exact("dual").describe() == line
    assert line in repr(exact("dual"))


@pytest.mark.parametrize("able, chosen", [({}, "float32"), ({"avx512_bf16": True}, "bfloat16")])
def test_bfloat16_is_chosen_where_the_processor_has_it(monkeypatch, able, chosen):
    monkeypatch.delenv("SIGSCOPE_DTYPE", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert towers.choose_dtype("auto", "cpu") == chosen


@pytest.mark.parametrize("named", ["float32", "bfloat16", "float16"])
def test_the_environment_says_what_auto_means(monkeypatch, named):
    monkeypatch.setenv("SIGSCOPE_DTYPE", named)
    assert towers.choose_dtype("auto", "cpu") == named
    assert towers.choose_dtype("bfloat16", "cpu") == "bfloat16"


@pytest.mark.parametrize("name", ["siglip", "siglip2", "clip", "dual"])
def test_bfloat16_is_kept_when_it_agrees_with_float32(checkpoint, exact, name):
    encoder = Encoder.load(checkpoint(name), dtype="bfloat16")
    assert encoder.dtype == "bfloat16" and "in bfloat16" in encoder.describe()
    assert {weight.dtype for weight in encoder._network.parameters()} == {torch.bfloat16}
    found = agreement(encoder, pictures(), TEXTS)
    assert set(found) == {"text", "image"} and 0.999 <= min(found.values()) < 0.9999999
    assert cosines(encoder.encode_texts(TEXTS), exact(name).encode_texts(TEXTS)).min() >= 0.999


def test_bfloat16_is_given_up_when_it_strays(checkpoint, exact, monkeypatch):
    monkeypatch.setattr(shortcuts, "LEAST", 0.9999999)
    encoder = Encoder.load(checkpoint("dual"), dtype="bfloat16")
    assert encoder.dtype == "float32" and encoder.model == "dual"
    assert "bfloat16 was given up, as its cosine to float32 is only 0.99" in encoder.describe()
    np.testing.assert_array_equal(encoder.encode_texts(TEXTS), exact("dual").encode_texts(TEXTS))


@pytest.fixture
def forgetful(monkeypatch, tmp_path):
    """A cache of agreements that holds nothing yet; returns where it is."""
    monkeypatch.setattr(shortcuts, "home", lambda: tmp_path / "agreement")
    return tmp_path / "agreement"


@pytest.fixture
def measured(monkeypatch):
    """The cosines that were measured in this test, in order."""
    found, measure = [], encoder_module._least_cosine

    def noted(*what):
        found.append(measure(*what))
        return found[-1]

    monkeypatch.setattr(encoder_module, "_least_cosine", noted)
    return found


@pytest.mark.parametrize("first", ["text", "image"])
def test_one_tower_that_strays_gives_bfloat16_up_for_both(
    checkpoint, exact, monkeypatch, forgetful, first
):
    short = Encoder.load(checkpoint("dual"), dtype="bfloat16")
    cosine = agreement(short, shortcuts.pictures(), shortcuts.TEXTS)
    assert cosine["text"] != cosine["image"]
    monkeypatch.setattr(shortcuts, "LEAST", np.mean([*cosine.values()]))
    for half in (first, ("text", "image"), "text", "image"):
        encoder = Encoder.load(checkpoint("dual"), towers=half, dtype="bfloat16")
        assert encoder.dtype == "float32"
        assert f"its cosine to float32 is only {min(cosine.values()):.4f}" in encoder.describe()


def test_a_checkpoint_is_measured_once(checkpoint, forgetful, measured):
    for half in ("text", "image", ("text", "image")):
        assert Encoder.load(checkpoint("dual"), towers=half, dtype="bfloat16").dtype == "bfloat16"
    assert len(measured) == 1 and len(list(forgetful.iterdir())) == 1
    Encoder.load(checkpoint("clip"), dtype="bfloat16")
    assert len(measured) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cosine": 1}', '{"cosine": "1", "of": {}}'])
def test_a_broken_file_of_what_was_measured_is_written_again(checkpoint, forgetful, measured, text):
    Encoder.load(checkpoint("dual"), dtype="bfloat16")
    (file,) = forgetful.iterdir()
    whole = file.read_bytes()
    file.write_text(text)
    assert Encoder.load(checkpoint("dual"), dtype="bfloat16").dtype == "bfloat16"
    assert len(measured) == 2 and file.read_bytes() == whole


def test_where_nothing_can_be_kept_a_checkpoint_is_measured_again(checkpoint, forgetful, measured):
    forgetful.write_text("a file where the folder would be")
    for _ in range(2):
        assert Encoder.load(checkpoint("dual"), dtype="bfloat16").dtype == "bfloat16"
    assert len(measured) == 2


def test_float32_agrees_with_itself(exact):
    assert min(agreement(exact("siglip"), pictures(), TEXTS).values()) == pytest.approx(1, abs=1e-6)


def test_a_device_or_dtype_that_is_not_here_is_refused(checkpoint, monkeypatch):
    with pytest.raises(ModelError, match="device tpu is not usable on this machine; choose auto"):
        Encoder.load(checkpoint("dual"), device="tpu")
    with pytest.raises(ModelError, match="dtype int3 is unknown; choose auto, float32"):
        Encoder.load(checkpoint("dual"), dtype="int3")
    monkeypatch.setenv("SIGSCOPE_DTYPE", "half")
    with pytest.raises(ModelError, match="SIGSCOPE_DTYPE half is unknown; choose auto, float32"):
        Encoder.load(checkpoint("dual"))


@pytest.mark.parametrize("name", ["siglip", "clip", "convolutional"])
def test_tensors_that_fit_are_put_in_as_they_lie_and_others_left_to_transformers(
    copied, exact, monkeypatch, name
):
    folder = copied(name)
    with monkeypatch.context() as patch:
        patch.setattr(transformers.PreTrainedModel, "from_pretrained", None)
        quick = Encoder.load(folder, dtype="float32")
    weights = load_file(folder / "model.safetensors")
    older = torch.arange(64).expand(1, -1).contiguous()  # as CLIP's own checkpoint on the hub has
    save_file(weights | {"text_model.embeddings.position_ids": older}, folder / "model.safetensors")
    slow = Encoder.load(folder, dtype="float32")
    for one in (quick, slow):
        np.testing.assert_array_equal(one.encode_texts(TEXTS), exact(name).encode_texts(TEXTS))


# --- shortcuts ---------------------------------------------------------------------------------


def test_a_convolutional_tower_is_folded_and_agrees_with_the_original(checkpoint, exact):
    encoder = exact("convolutional")
    original = transformers.AutoModel.from_pretrained(checkpoint("convolutional")).eval()
    assert kinds(original) - kinds(encoder._network) == {"AvgPool2d", "BatchNorm2d"}
    with torch.inference_mode():
        slow = towers.pooled(original.get_image_features(**encoder.preprocess(pictures()))).numpy()
    slow /= np.linalg.norm(slow, axis=1, keepdims=True)
    assert cosines(encoder.encode_pictures(pictures()), slow).min() >= 0.99999


def kinds(network):
    return {type(part).__name__ for part in network.modules()}


def test_a_fold_that_changes_the_vectors_is_dropped(checkpoint, monkeypatch):
    network = scramble(transformers.AutoModel.from_pretrained(checkpoint("convolutional"))).eval()
    monkeypatch.setattr(shortcuts, "_fold", lambda twin: scramble(twin, seed=1))
    batch = {"pixel_values": torch.rand(2, 3, 32, 32)}
    assert shortcuts.folded(network, batch) is network


def gated(bias):
    """An untrained tower whose squeeze-excites have no weights and this bias."""
    config = transformers.EfficientNetConfig(image_size=32, hidden_dim=128, width_coefficient=0.1)
    tower = scramble(transformers.EfficientNetModel(config)).eval()
    with torch.no_grad():
        for name, value in tower.named_parameters():
            if "squeeze_excite" in name:
                value.fill_(bias if name.endswith("expand.bias") else 0)
    return tower


@pytest.mark.parametrize(("bias", "left"), [(30, False), (2, True)])
def test_only_gates_that_are_always_open_are_taken_out(bias, left):
    tower, pixels = gated(bias), torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        before = tower(pixels).pooler_output
        shortcuts._take_out_open_gates(tower)
        after = tower(pixels).pooler_output
    assert ("EfficientNetSqueezeExciteLayer" in kinds(tower)) is left
    assert torch.equal(before, after)


def test_threads_abreast_use_one_core_each_and_leave_the_others_theirs():
    before = torch.get_num_threads()
    pool = shortcuts.abreast()
    start = threading.Barrier(before)
    inside = list(pool.map(lambda _: start.wait() * 0 + torch.get_num_threads(), range(before)))
    with ThreadPoolExecutor(1) as fresh:
        assert fresh.submit(torch.get_num_threads).result() == before
    assert (inside, torch.get_num_threads()) == ([1] * before, before)


def test_many_pictures_get_the_vectors_that_each_gets_alone(loaded):
    encoder, many = loaded("convolutional"), pictures() * 4
    alone = np.concatenate([encoder.encode_pictures([picture]) for picture in many])
    assert_same(encoder, encoder.encode_pictures(many), alone)


@pytest.mark.parametrize("twice", [True, False])
def test_pictures_prepared_in_one_pass_are_those_of_the_processor(twice):
    """With include_top the processor divides by the spread twice, which one pass does not."""
    processor = transformers.EfficientNetImageProcessorPil(
        size={"height": 24, "width": 40}, include_top=twice
    )
    prepare = shortcuts.prepare_with(processor)
    assert (prepare.__qualname__.split(".")[0] == "_plain") is not twice
    ours, exact = prepare(pictures()), processor(pictures(), return_tensors="pt")
    torch.testing.assert_close(ours["pixel_values"], exact["pixel_values"], atol=1e-5, rtol=0)


# --- many visitors, quiet, quick to import -----------------------------------------------------


@pytest.mark.parametrize("name", ["siglip", "siglip2-fixed", "clip"])
def test_eight_threads_get_the_vectors_that_one_gets(loaded, name):
    encoder = loaded(name)
    texts = [f"{sentence} {n}" * (n % 3 + 1) for n in range(8) for sentence in SENTENCES]
    alone, shown = encoder.encode_texts(texts), encoder.encode_pictures(pictures())
    start = threading.Barrier(8)

    def visit(n):
        start.wait()
        part = slice(6 * n, 6 * n + 6)
        assert_same(encoder, encoder.encode_texts(texts[part], 1 + n % 4), alone[part])
        assert_same(encoder, encoder.encode_pictures(pictures()), shown)
        return n

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(8))) == list(range(8))


def test_one_thread_at_a_time_is_at_the_tokenizer(loaded):
    """Fast tokenizers say "Already borrowed" when two threads set their padding at once."""
    inside, met = threading.Lock(), []

    def watched(*texts, **rules):
        met.append(not inside.acquire(blocking=False))
        sleep(0.005)
        inside.release()
        return loaded("clip")._tokenizer(*texts, **rules)

    encoder = replace(loaded("clip"), _tokenizer=watched)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: encoder.encode_texts(["two dogs"]), range(24)))
    assert met == [False] * 24


def test_importing_the_encoder_imports_neither_torch_nor_transformers():
    code = (
        "import sys, sigscope.models.encoder; print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_loading_and_encoding_print_nothing(checkpoint, tmp_path):
    """In a process of its own, since transformers says some things only once in each.

    A short number format is measured against float32, so both are loaded.
    """
    code = (
        "import sys; from sigscope.models import shortcuts\n"
        "from sigscope.models.encoder import Encoder\n"
        "for folder in sys.argv[1:]:\n"
        "    encoder = Encoder.load(folder)\n"
        "    encoder._answers(shortcuts.pictures(), shortcuts.TEXTS)\n"
    )
    command = [sys.executable, "-W", "default", "-c", code, *map(str, map(checkpoint, NETWORKS))]
    settings = {"SIGSCOPE_DTYPE": "bfloat16", "SIGSCOPE_CACHE": str(tmp_path)}
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.usefixtures("dtype")
def test_loading_leaves_the_logging_of_transformers_as_it_was(checkpoint):
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_info()
    try:
        Encoder.load(checkpoint("dual"))
        assert transformers.logging.get_verbosity() == transformers.logging.INFO
    finally:
        transformers.logging.set_verbosity(before)


# --- which model -------------------------------------------------------------------------------


def test_identity_is_the_same_for_any_tower_and_number_format(checkpoint, loaded):
    identity = loaded("siglip").identity
    for choice in ({"towers": ("text",)}, {"towers": ("image",)}, {"dtype": "bfloat16"}):
        assert Encoder.load(checkpoint("siglip"), **choice).identity == identity
    assert json.loads(json.dumps(identity)) == identity
    assert identity["model"] == "siglip" and identity["dimension"] == 32
    assert identity["preprocessing"]["texts"]["max_length"] == 64


def test_identity_changes_with_the_weights_and_with_the_picture_rules(copied, loaded):
    folder = copied("siglip")
    rewrite(folder / "preprocessor_config.json", resample=2)
    softer = Encoder.load(folder).identity
    assert softer["weights"] == loaded("siglip").identity["weights"]
    assert softer["preprocessing"] != loaded("siglip").identity["preprocessing"]
    weights = load_file(folder / "model.safetensors")
    weights["logit_bias"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert Encoder.load(folder).identity["weights"] != softer["weights"]


def test_without_a_name_the_environment_or_the_shipped_model_is_taken(checkpoint, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_MODEL", str(checkpoint("clip")))
    assert Encoder.load(towers="text").family == "clip"
    monkeypatch.delenv("SIGSCOPE_MODEL")
    monkeypatch.setattr(paths, "MINI", checkpoint("dual"))
    assert Encoder.load(towers="text").model == "dual"
    assert Encoder.load("dual", towers="text").folder == checkpoint("dual")


@pytest.mark.usefixtures("dtype")
def test_fewer_positions_than_the_family_has_shorten_the_texts(tmp_path):
    folder = MAKERS["siglip"](tmp_path / "short")
    config = transformers.SiglipConfig.from_pretrained(folder)
    config.text_config.max_position_embeddings = 16
    scramble(transformers.SiglipModel(config)).save_pretrained(folder)
    encoder = Encoder.load(folder, towers="text")
    assert encoder.rules["max_length"] == 16
    assert encoder.encode_texts([SENTENCES[0] * 9]).shape == (1, 32)
