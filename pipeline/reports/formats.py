"""Numbers and periods as people read them; the same number always prints the same text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import combinations

from pipeline.reports.model import Figure, Value

THIN = "\u202f"
MINUS = "\u2212"
JOINER = "\u2060"
"""Keeps a minus and the sign of a currency on one line."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
NOT_APPLICABLE = Figure("n/a", "not-applicable", "not applicable")
_UNIT_WORDS = {
    "ratio": "percent",
    "index": "index from 0 to 1",
    "score_1_5": "points of 5",
    "s": "seconds",
    "min": "minutes",
    "h": "hours",
    "d": "days",
    "months": "months",
    "points": "percentage points",
    "count": "count",
    "USD": "US dollars",
}


def unit_words(unit: str) -> str:
    """A unit in words: US dollars per session, tokens per call, per 1 000 requests, calls per minute."""
    top, _, bottom = unit.replace("_", " ").partition("/")
    if bottom:
        return f"{_UNIT_WORDS['USD'] if top == 'USD' else top} per {'minute' if bottom == 'min' else bottom}"
    return f"per 1 000 {top.removeprefix('per 1k ')}" if unit.startswith("per_1k_") else _UNIT_WORDS[unit]


def unit_sign(unit: str) -> str:
    """What stands behind a number."""
    if unit.startswith("per_1k_"):
        return "per 1k"
    if unit.startswith("tokens/"):
        return "tokens"
    return "/min" if unit.endswith("/min") else {"score_1_5": "of 5", "index": ""}.get(unit, unit)


def grouped(number: int | Decimal, decimals: int = 0) -> str:
    """A number with thin spaces between thousands and a true minus sign."""
    text = f"{number:,.{decimals}f}".replace(",", THIN)
    return text.replace("-", MINUS) if Decimal(number) else text.replace("-", "")


def _rounded(value: float, decimals: int) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)


def _percent_decimals(percent: float) -> int:
    edge = min(abs(percent), abs(100 - percent))
    return 1 if edge >= 1 or edge == 0 else 2 if edge >= 0.1 else 3


def percent(share: float, decimals: int | None = None) -> str:
    """A share in 0..1 as percent; only an exact 0 or 1 ever prints 0 % or 100 %.

    Near the edges more decimals are kept (99.93 %), and beyond three of them it says `<0.001 %` or `>99.999 %`.
    """
    if share in (0, 1):
        return f"{int(share * 100)}{THIN}%"
    value = share * 100
    places = _percent_decimals(value) if decimals is None else decimals
    step = Decimal(1).scaleb(-places)
    rounded = _rounded(value, places)
    if rounded == 0:
        return f"{'<' if value > 0 else '>' + MINUS}{step}{THIN}%"
    if rounded == 100:
        return f"{'>' if value < 100 else '<'}{100 - step if value < 100 else 100 + step}{THIN}%"
    return f"{grouped(rounded, places)}{THIN}%"


def usd(amount: float) -> str:
    """US dollars with four significant digits; zero is $0."""
    if amount == 0:
        return "$0"
    decimals = max(2, 3 - math.floor(math.log10(abs(amount))))
    sign = f"{MINUS}{JOINER}" if amount < 0 else ""
    return f"{sign}${grouped(_rounded(abs(amount), decimals), decimals)}"


def measured(value: float, unit: str) -> str:
    """Seconds, hours or a plain number with three significant digits, whole above a thousand."""
    if value == 0:
        return f"0{THIN}{unit}".rstrip()
    size = abs(value)
    decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    rounded = _rounded(value, decimals)
    if rounded == 0:
        return f"{'<' if value > 0 else '>' + MINUS}0.001{THIN}{unit}".rstrip()
    return f"{grouped(rounded, decimals)}{THIN}{unit}".rstrip()


def whole(value: float) -> str:
    """A count: whole, unless that would make it nothing."""
    rounded = _rounded(value, 0)
    return grouped(rounded) if rounded or value == 0 else measured(value, "")


def counted(number: int, one: str) -> str:
    """A number of things: 1 file, 2 files."""
    return f"{grouped(number)} {one}{'' if number == 1 else 's'}"


def points(value: float) -> str:
    """Percentage points with their sign; zero has none."""
    decimals = 1 if abs(value) >= 0.1 or value == 0 else 2 if abs(value) >= 0.01 else 3
    rounded = _rounded(value, decimals)
    if rounded == 0:
        return "0 points" if value == 0 else f"{'<+' if value > 0 else '>' + MINUS}0.001 points"
    return f"{'+' if rounded > 0 else ''}{grouped(rounded, decimals)} points"


def amount(value: float, unit: str) -> str:
    """A value with its unit; the one place that knows how each unit prints."""
    if unit == "ratio":
        return percent(value)
    if unit.startswith("USD"):
        return usd(value)
    if unit == "points":
        return points(value)
    return whole(value) if unit == "count" else measured(value, unit_sign(unit))


def average(value: float, unit: str) -> str:
    """A mean or a limit: as an amount, and of a count with decimals, for 2.9 events are fewer than 3."""
    return measured(value, "") if unit == "count" else amount(value, unit)


def goal(limit: Decimal, unit: str) -> str:
    """A target as it was set, without padding: 20 %, 99.9 %, $0.05, 4 s, +3 points."""

    def trimmed(number: Decimal) -> str:
        return f"{number.normalize():,f}".replace(",", THIN).replace("-", MINUS)

    if unit == "ratio":
        return f"{trimmed(limit * 100)}{THIN}%"
    if unit.startswith("USD"):
        return f"${trimmed(limit)}"
    if unit == "points":
        return f"{'+' if limit > 0 else ''}{trimmed(limit)} points"
    return f"{trimmed(limit)}{THIN}{unit_sign(unit)}".rstrip() if unit != "count" else trimmed(limit)


