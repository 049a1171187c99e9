"""The pace of a tower: many pictures are encoded in whatever way turns out fastest on this machine.

Which that is hangs on the processor's caches and units more than on the model, so it is measured,
and at no cost: the first full batches, which have to be encoded anyway, are each encoded in another
way, by OpenVINO too where that is installed. Where a job lasts and a C++ compiler is there, torch
compiles the tower with frozen weights in the background meanwhile; what it made is taken if it
agrees and is faster.

Tried on SigLIP-B's shape, two cores, against the eager tower: compiled with frozen weights 1.2 x
with AVX2 (1.3 x with AMX); a batch of 4 on each core 1.1 x; patches as one product instead of a
convolution 0.8 x of that step. Left out: linear layers in int8 (dynamic quantisation), which give
1.4 x with AVX2, but turn the trained siglit-mini's vectors by a cosine of 0.91, and 0.999 is asked.
Convolutional towers take few pictures at once on each core, what its caches hold: torch compiled,
siglit-mini's took 5 x its time, so they are not; by OpenVINO it takes half of it.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from sigscope import paths
from sigscope.models import openvino, shortcuts
from sigscope.models.openvino import CLOSE, Features, Inputs

FULL = 32  # pictures in a batch of a long job
TOGETHER = (32, 16, 8)  # pictures in a part on which all threads work
ABREAST = (4, 8)  # and in one that a thread has to itself
FEW = 2  # the same of a tower of convolutions
ROUNDS = 2  # of which the faster counts
LONG_S = 120.0  # of encoding, after which compiling may pay; a process waits for it at its end
FASTER = 1.05  # what was compiled must be so much faster
OPTIONS = {"freezing": True, "compile_threads": 1}

Way = tuple[int, bool]  # pictures in a part, and whether parts are encoded abreast
BY_OPENVINO: Way = (1, True)


class Unfit(RuntimeError):
    """A way that this tower cannot be encoded in."""


class Pace:
    """Encodes batches, learns from the full ones, and compiles once it is worth it."""

    def __init__(
        self,
        features: Features,
        tower: Callable[..., Any],
        convolves: bool = False,
        by_openvino: bool = False,
    ) -> None:
        """Begin without knowing anything.

        Args:
            features: encodes a batch of any size at once.
            tower: the same from tensors by name to a tensor, to be compiled.
            convolves: whether it is made of convolutions.
            by_openvino: whether OpenVINO may compute it, where it is installed.
        """
        self._features, self._tower, self._convolves = features, tower, convolves
        self._compiled: tuple[int, Features] | None = None
        if convolves:
            self._ways = {(FEW, True): abreast}
        else:
            self._ways = {(size, False): _in_turn for size in TOGETHER}
            self._ways |= {(size, True): abreast for size in ABREAST}
        if by_openvino and openvino.is_wanted():
            self._ways[BY_OPENVINO] = self._by_openvino
        self._seconds: dict[Way, list[float]] = {way: [] for way in self._ways}
        self._spent, self._thread = 0.0, None
        self._engine: openvino.Compiled | None = None

    def __call__(self, batch: Inputs) -> np.ndarray:
        """Return the features of a batch, float32, shape (n, d); any thread may call it."""
        many = len(batch["pixel_values"])
        if self._convolves and FEW < many < FULL:
            return abreast(self._features, batch, FEW)
        if many != FULL:  # a query, or the end of a gallery
            return self._features(batch)
        if self._compiled:
            size, features = self._compiled
            return _in_turn(features, batch, size)
        way = self._untried[0] if self._untried else self._fastest(self._seconds)
        start = perf_counter()
        try:
            found = self._ways[way](self._features, batch, way[0])
        except Unfit:
            del self._ways[way], self._seconds[way]
            return self(batch)
        took = perf_counter() - start
        self._seconds[way].append(took)
        self._spent += took
        if self._spent > LONG_S and not self._untried:
            self._begin(batch)
        return found

    def _by_openvino(self, features: Features, batch: Inputs, size: int) -> np.ndarray:
        """Return the features of a batch, picture by picture, by the tower that OpenVINO makes."""
        if self._engine is None:
            some = list(_parts(batch, size))[:FEW]
            try:
                self._engine = openvino.Compiled(self._tower, some, features, "THROUGHPUT")
            except Exception as reason:  # whatever it stumbles over, the plain tower serves on
                raise Unfit from reason
        return self._engine(batch)

    def settle(self, batch: Inputs) -> None:
        """Measure and compile now, on one full batch, and wait until it is done."""
        while self._untried and not self._compiled:
            self(batch)
        self._begin(batch)
        if self._thread:
            self._thread.join()

    @property
    def _untried(self) -> list[Way]:
        return [way for way, seconds in self._seconds.items() if len(seconds) < ROUNDS]

    def _fastest(self, ways: Iterable[Way]) -> Way:
        return min(ways, key=lambda way: min(self._seconds[way]))

    def _begin(self, batch: Inputs) -> None:
        plain = set(batch) == {"pixel_values"} and not self._convolves
        if self._thread is None and plain and _compiler():
            size, _ = self._fastest((size, False) for size in TOGETHER)
            part = batch["pixel_values"][:size]
            self._thread = threading.Thread(target=self._compile, args=(part,))
            self._thread.start()

    def _compile(self, part: Any) -> None:
        """Put the compiled tower in the place of the plain one, if it is right and faster."""
        import torch

        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.CACHE / "compiled"))
        inputs = {"pixel_values": part}
        try:
            quick = torch.compile(self._tower, dynamic=False, options=OPTIONS)
            features = partial(_answer, quick)
            ours = features(inputs)
        except Exception:  # whatever torch or a compiler stumbles over, the plain tower serves on
            return
        exact = self._features(inputs)
        if not shortcuts.least_cosine(_unit(ours), _unit(exact)) >= CLOSE:
            return
        best = min(self._seconds[self._fastest(self._seconds)])
        ahead = min(self._seconds[len(part), False]) / best  # of the plain tower in such parts
        if FASTER * ahead * _seconds(features, inputs) < _seconds(self._features, inputs):
            self._compiled = len(part), features


def _in_turn(features: Features, batch: Inputs, size: int) -> np.ndarray:
    """Return the features of a batch in parts of a size, one after the other on all threads."""
    return np.concatenate([features(part) for part in _parts(batch, size)])


def abreast(features: Features, batch: Inputs, size: int) -> np.ndarray:
    """Return the same, each part on one thread and as many at once as there are threads."""
    return np.concatenate(list(shortcuts.abreast().map(features, _parts(batch, size))))


def _parts(batch: Inputs, size: int) -> Iterator[dict]:
    parts = zip(*(tensor.split(size) for tensor in batch.values()), strict=True)
    return (dict(zip(batch, part, strict=True)) for part in parts)


def _answer(tower: Callable[[Any], Any], inputs: Inputs) -> np.ndarray:
    import torch

    with torch.no_grad():  # under inference_mode it would be compiled again
        return tower(**inputs).float().numpy()


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _seconds(features: Features, inputs: Inputs) -> float:
    taken = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        features(inputs)
        taken.append(perf_counter() - start)
    return min(taken[1:])


def _compiler() -> str | None:
    """Return the C++ compiler that torch would use, or None; SIGSCOPE_COMPILE=0 forbids it."""
    if os.environ.get("SIGSCOPE_COMPILE") == "0":
        return None
    return shutil.which(os.environ.get("CXX", "g++"))
