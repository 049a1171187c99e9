"""The set-up: one lock everywhere, nothing done twice, and a sentence for each trouble."""

import ast
import errno
import os
import re
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from sigscope import paths
from sigscope.cli import install

NO_DNS = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError: Failed to "
    "establish a new connection: [Errno -3] Temporary failure in name resolution': /numpy/\n"
    "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6\n"
    "ERROR: No matching distribution found for numpy==2.4.6\n"
)
DISK_FULL = (
    "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
)
NO_WHEEL = "ERROR: No matching distribution found for torch==2.13.0\n"
STRANGE = "Collecting numpy\nERROR: the moon is in the wrong house\n"
PIPE = {"capture_output": True, "text": True}
Usage = namedtuple("Usage", "total used free")


def settings() -> dict:
    with (paths.ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def conda() -> dict:
    return yaml.safe_load((paths.ROOT / "environment.yml").read_text())


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with nothing installed, on a roomy disk, where pip knows where to look."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name in ("pyproject.toml", "requirements.lock"):
        (root / name).write_text((paths.ROOT / name).read_text())
    python = root / ".venv" / "bin" / "python"
    places = {"ROOT": root, "VENV": root / ".venv", "PYTHON": python}
    places |= {"STAMP": root / ".venv" / "sigscope.json", "LOG": root / "data/cache/install.log"}
    places |= {"LOCK": root / "requirements.lock"}
    for name, path in places.items():
        monkeypatch.setattr(install, name, str(path))
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: Usage(0, 0, 100e9))
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    return root


def pretend_python(checkout, says: str = "", status: int = 0):
    """Put a Python into .venv whose pip says this; return the file that lists its calls."""
    python, calls = checkout / ".venv" / "bin" / "python", checkout / "calls"
    python.parent.mkdir(parents=True, exist_ok=True)
    (checkout / "says").write_text(says)
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exit 0\n[ "$3" = config ] && exit 0\n'
        f'echo "$@" >> "{calls}"\ncat "{checkout}/says" >&2\nexit {status}\n'
    )
    python.chmod(0o755)
    return calls


