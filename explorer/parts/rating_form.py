"""The rating page's parts. They show words and pictures: no caption, score, system or rank."""

from collections.abc import Callable
from functools import partial
from html import escape

import pandas as pd
import streamlit as st

import address
import query
import thumbnails
from parts import compared, notices, rating, scored
from sigscope.ratings import RatingsError, RatingStore, csv_text, qrels_text

ABOUT = (
    "You are shown a search and one picture after the other, and say whether the picture shows "
    "what was searched for. What found it stays hidden, and everybody has an order of their own. "
    "Each answer is kept at once; you may stop at any time and come back under the same name."
)
OWN = (
    "What two to four systems find for your words is put into one heap, each picture once, and "
    "rated blind. Scores grow with each rating."
)
SOURCES = {"given": "Queries already here", "own": "Queries of your own"}
STARTS = (("flat", "both"), ("flat", "meaning"), ("flat", "words"), ("hnsw", "meaning"))
DEPTHS = (3, 5, 10, 20)
PARTLY = "Partly: it shows some of it, or something near it."
STYLE = """<style>
.rated {margin: 0; max-width: min(100%, 45vh)}
.rated img {width: 100%; aspect-ratio: 1; object-fit: contain; display: block;
  box-sizing: border-box; padding: 4%; background: #fff; border-radius: .5rem;
  border: 1px solid rgba(128, 128, 128, .25)}
.sought {margin: 0; font-size: 1.5rem; font-weight: 600; line-height: 1.3;
  overflow-wrap: anywhere}
[class*="st-key-given"] .rated {max-width: 150px}
[class*="st-key-given"] button {min-height: 1.9rem; padding: .1rem .5rem}
[class*="st-key-given"] button p {font-size: .8rem}
.stButton kbd {opacity: 1}
</style>"""


def welcome(store: RatingStore, sessions: pd.DataFrame) -> None:
    """Ask a visitor for a name, and for a session there is or queries of their own."""
    st.write(ABOUT)
    by_id = sessions.set_index("session").to_dict("index")
    st.segmented_control("What to rate", list(SOURCES), format_func=SOURCES.get, key="rate",
                         required=True, label_visibility="collapsed")  # fmt: skip
    if st.session_state["rate"] == "own":
        _own(store)
        return
    session = _which(store, by_id)
    with st.form("begin", width=520, border=False):
        name = _name()
        top = 2 if session else _scale("top_grade")
        if st.form_submit_button("Start", type="primary", key="start"):
            make = partial(rating.make, store, top)
            _try(rating.begin, store, name, (lambda: session) if session else make)
    if by_id:
        scored.show(store, session, by_id[session])
        with st.expander("For whoever runs this"):
            _organise(store, by_id)


def _own(store: RatingStore) -> None:
    """Ask for queries of a visitor's own, and for the systems whose results are rated."""
    st.write(OWN)
    sides = st.slider("How many systems", 2, compared.MOST, key="sides", width=320)
    systems = []
    for number, column in enumerate(st.columns(sides, gap="medium"), 1):
        with column:
            systems.append(compared.contender(number, *STARTS[number - 1]))
    with st.form("begin own", width=720, border=False):
        text = st.text_area("Your queries, one a line", query.words(), key="queries", height=160,
                            placeholder="a dog in the snow\npeople who dance")  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            depth = st.selectbox("Results of each system", DEPTHS, 1, key="depth", width=200)
            top = _scale("own_top_grade")
        name = _name()
        if st.form_submit_button("Pool and rate", type="primary", key="start own"):
            make = partial(rating.make_own, store, top, text, systems, depth)
            _try(rating.begin, store, name, make)


def _name() -> str:
    return st.text_input("Your name or initials", key="rater", autocomplete="off")


def progress(task: rating.Task, grades: dict) -> None:
    """Say in the sidebar who rates and how far they are."""
    skipped = sum(grade is None for grade in grades.values())
    with st.sidebar:
        st.text(f"Rating as {task.rater}")
        st.progress(len(grades) / len(task.order), f"{len(grades)} of {len(task.order)} pictures")
        if skipped:
            st.caption(f"{skipped} of them skipped")
        if st.session_state.get("rated before"):
            st.caption(
                "This name had answers before you started. If they are not yours, leave and take "
                "another name."
            )
        st.button("Leave", key="leave", on_click=rating.leave, args=(task,))


