import json
import re

import numpy as np
import pandas as pd
import pytest

from sigscope.figures import basic
from sigscope.figures.theme import COLOURS, PALETTE, colour_of


def categories():
    rows = [("cats", "train", 3), ("cats", "test", 1), ("dogs", "train", 5), ("owls", "test", 2)]
    return pd.DataFrame(rows, columns=["category", "split", "pictures"])


def cosines():
    kinds = ["own caption"] * 4 + ["random caption"] * 2
    return pd.DataFrame({"cosine": [0.11, 0.15, 0.31, 0.39, -0.05, 0.05], "kind": kinds})


def curve():
    rows = [(2, 0.1, "sigmoid"), (64, 0.4, "sigmoid"), (2, 0.5, "chance"), (64, 0.5, "chance")]
    return pd.DataFrame(rows, columns=["pairs", "loss (nats)", "kind"])


def matrices():
    square = pd.DataFrame([[0.9, 0.1], [0.2, 0.8]], index=["cat", "dog"], columns=["<a>", "b"])
    return {"sigmoid": square, "softmax": square}


def rates():
    rows = [
        ("text to image", "hit rate@1", 0.25, 0.2, 0.35, 0.001, 40),
        ("text to image", "hit rate@10", 0.5, 0.45, 0.6, 0.01, 40),
        ("image to text", "hit rate@1", 0.2, 0.1, 0.3, 0.001, 20),
        ("image to text", "hit rate@10", 0.4, 0.3, 0.5, 0.02, 20),
    ]
    names = ["direction", "measure", "value", "low", "high", "chance", "queries"]
    return pd.DataFrame(rows, columns=names)


def points():
    rows = [(0.0, 0.0, "picture", 1), (1.0, 0.5, "caption", 1), (0.25, 0.5, "picture", 2)]
    table = pd.DataFrame([*rows, (1.5, 1.0, "caption", 2)], columns=["x", "y", "kind", "pair"])
    return table.assign(caption="a <b>bold</b> cat")


def one_k():
    return rates().query("measure == 'hit rate@10'").assign(category="cats")


FIGURES = {
    "category_bars": lambda: basic.category_bars(categories(), "split"),
    "distribution": lambda: basic.distribution(
        cosines(), "cosine", "kind", width=0.1, title="cosine"
    ),
    "lines": lambda: basic.lines(curve(), "pairs", "loss (nats)", "kind", log_x=True),
    "pair_matrices": lambda: basic.pair_matrices(matrices()),
    "hit_rate_bars": lambda: basic.hit_rate_bars(rates()),
    "hit_rate_dots": lambda: basic.hit_rate_dots(one_k(), "category"),
    "gap_map": lambda: basic.gap_map(points(), x_title="first", y_title="second"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_small_and_has_the_same_bytes_each_time(name):
    first, second = FIGURES[name]().to_json(), FIGURES[name]().to_json()
    assert first == second
    assert len(first) < 3_000, "Plotly's own template has crept in"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_names_what_its_numbers_are(name):
    layout = json.loads(FIGURES[name]().to_json())["layout"]
    titles = [layout.get(axis, {}).get("title", {}).get("text") for axis in ("xaxis", "yaxis")]
    assert any(titles)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_takes_its_colours_from_the_palette(name):
    drawn = set(re.findall(r'"(?:marker|line)":\{"color":"(#\w{6})"', FIGURES[name]().to_json()))
    assert drawn <= {*PALETTE.values(), "#767676", "#BBBBBB"}


def test_a_name_has_one_colour_whatever_its_place():
    assert colour_of("test", 0) == colour_of("test", 3) == COLOURS["test"]
    assert colour_of("something new", 1) == list(PALETTE.values())[1]


def test_category_bars_count_and_put_the_largest_category_on_top():
    train, test = basic.category_bars(categories(), "split").data
    assert list(train.y) == ["owls", "cats", "dogs"]  # Plotly draws from the bottom up
    assert (list(train.x), list(test.x)) == ([0, 3, 5], [2, 1, 0])


def test_distribution_draws_shares_of_each_group():
    own, random = FIGURES["distribution"]().data
    np.testing.assert_allclose(own.x, [0.15, 0.35], rtol=1e-6)
    np.testing.assert_allclose(own.y, [2 / 4, 2 / 4])
    np.testing.assert_allclose(random.x, [-0.05, 0.05], rtol=1e-6)
    assert own.name == "own caption (mean 0.24)"


def test_whole_numbers_stand_in_the_middle_of_their_bars():
    words = pd.DataFrame({"words": [2, 2, 3, 5], "which": "first"})
    bars = basic.distribution(words, "words", "which", width=1, title="words").data[0]
    assert (list(bars.x), list(bars.y)) == ([2, 3, 5], [0.5, 0.25, 0.25])


def test_a_line_called_chance_is_dashed():
    sigmoid, chance = FIGURES["lines"]().data
    assert (sigmoid.line.dash, chance.line.dash) == ("solid", "dash")


def test_hit_rate_bars_have_their_interval_and_say_what_chance_is():
    figure = FIGURES["hit_rate_bars"]()
    bar = figure.data[0]
    np.testing.assert_allclose(bar.error_y.array, [0.10, 0.10], rtol=1e-6)
    np.testing.assert_allclose(bar.error_y.arrayminus, [0.05, 0.05], rtol=1e-6)
    assert bar.x == ("hit rate@1<br>chance 0.10%", "hit rate@10<br>chance 1.00% to 2.00%")


def test_hit_rate_dots_list_the_best_group_on_top():
    table = pd.concat([one_k(), one_k().assign(category="dogs", value=0.9)])
    figure = basic.hit_rate_dots(table, "category")
    assert list(figure.layout.yaxis.ticktext) == ["cats", "dogs"]


def test_captions_are_text_and_never_html():
    assert FIGURES["gap_map"]().data[1].hovertext[0] == "a &lt;b&gt;bold&lt;/b&gt; cat"
    assert FIGURES["pair_matrices"]().data[0].x == ("&lt;a&gt;", "b")


def test_gap_map_joins_each_picture_to_its_caption():
    pairs, *_ = FIGURES["gap_map"]().data
    np.testing.assert_allclose(pairs.x, [0, 1, np.nan, 0.25, 1.5, np.nan])
