"""What claims come to by the grade of their evidence: the one table that pages, memos and downloads tell."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class GradeShare:
    """Claims of one evidence grade, what people say about another line among them; refused pairs claim nothing.

    claimed = counted + what the weight of the grade takes off + what does not count at all.
    """

    grade: str
    claimed: Decimal
    counted: Decimal
    weighed_off: Decimal = Decimal("0.00")
    uncounted: Decimal = Decimal("0.00")
    felt: Decimal = Decimal("0.00")
    """The part of `uncounted` that people say about another line."""
