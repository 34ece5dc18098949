"""Effects planted on purpose, one per use case, and the exports an honest estimate of them is made from.

Minutes without the change vary by unit and by measurement, both evenly around the level of the plan, and drift alike
for everybody. With the change every unit's minutes move by exactly the planted effect, so the true mean is known:

- by lot, with an effect (`customer_support`, `contract_review`) and without any (`knowledge_search`);
- two groups as they were, the one with the change slower from the start (`meeting_notes`): their difference afterwards
  is wrong, the difference of the differences is right;
- in waves of teams, some of which have yet to begin (`code_assistant`): months differ, so a team's own before and after
  is wrong, and the panel by month is right;
- all at once (`drafting`): before and after is all there is. No drift is planted there, which no data can show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, Span, iso_s, ms_of
from pipeline.sample.experiments import ASSIGNMENT_COLUMNS
from pipeline.sample.shelf import cell

STUDY_COLUMNS = ("experiment", "name", "use_case", "design", "treated", "control", "allocation", "starts_on", "ends_on")
OUTCOME_COLUMNS = ("experiment", "unit", "metric", "pre_value", "value", "measured_on")
PANEL_COLUMNS = ("experiment", "unit", "metric", "period", "value", "measured_on")
SPREAD: Curve = ((0.0, -0.35), (0.2, -0.15), (0.5, 0.0), (0.8, 0.15), (1.0, 0.35))
"""How units differ, as a share of the level; 0 on average."""
NOISE: Curve = ((0.0, -0.3), (0.15, -0.12), (0.5, 0.0), (0.85, 0.12), (1.0, 0.3))
"""How measurements of one unit differ, as a share of the level; 0 on average."""
SLOWER = 1.2
"""How much slower a group that was not drawn by lot was from the start."""
WAVES = (0.25, 0.4, 0.55, 0.7)
"""When waves of teams begin, as shares of the months; a fifth of the teams has yet to begin when the data end."""
MONTH_SWING = 0.08
"""How far months differ for everybody, as a share of the level."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was registered, and what nobody in the organisation knows: the true effect and drift, in minutes."""

    experiment: str
    name: str
    use_case: str
    design: str
    metric: str
    unit: str
    effect: float
    drift: float
    level: float
    units: int
    begins: float
    ends: float

    @property
    def is_staggered(self) -> bool:
        """True when its outcomes are told by month."""
        return self.design == "staggered"


