"""Measure `siglit-mini` and write its card: `python data/write_model_card.py`.

Everything in the card that is a number of this build comes from here or from training.json; what
was tried on the way stands in model_card.md as it was measured.
"""

import os
import tempfile
from pathlib import Path

import pandas as pd
import torch
from benchmarks import by_kind_of_caption, galleries, retrieval, zero_shot
from towers import untrained

from sigscope.embeddings import open_embeddings
from sigscope.files import atomic_write, read_json
from sigscope.models import Encoder
from sigscope.paths import MINI
from sigscope.protocols import run_protocol

MARKS = {  # what this build should reach: text to image, then image to text, @1, @5, @10
    "Flickr8k": (0.27, 0.57, 0.70, 0.32, 0.62, 0.74),
    "textbook": (None, None, 0.75, None, None, None),
    "gallery": (None, None, 0.32, None, None, None),
}


def score_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores as text: a row for each benchmark, direction and measure."""
    rows = []
    for name, table in scores.groupby("benchmark", sort=False):
        marks = MARKS[name.split()[0]]
        for row, mark in zip(table.itertuples(), marks, strict=True):
            rows.append(
                {
                    "searched": name,
                    "direction": row.direction,
                    "measure": row.measure,
                    "siglit-mini": f"{row.value:.3f}",
                    "95 % interval": f"{row.low:.3f}–{row.high:.3f}",
                    "mark": ""
                    if mark is None
                    else f"{mark:.2f}{'' if row.value >= mark else ' missed'}",
                    "chance": f"{row.chance:.3f}",
                    "queries": row.queries,
                }
            )
    return pd.DataFrame(rows)


def steps_table(steps: dict) -> pd.DataFrame:
    """Return what each step of training was run with, and the hit rates it reached on val."""
    teachers, student = steps["teachers"], steps["student"]
    alone = pd.DataFrame([curve[-1]["val"] for curve in teachers["curves"]])
    seconds = sum(curve[-1]["seconds"] for curve in teachers["curves"])
    last = student["curve"][-1]
    rows = {
        f"{len(alone)} teachers, each": (teachers["recipe"], seconds / len(alone), alone.mean()),
        f"{len(alone)} teachers, together": (teachers["recipe"], seconds, teachers["together"]),
        "student": (student["recipe"], last["seconds"], last["val"]),
    }
    return pd.DataFrame(
        {
            "step": name,
            **{one: recipe[one] for one in ("steps", "batch")},
            "minutes": round(taken / 60, 1),
            **{f"val, {source}": f"{value:.3f}" for source, value in dict(val).items()},
        }
        for name, (recipe, taken, val) in rows.items()
    )


def untrained_row(flickr8k: str | None) -> str:
    """Return hit rate@10 of the two towers side by side, their projections random, as words."""
    if not flickr8k:
        return "not measured, without FLICKR8K"
    with tempfile.TemporaryDirectory() as folder:
        for part in untrained():
            part.save_pretrained(folder)
        name, gallery = next(galleries(flickr8k, None))
        table = retrieval(name, gallery, Encoder.load(folder, device="cpu", dtype="float32"))
    found = table[table["measure"] == "hit rate@10"].set_index("direction")["value"]
    return f"{found['text to image']:.3f} and {found['image to text']:.3f}"


def agreement(flickr8k: str | None, encoder: Encoder) -> str:
    """Return how far cosine and Flickr8k's judges agree, CLIP's figures beside it, as words."""
    if not flickr8k:
        return "not measured, without FLICKR8K"
    _, gallery = next(galleries(flickr8k, None))
    embeddings = open_embeddings(gallery, encoder)
    table = run_protocol("judged-captions", gallery, embeddings, encoder)
    beside = (
        table["report"]
        .map("CLIP {:.3f}".format)
        .where(table["report"].notna(), table["chance"].map("chance {:.3f}".format))
    )
    return "; ".join(
        f"{row.figure} {row.here:.3f} ({row.low:.3f}–{row.high:.3f}; {other})"
        for row, other in zip(table.itertuples(), beside, strict=True)
    )


def main(folder: Path = MINI) -> None:
    """Measure the checkpoint in folder; write README.md and benchmarks.csv there."""
    torch.set_num_threads(2)
    encoder = Encoder.load(folder, device="cpu", dtype="float32")
    found = galleries(os.environ.get("FLICKR8K"), os.environ.get("PHOTOS"))
    scores = pd.concat([retrieval(name, gallery, encoder) for name, gallery in found])
    with atomic_write(folder / "benchmarks.csv") as part:
        scores.round(4).to_csv(part, index=False)
    record = read_json(folder / "training.json")
    card = Path(__file__).with_name("model_card.md").read_text(encoding="utf8")
    text = card.format(
        scores=score_table(scores).to_markdown(index=False, disable_numparse=True),
        kinds=by_kind_of_caption(encoder).to_markdown(index=False),
        steps=steps_table(record["steps"]).to_markdown(index=False),
        reader=f"{record['steps']['text head']['recipe']['steps']:,}",
        cosine=f"{record['steps']['text head']['cosine']:.3f}",
        emoji=f"{record['learnt_from']['pictures'].get('emoji', 0):,}",
        untrained=untrained_row(os.environ.get("FLICKR8K")),
        people=agreement(os.environ.get("FLICKR8K"), encoder),
        pairs=f"{record['learnt_from']['captions']:,}",
        **zero_shot(encoder),
    )
    with atomic_write(folder / "README.md") as part:
        part.write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    main()
