import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image
from small_maps import GALLERY, island_map

from sigscope.figures import map_layers as layers
from sigscope.figures import maps as figures
from sigscope.figures.picture_maps import _representatives, picture_map
from sigscope.figures.theme import COLOURS, PALETTE, THEMES
from sigscope.images.read import PictureError

HOSTILE = '<a href="javascript:alert(1)">x</a>'


@pytest.fixture
def table():
    return island_map().table(GALLERY.items)


def many_categories(n=20, each=5):
    """Category c0 has the most points, c1 one less, and so on."""
    names = [f"c{i}" for i in range(n) for _ in range(each + n - i)]
    rows = {"id": [f"{i}" for i in range(len(names))], "category": names, "kind": "picture"}
    places = np.random.default_rng(0).normal(size=(len(names), 2))
    more = {"caption": "", "split": "", "cluster": "", "trust": 1.0}
    return pd.DataFrame({**rows, "x": places[:, 0], "y": places[:, 1], **more})


def names(figure):
    return [trace.name for trace in figure.data]


def test_each_group_has_its_points_with_their_ids_as_strings(table):
    figure = figures.map_figure(table)
    assert names(figure) == ["cat (20)", "dog (20)", "tree (20)"]
    cats = figure.data[0]
    assert isinstance(cats, go.Scattergl) and list(cats.customdata[:2]) == ["00", "03"]
    assert cats.x.dtype == np.float32 and cats.x[1] == pytest.approx(0.03)


def test_a_room_is_drawn_as_a_room():
    figure = figures.map_figure(island_map(dims=3).table(GALLERY.items))
    assert all(isinstance(trace, go.Scatter3d) for trace in figure.data)
    assert figure.layout.scene.aspectmode == "data"


def test_both_axes_have_one_scale_no_ticks_and_a_note(table):
    layout = figures.map_figure(table).layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.xaxis.visible is False and layout.yaxis.visible is False
    assert "Axes have no unit" in layout.annotations[0].text


def test_the_largest_groups_have_a_colour_and_symbol_each_and_the_rest_are_grey_others():
    figure = figures.map_figure(many_categories())
    assert names(figure)[:2] == ["6 others (51)", "c0 (25)"] and len(figure.data) == 15
    dressed = {(trace.marker.color, trace.marker.symbol) for trace in figure.data[1:]}
    assert len(dressed) == 14
    assert figure.data[0].marker.color == THEMES["light"].faint


def test_a_highlighted_group_is_alone_in_colour():
    figure = figures.map_figure(many_categories(), highlight="c17")
    assert names(figure) == ["19 others (302)", "c17 (8)"]
    assert figure.data[1].marker.color != figure.data[0].marker.color == THEMES["light"].faint


def test_splits_have_the_colours_they_have_everywhere(table):
    colours = {t.name.split()[0]: t.marker.color for t in figures.map_figure(table, "split").data}
    assert colours == {"train": COLOURS["train"], "test": COLOURS["test"]}


def test_what_has_no_category_is_called_unknown_and_grey(table):
    table.loc[table["category"] == "dog", "category"] = ""
    figure = figures.map_figure(table)
    assert names(figure)[0] == "(unknown) (20)"
    assert figure.data[0].marker.color == THEMES["light"].faint


def test_clusters_near_each_other_have_different_colours():
    centres = pd.DataFrame({"x": np.arange(12.0), "y": 0.0})
    rows = centres.loc[centres.index.repeat(3)].assign(cluster=lambda t: t["x"].astype(str))
    colours = figures._cluster_colours(rows, THEMES["light"])
    found = [colours[str(float(i))] for i in range(12)]
    assert all(a != b and a != c for a, b, c in zip(found, found[1:], found[2:], strict=False))


def test_numbers_are_a_scale_with_the_largest_on_top_and_nan_grey(table):
    table["score"] = np.linspace(1, 0, 60)
    table.loc[5, "score"] = np.nan
    unknown, known = figures.map_figure(table, "score", title="cosine").data
    assert list(unknown.customdata) == ["05"] and unknown.name == "no cosine (1)"
    assert (np.diff(known.marker.color) >= 0).all() and known.customdata[-1] == "00"
    assert known.marker.colorbar.title.text == "cosine"
    assert 0 < known.marker.cmin < 0.05 and 0.95 < known.marker.cmax < 1


def test_a_scale_of_equal_numbers_is_drawn(table):
    figure = figures.map_figure(table.assign(score=0.5), "score")
    assert figure.data[0].marker.cmax > figure.data[0].marker.cmin


def test_captions_and_names_from_anywhere_are_text_and_never_html(table):
    table = table.assign(caption=HOSTILE, category=HOSTILE, cluster=HOSTILE)
    drawn = figures.map_figure(table)
    layers.add_query(drawn, table, np.zeros(2), ["00"], name=HOSTILE)
    clusters = island_map().clusters
    clusters.names[:] = [HOSTILE, HOSTILE, HOSTILE]
    layers.add_labels(drawn, table, clusters)
    drawn.add_traces(figures.map_figure(table, "cluster").data)
    said = json.loads(drawn.to_json())
    for trace in said["data"]:
        trace.pop("customdata", None)
    assert "<a" not in json.dumps(said) and "&lt;a" in json.dumps(said)


def test_a_caption_on_hover_is_cut_and_names_what_the_point_is(table):
    table["caption"] = "word " * 100
    text = figures.map_figure(table).data[0].hovertext[0]
    assert text.startswith("<b>word word") and text.endswith("…</b><br>picture · cat")
    assert len(text) < 150


