"""What the commands of `roi` share: options, the warehouse that must be there, and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipeline.errors import ExitCode, Problem, RoiError
from pipeline.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Exports = Annotated[Path | None, typer.Option(help="Folder of exports; the sample's when not given.")]
Now = Annotated[str | None, typer.Option(help="The instant to take for now (ISO); rows after it are refused.")]


def with_warehouse(chosen: Settings) -> Settings:
    """The settings, when their warehouse is there; raises RoiError that says what makes it."""
    if not chosen.warehouse.exists():
        if not chosen.exports.is_dir() and not chosen.is_sample:
            raise RoiError(f"There is no folder {chosen.exports}, and no edition of it; expected a folder of exports.")
        first = f", which makes one of the sample, or {chosen.running_elsewhere} for exports of your own"
        raise RoiError(
            f"There is no edition yet: {chosen.warehouse} does not exist. Run {chosen.running} first"
            f"{first if chosen.is_sample else ''}."
        )
    return chosen


@contextmanager
def published(chosen: Settings) -> Iterator[DuckDBPyConnection]:
    """The warehouse opened to be read; raises RoiError that says what makes it, or makes it anew."""
    from pipeline.warehouse.connection import warehouse

    with warehouse(with_warehouse(chosen).warehouse, read_only=True, rebuild=chosen.rebuilding) as con:
        yield con


@contextmanager
def ledger(chosen: Settings) -> Iterator[DuckDBPyConnection]:
    """The database that tells what was refused: the warehouse, or what a run took in that could publish nothing yet."""
    from pipeline.warehouse.connection import warehouse

    is_unpublished = chosen.unpublished.exists() and not chosen.warehouse.exists()
    path = chosen.unpublished if is_unpublished else with_warehouse(chosen).warehouse
    with warehouse(path, read_only=True, rebuild=chosen.rebuilding) as con:
        yield con


def print_json(value: object) -> None:
    """Print a value as JSON; dates and paths as their text."""
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def tell_findings(found: Sequence[Problem], *, clean: str, about: Mapping[str, object], as_json: bool) -> NoReturn:
    """Print what a check found and end with 2, or with 0 when it found nothing.

    Findings and the summary after them are the result, so they go to standard output: a line per problem, as linters
    write them, and last how many there are, or `clean`. As JSON: `ok`, `problems`, and what else is said `about` it.
    """
    if as_json:
        print_json({"ok": not found, **about, "problems": [vars(one) for one in found]})
    else:
        count = f"{len(found)} problem{'s' if len(found) > 1 else ''}" if found else clean
        typer.echo("\n".join([*map(str, found), count]))
    raise typer.Exit(int(ExitCode.CONFIGURATION if found else ExitCode.OK))
