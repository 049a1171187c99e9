"""What a visitor takes home: results as a table, or with their pictures."""

import pandas as pd
import streamlit as st

import resources
from sigscope import Gallery
from sigscope.search import as_csv, as_zip


def buttons(table: pd.DataFrame, name: str = "results", key: str = "") -> None:
    """Offer a table with an id column as CSV, and as a zip with its pictures, made when asked."""
    gallery = resources.gallery()
    with st.popover("Export", key=f"export{key}"):
        _buttons(table, gallery, name, key)


def _buttons(table: pd.DataFrame, gallery: Gallery, name: str, key: str) -> None:
    st.download_button("CSV", lambda: as_csv(table), f"{name}.csv", "text/csv",
                       key=f"csv{key}", on_click="ignore",
                       help="These rows as a table")  # fmt: skip
    st.download_button("Zip", lambda: as_zip(table, gallery), f"{name}.zip", "application/zip",
                       key=f"zip{key}", on_click="ignore",
                       help="These rows and their pictures")  # fmt: skip
