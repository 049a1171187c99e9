"""The explorer on very small and very bad galleries: each page shows something, or says why not.

The encoder is a toy, so that every page can be visited.
"""

import pytest
from PIL import Image
from toy import COLOURS, ToyEncoder
from visiting import cards, grid, on_list, said, visitor

from sigscope import paths
from sigscope.models import checkpoints

pytestmark = pytest.mark.slow

PAGES = ("search", "map", "compare", "duplicates", "rate", "data", "report")
GALLERIES = {  # the colours of the pictures; where they are captioned, the captions
    "one": ["red"],
    "two": ["red", "blue"],
    "identical": ["red"] * 12,
    "captioned": ["red", "green", "blue"],
    "bad": [],
}
DOUBTS = {  # what is said of how well it matches
    "one": "1 picture is too few to tell",
    "two": "2 pictures are too few to tell",
    "identical": "score alike",
    "captioned": "in the captions or names of 1 picture.",
}
ASKED = [  # ways to ask that want more than there is
    {"q": "red", "tame": "1", "less": "0.1", "text": "0.9"},
    {"q": "red", "by": "words"},
    {"q": "red", "index": "ivfpq"},
    {"like": "0.png", "view": "captions"},
    {"like": "0.png", "q": "red", "mix": "sentence"},
]


class _Toy(ToyEncoder):
    folder = paths.MINI  # whose card the page Data shows

    def describe(self):
        return "a toy"


@pytest.fixture(params=GALLERIES)
def gallery(request, tmp_path, monkeypatch):
    """The name of a gallery that the explorer has, of the pictures of GALLERIES."""
    import resources

    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("SIGSCOPE_RATINGS", str(tmp_path / "ratings.sqlite"))
    monkeypatch.setattr(resources, "_encoder", lambda model: _Toy())
    monkeypatch.setattr(checkpoints, "called", lambda model=None: "toy")
    folder = tmp_path / f"small-{request.param}"
    folder.mkdir()
    for number, colour in enumerate(GALLERIES[request.param]):
        Image.new("RGB", (8, 8), COLOURS[colour]).save(folder / f"{number}.png")
        if request.param == "captioned":
            (folder / f"{number}.txt").write_text(f"all {colour}")
    for number in range(0 if GALLERIES[request.param] else 3):
        (folder / f"{number}.png").write_bytes(b"<html>404</html>")
    with on_list(folder.name, folder) as key:
        yield key


def visited(page, **address):
    """Return a page that opened without an accident."""
    app = visitor(None if page == "search" else page, **address)
    told = " ".join(error.value for error in app.error)
    assert not app.exception and "did not foresee" not in told, (page, address, told)
    assert "CSLS" not in told + said(app)
    return app


def test_every_page_opens_and_says_what_it_cannot_show(gallery):
    name = gallery.removeprefix("small-")
    pictures = GALLERIES[name]
    for page in PAGES:
        app = visited(page, gallery=gallery, q="red")
        told = " ".join(error.value for error in app.error)
        if not pictures and page in ("search", "map", "compare", "duplicates", "data"):
            assert "None of the 3 pictures" in told and "web page" in told, page
        elif pictures:
            assert not told, page
        if page == "data" and not pictures:
            assert app.dataframe[1].value["path"].tolist() == ["0.png", "1.png", "2.png"]
        if page == "search" and pictures:
            assert len(cards(app)) == len(pictures)
            assert DOUBTS[name] in grid(app)["help"]


def test_every_way_to_ask_is_answered_or_refused_in_words(gallery):
    if not gallery.endswith("bad"):
        for address in ASKED:
            app = visited("search", gallery=gallery, **address)
            assert cards(app) or app.error or app.info or "captions" in address.values()
