"""Judging a batch: staged texts become typed rows, and every row that breaks a rule gets its reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from pipeline.contracts.casting import literal, typed_rows_sql
from pipeline.contracts.rules import sql_rules
from pipeline.contracts.schemas import as_typed_frame, broken_rules, frame_sql
from pipeline.tables import Table, quoted
from pipeline.warehouse.connection import parsed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


PANDERA_UP_TO_ROWS = 20_000


def judge(
    con: DuckDBPyConnection,
    table: Table,
    *,
    staged: str,
    typed: str,
    verdicts: str,
    now: datetime,
    pandera_up_to_rows: int = PANDERA_UP_TO_ROWS,
) -> None:
    """Create temp tables `typed` (every row, cast) and `verdicts` (`_row`, `reason`; one row per bad row).

    Beside the columns of the table, `typed` may hold texts that rules needed, as `_text_<column>`.
    `staged` names a relation with `_row`, `_line`, `_version` and the text of every canonical column. The reasons of a
    row are joined by '; ' in declaration order. Batches of up to `pandera_up_to_rows` rows are validated by the
    pandera schema, bigger ones by the SQL of the same rules in one pass. `now` is the run's clock and must carry a
    time zone.
    """
    if _count(con, staged) > pandera_up_to_rows:
        judge_in_one_pass(con, table, staged=staged, typed=typed, verdicts=verdicts, now=now)
        return
    with _utc_session(con):
        _judge_by_pandera(con, table, staged=staged, typed=typed, verdicts=verdicts, now=now)


def judge_in_one_pass(
    con: DuckDBPyConnection,
    table: Table,
    *,
    staged: str,
    typed: str,
    verdicts: str,
    now: datetime,
    quick: Collection[str] = (),
) -> None:
    """The same by the SQL of the rules, whatever the size; `staged` may be a subquery, for it is read once.

    Of the columns `quick` it has values as `_quick_<column>` beside the texts.
    """
    with _utc_session(con):
        columns, reasons = _typed_columns(table), _reasons_sql(sql_rules(table, now))
        rows = typed_rows_sql(table, staged, quick=quick)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {typed} AS SELECT {columns}, {reasons} AS _reason FROM ({rows})")
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {verdicts} AS "
            f"SELECT _row, _reason AS reason FROM {typed} WHERE _reason IS NOT NULL ORDER BY _row"
        )
        con.execute(f"ALTER TABLE {typed} DROP COLUMN _reason")


def _judge_by_pandera(
    con: DuckDBPyConnection, table: Table, *, staged: str, typed: str, verdicts: str, now: datetime
) -> None:
    con.execute(parsed(f"CREATE OR REPLACE TEMP TABLE {typed} AS {typed_rows_sql(table, staged)}"))
    frame = as_typed_frame(table, con.execute(parsed(frame_sql(table, typed=typed))).df())
    broken = broken_rules(table, frame, now)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {verdicts} (_row BIGINT, reason VARCHAR)")
    if rows := sorted(broken):
        con.execute(
            f"INSERT INTO {verdicts} SELECT unnest($rows::BIGINT[]), unnest($reasons::VARCHAR[])",
            {"rows": rows, "reasons": ["; ".join(broken[row]) for row in rows]},
        )


def _typed_columns(table: Table) -> str:
    return ", ".join(["_row", "_line", "_version", *(quoted(name) for name in table.column_names)])


def _reasons_sql(declared: list[tuple[str, str]]) -> str:
    """SQL of the reasons of a row, null for a good one; they are put together for bad rows only."""
    if not declared:
        return "CAST(NULL AS VARCHAR)"
    is_bad = " OR ".join(f"({predicate})" for _, predicate in declared)
    reasons = ", ".join(f"CASE WHEN {predicate} THEN {literal(reason)} END" for reason, predicate in declared)
    return f"CASE WHEN {is_bad} THEN concat_ws('; ', {reasons}) END"


def _count(con: DuckDBPyConnection, relation: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {relation}").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _utc_session(con: DuckDBPyConnection) -> Iterator[None]:
    """Times without an offset are UTC: DuckDB casts them in the session's zone, which is put back afterwards."""
    row = con.execute("SELECT current_setting('TimeZone')").fetchone()
    zone = str(row[0]) if row else "UTC"
    if zone == "UTC":
        yield
        return
    con.execute("SET TimeZone = 'UTC'")
    try:
        yield
    finally:
        con.execute(f"SET TimeZone = {literal(zone)}")
