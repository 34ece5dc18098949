"""The nightly run: receive, take in, build states, compute, check, publish, in this order."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import duckdb

from pipeline.annotations import misplaced
from pipeline.assurance import bound_facts, no_exports, unwritable
from pipeline.catalog.check import load_checked
from pipeline.catalog.hashes import catalog_hash
from pipeline.catalog.model import Catalog
from pipeline.drawing import draw_pages, drawn_edition, shown_instead, stage_pages
from pipeline.errors import BlockedError, ConfigurationError, Problem, RoiError
from pipeline.gone import Held, held_before, lost
from pipeline.kept_pages import keep
from pipeline.settings import Settings
from pipeline.summary import Progress, Summary
from pipeline.warehouse.connection import create_schemas, outgrown_tables, warehouse
from pipeline.warehouse.lock import run_lock
from pipeline.warehouse.pseudonym import key_problem, load_key
from pipeline.warehouse.publish import discard_work_copy, publish_file, publish_folder, start_work_copy
from pipeline.warehouse.receive import Arrival, receive

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.ingest import Taken
    from pipeline.roi.inputs import Inputs
    from pipeline.roi.records import RoiResult
    from pipeline.sources.mapping import SourceMapping


@dataclass(frozen=True)
class _Run:
    """What the stages of one run share."""

    settings: Settings
    catalog: Catalog
    mappings: tuple[SourceMapping, ...]
    arrivals: list[Arrival]
    progress: Progress
    again: frozenset[str] = frozenset()
    """Contents whose quarantine is tried again though no definition has changed."""
    is_retry_alone: bool = False
    """Nothing but `again` could make another edition."""
    before: tuple[Held, ...] = ()
    """What was loaded before a rebuild, which may not find all of it."""


def run_nightly(
    settings: Settings,
    *,
    rebuild: bool = False,
    again: frozenset[str] = frozenset(),
    progress: Progress = lambda _: None,
) -> Summary:
    """Run every stage and publish a new edition, or say that there is nothing to do.

    What is quarantined of the contents `again` (hashes of files) is tried again though no definition has changed.

    Raises ConfigurationError (nothing run), LockedError, BlockedError (old edition kept) or RoiError.
    """
    from pipeline.sources.binding import examine_bound

    _preflight(settings, rebuild=rebuild)
    progress("Checking definitions")
    catalog = load_checked(settings.catalog, facts=bound_facts())
    mappings, problems = examine_bound([folder for folder in settings.mapping_folders if folder.is_dir()])
    if problems:
        raise ConfigurationError("The source mappings cannot be used; nothing was run.", problems)
    with run_lock(settings.lock):
        progress("Receiving files")
        run = _Run(settings, catalog, mappings, list(receive(settings.exports, settings.received)), progress, again)
        if not rebuild and _nothing_new(run):
            return _unchanged(run)
        is_retry_alone = not rebuild and bool(again) and _nothing_new(replace(run, again=frozenset()))
        run = replace(run, is_retry_alone=is_retry_alone, before=tuple(held_before(settings) if rebuild else ()))
        try:
            return _publish(run, rebuild=rebuild)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise _no_room(settings, error) from None
        finally:
            discard_work_copy(settings.work)


def _no_room(settings: Settings, error: duckdb.Error) -> RoiError:
    """The disk or the memory did not suffice; nothing was published."""
    folder = settings.warehouse.parent
    held = settings.warehouse.stat().st_size if settings.warehouse.exists() else 0
    free = shutil.disk_usage(folder).free
    return RoiError(
        f"{folder} could not be written ({type(error).__name__}): {free >> 20} MiB are free there, and a run needs "
        f"room for a copy of the warehouse ({held >> 20} MiB) and what is new. The published edition is as it was."
    )


def _publish(run: _Run, *, rebuild: bool) -> Summary:
    """Make the next edition beside the published one and put it in its place; none where a retry changed nothing."""
    settings = run.settings
    start_work_copy(settings.warehouse, settings.work, empty=rebuild)
    try:
        key = load_key(settings.key)
        with warehouse(settings.work, key=key, threads=settings.threads, rebuild=settings.rebuilding) as con:
            summary = _work(con, run)
            con.execute("CHECKPOINT")
    except RoiError:
        if not settings.warehouse.exists():
            publish_file(settings.work, settings.unpublished)
        raise
    if not summary.new_edition:
        return _unchanged(run, retried=summary.retried)
    summary.replaced = shown_instead(settings)
    summary.without_value = stage_pages(settings, run.catalog, settings.work, run.progress)
    publish_file(settings.work, settings.warehouse)
    settings.unpublished.unlink(missing_ok=True)
    publish_folder(settings.staged_reports, settings.reports)
    keep(settings.reports, settings.kept_pages, summary.edition, is_new=True)
    summary.pages_drawn = True
    return summary


def _preflight(settings: Settings, *, rebuild: bool) -> None:
    """Find everything that would stop the run before it starts."""
    bound = settings.warehouse if settings.warehouse.exists() and not rebuild else None
    key = key_problem(settings.key, rebuild=settings.rebuilding, bound=bound)
    problems = [*unwritable(settings), *no_exports(settings), *([key] if key else [])]
    if problems:
        raise RoiError("The run cannot start.", problems)


def _nothing_new(run: _Run) -> bool:
    """Return whether files, mappings, catalogue and facts are those of the published edition."""
    from pipeline.engine.editions import latest_edition
    from pipeline.engine.leaves import leaf_hash, leaves
    from pipeline.sources.mapping import mappings_hash
    from pipeline.warehouse import ledger

    if not run.settings.warehouse.exists():
        return False
    with warehouse(run.settings.warehouse, read_only=True, rebuild=run.settings.rebuilding) as con:
        edition = latest_edition(con)
        names = [one.name for one in run.arrivals]
        known = ledger.known(con, mappings_hash=mappings_hash(run.mappings), again=run.again, present=names)
        states = set(con.execute("SELECT state, hash FROM states.hashes").fetchall())
    again = known.retry & {one.file_hash for one in run.arrivals}
    if edition is None or edition["catalog_hash"] != catalog_hash(run.catalog) or again:
        return False
    wanted = {(leaf.table, leaf_hash(leaf)) for states_of in leaves(run.catalog).values() for leaf in states_of}
    return wanted == states and all((one.name, one.file_hash) in known.arrivals for one in run.arrivals)


def _unchanged(run: _Run, *, retried: dict[str, int] | None = None) -> Summary:
    """Leave the edition as it is; draw its pages again only when they are missing or another's.

    `retried` tells of files that were tried again in vain, which is a reason to warn.
    """
    from pipeline.edition import pages_hash
    from pipeline.engine.editions import latest_edition
    from pipeline.outdated import read_before

    settings = run.settings
    with warehouse(settings.warehouse, read_only=True, rebuild=settings.rebuilding) as con:
        edition = latest_edition(con) or {}
        ((values,),) = con.execute("SELECT count(*) FROM kpi.values WHERE last_edition IS NULL").fetchall()
        held = _still_quarantined(con)
        ((files,),) = con.execute("SELECT count(*) FROM ledger.arrivals").fetchall()
        old_reading = read_before(con, run.mappings, rebuild=settings.rebuilding)
    number = int(str(edition["number"]))
    summary = Summary(settings.name, number, str(edition["as_of"]), values=values, still_quarantined=held)
    summary.asked, summary.retried = settings.commands.asked, retried or {}
    summary.warnings += [*old_reading, *([f"{held}: reports/run.html says why"] if retried and held else [])]
    if files and not run.arrivals:
        told = f"{settings.exports} holds no file, where {files} made edition {number}"
        summary.warnings.append(f"{told}: is it the folder that was meant, and is what lies there mounted?")
    if drawn_edition(settings.reports) != (settings.name, summary.edition, pages_hash()):
        summary.replaced = shown_instead(settings)
        draw_pages(settings, run.catalog, run.progress)
        summary.pages_drawn = True
    else:  # a run that was killed may have published and not kept them
        keep(settings.reports, settings.kept_pages, number, is_new=False)
    return summary


def _work(con: duckdb.DuckDBPyConnection, run: _Run) -> Summary:
    """Do everything that changes the warehouse, on the work copy."""
    from pipeline.engine.states import build_states
    from pipeline.facts import create_views
    from pipeline.ingest import Ingest, take_in
    from pipeline.sources.mapping import mappings_hash
    from pipeline.warehouse import ledger

    create_schemas(con)
    _require_tables(con, run.settings)
    create_views(con)
    _require_same_folder(con, run.settings)
    _require_same_key(con, run.settings)
    run_id = ledger.start_run(con, started_at=run.settings.now)
    ingest = Ingest(con, run.mappings, mappings_hash(run.mappings), run_id, run.settings.now, run.again)
    run.progress("Taking in exports")
    before = ledger.fates(con) if run.is_retry_alone else ()
    taken = take_in(ingest, run.arrivals, progress=lambda name: run.progress(f"Taking in exports: {name}"))
    if run.is_retry_alone and ledger.fates(con) == before:
        unchanged = Summary(run.settings.name)
        unchanged.count(taken)
        return unchanged
    run.progress("Building states")
    since_load = ledger.first_load(con, run_id=run_id)
    rebuilt = build_states(
        con, run.catalog, since_load=since_load, progress=lambda fact: run.progress(f"Building states: {fact}")
    )
    run.progress("Computing KPIs")
    summary = _compute(con, run, taken, run_id=run_id)
    summary.states = [asdict(entry) for entry in rebuilt]
    run.progress("Checking the warehouse")
    _check(con, run, summary, run_id=run_id)
    con.execute("UPDATE ledger.runs SET summary = ? WHERE run_id = ?", [json.dumps(asdict(summary)), run_id])
    return summary


def _compute(con: duckdb.DuckDBPyConnection, run: _Run, taken: Taken, *, run_id: int) -> Summary:
    from pipeline.causes import name_causes
    from pipeline.engine.editions import create_editions, store_edition
    from pipeline.engine.rollup import as_of_day, roll_up
    from pipeline.engine.values import compute_values
    from pipeline.outdated import read_before
    from pipeline.reports.words import targets_told
    from pipeline.roi.store import store_roi
    from pipeline.warehouse import ledger

    as_of = as_of_day(con, run.catalog)
    if as_of is None:
        raise _nothing_usable(con, run, taken, run_id=run_id)
    create_editions(con)
    roll_up(con, run.catalog, as_of=as_of, anew=False)
    told = compute_values(con, run.catalog, as_of=as_of)
    run.progress("Working out the return")
    values, inputs, result = _returns(con, run, told, as_of=as_of)
    number = store_edition(
        con,
        values,
        as_of=as_of,
        catalog_hash=catalog_hash(run.catalog),
        input_hash=_input_hash(con),
        run_id=run_id,
        why="new rows from " + ", ".join(sorted(taken.sources)) if taken.sources else "recomputed",
        notes={"genai-roi": version("genai-roi"), "duckdb": duckdb.__version__, **targets_told(run.catalog, as_of)},
        anew=False,
    )
    store_roi(con, edition=number, inputs=inputs, result=result)
    name_causes(con, run.catalog, edition=number, since_load=ledger.first_load(con, run_id=run_id))
    ((restated,),) = con.execute("SELECT count(*) FROM kpi.restatements WHERE edition = ?", [number]).fetchall()
    ((stand,),) = con.execute("SELECT count(*) FROM kpi.values WHERE last_edition IS NULL").fetchall()
    summary = Summary(run.settings.name, number, as_of, new_edition=True, values=stand, restated=restated)
    summary.count(taken)
    summary.asked = run.settings.commands.asked
    summary.warnings += [*lost(con, run.settings, run.before, run.arrivals), *result.problems, *_emptied(run, taken)]
    summary.warnings += read_before(con, run.mappings, rebuild=run.settings.rebuilding)
    summary.warnings += [f"a note stands on no chart: {one}" for one in misplaced(con, run.catalog)]
    summary.still_quarantined = _still_quarantined(con)
    if summary.still_quarantined:
        summary.warnings.append(f"{summary.still_quarantined}: reports/run.html says why")
    return summary


def _returns(
    con: duckdb.DuckDBPyConnection, run: _Run, told: pd.DataFrame, *, as_of: str
) -> tuple[pd.DataFrame, Inputs, RoiResult]:
    """The values told with those of the ROI model, what the model was given, and its result."""
    from pipeline.engine.editions import with_standing
    from pipeline.roi.assemble import evaluate
    from pipeline.roi.kpis import with_roi
    from pipeline.roi.read import read_inputs

    inputs = read_inputs(con, run.catalog, with_standing(con, told, grain="month"), as_of=as_of)
    result = evaluate(run.catalog, inputs)
    return with_roi(told, run.catalog, result), inputs, result


def _require_tables(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """A warehouse made before a table changed cannot be gone on with; what was received is all still there."""
    problems = [
        Problem(f"{settings.warehouse}:{table}", "S005", f"the table {what}; expected the columns of docs/tables.md")
        for table, what in outgrown_tables(con).items()
    ]
    if problems:
        message = "This warehouse was made by an older version. Build it anew from the exports: " + settings.rebuilding
        raise ConfigurationError(message, problems)


def _require_same_folder(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Two organisations must not end in one warehouse because their folders bear the same name."""
    from pipeline.warehouse import ledger

    other = ledger.bind_folder(con, settings.exports_named)
    if other is not None:
        message = (
            f"found {other}, expected {settings.exports_named}; give one of the folders another name, or, "
            f"if it was moved here, build anew: {settings.rebuilding}"
        )
        problem = Problem(str(settings.warehouse), "S004", message)
        raise ConfigurationError("This warehouse was filled from another folder of the same name.", [problem])


