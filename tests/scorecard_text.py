"""How the pages print amounts, intervals and steps, written anew from `docs` and not from the project's code."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from oracle_scorecard import Kpi, Point

D = Decimal
THIN, MINUS, JOINER = "\u202f", "\u2212", "\u2060"
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
SIGNS = {"per_1k_sessions": "per 1k", "score_1_5": "of 5", "index": "", "requests/min": "/min"}


def grouped(value: Decimal, places: int) -> str:
    """Half to even, thin spaces between thousands, a true minus."""
    return f"{value.quantize(D(1).scaleb(-places), ROUND_HALF_EVEN):,f}".replace(",", THIN).replace("-", MINUS)


def percent(share: float, places: int | None = None) -> str:
    """One decimal, more near 0 and 100; only an exact 0 or 1 is 0 % or 100 %."""
    if share in (0, 1):
        return f"{round(100 * share)}{THIN}%"
    value = D(repr(share * 100))
    edge = min(abs(value), abs(100 - value))
    kept = (1 if edge >= 1 or edge == 0 else 2 if edge >= D("0.1") else 3) if places is None else places
    step, text = D(1).scaleb(-kept), grouped(value, kept)
    if D(value).quantize(step) == 0:
        return f"{'<' if value > 0 else '>' + MINUS}{step}{THIN}%"
    if D(value).quantize(step) == 100:
        return f"{'>' if value < 100 else '<'}{100 - step if value < 100 else 100 + step}{THIN}%"
    return f"{text}{THIN}%"


def dollars(value: float) -> str:
    """Four digits that count, at least cents."""
    if value == 0:
        return "$0"
    places = max(2, 3 - math.floor(math.log10(abs(value))))
    return f"{MINUS + JOINER if value < 0 else ''}${grouped(abs(D(repr(value))), places)}"


def number(value: float, sign: str) -> str:
    """Three digits that count: whole from 1000 up, one decimal from 100, two from 1, else three."""
    size = abs(value)
    places = 0 if size >= 1000 or value == 0 else 1 if size >= 100 else 2 if size >= 1 else 3
    text = grouped(D(repr(value)), places)
    if value and not float(text.replace(THIN, "").replace(MINUS, "-")):
        text = f"{'<' if value > 0 else '>' + MINUS}0.001"
    return f"{text if value else 0}{THIN}{sign}".rstrip()


def points(value: float) -> str:
    """Percentage points with their sign."""
    places = 1 if abs(value) >= 0.1 or value == 0 else 2 if abs(value) >= 0.01 else 3
    text = grouped(D(repr(value)), places)
    return "0 points" if value == 0 else f"{'+' if value > 0 else ''}{text} points"


def amount(value: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "ratio":
        return percent(value)
    if unit.startswith("USD"):
        return dollars(value)
    if unit == "points":
        return points(value)
    if unit == "count":
        whole = grouped(D(repr(value)), 0)
        return whole if whole != "0" or value == 0 else number(value, "")
    return number(value, SIGNS.get(unit, unit))


def average(value: float, unit: str) -> str:
    """A mean or a limit, which of a count has decimals."""
    return number(value, "") if unit == "count" else amount(value, unit)


def interval_name(kpi: Kpi) -> str:
    """What its intervals are."""
    return "P10 to P90" if kpi.now is not None and kpi.now.method == "simulation" else "95 % interval"


def goal(kpi: Kpi) -> str:
    """A target as it was set, with its side."""
    aim, unit, limit = kpi.definition["target"], kpi.definition["unit"], kpi.limit
    if limit is None:
        return f"no number set; {kpi.definition['aim']}" if kpi.definition["aim"] else "none set"
    side = "at least" if aim["at_least"] is not None else "at most"
    text = f"{(limit * 100 if unit == 'ratio' else limit).normalize():,f}".replace(",", THIN).replace("-", MINUS)
    if unit == "ratio":
        return f"{side} {text}{THIN}%"
    if unit.startswith("USD"):
        return f"{side} ${text}"
    if unit in ("count", "points"):
        return f"{side} {'+' if unit == 'points' and limit > 0 else ''}{text}{' points' if unit == 'points' else ''}"
    return f"{side} {text}{THIN}{SIGNS.get(unit, unit)}"


def leading(point: Point, kpi: Kpi) -> str:
    """The value with its upper end where none seen proves nothing, wherever it stands."""
    unit = kpi.definition["unit"]
    if point.value is None:
        return "not available"
    if kpi.definition.get("headline") == "upper_bound" and point.ends[1] is not None:
        things = re.fullmatch(r"sum\((\w+s)\)", kpi.definition["total"]) if unit == "count" else None
        of = f" {things[1].replace('_', ' ')}" if things else ""
        return f"\u2264{THIN}{amount(point.ends[1], unit)}{of} ({amount(point.value, unit)} seen)"
    return amount(point.value, unit)


def value(point: Point, kpi: Kpi) -> str:
    """The value as it leads, told apart from its target."""
    unit, limit, text = kpi.definition["unit"], kpi.limit, leading(point, kpi)
    if point.value is None or text.startswith("\u2264"):
        return text
    if limit is None or unit != "ratio" or point.value == float(limit) or text != amount(float(limit), unit):
        return text
    places = (one for one in range(2, 9) if percent(point.value, one) != percent(float(limit), one))
    return percent(point.value, next(places))


def span(low: str, high: str) -> str:
    """Two printed numbers; the unit is said once."""
    if not (low[0].isdigit() or low[0] == "$") or not (high[0].isdigit() or high[0] == "$"):
        return f"{low.removesuffix(' points')} to {high}"
    figure, _, sign = low.rpartition(THIN)
    return f"{figure if figure and high.endswith(THIN + sign) and not sign.isdigit() else low}\u2013{high}"


def interval(point: Point, unit: str) -> str:
    """Both ends, one of them, or that it is exact."""
    low, high = point.ends
    if point.value is None:
        return "n/a"
    if point.method == "exact":
        return "exact"
    if low is not None and high is not None:
        text = span(amount(low, unit), amount(high, unit))
        return f"{text} (P10 to P90)" if point.method == "simulation" else text
    if low is not None:
        return f"at least {amount(low, unit)}"
    return "not available" if high is None else f"at most {amount(high, unit)}"


def count(n: int | None) -> str:
    """A number of things."""
    return "n/a" if n is None else grouped(D(n), 0)


def spread(point: Point, unit: str) -> str:
    """Interval and n as they stand in sentences."""
    text, n = interval(point, unit), count(point.n)
    if text == "exact":
        return f"exact count, n = {n}"
    name = "in 8 of 10 draws" if point.method == "simulation" else "95 % interval"
    return f"{name} {text}, n = {n}" if text != "not available" else f"no interval could be computed, n = {n}"


def change(new: float, old: float, unit: str) -> str:
    """The step to a value: points for shares, percent for money, else the unit."""
    step = new - old
    if math.isclose(new, old, rel_tol=1e-12, abs_tol=1e-15):
        return "no change"
    if unit in ("ratio", "points"):
        return points(step * 100 if unit == "ratio" else step)
    if unit.startswith("USD"):
        return f"{'+' if step > 0 else ''}{percent(step / abs(old), 1)}" if old else "from $0"
    return ("+" if step > 0 else "") + amount(step, unit)


def when(point: Point) -> str:
    """The period in words."""
    grain, start, last = point.period.grain, point.period.start, point.period.end - timedelta(1)
    said: dict[str, Any] = {
        "day": day(start), "week": f"week to {day(last)}", "month": f"{MONTHS[start.month - 1]} {start.year}",
        "quarter": f"Q{(start.month + 2) // 3} {start.year}", "28d": f"28 days to {day(last)}",
    }  # fmt: skip
    return str(said[grain])


def day(one: date) -> str:
    """A day as 31 Oct 2026."""
    return f"{one.day} {MONTHS[one.month - 1][:3]} {one.year}"
