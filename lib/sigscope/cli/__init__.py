"""The commands behind make and `python -m sigscope`."""

from sigscope.cli.embed import make_searchable
from sigscope.cli.notebook_results import Notebook, executed, read_notebook

__all__ = ["Notebook", "executed", "make_searchable", "read_notebook"]
