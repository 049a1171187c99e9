"""The report: every notebook as a page of one static site, with a way from each to the next.

Nothing in it is fetched from elsewhere: figures move by the Plotly that lies beside the pages, a
search looks through a list of their sections; where scripts are off, stills stand in for figures.
"""

import json
import re
import shutil
import sys
from html import escape
from importlib.resources import files
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from tqdm import tqdm

from sigscope import paths
from sigscope.cli.api import write_api
from sigscope.cli.notebook_results import Notebook, executed, read_notebook
from sigscope.figures.stills import CONFIG, PLOTLY
from sigscope.files import atomic_write

SCRIPT, STYLES, SEARCH, DRAW = "plotly.min.js", "report.css", "search.js", "draw.js"
GLOSSARY = "glossary"
COLLAPSED = "hide-input"  # the tag of cells that hold only assertions of what the text says
LONG = 60  # letters, from which the text of a cell wants room
DRAWING = f'<script src="{SCRIPT}"></script><script src="{DRAW}"></script>'
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · sigscope</title>
<link rel="stylesheet" href="{styles}">
{script}
</head>
<body>
<nav aria-label="Notebooks"><p><a href="index.html">sigscope</a> ·
<a href="glossary.html">Glossary</a> · <a href="api/index.html">API</a></p>
<input id="search" type="search" placeholder="Search" aria-label="Search the report">
<ul id="found" aria-live="polite"></ul>
<details open><summary>Notebooks</summary><ol>{entries}</ol></details></nav>
<main>{body}
<footer>{ways}</footer></main>
<script src="search-index.js"></script><script src="search.js"></script>
</body>
</html>
"""


def write_site(folder: Path | None = None, *, progress: bool = False) -> Path:
    """Write every notebook, as last executed, and the API into folder; return its first page.

    Args:
        folder: where to; made if need be, and pages of an earlier report are replaced. None is
            the cache.
        progress: show a bar on stderr.
    """
    books = [read_notebook(path) for path in executed()]
    folder = folder or paths.CACHE / "report"
    folder.mkdir(parents=True, exist_ok=True)
    _copy_beside(folder)
    bodies: dict[str, str] = {}
    bar = tqdm(books, disable=not progress, file=sys.stderr, unit="notebook", desc="Report")
    for number, book in enumerate(bar):
        bodies[_page_name(book)] = body = _body(book)
        _write(folder / _page_name(book), book.title, body, books, number)
    write_api(folder / "api")
    bodies[f"{GLOSSARY}.html"] = body = _glossary()
    _write(folder / f"{GLOSSARY}.html", "Glossary", body, books, None)
    _write(folder / "index.html", "Report", _index(books), books, None)
    with atomic_write(folder / "search-index.js") as part:
        part.write_text(f"const SECTIONS = {json.dumps(_sections(bodies))};", encoding="utf-8")
    return folder / "index.html"


def _page_name(book: Notebook) -> str:
    """Return the file name of a notebook's page."""
    return f"{book.path.stem}.html"


def _write(path: Path, title: str, body: str, books: list[Notebook], number: int | None) -> None:
    entries = "".join(
        f'<li><a href="{_page_name(book)}"{_current(row == number)}>{escape(book.title)}</a></li>'
        for row, book in enumerate(books)
    )
    script = DRAWING if 'class="moving' in body else ""
    page = PAGE.format(
        title=escape(title), styles=STYLES, script=script, entries=entries, body=body,
        ways=_ways(books, number),
    )  # fmt: skip
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8")


def _current(is_here: bool) -> str:
    return ' aria-current="page"' if is_here else ""


def _ways(books: list[Notebook], number: int | None) -> str:
    """Return the links to the notebook before and after."""
    after = 0 if number is None else number + 1
    ways = []
    if number:
        book = books[number - 1]
        ways.append(f'<a href="{_page_name(book)}" rel="prev">← {escape(book.title)}</a>')
    if after < len(books):
        book = books[after]
        ways.append(f'<a href="{_page_name(book)}" rel="next">{escape(book.title)} →</a>')
    return "".join(ways)


