"""Claims and costs of a result as rows of a download, each with where it comes from."""

from __future__ import annotations

from pipeline.roi.records import Claim, CostItem, Term

Row = dict[str, object]
_OF_CLAIM = ("line", "use_case", "business_unit", "month", "ledger", "grade", "status", "gross", "amount", "weight",
             "counted", "discount", "present", "hours", "reason")  # fmt: skip
_OF_COST = ("month", "use_case", "business_unit", "category", "amount", "discount", "present", "how", "place", "reason")
CLAIM_COLUMNS, COST_COLUMNS = (*_OF_CLAIM, "place"), _OF_COST


def claim_row(one: Claim) -> Row:
    """A claim, and as its place each figure behind it with its KPI and month, its file and line, or its experiment."""
    held = [*one.terms, *(term for taken in one.deductions for term in taken.terms)]
    place = "; ".join(dict.fromkeys(_standing(term) for term in held if term.source))
    return {name: getattr(one, name) for name in _OF_CLAIM} | {"place": place}


def cost_row(one: CostItem) -> Row:
    """A cost, with where it was booked."""
    return {name: getattr(one, name) for name in _OF_COST}


def _standing(term: Term) -> str:
    value = "not available" if term.value is None else f"{term.value:f}"
    return f"{term.name} = {value}, {term.source}"
