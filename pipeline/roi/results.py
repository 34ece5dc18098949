"""What a scope is worth: sums to the cent, return, payback and break-even, each with the reason when there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.roi import records as r
from pipeline.roi.budgets import budgeted
from pipeline.roi.claims import cents, freed
from pipeline.roi.evaluate import OUTCOMES, Ledger, summed
from pipeline.roi.finance import (
    break_even_realisation,
    cost_per_outcome,
    internal_rate,
    payback_month,
    return_on_investment,
)
from pipeline.roi.inputs import KpiNumber
from pipeline.roi.records import Budgeted, Claim, CostItem, Month, Spread, Worth
from pipeline.roi.years import fiscal_years

COMPUTED, INSUFFICIENT, UNAVAILABLE = "computed", "insufficient evidence", "not available"
_RATIO = Decimal("0.000001")
PROGRAMME, USE_CASE, UNIT = "programme", "use_case", "business_unit"


def rounded(value: Decimal | None) -> Decimal | None:
    """A fraction to six decimals."""
    return None if value is None else value.quantize(_RATIO)


@dataclass(frozen=True)
class Scope:
    """The claims and costs of one scope."""

    ledger: Ledger
    scope: str
    name: str
    claims: tuple[Claim, ...]
    costs: tuple[CostItem, ...]

    @property
    def state(self) -> tuple[str, str]:
        """Whether its results can be told, and why not."""
        rate = self.ledger.rate
        no_rate = "" if rate.may_count else f"no approved discount rate: {rate.reason}"
        return state_of(self.claims, self.costs, no_rate=no_rate, has_months=bool(self.ledger.months))

    @property
    def months(self) -> tuple[Month, ...]:
        """Benefits, costs and the running total by month; unknown costs leave the rest unknown."""
        found: list[Month] = []
        running: Decimal | None = Decimal("0.00")
        for month in self.ledger.months:
            benefits = sum((c.counted for c in self.claims if c.month == month), Decimal("0.00"))
            costs = summed(item.amount for item in self.costs if item.month == month)
            net = None if costs is None else benefits - costs
            running = None if net is None or running is None else running + net
            found.append(Month(month, benefits, costs, net, running))
        return tuple(found)

    def sum(self, wanted: Callable[[Claim], bool], *, stated: bool = False) -> Decimal:
        """Counted amounts of some claims; with `stated` their full amounts."""
        parts = [claim.amount or Decimal(0) if stated else claim.counted for claim in self.claims if wanted(claim)]
        return sum(parts, Decimal("0.00"))

    @property
    def outcomes(self) -> Decimal | None:
        """Verified outcomes of the programme or of a use case, as far as they are known of every month."""
        if self.scope == UNIT or (self.scope == USE_CASE and not self.name):
            return None
        case = r.SHARED if self.scope == PROGRAMME else self.name
        found = [self.ledger.book.number(*OUTCOMES, case, month) for month in self.ledger.months]
        return counted([one for one in found if one is not None])

    @property
    def budget(self) -> Budgeted | None:
        """What was approved for the programme or a use case, against what it cost; None for a business unit."""
        if self.scope == UNIT:
            return None
        return budgeted(self.ledger, self.costs, None if self.scope == PROGRAMME else self.name)

    def break_even(self) -> tuple[Decimal | None, str]:
        """The realisation of freed hours at which the net present value is zero."""
        held = [claim for claim in self.claims if claim.ledger == "capacity" and claim.is_in_headline]
        full, now = (
            sum((one.weight * (one.discount or 0) * (freed(one, in_full=is_full) or 0) for one in held), Decimal(0))
            for is_full in (True, False)
        )
        present = [summed(one.present for one in part) for part in (self.claims, self.costs)]
        if None in present:
            return None, "no present values"
        rest = (present[0] or Decimal(0)) - now - (present[1] or Decimal(0))
        found = break_even_realisation(full, rest)
        return rounded(found.realisation), found.reason

    def worth(self, spread: Spread | None) -> Worth:
        """All results of the scope."""
        status, reason = self.state
        months = self.months
        costs = summed(item.amount for item in self.costs)
        flows = [month.net for month in months if month.net is not None]
        is_told = status == COMPUTED
        pv_benefits = summed(claim.present for claim in self.claims) if is_told else None
        pv_costs = summed(item.present for item in self.costs) if status != UNAVAILABLE else None
        net = pv_benefits - pv_costs if pv_benefits is not None and pv_costs is not None else None
        irr = internal_rate(flows) if is_told else None
        even, even_reason = self.break_even() if is_told else (None, reason)
        paid = payback_month(flows) if is_told else None
        outcomes = self.outcomes
        return Worth(
            scope=self.scope,
            name=self.name,
            status=status,
            reason=reason,
            cash=self.sum(lambda claim: claim.ledger == "cash"),
            capacity=self.sum(lambda claim: claim.ledger == "capacity"),
            stated=self.sum(lambda claim: claim.status != r.REFUSED and not claim.is_in_headline, stated=True),
            costs=costs,
            pv_benefits=pv_benefits,
            pv_costs=pv_costs,
            net=net,
            roi=rounded(return_on_investment(pv_benefits, pv_costs)) if net is not None else None,  # type: ignore[arg-type]
            irr=Decimal(str(irr.annual)).quantize(_RATIO) if irr and irr.annual is not None else None,
            irr_reason=irr.reason if irr else reason,
            payback=None if paid is None else paid + 1,
            payback_reason=reason or ("" if paid is not None else f"not paid back within {len(months)} months"),
            break_even=even,
            break_even_reason=even_reason,
            outcomes=outcomes,
            cost_per_outcome=_per_outcome(costs, outcomes),
            spread=spread if is_told else None,
            months=months,
            years=fiscal_years(months, self.ledger.catalog.fiscal_year_begins, claims=self.claims),
            budget=self.budget,
            felt=self.sum(lambda claim: claim.is_perception and claim.status != r.REFUSED, stated=True),
        )


def counted(numbers: Sequence[KpiNumber]) -> Decimal | None:
    """The sum of what was counted; None where nobody counted, or a month's count is withheld or not known."""
    if any(one.value is None and one.n is None for one in numbers):
        return None
    found = [one.value for one in numbers if one.value is not None]
    return sum(found, Decimal(0)) if found else None