def _body(book: Notebook) -> str:
    """Return a notebook as HTML: its figures moving, its links going to the other pages."""
    notebook = nbformat.read(book.path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        if COLLAPSED in cell.metadata.get("tags", []):
            _collapse(cell)
        for place, output in enumerate(cell.get("outputs", [])):
            if PLOTLY in output.get("data", {}):
                _make_moving(output, f"figure-{number}-{place}")
    html, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    html = re.sub(rf"<td>(?=[^<]{{{LONG}}})", '<td class="long">', html)
    return re.sub(r'href="(\d\d-[\w-]+)\.ipynb(#[^"]*)?"', r'href="\1.html\2"', html)


def _collapse(cell: nbformat.NotebookNode) -> None:
    """Make of a collapsed cell a text that opens on a click, with what it printed, if anything."""
    said = "".join(output.get("text", "") for output in cell.pop("outputs", []))
    hidden = f"<summary>Checked</summary>\n\n```python\n{cell.source}\n```\n\n"
    cell.source = f'<details class="checks">{hidden}</details>'
    cell.source += f"\n\n```\n{said}\n```" if said else ""
    cell.cell_type = "markdown"
    cell.metadata.clear()


def _make_moving(output: nbformat.NotebookNode, name: str) -> None:
    """Put a moving figure beside its still, which is for pages without scripts."""
    drawn = output.data.pop(PLOTLY)
    alt = escape(output.get("metadata", {}).get("image/png", {}).get("alt", ""), quote=True)
    still = output.data.pop("image/png", "")
    layout = drawn["layout"]
    height = layout.get("height", 380)
    is_wide = "xaxis2" in layout or len(layout.get("annotations", [])) > 1
    call = json.dumps([drawn["data"], layout, CONFIG]).replace("</", r"<\/")
    output.data["text/html"] = (
        f'<div class="moving{" wide" * is_wide}" id="{name}" role="img" aria-label="{alt}" '
        f'style="height:{height}px"></div><script>draw("{name}", ...{call})</script>'
        f'<noscript><img src="data:image/png;base64,{still}" alt="{alt}"></noscript>'
    )


def _index(books: list[Notebook]) -> str:
    """Return the first page: each notebook with its question and what was learned."""
    from nbconvert.filters.markdown import markdown2html

    parts = [
        "<h1>The notebooks</h1>",
        '<p>What a program may import, with its docstrings: <a href="api/index.html">API</a>.</p>',
    ]
    for book in books:
        learned = re.sub(r"\((\d\d-[\w-]+)\.ipynb\)", r"(\1.html)", book.learned)
        question = book.promise.split("\n\n")[0]
        parts += [
            f'<h2><a href="{_page_name(book)}">{escape(book.title)}</a></h2>',
            markdown2html(question),
            markdown2html(learned),
        ]
    return "\n".join(parts)


def _glossary() -> str:
    """Return the glossary as HTML, its links going to the other pages."""
    from nbconvert.filters.markdown import markdown2html

    text = (paths.NOTEBOOKS / f"{GLOSSARY}.md").read_text(encoding="utf-8")
    return markdown2html(text.replace(".ipynb)", ".html)"))


def _sections(bodies: dict[str, str]) -> list[list[str]]:
    """Return what a search looks through: page and anchor, title, heading, words of a section."""
    from bs4 import BeautifulSoup

    found = []
    for page, body in bodies.items():
        soup = BeautifulSoup(body, "html.parser")
        for part in soup.select("script, style, noscript, .highlight, .prompt, .checks"):
            part.decompose()
        heads = soup(["h1", "h2", "h3"])
        names = [head.get_text().rstrip("¶") for head in heads]
        for head in heads:
            head.replace_with("\0")
        texts = [" ".join(text.split()) for text in soup.get_text(" ").split("\0")[1:]]
        for head, name, text in zip(heads, names, texts, strict=True):
            found.append([f"{page}#{head.get('id', '')}", names[0], name, text])
    return found


def _copy_beside(folder: Path) -> None:
    """Put what the pages share beside them."""
    for name in (STYLES, SEARCH, DRAW):
        shutil.copyfile(Path(__file__).with_name(name), folder / name)
    with atomic_write(folder / SCRIPT) as part:
        part.write_bytes((files("plotly") / "package_data" / SCRIPT).read_bytes())
