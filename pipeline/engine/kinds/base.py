"""What every kind of KPI has in common: its states per day, its roll-up to periods, its value and its check from rows.

A state query is the only one that reads rows of a fact. It is a plain `SELECT ... GROUP BY day, ...`, so that any
engine can run it, and what it stores merges exactly over days.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.catalog.expressions import Measure, parse_measure

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Measured = tuple[Floats, Floats, Floats]
"""Value and the two ends of its interval, one per row of a frame; NaN where there is none."""

EXACT = "DECIMAL(38, 12)"
SQUARED = "DECIMAL(18, 9)"
"""Two of these multiply without loss into 36 digits."""
COARSE = "DECIMAL(19, 6)"
"""The same for sums of a million and more, such as tokens; of one digit less DuckDB would multiply two in 64 bits."""
SUMMED = "DECIMAL(27, 9)"
"""Sums that are added up over days before they are squared."""
_SMALL = 1_000_000
"""Below it a hundred million squares of `SQUARED` add up to 38 digits."""
FIRST_DAY = "$first_day"
"""Stands for the first day of the periods a roll-up is about: the roll-up of a night reads no state from before it."""
KEYS = "grain, period_start, period_end, dimension, dimension_value"
ROLLED = {
    "numerator": EXACT,
    "denominator": EXACT,
    "n": "BIGINT",
    "unknown": EXACT,
    "clusters": "BIGINT",
    **{f"sum_{name}": "DOUBLE" for name in ("x", "y", "xx", "xy", "yy")},
    **{f"{arm}_{what}": EXACT for arm in ("treated", "control") for what in ("n", "k", "kk")},
    "share": EXACT,
    "pools": "BIGINT",
}
"""Columns of a rolled-up period; a kind fills those it has a use for."""


@dataclass(frozen=True)
class Leaf:
    """One state table: its name, the fact it is built from, and the query that fills it for the days in `dirty`."""

    table: str
    fact: str
    sql: str
    through: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    """Turns what the query gives into what is stored, where no SQL can."""
    types: str = ""
    """Columns and types of the table, when `through` makes it."""


def squarable(sql: str, otherwise: str = SQUARED) -> str:
    """SQL of an exact sum as `SQUARED`, or where it is not small as the type `otherwise`; nothing as 0.

    Most sums fit into 64 bits with 14 decimals, which nothing that is summed here exceeds, and are rounded there: it
    takes a hundredth of the time that rounding 128 bits takes. Counts need no rounding.
    """
    if sql == "count(*)":
        return f"CAST({sql} AS {SQUARED})"
    narrow = f"CAST(CAST({sql} AS DECIMAL(18, 14)) AS {SQUARED})"
    return f"CASE WHEN {sql} > -9999 AND {sql} < 9999 THEN {narrow} ELSE CAST(coalesce({sql}, 0) AS {otherwise}) END"


def two_scales(above: str, below: str) -> str:
    """SQL of two exact sums as `x` and `y`, or where one is large as `big_x` and `big_y`; the other pair is 0."""
    small = " AND ".join(f"coalesce({sql}, 0) > -{_SMALL} AND coalesce({sql}, 0) < {_SMALL}" for sql in (above, below))
    fine, coarse = (f"CAST(0 AS {sql_type})" for sql_type in (SQUARED, COARSE))
    sides = {"x": above, "y": below}
    columns = [f"CASE WHEN {small} THEN {squarable(sql)} ELSE {fine} END AS {name}" for name, sql in sides.items()]
    columns += [
        f"CASE WHEN {small} THEN {coarse} ELSE CAST(coalesce({sql}, 0) AS {COARSE}) END AS big_{name}"
        for name, sql in sides.items()
    ]
    return ", ".join(columns)


def from_rows(fact: str) -> str:
    """FROM clause of a state query: the rows of the days to build, as states.py laid them out."""
    return f"rows_{fact} WHERE TRUE"


def from_rows_on(sql: str, days: str) -> str:
    """A state query over those rows alone whose day meets a condition."""
    return sql.replace("WHERE TRUE", f"WHERE {days}")


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def column_of(sql: str) -> str:
    """Name of the column of `cells_<fact>` that holds an aggregate; one aggregate is stored once, whoever needs it."""
    return "m_" + hashlib.sha256(sql.encode()).hexdigest()[:10]


def slices(dimensions: tuple[str, ...], *, keys: str = "day") -> tuple[str, str]:
    """Return (columns, GROUP BY) that give the total and one slice per dimension, in `dimension, dimension_value`."""
    sets = ", ".join([f"({keys})", *(f"({keys}, {name})" for name in dimensions)])
    if not dimensions:
        return "'' AS dimension, '' AS dimension_value", f"GROUPING SETS ({sets})"
    name = " ".join(f"WHEN grouping({one}) = 0 THEN '{one}'" for one in dimensions)
    value = " ".join(f"WHEN grouping({one}) = 0 THEN {one}" for one in dimensions)
    return (
        f"CASE {name} ELSE '' END AS dimension, CASE {value} ELSE '' END AS dimension_value",
        f"GROUPING SETS ({sets})",
    )


def each_slice(dimensions: tuple[str, ...], query: Callable[[str, str], str]) -> str:
    """SQL of the total and one slice per dimension, each a query of its own.

    `query` makes it from what it groups by (day, and the dimension) and what it selects of that. Where groups are many
    they are each worked out in two thirds of the time that grouping sets take.
    """
    total = query("day", "day, '' AS dimension, '' AS dimension_value")
    parts = (query(f"day, {one}", f"day, '{one}' AS dimension, {one} AS dimension_value") for one in dimensions)
    return " UNION ALL ".join([total, *parts])


def merged_slices(dimensions: tuple[str, ...], finest: Callable[[str], str], *, by: str, merged: str) -> str:
    """SQL of the total and one slice per dimension, for groups that are far fewer than rows.

    `finest` makes the query that groups rows by some keys and `by`; `merged` is SQL of what such groups add up to. Rows
    are grouped by two dimensions at once, and both slices, and once the total, are made from those groups: that is half
    as many readings of the rows as there are slices.
    """
    pairs = [dimensions[max(end - 2, 0) : end] for end in range(len(dimensions), 0, -2)] or [()]
    groups = [f"groups_{number} AS ({finest(', '.join(['day', *pair]))})" for number, pair in enumerate(pairs)]
    source = {one: f"groups_{number}" for number, pair in enumerate(pairs) for one in pair}

    def summed(one: str) -> str:
        told, keys = (f"'{one}' AS dimension, {one}", f"day, {one}") if one else ("'' AS dimension, ''", "day")
        held = f"{by}, {merged} FROM {source.get(one, 'groups_0')}"
        return f"SELECT day, {told} AS dimension_value, {held} GROUP BY {keys}, {by}"

    return f"WITH {', '.join(groups)} {' UNION ALL '.join(map(summed, ('', *dimensions)))}"


def in_periods(state: str, *, where: str = "") -> str:
    """FROM clause that joins a state, as `s`, to the periods its days lie in; see FIRST_DAY.

    `scope_days` has every day of every period: to look days up in it takes two thirds of the time of comparing them.
    """
    joined = f"periods AS p JOIN scope_days USING (grain, period_start, period_end) JOIN {state} AS s USING (day)"
    return f"{joined} WHERE s.day >= {FIRST_DAY}" + (f" AND {where}" if where else "")


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """A column of numbers as doubles, NaN where there is none."""
    import pandas as pd

    return np.asarray(pd.to_numeric(frame[name]), dtype=float)


def nothing(frame: pd.DataFrame) -> Floats:
    """NaN for every row."""
    return np.full(len(frame), np.nan)


def quotient(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator, NaN where that is not above zero."""
    found: Floats = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=found, where=denominator > 0)
    return found


