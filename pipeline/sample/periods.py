"""The periods the right answers are given for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from pipeline.sample.clock import Span, first_of_next_month

WINDOW_DAYS = 28
DAYS_CHECKED = ("2025-10-01", "2025-10-15", "2025-12-24", "2026-01-01", "2026-02-16", "2026-03-31", "2026-04-01")
"""Days worth a look: the first, a working day, holidays and the days around a change of prices; then the last seven."""
MONTHS_SLICED = ("2025-12-01", "2026-04-01", "2026-10-01")


class Period(NamedTuple):
    """A half-open range of days and what it is a case of."""

    grain: str
    start: date
    end: date


def months(span: Span) -> list[Period]:
    """Every month of the span."""
    return [Period("month", first, first_of_next_month(first)) for first in span.months()]


def weeks(span: Span) -> list[Period]:
    """Every ISO week with a day of the span; the first and last may reach beyond it."""
    monday = span.start - timedelta(days=span.start.weekday())
    found = []
    while monday < span.end:
        found.append(Period("week", monday, monday + timedelta(days=7)))
        monday += timedelta(days=7)
    return found


def days(span: Span) -> list[Period]:
    """A choice of single days."""
    chosen = {span.start + timedelta(days=k) for k in (0, 13)} | {span.last - timedelta(days=k) for k in range(7)}
    chosen |= {date.fromisoformat(text) for text in DAYS_CHECKED}
    return [Period("day", day, day + timedelta(days=1)) for day in sorted(chosen) if span.start <= day < span.end]


def windows(span: Span, cadence: str) -> list[Period]:
    """Trailing windows of 28 days that end with a month, or, for weekly KPIs, with the last whole week of one.

    A window that the span does not fill is given only when it ends with the span.
    """
    ends = [first_of_next_month(first) for first in span.months()]
    if cadence == "weekly":
        ends = [end - timedelta(days=end.weekday()) for end in ends]
    starts = {end: end - timedelta(days=WINDOW_DAYS) for end in sorted({*ends, span.end})}
    return [Period("28d", start, end) for end, start in starts.items() if start >= span.start or end == span.end]


def quarters(span: Span) -> list[Period]:
    """Every quarter of the year with a day of the span; the first and last may reach beyond it."""
    starts = sorted({first.replace(month=first.month - (first.month - 1) % 3) for first in span.months()})
    return [Period("quarter", start, first_of_next_month(_in_two_months(start))) for start in starts]


def _in_two_months(first: date) -> date:
    return first_of_next_month(first_of_next_month(first))


def sliced(span: Span) -> list[Period]:
    """The periods also given by dimension: three months and the last window."""
    known = [period for period in months(span) if period.start.isoformat() in MONTHS_SLICED]
    return [*(known or months(span)[-3:]), Period("28d", span.end - timedelta(days=WINDOW_DAYS), span.end)]
