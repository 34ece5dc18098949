"""The commands `roi prices`."""

from __future__ import annotations

from importlib import resources

import typer

from pipeline.cli_options import Json, print_json

app = typer.Typer(no_args_is_help=True, help="Token prices that calls are priced with.")


@app.callback()
def prices() -> None:
    """Keep this a group of commands while it has only one."""


@app.command("template")
def prices_template(as_json: Json = False) -> None:
    """Print a price book to begin with, as CSV: dated list prices of common models; put your agreed ones below."""
    text = resources.files("pipeline.roi").joinpath("list_prices.csv").read_text(encoding="utf-8")
    if as_json:
        print_json({"csv": text})
    else:
        typer.echo(text, nl=False)
