"""Index drawings: what an index does for one query, over a flat picture of its vectors.

The picture is drawn along the two directions in which the vectors differ most. Much is lost in
two dimensions, so rows that look near need not be. Nothing here changes the index it draws.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sigscope.figures.theme import GREY, PALETTE, dressed, numbers

LIGHT = "#CFCFCF"
QUERY = {"symbol": "star", "size": 13, "color": PALETTE["orange"]}
QUERY |= {"line": {"color": PALETTE["black"], "width": 1}}


def _plane(xb: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return xb, and then the others, along the first two principal directions of xb, (n, 2)."""
    mean = xb.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(xb.T, dtype=np.float64))
    two = directions[:, :-3:-1]
    two = two * np.sign(two[np.abs(two).argmax(axis=0), [0, 1]])  # the same way round each time
    return [((x - mean) @ two).astype(np.float32) for x in (xb, *others)]


def ivf_cells(
    index: object, xb: np.ndarray, query: np.ndarray, *, nprobe: int, k: int
) -> go.Figure:
    """Draw the cells that an inverted file visits for a query, and which neighbours it so finds.

    Args:
        index: a ``faiss.IndexIVF`` over xb, with or without what surrounds it.
        xb: unit rows, float32, (n, d).
        query: one unit row, float32, (d,).
        nprobe: how many cells to visit.
        k: how many exact neighbours to mark as found or missed.
    """
    import faiss

    ivf = faiss.extract_index_ivf(index)
    centroids = ivf.quantizer.reconstruct_n(0, ivf.nlist)
    cell_of = _cells(ivf, len(xb))
    _, visited = ivf.quantizer.search(query[None], nprobe)
    seen = np.isin(cell_of, visited[0])
    exact = np.argsort(-(xb @ query), kind="stable")[:k]
    flat, centres, spot = _plane(xb, centroids, query[None])
    near = np.isin(np.arange(len(xb)), exact)
    figure = go.Figure()
    for name, rows, marker in (
        ("not looked at", ~seen & ~near, {"color": LIGHT, "size": 4}),
        ("in a visited cell", seen & ~near, {"color": PALETTE["sky"], "size": 5}),
        ("neighbour, found", near & seen, {"color": PALETTE["blue"], "size": 9}),
        ("neighbour, missed", near & ~seen, _ring(PALETTE["vermilion"])),
    ):
        _add_dots(figure, f"{name} ({np.count_nonzero(rows):,})", flat[rows], marker)
    chosen = np.isin(np.arange(len(centres)), visited[0])
    _add_dots(figure, "centre of a cell", centres[~chosen], _cross("#8A8A8A"))
    _add_dots(figure, f"centre, visited ({nprobe})", centres[chosen], _cross(PALETTE["black"]))
    _add_dots(figure, "query", spot, QUERY)
    return _flat(figure)


@dataclass(frozen=True, eq=False)
class Walk:
    """A search through an HNSW graph: what it looked at and where it stood, layer by layer."""

    levels: np.ndarray  # (n,) in how many layers each row is
    steps: list[tuple[int, int]]  # (layer, row) of each stand, from the top layer down
    seen: list[np.ndarray]  # of each layer from 0, the rows whose distance was measured
    found: np.ndarray  # (ef,) or fewer rows, best first


def hnsw_walk(index: object, xb: np.ndarray, query: np.ndarray, *, ef: int = 16) -> Walk:
    """Return the way that an HNSW index goes to a query, by its own graph.

    Malkov & Yashunin 2018, algorithms 2 and 5: greedy in the upper layers, and in layer 0 the ef
    best so far, whose neighbours are looked at until none is nearer than the worst of them.

    Args:
        index: a ``faiss.IndexHNSW`` over xb.
        xb: unit rows, float32, (n, d).
        query: one unit row, float32, (d,).
        ef: how many rows layer 0 keeps in view.
    """
    graph = _Graph(index)
    nearness = xb @ query
    here, steps = graph.entry, []
    seen: list[set[int]] = [set() for _ in range(graph.top + 1)]
    for layer in range(graph.top, 0, -1):
        steps.append((layer, here))
        while True:
            around = graph.neighbours(here, layer)
            seen[layer] |= {here, *around}
            best = max(around, key=lambda row: nearness[row], default=here)
            if nearness[best] <= nearness[here]:
                break
            here = best
            steps.append((layer, here))
    kept, seen[0], stood = _beam(graph, nearness, here, ef)
    steps += [(0, row) for row in stood]
    rows = [np.array(sorted(layer), dtype=np.int64) for layer in seen]
    return Walk(graph.levels, steps, rows, np.array(kept, dtype=np.int64))


