"""Galleries that live: what is done so far is searched, and what changes in a folder is noticed."""

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import streamlit as st
import watchfiles

import resources
from literal import literal
from parts import adding
from sigscope import load_gallery

LOOKED_S = 2.0  # how often a page looks whether there is news
QUIET_MS, MOST_MS = 500, 5_000  # without a change, or at most, until changes are taken in together
POLLED_MS = 5_000  # where the system cannot tell of changes
AT_FIRST_MS = 1_000  # after which a watch is under way
_watches: dict[str, Event] = {}  # what ends each, by the key of its gallery


def tend(key: str) -> None:
    """Embed what a gallery lacks, and watch its folder, unless that is done already."""
    source = resources.sources().get(key)
    if source is None:
        return
    if resources.is_unfinished(key) and source not in adding.failures():
        adding.go_on(key)
    for gone in _watches.keys() - resources.sources().keys():
        _watches.pop(gone).set()
    if key not in _watches and (folder := adding.path_of(source)).is_dir():
        _watches[key] = Event()
        Thread(target=_watch, args=(key, folder, _watches[key]), daemon=True).start()


def told() -> None:
    """Say above the page how much of the visitor's gallery can be searched so far, if not all."""
    if resources.sources().get(resources.current()) is not None:
        _told(resources.current())


@st.fragment(run_every=LOOKED_S)
def _told(key: str) -> None:
    """Say how far it is; draw the page anew once there is more to show."""
    if not resources.is_seen(key):
        st.rerun()
    if job := adding.jobs().get(key):
        st.progress(job.share, literal(f"Searchable while it is embedded: {job.told()}"))


def _watch(key: str, folder: Path, end: Event) -> None:
    """Note each change in a folder until the end."""
    for polling in (False, True):
        try:
            looked = False
            for changes in watchfiles.watch(
                folder, watch_filter=partial(_is_shown, folder), step=QUIET_MS, debounce=MOST_MS,
                stop_event=end, rust_timeout=AT_FIRST_MS, yield_on_timeout=True,
                raise_interrupt=False, ignore_permission_denied=True,
                force_polling=polling or None, poll_delay_ms=POLLED_MS,
            ):  # fmt: skip
                if changes or not looked and _is_behind(key):
                    resources.has_changed(key)
                    with suppress(Exception):  # a visitor is told in a sentence
                        resources.searcher(key=key)
                    tend(key)
                looked = True
            return
        except (OSError, RuntimeError) as reason:  # too many folders for the system to watch
            logging.getLogger(__name__).warning("%s is not watched (%s)", folder, reason)


def _is_behind(key: str) -> bool:
    """Return whether a folder has changed since it was read, before anybody watched it."""
    with suppress(Exception):  # a visitor is told in a sentence
        now = load_gallery(resources.sources()[key])
        return now.fingerprint != resources.gallery(key).fingerprint
    return False


def _is_shown(folder: Path, change: watchfiles.Change, path: str) -> bool:
    """Return whether a changed file may be one of the gallery's: nothing hidden ever is."""
    return not any(part.startswith(".") for part in Path(path).relative_to(folder).parts)
