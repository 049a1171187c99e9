"""Captioners: a picture goes in, and a caption to merge with a person's words comes out.

A captioner is a function (searcher, picture) -> caption, where picture is the id of an item, or
what ``Searcher.by_picture`` takes. `NearestCaptions` borrows one from the gallery and needs nothing
else; `BlipCaptions` writes one.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sigscope.images.read import open_picture
from sigscope.models import blip
from sigscope.models.hub import ModelError

Captioner = Callable[[Any, Any], str]

JOB, NETWORK = "captioner", "BlipForConditionalGeneration"
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
        gallery = searcher.gallery
        first = gallery.items["caption"].iloc[[gallery.row(id) for id in table["id"]]]
        titles = table[table["caption"].to_numpy() == first.to_numpy()]
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
        folder = blip.located(model, JOB)
        blip.checked(folder, ("blip",), JOB)
        self._processor, self._network = blip.loaded(folder, "BlipProcessor", NETWORK, JOB)
        self._device, self._lock = _device(device), threading.Lock()
        self._network.to(self._device)

    def __call__(self, searcher: Any, picture: Any) -> str:
        """Return the caption of a picture or of an item; the same one every time."""
        gallery = searcher.gallery
        is_id = isinstance(picture, str) and gallery.has(picture)
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


def _device(device: str) -> str:
    from sigscope.models.towers import choose_device

    return choose_device(device)
