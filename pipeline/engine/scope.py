"""What must be told anew: the periods new rows may have changed, those not settled yet, and those that were never told.

A value that stands in the last edition is told again only when something it rests on may have changed; so a night costs
what its new days cost, however long the history is. The values of an edition are the same either way.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.catalog.people import tells_of_people
from pipeline.engine.kinds import kind_of
from pipeline.facts import facts_of_deeds

_PERIODS = """
CREATE OR REPLACE TEMP TABLE all_periods AS
WITH days AS (SELECT CAST(unnest(range($first::DATE, $end::DATE, INTERVAL 1 DAY)) AS DATE) AS day),
calendar AS (
  SELECT 'day' AS grain, day AS period_start, day + 1 AS period_end FROM days UNION
  SELECT 'week', CAST(date_trunc('week', day) AS DATE), CAST(date_trunc('week', day) AS DATE) + 7 FROM days UNION
  SELECT 'month', CAST(date_trunc('month', day) AS DATE), CAST(date_trunc('month', day) + INTERVAL 1 MONTH AS DATE)
  FROM days UNION
  SELECT 'quarter', CAST(date_trunc('quarter', day) AS DATE),
    CAST(date_trunc('quarter', day) + INTERVAL 3 MONTH AS DATE)
  FROM days
)
SELECT cadence, grain, period_start, period_end
FROM calendar, (VALUES ('daily'), ('weekly'), ('monthly'), ('quarterly')) AS cadences(cadence)
UNION
SELECT cadence, '28d', period_end - 28, period_end
FROM calendar
JOIN (VALUES ('daily', 'day'), ('weekly', 'week'), ('monthly', 'month'), ('quarterly', 'month')) AS ends(cadence, grain)
USING (grain) WHERE period_end <= $end
UNION
SELECT cadence, '28d', $end::DATE - 28, $end::DATE
FROM (VALUES ('daily'), ('weekly'), ('monthly'), ('quarterly')) AS cadences(cadence)
"""

_KEY = "kpi_id, grain, period_start, period_end"
_STANDING = f"""
CREATE OR REPLACE TEMP TABLE standing AS
SELECT {_KEY},
  bool_or(status = 'immature' OR (may_be_open AND numerator IS DISTINCT FROM denominator)) AS is_unsettled
