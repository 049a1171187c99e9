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
from sigscope.evaluation.evaluate import (
    USUAL,
    Result,
    compare,
    evaluate,
    hit_rates,
    ranked_captions,
    scored,
    summary,
)
from sigscope.evaluation.intervals import (
    bootstrap_interval,
    interval,
    paired_difference,
    wilson_interval,
)
from sigscope.evaluation.keyword_systems import own_captions, systems
from sigscope.evaluation.languages import by_language, language_queries
from sigscope.evaluation.match_scores import auc_interval, evidence_table, nonsense
from sigscope.evaluation.metrics import cosine_gain_ndcg, first_right_ranks, measured
from sigscope.evaluation.model_selection import decided
from sigscope.evaluation.rankings import judge, judge_lists
from sigscope.evaluation.tasks import among, caption_tasks, corrected
from sigscope.evaluation.text_bias import choose_text_weight, text_in_top, without_text

__all__ = [
    "GAP",
    "GAP_TUNED",
    "PICTURE",
    "RAW",
    "RAW_TUNED",
    "Result",
    "SENTENCE",
    "TEXT",
    "TITLE",
    "USUAL",
    "among",
    "auc_interval",
    "bootstrap_interval",
    "by_language",
    "caption_tasks",
    "choose_text_weight",
    "compare",
    "corrected",
    "cosine_gain_ndcg",
    "decided",
    "evaluate",
    "evaluate_composed",
    "evidence_table",
    "find_triples",
    "first_right_ranks",
    "gains_and_losses",
    "gains_by",
    "hit_rates",
    "interval",
    "judge",
    "judge_lists",
    "language_queries",
    "measured",
    "most_changed",
    "nonsense",
    "only_train_on",
    "own_captions",
    "paired_difference",
    "ranked_captions",
    "scored",
    "summary",
    "systems",
    "take_apart",
    "text_in_top",
    "wilson_interval",
    "without_text",
]
