"""Search the gallery by words, by pictures, by what it should not be like, or by all of them."""

import pandas as pd
import streamlit as st

import query
import resources
from literal import literal
from parts import ask, chosen, copies, export, grid, notices, saved, settings

N_SAMPLE = 20
SCORE = (
    "A score is the cosine between the vector of what you ask and the vector of a picture: 1 is "
    "the same direction, 0 is unrelated. Words and pictures lie further apart than pictures and "
    "pictures do, so compare scores within one search only. With hubs tamed, pictures of text "
    "lowered or several parts mixed a score is no cosine any more. Where words count too, they add "
    "what is rare of them, and most where all of them are written of a picture."
)
VIEWS = ("pictures", "captions")
MATCHES = {"good": "good match", "weak": "weak match", "none": "no good match"}


def search(how: settings.Settings) -> pd.DataFrame | None:
    """Show what is found, as pictures or as captions; return what can be taken home of it."""
    picture = query.only_picture()
    if picture and st.session_state["view"] == "captions":
        if not len(resources.gallery().captions):
            notices.say("The pictures of this gallery have no captions, so none can fit")
            return None
        grid.captions(grid.fitting(picture, how.k))
        return None
    ask.advice(how)
    found = copies.folded(how)
    if found.empty and found.attrs.get("by") == "words":
        st.info(
            "None of these words is written of any picture here; search by meaning, or by both."
        )
        return None
    if found.empty:
        st.info(
            "Nothing is left to search: take a category, a split, a tag or the limit on text away."
        )
        return None
    match = how.searcher.match(found)
    if match is not None and match.label == "none":
        st.info(f"{match.sentence} The nearest pictures are shown all the same.")
    if sentence := found.attrs.get("sentence"):
        st.caption(f"The sentence that was searched for: “{literal(sentence)}”")
    encode_ms, search_ms = found.attrs["encode_ms"], found.attrs["search_ms"]
    took = found.attrs.get("reread_ms")
    read = f" · reading {took:,.0f} ms" if took is not None else ""
    told = f"best first · encode {encode_ms:.1f} ms · search {search_ms:.2f} ms{read}" + (
        f" · {MATCHES[match.label]}" if match else ""
    )
    most = len(how.searcher) if len(found) == how.k else len(found)
    grid.cards(found, told, f"{SCORE} {match.sentence if match else ''}", most)
    return found


def begin(how: settings.Settings) -> None:
    """Show a first visit some pictures and queries to try."""
    above = st.container()
    only = {"category": how.categories or None, "split": how.splits or None, "id": how.ids}
    drawn = resources.sample(max(how.k, N_SAMPLE), st.session_state["draw"], **only)
    if drawn.empty:
        st.info("No picture has all of this; take a category, a split or a tag out.")
        return
    grid.cards(drawn, "some of them, drawn at random", most=len(resources.gallery()))
    with above:
        ask.examples()
    st.button("Show others", key="others", on_click=query.show_others)


st.html('<h1 class="unseen">Search</h1>')  # for those who listen; the others see the box
ask.box(placeholder=f"Search {len(resources.gallery()):,} pictures: describe what you look for")
ask.listen_for_paste()
chips = st.container(horizontal=True, gap="xsmall", key="chips", vertical_alignment="center")
ask.asked()
how, found = settings.now(), None
try:
    found = begin(how) if query.is_empty() else search(how)
except ValueError as reason:
    notices.say(reason)
except Exception as reason:  # the chips, which may lead out of it, are there all the same
    notices.trouble(reason)
with chips:  # after the pictures, which are waited for
    ask.more()
    settings.chips()
    if query.only_picture():
        st.segmented_control("Show", VIEWS, required=True, key="view", format_func=str.capitalize,
                             label_visibility="collapsed")  # fmt: skip
    copies.toggle()
    saved.chip()
    if found is not None:
        export.buttons(found)
chosen.bar()
st.caption(literal(resources.facts(how.searcher)))
