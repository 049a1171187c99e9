"""Rate results: a volunteer says of one picture after the other whether it shows what was asked."""

import streamlit as st

import resources
from parts import notices, rating, rating_form
from sigscope.ratings import RatingsError, RatingStore

st.html(rating_form.STYLE)
st.title("Rate results", anchor=False)
try:
    store = RatingStore()
    sessions = store.sessions(resources.gallery().fingerprint)
    task = rating.current(store, sessions)
    grades = store.grades(task.session, task.rater) if task else {}
except RatingsError as reason:
    notices.trouble(reason)
    st.stop()

if reason := rating.trouble():
    notices.trouble(reason)
if task is None:
    rating_form.welcome(store, sessions)
    st.stop()

rating_form.progress(task, grades)
place = next((place for place, pair in enumerate(task.order) if pair not in grades), None)
if place is None:
    rating.back_up(task)
    rating_form.finished(task, grades)
    st.stop()

rating_form.question(task, place)
if seen := [p for p in task.beside(place) if task.order[p] in grades]:
    st.caption("Your answers for these words so far; a click changes one.")
    rating_form.given(task, seen, grades)
