"""The register of assumptions of the made-up organisation, and its export.

Every use case in daily use has its rate, its share that is due to the programme, its risk and its minutes of review;
what holds for the others is told for the whole programme. Planted: one assumption that has ended and was not renewed,
one that nobody approved, one whose figures were replaced, and one that is replaced after the data end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span
from pipeline.sample.finance import APPROVER
from pipeline.sample.portfolio import LIVE
from pipeline.sample.shelf import cell

COLUMNS = (
    "assumption", "use_case", "low", "base", "high", "unit", "distribution", "evidence_grade", "source", "owner",
    "approved_by", "approved_on", "valid_from", "valid_to", "note",
)  # fmt: skip
OWNER = "ROI & Metrics Analyst"
EXPIRED = "risk.drafting"
UNAPPROVED = "attribution.knowledge_search"
SUPERSEDED = "loaded_rate.customer_support"
TO_COME = "loaded_rate.code_assistant"
RATES = {"customer_support": 42, "knowledge_search": 55, "contract_review": 96, "code_assistant": 78, "drafting": 61}
"""About what an hour costs, in dollars."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """One row of the register; figures as they were written."""

    assumption: str
    figures: tuple[str, str, str]
    unit: str
    grade: str
    source: str
    since: date
    use_case: str | None = None
    until: date | None = None
    approved: date | None = None
    distribution: str = "pert"
    note: str | None = None


def register(chance: Chance, span: Span) -> list[Assumed]:
    """Every row, by id and day."""
    since = min(date(span.last.year - 1, 1, 1), date(span.start.year, 1, 1))
    rows = [*_programme(since), *(row for name, *_ in LIVE for row in _use_case(chance, name, since)), *_special(since)]
    approved = [replace(row, approved=row.since + timedelta(days=14)) for row in rows]
    dated = [row for one in approved for row in _dated(one, span)]
    return sorted(dated, key=lambda row: (row.assumption, row.since))


def _programme(since: date) -> Iterator[Assumed]:
    """What holds for every use case that has no row of its own."""
    yield Assumed("realisation", ("0", "0.25", "0.5"), "ratio", "E", "House rule: hours freed are not money yet", since,
                  distribution="triangular")  # fmt: skip
    yield Assumed("discount_rate", ("0.06", "0.08", "0.1"), "ratio", "E", "Treasury: cost of capital", since)
    yield Assumed("loaded_rate", ("48", "58", "70"), "USD/h", "C", "Payroll with employer's share, all units", since)
    yield Assumed("attribution", ("0.5", "0.7", "0.9"), "ratio", "E", "Other changes ran in the same months", since)
    yield Assumed("risk", ("0.02", "0.06", "0.15"), "ratio", "E", "Register of risks", since)
    yield Assumed("review_minutes", ("0.5", "1.2", "3"), "min/task", "D", "Asked of 40 people", since)
    yield Assumed("seat_price", ("10", "12", "19"), "USD/month", "C", "Contract; low and high are the two plans", since)


def _use_case(chance: Chance, name: str, since: date) -> Iterator[Assumed]:
    rate = RATES[name] + chance.whole(-3, 3)
    share, risk, minutes = chance.whole(65, 85), chance.whole(3, 8), chance.whole(6, 20)
    figures = (f"{rate - 6}", f"{rate}", f"{rate + 9}")
    yield Assumed(f"loaded_rate.{name}", figures, "USD/h", "C", "Payroll with employer's share", since, name)
    figures = (_share(share - 20), _share(share), _share(min(100, share + 15)))
    yield Assumed(f"attribution.{name}", figures, "ratio", "E", "Judged with the head of the unit", since, name)
    figures = (_share(1), _share(risk), _share(3 * risk))
    yield Assumed(f"risk.{name}", figures, "ratio", "E", "Register of risks", since, name)
    figures = (f"{minutes / 20:g}", f"{minutes / 10:g}", f"{minutes / 4:g}")
    yield Assumed(f"review_minutes.{name}", figures, "min/task", "C", "Time sheet of 60 tasks", since, name)


def _special(since: date) -> Iterator[Assumed]:
    """What only some use cases have."""
    yield Assumed("cost_per_contact.customer_support", ("48", "62", "80"), "USD/contact", "C",
                  "Price list of the desk that answers the rest, by contact", since, "customer_support")  # fmt: skip
    yield Assumed("realisation.customer_support", ("0.6", "0.8", "0.95"), "ratio", "C",
                  "Contract: the desk bills by contact and hour, the rest is its least charge", since,
                  "customer_support", distribution="triangular")  # fmt: skip
    yield Assumed("felt_minutes.code_assistant", ("24", "42", "72"), "min/task", "D",
                  "Asked of 58 developers: minutes they say a task takes less", since, "code_assistant")  # fmt: skip
    yield Assumed("quality_loss.contract_review", ("0", "0.4", "1.5"), "USD/task", "E", "Sample of 90 contracts",
                  since, "contract_review")  # fmt: skip
    yield Assumed(
        "rework_minutes.drafting", ("0.2", "0.8", "2"), "min/task", "D", "Asked of 12 people", since, "drafting"
    )


def _dated(row: Assumed, span: Span) -> Sequence[Assumed]:
    """The row with what was planted about its days and its approval."""
    new_year = date(span.last.year, 1, 1)
    if row.assumption == EXPIRED:
        return (replace(row, until=span.at(0.7)),)
    if row.assumption == UNAPPROVED:
        return (replace(row, approved=None, note="With the board since spring"),)
    if row.assumption == SUPERSEDED:
        return _replaced(row, new_year, approved=new_year + timedelta(days=9))
    if row.assumption == TO_COME:
        next_year = date(span.last.year + 1, 1, 1)
        return _replaced(row, next_year, approved=span.last - timedelta(days=10))
    return (row,)


def _replaced(row: Assumed, day: date, *, approved: date) -> Sequence[Assumed]:
    """The row up to a day, and from then on figures a twentieth higher."""
    low, base, high = (f"{int(figure) * 1.05:g}" for figure in row.figures)
    note = "After the round of pay"
    return replace(row, until=day), replace(row, figures=(low, base, high), since=day, approved=approved, note=note)


def _share(percent: int) -> str:
    return f"{percent / 100:g}"


def assumption_row(row: Assumed) -> tuple[str, ...]:
    """One row of the register's export."""
    approver = None if row.approved is None else APPROVER
    told = (row.assumption, row.use_case, *row.figures, row.unit, row.distribution, row.grade, row.source, OWNER)
    return tuple(map(cell, (*told, approver, row.approved, row.since, row.until, row.note)))
