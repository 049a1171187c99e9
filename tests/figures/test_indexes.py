import json

import faiss
import numpy as np
import pandas as pd
import pytest

from sigscope.figures import index_drawings as drawings
from sigscope.figures import indexes as figures
from sigscope.figures.theme import GREY, PALETTE, log_ticks
from sigscope.indexes.specs import INDEXES


def unit(x):
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def runs(indexes=("flat", "ivf", "ivf+rerank"), sizes=(1000,)):
    """Three settings each, slower and better in turn; flat has one and finds everything."""
    rows = [
        (name, effort, kind, 10, 1.0 if name == "flat" else recall, ms * n / 1000, n / 500, 64.0, n)
        for name in indexes
        for kind in ("text", "image")
        for n in sizes
        for effort, recall, ms in ((1, 0.5, 0.1), (4, 0.8, 0.4), (16, 0.95, 1.6))
    ]
    names = ["index", "effort", "kind", "k", "neighbour_recall", "ms_median", "build_s"]
    names += ["bytes_per_vector", "n"]
    return pd.DataFrame(rows, columns=names)


def relevance():
    table = runs().query("kind == 'text'")
    for measure in ("hit_rate", "ndcg"):
        table = table.assign(**{measure: 0.4 * table["neighbour_recall"] ** 0.2})
        table = table.assign(**{f"{measure}_low": 0.3, f"{measure}_high": 0.5})
    return table


def neighbours():
    rows = [
        (vectors, query, n, rank, 0.4, 0.5 + n / 1e5 - rank / 1000, 0.6, 9.0)
        for vectors, sizes in (("real", (500, 1000)), ("fitted", (500, 1000, 10_000)))
        for query in ("image", "text")
        for n in sizes
        for rank in (1, 10)
    ]
    names = ["vectors", "query", "n", "rank", "low", "cosine", "high", "dimension"]
    return pd.DataFrame(rows, columns=names)


def statistics():
    rows = [("image", "hubness", 1.0, 1.1, 1.1), ("", "modality gap", 0.5, 0.4, 0.8)]
    return pd.DataFrame(rows, columns=["query", "statistic", "real", "made", "made / real"])


@pytest.fixture(scope="module")
def rows():
    return unit(np.random.default_rng(0).normal(size=(600, 16)) + 1)


@pytest.fixture(scope="module")
def graph(rows):
    index = faiss.IndexHNSWFlat(16, 4, faiss.METRIC_INNER_PRODUCT)
    index.add(rows)
    return index


