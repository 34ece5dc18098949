"""Which slices of a dimension lie within those of another one, as intents do within use cases.

Told beside each other, a slice and those within it tell what is left of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import duckdb

Slice = tuple[str, str]
"""Dimension and value; both are empty for the total."""
TOTAL: Slice = ("", "")


@dataclass(frozen=True)
class Across:
    """Slices that lie across those of another dimension, and those that would tell which part of which they are."""

    names: frozenset[str]
    beside: tuple[Slice, ...]
    """The slices of the other dimension, and what lies within one of them."""


@dataclass(frozen=True)
class Chain:
    """Slices of a dimension that are withheld in one order, for together they tell of one whole."""

    dimension: str
    within: Slice = TOTAL
    """The whole."""
    names: tuple[str, ...] | None = None
    """Which slices these are; None where they are all."""
    across: tuple[Across, ...] = ()
    parts: tuple[tuple[str, Slice], ...] = ()
    """By slice, or without a name for what is of none, the slices of dimensions before that lie within it."""

    def holds(self, name: str) -> bool:
        """Whether a slice of the dimension is one of these."""
        return self.names is None or name in self.names


def chains_of(
    con: duckdb.DuckDBPyConnection, fact: str, dimensions: Sequence[str], foremost: Collection[str] = ()
) -> Iterator[Chain]:
    """The total, and the slices of a fact by dimension; what is told of one dimension is decided before the next.

    A slice lies within another if the fact has no row of it elsewhere. The `foremost` dimensions come first, and then
    those of few slices, for what lies within a slice is decided after it, and withheld where that is.
    """
    many = {one: _distinct(con, fact, one) for one in dimensions}
    order = sorted(many, key=lambda one: (one not in foremost, len(many[one]), dimensions.index(one)))
    yield Chain("")
    for at, dimension in enumerate(order):
        others = [one for one in order[:at] if len(many[one]) > 1]  # a single slice is the total
        within = {one: [pair for pair in _within(con, fact, dimension, one) if pair[0]] for one in others}
        parts = [(whole, (one, part)) for one in others for whole, part in _within(con, fact, one, dimension)]
        for chain in _by_whole(dimension, many, {one: found for one, found in within.items() if found}):
            held = (one for one in parts if (chain.holds(one[0]) if one[0] else chain.within == TOTAL))
            yield replace(chain, parts=tuple(one for one in held if one[1] != chain.within))


def _by_whole(dimension: str, many: dict[str, list[str]], within: dict[str, list[tuple[str, str]]]) -> Iterator[Chain]:
    """The slices of a dimension by where they lie `within` other dimensions: (slice of the other one, slice).

    After these come all of them, unless each lies within a slice of another dimension, so that nothing is left of all.
    """
    across = []
    for other, found in within.items():
        for whole, pairs in groupby(found, key=lambda pair: pair[0]):
            yield Chain(dimension, (other, whole), tuple(name for _, name in pairs))
        inside = [name for _, name in found]
        beside = [*((other, name) for name in many[other]), *((dimension, name) for name in inside)]
        across.append(Across(frozenset(many[dimension]) - {*inside}, tuple(beside)))
    if not across or any(one.names for one in across):
        yield Chain(dimension, across=tuple(one for one in across if one.names))


def _distinct(con: duckdb.DuckDBPyConnection, fact: str, dimension: str) -> list[str]:
    """The slices there are; what has no value is one without a name."""
    named = f"SELECT DISTINCT coalesce({dimension}, '') FROM states.cells_{fact} ORDER BY ALL"
    return [name for (name,) in con.execute(named).fetchall()]


def _within(con: duckdb.DuckDBPyConnection, fact: str, dimension: str, other: str) -> list[tuple[str, str]]:
    """(slice of the other dimension, slice that lies within it), sorted; what has no value may be the other one."""
    found: list[tuple[str, str]] = con.execute(
        f"SELECT min(coalesce({other}, '')) AS whole, {dimension} AS part FROM states.cells_{fact} "
        f"WHERE part IS NOT NULL GROUP BY part HAVING count(DISTINCT coalesce({other}, '')) = 1 ORDER BY ALL"
    ).fetchall()
    return found
