"""Kinds that count different members: distinct shares, differences of groups, and members who come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from pipeline.catalog.expressions import Measure, parse_condition, parse_measure
from pipeline.engine.kinds.base import (
    KEYS,
    Kind,
    Leaf,
    Look,
    Measured,
    column_of,
    floats,
    from_rows,
    in_periods,
    literal,
    nothing,
    quotient,
    slices,
)
from pipeline.engine.kinds.sums import RatioKind
from pipeline.engine.sets import count_sets, set_sql
from pipeline.engine.windows import Span, Whole, Windows, by_slice, numbered_from_zero, register, rolled_frame, span_of
from pipeline.statistics import intervals
from pipeline.statistics.experiments import SRM_STOP, relative_uplift, sample_ratio_p
from pipeline.statistics.surveys import nps_difference

if TYPE_CHECKING:
    import pandas as pd

_PERIOD = "grain, period_start, period_end"


def _keys(m: Any, *more: str) -> str:
    return ", ".join(["day", *m.dimensions, *more])


class DistinctKind(RatioKind):
    """A share of different members: sets of them are kept, so no one counts twice in a period."""

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Members are not added up."""
        return Kind.measures(self, m, fact)

    def sets(self, m: Any) -> dict[str, Measure]:
        """Who counts above the line, and who below."""
        return {"numerator": parse_measure(m.numerator), "denominator": parse_measure(m.denominator)}

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Each member once."""
        frame = con.execute(periods).df()
        return register(con, rolled_frame(self._counted(con, m, frame), frame))

    def _counted(
        self, con: duckdb.DuckDBPyConnection, m: Any, periods: pd.DataFrame
    ) -> Iterator[tuple[str, str, dict[str, Whole]]]:
        columns = {name: column_of(set_sql(one)) for name, one in self.sets(m).items()}
        for dimension, value, counts in count_sets(con, f"states.sets_{m.fact}", columns, m.dimensions, periods):
            yield dimension, value, counts | {"n": counts.get("denominator", counts["numerator"])}


class DistinctTotalKind(DistinctKind):
    """How many different members there were."""

    def sets(self, m: Any) -> dict[str, Measure]:
        """Who counts."""
        return {"numerator": parse_measure(m.total)}

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """A census has no interval."""
        return floats(frame, "numerator"), nothing(frame), nothing(frame)

    def rows_sql(self, m: Any, look: Look) -> str:
        """Counted once more over the rows."""
        return f"SELECT {parse_measure(m.total).sql()} AS value, count(*) AS n {look.source(m.fact)}"


class DifferenceKind(Kind):
    """Share of one arm minus that of another, the first answer of each member."""

    empty = "one of the two groups has no answers"

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """The first value of each member on a day, and when it was."""
        columns = ", ".join(["day", *m.dimensions, f"{m.arm} AS arm", f"{m.first_per} AS member"])
        yield Leaf(
            f"members_{kpi_id}",
            m.fact,
            f"SELECT {columns}, min(first_order) AS first_order, min_by({m.value}, first_order) AS first_value "
            f"FROM {from_rows(m.fact)} GROUP BY {_keys(m, m.arm, m.first_per)}",
        )

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """First values summed by arm; a member belongs to the slice of that value, so that slices add up."""
        columns, groups = slices(m.dimensions, keys=f"{_PERIOD}, arm, member, v")
        held = ", ".join(["v := first_value", *(f"{name} := {name}" for name in m.dimensions)])  # empty ones as well
        first = (
            f"SELECT {_PERIOD}, arm, member, min_by(struct_pack({held}), first_order) AS one "
            f"FROM {in_periods(f'states.members_{kpi_id}')} GROUP BY {_PERIOD}, arm, member"
        )
        members = f"SELECT {_PERIOD}, arm, member, unnest(one) FROM ({first}) AS f"
        inner = f"SELECT {_PERIOD}, arm, {columns}, v FROM ({members}) AS x GROUP BY {groups}"
        arms = ", ".join(
            f"count(*) FILTER (WHERE arm = {literal(arm)}) AS {name}_n, "
            f"coalesce(sum(v) FILTER (WHERE arm = {literal(arm)}), 0) AS {name}_k, "
            f"coalesce(sum(v * v) FILTER (WHERE arm = {literal(arm)}), 0) AS {name}_kk"
            for name, arm in (("treated", m.treated), ("control", m.control))
        )
        return (
            f"SELECT *, CAST(treated_n + control_n AS BIGINT) AS n, treated_k AS numerator, treated_n AS denominator "
            f"FROM (SELECT {KEYS}, {arms} FROM ({inner}) GROUP BY {KEYS})"
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """Points, with Newcombe's interval of shares or the multinomial one of scores 1, 0 and -1."""
        k1, n1, k2, n2 = (floats(frame, name) for name in ("treated_k", "treated_n", "control_k", "control_n"))
        value = 100 * (quotient(k1, n1) - quotient(k2, n2))
        if m.interval == "newcombe":
            low, high = intervals.newcombe_difference(k1, n1, k2, n2)
            return value, 100 * low, 100 * high
        kk1, kk2 = floats(frame, "treated_kk"), floats(frame, "control_kk")
        # of scores 1, 0 and -1 the sum is promoters less detractors, and the sum of squares is both together
        _, low, high = nps_difference((kk1 + k1) / 2, (kk1 - k1) / 2, n1, (kk2 + k2) / 2, (kk2 - k2) / 2, n2)
        return value, low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """First answers by arm, those of the slice among them, then the two shares."""
        held = ", ".join([f"value := {m.value}", *(f"{name} := {name}" for name in m.dimensions)])
        first = (
            f"SELECT arm, unnest(one) FROM (SELECT {m.arm} AS arm, arg_min(struct_pack({held}), first_order) AS one "
            f"{replace(look, only='').source(m.fact)} GROUP BY {m.arm}, {m.first_per}) AS f"
        )
        only = f" WHERE {look.only}" if look.only else ""
        arms = ", ".join(
            f"sum(value) FILTER (WHERE arm = {literal(arm)}) AS {name}_k, "
            f"count(*) FILTER (WHERE arm = {literal(arm)}) AS {name}_n"
            for name, arm in (("treated", m.treated), ("control", m.control))
        )
        share = "100.0 * (treated_k / treated_n - control_k / control_n)"
        return f"SELECT *, {share} AS value FROM (SELECT {arms} FROM ({first}) AS x{only})"


