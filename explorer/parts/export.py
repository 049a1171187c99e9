"""What a visitor takes home: results as a table, with their pictures, or as a list of paths."""

from functools import partial

import pandas as pd
import streamlit as st

import kept
import query
import resources
from parts import adding
from sigscope.search import as_csv, as_imagefolder, as_paths, as_zip


@st.fragment
def buttons(table: pd.DataFrame, name: str = "results", key: str = "") -> None:
    """Offer a table with an id column in several forms, each made when it is asked for.

    It leaves with the query that found it, and with the tags of each picture. The forms are sent
    once somebody opens the list of them, which runs nothing else of the page.
    """
    with st.popover("Export", key=f"export{key}", on_change="rerun") as opened:
        if opened.open:
            _forms(table, name, key)


def _forms(table: pd.DataFrame, name: str, key: str) -> None:
    gallery, tags, asked = resources.gallery(), kept.by_picture(), query.title()
    here = adding.is_here()
    table = table.assign(tags=[", ".join(tags.get(id, ())) for id in table["id"]], query=asked)
    forms = {
        "CSV": (as_csv, ".csv", "text/csv", "These rows as a table, with the query"),
        "Zip": (lambda rows: as_zip(rows, gallery), ".zip", "application/zip",
                "These rows and their pictures"),
        "Imagefolder": (lambda rows: as_imagefolder(rows, gallery), "-imagefolder.zip",
                        "application/zip", "A zip that Hugging Face's datasets load"),
        "Paths": (lambda rows: as_paths(rows, gallery, whole=here), ".txt", "text/plain",
                  "Where the files lie, one a line"),
    }  # fmt: skip
    for label, (make, suffix, mime, help) in forms.items():
        st.download_button(label, partial(make, table), f"{name}{suffix}", mime,
                           key=f"{label.lower()}{key}", on_click="ignore", help=help,
                           width="stretch")  # fmt: skip
