"""The shape of a file, read cheaply from its beginning: its columns, the keys of its first record, or its first row."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pipeline.sources.bytes_check import DEFAULT_LIMITS, incomplete
from pipeline.sources.model import AS_A_RULE, CsvForm, Delimiter, Reader

if TYPE_CHECKING:
    import duckdb

_HEAD = 1 << 20
"""Characters read of a text file; a header or first record beyond that is not looked for."""
_ROWS = 20
"""Records that tell how a CSV file is laid out."""
_MOSTLY, _ALIKE = 0.5, 0.9
"""Share of them that are as wide as the header where it is on the first line, and where it is further down."""
_SEPARATOR = re.compile(r'"?sep=', re.IGNORECASE)
"""A first line that tells Excel what sets columns apart."""
_MOST_LOOKED_AT = 30
"""Lines before a header that are looked at where nobody says how many there are."""
OWN_COLUMNS = ("line", "record", "whole_document", "file_stem", "file_name")
"""Columns `raw` has besides those of the file."""


@dataclass(frozen=True)
class Shape:
    """What a file looks like to one reader; `problem` says why it cannot be one of that reader's files."""

    names: tuple[str, ...] = ()
    """Columns, or the keys of the first record."""
    first_row: tuple[str, ...] = ()
    """The fields of the first row of a file without header."""
    problem: str = ""
    is_empty: bool = False
    """A JSON document of no records, whose keys therefore nobody knows."""


def raw_names(names: Iterable[str]) -> tuple[str, ...]:
    """The column names of `raw` for the names of a file: trimmed, and unique whatever their case.

    A second `category` becomes `category_1`, a name that `raw` needs for itself, such as `line`, becomes `line_1`, and
    the third column, when it has no name, becomes `column3`.
    """
    taken, unique = set(OWN_COLUMNS), []
    for number, name in enumerate(names, start=1):
        base = name.strip() or f"column{number}"
        candidate, suffix = base, 0
        while candidate.lower() in taken:
            suffix += 1
            candidate = f"{base}_{suffix}"
        taken.add(candidate.lower())
        unique.append(candidate)
    return tuple(unique)


@dataclass(frozen=True)
class Header:
    """The header of a CSV file: the column names of `raw`, and how the file is laid out."""

    names: tuple[str, ...]
    lines: int
    """Physical lines up to its end, with those before it."""
    form: CsvForm


def csv_header(path: Path, form: CsvForm) -> Header:
    """Read the header of a CSV file; it has no names when there is none."""
    stream = islice(io.StringIO(_head(path), newline=""), form.before, None)
    reader = csv.reader(stream, delimiter=form.delimiter)
    try:
        names = raw_names(next(reader, []))
    except csv.Error:
        return Header((), form.header_line, form)
    return Header(names, form.before + reader.line_num, form)


def csv_form_of(path: Path) -> CsvForm | None:
    """How a CSV file is laid out: what makes its first records as wide as its header, the widest first.

    Where they are not, the header is looked for further down. None of a file of one column, and of one that is no CSV.
    """
    text = _head(path)
    first, (share, width) = _widest(text, 1)
    if share < _MOSTLY or _SEPARATOR.match(text):
        for line in range(2, _MOST_LOOKED_AT + 2):
            form, (share, _) = _widest(text, line)
            if share >= _ALIKE and _is_header(next(_rows(text, form))):
                return form
    return first if width else None


def _widest(text: str, header_line: int) -> tuple[CsvForm, tuple[float, int]]:
    """The sign that makes the records of a text widest, were its header on a line, and what `_width` says of it."""
    marks: tuple[Delimiter, ...] = get_args(Delimiter)
    widths = {CsvForm(mark, header_line): _width(text, CsvForm(mark, header_line)) for mark in marks}
    best = max(widths, key=lambda form: widths[form])
    return best, widths[best]


def _width(text: str, form: CsvForm) -> tuple[float, int]:
    """The share of the first records that are as wide as the header, and its width; nothing for one column.

    Beside a wrong sign the quotes of a header are in wrong places.
    """
    try:
        width = len(next(_rows(text, form, strict=True), []))
        widths = [len(record) for record in islice(_rows(text, form), _ROWS) if record]
    except csv.Error:
        return 0, 0
    return (widths.count(width) / len(widths), width) if width > 1 else (0, 0)


def _rows(text: str, form: CsvForm, *, strict: bool = False) -> Iterator[list[str]]:
    """The header of a CSV file and its records."""
    stream = io.StringIO(text, newline="")
    return csv.reader(islice(stream, form.before, None), delimiter=form.delimiter, strict=strict)


