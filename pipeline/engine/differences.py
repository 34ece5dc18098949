"""Which periods may be told beside each other, for what they differ by is told as well.

Told periods cut time into pieces at the days they begin and end on. Whatever is worked out by adding periods and
taking them away is made of whole pieces, so when no piece has one to four people, nothing that can be worked out has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
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

    def is_nobody(self, places: Collection[int]) -> NDArray[np.bool_]:
        """Whether nobody is counted in some slices and in none, shape (windows,)."""

    def small(self) -> NDArray[np.bool_]:
        """Whether slice j, told with those after it, tells of fewer than five, shape (windows, slices + 1)."""

    def is_small(self, first: int, end: int, level: int) -> bool:
        """Whether fewer than five people are counted between two days, in slice `level` or in those before it."""

    def is_ever_small(self, level: int, until: int) -> bool:
        """Whether there may be two such days up to one."""


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

    def is_nobody(self, places: Collection[int]) -> NDArray[np.bool_]:
        """Whether nobody is counted in some slices and in none, shape (windows,)."""
        return np.asarray((self.left[:, 0] <= 0) & (self.slices[:, list(places)] == 0).all(axis=1))

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

    def is_ever_small(self, level: int, until: int) -> bool:
        """Whether there may be two such days up to one: the fullest window between them may be any window."""
        return self._between.is_ever_small(level, until)


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

    @cached_property
    def _ever(self) -> list[bool]:
        found: list[bool] = np.any(is_small(self._people), axis=(0, 1)).tolist()
        return found

    def is_ever_small(self, level: int, until: int) -> bool:
        """Whether that may be so at a level of any two days up to one."""
        return until > self._until or self._ever[level]

    def _look(self, first: int, end: int) -> list[bool]:
        if end > self._until:
            return [True] * self._people.shape[2]
        begun = slice(*np.searchsorted(self._starts, (first, end)))
        within = self._people[begun][self._ends[begun] <= end]
        found: list[bool] = np.any(is_small(within.max(axis=0, initial=0)), axis=0).tolist()
        return found


class Cuts:
    """The days on which periods told at a level begin or end, and which pieces between them have few people.

    Whatever can be worked out is made of these pieces. Where earlier editions left one with few people, it is known
    only if periods lead from its first day to its last, each beginning or ending where another does: what is told since
    may be the last one.
    """

    def __init__(
        self, is_small: Callable[[int, int], bool], told: Sequence[Sequence[int]], to_come: Sequence[Sequence[int]] = ()
    ) -> None:
        self._is_small, self._there = is_small, {day for days in (*told, *to_come) for day in days}
        self._days = sorted(self._there)
        self._small = [self._is_small(*piece) for piece in pairwise(self._days)]
        self._has_small = True in self._small and not to_come
        self._linked: dict[int, set[int]] = {}
        if self._has_small:
            for days in told:
                self._link(days)

    def _linked_by(self, days: Sequence[int]) -> tuple[set[int], set[int]] | None:
        """The days that two of them are linked with, where these are not linked yet."""
        if len(days) < 2:
            return None
        one, other = (self._linked.get(day, {day}) for day in (days[0], days[-1]))
        return (one, other) if days[-1] not in one else None

    def _link(self, days: Sequence[int]) -> None:
        if linked := self._linked_by(days):
            self._linked |= dict.fromkeys(linked[0] | linked[1], linked[0] | linked[1])

    def _links_small(self, days: Sequence[int]) -> bool:
        """Whether these days would link two others with few people between them."""
        one, other = self._linked_by(days) or (set(), set())
        pairs = pairwise(sorted(one | other))
        return any(self._is_small(*pair) for pair in pairs if (pair[0] in one) != (pair[1] in one))

    def add(self, *days: int) -> None:
        """Note what is told."""
        if self._has_small:
            self._link(days)
        for day in days:
            if day not in self._there:
                self._there.add(day)
                at = bisect_left(self._days, day)
                self._days.insert(at, day)
                beside = self._days[max(at - 1, 0) : at + 2]
                self._small[max(at - 1, 0) : at] = [self._is_small(*piece) for piece in pairwise(beside)]

    def may_tell(self, *days: int) -> bool:
        """Whether no piece that these days would cut anew is small; if they cut nothing, none between them."""
        if self._has_small and self._links_small(days):
            return False
        new = [day for day in days if day not in self._there]
        if not new:
            return True not in self._small[bisect_left(self._days, days[0]) : bisect_left(self._days, days[-1])]
        edges = sorted({*new, *(beside for day in new for beside in self._beside(day))})
        return not any(self._is_small(*piece) for piece in pairwise(edges) if not {*new}.isdisjoint(piece))

    def _beside(self, day: int) -> list[int]:
        at = bisect_left(self._days, day)
        return self._days[max(at - 1, 0) : at + 1]


@dataclass(frozen=True)
class Remainder:
    """What is left of the slices before one, or of that one, without others that lie within them."""

    level: int
    """Place of that slice."""
    days: frozenset[int]
    """On which windows begin and end in which the others are told; of days with nobody between them the last."""
    alike: Callable[[int], int]
    """The last day that is the same as another, for there is nobody between them."""
    is_small: Callable[[int, int], bool]
    """Whether fewer than five people are left between two days."""

    def cuts(self, *days: int) -> list[int]:
        """Those of some days on which the others are told as well."""
        return [day for day in map(self.alike, days) if day in self.days]


class _Known:
    """What windows tell of some people: whether another one may, in view of what is told and what is to come.

    `cutting` are those of two days that tell of them.
    """

    def __init__(
        self,
        is_small: Callable[[int, int], bool],
        cutting: Callable[[int, int], list[int]],
        told: Iterable[tuple[int, int]],
        to_come: Iterable[tuple[int, int]],
    ) -> None:
        days, free = ([cutting(*span) for span in spans] for spans in (told, to_come))
        self._cutting, self._is_small = cutting, is_small
        self._cuts = [Cuts(is_small, days), *([Cuts(is_small, days, free)] if free else [])]

    def is_few(self, first: int, end: int) -> bool:
        """Whether a window alone would tell of few people."""
        return len(self._cutting(first, end)) > 1 and self._is_small(first, end)

    def may_tell(self, first: int, end: int, *, is_foremost: bool) -> bool:
        """Whether a window may be told; foremost ones do not heed what is to come."""
        days = self._cutting(first, end)
        return not days or all(one.may_tell(*days) for one in self._cuts[: 1 if is_foremost else 2])

    def add(self, first: int, end: int) -> None:
        """Note what is told."""
        for one in self._cuts:
            one.add(*self._cutting(first, end))


def _both(first: int, end: int) -> list[int]:
    return [first, end]


@dataclass(frozen=True)
class _Level:
    """What is known of a slice and those before it, and of their `remainders`: nothing of what is never of few."""

    itself: tuple[_Known, ...]
    remainders: list[_Known]

    def is_few(self, span: tuple[int, int]) -> bool:
        """Whether a window alone would tell of few people who remain."""
        return any(one.is_few(*span) for one in self.remainders)

    def may_tell(self, span: tuple[int, int], *, is_foremost: bool) -> bool:
        """Whether a window may be told beside the others."""
        return all(one.may_tell(*span, is_foremost=is_foremost) for one in (*self.itself, *self.remainders))

    def add(self, span: tuple[int, int]) -> None:
        """Note what is told."""
        for one in (*self.itself, *self.remainders):
            one.add(*span)


def _known(
    crowd: Crowd,
    told: Sequence[tuple[int, int, int]],
    to_come: Sequence[tuple[int, int]],
    remainders: Iterable[Remainder],
) -> list[_Level]:
    """By level, what is known when nothing of these windows is told yet."""
    until = max((end for _, end in (*zip(crowd.starts, crowd.ends, strict=True), *to_come)), default=0)
    until = int(max((until, *(end for _, end, _ in told))))

    def spans(level: int) -> list[tuple[int, int]]:
        return [(first, end) for first, end, least in told if least <= level]

    def itself(level: int) -> Iterator[_Known]:
        if crowd.is_ever_small(level, until):
            yield _Known(partial(crowd.is_small, level=level), _both, spans(level), to_come)

    found = [_Level(tuple(itself(level)), []) for level in range(crowd.height + 1)]
    for one in remainders:
        rest = replace(one, days=one.days | {one.alike(day) for span in to_come for day in span})
        found[one.level].remainders.append(_Known(rest.is_small, rest.cuts, spans(one.level), to_come))
    return found


def levels(
    crowd: Crowd,
    order: Iterable[int],
    *,
    told: Sequence[tuple[int, int, int]] = (),
    to_come: Sequence[tuple[int, int]] = (),
    foremost: int = 0,
    remainders: Iterable[Remainder] = (),
    is_running: bool,
) -> NDArray[np.int64]:
    """From which slice on each window may be told, shape (windows,); one more than slices where not even the total.

    Windows are decided in `order`, so that the first ones matter most. `told` has (first day, end, level) of what
    earlier editions told, which may be told again, and `to_come` the windows that are to be told later: a window must
    do no harm whether they are told or not, but for the `foremost`, as many first ones that matter more. When
    `is_running`, differences of windows count as told. A window tells a tail of slices, so that what it leaves is one
    pool, and pools of all windows stand in a chain: per level, pool and slice j between any two cuts are all that can
    be worked out, and `remainders` of them where other slices are told.
    """
    height, spans = crowd.height, [*zip(crowd.starts.tolist(), crowd.ends.tolist(), strict=True)]
    before, free = (told, to_come) if is_running else ((), ())
    known = _known(crowd, before, free, remainders if is_running else ())
    lowest = (height + 1 - np.cumprod(~crowd.small()[:, ::-1], axis=1).sum(axis=1)).tolist()
    stood: dict[tuple[int, int], int] = {}
    for first, end, least in before:
        stood[first, end] = min(least, stood.get((first, end), height + 1))

    def may_tell(span: tuple[int, int], level: int, *, is_foremost: bool) -> bool:
        if known[level].is_few(span):
            return False
        if not is_running or stood.get(span, height + 1) <= level:
            return True
        return known[level].may_tell(span, is_foremost=is_foremost)

    found, remains = np.full(len(spans), height + 1), any(one.remainders for one in known)
    for place, window in enumerate(order):
        span = spans[window]
        before_it = stood.get(span, height + 1) if is_running else 0
        level = height + 1 if remains else max(before_it, lowest[window])
        while level > lowest[window] and may_tell(span, level - 1, is_foremost=place < foremost):
            level -= 1
        found[window] = level
        for one in known[level:before_it]:
            one.add(span)
        stood[span] = min(level, before_it)
    return found
