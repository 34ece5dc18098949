"""The words and shapes for status, verdict, signal and flag; the whole vocabulary of the pages in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from pipeline.catalog.formulas import formula_line
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.target import Target, written
from pipeline.catalog.units import things_of
from pipeline.reports.formats import THIN, amount, day, figure, goal
from pipeline.reports.model import Figure, Mark, Record, Value

VERDICTS = {
    "met": Mark("met", "tick", "good", "the whole interval is on the right side of the target"),
    "missed": Mark("missed", "cross", "bad", "the whole interval is on the wrong side of the target"),
    "inconclusive": Mark("inconclusive", "query", "open", "the interval spans the target, or the data is thin"),
    "": Mark("no target", "dash", "quiet", "no target holds for it"),
}
# "Judged" is said of values against their target alone; whether a value changed is a signal, and needs a usual range.
NOT_JUDGED = Mark("not judged", "dash", "quiet", "no value to hold against the target")

STATUSES = {
    "final": Mark("final", "ring", "quiet", "every KPI of the role has a closed, sufficient value"),
    "provisional": Mark(
        "provisional",
        "query",
        "open",
        "thin data, an open period, a check on it failed, or a file of its sources was refused",
    ),
    "incomplete": Mark(
        "incomplete",
        "half",
        "open",
        "a KPI has no value, a blocking check on it failed, or a file it rests on is held back",
    ),
    "not built": Mark("not built", "dash", "quiet", "no KPI of the role has data yet"),
}

SIGNALS = {
    "none": Mark("no real change", "ring", "quiet", "within its process limits"),
    "outside_limits above": Mark(
        "above the upper limit", "diamond", "open", "above the mean + 2.66 mean moving ranges"
    ),
    "outside_limits below": Mark(
        "below the lower limit", "diamond", "open", "below the mean − 2.66 mean moving ranges"
    ),
    "shift": Mark("shift", "step", "open", "seven points in a row on one side of the mean"),
    "trend": Mark("trend", "slope", "open", "seven points in a row rising or falling"),
    "near_limit above": Mark("near the upper limit", "half", "open", "two of three points close to the upper limit"),
    "near_limit below": Mark("near the lower limit", "half", "open", "two of three points close to the lower limit"),
    "trial": Mark(
        "trial limits", "dotted", "quiet", "fewer than 13 points: nothing found, and the usual range may still move"
    ),
    "": Mark("no usual range", "dash", "quiet", "too few data per period to tell a real change from noise"),
}

NO_VALUE = Mark("no value now", "dash", "quiet", "there is no value now, so no change can be told")
RUNNING_TOTAL = Mark("running total", "dash", "quiet", "a running total repeats the months before it: no usual range")

LOADS = {
    "loaded": Mark("loaded", "tick", "good", "every row was taken or is a duplicate"),
    "in part": Mark("loaded in part", "half", "open", "some rows are quarantined"),
    "quarantined": Mark("quarantined", "cross", "bad", "nothing of this file was taken"),
    "mended": Mark("mended", "tick", "quiet", "a newer file of the same name has replaced it"),
    "duplicate": Mark(
        "duplicate", "dash", "quiet", "the same content as a file that arrived before; its rows are not counted again"
    ),
    "ignored": Mark("ignored", "dash", "quiet", "known, and deliberately not loaded"),
}

FLAGS = {
    "p": Mark("provisional", "p", "open", "may still change"),
    "r": Mark("restated", "r", "open", "reads differently than in the last edition"),
    "s": Mark("suppressed", "s", "quiet", "a slice is withheld to protect fewer than 5 people"),
}

SIMULATED = (
    "P10, P50 and P90 are the low end, the middle and the high end of the draws. The number as counted takes every "
    "figure at its base; P50 need not equal it, for ranges reach further to one side of the base than to the other, "
    "and figures are multiplied. n counts the claims behind it, whether they count or not: a line of benefit in one "
    "use case and month."
)
"""How a simulated range stands to the number beside it, and what its n counts."""
UPPER_BOUND = (
    "The number behind ≤ is the upper end of the interval, and leads because few or none seen are no proof that there "
    "are no more; “seen” is what was counted."
)
"""How the two numbers of `leading` are to be read."""

STATUS_WORDS = {
    "computed": "computed",
    "insufficient_data": "too few data",
    "immature": "still open",
    "not_available": "not available",
}


def interval_name(rows: Iterable[Value]) -> str:
    """What the intervals of some values of one KPI are."""
    return "P10 to P90" if any(row.method == "simulation" for row in rows) else "95 % interval"


def status(row: Value, metric: AnyMetric) -> str:
    """The status of a value in words; too few data comes first, because waiting alone will not mend it."""
    if row.status == "immature" and row.n is not None and row.n < metric.min_n:
        return f"{STATUS_WORDS['insufficient_data']}, {STATUS_WORDS['immature']}"
    return STATUS_WORDS.get(row.status, row.status)


def verdict(row: Value) -> Mark:
    """The verdict against the target; without a value there is nothing to judge."""
    return NOT_JUDGED if row.value is None else VERDICTS.get(row.verdict, VERDICTS["inconclusive"])


def signal(row: Value) -> Mark:
    """The signal of a point that was judged; of limits there are two, and it says which."""
    return SIGNALS.get(f"{row.signal} {row.side}") or SIGNALS.get(row.signal, SIGNALS[""])


def target(metric: AnyMetric) -> str:
    """The target in words."""
    if metric.target is None:
        return f"no number set; {metric.aim}" if metric.aim else "none set"
    return aimed(metric.target, metric.unit)


def aimed(aim: Target, unit: str) -> str:
    """One target in words, without its day."""
    return f"{aim.side.replace('_', ' ')} {goal(aim.value, unit)}"


def holding(metric: AnyMetric, day_told: date) -> AnyMetric:
    """The KPI with the target that holds on a day; one that is to come is named among its aims."""
    held = metric.target_on(day_told)
    if held == metric.target:
        return metric
    before = metric.earlier_targets[: metric.earlier_targets.index(held)] if held else ()
    coming = "; then ".join(f"{aimed(one, metric.unit)} from {day(one.since)} on" for one in metric.targets
                            if one.since > day_told)  # fmt: skip
    aim = "; ".join(filter(None, (metric.aim, coming)))
    return metric.model_copy(update={"target": held, "earlier_targets": before, "aim": aim})


def target_source(metric: AnyMetric) -> str:
    """Who says the target, since when it holds, and what is to come."""
    if metric.target is None:
        return "none set"
    return "; ".join(filter(None, (f"{metric.target.source}, since {day(metric.target.since)}", metric.aim)))


def is_applicable(check: Record) -> bool:
    """Whether a check had anything to judge; one that had not neither passed nor failed."""
    return not check["passed"] or not str(check["expected"]).startswith("not applicable")


def targets_told(catalog: Catalog, as_of: str) -> dict[str, dict[str, object]]:
    """What an edition keeps of targets, which the hash of a definition does not cover.

    `targets` has the one of each KPI in words that holds on the last day with data (ISO), `dated_targets` all of them.
    """
    day_told = date.fromisoformat(as_of)
    return {
        "targets": {kpi_id: target(holding(metric, day_told)) for kpi_id, metric in catalog.metrics.items()},
        "dated_targets": {kpi_id: written(metric.targets) for kpi_id, metric in catalog.metrics.items()},
    }


def edition_status(roles: Sequence[Mark]) -> Mark:
    """The status of an edition: the worst of its roles; roles that are not built count only when all are."""
    order = ("incomplete", "provisional", "final", "not built")
    return min(roles, key=lambda mark: order.index(mark.word), default=STATUSES["not built"])


def worst(marks: Sequence[Mark]) -> Mark:
    """The verdict to show for several KPIs: one that missed, else one that is open, else one that met."""
    order = ("missed", "inconclusive", "met", "no target")
    return min(marks, key=lambda mark: order.index(mark.word) if mark.word in order else len(order), default=NOT_JUDGED)


def limit(metric: AnyMetric) -> float | None:
    """The target as a number."""
    return None if metric.target is None else float(metric.target.value)


def formula(metric: AnyMetric) -> str:
    """The formula as the catalogue has it, in one line."""
    return formula_line(metric)


def leading(row: Value, metric: AnyMetric) -> Figure:
    """The number a page leads with: the upper end of the interval where none seen proves nothing, and what was seen."""
    if metric.headline == "upper_bound" and row.value is not None and row.high is not None:
        of = f" {things}" if (things := things_of(metric)) else ""
        return Figure(f"≤{THIN}{amount(row.high, row.unit)}{of} ({amount(row.value, row.unit)} seen)", "value")
    return figure(row)


def reading(metric: AnyMetric) -> str:
    """How what a page leads with is to be read; empty for a plain value."""
    return UPPER_BOUND if metric.headline == "upper_bound" else ""


def seen(value: float, metric: AnyMetric) -> str:
    """A number of which no upper end is known, so that it is never taken for the one a page leads with."""
    told = amount(value, metric.unit)
    return f"{told} seen" if metric.headline == "upper_bound" else told


def is_causal(metric: AnyMetric) -> bool:
    """False for comparisons of groups that were not randomised; their pages say so."""
    return metric.kind != "difference"
