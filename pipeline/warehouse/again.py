"""Quarantined rows once more: taken out of the ledger, loaded where they are good now, put back where they are not."""

from __future__ import annotations

import duckdb

from pipeline.tables import Table
from pipeline.warehouse import ledger


def release(con: duckdb.DuckDBPyConnection, file_hash: str) -> int:
    """Take the quarantined rows of a file out of its loads into `released(load_id, table_name, line)`; how many."""
    con.execute(
        """CREATE OR REPLACE TEMP TABLE released AS
           SELECT load_id, table_name, line FROM ledger.quarantine WHERE file_hash = ? AND line IS NOT NULL""",
        [file_hash],
    )
    con.execute("DELETE FROM ledger.quarantine WHERE file_hash = ? AND line IS NOT NULL", [file_hash])
    con.execute(
        """UPDATE ledger.loads SET rows_in = rows_in - gone.n, quarantined = quarantined - gone.n
           FROM (SELECT load_id, count(*) AS n FROM released GROUP BY load_id) AS gone
           WHERE loads.load_id = gone.load_id"""
    )
    ((rows,),) = con.execute("SELECT count(*) FROM released").fetchall()
    return int(rows)


def keep_released(con: duckdb.DuckDBPyConnection, table: Table, typed: str, *, file_hash: str) -> None:
    """Leave in the relation `typed` only rows of released lines that this file has not loaded yet.

    A line may make several rows of a table, of which the good ones were loaded when the others were refused.
    """
    key = " AND ".join(f'held."{name}" = {typed}."{name}"' for name in table.key)
    loaded = " OR ".join(
        f"EXISTS (SELECT 1 FROM {schema}.{table.name} AS held WHERE held._file = $file AND "
        f"held._line = {typed}._line AND {key})"
        for schema in ("core", "history")
    )
    lines = "SELECT line FROM released WHERE table_name IN ($table, '')"
    con.execute(
        f"DELETE FROM {typed} WHERE _line NOT IN ({lines}) OR {loaded}", {"file": file_hash, "table": table.name}
    )


def left_out_now(con: duckdb.DuckDBPyConnection, table: str, typed: str) -> int:
    """How many released rows of a table the mapping leaves out by now: those that `typed` holds no more.

    Released records, which could not be read before, are rows of every table; `raw_malformed` holds those that cannot
    be read still.
    """
    ((gone,),) = con.execute(
        f"""SELECT (SELECT count(*) FROM released WHERE table_name IN (?, '')) - (SELECT count(*) FROM raw_malformed)
              - (SELECT count(*) FROM {typed})""",
        [table],
    ).fetchall()
    return max(int(gone), 0)


def keep_released_records(con: duckdb.DuckDBPyConnection) -> int:
    """Leave in `raw_malformed` only released lines; how many."""
    con.execute("DELETE FROM raw_malformed WHERE line NOT IN (SELECT line FROM released WHERE table_name = '')")
    ((rows,),) = con.execute("SELECT count(*) FROM raw_malformed").fetchall()
    return int(rows)


def put_back(con: duckdb.DuckDBPyConnection, file_hash: str, *, since_load: int) -> int:
    """Count rows that are still refused with the load that first refused them, not with this run's; how many there are.

    So a load of this run holds what was settled, and every row is counted in one load.
    """
    for table, load_id, rows, old in con.execute(
        """SELECT table_name, load_id, quarantined, (SELECT max(old.load_id) FROM ledger.loads AS old
             WHERE old.file_hash = new.file_hash AND old.table_name = new.table_name AND old.load_id < $since)
           FROM ledger.loads AS new WHERE file_hash = $file AND load_id >= $since AND quarantined > 0""",
        {"file": file_hash, "since": since_load},
    ).fetchall():
        if old is not None:
            _move(con, table, rows, source=load_id, target=old)
    con.execute(
        "DELETE FROM ledger.loads WHERE file_hash = ? AND load_id >= ? AND rows_in = 0 AND left_out = 0",
        [file_hash, since_load],
    )
    ((left,),) = con.execute("SELECT count(*) FROM ledger.quarantine WHERE file_hash = ?", [file_hash]).fetchall()
    return int(left)


def _move(con: duckdb.DuckDBPyConnection, table: str, rows: int, *, source: int, target: int) -> None:
    con.execute(
        "UPDATE ledger.quarantine SET load_id = ? WHERE load_id = ? AND table_name = ?", [target, source, table]
    )
    for load_id, more in ((source, -rows), (target, rows)):
        con.execute(
            "UPDATE ledger.loads SET rows_in = rows_in + ?, quarantined = quarantined + ? WHERE load_id = ?",
            [more, more, load_id],
        )


def settled(con: duckdb.DuckDBPyConnection, file_hash: str, *, since_load: int) -> tuple[int, int, int]:
    """How many rows of a file were loaded, found to be duplicates, and left out, from a load on."""
    ((loaded, duplicate, left_out),) = con.execute(
        "SELECT coalesce(sum(loaded), 0)::BIGINT, coalesce(sum(duplicate), 0)::BIGINT, "
        "coalesce(sum(left_out), 0)::BIGINT FROM ledger.loads WHERE file_hash = ? AND load_id >= ?",
        [file_hash, since_load],
    ).fetchall()
    return int(loaded), int(duplicate), int(left_out)


def enter_held(con: duckdb.DuckDBPyConnection, table: str, *, file_hash: str, run_id: int, left_out: int) -> int:
    """Enter every row of a table as quarantined with its file: the bad ones by line and reason, the others together.

    Those that the mapping has `left_out` stay so. Reads the judged rows `typed_<table>` and `verdicts_<table>`; returns
    how many rows there are.
    """
    load_id = ledger.next_load(con)
    ((rows,),) = con.execute(f"SELECT count(*) FROM typed_{table}").fetchall()
    values = [load_id, file_hash, table]
    con.execute(
        f"""INSERT INTO ledger.quarantine SELECT ?, ?, ?, _line, reason
            FROM typed_{table} JOIN verdicts_{table} USING (_row) ORDER BY _row""",
        values,
    )
    con.execute(
        f"""INSERT INTO ledger.quarantine SELECT ?, ?, ?, NULL, '{HELD}'
            WHERE EXISTS (SELECT 1 FROM typed_{table} ANTI JOIN verdicts_{table} USING (_row))""",
        values,
    )
    counts = (rows, 0, 0, rows, left_out)
    ledger.enter_load(con, load_id, run_id=run_id, file_hash=file_hash, table=table, counts=counts)
    return int(rows)


HELD = "held back with its file"
"""The reason of rows that break no rule, in a file of which too many others do."""
