"""What the data of an experiment or a roll-out show: its design picks the estimator, its checks decide the grade."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.roi.inputs import Measured
from pipeline.statistics.causal import cuped, randomised_difference
from pipeline.statistics.effects import Effect
from pipeline.statistics.panels import difference_in_differences, staggered_rollout
from pipeline.warehouse.connection import rows

LEVEL = 0.95
"""Confidence of the interval that decides whether there is an effect."""
_SHOWN = Decimal("0.000001")
_EXPERIMENT = """
SELECT coalesce(design, 'randomised') AS design, treated, control, coalesce(allocation, 0.5)::DOUBLE AS share,
  starts_on, ends_on FROM core.experiments WHERE exp_id = ?
"""
_OUTCOMES = """
SELECT CAST(a.variant = $treated AS INTEGER) AS treated, o.value::DOUBLE AS value, o.pre_value::DOUBLE AS before,
  o.currency IS NOT NULL AS is_money
FROM core.assignments AS a
LEFT JOIN core.outcomes AS o ON o.exp_id = a.exp_id AND o.unit_id = a.unit_id AND o.metric = $metric
WHERE a.exp_id = $experiment AND a.variant IN ($treated, $control) AND a.exposed_at IS NOT NULL
  AND CAST(a.exposed_at AS DATE) <= $ends
ORDER BY a.unit_id
"""
_PANEL = """
SELECT p.unit_id AS unit, p.period, p.value::DOUBLE AS value, CAST(a.variant = $treated AS INTEGER) AS treated,
  CAST(CASE WHEN a.variant = $treated THEN a.exposed_at END AS DATE) AS since
FROM core.outcome_panel AS p JOIN core.assignments AS a ON a.exp_id = p.exp_id AND a.unit_id = p.unit_id
WHERE p.exp_id = $experiment AND p.metric = $metric AND a.variant IN ($treated, $control) AND p.period <= $ends
ORDER BY p.unit_id, p.period
"""


@dataclass(frozen=True)
class Asked:
    """An experiment and the metric that a line rests on."""

    experiment: str
    metric: str


def read_effects(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: date) -> tuple[Measured, ...]:
    """The effect of every experiment and roll-out that a line names and that the warehouse has data of."""
    held = [line.evidence for line in catalog.benefits.values() if line.evidence is not None]
    asked = {Asked(one.experiment, one.metric) for one in held if one.experiment and one.metric}
    found = [measured(con, one, as_of=as_of) for one in sorted(asked, key=lambda one: (one.experiment, one.metric))]
    return tuple(one for one in found if one is not None)


def measured(con: duckdb.DuckDBPyConnection, asked: Asked, *, as_of: date, level: float = LEVEL) -> Measured | None:
    """The effect of one experiment; None when nobody registered it."""
    registered = rows(con, _EXPERIMENT, [asked.experiment])
    if not registered:
        return None
    plan = registered[0]
    ends = min(date.fromisoformat(str(plan["ends_on"])), as_of)
    if plan["design"] == "randomised" and str(plan["ends_on"]) > as_of.isoformat():
        return _told(asked, None, problem=f"it runs until {plan['ends_on']}, and nobody looks before that")
    named = {"experiment": asked.experiment, "metric": asked.metric, "ends": ends.isoformat()}
    held = {**named, "treated": plan["treated"], "control": plan["control"]}
    estimator = _ESTIMATORS.get(str(plan["design"]))
    if estimator is None:
        return _told(asked, None, problem=f"its design is {plan['design']}, which compares no groups")
    try:
        return _told(asked, estimator(con, plan, held, level=level))
    except ValueError as error:
        return _told(asked, None, problem=str(error))


def _randomised(
    con: duckdb.DuckDBPyConnection, plan: dict[str, object], held: dict[str, object], *, level: float
) -> Effect:
    """Difference of means of exposed units, adjusted for their past where all have one; no outcome of money is 0."""
    found = _ask(con, _OUTCOMES, held)
    is_money = any(row["is_money"] for row in found)
    kept = [row for row in found if is_money or row["value"] is not None]
    outcome, treated = [row["value"] or 0.0 for row in kept], [row["treated"] for row in kept]
    before, share = [row["before"] for row in kept], float(str(plan["share"]))
    if kept and None not in before and len(set(before)) > 1:
        return cuped(outcome, before, treated, share_treated=share, level=level)
    return randomised_difference(outcome, treated, share_treated=share, level=level)


def _did(con: duckdb.DuckDBPyConnection, plan: dict[str, object], held: dict[str, object], *, level: float) -> Effect:
    """Difference in differences over the panel of the roll-out."""
    found = _ask(con, _PANEL, held)
    if not found:
        return _two_periods(con, held, level)
    periods = sorted({row["period"] for row in found})
    start = sum(period < plan["starts_on"] for period in periods)
    columns = [[row[name] for row in found] for name in ("value", "unit", "treated")]
    places = [periods.index(row["period"]) for row in found]
    return difference_in_differences(columns[0], columns[1], places, columns[2], start=start, level=level)


def _two_periods(con: duckdb.DuckDBPyConnection, held: dict[str, object], level: float) -> Effect:
    """Difference in differences of units measured once before and once after."""
    found = [row for row in _ask(con, _OUTCOMES, held) if row["value"] is not None and row["before"] is not None]
    outcome = [row[name] for row in found for name in ("before", "value")]
    treated = [row["treated"] for row in found for _ in range(2)]
    return difference_in_differences(
        outcome, [place // 2 for place in range(len(outcome))], [0, 1] * len(found), treated, start=1, level=level
    )


def _staggered(
    con: duckdb.DuckDBPyConnection, plan: dict[str, object], held: dict[str, object], *, level: float
) -> Effect:
    """Units treated from different times on against those not treated yet."""
    del plan
    found = _ask(con, _PANEL, held)
    periods = sorted({row["period"] for row in found})
    places = [periods.index(row["period"]) for row in found]
    first = [math.nan if row["since"] is None else bisect_right(periods, row["since"]) - 1 for row in found]
    columns = [[row[name] for row in found] for name in ("value", "unit")]
    return staggered_rollout(columns[0], columns[1], places, first, level=level)


_ESTIMATORS: dict[str, Callable[..., Effect]] = {"randomised": _randomised, "did": _did, "staggered": _staggered}


def _ask(con: duckdb.DuckDBPyConnection, sql: str, held: dict[str, object]) -> list[dict]:  # type: ignore[type-arg]
    """Rows of a query with named parameters."""
    cursor = con.cursor()
    try:
        names = {name: value for name, value in held.items() if f"${name}" in sql}
        result = cursor.execute(sql, names)
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    finally:
        cursor.close()


def _told(asked: Asked, effect: Effect | None, *, problem: str = "") -> Measured:
    if effect is None:
        return Measured(asked.experiment, asked.metric, None, None, None, "", "", 0, problem)
    ends = [_decimal(one) for one in (effect.estimate, effect.low, effect.high)]
    refused = effect.problem if effect.grade is None else ""
    n = effect.n_treated + effect.n_control
    return Measured(
        asked.experiment, asked.metric, ends[0], ends[1], ends[2], effect.grade or "", effect.method, n, refused
    )


def _decimal(value: float) -> Decimal | None:
    return Decimal(str(value)).quantize(_SHOWN) if math.isfinite(value) else None
