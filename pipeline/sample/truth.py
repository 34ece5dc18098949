"""The right KPI values of the sample, as entries of truth.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pipeline.sample import answers, periods
from pipeline.sample.answers import Right
from pipeline.sample.clock import Span
from pipeline.sample.organisation import Organisation
from pipeline.sample.periods import Period

Rows = Sequence[Any]
Entry = dict[str, Any]
SMALLEST_GROUP = 5
SUPPRESSED = "suppressed: fewer than 5 people"
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
    grains: tuple[str, ...] = ("day", "week", "month", "28d")
    sliced: Callable[[Any], Rows] = list
    """Which of the rows of a period count in its slices."""


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
        for period in _overall(kpi, span):
            right = _shown(kpi, kpi.answer(kpi.rows(period.start, period.end)))
            yield {"kpi_id": kpi_id, **_entry(period, ("", ""), right), **_status(kpi, period, right, span)}
        for period in (period for period in periods.sliced(span) if period.grain in kpi.grains):
            for cut, right in _slices(kpi, kpi.rows(period.start, period.end)):
                yield {"kpi_id": kpi_id, **_entry(period, cut, right), **_status(kpi, period, right, span)}


def _overall(kpi: Kpi, span: Span) -> list[Period]:
    """The periods of the KPI's grains."""
    calendar = [*periods.days(span), *periods.weeks(span), *periods.months(span)]
    every = [*calendar, *periods.windows(span, kpi.cadence), *periods.quarters(span)]
    return [period for period in every if period.grain in kpi.grains]


def _shown(kpi: Kpi, right: Right) -> Right:
    """The answer, unless it would tell of a handful of people."""
    is_hidden = kpi.counts_people and 0 < right.n < SMALLEST_GROUP
    return Right(None, right.n, reason=SUPPRESSED) if is_hidden else right


def _slices(kpi: Kpi, rows: Rows) -> Iterator[tuple[tuple[str, str], Right]]:
    """((dimension, value), answer) of every slice; groups of people too small to show have an n and no more."""
    for dimension in kpi.dimensions:
        groups: dict[str, list[Any]] = {}
        for row in kpi.sliced(rows):
            groups.setdefault(getattr(row, dimension), []).append(row)
        rights = {value: kpi.answer(group) for value, group in sorted(groups.items())}
        hidden = _too_small(rights) if kpi.counts_people else set()
        for value, right in rights.items():
            is_hidden = value in hidden
            yield (dimension, value), Right(None, right.n, reason=SUPPRESSED) if is_hidden else right


def _too_small(rights: dict[str, Right]) -> set[str]:
    """Groups too small to show; a lone one takes the next smallest with it, or the total would give it away."""
    in_order = sorted(rights, key=lambda value: (rights[value].n, value))
    small = [value for value in in_order if rights[value].n < SMALLEST_GROUP]
    return set(in_order[:2]) if len(small) == 1 else set(small)


def _entry(period: Period, cut: tuple[str, str], right: Right) -> Entry:
    return {
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


def _status(kpi: Kpi, period: Period, right: Right, span: Span) -> Entry:
    if right.value is None:
        return {"status": "not_available", "reason": right.reason}
    is_ripe = period.end + timedelta(days=kpi.ripens_days) <= span.end
    return {} if is_ripe else {"status": "immature"}


def kpis(org: Organisation) -> dict[str, Kpi]:
    """All KPIs of the catalogue over what happened in the organisation."""
    return {**_use_and_people(org), **_quality_and_cost(org), **_service(org)}


def _use_and_people(org: Organisation) -> dict[str, Kpi]:
    roster = org.roster
    roster_rows = on_last_day(roster.on, roster.first, roster.last)
    entitled, answered = on_each_day(org.entitlements.on), by_day(org.csat_answers)
    tasks = by_day(org.verified_tasks)
    return {
        "adoption_rate": Kpi(entitled, answers.adoption_rate, "weekly", ("department", "product"), counts_people=True),
        "trained_share": Kpi(
            roster_rows, answers.trained_share, "monthly", ("department", "region"), counts_people=True
        ),
        "csat_delta": Kpi(answered, answers.csat_delta, "monthly", ("channel",), sliced=answers.first_answers),
        "hours_saved": Kpi(tasks, answers.hours_saved, "monthly", ("use_case", "department")),
    }


def _quality_and_cost(org: Organisation) -> dict[str, Kpi]:
    contacts, evaluated = by_day(org.support_contacts), by_day(org.evaluated_answers)
    screened, costs = by_day(org.screened_outputs), by_day(org.traffic.session_costs)
    return {
        "deflection_rate": Kpi(contacts, answers.deflection_rate, "weekly", ("topic", "channel"), ripens_days=7),
        "grounded_answer_rate": Kpi(evaluated, answers.grounded_answer_rate, "weekly", ("use_case", "evaluator_kind")),
        "flagged_output_rate": Kpi(screened, answers.flagged_output_rate, "weekly", ("use_case",)),
        "token_cost_per_session": Kpi(costs, answers.token_cost_per_session, "daily", ("use_case", "department")),
    }


def _service(org: Organisation) -> dict[str, Kpi]:
    requests, tools = by_day(org.traffic.requests), by_day(org.traffic.tool_calls)
    outages, releases, windows = by_day(org.outages), by_day(org.releases), by_day(org.served_windows)
    return {
        "mttr": Kpi(outages, answers.mttr, "monthly", ("severity", "service")),
        "p95_latency": Kpi(requests, answers.p95_latency, "daily", ("use_case", "provider", "model")),
        "tool_error_rate": Kpi(tools, answers.tool_error_rate, "daily", ("tool", "use_case")),
        "change_failure_rate": Kpi(
            releases, answers.change_failure_rate, "monthly", ("service", "change_type"), ripens_days=7
        ),
        "availability": Kpi(windows, answers.availability, "daily", ("service",)),
    }
