"""Every period of one KPI and slice: the course that a page draws, judges and compares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb

from pipeline.catalog.model import AnyMetric
from pipeline.catalog.people import is_withheld
from pipeline.facts import load_facts
from pipeline.warehouse.connection import rows

Record = dict[str, object]
_TOLD = (
    "grain, period_start, period_end, value, numerator, denominator, n, interval_low, interval_high, status, verdict, "
    "signal, reason"
)


def course_of(con: duckdb.DuckDBPyConnection, kpi_id: str, of: tuple[str, str], *, edition: int) -> list[Record]:
    """Every published period of a KPI in total or of one slice, as an edition had it, by grain and the oldest first."""
    return rows(
        con,
        f"SELECT {_TOLD} FROM kpi.values WHERE kpi_id = ? AND dimension = ? AND dimension_value = ? "
        f"AND first_edition <= {edition} AND coalesce(last_edition, {edition}) >= {edition} "
        "ORDER BY grain, period_end, period_start",
        [kpi_id, *of],
    )


def withheld(course: list[Record], grain: str) -> Iterator[tuple[date, date]]:
    """Half-open spans of the periods of a grain that are withheld for the sake of few people, and so is all around."""
    told = [_span(row) for row in course if not is_withheld(row["reason"])]
    for row in course:
        if row["grain"] == grain and is_withheld(row["reason"]):
            start, end = _span(row)
            if not any(first <= start and end <= last for first, last in told):
                yield start, end


def _span(row: Record) -> tuple[date, date]:
    start, end = (date.fromisoformat(str(row[name])[:10]) for name in ("period_start", "period_end"))
    return start, end


def defined(metric: AnyMetric) -> Record:
    """What the catalogue says of a KPI, its examples apart, with its facts and what one row of each is."""
    meanings = {fact: load_facts()[fact].meaning for fact in metric.facts}
    counted = list(getattr(metric, "counted_facts", ()))
    said = metric.model_dump(mode="json", exclude={"examples"})
    return said | {"facts": meanings, "counted_facts": counted, "cumulative": metric.cumulative}
