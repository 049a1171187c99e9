"""The commands: the explorer's port and process, and notebooks executed once."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import nbformat
import pytest
from PIL import Image
from small_gallery import small_gallery

from sigscope import paths
from sigscope.cli import launch, notebooks, run
from sigscope.cli import main as commands


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind((launch.ADDRESS, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notebooks"
    made.mkdir()
    return made


def write(folder, name, *cells):
    """Write a notebook of code cells; return its path."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, folder / name)
    return folder / name


def silent(*_):
    pass


def run_once(path, into, key="key"):
    return notebooks.run_once(path, into, key, silent)


def fake_explorer(monkeypatch, code):
    monkeypatch.setattr(launch, "_command", lambda port: [sys.executable, "-c", code])


def test_port_in_use_names_a_free_one(taken):
    with pytest.raises(launch.LaunchError, match=f"{taken} is in use.*PORT=(\\d+)") as caught:
        launch.check_port(taken)
    launch.check_port(int(str(caught.value).split("PORT=")[1].split("'")[0]))


@pytest.mark.parametrize("text", ["0", "-1", "70000", "abc", ""])
def test_what_is_no_port_is_refused(text, capsys):
    assert commands.main(["run", f"--port={text}"]) == 1
    assert capsys.readouterr().err.startswith(f"{text} is no port; choose one")


@pytest.mark.parametrize("command", ["run", "explorer"])
def test_commands_say_in_one_sentence_that_the_port_is_in_use(taken, capsys, command):
    assert commands.main([command, "--port", str(taken)]) == 1
    said = capsys.readouterr().err
    assert f"Port {taken} is in use" in said and said.count("\n") == 1


def test_full_disk_is_one_sentence(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, os.strerror(28), "cache")

    monkeypatch.setattr(launch, "check_port", full)
    assert commands.main(["explorer"]) == 1
    said = capsys.readouterr().err
    assert said == "No space left on device: cache; make room or change its rights.\n"


def test_explorer_that_stops_is_told_with_its_last_words(monkeypatch):
    fake_explorer(monkeypatch, "print('no such theme'); raise SystemExit(3)")
    port = launch.free_port()
    with launch.explorer(port) as process, pytest.raises(launch.LaunchError) as caught:
        launch.wait(process, port)
    assert "has stopped (no such theme)" in str(caught.value)


def test_explorer_that_does_not_answer_is_given_up_and_ended(monkeypatch):
    fake_explorer(monkeypatch, "import time; time.sleep(60)")
    port = launch.free_port()
    with launch.explorer(port) as process, pytest.raises(launch.LaunchError, match="not answer"):
        launch.wait(process, port, seconds=0.2)
    assert process.returncode is not None


def test_another_server_is_not_taken_for_ours():
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    with HTTPServer((launch.ADDRESS, 0), Other) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        assert not launch._is_answering(server.server_port)
        assert not launch.is_ours(server.server_port)
        server.shutdown()


