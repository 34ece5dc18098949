"""Approved budgets against what was spent, in the same months: what nobody approved is said, and never taken for 0.

A budget of `programme` stands against the costs that name no use case; the budget of the whole programme is the sum of
all of them, against the costs of the same initiatives and months.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal

from pipeline.roi.costs import Rates, in_usd
from pipeline.roi.evaluate import Ledger, summed
from pipeline.roi.inputs import Budget, Inputs
from pipeline.roi.records import SHARED, Budgeted, CostItem

INITIATIVE_OF_ALL = "programme"
"""The initiative whose budget is for costs that name no use case."""
Cell = tuple[str, date]


def budgeted(ledger: Ledger, costs: Sequence[CostItem], use_case: str | None) -> Budgeted:
    """The budget of one use case, or with None of all, against `costs`, over the months of the ledger."""
    held = [one for one in ledger.book.inputs.budgets if one.month in ledger.months and _is_of(one, use_case)]
    approved = [one for one in held if one.is_approved(ledger.book.inputs.as_of)]
    if not approved:
        return Budgeted(0, None, None, None, summed(one.amount for one in costs), _why_none(held))
    amounts = _in_usd(approved, Rates(ledger.book.inputs.rates))
    reasons = dict.fromkeys(reason for _, reason in amounts.values() if reason)
    inside = [one for one in costs if (one.use_case, one.month) in amounts]
    outside = [one for one in costs if (one.use_case, one.month) not in amounts]
    total, actual = summed(amount for amount, _ in amounts.values()), summed(one.amount for one in inside)
    unknown = [*reasons, *dict.fromkeys(one.reason for one in inside if one.amount is None)]
    months = {month for _, month in amounts}
    return Budgeted(
        months=len(months),
        approved=total,
        actual=actual,
        variance=None if total is None or actual is None else actual - total,
        beyond=summed(one.amount for one in outside),
        reason="; ".join(unknown),
        first=min(months),
        last=max(months),
    )


def approved_cells(
    inputs: Inputs, months: Collection[date], use_case: str | None
) -> Mapping[Cell, tuple[Decimal | None, str]]:
    """What was approved in USD, or why that is unknown, by use case and month; of one use case, or with None of all."""
    held = [one for one in inputs.budgets if one.month in months and _is_of(one, use_case)]
    return _in_usd([one for one in held if one.is_approved(inputs.as_of)], Rates(inputs.rates))


def _is_of(one: Budget, use_case: str | None) -> bool:
    return use_case is None or _case_of(one) == use_case


def _case_of(one: Budget) -> str:
    """The use case whose costs a budget stands against."""
    return SHARED if one.initiative == INITIATIVE_OF_ALL else one.initiative


def _in_usd(approved: Sequence[Budget], rates: Rates) -> Mapping[Cell, tuple[Decimal | None, str]]:
    """Amount in USD at the rate of the month's first day, or the reason without one, by use case and month."""
    found: dict[Cell, tuple[Decimal | None, str]] = {}
    for one in approved:
        amount, _, reason = in_usd(one.amount, one.currency, one.month, rates)
        found[_case_of(one), one.month] = amount, f"the budget of {one.initiative}: {reason}" if reason else ""
    return found


def _why_none(held: Sequence[Budget]) -> str:
    if not held:
        return "no budget was told"
    return f"nobody has approved the budget from {min(one.month for one in held):%Y-%m} on"
