"""How much of the processor a process asks for."""

import os

BELOW = 10  # of 19 steps; at the last one it would stand still beside any other work


def stand_back() -> None:
    """Let whoever waits for a page go first: for a process that works behind it, where one can."""
    if hasattr(os, "nice"):  # Windows has none
        os.nice(BELOW)
