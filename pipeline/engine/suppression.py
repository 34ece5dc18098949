"""Groups of fewer than five people are not published, and cannot be worked out from what is or ever was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.differences import SMALLEST_GROUP, Counts, levels
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.members import DistinctKind, RecurrenceKind
from pipeline.engine.kinds.sums import SnapshotKind, Sums

if TYPE_CHECKING:
    import pandas as pd

REASON = f"suppressed: fewer than {SMALLEST_GROUP} people, or what would tell of them"
"""One for all, so that nobody can tell a small group from what is withheld for its sake."""
_HIDDEN = ["value", "numerator", "denominator", "n", "interval_low", "interval_high"]
_WINDOW = ["grain", "period_start", "period_end"]
_TOLD = """
SELECT v.kpi_id, v.definition_hash, v.dimension, v.dimension_value, v.period_start::DATE AS first,
  least(v.period_end, e.as_of + 1)::DATE AS "end"
FROM kpi.values AS v JOIN kpi.editions AS e ON e.number = v.first_edition
WHERE NOT starts_with(v.reason, 'suppressed') AND list_contains(?, v.kpi_id)
"""


def suppress(
    con: duckdb.DuckDBPyConnection, counted: pd.DataFrame, frame: pd.DataFrame, catalog: Catalog, *, end: date
) -> None:
    """Blank the rows of `frame` that tell of fewer than five people, in place; `counted` are its rows about people.

    Blank are groups of fewer than five, and what would let them be worked out: other slices of the period, whose rest
    from the total they are, and periods that differ by them (complementary suppression; Hundepool et al. 2012,
    Statistical Disclosure Control, 4.2). What earlier editions told stays told. `end` is the day after the last one
    with data.
    """
    if counted.empty:
        return
    told = _told(con, counted["kpi_id"].unique().tolist())
    hidden: list[int] = []
    for kpi_id, part in counted.groupby("kpi_id", sort=False):
        before = told[(told["kpi_id"] == kpi_id)]
        for people in _groups(part):
            hidden += _hidden(part.assign(people=people), catalog.metrics[kpi_id], before, end=end)
    rows = sorted(set(hidden))
    frame.loc[rows, _HIDDEN] = None
    frame.loc[rows, "status"] = "not_available"
    frame.loc[rows, "reason"] = REASON
    frame.loc[rows, "verdict"] = ""


def _groups(part: pd.DataFrame) -> Iterator[pd.Series]:
    """How many people each row is told of: all, and where two groups are compared, each of them.

    Hiding more than one of them asks for takes away sums from which the others could be worked out, and adds none.
    """
    yield part["clusters"].fillna(part["n"]).fillna(0)  # several answers of one person are one person
    for arm in ("treated_n", "control_n"):
        if arm in part and part[arm].notna().any():
            yield part[arm].astype(float).fillna(0)


def _told(con: duckdb.DuckDBPyConnection, kpis: list[str]) -> pd.DataFrame:
    """What editions told of these KPIs, none where there are no editions yet."""
    import pandas as pd

    exists = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'kpi' AND table_name IN ('values', 'editions')"
    if con.execute(exists).fetchall() != [(2,)]:
        return pd.DataFrame(columns=["kpi_id", "definition_hash", "dimension", "dimension_value", "first", "end"])
    return con.execute(_TOLD, [kpis]).df()


@dataclass(frozen=True)
class _Table:
    """The windows of a KPI and its slices along one dimension; `rows` has the index of each row of the frame."""

    windows: pd.DataFrame
    counts: Counts
    names: list[str]
    totals: list[int]
    slices: pd.DataFrame


def _days(dates: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.asarray(dates.to_numpy().astype("datetime64[D]").astype(np.int64))


def _table(part: pd.DataFrame, dimension: str, end: int) -> _Table:
    """People by window and slice; slices stand in the order of their greatest number of people, the smallest first."""
    totals = part[part["dimension"] == ""]
    windows = totals[_WINDOW].reset_index(drop=True)
    slices = part[part["dimension"] == dimension] if dimension else part.iloc[:0]
    slices = slices.merge(windows.reset_index(names="window"), on=_WINDOW, how="left").set_axis(slices.index)
    slices["dimension_value"] = slices["dimension_value"].astype(object).where(slices["dimension_value"].notna(), "")
    wide = slices.pivot(index="window", columns="dimension_value", values="people").reindex(range(len(windows)))
    wide = wide.fillna(0).astype(float)
    names = sorted(map(str, wide.columns), key=lambda name: (wide[name].max(), name))
    counts = Counts(
        starts=_days(windows["period_start"]),
        ends=np.minimum(_days(windows["period_end"]), end),
        total=totals["people"].to_numpy(dtype=float),
        slices=wide[names].to_numpy(dtype=float).reshape(len(windows), len(names)),
    )
    return _Table(windows, counts, names, totals.index.tolist(), slices)


def _hidden(part: pd.DataFrame, metric: AnyMetric, told: pd.DataFrame, *, end: date) -> Iterator[int]:
    """Index of each row of one KPI that is not to be told."""
    until = int(np.datetime64(end, "D").astype(np.int64))
    kind = kind_of(metric)
    is_running = not isinstance(kind, SnapshotKind | RecurrenceKind)
    adds_up = is_running and isinstance(kind, Sums) and not isinstance(kind, DistinctKind)
    for dimension in ("", *metric.dimensions):
        table = _table(part, dimension, until)
        level = levels(
            table.counts,
            _order(table, metric, until),
            told=_before(told, dimension, table.names),
            to_come=_to_come(table, metric, until) if adds_up else (),
            is_running=is_running,
        )
        if not dimension:
            yield from (index for index, found in zip(table.totals, level, strict=True) if found > 0)
        place = {name: at for at, name in enumerate(table.names)}
        below = table.slices["dimension_value"].map(place).to_numpy(dtype=int) < level[table.slices["window"]]
        nobody = table.slices["people"].to_numpy() == 0
        yield from table.slices.index[below & ~nobody]


def _order(table: _Table, metric: AnyMetric, until: int) -> list[int]:
    """Closed periods of the cadence first, then longer ones, windows of 28 days, and what is finer or still open."""
    ranks = {metric.grain: 0} | dict.fromkeys(_coarser(metric.grain), 1) | {"28d": 2}
    grains, ends = table.windows["grain"].tolist(), _days(table.windows["period_end"]).tolist()
    rank = [ranks.get(grain, 3) if end <= until else 4 for grain, end in zip(grains, ends, strict=True)]
    starts = table.counts.starts.tolist()
    return sorted(range(len(grains)), key=lambda at: (rank[at], ends[at], starts[at]))


def _coarser(grain: str) -> tuple[str, ...]:
    grains = ("day", "week", "month", "quarter")
    return grains[grains.index(grain) + 1 :]


def _to_come(table: _Table, metric: AnyMetric, until: int) -> Iterator[tuple[int, int]]:
    """Open periods of the cadence, whole: they are to be told when they are over. Before the first is, none is kept
    free, for what there is is all there is to tell.
    """
    ends, is_cadence = _days(table.windows["period_end"]), (table.windows["grain"] == metric.grain).to_numpy()
    if not (is_cadence & (ends <= until)).any():
        return
    for at in np.flatnonzero(is_cadence & (ends > until)):
        yield int(table.counts.starts[at]), int(ends[at])


def _before(told: pd.DataFrame, dimension: str, names: list[str]) -> Iterator[tuple[int, int, int]]:
    """(first day, end, level) of what editions told along a dimension; a level is that of its smallest slice told."""
    place = {name: at for at, name in enumerate(names)}
    known = told[told["dimension"].isin(["", dimension])]
    level = known["dimension_value"].map(place).where(known["dimension"] != "", len(names)).fillna(0).astype(int)
    spans = known.assign(level=level, first=_days(known["first"]), end=_days(known["end"]))
    least = spans.groupby(["first", "end"])["level"].min()
    yield from ((int(first), int(end), int(found)) for (first, end), found in least.items())
