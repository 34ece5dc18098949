"""The scorecard worked out anew from what `roi explain KPI --course --rows FILE --json` gives: rows and definition.

Nothing of the project's code is imported. `Kpi` has every period of a KPI and what is judged of it; `measured` makes
one from rows by the oracles of `oracles_kpis`. KPIs of the return come from its printed trees: `oracle_modelled`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any

import numpy as np
from oracles_intervals import Row, ranks
from oracles_kinds import Answer, Cut
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

    @property
    def is_closed(self) -> bool:
        """Whether its cohort has matured."""
        return self.status != "immature"


WITHHELD = "withheld"
"""Status of a slice of which the edition tells nothing; that is quoted from the downloads, and not worked out again."""
Key = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Kpi:
    """A KPI with its points by grain in total, and its slices."""

    kpi_id: str
    told: Json
    """What `roi explain` printed of it."""
    of_grain: Callable[[str], Sequence[Point]]
    of_slices: Callable[[Period, str], list[Point]] = lambda period, dimension: []
    note: Callable[[Point], str] = lambda point: ""
    """What is added to a value: how far back it looks, or which of its parts is told."""
    is_of_people: bool = False
    """Whether it counts people, or its rows name who did what they tell of."""
    held: dict[str, list[Point]] = field(default_factory=dict)

    def without(self, hidden: Collection[Key]) -> Kpi:
        """The same, with the slices of which nothing is told by the keys of the downloads, of nobody among them."""

        def of_slices(period: Period, dimension: str) -> list[Point]:
            told = (self.kpi_id, period.grain, str(period.start), str(period.end), dimension)
            names = {key[5] for key in hidden if key[:5] == told}
            nothing = [Point(period, None, (None, None), None, WITHHELD, "", "", name) for name in sorted(names)]
            return [one for one in self.of_slices(period, dimension) if one.slice not in names] + nothing

        return replace(self, of_slices=of_slices, held={})

    def shown_slices(self, dimension: str) -> list[Point]:
        """The slices of the current period, or where it withholds most, of a newest month or quarter."""

        def told(found: list[Point]) -> float:
            return sum(one.status != WITHHELD for one in found) / len(found) if found else 0.0

        current = self.of_slices(self.now.period, dimension) if self.now else []
        newest = [self.closed(self.points(grain))[-1:] for grain in ("month", "quarter")] if current else []
        others = [self.of_slices(one.period, dimension) for points in newest for one in points]
        return current if told(current) >= 0.5 else max([current, *others], key=told)

    @property
    def is_withheld(self) -> bool:
        """Whether the course tells nothing of the headlined period."""
        return self.now is not None and self.is_hidden(self.now)

    def is_hidden(self, point: Point) -> bool:
        """Whether the course tells nothing of a period in total."""
        span = (point.period.grain, str(point.period.start), str(point.period.end))
        held = (one for one in self.told["course"]
                if (one["grain"], one["period_start"][:10], one["period_end"][:10]) == span)  # fmt: skip
        return any(one["reason"].startswith("suppressed") for one in held)

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
        """The newest closed value, over a month's worth of days; of 28 withheld days the last told in a week."""
        headline = self.grain if self.grain in ("month", "quarter") else "28d"
        for grain in (headline, self.grain, "28d"):
            if points := self.points(grain):
                newest = (self.closed(points) or points)[-1]
                week = [one for one in points if 0 < (newest.period.end - one.period.end).days <= 6]
                told = [one for one in week if not self.is_hidden(one)] if grain == "28d" else []
                return told[-1] if told and self.is_hidden(newest) else newest
        return None

    def before(self, now: Point) -> Point | None:
        """The newest earlier value of a period that does not overlap; where there is none now, the last one known."""
        known = [one for one in self.points(now.period.grain) if one.value is not None]
        found = next((one for one in reversed(known) if one.period.end <= now.period.start), None)
        last = self.last_known if now.value is None else None
        if last and (found is None or found.period.end < last.period.end <= now.period.end):
            return last
        return found

    @property
    def last_known(self) -> Point | None:
        """The newest value, however old; of a coarser period only where it lies after all that finer ones know."""
        found: Point | None = None
        for grain in ORDER[ORDER.index(self.grain) :]:
            points = self.points(grain) if found is None else self.closed(self.points(grain))
            one = next((one for one in reversed(points) if one.value is not None), None)
            if one is not None and (found is None or found.period.end <= one.period.start):
                found = one
        return found

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
            newest = self.last_known
            is_coarser = newest is not None and newest.period.grain in ORDER[ORDER.index(grain) + 1 :]
            if known and newest and is_coarser and known[-1].period.end <= newest.period.start:
                continue
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
        """The newest closed point that was judged; none where there is no value now."""
        if self.now is None or self.now.value is None:
            return None
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
        half = SCALING * fmean(abs(two - one) for one, two in pairwise(known))
        return fmean(known), fmean(known) - half, fmean(known) + half


