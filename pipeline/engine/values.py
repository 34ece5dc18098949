"""From roll-ups to values: the number, its interval, whether it can be judged, the verdict and the signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Self

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.expressions import parse_measure
from pipeline.catalog.hashes import definition_hashes
from pipeline.catalog.model import Catalog, Formula, Metric
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.base import ROLLED, Floats, quotient
from pipeline.engine.kinds.base import floats as _floats
from pipeline.engine.suppression import suppress
from pipeline.facts import load_facts
from pipeline.statistics.process_behaviour import signal_words
from pipeline.statistics.verdict import verdict
from pipeline.warehouse.connection import half_the_memory

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["grain", "period_start", "period_end", "dimension", "dimension_value"]
PERIOD = ["grain", "period_start", "period_end"]
METHODS = {
    "exact": "exact",
    "wilson": "Wilson",
    "clopper_pearson": "Clopper-Pearson",
    "poisson": "exact Poisson",
    "clustered": "clustered",
    "order_statistics": "order statistics",
    "greenwood": "Greenwood (log-log)",
    "newcombe": "Newcombe",
    "newcombe_paired": "Newcombe (paired)",
    "multinomial": "multinomial",
    "delta": "delta method",
    "fieller": "Fieller",
    "judge_corrected": "Lang-Reiczigel (judge-corrected)",
    "simulation": "simulation",
}


def compute_values(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: str, made_up: bool = False
) -> pd.DataFrame:
    """Turn `rolled` into one row per KPI, period and slice, in the published order of columns.

    `as_of` is the last day with data (ISO). Rows are sorted, so the same states give the same frame. What people did
    is withheld of few of them, unless the rows are `made_up`.
    """
    with half_the_memory(con):
        return _computed(con, catalog, date.fromisoformat(as_of) + timedelta(days=1), made_up=made_up)


def _computed(con: duckdb.DuckDBPyConnection, catalog: Catalog, end: date, *, made_up: bool) -> pd.DataFrame:
    import pandas as pd

    rolled = dict(iter(_rolled(con).groupby("kpi_id", sort=False)))
    told = {kpi_id for (kpi_id,) in con.execute("SELECT DISTINCT kpi_id FROM scope").fetchall()}
    if not told:
        return pd.DataFrame(columns=PUBLISHED)
    parts = []
    for kpi_id, metric in catalog.metrics.items():
        if kpi_id not in told:
            continue
        part = rolled[kpi_id] if kpi_id in rolled else _no_source(con, kpi_id, metric, end)
        parts.append(_measured(con, part.reset_index(drop=True), metric, end))
    frame = pd.concat(parts, ignore_index=True)
    for name in ("n", "unknown", "clusters"):
        frame[name] = _floats(frame, name)
    rows = _Rows.of(catalog, frame["kpi_id"], frame["period_end"])
    _set_status(frame, rows, end)
    _note_short_period(con, frame, catalog, end)
    frame["verdict"] = _verdicts(frame, rows)
    frame = suppress(con, frame.assign(**rows.published), catalog, end=end, made_up=made_up)
    _set_signals(con, frame, catalog)
    return frame.assign(**{name: frame[name].dt.date for name in ("period_start", "period_end")})[PUBLISHED]


def _rolled(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Every rolled period, sorted; numerators and denominators as text, since a frame makes doubles of decimals."""
    exact = "numerator::VARCHAR AS numerator, denominator::VARCHAR AS denominator"
    frame = con.execute(f"SELECT * REPLACE ({exact}) FROM rolled ORDER BY kpi_id, {', '.join(KEYS)}").df()
    for column in ("period_start", "period_end"):
        frame[column] = frame[column].astype("datetime64[s]")
    return frame


@dataclass(frozen=True)
class _Rows:
    """What the catalogue says of the KPI of each row, as columns beside the rows."""

    few: NDArray[np.int64]
    matures_after_days: NDArray[np.int64]
    at_least: Floats
    at_most: Floats
    by_point: NDArray[np.bool_]
    empty: NDArray[Any]
    unknown: NDArray[Any]
    published: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, catalog: Catalog, kpi_ids: pd.Series, ends: pd.Series) -> Self:
        """Repeat what is said of each KPI for its rows, which stand together; `ends` are those of their periods."""
        codes, found = kpi_ids.factorize()
        place = np.array([[*catalog.metrics].index(kpi_id) for kpi_id in found], dtype=np.int64)[codes]

        def each(said: Callable[[Metric], Any]) -> NDArray[Any]:
            return repeated([said(metric) for metric in catalog.metrics.values()])

        def repeated(said_of: list[Any]) -> NDArray[Any]:
            is_text = isinstance(said_of[0], str)  # a text is then told by its place, not copied for every row
            return np.asarray(np.array(said_of, dtype=object if is_text else None)[place])

        published = {
            "owner": each(lambda one: one.owner),
            "unit": each(lambda one: one.unit),
            "definition_hash": repeated(list(definition_hashes(catalog).values())),
            "interval_method": each(lambda one: METHODS[one.interval]),
        }
        return cls(
            few=each(lambda one: one.min_n),
            matures_after_days=each(lambda one: one.matures_after_days),
            **_bounds(catalog, place, ends),
            by_point=each(lambda one: one.interval == "exact"),
            empty=each(lambda one: kind_of(one).empty if one.facts else ""),
            unknown=each(lambda one: parse_measure(one.unknown).column.replace("_", " ") if one.unknown else ""),
            published=published,
        )


