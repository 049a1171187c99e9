"""DSD, the pictures of Diffusion Self-Distillation (Cai et al. 2025) with their descriptions.

It is shipped as parquet files that hold the pictures (`datasets.parquet`). R5 took the first 50,000
rows, and of the two pictures of a row the one called ``conditioning``.
"""

from pathlib import Path

from sigscope.datasets.beside import with_beside
from sigscope.datasets.files import Tree
from sigscope.datasets.parquet import load_packed, picture_column
from sigscope.datasets.vector_tables import has_vectors, load_vectors
from sigscope.gallery.folder import Contents
from sigscope.gallery.gallery import Gallery

R5_ROWS = 50_000


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
    names = sorted(name for name in tree.names() if name.endswith(".parquet"))
    files = [tree.root / path for name in names for path in tree.all(name)]
    shards = [file for file in files if picture_column(file)]
    if shards:
        about = {"most": R5_ROWS, "progress": progress}
        gallery = load_packed("dsd", tree.root, shards, tree.problems, **about)
        return with_beside(gallery, Contents(tree.root), [tree.shown(shard) for shard in shards])
    tables = [tree.root / tree.all(name)[0] for name in tree.names() if name.endswith(".csv")]
    if any(map(has_vectors, tables)):
        return load_vectors(path)
    raise tree.error(f"{tree.root} has no parquet files of DSD and no table of vectors.")
