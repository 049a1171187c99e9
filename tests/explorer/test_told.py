"""What a visitor is told, where he looks: in sight, and with nothing over it."""

import pytest
from browsing import NO_BROWSER, cards, element, is_still, settled, text_of, wait_for
from selenium.webdriver.common.by import By

from sigscope.cli import launch
from sigscope.rerank import ocr_is_installed

pytestmark = NO_BROWSER
IN_SIGHT = (  # what stands at the middle of the last sentence on the page is that sentence
    "const told = [...document.querySelectorAll('[data-testid=stAlert]')].at(-1);"
    "if (!told) return ''; const box = told.getBoundingClientRect();"
    "const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);"
    "return told.contains(top) ? told.innerText : ''"
)
REJECTED = {
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    "large.jpg": bytes(26_000_000),
}


@pytest.mark.parametrize("name", REJECTED)
def test_why_a_picture_is_rejected_is_in_sight(page, tmp_path, name):
    (tmp_path / name).write_bytes(REJECTED[name])
    page.execute_script("document.querySelector('[data-testid=stMain]').scrollTo(0, 400)")
    element(page, ".st-key-by-picture button").click()
    element(page, ".st-key-by-picture input[type=file], [data-testid=stFileUploader]")
    page.find_element(By.CSS_SELECTOR, "input[type=file]").send_keys(str(tmp_path / name))
    told = wait_for(page, lambda: page.execute_script(IN_SIGHT))
    assert name in told.lower() and told.endswith(".")


def test_text_in_pictures_is_measured_or_not_offered(page, port):
    page.get(f"{launch.url(port)}/?q=a+cat")
    wait_for(page, lambda: cards(page) and is_still(page))
    whole = settled(page, lambda: cards(page))
    assert bool(page.find_elements(By.CSS_SELECTOR, ".st-key-text-chip")) == ocr_is_installed()
    page.get(f"{launch.url(port)}/?q=a+cat&text=0.3")
    wait_for(page, lambda: "has not been measured here" in text_of(page))
    assert settled(page, lambda: cards(page)) == whole, "nothing is left out that nobody measured"