def signal_words(values: Sequence[float]) -> list[str]:
    """What was told of each point when it was the newest."""
    return [_signal(values[: at + 1]) for at in range(len(values))]


def _signal(values: Sequence[float]) -> str:
    """The rule that the last point breaks, by mean and limits of all points with it; `trial` below 13, else `none`."""
    mean, last = sum(values) / len(values), values[-7:]
    half = SCALING * fmean(abs(two - one) for one, two in pairwise(values)) if values[1:] else math.inf
    least = 1e-10 * max(map(abs, values))
    steps = [two - one for one, two in pairwise(last)]
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
        """Rows of each fact by slice; a session that runs over midnight is one cluster per day (decision 10)."""
        facts = ([_by_day(row) for row in self.facts[fact]] for fact in self.definition["counted_facts"])
        return [sliced(rows, self.definition["dimensions"]) for rows in facts]

    @cached_property
    def oracle(self) -> Callable[[Cut], Answer | None]:
        """How it is answered; percentiles of the catalogue come from buckets of 1 %."""
        if self.definition["kind"] == "percentile":
            return bucketed(self.definition["value"], float(self.definition["percentile"]))
        return ORACLES[self.kpi_id].answer

    @cached_property
    def labels(self) -> list[Row]:
        counted = self.definition["counted_facts"]
        return [row for fact, rows in self.facts.items() if fact not in counted for row in rows]

    @property
    def through(self) -> date:
        return date.fromisoformat(self.told["data_through"])

    @cached_property
    def withheld(self) -> set[Period]:
        """Periods that are told of too few people, or would let others be worked out: no numbers, so none to check."""
        hidden = [one for one in self.told["course"] if one["reason"].startswith("suppressed")]
        spans = [(one["grain"], one["period_start"][:10], one["period_end"][:10]) for one in hidden]
        return {Period(grain, *map(date.fromisoformat, span)) for grain, *span in spans}

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
        if key == ("", "") and period in self.withheld:
            return Point(period, None, (None, None), None, "not_available", method, self.unjudged, key[1])
        answer = self.oracle(cut_of(self.parts, self.labels, period, key, self.through))
        nothing = Point(period, None, (None, None), None, "not_available", method, self.unjudged, key[1])
        if answer is None or not self._rows(period, key):
            return self._quoted(period, nothing) if key == ("", "") else nothing
        people = answer.n if answer.people is None else answer.people
        if bool(self.definition["people"]) and 0 < people < LEAST_PEOPLE:
            assert key != ("", ""), f"{self.kpi_id} tells of {people} people in {period}"
            return nothing
        ends = tuple(None if math.isnan(end) else float(end) for end in answer.ends)
        status = self._status(answer, period)
        verdict = verdict_of(self.definition["target"], answer.value, answer.ends, status, is_exact=method == "exact")
        return Point(period, answer.value, (ends[0], ends[1]), answer.n, status, method, verdict, key[1])

    def _quoted(self, period: Period, nothing: Point) -> Point:
        """What the course tells of a period of withheld months, of which no rows are given; else nothing."""
        months = [one for one in self.withheld if one.grain == "month"]
        if not any(period.start <= one.start and one.end <= period.end for one in months if period.grain == "quarter"):
            return nothing
        span = (period.grain, period.start.isoformat(), period.end.isoformat())
        held = (one for one in self.told["course"]
                if (one["grain"], one["period_start"][:10], one["period_end"][:10]) == span)  # fmt: skip
        told = next(held, None)
        if told is None or told["value"] is None:
            return nothing
        ends = (told["interval_low"], told["interval_high"])
        return Point(period, told["value"], ends, told["n"], told["status"], nothing.method, told["verdict"])

    def note(self, point: Point) -> str:
        """The worst slice that is told in total, or what judges said before they were corrected."""
        if dimension := self.definition.get("worst_of"):
            slices = [one for one in self.slices(point.period, dimension) if one.value is not None]
            sign = 1 if self.definition["direction"] == "up" else -1
            return min(slices, key=lambda one: (sign * (one.value or 0.0), one.slice)).slice if slices else ""
        return self._as_told(point) if self.definition["kind"] == "judged" else ""

    def _as_told(self, point: Point) -> str:
        above, below = (re.findall(r"\((\w+)\)", self.definition[name])[0] for name in ("numerator", "denominator"))
        rows = self._rows(point.period, ("", ""))
        known = [row for row in self.labels if row["day"] < point.period.end]
        apart = [row for row in rows if row["judge"] is not None and not _is_known(row["judge"], known)]
        told, judged, left = (
            sum(row[name] for row in part) for part, name in ((rows, above), (rows, below), (apart, below))
        )
        corrected = any(_is_known(row["judge"], known) for row in rows)
        share = f"{100 * told / judged:.1f} % as told; " if corrected else ""
        return share + (f"{left} of {judged} by judges without labels" if left else "")

    @property
    def unjudged(self) -> str:
        """The verdict where there is no value."""
        return "inconclusive" if self.definition["target"] else ""

    def _status(self, answer: Answer, period: Period) -> str:
        if answer.value is None:
            return "not_available"
        if period.end + timedelta(self.definition["matures_after_days"]) > self.through + timedelta(1):
            return "immature"
        return "insufficient_data" if answer.n < self.definition["min_n"] else "computed"


