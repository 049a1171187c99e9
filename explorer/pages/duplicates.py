"""Duplicates: pictures that are the same, exactly or nearly, side by side, and which to keep."""

import streamlit as st

from parts import chosen, copies, export, grid

KEEP = (
    "The one to keep has the most pixels, and of these the largest file. Nothing is ever deleted "
    "here: the table says what is a copy of what."
)

st.title("Duplicates", anchor=False)
copies.offer()
table = copies.groups()
if table.empty:
    st.info("No two pictures of this gallery are known to be the same.")
else:
    many = table["group"].max()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{many:,} groups, {len(table) - many:,} pictures besides the ones to keep")
        export.buttons(table, "duplicates", "-duplicates")
    grid.cards(copies.listed(table), "largest groups first, the one to keep framed", KEEP,
               len(table))  # fmt: skip
chosen.bar()
