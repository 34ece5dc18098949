"""Money over months: present value, internal rate of return, payback, break-even, risk, and splitting to the cent.

Convention: element t of a series belongs to month t, month 0 is the first, and its amount falls due at the start of the
month, so that month 0 is not discounted: PV = sum of amount_t / (1 + i)^t, as in Brealey, Myers & Allen, Principles of
Corporate Finance (10th ed. 2011), chapter 2, and `numpy_financial.npv`, which cites Gitman (2003), Principles of
Managerial Finance, Brief, 3rd ed., p. 346. Rates are effective annual fractions (0.10 is 10 %); the month's rate is the
one that compounds to it, i = (1 + r)^(1/12) - 1. The classic mistakes are r / 12, and a spreadsheet's NPV(), which
discounts the first amount too.

Amounts are Decimal, int or float (a float counts as the decimal it is printed as) and in one currency; results are
Decimal and unrounded, except where cents are asked for. What is undefined is None, with a reason where there is a
choice of reasons.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.roi.words import percent, whole_percent_up

Amount = Decimal | int | float

CENT = Decimal("0.01")
DIGITS = 50
"""Precision of the arithmetic; a trillion to the cent takes 14."""
NOISE = Decimal("1e-30")
"""A sum nearer to 0 than this share of its terms is 0."""


@dataclass(frozen=True)
class InternalRate:
    """An annual internal rate of return as a fraction, or None and the reason why there is not just one."""

    annual: float | None
    reason: str = ""


@dataclass(frozen=True)
class BreakEven:
    """The realisation 0..1 at which the net present value is 0, or None and the reason."""

    realisation: Decimal | None
    reason: str = ""


def monthly_rate(annual_rate: Amount) -> Decimal:
    """Rate per month that compounds to `annual_rate` in twelve months, (1 + r)^(1/12) - 1; both are fractions.

    ValueError for a rate of -100 % or less. Source: Ross, Westerfield & Jaffe, Corporate Finance, section 4.3
    (effective annual rate of m compounding periods a year, solved for the period's rate).

    >>> f"{monthly_rate(0.10):.10f}"
    '0.0079741404'
    """
    rate = _decimal(annual_rate)
    if rate <= -1:
        raise ValueError(f"annual rate is {annual_rate}, expected a fraction above -1, such as 0.10 for 10 %")
    with localcontext(prec=DIGITS):
        return (1 + rate) ** (Decimal(1) / 12) - 1


def discount_factors(annual_rate: Amount, months: int) -> tuple[Decimal, ...]:
    """Value today of one unit of money in month 0, 1, ... `months` - 1.

    >>> [f"{factor:.4f}" for factor in discount_factors(0.10, 13)][::6]  # 1, 1.1^-0.5, 1.1^-1
    ['1.0000', '0.9535', '0.9091']
    """
    with localcontext(prec=DIGITS):
        step = 1 / (1 + monthly_rate(annual_rate))
        return tuple(accumulate((step for _ in range(months - 1)), lambda x, y: x * y, initial=Decimal(1)))[:months]


def present_value(amounts: Sequence[Amount], annual_rate: Amount) -> Decimal:
    """Value today of a monthly series; of net flows (benefits - costs) it is the net present value.

    >>> round(present_value([-1000, *[0] * 11, 1210], 0.10), 2)  # -1000 + 1210 / 1.1
    Decimal('100.00')
    """
    with localcontext(prec=DIGITS):
        factors = discount_factors(annual_rate, len(amounts))
        return sum((x * factor for x, factor in zip(_decimals(amounts), factors, strict=True)), Decimal(0))


def net_flows(benefits: Sequence[Amount], costs: Sequence[Amount]) -> tuple[Decimal, ...]:
    """Benefits less costs per month; costs are given as positive amounts. ValueError unless both have the same months.

    >>> net_flows([0, 120], [100, 10])
    (Decimal('-100'), Decimal('110'))
    """
    if len(benefits) != len(costs):
        raise ValueError(f"{len(benefits)} months of benefits but {len(costs)} of costs, expected the same months")
    with localcontext(prec=DIGITS):
        return tuple(b - c for b, c in zip(_decimals(benefits), _decimals(costs), strict=True))


def cumulative(amounts: Sequence[Amount]) -> tuple[Decimal, ...]:
    """Running total, month by month.

    >>> cumulative([-100, 60, 60])
    (Decimal('-100'), Decimal('-40'), Decimal('20'))
    """
    with localcontext(prec=DIGITS):
        return tuple(accumulate(_decimals(amounts)))


def return_on_investment(pv_benefits: Amount, pv_costs: Amount) -> Decimal | None:
    """ROI = (PV benefits - PV costs) / PV costs, a fraction; None without costs.

    Source: Forrester, Total Economic Impact methodology, glossary: benefits less costs, divided by costs, of present
    values.

    >>> return_on_investment(150, 100)
    Decimal('0.5')
    """
    benefits, costs = _decimal(pv_benefits), _decimal(pv_costs)
    return (benefits - costs) / costs if costs > 0 else None


def cost_per_outcome(cost: Amount, outcomes: Amount) -> Decimal | None:
    """Cost of one verified outcome (a resolved contact, a merged change); None when there was none.

    >>> cost_per_outcome(1200, 400)
    Decimal('3')
    """
    total, count = _decimal(cost), _decimal(outcomes)
    if count < 0:
        raise ValueError(f"{outcomes} outcomes, expected a count of at least 0")
    return total / count if count else None


def payback_month(flows: Sequence[Amount]) -> int | None:
    """First month, counted from 0, whose cumulative net flow is at least 0; None when that never comes.

    Months before the first flow do not count. What comes later is ignored, so a programme that turns negative again
    still has its first payback: read it beside the net present value. Source: Brealey, Myers & Allen (2011), 5.2.

    >>> payback_month([-2000, 500, 500, 5000]), payback_month([-2000, 500])
    (3, None)
    """
    return _first_paid(_decimals(flows))


def discounted_payback_month(flows: Sequence[Amount], annual_rate: Amount) -> int | None:
    """First month, counted from 0, whose cumulative present value is at least 0; None when that never comes.

    Source: Brealey, Myers & Allen (2011), section 5.2.

    >>> discounted_payback_month([-1000, *[0] * 11, 1000, 120], 0.10)  # 909.09 back in month 12, 108.24 in month 13
    13
    """
    with localcontext(prec=DIGITS):
        factors = discount_factors(annual_rate, len(flows))
        return _first_paid([x * factor for x, factor in zip(_decimals(flows), factors, strict=True)])


def _first_paid(flows: Sequence[Decimal]) -> int | None:
    with localcontext(prec=DIGITS):
        noise = NOISE * sum((abs(x) for x in flows), Decimal(0))
        started = next((month for month, x in enumerate(flows) if x), len(flows))
        totals = enumerate(accumulate(flows))
        return next((month for month, total in totals if month >= started and total >= -noise), None)


def internal_rate(flows: Sequence[Amount]) -> InternalRate:
    """Annual rate at which the net present value of monthly net flows is 0, when there is exactly one.

    The equation sum of flow_t * x^t = 0, x = 1 / (1 + i), is a polynomial with as many positive roots as there are
    internal rates above -100 %; none or several are told as a reason, because then the rate decides nothing. A rate at
    which the value only touches 0 does not count.
    Sources: Gitman (2003), p. 348, as cited by `numpy_financial.irr`; Brealey, Myers & Allen (2011), section 5.3
    (pitfall 2: multiple rates of return). Roots by `numpy.roots`, each then refined by `scipy.optimize.brentq`.

    >>> round(internal_rate([-100, *[0] * 11, 110]).annual, 6)
    0.1
    >>> internal_rate([100, 20]).reason
    'every flow is a gain, so no rate brings the net present value to 0'
    """
    exact = _decimals(flows)
    largest = max((abs(x) for x in exact), default=Decimal(0)) or Decimal(1)
    values = np.trim_zeros(np.array([float(x / largest) for x in exact]))
    if not values.size or values.min() >= 0 or values.max() <= 0:
        kind = "0" if not values.size else "a gain" if values.min() >= 0 else "a cost"
        return InternalRate(None, f"every flow is {kind}, so no rate brings the net present value to 0")
    rates = _internal_rates(values)
    if len(rates) == 1:
        return InternalRate(rates[0])
    if not rates:
        return InternalRate(None, "the net present value is not 0 at any rate")
    found = ", ".join(map(percent, rates))
    return InternalRate(None, f"the flows change sign more than once and have {len(rates)} internal rates: {found}")


def _internal_rates(values: NDArray[np.float64]) -> list[float]:
    """Annual rates at which the value changes sign, in rising order; flows begin and end with one that is not 0."""
    from scipy.optimize import brentq

    roots = np.roots(values[::-1])
    near = roots[(np.abs(roots.imag) < 1e-6 * np.abs(roots)) & (roots.real > 0)].real
    logs = np.unique(-np.log(near))
    edges = [*(logs[:1] - 1), *((logs[1:] + logs[:-1]) / 2), *(logs[-1:] + 1)]
    signs = [_value_sign(edge, values) for edge in edges]
    steps = zip(pairwise(edges), pairwise(signs), strict=True)
    crossed = [ends for ends, (before, after) in steps if before * after < 0]
    exact = [brentq(_value_sign, low, high, args=(values,), xtol=1e-15) for low, high in crossed]
    return [_annual(log_rate) for log_rate in exact]


def _value_sign(log_rate: float, values: NDArray[np.float64]) -> float:
    """Value of the flows at the monthly rate exp(log_rate) - 1, at the month where no power overflows."""
    month = np.arange(values.size)
    powers = -month if log_rate > 0 else month[::-1]
    return float(np.sum(values * np.exp(log_rate * powers)))


def _annual(log_rate: float) -> float:
    return math.expm1(12 * log_rate) if 12 * log_rate < 700 else math.inf


def break_even_realisation(pv_capacity: Amount, pv_rest: Amount) -> BreakEven:
    """Share of the freed capacity that must become money for the net present value to be 0.

    `pv_capacity` is the present value of the capacity benefits at a realisation of 1, `pv_rest` that of everything else
    (other benefits less all costs). The net present value is linear in the realisation f, f * capacity + rest, so
    f = -rest / capacity: break-even on present values as in Brealey, Myers & Allen (2011), chapter 10.

    >>> break_even_realisation(400, -100).realisation
    Decimal('0.25')
    >>> break_even_realisation(400, -500).reason.replace("\u202f", " ")
    'not reachable: it would take 125 % of the freed capacity'
    """
    capacity, rest = _decimal(pv_capacity), _decimal(pv_rest)
    if rest > 0:
        return BreakEven(None, "not needed: it pays without any of the freed capacity")
    if capacity <= 0:
        return BreakEven(None, "not reachable: the freed capacity is worth nothing")
    needed = -rest / capacity + 0
    if needed > 1:
        return BreakEven(None, f"not reachable: it would take {whole_percent_up(needed)} of the freed capacity")
    return BreakEven(needed)


def risk_adjusted(benefit: Amount, risk: Amount) -> Decimal:
    """Benefit less the share of it that is at risk, benefit * (1 - risk); ValueError for a risk outside 0..1.

    Source: Forrester, Total Economic Impact methodology, which lowers each benefit by its own risk factor.

    >>> risk_adjusted(200_000, 0.15)
    Decimal('170000.00')
    """
    share = _decimal(risk)
    if not 0 <= share <= 1:
        raise ValueError(f"risk is {risk}, expected a share from 0 to 1, such as 0.15")
    return _decimal(benefit) * (1 - share)


def split_to_cents(total: Amount, weights: Sequence[Amount]) -> tuple[Decimal, ...]:
    """Split `total` in proportion to `weights` into whole cents that sum to it, itself rounded to the cent.

    ValueError for a negative weight, or none above 0. Largest remainders, see `round_to_cents`.

    >>> split_to_cents(100, [1, 1, 1])
    (Decimal('33.34'), Decimal('33.33'), Decimal('33.33'))
    """
    shares = _decimals(weights)
    with localcontext(prec=DIGITS):
        whole = sum(shares, Decimal(0))
        if whole <= 0 or min(shares) < 0:
            raise ValueError(f"weights are {list(weights)}, expected at least one above 0 and none below")
        amount = _decimal(total).quantize(CENT, ROUND_HALF_EVEN)
        return _to_cents([amount * share / whole for share in shares], amount)


def round_to_cents(parts: Sequence[Amount]) -> tuple[Decimal, ...]:
    """Round each part to the cent, up or down, so that the rounded parts sum to the rounded total.

    Every part comes out less than one cent from what it was. Parts may be negative. The cents left over after rounding
    down go to the largest remainders, among equal ones to the larger part, then to the earlier. Source: Balinski &
    Young (2001), Fair Representation, 2nd ed., appendix A (method of Hamilton, largest remainders).

    >>> round_to_cents([0.125, 0.125])
    (Decimal('0.13'), Decimal('0.12'))
    """
    exact = _decimals(parts)
    with localcontext(prec=DIGITS):
        return _to_cents(exact, sum(exact, Decimal(0)).quantize(CENT, ROUND_HALF_EVEN))


def _to_cents(parts: Sequence[Decimal], total: Decimal) -> tuple[Decimal, ...]:
    floors = [part.quantize(CENT, ROUND_FLOOR) for part in parts]
    left = int((total - sum(floors, Decimal(0))) / CENT)
    by_remainder = sorted(range(len(parts)), key=lambda k: (floors[k] - parts[k], -parts[k], k))
    raised = set(by_remainder[:left])
    return tuple(floor + CENT if k in raised else floor for k, floor in enumerate(floors))


def _decimals(amounts: Iterable[Amount]) -> list[Decimal]:
    return [_decimal(amount) for amount in amounts]


def _decimal(amount: Amount) -> Decimal:
    """The amount as the decimal it is printed as; ValueError for one that is not finite."""
    value = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    if not value.is_finite():
        raise ValueError(f"an amount is {amount}; an unknown amount is not a number, leave the series out and say so")
    return value
