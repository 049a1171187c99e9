"""A person's own folder: a second look at 50,000 files, and memory; ``make bench``.

The pictures are tiny and the encoder is a toy, so that what is measured is everything but the
model.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
from marks import Mark, timed
from PIL import Image

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import open_embeddings
from sigscope.embeddings.load import load_embeddings
from sigscope.gallery import inventory
from sigscope.gallery.listing import list_folder

FILES, QUICK, ROUNDS = 50_000, 5_000, 3
FEW, MANY = 2_000, 20_000  # items between which memory must not grow
IN_A_FOLDER, WITH_CAPTION = 1_000, 10  # pictures in a sub-folder; one in so many has a text file
REFRESH_S = 5.0
WHOLE, EMBEDDED = 3.0, 1.0  # kB an item: id, path, digest, captions; beyond that, of embedding


class TinyEncoder:
    """Knows a picture by one of its pixels."""

    model = "tiny"

    def __init__(self, dimension: int = 768) -> None:
        self.dimension = dimension
        self.identity = {"model": "tiny", "dimension": dimension}

    def preprocess(self, pictures):
        return np.array([picture.getpixel((0, 0)) for picture in pictures], np.float32)

    def encode_batch(self, batch):
        return self._unit(batch.sum(axis=1))

    def encode_texts(self, texts):
        return self._unit(np.array([len(text) for text in texts]))

    def _unit(self, values):
        rows = np.ones((len(values), self.dimension), np.float32)
        rows[:, 0] += values
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_folder(root: Path, n: int) -> None:
    """Write n pictures of a few hundred bytes, no two the same, long ago."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "navy").save(buffer, "JPEG")
    for number in range(n):
        folder = root / f"{number // IN_A_FOLDER:03}"
        if number % IN_A_FOLDER == 0:
            folder.mkdir(parents=True)
        file = folder / f"IMG_{number:06}.jpg"
        file.write_bytes(buffer.getvalue() + b"%d" % number)
        os.utime(file, (10**9 + number, 10**9 + number))
        if number % WITH_CAPTION == 0:
            file.with_suffix(".txt").write_text(f"the picture with the number {number}")


def refresh(n: int) -> list[Mark]:
    """Time a second look at n files of which none has changed, and what it is made of."""
    with tempfile.TemporaryDirectory() as home:
        paths.CACHE = Path(home, "cache")
        root, encoder = Path(home, "photos"), TinyEncoder()
        write_folder(root, n)
        first = timed(lambda: load_gallery(root))
        made = timed(lambda: open_embeddings(load_gallery(root), encoder))
        rounds = [phases(root, encoder) for _ in range(ROUNDS)]
    middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    rows = [Mark(f"listing {n:,} files for the first time", first, "s")]
    rows.append(Mark("  embedding them with a toy", made, "s"))
    rows.append(Mark("a second look, nothing changed", middle.pop("all"), "s", REFRESH_S))
    return rows + [Mark(f"  {name}", seconds, "s") for name, seconds in middle.items()]


def phases(root: Path, encoder: TinyEncoder) -> dict[str, float]:
    """Return the seconds of a second look, all of it, and then step by step."""
    found = {"all": timed(lambda: open_embeddings(load_gallery(root), encoder))}
    start = perf_counter()
    listing = list_folder(root)
    found["names"] = perf_counter() - start
    found["inventory"] = timed(lambda: inventory.take(root, listing, embedded=True))
    found["names, inventory and table"] = timed(lambda: load_gallery(root))
    gallery = load_gallery(root)
    found["fingerprint"] = timed(lambda: gallery.fingerprint)
    store = open_embeddings(gallery, encoder).folder
    found["opening the vectors"] = timed(lambda: load_embeddings(store, gallery=gallery))
    return found


def memory() -> list[Mark]:
    """Compare the peak of memory while listing and embedding few and many items."""
    peaks = {}
    for n in (FEW, MANY):
        command = [sys.executable, __file__, str(n)]
        peaks[n] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    few, many = peaks[FEW], peaks[MANY]
    grown = {name: (many[name] - few[name]) / (MANY - FEW) / 1e3 for name in few}
    further = max(0.0, grown["embedding"] - grown["listing"])
    return [
        Mark(f"peak of memory, {MANY:,} items embedded", many["embedding"] / 1e6, "MB"),
        Mark("  growth while listing", grown["listing"], "kB an item", WHOLE),
        Mark(
            "  growth until all is embedded, beside vectors",
            grown["embedding"],
            "kB an item",
            WHOLE,
        ),
        Mark("  of which while embedding", further, "kB an item", EMBEDDED),
    ]


def peak(n: int) -> dict[str, int]:
    """Return the peak bytes of this process, without the vectors, after each step over n items."""
    with tempfile.TemporaryDirectory() as home:
        paths.CACHE = Path(home, "cache")
        root, encoder = Path(home, "photos"), TinyEncoder(256)
        write_folder(root, n)
        open_embeddings(load_gallery(root / "000"), encoder)  # whatever is loaded once
        found = {"start": peak_bytes()}
        gallery = load_gallery(root)
        found["listing"] = peak_bytes()
        made = open_embeddings(gallery, encoder)
        found["embedding"] = peak_bytes() - made.images.nbytes - made.captions.nbytes
    return found


def peak_bytes() -> int:
    """Return the most memory this process has had; on Linux getrusage counts its parent too."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on a Mac


def marks(quick: bool = False) -> list[Mark]:
    """Return what was measured in folders made for it."""
    kept = paths.CACHE
    try:
        return refresh(QUICK if quick else FILES) + ([] if quick else memory())
    finally:
        paths.CACHE = kept


if __name__ == "__main__":  # a process of its own, whose peak of memory is asked for
    print(json.dumps(peak(int(sys.argv[1]))))
