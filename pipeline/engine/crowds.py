"""KPIs that are told of the same people: their periods, and who stands behind each slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.differences import Counts, Crowd, Days, Remainder
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.members import DistinctKind, RecurrenceKind
from pipeline.engine.kinds.sums import SnapshotKind, Sums
from pipeline.engine.leaves import measured, read_facts
from pipeline.engine.nesting import Chain, Slice, chains_of
from pipeline.engine.people import doers_by_day
from pipeline.engine.rollup import days_of
from pipeline.facts import Fact, load_facts

if TYPE_CHECKING:
    import pandas as pd

PERIOD = ["grain", "period_start", "period_end"]
WINDOW = ["window", *PERIOD]
"""Columns of a period of some KPI, and its number in their order."""
GRAINS = ("day", "week", "month", "quarter")


def days_since_1970(dates: pd.Series) -> NDArray[np.int64]:
    """Dates as numbers of days, shape (dates,)."""
    return np.asarray(dates.to_numpy().astype("datetime64[D]").astype(np.int64))


def positions(numbers: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where windows stand among others, by their numbers; -1 for those that do not."""
    found = np.full(max(numbers.max(initial=0), among.max(initial=0)) + 1, -1)
    found[among] = np.arange(len(among))
    return np.asarray(found[numbers])


class Slices(Protocol):
    """People by slice of a dimension."""

    @property
    def sizes(self) -> dict[str, float]:
        """How many they are, by slice: the fewest are withheld first."""

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""

    def remainders(self, names: list[str], told: Mapping[Slice, frozenset[int]]) -> Iterable[Remainder]:
        """What slices of other dimensions that lie within these leave of them, if they are `told` between two days."""


@dataclass(frozen=True)
class Group:
    """KPIs that are told of the same people."""

    fact: str
    """Of which they count the rows, if these are what people did."""
    after: str
    """Another fact that is decided before: what is withheld of it is withheld of this one."""
    is_alike: bool
    """Whether that one counts the same."""
    kpis: tuple[str, ...]
    """The first one withholds nothing for the sake of other people."""
    followers: tuple[str, ...]
    """KPIs of what follows from it, which tell nothing of it and are withheld with it."""
    windows: pd.DataFrame
    """Their periods (`WINDOW`)."""
    chains: tuple[Chain, ...]
    """Their slices, and the total first."""
    people: Callable[[Chain], Slices]
    grain: str
    """The one that matters most."""
    cadences: frozenset[str]
    """Those that the KPIs are charted on."""
    is_running: bool
    """Whether periods that differ by a few people tell of them."""
    kept_free: frozenset[str]
    """Grains of which open periods are to be told when they are over."""
    needed: frozenset[str]
    """Slices that benefits rest on."""
    end: date
    """Day after the last one with data; periods that end after it are still open."""

    @property
    def until(self) -> int:
        """That day as the number of a day."""
        return int(np.datetime64(self.end, "D").astype(np.int64))

    @property
    def spans(self) -> tuple[Days, Days]:
        """First day of each window, and the day after the last one of which there are data."""
        ends = np.minimum(days_since_1970(self.windows["period_end"]), self.until)
        return days_since_1970(self.windows["period_start"]), ends


def groups_of_people(
    con: duckdb.DuckDBPyConnection, parts: dict[str, pd.DataFrame], catalog: Catalog, end: date
) -> Iterator[Group]:
    """KPIs that count people, each by itself: all whom a row is told of, and each group where two are compared.

    Of a KPI that nothing could be counted for nothing is told.
    Hiding more than one of them asks for takes away sums from which the others could be worked out, and adds none.
    """
    for kpi_id in (one for one in parts if catalog.metrics[one].people):
        part, metric = parts[kpi_id], catalog.metrics[kpi_id]
        many = [part["clusters"].fillna(part["n"])]  # several answers of one person are one person
        many += [part[arm].astype(float) for arm in ("treated_n", "control_n") if arm in part]
        kind = kind_of(metric)
        is_running = not isinstance(kind, SnapshotKind | RecurrenceKind)
        adds_up = isinstance(kind, Sums) and not isinstance(kind, DistinctKind)
        totals = part[part["dimension"] == ""]
        chains = tuple(chains_of(con, metric.counted_facts[0], metric.dimensions))
        slices = part[["dimension", "dimension_value"]].fillna({"dimension_value": ""})
        slices = slices.assign(place=positions(part["window"].to_numpy(), totals["window"].to_numpy()))
        for people in (one.fillna(0) for one in many if one.notna().any()):
            yield Group(
                fact="",
                after="",
                is_alike=False,
                kpis=(kpi_id,),
                followers=(),
                windows=totals[WINDOW].reset_index(drop=True),
                chains=chains,
                people=partial(_CountedSlices.of, slices.assign(people=people), len(totals)),
                grain=metric.grain,
                cadences=frozenset({metric.grain}),
                is_running=is_running,
                kept_free=frozenset({metric.grain} if is_running and adds_up else ()),
                needed=frozenset(),
                end=end,
            )


