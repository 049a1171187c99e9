"""Fine-tuning small checkpoints: what learns, what stays, what is left behind, what is refused."""

import itertools
import json

import pytest
import torch
from safetensors.torch import load_file
from toy import write_gallery

from sigscope.datasets.load import load_gallery
from sigscope.duplicates.splits import LeakError
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError
from sigscope.tuning import validation
from sigscope.tuning.checkpoint import Tuned
from sigscope.tuning.finetune import fine_tune
from sigscope.tuning.recipes import ADAPTERS, HEADS, PRESETS, R3, SIGLIT, Recipe
from sigscope.tuning.validation import Validation

HEADS_OF_CLIP = {"visual_projection", "text_projection"}
SHORT = Recipe(epochs=2, batch_size=8, micro_batch=8, lr=1e-3)


@pytest.fixture
def rising(monkeypatch):
    """Let each epoch seem better than the last, so that the last one is saved."""
    scores = itertools.count()
    monkeypatch.setattr(Validation, "__call__", lambda self, towers: next(scores))


def changed(before, after) -> set[str]:
    """Return the parts of a network whose weights are others now."""
    old, new = load_file(before / "model.safetensors"), load_file(after / "model.safetensors")
    assert old.keys() == new.keys()
    return {name.split(".")[0] for name in old if not torch.equal(old[name].float(), new[name])}


@pytest.mark.parametrize("family", ["siglip", "siglip2-fixed", "siglip2", "clip", "dual"])
def test_every_family_is_tuned_and_loaded_by_the_encoder(
    family, checkpoint, gallery, tmp_path, rising
):
    source = checkpoint(family)
    recipe = SHORT.but(image="trained", clip=0.0, lr=0.01)
    folder = fine_tune(source, gallery, recipe, tmp_path / "a").folder
    tuned, before = (Encoder.load(one, dtype="float32") for one in (folder, source))
    assert tuned.identity["preprocessing"] == before.identity["preprocessing"]
    assert tuned.encode_texts(["a red square"]).shape == (1, before.dimension)
    assert "text_model" in changed(source, folder)


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ({"text": "locked"}, HEADS_OF_CLIP),
        ({"heads": False}, {"text_model", "text_projection"}),
        ({"image": "trained", "text": "locked"}, {"vision_model", *HEADS_OF_CLIP}),
        ({"image": "adapters", "text": "adapters", "heads": False}, {"vision_model", "text_model"}),
    ],
    ids=lambda value: None if isinstance(value, set) else " ".join(map(str, value.values())),
)
def test_what_is_locked_stays_as_it_is(ways, expected, checkpoint, gallery, tmp_path, rising):
    if "adapters" in ways.values():
        pytest.importorskip("peft")
    recipe = SHORT.but(**ways, epochs=1)
    tuned = fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / "a")
    assert changed(checkpoint("clip"), tuned.folder) == expected | {"logit_scale"}


def test_a_convolutional_tower_learns_with_its_batch_norms_at_rest(
    checkpoint, gallery, tmp_path, rising
):
    source = checkpoint("convolutional")
    recipe = SHORT.but(image="trained", text="locked", lr=0.01)
    folder = fine_tune(source, gallery, recipe, tmp_path / "a").folder
    old, new = (load_file(one / "model.safetensors") for one in (source, folder))
    running = [name for name in old if "running_" in name]
    assert running and all(torch.equal(old[name], new[name]) for name in running)
    assert "vision_model" in changed(source, folder)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_training_lowers_the_loss(loss, checkpoint, gallery, tmp_path):
    recipe = SHORT.but(loss=loss, epochs=8, image="trained", lr=3e-3, flip=0.0, crop=1.0)
    tuned = fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / "a")
    assert tuned.curve["loss"].iloc[-1] < 0.8 * tuned.curve["loss"].iloc[1]


def test_the_best_epoch_is_what_is_saved(checkpoint, gallery, tmp_path, monkeypatch):
    scores = iter([0.1, 0.9, 0.5])
    seen = []

    def score(self, towers):
        seen.append(towers.network.text_projection.weight.clone())
        return next(scores)

    monkeypatch.setattr(Validation, "__call__", score)
    tuned = fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "a")
    assert (tuned.score, tuned.record["best_epoch"]) == (0.9, 1)
    saved = load_file(tuned.folder / "model.safetensors")["text_projection.weight"]
    assert torch.equal(saved, seen[1]) and not torch.equal(saved, seen[2])


def test_a_run_that_only_makes_it_worse_changes_nothing(checkpoint, gallery, tmp_path, monkeypatch):
    scores = iter([0.9, 0.8, 0.7, 0.6])
    monkeypatch.setattr(Validation, "__call__", lambda self, towers: next(scores))
    recipe = SHORT.but(epochs=9, patience=2)
    tuned = fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / "a")
    assert tuned.record["stopped_early"] and len(tuned.curve) == 3
    assert changed(checkpoint("clip"), tuned.folder) == set()


def test_cached_features_tune_as_a_tower_that_is_asked_each_time(checkpoint, gallery, tmp_path):
    """An image tower that learns at rate 0 is a locked one whose features are not cached."""
    same = {"flip": 0.0, "crop": 1.0, "head_lr": 0.01, "weight_decay": 0.0, "epochs": 1}
    recipe = SHORT.but(**same, text="locked", schedule="constant", warmup=0.0, clip=0.0)
    ends = []
    for number, changes in enumerate([{}, {"image": "trained", "lr": 0.0}]):
        tuned = fine_tune(
            checkpoint("clip"), gallery, recipe.but(**changes), tmp_path / str(number)
        )
        ends.append(tuned.curve["loss"].iloc[1])
    assert ends[0] == pytest.approx(ends[1], rel=1e-5)


