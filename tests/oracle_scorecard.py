"""The scorecard worked out anew from what `roi explain KPI --course --rows FILE --json` gives: rows and definition.

Nothing of the project's code is imported. `Kpi` has every period of a KPI and what is judged of it; `measured` makes one
from rows by the oracles of `oracles_kpis`, `modelled` one of the return from its printed trees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from statistics import fmean
from typing import Any

import numpy as np
from oracle_return import Line, Return, exact
from oracles_intervals import Row
from oracles_kinds import Answer
from oracles_kpis import ORACLES, Period, cut_of, periods, sliced

D = Decimal
Json = dict[str, Any]
GRAINS = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}
ORDER = ("day", "week", "month", "quarter")
POINTS_DRAWN = {"day": 400, "week": 60, "month": 36, "quarter": 20}
LEAST_PEOPLE = 5
SCALING, ENOUGH_POINTS, LEAST_FOR_LIMITS = 2.66, 13, 5
"""Wheeler (2000): 3 / 1.128 mean moving ranges; below 13 points limits are on trial, below 5 there are none."""


@dataclass(frozen=True)
class Point:
    """A value of one period and slice, and whether it can be judged."""

    period: Period
    value: float | None
    ends: tuple[float | None, float | None]
    n: int | None
    status: str
    method: str
    verdict: str = ""
    slice: str = ""
    note: str = ""

    @property
    def is_closed(self) -> bool:
        """Whether its cohort has matured."""
        return self.status != "immature"


@dataclass(frozen=True)
class Kpi:
    """A KPI with its points by grain in total, and its slices."""

    kpi_id: str
    told: Json
    """What `roi explain` printed of it."""
    of_grain: Callable[[str], Sequence[Point]]
    of_slices: Callable[[Period, str], list[Point]] = lambda period, dimension: []
    held: dict[str, list[Point]] = field(default_factory=dict)

    @property
    def definition(self) -> Json:
        """What the catalogue says of it."""
        return dict(self.told["definition"])

    @property
    def grain(self) -> str:
        """The grain it is judged on."""
        return GRAINS[self.definition["cadence"]]

    @property
    def through(self) -> date:
        """The last day with data."""
        return date.fromisoformat(self.told["data_through"])

    @property
    def limit(self) -> Decimal | None:
        """Its target."""
        aim = self.definition["target"]
        return None if aim is None else D(aim["at_least"] if aim["at_least"] is not None else aim["at_most"])

    def points(self, grain: str) -> list[Point]:
        """Every period of a grain, oldest first."""
        if grain not in self.held:
            self.held[grain] = sorted(self.of_grain(grain), key=lambda one: one.period.end)
        return self.held[grain]

    def closed(self, points: Sequence[Point]) -> list[Point]:
        """Those that are over, and whose cohort has matured."""
        last = self.through + timedelta(1 - self.definition.get("matures_after_days", 0))
        return [one for one in points if one.period.end <= last and one.is_closed]

    @cached_property
    def now(self) -> Point | None:
        """The newest closed value, over a month's worth of days."""
        headline = self.grain if self.grain in ("month", "quarter") else "28d"
        for grain in (headline, self.grain, "28d"):
            if points := self.points(grain):
                return (self.closed(points) or points)[-1]
        return None

    def before(self, now: Point) -> Point | None:
        """The newest earlier value of a period that does not overlap."""
        known = [one for one in self.points(now.period.grain) if one.value is not None]
        return next((one for one in reversed(known) if one.period.end <= now.period.start), None)

    @property
    def last_known(self) -> Point | None:
        """The newest value, however old."""
        return next((one for one in reversed(self.points(self.grain)) if one.value is not None), None)

    @property
    def year(self) -> list[Point]:
        """Twelve closed months."""
        return self.closed(self.points("month"))[-12:]

    @cached_property
    def drawn(self) -> list[Point]:
        """What a chart draws: the finest grain at which half of the known values can be judged."""
        found: list[Point] = []
        for grain in ORDER[ORDER.index(self.grain) :]:
            points = self.closed(self.points(grain))[-POINTS_DRAWN[grain] :]
            first = next((at for at, one in enumerate(points) if one.value is not None), len(points))
            found = points[first:] or found
            known = [one for one in points[first:] if one.value is not None]
            if known and 2 * sum(one.status == "computed" for one in known) >= len(known):
                return points[first:]
        return found

    @cached_property
    def signals(self) -> dict[Period, str]:
        """The word of each point that was judged, at the grain it is judged on; the model's KPIs have none."""
        if not self.definition.get("fact"):
            return {}
        judged = [one for one in self.points(self.grain) if one.status == "computed"]
        words = signal_words([one.value or 0.0 for one in judged])
        return {one.period: word for one, word in zip(judged, words, strict=True)}

    @property
    def judged(self) -> Point | None:
        """The newest closed point that was judged."""
        points = [one for one in self.points(self.grain) if one.period in self.signals]
        return (self.closed(points) or points)[-1] if points else None

    @property
    def turned_worse(self) -> bool:
        """Whether its newest judged point is a signal, and worse than the mean before it."""
        seen = self.judged
        if seen is None or self.signals[seen.period] in ("none", "trial") or self.definition["cumulative"]:
            return False
        judged = [one.value for one in self.points(self.grain) if one.status == "computed"
                  and one.period.end <= seen.period.start and one.value is not None]  # fmt: skip
        usual = fmean(judged) if judged else None
        if usual is None or seen.value is None or seen.value == usual:
            return False
        return (seen.value > usual) != (self.definition["direction"] == "up")

    @property
    def limits(self) -> tuple[float, float, float] | None:
        """Mean and limits of the points drawn that can be judged."""
        known = [one.value for one in self.drawn if one.status == "computed" and one.value is not None]
        if len(known) < LEAST_FOR_LIMITS or self.definition["cumulative"]:
            return None
        half = SCALING * fmean(abs(two - one) for one, two in zip(known, known[1:], strict=False))
        return fmean(known), fmean(known) - half, fmean(known) + half


