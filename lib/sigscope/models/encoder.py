"""The encoder: texts and pictures become unit vectors, float32 rows whose inner product is cosine.

One class serves SigLIP, CLIP, open_clip's and other two-tower models; what differs between them is
a row of ``families.FAMILIES``. An encoder never changes once it is loaded, and many threads may
share it.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sigscope.arguments import whole
from sigscope.models import checkpoints, shortcuts
from sigscope.models.alone import Alone
from sigscope.models.bert import FAMILY, BertText
from sigscope.models.checked import checked_pictures, checked_texts, identity_of, knows_any, to_unit
from sigscope.models.computed import Computed
from sigscope.models.families import FAMILIES, READERS, reader, text_rules
from sigscope.models.hub import ModelError
from sigscope.models.towers import (
    PARTS,
    choose_device,
    choose_dtype,
    converted,
    dimension,
    has_convolutions,
    kept_dimension,
    known,
)


@dataclass(frozen=True, eq=False, repr=False)
class Encoder:
    """A checkpoint's towers, ready to encode; make one with ``Encoder.load``."""

    model: str  # the name given; for a folder its last part
    family: str  # a key of FAMILIES
    dimension: int  # of the vectors, which SIGSCOPE_DIMENSION cuts; see evaluation.by_dimension
    device: str
    dtype: str  # the number format the towers compute in; vectors are always float32
    towers: tuple[str, ...]
    folder: Path
    rules: Mapping  # how texts are written
    note: str  # what a person should know about the choices made, or nothing
    _network: Any
    _tokenizer: Any
    _prepare: Any
    _lock: threading.Lock = field(default_factory=threading.Lock)  # one at a time at the tokenizer

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        towers: Sequence[str] = ("text", "image"),
        device: str = "auto",
        dtype: str = "auto",
    ) -> "Encoder":
        """Return the encoder of a checkpoint.

        Args:
            model: A folder or a name on the model hub; None means what the environment variable
                SIGSCOPE_MODEL says, or else the shipped siglit-mini.
            towers: The halves to load: ("text",) needs a fraction of the memory and answers texts.
            device: "auto", "cuda", "mps" or "cpu".
            dtype: "float32", "bfloat16", "float16", or "auto": what the environment variable
                SIGSCOPE_DTYPE says, or else bfloat16 where the processor is fast in it. A short
                format in which a tower, loaded or not, strays from float32 by more than a cosine
                of 0.999 is given up; ``describe`` says so.

        Raises:
            ModelError: The model cannot be had or is broken; the sentence says what to do.
        """
        towers = known(towers)
        given = checkpoints.named(model)
        folder = checkpoints.locate(given, towers)
        family = checkpoints.check(folder, towers)
        read = reader(family)
        place = getattr(read, "PLACE", {})  # of towers that can only be computed in one
        device = place.get("device") or choose_device(device)
        dtype = place.get("dtype") or choose_dtype(dtype, device)
        dtype, note = shortcuts.settled_dtype(folder, towers, device, dtype, measure=_least_cosine)
        config = read.load_config(folder)
        network = read.load_network(folder, FAMILIES[family], config, towers)
        prepare = None
        if "image" in towers:
            prepare = shortcuts.prepare_with(read.load_processor(folder, config))
        if prepare and device == "cpu" and has_convolutions(network):
            network = shortcuts.folded(network, prepare(shortcuts.pictures()), folder)
        return cls(
            model=checkpoints.called(given),
            family=family,
            dimension=kept_dimension(dimension(config)),
            device=device,
            dtype=dtype,
            towers=towers,
            folder=folder,
            rules=text_rules(FAMILIES[family], config),
            note=note,
            _network=converted(network, device, dtype),
            _tokenizer=read.load_tokenizer(folder, config) if "text" in towers else None,
            _prepare=prepare,
        )

    @cached_property
    def identity(self) -> dict:
        """What vectors depend on, for manifests: the same on any device, in any number format."""
        return identity_of(self)

    def encode_texts(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """Return one unit vector per text, float32, shape (n, d), in the order given.

        A text longer than the model reads is cut at the end.

        Raises:
            ValueError: A text is blank or is not a text; the sentence names its position.
        """
        self._require("text")
        texts = checked_texts(texts)
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for rows in _batches(order, batch_size):
            vectors[rows] = self._text_features([texts[row] for row in rows])
        return to_unit(vectors, self.model)

    @cached_property
    def takes_both(self) -> bool:
        """Whether the model takes a text and a picture together, as one query."""
        return getattr(self._tokenizer, "takes_both", False)

    def encode_pair(self, text: str, picture: Image.Image) -> np.ndarray:
        """Return the unit vector of a text and an RGB picture taken together, float32, shape (d,).

        Raises:
            ValueError: The text is blank, or the picture is none.
            ModelError: The model does not take both.
        """
        if not self.takes_both:
            raise ModelError(f"{self.model} takes texts and pictures apart; choose another model")
        pair = {"text": checked_texts([text])[0], "image": checked_pictures([picture])[0]}
        return to_unit(self._text_features([pair]), self.model)[0]

    def encode_pictures(self, pictures: Sequence[Image.Image], batch_size: int = 32) -> np.ndarray:
        """Return one unit vector per RGB picture, float32, shape (n, d), in the order given.

        Raises:
            ValueError: Something among the pictures is none; the sentence names its position.
        """
        self._require("image")
        batches = _batches(checked_pictures(pictures), batch_size)
        parts = [self.encode_batch(self.preprocess(batch)) for batch in batches]
        return np.concatenate([np.empty((0, self.dimension), dtype=np.float32), *parts])

    def preprocess(self, pictures: Sequence[Image.Image]) -> dict:
        """Return RGB pictures as the tensors that ``encode_batch`` takes, on the CPU.

        Any thread may call it while others encode.
        """
        self._require("image")
        pictures = [picture.convert("RGB") for picture in checked_pictures(pictures)]
        return dict(self._prepare(pictures))

    def encode_batch(self, batch: Mapping) -> np.ndarray:
        """Return one unit vector, float32, shape (n, d), per picture of a preprocessed batch."""
        self._require("image")
        return to_unit(self._computed.pictures(batch), self.model)

    def describe(self) -> str:
        """Return one line that says which model computes where, how, and what else to know."""
        from torch import get_num_threads

        n = get_num_threads()
        threads = f", {n} thread{'s' if n > 1 else ''}" if self.device == "cpu" else ""
        half = "" if len(self.towers) == len(PARTS) else f", {self.towers[0]} tower only"
        return (
            f"{self.model} ({FAMILIES[self.family].label}, {self.dimension}-d{half}) "
            f"on {self.device.upper()} in {self.dtype}{threads}{self.note}"
        )

    def __repr__(self) -> str:
        """Return what ``describe`` says, in brackets."""
        return f"<Encoder {self.describe()}>"

    def _require(self, tower: str) -> None:
        if tower not in self.towers:
            raise ModelError(
                f"{self.model} was loaded without its {tower} tower; "
                f'load it with towers=("{tower}",) or with both'
            )

    def knows(self, text: str) -> bool:
        """Return whether the vocabulary has any word of a text: in pieces of three letters or more.

        That is so of 87 % of the words in Flickr8k's captions, and of 17 % of made-up ones.
        """
        self._require("text")
        text = text.lower() if self.rules["lower_case"] else text
        with self._lock:
            return knows_any(text, self._tokenizer.tokenize, self._tokenizer.unk_token)

    def _tokens(self, texts: list) -> dict:
        if self.rules["lower_case"]:
            texts = [text.lower() for text in texts]
        with self._lock:
            tokens = self._tokenizer(
                texts,
                padding=self.rules["padding"],
                padding_side=self.rules["padding_side"],
                truncation=True,
                max_length=self.rules["max_length"],
                return_attention_mask=True,
                return_tensors="pt",
            )
        return {name: tokens[name] for name in self.rules["inputs"]}

    @cached_property
    def _computed(self) -> Computed:
        is_plain = (self.device, self.dtype) == ("cpu", "float32") and self.family not in READERS
        return Computed(self._network, self.device, self.dimension, is_plain)

    @cached_property
    def _alone(self) -> Alone | None:
        computed, bert = self._computed, None
        if not computed.is_plain:
            return None
        if self.family == FAMILY:
            bert = BertText.of(self.folder, self.model, self._network.state_dict)
        tokens = lambda text: self._tokens([text])  # noqa: E731
        return Alone(computed.text_tower, tokens, computed.texts, bert)

    def _text_features(self, texts: list) -> np.ndarray:
        if len(texts) == 1 and self._alone and (found := self._alone(texts[0])) is not None:
            return found[None]
        return self._computed.texts(self._tokens(texts))

    def _answers(self, pictures: Sequence[Image.Image], texts: Sequence[str]) -> dict:
        """Return the vectors of the towers that are loaded, by tower."""
        answers = {}
        if "text" in self.towers:
            answers["text"] = self.encode_texts(texts)
        if "image" in self.towers:
            answers["image"] = self.encode_pictures(pictures)
        return answers


def _least_cosine(folder: Path, towers: tuple[str, ...], device: str, dtype: str) -> float:
    """Return the smallest cosine of a checkpoint in a short number format to itself in float32."""
    encoder = Encoder.load(folder, towers=towers, device=device, dtype="float32")
    exact = encoder._answers(shortcuts.pictures(), shortcuts.TEXTS)
    short = replace(encoder, dtype=dtype, _network=converted(encoder._network, device, dtype))
    try:
        answers = short._answers(shortcuts.pictures(), shortcuts.TEXTS)
    except ModelError:
        return 0.0
    return min(shortcuts.least_cosine(answers[tower], exact[tower]) for tower in exact)


def _batches(items: list, batch_size: int) -> Iterator[list]:
    whole("batch_size", batch_size, "it must be at least 1")
    return (items[start : start + batch_size] for start in range(0, len(items), batch_size))
