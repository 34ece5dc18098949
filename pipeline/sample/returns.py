"""What a return on the programme is computed from: costs, budgets, rates, assumptions, studies; and the right answers.

Under `roi`, truth.json says what was planted: the true effect of every study, the true minutes saved per verified task,
how the assumptions stand on the last day, the sums of costs and budgets to the cent, and the planted overlap: contacts
of `customer_support` are claimed as deflected, and as handled faster, though nobody handled them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.sample import assumed, experiments, finance, quality, studies
from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span
from pipeline.sample.counted import SupportContact
from pipeline.sample.portfolio import LIVE, UseCase
from pipeline.sample.records import Seat
from pipeline.sample.shelf import Shelf

Json = dict[str, Any]


@dataclass(frozen=True)
class Returns:
    """All of it."""

    costs: list[finance.Cost]
    budgets: list[finance.Budget]
    rates: list[finance.Rate]
    register: list[assumed.Assumed]
    studies: list[studies.Study]


def found(seed: int, span: Span, cases: Sequence[UseCase], seats: Sequence[Seat], *, load: float) -> Returns:
    """Makes it up, each kind with a chance of its own."""
    postings = finance.costs(Chance(seed, "initiative_costs"), span, cases, seats, load=load)
    return Returns(
        costs=postings,
        budgets=finance.budgets(Chance(seed, "budgets"), span, load=load),
        rates=finance.rates(Chance(seed, "fx_rates"), postings[0].day, span),
        register=assumed.register(Chance(seed, "assumptions"), span),
        studies=studies.studies(seed, span, load=load),
    )


def write(shelf: Shelf, one: Returns, span: Span) -> None:
    """Writes its exports."""
    sheets: tuple[tuple[str, tuple[str, ...], Callable[[Any], tuple[str, ...]], Sequence[Any]], ...] = (
        ("assumptions", assumed.COLUMNS, assumed.assumption_row, one.register),
        ("initiative-costs", finance.COST_COLUMNS, finance.cost_row, one.costs),
        ("budgets", finance.BUDGET_COLUMNS, finance.budget_row, one.budgets),
        ("fx-rates", finance.RATE_COLUMNS, finance.rate_row, one.rates),
    )
    for name, columns, row_of, things in sheets:
        for thing in things:
            shelf.row(f"finance/{name}-{span.last}.csv", columns, row_of(thing))
    for study in one.studies:
        _write_study(shelf, study, span)


def _write_study(shelf: Shelf, study: studies.Study, span: Span) -> None:
    shelf.row(f"ab/experiments-studies-{span.last}.csv", studies.STUDY_COLUMNS, studies.study_row(study, span))
    for row in studies.assignment_rows(study):
        shelf.row(f"ab/assignments-studies-{span.last}.csv", experiments.ASSIGNMENT_COLUMNS, row)
    for row in studies.outcome_rows(study, span):
        shelf.row(f"ab/outcomes-studies-{span.last}.csv", studies.OUTCOME_COLUMNS, row)
    for row in studies.panel_rows(study, span):
        shelf.row(f"ab/outcome-panel-studies-{span.last}.csv", studies.PANEL_COLUMNS, row)


def truth(one: Returns, span: Span, contacts: Sequence[SupportContact]) -> Json:
    """What was planted, for truth.json."""
    return {
        "effects": [*map(_effect, one.studies), *map(_uplift, experiments.experiments(span))],
        "minutes_saved_per_verified_task": {name: _minutes_saved(name) for name, *_ in LIVE},
        "assumptions": _standings(one.register, span),
        "costs": _sums((cost.category, cost.currency, cost.cents) for cost in one.costs if cost.day <= span.last),
        "committed": _sums((cost.category, cost.currency, cost.cents) for cost in one.costs if cost.day > span.last),
        "budgets": _sums((budget.initiative, budget.currency, budget.cents) for budget in one.budgets),
        "overlap": _overlap(contacts),
    }


def _effect(study: studies.Study) -> Json:
    """The true mean effect of having the change, in the unit of the metric; below 0 is faster."""
    plan = study.plan
    return {
        "experiment": plan.experiment,
        "use_case": plan.use_case,
        "design": plan.design,
        "metric": plan.metric,
        "unit": plan.unit,
        "effect": plan.effect,
        "drift": plan.drift,
        "units": len(study.subjects),
        "starts_on": study.starts.isoformat(),
        "ends_on": study.ends.isoformat(),
    }


def _uplift(one: experiments.Experiment) -> Json:
    """The true relative gain of an experiment with customers: by so much more often the treated buy."""
    return {
        "experiment": one.experiment,
        "use_case": None,
        "design": "randomised",
        "metric": "margin",
        "unit": "ratio",
        "effect": one.gain,
        "drift": 0.0,
        "units": None,
        "starts_on": one.starts.isoformat(),
        "ends_on": one.ends.isoformat(),
    }


def _minutes_saved(use_case: str) -> float:
    """Mean of baseline less duration: the drawn share of the baseline that was saved, and half a minute in a fifth."""
    baseline = quality.BASELINE_MINUTES.get(use_case, 9)
    return round(baseline * (1 - studies.mean_of(quality.SHARE_OF_BASELINE)) + 0.5 * 0.2, 6)


def _standings(register: Sequence[assumed.Assumed], span: Span) -> Json:
    """Ids by how they stand on the last day."""
    return {
        "as_of": span.last.isoformat(),
        "rows": len(register),
        "expired": [assumed.EXPIRED],
        "unapproved": [assumed.UNAPPROVED],
        "superseded": [assumed.SUPERSEDED],
        "not yet valid": [assumed.TO_COME],
    }


def _sums(told: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, str]]:
    """Exact sums by name and currency, of cents."""
    cents: dict[str, Counter[str]] = {}
    for name, currency, amount in told:
        cents.setdefault(name, Counter())[currency] += amount
    return {
        name: {key: finance.amount(total) for key, total in sorted(held.items())}
        for name, held in sorted(cents.items())
    }


def _overlap(contacts: Sequence[SupportContact]) -> Json:
    """Eligible contacts by month, and those that were deflected, so that nobody can have handled them faster."""
    eligible = Counter(f"{one.day:%Y-%m}" for one in contacts)
    deflected = Counter(f"{one.day:%Y-%m}" for one in contacts if one.is_deflected)
    return {
        "use_case": "customer_support",
        "thing": "contact",
        "claims": ["deflected", "handled faster"],
        "experiment": "roi-agent-assist",
        "months": {
            month: {"eligible": eligible[month], "claimed_twice": deflected[month]} for month in sorted(eligible)
        },
    }
