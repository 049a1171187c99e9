"""An httpx client that connects only to checked addresses; URL, Host and TLS name stay as they are.

A connection is made to the address that was checked, never to a name that would be looked up anew
(DNS rebinding). Proxies of the environment are not used, as they would do the connecting.
"""

from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from sigscope.downloads.addresses import Resolver
from sigscope.downloads.limits import Limits

ADDRESSES = 3  # how many addresses of one name are tried
KEEP_ALIVE_S = 10.0
POOL = 4  # connections; one is in use at a time, the others wait for more of their server
ACCEPT = "image/jpeg, image/png, image/webp, image/gif, image/*;q=0.8, */*;q=0.1"


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """TCP connections to what a Resolver lets through."""

    def __init__(self, resolver: Resolver):
        """Keep the resolver; the connecting itself is httpcore's."""
        self._resolver = resolver
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, **options
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of host that answers; FetchError when one is not public."""
        trouble: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in (await self._resolver.addresses(host))[:ADDRESSES]:
            try:
                return await self._tcp.connect_tcp(address, port, timeout=timeout, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble

    async def sleep(self, seconds: float) -> None:
        """Sleep, as httpcore asks its backend to."""
        await self._tcp.sleep(seconds)


class CheckedTransport(httpx.AsyncBaseTransport):
    """Connections over a CheckedBackend, in many small pools; errors are httpcore's.

    A pool looks at each of its connections for each request, so that one large pool would spend
    most of the time on that; here a request takes any pool that has none under way.
    """

    def __init__(self, resolver: Resolver):
        """Keep the resolver; pools are made when they are needed."""
        self._backend = CheckedBackend(resolver)
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._pools: list[httpcore.AsyncConnectionPool] = []
        self._free: list[httpcore.AsyncConnectionPool] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the answer is still to be read, and to be closed."""
        pool = self._free.pop() if self._free else self._new_pool()
        try:
            answer = await pool.handle_async_request(_plain(request))
        except BaseException:
            self._free.append(pool)
            raise
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, lambda: self._free.append(pool)),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()

    def _new_pool(self) -> httpcore.AsyncConnectionPool:
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=POOL,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=self._backend,
        )
        self._pools.append(pool)
        return pool


class _Body(httpx.AsyncByteStream):
    """The body of an answer, as it comes in; closed tells that it was closed."""

    def __init__(self, answer: httpcore.Response, closed: Callable[[], None]):
        self._answer, self._closed = answer, closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        closed, self._closed = self._closed, lambda: None  # it may be closed twice
        try:
            await self._answer.aclose()
        finally:
            closed()


def _plain(request: httpx.Request) -> httpcore.Request:
    """Return a request as httpcore has it."""
    url = httpcore.URL(
        scheme=request.url.raw_scheme,
        host=request.url.raw_host,
        port=request.url.port,
        target=request.url.raw_path,
    )
    return httpcore.Request(
        request.method, url, headers=request.headers.raw, extensions=request.extensions
    )


def client(limits: Limits, resolver: Resolver) -> httpx.AsyncClient:
    """Return a client that follows no redirects by itself and keeps no cookies."""
    seconds = httpx.Timeout(limits.read_s, connect=limits.connect_s, pool=None)
    return httpx.AsyncClient(
        transport=CheckedTransport(resolver),
        timeout=seconds,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={
            "User-Agent": limits.user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "identity",  # what comes packed all the same is unpacked with care
        },
    )
