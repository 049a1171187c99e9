"""Descriptors: how many files and sockets the server may hold, and none of them for idle visitors.

Streamlit gives each visitor an event loop of three descriptors, and keeps it for two minutes after
they have left; nothing here ever runs it.
"""

import asyncio
import selectors
from contextlib import suppress
from functools import wraps

from streamlit.runtime.app_session import AppSession

ENOUGH = 10_240  # what macOS allows a process at most
Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # neither holds one


class IdleLoop(asyncio.SelectorEventLoop):
    """An event loop that holds no descriptor but while it runs."""

    def __init__(self) -> None:
        super().__init__(Selector())

    def run_forever(self) -> None:
        super()._make_self_pipe()
        try:
            super().run_forever()
        finally:
            super()._close_self_pipe()

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        if self._ssock is not None:
            super()._close_self_pipe()


def hold_none_for_idle_visitors() -> None:
    """Give the sessions that begin from now on an `IdleLoop`."""
    begin = AppSession.__init__

    @wraps(begin)
    def begun(self: AppSession, *args: object, **kwargs: object) -> None:
        begin(self, *args, **kwargs)
        self._script_event_loop.close()
        self._script_event_loop = IdleLoop()

    AppSession.__init__ = begun


def raise_limit() -> None:
    """Let the process hold as many as the system allows it, where it knows of such limits."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
