"""Reading what a bill is reconciled from: calls, reports of providers, prices and invoices of the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from pipeline.roi.bill_netting import CLASSES
from pipeline.roi.bill_records import Charge, Counted, Fee, Logged, Sheets, Statement, TokenPrice
from pipeline.roi.costs import Rates
from pipeline.roi.inputs import Rate
from pipeline.roi.reconcile import statements, whole_month
from pipeline.roi.records import Bill
from pipeline.warehouse.connection import rows

REPORTERS = ("litellm", "claude_code")
"""Who counts what went through a gateway or a tool; that is telemetry, and no report of a provider."""

_TIER = """CASE WHEN lower({0}) IN ('', 'default', 'auto', 'on_demand') THEN 'standard' ELSE lower({0}) END"""
_INPUT = " + ".join(f"coalesce(c.tokens_{name}, 0)" for name in CLASSES[:-1])
_COUNTED_TOKENS = f"coalesce({', '.join(f'c.tokens_{name}' for name in CLASSES)}) IS NOT NULL"
_COST = " + ".join(
    f"CASE WHEN coalesce(c.tokens_{name}, 0) > 0 THEN CAST(c.tokens_{name} AS DECIMAL(12, 0)) * p.{name}_usd ELSE 0 END"
    for name in CLASSES
)
_LOGGED = f"""
WITH calls AS (
  SELECT c.*, CAST(c.started_at AS DATE) AS day, {_TIER.format("coalesce(c.service_tier, '')")} AS tier,
    coalesce(CASE WHEN s.session_id IS NULL THEN c.environment ELSE s.environment END, 'production') = 'production'
      AND NOT coalesce(s.is_synthetic, FALSE) AS is_production
  FROM core.calls AS c LEFT JOIN core.sessions AS s ON s.session_id = c.session_id
  WHERE c.provider IS NOT NULL AND c.model IS NOT NULL AND c.kind <> 'tool'
    AND NOT coalesce(c.response_cache_hit, FALSE) AND (c.kind <> 'request' OR {_COUNTED_TOKENS})
    AND ($month IS NULL OR c.started_at >= CAST($month AS TIMESTAMPTZ)
         AND c.started_at < CAST($month AS TIMESTAMPTZ) + INTERVAL 1 MONTH)
),
priced AS (
  SELECT c.*, coalesce(p.above_tokens, -1) AS band,
    CASE WHEN {_COUNTED_TOKENS}
      THEN CAST({_COST} AS DECIMAL(38, 12)) END AS cost
  FROM calls AS c LEFT JOIN facts._price_spans AS p
    ON p.provider = c.provider AND p.model = c.model AND p.tier = c.tier AND p.valid_from <= c.day
    AND c.day < p.valid_to AND {_INPUT} > p.above_tokens AND {_INPUT} <= p.up_to_tokens
),
filed AS (
  SELECT provider, day, model, tier, band, is_production, _file, min(_line) AS first_line, max(_line) AS last_line,
    count(*) AS requests, {", ".join(f"sum(coalesce(tokens_{name}, 0)) AS {name}" for name in CLASSES)},
    coalesce(sum(cost), 0) AS cost, count(*) FILTER (WHERE cost IS NULL) AS unpriced
  FROM priced GROUP BY ALL
)
SELECT provider, day, model, tier, band::BIGINT AS band, is_production, sum(requests)::BIGINT AS requests,
  [{", ".join(f"sum({name})::BIGINT" for name in CLASSES)}] AS tokens, sum(cost)::VARCHAR AS cost,
  sum(unpriced)::BIGINT AS unpriced,
  list(f.name || ':' || first_line || if(last_line > first_line, '-' || last_line, '') ORDER BY f.name, first_line)
    AS places
FROM filed LEFT JOIN ledger.files AS f ON f.file_hash = filed._file
GROUP BY ALL ORDER BY ALL
"""
_COUNTED = f"""
SELECT b.provider, CAST(bucket_start AS DATE) AS day,
  greatest(CAST(coalesce(bucket_end, bucket_start) - INTERVAL 1 MICROSECOND AS DATE), CAST(bucket_start AS DATE)) + 1
    AS until,
  coalesce(project, '') AS project, coalesce(model, '') AS model,
  CASE WHEN is_batch THEN 'batch' WHEN service_tier IS NOT NULL THEN {_TIER.format("service_tier")} END AS tier,
  coalesce(context_window, '') AS context,
  CASE WHEN count(requests) = count(*) THEN sum(requests)::BIGINT END AS requests,
  CASE WHEN count(coalesce({", ".join(f"tokens_{name}" for name in CLASSES)})) = count(*)
    THEN [{", ".join(f"coalesce(sum(tokens_{name}), 0)::BIGINT" for name in CLASSES)}] END AS tokens,
  list(f.name || ':' || b._line ORDER BY f.name, b._line) AS places
