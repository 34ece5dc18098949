"""Rolling states up: every KPI for every period and slice, merged from days and never from other periods."""

from __future__ import annotations

import duckdb

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.base import ROLLED, column_of, slices
from pipeline.engine.leaves import aggregates_of, dimensions_of, measured, read_facts

_PERIODS = """
CREATE OR REPLACE TEMP TABLE all_periods AS
WITH days AS (SELECT CAST(unnest(range($first::DATE, $end::DATE, INTERVAL 1 DAY)) AS DATE) AS day),
calendar AS (
  SELECT 'day' AS grain, day AS period_start, day + 1 AS period_end FROM days UNION
  SELECT 'week', CAST(date_trunc('week', day) AS DATE), CAST(date_trunc('week', day) AS DATE) + 7 FROM days UNION
  SELECT 'month', CAST(date_trunc('month', day) AS DATE), CAST(date_trunc('month', day) + INTERVAL 1 MONTH AS DATE)
  FROM days UNION
  SELECT 'quarter', CAST(date_trunc('quarter', day) AS DATE),
    CAST(date_trunc('quarter', day) + INTERVAL 3 MONTH AS DATE)
  FROM days
)
SELECT cadence, grain, period_start, period_end
FROM calendar, (VALUES ('daily'), ('weekly'), ('monthly'), ('quarterly')) AS cadences(cadence)
UNION
SELECT cadence, '28d', period_end - 28, period_end
FROM calendar
JOIN (VALUES ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month'), ('quarterly', 'month')) AS ends(cadence, grain)
USING (grain) WHERE period_end <= $end
UNION
SELECT cadence, '28d', $end::DATE - 28, $end::DATE
FROM (VALUES ('daily'), ('weekly'), ('monthly'), ('quarterly')) AS cadences(cadence)
"""


_EMPTY = """
SELECT grain, period_start, period_end, '' AS dimension, '' AS dimension_value,
  CASE WHEN sum(rows) > 0 THEN 0 END AS numerator, CASE WHEN sum(rows) > 0 THEN 0 END AS denominator
FROM periods AS p
LEFT JOIN daily AS d ON d.dimension = '' AND d.day >= p.period_start AND d.day < p.period_end
GROUP BY grain, period_start, period_end
"""
"""Periods in total, of which nothing is counted: 0 of 0 where there are rows, unknown where there are none."""


def as_of_day(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> str | None:
    """Return the last day any fact has data for (ISO), or None when there is none."""
    parts = " UNION ALL ".join(f"SELECT max(day) AS day FROM states.cells_{fact}" for fact in read_facts(catalog))
    ((last,),) = con.execute(f"SELECT max(day)::VARCHAR FROM ({parts})").fetchall()
    return None if last is None else str(last)


def first_day(con: duckdb.DuckDBPyConnection, *facts: str) -> str | None:
    """Return the first day any of the facts has data for (ISO), or None when they have none."""
    parts = " UNION ALL ".join(f"SELECT min(day) AS day FROM states.cells_{fact}" for fact in facts)
    ((first,),) = con.execute(f"SELECT min(day)::VARCHAR FROM ({parts})").fetchall()
    return None if first is None else str(first)


def roll_up(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: str) -> None:
    """Write table `rolled`: one row per KPI, period and slice that has data, and per period in total.

    Columns: kpi_id, grain, period_start, period_end (dates, end exclusive), dimension, dimension_value, then those of
    `ROLLED`, NULL where a kind has no use for them.
    """
    keys = (
        "kpi_id VARCHAR, grain VARCHAR, period_start DATE, period_end DATE, dimension VARCHAR, dimension_value VARCHAR"
    )
    names = ", ".join(f"{name} {sql_type}" for name, sql_type in ROLLED.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE rolled({keys}, {names})")
    begun = _days_of_facts(con, catalog)
    if not begun:
        return
    con.execute(_PERIODS.replace("$first", f"DATE '{min(begun.values())}'").replace("$end", f"(DATE '{as_of}' + 1)"))
    for kpi_id, metric in measured(catalog).items():
        first = min((begun[fact] for fact in metric.facts if fact in begun), default=None)
        if first is not None:
            _roll_kpi(con, kpi_id, metric, first=first, as_of=as_of)


def _days_of_facts(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> dict[str, str]:
    """Sum the cells of every fact by day and slice; return the first day of each fact that has any."""
    begun = {}
    for fact, metrics in read_facts(catalog).items():
        columns, groups = slices(dimensions_of(metrics))
        sums = ", ".join(f"sum({column_of(sql)}) AS {column_of(sql)}" for sql in aggregates_of(fact, metrics))
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE daily_{fact} AS SELECT day, {columns}, {sums} FROM states.cells_{fact} "
            f"GROUP BY {groups}"
        )
        if (first := first_day(con, fact)) is not None:
            begun[fact] = first
    return begun


def _roll_kpi(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: AnyMetric, *, first: str, as_of: str) -> None:
    periods = _periods(metric, first=first, as_of=as_of)
    found = kind_of(metric).roll(con, kpi_id, metric, periods)
    con.execute(
        f"INSERT INTO rolled BY NAME WITH daily AS ({_daily(metric)}), periods AS ({periods}), found AS ({found}), "
        f"empty AS ({_EMPTY}) "
        f"SELECT '{kpi_id}' AS kpi_id, * FROM (FROM found UNION ALL BY NAME "
        "SELECT * FROM empty WHERE (grain, period_start) NOT IN "
        "(SELECT (grain, period_start) FROM found WHERE dimension = ''))"
    )


def _periods(metric: AnyMetric, *, first: str, as_of: str) -> str:
    """SQL of the periods in which the KPI can have a value, and the trailing days up to the last one with data."""
    return (
        "SELECT grain, period_start, period_end FROM all_periods "
        f"WHERE cadence = '{metric.cadence}' AND {kind_of(metric).periods(metric)} AND CASE "
        f"WHEN grain = '28d' THEN period_start >= DATE '{first}' OR period_end = DATE '{as_of}' + 1 "
        f"ELSE period_end > DATE '{first}' END"
    )


def _daily(metric: AnyMetric) -> str:
    """SQL of one row per day and slice with what the KPI sums, from all the facts it reads."""
    parts = [_daily_of(metric, fact) for fact in metric.facts]
    if len(parts) == 1:
        return parts[0]
    return f"SELECT * FROM ({parts[0]}) FULL JOIN ({parts[1]}) USING (day, dimension, dimension_value)"


def _daily_of(metric: AnyMetric, fact: str) -> str:
    sums = ", ".join(f"{column_of(sql)} AS {name}" for name, sql in kind_of(metric).measures(metric, fact).items())
    wanted = ", ".join(f"'{name}'" for name in ("", *metric.dimensions))
    return f"SELECT day, dimension, dimension_value, {sums} FROM daily_{fact} WHERE dimension IN ({wanted})"
