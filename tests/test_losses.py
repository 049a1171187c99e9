"""The two losses against hand-worked cases and a slow, obvious twin."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from sigscope.losses import distillation_loss, sigmoid_loss, softmax_loss

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


def test_distillation_loss_is_least_where_the_answers_are_the_teachers(batch):
    images, classes = batch
    logits = 5 * images @ classes.T
    p = logits.softmax(1)
    entropy = -(p * p.log()).sum(1).mean().item()
    assert distillation_loss(images, classes, 5 * ONE, logits).item() == pytest.approx(entropy)
    assert distillation_loss(images, classes.flip(0), 5 * ONE, logits).item() > entropy
