"""A made edition for the tests of the reports: 13 months, every KPI, and every way a value can be unknown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.reports.model import CONTRACT_COLUMNS, EditionData

FIRST, AS_OF = date(2025, 10, 20), date(2026, 11, 20)
END = AS_OF + timedelta(days=1)
HOSTILE = ["</script><script>window.hit=1</script>", "<img src=x onerror=window.hit=2>", "=HYPERLINK(\"http://x.invalid\")",
           "<a href=\"http://x.invalid\">click</a>", "@SUM(A1)", "日本 & 'quotes' \"double\"", "{{ 7*7 }}"]  # fmt: skip
CATALOG = Path(__file__).resolve().parent / "reports_catalog.yaml"
LEVEL = {
    "adoption_rate": 0.342, "deflection_rate": 0.118, "grounded_answer_rate": 0.902, "flagged_output_rate": 0.0031,
    "token_cost_per_session": 0.0612, "mttr": 1.42, "p95_latency": 3.9, "tool_error_rate": 0.0123, "csat_delta": 4.2,
    "trained_share": 0.871, "change_failure_rate": 0.12, "availability": 0.99962, "hours_saved": 1234.5,
}  # fmt: skip
METHOD = {"exact": "exact", "wilson": "Wilson", "clustered": "delta method by session",
          "order_statistics": "order statistics", "greenwood": "Greenwood", "newcombe": "Newcombe"}  # fmt: skip
CADENCE = {"daily": "day", "weekly": "week", "monthly": "month"}
SIGNAL = {"grounded_answer_rate": "shift", "token_cost_per_session": "outside_limits", "csat_delta": "trial"}


def catalog() -> Catalog:
    """The product's own catalogue, through pydantic."""
    return Catalog.model_validate(YAML(typ="safe").load(CATALOG.read_text(encoding="utf-8")))


