"""The register of assumptions: which row is in force for a use case and month, and whether it may carry a headline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from pipeline.roi.inputs import Assumption, next_month

IN_FORCE, DEFAULT, UNAPPROVED, EXPIRED, MISSING = "in force", "default", "unapproved", "expired", "missing"
MAY_COUNT = (IN_FORCE, DEFAULT)
DISCOUNT_RATE = "discount_rate"
WEIGHT_BEFORE_AFTER = "weight_before_after"
_MODEL = "default of the ROI model, until somebody approves another figure"


def _default(name: str, low: str, base: str, high: str) -> Assumption:
    figures = (Decimal(low), Decimal(base), Decimal(high))
    return Assumption(name, "", date.min, None, *figures, "ratio", "", "E", _MODEL, "", "", None)


DEFAULTS = {
    "realisation": _default("realisation", "0", "0.25", "0.5"),
    WEIGHT_BEFORE_AFTER: _default(WEIGHT_BEFORE_AFTER, "0.5", "0.5", "0.5"),
}
"""Figures of the model itself: the share of freed hours that becomes money, and the weight of grade C."""


@dataclass(frozen=True)
class Found:
    """What the register says about one assumption for a use case and month, and its standing there."""

    row: Assumption | None
    standing: str
    reason: str
    label: str = ""
    """What the row is called among the uncertain inputs: its id, with its first day where the id has several rows."""

    @property
    def may_count(self) -> bool:
        """Return whether what rests on it may be part of the headline."""
        return self.standing in MAY_COUNT


@dataclass(frozen=True)
class Register:
    """All rows of the register, and the day on which their standing is looked at."""

    rows: tuple[Assumption, ...]
    as_of: date

    def find(self, assumption_id: str, *, use_case: str, month: date, default: str = "") -> Found:
        """The row for a use case and month: its own id (`id.use_case`), its own row, then the programme's.

        `default` names a figure of the model that stands in where no approved row does.
        """
        found = self._own(assumption_id, use_case, month)
        if default and not found.may_count:
            return Found(DEFAULTS[default], DEFAULT, found.reason, f"{default} (default)")
        return found

    def _own(self, assumption_id: str, use_case: str, month: date) -> Found:
        day = next_month(month) - timedelta(days=1)
        for name, case in ((f"{assumption_id}.{use_case}", None), (assumption_id, use_case), (assumption_id, "")):
            held = [row for row in self.rows if row.assumption_id == name and (case is None or row.use_case == case)]
            if held:
                found = standing(held, day=day, as_of=self.as_of)
                since = f" from {found.row.valid_from}" if found.row and len(held) > 1 else ""
                return replace(found, label=name + since + (f" ({case})" if case else ""))
        return Found(None, MISSING, f"no assumption {assumption_id}")


def standing(rows: Sequence[Assumption], *, day: date, as_of: date) -> Found:
    """The row that holds on a day and its standing; else the last one that did, as expired."""
    begun = sorted((row for row in rows if row.valid_from <= day), key=lambda row: row.valid_from)
    if not begun:
        first = min(rows, key=lambda row: row.valid_from)
        return Found(None, MISSING, f"{first.assumption_id} holds from {first.valid_from} only")
    row = begun[-1]
    if row.valid_to is not None and row.valid_to <= day:
        return Found(row, EXPIRED, f"{row.assumption_id} expired on {row.valid_to}")
    if not row.is_approved(as_of):
        return Found(row, UNAPPROVED, f"{row.assumption_id} is not approved")
    return Found(row, IN_FORCE, "")
