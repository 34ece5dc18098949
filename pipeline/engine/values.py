"""From roll-ups to values: the number, its interval, whether it can be judged, the verdict and the signal."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from pipeline.catalog.expressions import parse_measure
from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.model import Catalog, Difference, Metric, Percentile, SurvivalMedian, Total
from pipeline.engine.leaves import is_clustered
from pipeline.engine.rollup import COLUMNS, first_day
from pipeline.engine.suppression import suppress
from pipeline.facts import load_facts
from pipeline.statistics import intervals
from pipeline.statistics.histogram import Histograms
from pipeline.statistics.process_behaviour import signal_words
from pipeline.statistics.survival import kaplan_meier_median
from pipeline.statistics.verdict import verdict

if TYPE_CHECKING:
    import pandas as pd

KEYS = ["grain", "period_start", "period_end", "dimension", "dimension_value"]
METHODS = {
    "exact": "exact",
    "wilson": "Wilson",
    "clustered": "clustered",
    "order_statistics": "order statistics",
    "greenwood": "Greenwood (log-log)",
    "newcombe": "Newcombe",
}


_ROLLED = f"""SELECT * REPLACE (numerator::VARCHAR AS numerator, denominator::VARCHAR AS denominator)
             FROM rolled WHERE kpi_id = ? ORDER BY {", ".join(KEYS)}"""  # text: a frame makes doubles of decimals
_BESIDE = f"""SELECT place, {{columns}}, events FROM {{table}} JOIN
              (SELECT *, row_number() OVER (ORDER BY {", ".join(KEYS)}) - 1 AS place FROM rolled WHERE kpi_id = $kpi)
              USING ({", ".join(KEYS)}) WHERE {{table}}.kpi_id = $kpi ORDER BY ALL"""


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
    frame = pd.DataFrame([row | dict.fromkeys(COLUMNS)])
    table = next(iter(load_facts()[metric.fact].reads))  # the table a fact is about stands first
    ((held,),) = con.execute(f"SELECT count(*) FROM core.{table}").fetchall()
    frame.attrs["no_source"] = (
        f"none of the {held} rows of {table} has what it is computed from" if held else f"no export fills {table}"
    )
    return frame


def _measure(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, metric: Metric, end: date) -> None:
    """Fill value and interval by the kind of the KPI."""
    if isinstance(metric, SurvivalMedian):
        value, low, high = _survival(con, frame, kpi_id, end)
    elif isinstance(metric, Percentile):
        value, low, high = _percentile(con, frame, kpi_id, metric)
    elif isinstance(metric, Difference):
        value, low, high = _points(frame)
    else:
        value, low, high = _quotient(frame, metric)
    frame["value"], frame["interval_low"], frame["interval_high"] = value, low, high


def _floats(frame: pd.DataFrame, name: str) -> np.ndarray:
    import pandas as pd

    return np.asarray(pd.to_numeric(frame[name]), dtype=float)


def _quotient(frame: pd.DataFrame, metric: Metric) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numerator = _floats(frame, "numerator")
    nothing = np.full(len(frame), np.nan)
    if isinstance(metric, Total):
        value = numerator
    else:
        denominator = _floats(frame, "denominator")
        value = np.divide(numerator, denominator, out=nothing.copy(), where=denominator > 0)
    if is_clustered(metric):
        low, high = _clustered(frame, metric)
    elif metric.interval == "wilson":
        low, high = intervals.wilson(numerator, _floats(frame, "denominator"))
    else:
        low, high = nothing, nothing
    return value, low, high


def _clustered(frame: pd.DataFrame, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    sums = [_floats(frame, name) for name in ("clusters", "sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy")]
    if isinstance(metric, Total):
        return intervals.clustered_total(sums[0], sums[1], sums[3])
    clusters, x, y, xx, xy, yy = sums
    if metric.unit == "ratio":
        return intervals.clustered_share(clusters, x, y, xx, xy, yy)
    return intervals.clustered_ratio(clusters, x, y, xx, xy, yy, floor=0.0)


def _points(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k1, n1, k2, n2 = (_floats(frame, name) for name in ("treated_k", "treated_n", "control_k", "control_n"))
    low, high = intervals.newcombe_difference(k1, n1, k2, n2)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where((n1 > 0) & (n2 > 0), 100 * (k1 / n1 - k2 / n2), np.nan)
    return value, 100 * low, 100 * high


def _percentile(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, metric: Percentile
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    held = con.execute(_BESIDE.format(columns="bucket", table="rolled_buckets"), {"kpi": kpi_id}).fetchnumpy()
    periods = Histograms.of(held["place"], held["bucket"], held["events"], len(frame))
    return periods.quantile(metric.percentile), *periods.quantile_interval(metric.percentile)


def _survival(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, end: date
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is still open at the end of the data is censored there."""
    columns = "epoch_us(start_at) AS started, epoch_us(end_at) AS ended"
    held = con.execute(_BESIDE.format(columns=columns, table="rolled_spans"), {"kpi": kpi_id}).df()
    horizon = int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()) * 1_000_000
    held["hours"] = (held["ended"].fillna(horizon) - held["started"]).astype(float) / 3.6e9
    found, ended = np.full((3, len(frame)), np.nan), np.full(len(frame), np.nan)
    for place, group in held.groupby("place"):
        times = group["events"].to_numpy()
        is_ended = np.repeat(group["ended"].notna().to_numpy(), times)
        result = kaplan_meier_median(np.repeat(group["hours"].to_numpy(), times), is_ended)
        found[:, place], ended[place] = (result.median, result.low, result.high), result.events
    frame["numerator"], frame["denominator"] = ended, frame["n"]
    return found[0], found[1], found[2]


def _note_short_window(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, metric: Metric) -> None:
    """Say of 28 days that the data do not fill how many of them they do."""
    first = first_day(con, metric.fact)
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
    frame["status"], frame["reason"] = "computed", ""
    n = _floats(frame, "n")
    n = np.where(np.isnan(n), 0, n)
    few = n < metric.min_n
    frame.loc[few, "status"] = "insufficient_data"
    frame.loc[few, "reason"] = [f"n = {int(one)}, at least {metric.min_n} needed" for one in n[few]]
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
    _withhold(frame, missing & ~nothing, _EMPTY_HANDED.get(type(metric), "zero denominator"))
    if "no_source" in frame.attrs:
        frame["reason"] = frame.attrs["no_source"]
    _set_unknown(frame, metric)


_EMPTY_HANDED: dict[type, str] = {
    SurvivalMedian: "fewer than half recovered yet",
    Difference: "one of the two groups has no answers",
}


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
