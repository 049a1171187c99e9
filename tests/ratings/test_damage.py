"""A damaged file of ratings is refused; none gives other answers than were kept."""

import shutil
import sqlite3

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_ratings import SESSION_ITEMS, begin

from sigscope.ratings.store import RatingsError, RatingStore


@pytest.fixture(autouse=True, scope="module")
def _waits_for_nobody():
    """Some damage looks like a lock that another process holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sigscope.databases.database.BUSY_S", 0.01)
        yield


def fill(path) -> str:
    store = RatingStore(path)
    session = begin(store)
    acts = [(f"rater {n % 3}", "q", id, n % 3) for n, id in enumerate(SESSION_ITEMS)]
    store.take_in(session, pd.DataFrame(acts, columns=["rater", "query", "id", "grade"]))
    store.skip(session, "rater 1", "q", SESSION_ITEMS[0])
    store.undo(session, "rater 2")
    return session


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("ratings") / "ratings.sqlite"
    return path, fill(path)


@pytest.fixture
def path(whole, tmp_path):
    return shutil.copy(whole[0], tmp_path / "ratings.sqlite")


def answers(path, session) -> list[str]:
    """All that a store says, as texts."""
    store = RatingStore(path)
    tables = [store.sessions(), store.queries(session), store.rankings(session)]
    tables += [store.ratings(session), store.progress(session)]
    return [table.to_json() for table in tables]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes_anywhere_are_refused_or_change_nothing(whole, tmp_path_factory, data):
    path, session = whole
    expected, copy = answers(path, session), tmp_path_factory.mktemp("flipped") / "ratings.sqlite"
    body = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    copy.write_bytes(body)
    try:
        assert answers(copy, session) == expected
    except RatingsError as reason:
        assert "\n" not in str(reason)


def test_tables_that_read_as_no_statement_are_damage_told_in_one_line(whole, tmp_path):
    path, session = whole
    copy = tmp_path / "ratings.sqlite"
    copy.write_bytes(path.read_bytes().replace(b"CHECK (", b"CHECK [", 1))
    with pytest.raises(RatingsError, match=r"is damaged \(malformed database schema") as refused:
        answers(copy, session)
    assert "\n" not in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_texts_and_numbers_are_refused(whole, tmp_path_factory, data):
    """Bytes of rows alone, which SQLite's own check lets pass."""
    path, session = whole
    copy = tmp_path_factory.mktemp("changed") / "ratings.sqlite"
    body, word = path.read_bytes(), data.draw(st.sampled_from([b"rater 1", b"rate", b"p1", b"20"]))
    places = [i for i in range(len(body)) if body.startswith(word, i)]
    place = data.draw(st.sampled_from(places))
    copy.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
    try:
        assert answers(copy, session) == answers(path, session)
    except RatingsError as reason:
        assert str(copy) in str(reason) or copy.name in str(reason)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE acts SET grade = 2 - grade WHERE grade <> 1",
        "UPDATE acts SET rater = 'rater 9' WHERE number = 3",
        "UPDATE acts SET at = '2020-01-01' WHERE number = 3",
        "DELETE FROM acts WHERE number = 5",
        "UPDATE rankings SET rank = rank + 100",
        "UPDATE queries SET text = 'other words'",
        "UPDATE sessions SET begun = '2020'",
        "UPDATE sessions SET top_grade = 1",
        "DELETE FROM digests WHERE row = 2",
        "UPDATE digests SET digest = 'x' WHERE of = 'pooled' AND row = 1",
        "DROP TRIGGER seal_acts",
        "DROP VIEW newest; CREATE VIEW newest AS SELECT * FROM acts",
        "DROP INDEX acts_on",
    ],
)
def test_what_another_program_changed_is_refused(path, change):
    with sqlite3.connect(path) as db:
        db.executescript(change)
    db.close()
    with pytest.raises(RatingsError, match="is damaged"):
        RatingStore(path)


def test_a_name_of_the_schema_that_turned_into_bytes_is_damage(path):
    """A record says of each column what it is; text of n bytes is 13 + 2n, a blob 12 + 2n."""
    body = bytearray(path.read_bytes())
    kind = body.index(b"triggerseal_acts") - 6  # the header: its length, four columns, sql's two
    assert body[kind] == 13 + 2 * len("trigger")
    body[kind] ^= 1
    path.write_bytes(body)
    with pytest.raises(RatingsError, match="is damaged"):
        RatingStore(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 4096, 9000])
def test_an_emptied_or_shortened_file_is_refused_and_stays_as_it_is(path, whole, keep):
    body = path.read_bytes()[:keep]
    path.write_bytes(body)
    with pytest.raises(RatingsError):
        RatingStore(path)
    assert path.read_bytes() == body


def test_it_is_seen_in_a_process_that_knew_the_file_whole(path, whole):
    answers(path, whole[1])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE acts SET grade = 0 WHERE grade = 2")
    db.close()
    with pytest.raises(RatingsError, match=r"\d+ of its acts have changed"):
        RatingStore(path)


def test_what_this_process_writes_itself_is_not_checked_again(path, whole, monkeypatch):
    from sigscope.databases import seals

    store = RatingStore(path)
    checked = []
    monkeypatch.setattr(seals, "damage", lambda *_: checked.append(1) or "")
    for id in SESSION_ITEMS[:3]:
        store.rate(whole[1], "rater 0", "q", id, 1)
        RatingStore(path)
    assert not checked


def test_the_copy_beside_the_file_is_whole_and_the_sentence_names_it(path, whole):
    store = RatingStore(path)
    store.back_up()
    copy = path.with_name("ratings.backup.sqlite")
    assert answers(copy, whole[1]) == answers(path, whole[1])
    path.write_bytes(b"")
    with pytest.raises(RatingsError, match=r"copy ratings\.backup\.sqlite over it"):
        RatingStore(path)
    shutil.copy(copy, path)
    assert answers(path, whole[1]) == answers(whole[0], whole[1])


def test_a_damaged_file_never_takes_the_place_of_a_good_copy(path, whole):
    store = RatingStore(path)
    store.back_up()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE acts SET grade = 0 WHERE act = 'rate'")
    db.close()
    with pytest.raises(RatingsError, match="is damaged"):
        store.back_up()
    assert answers(path.with_name("ratings.backup.sqlite"), whole[1]) == answers(*whole)


def test_a_copy_is_renewed_once_something_was_rated(path, whole):
    store, copy = RatingStore(path), path.with_name("ratings.backup.sqlite")
    store.back_up()
    before = copy.stat().st_mtime_ns
    store.back_up()
    assert copy.stat().st_mtime_ns == before
    store.rate(whole[1], "rater 7", "q", SESSION_ITEMS[0], 2)
    store.back_up()
    assert "rater 7" in set(RatingStore(copy).ratings(whole[1])["rater"])


def test_a_file_of_the_version_without_digests_is_taken_over(path, whole):
    names = ("about", "sessions", "queries", "pooled", "rankings", "acts")
    with sqlite3.connect(path) as db:
        for name in names:
            db.execute(f"DROP TRIGGER seal_{name}")
        db.execute("DROP TABLE digests")
        db.execute("PRAGMA user_version = 1")
    db.close()
    assert answers(path, whole[1]) == answers(*whole)
    store = RatingStore(path)
    store.rate(whole[1], "rater 7", "q", SESSION_ITEMS[0], 2)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE acts SET grade = 0 WHERE rater = 'rater 7'")
    db.close()
    with pytest.raises(RatingsError, match="1 of its acts"):
        RatingStore(path)