def expression(text: str) -> str:
    """SQL of a measure."""
    return parse_measure(text).sql()


@dataclass(frozen=True)
class Look:
    """What `roi explain` reads from the rows: days from `start` up to `end`, of one slice; data end with `until`."""

    start: date
    end: date
    until: date
    only: str = ""
    """Condition of the slice, or empty."""

    def source(self, fact: str) -> str:
        """FROM and WHERE for the rows of a fact in the period."""
        return f"FROM facts.{fact} WHERE day >= DATE '{self.start}' AND day < DATE '{self.end}'{self._only()}"

    def history(self, fact: str) -> str:
        """FROM and WHERE for the rows of a fact up to the end of the period."""
        return f"FROM facts.{fact} WHERE day < DATE '{self.end}'{self._only()}"

    def _only(self) -> str:
        return f" AND {self.only}" if self.only else ""


class Kind(ABC):
    """How one kind of KPI is stored, rolled up, measured and explained; `m` is the KPI's record."""

    empty: ClassVar[str] = "zero denominator"
    """Why there is no value although there are rows."""
    may_be_open: ClassVar[bool] = False
    """Whether the last day with data changes values of periods before it, of which the numerator then falls short."""

    looks_at_days: ClassVar[bool] = False
    """Whether the roll-up reads `daily`."""

    def reach_days(self, m: Any) -> int:
        """How many days after it a day may change."""
        return 0

    def periods(self, m: Any) -> str:
        """Condition on the periods in which the KPI can have a value."""
        return "TRUE"

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Name -> aggregate SQL of what is summed per cell of a fact."""
        return {"rows": "count(*)"} | ({"unknown": expression(m.unknown)} if m.unknown else {})

    def sets(self, m: Any) -> dict[str, Measure]:
        """Name -> distinct count whose members are kept per slice."""
        return {}

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """States beyond the cells."""
        yield from ()

    @abstractmethod
    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """SQL of one row per period and slice: KEYS and some of ROLLED.

        It reads `summed` (what `measures` names, by period and slice), `periods` and states; and, when it says so in
        `looks_at_days`, `daily` (what `measures` names, by day and slice).

        `periods` is SQL of the same periods, for a kind that works on them outside the database.
        """

    @abstractmethod
    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """Value and interval of each rolled row; may fill numerator and denominator in. `end` is the day after the
        last one with data."""

    @abstractmethod
    def rows_sql(self, m: Any, look: Look) -> str:
        """SQL that computes `value` from the rows, by another way than states and roll-ups."""
