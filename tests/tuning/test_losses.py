"""The two losses against hand-worked cases, the papers' pseudo-code and transformers; in blocks."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch.nn.functional import cross_entropy, normalize

from sigscope.tuning.losses import contrastive_loss, sigmoid_loss, softmax_loss

ONE = torch.tensor(1.0)
ZERO = torch.tensor(0.0)


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(normalize(torch.randn(6, 4, generator=generator), dim=-1) for _ in range(2))


def test_sigmoid_loss_of_two_orthogonal_pairs_is_the_sum_done_by_hand():
    pairs = torch.eye(2)
    by_hand = (2 * softplus(-(3 * 1 - 1)) + 2 * softplus(3 * 0 - 1)) / 2
    assert sigmoid_loss(pairs, pairs, 3 * ONE, -ONE).item() == pytest.approx(by_hand)


def test_softmax_loss_of_two_orthogonal_pairs_is_the_sum_done_by_hand():
    pairs = torch.eye(2)
    by_hand = -math.log(math.exp(3) / (math.exp(3) + math.exp(0)))
    assert softmax_loss(pairs, pairs, 3 * ONE).item() == pytest.approx(by_hand)


def test_sigmoid_loss_agrees_with_a_loop_over_pairs(batch):
    images, texts = batch
    same = np.eye(6, dtype=bool)
    same[0, 3] = True
    total = 0.0
    for i in range(6):
        for j in range(6):
            z = 1 if same[i, j] else -1
            total += softplus(-z * (10 * float(images[i] @ texts[j]) - 10))
    ours = sigmoid_loss(images, texts, 10 * ONE, -10 * ONE, torch.from_numpy(same))
    assert ours.item() == pytest.approx(total / 6, rel=1e-5)


def test_softmax_loss_is_cross_entropy_in_both_directions(batch):
    images, texts = batch
    logits, target = 10 * images @ texts.T, torch.arange(6)
    twin = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
    assert softmax_loss(images, texts, 10 * ONE).item() == pytest.approx(twin.item(), rel=1e-5)


def test_an_equal_caption_is_not_a_negative(batch):
    images, texts = batch
    texts = texts.clone()
    texts[1], images = texts[0], images.clone()
    images[1] = images[0]
    same = torch.eye(6, dtype=torch.bool)
    plain = sigmoid_loss(images, texts, 10 * ONE, ZERO, same)
    same[0, 1] = same[1, 0] = True
    both = sigmoid_loss(images, texts, 10 * ONE, ZERO, same)
    # pairs (0, 1) and (1, 0) turn from no to yes: softplus(x) - softplus(-x) = x less for each
    logit = 10 * float(images[0] @ texts[0])
    assert (plain - both).item() == pytest.approx(2 * logit / 6, rel=1e-4)


def test_both_losses_have_the_gradient_of_their_own_value(batch):
    images, texts = (x.double().requires_grad_() for x in batch)
    scale, bias = 10 * ONE.double(), -10 * ONE.double()
    assert torch.autograd.gradcheck(lambda x, y: sigmoid_loss(x, y, scale, bias), (images, texts))
    assert torch.autograd.gradcheck(lambda x, y: softmax_loss(x, y, scale), (images, texts))


def by_the_papers(kind, images, texts, t, b):
    """The pseudo-code of Zhai et al. 2023, algorithm 1, and of Radford et al. 2021, figure 3."""
    logits = images @ texts.T * t + (b if kind == "sigmoid" else 0)
    n = len(logits)
    if kind == "sigmoid":
        labels = 2 * np.eye(n) - np.ones((n, n))
        return -np.sum(np.log(1 / (1 + np.exp(-labels * logits)))) / n

    def cross_entropy_loss(table, axis):
        shares = np.exp(table) / np.exp(table).sum(axis=axis, keepdims=True)
        return -np.log(shares[np.arange(n), np.arange(n)]).mean()

    return (cross_entropy_loss(logits, 0) + cross_entropy_loss(logits, 1)) / 2


@pytest.mark.parametrize("block", [None, 4])
@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_both_losses_are_the_papers_pseudo_code(kind, block, batch):
    images, texts = (x.double() for x in batch)
    ours = contrastive_loss(kind, images, texts, 10 * ONE, -10 * ONE, block=block)
    theirs = by_the_papers(kind, images.numpy(), texts.numpy(), 10, -10)
    assert ours.item() == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(("name", "kind"), [("siglip", "sigmoid"), ("clip", "softmax")])
def test_both_losses_are_those_of_transformers(name, kind, checkpoint):
    model = transformers.AutoModel.from_pretrained(checkpoint(name), dtype=torch.float32).eval()
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(5, 3, 32, 32, generator=generator)
    tokens = torch.randint(2, 100, (5, 7), generator=generator)
    tokens[:, -1] = 1
    with torch.no_grad():
        out = model(input_ids=tokens, pixel_values=pixels, return_loss=True)
        bias = getattr(model, "logit_bias", torch.zeros(1)).squeeze()
        scale = model.logit_scale.exp().squeeze()
        ours = contrastive_loss(kind, out.image_embeds, out.text_embeds, scale, bias, block=2)
    assert ours.item() == pytest.approx(out.loss.item(), rel=1e-5)


def several_right(n: int) -> torch.Tensor:
    same = torch.eye(n, dtype=torch.bool)
    same[0, 3] = same[3, 0] = same[1, n - 1] = same[5, 2] = True
    return same.nonzero()


def gradients(kind, n, block, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(n, 8, generator=generator, dtype=dtype) for _ in range(2))
    x, y = normalize(x, dim=-1).requires_grad_(), normalize(y, dim=-1).requires_grad_()
    t, b = (torch.tensor(v, dtype=dtype, requires_grad=True) for v in (7.0, -3.0))
    loss = contrastive_loss(kind, x, y, t, b, several_right(n), block=block)
    (3 * loss).backward()
    return [loss.detach(), x.grad, y.grad, t.grad, *([b.grad] if kind == "sigmoid" else [])]


@pytest.mark.parametrize("block", [1, 7, 40, 64])
@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_in_blocks_value_and_gradients_are_those_of_the_plain_loss(kind, block):
    for ours, plain in zip(gradients(kind, 40, block), gradients(kind, 40, None), strict=True):
        torch.testing.assert_close(ours, plain, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["sigmoid", "softmax"])
def test_in_blocks_the_gradient_is_that_of_the_value(kind):
    generator = torch.Generator().manual_seed(2)
    x, y = (torch.randn(6, 3, generator=generator).double().requires_grad_() for _ in range(2))
    t, b = (torch.tensor(v).double().requires_grad_() for v in (2.0, -1.0))

    def loss(*parts):
        return contrastive_loss(kind, *parts, several_right(6), block=4)

    assert torch.autograd.gradcheck(loss, (x, y, t, b))


def test_far_scores_do_not_overflow_in_blocks():
    x = torch.eye(4)
    for kind in ("sigmoid", "softmax"):
        for sign in (1, -1):
            loss = contrastive_loss(kind, x, sign * x, 1000 * ONE, ZERO, block=2)
            plain = contrastive_loss(kind, x, sign * x, 1000 * ONE, ZERO)
            assert loss.item() == pytest.approx(plain.item())


CLEAR = Path("/proc/self/clear_refs")
MEASURE = """
import json, torch
torch.set_num_threads(1)
from sigscope.tuning.losses import contrastive_loss
def held(what):
    with open("/proc/self/status") as file:
        return next(int(row.split()[1]) for row in file if row.startswith(what)) / 1024
