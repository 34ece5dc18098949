"""Kinds that need the whole distribution: percentiles from histograms, exact medians, medians with open ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.engine.kinds.base import (
    KEYS,
    Kind,
    Leaf,
    Look,
    Measured,
    floats,
    from_rows,
    merged_slices,
    nothing,
    slices,
)
from pipeline.engine.windows import Span, Whole, Windows, running_by_slice, span_of
from pipeline.statistics.histogram import Histograms, bucket_sql, has_bucket_sql
from pipeline.statistics.quantiles import Samples
from pipeline.statistics.survivals import kaplan_meier_medians

if TYPE_CHECKING:
    import pandas as pd

HOURS = {"min": 1 / 60, "h": 1.0, "d": 24.0}
"""Hours in the unit of a duration."""


class Distribution(Kind):
    """A kind whose value is worked out from how often each value occurred on the days of a period."""

    state: ClassVar[str]
    """State table, with day, dimension, dimension_value and events."""
    columns: ClassVar[dict[str, str]]
    """Name -> SQL over the state of what a value is worked out from, besides how often it occurred."""

    def measurable(self, m: Any) -> str:
        """Aggregate SQL of the rows whose value is known."""
        return f"count({m.value})"

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Rows without a value are unknown ones."""
        return super().measures(m, fact) | {"unknown": f"count(*) - {self.measurable(m)}"}

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Rows of known value, and the others."""
        return f"SELECT {KEYS}, CAST(rows - unknown AS BIGINT) AS n, unknown FROM summed"

    def occurred(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str) -> dict[str, NDArray[Any]]:
        """What occurred in the period and slice of each row of the frame: its place, the columns and events."""
        state = f"states.{self.state}_{kpi_id}"
        span = span_of(con, state, frame)
        names = [*self.columns, "events"]
        if span is None:
            return {name: np.zeros(0) for name in ("place", *names)}
        columns = ", ".join(f"{sql} AS {name}" for name, sql in self.columns.items())
        day = f"day - DATE '{span.first}' AS day"
        query = f"SELECT dimension, dimension_value, {day}, {columns}, events FROM {state} WHERE {span.condition}"
        held = con.execute(f"{query} ORDER BY ALL").df()
        wanted = frame.groupby(["dimension", "dimension_value"], sort=True).indices
        parts = [
            _expanded(entries, wanted[key], frame, names, span)
            for key, entries in held.groupby(["dimension", "dimension_value"], sort=True)
            if key in wanted
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in ("place", *names)}


def _expanded(
    entries: pd.DataFrame, places: NDArray[Any], frame: pd.DataFrame, names: list[str], span: Span
) -> dict[str, NDArray[Any]]:
    """Entries of one slice repeated for each period they fall into, with the place of that period in the frame.

    Entries stand in order of days, so those of a period are one run of them.
    """
    chosen = frame.iloc[places]
    windows = span.windows(chosen)
    day = entries["day"].to_numpy()
    begin, end = np.searchsorted(day, windows.starts), np.searchsorted(day, windows.ends)
    length = np.maximum(end - begin, 0)
    offset = np.repeat(np.cumsum(length) - length, length)
    rows = np.repeat(begin, length) + np.arange(int(length.sum())) - offset
    return {"place": np.repeat(places, length)} | {name: entries[name].to_numpy()[rows] for name in names}


class PercentileKind(Distribution):
    """A quantile from log buckets, within one percent."""

    state = "buckets"
    columns: ClassVar[dict[str, str]] = {"bucket": "bucket"}

    def measurable(self, m: Any) -> str:
        """A value that has a bucket."""
        return f"count(CASE WHEN {has_bucket_sql(m.value)} THEN 1 END)"

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Events per bucket."""

        def finest(keys: str) -> str:
            inner = f"SELECT {keys}, {bucket_sql(m.value)} AS bucket FROM {from_rows(m.fact)}"
            counted = f"SELECT {keys}, bucket, count(*) AS events FROM ({inner}) AS x"
            return f"{counted} GROUP BY {keys}, bucket HAVING bucket IS NOT NULL"

        merged = "CAST(sum(events) AS BIGINT) AS events"
        yield Leaf(f"buckets_{kpi_id}", m.fact, merged_slices(m.dimensions, finest, by="bucket", merged=merged))

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The quantile and the interval of order statistics."""
        state = f"states.buckets_{kpi_id}"
        span = span_of(con, state, frame)
        if span is None:
            return nothing(frame), nothing(frame), nothing(frame)
        wanted = frame.groupby(["dimension", "dimension_value"], sort=True).indices
        buckets, slices = running_by_slice(con, state, list(wanted), span=span, by="bucket", amount="events")
        windows = span.windows(frame)
        found = [_counted(*one, buckets, windows) for one in zip(slices, wanted.values(), strict=True)]
        place, bucket, events = (np.concatenate(part) for part in zip(*found, strict=True))
        periods = Histograms.of(place, bucket, events, len(frame))
        low, high = periods.quantile_interval(m.percentile)
        return periods.quantile(m.percentile), low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """The exact quantile of the rows."""
        return (
            f"SELECT quantile_cont({m.value}, {m.percentile}) AS value, count({m.value}) AS n, "
            f"count(*) - count({m.value}) AS unknown {look.source(m.fact)}"
        )


def _counted(running: Whole, places: Whole, buckets: Whole, windows: Windows) -> tuple[Whole, Whole, Whole]:
    """Place, bucket and events of every period of one slice, from running totals by day and bucket."""
    events = running[windows.ends[places]] - running[windows.starts[places]]
    period, at = np.nonzero(events)
    return places[period], buckets[at], events[period, at]


class MedianKind(Distribution):
    """The exact median of known values."""

    state = "values"
    columns: ClassVar[dict[str, str]] = {"value": "value"}

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """How often each value occurred."""
        columns, groups = slices(m.dimensions, keys=f"day, {m.value}")
        yield Leaf(
            f"values_{kpi_id}",
            m.fact,
            f"SELECT day, {columns}, CAST({m.value} AS DECIMAL(18, 6)) AS value, count(*) AS events "
            f"FROM {from_rows(m.fact)} AND {m.value} IS NOT NULL GROUP BY {groups}",
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The middle value and the interval of order statistics."""
        held = self.occurred(con, frame, kpi_id)
        periods = Samples.of(held["place"], held["value"].astype(float), held["events"], len(frame))
        low, high = periods.quantile_interval(0.5)
        return periods.quantile(0.5), low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """The median of the rows."""
        return (
            f"SELECT median({m.value}) AS value, count({m.value}) AS n, count(*) - count({m.value}) AS unknown "
            f"{look.source(m.fact)}"
        )


