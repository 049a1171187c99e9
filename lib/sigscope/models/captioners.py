"""Captioners: a picture goes in, and a caption to merge with a person's words comes out.

A captioner is a function (searcher, picture) -> caption, where picture is the id of an item, or
what ``Searcher.by_picture`` takes. `NearestCaptions` borrows one from the gallery and needs nothing
else; `BlipCaptions` writes one.
"""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigscope.images.read import open_picture
from sigscope.models import hub
from sigscope.models.checkpoints import weight_files
from sigscope.models.checksums import check_checksums
from sigscope.models.hub import ModelError

Captioner = Callable[[Any, Any], str]

LONGEST = 30  # tokens of a written caption
BEAMS = 3
TITLES_AMONG = 50  # nearest captions among which a title is looked for


class NearestCaptions:
    """The gallery's caption nearest the picture, by the searcher's own model."""

    def __init__(self, *, own: bool = True) -> None:
        """Say whether an item of the gallery may be given one of its own captions."""
        self.own = own

    def __call__(self, searcher: Any, picture: Any) -> str:
        """Return the nearest title, which is an item's first caption; it says what is shown.

        Where none of the 50 nearest captions is a title, the nearest of them is taken.

        Raises:
            ValueError: the gallery has no captions.
        """
        table = searcher.captions_for(picture, k=TITLES_AMONG)
        if not self.own and isinstance(picture, str):
            table = table[table["id"] != picture]
        if table.empty:
            raise ValueError(f"{searcher.gallery.name} has no other captions to describe it with")
        items = searcher.gallery.items.set_index("id")["caption"]
        titles = table[table["caption"].to_numpy() == items.loc[table["id"]].to_numpy()]
        return str((table if titles.empty else titles)["caption"].iloc[0])


class BlipCaptions:
    """Captions written by a BLIP checkpoint (Li et al. 2022, "BLIP"); threads take turns."""

    def __init__(self, model: str | Path, *, device: str = "auto") -> None:
        """Load a checkpoint.

        Args:
            model: a folder, or a name on the model hub, in the hub's format.
            device: "auto", "cuda", "mps" or "cpu".

        Raises:
            ModelError: it cannot be had, is broken, or is no BLIP that writes captions.
        """
        self.model = str(model)
        folder = _located(model)
        _check(folder)
        self._processor, self._network = _loaded(folder)
        self._device, self._lock = _device(device), threading.Lock()
        self._network.to(self._device)

    def __call__(self, searcher: Any, picture: Any) -> str:
        """Return the caption of a picture or of an item; the same one every time."""
        gallery = searcher.gallery
        is_id = isinstance(picture, str) and picture in set(gallery.items["id"])
        return self.caption(gallery.file(picture) if is_id else picture)

    def caption(self, picture: Any) -> str:
        """Return the caption of a path, bytes or an open picture, found by beam search.

        Raises:
            PictureError: it cannot be opened.
            ModelError: the model wrote nothing.
        """
        import torch

        opened = open_picture(picture)
        with self._lock, torch.inference_mode():
            inputs = self._processor(images=opened, return_tensors="pt").to(self._device)
            tokens = self._network.generate(
                **inputs, max_new_tokens=LONGEST, num_beams=BEAMS, do_sample=False
            )
            text = self._processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()
        if not text:
            raise ModelError(f"{self.model} wrote no caption; choose another captioner")
        return text


def _located(model: str | Path) -> Path:
    """Return the folder with the checkpoint's files, downloaded if need be."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if isinstance(model, Path) or folder.is_absolute() or str(model).startswith("."):
        raise ModelError(f"there is no captioner in {model}; check the path")
    return hub.cached_snapshot(str(model)) or hub.download(str(model))


def _check(folder: Path) -> None:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{folder} has no config.json that can be read, so it is not a model folder"
        ) from error
    if kind != "blip":
        raise ModelError(f"{folder} holds a model of type {kind}; a captioner must be a blip")
    weight_files(folder)
    check_checksums(folder)


def _loaded(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import BlipForConditionalGeneration, BlipProcessor

    try:
        processor = BlipProcessor.from_pretrained(folder, backend="pil")
        network, report = BlipForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"the captioner in {folder} cannot be loaded ({reason})") from error
    if report["missing_keys"]:
        name = sorted(report["missing_keys"])[0]
        raise ModelError(
            f"the weights in {folder} lack {len(report['missing_keys'])} parts of a BLIP that "
            f"writes captions, the first {name}; give a captioning checkpoint"
        )
    return processor, network.eval()


def _device(device: str) -> str:
    from sigscope.models.towers import choose_device

    return choose_device(device)
