"""What a cell needs of the gallery and model, by its tags; where that is not there it is skipped.

A cell that reads what only a skipped one would have made is skipped as well.
"""

import ast
import builtins
import symtable
from collections.abc import Iterable
from importlib.util import find_spec

import nbformat

from sigscope import paths
from sigscope.gallery.gallery import Gallery

SKIP = "skip-execution"  # which nbclient knows
NOT_RUN = "Not run here:"  # what such a cell prints, and what it needs
NEEDS = {
    "needs-captions": "captions",
    "needs-test-split": "a test split with captions",
    "needs-splits": "captions in each of the splits train, val and test",
    "needs-categories": "categories",
    "needs-many": "a thousand pictures or more",
    "needs-shipped-gallery": "the shipped gallery",
    "needs-video": "PyAV, which reads films: pip install 'sigscope[video]'",
}
ENOUGH = 60  # different pictures, with which every notebook is tested


def is_enough(gallery: Gallery) -> bool:
    """Return whether a gallery has as many different pictures as the notebooks are tested with."""
    return gallery.items.get("content", gallery.items["id"]).nunique() >= ENOUGH


def excuse(cells: Iterable[nbformat.NotebookNode]) -> None:
    """Have each cell that failed on a gallery of few pictures say so, and what it ended in.

    What libraries warn of there (a mean of nothing, a division by 0) is left out.
    """
    for cell in cells:
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for place, output in enumerate(cell.outputs):
            if output.output_type == "error":
                is_python = output.ename != "ValueError" and hasattr(builtins, output.ename)
                why = output.ename if is_python else output.evalue  # ours are sentences
                text = f"Stopped here: it needs {ENOUGH} different pictures or more ({why}).\n"
                if output.ename == "NameError":
                    text = "Stopped here: it needs what a cell above would have made.\n"
                cell.outputs[place] = nbformat.v4.new_output("stream", name="stdout", text=text)


def unmet(gallery: Gallery) -> set[str]:
    """Return the tags of cells that cannot run on a gallery, with what is installed."""
    captioned = gallery.items[gallery.items["captions"].str.len() > 0]
    splits = set(captioned["split"])
    met = (
        len(captioned) > 0,
        "test" in splits,
        {"train", "val", "test"} <= splits,
        gallery.items["category"].nunique() > 1,
        len(gallery) >= 1000,
        gallery.root.resolve() == paths.GALLERY.resolve(),
        find_spec("av") is not None,
    )
    return {tag for tag, is_met in zip(NEEDS, met, strict=True) if not is_met}


def mark_skipped(cells: Iterable[nbformat.NotebookNode], lacking: set[str]) -> None:
    """Have nbclient skip the code cells that need what is lacking; say so in their output."""
    missing: dict[str, str] = {}  # a name that no cell has made: what making it needs
    for cell in cells:
        reads, makes = _names(cell.source)
        tags = [tag for tag in cell.metadata.get("tags", []) if tag in lacking]
        reasons = [NEEDS[tag] for tag in tags] or [missing[name] for name in reads & set(missing)]
        if reasons:
            missing |= dict.fromkeys(makes, reasons[0])
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), SKIP]
            text = f"{NOT_RUN} it needs {reasons[0]}.\n"
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
        else:
            missing = {name: why for name, why in missing.items() if name not in makes}


def _names(source: str) -> tuple[set[str], set[str]]:
    """Return the names that a cell reads before it makes them, and those it makes."""
    reads, makes = set(), set()
    for statement in ast.parse(source).body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        own = {name.get_name() for name in table.get_symbols() if name.is_assigned()}
        reads |= _read(table) - own - makes
        if isinstance(statement, ast.AugAssign):  # which reads what it makes anew
            reads |= own - makes
        makes |= own
    return reads, makes


def _read(table: symtable.SymbolTable) -> set[str]:
    """Return the names that a scope and those within it read from the notebook's."""
    top = table.get_type() == "module"
    found = {
        s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())
    }
    return found.union(*map(_read, table.get_children()))
