"""Locked-image tuning on a toy dual encoder: it learns, it leaves the rest alone, it repeats."""

import numpy as np
import pytest
import torch
import transformers
from distilling import Recipe, Writer, distillation_loss, train
from pairs import Pairs, Teacher, batches, belong_together

from sigscope.tuning.loop import rate

TEXTS = [["a cat"], ["a dog"], ["two red cats"], ["a tree"], ["the sea"], ["a red bus"]]
HEADS = Recipe(text_lr=0, epochs=60, batch_size=6, head_lr=0.02, feature_dropout=0.0)


@pytest.fixture
def pairs() -> Pairs:
    features = np.random.default_rng(0).normal(size=(6, 2, 32)).astype(np.float16)
    return Pairs(features, TEXTS, np.arange(6))


@pytest.fixture
def toy(checkpoint):
    folder = checkpoint("dual")
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def weights(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_pairs_of_one_group_or_with_equal_texts_belong_together():
    same = belong_together(np.array([0, 1, 1, 2]), ["a cat", "a dog", "a hound", "A Cat"])
    expected = np.eye(4, dtype=bool)
    expected[1, 2] = expected[2, 1] = expected[0, 3] = expected[3, 0] = True
    np.testing.assert_array_equal(same, expected)


def test_joined_pairs_keep_their_groups_apart(pairs):
    both = pairs + pairs
    assert len(both) == 12 and len(set(both.groups)) == 12


def test_pairs_of_different_lengths_are_refused(pairs):
    with pytest.raises(ValueError, match="6 pictures, 5 lists of texts"):
        Pairs(pairs.features, TEXTS[:5], pairs.groups)


def test_an_epoch_shows_every_pair_once(pairs):
    seen = [text for _, texts, _ in batches(pairs, 2, np.random.default_rng(0)) for text in texts]
    assert sorted(seen) == sorted(text for texts in TEXTS for text in texts)


def test_rate_rises_in_the_warm_up_and_falls_to_zero():
    rates = [rate(step, 100, 0.1) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[10] == 1
    assert rates[100] == pytest.approx(0) and rates[55] == pytest.approx(0.5)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_training_lowers_the_loss(toy, pairs, loss):
    run = train(*toy, pairs, Recipe(**{**vars(HEADS), "loss": loss}), lambda: 0.0)
    assert len(run.epochs) == 60
    assert run.epochs[-1]["loss"] < run.epochs[0]["loss"] / 2


def test_a_locked_text_tower_stays_as_it_is(toy, pairs):
    model, tokenizer = toy
    before = weights(model)
    train(model, tokenizer, pairs, HEADS, iter(range(61)).__next__)
    changed = {
        name for name, value in weights(model).items() if not torch.equal(value, before[name])
    }
    assert changed == {"visual_projection.weight", "text_projection.weight"}


def test_an_open_text_tower_learns_but_its_words_and_the_image_tower_do_not(toy, pairs):
    model, tokenizer = toy
    before = weights(model)
    recipe = Recipe(epochs=2, batch_size=6, text_lr=0.01)
    train(model, tokenizer, pairs, recipe, iter(range(3)).__next__)
    changed = {
        name for name, value in weights(model).items() if not torch.equal(value, before[name])
    }
    assert "text_model.pooler.dense.weight" in changed
    assert "text_model.embeddings.word_embeddings.weight" not in changed
    assert not any(name.startswith("vision_model") for name in changed)


def test_the_best_epoch_is_what_remains(toy, pairs):
    model, tokenizer = toy
    seen = []

    def validate() -> float:
        seen.append(model.visual_projection.weight.clone())
        return [0.0, 0.1, 0.9, 0.5][len(seen) - 1]

    run = train(model, tokenizer, pairs, Recipe(**{**vars(HEADS), "epochs": 3}), validate)
    assert run.score == 0.9
    assert torch.equal(model.visual_projection.weight, seen[2])


def test_the_same_seed_gives_the_same_weights(checkpoint, pairs):
    ends = []
    for _ in range(2):
        folder = checkpoint("dual")
        model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        train(model, tokenizer, pairs, Recipe(**{**vars(HEADS), "epochs": 3}), lambda: 0.0)
        ends.append(model.visual_projection.weight)
    assert torch.equal(*ends)


def test_cached_texts_equal_texts_read_live(toy):
    model, tokenizer = toy
    texts = [text for texts in TEXTS for text in texts]
    cached = Writer(model, tokenizer, HEADS, texts)(texts)
    live = Writer(model, tokenizer, Recipe(text_lr=1e-5), texts)(texts)
    torch.testing.assert_close(cached, live, atol=1e-5, rtol=0)


def test_teacher_asks_about_the_classes_it_answers_most():
    weights = np.eye(4, dtype=np.float32)
    features = np.array([[0, 9, 0, 5], [0, 8, 0, 1]], dtype=np.float16)
    teacher = Teacher(weights, np.zeros(4, np.float32), [["a"], ["b"], ["c"], ["d"]], features)
    asked, names, logits = teacher.question(50, 2, np.random.default_rng(0))
    assert names == ["b", "d"] and asked.shape == (50, 4)
    np.testing.assert_array_equal(logits, asked[:, [1, 3]])


def test_distillation_loss_is_least_where_the_answers_are_the_teachers():
    generator = torch.Generator().manual_seed(0)
    images, classes = torch.nn.functional.normalize(
        torch.randn(2, 6, 4, generator=generator), dim=-1
    )
    logits, scale = 5 * images @ classes.T, torch.tensor(5.0)
    p = logits.softmax(1)
    entropy = -(p * p.log()).sum(1).mean().item()
    assert distillation_loss(images, classes, scale, logits).item() == pytest.approx(entropy)
    assert distillation_loss(images, classes.flip(0), scale, logits).item() > entropy


def test_distillation_makes_zero_shot_answers_agree_with_the_teacher(toy, pairs):
    model, tokenizer = toy
    rng = np.random.default_rng(0)
    weights = 3 * rng.normal(size=(4, 32)).astype(np.float32)
    names = [["a cat"], ["a dog"], ["a tree"], ["the sea"]]
    features = rng.normal(size=(200, 32)).astype(np.float16)
    teacher = Teacher(weights, np.zeros(4, np.float32), names, features)

    def agreement() -> float:
        write = Writer(model, tokenizer, HEADS, [name for listed in names for name in listed])
        with torch.no_grad():
            images = model.visual_projection(torch.from_numpy(features.astype(np.float32)))
            said = (images @ write([listed[0] for listed in names]).T).argmax(1).numpy()
        return float((said == (features @ weights.T).argmax(1)).mean())

    before = agreement()
    recipe = Recipe(**{**vars(HEADS), "distill": 5.0, "batch_size": 64, "classes": 4})
    train(model, tokenizer, pairs, recipe, iter(range(61)).__next__, teacher=teacher)
    assert before < 0.5 < 0.75 < agreement()


def test_a_run_that_only_makes_it_worse_changes_nothing(toy, pairs):
    model, tokenizer = toy
    before = weights(model)
    train(model, tokenizer, pairs, HEADS, iter(range(61, 0, -1)).__next__)
    assert all(torch.equal(value, before[name]) for name, value in weights(model).items())
