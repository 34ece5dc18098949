"""Kinds made of sums and counts: ratio, snapshot, total, mean, and a ratio of two facts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from pipeline.engine.kinds.base import (
    KEYS,
    SUMMED,
    Floats,
    Kind,
    Leaf,
    Look,
    Measured,
    each_slice,
    expression,
    floats,
    from_rows,
    in_periods,
    nothing,
    quotient,
    squarable,
    two_scales,
)
from pipeline.engine.windows import Whole, Windows, by_slice, register, rolled_frame, span_of
from pipeline.statistics import intervals

if TYPE_CHECKING:
    import pandas as pd

_SIDES = ("numerator", "denominator")
_OF_SHARES = ("wilson", "clopper_pearson")
"""Methods around successes of trials."""
_SIMPLE, _SQUARES = ("x", "y"), {"xx": "{0}x * {0}x", "xy": "{0}x * {0}y", "yy": "{0}y * {0}y"}
_PRODUCTS = (*_SIMPLE, *_SQUARES)
WITHIN_A_DAY = ("session_key",)
"""Cluster columns of which a value has rows on one day only, that of its beginning; people come back on other days."""


_SUMMED = ", ".join(
    [f"sum({name}) + sum(big_{name}) AS sum_{name}" for name in _SIMPLE]
    + [f"sum({text.format('')}) AS sum_{name}" for name, text in _SQUARES.items()]
    + [f"sum({text.format('big_')}) AS big_{name}" for name, text in _SQUARES.items()]
)
"""SQL of the sums and sums of products of `two_scales`."""


def _both_scales(fine: str, coarse: str) -> str:
    return f"CAST(sum({fine}) AS DOUBLE) + CAST(sum({coarse}) AS DOUBLE)"


MOMENTS = ", ".join(
    [f"sum({name}) AS {name}" for name in ("clusters", "sum_x", "sum_y")]
    + [f"{_both_scales(f'sum_{name}', f'big_{name}')} AS sum_{name}" for name in _SQUARES]
)


class Sums(Kind):
    """A numerator and perhaps a denominator that add up over days; the interval may come from clusters."""

    def pair(self, m: Any) -> tuple[str, str]:
        """Aggregate SQL above and below the line."""
        return expression(m.numerator), expression(m.denominator)

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Numerator, denominator and what is unknown."""
        above, below = self.pair(m)
        return {"numerator": above, "denominator": below} | super().measures(m, fact)

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Sums over clusters, per day and slice; of clusters that last longer than a day, the sums of each."""
        if m.interval != "clustered":
            return
        above, below = self.pair(m)
        if m.cluster not in WITHIN_A_DAY:
            above, below = squarable(above, SUMMED), squarable(below, SUMMED)
            keys = ", ".join(["day", *m.dimensions])
            pairs = f"SELECT {keys}, {m.cluster} AS member, {above} AS x, {below} AS y FROM {from_rows(m.fact)}"
            yield Leaf(f"pairs_{kpi_id}", m.fact, f"{pairs} GROUP BY {keys}, {m.cluster}")
            return

        def moments(keys: str, told: str) -> str:
            sums = two_scales(above, below)
            inner = f"SELECT {keys}, {sums} FROM {from_rows(m.fact)} GROUP BY {keys}, {m.cluster}"
            return f"SELECT {told}, count(*) AS clusters, {_SUMMED} FROM ({inner}) AS x GROUP BY {keys}"

        yield Leaf(f"moments_{kpi_id}", m.fact, each_slice(m.dimensions, moments))

    def sums(self, m: Any) -> str:
        """What is rolled up."""
        return "numerator, denominator, CAST(denominator AS BIGINT) AS n"

    def source(self, m: Any) -> str:
        """Where the sums of a period are."""
        return "summed"

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Sums over the days of the period."""
        unknown = ", unknown" if "unknown" in self.measures(m, m.fact) else ""
        query = f"SELECT {KEYS}, {self.sums(m)}{unknown} FROM {self.source(m)}"
        if m.interval != "clustered":
            return query
        inner = f"SELECT {KEYS}, {MOMENTS} FROM {in_periods(f'states.moments_{kpi_id}')} GROUP BY {KEYS}"
        if m.cluster not in WITHIN_A_DAY:
            inner = register(con, _moments(con, f"states.pairs_{kpi_id}", m, con.execute(periods).df()))
        return f"SELECT * FROM ({query}) LEFT JOIN ({inner}) USING ({KEYS})"


