"""What is trained of `siglit-mini`: two heads, and the upper blocks of the image tower.

The loss is softmax over a batch with a learned temperature (CLIP: Radford et al. 2021), pictures
that show the same and equal texts masked. Beside it the ImageNet classifier teaches in two ways
(Hinton et al. 2015): what it says of a picture the names of its classes should say too, and a
made-up picture, the mean one moved along a class's row, should be answered by that class's name.
A student has teachers too, whose vectors of the pictures it should give.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from picture_features import CUT, Tower
from text_features import TextHead
from torch.nn.functional import cross_entropy, dropout, log_softmax, normalize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from towers import CEILING, DIMENSION, ONES, WIDTH
from training_set import TrainingSet, ValidationSet
from transformers import VisionTextDualEncoderModel

MOVED = 15.0  # how far a made-up picture lies from the mean one
NOISE = 0.3  # of a made-up picture, in standard deviations of each feature
RIDGE = 3000.0  # what holds the first weights of a student's head near 0
CROPS = (13, 15, 17, 17)  # sides of the crops of a map, of 17, that upper blocks learn from


@dataclass(frozen=True)
class Recipe:
    """What one step of training depends on, besides its training set.

    ``rate`` is that of the picture's head and the temperatures, ``text`` of the text's; ``upper``
    is that of the image tower's upper blocks: at 0 they are locked and only the heads learn, on
    cached features. ``captions`` of each picture are read at once. ``contrast`` weighs the softmax
    loss, ``answers`` and ``made_up`` the two losses of the classifier, of which ``named`` classes
    are asked about, ``follow`` the distance to the teachers' vectors. What is kept is a running
    average of the weights, each step counting ``1 - average``.
    """

    steps: int
    batch: int = 1024
    rate: float = 1.5e-3
    text: float = 1.5e-3
    upper: float = 0.0
    captions: int = 1
    named: int = 256
    contrast: float = 1.0
    answers: float = 0.3
    made_up: float = 0.3
    follow: float = 0.0
    average: float = 0.98
    weight_decay: float = 0.05
    picture_dropout: float = 0.3
    text_dropout: float = 0.1
    seed: int = 0


class PictureHead(torch.nn.Module):
    """Linear, on features brought to mean 0 and deviation 1."""

    def __init__(self, features: np.ndarray, hidden: float):
        """Measure features, float16, shape (n, width); ``hidden`` is the share of them dropped."""
        super().__init__()
        values = torch.from_numpy(features.astype(np.float32))
        self.register_buffer("mean", values.mean(0))
        self.register_buffer("deviation", values.std(0) + 1e-3)
        self.linear = torch.nn.Linear(values.shape[1], DIMENSION)
        self.hidden = hidden
        torch.nn.init.normal_(self.linear.weight, std=values.shape[1] ** -0.5)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, d), of features, float32, shape (n, width)."""
        values = dropout((features - self.mean) / self.deviation, self.hidden, self.training)
        return normalize(self.linear(values), dim=-1)

    @torch.no_grad()
    def follow(self, features: np.ndarray, vectors: torch.Tensor) -> None:
        """Begin with what gives the teachers' vectors best: ridge regression."""
        values = (torch.from_numpy(features.astype(np.float32)) - self.mean) / self.deviation
        mean = vectors.mean(0)
        held = values.T @ values + RIDGE * torch.eye(values.shape[1])
        self.linear.weight.copy_(torch.linalg.solve(held, values.T @ (vectors - mean)).T)
        self.linear.bias.copy_(mean)

    def projection(self) -> torch.Tensor:
        """Return the same as a matrix over the features and those that are 1, (d, 1288)."""
        weight = self.linear.weight / self.deviation
        bias = (self.linear.bias - weight @ self.mean)[:, None]
        return torch.cat([weight, bias / ONES * torch.ones(ONES)], dim=1)


