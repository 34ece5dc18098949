"""What each KPI is by its definition, from rows alone; of the project's code nothing is imported here.

The arithmetic of each KPI stands in `ORACLES` and `FORMULAS`, written from its definition and not from the catalogue.
Of its record only facts, dimensions and cadence are used. `expected` cuts rows into periods and slices and asks the
oracle of the KPI; `cut_of` makes one such cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import accumulate
from typing import Any

from oracles_intervals import (
    Row,
    by_cluster,
    census,
    clopper_pearson,
    multinomial,
    newcombe,
    poisson,
    share_by_cluster,
    total_by_cluster,
    wilson,
)
from oracles_kinds import (
    Answer,
    Cut,
    Oracle,
    derived,
    difference,
    distinct,
    episodes,
    judged,
    mean,
    paired_difference,
    peak,
    quantile,
    ranking,
    ratio,
    recurrence,
    snapshot,
    survival_median,
    total,
    uplift,
    worst,
)


def _is_active(row: Row) -> bool:
    return bool(row["is_active"] == 1)


def _is_new(row: Row) -> bool:
    return bool(row["was_user"] == 0)


ORACLES: dict[str, Oracle] = {
    "hours_saved": total("hours_saved", interval=total_by_cluster("session_key", "hours_saved")),
    "pilot_to_production_rate": ratio("is_promoted", "is_pursued", interval=wilson),
    "deflection_rate": ratio("is_deflected", interval=wilson),
    "deflection_claim_gap": paired_difference("is_claimed", "is_deflected"),
    "cost_per_successful_task": derived("cost_usd", "is_success", unknown="unknown_costs"),
    "measurement_coverage": snapshot("is_measured"),
    "compliance_incidents": total("incidents", interval=poisson),
    "safety_violation_rate": ratio("is_violation", per=1000, interval=clopper_pearson),
    "flagged_output_rate": ratio("is_flagged", interval=wilson),
    "p95_latency": quantile("latency_s", 0.95, close=0.01),
    "request_throughput": Oracle(peak),
    "retrieval_relevance_at_k": Oracle(ranking, sums_close=1e-8, close=1e-8, ends_close=1e-6),
    "grounded_answer_rate": judged("is_grounded", "has_claims"),
    "hallucination_report_rate": ratio("is_reported", per=1000, interval=poisson),
    "task_success_rate": ratio("is_success", interval=share_by_cluster("user_key", "is_success")),
    "prompt_iteration_days": survival_median("requested_at", "live_at", unit=timedelta(days=1)),
    "availability": ratio("good", "valid", interval=wilson),
    "mttd": quantile("detection_minutes", 0.5),
    "mttr": survival_median("impact_start_at", "resolved_at", unit=timedelta(hours=1)),
    "rate_limit_incidents": Oracle(episodes),
    "trained_share": snapshot("is_trained"),
    "post_training_usage_rate": distinct(
        "person_id", lambda row: row["is_user"] == 1 and _is_new(row), _is_new, interval=wilson
    ),
    "adoption_rate": distinct("person_id", _is_active, lambda row: True),
    "retained_usage_rate": recurrence(
        "person_id", _is_active, lambda cut, row: (row["day"] - cut.start).days // 7,
        interval=wilson, grains=("month", "quarter", "28d"),
    ),
    "stakeholder_satisfaction": mean("answer_score", cluster="respondent"),
    "token_cost_per_session": replace(
        ratio(
            "cost_usd", "sessions", unknown="unknown_costs", interval=by_cluster("session_key", "cost_usd", "sessions")
        ),
        ends_close=1e-6,
    ),
    "tool_error_rate": ratio("is_error", interval=share_by_cluster("session_key", "is_error")),
    "component_reuse_rate": recurrence(
        "component", lambda row: True, lambda cut, row: row["consumer_team"], interval=census
    ),
    "change_failure_rate": ratio("is_failed", interval=wilson),
    "deployment_frequency": total("deployments", interval=poisson),
    "csat_delta": difference("is_top2", interval=newcombe),
    "nps_delta": difference("recommends", interval=multinomial),
    "conversion_uplift": Oracle(uplift),
    "evaluation_coverage": snapshot("is_evaluated"),
    "prompt_injection_resistance": worst("is_resisted", "is_tested", of="suite", interval=wilson),
    "refusal_correctness": ratio("is_correct", interval=wilson),
    "cache_hit_rate": ratio(
        "tokens_cache_read", "tokens_in", interval=share_by_cluster("session_key", "tokens_cache_read", "tokens_in")
    ),
}  # fmt: skip
"""KPI -> how it is answered from the rows of a period and slice."""

Number = Fraction
FORMULAS: dict[str, Callable[..., Number | None]] = {
    "programme_roi": lambda pv_benefits, pv_costs: _over(pv_benefits - pv_costs, pv_costs),
    "net_benefit": lambda pv_benefits, pv_costs: pv_benefits - pv_costs,
    "payback_months": lambda net_benefit_by_month: next(
        (Fraction(month) for month, balance in enumerate(accumulate(net_benefit_by_month), 1) if balance >= 0), None
    ),
    "cost_savings": lambda displaced_spend, contacts_avoided, cost_per_contact, **shares: (
        (displaced_spend + contacts_avoided * cost_per_contact)
        * shares["attribution"]
        * shares["realisation"]
        * (1 - shares["risk"])
        * shares["weight_of_grade"]
    ),
    "bill_reconciliation_gap": lambda telemetry_cost, invoice: _over(abs(telemetry_cost - invoice), invoice),
    "evidence_backed_benefit_share": lambda benefits_of_grade_a, benefits_of_grade_b, benefits_claimed: _over(
        benefits_of_grade_a + benefits_of_grade_b, benefits_claimed
    ),
}
"""KPI -> its arithmetic over inputs, as fractions; None where it has no value."""


def _over(above: Number, below: Number) -> Number | None:
    return above / below if below else None


@dataclass(frozen=True)
class Period:
    """A grain and its half-open span of UTC days."""

    grain: str
    start: date
    end: date


Place = tuple[Period, str, str]
"""A period, a dimension and its value; the total has neither."""


def periods(cadence: str, first: date, last: date) -> list[Period]:
    """Every period that touches the days from `first` to `last`.

    Trailing 28 days end where the cadence does, and with `last`.
    """
    found: dict[Period, None] = {}
    ends = []
    for day in (first + timedelta(n) for n in range((last - first).days + 1)):
        monday, month = day - timedelta(day.weekday()), day.replace(day=1)
        quarter = month.replace(month=3 * ((day.month - 1) // 3) + 1)
        spans = {
            "day": (day, day + timedelta(1)),
            "week": (monday, monday + timedelta(7)),
            "month": (month, (month + timedelta(31)).replace(day=1)),
            "quarter": (quarter, (quarter + timedelta(95)).replace(day=1)),
        }
        found |= {Period(grain, *span): None for grain, span in spans.items()}
        ends.append(spans[{"daily": "day", "weekly": "week"}.get(cadence, "month")][1])
    trailing = [end for end in ends if end <= last + timedelta(1) and end - timedelta(28) >= first]
    found |= {Period("28d", end - timedelta(28), end): None for end in [*trailing, last + timedelta(1)]}
    return list(found)


def sliced(rows: Sequence[Row], dimensions: Sequence[str]) -> dict[tuple[str, str], list[Row]]:
    """Rows by (dimension, value), in order of days; the total is ("", ""), and rows of no group count in it alone."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list, {("", ""): []})
    for row in sorted(rows, key=lambda one: one["day"]):
        for key in [("", ""), *((name, row[name]) for name in dimensions)]:
            if key[1] is not None:
                found[key].append(row)
    return dict(found)


