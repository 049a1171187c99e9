"""What the explorer serves by HTTP: the pictures of the gallery, and no other file, ever."""

import asyncio
import io
from urllib.parse import quote

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sigscope.datasets.load import load_gallery
from sigscope.gallery.links import FOLLOW

SECRET = b"root:x:0:0:root:/root:/bin/bash\n"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    Image.new("RGB", (400, 300), "red").save(root / "large.png")
    Image.new("RGB", (8, 8), "green").save(root / "small.png")
    (tmp_path / "passwd").write_bytes(SECRET)
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "private.png")
    (root / "text.png").write_bytes(SECRET)
    (root / ".env").write_bytes(SECRET)
    names = ["large.png", "small.png", "text.png", ".env", "swapped.png"]
    Image.new("RGB", (8, 8), "white").save(root / "swapped.png")
    rows = "".join(f'{{"file_name": "{name}", "text": "x"}}\n' for name in names)
    (root / "metadata.jsonl").write_text(rows)
    return root


@pytest.fixture
def ask(root, monkeypatch):
    """A function from an item's id to the answer about it."""
    import resources
    import thumbnails

    gallery = load_gallery(root)
    monkeypatch.setattr(resources, "sources", lambda: {"main": str(root)})
    monkeypatch.setattr(resources, "_gallery", lambda key: gallery)
    thumbnails.thumbnail.cache_clear()
    client = TestClient(Starlette(routes=[thumbnails.ROUTE]))
    stamp = gallery.fingerprint[:8]
    return lambda id, how="": client.get(f"/pictures/main/{stamp}/{quote(id, safe='')}{how}")


HOW = pytest.mark.parametrize("how", ["", "?large", "?original"])


@HOW
@pytest.mark.parametrize("id", ["large.png", "small.png"])
def test_pictures_are_served(ask, id, how):
    answer = ask(id, how)
    assert answer.status_code == 200 and answer.headers["x-content-type-options"] == "nosniff"
    Image.open(io.BytesIO(answer.content)).load()


@HOW
@pytest.mark.parametrize("id", ["text.png", ".env", "../passwd", "/etc/passwd", "metadata.jsonl"])
def test_no_other_file_is(ask, id, how):
    answer = ask(id, how)
    assert SECRET not in answer.content and b"root:" not in answer.content
    assert answer.status_code == 404 or b"<svg" in answer.content


@HOW
@pytest.mark.parametrize("target", ["passwd", "private.png"])
def test_nor_what_a_link_leads_to_that_took_a_pictures_place(ask, root, how, target):
    before = ask("small.png").content
    (root / "swapped.png").unlink()
    (root / "swapped.png").symlink_to(root.parent / target)
    answer = ask("swapped.png", how)
    assert SECRET not in answer.content and answer.content != before
    assert answer.status_code == 404 or b"<svg" in answer.content


def test_a_setting_allows_links_to_pictures_and_still_no_other_file(ask, root, monkeypatch):
    monkeypatch.setenv(FOLLOW, "1")
    (root / "small.png").unlink()
    (root / "small.png").symlink_to(root.parent / "passwd")
    assert SECRET not in ask("small.png").content


@pytest.mark.parametrize(
    "name", ["a%20b.png", "100%.png", "a+b c.png", "ü?#&.png", "%2e%2e%2f.png"]
)
def test_picture_is_served_whatever_its_file_is_called(name, tmp_path, monkeypatch):
    import resources
    import thumbnails

    Image.new("RGB", (8, 8), "green").save(tmp_path / name)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a b.png")
    gallery = load_gallery(tmp_path)
    monkeypatch.setattr(resources, "sources", lambda: {"main": str(tmp_path)})
    monkeypatch.setattr(resources, "_gallery", lambda key: gallery)
    monkeypatch.setattr(resources, "current", lambda: "main")
    monkeypatch.setattr(resources, "gallery", lambda key=None: gallery)
    thumbnails.thumbnail.cache_clear()
    answer = asyncio.run(_asked(thumbnails.ROUTE, thumbnails.address(name)))
    assert Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((4, 4)) == (0, 128, 0)


async def _asked(route, address):
    """The answer where an address is decoded once, as a server does; TestClient does it twice."""
    transport = httpx.ASGITransport(app=Starlette(routes=[route]))
    async with httpx.AsyncClient(transport=transport, base_url="http://explorer") as client:
        return await client.get(address)


@pytest.mark.parametrize("accepted", ["gzip, br", "identity"])
def test_what_draws_the_map_is_sent_packed_to_who_takes_it(accepted):
    import drawing

    client = TestClient(Starlette(routes=[drawing.ROUTE]))
    answer = client.get(drawing.address(), headers={"Accept-Encoding": accepted})
    assert answer.content == drawing.SCRIPT.read_bytes()
    assert answer.headers.get("Content-Encoding", "identity") in accepted
    assert (
        answer.headers["Vary"] == "Accept-Encoding" and "max-age" in answer.headers["Cache-Control"]
    )
