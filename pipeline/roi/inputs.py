"""What an evaluation is given: dated records of KPIs, assumptions, costs, rates and effects, as plain frozen data.

A month is told by its first day, money is Decimal in the currency named, None is unknown. An empty `use_case` means the
whole programme.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class KpiNumber:
    """One number of a KPI in one month: its value, numerator or denominator, with the ends of its 95 % interval."""

    kpi_id: str
    part: str
    month: date
    use_case: str
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    n: int | None
    status: str
    reason: str


@dataclass(frozen=True)
class Assumption:
    """A row of the register of assumptions; it holds from `valid_from` up to `valid_to` (None: still)."""

    assumption_id: str
    use_case: str
    valid_from: date
    valid_to: date | None
    low: Decimal
    base: Decimal
    high: Decimal
    unit: str
    distribution: str
    grade: str
    source: str
    owner: str
    approved_by: str
    approved_at: date | None
    place: str = ""
    """File and line it was read from."""
    note: str = ""

    def holds(self, day: date) -> bool:
        """Return whether the day is in its period, approved or not."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def is_approved(self, day: date) -> bool:
        """Return whether somebody had approved it by a day; an approval needs both a name and a day."""
        return bool(self.approved_by) and self.approved_at is not None and self.approved_at <= day


@dataclass(frozen=True)
class Cost:
    """One posting of a cost, in its own currency."""

    cost_id: str
    use_case: str
    business_unit: str
    category: str
    day: date
    amount: Decimal
    currency: str
    place: str = ""


@dataclass(frozen=True)
class Usage:
    """Calls of one month and use case, at the price valid when they were made, in USD.

    `is_oversight` for guardrails and judges; `unpriced` counts calls whose cost is unknown.
    """

    month: date
    use_case: str
    is_oversight: bool
    amount: Decimal
    calls: int
    unpriced: int


@dataclass(frozen=True)
class Invoice:
    """What providers with telemetry billed for the usage of one month, in one currency."""

    month: date
    currency: str
    amount: Decimal
    lines: int


@dataclass(frozen=True)
class Budget:
    """What was approved for one initiative and month, in its own currency; `programme` is what names no use case."""

    month: date
    initiative: str
    amount: Decimal
    currency: str
    approved_by: str
    approved_at: date | None
    place: str = ""

    def is_approved(self, day: date) -> bool:
        """Return whether somebody had approved it by a day; an approval needs both a name and a day."""
        return bool(self.approved_by) and self.approved_at is not None and self.approved_at <= day


@dataclass(frozen=True)
class Seats:
    """Seats of one month, and those of them whose holder never used the product in it; `price` is their monthly sum.

    `idle` is None for a product that never sent any usage: nobody knows which of its seats are used.
    """

    month: date
    product: str
    seats: int
    idle: int | None
    price: Decimal | None
    currency: str


@dataclass(frozen=True)
class Rate:
    """What one unit of `currency` costs in USD on a day."""

    day: date
    currency: str
    usd: Decimal
    place: str = ""


@dataclass(frozen=True)
class Span:
    """The business unit of a use case from `since` up to `until`, and whether it was live then."""

    use_case: str
    business_unit: str
    since: date
    until: date
    is_live: bool
    owner: str = ""
    """The role that answers for it; empty when nobody does."""


@dataclass(frozen=True)
class Measured:
    """The effect that the data of one experiment or roll-out show, and the grade those data earn."""

    experiment: str
    metric: str
    estimate: Decimal | None
    low: Decimal | None
    high: Decimal | None
    grade: str
    method: str
    n: int
    problem: str = ""
    """Why nothing can be concluded; empty when something can."""


@dataclass(frozen=True)
class Inputs:
    """Everything an evaluation reads; the same inputs and the same catalogue give the same result."""

    as_of: date
    """Last day with data; months that end after it do not count."""
    kpis: tuple[KpiNumber, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    costs: tuple[Cost, ...] = ()
    usage: tuple[Usage, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    seats: tuple[Seats, ...] = ()
    rates: tuple[Rate, ...] = ()
    portfolio: tuple[Span, ...] = ()
    effects: tuple[Measured, ...] = ()
    budgets: tuple[Budget, ...] = ()


def month_of(day: date) -> date:
    """The first day of the month a day lies in."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after.

    >>> next_month(date(2026, 12, 1))
    datetime.date(2027, 1, 1)
    """
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_between(first: date, last: date) -> tuple[date, ...]:
    """Every month from the first to the last, both included; none when the last is before the first."""
    found = []
    while first <= last:
        found.append(first)
        first = next_month(first)
    return tuple(found)
