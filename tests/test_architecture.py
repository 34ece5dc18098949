"""The direction of imports, held to what docs/architecture.md says."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"

MAY_IMPORT = {
    "errors": set(),
    "commands": set(),
    "settings": {"errors", "commands"},
    "tables": {"errors"},
    "catalog": {"errors", "tables", "statistics"},
    "warehouse": {"errors", "commands", "tables"},
    "sources": {"errors", "tables", "catalog", "warehouse"},
    "contracts": {"errors", "tables", "warehouse"},
    "checks": {"errors", "tables", "warehouse"},
    "facts": {"errors", "tables", "warehouse"},
    "statistics": {"errors"},
    "engine": {"errors", "tables", "catalog", "warehouse", "facts", "statistics"},
    "roi": {"errors", "tables", "catalog", "warehouse", "facts", "statistics", "engine"},
    "sample": {"errors"},
    "judging": {"tables", "sources", "contracts"},
    "straight": {"tables", "warehouse", "sources", "contracts", "judging"},
    "ingest": {"errors", "tables", "warehouse", "sources", "judging", "straight"},
    "source_tests": {"errors", "settings", "tables", "warehouse", "sources", "judging"},
    "draft": {"errors", "tables", "warehouse", "sources"},
    "quarantine": {"errors", "commands", "tables", "warehouse", "sources"},
    "quarantine_files": {"errors", "sources", "quarantine"},
    "reports": {"warehouse", "errors", "commands", "catalog", "facts", "statistics", "roi"},
    "comparison": {"errors", "settings", "catalog", "warehouse", "facts", "engine"},
    "returns": {"errors", "commands", "catalog", "engine", "roi", "warehouse"},
    "targets": {"errors", "catalog", "statistics", "warehouse"},
    "comparison_text": {"catalog", "comparison"},
    "archive": {"errors", "catalog", "warehouse", "engine", "reports", "roi"},
    "archive_text": {"catalog", "archive", "reports"},
    "printing": {"errors"},
    "annotations": {"errors", "catalog", "warehouse"},
    "causes": {"tables", "catalog", "facts", "engine"},
    "kept_pages": {"errors", "reports"},
    "edition": {"errors", "tables", "catalog", "warehouse", "engine", "reports", "roi", "annotations"},
    "gone": {"errors", "settings", "warehouse"},
    "outdated": {"sources", "warehouse"},
    "drawing": {"settings", "catalog", "warehouse", "reports", "edition", "kept_pages"},
}
FREE = {
    "assurance",
    "nightly",
    "summary",
    "cli",
    "cli_options",
    "cli_assumptions",
    "cli_editions",
    "cli_faults",
    "cli_prices",
    "cli_quarantine",
    "cli_reconcile",
    "cli_returns",
    "cli_sources",
    "cli_usage",
    "__init__",
}


def modules() -> list[Path]:
    """Every module of the pipeline."""
    return sorted(PIPELINE.rglob("*.py"))


def rooms_imported(path: Path) -> set[str]:
    """Rooms a module imports, wherever in the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("pipeline.")}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PIPELINE)))
def test_a_room_imports_only_rooms_before_it(path: Path) -> None:
    """Each module imports its own room and those named for it, nothing else."""
    room = path.relative_to(PIPELINE).parts[0].removesuffix(".py")
    if room in FREE:
        return
    assert rooms_imported(path) <= MAY_IMPORT[room] | {room}


def test_one_room_each_knows_the_heavy_libraries() -> None:
    """Only `checks` knows Great Expectations, only `reports` Plotly and Jinja."""
    users: dict[str, set[str]] = {"great_expectations": set(), "plotly": set(), "jinja2": set()}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.split(".")[0] in users:
                    users[name.split(".")[0]].add(path.relative_to(PIPELINE).parts[0])
    assert users["great_expectations"] == {"checks"}
    assert users["plotly"] <= {"reports"}
    assert users["jinja2"] == {"reports"}


def test_modules_stay_small() -> None:
    """A module has fewer than 400 lines and no function more than 50."""
    for path in modules():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{path}: {node.name}"


ORACLES = ("oracle_*", "return_*", "scorecard_*", "oracles_intervals", "oracles_kinds", "oracles_kpis")
"""Modules of the tests that work figures out anew."""


def test_oracles_know_nothing_of_what_they_check() -> None:
    """They import each other, numpy, scipy, statsmodels, duckdb and yaml, and nothing of the project."""
    paths = sorted(path for pattern in ORACLES for path in (PIPELINE.parent / "tests").glob(f"{pattern}.py"))
    others = {"numpy", "scipy", "statsmodels", "duckdb", "yaml"}
    known = {path.stem for path in paths} | others | sys.stdlib_module_names
    assert len(paths) > 10
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.split(".")[0] for name in names} <= known, path
