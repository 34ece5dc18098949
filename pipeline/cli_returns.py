"""The command `roi what-if`, and what `roi explain` prints of a KPI of the ROI model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli_options import Exports, Json, print_json, published, with_warehouse
from pipeline.settings import settings
from pipeline.summary import print_course

if TYPE_CHECKING:
    from pipeline.catalog.model import Catalog
    from pipeline.commands import Commands
    from pipeline.returns import Explained, Simulation, WhatIf
    from pipeline.settings import Settings
    from pipeline.targets import Retargeted


@dataclass(frozen=True)
class Asked:
    """Which value of a KPI of the model is asked for, and whether every part and every file is."""

    period: str | None
    as_of: str | None
    by: str | None
    everything: bool


Record = dict[str, Any]


def is_return(kpi: str) -> bool:
    """Return whether a KPI is one that the ROI model works out."""
    from pipeline.roi.tree import TREES

    return kpi in TREES


def explain_return(
    chosen: Settings,
    catalog: Catalog,
    kpi: str,
    asked: Asked,
    *,
    rows: Path | None,
    course: bool,
    as_json: bool,
) -> None:
    """Print the tree of a KPI of the model, and write the claims and costs behind it where that is asked for."""
    from pipeline.engine.course import course_of, defined
    from pipeline.engine.explain import edition_standing
    from pipeline.returns import explain_return as explained
    from pipeline.returns import write_rows
    from pipeline.roi.scoped import scoped
    from pipeline.roi.store import plain, stored_result

    with published(chosen) as con:
        found = explained(
            con, catalog, kpi, period=asked.period, as_of=asked.as_of, by=asked.by, every=asked.everything
        )
        result = stored_result(con, found.edition) if rows else None
        every = course_of(con, kpi, ("", ""), edition=found.edition) if course and not asked.by else []
        through = str(edition_standing(con, asked.as_of)["as_of"])[:10]
    part = scoped(result, *asked.by.split("=", 1)) if result and asked.by else result
    written = write_rows(part, rows) if part and rows else 0
    if as_json:
        more = {"definition": defined(catalog.metrics[kpi]), "data_through": through, "course": plain(every)}
        print_json(plain(found) | more | {"written": {str(rows): written} if rows else {}})  # type: ignore[operator]
        return
    _print(found, chosen.commands, everything=asked.everything)
    print_course(every, catalog.metrics[kpi].unit)
    if rows:
        typer.echo(f"{written} claims and costs written to {rows}")


def _print(found: Explained, commands: Commands, *, everything: bool) -> None:
    from pipeline.returns import GAP
    from pipeline.roi.text import SHOWN, beside_lines, figures, shared_figures, tree_lines, year_lines

    most = None if everything else SHOWN
    of = f", {found.by}" if found.by else ""
    typer.echo(f"{found.name} ({found.kpi_id}) to the end of {found.month:%Y-%m}{of}, edition {found.edition}")
    typer.echo(f"  {found.question}")
    typer.echo(f"  formula     {found.formula}")
    typer.echo(f"  definition  {found.definition_hash}")
    if found.published.get("value") is None and found.published.get("reason"):
        typer.echo(f"  no value    {found.published['reason']}")
    typer.echo("")
    for line in tree_lines(found.tree, most=most):
        typer.echo(line)
    for line in (*year_lines(found.years), *beside_lines(found.beside, most=most), *_drawing(found.simulation)):
        typer.echo(line)
    if found.kpi_id == GAP:
        apart = commands.roi(f"reconcile --month {found.month:%Y-%m}")
        typer.echo(f"\nWhy the two differ, in parts that sum to the gap: {apart}")
    typer.echo("\nWhere the figures stand:")
    drawn = found.simulation
    shared = shared_figures(drawn.rate, drawn.weight) if drawn else set()
    for figure, place in sorted(figures(found.tree) | shared):
        typer.echo(f"  {figure}: {place}")
    for line in _file_lines(found, everything=everything):
        typer.echo(line)


def _file_lines(found: Explained, *, everything: bool) -> Iterator[str]:
    """The KPI values behind it with their files: of the last month, or of every month and with every file."""
    if everything:
        yield "\nKPI values of every month and the files they were read from:"
    else:
        yield f"\nKPI values of {found.month:%Y-%m} alone and the files they were read from (--all: of every month):"
    for source in found.sources:
        yield f"  {source['command']}"
        for table in dict.fromkeys(file["table_name"] for file in source["files"]):
            held = [file for file in source["files"] if file["table_name"] == table]
            yield from _each_file(held) if everything else _last_file(table, held)


def _each_file(held: Sequence[Record]) -> Iterator[str]:
    for one in held:
        lines = f"lines {one['first_line']}-{one['last_line']}"
        yield f"    {one['table_name']}: {one['rows']} rows of {one['file']}, {lines} ({one['hash']})"


def _last_file(table: str, held: Sequence[Record]) -> Iterator[str]:
    more = f" and {len(held) - 1} more file{'s' if held[2:] else ''}" if held[1:] else ""
    rows = sum(int(file["rows"]) for file in held)
    yield f"    {table}: {rows} rows of {held[-1]['file']} ({held[-1]['hash']}){more}"


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

    if not (sets or targets or scenario):
        raise typer.BadParameter("found nothing to change; give at least one of --set, --target and --scenario")
    changes = parse_changes(sets or [])
    aims = parse_changes(targets or [], option="--target", example="kpi_id=number, such as adoption_rate=0.4")
    chosen = with_warehouse(settings(exports=exports))
    with published(chosen) as con:
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
             "since": plain(one.since), "values": len(one.values), "changed": [plain(value) for value in one.changed]}
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