def test_our_own_explorer_is_recognised_and_nothing_is_started(monkeypatch, capsys):
    fake_explorer(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(launch, "_is_answering", lambda port: True)
    port = launch.free_port()
    with launch.explorer(port):
        assert launch.is_ours(port)
        assert commands.main(["explorer", "--port", str(port)]) == 0
    assert f"serves at http://localhost:{port} already" in capsys.readouterr().out
    assert not launch.is_ours(port)


def test_our_own_explorer_with_other_pictures_is_not_taken_for_what_is_asked(
    monkeypatch, capsys, tmp_path
):
    fake_explorer(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(launch, "_is_answering", lambda port: True)
    monkeypatch.setenv("SIGSCOPE_GALLERY", str(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    port = launch.free_port()
    with launch.explorer(port):
        assert str(tmp_path) not in (paths.CACHE / f"explorer-{port}.json").read_text()
        same, other = f"./{tmp_path.name}/", str(tmp_path / "other")
        assert commands.main(["explorer", f"--port={port}", f"--pictures={same}"]) == 0
        assert "notices by itself" in capsys.readouterr().out
        assert commands.main(["run", f"--port={port}", f"--pictures={other}"]) == 1
    said = capsys.readouterr().err
    assert "shows other pictures" in said and "PORT=" in said and said.count("\n") == 1


def test_local_model_switches_the_hub_off_and_a_visitor_has_one_thread(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("SIGSCOPE_MODEL", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert launch._environment()["HF_HUB_OFFLINE"] == "1"
    assert launch._environment()["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("SIGSCOPE_MODEL", "google/siglip-base-patch16-224")
    assert "HF_HUB_OFFLINE" not in launch._environment()


@pytest.fixture
def started(monkeypatch):
    """What was embedded and served, and whether notebooks were run; nothing of it really is."""
    acts = []

    @contextmanager
    def fake(port):
        acts.append(("explorer", os.environ.get("SIGSCOPE_GALLERY")))
        yield

    def call(command):
        acts.append((command[-1], os.environ.get("SIGSCOPE_GALLERY")))
        return 0

    monkeypatch.delenv("SIGSCOPE_GALLERY", raising=False)
    monkeypatch.setattr(launch, "explorer", fake)
    monkeypatch.setattr(launch, "wait", silent)
    monkeypatch.setattr(launch, "check_alive", silent)
    monkeypatch.setattr(run.subprocess, "call", call)
    monkeypatch.setattr(run, "_notebooks_once", lambda: acts.append("notebooks") or 0)
    return acts


def test_run_with_pictures_embeds_and_shows_them_and_leaves_the_notebooks_alone(started, capsys):
    port = launch.free_port()
    assert commands.main(["run", "--once", f"--port={port}", "--pictures=~/My Photos"]) == 0
    assert started == [("embed", "~/My Photos"), ("explorer", "~/My Photos")]
    assert "make notebooks PICTURES=" in capsys.readouterr().out


def test_run_without_pictures_runs_the_notebooks_on_the_shipped_gallery(started):
    assert commands.main(["run", "--once", f"--port={launch.free_port()}"]) == 0
    assert started == [("explorer", None), "notebooks"]


@pytest.mark.parametrize("command", [["explorer"], ["run"], ["run", "--once"]])
def test_pictures_that_are_none_end_the_run_before_anything_is_served(
    started, monkeypatch, command
):
    monkeypatch.setattr(run.subprocess, "call", lambda command: 1)
    assert commands.main([*command, f"--port={launch.free_port()}", "--pictures=nowhere"]) == 1
    assert started == []


def test_explorer_shows_pictures_before_they_are_searchable(started, tmp_path, monkeypatch, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(run, "_keep", silent)
    port = launch.free_port()
    assert commands.main(["explorer", f"--port={port}", f"--pictures={tmp_path}"]) == 0
    assert started == [("explorer", str(tmp_path))]
    assert "1 picture; what is not searchable yet" in capsys.readouterr().out


def test_clean_removes_what_nobody_has_used_for_long(capsys):
    old, new = paths.CACHE / "embeddings" / "old", paths.CACHE / "embeddings" / "new"
    for store in (old, new):
        store.mkdir(parents=True)
        (store / "manifest.json").write_text("{}")
    (paths.CACHE / "inventories").mkdir()
    (paths.CACHE / "inventories" / "0123.parquet").write_bytes(b"x" * 10**6)
    for path in (old / "manifest.json", paths.CACHE / "inventories" / "0123.parquet"):
        os.utime(path, (time.time() - 40 * 86_400,) * 2)
    assert commands.main(["clean", "--days=50"]) == 0 and old.exists()
    assert commands.main(["clean"]) == 0
    assert not old.exists() and new.exists() and not list((paths.CACHE / "inventories").iterdir())
    assert "2 unused for over 30 days were removed, 1.0 MB" in capsys.readouterr().out


def test_notebook_is_executed_into_the_cache_and_only_once(folder, tmp_path):
    into, path = tmp_path / "executed", write(folder, "01-a.ipynb", "x = 2", "print(x + 1)")
    before = path.read_bytes()
    first, second = run_once(path, into), run_once(path, into)
    assert (first.error, first.was_done, second.was_done) == ("", False, True)
    assert nbformat.read(into / path.name, 4).cells[1].outputs[0].text == "3\n"
    assert path.read_bytes() == before
    assert not run_once(path, into, key="another").was_done


def test_notebook_that_fails_is_named_with_its_cell_and_done_again(folder, tmp_path):
    path = write(folder, "01-a.ipynb", "x = 2", "x / 0", "x")
    outcome = run_once(path, tmp_path)
    assert outcome.error == "01-a.ipynb stopped at code cell 2: ZeroDivisionError: division by zero"
    assert not run_once(path, tmp_path).was_done


def test_cells_that_an_earlier_run_reached_are_not_counted(folder, tmp_path):
    path = write(folder, "01-a.ipynb", "x = 2", "x / 0", "x")
    book = nbformat.read(path, 4)
    for number, cell in enumerate(book.cells, 1):
        cell.execution_count = number
    nbformat.write(book, path)
    assert "stopped at code cell 2:" in run_once(path, tmp_path).error


def test_cells_that_were_skipped_are_not_counted(folder, tmp_path, monkeypatch):
    path = write(folder, "01-a.ipynb", "1 / 0", "x = 2")
    book = nbformat.read(path, 4)
    book.cells[1].metadata["tags"] = ["needs-captions"]
    nbformat.write(book, path)
    monkeypatch.setattr(notebooks, "is_shipped", lambda: False)
    monkeypatch.setattr(notebooks, "load_gallery", small_gallery)
    monkeypatch.setattr(notebooks, "unmet", lambda gallery: {"needs-captions"})
    assert "stopped at code cell 1:" in run_once(path, tmp_path).error


def test_what_is_not_run_is_counted_and_says_what_it_wants(folder, tmp_path, monkeypatch):
    path = write(folder, "01-a.ipynb", "film = 1", "film + 1", "print('two')")
    book = nbformat.read(path, 4)
    book.cells[0].metadata["tags"] = ["needs-video"]
    nbformat.write(book, path)
    monkeypatch.setattr(notebooks, "unmet", lambda gallery: {"needs-video"})
    said = run_once(path, tmp_path).sentence()
    assert said.startswith("01-a.ipynb: 1 cells in ")
    assert said.endswith("; 2 were not run, for want of PyAV, which reads films: pip install "
                         "'sigscope[video]'.")  # fmt: skip


def test_on_few_pictures_a_cell_that_fails_is_a_sentence_and_the_next_one_runs(
    folder, tmp_path, monkeypatch
):
    warns = "import sys\nprint('two')\nprint('RuntimeWarning: mean of nothing', file=sys.stderr)"
    path = write(folder, "01-a.ipynb", "print('one')\na = 1 / 0", warns, "a + 1")
    monkeypatch.setattr(notebooks, "is_shipped", lambda: False)
    monkeypatch.setattr(notebooks, "load_gallery", lambda: small_gallery(3))
    assert run_once(path, tmp_path).error == ""
    cells = nbformat.read(tmp_path / path.name, 4).cells
    said = ["".join(output.text for output in cell.outputs) for cell in cells]
    assert said[0].startswith("one\nStopped here: it needs 60 different pictures or more (Zero")
    assert said[1:] == ["two\n", "Stopped here: it needs what a cell above would have made.\n"]


def test_others_go_on_after_one_that_fails(folder, monkeypatch, capsys):
    write(folder, "01-bad.ipynb", "undefined")
    write(folder, "02-good.ipynb", "1 + 1")
    monkeypatch.setattr(notebooks, "found", lambda: sorted(folder.glob("*.ipynb")))
    assert commands.main(["notebooks"]) == 1
    said = capsys.readouterr()
    assert "01-bad.ipynb stopped at code cell 1: NameError" in said.out
    assert "02-good.ipynb: 1 cells in" in said.out and "1 of 2 notebooks" in said.err
    good, bad = (nbformat.read(folder / name, 4) for name in ("02-good.ipynb", "01-bad.ipynb"))
    assert good.cells[0].outputs and not bad.cells[0].outputs
    assert "execution" not in good.cells[0].metadata


def test_kernel_that_dies_is_one_sentence(folder, tmp_path):
    path = write(folder, "01-a.ipynb", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "its kernel died" in run_once(path, tmp_path).error


def test_interrupt_ends_the_kernel(folder, tmp_path):
    note = tmp_path / "process"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def interrupt(*_):
        if note.exists() and note.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        notebooks.run_once(write(folder, "01-a.ipynb", code), tmp_path, "key", interrupt)
    deadline = time.monotonic() + 60
    while is_alive(int(note.read_text())):
        assert time.monotonic() < deadline, "the kernel still runs"
        time.sleep(0.1)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_key_follows_own_cells_code_before_and_surroundings(folder, monkeypatch):
    one, two = write(folder, "01-a.ipynb", "x = 1"), write(folder, "02-b.ipynb", "y = 1")
    first = notebooks.keys([one, two])
    assert first == notebooks.keys([one, two])
    write(folder, "02-b.ipynb", "y = 2")
    changed_second = notebooks.keys([one, two])
    assert [a == b for a, b in zip(first, changed_second, strict=True)] == [True, False]
    write(folder, "01-a.ipynb", "x = 2")
    assert not set(changed_second) & set(notebooks.keys([one, two]))
    before = notebooks.keys([one, two])
    monkeypatch.setattr(notebooks, "_surroundings", lambda: "another model")
    assert not set(before) & set(notebooks.keys([one, two]))


@pytest.mark.parametrize(
    "path",
    ["/a/my $photos", "/a/100% $(x) ${y}", "/a/it's", '/a/say "hi"', "/a/`id`;#&", "~/x y", "/ü"],
)
def test_make_hands_any_path_on_as_it_is(path, tmp_path):
    home = tmp_path / "müll"
    python = home / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$SIGSCOPE_CACHE"\n')
    python.chmod(0o755)
    shutil.copy(paths.ROOT / "Makefile", home)
    said = subprocess.run(
        ["make", "-o", "install", "explorer", f"PICTURES={path}"],
        cwd=home, capture_output=True, text=True, env={**os.environ, "SIGSCOPE_CACHE": "~/x"},
    ).stdout.splitlines()  # fmt: skip
    assert said[-2:] == [f"--pictures={path}", "~/x"]
