import json

import numpy as np
import pandas as pd
import pytest

from sigscope.figures import ratings as figures
from sigscope.figures.theme import GREY, PALETTE

TITLE = "SIMULATED <ratings>"


def summaries(shift: float = 0.0):
    rows = [
        (system, measure, value + shift, value - 0.1, value + 0.05)
        for system, value in (("flat", 0.5), ("<random>", 0.2))
        for measure in ("P@5", "AP@5")
    ]
    return pd.DataFrame(rows, columns=["system", "measure", "value", "low", "high"])


def agreements():
    rows = [(0.0, 1.0, 1.0, 1.0, 1.0), (0.1, 0.7, 0.6, 0.8, 0.85), (0.5, 0.1, 0.0, 0.2, 0.5)]
    return pd.DataFrame(rows, columns=["slip", "alpha", "low", "high", "same"])


def reaches():
    names = ["group", "queries", "reach"]
    rows = [("1 rater", 10, 12.0), ("1 rater", 40, 6.0), ("rule: 1 / √n", 10, 12.5)]
    return pd.DataFrame(rows, columns=names)


FIGURES = {
    "score_dots": lambda: figures.score_dots(
        summaries(), ["P@5", "AP@5"], title=TITLE, truth=summaries(-0.1)
    ),
    "agreement_curve": lambda: figures.agreement_curve(agreements(), title=TITLE),
    "interval_curves": lambda: figures.interval_curves(reaches(), title=TITLE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_small_and_has_the_same_bytes_each_time(name):
    first, second = FIGURES[name]().to_json(), FIGURES[name]().to_json()
    assert first == second
    assert len(first) < 5_000, "Plotly's own template has crept in"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_whose_ratings_it_draws(name):
    layout = json.loads(FIGURES[name]().to_json())["layout"]
    assert layout["title"]["text"] == "SIMULATED &lt;ratings&gt;"


def test_panels_stand_at_rounded_places():
    figure = figures.score_dots(summaries(), ["P@5", "AP@5", "P@5"], title=TITLE)
    domains = [figure.layout[name].domain for name in ("xaxis", "xaxis2", "xaxis3")]
    assert all(round(end, 4) == end for ends in domains for end in ends)
    assert domains[0][1] < domains[1][0] and domains[1][1] < domains[2][0]


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_names_what_its_numbers_are(name):
    layout = json.loads(FIGURES[name]().to_json())["layout"]
    panels = [axis for axis in layout if axis.startswith("xaxis")]
    assert panels and all(layout[axis]["title"]["text"] for axis in panels)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_takes_its_colours_from_the_palette(name):
    drawn = [
        colour
        for trace in json.loads(FIGURES[name]().to_json())["data"]
        for part in ("marker", "line", "error_x")
        if (colour := trace.get(part, {}).get("color"))
    ]
    assert drawn and set(drawn) <= {*PALETTE.values(), GREY}


def test_systems_stand_in_their_order_with_a_panel_per_measure():
    figure = figures.score_dots(summaries(), ["AP@5", "P@5"], title=TITLE)
    assert list(figure.layout.yaxis.ticktext) == ["flat", "&lt;random&gt;"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first on top
    assert [axis.title.text for axis in (figure.layout.xaxis, figure.layout.xaxis2)] == [
        "AP@5, mean of queries",
        "P@5, mean of queries",
    ]
    assert len(figure.data) == 2 and list(figure.data[0].y) == [0, 1]


def test_dots_carry_the_tables_interval_and_diamonds_the_truth():
    dots, diamonds = FIGURES["score_dots"]().data[:2]
    np.testing.assert_allclose(dots.x, [0.5, 0.2], rtol=1e-6)
    np.testing.assert_allclose(dots.error_x.array, [0.05, 0.05], rtol=1e-5)
    np.testing.assert_allclose(dots.error_x.arrayminus, [0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(diamonds.x, [0.4, 0.1], rtol=1e-6)
    assert all(dot > diamond for dot, diamond in zip(dots.y, diamonds.y, strict=True))


def test_each_kind_of_mark_is_in_the_legend_once():
    shown = [trace.name for trace in FIGURES["score_dots"]().data if trace.showlegend]
    assert shown == ["scored from ratings, with 95 % interval", "truth put into the simulation"]


def test_unknown_measures_are_named():
    with pytest.raises(ValueError, match="no 'MRR'; choose from P@5, AP@5"):
        figures.score_dots(summaries(), ["MRR"], title=TITLE)


def test_agreement_has_alpha_inside_its_band_and_the_two_customary_lines():
    figure = FIGURES["agreement_curve"]()
    band, alpha, same = figure.data
    np.testing.assert_allclose(band.x, [0, 0.1, 0.5, 0.5, 0.1, 0], rtol=1e-6)
    np.testing.assert_allclose(band.y, [1, 0.6, 0, 0.2, 0.8, 1], rtol=1e-6)
    np.testing.assert_allclose(alpha.y, [1, 0.7, 0.1], rtol=1e-6)
    np.testing.assert_allclose(same.y, [1, 0.85, 0.5], rtol=1e-6)
    assert [shape.y0 for shape in figure.layout.shapes] == [0.8, 0.667]


def test_a_rule_is_a_dashed_line_beside_the_measured_ones():
    measured, rule = FIGURES["interval_curves"]().data
    np.testing.assert_allclose(measured.y, [12, 6])
    assert (measured.line.dash, rule.line.dash) == ("solid", "dash")
    assert list(FIGURES["interval_curves"]().layout.xaxis.tickvals) == [10, 40]
