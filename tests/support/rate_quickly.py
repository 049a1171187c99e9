"""Many raters, each a process, who rate without end and say what was kept.

Run as ``rate_quickly.py FILE RATER ...``. Each line on stdout, "rater id grade", is one rating that
the store has acknowledged.
"""

import os
import sys
import time
from itertools import count

from toy_ratings import SESSION_ITEMS, begin

from sigscope.ratings.store import RatingStore

PAUSE_S = 0.01  # SQLite keeps no queue: one that never pauses would keep the others out


def rate_without_end(path: str, rater: str) -> None:
    store = RatingStore(path)
    session = begin(store)
    for number in count():
        id, grade = SESSION_ITEMS[number % len(SESSION_ITEMS)], number // len(SESSION_ITEMS) % 3
        store.rate(session, rater, "q", id, grade)
        os.write(1, f"{rater} {id} {grade}\n".encode())
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        if os.fork() == 0:
            rate_without_end(sys.argv[1], name)
    os.wait()
