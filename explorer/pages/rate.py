"""Rate results: a volunteer says of one picture after the other whether it shows what was asked."""

import streamlit as st

import resources
from parts import notices, rating, rating_form, scored
from sigscope.ratings import RatingStore


def rate(task: rating.Task) -> None:
    """Ask about the next picture, or thank who has seen them all."""
    grades = task.store.grades(task.session, task.rater)
    rating_form.progress(task, grades)
    place = next((place for place, pair in enumerate(task.order) if pair not in grades), None)
    if place is None:
        rating.back_up(task)
        rating_form.finished(task, grades)
        scored.show(task.store, task.session, task.about)
        return
    rating_form.question(task, place)
    if seen := [p for p in task.beside(place) if task.order[p] in grades]:
        st.caption("Your answers for these words so far; a click changes one.")
        rating_form.given(task, seen, grades)
    scored.show(task.store, task.session, task.about, blind=True)


st.html(rating_form.STYLE)
st.title("Rate results", anchor=False)
if reason := rating.trouble():
    notices.trouble(reason)
store = RatingStore()
sessions = store.sessions(resources.gallery().fingerprint)
if task := rating.current(store, sessions):
    rate(task)
else:
    rating_form.welcome(store, sessions)
