"""What was said when: values are kept by the edition that first said them, and restatements are found."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

from pipeline.engine.scope import forget_rolled, keep_scope
from pipeline.engine.values import PUBLISHED
from pipeline.warehouse.connection import rows

if TYPE_CHECKING:
    import pandas as pd

_KEY = "kpi_id, grain, period_start, period_end, dimension, dimension_value"
_TYPES = {
    "period_start": "DATE", "period_end": "DATE", "value": "DOUBLE", "numerator": "DECIMAL(38,12)",
    "denominator": "DECIMAL(38,12)", "n": "BIGINT", "interval_low": "DOUBLE", "interval_high": "DOUBLE",
}  # fmt: skip

_EXACT = ("numerator", "denominator")
_PERIOD = "(kpi_id, grain, period_start, period_end)"
_MOVED = f"({_PERIOD} IN (FROM scope) OR {_PERIOD} NOT IN (FROM wanted))"


def create_editions(con: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of editions, values and restatements."""
    columns = ", ".join(f"{name} {_TYPES.get(name, 'VARCHAR')}" for name in PUBLISHED)
    con.execute(
        f"CREATE TABLE IF NOT EXISTS kpi.values({columns}, first_edition BIGINT, last_edition BIGINT);"
        "CREATE TABLE IF NOT EXISTS kpi.editions(number BIGINT PRIMARY KEY, as_of DATE, catalog_hash VARCHAR, "
        "input_hash VARCHAR, run_id BIGINT, notes VARCHAR);"
        "CREATE TABLE IF NOT EXISTS kpi.restatements(edition BIGINT, kpi_id VARCHAR, grain VARCHAR, period_start DATE, "
        "dimension VARCHAR, dimension_value VARCHAR, old DOUBLE, new DOUBLE, why VARCHAR);"
    )


def latest_edition(con: duckdb.DuckDBPyConnection) -> dict[str, object] | None:
    """Return the newest edition, or None before the first."""
    found = rows(con, "SELECT * FROM kpi.editions ORDER BY number DESC LIMIT 1")
    return found[0] if found else None


def store_edition(
    con: duckdb.DuckDBPyConnection,
    values: pd.DataFrame,
    *,
    as_of: str,
    catalog_hash: str,
    input_hash: str,
    run_id: int,
    why: str,
    notes: dict[str, object],
    anew: bool = True,
) -> int:
    """Store a new edition and return its number. Only values that differ from the last edition's take up room.

    When not `anew`, `values` are those of the periods in `scope`, and what stands for other periods that are still
    wanted stands on. A value of a closed period that changes is a restatement, entered with `why`.
    """
    last = latest_edition(con)
    number = int(str(last["number"])) + 1 if last else 1
    con.register("new_frame", values)
    casts = ", ".join(f'CAST("{name}" AS {_TYPES.get(name, "VARCHAR")}) AS "{name}"' for name in PUBLISHED)
    con.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {casts} FROM new_frame")
    con.unregister("new_frame")
    _restate(con, number=number, why=why)
    same = " AND ".join(f'v."{name}" IS NOT DISTINCT FROM i."{name}"' for name in PUBLISHED)
    moved = "TRUE" if anew else _MOVED
    con.execute(
        "CREATE OR REPLACE TEMP TABLE same AS SELECT v.rowid AS old, i.rowid AS new FROM kpi.values AS v "
        f"JOIN incoming AS i ON {same} WHERE v.last_edition IS NULL;"
        f"UPDATE kpi.values AS v SET last_edition = {number - 1} WHERE last_edition IS NULL AND {moved} "
        "AND rowid NOT IN (SELECT old FROM same);"
        f"INSERT INTO kpi.values SELECT *, {number}, NULL FROM incoming WHERE rowid NOT IN (SELECT new FROM same) "
        f"ORDER BY {_KEY}"
    )
    con.execute(
        "INSERT INTO kpi.editions VALUES (?, ?, ?, ?, ?, ?)",
        [number, as_of, catalog_hash, input_hash, run_id, json.dumps(notes, sort_keys=True)],
    )
    (forget_rolled if anew else keep_scope)(con)
    return number


def with_standing(con: duckdb.DuckDBPyConnection, told: pd.DataFrame, *, grain: str) -> pd.DataFrame:
    """Return the values told of a grain, and those the last edition has of it that stand on, in the same columns."""
    import pandas as pd

    columns = ", ".join(f"{name}::VARCHAR AS {name}" if name in _EXACT else name for name in PUBLISHED)
    standing = con.execute(
        f"SELECT {columns} FROM kpi.values WHERE last_edition IS NULL AND grain = ? AND NOT {_MOVED}", [grain]
    ).df()
    for name in ("period_start", "period_end"):
        standing[name] = standing[name].astype("datetime64[s]").dt.date
    return pd.concat([told[told["grain"] == grain], standing], ignore_index=True)


def _restate(con: duckdb.DuckDBPyConnection, *, number: int, why: str) -> None:
    join = " AND ".join(f"v.{name.strip()} = i.{name.strip()}" for name in _KEY.split(","))
    con.execute(
        f"INSERT INTO kpi.restatements SELECT {number}, i.kpi_id, i.grain, i.period_start, i.dimension, "
        "i.dimension_value, v.value, i.value, CASE WHEN v.definition_hash <> i.definition_hash THEN 'new definition' "
        f"ELSE ? END FROM kpi.values AS v JOIN incoming AS i ON {join} WHERE v.last_edition IS NULL "
        "AND v.status IN ('computed', 'insufficient_data') AND v.value IS DISTINCT FROM i.value ORDER BY ALL",
        [why],
    )


def edition_values(con: duckdb.DuckDBPyConnection, number: int) -> pd.DataFrame:
    """Return the values as edition `number` said them, with its number, in catalogue-neutral order."""
    import pandas as pd

    columns = ", ".join(
        f'CAST("{name}" AS VARCHAR) AS "{name}"' if name in _EXACT else f'"{name}"' for name in PUBLISHED[:-1]
    )
    frame = con.execute(
        f"SELECT {columns}, CAST({number} AS BIGINT) AS edition, reason FROM kpi.values "
        f"WHERE first_edition <= {number} AND coalesce(last_edition, {number}) >= {number} "
        "ORDER BY kpi_id, dimension, dimension_value, grain, period_start, period_end"
    ).df()
    for name in _EXACT:
        told = frame[name].astype(object).tolist()
        exact = {text: Decimal(text) if isinstance(text, str) else None for text in set(told)}
        frame[name] = pd.Series([exact[text] for text in told], index=frame.index, dtype=object)
    for name in ("period_start", "period_end"):
        frame[name] = frame[name].astype("datetime64[s]").dt.date
    return frame


def editions(con: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """Return every edition, the newest first, with how many values it restated."""
    return rows(
        con,
        "SELECT number, e.as_of, CAST(r.started_at AS DATE) AS published, catalog_hash, input_hash, "
        "(SELECT count(*) FROM kpi.restatements AS c WHERE c.edition = e.number) AS restated "
        "FROM kpi.editions AS e LEFT JOIN ledger.runs AS r USING (run_id) ORDER BY number DESC",
    )
