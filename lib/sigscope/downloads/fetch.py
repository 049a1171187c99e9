"""Fetching: one URL, its redirects followed by hand, tried again while the trouble may pass."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import httpcore
import httpx
from anyio.from_thread import start_blocking_portal

from sigscope.downloads.hosts import Hosts
from sigscope.downloads.limits import FOR_ONE, FetchError, Limits
from sigscope.downloads.network import Resolver, client
from sigscope.downloads.pictures import decode
from sigscope.downloads.responses import (
    check_opt_out,
    check_status,
    check_url,
    drain,
    read_body,
    redirect,
)
from sigscope.trouble import STARVED, check_machine

GARBLED = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
UNASKABLE = (  # httpx's own protocol error is about where a redirect leads
    httpcore.LocalProtocolError,
    httpx.InvalidURL,
    httpx.RemoteProtocolError,
    UnicodeError,
)


@dataclass(frozen=True)
class Found:
    """A body that answered a URL: where it was found in the end, and its bytes, unpacked."""

    url: str
    body: bytes


class TimeBudget:
    """The seconds that one URL may still keep connections busy."""

    def __init__(self, seconds: float):
        """Begin with that many."""
        self.left = seconds

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Spend it for as long as the block runs; FetchError when nothing is left."""
        begun = monotonic()
        try:
            async with asyncio.timeout(max(self.left, 0)):
                yield
        except TimeoutError as error:
            raise FetchError("time-out", "It was not whole when its time was up.") from error
        finally:
            self.left -= monotonic() - begun


class Fetcher:
    """Fetches URLs within limits, many at once; an async context manager.

    Args:
        limits: the rules.
        per_host: how many requests at once one server gets.
        resolver: how names become addresses; None is the system's way, limits.allowed let through.
        rng: where the jitter of waiting times comes from.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        per_host: int = 4,
        resolver: Resolver | None = None,
        rng: random.Random | None = None,
    ):
        """Keep the rules; connections are made when they are needed."""
        self._limits = limits
        self._resolver = resolver or Resolver(limits.allowed)
        self._hosts = Hosts(per_host)
        self._rng = rng or random.Random()
        self._client = client(limits, self._resolver)

    async def __aenter__(self) -> "Fetcher":
        """Return the fetcher, ready."""
        return self

    async def __aexit__(self, *raised) -> None:
        """Close every connection."""
        await self._client.aclose()
        self._resolver.close()

    async def fetch(self, url: str) -> Found:
        """Return what a URL holds; FetchError says why not, and how often it was tried.

        MachineTrouble is raised where this machine has no more sockets or memory to ask with.
        """
        budget = TimeBudget(self._limits.total_s)
        for tried in range(1, self._limits.tries + 1):
            try:
                return await self._follow(url, budget)
            except FetchError as error:
                check_machine(url, error, STARVED)
                wait_s = self._wait(error, tried)
                if wait_s is None or budget.left <= 0:
                    raise _told(error, tried) from error
            except Exception as error:  # whatever else a stranger's server brings about
                check_machine(url, error, STARVED)
                what = f"{type(error).__name__}: {error}"
                raise FetchError(
                    "unexpected", f"It failed in a way we do not know ({what})."
                ) from error
            await asyncio.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _wait(self, error: FetchError, tried: int) -> float | None:
        """Return the seconds until the next try, or None when there is to be none.

        What the server asked for besides is waited for when it is our turn again.
        """
        if not error.passing or tried == self._limits.tries:
            return None
        if (error.wait_s or 0) > self._limits.wait_s:
            return None
        longest = min(self._limits.backoff_s * 2 ** (tried - 1), self._limits.wait_s)
        return longest * self._rng.uniform(0.5, 1.5)

    async def _follow(self, text: str, budget: TimeBudget) -> Found:
        """Follow the redirects of a URL to the body at their end."""
        url, seen = _parsed(text), set()
        for _ in range(self._limits.redirects + 1):
            check_url(url)
            if url in seen:
                raise FetchError("redirects", f"It redirects in a loop, back to {url}.")
            seen.add(url)
            found = await self._ask(url, budget)
            if isinstance(found, bytes):
                return Found(str(url), found)
            url = found
        raise FetchError("redirects", f"It redirects more than {self._limits.redirects} times.")

    async def _ask(self, url: httpx.URL, budget: TimeBudget) -> bytes | httpx.URL:
        """Return the body at url, or where it redirects to, when it is our turn at its server."""
        async with self._hosts.turn(f"{url.host}:{url.port or url.scheme}") as host:
            try:
                async with budget.spend():
                    found = await self._exchange(url)
            except FetchError as error:
                self._note(host, error)
                raise
            host.answered()
            return found

    def _note(self, host, error: FetchError) -> None:
        """Tell the server's entry what an error says about it."""
        if error.reason in ("time-out", "no connection"):
            host.failed()
        else:
            host.answered()
        if error.wait_s:
            host.pause(min(error.wait_s, self._limits.wait_s))

    async def _exchange(self, url: httpx.URL) -> bytes | httpx.URL:
        """Send one request and read its answer; what the network does to us becomes a sentence."""
        try:
            request = self._client.build_request("GET", url)
            response = await self._client.send(request, stream=True)
            try:
                return await self._read(response)
            finally:
                await response.aclose()
        except httpcore.ConnectTimeout as error:
            raise _late(
                f"The server {url.host} could not be connected to", self._limits.connect_s
            ) from error
        except httpcore.TimeoutException as error:
            raise _late(f"The server {url.host} sent nothing", self._limits.read_s) from error
        except httpcore.ConnectError as error:
            raise _unreachable(url.host, error) from error
        except GARBLED as error:
            sentence = f"The server {url.host} broke off or does not speak HTTP ({error})."
            raise FetchError("no connection", sentence, passing=True) from error
        except UNASKABLE as error:
            raise FetchError("bad URL", f"It cannot be asked for ({error}).") from error

    async def _read(self, response: httpx.Response) -> bytes | httpx.URL:
        if response.status_code != 200:
            await drain(response)
        target = redirect(response)
        if target is not None:
            return target
        check_status(response)
        if self._limits.opt_out:
            check_opt_out(response)
        return await read_body(response, self._limits.max_bytes)


