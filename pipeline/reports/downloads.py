"""The data behind the pages as CSV, JSON and Parquet: the same edition, the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.catalog.people import is_withheld
from pipeline.reports import formats, lineage
from pipeline.reports.cells import cell
from pipeline.reports.model import CONTRACT_COLUMNS, Download, EditionData, Record
from pipeline.warehouse.connection import warehouse

if TYPE_CHECKING:
    import pandas as pd

Out = TypeVar("Out")
Table = dict[str, list[str | None]]
"""Columns of printed cells; None is unknown."""

ORDER = ["kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value"]
LOAD_COLUMNS = ("file", "source", "rows_in", "loaded", "duplicate", "quarantined", "left_out", "reason")
NOTE_COLUMNS = ("kpi_id", "grain", "period_start", "dimension", "dimension_value", "status", "reason")
QUARANTINE_COLUMNS = ("file", "line", "table", "reason")
CHECK_COLUMNS = ("check", "layer", "subject", "expectation", "observed", "expected", "passed", "severity", "kpis")
CORRECTION_COLUMNS = ("edition", "kpi_id", "grain", "period_start", "old", "new", "why")
RESTATEMENT_COLUMNS = ("kpi_id", "grain", "period_start", "dimension", "dimension_value", "old", "new", "why")
_SQL_TYPES = {
    "period_start": "DATE", "period_end": "DATE", "value": "DOUBLE", "numerator": "DECIMAL(38,14)",
    "denominator": "DECIMAL(38,14)", "n": "BIGINT", "interval_low": "DOUBLE", "interval_high": "DOUBLE",
    "edition": "BIGINT",
}  # fmt: skip
_TO_QUOTE = re.compile(r'[,"\r\n]')
_WHAT = {
    "kpi_values.csv.gz": "every KPI value, by period and slice (CSV, gzip)",
    "kpi_values.parquet": "the same values, typed",
    "notes.csv.gz": "why values are not available (CSV, gzip)",
    "loads.csv": "what became of every file; rows that a mapping leaves out are on top of rows_in",
    "quarantine.csv": "every quarantined row by file and line, with the reason; no line means the whole file",
    "checks.csv": "results of the data checks",
    "restatements.csv": "values that read differently than in the last edition",
    "corrections.csv.gz": "every total that any edition restated (CSV, gzip)",
    "edition.json": "what this edition was made from",
    "roi.json": "what the programme is worth: every claim, cost, assumption and result",
    "roi_lines.csv": "benefits by line, use case and month, from gross to present value, with where each figure stands",
    "roi_costs.csv": "costs by month, category and use case, with where each was booked",
}


def plain(number: float | int | Decimal) -> str:
    """A number without exponent and without trailing zeros, exact to its last digit."""
    digits = str(number)
    if "e" in digits or "E" in digits:
        digits = f"{Decimal(digits):f}"
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits in ("-0", "") else digits


class Digits(str):
    """A number as printed, told apart from text that happens to look like one."""

    __slots__ = ()


def printed(value: object) -> str | None:
    """A cell as text, once for all formats; unknown is None."""
    found = cell(value)
    if found is None or isinstance(found, str):
        return found
    return Digits(str(found).lower() if isinstance(found, bool) else plain(found))


def csv_cell(value: str | None) -> str:
    """A CSV cell; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    if value is None:
        return ""
    is_formula = not isinstance(value, Digits) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def json_cell(value: str | None) -> str:
    """A JSON value; numbers keep every digit they have."""
    return "null" if value is None else value if isinstance(value, Digits) else json.dumps(value, ensure_ascii=False)


def _each(answer: Callable[[Any], Out], cells: Sequence[Any]) -> list[Out]:
    """An answer per cell of one column; equal cells share it, for most repeat, unless types are mixed.

    1 equals True and a printed -1 equals the text "-1", but they do not print the same.
    """
    if len(set(map(type, cells)) - {type(None)}) > 1:
        return [answer(value) for value in cells]
    known: dict[Any, Any] = dict.fromkeys(cells)
    for value in known:
        known[value] = answer(value)
    return list(map(known.__getitem__, cells))


def _csv_field(value: str | None) -> str:
    """A CSV cell as it stands in the file, in quotes where it must be."""
    told = csv_cell(value)
    return '"' + told.replace('"', '""') + '"' if _TO_QUOTE.search(told) else told


def csv_text(columns: Table) -> str:
    """CSV with a header line; line ends are line feeds on every system.

    Cells are quoted column by column, each different one once. A table has two columns or more: an empty cell that
    stands alone would have to be quoted.
    """
    rows = zip(*(_each(_csv_field, cells) for cells in columns.values()), strict=True)
    return "".join(f"{','.join(row)}\n" for row in (columns, *rows))


def json_text(columns: Table) -> str:
    """Column-oriented JSON, one row a line, so that a difference between editions is readable."""
    rows = zip(*(_each(json_cell, cells) for cells in columns.values()), strict=True)
    lines = ",\n".join(f"[{','.join(row)}]" for row in rows)
    return f'{{"columns": {json.dumps(list(columns))},\n"rows": [\n{lines}\n]}}\n'


