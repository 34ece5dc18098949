"""Looking before running: definitions checked, documents generated, files probed, the installation examined."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.errors import ConfigurationError, Problem, RoiError, in_file_order
from pipeline.settings import Settings
from pipeline.warehouse.connection import open_warehouse
from pipeline.warehouse.pseudonym import key_problem

if TYPE_CHECKING:
    from pipeline.catalog.model import Catalog
    from pipeline.sources.mapping import SourceMapping


def check_definitions(
    settings: Settings,
    file: Path | None = None,
    *,
    with_examples: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[list[Problem], dict[str, int]]:
    """Check a catalogue against facts bound on an empty warehouse, its examples, and every mapping with its SQL."""
    from pipeline.sources.binding import examine_bound

    counts = {"kpis": 0, "roles": 0, "examples": 0, "sources": 0}
    catalog, problems = _catalog_problems(file or settings.catalog, with_examples=with_examples, progress=progress)
    if catalog is not None:
        counts |= {
            "kpis": len(catalog.metrics),
            "roles": len(catalog.roles),
            "examples": sum(len(metric.examples) for metric in catalog.metrics.values()),
        }
    progress("Reading the source mappings")
    mappings, wrong = examine_bound([path for path in settings.mapping_folders if path.is_dir()])
    counts["sources"] = len(mappings)
    return [*problems, *wrong], counts


def _catalog_problems(
    path: Path, *, with_examples: bool, progress: Callable[[str], None]
) -> tuple[Catalog | None, list[Problem]]:
    """What is wrong with a catalogue: its text, its meaning, and the examples whose values rest on nothing wrong."""
    from pipeline.catalog.check import examine as examine_catalog
    from pipeline.catalog.check import wrong_keys
    from pipeline.warehouse.connection import create_schemas, warehouse

    progress("Reading the catalogue")
    facts = bound_facts()
    reading, problems = examine_catalog(path, facts=facts)
    if reading.catalog is None or not with_examples:
        return reading.catalog, problems
    from pipeline.engine.examples import Bench, check_examples

    with warehouse(Path(":memory:"), threads=1) as con:
        create_schemas(con)
        bench, wrong = Bench(con, facts), wrong_keys(reading, problems)
        failing = check_examples(reading.catalog, reading.positions, bench, wrong=wrong, progress=progress)
    return reading.catalog, list(in_file_order([*problems, *failing]))


def bound_facts() -> dict[str, dict[str, str]]:
    """Columns and types of every fact, bound on an empty database in memory."""
    from pipeline.facts import create_views, fact_columns
    from pipeline.warehouse.connection import create_schemas, warehouse

    with warehouse(Path(":memory:")) as con:
        create_schemas(con)
        create_views(con)
        return fact_columns(con)


def described_facts() -> dict[str, tuple[str, list[str]]]:
    """Of every fact, what one of its rows is, and the tables it reads."""
    from pipeline.facts import load_facts

    return {name: (fact.meaning, list(fact.reads)) for name, fact in load_facts().items()}


def generated_docs(settings: Settings) -> dict[Path, str]:
    """Every generated page of docs/ and its text."""
    from pipeline.catalog.benefit_docs import markdown as benefits
    from pipeline.catalog.docs import markdown as kpis
    from pipeline.catalog.fact_docs import facts_page
    from pipeline.catalog.load import load_catalog
    from pipeline.engine.explain import rows_sql
    from pipeline.facts import facts_of_deeds, load_facts
    from pipeline.sources.mapping import load_mappings
    from pipeline.tables import markdown as tables

    mappings = load_mappings([settings.mapping_folders[0]])
    lines = ["# Sources", "", "Generated from `pipeline/sources/*.yaml`; do not edit.", ""]
    lines += ["| source | what it is | reader | file names | fills |", "|---|---|---|---|---|"]
    for one in mappings:
        names = ", ".join(f"`{name}`" for name in one.files)
        fills = ", ".join(f"`{name}`" for name in sorted(one.tables or {})) or f"not loaded: {one.ignore}"
        lines.append(f"| `{one.source}` | {one.describes} | {', '.join((one.reader, *one.also))} | {names} | {fills} |")
    meanings = {name: fact.meaning for name, fact in load_facts().items()}
    docs, catalog = settings.root / "docs", load_catalog(settings.catalog)
    return {
        docs / "kpis.md": kpis(catalog, meanings, rows_sql, facts_of_deeds()),
        docs / "benefits.md": benefits(catalog),
        docs / "facts.md": facts_page(catalog, bound_facts(), described_facts()),
        docs / "tables.md": tables(),
        docs / "sources.md": "\n".join(lines) + "\n",
    }


def probe(settings: Settings, path: Path) -> dict[str, Any]:
    """Say which source a file is taken for, and what would become of its rows, without loading it.

    `file`, `source` ('' when it is refused), `note` (why, or what to know), and `tables`: for each table it fills the
    `rows`, how many are `good` and `bad`, and for each of the `reasons` the `rows` and the `first_line`; those that a
    `where` has `left_out` come on top of `rows`. Records that cannot be read at all stand under the table ''. Rows that
    contradict others show only when they are loaded.
    """
    from pipeline.sources.binding import examine_bound
    from pipeline.sources.bytes_check import mark_of
    from pipeline.sources.mapping import examine_mappings
    from pipeline.warehouse.connection import warehouse
    from pipeline.warehouse.ledger import WAITS_FOR
    from pipeline.warehouse.receive import UNREADABLE, unpacked

    folders = [folder for folder in settings.mapping_folders if folder.is_dir()]
    mappings, wrong = examine_mappings(folders)
    if wrong:
        raise ConfigurationError("The source mappings cannot be used.", examine_bound(folders)[1])
    whole = path.resolve()
    name = whole.relative_to(settings.exports).as_posix() if whole.is_relative_to(settings.exports) else path.name
    tables: list[dict[str, Any]] = []
    try:
        with warehouse(Path(":memory:"), key=secrets.token_bytes(32)) as con, unpacked(whole) as plain:
            name = name.removesuffix(".gz")
            source, notes, tables = _probed(con, plain, name, mappings, now=settings.now)
        mapping = next((one for one in mappings if one.source == source), None)
        mark = mark_of(mapping, name) if mapping else None
        notes += [WAITS_FOR + mark] if mark and not (settings.exports / mark).exists() else []
    except PermissionError:
        source, notes = "", [UNREADABLE]
    except RoiError as error:
        source, notes = "", [error.message, *map(str, error.problems)]
    except duckdb.Error as error:
        # The message of the database may quote a value, so only its kind is told.
        source, notes = "", [f"the file cannot be read as its source says ({type(error).__name__})"]
    note = "; ".join(one for one in notes if one)
    return {"file": str(path), "source": source, "note": f" ({note})" if note else "", "tables": tables}


def _probed(
    con: duckdb.DuckDBPyConnection, path: Path, name: str, mappings: tuple[SourceMapping, ...], *, now: datetime
) -> tuple[str, list[str], list[dict[str, Any]]]:
    """The source of a file, what to say about it, and the verdicts on its rows."""
    from pipeline.judging import emptied, judge_tables
    from pipeline.sources.bytes_check import inspect_bytes, inspect_complete, sheet_names
    from pipeline.sources.readers import read_raw
    from pipeline.sources.recognise import recognise

    problem = inspect_bytes(path)
    if problem is not None:
        sheets = sheet_names(path)
        return "", [problem.reason, f"its sheets: {', '.join(map(repr, sheets))}" if sheets else ""], []
    recognition = recognise(path, name, mappings, con=con)
    mapping, notes = recognition.mapping, [recognition.reason, *recognition.warnings]
    problem = inspect_complete(path, mapping=mapping) if mapping else None
    if mapping is None or problem is not None:
        return "", [*notes, problem.reason if problem else ""], []
    if mapping.ignore:
        return mapping.source, [*notes, mapping.ignore], []
    raw = read_raw(con, path, name=name, mapping=mapping)
    judged = judge_tables(con, mapping, now=now)
    found = [_judged(con, table, rows=f"typed_{table}", bad=f"verdicts_{table} JOIN typed_{table} USING (_row)")
             | {"left_out": one.left_out} for table, one in judged.items()]  # fmt: skip
    if raw.malformed:
        unreadable = _judged(con, "", rows="raw_malformed", bad="raw_malformed", line="line")
        found.insert(0, unreadable | {"left_out": 0})
    return mapping.source, [*notes, *map(str, emptied(mapping, judged))], found


def _judged(con: duckdb.DuckDBPyConnection, table: str, *, rows: str, bad: str, line: str = "_line") -> dict[str, Any]:
    """Counts of good and bad rows of one table, and of each reason, the most frequent first."""
    ((total,),) = con.execute(f"SELECT count(*) FROM {rows}").fetchall()
    found = con.execute(f"SELECT reason, count(*), min({line}) FROM {bad} GROUP BY reason ORDER BY 2 DESC, 3, 1")
    reasons = [{"reason": why, "rows": count, "first_line": first} for why, count, first in found.fetchall()]
    wrong = sum(one["rows"] for one in reasons)
    return {"table": table, "rows": total, "good": total - wrong, "bad": wrong, "reasons": reasons}


def unwritable(settings: Settings) -> list[Problem]:
    """Every folder that a run must write to and cannot, with what to do; a folder not there yet is its parent's."""
    folders = (settings.received, settings.warehouse.parent, settings.key.parent, settings.reports, settings.root)
    problems = {}
    for folder in folders:
        existing = next(parent for parent in (folder, *folder.parents) if os.path.lexists(parent))
        if not existing.is_dir():
            problems[existing] = Problem(str(existing), "S002", "is not a folder; move it away")
        elif not os.access(existing, os.W_OK | os.X_OK):
            problems[existing] = Problem(str(existing), "S002", "cannot be written to; give this user write access")
    return list(problems.values())


