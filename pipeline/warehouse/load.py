"""Loading judged rows: each is loaded, found to be a duplicate, or quarantined, and the three are counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import duckdb

from pipeline.tables import Table
from pipeline.warehouse import ledger
from pipeline.warehouse.connection import parsed


@dataclass(frozen=True)
class Load:
    """Counts of one file's rows of one table: rows_in = loaded + duplicate + quarantined; those left out on top."""

    load_id: int
    rows_in: int
    loaded: int
    duplicate: int
    quarantined: int
    left_out: int = 0


def load_rows(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    *,
    typed: str,
    verdicts: str,
    file_hash: str,
    run_id: int,
    left_out: int = 0,
) -> Load:
    """Load the good rows of relation `typed` into `core.<table>` and enter the load in the ledger.

    A row equal to one already there is a duplicate. A row with the key of another and a newer version replaces it
    (the old one moves to `history`), an older version goes to `history` at once, and a row that contradicts another
    without saying which is newer is quarantined with the place of the other. Rows that were `left_out` before are
    entered as that.
    """
    load_id = ledger.next_load(con)
    good = _good_rows(con, typed, verdicts)
    if _are_all_new(con, table, good):
        load = _load_new(con, table, load_id, good=good, typed=typed, verdicts=verdicts, file_hash=file_hash)
    else:
        load = _load_compared(con, table, load_id, typed=typed, verdicts=verdicts, file_hash=file_hash)
    return _entered(con, table, replace(load, left_out=left_out), file_hash=file_hash, run_id=run_id)


def _entered(con: duckdb.DuckDBPyConnection, table: Table, load: Load, *, file_hash: str, run_id: int) -> Load:
    counts = (load.rows_in, load.loaded, load.duplicate, load.quarantined, load.left_out)
    ledger.enter_load(con, load.load_id, run_id=run_id, file_hash=file_hash, table=table.name, counts=counts)
    return load


def insert_rows(con: duckdb.DuckDBPyConnection, table: Table, load_id: int, *, rows: str, file_hash: str) -> int:
    """Load the rows of a SELECT of `_line`, `_version` and every column of the table, as they come; how many.

    What else belongs to the load is for `finish_load`, which also finds rows that should not have been loaded so.
    """
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    into = f"INSERT INTO core.{table.name} SELECT {columns}, ?, _line, ?, _version FROM ({rows})"
    ((loaded,),) = con.execute(into, [file_hash, load_id]).fetchall()
    return int(loaded)


def finish_load(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    load_id: int,
    *,
    inserted: int,
    rest: tuple[str, str] | None,
    file_hash: str,
    run_id: int,
    left_out: int = 0,
) -> Load | None:
    """Load the rest of a file of which rows are inserted, and enter the load; None when some row has a rival.

    The `rest` are the names of typed rows and their verdicts. After None the transaction is to be rolled back.
    """
    load = Load(load_id, inserted, inserted, 0, 0)
    if rest:
        typed, verdicts = rest
        good = _good_rows(con, typed, verdicts)
        more = _load_new(con, table, load_id, good=good, typed=typed, verdicts=verdicts, file_hash=file_hash)
        load = Load(load_id, inserted + more.rows_in, inserted + more.loaded, 0, more.quarantined)
    new = f"(SELECT * FROM core.{table.name} WHERE _load_id = {load_id})"
    held = f"(SELECT * FROM core.{table.name} WHERE _load_id <> {load_id})"
    if not _are_all_new(con, table, new, held):
        return None
    return _entered(con, table, replace(load, left_out=left_out), file_hash=file_hash, run_id=run_id)


def has_rivals(con: duckdb.DuckDBPyConnection, table: Table, rows: str) -> bool:
    """Whether two rows of a SELECT have one key, or one of them has a key that is in `core`."""
    return not _are_all_new(con, table, f"({rows})")


def missing_lines(con: duckdb.DuckDBPyConnection, table: Table, load_id: int, *, first: int, last: int) -> list[int]:
    """The lines from `first` to `last` of which a load has no row."""
    con.execute(
        f"""SET VARIABLE loaded_lines = (SELECT bitstring_agg(_line::INTEGER, {first}, {last})
            FROM core.{table.name} WHERE _load_id = {load_id})"""
    )
    found = con.execute(
        f"""SELECT line FROM range({first}, {last + 1}) AS lines(line)
            WHERE coalesce(get_bit(getvariable('loaded_lines'), (line - {first})::INTEGER), 0) = 0 ORDER BY line"""
    )
    return [line for (line,) in found.fetchall()]


