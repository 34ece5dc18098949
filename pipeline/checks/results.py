"""What a check found: one result per check and subject, ready for the run page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Layer = Literal["batch", "warehouse"]
Severity = Literal["block", "hold", "warn"]

NO_ROWS = "no rows"
"""What was observed when a check had nothing to judge; such a result passes and its `expected` says not applicable."""


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check on one subject, in words and aggregate numbers only; never a value of a row."""

    check: str
    layer: Layer
    subject: str
    expectation: str
    """The Great Expectations type that judged, and the columns it judged."""
    observed: str
    expected: str
    passed: bool
    severity: Severity
    kpis: tuple[str, ...]
    """KPIs that rest on what was judged."""


def blocking(results: Iterable[CheckResult]) -> list[CheckResult]:
    """The failed results that keep an edition from being published."""
    return [result for result in results if result.severity == "block" and not result.passed]


def as_rows(results: Iterable[CheckResult]) -> list[dict[str, object]]:
    """The results as plain dictionaries for the run page, in the order given; `kpis` is a list."""
    return [
        {
            "check": result.check,
            "layer": result.layer,
            "subject": result.subject,
            "expectation": result.expectation,
            "observed": result.observed,
            "expected": result.expected,
            "passed": result.passed,
            "severity": result.severity,
            "kpis": list(result.kpis),
        }
        for result in results
    ]
