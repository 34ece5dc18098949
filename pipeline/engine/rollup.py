"""Rolling states up: every KPI for every period and slice, merged from days and never from other periods."""

from __future__ import annotations

import duckdb

from pipeline.catalog.model import Catalog, Difference, Metric, Percentile, Snapshot, SurvivalMedian, Total
from pipeline.engine.leaves import cell_measures, is_clustered, is_distinct, slices

_PERIODS = """
CREATE OR REPLACE TEMP TABLE periods AS
WITH days AS (SELECT CAST(unnest(range($first::DATE, $end::DATE, INTERVAL 1 DAY)) AS DATE) AS day),
calendar AS (
  SELECT 'day' AS grain, day AS period_start, day + 1 AS period_end FROM days UNION
  SELECT 'week', CAST(date_trunc('week', day) AS DATE), CAST(date_trunc('week', day) AS DATE) + 7 FROM days UNION
  SELECT 'month', CAST(date_trunc('month', day) AS DATE), CAST(date_trunc('month', day) + INTERVAL 1 MONTH AS DATE)
  FROM days
)
SELECT cadence, grain, period_start, period_end
FROM calendar, (VALUES ('daily'), ('weekly'), ('monthly')) AS cadences(cadence)
UNION
SELECT cadence, '28d', period_end - 28, period_end
FROM calendar JOIN (VALUES ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month')) AS ends(cadence, grain)
USING (grain) WHERE period_end <= $end AND period_end - 28 >= $first
UNION
SELECT cadence, '28d', $end::DATE - 28, $end::DATE
FROM (VALUES ('daily'), ('weekly'), ('monthly')) AS cadences(cadence)
"""

_KEYS = "grain, period_start, period_end, dimension, dimension_value"

COLUMNS = {
    "numerator": "DECIMAL(38, 12)",
    "denominator": "DECIMAL(38, 12)",
    "n": "BIGINT",
    "unknown": "DECIMAL(38, 12)",
    "clusters": "BIGINT",
    "sum_x": "DOUBLE",
    "sum_y": "DOUBLE",
    "sum_xx": "DOUBLE",
    "sum_xy": "DOUBLE",
    "sum_yy": "DOUBLE",
    "treated_k": "BIGINT",
    "treated_n": "BIGINT",
    "control_k": "BIGINT",
    "control_n": "BIGINT",
}


