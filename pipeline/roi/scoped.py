"""The result as one use case or business unit has it: its claims and costs, and what they come to month by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from pipeline.roi.evaluate import summed
from pipeline.roi.finance import payback_month, return_on_investment
from pipeline.roi.points import NEVER, rebased
from pipeline.roi.records import SHARED, Claim, CostItem, Point, RoiResult, Worth
from pipeline.roi.results import COMPUTED, UNIT, USE_CASE, rounded, state_of

NOBODY = "none"
"""How what belongs to no single use case or business unit is asked for."""


def names_of(result: RoiResult, dimension: str) -> list[str]:
    """The use cases or business units of a result; what belongs to none is `none`."""
    return [one.name or NOBODY for one in _worths(result, dimension)]


def scoped(result: RoiResult, dimension: str, name: str) -> RoiResult | None:
    """The part of a result that is of one use case or business unit; None when there is no such one.

    Ranges are told where they were drawn: of the net benefit of the whole span.
    """
    wanted = SHARED if name == NOBODY and NOBODY not in [one.name for one in _worths(result, dimension)] else name
    worth = next((one for one in _worths(result, dimension) if one.name == wanted), None)
    if worth is None:
        return None
    claims = tuple(one for one in result.claims if getattr(one, dimension) == wanted)
    costs = tuple(one for one in result.costs if one.is_of(dimension, wanted))
    held = replace(
        result,
        programme=worth,
        claims=claims,
        costs=costs,
        lines=tuple(one for one in result.lines if one.line in {claim.line for claim in claims}),
        perception=tuple(one for one in result.perception if dimension == USE_CASE and one.use_case == wanted),
        tornado=worth.brief.tornado if worth.brief else (),
        bills=(),
    )
    return replace(held, points=tuple(_point(held, worth, one) for one in result.points))


def _worths(result: RoiResult, dimension: str) -> Sequence[Worth]:
    return {USE_CASE: result.use_cases, UNIT: result.business_units}[dimension]


def _point(held: RoiResult, worth: Worth, whole: Point) -> Point:
    """What the claims and costs of the window of a month come to."""
    claims = tuple(one for one in held.claims if whole.since <= one.month <= whole.month)
    costs = tuple(one for one in held.costs if whole.since <= one.month <= whole.month)
    no_rate = "" if held.discount_rate is not None else whole.reason
    status, reason = state_of(claims, costs, no_rate=no_rate, has_months=True)
    empty = Point(
        whole.month, whole.since, whole.months, status, reason, whole.base,
        savings=_savings(held, claims, whole), claims=len(claims),
    )  # fmt: skip
    return _told(empty, worth, claims, costs, held) if status == COMPUTED else empty


def _told(empty: Point, worth: Worth, claims: tuple[Claim, ...], costs: tuple[CostItem, ...], held: RoiResult) -> Point:
    """A point whose result can be told."""
    gained, spent = rebased(claims, empty.base), rebased(costs, empty.base)
    flows = [one.net or Decimal(0) for one in worth.months if empty.since <= one.month <= empty.month]
    paid = payback_month(flows)
    is_whole = (empty.since, empty.month) == (held.first_month, held.last_month)
    return replace(
        empty,
        pv_benefits=gained,
        pv_costs=spent,
        net=gained - spent,
        net_spread=worth.spread if is_whole else None,
        roi=rounded(return_on_investment(gained, spent)),
        payback=None if paid is None else paid + 1,
        payback_reason=NEVER.format(months=len(flows)) if paid is None else "",
    )


def _savings(held: RoiResult, claims: Sequence[Claim], whole: Point) -> Decimal | None:
    """Counted cash of the month that no longer leaves; None when no such claim is in the headline."""
    lines = set(held.saving_lines)
    saved = [one.counted for one in claims if one.month == whole.month and one.line in lines and one.is_in_headline]
    return summed(saved) if saved else None
