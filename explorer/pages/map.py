"""Map: the gallery laid out by likeness, with the query of the moment on it."""

import streamlit as st

import drawing
import kept
import resources
import thumbnails
from literal import literal
from parts import ask, chosen, grid, mapped, notices, settings
from sigscope.maps import FAILED, MAKING

POINTS = {"pictures": "Pictures", "both": "Pictures and captions"}
SELECT = "Click a point to see its picture large, or draw around some to see them all."
DISTANCES = (
    "What is near on the map is alike to the model. Far distances, the sizes of groups and the "
    "gaps between them mean little: UMAP keeps neighbourhoods, not distances."
)

st.title("Map", anchor=False)
ask.box("Find on the map")
with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="chips"):
    settings.chips()
    how = settings.now()
    both = bool(len(resources.gallery().captions)) and (
        st.segmented_control(
            "Points",
            list(POINTS),
            key="points",
            required=True,
            format_func=POINTS.get,
            label_visibility="collapsed",
        )
        == "both"
    )
    dims = st.segmented_control("Dimensions", [2, 3], key="dims", required=True,
                                format_func=lambda n: f"{n}-D",
                                label_visibility="collapsed")  # fmt: skip
wanted = mapped.settings_of(both, dims)
making = mapped.making(wanted)
finished = making.map  # looked at once: it may come while the quick one is drawn
shown = mapped.named(finished or mapped.quick(wanted), wanted)
try:
    about = mapped.asked(shown, how)
    shown = mapped.with_found(shown, about)
except ValueError as reason:
    notices.say(reason)
    about = None


@st.fragment(run_every=1.0)
def progress() -> None:
    """Say how far the map is; draw the page anew once it is there."""
    if making.state != MAKING:
        st.rerun()
    st.progress(making.share, f"The map is being made: {making.doing}. Below is a quick one (PCA).")


with st.container():  # one place, so that the map keeps its own whatever is said above it
    if making.state == FAILED:
        notices.say(making.reason)
        st.button("Try again", on_click=mapped.making, args=(wanted, True))
    elif finished is None:
        progress()
    choices = mapped.colours(shown, about)
    colour_by = mapped.colour_choice(choices)
table = mapped.table_of(shown, wanted, about, colour_by)
left, right = st.columns([3, 2], gap="medium")
with left:
    drawn = mapped.figure(shown, table, colour_by, about, mapped.left_out(table, how))
    grid.component("map", "still")(
        key="map", height="content", on_lassoed_change=mapped.lassoed,
        data={
            "figure": drawn.to_json(), "name": f"{both} {dims} {shown.settings['method']}",
            "alt": f"A map of {len(table):,} points coloured by {mapped.COLOURS[colour_by]}",
            "base": thumbnails.address(""), "library": drawing.address(),
        },
    )  # fmt: skip
    if about:
        st.caption(literal(f"★ {about.name}. {about.placement.note}"))
    if colour_by in mapped.MEANS:
        st.caption(mapped.MEANS[colour_by])
    st.caption(f"{mapped.faithful(shown)} {DISTANCES}")
ids = kept.selection()
with right, st.container(height=mapped.HEIGHT, border=False, key="beside"):
    if ids:
        st.subheader(f"{len(ids):,} selected", anchor=False)
        with st.expander("How many of each category"):
            st.dataframe(mapped.counted(ids), hide_index=True, width="content")
        rows = mapped.rows(ids, about)
    else:
        st.caption(SELECT if dims == 2 else "A map in a room only turns; choose 2-D to select.")
        rows = about.found if about else resources.sample(how.k, st.session_state["draw"])
    grid.cards(rows.head(how.k), most=len(rows))  # none as well: for a click on a point
chosen.bar()
