"""What the tests of single sources share: files taken in up to the judged rows, and copies in another order."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb

from pipeline.contracts import judge
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import Recognition, recognise
from pipeline.sources.stage import stage
from pipeline.tables import load_tables

EXPORTS = Path(__file__).parent / "exports"
NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
Row = dict[str, str]


@dataclass
class Taken:
    """What became of a file: its source, the filled columns of the rows of each table, and what is wrong with them."""

    source: str
    warnings: tuple[str, ...]
    tables: dict[str, list[Row]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


@cache
def package_mappings() -> tuple[SourceMapping, ...]:
    """The mappings of the package, read once."""
    return load_mappings()


def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database far from UTC, with a pseudonym that shows what it was given; for a fixture of a module."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as con:
        con.execute("SET TimeZone = 'Asia/Kathmandu'; CREATE TEMP MACRO pseudonym(x) AS 'P(' || x || ')'")
        yield con


def seen(con: duckdb.DuckDBPyConnection, path: Path, name: str) -> Recognition:
    """What a file is taken for under a name."""
    return recognise(path, name, package_mappings(), con=con)


def take(con: duckdb.DuckDBPyConnection, path: Path, name: str) -> Taken:
    """Recognise, read, stage and judge a file, as a run does."""
    recognition = seen(con, path, name)
    assert recognition.mapping is not None, recognition.reason
    mapping = recognition.mapping
    taken = Taken(mapping.source, recognition.warnings)
    assert read_raw(con, path, name=name, mapping=mapping).malformed == 0
    for table in mapping.tables:
        stage(con, mapping, table, staged="staged")
        declared = load_tables()[table]
        judge(con, declared, staged="staged", typed="typed", verdicts="found", now=NOW, pandera_up_to_rows=0)
        taken.tables[table] = rows_of(con, table)
        found = con.execute("SELECT reason FROM found ORDER BY _row").fetchall()
        taken.reasons += [f"{table}: {reason}" for (reason,) in found]
    return taken


def rows_of(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    """The typed rows in the order of the file, every filled column as text, times in UTC."""
    declared = load_tables()[table].columns
    names = [column.name for column in declared]
    text = {column.name: f'"{column.name}"::VARCHAR' for column in declared}
    text |= {
        column.name: f"timezone('UTC', \"{column.name}\")::VARCHAR" for column in declared if column.type == "time"
    }
    columns = ", ".join(text.values())
    found = con.execute(f"SELECT {columns} FROM typed ORDER BY _row").fetchall()
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in found]


def shuffled(path: Path, folder: Path) -> Path:
    """A copy of the same name with its columns, or the keys of its objects, in another order."""
    copy, order = folder / path.name, random.Random(7)
    text = "" if path.suffix == ".parquet" else path.read_text(encoding="utf-8")
    if path.suffix == ".parquet":
        names = [row[0] for row in duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()]
        mixed = ", ".join(f'"{name}"' for name in order.sample(names, len(names)))
        duckdb.execute(f"COPY (SELECT {mixed} FROM read_parquet('{path}')) TO '{copy}' (FORMAT parquet)")
    elif path.suffix == ".csv":
        copy.write_text(_mixed_csv(text.removeprefix("\ufeff"), order), encoding="utf-8")
    elif path.suffix == ".jsonl":
        lines = [json.dumps(_mixed(json.loads(line), order)) for line in text.splitlines()]
        copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        copy.write_text(json.dumps(_mixed(json.loads(text), order)), encoding="utf-8")
    return copy


def _mixed_csv(text: str, order: random.Random) -> str:
    rows = list(csv.reader(io.StringIO(text, newline="")))
    places = order.sample(range(len(rows[0])), len(rows[0]))
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([row[place] for place in places] for row in rows)
    return out.getvalue()


def _mixed(value: object, order: random.Random) -> object:
    """A JSON value with the keys of every object shuffled; lists keep their order."""
    if isinstance(value, list):
        return [_mixed(one, order) for one in value]
    if not isinstance(value, dict):
        return value
    return {key: _mixed(value[key], order) for key in order.sample(list(value), len(value))}
