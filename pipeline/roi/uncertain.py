"""The counted claims as a model of uncertain inputs: benefits by month as arrays, every spread from one pass."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from pipeline.roi.claims import cents
from pipeline.roi.drawn import Drawn, Simulated
from pipeline.roi.records import HALVED, Claim, CostItem, Spread, Term
from pipeline.roi.simulation import Uncertain

Floats = NDArray[np.float64]
Draws = Mapping[str, Floats]
SHAPES = ("interval", "pert", "triangular")
WINDOW = 36
"""The months a value looks back over."""
_RATIO = Decimal("0.000001")


@dataclass(frozen=True)
class Product:
    """A constant times inputs, each taken as it is or as what it leaves of 1."""

    constant: float
    factors: tuple[tuple[str, bool], ...]

    def value(self, draws: Draws) -> Floats | float:
        """The product for every draw."""
        total: Floats | float = self.constant
        for name, is_remainder in self.factors:
            total = total * (1 - draws[name] if is_remainder else draws[name])
        return total


@dataclass(frozen=True)
class Piece:
    """A claim in the headline: where it belongs, and the products that are added and taken off."""

    line: str
    month: int
    use_case: str
    gain: Product
    losses: tuple[Product, ...]
    business_unit: str = ""

    def value(self, draws: Draws) -> Floats | float:
        """The counted amount for every draw."""
        return self.gain.value(draws) - sum(one.value(draws) for one in self.losses)


@dataclass(frozen=True)
class Model:
    """Benefits and costs by month; `rate` is the yearly discount rate or the name of the input that draws it."""

    months: tuple[date, ...]
    pieces: tuple[Piece, ...]
    costs: Mapping[str, tuple[float, ...]]
    inputs: tuple[Uncertain, ...]
    rate: Term
    unit_costs: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The same costs by business unit."""

    def benefits(
        self,
        draws: Draws,
        *,
        size: int,
        use_case: str | None = None,
        lines: Collection[str] | None = None,
        unit: str | None = None,
    ) -> Floats:
        """Counted benefits, months × draws, of one use case, of some lines, of one business unit, or of all."""
        total = np.zeros((len(self.months), size))
        for piece in self.pieces:
            is_wanted = use_case in (None, piece.use_case) and unit in (None, piece.business_unit)
            if is_wanted and (lines is None or piece.line in lines):
                total[piece.month] += piece.value(draws)
        return total

    def cost(self, use_case: str | None = None, *, unit: str | None = None) -> Floats:
        """Costs by month, of one use case, of one business unit, or of all."""
        by_name, wanted = (self.costs, use_case) if unit is None else (self.unit_costs, unit)
        held = [amounts for name, amounts in by_name.items() if wanted in (None, name)]
        return np.asarray(np.sum(held, axis=0) if held else np.zeros(len(self.months)), dtype=float)

    def discounts(self, draws: Draws, *, size: int) -> Floats:
        """What a dollar of each month is worth in the first one, months × draws."""
        yearly = draws[self.rate.key] if self.rate.key in draws else np.full(size, float(self.rate.value or 0))
        return np.asarray((1 + yearly)[None, :] ** (-np.arange(len(self.months))[:, None] / 12), dtype=float)

    def net(self, draws: Draws) -> Floats:
        """Net present value of the programme for every draw."""
        size = len(next(iter(draws.values()), np.zeros(1)))
        flows = self.benefits(draws, size=size) - self.cost()[:, None]
        return np.asarray((flows * self.discounts(draws, size=size)).sum(axis=0), dtype=float)


def model_of(
    claims: Iterable[Claim], costs: Sequence[CostItem], months: Sequence[date], rate: Term, weight: Term
) -> Model:
    """The model of everything in the headline; `weight` is what a claim of grade C counts for."""
    index = {month: place for place, month in enumerate(months)}
    held = [claim for claim in claims if claim.is_in_headline]
    pieces = tuple(_piece(claim, index[claim.month], weight) for claim in held)
    terms = [term for claim in held for term in (*claim.terms, *(one for t in claim.deductions for one in t.terms))]
    inputs = {term.key: _uncertain(term) for term in (*terms, weight, rate) if term.draws_as}
    fixed, by_unit = (_totals(costs, index, name) for name in ("use_case", "business_unit"))
    return Model(tuple(months), pieces, fixed, tuple(inputs[name] for name in sorted(inputs)), rate, by_unit)


