"""Build data/gallery from two Debian packages: python data/build_gallery.py [--packages FOLDER].

FOLDER holds the unpacked packages in sub-folders `openclipart` and `tuxpaint`; without it they are
fetched with apt-get into data/cache. The same packages give the same metadata, byte for byte.
"""

import argparse
import csv
import json
import re
import shutil
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from gallery_card import write_card
from gallery_categories import DRAWN_STAMPS, category, folder_category
from gallery_cleaning import (
    bare,
    clean_author,
    clean_keywords,
    same_thing,
    sentence,
    series_key,
    slug,
)
from gallery_rendering import Rendering, render_once
from gallery_sources import (
    OPENCLIPART,
    TUXPAINT,
    Raw,
    openclipart_records,
    tuxpaint_records,
    unpack,
)
from gallery_titles import Corrections, is_flag, title_of, why_not
from gallery_twins import groups, split, thumbnail, twins
from PIL import Image
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
SEED = 20
COPY = 0.9975
ALIKE = 0.97
QUALITY = 80
LICENCES = {"openclipart": "public domain", "tuxpaint": "GPL-2.0-or-later"}
NOBODY = {"openclipart": "unknown (Open Clip Art Library)", "tuxpaint": "Tux Paint contributors"}
SETS = (
    (r"cards/white/", "deck of cards"),
    (r"stickmen/", "stick men"),
    (r"symbols/chess|chesspieces-|black_and_white_\w+_[dr]", "chess pieces"),
    (r"clocks/clock\d\d", "clock hours"),
    (r"creation_day", "creation days"),
    (r"smiley\d\d\d", "smileys"),
)  # fmt: skip


@dataclass
class Item:
    """One picture on its way into the gallery."""

    raw: Raw
    title: str
    category: str
    kind: str
    picture: Image.Image
    thumbnail: np.ndarray
    keywords: list[str] = field(default_factory=list)
    other_titles: list[str] = field(default_factory=list)
    edited: bool = False
    file_name: str = ""
    duplicate_of: str = ""
    series: str = ""
    split: str = ""

    @property
    def captions(self) -> list[str]:
        """The title, the titles of merged copies, a sentence where the keywords add something."""
        what = "photograph" if self.kind == "photo" else "drawing"
        last = sentence(self.title, self.keywords, what)
        return [self.title, *self.other_titles, *([last] if last else [])]


def main() -> None:
    """Build everything anew and say what was kept and what was left out."""
    options = _options()
    roots = {
        "openclipart": options.packages / "openclipart" if options.packages else None,
        "tuxpaint": options.packages / "tuxpaint" if options.packages else None,
    }
    openclipart = roots["openclipart"] or unpack(OPENCLIPART, options.cache)
    tuxpaint = roots["tuxpaint"] or unpack(TUXPAINT, options.cache)
    corrections = Corrections(HERE)
    raws = tuxpaint_records(tuxpaint) + openclipart_records(openclipart)
    candidates, reasons = choose(raws, corrections)
    drawn = render_all([raw for raw, _ in candidates], options.cache, options.workers)
    items = keep_drawn(candidates, drawn, corrections, reasons)
    items = merge_copies(items, reasons)
    name_files(items)
    group(items)
    write(items, reasons, options.out, {OPENCLIPART: openclipart, TUXPAINT: tuxpaint})
    print(f"{len(items)} pictures in {options.out}; left out: {sum(reasons.values())} {reasons}")


def choose(
    raws: list[Raw], corrections: Corrections
) -> tuple[list[tuple[Raw, str]], dict[str, int]]:
    """Return the records worth drawing with their titles, and how many fell for which reason."""
    kept: list[tuple[Raw, str]] = []
    reasons: dict[str, int] = {}
    for raw in raws:
        title = title_of(raw, corrections)
        reason = corrections.left_out.get(raw.origin) or why_not(raw, title)
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            kept.append((raw, title))
    return kept, reasons


def render_all(raws: list[Raw], cache: Path, workers: int) -> list[Rendering]:
    """Draw every file, the slow step: half an hour on one core, seconds when done before."""
    kept = cache / "renderings"
    kept.mkdir(parents=True, exist_ok=True)
    files, sheets = [raw.file for raw in raws], [is_flag(raw) for raw in raws]
    with ProcessPoolExecutor(workers) as pool:
        drawn = pool.map(partial(render_once, kept=kept), files, sheets, chunksize=8)
        return list(tqdm(drawn, total=len(files), desc="drawing"))


def keep_drawn(
    candidates: list[tuple[Raw, str]],
    drawn: list[Rendering],
    corrections: Corrections,
    reasons: dict[str, int],
) -> list[Item]:
    """Make items of the drawn candidates; a failed rendering is counted and left out."""
    items: list[Item] = []
    for (raw, title), rendering in zip(candidates, drawn, strict=True):
        if rendering.picture is None:
            reason = rendering.reason.split(":")[0]
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            items.append(_item(raw, title, rendering.picture, corrections))
    return items


def merge_copies(items: list[Item], reasons: dict[str, int]) -> list[Item]:
    """Keep one of every set of copies; it takes the keywords and other titles of all of them.

    Copies are the same pixels, or pictures no eye can tell apart of one title or of the two
    packages: many stamps of Tux Paint were taken from the other collection.
    """
    gone: set[int] = set()
    for i, j in twins(np.stack([item.thumbnail for item in items]), COPY):
        first, second = items[i], items[j]
        same_package = first.raw.package == second.raw.package
        differ = same_package and not _one_title(first, second) and not _same_pixels(first, second)
        if i in gone or j in gone or differ:
            continue
        gone.add(j)
        first.keywords += [word for word in second.keywords if word not in first.keywords]
        if bare(second.title) not in [bare(title) for title in (first.title, *first.other_titles)]:
            first.other_titles.append(second.title)
    reasons["exact copy"] = reasons.get("exact copy", 0) + len(gone)
    return [item for i, item in enumerate(items) if i not in gone]


