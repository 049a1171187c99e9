"""The explorer: it routes to a page, and turns whatever stops one into a sentence."""

from pathlib import Path

import ask
import streamlit as st

from sigscope.embeddings import StaleEmbeddings, StoreError
from sigscope.encoder import ModelError
from sigscope.gallery import GalleryError

ICON = Path(__file__).with_name("icon.png")  # a file: Streamlit's own icons come from elsewhere

st.set_page_config(page_title="sigscope", page_icon=str(ICON), layout="wide")
page = st.navigation(
    [
        st.Page("pages/search.py", title="Search", default=True),
        st.Page("pages/rate.py", title="Rate results"),
    ]
)
try:
    page.run()
except (GalleryError, ModelError, StaleEmbeddings, StoreError) as reason:
    ask.trouble(reason)
