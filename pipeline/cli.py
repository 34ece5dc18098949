"""The `roi` command. It orders work and prints results; it holds no SQL and no arithmetic."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli_assumptions import app as assumptions_app
from pipeline.cli_editions import app as edition_app
from pipeline.cli_faults import STOPPED, stopped, unexpected, unwritable
from pipeline.cli_options import Exports, Json, Now, published, tell_findings
from pipeline.cli_options import print_json as _print_json
from pipeline.cli_options import with_warehouse as _with_warehouse
from pipeline.cli_prices import app as prices_app
from pipeline.cli_quarantine import app as quarantine_app
from pipeline.cli_reconcile import reconcile
from pipeline.cli_returns import Asked, explain_return, is_return, what_if
from pipeline.cli_sources import app as sources_app
from pipeline.errors import ConfigurationError, ExitCode, Problem, RoiError
from pipeline.settings import settings

app = typer.Typer(
    help="The nightly KPI and ROI pipeline for generative-AI programmes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 ok, 1 error, 2 configuration, 3 published with warnings, 4 blocked by a check, 75 locked.",
)
catalog_app = typer.Typer(no_args_is_help=True, help="Check and document the metric catalogue.")
app.add_typer(catalog_app, name="catalog")
app.add_typer(sources_app, name="sources")
app.add_typer(edition_app, name="edition")
app.add_typer(assumptions_app, name="assumptions")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(prices_app, name="prices")
app.command("what-if")(what_if)
app.command("reconcile")(reconcile)


def main() -> None:
    """Run the command line; every error a user can meet is printed without a traceback.

    What is written can be read by its owner alone, until the owner says otherwise.
    """
    os.umask(0o077)
    try:
        sys.exit(_run())
    except RoiError as error:
        typer.echo(str(error), err=True)
        sys.exit(int(error.exit_code))
    except KeyboardInterrupt:
        stopped()
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        typer.echo(f"{error.strerror or error}{where}; the published edition is as it was.", err=True)
        sys.exit(int(ExitCode.ERROR))
    except Exception as error:
        if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C, as a bare RuntimeError
            stopped()
        typer.echo(unwritable(error) or unexpected(error), err=True)
        sys.exit(int(ExitCode.ERROR))


def _run() -> int:
    """Run the command that the words name; raises ConfigurationError where they name none that can be run."""
    words = sys.argv[1:]
    try:
        code = int(app(words, prog_name="roi", standalone_mode=False) or 0)
        if code == STOPPED:
            raise KeyboardInterrupt  # which the library turns into a code
        return code
    except typer.TyperException as error:
        from pipeline.cli_usage import help_asked, usage_error

        root = typer.main.get_command(app)
        if shown := help_asked(error, root, words):
            typer.echo(shown, err=True)
            return int(ExitCode.CONFIGURATION)
        raise usage_error(error, root, words) from None


@app.command()
def nightly(
    exports: Exports = None,
    now: Now = None,
    rebuild: Annotated[bool, typer.Option(help="Build the warehouse anew from the exports.")] = False,
    as_json: Json = False,
) -> None:
    """Take in new exports, compute every KPI, check, and publish a new edition of the pages."""
    from pipeline.nightly import run_nightly
    from pipeline.summary import print_summary, progress_line

    with progress_line(quiet=as_json) as progress:
        summary = run_nightly(settings(exports=exports, now=now), rebuild=rebuild, progress=progress)
    print_summary(summary, as_json=as_json)
    raise typer.Exit(int(summary.exit_code))


@app.command()
def report(
    exports: Exports = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print index, role and KPI pages to reports/pdf, by a Chromium.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Draw the pages of the newest edition again, from the warehouse."""
    from pipeline.catalog.load import load_catalog
    from pipeline.drawing import draw_pages, shown_instead
    from pipeline.printing import browser, print_pages
    from pipeline.summary import progress_line, replaced_line
    from pipeline.warehouse.lock import run_lock

    chosen = _with_warehouse(settings(exports=exports))
    program = browser() if pdf else None
    catalog = load_catalog(chosen.catalog)
    roles = catalog.reported_roles()
    names = ["index.html", *(f"{role}.html" for role in roles), *(f"kpi/{kpi}.html" for kpi in catalog.metrics)]
    with run_lock(chosen.lock):
        replaced = shown_instead(chosen)
        draw_pages(chosen, catalog)
        printed = []
        with progress_line(quiet=as_json) as progress:
            for path in print_pages(chosen.reports, names, program) if program else ():
                printed.append(path)
                progress(f"Printing pages: {len(printed)} of {len(names)}")
    index = chosen.reports / "index.html"
    if as_json:
        _print_json({"index": str(index), "pdf": printed})
    else:
        if replaced:
            typer.echo(replaced_line(replaced))
        typer.echo(f"Pages drawn of the warehouse {chosen.name}: {index}")
        if printed:
            told = f"the index, {len(roles)} roles and {len(catalog.metrics)} KPIs"
            typer.echo(f"Printed: {len(printed)} files in {printed[0].parent}: {told}")


