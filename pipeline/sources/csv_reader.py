"""Reading CSV: DuckDB takes the values apart by the file's own header, and every record keeps its line."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.sources.bytes_check import FileProblem, FileRefusedError, Limits, line_facts
from pipeline.sources.model import CsvForm
from pipeline.sources.shapes import Header, absent, csv_header
from pipeline.sources.sql import FILE_COLUMNS, count, identifier, literal, size_options
from pipeline.warehouse.connection import parsed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHUNK = 1 << 20
_UNBALANCED = FileProblem("unreadable", "cannot be read as csv: its quotes do not balance")
_WRONG_COUNT = ("MISSING COLUMNS", "TOO MANY COLUMNS")
_REASONS = {
    "LINE SIZE OVER MAXIMUM": "a record longer than the limit",
    "INVALID ENCODING": "not UTF-8",
    "UNQUOTED VALUE": "a quoted value does not end properly",
}


def read_csv(
    con: DuckDBPyConnection, path: Path, *, known: tuple[str, ...], form: CsvForm, called: list[str], limits: Limits
) -> None:
    """Create `raw` from a CSV file and fill `raw_malformed`, both with the physical line a record begins on.

    DuckDB binds columns by position, so the header is read first and its own order is what it gets. Where every record
    is one line the numbers follow from the count; where values hold line ends, lines are blank or records are
    malformed, Python's csv module goes over the file once more for them. Columns of `known` that the file does not have
    are NULL. `called` are the stem and the name of the file.
    """
    header = csv_header(path, form)
    nulls = "".join(f"NULL::VARCHAR AS {identifier(name)}, " for name in absent(known, header.names))
    with _readable(path, form) as uniform:
        rejected = _read(con, uniform, header, nulls=nulls, called=called, limits=limits)
        rows = count(con, "SELECT count(*) FROM raw")
        if rejected or header.lines + rows != line_facts(uniform).lines:
            lines = _record_lines(_records(uniform, form, limits), width=len(header.names), rejected=rejected)
            _renumber(con, lines, rows=rows, header_lines=header.lines)


def quotes_before_header(path: Path, form: CsvForm) -> bool:
    """Whether a line before the header has a quotation mark, which DuckDB does not pass over like any other."""
    with path.open("rb") as stream:
        return any(b'"' in line for line in islice(stream, form.before))


@contextmanager
def _readable(path: Path, form: CsvForm) -> Iterator[Path]:
    """The file itself, or a temporary copy where DuckDB does not read it, with the same number of lines.

    In that LF alone ends a line, of which there may have been several kinds, and lines before the header are empty.
    """
    if line_facts(path).is_uniform and not quotes_before_header(path, form):
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "export.csv"
        with (
            path.open(encoding="utf-8-sig", newline=None) as source,
            copy.open("w", encoding="utf-8", newline="\n") as to,
        ):
            to.writelines("\n" for _ in islice(source, form.before))
            while chunk := source.read(_CHUNK):
                to.write(chunk)
        yield copy


def _read(
    con: DuckDBPyConnection, path: Path, header: Header, *, nulls: str, called: list[str], limits: Limits
) -> dict[int, str]:
    """Read the good records into `raw`, numbered as if each were one line; the kind of error of each bad one.

    Bad ones are told by their number from the header on, which is number one; blank lines count.
    """
    columns, form = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header.names), header.form
    rejects = "store_rejects=true, rejects_table='raw_rejects', rejects_scan='raw_rejects_scan'"
    _drop_rejects(con)
    try:
        sql = f"""CREATE OR REPLACE TEMP TABLE raw AS
                SELECT row_number() OVER () + {header.lines} AS line, *, {nulls}{FILE_COLUMNS}
                FROM read_csv(?, columns={{{columns}}}, auto_detect=false, header=true, skip={form.before},
                  delim={literal(form.delimiter)}, quote='"', escape='"', {rejects}, {size_options(limits)})"""
        con.execute(parsed(sql), [*called, str(path)])
        return _rejects(con, before=form.before)
    finally:
        _drop_rejects(con)


def _drop_rejects(con: DuckDBPyConnection) -> None:
    con.execute("DROP TABLE IF EXISTS raw_rejects; DROP TABLE IF EXISTS raw_rejects_scan")


def _rejects(con: DuckDBPyConnection, before: int) -> dict[int, str]:
    """DuckDB's kind of error of each rejected record by its number, to which it adds the lines before the header."""
    sql = f"SELECT line - {before}, max(error_type::VARCHAR) FROM raw_rejects GROUP BY line ORDER BY line"
    result = con.execute(sql)
    return dict(result.fetchall())


@dataclass
class _Lines:
    """Where records begin: bad ones by line, good ones by how far they lie behind their ordinal, from where on."""

    malformed: list[tuple[int, str]] = field(default_factory=list)
    good: int = 0
    from_ordinal: array[int] = field(default_factory=lambda: array("q"))
    shift: array[int] = field(default_factory=lambda: array("q"))

    def take_good(self, line: int) -> None:
        """Note one more good record and the line it begins on."""
        self.good += 1
        shift = line - self.good
        if not self.shift or shift != self.shift[-1]:
            self.from_ordinal.append(self.good)
            self.shift.append(shift)


def _record_lines(records: Iterable[tuple[int, int]], *, width: int, rejected: dict[int, str]) -> _Lines:
    lines = _Lines()
    for number, (line, fields) in enumerate(records, start=1):
        if number == 1:
            continue
        if number in rejected:
            lines.malformed.append((line, _reason(rejected[number], fields=fields, width=width)))
        elif fields or width == 1:
            lines.take_good(line)
    return lines


def _reason(kind: str, *, fields: int, width: int) -> str:
    """Why a record was rejected, in words; DuckDB itself does not count fields beyond the first wrong one."""
    if kind in _WRONG_COUNT:
        return f"{fields} columns where {width} were expected"
    return _REASONS.get(kind, "not CSV")


def _records(path: Path, form: CsvForm, limits: Limits) -> Iterator[tuple[int, int]]:
    """The line each record begins on and its number of fields; header and blank lines, of no fields, are included."""
    before = csv.field_size_limit(2 * limits.max_line_bytes)
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            reader, line = csv.reader(islice(stream, form.before, None), delimiter=form.delimiter), form.header_line
            for record in reader:
                yield line, len(record)
                line = form.header_line + reader.line_num
    except csv.Error:
        raise FileRefusedError(_UNBALANCED) from None
    finally:
        csv.field_size_limit(before)


def _renumber(con: DuckDBPyConnection, lines: _Lines, *, rows: int, header_lines: int) -> None:
    """Give the records in `raw` the lines found, and enter the malformed ones."""
    if lines.good != rows:
        raise FileRefusedError(_UNBALANCED)
    bad_lines, reasons = [line for line, _ in lines.malformed], [reason for _, reason in lines.malformed]
    con.execute("INSERT INTO raw_malformed SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[])", [bad_lines, reasons])
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE raw AS
            SELECT raw.* REPLACE (raw.line - {header_lines} + shifts.shift AS line)
            FROM raw ASOF JOIN (SELECT unnest(?::BIGINT[]) AS start, unnest(?::BIGINT[]) AS shift) AS shifts
              ON raw.line - {header_lines} >= shifts.start
            ORDER BY raw.line""",
        [lines.from_ordinal.tolist(), lines.shift.tolist()],
    )
