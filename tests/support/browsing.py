"""A real browser without a screen, for the explorer's end-to-end tests."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from sigscope.cli import launch  # noqa: E402

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL by software
    "--enable-unsafe-swiftshader",
]
PATIENCE_S = 120  # on a busy machine; a quiet one needs a few
MAP_S = 600  # the first map on a machine: UMAP is compiled for it
WIDE = (  # by how much the page scrolls sideways
    "const main = document.querySelector('[data-testid=stMain]');"
    "return main.scrollWidth - main.clientWidth"
)
LOG = "performance"  # in which Chromium lists its requests
NO_BROWSER = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no browser: 'apt-get install chromium chromium-driver' lets this test run",
)


@contextmanager
def browser(*arguments: str, size: tuple[int, int] = (1280, 900)) -> Iterator:
    """Yield a browser with a profile of its own."""
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = BROWSER
        window = f"--window-size={size[0]},{size[1]}"
        for argument in [*QUIET, f"--user-data-dir={profile}", window, *arguments]:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {LOG: "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
        in_front(driver)
        try:
            yield driver
        finally:
            driver.quit()


def in_front(driver):
    """Let the page that the driver is at have the focus, as a visitor's has; a new tab has none."""
    driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})


def sized(driver, width: int, height: int, phone: bool = False):
    """Give the page the size of a screen, and a finger where it is a phone's."""
    view = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})


def wait_for(driver, condition, seconds: float = PATIENCE_S):
    changing = [StaleElementReferenceException]  # the page is drawn anew meanwhile
    return WebDriverWait(driver, seconds, 0.2, changing).until(lambda _: condition())


def settled(driver, read):
    """Return what read returns once that is something, and the same as a moment before."""
    before = []

    def is_same():
        before.append(read())
        return before[-1] if before[-2:-1] == before[-1:] else None

    return wait_for(driver, is_same)


def is_still(driver) -> bool:
    """Return whether the page's script has ended."""
    still = '[data-testid="stApp"][data-test-script-state="notRunning"]'
    return bool(driver.find_elements(By.CSS_SELECTOR, still))


def is_ready(driver) -> bool:
    """Return whether all that a visitor of the search page may use is there."""
    usable = (".card", ".st-key-q input", ".stFormSubmitButton button")
    return is_still(driver) and all(
        driver.find_elements(By.CSS_SELECTOR, selector) for selector in usable
    )


def opened(driver, port: int, address: str):
    """Open an address of the explorer and wait until its page is there."""
    driver.get(launch.url(port) + address)
    wait_for(driver, lambda: is_still(driver) and driver.find_elements(By.CSS_SELECTOR, "h1"))


def element(driver, selector: str):
    """Return the first element that a visitor can see and use."""

    def visible():
        found = driver.find_elements(By.CSS_SELECTOR, selector)
        return next((one for one in found if one.is_displayed()), None)

    return wait_for(driver, visible)


def cards(driver) -> list[str]:
    """Return the captions of the pictures on the page, in their order, in one step."""
    script = "return [...document.querySelectorAll('.card figcaption')].map(c => c.title)"
    return driver.execute_script(script)


def scrolled(driver) -> int:
    """Return how far down the page is, in pixels."""
    return driver.execute_script("return document.querySelector('[data-testid=stMain]').scrollTop")


def text_of(driver) -> str:
    return driver.find_element(By.CSS_SELECTOR, '[data-testid="stMain"]').text


def is_there(driver, expected: list[str]):
    """Wait until these pictures stand first; more follow where the end of the grid is in sight."""
    assert expected
    wait_for(driver, lambda: cards(driver)[: len(expected)] == expected)


def ask(driver, words: str):
    """Search for words, whatever stood in the box."""
    box = element(driver, ".st-key-q input")
    box.send_keys(Keys.CONTROL + "a" + Keys.NULL, words, Keys.ENTER)


def go_to(driver, page: str):
    """Click a page's name in the sidebar."""
    script = (
        "const link = [...document.querySelectorAll('[data-testid=stPageLink-NavLink]')]"
        ".find(a => a.innerText.trim() === arguments[0]); link?.click(); return !!link"
    )
    wait_for(driver, lambda: driver.execute_script(script, page))
    is_on(driver, page)


def is_on(driver, page: str):
    """Wait until a page is there and its script has ended."""
    wait_for(driver, lambda: page in driver.title)
    wait_for(driver, lambda: is_still(driver))


def press(driver, label: str):
    """Click a button by its words, also one of a picture that shows on hover only."""
    script = (
        "const button = [...document.querySelectorAll('button, a')].find(b => "
        "(b.ariaLabel || b.innerText).trim() === arguments[0]); button?.click(); return !!button"
    )
    wait_for(driver, lambda: driver.execute_script(script, label))
