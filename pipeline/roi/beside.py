"""What stands beside the return on a page, as trees: claims that do not count, hours, break-even, outcomes, budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from pipeline.roi.budgets import Cell
from pipeline.roi.claims import cents, exactly, freed, micros, multiplied, product, scaled
from pipeline.roi.evaluate import OUTCOMES, summed
from pipeline.roi.finance import break_even_realisation
from pipeline.roi.records import Claim, Term
from pipeline.roi.tree import MONEY, RATIO, Held, Node, amount_node, product_node

HOURS = 2


def beside(
    held: Held, outcomes: Mapping[date, Decimal], budgets: Mapping[Cell, Decimal] | None = None
) -> tuple[Node, ...]:
    """The trees of a window, each over the same months as the tree of the return.

    `outcomes` by month, `budgets` as approved by use case and month.
    """
    outside = [one for one in held.claims if one.is_claim and not one.is_in_headline]
    said = [one for one in held.claims if one.is_perception]
    apart = (_claims("claimed, not counted", outside), _claims("said about another line, never added", said))
    others = (*_per_outcome(held, outcomes), *_budget(held, budgets or {}))
    return (*apart, *_perceptions(held), _break_even(held), *others)


def _claims(name: str, claims: Sequence[Claim]) -> Node:
    """Claims in full, with grade and standing; one that cannot be told is part of no sum, and none of them no sum."""
    known = [one for one in claims if one.amount is not None]
    if claims and not known:
        return Node(name, "given", None, "USD", note="no claim can be told")
    parts = tuple(replace(amount_node(one), note=f"grade {one.grade}; {one.status}: {one.reason}") for one in known)
    return Node(name, "sum", summed(one.amount for one in known), "USD", parts)


def _perceptions(held: Held) -> Iterator[Node]:
    """Felt hours and those of the line they speak of, of the months in which both are known."""
    for one in held.result.perception:
        felt, real = (_hours(held, line, one.use_case) for line in (one.line, one.against))
        both = [month for month in felt if month in real]
        for name, found in (("felt", felt), ("of the line", real)):
            parts = tuple(found[month] for month in both)
            total = summed(part.value for part in parts)
            shown = None if total is None or not both else total.quantize(Decimal("0.01"))
            yield Node(f"hours {name}, {one.use_case}", "sum", shown, "h", parts, HOURS)


def _hours(held: Held, line: str, use_case: str) -> dict[date, Node]:
    mine = [one for one in held.claims if (one.line, one.use_case) == (line, use_case) and one.hours is not None]
    return {one.month: _hours_node(one) for one in mine}


def _hours_node(claim: Claim) -> Node:
    """The factors that stand before the rate, and what converts them into hours."""
    divisors = [term for term in claim.terms if term.kind == "conversion"]
    factors = [term for term in claim.terms if term.kind != "conversion"]
    before = next(
        factors[:count] for count in range(1, len(factors) + 1)
        if multiplied((*factors[:count], *divisors)) == claim.hours
    )  # fmt: skip
    name, hours = f"hours of {claim.line}, {claim.use_case}, {claim.month:%Y-%m}", micros(claim.hours or Decimal(0))
    node = product_node(name, (*before, *divisors), hours)
    return replace(node, unit="h", places=RATIO)


def _break_even(held: Held) -> Node:
    """Costs less what else pays for them, by the freed capacity at a realisation of 1, all as present values."""
    hours = [one for one in held.claims if one.ledger == "capacity" and one.is_in_headline]
    benefits, costs = (summed(one.present for one in part) for part in (held.claims, held.costs))
    if benefits is None or costs is None or any(freed(one, in_full=True) is None for one in hours):
        return Node("break-even realisation", "given", None, "ratio", note="no present values")
    now, full = (_weighed(name, hours, whole=is_whole) for name, is_whole in (("as counted", False), ("in full", True)))
    others = Node("present value of other benefits", "subtract", benefits - (now.value or 0), "USD", (
        Node("present value of benefits, as above", "given", benefits, "USD"), now))  # fmt: skip
    paid = Node("present value of costs, as above", "given", costs, "USD")
    owed = Node("costs that hours must pay", "subtract", costs - (others.value or 0), "USD", (paid, others))
    found = break_even_realisation(full.value or 0, -(owed.value or 0))
    if not full.value:
        return Node("break-even realisation", "given", None, "ratio", note=found.reason)
    needed = ((owed.value or Decimal(0)) / full.value).quantize(Decimal(1).scaleb(-RATIO))
    return Node("break-even realisation", "divide", needed, "ratio", (owed, full), RATIO, note=found.reason)


def _weighed(name: str, claims: Sequence[Claim], *, whole: bool) -> Node:
    """Gross capacity times weight and discount factor, with the realisation in use or at a realisation of 1."""
    parts = tuple(_weighed_claim(one, whole=whole) for one in claims)
    total = sum((part.value or Decimal(0) for part in parts), Decimal(0))
    return Node(f"present value of freed hours, {name}", "sum", total, "USD", parts)


def _weighed_claim(claim: Claim, *, whole: bool) -> Node:
    """What of a claim grows with the realisation: its gross less the deductions of which that is a factor as well."""
    gross, *less = (
        product_node(name, kept := _kept(claim, terms, whole=whole), product(kept))
        for name, terms in [("gross", claim.terms), *((one.name, one.terms) for one in scaled(claim))]
    )
    left = Node("gross less that", "subtract", freed(claim, in_full=whole), "USD", (gross, *less)) if less else gross
    weight = Node(f"weight of grade {claim.grade}", "given", claim.weight, "ratio")
    factor = Node(f"discount factor of {claim.month:%Y-%m}", "given", claim.discount, "ratio")
    value = (left.value or Decimal(0)) * claim.weight * (claim.discount or Decimal(0))
    return Node(f"{claim.line}, {claim.use_case}, {claim.month:%Y-%m}", "product", value, "USD", (left, weight, factor))


def _kept(claim: Claim, terms: tuple[Term, ...], *, whole: bool) -> tuple[Term, ...]:
    return tuple(term for term in terms if not (whole and term.name == claim.realisation))


def _per_outcome(held: Held, outcomes: Mapping[date, Decimal]) -> Iterator[Node]:
    """Costs in dollars of the day by verified outcomes; nothing where nobody counted them."""
    counted = {month: number for month, number in outcomes.items() if held.point.since <= month <= held.point.month}
    counted = {month: exactly(number) for month, number in counted.items()}
    total, costs = sum(counted.values(), Decimal(0)), summed(one.amount for one in held.costs)
    if not total:
        return
    name = ".".join(OUTCOMES)
    parts = tuple(
        Node(f"{name} {month:%Y-%m}", "given", number, "count", source=f"{OUTCOMES[0]} {month:%Y-%m}", kind="kpi")
        for month, number in counted.items()
    )
    spent = Node("costs above, before they are discounted", "given", costs, "USD")
    below = Node("verified outcomes", "sum", total, "count", parts)
    value = None if costs is None else cents(costs / total)
    yield Node("cost per verified outcome", "divide", value, "USD", (spent, below), MONEY)


def _budget(held: Held, budgets: Mapping[Cell, Decimal]) -> Iterator[Node]:
    """Costs of the use cases and months that have an approved budget, less it; nothing where nobody approved one."""
    cells = {cell: amount for cell, amount in budgets.items() if held.point.since <= cell[1] <= held.point.month}
    if not cells:
        return
    spent = summed(one.amount for one in held.costs if (one.use_case, one.month) in cells)
    parts = tuple(
        Node(f"approved, {case or 'whole programme'}, {month:%Y-%m}", "given", amount, "USD")
        for (case, month), amount in sorted(cells.items())
    )
    approved = Node("approved budget", "sum", sum(cells.values(), Decimal(0)), "USD", parts)
    paid = Node("costs above of the same use cases and months, before they are discounted", "given", spent, "USD")
    apart = None if spent is None else spent - (approved.value or 0)
    yield Node("costs less the approved budget", "subtract", apart, "USD", (paid, approved))
