"""Reading what an evaluation is given: values of the edition from a frame, the rest from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.catalog.model import Catalog, Ratio, Snapshot
from pipeline.roi.effects import read_effects
from pipeline.roi.evaluate import OUTCOMES
from pipeline.roi.inputs import Assumption, Budget, Cost, Inputs, Invoice, KpiNumber, Rate, Seats, Span, Usage
from pipeline.warehouse.connection import rows

if TYPE_CHECKING:
    import pandas as pd

_PLACE = "coalesce(f.name || ':' || t._line, '')"
_FILES = "LEFT JOIN ledger.files AS f ON f.file_hash = t._file"
_MONTH = "CAST(date_trunc('month', {}) AS DATE)"
_DIGITS = Decimal("0.000000000001")

_ASSUMPTIONS = f"""
SELECT assumption_id, coalesce(use_case_id, '') AS use_case, valid_from, valid_to, low::VARCHAR AS low,
  base::VARCHAR AS base, high::VARCHAR AS high, unit, coalesce(distribution, '') AS distribution,
  evidence_grade AS grade, t.source, coalesce(owner, '') AS owner, coalesce(approved_by, '') AS approved_by,
  approved_at, {_PLACE} AS place, coalesce(t.note, '') AS note
FROM core.assumptions AS t {_FILES} ORDER BY assumption_id, valid_from
"""
_COSTS = f"""
SELECT cost_id, coalesce(use_case_id, '') AS use_case, coalesce(business_unit, '') AS business_unit, category,
  date AS day, amount::VARCHAR AS amount, currency, {_PLACE} AS place
FROM core.initiative_costs AS t {_FILES} ORDER BY cost_id
"""
_BUDGETS = f"""
SELECT CAST(date_trunc('month', period) AS DATE) AS month, initiative_id AS initiative,
  approved_amount::VARCHAR AS amount, currency, coalesce(approved_by, '') AS approved_by, approved_at, {_PLACE} AS place
FROM core.budgets AS t {_FILES} ORDER BY initiative_id, period
"""
_RATES = f"""
SELECT date AS day, from_currency AS currency, rate::VARCHAR AS usd, {_PLACE} AS place
FROM core.fx_rates AS t {_FILES} WHERE to_currency = 'USD' ORDER BY from_currency, date
"""
_USAGE = f"""
SELECT {_MONTH.format("day")} AS month, use_case, kind IN ('guardrail', 'judge') AS is_oversight,
  coalesce(sum(cost_usd), 0)::VARCHAR AS amount, count(*)::BIGINT AS calls, sum(unpriced_calls)::BIGINT AS unpriced
FROM facts.priced_calls GROUP BY ALL ORDER BY ALL
"""
_INVOICES = f"""
SELECT {_MONTH.format("period_start")} AS month, coalesce(currency, 'USD') AS currency,
  sum(effective_cost)::VARCHAR AS amount, count(*)::BIGINT AS lines
FROM core.cost_ledger WHERE charge_category = 'Usage' AND effective_cost IS NOT NULL
  AND lower(service_provider) IN (SELECT DISTINCT lower(provider) FROM core.calls WHERE provider IS NOT NULL)
GROUP BY ALL ORDER BY ALL
"""
_SEATS = f"""
WITH used AS (
  SELECT {_MONTH.format("day")} AS month, product, person_id, max(is_active) AS is_used
  FROM facts.entitled_days GROUP BY ALL
),
unseen AS (
  SELECT m.month, e.product, count(DISTINCT coalesce(i.person_id, e.person_id))::BIGINT AS seats, NULL::BIGINT AS idle
  FROM (SELECT DISTINCT {_MONTH.format("day")} AS month FROM facts._calendar) AS m
  JOIN core.entitlements AS e
    ON e.valid_from <= last_day(m.month) AND coalesce(e.valid_to, DATE '9999-12-31') > last_day(m.month)
  LEFT JOIN facts._identity AS i ON i.alias_id = e.person_id
  WHERE e.product NOT IN (SELECT product FROM core.usage_daily) GROUP BY ALL
),
counted AS (
  SELECT month, product, count(*)::BIGINT AS seats, count(*) FILTER (WHERE is_used = 0)::BIGINT AS idle
  FROM used GROUP BY ALL
  UNION ALL
  SELECT * FROM unseen
)
SELECT c.month, c.product, c.seats, c.idle, max(p.price)::VARCHAR AS price, coalesce(max(p.currency), '') AS currency
FROM counted AS c
LEFT JOIN (
  SELECT c.month, c.product, sum(e.monthly_price) AS price, any_value(e.currency) AS currency
  FROM counted AS c JOIN core.entitlements AS e ON e.product = c.product
    AND e.valid_from <= last_day(c.month) AND coalesce(e.valid_to, DATE '9999-12-31') > last_day(c.month)
  WHERE e.monthly_price IS NOT NULL GROUP BY ALL HAVING count(DISTINCT e.currency) = 1
) AS p ON p.month = c.month AND p.product = c.product
GROUP BY ALL ORDER BY ALL
"""
_PORTFOLIO = """
SELECT use_case, business_unit, valid_from AS since, valid_to AS until, stage IN ('pilot', 'production') AS is_live,
  coalesce(owner_role, '') AS owner
