"""Times of the sample: whole milliseconds since 1970 in UTC, so that nothing is lost or rounded on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()

WEEKDAY_LOAD = (1.05, 1.10, 1.10, 1.05, 0.90, 0.25, 0.20)
"""Share of an average weekday's work, Monday to Sunday."""


@dataclass(frozen=True)
class Span:
    """The days the sample covers: from `start` up to, without, `end`."""

    start: date
    end: date

    @property
    def last(self) -> date:
        """The last day with data."""
        return self.end - timedelta(days=1)

    def days(self) -> Iterator[date]:
        """Every day, in order."""
        for ordinal in range(self.start.toordinal(), self.end.toordinal()):
            yield date.fromordinal(ordinal)

    def months(self) -> list[date]:
        """The first day of every month."""
        return [day for day in self.days() if day.day == 1]

    def mondays(self) -> list[date]:
        """Every Monday, in order."""
        return [day for day in self.days() if day.weekday() == 0]

    def progress(self, day: date) -> float:
        """How far the day is into the span, from 0 to 1."""
        return (day - self.start).days / max(1, (self.end - self.start).days - 1)

    def at(self, share: float) -> date:
        """The day at a share of the span."""
        return self.start + timedelta(days=int(share * (self.end - self.start).days))


def span_of(months: int, end: date = date(2026, 11, 1)) -> Span:
    """The given number of whole months up to `end`, itself a first of a month."""
    back = end.year * 12 + end.month - 1 - months
    return Span(date(back // 12, back % 12 + 1, 1), end)


def first_of_next_month(day: date) -> date:
    """The first day of the month after the day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def ms_of(day: date) -> int:
    """Midnight UTC at the start of the day."""
    return (day.toordinal() - _EPOCH_DAY) * DAY_MS


def day_of(ms: int) -> date:
    """The UTC day of a moment."""
    return date.fromordinal(_EPOCH_DAY + ms // DAY_MS)


def moment(ms: int) -> datetime:
    """The moment as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def iso_ms(ms: int) -> str:
    """As JavaScript services write it: 2026-03-04T09:12:33.123Z."""
    return moment(ms).strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}Z"


def iso_s(ms: int) -> str:
    """As Ruby services write it, without the fraction: 2026-03-04T09:12:33Z."""
    return moment(ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def naive_ms(ms: int) -> str:
    """As a database dumps a timestamp without time zone: 2026-03-04 09:12:33.123."""
    return moment(ms).strftime("%Y-%m-%d %H:%M:%S") + f".{ms % 1000:03d}"
