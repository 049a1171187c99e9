"""What notebooks claim of the shipped gallery and model; with others it is only compared."""

import inspect
import linecache
import os
from types import FrameType

from sigscope import paths


def is_shipped() -> bool:
    """Return whether neither SIGSCOPE_GALLERY nor SIGSCOPE_MODEL names something else."""
    gallery = os.environ.get("SIGSCOPE_GALLERY") or str(paths.GALLERY)
    model = os.environ.get("SIGSCOPE_MODEL") or str(paths.MINI)
    return gallery == str(paths.GALLERY) and model in (str(paths.MINI), paths.MINI.name)


def claim(holds: bool) -> None:
    """Hold what a text says of the shipped gallery and model; of others, print whether it holds.

    What is true of any gallery and model is an ``assert`` instead.

    Raises:
        AssertionError: It does not hold, of the shipped ones.
    """
    if holds and is_shipped():
        return
    said = _argument(inspect.currentframe().f_back)
    if is_shipped():
        raise AssertionError(said)
    print(f"{'here too' if holds else 'not here'}: {said}")


def _argument(caller: FrameType) -> str:
    """Return the text between the brackets of the call that runs, on one line; "" if unknown."""
    place = inspect.getframeinfo(caller).positions
    lines = linecache.getlines(caller.f_code.co_filename, caller.f_globals)
    lines = lines[place.lineno - 1 : place.end_lineno] or [""]
    lines[-1] = lines[-1].encode()[: place.end_col_offset].decode()
    lines[0] = lines[0].encode()[place.col_offset :].decode()
    return " ".join("".join(lines).partition("(")[2].rpartition(")")[0].split())