def _require_same_key(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """With another key a person of yesterday would be somebody else today."""
    from pipeline.warehouse import ledger

    if not ledger.bind_key(con):
        message = (
            "found another key than the one that the pseudonyms in this warehouse were made with; put the old one "
            f"back, or give everybody a new pseudonym: {settings.rebuilding}"
        )
        problem = Problem(str(settings.key), "S007", message)
        raise ConfigurationError("The people in this warehouse could not be told apart.", [problem])


def _still_quarantined(con: duckdb.DuckDBPyConnection) -> str:
    from pipeline.warehouse import ledger

    files, rows = ledger.still_quarantined(con)
    parts = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((files, "whole file"), (rows, "row")) if n]
    return " and ".join(parts) + " quarantined" if parts else ""


def _reasons(con: duckdb.DuckDBPyConnection, *, run_id: int) -> list[Problem]:
    """The most frequent reasons of this run's quarantine: there will be no page that shows them."""
    from pipeline.warehouse import ledger

    return [one.problem() for one in ledger.refusals(con, run_id=run_id)[:10]]


def _emptied(run: _Run, taken: Taken) -> list[str]:
    """Files of which a `where` took nothing."""
    from pipeline.judging import emptied_files

    return list(emptied_files(taken.emptied, rebuild=run.settings.rebuilding))


