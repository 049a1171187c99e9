"""A copy of a Faiss index on a GPU, where ``SIGSCOPE_INDEX_DEVICE=cuda`` asks for one.

It needs a Faiss with code for GPUs (pip's ``faiss-gpu-cu12`` in the place of ``faiss-cpu``), which
holds flat indexes and inverted files of rows, of scalar-quantised rows and of PQ codes there
(Johnson, Douze and Jégou 2017). Plain searches go to the copy. The index itself stays where it is,
for what Faiss does not do on a GPU: other kinds of index, filters, long lists, many cells.
"""

import logging
import os
from threading import Lock

import faiss
import numpy as np

SETTING = "SIGSCOPE_INDEX_DEVICE"
MOST = 2048  # results, or cells, that Faiss looks at on a GPU
HOW = "leave it out, or set it to cpu, to search without one"
log = logging.getLogger(__name__)


class NoGpu(ValueError):
    """A GPU is asked for that is not there; the message says what to do."""


def is_asked() -> bool:
    """Return whether indexes are to be copied to a GPU.

    Raises:
        NoGpu: They are, and this machine or this Faiss has none; or the setting says neither.
    """
    asked = os.environ.get(SETTING, "cpu")
    if asked not in ("cpu", "cuda"):
        raise NoGpu(f"{SETTING}={asked} is neither cpu nor cuda; {HOW}")
    if asked == "cuda" and not hasattr(faiss, "StandardGpuResources"):
        raise NoGpu(
            f"{SETTING}=cuda, and the Faiss that is installed has no code for GPUs: "
            f"run 'pip uninstall faiss-cpu' and 'pip install faiss-gpu-cu12'; {HOW}"
        )
    if asked == "cuda" and not faiss.get_num_gpus():
        raise NoGpu(f"{SETTING}=cuda, and Faiss finds no GPU here; {HOW}")
    return asked == "cuda"


class GpuCopy:
    """The copy of one index, made when it is searched for the first time."""

    _resources: "faiss.StandardGpuResources | None" = None  # one for all copies: memory to work in
    _turn = Lock()  # no two threads may use it at once

    def __init__(self, index: faiss.Index) -> None:
        """Take an index, built."""
        self._index = index
        self._copy: faiss.Index | None = None
        self._stays = False  # whether Faiss has no such index on a GPU

    def search(
        self, xq: np.ndarray, k: int, params: "faiss.SearchParameters | None"
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return what Faiss's ``search`` does, or None where the index itself has to be asked.

        Args:
            xq: queries, float32, (queries, d).
            k: how many results.
            params: without a selector; of an inverted file, how many cells.
        """
        cells = getattr(params, "nprobe", 0)
        if self._stays or max(k, cells) > MOST:
            return None
        with self._turn:
            if self._copy is None:
                self._make()
            return None if self._stays else self._copy.search(xq, k, params=params)

    def _make(self) -> None:
        if GpuCopy._resources is None:
            GpuCopy._resources = faiss.StandardGpuResources()
        try:
            self._copy = faiss.index_cpu_to_gpu(GpuCopy._resources, 0, self._index)
        except RuntimeError as error:
            self._stays = True
            log.warning(
                "%s stays on the CPU, as Faiss does not take it to a GPU: %s",
                type(self._index).__name__,
                str(error).strip().splitlines()[-1],
            )
