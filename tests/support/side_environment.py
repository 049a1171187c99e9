"""Make an environment with the packages of .venv, and beside them those of the extras named.

``python side_environment.py .venv-extras openclip`` costs as much as these few packages alone, and
.venv stays as it is without them.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(name: str, extras: list[str]) -> None:
    """Install into the folder of that name what of the extras is not there yet, as locked."""
    home = ROOT / name
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, clear=True)
    site = next(home.glob("lib/python*/site-packages"))
    ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "beside.pth").write_text(ours)  # and what its own .pth files add, this checkout
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    pip += ["-c", str(ROOT / "requirements.lock"), *requirements(extras)]
    subprocess.run(pip, check=True)


def requirements(extras: list[str]) -> list[str]:
    """Return what pyproject.toml lists under these extras."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [line for extra in extras for line in project["optional-dependencies"][extra]]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