def question(task: rating.Task, place: int) -> None:
    """Show the picture at a place of the order, and the grades it can be given."""
    asked, id = task.order[place]
    st.caption("Does the picture show this?")
    st.html(f'<p class="sought">{escape(task.words[asked])}</p>')
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _picture(id)
    with right:
        with st.container(horizontal=True, gap="small"):
            for grade, word in enumerate(rating.WORDS[task.top_grade]):
                key, label = f"give-{grade}-{place}", word.capitalize()
                what = {"on_click": task.rate, "args": (place, grade), "shortcut": str(grade)}
                st.button(label, key, width="stretch", **what)
        if task.top_grade > 1:
            st.caption(PARTLY)
        with st.container(horizontal=True, gap="small"):
            st.button("Skip", f"skip-{place}", on_click=task.skip, args=(place,), shortcut="S")
            st.button("Undo", f"undo-{place}", on_click=task.undo, shortcut="U")
        st.caption("The small letters and digits are keys that do the same.")


def given(task: rating.Task, places: list[int], grades: dict, key: str = "given") -> None:
    """Show pictures that were rated or skipped, with small buttons to change that."""
    with st.container(key=key), st.grid(min_column_width=150, gap="small") as cells:
        for place in places:
            with cells.cell(), st.container(gap="xsmall"):
                _picture(task.order[place][1])
                st.segmented_control(
                    f"Grade of picture {place + 1}",
                    range(task.top_grade + 1),
                    default=grades[task.order[place]],
                    format_func=rating.WORDS[task.top_grade].__getitem__,
                    key=rating.key_of(place),
                    on_change=task.change,
                    args=(place,),
                    label_visibility="collapsed",
                )


def finished(task: rating.Task, grades: dict) -> None:
    """Thank a rater who has seen everything, and show what they skipped."""
    st.success(f"Thank you, {task.rater}: you have seen all {len(task.order)} pictures.")
    st.button("Undo the last answer", key="undo-last", on_click=task.undo)
    skipped = [place for place, pair in enumerate(task.order) if grades[pair] is None]
    for asked in dict.fromkeys(task.order[place][0] for place in skipped):
        st.caption("You skipped some for these words; a click still rates them.")
        st.html(f'<p class="sought">{escape(task.words[asked])}</p>')
        places = [place for place in skipped if task.order[place][0] == asked]
        given(task, places, grades, key=f"given-{asked}")


def _which(store: RatingStore, by_id: dict[str, dict]) -> str | None:
    """Return the session to rate: the only one, the one chosen, or None where there is none."""
    known = list(by_id)
    bound = address.varying("session", "session here", known, next(iter(known), None))
    if len(known) < 2:
        return st.session_state.pop("session here")
    return st.selectbox(
        "Session", known, format_func=lambda id: _title(store, id, by_id[id]), width=520, **bound
    )


def _scale(key: str) -> int:
    return st.radio(
        "Grades",
        [2, 1],
        format_func=lambda top: " / ".join(rating.WORDS[top]),
        key=key,
        horizontal=True,
    )


def _organise(store: RatingStore, by_id: dict[str, dict]) -> None:
    """Show who has rated how much, offer the ratings as files, and another session."""
    for session, row in by_id.items():
        st.text(_title(store, session, row))
        ratings = store.ratings(session)
        if ratings.empty:
            st.caption("Nobody has rated yet.")
            continue
        st.dataframe(store.progress(session), hide_index=True, width="content")
        with st.container(horizontal=True):
            name = f"ratings-{session}"
            csv, qrels = csv_text(ratings), qrels_text(ratings)
            st.download_button(
                "Ratings (CSV)", csv, f"{name}.csv", "text/csv", key=f"csv-{session}"
            )
            st.download_button("Verdicts (TREC qrels)", qrels, f"{name}.qrels.txt", key=name)
    with st.form("another", border=False):
        top = _scale("another_top_grade")
        if st.form_submit_button("Begin a session with these grades", key="begin-another"):
            _try(rating.make, store, top)


def _title(store: RatingStore, id: str, row: dict) -> str:
    first, *others = store.queries(id)["text"]
    named = f"“{first[:40]}”" + (f" and {len(others)} more" if others else "")
    grades = " / ".join(rating.WORDS[row["top_grade"]])
    return f"{row['begun'][:10]} · {named} · {row['pictures']} pictures · {grades}"


def _try(act: Callable, *what: object) -> None:
    """Do what a form asks for and show the page anew, or say why it cannot be done."""
    try:
        act(*what)
    except RatingsError as reason:
        notices.trouble(reason)
    else:
        st.rerun()


def _picture(id: str) -> None:
    source = thumbnails.inside(id)  # an address would name the item
    st.html(f'<figure class="rated"><img src="{source}" alt="a picture to rate"></figure>')
