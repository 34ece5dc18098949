"""The ledger: every file that arrived, what became of each of its rows, and every run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.commands import Commands
from pipeline.errors import Problem
from pipeline.warehouse.receive import Arrival

WAITS_FOR = "incomplete: it waits for "
"""Begins the reason of a file whose mark is not there yet; the name of the mark follows."""


@dataclass(frozen=True)
class Known:
    """What the ledger already knows: file names with their content, and the fate of each content."""

    arrivals: frozenset[tuple[str, str]]
    first_name: dict[str, str]
    retry: frozenset[str]
    """Contents to try again: refused files, and loaded ones of which rows are quarantined."""
    loaded: frozenset[str]


def known(
    con: duckdb.DuckDBPyConnection,
    *,
    mappings_hash: str,
    again: frozenset[str] = frozenset(),
    present: Iterable[str] = (),
) -> Known:
    """Read what arrived before.

    What is quarantined or was refused is tried again once mappings or contracts have changed, files that wait for
    another once that one is among the names `present`, and the contents `again` in any case.
    """
    arrivals = con.execute("SELECT name, file_hash FROM ledger.arrivals").fetchall()
    files = con.execute("SELECT file_hash, name, status, mappings_hash, reason FROM ledger.files").fetchall()
    held = {row[0] for row in con.execute("SELECT DISTINCT file_hash FROM ledger.open_quarantine").fetchall()}
    loaded = frozenset(file_hash for file_hash, _, status, _, _ in files if status == "loaded")
    awaited = {f"{WAITS_FOR}{name}" for name in present}
    stale = {file_hash for file_hash, _, _, judged_by, why in files if judged_by != mappings_hash or why in awaited}
    retry = (stale | again) & (held | {row[0] for row in files} - loaded)
    return Known(frozenset(arrivals), {row[0]: row[1] for row in files}, frozenset(retry), loaded)


def start_run(con: duckdb.DuckDBPyConnection, *, started_at: datetime) -> int:
    """Enter a new run and return its number."""
    run_id = int(_scalar(con, "SELECT coalesce(max(run_id), 0) + 1 FROM ledger.runs"))
    con.execute("INSERT INTO ledger.runs VALUES (?, ?, NULL)", [run_id, started_at])
    return run_id


def enter_limits(con: duckdb.DuckDBPyConnection, limits: Mapping[str, float], *, held_from: int) -> None:
    """Enter per source which share of the rows of a file may break a rule, in place of what was said before.

    Fewer rows than `held_from` may in any case.
    """
    con.execute("DELETE FROM ledger.limits")
    for source, share in sorted(limits.items()):
        con.execute("INSERT INTO ledger.limits VALUES (?, ?, ?)", [source, share, held_from])


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
    records_in: int | None,
    run_id: int,
    mappings_hash: str,
    reading: str | None,
) -> None:
    """Enter what became of one file's content; a file tried again replaces its earlier entry.

    `records_in` is None where nobody knows its records, so that its lines are counted; `reading` tells how its mapping
    reads rows.
    """
    if con.execute("SELECT 1 FROM ledger.files WHERE file_hash = ?", [arrival.file_hash]).fetchone():
        for name in ("files", "warnings", "likely", "totals", "quarantine", "loads"):
            con.execute(f"DELETE FROM ledger.{name} WHERE file_hash = ?", [arrival.file_hash])
    con.execute(
        "INSERT INTO ledger.files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            arrival.file_hash, arrival.name, arrival.bytes, source, status, reason, records_in, run_id, mappings_hash,
            reading,
        ],
    )  # fmt: skip


def read_otherwise(con: duckdb.DuckDBPyConnection, readings: Mapping[str, str]) -> dict[str, int]:
    """By source, how many loaded files were read otherwise than its mapping reads now; `readings` has that by source.

    Nothing is known of files taken in before it was kept, as of all those of an older warehouse.
    """
    is_kept = "SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'ledger' AND column_name = 'reading'"
    if not _scalar(con, is_kept):
        return {}
    rows = con.execute(
        "SELECT source, reading, count(*) FROM ledger.files WHERE status = 'loaded' AND reading IS NOT NULL "
        "AND file_hash NOT IN (SELECT file_hash FROM ledger.superseded) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found: Counter[str] = Counter()
    for source, reading, files in rows:
        if readings.get(source, reading) != reading:
            found[source] += files
    return dict(found)


def enter_likely(con: duckdb.DuckDBPyConnection, file_hash: str, sources: Iterable[str]) -> None:
    """Enter the sources that a refused file is probably of, so that what rests on them is not taken for whole."""
    for source in sorted(set(sources)):
        con.execute("INSERT INTO ledger.likely VALUES (?, ?)", [file_hash, source])


def count_records(con: duckdb.DuckDBPyConnection, file_hash: str, records: int) -> None:
    """Note how many records a file has."""
    con.execute("UPDATE ledger.files SET records_in = ? WHERE file_hash = ?", [records, file_hash])


def fates(con: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    """What became of every file and row, whichever run and load it is counted with."""
    files = "SELECT file_hash, source, status, reason, records_in FROM ledger.files ORDER BY ALL"
    refused = "SELECT file_hash, table_name, line, reason FROM ledger.quarantine ORDER BY ALL"
    counts = "rows_in, loaded, duplicate, quarantined, left_out"
    summed = ", ".join(f"sum({name})" for name in counts.split(", "))
    loads = f"SELECT file_hash, table_name, {summed} FROM ledger.loads GROUP BY ALL ORDER BY ALL"
    said = "SELECT file_hash, warning FROM ledger.warnings ORDER BY ALL"
    likely = "SELECT file_hash, source FROM ledger.likely ORDER BY ALL"
    return tuple(con.execute(sql).fetchall() for sql in (files, refused, loads, said, likely))


def mark_judged(con: duckdb.DuckDBPyConnection, file_hash: str, *, mappings_hash: str) -> None:
    """Note that what is quarantined of a file was judged by these definitions, so that it waits for others."""
    con.execute("UPDATE ledger.files SET mappings_hash = ? WHERE file_hash = ?", [mappings_hash, file_hash])


def next_load(con: duckdb.DuckDBPyConnection) -> int:
    """Number of the next load; numbers grow with time, so a run's rows are those from its first number on."""
    return int(_scalar(con, "SELECT coalesce(max(load_id), 0) + 1 FROM ledger.loads"))


