"""Opening the warehouse, always with the same settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import duckdb

from pipeline.errors import RoiError
from pipeline.tables import ddl, load_tables
from pipeline.warehouse.pseudonym import define_pseudonym

_LEDGER = """
CREATE TABLE IF NOT EXISTS ledger.runs(run_id BIGINT PRIMARY KEY, started_at TIMESTAMPTZ, summary VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.files(file_hash VARCHAR PRIMARY KEY, name VARCHAR, bytes BIGINT, source VARCHAR,
  status VARCHAR, reason VARCHAR, records_in BIGINT, run_id BIGINT, mappings_hash VARCHAR, reading VARCHAR);
ALTER TABLE ledger.files ADD COLUMN IF NOT EXISTS reading VARCHAR;
CREATE TABLE IF NOT EXISTS ledger.arrivals(name VARCHAR, file_hash VARCHAR, duplicate_of VARCHAR, run_id BIGINT);
CREATE TABLE IF NOT EXISTS ledger.loads(load_id BIGINT PRIMARY KEY, run_id BIGINT, file_hash VARCHAR,
  table_name VARCHAR, rows_in BIGINT, loaded BIGINT, duplicate BIGINT, quarantined BIGINT, left_out BIGINT,
  CHECK (rows_in = loaded + duplicate + quarantined));
ALTER TABLE ledger.loads ADD COLUMN IF NOT EXISTS left_out BIGINT;
CREATE TABLE IF NOT EXISTS ledger.quarantine(load_id BIGINT, file_hash VARCHAR, table_name VARCHAR, line BIGINT,
  reason VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.totals(file_hash VARCHAR, table_name VARCHAR, column_name VARCHAR, rows BIGINT,
  total DECIMAL(38,14));
CREATE TABLE IF NOT EXISTS ledger.warnings(file_hash VARCHAR, warning VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.likely(file_hash VARCHAR, source VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.limits(source VARCHAR PRIMARY KEY, quarantine_limit DOUBLE, held_from BIGINT);
CREATE TABLE IF NOT EXISTS ledger.checks(position BIGINT, result VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.exports(folder VARCHAR);
CREATE TABLE IF NOT EXISTS ledger.pseudonyms(of_nobody VARCHAR);
CREATE OR REPLACE VIEW ledger.superseded AS
  SELECT old.file_hash, max_by(new.file_hash, new.run_id) AS by_hash, max_by(new.name, new.run_id) AS by_name
  FROM ledger.arrivals AS old
  LEFT JOIN ledger.arrivals AS new
    ON (new.name = old.name AND new.run_id > old.run_id
        OR new.name = 'mended/' || old.name AND new.run_id >= old.run_id)
    AND new.file_hash <> old.file_hash
    AND new.file_hash IN (SELECT file_hash FROM ledger.files WHERE status = 'loaded')
  GROUP BY old.file_hash
  HAVING bool_and(new.name IS NOT NULL) OR bool_or(new.name = 'mended/' || old.name);
CREATE OR REPLACE VIEW ledger.open_quarantine AS
  SELECT * FROM ledger.quarantine WHERE file_hash NOT IN (SELECT file_hash FROM ledger.superseded);
CREATE OR REPLACE VIEW ledger.counted_quarantine AS
  SELECT q.*,
    CASE WHEN q.line IS NULL THEN l.quarantined - count(q.line) OVER (PARTITION BY q.load_id) ELSE 1 END AS rows
  FROM ledger.open_quarantine AS q JOIN ledger.loads AS l USING (load_id);
"""
"""`left_out` are rows that the `where` of a mapping left out, on top of rows_in; NULL in loads from before they were
counted. `reading` tells how the mapping read the rows of a file; NULL of files taken in before that was kept.

A content is superseded once a newer file replaced it under each of its names, or `mended/` under any of them."""


def open_warehouse(
    path: Path,
    *,
    key: bytes | None = None,
    read_only: bool = False,
    threads: int | None = None,
    memory_limit: str = "80%",
    rebuild: str = "make rebuild",
) -> duckdb.DuckDBPyConnection:
    """Open a warehouse file: UTC, no network, no extension installs, no progress bar in pipes.

    `memory_limit` is a share of the memory the process may use, or a size such as `2GB`. What does not fit is spilled
    to a folder beside the file, as private as the file itself; a database in memory spills nowhere. Raises RoiError
    when the file cannot be opened as a DuckDB database, with `rebuild`, the command that makes it anew.
    """
    spill = None if str(path) == ":memory:" else path.with_name(path.name + ".tmp")
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "checkpoint_threshold": "1GB",  # a run ends with a checkpoint of its own
        "memory_limit": memory_limit,
        "temp_directory": str(spill or ""),
    }
    if threads:
        config["threads"] = threads
    try:
        con = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        raise RoiError(
            f"{path} cannot be opened: {str(error).splitlines()[0]}\nRun `{rebuild}` to build it anew from the exports."
        ) from None
    if spill and not read_only:
        # One process alone has the file open for writing, so what lies there was left by a run that was killed.
        shutil.rmtree(spill, ignore_errors=True)
    con.execute("SET TimeZone='UTC'; SET enable_progress_bar=false; SET preserve_insertion_order=true")
    if key is not None:
        define_pseudonym(con, key)
    return con


def create_schemas(con: duckdb.DuckDBPyConnection) -> None:
    """Create every schema and table that is not there yet."""
    for name in ("core", "history", "ledger", "facts", "states", "kpi"):
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
    con.execute(_LEDGER)
    for table in load_tables().values():
        con.execute(ddl(table, "core"))
        con.execute(ddl(table, "history"))
        con.execute(f"ALTER TABLE history.{table.name} ADD COLUMN IF NOT EXISTS _replaced_by BIGINT")


def outgrown_tables(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Table -> how its columns differ from those declared, for tables that an older version made."""
    held: dict[str, dict[str, str]] = {}
    listed = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'core' ORDER BY ALL"
    for table, column, sql_type in con.execute(listed).fetchall():
        held.setdefault(table, {})[column] = sql_type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replace(
            " ", ""
        )
    found = {}
    for name, table in load_tables().items():
        wanted = {column.name: column.sql_type.replace(" ", "") for column in table.columns}
        has = {column: sql_type for column, sql_type in held[name].items() if not column.startswith("_")}
        if has != wanted:
            missing, other = sorted(wanted.keys() - has.keys()), sorted(has.items() - wanted.items())
            told = [f"lacks {', '.join(missing)}"] if missing else []
            told += [f"has {', '.join(f'{column} {sql_type}' for column, sql_type in other)}"] if other else []
            found[name] = " and ".join(told)
    return found


@lru_cache(maxsize=1024)
def parsed(sql: str) -> duckdb.Statement:
    """One statement parsed once per process, for what runs anew for every file.

    Such a statement names every column of a table, and parsing it takes as long as running it on a few hundred rows.
    """
    (statement,) = duckdb.extract_statements(sql)
    return statement


@contextmanager
def warehouse(
    path: Path,
    *,
    key: bytes | None = None,
    read_only: bool = False,
    threads: int | None = None,
    rebuild: str = "make rebuild",
) -> Iterator[duckdb.DuckDBPyConnection]:
    """`open_warehouse` as a context that closes."""
    con = open_warehouse(path, key=key, read_only=read_only, threads=threads, rebuild=rebuild)
    try:
        yield con
    finally:
        con.close()


@contextmanager
def half_the_memory(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let DuckDB hold half of what it may, so that frames find room beside it; the limit is the old one afterwards.

    What DuckDB holds and cannot spill may be more than that; then it keeps its limit.
    """
    ((whole,),) = con.execute("SELECT current_setting('memory_limit')").fetchall()
    size, unit = whole.split(" ")
    try:
        con.execute(f"SET memory_limit = '{float(size) / 2} {unit}'")
    except duckdb.OutOfMemoryException:
        yield
        return
    try:
        yield
    finally:
        con.execute(f"SET memory_limit = '{whole}'")


def rows(con: duckdb.DuckDBPyConnection, sql: str, parameters: list[object] | None = None) -> list[dict[str, object]]:
    """Run one query on a cursor of its own and return its rows as dictionaries; times are UTC."""
    cursor = con.cursor()
    try:
        cursor.execute("SET TimeZone='UTC'")
        result = cursor.execute(sql, parameters or [])
        zoned = {column[0] for column in result.description if column[1] == "TIMESTAMP WITH TIME ZONE"}
        if zoned:
            # DuckDB hands out times with a zone only where pytz is installed, so they come without and get it here.
            plain = ", ".join(f'"{name}"::TIMESTAMP AS "{name}"' for name in sorted(zoned))
            result = cursor.execute(f"SELECT * REPLACE ({plain}) FROM ({sql})", parameters or [])
        names = [column[0] for column in result.description]
        return [_in_utc(dict(zip(names, row, strict=True)), zoned) for row in result.fetchall()]
    finally:
        cursor.close()


def _in_utc(row: dict[str, object], zoned: set[str]) -> dict[str, object]:
    for name in zoned:
        moment = row[name]
        if isinstance(moment, datetime):
            row[name] = moment.replace(tzinfo=UTC)
    return row
