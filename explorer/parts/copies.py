"""Copies: pictures of a gallery that are the same, exactly or nearly; the best stands for all."""

from dataclasses import dataclass, replace
from threading import Thread

import pandas as pd
import streamlit as st

import about
import query
import resources
from parts import notices
from parts.settings import Settings
from sigscope.duplicates import groups_of, known_duplicates, open_duplicates

AT_ONCE = 2_000  # pictures, up to which copies are looked for without being asked to
KINDS = {"": "keep", "marked": "marked by the gallery", "near": "near copy"}  # the others say it


@dataclass
class Looking:
    """What was found in a gallery, or whether it is being looked for."""

    found: pd.DataFrame | None
    begun: bool = False
    failed: str = ""

    def begin(self, key: str) -> None:
        if not self.begun:
            self.begun, self.failed = True, ""
            Thread(target=self.go, args=(key,), daemon=True).start()

    def go(self, key: str) -> None:
        try:
            searcher = resources.searcher(key=key)
            self.found = open_duplicates(searcher.gallery, searcher.embeddings)
        except (OSError, ValueError, RuntimeError) as reason:  # sentences, all of them
            self.failed = str(reason)
        self.begun = False


def groups() -> pd.DataFrame:
    """Return the groups of copies in the visitor's gallery, as far as they are known."""
    key = resources.version()
    return _groups(key, _looking(key).found is not None)


def folded(how: Settings) -> pd.DataFrame:
    """Return what a search finds, of each group the best alone; alike counts those behind it."""
    copies = _looking(resources.version()).found
    if st.session_state["copies"] or copies is None or copies.empty:
        return query.results(how)
    found = query.results(replace(how, k=how.k + min(how.k, len(copies))))
    kept = found["id"].map(copies.set_index("id")["kept"]).fillna(found["id"])
    alike = kept.groupby(kept).transform("size") - 1
    shown = found.assign(alike=alike)[~kept.duplicated()].head(how.k)
    shown.attrs = found.attrs
    return shown


def toggle() -> None:
    """Let copies be shown, where any were found."""
    looking = _looking(resources.version())
    if looking.begun:
        _under_way()
    copies = looking.found
    if copies is not None and len(copies):
        st.toggle("Show copies too", key="copies", help="Otherwise the best match stands for all "
                  "pictures that are the same, or nearly.")  # fmt: skip


def offer() -> None:
    """Offer to look for copies, or say that it is being done."""
    looking = _looking(resources.version())
    if looking.begun:
        _under_way("Pictures are being compared; the groups appear here once that is done.")
    elif looking.found is None:
        if looking.failed:
            notices.say(looking.failed)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text("The pictures have not been compared yet: it takes a minute or so, once.")
            st.button("Look for copies", key="look", type="primary", on_click=_begin)


def listed(table: pd.DataFrame) -> pd.DataFrame:
    """Return groups as rows for the grid, the one that the address names before all others."""
    wanted = st.session_state["group"]
    if wanted and wanted not in set(table["id"]):
        notices.say(f"No copies of {wanted[:80]} are known in this gallery")
    first = table["group"].isin(table.loc[table["id"] == wanted, "group"])
    table = pd.concat([table[first], table[~first]], ignore_index=True)
    by_group = table.groupby("group")["id"]
    size, begin = by_group.transform("size"), by_group.transform(lambda ids: ids.index[0])
    items = resources.gallery().items.set_index("id")
    table = table.assign(
        heading=size.astype(str).add(" alike").where(begin == table.index, ""),
        caption=items.loc[table["id"], "caption"].to_numpy(),
    )[begin < st.session_state["k"]]
    return table.assign(category=[_told(row) for row in table.itertuples()])


def _told(row: tuple) -> str:
    """Return what a picture is in its group, and how large: of which it has most, it is kept."""
    likeness = f"{row.likeness:.2f} alike" if row.kind == "near" else ""
    try:
        facts = dict(about.of_file(resources.gallery().file(row.id)))
    except (OSError, ValueError) as reason:
        facts = {"Size": str(reason)}
    parts = [KINDS.get(row.kind, row.kind), likeness, facts.get("Size"), facts.get("File size")]
    return " · ".join(part for part in parts if part)


@st.fragment(run_every=1.0)
def _under_way(said: str = "") -> None:
    """Draw the page anew once the search for copies is over."""
    if not _looking(resources.version()).begun:
        st.rerun()
    if said:
        st.info(said)


def _begin() -> None:
    key = resources.version()
    _looking(key).begin(key)


@st.cache_resource(show_spinner=False)
def _looking(key: str) -> Looking:
    """Return the one search for copies in a gallery, whoever began it."""
    looking = Looking(known_duplicates(resources.gallery(key)))
    if looking.found is None and len(resources.gallery(key)) <= AT_ONCE:
        looking.begin(key)
    return looking


@st.cache_resource(show_spinner=False, max_entries=16)
def _groups(key: str, known: bool) -> pd.DataFrame:
    return groups_of(resources.gallery(key), _looking(key).found if known else None)
