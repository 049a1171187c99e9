"""The house rules for notebooks, and that what is committed is what a run leaves behind."""

import ast
import base64
import json
import re
from io import BytesIO
from itertools import groupby

import nbformat
import pytest
from PIL import Image
from solved import solution

from sigscope.cli.notebook_needs import NEEDS
from sigscope.figures.stills import PLOTLY, SCALE, WIDTH
from sigscope.paths import NOTEBOOKS, ROOT

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
BOOKS = {path.name: nbformat.read(path, as_version=4) for path in PATHS}
MACHINE = r"(?<![\w.:/-])/(?:home|root|work|tmp|usr|var|opt|mnt|Users|private)/|\b[A-Z]:\\"


@pytest.fixture(params=BOOKS)
def name(request):
    return request.param


@pytest.fixture
def book(name):
    return BOOKS[name]


@pytest.fixture
def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.fixture
def open_code(code):
    """The cells whose code is shown; the others hold only what the text claims, asserted."""
    return [cell for cell in code if not is_collapsed(cell)]


@pytest.fixture
def outputs(code):
    return [output for cell in code for output in cell.outputs]


@pytest.fixture
def bundles(outputs):
    """What cells show, with its metadata: pairs of dicts by mime type."""
    return [(output.data, output.metadata) for output in outputs if "data" in output]


@pytest.fixture
def said(outputs, bundles):
    """All text in the outputs; pictures are left out."""
    shown = [v for data, _ in bundles for kind, v in data.items() if not kind.startswith("image/")]
    return "\n".join([o.get("text", "") for o in outputs] + [json.dumps(v) for v in shown])


def is_collapsed(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def defined(code):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    trees = [ast.parse(cell.source) for cell in code]
    return [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]


def is_import(node):
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_notebooks_are_numbered_from_one_without_a_gap():
    assert PATHS, "there are no notebooks"
    assert [path.name[:3] for path in PATHS] == [f"{n:02}-" for n in range(1, len(PATHS) + 1)]


def test_readme_lists_every_notebook_in_order():
    linked = re.findall(r"\(notebooks/(.+?\.ipynb)\)", (ROOT / "README.md").read_text("utf-8"))
    assert list(dict.fromkeys(linked)) == [path.name for path in PATHS]


def test_was_run_once_from_top_to_bottom(code):
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


def test_keeps_cells_short(code):
    """All but the first, which holds the imports: one name a line is what makes that long."""
    long = [cell.execution_count for cell in code[1:] if len(cell.source.splitlines()) > 20]
    assert not long, f"cells {long} run past 20 lines; move the machinery to lib"


def test_is_as_long_as_one_sitting(open_code):
    """An import counts as one line, over however many the formatter lays it out."""
    assert 15 <= len(open_code) <= 40
    imports = [n for cell in open_code for n in ast.walk(ast.parse(cell.source)) if is_import(n)]
    lines = sum(len(cell.source.splitlines()) for cell in open_code)
    assert lines - sum(node.end_lineno - node.lineno for node in imports) <= 300


def test_imports_from_few_packages_of_ours_and_from_their_faces_alone(code):
    nodes = [n for cell in code for n in ast.walk(ast.parse(cell.source)) if is_import(n)]
    ours = [n.module for n in nodes if (getattr(n, "module", "") or "").startswith("sigscope")]
    assert len(ours) <= 7, f"{len(ours)} lines that import from sigscope"
    beneath = [module for module in ours if module.count(".") > 1]
    assert not beneath, f"{beneath} lie beneath a face; import from the package"


def test_says_something_about_each_code_cell(book, open_code):
    shown = [cell for cell in book.cells if not is_collapsed(cell)]
    n_code = len(open_code)
    assert len(shown) - n_code >= n_code, "at least one text cell for each code cell"
    runs = [len(list(run)) for kind, run in groupby(c.cell_type for c in shown) if kind == "code"]
    assert max(runs) <= 2, "more than two code cells follow each other without a word"


def test_defines_at_most_three_functions(code):
    names = defined(code)
    assert len(names) <= 3, f"{names}: machinery belongs to lib"


def test_no_function_is_defined_in_two_notebooks():
    every = [
        n for b in BOOKS.values() for n in defined(c for c in b.cells if c.cell_type == "code")
    ]
    assert len(every) == len(set(every)), "a helper that two notebooks need belongs to lib"


def test_code_is_plain_python_that_imports_at_the_top(code):
    imports = ast.Import | ast.ImportFrom
    for cell in code[1:]:  # ast.parse refuses magics and shell lines
        assert not [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, imports)], (
            cell.source
        )
    assert "import" in code[0].source


