"""What an index gives up for its speed."""

from sigscope.ann.autofaiss import AutoFaiss
from sigscope.ann.difficulty import Vectors, by_size, compare
from sigscope.ann.measure import as_table, measure, pareto, sweep, threads_set
from sigscope.ann.recommend import recommend
from sigscope.ann.synthetic_fit import fit, from_folder

__all__ = [
    "AutoFaiss",
    "Vectors",
    "as_table",
    "by_size",
    "compare",
    "fit",
    "from_folder",
    "measure",
    "pareto",
    "recommend",
    "sweep",
    "threads_set",
]
