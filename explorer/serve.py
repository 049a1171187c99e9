"""The explorer as a server: the model is loaded while the first visitor is still on the way."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from threading import Thread

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.runtime.pages_manager import PagesManager

import about
import resources
import thumbnails

PagesManager.uses_pages_directory = False  # app.py names the pages, whichever is opened first


def warm() -> None:
    with suppress(Exception):  # a visitor is told in a sentence
        searcher = resources.searcher(key=resources.MAIN)
        searcher.match(searcher.by_text("warm-up"))  # what it learns from the gallery, once
        resources.examples()
    gc.collect()
    gc.freeze()  # what is loaded stays, so no later collection looks through it again


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    Thread(target=warm, daemon=True).start()
    yield


here = Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts"))
app = st.App("app.py", lifespan=lifespan, routes=[thumbnails.ROUTE, about.ROUTE], middleware=[here])