class Upper(torch.nn.Module):
    """The upper blocks of an image tower, batch norms folded away."""

    def __init__(self, tower: Tower):
        """Copy them; the tower stays as it is."""
        super().__init__()
        encoder = tower.network.encoder
        self.blocks = copy.deepcopy(torch.nn.ModuleList(encoder.blocks[CUT:]))
        self.top = copy.deepcopy(encoder.top_conv)
        self.requires_grad_(True)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Return features, float32, shape (n, 1280), of maps below CUT, shape (n, c, h, w)."""
        for block in self.blocks:
            maps = block(maps.contiguous(memory_format=torch.channels_last))
        return self.top(maps)[:, :WIDTH].clamp(0, CEILING).mean((2, 3))


class Learner(torch.nn.Module):
    """Both heads, the upper blocks if they are trained, and three temperatures."""

    def __init__(
        self,
        model: VisionTextDualEncoderModel,
        train_set: TrainingSet,
        recipe: Recipe,
        seed: int = 0,
    ):
        """Start the heads anew."""
        super().__init__()
        torch.manual_seed(seed)
        self.text = TextHead(copy.deepcopy(model))
        self.picture = PictureHead(train_set.pictures.features, recipe.picture_dropout)
        self.scales = torch.nn.Parameter(torch.full((3,), math.log(20.0)))
        self.upper: Upper | None = None

    def scale(self, number: int) -> torch.Tensor:
        """Return a temperature's inverse, at most 100."""
        return self.scales[number].exp().clamp(max=100)


@torch.inference_mode()
def evaluate(learner: Learner, val_set: ValidationSet, train_set: TrainingSet) -> float:
    """Return the mean of hit rate@1, @5 and @10 of a set, texts to pictures and back."""
    learner.eval()
    pictures = learner.picture(
        features(learner, val_set.pictures, np.arange(len(val_set.pictures)))
    )
    seen = train_set.texts.seen[val_set.captions]
    texts = torch.cat([learner.text(part) for part in seen.split(1024)])
    scores = texts @ pictures.T
    owner = torch.from_numpy(val_set.owner)
    own = scores[torch.arange(len(scores)), owner]
    best = torch.full((len(pictures),), -torch.inf).scatter_reduce(0, owner, own, "amax")
    asked = best > -torch.inf
    ranks = (scores > own[:, None]).sum(1), (best[:, None] < scores.T).sum(1)[asked]
    return float(np.mean([(one < k).float().mean() for one in ranks for k in (1, 5, 10)]))