FROM facts._portfolio ORDER BY use_case, valid_from
"""
_MONEY = ("low", "base", "high", "amount", "usd", "price")


def read_inputs(con: duckdb.DuckDBPyConnection, catalog: Catalog, values: pd.DataFrame, *, as_of: str) -> Inputs:
    """Everything the model reads of an edition; `values` is its frame of values, `as_of` its last day (ISO)."""
    return Inputs(
        as_of=date.fromisoformat(as_of),
        kpis=tuple(kpi_numbers(catalog, values)),
        assumptions=assumption_rows(con),
        costs=_records(con, Cost, _COSTS),
        usage=_records(con, Usage, _USAGE),
        invoices=_records(con, Invoice, _INVOICES),
        seats=_records(con, Seats, _SEATS),
        rates=_records(con, Rate, _RATES),
        portfolio=_records(con, Span, _PORTFOLIO),
        effects=read_effects(con, catalog, as_of=date.fromisoformat(as_of)),
        budgets=_records(con, Budget, _BUDGETS),
    )


def assumption_rows(con: duckdb.DuckDBPyConnection) -> tuple[Assumption, ...]:
    """The register of assumptions, by id and day."""
    return _records(con, Assumption, _ASSUMPTIONS)


def _records(con: duckdb.DuckDBPyConnection, record: Any, sql: str) -> tuple[Any, ...]:  # noqa: ANN401 - any record
    """Rows of a query as records; money comes as text, for a double is no decimal."""
    return tuple(record(**{name: _exact(name, value) for name, value in row.items()}) for row in rows(con, sql))


def _exact(name: str, value: object) -> object:
    if name not in _MONEY or value is None:
        return value
    found = Decimal(str(value)).normalize()
    return found.quantize(Decimal(1)) if found == found.to_integral_value() else found


def wanted_parts(catalog: Catalog) -> set[tuple[str, str]]:
    """KPI and part of every factor of a line, and of the count of outcomes."""
    found = {part for line in catalog.benefits.values() for part in line.kpi_parts}
    return found | ({OUTCOMES} if OUTCOMES[0] in catalog.metrics else set())


def kpi_numbers(catalog: Catalog, values: pd.DataFrame) -> Iterator[KpiNumber]:
    """The monthly numbers that lines need: in total and by use case."""
    parts = wanted_parts(catalog)
    chosen = values[
        (values["grain"] == "month")
        & values["kpi_id"].isin([kpi for kpi, _ in parts])
        & values["dimension"].isin(["", "use_case"])
    ].sort_values(["kpi_id", "dimension_value", "period_start"])
    for row in chosen.to_dict("records"):
        for part in ("value", "numerator", "denominator"):
            if (row["kpi_id"], part) in parts:
                yield _number(catalog, row, part)


def _number(catalog: Catalog, row: dict[Any, Any], part: str) -> KpiNumber:
    value, low, high = _ends(catalog, row, part)
    few = row["status"] == "insufficient_data" and part == "value" and catalog.metrics[row["kpi_id"]].kind != "total"
    return KpiNumber(
        kpi_id=str(row["kpi_id"]),
        part=part,
        month=row["period_start"],
        use_case=str(row["dimension_value"]),
        value=None if few else value,
        low=low,
        high=high,
        n=None if _is_missing(row["n"]) else int(row["n"]),
        status=str(row["status"]),
        reason=str(row["reason"] or ""),
    )


def _ends(catalog: Catalog, row: dict[Any, Any], part: str) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """A number with its interval; that of a numerator is the interval of the rate times the denominator."""
    if str(row["status"]) == "not_available":
        return None, None, None
    low, high = _decimal(row["interval_low"]), _decimal(row["interval_high"])
    if part == "value":
        return _decimal(row["value"]), low, high
    value, below = _decimal(row[part]), _decimal(row["denominator"])
    metric = catalog.metrics[row["kpi_id"]]
    scale = below / metric.per if isinstance(metric, Ratio) and below is not None else below
    if part == "denominator" or not isinstance(metric, Ratio | Snapshot) or scale is None or None in (low, high):
        return value, None, None
    ends = [None if end is None else (end * scale).quantize(_DIGITS) for end in (low, high)]
    return value, ends[0], ends[1]


def _decimal(value: object) -> Decimal | None:
    return None if _is_missing(value) else Decimal(str(value))


def _is_missing(value: object) -> bool:
    return value is None or value != value or str(value) in ("<NA>", "nan", "None")  # noqa: PLR0124 - NaN is not itself
