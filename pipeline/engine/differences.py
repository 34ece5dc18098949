"""Which periods may be told beside each other, for what they differ by is told as well.

Told periods cut time into pieces at the days they begin and end on. Whatever is worked out by adding periods and
taking them away is made of whole pieces, so when no piece has one to four people, nothing that can be worked out has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.people import SMALLEST_GROUP

Days = NDArray[np.int64]
People = NDArray[np.float64]


class Crowd(Protocol):
    """People by window of days and slice, the slices in a fixed order; level j tells the slices from j on."""

    @property
    def starts(self) -> Days:
        """First day of each window."""

    @property
    def ends(self) -> Days:
        """Day after the last one of which there are data, of each window."""

    @property
    def height(self) -> int:
        """How many slices there are."""

    @property
    def is_nobody(self) -> NDArray[np.bool_]:
        """Whether nobody is counted in a window, shape (windows,)."""

    def small(self) -> NDArray[np.bool_]:
        """Whether slice j, told with those after it, tells of fewer than five, shape (windows, slices + 1)."""

    def is_small(self, first: int, end: int, level: int) -> bool:
        """Whether fewer than five people are counted between two days, in slice `level` or in those before it."""


def is_small(people: People) -> NDArray[np.bool_]:
    """Whether a group counts somebody, and fewer than five."""
    return np.asarray((people > 0) & (people < SMALLEST_GROUP))


@dataclass(frozen=True)
class Counts:
    """Of people nothing but how many: shape (windows,) and (windows, slices), the slices in a fixed order."""

    starts: Days
    ends: Days
    """Day after the last one of which there are data."""
    total: People
    slices: People

    @property
    def height(self) -> int:
        """How many slices there are."""
        return int(self.slices.shape[1])

    @property
    def is_nobody(self) -> NDArray[np.bool_]:
        """Whether nobody is counted in a window, shape (windows,)."""
        return np.asarray(self.total == 0)

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

    @cached_property
    def _between(self) -> Between:
        return Between(self)

    def is_small(self, first: int, end: int, level: int) -> bool:
        """Whether fewer than five people are counted between two days, in slice `level` or in those before it."""
        return self._between.small(first, end)[level]


class Between:
    """Whether fewer than five people are counted between two days: as many as in the fullest window between them.

    Single days are windows, so each day with people is known.
    """

    def __init__(self, counts: Counts) -> None:
        order = np.argsort(counts.starts, kind="stable")
        alone = np.hstack([counts.slices, np.zeros((len(order), 1))])
        self._starts, self._ends = counts.starts[order], counts.ends[order]
        self._people = np.stack([np.maximum(counts.pooled, 0), alone], axis=1)[order]
        self._until = int(counts.ends.max(initial=0))
        self._known: dict[tuple[int, int], list[bool]] = {}

    def small(self, first: int, end: int) -> list[bool]:
        """By level j; days that have no data yet may bring anybody."""
        found = self._known.get((first, end))
        if found is None:
            found = self._known[first, end] = self._look(first, end)
        return found

    def _look(self, first: int, end: int) -> list[bool]:
        if end > self._until:
            return [True] * self._people.shape[2]
        begun = slice(*np.searchsorted(self._starts, (first, end)))
        within = self._people[begun][self._ends[begun] <= end]
        found: list[bool] = np.any(is_small(within.max(axis=0, initial=0)), axis=0).tolist()
        return found


class Cuts:
    """The days on which periods told at a level begin or end, and which pieces between them have few people.

    Whatever can be worked out is made of these pieces.
    """

    def __init__(self, crowd: Crowd, level: int, days: Iterable[int]) -> None:
        self._crowd, self._level, self._days = crowd, level, sorted(set(days))
        self._small = [self._is_small(*piece) for piece in pairwise(self._days)]

    def add(self, *days: int) -> None:
        """Note what is told."""
        for day in days:
            at = bisect_left(self._days, day)
            if at == len(self._days) or self._days[at] != day:
                self._days.insert(at, day)
                beside = self._days[max(at - 1, 0) : at + 2]
                self._small[max(at - 1, 0) : at] = [self._is_small(*piece) for piece in pairwise(beside)]

    def may_tell(self, first: int, end: int) -> bool:
        """Whether no piece that a period would cut anew is small; of one that cuts nothing, none it is made of."""
        days = self._days
        begin, until = bisect_left(days, first), bisect_left(days, end)
        is_new, ends_new = days[begin : begin + 1] != [first], days[until : until + 1] != [end]
        if not is_new and not ends_new:
            return True not in self._small[begin:until]
        pieces = []
        if is_new:
            pieces += [(days[begin - 1], first)] if begin else []
            pieces.append((first, days[begin] if begin < until else end))
        if ends_new:
            pieces.append((days[until - 1] if begin < until else first, end))
            pieces += [(end, days[until])] if until < len(days) else []
        return not any(self._is_small(*piece) for piece in pieces)

    def _is_small(self, first: int, end: int) -> bool:
        return self._crowd.is_small(first, end, self._level)


def levels(
    crowd: Crowd,
    order: Iterable[int],
    *,
    told: Iterable[tuple[int, int, int]] = (),
    to_come: Iterable[tuple[int, int]] = (),
    foremost: int = 0,
    is_running: bool,
) -> NDArray[np.int64]:
    """From which slice on each window may be told, shape (windows,); one more than slices where not even the total.

    Windows are decided in `order`, so that the first ones matter most. `told` has (first day, end, level) of what
    earlier editions told, which may be told again, and `to_come` the windows that are to be told later: a window must
    do no harm whether they are told or not, but for the `foremost`, as many first ones that matter more. When
    `is_running`, differences of windows count as told. A window tells a tail of slices, so that what it leaves is one
    pool, and pools of all windows stand in a chain: per level, pool and slice j between any two cuts are all that can
    be worked out.
    """
    height = crowd.height
    before, free = (list(told), [(first, end, 0) for first, end in to_come]) if is_running else ([], [])
    cuts = [
        [
            Cuts(crowd, level, (day for first, end, least in known if least <= level for day in (first, end)))
            for known in ([before, before + free] if free else [before])
        ]
        for level in range(height + 1)
    ]
    alone, found = crowd.small().tolist(), np.full(len(crowd.starts), height + 1)
    starts, ends = crowd.starts.tolist(), crowd.ends.tolist()
    stood: dict[tuple[int, int], int] = {}
    for first, end, least in before:
        stood[first, end] = min(least, stood.get((first, end), height + 1))

    def may_tell(window: int, level: int, heeded: int) -> bool:
        if alone[window][level]:
            return False
        if stood.get((starts[window], ends[window]), height + 1) <= level:
            return True
        return not is_running or all(one.may_tell(starts[window], ends[window]) for one in cuts[level][:heeded])

    for place, window in enumerate(order):
        level, heeded = height + 1, 1 if place < foremost else 2
        while level and may_tell(window, level - 1, heeded):
            level -= 1
        found[window] = level
        for one in (one for of in cuts[level:] for one in of) if is_running else ():
            one.add(starts[window], ends[window])
    return found