def _load_compared(
    con: duckdb.DuckDBPyConnection, table: Table, load_id: int, *, typed: str, verdicts: str, file_hash: str
) -> Load:
    """Load rows of which some may have a rival, in the batch or in `core`."""
    fates = _judge(con, table, typed=typed, verdicts=verdicts, file_hash=file_hash)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    source = f"SELECT {columns}, ?, typed._line, ?, typed._version"
    rows = f"FROM {typed} AS typed JOIN judged USING (_row) WHERE fate IN"
    values = [file_hash, load_id]
    if fates["newer"]:
        _retire(con, table, columns, load_id)
    if fates["new"] or fates["newer"]:
        into = f"INSERT INTO core.{table.name} {source} {rows} ('new', 'newer') ORDER BY _row"
        con.execute(parsed(into), values)
    if fates["older"]:
        con.execute(f"INSERT INTO history.{table.name} {source}, NULL {rows} ('older') ORDER BY _row", values)
    if fates["bad"]:
        con.execute(
            "INSERT INTO ledger.quarantine SELECT ?, ?, ?, _line, reason FROM judged WHERE fate = 'bad' ORDER BY _row",
            [load_id, file_hash, table.name],
        )
    loaded = fates["new"] + fates["newer"] + fates["older"]
    return Load(load_id, fates.total(), loaded, fates["duplicate"], fates["bad"])


def _are_all_new(con: duckdb.DuckDBPyConnection, table: Table, good: str, held: str = "") -> bool:
    """No two rows of `good` have one key, and none has a key that is in `core`, or in `held`; false when in doubt.

    Keys with different hashes differ, so counting the hashes suffices.
    """
    key = ", ".join(f'"{name}"' for name in table.key)
    ((rows, keys),) = con.execute(parsed(f"SELECT count(*), count(DISTINCT hash({key})) FROM {good}")).fetchall()
    if keys < rows:
        return False
    held = held or f"core.{table.name}"
    met = f"SELECT 1 FROM {held} AS held JOIN {good} AS good ON {_on_key(table, 'good', 'held')} LIMIT 1"
    return con.execute(parsed(met)).fetchone() is None


def _good_rows(con: duckdb.DuckDBPyConnection, typed: str, verdicts: str) -> str:
    """The rows without verdict, as a relation that keeps their order: bad ones are bits of a variable, not a join."""
    sql = f"SELECT (SELECT count(*) FROM {verdicts}), max(_row) FROM {typed}"
    ((bad, last),) = con.execute(parsed(sql)).fetchall()
    if not bad:
        return typed
    con.execute(f"SET VARIABLE bad_rows = (SELECT bitstring_agg(_row::INTEGER, 0, {last}) FROM {verdicts})")
    return f"(SELECT * FROM {typed} WHERE get_bit(getvariable('bad_rows'), _row::INTEGER) = 0)"