def test_the_record_says_what_was_done(checkpoint, gallery, tmp_path):
    tuned = fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "a")
    record = json.loads((tmp_path / "a" / "record.json").read_text())
    assert record == tuned.record == Tuned.load(tmp_path / "a").record
    assert record["data"]["fingerprint"] == gallery.fingerprint
    assert record["data"]["train_pictures"] == 8 and record["recipe"]["lr"] == 1e-3
    assert [row["epoch"] for row in record["epochs"]] == [0, 1, 2]
    assert record["score"] == max(row["score"] for row in record["epochs"])
    assert record["versions"]["torch"] and record["peak_mb"] > 0 and record["seconds"] > 0
    assert not (tmp_path / "a" / "run").exists()


@pytest.mark.parametrize("k", [3, 5])
def test_the_score_is_that_of_the_evaluation(k, checkpoint, gallery, tmp_path, monkeypatch):
    from sigscope.embeddings.embed import embed_gallery
    from sigscope.evaluation.evaluate import evaluate

    monkeypatch.setattr(validation, "K", k)
    tuned = fine_tune(checkpoint("siglip"), gallery, SHORT, tmp_path / "a")
    encoder = Encoder.load(tuned.folder, dtype="float32")
    embeddings = embed_gallery(gallery, encoder, tmp_path / "embeddings")
    queries = evaluate(gallery, embeddings, "val", [f"hit rate@{k}"]).queries
    texts = queries[queries["direction"] == "text to image"]
    assert tuned.score == pytest.approx(texts[f"hit rate@{k}"].mean())
    assert 0 < tuned.score < 1


def test_a_finished_run_is_not_run_again_and_another_is_refused(checkpoint, gallery, tmp_path):
    first = fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "a")
    again = fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "a")
    assert again.record == first.record
    with pytest.raises(ValueError, match="differs in recipe.lr"):
        fine_tune(checkpoint("clip"), gallery, SHORT.but(lr=1e-4), tmp_path / "a")
    other = fine_tune(checkpoint("clip"), gallery, SHORT.but(lr=1e-4), tmp_path / "a", resume=False)
    assert other.record["recipe"]["lr"] == 1e-4


def test_a_picture_that_cannot_be_read_is_left_out(checkpoint, tmp_path):
    folder = write_gallery(tmp_path / "gallery", 24, size=16)
    file = folder / "006-orange.png"
    file.write_bytes(file.read_bytes()[:-30])
    gallery = load_gallery(folder)
    for way in ("locked", "trained"):
        recipe = SHORT.but(image=way, epochs=1)
        tuned = fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / way)
        assert tuned.record["data"]["unread"] == ["006-orange.png"]
        assert tuned.record["data"]["train_pictures"] == 7


def test_a_loss_that_is_no_number_stops_the_run(checkpoint, gallery, tmp_path):
    recipe = SHORT.but(lr=float("inf"), clip=0.0)
    with pytest.raises(ArithmeticError, match="lower lr"):
        fine_tune(checkpoint("clip"), gallery, recipe, tmp_path / "a")


def test_wrong_splits_folders_and_leaks_are_refused(checkpoint, gallery, tmp_path):
    with pytest.raises(ValueError, match="Its splits: test, train, val"):
        fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "a", train="training")
    with pytest.raises(ValueError, match="no item in split 'dev'"):
        fine_tune(checkpoint("clip"), gallery, SHORT, tmp_path / "b", val="dev")
    with pytest.raises(ValueError, match="the model that is to be tuned"):
        fine_tune(checkpoint("clip"), gallery, SHORT, checkpoint("clip"))
    leaky = gallery.items.assign(duplicate_of="")
    leaky.loc[0, "duplicate_of"] = leaky["id"].iloc[1]
    leaking = type(gallery)(gallery.name, gallery.root, leaky, gallery.problems)
    with pytest.raises(LeakError):
        fine_tune(checkpoint("clip"), leaking, SHORT, tmp_path / "c")


def test_adapters_need_linear_layers(checkpoint, gallery, tmp_path):
    pytest.importorskip("peft")
    recipe = SHORT.but(image="adapters")
    with pytest.raises(ModelError, match="no linear layers to adapt"):
        fine_tune(checkpoint("convolutional"), gallery, recipe, tmp_path / "a")


def test_presets_are_what_the_reports_say():
    assert (R3.loss, R3.epochs, R3.batch_size, R3.lr) == ("softmax", 10, 64, 1e-5)
    assert (R3.betas, R3.eps, R3.weight_decay) == ((0.9, 0.98), 1e-6, 0.2)
    assert (SIGLIT.image, SIGLIT.text, HEADS.text) == ("locked", "trained", "locked")
    assert set(PRESETS) == {"SigLiT", "heads", "R3", "R4", "adapters"} and ADAPTERS.rank == 8


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"loss": "triplet"}, "choose from sigmoid, softmax"),
        ({"text": "locked", "heads": False}, "nothing would learn"),
        ({"text": "locked", "word_dropout": 0.1}, "feature_dropout"),
        ({"batch_size": 1}, "at least 2"),
        ({"flip": 1.5}, "from 0 to 1"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Recipe(**changes)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(checkpoint, gallery, tmp_path):
    ends = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        recipe = SHORT.but(seed=seed, word_dropout=0.3, feature_dropout=0.2)
        state = torch.get_rng_state()
        fine_tune(checkpoint("dual"), gallery, recipe, tmp_path / name)
        assert torch.equal(torch.get_rng_state(), state), "what others draw stays as it is"
        ends.append((tmp_path / name / "record.json").read_text())
    losses = [[row.get("loss") for row in json.loads(end)["epochs"]] for end in ends]
    assert losses[0] == losses[1] != losses[2]
