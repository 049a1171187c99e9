"""What executed notebooks show: their tables and figures, under the headings they stand under."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pandas as pd

from sigscope import paths
from sigscope.cli.notebooks import found
from sigscope.figures.stills import PLOTLY

SOLUTION = "## Exercise"  # what comes after is the reader's


@dataclass(frozen=True, eq=False)
class NotebookResult:
    """One table or figure.

    Attributes:
        heading: the heading it stands under.
        before: the text right before it, as Markdown.
        html: a table, as the notebook shows it, or "".
        figure: a Plotly figure as a dict, or None.
        png: the still of a figure or a sheet of pictures, or b"".
        alt: a sentence that says what is to be seen in a figure, or "".
    """

    heading: str
    before: str
    html: str = ""
    figure: dict | None = None
    png: bytes = b""
    alt: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """The table as rows of text, its header levels joined; empty for a figure."""
        return read_table(self.html)


@dataclass(frozen=True, eq=False)
class Notebook:
    """An executed notebook as a report: what it asks, what it shows, what was learned."""

    path: Path
    title: str
    promise: str
    learned: str
    results: list[NotebookResult] = field(default_factory=list)


def executed() -> list[Path]:
    """Return the notebooks in order, as they were last executed here or else as they came."""
    ran = paths.CACHE / "notebooks"
    return [ran / path.name if (ran / path.name).exists() else path for path in found()]


def read_notebook(path: Path) -> Notebook:
    """Return what an executed notebook shows."""
    cells = nbformat.read(path, as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    title, _, promise = texts[0].partition("\n")
    learned = next((text for text in texts if text.startswith("## What we learned")), "")
    learned = learned.partition("\n")[2].partition("\n\nWords are explained in")[0]
    return Notebook(
        path, title.lstrip("# "), promise.strip(), learned.strip(),
        list(_results(cells)),
    )  # fmt: skip


def _results(cells: list[nbformat.NotebookNode]) -> Iterator[NotebookResult]:
    heading = before = ""
    for cell in cells:
        if cell.cell_type == "markdown":
            if cell.source.startswith(SOLUTION):
                return
            heads = re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)
            heading = heads[-1] if heads else heading
            before = cell.source if not heads else cell.source.split(heads[-1], 1)[1].strip()
            continue
        for output in cell.get("outputs", []):
            data, about = output.get("data", {}), output.get("metadata", {})
            drawn = _bytes(data)
            alt = next((about[kind]["alt"] for kind in about if "alt" in about[kind]), "")
            if PLOTLY in data:
                figure = {name: data[PLOTLY][name] for name in ("data", "layout")}
                yield NotebookResult(heading, before, figure=figure, png=drawn, alt=alt)
            elif "<table" in data.get("text/html", ""):
                yield NotebookResult(heading, before, html=data["text/html"])
            elif drawn:
                yield NotebookResult(heading, before, png=drawn, alt=alt)


def _bytes(data: dict) -> bytes:
    kinds = [kind for kind in ("image/png", "image/jpeg", "image/webp") if kind in data]
    return base64.b64decode(data[kinds[0]]) if kinds else b""


def read_table(html: str) -> pd.DataFrame:
    """Return the first table in html as rows of text; cells over several rows are repeated.

    Header rows become one, their parts joined by " / ".
    """
    from bs4 import BeautifulSoup

    table = BeautifulSoup(html, "html.parser").find("table")
    if table is None:
        return pd.DataFrame()
    rows = table.find_all("tr")
    n_head = sum(1 for row in rows if row.find_parent("thead"))
    grid: list[dict[int, str]] = [{} for _ in rows]
    for number, row in enumerate(rows):
        column = 0
        for cell in row.find_all(["td", "th"]):
            while column in grid[number]:
                column += 1
            wide, high = int(cell.get("colspan", 1)), int(cell.get("rowspan", 1))
            text = cell.get_text(strip=True)
            for below in range(number, min(number + high, len(grid))):
                grid[below] |= dict.fromkeys(range(column, column + wide), text)
            column += wide
    width = max((max(row, default=-1) + 1 for row in grid), default=0)
    listed = [[row.get(column, "") for column in range(width)] for row in grid]
    heads, body = listed[:n_head], listed[n_head:]
    names = [" / ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*heads, strict=True)]
    return pd.DataFrame(body, columns=_distinct(names) if names else None)


def _distinct(names: list[str]) -> list[str]:
    """Return names with a number after each that was there before."""
    seen: dict[str, int] = {}
    found_names = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found_names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found_names
