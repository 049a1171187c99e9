"""The tables that ratings are in (`databases.Layout`)."""

from sigscope.databases.database import DatabaseError, Layout

KINDS = ("real", "simulated")
SCHEMA = f"""
CREATE TABLE about (kind TEXT NOT NULL CHECK (kind IN {KINDS}));
CREATE TABLE sessions (
  session TEXT PRIMARY KEY, top_grade INTEGER NOT NULL CHECK (top_grade IN (1, 2)),
  gallery TEXT NOT NULL, about TEXT NOT NULL, begun TEXT NOT NULL);
CREATE TABLE queries (
  session TEXT NOT NULL REFERENCES sessions, query TEXT NOT NULL, text TEXT NOT NULL,
  origin TEXT NOT NULL, PRIMARY KEY (session, query));
CREATE TABLE pooled (
  session TEXT NOT NULL, query TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (session, query, id), FOREIGN KEY (session, query) REFERENCES queries);
CREATE TABLE rankings (
  session TEXT NOT NULL, query TEXT NOT NULL, system TEXT NOT NULL,
  rank INTEGER NOT NULL CHECK (rank >= 1), id TEXT NOT NULL,
  PRIMARY KEY (session, query, system, rank),
  FOREIGN KEY (session, query, id) REFERENCES pooled);
CREATE TABLE acts (
  number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, rater TEXT NOT NULL,
  query TEXT NOT NULL, id TEXT NOT NULL,
  act TEXT NOT NULL CHECK (act IN ('rate', 'skip', 'withdraw')),
  grade INTEGER CHECK ((act = 'rate') = (grade IS NOT NULL)), at TEXT NOT NULL,
  FOREIGN KEY (session, query, id) REFERENCES pooled);
CREATE INDEX acts_on ON acts (session, rater, query, id, number);
CREATE VIEW newest AS SELECT * FROM acts AS a WHERE NOT EXISTS (
  SELECT 1 FROM acts AS b WHERE b.session = a.session AND b.rater = a.rater
  AND b.query = a.query AND b.id = a.id AND b.number > a.number);
"""
COLUMNS = {
    "about": "kind",
    "sessions": "session, top_grade, gallery, about, begun",
    "queries": "session, query, text, origin",
    "pooled": "session, query, id",
    "rankings": "session, query, system, rank, id",
    "acts": "number, session, rater, query, id, act, grade, at",
}


class RatingsError(DatabaseError):
    """Ratings cannot be kept or read; the message is a sentence for a person."""


RATINGS = Layout(
    holds="ratings",
    application=0x51656F70,
    version=2,
    schema=SCHEMA,
    columns=COLUMNS,
    setting="SIGSCOPE_RATINGS",
    advice="give each query and each rank of a system once, and grades within the scale",
    error=RatingsError,
)
