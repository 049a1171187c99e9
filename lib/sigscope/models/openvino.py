"""OpenVINO (extra openvino): a tower compiled for the processor, by Intel's library.

Measured against torch on two cores with AVX2, float32, at a cosine of 1.0000: a picture of
siglit-mini 35 -> 18 ms, a text of its BERT 24 -> 8 ms (16 ms in NumPy), a picture of SigLIP-B
399 -> 348 ms. It takes the memory of the tower once more, and some two seconds to compile.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

CLOSE = 0.9999  # the least cosine to torch's

Inputs = Mapping[str, Any]  # names to tensors, each of shape (n, ...)
Features = Callable[[Inputs], np.ndarray]  # shape (n, d), float32, not normalised


class Disagrees(RuntimeError):
    """A tower that OpenVINO computes otherwise than torch."""


def is_wanted() -> bool:
    """Return whether OpenVINO is installed, and SIGSCOPE_COMPILE=0 does not forbid it."""
    return os.environ.get("SIGSCOPE_COMPILE") != "0" and find_spec("openvino") is not None


class Compiled:
    """A tower that answers each row of its inputs by itself; threads may share it."""

    def __init__(
        self, tower: Callable[..., Any], examples: Iterable[Inputs], exact: Features, hint: str
    ) -> None:
        """Compile a tower, and compare it with what it is to answer.

        Args:
            tower: from tensors by name to one of shape (1, d).
            examples: inputs of one row each; those of integers may have any length.
            exact: the features of torch.
            hint: "LATENCY", where all threads work on one row, or "THROUGHPUT", each on its own.

        Raises:
            Disagrees: The cosine of both is below 0.9999.
        """
        import torch

        sys.modules.setdefault("openvino_telemetry", None)  # else the import would tell Intel
        import openvino

        examples = list(examples)
        self._names = list(examples[0])
        given = tuple(examples[0].values())
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # on what a trace holds
            network = openvino.convert_model(
                _module(tower, self._names),
                example_input=given,
                input=[list(one.shape) if one.is_floating_point() else [1, -1] for one in given],
            )
        how = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
        how["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
        self._queue = openvino.AsyncInferQueue(openvino.compile_model(network, "CPU", how))
        self._lock = threading.Lock()
        for example in examples:
            cosine = _cosine(self(example)[0], exact(example)[0])
            if not cosine >= CLOSE:
                raise Disagrees(f"OpenVINO's cosine to torch is {cosine:.4f}")

    def __call__(self, inputs: Inputs) -> np.ndarray:
        """Return the features of n rows, float32, shape (n, d), not normalised."""
        arrays = [inputs[name].numpy() for name in self._names]
        rows = range(len(arrays[0]))
        found: dict[int, np.ndarray] = {}

        def keep(request: Any, row: int) -> None:
            found[row] = request.get_output_tensor(0).data[0].copy()

        with self._lock:
            self._queue.set_callback(keep)
            for row in rows:
                one = [np.ascontiguousarray(array[row : row + 1]) for array in arrays]
                self._queue.start_async(one, row)
            self._queue.wait_all()
        return np.stack([found[row] for row in rows])


def _module(tower: Callable[..., Any], names: list[str]) -> Any:
    """Return a tower as the module that OpenVINO reads: from tensors in this order to one."""
    import torch

    class Forward(torch.nn.Module):
        def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
            return tower(**dict(zip(names, tensors, strict=True)))

    module = Forward()
    return module.eval()


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
