"""Looking before running: definitions checked, documents generated, files probed, the installation examined."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import ConfigurationError, Problem
from pipeline.settings import Settings


def check_definitions(settings: Settings, file: Path | None = None) -> tuple[list[Problem], dict[str, int]]:
    """Check a catalogue against facts bound on an empty warehouse, and every source mapping."""
    from pipeline.catalog.check import examine as examine_catalog
    from pipeline.sources.mapping import load_mappings

    counts = {"kpis": 0, "roles": 0, "sources": 0}
    catalog, problems = examine_catalog(file or settings.catalog, facts=bound_facts())
    if catalog is not None:
        counts |= {"kpis": len(catalog.metrics), "roles": len(catalog.roles)}
    try:
        counts["sources"] = len(load_mappings([path for path in settings.mapping_folders if path.is_dir()]))
    except ConfigurationError as error:
        problems += error.problems
    return problems, counts


def bound_facts() -> dict[str, dict[str, str]]:
    """Columns and types of every fact, bound on an empty database in memory."""
    from pipeline.facts import create_views, fact_columns
    from pipeline.warehouse.connection import create_schemas, warehouse

    with warehouse(Path(":memory:")) as con:
        create_schemas(con)
        create_views(con)
        return fact_columns(con)


def generated_docs(settings: Settings) -> dict[Path, str]:
    """Every generated page of docs/ and its text."""
    from pipeline.catalog.docs import markdown as kpis
    from pipeline.catalog.load import load_catalog
    from pipeline.sources.mapping import load_mappings
    from pipeline.tables import markdown as tables

    mappings = load_mappings([settings.mapping_folders[0]])
    lines = ["# Sources", "", "Generated from `pipeline/sources/*.yaml`; do not edit.", ""]
    lines += ["| source | what it is | reader | file names | fills |", "|---|---|---|---|---|"]
    for one in mappings:
        names = ", ".join(f"`{name}`" for name in one.files)
        fills = ", ".join(f"`{name}`" for name in sorted(one.tables or {})) or f"not loaded: {one.ignore}"
        lines.append(f"| `{one.source}` | {one.describes} | {one.reader} | {names} | {fills} |")
    docs = settings.root / "docs"
    return {
        docs / "kpis.md": kpis(load_catalog(settings.catalog)),
        docs / "tables.md": tables(),
        docs / "sources.md": "\n".join(lines) + "\n",
    }


def probe(settings: Settings, path: Path) -> dict[str, str]:
    """Say which source a file is taken for, or what keeps it from being one."""
    from pipeline.sources.bytes_check import inspect_bytes, inspect_complete
    from pipeline.sources.mapping import load_mappings
    from pipeline.sources.recognise import recognise
    from pipeline.warehouse.connection import warehouse

    mappings = load_mappings([folder for folder in settings.mapping_folders if folder.is_dir()])
    problem = inspect_bytes(path)
    if problem is not None:
        return {"file": str(path), "source": "", "note": f" ({problem.reason})"}
    with warehouse(Path(":memory:")) as con:
        recognition = recognise(path, path.name, mappings, con=con)
    problem = inspect_complete(path, mapping=recognition.mapping) if recognition.mapping else None
    notes = [recognition.reason, *recognition.warnings, problem.reason if problem else ""]
    note = "; ".join(one for one in notes if one)
    source = recognition.mapping.source if recognition.mapping and not problem else ""
    return {"file": str(path), "source": source, "note": f" ({note})" if note else ""}


def examine(settings: Settings) -> list[tuple[str, bool, str]]:
    """Check folders, key, definitions and warehouse; each finding says what is there or what to do."""
    import duckdb

    problems, counts = check_definitions(settings)
    findings = [
        ("project", True, str(settings.root)),
        ("exports", settings.exports.is_dir(), str(settings.exports)),
        (
            "definitions",
            not problems,
            f"{counts['kpis']} KPIs, {counts['sources']} sources" if not problems else str(problems[0]),
        ),
        ("duckdb", True, duckdb.__version__),
        ("can write", os.access(settings.root, os.W_OK), str(settings.root)),
    ]
    if settings.key.exists():
        mode = settings.key.stat().st_mode & 0o777
        findings.append(("pseudonym key", mode == 0o600, f"mode {mode:04o}, expected 0600"))
    else:
        findings.append(("pseudonym key", True, "will be made by the first run"))
    exists = settings.warehouse.exists()
    findings.append(("warehouse", True, str(settings.warehouse) if exists else "will be made by the first run"))
    return findings
