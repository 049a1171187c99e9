"""Models of sentence-transformers, read by sentence-transformers: modules.json and what it lists.

Texts are encoded as its queries and pictures as its documents, each with the prompt that the model
has for them. One network takes both, or two that share a space take one each.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from sigscope.models import checkpoints, modules
from sigscope.models.families import Family
from sigscope.models.hub import ModelError, settings_in
from sigscope.models.towers import or_sentence

SIZES = ("out_features", "embedding_dimension", "word_embedding_dimension", "projection_dim")
TOGETHER = ("image", "text")


class Modules(torch.nn.Module):
    """One model of sentence-transformers, or two, which answer as those of transformers do."""

    def __init__(self, texts: Any, pictures: Any) -> None:
        """Keep what answers; None for a side that is not asked for."""
        super().__init__()
        self.texts, self.pictures = texts, pictures

    @property
    def dtype(self) -> torch.dtype:
        """The number format that it computes in."""
        return next(self.parameters()).dtype

    def get_text_features(self, features: Mapping) -> SimpleNamespace:
        """Return the vectors of texts, or of texts and pictures together, shape (n, d)."""
        return self._pooled(self.texts, features)

    def get_image_features(self, **features: Any) -> SimpleNamespace:
        """Return the vectors of pictures, shape (n, d), as pooler_output."""
        return self._pooled(self.pictures, features)

    def _pooled(self, model: Any, features: Mapping) -> SimpleNamespace:
        moved = {name: self._moved(value) for name, value in features.items()}
        return SimpleNamespace(pooler_output=model(moved)["sentence_embedding"])

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):  # a word on what kind of input it is
            return value
        value = value.to(next(self.parameters()).device)
        return value.to(self.dtype) if value.is_floating_point() else value


class Queries:
    """Turns texts, or dicts of a text and a picture, into what the model takes for a query."""

    def __init__(self, model: Any, prompt: str) -> None:
        """Keep the model, which cuts and pads by its own rules, and its prompt for queries."""
        self._model, self._prompt = model, prompt
        self.takes_both = model.supports(TOGETHER)

    def __call__(self, inputs: Sequence[Any], **_: Any) -> dict[str, Mapping]:
        """Return the features of n inputs; what else is asked for is the model's to decide."""
        prepared = self._model.preprocess(list(inputs), prompt=self._prompt, task="query")
        return {"features": dict(prepared)}

    @property
    def unk_token(self) -> str | None:
        """What stands for a piece that is not in the vocabulary."""
        return self._model.tokenizer.unk_token

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces of a text."""
        return self._model.tokenizer.tokenize(text)


def load_config(folder: Path) -> SimpleNamespace:
    """Return what the modules say of themselves, in the words of a config of transformers too."""
    listed = modules.listed(folder)
    after = {name: settings_in(path / "config.json") for name, path in listed[1:]}
    first = settings_in(listed[0][1] / "sentence_bert_config.json")
    return SimpleNamespace(
        projection_dim=_dimension(folder, listed),
        text_config=SimpleNamespace(max_position_embeddings=0),
        text_rules={"max_length": first.get("max_seq_length"), "modules": after, "first": first}
        | {"prompt": modules.prompt(folder, "query")},
        models={},
    )


def load_network(
    folder: Path, family: Family, config: SimpleNamespace, towers: tuple[str, ...]
) -> Modules:
    """Return the network in float32 on the CPU; of two models, without the one not asked for.

    Raises:
        ModelError: The weights do not fit what the modules say, or some are missing.
    """
    folders = {"text": folder, "image": modules.takes_pictures(folder)}
    for path in {folders[tower] for tower in towers}:
        config.models |= {path: _model(path)}
    return Modules(*(config.models.get(path) for path in folders.values()))


def load_tokenizer(folder: Path, config: SimpleNamespace) -> Queries:
    """Return what turns texts into queries, once the network is loaded."""
    return Queries(config.models[folder], config.text_rules["prompt"])


def load_processor(folder: Path, config: SimpleNamespace) -> Any:
    """Return what turns RGB pictures into documents, once the network is loaded.

    Raises:
        ModelError: The model takes no pictures.
    """
    model = config.models[modules.takes_pictures(folder)]
    if not model.supports("image"):
        raise ModelError(f"the model in {folder} takes no pictures; choose a multimodal one")
    prompt = checkpoints.picture_rules(folder)["prompt"]

    def prepare(pictures: list, **_: Any) -> dict:
        found = dict(model.preprocess(pictures, prompt=prompt, task="document"))
        if len(found.get("input_ids", pictures)) != len(pictures):
            raise ModelError(f"the model in {folder} takes all pictures as one; it has no template")
        return found

    return prepare


def load_judge(folder: Path, device: str) -> Callable[[str, list], np.ndarray]:
    """Return what says how probable it is that a text and each picture belong together.

    Raises:
        ModelError: It is no re-ranker (a CrossEncoder), or its weights do not fit.
    """
    model = _model(folder, "CrossEncoder").to(device)
    if not model.supports("message") and not model.supports(TOGETHER):
        raise ModelError(f"the re-ranker in {folder} takes no pictures; choose a multimodal one")

    def judge(text: str, pictures: list) -> np.ndarray:
        pairs, sigmoid = [(text, picture) for picture in pictures], torch.nn.Sigmoid()
        return model.predict(pairs, activation_fn=sigmoid, show_progress_bar=False)

    return judge


def _model(folder: Path, kind: str = "SentenceTransformer") -> Any:
    library = checkpoints.extra(
        "sentence_transformers", "st", "models with modules.json need sentence-transformers"
    )
    options = {"model_kwargs": {"dtype": torch.float32, "use_safetensors": True}}
    with or_sentence(f"the model in {folder}"), _nothing_missing():
        model = getattr(library, kind)(str(folder), device="cpu", local_files_only=True, **options)
    return model.eval().requires_grad_(False)


@contextmanager
def _nothing_missing() -> Iterator[None]:
    """Raise if transformers reports tensors that it had to make up; it has no other way to say so.

    Raises:
        ValueError: Some are missing.
    """
    logger, said = logging.getLogger("transformers.modeling_utils"), []
    level, keep = logger.level, logging.Filter()
    keep.filter = lambda record: said.append(record.getMessage())
    logger.setLevel(logging.WARNING)
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
        logger.setLevel(level)
    rows = [line.split("|") for text in said for line in text.splitlines()]
    if missing := [row[0].strip() for row in rows if "MISSING" in "".join(row[1:2])]:
        raise ValueError(f"it lacks {len(missing)} tensors, such as {missing[0]}")


def _dimension(folder: Path, listed: list[tuple[str, Path]]) -> int:
    """Return how many numbers a vector has, as the last module says that has a say in it."""
    if cut := settings_in(folder / "config_sentence_transformers.json").get("truncate_dim"):
        return cut
    for _, path in reversed(listed):
        settings = settings_in(path / "config.json")
        if size := next((settings[name] for name in SIZES if name in settings), 0):
            return size
    raise ModelError(f"the modules in {folder} say nowhere how long their vectors are")
