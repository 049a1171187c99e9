"""A text or a picture becomes a unit vector: SigLIP, CLIP, MetaCLIP 2 and others like them."""

from sigscope.models.cached import cached_models, fetch_model
from sigscope.models.captioners import BlipCaptions, Captioner, NearestCaptions
from sigscope.models.checkpoints import small_model_note
from sigscope.models.checksums import record_checksums
from sigscope.models.encoder import Encoder
from sigscope.models.families import FAMILIES
from sigscope.models.hub import ModelError
from sigscope.models.readers import Reader
from sigscope.models.zoo import known_models

__all__ = [
    "BlipCaptions",
    "Captioner",
    "Encoder",
    "FAMILIES",
    "ModelError",
    "NearestCaptions",
    "Reader",
    "cached_models",
    "fetch_model",
    "known_models",
    "record_checksums",
    "small_model_note",
]
