"""The commands `roi edition list`, `show`, `diff` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli_options import Exports, Json, print_json, published, with_warehouse
from pipeline.errors import ExitCode
from pipeline.settings import Settings, settings

app = typer.Typer(no_args_is_help=True, help="What was published.")
Number = Annotated[int, typer.Argument(min=1, help="Number of the edition.")]
Pages = Annotated[Path | None, typer.Option(help="Write the pages it was published with into this folder instead.")]


@app.command("list")
def edition_list(exports: Exports = None, as_json: Json = False) -> None:
    """List the editions of a warehouse."""
    from pipeline.engine.editions import editions
    from pipeline.summary import print_table

    with published(settings(exports=exports)) as con:
        found = editions(con)
    if as_json:
        print_json(found)
    else:
        print_table(tuple(found[0]), [tuple(str(cell) for cell in one.values()) for one in found])


@app.command("show")
def edition_show(number: Number, exports: Exports = None, pages: Pages = None, as_json: Json = False) -> None:
    """Print what an edition said of every KPI, or write its pages as they were published."""
    if pages is not None:
        from pipeline.kept_pages import unpack

        count = unpack(settings(exports=exports).kept_pages, number, pages)
        typer.echo(f"{count} files of edition {number} in {pages}; open {pages / 'index.html'}")
        return
    from pipeline.archive import show
    from pipeline.catalog.load import load_catalog
    from pipeline.summary import print_table

    chosen = with_warehouse(settings(exports=exports))
    with published(chosen) as con:
        found = show(con, load_catalog(chosen.catalog), number)
    if as_json:
        print_json({"edition": found.edition, "values": found.values})
        return
    told = found.edition
    typer.echo(f"Edition {told['number']}, data through {told['as_of']}, published {told['published']}")
    typer.echo(f"  catalogue {told['catalog_hash']}, inputs {told['input_hash']}\n")
    header = ("kpi_id", "period", "value", "spread", "verdict")
    print_table(header, [tuple(one[name] for name in header) for one in found.values])


@app.command("diff")
def edition_diff(
    old: Number,
    new: Number,
    exports: Exports = None,
    out: Annotated[Path | None, typer.Option(help="Write every value that differs to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Print what two editions tell otherwise: counts per KPI, and the values with period, slice and reason."""
    from pipeline.archive import diff
    from pipeline.archive_text import as_csv, as_text
    from pipeline.summary import print_table

    with published(settings(exports=exports)) as con:
        found = diff(con, old, new)
    if out is not None:
        out.write_text(as_csv(found), encoding="utf-8", newline="")
    if as_json:
        print_json({"old": old, "new": new, "counts": found.counts, "values": found.values})
        return
    if not found.values:
        typer.echo(f"Editions {old} and {new} say the same.")
    else:
        print_table(("kpi_id", "change", "values"), found.counts)
        typer.echo(as_text(found), nl=False)
    if out is not None:
        typer.echo(f"{len(found.values)} values written to {out}")


@app.command("verify")
def edition_verify(exports: Exports = None, as_json: Json = False) -> None:
    """Hold every published file, and those kept of earlier editions, to the SHA-256 that each was published with."""
    from pipeline import kept_pages
    from pipeline.errors import RoiError
    from pipeline.reports.manifest import verify

    chosen = settings(exports=exports) if exports is None else with_warehouse(settings(exports=exports))
    found = verify(chosen.reports)
    if found is None:
        raise RoiError(
            f"{chosen.reports} has no data/manifest.json; run {chosen.running}, or {chosen.commands.roi('report')}, "
            "which writes one."
        )
    kept = kept_pages.verify(chosen.kept_pages)
    missing = {kept_pages.zip_of(chosen.kept_pages, number).name for number in _numbers(chosen)}
    missing -= {kept_pages.zip_of(chosen.kept_pages, one.number).name for one in kept}
    wrong = (
        found.wrong
        | dict.fromkeys(sorted(missing), "is missing")
        | {
            f"{kept_pages.zip_of(chosen.kept_pages, one.number).name}: {name}": what
            for one in kept
            for name, what in one.verified.wrong.items()
        }
    )
    if as_json:
        print_json(
            {"files": found.files, "wrong": wrong, "kept": {str(one.number): one.verified.files for one in kept}}
        )
    else:
        for name, what in wrong.items():
            typer.echo(f"! {name} {what}")
        files = found.files + sum(one.verified.files for one in kept)
        typer.echo(f"{files} files of the pages and {len(kept)} kept editions, {len(wrong)} not as published")
    raise typer.Exit(int(ExitCode.ERROR if wrong else ExitCode.OK))


def _numbers(chosen: Settings) -> list[int]:
    """The editions that a warehouse has published."""
    from pipeline.engine.editions import editions

    if not chosen.warehouse.exists():
        return []
    with published(chosen) as con:
        return [int(str(one["number"])) for one in editions(con)]
