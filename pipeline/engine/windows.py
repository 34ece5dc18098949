"""Periods as ranges of days: what a state holds is added up, or looked for, in any range at the same small cost.

Every period is a run of days, so what fell into it is the running total at its end less that at its beginning. A year
of trailing windows then costs as much as a year of days, where a join of windows with days would cost 28 times that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Whole = NDArray[np.int64]
_MOST_CELLS = 60_000_000
"""Cells of a table of members by days or periods held at once."""


@dataclass(frozen=True)
class Windows:
    """Ranges of days: `starts` and `ends` (exclusive) count from the first day of the data, `days` of them in all."""

    starts: Whole
    ends: Whole
    days: int

    @classmethod
    def of(cls, starts: pd.Series, ends: pd.Series, *, first: np.datetime64, days: int) -> Windows:
        """Ranges of dates, cut down to the days of the data."""
        begin, end = ((one.to_numpy().astype("datetime64[D]") - first).astype(np.int64) for one in (starts, ends))
        return cls(np.clip(begin, 0, days), np.clip(end, 0, days), days)

    def running(self, row: Whole, day: Whole, amount: Whole, rows: int) -> Whole:
        """Amounts up to the beginning of each day, shape (rows, days + 1), from entries (row, day, amount)."""
        width = self.days + 1
        held = np.zeros(rows * width, dtype=np.int64)
        np.add.at(held, row * width + day + 1, amount)
        return np.cumsum(held.reshape(rows, width), axis=1)

    def totals(self, running: Whole) -> Whole:
        """Amounts by row and window, shape (rows, windows), from running ones; a few rows at once are quickest."""
        return running.take(self.ends, axis=1) - running.take(self.starts, axis=1)

    def seen(self, row: Whole, day: Whole, rows: int) -> NDArray[np.bool_]:
        """Whether a row has any entry in a window, shape (rows, windows)."""
        held = np.zeros((rows, self.days + 1), dtype=np.int32)
        held[row, day + 1] = 1
        np.cumsum(held, axis=1, out=held)
        return np.asarray(held.take(self.ends, axis=1) > held.take(self.starts, axis=1))

    def count_bits(self, held: NDArray[np.uint64]) -> Whole:
        """How many bits are set on any day of each window, shape (windows,); `held` has shape (days, words)."""
        found = np.zeros(len(self.starts), dtype=np.int64)
        length = self.ends - self.starts
        run = 1
        while held.size and run <= length.max(initial=0):
            at = np.flatnonzero((length >= run) & (length < 2 * run))
            both = held[self.starts[at]] | held[self.ends[at] - run]
            found[at] = np.bitwise_count(both).sum(axis=1)
            held, run = held[:-run] | held[run:], 2 * run
        return found

    def count_seen(self, row: Whole, day: Whole) -> Whole:
        """How many different rows have an entry in each window, shape (windows,)."""
        found = np.zeros(len(self.starts), dtype=np.int64)
        for part, rows in self.blocks(row):
            found += self.seen(rows, day[part], int(rows.max()) + 1).sum(axis=0)
        return found

    def blocks(self, row: Whole) -> Iterator[tuple[NDArray[np.bool_] | slice, Whole]]:
        """Entries in blocks of rows few enough to be held at once: which entries, and their rows from 0 on."""
        if not row.size:
            return
        dense = numbered_from_zero(row)
        height = max(1, _MOST_CELLS // (self.days + len(self.starts) + 1))
        if int(dense.max()) < height:
            yield slice(None), dense
            return
        for begin in range(0, int(dense.max()) + 1, height):
            part = (dense >= begin) & (dense < begin + height)
            yield part, dense[part] - begin


@dataclass(frozen=True)
class Span:
    """A run of days."""

    first: np.datetime64
    days: int

    @property
    def condition(self) -> str:
        """SQL that holds for the days in it."""
        return f"day >= DATE '{self.first}' AND day < DATE '{self.first}' + {self.days}"

    def windows(self, periods: pd.DataFrame) -> Windows:
        """The periods as windows in it."""
        return Windows.of(periods["period_start"], periods["period_end"], first=self.first, days=self.days)


def span_of(con: duckdb.DuckDBPyConnection, state: str, periods: pd.DataFrame) -> Span | None:
    """The days of a state that periods reach over; None when there are none."""
    if periods.empty:
        return None
    first, end = periods["period_start"].min().date(), periods["period_end"].max().date()
    where = f"day >= DATE '{first}' AND day < DATE '{end}'"
    ((begin, last),) = con.execute(f"SELECT min(day)::VARCHAR, max(day)::VARCHAR FROM {state} WHERE {where}").fetchall()
    if begin is None:
        return None
    start = np.datetime64(begin, "D")
    return Span(start, int((np.datetime64(last, "D") - start) / np.timedelta64(1, "D")) + 1)


def numbered_from_zero(row: Whole) -> Whole:
    """The rank of each row number among those that occur.

    >>> numbered_from_zero(np.array([7, 2, 7, 4]))
    array([2, 0, 2, 1])
    """
    occurs = np.zeros(int(row.max(initial=-1)) + 1, dtype=np.int64)
    occurs[row] = 1
    return (np.cumsum(occurs) - 1)[row]


def numbered(state: str, column: str, name: str, *, where: str) -> str:
    """SQL of a table that gives each value of a column a number from 0 on, in order of the values."""
    values = f"SELECT DISTINCT {column} FROM {state} WHERE {column} IS NOT NULL AND {where}"
    return f"(SELECT {column}, row_number() OVER (ORDER BY {column}) - 1 AS {name} FROM ({values}))"


def by_slice(
    con: duckdb.DuckDBPyConnection, state: str, dimensions: tuple[str, ...], *, span: Span, columns: str
) -> Iterator[tuple[str, str, dict[str, Whole]]]:
    """Entries of a state by slice: (dimension, value, columns of whole numbers), the total first.

    `columns` is SQL over the state, where `no_member` numbers its members; `day` counts from the first one.
    """
    held = _entries(con, state, ("member", *dimensions), span=span, columns=columns)
    yield "", "", held
    for dimension in dimensions:
        values = _values_of(con, state, dimension, span=span)
        for value, part in zip(values, _parts(held[f"no_{dimension}"], len(values)), strict=True):
            yield dimension, str(value), {name: column[part] for name, column in held.items()}


def running_by_slice(
    con: duckdb.DuckDBPyConnection, state: str, asked: Sequence[tuple[str, str]], *, span: Span, by: str, amount: str
) -> tuple[Whole, Iterator[Whole]]:
    """Values of a column `by` of whole numbers, and for each slice asked for the amounts by day and value.

    Those are totals up to the beginning of each day, shape (days + 1, values), the values in their order.
    """
    found = con.execute(
        f"WITH slices AS (SELECT unnest($1::VARCHAR[]) AS dimension, unnest($2::VARCHAR[]) AS dimension_value, "
        f"unnest(range(len($1))) AS slice) SELECT slice, {by} AS told, day - DATE '{span.first}' + 1 AS day, "
        f"{amount} AS amount FROM {state} JOIN slices USING (dimension, dimension_value) WHERE {span.condition}",
        [list(column) for column in zip(*asked, strict=True)],
    ).fetchnumpy()
    of, told, day, amounts = (np.asarray(found[name], dtype=np.int64) for name in ("slice", "told", "day", "amount"))
    least = told.min(initial=0)
    values = np.flatnonzero(np.bincount(told - least)) + least
    place = day * len(values) + numbered_from_zero(told - least)

    def totals(part: Whole) -> Whole:
        held = np.zeros((span.days + 1) * len(values), dtype=np.int64)
        np.add.at(held, place[part], amounts[part])
        return np.cumsum(held.reshape(span.days + 1, len(values)), axis=0)

    return values, (totals(part) for part in _parts(of, len(asked)))


def _parts(of: Whole, count: int) -> Iterator[Whole]:
    """Where each of the numbers 0 to `count` - 1 stands."""
    order = np.argsort(of.astype(np.int16) if count < 1 << 15 else of, kind="stable")  # sorts by radix
    edges = np.searchsorted(of[order], np.arange(count + 1))
    return (order[begin:end] for begin, end in pairwise(edges))


def _entries(
    con: duckdb.DuckDBPyConnection, state: str, numbers: tuple[str, ...], *, span: Span, columns: str
) -> dict[str, Whole]:
    """Columns of a state as whole numbers, and `no_<name>` for the values of each column in `numbers`, -1 for none."""
    joins = "".join(
        f" LEFT JOIN {numbered(state, name, f'no_{name}', where=span.condition)} USING ({name})" for name in numbers
    )
    codes = "".join(f", coalesce(no_{name}, -1)::INTEGER AS no_{name}" for name in numbers)
    query = (
        f"SELECT (day - DATE '{span.first}')::INTEGER AS day, {columns}{codes} FROM {state}{joins} "
        f"WHERE {numbers[0]} IS NOT NULL AND {span.condition}"
    )
    found = con.execute(query).fetchnumpy()
    return {name: np.asarray(column, dtype=np.int64) for name, column in found.items()}


def _values_of(con: duckdb.DuckDBPyConnection, state: str, column: str, *, span: Span) -> list[Any]:
    """The values of a column on the days of a span, in the order in which they are numbered."""
    listed = f"SELECT DISTINCT {column} FROM {state} WHERE {column} IS NOT NULL AND {span.condition} ORDER BY 1"
    return [value for (value,) in con.execute(listed).fetchall()]


def rolled_frame(parts: Iterator[tuple[str, str, dict[str, Whole]]], periods: pd.DataFrame) -> pd.DataFrame:
    """One row per slice and period in which anything was counted; a part has its counts per period, `n` among them."""
    told = [(*key, counts, np.flatnonzero(counts["n"] > 0)) for *key, counts in parts]
    if not told:
        return periods.iloc[:0].assign(dimension="", dimension_value="", n=0)
    dimensions, values, counted, places = zip(*told, strict=True)
    lengths = [len(one) for one in places]
    held = {name: np.concatenate([counts[name][at] for counts, at in zip(counted, places, strict=True)])
            for name in counted[0]}  # fmt: skip
    slices = {"dimension": np.repeat(dimensions, lengths), "dimension_value": np.repeat(values, lengths)}
    return periods.take(np.concatenate(places)).reset_index(drop=True).assign(**slices, **held)


def register(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame) -> str:
    """Hand a frame to the database; returns SQL that reads it."""
    con.execute("DROP TABLE IF EXISTS worked_out")
    con.register("worked_out_frame", frame)
    con.execute("CREATE TEMP TABLE worked_out AS SELECT * FROM worked_out_frame")
    con.unregister("worked_out_frame")
    return "SELECT * FROM worked_out"
