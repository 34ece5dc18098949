"""Dated notes that the analyst keeps: which stand on which charts, and which name a KPI that there is not."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.catalog.wording import near, quoted
from pipeline.errors import Problem
from pipeline.warehouse.connection import rows

Record = dict[str, object]
EVERY_KPI = "*"

_NOTES = """
SELECT date, kpi_id, note, coalesce(told_by, '') AS told_by, coalesce(f.name || ':' || t._line, '') AS place
FROM core.annotations AS t LEFT JOIN ledger.files AS f ON f.file_hash = t._file ORDER BY date, kpi_id, annotation_id
"""


def dated_notes(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> list[Record]:
    """The notes on KPIs of the catalogue, the oldest first: date, kpi_id (`*` for all), note, told_by, place."""
    return [one for one in _notes(con) if one["kpi_id"] == EVERY_KPI or one["kpi_id"] in catalog.metrics]


def misplaced(con: duckdb.DuckDBPyConnection, catalog: Catalog) -> Iterator[Problem]:
    """A problem, with file and line, for each note on a KPI that is not in the catalogue; it stands on no chart."""
    for one in _notes(con):
        kpi_id = str(one["kpi_id"])
        if kpi_id != EVERY_KPI and kpi_id not in catalog.metrics:
            meant = near(kpi_id, catalog.metrics)
            hint = f", did you mean {meant}?" if meant else ""
            message = f"found kpi {quoted(kpi_id)}, expected a KPI of the catalogue or {EVERY_KPI}{hint}"
            yield Problem(str(one["place"]), "A001", message)


def _notes(con: duckdb.DuckDBPyConnection) -> list[Record]:
    """Every note; none in a warehouse from before there were notes, whose pages are drawn again."""
    exists = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'core' AND table_name = 'annotations'"
    return rows(con, _NOTES) if con.execute(exists).fetchall() else []
