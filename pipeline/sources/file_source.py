"""A large file as a relation of its records that is read from the file itself, without a table in between."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pipeline.sources.bytes_check import Limits, line_facts
from pipeline.sources.csv_reader import quotes_before_header
from pipeline.sources.model import CsvForm, SourceMapping
from pipeline.sources.plan import Plan
from pipeline.sources.quick import is_quick
from pipeline.sources.readers import object_rows_sql, parquet_texts, parquet_types
from pipeline.sources.shapes import absent, csv_header, raw_names
from pipeline.sources.sql import at_most, count, identifier, lines_of, literal, size_options

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HEAD = 1 << 18
_LEAST_PART = 50_000
"""Records that pay the passing over of those before them."""
_SHORT_BYTES = 1 << 20
_WHOLE_FILE = re.compile(r"\b(select|over|raw)\b", re.IGNORECASE)


@dataclass(frozen=True)
class FileSource:
    """A file as a relation that is read anew wherever it is named: the columns of `raw`, and `_is_odd`."""

    part: Callable[[int, int | None], str]
    """The relation of its records from one on, the first of all being 0, and of so many."""
    header_lines: int
    records: int
    """How many records there are when each is one line."""
    is_plain: bool = False
    """All texts are ASCII without any white space but blanks."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Columns that have a type of their own beside the text: the name in lower case -> the column of that type."""
    is_partable: bool = False
    """It is sure of every line that it is one record, so that a part of the file can be passed over by lines."""

    @property
    def sql(self) -> str:
        """The relation of all records."""
        return self.part(0, None)

    def in_parts(self, parts: int) -> str:
        """All records, in at most so many parts that are read side by side, where that can be."""
        parts = min(parts, self.records // _LEAST_PART)
        if not self.is_partable or parts < 2:
            return self.sql
        size = -(-self.records // parts)
        begin = range(0, self.records, size)
        each = (self.part(first, None if first == begin[-1] else size) for first in begin)
        return f"({' UNION ALL '.join(f'SELECT * FROM {part}' for part in each)})"


def file_source(con: DuckDBPyConnection, path: Path, *, name: str, plan: Plan, limits: Limits) -> FileSource | None:
    """A file as a relation; None when its rows are more than its records, one after another."""
    mapping, pure = plan.mapping, PurePosixPath(name)
    if not is_quick(plan) or mapping.nulls or mapping.relations or len(mapping.tables) > 1:
        return None
    if any(_WHOLE_FILE.search(text) for text in plan.told.expressions()[1:]):
        return None
    called = f"{literal(pure.stem)} AS file_stem, {literal(pure.name)} AS file_name"
    if mapping.reader == "csv":
        return _csv(path, mapping, called, limits)
    if mapping.reader == "jsonl":
        facts = line_facts(path)
        odd = "FALSE" if facts.is_unescaped else "contains(text, '\\u0000')"

        def part(first: int, most: int | None) -> str:
            lines = lines_of(limits, literal(str(path)), first=first, most=most)
            return f"({object_rows_sql(mapping, lines, f'{called}, {odd} AS _is_odd')})"

        is_plain, is_partable = facts.is_plain and facts.is_unescaped, facts.is_uniform and not facts.has_blank
        return FileSource(part, 0, facts.lines, is_plain, is_partable=is_partable)
    return _parquet(con, path, plan, called) if mapping.reader == "parquet" else None


def _csv(path: Path, mapping: SourceMapping, called: str, limits: Limits) -> FileSource | None:
    facts, header = line_facts(path), csv_header(path, mapping.csv_form)
    if not facts.is_uniform or quotes_before_header(path, header.form) or not _is_line_by_line(path, header.form):
        return None
    columns, before = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header.names), header.form.before
    is_short = facts.longest < _SHORT_BYTES
    sizes = f"max_line_size={2 * _SHORT_BYTES}, buffer_size={8 * _SHORT_BYTES}" if is_short else size_options(limits)
    nulls = "".join(f"NULL::VARCHAR AS {identifier(name)}, " for name in absent(mapping.known, header.names))

    def part(first: int, most: int | None) -> str:
        skipped = f"header=false, skip={header.lines + first}" if first else f"header=true, skip={before}"
        return f"""(SELECT row_number() OVER () + {header.lines + first} AS line, *, {nulls}{called}, FALSE AS _is_odd
        FROM (SELECT * FROM read_csv({literal(str(path))}, columns={{{columns}}}, auto_detect=false, {skipped},
          delim={literal(header.form.delimiter)}, quote='"', escape='"', {sizes}){at_most(most)}))"""

    is_partable = facts.is_quoted_by_line and not facts.has_blank
    return FileSource(part, header.lines, facts.lines - header.lines, facts.is_plain, is_partable=is_partable)


def _is_line_by_line(path: Path, form: CsvForm) -> bool:
    """In the beginning of a CSV file every line is one record; that it is so to the end shows when they are counted."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    lines = head[: head.rfind(b"\n") + 1].decode("utf-8-sig", errors="replace").split("\n")[form.before : -1]
    try:
        return sum(map(bool, csv.reader(lines, delimiter=form.delimiter))) == len(lines)
    except csv.Error:
        return False


def _parquet(con: DuckDBPyConnection, path: Path, plan: Plan, called: str) -> FileSource:
    """The columns as text, and beside them those that have a type of their own; DuckDB reads only what is asked for."""
    types = parquet_types(con, path)
    names = dict(zip(raw_names(types), types, strict=True))
    own = {unique: f"_own_{unique}" for unique, name in names.items() if types[name] != "VARCHAR"}
    typed = [f"{_finite(names[unique], types[names[unique]])} AS {identifier(told)}" for unique, told in own.items()]
    nul = [f"contains({identifier(name)}, chr(0))" for name, kind in types.items() if kind == "VARCHAR"]
    odd = f"coalesce({' OR '.join(nul) or 'FALSE'}, FALSE) AS _is_odd"
    texts = parquet_texts(plan.mapping, types)
    rows = f"""(SELECT file_row_number + 1 AS line, {", ".join([texts, *typed, called, odd])}
        FROM read_parquet({literal(str(path))}, hive_partitioning=false, file_row_number=true))"""
    records = count(con, f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata({literal(str(path))})")
    return FileSource(lambda *_: rows, 0, records, own={unique.lower(): told for unique, told in own.items()})


def _finite(name: str, kind: str) -> str:
    column = identifier(name)
    return f"CASE WHEN isfinite({column}) THEN {column} END" if kind in {"DOUBLE", "FLOAT"} else column