def first_load(con: duckdb.DuckDBPyConnection, *, run_id: int) -> int:
    """Number of the first load of a run; of one without loads the next.

    Known only when all is taken in: a refused file that is tried again gives its number back, and may get it anew.
    """
    row = con.execute("SELECT min(load_id) FROM ledger.loads WHERE run_id = ?", [run_id]).fetchone()
    return int(row[0]) if row and row[0] is not None else next_load(con)


def enter_load(
    con: duckdb.DuckDBPyConnection,
    load_id: int,
    *,
    run_id: int,
    file_hash: str,
    table: str,
    counts: tuple[int, int, int, int, int],
) -> None:
    """Enter one load; its counts are rows in, loaded, duplicate, quarantined, and left out by `where` on top."""
    con.execute(
        "INSERT INTO ledger.loads(load_id, run_id, file_hash, table_name, rows_in, loaded, duplicate, quarantined, "
        "left_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [load_id, run_id, file_hash, table, *counts],
    )


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
    enter_load(con, load_id, run_id=run_id, file_hash=file_hash, table="", counts=(rows, 0, 0, rows, 0))


@dataclass(frozen=True)
class Refusal:
    """One reason for which rows, or a whole file, were quarantined; `line` is the first row's, None for a file."""

    file: str
    line: int | None
    reason: str
    rows: int

    def problem(self) -> Problem:
        """The same as a line to print."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        times = f" ({self.rows} rows)" if self.rows > 1 and self.line is not None else ""
        return Problem(where, "quarantined", self.reason + times)


def refusals(con: duckdb.DuckDBPyConnection, *, run_id: int) -> list[Refusal]:
    """Why a run quarantined what it did: first the files held back whole, then the most frequent reasons."""
    found = con.execute(
        """SELECT name, line, reason, rows FROM (
              SELECT name, NULL AS line, reason, 1 AS rows, source <> '' AS is_held FROM ledger.files
              WHERE run_id = $run AND status = 'quarantined'
              UNION ALL
              SELECT f.name, min(q.line), q.reason, count(*), FALSE FROM ledger.quarantine AS q
              JOIN ledger.loads AS l USING (load_id) JOIN ledger.files AS f ON f.file_hash = q.file_hash
              WHERE l.run_id = $run AND (q.line IS NOT NULL OR f.status <> 'quarantined') GROUP BY f.name, q.reason
            ) AS why ORDER BY is_held DESC, rows DESC, name, line""",
        {"run": run_id},
    ).fetchall()
    return [Refusal(*row) for row in found]


def still_quarantined(con: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Files and rows that are quarantined and that no newer file of the same name has mended."""
    files = "(SELECT file_hash FROM ledger.files WHERE status = 'quarantined')"
    ((whole, rows),) = con.execute(
        f"""SELECT count(DISTINCT file_hash) FILTER (WHERE file_hash IN {files}),
              count(*) FILTER (WHERE file_hash NOT IN {files}) FROM ledger.open_quarantine"""
    ).fetchall()
    return whole, rows


def bind_folder(con: duckdb.DuckDBPyConnection, folder: str) -> str | None:
    """Remember the folder a warehouse is filled from; return the other one when it was filled from elsewhere."""
    held = con.execute("SELECT folder FROM ledger.exports").fetchall()
    if not held:
        con.execute("INSERT INTO ledger.exports VALUES (?)", [folder])
        return None
    ((first,),) = held
    return None if first == folder else str(first)


def commands(con: duckdb.DuckDBPyConnection) -> Commands:
    """The commands about this warehouse; of one that is bound to no folder yet they name none."""
    about = Commands(by_make=_has_makefile(con))
    sql = "SELECT count(*) FROM duckdb_tables() WHERE (schema_name, table_name) = ('ledger', 'exports')"
    if con.execute(sql).fetchall() == [(0,)]:
        return about
    folders = con.execute("SELECT folder FROM ledger.exports").fetchall()
    return next((replace(about, exports=folder) for (folder,) in folders), about)


def _has_makefile(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the project of a warehouse (data/warehouse/NAME.duckdb in it) has a Makefile; true of one in memory."""
    ((path,),) = con.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchall()
    return path is None or (Path(path).parent / "../../Makefile").is_file()


def bind_key(con: duckdb.DuckDBPyConnection) -> bool:
    """Remember what the key makes of a name that nobody bears; return whether it still makes the same."""
    held = "SELECT of_nobody = pseudonym('nobody') FROM ledger.pseudonyms"
    if not con.execute(held).fetchall():
        con.execute("INSERT INTO ledger.pseudonyms VALUES (pseudonym('nobody'))")
    return bool(con.execute(held).fetchall() == [(True,)])


def _scalar(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = con.execute(sql).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    return int(row[0])
