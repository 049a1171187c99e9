"""SQLite files that people's own work is in: whole or refused, one transaction at a time."""

from sigscope.databases.database import Database, DatabaseError, Layout

__all__ = ["Database", "DatabaseError", "Layout"]
