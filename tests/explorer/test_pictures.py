"""The grid of pictures, and the panel that shows one large, in a browser."""

import pytest
from browsing import (
    NO_BROWSER,
    cards,
    element,
    go_to,
    is_still,
    opened,
    press,
    sized,
    text_of,
    wait_for,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sigscope import load_gallery
from sigscope.tags import TagStore

pytestmark = NO_BROWSER
WHOLE = (
    "return [...document.querySelectorAll('.card .open')]"
    ".filter(c => c.getBoundingClientRect().bottom <= innerHeight).length"
)
PANEL = "dialog.panel[open]"
OPENED = (
    "const began = performance.now(); document.querySelector('.card .open').click();"
    "return performance.now() - began"
)


@pytest.fixture
def page(driver, port):
    sized(driver, 1280, 800)
    opened(driver, port, "/?q=a+cat")
    wait_for(driver, lambda: cards(driver))
    return driver


def panel(page) -> str:
    """Return the name of the picture in the panel, or "" where it is closed."""
    found = page.find_elements(By.CSS_SELECTOR, f"{PANEL} h2")
    return found[0].text if found else ""


def shown(page) -> str:
    return page.execute_script("return new URLSearchParams(location.search).get('show') ?? ''")


def is_large(page, id: str) -> bool:
    return shown(page) == id and panel(page) == id.rpartition("/")[2]


def typed(page, key: str):
    ActionChains(page).send_keys(key).perform()


@pytest.mark.parametrize(("size", "least"), [((1280, 800, False), 12), ((390, 844, True), 4)])
def test_results_above_the_fold(page, size, least):
    sized(page, *size)
    page.refresh()
    wait_for(page, lambda: cards(page) and is_still(page))
    wait_for(page, lambda: page.execute_script(WHOLE) >= least)
    wide = "return document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth"
    assert page.execute_script(wide) <= 0


def test_end_of_the_grid_brings_more_without_an_entry_in_the_history(page):
    before, length = cards(page), page.execute_script("return history.length")
    page.execute_script("document.querySelector('.end').scrollIntoView()")
    wait_for(page, lambda: len(cards(page)) >= 2 * len(before) and is_still(page))
    assert cards(page)[: len(before)] == before
    assert page.execute_script("return history.length") == length and "k=" in page.current_url


def test_panel_opens_at_once_goes_through_the_results_and_closes(page):
    ids = page.execute_script(
        "return [...document.querySelectorAll('.card')].map(c => c.dataset.id)"
    )
    took_ms = []
    for _ in range(3):  # the machine may be busy with others
        typed(page, Keys.ESCAPE)
        wait_for(page, lambda: not panel(page) and is_still(page))
        took_ms.append(page.execute_script(OPENED))
        assert is_large(page, ids[0])
    assert min(took_ms) < 150
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, f"{PANEL} .near a"))
    words = page.find_element(By.CSS_SELECTOR, PANEL).text
    for part in ("Folder", "pixels", "kB", "More like this", "Less like this", "Show on map",
                 "Open the original", "Copy path", "score", cards(page)[0]):  # fmt: skip
        assert part in words
    for key, at in ((Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2), (Keys.ARROW_LEFT, 1)):
        typed(page, key)
        assert is_large(page, ids[at])
    page.back()
    wait_for(page, lambda: is_large(page, ids[2]))
    typed(page, Keys.ESCAPE)
    wait_for(page, lambda: not panel(page) and not shown(page))
    page.back()
    wait_for(page, lambda: is_large(page, ids[2]))


def test_enter_opens_the_panel_and_escape_gives_the_focus_back(page):
    first = page.find_element(By.CSS_SELECTOR, ".card .open")
    page.execute_script("arguments[0].focus()", first)
    typed(page, Keys.ENTER)
    wait_for(page, lambda: panel(page))
    typed(page, Keys.ESCAPE)
    wait_for(page, lambda: not panel(page) and not shown(page))
    assert page.execute_script("return document.activeElement.closest('.card') !== null")


def test_link_to_a_picture_opens_it_and_its_neighbours_can_be_walked(page):
    id = page.execute_script("return document.querySelectorAll('.card')[2].dataset.id")
    page.get(page.current_url + "&show=" + id)
    wait_for(page, lambda: panel(page) == id.rpartition("/")[2])
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, f"{PANEL} .near a"))
    page.execute_script("document.querySelector('dialog .near a').click()")
    assert shown(page) != id and panel(page) == shown(page).rpartition("/")[2]


def chosen(page) -> list[int]:
    """Return the places of the pictures that are chosen."""
    return page.execute_script(
        "return [...document.querySelectorAll('.card')]"
        ".flatMap((card, n) => card.classList.contains('chosen') ? [n] : [])"
    )


