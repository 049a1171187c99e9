import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sigscope.figures import evaluation as figures
from sigscope.figures.theme import COLOURS, PALETTE
from sigscope.rerank import hubs


def occurrences():
    rows = {"unchanged": [0, 0, 1, 5], "CSLS": [0, 1, 2, 3], "chance: random": [1, 1, 2, 2]}
    tables = [hubs.occurrence_table(np.array(v)).assign(system=k) for k, v in rows.items()]
    return pd.concat(tables)


def systems():
    rows = [
        (name, direction, f"hit rate@{k}", value, value - 0.05, value + 0.1, 0.01)
        for name, value in (("unchanged", 0.2), ("<CSLS>", 0.3))
        for direction in ("text to image", "image to text")
        for k in (1, 10)
    ]
    names = ["system", "direction", "measure", "value", "low", "high", "chance"]
    return pd.DataFrame(rows, columns=names)


def differences():
    table = systems().query("system == '<CSLS>'").rename(columns={"value": "difference"})
    sure = table["direction"] == "text to image"
    return table.assign(difference=0.02, low=np.where(sure, 0.01, -0.01), high=0.05)


def languages():
    names = ["language", "hit_rate", "low", "high", "queries"]
    rows = [("en", 0.3, 0.2, 0.4, 90), ("de", 0.1, 0.05, 0.2, 80), ("pt_BR", 0.2, 0.1, 0.3, 70)]
    return pd.DataFrame(rows, columns=names).assign(k=10, chance=0.003)


def text_scores():
    return pd.DataFrame({"score": [0.05, 0.1, 1.0, 0.95], "group": ["a", "a", "a", "b"]})


