"""Staging and judging the rows that one file has for one table."""

from __future__ import annotations

from datetime import datetime

import duckdb

from pipeline.contracts import PANDERA_UP_TO_ROWS, judge, judge_in_one_pass
from pipeline.sources.model import SourceMapping
from pipeline.sources.naming import file_names, name_columns
from pipeline.sources.plan import Plan
from pipeline.sources.quick import is_quick, quick_rows
from pipeline.sources.readers import has_more_records
from pipeline.sources.stage import ambiguous_times, explained, stage
from pipeline.tables import load_tables


def judge_table(
    con: duckdb.DuckDBPyConnection, mapping: SourceMapping, name: str, *, now: datetime, by_sql: bool = False
) -> int:
    """Stage and judge the rows one file has for a table; how many of their local times occurred twice.

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
            ambiguous = ambiguous_times(con, plan)
    else:
        ambiguous = stage(con, mapping, name, staged=f"staged_{name}").ambiguous_times
        judge(con, table, staged=f"staged_{name}", typed=typed, verdicts=verdicts, now=now)
    name_columns(con, verdicts, file_names(mapping, name))
    return ambiguous
