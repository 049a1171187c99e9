"""Saved words: a large keyword index is kept in the cache; the next start maps it into memory."""

import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import bm25s

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import atomic_folder, digest, read_sealed, sha256, size_of, write_sealed
from sigscope.rerank.fusion import Keywords, StoredTexts
from sigscope.search.term_table import TermTable, write_table

FEW = 5_000  # texts, whose index is made in less time than it takes to look for it
FORM = 1  # grows when `search.words` reads words in another way
RECORD = "words.json"
log = logging.getLogger(__name__)


def open_keywords(
    stored: StoredTexts, terms: Callable[[str], list[str]], stamp: str = ""
) -> Keywords:
    """Return the keyword index of texts from the cache, or build it and keep it there.

    Where it lies depends on the texts and their rows. What is broken there is built again, and the
    log says so; what cannot be kept is only built.

    Args:
        stored: the texts.
        terms: the words of a text.
        stamp: what stands for the texts where they are too many to be held: their index is a
            `TermTable`, which needs room in the cache.
    """
    if stamp:
        return Keywords(stored, _table(stored, terms, stamp), terms)
    if len(stored.texts) < FEW:
        return Keywords.build(stored, terms)
    key = digest([FORM, bm25s.__version__, stored.texts.tolist(), stored.rows.tolist()])[:32]
    folder = paths.CACHE / "words" / key
    if folder.is_dir():
        try:
            return Keywords(stored, _loaded(folder), terms)
        except (OSError, ValueError, LookupError, TypeError) as reason:
            log.warning("the keyword index in %s is broken (%s): built again", folder, reason)
            shutil.rmtree(folder, ignore_errors=True)
    built = Keywords.build(stored, terms)
    try:
        with atomic_folder(folder) as part:
            built.retriever.save(part, show_progress=False)
            write_sealed(part / RECORD, {"files": _digests(part)})
    except OSError as error:
        log.warning("the keyword index cannot be kept in %s (%s)", folder, error)
    return built


def _table(stored: StoredTexts, terms: Callable[[str], list[str]], stamp: str) -> TermTable:
    n = len(stored.texts)
    folder = paths.CACHE / "words" / digest([FORM, "table", stamp, n])[:32]
    sizes = {}
    with suppress(OSError, ValueError, LookupError, TypeError):
        sizes = read_sealed(folder / RECORD)["sizes"]
    if not sizes or sizes != _sizes(folder):
        shutil.rmtree(folder, ignore_errors=True)
        with atomic_folder(folder) as part:
            write_table(part, stored.texts, n, terms)
            write_sealed(part / RECORD, {"sizes": _sizes(part)})
    mark_used(folder / RECORD)
    return TermTable(folder, n)


def _sizes(folder: Path) -> dict[str, int]:
    return {file.name: size_of(file) for file in sorted(folder.glob("*.*")) if file.name != RECORD}


def _loaded(folder: Path) -> bm25s.BM25:
    """Return the index in a folder; ValueError says that it is not what was saved."""
    if read_sealed(folder / RECORD)["files"] != _digests(folder):
        raise ValueError("its files are not as they were written")
    mark_used(folder / RECORD)
    return bm25s.BM25.load(folder, mmap=True, show_progress=False)


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != RECORD}