def start():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    return held("VmRSS")
def grown(kind, n, block):
    before = start()
    x = torch.nn.functional.normalize(torch.randn(n, 32)).requires_grad_()
    y = torch.nn.functional.normalize(torch.randn(n, 32)).requires_grad_()
    contrastive_loss(kind, x, y, torch.tensor(10.), torch.tensor(-10.), block=block).backward()
    return held("VmHWM") - before
for kind in ("sigmoid", "softmax"):
    grown(kind, 256, 64)
found = {f"{kind} {n}": grown(kind, n, 64) for kind in ("sigmoid", "softmax") for n in (4096, 8192)}
print(json.dumps(found | {"plain": grown("sigmoid", 4096, None)}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not CLEAR.exists(), reason="only Linux lets a peak be measured anew")
def test_in_blocks_memory_does_not_grow_with_the_square_of_the_batch():
    out = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True)
    mb = json.loads(out.stdout)
    assert mb.pop("plain") > 4096**2 * 4 / 2**20, "the measure sees a whole table of scores"
    assert max(mb.values()) < 60, mb  # the table alone would take 64 and 256 MB


def test_an_unknown_loss_and_unpaired_vectors_are_refused(batch):
    images, texts = batch
    with pytest.raises(ValueError, match="choose from sigmoid, softmax"):
        contrastive_loss("triplet", images, texts, ONE, ZERO)
    with pytest.raises(ValueError, match="must come in pairs"):
        contrastive_loss("sigmoid", images, texts[:3], ONE, ZERO)
