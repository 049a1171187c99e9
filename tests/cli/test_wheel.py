"""The package installed without a checkout: what the wheel holds, and that it searches."""

import os
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from sigscope import paths

pytestmark = pytest.mark.slow
WITHOUT_CACHE = {name: value for name, value in os.environ.items() if name != "SIGSCOPE_CACHE"}


def tracked(folder: str) -> set[str]:
    """Return the files of a folder that are no one's cache, relative to the checkout."""
    files = (path for path in (paths.ROOT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(paths.ROOT).as_posix() for path in files)
    passing = ("__pycache__", ".ipynb_checkpoints", "explorer/screenshots")
    return {name for name in names if not any(part in name for part in passing)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", folder, paths.ROOT], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def home(wheel, tmp_path_factory):
    """An environment of its own that has the wheel, and finds what it needs in this one."""
    home = tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home / "venv"], check=True)
    pip = [sys.executable, "-m", "pip", "--python", home / "venv" / "bin" / "python"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    ours = home / "venv" / "lib" / version / "site-packages" / "this.pth"
    ours.write_text(sysconfig.get_paths()["purelib"])
    return home


def in_home(home, *command) -> str:
    """Run a command of the environment, outside any checkout; return what it prints."""
    environment = {**WITHOUT_CACHE, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment.pop("PYTHONPATH", None)
    words = [home / "venv" / "bin" / command[0], *command[1:]]
    done = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_holds_the_package_and_what_is_shipped_beside_it_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    code = {name.removeprefix("lib/") for name in tracked("lib/sigscope")}
    data = ("data/gallery", "data/models", "data/embeddings", "data/maps")
    folders = (*data, "notebooks", "explorer")
    shipped = {f"sigscope/_shipped/{name}" for folder in folders for name in tracked(folder)}
    assert code | shipped == {name for name in names if ".dist-info/" not in name}
    assert "sigscope/_shipped/explorer/.streamlit/config.toml" in names


def test_wheel_is_of_a_size_one_can_download(wheel):
    assert 50e6 < wheel.stat().st_size < 100e6


def test_installed_package_finds_a_red_bus_and_keeps_its_cache_with_the_user(home):
    found = in_home(home, "sigscope", "search", "a red bus", "-k", "3").splitlines()
    assert len(found) == 4 and any("bus" in line.split("\t")[3] for line in found[1:])
    path = found[0].split("\t").index("path")
    assert all("site-packages" in line.split("\t")[path] for line in found[1:])
    code = "from sigscope import paths; print(paths.IS_INSTALLED, paths.CACHE)"
    assert in_home(home, "python", "-c", code).split() == ["True", str(home / "cache" / "sigscope")]


def test_cache_may_be_put_elsewhere_from_the_home_folder_on(home):
    code = (
        "import os; os.environ['SIGSCOPE_CACHE'] = '~/my cache'; "
        "from sigscope import paths; print(paths.CACHE)"
    )
    assert in_home(home, "python", "-c", code) == f"{home / 'my cache'}\n"
