"""A server that does to its guests what the internet does: python hostile_server.py serves alone.

Each path is one way to answer (ANSWERS); anything after it is only there to make URLs differ. It
counts what it was asked for, and how many asked at the same time.
"""

import asyncio
import gzip
import struct
import threading
import zlib
from collections import Counter
from contextlib import contextmanager
from io import BytesIO

from PIL import Image

BOMB_BYTES = 32 << 20
NAP_S = 0.02  # how long /slow-ish answers take


def bmp(number: int, side: int = 4) -> bytes:
    """A picture that no other number has."""
    pixels = (number * 3 + 1).to_bytes(4, "little") * (side * side)
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 32, 0, 0, 0, 0, 0, 0) + pixels


def encoded(kind: str, size=(64, 48), **options) -> bytes:
    file = BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header promises that many black pixels, and nearly nothing behind it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + end

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))


JPEG = encoded("JPEG")
PNG = encoded("PNG")
BOMB = gzip.compress(bytes(BOMB_BYTES), 1)
NOTICE = encoded("PNG", (75, 75))  # what this server sends for photos that were taken down


def answer(code: int, body: bytes = b"", **headers: str) -> bytes:
    headers = {"Content_Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    head = "\r\n".join([f"HTTP/1.1 {code} So", *lines])
    return head.encode() + b"\r\n\r\n" + body


class HostileServer:
    """Serves on a free port of an address of this machine, from a thread of its own."""

    def __init__(self, address: str = "127.0.0.1", tls=None):
        self.address, self.tls = address, tls
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.at_once = self.most_at_once = self.connections = 0

    def url(self, path: str) -> str:
        return f"http{'s' if self.tls else ''}://{self.address}:{self.port}/{path.lstrip('/')}"

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)))
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *raised):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, started):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._guest, self.address, 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _guest(self, reader, writer):
        self.connections += 1
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                path = request.split(b" ", 2)[1].decode()
                self.asked[path] += 1
                self.headers[path] = request.decode("latin-1")
                with self._counted():
                    how, _, rest = path.strip("/").partition("/")
                    if not await ANSWERS[how](self, writer, rest, self.asked[path]):
                        return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    @contextmanager
    def _counted(self):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1


ANSWERS = {}


def answers(how: str):
    """Register a way to answer; it returns whether the connection may be used again."""

    def register(function):
        ANSWERS[how] = function
        return function

    return register


def always(how: str, data: bytes):
    @answers(how)
    async def send(server, writer, rest, times):
        writer.write(data)
        await writer.drain()
        return True


always("good.jpg", answer(200, JPEG))
always("good.png", answer(200, PNG, Content_Type="text/html"))  # what it says is not what it is
always("404", answer(404, b"<html>gone</html>"))
always("410", answer(410))
always("403", answer(403))
always("204", answer(204))
always("500", answer(500))
always("html.jpg", answer(200, b"<!doctype html><title>Hello</title>", Content_Type="image/jpeg"))
always("empty.jpg", answer(200))
always("half.jpg", answer(200, JPEG[: len(JPEG) // 2]))  # whole in HTTP, but half a picture
always("notice.jpg", answer(200, NOTICE))
always("noai.jpg", answer(200, JPEG, X_Robots_Tag="noai"))
always("otherbot.jpg", answer(200, JPEG, X_Robots_Tag="otherbot: noai"))
always("cookie.jpg", answer(200, JPEG, Set_Cookie="who=you; Path=/"))
always("gzip.jpg", answer(200, gzip.compress(JPEG), Content_Encoding="gzip"))
always("deflate.jpg", answer(200, zlib.compress(JPEG)[2:-4], Content_Encoding="deflate"))
always("half-gzip.jpg", answer(200, gzip.compress(JPEG)[:-30], Content_Encoding="gzip"))
always("br.jpg", answer(200, b"\x0b\x02\x80abc\x03", Content_Encoding="br"))
always("pixels.png", answer(200, png_header(20_000, 20_000)))
always("many-pixels.png", answer(200, png_header(8000, 8000)))
always("loop", answer(302, Location="/loop"))
always("file", answer(302, Location="file:///etc/passwd"))
always("private", answer(302, Location="http://10.0.0.1/secret.jpg"))
always("metadata", answer(301, Location="http://169.254.169.254/latest/meta-data/"))
always("odd-loopback", answer(302, Location="http://0x7f000002/"))
always("nowhere", answer(302, Location="http://[::1"))
always("flickr", answer(302, Location="https://s.yimg.com/pw/images/en-us/photo_unavailable_m.png"))
always("to-good", answer(303, Location="good.jpg"))
always("busy-for-an-hour", answer(429, Retry_After="3600"))
always("declared.jpg", answer(200, Content_Length=str(10**12)))


@answers("picture")
async def picture(server, writer, rest, times):
    writer.write(answer(200, bmp(int(rest.partition(".")[0]))))
    await writer.drain()
    return True


@answers("napping")
async def napping(server, writer, rest, times):
    await asyncio.sleep(NAP_S)
    return await picture(server, writer, rest, times)


@answers("500-then-good")
async def sick_at_first(server, writer, rest, times):
    writer.write(answer(500) if times == 1 else answer(200, JPEG))
    return True


@answers("busy-then-good")
async def busy_at_first(server, writer, rest, times):
    writer.write(answer(429, Retry_After="0.2") if times == 1 else answer(200, JPEG))
    return True


@answers("cut-then-good")
async def cut_at_first(server, writer, rest, times):
    writer.write(answer(200, JPEG[:100], Content_Length=str(len(JPEG))) if times == 1 else b"")
    if times > 1:
        writer.write(answer(200, JPEG))
    return times > 1


@answers("404-then-good")
async def away_at_first(server, writer, rest, times):
    writer.write(answer(404) if times == 1 else answer(200, bmp(int(rest))))
    return True


@answers("cut.jpg")
async def cut(server, writer, rest, times):
    writer.write(answer(200, JPEG[:100], Content_Length=str(len(JPEG))))
    return False


@answers("chain")
async def chain(server, writer, rest, times):
    writer.write(answer(302, Location=f"/chain/{int(rest) - 1}" if rest != "1" else "/good.jpg"))
    return True


@answers("hang")
async def hang(server, writer, rest, times):
    await asyncio.sleep(60)


@answers("drip")
async def drip(server, writer, rest, times):
    writer.write(answer(200, Content_Length="100000"))
    while True:
        writer.write(b"\xff")
        await writer.drain()
        await asyncio.sleep(0.05)


@answers("drip-headers")
async def drip_headers(server, writer, rest, times):
    writer.write(b"HTTP/1.1 200 So\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


@answers("endless")
async def endless(server, writer, rest, times):
    writer.write(b"HTTP/1.1 200 So\r\n\r\n")
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()


@answers("bomb")
async def bomb(server, writer, rest, times):
    writer.write(answer(200, BOMB, Content_Encoding="gzip"))
    await writer.drain()
    return True


@answers("garbage")
async def garbage(server, writer, rest, times):
    writer.write(b"\x16\x03\x01 SSH-2.0 what?\r\n\r\n")
    return False


@answers("hang-up")
async def hang_up(server, writer, rest, times):
    return False


@answers("many-headers")
async def many_headers(server, writer, rest, times):
    writer.write(b"HTTP/1.1 200 So\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 10_000)
    return False


if __name__ == "__main__":
    with HostileServer() as alone:
        print(alone.port, flush=True)
        input()
