"""Towers: the two halves of a network in torch, loaded together or one alone, ready to answer.

A network here is in float32 when loaded and in evaluation mode; a half that was not asked for is
never given memory.
"""

import copy
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from sigscope.models.checkpoints import weight_files
from sigscope.models.families import Family
from sigscope.models.hub import ModelError

PARTS = {"text": ("text_model", "text_projection"), "image": ("vision_model", "visual_projection")}
DEVICES = ("cuda", "mps", "cpu")
DTYPES = ("float32", "bfloat16", "float16")
SHORT_UNITS = ("avx512_bf16", "amx_bf16")  # what makes bfloat16 fast on a CPU
_loading = threading.Lock()


def known(towers: Sequence[str] | str) -> tuple[str, ...]:
    """Return the names of towers, text first; a name that is none is an error."""
    asked = (towers,) if isinstance(towers, str) else tuple(towers)
    if not asked or not set(asked) <= set(PARTS):
        raise ValueError(f"towers {asked} are unknown; choose from {tuple(PARTS)}")
    return tuple(tower for tower in PARTS if tower in asked)


def choose_device(asked: str) -> str:
    """Return "cuda", "mps" or "cpu": the one asked for, or for "auto" the fastest here."""
    import torch

    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if asked == "auto":
        return next(device for device in DEVICES if here[device])
    if not here.get(asked.partition(":")[0], False):
        usable = ", ".join(device for device in DEVICES if here[device])
        raise ModelError(f"device {asked} is not usable on this machine; choose auto or {usable}")
    return asked


def choose_dtype(asked: str, device: str) -> str:
    """Return the number format: the one asked for, or for "auto" bfloat16 where it is fast.

    Raises:
        ModelError: There is no such format.
    """
    asked = named_dtype(asked)
    if asked == "auto":
        return "bfloat16" if _fast_bfloat16(device) else "float32"
    return asked


def named_dtype(asked: str) -> str:
    """Return asked, or for "auto" what the environment variable SIGSCOPE_DTYPE says, if anything.

    Raises:
        ModelError: There is no such format.
    """
    what, named = "dtype", asked
    if asked == "auto":
        what, named = "SIGSCOPE_DTYPE", os.environ.get("SIGSCOPE_DTYPE") or "auto"
    if named not in ("auto", *DTYPES):
        raise ModelError(f"{what} {named} is unknown; choose auto, {', '.join(DTYPES)}")
    return named


def processor(device: str) -> str:
    """Return in words what rounds on a device: its name, or the instructions a CPU is used with."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    able = torch.cpu.get_capabilities()
    short = [name for name in SHORT_UNITS if able.get(name)]
    return " ".join([torch.backends.cpu.get_cpu_capability(), *short])


def load_config(folder: Path) -> Any:
    """Return the checkpoint's config, with transformers' own defaults filled in."""
    from transformers import AutoConfig

    with or_sentence(f"the config.json in {folder}"):
        return AutoConfig.from_pretrained(folder, local_files_only=True)


def dimension(config: Any) -> int:
    """Return how many numbers a vector of a checkpoint has, from its config."""
    return getattr(config, "projection_dim", None) or config.text_config.projection_size


def kept_dimension(full: int) -> int:
    """Return how many numbers of a vector are kept: all, or as many as SIGSCOPE_DIMENSION says.

    Raises:
        ModelError: That is no number, or more than there are.
    """
    asked = os.environ.get("SIGSCOPE_DIMENSION") or str(full)
    if not asked.isdecimal() or not 1 <= int(asked) <= full:
        raise ModelError(
            f"SIGSCOPE_DIMENSION {asked} cannot be had; give a number from 1 to {full}"
        )
    return int(asked)


def load_tokenizer(folder: Path, config: Any) -> Any:
    """Return the checkpoint's tokenizer; it pads on the right when it is told so."""
    from transformers import AutoTokenizer

    with or_sentence(f"the tokenizer in {folder}"):
        return AutoTokenizer.from_pretrained(folder, config=config, local_files_only=True)


