"""Collecting what an edition says from the warehouse, for the reports to print."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import duckdb

from pipeline.annotations import dated_notes
from pipeline.catalog.model import Catalog
from pipeline.engine.editions import edition_values, editions, latest_edition
from pipeline.errors import RoiError
from pipeline.reports import EditionData
from pipeline.roi.bill_read import reconciled
from pipeline.roi.store import stored_result
from pipeline.tables import load_tables
from pipeline.warehouse import ledger
from pipeline.warehouse.connection import rows

Record = dict[str, object]

_SOURCE = """coalesce(nullif(f.source, ''), CASE WHEN f.reason LIKE 'incomplete%' THEN 'incomplete'
  ELSE 'not recognised' END)"""
"""The source of a file; of one that was refused, whether it was not whole or nobody knows it."""

_LOADS = f"""
SELECT a.name AS file, {_SOURCE} AS source,
  CASE WHEN a.duplicate_of IS NULL THEN coalesce(l.rows_in, 0) ELSE 0 END AS rows_in,
  CASE WHEN a.duplicate_of IS NULL THEN coalesce(l.loaded, 0) ELSE 0 END AS loaded,
  CASE WHEN a.duplicate_of IS NULL THEN coalesce(l.duplicate, 0) ELSE 0 END AS duplicate,
  CASE WHEN a.duplicate_of IS NULL THEN coalesce(l.quarantined, 0) ELSE 0 END AS quarantined,
  CASE WHEN a.duplicate_of IS NOT NULL OR l.rows_in IS NULL THEN 0 ELSE l.left_out END AS left_out,
  CASE WHEN a.duplicate_of IS NOT NULL THEN 'same content as ' || a.duplicate_of
       WHEN f.reason <> '' THEN f.reason
       ELSE coalesce((SELECT string_agg(warning, '; ' ORDER BY warning) FROM ledger.warnings AS w
                      WHERE w.file_hash = a.file_hash), '') END AS reason,
  a.file_hash, CASE WHEN a.duplicate_of IS NULL THEN f.status ELSE 'duplicate' END AS status,
  CASE WHEN a.duplicate_of IS NULL AND l.quarantined > 0 THEN coalesce(s.by_name, '') ELSE '' END AS mended_by
FROM ledger.arrivals AS a
JOIN ledger.files AS f USING (file_hash)
LEFT JOIN (SELECT file_hash, sum(rows_in)::BIGINT AS rows_in, sum(loaded)::BIGINT AS loaded,
             sum(duplicate)::BIGINT AS duplicate, sum(quarantined)::BIGINT AS quarantined,
             if(count(left_out) = count(*), sum(left_out), NULL)::BIGINT AS left_out
           FROM $loads GROUP BY file_hash) AS l USING (file_hash)
LEFT JOIN ledger.superseded AS s USING (file_hash)
ORDER BY a.name, a.run_id
"""
"""One row per file that arrived. The rows of a file with the content of another are counted with that other one."""

_LEFT_OUT = """
SELECT f.source, l.table_name AS "table", sum(l.left_out)::BIGINT AS rows,
  sum(l.rows_in + l.left_out)::BIGINT AS "of", count(DISTINCT l.file_hash) AS files
FROM $loads AS l JOIN ledger.files AS f USING (file_hash)
WHERE l.table_name <> '' GROUP BY ALL HAVING sum(l.left_out) > 0 ORDER BY f.source, l.table_name
"""
"""Per source and table the rows that the `where` of the mapping leaves out, of those it chose from."""

_QUARANTINE = f"""
SELECT {_SOURCE} AS source, q.table_name AS "table", q.reason, f.records_in IS NULL AS in_lines,
  sum(q.rows)::BIGINT AS rows,
  min_by(f.name, (f.name, q.line)) AS example_file, min_by(q.line, (f.name, q.line)) AS example_line
FROM ledger.counted_quarantine AS q JOIN ledger.files AS f USING (file_hash)
GROUP BY ALL ORDER BY source, "table", q.reason
"""

_QUARANTINED_ROWS = """
SELECT f.name AS file, q.line, q.table_name AS "table", q.reason
FROM ledger.open_quarantine AS q JOIN ledger.files AS f USING (file_hash)
ORDER BY file, q.line NULLS FIRST, "table", q.reason
"""

_TOTALS = """
SELECT f.source, t.table_name AS "table", t.column_name AS "column", sum(t.rows)::BIGINT AS rows,
  sum(t.total) AS total
