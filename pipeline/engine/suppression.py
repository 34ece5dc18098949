"""Groups of fewer than five people are not published, and cannot be worked out from what is or ever was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce
from itertools import chain as joined
from operator import or_
from typing import TYPE_CHECKING, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.model import Catalog
from pipeline.catalog.people import SMALLEST_GROUP, WITHHELD
from pipeline.engine.crowds import GRAINS, PERIOD, Group, days_since_1970, groups_of_deeds, groups_of_people, positions
from pipeline.engine.differences import levels
from pipeline.engine.nesting import TOTAL, Chain, Slice

if TYPE_CHECKING:
    import pandas as pd

REASON = f"{WITHHELD}: fewer than {SMALLEST_GROUP} people, or kept back to protect such a group"
"""One for all, so that nobody can tell a small group, or nobody, from what is withheld for its sake."""
_HIDDEN = ["value", "numerator", "denominator", "n", "interval_low", "interval_high"]
_SAID = f"""
WITH said AS (
  SELECT DISTINCT v.kpi_id, v.dimension, coalesce(v.dimension_value, '') AS value,
    starts_with(v.reason, '{WITHHELD}') AS is_withheld,
    v.period_start::DATE - DATE '1970-01-01' AS first,
    least(v.period_end, e.as_of + 1)::DATE - DATE '1970-01-01' AS "end"
  FROM kpi.values AS v JOIN kpi.editions AS e ON e.number = v.first_edition
  WHERE list_contains(?, v.kpi_id)
)
SELECT kpi_id, dimension, value, is_withheld, list(first ORDER BY first, "end"), list("end" ORDER BY first, "end")
FROM said GROUP BY ALL ORDER BY ALL
"""
Spans = set[tuple[int, int]]
"""First days of periods, and the days after the last one of which there were data."""


def suppress(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, catalog: Catalog, *, end: date, made_up: bool = False
) -> pd.DataFrame:
    """Return the values with those blank that tell of fewer than five people, sorted as they were.

    Blank are groups of fewer than five, and what would let them be worked out: other slices of the period, whose rest
    from the total they are, and periods that differ by them (complementary suppression; Hundepool et al. 2012,
    Statistical Disclosure Control, 4.2). What earlier editions told stays told. A slice with nobody is withheld like
    one with a few, and gets a row for that. `end` is the day after the last one with data. What people did in rows that
    are `made_up` is told of however few.
    """
    frame = frame.assign(window=frame.groupby(PERIOD).ngroup())
    parts = dict(iter(frame.groupby("kpi_id", sort=False)))
    groups = [*groups_of_people(con, parts, catalog, end), *([] if made_up else groups_of_deeds(con, parts, catalog))]
    said = _said(con, [kpi_id for group in groups for kpi_id in group.kpis])
    slots: dict[tuple[str, Slice], list[NDArray[np.int64]]] = {}
    decided: dict[str, _Decided] = {}
    for group in groups:
        of_them = [said.get(kpi_id, _Said()) for kpi_id in group.kpis]
        found = _decided(group, of_them, decided.get(group.after) if group.after else None)
        decided[group.fact] = found
        for kpi_id in (*group.kpis, *group.followers):
            dimensions = ("", *catalog.metrics[kpi_id].dimensions)
            for one, windows in found.hidden():
                if one[0] in dimensions:
                    slots.setdefault((kpi_id, one), []).append(windows)
    return _put_in(frame, {one: np.concatenate(windows) for one, windows in slots.items()})


def _said(con: duckdb.DuckDBPyConnection, kpis: Sequence[str]) -> dict[str, _Said]:
    """What editions told and withheld of these KPIs, none where there are no editions yet."""
    exists = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'kpi' AND table_name IN ('values', 'editions')"
    if con.execute(exists).fetchall() != [(2,)]:
        return {}
    found: dict[str, _Said] = {}
    for kpi_id, dimension, value, is_withheld, firsts, ends in con.execute(_SAID, [list(kpis)]).fetchall():
        said = found.setdefault(kpi_id, _Said())
        if is_withheld:
            said.withheld[dimension, value] = len(firsts)
        else:
            said.told[dimension, value] = {*zip(firsts, ends, strict=True)}
    return found


@dataclass(frozen=True)
class _Said:
    """What editions said of some deeds or people."""

    told: dict[Slice, Spans] = field(default_factory=dict)
    withheld: dict[Slice, int] = field(default_factory=dict)
    """In how many periods slices were withheld."""

    def __or__(self, other: Self) -> Self:
        """What either told, and this one withheld."""
        told = {one: self.told.get(one, set()) | other.told.get(one, set()) for one in {**self.told, **other.told}}
        return replace(self, told=told)

    def told_levels(self, chain: Chain, names: list[str]) -> list[tuple[int, int, int]]:
        """(first day, end, level) of what was told of a chain; a level is that of its smallest slice told.

        A slice that there is no more counts as the smallest.
        """
        place = {name: at for at, name in enumerate(names)}
        parts = [name for dimension, name in self.told if dimension == chain.dimension != "" and chain.holds(name)]
        level = {(chain.dimension, name): place.get(name, 0) for name in parts} | {chain.within: len(names)}
        least: dict[tuple[int, int], int] = {}
        for name in sorted(level, key=lambda one: (-level[one], one)):
            least |= dict.fromkeys(self.told.get(name, ()), level[name])
        return [(*span, found) for span, found in sorted(least.items())]


def _in_order(sizes: dict[str, float], dimension: str, said: _Said, needed: frozenset[str]) -> list[str]:
    """Slices from the first to be withheld to the last.

    Those that editions told stand last, in the order they had: one that was withheld in more periods stood before. Were
    two to change places, what is told of one now and of the other before could leave a third. Of the others those that
    benefits need stand last, for one must be withheld for the sake of another, and the fewest people first.
    """

    def rank(name: str) -> tuple[bool, int, bool, float, str]:
        is_told = (dimension, name) in said.told
        times = said.withheld.get((dimension, name), 0)
        return is_told, -times * is_told, name in needed, sizes[name], name

    return sorted(sizes, key=rank)


@dataclass(frozen=True)
class _Decided:
    """In which windows slices of a group are withheld."""

    windows: pd.DataFrame
    leading: _Said
    """What editions said by its first KPI."""
    said: _Said
    """And by all of them."""
    alike: _Said
    """And of the same deeds, by another group."""
    withheld: dict[Slice, NDArray[np.bool_]]

    def hidden(self) -> Iterator[tuple[Slice, NDArray[np.int64]]]:
        """Slices, and the numbers of the windows in which they are not to be told."""
        numbers = self.windows["window"].to_numpy()
        for one, windows in self.withheld.items():
            yield one, numbers[windows]

    def at(self, windows: pd.DataFrame) -> dict[Slice, NDArray[np.bool_]]:
        """What is withheld in other windows; in those that the group has not, everything."""
        found = positions(windows["window"].to_numpy(), self.windows["window"].to_numpy())
        return {one: np.append(some, True)[found] for one, some in self.withheld.items()}


def _decided(group: Group, said: Sequence[_Said], first: _Decided | None) -> _Decided:
    """What of a group is not to be told, after what editions `said` by KPI and what was decided `first` of another."""
    every = reduce(or_, said)
    decided = _Decided(group.windows, said[0], every, first.said if first and group.is_alike else every, {})
    elsewhere = first.at(group.windows) if first else {}
    for chain in group.chains:
        decided.withheld.update(_withheld(group, chain, decided, elsewhere))
    return decided


def _withheld(
    group: Group, chain: Chain, decided: _Decided, elsewhere: Mapping[Slice, NDArray[np.bool_]]
) -> dict[Slice, NDArray[np.bool_]]:
    """In which windows the slices of a chain are not to be told, or were not to be for the sake of another chain.

    That is so before the first slice that is told, whether they have anybody or not, and where the whole is not told.
    Of a whole that is told as nobody each slice is nobody. Of slices that lie across those of another dimension one
    with somebody is not told where anything is withheld that would tell which part of a slice they are.
    `elsewhere` is what is withheld of the fact before.
    """
    starts, ends = group.spans
    slices = group.people(chain)
    names = _in_order(slices.sizes, chain.dimension, decided.leading, group.needed)
    crowd = slices.in_order(names, starts, ends)

    def is_hidden(one: Slice) -> NDArray[np.bool_]:
        nowhere = np.zeros(len(starts), dtype=bool)
        return np.asarray(decided.withheld.get(one, nowhere) | elsewhere.get(one, nowhere))

    is_told = ~is_hidden(chain.within)
    order, foremost = _order(group, is_told)
    same = elsewhere if group.is_alike else {}
    inside = {part: _told_days(part, ~same.get(part, is_hidden(part)), group, decided.alike) for _, part in chain.parts}
    level = levels(
        crowd,
        order,
        told=decided.said.told_levels(chain, names),
        to_come=list(_to_come(group)),
        foremost=foremost,
        remainders=slices.remainders(names, inside),
        is_running=group.is_running,
    )
    if not chain.dimension:
        return {TOTAL: level > 0}
    level = np.where(is_told & crowd.is_nobody(range(len(names))) & (level <= len(names)), 0, level)
    found = {(chain.dimension, name): np.asarray(level > place) for place, name in enumerate(names)}
    for across in chain.across:
        unclear = np.any([is_hidden(one) for one in across.beside], axis=0)
        places = [place for place, name in enumerate(names) if name in across.names]
        for at, place in enumerate(places):
            found[chain.dimension, names[place]] |= unclear & crowd.is_nobody(places[:at])
    return {one: windows | decided.withheld.get(one, False) for one, windows in found.items()}


def _told_days(one: Slice, is_told: NDArray[np.bool_], group: Group, said: _Said) -> frozenset[int]:
    """The days on which windows begin or end in which a slice is told, now or by an edition."""
    starts, ends = group.spans
    return frozenset((*starts[is_told].tolist(), *ends[is_told].tolist(), *joined(*said.told.get(one, ()))))


def _order(group: Group, is_told: NDArray[np.bool_]) -> tuple[list[int], int]:
    """Places of windows of which the whole is told, those that matter most first, and of several alike the newest.

    Closed periods of the grain and longer ones, and how many these are; the last 28 days, what is charted, 28 days
    before, what is finer, and what is still open.
    """
    longer = GRAINS[GRAINS.index(group.grain) + 1 :]
    ranks = {"28d": 5} | dict.fromkeys(group.cadences, 4) | {"week": 3} | dict.fromkeys(longer, 1) | {group.grain: 0}
    grains, ends = group.windows["grain"], days_since_1970(group.windows["period_end"])
    rank = np.array(grains.map(ranks).fillna(6), dtype=np.int64)
    rank[(grains == "28d").to_numpy() & (ends == group.until)] = 2
    rank[ends > group.until] = 7
    order = np.lexsort((days_since_1970(group.windows["period_start"]), -ends, rank))
    return order[is_told[order]].tolist(), int((is_told & (rank < 2)).sum())


def _to_come(group: Group) -> Iterator[tuple[int, int]]:
    """Open periods that are kept free, whole; before the first of a grain is over, what there is is all to tell."""
    starts, ends = days_since_1970(group.windows["period_start"]), days_since_1970(group.windows["period_end"])
    is_over = ends <= group.until
    for grain in sorted(group.kept_free):
        is_grain = (group.windows["grain"] == grain).to_numpy()
        for at in np.flatnonzero(is_grain & ~is_over) if (is_grain & is_over).any() else ():
            yield int(starts[at]), int(ends[at])


def _put_in(frame: pd.DataFrame, slots: Mapping[tuple[str, Slice], NDArray[np.int64]]) -> pd.DataFrame:
    """Blank the rows of windows by KPI and slice, and add those there are none of, in the order of the rows.

    Where the total is withheld every slice is, for together they would tell it.
    """
    import pandas as pd

    place, numbers = pd.factorize(frame["kpi_id"])[0], frame["window"].to_numpy()
    slices = frame[["kpi_id", "dimension", "dimension_value"]].fillna({"dimension_value": ""})
    by_slice = slices.groupby(list(slices)).indices
    is_hidden, like, missing = np.zeros(len(frame), dtype=bool), np.empty(0, dtype=int), list[Slice]()
    for (kpi_id, (dimension, name)), windows in slots.items():
        there = by_slice.get((kpi_id, dimension, name), np.empty(0, dtype=int))
        is_hidden[there[np.isin(numbers[there], windows)]] = True
        if dimension and name:
            totals = by_slice[kpi_id, *TOTAL]
            without = np.setdiff1d(windows, numbers[there])
            rows = totals[np.isin(numbers[totals], without)]
            like, missing = np.append(like, rows), [*missing, *[(dimension, name)] * len(rows)]
    window = place * (numbers.max(initial=0) + 1) + numbers
    is_hidden |= np.isin(window, window[is_hidden & (frame["dimension"] == "").to_numpy()])
    names = {"dimension": [one for one, _ in missing], "dimension_value": [name for _, name in missing]}
    both = pd.concat([frame, frame.iloc[like].assign(**names)], ignore_index=True) if missing else frame
    is_hidden = np.append(is_hidden, np.ones(len(both) - len(frame), dtype=bool))
    both.loc[is_hidden, _HIDDEN] = None
    both.loc[is_hidden, "status"] = "not_available"
    both.loc[is_hidden, "reason"] = REASON
    both.loc[is_hidden, "verdict"] = ""
    both = both.assign(order=np.append(place, place[like])).sort_values(
        ["order", "window", "dimension", "dimension_value"], kind="stable", ignore_index=True
    )
    return both.drop(columns=["order", "window"])
