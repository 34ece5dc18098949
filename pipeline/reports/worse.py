"""What got worse: KPIs that turned to missing their target, or whose newest point is worse than usual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from pipeline.reports import formats, sentences, words
from pipeline.reports.model import Worse, WorseLine
from pipeline.reports.rows import Edition, kpi_href
from pipeline.reports.values import QUIET, judged, prior

SHOWN = 5
"""More than this is no line any more; the scorecards below have the rest."""
NOTHING = "nothing got worse: no target turned to missed, and no KPI left its usual range for the worse"


def worse(edition: Edition, kpi_ids: Iterable[str]) -> WorseLine:
    """What got worse of some KPIs: targets that turned to missed first, then signals; that nothing did is a result."""
    ids = list(dict.fromkeys(kpi_ids))
    turned = [_worse(edition, kpi, said) for kpi in ids if (said := _turned(edition, kpi))]
    named = {one.kpi_id for one in turned}
    moved = [_worse(edition, kpi, said) for kpi in ids if kpi not in named and (said := _moved(edition, kpi))]
    found = turned + moved
    return WorseLine(_title(edition, ids, len(found)), tuple(found[:SHOWN]), max(len(found) - SHOWN, 0))


def _title(edition: Edition, ids: list[str], count: int) -> str:
    """How many of how many; a KPI that nothing can be said of is not counted as well."""
    able = sum(_can_be_judged(edition, kpi) for kpi in ids)
    if not able:
        return "no KPI has enough data to tell"
    of = f"{count} of the {formats.counted(able, 'KPI')} that can be judged"
    return of if count else f"{NOTHING} ({of})"


def _can_be_judged(edition: Edition, kpi_id: str) -> bool:
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    has_verdict = metric.target is not None and now is not None and now.value is not None
    seen = judged(edition.values, kpi_id, metric)
    return has_verdict or (seen is not None and seen.value is not None)


def _worse(edition: Edition, kpi_id: str, said: str) -> Worse:
    metric = edition.catalog.metrics[kpi_id]
    owner, due = edition.catalog.roles[metric.owner].title, formats.day(due_day(edition.as_of, metric.grain))
    return Worse(kpi_id, metric.name, kpi_href(kpi_id), owner, said, due)


def due_day(as_of: date, grain: str) -> date:
    """Last day of the period of a cadence that runs after the last day with data: when the next value is told."""
    first = as_of + timedelta(days=1)
    if grain == "day":
        return first
    if grain == "week":
        return first + timedelta(days=6 - first.weekday())
    month = first.month if grain == "month" else 3 * ((first.month + 2) // 3)
    return date(first.year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _turned(edition: Edition, kpi_id: str) -> str:
    """A target that is missed now and was not missed in the period before; empty when not so."""
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    if metric.target is None or now is None or words.verdict(now).word != "missed":
        return ""
    before = prior(edition.values, now)
    if before is None or words.verdict(before).word == "missed":
        return ""
    was = "met" if words.verdict(before).word == "met" else "inconclusive"
    return (
        f"turned to missing its target of {words.target(metric)}: {sentences.value(now, metric)} "
        f"({formats.when(now)}), before {sentences.value(before, metric)} ({was})"
    )


def _moved(edition: Edition, kpi_id: str) -> str:
    """A signal for the worse at the newest point that was judged; empty without one."""
    metric = edition.catalog.metrics[kpi_id]
    seen = judged(edition.values, kpi_id, metric)
    if seen is None or seen.value is None or seen.signal in QUIET or metric.cumulative:
        return ""
    past = edition.past(seen)
    found = sentences.side(seen, past, metric)
    if found is None or found.judgement != "worse":
        return ""
    when = f"{past.since.strip()}, now" if past.since else f"{formats.when(seen)},"
    shape = words.SIGNALS[seen.signal].word
    return f"{found.where} than usual {when} {formats.amount(seen.value, seen.unit)} ({shape})"


def spoken(line: WorseLine) -> Iterator[str]:
    """The line as plain sentences, for mail: the title, then one per KPI."""
    yield f"What got worse: {line.title}."
    for one in line.items:
        yield f"{one.name} ({one.owner}, by {one.due}): {one.what}"
    if line.left_off:
        yield f"and {line.left_off} more"
