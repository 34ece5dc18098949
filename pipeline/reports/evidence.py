"""What the analyst of the return must look after: lines, assumptions and months whose evidence has a problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.reports import formats
from pipeline.reports.amounts import in_full, month
from pipeline.reports.model import Figure
from pipeline.reports.returns import Row, mark
from pipeline.reports.spending import budget_months
from pipeline.roi.assumptions import RENEW_DAYS
from pipeline.roi.records import BLOCKED, REFUSED, FiscalYear, LineSummary, RoiResult, Standing

OWNER = "roi_metrics_analyst"
MONTHS_OF_YEAR = 12
_OUT = ("expired", "unapproved", "missing", "not yet valid")


@dataclass(frozen=True)
class Attention:
    """The panel; every text is ready to print."""

    title: str
    lines: tuple[Row, ...]
    assumptions: tuple[Row, ...]
    months: tuple[Row, ...]
    years: tuple[Row, ...] = ()
    """Benefits, costs and net of the programme by fiscal year, not discounted."""
    budgets: tuple[Row, ...] = ()
    """Costs against the approved budget, by use case and for the whole programme."""


def attention(result: RoiResult) -> Attention:
    """What of a result needs a hand."""
    lines = tuple(_line(one) for one in result.lines if one.reason and one.ledger != "strategic")
    due = tuple(_assumption(one, todo) for one in result.assumptions if (todo := _todo(one, result.as_of)))
    held = tuple(_months(result))
    years = tuple(_year(one) for one in result.programme.years)
    return Attention(_title(len(lines), len(due), len(held)), lines, due, held, years, tuple(_budgets(result)))


def _year(one: FiscalYear) -> Row:
    """One fiscal year, with its months where the data have less than twelve of them."""
    months = "all twelve" if one.months == MONTHS_OF_YEAR else f"{_months_told(one)} only"
    no_benefit, no_cost = "no line of benefit can be told", "a cost is unknown"
    why = no_cost if one.costs is None else no_benefit
    told = (in_full(one.benefits, no_benefit), in_full(one.costs, no_cost), in_full(one.net, why))
    return Row(f"Fiscal year {one.name}", (*told, months))


def _months_told(one: FiscalYear) -> str:
    return month(one.first) if one.months == 1 else f"{month(one.first)} to {month(one.last)}"


def _budgets(result: RoiResult) -> Iterator[Row]:
    """Approved, spent and apart, the whole programme last; without an approved budget the reason."""
    for one in (*result.use_cases, result.programme):
        held = one.budget
        if held is not None:
            amounts = (held.approved, held.actual, held.variance)
            cells: list[Figure | str] = [in_full(amount, held.reason) for amount in amounts]
            cells.append(budget_months(held) or "none")
            yield Row(one.name.replace("_", " ") or "of no single use case", tuple(cells), note=held.reason)


def _title(lines: int, due: int, held: int) -> str:
    if not lines + due + held:
        return "Every claim counts, and no assumption needs a hand"
    parts = [formats.counted(lines, "line") + " with claims that do not count"] if lines else []
    parts += [formats.counted(due, "assumption") + " to act on"] if due else []
    parts += [formats.counted(held, "run") + " of blocked or refused months"] if held else []
    return formats.listed(parts).capitalize()


def _line(one: LineSummary) -> Row:
    return Row(
        one.name, (one.grade or "none", in_full(one.claimed), in_full(one.counted)), mark(one.status), one.reason
    )


def _todo(one: Standing, as_of: date) -> str:
    """What its owner must do; empty when nothing is due."""
    if one.standing in _OUT:
        return {"unapproved": "have it approved", "missing": "enter it"}.get(one.standing, "enter a row that holds now")
    if one.valid_to is not None and one.valid_to <= as_of + timedelta(days=RENEW_DAYS):
        return f"renew it: it ends on {formats.day(one.valid_to)}"
    return ""


def _assumption(one: Standing, todo: str) -> Row:
    """An assumption with what is to be done, and by whom."""
    lines = formats.listed([line.replace("_", " ") for line in one.lines]) or "the whole return"
    return Row(one.assumption_id, (todo, one.owner or "nobody", lines), mark(one.standing), one.reason)


def _months(result: RoiResult) -> Iterator[Row]:
    """Blocked and refused claims by line and use case, with their months."""
    found: dict[tuple[str, str, str], list[date]] = {}
    reasons: dict[tuple[str, str, str], str] = {}
    for one in result.claims:
        if one.status in (BLOCKED, REFUSED):
            key = (one.line, one.use_case, one.status)
            found.setdefault(key, []).append(one.month)
            reasons.setdefault(key, one.reason)
    for key, months in sorted(found.items()):
        line, case, status = key
        cells: tuple[Figure | str, ...] = (case.replace("_", " "), _span(months))
        yield Row(line.replace("_", " "), cells, mark(status), reasons[key])


def _span(months: Sequence[date]) -> str:
    if len(months) == 1:
        return month(months[0])
    return f"{month(min(months))} to {month(max(months))}, {formats.counted(len(months), 'month')}"
