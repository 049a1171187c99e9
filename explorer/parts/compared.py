"""The parts of the page "Compare": contenders, their lists, and the measured indexes."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

import address
import resources
import store
import thumbnails
from parts import grid, settings
from sigscope import INDEXES, Searcher
from sigscope.ann import as_table, sweep
from sigscope.figures import PALETTE
from sigscope.search import BY, Part, Shared, parts_of

MOST = 4  # contenders
N_QUERIES, K = 100, 10
APART_HELP = (
    "Takes what follows “not”, “but not” or “without” off the query's vector. Models read past "
    "such words: they find drawings for “a dog but not a drawing”."
)
MARKS = [colour for name, colour in PALETTE.items() if name != "black"]  # of shared results
STYLE = """<style>
ul.listed {display: flex; flex-direction: column; gap: .5rem; margin: 0; padding: 0 !important}
ul.listed li {display: grid; grid-template-columns: 72px 1fr; gap: .75rem; margin: 0;
  align-items: center; list-style: none; border-left: 6px solid var(--mark, transparent);
  padding-left: .5rem}
.listed img {width: 72px; aspect-ratio: 1; object-fit: contain; background: #fff; padding: 4px;
  box-sizing: border-box; border-radius: .4rem; border: 1px solid rgba(128, 128, 128, .25)}
.listed p {margin: 0; font-size: .85rem; line-height: 1.3; overflow-wrap: anywhere}
.listed p:last-child {opacity: .75; font-size: .78rem; font-variant-numeric: tabular-nums}
</style>"""


@dataclass(frozen=True)
class Answer:
    found: pd.DataFrame
    exact: pd.DataFrame
    vector: np.ndarray


@dataclass(frozen=True)
class Contender:
    model: str
    index: str
    effort: int | None
    by: str
    apart: bool  # whether what follows "not" is taken off instead of read

    @property
    def name(self) -> str:
        """What to call it, short enough for a table."""
        index = self.index if self.effort is None else f"{self.index} {self.effort}"
        named = [self.model and _short(self.model), index, self.by, self.apart and "“not” apart"]
        return ", ".join(filter(None, named))

    @property
    def searcher(self) -> Searcher:
        """What answers; waits for its model where it is not loaded yet."""
        return resources.searcher(self.index, self.effort, model=self.model)

    def answer(self, words: str, k: int) -> Answer:
        """Return what it finds, and what exact search with its model finds."""
        exact = resources.searcher(model=self.model)
        vector = exact.encoder.encode_texts([words])[0]
        return Answer(self.search(words, k), self.search(words, k, exact), vector)

    def search(self, words: str, k: int, searcher: Searcher | None = None) -> pd.DataFrame:
        """Return what it finds, or would if another searcher answered."""
        asked = parts_of(words) if self.apart else [Part("text", words)]
        return (searcher or self.searcher).by_parts(asked, k, by=self.by)


def contender(number: int, index: str, by: str = "meaning") -> Contender:
    """Show one contender's choices, which start with an index and a way, and return it."""
    models = resources.models()
    model = ""
    if len(models) > 1:
        bound = address.varying(f"model{number}", f"model {number}", models, "")
        model = st.selectbox("Model", models, format_func=_short, **bound)
    names = settings.indexes()
    bound = address.varying(f"index{number}", f"index {number}", names, index)
    index = st.selectbox(
        "Index", names, format_func=lambda name: store.indexes()[name].label, **bound
    )
    bound = address.varying(f"by{number}", f"by {number}", BY, by)
    by = st.selectbox("Find by", BY, help=settings.BY_HELP, **bound)
    apart = st.checkbox("Take “not” apart", key=f"apart{number}", help=APART_HELP)
    with st.container(height=90, border=False):  # so that lists begin at one height
        effort = settings.effort_of(index, f"effort{number}")
        if effort is None:
            st.caption("Nothing to tune: it compares with every picture.")
    return Contender(model, index, effort, by, apart)


def told(costs: Mapping[str, float], lost: pd.DataFrame, exact: int) -> None:
    """Say what a list cost, and how much it has of what exact search finds."""
    st.markdown(
        f"**{exact - len(lost)} of {exact}** that exact search finds · {costs['ms']:.2f} ms · "
        f"{costs['bytes_per_vector']:,.0f} bytes a vector · built in {costs['build_s']:.2f} s"
    )


def results(table: pd.DataFrame, shared: Mapping[str, Shared]) -> None:
    """List results with their pictures; shared ones wear their number and colour."""
    called = grid.score_name(table)
    rows = "".join(_row(row, called, shared.get(row["id"])) for row in table.to_dict("records"))
    st.html(f'<ul class="listed">{rows}</ul>')


def is_measured() -> bool:
    """Return whether the indexes over the visitor's gallery have been measured already."""
    return resources.version() in _done()


def measured() -> pd.DataFrame:
    """Return what every index gives up for its speed on the visitor's gallery."""
    key = resources.version()
    table = _measured(key)
    _done().add(key)
    return table


@st.cache_resource(show_spinner=False)
def _done() -> set[str]:
    return set()


@st.cache_data(show_spinner="Building and measuring every index (once) …")
def _measured(key: str) -> pd.DataFrame:
    held = resources.searcher(key=key).embeddings
    kinds = {"image": held.images, "text": held.captions}
    queries = {kind: rows[_evenly(len(rows))] for kind, rows in kinds.items() if len(rows)}
    return as_table(sweep(list(INDEXES), held.images, held.ids, queries, K, singles=50))


def _evenly(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, N_QUERIES)).round().astype(int))


def _row(row: dict, called: str, shared: Shared | None) -> str:
    caption = escape(row["caption"] or row["id"].rpartition("/")[2])
    mark = f' style="--mark: {MARKS[(shared.number - 1) % len(MARKS)]}"' if shared else ""
    with_others = f" · no. {shared.number}, in {shared.lists} lists" if shared else ""
    return (
        f'<li{mark}><img src="{thumbnails.address(row["id"])}" alt="{caption}" loading="lazy">'
        f"<div><p>{row['rank']}. {caption}</p>"
        f"<p>{called} {row['score']:.3f}{with_others}</p></div></li>"
    )


def _short(model: str) -> str:
    return Path(model).name if model else "the explorer's"