def _per_outcome(costs: Decimal | None, outcomes: Decimal | None) -> Decimal | None:
    found = None if costs is None or outcomes is None else cost_per_outcome(costs, outcomes)
    return None if found is None else cents(found)


def state_of(claims: Sequence[Claim], costs: Sequence[CostItem], *, no_rate: str, has_months: bool) -> tuple[str, str]:
    """Whether results of claims and costs can be told, and why not; `no_rate` says why nothing can be discounted."""
    unknown = dict.fromkeys(item.reason for item in costs if item.amount is None)
    if unknown:
        return UNAVAILABLE, "costs cannot be told: " + "; ".join(unknown)
    if no_rate or not has_months:
        return UNAVAILABLE, no_rate or "no whole month with data"
    if not any(claim.is_in_headline for claim in claims):
        return INSUFFICIENT, insufficient(claims)
    return COMPUTED, ""


def insufficient(claims: Sequence[Claim]) -> str:
    """Why no claim is in the headline, the most frequent reasons first."""
    if not claims:
        return "no line of benefit claims anything here"
    reasons = [f"{claim.line}: {claim.status}" + (f" ({claim.reason})" if claim.reason else "") for claim in claims]
    told = sorted(dict.fromkeys(reasons), key=lambda reason: -reasons.count(reason))
    return "; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def scopes(ledger: Ledger) -> list[Scope]:
    """The programme, then use cases and business units by name; what belongs to no single one is a scope of its own."""
    whole = Scope(ledger, PROGRAMME, PROGRAMME, ledger.claims, ledger.costs)
    cases = sorted({one.use_case for one in ledger.claims} | {one.use_case for one in ledger.costs})
    units = sorted({one.business_unit for one in ledger.claims} | {one.business_unit for one in ledger.costs})
    return [
        whole,
        *(_scope(ledger, USE_CASE, name) for name in cases),
        *(_scope(ledger, UNIT, name) for name in units),
    ]


def _scope(ledger: Ledger, scope: str, name: str) -> Scope:
    """The claims and costs of one use case or business unit."""
    claims = tuple(one for one in ledger.claims if getattr(one, scope) == name)
    return Scope(ledger, scope, name, claims, tuple(one for one in ledger.costs if one.is_of(scope, name)))
