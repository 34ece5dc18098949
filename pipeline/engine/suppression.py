"""Groups of fewer than five people are not published, and cannot be worked out from what is or ever was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.people import SMALLEST_GROUP
from pipeline.engine.differences import Counts, Crowd, Days, levels
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.members import DistinctKind, RecurrenceKind
from pipeline.engine.kinds.sums import SnapshotKind, Sums
from pipeline.engine.leaves import measured, read_facts
from pipeline.engine.people import doers_by_day
from pipeline.engine.rollup import days_of
from pipeline.facts import load_facts

if TYPE_CHECKING:
    import pandas as pd

REASON = f"suppressed: fewer than {SMALLEST_GROUP} people, or what would tell of them"
"""One for all, so that nobody can tell a small group, or nobody, from what is withheld for its sake."""
_HIDDEN = ["value", "numerator", "denominator", "n", "interval_low", "interval_high"]
_WINDOW = ["grain", "period_start", "period_end"]
_SLICE = [*_WINDOW, "dimension", "dimension_value"]
_GRAINS = ("day", "week", "month", "quarter")
_TOLD = """
SELECT v.kpi_id, v.dimension, v.dimension_value, v.period_start::DATE AS first,
  least(v.period_end, e.as_of + 1)::DATE AS "end", starts_with(v.reason, 'suppressed') AS is_withheld
