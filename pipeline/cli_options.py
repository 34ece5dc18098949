"""What the commands of `roi` share: options, the warehouse that must be there, and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.errors import RoiError
from pipeline.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Exports = Annotated[Path | None, typer.Option(help="Folder of exports; the sample's when not given.")]
Now = Annotated[str | None, typer.Option(help="The instant to take for now (ISO); rows after it are refused.")]


def with_warehouse(chosen: Settings) -> Settings:
    """The settings, when their warehouse is there; raises RoiError that says what makes it."""
    if not chosen.warehouse.exists():
        raise RoiError(
            f"There is no edition yet: {chosen.warehouse} does not exist. Run make nightly first, which makes one of "
            "the sample, or make nightly EXPORTS=dir for exports of your own."
        )
    return chosen


def with_ledger(chosen: Settings) -> Path:
    """The database that tells what was refused: the warehouse, or what a run took in that could publish nothing yet."""
    is_unpublished = chosen.unpublished.exists() and not chosen.warehouse.exists()
    return chosen.unpublished if is_unpublished else with_warehouse(chosen).warehouse


def print_json(value: object) -> None:
    """Print a value as JSON; dates and paths as their text."""
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))
