"""Money, shares and hours of the return as people read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pipeline.reports import formats
from pipeline.reports.model import Figure


def money(amount: Decimal | None, why: str = "") -> Figure:
    """An amount in whole dollars from a thousand up, else to the cent."""
    if amount is None:
        return Figure("not available", "missing", why)
    places = 0 if abs(amount) >= 1000 else 2
    rounded = amount.quantize(Decimal(1).scaleb(-places))
    sign = f"{formats.MINUS}{formats.JOINER}" if rounded < 0 else ""
    return Figure(f"{sign}${formats.grouped(abs(rounded), places)}", "zero" if amount == 0 else "value")


def in_full(amount: Decimal | None, why: str = "") -> Figure:
    """An amount to the cent, for tables whose rows are added up by hand."""
    if amount is None:
        return Figure("not available", "missing", why)
    sign = f"{formats.MINUS}{formats.JOINER}" if amount < 0 else ""
    return Figure(f"{sign}${formats.grouped(abs(amount), 2)}", "zero" if amount == 0 else "value")


def share(value: Decimal | None, why: str = "") -> Figure:
    """A fraction as percent."""
    if value is None:
        return Figure("not available", "missing", why)
    return Figure(formats.percent(float(value)), "zero" if value == 0 else "value")


def as_entered(value: Decimal) -> str:
    """A figure with the digits it was entered with, thousands apart.

    >>> as_entered(Decimal("53.550"))
    '53.55'
    """
    return f"{value.normalize():,f}".replace(",", formats.THIN).replace("-", formats.MINUS)


def hours(value: Decimal | None) -> Figure:
    """Hours with three significant digits."""
    return Figure("not available", "missing") if value is None else Figure(formats.measured(float(value), "h"), "value")


def month(day: date) -> str:
    """A month by its name."""
    return f"{formats.MONTHS[day.month - 1]} {day.year}"