def _moments(con: duckdb.DuckDBPyConnection, state: str, m: Any, periods: pd.DataFrame) -> pd.DataFrame:
    """Moments of clusters that lie on several days: each is added up over the period before it is squared."""
    span = span_of(con, state, periods)
    if span is None:
        return rolled_frame(iter(()), periods)[KEYS.split(", ")].assign(**dict.fromkeys(_MOMENTS, 0))
    windows = span.windows(periods)
    columns = ", ".join(["no_member AS row", *(_in_64_bits(con, state, name, span.condition) for name in "xy")])

    def parts() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for dimension, value, held in by_slice(con, state, m.dimensions, span=span, columns=columns):
            found = {name: np.zeros(len(windows.starts)) for name in ("n", *_MOMENTS)}
            read = [name for name in held if name != "row" and not name.startswith("no_")]
            for part, row in windows.blocks(held["row"]):
                _add_moments(found, windows, row, {name: held[name][part] for name in read})
            found["n"] = found["clusters"]
            yield dimension, value, found

    return rolled_frame(parts(), periods).drop(columns="n")


def _in_64_bits(con: duckdb.DuckDBPyConnection, state: str, name: str, condition: str) -> str:
    """SQL of a `SUMMED` as billionths; where some would not fit, as whole ones and the billionths of the rest.

    Below a million a double holds billionths exactly.
    """
    most = f"SELECT coalesce(max(abs({name})), 0)::DOUBLE FROM {state} WHERE {condition}"
    if con.execute(most).fetchall()[0][0] < _MOST_BILLIONTHS:
        whole = f"CAST(CAST({name} AS DECIMAL(38, 9)) * 1000000000 AS BIGINT)"
        small = f"CAST(round(CAST({name} AS DOUBLE) * 1e9) AS BIGINT)"
        return f"CASE WHEN abs({name}) < 1000000 THEN {small} ELSE {whole} END AS {name}"
    rest = f"CAST(({name} - floor({name})) * 1000000000 AS BIGINT)"
    return f"CAST(floor({name}) AS BIGINT) AS whole_{name}, {rest} AS rest_{name}"


_MOST_BILLIONTHS = 9e9
"""Fewer than this have billionths that fit into 64 bits."""


def _running(windows: Windows, row: Any, held: dict[str, Any], name: str) -> list[Whole]:
    """An amount up to each day by member: billionths, or whole ones and the billionths of the rest."""
    fits = name in held and np.abs(held[name]).sum(dtype=float) < _MOST_BILLIONTHS * 1e9
    if fits:
        parts = (held[name],)
    else:
        parts = np.divmod(held[name], 10**9) if name in held else (held[f"whole_{name}"], held[f"rest_{name}"])
    return [windows.running(row, held["day"], part, int(row.max()) + 1) for part in parts]


def _totals(parts: list[Whole]) -> Floats:
    """Totals by member and window of `_running` parts; each is told in the same way whatever else is told with it."""
    if len(parts) == 1:
        return np.asarray(parts[0] / 1e9)
    whole, rest = parts
    large = whole + rest / 1e9
    return np.where(np.abs(large) < _MOST_BILLIONTHS, (whole * 10**9 + rest) / 1e9, large)


_MOMENTS = ("clusters", *(f"sum_{name}" for name in _PRODUCTS))