PLANS = (
    Plan("roi-agent-assist", "Suggested answers beside the ticket", "customer_support", "randomised",
         "handle_minutes", "min/contact", -1.4, -0.3, 12, 240, 0.1, 0.4),
    Plan("roi-clause-check", "Clauses checked before review", "contract_review", "randomised",
         "minutes_per_task", "min/task", -54.0, 6.0, 312, 160, 0.3, 0.62),
    Plan("roi-answers", "An answer in place of a list of hits", "knowledge_search", "randomised",
         "minutes_per_task", "min/task", 0.0, -0.5, 14, 200, 0.2, 0.5),
    Plan("roi-minutes", "Minutes of meetings, two offices first", "meeting_notes", "did",
         "minutes_per_task", "min/task", -3.0, -2.0, 24, 180, 0.3, 0.6),
    Plan("roi-code-waves", "Assistant in the editor, team by team", "code_assistant", "staggered",
         "minutes_per_task", "min/task", -24.0, 0.0, 150, 60, 0.0, 1.0),
    Plan("roi-drafts", "Drafts for everybody", "drafting", "before_after",
         "minutes_per_task", "min/task", -2.5, 0.0, 15, 150, 0.4, 0.7),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """A unit of a study: minutes in hundredths, before and after, or by month; it began at `exposed_ms`."""

    name: str
    is_treated: bool
    exposed_ms: int | None
    before: int = 0
    after: int = 0
    by_month: dict[date, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Study:
    """A plan with its days and what was measured."""

    plan: Plan
    starts: date
    ends: date
    subjects: tuple[Subject, ...]


def studies(seed: int, span: Span, *, load: float = 1.0) -> list[Study]:
    """Every planned study; each has a chance of its own, so that one more leaves the others as they were."""
    return [study(Chance(seed, f"study/{plan.experiment}"), plan, span, load=load) for plan in PLANS]


def study(chance: Chance, plan: Plan, span: Span, *, load: float = 1.0) -> Study:
    """One study as it went."""
    starts, ends = span.at(plan.begins), max(span.at(plan.begins), span.at(plan.ends) - timedelta(days=1))
    count = int(max(20, plan.units * load))
    found = _waves(chance, plan, span, count) if plan.is_staggered else _pairs(chance, plan, (starts, ends), count)
    return Study(plan, starts, ends, tuple(found))


def _pairs(chance: Chance, plan: Plan, days: tuple[date, date], count: int) -> Iterator[Subject]:
    """Units measured once before and once after."""
    begin, end = ms_of(days[0]), ms_of(days[1] + timedelta(days=1))
    for number in range(count):
        is_treated = plan.design == "before_after" or chance.happens(0.5)
        is_slower = plan.design == "did" and is_treated
        usual = plan.level * (SLOWER if is_slower else 1) * (1 + chance.drawn(SPREAD))
        before = usual + plan.level * chance.drawn(NOISE)
        after = usual + plan.level * chance.drawn(NOISE) + plan.drift + plan.effect * is_treated
        exposed = min(begin + chance.whole(0, 2 * DAY_MS) // 1000 * 1000, end - 1000)
        yield Subject(_unit(plan, number), is_treated, exposed, _hundredths(before), _hundredths(after))


def _waves(chance: Chance, plan: Plan, span: Span, count: int) -> Iterator[Subject]:
    """Teams measured every month; four of five begin within the span, each on the first of a month."""
    months = span.months()
    swing = {month: plan.level * MONTH_SWING * (2 * chance.share() - 1) for month in months}
    starts = [months[int(share * len(months))] for share in WAVES]
    for number in range(count):
        begins = [*starts, None][number % (len(starts) + 1)]
        usual = plan.level * (1 + chance.drawn(SPREAD))
        by_month = {}
        for month in months:
            has_begun = begins is not None and begins <= month
            minutes = usual + plan.level * chance.drawn(NOISE) + swing[month] + plan.effect * has_begun
            by_month[month] = _hundredths(minutes)
        exposed = None if begins is None else ms_of(begins)
        yield Subject(_unit(plan, number), begins is not None, exposed, by_month=by_month)


def _unit(plan: Plan, number: int) -> str:
    return f"{plan.use_case.replace('_', '-')}-unit-{number + 1}@mail.example"


def _hundredths(minutes: float) -> int:
    return int(minutes * 100 + 0.5)


def study_row(one: Study, span: Span) -> tuple[str, ...]:
    """One row of the register of experiments; a roll-out in waves runs until the data end."""
    plan, share = one.plan, "0.5" if one.plan.design == "randomised" else None
    told = (plan.experiment, plan.name, plan.use_case, plan.design, "with", "without", share)
    return tuple(map(cell, (*told, one.starts, min(one.ends, span.last))))


def assignment_rows(one: Study) -> Iterator[tuple[str, ...]]:
    """Who had which variant, and since when; a team whose wave is to come has no time."""
    assert ASSIGNMENT_COLUMNS[:3] == ("experiment", "unit", "variant")  # noqa: S101 - the export has one shape
    for subject in one.subjects:
        variant = "with" if subject.is_treated else "without"
        exposed = None if subject.exposed_ms is None else iso_s(subject.exposed_ms)
        yield tuple(map(cell, (one.plan.experiment, subject.name, variant, iso_s(ms_of(one.starts)), exposed)))


def outcome_rows(one: Study, span: Span) -> Iterator[tuple[str, ...]]:
    """Minutes before and after of every unit; none for a roll-out in waves."""
    measured = min(one.ends, span.last)
    for subject in () if one.plan.is_staggered else one.subjects:
        minutes = (_minutes(subject.before), _minutes(subject.after))
        yield tuple(map(cell, (one.plan.experiment, subject.name, one.plan.metric, *minutes, measured)))


def panel_rows(one: Study, span: Span) -> Iterator[tuple[str, ...]]:
    """Minutes of every team by month."""
    for subject in one.subjects:
        for month, minutes in subject.by_month.items():
            told = (one.plan.experiment, subject.name, one.plan.metric, month, _minutes(minutes), span.last)
            yield tuple(map(cell, told))


def _minutes(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def mean_of(curve: Curve) -> float:
    """The mean of what is drawn from a curve: of each straight piece its middle, weighed by its share."""
    return sum((right - left) * (low + high) / 2 for (left, low), (right, high) in pairwise(curve))
