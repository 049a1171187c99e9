"""Everybody can use it: contrast, the focus, the way past the sidebar, and what is read aloud."""

import time
from pathlib import Path

import pytest
from browsing import (
    MAP_S,
    NO_BROWSER,
    WIDE,
    cards,
    element,
    go_to,
    is_on,
    is_still,
    press,
    sized,
    text_of,
    wait_for,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from sigscope.cli import launch
from sigscope.ratings import RatingStore, rng_of, shuffled

pytestmark = NO_BROWSER
TOO_FAINT = (Path(__file__).parents[1] / "support" / "contrast.js").read_text(encoding="utf-8")
KITTEN = "images%2Fanimals%2Fkitten.webp"
PAGES = {  # an address of each state, and what is on the page once it is ready
    "/": "drawn at random",
    "/?q=a+cat&nobody=knows": "best first",
    f"/?q=a+cat&not=a+dog&like={KITTEN}": "pictures like",
    f"/?q=a+cat&show={KITTEN}": "best first",
    f"/?like={KITTEN}&view=captions": "Captions that fit",
    "/map?q=a+cat": "Trustworthiness",
    "/compare?q=a+cat&sides=3": "in 3 lists",
    "/duplicates": "alike",
    "/rate": "Your name or initials",
    "/rate?rate=own": "put into one heap",
    "/data": "A folder on this machine",
    "/report?notebook=06-evaluate-retrieval": "What we learned",
}


@pytest.fixture
def page(driver, port):
    driver.get(launch.url(port) + "/?q=a+cat")
    wait_for(driver, lambda: is_still(driver) and cards(driver))
    return driver


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_and_every_focus_can_be_seen(driver, port, theme, address):
    look(driver, theme)
    driver.get(launch.url(port) + address)
    wait_for(driver, lambda: is_still(driver) and PAGES[address] in text_of(driver), MAP_S)
    assert faint(driver) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bar_of_a_selection_can_be_read(page, theme):
    look(page, theme)
    press(page, f"Select {cards(page)[0]}")
    bar = element(page, ".st-key-chosen-bar")
    assert "1 selected" in bar.text and faint(page) == []


def look(driver, theme: str):
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def faint(driver) -> list[str]:
    """Return what is too faint, once what fades in has come or has had the time to."""
    until = time.monotonic() + 60
    while (found := driver.execute_script(TOO_FAINT)) and time.monotonic() < until:
        time.sleep(0.2)
    return found


def test_contrast_that_is_too_little_is_found(page):
    page.execute_script("document.querySelector('.count').style.opacity = 0.2")
    assert any("pictures" in line for line in page.execute_script(TOO_FAINT))


def test_first_key_leads_past_the_sidebar(page):
    ActionChains(page).send_keys(Keys.TAB).perform()
    assert "Skip" in page.switch_to.active_element.text
    ActionChains(page).send_keys(Keys.ENTER).perform()
    inside = "return !!document.activeElement.closest('[data-testid=stMain]')"
    wait_for(page, lambda: page.execute_script(inside))


def test_number_of_the_pictures_is_said_and_the_title_says_the_query(page):
    region = page.find_elements(By.CSS_SELECTOR, "[role=status], [aria-live]")
    assert len(region) == 1
    wait_for(page, lambda: region[0].text == f"{len(cards(page))} pictures")
    assert page.title == "“a cat” · Search · sigscope"
    go_to(page, "Data")
    assert page.title == "Data · sigscope"


def test_every_button_of_a_picture_says_which_it_means(page):
    unnamed = (
        "return [...document.querySelectorAll('.acts a')].filter(a => !a.ariaLabel.includes("
        "a.closest('.card').querySelector('figcaption').title)).length"
    )
    assert page.find_elements(By.CSS_SELECTOR, ".acts a") and not page.execute_script(unnamed)


def test_six_quick_keys_rate_no_picture_twice_and_none_that_was_not_shown(page, ratings):
    go_to(page, "Rate results")
    element(page, ".st-key-rater input").send_keys("AB")
    element(page, ".stFormSubmitButton button").click()
    element(page, ".rated img")
    ActionChains(page).send_keys("222222").perform()
    store = RatingStore(ratings)
    session = wait_for(page, lambda: rated_by(store, "ab"))

    def is_said():
        n = len(store.grades(session, "ab"))
        side = page.find_element(By.CSS_SELECTOR, '[data-testid="stSidebar"]').text
        next_one = page.find_elements(By.CSS_SELECTOR, f'[class*="st-key-give-2-{n}"]')
        return f"{n} of" in side and next_one and is_still(page)

    wait_for(page, is_said)
    order = shuffled(store.rankings(session), rng_of(session, "ab"))
    given = store.grades(session, "ab")
    assert given == dict.fromkeys(order[: len(given)], 2)
    assert not page.find_elements(By.CSS_SELECTOR, ".stAlert")


def rated_by(store, rater: str) -> str | None:
    """Return the session in which somebody has rated something."""
    return next((s for s in store.sessions()["session"] if store.grades(s, rater)), None)


@pytest.fixture
def phone_by_night(page):
    """A phone whose owner reads light on dark."""
    look(page, "dark")
    sized(page, 390, 844, phone=True)
    yield page
    look(page, "light")
    sized(page, 1280, 900)


def asked(page, place: int) -> bool:
    """Wait until a place is asked about, or all of them are rated; return whether it is asked."""
    place = f'[class*="st-key-give-2-{place}"]'
    wait_for(page, lambda: page.find_elements(By.CSS_SELECTOR, place)
             or "Thank you" in text_of(page))  # fmt: skip
    wait_for(page, lambda: is_still(page))  # what stands below it, too
    return "Thank you" not in text_of(page)


def test_own_queries_are_rated_and_compared_by_keys_alone(phone_by_night, port, ratings):
    page = phone_by_night
    page.get(launch.url(port) + "/rate?rate=own")
    element(page, ".st-key-queries textarea").send_keys("a cat")
    element(page, ".st-key-rater input").send_keys("Eve", Keys.ENTER)
    place = 0
    while asked(page, place):
        wait_for(page, lambda: not place or "System A" in text_of(page))  # noqa: B023
        ActionChains(page).send_keys("02"[place % 2]).perform()
        place += 1
    store = RatingStore(ratings)
    assert len(store.grades(rated_by(store, "eve"), "eve")) == place > 4
    shown = wait_for(page, lambda: "flat, meaning" in text_of(page) and text_of(page))
    assert f"{place} of {place} pictures judged" in shown and faint(page) == []
    assert page.execute_script(WIDE) <= 1
    element(page, ".st-key-to-compare button").send_keys(Keys.ENTER)
    is_on(page, "Compare")
    wait_for(page, lambda: "q=a+cat" in page.current_url and "in 2 lists" in text_of(page))
    page.back()
    is_on(page, "Rate")
    wait_for(page, lambda: "flat, meaning" in text_of(page))
