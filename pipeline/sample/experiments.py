"""Randomised experiments with customers: who was drawn into which variant, their margin, and the exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, Span, iso_s, ms_of
from pipeline.sample.shelf import cell

UNITS = 420
"""Customers drawn into an experiment, for two hundred members of staff."""
CONVERTED = 0.5
MARGIN_CENTS: Curve = ((0.0, 300), (0.5, 2600), (0.9, 5200), (1.0, 9000))
EXPERIMENT_COLUMNS = ("experiment", "name", "treated", "control", "allocation", "starts_on", "ends_on")
ASSIGNMENT_COLUMNS = ("experiment", "unit", "variant", "assigned_at", "exposed_at")
OUTCOME_COLUMNS = ("experiment", "unit", "metric", "pre_value", "value", "currency", "measured_on")


@dataclass(frozen=True, slots=True)
class Experiment:
    """What was registered before it began; `ends` is its last day."""

    experiment: str
    name: str
    treated: str
    control: str
    allocation: str
    starts: date
    ends: date
    gain: float
    """By how much more often the treated buy."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One customer in one experiment; without `exposed_ms` they never met their variant."""

    experiment: Experiment
    customer: str
    is_treated: bool
    assigned_ms: int
    exposed_ms: int | None
    before_cents: int
    margin_cents: int


# name, treated, control, share drawn into the treated variant, from and until (share of the span), gain
PLANS = (
    ("Assistant on the product page", "assistant", "no_assistant", "0.5", 0.04, 0.17, 0.06),
    ("Generated product texts", "generated_text", "editor_text", "0.5", 0.28, 0.46, 0.02),
    ("Answers with sources", "with_sources", "plain", "0.3", 0.55, 0.71, 0.04),
    ("Suggested replies in chat", "suggestions", "no_suggestions", "0.5", 0.86, 0.99, 0.05),
    ("Voice assistant", "voice", "text", "0.5", 0.93, 1.08, 0.0),
)
"""The last one is still running when the data end."""


def experiments(span: Span) -> list[Experiment]:
    """The register, in the order of beginning."""
    return [
        Experiment(f"exp-{number:03d}", name, treated, control, share, span.at(begins), span.at(ends), gain)
        for number, (name, treated, control, share, begins, ends, gain) in enumerate(PLANS, start=1)
    ]


def units(chance: Chance, span: Span, *, load: float) -> list[Unit]:
    """Everybody drawn, experiment by experiment."""
    customers = int(max(40, 6000 * load))
    return [unit for one in experiments(span) for unit in _drawn(chance, one, customers, span, load)]


def _drawn(chance: Chance, one: Experiment, customers: int, span: Span, load: float) -> Iterator[Unit]:
    begin, end = ms_of(one.starts), min(ms_of(one.ends + timedelta(days=1)), ms_of(span.end))
    count = int(max(20, UNITS * load))
    step = max(1, customers // count)
    for number in range(count):
        assigned = begin + int((end - begin) * 0.8 * chance.share()) // 1000 * 1000
        is_treated = chance.happens(float(one.allocation))
        exposed = min(assigned + chance.whole(0, 2 * DAY_MS) // 1000 * 1000, end - 1000)
        buys = chance.happens(CONVERTED * (1 + one.gain * is_treated))
        margin, before = int(chance.drawn(MARGIN_CENTS)), int(chance.drawn(MARGIN_CENTS))
        yield Unit(
            experiment=one,
            customer=f"customer-{1 + number * step + chance.whole(0, step - 1)}@mail.example",
            is_treated=is_treated,
            assigned_ms=assigned,
            exposed_ms=None if chance.happens(0.06) else exposed,
            before_cents=before if chance.happens(CONVERTED) else 0,
            margin_cents=margin if buys else 0,
        )


def experiment_row(one: Experiment) -> tuple[str, ...]:
    """One row of the register."""
    return tuple(map(cell, (one.experiment, one.name, one.treated, one.control, one.allocation, one.starts, one.ends)))


def assignment_row(unit: Unit) -> tuple[str, ...]:
    """One row of the list of who was drawn."""
    one, exposed = unit.experiment, None if unit.exposed_ms is None else iso_s(unit.exposed_ms)
    variant = one.treated if unit.is_treated else one.control
    return tuple(map(cell, (one.experiment, unit.customer, variant, iso_s(unit.assigned_ms), exposed)))


def outcome_row(unit: Unit, span: Span) -> tuple[str, ...]:
    """One row of the outcomes, measured at the horizon or, while that is to come, on the last day of the data."""
    measured = min(unit.experiment.ends, span.last)
    amounts = (_dollars(unit.before_cents), _dollars(unit.margin_cents))
    return tuple(map(cell, (unit.experiment.experiment, unit.customer, "margin", *amounts, "USD", measured)))


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
