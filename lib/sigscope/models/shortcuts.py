"""Shortcuts: faster twins of a checkpoint's parts, kept only where they agree with the original.

Both are compared on drawn pictures when a checkpoint is loaded. A twin that differs by more than
float32 rounding is dropped, so a checkpoint of an unusual make is slower but never wrong. And
threads that each compute alone: small convolutions gain more from that than from sharing the work.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any

import numpy as np
from PIL import Image

from sigscope.models import agreement

Prepare = Callable[[Sequence[Image.Image]], Mapping]


def prepare_with(processor: Any) -> Prepare:
    """Return what turns RGB pictures into a batch of tensors as processor does, in less time.

    The common rule, resize to a fixed size then scale each channel, needs one pass over the pixels
    where the processor makes six. For any other rule the processor itself is returned.
    """
    plain = _plain(processor)

    def original(pictures: Sequence[Image.Image]) -> Mapping:
        return dict(processor(list(pictures), return_tensors="pt"))

    return plain if plain and _same_pixels(plain, original) else original


def folded(network: Any, batch: Mapping) -> Any:
    """Return network with its batch norms folded into the convolutions before them, if it agrees.

    Gates that are always open are taken out, and activations write over what the convolutions
    made. Batch is pictures to compare with.
    """
    import torch

    twin = copy.deepcopy(network)
    _fold(twin)
    _take_out_open_gates(twin)
    twin = twin.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        ours, exact = (one.get_image_features(**batch).pooler_output for one in (twin, network))
        cosine = torch.nn.functional.cosine_similarity(ours, exact).min()
    return twin if cosine > 0.99999 else network


@cache
def abreast() -> ThreadPoolExecutor:
    """Return the pool of as many threads as PyTorch uses, each of which computes on one core."""
    import torch

    n = torch.get_num_threads()
    pool = ThreadPoolExecutor(n, "picture", torch.set_num_threads, (1,))
    started = Barrier(n)
    list(pool.map(lambda _: started.wait(), range(n)))
    torch.set_num_threads(n)  # what a thread sets for itself, threads to come would start with
    return pool


def _plain(processor: Any) -> Prepare | None:
    """Return the one-pass twin of a processor that resizes, rescales and normalises, or None."""
    import torch

    size = getattr(processor, "size", None) or {}
    if not (size.get("height") and size.get("width") and processor.image_mean):
        return None
    height, width = size["height"], size["width"]
    std = torch.tensor(processor.image_std)
    scale = (processor.rescale_factor / std).repeat(width)  # of a row: red, green, blue in turn
    shift = (-torch.tensor(processor.image_mean) / std).repeat(width)

    def prepare(pictures: Sequence[Image.Image]) -> Mapping:
        pixels = torch.empty((len(pictures), height, 3 * width))
        for place, picture in zip(pixels, pictures, strict=True):
            values = np.array(picture.resize((width, height), processor.resample))
            torch.addcmul(shift, torch.from_numpy(values).flatten(1).float(), scale, out=place)
        return {"pixel_values": pixels.unflatten(2, (width, 3)).permute(0, 3, 1, 2)}

    return prepare


def _same_pixels(plain: Prepare, original: Prepare) -> bool:
    import torch

    ours, exact = plain(agreement.pictures()), original(agreement.pictures())
    return ours.keys() == exact.keys() and torch.allclose(
        ours["pixel_values"], exact["pixel_values"], atol=1e-5, rtol=0
    )


def _fold(network: Any) -> None:
    """Fold each batch norm that is listed right after a convolution; change network in place."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for parent in list(network.modules()):
        names = [name for name, _ in parent.named_children()]
        for before, after in zip(names, names[1:], strict=False):
            first, second = getattr(parent, before), getattr(parent, after)
            if isinstance(first, torch.nn.Conv2d) and isinstance(second, torch.nn.BatchNorm2d):
                setattr(parent, before, fuse_conv_bn_eval(first, second))
                setattr(parent, after, torch.nn.Identity())
            elif isinstance(second, torch.nn.ReLU | torch.nn.ReLU6 | torch.nn.SiLU):
                second.inplace = True


def _take_out_open_gates(network: Any) -> None:
    """Take out each squeeze-excite that multiplies by 1 whatever it sees; change it in place.

    Its last layer has no weights, and a bias whose sigmoid is 1 in float32.
    """
    import torch

    for parent in list(network.modules()):
        for name, gate in list(parent.named_children()):
            last = getattr(gate, "expand", None)
            if not (name == "squeeze_excite" and isinstance(last, torch.nn.Conv2d)):
                continue
            if not last.weight.any() and bool((last.bias.float().sigmoid() == 1).all()):
                setattr(parent, name, torch.nn.Identity())
