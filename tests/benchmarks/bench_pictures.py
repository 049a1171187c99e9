"""How fast files become tensors, against bare Pillow in as many threads; part of ``make bench``.

Photographs of 2 to 12 megapixels are drawn on the spot, and small pictures of the gallery are taken
as they are. Both ways are measured in turns on the same files, which the system has in memory.
"""

import os
import shutil
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from marks import Mark
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.decode import Item, decode
from sigscope.images.captions import embedded_captions
from sigscope.images.prefetch import prefetch
from sigscope.models import shortcuts, towers

BATCH, ROUNDS = 8, 3
SIZES = ((1632, 1224), (2048, 1536), (2592, 1944), (3264, 2448), (4000, 3000))  # 2 to 12 Mpx
PHOTOGRAPHS, DIFFERENT = 300, 30
SMALL: int | None = None  # how many of the gallery's pictures; None means all
THREADS = os.cpu_count() or 1


class Eyes:
    """The shipped model's preprocessing."""

    def __init__(self):
        self.processor = towers.load_processor(paths.MINI, towers.load_config(paths.MINI))
        self.preprocess = shortcuts.prepare_with(self.processor)
        self.side = self.processor.size["height"]


def draw_photographs(folder: Path) -> None:
    """Write JPEGs of soft shapes and fine grain; those after the first few differ at their end."""
    for number in range(DIFFERENT):
        rng = np.random.default_rng(number)
        size = SIZES[number % len(SIZES)]
        shapes, grain = (
            Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).resize(size, 3)
            for side in (40, 1200)
        )
        Image.blend(shapes, grain, 0.2).save(folder / f"{number:03}.jpg", quality=88)
    for number in range(DIFFERENT, PHOTOGRAPHS):
        content = (folder / f"{number % DIFFERENT:03}.jpg").read_bytes()
        (folder / f"{number:03}.jpg").write_bytes(content + str(number).encode())


def take_small_pictures(folder: Path) -> None:
    for number, file in enumerate(sorted((paths.GALLERY / "images").rglob("*.webp"))[:SMALL]):
        shutil.copyfile(file, folder / f"{number:05}.webp")


def ours(folder: Path, eyes: Eyes) -> float:
    """Return the seconds from a folder to its tensors."""
    start = perf_counter()
    gallery = load_gallery(folder)
    items = [
        Item(row, path, path, folder / path, (), "")
        for row, path in enumerate(gallery.items["path"])
    ]
    batches = [items[at : at + BATCH] for at in range(0, len(items), BATCH)]
    work = partial(decode, encoder=eyes, side=eyes.side)
    done = sum(len(part) for batch in prefetch(work, batches, THREADS) for part, _ in batch.parts)
    assert done == len(items) == len(os.listdir(folder))
    return perf_counter() - start


def looks(folder: Path, eyes: Eyes) -> tuple[float, float]:
    """Return the seconds at the first look, which takes digests and captions too, and the next."""
    with tempfile.TemporaryDirectory() as cache:
        kept, paths.CACHE = paths.CACHE, Path(cache)
        try:
            return ours(folder, eyes), ours(folder, eyes)
        finally:
            paths.CACHE = kept


def bare(folder: Path, eyes: Eyes) -> float:
    """Return the seconds that Pillow needs for the same files in the same number of threads."""
    import torch

    side = eyes.side

    def tensor(file: Path) -> torch.Tensor:
        with Image.open(file) as picture:
            picture.draft("RGB", (2 * side, 2 * side))
            small = picture.convert("RGB").resize((side, side), eyes.processor.resample)
            return torch.from_numpy(np.array(small)).to(torch.float32)

    start = perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(tensor, sorted(folder.iterdir())):
            pass
    return perf_counter() - start


def compare(what: str, folder: Path, eyes: Eyes) -> list[Mark]:
    """Measure both ways in turns, after a warm-up."""
    n = len(os.listdir(folder))
    first, second, theirs = [], [], []
    for turn in range(ROUNDS + 1):
        seconds = bare(folder, eyes)
        taken = looks(folder, eyes)
        if turn:
            theirs.append(seconds)
            first.append(taken[0])
            second.append(taken[1])
    ratio, again = (
        statistics.median(b / a for a, b in zip(taken, theirs, strict=True))
        for taken in (first, second)
    )
    return [
        Mark(f"{what}, bare Pillow, {THREADS} threads", n / statistics.median(theirs), "/s"),
        Mark(f"{what}, from files to tensors", n / statistics.median(second), "/s"),
        Mark("  ratio of the two", again, "x", 0.9, at_least=True),
        Mark("  ratio at the first look (digests, captions inside)", ratio, "x"),
    ]


def captions_inside(folder: Path) -> Mark:
    """Time the reading of embedded captions, one file after the other."""
    files = sorted(folder.iterdir())
    taken = []
    for _ in range(ROUNDS):
        start = perf_counter()
        for file in files:
            embedded_captions(file)
        taken.append(1000 * (perf_counter() - start) / len(files))
    return Mark("captions inside a picture", min(taken), "ms a file", 0.3)


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured on photographs and on small pictures."""
    eyes = Eyes()
    found = []
    with tempfile.TemporaryDirectory() as place:
        kinds = {"photographs": draw_photographs, "small pictures": take_small_pictures}
        for what, fill in kinds.items():
            (folder := Path(place, what)).mkdir()
            fill(folder)
            found += compare(what, folder, eyes)
        found.append(captions_inside(Path(place, "photographs")))
    return found
