"""The command `roi what-if`, and what `roi explain` prints of a KPI of the ROI model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Exports, Json, print_json, with_warehouse
from pipeline.settings import settings

if TYPE_CHECKING:
    from pipeline.catalog.model import Catalog
    from pipeline.returns import Explained
    from pipeline.settings import Settings


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
    as_json: bool,
) -> None:
    """Print the tree of a KPI of the model, and write the claims and costs behind it where that is asked for."""
    from pipeline.returns import explain_return as explained
    from pipeline.returns import write_rows
    from pipeline.roi.store import plain, stored_result
    from pipeline.warehouse.connection import warehouse

    with warehouse(chosen.warehouse, read_only=True) as con:
        found = explained(con, catalog, kpi, period=period, as_of=as_of)
        result = stored_result(con, found.edition) if rows else None
    written = write_rows(result, rows) if result and rows else 0
    if as_json:
        print_json(plain(found) | {"written": {str(rows): written} if rows else {}})  # type: ignore[operator]
        return
    _print(found)
    if rows:
        typer.echo(f"{written} claims and costs written to {rows}")


def _print(found: Explained) -> None:
    from pipeline.roi.text import figures, tree_lines

    typer.echo(f"{found.name} ({found.kpi_id}) to the end of {found.month:%Y-%m}, edition {found.edition}")
    typer.echo(f"  {found.question}")
    typer.echo(f"  formula     {found.formula}")
    typer.echo(f"  definition  {found.definition_hash}\n")
    for line in tree_lines(found.tree):
        typer.echo(line)
    typer.echo("\nWhere the figures stand:")
    for figure, place in sorted(figures(found.tree).items()):
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


def what_if(
    sets: Annotated[list[str], typer.Option("--set", help="assumption=value; may be given several times.")],
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Show what other figures of assumptions would do to the return; the edition stays as it is."""
    from pipeline.catalog.load import load_catalog
    from pipeline.returns import parse_changes
    from pipeline.returns import what_if as varied
    from pipeline.roi.store import plain
    from pipeline.roi.text import difference_lines
    from pipeline.warehouse.connection import warehouse

    changes = parse_changes(sets)
    chosen = with_warehouse(settings(exports=exports))
    with warehouse(chosen.warehouse, read_only=True) as con:
        found = varied(con, load_catalog(chosen.catalog), changes)
    if as_json:
        shown = {name: plain(getattr(found.after, name)) for name in ("programme", "lines", "tornado", "problems")}
        before = {name: plain(getattr(found.before, name)) for name in ("programme", "lines", "tornado", "problems")}
        print_json({"edition": found.edition, "set": plain(found.changes), "before": before, "after": shown})
        return
    typer.echo(f"What if, against edition {found.edition} (which stays as it is)")
    for line in difference_lines(found.before, found.after, found.changes):
        typer.echo(line)
