"""Findings as sentences: value, interval, target, signal, and never a causal word."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, words
from pipeline.reports.model import Value

NOT_CAUSAL = "compares groups that were not randomised: a difference, not causal"


def side(row: Value, usual: float | None, metric: AnyMetric) -> str:
    """Where the judged point lies against the mean of its series, and whether that is the better side."""
    if row.value is None or usual is None or row.value == usual:
        return ""
    is_higher = row.value > usual
    better = is_higher == (metric.direction == "up")
    return f" ({'higher' if is_higher else 'lower'} than usual, the {'better' if better else 'worse'} side)"


def signal(judged: Value | None, usual: float | None, metric: AnyMetric) -> str:
    """The signal in words, with the period it was seen in."""
    if judged is None:
        return "Too few values to tell signal from noise."
    when = formats.period(judged.grain, judged.start, judged.end)
    mark = words.SIGNALS.get(judged.signal, words.SIGNALS[""])
    if judged.signal == "none":
        return f"No real change: {when} is within the usual range."
    if judged.signal == "trial":
        return "No real change so far, on trial limits (fewer than 13 points)."
    return f"Signal, {mark.word}: {mark.explains}, {when}{side(judged, usual, metric)}."


def course(judged: Value | None, usual: float | None, metric: AnyMetric) -> str:
    """The title of a chart: the KPI, the signal in a word or two, and when."""
    if judged is None:
        return f"{metric.name}: not judged, too few values"
    mark = words.SIGNALS.get(judged.signal, words.SIGNALS[""])
    found = side(judged, usual, metric) if judged.signal not in ("none", "trial") else ""
    return f"{metric.name}: {mark.word}, {formats.period(judged.grain, judged.start, judged.end)}{found}"


def against_target(row: Value, metric: AnyMetric) -> str:
    """How the value stands against its target."""
    if metric.target is None:
        return "no target is set"
    mark = words.verdict(row)
    if mark.word == "inconclusive":
        return f"it cannot be told from the target of {words.target(metric)}"
    return f"the target of {words.target(metric)} was {mark.word}"


def value(row: Value, metric: AnyMetric) -> str:
    """The value as it stands in sentences, with more decimals when it would round onto its target."""
    limit = words.limit(metric)
    if row.value is None:
        return formats.figure(row).text
    return formats.beside(row.value, limit, row.unit) if limit is not None else formats.amount(row.value, row.unit)


def _spread(row: Value) -> str:
    span = formats.interval(row).text
    n = formats.count(row.n).text
    return f"exact count, n = {n}" if span == "exact" else f"95 % interval {span}, n = {n}"


def headline(row: Value | None, judged: Value | None, usual: float | None, metric: AnyMetric) -> str:
    """One KPI in a sentence or two."""
    if row is None:
        return f"{metric.name} is not available: no value was handed on."
    if row.value is None:
        return f"{metric.name} is not available: {formats.figure(row).why}."
    when = formats.period(row.grain, row.start, row.end)
    causal = "" if words.is_causal(metric) else f" ({NOT_CAUSAL})"
    return (
        f"{metric.name}{causal}: {value(row, metric)} ({_spread(row)}), {when}; "
        f"{against_target(row, metric)}. {signal(judged, usual, metric)}"
    )


def _name(metric: AnyMetric) -> str:
    """The name inside a sentence: lower case unless it begins with an abbreviation."""
    return metric.name[:1].lower() + metric.name[1:] if metric.name[1:2].islower() else metric.name


def _phrase(row: Value, metric: AnyMetric) -> str:
    return f"{_name(metric)} {value(row, metric)}"


def _verb(group: Sequence[tuple[Value, AnyMetric]], verb: str) -> str:
    if len(group) == 1:
        row, metric = group[0]
        return f"{_name(metric)} {verb} its target: {value(row, metric)} against {words.target(metric)}"
    return f"{formats.listed([_phrase(row, metric) for row, metric in group])} {verb} their targets"


def finding(rows: Sequence[tuple[Value | None, AnyMetric]]) -> str:
    """The finding of a page as one sentence: what missed first, then what is open, then what met."""
    known = [(row, metric) for row, metric in rows if row is not None and row.value is not None]
    if not known:
        return "Nothing can be said yet: no number of this role is available"
    parts = []
    for wanted, verb in (("missed", "missed"), ("inconclusive", "cannot be told from"), ("met", "met")):
        group = [(row, metric) for row, metric in known if metric.target and words.verdict(row).word == wanted]
        parts += [_verb(group, verb)] if group else []
    parts += [f"{_phrase(row, metric)}, no target set" for row, metric in known if metric.target is None]
    absent = [_name(metric) for row, metric in rows if row is None or row.value is None]
    parts += [f"{formats.listed(absent)} not available"] if absent else []
    sentence = "; ".join(parts)
    return sentence[:1].upper() + sentence[1:]
