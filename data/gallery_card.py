"""The dataset card: every number in it is counted from the rows it describes."""

from collections import Counter
from pathlib import Path

from gallery_categories import CATEGORIES
from gallery_twins import LARGE

SPLITS = ("train", "val", "test")

CARD = Path(__file__).with_name("gallery_card.md")


def write_card(rows: list[dict], reasons: dict[str, int], translations: Counter, out: Path) -> None:
    """Write the card of these rows to `out`/README.md.

    Args:
        rows: the rows of metadata.jsonl.
        reasons: why pictures were left out, and how many for each reason.
        translations: how many captions there are in each language.
        out: the gallery's folder.
    """
    kinds = Counter(row["kind"] for row in rows)
    text = CARD.read_text(encoding="utf-8").format(
        pictures=len(rows),
        drawings=kinds["drawing"],
        photos=kinds["photo"],
        categories=len({row["category"] for row in rows}),
        captions=sum(len(row["captions"]) for row in rows),
        several=sum(len(row["captions"]) > 1 for row in rows),
        edited=sum(row["edited"] for row in rows),
        twins=sum(bool(row["duplicate_of"]) for row in rows),
        flags=sum(row["category"] == "flags" for row in rows),
        translations=translations.total(),
        languages=len(translations),
        large=LARGE,
        dropped=sum(reasons.values()),
        reasons="\n".join(f"  - {n} {why}" for why, n in Counter(reasons).most_common()),
        splits_table=_table(rows, "source", {name: "" for name in ("openclipart", "tuxpaint")}),
        category_table=_table(rows, "category", CATEGORIES),
    )
    (out / "README.md").write_text(text, encoding="utf-8")


def _table(rows: list[dict], field: str, meanings: dict[str, str]) -> str:
    """Return a Markdown table: pictures of every value of a field, by split."""
    counts = Counter((row[field], row["split"]) for row in rows)
    notes = any(meanings.values())
    lines = [
        f"| {field} | " + " | ".join(SPLITS) + " | all |" + (" contents |" if notes else ""),
        "|-|-:|-:|-:|-:|" + ("-|" if notes else ""),
    ]
    for name, meaning in meanings.items():
        numbers = [counts[name, side] for side in SPLITS]
        note = f" {meaning} |" if notes else ""
        lines.append(f"| {name} | " + " | ".join(map(str, [*numbers, sum(numbers)])) + f" |{note}")
    sums = [sum(counts[name, side] for name in meanings) for side in SPLITS]
    lines.append(
        "| **all** | " + " | ".join(map(str, [*sums, sum(sums)])) + " |" + (" |" if notes else "")
    )
    return "\n".join(lines)
