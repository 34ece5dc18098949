"""How the text of a staged value becomes a value of its column's type.

The casts of DuckDB are taken as they are, except where they would read something else than what was written:
`1.5` is no count (the cast rounds it to 2), `infinity` is no day, and a day written with a time and an offset is the
UTC day of that moment (the cast would drop the offset).
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.tables import Column, Table, quoted

_BLANK_POINTS = (
    *range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C),
    0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF,
)  # fmt: skip
BLANKS = "".join(map(chr, _BLANK_POINTS))
"""What Python and Unicode call white space, the zero-width space and the byte-order mark: nothing of it is content."""

ADDRESS = "(mail address)"
"""Stands for a mail address in words: pages tell words, and nobody is told by them."""
_ADDRESS = r"""[^\s<>()\[\]"',;:@]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}"""
_AROUND = f"'^[{BLANKS}]+|[{BLANKS}]+$'"
_FIRST_DAY, _LAST_DAY = "0001-01-01", "9999-12-31"
"""The days Python can hold as well; DuckDB's own range ends in the year 294247 and at infinity."""


def literal(text: str) -> str:
    """A SQL literal of the text."""
    return "'" + text.replace("'", "''") + "'"


def text_name(column: str) -> str:
    """Name of the column that holds the staged text beside the typed value; no declared name begins with `_`."""
    return f"_text_{column}"


def text_columns(table: Table) -> tuple[str, ...]:
    """The columns whose text may fail to cast, so that their rules need the text."""
    return tuple(column.name for column in table.columns if not column.column_type.is_text)


def is_blank_sql(text: str) -> str:
    """SQL: true when the text holds nothing but blanks, null when it is null."""
    return f"regexp_full_match({text}, '[{BLANKS}]*')"


def quick_name(column: str) -> str:
    """Name of the column that holds the value of a staged row where it was read at once."""
    return f"_quick_{column}"


def typed_rows_sql(table: Table, staged: str, *, quick: Collection[str] = ()) -> str:
    """SELECT of `_row`, `_line`, `_version`, the typed columns and the texts of those that may fail to cast.

    Of the columns `quick` the relation has values too, which are taken where they are not NULL.

    One step a subquery: DuckDB plans `nullif(f(x), '')` with `f(x)` twice, and planning is what small batches cost.
    """
    place = "CAST(_row AS BIGINT) AS _row, CAST(_line AS BIGINT) AS _line, CAST(_version AS VARCHAR) AS _version"
    texts = [f"{_normal(column)} AS {quoted(text_name(column.name))}" for column in table.columns]
    typed = [f"{_typed_or_quick(column, quick)} AS {quoted(column.name)}" for column in table.columns]
    kept = [quoted(text_name(name)) for name in text_columns(table)]
    there = [quoted(quick_name(column.name)) for column in table.columns if column.name in quick]
    listed = ", ".join(["_row, _line, _version", *typed, *kept])
    return f"SELECT {listed} FROM (SELECT {', '.join([place, *texts, *there])} FROM {staged})"


def _typed_or_quick(column: Column, quick: Collection[str]) -> str:
    if column.name not in quick:
        return _typed(column)
    value = quoted(quick_name(column.name))
    return f"CASE WHEN {value} IS NOT NULL THEN {value} ELSE {_typed(column)} END"


def _normal(column: Column) -> str:
    """The staged text; where text is what is wanted, in normal form C and without blanks around it."""
    text = f"CAST({quoted(column.name)} AS VARCHAR)"
    if not column.column_type.is_text:
        return text
    return f"CASE WHEN {text} IS NOT NULL THEN regexp_replace(nfc_normalize({text}), {_AROUND}, '', 'g') END"


def _typed(column: Column) -> str:
    text = quoted(text_name(column.name))
    if column.type == "text":
        hidden = f"regexp_replace({text}, {literal(_ADDRESS)}, {literal(ADDRESS)}, 'g')"
        return f"CASE WHEN contains({text}, '@') THEN {hidden} ELSE nullif({text}, '') END"
    if column.column_type.is_text:
        return f"nullif({text}, '')"
    special = {"BIGINT": _whole, "TIMESTAMPTZ": _time, "DATE": _date}.get(column.sql_type)
    return special(text) if special else f"TRY_CAST({text} AS {column.sql_type})"


def _whole(text: str) -> str:
    """A whole number: `12`, `12.0` and `1e3` are, `1.5` and `0x1F` are not."""
    value = f"TRY_CAST({text} AS BIGINT)"
    return f"CASE WHEN TRY_CAST({text} AS DECIMAL(38, 18)) = {value} THEN {value} END"


def _time(text: str) -> str:
    """A point in time; an offset is honoured, without one it is UTC (the session's zone while judging)."""
    value = f"TRY_CAST({text} AS TIMESTAMPTZ)"
    first, last = f"TIMESTAMPTZ '{_FIRST_DAY} 00:00:00+00'", f"TIMESTAMPTZ '{_LAST_DAY} 23:59:59.999999+00'"
    return f"CASE WHEN {value} BETWEEN {first} AND {last} THEN {value} END"


def _date(text: str) -> str:
    """A UTC day; written with a time of day, the day on which that moment fell."""
    moment = f"CAST({_time(text)} AT TIME ZONE 'UTC' AS DATE)"
    value = f"CASE WHEN strlen({text}) > 10 THEN {moment} ELSE TRY_CAST({text} AS DATE) END"
    return f"CASE WHEN {value} BETWEEN DATE '{_FIRST_DAY}' AND DATE '{_LAST_DAY}' THEN {value} END"