def _add_moments(found: dict[str, Any], windows: Windows, row: Any, held: dict[str, Any]) -> None:
    """Add the moments of some clusters, in blocks of rows that fit into fast memory; sums are in order of the rows."""
    running = [_running(windows, row, held, name) for name in "xy"]
    for begin in range(0, int(row.max()) + 1, _ROWS_AT_ONCE):
        block = slice(begin, begin + _ROWS_AT_ONCE)
        x, y = (_totals([windows.totals(part[block]) for part in parts]) for parts in running)
        found["clusters"] += ((x != 0) | (y != 0)).sum(axis=0)
        for name, amounts in (("xx", x * x), ("xy", x * y), ("yy", y * y), ("x", x), ("y", y)):
            amounts[0] += found[f"sum_{name}"]
            found[f"sum_{name}"] = amounts.sum(axis=0)


_ROWS_AT_ONCE = 256


class RatioKind(Sums):
    """Numerator over denominator."""

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The quotient and an interval of the declared method; more successes than trials are no share of them."""
        above, below = floats(frame, "numerator"), floats(frame, "denominator")
        low, high = self.interval(frame, m, above, below)
        value, per = quotient(above, below), getattr(m, "per", 1)
        if m.interval in _OF_SHARES:
            is_none = (above > below) & (below > 0)
            frame.loc[is_none, "no_value"] = "more in the numerator than in the denominator, which is no share"
            value = np.where(is_none, np.nan, value)
        return per * value, per * low, per * high

    def interval(self, frame: pd.DataFrame, m: Any, above: Floats, below: Floats) -> tuple[Floats, Floats]:
        """The interval of numerator over denominator."""
        if m.interval == "clustered":
            return clustered(frame, is_share=m.unit == "ratio" or m.unit.startswith("per_1k"))
        methods = {
            "wilson": intervals.wilson,
            "clopper_pearson": intervals.clopper_pearson,
            "poisson": intervals.poisson_exact,
        }
        return methods[m.interval](above, below) if m.interval in methods else (nothing(frame), nothing(frame))

    def rows_sql(self, m: Any, look: Look) -> str:
        """Both sides counted in one pass over the rows."""
        above, below = self.pair(m)
        value = f"{m.per} * CAST({above} AS DOUBLE) / nullif({below}, 0) AS value"
        if m.worst_of is None or look.only:
            return f"SELECT {above} AS numerator, {below} AS denominator, {value} {look.source(m.fact)}"
        worst = f"ORDER BY value {'ASC' if m.direction == 'up' else 'DESC'} NULLS LAST, {m.worst_of} LIMIT 1"
        return (
            f"SELECT {m.worst_of}, {above} AS numerator, {below} AS denominator, {value} {look.source(m.fact)} "
            f"GROUP BY {m.worst_of} {worst}"
        )


def clustered(frame: pd.DataFrame, *, is_share: bool) -> tuple[Floats, Floats]:
    """Interval of sum x / sum y from the moments of clusters; what is above 1 is no share, whatever its unit."""
    sums = [floats(frame, name) for name in ("clusters", "sum_x", "sum_y", "sum_xx", "sum_xy", "sum_yy")]
    clusters, x, y, xx, xy, yy = sums
    ratios = intervals.clustered_ratio(clusters, x, y, xx, xy, yy, floor=0.0)
    if not is_share:
        return ratios
    shares = intervals.clustered_share(clusters, x, y, xx, xy, yy)
    low, high = (np.where(x > y, ratio, share) for ratio, share in zip(ratios, shares, strict=True))
    return low, high


class SnapshotKind(RatioKind):
    """A ratio on the last day of the period that has data."""

    looks_at_days = True

    def source(self, m: Any) -> str:
        """The sums of that day alone."""
        last = "SELECT max(d.day) FROM daily AS d WHERE d.dimension = '' AND d.day >= p.period_start"
        days = in_periods("daily", where=f"s.day = ({last} AND d.day < p.period_end)")
        sums = ", ".join(f"sum({name}) AS {name}" for name in self.measures(m, m.fact))
        return f"(SELECT {KEYS}, {sums} FROM {days} GROUP BY {KEYS})"

    def rows_sql(self, m: Any, look: Look) -> str:
        """Both sides counted on that day."""
        above, below = self.pair(m)
        day = f"day = (SELECT max(day) {look.source(m.fact)})"
        return (
            f"SELECT {above} AS numerator, {below} AS denominator, "
            f"CAST({above} AS DOUBLE) / nullif({below}, 0) AS value {look.source(m.fact)} AND {day}"
        )


class TotalKind(Sums):
    """A sum over the period; n counts its rows."""

    def pair(self, m: Any) -> tuple[str, str]:
        """The sum, and the rows it comes from."""
        return expression(m.total), "count(*)"

    def sums(self, m: Any) -> str:
        """A total has no denominator."""
        return "numerator, CAST(denominator AS BIGINT) AS n"

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The sum itself."""
        value = floats(frame, "numerator")
        low, high = nothing(frame), nothing(frame)
        if m.interval == "clustered":
            low, high = intervals.clustered_total(
                floats(frame, "clusters"), floats(frame, "sum_x"), floats(frame, "sum_xx")
            )
        elif m.interval == "poisson":
            low, high = intervals.poisson_exact(value, np.ones(len(frame)))
        return value, low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """The sum over the rows."""
        return f"SELECT {expression(m.total)} AS value, count(*) AS n {look.source(m.fact)}"


