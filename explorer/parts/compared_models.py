"""The part of the page "Compare" that holds models against each other on the visitor's gallery."""

from html import escape

import streamlit as st

import resources
import thumbnails
from parts import notices
from sigscope.evaluation import ModelComparison, compare_models

SPLITS = ("test", "val", "train", "")  # whose captions ask, the first that the gallery has
MOST = 4
PERCENT = st.column_config.NumberColumn(format="percent")
SHOWN = ["model", "direction", "measure", "value", "low", "high", "better", "better_low",
         "better_high"]  # fmt: skip


def section() -> None:
    """Offer the comparison where there are models to compare, and show it."""
    models = tuple(resources.models()[:MOST])
    if len(models) < 2:
        return
    st.subheader("The models on this gallery", anchor=False)
    key = resources.version()
    if key not in _done() and not st.button(
        "Compare the models", help="Asks each model with the gallery's captions and pictures; "
        "pictures that a model has not seen yet are embedded first."
    ):  # fmt: skip
        return
    try:
        found = _compared(key, models)
    except ValueError as reason:
        notices.say(reason)
        return
    _done().add(key)
    _tables(found)
    _wins(found)


def _tables(found: ModelComparison) -> None:
    for warning in found.warnings:
        st.warning(warning)
    share = dict.fromkeys(SHOWN[3:], PERCENT)
    st.dataframe(found.scores[SHOWN], hide_index=True, key="model scores", column_config=share)
    st.caption(
        "Better: than the first model, query by query, with its 95 % interval; where that holds 0, "
        "the two do not differ as far as these queries can tell."
    )
    left, right = st.columns(2)
    left.dataframe(found.costs, hide_index=True, key="model costs")
    left.caption("Milliseconds of one text and of one exact search; bytes of one picture.")
    right.dataframe(found.likeness, hide_index=True, key="model likeness")
    right.caption("How alike two models see the pictures: linear CKA, shared nearest neighbours.")


def _wins(found: ModelComparison) -> None:
    for column, model in zip(st.columns(len(found.results)), found.results, strict=True):
        won = found.wins(model)
        column.markdown(f"**{len(won)} captions that {model} alone answers**")
        rows = "".join(_row(**row) for row in won.to_dict("records"))
        column.html(f'<ul class="listed">{rows}</ul>')


def _row(id: str, caption: str, rank: float, best_other: float) -> str:
    return (
        f'<li><img src="{thumbnails.address(id)}" alt="" loading="lazy"><div>'
        f"<p>{escape(caption)}</p><p>rank {rank:.0f}, by others {best_other:.0f}</p></div></li>"
    )


@st.cache_resource(show_spinner=False)
def _done() -> set[str]:
    return set()


@st.cache_resource(show_spinner="Asking every model (a few minutes, once) …", max_entries=8)
def _compared(key: str, models: tuple[str, ...]) -> ModelComparison:
    searchers = [resources.searcher(key=key, model=model) for model in models]
    there = set(searchers[0].gallery.items["split"])
    return compare_models(searchers, next(split for split in SPLITS if split in there))