class SurvivalKind(Distribution):
    """Kaplan-Meier median; what is still open at the end of the data is censored there."""

    state, empty, may_be_open = "spans", "fewer than half have ended yet", True
    columns: ClassVar[dict[str, str]] = {"start_us": "epoch_us(start_at)", "end_us": "epoch_us(end_at)"}

    def known(self, m: Any) -> str:
        """SQL that holds for a row whose duration can be told: begun, and not ended before it began."""
        return f"{m.start} IS NOT NULL AND ({m.end} IS NULL OR {m.end} >= {m.start})"

    def measurable(self, m: Any) -> str:
        """A row that has begun."""
        return f"sum(CASE WHEN {self.known(m)} THEN 1 ELSE 0 END)"

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Start and end of each."""
        columns, groups = slices(m.dimensions, keys=f"day, {m.start}, {m.end}")
        yield Leaf(
            f"spans_{kpi_id}",
            m.fact,
            f"SELECT day, {columns}, {m.start} AS start_at, {m.end} AS end_at, count(*) AS events "
            f"FROM {from_rows(m.fact)} AND {self.known(m)} GROUP BY {groups}",
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The median of each period; the numerator counts those that have ended."""
        held = self.occurred(con, frame, kpi_id)
        horizon = int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp()) * 1_000_000
        ends = held["end_us"].astype(float)
        is_ended = ~np.isnan(ends)
        spans = (np.where(is_ended, ends, horizon) - held["start_us"].astype(float)) / (3.6e9 * HOURS[m.unit])
        places = held["place"].astype(np.int64)
        ended = np.bincount(places, weights=is_ended * held["events"], minlength=len(frame))
        frame["numerator"], frame["denominator"] = np.where(floats(frame, "n") > 0, ended, np.nan), frame["n"]
        return kaplan_meier_medians(places, spans, is_ended, held["events"], len(frame))

    def rows_sql(self, m: Any, look: Look) -> str:
        """The Kaplan-Meier product over the times at which something ended, largest group at risk first."""
        horizon = f"TIMESTAMPTZ '{look.until + timedelta(days=1)} 00:00:00+00'"
        span = f"(epoch_us(coalesce({m.end}, {horizon})) - epoch_us({m.start})) / {3.6e9 * HOURS[m.unit]}"
        return (
            f"WITH spans AS (SELECT {span} AS span, {m.end} IS NOT NULL AS has_ended {look.source(m.fact)} "
            f"AND {self.known(m)}), steps AS (SELECT span, count(*) AS spans, "
            "count(*) FILTER (WHERE has_ended) AS ended, sum(count(*)) OVER (ORDER BY span DESC) AS at_risk "
            "FROM spans GROUP BY span), "
            "curve AS (SELECT *, product(1 - ended / at_risk) OVER (ORDER BY span) AS surviving FROM steps) "
            "SELECT min(span) FILTER (WHERE surviving <= 0.5 + 1e-12) AS value, sum(spans) AS n, sum(ended) AS ended "
            "FROM curve"
        )
