"""Whether the unit of a KPI follows from its kind and columns, and whether its target can be met in that unit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure
from pipeline.catalog.model import AnyMetric, Percentile, Ratio, Snapshot, SurvivalMedian, Total
from pipeline.catalog.wording import problem, quoted
from pipeline.errors import Problem

_SUFFIXES = {"_usd": "USD", "_ms": "ms", "_s": "s", "_hours": "h", "_h": "h", "_minutes": "minutes"}
_RANGES = {"ratio": (Decimal(0), Decimal(1)), "points": (Decimal(-100), Decimal(100))}


def unit_of_column(column: str) -> str | None:
    """The unit a column has in its name (`cost_usd`, `latency_s`), or None when it names none."""
    return next((unit for suffix, unit in _SUFFIXES.items() if column.endswith(suffix)), None)


def expected_units(metric: AnyMetric, columns: Collection[str]) -> tuple[str, ...]:
    """The units that fit the kind of a KPI and the columns it is made of; none when its columns have another unit.

    `columns` are those of the fact: what is not among them is a mistake of its own and says nothing about the unit.
    """
    if isinstance(metric, (Ratio, Snapshot)):
        return _ratio_units(metric, columns)
    if isinstance(metric, Total):
        return _total_units(metric)
    if isinstance(metric, Percentile):
        return ("s",) if unit_of_column(metric.value) in ("s", None) else ()
    return ("h",) if isinstance(metric, SurvivalMedian) else ("points",)


def _ratio_units(metric: Ratio | Snapshot, columns: Collection[str]) -> tuple[str, ...]:
    above, below = _measure(metric.numerator), _measure(metric.denominator)
    if above is None or below is None or not {above.column, below.column} <= {"*", *columns}:
        return ("ratio", "USD/session")
    money = [_sums_money(measure) for measure in (above, below)]
    return ("USD/session",) if money == [True, False] else ("ratio",)


def _sums_money(measure: Measure) -> bool:
    return measure.aggregate == "sum" and unit_of_column(measure.column) == "USD"


def _total_units(metric: Total) -> tuple[str, ...]:
    measure = _measure(metric.total)
    if measure is None or measure.aggregate == "distinct":
        return ("h", "USD", "count")
    if measure.aggregate == "count":
        return ("count",)
    unit = unit_of_column(measure.column)
    return ("h", "USD", "count") if unit is None else tuple({"h", "USD"} & {unit})


def _measure(text: str) -> Measure | None:
    """The measure, or None when the text is none, which is told elsewhere."""
    try:
        return parse_measure(text)
    except ExpressionError:
        return None


def check_unit(kpi_id: str, metric: AnyMetric, positions: Positions, columns: Collection[str]) -> Iterator[Problem]:
    """The unit must follow from the kind and the columns."""
    units = expected_units(metric, columns)
    if metric.unit not in units:
        where, found = positions.where("metrics", kpi_id, "unit"), f"unit {quoted(metric.unit)}"
        expected = f"{' or '.join(units)} for this {metric.kind}" if units else _column_unit(metric)
        yield problem(where, codes.WRONG_UNIT, found=found, expected=expected)


def _column_unit(metric: AnyMetric) -> str:
    column = metric.value if isinstance(metric, Percentile) else ""
    if isinstance(metric, Total) and (measure := _measure(metric.total)) is not None:
        column = measure.column
    wanted = "s" if isinstance(metric, Percentile) else "h or USD"
    return f"a column in {wanted}; {column} is in {unit_of_column(column)}"


def check_target(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """A target stands on the side the KPI should move to, within what its unit can reach."""
    if metric.target is None:
        return
    side = "at_least" if metric.target.at_least is not None else "at_most"
    value = metric.target.at_least if metric.target.at_least is not None else metric.target.at_most
    wanted = "at_least" if metric.direction == "up" else "at_most"
    where = positions.where("metrics", kpi_id, "target", side)
    if side != wanted:
        found, expected = f"{side} with direction {metric.direction}", f"{wanted}, or the other direction"
        yield problem(where, codes.TARGET_DIRECTION, found=found, expected=expected)
    low, high = _RANGES.get(metric.unit, (Decimal(0), Decimal("Infinity")))
    if value is not None and not low <= value <= high:
        meant = str(value / 100) if metric.unit == "ratio" and 1 < value <= 100 else None
        expected = f"{low} to {high}" if high.is_finite() else f"at least {low}"
        found = f"a target of {quoted(value)}"
        yield problem(where, codes.TARGET_RANGE, found=found, expected=f"{expected} for {metric.unit}", meant=meant)