def signal_words(values: Sequence[float]) -> list[str]:
    """What was told of each point when it was the newest."""
    return [_signal(values[: at + 1]) for at in range(len(values))]


def _signal(values: Sequence[float]) -> str:
    """The rule that the last point breaks, by mean and limits of all points with it; `trial` below 13, else `none`."""
    mean, last = sum(values) / len(values), values[-7:]
    half = SCALING * fmean(abs(two - one) for one, two in zip(values, values[1:], strict=False)) if values[1:] else math.inf
    least = 1e-10 * max(map(abs, values))
    steps = [two - one for one, two in zip(last, last[1:], strict=False)]
    off = [one - mean for one in last]

    def one_way(moves: list[float], size: int) -> bool:
        return len(moves) == size and (min(moves) > least or max(moves) < -least)

    def near(sign: int) -> bool:
        outer = [sign * one > 2 / 3 * half + least for one in off[-3:]]
        return outer[-1] and any(outer[:-1])

    if abs(off[-1]) > half + least:
        return "outside_limits"
    if one_way(off, 7):
        return "shift"
    if one_way(steps, 6):
        return "trend"
    if near(1) or near(-1):
        return "near_limit"
    return "trial" if len(values) < ENOUGH_POINTS else "none"


# From rows


@dataclass(frozen=True)
class _Rows:
    """The rows behind a KPI, cut into slices."""

    kpi_id: str
    told: Json
    facts: Mapping[str, list[Row]]

    @property
    def definition(self) -> Json:
        return dict(self.told["definition"])

    @cached_property
    def parts(self) -> list[dict[tuple[str, str], list[Row]]]:
        return [sliced(self.facts[fact], self.definition["dimensions"]) for fact in self.definition["counted_facts"]]

    @cached_property
    def labels(self) -> list[Row]:
        counted = self.definition["counted_facts"]
        return [row for fact, rows in self.facts.items() if fact not in counted for row in rows]

    @property
    def through(self) -> date:
        return date.fromisoformat(self.told["data_through"])

    @cached_property
    def all_periods(self) -> list[Period]:
        first = min((row["day"] for part in self.parts for row in part["", ""]), default=None)
        return [] if first is None else periods(self.definition["cadence"], first, self.through)

    def points(self, grain: str) -> list[Point]:
        if grain not in ORACLES[self.kpi_id].grains:
            return []
        return [self.point(one, ("", "")) for one in self.all_periods if one.grain == grain]

    def slices(self, period: Period, dimension: str) -> list[Point]:
        names = dict.fromkeys(name for part in self.parts for dim, name in part if dim == dimension)
        return [self.point(period, (dimension, name)) for name in names if self._rows(period, (dimension, name))]

    def _rows(self, period: Period, key: tuple[str, str]) -> list[Row]:
        return [row for part in self.parts for row in part.get(key, []) if period.start <= row["day"] < period.end]

    def point(self, period: Period, key: tuple[str, str]) -> Point:
        method = self.told["published"]["interval_method"]
        answer = ORACLES[self.kpi_id].answer(cut_of(self.parts, self.labels, period, key, self.through))
        is_empty = answer is None or not self._rows(period, key)
        if answer is None or is_empty:
            return Point(period, None, (None, None), None, "not_available", method, "", key[1])
        people = answer.n if answer.people is None else answer.people
        if self.definition["people"] and 0 < people < LEAST_PEOPLE:
            return Point(period, None, (None, None), None, "not_available", method, "", key[1])
        ends = tuple(None if math.isnan(end) else end for end in answer.ends)
        status = self._status(answer, period)
        verdict = _verdict(self.definition["target"], answer.value, answer.ends, status, is_exact=method == "exact")
        return Point(period, answer.value, (ends[0], ends[1]), answer.n, status, method, verdict, key[1])

    def _status(self, answer: Answer, period: Period) -> str:
        if answer.value is None:
            return "not_available"
        if period.end + timedelta(self.definition["matures_after_days"]) > self.through + timedelta(1):
            return "immature"
        return "insufficient_data" if answer.n < self.definition["min_n"] else "computed"


