"""The mappings that have a folder in tests/sources: an export in the shape its system gives, and the rows it becomes."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from project import ROOT

from pipeline.assurance import probe
from pipeline.contracts import judge
from pipeline.settings import Settings
from pipeline.sources.bytes_check import inspect_bytes, inspect_complete
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import recognise
from pipeline.sources.stage import stage
from pipeline.tables import load_tables

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
FOLDERS = sorted(path for path in (Path(__file__).parent / "sources").iterdir() if path.is_dir())
Rows = dict[str, list[dict[str, str]]]


def export_of(folder: Path) -> Path:
    """The export in a folder, beside its rows."""
    (export,) = [path for path in folder.iterdir() if path.name != "rows.json"]
    return export


@pytest.fixture(scope="module")
def mappings() -> tuple[SourceMapping, ...]:
    """All mappings of the package, so that another one could claim a file."""
    return load_mappings()


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in UTC with a pseudonym that shows what it was given."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE TEMP MACRO pseudonym(x) AS 'P(' || x || ')'")
        yield connection


def rows_of(
    con: duckdb.DuckDBPyConnection, path: Path, name: str, mappings: tuple[SourceMapping, ...], *, source: str
) -> Rows:
    """What a file becomes: per table its rows, what is unknown left out; every row must be good."""
    recognition = recognise(path, name, mappings)
    mapping = recognition.mapping
    assert mapping is not None, recognition.reason
    assert (mapping.source, recognition.warnings) == (source, ())
    assert inspect_bytes(path) is None
    assert inspect_complete(path, mapping=mapping) is None
    assert read_raw(con, path, name=name, mapping=mapping).malformed == 0
    found = {}
    for table in mapping.tables:
        stage(con, mapping, table, staged="staged")
        declared = load_tables()[table]
        judge(con, declared, staged="staged", typed="typed", verdicts="verdicts", now=NOW, pandera_up_to_rows=0)
        assert con.execute("SELECT _row, reason FROM verdicts").fetchall() == []
        columns = ", ".join(f'"{column}"::VARCHAR' for column in declared.column_names)
        values = con.execute(f"SELECT {columns} FROM typed ORDER BY _row").fetchall()
        names = declared.column_names
        found[table] = [{k: v for k, v in zip(names, row, strict=True) if v is not None} for row in values]
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_export_becomes_exactly_these_rows(
    con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], folder: Path
) -> None:
    """Every value of every table, people as pseudonyms, times in UTC; no row refused and no key unknown."""
    export = export_of(folder)
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    assert rows_of(con, export, export.name, mappings, source=folder.name) == expected


def shuffled(path: Path) -> str:
    """The same export with its columns, or the keys of every object, in another order."""
    order = random.Random(7)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text)))
        columns = list(range(len(rows[0])))
        if len(set(rows[0])) == len(rows[0]):
            order.shuffle(columns)
        target = io.StringIO()
        csv.writer(target, lineterminator="\n").writerows([row[at] for at in columns] for row in rows)
        return target.getvalue()
    return json.dumps(_reordered(json.loads(text), order), indent=1)


def _reordered(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _reordered(value[key], order) for key in keys}
    return [_reordered(item, order) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_is_known_by_its_columns_in_any_order(
    con: duckdb.DuckDBPyConnection, mappings: tuple[SourceMapping, ...], folder: Path, tmp_path: Path
) -> None:
    """A copy with columns or keys in another order, under its own name, becomes the same rows."""
    export = export_of(folder)
    copy = tmp_path / export.name
    copy.write_text(shuffled(export) + ("" if export.suffix == ".csv" else "\n"), encoding="utf-8")
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    assert rows_of(con, copy, export.name, mappings, source=folder.name) == expected


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_probe_names_it_under_any_name(folder: Path, tmp_path: Path) -> None:
    """`roi sources probe` says which source it is and that every row is good, the name saying nothing."""
    export = export_of(folder)
    named = tmp_path / f"export{export.suffix}"
    named.write_bytes(export.read_bytes())
    settings = Settings(root=ROOT, exports=tmp_path, now=NOW)
    for path in (export, named):
        found = probe(settings, path)
        assert found["source"] == folder.name, found["note"]
    expected = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    assert [(one["table"], one["good"]) for one in probe(settings, export)["tables"]] == [
        (table, len(rows)) for table, rows in expected.items()
    ]


FREE_TEXT = {"user_input", "response", "reference", "retrieved_contexts", "input", "actualOutput", "expectedOutput", "vars",
             "prompt", "description", "message", "title", "summary", "requestFieldValues", "short_description", "body"}  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_no_free_text_is_mapped(mappings: tuple[SourceMapping, ...], folder: Path) -> None:
    """Questions, answers, subjects and remarks stand in these exports; no column of a table is one of them."""
    (mapping,) = [one for one in mappings if one.source == folder.name]
    mapped = {text for table in mapping.tables.values() for text in table.columns.values()}
    assert not mapped & FREE_TEXT
