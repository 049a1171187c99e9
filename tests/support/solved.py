"""Copies of the notebooks that end with the solutions of their exercises, for nbval to run.

`python tests/support/solved.py FOLDER` writes them, and a list of them, the longest first.
"""

import re
import sys
from pathlib import Path

import nbformat

from sigscope.paths import NOTEBOOKS

LONG = ("04", "05", "07", "10", "12")  # come first, so that no worker waits for one of them


def solution(book: nbformat.NotebookNode) -> str:
    """Return the code in the collapsed solutions of a notebook's exercises, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", book.cells[-2].source, re.DOTALL))


def main(folder: Path) -> None:
    """Write the copies into folder; what the solutions print is compared with nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.ipynb"):
        old.unlink()
    paths = sorted(NOTEBOOKS.glob("*.ipynb"), key=lambda path: (path.name[:2] not in LONG, path))
    for path in paths:
        book = nbformat.read(path, as_version=4)
        tags = {"tags": ["nbval-ignore-output"]}
        book.cells.append(nbformat.v4.new_code_cell(solution(book), metadata=tags))
        nbformat.write(book, folder / path.name)
    names = [str(folder / path.name) for path in paths]
    (folder / "longest-first.txt").write_text("\n".join(names), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