def _verdict(aim: Json | None, value: float | None, ends: tuple[Any, Any], status: str, *, is_exact: bool) -> str:
    """Met or missed only where the whole interval, or what was counted in full, is on one side of the target."""
    if aim is None:
        return ""
    if value is None or status != "computed":
        return "inconclusive"
    open_ends = [None if end is None or math.isnan(end) else end for end in ends]
    low, high = (value, value) if is_exact else open_ends
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if aim["at_least"] is not None:
        goal = float(aim["at_least"])
        return "met" if low >= goal else "missed" if high < goal else "inconclusive"
    goal = float(aim["at_most"])
    return "met" if high <= goal else "missed" if low > goal else "inconclusive"


def measured(kpi_id: str, told: Json, facts: Mapping[str, list[Row]]) -> Kpi:
    """A KPI from the rows of its facts."""
    rows = _Rows(kpi_id, told, facts)
    return Kpi(kpi_id, told, rows.points, rows.slices)


# From the trees of the return


@dataclass(frozen=True)
class Model:
    """The KPIs of the return, from its trees, its rows (claims and costs) and the tree of the bill."""

    told: Return
    rows: Sequence[Mapping[str, str]]
    explained: Mapping[str, Json]
    """What `roi explain --course --json` printed of each."""

    def kpi(self, kpi_id: str) -> Kpi:
        """A KPI with a point for each month, or quarter."""
        tell = {"programme_roi": self._roi, "net_benefit": self._net, "payback_months": self._payback,
                "cost_savings": self._savings}.get(kpi_id)  # fmt: skip

        def of_grain(grain: str) -> Sequence[Point]:
            if kpi_id == "evidence_backed_benefit_share":
                return list(self._backed(grain))
            if kpi_id == "bill_reconciliation_gap":
                return list(self._gap(grain))
            months = self.told.months if tell and grain == "month" else []
            return [self._point(kpi_id, code, *tell(code)) for code in months if tell]

        return Kpi(kpi_id, self.explained[kpi_id], of_grain)

    def _point(self, kpi_id: str, code: str, value: Decimal | None, ends: tuple[Any, Any], n: int) -> Point:
        told = self.explained[kpi_id]
        status, known = "not_available" if value is None else "computed", None if value is None else float(value)
        verdict = _verdict(told["definition"]["target"], known, ends, status, is_exact=False)
        return Point(_month(code), known, ends, n, status, told["published"]["interval_method"], verdict)

    def _claims(self, until: str) -> int:
        return sum(row["kind"] == "claim" and row["month"][:7] <= until for row in self.rows)

    def _is_told(self, code: str) -> bool:
        return any(one.month <= code for one in self.told.counted)

    def _roi(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        if not self._is_told(code):
            return None, (None, None), self._claims(code)
        gains, spent = self.told.present(code)
        draws = self.told.simulated[code] / self._spent_draws(code)
        value = ((gains - spent) / spent).quantize(D("0.000001"))
        return value, _quantiles(draws, "0.000001"), self._claims(code)

    def _spent_draws(self, code: str) -> Any:
        """Costs to the end of a month as present value, for each draw of the discount rate."""
        held = self.told.told["simulation"]["rate"]
        rate = self.told.draws.get(held["name"], float(held["base"]))
        at = {month: place for place, month in enumerate(self.told.months)}
        paid = [(float(one.amount), at[one.month]) for one in self.told.costs if one.month <= code]
        return sum(amount * (1 + rate) ** (-place / 12) for amount, place in paid)

    def _net(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        if not self._is_told(code):
            return None, (None, None), self._claims(code)
        gains, spent = self.told.present(code)
        return gains - spent, _quantiles(self.told.simulated[code], "0.01"), self._claims(code)

    def _payback(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        paid = self.told.payback
        assert paid is None, "the programme has paid back: work out the months before"
        return None, (None, None), self._claims(code)

    def _savings(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        """Counted cash of one month; every cash line of the sample is about spending that fell away."""
        cash = [row for row in self.rows if row["ledger"] == "cash" and row["month"][:7] == code]
        held = [one for one in self.told.counted if one.month == code and one.line in {row["line"] for row in cash}]
        if not held:
            return None, (None, None), len(cash)
        value = sum((exact(one.counted) or D(0) for one in held if one.counted), D(0))
        return value, _quantiles(self._drawn(held), "0.01"), len(cash)

    def _drawn(self, held: Sequence[Line]) -> Any:
        weight = self.told.told["simulation"]["weight"]
        of_grade_c = self.told.draws.get(weight["name"], float(weight["base"]))
        return sum(self.told._gain(one, self.told.draws, of_grade_c) for one in held)

    def _backed(self, grain: str) -> Iterator[Point]:
        """Claims of grade A or B that count over all that claim something themselves, by month and whole quarter."""
        method = self.explained["evidence_backed_benefit_share"]["published"]["interval_method"]
        for period, codes in self._spans(grain):
            (said,) = self.told.beside("said about another line")
            apart = {id(node) for node in said["children"]}
            held = [one for one in self.told.claims if one.month in codes and id(one.amount) not in apart]
            backed = [one for one in held if one.grade in "AB" and one.counted is not None]
            top, bottom = (sum((exact(one.amount) or D(0) for one in part), D(0)) for part in (backed, held))
            value = float(top / bottom) if bottom > 0 else None
            status = "not_available" if value is None else "computed"
            yield Point(period, value, (None, None), len(held), status, method)

    def _spans(self, grain: str) -> Iterator[tuple[Period, list[str]]]:
        months = self.told.months
        if grain == "month":
            yield from ((_month(code), [code]) for code in months)
        for at, code in enumerate(months):
            if grain == "quarter" and int(code[5:]) % 3 == 1 and at + 3 <= len(months):
                yield Period("quarter", _month(code).start, _month(months[at + 2]).end), months[at : at + 3]

    def _gap(self, grain: str) -> Iterator[Point]:
        """The month whose tree was printed: what telemetry and invoice differ by, as a share of the invoice."""
        told = self.explained["bill_reconciliation_gap"]
        if grain == "month":
            difference, invoice = told["tree"]["children"]
            telemetry, billed = (exact(node) or D(0) for node in difference["children"][0]["children"])
            assert billed == exact(invoice)
            value = float((abs(telemetry - billed) / billed).quantize(D("0.000001")))
            verdict = _verdict(told["definition"]["target"], value, (value, value), "computed", is_exact=True)
            method = told["published"]["interval_method"]
            lines = int(invoice["source"].split()[0])
            yield Point(_month(told["month"][:7]), value, (value, value), lines, "computed", method, verdict)


def _quantiles(draws: Any, step: str) -> tuple[float, float]:
    low, high = (float(D(str(float(end))).quantize(D(step), "ROUND_HALF_UP")) for end in np.quantile(draws, [0.1, 0.9]))
    return low, high


def _month(code: str) -> Period:
    start = date(int(code[:4]), int(code[5:7]), 1)
    return Period("month", start, (start + timedelta(31)).replace(day=1))

