"""What the figures of a use case say should be done: scale, fix, stop, or nothing yet for want of evidence.

The rules are asked in order and the first that holds decides. They are rules over figures, and no substitute for
whoever signs: docs/roi.md writes them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pipeline.roi.records import Decision
from pipeline.roi.text import number

SCALE, FIX, STOP, UNDECIDED = "scale", "fix", "stop", "not enough evidence"
LEAST_MONTHS = 3
"""Months with a counted benefit; fewer say nothing about the next ones."""
MOST_REALISATION = Decimal("0.5")
"""Share of freed hours that may become money, at the most, while nobody has approved another range."""

NO_RESULT = "Nothing is decided unless a benefit of grade A to C counts and every cost is known."
NO_COST = "Nothing is decided where no cost is posted to the use case: any benefit would look like a gain."
FEW_MONTHS = f"Nothing is decided on fewer than {LEAST_MONTHS} months with a counted benefit."
GAIN = "Scale when the P10 of net benefit is above 0."
LOSS = "Stop when the P90 of net benefit is below 0 and the break-even realisation is out of reach."
OPEN = "Fix what is neither a clear gain nor a loss beyond repair."


@dataclass(frozen=True)
class Figures:
    """What the rules read, money in USD; `reason` says why there is no result and is empty when there is one."""

    reason: str
    costs: Decimal | None
    months: int
    """Months with a counted benefit."""
    p10: Decimal | None
    p90: Decimal | None
    break_even: Decimal | None
    break_even_reason: str
    reach: Decimal = MOST_REALISATION
    """The share of freed hours that may become money at the most."""


def decide(figures: Figures) -> Decision:
    """The decision that the figures lead to, with its rule.

    >>> gain = Figures("", Decimal(90), 6, Decimal(10), Decimal(40), None, "not needed")
    >>> decide(gain).word, decide(gain).because
    ('scale', 'P10 of net benefit is 10 USD')
    """
    return _undecided(figures) or _decided(figures)


def _undecided(figures: Figures) -> Decision | None:
    """Why nothing can be decided; None when something can."""
    if figures.reason or figures.costs is None or figures.p10 is None or figures.p90 is None:
        return Decision(UNDECIDED, NO_RESULT, figures.reason or "its costs or its range are not known")
    if figures.costs == 0:
        return _said(UNDECIDED, NO_COST, "its costs come to {}", (figures.costs, "USD"))
    if figures.months < LEAST_MONTHS:
        return Decision(UNDECIDED, FEW_MONTHS, f"months with a counted benefit: {figures.months}")
    return None


def _decided(figures: Figures) -> Decision:
    """Scale, stop or fix, of figures that are known."""
    low, high = ((end or Decimal(0), "USD") for end in (figures.p10, figures.p90))
    if low[0] > 0:
        return _said(SCALE, GAIN, "P10 of net benefit is {}", low)
    if high[0] >= 0:
        return _said(FIX, OPEN, "net benefit may be {} or {} (P10, P90)", low, high)
    word, rule = (STOP, LOSS) if _is_out_of_reach(figures) else (FIX, OPEN)
    said = "P90 of net benefit is {}, break-even realisation "
    if figures.break_even is None:
        return _said(word, rule, said + figures.break_even_reason, high)
    shares = ((figures.break_even, "ratio"), (figures.reach, "ratio"))
    return _said(word, rule, said + "{}, at most {} is in reach", high, *shares)


def _said(word: str, rule: str, says: str, *figures: tuple[Decimal, str]) -> Decision:
    """A decision whose reason is told with figures."""
    return Decision(word, rule, says.format(*(_shown(*one) for one in figures)), says, figures)


def _shown(value: Decimal, unit: str) -> str:
    """A figure in the text of the command line; a share is told to a tenth of a percent."""
    return number(value, unit) if unit == "USD" else f"{(value * 100).quantize(Decimal('0.1')).normalize():f} %"


def _is_out_of_reach(figures: Figures) -> bool:
    return figures.break_even is None or figures.break_even > figures.reach
