"""What got worse: KPIs with a real change for the worse, and targets that are missed now and were not before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, sentences, words
from pipeline.reports.aims import aims_of
from pipeline.reports.answer import unsettled
from pipeline.reports.model import Value, Worse, WorseLine
from pipeline.reports.rows import Edition, kpi_href
from pipeline.reports.values import QUIET, judged, prior

SHOWN = 5
"""More than this is no line any more; the scorecards below have the rest."""
RULE = (
    "Worse is a signal (a real change for the worse, outside the usual range), or a target missed now and not missed "
    "before."
)
_BEFORE = {"met": "met", "inconclusive": "was open on"}
"""How a target stood that was not missed."""


def worse(edition: Edition, kpi_ids: Iterable[str]) -> WorseLine:
    """What got worse of some KPIs: targets no longer met first, then real changes; that nothing did is a result."""
    ids = list(dict.fromkeys(kpi_ids))
    known = [kpi for kpi in ids if _has_value(edition, kpi)]
    able = [kpi for kpi in known if _can_be_judged(edition, kpi)]
    turned = [_worse(edition, kpi, said) for kpi in able if (said := _turned(edition, kpi))]
    named = {one.kpi_id for one in turned}
    moved = [_worse(edition, kpi, said) for kpi in able if kpi not in named and (said := _moved(edition, kpi))]
    found = turned + moved
    told = found[:SHOWN]
    note = _note(len(ids), len(ids) - len(known), len(known) - len(able))
    readings = dict.fromkeys(words.reading(edition.catalog.metrics[one.kpi_id]) for one in told)
    named |= {one.kpi_id for one in moved}
    still = _still([said for kpi in able if kpi not in named and (said := _farther(edition, kpi))])
    return WorseLine(
        title=_title(len(able), len(found)),
        note=" ".join(filter(None, (*readings, note))),
        items=tuple(told),
        left_off=len(found) - len(told),
        still=still,
    )


def _title(able: int, count: int) -> str:
    """How many of how many; a KPI that nothing can be said of is not counted as well."""
    if not able:
        return "no KPI has enough data to tell"
    return f"{count or 'none'} of the {formats.counted(able, 'KPI')} with a target or a usual range"


def _still(said: list[str]) -> str:
    """What was missed before and is farther from its target now, which no rule calls worse."""
    if not said:
        return ""
    return (
        f"Missed before as well, and farther from the target now, though no signal says worse: {formats.listed(said)}."
    )


def _farther(edition: Edition, kpi_id: str) -> str:
    """The value now and before of a target that is missed at both times, and by more now; empty when not so."""
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    before = now and prior(edition.values, now)
    if now is None or before is None or _is_moved(metric, before, now):
        return ""
    if {words.verdict(one).word for one in (now, before)} != {"missed"}:
        return ""
    was, is_now = (one.high if metric.headline == "upper_bound" else one.value for one in (before, now))
    if was is None or is_now is None or is_now == was or (is_now > was) == (metric.direction == "up"):
        return ""
    owner = edition.catalog.roles[metric.owner].title
    is_open = metric.cumulative and edition.data.roi is not None and unsettled(edition.data.roi)
    settles = "; its last month has all costs, and benefits only when they are settled" if is_open else ""
    return f"{metric.name} {sentences.value(now, metric)} ({sentences.value(before, metric)} before; {owner}{settles})"


def _note(whole: int, unknown: int, unjudged: int) -> str:
    """The rule, and what becomes of the KPIs that cannot be judged, so that the counts add up."""
    parts = [f"{unknown} without a value now"] if unknown else []
    parts += [f"{unjudged} with neither of the two"] if unjudged else []
    left = f" Left out of {formats.counted(whole, 'KPI')}: {formats.listed(parts)}." if parts else ""
    return RULE + left


def _has_value(edition: Edition, kpi_id: str) -> bool:
    now = edition.current(kpi_id)
    return now is not None and now.value is not None


def _can_be_judged(edition: Edition, kpi_id: str) -> bool:
    """Return whether a KPI with a value has a target or was looked at for a real change."""
    metric = edition.catalog.metrics[kpi_id]
    return metric.target is not None or judged(edition.values, kpi_id, metric) is not None


def _worse(edition: Edition, kpi_id: str, said: str) -> Worse:
    metric = edition.catalog.metrics[kpi_id]
    owner, due = edition.catalog.roles[metric.owner].title, formats.day(due_day(edition.as_of, metric.grain))
    return Worse(kpi_id, metric.name, kpi_href(kpi_id), owner, said, f"next value due {due}")


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
    """A target that is missed now and was not in the period before; empty when not so."""
    metric, now = edition.catalog.metrics[kpi_id], edition.current(kpi_id)
    if metric.target is None or now is None or words.verdict(now).word != "missed":
        return ""
    before = prior(edition.values, now)
    if before is None or _is_moved(metric, before, now) or (stood := _BEFORE.get(words.verdict(before).word)) is None:
        return ""
    return (
        f"{stood} its target of {words.target(metric)} before ({sentences.value(before, metric)}) and misses it now: "
        f"{sentences.value(now, metric)}{edition.by_severity(kpi_id)} ({formats.when(now)}){_usual(edition, kpi_id)}"
    )


def _is_moved(metric: AnyMetric, before: Value, now: Value) -> bool:
    """Return whether the target moved between two values, so that a verdict says nothing of how the value did."""
    return len({*aims_of((before, now), metric)}) > 1


def _usual(edition: Edition, kpi_id: str) -> str:
    """What stands beside a missed target whose value is within its usual range all the same."""
    seen = judged(edition.values, kpi_id, edition.catalog.metrics[kpi_id])
    is_quiet = seen is not None and seen.signal in QUIET
    return ", although that is within its usual range" if is_quiet else ""


def _moved(edition: Edition, kpi_id: str) -> str:
    """A signal for the worse at the newest point that was judged; empty without one."""
    metric = edition.catalog.metrics[kpi_id]
    seen = judged(edition.values, kpi_id, metric)
    if seen is None or seen.value is None or seen.signal in QUIET or metric.cumulative:
        return ""
    found = sentences.side(seen, metric)
    if found is None or found.judgement != "worse":
        return ""
    lasts = sentences.since(edition.began(seen))
    when = f"{lasts.strip()}, now" if lasts else f"{formats.when(seen)},"
    return f"{found.where} than usual {when} {formats.amount(seen.value, seen.unit)} ({words.signal(seen).word})"


def spoken(line: WorseLine) -> Iterator[str]:
    """The line as plain sentences, for mail: the title, then one per KPI."""
    yield f"What got worse: {line.title}."
    for one in line.items:
        yield f"{one.name} ({one.owner}, {one.due}): {one.what}"
    if line.left_off:
        yield f"and {line.left_off} more"
    if line.still:
        yield line.still
    yield line.note
