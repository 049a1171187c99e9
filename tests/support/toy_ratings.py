"""A small session to rate: one or two queries, two systems, pictures named p0, p1, …"""

import pandas as pd

SESSION_ITEMS = [f"p{number}" for number in range(40)]


def queries(*names: str) -> pd.DataFrame:
    rows = [(name, f"the words of {name}", "toy") for name in names]
    return pd.DataFrame(rows, columns=["query", "text", "origin"])


def rankings(**lists: dict[str, str]) -> pd.DataFrame:
    """Return the rankings of systems, given as system={query: "ids between spaces"}."""
    rows = [
        (query, system, rank, id)
        for system, found in lists.items()
        for query, ids in found.items()
        for rank, id in enumerate(ids.split(), 1)
    ]
    return pd.DataFrame(rows, columns=["query", "system", "rank", "id"])


def ratings(*rows: str, kind: str = "real", session: str = "s") -> pd.DataFrame:
    """Return ratings from lines "rater query id=grade id=grade"."""
    table = []
    for row in rows:
        rater, query, *given = row.split()
        table += [(session, rater, query, *pair.split("=")) for pair in given]
    frame = pd.DataFrame(table, columns=["session", "rater", "query", "id", "grade"])
    return frame.astype({"grade": "int64"}).assign(text="words", at="2025", kind=kind)


def begin(store, top_grade: int = 2) -> str:
    return store.begin(
        queries("q"), rankings(one={"q": " ".join(SESSION_ITEMS)}), top_grade=top_grade, gallery="g"
    )
