"""Units: what each is called, whether that of a KPI follows from its kind and columns, and what a target can reach.

A column has the unit its name ends in (`cost_usd`, `latency_s`, `wait_minutes`), `sessions` counts sessions, and a flag
or `count(*)` counts the rows of its fact, named by the last word of the fact's name (`started_tasks` -> task). The
unit of a ratio is numerator over denominator; like things cancel out.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise

from pipeline.catalog import codes
from pipeline.catalog.document import KeyPath, Positions
from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure
from pipeline.catalog.formulas import parse_formula
from pipeline.catalog.model import (
    AnyMetric,
    Derived,
    Formula,
    Mean,
    Median,
    Peak,
    Percentile,
    Ratio,
    Snapshot,
    Total,
)
from pipeline.catalog.records import PLAIN_UNITS
from pipeline.catalog.target import Target
from pipeline.catalog.wording import problem, quoted
from pipeline.errors import Problem

Facts = Mapping[str, Mapping[str, str]]
_SUFFIXES = {
    "_usd": "USD", "_ms": "ms", "_s": "s", "_hours": "h", "_h": "h", "_minutes": "min", "_days": "d",
    "hours_saved": "h", "_tokens": "token", "_score": "score_1_5",
}  # fmt: skip
_RANGES = {
    "ratio": (Decimal(0), Decimal(1)),
    "points": (Decimal(-100), Decimal(100)),
    "index": (Decimal(0), Decimal(1)),
    "score_1_5": (Decimal(1), Decimal(5)),
}
_SIGNED = ("USD", "h")
"""Units of totals that may be below zero; a target may be as well."""
_YEARS = range(1990, 2101)
"""Of targets that somebody set; a day of another year is a slip of the pen."""
_FIXED = {
    "difference": ("points",), "paired_difference": ("points",), "uplift": ("ratio",), "recurrence": ("ratio",),
    "episodes": ("count",), "ranking": ("index",), "judged": ("ratio",), "survival_median": ("h", "d", "min"),
}  # fmt: skip


def unit_of_column(column: str) -> str | None:
    """The unit a column has in its name (`cost_usd`, `latency_s`), or None when it names none."""
    if column.startswith("tokens"):
        return "token"
    return next((unit for suffix, unit in _SUFFIXES.items() if column.endswith(suffix)), None)


def thing_of(fact: str) -> str:
    """What one row of a fact is, by the last word of its name in the singular."""
    word = fact.rsplit("_", 1)[-1]
    if word.endswith("ies"):
        return word.removesuffix("ies") + "y"
    return word.removesuffix("s")


def things_of(metric: AnyMetric) -> str:
    """What a count counts, in the plural (`sum(incidents)` -> incidents); empty where no name says it."""
    measure = _measure(metric.total) if isinstance(metric, Total) and metric.unit == "count" else None
    if measure is None or measure.aggregate == "distinct":
        return ""
    is_of_rows = measure.column == "*" or measure.column.startswith(("is_", "has_"))
    named = metric.facts[0].rsplit("_", 1)[-1] if is_of_rows else measure.column.replace("_", " ")
    return named if named.endswith("s") else ""


def _of_measure(measure: Measure, fact: str, columns: Mapping[str, str]) -> str | None:
    """Unit of a measure, or None when its name does not say: it then fits any count."""
    if measure.aggregate == "distinct":
        return measure.column.removesuffix("_id").removesuffix("_key")
    if measure.column == "*" or measure.column.startswith(("is_", "has_")):
        return thing_of(fact)
    if (unit := unit_of_column(measure.column)) is not None:
        return unit
    return thing_of(measure.column) if measure.column.endswith("s") and measure.column in columns else None


AMOUNTS = ("USD", "h", "s", "ms", "min", "d", "token", "score_1_5")


def expected_units(metric: AnyMetric, facts: Facts) -> tuple[str, ...]:
    """The units that fit the kind of a KPI and the columns it is made of; none when its columns have another unit.

    A fact or column that does not exist is a mistake of its own and says nothing about the unit.
    """
    is_named_by_fact = isinstance(metric, Ratio | Snapshot | Derived | Total | Peak | Percentile | Mean | Median)
    if is_named_by_fact and any(fact not in facts for fact in metric.facts):
        return (metric.unit,)
    if isinstance(metric, Ratio | Snapshot | Derived):
        return _ratio_units(metric, facts)
    if isinstance(metric, Total):
        return _total_units(metric, facts)
    if isinstance(metric, Percentile | Mean | Median):
        unit = unit_of_column(metric.value)
        if unit is None:
            return (metric.unit,)
        return tuple({unit} & set(PLAIN_UNITS)) or _amount_units(unit, thing_of(metric.fact))
    return (f"{thing_of(metric.fact)}s/min",) if isinstance(metric, Peak) else _FIXED[metric.kind]


def _ratio_units(metric: Ratio | Snapshot | Derived, facts: Facts) -> tuple[str, ...]:
    top_fact, bottom_fact = metric.facts[0], metric.facts[-1]
    above, below = _measure(metric.numerator), _measure(metric.denominator)
    if (
        above is None
        or below is None
        or not _are_known(above, facts.get(top_fact, {}), below, facts.get(bottom_fact, {}))
    ):
        return (metric.unit,)
    top, bottom = _of_measure(above, top_fact, facts[top_fact]), _of_measure(below, bottom_fact, facts[bottom_fact])
    if getattr(metric, "per", 1) == 1000:
        return (f"per_1k_{bottom or 'row'}s",)
    if bottom in AMOUNTS and top != bottom:
        return ()
    return _amount_units(top, bottom) if top in AMOUNTS and top != bottom else ("ratio",)


def _amount_units(amount: str, thing: str | None) -> tuple[str, ...]:
    """The unit of an amount over things: money and tokens say of which, hours and the like go without."""
    named = _BY_THING.get(amount)
    if named and thing:
        return (f"{named}/{thing}",)
    return tuple({amount} & set(PLAIN_UNITS))


_BY_THING = {"USD": "USD", "token": "tokens"}


def _are_known(above: Measure, top: Mapping[str, str], below: Measure, bottom: Mapping[str, str]) -> bool:
    return above.column in {"*", *top} and below.column in {"*", *bottom}


def _total_units(metric: Total, facts: Facts) -> tuple[str, ...]:
    measure, columns = _measure(metric.total), facts.get(metric.fact, {})
    if measure is None or measure.column not in {"*", *columns}:
        return (metric.unit,)
    if measure.aggregate == "distinct" and metric.interval != "exact":
        return (metric.unit,)
    if measure.aggregate == "distinct" or measure.column == "*" or measure.column.startswith(("is_", "has_")):
        return ("count",)
    unit = unit_of_column(measure.column)
    return _TOTALS if unit is None else tuple({unit} & set(_TOTALS))


_TOTALS = ("h", "USD", "count")


def _measure(text: str) -> Measure | None:
    """The measure, or None when the text is none, which is told elsewhere."""
    try:
        return parse_measure(text)
    except ExpressionError:
        return None


def check_unit(kpi_id: str, metric: AnyMetric, positions: Positions, facts: Facts) -> Iterator[Problem]:
    """The unit must follow from the kind and the columns."""
    if isinstance(metric, Formula):
        yield from _check_formula(kpi_id, metric, positions)
        return
    if wrong := list(_check_per(kpi_id, metric, positions)):
        yield from wrong
        return
    units = expected_units(metric, facts)
    if metric.unit not in units:
        where, found = positions.where("metrics", kpi_id, "unit"), f"unit {quoted(metric.unit)}"
        expected = f"{' or '.join(units)} for this {metric.kind}" if units else _other_columns(metric)
        yield problem(where, codes.WRONG_UNIT, found=found, expected=expected)


def _other_columns(metric: AnyMetric) -> str:
    """What to say when no unit fits."""
    column = getattr(metric, "value", None)
    if column is None and isinstance(metric, Total) and (measure := _measure(metric.total)) is not None:
        column = measure.column
    if column is None:
        return "columns whose units go together"
    return f"a column in a unit that KPIs have; {column} is in {unit_of_column(column)}"


def _check_per(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """A rate per thousand counts things among a thousand things; money and fractions have no such rate."""
    per = getattr(metric, "per", 1)
    if not isinstance(metric, Ratio) or per == 1:
        return
    above = _measure(metric.numerator)
    amount = above is not None and above.aggregate == "sum" and unit_of_column(above.column) in AMOUNTS
    where = positions.where("metrics", kpi_id, "per")
    if per != 1000:
        yield problem(where, codes.PER, found=f"per {per}", expected="1000, or no per")
    elif amount or metric.unit == "ratio":
        what = f"per 1000 of {metric.numerator}" if amount else "per 1000 of a ratio"
        yield problem(where, codes.PER, found=what, expected="a count above a count, in per_1k_...s")


Dimension = Counter[str]


def dimension_of(unit: str) -> Dimension:
    """A unit as powers of what it is made of: USD/session -> USD 1, session -1; a ratio has none."""
    top, _, bottom = unit.partition("/")
    found: Dimension = Counter()
    for name, power in ((top, 1), (bottom, -1)):
        if name and name not in ("ratio", "count"):
            found[name.removesuffix("s") if name not in ("s", "ms") else name] += power
    return found


WRITTEN = {
    "%": "ratio", "percent": "ratio", "$": "USD", "usd": "USD", "dollar": "USD", "€": "EUR", "eur": "EUR",
    "euro": "EUR",
    "hour": "h", "hr": "h", "minute": "min", "mins": "min", "second": "s", "sec": "s", "day": "d",
}  # fmt: skip
"""How units are often written, and how they are called here."""
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,29}|[A-Z]{3}")


def parse_unit(text: str) -> Dimension:
    """The dimension of a unit written by hand: an amount, a currency or a thing, alone or over another.

    `USD/h`, `min/contact`, `ratio` and `USD/month` are units. Raises ValueError that says what was expected.
    """
    top, slash, bottom = text.strip().partition("/")
    for name in (top, bottom) if slash else (top,):
        meant = WRITTEN.get(name.strip().lower().removesuffix("s"), WRITTEN.get(name.strip().lower()))
        if meant is not None and meant != name:
            raise ValueError(f"found unit {quoted(text)}; {quoted(name)} is written {meant}")
        if not _PLAIN.fullmatch(name):
            raise ValueError(f"found unit {quoted(text)}, expected one such as USD/h, min/contact, ratio or USD/month")
    if bottom in ("ratio", "count"):
        raise ValueError(f"found unit {quoted(text)}; nothing is counted per {bottom}")
    return dimension_of(text.strip())


def _check_formula(kpi_id: str, metric: Formula, positions: Positions) -> Iterator[Problem]:
    """The unit of a formula follows from those of its inputs; unlike things are not added."""
    if not positions.is_whole("metrics", kpi_id, "inputs"):
        return
    try:
        found = _dimension(
            parse_formula(metric.formula), {name: dimension_of(one) for name, one in metric.inputs.items()}
        )
    except (ExpressionError, KeyError):
        return  # told elsewhere
    except ValueError as error:
        where = positions.where("metrics", kpi_id, "formula")
        yield problem(where, codes.WRONG_UNIT, found=str(error), expected="like added to like")
        return
    if found is not None and found != dimension_of(metric.unit):
        where = positions.where("metrics", kpi_id, "unit")
        expected = f"{_text(found)}, which the inputs give"
        yield problem(where, codes.WRONG_UNIT, found=f"unit {quoted(metric.unit)}", expected=expected)


def _dimension(node: ast.expr, inputs: Mapping[str, Dimension]) -> Dimension | None:
    """Powers of a part of a formula; None for a bare number, which goes with anything."""
    if isinstance(node, ast.Constant):
        return None
    if isinstance(node, ast.Name):
        return inputs[node.id]
    if isinstance(node, ast.UnaryOp):
        return _dimension(node.operand, inputs)
    if isinstance(node, ast.Call):
        inner = _dimension(node.args[0], inputs)
        is_first = isinstance(node.func, ast.Name) and node.func.id == "first"
        return Counter({name: 1 for name, power in (inner or Counter()).items() if power < 0}) if is_first else inner
    assert isinstance(node, ast.BinOp)  # noqa: S101 - the parser allows nothing else
    return _combine(node, _dimension(node.left, inputs), _dimension(node.right, inputs))


def _combine(node: ast.BinOp, left: Dimension | None, right: Dimension | None) -> Dimension | None:
    if isinstance(node.op, ast.Add | ast.Sub):
        if left is not None and right is not None and left != right:
            raise ValueError(f"{_text(left)} and {_text(right)} added up in {ast.unparse(node)}")
        return left if left is not None else right
    if left is None and right is None:
        return None
    found = Counter(left or {})
    for name, power in (right or {}).items():
        found[name] += power if isinstance(node.op, ast.Mult) else -power
    return Counter({name: power for name, power in found.items() if power})


def _text(dimension: Dimension) -> str:
    top = "·".join(name for name, power in dimension.items() for _ in range(power) if power > 0)
    bottom = "·".join(name for name, power in dimension.items() for _ in range(-power) if power < 0)
    return (top or ("ratio" if not bottom else "1")) + (f"/{bottom}" if bottom else "")


def check_target(kpi_id: str, metric: AnyMetric, positions: Positions) -> Iterator[Problem]:
    """A target stands on the side the KPI should move to, within what its unit can reach, and after those before it."""
    paths: list[KeyPath] = [("earlier_targets", place) for place in range(len(metric.earlier_targets))]
    dated = list(zip([*paths, ("target",)], metric.targets, strict=False))
    for path, one in dated:
        yield from _check_target(metric, one, positions, ("metrics", kpi_id, *path))
    for (path, one), (after, later) in pairwise(each for each in dated if each[1].since.year in _YEARS):
        if one.since >= later.since and not positions.is_unknown("metrics", kpi_id, *after, "since"):
            where, found = positions.where("metrics", kpi_id, *path, "since"), f"since {one.since} before {later.since}"
            yield problem(where, codes.TARGET_DATES, found=found, expected="the oldest first, and `target` the newest")
    if metric.target is None and metric.earlier_targets and not positions.is_unknown("metrics", kpi_id, "target"):
        where, found = positions.where("metrics", kpi_id, "earlier_targets"), "earlier_targets without a target"
        yield problem(where, codes.TARGET_DATES, found=found, expected="the newest of them as `target`")


def _check_target(metric: AnyMetric, target: Target, positions: Positions, path: KeyPath) -> Iterator[Problem]:
    """One target by itself."""
    side, value = target.side, target.value
    wanted = "at_least" if metric.direction == "up" else "at_most"
    where = positions.where(*path, side)
    if side != wanted:
        found, expected = f"{side} with direction {metric.direction}", f"{wanted}, or the other direction"
        yield problem(where, codes.TARGET_DIRECTION, found=found, expected=expected)
    least = "-Infinity" if metric.kind in ("uplift", "formula") or metric.unit in _SIGNED else "0"
    low, high = (
        (Decimal(least), Decimal("Infinity"))
        if least != "0"
        else _RANGES.get(metric.unit, (Decimal(0), Decimal("Infinity")))
    )
    if not low <= value <= high:
        meant = str(value / 100) if metric.unit == "ratio" and 1 < value <= 100 else None
        expected = f"{low} to {high}" if high.is_finite() else f"at least {low}"
        found = f"a target of {quoted(value)}"
        yield problem(where, codes.TARGET_RANGE, found=found, expected=f"{expected} for {metric.unit}", meant=meant)
    if target.since.year not in _YEARS:
        expected = f"a day of the years {_YEARS[0]} to {_YEARS[-1]}"
        yield problem(
            positions.where(*path, "since"), codes.TARGET_DATES, found=f"since {target.since}", expected=expected
        )


def unit_of_part(metric: AnyMetric, part: str, facts: Facts) -> str | None:
    """Unit of the numerator or denominator of a KPI; None when the names do not say."""
    fact = metric.facts[0] if part == "numerator" else metric.facts[-1]
    measure = _measure(str(getattr(metric, part)))
    return None if measure is None or fact not in facts else _of_measure(measure, fact, facts[fact])


def dimension_words(dimension: Dimension) -> str:
    """Powers of units as text: contact·USD/h; those of power zero are left out."""
    return _text(Counter({name: power for name, power in dimension.items() if power}))
