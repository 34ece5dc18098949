"""Who stands behind what people did, such as sessions: by day and slice, and over any run of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from operator import or_

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.expressions import Measure
from pipeline.catalog.people import PERSON, SMALLEST_GROUP
from pipeline.engine.differences import Crowd, Days
from pipeline.engine.kinds.base import column_of
from pipeline.engine.sets import set_sql
from pipeline.facts import Fact, load_facts

PEOPLE = set_sql(Measure("distinct", PERSON))
"""SQL of the people of a cell who are known by name."""
Few = frozenset[int] | None
"""Who was seen, by number; None where those are `_MANY` or more."""
_MANY = 2 * SMALLEST_GROUP
"""So many are expected where some are to come, lest fewer come than are enough."""
FOUR_WEEKS = 28
"""Days after which weekdays, and so the people who come, are the same again."""


def strangers(fact: Fact) -> str:
    """SQL of how many deeds a cell has of which nobody knows whose they are."""
    return f"{fact.deeds} filter (where {PERSON} IS NULL)"


@dataclass(frozen=True)
class Seen:
    """Who was seen on each day: `known` of them by name, and the deeds of `strangers` up to the beginning of each."""

    known: Sequence[Few]
    strangers: Sequence[int]

    def __or__(self, other: Seen) -> Seen:
        """Those of both."""
        known = [_both(*pair) for pair in zip(self.known, other.known, strict=True)]
        return Seen(known, [one + more for one, more in zip(self.strangers, other.strangers, strict=True)])

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self.known)

    @cached_property
    def enough(self) -> dict[int, NDArray[np.int64]]:
        """How many days have as many known by name as are enough, up to the beginning of each day."""
        many = [_MANY if one is None else len(one) for one in self.known]
        return {least: np.concatenate([[0], np.cumsum(np.array(many) >= least)]) for least in (SMALLEST_GROUP, _MANY)}

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
        return _both(runs[first], runs[end - (1 << power)]), self.strangers[end] - self.strangers[first]

    def has_few(self, first: int, end: int) -> bool:
        """Whether anybody was seen, and neither five people nor as many deeds of nobody known.

        Where days are to come, whether that was so on the same days some times four weeks before, with twice as many.
        """
        ago = -(-max(end - self.days, 0) // FOUR_WEEKS) * FOUR_WEEKS
        enough = _MANY if ago else SMALLEST_GROUP
        first, end = max(first - ago, 0), max(end - ago, 0)
        days = self.enough[enough]
        if days[end] > days[min(first, end)]:
            return False
        known, strangers = self.within(first, end)
        return known is not None and len(known) < enough and strangers < enough and len(known) + strangers > 0

    @property
    def is_anybody(self) -> bool:
        """Whether there ever is anybody."""
        return self.strangers[-1] > 0 or any(one is None or one for one in self.known)


def _both(one: Few, other: Few) -> Few:
    if one is None or other is None:
        return None
    if not one or not other:
        return one or other
    both = one | other
    return both if len(both) < _MANY else None


@dataclass(frozen=True)
class Doers:
    """Who did what a fact counts, by value of a dimension; those of no value are the `rest`.

    `first` is the number of the first day with data.
    """

    first: int
    rest: Seen
    slices: dict[str, Seen]
    sizes: dict[str, float]
    """By slice, on how many days each person was seen, added up."""

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""
        pools = list(accumulate((self.slices[name] for name in names), or_, initial=self.rest))
        alone = [*((self.slices[name],) for name in names), ()]
        levels = [[one for one in (pool, *of) if one.is_anybody] for pool, of in zip(pools, alone, strict=True)]
        return OrderedDoers(starts, ends, self.first, pools[-1], levels)


@dataclass(frozen=True)
class OrderedDoers:
    """The people behind the slices of a dimension, in the order in which slices are withheld.

    Windows are runs of days from `starts` up to `ends`. Level j has those of the slices before j, and those of slice j,
    if there is ever anybody.
    """

    starts: Days
    ends: Days
    first: int
    everybody: Seen
    levels: list[list[Seen]]
    _known: dict[tuple[int, int, int], bool] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """How many slices there are."""
        return len(self.levels) - 1

    @property
    def is_nobody(self) -> NDArray[np.bool_]:
        """Whether nobody is counted in a window, shape (windows,)."""
        spans = zip((self.starts - self.first).tolist(), (self.ends - self.first).tolist(), strict=True)
        return np.array([self.everybody.within(*span) == (frozenset(), 0) for span in spans], dtype=bool)

    def small(self) -> NDArray[np.bool_]:
        """Whether slice j, told with those after it, tells of fewer than five, shape (windows, slices + 1)."""
        found = np.zeros((len(self.starts), len(self.levels)), dtype=bool)
        starts, ends = (np.clip(one - self.first, 0, self.everybody.days) for one in (self.starts, self.ends))
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
        found = self._known.get((first, end, level))
        if found is None:
            span = (first - self.first, end - self.first)
            found = self._known[first, end, level] = any(seen.has_few(*span) for seen in self.levels[level])
        return found


def doers_by_day(con: duckdb.DuckDBPyConnection, fact: str, dimension: str) -> Doers:
    """Read who did what a fact counts from its states; all are the rest where `dimension` is empty."""
    value = dimension or "NULL::VARCHAR"
    ((first, days),) = con.execute(f"SELECT min(day), max(day) - min(day) + 1 FROM states.cells_{fact}").fetchall()
    rows = con.execute(
        f"WITH seen AS (SELECT {value} AS value, day - DATE '{first}' AS place, bit_or({column_of(PEOPLE)}) AS known, "
        f"sum({column_of(strangers(load_facts()[fact]))})::BIGINT AS strangers FROM states.cells_{fact} GROUP BY ALL) "
        f"SELECT value, place, coalesce(bit_count(known), 0) AS many, strangers, "
        f"CASE WHEN many < {_MANY} THEN known::BLOB END FROM seen ORDER BY value, place"
    ).fetchall()
    known: dict[str | None, list[Few]] = {None: [frozenset()] * days}
    unknown: dict[str | None, list[int]] = {None: [0] * days}
    sizes: dict[str, float] = {}
    for of, place, many, more, few in rows:
        if of not in known:
            known[of], unknown[of] = [frozenset()] * days, [0] * days
        known[of][place] = _members(few) if many < _MANY else None
        unknown[of][place] = more
        if of is not None:
            sizes[of] = sizes.get(of, 0) + many + more
    seen: dict[str | None, Seen] = {of: Seen(one, [0, *np.cumsum(unknown[of]).tolist()]) for of, one in known.items()}
    return Doers(
        first=int(np.datetime64(first, "D").astype(np.int64)),
        rest=seen[None],
        slices={of: one for of, one in seen.items() if of is not None},
        sizes=sizes,
    )


def _members(bits: bytes | None) -> frozenset[int]:
    """The numbers of the bits that are set."""
    return frozenset(np.flatnonzero(np.unpackbits(np.frombuffer(bits or b"", dtype=np.uint8))).tolist())
