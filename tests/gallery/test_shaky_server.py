from io import BytesIO
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from sigscope.downloads.limits import Limits
from sigscope.downloads.lists import UrlList
from sigscope.downloads.records import rows
from sigscope.downloads.run import download
from sigscope.gallery.shaky_server import BUSY, NETWORK, NOTICES, PICTURES, PRIVATE, ShakyServer

LIMITS = Limits(read_s=0.5, tries=2, backoff_s=0.01, allowed=(NETWORK,))


def picture(number):
    file = BytesIO()
    Image.new("RGB", (16, 16), (30 * number, 0, 0)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def server():
    with ShakyServer([picture(number) for number in range(PICTURES)]) as server:
        yield server


def path_of(url):
    return urlsplit(url).path


def test_there_are_twelve_addresses_one_of_them_private(server):
    assert len(set(server.urls)) == 12 and server.urls[-1] == PRIVATE


def test_each_address_answers_as_it_should(server):
    answers = {path_of(url): httpx.get(url) for url in server.urls[: PICTURES + NOTICES + 1]}
    codes = {path: answer.status_code for path, answer in answers.items()}
    assert codes.pop(f"/photo-{BUSY}.jpg") == 503 and codes.pop("/gone.jpg") == 404
    assert set(codes.values()) == {200}
    assert answers["/photo-1.jpg"].content == picture(1)
    assert answers["/taken-down-0.jpg"].content == answers["/taken-down-1.jpg"].content
    assert httpx.get(server.urls[BUSY]).content == picture(BUSY)


def test_the_sleeper_never_answers_and_does_not_keep_the_server_from_ending():
    with ShakyServer([picture(0)] * PICTURES) as server:
        asleep = next(url for url in server.urls if path_of(url) == "/asleep.jpg")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(asleep, timeout=0.2)
    assert server.asked["/asleep.jpg"] == 1


def test_a_download_of_it_gets_the_six_pictures_and_a_reason_for_each_other(server, tmp_path):
    listed = [(url, "") for url in server.urls]
    download(UrlList("shaky", lambda: iter(listed), 12), tmp_path, limits=LIMITS)
    reasons = [reason or "" for reason in rows(tmp_path)["reason"].fillna("")]
    expected = [""] * PICTURES + ["placeholder"] * NOTICES
    assert reasons == [*expected, "gone", "time-out", "private address"]


def test_another_number_of_pictures_is_refused():
    with pytest.raises(ValueError, match="give 6"):
        ShakyServer([])