@app.command()
def sample(
    people: Annotated[int, typer.Option(min=20, max=50_000, help="How many people work there.")] = 200,
    months: Annotated[int, typer.Option(min=2, max=36, help="How many months of exports.")] = 13,
    seed: Annotated[int, typer.Option(help="Another seed is another organisation.")] = 7,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; data/exports/sample when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Write the exports of a made-up organisation, with planted trouble and truth.json of the right KPI values."""
    from dataclasses import asdict

    from pipeline.sample import write_sample

    folder = out or settings().exports
    summary = write_sample(folder, people=people, months=months, seed=seed)
    if as_json:
        _print_json({"folder": str(folder), **asdict(summary)})
    else:
        typer.echo(f"{summary.files} files with {summary.rows} rows written to {folder}")


@app.command()
def explain(
    kpi: Annotated[str, typer.Argument(help="KPI id, e.g. p95_latency.")],
    *,
    period: Annotated[
        str | None,
        typer.Option(help="2026-10-31, 2026-W44, 2026-10, 2026-Q4 or 28d:2026-10-31; the headlined one if not given."),
    ] = None,
    by: Annotated[str | None, typer.Option(help="One slice, e.g. use_case=drafting.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="What an edition said: its number, or a day on which it stood.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Write the rows behind the value to a .csv or .parquet file.")
    ] = None,
    course: Annotated[
        bool, typer.Option("--course", help="Every period of it too; --rows then writes the rows of all of them.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Of a KPI of the return: every part of every sum, every file of every month.")
    ] = False,
    exports: Exports = None,
    as_json: Json = False,
) -> None:
    """Show where a value comes from: definition, formula, the same number from the rows, and the files.

    Values are printed as pages print them, sums and counts exactly; --json has every digit.
    """
    from pipeline.catalog.load import load_catalog
    from pipeline.engine.explain import explain as explain_value
    from pipeline.engine.underlying import export_rows
    from pipeline.summary import print_explanation

    chosen = _with_warehouse(settings(exports=exports))
    catalog = load_catalog(chosen.catalog)
    _require(kpi, catalog.metrics, what="KPI")
    if is_return(kpi):
        asked = Asked(period=period, as_of=as_of, by=by, everything=everything)
        explain_return(chosen, catalog, kpi, asked, rows=rows, course=course, as_json=as_json)
        return
    with published(chosen) as con:
        found = explain_value(con, catalog, kpi, period=period, by=by, as_of=as_of, course=course)
        written = export_rows(con, found, rows) if rows else {}
    print_explanation(found, written, as_json=as_json)


@catalog_app.command("check")
def catalog_check(
    file: Annotated[Path | None, typer.Argument(help="Another catalogue than the project's.")] = None,
    as_json: Json = False,
) -> None:
    """Check the catalogue and the source mappings; all problems at once, each with file, line and column."""
    from pipeline.assurance import check_definitions
    from pipeline.summary import progress_line

    with progress_line(quiet=as_json) as progress:
        problems, counts = check_definitions(settings(), file, progress=progress)
    clean = (
        f"{counts['kpis']} KPIs of {counts['roles']} roles, {counts['examples']} examples and "
        f"{counts['sources']} sources: no problem found"
    )
    tell_findings(problems, clean=clean, about=counts, as_json=as_json)


@catalog_app.command("docs")
def catalog_docs(
    check: Annotated[bool, typer.Option(help="Write nothing; fail when the pages are not in step.")] = False,
    as_json: Json = False,
) -> None:
    """Write the pages of docs/ that come from declarations: KPIs, tables, sources, and the keys of the catalogue."""
    from pipeline.assurance import generated_docs
    from pipeline.catalog.reference import reference

    stale = []
    pages = {settings().root / "docs" / name: text for name, text in reference().items()}
    for path, text in (generated_docs(settings()) | pages).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path))
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check and stale:
        problems = [Problem(path, "D001", "is not what the declarations say; run make docs") for path in stale]
        raise ConfigurationError("Generated pages are out of step.", problems)
    if as_json:
        _print_json({"written": stale})
    else:
        typer.echo("Generated pages are in step." if not stale else "Written: " + ", ".join(stale))


@catalog_app.command("schema")
def catalog_schema(
    out: Annotated[Path | None, typer.Option(help="File to write to; printed when not given.")] = None,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of the catalogue, from which editors complete and check it."""
    from pipeline.catalog.schema import catalog_schema as schema

    if out is None:
        _print_json(schema())
        return
    out.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        _print_json({"written": str(out)})
    else:
        typer.echo(f"Written: {out}")


@catalog_app.command("facts")
def catalog_facts(
    fact: Annotated[str | None, typer.Argument(help="One fact, with its columns.")] = None,
    as_json: Json = False,
) -> None:
    """List the facts a KPI can be made of; with FACT, its columns and what each fits."""
    from pipeline.assurance import bound_facts, described_facts
    from pipeline.catalog.fact_docs import fact_lines, fact_record
    from pipeline.catalog.load import load_catalog

    catalog, facts = load_catalog(settings().catalog), bound_facts()
    if fact is not None:
        _require(fact, facts, what="fact")
    about = described_facts()
    records = [fact_record(name, catalog, facts, about) for name in ([fact] if fact else facts)]
    if as_json:
        _print_json({"facts": records})
    elif fact:
        typer.echo("\n".join(fact_lines(records[0])))
    else:
        width = max(map(len, facts))
        for record in records:
            typer.echo(f"{record['fact']:<{width}}  {record['meaning']}")
        typer.echo(f"\n{len(records)} facts; their columns: roi catalog facts FACT")


@catalog_app.command("example")
def catalog_example(
    name: Annotated[str, typer.Argument(metavar="KPI|KIND", help="A KPI of the catalogue, or a kind such as ratio.")],
    as_json: Json = False,
) -> None:
    """Print a KPI as YAML to copy: one of the catalogue, or a new one of a kind with every key it may have."""
    from pipeline.catalog.template import example

    text = example(name, settings().catalog)
    if as_json:
        _print_json({"name": name, "yaml": text})
    else:
        typer.echo(text, nl=False)


@catalog_app.command("diff")
def catalog_diff(
    rev: Annotated[str, typer.Argument(help="A git revision such as HEAD or main, or a file with another catalogue.")],
    exports: Exports = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print tables for a pull request.")] = False,
    as_json: Json = False,
) -> None:
    """Say what the catalogue changes against another one, and which numbers that makes different."""
    from pipeline.assurance import bound_facts
    from pipeline.comparison import BrokenCatalogError, compare
    from pipeline.comparison_text import as_markdown, as_record, as_text, broken_as_markdown
    from pipeline.summary import progress_line

    if markdown and as_json:
        raise typer.BadParameter("found both --json and --markdown, which exclude each other; give one of them")
    try:
        with progress_line(quiet=as_json or markdown) as progress:
            found = compare(settings(exports=exports), rev, facts=bound_facts(), progress=progress)
    except BrokenCatalogError as error:
        if markdown:
            typer.echo(broken_as_markdown(error), nl=False)
            raise typer.Exit(int(error.exit_code)) from None
        tell_findings(error.problems, clean="", about={}, as_json=as_json)
    if as_json:
        _print_json(as_record(found))
    else:
        typer.echo(as_markdown(found) if markdown else as_text(found), nl=False)


@app.command()
def doctor(exports: Exports = None, as_json: Json = False) -> None:
    """Check what a run needs: folders, the key, the catalogue, the warehouse."""
    from pipeline.assurance import examine

    findings = examine(settings(exports=exports))
    if as_json:
        _print_json([{"item": item, "ok": good, "note": note} for item, good, note in findings])
    else:
        for item, good, note in findings:
            typer.echo(f"{'ok  ' if good else 'BAD '} {item}: {note}")
    if not all(good for _, good, _ in findings):
        raise typer.Exit(int(ExitCode.ERROR))


def _require(name: str, known: Iterable[str], *, what: str) -> None:
    """ConfigurationError, with what may have been meant, when there is no such thing."""
    names = list(known)
    if name not in names:
        import difflib

        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(names)
        raise ConfigurationError(f"There is no such {what}.", [Problem(what, "E004", f"found {name!r}; {hint}")])


if __name__ == "__main__":
    main()
