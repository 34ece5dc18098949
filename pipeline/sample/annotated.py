"""The notes that the analyst of the made-up organisation keeps beside the charts."""

from __future__ import annotations

from datetime import timedelta

from pipeline.sample.clock import Span

COLUMNS = ("date", "kpi", "text", "who")
_NOTES = (
    (
        75,
        "adoption_rate",
        "Departments asked to name who still needs a seat",
        "Change Management & Adoption Specialist",
    ),
    (30, "*", "Quarter closed; figures handed to finance", "ROI & Metrics Analyst"),
)
"""Days before the last one, KPI, what happened, and who says so."""


def rows(span: Span) -> list[tuple[str, ...]]:
    """The rows of the sheet; of a short span those that fall into it."""
    days = [(span.last - timedelta(days=back), kpi, note, who) for back, kpi, note, who in _NOTES]
    return [(day.isoformat(), kpi, note, who) for day, kpi, note, who in days if day >= span.start]
