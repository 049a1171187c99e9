"""The API as pages: what each package's face offers, from its docstrings."""

import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

import sigscope
from sigscope.files import atomic_write


def write_api(folder: Path) -> Path:
    """Write a page for the package and for each face, with a search over all; return the first.

    Args:
        folder: where to; made if need be.
    """
    from pdoc import doc, render

    render.configure(docformat="google", show_source=False)
    pages = {name: doc.Module(_resolved(name)) for name in faces()}
    written = {f"{name.replace('.', '/')}.html": render.html_module(page, pages)
               for name, page in pages.items()}  # fmt: skip
    written |= {"index.html": render.html_index(pages), "search.js": render.search_index(pages)}
    for name, text in written.items():
        with atomic_write(folder / name) as part:
            part.write_text(text, encoding="utf-8")
    return folder / "index.html"


def faces() -> list[str]:
    """Return the names to import from: sigscope, then each of its packages."""
    inside = pkgutil.iter_modules(sigscope.__path__, "sigscope.")
    return ["sigscope", *(module.name for module in inside if module.ispkg)]


def _resolved(name: str) -> ModuleType:
    """Return a copy of a face that has all of its names, also those that wait for their first use.

    That of sigscope lists its packages as well, which makes it the page to begin with.
    """
    face = import_module(name)
    copy = ModuleType(name)
    copy.__dict__.update(face.__dict__, **{one: getattr(face, one) for one in face.__all__})
    if name == "sigscope":
        copy.__all__ = [*face.__all__, *(inner.partition(".")[2] for inner in faces()[1:])]
    return copy