def _of_equal_caption(items: list[Item]) -> list[tuple[int, int]]:
    """Return pairs (i, j), i < j, that link all items which share a caption, ignoring case."""
    first: dict[str, int] = {}
    pairs = []
    for j, item in enumerate(items):
        for caption in item.captions:
            i = first.setdefault(caption.casefold(), j)
            if i != j:
                pairs.append((i, j))
    return pairs


def _one_title(first: Item, second: Item) -> bool:
    return series_key(first.title) == series_key(second.title)


def _same_pixels(first: Item, second: Item) -> bool:
    return first.picture.tobytes() == second.picture.tobytes()


def name_files(items: list[Item]) -> None:
    """Give every item a readable, unique ASCII path, counting up where titles agree."""
    used: dict[str, int] = {}
    for item in sorted(items, key=lambda i: (i.raw.package, i.raw.origin)):
        stem = f"images/{slug(item.category)}/{slug(item.title)}"
        used[stem] = used.get(stem, 0) + 1
        number = f"-{used[stem]}" if used[stem] > 1 else ""
        item.file_name = f"{stem}{number}.webp"
    items.sort(key=lambda item: item.file_name)


def group(items: list[Item]) -> None:
    """Mark twins, name series and deal the split."""
    alike = twins(np.stack([item.thumbnail for item in items]), ALIKE)
    for i, j in alike:
        if not items[j].duplicate_of and same_thing(items[i].title, items[j].title):
            items[j].duplicate_of = items[i].duplicate_of or items[i].file_name
    keys = [_set_of(item) or series_key(item.title) for item in items]
    numbers = groups(len(items), alike + _of_equal_caption(items), keys)
    for item, number in zip(items, numbers, strict=True):
        item.series = slug(keys[number], 60)
    sides = split([i.series for i in items], SEED)
    for item, side in zip(items, sides, strict=True):
        item.split = side


def write(items: list[Item], reasons: dict[str, int], out: Path, roots: dict[str, Path]) -> None:
    """Write pictures, metadata.jsonl, translations.csv, the licences and the card."""
    fresh = out / "images.part"
    shutil.rmtree(fresh, ignore_errors=True)
    for item in tqdm(items, desc="writing"):
        path = fresh / Path(item.file_name).relative_to("images")
        path.parent.mkdir(parents=True, exist_ok=True)
        item.picture.save(path, "WEBP", quality=QUALITY, method=6)
    shutil.rmtree(out / "images", ignore_errors=True)
    fresh.replace(out / "images")
    rows = [_row(item) for item in items]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (out / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_translations(items, out / "translations.csv")
    _write_licences(out / "licences", roots)
    languages = Counter(language for item in items for language in item.raw.translations)
    write_card(rows, reasons, languages, out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, help="folder with openclipart/ and tuxpaint/")
    parser.add_argument("--cache", type=Path, default=HERE / "cache")
    parser.add_argument("--out", type=Path, default=HERE / "gallery")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _item(raw: Raw, title: str, picture: Image.Image, corrections: Corrections) -> Item:
    kind_of_thing = category(raw.origin, title, corrections.moved)
    folders: tuple[str, ...] = ()
    if kind_of_thing == folder_category(raw.origin):
        folders = tuple(reversed(raw.origin.split("/")[:-1]))
    return Item(
        raw=raw,
        title=title,
        category=kind_of_thing,
        kind=_kind(raw),
        picture=picture,
        thumbnail=thumbnail(picture),
        keywords=clean_keywords((*folders, *raw.keywords), raw.author),
        edited=bool(corrections.title(raw)),
    )


def _kind(raw: Raw) -> str:
    """A stamp that is a bitmap and not in the list of drawn ones is a photograph."""
    photo = raw.package == "tuxpaint" and raw.origin.endswith(".png")
    return "photo" if photo and not re.search(DRAWN_STAMPS, raw.origin) else "drawing"


def _set_of(item: Item) -> str:
    return next((name for pattern, name in SETS if re.search(pattern, item.raw.origin)), "")


def _row(item: Item) -> dict:
    return {
        "file_name": item.file_name,
        "text": item.title,
        "captions": item.captions,
        "category": item.category,
        "split": item.split,
        "source": item.raw.package,
        "licence": LICENCES[item.raw.package],
        "author": clean_author(item.raw.author) or NOBODY[item.raw.package],
        "origin": item.raw.origin,
        "kind": item.kind,
        "duplicate_of": item.duplicate_of,
        "series": item.series,
        "edited": item.edited,
    }


def _write_translations(items: list[Item], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "language", "caption"])
        for item in items:
            for language, caption in sorted(item.raw.translations.items()):
                table.writerow([item.file_name, language, caption])


def _write_licences(folder: Path, roots: dict[str, Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for package, root in roots.items():
        shutil.copyfile(root / "usr/share/doc" / package / "copyright", folder / f"{package}.txt")
    gpl = Path("/usr/share/common-licenses/GPL-2")
    if gpl.is_file():
        shutil.copyfile(gpl, folder / "GPL-2.txt")


if __name__ == "__main__":
    main()