def hnsw_layers(walk: Walk, xb: np.ndarray, query: np.ndarray, *, k: int) -> go.Figure:
    """Draw a walk, a panel per layer from the top: the rows there, those seen, and the way taken.

    Args:
        walk: from ``hnsw_walk``.
        xb: the rows of the index.
        query: the one that was walked to.
        k: how many exact neighbours to mark.
    """
    flat, spot = _plane(xb, query[None])
    layers = range(int(walk.levels.max()) - 1, -1, -1)
    titles = [f"layer {layer}: {np.count_nonzero(walk.levels > layer):,} rows" for layer in layers]
    figure = make_subplots(cols=len(layers), subplot_titles=titles, horizontal_spacing=0.04)
    exact = np.argsort(-(xb @ query), kind="stable")[:k]
    for column, layer in enumerate(layers, 1):
        way = [row for at, row in walk.steps if at == layer]
        marks = {"legend": column == len(layers), "row": 1, "col": column}
        few = {"color": LIGHT, "size": 4 if layer == 0 else 6}
        _add_dots(figure, "in the layer", flat[walk.levels > layer], few, **marks)
        seen = {"color": PALETTE["sky"], "size": 6}
        _add_dots(figure, "compared with the query", flat[walk.seen[layer]], seen, **marks)
        if layer == 0:
            _add_dots(figure, f"the {k} neighbours", flat[exact], _ring(PALETTE["blue"]), **marks)
        _add_dots(figure, "the way", flat[way], _stand(), line=PALETTE["vermilion"], **marks)
        _add_dots(figure, "query", spot, QUERY, **marks)
    figure.update_xaxes(matches="x").update_yaxes(matches="y")
    return _flat(figure)


