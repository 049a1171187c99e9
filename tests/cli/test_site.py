import inspect
import json
import re
from importlib import import_module
from itertools import pairwise

import nbformat
import pytest
from browsing import NO_BROWSER, browser, sized, wait_for
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from sigscope import paths
from sigscope.cli import site
from sigscope.cli.api import faces, write_api
from sigscope.cli.notebook_results import executed, read_notebook, read_table
from sigscope.figures.stills import PLOTLY

TABLE = (
    "<table><thead><tr><th></th><th>hits</th></tr></thead>"
    "<tbody><tr><th>a</th><td>0.5</td></tr></tbody></table>"
)
PNG = "iVBORw0KGgo="
FITTED_S = 20  # Plotly draws, measures and draws again
BOXES = """const sides = element => {
  const box = element.getBoundingClientRect(); return [box.left, box.right] };
const all = selector => [...document.querySelectorAll(selector)].map(sides);
return {figures: all(".moving"), titles: all(".gtitle, .xtitle"), ticks: all(".xtick text")}"""


def fits(figures, titles, ticks):
    begin, end = figures[0]
    return (
        (len(titles), len(ticks)) == (2, 10)
        and all(begin <= left and right <= end for left, right in titles)
        and all(one[1] <= other[0] for one, other in pairwise(ticks))
    )


def output(data, **about):
    return new_output("execute_result", data=data, metadata=about, execution_count=1)


@pytest.fixture
def book(tmp_path):
    moving = {PLOTLY: {"data": [{"name": "</script>"}], "layout": {"height": 300}, "config": {}}}
    cells = [
        new_markdown_cell("# Asking\n\n**Question.** Why? See [two](02-two.ipynb#there)."),
        new_markdown_cell("## First\n\nLook at it."),
        new_code_cell("table", outputs=[output({"text/html": TABLE})]),
        new_code_cell("figure", outputs=[
            output({**moving, "image/png": PNG}, **{"image/png": {"alt": 'a "bar"'}})
        ]),
        new_code_cell("assert hits", metadata={"tags": ["hide-input"]}),
        new_markdown_cell("## Exercise\n\nTry."),
        new_code_cell("mine", outputs=[output({"text/html": TABLE})]),
        new_markdown_cell("## What we learned\n\n- That."),
    ]  # fmt: skip
    path = tmp_path / "01-asking.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.fixture
def pages(book, tmp_path, monkeypatch):
    other = book.with_name("02-two.ipynb")
    other.write_bytes(book.read_bytes())
    monkeypatch.setattr(site, "executed", lambda: [book, other])
    monkeypatch.setattr(site, "write_api", lambda folder: folder / "index.html")
    site.write_site(tmp_path / "site")
    return {path.name: path.read_text() for path in (tmp_path / "site").glob("*.html")}


def test_search_looks_through_each_section_and_knows_its_place(pages, tmp_path):
    text = (tmp_path / "site" / "search-index.js").read_text()
    sections = json.loads(text.removeprefix("const SECTIONS = ").removesuffix(";"))
    assert ["01-asking.html#First", "Asking", "First", "Look at it. hits a 0.5"] in sections
    assert any(address.startswith("glossary.html#") for address, *_ in sections)
    assert '<script src="search-index.js">' in pages["02-two.html"]


def test_assertions_of_a_collapsed_cell_open_on_a_click(pages):
    checks = pages["01-asking.html"].partition('<details class="checks">')[2]
    assert "<summary>Checked</summary>" in checks and "hits" in checks.partition("</details>")[0]


def test_notebook_is_read_with_its_promise_and_what_was_learned(book):
    read = read_notebook(book)
    assert (read.title, read.learned) == ("Asking", "- That.")
    assert read.promise.startswith("**Question.** Why?")


def test_results_stand_under_their_heading_and_end_at_the_exercise(book):
    results = read_notebook(book).results
    assert [(r.heading, r.before, bool(r.html), r.alt) for r in results] == [
        ("First", "Look at it.", True, ""),
        ("First", "Look at it.", False, 'a "bar"'),
    ]


def test_table_of_a_notebook_comes_back_cell_by_cell(book):
    table = read_notebook(book).results[0].table
    assert table.columns.tolist() == ["", "hits"] and table.to_numpy().tolist() == [["a", "0.5"]]


def test_table_repeats_cells_that_span_and_joins_its_heads():
    table = read_table(
        "<table><thead><tr><th rowspan=2>by</th><th colspan=2>split</th></tr>"
        "<tr><th>val</th><th>test</th></tr></thead><tbody><tr><th rowspan=2>a</th><td>1</td>"
        "<td>2</td></tr><tr><td>3</td><td>4</td></tr></tbody></table>"
    )
    assert table.columns.tolist() == ["by", "split / val", "split / test"]
    assert table.to_numpy().tolist() == [["a", "1", "2"], ["a", "3", "4"]]


