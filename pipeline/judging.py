"""Staging and judging the rows that one file has for its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.contracts import PANDERA_UP_TO_ROWS, judge, judge_in_one_pass
from pipeline.sources.model import SourceMapping
from pipeline.sources.naming import file_names, name_columns
from pipeline.sources.plan import Plan
from pipeline.sources.quick import is_quick, quick_rows
from pipeline.sources.readers import has_more_records
from pipeline.sources.sql import count
from pipeline.sources.stage import Staged, ambiguous_times, explained, left_out, of_all_tables, stage
from pipeline.tables import load_tables


@dataclass(frozen=True)
class Emptied:
    """A table of which `where` leaves out every row that a file has: its place in the mapping, its text, how many."""

    where: str
    table: str
    condition: str
    rows: int

    def __str__(self) -> str:
        """The same in words."""
        rows = "the only row" if self.rows == 1 else f"all {self.rows} rows"
        return f"{self.where}: `where` of {self.table} leaves out {rows}: {self.condition}"


def judge_table(
    con: duckdb.DuckDBPyConnection, mapping: SourceMapping, name: str, *, now: datetime, by_sql: bool = False
) -> Staged:
    """Stage and judge the rows one file has for a table; how many there are, and how many `where` leaves out.

    Leaves them as `typed_<name>` and the reasons against the bad ones as `verdicts_<name>`. Rows of many records are
    staged and judged in one pass where each of them is one record, and any number of them when `by_sql` says so.
    """
    table, typed, verdicts = load_tables()[name], f"typed_{name}", f"verdicts_{name}"
    plan = Plan(mapping, table, mapping.tables[name])
    if is_quick(plan) and (by_sql or has_more_records(con, PANDERA_UP_TO_ROWS)):
        with explained(con, plan):
            rows = quick_rows(con, plan)
            staged = f"({rows.relation})"
            judge_in_one_pass(con, table, staged=staged, typed=typed, verdicts=verdicts, now=now, quick=rows.columns)
            judged = count(con, f"SELECT count(*) FROM {typed}")
            found = Staged(judged, ambiguous_times(con, plan), left_out(con, plan, judged))
    else:
        found = stage(con, mapping, name, staged=f"staged_{name}")
        judge(con, table, staged=f"staged_{name}", typed=typed, verdicts=verdicts, now=now)
    name_columns(con, verdicts, file_names(mapping, name))
    return found


def judge_tables(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, *, now: datetime) -> dict[str, Staged]:
    """`judge_table` of every table of a mapping; raises ConfigurationError with what is wrong in all of them."""
    return of_all_tables(mapping, lambda name: judge_table(con, mapping, name, now=now))


def emptied(mapping: SourceMapping, judged: Mapping[str, Staged]) -> Iterator[Emptied]:
    """The tables of a file that a `where` leaves without rows; none where some table of it has rows."""
    if any(one.rows for one in judged.values()):
        return
    for name, one in judged.items():
        if one.left_out:
            condition = " ".join((mapping.tables[name].where or "").split())
            yield Emptied(mapping.where("tables", name, "where"), name, condition, one.left_out)


def emptied_files(found: Mapping[str, Iterable[Emptied]], *, rebuild: str) -> Iterator[str]:
    """What a run says of each `where` that leaves files without rows; `rebuild` reads them again."""
    rows: Counter[tuple[str, str, str]] = Counter()
    files: dict[tuple[str, str, str], list[str]] = {}
    for file, tables in found.items():
        for one in tables:
            key = (one.where, one.table, one.condition)
            rows[key] += one.rows
            files.setdefault(key, []).append(file)
    for key, names in sorted(files.items()):
        more = f" and {len(names) - 1} more" if names[1:] else ""
        where, table, condition = key
        told = f"{where}: `where` of {table} leaves out every row ({rows[key]}) of {names[0]}{more}: {condition}"
        yield f"{told}; expected one to be taken: mend it, then {rebuild}"
