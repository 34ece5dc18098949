"""The targets that the periods of a chart were judged by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from pipeline.catalog.model import AnyMetric
from pipeline.catalog.target import Target
from pipeline.reports.model import Value


def aims_of(rows: Sequence[Value], metric: AnyMetric) -> list[Target | None]:
    """The target of each period; None where none held."""
    return [metric.target_on(row.end - timedelta(days=1)) for row in rows]


def known(aims: Iterable[Target | None]) -> list[Target]:
    """Those there are, each once."""
    return list(dict.fromkeys(aim for aim in aims if aim is not None))