def beside(value: float, limit: float, unit: str) -> str:
    """A value printed next to its target, with more decimals when rounding would hide that they differ."""
    text = amount(value, unit)
    if unit != "ratio" or value == limit or text != amount(limit, unit):
        return text
    for decimals in range(_percent_decimals(value * 100) + 1, 9):
        if _rounded(value * 100, decimals) != _rounded(limit * 100, decimals):
            return percent(value, decimals)
    return text


def apart(values: Sequence[float], unit: str) -> tuple[str, ...]:
    """Values as printed; with as many digits as it takes where two that differ would print alike.

    What differs by no more than the rounding of arithmetic is the same.
    """
    texts = tuple(amount(value, unit) for value in values)
    for digits in range(4, 18):
        pairs = combinations(zip(values, texts, strict=True), 2)
        if not any(a[1] == b[1] and not math.isclose(a[0], b[0], rel_tol=1e-12, abs_tol=1e-15) for a, b in pairs):
            break
        texts = tuple(goal(Decimal(f"{value:.{digits}g}"), unit) for value in values)
    return texts


def change(new: float, old: float, unit: str) -> str:
    """The step from one period to the next: points for shares, percent for money, else the unit itself."""
    step = new - old
    if math.isclose(new, old, rel_tol=1e-12, abs_tol=1e-15):
        return "no change"
    if unit == "ratio":
        return points(step * 100)
    if unit.startswith("USD"):
        return f"{'+' if step > 0 else ''}{percent(step / abs(old), 1)}" if old else "from $0"
    if unit == "points":
        return points(step)
    return ("+" if step > 0 else "") + amount(step, unit)


def figure(row: Value) -> Figure:
    """The value as printed; what is unknown says so and why."""
    if row.value is not None:
        return Figure(amount(row.value, row.unit), "zero" if row.value == 0 else "value")
    if row.is_withheld:
        return Figure("suppressed", "suppressed", row.reason.partition(":")[2].strip() or "small group")
    return Figure("not available", "missing", row.reason or "no reason recorded")


def span(low: str, high: str) -> str:
    """Two printed numbers as a range; the unit is said once, and signs are never next to the dash."""
    if not (low[0].isdigit() or low[0] == "$") or not (high[0].isdigit() or high[0] == "$"):
        return f"{low.removesuffix(' points') if high.endswith(' points') else low} to {high}"
    number, _, unit = low.rpartition(THIN)
    return f"{number if number and high.endswith(THIN + unit) and not unit.isdigit() else low}–{high}"


def interval(row: Value) -> Figure:
    """The 95 % interval, `exact` for a census, not applicable where there is no value."""
    if row.value is None:
        return NOT_APPLICABLE
    if row.method == "exact" and row.low == row.high:
        return Figure("exact", "value")
    if row.low is not None and row.high is not None:
        ends = span(amount(row.low, row.unit), amount(row.high, row.unit))
        return Figure(f"{ends} (P10 to P90)" if row.method == "simulation" else ends, "value")
    if row.low is not None:
        return Figure(f"at least {amount(row.low, row.unit)}", "value")
    if row.high is not None:
        return Figure(f"at most {amount(row.high, row.unit)}", "value")
    return Figure("not available", "missing", "no interval could be computed")


def count(number: int | None) -> Figure:
    """A count with thin separators; unknown is not applicable."""
    return NOT_APPLICABLE if number is None else Figure(grouped(number), "zero" if number == 0 else "value")


def day(value: date) -> str:
    """A date as 20 Nov 2026, in any locale."""
    return f"{value.day} {MONTHS[value.month - 1][:3]} {value.year}"


def period(grain: str, start: date, end: date) -> str:
    """A period in words; `end` is exclusive, as everywhere."""
    last = day(end - timedelta(days=1))
    if grain == "day":
        return day(start)
    if grain == "month":
        return f"{MONTHS[start.month - 1]} {start.year}"
    if grain == "quarter":
        return f"Q{(start.month + 2) // 3} {start.year}"
    if grain == "week":
        return f"week to {last}"
    return f"28 days to {last}" if grain == "28d" else f"{day(start)} to {last}"


def when(row: Value) -> str:
    """The period of a value in words; a running total says since when it counts."""
    told = period(row.grain, row.start, row.end)
    return f"{since(row)}, to {told}" if row.since else told


def since(row: Value) -> str:
    """Since when a running total counts; empty for a value of its period alone."""
    return f"since {MONTHS[row.since.month - 1]} {row.since.year}" if row.since else ""


def period_code(grain: str, start: date, end: date) -> str:
    """A period as commands take it: 2026-10-31, 2026-W44, 2026-10, or 28d: and the last day."""
    last = end - timedelta(days=1)
    if grain == "week":
        return f"{start:%G-W%V}"
    return f"{start:%Y-%m}" if grain == "month" else start.isoformat() if grain == "day" else f"{grain}:{last}"


def size(n_bytes: int) -> str:
    """A file size in kB or MB."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{max(n_bytes, 1) / 1e3:.1f} kB"


def listed(words: list[str], conjunction: str = "and") -> str:
    """Words as an English list: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}" if words else ""