def load_processor(folder: Path, config: Any) -> Any:
    """Return what prepares pictures: always the Pillow one, which needs no torchvision."""
    from transformers import AutoImageProcessor

    with or_sentence(f"the image processor in {folder}"):
        return AutoImageProcessor.from_pretrained(
            folder, config=config, backend="pil", local_files_only=True
        )


def load_network(folder: Path, family: Family, config: Any, towers: tuple[str, ...]) -> Any:
    """Return the network in float32 on the CPU, with the parts of the other tower left out.

    Raises:
        ModelError: The weights do not fit config.json, or some are missing.
    """
    import torch

    unused = [name for tower in PARTS if tower not in towers for name in PARTS[tower]]
    kind = _without(family.network, unused)
    with or_sentence(f"the weights in {folder}"):
        if network := _as_they_lie(kind, folder, config, unused):
            return _laid_out(network.eval().requires_grad_(False))
        network, report = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"the weights in {folder} lack {len(missing)} of the tensors that its config.json asks "
            f"for, such as {missing[0]}; they would be random numbers, so download the model again"
        )
    return _laid_out(network.eval().requires_grad_(False))


def has_convolutions(network: Any) -> bool:
    """Return whether pictures pass through more convolutions than the one that cuts patches."""
    import torch

    return sum(isinstance(part, torch.nn.Conv2d) for part in network.modules()) > 1


def converted(network: Any, device: str, dtype: str) -> Any:
    """Return network itself, moved to a device and into a number format."""
    import torch

    return network.to(device, getattr(torch, dtype))


def pooled(output: Any) -> Any:
    """Return the embedding in a model's output, a tensor of shape (n, d), not normalised."""
    vectors = getattr(output, "pooler_output", None)
    if vectors is None:
        raise ModelError("this checkpoint's tower gives no pooled output, so it has no embedding")
    return vectors


@contextmanager
def or_sentence(what: str) -> Iterator[None]:
    """Let transformers work in silence, and say in a sentence what it could not read.

    One thread at a time, as how much it logs is a setting of the whole process.
    """
    from transformers.utils import logging

    with _loading:
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        except Exception as error:
            reason = shorten(str(error), 300)  # theirs may run over many lines
            raise ModelError(f"{what} cannot be read: {reason}") from error
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


def _without(name: str, unused: list[str]) -> type:
    """Return the transformers class of that name whose networks lack the unused parts.

    A network is first built without memory, so that a part removed there never has any, and
    the weights of absent parts are never read.
    """
    import transformers

    whole = getattr(transformers, name)
    if not unused:
        return whole

    def build(self: Any, config: Any) -> None:
        whole.__init__(self, config)
        for part in unused:
            if hasattr(self, part):
                delattr(self, part)

    def initialise(self: Any, module: Any) -> None:
        if module is not self:  # its own weights are read, or missing and then refused
            whole._init_weights(self, module)

    members = {"__init__": build, "_init_weights": initialise, "__module__": whole.__module__}
    return type(name, (whole,), members)


def _as_they_lie(kind: type, folder: Path, config: Any, unused: list[str]) -> Any | None:
    """Return a network of a class with the tensors of a folder, or None where they do not fit it.

    They fit if each has a name and a shape of the network, apart from those of unused parts. All
    else is left to transformers, which knows older names and takes ten times as long.
    """
    import torch
    from safetensors import safe_open
    from transformers.initialization import no_init_weights

    with torch.random.fork_rng(devices=[]), no_init_weights():  # what others draw stays as it is
        network = kind(copy.deepcopy(config))
    wanted, found = network.state_dict(), {}
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                if name in wanted:
                    found[name] = tensors.get_tensor(name).to(wanted[name].dtype)
                elif name.partition(".")[0] not in unused:
                    return None
    if found.keys() != wanted.keys() or any(found[n].shape != w.shape for n, w in wanted.items()):
        return None
    network.load_state_dict(found, assign=True)
    return network


def _laid_out(network: Any) -> Any:
    """Return network with its convolutions' weights in the order that is fastest on a CPU."""
    import torch

    return network.to(memory_format=torch.channels_last) if has_convolutions(network) else network


def _fast_bfloat16(device: str) -> bool:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device == "cpu" and any(able.get(name) for name in SHORT_UNITS)
