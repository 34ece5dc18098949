"""The right KPI values of the sample, as entries of truth.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.sample import answers, periods
from pipeline.sample.answers import Right
from pipeline.sample.clock import Span
from pipeline.sample.periods import Period

Rows = Sequence[Any]
Entry = dict[str, Any]
SMALLEST_GROUP = 5
ABOUT = (
    "Right values of the made-up organisation, computed from what happened in it and not from its exports. "
    "status is given when a value is not available or its period is not over or not ripe; otherwise compare n with "
    "the catalogue's min_n."
)


@dataclass(frozen=True)
class Kpi:
    """How a KPI's rows are found for a period, answered, and sliced."""

    rows: Callable[[date, date], Rows]
    answer: Callable[[Any], Right]
    cadence: str
    dimensions: tuple[str, ...]
    ripens_days: int = 0
    counts_people: bool = False


def by_day(rows: Rows) -> Callable[[date, date], Rows]:
    """Finds the rows of the days from start up to end, in their own order."""
    days: dict[date, list[Any]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)

    def between(start: date, end: date) -> Rows:
        span = (start + timedelta(days=k) for k in range((end - start).days))
        return [row for day in span for row in days.get(day, ())]

    return between


def on_each_day(rows_on: Callable[[date], Rows]) -> Callable[[date, date], Rows]:
    """Finds the rows of the days from start up to end, asked for day by day."""

    def between(start: date, end: date) -> Rows:
        return [row for k in range((end - start).days) for row in rows_on(start + timedelta(days=k))]

    return between


def on_last_day(rows_on: Callable[[date], Rows], first: date | None, last: date | None) -> Callable[[date, date], Rows]:
    """Finds the rows of the last day before end that has any."""

    def between(start: date, end: date) -> Rows:
        if first is None or last is None:
            return []
        day = min(end - timedelta(days=1), last)
        return rows_on(day) if day >= max(start, first) else []

    return between


def entries(kpis: dict[str, Kpi], span: Span) -> Iterator[Entry]:
    """Every entry: overall for all periods, by each dimension for a few."""
    for kpi_id, kpi in kpis.items():
        overall = [*periods.days(span), *periods.weeks(span), *periods.months(span)]
        for period in [*overall, *periods.windows(span, kpi.cadence)]:
            right = kpi.answer(kpi.rows(period.start, period.end))
            yield _entry(kpi_id, kpi, period, ("", ""), right, span)
        for period in periods.sliced(span):
            rows = kpi.rows(period.start, period.end)
            for dimension in kpi.dimensions:
                yield from _slices(kpi_id, kpi, period, dimension, rows, span)


def _slices(kpi_id: str, kpi: Kpi, period: Period, dimension: str, rows: Rows, span: Span) -> Iterator[Entry]:
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(getattr(row, dimension), []).append(row)
    rights = {value: kpi.answer(group) for value, group in sorted(groups.items())}
    hidden = _too_small(rights) if kpi.counts_people else set()
    for value, right in rights.items():
        shown = Right(None, right.n, reason="suppressed: fewer than 5 people") if value in hidden else right
        yield _entry(kpi_id, kpi, period, (dimension, value), shown, span)


def _too_small(rights: dict[str, Right]) -> set[str]:
    """Groups too small to show; a lone one takes the next smallest with it, or the total would give it away."""
    in_order = sorted(rights, key=lambda value: (rights[value].n, value))
    small = [value for value in in_order if rights[value].n < SMALLEST_GROUP]
    return set(in_order[:2]) if len(small) == 1 else set(small)


def _entry(kpi_id: str, kpi: Kpi, period: Period, cut: tuple[str, str], right: Right, span: Span) -> Entry:
    entry: Entry = {
        "kpi_id": kpi_id,
        "grain": period.grain,
        "period_start": period.start.isoformat(),
        "period_end": period.end.isoformat(),
        "dimension": cut[0],
        "dimension_value": cut[1],
        "numerator": right.numerator,
        "denominator": right.denominator,
        "n": right.n,
        "value": right.value,
        **right.more,
    }
    if right.value is None:
        entry.update(status="not_available", reason=right.reason)
    elif period.end + timedelta(days=kpi.ripens_days) > span.end:
        entry["status"] = "immature"
    return entry


def kpis(found: Any) -> dict[str, Kpi]:
    """All KPIs of the catalogue over the ground truth (see `Found` in organisation.py)."""
    roster = found.roster
    return {
        "adoption_rate": Kpi(
            on_each_day(found.entitlements.on), answers.adoption_rate, "weekly", ("department", "product"),
            counts_people=True,
        ),
        "deflection_rate": Kpi(
            by_day(found.support_contacts), answers.deflection_rate, "weekly", ("topic", "channel"), ripens_days=7
        ),
        "grounded_answer_rate": Kpi(
            by_day(found.evaluated_answers), answers.grounded_answer_rate, "weekly", ("use_case", "evaluator_kind")
        ),
        "flagged_output_rate": Kpi(by_day(found.screened_outputs), answers.flagged_output_rate, "weekly", ("use_case",)),
        "token_cost_per_session": Kpi(
            by_day(found.traffic.session_costs), answers.token_cost_per_session, "daily", ("use_case", "department")
        ),
        "mttr": Kpi(by_day(found.outages), answers.mttr, "monthly", ("severity", "service")),
        "p95_latency": Kpi(
            by_day(found.traffic.requests), answers.p95_latency, "daily", ("use_case", "provider", "model")
        ),
        "tool_error_rate": Kpi(
            by_day(found.traffic.tool_calls), answers.tool_error_rate, "daily", ("tool", "use_case")
        ),
        "csat_delta": Kpi(by_day(found.csat_answers), answers.csat_delta, "monthly", ("channel",)),
        "trained_share": Kpi(
            on_last_day(roster.on, roster.first, roster.last), answers.trained_share, "monthly",
            ("department", "region"), counts_people=True,
        ),
        "change_failure_rate": Kpi(
            by_day(found.releases), answers.change_failure_rate, "monthly", ("service", "change_type"), ripens_days=7
        ),
        "availability": Kpi(by_day(found.served_windows), answers.availability, "daily", ("service",)),
        "hours_saved": Kpi(by_day(found.verified_tasks), answers.hours_saved, "monthly", ("use_case", "department")),
    }  # fmt: skip