@dataclass(frozen=True)
class _CountedSlices:
    """People as a KPI counts them: `total` by window, and by window and slice in the order of `names`."""

    total: NDArray[np.float64]
    wide: NDArray[np.float64]
    names: list[str]

    @classmethod
    def of(cls, slices: pd.DataFrame, windows: int, chain: Chain) -> Self:
        """From `people` by dimension, dimension_value and `place` of their window; no name is told as ''."""
        import pandas as pd

        names = slices["dimension_value"]
        is_whole = (slices["dimension"] == chain.within[0]) & (names == chain.within[1])
        is_part = (slices["dimension"] == chain.dimension) & (chain.dimension != "")
        is_part[is_part] = names[is_part].map(chain.holds).astype(bool)
        whole, part = (slices[one & (slices["place"] >= 0)] for one in (is_whole, is_part))
        codes, found = pd.factorize(part["dimension_value"])
        total, wide = np.zeros(windows), np.zeros((windows, len(found)))
        total[whole["place"]] = whole["people"]
        wide[part["place"], codes] = part["people"]
        return cls(total, wide, found.tolist())

    @property
    def sizes(self) -> dict[str, float]:
        """The greatest number of people of each slice."""
        return dict(zip(self.names, self.wide.max(axis=0, initial=0).tolist(), strict=True))

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""
        return Counts(starts, ends, self.total, self.wide[:, [self.names.index(name) for name in names]])

    def remainders(self, names: list[str], told: Mapping[Slice, frozenset[int]]) -> Iterable[Remainder]:
        """None: from how many they are nobody can say who is left of them."""
        return ()


def groups_of_deeds(
    con: duckdb.DuckDBPyConnection, parts: dict[str, pd.DataFrame], catalog: Catalog
) -> Iterator[Group]:
    """KPIs that count what people did, those of the same fact together, and those of facts that count the same.

    Months go before weeks and days, for a weekend that few people worked on would else tell a month apart. Periods are
    open until the fact has a row of their last day or a later one, whatever other tables have: once a month was told
    without its last day, that day could be told no more.
    """
    import pandas as pd

    last, shared = days_of(con, read_facts(catalog)), dict[str, tuple[str, ...]]()
    for fact, metrics in sorted(read_facts(catalog).items(), key=lambda item: load_facts()[item[0]].after):
        alone_first = sorted(metrics.items(), key=lambda item: len(item[1].counted_facts))
        found = {kpi_id: one for kpi_id, one in alone_first if kpi_id in parts and fact in one.counted_facts}
        if not found or fact not in last or not load_facts()[fact].deeds:
            continue
        after, needed = load_facts()[fact].after, _needed(catalog, found)
        dimensions = tuple(dict.fromkeys(name for metric in found.values() for name in metric.dimensions))
        shared[fact] = dimensions
        others = {kpi_id: _counted(one) for kpi_id, one in measured(catalog).items() if kpi_id in parts}
        found |= {kpi: catalog.metrics[kpi] for kpi, of in others.items() if any(one.alike == fact for one in of)}
        followers = tuple(kpi for kpi, of in others.items() if any(one.follows == fact for one in of))
        totals = pd.concat([part[part["dimension"] == ""] for part in (parts[kpi] for kpi in (*found, *followers))])
        yield Group(
            fact=fact,
            after=after,
            is_alike=bool(load_facts()[fact].alike),
            kpis=tuple(found),
            followers=followers,
            windows=totals[WINDOW].drop_duplicates(ignore_index=True),
            chains=tuple(chains_of(con, fact, dimensions, shared.get(after, ("use_case",) if needed else ()))),
            people=partial(doers_by_day, con, fact),
            grain=max(("month", *(metric.grain for metric in found.values())), key=GRAINS.index),
            cadences=frozenset(metric.grain for metric in found.values()),
            is_running=True,
            kept_free=frozenset({"week", "month"}),
            needed=needed,
            end=date.fromisoformat(last[fact][1]) + timedelta(days=1),
        )


def _counted(metric: AnyMetric) -> list[Fact]:
    """The facts that a KPI counts."""
    return [load_facts()[one] for one in metric.counted_facts]


def _needed(catalog: Catalog, kpis: Mapping[str, object]) -> frozenset[str]:
    """The use cases for which lines of benefit are worked out from one of these KPIs."""
    lines = (line for line in catalog.benefits.values() if any(kpi in kpis for kpi, _ in line.kpi_parts))
    return frozenset(name for line in lines for name in line.use_cases)