FIGURES = {
    "recall_against_time": lambda: figures.recall_against_time(runs(), title="a < b"),
    "growth": lambda: figures.growth(runs(sizes=(1000, 10_000))),
    "relevance_against_recall": lambda: figures.relevance_against_recall(relevance()),
    "fitted_against_real": lambda: figures.fitted_against_real(neighbours()),
    "statistics_beside": lambda: figures.statistics_beside(statistics()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_small_the_same_each_time_and_names_its_axes(name):
    drawn = FIGURES[name]().to_json()
    assert drawn == FIGURES[name]().to_json()
    assert len(drawn) < 9000, "Plotly's own template has crept in"
    axes = {key: axis for key, axis in json.loads(drawn)["layout"].items() if "xaxis" in key}
    assert all(axis["title"]["text"] for axis in axes.values())


def named(figure, name, panel=0):
    return [trace for trace in figure.data if trace.name == name][panel]


def test_recall_is_drawn_against_time_with_the_settings_nothing_beats():
    table = runs(("ivf",))
    table.loc[1, "neighbour_recall"] = 0.4  # slower than the first text setting, and worse
    figure = figures.recall_against_time(table)
    np.testing.assert_allclose(named(figure, "ivf").y, [0.5, 0.4, 0.95])
    np.testing.assert_allclose(named(figure, "front").y, [0.5, 0.95])
    np.testing.assert_allclose(named(figure, "front", panel=1).y, [0.5, 0.8, 0.95])
    assert figure.layout.xaxis.type == "log"


def test_each_index_is_in_the_legend_once():
    shown = [t.name for t in FIGURES["recall_against_time"]().data if t.showlegend]
    assert sorted(shown) == ["flat", "front", "ivf", "ivf+rerank"]


def test_a_run_without_numbers_is_left_out():
    failed = runs(("AutoFaiss",)).assign(neighbour_recall=np.nan, ms_median=np.nan)
    figure = figures.recall_against_time(pd.concat([runs(), failed]))
    assert not [trace for trace in figure.data if trace.name == "AutoFaiss"]
    with pytest.raises(ValueError, match="notes say why"):
        figures.recall_against_time(failed)


def test_two_values_of_k_are_not_drawn_together():
    with pytest.raises(ValueError, match="one k at a time"):
        figures.recall_against_time(pd.concat([runs(), runs().assign(k=20)]))


def test_time_grows_at_a_setting_that_finds_enough():
    figure = figures.growth(runs(sizes=(1000, 10_000)), recall=0.8)
    np.testing.assert_allclose(named(figure, "ivf", panel=0).y, [2, 20])
    np.testing.assert_allclose(named(figure, "ivf", panel=1).y, [64, 64])
    np.testing.assert_allclose(named(figure, "ivf", panel=2).y, [0.4, 4])


def test_a_short_logarithmic_axis_has_more_ticks_than_powers_of_ten_and_a_long_one_has_not():
    assert {"20", "50", "100", "200", "500"} <= set(log_ticks([24, 656])["ticktext"])
    assert log_ticks([0.002, 20])["ticktext"] == ["0.001", "0.01", "0.1", "1", "10", "100"]
    assert log_ticks([])["type"] == "log"


def test_an_index_that_never_finds_enough_has_no_time():
    figure = figures.growth(runs(sizes=(1000,)), recall=0.99)
    assert len([trace for trace in figure.data if trace.name == "ivf"]) == 2


def test_relevance_has_the_band_of_exact_search():
    figure = FIGURES["relevance_against_recall"]()
    assert {round(float(y), 3) for y in named(figure, "exact, 95 %").y} == {0.3, 0.5}
    np.testing.assert_allclose(named(figure, "lost in step").y, [0, 0.4], rtol=1e-5)
    assert figure.layout.annotations[1].text == "NDCG@10"


def test_real_and_made_have_one_colour_per_rank():
    figure = FIGURES["fitted_against_real"]()
    real, made = named(figure, "real, rank 10"), named(figure, "fitted, rank 10")
    assert real.line.color == made.line.color and real.line.dash != made.line.dash
    np.testing.assert_allclose(made.y, [0.495, 0.5, 0.59], rtol=1e-5)


def test_statistics_are_listed_from_the_top():
    figure = FIGURES["statistics_beside"]()
    assert figure.layout.yaxis.ticktext == ("modality gap", "image: hubness")
    np.testing.assert_allclose(figure.data[0].x, [1.1, 0.8], rtol=1e-5)
    assert list(figure.data[0].y) == [1, 0]


def test_every_index_has_a_style_of_its_own():
    looks = {name: figures._style_of(name) for name in [*INDEXES, "AutoFaiss"]}
    assert len({json.dumps(look) for look in looks.values()}) == len(looks)
    colours = {look["line"]["color"] for look in looks.values()}
    assert colours <= {*PALETTE.values(), GREY} - {PALETTE["yellow"]}


def test_plane_keeps_the_two_directions_of_most_difference():
    flat = np.random.default_rng(0).normal(size=(200, 5)) * [0.1, 5, 0.1, 2, 0.1]
    shown, point = drawings._plane(flat, flat[:1])
    centred = flat - flat.mean(axis=0)
    np.testing.assert_allclose(np.abs(shown), np.abs(centred[:, [1, 3]]), atol=0.5)
    np.testing.assert_array_equal(point[0], shown[0])


def test_cells_visited_are_those_the_index_looks_in(rows):
    index = faiss.index_factory(16, "IVF8,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    figure = drawings.ivf_cells(index, rows, rows[3], nprobe=2, k=5)
    index.nprobe = 2
    _, found = index.search(rows[3:4], 600)
    looked_at = np.count_nonzero(found >= 0)
    exact = np.argsort(-(rows @ rows[3]))[:5]
    kept = np.isin(exact, found).sum()
    names = [trace.name for trace in figure.data]
    assert f"neighbour, found ({kept})" in names and f"neighbour, missed ({5 - kept})" in names
    assert f"in a visited cell ({looked_at - kept})" in names


@pytest.mark.parametrize("ef", [4, 16, 64])
def test_the_walk_finds_what_faiss_finds(graph, rows, ef):
    graph.hnsw.efSearch = ef
    for query in unit(np.random.default_rng(1).normal(size=(5, 16)) + 1):
        walk = drawings.hnsw_walk(graph, rows, query, ef=ef)
        _, found = graph.search(query[None], 4)
        np.testing.assert_array_equal(walk.found[:4], found[0])


def test_the_walk_gets_nearer_at_every_step_and_goes_down(graph, rows):
    query = unit(np.random.default_rng(2).normal(size=(1, 16)))[0]
    walk = drawings.hnsw_walk(graph, rows, query, ef=8)
    layers, stood = zip(*walk.steps, strict=True)
    assert list(layers) == sorted(layers, reverse=True) and layers[-1] == 0
    assert (np.diff(rows[list(stood)] @ query) >= 0).all()
    assert all((walk.levels[seen] > layer).all() for layer, seen in enumerate(walk.seen))


def test_a_walk_is_drawn_layer_by_layer(graph, rows):
    walk = drawings.hnsw_walk(graph, rows, rows[9], ef=8)
    figure = drawings.hnsw_layers(walk, rows, rows[9], k=5)
    titles = [note.text for note in figure.layout.annotations]
    assert titles[-1] == "layer 0: 600 rows" and len(titles) == walk.levels.max()


def test_codes_drawn_are_those_of_faiss(rows):
    pq = faiss.ProductQuantizer(16, 4, 4)
    pq.train(rows)
    codes = [figure_code(note) for note in drawings.pq_codes(pq, rows, 7).layout.annotations[2:]]
    packed = pq.compute_codes(rows[7:8])[0]
    assert codes == [number for byte in packed for number in (byte & 15, byte >> 4)]
    decoded = named(drawings.pq_codes(pq, rows, 7), "what its codes stand for").y
    np.testing.assert_allclose(decoded, pq.decode(packed[None])[0], atol=1e-4)


def figure_code(note):
    return int(note.text)