def _load_new(
    con: duckdb.DuckDBPyConnection, table: Table, load_id: int, *, good: str, typed: str, verdicts: str, file_hash: str
) -> Load:
    """Load rows of which none has a rival, in the order they have: nothing is compared and nothing sorted."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    into = f"INSERT INTO core.{table.name} SELECT {columns}, ?, _line, ?, _version FROM {good}"
    ((loaded,),) = con.execute(parsed(into), [file_hash, load_id]).fetchall()
    ((bad,),) = con.execute(
        f"""INSERT INTO ledger.quarantine
            SELECT ?, ?, ?, _line, reason FROM {typed} JOIN {verdicts} USING (_row) ORDER BY _row""",
        [load_id, file_hash, table.name],
    ).fetchall()
    return Load(load_id, loaded + bad, loaded, 0, bad)


def enter_totals(con: duckdb.DuckDBPyConnection, table: Table, columns: tuple[str, ...], *, file_hash: str) -> None:
    """Enter the control totals a source declares: sums over the rows loaded from one file."""
    for column in columns:
        con.execute(
            f"""INSERT INTO ledger.totals SELECT ?, ?, ?, count(*), coalesce(sum("{column}"), 0)
                FROM core.{table.name} WHERE _file = ?""",
            [file_hash, table.name, column, file_hash],
        )


def _judge(con: duckdb.DuckDBPyConnection, table: Table, *, typed: str, verdicts: str, file_hash: str) -> Counter[str]:
    """Write `judged(_row, _line, fate, reason, leader, held)` and count the fates: new, newer, older, duplicate, bad.

    A row whose key nobody else has is new, and most batches hold no other: only rows with a rival are compared, which
    takes every column. The leader of the rows of one key is the newest of them; it alone meets the row held in `core`.
    """
    key = ", ".join(f'"{name}"' for name in table.key)
    sql = f"""CREATE OR REPLACE TEMP TABLE judged AS
            SELECT _row, good._line, if(_row = leader AND held.rowid IS NULL, 'new', NULL) AS fate,
              NULL::VARCHAR AS reason, leader, held.rowid AS held
            FROM (SELECT _row, _line, {key},
                    first_value(_row) OVER (PARTITION BY {key} ORDER BY _version DESC NULLS LAST, _row) AS leader
                  FROM {typed} ANTI JOIN {verdicts} USING (_row)) AS good
            LEFT JOIN core.{table.name} AS held ON {_on_key(table, "good", "held")}
            UNION ALL
            SELECT _row, _line, 'bad', reason, NULL, NULL FROM {typed} JOIN {verdicts} USING (_row)"""
    con.execute(parsed(sql))
    fates = _fates(con)
    if fates[""]:
        _compare(con, table, typed, file_hash=file_hash)
        fates = _fates(con)
    return fates


def _fates(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    return Counter(dict(con.execute("SELECT coalesce(fate, ''), count(*) FROM judged GROUP BY fate").fetchall()))


def _compare(con: duckdb.DuckDBPyConnection, table: Table, typed: str, *, file_hash: str) -> None:
    """Settle the rows that have a rival: the leader of their key in the batch, or, for a leader, the row in `core`.

    A rival in an earlier content of the same file name is told apart by that content, else it would read as itself.
    """
    same = f"{_others(table, 'mine')} IS NOT DISTINCT FROM {_others(table, 'rival')}"
    again = (
        f"EXISTS (SELECT 1 FROM history.{table.name} AS rival WHERE {_on_key(table, 'mine', 'rival')} "
        f"AND rival._version = mine._version AND {same})"
    )
    mine = f"FROM judged JOIN {typed} AS mine USING (_row)"
    sql = f"""UPDATE judged SET fate = told.fate, reason = CASE WHEN told.fate = 'bad' THEN
              'other values under the same key as ' || told.place END
            FROM (
              SELECT _row, place, CASE WHEN same THEN 'duplicate' WHEN mine_version > rival_version THEN 'newer'
                WHEN mine_version < rival_version THEN 'older' ELSE 'bad' END AS fate
              FROM (
                SELECT mine._row, 'line ' || rival._line || ' of this file' AS place, {same} AS same,
                  mine._version AS mine_version, rival._version AS rival_version
                {mine} JOIN {typed} AS rival ON rival._row = leader AND rival._row <> mine._row
                UNION ALL
                SELECT mine._row, coalesce(files.name, 'an earlier file') || ':' || rival._line
                    || if(files.name = (SELECT name FROM ledger.files WHERE file_hash = ?),
                          ' received earlier (content ' || left(rival._file, 8) || ')', ''),
                  {same} OR {again}, mine._version, rival._version
                {mine} JOIN core.{table.name} AS rival ON rival.rowid = held AND leader = mine._row
                LEFT JOIN ledger.files AS files ON files.file_hash = rival._file)) AS told
            WHERE judged._row = told._row"""
    con.execute(parsed(sql), [file_hash])


def _retire(con: duckdb.DuckDBPyConnection, table: Table, columns: str, load_id: int) -> None:
    """Move rows that a newer version replaces from `core` to `history`."""
    replaced = f"FROM core.{table.name} WHERE rowid IN (SELECT held FROM judged WHERE fate = 'newer')"
    con.execute(
        f"INSERT INTO history.{table.name} SELECT {columns}, _file, _line, _load_id, _version, ? {replaced}", [load_id]
    )
    con.execute(f"DELETE {replaced}")


def _on_key(table: Table, left: str, right: str) -> str:
    return " AND ".join(f'{left}."{name}" = {right}."{name}"' for name in table.key)


def _others(table: Table, row: str) -> str:
    """All values beside the key as one SQL value; nulls in it are equal to each other."""
    others = [f'{row}."{column.name}"' for column in table.columns if column.name not in table.key]
    return f"row({', '.join(others) or 'TRUE'})"
