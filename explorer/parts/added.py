"""The part of the page "Data" about galleries: those there are, those on their way, another."""

from collections.abc import Mapping

import streamlit as st

import resources
from literal import literal
from parts import adding, notices, shell

ASKED = "asked to confirm"
STARTED_WITH = "what the explorer was started with"


def galleries(named: Mapping[str, str]) -> None:
    """List the galleries, each with a way to look at it, and all but the first to take it off."""
    may = not adding.may_add()
    for key, name in named.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            source = resources.sources()[key] if key != resources.MAIN else STARTED_WITH
            st.markdown(f"**{literal(name)}**", width="content")
            st.text(source if may or key == resources.MAIN else "", width="stretch")
            if key != resources.current():
                st.button("Look at it", key=f"look-{key}", help=f"Look at {literal(name)}",
                          on_click=look_at, args=(key,))  # fmt: skip
            if key != resources.MAIN and may:
                st.button("Remove", key=f"forget-{key}", on_click=_forget, args=(key,),
                          help=f"Take {literal(name)} off this list; its folder stays")  # fmt: skip


def look_at(key: str) -> None:
    """Make a gallery the one that this visitor looks at."""
    st.session_state["gallery"] = key
    shell.leave()


def _forget(key: str) -> None:
    if key == resources.current():
        look_at(resources.MAIN)
    adding.forget(key)


def form() -> None:
    """Ask for a folder to add; for a doubtful one ask again."""
    if reason := adding.may_add():
        st.info(reason)
        return
    with st.form("add", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "A folder on this machine, a zip, or a data set", key="source",
            placeholder="~/Photos, or coco:/data/coco",
            help="Nothing in it is changed. Its vectors are kept in data/cache.",
        )  # fmt: skip
        st.form_submit_button("Add", type="primary", on_click=_add)
    if asked := st.session_state.get(ASKED):
        source, doubt = asked
        with st.container(border=True):
            st.warning(doubt)
            with st.container(horizontal=True):
                st.button("Add it all the same", key="confirm", on_click=_begin, args=(source,))
                st.button("Leave it", key="leave it", on_click=_begin)


@notices.guarded
def _add() -> None:
    text = st.session_state["source"].strip()
    if not text:
        return
    source = adding.canonical(text)
    if reason := adding.may_add(source):
        notices.say(reason)
    elif doubt := adding.doubts(source):
        st.session_state[ASKED] = (source, doubt)
    else:
        _begin(source)


@notices.guarded
def _begin(source: str = "") -> None:
    st.session_state.pop(ASKED, None)
    if source:
        adding.begin(source)
        st.session_state["source"] = ""


def under_way() -> None:
    """Show what is being embedded, to every visitor, and what could not be."""
    for source, reason in list(adding.failures().items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.error(literal(f"{source} is not searchable as a whole: {reason}"))
            again = "Try again" if source in resources.sources().values() else "Put away"
            st.button(again, key=f"put away {source}", on_click=adding.failures().pop,
                      args=(source, None))  # fmt: skip
    if adding.jobs():
        _progress(tuple(adding.jobs()))


@st.fragment(run_every=1.0)
def _progress(shown: tuple[str, ...]) -> None:
    """Show how far each is; draw the page anew once one has come to its end."""
    there = dict(adding.jobs())
    if tuple(there) != shown:
        st.rerun()
    for key, job in there.items():
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.progress(job.share, literal(f"{job.source}: {job.told()}"))
            st.button("Cancel", key=f"cancel-{key}", on_click=adding.cancel, args=(key,),
                      help=literal(f"Stop embedding {job.source}; what is done stays"))  # fmt: skip
