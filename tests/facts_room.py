"""A warehouse for tests of facts: one for the module, emptied after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
from engine_room import empty

Con = duckdb.DuckDBPyConnection


def held() -> Iterator[Con]:
    """Every table and view, and no row; for a fixture of a module."""
    with empty() as con:
        yield con


def taken_back(con: Con) -> Iterator[Con]:
    """The warehouse; what a test puts in is taken back. For a fixture of each test."""
    con.execute("BEGIN")
    yield con
    con.execute("ROLLBACK")


def rows_of(con: Con, fact: str, columns: str) -> list[tuple[Any, ...]]:
    """The rows of a fact in the order of its columns; a leading day as text."""
    named = columns.replace("day", "CAST(day AS VARCHAR)", 1) if columns.startswith("day") else columns
    return con.execute(f"SELECT {named} FROM facts.{fact} ORDER BY ALL").fetchall()


def at(day: int, hour: int = 9, month: int = 3) -> str:
    """A moment of March 2026, or of another month."""
    return f"2026-{month:02d}-{day:02d} {hour:02d}:00:00+00"


def session(number: int, day: int = 2, **more: Any) -> dict[str, Any]:
    """A session of a day in March."""
    return {"session_id": f"s{number}", "started_at": at(day), "use_case_id": "search"} | more
