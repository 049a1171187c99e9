"""Folders of a visitor's own in a browser: odd names and captions, copies, and one that lives."""

import csv
import os
import re
import signal
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from browsing import (
    MAP_S,
    NO_BROWSER,
    PATIENCE_S,
    ask,
    cards,
    element,
    go_to,
    is_on,
    is_still,
    press,
    text_of,
    wait_for,
)
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from visiting import embed_as, embed_some

from sigscope import Encoder, load_gallery, paths
from sigscope.cli import launch

pytestmark = NO_BROWSER
N_TRIP = 80
N_LONELY = 60
N_HOLIDAY, SHARD = 256, 128  # pictures, and of them in each piece that a killed run leaves whole
ODD = {  # captions, by the names of their files
    "a%20b.png": "<script>window.hurt = 1</script>",
    "100%.png": "<img src=x onerror='window.hurt = 1'>",
    "<b>ü#&.png": "**bold** :smile: $x$ [link](javascript:alert(1))",
    "plain.png": "",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A folder of odd names and captions, and of one picture twice."""
    folder = tmp_path_factory.mktemp("odd")
    shipped = sorted((paths.GALLERY / "images" / "animals").glob("*.webp"))
    for name, file in zip([*ODD, "twice.png", "sum.png"], shipped, strict=False):
        Image.open(file).convert("RGB").save(folder / name)
    Image.open(folder / "twice.png").resize((200, 200)).save(folder / "again.png")
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as table:
        rows = ODD | {"twice.png": "", "again.png": "", "sum.png": "=SUM(1+1)"}
        csv.writer(table).writerows([("file_name", "text"), *rows.items()])
    return folder


@pytest.fixture(scope="module")
def port(odd, tmp_path_factory):
    """An explorer of that folder, with a cache of its own."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CACHE", cache)
        patch.setenv("SIGSCOPE_CACHE", str(cache))
        patch.setenv("SIGSCOPE_GALLERY", str(odd))
        port = launch.free_port()
        with launch.explorer(port) as process:
            launch.wait(process, port, PATIENCE_S)
            yield port


def test_odd_names_and_captions_are_shown_as_they_are_and_nothing_runs(page):
    drawn = (
        "return [...document.querySelectorAll('.card img')]"
        ".every(i => i.complete && i.naturalWidth > 0)"
    )
    wait_for(page, lambda: cards(page) and page.execute_script(drawn))
    alts = page.execute_script("return [...document.querySelectorAll('.card img')].map(i => i.alt)")
    assert {caption or name for name, caption in ODD.items()} <= set(alts)
    for caption in filter(None, ODD.values()):
        page.execute_script(
            "[...document.querySelectorAll('.card .open')].find(a => a.title === arguments[0])"
            ".click()", caption,
        )  # fmt: skip
        box = element(page, "dialog.panel[open]")
        wait_for(page, lambda box=box: "pixels" in box.text)
        assert caption in box.text
        box.send_keys(Keys.ESCAPE)
        wait_for(page, lambda: not page.find_elements(By.CSS_SELECTOR, "dialog.panel[open]"))
    assert page.execute_script("return window.hurt") is None


def test_words_without_an_end_get_a_sentence(page, port):
    page.get(f"{launch.url(port)}/?q={'a' * 5000}")
    wait_for(page, lambda: "has more than 1,000 letters" in text_of(page))


def test_copy_hides_behind_the_best_and_is_one_click_away(page, port):
    go_to(page, "Duplicates")
    wait_for(page, lambda: "2 alike" in text_of(page))
    page.get(f"{launch.url(port)}/?q=an+animal")
    wait_for(page, lambda: len(cards(page)) == len(ODD) + 2)
    element(page, ".card p a").click()
    is_on(page, "Duplicates")
    assert "group=" in page.current_url
    wait_for(page, lambda: sorted(cards(page)) == ["again.png", "twice.png"])


def test_too_few_pictures_to_tell_is_said_and_nothing_is_denied(page):
    ask(page, "a lighthouse in the snow")
    element(page, ".told[title*='too few to tell']")
    assert "weak match" in element(page, ".told").text and "no good match" not in text_of(page)


def test_one_picture_far_above_the_others_is_no_denial(page, lonely):
    add(page, lonely)
    element(page, "[class*='st-key-look-lonely'] button").click()
    wait_for(page, lambda: "gallery=lonely" in page.current_url and is_still(page))
    go_to(page, "Search")
    ask(page, "an octopus")
    element(page, ".told[title*='stands far above all others']")
    assert "weak match" in element(page, ".told").text and "no good match" not in text_of(page)
    assert cards(page)[0] == f"{N_LONELY - 1}.png"


def test_zip_says_which_file_is_gone_and_holds_no_formula(page, port, odd, tmp_path):
    taken_in = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", taken_in)
    ask(page, "sum plain")
    wait_for(page, lambda: "q=sum" in page.current_url and is_still(page))
    element(page, ".st-key-export button").click()
    zipped = element(page, ".st-key-zip button")
    content = (odd / "plain.png").read_bytes()
    (odd / "plain.png").unlink()
    zipped.click()
    wait_for(page, lambda: (tmp_path / "results.zip").exists())
    (odd / "plain.png").write_bytes(content)
    with ZipFile(tmp_path / "results.zip") as held, held.open("results.csv") as table:
        rows = {row["id"]: row for row in csv.DictReader(TextIOWrapper(table, "utf-8-sig"))}
    assert rows["plain.png"]["file"] == "" and "no file" in rows["plain.png"]["reason"]
    assert rows["sum.png"]["caption"] == "'=SUM(1+1)" and rows["sum.png"]["file"]


