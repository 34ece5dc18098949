"""The data behind the pages as CSV, JSON and Parquet: the same edition, the same bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.reports import formats
from pipeline.reports.cells import cell
from pipeline.reports.model import CONTRACT_COLUMNS, Download, EditionData, Record

if TYPE_CHECKING:
    import pandas as pd

ORDER = ["kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value"]
LOAD_COLUMNS = ("file", "source", "rows_in", "loaded", "duplicate", "quarantined", "reason")
NOTE_COLUMNS = ("kpi_id", "grain", "period_start", "dimension", "dimension_value", "status", "reason")
CHECK_COLUMNS = ("check", "layer", "subject", "expectation", "observed", "expected", "passed", "severity", "kpis")
RESTATEMENT_COLUMNS = ("kpi_id", "grain", "period_start", "dimension", "dimension_value", "old", "new", "why")
_SQL_TYPES = {
    "period_start": "DATE", "period_end": "DATE", "value": "DOUBLE", "numerator": "DECIMAL(38,14)",
    "denominator": "DECIMAL(38,14)", "n": "BIGINT", "interval_low": "DOUBLE", "interval_high": "DOUBLE",
    "edition": "BIGINT",
}  # fmt: skip
_WHAT = {
    "kpi_values.csv": "every KPI value, by period and slice",
    "kpi_values.json": "the same values, as columns and rows",
    "kpi_values.parquet": "the same values, typed",
    "notes.csv": "why values are not available",
    "loads.csv": "what became of every file",
    "checks.csv": "results of the data checks",
    "restatements.csv": "values that read differently than in the last edition",
    "edition.json": "what this edition was made from",
}


def plain(number: float | int | Decimal) -> str:
    """A number without exponent and without trailing zeros, exact to its last digit."""
    digits = f"{number if isinstance(number, Decimal) else Decimal(str(number)):f}"
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


@lru_cache(maxsize=4096)
def _json_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def json_cell(value: str | None) -> str:
    """A JSON value; numbers keep every digit they have."""
    return "null" if value is None else value if isinstance(value, Digits) else _json_text(value)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """CSV with a header line; line ends are line feeds on every system."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return out.getvalue()


def json_text(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Column-oriented JSON, one row a line, so that a difference between editions is readable."""
    lines = ",\n".join(f"[{','.join(json_cell(value) for value in row)}]" for row in rows)
    return f'{{"columns": {json.dumps(list(columns))},\n"rows": [\n{lines}\n]}}\n'


def contract_frame(values: pd.DataFrame) -> pd.DataFrame:
    """The contract's columns in the contract's order, sorted, dates as ISO days."""
    frame = values.copy()
    for column in ("period_start", "period_end"):
        frame[column] = [str(found)[:10] for found in frame[column]]
    for column in ("dimension", "dimension_value", "verdict", "signal"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), "")
    return frame.sort_values(ORDER, kind="stable").reset_index(drop=True)


def _write_parquet(columns: Sequence[str], rows: Sequence[Sequence[str | None]], path: Path) -> None:
    """Parquet with declared types; cells go in as text and are cast, so that no type is guessed."""
    import duckdb
    import pandas as pd

    texts = pd.DataFrame(rows, columns=list(columns), dtype=object)
    casts = ", ".join(f'CAST("{name}" AS {_SQL_TYPES.get(name, "VARCHAR")}) AS "{name}"' for name in columns)
    con = duckdb.connect(config={"threads": 1})
    try:
        con.execute("SET enable_progress_bar=false")
        con.register("texts", texts)
        target = str(path).replace("'", "''")
        con.execute(f"COPY (SELECT {casts} FROM texts) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    finally:
        con.close()


def _cells(frame: pd.DataFrame, columns: Sequence[str]) -> list[list[str | None]]:
    """The cells of some columns as text, row by row."""
    return [[printed(value) for value in row] for row in frame[list(columns)].to_numpy(dtype=object).tolist()]


def _picked(rows: Iterable[Record], columns: Sequence[str]) -> list[list[str | None]]:
    """Some keys of records as text; lists become words."""
    found = [[row.get(name) for name in columns] for row in rows]
    return [[printed(" ".join(value) if isinstance(value, (list, tuple)) else value) for value in row] for row in found]


def _edition_text(data: EditionData) -> str:
    inputs = [{name: row[name] for name in ("file", "file_hash", "source", "status", "rows_in")} for row in data.loads]
    document = {**data.edition, "inputs": inputs, "sources": data.sources, "totals": data.totals}
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n"


def write(data: EditionData, folder: Path) -> list[Path]:
    """Write every download into `folder`; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = contract_frame(data.values)
    absent = frame[frame["value"].isna() | (frame["status"] == "not_available")]
    rows = _cells(frame, CONTRACT_COLUMNS)
    texts = {
        "kpi_values.csv": csv_text(CONTRACT_COLUMNS, rows),
        "kpi_values.json": json_text(CONTRACT_COLUMNS, rows),
        "notes.csv": csv_text(NOTE_COLUMNS, _cells(absent, NOTE_COLUMNS)),
        "loads.csv": csv_text(LOAD_COLUMNS, _picked(data.loads, LOAD_COLUMNS)),
        "checks.csv": csv_text(CHECK_COLUMNS, _picked(data.checks, CHECK_COLUMNS)),
        "restatements.csv": csv_text(RESTATEMENT_COLUMNS, _picked(data.restatements, RESTATEMENT_COLUMNS)),
        "edition.json": _edition_text(data),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    _write_parquet(CONTRACT_COLUMNS, rows, folder / "kpi_values.parquet")
    return [folder / name for name in _WHAT]


def described(paths: Iterable[Path]) -> tuple[Download, ...]:
    """The downloads with size and SHA-256, as pages list them."""
    return tuple(
        Download(
            href=f"data/{path.name}",
            what=_WHAT[path.name],
            bytes=formats.size(path.stat().st_size),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in paths
    )
