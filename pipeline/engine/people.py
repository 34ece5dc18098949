"""Who stands behind what people did, such as sessions: by day and slice, and over any run of days."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial, reduce
from itertools import accumulate
from operator import or_

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.expressions import Measure
from pipeline.catalog.people import PERSON, SMALLEST_GROUP
from pipeline.engine.differences import Crowd, Days, Remainder
from pipeline.engine.kinds.base import column_of
from pipeline.engine.nesting import Chain, Slice
from pipeline.engine.sets import set_sql
from pipeline.facts import Fact

PEOPLE = set_sql(Measure("distinct", "doer"))
"""SQL of the people of a cell who are known by name and did something."""
STRANGERS = set_sql(Measure("distinct", "stranger"))
"""SQL of the deeds of a cell of which nobody knows whose they are."""
_STAND_INS = 1021
"""So many numbers stand for such deeds; two of a day that share one count once, so that more is withheld."""
Few = frozenset[int] | None
"""Who was seen, by number; None where those are `_MANY` or more."""
_MANY = 2 * SMALLEST_GROUP
"""So many are expected where some are to come, lest fewer come than are enough."""
_MOST = 200
"""Of what several slices leave of another so much is tried; where there is more, all of it is taken to be of few."""
FOUR_WEEKS = 28
"""Days after which weekdays, and so the people who come, are the same again."""


def with_strangers(fact: Fact, source: str) -> str:
    """SQL of the rows of a fact, with who did the deed of each, and a number for the deed of nobody known."""
    if not fact.deeds:
        return source
    doer = f"CASE WHEN {fact.deeds} IS NOT NULL THEN {PERSON} END AS doer"
    number = f"CAST(md5_number(CAST({fact.deeds} AS VARCHAR)) % {_STAND_INS} AS INTEGER)"
    return f"(SELECT *, {doer}, CASE WHEN {PERSON} IS NULL THEN {number} END AS stranger FROM {source}) AS named"


@dataclass(frozen=True)
class Seen:
    """Who was seen on each day: `known` of them by name, and the deeds of `strangers` as bits."""

    known: Sequence[Few]
    strangers: Sequence[int]
    size: float = 0
    """On how many days each person was seen, added up, and the deeds of strangers."""

    def __or__(self, other: Seen) -> Seen:
        """Those of both."""
        known = [_both(*pair) for pair in zip(self.known, other.known, strict=True)]
        return Seen(known, [*map(or_, self.strangers, other.strangers)], self.size + other.size)

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self.known)

    @classmethod
    def nobody(cls, days: int) -> Seen:
        """Nobody, on so many days."""
        return cls([frozenset()] * days, [0] * days)

    @cached_property
    def _is_busy(self) -> NDArray[np.bool_]:
        """Whether anybody known was there, by day."""
        return np.array([one is None or bool(one) for one in self.known], dtype=bool)

    @cached_property
    def enough(self) -> dict[int, NDArray[np.int64]]:
        """How many days have as many known by name as are enough, up to the beginning of each day."""
        many = [_MANY if one is None else len(one) for one in self.known]
        return {least: np.concatenate([[0], np.cumsum(np.array(many) >= least)]) for least in (SMALLEST_GROUP, _MANY)}

    @cached_property
    def _enough_so_far(self) -> dict[int, list[int]]:
        return {least: days.tolist() for least, days in self.enough.items()}

    @cached_property
    def few_days(self) -> dict[int, list[bool]]:
        """Whether a day has anybody, and neither enough people nor as many deeds of nobody known."""
        deeds = np.diff(self._deeds)
        is_clear = {least: (np.diff(days) > 0) | (deeds >= least) for least, days in self.enough.items()}
        return {least: (~clear & (self._is_busy | (deeds > 0))).tolist() for least, clear in is_clear.items()}

    @cached_property
    def _deeds(self) -> list[int]:
        """How many deeds of strangers there are up to the beginning of each day."""
        return [*accumulate(map(int.bit_count, self.strangers), initial=0)]

    @cached_property
    def _runs(self) -> list[Sequence[Few]]:
        return [self.known]

    def within(self, first: int, end: int) -> tuple[Few, int]:
        """Who was known from one day up to another, and how many deeds are those of nobody known.

        Of a run of days two of its runs of a power of two have everybody (Bender & Farach-Colton 2000).
        """
        first, end = max(first, 0), min(end, self.days)
        if first >= end:
            return frozenset(), 0
        power = (end - first).bit_length() - 1
        while len(self._runs) <= power:
            shorter, step = self._runs[-1], 1 << (len(self._runs) - 1)
            self._runs.append([_both(one, other) for one, other in zip(shorter, shorter[step:], strict=False)])
        runs = self._runs[power]
        return _both(runs[first], runs[end - (1 << power)]), self._deeds[end] - self._deeds[first]

    def has_few(self, first: int, end: int) -> bool:
        """Whether anybody was seen, and neither five people nor as many deeds of nobody known.

        Where days are to come, whether that was so on the same days some times four weeks before, with twice as many.
        """
        ago = -(-max(end - self.days, 0) // FOUR_WEEKS) * FOUR_WEEKS
        enough = _MANY if ago else SMALLEST_GROUP
        first, end = max(first - ago, 0), max(end - ago, 0)
        if end - first == 1:
            return self.few_days[enough][first]
        days = self._enough_so_far[enough]
        if days[end] > days[min(first, end)]:
            return False
        known, strangers = self.within(first, end)
        return known is not None and len(known) < enough and strangers < enough and len(known) + strangers > 0

    @property
    def is_anybody(self) -> bool:
        """Whether there ever is anybody."""
        return any(self.strangers) or any(one is None or one for one in self.known)

    def is_ever_few(self, enough: int) -> bool:
        """Whether there is a day of too few; where each has nobody or enough, so do all runs of days."""
        return any(self.few_days[enough])


def _both(one: Few, other: Few) -> Few:
    if one is None or other is None:
        return None
    if not one or not other:
        return one or other
    both = one | other
    return both if len(both) < _MANY else None


@dataclass(frozen=True)
class Doers:
    """Who did what a fact counts, by slice of a chain; those of no slice are the `rest`."""

    first: int
    """The number of the first day with data."""
    rest: Seen
    slices: dict[str, Seen]
    parted: dict[str, dict[tuple[str, str], Seen]]
    """By another dimension, the same by slice and the slice of the other dimension that lies within it."""

    @property
    def sizes(self) -> dict[str, float]:
        """How many they are, by slice."""
        return {name: one.size for name, one in self.slices.items()}

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""
        pools = list(accumulate((self.slices[name] for name in names), or_, initial=self.rest))
        alone = [*((self.slices[name],) for name in names), ()]
        levels = [[one for one in (pool, *of) if one.is_anybody] for pool, of in zip(pools, alone, strict=True)]
        return OrderedDoers(starts, ends, self.first, self.rest, [self.slices[name] for name in names], levels)

    def remainders(self, names: list[str], told: Mapping[Slice, frozenset[int]]) -> Iterator[Remainder]:
        """What parts of slices leave of them, and of those before one.

        `told` are the days on which windows begin and end in which a slice of another dimension is told. Between any
        two days of several of them what they leave together is told.
        """
        alike = self._last_alike()
        for other, seen in self.parted.items():
            for level in range(len(names) + 1):
                for slices in (["", *names[:level]], names[level : level + 1]):
                    within = {key: one for key, one in sorted(seen.items()) if key[0] in slices}
                    days = {part: frozenset(map(alike, told[other, part])) for _, part in within if part}
                    shared = _intersections(days.values())
                    if shared is None:
                        yield Remainder(level, frozenset().union(*days.values()), alike, lambda *_: True)
                    for some in shared or ():
                        left = (one for (_, part), one in within.items() if not some <= days.get(part, frozenset()))
                        people = reduce(or_, left, Seen.nobody(self.rest.days))
                        if people.is_ever_few(_MANY):
                            yield Remainder(level, some, alike, partial(self._is_small, people))

    def _last_alike(self) -> Callable[[int], int]:
        """Which day is the last that is the same as another, for there is nobody between them."""
        people = reduce(or_, self.slices.values(), self.rest)
        busy = [self.first + day for day in range(people.days) if people.within(day, day + 1) != (frozenset(), 0)]
        return lambda day: busy[at] if (at := bisect_left(busy, day)) < len(busy) else day

    def _is_small(self, people: Seen, first: int, end: int) -> bool:
        return people.has_few(first - self.first, end - self.first)


def _intersections(sets: Iterable[frozenset[int]]) -> list[frozenset[int]] | None:
    """Every set of two and more that some of these sets share; None where these are too many to be tried.

    Slices that are withheld in one order share as many as there are.
    """
    found: set[frozenset[int]] = set()
    for one in sets:
        found |= {one, *(one & other for other in found)}
        if len(found) > _MOST:
            return None
    return sorted((one for one in found if len(one) > 1), key=sorted)


@dataclass(frozen=True)
class OrderedDoers:
    """The people behind the slices of a dimension, in the order in which slices are withheld.

    Windows are runs of days from `starts` up to `ends`. Level j has those of the slices before j and of none, and those
    of slice j, if there is ever anybody.
    """

    starts: Days
    ends: Days
    first: int
    rest: Seen
    slices: list[Seen]
    levels: list[list[Seen]]
    _known: dict[tuple[int, int, int], bool] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many slices there are."""
        return len(self.levels) - 1

    def is_nobody(self, places: Collection[int]) -> NDArray[np.bool_]:
        """Whether nobody is counted in some slices and in none, shape (windows,)."""
        people = reduce(or_, (self.slices[place] for place in places), self.rest)
        spans = zip((self.starts - self.first).tolist(), (self.ends - self.first).tolist(), strict=True)
        return np.array([people.within(*span) == (frozenset(), 0) for span in spans], dtype=bool)

    def small(self) -> NDArray[np.bool_]:
        """Whether slice j, told with those after it, tells of fewer than five, shape (windows, slices + 1)."""
        found = np.zeros((len(self.starts), len(self.levels)), dtype=bool)
        starts, ends = (np.clip(one - self.first, 0, self.rest.days) for one in (self.starts, self.ends))
        for level, seen in enumerate(self.levels):
            days = [one.enough[SMALLEST_GROUP] for one in seen]
            is_clear = np.all([one[ends] > one[starts] for one in days], axis=0) if days else np.ones(len(found), bool)
            for window in np.flatnonzero(~is_clear):
                found[window, level] = self.is_small(int(self.starts[window]), int(self.ends[window]), level)
        return found

    def is_small(self, first: int, end: int, level: int) -> bool:
        """Whether fewer than five people are counted between two days, in slice `level` or in those before it.

        Of days to come as many are expected as four weeks before.
        """
        if end - first == 1 and 0 <= first - self.first < self.rest.days:
            return self._few_days[level][first - self.first]
        found = self._known.get((first, end, level))
        if found is None:
            span = (first - self.first, end - self.first)
            found = self._known[first, end, level] = any(seen.has_few(*span) for seen in self.levels[level])
        return found

    @cached_property
    def _few_days(self) -> list[list[bool]]:
        """Whether single days are of few, by level."""
        nobody = [False] * self.rest.days
        return [
            [any(of) for of in zip(nobody, *(one.few_days[SMALLEST_GROUP] for one in seen), strict=True)]
            for seen in self.levels
        ]

    def is_ever_small(self, level: int, until: int) -> bool:
        """Whether there may be two such days up to one."""
        enough = _MANY if until > self.first + self.rest.days else SMALLEST_GROUP
        return any(seen.is_ever_few(least) for seen in self.levels[level] for least in {SMALLEST_GROUP, enough})