class MeanKind(Sums):
    """The mean of a column; rows without a value are counted apart."""

    def pair(self, m: Any) -> tuple[str, str]:
        """Sum of the column, and how many rows have it."""
        return f"sum({m.value})", f"count({m.value})"

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Rows without a value are unknown ones."""
        return super().measures(m, fact) | {"unknown": f"count(*) - count({m.value})"}

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """Sum over count, with an interval by cluster."""
        low, high = clustered(frame, is_share=False)
        return quotient(floats(frame, "numerator"), floats(frame, "denominator")), low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """The average over the rows."""
        return f"SELECT avg({m.value}) AS value, count({m.value}) AS n {look.source(m.fact)}"


class DerivedKind(Kind):
    """A measure of one fact over a measure of another; each is summed by itself, and they meet in the period."""

    looks_at_days = True

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """The side that belongs to the fact."""
        found = super().measures(m, fact) if fact == m.fact else {}
        if fact == m.fact:
            found["numerator"] = expression(m.numerator)
        if fact == m.over:
            found["denominator"] = expression(m.denominator)
        return found

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Days are the clusters: both sides of a day go together, whatever fact they come from."""
        unknown = "sum(unknown) AS unknown, " if m.unknown else ""
        sums = [f"sum({name}) + sum(big_{name}) AS sum_{name}" for name in _SIMPLE]
        sums += [f"{_both_scales(*map(text.format, ('', 'big_')))} AS sum_{name}" for name, text in _SQUARES.items()]
        days = f"(SELECT *, {two_scales(*_SIDES)} FROM daily)"  # decimals: sums of doubles depend on their order
        return (
            f"SELECT {KEYS}, sum(numerator) AS numerator, coalesce(sum(denominator), 0) AS denominator, {unknown}"
            f"CAST(coalesce(sum(denominator), 0) AS BIGINT) AS n, count(*) AS clusters, {', '.join(sums)} "
            f"FROM {in_periods(days)} GROUP BY {KEYS}"
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The quotient, with Fieller's interval over days."""
        x, y, xx, xy, yy = (floats(frame, f"sum_{name}") for name in _PRODUCTS)
        low, high = intervals.fieller(x, y, xx, xy, yy, floats(frame, "clusters"))
        above = floats(frame, "numerator")
        frame["no_value"] = np.where(np.isnan(above), f"nothing in {m.fact} in this period", "")
        value = quotient(above, floats(frame, "denominator"))
        return value, low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """Each side in a query of its own."""
        above = f"(SELECT {expression(m.numerator)} {look.source(m.fact)})"
        below = f"(SELECT {expression(m.denominator)} {look.source(m.over)})"
        value = f"CAST({above} AS DOUBLE) / nullif({below}, 0)"
        return f"SELECT {above} AS numerator, {below} AS denominator, {value} AS value"