def noise(folder, many: int):
    """Fill a new folder with so many pictures of noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(many):
        pixels = rng.integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")


@pytest.fixture
def trip(tmp_path, port):
    """A folder of which half is embedded."""
    folder = tmp_path / "trip"
    noise(folder, N_TRIP)
    embed_some(load_gallery(folder), Encoder.load(), batches=2, size=N_TRIP // 4)
    return folder


@pytest.fixture
def lonely(tmp_path, port):
    """A folder in which "an octopus" finds one picture far above all others, and nothing for sure.

    The others lie in two bands of cosines, and the first above the upper one.
    """
    folder = tmp_path / "lonely"
    noise(folder, N_LONELY)
    encoder = Encoder.load()
    asked = encoder.encode_texts(["an octopus"])[0]
    bands = np.linspace(0.04, 0.06, N_LONELY // 2)
    cosines = np.concatenate([-bands, bands])[:, None]
    cosines[-1] = 0.125
    beside = np.random.default_rng(0).standard_normal((N_LONELY, len(asked)))
    beside -= beside @ asked[:, None] * asked
    beside /= np.linalg.norm(beside, axis=1, keepdims=True)
    vectors = (cosines * asked + np.sqrt(1 - cosines**2) * beside).astype(np.float32)
    embed_as(load_gallery(folder), encoder, vectors)
    return folder


def embedder_of(folder) -> int | None:
    """Return the process that embeds a folder."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.fsencode(folder) in line.read_bytes().split(b"\0"):
                return int(line.parent.name)
    return None


def add(page, source):
    go_to(page, "Data")
    element(page, ".st-key-source input").send_keys(str(source), Keys.ENTER)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="nothing here lists processes")
def test_folder_is_searched_while_it_is_embedded_and_as_it_changes(page, port, trip):
    ask(page, "03")
    add(page, trip)
    embedder = wait_for(page, lambda: embedder_of(trip))
    os.kill(embedder, signal.SIGSTOP)  # it is half done for as long as we look
    element(page, "[class*='st-key-look-trip'] button").click()
    wait_for(page, lambda: "gallery=trip" in page.current_url and is_still(page))
    go_to(page, "Search")
    told = "Searchable while it is embedded"
    wait_for(page, lambda: cards(page)[:1] == ["03.png"] and told in text_of(page))
    ours = page.current_window_handle
    page.switch_to.new_window("tab")
    page.get(launch.url(port) + "/data")
    wait_for(page, lambda: f"{trip}: looking at what is there" in text_of(page))
    element(page, "[class*='st-key-cancel-trip'] button")
    page.close()
    page.switch_to.window(ours)
    os.kill(embedder, signal.SIGCONT)
    wait_for(page, lambda: cards(page) and told not in text_of(page), MAP_S)
    ask(page, "zebra")
    wait_for(page, lambda: "q=zebra" in page.current_url)
    (trip / "07.png").rename(trip / "zebra.png")
    wait_for(page, lambda: cards(page)[:1] == ["zebra.png"])
    (trip / "zebra.png").unlink()
    wait_for(page, lambda: cards(page) and "zebra.png" not in cards(page))
    go_to(page, "Data")
    wait_for(page, lambda: f"Searchable\n{N_TRIP - 1}" in text_of(page))
    element(page, "[class*='st-key-forget-trip'] button").click()
    wait_for(page, lambda: str(trip) not in text_of(page) and "gallery=" not in page.current_url)
    assert not page.find_elements(By.CSS_SELECTOR, ".stAlert [class*=rror]")
    assert len(list(trip.iterdir())) == N_TRIP - 1


def done_of(page) -> int:
    """Return how many pictures of the holiday the page says are embedded, 0 where it says none."""
    found = re.search(rf"(\d+) of {N_HOLIDAY} pictures", text_of(page))
    return int(found[1]) if found else 0


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="nothing here lists processes")
def test_folder_whose_embedding_was_killed_goes_on_where_it_was(page, tmp_path):
    holiday = tmp_path / "holiday"
    noise(holiday, N_HOLIDAY)
    add(page, holiday)
    wait_for(page, lambda: SHARD < done_of(page) < N_HOLIDAY)
    os.kill(embedder_of(holiday), signal.SIGKILL)
    wait_for(page, lambda: "it stopped without a word" in text_of(page).lower())
    add(page, holiday)
    first = wait_for(page, lambda: done_of(page))
    assert SHARD <= first < N_HOLIDAY, "what a killed run has done is not done again"
    element(page, "[class*='st-key-look-holiday'] button").click()
    wait_for(page, lambda: f"Searchable\n{N_HOLIDAY}" in text_of(page), MAP_S)


def test_folder_of_the_system_is_asked_about_first(page):
    add(page, "/proc")
    wait_for(page, lambda: "pictures lie in it" in text_of(page))
    press(page, "Leave it")
    wait_for(page, lambda: "pictures lie in it" not in text_of(page))
