"""Make .venv ready: the pinned packages, installed once, or one sentence saying why not.

This file runs before anything is installed, on whatever Python is there. So it imports the
standard library alone, and its syntax is old enough for an old Python to reach the sentence.
"""

import glob
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time

MINIMUM = (3, 11)
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "sigscope.json")
LOG = os.path.join(ROOT, "data", "cache", "install.log")
GB_FRESH, GB_CUDA, GB_AGAIN = (
    3.5,
    11.0,
    0.5,
)  # measured: 2.5 GB with the CPU build, and room to unpack

UNREACHABLE = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "nodename nor servname",
    "getaddrinfo failed",
    "Network is unreachable",
    "No route to host",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Read timed out",
    "ConnectTimeoutError",
    "Cannot connect to proxy",
    "CERTIFICATE_VERIFY_FAILED",
    "Failed to establish a new connection",
)


CUDA = (
    "This Linux machine shows no NVIDIA GPU, yet pip's usual torch for Linux brings several GB of "
    "CUDA libraries: for the small CPU build press Ctrl-C, set PIP_EXTRA_INDEX_URL to the CPU "
    "wheels that pytorch.org names under 'Get started', and run the same command again."
)


class Refused(Exception):
    """The set-up cannot go on; the message is one sentence for a person."""


def check_python():
    """Refuse a Python older than the packages need."""
    if sys.version_info[:2] < MINIMUM:
        raise Refused(
            "sigscope needs Python {}.{} or newer, and this is {} ({}): install one, or name it "
            "with 'make run PYTHON=/path/to/python3.11'.".format(
                MINIMUM[0], MINIMUM[1], ".".join(map(str, sys.version_info[:3])), sys.executable
            )
        )


def check_venv_module():
    """Refuse a Python that cannot make virtual environments (Debian packs that apart)."""
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise Refused(
            "This Python ({}) comes without its venv module: on Debian or Ubuntu "
            "'apt install python{}.{}-venv' adds it; then run the same command again.".format(
                sys.executable, *sys.version_info[:2]
            )
        )


def requirements(extras):
    """Return the pins of pyproject.toml, those of the named extras included."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        settings = tomllib.load(file)
    optional = settings["project"].get("optional-dependencies", {})
    pins = list(settings["project"]["dependencies"])
    return pins + [pin for extra in sorted(extras) for pin in optional.get(extra, [])]


def stamp(extras):
    """Return what an installation with these extras depends on: the pins and the place."""
    text = "\n".join(sorted(requirements(extras)))
    return {
        "place": ROOT,
        "extras": sorted(extras),
        "pins": hashlib.sha256(text.encode()).hexdigest(),
    }


def installed():
    """Return the stamp of the last finished installation, or an empty one."""
    try:
        with open(STAMP) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {"place": "", "extras": [], "pins": ""}
    return found if os.path.exists(PYTHON) else {"place": "", "extras": [], "pins": ""}


def is_ready(extras):
    """Tell whether .venv already holds today's pins and at least these extras."""
    found = installed()
    return set(extras) <= set(found["extras"]) and found == stamp(found["extras"])


def has_torch():
    """Tell whether the largest package is in .venv already."""
    return bool(glob.glob(os.path.join(VENV, "lib", "python*", "site-packages", "torch")))


