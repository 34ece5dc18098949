"""Numbers within a reason, written as pages write them: a reason is told on a page and on the command line alike."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, Decimal

THIN, MINUS, JOINER = "\u202f", "\u2212", "\u2060"
"""Between thousands and before a unit; a minus; what keeps a minus and the sign of a currency on one line."""

MOST = 10_000
"""A share above which percents tell nothing."""


def grouped(value: Decimal, decimals: int) -> str:
    """A number with so many decimals, thousands apart and a true minus.

    >>> grouped(Decimal("-15705.25"), 1) == "−15\u202f705.2"
    True
    """
    text = f"{value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):,f}"
    return text.replace(",", THIN).replace("-", MINUS)


def shown(value: Decimal | None) -> str:
    """A measured number with three decimals, two from 1 up, one from 100 up, none from 1000 up; an open end says so.

    >>> shown(Decimal("0.042205")), shown(None)
    ('0.042', 'open')
    """
    if value is None:
        return "open"
    size = abs(value)
    decimals = 0 if size >= 1000 or not size else 1 if size >= 100 else 2 if size >= 1 else 3
    if size and size < Decimal("0.0005"):
        return "<0.001" if value > 0 else f">{MINUS}0.001"
    return grouped(value, decimals)


def whole_percent_up(share: Decimal) -> str:
    """A share above 1 in whole percent, rounded up so that it never reads as 100 %."""
    return f"{grouped(Decimal(math.ceil(100 * share)), 0)}{THIN}%"


def percent(share: float) -> str:
    """A share in percent with one decimal; one that no longer tells anything is cut off at a million percent."""
    if share >= MOST:
        return f"more than {grouped(Decimal(100 * MOST), 0)}{THIN}%"
    return f"{grouped(Decimal(repr(100 * share)), 1)}{THIN}%"


def dollars(amount: Decimal) -> str:
    """An amount in whole dollars from a thousand up, else to the cent."""
    sign = f"{MINUS}{JOINER}" if amount < 0 else ""
    return f"{sign}${grouped(abs(amount), 0 if abs(amount) >= 1000 else 2)}"