def _bounds(catalog: Catalog, place: NDArray[np.int64], ends: pd.Series) -> dict[str, Floats]:
    """Both sides of the target that holds on the last day of each row's period; NaN where none does."""
    found: dict[str, Floats] = {side: np.full(len(place), np.nan) for side in ("at_least", "at_most")}
    end = ends.to_numpy().astype("datetime64[D]")
    for at, metric in enumerate(catalog.metrics.values()):
        for target in metric.targets:
            found[target.side][(place == at) & (end > np.datetime64(target.since))] = float(target.value)
    return found


def _measured(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, metric: Metric, end: date) -> pd.DataFrame:
    """Fill value and interval by the kind of the KPI."""
    frame["note"] = frame["no_value"] = ""
    _take_worst(frame, metric)
    if not metric.facts:
        value, low, high = (np.full(len(frame), np.nan) for _ in range(3))
    else:
        value, low, high = kind_of(metric).measure(con, frame, frame["kpi_id"].iloc[0], metric, end)
    return frame.assign(value=value, interval_low=low, interval_high=high)


def _set_signals(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, catalog: Catalog) -> None:
    """Tell signal from noise at the KPI's own cadence, in total; points that cannot be judged are not on the chart."""
    frame["signal"] = ""
    before = con.execute("SELECT kpi_id, value FROM chart ORDER BY kpi_id, period_start").df()
    stood = {kpi_id: part.to_numpy(dtype=float) for kpi_id, part in before.groupby("kpi_id")["value"]}
    value = frame["value"].where(frame["status"] == "computed").to_numpy(dtype=float)
    totals = frame.loc[frame["dimension"] == "", ["kpi_id", "grain"]]
    for (kpi_id, grain), charted in totals.groupby(["kpi_id", "grain"], sort=False).groups.items():
        if grain == catalog.metrics[kpi_id].grain:
            points = np.concatenate([stood.get(kpi_id, np.zeros(0)), value[charted]])
            frame.loc[charted, "signal"] = signal_words(points)[-len(charted) :]


PUBLISHED = [
    "kpi_id", "owner", "grain", "period_start", "period_end", "dimension", "dimension_value", "value", "unit",
    "numerator", "denominator", "n", "interval_low", "interval_high", "interval_method", "status", "verdict", "signal",
    "definition_hash", "reason",
]  # fmt: skip


def _no_source(con: duckdb.DuckDBPyConnection, kpi_id: str, metric: Metric, end: date) -> pd.DataFrame:
    """One row that says there is nothing to compute from, and why."""
    import pandas as pd

    row: dict[str, object] = {
        "kpi_id": kpi_id, "grain": "28d", "period_start": pd.Timestamp(end - timedelta(days=28)).as_unit("s"),
        "period_end": pd.Timestamp(end).as_unit("s"), "dimension": "", "dimension_value": "",
        "no_source": _why_none(con, metric),
    }  # fmt: skip
    return pd.DataFrame([row | dict.fromkeys(ROLLED)])


def _why_none(con: duckdb.DuckDBPyConnection, metric: Metric) -> str:
    if isinstance(metric, Formula):
        return f"awaits {metric.awaits}"
    table = next(iter(load_facts()[metric.fact].reads))  # the table a fact is about stands first
    ((held,),) = con.execute(f"SELECT count(*) FROM core.{table}").fetchall()
    return f"none of the {held} rows of {table} has what it is computed from" if held else f"no export fills {table}"


def _take_worst(frame: pd.DataFrame, metric: Metric) -> None:
    """The overall row of a KPI that is never pooled becomes that of its worst slice."""
    dimension = getattr(metric, "worst_of", None)
    if dimension is None:
        return
    rate = quotient(_floats(frame, "numerator"), _floats(frame, "denominator"))
    sign = 1 if metric.direction == "up" else -1
    sliced = frame.assign(rate=sign * rate)[(frame["dimension"] == dimension) & ~np.isnan(rate)]
    worst = sliced.sort_values(["rate", "dimension_value"]).drop_duplicates(PERIOD)
    worst = worst.assign(source=worst.index)
    overall = frame.loc[frame["dimension"] == "", PERIOD].reset_index()
    pairs = overall.merge(worst[[*PERIOD, "source"]], on=PERIOD)
    columns = [name for name in ROLLED if name in frame]
    frame.loc[pairs["index"], columns] = frame.loc[pairs["source"], columns].to_numpy()
    words = f"the worst {dimension.replace('_', ' ')}: " + frame.loc[pairs["source"], "dimension_value"]
    frame.loc[pairs["index"], "note"] = words.to_numpy()


