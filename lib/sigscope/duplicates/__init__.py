"""Pictures that are the same, exactly or nearly; splits must keep them together."""

from sigscope.duplicates.find import find_duplicates, leaks, mark_duplicates, without_duplicates
from sigscope.duplicates.known import groups_of, known_duplicates, open_duplicates
from sigscope.duplicates.splits import LeakError, check_splits

__all__ = [
    "LeakError",
    "check_splits",
    "find_duplicates",
    "groups_of",
    "known_duplicates",
    "leaks",
    "mark_duplicates",
    "open_duplicates",
    "without_duplicates",
]
