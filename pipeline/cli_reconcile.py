"""The command `roi reconcile`: it orders work and prints results."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Exports, Json, print_json, published
from pipeline.errors import ConfigurationError, Problem, RoiError
from pipeline.settings import settings

if TYPE_CHECKING:
    from pipeline.roi.bill_records import Statement
    from pipeline.settings import Settings


def reconcile(
    month: Annotated[str | None, typer.Option(help="Such as 2026-10; the newest with an invoice if not given.")] = None,
    provider: Annotated[str | None, typer.Option(help="One provider, such as openai.")] = None,
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Show why the bill and the telemetry differ: the gap of a month in parts that sum to it, with the lines behind."""
    from pipeline.roi.bill_text import statement_lines
    from pipeline.roi.store import plain

    chosen = settings(exports=exports)
    whole, held = _reconciled(chosen, _month(month))
    shown = [one for one in held if provider is None or one.provider == provider.lower()]
    if not shown:
        known = ", ".join(one.provider for one in held) or "none"
        raise ConfigurationError(
            "There is no such provider.", [Problem("--provider", "E004", f"found {provider!r}; known are {known}")]
        )
    if as_json:
        print_json({"month": f"{whole.month:%Y-%m}", "all": plain(whole), "providers": plain(shown)})
        return
    for one in ([] if provider else [whole]) + shown:
        for line in statement_lines(one):
            typer.echo(line)
        typer.echo("")


def _month(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(f"{text}-01")
    except ValueError:
        problem = Problem("--month", "E003", f"found {text}, expected a month such as 2026-10")
        raise ConfigurationError("The month cannot be read.", [problem]) from None


def _reconciled(chosen: Settings, month: date | None) -> tuple[Statement, tuple[Statement, ...]]:
    from pipeline.engine.editions import latest_edition
    from pipeline.roi.bill_read import reconciled
    from pipeline.roi.store import stored_result

    with published(chosen) as con:
        number = int(str((latest_edition(con) or {"number": 0})["number"]))
        result = stored_result(con, number)
        bills = result.bills if result else ()
        found = reconciled(con, bills, month)
    if found is None:
        months = ", ".join(f"{one.month:%Y-%m}" for one in bills if one.invoice is not None) or "none"
        raise RoiError(f"There is no bill of {month:%Y-%m}; months with one: {months}." if month else
                       "No invoice was loaded yet, so there is nothing to reconcile.")  # fmt: skip
    return found