FROM core.usage_buckets AS b LEFT JOIN ledger.files AS f ON f.file_hash = b._file
WHERE reported_by NOT IN ({", ".join(f"'{one}'" for one in REPORTERS)})
GROUP BY ALL ORDER BY ALL
"""
_PRICES = f"""
SELECT provider, model, tier, above_tokens::BIGINT AS band, valid_from AS since, valid_to AS until,
  [{", ".join(f"CAST({name}_usd AS VARCHAR)" for name in CLASSES)}] AS prices
FROM facts._price_spans
WHERE lower(provider) IN (
  SELECT lower(provider) FROM core.calls WHERE provider IS NOT NULL
  UNION SELECT lower(provider) FROM core.usage_buckets)
ORDER BY ALL
"""
_CHARGES = """
SELECT lower(service_provider) AS provider, CAST(date_trunc('month', period_start) AS DATE) AS month,
  coalesce(charge_category, '') AS category, coalesce(sku_meter, '') AS meter,
  coalesce(json_extract_string(TRY_CAST(tags AS JSON), '$.model'), '') AS model,
  coalesce(json_extract_string(TRY_CAST(tags AS JSON), '$.project_id'),
    json_extract_string(TRY_CAST(tags AS JSON), '$.workspace_id'), '') AS project,
  coalesce(currency, 'USD') AS currency,
  CASE WHEN count(consumed_quantity) FILTER (WHERE lower(consumed_unit) IN ('token', 'tokens')) = count(*)
    THEN sum(consumed_quantity)::VARCHAR END AS quantity,
  CASE WHEN count(list_cost) = count(*) THEN sum(list_cost)::VARCHAR END AS listed,
  sum(billed_cost)::VARCHAR AS billed, sum(effective_cost)::VARCHAR AS effective, count(*)::BIGINT AS lines
FROM core.cost_ledger
WHERE lower(service_provider) IN (SELECT DISTINCT lower(provider) FROM core.calls WHERE provider IS NOT NULL)
GROUP BY ALL ORDER BY ALL
"""
_FEES = """
SELECT c.provider, CAST(date_trunc('month', c.started_at) AS DATE) AS month,
  coalesce(CASE WHEN s.session_id IS NULL THEN c.environment ELSE s.environment END, 'production') = 'production'
    AND NOT coalesce(s.is_synthetic, FALSE) AS is_production,
  sum(f.call_usd)::VARCHAR AS cost
FROM core.calls AS c
JOIN facts._tool_fees AS f ON f.provider = c.provider AND f.tool = c.tool_name
  AND f.valid_from <= CAST(c.started_at AS DATE) AND CAST(c.started_at AS DATE) < f.valid_to
LEFT JOIN core.sessions AS s ON s.session_id = c.session_id
WHERE c.kind = 'tool' AND NOT coalesce(c.response_cache_hit, FALSE)
GROUP BY ALL ORDER BY ALL
"""
_RATES = """
SELECT date AS day, from_currency AS currency, rate::VARCHAR AS usd FROM core.fx_rates
WHERE to_currency = 'USD' ORDER BY from_currency, date
"""
_MONEY = ("cost", "quantity", "listed", "billed", "effective", "usd")


def read_sheets(con: duckdb.DuckDBPyConnection, month: date | None = None) -> tuple[Sheets, Rates]:
    """What a reconciliation reads, of one month or of all; the reports of all months tell what they cover."""
    asked: dict[str, object] = {"month": None if month is None else month.isoformat()}
    charges = [one for one in _records(con, Charge, _CHARGES) if month in (None, one.month)]
    logged = _records(con, Logged, _LOGGED, asked)
    fees = [one for one in _records(con, Fee, _FEES) if month in (None, one.month)]
    found = Sheets(
        logged, _records(con, Counted, _COUNTED), _records(con, TokenPrice, _PRICES), tuple(charges), tuple(fees)
    )
    return found, Rates(_records(con, Rate, _RATES))


def _records(con: duckdb.DuckDBPyConnection, record: Any, sql: str, asked: Any = None) -> tuple[Any, ...]:  # noqa: ANN401 - any record
    """Rows of a query as records; money comes as text, for a double is no decimal, and lists become tuples."""
    return tuple(record(**{name: _exact(name, value) for name, value in row.items()}) for row in rows(con, sql, asked))


def _exact(name: str, value: Any) -> object:  # noqa: ANN401 - a cell of a query
    if name in _MONEY and value is not None:
        return Decimal(value)
    if name == "prices":
        return tuple(None if one is None else Decimal(one) for one in value)
    return tuple(one for one in value if one is not None) if isinstance(value, list) else value


def reconciled(
    con: duckdb.DuckDBPyConnection, bills: Sequence[Bill], month: date | None = None
) -> tuple[Statement, tuple[Statement, ...]] | None:
    """A month over all providers, as the KPI has it, and by provider; the newest with an invoice when none is named.

    `bills` are those of an edition. None when they hold no such month.
    """
    told = [one for one in bills if month in (None, one.month) and (month is not None or one.invoice is not None)]
    if not told:
        return None
    bill = max(told, key=lambda one: one.month)
    sheets, rates = read_sheets(con, bill.month)
    held = tuple(one for one in statements(sheets, rates) if one.month == bill.month)
    return whole_month(held, bill), held
