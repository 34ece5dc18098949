"""From roll-ups to values: the number, its interval, whether it can be judged, the verdict and the signal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from pipeline.catalog.expressions import parse_measure
from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.model import Catalog, Formula, Metric
from pipeline.engine.kinds import kind_of
from pipeline.engine.kinds.base import ROLLED, quotient
from pipeline.engine.kinds.base import floats as _floats
from pipeline.engine.rollup import first_day
from pipeline.engine.suppression import suppress
from pipeline.facts import load_facts
from pipeline.statistics.process_behaviour import signal_words
from pipeline.statistics.verdict import verdict

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
    "simulation": "simulation",
}


_ROLLED = f"""SELECT * REPLACE (numerator::VARCHAR AS numerator, denominator::VARCHAR AS denominator)
             FROM rolled WHERE kpi_id = ? ORDER BY {", ".join(KEYS)}"""  # text: a frame makes doubles of decimals


def compute_values(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, as_of: str) -> pd.DataFrame:
    """Turn `rolled` into one row per KPI, period and slice, in the published order of columns plus `reason`.

    `as_of` is the last day with data (ISO). Rows are sorted, so the same states give the same frame.
    """
    import pandas as pd

    end = date.fromisoformat(as_of) + timedelta(days=1)
    frames = []
    for kpi_id, metric in catalog.metrics.items():
        frame = con.execute(_ROLLED, [kpi_id]).df()
        if frame.empty:
            frame = _no_source(con, metric, end)
        frames.append(_finish(con, frame, kpi_id, metric, end))
    return pd.concat(frames, ignore_index=True)


def _finish(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, metric: Metric, end: date
) -> pd.DataFrame:
    for column in ("period_start", "period_end"):
        frame[column] = frame[column].astype("datetime64[s]").dt.date
    frame["note"] = ""
    _take_worst(frame, metric)
    _measure(con, frame, kpi_id, metric, end)
    _set_status(frame, metric, end)
    _note_short_window(con, frame, metric)
    _judge(frame, metric)
    suppress(frame, people=metric.people)
    _set_signal(frame, metric)
    frame["kpi_id"], frame["owner"], frame["unit"] = kpi_id, metric.owner, metric.unit
    frame["definition_hash"] = definition_hash(metric)
    frame["interval_method"] = METHODS[metric.interval]
    return frame[PUBLISHED]


def _set_signal(frame: pd.DataFrame, metric: Metric) -> None:
    """Tell signal from noise at the KPI's own cadence, in total; points that cannot be judged are not on the chart."""
    frame["signal"] = ""
    charted = (frame["grain"] == metric.grain) & (frame["dimension"] == "")
    values = frame["value"].where(frame["status"] == "computed")[charted]
    frame.loc[charted, "signal"] = signal_words(values.to_numpy(dtype=float))


PUBLISHED = [
    "kpi_id", "owner", "grain", "period_start", "period_end", "dimension", "dimension_value", "value", "unit",
    "numerator", "denominator", "n", "interval_low", "interval_high", "interval_method", "status", "verdict", "signal",
    "definition_hash", "reason",
]  # fmt: skip


def _no_source(con: duckdb.DuckDBPyConnection, metric: Metric, end: date) -> pd.DataFrame:
    """One row that says there is nothing to compute from, and why."""
    import pandas as pd

    row: dict[str, object] = {
        "grain": "28d", "period_start": pd.Timestamp(end - timedelta(days=28)), "period_end": pd.Timestamp(end),
        "dimension": "", "dimension_value": "",
    }  # fmt: skip
    frame = pd.DataFrame([row | dict.fromkeys(ROLLED)])
    if isinstance(metric, Formula):
        frame.attrs["no_source"] = f"awaits {metric.awaits}"
        return frame
    table = next(iter(load_facts()[metric.fact].reads))  # the table a fact is about stands first
    ((held,),) = con.execute(f"SELECT count(*) FROM core.{table}").fetchall()
    frame.attrs["no_source"] = (
        f"none of the {held} rows of {table} has what it is computed from" if held else f"no export fills {table}"
    )
    return frame


