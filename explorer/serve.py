"""The explorer as a server: the model is loaded while the first visitor is still on the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread

import resources
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

PagesManager.uses_pages_directory = False  # app.py names the pages, whichever is opened first


def warm() -> None:
    with suppress(Exception):  # a visitor is told in a sentence
        resources.searcher()


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    Thread(target=warm, daemon=True).start()
    yield


app = st.App("app.py", lifespan=lifespan)
