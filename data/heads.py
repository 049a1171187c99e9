"""What is trained of `siglit-mini`: two heads, and the upper blocks of the image tower.

The loss is softmax over a batch with a learned temperature (CLIP: Radford et al. 2021), pictures
that show the same and equal texts masked. Beside it the ImageNet classifier teaches in two ways
(Hinton et al. 2015): what it says of a picture the names of its classes should say too, and a
made-up picture, the mean one moved along a class's row, should be answered by that class's name.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from lessons import Exam, Lessons
from picture_features import CUT, Tower
from text_features import TextHead
from torch.nn.functional import cross_entropy, dropout, log_softmax, normalize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from towers import CEILING, DIMENSION, ONES, WIDTH
from transformers import VisionTextDualEncoderModel

MOVED = 15.0  # how far a made-up picture lies from the mean one
NOISE = 0.3  # of a made-up picture, in standard deviations of each feature
CROPS = (7, 8, 9, 9)  # sides of the crops of a map, of 9, that upper blocks learn from


@dataclass(frozen=True)
class Recipe:
    """What one step of training depends on, besides its lessons.

    ``upper`` is the rate of the image tower's upper blocks; at 0 they are locked and only the heads
    learn, on cached features. ``captions`` of each picture are read at once. ``queue`` earlier
    pictures are wrong answers too. ``named`` classes are asked about, ``answers`` and ``made_up``
    weigh the two lessons of the classifier, ``stay`` the distance of features to where they were.
    What is kept is a running average of the weights, each step counting ``1 - average``.
    """

    steps: int
    batch: int = 1024
    rate: float = 1.5e-3
    upper: float = 0.0
    captions: int = 1
    queue: int = 0
    named: int = 256
    answers: float = 0.3
    made_up: float = 0.3
    stay: float = 0.0
    average: float = 0.98
    weight_decay: float = 0.05
    picture_dropout: float = 0.3
    text_dropout: float = 0.1
    seed: int = 0


class PictureHead(torch.nn.Module):
    """Linear, on features brought to mean 0 and deviation 1."""

    def __init__(self, features: np.ndarray, hidden: float):
        """Measure features, float16, shape (n, 1280); ``hidden`` is the share of them dropped."""
        super().__init__()
        values = torch.from_numpy(features.astype(np.float32))
        self.register_buffer("mean", values.mean(0))
        self.register_buffer("deviation", values.std(0) + 1e-3)
        self.linear = torch.nn.Linear(WIDTH, DIMENSION)
        self.hidden = hidden
        torch.nn.init.normal_(self.linear.weight, std=WIDTH**-0.5)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return unit vectors, shape (n, d), of features, float32, shape (n, 1280)."""
        values = dropout((features - self.mean) / self.deviation, self.hidden, self.training)
        return normalize(self.linear(values), dim=-1)

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


class Student(torch.nn.Module):
    """Both heads, the upper blocks if they are trained, and three temperatures."""

    def __init__(
        self, model: VisionTextDualEncoderModel, lessons: Lessons, recipe: Recipe, seed: int = 0
    ):
        """Start the heads anew."""
        super().__init__()
        torch.manual_seed(seed)
        self.text = TextHead(copy.deepcopy(model))
        self.picture = PictureHead(lessons.pictures.features, recipe.picture_dropout)
        self.scales = torch.nn.Parameter(torch.full((3,), math.log(20.0)))
        self.upper: Upper | None = None

    def scale(self, number: int) -> torch.Tensor:
        """Return a temperature's inverse, at most 100."""
        return self.scales[number].exp().clamp(max=100)


@torch.inference_mode()
def sit(student: Student, exam: Exam, lessons: Lessons) -> float:
    """Return the mean of hit rate@1, @5 and @10 of the exam's captions among its pictures."""
    student.eval()
    pictures = student.picture(features(student, exam.pictures, np.arange(len(exam.pictures))))
    seen = lessons.texts.seen[exam.captions]
    texts = torch.cat([student.text(part) for part in seen.split(1024)])
    scores = texts @ pictures.T
    own = scores[torch.arange(len(scores)), torch.from_numpy(exam.owner)]
    ranks = 1 + (scores > own[:, None]).sum(1)
    return float(np.mean([(ranks <= k).float().mean() for k in (1, 5, 10)]))


