"""Ranked lists and relevance become scores, and how sure they are."""

from sigscope.evaluation.before_after import gains_and_losses, gains_by, most_changed, only_train_on
from sigscope.evaluation.composed_queries import find_triples, take_apart
from sigscope.evaluation.composed_scores import (
    GAP,
    GAP_TUNED,
    PICTURE,
    RAW,
    RAW_TUNED,
    SENTENCE,
    TEXT,
    TITLE,
    evaluate_composed,
)
from sigscope.evaluation.dimensions import by_dimension
from sigscope.evaluation.evaluate import (
    USUAL,
    Result,
    compare,
    evaluate,
    summary,
)
from sigscope.evaluation.intervals import (
    bootstrap_interval,
    interval,
    paired_difference,
    wilson_interval,
)
from sigscope.evaluation.languages import by_language, language_queries
from sigscope.evaluation.match_scores import evaluate_match, evidence_table, nonsense
from sigscope.evaluation.metrics import cosine_gain_ndcg, measured
from sigscope.evaluation.model_comparison import ModelComparison, compare_models
from sigscope.evaluation.model_selection import choose
from sigscope.evaluation.rankings import from_lists, rank_relevant
from sigscope.evaluation.systems import own_captions, systems, text_in_top, without_text
from sigscope.evaluation.tasks import caption_tasks

__all__ = [
    "GAP",
    "GAP_TUNED",
    "ModelComparison",
    "PICTURE",
    "RAW",
    "RAW_TUNED",
    "Result",
    "SENTENCE",
    "TEXT",
    "TITLE",
    "USUAL",
    "bootstrap_interval",
    "by_dimension",
    "by_language",
    "caption_tasks",
    "choose",
    "compare",
    "compare_models",
    "cosine_gain_ndcg",
    "evaluate",
    "evaluate_composed",
    "evaluate_match",
    "evidence_table",
    "find_triples",
    "from_lists",
    "gains_and_losses",
    "gains_by",
    "interval",
    "language_queries",
    "measured",
    "most_changed",
    "nonsense",
    "only_train_on",
    "own_captions",
    "paired_difference",
    "rank_relevant",
    "summary",
    "systems",
    "take_apart",
    "text_in_top",
    "wilson_interval",
    "without_text",
]
