"""What the finance sheets say of the programme: costs beside the invoices, budgets, exchange rates, and their exports.

Amounts are of the size of the traffic that the exports show, so that benefits and costs are of one order: one use case
pays, one does not because half of its seats are idle, one would if more of the freed hours became money, one shows no
effect. Costs come in every category and in two currencies, from a build phase before anything went live to a commitment
for a day still to come; one is a credit. Rates are told on working days, so that a posting of a weekend has none of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span
from pipeline.sample.portfolio import LIVE, UseCase
from pipeline.sample.records import Seat
from pipeline.sample.shelf import cell

COST_COLUMNS = (
    "cost_id",
    "use_case",
    "business_unit",
    "category",
    "date",
    "amount",
    "currency",
    "description",
    "vendor",
)
BUDGET_COLUMNS = ("period", "initiative", "approved_amount", "currency", "approved_by", "approved_on")
RATE_COLUMNS = ("date", "from_currency", "to_currency", "rate")
SEAT_CENTS = {"business": 1000, "enterprise": 1900}
"""Price of a seat per month."""
APPROVER = "Finance director"
APPROVED = {"code_assistant": (900, 1_300), "programme": (450, 600)}
APPROVED_USUALLY = (20, 55)
"""What is approved for an initiative and month, about, in whole units of its currency."""
LIVE_EUR = ("contract_review", "knowledge_search")
"""Use cases that were built by a vendor who bills in euro."""
COMMITTED_DAYS = 44
"""So long after the data a commitment falls due."""
MONTHS_OF = {"change_management": (0, 3, 6, 9), "training": (0, 2, 4, 6, 8, 10, 12), "governance": (1, 4, 7, 10)}
"""The months of the span, counted from 0, in which something is paid."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One posting, in cents; without a use case it is for the whole programme."""

    category: str
    day: date
    cents: int
    currency: str
    description: str
    use_case: str | None = None
    unit: str | None = None
    vendor: str | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """What was approved for an initiative and month, in cents."""

    month: date
    initiative: str
    cents: int
    currency: str
    approved: date


@dataclass(frozen=True, slots=True)
class Rate:
    """What a euro costs in dollars on a day, in ten-thousandths."""

    day: date
    parts: int


def costs(
    chance: Chance, span: Span, cases: Sequence[UseCase], seats: Sequence[Seat], *, load: float = 1.0
) -> list[Cost]:
    """Every posting, by day; what is no seat is in proportion to the load, as the traffic is."""
    by_load = [*_built(chance, cases), *_monthly(chance, span), *_now_and_then(chance, span), *_dips(chance, span)]
    found = [*_licences(span, seats), *(replace(one, cents=_scaled(one.cents, load)) for one in by_load)]
    in_order = sorted(found, key=lambda one: (one.day, one.category, one.use_case or "", one.cents))
    return [replace(one, number=number) for number, one in enumerate(in_order, start=1)]


def _scaled(cents: int, load: float) -> int:
    """An amount in proportion, and never 0."""
    return int(cents * load) or (1 if cents > 0 else -1)


def _built(chance: Chance, cases: Sequence[UseCase]) -> Iterator[Cost]:
    """Before a use case goes live it is built in three parts and joined to other systems."""
    live = {name for name, *_ in LIVE}
    for use_case, (day, unit) in _first_live(cases).items():
        is_big, is_bought = use_case in live, use_case in LIVE_EUR
        currency, vendor = ("EUR", "Studio Nord") if is_bought else ("USD", None)
        about = (use_case, unit, vendor)
        for part, before in enumerate((90, 60, 30), start=1):
            cents = 100 * (chance.whole(400, 1_000) if is_big else chance.whole(60, 180))
            yield Cost("build", day - timedelta(days=before), cents, currency, f"Build, part {part} of 3", *about)
        cents = 100 * (chance.whole(200, 500) if is_big else chance.whole(20, 80))
        yield Cost("integration", day - timedelta(days=15), cents, currency, "Sign-on, data feeds and tests", *about)


def _first_live(cases: Sequence[UseCase]) -> dict[str, tuple[date, str]]:
    """First day in production and unit of every use case that got there."""
    found: dict[str, tuple[date, str]] = {}
    for case in cases:
        if case.stage == "production":
            found.setdefault(case.use_case_id, (case.valid_from, case.business_unit))
    return found


def _licences(span: Span, seats: Sequence[Seat]) -> Iterator[Cost]:
    """Seats that were open at the end of each month, used or idle."""
    for month in span.months():
        day = min(month + timedelta(days=27), span.last)
        held = [seat for seat in seats if seat.valid_from <= day and (seat.valid_to is None or day < seat.valid_to)]
        cents = sum(SEAT_CENTS[seat.plan] for seat in held)
        told = f"{len(held)} seats of the coding assistant, idle ones included"
        yield Cost("licence", day, cents, "USD", told, "code_assistant", "Engineering", "GitHub")


