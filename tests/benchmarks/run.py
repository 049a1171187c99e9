"""How fast everything is: one table of marks, each against what this machine allows and its peers.

``make bench`` measures all, in about 40 minutes, and renews data/how_fast.json and the section of
the README that is made from it; ``make bench QUICK=1`` takes a few minutes and writes nothing. The
exit code is 1 where a mark is missed.
"""

import argparse
import sys
from dataclasses import asdict, replace
from datetime import date
from importlib import import_module
from pathlib import Path

from marks import Mark, as_table

from sigscope import paths
from sigscope.files import atomic_write, read_json, write_json

ROOT = Path(__file__).parents[2]
RESULT, README = ROOT / "data/how_fast.json", ROOT / "README.md"
BEGIN, END = "<!-- made by make bench -->\n", "<!-- end of what make bench made -->\n"
PARTS = ("start", "core", "towers", "pictures", "folder", "explorer", "indexes", "growth")
QUICK = ("start", "core", "towers", "folder")


def measured(names: tuple[str, ...], quick: bool, machine: dict) -> list[Mark]:
    """Return the marks of these parts, after what the machine allows.

    In a full run what a part of it measured here today is not measured again: so a run that was
    cut off goes on where it was.
    """
    found = []
    for name in ("limits", *names):
        about = {"date": str(date.today()), "machine": machine}
        file = paths.CACHE / f"bench/{name}.json"
        kept = read_json(file) if not quick and file.is_file() else {}
        if {**kept, **about} != kept:
            print(f"measuring: {name}", file=sys.stderr, flush=True)
            kept = about | {"marks": [*map(asdict, one_part(name, quick))]}
            if not quick:
                write_json(file, kept)
        found += [Mark(**row) for row in kept["marks"]]
    return found


def one_part(name: str, quick: bool) -> list[Mark]:
    """Return the marks of one part."""
    if name == "limits":
        return import_module("machine").limits()
    return import_module(f"bench_{name}").marks(quick)


def section(result: dict) -> str:
    """Return what the README says of a result: the machine, and each thing that has a mark."""
    rows, above = [], ""
    for row in (Mark(**row) for row in result["marks"]):
        above = above if row.name.startswith(" ") else row.name
        if row.mark is not None or row.peer or row.limit:
            inside = above if row.name == above else f"{above}: {row.name.strip()}"
            rows.append(replace(row, name=inside))
    columns = list(rows[0].row)
    lines = [columns, ["-"] * len(columns), *(list(row.row.values()) for row in rows)]
    about = "; ".join(f"{name}: {value}" for name, value in result["machine"].items())
    table = "\n".join(f"| {' | '.join(cell.strip() for cell in line)} |" for line in lines)
    return f"Measured on {result['date']}. {about}.\n\n{table}\n"


def with_section(readme: str, result: dict) -> str:
    """Return the README with the section of a result between its two lines."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{section(result)}{END}{after}"


def main() -> int:
    """Measure, print, and write what was measured in full; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a few minutes; writes nothing")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    machine = import_module("machine").facts()
    parts = tuple(given.parts) or (QUICK if given.quick else PARTS)
    found = measured(parts, given.quick, machine)
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    print(f"\n{as_table(found).to_string(index=False)}\n")
    missed = [mark.name.strip() for mark in found if not mark.ok]
    print(f"missed: {'; '.join(missed)}" if missed else "All marks are kept.")
    if not given.parts and not given.quick:
        result = {"date": str(date.today()), "machine": machine, "marks": [*map(asdict, found)]}
        write_json(RESULT, result)
        with atomic_write(README) as part:
            part.write_text(with_section(README.read_text("utf-8"), result), encoding="utf-8")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