def doers_by_day(con: duckdb.DuckDBPyConnection, fact: str, chain: Chain) -> Doers:
    """Read who did what a fact counts from its states, by slice of a chain; what is of no slice is the rest."""
    first, seen = _seen(con, fact, chain)
    by_name = {name: one for (name, _), one in seen.items()}
    parted = {}
    for other in sorted({dimension for _, (dimension, _) in chain.parts}):
        inside = [name for _, (dimension, name) in chain.parts if dimension == other]
        _, parted[other] = _seen(con, fact, chain, other, inside)
    return Doers(first, by_name.pop(""), by_name, parted)


def _seen(
    con: duckdb.DuckDBPyConnection, fact: str, chain: Chain, other: str = "", inside: Sequence[str] = ()
) -> tuple[int, dict[tuple[str, str], Seen]]:
    """The number of the first day, and who was seen by slice of a chain and some slices of another dimension.

    What is of no slice of the chain has an empty name, and is there whether anybody was or not.
    """
    whole, named = chain.within
    value, held = chain.dimension or "NULL", f"{whole} = $named" if whole else "true"
    if chain.names is not None:
        value = f"CASE WHEN list_contains($names, {value}) THEN {value} END"
    part = f"CASE WHEN list_contains($inside, {other}) THEN {other} END" if other else "NULL"
    given = ({"named": named} if whole else {}) | ({"inside": list(inside)} if other else {})
    given |= {"names": list(chain.names)} if chain.names is not None else {}
    ((first, days),) = con.execute(f"SELECT min(day), max(day) - min(day) + 1 FROM states.cells_{fact}").fetchall()
    rows = con.execute(
        f"WITH seen AS (SELECT coalesce({value}, '') AS value, coalesce({part}, '') AS part, "
        f"day - DATE '{first}' AS place, bit_or({column_of(PEOPLE)}) AS known, "
        f"bit_or({column_of(STRANGERS)}) AS strangers FROM states.cells_{fact} WHERE {held} "
        f"GROUP BY ALL) SELECT value, part, place, coalesce(bit_count(known), 0) AS many, strangers::BLOB, "
        f"CASE WHEN many < {_MANY} THEN known::BLOB END FROM seen ORDER BY ALL",
        given,
    ).fetchall()
    known: dict[tuple[str, str], list[Few]] = {("", ""): [frozenset()] * days}
    unknown: dict[tuple[str, str], list[int]] = {("", ""): [0] * days}
    sizes: dict[tuple[str, str], float] = {}
    for *of, place, many, more, few in rows:
        key = (of[0], of[1])
        if key not in known:
            known[key], unknown[key] = [frozenset()] * days, [0] * days
        known[key][place] = _members(few) if many < _MANY else None
        unknown[key][place] = int.from_bytes(more or b"", "little")
        sizes[key] = sizes.get(key, 0) + many + unknown[key][place].bit_count()
    seen = {of: Seen(one, unknown[of], sizes.get(of, 0)) for of, one in known.items()}
    return int(np.datetime64(first, "D").astype(np.int64)), seen


def _members(bits: bytes | None) -> frozenset[int]:
    """A number for each bit that is set, the same for the same bit; they are few."""
    left, found = int.from_bytes(bits or b"", "little"), []
    while left:
        found.append(left & -left)
        left ^= found[-1]
    return frozenset(map(int.bit_length, found))
