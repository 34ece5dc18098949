"""A second opinion on every KPI: its value by definition, for every period and slice, held against the engine's.

The arithmetic of each KPI stands in `ORACLES` and `FORMULAS`, written from its definition and not from the catalogue.
Of its record only facts, dimensions, cadence and the bounds of what may be told are used. `expected` cuts rows into
periods and slices and asks the oracle; `differences` says where the engine's frame says something else.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

import duckdb
import pandas as pd
from engine_room import CATALOG, values
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

from pipeline.catalog.model import Catalog

SMALLEST_GROUP = 5


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
    "cost_savings": lambda displaced_spend, contacts_avoided, cost_per_contact: (
        displaced_spend + contacts_avoided * cost_per_contact
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
        whole = _between(parts[0]["", ""], period.start, period.end)
        for key in keys if period.grain in oracle.grains else ():
            rows, over = (_between(part.get(key, []), period.start, period.end) for part in (parts[0], parts[-1]))
            if rows or over or key == ("", ""):
                before = _between(parts[0].get(key, []), date.min, period.start)
                horizon = datetime.combine(last + timedelta(1), datetime.min.time(), UTC)
                known = [row for row in labels if row["day"] < period.end]
                cut = Cut(rows, known or over, before, period.start, whole[-1]["day"] if whole else None, horizon)
                found[period, key[0], key[1]] = oracle.answer(cut) if rows or over else None
    return found


def told(frame: pd.DataFrame, kpi_id: str) -> dict[Place, dict[str, Any]]:
    """What the engine says of a KPI, by place; rows of no group stand under no name, of which nothing is asked."""
    held = frame[(frame["kpi_id"] == kpi_id) & frame["dimension_value"].notna()].to_dict("records")
    return {
        (Period(row["grain"], row["period_start"], row["period_end"]), row["dimension"], row["dimension_value"]): row
        for row in held
    }


class Wrong(NamedTuple):
    """One thing in which the engine and an oracle differ."""

    kpi_id: str
    place: Place
    words: str

    def __str__(self) -> str:
        period, dimension, value = self.place
        where = f" {dimension}={value}" if dimension else ""
        return f"{self.kpi_id} {period.grain} {period.start} to {period.end}{where}: {self.words}"

    def rows(self, facts: Mapping[str, list[Row]]) -> list[Row]:
        """The rows it is about: a small case to look into."""
        period, dimension, value = self.place
        held = [row for fact in CATALOG.metrics[self.kpi_id].facts for row in facts[fact]]
        return [
            row
            for row in held
            if period.start <= row["day"] < period.end and (not dimension or row[dimension] == value)
        ]


def differences(frame: pd.DataFrame, kpi_id: str, facts: Mapping[str, list[Row]], last: date) -> Iterator[Wrong]:
    """Every place and thing of a KPI in which the engine differs from its oracle."""
    metric, oracle = CATALOG.metrics[kpi_id], ORACLES[kpi_id]
    answers, found = expected(oracle, metric, facts, last), told(frame, kpi_id)
    if not answers:
        answers = dict.fromkeys(found)
    for place in [*answers, *(place for place in found if place not in answers)]:
        lines = _at(place, answers, found, oracle, metric=metric, last=last)
        yield from (Wrong(kpi_id, place, words) for words in lines)
    if metric.people:
        yield from (Wrong(kpi_id, place, words) for place, words in _given_away(answers, found))


def _at(place: Place, answers: Any, found: Any, oracle: Oracle, *, metric: Any, last: date) -> Iterator[str]:
    """What differs at one place."""
    answer, row = answers.get(place), found.get(place)
    if place not in answers:
        yield "a row where nothing happened"
    elif row is None:
        if place[1] == "" or (answer is not None and answer.value is not None):
            yield f"no row, expected {answer}"
    elif not (metric.people and is_hidden(row)):
        yield from _values(answer, row, oracle)
        right = _status(answer, place[0], metric, last)
        if row["status"] != right:
            yield f"status {row['status']}, expected {right}"
        yield from _reason(answer, row)


def _reason(answer: Answer | None, row: Row) -> Iterator[str]:
    """What is wrong with the reason of a value that cannot be told or judged."""
    if row["status"] != "computed" and not row["reason"]:
        yield f"no reason for {row['status']}"
    if answer is not None and answer.numerator is not None and row["reason"] == "no data in this period":
        yield "'no data in this period', where there are rows"
    if answer is not None and answer.denominator and row["reason"] == "zero denominator":
        yield f"'zero denominator', expected {answer.denominator}"


def _values(answer: Answer | None, row: Row, oracle: Oracle) -> Iterator[str]:
    nothing = Answer(None, None, 0, None)
    one = answer or nothing
    is_empty = one.n == 0 and one.value is None
    sides = {
        "numerator": (one.numerator, oracle.sums_close), "denominator": (one.denominator, oracle.sums_close),
        "n": (one.n, 0.0), "value": (one.value, oracle.close),
        "interval_low": (one.ends[0], oracle.ends_close), "interval_high": (one.ends[1], oracle.ends_close),
    }  # fmt: skip
    for name, (right, close) in sides.items():
        if not agree(right, row[name], close, zero_is_none=is_empty or name == "n"):
            yield f"{name} {row[name]}, expected {right}"


def agree(right: Any, found: Any, close: float, *, zero_is_none: bool = False) -> bool:
    """Whether a number is the right one: exactly for a closeness of 0, else to a relative difference."""
    one, other = (None if pd.isna(number) else Decimal(str(number)) for number in (right, found))
    if zero_is_none:
        one, other = one or Decimal(0), other or Decimal(0)
    if one is None or other is None:
        return one is None and other is None
    return one == other if close == 0 else math.isclose(one, other, rel_tol=close, abs_tol=min(close, 1e-8))


def _status(answer: Answer | None, period: Period, metric: Any, last: date) -> str:
    """Whether a value can be told, is final, and rests on enough."""
    if answer is None or answer.value is None:
        return "not_available"
    if period.end + timedelta(metric.matures_after_days) > last + timedelta(1):
        return "immature"
    return "insufficient_data" if answer.n < metric.min_n else "computed"


def is_hidden(row: Row) -> bool:
    """Whether a value is withheld for the sake of few people, with all its numbers."""
    return str(row.get("reason")).startswith("suppressed") and row["status"] == "not_available" and all(
        pd.isna(row[name]) for name in ("value", "numerator", "denominator", "n", "interval_low", "interval_high")
    )  # fmt: skip


def _given_away(answers: Mapping[Place, Answer | None], found: Mapping[Place, Row]) -> Iterator[tuple[Place, str]]:
    """Groups of fewer than five people that are shown or can be worked out, and periods hidden for nothing."""
    groups: dict[tuple[Period, str], dict[str, int]] = defaultdict(dict)
    for (period, dimension, value), answer in answers.items():
        if answer is not None and (people := answer.n if answer.people is None else answer.people):
            groups[period, dimension][value] = people
    is_small_anywhere = any(0 < many < SMALLEST_GROUP for people in groups.values() for many in people.values())
    for (period, dimension), people in groups.items():
        small = {value for value, many in people.items() if many < SMALLEST_GROUP}
        hidden = {value for value in people if is_hidden(found.get((period, dimension, value), {}))}
        if shown := small - hidden:
            yield (period, dimension, min(shown)), f"{people[min(shown)]} people shown"
        whole = groups.get((period, ""), {}).get("", 0)
        rest = whole - sum(many for value, many in people.items() if value not in hidden)
        is_told = not is_hidden(found.get((period, "", ""), {}))
        if dimension and hidden and is_told and 0 < rest < SMALLEST_GROUP:
            yield (period, dimension, min(people)), f"the {rest} of {sorted(hidden)} are the total less the others"
        if hidden and not is_small_anywhere and period.grain != "28d":
            yield (period, dimension, min(people)), f"hidden for nothing are {sorted(hidden)} of {people}"


# Running the engine on rows


def put(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Mapping[str, str]], facts: Mapping[str, list[Row]]
) -> None:
    """Make facts anew as tables with these rows; nothing is left of the ones before."""
    con.execute("DROP SCHEMA IF EXISTS states CASCADE; CREATE SCHEMA states")
    con.execute("DROP SCHEMA IF EXISTS facts CASCADE; CREATE SCHEMA facts")
    for fact, rows in facts.items():
        con.execute(f"CREATE TABLE facts.{fact}({', '.join(f'{name} {kind}' for name, kind in columns[fact].items())})")
        if rows:
            lists = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in columns[fact].values())
            con.execute(
                f"INSERT INTO facts.{fact} SELECT {lists}", [[row.get(name) for row in rows] for name in columns[fact]]
            )


def restricted(kpis: Sequence[str]) -> Catalog:
    """The catalogue with these KPIs alone."""
    return Catalog.model_construct(version=1, roles={}, metrics={kpi_id: CATALOG.metrics[kpi_id] for kpi_id in kpis})


def held_against(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Mapping[str, str]], facts: Mapping[str, list[Row]]
) -> tuple[pd.DataFrame, list[Wrong]]:
    """Run the engine once for all KPIs these facts suffice for: its frame, and every difference from the oracles."""
    kpis = [kpi_id for kpi_id, metric in CATALOG.metrics.items() if metric.facts and set(metric.facts) <= set(facts)]
    put(con, columns, facts)
    frame = values(con, restricted(kpis))
    last = max(row["day"] for rows in facts.values() for row in rows)
    return frame, [one for kpi_id in kpis for one in differences(frame, kpi_id, facts, last)]
