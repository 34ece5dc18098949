"""The commands `roi assumptions`: they order work and print results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli_options import Exports, Json, print_json, published, tell_findings
from pipeline.settings import settings

if TYPE_CHECKING:
    from datetime import date

    from pipeline.roi.inputs import Assumption

app = typer.Typer(no_args_is_help=True, help="The register of assumptions that benefits are computed with.")
AsOf = Annotated[str | None, typer.Option(help="The day to judge on; the last day of the data when not given.")]
_COLUMNS = (
    "assumption", "use case", "low / base / high", "unit", "grade", "source", "owner", "approved", "valid", "status",
    "next step",
)  # fmt: skip


@app.command("list")
def assumptions_list(as_of: AsOf = None, exports: Exports = None, as_json: Json = False) -> None:
    """List every assumption with its figures, evidence, approval and standing, and what is to be done about it."""
    from pipeline.summary import print_table

    register, day, _ = _register(exports, as_of)
    listed = [_record(row, day, register) for row in register]
    if as_json:
        print_json({"as_of": day, "assumptions": listed})
    elif listed:
        typer.echo(f"Assumptions as of {day}")
        print_table(_COLUMNS, [_cells(record) for record in listed])
    else:
        typer.echo("No assumption was loaded yet; `roi assumptions template` prints a file to fill.")


@app.command("check")
def assumptions_check(as_of: AsOf = None, exports: Exports = None, as_json: Json = False) -> None:
    """Say everything that is wrong with the register on a day, each at its file and line."""
    from pipeline.roi.assumptions import problems

    register, day, use_cases = _register(exports, as_of)
    found = problems(register, day, use_cases=use_cases)
    clean = f"{len(register)} rows as of {day}: no problem found"
    tell_findings(found, clean=clean, about={"as_of": day, "rows": len(register)}, as_json=as_json)


@app.command("template")
def assumptions_template(as_json: Json = False) -> None:
    """Print a register to fill, as CSV: the header and one example of each kind of assumption."""
    from pipeline.roi.assumptions import template

    if as_json:
        print_json({"csv": template()})
    else:
        typer.echo(template(), nl=False)


def _register(exports: Exports, as_of: str | None) -> tuple[list[Assumption], date, frozenset[str]]:
    """The register, the day to judge it on, and the use cases of the portfolio."""
    from pipeline.roi.assumptions import day_of, last_day, read_assumptions, read_use_cases

    asked = None if as_of is None else day_of(as_of)
    with published(settings(exports=exports)) as con:
        return read_assumptions(con), asked or last_day(con), read_use_cases(con)


def _record(row: Assumption, day: date, register: list[Assumption]) -> dict[str, object]:
    from pipeline.roi.assumptions import next_step, standing

    return vars(row) | {"status": standing(row, day, register), "next_step": next_step(row, day, register)}


def _cells(record: dict[str, object]) -> tuple[str, ...]:
    figures = " / ".join(f"{record[name]:g}" for name in ("low", "base", "high"))
    approved = f"{record['approved_by'] or 'nobody'}, {record['approved_at'] or 'never'}"
    valid = f"{record['valid_from']} to {record['valid_to'] or 'open'}"
    told = [str(record[name] or "-") for name in ("unit", "grade", "source", "owner")]
    use_case = str(record["use_case"] or "(programme)")
    said = (str(record["status"]), str(record["next_step"]))
    return (str(record["assumption_id"]), use_case, figures, *told, approved, valid, *said)
