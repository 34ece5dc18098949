"""Whether an interval fits what it is put around: counts of things, and for one of shares a part of a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.catalog import codes
from pipeline.catalog.columns import family, measures
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure
from pipeline.catalog.implication import Value, counterexample, shown
from pipeline.catalog.model import AnyMetric, Ratio, Snapshot, Total
from pipeline.catalog.units import AMOUNTS, unit_of_column
from pipeline.catalog.wording import problem
from pipeline.errors import Problem

_OF_SHARES = ("wilson", "clopper_pearson")
_OF_COUNTS = (*_OF_SHARES, "poisson")


def check_interval(
    kpi_id: str, metric: AnyMetric, positions: Positions, facts: Mapping[str, Mapping[str, str]]
) -> Iterator[Problem]:
    """A binomial interval is around successes of trials, one of Poisson's around events that nothing is a share of."""
    if not isinstance(metric, Ratio | Snapshot | Total) or metric.interval not in _OF_COUNTS:
        return
    keys = [key for key in measures(metric) if key != "unknown"]
    if any(positions.is_unknown("metrics", kpi_id, key) for key in (*keys, "interval")):
        return
    try:
        parts = {key: parse_measure(getattr(metric, key)) for key in keys}
    except ExpressionError:  # a mistake of its own
        return
    where = positions.where("metrics", kpi_id, "interval")
    amounts = [one for one in parts.values() if one.aggregate == "sum" and unit_of_column(one.column) in AMOUNTS]
    if amounts:
        found = f"interval {metric.interval} of {amounts[0].text()}"
        expected = "counts of things; clustered goes with sums of amounts"
        yield problem(where, codes.INTERVAL, found=found, expected=expected)
    elif not isinstance(metric, Total):
        above, below = parts["numerator"], parts["denominator"]
        outside = _left_out(above, below, facts.get(metric.fact, {}))
        if metric.interval in _OF_SHARES and outside:
            told, at = _told(above, below, outside), positions.where("metrics", kpi_id, "numerator")
            yield problem(at, codes.INTERVAL, found=told, expected=f"a part of it: where ... and {_bracketed(below)}")
        is_share = metric.unit == "ratio" and getattr(metric, "per", 1) == 1 and not outside and _is_of_rows(above)
        if metric.interval == "poisson" and is_share:
            found = f"interval poisson of {above.text()} over {below.text()}, a share"
            yield problem(where, codes.INTERVAL, found=found, expected="wilson, clopper_pearson or clustered")


def check_headline(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """The upper end of an interval leads where little is good; of what should go up it is what flatters most."""
    known = not any(positions.is_unknown("metrics", kpi_id, key) for key in ("headline", "direction"))
    if metric.headline == "upper_bound" and metric.direction == "up" and known:
        where, found = positions.where("metrics", kpi_id, "headline"), "headline upper_bound with direction up"
        yield problem(where, codes.HEADLINE, found=found, expected="headline: value")


def _left_out(above: Measure, below: Measure, columns: Mapping[str, str]) -> dict[str, Value]:
    """A row that is counted above and that the condition below leaves out; empty where there is none."""
    if below.predicate is None:
        return {}
    families = {name: _family(sql_type) for name, sql_type in columns.items()}
    counted = {"sum": f"{above.column} <> 0", "distinct": f"{above.column} is not null", "count": None}
    conditions = [f"({one})" for one in (above.predicate, counted[above.aggregate]) if one is not None]
    return counterexample(" and ".join(conditions) or None, below.predicate, families) or {}


def _family(sql_type: str) -> str:
    """The family of a type, whole numbers told from decimals and days from moments."""
    found = family(sql_type)
    if found == "exact number":
        return "number" if sql_type.upper().startswith(("DECIMAL", "NUMERIC")) else "whole number"
    return "day" if sql_type.upper() == "DATE" else found


def _told(above: Measure, below: Measure, row: Mapping[str, Value]) -> str:
    named = dict.fromkeys(one.column for one in below.comparisons)
    values = " and ".join(f"{column} {shown(row[column])}" for column in named)
    return f"{above.text()}, which counts a row of {values} that the denominator leaves out"


def _bracketed(below: Measure) -> str:
    text = str(below.predicate)
    return f"({text})" if " or " in text else text


def _is_of_rows(above: Measure) -> bool:
    """Whether a row adds no more than one: rows, flags, or things told apart, and not how often something happened."""
    return above.aggregate != "sum" or above.column.startswith(("is_", "has_"))
