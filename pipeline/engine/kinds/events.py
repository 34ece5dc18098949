"""Kinds about when things happen: the busiest minute, and bursts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from pipeline.catalog.expressions import parse_condition
from pipeline.engine.kinds.base import (
    FIRST_DAY,
    KEYS,
    Kind,
    Leaf,
    Look,
    Measured,
    each_slice,
    floats,
    from_rows,
    in_periods,
    nothing,
    slices,
)
from pipeline.statistics import intervals

if TYPE_CHECKING:
    import pandas as pd


def _that_count(m: Any) -> str:
    return f" AND {parse_condition(m.where)[0]}" if m.where else ""


class PeakKind(Kind):
    """The most rows in one minute."""

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """The peak of each day and slice."""
        rows = f"{from_rows(m.fact)}{_that_count(m)}"

        def peaks(keys: str, told: str) -> str:
            inner = f"SELECT {keys}, count(*) AS c FROM {rows} GROUP BY {keys}, date_trunc('minute', {m.at})"
            return f"SELECT {told}, max(c) AS peak FROM ({inner}) AS x GROUP BY {keys}"

        yield Leaf(f"peaks_{kpi_id}", m.fact, each_slice(m.dimensions, peaks))

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """The highest of the days; n counts all rows seen."""
        seen = f"SELECT {KEYS}, CAST(rows AS BIGINT) AS n FROM summed"
        peak = f"SELECT {KEYS}, max(peak) AS peak FROM {in_periods(f'states.peaks_{kpi_id}')} GROUP BY {KEYS}"
        return f"SELECT {KEYS}, n, coalesce(peak, 0) AS numerator FROM ({seen}) LEFT JOIN ({peak}) USING ({KEYS})"

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """A count needs no interval."""
        return floats(frame, "numerator"), nothing(frame), nothing(frame)

    def rows_sql(self, m: Any, look: Look) -> str:
        """Minutes counted from the rows."""
        counts = f"SELECT count(*) AS c {look.source(m.fact)}{_that_count(m)} GROUP BY date_trunc('minute', {m.at})"
        return f"SELECT max(c) AS value, sum(c) AS rows FROM ({counts})"


class EpisodesKind(Kind):
    """Bursts, each counted on the day it begins."""

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """When something was seen; how often in that instant does not matter."""
        apart = m.along or "''"
        keys = ", ".join(dict.fromkeys(["day", *m.dimensions, *([m.along] if m.along else []), m.at]))
        columns = ", ".join(["day", *m.dimensions, f"{apart} AS apart", f"{m.at} AS instant"])
        yield Leaf(
            f"instants_{kpi_id}", m.fact, f"SELECT {columns} FROM {from_rows(m.fact)}{_that_count(m)} GROUP BY {keys}"
        )

    def reach_days(self, m: Any) -> int:
        """An instant that joins a burst ends what began after it."""
        return int(-(-m.gap_minutes // 1440))

    def begun(self, m: Any, source: str) -> str:
        """SQL of one row per slice and instant, with 1 where an episode begins."""
        columns, groups = slices(m.dimensions, keys="day, apart, instant")
        before = "lag(instant) OVER (PARTITION BY dimension, dimension_value, apart ORDER BY instant)"
        gap = f"epoch_us(instant) - epoch_us({before}) > {m.gap_minutes * 60_000_000}"
        return (
            f"SELECT day, dimension, dimension_value, CASE WHEN {before} IS NULL OR {gap} THEN 1 ELSE 0 END AS begun "
            f"FROM (SELECT day, {columns}, apart, instant FROM {source} GROUP BY {groups})"
        )

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Episodes begun in the period; n counts all rows seen, so none seen is told from nothing looked at."""
        seen = f"SELECT {KEYS}, CAST(rows AS BIGINT) AS n FROM summed"
        recent = f"(FROM states.instants_{kpi_id} WHERE day >= {FIRST_DAY} - {self.reach_days(m)})"
        begun = f"({self.begun(m, recent)})"
        count = f"SELECT {KEYS}, sum(begun) AS begun FROM {in_periods(begun)} GROUP BY {KEYS}"
        return f"SELECT {KEYS}, n, coalesce(begun, 0) AS numerator FROM ({seen}) LEFT JOIN ({count}) USING ({KEYS})"

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The count with its exact Poisson interval."""
        value = floats(frame, "numerator")
        low, high = intervals.poisson_exact(value, np.ones(len(frame)))
        return value, low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """Gaps between neighbours, among all rows up to the end of the period."""
        apart = m.along or "''"
        before = f"lag({m.at}) OVER (PARTITION BY {apart} ORDER BY {m.at})"
        gap = f"{m.at} - {before} > INTERVAL {m.gap_minutes} MINUTE"
        inner = (
            f"SELECT day, CASE WHEN {before} IS NULL OR {gap} THEN 1 ELSE 0 END AS begun "
            f"{look.history(m.fact)}{_that_count(m)}"
        )
        return f"SELECT coalesce(sum(begun), 0) AS value FROM ({inner}) WHERE day >= DATE '{look.start}'"
