"""The states a catalogue needs: which tables are kept per fact and day, and the SQL that fills them.

A state query is the only one that reads raw rows. It is a plain `SELECT ... GROUP BY day, ...` over one fact, so that
any engine can run it, and what it stores merges exactly over days: counts and decimal sums (`cells`), one row per
person (`members`), sums of squares over clusters (`moments`), log buckets (`buckets`), start and end (`spans`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.catalog.expressions import Measure, parse_measure
from pipeline.catalog.model import Catalog, Difference, Metric, Percentile, Ratio, Snapshot, SurvivalMedian, Total
from pipeline.facts import fact_sql, load_facts
from pipeline.statistics.histogram import bucket_sql

EXACT = "DECIMAL(38, 12)"
SQUARED = "DECIMAL(18, 9)"  # two of these multiply without loss into 36 digits


@dataclass(frozen=True)
class Leaf:
    """One state table: its name, the fact it is built from, and the query that fills it for the days in `dirty`."""

    table: str
    fact: str
    sql: str


def leaves(catalog: Catalog) -> dict[str, list[Leaf]]:
    """State tables per fact, in catalogue order."""
    found: dict[str, list[Leaf]] = {}
    for fact in dict.fromkeys(metric.fact for metric in catalog.metrics.values()):
        metrics = {kpi_id: metric for kpi_id, metric in catalog.metrics.items() if metric.fact == fact}
        found[fact] = [
            _cells(fact, metrics),
            *(leaf for kpi_id, metric in metrics.items() for leaf in _own(kpi_id, metric)),
        ]
    return found


def leaf_hash(leaf: Leaf) -> str:
    """Hash of everything a state depends on besides rows: when it changes, every day is built anew."""
    text = "\n".join([leaf.table, leaf.sql, fact_sql(load_facts()[leaf.fact])])
    return hashlib.sha256(text.encode()).hexdigest()


def is_distinct(metric: Metric) -> bool:
    """Return whether a ratio counts members of a set rather than sums."""
    return isinstance(metric, Ratio) and parse_measure(metric.denominator).aggregate == "distinct"


def is_clustered(metric: Metric) -> bool:
    """Return whether the interval comes from sums over clusters."""
    return isinstance(metric, Ratio | Total) and metric.interval == "clustered"


def cell_measures(kpi_id: str, metric: Metric) -> Iterator[tuple[str, str]]:
    """Yield (column, aggregate SQL) of the additive measures of one KPI."""
    if isinstance(metric, Ratio | Snapshot) and not is_distinct(metric):
        yield f"{kpi_id}__numerator", parse_measure(metric.numerator).sql()
        yield f"{kpi_id}__denominator", parse_measure(metric.denominator).sql()
    elif isinstance(metric, Total):
        yield f"{kpi_id}__numerator", parse_measure(metric.total).sql()
    yield f"{kpi_id}__rows", "count(*)"
    if metric.unknown:
        yield f"{kpi_id}__unknown", parse_measure(metric.unknown).sql()
    elif isinstance(metric, Percentile):
        yield f"{kpi_id}__unknown", f"count(*) - count({bucket_sql(metric.value)})"
    elif isinstance(metric, SurvivalMedian):
        yield f"{kpi_id}__unknown", f"count(*) - sum(CASE WHEN {measurable(metric)} THEN 1 ELSE 0 END)"


def slices(dimensions: tuple[str, ...], *, also: str = "") -> tuple[str, str]:
    """Return (columns, GROUP BY) that give the total and one slice per dimension, in `dimension, dimension_value`."""
    keys = ", ".join(part for part in ("day", also) if part)
    sets = ", ".join([f"({keys})", *(f"({keys}, {name})" for name in dimensions)])
    if not dimensions:
        return "'' AS dimension, '' AS dimension_value", f"GROUPING SETS ({sets})"
    name = " ".join(f"WHEN grouping({one}) = 0 THEN '{one}'" for one in dimensions)
    value = " ".join(f"WHEN grouping({one}) = 0 THEN {one}" for one in dimensions)
    return (
        f"CASE {name} ELSE '' END AS dimension, CASE {value} ELSE '' END AS dimension_value",
        f"GROUPING SETS ({sets})",
    )


def _cells(fact: str, metrics: dict[str, Metric]) -> Leaf:
    dimensions = list(dict.fromkeys(name for metric in metrics.values() for name in metric.dimensions))
    keys = ", ".join(["day", *dimensions])
    measures = ", ".join(
        f"CAST(coalesce({sql}, 0) AS {EXACT}) AS {column}"
        for kpi_id, metric in metrics.items()
        for column, sql in cell_measures(kpi_id, metric)
    )
    return Leaf(f"cells_{fact}", fact, f"SELECT {keys}, {measures} FROM {_dirty(fact)} GROUP BY {keys}")


def _own(kpi_id: str, metric: Metric) -> Iterator[Leaf]:
    """Yield the states one KPI needs beyond the cells of its fact."""
    fact = metric.fact
    if is_distinct(metric) and isinstance(metric, Ratio):
        yield Leaf(f"members_{kpi_id}", fact, _members(metric))
    elif isinstance(metric, Difference):
        yield Leaf(f"members_{kpi_id}", fact, _first_values(metric))
    elif isinstance(metric, Percentile):
        yield Leaf(f"buckets_{kpi_id}", fact, _histogram(metric))
    elif isinstance(metric, SurvivalMedian):
        columns, groups = slices(metric.dimensions, also=f"{metric.start}, {metric.end}")
        yield Leaf(
            f"spans_{kpi_id}",
            fact,
            f"SELECT day, {columns}, {metric.start} AS start_at, {metric.end} AS end_at, count(*) AS events "
            f"FROM {_dirty(fact)} AND {measurable(metric)} GROUP BY {groups}",
        )
    elif is_clustered(metric):
        yield Leaf(f"moments_{kpi_id}", fact, _moments(metric))


def measurable(metric: SurvivalMedian) -> str:
    """SQL that holds for a row whose duration can be told: begun, and not ended before it began."""
    return f"{metric.start} IS NOT NULL AND ({metric.end} IS NULL OR {metric.end} >= {metric.start})"


def _members(metric: Ratio) -> str:
    numerator, denominator = parse_measure(metric.numerator), parse_measure(metric.denominator)
    keys = ", ".join(["day", *metric.dimensions, denominator.column])
    return (
        f"SELECT {keys.replace(denominator.column, denominator.column + ' AS member')}, "
        f"max({_flag(numerator)}) AS in_numerator, max({_flag(denominator)}) AS in_denominator "
        f"FROM {_dirty(metric.fact)} GROUP BY {keys}"
    )


def _flag(measure: Measure) -> str:
    return f"CASE WHEN {measure.predicate} THEN 1 ELSE 0 END" if measure.predicate else "1"


def _first_values(metric: Difference) -> str:
    keys = ", ".join(["day", *metric.dimensions, metric.arm, metric.first_per])
    columns = ", ".join(["day", *metric.dimensions, f"{metric.arm} AS arm", f"{metric.first_per} AS member"])
    return (
        f"SELECT {columns}, min(first_order) AS first_order, min_by({metric.value}, first_order) AS first_value "
        f"FROM {_dirty(metric.fact)} GROUP BY {keys}"
    )


def _histogram(metric: Percentile) -> str:
    columns, groups = slices(metric.dimensions, also="bucket")
    inner = f"SELECT *, {bucket_sql(metric.value)} AS bucket FROM {_dirty(metric.fact)}"
    measured = f"({inner}) AS x WHERE bucket IS NOT NULL"
    return f"SELECT day, {columns}, bucket, count(*) AS events FROM {measured} GROUP BY {groups}"


def _moments(metric: Metric) -> str:
    assert isinstance(metric, Ratio | Total)  # noqa: S101 - `is_clustered` said so
    x = parse_measure(metric.numerator if isinstance(metric, Ratio) else metric.total).sql()
    y = parse_measure(metric.denominator).sql() if isinstance(metric, Ratio) else "count(*)"
    columns, groups = slices(metric.dimensions, also=metric.cluster or "")
    inner = (
        f"SELECT day, {columns}, CAST({x} AS {SQUARED}) AS x, CAST({y} AS {SQUARED}) AS y "
        f"FROM {_dirty(metric.fact)} GROUP BY {groups}"
    )
    sums = ", ".join(f"sum({expression}) AS sum_{name}" for name, expression in _PRODUCTS.items())
    return f"SELECT day, dimension, dimension_value, count(*) AS clusters, {sums} FROM ({inner}) AS x GROUP BY 1, 2, 3"


_PRODUCTS = {"x": "x", "y": "y", "xx": "x * x", "xy": "x * y", "yy": "y * y"}


def _dirty(fact: str) -> str:
    return f"facts.{fact} WHERE day IN (SELECT day FROM dirty)"
