"""Unit rows: what may go into an index, and what may be asked of it, checked at the door."""

from collections.abc import Sequence

import numpy as np

FLOAT32 = np.dtype(np.float32)
LENGTH_OFF = 0.01  # how far the squared length of a row may be from 1


def check_rows(xb: np.ndarray, ids: Sequence[str]) -> None:
    """Raise unless xb is one float32 unit row, or more, for each id."""
    if not isinstance(xb, np.ndarray) or xb.dtype != np.float32 or xb.ndim != 2:
        raise ValueError(f"vectors must be float32 of shape (n, d), not {_shape(xb)}")
    if xb.size == 0:
        raise ValueError(f"there is nothing to index: the vectors have shape {xb.shape}")
    if len(ids) != len(xb):
        raise ValueError(f"{len(xb)} vectors and {len(ids)} ids; each vector needs its own id")
    check_length(xb)


def check_length(x: np.ndarray) -> None:
    """Raise unless every row of x is finite and has length 1, naming the first that has not."""
    with np.errstate(over="ignore", invalid="ignore"):  # such a row is refused just below
        squared = np.vecdot(x, x)
    wrong = ~(np.abs(squared - 1) <= LENGTH_OFF)
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    if not np.isfinite(x[row]).all():
        raise ValueError(f"row {row} holds NaN or infinity; it was not encoded rightly")
    if not x[row].any():
        raise ValueError(f"row {row} is all zeros and has no direction")
    length = float(np.linalg.norm(x[row].astype(np.float64)))
    raise ValueError(f"row {row} has length {length:.3g}; divide each row by its length first")


def check_queries(xq: np.ndarray, d: int) -> None:
    """Raise unless xq is float32 unit rows of the right width; about 2 microseconds for one."""
    if not (isinstance(xq, np.ndarray) and xq.dtype == FLOAT32 and xq.ndim == 2):
        raise ValueError(f"queries must be float32 of shape (queries, d), not {_shape(xq)}")
    if xq.shape[1] != d:
        raise ValueError(
            f"the queries have {xq.shape[1]} dimensions and the index {d}; "
            "encode them with the model that made the index"
        )
    if len(xq) != 1 or not -LENGTH_OFF <= np.vdot(xq, xq) - 1 <= LENGTH_OFF:
        check_length(xq)


def checked_numbers(rows: np.ndarray, n: int) -> np.ndarray:
    """Return row numbers below n as contiguous int64, rising, each once, or raise."""
    if rows.size == 0:
        return np.empty(0, np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise ValueError(f"rows must be row numbers in one dimension, not {_shape(rows)}")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"rows run from {rows.min()} to {rows.max()}; there are {n}")
    ascending = (rows[1:] > rows[:-1]).all()
    return np.ascontiguousarray(rows if ascending else np.unique(rows), dtype=np.int64)


def _shape(x: object) -> str:
    return f"{x.dtype} {x.shape}" if isinstance(x, np.ndarray) else type(x).__name__
