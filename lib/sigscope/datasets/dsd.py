"""DSD, the pictures of Diffusion Self-Distillation (Cai et al. 2025) with their descriptions.

It is shipped as parquet files that hold the pictures. They are written to the cache once, as they
are, because a gallery's pictures are files. R5 took the first 50,000 rows, and of the two pictures
of a row the one called ``conditioning``.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sigscope import paths
from sigscope.datasets.files import Tree
from sigscope.datasets.vector_tables import has_vectors, load_vectors
from sigscope.files import atomic_folder, digest
from sigscope.gallery.folder import GalleryError, Listing
from sigscope.gallery.gallery import Gallery
from sigscope.images.captions import tidy

R5_ROWS = 50_000
PICTURES = ("conditioning", "image", "target")  # columns, the first that is there
SIGNATURES = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"RIFF": ".webp", b"GIF8": ".gif"}
Problems = list[tuple[str, str]]


def load_dsd(path: str | Path, *, progress: bool = False) -> Gallery:
    """Return DSD from its parquet files, or from R5's table with the pictures that lie beside it.

    Ids are the numbers of the rows from 0, counted through the files in the order of their names.

    Args:
        path: the folder, or R5's table.
        progress: show a bar on stderr while pictures are written to the cache.

    Raises:
        GalleryError: There are no such files.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return load_vectors(path)
    tree = Tree(path, "dsd")
    shards = [tree.root / tree.all(name)[0] for name in sorted(tree.names()) if _is_shard(name)]
    shards = [(shard, column) for shard in shards if (column := _column(shard))]
    if shards:
        return _of_shards(tree, shards, progress)
    tables = [tree.root / tree.all(name)[0] for name in tree.names() if name.endswith(".csv")]
    if any(map(has_vectors, tables)):
        return load_vectors(path)
    raise tree.error(f"{tree.root} has no parquet files of DSD and no table of vectors.")


def _is_shard(name: str) -> bool:
    return name.endswith(".parquet")


def _column(shard: Path) -> str:
    """Return which column holds the pictures, or "" in a file of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(shard).names
    except (OSError, pa.ArrowException) as error:
        raise GalleryError(f"{shard} is not whole ({error}); download it again.") from error
    if "caption" not in names:
        return ""
    return next((column for column in PICTURES if column in names), "")


def _of_shards(tree: Tree, shards: list[tuple[Path, str]], progress: bool) -> Gallery:
    key = digest([[tree.shown(shard), shard.stat().st_size, column] for shard, column in shards])
    root = paths.CACHE / "datasets" / f"dsd-{key[:12]}"
    rows: list[dict[str, Any]] = []
    number = 0
    for shard, column in shards:
        if number >= R5_ROWS:
            break
        captions = _captions(shard)[: R5_ROWS - number]
        folder = f"{shard.stem}-{len(captions)}"
        if not (root / folder).is_dir():
            _extract(shard, column, len(captions), root / folder, progress)
        files = {Path(name).stem: name for name in os.listdir(root / folder)}
        for place, caption in enumerate(captions):
            if name := files.get(f"{place:06}"):
                captions_of = [caption] if caption else []
                row = {"id": str(number + place), "path": f"{folder}/{name}"}
                rows.append({**row, "captions": captions_of})
            else:
                tree.problems.append((tree.shown(shard), f"row {place} holds no picture"))
        number += len(captions)
    return Gallery.of("dsd", root, Listing(rows, tree.problems))


def _captions(shard: Path) -> list[str]:
    import pyarrow.parquet as pq

    return [tidy(text) for text in pq.read_table(shard, columns=["caption"])["caption"].to_pylist()]


def _extract(shard: Path, column: str, count: int, folder: Path, progress: bool) -> None:
    """Write the first pictures of a shard into a folder, which gets its name once it is whole."""
    with atomic_folder(folder) as part:
        bar = tqdm(_pictures(shard, column), desc=shard.name, total=count, disable=not progress)
        for place, data in islice(bar, count):
            if suffix := _suffix(data):
                (part / f"{place:06}{suffix}").write_bytes(data)


def _suffix(data: bytes) -> str:
    return next((SIGNATURES[head] for head in SIGNATURES if data.startswith(head)), "")


def _pictures(shard: Path, column: str) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes of its picture, b"" where there is none); a few are held at a time."""
    import pyarrow.parquet as pq

    place = 0
    with pq.ParquetFile(shard) as file:
        for batch in file.iter_batches(32, columns=[column]):
            for cell in batch.column(0).to_pylist():
                data = cell.get("bytes") if isinstance(cell, dict) else cell
                yield place, data if isinstance(data, bytes) else b""
                place += 1
