"""The five reports' protocols, their figures beside ours."""

from sigscope.protocols.captions import both_ways, caption_recall, setup_check
from sigscope.protocols.classes import class_map, prompts_compared
from sigscope.protocols.indexes import four_tasks
from sigscope.protocols.landmarks import (
    Landmark,
    landmark_map,
    practice_landmarks,
    rank_landmarks,
    trapezoid_average_precision,
)
from sigscope.protocols.lost_neighbours import relevance_of
from sigscope.protocols.published import (
    R1_QUERIES,
    R1_RECALL,
    R3_COSINES,
    R3_MS,
    R4_MS,
    published,
)
from sigscope.protocols.run import run_protocol

__all__ = [
    "Landmark",
    "R1_QUERIES",
    "R1_RECALL",
    "R3_COSINES",
    "R3_MS",
    "R4_MS",
    "both_ways",
    "caption_recall",
    "class_map",
    "four_tasks",
    "landmark_map",
    "practice_landmarks",
    "prompts_compared",
    "published",
    "rank_landmarks",
    "relevance_of",
    "run_protocol",
    "setup_check",
    "trapezoid_average_precision",
]
