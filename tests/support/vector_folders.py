"""Folders of vectors, as clip-retrieval writes them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from toy import ToyEncoder, unit


class Blind(ToyEncoder):
    """Every text has the same vector, of d dimensions, whatever it says."""

    def __init__(self, d: int):
        super().__init__()
        self.dimension = d

    def encode_texts(self, texts, batch_size=64):
        return np.tile(np.eye(1, self.dimension, dtype=np.float32), (len(texts), 1))


def write_vector_folder(
    folder: Path, table: pd.DataFrame, images: np.ndarray, texts: np.ndarray | None, shards: int = 3
) -> Path:
    """Write rows of metadata (image_path, caption, ...) and their vectors, float16, in shards."""
    for part in ("img_emb", "text_emb", "metadata"):
        if part != "text_emb" or texts is not None:
            (folder / part).mkdir(parents=True)
    for number, rows in enumerate(np.array_split(np.arange(len(table)), shards)):
        np.save(folder / f"img_emb/img_emb_{number}.npy", images[rows].astype(np.float16))
        if texts is not None:
            np.save(folder / f"text_emb/text_emb_{number}.npy", texts[rows].astype(np.float16))
        shard = table.iloc[rows].reset_index(drop=True)
        shard.to_parquet(folder / f"metadata/metadata_{number}.parquet")
    return folder


def of_gallery(gallery: Path, folder: Path) -> Path:
    """Write the vectors of a toy gallery (`toy.write_gallery`), each a little off: no two alike."""
    rng = np.random.default_rng(0)
    encoder = ToyEncoder()
    lines = (gallery / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    table = pd.DataFrame([json.loads(line) for line in lines])
    table = table.rename(columns={"file_name": "image_path", "text": "caption"})
    table = table.drop(columns="captions")
    images = encoder.encode_texts([path[:-4].replace("-", " ") for path in table["image_path"]])
    texts = encoder.encode_texts(table["caption"].tolist())
    off = 0.03 * rng.standard_normal((2, *images.shape))
    return write_vector_folder(folder, table, unit(images + off[0]), unit(texts + off[1]))


def random_folder(folder: Path, n: int, d: int, seed: int = 0) -> Path:
    """Write n rows of random vectors, d numbers each, of pictures and of texts."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2, n, d), np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    words = np.array(["red", "green", "blue", "old", "new", "dog", "cat", "house", "tree", "river"])
    said = [" ".join(words[some]) for some in rng.integers(0, len(words), (n, 3))]
    table = pd.DataFrame(
        {
            "image_path": [f"pictures/{row // 1000:04}/{row:07}.jpg" for row in range(n)],
            "caption": said,
            "category": words[rng.integers(5, 10, n)],
            "split": np.array(["train", "val", "test"])[np.arange(n) % 3],
        }
    )
    return write_vector_folder(folder, table, *rows)
