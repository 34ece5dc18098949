"""The ledger: every file that arrived, what became of each of its rows, and every run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.warehouse.receive import Arrival


@dataclass(frozen=True)
class Known:
    """What the ledger already knows: file names with their content, and the fate of each content."""

    arrivals: frozenset[tuple[str, str]]
    first_name: dict[str, str]
    retry: frozenset[str]


def known(con: duckdb.DuckDBPyConnection, *, mappings_hash: str) -> Known:
    """Read what arrived before. Files no mapping could take are tried again once the mappings have changed."""
    arrivals = con.execute("SELECT name, file_hash FROM ledger.arrivals").fetchall()
    first = con.execute("SELECT file_hash, name FROM ledger.files").fetchall()
    retry = con.execute(
        "SELECT file_hash FROM ledger.files WHERE status <> 'loaded' AND mappings_hash <> ?", [mappings_hash]
    ).fetchall()
    return Known(frozenset(arrivals), dict(first), frozenset(row[0] for row in retry))


def start_run(con: duckdb.DuckDBPyConnection, *, started_at: datetime) -> int:
    """Enter a new run and return its number."""
    run_id = int(_scalar(con, "SELECT coalesce(max(run_id), 0) + 1 FROM ledger.runs"))
    con.execute("INSERT INTO ledger.runs VALUES (?, ?, NULL)", [run_id, started_at])
    return run_id


def enter_arrival(con: duckdb.DuckDBPyConnection, arrival: Arrival, *, duplicate_of: str | None, run_id: int) -> None:
    """Enter one file name; `duplicate_of` names the first file with the same content."""
    con.execute(
        "INSERT INTO ledger.arrivals VALUES (?, ?, ?, ?)", [arrival.name, arrival.file_hash, duplicate_of, run_id]
    )


def enter_file(
    con: duckdb.DuckDBPyConnection,
    arrival: Arrival,
    *,
    source: str,
    status: str,
    reason: str,
    records_in: int,
    run_id: int,
    mappings_hash: str,
) -> None:
    """Enter what became of one file's content; a file tried again replaces its earlier entry."""
    if con.execute("SELECT 1 FROM ledger.files WHERE file_hash = ?", [arrival.file_hash]).fetchone():
        for name in ("files", "warnings", "totals"):
            con.execute(f"DELETE FROM ledger.{name} WHERE file_hash = ?", [arrival.file_hash])
        for name in ("quarantine", "loads"):
            con.execute(f"DELETE FROM ledger.{name} WHERE file_hash = ? AND table_name = ''", [arrival.file_hash])
    con.execute(
        "INSERT INTO ledger.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            arrival.file_hash, arrival.name, arrival.bytes, source, status, reason, records_in, run_id, mappings_hash,
        ],
    )  # fmt: skip


def next_load(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the next load; numbers grow with time, so a run's rows are those from its first number on."""
    return int(_scalar(con, "SELECT coalesce(max(load_id), 0) + 1 FROM ledger.loads"))


def enter_unreadable(
    con: duckdb.DuckDBPyConnection, file_hash: str, *, run_id: int, rows: int, reason: str | None = None
) -> None:
    """Enter the `rows` that could not be read: all of a file refused for a `reason`, else those in `raw_malformed`."""
    if not rows:
        return
    load_id = next_load(con)
    values: list[object] = [load_id, file_hash]
    if reason is not None:
        con.execute("INSERT INTO ledger.quarantine VALUES (?, ?, '', NULL, ?)", [*values, reason])
    else:
        con.execute(
            "INSERT INTO ledger.quarantine SELECT ?, ?, '', line, reason FROM raw_malformed ORDER BY line", values
        )
    con.execute("INSERT INTO ledger.loads VALUES (?, ?, ?, '', ?, 0, 0, ?)", [load_id, run_id, file_hash, rows, rows])


def _scalar(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    return int(row[0])
