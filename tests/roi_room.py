"""A small programme for tests of the ROI model: a catalogue with lines of benefit, and made-up inputs by month."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from pipeline.catalog.model import Catalog
from pipeline.roi.inputs import Assumption, Cost, Inputs, Invoice, KpiNumber, Measured, Span, Usage

D = Decimal
MONTHS = [date(2026, month, 1) for month in range(1, 7)]
COMMON = {
    "owner": "head", "question": "Why?", "direction": "up", "cadence": "monthly", "leaves_out": "Tests.",
    "pitfall": "None.",
}  # fmt: skip
SHARES = {"attribution": "attribution", "realisation": "realisation", "risk": "risk"}
METRICS: dict[str, dict[str, Any]] = {
    "settled": {**COMMON, "name": "Settled", "kind": "ratio", "fact": "contacts", "numerator": "sum(is_settled)",
                "denominator": "count(*)", "unit": "ratio", "interval": "wilson", "min_n": 5},
    "saved": {**COMMON, "name": "Saved", "kind": "total", "fact": "tasks", "total": "sum(hours_saved)", "unit": "h",
              "interval": "exact", "dimensions": ["use_case"], "min_n": 5},
}  # fmt: skip
BENEFITS: dict[str, dict[str, Any]] = {
    "contacts_settled": {
        "name": "Contacts settled", "owner": "head", "use_cases": ["support"], "ledger": "cash", "claims": "contact",
        "factors": [{"kpi": "settled", "part": "numerator", "unit": "contact"},
                    {"assumption": "cost_per_contact", "unit": "USD/contact"}],
        **SHARES, "realisation": "left_the_budget",
        "deductions": [{"name": "Review", "factors": [{"assumption": "reviews", "unit": "contact/month"},
                                                      {"assumption": "review_minutes", "unit": "min/contact"},
                                                      {"assumption": "loaded_rate", "unit": "USD/h"}]}],
        "evidence": {"design": "randomised", "experiment": "exp-1", "metric": "settled", "says": "Drawn by lot"},
    },
    "hours_saved": {
        "name": "Hours saved", "owner": "head", "use_cases": ["every"], "ledger": "capacity", "claims": "hour",
        "factors": [{"kpi": "saved", "unit": "h"}, {"assumption": "loaded_rate", "unit": "USD/h"}], **SHARES,
        "evidence": {"design": "before_after", "says": "Against a baseline"},
    },
    "agency": {
        "name": "Agency", "owner": "head", "use_cases": ["drafting"], "ledger": "cash", "claims": "spend",
        "factors": [{"assumption": "agency_spend", "unit": "USD/month"}], **SHARES, "realisation": "left_the_budget",
        "evidence": {"design": "assumption", "says": "A plan"},
    },
    "felt_hours": {
        "name": "Felt hours", "owner": "head", "use_cases": ["drafting"], "ledger": "capacity", "claims": "hour",
        "factors": [{"assumption": "felt_hours", "unit": "h/month"}, {"assumption": "loaded_rate", "unit": "USD/h"}],
        **SHARES, "perception_of": "hours_saved",
        "evidence": {"design": "self_report", "says": "A survey"},
    },
    "reputation": {
        "name": "Reputation", "owner": "head", "use_cases": ["every"], "ledger": "strategic", "says": "People apply.",
    },
}  # fmt: skip


def catalog_of(**changes: dict[str, Any]) -> Catalog:
    """The catalogue, with lines changed key by key or added; a key changed to None is left out."""
    lines = {
        name: {
            key: value
            for key, value in {**BENEFITS.get(name, {}), **changes.get(name, {})}.items()
            if value is not None
        }
        for name in [*BENEFITS, *(name for name in changes if name not in BENEFITS)]
    }
    role = {"title": "Head", "layer": "strategic", "tier": 1, "question": "Is it worth it?"}
    return Catalog.model_validate({"version": 1, "roles": {"head": role}, "metrics": METRICS, "benefits": lines})


def assumption(
    name: str, base: str, unit: str = "ratio", *, low: str = "", high: str = "", **changes: Any
) -> Assumption:
    """An approved row of the register that always holds."""
    row = Assumption(
        name, "", date(2025, 1, 1), None, D(low or base), D(base), D(high or base), unit, "", "C", "A contract",
        "Finance", "Finance director", date(2025, 1, 2), "assumptions.csv:2",
    )  # fmt: skip
    return replace(row, **changes)


ASSUMPTIONS = (
    assumption("cost_per_contact", "5", "USD/contact", low="4", high="7"),
    assumption("loaded_rate", "60", "USD/h", low="50", high="75"),
    assumption("attribution", "0.8", low="0.6", high="1"),
    assumption("left_the_budget", "0.5", low="0.4", high="0.6"),
    assumption("risk", "0.1", low="0.05", high="0.2"),
    assumption("reviews", "10", "contact/month"),
    assumption("review_minutes", "3", "min/contact", low="2", high="5"),
    assumption("agency_spend", "400", "USD/month"),
    assumption("felt_hours", "30", "h/month"),
    assumption("discount_rate", "0.08"),
)
EFFECT = Measured("exp-1", "settled", D("0.05"), D("0.02"), D("0.08"), "A", "randomised: difference of means", 900)


def kpi(name: str, part: str, month: date, value: str, *, use_case: str = "", spread: str = "0") -> KpiNumber:
    """A number of a KPI with an interval of value ± spread."""
    return KpiNumber(
        name, part, month, use_case, D(value), D(value) - D(spread), D(value) + D(spread), 50, "computed", ""
    )


def kpis() -> tuple[KpiNumber, ...]:
    """100 settled contacts a month; 10 hours saved a month in drafting, 20 in coding."""
    found = []
    for month in MONTHS:
        found.append(kpi("settled", "numerator", month, "100", spread="8"))
        found.append(kpi("saved", "value", month, "10", use_case="drafting", spread="2"))
        found.append(kpi("saved", "value", month, "20", use_case="coding", spread="3"))
    return tuple(found)


PORTFOLIO = tuple(
    Span(name, unit, date(2025, 1, 1), date(9999, 12, 31), True)
    for name, unit in (("coding", "Engineering"), ("drafting", "Sales"), ("support", "Service"))
)
COSTS = (
    Cost("c-1", "support", "", "build", date(2026, 1, 15), D("500"), "USD", "costs.csv:2"),
    Cost("c-2", "", "", "governance", date(2026, 2, 15), D("100"), "USD", "costs.csv:3"),
    Cost("c-3", "coding", "", "training", date(2026, 3, 15), D("60.55"), "USD", "costs.csv:4"),
)
USAGE = tuple(
    Usage(month, case, is_oversight, D(amount), 10, 0)
    for month in MONTHS
    for case, is_oversight, amount in (("coding", False, "3.004"), ("support", False, "2"), ("support", True, "0.5"))
)
INVOICES = tuple(Invoice(month, "USD", D("5.7"), 3) for month in MONTHS)


def inputs(**changes: Any) -> Inputs:
    """Six months in which everything is known."""
    held = Inputs(
        as_of=date(2026, 6, 30), kpis=kpis(), assumptions=ASSUMPTIONS, costs=COSTS, usage=USAGE, invoices=INVOICES,
        portfolio=PORTFOLIO, effects=(EFFECT,),
    )  # fmt: skip
    return replace(held, **changes)


def with_assumption(row: Assumption) -> tuple[Assumption, ...]:
    """The register with one row in the place of that of the same id."""
    return (*(one for one in ASSUMPTIONS if one.assumption_id != row.assumption_id), row)
