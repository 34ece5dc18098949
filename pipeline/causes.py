"""What caused a restatement: the files and rows of a run that fall into the period of a restated value."""

from __future__ import annotations

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.engine.kinds import kind_of
from pipeline.facts import load_facts
from pipeline.tables import load_tables

FILES_NAMED = 3
REDEFINED = "new definition"

_PERIOD_END = """CASE r.grain WHEN '28d' THEN r.period_start + 28 WHEN 'day' THEN r.period_start + 1
  WHEN 'week' THEN r.period_start + 7 WHEN 'month' THEN r.period_start + INTERVAL 1 MONTH
  ELSE r.period_start + INTERVAL 3 MONTH END"""

_NAME = f"""
WITH of_file AS (
  SELECT r.rowid AS place, a.file, sum(a.rows) AS rows, min(a.line) AS line
  FROM kpi.restatements AS r JOIN reads USING (kpi_id) JOIN arrived AS a USING (table_name)
  WHERE r.edition = $edition AND r.why <> '{REDEFINED}'
    AND (a.day IS NULL OR (a.day < {_PERIOD_END} AND a.day + reads.reach_days >= r.period_start))
  GROUP BY ALL
),
ranked AS (SELECT *, row_number() OVER (PARTITION BY place ORDER BY rows DESC, file) AS rank FROM of_file),
named AS (
  SELECT place, count(*) AS files, string_agg(
    file || CASE WHEN rows = 1 AND line IS NOT NULL THEN ':' || line ELSE ' (' || rows || ' rows)' END,
    ', ' ORDER BY rank
  ) FILTER (WHERE rank <= {FILES_NAMED}) AS told
  FROM ranked GROUP BY place
)
UPDATE kpi.restatements AS r SET why = 'new rows in ' || told ||
  CASE WHEN files > {FILES_NAMED} THEN ' and ' || (files - {FILES_NAMED}) || ' more files' ELSE '' END
FROM named WHERE r.rowid = named.place
"""


def name_causes(con: duckdb.DuckDBPyConnection, catalog: Catalog, *, edition: int, since_load: int) -> None:
    """Say of each value an edition restated which files, and which row of one that brought a single, brought it about.

    What was loaded from load `since_load` on counts as new. A value whose period no such row touches keeps its reason.
    """
    if not con.execute("SELECT 1 FROM kpi.restatements WHERE edition = ? LIMIT 1", [edition]).fetchall():
        return
    con.execute("CREATE OR REPLACE TEMP TABLE reads(kpi_id VARCHAR, table_name VARCHAR, reach_days INTEGER)")
    for kpi_id, metric in catalog.metrics.items():
        for table in dict.fromkeys(table for fact in metric.facts for table in load_facts()[fact].reads):
            con.execute("INSERT INTO reads VALUES (?, ?, ?)", [kpi_id, table, kind_of(metric).reach_days(metric)])
    con.execute(f"CREATE OR REPLACE TEMP TABLE arrived AS {_arrived(since_load)}")
    con.execute(_NAME.replace("$edition", str(edition)))


def _arrived(since_load: int) -> str:
    """SQL of the new rows by table, day and file; rows that hold for a span of days have none and count for all."""
    parts = (
        f"SELECT '{table.name}' AS table_name, {f'CAST({table.day} AS DATE)' if table.day else 'NULL::DATE'} AS day, "
        f"f.name AS file, min(t._line) AS line, count(*)::BIGINT AS rows FROM core.{table.name} AS t "
        f"JOIN ledger.files AS f ON f.file_hash = t._file WHERE t._load_id >= {since_load} GROUP BY ALL"
        for table in load_tables().values()
    )
    return " UNION ALL ".join(parts)
