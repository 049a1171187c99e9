"""Fine-tuning: any checkpoint that the encoder loads learns from a gallery's captions.

    tuned = fine_tune("siglit-mini", gallery, SIGLIT, "data/models/mine", progress=True)
    Encoder.load(tuned.folder)

Each tower is locked (its features are then computed once), trained, or given adapters; the loss is
SigLIP's or CLIP's. Every epoch is scored on the val split and the best is kept, be it the one
before training. A run that is killed is gone on with by the same call.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sigscope.duplicates.splits import check_splits
from sigscope.files import folder_lock, write_json
from sigscope.models import checkpoints
from sigscope.models.towers import PARTS
from sigscope.tuning import checkpoint
from sigscope.tuning.checkpoint import Tuned
from sigscope.tuning.recipes import Recipe

if TYPE_CHECKING:
    from sigscope.gallery.gallery import Gallery
    from sigscope.tuning.loop import TuningRun


def fine_tune(
    model: str | Path | None,
    gallery: Gallery,
    recipe: Recipe,
    into: str | Path,
    *,
    train: str = "train",
    val: str = "val",
    device: str = "auto",
    resume: bool = True,
    save_every_s: float = 300.0,
    progress: bool = False,
) -> Tuned:
    """Tune a checkpoint on a gallery and save it, with a record, in a folder.

    Pictures with an equal caption, and marked duplicates, are never taught as wrong. A batch above
    the recipe's ``micro_batch`` goes through the towers in parts and still counts as one.

    Args:
        model: a folder, a name on the hub, or None for the shipped model; anything that
            `Encoder.load` takes. It is left as it is.
        gallery: with captions and splits.
        recipe: how; ``PRESETS`` has a few.
        into: the folder to make. If it holds the same run, finished and whole, that is returned;
            if it holds its beginning, that is gone on with.
        train: the split to learn from.
        val: the split that says which epoch is best, by hit rate@10 from text to image.
        device: "auto", "cuda", "mps" or "cpu".
        resume: False throws an earlier run in the folder away.
        save_every_s: seconds within an epoch after which its state is written down.
        progress: show a bar with loss, score and time left on stderr.

    Returns:
        The folder and its record.

    Raises:
        ModelError: the model cannot be had, is broken, or cannot be tuned so; or the folder holds
            the same run, finished, and its files have changed since.
        ValueError: the folder holds another run, or a split has nothing to learn from.
        LeakError: a marked duplicate lies on the other side of a split.
        ArithmeticError: the loss is no number any more.
    """
    from sigscope.tuning.loop import TuningRun
    from sigscope.tuning.setup import Setup

    into = Path(into)
    source = checkpoints.locate(checkpoints.named(model), tuple(PARTS))
    if into.exists() and into.resolve() == source.resolve():
        raise ValueError(f"{into} holds the model that is to be tuned; give another folder")
    check_splits(gallery)
    asked = checkpoint.about(source, gallery, recipe, train, val)
    with folder_lock(into):
        if not resume:
            shutil.rmtree(into / checkpoint.RUN, ignore_errors=True)
            (into / checkpoint.RECORD).unlink(missing_ok=True)
        checkpoint.check_same(into, asked)
        with suppress(FileNotFoundError):  # not finished, or its weights are gone: then once more
            finished = Tuned.load(into)
            shutil.rmtree(into / checkpoint.RUN, ignore_errors=True)
            return finished
        (into / checkpoint.RECORD).unlink(missing_ok=True)
        setup = Setup.of(source, gallery, recipe, (train, val), device=device, progress=progress)
        write_json(into / checkpoint.RUN / checkpoint.RECORD, asked)
        run = TuningRun(setup, into / checkpoint.RUN, save_every_s)
        run.resume()
        run.go(progress)
        return _saved(run, into, source, asked)


def _saved(run: TuningRun, into: Path, source: Path, asked: dict) -> Tuned:
    """Write what a run that is over has made."""
    setup, network = run.setup, run.setup.towers.merged()
    if run.best_epoch:
        setup.temperature.write_into(network)
    data = {
        "train_pictures": len(setup.pairs),
        "train_fingerprint": setup.pairs.fingerprint,
        "val_captions": len(setup.validate.texts),
        "searched": len(setup.validate.rows),
        "unread": setup.unread,
    }
    record = {
        **asked,
        "data": {**asked["data"], **data},
        "device": setup.towers.device,
        "precision": setup.precision.name,
        "learning_weights": sum(weight.numel() for weight in setup.learning().values()),
        "epochs": run.curve,
        "best_epoch": run.best_epoch,
        "score": run.best_score,
        "score_before": run.curve[0]["score"],
        "stopped_early": run.stopped_early,
        "seconds": run.seconds,
        "peak_mb": checkpoint.peak_mb(),
        "versions": checkpoint.versions(),
    }
    return checkpoint.save(into, network, source, record)