def _nothing_usable(con: duckdb.DuckDBPyConnection, run: _Run, taken: Taken, *, run_id: int) -> RoiError:
    what = "could be used" if run.arrivals else "was found"
    message = (
        f"Nothing below {run.settings.exports} {what}, so there is nothing to publish. `roi sources list` names what "
        "can be read; `roi sources probe FILE` says what a file lacks; "
        f"`{run.settings.commands.roi('quarantine list')}` what to do."
    )
    return RoiError("\n".join([message, *_emptied(run, taken)]), _reasons(con, run_id=run_id))


def _input_hash(con: duckdb.DuckDBPyConnection) -> str:
    hashes = con.execute("SELECT file_hash FROM ledger.files WHERE status = 'loaded' ORDER BY file_hash").fetchall()
    return hashlib.sha256("\n".join(row[0] for row in hashes).encode()).hexdigest()[:12]


def _check(con: duckdb.DuckDBPyConnection, run: _Run, summary: Summary, *, run_id: int) -> None:
    """Let Great Expectations judge the batch and the warehouse; raise BlockedError when it must not be published."""
    from datetime import date

    from pipeline.checks import blocking, run_checks
    from pipeline.engine.leaves import kpis_by_table

    as_of, feeds = date.fromisoformat(summary.as_of), kpis_by_table(run.catalog)
    results = run_checks(con, as_of=as_of, now=run.settings.now, run_id=str(run_id), feeds=feeds)
    con.execute("DELETE FROM ledger.checks")
    for position, result in enumerate(results):
        con.execute("INSERT INTO ledger.checks VALUES (?, ?)", [position, json.dumps(asdict(result))])
    failed = [result for result in results if not result.passed]
    summary.checks_failed = [f"{one.check} on {one.subject}: {one.observed}, expected {one.expected}" for one in failed]
    stopping = blocking(results)
    if stopping:
        problems = [
            Problem(one.subject, one.check, f"found {one.observed}, expected {one.expected}") for one in stopping
        ]
        message = (
            "A check blocks this edition; the published one stays. Mend the exports, or the mapping that reads them."
        )
        raise BlockedError(message, problems + _reasons(con, run_id=run_id))
    if failed:
        plural = "" if len(failed) == 1 else "s"
        summary.warnings.append(f"{len(failed)} check{plural} failed: reports/run.html lists them")