def test_site_has_a_page_for_each_notebook_and_the_way_to_the_next(pages):
    assert set(pages) == {"index.html", "glossary.html", "01-asking.html", "02-two.html"}
    assert re.search(r'href="02-two.html" rel="next"', pages["01-asking.html"])
    assert re.search(r'href="01-asking.html" rel="prev"', pages["02-two.html"])


def test_links_between_notebooks_lead_to_pages(pages):
    assert 'href="02-two.html#there"' in pages["01-asking.html"]
    assert ".ipynb" not in pages["01-asking.html"]


def test_figure_moves_and_cannot_end_its_script(pages):
    page = pages["01-asking.html"]
    assert page.count('draw("figure') == 1 and "<noscript><img" in page
    assert r"<\/script>" in page and 'a "bar"' in page


def test_a_figure_of_several_panels_keeps_its_width_on_a_phone(book, tmp_path):
    notebook = nbformat.read(book, as_version=4)
    drawn = {"data": [], "layout": {"xaxis": {}, "xaxis2": {}}}
    notebook.cells[3].outputs.append(output({PLOTLY: drawn, "image/png": PNG}))
    nbformat.write(notebook, book)
    body = site._body(read_notebook(book))
    assert body.count('class="moving wide"') == 1 == body.count('class="moving"')


@pytest.mark.slow
@NO_BROWSER
def test_what_is_written_in_a_figure_fits_on_a_phone(book, tmp_path, monkeypatch):
    notebook = nbformat.read(book, as_version=4)
    title = {"text": "in how many of the lists of ten results a picture is seen by somebody"}
    names = [f"{ten} to {ten + 10}" for ten in range(0, 100, 10)]
    layout = {"title": title, "xaxis": {"title": title, "tickangle": 0, "automargin": True}}
    drawn = {"data": [{"type": "bar", "x": names, "y": list(range(10))}], "layout": layout}
    notebook.cells[3].outputs = [output({PLOTLY: drawn, "image/png": PNG})]
    nbformat.write(notebook, book)
    monkeypatch.setattr(site, "executed", lambda: [book])
    monkeypatch.setattr(site, "write_api", lambda folder: folder / "index.html")
    site.write_site(tmp_path / "site")
    with browser() as driver:
        sized(driver, 390, 844, phone=True)
        driver.get((tmp_path / "site" / "01-asking.html").as_uri())
        wait_for(driver, lambda: fits(**driver.execute_script(BOXES)), FITTED_S)


def test_pages_ask_nothing_of_the_world(pages):
    fetched = [re.findall(r'(?:src|href)="(https?:[^"]*)', page) for page in pages.values()]
    assert not any(fetched)


def test_every_page_leads_to_the_api(pages):
    assert all('href="api/index.html"' in page for page in pages.values())


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The pages of the API, by the name of the face."""
    folder = tmp_path_factory.mktemp("api")
    write_api(folder)
    pages = {path.relative_to(folder).with_suffix("").as_posix(): path.read_text()
             for path in folder.rglob("*.html")}  # fmt: skip
    return {name.replace("/", "."): page for name, page in pages.items()}


def test_api_has_a_page_for_every_face_with_every_name_on_it(reference):
    packages = {path.parent.name for path in (paths.ROOT / "lib/sigscope").glob("*/__init__.py")}
    assert set(faces()) == {"sigscope", *(f"sigscope.{name}" for name in packages)}
    assert set(reference) == {"index", *faces()} and "sigscope.html" in reference["index"]
    for name in faces()[1:]:
        assert f'href="{name.replace(".", "/")}.html"' in reference["sigscope"]
    for name in faces():
        public = import_module(name).__all__
        assert not [one for one in public if f'id="{one}"' not in reference[name]], name


def test_every_name_of_the_api_is_explained():
    for name in faces():
        face = import_module(name)
        for one in face.__all__:
            value = getattr(face, one)
            is_code = inspect.isroutine(value) or inspect.isclass(value)
            assert not is_code or (value.__doc__ or "").strip(), f"{name}.{one}"


def test_api_pages_load_nothing_from_the_world(reference):
    loaded = r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(https?:[^"]*)'
    assert not [re.findall(loaded, page) for page in reference.values() if re.search(loaded, page)]


def test_repository_has_notebooks_to_report():
    assert all(read_notebook(path).results and read_notebook(path).learned for path in executed())