def _measure(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, metric: Metric, end: date) -> None:
    """Fill value and interval by the kind of the KPI."""
    frame["no_value"] = ""
    if not metric.facts:
        value, low, high = (np.full(len(frame), np.nan) for _ in range(3))
    else:
        value, low, high = kind_of(metric).measure(con, frame, kpi_id, metric, end)
    frame["value"], frame["interval_low"], frame["interval_high"] = value, low, high


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


def _note_short_window(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, metric: Metric) -> None:
    """Say of 28 days that the data do not fill how many of them they do."""
    first = first_day(con, *metric.facts) if metric.facts else None
    if first is None:
        return
    begin = date.fromisoformat(first)
    short = (frame["grain"] == "28d") & (frame["period_start"] < begin) & (frame["value"].notna())
    notes = [f"data begin on {first}: {(end - begin).days} of 28 days" for end in frame.loc[short, "period_end"]]
    frame.loc[short, "reason"] = [
        _joined(old, note) for old, note in zip(frame.loc[short, "reason"], notes, strict=True)
    ]


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _set_status(frame: pd.DataFrame, metric: Metric, end: date) -> None:
    """Say of each value whether it can be judged, and why not."""
    frame["status"], frame["reason"] = "computed", frame["note"]
    n = _floats(frame, "n")
    n = np.where(np.isnan(n), 0, n)
    few = n < metric.min_n
    frame.loc[few, "status"] = "insufficient_data"
    frame.loc[few, "reason"] = [
        _joined(note, f"n = {int(one)}, at least {metric.min_n} needed")
        for note, one in zip(frame.loc[few, "note"], n[few], strict=True)
    ]
    closed = [one + timedelta(days=metric.matures_after_days) for one in frame["period_end"]]
    young = np.array([one > end for one in closed], dtype=bool)
    frame.loc[young, "status"] = "immature"
    frame.loc[young, "reason"] = [
        f"provisional until {one.isoformat()}" for one, is_young in zip(closed, young, strict=True) if is_young
    ]
    _set_unavailable(frame, metric)


def _set_unavailable(frame: pd.DataFrame, metric: Metric) -> None:
    missing = np.isnan(_floats(frame, "value"))
    nothing = (np.nan_to_num(_floats(frame, "n")) == 0) & np.isnan(_floats(frame, "numerator"))
    _withhold(frame, nothing, "no data in this period")
    empty = kind_of(metric).empty if metric.facts else ""
    told = [one or empty for one in frame.loc[missing & ~nothing, "no_value"]]
    _withhold(frame, missing & ~nothing, told)
    if "no_source" in frame.attrs:
        frame["reason"] = frame.attrs["no_source"]
    _set_unknown(frame, metric)


def _withhold(frame: pd.DataFrame, rows: np.ndarray, reason: str | list[str]) -> None:
    frame.loc[rows, ["value", "interval_low", "interval_high"]] = np.nan
    frame.loc[rows, "status"] = "not_available"
    frame.loc[rows, "reason"] = reason


def _set_unknown(frame: pd.DataFrame, metric: Metric) -> None:
    """Rows of unknown value: a sum cannot be told without them; a percentile or median leaves them out and says so."""
    unknown = np.nan_to_num(_floats(frame, "unknown"))
    if metric.unknown:
        hidden = unknown > 0
        frame.loc[hidden, "numerator"] = None
        what = parse_measure(metric.unknown).column.replace("_", " ")
        _withhold(frame, hidden, [f"cannot be told: {int(one)} {what}" for one in unknown[hidden]])
        return
    apart = unknown > 0
    notes = [f"{int(one)} of unknown value left out" for one in unknown[apart]]
    frame.loc[apart, "reason"] = [
        _joined(old, note) for old, note in zip(frame.loc[apart, "reason"], notes, strict=True)
    ]


def _judge(frame: pd.DataFrame, metric: Metric) -> None:
    frame["verdict"] = ""
    if metric.target is None:
        return
    at_least, at_most = metric.target.at_least, metric.target.at_most
    verdicts = verdict(
        _floats(frame, "value"),
        _floats(frame, "interval_low"),
        _floats(frame, "interval_high"),
        at_least=None if at_least is None else float(at_least),
        at_most=None if at_most is None else float(at_most),
        exact=metric.interval == "exact",
    )
    frame["verdict"] = np.where(frame["status"] == "computed", verdicts, "inconclusive")