FROM kpi.values JOIN (SELECT kpi_id, may_be_open FROM kpis) USING (kpi_id) WHERE last_edition IS NULL GROUP BY {_KEY}
"""
# The chart of a KPI judges each point on those before it, so that what follows a changed point is told anew, too.
_ASKED = f"""
CREATE OR REPLACE TEMP TABLE asked AS
WITH moved AS (
  SELECT k.kpi_id, t.day, t.day + k.reach_days AS last_day FROM kpis AS k
  JOIN touched AS t ON list_contains(k.facts, t.fact) WHERE t.day IS NOT NULL
),
found AS (
  SELECT {_KEY} FROM wanted ANTI JOIN standing USING ({_KEY})
  UNION SELECT {_KEY} FROM standing WHERE is_unsettled
  UNION SELECT {_KEY} FROM wanted SEMI JOIN (FROM kpis WHERE is_new) USING (kpi_id)
  UNION SELECT w.kpi_id, w.grain, w.period_start, w.period_end FROM wanted AS w
  JOIN moved AS m ON m.kpi_id = w.kpi_id AND m.day < w.period_end AND m.last_day >= w.period_start
),
charted AS (
  SELECT kpi_id, grain, min(period_start) AS since FROM found SEMI JOIN kpis USING (kpi_id, grain) GROUP BY ALL
)
SELECT {_KEY} FROM wanted SEMI JOIN found USING ({_KEY})
UNION SELECT {_KEY} FROM wanted JOIN charted USING (kpi_id, grain) WHERE period_start >= since
"""
# Whether a small group can be worked out rests on all periods at once.
_SCOPE = f"""
CREATE OR REPLACE TEMP TABLE scope AS
FROM asked UNION SELECT {_KEY} FROM wanted SEMI JOIN (FROM kpis WHERE tells_people) USING (kpi_id)
"""


_DAYS = """
CREATE OR REPLACE TEMP TABLE scope_days AS
SELECT *, CAST(unnest(range(period_start, period_end, INTERVAL 1 DAY)) AS DATE) AS day
FROM (SELECT DISTINCT grain, period_start, period_end FROM asked)
"""
_CHART = """
INSERT INTO chart
SELECT v.kpi_id, v.period_start, CASE WHEN v.status = 'computed' THEN v.value END
FROM kpi.values AS v SEMI JOIN kpis USING (kpi_id, grain)
SEMI JOIN wanted USING (kpi_id, grain, period_start) ANTI JOIN scope USING (kpi_id, grain, period_start)
WHERE v.last_edition IS NULL AND v.dimension = ''
"""


def find_scope(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, *, begun: dict[str, str], as_of: str, anew: bool
) -> None:
    """Write the temp tables that say what is to be told.

    `wanted` (kpi_id, grain, period_start, period_end) are all periods an edition has, `scope` those of them that are to
    be told: when `anew` all, else those of which the values that stand in `kpi.values` may no longer hold, and all of a
    KPI that tells of people. `asked` are those that are to be rolled up for it. `kpis` has a line per KPI, and `chart`
    (kpi_id, period_start, value) the points of its chart that stand before those told.
    `begun` has the first day of each fact that has any.
    """
    first = min(begun.values(), default=as_of)
    con.execute(_PERIODS.replace("$first", f"DATE '{first}'").replace("$end", f"(DATE '{as_of}' + 1)"))
    since = {
        kpi_id: min((begun[fact] for fact in metric.counted_facts if fact in begun), default="")
        for kpi_id, metric in catalog.metrics.items()
    }
    con.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS {_wanted(catalog, since, as_of=as_of)}")
    con.execute("CREATE OR REPLACE TEMP TABLE chart(kpi_id VARCHAR, period_start DATE, value DOUBLE)")
    if anew:
        tables = (f"CREATE OR REPLACE TEMP TABLE {name} AS FROM wanted;" for name in ("asked", "scope"))
        con.execute("".join(tables) + _DAYS)
        return
    _list_kpis(con, catalog, since)
    con.execute(_STANDING)
    con.execute(f"{_ASKED};{_SCOPE};{_DAYS};{_CHART}")


def _list_kpis(con: duckdb.DuckDBPyConnection, catalog: Catalog, since: dict[str, str]) -> None:
    """Write table `kpis`; a KPI is new when what its values rest on is not what it was, or is nothing."""
    con.execute(
        "CREATE TABLE IF NOT EXISTS states.told(kpi_id VARCHAR PRIMARY KEY, rests_on VARCHAR);"
        "CREATE OR REPLACE TEMP TABLE kpis(kpi_id VARCHAR, grain VARCHAR, facts VARCHAR[], reach_days INTEGER, "
        "may_be_open BOOLEAN, rests_on VARCHAR, is_new BOOLEAN, tells_people BOOLEAN)"
    )
    told = dict(con.execute("SELECT kpi_id, rests_on FROM states.told").fetchall())
    kept = "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'states' AND table_name = 'rolled'"
    is_kept = bool(con.execute(kept).fetchall())
    rebuilt = {fact for (fact,) in con.execute("SELECT fact FROM touched WHERE day IS NULL").fetchall()}
    records = catalog.model_dump(mode="json")["metrics"]
    rows = []
    for kpi_id, metric in catalog.metrics.items():
        rests_on = _rests_on(records[kpi_id], since[kpi_id])
        tells_people = tells_of_people(metric, facts_of_deeds())
        is_new = told.get(kpi_id) != rests_on or not since[kpi_id] or not rebuilt.isdisjoint(metric.facts)
        is_new = is_new or (tells_people and not is_kept)
        reach, is_open = (
            (kind_of(metric).reach_days(metric), kind_of(metric).may_be_open) if metric.facts else (0, False)
        )
        rows.append([kpi_id, metric.grain, list(metric.facts), reach, is_open, rests_on, is_new, tells_people])
    types = ("VARCHAR", "VARCHAR", "VARCHAR[]", "INTEGER", "BOOLEAN", "VARCHAR", "BOOLEAN", "BOOLEAN")
    columns = ", ".join(f"unnest(${place}::{sql_type}[])" for place, sql_type in enumerate(types, start=1))
    con.execute(f"INSERT INTO kpis SELECT {columns}", [list(column) for column in zip(*rows, strict=True)])


def keep_scope(con: duckdb.DuckDBPyConnection) -> None:
    """Remember on what the values rest that have now been told, and what was rolled up of KPIs that are told whole."""
    con.execute(
        "INSERT OR REPLACE INTO states.told SELECT kpi_id, rests_on FROM kpis;"
        "CREATE OR REPLACE TABLE states.rolled AS FROM rolled SEMI JOIN (FROM kpis WHERE tells_people) USING (kpi_id)"
    )


def forget_rolled(con: duckdb.DuckDBPyConnection) -> None:
    """Forget what was rolled up, since what has now been told is something else."""
    con.execute("DROP TABLE IF EXISTS states.rolled")


def add_rolled(con: duckdb.DuckDBPyConnection) -> None:
    """Add to `rolled` the periods of `scope` that were not asked for, as they were rolled up before.

    A KPI of which there are any is not new, so this very code rolled them up.
    """
    if con.execute(f"FROM scope ANTI JOIN asked USING ({_KEY}) LIMIT 1").fetchall():
        con.execute(
            f"INSERT INTO rolled FROM states.rolled ANTI JOIN asked USING ({_KEY}) SEMI JOIN wanted USING ({_KEY})"
        )


def _wanted(catalog: Catalog, since: dict[str, str], *, as_of: str) -> str:
    """SQL of the periods in which each KPI can have a value, and the trailing days up to the last one with data.

    A KPI without data has those days alone.
    """
    last = f"DATE '{as_of}' + 1"
    rules = {kpi_id: kind_of(one).periods(one) for kpi_id, one in catalog.metrics.items() if since[kpi_id]}
    numbers = {rule: number for number, rule in enumerate(dict.fromkeys(rules.values()))}
    cadences = ", ".join(
        f"('{kpi_id}', '{catalog.metrics[kpi_id].cadence}', DATE '{since[kpi_id]}', {numbers[rule]})"
        for kpi_id, rule in rules.items()
    )
    held = (
        "TRUE"
        if not numbers
        else " ".join(["CASE rule", *(f"WHEN {no} THEN {rule}" for rule, no in numbers.items()), "END"])
    )
    without = ", ".join(f"('{kpi_id}')" for kpi_id, first in since.items() if not first)
    parts = [
        f"SELECT kpi_id, grain, period_start, period_end FROM all_periods JOIN (VALUES {cadences}) "
        f"AS kpis(kpi_id, cadence, since, rule) USING (cadence) WHERE {held} AND CASE "
        f"WHEN grain = '28d' THEN period_start >= since OR period_end = {last} ELSE period_end > since END",
        f"SELECT kpi_id, '28d' AS grain, {last} - 28 AS period_start, {last} AS period_end "
        f"FROM (VALUES {without}) AS kpis(kpi_id)",
    ]
    return " UNION ALL ".join(part for part, has in zip(parts, (cadences, without), strict=True) if has)


def _rests_on(record: dict[str, object], since: str) -> str:
    """Hash of everything a value depends on besides the states of its period."""
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256("\n".join([text, since, _code_hash()]).encode()).hexdigest()


@cache
def _code_hash() -> str:
    """Hash of the code that turns states into values."""
    room = Path(__file__).resolve().parent.parent
    paths = sorted(path for name in ("engine", "statistics", "catalog") for path in (room / name).rglob("*.py"))
    return hashlib.sha256(b"\n".join(path.read_bytes() for path in paths)).hexdigest()
