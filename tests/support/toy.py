"""A gallery of one-coloured pictures, and an encoder that sees only colour."""

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "orange": (255, 128, 0),
    "white": (255, 255, 255),
}


class ToyEncoder:
    """Vectors are (red, green, blue, 0.1), so a colour's name and its picture have one vector."""

    model = "toy"
    dimension = 4

    def __init__(self, weights="toy weights", pause_s=0.0):
        self.identity = {"model": "toy", "weights": weights, "preprocessing": {}, "dimension": 4}
        self.pause_s = pause_s
        self.texts_encoded = []

    def preprocess(self, pictures):
        return np.stack([np.asarray(picture, np.float32).mean(axis=(0, 1)) for picture in pictures])

    def encode_batch(self, batch):
        time.sleep(self.pause_s)
        return unit(np.hstack([batch / 255, np.full((len(batch), 1), 0.1)]))

    def encode_pictures(self, pictures, batch_size=32):
        return self.encode_batch(self.preprocess(pictures))

    def encode_texts(self, texts, batch_size=64):
        self.texts_encoded += list(texts)
        return self.encode_batch(np.array([colour_in(text) for text in texts], np.float32))


def unit(x):
    x = np.asarray(x, np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def colour_in(text):
    """Return the mean of the colours named in text, black if there is none."""
    named = [COLOURS[word] for word in text.split() if word in COLOURS]
    return np.mean(named, axis=0) if named else (0, 0, 0)


def write_gallery(folder: Path, n: int = 8, size: int = 8) -> Path:
    """Write n pictures, item i in colour i, with a first and a second caption, and metadata."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(n):
        name = list(COLOURS)[i % len(COLOURS)]
        shade = 1 - 0.05 * (i // len(COLOURS) % 10)
        colour = tuple(int(shade * part) for part in COLOURS[name])
        Image.new("RGB", (size, size), colour).save(folder / f"{i:03}-{name}.png")
        rows.append(
            {
                "file_name": f"{i:03}-{name}.png",
                "text": f"a {name} square",
                "captions": [f"a {name} square", f"something {name} number {i}"],
                "category": "warm" if COLOURS[name][0] else "cold",
                "split": ("train", "val", "test")[i % 3],
            }
        )
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    return folder
