"""Benefits, costs and net by fiscal year: sums of months, to the cent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from pipeline.roi.evaluate import summed
from pipeline.roi.records import Claim, FiscalYear, Month


def fiscal_year(month: date, begins: int = 1) -> int:
    """The fiscal year of a month, named by the calendar year in which it ends; it begins in month `begins`, 1 to 12.

    >>> fiscal_year(date(2026, 9, 1), 10), fiscal_year(date(2026, 10, 1), 10), fiscal_year(date(2026, 10, 1))
    (2026, 2027, 2026)
    """
    return month.year + (begins > 1 and month.month >= begins)


def fiscal_years(months: Sequence[Month], begins: int = 1, *, claims: Sequence[Claim] = ()) -> tuple[FiscalYear, ...]:
    """The fiscal years that months in order fall into; a month whose costs are unknown leaves its year unknown.

    Where not one of the claims can be told, benefits are unknown and not nothing.
    """
    is_told = not claims or any(one.amount is not None for one in claims)
    found = []
    for year, group in groupby(months, key=lambda one: fiscal_year(one.month, begins)):
        held = list(group)
        benefits = sum((one.benefits for one in held), Decimal("0.00")) if is_told else None
        costs = summed(one.costs for one in held)
        net = None if costs is None or benefits is None else benefits - costs
        found.append(FiscalYear(str(year), held[0].month, held[-1].month, len(held), benefits, costs, net))
    return tuple(found)