def trouble(capsys, extras=()) -> str:
    """Run the set-up, which must fail with one sentence and nothing else; return the sentence."""
    assert install.main(list(extras)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith(".\n") and "Traceback" not in said
    return said


def locked() -> list[Requirement]:
    """Return the lines of the lock: a name, one version, and perhaps on which machines."""
    lines = (paths.ROOT / "requirements.lock").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def asked() -> list[Requirement]:
    """Return what pyproject.toml asks for, with every extra."""
    optional = settings()["optional-dependencies"].values()
    every = settings()["dependencies"] + [line for extra in optional for line in extra]
    return [Requirement(line) for line in every]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_installs_this_package_with_its_tests_in_the_locked_versions():
    pip = next(part["pip"] for part in conda()["dependencies"] if isinstance(part, dict))
    assert pip == ["-c requirements.lock", "-e .[test]"]
    assert os.path.basename(install.LOCK) == "requirements.lock"


def test_lock_has_one_version_of_a_package_on_a_machine_and_no_build_of_it():
    assert all(re.fullmatch(r"==[\w.]+", str(line.specifier)) for line in locked())
    for system in ("linux", "darwin", "win32"):
        machine = {"sys_platform": system, "python_full_version": "3.11.7"}
        here = [line for line in locked() if not line.marker or line.marker.evaluate(machine)]
        names = [plain(line.name) for line in here]
        assert len(names) == len(set(names))


def test_lock_has_every_package_that_is_asked_for_within_its_range():
    versions = {plain(line.name): str(line.specifier).strip("=") for line in locked()}
    out = [str(want) for want in asked() if not want.specifier.contains(versions[plain(want.name)])]
    assert not out, "run make lock"


def test_what_needs_torchvision_is_installed_only_by_who_asks_for_it():
    """The registry's build for Linux breaks transformers beside a torch for the CPU."""
    everyone = settings()["dependencies"] + settings()["optional-dependencies"]["test"]
    assert not {"torchvision", "timm", "open_clip_torch"} & {Requirement(r).name for r in everyone}


def test_every_package_that_is_imported_is_asked_for():
    from importlib.metadata import packages_distributions

    files = [*(paths.ROOT / "lib").rglob("*.py"), *(paths.ROOT / "explorer").rglob("*.py")]
    own = {"sigscope"} | {path.stem for path in files} | {path.parent.name for path in files}
    imported = {name.split(".")[0] for path in files for name in imports(path)}
    outside = imported - own - sys.stdlib_module_names
    providers = packages_distributions()
    wanted = {plain(want.name) for want in asked()}
    assert "torch" in outside
    assert not [n for n in outside if not {plain(p) for p in providers.get(n, [n])} & wanted]


def imports(path: Path):
    """Yield the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_ranges_are_readable_and_have_two_ends():
    assert all(re.fullmatch(r"~=\d+\.\d+", str(want.specifier)) for want in asked())


def test_lock_names_cuda_packages_for_linux_alone():
    cuda = [line for line in locked() if line.name.startswith(("nvidia-", "cuda-", "triton"))]
    assert cuda
    assert not [line for line in cuda if line.marker.evaluate({"sys_platform": "darwin"})]


def test_everything_asks_for_the_same_python():
    assert settings()["requires-python"] == ">=" + ".".join(map(str, install.MINIMUM))
    assert f"sys.version_info < {install.MINIMUM}" in (paths.ROOT / "Makefile").read_text()
    assert "python=3.11" in conda()["dependencies"]


def test_makefile_installs_by_install_py_alone_and_names_extras_that_exist():
    makefile = (paths.ROOT / "Makefile").read_text()
    assert "lib/sigscope/cli/install.py $(EXTRAS)" in makefile
    assert not re.search(r"\bpip3? install|==", makefile)
    named = set(" ".join(re.findall(r"^\w+: EXTRAS := (.+)$", makefile, re.M)).split())
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition('| `pip install -e ".[…]"` | |\n')[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines()]
    by_hand = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named | by_hand == set(settings()["optional-dependencies"])


def test_this_environment_has_the_locked_versions():
    from importlib.metadata import version

    wanted = settings()["dependencies"] + settings()["optional-dependencies"]["test"]
    versions = {plain(line.name): str(line.specifier).strip("=") for line in locked()}
    for name in (Requirement(line).name for line in wanted):
        assert version(name).split("+")[0] == versions[plain(name)], name


def test_no_file_names_a_package_index():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=paths.ROOT, **PIPE
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, so there is no list of its files")
    index = re.compile(
        rb"py" rb"pi\.org|python" rb"hosted\.org|pytorch\.org/" rb"whl|conda\." rb"anaconda"
    )
    files = [paths.ROOT / name for name in listed.stdout.splitlines()]
    small = [file for file in files if file.is_file() and file.stat().st_size < 5_000_000]
    assert not [str(file) for file in small if index.search(file.read_bytes())]


def test_an_old_python_can_read_the_file_and_needs_no_package():
    tree = ast.parse(Path(install.__file__).read_text(), feature_version=(3, 6))
    imported = [
        name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names
    ]
    assert not [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names - {"tomllib"}


def test_old_python_is_refused(checkout, capsys, monkeypatch):
    monkeypatch.setattr(install, "MINIMUM", (9, 9))
    said = trouble(capsys)
    assert "needs Python 9.9 or newer" in said and sys.executable in said
    assert not (checkout / ".venv").exists()


def test_python_without_venv_is_refused(checkout, capsys, monkeypatch):
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    assert "venv'" in trouble(capsys)


def test_full_disk_is_refused_before_pip_begins(checkout, capsys, monkeypatch):
    calls = pretend_python(checkout)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: Usage(0, 0, 1.2e9))
    assert "need 3.5 GB" in (said := trouble(capsys)) and "1.2 GB free" in said
    assert not calls.exists()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (NO_DNS, "Temporary failure in name resolution"),
        (DISK_FULL, "The disk filled up"),
        (NO_WHEEL, "pip finds no torch==2.13.0 for Python"),
        (STRANGE, "the moon is in the wrong house"),
    ],
)
def test_what_pip_stumbles_over_is_one_sentence(checkout, capsys, says, expected):
    pretend_python(checkout, says, status=1)
    assert expected in (said := trouble(capsys))
    assert os.path.join("data", "cache", "install.log") in said
    assert (checkout / "data/cache/install.log").read_text() == says
    assert not install.is_ready([])


def test_disk_that_fills_while_we_write_is_one_sentence(checkout, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(install, "make_venv", full)
    assert "The disk filled up" in trouble(capsys)


def test_second_time_does_nothing(checkout, capsys):
    calls = pretend_python(checkout)
    assert install.main([]) == install.main([]) == 0
    lock = checkout / "requirements.lock"
    assert calls.read_text() == f"-m pip install -c {lock} -e {checkout}\n"


def test_extras_are_added_once_and_kept(checkout):
    calls = pretend_python(checkout)
    for extras in ([], ["test"], [], ["test"]):
        assert install.main(extras) == 0
    assert [line.split()[-1] for line in calls.read_text().splitlines()] == [
        str(checkout),
        f"{checkout}[test]",
    ]


def test_changed_pin_is_installed(checkout):
    calls = pretend_python(checkout)
    install.main([])
    file = checkout / "requirements.lock"
    file.write_text(file.read_text().replace("numpy==", "numpy==99."))
    install.main([])
    assert len(calls.read_text().splitlines()) == 2


def test_changed_style_settings_install_nothing(checkout):
    calls = pretend_python(checkout)
    install.main([])
    file = checkout / "pyproject.toml"
    file.write_text(file.read_text().replace("line-length = 100", "line-length = 99"))
    install.main([])
    assert len(calls.read_text().splitlines()) == 1


def test_checkout_that_was_moved_gets_a_new_venv(checkout, tmp_path, monkeypatch):
    pretend_python(checkout)
    install.main([])
    for name in ("ROOT", "VENV", "PYTHON", "STAMP", "LOG", "LOCK"):
        moved = getattr(install, name).replace(str(checkout), str(tmp_path / "moved"))
        monkeypatch.setattr(install, name, moved)
    checkout.rename(tmp_path / "moved")
    assert not install.is_ready([])


@pytest.mark.parametrize("told", [False, True])
def test_linux_without_gpu_is_told_of_cuda_unless_pip_is_told_where_to_look(
    checkout, capsys, monkeypatch, told
):
    pretend_python(checkout)
    monkeypatch.setattr(install.sys, "platform", "linux")
    monkeypatch.setattr(install.glob, "glob", lambda pattern: [])
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    if told:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "elsewhere")
    assert install.main([]) == 0
    assert ("CUDA" in capsys.readouterr().out) != told


def test_make_lists_every_command():
    said = subprocess.run(["make", "-s", "help"], cwd=paths.ROOT, **PIPE).stdout
    names = [line.split()[0] for line in said.splitlines()]
    assert {"run", "test", "notebooks", "explorer", "bench", "lock", "help"} <= set(names)
    assert said == subprocess.run(["make", "-s"], cwd=paths.ROOT, **PIPE).stdout


def pretend_pythons(folder, **works: bool) -> dict:
    """Return an environment whose PATH begins with Pythons that are new enough, or are not."""
    for name, is_new in works.items():
        file = folder / name.replace("_", ".")
        file.write_text(f"#!/bin/sh\nexit {0 if is_new else 1}\n")
        file.chmod(0o755)
    rest = {k: v for k, v in os.environ.items() if k != "PYTHON"}
    return rest | {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_make_takes_a_newer_python_where_python3_is_old(tmp_path):
    env = pretend_pythons(tmp_path, python3=False, python3_14=False, python3_13=True)
    said = subprocess.run(["make", "-n", "install"], cwd=paths.ROOT, env=env, **PIPE).stdout
    assert "python3.13 -I lib/sigscope/cli/install.py" in said


def test_make_without_python_says_so():
    command = ["make", "-s", "install", "PYTHON=no-such-python"]
    said = subprocess.run(command, cwd=paths.ROOT, **PIPE).stderr
    assert said.startswith("sigscope needs Python 3.11 or newer, and there is no no-such-python")
