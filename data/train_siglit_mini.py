"""Make the shipped checkpoint: `python data/train_siglit_mini.py` (``pip install -e ".[train]"``).

Locked-image tuning (SigLiT) and distillation in four steps: (1) let the pretrained towers see
every picture, and read every text, once; (2) train teachers: heads on what several image towers
see, and on texts; (3) train one text head to give their vectors of texts; (4) train the student,
one image tower's upper blocks and its head, to give their vectors of pictures. All learn from the
train splits of the gallery and, where their folders are given, of Flickr8k and of textbook
photographs; see `heads` for what they are asked and `training_sources` for the splits. What step 1
leaves behind is kept under data/cache/training, so a stopped run goes on. data/write_model_card.py
writes the card.
"""

import argparse
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import torch
from heads import Learner, Recipe, Upper, evaluate, learn
from picture_features import CUT, Tower
from teacher import Ensemble, for_teacher
from text_features import TextHead
from towers import untrained
from training_set import TrainingSet, ValidationSet, gather
from training_sources import (
    Source,
    emoji_source,
    flickr_source,
    gallery_source,
    textbook_source,
)
from transformers import VisionTextDualEncoderModel

from sigscope.files import write_json
from sigscope.models import record_checksums
from sigscope.paths import CACHE, MINI

WORK = CACHE / "training"
TEACHER = Recipe(steps=360, picture_dropout=0.5)
TEACHERS = 5
READER = Recipe(steps=1200, batch=512, text=1e-3, weight_decay=0.01)
STUDENT = Recipe(
    steps=640,
    batch=128,
    rate=3e-4,
    text=3e-5,
    upper=4e-4,
    captions=4,
    contrast=0.2,
    answers=0.1,
    made_up=0.05,
    follow=10.0,
    average=0.99,
    seed=1,
)
NORMS = {
    "expansion.expand_conv": "expansion.expand_bn",
    "depthwise_conv.depthwise_conv": "depthwise_conv.depthwise_norm",
    "projection.project_conv": "projection.project_bn",
}
LOST = (
    "Without {lost} it learns from less: found photographs of everyday scenes are what is lost "
    "(hit rate@10 on Flickr8k's test pictures was .15 where the gallery was all)."
)


def sources(flickr8k: str | None, photos: str | None) -> list[Source]:
    """Return the gallery, and what else there is; say what is lost without it."""
    found = [gallery_source()]
    if flickr8k:
        found.insert(0, flickr_source(Path(flickr8k)))
    if photos:
        found.insert(-1, textbook_source(Path(photos)))
    emoji = emoji_source(WORK / "emoji")
    if emoji is None:
        print("Without npm it learns from no emoji: drawings of single things are what is lost.")
    else:
        found.append(emoji)
    missing = [name for name, given in (("FLICKR8K", flickr8k), ("PHOTOS", photos)) if not given]
    if missing:
        print(LOST.format(lost=" and ".join(missing)))
    return found


@torch.no_grad()
def put_back(student: Learner, model: VisionTextDualEncoderModel) -> None:
    """Write what the student learnt into the dual encoder, in place."""
    layer = model.text_model.encoder.layer[-1]
    for mine, theirs in (
        (student.text.intermediate, layer.intermediate),
        (student.text.output, layer.output),
        (student.text.pooler, model.text_model.pooler),
        (student.text.projection, model.text_projection),
    ):
        theirs.load_state_dict(mine.state_dict())
    model.visual_projection.weight.copy_(student.picture.projection())
    encoder = model.vision_model.encoder
    for mine, theirs in zip(student.upper.blocks, encoder.blocks[CUT:], strict=True):
        for name, norm in NORMS.items():
            parts = (mine.get_submodule(name), theirs.get_submodule(name))
            unfold(*parts, theirs.get_submodule(norm))
    unfold(student.upper.top, encoder.top_conv, encoder.top_bn)


def unfold(mine: torch.nn.Conv2d, theirs: torch.nn.Conv2d, norm: torch.nn.Module) -> None:
    """Write a convolution with bias as one without, followed by a norm that adds the bias."""
    theirs.weight.copy_(mine.weight)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(mine.bias)


def taught(
    model, train_set: TrainingSet, val_sets: list[ValidationSet]
) -> tuple[Ensemble, list[list[dict]]]:
    """Return teachers that differ in where they begin and in what they are fed, how they learnt."""
    teachers, curves = [], []
    for seed in range(TEACHERS):
        teachers.append(Learner(model, train_set, TEACHER, seed))
        recipe = replace(TEACHER, seed=seed)
        curves.append(learn(teachers[-1], train_set, recipe, val_sets, TEACHER.steps // 2, print))
    return Ensemble.of(teachers, train_set), curves


def student_of(text: TextHead, scales: torch.Tensor, model, train_set, tower: Tower) -> Learner:
    """Return a student that begins with a text head and with what is near its teachers' vectors."""
    student = Learner(model, train_set, STUDENT)
    student.text.load_state_dict(text.state_dict())
    student.scales.data.copy_(scales)
    student.picture.follow(train_set.pictures.features, train_set.taught)
    student.upper = Upper(tower)
    return student


def save(model, processor, folder: Path, record: dict) -> None:
    """Write the checkpoint in half precision, and the record of how it came about."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write_json(folder / "training.json", record)
    record_checksums(folder)


def main() -> None:
    """Run the three steps and save the checkpoint in data/models/siglit-mini."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flickr8k", default=os.environ.get("FLICKR8K"), help="its folder")
    parser.add_argument("--photos", default=os.environ.get("PHOTOS"), help="textbook photographs")
    parser.add_argument("--to", type=Path, default=MINI, help="where the checkpoint goes")
    given = parser.parse_args()
    torch.set_num_threads(2)
    model, processor = untrained()
    tower = Tower()
    learnt_from = sources(given.flickr8k, given.photos)
    train_set, val_sets = gather(learnt_from, tower, model, processor, WORK)
    as_teachers_see = for_teacher(learnt_from, train_set, val_sets, WORK)
    ensemble, curves = taught(model, *as_teachers_see)
    together = {one.name: evaluate(ensemble, one, train_set) for one in as_teachers_see[1]}
    text, cosine = ensemble.text_head(train_set, READER)
    train_set = replace(train_set, taught=ensemble.taught)
    student = student_of(text, ensemble.teachers[0].scales, model, train_set, tower)
    curve = learn(student, train_set, STUDENT, val_sets, STUDENT.steps // 4, print)
    steps = {
        "teachers": {"recipe": asdict(TEACHER), "curves": curves, "together": together},
        "text head": {"recipe": asdict(READER), "cosine": cosine},
        "student": {"recipe": asdict(STUDENT), "curve": curve},
    }
    put_back(student, model)
    learnt = {
        "pictures": {source.name: len(source.split("train")) for source in learnt_from},
        "captions": sum(len(rows) for rows in train_set.captions),
    }
    save(model, processor, given.to, {"learnt_from": learnt, "steps": steps})
    print(json.dumps(curve[-1]))


if __name__ == "__main__":
    main()
