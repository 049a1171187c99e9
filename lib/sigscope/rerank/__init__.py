"""What may be taken off a score: hubs and pictures of text; keywords joined in."""

from sigscope.ann.difficulty import k_occurrence, skewness
from sigscope.rerank.corrections import Correction
from sigscope.rerank.fusion import DEPTH, Keywords, StoredCaptions, reciprocal_rank_fusion
from sigscope.rerank.hubness import (
    CSLS,
    HUBNESS_REDUCTIONS,
    InvertedSoftmax,
    QueryBankNorm,
    name_of,
    setting_of,
)
from sigscope.rerank.hubs import hub_gallery, hub_summary, occurrence_table
from sigscope.rerank.text_areas import known_text_areas, measure_text_areas, ocr_is_installed
from sigscope.rerank.text_bias import (
    OTHER_PROMPTS,
    TEXT_PROMPTS,
    asks_for_text,
    to_unit_range,
    zero_shot_text_scores,
)

__all__ = [
    "CSLS",
    "Correction",
    "DEPTH",
    "InvertedSoftmax",
    "Keywords",
    "OTHER_PROMPTS",
    "QueryBankNorm",
    "HUBNESS_REDUCTIONS",
    "StoredCaptions",
    "TEXT_PROMPTS",
    "asks_for_text",
    "hub_gallery",
    "hub_summary",
    "k_occurrence",
    "known_text_areas",
    "measure_text_areas",
    "name_of",
    "occurrence_table",
    "ocr_is_installed",
    "reciprocal_rank_fusion",
    "setting_of",
    "skewness",
    "to_unit_range",
    "zero_shot_text_scores",
]