FIGURES = {
    "occurrence_curves": lambda: figures.occurrence_curves(occurrences(), k=10),
    "system_dots": lambda: figures.system_dots(systems()),
    "difference_dots": lambda: figures.difference_dots(differences()),
    "language_bars": lambda: figures.language_bars(languages()),
    "text_heaviness": lambda: figures.text_heaviness(text_scores()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_small_and_has_the_same_bytes_each_time(name):
    first, second = FIGURES[name]().to_json(), FIGURES[name]().to_json()
    assert first == second
    assert len(first) < 4_000, "Plotly's own template has crept in"


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_takes_its_colours_from_the_palette(name):
    drawn = set(
        re.findall(r'"(?:marker|line|error_x)":\{"color":"(#\w{6})"', FIGURES[name]().to_json())
    )
    assert drawn <= set(PALETTE.values())


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_names_what_its_numbers_are(name):
    layout = json.loads(FIGURES[name]().to_json())["layout"]
    panels = [axis for axis in layout if axis.startswith("xaxis")]
    assert panels and all(layout[axis]["title"]["text"] for axis in panels)


def test_occurrence_curves_fall_and_say_how_many_are_never_found():
    unchanged, csls, chance = FIGURES["occurrence_curves"]().data
    assert unchanged.name == "unchanged (50% never found)"
    assert list(unchanged.x) == [1, 5]
    np.testing.assert_allclose(unchanged.y, [0.5, 0.25])
    np.testing.assert_allclose(csls.y, [0.75, 0.5, 0.25])
    assert csls.name == "CSLS (25% never found)"
    assert (unchanged.line.dash, chance.line.dash) == ("solid", "dash")


def test_nothing_found_is_a_legend_and_no_curve():
    table = hubs.occurrence_table(np.zeros(3, int)).assign(system="none")
    (curve,) = figures.occurrence_curves(table, k=10).data
    assert (curve.name, len(curve.x)) == ("none (100% never found)", 0)


def test_systems_stand_in_their_order_with_a_dot_per_direction_and_panel():
    figure = FIGURES["system_dots"]()
    assert list(figure.layout.yaxis.ticktext) == ["unchanged", "&lt;CSLS&gt;"]
    assert figure.layout.yaxis.range == (1.5, -0.5)  # the first on top
    dots = figure.data[0]
    assert (dots.name, len(figure.data)) == ("text to image", 4)
    np.testing.assert_allclose(dots.x, [0.2, 0.3], rtol=1e-6)
    np.testing.assert_allclose(dots.error_x.array, [0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(dots.error_x.arrayminus, [0.05, 0.05], rtol=1e-5)


def test_each_direction_is_in_the_legend_once():
    shown = [trace.name for trace in FIGURES["system_dots"]().data if trace.showlegend]
    assert shown == ["text to image", "image to text"]


def test_where_panels_stand_is_rounded():
    figure = figures.system_dots(pd.concat([systems(), systems().assign(measure="MRR")]))
    assert not re.search(r"\.\d{6,}", json.dumps(figure.to_dict()["layout"], default=str))


def test_a_difference_that_may_be_none_is_hollow_and_counts_in_percentage_points():
    sure, unsure = figures.difference_dots(differences(), ["hit rate@1"]).data
    assert (sure.marker.color, unsure.marker.color) == ((COLOURS["text to image"],), ("white",))
    np.testing.assert_allclose([sure.x[0], sure.error_x.array[0]], [2, 3], rtol=1e-5)


def test_some_measures_can_be_drawn_and_unknown_ones_are_named():
    figure = figures.system_dots(systems(), ["hit rate@10"])
    assert figure.layout.xaxis.title.text == "hit rate@10"
    with pytest.raises(ValueError, match="no 'MRR'; choose from hit rate@1, hit rate@10"):
        figures.system_dots(systems(), ["MRR"])


def test_the_best_language_is_on_top_and_english_stands_out():
    bars = FIGURES["language_bars"]().data[0]
    assert list(bars.y) == ["de", "pt_BR", "en"]  # Plotly draws from the bottom up
    assert [colour == COLOURS["image to text"] for colour in bars.marker.color] == [0, 0, 1]
    np.testing.assert_allclose(bars.error_x.arrayminus, [0.05, 0.1, 0.1], rtol=1e-5)


def test_text_heaviness_counts_every_picture_once():
    a, b = FIGURES["text_heaviness"]().data
    np.testing.assert_allclose(a.y, [1 / 3, 1 / 3, 0, 0, 0, 0, 0, 0, 0, 1 / 3], atol=1e-4)
    np.testing.assert_allclose([sum(a.y), sum(b.y)], 1, atol=1e-3)
    assert (a.x[0], a.x[-1], b.name) == ("0 to 10", "90 to 100", "b (mean 95%)")


def test_differences_in_words_keep_measures_and_directions_apart():
    one = pd.DataFrame({"measure": ["MRR", "AP"], "first": 0.2, "low": -0.01, "high": 0.05})
    one = one.assign(difference=[0.02, 0.0], direction="text to image")
    both = pd.concat([one.assign(system="a"), one.assign(system="b", low=0.01)])
    table = figures.difference_table(both)
    assert list(table.index) == ["MRR", "AP"] and list(table) == ["unchanged", "a", "b"]
    assert table.loc["MRR"].tolist() == [
        "0.200",
        "+0.020 [-0.010, +0.050]",
        "+0.020 [+0.010, +0.050]",
    ]
    other = figures.difference_table(
        pd.concat([both, both.assign(direction="back", first=0.1, difference=-0.3)])
    )
    assert other.loc[("back", "AP"), "unchanged"] == "0.100"
    assert other.loc[("back", "AP"), "a"].startswith("-0.300")
    assert other.loc[("text to image", "AP"), "a"].startswith("+0.000")


def test_result_lists_stand_in_rows_behind_their_names_and_short_ones_leave_white():
    class Gallery:
        items = pd.DataFrame({"id": ["red", "blue"], "caption": ["r", "b"]})

        def picture(self, id):
            return Image.new("RGB", (9, 9), id)

    sheet = figures.lists_sheet(
        Gallery(), {"one": ["red", "blue"], "two": ["blue"]}, 64, marked={"blue"}
    )
    places = [(row, column) for row in (0, 1) for column in (1, 2)]
    step = (10 + 64, 10 + 64 + 6 + 15)
    at = [sheet.image.getpixel((42 + c * step[0], 42 + r * step[1])) for r, c in places]
    assert at == [(255, 0, 0), (0, 0, 255), (0, 0, 255), (255, 255, 255)]
    corners = [sheet.image.getpixel((10 + c * step[0], 10 + r * step[1])) for r, c in places]
    green = [1 if colour == (0, 158, 115) else 0 for colour in corners]
    assert green == [0, 1, 1, 0]
    assert sheet.alt == "2 lists of results: one; two"
