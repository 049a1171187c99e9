"""The address is the state: walked by a real browser, back and forward and from page to page."""

import pytest
from browsing import (
    NO_BROWSER,
    PATIENCE_S,
    ask,
    browser,
    cards,
    element,
    go_to,
    is_on,
    is_still,
    is_there,
    press,
    text_of,
    wait_for,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sigscope.cli import launch

pytestmark = NO_BROWSER
EVERY_STATE = (
    "?q=a+cat&not=a+dog&weight=q%3A0.7&category=animals&split=train&k=40&size=120&index=hnsw"
    "&effort=16&mix=sentence&tame=1"
)


def entries(page) -> int:
    return page.execute_script("return history.length")


def open_at(page, port, address: str):
    page.get(launch.url(port) + address)
    wait_for(page, lambda: is_still(page))


def acted(page, act) -> list[str]:
    """Do something that changes the pictures; return those that are there then."""
    before, length = cards(page), entries(page)
    act()
    wait_for(page, lambda: cards(page) and cards(page)[: len(before)] != before and is_still(page))
    assert entries(page) == length + 1, "an act must make one entry in the browser's history"
    return cards(page)


def test_back_and_forward_restore_what_was_there_after_every_act(page):
    shown = [cards(page)]
    shown.append(acted(page, lambda: ask(page, "a cat")))
    name = shown[-1][3]
    shown.append(acted(page, lambda: press(page, f"More like {name}")))
    shown.append(acted(page, lambda: press(page, f"Less like {cards(page)[2]}")))
    shown.append(acted(page, lambda: press(page, "Clear")))
    shown.append(acted(page, lambda: press(page, "Show others")))
    for expected in shown[-2::-1]:
        page.back()
        is_there(page, expected)
    for expected in shown[1:]:
        page.forward()
        is_there(page, expected)


def test_back_returns_from_another_page_to_the_results(page):
    found, length = acted(page, lambda: ask(page, "a cat")), entries(page)
    go_to(page, "Data")
    assert entries(page) == length + 1
    page.back()
    is_on(page, "Search")
    is_there(page, found)
    page.forward()
    is_on(page, "Data")


def test_address_opened_elsewhere_shows_the_same(page, port):
    open_at(page, port, "/" + EVERY_STATE)
    wait_for(page, lambda: len(cards(page)) >= 40)
    first = cards(page)[:40]
    page.refresh()
    is_there(page, first)
    with browser() as other:
        open_at(other, port, "/" + EVERY_STATE)
        is_there(other, first)
        assert not other.find_elements(By.CSS_SELECTOR, ".stAlert")


@pytest.mark.parametrize("state", ["", EVERY_STATE, "?like={id}", "?q=a+cat&unlike={id}&show={id}"])
def test_every_move_between_pages_from_every_state_keeps_the_state(page, port, state):
    id = page.execute_script("return document.querySelector('.card').dataset.id")
    open_at(page, port, "/" + state.format(id=id))
    wait_for(page, lambda: cards(page))
    page.find_element(By.TAG_NAME, "body").send_keys(Keys.ESCAPE)
    found = cards(page)
    for name in ("Map", "Compare", "Duplicates", "Rate results", "Data", "Report", "Search"):
        go_to(page, name)
        assert not page.find_elements(By.CSS_SELECTOR, ".stException, .stAlert [class*=rror]")
    is_there(page, found)


def test_a_result_is_shown_on_the_map_and_back_leads_to_the_results(page):
    found, length = acted(page, lambda: ask(page, "a cat")), entries(page)
    press(page, f"Show {found[0]} on the map")
    is_on(page, "Map")
    assert entries(page) == length + 1 and "/map?" in page.current_url
    assert not page.find_elements(By.CSS_SELECTOR, ".stException")
    page.back()
    is_on(page, "Search")
    is_there(page, found)


def test_a_visitors_own_picture_comes_back_too(page, port):
    element(page, ".st-key-by-picture button").click()
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, "input[type=file]"))
    from sigscope import paths

    file = next((paths.GALLERY / "images").rglob("*.webp"))
    box = page.find_element(By.CSS_SELECTOR, "input[type=file]")
    found = acted(page, lambda: box.send_keys(str(file)))
    assert "picture=" in page.current_url
    acted(page, lambda: press(page, "Clear"))
    page.back()
    is_there(page, found)
    page.refresh()
    wait_for(page, lambda: "is kept no longer" in text_of(page))


def test_death_of_the_server_is_said_and_the_page_comes_back_by_itself(driver):
    port = launch.free_port()
    with launch.explorer(port) as process:
        launch.wait(process, port, PATIENCE_S)
        open_at(driver, port, "/?q=a+cat")
        found = wait_for(driver, lambda: cards(driver))
    assert "stopped answering" in element(driver, ".gone").text
    boxes = driver.find_elements(By.CSS_SELECTOR, "[role=dialog]")
    assert not any(box.is_displayed() for box in boxes), "Streamlit's own words are not ours"
    assert cards(driver) == found
    with launch.explorer(port) as process:
        launch.wait(process, port, PATIENCE_S)
        wait_for(driver, lambda: not driver.find_element(By.CSS_SELECTOR, ".gone").text)
        is_there(driver, found)
        ask(driver, "a dog")
        wait_for(driver, lambda: "q=a+dog" in driver.current_url and cards(driver) != found)


def test_settings_of_the_other_pages_are_in_the_address(page, port):
    open_at(page, port, "/compare?q=a+cat&sides=3&each=5&index2=hnsw&effort2=16&index3=ivfpq")
    wait_for(page, lambda: text_of(page).count("that exact search finds") >= 3)
    assert "of 5" in text_of(page)
    open_at(page, port, "/report?notebook=06-evaluate-retrieval&kinds=figures")
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, ".stPlotlyChart"))
    assert not page.find_elements(By.CSS_SELECTOR, ".stDataFrame")
