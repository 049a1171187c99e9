"""Addresses: only the public internet is asked, and a name is checked by what it resolves to."""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from time import monotonic

from sigscope.downloads.reasons import FetchError

Address = IPv4Address | IPv6Address
Lookup = Callable[[str], list[str]]

PUBLIC_V6 = ip_network("2000::/3")  # all that is handed out of IPv6 so far
NAT64 = ip_network("64:ff9b::/96")  # an IPv4 address in its last 32 bits
KEPT_S = 60.0  # how long the addresses of a name are used before it is looked up again
KEPT = 4096
LOOKUPS = 16  # at once; a dead name server can hold each for half a minute


def is_public(address: Address) -> bool:
    """Return whether an address is of the public internet, and so is any IPv4 address inside it."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
        if address not in PUBLIC_V6:
            return False
    return address.is_global and not address.is_multicast


def look_up(host: str) -> list[str]:
    """Return the addresses of a host as the system resolves it (127.1 and 0x7f000001 too)."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Resolver:
    """Names to addresses that may be asked; every connection goes to an address it returned."""

    def __init__(self, allowed: tuple[str, ...] = (), lookup: Lookup = look_up):
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
        if address is None or not (is_public(address) or self._is_allowed(address)):
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
