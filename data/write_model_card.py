"""Measure `siglit-mini` and write its card: `python data/write_model_card.py`.

The scores are printed beside chance and beside the same two towers before training (their
projections random), on the same queries. Everything in the card that is a number comes from here
or from training.json.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from distilling import Recipe, Writer
from teachers import class_names, classifier, untrained
from train_siglit_mini import WORK
from training_pairs import LockedTower, plain_features

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import open_embeddings
from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.evaluate import evaluate, summary
from sigscope.files import atomic_write, read_json
from sigscope.gallery.gallery import Gallery
from sigscope.models.encoder import Encoder
from sigscope.paths import MINI

SENTENCE = "A (drawing|photograph) of .*: "  # how the gallery's second captions begin


@cache
def locked_features(gallery: Gallery) -> np.ndarray:
    """Return the locked tower's features of each item, float32, shape (n, 1280)."""
    return plain_features(LockedTower(*untrained()), gallery, WORK / "features")


def before_training(gallery: Gallery, trained: Embeddings) -> Embeddings:
    """Return the gallery's vectors by the two towers as they were put together."""
    model, processor = untrained()
    rows = gallery.items.reset_index().set_index("id").loc[trained.ids, "index"].to_numpy()
    features = torch.from_numpy(locked_features(gallery)[rows])
    write = Writer(model, processor.tokenizer, Recipe(text_lr=1.0), [])
    texts = trained.caption_texts.tolist()
    with torch.inference_mode():
        images = torch.nn.functional.normalize(model.visual_projection(features), dim=-1)
        captions = torch.cat([write(texts[i : i + 256]) for i in range(0, len(texts), 256)])
    return replace(trained, images=images.numpy(), captions=captions.numpy())


def score_table(gallery: Gallery, embeddings: Embeddings) -> pd.DataFrame:
    """Return hit rates of the trained and the untrained model on the test split, as text."""
    measures = [f"hit rate@{k}" for k in (1, 5, 10)]
    after, before = (
        summary(evaluate(gallery, one, "test", measures))
        for one in (embeddings, before_training(gallery, embeddings))
    )
    return pd.DataFrame(
        {
            "direction": after["direction"],
            "hit rate @": after["measure"].str.partition("@")[2].astype(int),
            "siglit-mini": after["value"].map("{:.3f}".format),
            "95 % interval": [
                f"{low:.3f}–{high:.3f}"
                for low, high in zip(after["low"], after["high"], strict=True)
            ],
            "before training": before["value"].map("{:.3f}".format),
            "chance": after["chance"].map("{:.3f}".format),
            "queries": after["queries"],
            "searched": after["searched"],
        }
    )


def photographs_of_classes(gallery: Gallery, split: tuple[str, ...]) -> pd.DataFrame:
    """Return the photographs whose caption is the name of an ImageNet class: id, class."""
    number = {name.casefold(): i for i, names in enumerate(class_names()) for name in names}
    items = gallery.items
    bare = items["caption"].str.casefold().str.replace(r"^(a|an|the) |\.$", "", regex=True)
    table = pd.DataFrame({"id": items["id"], "class": bare.map(number)})
    asked = (items["kind"] == "photo") & items["split"].isin(split)
    return table[asked & table["class"].notna()].astype({"class": int})


def zero_shot(gallery: Gallery, embeddings: Embeddings, encoder: Encoder) -> dict[str, float]:
    """Return top-1 and top-5 over the 1,000 class names on photographs not trained on."""
    asked = photographs_of_classes(gallery, ("val", "test"))
    row = {id: i for i, id in enumerate(embeddings.ids)}
    images = embeddings.images[[row[id] for id in asked["id"]]]
    names = encoder.encode_texts([f"a photo of a {names[0]}" for names in class_names()])
    order = np.argsort(-images @ names.T, axis=1)
    right = order == asked["class"].to_numpy()[:, None]
    rows = {id: i for i, id in enumerate(gallery.items["id"])}
    seen = locked_features(gallery)[[rows[id] for id in asked["id"]]]
    _, weights, bias = classifier()
    logits = seen @ weights.numpy().T + bias.numpy()
    return {
        "photographs": len(asked),
        "top1": float(right[:, 0].mean()),
        "top5": float(right[:, :5].any(1).mean()),
        "classifier_top1": float((logits.argmax(1) == asked["class"]).mean()),
    }


def by_kind_of_caption(gallery: Gallery, embeddings: Embeddings) -> pd.DataFrame:
    """Return text-to-image hit rate@10 on the test split, titles and sentences apart."""
    queries = evaluate(gallery, embeddings).queries.query("direction == 'text to image'")
    is_sentence = queries["caption"].str.match(SENTENCE)
    kind = is_sentence.map({True: "sentence with keywords", False: "title"})
    hits = (queries["rank"] <= 10).groupby(kind).agg(["mean", "size"])
    hits.index.name = "caption"
    return hits.rename(columns={"mean": "hit rate @ 10", "size": "queries"}).round(3).reset_index()


def steps_table(steps: list[dict]) -> pd.DataFrame:
    """Return one row per training step: what it was run with and what it reached."""
    return pd.DataFrame(
        {
            "step": step["step"],
            "loss": step["recipe"]["loss"],
            "epochs": step["recipe"]["epochs"],
            "batch": step["recipe"]["batch_size"],
            "seconds": round(sum(epoch["seconds"] for epoch in step["epochs"])),
            "val hit rate @ 10": f"{step['val_score']:.3f}",
        }
        for step in steps
    )


def outcome(steps: list[dict]) -> str:
    """Return what became of the last step, as a clause."""
    best = max(epoch["score"] for epoch in steps[-1]["epochs"])
    if best < steps[-1]["val_score"]:
        return f"here none was better ({best:.3f} at best), so the weights are those of step 3"
    return "here that was worth keeping"


def main(folder: Path = MINI) -> None:
    """Measure the checkpoint in folder and write its README.md there."""
    gallery, encoder = load_gallery(), Encoder.load(folder)
    embeddings = open_embeddings(gallery, encoder, progress=True)
    seen = zero_shot(gallery, embeddings, encoder)
    steps = read_json(folder / "training.json")
    card = (Path(__file__).with_name("model_card.md")).read_text(encoding="utf8")
    text = card.format(
        scores=score_table(gallery, embeddings).to_markdown(index=False, disable_numparse=True),
        outcome=outcome(steps),
        kinds=by_kind_of_caption(gallery, embeddings).to_markdown(index=False),
        steps=steps_table(steps).to_markdown(index=False),
        train_pictures=(gallery.items["split"] == "train").sum(),
        did_not_help=(Path(__file__).with_name("did_not_help.md")).read_text(encoding="utf8"),
        **seen,
    )
    with atomic_write(folder / "README.md") as part:
        part.write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    main()
