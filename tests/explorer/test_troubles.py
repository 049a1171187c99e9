"""Whatever goes wrong is a sentence at the top of the page: the package's errors, and accidents."""

import importlib
import pkgutil
import re

import pytest
from visiting import cards, upload, visitor

import sigscope

SENTENCE = "Something in particular is wrong here; do this about it."
CALLED = {  # what each page calls, and how the page is reached
    "search": ("query", "results", {"q": "a cat"}),
    "map": ("parts.mapped", "making", {}),
    "compare": ("parts.compared", "contender", {}),
    "duplicates": ("parts.copies", "groups", {}),
    "rate": ("parts.rating", "current", {}),
    "data": ("parts.cards", "left_out", {}),
    "report": ("sigscope.cli", "executed", {}),
}


@pytest.fixture(autouse=True)
def _own_ratings(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_RATINGS", str(tmp_path / "ratings.sqlite"))


def errors_of_the_package() -> list[Exception]:
    """Return one of each kind of exception that the package defines."""
    for module in pkgutil.walk_packages(sigscope.__path__, "sigscope."):
        if not module.name.startswith(("sigscope._", "sigscope.ann.autofaiss_run")):
            try:
                importlib.import_module(module.name)
            except ImportError:  # of an extra that is not installed
                continue
    kinds, found = [Exception], []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("sigscope"):
            found.append(kind)
    return [made(kind) for kind in dict.fromkeys(found)]


def made(kind: type[Exception]) -> Exception:
    try:
        return kind(SENTENCE)
    except TypeError:
        return kind("time-out", SENTENCE)


@pytest.mark.parametrize("page", CALLED)
def test_each_error_of_the_package_is_said_on_each_page(page, monkeypatch):
    module, name, address = CALLED[page]
    reasons = errors_of_the_package()
    assert len(reasons) > 10
    app = visitor(None if page == "search" else page, **address)
    for reason in reasons:

        def broken(*what, reason=reason, **also):
            raise reason

        with monkeypatch.context() as patch:
            patch.setattr(importlib.import_module(module), name, broken)
            app.run()
        assert not app.exception, reason
        assert [error.value for error in app.error] == [SENTENCE], reason


def test_accident_is_said_in_our_words_and_the_page_goes_on_afterwards(monkeypatch):
    import query

    app = visitor(q="a cat")
    with monkeypatch.context() as patch:
        patch.setattr(query, "results", lambda how: 1 / 0)
        app.run()
    assert not app.exception and "did not foresee" in app.error[0].value
    assert "ZeroDivision" not in app.error[0].value
    app.run()
    assert not app.error and cards(app)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.txt", b"words"),
        ("a.jpg", bytes(26_000_000)),
        ("a.jpg", b""),
    ],
)
def test_rejected_upload_is_a_sentence_at_the_top(name, data):
    app = upload(visitor(), data, name)
    assert not app.exception and re.fullmatch(r"\S.{20,}\.", app.error[0].value, re.S)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://localhost:8501/", "not a url", "ftp://a.b/c.jpg",
     "http://169.254.169.254/latest", "javascript:alert(1)", "https://"],
)  # fmt: skip
def test_refused_address_is_a_sentence_at_the_top(url):
    app = visitor()
    app.text_input(key="address").set_value(url).run()
    assert not app.exception and re.fullmatch(r"\S.{20,}\.", app.error[0].value, re.S)
