"""The ten KPIs of the peers' table as somebody would write them who needs them once: a query per grouping."""

from __future__ import annotations

from bench.grid import DIMENSIONS, GRAINS, Grid, key_of

_NUMBERS = """count(*), count_if(deflected), count_if(answered), count_if(answered AND grounded), sum(cost_usd),
  count_if(deflected) / count(*), count_if(answered AND grounded) / count_if(answered), sum(cost_usd) / count(*),
  count(DISTINCT user_id), quantile_cont(latency_ms, 0.95)"""


def queries(table: str) -> dict[tuple[str, str], str]:
    """The twelve queries by (grain, dimension); dimension is empty for the total."""
    return {(grain, name): _query(table, grain, name) for grain in GRAINS for name in DIMENSIONS}


def _query(table: str, grain: str, dimension: str) -> str:
    keys = f"date_trunc('{grain}', started_at), {dimension or chr(39) * 2}"
    return f"SELECT {keys}, {_NUMBERS} FROM {table} GROUP BY ALL"


def grid_of(grain: str, dimension: str, rows: list[tuple[object, ...]]) -> Grid:
    """Rows of one query as rows of the grid."""
    return {key_of(grain, row[0], dimension, row[1]): tuple(float(str(one)) for one in row[2:]) for row in rows}
