"""Responses: what a server's answer means, and its body under a cap on the bytes.

Before the body is read it is clear whether to go on, elsewhere, later, or never; the cap holds for
the bytes as sent and as unpacked.
"""

import re
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf

import httpcore
import httpx

from sigscope.downloads.limits import FetchError

REDIRECTS = {301, 302, 303, 307, 308}
GONE = {404, 410, 451}
PASSING = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}

# Where photos that were taken down are redirected to; the answer there is a picture, with 200.
PLACEHOLDERS = re.compile(
    r"//s\.yimg\.com/pw/images/[^/]+/photo_unavailable"
    r"|//[^/]*(flickr\.com|yimg\.com)/.*photo_(unavailable|not_available)"
)
OPT_OUT = {"noai", "noimageai", "noindex", "noimageindex"}


def check_url(url: httpx.URL) -> None:
    """Refuse what is not http or https, names no server, or is a known placeholder."""
    if url.scheme not in ("http", "https") or not url.host:
        scheme = f"{url.scheme}: is not asked" if url.scheme else "it has none"
        raise FetchError("bad URL", f"Only http: and https: URLs with a server are ({scheme}).")
    if url.port is not None and not 0 < url.port < 65536:
        raise FetchError("bad URL", f"There is no port {url.port}.")
    if PLACEHOLDERS.search(str(url).lower()):
        raise FetchError(
            "placeholder", f"The photo was taken down; its server sends {url} instead."
        )


def redirect(response: httpx.Response) -> httpx.URL | None:
    """Return where the server sends us, or None when it does not."""
    if response.status_code not in REDIRECTS or "location" not in response.headers:
        return None
    try:
        return response.request.url.join(response.headers["location"].strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad URL", f"It redirects to what is no URL ({error}).") from error


def check_status(response: httpx.Response) -> None:
    """Refuse every answer but 200, saying what it means and whether it may pass."""
    code = response.status_code
    if code == 200:
        return
    wait_s = _retry_after(response.headers.get("retry-after", ""))
    passing = code in PASSING
    if code in GONE:
        raise FetchError("gone", f"Its server says that it is no longer there ({code}).")
    if code == 429:
        sentence = "Its server says that we ask too often (429)."
        raise FetchError("too busy", sentence, passing=True, wait_s=wait_s)
    if code >= 500:
        sentence = f"Its server met an error of its own ({code})."
        raise FetchError("server error", sentence, passing=passing, wait_s=wait_s)
    if code >= 400:
        raise FetchError("refused", f"Its server refuses it ({code}).", passing=passing)
    raise FetchError("unexpected", f"Its server answers {code}, which brings no picture.")


def check_opt_out(response: httpx.Response) -> None:
    """Refuse a picture whose server says that machines are not to use it.

    An entry for one robot, as in "otherbot: noai", counts only when it is for us.
    """
    for value in response.headers.get_list("x-robots-tag"):
        robot, colon, rest = value.partition(":")
        if colon and robot.strip().lower() != "sigscope":
            continue
        words = {word.strip().lower() for word in (rest if colon else value).split(",")}
        if found := sorted(words & OPT_OUT):
            raise FetchError("opted out", f"Its server asks machines to leave it ({found[0]}).")


def _retry_after(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), or None."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


DRAINED = 1 << 16  # bytes of an unwanted body that cost less than a new connection


async def read_body(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the whole body, unpacked.

    Raises:
        FetchError: It has more than max_bytes, ends before it is whole, or is packed in a way we do
            not unpack.
    """
    if max_bytes < _declared(response) < inf:
        raise _too_large(max_bytes)
    unpacker = _unpacker(response.headers.get("content-encoding", ""))
    body, sent = bytearray(), 0
    try:
        async for chunk in response.aiter_raw():
            sent += len(chunk)
            body += unpacker.unpack(chunk, max_bytes + 1 - len(body))
            if max(sent, len(body)) > max_bytes:
                raise _too_large(max_bytes)
    except (httpcore.RemoteProtocolError, httpcore.ReadError) as error:
        raise FetchError("cut short", _short(len(body)), passing=True) from error
    if not unpacker.is_whole:
        raise FetchError("cut short", _short(len(body)), passing=True)
    return bytes(body)


async def drain(response: httpx.Response) -> None:
    """Read a body that nobody wants if it is small, so that its connection can be used again."""
    if _declared(response) <= DRAINED:
        with suppress(httpcore.RemoteProtocolError, httpcore.ReadError):
            async for _ in response.aiter_raw():
                pass


def _declared(response: httpx.Response) -> float:
    """Return how many bytes an answer says that it has, infinity when it does not say."""
    length = response.headers.get("content-length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else inf


class _Unpacker:
    """A body as it comes, or gzip or deflate; no call unpacks more than asked, so no bomb."""

    def __init__(self, is_packed: bool):
        self._is_packed, self._inflate = is_packed, None
        self.is_whole = not is_packed

    def unpack(self, chunk: bytes, most: int) -> bytes:
        if not self._is_packed:
            return chunk
        try:
            if self._inflate is None:
                self._inflate = zlib.decompressobj(_window(chunk))
            unpacked = self._inflate.decompress(chunk, max(most, 1))
        except zlib.error as error:
            raise FetchError("cut short", f"Its packing is damaged ({error}).") from error
        self.is_whole = self._inflate.eof
        return unpacked


def _window(head: bytes) -> int:
    """Return zlib's name for gzip, zlib (both found out by itself) or bare deflate."""
    is_zlib = len(head) > 1 and head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0
    return 47 if is_zlib or head[:1] == b"\x1f" else -15


def _unpacker(encoding: str) -> _Unpacker:
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if names in ([], ["gzip"], ["x-gzip"], ["deflate"]):
        return _Unpacker(bool(names))
    raise FetchError(
        "unexpected", f"The server packed its answer as {', '.join(names)[:60]}, unasked for."
    )


def _too_large(max_bytes: int) -> FetchError:
    return FetchError("too large", f"It has more than {max_bytes / 1e6:g} MB.")


def _short(had: int) -> str:
    return f"The connection ended after {had:,} bytes, before the picture was whole."
