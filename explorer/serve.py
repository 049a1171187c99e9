"""The explorer as a server: the model is loaded while the first visitor is still on the way."""

import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from threading import Thread
from time import sleep

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager

import about
import descriptors
import drawing
import opened
import playing
import resources
import thumbnails
from headers import SafeHeaders
from parts import living

HELD = "SIGSCOPE_STDIN_IS_HELD"  # as cli.launch says it
GRACE_S = 5.0
config.get_options_for_section = cache(config.get_options_for_section)  # read at each act else
PagesManager.uses_pages_directory = False  # app.py names the pages, whichever is opened first
descriptors.raise_limit()
descriptors.hold_none_for_idle_visitors()


def warm() -> None:
    with suppress(Exception):  # a visitor is told in a sentence
        searcher = resources.searcher(key=resources.MAIN)
        searcher.match(searcher.by_text("warm-up", by="both"))  # what it learns of the gallery
        resources.examples()
    drawing.packed()
    with suppress(Exception):
        living.tend(resources.MAIN)
    gc.collect()
    gc.freeze()  # what is loaded stays, so no later collection looks through it again


def end_with_parent() -> None:
    """End once whoever started this process and holds our standard input has ended, even killed."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(GRACE_S)
    os._exit(1)  # visitors who stay do not keep it


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    Thread(target=warm, daemon=True).start()
    if os.environ.get(HELD):
        Thread(target=end_with_parent, daemon=True).start()
    yield


here = Middleware(TrustedHostMiddleware, allowed_hosts=st.get_option("server.allowedHosts"))
app = st.App(
    "app.py",
    lifespan=lifespan,
    routes=[thumbnails.ROUTE, about.ROUTE, playing.ROUTE, drawing.ROUTE, *opened.ROUTES],
    middleware=[here, Middleware(SafeHeaders)],
)