def no_exports(settings: Settings) -> list[Problem]:
    """What is wrong with the folder of exports, with what to do."""
    from pipeline.warehouse.receive import UNREADABLE

    if settings.root.is_relative_to(settings.exports):
        hint = f"a folder inside of it, or elsewhere, that holds the exports alone: {settings.running_elsewhere}"
        return [Problem(str(settings.exports), "S008", f"holds the project itself; expected {hint}")]
    if not settings.exports.is_dir():
        hint = f"run `{settings.sampling}`, or name your folder: {settings.running_elsewhere}"
        return [Problem(str(settings.exports), "S003", f"is not a folder of exports; {hint}")]
    if not os.access(settings.exports, os.R_OK | os.X_OK):
        return [Problem(str(settings.exports), "S003", UNREADABLE)]
    return []


def examine(settings: Settings) -> list[tuple[str, bool, str]]:
    """Check folders, key, definitions and warehouse; each finding says what is there or what to do."""
    problems, counts = check_definitions(settings, with_examples=False)
    said = f"{counts['kpis']} KPIs, {counts['sources']} sources"
    if problems:
        said = str(problems[0]) + (f" (and {len(problems) - 1} more: run `roi catalog check`)" if problems[1:] else "")
    return [
        ("project", True, str(settings.root)),
        _finding("exports", no_exports(settings), otherwise=str(settings.exports)),
        ("definitions", not problems, said),
        ("duckdb", True, duckdb.__version__),
        _finding("can write", unwritable(settings), otherwise=str(settings.root)),
        _key(settings),
        _warehouse(settings),
    ]


