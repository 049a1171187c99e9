"""Compare: one query, two to four indexes or models beside each other."""

import streamlit as st

import query
import resources
from literal import literal
from parts import ask, compared, compared_models, notices
from sigscope.figures import recall_against_time
from sigscope.search import facts, missed, shared_results

START = ("flat", "ivf", "hnsw", "ivfpq")


def lists(words: str, contenders: list[compared.Contender], columns: list, k: int) -> None:
    """Show what each contender finds, in its column."""
    answers = [one.answer(words, k) for one in contenders]
    shared = shared_results([answer.found for answer in answers])
    for column, one, answer in zip(columns, contenders, answers, strict=True):
        with column:
            lost = missed(answer.found, answer.exact)
            compared.told(facts(one.searcher, k, answer.vector), lost, len(answer.exact))
            compared.results(answer.found, shared)
            if len(lost):
                with st.expander(f"What it missed: {len(lost)}"):
                    compared.results(lost, {})
    st.caption(
        "Missed: what exact search with the same model finds and this index does not. Times are "
        "medians of 30 searches of this query on one thread, without its encoding."
    )


st.html(compared.STYLE)
st.title("Compare", anchor=False)
st.caption(
    "One query, several ways to answer it. A result that several lists have wears the same number "
    "and colour in each."
)
ask.box("Compare")
words = query.words()
with st.sidebar:
    sides = st.slider("Lists", 2, compared.MOST, key="sides")
    k = st.slider("Results", 5, 30, step=5, key="each")

columns = st.columns(sides, gap="medium")
contenders = []
for number, (column, start) in enumerate(zip(columns, START, strict=False), 1):
    with column:
        contenders.append(compared.contender(number, start))
if not words:
    st.info("Type a few words, or take those of the search page along: the lists appear here.")
else:
    try:
        lists(words, contenders, columns, k)
    except ValueError as reason:
        notices.say(reason)

st.subheader("Every index on this gallery", anchor=False)
if compared.is_measured() or st.button(
    "Measure them", help="Builds every index over this gallery and asks each for the neighbours of "
    "pictures and captions; up to a few minutes, once."
):  # fmt: skip
    table = compared.measured()
    st.plotly_chart(
        recall_against_time(table), key="pareto", theme=None,
        alt="Recall against the time of a query for every index, for text and image queries",
    )  # fmt: skip
    st.caption(
        f"{table['n'].max():,} vectors of {table['d'].max()} dimensions, "
        f"{table['queries'].max()} queries of each kind, k = {table['k'].max()}, "
        f"{table['threads'].max()} thread. Up and to the left is better; the grey line joins what "
        "nothing beats in both. Notebooks 4 and 5 explain it."
    )
    for reason in table.loc[table["note"] != "", "note"].unique():
        st.caption(reason)
    with st.expander("The table"):
        st.dataframe(table, hide_index=True)
compared_models.section()
st.caption(literal(resources.facts()))