def test_does_no_path_surgery(code):
    source = "\n".join(cell.source for cell in code)
    assert not re.search(r"sys\.path|os\.chdir|pip install|" + MACHINE, source)


def test_no_line_ends_in_a_semicolon(code):
    assert not re.search(r";\s*$", "\n".join(cell.source for cell in code), re.MULTILINE)


def test_first_cell_is_a_promise(book):
    assert book.cells[0].cell_type == "markdown"
    text = book.cells[0].source
    assert text.startswith("# ")
    assert all(word in text for word in ("**Question.**", "**You will**", "**Needs**"))


def test_second_cell_holds_the_imports_and_the_seed(book):
    assert book.cells[1].cell_type == "code"
    assert "SEED" in book.cells[1].source


def test_has_three_graded_exercises_with_collapsed_solutions_that_are_whole(book):
    first, *exercises = re.split(r"^### (.+)$", book.cells[-2].source, flags=re.MULTILINE)
    assert first.startswith("## Exercises") and exercises[::2] == ["Warm-up", "Core", "Stretch"]
    for text in exercises[1::2]:
        assert text.count("<details>") == text.count("</details>") == 1
        assert text.index("<summary>Solution</summary>") < text.index("```python")
    assert ast.parse(solution(book)).body


def test_ends_with_references_and_the_glossary(book):
    after = book.cells[-1].source.split("\nNext: ")[1]
    assert "(glossary.md)" in after
    assert len(re.findall(r"^- ", after.split("### References")[1], re.MULTILINE)) >= 3


def test_every_link_of_the_glossary_leads_to_a_notebook():
    linked = re.findall(r"\]\(([^)]+)", (NOTEBOOKS / "glossary.md").read_text("utf-8"))
    assert {*linked} == {path.name for path in PATHS}


def test_last_cell_says_what_we_learned_and_what_is_next(book):
    assert book.cells[-1].source.startswith("## What we learned\n")
    assert re.search(r"^- ", book.cells[-1].source, re.MULTILINE)
    assert "\nNext: " in book.cells[-1].source


def test_links_lead_somewhere(book):
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in linked if not (NOTEBOOKS / link).exists()] == []


def claims(cell):
    """Return its assertions: of anything, and (by `claim`) of the shipped gallery and model."""
    nodes = list(ast.walk(ast.parse(cell.source)))
    calls = [node for node in nodes if getattr(getattr(node, "func", None), "id", "") == "claim"]
    return calls + [node for node in nodes if isinstance(node, ast.Assert)]


def test_claims_are_asserted(code):
    assert sum(len(claims(cell)) for cell in code) >= 8


def test_at_most_eight_claims_stand_in_the_readers_way(open_code):
    assert sum(len(claims(cell)) for cell in open_code) <= 8, "put them into a collapsed cell"


def test_what_is_collapsed_is_so_everywhere_and_claims_something(code):
    for cell in filter(is_collapsed, code):  # Jupyter Book goes by the tag, JupyterLab by the other
        assert cell.metadata["jupyter"] == {"source_hidden": True}
        assert claims(cell) and not cell.outputs


def test_what_a_cell_needs_of_a_gallery_is_known(code):
    tags = {tag for cell in code for tag in cell.metadata.get("tags", [])}
    assert {tag for tag in tags if tag.startswith("needs")} <= set(NEEDS)


def tagged(code, tag):
    return [cell for cell in code if tag in cell.metadata.get("tags", [])]


def test_what_differs_from_run_to_run_is_tagged_and_claims_nothing(code):
    by_processor = tagged(code, "by-processor")
    by_run = [cell for cell in tagged(code, "nbval-ignore-output") if cell not in by_processor]
    assert not [cell.source for cell in by_run if claims(cell)]
    assert len(by_run) <= 4


