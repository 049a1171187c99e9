"""Make .venv ready: the locked packages, installed once, or one sentence saying why not.

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
LOCK = os.path.join(ROOT, "requirements.lock")
GB_FRESH, GB_CUDA, GB_AGAIN = 3.5, 11.0, 0.5  # measured: 2.5 GB with the CPU build, and room
NOTHING = {"place": "", "extras": [], "pins": ""}
AGAIN = "run the same command again"
CUDA = (
    "This Linux machine shows no NVIDIA GPU, yet pip's usual torch for Linux brings several GB of "
    "CUDA libraries: for the small CPU build press Ctrl-C, set PIP_EXTRA_INDEX_URL to the CPU "
    "wheels that pytorch.org names under 'Get started', and " + AGAIN + "."
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
            "'apt install python{}.{}-venv' adds it; then {}.".format(
                sys.executable, *sys.version_info[:2], AGAIN
            )
        )


def project():
    """Return what pyproject.toml says of the package: its requirements, its extras."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        return tomllib.load(file)["project"]


def stamp(extras):
    """Return what an installation with these extras depends on: ranges, lock and place."""
    with open(LOCK) as file:
        text = json.dumps(project()) + file.read()
    pins = hashlib.sha256(text.encode()).hexdigest()
    return {"place": ROOT, "extras": sorted(extras), "pins": pins}


def installed():
    """Return the stamp of the last finished installation, or an empty one."""
    try:
        with open(STAMP) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return NOTHING
    return found if os.path.exists(PYTHON) else NOTHING


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
            f"{free_gb:.1f} GB free; make room, or move this folder to a larger disk, and {AGAIN}."
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
        text = done.stdout.decode(errors="replace").strip() or "it did not say why"
        raise Refused(explain(text) or "Python could not make .venv: " + text.splitlines()[-1])


def explain(text):
    """Return one sentence for what pip said, or an empty string if nothing in it is known."""
    where = f"(pip's own words are in {os.path.relpath(LOG, ROOT)})"
    if "No space left on device" in text or "Errno 28" in text:
        return (
            "The disk filled up while installing: make room here or in the temporary folder "
            f"(TMPDIR names another) and {AGAIN} {where}."
        )
    broken = re.search("connection broken by (.*): /", text)
    if broken:
        reason = broken[1].split(": ")[-1].strip("'\")(.")
        return (
            f"The packages could not be fetched, as pip reaches no package index ({reason}): "
            f"connect this machine, or set PIP_FIND_LINKS to a folder of wheels, and {AGAIN} "
            f"{where}."
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
    ours = {"PIP_RETRIES": "2", "PIP_DEFAULT_TIMEOUT": "20"}
    if not sys.stdout.isatty():
        ours.update(PIP_PROGRESS_BAR="off", PIP_QUIET="1")
    forced = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    return {**ours, **os.environ, **forced}


def pip_install(extras):
    """Install this checkout and what is locked in one go; what pip complains of goes to the log."""
    target = ROOT + ("[{}]".format(",".join(sorted(extras))) if extras else "")
    command = [PYTHON, "-m", "pip", "install", "-c", LOCK, "-e", target]
    os.makedirs(os.path.dirname(LOG), exist_ok=True)
    with open(LOG, "w") as log:
        done = subprocess.run(command, stderr=log, env=pip_environment())
    if done.returncode:
        with open(LOG, errors="replace") as log:
            text = log.read()
        said = re.findall("ERROR: (.+)", text) or ["it did not say why"]
        where = os.path.relpath(LOG, ROOT)
        fallback = f"pip stopped with '{said[-1].strip()}': the whole of it is in {where}."
        raise Refused(explain(text) or fallback)


def install(extras):
    """Bring .venv up to date with the lock; do nothing when it is."""
    check_python()
    if is_ready(extras):
        return
    check_venv_module()
    start = time.time()
    had = set(installed()["extras"]) & set(project()["optional-dependencies"])
    extras = sorted(had | set(extras))
    make_venv()
    cuda = would_bring_cuda()
    check_space(GB_AGAIN if has_torch() else GB_CUDA if cuda else GB_FRESH)
    if cuda:
        print(CUDA, flush=True)
    print("Installing the locked packages into .venv (once; a few minutes) ...", flush=True)
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
