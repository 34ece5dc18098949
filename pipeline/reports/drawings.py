"""Where the marks of the two charts of the return go: the bridge from benefits to the net, and the fan of outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate

from pipeline.reports import formats, words
from pipeline.reports.amounts import in_full, money, month, share
from pipeline.reports.model import Figure
from pipeline.roi.records import Point, RoiResult, Worth

WIDTH, HEIGHT = 600.0, 200.0
LEAST_WIDTH = 0.6
"""Of 100: a bar is never so thin that it cannot be seen."""
TICKS = 5


@dataclass(frozen=True)
class Step:
    """One step of the bridge: its amount, and its bar in a 100 x 16 box; no bar where the amount is unknown."""

    name: str
    amount: Figure
    tone: str
    x: float = 0.0
    width: float = 0.0
    zero: float = 0.0


@dataclass(frozen=True)
class Course:
    """One line of the fan: its style, its name, and its points in a 600 x 200 box."""

    style: str
    name: str
    points: str


@dataclass(frozen=True)
class Fan:
    """The course of the return by month, with the table of the same numbers; `band` is empty without draws."""

    title: str
    subtitle: str
    band: str
    lines: tuple[Course, ...]
    ticks: tuple[tuple[float, str], ...]
    """From the top in percent, and the text beside it."""
    first: str
    last: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Figure, ...]], ...]
    note: str = ""
    """What its words mean that a reader may stumble over."""


LEFT, PRESENT = "Left, in dollars of the day", "Net benefit, as present value"


def bridge(result: RoiResult) -> tuple[Step, ...]:
    """From counted benefits by line over costs by category to what is left, and over discounting to the net benefit.

    What does not count has no bar.
    """
    whole = result.programme
    parts: list[tuple[str, Decimal | None, str]] = [
        (one.name, one.counted, "gain") for one in result.lines if one.counted
    ]
    parts += [(name, None if cost is None else -cost, "cost") for name, cost in _categories(result)]
    outside = tuple(_outside(whole))
    left = left_of(whole)
    if left is None or whole.net is None:
        told = [(*one[:2], whole.reason) for one in parts] + [(LEFT, left, whole.reason), (PRESENT, None, whole.reason)]
        return (*(Step(name, in_full(amount, why), "none") for name, amount, why in told), *outside)
    step = whole.net - left
    parts += [(LEFT, left, "net"), (discounting(result), step, "gain" if step >= 0 else "cost")]
    return (*_drawn_steps([(name, amount or Decimal(0), tone) for name, amount, tone in parts], whole.net), *outside)


def left_of(one: Worth) -> Decimal | None:
    """Counted benefits less costs in dollars of the day; None with an unknown cost."""
    return None if one.costs is None else one.cash + one.capacity - one.costs


def discounting(result: RoiResult) -> str:
    """What leads from dollars of the day to present value, in words."""
    if result.discount_rate is None or result.first_month is None:
        return "Discounting"
    return f"Discounting at {share(result.discount_rate).text} a year to {month(result.first_month)}"


def _outside(whole: Worth) -> Iterator[Step]:
    """Claims that do not count, and what of them people say about another line."""
    yield Step("Claims that do not count at all", in_full(whole.stated), "none")
    if whole.felt:
        yield Step("Of them said about another line, never added", in_full(whole.felt), "none")


def _drawn_steps(parts: Sequence[tuple[str, Decimal, str]], net: Decimal) -> Iterator[Step]:
    """Bars that each begin where the one before ended; sums stand from zero."""
    ends = [Decimal(0), *accumulate(Decimal(0) if tone == "net" else amount for _, amount, tone in parts)]
    low, high = min(ends), max(ends)
    for (name, amount, tone), start, end in zip(parts, ends[:-1], ends[1:], strict=True):
        yield _step(name, amount, tone, (Decimal(0), amount) if tone == "net" else (start, end), (low, high))
    yield _step(PRESENT, net, "net", (Decimal(0), net), (low, high))


def _categories(result: RoiResult) -> list[tuple[str, Decimal | None]]:
    """Costs by category in words, the largest first; None for one with an unknown part."""
    totals: dict[str, Decimal | None] = {}
    for item in result.costs:
        held = totals.get(item.category, Decimal(0))
        totals[item.category] = None if held is None or item.amount is None else held + item.amount
    ordered = sorted(totals.items(), key=lambda one: (-(one[1] or Decimal(0)), one[0]))
    return [(f"Cost: {name.replace('_', ' ')}", amount) for name, amount in ordered]


def _step(name: str, amount: Decimal, tone: str, span: tuple[Decimal, Decimal], ends: tuple[Decimal, Decimal]) -> Step:
    """A bar from one running total to the next, on a scale that spans them all."""
    low, wide = float(ends[0]), float(ends[1] - ends[0]) or 1.0

    def place(value: Decimal) -> float:
        return 100 * (float(value) - low) / wide

    left, right = sorted(map(place, span))
    width = max(right - left, LEAST_WIDTH)
    at = min(left, 100 - width)
    return Step(name, in_full(amount), tone, round(at, 2), round(width, 2), round(place(Decimal(0)), 2))


def fan(result: RoiResult) -> Fan | None:
    """Net benefit to the end of each month with its range; without one, running benefits and costs."""
    told = [one for one in result.points if one.net is not None and one.net_spread is not None]
    return _outcomes(told) if len(told) > 1 else _running(result)


def _outcomes(told: Sequence[Point]) -> Fan:
    """The fan of months whose result can be told."""
    spreads = [one.net_spread for one in told if one.net_spread is not None]
    low, middle, high = ([float(getattr(one, end) or 0) for one in spreads] for end in ("p10", "p50", "p90"))
    ends = _ends([*low, *high])
    last = spreads[-1]
    return Fan(
        title=f"To {month(told[-1].month)} the net benefit is between {money(last.p10).text} and "
        f"{money(last.p90).text} in 8 of 10 draws",
        subtitle="Net benefit to the end of each month, as present value, since something counts",
        band=_drawn([*low], ends) + " " + " ".join(reversed(_drawn(high, ends).split())),
        lines=(Course("middle", "P50", _drawn(middle, ends)),),
        ticks=_ticks(ends),
        first=month(told[0].month),
        last=month(told[-1].month),
        heads=("P10", "P50", "P90", "As counted"),
        rows=tuple(
            (month(one.month), (money(s.p10), money(s.p50), money(s.p90), money(one.net)))
            for one, s in reversed(list(zip(told, spreads, strict=True)))
        ),
        note=words.SIMULATED,
    )


def _running(result: RoiResult) -> Fan | None:
    """Running counted benefits and costs; None with fewer than two months or with unknown costs."""
    months = result.programme.months
    costs = [one.costs for one in months]
    if len(months) < 2 or None in costs:
        return None
    gained, spent = (
        list(accumulate(one or Decimal(0) for one in part)) for part in ([m.benefits for m in months], costs)
    )
    ends = _ends([float(one) for one in (*gained, *spent)])
    return Fan(
        title=f"To {month(months[-1].month)} benefits of {money(gained[-1]).text} count against costs of "
        f"{money(spent[-1]).text}",
        subtitle="Counted benefits and costs added up by month, in dollars of the day",
        band="",
        lines=(
            Course("middle", "counted benefits", _drawn([float(one) for one in gained], ends)),
            Course("against", "costs", _drawn([float(one) for one in spent], ends)),
        ),
        ticks=_ticks(ends),
        first=month(months[0].month),
        last=month(months[-1].month),
        heads=("Counted benefits", "Costs"),
        rows=tuple(_month_rows([one.month for one in months], gained, spent)),
    )


def _month_rows(
    months: Sequence[date], gained: Sequence[Decimal], spent: Sequence[Decimal]
) -> Iterator[tuple[str, tuple[Figure, ...]]]:
    """The newest month first."""
    for day, plus, minus in reversed(list(zip(months, gained, spent, strict=True))):
        yield month(day), (money(plus), money(minus))


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """An axis that spans the values and zero, with some room."""
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.04 * ((high - low) or 1.0)
    return low - room, high + room


def _drawn(values: Sequence[float], ends: tuple[float, float]) -> str:
    """Points from left to right, as SVG writes them."""
    step = WIDTH / max(len(values) - 1, 1)
    scale = HEIGHT / (ends[1] - ends[0])
    return " ".join(f"{round(at * step, 1)},{round((ends[1] - value) * scale, 1)}" for at, value in enumerate(values))


def nice_step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts a span into at most `TICKS` parts.

    >>> nice_step(800_000), nice_step(30)
    (200000.0, 10.0)
    """
    power = 10 ** math.floor(math.log10(span / TICKS))
    return float(next(one * power for one in (1, 2, 5, 10) if span <= TICKS * one * power * (1 + 1e-9)))


def _ticks(ends: tuple[float, float]) -> tuple[tuple[float, str], ...]:
    """Round amounts on the axis, zero among them."""
    low, high = ends
    step = nice_step(high - low)
    levels = [step * at for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return tuple((round(100 * (high - at) / (high - low), 2), _short(at)) for at in levels)


def _short(amount: float) -> str:
    """An amount as it stands beside an axis."""
    sign = formats.MINUS if amount < 0 else ""
    return (
        f"{sign}${formats.grouped(Decimal(repr(abs(amount))).normalize(), 0 if abs(amount) >= 1 or not amount else 2)}"
    )
