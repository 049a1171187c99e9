import asyncio
import shutil
import socket
import ssl
import subprocess
import time

import httpx
import pytest
from hostile_server import BOMB_BYTES, JPEG, PNG, HostileServer

from sigscope.downloads.fetch import Fetcher, fetch_picture
from sigscope.downloads.limits import REASONS, FetchError, Limits
from sigscope.downloads.network import Resolver, _is_public
from sigscope.images.read import PictureError, open_picture

HERE = ("127.0.0.1/32",)
QUICK = Limits(
    connect_s=1, read_s=0.4, total_s=1.2, max_bytes=1 << 20, backoff_s=0.02, allowed=HERE, tries=3
)


@pytest.fixture(scope="module")
def server():
    with HostileServer() as server:
        yield server


def refusal(url, limits=QUICK):
    with pytest.raises(FetchError) as caught:
        fetch_picture(url, limits)
    assert str(caught.value)[0].isupper() and str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("good.jpg", JPEG),
        ("good.png", PNG),
        ("gzip.jpg", JPEG),
        ("deflate.jpg", JPEG),
        ("to-good", JPEG),
        ("chain/5", JPEG),
        ("500-then-good/1", JPEG),
        ("busy-then-good/1", JPEG),
        ("cut-then-good/1", JPEG),
        ("otherbot.jpg", JPEG),
    ],
)
def test_a_picture_comes_as_it_is_however_it_is_sent(server, path, body):
    assert fetch_picture(server.url(path), QUICK) == body


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("404", "gone"),
        ("410", "gone"),
        ("403", "refused"),
        ("204", "unexpected"),
        ("500", "server error"),
        ("hang", "time-out"),
        ("drip", "time-out"),
        ("drip-headers", "time-out"),
        ("endless", "too large"),
        ("declared.jpg", "too large"),
        ("bomb", "too large"),
        ("pixels.png", "too large"),
        ("many-pixels.png", "too large"),
        ("html.jpg", "not a picture"),
        ("empty.jpg", "not a picture"),
        ("half.jpg", "not a picture"),
        ("cut.jpg", "cut short"),
        ("half-gzip.jpg", "cut short"),
        ("br.jpg", "unexpected"),
        ("garbage", "no connection"),
        ("hang-up", "no connection"),
        ("many-headers", "no connection"),
        ("loop", "redirects"),
        ("chain/6", "redirects"),
        ("file", "bad URL"),
        ("nowhere", "bad URL"),
        ("private", "private address"),
        ("metadata", "private address"),
        ("odd-loopback", "private address"),
        ("flickr", "placeholder"),
        ("noai.jpg", "opted out"),
        ("busy-for-an-hour", "too busy"),
    ],
)
def test_whatever_a_server_does_ends_in_time_with_its_reason(server, path, reason):
    start = time.monotonic()
    assert refusal(server.url(path)).reason == reason
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[fec0::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[ff02::1]",
    ],
)
def test_no_notation_leads_to_an_address_that_is_not_public(server, host):
    server.asked.clear()
    error = refusal(f"http://{host}:{server.port}/good.jpg", Limits(tries=1, total_s=2))
    assert error.reason == "private address"
    assert not server.asked


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808::"])
def test_addresses_of_the_public_internet_are_public(address):
    from ipaddress import ip_address

    assert _is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["", "cat.jpg", "ftp://x/y.jpg", "file:///etc/passwd", "http://", "http:///etc", "//x/y.jpg"]
    + [
        "http://x:99999/",
        "http://x\n/",
        "data:image/png;base64,AA",
        "http://[::1/",
        "javascript:1",
    ],
)
def test_only_urls_of_http_are_asked(url):
    assert refusal(url).reason == "bad URL"


def test_a_name_nobody_knows_is_said_to_be_unknown():
    assert refusal("http://no-such-host.invalid/a.jpg").reason in ("no such host", "time-out")


def test_a_port_where_nobody_listens_cannot_be_reached():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/a.jpg")
    assert error.reason == "no connection" and "tried 3 times" in str(error)


def test_what_is_final_is_asked_once_and_what_may_pass_again(server):
    for path, times in (("404/x", 1), ("410/x", 1), ("500/x", 3), ("busy-for-an-hour/x", 1)):
        refusal(server.url(path))
        assert server.asked[f"/{path}"] == times, path


def test_a_wait_that_a_server_asks_for_is_kept(server):
    start = time.monotonic()
    fetch_picture(server.url("busy-then-good/waits"), QUICK)
    assert time.monotonic() - start >= 0.2


