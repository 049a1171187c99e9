"""Make .venv-extras: the packages of .venv, and beside them those of the extras named.

``python side_environment.py openclip`` costs as much as these few packages alone, and .venv stays
as it is without them.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-extras"
PYTHON = HOME / "bin" / "python"


def main(extras: list[str]) -> None:
    """Install what of the extras is not there yet, in the locked versions."""
    if not PYTHON.exists():
        venv.create(HOME, clear=True)
    site = next(HOME.glob("lib/python*/site-packages"))
    ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "beside.pth").write_text(ours)  # and what its own .pth files add, this checkout
    pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--quiet"]
    pip += ["-c", str(ROOT / "requirements.lock"), *requirements(extras)]
    subprocess.run(pip, check=True)


def requirements(extras: list[str]) -> list[str]:
    """Return what pyproject.toml lists under these extras."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [line for extra in extras for line in project["optional-dependencies"][extra]]


if __name__ == "__main__":
    main(sys.argv[1:])
