"""The whole evaluation: claims held against each other and against the bill, costs, present values, spreads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.model import Catalog
from pipeline.roi import records as r
from pipeline.roi.claims import Book, Maker, assumption_term, cents, product
from pipeline.roi.costs import all_costs, bills, unpriced_seats
from pipeline.roi.finance import discount_factors
from pipeline.roi.inputs import Inputs, month_of, months_between, next_month
from pipeline.roi.overlap import block_cash, blocks, refuse_double
from pipeline.roi.records import Bill, Claim, CostItem, Term
from pipeline.roi.register import DISCOUNT_RATE, WEIGHT_BEFORE_AFTER
from pipeline.roi.uncertain import Model, model_of

_FACTOR = Decimal("0.00000001")
"""Discount factors are rounded to this before they are used, so that what is printed is what was used."""
OUTCOMES = ("task_success_rate", "numerator")
"""The count of verified outcomes."""


@dataclass(frozen=True)
class Ledger:
    """All claims and costs of an edition, weighed and discounted, with what was decided on the way."""

    catalog: Catalog
    book: Book
    months: tuple[date, ...]
    claims: tuple[Claim, ...]
    costs: tuple[CostItem, ...]
    bills: tuple[Bill, ...]
    problems: tuple[str, ...]
    rate: Term
    weight: Term
    factors: Mapping[date, Decimal]
    """Discount factor of each month; empty without an approved rate."""

    @cached_property
    def model(self) -> Model:
        """The uncertain model of the headline."""
        return model_of(self.claims, self.costs, self.months, self.rate, self.weight)

    @property
    def cost_reason(self) -> str:
        """Why costs cannot be told; empty when they can."""
        unknown = dict.fromkeys(item.reason for item in self.costs if item.amount is None)
        return "; ".join(unknown)


def ledger_of(catalog: Catalog, inputs: Inputs) -> Ledger:
    """Everything but the sums."""
    book = Book(inputs)
    months = _months(inputs)
    found_bills = tuple(bills(inputs))
    rate, weight = _programme_terms(book, months[-1] if months else month_of(inputs.as_of))
    claims, problems = refuse_double(list(_claims(catalog, book, months)), catalog.benefits)
    held = block_cash(claims, found_bills)
    weighed = [_weighed(claim, weight) for claim in held]
    until = next_month(months[-1]) if months else month_of(inputs.as_of)
    factors = _factors(months, rate)
    found_costs = list(all_costs(book, months[0] if months else until, until))
    return Ledger(
        catalog, book, months,
        claims=tuple(_discounted_claim(claim, factors) for claim in weighed),
        costs=tuple(_discounted_cost(item, factors) for item in found_costs),
        bills=tuple(bill for bill in found_bills if bill.month < until),
        problems=(*problems, *blocks(held), *_untold(found_costs), *unpriced_seats(inputs, months)),
        rate=rate, weight=weight, factors=factors,
    )  # fmt: skip


def _untold(costs: Iterable[CostItem]) -> Iterator[str]:
    """Which costs cannot be told, and where they stand: without them there is no result."""
    for item in costs:
        if item.amount is None:
            where = f" ({item.place})" if item.place else ""
            cost = f"a cost of {item.category} in {item.month:%Y-%m}{where}"
            yield f"no return can be told: {cost} is unknown: {item.reason}"


def _months(inputs: Inputs) -> tuple[date, ...]:
    """Every whole month from the first cost or claimable number to the last one that has ended."""
    end = next_month(month_of(inputs.as_of))
    last = month_of(inputs.as_of) if (end - inputs.as_of).days == 1 else None
    begun = [month_of(one.day) for one in inputs.costs if one.day <= inputs.as_of]
    begun += [one.month for one in inputs.usage] + [one.month for one in inputs.invoices]
    begun += [one.month for one in inputs.kpis if one.value is not None]
    if not begun:
        return ()
    whole = last or _before(month_of(inputs.as_of))
    return months_between(min(begun), whole)


def _before(month: date) -> date:
    return date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)


def _programme_terms(book: Book, month: date) -> tuple[Term, Term]:
    """Discount rate and weight of grade C, as they stand in the last month."""
    rate = book.register.find(DISCOUNT_RATE, use_case=r.SHARED, month=month)
    weight = book.register.find(WEIGHT_BEFORE_AFTER, use_case=r.SHARED, month=month, default=WEIGHT_BEFORE_AFTER)
    return (
        assumption_term(DISCOUNT_RATE, rate, unit="ratio"),
        assumption_term(WEIGHT_BEFORE_AFTER, weight, unit="ratio"),
    )


def _claims(catalog: Catalog, book: Book, months: Sequence[date]) -> Iterator[Claim]:
    """Every line in every use case and month it is for, in catalogue order."""
    by_use_case = frozenset(name for name, one in catalog.metrics.items() if "use_case" in one.dimensions)
    for name, line in catalog.benefits.items():
        if line.ledger == "strategic":
            continue
        maker = Maker(name, line, book, by_use_case)
        cases = book.use_cases if line.is_for_every else line.use_cases
        opened = [month for month in months if _is_open(line, month)]
        for case in cases:
            held = [month for month in opened if maker.term(line.factors[0], case, month).value is not None]
            if held or (
                opened and not line.is_for_every
            ):  # a named use case without a number says once that it has none
                begun = [month for month in opened if held and month >= held[0]] or opened[-1:]
                yield from (maker.claim(case, month) for month in begun)


def _is_open(line: Benefit, month: date) -> bool:
    """Return whether a line is claimed in a month."""
    return (line.since is None or line.since <= month) and (line.until is None or month < line.until)


def _weighed(claim: Claim, weight: Term) -> Claim:
    """A claim with what of it is counted."""
    share = {r.COUNTED: Decimal(1), r.HALVED: weight.value or Decimal(0)}.get(claim.status, Decimal(0))
    return replace(claim, weight=share, counted=cents((claim.amount or Decimal(0)) * share))


def _factors(months: Sequence[date], rate: Term) -> Mapping[date, Decimal]:
    """Discount factor of each month; none without an approved rate."""
    if rate.value is None or not rate.may_count:
        return {}
    found = discount_factors(rate.value, len(months))
    return {month: factor.quantize(_FACTOR) for month, factor in zip(months, found, strict=True)}


def _discounted_claim(claim: Claim, factors: Mapping[date, Decimal]) -> Claim:
    factor = factors.get(claim.month)
    return replace(claim, discount=factor, present=None if factor is None else cents(claim.counted * factor))


def _discounted_cost(item: CostItem, factors: Mapping[date, Decimal]) -> CostItem:
    factor = factors.get(item.month)
    known = factor is not None and item.amount is not None
    return replace(item, discount=factor, present=cents(item.amount * factor) if known else None)  # type: ignore[operator]


def net_under(ledger: Ledger, figures: Mapping[str, float]) -> float:
    """The net benefit with some inputs at other figures, rounded claim by claim as the ledger is.

    Without any figure it is the net of the ledger, to the cent; NaN where a present value cannot be told.
    """
    rate, weight = (_moved(term, figures) for term in (ledger.rate, ledger.weight))
    factors = _factors(ledger.months, rate)
    held = [_weighed(_claim_under(one, figures), weight) for one in ledger.claims if one.is_in_headline]
    gained = summed(_discounted_claim(one, factors).present for one in held)
    spent = summed(_discounted_cost(one, factors).present for one in ledger.costs)
    return float("nan") if gained is None or spent is None else float(gained - spent)


def _claim_under(claim: Claim, figures: Mapping[str, float]) -> Claim:
    """A claim multiplied anew with some of its factors at other figures."""
    gross, *taken = (
        product(_moved(term, figures) for term in terms)
        for terms in (claim.terms, *(one.terms for one in claim.deductions))
    )
    losses = summed(taken)
    return replace(claim, amount=None if gross is None or losses is None else gross - losses)


def _moved(term: Term, figures: Mapping[str, float]) -> Term:
    is_moved = bool(term.draws_as) and term.key in figures
    return replace(term, value=Decimal(str(figures[term.key]))) if is_moved else term


def summed(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """A sum to the cent; None when a part is unknown."""
    total = Decimal("0.00")
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
