"""The two Debian packages as tables of raw records: one row a picture, nothing cleaned yet."""

import html
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

OPENCLIPART = "openclipart-svg"
TUXPAINT = "tuxpaint-stamps-default"
SVG_FOLDER = Path("usr/share/openclipart/svg")
STAMP_FOLDER = Path("usr/share/tuxpaint/stamps")


@dataclass(frozen=True)
class Raw:
    """What a package says about one picture, word for word.

    Attributes:
        package: "openclipart" or "tuxpaint".
        origin: path inside the package's picture folder, posix.
        file: where the picture lies on this machine.
        title: the title (openclipart) or the English caption (tuxpaint).
        description: free text, often empty.
        keywords: the words its author filed it under.
        author: the author's name, "" when the file does not tell.
        licence: the licence address the file itself states, "" when it does not.
        translations: language code -> caption (tuxpaint only).
    """

    package: str
    origin: str
    file: Path
    title: str
    description: str = ""
    keywords: tuple[str, ...] = ()
    author: str = ""
    licence: str = ""
    translations: dict[str, str] = field(default_factory=dict)


def unpack(package: str, cache: Path) -> Path:
    """Download one Debian package into `cache`, unpack it, and return its root folder."""
    root = cache / package
    if root.is_dir():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", package], cwd=cache, check=True)
        deb = sorted(cache.glob(f"{package}_*.deb"))[-1]
        subprocess.run(["dpkg-deb", "-x", deb.name, package], cwd=cache, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"Could not fetch the Debian package {package} ({error}). On Debian run apt-get update "
            f"first; elsewhere unpack the .deb yourself and name its folder on the command line."
        ) from error
    return root


def openclipart_records(root: Path) -> list[Raw]:
    """Read every SVG of openclipart, in path order."""
    folder = root / SVG_FOLDER
    return [_svg_record(path, folder) for path in sorted(folder.rglob("*.svg"))]


def tuxpaint_records(root: Path) -> list[Raw]:
    """Read every stamp that has a caption, in path order; of an SVG and a PNG keep the SVG."""
    folder = root / STAMP_FOLDER
    pictures = {p.with_suffix(""): p for p in sorted(folder.rglob("*.png"))}
    pictures |= {p.with_suffix(""): p for p in sorted(folder.rglob("*.svg"))}
    found = []
    for stem, picture in sorted(pictures.items()):
        words = stem.with_name(stem.name + ".txt")
        if words.is_file():
            found.append(_stamp_record(picture, words, folder))
    return found


def _svg_record(path: Path, folder: Path) -> Raw:
    text = path.read_bytes().decode("utf-8", errors="replace")
    block = re.search(r"<metadata.*?</metadata>", text, re.S)
    meta = block.group(0) if block else ""
    creator = _inside("dc:creator", meta)
    outer = re.sub(r"<dc:(publisher|creator|rights|contributor)\b.*?</dc:\1>", "", meta, flags=re.S)
    licence = re.search(r'<cc:license[^>]*rdf:resource="([^"]*)"', meta)
    return Raw(
        package="openclipart",
        origin=path.relative_to(folder).as_posix(),
        file=path,
        title=_words(_inside("dc:title", outer)),
        description=_words(_inside("dc:description", outer)),
        keywords=tuple(_words(k) for k in re.findall(r"<rdf:li[^>]*>(.*?)</rdf:li>", outer, re.S)),
        author=_words(_inside("dc:title", creator)),
        licence=licence.group(1) if licence else "",
    )


def _stamp_record(picture: Path, words: Path, folder: Path) -> Raw:
    lines = words.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = [line.partition(".utf8=") for line in lines[1:]]
    said = {code.strip(): _words(text) for code, dot, text in pairs if dot and text.strip()}
    return Raw(
        package="tuxpaint",
        origin=picture.relative_to(folder).as_posix(),
        file=picture,
        title=_words(lines[0]) if lines else "",
        translations=said,
    )


def _inside(tag: str, xml: str) -> str:
    match = re.search(rf"<{tag}(?:\s[^>]*)?>(.*?)</{tag}>", xml, re.S)
    return match.group(1) if match else ""


def _words(xml: str) -> str:
    """Text of a scrap of XML: tags gone, entities read (twice: some are doubly escaped)."""
    text = re.sub(r"<!\[CDATA\[(.*?)\]\]>", r"\1", xml, flags=re.S)
    text = html.unescape(html.unescape(re.sub(r"<[^>]+>", " ", text)))
    return " ".join(text.split())
