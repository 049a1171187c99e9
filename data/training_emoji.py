"""Emoji as drawings with a name to learn from: three free sets, from npm packages of Iconify.

They are trained on only; none is shipped. `npm` fetches them once into data/cache/training.
"""

import io
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pandas as pd
import resvg_py
from PIL import Image

SETS = {  # npm package: who drew it, and its terms
    "@iconify-json/noto@1.2.9": "Google Noto Emoji, Apache-2.0",
    "@iconify-json/openmoji@1.2.29": "OpenMoji, CC BY-SA 4.0",
    "@iconify-json/emojione-v1@1.2.3": "Emoji One (v1), CC BY-SA 4.0",
}
SIDE = 260
MARGIN = 0.06  # of the drawing's side
NO_THING = re.compile(  # letters, signs, flags, and people that differ in skin or number alone
    r"skin|flag|keycap|family|letter|button|oclock|o-clock|thirty|kiss|couple|holding-hands"
    r"|-(light|dark|medium)\b|^\d|arrow|square|circle$|copyright|trade|japanese|mahjong|input"
    r"|-sign$|^[a-z]$|men-|women-|regional"
)


def emoji_table(folder: Path) -> pd.DataFrame | None:
    """Return file, captions, split and group of emoji that two sets have; None without npm."""
    if shutil.which("npm") is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {package: _drawings(package, folder) for package in SETS}
    sets_with = pd.Series([name for names in drawn.values() for name in names]).value_counts()
    rows = []
    for package, names in drawn.items():
        for name, svg in names.items():
            if sets_with[name] > 1:
                words = name.replace("-", " ")
                file = folder / package.split("/")[1] / f"{name}.png"
                _draw(svg, file)
                rows.append((str(file), [words, f"a drawing of a {words}"], "train", name))
    return pd.DataFrame(rows, columns=["file", "captions", "split", "group"])


def _drawings(package: str, folder: Path) -> dict[str, str]:
    icons = json.loads(_fetched(package, folder).read_text(encoding="utf8"))
    return {
        name: _svg(
            icon["body"],
            icon.get("width", icons.get("width", 16)),
            icon.get("height", icons.get("height", 16)),
        )
        for name, icon in icons["icons"].items()
        if not NO_THING.search(name) and not icon.get("hidden")
    }


def _fetched(package: str, folder: Path) -> Path:
    icons = folder / f"{package.split('/')[1]}.json"
    if not icons.exists():
        packed = subprocess.run(
            ["npm", "pack", "--silent", package],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()[-1]
        with tarfile.open(folder / packed) as archive:
            whole = archive.extractfile("package/icons.json").read()
        part = icons.with_suffix(".part")
        part.write_bytes(whole)
        part.rename(icons)
        (folder / packed).unlink()
    return icons


def _svg(body: str, width: float, height: float) -> str:
    box = f"{-MARGIN * width} {-MARGIN * height} {(1 + 2 * MARGIN) * width}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box} {(1 + 2 * MARGIN) * height}" width="{SIDE}" height="{SIDE}">{body}</svg>'
    )


def _draw(svg: str, file: Path) -> None:
    if file.exists():
        return
    file.parent.mkdir(exist_ok=True)
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, background="white"))
    part = file.with_suffix(".part")
    Image.open(io.BytesIO(png)).convert("RGB").save(part, "PNG")
    part.rename(file)
