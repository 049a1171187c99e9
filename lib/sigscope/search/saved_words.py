"""Saved words: a large keyword index is kept in the cache; the next start maps it into memory."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import bm25s

from sigscope import paths
from sigscope.cache import mark_used
from sigscope.files import atomic_folder, digest, read_sealed, sha256, write_sealed
from sigscope.rerank.fusion import Keywords, StoredTexts

FEW = 5_000  # texts, whose index is made in less time than it takes to look for it
FORM = 1  # grows when `search.words` reads words in another way
RECORD = "words.json"
log = logging.getLogger(__name__)


def open_keywords(stored: StoredTexts, terms: Callable[[str], list[str]]) -> Keywords:
    """Return the keyword index of texts from the cache, or build it and keep it there.

    Where it lies depends on the texts and their rows. What is broken there is built again, and the
    log says so; what cannot be kept is only built.

    Args:
        stored: the texts.
        terms: the words of a text.
    """
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


def _loaded(folder: Path) -> bm25s.BM25:
    """Return the index in a folder; ValueError says that it is not what was saved."""
    if read_sealed(folder / RECORD)["files"] != _digests(folder):
        raise ValueError("its files are not as they were written")
    mark_used(folder / RECORD)
    return bm25s.BM25.load(folder, mmap=True, show_progress=False)


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file) for file in sorted(folder.iterdir()) if file.name != RECORD}
