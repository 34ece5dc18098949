"""Whether an interval fits what it is put around: one of shares needs a part of a whole, in things that are counted."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure
from pipeline.catalog.model import AnyMetric, Ratio
from pipeline.catalog.units import AMOUNTS, unit_of_column
from pipeline.catalog.wording import problem
from pipeline.errors import Problem

_OF_SHARES = ("wilson", "clopper_pearson")


def check_interval(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """A binomial interval is around successes of trials: counts both, and the successes among the trials."""
    if not isinstance(metric, Ratio) or metric.interval not in _OF_SHARES:
        return
    keys = ("numerator", "denominator")
    if any(positions.is_unknown("metrics", kpi_id, key) for key in (*keys, "interval")):
        return
    try:
        parts = {key: parse_measure(getattr(metric, key)) for key in keys}
    except ExpressionError:  # a mistake of its own
        return
    amounts = [one for one in parts.values() if one.aggregate == "sum" and unit_of_column(one.column) in AMOUNTS]
    if amounts:
        where = positions.where("metrics", kpi_id, "interval")
        found = f"interval {metric.interval} of {amounts[0].text()}"
        expected = "counts of things; clustered goes with sums of amounts"
        yield problem(where, codes.INTERVAL, found=found, expected=expected)
    elif not _is_part(parts["numerator"], of=parts["denominator"]):
        below = str(parts["denominator"].predicate)
        where = positions.where("metrics", kpi_id, "numerator")
        found = f"{parts['numerator'].text()}, which also counts what the denominator leaves out"
        yield problem(where, codes.INTERVAL, found=found, expected=f"a part of it: where ... and {below}")


def _is_part(above: Measure, *, of: Measure) -> bool:
    """Return whether all that is counted above is counted below, as far as conditions tell."""
    if of.predicate is None:
        return True
    return above.predicate is not None and {*of.predicate.split(" and ")} <= {*above.predicate.split(" and ")}
