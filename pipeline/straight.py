"""Large files loaded while they are read: rows that need no mending at once, the others the long way after them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.contracts import PANDERA_UP_TO_ROWS, sql_rules
from pipeline.judging import judge_table
from pipeline.sources.bytes_check import DEFAULT_LIMITS
from pipeline.sources.file_source import FileSource, file_source
from pipeline.sources.model import SourceMapping
from pipeline.sources.plan import Plan
from pipeline.sources.readers import RawFile, read_some
from pipeline.sources.stage import Staged
from pipeline.sources.straight import Straight, straight
from pipeline.tables import load_tables
from pipeline.warehouse import ledger
from pipeline.warehouse.load import Load, finish_load, has_rivals, insert_rows, missing_lines

_SAMPLE, _MOST_ODD = 4_096, 0.1
"""With a greater share of odd rows among the first ones the straight way does not pay."""
_SEQUENCE = "CREATE OR REPLACE TEMP SEQUENCE odd_rows"


class NotStraightError(Exception):
    """The file turned out not to be one for the straight way; nothing of it may stay loaded."""


@dataclass(frozen=True)
class Loaded:
    """A file of which every row is settled: its load, its records, and its rows as they were staged."""

    load: Load
    raw: RawFile
    judged: Staged


@dataclass(frozen=True)
class StraightFile:
    """A file that can be loaded while it is read, and how."""

    path: Path
    name: str
    mapping: SourceMapping
    source: FileSource
    how: Straight
    now: datetime

    def rows_sql(self, *, first: int | None = None, parts: int = 1) -> str:
        """SELECT of the rows that need no mending and break no rule; see `Straight.rows_sql`."""
        rules = sql_rules(self.how.plan.table, self.now)
        bad = " OR ".join(f"({predicate})" for _, predicate in rules) or "FALSE"
        return self.how.rows_sql(bad, first=first, parts=parts)


def straight_file(
    con: duckdb.DuckDBPyConnection, path: Path, *, name: str, mapping: SourceMapping, now: datetime
) -> StraightFile | None:
    """How a file is loaded while it is read; None for small ones and all that the long way alone can take.

    The first rows tell: too many of them need mending, or have a key that is there already.
    """
    table_name = next(iter(mapping.tables))
    plan = Plan(mapping, load_tables()[table_name], mapping.tables[table_name])
    try:
        source = file_source(con, path, name=name, plan=plan, limits=DEFAULT_LIMITS)
        if source is None or source.records <= PANDERA_UP_TO_ROWS:
            return None
        file = StraightFile(path, name, mapping, source, straight(con, plan, source), now)
        con.execute(_SEQUENCE)
        first = file.rows_sql(first=_SAMPLE)
        con.execute(f"CREATE OR REPLACE TEMP TABLE straight_sample AS {first}")
        is_odd = _odd_rows(con) > _MOST_ODD * _SAMPLE
        return None if is_odd or has_rivals(con, plan.table, "SELECT * FROM straight_sample") else file
    except duckdb.Error:
        return None


def load_straight(con: duckdb.DuckDBPyConnection, file: StraightFile, *, file_hash: str, run_id: int) -> Loaded:
    """Load a file within a transaction; NotStraightError when it must be rolled back and taken the long way.

    That is so when records are not lines after all, some row has a rival, or more rows are bad than may be.
    """
    table, source = file.how.plan.table, file.source
    con.execute(_SEQUENCE)
    load_id = ledger.next_load(con)
    ((threads,),) = con.execute("SELECT current_setting('threads')").fetchall()
    con.execute("SET preserve_insertion_order = false")  # else parts of a file are read one after the other
    try:
        inserted = insert_rows(con, table, load_id, rows=file.rows_sql(parts=threads), file_hash=file_hash)
    finally:
        con.execute("SET preserve_insertion_order = true")
    odd = _odd_rows(con)
    if inserted + odd != source.records:
        raise NotStraightError
    raw, judged, rest = RawFile(inserted, 0), Staged(inserted, 0), None
    if odd:
        first = source.header_lines + 1
        lines = missing_lines(con, table, load_id, first=first, last=source.header_lines + source.records)
        if len(lines) != odd:
            raise NotStraightError
        some = read_some(
            con, file.path, name=file.name, mapping=file.mapping, lines=lines, header_lines=source.header_lines
        )
        raw = RawFile(inserted + some.records_in, some.malformed)
        found = judge_table(con, file.mapping, table.name, now=file.now, by_sql=True)
        judged = replace(found, rows=inserted + found.rows)
        rest = (f"typed_{table.name}", f"verdicts_{table.name}")
    load = finish_load(
        con,
        table,
        load_id,
        inserted=inserted,
        rest=rest,
        file_hash=file_hash,
        run_id=run_id,
        left_out=judged.left_out,
    )
    if load is None:
        raise NotStraightError
    return Loaded(load, raw, judged)


def _odd_rows(con: duckdb.DuckDBPyConnection) -> int:
    """How many rows were left out since the sequence was made."""
    ((counted,),) = con.execute("SELECT nextval('odd_rows')").fetchall()
    return int(counted) - 1
