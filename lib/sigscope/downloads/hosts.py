"""Manners towards each server: few requests at once, and none while it asks us to wait."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from sigscope.downloads.limits import FetchError

TIRED = 20  # after so many failures in a row a server is left alone
REST_S = 600.0
KEPT = 10_000  # servers that are remembered although nothing is asked of them now


class Host:
    """One server: who may ask now, until when nobody, and how often it has failed in a row."""

    def __init__(self, at_once: int):
        """Let at_once requests run at the same time."""
        self.turns = asyncio.Semaphore(at_once)
        self.users = 0
        self.quiet_until = 0.0
        self.failures = 0

    def answered(self) -> None:
        """Note that the server is there."""
        self.failures = 0

    def failed(self) -> None:
        """Note that it did not answer; after TIRED times in a row it is left alone for a while."""
        self.failures += 1
        if self.failures >= TIRED:
            self.quiet_until = max(self.quiet_until, monotonic() + REST_S)

    def pause(self, seconds: float) -> None:
        """Ask nothing of it for that long."""
        self.quiet_until = max(self.quiet_until, monotonic() + seconds)


class Hosts:
    """All servers; those unused for longest are forgotten, so memory stays flat."""

    def __init__(self, per_host: int):
        """Let per_host requests run at the same time on one server."""
        self._per_host = per_host
        self._hosts: OrderedDict[str, Host] = OrderedDict()

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[Host]:
        """Wait for our turn at a server.

        Raises:
            FetchError: It has failed so often in a row that it is left alone for now.
        """
        host = self._host(name)
        host.users += 1
        try:
            async with host.turns:
                await self._quiet(name, host)
                yield host
        finally:
            host.users -= 1
            self._forget()

    async def _quiet(self, name: str, host: Host) -> None:
        """Wait until the server may be asked again."""
        while (seconds := host.quiet_until - monotonic()) > 0:
            if host.failures >= TIRED:
                raise FetchError(
                    "no connection",
                    f"The server {name} has failed to answer {host.failures} times in a row, so it "
                    "is left alone for ten minutes.",
                )
            await asyncio.sleep(seconds)

    def _host(self, name: str) -> Host:
        if name not in self._hosts:
            self._hosts[name] = Host(self._per_host)
        self._hosts.move_to_end(name)
        return self._hosts[name]

    def _forget(self) -> None:
        while len(self._hosts) > KEPT:
            name, oldest = next(iter(self._hosts.items()))
            if oldest.users:
                return
            del self._hosts[name]
