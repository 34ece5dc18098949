"""Which periods may be told beside each other, for what they differ by is told as well.

Told periods cut time into pieces at the days they begin and end on. Whatever is worked out by adding periods and
taking them away is made of whole pieces, so when no piece has one to four people, nothing that can be worked out has.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.people import SMALLEST_GROUP

Days = NDArray[np.int64]
People = NDArray[np.float64]


def is_small(people: People) -> NDArray[np.bool_]:
    """Whether a group counts somebody, and fewer than five."""
    return np.asarray((people > 0) & (people < SMALLEST_GROUP))


@dataclass(frozen=True)
class Counts:
    """People by window of days and slice: shape (windows,) and (windows, slices), the slices in a fixed order."""

    starts: Days
    ends: Days
    """Day after the last one of which there are data."""
    total: People
    slices: People

    @property
    def left(self) -> People:
        """The total less the slices from j on, for each j, shape (windows, slices + 1): what is left to the first j.

        It is what anybody can work out where slices do not overlap, and too little, or below zero, where they do.
        """
        after = np.cumsum(self.slices[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(self.total[:, None] - np.hstack([after, np.zeros((len(self.total), 1))]))

    @property
    def pooled(self) -> People:
        """How many people the first j slices have at least: what is left to them, or the greatest of them."""
        greatest = np.maximum.accumulate(np.hstack([np.zeros((len(self.total), 1)), self.slices]), axis=1)
        return np.asarray(np.maximum(self.left, greatest))

    def small(self) -> NDArray[np.bool_]:
        """Whether slice j, told with those after it, tells of fewer than five, shape (windows, slices + 1)."""
        alone = np.hstack([is_small(self.slices), np.zeros((len(self.total), 1), dtype=bool)])
        return np.asarray(is_small(self.left) | is_small(self.pooled) | alone)


class Between:
    """Whether fewer than five people are counted between two days: as many as in the fullest window between them.

    Single days are windows, so each day with people is known.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts, self._pooled = counts, np.maximum(counts.pooled, 0)
        self._until = int(counts.ends.max(initial=0))
        self._known: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def small(self, first: int, end: int) -> NDArray[np.bool_]:
        """By level j; days that have no data yet may bring anybody."""
        found = self._known.get((first, end))
        if found is None:
            found = self._known[first, end] = self._look(first, end)
        return found

    def _look(self, first: int, end: int) -> NDArray[np.bool_]:
        held = self._counts
        if end > self._until:
            return np.ones(self._pooled.shape[1], dtype=bool)
        within = (held.starts >= first) & (held.ends <= end)
        pooled = self._pooled[within].max(axis=0, initial=0)
        slices = held.slices[within].max(axis=0, initial=0)
        return np.asarray(is_small(pooled) | np.append(is_small(slices), False))


class Cuts:
    """The days on which told periods begin or end: whatever can be worked out is made of the pieces between them."""

    def __init__(self) -> None:
        self._days: list[int] = []
        self._known: set[int] = set()

    def add(self, *days: int) -> None:
        """Note what is told."""
        for day in set(days) - self._known:
            insort(self._days, day)
            self._known.add(day)

    def pieces(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """The pieces that a period would cut anew; of one that cuts nothing, those it is made of."""
        days = self._days
        new = {first, end} - self._known
        if not new:
            yield from pairwise(days[bisect_left(days, first) : bisect_right(days, end)])
            return
        beside = {day for one in (first, end) for day in days[max(bisect_left(days, one) - 1, 0) :][:2]}
        for one, other in pairwise(sorted(beside | {first, end})):
            if (one in new or other in new) and bisect_right(days, one) == bisect_left(days, other):
                yield one, other


def levels(
    counts: Counts,
    order: Iterable[int],
    *,
    told: Iterable[tuple[int, int, int]] = (),
    to_come: Iterable[tuple[int, int]] = (),
    is_running: bool,
    is_total_told: bool = False,
) -> NDArray[np.int64]:
    """From which slice on each window may be told, shape (windows,); one more than slices where not even the total.

    When `is_total_told`, totals are no group of people, and are told whatever they are.

    Windows are decided in `order`, so that the first ones matter most. `told` has (first day, end, level) of what
    earlier editions told, and `to_come` the windows that are to be told later. When `is_running`, differences of
    windows count as told. A window tells a tail of the slices, so that what it leaves is one pool, and pools of all
    windows stand in a chain: per level, pool and slice j between any two cuts are all that can be worked out.
    """
    height = counts.slices.shape[1]
    cuts, between = [Cuts() for _ in range(height + 1)], Between(counts)
    for first, end, level in [*told, *((first, end, 0) for first, end in to_come)] if is_running else ():
        for one in cuts[level:]:
            one.add(first, end)
    most = height if is_total_told else height + 1
    alone, found = counts.small(), np.full(len(counts.starts), most)
    for window in order:
        first, end = int(counts.starts[window]), int(counts.ends[window])
        for level in range(most - 1, -1, -1):
            pieces = cuts[level].pieces(first, end) if is_running else ()
            if alone[window, level] or any(between.small(*piece)[level] for piece in pieces):
                break
            found[window] = level
        for one in cuts[int(found[window]) :] if is_running else ():
            one.add(first, end)
    return found
