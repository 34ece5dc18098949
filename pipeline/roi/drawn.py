"""What the range of a result was drawn from, as it is stored and printed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Drawn:
    """One input of the simulation as it is drawn: low <= base <= high, equal for a constant."""

    name: str
    shape: str
    """interval, pert or triangular; empty for a constant."""
    low: Decimal
    base: Decimal
    high: Decimal
    is_share: bool
    """Its draws are clipped to 0..1."""
    source: str = ""


@dataclass(frozen=True)
class Simulated:
    """What must be known to draw the result again: every input that has a range, and two that stand for all claims."""

    inputs: tuple[Drawn, ...] = ()
    rate: Drawn | None = None
    """The yearly discount rate."""
    weight: Drawn | None = None
    """The weight of every claim of grade C."""