def _monthly(chance: Chance, span: Span) -> Iterator[Cost]:
    """What is paid every month, and what in some."""
    for number, month in enumerate(span.months()):
        day = month + timedelta(days=4)
        platform = 100 * chance.whole(180, 240)
        yield Cost("platform", day, platform, "EUR", "Gateway, tracing and vector store", vendor="Nordwolke")
        usage = 100 * chance.whole(38, 47)
        yield Cost("usage", day, usage, "EUR", "Ranking model on hardware of our own, in no bill of a provider",
                   "knowledge_search", "People Operations")  # fmt: skip
        if number in MONTHS_OF["change_management"]:
            cents = 100 * chance.whole(300, 400)
            yield Cost("change_management", day, cents, "EUR", "Workshops with departments", vendor="Wandel & Co")
        if number in MONTHS_OF["training"]:
            yield Cost("training", day, 100 * chance.whole(150, 210), "USD", "Trainers, and the hours of those trained")
        if number in MONTHS_OF["governance"]:
            yield Cost("governance", day, 100 * chance.whole(260, 340), "USD", "Risk review and red team")


def _now_and_then(chance: Chance, span: Span) -> Iterator[Cost]:
    """Two incidents, a translation, a credit, and a commitment for after the data."""
    support, legal = ("customer_support", "Customer Support"), ("contract_review", "Legal")
    cents = [100 * chance.whole(150, 350) for _ in range(4)]
    yield Cost("incident", span.at(0.35), cents[0], "USD", "Vouchers after wrong answers about returns", *support)
    yield Cost("incident", span.at(0.72), cents[1], "EUR", "Outside counsel after a clause was missed", *legal)
    yield Cost("other", span.at(0.5), cents[2], "USD", "Translation of the guidelines")
    yield Cost("licence", span.at(0.6), -cents[3] // 10, "USD", "Credit for seats given back", "code_assistant",
               "Engineering", "GitHub")  # fmt: skip
    due = span.last + timedelta(days=COMMITTED_DAYS)
    yield Cost("platform", due, 100 * chance.whole(180, 240), "EUR", "Renewal, committed", vendor="Nordwolke")


def _dips(chance: Chance, span: Span) -> Iterator[Cost]:
    """Teams are slower in the month in which they begin, and a little in the next."""
    months = span.months()
    for share in (0.25, 0.4, 0.55, 0.7):
        first = int(share * len(months))
        for month, hours in zip(months[first : first + 2], (6, 2), strict=False):
            cents = hours * 100 * chance.whole(66, 78)
            told = f"{hours} hours lost while a wave of teams learned"
            yield Cost("learning_dip", month + timedelta(days=20), cents, "USD", told, "code_assistant", "Engineering")


def budgets(chance: Chance, span: Span, *, load: float = 1.0) -> list[Budget]:
    """What was approved by month: use cases in dollars, the programme in euro."""
    yearly: dict[tuple[str, int], int] = {}
    found = []
    for month in span.months():
        for name in (*(told[0] for told in LIVE), "programme"):
            if (name, month.year) not in yearly:
                low, high = APPROVED.get(name, APPROVED_USUALLY)
                yearly[name, month.year] = _scaled(100 * chance.whole(low, high), load)
            currency = "EUR" if name == "programme" else "USD"
            approved = date(month.year, 1, 1) - timedelta(days=20)
            found.append(Budget(month, name, yearly[name, month.year], currency, approved))
    return found


def rates(chance: Chance, first: date, span: Span) -> list[Rate]:
    """The euro on every working day from a week before the first posting to the last day of the data."""
    parts, found = 10_850, []
    day = first - timedelta(days=7)
    while day <= span.last:
        if day.weekday() < 5:
            parts = min(11_600, max(10_200, parts + chance.whole(-35, 35)))
            found.append(Rate(day, parts))
        day += timedelta(days=1)
    return found


def cost_row(one: Cost) -> tuple[str, ...]:
    """One row of the cost sheet."""
    told = (f"ic-{one.number:04d}", one.use_case, one.unit, one.category, one.day, amount(one.cents), one.currency)
    return tuple(map(cell, (*told, one.description, one.vendor)))


def budget_row(one: Budget) -> tuple[str, ...]:
    """One row of the budget sheet."""
    return tuple(map(cell, (one.month, one.initiative, amount(one.cents), one.currency, APPROVER, one.approved)))


def rate_row(one: Rate) -> tuple[str, ...]:
    """One row of the treasury's rates."""
    return tuple(map(cell, (one.day, "EUR", "USD", f"{one.parts // 10_000}.{one.parts % 10_000:04d}")))


def amount(cents: int) -> str:
    """Cents as an exact decimal number."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
