"""Worked examples of KPIs, as the catalogue holds them."""

from __future__ import annotations

from typing import Literal

from pipeline.catalog.records import Day, Flag, Identifier, Number, Strict, Text, Whole

ExampleRow = dict[Identifier, Whole | Number | Flag | Text | Day | None]
"""One row of a fact: column -> value."""


class Example(Strict):
    """A worked example: rows of the fact and the value they must give. Columns that are not named are null."""

    says: Text
    rows: dict[Identifier, tuple[ExampleRow, ...]] | tuple[ExampleRow, ...] = ()
    """Rows of the fact, or for a KPI of two facts the rows of each; `day` is 2026-01-05 where it is not given, and
    `times: 20` stands for twenty such rows."""
    inputs: dict[Identifier, Number | tuple[Number, ...]] | None = None
    """For a formula: what goes in."""
    grain: Literal["day", "week", "month", "quarter", "28d"] | None = None
    """The grain looked at; without it the one that is headlined. The period is the last one of the rows."""
    by: Text | None = None
    """`dimension=value` for a slice."""
    value: Number | None = None
    """The right value; none when it must not be available."""
    numerator: Number | None = None
    denominator: Number | None = None
    low: Number | None = None
    high: Number | None = None
    """The ends of the interval, to four significant digits."""
    reason: Text | None = None
    """Words that must stand in the reason of the value."""
