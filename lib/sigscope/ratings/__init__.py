"""Volunteers' judgements."""

from sigscope.ratings.agreement import krippendorff_alpha
from sigscope.ratings.layout import RatingsError
from sigscope.ratings.pools import (
    DEFAULT_QUERIES,
    Topic,
    begin_session,
    default_systems,
    pool_results,
    random_search,
    rng_of,
    shuffled,
    topics_of,
    words_of,
)
from sigscope.ratings.scores import (
    R1_MAP,
    R1_TABLE_2,
    agreement_between_raters,
    beside_r1,
    consensus,
    csv_text,
    mean_scores,
    qrels_text,
    read_qrels,
    score_lists,
)
from sigscope.ratings.simulated import Habits, simulate, true_grades
from sigscope.ratings.store import RatingStore, default_path

__all__ = [
    "DEFAULT_QUERIES",
    "Habits",
    "Topic",
    "R1_MAP",
    "R1_TABLE_2",
    "RatingStore",
    "RatingsError",
    "agreement_between_raters",
    "begin_session",
    "beside_r1",
    "consensus",
    "csv_text",
    "default_path",
    "default_systems",
    "krippendorff_alpha",
    "mean_scores",
    "pool_results",
    "qrels_text",
    "random_search",
    "read_qrels",
    "rng_of",
    "score_lists",
    "shuffled",
    "simulate",
    "topics_of",
    "true_grades",
    "words_of",
]
