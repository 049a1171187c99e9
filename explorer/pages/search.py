"""Search the gallery by words, by pictures, by what it should not be like, or by all of them."""

import streamlit as st

import query
import resources
from parts import ask, export, grid, settings
from sigscope.models import ModelError
from sigscope.search import MergeError

N_SAMPLE = 10
SCORE = (
    "A score is the cosine between the vector of what you ask and the vector of a picture: 1 is "
    "the same direction, 0 is unrelated. Words and pictures lie further apart than pictures and "
    "pictures do, so compare scores within one search only. With hubs tamed, pictures of text "
    "lowered or several parts mixed a score is no cosine any more."
)
PICTURES, CAPTIONS = "Pictures", "Captions"
MATCHES = {"good": "good match", "weak": "weak match", "none": "no good match"}

grid.style()
st.title(f"Search {len(resources.gallery()):,} pictures", anchor=False)
ask.box()
ask.listen_for_paste()
how = settings.chosen()
grid.follow()

if query.is_empty():
    st.subheader("A few of them", anchor=False)
    st.caption("Click an example above, describe what you look for, or start from a picture.")
    only = {"category": how.categories, "split": how.splits}
    drawn = resources.sample(N_SAMPLE, query.seed(), **only)
    if drawn.empty:
        st.info("No picture has this category and this split; take one of them out.")
    grid.cards(drawn, how.size)
    st.button("Show others", key="others", on_click=query.show_others)
    st.caption(resources.facts(how.searcher))
    st.stop()

ask.panel()
shown = PICTURES
if picture := query.only_picture():
    shown = st.segmented_control("Show", [PICTURES, CAPTIONS], default=PICTURES, required=True,
                                 key="view", bind="query-params")  # fmt: skip
try:
    if shown == CAPTIONS:
        grid.captions(grid.fitting(picture, how.k))
        st.stop()
    found = query.results(how)
    match = how.searcher.match(found) if len(found) else None
except (ValueError, MergeError, ModelError) as reason:
    ask.trouble(reason)
    st.stop()

if found.empty:
    st.info("Nothing is left to search: take a category, a split or the limit on text away.")
    st.stop()
if match is not None and match.label == "none":
    st.info(f"{match.sentence} The nearest pictures are shown all the same.")
if sentence := found.attrs.get("sentence"):
    st.caption(f"The sentence that was searched for: “{sentence}”".replace("$", r"\$"))

with st.container(horizontal=True, vertical_alignment="center", key="told"):
    encode_ms, search_ms = found.attrs["encode_ms"], found.attrs["search_ms"]
    st.caption(
        f"{len(found)} pictures, best first · encode {encode_ms:.1f} ms · "
        f"search {search_ms:.2f} ms" + (f" · {MATCHES[match.label]}" if match else ""),
        help=f"{SCORE} {match.sentence if match else ''}", width="stretch",
    )  # fmt: skip
    export.buttons(found)
grid.cards(found, how.size)
st.caption(resources.facts(how.searcher))
