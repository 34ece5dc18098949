"""`roi sources`: the kinds of export that can be read, what a file is taken for, drafts, and fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Json, print_json
from pipeline.errors import ExitCode, RoiError
from pipeline.settings import settings

if TYPE_CHECKING:
    from pipeline.sources.mapping import SourceMapping

app = typer.Typer(no_args_is_help=True, help="The kinds of export that can be read.")


@app.command("list")
def sources_list(as_json: Json = False) -> None:
    """List every kind of export that can be read, and the tables it fills."""
    mappings = _mappings()
    if as_json:
        keys = ("source", "reader", "also", "files", "describes")
        print_json([{key: getattr(one, key) for key in keys} | {"tables": sorted(one.tables)} for one in mappings])
    else:
        from pipeline.summary import print_table

        lists = [((one.reader, *one.also), one.files, sorted(one.tables)) for one in mappings]
        body = [(one.source, *map(", ".join, listed)) for one, listed in zip(mappings, lists, strict=True)]
        print_table(("source", "reader", "file names", "fills"), body)


@app.command("probe")
def sources_probe(
    files: Annotated[list[Path], typer.Argument(help="Files to look at.", exists=True, dir_okay=False)],
    draft: Annotated[
        Path | None, typer.Option(help="Write a draft mapping for the file, such as sources/helpdesk.yaml.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which source each file is taken for, and why, without loading it."""
    from pipeline.assurance import probe
    from pipeline.summary import print_probe

    if draft is not None:
        _write_draft(files, draft, as_json=as_json)
        return
    found = [probe(settings(), path) for path in files]
    if as_json:
        print_json(found)
    else:
        for one in found:
            print_probe(one)
    if any(not one["source"] for one in found):
        raise typer.Exit(int(ExitCode.ERROR))


def _write_draft(files: list[Path], target: Path, *, as_json: bool) -> None:
    from pipeline.draft import draft

    if len(files) != 1:
        raise RoiError("A draft is made from one file.")
    if target.exists():
        raise RoiError(f"{target} is there already; name another file, or move it away.")
    own = settings().mapping_folders[-1]
    is_made = not target.parent.exists() and target.parent.resolve() == own.resolve()
    if not is_made and not target.parent.is_dir():
        expected = f"expected one, such as {own}, where mappings are read"
        raise RoiError(f"{target.parent} is not a folder that is there; {expected}: make it, or name another file.")
    made = draft(files[0], source=target.stem)
    if is_made:
        target.parent.mkdir()
    target.write_text(made.yaml, encoding="utf-8")
    if as_json:
        told = {name: one for name, one in vars(made).items() if name != "yaml"}
        print_json({"written": target, "made_folder": target.parent if is_made else None} | told)
        return
    if is_made:
        typer.echo(f"Made the folder {target.parent}")
    typer.echo(f"{target}: {made.table} from {made.reader}, {len(made.matched)} columns guessed")
    for words, listed in (("Look at", made.guesses), ("Decide", made.doubts)):
        for one in listed:
            typer.echo(f"{words}: {one}")
    if made.missing:
        typer.echo(f"Fill in: {', '.join(made.missing)}")
    if target.parent.resolve() != own.resolve():
        typer.echo(f"It counts once it stands in {own}")
    typer.echo(f"Read it through, then: roi sources probe {files[0]}")


@app.command("test")
def sources_test(
    sources: Annotated[list[str] | None, typer.Argument(help="Only these sources; all with a fixture if none.")] = None,
    write: Annotated[bool, typer.Option(help="Write the rows found as those expected, to be read through.")] = False,
    as_json: Json = False,
) -> None:
    """Run the fixtures: each export in tests/sources/NAME or sources/tests/NAME must become its rows.json."""
    from pipeline.source_tests import fixture_folders, run_fixture

    chosen, mappings = settings(), _mappings()
    folders = [folder for folder in fixture_folders(chosen) if not sources or folder.name in sources]
    if not folders:
        raise RoiError("There is no fixture: put an export into sources/tests/NAME, NAME being its source.")
    found = [run_fixture(folder, mappings, now=chosen.now, write=write) for folder in folders]
    if as_json:
        print_json([vars(one) for one in found])
    else:
        for one in found:
            typer.echo(
                f"{'BAD ' if one.wrong else 'ok  '} {one.source}: {one.wrong or f'{one.rows} rows of {one.file}'}"
            )
        wrong = sum(bool(one.wrong) for one in found)
        fate = "were not written" if write else "differ"
        typer.echo(f"{wrong} of {len(found)} fixtures {fate}" if wrong else f"{len(found)} fixtures: no problem found")
    raise typer.Exit(int(ExitCode.CONFIGURATION if any(one.wrong for one in found) else ExitCode.OK))


def _mappings() -> tuple[SourceMapping, ...]:
    from pipeline.sources.mapping import load_mappings

    return load_mappings([folder for folder in settings().mapping_folders if folder.is_dir()])