def _between(rows: list[Row], start: date, end: date) -> list[Row]:
    low, high = (bisect_left(rows, day, key=lambda row: row["day"]) for day in (start, end))
    return rows[low:high]


def cut_of(
    facts: Sequence[Mapping[tuple[str, str], list[Row]]],
    labels: list[Row],
    period: Period,
    key: tuple[str, str],
    last: date,
) -> Cut:
    """The rows of one slice in one period, of facts that are sliced already; `last` is the last day with data."""
    whole = _between(facts[0]["", ""], period.start, period.end)
    rows, over = (_between(part.get(key, []), period.start, period.end) for part in (facts[0], facts[-1]))
    before = _between(facts[0].get(key, []), date.min, period.start)
    horizon = datetime.combine(last + timedelta(1), datetime.min.time(), UTC)
    known = [row for row in labels if row["day"] < period.end]
    return Cut(rows, known or over, before, period.start, whole[-1]["day"] if whole else None, horizon, whole)


def expected(oracle: Oracle, metric: Any, facts: Mapping[str, list[Row]], last: date) -> dict[Place, Answer | None]:
    """The answer for every period in total, and for every slice that has a row in it; None where there is no row.

    `last` is the last day on which any fact of the data set has a row.
    """
    counted = [fact for fact in metric.facts if fact != getattr(metric, "labels", None)]
    first = min((row["day"] for fact in counted for row in facts[fact]), default=None)
    if first is None:
        return {}
    parts = [sliced(facts[fact], metric.dimensions) for fact in counted]
    labels = facts[metric.labels] if metric.facts != tuple(counted) else []
    keys = dict.fromkeys(key for part in parts for key in part)
    found: dict[Place, Answer | None] = {}
    for period in periods(metric.cadence, first, last):
        for key in keys if period.grain in oracle.grains else ():
            held = any(_between(part.get(key, []), period.start, period.end) for part in (parts[0], parts[-1]))
            if held or key == ("", ""):
                cut = cut_of(parts, labels, period, key, last)
                found[period, key[0], key[1]] = oracle.answer(cut) if held else None
    return found
