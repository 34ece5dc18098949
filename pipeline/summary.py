"""What the command line prints: progress on long stages, one table at the end, and explanations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pipeline.errors import ExitCode

if TYPE_CHECKING:
    from pipeline.engine.explain import Explanation
    from pipeline.ingest import Taken


Progress = Callable[[str], None]
_FILES = ("loaded", "duplicate", "quarantined", "ignored")
_ROWS = ("rows_in", "loaded", "duplicate", "quarantined", "left_out")
_RETRIED = ("files", "loaded", "duplicate", "quarantined")


@dataclass
class Summary:
    """What one run did, for the table at its end and for `--json`."""

    warehouse: str
    edition: int = 0
    as_of: str = ""
    new_edition: bool = False
    pages_drawn: bool = False
    replaced: str = ""
    """The warehouse whose pages stood in reports/ before, where it is another one."""
    files: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    """Of files whose quarantine was tried again: how many, and their rows by fate."""
    states: list[dict[str, object]] = field(default_factory=list)
    values: int = 0
    restated: int = 0
    without_value: list[str] = field(default_factory=list)
    """KPIs without a current value, as the index counts them."""
    asked: str = ""
    """What a command needs to be about this warehouse, such as ` --exports FOLDER`."""
    checks_failed: list[str] = field(default_factory=list)
    still_quarantined: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """3 when something was published that somebody should look at."""
        return ExitCode.WARNINGS if self.warnings else ExitCode.OK

    def count(self, taken: Taken) -> None:
        """Enter what became of files and rows."""
        self.files = {fate: getattr(taken, f"files_{fate}") for fate in _FILES}
        self.rows = {fate: getattr(taken, fate) for fate in _ROWS}
        self.retried = {key: taken.retried[key] for key in _RETRIED} if taken.retried else {}


@contextmanager
def progress_line(*, quiet: bool) -> Iterator[Progress]:
    """Show the stage at work on standard error: one living line on a terminal, a line per stage in a log."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with console.status("Starting") as status:
            yield status.update
    else:
        stages: set[str] = set()

        def say(text: str) -> None:
            stage = text.partition(":")[0]
            if stage not in stages:
                stages.add(stage)
                console.print(f"{stage} ...", markup=False)

        yield say


def print_table(header: tuple[str, ...], body: Iterable[tuple[Any, ...]]) -> None:
    """Print a plain table, columns as wide as their longest cell, numbers to the right."""
    cells = [tuple(str(cell) for cell in row) for row in body]
    widths = [max(len(row[i]) for row in [header, *cells]) for i in range(len(header))]
    for row in [header, *cells]:
        line = "  ".join(
            cell.rjust(width) if cell.replace(",", "").isdigit() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        )
        typer.echo(line.rstrip())


def replaced_line(warehouse: str) -> str:
    """That the pages of another warehouse stood there before."""
    folder = "" if warehouse == "sample" else " --exports DIR"
    return (
        f"reports/ showed the warehouse {warehouse} until now. Nothing of it is lost: `roi report{folder}` "
        "draws its pages again."
    )


def print_summary(summary: Summary, *, as_json: bool) -> None:
    """Print the one table at the end of a run, the warnings, and what to open next."""
    if as_json:
        typer.echo(json.dumps(asdict(summary) | {"exit_code": int(summary.exit_code)}, indent=2, default=str))
        return
    if summary.replaced:
        typer.echo(replaced_line(summary.replaced))
    if not summary.new_edition:
        typer.echo(
            f"{_nothing_done(summary)}. Edition {summary.edition} of {summary.warehouse} stands "
            f"(data through {summary.as_of})."
            + (" Its pages were drawn again." if summary.pages_drawn else "")
            + (f" Still {summary.still_quarantined}: reports/run.html says why." if summary.still_quarantined else "")
        )
        for warning in summary.warnings:
            if not summary.still_quarantined or not warning.startswith(summary.still_quarantined):  # it was just told
                typer.echo(f"! {warning}")
        _print_next(summary)
        return
    print_table(("stage", "result"), _stages(summary))
    for warning in summary.warnings:
        typer.echo(f"! {warning}")
    for check in summary.checks_failed:
        typer.echo(f"! check {check}")
    typer.echo("Open reports/index.html")
    _print_next(summary)


def _nothing_done(summary: Summary) -> str:
    """That a run found nothing new, or tried again in vain."""
    if not summary.retried:
        return "Nothing new: 0 files loaded, 0 states rebuilt"
    files, rows = (_counted(summary.retried[name], one) for name, one in (("files", "file"), ("quarantined", "row")))
    return f"Nothing changed: {files} retried, {rows} still quarantined"


