"""Pictures as cards, in as many columns as there is room for.

The cards are HTML of our own, as captions come from anywhere: they are escaped, never read as
Markdown, and each picture has its caption as the text that stands in for it.
"""

from collections.abc import Callable
from html import escape

import pandas as pd
import streamlit as st

import query
import resources
import thumbnails

LESS, ADD, FITS, MAP = "Less like this", "Add to the query", "Captions that fit", "Show on map"
MAP_PAGE = "pages/map.py"
N_CAPTIONS = 5

STYLE = """<style>
.card {margin: 0; display: flex; flex-direction: column; gap: .15rem}
.card img, .asked img {width: 100%; aspect-ratio: 1; object-fit: contain; display: block;
  box-sizing: border-box; padding: 6%; background: #fff; border-radius: .5rem;
  border: 1px solid rgba(128, 128, 128, .25)}
.card p, .captions p {margin: .15rem 0 0; font-size: .8rem; opacity: .75; white-space: nowrap;
  overflow: hidden; text-overflow: ellipsis; font-variant-numeric: tabular-nums}
.card figcaption {font-size: .9rem; line-height: 1.35; height: 2.7em; overflow: hidden;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow-wrap: anywhere}
.asked img {width: 56px}
.captions ol {margin: .2rem 0 0; padding: 0; list-style: none; font-size: .9rem}
.captions li {display: flex; gap: .75rem; padding: .1rem 0; margin: 0; overflow-wrap: anywhere}
.captions li span {opacity: .75; font-variant-numeric: tabular-nums; flex: none}
.st-key-cards .stButton button, .st-key-cards .stMenuButton button
  {min-height: 1.9rem; padding: .1rem .6rem}
.st-key-examples .stButton button, .st-key-examples .stPopover button
  {min-height: 1.8rem; padding: .05rem .75rem; border-radius: 1rem}
.st-key-cards .stButton p, .st-key-examples p {font-size: .875rem}
</style>"""


def style() -> None:
    """Give the page the looks of its cards and buttons."""
    st.html(STYLE)


def cards(table: pd.DataFrame, size: int = 150) -> None:
    """Show one card per row of a table with id, caption, category and perhaps score.

    Args:
        table: what to show; what the score is called comes with it.
        size: the least width of a card in pixels.
    """
    called = score_name(table)
    with st.container(key="cards"), st.grid(min_column_width=size, gap="small") as grid:
        for number, row in enumerate(table.to_dict("records")):
            with grid.cell(), st.container(gap="xsmall"):
                st.html(card(row, called))
                _acts(row["id"], number)


def asked(picture: bytes | str) -> None:
    """Show the picture of a query: the bytes of a file, or the id of an item."""
    source = thumbnails.address(picture) if isinstance(picture, str) else _own(picture)
    st.html(
        f'<div class="asked"><img src="{source}" alt="the picture you ask with"></div>', width=56
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


def card(row: dict, called: str = "cosine", mark: str = "") -> str:
    """Return a card as HTML; mark is a CSS colour for a line under the picture, or ""."""
    caption = escape(row["caption"] or "no caption")
    score = f"{called} {row['score']:.3f}" if "score" in row else ""
    below = escape(" · ".join(part for part in (score, row["category"]) if part)) or "&nbsp;"
    line = f' style="border-bottom: 5px solid {mark}"' if mark else ""
    return (
        f'<figure class="card"><img src="{thumbnails.address(row["id"])}" alt="{caption}"'
        f' loading="lazy"{line}><p>{below}</p>'
        f'<figcaption title="{caption}">{caption}</figcaption></figure>'
    )


def score_name(table: pd.DataFrame) -> str:
    """Return what the scores of a table of results are."""
    if table.attrs.get("adjusted"):
        return "adjusted cosine"
    return "mixed score" if table.attrs.get("composed") else "cosine"


def _acts(id: str, number: int) -> None:
    """Show what can be done with a result."""
    with st.container(horizontal=True, gap="xsmall"):
        st.button("More like this", key=f"like-{number}", on_click=query.ask_like, args=(id,),
                  width="stretch")  # fmt: skip
        st.menu_button("…", [LESS, ADD, FITS, MAP], key=f"menu-{number}",
                       help="More to do with this picture",
                       on_click=_act, args=(id, f"menu-{number}"))  # fmt: skip


def _act(id: str, key: str) -> None:
    acts: dict[str, Callable[[], None]] = {
        LESS: lambda: query.add_item(id, wanted=False),
        ADD: lambda: query.add_item(id, wanted=True),
        FITS: lambda: st.session_state.update({"fits": id}),
        MAP: lambda: st.session_state.update({"to map": id}),
    }
    acts.get(st.session_state[key], lambda: None)()


def follow() -> None:
    """Do what a card's menu asked for and a callback cannot do: open a dialogue, change page."""
    if id := st.session_state.pop("to map", None):
        st.session_state["on map"] = id
        st.switch_page(MAP_PAGE)
    if id := st.session_state.pop("fits", None):
        _fits(id)


@st.dialog("Captions that fit this picture")
def _fits(id: str) -> None:
    left, right = st.columns([1, 2])
    with left:
        st.html(f'<figure class="card"><img src="{thumbnails.address(id)}" alt=""></figure>')
    with right:
        captions(fitting(id))


@st.cache_data(show_spinner=False, max_entries=64)
def _own(picture: bytes) -> str:
    return thumbnails.uri(thumbnails.small(picture))
