"""A package imports only from those before it; a module fits on a few screens."""

import ast
import re

import pytest
from public_names import parsed, shared_class_names, unreached

from sigscope import paths

LIB = paths.ROOT / "lib" / "sigscope"
ORDER = [
    "paths",
    "claims",
    "trouble",
    "arguments",
    "garbage",
    "spreadsheets",
    "files",
    "cache",
    "databases",
    "progress",
    "priority",
    "types",
    "images",
    "gallery",
    "duplicates",
    "downloads",
    "models",
    "embeddings",
    "datasets",
    "indexes",
    "ann",
    "rerank",
    "search",
    "evaluation",
    "protocols",
    "ratings",
    "tags",
    "maps",
    "figures",
    "tuning",
    "cli",
]
MODULES = sorted(path for path in LIB.rglob("*.py") if path.parent != LIB or path.stem in ORDER)
NAMED = [str(path.relative_to(LIB)) for path in MODULES]


def imported(path):
    """Return the packages of ours that a module imports, at its top and inside its functions."""
    for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sigscope."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "sigscope":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("sigscope."))


@pytest.mark.parametrize("path", MODULES, ids=NAMED)
def test_imports_only_from_packages_before_its_own(path):
    own = path.relative_to(LIB).with_suffix("").parts[0]
    late = [name for name in imported(path) if ORDER.index(name) > ORDER.index(own)]
    assert not late, f"{path} reaches up to {late}; what they share belongs further down"


@pytest.mark.parametrize("path", MODULES, ids=NAMED)
def test_fits_on_a_few_screens(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{path} needs two nouns"


def test_every_package_has_its_place_in_the_order():
    there = {path.relative_to(LIB).with_suffix("").parts[0] for path in MODULES}
    assert there <= set(ORDER)
    assert {path.stem for path in LIB.glob("*.py")} <= {*ORDER, "__init__", "__main__"}


def test_readme_lists_every_package_in_this_order():
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    drawn = readme.split("lib/sigscope/", 1)[1].split("\ndata/", 1)[0]
    listed = re.findall(r"^  ([a-z]+) {2,}", drawn, re.M)
    assert listed == [name for name in ORDER if (LIB / name).is_dir()]


def test_no_two_public_classes_share_a_name():
    assert not shared_class_names()


def test_every_public_function_is_reached_from_more_than_tests():
    assert not unreached(), "make them private, give them a user, or take them out"
