"""What the Chief AI Officer's page must print and draw of all KPIs, from recomputed values, by where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import scorecard_text as text
from oracle_scorecard import WITHHELD, Kpi, Point
from return_page import Where
from scorecard_chart import bounds, bullet, chart, numbers, spark
from scorecard_page import figures, places

SPREAD = "Interval (95 % unless named)"
HEADS = f"{SPREAD} 12 months"
SIGNALS = {"none": "no real change", "shift": "shift", "trend": "trend", "trial": "trial limits"}
LIMITS = {
    ("outside_limits", "above"): "above the upper limit", ("outside_limits", "below"): "below the lower limit",
    ("near_limit", "above"): "near the upper limit", ("near_limit", "below"): "near the lower limit",
}  # fmt: skip
EXPLAINED = {"outside_limits": "2.66", "trial": "13"}
"""Figures in what a signal's word is explained by: 2.66 mean moving ranges, fewer than 13 points."""
STATUSES = {"computed": "computed", "insufficient_data": "too few data", "immature": "still open",
            "not_available": "not available"}  # fmt: skip
SHOWN_WORSE, SHOWN_SLICES, SHOWN_SHORT = 5, 20, 5


@dataclass(frozen=True)
class Sheet:
    """Recomputed KPIs by id in the order of the catalogue, and the roles that own and watch them."""

    kpis: Mapping[str, Kpi]
    roles: Mapping[str, Mapping[str, Any]]
    role: str
    notes: Sequence[Mapping[str, str]] = ()
    """Rows of the analyst's sheet: date, KPI or `*`, text, and who says so."""

    def noted(self, kpi: Kpi) -> list[tuple[Point, str]]:
        """The notes on a KPI that fall into what its chart draws, each with its point."""
        held = [one for one in self.notes if one["kpi"] in (kpi.kpi_id, "*")]
        days = [(date.fromisoformat(one["date"]), f"{one['text']} ({one['who']})") for one in held]
        return [(point, said) for day, said in sorted(days) for point in kpi.drawn
                if point.period.start <= day < point.period.end]  # fmt: skip

    def owned(self, role: str) -> list[Kpi]:
        """The KPIs of a role."""
        return [kpi for kpi in self.kpis.values() if kpi.definition["owner"] == role]

    @property
    def watched(self) -> list[Kpi]:
        """Those of others that the role of the page watches."""
        return [self.kpis[one] for one in self.roles[self.role]["subscribes"]
                if self.kpis[one].definition["owner"] != self.role]  # fmt: skip


def differences(page: str, wanted: Mapping[Where, str], drawn: Mapping[Where, Any]) -> list[str]:
    """Every place of the page whose figures, or whose drawing, are not those expected there."""
    found, wrong = places(page), []
    for where, said in found.items():
        if where[-1] == "spec":
            wrong += _unlike(where, numbers(json.loads(said)), drawn.get(where))
        elif where[-1] == "drawn":
            wrong += _unlike(where, said.split(" | "), drawn.get(where))
        elif figures(said) != figures(wanted.get(where, "")):
            printed, computed = figures(said), figures(wanted.get(where, ""))
            wrong.append(f"{' / '.join(where)}: printed {printed}, recomputed {computed}")
    missing = [where for where in (*wanted, *drawn) if where not in found and figures(wanted.get(where, "1"))]
    return wrong + [f"{' / '.join(where)}: not on the page" for where in missing]


def _unlike(where: Where, printed: Any, computed: Any) -> list[str]:
    return [] if printed == computed else [f"{' / '.join(where)}: drawn {printed}, recomputed {computed}"]