def as_of_day(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> str | None:
    """Return the last day any fact has data for (ISO), or None when there is none."""
    parts = " UNION ALL ".join(
        f"SELECT max(day) AS day FROM states.cells_{fact}"
        for fact in dict.fromkeys(metric.fact for metric in catalog.metrics.values())
    )
    ((last,),) = con.execute(f"SELECT max(day)::VARCHAR FROM ({parts})").fetchall()
    return None if last is None else str(last)


def first_day(con: duckdb.DuckDBPyConnection, fact: str) -> str | None:
    """Return the first day a fact has data for (ISO), or None when it has none."""
    ((first,),) = con.execute(f"SELECT min(day)::VARCHAR FROM states.cells_{fact}").fetchall()
    return None if first is None else str(first)


def roll_up(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: str) -> None:
    """Write table `rolled`: one row per KPI, period and slice that has data, and per period in total.

    Columns: kpi_id, grain, period_start, period_end (dates, end exclusive), dimension, dimension_value, then those of
    `COLUMNS`, NULL where a kind has no use for them. What a period of a percentile or survival KPI is worked out
    from stands beside it, in `rolled_buckets` and `rolled_spans`.
    """
    names = ", ".join(f"{name} {sql_type}" for name, sql_type in COLUMNS.items())
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rolled(kpi_id VARCHAR, grain VARCHAR, period_start DATE, period_end DATE, "
        f"dimension VARCHAR, dimension_value VARCHAR, {names})"
    )
    for name, extra in (("spans", "start_at TIMESTAMPTZ, end_at TIMESTAMPTZ"), ("buckets", "bucket INTEGER")):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE rolled_{name}(kpi_id VARCHAR, grain VARCHAR, period_start DATE, "
            f"period_end DATE, dimension VARCHAR, dimension_value VARCHAR, {extra}, events BIGINT)"
        )
    for kpi_id, metric in catalog.metrics.items():
        first = first_day(con, metric.fact)
        if first is not None:
            con.execute(_PERIODS.replace("$first", f"DATE '{first}'").replace("$end", f"(DATE '{as_of}' + 1)"))
            _roll_kpi(con, kpi_id, metric)


def _roll_kpi(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: Metric) -> None:
    con.execute(f"CREATE OR REPLACE TEMP TABLE daily AS {_daily_cells(kpi_id, metric)}")
    if is_distinct(metric):
        query = _distinct(kpi_id, metric)
    elif isinstance(metric, Difference):
        query = _difference(kpi_id, metric)
    elif isinstance(metric, Percentile | SurvivalMedian):
        name, columns = ("buckets", "bucket") if isinstance(metric, Percentile) else ("spans", "start_at, end_at")
        _gather(con, kpi_id, metric, state=name, columns=columns)
        query = _known(metric)
    else:
        query = _sums(kpi_id, metric)
    con.execute(f"CREATE OR REPLACE TEMP TABLE rolled_kpi AS {query}")
    given = [row[0] for row in con.execute("DESCRIBE rolled_kpi").fetchall()]
    names = ", ".join(name for name in given if name not in _KEYS.split(", "))
    con.execute(
        f"INSERT INTO rolled BY NAME SELECT '{kpi_id}' AS kpi_id, {_KEYS}, {names} FROM (FROM rolled_kpi "
        "UNION ALL BY NAME SELECT grain, period_start, period_end, '' AS dimension, '' AS dimension_value "
        f"FROM periods WHERE cadence = '{metric.cadence}' AND (grain, period_start, period_end) NOT IN "
        "(SELECT (grain, period_start, period_end) FROM rolled_kpi WHERE dimension = '')) ORDER BY ALL"
    )


def _daily_cells(kpi_id: str, metric: Metric) -> str:
    """SQL of one row per day and slice with the additive measures of one KPI."""
    columns, groups = slices(metric.dimensions)
    sums = ", ".join(
        f"sum({column}) AS {column.removeprefix(kpi_id + '__')}" for column, _ in cell_measures(kpi_id, metric)
    )
    return f"SELECT day, {columns}, {sums} FROM states.cells_{metric.fact} GROUP BY {groups}"


def _join(metric: Metric, state: str) -> str:
    return (
        f"periods AS p JOIN {state} AS s ON s.day >= p.period_start AND s.day < p.period_end "
        f"WHERE p.cadence = '{metric.cadence}'"
    )


def _sums(kpi_id: str, metric: Metric) -> str:
    measures = ["sum(numerator) AS numerator"]
    if isinstance(metric, Total):
        measures += ["CAST(sum(rows) AS BIGINT) AS n"]
    else:
        measures += ["sum(denominator) AS denominator", "CAST(sum(denominator) AS BIGINT) AS n"]
    if metric.unknown:
        measures.append("sum(unknown) AS unknown")
    join = _join(metric, "daily")
    if isinstance(metric, Snapshot):
        join += (
            " AND s.day = (SELECT max(d.day) FROM daily AS d WHERE d.dimension = '' "
            "AND d.day >= p.period_start AND d.day < p.period_end)"
        )
    query = f"SELECT {_KEYS}, {', '.join(measures)} FROM {join} GROUP BY {_KEYS}"
    if is_clustered(metric):
        names = ("clusters", "sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy")
        moments = ", ".join(f"sum({name}) AS {name}" for name in names)
        inner = f"SELECT {_KEYS}, {moments} FROM {_join(metric, f'states.moments_{kpi_id}')} GROUP BY {_KEYS}"
        return f"SELECT * FROM ({query}) JOIN ({inner}) USING ({_KEYS})"
    return query


def _known(metric: Metric) -> str:
    """SQL that counts per period and slice the rows of known value and the others."""
    return (
        f"SELECT {_KEYS}, CAST(sum(rows) - sum(unknown) AS BIGINT) AS n, sum(unknown) AS unknown "
        f"FROM {_join(metric, 'daily')} GROUP BY {_KEYS}"
    )


def _member_slices(metric: Metric, also: str) -> tuple[str, str]:
    columns, groups = slices(metric.dimensions, also=also)
    return columns, groups.replace("(day, ", "(")


def _distinct(kpi_id: str, metric: Metric) -> str:
    columns, groups = _member_slices(metric, "grain, period_start, period_end, member")
    inner = (
        f"SELECT grain, period_start, period_end, {columns}, max(in_numerator) AS a, max(in_denominator) AS b "
        f"FROM {_join(metric, f'states.members_{kpi_id}')} GROUP BY {groups}"
    )
    return (
        f"SELECT {_KEYS}, sum(CASE WHEN b = 1 THEN a ELSE 0 END) AS numerator, sum(b) AS denominator, sum(b) AS n "
        f"FROM ({inner}) GROUP BY {_KEYS}"
    )


def _difference(kpi_id: str, metric: Difference) -> str:
    columns, groups = _member_slices(metric, "grain, period_start, period_end, arm, member")
    inner = (
        f"SELECT grain, period_start, period_end, arm, {columns}, min_by(first_value, first_order) AS first_value "
        f"FROM {_join(metric, f'states.members_{kpi_id}')} GROUP BY {groups}"
    )
    arms = ", ".join(
        f"count(*) FILTER (WHERE arm = '{arm}') AS {name}_n, "
        f"coalesce(sum(first_value) FILTER (WHERE arm = '{arm}'), 0) AS {name}_k"
        for name, arm in (("treated", metric.treated), ("control", metric.control))
    )
    return (
        f"SELECT *, treated_n + control_n AS n, treated_k AS numerator, treated_n AS denominator "
        f"FROM (SELECT {_KEYS}, {arms} FROM ({inner}) GROUP BY {_KEYS})"
    )


def _gather(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: Metric, *, state: str, columns: str) -> None:
    """Bring together what a period's percentile or median is worked out from."""
    con.execute(
        f"INSERT INTO rolled_{state} SELECT '{kpi_id}', {_KEYS}, {columns}, sum(events) "
        f"FROM {_join(metric, f'states.{state}_{kpi_id}')} GROUP BY {_KEYS}, {columns} ORDER BY ALL"
    )
