"""Which of its values a KPI is headlined with: one rule for pages and for `roi explain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Protocol, TypeVar

from pipeline.catalog.model import AnyMetric

_WEEK = timedelta(days=7)


class Told(Protocol):
    """A value of a period; `end` is the day after its last one."""

    @property
    def end(self) -> date:
        """The day after its last one."""

    @property
    def status(self) -> str:
        """Whether it can be judged."""

    @property
    def value(self) -> object:
        """The value, None where there is none."""

    @property
    def is_withheld(self) -> bool:
        """It is not told, for it would tell of a few people."""


T = TypeVar("T", bound=Told)


def closed(rows: Sequence[T], metric: AnyMetric, *, as_of: date) -> list[T]:
    """The rows whose period is over and whose cohort has matured; `as_of` is the last day with data."""
    last = as_of + timedelta(days=1 - metric.matures_after_days)
    return [row for row in rows if row.end <= last and row.status != "immature"]


def headlined(series: Callable[[str], Sequence[T]], metric: AnyMetric, *, as_of: date) -> T | None:
    """The value that is headlined: the newest closed one, else the newest there is; a gap is never papered over.

    `series` gives the values of a grain in order of time. 28 days that are withheld, as those to a Saturday of few
    people may be, give way to others that end within the week before: their dates stand beside the value, and an older
    one is the last known.
    """
    for grain in (metric.headline_grain, metric.grain, "28d"):
        rows = series(grain)
        if rows:
            newest = (closed(rows, metric, as_of=as_of) or rows)[-1]
            if grain != "28d" or not newest.is_withheld:
                return newest
            week = (row for row in rows if newest.end - _WEEK < row.end < newest.end and row.value is not None)
            return max(week, key=lambda row: row.end, default=newest)
    return None
