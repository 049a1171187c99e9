"""One text by itself, as a search asks it: the same tower, in whatever answers soonest here."""

import threading
from collections.abc import Callable

import numpy as np

from sigscope.models import openvino
from sigscope.models.bert import BertText
from sigscope.models.openvino import Features, Inputs
from sigscope.models.shortcuts import TEXTS

SEVERAL = 2  # texts asked one by one, after which more will come


class Alone:
    """Encodes one text by OpenVINO where that is installed, by NumPy where it is a BERT."""

    def __init__(
        self,
        tower: Callable[..., object],
        tokens: Callable[[str], Inputs],
        exact: Features,
        bert: BertText | None,
    ) -> None:
        """Begin without OpenVINO, which compiles in the background once several texts were asked.

        Args:
            tower: from tensors by name to one of shape (1, d).
            tokens: those of a text, as the tower takes them.
            exact: the features of torch.
            bert: the same tower in NumPy, if it is a BERT.
        """
        self._tower, self._tokens, self._exact, self._bert = tower, tokens, exact, bert
        self._asked, self._lock = 0, threading.Lock()
        self._compiled: openvino.Compiled | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, text: str) -> np.ndarray | None:
        """Return the features of a text, float32, shape (d,), not normalised; None: ask torch."""
        if self._compiled:
            return self._compiled(self._tokens(text))[0]
        self._begin()
        return self._bert.features(text) if self._bert else None

    def settle(self, text: str) -> None:
        """Wait until what is quickest is there, as it is after some texts."""
        for _ in range(SEVERAL):
            self(text)
        if self._thread:
            self._thread.join()

    def _begin(self) -> None:
        with self._lock:
            self._asked += 1
            if self._asked == SEVERAL and openvino.is_wanted():
                self._thread = threading.Thread(target=self._compile)
                self._thread.start()

    def _compile(self) -> None:
        examples = map(self._tokens, TEXTS)
        try:
            self._compiled = openvino.Compiled(self._tower, examples, self._exact, "LATENCY")
        except Exception:  # whatever it stumbles over, what there is serves on
            return
