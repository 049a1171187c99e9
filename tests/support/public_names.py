"""List what is public in lib and what reaches it: `python tests/support/public_names.py`.

A function is reached when another module, a page, a notebook or a script in data/ mentions it, or
when a table of its own module holds it, or when its module is a command itself. A face
(`__init__.py`) only hands names on, so being listed there is not enough, and tests do not count.
A helper of its own module alone wants an underscore.
"""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib" / "sigscope"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
KINDS = (*FUNCTIONS, ast.ClassDef)
parsed = cache(ast.parse)


def modules() -> list[Path]:
    """Return the modules of lib without the faces, sorted."""
    return sorted(path for path in LIB.rglob("*.py") if path.name != "__init__.py")


def public(path: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield the functions and classes that a module defines at its top without an underscore."""
    for node in parsed(path.read_text(encoding="utf-8")).body:
        if isinstance(node, KINDS) and not node.name.startswith("_"):
            yield node


def mentioned(code: str) -> set[str]:
    """Return every name that code imports, calls, reads, or looks up by its text."""
    found = set()
    for node in ast.walk(parsed(code)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update(re.findall(r"\w+", node.value) if " " not in node.value else ())
    return found


def readers() -> Iterator[tuple[Path, str]]:
    """Yield each file that counts as a user of lib, with its code."""
    scripts = [*(ROOT / "explorer").rglob("*.py"), *(ROOT / "data").glob("*.py")]
    for path in [*modules(), *scripts]:
        yield path, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield path, "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


def unreached() -> list[str]:
    """Return the public functions, as module:name, that nothing but tests reaches."""
    by_name = defaultdict(set)
    for path, code in readers():
        for name in mentioned(code):
            by_name[name].add(path)
    return [
        f"{path.relative_to(LIB)}:{node.name}"
        for path in modules()
        for node in public(path)
        if isinstance(node, FUNCTIONS)
        and not by_name[node.name] - {path}
        and node.name not in in_tables(path)
    ]


def in_tables(path: Path) -> set[str]:
    """Return what a module mentions outside functions and classes; all if it is a command."""
    code = path.read_text(encoding="utf-8")
    if 'if __name__ == "__main__"' in code:
        return mentioned(code)
    top = [node for node in parsed(code).body if not isinstance(node, KINDS)]
    return mentioned("\n".join(map(ast.unparse, top)))


def shared_class_names() -> dict[str, list[str]]:
    """Return the names that more than one public class of lib has, with their modules."""
    places = defaultdict(list)
    for path in modules():
        for node in public(path):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(LIB)))
    return {name: found for name, found in places.items() if len(found) > 1}


if __name__ == "__main__":
    print("\n".join(unreached()) or "Every public name is reached.")
