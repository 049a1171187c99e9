"""Let a torchvision built for CUDA be imported beside a torch built for the CPU.

The registry's torchvision for Linux is of the former kind, and CI's torch of the latter. Its
compiled operators, which nothing here calls, must be known by name before it can be imported.
"""

import sys

import torch

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
try:
    import torchvision  # noqa: F401
except ImportError:  # not installed, so nothing to mend
    pass
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        operators.define(name + SIGNATURE)
