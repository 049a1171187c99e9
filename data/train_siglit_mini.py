"""Make the shipped checkpoint: `python data/train_siglit_mini.py` (``pip install -e ".[train]"``).

Locked-image tuning (SigLiT) in four steps: (1) put the two pretrained towers together; (2) teach
the text tower's pooler what the mean of its tokens says; (3) train both projections on cached
features, the text tower locked; (4) train the text tower too. It learns from the captions and
pictures of the gallery's train split, from what the ImageNet classifier says of these pictures and
of made-up features of its 1,000 classes, and, in step 2, from made-up phrases. What the steps leave
behind is kept under data/cache/training, so a stopped run goes on. The model card is written by
data/write_model_card.py.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from distilling import Recipe, Run, Writer, project, train
from pooler import teach_pooler
from safetensors.torch import load_file, save_file
from teachers import class_names, classifier, untrained
from tqdm import tqdm
from training_pairs import (
    VIEWS,
    LockedTower,
    class_teacher,
    features_of,
    gallery_pairs,
    plain_features,
)
from transformers import VisionTextDualEncoderModel, VisionTextDualEncoderProcessor

from sigscope.datasets.load import load_gallery
from sigscope.evaluation.metrics import hit_at_k
from sigscope.evaluation.rankings import rank_relevant
from sigscope.files import atomic_write, write_json
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.twins import right_pictures, twins
from sigscope.paths import CACHE, MINI

WORK = CACHE / "training"
HEADS = Recipe(
    text_lr=0,
    epochs=80,
    batch_size=1024,
    head_lr=3e-3,
    weight_decay=0.05,
    scale=15.0,
    distill=1.0,
)
TOWER = Recipe(
    text_lr=5e-5, epochs=8, batch_size=256, head_lr=3e-4, scale=30.0, distill=1.0, classes=128
)


def taught(model: VisionTextDualEncoderModel, processor: VisionTextDualEncoderProcessor) -> None:
    """Step 2, in place; a text tower taught by an earlier run is read back."""
    path = WORK / "taught.safetensors"
    if not path.exists():
        cosine = teach_pooler(model, processor.tokenizer, class_names())
        print(f"The pooler agrees with the mean of the tokens: cosine {cosine:.3f}.")
        text = {name: w for name, w in model.state_dict().items() if name.startswith("text_")}
        with atomic_write(path) as part:
            save_file(text, part)
    model.load_state_dict(load_file(path), strict=False)


def validation(
    model: VisionTextDualEncoderModel,
    processor: VisionTextDualEncoderProcessor,
    recipe: Recipe,
    gallery: Gallery,
    plain: np.ndarray,
) -> Callable[[], float]:
    """Return the score to select epochs by: hit rate@10 of val captions in the whole gallery."""
    ids = gallery.items["id"].to_numpy()
    asked = gallery.captions[gallery.captions["id"].isin(gallery.subset(split="val").items["id"])]
    texts, owners = asked["caption"].tolist(), asked["id"].to_numpy()
    right = right_pictures(texts, owners, ids, twins(gallery, ids))
    write = Writer(model, processor.tokenizer, recipe, texts)

    def score() -> float:
        with torch.inference_mode():
            images = project(model, plain, 0.0).numpy()
            vectors = [write(texts[i : i + 128]).numpy() for i in range(0, len(texts), 128)]
        return float(hit_at_k(rank_relevant(np.concatenate(vectors), images, right), 10).mean())

    return score


def show(bar: tqdm) -> Callable[[dict], None]:
    """Return what to call after each epoch: moves the bar on and shows loss and score."""

    def step(record: dict) -> None:
        bar.set_postfix(loss=f"{record['loss']:.3f}", val_hit_rate_at_10=f"{record['score']:.3f}")
        bar.update()

    return step


def save(
    model: VisionTextDualEncoderModel, processor, folder: Path, runs: dict[str, tuple[Recipe, Run]]
) -> None:
    """Write the checkpoint in half precision, and the record of how it came about."""
    folder.mkdir(parents=True, exist_ok=True)
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    steps = [
        {"step": name, "recipe": asdict(recipe), "epochs": run.epochs, "val_score": run.score}
        for name, (recipe, run) in runs.items()
    ]
    write_json(folder / "training.json", steps)


def main() -> None:
    """Run the four steps and save the checkpoint in data/models/siglit-mini."""
    start = time.perf_counter()
    gallery = load_gallery()
    model, processor = untrained()
    tower, folder = LockedTower(model, processor), WORK / "features"
    training = gallery.subset(split="train")
    views = features_of(tower, training, VIEWS, folder)
    plain = plain_features(tower, gallery, folder)
    taught(model, processor)
    pairs = gallery_pairs(training, views)
    weights, bias = classifier()[1:]
    teacher = class_teacher(class_names(), weights.numpy(), bias.numpy(), views)
    runs = {}
    for name, recipe in {"projections": HEADS, "text tower": TOWER}.items():
        score = validation(model, processor, recipe, gallery, plain)
        with tqdm(total=recipe.epochs, desc=name) as bar:
            run = train(
                *(model, processor.tokenizer, pairs, recipe, score),
                teacher=teacher,
                progress=show(bar),
            )
        runs[name] = (recipe, run)
    save(model, processor, MINI, runs)
    minutes = (time.perf_counter() - start) / 60
    print(json.dumps({name: run.score for name, (_, run) in runs.items()}), f"{minutes:.0f} min")


if __name__ == "__main__":
    main()
