"""Pictures of every page, light, dark and on a phone, as a visitor sees it; not blank, not broken.

They are written to the cache, and to the folder that SIGSCOPE_SCREENSHOTS names, which is how
`make screenshots` renews those of the README.
"""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from browsing import MAP_S, NO_BROWSER, WIDE, browser, is_still, text_of, wait_for
from PIL import Image

from sigscope import paths
from sigscope.cli import launch

pytestmark = NO_BROWSER
KEPT = paths.CACHE / "screenshots"
PAGES = {  # the address of each, and what is on it once it is ready
    "search": ("/?q=sailing+ship", "Nothing you type"),
    "map": ("/map?q=sailing+ship", "Trustworthiness"),
    "compare": ("/compare?q=sailing+ship&sides=3", "in 3 lists"),
    "duplicates": ("/duplicates", "alike"),
    "rate": ("/rate", "Your name or initials"),
    "data": ("/data", "A folder on this machine"),
    "report": ("/report?notebook=06-evaluate-retrieval", "What we learned"),
}
SCREENS = {
    "light": ((1280, 1000), ()),
    "dark": ((1280, 1000), ("--blink-settings=preferredColorScheme=0",)),
    "phone": ((500, 1000), ()),
}


@pytest.fixture(scope="module", params=SCREENS)
def screen(request):
    size, arguments = SCREENS[request.param]
    with browser(*arguments, size=size) as driver:
        yield request.param, driver


@pytest.mark.parametrize("page", PAGES)
def test_page_is_drawn_without_an_error(screen, page, port):
    name, driver = screen
    address, ready = PAGES[page]
    driver.get(launch.url(port) + address)
    wait_for(driver, lambda: is_still(driver) and ready in text_of(driver), MAP_S)
    wait_for(driver, lambda: all(driver.execute_script(DRAWN)))
    shot = driver.get_screenshot_as_png()
    for folder in filter(
        None, (paths.CACHE / "screenshots", os.environ.get("SIGSCOPE_SCREENSHOTS"))
    ):
        keep(shot, Path(folder) / f"{page}-{name}.webp")
    assert not driver.find_elements("css selector", ".stException")
    assert driver.execute_script(WIDE) <= 1, "the page must not scroll sideways"
    grey = np.asarray(Image.open(BytesIO(shot)).convert("L"), np.float32)
    assert grey.std() > 8
    ground = np.bincount(grey.astype(int).ravel()).argmax()  # the pictures are no part of it
    assert (ground < 110) == (name == "dark")


DRAWN = (
    "return [...document.querySelectorAll('.card img, .listed img')]"
    ".filter(i => i.getBoundingClientRect().top < innerHeight)"
    ".map(i => i.complete && i.naturalWidth > 0)"
    ".concat([...document.querySelectorAll('.map')].map(map => 'heard' in map.dataset))"
    ".concat([...document.querySelectorAll('[data-testid=stSkeleton]')].length === 0)"
)


def keep(shot: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(BytesIO(shot)).convert("RGB").save(path, "WEBP", quality=80, method=6)
