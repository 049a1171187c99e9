"""Cross-modal re-ranking: the first hundred results in the order of a model that reads each one.

Report R4 names it as its first future work. It is never on by itself: a hundred pairs cost a reader
as much as a hundred pictures cost the encoder.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import pandas as pd
from PIL import Image

from sigscope.files import digest
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.images.read import PictureError
from sigscope.models.readers import Reader, open_reader
from sigscope.progress import Progress, progress_bar
from sigscope.search.searcher import Searcher

DEPTH = 100
TURN = 16  # pictures between two steps of the progress bar


def by_reading(
    searcher: Searcher,
    text: str,
    k: int = 10,
    *,
    rerank: str | Path | Reader,
    depth: int = DEPTH,
    progress: Progress = False,
    **how: object,
) -> pd.DataFrame:
    """Return the pictures that fit a text best, the first depth of them ordered by a reader.

    Args:
        searcher: what finds them.
        text: what to look for.
        k: how many to return.
        rerank: a re-ranker (`models.readers`): its folder, its name on the hub, or a reader.
        depth: how many of the results are read; those after them keep their order.
        progress: whether to show a bar, or what to call with each step.
        **how: further arguments of ``Searcher.by_text``.

    Returns:
        The usual table; score is the reader's probability where read is True, and that of the first
        search elsewhere. A picture that cannot be read any more stands after those that can.
        ``attrs`` hold reread_ms, the time that reading took, and reread, how many pairs were read
        now, as each pair is read once: answers are kept in the cache.
    """
    reader = rerank if isinstance(rerank, Reader) else open_reader(rerank)
    table = searcher.by_text(text, max(k, depth), **how)
    start, attrs = perf_counter(), dict(table.attrs)
    first, rest = table.head(depth), table.iloc[depth:]
    known, new = _read(searcher, reader, text, list(first["id"]), progress)
    scores = first["id"].map(known)
    first = first.assign(score=scores.fillna(first["score"]), read=scores.notna())
    first = first.sort_values(["read", "score"], ascending=False, kind="stable")
    table = pd.concat([first, rest.assign(read=False)], ignore_index=True).head(k)
    table["rank"] = range(1, len(table) + 1)
    took = 1000 * (perf_counter() - start)
    table.attrs = attrs | {"reread_ms": took, "reread": new, "reader": reader.model}
    return table


def _read(
    searcher: Searcher, reader: Reader, text: str, ids: list[str], progress: Progress
) -> tuple[dict[str, float], int]:
    """Return the probability of each picture that can be read, and how many were read now."""
    pairs = {id: _pair(searcher.gallery, text, id) for id in ids}
    known = dict(zip(ids, reader.readings.known(list(pairs.values())), strict=True))
    new = [id for id in ids if known[id] is None]
    turns = [new[start : start + TURN] for start in range(0, len(new), TURN)]
    with progress_bar(len(new), "Reading", " pictures", progress) as bar:
        for turn in turns:
            pictures = dict(_pictures(searcher, turn))
            answers = reader.probabilities(text, list(pictures.values()))
            reader.readings.keep([pairs[id] for id in pictures], answers)
            known |= dict(zip(pictures, map(float, answers), strict=True))
            bar.update(len(turn))
    return {id: p for id, p in known.items() if p is not None}, len(new)


def _pair(gallery: Gallery, text: str, id: str) -> str:
    """Return what stands for a text and a picture as its file is now."""
    state: list[int] = []
    with suppress(OSError, GalleryError):  # what is gone cannot be read either
        file = gallery.file(id).stat()
        state = [file.st_size, file.st_mtime_ns]
    return digest([text, gallery.fingerprint, id, state])


def _pictures(searcher: Searcher, ids: list[str]) -> Iterator[tuple[str, Image.Image]]:
    for id in ids:
        with suppress(PictureError):  # its file changed since it was embedded
            yield id, searcher.gallery.picture(id)
