"""Trouble: what goes wrong with the machine passes; what is wrong with a file is a fact about it.

Too many open files, a disk that does not answer and no memory say nothing about what was being
read. So they end the work with a sentence and are never written down; the next run tries again.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STARVED = ("EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN")
_DISKS = ("EIO", "EBUSY", "EINTR", "ENODEV", "ENOMEDIUM", "ENOLCK", "EREMOTEIO", "ENOSPC", "EDQUOT")
_SHARES = ("ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH")


def _numbers(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


STARVED = _numbers(_STARVED)  # the process or the machine has no more of something
MACHINE = _numbers(_STARVED + _DISKS + _SHARES)  # with a file; between servers some are answers
NO_NUMBER = re.compile(  # how what libraries raise begins where they know no errno
    r"out of memory|unable to allocate|can't start new thread|(CUDA|MPS backend) out of memory"
    r"|\[enforce fail at alloc|DefaultCPUAllocator",
    re.IGNORECASE,
)


class MachineTrouble(RuntimeError):
    """The machine failed, not what it was at work on; the message is a sentence for a person."""


def is_of_machine(error: BaseException | None, errnos: frozenset[int] = MACHINE) -> bool:
    """Return whether an error, or one that brought it about, is passing trouble of the machine.

    Args:
        error: any error.
        errnos: which numbers of an OSError count.
    """
    while error is not None:
        if isinstance(error, MachineTrouble | MemoryError):
            return True
        if isinstance(error, OSError) and error.errno in errnos:
            return True
        if isinstance(error, OSError | RuntimeError) and NO_NUMBER.match(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _machine_trouble(what: str | Path, error: BaseException) -> MachineTrouble:
    """Return the error to raise in the place of one that is the machine's, met at what."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    reason = getattr(error, "strerror", None) or str(error) or "no memory is left"
    return MachineTrouble(
        f"{what} could not be read, by no fault of its own ({reason}), and nothing is noted about "
        "it; free what the machine lacks and run the same again: it goes on where it stopped"
    )


def check_machine(what: str | Path, error: BaseException, errnos: frozenset[int] = MACHINE) -> None:
    """Raise MachineTrouble in the place of an error, met at what, if it is the machine's."""
    if is_of_machine(error, errnos):
        raise _machine_trouble(what, error) from error


@contextmanager
def watched(
    what: str | Path, *, forgiving: type[Exception] | tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn passing trouble of the machine into MachineTrouble, and pass over what is forgiven.

    Args:
        what: what the block is at work on, for the sentence.
        forgiving: errors after which the block just ends, unless they are the machine's.
    """
    try:
        yield
    except MachineTrouble:
        raise
    except Exception as error:
        check_machine(what, error)
        if not isinstance(error, forgiving):
            raise
