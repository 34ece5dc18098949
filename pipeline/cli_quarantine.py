"""`roi quarantine`: what was refused, why, the rows back to mend them, and taking them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Exports, Json, Now, ledger, print_json
from pipeline.settings import Settings, settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipeline.quarantine import Entry, Fault, HeldFile
    from pipeline.sources.mapping import SourceMapping

app = typer.Typer(no_args_is_help=True, help="Rows and files that were refused: why, and how they get in.")
File = Annotated[str, typer.Argument(metavar="FILE|LOAD", help="Name of a file, or its hash, or a load number.")]
Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Only these files; all when not given.")]


@app.command("list")
def quarantine_list(exports: Exports = None, as_json: Json = False) -> None:
    """List per file, table and reason the rows that are quarantined, the first line, and what to do."""
    from pipeline.quarantine import entries
    from pipeline.summary import print_table

    chosen = settings(exports=exports)
    with ledger(chosen) as con:
        found = entries(con, _mappings(chosen))
    if as_json:
        print_json([asdict(one) for one in found])
    elif not found:
        typer.echo("Nothing is quarantined.")
    else:
        body = [(one.file, one.line or "-", one.counted, one.table or "-", one.reason, one.next_step) for one in found]
        print_table(("file", "line", "rows", "table", "reason", "what to do"), body)


@app.command("show")
def quarantine_show(
    file: File,
    reason: Annotated[str, typer.Option(help="Only rows whose reason holds this text.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Show the refused rows of a file: line, column, what stands there and what was expected.

    Letters and digits of what might be about a person are shown as a and 9; `export` writes the rows as they came.
    """
    from pipeline.quarantine import entries, faults, held_files
    from pipeline.summary import print_table

    chosen = settings(exports=exports)
    mappings = _mappings(chosen)
    with ledger(chosen) as con:
        found = [
            (held, fault)
            for held in held_files(con, file)
            for fault in faults(con, held, chosen.received, mappings, reason=reason, limit=limit)
        ]
        steps = next_steps(found, entries(con, mappings))
    if as_json:
        print_json([{"file": held.name} | asdict(fault) | {"next_step": step}
                    for (held, fault), step in zip(found, steps, strict=True)])  # fmt: skip
        return
    whole, single = fault_rows(found)
    if whole:
        print_table(("where", "why it was refused"), whole)
    if single:
        print_table(("where", "table", "column", "found", "expected"), single)
    for step, reasons in _by_step(found, steps).items():
        typer.echo(f"What to do about {'; '.join(reasons)}:\n  {step}")


def next_steps(found: Sequence[tuple[HeldFile, Fault]], listed: Sequence[Entry]) -> list[str]:
    """What to do about each fault, as the list of what is quarantined says it."""
    return [
        next((one.next_step for one in listed if (one.file_hash, one.table) == (held.file_hash, fault.table)
              and (one.reason == fault.reason or fault.reason in one.reason.split("; "))), "")
        for held, fault in found
    ]  # fmt: skip


def _by_step(found: Sequence[tuple[HeldFile, Fault]], steps: Sequence[str]) -> dict[str, list[str]]:
    """Each thing to do once, with the reasons that it is for."""
    told: dict[str, list[str]] = {}
    for (_, fault), step in zip(found, steps, strict=True):
        reasons = told.setdefault(step, [])
        if step and fault.reason not in reasons:
            reasons.append(fault.reason)
    return {step: reasons for step, reasons in told.items() if step}


def fault_rows(found: Sequence[tuple[HeldFile, Fault]]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What is wrong with whole files and records, and with single values, as two tables."""
    placed = [(f"{held.name}:{one.line}" if one.line else held.name, one) for held, one in found]
    whole = [(where, one.reason) for where, one in placed if not one.expected]
    single = [
        (where, one.table or "-", one.column or "-", one.found or "-", one.expected)
        for where, one in placed if one.expected
    ]  # fmt: skip
    return [*whole], [*single]


@app.command("export")
def quarantine_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    files: Files = None,
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Write the refused rows as they came, to be mended and dropped in again.

    They stand below DIR/mended, readable by their owner alone. Mended, the folder goes into the exports folder as it
    is (`cp -r DIR/mended EXPORTS/`): `mended/x.csv` takes the place of what is quarantined of `x.csv`.
    """
    from pipeline.quarantine_files import export

    chosen = settings(exports=exports)
    with ledger(chosen) as con:
        written = export(con, _chosen(con, files), chosen.received, _mappings(chosen), out=folder)
    if as_json:
        print_json([asdict(one) for one in written])
        return
    for one in written:
        records = "1 record" if one.records == 1 else f"{one.records} records"
        typer.echo(f"{one.path}: {'the whole file' if one.is_whole else records}")
    if not written:
        typer.echo("Nothing is quarantined.")
        return
    typer.echo(
        "Mend them; they go into the exports as a folder, for over their files they would replace the good rows:"
    )
    typer.echo(f"  cp -r {quote(str(folder / 'mended'))} {quote(str(chosen.exports))}/ && {chosen.running}")


@app.command("retry")
def quarantine_retry(files: Files = None, exports: Exports = None, now: Now = None, as_json: Json = False) -> None:
    """Take what is quarantined once more, in a run of its own; counted once, however often it is tried.

    After a change of mappings or table rules every nightly run does so by itself.
    """
    from pipeline.nightly import run_nightly
    from pipeline.summary import print_summary, progress_line

    chosen = settings(exports=exports, now=now)
    with ledger(chosen) as con:
        again = frozenset(one.file_hash for one in _chosen(con, files))
    with progress_line(quiet=as_json) as progress:
        summary = run_nightly(chosen, again=again, progress=progress)
    print_summary(summary, as_json=as_json)
    raise typer.Exit(int(summary.exit_code))


def _chosen(con: DuckDBPyConnection, files: list[str] | None) -> list[HeldFile]:
    """The files named, each once, or all that are held."""
    from pipeline.quarantine import held_files

    named = [held for name in files or [] for held in held_files(con, name)]
    return list(dict.fromkeys(named)) if files else held_files(con)


def _mappings(chosen: Settings) -> tuple[SourceMapping, ...]:
    from pipeline.sources.mapping import load_mappings

    return load_mappings([folder for folder in chosen.mapping_folders if folder.is_dir()])
