"""Tables of vectors, such as R5's, as galleries whose pictures need not be there.

An item's id is the table's own, or where it has none the row's number from 0, as R5 calls its
pictures. A picture that is not there stays in the gallery, because its vector can be searched: its
caption and score are found, and only showing it fails, with the reason that there is no file.
One line of the problems says how many there are.
"""

from dataclasses import replace
from pathlib import Path, PurePosixPath

from sigscope.datasets.files import Tree
from sigscope.datasets.vector_folders import load_vector_folder
from sigscope.gallery.folder import GalleryError, Listing
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.tables import READERS
from sigscope.gallery.vectors import VectorRow, read_rows, usable_rows
from sigscope.progress import Progress


def load_vectors(path: str | Path, *, progress: Progress = False) -> Gallery:
    """Return the gallery of a table of vectors, or of the one table of them in a folder.

    A folder of clip-retrieval's is read by `vector_folders`: it may have millions of rows.

    Its ``vectors`` name the table, so that `embeddings.embed.open_embeddings` takes them from there
    and asks for no picture.

    A picture is looked for below the table's folder, by the path that its row gives, and failing
    that by its name; where no column gives one, as 0.jpg, 1.jpg … by the number of the row. The
    column ``url`` keeps addresses.

    Raises:
        GalleryError: There is no such table, or none of its rows can be used.
    """
    if (Path(path).expanduser() / "img_emb").is_dir():
        return load_vector_folder(Path(path).expanduser(), progress=progress)
    table, is_folder = _find_table(path), Path(path).expanduser().is_dir()
    tree = Tree(path if is_folder else table.parent, "vectors")
    tree.read.add(tree.shown(table))
    problems, rows, there = tree.problems, [], set()
    for row, id in usable_rows(table, problems):
        picture = _picture(tree, row)
        there |= {picture} - {""}
        item = {"id": id, "path": picture or f"{row.number}.jpg", "captions": _texts(row)}
        rows.append({**item, "url": row.url} if row.url else item)
    absent = len(rows) - sum(row["path"] in there for row in rows)
    if absent:
        reason = f"{absent:,} of its {len(rows):,} pictures are not there: found, but not shown"
        problems.append((table.name, reason))
    if not rows:
        raise tree.error(f"{table} has no row that can be used.")
    counts = tree.tell_others(there, problems) if is_folder else {}
    gallery = Gallery.of(table.stem, tree.root, Listing(rows, problems, counts))
    return replace(gallery, vectors=table)


def _find_table(path: str | Path) -> Path:
    """Return the table at path, or the only table of vectors in the folder at path.

    Raises:
        GalleryError: There is none, or there are several.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path
    tree = Tree(path, "vectors")
    names = [name for name in tree.names() if Path(name).suffix.lower() in READERS]
    tables = [tree.root / each for name in sorted(names) for each in tree.all(name)]
    found = [file for file in tables if has_vectors(file)]
    if len(found) == 1 or len(tables) == 1:
        return (found or tables)[0]
    if not found:
        raise tree.error(f"{tree.root} has no table of vectors.")
    listed = ", ".join(tree.shown(file) for file in found)
    raise GalleryError(f"{tree.root} has several tables of vectors; give one of {listed}.")


def has_vectors(file: Path) -> bool:
    """Return whether a file is a table with a column of vectors."""
    try:
        next(read_rows(file), None)
    except GalleryError:
        return False
    return True


def _texts(row: VectorRow) -> list[str]:
    return [row.description] if row.description else []


def _picture(tree: Tree, row: VectorRow) -> str:
    """Return the path of a row's picture below the root of tree, or ""."""
    if not row.picture:
        names = (f"{row.number}{suffix}" for suffix in (".jpg", ".png", ".jpeg", ".webp"))
        return next((path for name in names if (path := tree.picture(name))), "")
    path = PurePosixPath(row.picture.replace("\\", "/"))
    within = [each for each in tree.all(path.name) if f"/{path}".endswith(f"/{each}")]
    return within[-1] if within else tree.picture(path.name, path.parent.name)
