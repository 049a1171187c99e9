"""How good each system is to those who have rated so far, and how far they agree."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

import address
from literal import literal
from parts import rating
from sigscope.ratings import (
    RatingStore,
    agreement_between_raters,
    mean_scores,
    rng_of,
    score_lists,
)

EVERY_S = 5.0  # how often the ratings of others are looked for
DRAWS = 200  # resamples of agreement; enough for two digits
DEPTHS = (3, 5, 10, 20)  # k of P@k
MEANING = (
    "Means over queries, each with its 95 % interval where two queries or more count; with few "
    "queries it is a little too narrow. A picture is relevant from “{relevant}” on. P@k waits: a "
    "query counts once one rater has graded all of a list's first k. AP and NDCG go by the median "
    "grade and take pictures that nobody has graded for wrong, so read them beside “judged”. "
    "What no system found is not in the heap, and counts for none."
)


def show(store: RatingStore, session: str, row: Mapping, *, blind: bool = False) -> None:
    """Show the scores of a session, which follow each rating, and a way to the page Compare.

    Args:
        store: where the ratings are.
        session: its name.
        row: what the store knows of it.
        blind: whether the visitor still rates; systems are letters then, unless they ask.
    """
    st.subheader("Scores so far", anchor=False)
    named = not blind or st.toggle(
        "Say which system is which", key=f"named-{session}",
        help="A score that moves as you rate tells what found the picture: you are no longer blind",
    )  # fmt: skip
    _scores(str(store.path), session, row["top_grade"], row["about"].get("depth", 5), named)
    if named and (how := row["about"].get("how")):
        _to_compare(store, session, how)


@st.fragment(run_every=EVERY_S)
def _scores(path: str, session: str, top_grade: int, depth: int, named: bool) -> None:
    store = RatingStore(path)
    ratings, rankings = store.ratings(session), store.rankings(session)
    pool = len(rankings[["query", "id"]].drop_duplicates())
    judged = len(ratings[["query", "id"]].drop_duplicates())
    raters = ratings["rater"].nunique()
    st.markdown(f"**{judged:,} of {pool:,}** pictures judged by {raters} rater"
                f"{'' if raters == 1 else 's'}")  # fmt: skip
    if ratings.empty:
        st.caption("The table appears with the first rating.")
        return
    ks = tuple(k for k in DEPTHS if k <= depth)[-2:] or (depth,)
    lists, means = _reckoned(ratings, rankings, ks)
    called = _called(session, means["system"].unique(), named)
    st.table(_table(lists, means, called), alt="Scores of each system")
    st.caption(MEANING.format(relevant=rating.WORDS[top_grade][1]))
    st.markdown(_agreement(ratings))
    with st.expander("Query by query"):
        words = store.queries(session).set_index("query")["text"]
        each = lists.assign(query=lists["query"].map(words), system=lists["system"].map(called))
        st.dataframe(each.drop(columns="AP as R1").sort_values(["query", "system"]).round(2),
                     hide_index=True)  # fmt: skip


@st.cache_data(show_spinner=False, max_entries=32)
def _reckoned(
    ratings: pd.DataFrame, rankings: pd.DataFrame, ks: tuple[int, ...]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    lists = score_lists(ratings, rankings, ks=ks)
    return lists, mean_scores(lists.drop(columns="AP as R1"), np.random.default_rng(0))


@st.cache_data(show_spinner=False, max_entries=32)
def _agreement(ratings: pd.DataFrame) -> str:
    """Return in words how far raters agree."""
    found = agreement_between_raters(ratings, np.random.default_rng(0), draws=DRAWS)
    if not found.pictures:
        return "Agreement between raters shows once two of them have graded the same picture."
    on = f"over {found.pictures:,} pictures that two raters or more have graded"
    if np.isnan(found.alpha):
        return f"Agreement: nothing to tell yet, as all grades are equal {on}."
    ends = "" if np.isnan(found.low) else f" ({found.low:.2f} to {found.high:.2f})"
    return (
        f"Agreement: Krippendorff's α **{found.alpha:.2f}**{ends} {on}; 1 is full agreement, 0 is "
        "what chance would give."
    )


def _called(session: str, systems: np.ndarray, named: bool) -> dict[str, str]:
    """Return what each system is called: its name, or a letter that says nothing of it."""
    if named:
        return {system: system for system in systems}
    order = rng_of(session, "letters").permutation(sorted(systems))
    return {system: f"System {letter}" for system, letter in zip(order, "ABCDEFGH", strict=False)}


def _table(lists: pd.DataFrame, means: pd.DataFrame, called: dict[str, str]) -> pd.DataFrame:
    """Return one row per system: each measure with its interval, and how much is judged."""
    cells = means.assign(shown=[_cell(row) for row in means.itertuples()])
    table = cells.pivot(index="system", columns="measure", values="shown")
    table = table[means["measure"].unique()]
    table["judged"] = [f"{share:.0%}" for share in lists.groupby("system")["judged"].mean()]
    table.index = pd.Index([literal(called[one]) for one in table.index], name="System")
    return table.rename_axis(columns=None).sort_index()


def _cell(row: tuple) -> str:
    if not row.queries:
        return "–"
    ends = f" ({row.low:.2f} to {row.high:.2f})" if row.queries > 1 else ""
    return f"{row.value:.2f}{ends}"


def _to_compare(store: RatingStore, session: str, how: Mapping[str, dict]) -> None:
    """Offer to look at the systems' lists beside each other."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.selectbox("Query", store.queries(session)["text"], key=f"words-{session}",
                             width=360)  # fmt: skip
        if st.button("Open Compare with them", key="to compare", on_click=_compare,
                     args=(words, list(how.values()))):  # fmt: skip
            st.switch_page("pages/compare.py", query_params=address.written())


def _compare(words: str, systems: list[dict]) -> None:
    st.session_state["q"], st.session_state["sides"] = words, max(2, len(systems))
    for number, system in enumerate(systems, 1):
        for name, value in system.items():
            st.session_state[f"{name}{number}"] = value
