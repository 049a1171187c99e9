"""Bodies of answers, read with a cap on the bytes as sent and on the bytes as unpacked."""

import zlib
from contextlib import suppress
from math import inf

import httpcore
import httpx

from sigscope.downloads.reasons import FetchError

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


class _Plain:
    """A body that is not packed."""

    is_whole = True

    def unpack(self, chunk: bytes, most: int) -> bytes:
        return chunk


class _Packed:
    """A gzip or deflate body; no call unpacks more than asked, so a bomb never goes off."""

    def __init__(self):
        self._inflate = None
        self.is_whole = False

    def unpack(self, chunk: bytes, most: int) -> bytes:
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


def _unpacker(encoding: str) -> _Plain | _Packed:
    names = [name.strip().lower() for name in encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return _Plain()
    if names in (["gzip"], ["x-gzip"], ["deflate"]):
        return _Packed()
    raise FetchError(
        "unexpected", f"The server packed its answer as {', '.join(names)[:60]}, unasked for."
    )


def _too_large(max_bytes: int) -> FetchError:
    return FetchError("too large", f"It has more than {max_bytes / 1e6:g} MB.")


def _short(had: int) -> str:
    return f"The connection ended after {had:,} bytes, before the picture was whole."
