"""Vectors become a map, and how far to trust it."""

from sigscope.maps.background import FAILED, MAKING, Making, start_map
from sigscope.maps.faithfulness import judge_map, point_scores
from sigscope.maps.map import KINDS, Map, MapSettings
from sigscope.maps.naming import zero_shot_names
from sigscope.maps.placing import Placement, geometric_median, place, placement_error, strengths
from sigscope.maps.projection import make_map, open_map, quick_map

__all__ = [
    "FAILED",
    "KINDS",
    "MAKING",
    "Making",
    "Map",
    "MapSettings",
    "Placement",
    "geometric_median",
    "judge_map",
    "make_map",
    "open_map",
    "place",
    "placement_error",
    "point_scores",
    "quick_map",
    "start_map",
    "strengths",
    "zero_shot_names",
]
