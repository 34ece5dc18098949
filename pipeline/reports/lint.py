"""The last gate of a page: a number that lacks any of nine things is not shown.

They are its definition, version, unit, n, interval or "exact", as-of, target source, owner and lineage link.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import Problem, RoiError
from pipeline.reports import words
from pipeline.reports.model import Figure, KpiRow, RolePage


class ReportError(RoiError):
    """A page would show a number that it cannot back; nothing is published."""


def _lacks(row: KpiRow) -> list[str]:
    """What one scorecard line lacks, in words; n, interval, as-of and lineage only where there is a value.

    Thin data may lack an interval: the page then says that none could be computed, and nothing is judged.
    """
    needed = {
        "definition": row.definition.formula,
        "question": row.definition.question,
        "unit": row.definition.unit,
        "owner": row.owner,
        "target source": row.definition.target_source,
        "definition hash": row.definition.hash,
    }
    if row.value.state in ("value", "zero"):
        is_thin = row.status != words.STATUS_WORDS["computed"]
        needed |= {"n": _said(row.n), "interval or exact": row.interval.text if is_thin else _said(row.interval)}
        needed |= {"as-of": row.period, "lineage link": row.href and row.definition.command}
    elif not row.value.why:
        needed["reason why it is not available"] = ""
    return [what for what, found in needed.items() if not found.strip()]


def _said(figure: Figure) -> str:
    return figure.text if figure.state in ("value", "zero") else ""


def lint(pages: Iterable[RolePage], index: Iterable[KpiRow] = ()) -> None:
    """Raise ReportError naming every displayed KPI that lacks something, and what; `index` has no page."""
    shown = [(page.id, row) for page in pages for row in (*page.owned, *page.watched)]
    shown += [("index", row) for row in index]
    problems = [
        Problem(f"{page}.html: {row.definition.kpi_id}", "R001", f"has no {what}; every KPI shown needs one")
        for page, row in shown
        for what in _lacks(row)
    ]
    if problems:
        raise ReportError("The reports would show numbers that are not backed; nothing was written.", problems)
