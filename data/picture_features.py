"""What the image tower makes of pictures, cached: the mean of its last map, and a map below it.

The tower is cut in two. Below block `CUT` it stays as it is, and what it makes of each picture is
kept in half precision, so that the blocks above can be trained without running those below again.
Pictures and their mirror images are taken `CHUNK` at a time; a chunk's files are named by the
pictures' bytes, so a stopped run goes on, and a picture that changes is seen anew.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from towers import WIDTH, image_processor, image_tower
from tqdm import tqdm

from sigscope.images import open_picture
from sigscope.models import shortcuts

CHUNK = 256
BATCH = 2  # pictures at once: what a CPU core's caches hold
CUT = 15  # of 21 blocks of EfficientNet-Lite2
WORKERS = 2  # threads, each of which computes on one core


class Tower:
    """An EfficientNet-Lite, its batch norms folded away."""

    def __init__(self, number: int = 2, side: int | None = None):
        """Build the tower for pictures of ``side`` pixels; None means what it was trained at."""
        network = image_tower(number, side)
        self.number = number
        self.name = f"lite{number}-{network.config.image_size}"
        self.prepare = shortcuts.prepare_with(image_processor(network.config.image_size))
        self.network = shortcuts.folded(_Named(network), self.prepare(shortcuts.pictures())).tower

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        """Return features, float16, (n, 1280), and maps below CUT, float16, (n, c, h, w)."""
        pixels = self.prepare(pictures)["pixel_values"]
        encoder = self.network.encoder
        maps = self.network.embeddings(pixels.contiguous(memory_format=torch.channels_last))
        for number, block in enumerate(encoder.blocks):
            if number == CUT:
                kept = maps.to(torch.float16, copy=True).contiguous().numpy()
            maps = block(maps)
        top = encoder.top_activation(encoder.top_bn(encoder.top_conv(maps)))
        return top.mean((2, 3))[:, :WIDTH].half().numpy(), kept


class _Named(torch.nn.Module):
    """A tower under the name that `shortcuts.folded` calls."""

    def __init__(self, tower: torch.nn.Module):
        super().__init__()
        self.tower = tower

    def get_image_features(self, pixel_values: torch.Tensor):
        return self.tower(pixel_values=pixel_values)


class Features:
    """Cached features, float16, shape (n, 1280), and maps of pictures; maps stay on the disk."""

    def __init__(self, paths: Sequence[Path]):
        """Open the chunks."""
        self.features = np.concatenate([np.load(features_of(path)) for path in paths])
        self._paths = paths

    @cached_property
    def _places(self) -> list[tuple[np.ndarray, int]]:
        maps = [np.load(maps_of(path), mmap_mode="r") for path in self._paths]
        return [(chunk, row) for chunk in maps for row in range(len(chunk))]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.features)

    def map(self, rows: Sequence[int]) -> torch.Tensor:
        """Return the maps below CUT of some pictures, float32, shape (n, c, h, w)."""
        places = [self._places[row] for row in rows]
        return torch.from_numpy(np.stack([chunk[row] for chunk, row in places])).float()


def features_of(path: Path) -> Path:
    """Return where a chunk's features lie."""
    return path.with_suffix(".f.npy")


def maps_of(path: Path) -> Path:
    """Return where a chunk's maps lie."""
    return path.with_suffix(".m.npy")


def seen(
    tower: Tower,
    listed: Sequence[Sequence[str]],
    folder: Path,
    *,
    mirrored: bool = False,
    maps: bool = True,
) -> Features:
    """Return what a tower makes of lists of files, made in folder as far as it is not there.

    Args:
        tower: what looks at the pictures.
        listed: files, one list for each source.
        folder: where it is kept.
        mirrored: look at the mirror images.
        maps: keep the maps below CUT too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [chunk for files in listed for chunk in _chunks(files)]
    way = f"{tower.name}, {'mirrored' if mirrored else 'plain'}"
    paths = []
    with ThreadPoolExecutor(WORKERS, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for chunk in tqdm(chunks, desc=f"{way}, chunks of {CHUNK} pictures"):
            digests = "".join(pool.map(_digest, chunk))
            key = hashlib.sha256(f"{digests}{way}{CUT}".encode())
            path = folder / key.hexdigest()[:24]
            if not all(of(path).exists() for of in (features_of, maps_of)[: 1 + maps]):
                pairs = [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
                features, kept = zip(
                    *pool.map(lambda pair: tower(_opened(pair, mirrored)), pairs), strict=True
                )
                if maps:
                    _save(maps_of(path), kept)
                _save(features_of(path), features)
            paths.append(path)
    return Features(paths)


def _save(path: Path, parts: Sequence[np.ndarray]) -> None:
    part = path.with_suffix(".part.npy")
    np.save(part, np.concatenate(parts))
    part.rename(path)


def _chunks(files: Sequence[str]) -> Iterator[Sequence[str]]:
    return (files[i : i + CHUNK] for i in range(0, len(files), CHUNK))


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def _opened(files: Sequence[str], mirrored: bool) -> list[Image.Image]:
    pictures = (open_picture(Path(file)) for file in files)
    return [ImageOps.mirror(picture) if mirrored else picture for picture in pictures]
