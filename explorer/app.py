"""The explorer: it routes to a page, and turns whatever stops one into a sentence."""

from pathlib import Path

import streamlit as st

import query
from parts import adding, ask
from sigscope.embeddings import StaleEmbeddings, StoreError
from sigscope.gallery import GalleryError
from sigscope.images import MachineTrouble
from sigscope.models import ModelError

ICON = Path(__file__).with_name("icon.png")  # a file: Streamlit's own icons come from elsewhere

st.set_page_config(page_title="sigscope", page_icon=str(ICON), layout="wide")
page = st.navigation(
    [
        st.Page("pages/search.py", title="Search", default=True),
        st.Page("pages/map.py", title="Map"),
        st.Page("pages/compare.py", title="Compare"),
        st.Page("pages/rate.py", title="Rate results"),
        st.Page("pages/data.py", title="Data"),
        st.Page("pages/report.py", title="Report"),
    ]
)
if chosen := st.session_state.pop("next gallery", None):
    st.session_state["gallery"] = chosen
if len(galleries := adding.galleries()) > 1:
    st.sidebar.selectbox(
        "Gallery", list(galleries), key="gallery", format_func=galleries.get, bind="query-params"
    )
query.restore(page.url_path)
try:
    page.run()
except (GalleryError, MachineTrouble, ModelError, StaleEmbeddings, StoreError) as reason:
    ask.trouble(reason)
