import errno
import pickle

import pytest

from sigscope.images import MachineTrouble
from sigscope.trouble import MACHINE, STARVED, check_machine, is_of_machine, watched

FACTS = ("ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EINVAL")


def wrapped(error, kind=ValueError):
    """The error as a library hands it on, two levels up."""
    try:
        try:
            raise error
        except type(error) as inner:
            raise RuntimeError("a decoder failed") from inner
    except RuntimeError:
        try:
            raise kind("damaged")
        except kind as outer:
            return outer


@pytest.mark.parametrize("number", sorted(MACHINE))
def test_every_errno_of_the_machine_counts_however_deep(number):
    error = OSError(number, "as the system says it")
    assert is_of_machine(error) and is_of_machine(wrapped(error))


@pytest.mark.parametrize("name", FACTS)
def test_no_fact_about_a_file_counts(name):
    assert not is_of_machine(wrapped(OSError(getattr(errno, name), "a fact")))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError("out of memory error when reading image file"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't"),
        RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("can't start new thread"),
    ],
)
def test_libraries_that_know_no_errno_are_understood(error):
    assert is_of_machine(wrapped(error))


@pytest.mark.parametrize(
    "error",
    [
        OSError("cannot identify image file 'out of memory.jpg'"),
        OSError("image file is truncated (3 bytes not processed)"),
        ValueError("out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        SyntaxError("broken PNG file"),
    ],
)
def test_what_a_file_says_or_is_called_is_never_the_machines(error):
    assert not is_of_machine(wrapped(error))


def test_a_server_that_does_not_answer_is_no_lack_of_ours():
    assert not is_of_machine(OSError(errno.ETIMEDOUT, "timed out"), STARVED)
    assert is_of_machine(OSError(errno.EMFILE, "too many"), STARVED)


def test_the_sentence_says_what_the_machine_lacks_and_what_to_do():
    with pytest.raises(MachineTrouble) as raised, watched("a.jpg", forgiving=Exception):
        raise wrapped(OSError(errno.EMFILE, "Too many open files"))
    assert "a.jpg" in str(raised.value) and "Too many open files" in str(raised.value)
    assert "run the same again" in str(raised.value)


def test_forgiving_ends_the_block_for_all_else():
    with watched("a.jpg", forgiving=Exception):
        raise ValueError("hostile bytes")
    with pytest.raises(KeyError), watched("a.jpg", forgiving=OSError):
        raise KeyError("a mistake of ours")
    check_machine("a.jpg", ValueError("hostile bytes"))


def test_it_crosses_processes_whole():
    assert str(pickle.loads(pickle.dumps(MachineTrouble("a sentence")))) == "a sentence"