def _totals(costs: Sequence[CostItem], index: Mapping[date, int], name: str) -> dict[str, tuple[float, ...]]:
    """Costs by month of each use case or business unit."""
    totals: dict[str, list[float]] = {}
    for item in costs:
        by_month = totals.setdefault(getattr(item, name), [0.0] * len(index))
        by_month[index[item.month]] += float(item.amount or 0)
    return {key: tuple(amounts) for key, amounts in sorted(totals.items())}


def _piece(claim: Claim, month: int, weight: Term) -> Piece:
    extra = (weight,) if claim.status == HALVED else ()
    losses = tuple(_product((*one.terms, *extra)) for one in claim.deductions)
    return Piece(claim.line, month, claim.use_case, _product((*claim.terms, *extra)), losses, claim.business_unit)


def _product(terms: Iterable[Term]) -> Product:
    constant, factors = 1.0, []
    for term in terms:
        value = float(term.factor or 0)
        if term.draws_as:
            factors.append((term.key, term.is_remainder))
        elif term.kind == "conversion":
            constant /= value
        else:
            constant *= value
    return Product(constant, tuple(factors))


def _uncertain(term: Term) -> Uncertain:
    low, base, high = (float(one or 0) for one in (term.low, term.value, term.high))
    shape = next(one for one in SHAPES if one == term.draws_as)
    is_share = term.kind == "assumption" and term.unit == "ratio"
    return Uncertain(term.key, min(low, base), base, max(high, base), shape=shape, share=is_share)  # type: ignore[arg-type]


def simulated(model: Model, weight: Term) -> Simulated:
    """The inputs of a model as they are drawn, in the digits that are used, for whoever draws them again."""
    sources = {term.key: term.source for term in (model.rate, weight)}
    held = {one.name: _drawn(one, sources.get(one.name, "")) for one in model.inputs}
    return Simulated(tuple(held.values()), *(held.get(one.key) or _constant(one) for one in (model.rate, weight)))


def _drawn(one: Uncertain, source: str) -> Drawn:
    low, base, high = (Decimal(repr(end)) for end in (one.low, one.base, one.high))
    return Drawn(one.name, one.shape, low, base, high, one.share, source)


def _constant(term: Term) -> Drawn | None:
    """An input without a range; None when it has no value."""
    if term.value is None:
        return None
    return Drawn(term.key, "", term.value, term.value, term.value, True, term.source)


def money_spread(values: Floats) -> Spread:
    """Spread of amounts, to the cent."""
    p10, p50, p90 = (cents(Decimal(str(float(one)))) for one in np.quantile(values, [0.1, 0.5, 0.9]))
    return Spread(p10, p50, p90, Decimal(str(round(float((values > 0).mean()), 6))))


def ratio_spread(values: Floats) -> Spread:
    """Spread of fractions, to six decimals."""
    p10, p50, p90 = (Decimal(str(float(one))).quantize(_RATIO) for one in np.quantile(values, [0.1, 0.5, 0.9]))
    return Spread(p10, p50, p90, Decimal(str(round(float((values > 0).mean()), 6))))


def month_spread(values: Floats) -> Spread:
    """Spread of months until something happens; never is inf, and an end that is never reached is None."""
    found = np.quantile(values, [0.1, 0.5, 0.9], method="inverted_cdf")
    p10, p50, p90 = (Decimal(int(one)) if np.isfinite(one) else None for one in found)
    return Spread(p10, p50, p90, Decimal(str(round(float(np.isfinite(values).mean()), 6))))


@dataclass(frozen=True)
class Cumulated:
    """Draws of the programme to the end of one month: net present value, its part of the costs, month of payback."""

    net: Floats
    roi: Floats | None
    payback: Floats


def cumulated(benefits: Floats, cost: Floats, discounts: Floats, *, until: int) -> Cumulated:
    """The programme over the window of months that ends with number `until` (from 0), discounted to its first month."""
    first = max(0, until + 1 - WINDOW)
    span = slice(first, until + 1)
    base = discounts[first][None, :]
    factors = discounts[span] / base
    flows = benefits[span] - cost[span, None]
    net, paid = (flows * factors).sum(axis=0), (cost[span, None] * factors).sum(axis=0)
    running = (flows.cumsum(axis=0) >= 0) & ((flows != 0).cumsum(axis=0) > 0)
    months = np.where(running.any(axis=0), running.argmax(axis=0) + 1.0, np.inf)
    return Cumulated(net, net / paid if (paid > 0).all() else None, months)
