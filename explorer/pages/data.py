"""Data: what is loaded, what was left out and why, and how to add a folder of one's own."""

import pandas as pd
import streamlit as st

import resources
from literal import literal
from parts import added, adding, cards, notices
from sigscope.gallery import GalleryError
from sigscope.models import known_models
from sigscope.search import UnreadableGallery

NONE_FAILED = pd.DataFrame(columns=["path", "reason"])

gallery = resources.gallery()
st.title("Data", anchor=False)
st.caption(
    f"{literal(gallery.name)}: {len(gallery):,} pictures, {len(gallery.captions):,} captions."
)

try:
    searcher = resources.searcher()
    failed = searcher.embeddings.failed
except (GalleryError, UnreadableGallery) as reason:
    notices.say(reason)
    searcher, failed = None, getattr(reason, "failed", NONE_FAILED)
left_out = cards.left_out(gallery, failed)
with st.container(horizontal=True, key="facts"):
    st.metric("Pictures", f"{len(gallery):,}", border=True)
    st.metric("Captions", f"{len(gallery.captions):,}", border=True)
    st.metric("Searchable", f"{len(searcher or ()):,}", border=True)
    st.metric("Left out", f"{len(left_out):,}", border=True)

counted, reasons, zoo, *more = st.tabs(
    ["Pictures", "Left out", "Models", *(["Model", "Index"] if searcher else [])]
)
with counted:
    st.dataframe(cards.by_category(gallery), hide_index=True, key="by category")
    is_sorted = gallery.items[["category", "split"]].ne("").any(axis=None)
    st.caption("How many pictures each category has in each split." if is_sorted else
               "Nothing sorts the pictures of this gallery into categories or splits.")  # fmt: skip
with reasons:
    if left_out.empty:
        st.success("Every picture could be read.")
    else:
        st.dataframe(left_out, hide_index=True, key="left out")
with zoo:
    st.dataframe(known_models(), hide_index=True, key="zoo")
    st.caption(
        "SIGSCOPE_MODEL takes what stands in the first column; `sigscope models fetch` downloads. "
        "coco and flickr: R@1, text to image and image to text, on COCO's 5,000 and Flickr30k's "
        "1,000 test pictures, as open_clip lists them; empty where nothing can be cited. "
        "Megabytes: on disk where it is here, else of its weights in float32. Pictures per second: "
        "from files to stored vectors, the last time 100 or more were embedded on this machine."
    )
if searcher:
    model, index = more
    model.dataframe(cards.model_card(searcher), hide_index=True, key="model card", width="content")
    if words := cards.readme(searcher):
        model.expander("The model's own card").markdown(words)
    index.dataframe(cards.index_card(searcher), hide_index=True, key="index card", width="content")
    index.caption("The page Compare measures every index on this gallery.")

st.subheader("Galleries", anchor=False)
added.galleries(adding.galleries())
added.form()
added.under_way()
