"""Explaining and varying the return of an edition: the warehouse is read, the model is asked, nothing is changed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.commands import Commands
from pipeline.engine.editions import latest_edition
from pipeline.engine.explain import edition_standing, explain, parse_period
from pipeline.errors import ConfigurationError, Problem, RoiError
from pipeline.roi.assemble import evaluate
from pipeline.roi.beside import beside
from pipeline.roi.budgets import Cell, approved_cells
from pipeline.roi.drawn import Drawn
from pipeline.roi.evaluate import OUTCOMES
from pipeline.roi.inputs import Assumption, Inputs
from pipeline.roi.records import (
    SHARED,
    FiscalYear,
    Month,
    Point,
    RoiResult,
    Spread,
    Swing,
)
from pipeline.roi.results import UNIT, USE_CASE, counted
from pipeline.roi.rows import CLAIM_COLUMNS, COST_COLUMNS, claim_row, cost_row
from pipeline.roi.scoped import names_of, scoped
from pipeline.roi.store import no_result, stored_inputs, stored_result
from pipeline.roi.tree import Held, Node, tree_of
from pipeline.roi.years import fiscal_years
from pipeline.warehouse import ledger

Record = dict[str, Any]
SPREADS = {
    "programme_roi": "roi_spread", "net_benefit": "net_spread", "payback_months": "payback_spread",
    "cost_savings": "savings_spread",
}  # fmt: skip
"""The KPIs that have a range, and what of a month holds it."""
GAP = "bill_reconciliation_gap"
"""The KPI of the bill, whose parts another command tells."""
WITH_PAGE = ("programme_roi", "net_benefit")
"""The KPIs that are explained with all that stands beside them on a page."""


@dataclass(frozen=True)
class Explained:
    """The tree of one KPI of the model, the edition that says so, and the files behind the KPIs it is made of."""

    kpi_id: str
    name: str
    question: str
    formula: str
    definition_hash: str
    edition: int
    month: date
    published: Record
    tree: Node
    sources: tuple[Record, ...]
    from_rows: Record
    """Empty: such a KPI is worked out from other KPIs, and has no rows of its own."""
    years: tuple[FiscalYear, ...] = ()
    """Benefits, costs and net of the same months by fiscal year, not discounted."""
    beside: tuple[Node, ...] = ()
    """What else a page tells of the same months: claims that do not count, hours, break-even, cost per outcome."""
    simulation: Simulation | None = None
    """How to draw the range of the value again; None for a value without a range."""
    by: str = ""
    """The part of the programme it is of, as it was asked for; empty for all of it."""


@dataclass(frozen=True)
class Simulation:
    """All that a range is drawn from; `docs/roi.md` says how, in "How to recompute the page"."""

    seed: int
    draws: int
    first_month: date
    inputs: tuple[Drawn, ...]
    rate: Drawn | None
    weight: Drawn | None
    spread: Spread | None
    """What came out for the value that is explained."""
    tornado: tuple[Swing, ...]
    """Net benefit of the whole programme with one input at its P10 and P90."""


@dataclass(frozen=True)
class WhatIf:
    """A result as it was published and as it would be under other figures."""

    edition: int
    changes: dict[str, Decimal]
    before: RoiResult
    after: RoiResult


def explain_return(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    kpi_id: str,
    *,
    period: str | None,
    as_of: str | None,
    by: str | None = None,
    every: bool = False,
) -> Explained:
    """The arithmetic of a KPI of the model in a month, from the edition that stood then.

    `by` is use_case=NAME or business_unit=NAME; `every` tells the files of all months that the value looks back over
    and not of the last one alone. Raises ConfigurationError for a month or a part that the edition does not have, and
    RoiError for an edition without a result.
    """
    from pipeline.catalog.formulas import formula_line
    from pipeline.catalog.hashes import definition_hash

    number = int(str(edition_standing(con, as_of)["number"]))
    result = stored_result(con, number)
    if result is None:
        raise RoiError(no_result(con, number))
    commands = ledger.commands(con)
    part = _part(result, kpi_id, by, commands) if by is not None else ("", "")
    result = scoped(result, *part) if by is not None else result
    assert result is not None  # noqa: S101 - the part was found
    month = _month(period, result)
    tree, metric = tree_of(result, kpi_id, month), catalog.metrics[kpi_id]
    if tree is None:
        raise ConfigurationError("There is no such month.", [_no_month(period, result)])
    shown = month or result.points[-1].month
    window = _window(result, shown)
    read = [one.month for one in window] if every else [shown]
    sources = tuple(source for one in read for source in _sources(con, catalog, result, one))
    told = (kpi_id, metric.name, metric.question, formula_line(metric), definition_hash(metric))
    published = {} if by else _published(con, catalog, kpi_id, shown, as_of)
    years = fiscal_years(window, catalog.fiscal_year_begins, claims=result.claims)
    drawn = _simulation(result, kpi_id, shown)
    apart = _beside(con, number, Held(result, _point(result, shown)), part) if kpi_id in WITH_PAGE else ()
    return Explained(*told, number, shown, published, tree, sources, {}, years, apart, drawn, by or "")


def _part(result: RoiResult, kpi_id: str, by: str, commands: Commands) -> tuple[str, str]:
    """Dimension and name of `use_case=NAME` or `business_unit=NAME`."""
    dimension, _, name = by.partition("=")
    if kpi_id == GAP:
        instead = f"{commands.roi('reconcile')} tells it by project"
        problem = Problem("--by", "E002", f"found {by!r}; the bill has no use cases: {instead}")
        raise ConfigurationError(f"{kpi_id} cannot be told in parts.", [problem])
    if dimension not in (USE_CASE, UNIT):
        problem = Problem("--by", "E002", f"found {by!r}, expected {USE_CASE}=NAME or {UNIT}=NAME")
        raise ConfigurationError(f"{kpi_id} cannot be told that way.", [problem])
    names = names_of(result, dimension)
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"{dimension} is one of {', '.join(names)}"
        told = "There is no such use case." if dimension == USE_CASE else "There is no such business unit."
        raise ConfigurationError(told, [Problem("--by", "E003", f"found {name!r}; {hint}")])
    return dimension, name


def _point(result: RoiResult, shown: date) -> Point:
    return next(point for point in result.points if point.month == shown)


def _beside(con: duckdb.DuckDBPyConnection, edition: int, held: Held, part: tuple[str, str]) -> tuple[Node, ...]:
    """The trees beside the return; verified outcomes and budgets come from the edition's inputs, and are of no unit."""
    inputs = stored_inputs(con, edition)
    numbers = [one for one in inputs.kpis if (one.kpi_id, one.part) == OUTCOMES]
    case = SHARED if not part[0] else part[1] if part[0] == USE_CASE else None
    within = [one for one in numbers if one.use_case == case and held.point.since <= one.month <= held.point.month]
    by_month = {one.month: one.value for one in sorted(within, key=lambda one: one.month) if one.value is not None}
    return beside(held, {} if counted(within) is None else by_month, _budgets(held, inputs, part))


