"""Loading judged rows: each is loaded, found to be a duplicate, or quarantined, and the three are counted."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from pipeline.tables import Table
from pipeline.warehouse import ledger


@dataclass(frozen=True)
class Load:
    """Counts of one file's rows of one table: rows_in = loaded + duplicate + quarantined."""

    load_id: int
    rows_in: int
    loaded: int
    duplicate: int
    quarantined: int


def load_rows(
    con: duckdb.DuckDBPyConnection, table: Table, *, typed: str, verdicts: str, file_hash: str, run_id: int
) -> Load:
    """Load the good rows of relation `typed` into `core.<table>` and enter the load in the ledger.

    A row equal to one already there is a duplicate. A row with the key of another and a newer version replaces it
    (the old one moves to `history`), an older version goes to `history` at once, and a row that contradicts another
    without saying which is newer is quarantined with the place of the other.
    """
    load_id = ledger.next_load(con)
    _judge(con, table, typed=typed, verdicts=verdicts)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    source = f"SELECT {columns}, ?, typed._line, ?, typed._version"
    values = [file_hash, load_id]
    _retire(con, table, columns, load_id)
    con.execute(
        f"INSERT INTO core.{table.name} {source} FROM {typed} AS typed JOIN judged USING (_row) "
        "WHERE fate IN ('new', 'newer') ORDER BY _row",
        values,
    )
    con.execute(
        f"INSERT INTO history.{table.name} {source}, NULL FROM {typed} AS typed JOIN judged USING (_row) "
        "WHERE fate = 'older' ORDER BY _row",
        values,
    )
    con.execute(
        "INSERT INTO ledger.quarantine SELECT ?, ?, ?, _line, reason FROM judged WHERE fate = 'bad' ORDER BY _row",
        [load_id, file_hash, table.name],
    )
    return _enter(con, Load(load_id, *_counts(con)), table=table, file_hash=file_hash, run_id=run_id)


def enter_totals(con: duckdb.DuckDBPyConnection, table: Table, columns: tuple[str, ...], *, file_hash: str) -> None:
    """Enter the control totals a source declares: sums over the rows loaded from one file."""
    for column in columns:
        con.execute(
            f"""INSERT INTO ledger.totals SELECT ?, ?, ?, count(*), coalesce(sum("{column}"), 0)
                FROM core.{table.name} WHERE _file = ?""",
            [file_hash, table.name, column, file_hash],
        )


def _judge(con: duckdb.DuckDBPyConnection, table: Table, *, typed: str, verdicts: str) -> None:
    """Write `judged(_row, _line, fate, reason)`, fate being new, newer, older, duplicate or bad."""
    key = ", ".join(f'"{name}"' for name in table.key)
    same = _equal(table, "typed", "leader")
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE leader AS
            SELECT * FROM {typed} WHERE _row NOT IN (SELECT _row FROM {verdicts})
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _version DESC NULLS LAST, _row) = 1"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE judged AS
            SELECT _row, _line, 'bad' AS fate, reason FROM {typed} JOIN {verdicts} USING (_row)
            UNION ALL
            SELECT typed._row, typed._line,
              CASE WHEN {same} THEN 'duplicate' WHEN typed._version < leader._version THEN 'older' ELSE 'bad' END,
              CASE WHEN {same} OR typed._version < leader._version THEN NULL
                   ELSE 'other values under the same key as line ' || leader._line || ' of this file' END
            FROM {typed} AS typed JOIN leader ON {_on(table, "typed", "leader")} AND typed._row <> leader._row
            WHERE typed._row NOT IN (SELECT _row FROM {verdicts})
            UNION ALL
            {_against_core(table)}"""
    )


def _against_core(table: Table) -> str:
    same = _equal(table, "leader", "held")
    newer, older = "leader._version > held._version", "leader._version < held._version"
    again = (
        f"EXISTS (SELECT 1 FROM history.{table.name} AS old WHERE {_on(table, 'leader', 'old')} "
        f"AND old._version = leader._version AND {_equal(table, 'leader', 'old')})"
    )
    return f"""SELECT leader._row, leader._line,
          CASE WHEN held._line IS NULL THEN 'new' WHEN {same} OR {again} THEN 'duplicate'
               WHEN {newer} THEN 'newer' WHEN {older} THEN 'older' ELSE 'bad' END,
          CASE WHEN held._line IS NULL OR {same} OR {again} OR {newer} OR {older} THEN NULL
               ELSE 'other values under the same key as ' || coalesce(files.name, 'an earlier file')
                    || ':' || held._line END
        FROM leader LEFT JOIN core.{table.name} AS held ON {_on(table, "leader", "held")}
        LEFT JOIN ledger.files AS files ON files.file_hash = held._file"""


def _retire(con: duckdb.DuckDBPyConnection, table: Table, columns: str, load_id: int) -> None:
    """Move rows that a newer version replaces from `core` to `history`."""
    replaced = (
        f"SELECT held.rowid AS held_row FROM core.{table.name} AS held JOIN leader ON {_on(table, 'leader', 'held')} "
        "JOIN judged ON judged._row = leader._row AND judged.fate = 'newer'"
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE replaced AS {replaced}")
    con.execute(
        f"INSERT INTO history.{table.name} SELECT {columns}, _file, _line, _load_id, _version, ? "
        f"FROM core.{table.name} WHERE rowid IN (SELECT held_row FROM replaced)",
        [load_id],
    )
    con.execute(f"DELETE FROM core.{table.name} WHERE rowid IN (SELECT held_row FROM replaced)")


def _counts(con: duckdb.DuckDBPyConnection) -> tuple[int, int, int, int]:
    row = con.execute(
        """SELECT count(*), count(*) FILTER (WHERE fate IN ('new', 'newer', 'older')),
                  count(*) FILTER (WHERE fate = 'duplicate'), count(*) FILTER (WHERE fate = 'bad') FROM judged"""
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    return row[0], row[1], row[2], row[3]


def _enter(con: duckdb.DuckDBPyConnection, load: Load, *, table: Table, file_hash: str, run_id: int) -> Load:
    con.execute(
        "INSERT INTO ledger.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            load.load_id, run_id, file_hash, table.name, load.rows_in, load.loaded, load.duplicate, load.quarantined,
        ],
    )  # fmt: skip
    return load


def _on(table: Table, left: str, right: str) -> str:
    return " AND ".join(f'{left}."{name}" = {right}."{name}"' for name in table.key)


def _equal(table: Table, left: str, right: str) -> str:
    others = [column.name for column in table.columns if column.name not in table.key]
    if not others:
        return "TRUE"
    return "(" + " AND ".join(f'{left}."{name}" IS NOT DISTINCT FROM {right}."{name}"' for name in others) + ")"
