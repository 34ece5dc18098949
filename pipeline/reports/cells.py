"""What a frame's cell says, whatever way the frame has of saying it does not know."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal

Cell = str | bool | int | float | Decimal | None


def cell(value: object) -> Cell:
    """A cell as a plain value; every kind of unknown (None, NaN, NaT, NA) and every non-finite number is None."""
    if isinstance(value, str):
        return None if value in ("NaT", "<NA>") else str(value)
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    found = str(value)
    return None if found in ("NaT", "<NA>") else found


def text(value: object) -> str:
    """Text of a cell; unknown is empty."""
    found = cell(value)
    return "" if found is None else str(found)


def number(value: object) -> float | None:
    """A cell as a float."""
    found = cell(value)
    return None if found is None else float(found)


def decimal(value: object) -> Decimal | None:
    """A cell as an exact decimal."""
    found = cell(value)
    return None if found is None else Decimal(str(found))


def integer(value: object) -> int | None:
    """A cell as a whole number; frames turn counts with gaps into floats."""
    found = cell(value)
    return None if found is None else int(found)


def day(value: object) -> date:
    """A cell as a date, with or without a time of day."""
    return value if type(value) is date else date.fromisoformat(str(value)[:10])
