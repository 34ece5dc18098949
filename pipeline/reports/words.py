"""The words and shapes for status, verdict, signal and flag; the whole vocabulary of the pages in one place."""

from __future__ import annotations

from pipeline.catalog.model import Metric, Total
from pipeline.reports.formats import amount
from pipeline.reports.model import Mark, Value

VERDICTS = {
    "met": Mark("met", "tick", "good", "the whole interval is on the right side of the target"),
    "missed": Mark("missed", "cross", "bad", "the whole interval is on the wrong side of the target"),
    "inconclusive": Mark("inconclusive", "query", "open", "the interval spans the target, or the data is thin"),
    "": Mark("no target", "dash", "quiet", "nobody has set a target"),
}
NOT_JUDGED = Mark("not judged", "dash", "quiet", "no value to hold against the target")

STATUSES = {
    "final": Mark("final", "tick", "good", "every KPI of the role has a closed, sufficient value"),
    "provisional": Mark("provisional", "query", "open", "a value may still change: too few data, or its period is open"),
    "incomplete": Mark("incomplete", "cross", "bad", "a KPI has no value, or a blocking check on it failed"),
    "not built": Mark("not built", "dash", "quiet", "no KPI of the role has data yet"),
}

SIGNALS = {
    "none": Mark("no real change", "ring", "quiet", "within its process limits"),
    "outside_limits": Mark("outside limits", "diamond", "open", "the last point is beyond mean ± 2.66 moving ranges"),
    "shift": Mark("shift", "step", "open", "seven points in a row on one side of the mean"),
    "trend": Mark("trend", "slope", "open", "seven points in a row rising or falling"),
    "near_limit": Mark("near a limit", "half", "open", "two of three points close to a limit"),
    "trial": Mark("trial limits", "dotted", "quiet", "fewer than 13 points, nothing found so far"),
    "": Mark("not judged", "dash", "quiet", "too few values to tell signal from noise"),
}

FLAGS = {
    "p": Mark("provisional", "p", "open", "may still change"),
    "r": Mark("restated", "r", "open", "reads differently than in the last edition"),
    "s": Mark("suppressed", "s", "quiet", "a slice of fewer than 5 people is withheld"),
}

STATUS_WORDS = {
    "computed": "computed",
    "insufficient_data": "too few data",
    "immature": "still open",
    "not_available": "not available",
}


def verdict(row: Value) -> Mark:
    """The verdict against the target; without a value there is nothing to judge."""
    return NOT_JUDGED if row.value is None else VERDICTS.get(row.verdict, VERDICTS["inconclusive"])


def target(metric: Metric) -> str:
    """The target in words."""
    if metric.target is None:
        return "none set"
    if metric.target.at_least is not None:
        return f"at least {amount(float(metric.target.at_least), metric.unit)}"
    return f"at most {amount(float(metric.target.at_most or 0), metric.unit)}"


def limit(metric: Metric) -> float | None:
    """The target as a number."""
    if metric.target is None:
        return None
    side = metric.target.at_least if metric.target.at_least is not None else metric.target.at_most
    return None if side is None else float(side)


def formula(metric: Metric) -> str:
    """The formula as the catalogue has it, in one line."""
    if metric.kind in ("ratio", "snapshot"):
        last = ", on the last day with data" if metric.kind == "snapshot" else ""
        return f"{metric.numerator} ÷ {metric.denominator}{last}"  # type: ignore[union-attr]
    if isinstance(metric, Total):
        return metric.total
    if metric.kind == "percentile":
        return f"{metric.percentile:.0%} quantile of {metric.value}, merged from histograms"
    if metric.kind == "survival_median":
        return f"Kaplan–Meier median of {metric.end} − {metric.start}, open ones censored"
    return f"share of {metric.value} where {metric.arm} = {metric.treated} minus where {metric.arm} = {metric.control}"


def is_causal(metric: Metric) -> bool:
    """False for comparisons of groups that were not randomised; their pages say so."""
    return metric.kind != "difference"
