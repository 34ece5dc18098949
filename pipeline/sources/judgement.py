"""What a mapping says is judged against the canonical tables; every problem is found, not just the first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from zoneinfo import available_timezones

from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.errors import Problem
from pipeline.sources import codes
from pipeline.sources.model import AS_A_RULE, SourceMapping, TableMapping
from pipeline.tables import Table, load_tables

_NOTHING = re.compile(r"\(*\s*null\s*(::\s*\w+\s*)?\)*", re.IGNORECASE)
"""An expression that is NULL whatever the row."""
_RECORDS = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*)+")


def judge_mapping(mapping: SourceMapping, *, stem: str) -> list[Problem]:
    """Every problem of one mapping; `stem` is the name of its file without `.yaml`."""
    problems = [*_identity(mapping, stem), *_zone(mapping), *_records(mapping), *_layout(mapping)]
    problems.extend(_fingerprint(mapping))
    for name, table_mapping in mapping.tables.items():
        problems.extend(_table(mapping, name, table_mapping))
    return problems


def _identity(mapping: SourceMapping, stem: str) -> Iterator[Problem]:
    if mapping.source != stem:
        expected = f"'{stem}', the name of the file"
        yield problem(mapping.where("source"), codes.WRONG_NAME, found=quoted(mapping.source), expected=expected)
    if bool(mapping.tables) == bool(mapping.ignore):
        found = "both tables and ignore" if mapping.tables else "neither tables nor ignore"
        expected = "one of them: tables to fill, or the reason to ignore the file"
        yield problem(mapping.where("tables"), codes.TABLES_OR_IGNORE, found=found, expected=expected)


def _zone(mapping: SourceMapping) -> Iterator[Problem]:
    zones = _zones() if mapping.time_zone != "UTC" else frozenset()
    if zones and mapping.time_zone not in zones:
        found, expected = quoted(mapping.time_zone), "a time zone such as Europe/Berlin"
        meant = _near_zone(mapping.time_zone, zones)
        yield problem(mapping.where("time_zone"), codes.UNKNOWN_ZONE, found=found, expected=expected, meant=meant)


@cache
def _zones() -> frozenset[str]:
    """Every zone of this machine; finding them walks through its files."""
    return frozenset(available_timezones())


def _near_zone(name: str, zones: frozenset[str]) -> str | None:
    by_lower = {zone.lower(): zone for zone in zones}
    match = near(name, by_lower)
    return by_lower[match] if match else None


def _records(mapping: SourceMapping) -> Iterator[Problem]:
    where = mapping.where("records")
    if mapping.records is not None and "json" not in (mapping.reader, *mapping.also):
        found = f"records with the reader {mapping.reader}"
        yield problem(where, codes.WRONG_RECORDS, found=found, expected="records only with the reader json")
    elif mapping.records is not None and not _RECORDS.fullmatch(mapping.records):
        found = quoted(mapping.records)
        yield problem(where, codes.WRONG_RECORDS, found=found, expected="a path of names such as $.report.rows")


def _layout(mapping: SourceMapping) -> Iterator[Problem]:
    if "csv" in (mapping.reader, *mapping.also):
        return
    for key in mapping.csv_form.unlike(AS_A_RULE):
        found, expected = f"a {key} with the reader {mapping.reader}", f"a {key} only with the reader csv"
        yield problem(mapping.where(key), codes.NO_CSV, found=found, expected=expected)


def _fingerprint(mapping: SourceMapping) -> Iterator[Problem]:
    where = mapping.where("required")
    if mapping.tables and not mapping.required:
        expected = "the columns or keys every such file has"
        yield problem(where, codes.NO_FINGERPRINT, found="no required columns", expected=expected)
    positions = tuple(f"c{number}" for number in range(1, len(mapping.required) + 1))
    if mapping.reader == "trec" and mapping.required != positions:
        expected = f"[{', '.join(positions)}], one name for each column of the file"
        yield problem(where, codes.NO_FINGERPRINT, found=f"[{', '.join(mapping.required)}]", expected=expected)
    yield from _listed_twice(mapping, "required", (*mapping.known, *mapping.patterns))


def _listed_twice(mapping: SourceMapping, key: str, names: Sequence[str]) -> Iterator[Problem]:
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        where = mapping.where(key)
        yield problem(where, codes.LISTED_TWICE, found=f"{quoted(name)} twice", expected="every column once")


def _table(mapping: SourceMapping, name: str, table_mapping: TableMapping) -> Iterator[Problem]:
    tables = load_tables()
    if name not in tables:
        found, expected = f"the unknown table {quoted(name)}", one_of(tables, otherwise="a table of docs/tables.md")
        where = mapping.where("tables", name)
        yield problem(where, codes.UNKNOWN_TABLE, found=found, expected=expected, meant=near(name, tables))
        return
    table = tables[name]
    yield from _unknown_columns(mapping, table, table_mapping)
    yield from _missing_columns(mapping, table, table_mapping)
    yield from _totals(mapping, table, table_mapping)


def _unknown_columns(mapping: SourceMapping, table: Table, table_mapping: TableMapping) -> Iterator[Problem]:
    for column in table_mapping.columns:
        if column not in table.column_names:
            where = mapping.where("tables", table.name, "columns", column)
            found, expected = f"the unknown column {quoted(column)}", f"a column of {table.name}"
            meant = near(column, table.column_names)
            yield problem(where, codes.UNKNOWN_COLUMN, found=found, expected=expected, meant=meant)


def _missing_columns(mapping: SourceMapping, table: Table, table_mapping: TableMapping) -> Iterator[Problem]:
    where = mapping.where("tables", table.name, "columns")
    for column in table.columns:
        is_key = column.name in table.key
        why = f"it is part of the key of {table.name}" if is_key else f"every row of {table.name} needs it"
        expression = table_mapping.columns.get(column.name)
        if not column.required:
            continue
        if expression is None:
            code = codes.MISSING_KEY_COLUMN if is_key else codes.MISSING_REQUIRED_COLUMN
            yield problem(where, code, found=f"no expression for {column.name}", expected=f"one, as {why}")
        elif _NOTHING.fullmatch(expression):
            place = mapping.where("tables", table.name, "columns", column.name)
            found, expected = f"{quoted(expression)} for {column.name}", f"an expression over the export, as {why}"
            yield problem(place, codes.STILL_TO_FILL, found=found, expected=f"{expected}: {column.meaning}")


def _totals(mapping: SourceMapping, table: Table, table_mapping: TableMapping) -> Iterator[Problem]:
    for index, column in enumerate(table_mapping.totals):
        where, found = mapping.where("tables", table.name, "totals", index), quoted(column)
        if column not in table_mapping.columns:
            yield problem(where, codes.WRONG_TOTAL, found=found, expected=f"a column mapped for {table.name}")
        elif column in table.column_names and not _adds_up(table.column(column).sql_type):
            yield problem(where, codes.WRONG_TOTAL, found=found, expected="a column of exact amounts or counts")


def _adds_up(sql_type: str) -> bool:
    return sql_type.startswith(("DECIMAL", "BIGINT"))