def test_what_differs_from_processor_to_processor_is_asserted_instead(code):
    """The last digits after many sums: a cell says in assertions what it holds to."""
    by_processor = tagged(code, "by-processor")
    after = dict(zip(map(id, code), [*code[1:], None], strict=True))
    held = {id(cell) for cell in code if after[id(cell)] and is_collapsed(after[id(cell)])}
    silent = [cell for cell in by_processor if not claims(cell) and id(cell) not in held]
    assert not [cell.source for cell in silent]
    assert not [cell for cell in by_processor if cell not in tagged(code, "nbval-ignore-output")]


def test_has_no_errors_warnings_or_progress_bars(outputs, said):
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert not re.search(r"Warning|it/s\b|\r|%\|", said)


def test_outputs_name_no_place_on_somebodys_machine(said):
    assert not re.search(MACHINE + r"| at 0x[0-9a-f]+", said)


def test_numbers_are_rounded(said):
    long = re.findall(r"(?<![\w.])-?\d+\.\d{6,}", re.sub(r'"application.*', "", said))
    assert not long, f"{long[:3]}: round to the digits the sentence needs"


def test_every_picture_has_words_for_those_who_cannot_see_it(bundles):
    pictures = [
        (kind, meta) for data, meta in bundles for kind in data if kind.startswith("image/")
    ]
    assert pictures
    assert all(len(metadata[kind]["alt"]) > 10 for kind, metadata in pictures)


def test_every_figure_has_a_still_and_stays_at_home(bundles):
    figures = [data for data, _ in bundles if PLOTLY in data]
    assert figures
    for data in figures:
        still = Image.open(BytesIO(base64.b64decode(data["image/png"])))
        assert still.width == SCALE * WIDTH, "made without a browser; see sigscope.figures.stills"
        assert data[PLOTLY]["config"]["showSendToCloud"] is False


def test_is_small_enough_to_be_shown_on_a_web_page(name):
    assert (NOTEBOOKS / name).stat().st_size < 1_500_000


def test_metadata_says_no_more_than_how_to_run_it(book, code):
    assert book.metadata.kernelspec.name == "python3"
    assert set(book.metadata) <= {"kernelspec", "language_info"}
    collapsed = {"tags", "jupyter"}
    assert all(set(c.metadata) <= (collapsed if is_collapsed(c) else {"tags"}) for c in code)


NAMES = (
    r"\b(?:R[1-5]\b|L2\b|utf-8|[\w ]+@\d+|[A-Za-z]\w*\d\w*(?:\.txt)?)|95 % interval"  # R1, IVF64
)


def printed(cell):
    """Return what is written word for word in calls that print or show: no value, no format."""
    for call in ast.walk(ast.parse(cell.source)):
        name = getattr(getattr(call, "func", None), "id", "")
        if isinstance(call, ast.Call) and name in ("print", "show", "display", "Markdown"):
            nodes = [node for argument in call.args for node in ast.walk(argument)]
            shapes = [getattr(node, "format_spec", None) for node in nodes]
            shapes += [node.slice for node in nodes if isinstance(node, ast.Subscript)]
            left_out = {id(node) for shape in filter(None, shapes) for node in ast.walk(shape)}
            words = [n for n in nodes if isinstance(n, ast.Constant) and id(n) not in left_out]
            yield from (node.value for node in words if isinstance(node.value, str))


def numbers(cell):
    """Return the numbers that a cell computes with."""
    nodes = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Constant)]
    return {node.value for node in nodes if isinstance(node.value, int | float)}


def test_prints_no_number_that_no_code_computes_with(code):
    known, loose = set(), []
    for cell in code:
        known |= numbers(cell)
        for text in printed(cell):
            for number in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", re.sub(NAMES, "", text)):
                value = float(number.replace(",", ""))
                if not {value, round(value / 100, 4), round(1 - value / 100, 4)} & known:
                    loose.append((cell.execution_count, text))
    assert not loose, "let code compute it, or say it in the text"


@pytest.mark.parametrize(
    "source",
    ['print("it finds 37%")', 'x = 1\nprint(f"{x:.2f} of 73")', 'show(x, "over 12 in 20")'],
)
def test_a_number_that_nobody_computed_is_found(source):
    cell = nbformat.v4.new_code_cell(source)
    with pytest.raises(AssertionError, match="let code compute it"):
        test_prints_no_number_that_no_code_computes_with([cell])
