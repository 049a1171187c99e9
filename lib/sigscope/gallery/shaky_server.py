"""A shaky server: pictures on this machine's own address, served as the internet serves old ones.

Of its twelve addresses six are good, one of these at the second try; see `ShakyServer.urls`.
"""

from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Event, Thread

from PIL import Image

ADDRESS = "127.0.0.1"
NETWORK = f"{ADDRESS}/32"  # for Limits.allowed
PICTURES = 6
BUSY = PICTURES - 1  # the number of the picture that comes at the second try only
NOTICES = 3  # photographs that were taken down; a notice comes instead, with 200
PRIVATE = "http://10.0.0.1/camera.jpg"  # somebody's own network: nothing here answers for it


class ShakyServer:
    """Serves from a thread of its own for as long as its with block lasts.

    Attributes:
        asked: how often each path was asked for.
        urls: twelve addresses: PICTURES good ones (the last answers 503 at first), one that is gone
            (404), NOTICES with the same PNG, one that never answers, and PRIVATE.
    """

    def __init__(self, pictures: Sequence[bytes]) -> None:
        """Take what to serve.

        Args:
            pictures: PICTURES files of pictures, as bytes.
        """
        if len(pictures) != PICTURES:
            raise ValueError(f"there are {len(pictures)} pictures; give {PICTURES}")
        notice = BytesIO()
        Image.new("RGB", (75, 75), "gainsboro").save(notice, "PNG")
        self.bodies = {f"/photo-{n}.jpg": data for n, data in enumerate(pictures)}
        self.bodies |= {f"/taken-down-{n}.jpg": notice.getvalue() for n in range(NOTICES)}
        self.asked: Counter[str] = Counter()
        self._over = Event()

    def __enter__(self) -> "ShakyServer":
        """Begin to serve on a free port."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked[self.path] += 1
                outer._answer(self)

            def log_message(self, *_) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((ADDRESS, 0), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        here = f"http://{ADDRESS}:{self._server.server_port}"
        paths = [*self.bodies, "/gone.jpg", "/asleep.jpg"]
        self.urls = [*(f"{here}{path}" for path in paths), PRIVATE]
        return self

    def __exit__(self, *raised) -> None:
        """End, and let those go who still wait for an answer."""
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, to: BaseHTTPRequestHandler) -> None:
        if to.path == "/asleep.jpg":
            self._over.wait()
            return
        is_busy = to.path == f"/photo-{BUSY}.jpg" and self.asked[to.path] == 1
        body = b"" if is_busy else self.bodies.get(to.path, b"")
        to.send_response(503 if is_busy else 200 if body else 404)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)