def _finding(item: str, problems: list[Problem], *, otherwise: str) -> tuple[str, bool, str]:
    return item, not problems, "; ".join(f"{one.where} {one.message}" for one in problems) or otherwise


def _warehouse(settings: Settings) -> tuple[str, bool, str]:
    """Whether the warehouse, if there is one, can be opened."""
    path = settings.warehouse
    if not _is_there(path):
        return "warehouse", True, "will be made by the first run"
    try:
        open_warehouse(path, read_only=True, rebuild=settings.rebuilding).close()
    except RoiError as error:
        return "warehouse", False, error.message.replace("\n", ". ")
    return "warehouse", True, str(path)


def _key(settings: Settings) -> tuple[str, bool, str]:
    """Whether the key of the pseudonyms is whole, and its owner's alone."""
    path, bound = settings.key, settings.warehouse if _is_there(settings.warehouse) else None
    if not _is_there(path) and not bound:
        return "pseudonym key", True, "will be made by the first run"
    if problem := key_problem(path, rebuild=settings.rebuilding, bound=bound):
        return "pseudonym key", False, problem.message
    mode = path.stat().st_mode & 0o777
    remedy = "" if mode == 0o600 else f"; run chmod 600 {path}"
    return "pseudonym key", mode == 0o600, f"mode {mode:04o}, expected 0600{remedy}"


def _is_there(path: Path) -> bool:
    """Whether a file exists; within a folder that this user may not enter, none does."""
    return os.path.lexists(path)
