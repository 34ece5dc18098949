"""How a command line ends that somebody stopped, that could not write, or in which we made a mistake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import typer

STOPPED = 130
"""What a shell calls a program that Ctrl-C stopped."""


def stopped() -> NoReturn:
    """Say that somebody stopped the command."""
    typer.echo("Stopped; the published edition is as it was.", err=True)
    raise SystemExit(STOPPED)


def unwritable(error: Exception) -> str:
    """What DuckDB says of a file that it could not open or write, and what to do; empty for any other error."""
    import duckdb

    if not isinstance(error, duckdb.IOException):
        return ""
    said = str(error).splitlines()[0].removeprefix("IO Error: ")
    return f"{said}; name a place that this user may read and write. The published edition is as it was."


def unexpected(error: Exception) -> str:
    """Say that this is our fault; the details, which may quote data, go to a file only its owner can read."""
    import traceback

    path = Path(os.environ.get("ROI_ROOT", ".")) / "data" / "last-fault.txt"
    kind = type(error).__name__
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return f"A fault of genai-roi ({kind}); the published edition is as it was."
    return (
        f"A fault of genai-roi ({kind}); the published edition is as it was. Details are in {path}: they may quote "
        "data, so read them before you send them to anyone."
    )