def _note_short_period(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, catalog: Catalog, end: date) -> None:
    """Say of a period that begins before the data how many of its days they fill."""
    import pandas as pd

    held = dict(con.execute("FROM begun").fetchall())
    longer = frame[(frame["grain"] != "day") & frame["value"].notna()]
    codes, found = longer["kpi_id"].factorize()
    begun = [min(held[fact] for fact in catalog.metrics[one].counted_facts if fact in held) for one in found]
    first = pd.Series(np.array(begun, dtype="datetime64[s]")[codes], index=longer.index)
    is_short = longer["period_start"] < first
    short, first = longer[is_short], first[is_short]
    until = short["period_end"].clip(upper=pd.Timestamp(end).as_unit("s"))
    days, whole = (until - first).dt.days, (short["period_end"] - short["period_start"]).dt.days
    notes = (
        _joined(reason, f"data begin on {day}: {filled} of {all_days} days")
        for reason, day, filled, all_days in zip(short["reason"], first.dt.date, days, whole, strict=True)
    )
    frame.loc[short.index, "reason"] = list(notes)


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _set_status(frame: pd.DataFrame, rows: _Rows, end: date) -> None:
    """Say of each value whether it can be judged, and why not."""
    n, value = np.nan_to_num(_floats(frame, "n")), _floats(frame, "value")
    status, reason = np.full(len(frame), "computed", dtype=object), frame["note"].to_numpy(dtype=object, copy=True)
    for at in np.flatnonzero(n < rows.few):
        status[at] = "insufficient_data"
        reason[at] = _joined(reason[at], f"n = {int(n[at])}, at least {rows.few[at]} needed")
    ends = [_floats(frame, name) for name in ("interval_low", "interval_high")]
    for at in np.flatnonzero((n >= rows.few) & ~rows.by_point & np.isnan(ends[0]) & np.isnan(ends[1])):
        status[at], reason[at] = "insufficient_data", _joined(reason[at], "too little varies for an interval")
    closed = frame["period_end"].to_numpy().astype("datetime64[D]") + rows.matures_after_days
    for at in np.flatnonzero(closed > np.datetime64(end)):
        status[at], reason[at] = "immature", f"provisional until {closed[at]}"
    nothing = (n == 0) & frame["numerator"].isna().to_numpy()
    told = frame["no_value"].to_numpy()
    for at in np.flatnonzero(nothing | np.isnan(value)):
        status[at] = "not_available"
        reason[at] = "no data in this period" if nothing[at] else told[at] or rows.empty[at]
    _tell_unknown(frame, rows, status, reason)
    if "no_source" in frame:
        reason = np.where(frame["no_source"].notna(), frame["no_source"], reason)
    frame["status"], frame["reason"] = status, reason
    frame.loc[status == "not_available", ["value", "interval_low", "interval_high"]] = np.nan


def _tell_unknown(frame: pd.DataFrame, rows: _Rows, status: NDArray[Any], reason: NDArray[Any]) -> None:
    """Rows of unknown value: a sum cannot be told without them; a percentile or median leaves them out and says so."""
    unknown = np.nan_to_num(_floats(frame, "unknown"))
    for at in np.flatnonzero(unknown > 0):
        if rows.unknown[at]:
            status[at], reason[at] = "not_available", f"cannot be told: {int(unknown[at])} {rows.unknown[at]}"
        else:
            reason[at] = _joined(reason[at], f"{int(unknown[at])} of unknown value left out")
    frame.loc[(unknown > 0) & (rows.unknown != ""), "numerator"] = None


def judge(frame: pd.DataFrame, catalog: Catalog) -> NDArray[Any]:
    """Judge published values anew by the targets of a catalogue.

    `frame` has the published columns kpi_id, period_end, value, interval_low, interval_high and status.
    """
    return _verdicts(frame, _Rows.of(catalog, frame["kpi_id"], frame["period_end"]))


def _verdicts(frame: pd.DataFrame, rows: _Rows) -> NDArray[Any]:
    """How each value stands against its target; one that cannot be judged is inconclusive, and what is not known is not
    judged at all."""
    value, low, high = (_floats(frame, name) for name in ("value", "interval_low", "interval_high"))
    status = frame["status"].to_numpy()
    value = np.where(status == "computed", value, np.nan)
    told = verdict(value, low, high, rows.at_least, rows.at_most, exact=rows.by_point)
    return np.where(status == "not_available", "", told)