def _months() -> Iterator[tuple[str, date, date]]:
    year, month = FIRST.year, FIRST.month
    while date(year, month, 1) <= AS_OF:
        after = (year + month // 12, month % 12 + 1)
        yield "month", date(year, month, 1), date(*after, 1)
        year, month = after


def periods(metric: AnyMetric) -> Iterator[tuple[str, date, date]]:
    """Every period the engine would emit for a KPI."""
    days = [FIRST + timedelta(days=i) for i in range((END - FIRST).days)]
    yield from (("day", day, day + timedelta(days=1)) for day in days)
    yield from (("week", day, day + timedelta(days=7)) for day in days if day.weekday() == 0)
    yield from _months()
    ends = {"daily": days, "weekly": [day for day in days if day.weekday() == 0],
            "monthly": [day for day in days if day.day == 1]}[metric.cadence]  # fmt: skip
    yield from (("28d", end - timedelta(days=28), end) for end in [*ends, END] if end - timedelta(days=28) >= FIRST)


def _status(kpi: str, metric: AnyMetric, end: date, n: int) -> str:
    if end + timedelta(days=metric.matures_after_days) > END:
        return "immature"
    return "insufficient_data" if n < metric.min_n else "computed"


def _reason(kpi: str, start: date, end: date) -> str:
    if kpi == "change_failure_rate":
        return "no source: deployments have not arrived"
    if kpi == "availability" and start == end - timedelta(days=1) == date(2026, 11, 2):
        return "zero denominator: no valid requests"
    return "fewer than half recovered" if kpi == "mttr" and start.month == 3 else ""


def _verdict(metric: AnyMetric, low: float, high: float, status: str) -> str:
    if metric.target is None:
        return ""
    if status != "computed":
        return "inconclusive"
    if metric.target.at_least is not None:
        floor = float(metric.target.at_least)
        return "met" if low >= floor else "missed" if high < floor else "inconclusive"
    ceiling = float(metric.target.at_most or 0)
    return "met" if high <= ceiling else "missed" if low > ceiling else "inconclusive"


def _signal(kpi: str, metric: AnyMetric, grain: str, end: date) -> str:
    is_recent = end >= END - timedelta(days=40)
    return SIGNAL.get(kpi, "none") if is_recent and grain == CADENCE[metric.cadence] else ""


def row(catalogue: Catalog, kpi: str, grain: str, start: date, end: date, **change: Any) -> dict[str, Any]:
    """One value as the engine hands it on."""
    metric = catalogue.metrics[kpi]
    wave = math.sin(start.toordinal() / 9 + len(kpi)) * 0.02
    value = (
        LEVEL[kpi] * (1 + wave) if LEVEL[kpi] < 0.9 or metric.unit != "ratio" else LEVEL[kpi] + (1 - LEVEL[kpi]) * wave
    )
    n = {"mttr": 6, "csat_delta": 25}.get(kpi, {"day": 410, "week": 2900, "month": 12400, "28d": 11600}[grain])
    n += start.toordinal() % 7
    half = 0.004 * abs(value) if metric.unit != "ratio" else 2 * math.sqrt(value * (1 - value) / n)
    low, high = (None, None) if metric.interval == "exact" else (max(value - half, 0.0), value + half)
    status, reason = _status(kpi, metric, end, n), _reason(kpi, start, end)
    made = {
        "kpi_id": kpi, "owner": metric.owner, "grain": grain, "period_start": start, "period_end": end, "dimension": "",
        "dimension_value": "", "value": value, "unit": metric.unit, "numerator": Decimal(str(round(value * n, 6))),
        "denominator": Decimal(n), "n": n, "interval_low": low, "interval_high": high,
        "interval_method": METHOD[metric.interval], "status": status,
        "verdict": _verdict(metric, low or value, high or value, status),
        "signal": _signal(kpi, metric, grain, end),
        "definition_hash": f"{sum(map(ord, kpi)):012x}", "edition": 7, "reason": reason, "exact_note": "",
    }  # fmt: skip
    if reason:
        made |= unknown("not_available", reason)
    return made | change


def unknown(status: str, reason: str) -> dict[str, Any]:
    """The cells of a value nobody knows."""
    return {"value": None, "numerator": None, "denominator": None, "n": None,
            "interval_low": None, "interval_high": None,
            "status": status, "verdict": "", "signal": "", "reason": reason}  # fmt: skip


def _slices(catalogue: Catalog, kpi: str) -> Iterator[dict[str, Any]]:
    metric = catalogue.metrics[kpi]
    names = ["Customer Service", "Claims", "unknown", *HOSTILE]
    for grain, start, end in periods(metric):
        if grain not in ("28d", "month") or end < END - timedelta(days=60):
            continue
        for dimension in metric.dimensions:
            for at, name in enumerate(names):
                made = row(catalogue, kpi, grain, start, end, dimension=dimension, dimension_value=name, signal="")
                made |= {"n": made["n"] and made["n"] // (at + 2)}
                if metric.people and at in (3, 4):
                    made |= unknown("not_available", "suppressed: fewer than 5 people")
                yield made


def frame(catalogue: Catalog) -> pd.DataFrame:
    """All values of the made edition."""
    rows = [row(catalogue, kpi, *period) for kpi, metric in catalogue.metrics.items() for period in periods(metric)]
    rows += [made for kpi in catalogue.metrics for made in _slices(catalogue, kpi)]
    return pd.DataFrame(rows, columns=[*CONTRACT_COLUMNS, "reason", "exact_note"]).astype(
        {"n": object, "value": object}
    )


def _source(name: str, tables: str, through: date | None, rows: int, lost: int) -> dict[str, Any]:
    return {"source": name, "files": 2, "rows_in": rows, "loaded": rows - lost - 3, "duplicate": 3, "quarantined": lost,
            "data_from": FIRST, "data_through": through, "tables": tables}  # fmt: skip


def _load(name: str, source: str, rows: int, lost: int) -> dict[str, Any]:
    return {"file": name, "source": source, "rows_in": rows, "loaded": rows - lost - 3, "duplicate": 3, "left_out": 0,
            "quarantined": lost, "reason": "", "file_hash": f"{len(name):064x}", "status": "loaded"}  # fmt: skip


def edition(**change: Any) -> EditionData:
    """A whole edition; keyword arguments replace its parts."""
    catalogue = catalog()
    bad = HOSTILE[1]
    parts: dict[str, Any] = {
        "catalog": catalogue,
        "values": frame(catalogue),
        "edition": {"number": 7, "as_of": "2026-11-20", "catalog_hash": "c" * 64, "input_hash": "d" * 64,
                    "warehouse": "duckdb",
                    "versions": {"duckdb": "2.0.0", "genai-roi": "0.1.0"}},
        "sources": [
            _source("langfuse_observations", "calls, sessions, tasks", AS_OF, 120_450, 12),
            _source("helpdesk_tickets", "contacts", date(2026, 11, 18), 4_800, 0),
            _source("incident_log", "incidents", date(2026, 8, 2), 74, 0),
            _source("hr_directory", "people", None, 2_310, 1),
            _source("copilot_usage", "usage_daily, entitlements", AS_OF, 88_000, 0),
            _source("price_list", "prices", date(2026, 1, 1), 240, 0),
            _source("lms_training", "training", AS_OF, 6_001, 0),
            _source("slo_windows", "availability_windows, gateway", AS_OF, 9_000, 0),
        ],
        "loads": [
            _load("langfuse/observations_2026-11-20.jsonl", "langfuse_observations", 120_450, 12),
            {**_load(f"odd/{bad}.csv", "helpdesk_tickets", 4_800, 0), "left_out": 1_200},
            {**_load("odd/truncated.csv", "", 0, 0), "loaded": 0, "duplicate": 0, "status": "quarantined",
             "reason": "incomplete: no final newline"},
        ],
        "left_out": [{"source": "helpdesk_tickets", "table": "contacts", "rows": 1_200, "of": 6_000, "files": 1}],
        "quarantine": [{"source": "langfuse_observations", "table": "calls", "reason": "started_at: in the future",
                        "rows": 12, "example_file": f"odd/{bad}.jsonl", "example_line": 482}],
        "checks": [
            {"check": "volume", "layer": "batch", "subject": "calls", "expectation": "row count like other days",
             "observed": "1 204", "expected": "1 000 to 1 400", "passed": True, "severity": "warn", "kpis": []},
            {"check": "reconcile", "layer": "warehouse", "subject": "incidents",
             "expectation": "every incident has a service",
             "observed": "4 without", "expected": "0", "passed": False, "severity": "warn", "kpis": ["mttr"]},
        ],
        "restatements": [
            {"kpi_id": "token_cost_per_session", "grain": "28d", "period_start": date(2026, 10, 24), "dimension": "",
             "dimension_value": "", "old": 0.0598, "new": 0.0612, "why": "late rows of langfuse_observations"},
            {"kpi_id": "token_cost_per_session", "grain": "day", "period_start": date(2026, 11, 1),
             "dimension": "use_case",
             "dimension_value": bad, "old": None, "new": 0.04, "why": "late rows"},
        ],
        "totals": [{"source": "langfuse_observations", "table": "calls", "column": "cost_reported", "rows": 120_435,
                    "total": Decimal("1204.50000000000000")}],
    }  # fmt: skip
    return EditionData(**(parts | change))
