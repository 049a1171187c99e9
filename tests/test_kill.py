"""A run that is killed, anywhere and often, ends with the same bytes as one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from toy import ToyEncoder, write_gallery

from sigscope import files
from sigscope.embeddings import embed_gallery
from sigscope.gallery import load_gallery

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs to kill are forked")
SCRIPT = Path(__file__).with_name("embed_slowly.py")
KILLS = 20


@pytest.fixture(scope="module")
def gallery_folder(tmp_path_factory):
    """Twenty pictures, one of them broken: three shards, the last one short."""
    folder = write_gallery(tmp_path_factory.mktemp("kill") / "gallery", 20)
    (folder / "009-green.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder


@pytest.fixture(scope="module")
def embed_slowly(gallery_folder):
    """A function that embeds into a folder in a process of its own, killed after some seconds.

    It returns the exit code.
    """
    command = [sys.executable, SCRIPT, gallery_folder]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as script:

        def run(folder, killed_after_s=None):
            script.stdin.write(f"{folder}\n")
            child = int(script.stdout.readline())
            if killed_after_s is not None:
                time.sleep(killed_after_s)
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return int(script.stdout.readline())

        yield run


@pytest.fixture(scope="module")
def undisturbed(gallery_folder, embed_slowly):
    """The files of a run that was left alone, and the seconds it took."""
    folder = gallery_folder.parent / "undisturbed"
    embed_slowly(gallery_folder.parent / "warm-up")
    begun = time.monotonic()
    assert embed_slowly(folder) == 0
    return hashes(folder), time.monotonic() - begun


def hashes(folder):
    """Return the SHA-256 of every file below folder, hidden ones included."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.sha256(path) for path in found}


def test_killed_at_random_it_ends_like_an_undisturbed_run(undisturbed, embed_slowly, tmp_path):
    expected, work_s = undisturbed
    rng = random.Random(0)
    kills = stores = 0
    while kills < KILLS:
        folder = tmp_path / f"store-{stores}"
        while (code := embed_slowly(folder, killed_after_s=rng.uniform(0, work_s))) != 0:
            assert code == -signal.SIGKILL
            kills += 1
        stores += 1
        assert hashes(folder) == expected, f"store {stores}, after {kills} kills"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_each_rename_in_turn_it_ends_the_same(
    when, gallery_folder, undisturbed, tmp_path
):
    expected, _ = undisturbed
    for number in range(100):
        folder = tmp_path / str(number)
        if embed_and_die_at(number, when, gallery_folder, folder):
            break
        assert embed_and_die_at(None, when, gallery_folder, folder)
        assert hashes(folder) == expected, f"killed {when} rename {number}"
    assert number == 20, "three shards of five files and a manifest each, one at either end"


def embed_and_die_at(number, when, gallery, folder):
    """Embed in a copy of this process that kills itself at a rename; return whether it lived."""
    child = os.fork()
    if child == 0:
        try:
            os.replace = deadly_replace(number, when)
            embed_gallery(load_gallery(gallery), ToyEncoder(), folder, batch_size=3, shard_size=8)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


def deadly_replace(number, when):
    replace, done = os.replace, 0

    def replace_or_die(source, target):
        nonlocal done
        if done == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if done == number and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1

    return replace_or_die
