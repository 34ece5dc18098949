"""What a decision about a use case rests on: its grades, its strongest inputs, where they turn it, and its owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np

from pipeline.roi import records as r
from pipeline.roi.claims import cents
from pipeline.roi.decision import MOST_REALISATION, Figures, decide
from pipeline.roi.evaluate import Ledger, summed
from pipeline.roi.evidence import grade_shares
from pipeline.roi.records import Brief, Claim, Swing, Turn, Worth
from pipeline.roi.results import COMPUTED, USE_CASE, Scope
from pipeline.roi.simulation import Uncertain, tornado
from pipeline.roi.uncertain import Draws, Floats

STRONGEST = 3
_SHOWN = Decimal("0.000001")


def with_brief(ledger: Ledger, scope: Scope, worth: Worth) -> Worth:
    """A use case with its brief; any other scope as it is."""
    if scope.scope != USE_CASE or scope.name == r.SHARED:
        return worth
    swings = _swings(ledger, scope.name) if worth.status == COMPUTED else ()
    net = net_of(ledger, scope.name)
    by_name = {one.name: one for one in ledger.model.inputs}
    brief = Brief(
        owner=_owner(ledger, scope.name),
        decision=decide(_figures(ledger, scope, worth)),
        grades=grade_shares(scope.claims),
        tornado=swings,
        turns=tuple(_turn(net, ledger.model.inputs, by_name[one.name]) for one in swings),
        shared_costs=summed(one.amount for one in ledger.costs if one.use_case == r.SHARED),
    )
    return replace(worth, brief=brief)


def net_of(ledger: Ledger, use_case: str) -> Callable[[Draws], Floats]:
    """The net present value of one use case as a function of the inputs, one value per draw."""
    model = ledger.model

    def net(draws: Draws) -> Floats:
        size = len(next(iter(draws.values()), np.zeros(1)))
        flows = model.benefits(draws, size=size, use_case=use_case) - model.cost(use_case)[:, None]
        return np.asarray((flows * model.discounts(draws, size=size)).sum(axis=0), dtype=float)

    return net


def _swings(ledger: Ledger, use_case: str) -> tuple[Swing, ...]:
    """The strongest inputs of a use case; those that do not move it are none of its own."""
    inputs = ledger.model.inputs
    found = tornado(net_of(ledger, use_case), inputs, top=STRONGEST) if inputs else ()
    return tuple(Swing(one.name, _money(one.at_p10), _money(one.at_p90)) for one in found if one.size >= 0.005)


def _turn(net: Callable[[Draws], Floats], inputs: Sequence[Uncertain], source: Uncertain) -> Turn:
    """Where within its range one input makes the net zero; None where it does not."""
    from scipy.optimize import brentq

    def at(value: float) -> float:
        return float(net({one.name: np.array([value if one is source else one.base]) for one in inputs})[0])

    ends = [at(source.low), at(source.high)]
    found = brentq(at, source.low, source.high) if min(ends) <= 0 <= max(ends) else None
    low, base, high = (_number(one) for one in (source.low, source.base, source.high))
    return Turn(source.name, low, base, high, None if found is None else _number(found))


def _number(value: float) -> Decimal:
    return Decimal(str(value)).quantize(_SHOWN)


def _money(value: float) -> Decimal:
    return cents(Decimal(str(value)))


def _owner(ledger: Ledger, use_case: str) -> str:
    """The role that answers for a use case in its newest row of the portfolio."""
    held = [one for one in ledger.book.inputs.portfolio if one.use_case == use_case]
    return max(held, key=lambda one: one.since).owner if held else ""


def _figures(ledger: Ledger, scope: Scope, worth: Worth) -> Figures:
    """What the rules read of a use case."""
    return Figures(
        reason=worth.reason or ("" if worth.status == COMPUTED else worth.status),
        costs=worth.costs,
        months=sum(month.benefits > 0 for month in worth.months),
        p10=worth.spread.p10 if worth.spread else None,
        p90=worth.spread.p90 if worth.spread else None,
        break_even=worth.break_even,
        break_even_reason=worth.break_even_reason,
        reach=_reach(ledger, scope.claims),
    )


def _reach(ledger: Ledger, claims: Sequence[Claim]) -> Decimal:
    """The high end of the realisation that counted hours use; the model's own where there are none."""
    hours = [one for one in claims if one.ledger == "capacity" and one.is_in_headline]
    highs = [
        term.high
        for one in hours
        for term in one.terms
        if term.name == ledger.catalog.benefits[one.line].realisation and term.high is not None
    ]
    return max(highs, default=MOST_REALISATION)
