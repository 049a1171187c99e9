"""A run that is killed, anywhere and often, ends with the same bytes as one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy import ToyEncoder, write_gallery

from sigscope import files
from sigscope.embeddings import embed_gallery
from sigscope.gallery import load_gallery

SCRIPT = Path(__file__).with_name("embed_slowly.py")
KILLS = 12


@pytest.fixture(scope="module")
def gallery_folder(tmp_path_factory):
    """Twenty pictures, one of them broken: three shards, the last one short."""
    folder = write_gallery(tmp_path_factory.mktemp("kill") / "gallery", 20)
    (folder / "009-green.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder


@pytest.fixture(scope="module")
def undisturbed(gallery_folder):
    """The files of a run that was left alone, and the seconds its work took."""
    folder = gallery_folder.parent / "undisturbed"
    run = start(gallery_folder, folder)
    begun = time.monotonic()
    assert run.wait() == 0
    return hashes(folder), time.monotonic() - begun


def start(gallery, folder):
    """Return a process that has just begun to embed."""
    run = subprocess.Popen([sys.executable, SCRIPT, gallery, folder], stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"begins\n"
    return run


def hashes(folder):
    """Return the SHA-256 of every file below folder, hidden ones included."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.sha256(path) for path in found}


def test_killed_runs_end_like_an_undisturbed_one(gallery_folder, undisturbed, tmp_path):
    expected, work_s = undisturbed
    rng = random.Random(0)
    kills = stores = 0
    while kills < KILLS:
        folder = tmp_path / f"store-{stores}"
        while True:
            run = start(gallery_folder, folder)
            time.sleep(rng.uniform(0, work_s))
            run.kill()
            if run.wait() == 0:
                break
            kills += 1
        stores += 1
        assert hashes(folder) == expected, f"store {stores}, after {kills} kills"
        run.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process: needs fork")
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
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


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
