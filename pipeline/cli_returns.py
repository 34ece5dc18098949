"""The command `roi what-if`, and what `roi explain` prints of a KPI of the ROI model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Exports, Json, print_json, with_warehouse
from pipeline.settings import settings
from pipeline.summary import print_course

if TYPE_CHECKING:
    from pipeline.catalog.model import Catalog
    from pipeline.returns import Explained, Simulation, WhatIf
    from pipeline.settings import Settings
    from pipeline.targets import Retargeted


GAP = "bill_reconciliation_gap"
"""The KPI whose parts another command tells."""


def is_return(kpi: str) -> bool:
    """Return whether a KPI is one that the ROI model works out."""
    from pipeline.roi.tree import TREES

    return kpi in TREES


def explain_return(
    chosen: Settings,
    catalog: Catalog,
    kpi: str,
    *,
    period: str | None,
    as_of: str | None,
    rows: Path | None,
    course: bool,
    as_json: bool,
) -> None:
    """Print the tree of a KPI of the model, and write the claims and costs behind it where that is asked for."""
    from pipeline.engine.course import course_of, defined
    from pipeline.engine.explain import edition_standing
    from pipeline.returns import explain_return as explained
    from pipeline.returns import write_rows
    from pipeline.roi.store import plain, stored_result
    from pipeline.warehouse.connection import warehouse

    with warehouse(chosen.warehouse, read_only=True) as con:
        found = explained(con, catalog, kpi, period=period, as_of=as_of)
        result = stored_result(con, found.edition) if rows else None
        every = course_of(con, kpi, ("", ""), edition=found.edition) if course else []
        through = str(edition_standing(con, as_of)["as_of"])[:10]
    written = write_rows(result, rows) if result and rows else 0
    if as_json:
        more = {"definition": defined(catalog.metrics[kpi]), "data_through": through, "course": plain(every)}
        print_json(plain(found) | more | {"written": {str(rows): written} if rows else {}})  # type: ignore[operator]
        return
    _print(found)
    print_course(every)
    if rows:
        typer.echo(f"{written} claims and costs written to {rows}")


def _print(found: Explained) -> None:
    from pipeline.roi.text import beside_lines, figures, shared_figures, tree_lines, year_lines

    typer.echo(f"{found.name} ({found.kpi_id}) to the end of {found.month:%Y-%m}, edition {found.edition}")
    typer.echo(f"  {found.question}")
    typer.echo(f"  formula     {found.formula}")
    typer.echo(f"  definition  {found.definition_hash}")
    if found.published.get("value") is None and found.published.get("reason"):
        typer.echo(f"  no value    {found.published['reason']}")
    typer.echo("")
    for line in tree_lines(found.tree):
        typer.echo(line)
    for line in (*year_lines(found.years), *beside_lines(found.beside), *_drawing(found.simulation)):
        typer.echo(line)
    if found.kpi_id == GAP:
        typer.echo(f"\nWhy the two differ, in parts that sum to the gap: roi reconcile --month {found.month:%Y-%m}")
    typer.echo("\nWhere the figures stand:")
    drawn = found.simulation
    shared = shared_figures(drawn.rate, drawn.weight) if drawn else set()
    for figure, place in sorted(figures(found.tree) | shared):
        typer.echo(f"  {figure}: {place}")
    typer.echo(f"\nKPI values of {found.month:%Y-%m} and the files they were read from:")
    for source in found.sources:
        typer.echo(f"  {source['command']}")
        tables = dict.fromkeys(file["table_name"] for file in source["files"])
        for table in tables:
            held = [file for file in source["files"] if file["table_name"] == table]
            more = f" and {len(held) - 1} more files" if held[1:] else ""
            rows = sum(file["rows"] for file in held)
            typer.echo(f"    {table}: {rows} rows of {held[-1]['file']} ({held[-1]['hash']}){more}")


def _drawing(held: Simulation | None) -> Iterator[str]:
    """What the range was drawn from."""
    from pipeline.roi.text import input_lines, number

    if held is None or held.spread is None:
        return
    ends = ", ".join(f"{name.upper()} {number(getattr(held.spread, name))}" for name in ("p10", "p50", "p90"))
    draws = number(Decimal(held.draws))
    yield f"\nRange: {ends}, from {draws} draws of seed {held.seed}; each input is drawn once for all:"
    yield from input_lines(held.inputs)


class Scenario(StrEnum):
    """A scenario of the return: every uncertain figure at its worse end, at base, or at its better end."""

    low = "low"
    base = "base"
    high = "high"


def what_if(
    sets: Annotated[list[str] | None, typer.Option("--set", help="assumption=value; may be repeated.")] = None,
    targets: Annotated[list[str] | None, typer.Option("--target", help="kpi_id=value; may be repeated.")] = None,
    scenario: Annotated[Scenario | None, typer.Option(help="Net benefit with all figures at one end.")] = None,
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Show what other figures would do to the return, and other targets to verdicts; the edition stays as it is."""
    from pipeline.catalog.load import load_catalog
    from pipeline.returns import parse_changes
    from pipeline.returns import what_if as varied
    from pipeline.targets import retarget
    from pipeline.warehouse.connection import warehouse

    if not (sets or targets or scenario):
        raise typer.BadParameter("give at least one of --set, --target and --scenario")
    changes = parse_changes(sets or [])
    aims = parse_changes(targets or [], option="--target", example="kpi_id=number, such as adoption_rate=0.4")
    chosen = with_warehouse(settings(exports=exports))
    with warehouse(chosen.warehouse, read_only=True) as con:
        catalog = load_catalog(chosen.catalog)
        judged = retarget(con, catalog, aims)
        found = varied(con, catalog, changes) if changes or scenario else None
    if as_json:
        print_json(_as_json(found, judged, scenario))
        return
    for line in _what_if_lines(found, judged, scenario):
        typer.echo(line)


def _as_json(found: WhatIf | None, judged: Sequence[Retargeted], scenario: Scenario | None) -> dict[str, object]:
    """Both results, the values whose verdict would change, and the scenario, as far as each was asked for."""
    from pipeline.roi.store import plain

    told: dict[str, object] = {}
    if found is not None:
        shown = {
            when: {name: plain(getattr(one, name)) for name in ("programme", "lines", "tornado", "problems")}
            for when, one in (("before", found.before), ("after", found.after))
        }
        told = {"edition": found.edition, "set": plain(found.changes), **shown}
    if found is not None and scenario:
        ends = (found.before.scenarios.get(scenario), found.after.scenarios.get(scenario))
        told["scenario"] = {"name": str(scenario), "before": plain(ends[0]), "after": plain(ends[1])}
    if judged:
        told["targets"] = [
            {"kpi_id": one.kpi_id, "side": one.side, "old": plain(one.old), "new": plain(one.new),
             "values": len(one.values), "changed": [plain(value) for value in one.changed]}
            for one in judged
        ]  # fmt: skip
    return told


def _what_if_lines(found: WhatIf | None, judged: Sequence[Retargeted], scenario: Scenario | None) -> Iterator[str]:
    from pipeline.roi.text import difference_lines, scenario_line
    from pipeline.targets import target_lines

    if found is not None:
        yield f"What if, against edition {found.edition} (which stays as it is)"
        yield from difference_lines(found.before, found.after, found.changes)
    if found is not None and scenario:
        yield scenario_line(found.before, found.after, scenario)
    if found is None:
        yield "What if, against the newest edition (which stays as it is)"
    yield from target_lines(judged)
