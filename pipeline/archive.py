"""The archive of editions: what one of them said, and what two of them tell otherwise; none is ever changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.engine.editions import edition_values
from pipeline.errors import ConfigurationError, Problem
from pipeline.reports import formats, sentences
from pipeline.reports.model import Value
from pipeline.reports.rows import running_since
from pipeline.reports.values import current, index
from pipeline.roi.store import stored_result
from pipeline.warehouse import ledger
from pipeline.warehouse.connection import rows

Record = dict[str, object]

_AT = "first_edition <= {0} AND coalesce(last_edition, {0}) >= {0}"
_KEY = "kpi_id, grain, period_start, period_end, dimension, dimension_value"
_DIFF = """
WITH old AS (SELECT {key}, value, status, verdict, reason, unit, definition_hash FROM kpi."values" WHERE {was}),
new AS (SELECT {key}, value, status, verdict, reason, unit, definition_hash FROM kpi."values" WHERE {now}),
causes AS (SELECT kpi_id, grain, period_start, dimension, dimension_value, max_by(why, edition) AS why
  FROM kpi.restatements WHERE edition > {first} AND edition <= {last} GROUP BY ALL)
SELECT {key}, old.value AS old, new.value AS new, CASE WHEN old.status IS NULL THEN 'new' WHEN new.status IS NULL
  THEN 'gone' WHEN old.definition_hash <> new.definition_hash THEN 'redefined' WHEN old.value IS NOT DISTINCT FROM
  new.value THEN CASE WHEN old.status = new.status THEN 'verdict' ELSE 'status' END WHEN old.status = 'immature' THEN
  'provisional' WHEN old.status = 'not_available' THEN 'told' ELSE 'restated' END AS change,
  coalesce(new.unit, old.unit) AS unit, old.status AS old_status, new.status AS new_status,
  old.verdict AS old_verdict, new.verdict AS new_verdict, old.reason AS old_reason, new.reason AS new_reason, causes.why
FROM old FULL JOIN new USING ({key}) LEFT JOIN causes USING (kpi_id, grain, period_start, dimension, dimension_value)
WHERE old.value IS DISTINCT FROM new.value OR old.status IS DISTINCT FROM new.status
  OR old.definition_hash IS DISTINCT FROM new.definition_hash OR old.verdict IS DISTINCT FROM new.verdict
  AND new.value IS NOT NULL
ORDER BY ALL
"""
"""A value is restated where it was final or thin, as `kpi.restatements` has it; a provisional one was to change."""


@dataclass(frozen=True)
class Shown:
    """One edition: its record, and each KPI as its pages headlined it."""

    edition: Record
    values: tuple[Record, ...]


def show(con: duckdb.DuckDBPyConnection, catalog: Catalog, number: int) -> Shown:
    """What an edition said, in the words of today's catalogue; KPIs that were retired since or came later have no line.

    Raises ConfigurationError when there is no such edition.
    """
    found = _edition(con, number)
    as_of = date.fromisoformat(str(found["as_of"])[:10])
    since = running_since(catalog, stored_result(con, number))
    values = index(edition_values(con, number), as_of, since)
    said = {kpi_id for kpi_id, _ in values.overall}
    told = [_line(one, catalog, current(values, one, metric)) for one, metric in catalog.metrics.items() if one in said]
    return Shown(found, tuple(told))


def _edition(con: duckdb.DuckDBPyConnection, number: int) -> Record:
    published = "(SELECT CAST(started_at AS DATE) FROM ledger.runs AS r WHERE r.run_id = e.run_id) AS published"
    found = rows(con, f"SELECT *, {published} FROM kpi.editions AS e WHERE number = ?", [number])
    if not found:
        ((last,),) = con.execute("SELECT coalesce(max(number), 0) FROM kpi.editions").fetchall()
        names = ledger.commands(con).roi("edition list")
        problem = Problem("edition", "E010", f"found {number}; expected one from 1 to {last}, as {names} names them")
        raise ConfigurationError("There is no such edition.", [problem])
    return {**found[0], "notes": json.loads(str(found[0]["notes"]))}


def _line(kpi_id: str, catalog: Catalog, row: Value | None) -> Record:
    if row is None:
        return {"kpi_id": kpi_id, "period": "", "value": "not available", "spread": sentences.NO_VALUE, "verdict": ""}
    metric = catalog.metrics[kpi_id]
    is_known = row.value is not None
    return {
        "kpi_id": kpi_id,
        "period": formats.when(row),
        "value": sentences.value(row, metric),
        "spread": sentences.spread(row) if is_known else formats.figure(row).why,
        "verdict": row.verdict if is_known else "",
    }


@dataclass(frozen=True)
class Difference:
    """What two editions tell otherwise: how often per KPI and kind of change, and each value."""

    old: int
    new: int
    counts: tuple[tuple[str, str, int], ...]
    values: tuple[Record, ...]


def diff(con: duckdb.DuckDBPyConnection, old: int, new: int) -> Difference:
    """Every value that two editions tell otherwise, or that only one of them tells.

    Raises ConfigurationError when there is no such edition.
    """
    for number in (old, new):
        _edition(con, number)
    first, last = sorted((old, new))
    found = rows(con, _DIFF.format(key=_KEY, was=_AT.format(old), now=_AT.format(new), first=first, last=last))
    counts: dict[tuple[str, str], int] = {}
    for row in found:
        key = (str(row["kpi_id"]), str(row["change"]))
        counts[key] = counts.get(key, 0) + 1
    return Difference(old, new, tuple((*key, count) for key, count in sorted(counts.items())), tuple(found))