class RecurrenceKind(Kind):
    """Share of members seen with enough different values; weeks are counted from the first day of the period."""

    empty = "no member was seen"

    def periods(self, m: Any) -> str:
        """Weeks are counted over four of them or more."""
        return "grain NOT IN ('day', 'week')" if m.per == "week" else "TRUE"

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Which member was seen with which value on which day."""
        seen = f" AND {parse_condition(m.where)[0]}" if m.where else ""
        one = [] if m.per == "week" else [m.per]
        keys = ", ".join(dict.fromkeys(["day", *m.dimensions, m.member, *one]))
        columns = ", ".join(["day", *m.dimensions, f"{m.member} AS member", *(f"{name} AS one" for name in one)])
        yield Leaf(f"seen_{kpi_id}", m.fact, f"SELECT {columns} FROM {from_rows(m.fact)}{seen} GROUP BY {keys}")

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Members by how many different values they were seen with."""
        return register(con, self._counts(con, f"states.seen_{kpi_id}", m, con.execute(periods).df()))

    def _counts(self, con: duckdb.DuckDBPyConnection, state: str, m: Any, periods: pd.DataFrame) -> pd.DataFrame:
        span = span_of(con, state, periods)
        if span is None:
            return rolled_frame(iter(()), periods)
        one = ", CASE WHEN one IS NULL THEN -1 ELSE CAST(hash(one) // 2 AS BIGINT) END AS one"
        columns = "no_member AS row" + ("" if m.per == "week" else one)
        windows = span.windows(periods)
        times = _weeks_seen(periods, span) if m.per == "week" else partial(_values_seen, windows)

        def parts() -> Iterator[tuple[str, str, dict[str, Any]]]:
            for dimension, value, held in by_slice(con, state, m.dimensions, span=span, columns=columns):
                seen = times(held)
                n, k = (seen > 0).sum(axis=0), (seen >= m.at_least).sum(axis=0)
                yield dimension, value, {"numerator": k, "denominator": n, "n": n}

        return rolled_frame(parts(), periods)

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The share of those who came back."""
        above, below = floats(frame, "numerator"), floats(frame, "denominator")
        low, high = intervals.wilson(above, below) if m.interval == "wilson" else (nothing(frame), nothing(frame))
        return quotient(above, below), low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """Counted member by member."""
        one = f"(day - DATE '{look.start}') // 7" if m.per == "week" else m.per
        seen = f" AND {parse_condition(m.where)[0]}" if m.where else ""
        times = f"SELECT count(DISTINCT {one}) AS times {look.source(m.fact)}{seen} GROUP BY {m.member}"
        return (
            f"SELECT count(*) FILTER (WHERE times >= {m.at_least}) AS numerator, count(*) AS denominator, "
            f"avg(CASE WHEN times >= {m.at_least} THEN 1.0 ELSE 0.0 END) AS value FROM ({times})"
        )


def _values_seen(windows: Windows, held: dict[str, Any]) -> Any:
    """How many different values each member was seen with in each window, shape (members, windows).

    A member seen with none at all (`one` is -1) counts as seen once.
    """
    member = numbered_from_zero(held["row"])
    named = held["one"] >= 0
    _, one = np.unique(held["one"][named], return_inverse=True)
    width = one.max(initial=0) + 1
    pairs, pair = np.unique(member[named] * width + one, return_inverse=True)
    members = int(member.max(initial=-1)) + 1
    times = np.zeros((members, len(windows.starts)), dtype=np.int64)
    if pairs.size:
        np.add.at(times, pairs // width, windows.seen(pair, held["day"][named], len(pairs)))
    return np.maximum(times, windows.seen(member, held["day"], members))


def _weeks_seen(periods: pd.DataFrame, span: Span) -> Callable[[dict[str, Any]], Any]:
    """A function that counts the seven-day steps of each period in which each member was seen."""
    starts, ends = (periods[name].to_numpy().astype("datetime64[D]") for name in ("period_start", "period_end"))
    weeks = -(-(ends - starts).astype(np.int64) // 7)
    steps = np.arange(int(weeks.sum())) - np.repeat(np.cumsum(weeks) - weeks, weeks)
    begin = np.repeat(starts, weeks) + 7 * steps
    end = np.minimum(begin + 7, np.repeat(ends, weeks))
    first, last = (np.clip((one - span.first).astype(np.int64), 0, span.days) for one in (begin, end))
    windows = Windows(first, last, span.days)
    edges = np.cumsum(weeks) - weeks

    def times(held: dict[str, Any]) -> Any:
        member = numbered_from_zero(held["row"])
        seen = windows.seen(member, held["day"], int(member.max(initial=-1)) + 1)
        return np.add.reduceat(seen.astype(np.int64), edges, axis=1) if edges.size else seen

    return times


class PairedDifferenceKind(Kind):
    """Share of rows with one thing minus share of the same rows with another."""

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """The four cells of the table of both."""
        both = f"CASE WHEN {m.first} = 1 AND {m.second} = 1 THEN 1 ELSE 0 END"
        return super().measures(m, fact) | {
            "treated_k": f"sum({m.first})",
            "control_k": f"sum({m.second})",
            "treated_kk": f"sum({both})",
        }

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Sums over the days of the period."""
        return (
            f"SELECT {KEYS}, treated_k, control_k, treated_kk, treated_k - control_k AS numerator, "
            "rows AS denominator, CAST(rows AS BIGINT) AS n FROM summed"
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """Points, with Newcombe's interval for pairs."""
        first, second, both, rows = (floats(frame, name) for name in ("treated_k", "control_k", "treated_kk", "n"))
        low, high = intervals.newcombe_paired(both, first - both, second - both, rows - first - second + both)
        return 100 * quotient(first - second, rows), 100 * low, 100 * high

    def rows_sql(self, m: Any, look: Look) -> str:
        """Two averages over the same rows."""
        return (
            f"SELECT sum({m.first}) AS first, sum({m.second}) AS second, count(*) AS n, "
            f"100.0 * (avg({m.first}) - avg({m.second})) AS value {look.source(m.fact)}"
        )


class UpliftKind(Kind):
    """Relative difference of means between the arms of an experiment; experiments are never pooled."""

    empty = "an arm of the experiment is empty, or the control earned nothing"

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Nothing is added over experiments."""
        return {"rows": "count(*)"}

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Units, sum and sum of squares by experiment and arm."""
        keys = _keys(m, m.experiment, m.arm)
        columns = ", ".join(["day", *m.dimensions, f"{m.experiment} AS pool", f"{m.arm} AS arm"])
        value = f"CAST(coalesce({m.value}, 0) AS DECIMAL(18, 6))"
        yield Leaf(
            f"arms_{kpi_id}",
            m.fact,
            f"SELECT {columns}, max({m.share}) AS share, count(*) AS units, sum({value}) AS k, "
            f"sum({value} * {value}) AS kk FROM {from_rows(m.fact)} GROUP BY {keys}",
        )

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Both arms of what ended in the period, and how many experiments that is."""
        columns, groups = slices(m.dimensions, keys=_PERIOD)
        arms = ", ".join(
            f"coalesce(sum({column}) FILTER (WHERE arm = {literal(arm)}), 0) AS {name}_{what}"
            for name, arm in (("treated", m.treated), ("control", m.control))
            for what, column in (("n", "units"), ("k", "k"), ("kk", "kk"))
        )
        return (
            f"SELECT *, CAST(treated_n + control_n AS BIGINT) AS n, treated_k AS numerator, treated_n AS denominator "
            f"FROM (SELECT {_PERIOD}, {columns}, max(share) AS share, count(DISTINCT pool) AS pools, {arms} "
            f"FROM {in_periods(f'states.arms_{kpi_id}')} GROUP BY {groups})"
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The relative difference by the delta method; none when the arms are not as they were drawn."""
        names = ("treated_n", "treated_k", "treated_kk", "control_n", "control_k", "control_kk")
        n1, k1, kk1, n2, k2, kk2 = (floats(frame, name) for name in names)
        value, low, high = relative_uplift(n1, k1, kk1, n2, k2, kk2)
        pools, uneven = floats(frame, "pools"), self.uneven(frame, n1, n2)
        bad = (pools > 1) | uneven
        frame["no_value"] = [_why(one, is_uneven) for one, is_uneven in zip(pools, uneven, strict=True)]
        return tuple(np.where(bad, np.nan, one) for one in (value, low, high))  # type: ignore[return-value]

    def uneven(self, frame: pd.DataFrame, treated: Any, control: Any) -> Any:
        """Rows whose arms cannot have been drawn with the declared share (chi-square, p < 0.001)."""
        p = sample_ratio_p(treated, control, floats(frame, "share"))
        return np.nan_to_num(p, nan=1.0) < SRM_STOP

    def rows_sql(self, m: Any, look: Look) -> str:
        """Mean of each arm over the rows."""
        mean = "avg(coalesce({value}, 0)) FILTER (WHERE {arm} = {name})"
        one, other = (mean.format(value=m.value, arm=m.arm, name=literal(name)) for name in (m.treated, m.control))
        both = f"{one} AS treated, {other} AS control, {one} / {other} - 1 AS value"
        return f"SELECT {both}, count(*) AS n {look.source(m.fact)}"


def _why(pools: float, is_uneven: bool) -> str:
    if pools > 1:
        return f"{int(pools)} experiments ended; they are not pooled"
    return "sample-ratio mismatch: the arms are not as they were drawn (p < 0.001)" if is_uneven else ""
