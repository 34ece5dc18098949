"""The floor: one scan that reads every column of `core.calls` the facts use, and does no more with it than it must.

Numbers are summed, flags counted, moments summed as microseconds, and of texts the lengths in bytes are summed: a bare
`count(column)` would not do, because DuckDB turns it into `count(*)` where a column has no nulls and reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

PEERS = {
    "user_id": "number", "started_at": "time", "team": "text", "channel": "text", "model": "text",
    "deflected": "flag", "answered": "flag", "grounded": "flag", "cost_usd": "number", "latency_ms": "number",
}  # fmt: skip
"""What the ten KPIs read of the peers' table."""

_KINDS = {"VARCHAR": "text", "BOOLEAN": "flag", "TIMESTAMPTZ": "time"}
_SUMS = {
    "text": "sum(strlen({0}))",
    "number": "sum({0})",
    "flag": "count_if({0})",
    "time": "sum(epoch_us({0}))",
}


def kinds_of(columns: Mapping[str, str]) -> dict[str, str]:
    """How each column is summed up, by its SQL type.

    >>> kinds_of({"model": "VARCHAR", "tokens_out": "BIGINT"})
    {'model': 'text', 'tokens_out': 'number'}
    """
    return {name: _KINDS.get(sql_type, "number") for name, sql_type in columns.items()}


def floor_sql(table: str, columns: Mapping[str, str]) -> str:
    """One query that reads the columns.

    >>> floor_sql("t", {"a": "number", "b": "text"})
    'SELECT sum(a), sum(strlen(b)) FROM t'
    """
    return f"SELECT {', '.join(_SUMS[kind].format(name) for name, kind in columns.items())} FROM {table}"
