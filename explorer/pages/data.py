"""Data: what is loaded, what was left out and why, and how to add a folder of one's own."""

import streamlit as st

import resources
from parts import adding, ask, cards, grid
from sigscope.gallery import GalleryError

grid.style()
gallery = resources.gallery()
st.title("Data", anchor=False)
st.caption(f"{gallery.name}: {len(gallery):,} pictures, {len(gallery.captions):,} captions.")

searcher = resources.searcher()
left_out = cards.left_out(gallery, searcher.embeddings)
with st.container(horizontal=True):
    st.metric("Pictures", f"{len(gallery):,}", border=True)
    st.metric("Captions", f"{len(gallery.captions):,}", border=True)
    st.metric("Searchable", f"{len(searcher):,}", border=True)
    st.metric("Left out", f"{len(left_out):,}", border=True)

counted, reasons, model, index = st.tabs(["Pictures", "Left out", "Model", "Index"])
with counted:
    st.dataframe(cards.by_category(gallery), hide_index=True, key="by category")
    st.caption("How many pictures each category has in each split.")
with reasons:
    if left_out.empty:
        st.success("Every picture could be read.")
    else:
        st.dataframe(left_out, hide_index=True, key="left out")
with model:
    st.dataframe(cards.model_card(searcher), hide_index=True, key="model card", width="content")
    if words := cards.readme(searcher):
        with st.expander("The model's own card"):
            st.markdown(words)
with index:
    st.dataframe(cards.index_card(searcher), hide_index=True, key="index card", width="content")
    st.caption("The page Compare measures every index on this gallery.")

st.subheader("Add a folder", anchor=False)
with st.form("add", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
    source = st.text_input(
        "A folder on this machine, a zip, or a data set", key="source",
        placeholder="~/Photos, or coco:/data/coco",
        help="Nothing in it is changed. Its vectors are kept in data/cache.",
    )  # fmt: skip
    if st.form_submit_button("Add", type="primary") and source.strip():
        try:
            st.session_state["adding"] = adding.begin(source.strip())
        except (GalleryError, OSError) as reason:
            ask.trouble(reason)


@st.fragment(run_every=1.0)
def progress(key: str) -> None:
    """Show how far a folder has got; once it is ready, look at it."""
    job = adding.jobs().get(key)
    if job is not None and not job.is_over:
        st.progress(job.share, f"Embedding {job.source}: {job.share:.0%}")
        return
    if job is not None and job.failed:
        ask.trouble(ValueError(f"{job.source} could not be added: {job.failed}"))
        del adding.jobs()[key]
        del st.session_state["adding"]
        return
    if job is not None:
        adding.settle(key)
    del st.session_state["adding"]
    st.session_state["next gallery"] = key
    st.rerun()


if key := st.session_state.get("adding"):
    progress(key)