def packed(text: str) -> bytes:
    """A text as gzip; the time of packing is left out, so that the same text gives the same bytes."""
    return gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)


def contract_frame(values: pd.DataFrame) -> pd.DataFrame:
    """The contract's columns in the contract's order, sorted, dates as ISO days."""
    frame = values.copy()
    for column in ("period_start", "period_end"):
        frame[column] = _each(lambda found: str(found)[:10], frame[column].astype(object).tolist())
    for column in ("dimension", "dimension_value", "verdict", "signal"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), "")
    withheld = frame["reason"].map(is_withheld)  # editions before told a verdict
    frame.loc[withheld, ["verdict", "signal"]] = ""
    return frame.sort_values(ORDER, kind="stable").reset_index(drop=True)


def write_one(held: pd.DataFrame, folder: Path, kpi_id: str, published: set[tuple[str, str, bool]]) -> list[Path]:
    """Write what stands on the page of a KPI as CSV and JSON.

    `held` are its rows of the contract's frame; `published` has grain, first day and whether it is sliced, of each
    value there.
    """
    keys = zip(held["grain"], held["period_start"], held["dimension"] != "", strict=True)
    values = _texts(held.iloc[[at for at, key in enumerate(keys) if key in published]], CONTRACT_COLUMNS)
    paths = [folder / f"{kpi_id}.csv", folder / f"{kpi_id}.json"]
    for path, told in zip(paths, (csv_text(values), json_text(values)), strict=True):
        path.write_text(told, encoding="utf-8", newline="\n")
    return paths


def _write_parquet(columns: Table, path: Path) -> None:
    """Parquet with declared types; cells go in as text and are cast, so that no type is guessed."""
    import pandas as pd

    texts = pd.DataFrame(columns, dtype=object)
    casts = ", ".join(f'CAST("{name}" AS {_SQL_TYPES.get(name, "VARCHAR")}) AS "{name}"' for name in columns)
    with warehouse(Path(":memory:"), threads=1) as con:
        con.register("texts", texts)
        target = str(path).replace("'", "''")
        con.execute(f"COPY (SELECT {casts} FROM texts) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")


def _texts(frame: pd.DataFrame, columns: Sequence[str]) -> Table:
    """Some columns of a frame as text, column by column."""
    return {name: _each(printed, frame[name].astype(object).tolist()) for name in columns}


def _picked(rows: Iterable[Record], columns: Sequence[str]) -> Table:
    """Some keys of records as columns of text; lists become words."""
    found = list(rows)

    def words(value: object) -> object:
        return " ".join(value) if isinstance(value, (list, tuple)) else value

    return {name: [printed(words(row.get(name))) for row in found] for name in columns}


def _edition_text(data: EditionData, status: str) -> str:
    inputs = [{name: row[name] for name in ("file", "file_hash", "source", "status", "rows_in")} for row in data.loads]
    document = {**data.edition, "status": status, "inputs": inputs, "sources": data.sources, "totals": data.totals}
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def _by_place(rows: Iterable[Record]) -> list[Record]:
    """Quarantined rows by file and line; what concerns a whole file comes before its lines."""
    return sorted(
        rows, key=lambda row: (str(row["file"]), int(row["line"] or 0), str(row["table"]), str(row["reason"]))
    )


def write(
    data: EditionData, frame: pd.DataFrame, folder: Path, *, status: str, more: Mapping[str, str] | None = None
) -> list[Path]:
    """Write every download into `folder`; return what was written.

    `frame` is the contract's frame of the values, `status` the edition's status word; `more` are files made
    elsewhere, name -> text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    absent = frame[frame["value"].isna() | (frame["status"] == "not_available")]
    values = _texts(frame, CONTRACT_COLUMNS)
    texts = {
        "loads.csv": csv_text(_picked([{**load, "reason": lineage.reason(load)} for load in data.loads], LOAD_COLUMNS)),
        "quarantine.csv": csv_text(_picked(_by_place(data.quarantined_rows), QUARANTINE_COLUMNS)),
        "checks.csv": csv_text(_picked(data.checks, CHECK_COLUMNS)),
        "restatements.csv": csv_text(_picked(data.restatements, RESTATEMENT_COLUMNS)),
        "edition.json": _edition_text(data, status),
        **(more or {}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    gz = {
        "kpi_values.csv.gz": csv_text(values),
        "notes.csv.gz": csv_text(_texts(absent, NOTE_COLUMNS)),
        "corrections.csv.gz": csv_text(_picked(data.history, CORRECTION_COLUMNS)),
    }
    for name, text in gz.items():
        (folder / name).write_bytes(packed(text))
    _write_parquet(values, folder / "kpi_values.parquet")
    return [folder / name for name in _WHAT if name in texts or name in gz or name == "kpi_values.parquet"]


def described(paths: Iterable[Path], folder: str = "data") -> tuple[Download, ...]:
    """The downloads of a folder with size and SHA-256, as pages list them."""
    return tuple(
        Download(
            href=f"{folder}/{path.name}",
            what=_WHAT.get(path.name, f"the values on this page ({path.suffix[1:].upper()})"),
            bytes=formats.size(path.stat().st_size),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in paths
    )
