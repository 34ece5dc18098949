"""What each kind of KPI is by its definition, from the rows of one period and slice, in plain Python."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
from oracles_intervals import (
    NOISE,
    NONE,
    Ends,
    Interval,
    Row,
    Z,
    by_cluster,
    census,
    fieller,
    greenwood,
    lang_reiczigel,
    newcombe_paired,
    poisson,
    ranks,
    share_by_cluster,
    wilson,
)
from scipy import stats

GRAINS = ("day", "week", "month", "quarter", "28d")


@dataclass(frozen=True)
class Cut:
    """The rows of one slice in one period, and what lies around them."""

    rows: list[Row]
    over: list[Row]
    """Rows of the second fact of the KPI, if it has one."""
    before: list[Row]
    """Rows of the slice on earlier days."""
    start: date
    last: date | None
    """The last day of the period on which the fact has any row, of whatever slice."""
    horizon: datetime
    """Midnight after the last day with data."""
    peers: list[Row]
    """Rows of the period, of every slice."""


@dataclass(frozen=True)
class Answer:
    """What a KPI is for one cut; None and NaN where it is not available."""

    numerator: Any
    denominator: Any
    n: int
    value: float | None
    ends: Ends = NONE
    people: int | None = None
    """People behind the value, where that is not n."""
    arms: tuple[int, ...] = ()
    """People in each of the groups that are compared."""


@dataclass(frozen=True)
class Oracle:
    """How a KPI is answered, and how closely the engine must agree."""

    answer: Callable[[Cut], Answer | None]
    """None when the cut has nothing to answer from."""
    grains: tuple[str, ...] = GRAINS
    close: float = 1e-9
    """Relative difference allowed in the value."""
    sums_close: float = 0.0
    """Relative difference allowed in numerator and denominator: none in sums and counts."""
    ends_close: float = 1e-8


def add(rows: list[Row], name: str) -> Any:
    """Sum of a column, leaving out what is empty; "*" counts rows."""
    return len(rows) if name == "*" else sum(row[name] for row in rows if row[name] is not None)


def quotient(above: Any, below: Any) -> float | None:
    """Above over below, exactly; None where there is nothing to divide by."""
    return float(Fraction(above) / Fraction(below)) if below > 0 else None


def ratio(above: str, below: str = "*", *, per: int = 1, interval: Interval = census, unknown: str = "") -> Oracle:
    """Sum over sum; not available when a row is of unknown value."""

    def answer(cut: Cut) -> Answer:
        k, n = add(cut.rows, above), add(cut.rows, below)
        if unknown and add(cut.rows, unknown):
            return Answer(None, n, n, None)
        if n <= 0:
            return Answer(k, n, n, None)
        low, high = interval(cut.rows, k, n)
        return Answer(k, n, n, float(per * Fraction(k) / Fraction(n)), (per * low, per * high))

    return Oracle(answer)


def judged(above: str, below: str, *, least: int = 10) -> Oracle:
    """Each judge's share set right by its labels (Rogan & Gladen), people's as it is; their mean by weight.

    Rows of the second fact are labels: `is_good` is what a person says, `is_passed` what the judge does.
    """

    def answer(cut: Cut) -> Answer:
        told = []
        for judge in {row["judge"] for row in cut.rows}:
            mine = [row for row in cut.rows if row["judge"] == judge]
            labels = [row for row in cut.over if judge is not None and row.get("judge") == judge and "is_good" in row]
            if add(mine, below):
                told.append((add(mine, below), *_set_right(add(mine, above), add(mine, below), labels, least)))
        k, n = add(cut.rows, above), add(cut.rows, below)
        if not told:
            return Answer(k, n, n, None)
        value = sum(weight * share for weight, share, _, _ in told) / n
        down = math.sqrt(sum((weight * (share - low)) ** 2 for weight, share, low, _ in told)) / n
        up = math.sqrt(sum((weight * (high - share)) ** 2 for weight, share, _, high in told)) / n
        return Answer(k, n, n, value, (value - down, value + up))

    return Oracle(answer)


def _set_right(k: int, n: int, labels: list[Row], least: int) -> tuple[float, float, float]:
    good = [row["is_passed"] for row in labels if row["is_good"]]
    bad = [1 - row["is_passed"] for row in labels if not row["is_good"]]
    gain = sum(good) / len(good) + sum(bad) / len(bad) - 1 if good and bad else 0
    if min(len(good), len(bad)) < least or gain <= 0:
        return k / n, *wilson([], k, n)
    value = min(1.0, max(0.0, (k / n + sum(bad) / len(bad) - 1) / gain))
    low, high = lang_reiczigel(k, n, good, bad)
    return value, min(low, value), max(high, value)


def worst(above: str, below: str, *, of: str, interval: Interval) -> Oracle:
    """The lowest ratio among the values of a column, whose rows are never pooled."""
    each = ratio(above, below, interval=interval)

    def answer(cut: Cut) -> Answer:
        apart = [[row for row in cut.rows if row[of] == value] for value in sorted({row[of] for row in cut.rows})]
        found = [each.answer(replace(cut, rows=rows, over=[], before=[])) for rows in apart]
        told = [one for one in found if one is not None and one.value is not None]
        return min(told, key=lambda one: one.value or 0.0, default=Answer(0, 0, 0, None))

    return Oracle(answer)


def snapshot(above: str) -> Oracle:
    """Share of the rows of the last day of the period that has any."""

    def answer(cut: Cut) -> Answer | None:
        rows = [row for row in cut.rows if row["day"] == cut.last]
        k, n = add(rows, above), len(rows)
        return Answer(k, n, n, quotient(k, n)) if rows else None

    return Oracle(answer)


def distinct(
    member: str, above: Callable[[Row], bool], below: Callable[[Row], bool], *, interval: Interval = census
) -> Oracle:
    """Different members with a row above the line over those with a row below it."""

    def answer(cut: Cut) -> Answer:
        k, n = (len({row[member] for row in cut.rows if holds(row)}) for holds in (above, below))
        return Answer(k, n, n, quotient(k, n), interval(cut.rows, k, n) if n else NONE)

    return Oracle(answer)


def total(name: str, *, interval: Interval) -> Oracle:
    """Sum over the rows."""

    def answer(cut: Cut) -> Answer:
        found = add(cut.rows, name)
        return Answer(found, None, len(cut.rows), float(found), interval(cut.rows, found, None))

    return Oracle(answer)


def mean(name: str, *, cluster: str) -> Oracle:
    """Mean over the rows that have a value; the people behind it are the different members of `cluster`."""

    def answer(cut: Cut) -> Answer:
        rows = [row for row in cut.rows if row[name] is not None]
        whole, n, people = add(rows, name), len(rows), len({row[cluster] for row in rows})
        return Answer(whole, n, n, quotient(whole, n), by_cluster(cluster, name)(rows, whole, n), people)

    return Oracle(answer)


def quantile(name: str, p: float, *, close: float = 1e-9) -> Oracle:
    """Quantile of the known values, by numpy's linear rule (Hyndman & Fan 1996, definition 7)."""

    def answer(cut: Cut) -> Answer:
        values = sorted(float(row[name]) for row in cut.rows if row[name] is not None)
        if not values:
            return Answer(None, None, 0, None)
        low, high = (values[rank - 1] if rank else math.nan for rank in ranks(len(values), p))
        return Answer(None, None, len(values), float(np.quantile(values, p)), (low, high))

    return Oracle(answer, close=close, ends_close=2.1 * close)


