"""The explorer: it routes to a page, and turns whatever stops one into a sentence."""

from pathlib import Path

import streamlit as st

import address
import drawing
import kept
import query
import resources
import thumbnails
from parts import adding, living, notices, shell

ICON = Path(__file__).with_name("icon.png")  # Streamlit's own icons come from elsewhere
PAGE = {"page_icon": thumbnails.uri(ICON.read_bytes(), "image/png"), "layout": "wide",
         "initial_sidebar_state": 220}  # fmt: skip
PAGES = {
    "search": "Search",
    "map": "Map",
    "compare": "Compare",
    "duplicates": "Duplicates",
    "rate": "Rate results",
    "data": "Data",
    "report": "Report",
}

if address.KEPT not in st.session_state:  # at first, until there is a title
    st.set_page_config("sigscope", **PAGE)
pages = [st.Page(f"pages/{name}.py", title=title, default=name == "search")
         for name, title in PAGES.items()]  # fmt: skip
page = st.navigation(pages, position="hidden")
box = st.container()
try:
    resources.see()
    address.follow(page.url_path)
    shell.sidebar(pages, adding.galleries())
    query.check()
    kept.check()
    about = f"{query.title()} · " if page.title in ("Search", "Map", "Compare") else ""
    st.set_page_config(f"{about}{page.title} · sigscope".lstrip(" ·"), **PAGE)
    shell.frame(resources.current(), drawing.address() if page.title == "Map" else "")
    with box:
        living.told()
    page.run()
except Exception as reason:
    notices.trouble(reason)
notices.guarded(living.tend)(resources.current())
notices.show(box)