def choose(page, place: int, shift: bool = False):
    page.execute_script(
        "document.querySelectorAll('.card .pick')[arguments[0]]"
        ".dispatchEvent(new MouseEvent('click', {shiftKey: arguments[1], bubbles: true}))",
        place, shift,
    )  # fmt: skip


def test_pictures_are_chosen_by_click_by_range_by_key_and_all(page):
    choose(page, 1)
    choose(page, 3, shift=True)
    assert chosen(page) == [1, 2, 3]
    wait_for(page, lambda: "3 selected" in text_of(page) and "chosen=" in page.current_url)
    page.execute_script("document.querySelectorAll('.card .open')[5].focus()")
    typed(page, "x")
    assert chosen(page) == [1, 2, 3, 5]
    wait_for(page, lambda: "4 selected" in text_of(page) and is_still(page))
    page.back()
    wait_for(page, lambda: chosen(page) == [1, 2, 3])
    press(page, "Select all")
    many = len(chosen(page))
    wait_for(page, lambda: f"{many} selected" in text_of(page) and is_still(page))
    page.refresh()
    wait_for(page, lambda: len(chosen(page)) == many >= 20)
    press(page, "Deselect")
    wait_for(page, lambda: not chosen(page) and "selected" not in text_of(page))


def test_selection_is_opened_alone_and_a_search_is_saved_by_name(page, port):
    choose(page, 1)
    choose(page, 3, shift=True)
    names = cards(page)[1:4]
    press(page, "Open alone")
    wait_for(page, lambda: cards(page) == names and "among=" in page.current_url)
    element(page, ".st-key-saved-chip button").click()
    element(page, ".st-key-name-of-the-search input").send_keys("three", Keys.ENTER)
    element(page, ".st-key-saved-three button")
    opened(page, port, "/")
    element(page, ".st-key-saved-chip button").click()
    element(page, ".st-key-saved-three button").click()
    wait_for(page, lambda: cards(page) == names and "q=a+cat" in page.current_url)
    element(page, ".st-key-forget-three button").click()
    wait_for(page, lambda: not page.find_elements(By.CSS_SELECTOR, ".st-key-saved-three"))


def test_selection_of_a_moment_ago_is_kept_by_the_query_that_comes_next(page):
    choose(page, 2)
    press(page, f"More like {cards(page)[2]}")
    wait_for(page, lambda: "chosen=" in page.current_url and is_still(page))
    wait_for(page, lambda: "1 selected" in text_of(page))


def test_selection_of_a_moment_ago_outlives_the_page(page):
    choose(page, 2)
    page.refresh()
    wait_for(page, lambda: chosen(page) == [2] and "chosen=" in page.current_url)
    choose(page, 4)
    go_to(page, "Map")
    wait_for(page, lambda: "2 selected" in text_of(page) and "chosen=" in page.current_url)
    go_to(page, "Search")
    wait_for(page, lambda: chosen(page) == [2, 4] and is_still(page))


@pytest.fixture
def tags_kept(tags):
    return TagStore(load_gallery(), tags)


def first_tags(page) -> str:
    return page.execute_script("return document.querySelector('.card .tags')?.innerText ?? ''")


def test_star_and_tag_are_put_on_and_taken_off(page, tags_kept):
    page.execute_script("document.querySelector('.card .open').focus()")
    typed(page, "s")
    assert first_tags(page) == "★"
    typed(page, Keys.ENTER)
    element(page, f"{PANEL} .panel-tags input").send_keys("Mouse catcher", Keys.ENTER)
    wait_for(page, lambda: is_still(page) and "mouse catcher" in first_tags(page))
    page.execute_script("document.activeElement.blur()")
    typed(page, "x")
    wait_for(page, lambda: "chosen=" in page.current_url and is_still(page))
    assert panel(page) and chosen(page) == [0], "the panel must stay while pictures are chosen"
    page.refresh()
    wait_for(page, lambda: "mouse catcher" in first_tags(page) and panel(page))
    press(page, "Take the tag mouse catcher away")
    typed(page, "s")
    assert not first_tags(page)
    wait_for(page, lambda: tags_kept.tags().empty)
    page.refresh()
    wait_for(page, lambda: cards(page) and is_still(page))
    assert not first_tags(page)


def test_size_of_the_pictures_follows_slider_and_keys(page):
    def width() -> float:
        return page.execute_script("return document.querySelector('.card').offsetWidth")

    before = width()
    for _ in range(3):
        typed(page, "+")
    assert width() > before
    wait_for(page, lambda: "size=225" in page.current_url and is_still(page))
