"""Worked examples: the rows a KPI's record gives go through the real engine, and must give the value it says.

Examples of different facts whose rows end on the same day are run together: none of them sees the rows of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import duckdb

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.formulas import evaluate
from pipeline.catalog.hashes import PROSE
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
Rows = Mapping[str, Sequence[ExampleRow]]
"""Fact -> its rows."""
WrongKeys = Mapping[str, frozenset[str]]
"""KPI id -> its keys of which something wrong has been told."""
DAY = "2026-01-05"
"""The day of a row that gives none: a Monday."""
NOT_AVAILABLE = "not available"
FEWEST = 2
"""Examples every KPI has: what it is, and a trap."""
_MOST_ROWS = 10_000
_CLOSE = 1e-9
_ENDS_CLOSE = 5e-4
_NO_VALUE_RESTS_ON = PROSE | {"min_n", "matures_after_days", "dimensions"}
"""Keys that may be wrong while an example is run: no overall value rests on them."""


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


@dataclass(frozen=True)
class _Case:
    """An example of a KPI with its place; `wrong` are keys of the KPI that something wrong was told of."""

    kpi_id: str
    metric: AnyMetric
    example: Example
    where: str
    wrong: frozenset[str] = field(default_factory=frozenset)

    @property
    def rows(self) -> Rows:
        """The rows of each fact that it has rows of."""
        given = self.example.rows
        return given if isinstance(given, Mapping) else dict.fromkeys(self.metric.facts[:1], given)

    @property
    def last_day(self) -> str:
        """The day of the last row, as text; that of a formula is no day."""
        if not self.metric.facts:
            return "never"
        return max((str(row.get("day", DAY)) for rows in self.rows.values() for row in rows), default="")

    @property
    def can_be_run(self) -> bool:
        """Whether all is right that its value rests on."""
        is_sliced_wrongly = "dimensions" in self.wrong and self.example.by is not None
        return self.wrong <= _NO_VALUE_RESTS_ON and not is_sliced_wrongly

    @property
    def runnable(self) -> AnyMetric:
        """The KPI, without dimensions that are wrong."""
        return self.metric.model_copy(update={"dimensions": ()}) if "dimensions" in self.wrong else self.metric

    def worked_out(self) -> Iterator[Problem]:
        """The problems of the example of a formula."""
        if isinstance(self.metric, Formula) and self.can_be_run:
            yield from self.judged({"value": evaluate(self.metric.formula, self.example.inputs or {})})

    def unreadable(self, error: _UnreadableError) -> Problem:
        """The problem that it cannot be run."""
        found, expected, meant = error.found, error.expected, error.meant
        return problem(self.where, codes.EXAMPLE_UNREADABLE, found=found, expected=expected, meant=meant)

    def judged(self, given: Mapping[str, object]) -> Iterator[Problem]:
        """A problem for everything it says that came out otherwise."""
        for what, found, expected in _differences(self.metric, self.example, given):
            if what == "reason" and self.wrong & {"min_n", "matures_after_days"}:
                continue
            told = f"{what} {found} in the example {quoted(self.example.says)}"
            is_absent = what == "value" and found == NOT_AVAILABLE
            why = f"; there is none: {self.why_not(given)}" if is_absent else ""
            yield problem(self.where, codes.EXAMPLE_WRONG, found=told, expected=expected + why)

    def why_not(self, given: Mapping[str, object]) -> str:
        """Why what came out has no value: the reason that pages would give, and what it was counted from."""
        if isinstance(self.metric, Formula):
            return "the formula divides by 0, or one of its inputs is not available"
        known = {name: given.get(name) for name in ("numerator", "denominator", "n")}
        counted = [f"{name} {value:g}" for name, value in _numbers(known)]
        reason = str(given.get("reason") or "no reason recorded")
        return reason + (f" ({', '.join(counted)})" if counted else "")


def _numbers(given: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    """Those of the cells that hold a number."""
    for name, value in given.items():
        number = math.nan if value is None else float(str(value))
        if not math.isnan(number):
            yield name, number


def check_examples(
    catalog: Catalog,
    positions: Positions,
    bench: Bench,
    *,
    wrong: WrongKeys | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Problem]:
    """Every KPI with fewer than two examples, and every example that cannot be run or gives another value.

    `wrong` names per KPI the keys that were found wrong; an example is not run while its value rests on one of them.
    """
    found = list(_too_few(catalog, positions))
    cases = list(_cases(catalog, positions, wrong or {}))
    readable = []
    for case in cases:
        errors = list(_wrong_words(case, bench.facts))
        found += [case.unreadable(error) for error in errors]
        readable += [] if errors else [case]
    done = 0
    for batch in _batches(readable):
        progress(f"Running worked examples: {done} of {len(cases)}")
        found += _run_together(batch, bench)
        done += len(batch)
    return found


def _too_few(catalog: Catalog, positions: Positions) -> Iterator[Problem]:
    for kpi_id, metric in catalog.metrics.items():
        if len(metric.examples) < FEWEST and not positions.is_unknown("metrics", kpi_id, "examples"):
            many = len(metric.examples)
            told, how = f"{many} example{'' if many == 1 else 's'}", f"`roi catalog example {metric.kind}` prints some"
            expected = f"at least {FEWEST}: what it is, and its trap; {how}"
            where = positions.where("metrics", kpi_id)
            yield problem(where, codes.EXAMPLE_MISSING, found=told, expected=expected)


def _cases(catalog: Catalog, positions: Positions, wrong: WrongKeys) -> Iterator[_Case]:
    """Every example that can be read, in file order."""
    for kpi_id, metric in catalog.metrics.items():
        for index, example in enumerate(metric.examples):
            path = ("metrics", kpi_id, "examples", index)
            if not positions.is_unknown(*path):
                yield _Case(kpi_id, metric, example, positions.where(*path), wrong.get(kpi_id, frozenset()))


def _wrong_words(case: _Case, facts: Facts) -> Iterator[_UnreadableError]:
    """Facts, columns, inputs and slices that there are not; what is wrong of the KPI itself is no mistake of these."""
    metric, example = case.metric, case.example
    if isinstance(metric, Formula):
        inputs = example.inputs or {}
        if set(metric.inputs) ^ set(inputs) and not case.wrong & {"inputs", "formula"}:
            yield _UnreadableError(f"inputs {', '.join(sorted(inputs)) or 'none'}", f"{', '.join(metric.inputs)}")
        return
    dimension = (example.by or "").partition("=")[0]
    if dimension and dimension not in metric.dimensions and "dimensions" not in case.wrong:
        yield _UnreadableError(f"by {quoted(example.by or '')}", one_of(metric.dimensions, otherwise="a dimension"))
    for fact, rows in case.rows.items():
        if fact not in metric.facts and not case.wrong & set(metric.fact_keys):
            yield _UnreadableError(f"rows of {quoted(fact)}", one_of(metric.facts, otherwise="a fact of the KPI"))
        names = dict.fromkeys(name for row in rows for name in row)
        yield from _wrong_columns(fact, names, facts)
        for times in {row.get("times", 1) for row in rows}:
            if not isinstance(times, int) or not 1 <= times <= _MOST_ROWS:
                yield _UnreadableError(f"times {times}", f"1 to {_MOST_ROWS}")


def _wrong_columns(fact: str, names: Iterable[str], facts: Facts) -> Iterator[_UnreadableError]:
    columns = facts.get(fact)
    for name in names:
        if columns is not None and name not in columns and name != "times":
            expected = one_of(columns, otherwise=f"a column of {fact}; `roi catalog facts {fact}` lists them")
            yield _UnreadableError(f"column {quoted(name)}", expected, near(name, columns))


def _batches(cases: Iterable[_Case]) -> list[list[_Case]]:
    """Cases that can be run together: those of a batch have no fact in common and end on the same day.

    Those of formulas, which have no fact and no day, are one batch.
    """
    batches: list[tuple[str, set[str], list[_Case]]] = []
    for case in cases:
        facts = set(case.metric.facts)
        day, held, batch = next(
            (one for one in batches if one[0] == case.last_day and not one[1] & facts), (case.last_day, set(), [])
        )
        if not batch:
            batches.append((day, held, batch))
        held |= facts
        batch.append(case)
    return [batch for _, _, batch in batches]


def _run_together(batch: Sequence[_Case], bench: Bench) -> Iterator[Problem]:
    """The problems of cases of different facts; where the database stops at one of them, each is run by itself."""
    if isinstance(batch[0].metric, Formula):
        for case in batch:
            yield from case.worked_out()
        return
    _empty(bench.con)
    filled = []
    for case in batch:
        try:
            _fill(case, bench)
            filled.append(case)
        except _UnreadableError as error:
            yield case.unreadable(error)
    runnable = [case for case in filled if case.can_be_run]
    try:
        given = _given(runnable, bench.con)
    except duckdb.Error as error:
        if len(batch) > 1:
            for case in batch:
                yield from _run_together([case], bench)
        else:
            why = _UnreadableError(f"rows that cannot be computed: {_first_line(error)}", "rows of ordinary size")
            yield batch[0].unreadable(why)
        return
    for case in runnable:
        try:
            yield from case.judged(_row(case, given))
        except _UnreadableError as error:
            yield case.unreadable(error)


def _given(cases: Sequence[_Case], con: duckdb.DuckDBPyConnection) -> tuple[pd.DataFrame | None, date]:
    """What the engine gives for cases: published rows, None when there are none, and the last day with data."""
    catalog = Catalog.model_construct(version=1, roles={}, metrics={one.kpi_id: one.runnable for one in cases})
    if not cases:
        return None, date.min
    build_states(con, catalog, since_load=0)
    as_of = as_of_day(con, catalog)
    if as_of is None:
        return None, date.min
    roll_up(con, catalog, as_of=as_of)
    return compute_values(con, catalog, as_of=as_of, made_up=True), date.fromisoformat(as_of)


def _empty(con: duckdb.DuckDBPyConnection) -> None:
    """Make the schemas anew; nothing is left of what was run before."""
    con.execute("DROP SCHEMA IF EXISTS states CASCADE; CREATE SCHEMA states; DROP SCHEMA IF EXISTS facts CASCADE;"
                " CREATE SCHEMA facts; CREATE TABLE facts._calendar(day DATE)")  # fmt: skip


def _fill(case: _Case, bench: Bench) -> None:
    """Put the rows of an example in place of the facts of its KPI."""
    for fact in dict.fromkeys(case.metric.facts):
        if fact not in bench.facts:
            continue
        columns = ", ".join(f'"{name}" {sql_type}' for name, sql_type in bench.facts[fact].items())
        bench.con.execute(f"CREATE OR REPLACE TABLE facts.{fact}({columns})")
        if rows := case.rows.get(fact, ()):
            _insert(fact, rows, bench)


def _insert(fact: str, rows: Sequence[ExampleRow], bench: Bench) -> None:
    """Insert all rows at once; columns that none of them names are null."""
    cells = [{"day": DAY, **row} for row in rows]
    names = [name for name in dict.fromkeys(name for row in cells for name in row) if name != "times"]
    casts = ", ".join(f'CAST(? AS {bench.facts[fact][name]}) AS "{name}"' for name in names)
    parts = " UNION ALL ".join(f"SELECT {casts} FROM range({row.get('times', 1)})" for row in cells)
    listed = ", ".join(f'"{name}"' for name in names)
    try:
        bench.con.execute(
            f"INSERT INTO facts.{fact}({listed}) {parts}", [row.get(name) for row in cells for name in names]
        )
    except duckdb.Error as error:
        raise _UnreadableError(f"a row that does not fit: {_first_line(error)}", f"values for {fact}") from None


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0]


def _row(case: _Case, given: tuple[pd.DataFrame | None, date]) -> dict[str, object]:
    """The row of the last period, at the grain and of the slice an example looks at, with `low` and `high`."""
    frame, last = given
    if frame is None or not any(case.rows.values()):
        raise _UnreadableError("no row", "rows of the fact")
    dimension, _, value = (case.example.by or "").partition("=")
    grain = case.example.grain or case.metric.headline_grain
    held = frame[
        (frame["kpi_id"] == case.kpi_id) & (frame["grain"] == grain) & (frame["dimension"] == dimension)
        & (frame["dimension_value"] == value) & (frame["period_start"] <= last) & (frame["period_end"] > last)
    ].sort_values("period_end")  # fmt: skip
    if held.empty:
        of = quoted(case.example.by or "the total")
        same = frame[(frame["kpi_id"] == case.kpi_id) & (frame["dimension"] == dimension)]
        known = sorted(set(same["dimension_value" if dimension else "grain"].dropna()))
        expected = "a slice the rows have" if dimension else "a grain the rows reach"
        raise _UnreadableError(f"no value per {grain} for {of}", f"{expected}: {', '.join(known) or 'none'}")
    found: dict[str, object] = held.iloc[0].to_dict()
    return found | {"low": found["interval_low"], "high": found["interval_high"]}


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
            yield what, NOT_AVAILABLE if math.isnan(number) else f"{number:.9g}", str(right)
    if example.reason is not None and example.reason not in str(given.get("reason", "")):
        yield "reason", quoted(str(given.get("reason", ""))), f"{quoted(example.reason)} in it"
