"""Walks through a folder: every file below it, without what other programs keep for themselves."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sigscope.gallery.links import LEADS_OUT, leads_out
from sigscope.images.read import plain
from sigscope.trouble import check_machine

# In lower case: thumbnails, previews and bins.
JUNK = (
    *("__macosx", "@eadir", "#recycle", "@recycle", "$recycle.bin", "recycler", "recycled"),
    *("@__thumb", "@recently-snapshot", "#snapshot", "system volume information", "@tmp"),
    *("lost+found", "found.000", "files_trashbin", "files_versions", "ipod photo cache"),
    *("captureone", "~snapshot", "network trash folder", "temporary items"),
)
PREVIEWS = (".lrdata", ".lrcat-data", ".cocatalogdb")  # how such folders end
CLOUDS = "appdata_oc"  # how the folder of Nextcloud's previews begins
LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary", ".cocatalog")
ORIGINALS = ("originals", "masters")  # what counts in a photo library
IMMICH = {"upload", "library", "encoded-video"}  # what lies beside its thumbs


def is_junk(name: str, within: str = "") -> bool:
    """Return whether a folder holds what another program keeps for itself.

    Args:
        name: What it is called.
        within: What the folder around it is called.
    """
    name = name.lower()
    if within.lower().endswith(LIBRARIES):
        return name not in ORIGINALS
    return name in JUNK or name.endswith(PREVIEWS) or name.startswith(CLOUDS)


@dataclass(frozen=True)
class LeftOut:
    """What is not looked at in a folder, why, and how many files that is."""

    path: str
    reason: str
    count: int


def folders(
    root: Path, left_out: list[LeftOut], without: Collection[str] = ()
) -> Iterator[tuple[str, list[os.DirEntry]]]:
    """Yield (path below root with a final "/", its files) of root and every folder below it.

    What is hidden, and the folders of `is_junk`, are left out, one line a folder; so are those with
    a name in ``without``, which are not looked into. Each real folder comes once, so a loop of
    links ends; links wait until all real folders have been seen, so a linked folder is listed under
    its own name where it has one below root.
    """
    seen, real, links = set(), [""], []
    while real or links:
        prefix = (real or links).pop()
        try:
            status = os.stat(os.path.join(root, prefix))
            with os.scandir(os.path.join(root, prefix)) as found:
                entries = list(found)
        except OSError as error:
            check_machine(prefix or root, error)
            reason = f"this folder cannot be read ({error.strerror})"
            left_out.append(LeftOut(prefix or ".", reason, 0))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries = _sorted_out(prefix, entries, left_out)
        below = [entry for entry in entries if _is_folder(entry)]
        for entry in sorted(below, key=lambda entry: entry.name, reverse=True):
            if entry.name in without:
                left_out.append(LeftOut(f"{prefix}{entry.name}/", "it is not asked for", 0))
            else:
                (links if entry.is_symlink() else real).append(f"{prefix}{entry.name}/")
        files = [entry for entry in entries if not _is_folder(entry)]
        yield prefix, [entry for entry in files if not _is_elsewhere(root, prefix, entry, left_out)]


def _is_elsewhere(root: Path, prefix: str, entry: os.DirEntry, left_out: list[LeftOut]) -> bool:
    """Return whether a file is a link that leads out of root, which is left out then."""
    if not (entry.is_symlink() and leads_out(root, prefix + entry.name)):
        return False
    left_out.append(LeftOut(prefix + plain(entry.name), LEADS_OUT, 1))
    return True


def _sorted_out(
    prefix: str, entries: list[os.DirEntry], left_out: list[LeftOut]
) -> list[os.DirEntry]:
    """Return what is to be looked at in a folder."""
    kept, hidden = [], []
    within = prefix.rstrip("/").rpartition("/")[2]
    is_immich = not IMMICH.isdisjoint(entry.name for entry in entries)
    for entry in entries:
        is_folder, shown = _is_folder(entry), plain(entry.name)
        if is_folder and (
            entry.name.startswith(".")
            or is_junk(entry.name, within)
            or (is_immich and entry.name == "thumbs")
        ):
            what = "it is hidden" if entry.name.startswith(".") else "another program keeps it"
            if count := _count(entry):
                reason = f"{what}, with its {count_of(count, 'file')}"
                left_out.append(LeftOut(f"{prefix}{shown}/", reason, count))
        elif entry.name.startswith("."):
            hidden.append(shown)
        elif shown != entry.name:
            reason = "its name is not UTF-8; rename it and it will be found"
            left_out.append(LeftOut(prefix + shown, reason, _count(entry) if is_folder else 1))
        else:
            kept.append(entry)
    if hidden:
        reason = f"{count_of(len(hidden), 'hidden file')} in it, the first {min(hidden)}"
        left_out.append(LeftOut(prefix or "./", reason, len(hidden)))
    return kept


def count_of(n: int, thing: str) -> str:
    """Return a number with its noun: 1 file, 1,200 files."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _count(folder: os.DirEntry) -> int:
    return sum(len(names) for _, _, names in os.walk(folder.path))


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
