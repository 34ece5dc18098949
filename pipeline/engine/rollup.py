"""Rolling states up: every KPI for every period and slice, merged from days and never from other periods."""

from __future__ import annotations

import duckdb

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.base import FIRST_DAY, KEYS, ROLLED, column_of, in_periods, slices
from pipeline.engine.leaves import aggregates_of, dimensions_of, measured, read_facts
from pipeline.engine.scope import find_scope

_EMPTY = """
SELECT grain, period_start, period_end, '' AS dimension, '' AS dimension_value,
  CASE WHEN rows > 0 THEN 0 END AS numerator, CASE WHEN rows > 0 THEN 0 END AS denominator
FROM periods LEFT JOIN (FROM summed WHERE dimension = '') USING (grain, period_start, period_end)
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


def roll_up(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: str, anew: bool = True) -> None:
    """Write table `rolled`: one row per KPI, period and slice that has data, and per period in total.

    Columns: kpi_id, grain, period_start, period_end (dates, end exclusive), dimension, dimension_value, then those of
    `ROLLED`, NULL where a kind has no use for them. When not `anew`, only the periods that must be told again.
    """
    keys = (
        "kpi_id VARCHAR, grain VARCHAR, period_start DATE, period_end DATE, dimension VARCHAR, dimension_value VARCHAR"
    )
    names = ", ".join(f"{name} {sql_type}" for name, sql_type in ROLLED.items())
    con.execute(f"CREATE OR REPLACE TEMP TABLE rolled({keys}, {names})")
    facts = read_facts(catalog)
    begun = {fact: first for fact in facts if (first := first_day(con, fact)) is not None}
    find_scope(con, catalog, begun=begun, as_of=as_of, anew=anew)
    since = dict(con.execute("SELECT kpi_id, min(period_start)::VARCHAR FROM scope GROUP BY kpi_id").fetchall())
    for fact in facts:
        _sum_up(con, fact, facts[fact], since)
    for kpi_id, metric in measured(catalog).items():
        if kpi_id in since and begun.keys() & set(metric.counted_facts):
            _roll_kpi(con, kpi_id, metric, since[kpi_id])


def _sum_up(con: duckdb.DuckDBPyConnection, fact: str, metrics: dict[str, AnyMetric], since: dict[str, str]) -> None:
    """Sum the cells of a fact by day and slice, as far back as the scope goes, and by period and slice.

    Both are done once for all KPIs of the fact: `daily_<fact>` and `summed_<fact>`.
    """
    columns, groups = slices(dimensions_of(fact, metrics))
    sums = ", ".join(f"sum({column_of(sql)}) AS {column_of(sql)}" for sql in aggregates_of(fact, metrics))
    first = min((since[kpi_id] for kpi_id in metrics if kpi_id in since), default="9999-12-31")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE daily_{fact} AS SELECT day, {columns}, {sums} FROM states.cells_{fact} "
        f"WHERE day >= DATE '{first}' GROUP BY {groups}"
    )
    wanted = ", ".join(f"'{kpi_id}'" for kpi_id in metrics)
    days = in_periods(f"daily_{fact}").replace(FIRST_DAY, f"DATE '{first}'")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE summed_{fact} AS "
        f"WITH periods AS (SELECT DISTINCT grain, period_start, period_end FROM scope WHERE kpi_id IN ({wanted})) "
        f"SELECT {KEYS}, {sums} FROM {days} GROUP BY {KEYS}"
    )


def _roll_kpi(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: AnyMetric, since: str) -> None:
    periods = f"SELECT grain, period_start, period_end FROM scope WHERE kpi_id = '{kpi_id}'"
    found = kind_of(metric).roll(con, kpi_id, metric, periods).replace(FIRST_DAY, f"DATE '{since}'")
    con.execute(
        f"INSERT INTO rolled BY NAME WITH daily AS ({_daily(metric)}), periods AS ({periods}), "
        f"summed AS ({_measures(metric, metric.fact, 'summed', KEYS)} "
        f"AND (grain, period_start, period_end) IN (FROM periods)), found AS ({found}), empty AS ({_EMPTY}) "
        f"SELECT '{kpi_id}' AS kpi_id, * FROM (FROM found UNION ALL BY NAME "
        "SELECT * FROM empty WHERE (grain, period_start) NOT IN "
        "(SELECT (grain, period_start) FROM found WHERE dimension = ''))"
    )


def _daily(metric: AnyMetric) -> str:
    """SQL of one row per day and slice with what the KPI sums, from all the facts it reads."""
    parts = [_measures(metric, fact, "daily", "day, dimension, dimension_value") for fact in metric.counted_facts]
    if len(parts) == 1:
        return parts[0]
    return f"SELECT * FROM ({parts[0]}) FULL JOIN ({parts[1]}) USING (day, dimension, dimension_value)"


def _measures(metric: AnyMetric, fact: str, table: str, keys: str) -> str:
    """SQL of what the KPI sums over a fact, by the names its kind has for it."""
    sums = ", ".join(f"{column_of(sql)} AS {name}" for name, sql in kind_of(metric).measures(metric, fact).items())
    wanted = ", ".join(f"'{name}'" for name in ("", *metric.dimensions))
    return f"SELECT {keys}, {sums} FROM {table}_{fact} WHERE dimension IN ({wanted})"
