"""The explorer for real: started as `make run` starts it, used in a browser without a screen."""

import http.client
import json
import os
import socket
from contextlib import ExitStack
from threading import Thread
from urllib.parse import urlsplit

import pytest
from browsing import (
    LOG,
    MAP_S,
    NO_BROWSER,
    PATIENCE_S,
    ask,
    cards,
    element,
    go_to,
    in_front,
    is_ready,
    is_still,
    is_there,
    press,
    scrolled,
    text_of,
    wait_for,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from sigscope import paths
from sigscope.cli import launch
from sigscope.search.searcher import Searcher

HERE = {"localhost", "127.0.0.1"}
COVERED = (  # pairs of names on the map of which one lies over the other
    "const shown = [...document.querySelectorAll('.js-plotly-plot .annotation')]"
    ".filter(a => a.style.visibility !== 'hidden').map(a => a.getBoundingClientRect());"
    "return shown.flatMap((a, n) => shown.slice(n + 1).filter(b => a.left < b.right &&"
    " b.left < a.right && a.top < b.bottom && b.top < a.bottom))"
)

pytestmark = NO_BROWSER


@pytest.fixture(scope="module")
def searcher():
    return Searcher.open(os.environ.get("SIGSCOPE_GALLERY"))


@pytest.fixture(scope="module")
def outside():
    """A proxy that the explorer is told to use for the world, and the calls it received."""
    calls = []
    with socket.socket() as trap:
        trap.bind((launch.ADDRESS, 0))
        trap.listen()

        def listen():
            while True:
                try:
                    calls.append(trap.accept()[1])
                except OSError:
                    return

        Thread(target=listen, daemon=True).start()
        yield f"http://{launch.ADDRESS}:{trap.getsockname()[1]}", calls


@pytest.fixture(scope="module")
def port(outside, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(paths, "CACHE", tmp_path_factory.mktemp("cache"))
        port = launch.free_port()
        with pytest.MonkeyPatch.context() as surroundings:  # the explorer's, not the browser's
            for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                surroundings.setenv(name, outside[0])
            surroundings.setenv("SIGSCOPE_RATINGS", str(paths.CACHE / "ratings.sqlite"))
            process = stack.enter_context(launch.explorer(port))
        launch.wait(process, port, PATIENCE_S)
        yield port


def captions_of(table) -> list[str]:
    rows = zip(table["id"], table["caption"], strict=True)
    return [caption or id.rpartition("/")[2] for id, caption in rows]


def hosts(driver, origin: str) -> set[str]:
    """Return the hosts that the page has called; not those that Chromium calls for itself."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log(LOG)]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    urls = [ask["request"]["url"] for ask in asked if ask["documentURL"].startswith(origin)]
    urls += [e["params"]["url"] for e in events if e["method"] == "Network.webSocketCreated"]
    return {urlsplit(url).hostname for url in urls} - {None}  # None: pictures within the page


def well_found_caption(searcher) -> str:
    """Return the caption of a train picture that the model ranks first among all pictures."""
    items = searcher.gallery.items
    for row in items[(items["split"] == "train") & (items["caption"] != "")].head(50).itertuples():
        if searcher.by_text(row.caption, 1, by="both")["id"].iat[0] == row.id:
            return row.caption
    raise AssertionError("none of 50 train captions finds its own picture")


def test_typed_words_find_the_picture_that_they_describe(page, searcher):
    words = well_found_caption(searcher)
    ask(page, words)
    is_there(page, captions_of(searcher.by_text(words, 20, by="both")))
    assert cards(page)[0] == words


def test_by_what_to_find_is_one_click_and_going_back_undoes_it(page, searcher):
    words = "un chat noir"
    both, written = (captions_of(searcher.by_text(words, 20, by=by)) for by in ("both", "words"))
    ask(page, words)
    is_there(page, both)
    press(page, "words")
    is_there(page, written)
    assert "by=words" in page.current_url and written != both
    page.back()
    is_there(page, both)


def test_another_spelling_is_searched_with_one_click(page, searcher):
    ask(page, "a red buterfly")
    press(page, "Did you mean “a red butterfly”?")
    is_there(page, captions_of(searcher.by_text("a red butterfly", 20, by="both")))


def test_uploaded_picture_is_found_first(page, searcher):
    id = str(searcher.embeddings.ids[7])
    file = searcher.gallery.file(id)
    element(page, ".st-key-by-picture button").click()
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    page.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(file))
    found = searcher.by_picture(file, 20)
    assert found["id"].iat[0] == id
    is_there(page, captions_of(found))


def test_more_like_this_follows_and_begins_at_the_top(page, searcher):
    ask(page, "a cat")
    first = searcher.by_text("a cat", 20, by="both")
    is_there(page, captions_of(first))
    act = page.find_elements(By.CSS_SELECTOR, ".card .acts a")[4 * 12]
    page.execute_script("arguments[0].scrollIntoView()", act)
    assert scrolled(page) > 0
    page.execute_script("arguments[0].click()", act)
    alike = captions_of(searcher.like(first["id"].iat[12], 20))
    is_there(page, alike)
    wait_for(page, lambda: scrolled(page) == 0)


def test_every_picture_is_drawn_and_has_words_in_its_place(page):
    state = (
        "return [...document.querySelectorAll('.card img')]"
        ".map(i => i.complete && i.naturalWidth > 0 && i.alt.length > 0)"
    )
    wait_for(page, lambda: all(page.execute_script(state)))


def test_nothing_leaves_the_machine(page, port, searcher, outside):
    ask(page, "a boat")
    is_there(page, captions_of(searcher.by_text("a boat", 20, by="both")))
    called = hosts(page, launch.url(port))
    assert called and called <= HERE
    assert not outside[1], "the explorer itself tried to reach the world"


def test_two_visitors_search_at_once(page, port, searcher):
    one = page.current_window_handle
    page.switch_to.new_window("window")
    in_front(page)
    page.get(launch.url(port))
    two = page.current_window_handle
    for window, words in ((one, "a dog"), (two, "a flower")):
        page.switch_to.window(window)
        wait_for(page, lambda: is_ready(page))
        ask(page, words)
    for window, words in ((one, "a dog"), (two, "a flower")):
        page.switch_to.window(window)
        is_there(page, captions_of(searcher.by_text(words, 20, by="both")))


def test_pasted_picture_is_searched_for(page, searcher):
    id = str(searcher.embeddings.ids[7])
    data = searcher.gallery.file(id).read_bytes()
    page.execute_script(
        "const file = new File([new Uint8Array(arguments[0])], 'a.webp', {type: 'image/webp'});"
        "const held = new DataTransfer(); held.items.add(file);"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: held}));",
        list(data),
    )
    is_there(page, captions_of(searcher.by_picture(data, 20)))


def test_query_can_be_kept_as_an_address(page, port, searcher):
    ask(page, "a dog")
    is_there(page, captions_of(searcher.by_text("a dog", 20, by="both")))
    wait_for(page, lambda: "q=a+dog" in page.current_url)
    page.get(page.current_url)
    is_there(page, captions_of(searcher.by_text("a dog", 20, by="both")))


def test_words_come_along_to_other_pages_and_back(page, searcher):
    ask(page, "a dog")
    is_there(page, captions_of(searcher.by_text("a dog", 20, by="both")))
    go_to(page, "Compare")
    wait_for(page, lambda: "of 10 that exact search finds" in text_of(page))
    go_to(page, "Search")
    is_there(page, captions_of(searcher.by_text("a dog", 20, by="both")))


def test_lasso_on_the_map_shows_the_pictures_inside(page):
    go_to(page, "Map")
    wait_for(page, lambda: "Trustworthiness" in text_of(page) and is_still(page), MAP_S)
    element(page, ".js-plotly-plot[data-heard]")
    assert page.execute_script(COVERED) == [], "names of clusters must not cover each other"
    plane = element(page, ".plotly .nsewdrag")
    size = plane.size
    act = ActionChains(page, duration=100).move_to_element(plane).click_and_hold()
    for x, y in ((0.2, 0), (0, 0.2), (-0.2, 0), (0, -0.15)):
        act = act.move_by_offset(int(x * size["width"]), int(y * size["height"]))
    act.release().perform()
    wait_for(page, lambda: " selected" in text_of(page) and len(cards(page)) > 3)
    wait_for(page, lambda: is_still(page) and "chosen=" in page.current_url)
    inside, address = cards(page), page.current_url
    press(page, "split")
    wait_for(page, lambda: page.current_url == f"{address}&colour=split" and is_still(page))
    assert cards(page) == inside, "another colour must keep the selection"
    go_to(page, "Search")
    wait_for(page, lambda: " selected" in text_of(page))
    go_to(page, "Map")
    is_there(page, inside)


def test_compare_marks_what_several_indexes_find(page):
    ask(page, "a dog")
    go_to(page, "Compare")
    wait_for(page, lambda: "no. 1, in 2 lists" in text_of(page))
    marked = "ul.listed li[style*='--mark']"
    assert len(page.find_elements(By.CSS_SELECTOR, marked)) >= 2


def test_volunteer_rates_a_picture(page):
    go_to(page, "Rate results")
    element(page, ".st-key-rater input").send_keys("AB")
    element(page, ".stFormSubmitButton button").click()
    element(page, ".rated img")
    element(page, '[class*="st-key-give-1-0"] button').click()
    wait_for(page, lambda: "Your answers for these words so far" in text_of(page))


def test_examples_of_a_first_visit_are_found(page):
    example = element(page, ".st-key-examples button")
    words = example.text
    example.click()
    wait_for(page, lambda: f"“{words}”" in page.title and is_still(page))
    assert "good match" in text_of(page) and "no good match" not in text_of(page)


def test_other_machines_and_other_names_are_kept_out(port):
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", port), timeout=2):
        pass
    assert upgrade(port, "localhost") == 101
    assert upgrade(port, "evil.example") in (400, 403)
    assert picture(port, "evil.example") == 400


def upgrade(port: int, host: str) -> int:
    """Ask for the explorer's web socket under a name; return the status of the answer."""
    connection = http.client.HTTPConnection(launch.ADDRESS, port, timeout=60)
    asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    asked |= {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Host": f"{host}:{port}"}
    connection.request("GET", "/_stcore/stream", headers=asked)
    return connection.getresponse().status


def picture(port: int, host: str) -> int:
    """Ask for a picture under a name; return the status of the answer."""
    connection = http.client.HTTPConnection(launch.ADDRESS, port, timeout=60)
    connection.request("GET", "/pictures/main/0/x", headers={"Host": f"{host}:{port}"})
    return connection.getresponse().status
