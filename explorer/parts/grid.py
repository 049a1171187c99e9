"""Pictures as a grid, any of them large over the page: a component of our own in plain modules.

What captions and file names say comes from anywhere: the component makes text of them, never HTML.
What a visitor does to a picture is a link to another address (`address`): nothing is called here.
"""

from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import streamlit as st

import address
import kept
import resources
import thumbnails
from parts import notices

COMPONENTS = Path(__file__).parents[1] / "components"
N_CAPTIONS = 20
AT_ONCE = 24  # pictures that do not wait until they are known to be in sight
ACTED, HEARD = "number of the last act on tags", "number of the last selection"


@st.cache_resource(show_spinner=False)
def component(name: str, *before: str) -> Callable:
    """Return a component of ours: the module and style sheet of its name, after what it uses."""
    js = [(COMPONENTS / f"{part}.js").read_text(encoding="utf-8") for part in (*before, name)]
    css = (COMPONENTS / f"{name}.css").read_text(encoding="utf-8")
    return st.components.v2.component(
        f"sigscope-{name}", js="\n".join(js), css=css, isolate_styles=False
    )


def cards(table: pd.DataFrame, told: str = "", help: str = "", most: int = 0) -> None:
    """Show one picture per row of a table with id, caption, category and perhaps score.

    Further columns there may be: alike, how many pictures hide behind it; kind, "" where it is
    to be kept of several; heading, which begins a new group.

    Args:
        table: what to show; what the score is called comes with it.
        told: what to say beside the number of pictures.
        help: what that means.
        most: how many there could be; the grid asks for more when its end is in sight.
    """
    key = resources.current()
    scores = table["score"].round(4).tolist() if "score" in table else [None] * len(table)
    below = table["category"]
    if "found_by" in table:
        below = ("by " + table["found_by"] + " · " + below).str.removesuffix(" · ")
    more = table[table.columns.intersection(["alike", "kind", "heading"])].to_dict("records")
    columns = (table["id"], table["caption"], below, scores, more)
    tags = kept.by_picture()
    component("cards")(
        key="cards", height="content",
        data={
            "rows": [list(row) for row in zip(*columns, strict=True)],
            "base": thumbnails.address(""), "about": thumbnails.below(f"about/{quote(key, '')}/"),
            "called": score_name(table), "told": told, "help": help, "more": most,
            "size": st.session_state["size"], "bar": len(table) > 0,
            "acted": st.session_state.get(ACTED, 0), "chosen": kept.selection(),
            "heard": st.session_state.get(HEARD, 0),
            "asked": [st.session_state[name] for name in (*address.ASKED, "view")],
            "tags": {id: tags[id] for id in table["id"] if id in tags},
            "atOnce": AT_ONCE, "inside": thumbnails.light(table["id"].head(AT_ONCE)),
        },
        on_chosen_change=_chosen, on_tagged_change=_tagged,
    )  # fmt: skip


@notices.guarded
def _chosen() -> None:
    act = st.session_state["cards"]["chosen"]
    st.session_state[HEARD] = act["number"]
    st.session_state["show"] = act["show"]  # the panel opens without asking the server
    kept.choose(act["ids"])


@notices.guarded
def _tagged() -> None:
    for act in st.session_state["cards"]["tagged"]:
        if act["number"] > st.session_state.get(ACTED, 0):
            st.session_state[ACTED] = act["number"]
            kept.tag([act["id"]], act["tag"], act["on"])


def asked(picture: bytes | str) -> None:
    """Show the picture of a query: the bytes of a file, or the id of an item."""
    source = thumbnails.address(picture) if isinstance(picture, str) else _own(picture)
    st.html(
        f'<div class="asked"><img src="{source}" alt="the picture you ask with"></div>', width=40
    )


def captions(table: pd.DataFrame) -> None:
    """List captions with their scores."""
    rows = table[["score", "caption"]].itertuples(index=False)
    items = "".join(f"<li><span>{score:.3f}</span>{escape(text)}</li>" for score, text in rows)
    st.html(f'<div class="captions"><p>Captions that fit it best</p><ol>{items}</ol></div>')


def fitting(picture: bytes | str, k: int = N_CAPTIONS) -> pd.DataFrame:
    """Return the k captions that fit a picture or an item best, each wording once."""
    table = resources.searcher().captions_for(picture, 10 * k)
    return table.drop_duplicates("caption").head(k)


def score_name(table: pd.DataFrame) -> str:
    """Return what the scores of a table of results are."""
    if by := table.attrs.get("by"):
        return "keyword score" if by == "words" else "score"
    if table.attrs.get("adjusted"):
        return "adjusted cosine"
    return "mixed score" if table.attrs.get("composed") else "cosine"


@st.cache_data(show_spinner=False, max_entries=64)
def _own(picture: bytes) -> str:
    return thumbnails.uri(thumbnails.small(picture))
