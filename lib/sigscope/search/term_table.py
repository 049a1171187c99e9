"""A term table: BM25 over very many texts, read once one by one and kept in files that are mapped.

``bm25s`` keeps the words of all texts in memory while it builds. Here a text is forgotten once its
words are counted, and what is kept is numbers. The scores are those of ``bm25s`` in Lucene's form
(`rerank.fusion.Keywords`), and a table stands in for its index there.
"""

import os
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from sigscope.progress import progress_bar

K1, B = 1.5, 0.75  # as `Keywords` sets them
BATCH = 100_000  # texts counted at once
TERMS = "terms.arrow"
ARRAYS = ("data", "indices", "indptr")


class Terms:
    """The distinct words of all texts, in alphabetical order; a word's number is its place."""

    def __init__(self, file: Path) -> None:
        """Map a file that `write_table` wrote."""
        self._words = pa.ipc.open_file(pa.memory_map(str(file))).read_all()["term"].chunk(0)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        """Yield each word."""
        return (word.as_py() for word in self._words)

    def get(self, word: str) -> int | None:
        """Return the number of a word, or None where no text has it."""
        place = bisect_left(range(len(self)), word, key=lambda at: self._words[at].as_py())
        return place if place < len(self) and self._words[place].as_py() == word else None


class TermTable:
    """How much each word adds to the score of each text that has it; threads may share it.

    Attributes:
        scores: as ``bm25s`` has them: ``indptr`` (where each word begins), ``indices`` (the texts
            that have it, rising), ``data`` (float32).
        vocab_dict: the number of each word.
    """

    def __init__(self, folder: Path, texts: int) -> None:
        """Map the files in a folder, of so many texts."""
        self.texts, self.vocab_dict = texts, Terms(folder / TERMS)
        self.scores = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}

    def get_scores(self, words: Iterable[str]) -> np.ndarray:
        """Return the BM25 score of each text for a query's words, float32, (texts,)."""
        scores = np.zeros(self.texts, np.float32)
        for word in words:
            if (number := self.vocab_dict.get(word)) is not None:
                some = slice(*self.scores["indptr"][number : number + 2])
                scores[self.scores["indices"][some]] += self.scores["data"][some]
        return scores


def write_table(
    folder: Path, texts: Iterable[str], n: int, terms: Callable[[str], list[str]]
) -> None:
    """Write the files of a term table.

    Args:
        folder: an empty one.
        texts: read once, in their order.
        n: how many there are.
        terms: the words of a text.
    """
    numbers: dict[str, int] = {}
    counted, lengths = [], []
    with progress_bar(n, "Reading words", " texts", sys.stderr.isatty()) as bar:
        for some in _batches(texts):
            own, length = array("i"), array("i")
            for text in some:
                words = terms(text) or [""]
                own.extend([numbers.setdefault(word, len(numbers)) for word in words])
                length.append(len(words))
            counted.append(_counted(np.frombuffer(own, np.int32), np.frombuffer(length, np.int32)))
            lengths.append(np.frombuffer(length, np.int32))
            bar.update(len(some))
    starts = np.cumsum([0, *map(len, lengths)])
    words, counts = (np.concatenate([part[at] for part in counted]) for at in (0, 2))
    rows = np.concatenate([part[1] + start for part, start in zip(counted, starts, strict=False)])
    lengths = np.concatenate(lengths)
    frequencies = np.bincount(words, minlength=len(numbers))
    rare = np.log(1 + (n - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    near = counts.astype(np.float32)
    near = near / (K1 * ((1 - B) + B * lengths[rows] / lengths.mean()) + near)
    sorted_words = sorted(numbers)
    place = np.empty(len(numbers), np.int32)
    place[[numbers[word] for word in sorted_words]] = np.arange(len(numbers))
    order = np.argsort(place[words], kind="stable")
    np.save(folder / "data.npy", (rare[words] * near)[order].astype(np.float32))
    np.save(folder / "indices.npy", rows[order].astype(np.int32))
    ends = np.cumsum(frequencies[np.argsort(place)])
    np.save(folder / "indptr.npy", np.concatenate([[0], ends]))
    table = pa.table({"term": pa.array(sorted_words, pa.large_string())})
    sink = os.fspath(folder / TERMS)
    with pa.OSFile(sink, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _counted(words: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return each pair of a word and a text that has it, and how often; int32, by text."""
    rows = np.repeat(np.arange(len(lengths)), lengths)
    pairs, counts = np.unique(rows << 32 | words, return_counts=True)
    parts = pairs & 0xFFFFFFFF, pairs >> 32, counts
    return tuple(part.astype(np.int32) for part in parts)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for text in texts:
        some.append(text)
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some