def survival_median(start: str, end: str, *, unit: timedelta) -> Oracle:
    """Kaplan-Meier median; what is open is censored at the end of the data, what ended before it began is unknown."""

    def answer(cut: Cut) -> Answer:
        known = [(row[start], row[end]) for row in cut.rows if row[end] is None or row[end] >= row[start]]
        spans = [((end_at or cut.horizon) - begin, end_at is not None) for begin, end_at in known]
        curve = list(kaplan_meier(spans))
        halved = [next((span / unit for span, *shares in curve if shares[one] <= 0.5), math.nan) for one in range(3)]
        value, ends = (None, NONE) if math.isnan(halved[0]) else (halved[0], (halved[1], halved[2]))
        return Answer(sum(ended for _, ended in spans), len(spans), len(spans), value, ends)

    return Oracle(answer)


def kaplan_meier(spans: list[tuple[timedelta, bool]]) -> Iterator[tuple[timedelta, Fraction, float, float]]:
    """Steps of the curve: time, surviving share (Kaplan & Meier 1958, JASA 53:457) and the ends of its interval."""
    surviving, spread, at_risk = Fraction(1), 0.0, len(spans)
    for span, here in sorted(Counter(span for span, _ in spans).items()):
        if died := sum(ended for one, ended in spans if one == span):
            surviving *= 1 - Fraction(died, at_risk)
            spread += died / (at_risk * (at_risk - died)) if at_risk > died else 0.0
            yield span, surviving, *greenwood(surviving, spread)
        at_risk -= here


