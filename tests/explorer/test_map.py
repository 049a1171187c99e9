"""The map in a browser: its place on the page, its points, and what a finger does to it."""

import pytest
from browsing import (
    MAP_S,
    NO_BROWSER,
    cards,
    element,
    is_still,
    opened,
    press,
    scrolled,
    settled,
    sized,
    text_of,
    wait_for,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

pytestmark = NO_BROWSER
BELOW = (  # where the sentence below the map stands
    "return [...document.querySelectorAll('[data-testid=stCaptionContainer]')]"
    ".find(c => c.innerText.includes('Trustworthiness')).getBoundingClientRect().top"
)


@pytest.fixture
def page(driver):
    sized(driver, 1280, 800)
    return driver


def map_page(page, port):
    opened(page, port, "/map")
    wait_for(page, lambda: "Trustworthiness" in text_of(page) and is_still(page), MAP_S)
    element(page, ".js-plotly-plot[data-heard]")
    plane = element(page, ".plotly .nsewdrag")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    return plane


def a_point(page) -> tuple[int, int, str]:
    """Return where in the window a point that stands alone lies, and of which picture it is."""
    return page.execute_script(
        "const p = document.querySelector('.js-plotly-plot'), l = p._fullLayout;"
        "const box = p.getBoundingClientRect();"
        "const all = p._fullData.filter(t => t.customdata).flatMap(t => [...t.x].map((x, n) =>"
        " [l.xaxis._offset + l.xaxis.c2p(x) + box.left,"
        "  l.yaxis._offset + l.yaxis.c2p(t.y[n]) + box.top, t.customdata[n]]));"
        "const within = ([x, y]) => x > box.left + 60 && x < box.left + l.xaxis._length - 60 &&"
        " y > box.top + 60 && y < box.top + l.yaxis._length - 60;"
        "const room = (one) => Math.min(...all.filter(o => o[2] !== one[2])"
        " .map(o => Math.hypot(o[0] - one[0], o[1] - one[1])));"
        "const [x, y, id] = all.filter(within).reduce((a, b) => room(a) >= room(b) ? a : b);"
        "return [Math.round(x), Math.round(y), [id].flat()[0]];"
    )


def test_map_keeps_its_place_while_what_draws_it_is_fetched(page, port):
    page.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    page.execute_cdp_cmd("Fetch.enable", {"patterns": [{"urlPattern": "*/drawing/*"}]})
    opened(page, port, "/map")
    wait_for(page, lambda: "Trustworthiness" in text_of(page) and is_still(page), MAP_S)
    assert not page.find_elements(By.CSS_SELECTOR, ".js-plotly-plot")
    before = settled(page, lambda: page.execute_script(BELOW))
    page.execute_cdp_cmd("Fetch.disable", {})
    element(page, ".map[data-heard]")
    assert settled(page, lambda: page.execute_script(BELOW)) == before


def test_what_draws_the_map_is_fetched_once_and_where_it_fails_it_is_said(page, port):
    scripts = "return document.querySelectorAll('script[src*=drawing]').length"
    opened(page, port, "/")
    assert page.execute_script(scripts) == 0
    page.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/drawing/*"]})
    opened(page, port, "/map")
    wait_for(page, lambda: "could not be fetched" in element(page, ".map").text)
    page.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    map_page(page, port)
    assert page.execute_script(scripts) == 1


def test_click_on_the_map_opens_a_picture_while_the_tool_is_the_lasso(page, port):
    map_page(page, port)
    x, y, id = settled(page, lambda: a_point(page))
    mouse = ActionChains(page, duration=50)
    mouse.w3c_actions.pointer_action.move_to_location(x, y)
    mouse.perform()
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, ".hovered:not([hidden]) img"))
    mouse = ActionChains(page, duration=50)
    mouse.w3c_actions.pointer_action.click()
    mouse.perform()
    panel = element(page, "dialog.panel[open] h2")
    assert panel.text == id.rpartition("/")[2] and "show=" in page.current_url


def touched(page, *path: tuple[int, int]):
    """Draw with one finger from place to place."""
    for kind, at in zip(["touchStart", *["touchMove"] * len(path)], [path[0], *path], strict=True):
        points = [{"x": at[0], "y": at[1]}]
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_swipe_over_the_map_scrolls_the_page_until_the_lasso_is_on(page, port):
    sized(page, 390, 844, phone=True)
    map_page(page, port)
    before = scrolled(page)
    touched(page, *((200, y) for y in range(500, 200, -25)))
    wait_for(page, lambda: scrolled(page) > before + 100)
    press(page, "Turn the lasso on")
    plane = element(page, ".plotly .nsewdrag")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plane)
    before = settled(page, lambda: scrolled(page))
    around = [(90, 330), (90, 420), (90, 510), (190, 510), (290, 510), (290, 420), (290, 330)]
    touched(page, *around, (190, 330), (95, 330))
    wait_for(page, lambda: " selected" in text_of(page) and cards(page))
    assert abs(scrolled(page) - before) < 50


def test_click_in_the_legend_takes_a_category_off_the_map(page, port):
    map_page(page, port)
    taken = "return document.querySelector('.map')._fullData.filter(t => t.visible !== true).length"
    assert page.execute_script(taken) == 0
    first = element(page, ".map .legendtoggle")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", first)
    ActionChains(page).move_to_element(first).click().perform()
    wait_for(page, lambda: page.execute_script(taken) == 1)
