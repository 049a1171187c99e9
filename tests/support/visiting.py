"""A visitor of the explorer, without a browser: pages run by Streamlit's own AppTest."""

import html
import re
from io import BytesIO

from PIL import Image
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test

from sigscope import paths


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
    app = AppTest.from_file(str(paths.EXPLORER / "app.py"), default_timeout=120)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    if words:
        search(app, words)
    return app.switch_page(f"pages/{page}.py").run() if page else app


def page_html(app: AppTest) -> str:
    return "".join(element.value for element in app.get("html"))


def cards(app: AppTest) -> list[str]:
    """Return the captions of the pictures on the page, in their order."""
    found = re.findall(r'<figure class="card">.*?<figcaption title="(.*?)"', page_html(app), re.S)
    return [html.unescape(caption) for caption in found]


def said(app: AppTest) -> str:
    """Return all the small print and all the notices of a page."""
    return " ".join(line.value for line in [*app.caption, *app.info, *app.success])


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def search(app: AppTest, words: str, unwanted: str = "") -> AppTest:
    app.text_input(key="q").set_value(words)
    app.text_input(key="not").set_value(unwanted)
    return press(app, "Search")


def choose(app: AppTest, menu: str, act: str) -> AppTest:
    """Choose an act in a card's menu."""
    return next(m for m in app.get("menu_button") if m.key == menu).click(act).run()


def upload(app: AppTest, data: bytes, name: str = "mine.png") -> AppTest:
    return app.get("file_uploader")[0].set_value((name, data, "image/png")).run()


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def captions_of(table) -> list[str]:
    return [caption or "no caption" for caption in table["caption"]]