def pq_codes(pq: object, xb: np.ndarray, row: int, *, part: int = 0, shown: int = 6) -> go.Figure:
    """Draw what a product quantiser makes of a row: one part's codebook, and the row and its code.

    Args:
        pq: a trained ``faiss.ProductQuantizer``.
        xb: rows like those it was trained on, float32, (n, d).
        row: which of them to encode.
        part: of the pq.M stretches of numbers, the one whose codebook is drawn.
        shown: how many parts of the row are drawn, beginning with the first.
    """
    import faiss

    books = faiss.vector_to_array(pq.centroids).reshape(pq.M, pq.ksub, pq.dsub)
    words = ((xb[row].reshape(pq.M, 1, pq.dsub) - books) ** 2).sum(axis=2).argmin(axis=1)
    decoded = books[np.arange(pq.M), words].ravel()
    stretch = slice(part * pq.dsub, (part + 1) * pq.dsub)
    size = -(-pq.M * pq.nbits // 8)
    figure = make_subplots(
        cols=2,
        column_widths=[0.4, 0.6],
        horizontal_spacing=0.1,
        subplot_titles=[
            f"part {part + 1} of {pq.M}: {pq.ksub} code words",
            f"{pq.d} numbers ({4 * pq.d:,} bytes) as {pq.M} codes ({size} bytes)",
        ],
    )
    own, word = xb[row : row + 1, stretch], books[part, words[part]][None]
    flat, book, spot, nearest = _plane(xb[:, stretch], books[part], own, word)
    first = {"row": 1, "col": 1}
    _add_dots(figure, f"this part of {len(xb):,} rows", flat, {"color": LIGHT, "size": 3}, **first)
    _add_dots(figure, "code word", book, {"color": PALETTE["blue"], "size": 5}, **first)
    to = np.vstack([spot, nearest])
    label = f"the row and its code word, {words[part]}"
    _add_dots(figure, label, to, _stand(), line=PALETTE["vermilion"], **first)
    shown = min(shown, pq.M)
    _add_numbers(figure, *(x[: shown * pq.dsub] for x in (xb[row], decoded)))
    for at in range(shown):
        place = {"x": (at + 0.5) * pq.dsub - 0.5, "y": 1, "yref": "y2 domain", "row": 1, "col": 2}
        figure.add_annotation(text=f"{words[at]}", showarrow=False, yanchor="top", **place)
        figure.add_vline(at * pq.dsub - 0.5, line={"color": LIGHT, "dash": "dot"}, row=1, col=2)
    words_below = f"dimension: {shown} of {pq.M} parts with their codes"
    figure.update_xaxes(title_text=words_below, showgrid=False, row=1, col=2)
    figure.update_yaxes(title_text="value", row=1, col=2)
    return _flat(figure, row=1, col=1)


class _Graph:
    """The graph of a ``faiss.IndexHNSW``, read out of its flat arrays."""

    def __init__(self, index: object) -> None:
        import faiss

        hnsw = index.hnsw
        self.levels = faiss.vector_to_array(hnsw.levels).astype(np.int64)
        self.entry, self.top = int(hnsw.entry_point), int(hnsw.max_level)
        self._links = faiss.vector_to_array(hnsw.neighbors)
        self._starts = faiss.vector_to_array(hnsw.offsets).astype(np.int64)
        self._layers = faiss.vector_to_array(hnsw.cum_nneighbor_per_level).astype(np.int64)

    def neighbours(self, row: int, layer: int) -> list[int]:
        """Return the rows that row has links to in a layer."""
        start = self._starts[row]
        links = self._links[start + self._layers[layer] : start + self._layers[layer + 1]]
        return links[links >= 0].tolist()


def _beam(
    graph: _Graph, nearness: np.ndarray, start: int, ef: int
) -> tuple[list[int], set[int], list[int]]:
    """Return the ef nearest rows met in layer 0, all rows met, and where the best one moved."""
    kept, seen, open_, stood = [start], {start}, [start], [start]
    while open_:
        here = max(open_, key=lambda row: nearness[row])
        open_.remove(here)
        if len(kept) >= ef and nearness[here] < nearness[kept[-1]]:
            break
        if nearness[here] > nearness[stood[-1]]:
            stood.append(here)
        new = [row for row in graph.neighbours(here, 0) if row not in seen]
        seen.update(new)
        open_ += new
        kept = sorted({*kept, *new}, key=lambda row: -nearness[row])[:ef]
    return kept, seen, stood


def _cells(ivf: object, n: int) -> np.ndarray:
    """Return the number of the cell that each of n rows is in."""
    import faiss

    cell_of = np.full(n, -1)
    for cell in range(ivf.nlist):
        size = ivf.invlists.list_size(cell)
        if size:
            cell_of[faiss.rev_swig_ptr(ivf.invlists.get_ids(cell), size)] = cell
    return cell_of


def _add_numbers(figure: go.Figure, before: np.ndarray, after: np.ndarray) -> None:
    for name, values, line in (
        ("the row", before, {"color": GREY, "width": 1}),
        ("what its codes stand for", after, {"color": PALETTE["vermilion"], "width": 1.2}),
    ):
        figure.add_scatter(
            x=np.arange(len(values), dtype=np.int16),
            y=numbers(values, 4),
            mode="lines",
            name=name,
            line=line | {"shape": "hvh"},
            row=1,
            col=2,
        )


def _add_dots(
    figure: go.Figure,
    name: str,
    points: np.ndarray,
    marker: dict,
    *,
    line: str = "",
    legend: bool = True,
    **place: int,
) -> None:
    figure.add_scatter(
        x=np.round(points[:, 0], 3),
        y=np.round(points[:, 1], 3),
        mode="lines+markers" if line else "markers",
        line={"color": line, "width": 2} if line else None,
        name=name,
        marker=marker,
        showlegend=legend,
        hoverinfo="skip",
        **place,
    )


def _ring(colour: str) -> dict:
    return {"symbol": "circle-open", "color": colour, "size": 10, "line": {"width": 2}}


def _cross(colour: str) -> dict:
    return {"symbol": "x-thin", "size": 7, "line": {"color": colour, "width": 1.5}}


def _stand() -> dict:
    return {"color": PALETTE["vermilion"], "size": 7}


def _flat(figure: go.Figure, **flat: int) -> go.Figure:
    """Return figure in the template, its flat panels with neither ticks nor units."""
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "showline": False, **flat}
    dressed(figure, height=480).update_xaxes(**bare).update_yaxes(**bare)
    return figure.update_layout(
        margin={"t": 40, "b": 110, "l": 25}, legend={"y": -0.14, "yanchor": "top"}
    )