FROM kpi.values AS v JOIN kpi.editions AS e ON e.number = v.first_edition
WHERE list_contains(?, v.kpi_id)
"""


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
    parts = dict(iter(frame.groupby("kpi_id", sort=False)))
    groups = [*_counted(parts, catalog, end), *([] if made_up else _deeds(con, parts, catalog))]
    told = _told(con, [kpi_id for group in groups for kpi_id in group.kpis])
    slots: dict[str, list[pd.DataFrame]] = {}
    for group in groups:
        hidden = dict(_hidden(group, told[told["kpi_id"].isin(group.kpis)]))
        for kpi_id in group.kpis:
            dimensions = ("", *catalog.metrics[kpi_id].dimensions)
            slots.setdefault(kpi_id, []).extend(hidden[at] for at in dimensions if at in hidden)
            slots[kpi_id].append(_slices_of(parts[kpi_id], hidden[""]))
    return _put_in(frame, parts, slots)


def _slices_of(part: pd.DataFrame, totals: pd.DataFrame) -> pd.DataFrame:
    """The slices of a KPI (`_SLICE`) in periods of which the total is withheld: together they would tell it."""
    slices = part.loc[part["dimension"] != "", _SLICE].fillna({"dimension_value": ""})
    return slices.merge(totals[_WINDOW], on=_WINDOW)


class _Slices(Protocol):
    """People by slice of a dimension."""

    @property
    def sizes(self) -> dict[str, float]:
        """How many they are, by slice: the fewest are withheld first."""

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""


@dataclass(frozen=True)
class _Group:
    """KPIs that are told of the same people."""

    kpis: tuple[str, ...]
    """The first one withholds nothing for the sake of other people."""
    windows: pd.DataFrame
    """Their periods (`_WINDOW`)."""
    people: Callable[[str], _Slices]
    """By dimension, or in total for an empty one."""
    dimensions: tuple[str, ...]
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


def _counted(parts: dict[str, pd.DataFrame], catalog: Catalog, end: date) -> Iterator[_Group]:
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
        for people in (one.fillna(0) for one in many if one.notna().any()):
            yield _Group(
                kpis=(kpi_id,),
                windows=totals[_WINDOW].reset_index(drop=True),
                people=partial(_CountedSlices.of, part[_SLICE].assign(people=people), totals.index),
                dimensions=("", *metric.dimensions),
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
    def of(cls, people: pd.DataFrame, totals: pd.Index, dimension: str) -> Self:
        """From `people` by `_SLICE`, of which `totals` are the rows of the windows; no name is told as ''."""
        import pandas as pd

        windows = people.loc[totals, _WINDOW].reset_index(drop=True).reset_index(names="window")
        slices = people[(people["dimension"] == dimension) & (dimension != "")].merge(windows, on=_WINDOW)
        codes, names = pd.factorize(slices["dimension_value"].fillna(""))
        wide = np.zeros((len(windows), len(names)))
        wide[slices["window"], codes] = slices["people"]
        return cls(people.loc[totals, "people"].to_numpy(dtype=float), wide, names.tolist())

    @property
    def sizes(self) -> dict[str, float]:
        """The greatest number of people of each slice."""
        return dict(zip(self.names, self.wide.max(axis=0, initial=0).tolist(), strict=True))

    def in_order(self, names: list[str], starts: Days, ends: Days) -> Crowd:
        """The people of windows from one day up to another, with the slices in an order."""
        return Counts(starts, ends, self.total, self.wide[:, [self.names.index(name) for name in names]])


def _deeds(con: duckdb.DuckDBPyConnection, parts: dict[str, pd.DataFrame], catalog: Catalog) -> Iterator[_Group]:
    """KPIs that count what people did, those of the same fact together, and those of facts that count the same.

    Months go before weeks and days, for a weekend that few people worked on would else tell a month apart. Periods are
    open until the fact has a row of their last day or a later one, whatever other tables have: once a month was told
    without its last day, that day could be told no more.
    """
    import pandas as pd

    last = days_of(con, read_facts(catalog))
    for fact, metrics in read_facts(catalog).items():
        alone_first = sorted(metrics.items(), key=lambda item: len(item[1].counted_facts))
        found = {kpi_id: one for kpi_id, one in alone_first if kpi_id in parts and fact in one.counted_facts}
        if not found or fact not in last or not load_facts()[fact].deeds:
            continue
        dimensions = tuple(dict.fromkeys(name for metric in found.values() for name in metric.dimensions))
        found |= {kpi_id: one for kpi_id, one in measured(catalog).items() if kpi_id in parts and _is_alike(one, fact)}
        totals = pd.concat([part[part["dimension"] == ""] for part in (parts[kpi_id] for kpi_id in found)])
        yield _Group(
            kpis=tuple(found),
            windows=totals[_WINDOW].drop_duplicates(ignore_index=True),
            people=partial(doers_by_day, con, fact),
            dimensions=("", *dimensions),
            grain=max(("month", *(metric.grain for metric in found.values())), key=_GRAINS.index),
            cadences=frozenset(metric.grain for metric in found.values()),
            is_running=True,
            kept_free=frozenset({"week", "month"}),
            needed=_needed(catalog, found),
            end=date.fromisoformat(last[fact][1]) + timedelta(days=1),
        )


def _is_alike(metric: AnyMetric, fact: str) -> bool:
    """Whether a KPI counts the same deeds as a fact does, from another one."""
    return any(load_facts()[one].alike == fact for one in metric.counted_facts)


def _needed(catalog: Catalog, kpis: Mapping[str, object]) -> frozenset[str]:
    """The use cases for which lines of benefit are worked out from one of these KPIs."""
    lines = (line for line in catalog.benefits.values() if any(kpi in kpis for kpi, _ in line.kpi_parts))
    return frozenset(name for line in lines for name in line.use_cases)


def _told(con: duckdb.DuckDBPyConnection, kpis: Sequence[str]) -> pd.DataFrame:
    """What editions told and withheld of these KPIs, none where there are no editions yet."""
    import pandas as pd

    exists = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'kpi' AND table_name IN ('values', 'editions')"
    if con.execute(exists).fetchall() != [(2,)]:
        return pd.DataFrame(columns=["kpi_id", "dimension", "dimension_value", "first", "end", "is_withheld"])
    return con.execute(_TOLD, [list(kpis)]).df().astype({"is_withheld": bool})


@dataclass(frozen=True)
class _Table:
    """The windows of a group of KPIs and its slices along one dimension."""

    windows: pd.DataFrame
    crowd: Crowd
    names: list[str]

    def below(self, level: NDArray[np.int64], dimension: str) -> pd.DataFrame:
        """The slices of each window before the first that is told, whether they have anybody or not.

        Of a total that is told as nobody each slice is nobody.
        """
        if not dimension:
            return self.windows[level > 0].assign(dimension="", dimension_value="")
        is_nobody = self.crowd.is_nobody & (level <= len(self.names))
        window, place = np.nonzero(np.arange(len(self.names)) < np.where(is_nobody, 0, level)[:, None])
        names = np.array(self.names, dtype=object)[place]
        return self.windows.iloc[window].assign(dimension=dimension, dimension_value=names)


def _days(dates: pd.Series) -> NDArray[np.int64]:
    return np.asarray(dates.to_numpy().astype("datetime64[D]").astype(np.int64))


def _tables(group: _Group, before: pd.DataFrame) -> Iterator[tuple[str, _Table]]:
    """The table of each dimension; slices stand in the order of `_in_order`, by what editions said of them `before`."""
    windows = group.windows
    starts, ends = _days(windows["period_start"]), np.minimum(_days(windows["period_end"]), group.until)
    for dimension in group.dimensions:
        slices = group.people(dimension)
        names = _in_order(slices.sizes, before[before["dimension"] == dimension], group.needed)
        yield dimension, _Table(windows, slices.in_order(names, starts, ends), names)


def _in_order(sizes: dict[str, float], before: pd.DataFrame, needed: frozenset[str]) -> list[str]:
    """Slices from the first to be withheld to the last.

    Those that editions told stand last, in the order they had: one that was withheld in more periods stood before. Were
    two to change places, what is told of one now and of the other before could leave a third. Of the others those that
    benefits need stand last, for one must be withheld for the sake of another, and the fewest people first.
    """
    told = set(before.loc[~before["is_withheld"], "dimension_value"])
    withheld = before.loc[before["is_withheld"], ["dimension_value", "first", "end"]].drop_duplicates()
    times = withheld["dimension_value"].value_counts().to_dict()
    return sorted(
        sizes, key=lambda one: (one in told, -times.get(one, 0) * (one in told), one in needed, sizes[one], one)
    )


def _hidden(group: _Group, before: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """By dimension, the periods and slices (`_SLICE`) that are not to be told after what editions said of them."""
    leading, told = before[before["kpi_id"] == group.kpis[0]], before[~before["is_withheld"].astype(bool)]
    for dimension, table in _tables(group, leading):
        order, foremost = _order(table, group)
        level = levels(
            table.crowd,
            order,
            told=_before(told, dimension, table.names),
            to_come=_to_come(table, group),
            foremost=foremost,
            is_running=group.is_running,
        )
        yield dimension, table.below(level, dimension)


def _order(table: _Table, group: _Group) -> tuple[list[int], int]:
    """Places of windows, those that matter most first, and of several alike the newest.

    Closed periods of the grain and longer ones, and how many these are; the last 28 days, what is charted, 28 days
    before, what is finer, and what is still open.
    """
    longer = _GRAINS[_GRAINS.index(group.grain) + 1 :]
    ranks = {"28d": 4} | dict.fromkeys(group.cadences, 3) | dict.fromkeys(longer, 1) | {group.grain: 0}
    grains, ends = table.windows["grain"], _days(table.windows["period_end"])
    rank = np.array(grains.map(ranks).fillna(5), dtype=np.int64)
    rank[(grains == "28d").to_numpy() & (ends == group.until)] = 2
    rank[ends > group.until] = 6
    return np.lexsort((table.crowd.starts, -ends, rank)).tolist(), int((rank < 2).sum())


def _to_come(table: _Table, group: _Group) -> Iterator[tuple[int, int]]:
    """Open periods that are kept free, whole; before the first of a grain is over, what there is is all to tell."""
    ends = _days(table.windows["period_end"])
    is_over = ends <= group.until
    for grain in sorted(group.kept_free):
        is_grain = (table.windows["grain"] == grain).to_numpy()
        for at in np.flatnonzero(is_grain & ~is_over) if (is_grain & is_over).any() else ():
            yield int(table.crowd.starts[at]), int(ends[at])


def _before(told: pd.DataFrame, dimension: str, names: list[str]) -> Iterator[tuple[int, int, int]]:
    """(first day, end, level) of what editions told along a dimension; a level is that of its smallest slice told."""
    place = {name: at for at, name in enumerate(names)}
    known = told[told["dimension"].isin(["", dimension])]
    level = known["dimension_value"].map(place).where(known["dimension"] != "", len(names)).fillna(0).astype(int)
    spans = known.assign(level=level, first=_days(known["first"]), end=_days(known["end"]))
    least = spans.groupby(["first", "end"])["level"].min()
    yield from ((int(first), int(end), int(found)) for (first, end), found in least.items())


def _put_in(frame: pd.DataFrame, parts: dict[str, pd.DataFrame], slots: dict[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Blank the rows of these periods and slices by KPI, and add those there are none of, in the order of the rows."""
    import pandas as pd

    found = [_place(parts[kpi_id], pd.concat(hidden).drop_duplicates()) for kpi_id, hidden in slots.items() if hidden]
    rows = [at for there, _ in found for at in there]
    frame = pd.concat([frame, *(new for _, new in found if len(new))], ignore_index=True)
    rows += range(len(frame) - sum(len(new) for _, new in found), len(frame))
    frame.loc[rows, _HIDDEN] = None
    frame.loc[rows, "status"] = "not_available"
    frame.loc[rows, "reason"] = REASON
    frame.loc[rows, "verdict"] = ""
    order = frame["kpi_id"].map({kpi_id: at for at, kpi_id in enumerate(parts)})
    return frame.assign(order=order).sort_values(["order", *_SLICE], kind="stable", ignore_index=True)


def _place(part: pd.DataFrame, hidden: pd.DataFrame) -> tuple[list[int], pd.DataFrame]:
    """Index of the rows of one KPI that are hidden, and rows made of the totals for those that are not there."""
    there = part[_SLICE].fillna({"dimension_value": ""}).reset_index(names="row")
    both = hidden.merge(there, on=_SLICE, how="left")
    totals = part[part["dimension"] == ""].drop(columns=["dimension", "dimension_value"])
    is_missing = both["row"].isna() & ((both["dimension"] == "") | (both["dimension_value"] != ""))
    missing = both.loc[is_missing, _SLICE].merge(totals, on=_WINDOW)
    return both["row"].dropna().astype(int).tolist(), missing
