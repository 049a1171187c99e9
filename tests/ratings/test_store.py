"""The store of ratings: what it keeps, what it refuses, and that nothing acknowledged is lost."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from toy_ratings import SESSION_ITEMS, begin, queries, rankings

from sigscope import paths
from sigscope.ratings.store import RatingsError, RatingStore, default_path

SCRIPT = Path(__file__).parents[1] / "support" / "rate_quickly.py"
WRITERS, KILLS = 20, 3


@pytest.fixture
def store(tmp_path):
    return RatingStore(tmp_path / "ratings.sqlite")


@pytest.fixture
def session(store):
    return begin(store)


def integrity(path) -> str:
    with sqlite3.connect(path) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0]


def test_newest_grade_of_a_picture_counts(store, session):
    store.rate(session, "ab", "q", "p1", 0)
    store.rate(session, "ab", "q", "p2", 1)
    store.rate(session, "ab", "q", "p1", 2)
    assert store.grades(session, "ab") == {("q", "p2"): 1, ("q", "p1"): 2}
    assert store.ratings(session)[["id", "grade"]].to_numpy().tolist() == [["p2", 1], ["p1", 2]]


def test_skipped_picture_has_no_grade_until_it_is_given_one(store, session):
    store.skip(session, "ab", "q", "p1")
    assert store.grades(session, "ab") == {("q", "p1"): None} and store.ratings(session).empty
    store.rate(session, "ab", "q", "p1", 0)
    assert store.grades(session, "ab") == {("q", "p1"): 0}


def test_undo_goes_back_answer_by_answer_of_this_rater_only(store, session):
    store.rate(session, "ab", "q", "p1", 2)
    store.skip(session, "ab", "q", "p2")
    store.rate(session, "cd", "q", "p1", 1)
    assert [store.undo(session, "ab") for _ in range(3)] == [("q", "p2"), ("q", "p1"), None]
    assert store.grades(session, "ab") == {} and store.grades(session, "cd") == {("q", "p1"): 1}


def test_withdrawn_answers_stay_in_the_file(store, session):
    store.rate(session, "ab", "q", "p1", 2)
    store.undo(session, "ab")
    with sqlite3.connect(store.path) as db:
        acts = db.execute("SELECT act, grade FROM acts ORDER BY number").fetchall()
    assert acts == [("rate", 2), ("withdraw", None)]


def test_ratings_are_there_when_the_file_is_opened_again(store, session):
    store.rate(session, "ab", "q", "p1", 2)
    again = RatingStore(store.path)
    assert again.grades(session, "AB ") == {("q", "p1"): 2}
    row = again.ratings(session).iloc[0]
    assert (row["rater"], row["text"], row["kind"]) == ("ab", "the words of q", "real")


def test_same_content_is_the_same_session_and_another_scale_is_not(store, session):
    assert begin(store) == session
    other = begin(store, top_grade=1)
    table = store.sessions("g")
    assert table["session"].tolist() == [other, session] and store.sessions("another").empty
    assert table[["top_grade", "pictures"]].to_numpy().tolist() == [[1, 40], [2, 40]]


def test_session_gives_back_what_it_was_begun_with(store):
    lists = rankings(one={"q2": "p1 p2", "q1": "p3"}, two={"q2": "p2 p1"})
    session = store.begin(queries("q2", "q1"), lists, about={"model": "m"})
    pd.testing.assert_frame_equal(store.queries(session), queries("q2", "q1"))
    pd.testing.assert_frame_equal(store.rankings(session), lists)
    assert store.sessions().iloc[0]["about"] == {"model": "m"}


def test_progress_counts_what_each_rater_rated_and_skipped(store, session):
    store.rate(session, "cd", "q", "p1", 2)
    store.rate(session, "ab", "q", "p1", 2)
    store.skip(session, "ab", "q", "p2")
    assert store.progress(session).to_numpy().tolist() == [["ab", 1, 1], ["cd", 1, 0]]
    assert store.sessions()[["raters", "ratings"]].to_numpy().tolist() == [[2, 2]]


@pytest.mark.parametrize("grade", [-1, 3, 1.5, None])
def test_grade_off_the_scale_is_refused(store, session, grade):
    with pytest.raises(RatingsError, match="grade"):
        store.rate(session, "ab", "q", "p1", grade)
    assert store.ratings(session).empty


@pytest.mark.parametrize("session_, query, id", [("x", "q", "p1"), (0, "x", "p1"), (0, "q", "x")])
def test_what_is_not_in_the_pool_is_refused(store, session, session_, query, id):
    with pytest.raises(RatingsError, match="is not to be rated"):
        store.rate(session_ or session, "ab", query, id, 1)


@pytest.mark.parametrize("name", ["", "  ", "=1+1", "@x", "a" * 41, "a\u202eb"])
def test_name_that_cannot_be_one_is_refused(store, name):
    with pytest.raises(RatingsError):
        store.known_as(name)


def test_name_is_the_same_however_it_is_typed(store):
    assert {store.known_as(name) for name in ("Ann  B", " ann b ", "ANN B")} == {"ann b"}


def test_simulated_and_real_ratings_never_share_a_file(store, session, tmp_path):
    with pytest.raises(RatingsError, match="never mixed"):
        RatingStore(store.path, simulated=True)
    with pytest.raises(RatingsError, match="simulated"):
        store.rate(session, "simulated-1", "q", "p1", 1)
    made_up = RatingStore(tmp_path / "simulated.sqlite", simulated=True)
    with pytest.raises(RatingsError, match="simulated"):
        made_up.rate(begin(made_up), "ab", "q", "p1", 1)
    with pytest.raises(RatingsError, match="never mixed"):
        RatingStore(made_up.path)


def test_ratings_taken_in_elsewhere_are_the_same(store, session, tmp_path):
    store.rate(session, "ab", "q", "p1", 2)
    store.rate(session, "cd", "q", "p2", 0)
    other = RatingStore(tmp_path / "other.sqlite")
    other.take_in(begin(other), store.ratings(session))
    pd.testing.assert_frame_equal(other.ratings(session), store.ratings(session))


def test_one_bad_row_takes_in_none(store, session):
    rows = pd.DataFrame({"rater": "ab", "query": "q", "id": ["p1", "p2"], "grade": [1, 9]})
    with pytest.raises(RatingsError, match="grade 9"):
        store.take_in(session, rows)
    with pytest.raises(RatingsError, match="not simulated ones"):
        store.take_in(session, rows.assign(grade=1, kind="simulated"))
    assert store.ratings(session).empty


def test_other_files_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, but long enough to be taken for one" * 20)
    theirs = tmp_path / "theirs.sqlite"
    with sqlite3.connect(theirs) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = theirs.read_bytes()
    for path in (text, theirs, tmp_path):
        with pytest.raises(RatingsError):
            RatingStore(path)
    assert theirs.read_bytes() == before


def test_file_of_a_newer_version_is_refused(store):
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(RatingsError, match="version 99"):
        RatingStore(store.path)


def test_rating_into_a_file_that_was_taken_away_is_an_error_and_makes_no_new_one(store, session):
    store.path.unlink()
    with pytest.raises(RatingsError, match="nothing was stored"):
        store.rate(session, "ab", "q", "p1", 1)
    assert not store.path.exists()


def test_writer_that_waits_in_vain_is_told(store, session, monkeypatch):
    monkeypatch.setattr("sigscope.databases.database.BUSY_S", 0.1)
    with sqlite3.connect(store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RatingsError, match="locked"):
            store.rate(session, "ab", "q", "p1", 1)
        assert store.grades(session, "ab") == {}, "readers do not wait for writers"
        other.execute("ROLLBACK")
    other.close()


def test_default_file_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("SIGSCOPE_RATINGS", raising=False)
    assert default_path() == paths.CACHE / "ratings.sqlite"
    monkeypatch.setenv("SIGSCOPE_RATINGS", str(tmp_path / "mine.sqlite"))
    assert RatingStore().path == tmp_path / "mine.sqlite"


def test_threads_that_share_a_store_lose_nothing(store, session):
    def rate_all(rater):
        for number, id in enumerate(SESSION_ITEMS[:10]):
            store.rate(session, rater, "q", id, number % 3)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(rate_all, [f"rater-{number}" for number in range(20)]))
    expected = {("q", id): number % 3 for number, id in enumerate(SESSION_ITEMS[:10])}
    for number in range(20):
        assert store.grades(session, f"rater-{number}") == expected


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
def test_twenty_writers_killed_at_work_lose_nothing_acknowledged(tmp_path):
    path, rng = tmp_path / "new" / "ratings.sqlite", random.Random(0)
    for round in range(KILLS):
        raters = [f"rater-{round}-{number}" for number in range(WRITERS)]
        kept = killed_at_work(path, raters, rng.uniform(0, 1))
        assert integrity(path) == "ok"
        stored = by_rater(acts(path))
        for rater in raters:  # what was under way at the kill may be there or not
            assert kept[rater] and stored[rater][: len(kept[rater])] == kept[rater]
            assert len(stored[rater]) <= len(kept[rater]) + 1


def killed_at_work(path, raters: list[str], seconds: float) -> dict[str, list]:
    """Let raters work, each at least once; kill all at once; return what each knew to be kept."""
    command = [sys.executable, SCRIPT, path, *raters]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as script:
        said = []
        while len({line.split()[0] for line in said}) < len(raters):
            said.append(script.stdout.readline().decode())
        time.sleep(seconds)
        os.killpg(script.pid, signal.SIGKILL)
        said += script.stdout.read().decode().splitlines(keepends=True)
    whole = [line.split() for line in said if line.endswith("\n")]
    return by_rater((rater, id, int(grade)) for rater, id, grade in whole)


def acts(path) -> list[tuple]:
    with sqlite3.connect(path) as db:
        return db.execute("SELECT rater, id, grade FROM acts ORDER BY number").fetchall()


def by_rater(rows) -> dict[str, list]:
    found = defaultdict(list)
    for rater, id, grade in rows:
        found[rater].append((id, grade))
    return found
