"""Explaining one value: definition, formula, the published number, the same number from the rows, and the files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta

import duckdb

from pipeline.catalog.expressions import parse_measure
from pipeline.catalog.model import Catalog, Difference, Metric, Percentile, Ratio, Snapshot, SurvivalMedian, Total
from pipeline.engine.editions import latest_edition
from pipeline.engine.leaves import measurable
from pipeline.engine.suppression import REASON
from pipeline.errors import ConfigurationError, Problem
from pipeline.facts import load_facts
from pipeline.statistics.histogram import ALPHA
from pipeline.tables import load_tables
from pipeline.warehouse.connection import rows

Record = dict[str, object]
PERIODS = "2026-10-31 (day), 2026-W44 (week), 2026-10 (month) or 28d:2026-10-31 (28 days up to and with that day)"


@dataclass(frozen=True)
class Period:
    """A grain and its half-open span of days."""

    grain: str
    start: date
    end: date

    def __str__(self) -> str:
        return f"{self.grain} {self.start} to {self.end - timedelta(days=1)}"


@dataclass
class Explanation:
    """What `roi explain` prints."""

    kpi_id: str
    metric: Metric
    period: Period
    dimension: str
    dimension_value: str
    published: Record
    sql: str
    bound: str
    from_rows: Record = field(default_factory=dict)
    files: list[Record] = field(default_factory=list)


def parse_period(text: str) -> Period:
    """Read a period as the command line writes it.

    Raises ConfigurationError for anything else.
    """
    try:
        if text.startswith("28d:"):
            end = date.fromisoformat(text.removeprefix("28d:")) + timedelta(days=1)
            return Period("28d", end - timedelta(days=28), end)
        if match := re.fullmatch(r"(\d{4})-W(\d\d)", text):
            start = date.fromisocalendar(int(match[1]), int(match[2]), 1)
            return Period("week", start, start + timedelta(days=7))
        if match := re.fullmatch(r"(\d{4})-(\d\d)", text):
            start = date(int(match[1]), int(match[2]), 1)
            return Period("month", start, (start + timedelta(days=31)).replace(day=1))
        return Period("day", date.fromisoformat(text), date.fromisoformat(text) + timedelta(days=1))
    except ValueError:
        problem = Problem("--period", "E001", f"found {text!r}, expected {PERIODS}")
        raise ConfigurationError("The period cannot be read.", [problem]) from None


def explain(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, kpi_id: str, *, period: str | None = None, by: str | None = None
) -> Explanation:
    """Explain one value of the newest edition; without `period`, the one its owner's page headlines.

    `by` is `dimension=value`. Raises ConfigurationError when the KPI, the dimension or the value is not there.
    """
    metric = catalog.metrics[kpi_id]
    dimension, value = _slice(kpi_id, metric, by)
    published = _published(con, kpi_id, metric, parse_period(period) if period else None, (dimension, value))
    found = Period(str(published["grain"]), _day(published["period_start"]), _day(published["period_end"]))
    until = _day((latest_edition(con) or {})["as_of"])
    sql = _rows_sql(metric, found, dimension, value, until=until)
    bound = f"from a histogram, within {ALPHA:.0%} of the exact value" if isinstance(metric, Percentile) else ""
    explanation = Explanation(kpi_id, metric, found, dimension, value, published, sql, bound)
    if str(published["reason"]) == REASON:  # nobody shall read from the rows what was withheld
        return explanation
    explanation.from_rows = rows(con, sql)[0]
    explanation.files = _files(con, metric, found, dimension, value)
    return explanation


def _slice(kpi_id: str, metric: Metric, by: str | None) -> tuple[str, str]:
    if by is None:
        return "", ""
    dimension, _, value = by.partition("=")
    if dimension not in metric.dimensions or not value:
        expected = " or ".join(f"{name}=..." for name in metric.dimensions) or "no dimension"
        raise ConfigurationError(
            f"{kpi_id} cannot be sliced that way.", [Problem("--by", "E002", f"found {by!r}, expected {expected}")]
        )
    return dimension, value


def _published(
    con: duckdb.DuckDBPyConnection, kpi_id: str, metric: Metric, period: Period | None, of: tuple[str, str]
) -> Record:
    dimension, value = of
    where, parameters = "TRUE", [kpi_id, dimension, value, metric.headline_grain]
    if period is not None:
        where = "grain = ? AND period_start = ? AND period_end = ?"
        parameters[3:3] = [period.grain, period.start.isoformat(), period.end.isoformat()]
    found = rows(
        con,
        f"SELECT * FROM {_HELD} AND {where} ORDER BY value IS NULL AND reason NOT LIKE 'suppressed%', "
        "status = 'immature', grain <> ?, period_end DESC, period_start LIMIT 1",
        list(parameters),
    )
    if not found:
        by = f"for {dimension}={value}" if dimension else "in total"
        raise ConfigurationError(
            f"The newest edition has no such value of {kpi_id}.",
            [
                Problem(
                    "--period, --by",
                    "E003",
                    f"nothing at {period or 'any period'} {by}; {_choices(con, kpi_id, dimension)}",
                )
            ],
        )
    return found[0]


_HELD = "kpi.values WHERE kpi_id = ? AND dimension = ? AND dimension_value = ? AND last_edition IS NULL"


def _choices(con: duckdb.DuckDBPyConnection, kpi_id: str, dimension: str) -> str:
    """What could have been asked instead."""
    held = "FROM kpi.values WHERE kpi_id = ? AND dimension = ? AND last_edition IS NULL"
    span = rows(con, f"SELECT min(period_start) AS first, max(period_end) - 1 AS last {held}", [kpi_id, dimension])[0]
    if span["first"] is None:
        return "nothing is held in that dimension"
    told = f"values are held from {span['first']} to {span['last']}, for periods written as {PERIODS}"
    if not dimension:
        return told
    names = [
        str(row["dimension_value"])
        for row in rows(con, f"SELECT DISTINCT dimension_value {held} ORDER BY 1", [kpi_id, dimension])
    ]
    return f"{dimension} is one of {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}; {told}"


def _day(value: object) -> date:
    return date.fromisoformat(str(value)[:10])


def _rows_sql(metric: Metric, period: Period, dimension: str, value: str, *, until: date) -> str:
    """SQL that computes the value from the rows of the fact, by another way than states and roll-ups.

    What has not ended at the end of day `until` is censored there.
    """
    where = f"day >= DATE '{period.start}' AND day < DATE '{period.end}'"
    if isinstance(metric, Snapshot):
        where = f"day = (SELECT max(day) FROM facts.{metric.fact} WHERE {where})"
    if dimension:
        where += f" AND {dimension} = {_text(value)}"
    source = f"FROM facts.{metric.fact} WHERE {where}"
    if isinstance(metric, Ratio | Snapshot):
        numerator, denominator = (_measure(text) for text in (metric.numerator, metric.denominator))
        return (
            f"SELECT {numerator} AS numerator, {denominator} AS denominator, "
            f"CAST({numerator} AS DOUBLE) / nullif({denominator}, 0) AS value {source}"
        )
    if isinstance(metric, Total):
        return f"SELECT {parse_measure(metric.total).sql()} AS value, count(*) AS n {source}"
    if isinstance(metric, Percentile):
        return (
            f"SELECT quantile_cont({metric.value}, {metric.percentile}) AS value, count({metric.value}) AS n, "
            f"count(*) - count({metric.value}) AS unknown {source}"
        )
    if isinstance(metric, SurvivalMedian):
        return _survival_sql(metric, f"{source} AND {measurable(metric)}", until)
    return _difference_sql(metric, source)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _measure(text: str) -> str:
    measure = parse_measure(text)
    if measure.aggregate != "distinct":
        return measure.sql()
    condition = f" FILTER (WHERE {measure.predicate})" if measure.predicate else ""
    return f"count(DISTINCT {measure.column}){condition}"


def _survival_sql(metric: SurvivalMedian, source: str, until: date) -> str:
    """The Kaplan-Meier product over the times at which something ended, largest group at risk first."""
    horizon = f"TIMESTAMPTZ '{until + timedelta(days=1)} 00:00:00+00'"
    hours = f"(epoch_us(coalesce({metric.end}, {horizon})) - epoch_us({metric.start})) / 3.6e9"
    return (
        f"WITH spans AS (SELECT {hours} AS hours, {metric.end} IS NOT NULL AS has_ended {source}), "
        "steps AS (SELECT hours, count(*) AS spans, count(*) FILTER (WHERE has_ended) AS ended, "
        "sum(count(*)) OVER (ORDER BY hours DESC) AS at_risk FROM spans GROUP BY hours), "
        "curve AS (SELECT *, product(1 - ended / at_risk) OVER (ORDER BY hours) AS surviving FROM steps) "
        "SELECT min(hours) FILTER (WHERE surviving <= 0.5 + 1e-12) AS value, sum(spans) AS n, sum(ended) AS ended "
        "FROM curve"
    )


def _difference_sql(metric: Difference, source: str) -> str:
    first = (
        f"SELECT {metric.arm} AS arm, {metric.first_per}, arg_min({metric.value}, first_order) AS value {source} "
        f"GROUP BY {metric.arm}, {metric.first_per}"
    )
    arms = ", ".join(
        f"sum(value) FILTER (WHERE arm = '{arm}') AS {name}_k, count(*) FILTER (WHERE arm = '{arm}') AS {name}_n"
        for name, arm in (("treated", metric.treated), ("control", metric.control))
    )
    share = "100.0 * (treated_k / treated_n - control_k / control_n)"
    return f"SELECT *, {share} AS value FROM (SELECT {arms} FROM ({first}))"


def _files(con: duckdb.DuckDBPyConnection, metric: Metric, period: Period, dimension: str, value: str) -> list[Record]:
    """Files whose rows the fact read in the period, with their rows and lines, per table.

    A table that holds the dimension itself is narrowed to the slice; others are listed whole.
    """
    parts = []
    for name in load_facts()[metric.fact].reads:
        table = load_tables()[name]
        where = "TRUE"
        if table.day:
            day = f"CAST({table.day} AS DATE)"
            where = f"{day} >= DATE '{period.start}' AND {day} < DATE '{period.end}'"
        if dimension in table.column_names:
            where += f" AND coalesce({dimension}, 'unknown') = {_text(value)}"
        parts.append(
            f"SELECT '{name}' AS table_name, _file, count(*) AS rows, min(_line) AS first_line, "
            f"max(_line) AS last_line FROM core.{name} WHERE {where} GROUP BY _file"
        )
    return rows(
        con,
        "SELECT t.table_name, f.name AS file, f.source, t.rows, t.first_line, t.last_line, "
        "substr(t._file, 1, 12) AS hash "
        f"FROM ({' UNION ALL '.join(parts)}) AS t JOIN ledger.files AS f ON f.file_hash = t._file ORDER BY ALL",
    )


def formula(metric: Metric) -> str:
    """Say in one line how the KPI is computed."""
    if isinstance(metric, Ratio | Snapshot):
        when = ", on the last day of the period" if isinstance(metric, Snapshot) else ""
        return f"{metric.numerator} / {metric.denominator}{when}, over {metric.fact}"
    if isinstance(metric, Total):
        return f"{metric.total}, over {metric.fact}"
    if isinstance(metric, Percentile):
        return f"{metric.percentile:.0%} quantile of {metric.value}, over {metric.fact}"
    if isinstance(metric, SurvivalMedian):
        return f"Kaplan-Meier median of {metric.end} - {metric.start}, over {metric.fact}"
    arms = f"share of {metric.value} for {metric.treated} minus {metric.control}"
    return f"{arms}, first answer per {metric.first_per}, over {metric.fact}"