def expected(sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """Text with the figures of each place that tells a KPI, in their order."""
    owned = sheet.owned(sheet.role)
    yield from _worse(sheet)
    for at, kpi in enumerate(owned[:SHOWN_SHORT]):
        yield ("headlines", str(at)), _headline(kpi)
    for at, role in enumerate(one for one in sheet.roles if one != sheet.role and sheet.owned(one)):
        yield ("others", str(at)), _role(sheet.owned(role))
    for section, kpis in (("score", owned), ("watch", sheet.watched)):
        yield (section, "heads"), HEADS
        for kpi in kpis:
            yield from (((section, kpi.definition["name"], *where), said) for where, said in _card(kpi))
            slices = [one for name in kpi.definition.get("dimensions", ()) for one in kpi.shown_slices(name)]
            if kpi.is_withheld or any(one.status == WITHHELD for one in slices):
                yield (section, kpi.definition["name"], "Flags", "label"), "a slice of fewer than 5 people is withheld"
    for kpi in owned:
        yield from _slices(kpi)
        yield from ((("course", kpi.kpi_id, *where), said) for where, said in _course(kpi, sheet.noted(kpi)))


def worded(sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """The word of each verdict, signal and status, by where it stands."""
    for section, kpis in (("score", sheet.owned(sheet.role)), ("watch", sheet.watched)):
        for kpi in kpis:
            base, now, seen = (section, kpi.definition["name"]), kpi.now, kpi.judged
            verdict = (now.verdict if now.value is not None else "not judged") if now else ""
            yield (*base, "Target"), verdict if kpi.definition["target"] else "no target"
            yield (*base, "Signal"), _signal(kpi, seen) if seen else _unseen(kpi)
    for kpi in sheet.owned(sheet.role):
        for one in kpi.drawn if _has_chart(kpi) else ():
            base = ("course", kpi.kpi_id, text.when(one))
            yield (*base, "Status"), STATUSES[one.status]
            if kpi.grain == one.period.grain and one.period in kpi.signals:
                yield (*base, "Signal"), _signal(kpi, one)


def _signal(kpi: Kpi, seen: Point) -> str:
    """The word of a signal; of a limit it says which, by the mean of the points that were judged so far."""
    known = [one.value or 0.0 for one in kpi.points(kpi.grain) if one.status == "computed"
             and one.period.end <= seen.period.end]  # fmt: skip
    word = kpi.signals[seen.period]
    return SIGNALS.get(word) or LIMITS[word, "above" if known[-1] > sum(known) / len(known) else "below"]


def _unseen(kpi: Kpi) -> str:
    """Why a KPI has no signal: no value, a running total, or too few data for a usual range."""
    if kpi.now is None or kpi.now.value is None:
        return "no value now"
    return "running total" if kpi.definition.get("cumulative") else "no usual range"


def other_words(page: str, words: Mapping[Where, str]) -> list[str]:
    """Every place whose word is not the one expected there."""
    found = places(page)
    return [
        f"{' / '.join(where)}: printed {found.get(where)}, expected {word}"
        for where, word in words.items() if word not in found.get(where, "").split(" | ")
    ]  # fmt: skip


def drawn(sheet: Sheet) -> Iterator[tuple[Where, Any]]:
    """Coordinates of every small drawing, and the figure of every chart, as they must stand in the page."""
    for section, kpis in (("score", sheet.owned(sheet.role)), ("watch", sheet.watched)):
        for kpi in kpis:
            name = kpi.definition["name"]
            for column, shapes in (("Target", bullet(kpi)), ("12 months", spark(kpi.year))):
                if shapes:
                    yield (section, name, column, "drawn"), shapes
    for kpi in sheet.owned(sheet.role):
        if _has_chart(kpi):
            yield ("course", kpi.kpi_id, "spec"), chart(kpi, [point for point, _ in sheet.noted(kpi)])


def _has_chart(kpi: Kpi) -> bool:
    return sum(one.value is not None for one in kpi.drawn) > 1


# Sentences


def _told(kpi: Kpi, point: Point) -> str:
    return text.value(point, kpi)


def _spread(kpi: Kpi, point: Point) -> str:
    return text.spread(point, kpi.definition["unit"])


def _why(kpi: Kpi) -> str:
    """Why there is no value, as far as figures go, and the last one there was."""
    if kpi.kpi_id == "payback_months":
        months = len(kpi.points("month"))
        why = f"not paid back within {months} months; {months} of 36 months"
    else:
        why = "fewer than 5 people" if kpi.is_withheld else ""
    last = kpi.last_known
    said = text.leading(last, kpi) if last else ""
    return f"{why} {said} ({_spread(kpi, last)}) {text.when(last)}" if last else why


def _rule(kpi: Kpi) -> str:
    """The figures of the rule that found a signal."""
    return EXPLAINED.get(kpi.signals.get(kpi.judged.period, ""), "") if kpi.judged else ""


def _name(kpi: Kpi) -> str:
    return str(kpi.definition["name"])


def _headline(kpi: Kpi) -> str:
    now = kpi.now
    if now is None or now.value is None:
        return f"{_name(kpi)} {_why(kpi)}"
    aim = f"the target of {text.goal(kpi)}" if kpi.definition["target"] else ""
    return f"{_name(kpi)} {_told(kpi, now)} ({_spread(kpi, now)}) {text.when(now)} {aim} {_rule(kpi)}"


def _role(kpis: Sequence[Kpi]) -> str:
    """The finding of a role, then what backs it, KPI by KPI."""
    known = [(kpi, now) for kpi in kpis if (now := kpi.now) is not None and now.value is not None]
    parts = []
    for verdict in ("missed", "inconclusive", "met"):
        group = [(kpi, now) for kpi, now in known if kpi.definition["target"] and now.verdict == verdict]
        said = [f"{_name(kpi)} {_told(kpi, now)}" for kpi, now in group]
        if len(group) == 1:
            ((kpi, now),) = group
            aim = text.goal(kpi)
            of = (_told(kpi, now), aim) if verdict == "inconclusive" else (aim, _told(kpi, now))
            said = [f"{_name(kpi)} {of[0]} {of[1]}"]
        parts += said
    parts += [f"{_name(kpi)} {_told(kpi, now)}" for kpi, now in known if not kpi.definition["target"]]
    parts += [_name(kpi) for kpi in kpis if kpi not in [one for one, _ in known]]
    return " ; ".join([*parts, *(_detail(kpi, is_alone=len(kpis) == 1) for kpi in kpis)])


def _detail(kpi: Kpi, *, is_alone: bool) -> str:
    now = kpi.now
    said = _why(kpi) if now is None or now.value is None else f"{_spread(kpi, now)}, {text.when(now)}"
    return said if is_alone else f"{_name(kpi)}: {said}"


def _worse(sheet: Sheet) -> Iterator[tuple[Where, str]]:
    """Targets that turned to missed, then signals for the worse, and how many of all KPIs that can be judged."""
    turned = {kpi.kpi_id: said for kpi in sheet.kpis.values() if (said := _turned(kpi))}
    moved = [kpi for kpi in sheet.kpis.values() if kpi.turned_worse and kpi.kpi_id not in turned]
    found = [*(f"{_name(sheet.kpis[one])} {said}" for one, said in turned.items()), *map(_moved, moved)]
    unknown = [kpi for kpi in sheet.kpis.values() if kpi.now is None or kpi.now.value is None]
    able = sum(_can_be_judged(kpi) for kpi in sheet.kpis.values() if kpi not in unknown)
    left = [count for count in (len(unknown), len(sheet.kpis) - len(unknown) - able) if count]
    rest = f"of {len(sheet.kpis)} KPIs: {' and '.join(map(str, left))}" if left else ""
    others = [kpi for kpi in sheet.kpis.values() if kpi.kpi_id not in turned and kpi not in moved]
    still = " ".join(said for kpi in others if (said := _farther(kpi)))
    yield ("top", "What got worse"), f"{len(found) or 'none'} of the {able} KPIs {still} {rest}"
    for at, said in enumerate(found[:SHOWN_WORSE]):
        yield ("top", "What got worse", str(at)), said
    if len(found) > SHOWN_WORSE:
        yield ("top", "What got worse", str(SHOWN_WORSE)), f"and {len(found) - SHOWN_WORSE} more"


def _can_be_judged(kpi: Kpi) -> bool:
    return bool(kpi.definition["target"]) or kpi.judged is not None


def _turned(kpi: Kpi) -> str:
    now = kpi.now
    if now is None or now.value is None or now.verdict != "missed":
        return ""
    before = kpi.before(now)
    if before is None or before.verdict not in ("met", "inconclusive"):
        return ""
    told = f"{_told(kpi, now)} {_by_severity(kpi, now)}"
    return f"its target of {text.goal(kpi)} before ({_told(kpi, before)}): {told} ({text.when(now)})"


def _farther(kpi: Kpi) -> str:
    """A target missed now and before, by more now."""
    now = kpi.now
    before = kpi.before(now) if now and now.value is not None else None
    if now is None or before is None or [one.verdict for one in (now, before)] != ["missed", "missed"]:
        return ""
    leads = kpi.definition.get("headline") == "upper_bound"
    ends = [(one.ends[1] if leads else one.value) or 0.0 for one in (before, now)]
    is_up = kpi.definition["direction"] == "up"
    is_farther = ends[1] < ends[0] if is_up else ends[1] > ends[0]
    return f"{_name(kpi)} {_told(kpi, now)} ({_told(kpi, before)} before)" if is_farther else ""


def _by_severity(kpi: Kpi, now: Point) -> str:
    """How many of a count there were of each severity."""
    if "severity" not in kpi.definition.get("dimensions", ()) or kpi.definition["unit"] != "count":
        return ""
    found = sorted(kpi.of_slices(now.period, "severity"), key=lambda one: one.slice)
    return ", ".join(f"{text.amount(one.value, 'count')} of {one.slice}" for one in found if one.value)


def _moved(kpi: Kpi) -> str:
    value = kpi.judged.value if kpi.judged else None
    return f"{_name(kpi)} {text.amount(value or 0.0, kpi.definition['unit'])}"


# Cards


def _card(kpi: Kpi) -> Iterator[tuple[Where, str]]:
    """One line of a scorecard, by column."""
    now, unit, name = kpi.now, kpi.definition["unit"], _name(kpi)
    yield ("KPI",), name
    yield ("definition",), f"of {name}"
    yield from ((("definition", term), said) for term, said in _definition(kpi))
    if now is None:
        return
    value = _told(kpi, now) if now.value is not None else _why_here(kpi)
    yield ("Value",), f"{value} {text.when(now)}"
    yield (SPREAD,), text.interval(now, unit)
    yield ("n",), text.count(now.n)
    yield ("Target",), f"{text.goal(kpi)} {now.verdict if kpi.definition['target'] else 'no target'}"
    if kpi.limit is not None and now.value is not None:
        label = f"{text.leading(now, kpi)}, interval {text.interval(now, unit)}, target {text.goal(kpi)}"
        yield ("Target", "label"), label
    before = kpi.before(now)
    if before is not None:
        step = text.change(now.value, before.value, unit) if now.value is not None and before.value is not None else ""
        yield ("Before",), f"{text.leading(before, kpi)} {step} {text.when(before)}"
    yield from _twelve(kpi)
    yield ("Signal", "label"), _rule(kpi)
    yield ("Signal",), f"{text.when(kpi.judged)}" if kpi.judged else ""


def _why_here(kpi: Kpi) -> str:
    """Why there is no value, without the last one."""
    months = len(kpi.points("month"))
    if kpi.kpi_id == "payback_months":
        return f"within {months} months; {months} of 36 months"
    return "fewer than 5 people" if kpi.is_withheld else ""


def _twelve(kpi: Kpi) -> Iterator[tuple[Where, str]]:
    """What is said of the drawing of twelve months."""
    known, unit = [one for one in kpi.year if one.value is not None], kpi.definition["unit"]
    if len(known) < 2:
        yield ("12 months",), "fewer than 2 months"
        return
    numbers = [one.value or 0.0 for one in known]
    first, last = (text.leading(one, kpi) for one in (known[0], known[-1]))
    low, high = (text.amount(one, unit) for one in (min(numbers), max(numbers)))
    gaps = f", {len(kpi.year) - len(known)} months without a value" if len(known) < len(kpi.year) else ""
    said = f"{len(kpi.year)} months: {text.when(known[0])} {first} to {text.when(known[-1])} {last}; lowest {low}, "
    yield ("12 months", "label"), f"{said}highest {high}{gaps}"


def _definition(kpi: Kpi) -> Iterator[tuple[str, str]]:
    """The words of the definition as `roi explain` prints them, and what this edition adds to them."""
    told, now = kpi.definition, kpi.now
    yield "Question", told["question"]
    yield "One row is", " ".join(told["facts"].values())
    yield "Formula", kpi.told["formula"].partition(", over ")[0]
    yield "Left out", told["leaves_out"]
    yield "Common mistake", told["pitfall"]
    yield "References", "; ".join(told["references"])
    yield "Target", text.goal(kpi)
    aim = told["target"]
    yield "Target source", f"{aim['source']}, since {aim['since']}" if aim else "none set"
    published = kpi.told["published"]
    yield "Definition", f"{kpi.kpi_id} | , hash | {published['definition_hash']}"
    if told["facts"]:
        matures, people = told["matures_after_days"], "fewer than 5 people" if kpi.is_of_people else ""
        yield "Population", f"n = {told['min_n']} {f'closes {matures} days after' if matures else ''} {people}"
    if now is not None and now.value is not None:
        yield "Where it comes from", "28d:" if now.period.grain == "28d" else ""
        yield "In this edition", kpi.note(now)


# Charts and breakdowns


def _course(kpi: Kpi, noted: Sequence[tuple[Point, str]]) -> Iterator[tuple[Where, str]]:
    """The words around a chart, its table, and the notes on it by number."""
    if not _has_chart(kpi):
        return
    unit = kpi.definition["unit"]
    limits = kpi.limits
    said = ""
    if limits:
        floor, ceiling = bounds(kpi)
        low, high = (text.average(min(max(end, floor), ceiling), unit) for end in limits[1:])
        judged = sum(one.status == "computed" and one.value is not None for one in kpi.drawn)
        trial = ", on trial below 13 points" if judged < 13 else ""
        said = f"Mean {text.average(limits[0], unit)} of {judged}, usual range {text.span(low, high)}{trial}"
    yield (), f"{said} Table of {len(kpi.drawn)} values"
    yield ("label",), f"{said} {said}"
    yield ("caption",), said
    yield ("heads",), text.interval_name(kpi)
    for at, (_, note) in enumerate(noted):
        yield (str(at),), note
    for one in kpi.drawn:
        row = text.when(one)
        numbered = [str(number) for number, (point, _) in enumerate(noted, 1) if point == one]
        yield (row, "Note"), ", ".join(numbered)
        yield (row, "Value"), text.leading(one, kpi) if one.value is not None else ""
        yield (row, text.interval_name(kpi)), text.interval(one, unit)
        yield (row, "n"), text.count(one.n)


def _slices(kpi: Kpi) -> Iterator[tuple[Where, str]]:
    """A KPI by its dimensions in its current period."""
    now, unit = kpi.now, kpi.definition["unit"]
    for dimension in kpi.definition.get("dimensions", ()) if now else ():
        found = kpi.shown_slices(dimension)
        found.sort(key=lambda one: (one.value is None, -(one.n or 0), one.slice))
        base = ("slices", f"{_name(kpi)} by {dimension.replace('_', ' ')}")
        if found:
            yield (*base, "heads"), text.interval_name(kpi)
        for one in found[:SHOWN_SLICES]:
            few = "fewer than 5 people" if one.status == WITHHELD else ""
            yield (*base, one.slice, "Value"), text.leading(one, kpi) if one.value is not None else few
            yield (*base, one.slice, text.interval_name(kpi)), text.interval(one, unit)
            yield (*base, one.slice, "n"), text.count(one.n)