def _is_header(names: Iterable[str]) -> bool:
    """Every name begins with a letter, as not every value of a record does."""
    return all(name.strip()[:1].isalpha() for name in names)


def absent(known: Iterable[str], present: Iterable[str]) -> tuple[str, ...]:
    """Columns of `raw` a mapping knows that a file does not have, whatever their case, as SQL does not tell it apart.

    A reader adds them as NULL, so that an expression may name what only some files of a source have.
    """
    there = {name.lower() for name in present}
    return tuple(name for name in raw_names(known) if name.lower() not in there)


def written_as(path: Path) -> frozenset[Reader]:
    """The readers that the first characters of a file speak for; of a mapping of several formats one is taken."""
    with path.open("rb") as stream:
        head = stream.read(1 << 10).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PAR1"):
        return frozenset({"parquet"})
    return frozenset({"json", "jsonl"}) if head.startswith((b"{", b"[")) else frozenset({"csv", "trec"})


def shape_of(
    path: Path,
    *,
    reader: Reader,
    records: str | None = None,
    form: CsvForm = AS_A_RULE,
    con: duckdb.DuckDBPyConnection | None = None,
) -> Shape:
    """The shape of a file as one reader sees it; only Parquet files need the connection."""
    if reader == "csv":
        names = csv_header(path, form).names
        return Shape(names) if names else Shape(problem="it has no header")
    if reader == "jsonl":
        return _first_line_keys(path)
    if reader == "json":
        return _document_keys(path, records)
    if reader == "trec":
        return _first_row(path)
    return _parquet_columns(path, con)


def _head(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return stream.read(_HEAD)


def _lines(path: Path) -> list[str]:
    """The lines of its beginning; only CR and LF end one, as for DuckDB."""
    return _head(path).replace("\r", "\n").split("\n")


def _first_line_keys(path: Path) -> Shape:
    """The keys of the first line that holds a JSON object; a line that does not is a malformed record, not a shape."""
    for line in _lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return Shape(tuple(value))
    return Shape(problem="no line of its beginning is a JSON object")


def _first_row(path: Path) -> Shape:
    rows = (tuple(line.split()) for line in _lines(path))
    row = next((row for row in rows if row), ())
    names = tuple(f"c{number}" for number in range(1, len(row) + 1))
    return Shape(names, row) if row else Shape(problem="it has no rows")


def _document_keys(path: Path, records: str | None) -> Shape:
    try:
        value = _document(path, is_array_enough=records is None)
    except (ValueError, RecursionError):
        return Shape(problem=incomplete("it is not one whole JSON document").reason)
    return value if isinstance(value, Shape) else _record_keys(value, records)


def _document(path: Path, *, is_array_enough: bool) -> object:
    """The document, of an array only as much as its first record; or the shape of what is no such document."""
    head = _head(path).lstrip()
    if not head.startswith(("[", "{")):
        return Shape(problem="it is not a JSON document")
    if is_array_enough and head.startswith("[") and (first := _decoded(head[1:].lstrip())):
        return first[:1]
    if head.startswith("{") and (first := _decoded(head)) and head[first[1] :].strip():
        return Shape(problem="it holds more than one JSON document")
    if path.stat().st_size > DEFAULT_LIMITS.max_document_bytes:
        return Shape(problem="it is too large for a JSON document")
    return json.loads(path.read_text(encoding="utf-8-sig"))


def _decoded(text: str) -> list[Any]:
    """The JSON value a text begins with and where it ends; nothing when the text breaks off before."""
    try:
        return list(json.JSONDecoder().raw_decode(text))
    except ValueError:
        return []


def _record_keys(value: object, records: str | None) -> Shape:
    for key in (records or "$").split(".")[1:]:
        value = value.get(key) if isinstance(value, dict) else None
    if records is not None and not isinstance(value, list):
        return Shape(problem=f"there is no array at {records}")
    if isinstance(value, list):
        if not value:
            return Shape(is_empty=True)
        value = value[0]
    return Shape(tuple(value)) if isinstance(value, dict) else Shape(problem="its records are not JSON objects")


def _parquet_columns(path: Path, con: duckdb.DuckDBPyConnection | None) -> Shape:
    import duckdb

    with path.open("rb") as stream:
        if stream.read(4) != b"PAR1":
            return Shape(problem="it is not a Parquet file")
    if con is None:
        return Shape(problem="a Parquet file is recognised only while the warehouse is open")
    try:
        described = con.execute("DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning=false)", [str(path)])
        return Shape(raw_names(row[0] for row in described.fetchall()))
    except duckdb.Error:
        return Shape(problem=incomplete("its Parquet footer cannot be read").reason)
