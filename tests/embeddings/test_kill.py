"""A run that is killed, anywhere and often, ends with the same bytes as one that was left alone."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from toy import ToyEncoder, write_gallery

from sigscope import files, paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.shards import StaleEmbeddings

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs to kill are forked")
SCRIPT = Path(__file__).parents[1] / "support" / "embed_slowly.py"
KILLS = 20


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(os, "fsync", lambda file: None)  # processes are killed, not the machine


@pytest.fixture(scope="module")
def gallery_folder(tmp_path_factory):
    """Twenty pictures, one of them broken: two shards, the last one short."""
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_killed_at_each_rename_in_turn_it_ends_the_same(gallery_folder, undisturbed, tmp_path):
    expected, _ = undisturbed
    for number in range(100):
        folder = tmp_path / str(number)
        if embed_and_die_at(number, "before", gallery_folder, folder):
            break
        assert embed_and_die_at(None, "", gallery_folder, folder)
        assert hashes(folder) == expected, f"killed before rename {number}"
    assert number == 24, "two shards of five files and a record, moved then, and a manifest twice"


@pytest.mark.slow
def test_an_update_killed_at_each_rename_ends_the_same_and_the_old_store_stays_till_then(
    gallery_folder, tmp_path
):
    """A picture at the front moves every row, so that both shards are made anew."""
    new = shutil.copytree(gallery_folder, tmp_path / "new" / "gallery")
    (new / "metadata.jsonl").write_text(more_at_the_front(new))
    expected = embedded(new, tmp_path / "fresh")
    old = embedded(gallery_folder, tmp_path / "old")
    for number in range(100):
        folder = shutil.copytree(tmp_path / "old", tmp_path / str(number))
        if embed_and_die_at(number, "after", new, folder):
            break
        if number < 12:
            assert len(load_embeddings(folder)) == 19, "the old one, whole"
            assert old.items() <= hashes(folder).items()
        assert embed_and_die_at(None, "", new, folder)
        assert hashes(folder) == expected, f"killed after rename {number}"
    assert number == 24


def more_at_the_front(gallery):
    """Return the metadata with one picture more, a copy of another in all but its captions."""
    shutil.copy(gallery / "000-red.png", gallery / "copy.png")
    row = '{"file_name": "copy.png", "text": "blue and white"}\n'
    return row + (gallery / "metadata.jsonl").read_text()


def embedded(gallery, folder):
    embed_gallery(load_gallery(gallery), ToyEncoder(), folder, batch_size=3, shard_size=11)
    return hashes(folder)


def test_killed_often_while_the_gallery_changes_nothing_whole_is_lost(gallery_folder, tmp_path):
    gallery = shutil.copytree(gallery_folder, tmp_path / "gallery")
    folder = tmp_path / "store"
    assert not embed_and_die_at(7, "before", gallery, folder), "one shard is whole"
    with pytest.raises(StaleEmbeddings, match="1 shard is whole"):
        load_embeddings(folder)
    (gallery / "metadata.jsonl").write_text(more_at_the_front(gallery))
    assert not embed_and_die_at(7, "before", gallery, folder), "and one more"
    lines = (gallery / "metadata.jsonl").read_text().splitlines()
    (gallery / "metadata.jsonl").write_text("\n".join(lines[2:]))
    encoder = ToyEncoder()
    embed_gallery(load_gallery(gallery), encoder, folder, batch_size=3, shard_size=11)
    assert len(encoder.texts_encoded) == 9, "the second captions of the last nine, never encoded"
    assert len(load_embeddings(folder)) == 18


def embed_and_die_at(number, when, gallery, folder):
    """Embed in a copy of this process that kills itself at a rename; return whether it lived."""
    gallery = load_gallery(gallery)
    child = os.fork()
    if child == 0:
        try:
            os.replace = deadly_replace(number, when)
            embed_gallery(gallery, ToyEncoder(), folder, batch_size=3, shard_size=11)
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
