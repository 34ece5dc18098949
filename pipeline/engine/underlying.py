"""The rows behind a value, written to a file for the analyst."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb

from pipeline.engine.course import withheld
from pipeline.engine.explain import Explanation
from pipeline.engine.kinds.base import Look
from pipeline.errors import ConfigurationError, Problem

_RUN_BY_SPREADSHEETS = r"^[=+@\t\r-]"


def export_rows(con: duckdb.DuckDBPyConnection, explanation: Explanation, path: Path) -> dict[Path, int]:
    """Write the rows of the fact behind a value to a CSV or Parquet file; returns the files and their rows.

    A KPI of two facts gets a second file, with the fact in its name. Text that a spreadsheet would run is disarmed.
    With the course of the KPI, the rows of all days are written, but for those of periods that are withheld and that no
    longer period tells of.
    ConfigurationError when the value was withheld, has no rows, or the ending is another one.
    """
    if explanation.look is None:
        why = f"found a value that has none to show: {explanation.published['reason']}"
        raise ConfigurationError("There are no rows to write.", [Problem("--rows", "E009", why)])
    if path.suffix not in (".csv", ".parquet") or not path.parent.is_dir():
        what = f"found {str(path)!r}, expected a name that ends in .csv or .parquet, in a folder that exists"
        raise ConfigurationError("The rows cannot be written.", [Problem("--rows", "E010", what)])
    written = {}
    for place, fact in enumerate(dict.fromkeys(explanation.metric.facts)):
        target = path if place == 0 else path.with_name(f"{path.stem}-{fact}{path.suffix}")
        written[target] = _export(con, _source(explanation, explanation.look, fact), target)
    return written


def _source(explanation: Explanation, look: Look, fact: str) -> str:
    """FROM and WHERE of the rows of the value, or of its whole course."""
    if not explanation.course:
        return look.source(fact)
    spans = withheld(explanation.course, explanation.metric.grain)
    kept = [f" AND NOT (day >= DATE '{start}' AND day < DATE '{end}')" for start, end in spans]
    return replace(look, end=look.until + timedelta(days=1)).history(fact) + "".join(kept)


def _export(con: duckdb.DuckDBPyConnection, source: str, target: Path) -> int:
    described = con.execute(f"DESCRIBE SELECT * {source}").fetchall()
    columns = ", ".join(_disarmed(row[0]) if row[1] == "VARCHAR" else f'"{row[0]}"' for row in described)
    options = "FORMAT parquet" if target.suffix == ".parquet" else "FORMAT csv, HEADER"
    place = str(target).replace("'", "''")
    ((count,),) = con.execute(f"COPY (SELECT {columns} {source} ORDER BY ALL) TO '{place}' ({options})").fetchall()
    return int(count)


def _disarmed(column: str) -> str:
    """The column, with an apostrophe before what a spreadsheet would take for a formula."""
    name = f'"{column}"'
    runs = f"regexp_matches({name}, '{_RUN_BY_SPREADSHEETS}')"
    return f"CASE WHEN {runs} THEN chr(39) || {name} ELSE {name} END AS {name}"