def test_many_points_go_without_captions_on_hover_and_the_figure_says_so(monkeypatch, table):
    assert figures.map_figure(table).data[0].hovertext is not None
    monkeypatch.setattr(figures, "HOVER_AT_MOST", 59)
    figure = figures.map_figure(table)
    assert figure.data[0].hovertext is None and figure.data[0].hoverinfo == "name"
    assert "left out, as there are 60 points" in figure.layout.annotations[0].text


def test_fifty_thousand_points_are_four_megabytes_at_most():
    n = 50_000
    table = many_categories(1, n - 1).assign(id=[f"images/folder/{i:06}.jpg" for i in range(n)])
    assert len(figures.map_figure(table).to_json()) < 4e6


@pytest.mark.parametrize("theme", THEMES)
def test_each_theme_has_its_ground_and_colours_that_stand_out_from_it(table, theme):
    theme = THEMES[theme]
    layout = figures.map_figure(table, theme=theme).layout
    assert (layout.paper_bgcolor, layout.plot_bgcolor) == (theme.background,) * 2
    assert layout.font.color == theme.ink
    assert min(contrast(c, theme.background) for c in theme.colours) > 2


def contrast(a, b):
    """The contrast ratio of WCAG 2."""

    def light(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    high, low = sorted((light(a), light(b)), reverse=True)
    return high / low


def test_a_column_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match="columns"):
        figures.map_figure(table, "colour")
    with pytest.raises(ValueError, match="0 points"):
        figures.map_figure(table.iloc[:0])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_query_is_joined_with_its_results_on_the_map(dims):
    made = island_map(dims, captions=True)
    table = made.table(GALLERY.items)
    figure = layers.add_query(
        figures.map_figure(table), table, np.full(dims, 5.0), ["04", "gone", "00"], name="a cat"
    )
    lines, rings, star = figure.data[-3:]
    assert list(rings.customdata) == ["04", "00"] and "result 3" in rings.hovertext[1]
    # from the star at 5 to item 4, a dog at 10.04, then to item 0 at 0, with gaps
    np.testing.assert_allclose(lines.x, [5, 10.04, np.nan, 5, 0, np.nan], atol=1e-3)
    assert star.name == "a cat" and star.marker.color == PALETTE["vermilion"]


def test_a_query_without_results_is_a_star_alone(table):
    figure = layers.add_query(figures.map_figure(table), table, np.zeros(2))
    assert len(figure.data[-2].x) == 0 and figure.data[-1].marker.symbol == "star"


def test_names_of_clusters_stand_at_their_centres(table):
    figure = layers.add_labels(figures.map_figure(table, "cluster"), table, island_map().clusters)
    labels = {a.text: (a.x, a.y) for a in figure.layout.annotations[1:]}
    assert set(labels) == {"cats", "dogs", "trees"}
    assert labels["dogs"] == pytest.approx((10.01, 0.01))


def test_a_name_that_would_cover_a_larger_cluster_s_is_left_out(table):
    clusters = island_map().clusters
    clusters.centres[1] = clusters.centres[0] + 0.1
    figure = layers.add_labels(figures.map_figure(table), table, clusters)
    assert [a.text for a in figure.layout.annotations[1:]] == ["cats", "trees"]


def test_names_in_a_room_stand_at_their_centres():
    made = island_map(3)
    table = made.table(GALLERY.items)
    figure = layers.add_labels(figures.map_figure(table), table, made.clusters, at_most=2)
    labels = figure.layout.scene.annotations
    assert [label.text for label in labels] == ["cats", "dogs"]
    assert (labels[1].x, labels[1].z) == pytest.approx((10.01, 0))


def test_pairs_join_pictures_with_their_captions():
    table = island_map(captions=True).table(GALLERY.items)
    drawn = figures.map_figure(table, "kind")
    layers.add_pairs(drawn, table, np.random.default_rng(0), many=7)
    x = drawn.data[-1].x.reshape(7, 3)
    np.testing.assert_allclose(x[:, 1] - x[:, 0], 100, atol=1e-2)
    with pytest.raises(ValueError, match="no pictures with captions"):
        layers.add_pairs(drawn, table[table["kind"] == "picture"], np.random.default_rng(0))


def test_each_cell_of_a_picture_map_has_the_picture_nearest_the_middle_of_its_points():
    rows = [("a", 0.0, 0.0), ("b", 0.5, 0.0), ("c", 0.9, 0.0), ("d", 9.0, 8.0)]
    table = pd.DataFrame(rows, columns=["id", "x", "y"]).assign(kind="picture")
    found = _representatives(table, 9)  # cells are 1 wide; row 0 is on top, where y is largest
    assert found.to_dict("list") == {
        "id": ["d", "b"],
        "column": [8, 0],
        "row": [0, 7],
        "pictures": [1, 3],
    }


class RedGallery:
    def picture(self, id):
        if id == "01":
            raise PictureError("cannot be read")
        return Image.new("RGB", (40, 20), "red")


@pytest.mark.parametrize("theme", THEMES)
def test_a_picture_map_shows_the_islands_on_their_ground(table, theme):
    sheet = picture_map(RedGallery(), table, columns=20, side=20, theme=THEMES[theme])
    pixels = sheet.image.load()
    assert pixels[0, 0] == tuple(bytes.fromhex(THEMES[theme].background[1:]))
    assert (255, 0, 0) in dict((c, n) for n, c in sheet.image.getcolors(9999))
    assert "60 pictures" in sheet.alt


@pytest.mark.parametrize("change", [{"z": 0.0}, {"kind": "caption"}])
def test_a_map_that_cannot_be_drawn_with_pictures_is_refused(table, change):
    with pytest.raises(ValueError, match="room|no pictures"):
        picture_map(RedGallery(), table.assign(**change))
    with pytest.raises(ValueError, match="columns is 0"):
        _representatives(table, 0)
