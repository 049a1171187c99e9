"""A visitor of the explorer, without a browser: pages run by Streamlit's own AppTest."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test

from sigscope import paths
from sigscope.embeddings.embed import _cached_store, embed_gallery


class _Named(PagesManager):
    """Pages as app.py names them, whatever lies in the folder pages; serve.py says the same."""

    def __init__(self, *args, **kwargs):
        PagesManager.uses_pages_directory = False
        super().__init__(*args, **kwargs)


app_test.PagesManager = _Named


def visitor(page: str | None = None, words: str = "", **address: str | list[str]) -> AppTest:
    """Return the explorer as a visitor finds it who opened this address.

    Args:
        page: the name of another page to go to then.
        words: what to search for first.
        **address: what stands in the address.
    """
    app = AppTest.from_file(str(paths.EXPLORER / "app.py"), default_timeout=600)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    if words:
        search(app, words)
    return app.switch_page(f"pages/{page}.py").run() if page else app


@contextmanager
def on_list(key: str, source: object) -> Iterator[str]:
    """List a gallery by a key; nothing that is cached of it is found by another test."""
    import resources

    resources.sources()[key] = str(source)
    try:
        yield key
    finally:
        resources.sources().pop(key, None)
        resources.has_changed(key)


def page_html(app: AppTest) -> str:
    return "".join(element.value for element in app.get("html"))


def given(app: AppTest, name: str) -> dict:
    """Return what a component of ours on the page was given, {} where it is not there."""
    found = [one.proto for one in app.get("bidi_component")]
    return next((json.loads(p.json) for p in found if p.component_name == f"sigscope-{name}"), {})


def grid(app: AppTest) -> dict:
    """Return what the grid of pictures on the page was given, {} where there is none."""
    return given(app, "cards")


def cards(app: AppTest) -> list[str]:
    """Return the captions of the pictures on the page, or the names of their files, in order."""
    return [caption or id.rpartition("/")[2] for id, caption, *_ in grid(app).get("rows", [])]


def said(app: AppTest) -> str:
    """Return all the small print and all the notices of a page."""
    lines = [line.value for line in [*app.caption, *app.info, *app.success]]
    return " ".join([*lines, grid(app).get("told", ""), grid(app).get("help", "")])


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def search(app: AppTest, words: str, unwanted: str = "") -> AppTest:
    app.text_input(key="q").set_value(words)
    app.text_input(key="not").set_value(unwanted)
    return press(app, "Search")


def upload(app: AppTest, data: bytes, name: str = "mine.png") -> AppTest:
    return app.get("file_uploader")[0].set_value((name, data, "image/png")).run()


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def embed_some(gallery, encoder, batches: int, size: int) -> None:
    """Embed a gallery into the cache as a process does that is killed after some batches."""
    encode, left = type(encoder).encode_batch, iter(range(batches))

    def stopping(self, batch):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return encode(self, batch)

    store = _cached_store(gallery, encoder)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(encoder), "encode_batch", stopping)
        embed_gallery(gallery, encoder, store, shard_size=size, batch_size=size)


def embed_as(gallery, encoder, vectors) -> None:
    """Put these unit vectors, (n, d), into the cache as what an encoder makes of a gallery."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(encoder), "encode_batch", lambda self, batch: vectors)
        embed_gallery(gallery, encoder, _cached_store(gallery, encoder), batch_size=len(vectors))


def captions_of(table) -> list[str]:
    rows = zip(table["id"], table["caption"], strict=True)
    return [caption or id.rpartition("/")[2] for id, caption in rows]
