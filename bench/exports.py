"""Generated exports: the calls of a gateway as CSV, JSONL and Parquet, the same rows in each."""

from __future__ import annotations

from pathlib import Path

import duckdb

FORMATS = {"csv": "FORMAT csv", "jsonl": "FORMAT json", "parquet": "FORMAT parquet, COMPRESSION zstd"}
"""How DuckDB is told to write each, by the ending of the file."""
COLUMNS = {
    "request_id": "VARCHAR", "trace_id": "VARCHAR", "session_id": "VARCHAR", "user": "VARCHAR", "kind": "VARCHAR",
    "environment": "VARCHAR", "started_at": "TIMESTAMPTZ", "ended_at": "TIMESTAMPTZ", "latency_ms": "DOUBLE",
    "first_token_ms": "DOUBLE", "provider": "VARCHAR", "model": "VARCHAR", "tier": "VARCHAR", "is_batch": "BOOLEAN",
    "prompt_tokens": "BIGINT", "cached_tokens": "BIGINT", "completion_tokens": "BIGINT", "reasoning_tokens": "BIGINT",
    "cost": "DECIMAL(28,14)", "currency": "VARCHAR", "cache_hit": "BOOLEAN", "status": "VARCHAR", "error": "VARCHAR",
    "http_status": "BIGINT", "prompt_name": "VARCHAR", "prompt_version": "VARCHAR",
}  # fmt: skip
"""The columns of every file, with the types the plain reader gives them: those of `core.calls`."""
BAD_SHARE = 0.001
"""Share of the rows that break a rule of the contract: half have negative tokens, half a status nobody knows."""

_WRITTEN = ", ".join(
    f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%gZ') AS {name}" for name in ("started_at", "ended_at")
)  # as text formats have times; Parquet has a type for them


def write_exports(folder: Path, rows: int, *, formats: tuple[str, ...] = tuple(FORMATS), files: int = 1) -> list[Path]:
    """Write `rows` calls in each format, split evenly over so many files; those that are there already stay."""
    paths = []
    with duckdb.connect() as con:
        con.execute("SET TimeZone='UTC'")
        for name in formats:
            each = -(-rows // files)
            for number in range(files):
                path = folder / f"{name}-{rows}-{files}" / f"gateway_calls_{number:04}.{name}"
                paths.append(path)
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    part = path.with_suffix(".part")
                    query = _calls(number * each, min((number + 1) * each, rows), rows)
                    query = query if name == "parquet" else f"SELECT * REPLACE ({_WRITTEN}) FROM ({query})"
                    con.execute(f"COPY ({query}) TO '{part}' ({FORMATS[name]})")
                    part.replace(path)
    return paths


def _unit(salt: int) -> str:
    """A number in [0, 1) of a row."""
    return f"((hash(i * 1024 + {salt}) >> 11) / 9007199254740992.0)"


def _id(salt: int, index: str = "i", digits: int = 16) -> str:
    return f"substr(printf('%016x', hash({index} * 1024 + {salt})), 1, {digits})"


def _calls(first: int, end: int, rows: int) -> str:
    """Rows number `first` to before `end` of a year of `rows` calls, in the order of their time."""
    kept = ", ".join(f'"{name}"' for name in COLUMNS)
    people = max(40, rows // 1000)
    return f"""SELECT {kept} FROM (
      SELECT i, 'req-' || {_id(1)} AS request_id, 'tr-' || {_id(2, "(i // 3)")} AS trace_id,
        'ses-' || {_id(3, "(i // 7)", 12)} AS session_id,
        'person.' || CAST(floor({people} * pow({_unit(4)}, 1.3)) AS BIGINT) || '@example.com' AS "user",
        CASE WHEN {_unit(5)} < 0.9 THEN 'model' ELSE 'retrieval' END AS kind,
        CASE WHEN {_unit(6)} < 0.05 THEN 'staging' ELSE 'production' END AS environment,
        TIMESTAMPTZ '2025-10-01 00:00:00+00' + to_microseconds(CAST(i * (31536e9 / {rows}) AS BIGINT)) AS started_at,
        round(exp(6.5 + 0.8 * ({_unit(7)} + {_unit(8)} + {_unit(9)} - 1.5)), 1) AS latency_ms,
        started_at + to_milliseconds(CAST(latency_ms AS BIGINT)) AS ended_at,
        CASE WHEN kind = 'model' THEN round(latency_ms * 0.3, 1) END AS first_token_ms,
        ['openai', 'anthropic', 'gemini'][1 + CAST(floor(3 * {_unit(10)}) AS INTEGER)] AS provider,
        provider || ['-large', '-small', '-mini'][1 + CAST(floor(3 * {_unit(11)}) AS INTEGER)] AS model,
        CASE WHEN {_unit(12)} < 0.8 THEN 'standard' END AS tier, {_unit(13)} < 0.02 AS is_batch,
        CAST(150 + 3000 * pow({_unit(14)}, 2) AS BIGINT) AS prompt_tokens,
        CASE WHEN {_unit(15)} < 0.5 THEN CAST(2000 * {_unit(16)} AS BIGINT) END AS cached_tokens,
        CASE WHEN {_unit(17)} < {BAD_SHARE / 2} THEN -1 ELSE CAST(20 + 900 * pow({_unit(18)}, 2) AS BIGINT) END
          AS completion_tokens,
        CASE WHEN {_unit(19)} < 0.2 THEN CAST(500 * {_unit(20)} AS BIGINT) END AS reasoning_tokens,
        CAST(round(0.000003 * prompt_tokens + 0.000015 * abs(completion_tokens), 8) AS DECIMAL(18, 8)) AS cost,
        'USD' AS currency, {_unit(21)} < 0.04 AS cache_hit,
        CASE WHEN {_unit(22)} < {BAD_SHARE / 2} THEN 'strange' WHEN {_unit(22)} < 0.015 THEN 'error' ELSE 'ok' END
          AS status,
        CASE WHEN status = 'error' THEN 'RateLimitError' END AS error,
        CASE WHEN status = 'error' THEN 429 ELSE 200 END AS http_status,
        CASE WHEN kind = 'model' THEN 'answer_' || CAST(floor(6 * {_unit(23)}) AS INTEGER) END AS prompt_name,
        CASE WHEN kind = 'model' THEN 'v' || (1 + i * 12 // {rows}) END AS prompt_version
      FROM (SELECT range AS i FROM range({first}, {end})))"""
