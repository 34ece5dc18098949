"""Checks over each batch and over the warehouse, judged by Great Expectations; the one room that knows it.

`checks.yaml` declares every check: the SQL of a small summary, the expectation that judges it, what a failure means.
Great Expectations sees only these summaries, never a row of data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.checks.declared import CHECKS, Check, Declarations, load_checks
from pipeline.checks.results import NO_ROWS, CheckResult, Layer, as_rows, blocking

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "CHECKS",
    "NO_ROWS",
    "Check",
    "CheckResult",
    "Declarations",
    "as_rows",
    "blocking",
    "load_checks",
    "run_checks",
]

_LAYERS: tuple[Layer, ...] = ("batch", "warehouse")


def run_checks(
    con: duckdb.DuckDBPyConnection,
    *,
    as_of: date,
    now: datetime,
    run_id: str,
    feeds: Mapping[str, Sequence[str]] | None = None,
    declared: Path = CHECKS,
) -> list[CheckResult]:
    """Judge the files of run `run_id` and the whole warehouse; one result per check and subject.

    `feeds` says which KPIs rest on a canonical table. `as_of` is the last data day: every "lately" is counted from
    it. `now` only stamps the run. `declared` is the file with the checks. Results stand in the order of
    declaration, then of subjects. Raises ConfigurationError when a check is declared wrongly.
    """
    from pipeline.checks.judge import Case, judge
    from pipeline.checks.summaries import summarise
    from pipeline.checks.words import is_judgeable, results_of

    declarations = load_checks(declared)
    summaries = summarise(con, declarations, as_of=as_of, run_id=run_id)
    failed: dict[str, frozenset[int]] = {}
    for layer in _LAYERS:
        cases = [
            Case(summary.name, summary.check, tuple(row for row in summary.rows if is_judgeable(row, summary.check)))
            for summary in summaries
            if summary.check.layer == layer
        ]
        failed |= judge(cases, checkpoint=layer, now=now, run_id=run_id)
    return [
        result for summary in summaries for result in results_of(summary, failed.get(summary.name, ()), feeds or {})
    ]
