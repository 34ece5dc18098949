"""Rolling states up: every KPI for every period and slice, merged from days and never from other periods."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.base import FIRST_DAY, KEYS, ROLLED, column_of, in_periods, slices
from pipeline.engine.leaves import aggregates_of, dimensions_of, measured, read_facts
from pipeline.engine.scope import add_rolled, find_scope

_EMPTY = """
INSERT INTO rolled BY NAME
WITH counted AS ($counted), counted_by(kpi_id, fact) AS (VALUES $asked)
SELECT kpi_id, grain, period_start, period_end, '' AS dimension, '' AS dimension_value,
  CASE WHEN rows > 0 THEN 0 END AS numerator, CASE WHEN rows > 0 THEN 0 END AS denominator
FROM asked JOIN counted_by USING (kpi_id) LEFT JOIN counted USING (fact, grain, period_start, period_end)
ANTI JOIN (FROM rolled WHERE dimension = '') AS told USING (kpi_id, grain, period_start, period_end)
"""
"""Periods in total, of which nothing is counted: 0 of 0 where there are rows, unknown where there are none."""


def days_of(con: duckdb.DuckDBPyConnection, facts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The first and the last day (ISO) of each of the facts that has any data."""
    parts = [
        f"SELECT '{fact}' AS fact, min(day)::VARCHAR AS first, max(day)::VARCHAR AS last FROM states.cells_{fact}"
        for fact in facts
    ]
    found = con.execute(f"FROM ({' UNION ALL '.join(parts)}) WHERE first IS NOT NULL").fetchall() if parts else []
    return {fact: (first, last) for fact, first, last in found}


def as_of_day(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> str | None:
    """Return the last day any fact has data for (ISO), or None when there is none."""
    return max((last for _, last in days_of(con, read_facts(catalog)).values()), default=None)


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
    begun = _begun(con, facts)
    find_scope(con, catalog, begun=begun, as_of=as_of, anew=anew)
    since = dict(con.execute("SELECT kpi_id, min(period_start)::VARCHAR FROM asked GROUP BY kpi_id").fetchall())
    told = {
        kpi_id: metric
        for kpi_id, metric in measured(catalog).items()
        if kpi_id in since and begun.keys() & set(metric.counted_facts)
    }
    summed = {fact for metric in told.values() for fact in metric.counted_facts}
    for fact in summed:
        _sum_up(con, fact, facts[fact], since)
    for kpi_id, metric in told.items():
        _roll_kpi(con, kpi_id, metric, since[kpi_id])
    if told:
        _tell_empty(con, told)
    add_rolled(con)


def _begun(con: duckdb.DuckDBPyConnection, facts: Iterable[str]) -> dict[str, str]:
    """The first day (ISO) of each fact that has any data, kept in temp table `begun` (fact, first)."""
    found = {fact: first for fact, (first, _) in days_of(con, facts).items()}
    con.execute("CREATE OR REPLACE TEMP TABLE begun(fact VARCHAR, first VARCHAR)")
    con.execute("INSERT INTO begun SELECT unnest($1::VARCHAR[]), unnest($2::VARCHAR[])", [[*found], [*found.values()]])
    return found


def _sum_up(con: duckdb.DuckDBPyConnection, fact: str, metrics: dict[str, AnyMetric], since: dict[str, str]) -> None:
    """Sum the cells of a fact by period and slice, once for all its KPIs: `summed_<fact>`.

    Those KPIs that look at the days themselves have the same by day, as far back as is asked: `daily_<fact>`.
    """
    columns, groups = slices(dimensions_of(fact, metrics))
    sums = ", ".join(f"sum({column_of(sql)}) AS {column_of(sql)}" for sql in aggregates_of(fact, metrics))
    first = min((since[kpi_id] for kpi_id in metrics if kpi_id in since), default="9999-12-31")
    daily = f"SELECT day, {columns}, {sums} FROM states.cells_{fact} WHERE day >= DATE '{first}' GROUP BY {groups}"
    if any(kind_of(metric).looks_at_days for metric in metrics.values()):
        con.execute(f"CREATE OR REPLACE TEMP TABLE daily_{fact} AS {daily}")
        daily = f"FROM daily_{fact}"
    wanted = ", ".join(f"'{kpi_id}'" for kpi_id in metrics)
    days = in_periods("days").replace(FIRST_DAY, f"DATE '{first}'")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE summed_{fact} AS WITH days AS MATERIALIZED ({daily}), "
        f"periods AS (SELECT DISTINCT grain, period_start, period_end FROM asked WHERE kpi_id IN ({wanted})) "
        f"SELECT {KEYS}, {sums} FROM {days} GROUP BY {KEYS}"
    )


def _roll_kpi(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: AnyMetric, since: str) -> None:
    periods = f"SELECT grain, period_start, period_end FROM asked WHERE kpi_id = '{kpi_id}'"
    found = kind_of(metric).roll(con, kpi_id, metric, periods).replace(FIRST_DAY, f"DATE '{since}'")
    daily = f"daily AS ({_daily(metric)}), " if kind_of(metric).looks_at_days else ""
    con.execute(
        f"INSERT INTO rolled BY NAME WITH {daily}periods AS ({periods}), "
        f"summed AS ({_measures(metric, metric.fact, 'summed', KEYS)} "
        f"AND (grain, period_start, period_end) IN (FROM periods)) SELECT '{kpi_id}' AS kpi_id, * FROM ({found})"
    )


def _tell_empty(con: duckdb.DuckDBPyConnection, told: dict[str, AnyMetric]) -> None:
    """Add the total of each period in which nothing of a KPI was found."""
    counted = (
        f"SELECT '{fact}' AS fact, grain, period_start, period_end, {column_of('count(*)')} AS rows "
        f"FROM summed_{fact} WHERE dimension = ''"
        for fact in dict.fromkeys(metric.fact for metric in told.values())
    )
    asked = ", ".join(f"('{kpi_id}', '{metric.fact}')" for kpi_id, metric in told.items())
    con.execute(_EMPTY.replace("$counted", " UNION ALL ".join(counted)).replace("$asked", asked))


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
