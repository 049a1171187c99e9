"""Report: the tables and figures of the notebooks, to read and to take along."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st

import address
from parts import figures
from sigscope.cli import Notebook, executed, read_notebook
from sigscope.paths import NOTEBOOKS
from sigscope.search import as_csv
from thumbnails import uri

HERE = "As it was last executed on this machine."
AS_IT_CAME = (
    "Of the shipped gallery and model, as it came; `make notebooks PICTURES=FOLDER` executes it on "
    "pictures of your own."
)


@st.cache_data(show_spinner=False, max_entries=32)
def book_of(path: str, changed: float) -> Notebook:
    """Return an executed notebook; changed tells one version of its file from the next."""
    return read_notebook(next(p for p in executed() if str(p) == path))


def report(paths: Mapping[str, Path]) -> None:
    """Let a notebook be chosen, and show what is in it."""
    name = st.selectbox(
        "Notebook", list(paths), **address.varying("notebook", "book", list(paths), min(paths)),
        format_func=lambda stem: f"{stem[:2]} · {stem[3:].replace('-', ' ').capitalize()}",
    )  # fmt: skip
    book = book_of(str(paths[name]), paths[name].stat().st_mtime)
    st.markdown(book.promise.split("\n\n")[0])
    st.caption(
        f"{AS_IT_CAME if paths[name].is_relative_to(NOTEBOOKS) else HERE} `make report` writes all "
        "notebooks as one site of static pages; scores say in the notebook what they depend on."
    )
    shown = st.segmented_control("Show", ["tables", "figures"], selection_mode="multi", key="kinds",
                                 format_func=str.capitalize)  # fmt: skip
    heading = ""
    for number, result in enumerate(book.results):
        if ("tables" if result.html else "figures") not in shown:
            continue
        if result.heading != heading:
            heading = result.heading
            st.subheader(heading, anchor=False)
        if result.before:
            st.markdown(result.before)
        if result.html:
            table = result.table
            st.dataframe(table, hide_index=True, width="content", key=f"table-{number}")
            st.download_button("CSV", as_csv(table), f"{name}-{number}.csv", "text/csv",
                               key=f"csv-{number}", on_click="ignore")  # fmt: skip
            continue
        alt = result.alt or f"A figure of {heading}"
        if result.figure:
            st.plotly_chart(
                figures.themed(result.figure), key=f"figure-{number}", theme=None, alt=alt
            )
        else:
            source = uri(result.png, "image/png")
            st.html(f'<img src="{source}" alt="{escape(alt)}" class="shown">')
        st.download_button("PNG", result.png, f"{name}-{number}.png", "image/png",
                           key=f"png-{number}", on_click="ignore")  # fmt: skip
    if book.learned:
        st.subheader("What we learned", anchor=False)
        st.markdown(book.learned)


st.title("Report", anchor=False)
paths = {path.stem: path for path in executed()}
if paths:
    report(paths)
else:
    st.info("There are no notebooks here; `make notebooks` executes those of the repository.")
