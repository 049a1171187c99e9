"""Films: each moment of each film in a folder is an item, clip.mp4#t=12.4, found like a picture.

The moments (`images.video`) are written to the cache once for each film. What is said of a film in
a text beside it (`gallery.sidecars`) is a caption of each of its moments, and a line of its
subtitles (clip.srt, clip.en.vtt) one of the moments that are on while it is read.
"""

import os
import re
import shutil
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import atomic_folder, digest, read_sealed, write_sealed
from sigscope.gallery.folder import GalleryError, Listing, Problems, suffix_of, unreachable
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.links import leads_out
from sigscope.gallery.listing import layout
from sigscope.gallery.sidecars import MAX_TEXT, captions_in
from sigscope.gallery.texts import decoded
from sigscope.gallery.walk import LeftOut, folders
from sigscope.images.captions import distinct, tidy
from sigscope.images.video import EVERY_S, SUFFIXES, VideoError, moments, pyav
from sigscope.progress import progress_bar
from sigscope.trouble import check_machine

FORM = 1  # grows when other moments are found in the same film
RECORD = "moments.json"
SUBTITLES, BESIDE = (".srt", ".vtt"), (".txt", ".caption", ".json")
QUALITY = 88  # of the JPEGs
MARKUP = re.compile(r"<[^>]*>|\{\\[^}]*\}")  # of subtitles
NO_LINES = "it holds no lines of subtitles"
AT = "#t="  # between a film and a moment of it, as in W3C's Media Fragments
Lines = list[tuple[float, float, str]]  # from second, to second, and what is said


def load_videos(
    path: str | Path, *, every_s: float | None = None, progress: bool = False
) -> Gallery:
    """Return the moments of the films in a folder; other files are told and counted.

    Items have the further columns video (the film's path below the folder) and seconds.

    Args:
        path: a folder with films (`images.video.SUFFIXES`) at any depth, or one film.
        every_s: seconds between two moments, at least; None is what SIGSCOPE_VIDEO_EVERY says, or
            else one.
        progress: whether to draw a bar on stderr while films are read for the first time.

    Raises:
        GalleryError: There is no such folder, or nothing to be seen in it; says why.
    """
    root = Path(path).expanduser()
    every_s = _every_s() if every_s is None else every_s
    home, left_out, used, problems = root.parent if root.is_file() else root, [], set(), []
    names = _names(root, left_out)
    films = [name for name in names if suffix_of(name) in SUFFIXES]
    if not films:
        raise GalleryError(f"There are no films ({', '.join(SUFFIXES)}) in {root}.")
    folder = paths.CACHE / "videos" / digest(os.fsencode(home.resolve()).hex())[:16]
    rows, places = [], layout(films)
    with progress_bar(len(films), "Looking at films", " films", progress) as bar:
        for film in films:
            try:
                rows += _rows(home, film, folder, every_s, problems, used)
                used.add(film)
            except VideoError as reason:
                problems.append((film, str(reason)))
            bar.update()
    for row in rows:
        row["split"], row["category"] = places[row["video"]]
    counts = _counts(names, films, used, problems)
    counts["hidden or other programs'"] = sum(each.count for each in left_out)
    problems += [(each.path, each.reason) for each in left_out]
    return Gallery.of(home.resolve().name, folder, Listing(rows, sorted(problems), counts), root)


def _counts(names: list[str], films: list[str], used: set[str], problems: Problems) -> dict:
    """Return how many files there are of each kind; those that are not told yet are problems."""
    seen = len(used.intersection(films))
    others = {*names} - {*films} - used
    told = {path for path, _ in problems}
    problems += [(name, "it is no film, nor the text of one") for name in others - told]
    known = {"films": seen, "unreadable": len(films) - seen, "texts": len(used) - seen}
    return {**known, "not films": len(others)}