def _budgets(held: Held, inputs: Inputs, part: tuple[str, str]) -> dict[Cell, Decimal]:
    """What was approved by use case and month; nothing of a business unit, or where a part has no rate."""
    if part[0] == UNIT:
        return {}
    months = [one.month for one in held.result.programme.months]
    found = approved_cells(inputs, months, part[1] if part[0] else None)
    known = {cell: amount for cell, (amount, _) in found.items() if amount is not None}
    return known if len(known) == len(found) else {}


def _simulation(result: RoiResult, kpi_id: str, shown: date) -> Simulation | None:
    """How the range of a month is drawn; None for a KPI that has none."""
    if kpi_id not in SPREADS:
        return None
    point, held = _point(result, shown), result.simulated
    spread: Spread | None = getattr(point, SPREADS[kpi_id])
    told = (held.inputs, held.rate, held.weight, spread, result.tornado)
    return Simulation(result.seed, result.draws, point.since, *told)


def _window(result: RoiResult, shown: date) -> list[Month]:
    """The months that a month's value looks back over."""
    since = next((point.since for point in result.points if point.month == shown), shown)
    return [one for one in result.programme.months if since <= one.month <= shown]


def _published(con: duckdb.DuckDBPyConnection, catalog: Catalog, kpi_id: str, month: date, as_of: str | None) -> Record:
    """The row of the published values; empty when the month has none."""
    try:
        return explain(con, catalog, kpi_id, period=f"{month:%Y-%m}", as_of=as_of).published
    except ConfigurationError:
        return {}


def _month(period: str | None, result: RoiResult) -> date | None:
    if period is None:
        return None
    found = parse_period(period)
    if found.grain != "month" or found.start not in [point.month for point in result.points]:
        raise ConfigurationError("There is no such month.", [_no_month(period, result)])
    return found.start


def _no_month(period: str | None, result: RoiResult) -> Problem:
    span = f"a month from {result.first_month:%Y-%m} to {result.last_month:%Y-%m}" if result.first_month else "none yet"
    return Problem("--period", "E003", f"found {period}, expected {span}")


def _sources(con: duckdb.DuckDBPyConnection, catalog: Catalog, result: RoiResult, month: date) -> Iterator[Record]:
    """For each KPI among the factors its value of the month, the same from the rows, and the files read."""
    commands = ledger.commands(con)
    used = {(term.name.split(".")[0], claim.use_case) for claim in result.claims if claim.month == month
            for term in claim.terms if term.kind == "kpi"}  # fmt: skip
    for kpi_id, case in sorted(used):
        by = f"use_case={case}" if "use_case" in catalog.metrics[kpi_id].dimensions else None
        try:
            found = explain(con, catalog, kpi_id, period=f"{month:%Y-%m}", by=by)
        except ConfigurationError:
            continue
        command = commands.roi(f"explain {kpi_id} --period {month:%Y-%m}" + (f" --by {by}" if by else ""))
        yield {
            "kpi": kpi_id,
            "by": by or "",
            "command": command,
            "month": f"{month:%Y-%m}",
            "from_rows": found.from_rows,
            "files": found.files,
        }


