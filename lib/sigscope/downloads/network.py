"""The network: only the public internet is asked, by connections to checked addresses.

A name is checked by what it resolves to, and the connection is made to the address that was
checked, never to a name that would be looked up anew (DNS rebinding); URL, Host and TLS name stay
as they are. Proxies of the environment are not used, as they would do the connecting.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from time import monotonic

import httpcore
import httpx

from sigscope.downloads.limits import FetchError, Limits

Address = IPv4Address | IPv6Address
Lookup = Callable[[str], list[str]]

PUBLIC_V6 = ip_network("2000::/3")  # all that is handed out of IPv6 so far
NAT64 = ip_network("64:ff9b::/96")  # an IPv4 address in its last 32 bits
KEPT_S = 60.0  # how long the addresses of a name are used before it is looked up again
KEPT = 4096
LOOKUPS = 16  # at once; a dead name server can hold each for half a minute


def _is_public(address: Address) -> bool:
    """Return whether an address is of the public internet, and so is any IPv4 address inside it."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return _is_public(inner)
        if address not in PUBLIC_V6:
            return False
    return address.is_global and not address.is_multicast


def _look_up(host: str) -> list[str]:
    """Return the addresses of a host as the system resolves it (127.1 and 0x7f000001 too)."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Resolver:
    """Names to addresses that may be asked; every connection goes to an address it returned."""

    def __init__(self, allowed: tuple[str, ...] = (), lookup: Lookup = _look_up):
        """Keep the networks that are allowed though not public, and how names are looked up."""
        self._allowed = [ip_network(network) for network in allowed]
        self._lookup = lookup
        self._kept: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="look-up")

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of host, at least one, all of them checked.

        Raises:
            FetchError: One of them is not public, or the name is not known.
        """
        known_until, found = self._kept.get(host, (0.0, []))
        if known_until > monotonic():
            return found
        found = await self._found(host)
        for address in found:
            self._check(host, address)
        self._kept[host] = (monotonic() + KEPT_S, found)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """Let the threads go; look-ups under way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _found(self, host: str) -> list[str]:
        if _literal(host) is not None:
            return [host]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._lookup, host)
        except socket.gaierror as error:
            passing = error.errno == socket.EAI_AGAIN
            raise FetchError("no such host", _unknown(host), passing=passing) from error
        except (OSError, UnicodeError, ValueError) as error:
            raise FetchError("no such host", _unknown(host)) from error
        if not found:
            raise FetchError("no such host", _unknown(host))
        return found

    def _check(self, host: str, text: str) -> None:
        address = _literal(text)
        if address is None or not (_is_public(address) or self._is_allowed(address)):
            what = (
                f"The server {host} is at {text}, which" if text != host else f"The address {host}"
            )
            raise FetchError(
                "private address",
                f"{what} is not an address of the public internet, so it is not asked; "
                "allow its network if you mean it.",
            )

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self._allowed)


def _literal(text: str) -> Address | None:
    """Return the address that text spells in the standard notation, or None for a name."""
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to by translation or tunnel."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def _unknown(host: str) -> str:
    return f"No server is known by the name {host}; it may have been given up."


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
