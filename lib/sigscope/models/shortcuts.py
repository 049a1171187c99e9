"""Shortcuts: faster twins of a checkpoint's parts, kept only where they agree with the original.

They are compared on drawn pictures and plain texts. A twin that differs by more than float32
rounding is dropped, so a checkpoint of an unusual make is slower but never wrong. What a short
number format or folding costs is a cosine, measured once for a checkpoint on a machine and kept in
the cache. And threads that each compute alone: small
convolutions gain more from that than from sharing the work.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
from PIL import Image

from sigscope import files, paths
from sigscope.cache import mark_used
from sigscope.models import checkpoints
from sigscope.models.hub import ModelError
from sigscope.models.towers import PARTS, processor

Measure = Callable[[Path, tuple[str, ...], str, str], float]  # of folder, towers, device, dtype
Prepare = Callable[[Sequence[Image.Image]], Mapping]
LEAST = 0.999
TEXTS = (
    "a red bicycle leaning against a wall",
    "two dogs",
    "An old map of the world, drawn by hand, with ships and sea monsters.",
    "42",
)


def pictures() -> list[Image.Image]:
    """Return four RGB pictures of unlike kinds: a ramp, a chequerboard, noise, a disc on white."""
    y, x = np.mgrid[:96, :128]
    ramp = np.stack([2 * x, 2 * y, 255 - 2 * x], axis=-1)
    board = np.where(((x // 16 + y // 16) % 2)[..., None], (250, 220, 40), (20, 40, 120))
    noise = np.random.default_rng(0).integers(256, size=(96, 128, 3))
    disc = np.where(
        ((x - 64) ** 2 + (y - 48) ** 2 < 900)[..., None], (200, 30, 30), (255, 255, 255)
    )
    return [Image.fromarray(kind.astype(np.uint8)) for kind in (ramp, board, noise, disc)]


def least_cosine(ours: np.ndarray, exact: np.ndarray) -> float:
    """Return the smallest cosine between the rows of two arrays of unit vectors, shape (n, d)."""
    return float((ours * exact).sum(axis=1).min())


def home() -> Path:
    """Return where the cosines that were measured are kept, a small file for each."""
    return paths.CACHE / "agreement"


def settled_dtype(
    folder: Path, towers: tuple[str, ...], device: str, dtype: str, measure: Measure
) -> tuple[str, str]:
    """Return the number format to load a checkpoint in, and what a person should know of it.

    The format is dtype, or float32 where either tower strays in dtype, so that it is the same
    whichever towers are loaded. Only where the other one is broken are those to load asked alone.

    Raises:
        ModelError: A tower to load is broken.
    """
    if dtype == "float32":
        return dtype, ""
    both = tuple(PARTS)

    def least(of: tuple[str, ...]) -> float:
        facts = _facts(folder, of, device, dtype)
        return _remembered(facts, partial(measure, folder, of, device, dtype))

    try:
        cosine = least(both)
    except ModelError:
        if towers == both:
            raise
        cosine = least(towers)
    if cosine >= LEAST:
        return dtype, ""
    return "float32", f"; {dtype} was given up, as its cosine to float32 is only {cosine:.4f}"


def prepare_with(processor: Any) -> Prepare:
    """Return what turns RGB pictures into a batch of tensors as processor does, in less time.

    The common rule, resize to a fixed size then scale each channel, needs one pass over the pixels
    where the processor makes six. For any other rule the processor itself is returned.
    """
    plain = _plain(processor)

    def original(pictures: Sequence[Image.Image]) -> Mapping:
        return dict(processor(list(pictures), return_tensors="pt"))

    return plain if plain and _same_pixels(plain, original) else original


def folded(network: Any, batch: Mapping, folder: Path | None = None) -> Any:
    """Fold a network's batch norms into the convolutions before them, if it then still agrees.

    Gates that are always open are taken out, activations write over what the convolutions made, and
    the mean of a whole map is asked for as such.

    Args:
        network: it is changed in place, and returned.
        batch: pictures to compare with.
        folder: the checkpoint that it was loaded from; then a machine compares it only once.
    """
    measure = partial(_cosine_folded, network, batch)
    if folder:
        cosine = _remembered(_facts(folder, ("image",), "cpu", "folded"), measure)
    else:
        cosine = measure()
    return _fold(network) if cosine > 0.99999 else network


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


def _remembered(what: dict, measure: Callable[[], float]) -> float:
    """Return the cosine that was measured for these facts, or measure it now.

    A file that is broken, or cannot be written, only means that it is measured again.
    """
    file = home() / f"{hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]}.json"
    cosine = _kept(file, what)
    if cosine is None:
        cosine = measure()
        with suppress(OSError):
            files.write_sealed(file, {"cosine": cosine, "of": what})
    else:
        mark_used(file)
    return cosine


def _facts(folder: Path, towers: tuple[str, ...], device: str, form: str) -> dict:
    """Return what a cosine depends on; form is a number format, or "folded"."""
    import torch

    return {
        "weights": checkpoints.weights_sha256(folder),
        "towers": list(towers),
        "dtype": form,
        "device": device,
        "processor": processor(device),
        "torch": torch.__version__,
    }


def _kept(file: Path, what: dict) -> float | None:
    with suppress(OSError, ValueError, TypeError, LookupError):
        kept = files.read_sealed(file)
        if kept["of"] == what and -1 <= kept["cosine"] <= 1.001:
            return float(kept["cosine"])
    return None


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

    ours, exact = plain(pictures()), original(pictures())
    if ours.keys() != exact.keys():
        return False
    ours, exact = ours["pixel_values"], exact["pixel_values"]
    return ours.shape == exact.shape and torch.allclose(ours, exact, atol=1e-5, rtol=0)


def _cosine_folded(network: Any, batch: Mapping) -> float:
    """Return the smallest cosine of pictures' features before and after folding a copy."""
    import torch

    both = _fold(copy.deepcopy(network)), network
    with torch.inference_mode():
        ours, exact = (one.get_image_features(**batch).pooler_output for one in both)
        return float(torch.nn.functional.cosine_similarity(ours, exact).min())


def _fold(network: Any) -> Any:
    import torch

    _fold_norms(network)
    _take_out_open_gates(network)
    _name_whole_means(network)
    return network.to(memory_format=torch.channels_last)


def _fold_norms(network: Any) -> None:
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


def _name_whole_means(network: Any) -> None:
    """Put the mean of a whole map where EfficientNet has a window larger than any; in place."""
    import torch

    for parent in list(network.modules()):
        for name, pool in list(parent.named_children()):
            if name == "pooler" and isinstance(pool, torch.nn.AvgPool2d):
                setattr(parent, name, torch.nn.AdaptiveAvgPool2d(1))
