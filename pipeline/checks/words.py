"""From judged summaries to results in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from math import isnan

from pipeline.checks.declared import Check
from pipeline.checks.results import NO_ROWS, CheckResult
from pipeline.checks.summaries import Row, Summary
from pipeline.errors import ConfigurationError

Feeds = Mapping[str, Sequence[str]]
"""Canonical table -> the KPIs that rest on it."""
_SHOWN = 3


def is_judgeable(row: Row, check: Check) -> bool:
    """The row rests on data, nothing keeps it from being judged, and what is to be judged is known."""
    return is_applicable(row) and not _unknown(row, check)


def is_applicable(row: Row) -> bool:
    """The row rests on data, and its check does not say that it cannot be judged."""
    return bool(row["n"]) and row.get("skipped") is None


def _unknown(row: Row, check: Check) -> bool:
    values = [row[column] for column in check.expectation.columns]
    return any(value is None or (isinstance(value, float) and isnan(value)) for value in values)


def results_of(summary: Summary, failed: Collection[int], feeds: Feeds) -> list[CheckResult]:
    """One result per subject; `failed` holds positions among the rows of the summary that could be judged."""
    if not summary.rows:
        reason = f"{NO_ROWS}: {', '.join(summary.absent)} is absent" if summary.absent else NO_ROWS
        return [_not_applicable(summary, summary.check.subject, reason, summary.check.kpis or ())]
    failing = _failing(summary, failed)
    return [
        _result(summary, str(subject), list(rows), failing, feeds)
        for subject, rows in groupby(summary.rows, key=lambda row: row["subject"])
    ]


def _failing(summary: Summary, failed: Collection[int]) -> set[int]:
    """Identities of the rows that failed, those whose judged values are not known among them."""
    judged = [row for row in summary.rows if is_judgeable(row, summary.check)]
    unknown = [row for row in summary.rows if is_applicable(row) and _unknown(row, summary.check)]
    return {id(judged[at]) for at in failed} | {id(row) for row in unknown}


def _result(summary: Summary, subject: str, rows: list[Row], failing: Collection[int], feeds: Feeds) -> CheckResult:
    kpis = _kpis(summary.check, rows, feeds)
    applicable = [row for row in rows if is_applicable(row)]
    if not applicable:
        return _not_applicable(summary, subject, _why_not(rows), kpis)
    bad = [row for row in applicable if id(row) in failing]
    observed = _observed(summary, bad, applicable) + _left_out(rows, len(rows) - len(applicable))
    return _build(summary, subject, observed, summary.check.expected_words, passed=not bad, kpis=kpis)


def _build(
    summary: Summary, subject: str, observed: str, expected: str, *, passed: bool, kpis: tuple[str, ...]
) -> CheckResult:
    check = summary.check
    return CheckResult(
        check=summary.name,
        layer=check.layer,
        subject=subject,
        expectation=f"{check.expectation.type}({', '.join(check.expectation.columns)})",
        observed=observed,
        expected=expected,
        passed=passed,
        severity=check.severity,
        kpis=kpis,
    )


def _not_applicable(summary: Summary, subject: str, reason: str, kpis: tuple[str, ...]) -> CheckResult:
    expected = f"not applicable; with data: {summary.check.expected_words}"
    return _build(summary, subject, reason, expected, passed=True, kpis=kpis)


def _why_not(rows: list[Row]) -> str:
    reasons = [row["skipped"] if row.get("skipped") else NO_ROWS for row in rows]
    return "; ".join(dict.fromkeys(reasons))


def _observed(summary: Summary, bad: list[Row], applicable: list[Row]) -> str:
    if bad:
        shown = "; ".join(_sentence(summary, row) for row in bad[:_SHOWN])
        return shown + (f"; and {len(bad) - _SHOWN} more {summary.check.items}" if len(bad) > _SHOWN else "")
    if len(applicable) == 1:
        return _sentence(summary, applicable[0])
    return f"all {len(applicable)} {summary.check.items} as expected"


def _left_out(rows: list[Row], count: int) -> str:
    if not count:
        return ""
    return f" ({count} not judged: {_why_not([row for row in rows if not is_applicable(row)])})"


def _sentence(summary: Summary, row: Row) -> str:
    if _unknown(row, summary.check):
        return f"{row.get('item') or row['subject']}: {', '.join(summary.check.expectation.columns)} not known"
    try:
        return summary.check.observed.format_map(row)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"check {summary.name}: its `observed` names what cannot be shown ({type(error).__name__}); "
            f"its SQL gives {', '.join(row)}."
        ) from None


def _kpis(check: Check, rows: list[Row], tables: Feeds) -> tuple[str, ...]:
    """The KPIs the check declares, else those resting on the tables its rows name, each once."""
    if check.kpis is not None:
        return check.kpis
    fed = [name for row in rows for name in _listed(row.get("feeds"))]
    return tuple(dict.fromkeys(kpi for table in tables if table in fed for kpi in tables[table]))


def _listed(feeds: object) -> list[str]:
    return str(feeds).split(",") if feeds else []