def what_if(con: duckdb.DuckDBPyConnection, catalog: Catalog, changes: dict[str, Decimal]) -> WhatIf:
    """The newest edition's result under other figures; neither the edition nor the register is touched.

    A figure stands for every row of the assumption: an id without a use case also sets those of single use cases. The
    range is moved with it, and the row counts as approved. Raises ConfigurationError for an assumption nobody asks for.
    """
    number = int(str((latest_edition(con) or {"number": 0})["number"]))
    inputs = stored_inputs(con, number)
    before = stored_result(con, number)
    assert before is not None  # noqa: S101 - both are stored in one row
    return WhatIf(number, changes, before, evaluate(catalog, _changed(inputs, before, changes), seed=before.seed))


def _changed(inputs: Inputs, before: RoiResult, changes: dict[str, Decimal]) -> Inputs:
    known = {one.assumption_id for one in before.assumptions} | {row.assumption_id for row in inputs.assumptions}
    known |= {name.split(".")[0] for name in known}
    known |= {f"{name}.{one.use_case}" for name in known if "." not in name for one in inputs.portfolio}
    unknown = [
        Problem("--set", "E009", f"found {name!r}; {_near(name, known)}") for name in changes if name not in known
    ]
    if unknown:
        raise ConfigurationError("There is no such assumption.", unknown)
    rows, units = list(inputs.assumptions), {name: _unit(name, before) for name in changes}
    wild = [Problem("--set", "E009", told) for name in changes if (told := _beyond(name, changes[name], units[name]))]
    if wild:
        raise ConfigurationError("A figure is not possible.", wild)
    for name, value in changes.items():
        held = [row for row in rows if row.assumption_id == name or row.assumption_id.startswith(f"{name}.")]
        unit = units[name]
        rows = [_moved(row, value, inputs.as_of) if row in held else row for row in rows]
        rows += [] if held else [_made(name, value, unit, inputs.as_of)]
    return replace(inputs, assumptions=tuple(rows))


def _unit(name: str, before: RoiResult) -> str:
    """The unit of an assumption, or of the one it is a special case of."""
    units = {one.assumption_id: one.unit for one in before.assumptions if one.unit}
    alike = (unit for known, unit in units.items() if known.split(".")[0] == name.split(".", maxsplit=1)[0])
    return units.get(name) or next(alike, "ratio")


def _beyond(name: str, value: Decimal, unit: str) -> str:
    """What is wrong with a figure that its unit cannot have; empty when nothing is."""
    if unit == "ratio" and not 0 <= value <= 1:
        return f"found {name}={value}, expected a share from 0 to 1"
    return f"found {name}={value}, expected at least 0 {unit}" if value < 0 else ""


def _near(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), 1)
    return f"did you mean {near[0]}?" if near else "known are " + ", ".join(sorted(known))


def _moved(row: Assumption, value: Decimal, as_of: date) -> Assumption:
    """A row with another figure: its range keeps its width in shares of the figure, and it holds and is approved."""
    ends = [value * end / row.base if row.base else value for end in (row.low, row.high)]
    if row.unit == "ratio":
        ends = [min(max(end, Decimal(0)), Decimal(1)) if 0 <= value <= 1 else end for end in ends]
    low, high = min(*ends, value), max(*ends, value)
    until = None if row.valid_to is not None and row.valid_to <= as_of else row.valid_to
    approved = row.approved_at or row.valid_from
    by = row.approved_by or "what if"
    return replace(row, low=low, base=value, high=high, valid_to=until, approved_at=approved, approved_by=by)


def _made(name: str, value: Decimal, unit: str, as_of: date) -> Assumption:
    """A row for an assumption that the register lacks."""
    return Assumption(
        name, "", date(1970, 1, 1), None, value, value, value, unit, "", "E", "what if", "", "what if", as_of
    )


def parse_changes(
    texts: Sequence[str], *, option: str = "--set", example: str = "assumption=number, such as risk=0.1"
) -> dict[str, Decimal]:
    """`id=VALUE` of the command line; raises ConfigurationError for anything else."""
    found, problems = {}, []
    for text in texts:
        name, _, value = text.partition("=")
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not name:
            problems.append(Problem(option, "E009", f"found {text!r}, expected {example}"))
        elif name in found:
            problems.append(Problem(option, "E009", f"found {name} twice, expected one figure for each"))
        found[name] = number
    if problems:
        raise ConfigurationError("A figure cannot be read.", problems)
    return found


def write_rows(result: RoiResult, path: Path) -> int:
    """Write every claim and cost behind a result as CSV, one row each; returns how many."""
    rows = [{"kind": "claim", **claim_row(one)} for one in result.claims]
    rows += [{"kind": "cost", **cost_row(one)} for one in result.costs]
    columns = ["kind", *dict.fromkeys((*CLAIM_COLUMNS, *COST_COLUMNS))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)