def features(learner: Learner, pictures, rows: np.ndarray) -> torch.Tensor:
    """Return what the image tower makes of pictures, float32, shape (n, width)."""
    if learner.upper is None:
        return torch.from_numpy(pictures.features[rows].astype(np.float32))
    parts = [
        learner.upper(pictures.map(part)) for part in np.array_split(rows, len(rows) // 64 + 1)
    ]
    return torch.cat(parts)


def view(maps: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return a random crop of maps: about what the maps of crops of the pictures are."""
    side = CROPS[rng.integers(len(CROPS))]
    top, left = rng.integers(maps.shape[2] - side + 1), rng.integers(maps.shape[3] - side + 1)
    return maps[:, :, top : top + side, left : left + side]


def learn(
    learner: Learner,
    train_set: TrainingSet,
    recipe: Recipe,
    val_sets: list[ValidationSet],
    every: int,
    tell: Callable[[dict], None],
) -> list[dict]:
    """Train the learner in place and return a record for each ``every`` steps.

    The running average of the weights is evaluated, which is what the learner has at the end.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    average = AveragedModel(learner, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
    optimiser, schedule = optimisation(learner, recipe)
    records, losses, start = [], [], time.perf_counter()
    for step in range(1, recipe.steps + 1):
        learner.train()
        if learner.upper is not None:
            learner.upper.eval()
        rows = rng.choice(len(train_set.group), recipe.batch, replace=False, p=train_set.chance)
        loss = batch_loss(learner, train_set, recipe, rows, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(learner)
        losses.append(loss.item())
        if step % every == 0 or step == recipe.steps:
            scores = {
                val_set.name: evaluate(average.module, val_set, train_set) for val_set in val_sets
            }
            seconds = time.perf_counter() - start
            records.append({"step": step, "loss": float(np.mean(losses)), "seconds": seconds})
            records[-1] |= {"val": scores, "scales": learner.scales.exp().tolist()}
            tell(records[-1])
            losses = []
    learner.load_state_dict(average.module.state_dict())
    return records


def optimisation(learner: Learner, recipe: Recipe) -> tuple:
    """Return optimiser and schedule: one cycle; the upper blocks at a rate of their own."""
    upper = list(learner.upper.parameters()) if learner.upper is not None else []
    groups = [
        {"params": list(part), "lr": rate, "weight_decay": decay}
        for part, rate, decay in (
            (learner.picture.parameters(), recipe.rate, recipe.weight_decay),
            (learner.text.parameters(), recipe.text, recipe.weight_decay),
            ([learner.scales], recipe.rate, 0.0),
            (upper, recipe.upper, 0.0),
        )
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimiser.param_groups]
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rates, total_steps=recipe.steps, pct_start=0.15
    )


def batch_loss(
    learner: Learner,
    train_set: TrainingSet,
    recipe: Recipe,
    rows: np.ndarray,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Return the loss on one batch of pictures, with its gradient."""
    if learner.upper is None:
        made = features(learner, train_set.pictures, rows)
    else:
        made = learner.upper(view(train_set.maps(rows, rng), rng))
    pictures = learner.picture(made)
    owner = np.repeat(np.arange(len(rows)), recipe.captions)
    chosen = np.array([rng.choice(train_set.captions[row]) for row in rows[owner]])
    texts = learner.text(dropout(train_set.texts.seen[chosen], recipe.text_dropout))
    same = train_set.texts.same[chosen]
    loss = recipe.contrast * contrast(
        learner.scale(0), pictures, texts, owner, train_set.group[rows], same
    )
    loss = loss + recipe.answers * answers_loss(learner, train_set, recipe, rows, pictures, rng)
    loss = loss + recipe.made_up * made_up_loss(learner, train_set, recipe, rng)
    if recipe.follow:
        loss = loss + recipe.follow * (1 - (pictures * train_set.taught[rows]).sum(1)).mean()
    return loss


def contrast(
    scale: torch.Tensor,
    pictures: torch.Tensor,
    texts: torch.Tensor,
    owner: np.ndarray,
    group: np.ndarray,
    same: np.ndarray,
) -> torch.Tensor:
    """Return the symmetric softmax loss.

    Args:
        scale: the temperature's inverse.
        pictures: unit vectors, shape (n, d).
        texts: unit vectors, shape (m, d).
        owner: each text's picture, shape (m,).
        group: of the pictures, shape (n,); those of one group are no wrong answers.
        same: shape (m,); equal texts have one number and are no wrong answers.
    """
    own = torch.from_numpy(owner)
    masked = torch.from_numpy(
        (group[owner][:, None] == group) & (owner[:, None] != np.arange(len(group)))
    )
    found = scale * texts @ pictures.T
    to_picture = cross_entropy(found.masked_fill(masked, -1e4), own)
    alike = (group[owner][:, None] == group[owner]) | (same[:, None] == same)
    alike &= ~np.eye(len(owner), dtype=bool)
    said = found.T[own]
    target = torch.arange(len(owner))
    return (to_picture + cross_entropy(said.masked_fill(torch.from_numpy(alike), -1e4), target)) / 2


def answers_loss(learner, train_set, recipe, rows, pictures, rng) -> torch.Tensor:
    """Return how far the answers by names are from the classifier's, on half of the batch."""
    half = len(rows) // 2
    answers = train_set.answers[rows[:half]]
    asked = answers.amax(0).topk(recipe.named).indices
    names = learner.text(dropout(train_set.names(rng)[asked], recipe.text_dropout))
    wanted = answers[:, asked] / answers[:, asked].sum(1, keepdim=True)
    said = log_softmax(learner.scale(1) * pictures[:half] @ names.T, dim=1)
    return -(wanted * said).sum(1).mean()


def made_up_loss(learner, train_set, recipe, rng) -> torch.Tensor:
    """Return how badly made-up pictures of classes are answered by the names."""
    asked = torch.from_numpy(rng.choice(len(train_set.weights), recipe.named, replace=False))
    row = train_set.weights[asked]
    head = learner.picture
    noise = NOISE * head.deviation * torch.randn(len(asked), len(head.mean))
    names = learner.text(dropout(train_set.names(rng)[asked], recipe.text_dropout))
    said = learner.scale(2) * head(head.mean + MOVED * row + noise) @ names.T
    return cross_entropy(said, torch.arange(len(asked)))