def pip_is_pointed():
    """Tell whether someone told pip where to look, by its settings or the environment."""
    command = [PYTHON, "-m", "pip", "config", "list"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    told = done.stdout.decode(errors="replace") + " ".join(k for k in os.environ if "PIP_" in k)
    return bool(re.search("find.links|index.url|no.index", told.lower()))


def would_bring_cuda():
    """Tell whether pip would fetch the CUDA build of torch for a machine that has no GPU."""
    if not sys.platform.startswith("linux") or glob.glob("/dev/nvidia*") or has_torch():
        return False
    return not pip_is_pointed()


def check_space(needed_gb):
    """Refuse to begin what cannot end: the packages need this much room."""
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < needed_gb:
        raise Refused(
            f"The disk is too full: the packages need {needed_gb:.1f} GB and {ROOT} has "
            f"{free_gb:.1f} GB free; make room, or move this folder to a larger disk, and run "
            "the same command again."
        )


def is_sound():
    """Tell whether the Python in .venv runs, is new enough and has pip."""
    check = f"import sys, pip; sys.exit(sys.version_info[:2] < {MINIMUM!r})"
    command = [PYTHON, "-c", check]
    return os.path.exists(PYTHON) and subprocess.call(command, stderr=subprocess.DEVNULL) == 0


def make_venv():
    """Make .venv, unless a sound one with pip is there."""
    if is_sound() and installed()["place"] in ("", ROOT):
        return
    command = [sys.executable, "-m", "venv", "--clear", VENV]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        text = done.stdout.decode(errors="replace")
        raise Refused(explain(text) or "Python could not make .venv: " + last_line(text))


def last_line(text, start=""):
    """Return the last line that says something, of those that begin with start."""
    lines = [line.strip() for line in text.splitlines() if line.startswith(start) and line.strip()]
    return lines[-1] if lines else "it did not say why"


def explain(text):
    """Return one sentence for what pip said, or an empty string if nothing in it is known."""
    where = f"(pip's own words are in {os.path.relpath(LOG, ROOT)})"
    if "No space left on device" in text or "Errno 28" in text:
        return (
            "The disk filled up while installing: make room here or in the temporary folder "
            f"(TMPDIR names another) and run the same command again {where}."
        )
    reasons = [reason for reason in UNREACHABLE if reason in text]
    if reasons:
        return (
            f"The packages could not be fetched, as pip reaches no package index ({reasons[0]}): "
            "connect this machine, or set PIP_FIND_LINKS to a folder of wheels, and run the same "
            f"command again {where}."
        )
    missing = re.search("No matching distribution found for ([^ \n(]+)", text)
    if missing:
        return (
            "pip finds no {} for Python {}.{} on this machine: try another Python with "
            "'make run PYTHON=python3.12' {}.".format(missing[1], *sys.version_info[:2], where)
        )
    return ""


def pip_environment():
    """Return the environment for pip: give up on a dead network soon, stay inside .venv."""
    ours = {"PIP_RETRIES": "2", "PIP_DEFAULT_TIMEOUT": "20", "PIP_PROGRESS_BAR": "off"}
    forced = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    return {**ours, **os.environ, **forced, "PYTHONUNBUFFERED": "1"}


def show(line):
    """Show one line of pip's in place on a terminal, and only the milestones elsewhere."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 3
        sys.stdout.write("\r\033[K  " + line.strip()[:width])
        sys.stdout.flush()
    elif line.startswith("Installing collected"):
        print("  " + line.strip()[:200], flush=True)


def pip_install(extras):
    """Install this checkout and its pins in one go, keeping pip's words in the log."""
    target = ROOT + ("[{}]".format(",".join(sorted(extras))) if extras else "")
    command = [PYTHON, "-m", "pip", "install", "-e", target]
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(LOG, "w") as log:
        pip = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=pip_environment(),
            universal_newlines=True,
            errors="replace",
        )
        for line in pip.stdout:
            log.write(line)
            show(line)
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if pip.wait():
        with open(LOG) as log:
            text = log.read()
        fallback = "pip stopped with '{}': the whole of it is in {}.".format(
            last_line(text, "ERROR"), os.path.relpath(LOG, ROOT)
        )
        raise Refused(explain(text) or fallback)


def install(extras):
    """Bring .venv up to date with pyproject.toml; do nothing when it is."""
    check_python()
    if is_ready(extras):
        return
    check_venv_module()
    start = time.time()
    had = [extra for extra in installed()["extras"] if requirements([]) != requirements([extra])]
    extras = sorted(set(extras) | set(had))
    make_venv()
    cuda = would_bring_cuda()
    check_space(GB_AGAIN if has_torch() else GB_CUDA if cuda else GB_FRESH)
    if cuda:
        print(CUDA, flush=True)
    print("Installing the pinned packages into .venv (once; a few minutes) ...", flush=True)
    if os.path.exists(STAMP):
        os.remove(STAMP)
    pip_install(extras)
    with open(STAMP, "w") as file:
        json.dump(stamp(extras), file)
    print(f"Installed in {time.time() - start:.0f} s.", flush=True)


def main(extras):
    """Install with the named extras; return the exit status."""
    try:
        install(extras)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    except OSError as error:
        told = f"[Errno {error.errno}] {error.strerror}"
        print(explain(told) or f"The set-up stopped: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
