"""Pictures as cards, in as many columns as there is room for.

The cards are HTML of our own, as captions come from anywhere: they are escaped, never read as
Markdown, and each picture has its caption as the text that stands in for it.
"""

import base64
from html import escape
from io import BytesIO

import pandas as pd
import query
import resources
import streamlit as st
from PIL import Image

from sigscope.images import open_picture

SIDE = 256  # pixels
AS_IT_IS = 60_000  # bytes; a small file in a format that browsers know is shown untouched
MIME = {".webp": "webp", ".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}

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
.asked img {width: 150px}
.captions ol {margin: .2rem 0 0; padding: 0; list-style: none; font-size: .9rem}
.captions li {display: flex; gap: .75rem; padding: .1rem 0; margin: 0; overflow-wrap: anywhere}
.captions li span {opacity: .75; font-variant-numeric: tabular-nums; flex: none}
.st-key-cards .stButton button {min-height: 1.9rem; padding: .1rem .6rem}
.st-key-examples .stButton button {min-height: 1.8rem; padding: .05rem .75rem;
  border-radius: 1rem}
.st-key-cards .stButton p, .st-key-examples .stButton p {font-size: .875rem}
</style>"""


def style() -> None:
    """Give the page the looks of its cards and buttons."""
    st.html(STYLE)


def cards(table: pd.DataFrame) -> None:
    """Show one card per row of a table with id, caption, category and perhaps score.

    What the score is called comes with the table.
    """
    called = "adjusted cosine" if table.attrs.get("adjusted") else "cosine"
    with st.container(key="cards"), st.grid(min_column_width=150, gap="small") as grid:
        for number, row in enumerate(table.to_dict("records")):
            with grid.cell(), st.container(gap="xsmall"):
                st.html(_card(row, called))
                st.button(
                    "More like this",
                    key=f"like-{number}",
                    on_click=query.ask_like,
                    args=(row["id"],),
                    width="stretch",
                )


def asked(picture: bytes | str) -> None:
    """Show the picture of a query: the bytes of a file, or the id of an item."""
    source = thumbnail(picture) if isinstance(picture, str) else _encoded(picture)
    st.html(
        f'<div class="asked"><img src="{source}" alt="the picture you ask with"></div>', width=150
    )


def captions(table: pd.DataFrame) -> None:
    """List captions with their scores."""
    rows = table[["score", "caption"]].itertuples(index=False)
    items = "".join(f"<li><span>{score:.3f}</span>{escape(text)}</li>" for score, text in rows)
    st.html(f'<div class="captions"><p>Captions that fit it best</p><ol>{items}</ol></div>')


def caption_of(id: str) -> str:
    """Return an item's caption, or its id if it has none."""
    items = resources.gallery().items
    return items.loc[items["id"] == id, "caption"].iat[0] or id


@st.cache_data(show_spinner=False, max_entries=4096)
def thumbnail(id: str) -> str:
    """Return an item's picture as a data URI, at most SIDE pixels wide and high."""
    gallery = resources.gallery()
    file = gallery.file(id)
    kind = MIME.get(file.suffix.lower())
    if kind and file.stat().st_size <= AS_IT_IS:
        return _uri(file.read_bytes(), kind)
    return _encoded(gallery.picture(id))


def _card(row: dict, called: str = "cosine") -> str:
    caption = escape(row["caption"] or "no caption")
    score = f"{called} {row['score']:.3f}" if "score" in row else ""
    below = escape(" · ".join(part for part in (score, row["category"]) if part)) or "&nbsp;"
    source = thumbnail(row["id"])
    return (
        f'<figure class="card"><img src="{source}" alt="{caption}" loading="lazy">'
        f'<p>{below}</p><figcaption title="{caption}">{caption}</figcaption></figure>'
    )


def _encoded(picture: bytes | Image.Image) -> str:
    small = open_picture(picture, max_side=SIDE)
    small.thumbnail((SIDE, SIDE))
    file = BytesIO()
    small.save(file, "WEBP", quality=85)
    return _uri(file.getvalue(), "webp")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
