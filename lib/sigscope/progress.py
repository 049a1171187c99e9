"""Progress: how far something that takes long has got, as a bar on stderr or told to a function."""

import io
import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

Progress = bool | Callable[[int, int], None]  # a bar or none, or what is told: done, of how many


class _Told(tqdm):
    """A bar that is not drawn: whenever it would be, a function is told instead."""

    def __init__(self, tell: Callable[[int, int], None], **how: Any) -> None:
        self._tell = tell
        super().__init__(file=io.StringIO(), **how)

    def display(self, *args: Any, **how: Any) -> None:
        """Tell how many are done, and of how many, at most ten times a second and at the end."""
        self._tell(int(self.n), int(self.total))


def progress_bar(
    total: int, what: str, unit: str, progress: Progress, *, done: int = 0, **further: Any
) -> tqdm:
    """Return a bar, which is used in a ``with`` block that calls its ``update(n)``.

    Args:
        total: how many there are.
        what: is being done, such as "Embedding".
        unit: what there are so many of, such as " pictures".
        progress: whether to draw it on stderr, with the rate and the time left; or a function that
            is told (done, total) instead.
        done: how many are done already.
        **further: settings of tqdm.
    """
    how = {"total": total, "desc": what, "unit": unit, "initial": done, "dynamic_ncols": True}
    how |= further
    if callable(progress):
        return _Told(progress, **how)
    return tqdm(**how, disable=not progress, file=sys.stderr)