FROM ledger.totals AS t JOIN ledger.files AS f USING (file_hash) GROUP BY ALL ORDER BY ALL
"""

_RESTATEMENTS = """
SELECT kpi_id, grain, period_start, dimension, dimension_value, old, new, why FROM kpi.restatements
WHERE edition = ? ORDER BY ALL
"""

_DEFINITIONS = """
WITH said AS (
  SELECT DISTINCT kpi_id, edition, definition_hash FROM kpi."values", (VALUES ($number), ($number - 1)) AS e(edition)
  WHERE first_edition <= edition AND coalesce(last_edition, edition) >= edition
),
hashes AS (
  SELECT kpi_id, max(definition_hash) FILTER (WHERE edition = $number) AS new,
    max(definition_hash) FILTER (WHERE edition < $number) AS old
  FROM said GROUP BY kpi_id
)
SELECT kpi_id, CASE WHEN old IS NULL THEN 'new' WHEN new IS NULL THEN 'retired' ELSE 'changed' END AS change
FROM hashes WHERE old IS DISTINCT FROM new AND $number > 1 ORDER BY change, kpi_id
"""
"""KPIs whose definition is another than in the edition before; the first edition has none before it."""


_VERSIONS = """
SELECT v.kpi_id, v.definition_hash, min(v.first_edition) AS edition, min_by(e.as_of, v.first_edition) AS as_of
FROM kpi."values" AS v JOIN kpi.editions AS e ON e.number = v.first_edition
GROUP BY v.kpi_id, v.definition_hash ORDER BY v.kpi_id, edition DESC, v.definition_hash
"""

_HISTORY = """
SELECT edition, kpi_id, grain, period_start, dimension, dimension_value, old, new, why FROM kpi.restatements
WHERE dimension = '' ORDER BY edition DESC, kpi_id, grain, period_start DESC
"""


def collect(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, *, warehouse: str, beside: Path | None = None
) -> EditionData:
    """Gather the newest edition of a warehouse; `beside` is the folder that the project lies in.

    Raises RoiError when there is none yet.
    """
    edition = latest_edition(con)
    if edition is None:
        raise RoiError(f"There is no edition yet; run {ledger.commands(con).make('nightly')} first.")
    number, notes = int(str(edition["number"])), json.loads(str(edition["notes"]))
    checks = [json.loads(str(row["result"])) for row in rows(con, "SELECT result FROM ledger.checks ORDER BY position")]
    result = stored_result(con, number)
    found = reconciled(con, result.bills) if result else None
    return EditionData(
        catalog=catalog,
        values=edition_values(con, number),
        edition={
            "number": number,
            "as_of": str(edition["as_of"]),
            "catalog_hash": edition["catalog_hash"],
            "input_hash": edition["input_hash"],
            "warehouse": warehouse,
            "exports": _exports(con, beside),
            "versions": {name: one for name, one in notes.items() if isinstance(one, str)} | {"pages": pages_hash()},
        },
        sources=_sources(con),
        loads=_loads(con),
        left_out=rows(con, _LEFT_OUT.replace("$loads", _counted_loads(con))),
        quarantine=rows(con, _QUARANTINE),
        checks=checks,
        restatements=rows(con, _RESTATEMENTS, [number]),
        totals=rows(con, _TOTALS),
        quarantined_rows=rows(con, _QUARANTINED_ROWS),
        definitions=rows(con, _DEFINITIONS.replace("$number", str(number))),
        versions=rows(con, _VERSIONS),
        history=rows(con, _HISTORY),
        editions=editions(con),
        before=stored_result(con, number - 1),
        annotations=dated_notes(con, catalog),
        roi=result,
        bill=found[0] if found else None,
        targets=_moved_targets(con),
        by_make=ledger.commands(con).by_make,
    )


def _moved_targets(con: duckdb.DuckDBPyConnection) -> list[Record]:
    """Targets that an edition told otherwise than the one before it, the newest first: edition, kpi_id, old, new."""
    told = [(one["number"], json.loads(str(one["notes"])).get("targets", {})) for one in
            rows(con, "SELECT number, notes FROM kpi.editions ORDER BY number")]  # fmt: skip
    found = [
        {"edition": number, "kpi_id": kpi_id, "old": before[kpi_id], "new": target}
        for (_, before), (number, now) in pairwise(told)
        for kpi_id, target in sorted(now.items())
        if kpi_id in before and before[kpi_id] != target
    ]
    return sorted(found, key=lambda one: -one["edition"])


def _exports(con: duckdb.DuckDBPyConnection, beside: Path | None) -> str:
    """The folder of exports as seen from the project; empty when it lies elsewhere, for pages name no absolute path.

    Of one that lies beside the project the name is told, as the name of the warehouse is; so it reads the same however
    the folder was typed.
    """
    ((folder,),) = con.execute("SELECT coalesce(max(folder), '') FROM ledger.exports").fetchall()
    path = Path(folder)
    if path.is_absolute():
        return f"../{path.name}" if path.parent == beside else ""
    return str(folder)


def pages_hash() -> str:
    """Hash of the code that draws pages, so that a new release draws an old edition anew."""
    folder = Path(__file__).parent / "reports"
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*"), Path(__file__)]):
        if path.suffix in {".py", ".html", ".css", ".js"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(con: duckdb.DuckDBPyConnection) -> list[Record]:
    """One row per source that was recognised, with the rows of its files, those held back whole too."""
    found = rows(
        con,
        """SELECT f.source, count(DISTINCT f.file_hash) AS files, coalesce(sum(l.rows_in), 0)::BIGINT AS rows_in,
             coalesce(sum(l.loaded), 0)::BIGINT AS loaded, coalesce(sum(l.duplicate), 0)::BIGINT AS duplicate,
             coalesce(sum(l.quarantined), 0)::BIGINT AS quarantined,
             coalesce(sum(l.quarantined) FILTER (WHERE f.file_hash NOT IN (SELECT file_hash FROM ledger.superseded)), 0)
               ::BIGINT AS open,
             string_agg(DISTINCT nullif(l.table_name, ''), ', ' ORDER BY nullif(l.table_name, '')) AS tables
           FROM ledger.files AS f LEFT JOIN ledger.loads AS l USING (file_hash)
           WHERE f.source <> '' AND f.status IN ('loaded', 'quarantined') GROUP BY f.source ORDER BY f.source""",
    )
    spans = {str(row["source"]): row for row in rows(con, _through_sql(con))}
    for source in found:
        span = spans.get(str(source["source"]), {})
        source["data_from"], source["data_through"] = span.get("data_from"), span.get("data_through")
    return found


def _loads(con: duckdb.DuckDBPyConnection) -> list[Record]:
    """One row per file that arrived, with its first and last line that are in a table, and in how many tables."""
    spans = {str(row["_file"]): row for row in rows(con, _lines_sql(con))}
    nothing: Record = {"first_line": None, "last_line": None, "tables": 0}
    return [
        load | {name: spans.get(str(load["file_hash"]), nothing)[name] for name in nothing}
        for load in rows(con, _LOADS.replace("$loads", _counted_loads(con)))
    ]


def _counted_loads(con: duckdb.DuckDBPyConnection) -> str:
    """The loads of the ledger; in a warehouse from before rows left out were counted, how many is unknown of each."""
    sql = """SELECT 1 FROM duckdb_columns()
        WHERE (schema_name, table_name, column_name) = ('ledger', 'loads', 'left_out')"""
    is_counted = con.execute(sql).fetchone() is not None
    return "ledger.loads" if is_counted else "(SELECT *, NULL::BIGINT AS left_out FROM ledger.loads)"


def _lines_sql(con: duckdb.DuckDBPyConnection) -> str:
    """SQL of the first and the last line of each file in any table, and of how many tables have rows of it."""
    parts = " UNION ALL ".join(
        f"SELECT _file, min(_line) AS a, max(_line) AS b FROM core.{name} GROUP BY _file" for name in _held(con)
    )
    return f"""SELECT _file, min(a)::BIGINT AS first_line, max(b)::BIGINT AS last_line, count(*)::BIGINT AS tables
               FROM ({parts}) AS t GROUP BY _file"""


def _held(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables that the warehouse has; one that was declared after it was made is not among them."""
    found = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'core'").fetchall()
    held = {name for (name,) in found}
    return [name for name in load_tables() if name in held]


def _through_sql(con: duckdb.DuckDBPyConnection) -> str:
    """SQL of the first and last day of each source; a table that came after the warehouse was made has no rows."""
    held = _held(con)
    parts = " UNION ALL ".join(
        f"SELECT _file, CAST(min({table.day}) AS DATE) AS a, CAST(max({table.day}) AS DATE) AS b "
        f"FROM core.{table.name} GROUP BY _file"
        for table in load_tables().values()
        if table.day and table.name in held
    )
    return (
        f"SELECT f.source, min(a) AS data_from, max(b) AS data_through FROM ({parts}) AS t "
        "JOIN ledger.files AS f ON f.file_hash = t._file GROUP BY f.source ORDER BY f.source"
    )
