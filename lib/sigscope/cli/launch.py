"""The explorer as a process of its own: started on a port of this machine, waited for, ended."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from sigscope import paths
from sigscope.files import write_json

ADDRESS = "127.0.0.1"
ANSWER_S = 60.0  # how long a start may take
PAUSE_S = 0.05
HELD = "SIGSCOPE_STDIN_IS_HELD"  # the explorer ends once its standard input does


class LaunchError(RuntimeError):
    """The explorer cannot be started or has stopped; the message is a sentence for a person."""


def url(port: int) -> str:
    """Return where a person finds the explorer."""
    return f"http://localhost:{port}"


def _is_answering(port: int) -> bool:
    """Return whether a Streamlit server on this machine says that it is well."""
    opener = build_opener(ProxyHandler({}))  # a proxy must not be asked about localhost
    try:
        with opener.open(f"http://{ADDRESS}:{port}/_stcore/health", timeout=2) as answer:
            return answer.read(16) == b"ok"
    except (URLError, OSError, ValueError):
        return False


def is_ours(port: int) -> bool:
    """Return whether the explorer of this very checkout serves there already."""
    try:
        process = json.loads(_note(port).read_text())["process"]
        os.kill(process, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return _is_answering(port)


def is_showing(port: int) -> bool:
    """Return whether our explorer there shows the gallery that SIGSCOPE_GALLERY names."""
    try:
        return json.loads(_note(port).read_text())["gallery"] == _gallery()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def port_from(text: str) -> int:
    """Return the port that a person wrote."""
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise LaunchError(f"{text} is no port; choose one from 1024 to 65535, as in PORT=8502.")


def check_port(port: int) -> None:
    """Refuse a port that another program has, naming one that is free."""
    try:
        _bind(port)
    except PermissionError as error:
        raise LaunchError(
            f"Port {port} is reserved for the system; choose another, as in PORT=8502."
        ) from error
    except OSError as error:
        raise LaunchError(
            f"Port {port} is in use by another program; choose another, as in "
            f"'make run PORT={free_port(port + 1)}'."
        ) from error


def free_port(first: int = 0) -> int:
    """Return a free port, the first from the given number on (0: any)."""
    for port in range(first, min(first + 50, 65536)) if first else ():
        try:
            return _bind(port)
        except OSError:
            continue
    return _bind(0)


@contextmanager
def explorer(port: int) -> Iterator[subprocess.Popen]:
    """Run the explorer on port for as long as the block lasts; it may not answer yet.

    It holds the other end of a pipe, so it ends with this process, even one that is killed.

    Raises:
        LaunchError: The port is taken.
    """
    check_port(port)
    note = _note(port)
    note.parent.mkdir(parents=True, exist_ok=True)
    with _log(port).open("wb") as log:
        process = subprocess.Popen(
            _command(port), stdin=subprocess.PIPE, stdout=log, stderr=log, env=_environment()
        )
    try:
        write_json(note, {"process": process.pid, "gallery": _gallery()})
        yield process
    finally:
        note.unlink(missing_ok=True)
        _end(process)


def wait(process: subprocess.Popen, port: int, seconds: float = ANSWER_S) -> None:
    """Return once the explorer answers.

    Raises:
        LaunchError: It has stopped, or does not answer in time.
    """
    until = monotonic() + seconds
    while not _is_answering(port):
        check_alive(process, port)
        if monotonic() > until:
            raise LaunchError(f"The explorer did not answer within {seconds:.0f} s; {_see(port)}.")
        sleep(PAUSE_S)
    check_alive(process, port)  # another server may have taken the port before ours did


def check_alive(process: subprocess.Popen, port: int) -> None:
    """Raise LaunchError if the explorer has stopped."""
    if process.poll() is not None:
        lines = _log(port).read_text(errors="replace").strip().splitlines()
        last = lines[-1].strip() if lines else f"exit status {process.returncode}"
        raise LaunchError(f"The explorer has stopped ({last}); {_see(port)}.")


def _bind(port: int) -> int:
    """Bind port for a moment and return its number."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((ADDRESS, port))
        probe.listen()
        return probe.getsockname()[1]


def _command(port: int) -> list[str]:
    script = str(paths.EXPLORER / "serve.py")  # its settings are in .streamlit beside it
    return [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]


def _environment() -> dict[str, str]:
    """Return the environment, with the model hub switched off where the model is a local one.

    One thread a visitor: a single query gains nothing from a second, and threads that wait for
    each other on busy cores turn 12 ms into 480.
    """
    model = os.environ.get("SIGSCOPE_MODEL", "")
    local = not model or Path(model).expanduser().is_dir()
    ours = {"OMP_NUM_THREADS": "1", HELD: "1", **({"HF_HUB_OFFLINE": "1"} if local else {})}
    return {**ours, **os.environ}


def _gallery() -> str:
    """Return a digest of where the gallery to show is; no note says where a person's files are."""
    named = os.path.expanduser(os.environ.get("SIGSCOPE_GALLERY") or paths.GALLERY)
    place = os.path.realpath(named) if os.path.exists(named) else named
    return hashlib.sha256(os.fsencode(place)).hexdigest()[:16]


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _note(port: int) -> Path:
    return paths.CACHE / f"explorer-{port}.json"


def _log(port: int) -> Path:
    return paths.CACHE / f"explorer-{port}.log"


def _see(port: int) -> str:
    return f"its own words are in {_log(port)}"