def _is_known(judge: str, labels: Sequence[Row], *, least: int = 10) -> bool:
    """Whether people labelled enough good and bad items of a judge."""
    mine = [row["is_good"] for row in labels if row["judge"] == judge]
    return min(sum(mine), len(mine) - sum(mine)) >= least


def _by_day(row: Row) -> Row:
    return row | {"session_key": f"{row['session_key']} {row['day']}"} if row.get("session_key") else row


GAMMA = 1.01 / 0.99
"""Ratio of the ends of a bucket, so that its middle is within 1 % of every value in it (Masson, Rim & Lee 2019)."""


def bucketed(name: str, p: float) -> Callable[[Cut], Answer | None]:
    """A percentile by numpy's linear rule from the middles of buckets; its interval from their outer edges."""

    def answer(cut: Cut) -> Answer:
        values = sorted(float(row[name]) for row in cut.rows if row[name] is not None)
        if not values:
            return Answer(None, None, 0, None)
        uppers = [GAMMA ** math.ceil(math.log(value) / math.log(GAMMA)) for value in values]
        low, high = ranks(len(values), p)
        ends = (uppers[low - 1] / GAMMA if low else math.nan, uppers[high - 1] if high else math.nan)
        return Answer(None, None, len(values), float(np.quantile(uppers, p)) * 2 / (GAMMA + 1), ends)

    return answer


def verdict_of(aim: Json | None, value: float | None, ends: tuple[Any, Any], status: str, *, is_exact: bool) -> str:
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
    names_people = any("person_id" in row for found in facts.values() for row in found[:1])
    return Kpi(kpi_id, told, rows.points, rows.slices, rows.note, rows.definition["people"] or names_people)
