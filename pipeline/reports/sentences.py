"""Findings as sentences: value, interval, target, signal, and never a causal word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, words
from pipeline.reports.model import Value

NO_VALUE = "nothing was computed for this KPI"
NOT_CAUSAL = "compares groups that were not randomised: a difference, not causal"


@dataclass(frozen=True)
class Side:
    """Where a judged point lies against the mean of its series, and whether that is better or worse."""

    where: str
    judgement: str


def since(began: Value | None) -> str:
    """Since when a signal has lasted, to stand after other words; empty for a single point."""
    if began is None:
        return ""
    when = formats.period(began.grain, began.start, began.end)
    return f" since {'the ' if began.grain == 'week' else ''}{when}"


def side(row: Value, metric: AnyMetric) -> Side | None:
    """Higher or lower than usual; None without a signal."""
    if not row.side:
        return None
    is_higher = row.side == "above"
    is_better = is_higher == (metric.direction == "up")
    return Side("higher" if is_higher else "lower", "better" if is_better else "worse")


def moved(judged: Value | None, began: Value | None, metric: AnyMetric) -> str:
    """The signal in a few words, without its rule; a run says since when it lasts."""
    if metric.cumulative:
        return "a running total, which has no usual range"
    if judged is None:
        return f"no usual range (too few data per {metric.grain})"
    if judged.signal in ("none", "trial"):
        return "no real change" + (" so far" if judged.signal == "trial" else "")
    found = side(judged, metric)
    return (f"real change for the {found.judgement}" if found else "real change") + since(began)


def signal(judged: Value | None, began: Value | None, metric: AnyMetric) -> str:
    """The signal as a sentence, with the period it was seen in and the rule that found it."""
    if metric.cumulative:
        return "A running total repeats the months before it, so it has no usual range."
    if judged is None:
        return f"Too few data per {metric.grain} to tell a real change from noise."
    when = formats.when(judged)
    if judged.signal == "none":
        return f"No real change: {when} is within the usual range."
    if judged.signal == "trial":
        return "No real change so far; with fewer than 13 points the usual range may still move."
    found = side(judged, metric)
    where = f"{when} is {found.where} than usual" if found else when
    said = moved(judged, began, metric)
    return f"{said[:1].upper()}{said[1:]}: {where} ({words.signal(judged).explains})."


def course(judged: Value | None, began: Value | None, metric: AnyMetric, *, is_known: bool = True) -> str:
    """The title of a chart: the KPI, what became of it, and when; of one without a value now, that it has none."""
    if not is_known:
        return f"{metric.name}: no value now, so no change can be told"
    said = f"{metric.name}: {moved(judged, began, metric)}"
    if judged is None or began is not None:
        return said
    return f"{said}, {formats.when(judged)}"


def against_target(row: Value, metric: AnyMetric) -> str:
    """How the value stands against its target."""
    if metric.target is None:
        return "no target is set"
    mark = words.verdict(row)
    if mark.word == "inconclusive" and row.status == "computed":
        return f"inconclusive, because the interval spans the target of {words.target(metric)}"
    if mark.word == "inconclusive":
        state = words.status(row, metric)
        return f"not yet judged against the target of {words.target(metric)} ({state})"
    return f"the target of {words.target(metric)} was {mark.word}"


def value(row: Value, metric: AnyMetric) -> str:
    """The value as it stands in sentences, with more decimals when it would round onto its target."""
    limit = words.limit(metric)
    if row.value is None or metric.headline == "upper_bound":
        return words.leading(row, metric).text
    return formats.beside(row.value, limit, row.unit) if limit is not None else formats.amount(row.value, row.unit)


def spread(row: Value) -> str:
    """The interval and n of a value."""
    span = formats.interval(row)
    n = formats.count(row.n).text
    if span.text == "exact":
        return f"exact count, n = {n}"
    name = "in 8 of 10 draws" if row.method == "simulation" else "95 % interval"
    return f"{name} {span.text}, n = {n}" if span.state == "value" else f"{span.why}, n = {n}"


def absent(row: Value | None, last: Value | None, metric: AnyMetric) -> str:
    """Why there is no value, and the last one there was."""
    why = formats.figure(row).why if row else NO_VALUE
    if last is None:
        return why
    when = formats.when(last)
    return f"{why}; last known {words.leading(last, metric).text} ({spread(last)}), {when}"


SEVERITY = "severity"
"""The dimension that a count of what went wrong is never told without."""


def by_severity(slices: Sequence[Value]) -> str:
    """How much of a count is of which severity, to stand after it; empty where nothing is counted by severity."""
    seen = [one for one in slices if one.dimension == SEVERITY and one.value and one.unit == "count"]
    held = sorted(seen, key=lambda one: one.dimension_value)
    told = [f"{formats.amount(one.value or 0.0, one.unit)} of {one.dimension_value}" for one in held]
    return f", by severity {formats.listed(told)}" if told else ""


def headline(row: Value | None, last: Value | None, moves: str, metric: AnyMetric, severity: str = "") -> str:
    """One KPI in a sentence or two; `last` is the last known value when there is none now, `moves` the signal."""
    if row is None or row.value is None:
        return f"{metric.name} is not available: {absent(row, last, metric)}."
    when = formats.when(row)
    causal = "" if words.is_causal(metric) else f" ({NOT_CAUSAL})"
    told = f"{metric.name}{causal}: {value(row, metric)}{severity} ({spread(row)})"
    reading = f" {words.reading(metric)}".rstrip()
    return f"{told}, {when}; {against_target(row, metric)}. {moves}{reading}"


def _name(metric: AnyMetric) -> str:
    """The name inside a sentence: lower case unless it begins with an abbreviation."""
    return metric.name[:1].lower() + metric.name[1:] if metric.name[1:2].islower() else metric.name


def _told(row: Value, metric: AnyMetric) -> str:
    """The value, and since when a running total counts."""
    return f"{value(row, metric)} {formats.since(row)}".rstrip()


def _phrase(row: Value, metric: AnyMetric) -> str:
    return f"{_name(metric)} {_told(row, metric)}"


def _group(group: Sequence[tuple[Value, AnyMetric]], verb: str) -> str:
    """KPIs of one verdict as a clause."""
    if len(group) == 1:
        row, metric = group[0]
        if verb == "inconclusive":
            return f"{_phrase(row, metric)} is inconclusive against its target of {words.target(metric)}"
        return f"{_name(metric)} {verb} its target of {words.target(metric)}: {_told(row, metric)}"
    said = formats.listed([_phrase(row, metric) for row, metric in group])
    return (
        f"{said} are inconclusive against their targets" if verb == "inconclusive" else f"{said} {verb} their targets"
    )


def finding(rows: Sequence[tuple[Value | None, Value | None, str, AnyMetric]]) -> str:
    """The finding of a page as one sentence: what missed first, then what is open, then what met.

    A row is the value now, the last known one, the movement in words, and the KPI.
    """
    known = [(row, moves, metric) for row, _, moves, metric in rows if row is not None and row.value is not None]
    if not known:
        return _nothing(rows)
    parts = []
    for verdict in ("missed", "inconclusive", "met"):
        group = [(row, metric) for row, _, metric in known if metric.target and words.verdict(row).word == verdict]
        parts += [_group(group, verdict)] if group else []
    parts += _aimless([one for one in known if not one[2].target])
    missing = [_name(metric) for row, _, _, metric in rows if row is None or row.value is None]
    parts += [f"{formats.listed(missing)} not available"] if missing else []
    return _sentence("; ".join(parts))


def _aimless(known: Sequence[tuple[Value, str, AnyMetric]]) -> list[str]:
    """KPIs that have no target as clauses, those of one movement together; that they have none is said once."""
    by_move: dict[str, list[str]] = {}
    for row, moves, metric in known:
        by_move.setdefault(moves, []).append(_phrase(row, metric))
    told = [f"{formats.listed(phrases)}, {moves}" for moves, phrases in by_move.items()]
    return [f"without a target: {'; '.join(told)}"] if told else []


def _nothing(rows: Sequence[tuple[Value | None, Value | None, str, AnyMetric]]) -> str:
    """The finding of a page that has no number now: since when, or that there never was one."""
    old = [(last, metric) for _, last, _, metric in rows if last is not None]
    if not old:
        return "Nothing can be said yet: no number of this role is available"
    newest = max((last for last, _ in old), key=lambda last: last.end)
    since = formats.when(newest)
    names = formats.listed([_name(metric) for _, metric in old])
    return _sentence(f"{names}: no current value; last measured: {since}")


NAMED = 3
"""More names than this make a title nobody reads; the table of all KPIs has the rest."""


def programme(rows: Sequence[tuple[Value | None, AnyMetric]]) -> str:
    """The finding of an edition: how many targets that can be judged were met, which were not, what is unknown."""
    known = [(row, metric) for row, metric in rows if row is not None and row.value is not None]
    if not known:
        return "Nothing can be said yet: no KPI has a current value"
    parts = [_targets(known, sum(metric.target is not None for _, metric in rows))]
    if missing := len(rows) - len(known):
        place = 0 if missing > len(known) else len(parts)
        parts.insert(place, f"{missing} of {len(rows)} KPIs have no current value")
    return _sentence("; ".join(parts))


def _targets(known: Sequence[tuple[Value, AnyMetric]], targets: int) -> str:
    """How the targets stand; `targets` counts those of KPIs without a value as well."""
    aimed = [(words.verdict(row).word, metric) for row, metric in known if metric.target]
    if not aimed:
        return f"none of the {targets} targets can be judged" if targets else "no target is set"
    met, missed = ([_name(metric) for word, metric in aimed if word == verdict] for verdict in ("met", "missed"))
    if len(aimed) == 1:
        said = "met" if met else "missed" if missed else "open"
        return (
            f"the one target {'there is' if targets == 1 else 'that can be judged'}, of {_name(aimed[0][1])}, is {said}"
        )
    which = "targets" if len(aimed) == targets else "targets that can be judged"
    parts = [f"{len(met)} of the {len(aimed)} {which} {'is' if len(met) == 1 else 'are'} met"]
    parts += [f"{len(missed)} missed ({_few(missed)})"] if missed else []
    is_open = len(aimed) - len(met) - len(missed)
    return formats.listed([*parts, *([f"{is_open} open"] if is_open else [])])


def _few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    left = len(names) - NAMED
    return formats.listed([*names[:NAMED], f"{left} more"] if left > 0 else list(names))


def _sentence(said: str) -> str:
    return said[:1].upper() + said[1:]