def test_a_bomb_is_not_unpacked_beyond_the_limit(server):
    import tracemalloc

    tracemalloc.start()
    refusal(server.url("bomb"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * QUICK.max_bytes < BOMB_BYTES


def test_a_name_is_looked_up_once_and_connected_to_as_checked(server):
    turns = iter([["127.0.0.1"], ["10.0.0.1"]])  # rebinding: another address the second time
    resolver = Resolver(HERE, lookup=lambda host: next(turns))

    async def fetch_twice():
        async with Fetcher(QUICK, resolver=resolver) as fetcher:
            url = f"http://rebinding.test:{server.port}/good.jpg"
            return [(await fetcher.fetch(url)).body for _ in range(2)]

    assert asyncio.run(fetch_twice()) == [JPEG, JPEG]
    assert f"Host: rebinding.test:{server.port}".lower() in server.headers["/good.jpg"].lower()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_a_certificate_must_be_for_the_name_in_the_url_and_trusted(tmp_path, monkeypatch):
    tls = certificate(tmp_path, "photos.test")
    resolver = Resolver(HERE, lookup=lambda host: ["127.0.0.1"])

    async def fetch(host):
        async with Fetcher(QUICK, resolver=resolver) as fetcher:
            return (await fetcher.fetch(f"https://{host}:{server.port}/good.jpg")).body

    with HostileServer(tls=tls) as server:
        with pytest.raises(FetchError, match="no valid certificate.*self-signed") as caught:
            asyncio.run(fetch("photos.test"))
        assert caught.value.reason == "insecure"
        trusting = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
        monkeypatch.setattr(httpx, "create_ssl_context", lambda **options: trusting)
        assert asyncio.run(fetch("photos.test")) == JPEG  # connected to by address all the same
        with pytest.raises(FetchError, match="[Mm]ismatch"):
            asyncio.run(fetch("127.0.0.1"))


def certificate(folder, name):
    """A server's TLS context with a certificate that it signed itself."""
    key, file = folder / "key.pem", folder / "certificate.pem"
    words = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *words]
    subprocess.run([*command, "-keyout", key, "-out", file], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    resolver = Resolver(lookup=lambda host: ["8.8.8.8", "192.168.0.1"])
    with pytest.raises(FetchError, match=r"192\.168\.0\.1"):
        asyncio.run(resolver.addresses("mixed.test"))


def test_we_say_who_we_are_and_keep_no_cookies(server):
    fetch_picture(server.url("cookie.jpg"), Limits(allowed=HERE, contact="me@example.org"))

    async def twice():
        async with Fetcher(QUICK) as fetcher:
            for _ in range(2):
                await fetcher.fetch(server.url("cookie.jpg/2"))

    asyncio.run(twice())
    assert "sigscope/" in server.headers["/cookie.jpg"]
    assert "me@example.org" in server.headers["/cookie.jpg"]
    assert "who=you" not in server.headers["/cookie.jpg/2"]


def test_a_refusal_costs_no_new_connection(server):
    async def ask():
        async with Fetcher(QUICK) as fetcher:
            for _ in range(5):
                with pytest.raises(FetchError):
                    await fetcher.fetch(server.url("404"))
            await fetcher.fetch(server.url("to-good"))

    before = server.connections
    asyncio.run(ask())
    assert server.connections == before + 1


def test_an_opt_out_can_be_passed_over(server):
    limits = Limits(allowed=HERE, opt_out=False)
    assert fetch_picture(server.url("noai.jpg"), limits) == JPEG


def test_a_server_that_never_answers_is_left_alone_after_a_while(server):
    async def ask():
        limits = Limits(read_s=0.05, total_s=5, tries=1, allowed=HERE)
        async with Fetcher(limits, per_host=30) as fetcher:
            for _ in range(25):
                with pytest.raises(FetchError) as caught:
                    await fetcher.fetch(server.url("hang/lonely"))
            return str(caught.value)

    assert "left alone" in asyncio.run(ask())
    assert server.asked["/hang/lonely"] == 20


def test_what_is_fetched_opens_and_what_is_not_is_a_picture_error(server):
    assert open_picture(fetch_picture(server.url("good.jpg"), QUICK)).size == (64, 48)
    with pytest.raises(PictureError):
        fetch_picture(server.url("404"), QUICK)


def test_it_works_where_an_event_loop_runs_already(server):
    async def notebook():
        return fetch_picture(server.url("good.jpg"), QUICK)

    assert asyncio.run(notebook()) == JPEG


@pytest.mark.parametrize(
    "wrong",
    [{"total_s": 0}, {"max_bytes": -1}, {"allowed": ("all",)}, {"contact": "a\r\nb"}]
    + [{"redirects": -1}, {"max_pixels": 10**9}],
)
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).split("ed")[0] + "|network"):
        Limits(**wrong)


def test_every_reason_has_words():
    assert all(words[0].islower() for words in REASONS.values())
