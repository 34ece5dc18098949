"""Fixtures of mappings: an export in a folder named after its source, and `rows.json` with the rows it must become."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.errors import RoiError
from pipeline.judging import judge_table
from pipeline.settings import Settings
from pipeline.sources.bytes_check import inspect_bytes, inspect_complete
from pipeline.sources.mapping import SourceMapping
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import recognise
from pipeline.tables import load_tables
from pipeline.warehouse.connection import warehouse

ROWS = "rows.json"
Rows = dict[str, list[dict[str, str]]]
"""Per table its rows in the order of the file, every value as text, what is unknown left out."""


@dataclass(frozen=True)
class Verdict:
    """What became of one fixture: `wrong` says what differs from its rows, '' when nothing does."""

    source: str
    file: str
    rows: int
    wrong: str


def fixture_folders(settings: Settings) -> list[Path]:
    """The folders of fixtures: tests/sources of the project, and sources/tests for mappings of one's own."""
    places = (settings.root / "tests" / "sources", settings.root / "sources" / "tests")
    return [path for place in places if place.is_dir() for path in sorted(place.iterdir()) if path.is_dir()]


def export_of(folder: Path) -> Path:
    """The export in a folder of fixtures; raises RoiError when there is none, or more than one."""
    files = [path for path in sorted(folder.iterdir()) if path.name != ROWS]
    if len(files) != 1:
        raise RoiError(f"{folder} holds {len(files)} exports; expected one, and {ROWS} with its rows.")
    return files[0]


def run_fixture(folder: Path, mappings: Sequence[SourceMapping], *, now: datetime, write: bool = False) -> Verdict:
    """Hold the export of a folder to its rows; with `write`, put the rows found in their place."""
    export = export_of(folder)
    source, found, wrong = rows_of(export, export.name, mappings, now=now)
    rows = sum(map(len, found.values()))
    if wrong or source != folder.name:
        return Verdict(folder.name, export.name, rows, wrong or f"is taken for {source}")
    expected = folder / ROWS
    if write:
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not expected.is_file():
        return Verdict(folder.name, export.name, rows, f"has no {ROWS}; roi sources test --write makes it")
    return Verdict(folder.name, export.name, rows, difference(json.loads(expected.read_text(encoding="utf-8")), found))


def rows_of(path: Path, name: str, mappings: Sequence[SourceMapping], *, now: datetime) -> tuple[str, Rows, str]:
    """The source of a file, the rows it becomes, and why it is refused or what of it is, '' when nothing is.

    Persons are shown as `P(...)`, for a fixture holds nobody's name.
    """
    with warehouse(Path(":memory:")) as con:
        con.execute("CREATE TEMP MACRO pseudonym(x) AS 'P(' || x || ')'")
        problem = inspect_bytes(path)
        recognition = recognise(path, name, mappings, con=con)
        mapping = recognition.mapping
        if problem or mapping is None:
            return "", {}, problem.reason if problem else recognition.reason
        problem = inspect_complete(path, mapping=mapping)
        if problem:
            return mapping.source, {}, problem.reason
        read_raw(con, path, name=name, mapping=mapping)
        found = {table: _rows(con, mapping, table, now=now) for table in mapping.tables}
        refused = _refusals(con, "raw_malformed", "records")
        for table in mapping.tables:
            refused += _refusals(con, f"typed_{table} JOIN verdicts_{table} USING (_row)", table, line="_line")
        said = f"found refused rows, expected a fixture without any: {'; '.join(refused)}; mend them, or the mapping"
        return mapping.source, found, "; ".join([*recognition.warnings, *([said] if refused else [])])


def _rows(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, table: str, *, now: datetime) -> list[dict[str, str]]:
    judge_table(con, mapping, table, now=now)
    names = load_tables()[table].column_names
    columns = ", ".join(f'"{name}"::VARCHAR' for name in names)
    values = con.execute(f"SELECT {columns} FROM typed_{table} ORDER BY _row").fetchall()
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in values]


def _refusals(con: duckdb.DuckDBPyConnection, refused: str, what: str, *, line: str = "line") -> list[str]:
    """Per reason the first line that a relation refuses for it, and of how many rows."""
    found = con.execute(
        f"SELECT min({line}), reason, count(*) FROM {refused} GROUP BY reason ORDER BY min({line}), reason"
    ).fetchall()
    return [f"{what}, line {at}: {why}" + (f" ({count} rows)" if count > 1 else "") for at, why, count in found]


def difference(expected: Rows, found: Rows) -> str:
    """The first thing in which rows differ, by table, row and column; '' when they are the same."""
    for table in sorted(expected.keys() | found.keys()):
        wanted, has = expected.get(table, []), found.get(table, [])
        for number, (one, other) in enumerate(zip(wanted, has, strict=False), start=1):
            for column in sorted(one.keys() | other.keys()):
                if one.get(column) != other.get(column):
                    found_told, wanted_told = _told(other.get(column)), _told(one.get(column))
                    return f"{table}, row {number}, {column}: found {found_told}, expected {wanted_told}"
        if len(wanted) != len(has):
            return f"{table}: {len(has)} rows, expected {len(wanted)}"
    return ""


def _told(value: str | None) -> str | None:
    """A value as it may be printed: which person it is stands in the files alone."""
    return "P(...)" if value is not None and value.startswith("P(") else value