def by_video(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each film in results of a search, the best first.

    Args:
        table: what a search of a gallery of films found, one row for each moment.

    Returns:
        video; score, that of its best moment; seconds, of that moment; moments, how many were
        found, in the table's order.
    """
    seconds = table["id"].str.rpartition(AT)[2].astype(float)
    named = table.assign(video=table["id"].str.rpartition(AT)[0], seconds=seconds)
    grouped = named.groupby("video", sort=False)
    return grouped.agg(
        score=("score", "first"), seconds=("seconds", "first"), moments=("id", "size")
    ).reset_index()


def film_of(path: str | Path, gallery: Gallery, id: str) -> tuple[Path, float]:
    """Return the film that an item is a moment of, and its second.

    Args:
        path: what `load_videos` was given.
        gallery: what it returned.
        id: of the item.

    Raises:
        GalleryError: There is no such moment, the film has gone, or a link leads out of the folder.
    """
    root = Path(path).expanduser()
    home = root.parent if root.is_file() else root
    found = gallery.items[gallery.items["id"] == id]
    if found.empty or leads_out(home, found["video"].iat[0]):
        raise GalleryError(f"{gallery.name} has no moment {id!r} that can be played.")
    film = home / found["video"].iat[0]
    if reason := unreachable(str(film)):
        raise GalleryError(f"{film.name} cannot be played: {reason}.")
    return film, float(found["seconds"].iat[0])


def _every_s() -> float:
    said = os.environ.get("SIGSCOPE_VIDEO_EVERY") or str(EVERY_S)
    try:
        if (every_s := float(said)) > 0:
            return every_s
    except ValueError:
        pass
    raise GalleryError(f"SIGSCOPE_VIDEO_EVERY is {said!r}; give seconds above 0, such as 2.")


def _names(root: Path, left_out: list[LeftOut]) -> list[str]:
    """Return the files below root, or root itself where it is one, sorted."""
    if root.is_file():
        return [root.name]
    if not root.is_dir():
        raise GalleryError(f"There is no folder {root}; check its name.")
    found = folders(root, left_out)
    return sorted(prefix + entry.name for prefix, entries in found for entry in entries)


def _rows(
    home: Path, film: str, folder: Path, every_s: float, problems: Problems, used: set[str]
) -> list[dict]:
    """Return the items of one film; problems and used (its texts) are added to."""
    file = home / film
    if reason := unreachable(str(file)):
        raise VideoError(reason)
    status = file.stat()
    state = [FORM, film, status.st_size, status.st_mtime_ns, every_s]
    place = folder / digest(state)[:16]
    record = _record(place)
    if record is None:
        shutil.rmtree(place, ignore_errors=True)  # what is left of one
        record = _written(file, place, every_s)
    if record["note"]:
        problems.append((film, f"{record['note']}; what comes before is used"))
    said, lines = _texts(home, film, problems, used)
    times = record["seconds"]
    return [
        {
            "id": f"{film}{AT}{begin:g}",
            "path": f"{place.name}/{_name(begin)}",
            "captions": distinct([*said, *(line for a, b, line in lines if a < end and b > begin)]),
            "video": film,
            "seconds": begin,
        }
        for begin, end in pairwise([*times, float("inf")])
    ]


def _record(place: Path) -> dict | None:
    """Return what was written of a film, if all of it is there."""
    try:
        record = read_sealed(place / RECORD)
    except (OSError, ValueError):
        return None
    if any(not (place / _name(seconds)).is_file() for seconds in record["seconds"]):
        return None
    mark_used(place / RECORD)
    return record


def _written(file: Path, place: Path, every_s: float) -> dict:
    """Write the moments of a film into a folder that appears whole; VideoError if there are none.

    What fails at its first frame is not noted: it is tried again the next time.
    """
    seconds, note = [], ""
    with atomic_folder(place) as part:
        try:
            for moment in moments(file, every_s):
                seconds.append(round(moment.seconds, 3))
                moment.picture.save(part / _name(seconds[-1]), quality=QUALITY)
        except VideoError as reason:
            if not seconds:
                raise
            note = str(reason)
        if not seconds:
            raise VideoError("it shows nothing, or one colour all the time")
        record = {"seconds": seconds, "note": note}
        write_sealed(part / RECORD, record)
    return record


def _name(seconds: float) -> str:
    return f"{seconds:09.3f}.jpg"


def _texts(home: Path, film: str, problems: Problems, used: set[str]) -> tuple[list[str], Lines]:
    """Return the captions of a film and the lines of its subtitles, from the files beside it."""
    captions, lines = [], []
    stem = os.path.splitext(film)[0]
    for file in sorted((home / film).parent.iterdir()):
        beside = (home / film).parent.joinpath(file).relative_to(home).as_posix()
        if os.path.splitext(beside)[0] not in (stem, film) and not _is_language_of(beside, stem):
            continue
        try:
            if suffix_of(beside) in SUBTITLES:
                lines += _cues(file)
            elif suffix_of(beside) in BESIDE:
                captions += captions_in(str(file), [film.rpartition("/")[2]])
            else:
                continue
            used.add(beside)
        except (OSError, ValueError) as error:
            check_machine(file, error)
            problems.append((beside, str(getattr(error, "strerror", None) or error)))
    return captions, lines


def _cues(file: str | Path) -> Lines:
    """Return the lines of subtitles, .srt or .vtt; VideoError says why they cannot be read."""
    av, file = pyav(), Path(file)
    if reason := unreachable(str(file)):
        raise VideoError(reason)
    if file.stat().st_size > MAX_TEXT:
        raise VideoError("it has more than a million bytes")
    sort = "webvtt" if file.suffix.lower() == ".vtt" else "srt"
    try:
        text = decoded(file.read_bytes()).encode()
        with av.open(BytesIO(text), format=sort) as found:
            lines = [_line(packet) for packet in found.demux(subtitles=0) if packet.size]
    except (av.error.FFmpegError, OSError, IndexError, ValueError) as error:
        check_machine(file, error)
        raise VideoError(NO_LINES) from error
    if not lines:
        raise VideoError(NO_LINES)
    return lines


def _is_language_of(beside: str, stem: str) -> bool:
    """Return whether a file is called clip.en.srt, for clip."""
    return bool(re.fullmatch(re.escape(stem) + r"\.[a-zA-Z]{2,3}([_-]\w+)?\.\w+", beside))


def _line(packet) -> tuple[float, float, str]:
    begin = float((packet.pts or 0) * packet.time_base)
    said = tidy(MARKUP.sub("", bytes(packet).decode("utf-8", "replace")))
    return begin, begin + float((packet.duration or 0) * packet.time_base), said
