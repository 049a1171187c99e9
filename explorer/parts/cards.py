"""What is loaded, as tables: the gallery, the model, the index."""

import pandas as pd

from sigscope import Gallery, Searcher

CARD, NONE = "README.md", "(none)"


def by_category(gallery: Gallery) -> pd.DataFrame:
    """Return how many pictures each category has, in all and in each split where there are any."""
    items = gallery.items[["category", "split"]].replace("", NONE)
    counts = pd.crosstab(items["category"], items["split"])
    counts.insert(0, "pictures", counts.sum(axis=1))
    if list(counts) == ["pictures", NONE]:
        counts = counts[["pictures"]]
    return counts.sort_values("pictures", ascending=False).reset_index()


def left_out(gallery: Gallery, failed: pd.DataFrame) -> pd.DataFrame:
    """Return what was not read or not embedded, and why: path, reason."""
    tables = [gallery.problems, failed[["path", "reason"]]]
    return pd.concat(tables, ignore_index=True).drop_duplicates()


def model_card(searcher: Searcher) -> pd.DataFrame:
    """Return what is known of the model."""
    encoder, manifest = searcher.encoder, searcher.embeddings.manifest
    rows = {
        "model": encoder.model,
        "what it is": encoder.describe(),
        "dimensions": encoder.dimension,
        "weights (SHA-256)": str(encoder.identity.get("weights", ""))[:16],
        **{f"{name} at embedding": text for name, text in manifest.get("versions", {}).items()},
    }
    return _listed(rows)


def readme(searcher: Searcher) -> str:
    """Return the card that lies beside the model's weights, without its front matter, or ""."""
    path = searcher.encoder.folder / CARD
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    return text.split("---", 2)[2] if text.startswith("---") else text


def index_card(searcher: Searcher) -> pd.DataFrame:
    """Return what is known of the index."""
    index = searcher.index
    rows = {
        "index": f"{searcher.index_name}: {index.spec.label}",
        "vectors": f"{len(index):,}",
        "bytes a vector": f"{index.bytes_per_vector:,.0f}",
        "bytes a vector to re-rank": f"{index.rerank_bytes_per_vector:,.0f}",
        "built in": f"{index.build_s:.2f} s",
        "knob": index.spec.knob or "none",
    }
    return _listed(rows)


def _listed(rows: dict) -> pd.DataFrame:
    return pd.DataFrame({"what": list(rows), "value": [str(value) for value in rows.values()]})