def fetch_picture(url: str, limits: Limits = FOR_ONE) -> bytes:
    """Return the bytes of the picture at a URL; it has been decoded once, so open_picture will.

    It may be called from any thread, also where an event loop runs (a notebook).

    Raises:
        FetchError: There is no such picture to be had within limits; a PictureError whose message
            is a sentence for a person.
    """
    with start_blocking_portal() as portal:
        body = portal.call(_fetch_one, url, limits)
    decode(body, limits.max_pixels)
    return body


async def _fetch_one(url: str, limits: Limits) -> bytes:
    async with Fetcher(limits) as fetcher:
        return (await fetcher.fetch(url)).body


def _parsed(text: str) -> httpx.URL:
    try:
        return httpx.URL(text.strip())
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise FetchError("bad URL", f"It is no URL ({error}).") from error


def _told(error: FetchError, tried: int) -> FetchError:
    """Return the error, its sentence saying how often it was tried when that was more than once."""
    if tried == 1:
        return error
    return FetchError(error.reason, f"{error} It was tried {tried} times.", passing=error.passing)


def _late(what: str, seconds: float) -> FetchError:
    return FetchError("time-out", f"{what} within {seconds:g} s.", passing=True)


def _unreachable(host: str, error: Exception) -> FetchError:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        sentence = f"The server {host} has no valid certificate ({cause.verify_message})."
        return FetchError("insecure", sentence)
    reason = str(error).strip() or "no answer"
    return FetchError(
        "no connection", f"The server {host} cannot be reached ({reason}).", passing=True
    )
