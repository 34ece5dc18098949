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

    Where something is claimed of a year and none of it can be told, its benefits are unknown and not nothing.
    """
    found = []
    for year, group in groupby(months, key=lambda one: fiscal_year(one.month, begins)):
        held = list(group)
        benefits = sum((one.benefits for one in held), Decimal("0.00")) if _can_tell(held, claims) else None
        costs = summed(one.costs for one in held)
        net = None if costs is None or benefits is None else benefits - costs
        found.append(FiscalYear(str(year), held[0].month, held[-1].month, len(held), benefits, costs, net))
    return tuple(found)


def _can_tell(months: Sequence[Month], claims: Sequence[Claim]) -> bool:
    """Nothing is claimed of these months, or of something it is known how much."""
    held = {one.month for one in months}
    amounts = [one.amount for one in claims if one.is_claim and one.month in held]
    return not amounts or any(one is not None for one in amounts)
