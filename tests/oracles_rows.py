"""Drawing rows for the oracles: days at the edges of periods, moments to the microsecond, and canonical rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
from engine_room import empty, fill, values
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from oracles import differences, restricted
from oracles_intervals import Row

RANDOM = settings(
    max_examples=5, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip
"""The same examples in every run. Nothing is shrunk: what differs is told with the few rows of its period and slice."""

FIRST, LAST = date(2025, 12, 25), date(2026, 4, 5)
"""Over a turn of month, quarter, year and ISO year, and both days on which clocks go forward."""
EDGES = [
    date(2025, 12, 28), date(2025, 12, 29), date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 4), date(2026, 1, 5),
    date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 8), date(2026, 3, 28),
    date(2026, 3, 29), date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 5),
]  # fmt: skip
"""Last and first days of periods; 8 and 29 March 2026 have 23 hours in New York and in Berlin."""
WINDOW_EDGES = [day - timedelta(n) for day in EDGES for n in (28, 27) if day - timedelta(n) >= FIRST]
CLOCK = [timedelta(0), timedelta(minutes=1, microseconds=-1), timedelta(minutes=1), timedelta(hours=1, minutes=30),
         timedelta(hours=23, minutes=59, seconds=30), timedelta(days=1, microseconds=-1)]  # fmt: skip
"""Times of day."""

days = st.one_of(st.sampled_from(EDGES), st.sampled_from(WINDOW_EDGES), st.dates(FIRST, LAST))
moments = st.builds(
    lambda day, clock, weeks, extra: midnight(day) + clock + timedelta(weeks=weeks, microseconds=extra),
    st.sampled_from(EDGES[:12]), st.sampled_from(CLOCK), st.integers(0, 3), st.sampled_from([-1, 0, 0, 1]),
)  # fmt: skip
"""Whole weeks apart to the microsecond, at edges of periods and on days on which clocks change."""


def midnight(day: date) -> datetime:
    """The beginning of a UTC day."""
    return datetime.combine(day, datetime.min.time(), UTC)


def one_of(*options: Any) -> st.SearchStrategy[Any]:
    """One of these values."""
    return st.sampled_from(options)


def rows_of(size: int, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Up to so many rows, at least two thirds of them."""
    return st.lists(st.fixed_dictionaries(columns), min_size=size * 2 // 3, max_size=size)


def named(rows: list[Row], key: str, prefix: str) -> list[Row]:
    """Rows with a key of their own."""
    return [row | {key: f"{prefix}{n}"} for n, row in enumerate(rows)]


Tables = dict[str, list[Row]]
"""Rows by canonical table."""


@contextmanager
def every_view() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with every view, for `computed`."""
    with empty() as con:
        yield con


def computed(con: duckdb.DuckDBPyConnection, tables: Tables, *kpis: str) -> pd.DataFrame:
    """The engine's values for these rows and no others."""
    con.execute("DROP SCHEMA IF EXISTS states CASCADE; CREATE SCHEMA states")
    held = "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'core' AND estimated_size > 0"
    for (table,) in con.execute(held).fetchall():
        con.execute(f"DELETE FROM core.{table}")
    for table, rows in tables.items():
        fill(con, table, *rows)
    return values(con, restricted(kpis))


def hold(con: duckdb.DuckDBPyConnection, tables: Tables, facts: dict[str, list[Row]], *kpis: str) -> None:
    """Hold the engine's values of canonical rows against the oracles' of the facts these rows come to."""
    frame = computed(con, tables, *kpis)
    last = max(row["day"] for rows in facts.values() for row in rows)
    wrong = [one for kpi_id in kpis for one in differences(frame, kpi_id, facts, last)]
    assert not wrong, "\n".join([*map(str, wrong[:20]), *map(str, wrong[0].rows(facts))])


# Who people are: names that one person goes by, and a directory whose rows follow one another

PERSON_OF = {"bea@example": "bea"}
PEOPLE = [
    {"person_id": "ann", "valid_from": date(2025, 1, 1), "valid_to": date(2026, 2, 1), "department": "law"},
    {"person_id": "ann", "valid_from": date(2026, 1, 15), "valid_to": None, "department": "sales"},
    {"person_id": "bea", "valid_from": date(2026, 1, 1), "valid_to": date(2026, 3, 1), "department": None},
    {"person_id": "left", "valid_from": date(2025, 1, 1), "valid_to": date(2026, 2, 1), "department": "law"},
    {"person_id": "robot", "valid_from": date(2025, 1, 1), "valid_to": None, "department": "sales",
     "is_service_account": True},
]  # fmt: skip
"""The second row of ann ends the first on 15 January; bea has no department and leaves."""
IDENTITIES = [{"alias_id": alias, "person_id": person} for alias, person in PERSON_OF.items()]


def standing(name: str | None, day: date) -> Row | None:
    """The row of the directory that holds for a person on a day: the newest that had begun, if it has not ended."""
    person = PERSON_OF.get(name or "", name)
    begun = [row for row in PEOPLE if row["person_id"] == person and row["valid_from"] <= day]
    newest = max(begun, key=lambda row: row["valid_from"], default=None)
    is_over = newest is None or (newest["valid_to"] is not None and newest["valid_to"] <= day)
    return None if is_over else newest


def department_of(name: str | None, day: date) -> str:
    """Department of a person on a day."""
    return str((standing(name, day) or {}).get("department") or "unknown")
