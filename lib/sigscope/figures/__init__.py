"""A tidy table becomes a Plotly figure."""

from sigscope.figures.basic import (
    category_bars,
    distribution,
    gap_map,
    hit_rate_bars,
    hit_rate_dots,
    lines,
    pair_matrices,
)
from sigscope.figures.evaluation import (
    difference_dots,
    difference_table,
    language_bars,
    lists_sheet,
    occurrence_curves,
    system_dots,
    text_heaviness,
)
from sigscope.figures.index_drawings import hnsw_layers, hnsw_walk, ivf_cells, pq_codes
from sigscope.figures.indexes import (
    fitted_against_real,
    growth,
    recall_against_time,
    relevance_against_recall,
    statistics_beside,
)
from sigscope.figures.map_layers import (
    add_dimmed,
    add_labels,
    add_pairs,
    add_pointer,
    add_query,
)
from sigscope.figures.map_panels import map_panels
from sigscope.figures.maps import map_figure
from sigscope.figures.picture_maps import picture_map
from sigscope.figures.ratings import agreement_curve, interval_curves, score_dots
from sigscope.figures.sheets import picture_sheet, table_sheet, text_card
from sigscope.figures.stills import show
from sigscope.figures.theme import PALETTE, THEMES, Theme
from sigscope.figures.towers import towers_drawing

__all__ = [
    "PALETTE",
    "THEMES",
    "Theme",
    "add_dimmed",
    "add_labels",
    "add_pairs",
    "add_pointer",
    "add_query",
    "agreement_curve",
    "category_bars",
    "difference_dots",
    "difference_table",
    "distribution",
    "fitted_against_real",
    "gap_map",
    "growth",
    "hit_rate_bars",
    "hit_rate_dots",
    "hnsw_layers",
    "hnsw_walk",
    "interval_curves",
    "ivf_cells",
    "language_bars",
    "lines",
    "lists_sheet",
    "map_figure",
    "map_panels",
    "occurrence_curves",
    "pair_matrices",
    "picture_map",
    "picture_sheet",
    "pq_codes",
    "recall_against_time",
    "relevance_against_recall",
    "score_dots",
    "show",
    "statistics_beside",
    "system_dots",
    "table_sheet",
    "text_card",
    "text_heaviness",
    "towers_drawing",
]
