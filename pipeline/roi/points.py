"""The programme to the end of each month, as its KPIs publish it: up to 36 months, discounted to the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from pipeline.catalog.formulas import evaluate
from pipeline.roi.claims import cents
from pipeline.roi.evaluate import Ledger, summed
from pipeline.roi.finance import payback_month
from pipeline.roi.records import Claim, CostItem, Point
from pipeline.roi.results import COMPUTED, PROGRAMME, Scope, rounded
from pipeline.roi.uncertain import (
    WINDOW,
    Cumulated,
    Draws,
    Floats,
    cumulated,
    money_spread,
    month_spread,
    ratio_spread,
)

NEVER = "not paid back within {months} months"


@dataclass(frozen=True)
class _Flows:
    """The drawn flows of the programme, months × draws, and its costs by month."""

    benefits: Floats
    cost: Floats
    discounts: Floats
    savings: Floats


def points(ledger: Ledger, draws: Draws, *, size: int) -> Iterator[Point]:
    """One point per month, oldest first."""
    model = ledger.model
    saved = model.benefits(draws, size=size, lines=saving_lines(ledger))
    flows = _Flows(model.benefits(draws, size=size), model.cost(), model.discounts(draws, size=size), saved)
    for place, month in enumerate(ledger.months):
        yield _point(ledger, month, place, flows)


def _point(ledger: Ledger, month: date, place: int, flows: _Flows) -> Point:
    first = max(0, place + 1 - WINDOW)
    since = ledger.months[first]
    claims = tuple(one for one in ledger.claims if since <= one.month <= month)
    costs = tuple(one for one in ledger.costs if since <= one.month <= month)
    scope = Scope(ledger, PROGRAMME, PROGRAMME, claims, costs)
    status, reason = scope.state
    savings = _savings(ledger, claims, month)
    spread = None if savings is None else money_spread(flows.savings[place])
    empty = Point(
        month, since, place + 1 - first, status, reason, ledger.factors.get(since, Decimal(1)),
        savings=savings, savings_spread=spread, claims=len(claims),
    )  # fmt: skip
    if status != COMPUTED:
        return empty
    drawn = cumulated(flows.benefits, flows.cost, flows.discounts, until=place)
    net = [one.net or Decimal(0) for one in scope.months[first : place + 1]]
    return _told(empty, (rebased(claims, empty.base), rebased(costs, empty.base)), net, drawn)


def _told(empty: Point, present: tuple[Decimal, Decimal], net: list[Decimal], drawn: Cumulated) -> Point:
    """A point whose results can be told; sums of present values by the formulas of the catalogue."""
    inputs = {"pv_benefits": present[0], "pv_costs": present[1]}
    paid = payback_month(net)
    return replace(
        empty,
        pv_benefits=present[0],
        pv_costs=present[1],
        net=evaluate("pv_benefits - pv_costs", inputs),
        net_spread=money_spread(drawn.net),
        roi=rounded(evaluate("(pv_benefits - pv_costs) / pv_costs", inputs)),
        roi_spread=None if drawn.roi is None else ratio_spread(drawn.roi),
        payback=None if paid is None else paid + 1,
        payback_reason=NEVER.format(months=len(net)) if paid is None else "",
        payback_spread=month_spread(drawn.payback),
    )


def rebased(items: tuple[Claim, ...] | tuple[CostItem, ...], base: Decimal) -> Decimal:
    """Present values moved from the programme's first month to the window's."""
    total = summed(item.present for item in items) or Decimal("0.00")
    return total if base == 1 else cents(total / base)


SAVINGS = ("contact", "spend", "seat")
"""What a cash line claims when spending fell away; revenue is no saving."""


def saving_lines(ledger: Ledger) -> frozenset[str]:
    """Cash lines about spending that fell away."""
    lines = ledger.catalog.benefits.items()
    return frozenset(name for name, line in lines if line.ledger == "cash" and line.claims in SAVINGS)


def _savings(ledger: Ledger, claims: tuple[Claim, ...], month: date) -> Decimal | None:
    """Counted cash of the month that no longer leaves; None when no such claim is in the headline."""
    lines = saving_lines(ledger)
    held = [one.counted for one in claims if one.month == month and one.line in lines and one.is_in_headline]
    return sum(held, Decimal("0.00")) if held else None