def _print_next(summary: Summary) -> None:
    """The commands that tell more of what somebody should look at, on one line; nothing where there is nothing."""
    number, asked = summary.edition, summary.asked
    steps = []
    if summary.still_quarantined:
        steps.append(f"`roi quarantine list{asked}` (what was refused, why, and how to mend it)")
    if summary.restated:
        steps.append(f"`roi edition diff {number - 1} {number}{asked}` (which values read otherwise)")
    if count := len(summary.without_value):
        what = "why 1 KPI has" if count == 1 else f"why {count} KPIs have"
        steps.append(f"`roi edition show {number}{asked}` ({what} no current value)")
    if steps:
        typer.echo(f"Next: {'; '.join(steps)}")


def _stages(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "files", ", ".join(f"{count} {fate}" for fate, count in summary.files.items())
    rows = summary.rows
    yield "rows", "{rows_in} in = {loaded} loaded + {duplicate} duplicate + {quarantined} quarantined".format(**rows)
    if rows["left_out"]:
        yield "left out", f"{rows['left_out']} rows more, by the `where` of mappings: reports/run.html says of which"
    if summary.retried:
        yield (
            "retried",
            "{files} files: {loaded} loaded + {duplicate} duplicate + {quarantined} still quarantined".format(
                **summary.retried
            ),
        )
    days = sum(int(str(state["days"])) for state in summary.states)
    yield "states", f"{_counted(days, 'day')} of {_counted(len(summary.states), 'fact')} rebuilt"
    for state in summary.states:
        span = str(state["first_day"]) + ("" if state["days"] == 1 else f" to {state['last_day']}")
        yield f"  {state['fact']}", f"{_counted(int(str(state['days'])), 'day')}, {span}"
    yield "values", f"{summary.values}, {summary.restated} restated"
    yield "checks", f"{len(summary.checks_failed)} failed" if summary.checks_failed else "all passed"
    yield "edition", f"{summary.edition} of {summary.warehouse}, data through {summary.as_of}"


def _counted(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def print_probe(found: dict[str, Any]) -> None:
    """Print which source a file is taken for, and what would become of its rows."""
    typer.echo(f"{found['file']}: {found['source'] or 'not recognised'}{found['note']}")
    for table in found["tables"]:
        name = table["table"] or "unreadable records"
        typer.echo(f"  {name}: {table['rows']} rows, {table['good']} good, {table['bad']} bad")
        if table["left_out"]:
            typer.echo(f"    `where` leaves out {table['left_out']} of {table['left_out'] + table['rows']} rows")
        for reason in table["reasons"]:
            typer.echo(f"    line {reason['first_line']}: {reason['reason']} ({reason['rows']} rows)")


def print_explanation(explanation: Explanation, written: Mapping[Path, int], *, as_json: bool) -> None:
    """Print where a value comes from, or the same as JSON; `written` are files with its rows."""
    from pipeline.catalog.formulas import formula_line
    from pipeline.engine.course import defined

    metric, published = explanation.metric, explanation.published
    formula = ", over ".join([formula_line(metric), *metric.facts[:1]])
    if as_json:
        record = {
            "kpi_id": explanation.kpi_id,
            "period": str(explanation.period),
            "slice": {explanation.dimension: explanation.dimension_value} if explanation.dimension else {},
            "formula": formula,
            "edition": explanation.edition,
            "published": published,
            "history": explanation.history,
            "bound": explanation.bound,
            "from_rows": explanation.from_rows,
            "sql": explanation.sql,
            "files": explanation.files,
            "definition": defined(metric),
            "data_through": explanation.data_through,
            "course": explanation.course,
            "written": {str(path): count for path, count in written.items()},
        }
        typer.echo(json.dumps(record, indent=2, default=_text))
        return
    where = f", {explanation.dimension} = {explanation.dimension_value}" if explanation.dimension else ""
    typer.echo(f"{metric.name} ({explanation.kpi_id}), {explanation.period}{where}")
    typer.echo(f"  {metric.question}")
    told = list(_explained(explanation, formula, published))
    width = max(len(name) for name, _ in told) + 2
    for name, value in told:
        typer.echo(f"  {name:<{width}}{value}")
    typer.echo(
        "\nFiles read, and how many of their rows; n counts what the definition counts (people, days, calls), not rows:"
    )
    print_table(
        ("table", "file", "source", "rows", "lines", "hash"),
        [
            (f["table_name"], f["file"], f["source"], f["rows"], f"{f['first_line']}-{f['last_line']}", f["hash"])
            for f in explanation.files
        ],
    )
    print_course(explanation.course, metric.unit)
    for path, count in written.items():
        typer.echo(f"{count} rows written to {path}")


def print_course(course: Sequence[dict[str, object]], unit: str) -> None:
    """Print every period of a KPI as a table, values as pages print them; nothing where that was not asked for."""
    if course:
        typer.echo("\nEvery period, up to but not with the day under `before`; --json has every digit:")
        values = ("value", "interval_low", "interval_high")
        told = [
            tuple("" if one is None else str(one) for one in cells)
            for row in course
            for cells in [(row["grain"], row["period_start"], row["period_end"],
                           *(_shown(row[name], unit) if row[name] is not None else "" for name in values),
                           row["n"], row["status"], row["signal"])]
        ]  # fmt: skip
        print_table(("grain", "from", "before", "value", "low", "high", "n", "status", "signal"), told)


def _explained(explanation: Explanation, formula: str, published: dict[str, object]) -> Iterator[tuple[str, str]]:
    from pipeline.reports import words

    metric = words.holding(explanation.metric, explanation.period.end - timedelta(days=1))
    from_rows = explanation.from_rows
    shown = _as_shown([published["value"], from_rows.get("value"), *(said["value"] for said in explanation.history)],
                      metric.unit)  # fmt: skip
    yield "owner", metric.owner
    yield "formula", formula
    yield "left out", metric.leaves_out
    yield "definition", str(published["definition_hash"])
    yield "published", shown(published["value"]) + (f" ({explanation.bound})" if explanation.bound else "")
    for name in ("numerator", "denominator", "n"):
        if published[name] is not None:
            yield name, _plain(published[name])
    yield "edition", str(explanation.edition)
    if published["value"] is not None:
        yield "interval", _interval(published, metric.unit)
    yield "status", ": ".join(part for part in (str(published["status"]), str(published["reason"])) if part)
    yield "target", words.target(metric) + (f" ({words.target_source(metric)})" if metric.target else "")
    yield "verdict", str(published["verdict"]) or (words.NOT_JUDGED.word if metric.target else words.VERDICTS[""].word)
    if not explanation.is_newest:
        yield "rows", f"as they are held now, not as edition {explanation.edition} had them; so are SQL and files"
    for name, value in from_rows.items():
        yield f"rows: {name}", _of_rows(name, value, explanation, shown)
    for said, after in pairwise(explanation.history):
        yield f"edition {said['edition']}", f"{shown(said['value'])}, {_fate(said, after)}"
    if explanation.sql:
        yield "SQL", explanation.sql


def _as_shown(values: Iterable[object], unit: str) -> Callable[[object], str]:
    """What prints these values as pages do, but those that differ never alike."""
    from pipeline.reports.formats import apart

    known = list(dict.fromkeys(float(str(value)) for value in values if value is not None))
    texts = dict(zip(known, apart(known, unit), strict=True))
    return lambda value: "not available" if value is None else texts[float(str(value))]


def _shown(value: object, unit: str) -> str:
    """One value as pages print it."""
    return _as_shown([value], unit)(value)


def _of_rows(name: str, value: object, explanation: Explanation, shown: Callable[[object], str]) -> str:
    """What the rows give: sums and counts exactly, a mean that binary arithmetic has made long to nine digits."""
    if name == "value":
        return shown(value) + (f" (exactly {_plain(value)})" if explanation.bound and value is not None else "")
    is_mean = isinstance(value, float) and name not in ("numerator", "denominator")
    return _plain(Decimal(f"{value:.9g}")) if is_mean else _plain(value)


def _fate(said: dict[str, object], after: dict[str, object]) -> str:
    """What became of a value in the next edition that says something else; restated is what the corrections list."""
    edition = f"edition {after['edition']}"
    if after["is_restated"]:
        return f"restated in {edition}" + (f": {after['why']}" if after["why"] else "")
    if said["status"] == "immature":
        return f"provisional until {edition}"
    if all(said[name] == after[name] for name in ("value", "status", "definition_hash")):
        verdicts = [str(one["verdict"]) or "without a target" for one in (said, after)]
        return f"{verdicts[0]}, and {verdicts[1]} by the target of {edition}"
    return f"told otherwise from {edition} on"


def _interval(published: dict[str, object], unit: str) -> str:
    """Both ends and the method; an end that cannot be told is said to be open."""
    low, high = (
        "open" if published[name] is None else _shown(published[name], unit)
        for name in ("interval_low", "interval_high")
    )
    method = str(published["interval_method"])
    return method if low == high == "open" else f"{low} to {high} (95 %, {method})"


def _text(value: object) -> str:
    """A value that JSON does not know; a decimal with all its places, never as 0E-12."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _plain(value: object) -> str:
    if value is None:
        return "not available"
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text.lower() else text
