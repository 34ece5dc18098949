"""Worked examples: the rows a KPI's record gives go through the real engine, and must give the value it says."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import duckdb

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.formulas import evaluate
from pipeline.catalog.model import AnyMetric, Catalog, Formula, Percentile
from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.catalog.worked import Example, ExampleRow
from pipeline.engine.rollup import as_of_day, roll_up
from pipeline.engine.states import build_states
from pipeline.engine.values import compute_values
from pipeline.errors import Problem
from pipeline.statistics.histogram import ALPHA

if TYPE_CHECKING:
    import pandas as pd

Facts = Mapping[str, Mapping[str, str]]
DAY = "2026-01-05"
"""The day of a row that gives none: a Monday."""
FEWEST = 2
"""Examples every KPI has: what it is, and a trap."""
_MOST_ROWS = 10_000
_CLOSE = 1e-9
_ENDS_CLOSE = 5e-4


class _UnreadableError(ValueError):
    """An example that cannot be run: what was found, what was expected."""

    def __init__(self, found: str, expected: str, meant: str | None = None) -> None:
        super().__init__(found)
        self.found, self.expected, self.meant = found, expected, meant


@dataclass(frozen=True)
class Bench:
    """Where examples are run: a database of its own, with empty schemas, and the columns of each fact."""

    con: duckdb.DuckDBPyConnection
    facts: Facts


def check_examples(catalog: Catalog, positions: Positions, bench: Bench) -> list[Problem]:
    """Every KPI with fewer than two examples, and every example that cannot be run or gives another value."""
    found: list[Problem] = []
    for kpi_id, metric in catalog.metrics.items():
        if len(metric.examples) < FEWEST:
            told, expected = f"{len(metric.examples)} examples", f"at least {FEWEST}: what it is, and its trap"
            found.append(
                problem(positions.where("metrics", kpi_id), codes.EXAMPLE_MISSING, found=told, expected=expected)
            )
        for index, example in enumerate(metric.examples):
            where = positions.where("metrics", kpi_id, "examples", index)
            found += _check(kpi_id, metric, example, where, bench)
    return found


def _check(kpi_id: str, metric: AnyMetric, example: Example, where: str, bench: Bench) -> Iterator[Problem]:
    try:
        given = _given(kpi_id, metric, example, bench)
    except _UnreadableError as error:
        yield problem(where, codes.EXAMPLE_UNREADABLE, found=error.found, expected=error.expected, meant=error.meant)
        return
    for what, found, expected in _differences(metric, example, given):
        told = f"{what} {found} in the example {quoted(example.says)}"
        yield problem(where, codes.EXAMPLE_WRONG, found=told, expected=expected)


def _differences(metric: AnyMetric, example: Example, given: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """(what, found, expected) of everything an example says and that came out otherwise."""
    close = ALPHA if isinstance(metric, Percentile) else _CLOSE
    limits = {"value": close, "numerator": _CLOSE, "denominator": _CLOSE, "low": _ENDS_CLOSE, "high": _ENDS_CLOSE}
    for what, limit in limits.items():
        right, found = getattr(example, what), given.get(what)
        if right is None and what != "value":
            continue
        number = math.nan if found is None else float(str(found))
        if right is None and not math.isnan(number):
            yield what, f"{number:.9g}", "none: not available"
        elif right is not None and not math.isclose(number, float(right), rel_tol=limit, abs_tol=1e-12):
            yield what, "not available" if math.isnan(number) else f"{number:.9g}", str(right)
    if example.reason is not None and example.reason not in str(given.get("reason", "")):
        yield "reason", quoted(str(given.get("reason", ""))), f"{quoted(example.reason)} in it"


def _given(kpi_id: str, metric: AnyMetric, example: Example, bench: Bench) -> Mapping[str, object]:
    """What the engine gives for an example: value, numerator, denominator, low, high and reason."""
    if isinstance(metric, Formula):
        return {"value": _worked_out(metric, example)}
    _fill(metric, example, bench)
    catalog = Catalog.model_construct(version=1, roles={}, metrics={kpi_id: metric})
    build_states(bench.con, catalog, since_load=0)
    as_of = as_of_day(bench.con, catalog)
    if as_of is None:
        raise _UnreadableError("no row", "rows of the fact")
    roll_up(bench.con, catalog, as_of=as_of)
    row = _row(compute_values(bench.con, catalog, as_of=as_of), metric, example, date.fromisoformat(as_of))
    return row | {"low": row["interval_low"], "high": row["interval_high"]}


def _worked_out(metric: Formula, example: Example) -> object:
    inputs = example.inputs or {}
    missing = sorted(set(metric.inputs) ^ set(inputs))
    if missing:
        raise _UnreadableError(f"inputs {', '.join(sorted(inputs)) or 'none'}", f"{', '.join(metric.inputs)}")
    return evaluate(metric.formula, inputs)


def _fill(metric: AnyMetric, example: Example, bench: Bench) -> None:
    """Make the facts of the KPI anew with the rows of the example; nothing is left of the one before."""
    rows = example.rows if isinstance(example.rows, dict) else {metric.facts[0]: example.rows}
    strange = [fact for fact in rows if fact not in metric.facts]
    if strange:
        raise _UnreadableError(f"rows of {quoted(strange[0])}", one_of(metric.facts, otherwise="a fact of the KPI"))
    bench.con.execute("DROP SCHEMA IF EXISTS states CASCADE; CREATE SCHEMA states; DROP SCHEMA IF EXISTS facts CASCADE;"
                      " CREATE SCHEMA facts; CREATE TABLE facts._calendar(day DATE)")  # fmt: skip
    for fact in dict.fromkeys(metric.facts):
        columns = ", ".join(f'"{name}" {sql_type}' for name, sql_type in bench.facts[fact].items())
        bench.con.execute(f"CREATE TABLE facts.{fact}({columns})")
        for row in rows.get(fact, ()):
            _insert(fact, dict(row), bench)


def _insert(fact: str, row: ExampleRow, bench: Bench) -> None:
    times = row.pop("times", 1)
    if not isinstance(times, int) or not 1 <= times <= _MOST_ROWS:
        raise _UnreadableError(f"times {times}", f"1 to {_MOST_ROWS}")
    for name in row:
        if name not in bench.facts[fact]:
            columns = bench.facts[fact]
            raise _UnreadableError(
                f"column {quoted(name)}", one_of(columns, otherwise=f"a column of {fact}"), near(name, columns)
            )
    cells: ExampleRow = {"day": DAY, **row}
    names = ", ".join(f'"{name}"' for name in cells)
    marks = ", ".join(f"CAST(? AS {bench.facts[fact][name]})" for name in cells)
    try:
        bench.con.execute(f"INSERT INTO facts.{fact}({names}) SELECT {marks} FROM range({times})", list(cells.values()))
    except duckdb.Error as error:
        raise _UnreadableError(f"a row that does not fit: {str(error).splitlines()[0]}", f"values for {fact}") from None


def _row(frame: pd.DataFrame, metric: AnyMetric, example: Example, last: date) -> dict[str, object]:
    """The row of the last period, at the grain and of the slice an example looks at."""
    dimension, _, value = (example.by or "").partition("=")
    if dimension and dimension not in metric.dimensions:
        raise _UnreadableError(f"by {quoted(example.by or '')}", one_of(metric.dimensions, otherwise="a dimension"))
    grain = example.grain or metric.headline_grain
    held = frame[
        (frame["grain"] == grain) & (frame["dimension"] == dimension) & (frame["dimension_value"] == value)
        & (frame["period_start"] <= last) & (frame["period_end"] > last)
    ].sort_values("period_end")  # fmt: skip
    if held.empty:
        raise _UnreadableError(f"no value per {grain} for {quoted(example.by or 'the total')}", "a slice the rows have")
    found: dict[str, object] = held.iloc[0].to_dict()
    return found
