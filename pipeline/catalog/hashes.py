"""Fingerprints of what a KPI means and of the whole catalogue."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.columns import measures
from pipeline.catalog.expressions import ExpressionError, parse_measure
from pipeline.catalog.model import AnyMetric, Catalog

PROSE = frozenset(
    {
        "name",
        "owner",
        "question",
        "target",
        "earlier_targets",
        "leaves_out",
        "pitfall",
        "references",
        "aim",
        "examples",
        "headline",
        "cumulative",
    }
)
"""Keys that change no number: words, who answers for it, what it should reach, what proves it, how it is shown."""
_LENGTH = 12


def definition_hash(metric: AnyMetric) -> str:
    """12 hex digits that change when, and only when, the record says something else about the numbers.

    In: kind, fact, measures in canonical spelling, columns, unit, direction, cadence, dimensions in any order, people,
    min_n, maturity, unknown, interval, cluster. Out: PROSE. A key at its default counts as absent, so a key that a
    later version of the catalogue adds leaves every hash as it was.
    """
    return _of_record(metric, metric.model_dump(mode="json", exclude_defaults=True))


def definition_hashes(catalog: Catalog) -> dict[str, str]:
    """`definition_hash` of every KPI; all records are written out at once, which a single one does not make cheaper."""
    records = catalog.model_dump(mode="json", exclude_defaults=True).get("metrics", {})
    return {kpi_id: _of_record(metric, records[kpi_id]) for kpi_id, metric in catalog.metrics.items()}


def _of_record(metric: AnyMetric, written: dict[str, Any]) -> str:
    record = {key: value for key, value in written.items() if key not in PROSE}
    record.update({key: _canonical(text) for key, text in measures(metric).items()})
    if "dimensions" in record:
        record["dimensions"] = sorted(record["dimensions"])
    return _digest(json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":")))


def benefit_hash(benefit: Benefit) -> str:
    """12 hex digits that change when a line of benefit may give another amount; words and the owner are left out."""
    record = benefit.model_dump(mode="json", exclude={"name", "owner", "says"}, exclude_defaults=True)
    return _digest(json.dumps(record, sort_keys=True, ensure_ascii=True, separators=(",", ":")))


def catalog_hash(catalog: Catalog) -> str:
    """12 hex digits of everything a reader could see: every role and KPI with prose and targets, in catalogue order."""
    record = catalog.model_dump(mode="json", exclude_defaults=True)
    return _digest(json.dumps(record, ensure_ascii=True, separators=(",", ":")))


def _canonical(text: str) -> str:
    """The measure in its one spelling; a text that is no measure stands for itself."""
    try:
        return parse_measure(text).text()
    except ExpressionError:
        return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:_LENGTH]