def features(student: Student, pictures, rows: np.ndarray) -> torch.Tensor:
    """Return what the image tower makes of pictures, float32, shape (n, 1280)."""
    if student.upper is None:
        return torch.from_numpy(pictures.features[rows].astype(np.float32))
    parts = [
        student.upper(pictures.map(part)) for part in np.array_split(rows, len(rows) // 64 + 1)
    ]
    return torch.cat(parts)


def view(maps: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Return a random crop of maps, half of the time mirrored: about what a view's maps are."""
    side = CROPS[rng.integers(len(CROPS))]
    top, left = rng.integers(maps.shape[2] - side + 1), rng.integers(maps.shape[3] - side + 1)
    cut = maps[:, :, top : top + side, left : left + side]
    return cut.flip(3) if rng.integers(2) else cut


def learn(
    student: Student,
    lessons: Lessons,
    recipe: Recipe,
    exams: list[Exam],
    every: int,
    tell: Callable[[dict], None],
) -> list[dict]:
    """Train the student in place and return a record for each ``every`` steps.

    Exams are sat by the running average of the weights, which is what the student has at the end.
    """
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    average = AveragedModel(student, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))
    optimiser, schedule = optimisation(student, recipe)
    queue: list[tuple[torch.Tensor, np.ndarray]] = []
    records, losses, start = [], [], time.perf_counter()
    for step in range(1, recipe.steps + 1):
        student.train()
        if student.upper is not None:
            student.upper.eval()
        rows = rng.choice(len(lessons.group), recipe.batch, replace=False, p=lessons.chance)
        loss = batch_loss(student, lessons, recipe, rows, rng, queue)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(student)
        losses.append(loss.item())
        if step % every == 0 or step == recipe.steps:
            scores = {exam.name: sit(average.module, exam, lessons) for exam in exams}
            seconds = time.perf_counter() - start
            records.append({"step": step, "loss": float(np.mean(losses)), "seconds": seconds})
            records[-1] |= {"val": scores, "scales": student.scales.exp().tolist()}
            tell(records[-1])
            losses = []
    student.load_state_dict(average.module.state_dict())
    return records


def optimisation(student: Student, recipe: Recipe) -> tuple:
    """Return optimiser and schedule: one cycle; the upper blocks at a rate of their own."""
    upper = list(student.upper.parameters()) if student.upper is not None else []
    heads = [*student.text.parameters(), *student.picture.parameters()]
    groups = [
        {"params": heads, "lr": recipe.rate, "weight_decay": recipe.weight_decay},
        {"params": [student.scales], "lr": recipe.rate, "weight_decay": 0.0},
        {"params": upper, "lr": recipe.upper, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], betas=(0.9, 0.98))
    rates = [group["lr"] for group in optimiser.param_groups]
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rates, total_steps=recipe.steps, pct_start=0.15
    )


def batch_loss(
    student: Student,
    lessons: Lessons,
    recipe: Recipe,
    rows: np.ndarray,
    rng: np.random.Generator,
    queue: list[tuple[torch.Tensor, np.ndarray]],
) -> torch.Tensor:
    """Return the loss on one batch of pictures, with its gradient; the queue moves on."""
    if student.upper is None:
        made = features(student, lessons.pictures, rows)
    else:
        made = student.upper(view(lessons.pictures.map(rows), rng))
    pictures = student.picture(made)
    owner = np.repeat(np.arange(len(rows)), recipe.captions)
    chosen = np.array([rng.choice(lessons.captions[row]) for row in rows[owner]])
    texts = student.text(dropout(lessons.texts.seen[chosen], recipe.text_dropout))
    earlier = torch.cat([pictures, *(vectors for vectors, _ in queue)])
    group = np.concatenate([lessons.group[rows], *(groups for _, groups in queue)])
    loss = contrast(
        student.scale(0), pictures, earlier, texts, owner, group, lessons.texts.same[chosen]
    )
    if recipe.queue:
        queue.insert(0, (pictures.detach(), lessons.group[rows]))
        del queue[recipe.queue // len(rows) :]
    loss = loss + recipe.answers * answers_loss(student, lessons, recipe, rows, pictures, rng)
    loss = loss + recipe.made_up * made_up_loss(student, lessons, recipe, rng)
    if recipe.stay:
        old = torch.from_numpy(lessons.pictures.features[rows].astype(np.float32))
        loss = loss + recipe.stay * (((made - old) / student.picture.deviation) ** 2).mean()
    return loss


def contrast(
    scale: torch.Tensor,
    pictures: torch.Tensor,
    earlier: torch.Tensor,
    texts: torch.Tensor,
    owner: np.ndarray,
    group: np.ndarray,
    same: np.ndarray,
) -> torch.Tensor:
    """Return the symmetric softmax loss.

    Args:
        scale: the temperature's inverse.
        pictures: unit vectors, shape (n, d).
        earlier: these and those that are wrong answers only, shape (n + q, d).
        texts: unit vectors, shape (m, d).
        owner: each text's picture, shape (m,).
        group: of all pictures, shape (n + q,); those of one group are no wrong answers.
        same: shape (m,); equal texts have one number and are no wrong answers.
    """
    own = torch.from_numpy(owner)
    masked = torch.from_numpy(
        (group[owner][:, None] == group) & (owner[:, None] != np.arange(len(group)))
    )
    found = scale * texts @ earlier.T
    to_picture = cross_entropy(found.masked_fill(masked, -1e4), own)
    alike = (group[owner][:, None] == group[owner]) | (same[:, None] == same)
    alike &= ~np.eye(len(owner), dtype=bool)
    said = (scale * pictures @ texts.T)[own]
    target = torch.arange(len(owner))
    return (to_picture + cross_entropy(said.masked_fill(torch.from_numpy(alike), -1e4), target)) / 2


def answers_loss(student, lessons, recipe, rows, pictures, rng) -> torch.Tensor:
    """Return how far the answers by names are from the classifier's, on half of the batch."""
    half = len(rows) // 2
    answers = lessons.answers(rows[:half])
    asked = answers.amax(0).topk(recipe.named).indices
    names = student.text(dropout(lessons.names(rng)[asked], recipe.text_dropout))
    wanted = answers[:, asked] / answers[:, asked].sum(1, keepdim=True)
    said = log_softmax(student.scale(1) * pictures[:half] @ names.T, dim=1)
    return -(wanted * said).sum(1).mean()


def made_up_loss(student, lessons, recipe, rng) -> torch.Tensor:
    """Return how badly made-up pictures of classes are answered by the names."""
    asked = torch.from_numpy(rng.choice(len(lessons.weights), recipe.named, replace=False))
    row = normalize(lessons.weights[asked], dim=1)
    head = student.picture
    noise = NOISE * head.deviation * torch.randn(len(asked), WIDTH)
    names = student.text(dropout(lessons.names(rng)[asked], recipe.text_dropout))
    said = student.scale(2) * head(head.mean + MOVED * row + noise) @ names.T
    return cross_entropy(said, torch.arange(len(asked)))
