"""Search the gallery by words, by a picture, or by one of its own."""

import ask
import grid
import query
import resources
import settings
import streamlit as st

N_SAMPLE, N_CAPTIONS = 10, 5
SCORE = (
    "A score is the cosine between the vector of what you ask and the vector of a picture: 1 is "
    "the same direction, 0 is unrelated. Words and pictures lie further apart than pictures and "
    "pictures do, so compare scores within one search only. With hubs tamed or pictures of text "
    "lowered a score is no cosine any more."
)

gallery, counts = resources.gallery(), resources.categories()
grid.style()
st.title(f"Search {len(gallery):,} pictures", anchor=False)
ask.box()
k = st.sidebar.slider("Results", 5, 60, 20, 5, key="k")
chosen = st.sidebar.multiselect(
    "Categories",
    list(counts),
    key="categories",
    placeholder="all",
    format_func=lambda name: f"{name} ({counts[name]:,})",
)

how = settings.chosen()

asked = query.current()
if asked is None:
    st.subheader("A few of them", anchor=False)
    grid.cards(resources.sample(N_SAMPLE, query.seed(), tuple(chosen)))
    st.button("Show others", key="others", on_click=query.show_others)
else:
    try:
        found = query.results(asked, how, k, chosen)
    except ValueError as reason:
        ask.trouble(reason)
        st.stop()
    ask.panel(asked, lambda: query.captions(asked, how.searcher, N_CAPTIONS))
    encode_ms, search_ms = found.attrs["encode_ms"], found.attrs["search_ms"]
    among = f"{len(chosen)} of {len(counts)} categories" if chosen else "all categories"
    st.caption(
        f"{len(found)} pictures from {among}, best first · encode {encode_ms:.1f} ms · "
        f"search {search_ms:.2f} ms",
        help=SCORE,
    )
    grid.cards(found)

st.caption(resources.facts(how.searcher))
