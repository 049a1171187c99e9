"""The commands behind make and `sigscope`, and what executed notebooks show."""

from importlib import import_module
from typing import Any

_FACE = {
    "Notebook": "notebook_results",
    "executed": "notebook_results",
    "make_searchable": "embed",
    "read_notebook": "notebook_results",
}
__all__ = sorted(_FACE)


def __getattr__(name: str) -> Any:
    """Return a public name from the module that defines it; a command must start in no time."""
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FACE[name]}"), name)