def first_answers(cut: Cut, arm: str, value: str) -> list[int]:
    """The first answer in the period of each respondent in one arm, where it is one of the slice."""
    first: dict[str, Row] = {}
    for row in sorted((row for row in cut.peers if row["variant"] == arm), key=lambda one: str(one["first_order"])):
        first.setdefault(row["respondent"], row)
    return [row[value] for row in first.values() if any(row is one for one in cut.rows)]


def difference(value: str, *, interval: Callable[[list[int], list[int]], Ends]) -> Oracle:
    """Mean of the first answers with AI less that of the baseline, in points."""

    def answer(cut: Cut) -> Answer:
        ai, baseline = (first_answers(cut, arm, value) for arm in ("ai", "baseline"))
        n, arms = len(ai) + len(baseline), (len(ai), len(baseline))
        if not ai or not baseline:
            return Answer(sum(ai), len(ai), n, None, arms=arms)
        gap = Fraction(sum(ai), len(ai)) - Fraction(sum(baseline), len(baseline))
        low, high = interval(ai, baseline)
        return Answer(sum(ai), len(ai), n, float(100 * gap), (100 * low, 100 * high), arms=arms)

    return Oracle(answer)


def paired_difference(first: str, second: str) -> Oracle:
    """Share of rows with the first less share of the same rows with the second, in points."""

    def answer(cut: Cut) -> Answer:
        pairs = Counter((row[first], row[second]) for row in cut.rows)
        gap, n = pairs[1, 0] - pairs[0, 1], len(cut.rows)
        low, high = newcombe_paired(pairs[1, 1], pairs[1, 0], pairs[0, 1], pairs[0, 0])
        return Answer(gap, n, n, float(Fraction(100 * gap, n)), (100 * low, 100 * high))

    return Oracle(answer)


def uplift(cut: Cut) -> Answer:
    """Relative difference of mean margins; none over two experiments, nor when the arms are not as they were drawn.

    Delta method: Kohavi, Tang & Xu (2020), chapter 18. The split is refused below p = 0.001 (the same, chapter 21).
    """
    treated, control = ([row["margin"] for row in cut.rows if row["arm"] == arm] for arm in ("treated", "control"))
    whole, n = sum(treated), len(treated) + len(control)
    if len({row["experiment"] for row in cut.rows}) > 1 or not treated or sum(control) <= 0:
        return Answer(whole, len(treated), n, None)
    drawn = [n * float(cut.rows[0]["treated_share"]), n * (1 - float(cut.rows[0]["treated_share"]))]
    if stats.chisquare([len(treated), len(control)], drawn).pvalue < 0.001:
        return Answer(whole, len(treated), n, None)
    base = Fraction(sum(control)) / len(control)
    value = float(Fraction(whole) / len(treated) / base - 1)
    spread = [np.var([float(one) for one in arm], ddof=1) / len(arm) if len(arm) > 1 else math.nan
              for arm in (treated, control)]  # fmt: skip
    half = Z * math.sqrt(spread[0] + (1 + value) ** 2 * spread[1]) / float(base)
    return Answer(whole, len(treated), n, value, (value - half, value + half) if half > math.sqrt(NOISE) else NONE)


