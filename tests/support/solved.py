"""Copies of the notebooks that end with the solutions of their exercises, for nbval to run.

`python tests/support/solved.py FOLDER` writes them.
"""

import re
import sys
from pathlib import Path

import nbformat

from sigscope.paths import NOTEBOOKS


def solution(book: nbformat.NotebookNode) -> str:
    """Return the code in the collapsed solutions of a notebook's exercises, one after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", book.cells[-2].source, re.DOTALL))


def main(folder: Path) -> None:
    """Write the copies into folder; what the solutions print is compared with nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.ipynb"):
        old.unlink()
    for path in NOTEBOOKS.glob("*.ipynb"):
        book = nbformat.read(path, as_version=4)
        tags = {"tags": ["nbval-ignore-output"]}
        book.cells.append(nbformat.v4.new_code_cell(solution(book), metadata=tags))
        nbformat.write(book, folder / path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
