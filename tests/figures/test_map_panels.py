import numpy as np
import pytest
from small_maps import GALLERY, island_map

from sigscope.figures.map_layers import add_labels, add_query
from sigscope.figures.map_panels import map_panels
from sigscope.figures.maps import NOTE, map_figure


@pytest.fixture
def table():
    return island_map().table(GALLERY.items).assign(score=np.linspace(0, 1, 60))


def written(page):
    return [label.text for label in page.layout.annotations]


def test_panels_hold_all_points_but_neither_ids_nor_captions(table):
    page = map_panels({"a": map_figure(table), "b": map_figure(table, "split")})
    axes = {trace.xaxis: 0 for trace in page.data}
    for trace in page.data:
        axes[trace.xaxis] += len(trace.x)
        assert trace.customdata is None and trace.hovertext is None
    assert axes == {"x": 60, "x2": 60}


def test_figures_are_left_as_they_were(table):
    figure = map_figure(table)
    before = figure.to_json()
    map_panels({"a": figure})
    assert figure.to_json() == before


def test_a_shared_key_is_written_once_and_others_below_their_panels(table):
    same = map_panels({"a": map_figure(table), "b": map_figure(table)})
    other = map_panels({"a": map_figure(table), "b": map_figure(table, "score")})
    assert sum("cat (20)" in text for text in written(same)) == 1
    assert sum("●" in text for text in written(other)) == 2
    assert written(same)[-1] == NOTE


def test_a_scale_is_written_as_its_colours_from_low_to_high(table):
    key = written(map_panels({"a": map_figure(table, "score")}))[1]
    assert key.count("●") == 4 and "score 0.02" in key and key.endswith("0.98")


def test_labels_and_a_query_stay_with_their_panel(table):
    figure = map_figure(table)
    add_labels(figure, table, island_map().clusters)
    add_query(figure, table, np.array([1, 2]), ["00"], name="<b>q")
    page = map_panels({"a": map_figure(table), "b": figure})
    assert {label.xref for label in page.layout.annotations if label.text == "cats"} == {"x2"}
    key = next(text for text in written(page) if "★" in text)
    assert "&lt;b&gt;q" in key and "its results (1)" in key


def test_each_panel_has_one_scale_for_both_axes(table):
    page = map_panels({name: map_figure(table) for name in "abc"})
    assert [axis.scaleanchor for axis in page.select_yaxes()] == ["x", "x2", "x3"]


def test_a_large_panel_has_the_last_row_and_its_points_their_size(table):
    figure = map_figure(table)
    page = map_panels({name: figure for name in "abc"}, height=200, large=400)
    domains = [axis.domain for axis in page.select_xaxes()]
    assert domains[0][1] < domains[1][0] and domains[2] == (0, 1)
    heights = [axis.domain[1] - axis.domain[0] for axis in page.select_yaxes()]
    assert heights[2] == pytest.approx(2 * heights[0]) and page.layout.yaxis3.domain[0] >= 0
    assert page.data[0].marker.size < page.data[-1].marker.size == figure.data[0].marker.size


def test_titles_are_not_read_as_html(table):
    assert written(map_panels({"<i>a": map_figure(table)}))[0] == "&lt;i&gt;a"


def test_a_map_in_a_room_and_no_map_are_refused():
    room = map_figure(island_map(dims=3).table(GALLERY.items))
    for panels in ({}, {"a": room}):
        with pytest.raises(ValueError, match="dims=2"):
            map_panels(panels)