def recurrence(
    member: str,
    seen: Callable[[Row], bool],
    times: Callable[[Cut, Row], Any],
    *,
    interval: Interval,
    grains: tuple[str, ...] = GRAINS,
) -> Oracle:
    """Share of the members seen that were seen with two different values of `times`; an empty value is none."""

    def answer(cut: Cut) -> Answer:
        values: dict[Any, set[Any]] = defaultdict(set)
        for row in filter(seen, cut.rows):
            values[row[member]].add(times(cut, row))
        k, n = sum(len(one - {None}) >= 2 for one in values.values()), len(values)
        return Answer(k, n, n, quotient(k, n), interval(cut.rows, k, n) if n else NONE)

    return Oracle(answer, grains=grains)


def peak(cut: Cut) -> Answer:
    """The most requests in one minute that went well within four seconds."""
    served = [row for row in cut.rows if row["is_ok"] == 1 and row["latency_s"] is not None and row["latency_s"] <= 4]
    minutes = Counter(row["started_at"].replace(second=0, microsecond=0) for row in served)
    most = max(minutes.values(), default=0)
    return Answer(most, None, len(cut.rows), float(most))


def episodes(cut: Cut) -> Answer:
    """Bursts of refusals of one provider that began in the period: for five minutes before, none was seen."""
    instants: dict[str, set[datetime]] = defaultdict(set)
    for row in [*cut.before, *cut.rows]:
        if row["is_rate_limited"] == 1:
            instants[row["provider"]].add(row["started_at"])
    begun = [at for times in instants.values() for at in _starts(sorted(times)) if at.date() >= cut.start]
    return Answer(len(begun), None, len(cut.rows), float(len(begun)), poisson(cut.rows, len(begun), None))


def _starts(times: list[datetime]) -> list[datetime]:
    gap = timedelta(minutes=5)
    return [at for place, at in enumerate(times) if place == 0 or at - times[place - 1] > gap]


def ndcg(documents: list[Row], cutoff: int = 10) -> float | None:
    """Gain of the order returned over that of the best one; None without a relevant document.

    Järvelin & Kekäläinen (2002), ACM TOIS 20:422, gains as graded; equal scores stand in falling order of names.
    """
    grades = {row["document"]: max(float(row["grade"]), 0) for row in documents if row["grade"] is not None}
    returned = sorted((row["score"], row["document"]) for row in documents if row["score"] is not None)[::-1]
    gained, best = [grades.get(name, 0) for _, name in returned], sorted(grades.values(), reverse=True)
    gain, most = (
        math.fsum(one / math.log2(place + 2) for place, one in enumerate(each[:cutoff])) for each in (gained, best)
    )
    return gain / most if most else None


def ranking(cut: Cut) -> Answer:
    """Mean nDCG@10 over judged queries with a relevant document; one that returned nothing counts 0."""
    queries: dict[str, list[Row]] = defaultdict(list)
    for row in cut.rows:
        queries[row["query_key"]].append(row)
    found = [{"query": name, "x": one} for name, rows in queries.items() if (one := ndcg(rows)) is not None]
    whole, n = math.fsum(row["x"] for row in found), len(found)
    if not found:
        return Answer(0, 0, 0, None)
    return Answer(whole, n, n, whole / n, share_by_cluster("query", "x")(found, whole, n))


def derived(above: str, below: str, *, unknown: str) -> Oracle:
    """Sum over one fact over the sum over another, each by itself; days are the clusters of the interval."""

    def answer(cut: Cut) -> Answer:
        x, y = add(cut.rows, above), add(cut.over, below)
        if not cut.rows or add(cut.rows, unknown):
            return Answer(None, y, y, None)
        days = sorted({row["day"] for row in [*cut.rows, *cut.over]})
        sides = ((cut.rows, above), (cut.over, below))
        both = [[float(add([row for row in rows if row["day"] == day], name)) for day in days] for rows, name in sides]
        return Answer(x, y, y, quotient(x, y), fieller(*both) if y else NONE)

    return Oracle(answer)
