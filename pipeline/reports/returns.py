"""The panel of the return on the programme, and the files with the whole result behind it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal

from pipeline.reports import formats
from pipeline.reports.amounts import as_entered, hours, in_full, money, month, share
from pipeline.reports.downloads import csv_text, printed
from pipeline.reports.drawings import Fan, Step, bridge, fan, left_of
from pipeline.reports.model import Figure, Mark
from pipeline.reports.spending import spending
from pipeline.roi.grades import GradeShare
from pipeline.roi.records import (
    LineSummary,
    Perception,
    RoiResult,
    Standing,
    Swing,
    Worth,
)
from pipeline.roi.rows import CLAIM_COLUMNS, COST_COLUMNS, claim_row, cost_row

OWNER = "chief_ai_officer"
TORNADO_SHOWN = 5
GRADES = {
    "A": "randomised experiment", "B": "comparison group", "C": "before and after", "D": "self-report",
    "E": "assumption",
}  # fmt: skip
_TONES = {
    "counted": ("tick", "good"), "counted in part": ("half", "open"), "told in words": ("dash", "quiet"),
    "in force": ("tick", "good"), "default": ("half", "open"),
}  # fmt: skip
_STATES = {
    "computed": Mark("net benefit", "ring", "quiet"), "insufficient evidence": Mark("costs only", "dash", "open"),
    "not available": Mark("not available", "cross", "open"),
}  # fmt: skip
_NONE = Figure("none", "not-applicable")


@dataclass(frozen=True)
class Swung:
    """One bar of the tornado in a 100 x 16 box, with both ends as printed."""

    name: str
    at_p10: str
    at_p90: str
    x: float
    width: float
    middle: float


@dataclass(frozen=True)
class Row:
    """One row of a table of the panel: its name, cells and the mark beside it."""

    name: str
    cells: tuple[Figure | str, ...]
    mark: Mark | None = None
    note: str = ""
    is_sum: bool = False


@dataclass(frozen=True)
class Panel:
    """All that the panel shows; every text is ready to print."""

    subtitle: str
    is_told: bool
    reason: str
    facts: tuple[tuple[str, Figure], ...]
    spending: tuple[tuple[str, Figure], ...]
    """Costs against the budget, and licences nobody used: known also where no return is."""
    bridge: tuple[Step, ...]
    fan: Fan | None
    lines: tuple[Row, ...]
    grades: tuple[Row, ...]
    said: str
    """What of them people say about another line; empty where nobody does."""
    use_cases: tuple[Row, ...]
    costs_only: str
    """What of the net benefit is costs of use cases of which nothing counts; empty where there are none."""
    assumptions: tuple[Row, ...]
    tornado: tuple[Swung, ...]
    perception: tuple[Row, ...]
    problems: tuple[str, ...]


def panel(result: RoiResult) -> Panel:
    """The panel of a result."""
    whole = result.programme
    is_told = whole.status == "computed"
    return Panel(
        subtitle=_subtitle(result),
        is_told=is_told,
        reason=whole.reason,
        facts=tuple(_facts(result)) if is_told else (),
        spending=tuple(spending(result)),
        bridge=bridge(result),
        fan=fan(result),
        lines=tuple(_line(one) for one in result.lines),
        grades=grade_rows(result.grades),
        said=_said(result.grades),
        use_cases=tuple(_scopes(result)),
        costs_only=_costs_only(result),
        assumptions=tuple(_assumption(one) for one in result.assumptions),
        tornado=swings(result.tornado[:TORNADO_SHOWN], whole.net),
        perception=tuple(map(_perception, result.perception)),
        problems=result.problems,
    )


def grade_rows(grades: Sequence[GradeShare]) -> tuple[Row, ...]:
    """Claims by grade: in full = counted + taken off by the weight of the grade + not counted at all, and their sum."""
    cells = [(one.claimed, one.counted, one.weighed_off, one.uncounted) for one in grades]
    rows = [
        Row(f"{one.grade}, {GRADES[one.grade]}", tuple(map(in_full, part)))
        for one, part in zip(grades, cells, strict=True)
    ]
    sums = [sum(column, Decimal("0.00")) for column in zip(*cells, strict=True)]
    return (*rows, Row("All grades", tuple(map(in_full, sums)), is_sum=True)) if rows else ()


def _said(grades: Sequence[GradeShare]) -> str:
    """What people say about another line, by grade; empty where nobody does."""
    return formats.listed([f"{money(one.felt).text} of grade {one.grade}" for one in grades if one.felt])


def _subtitle(result: RoiResult) -> str:
    if result.first_month is None or result.last_month is None:
        return "No whole month with data."
    span = f"{month(result.first_month)} to {month(result.last_month)}"
    rate = (
        "" if result.discount_rate is None else f", discounted at {formats.percent(float(result.discount_rate))} a year"
    )
    return f"{span}{rate}. Only what was measured is counted; what is stated stands apart."


def _facts(result: RoiResult) -> Iterable[tuple[str, Figure]]:
    """The figures under the title."""
    whole = result.programme
    yield "Return", share(whole.roi)
    yield "Chance that it pays", share(whole.spread.chance if whole.spread else None)
    payback = _NONE if whole.payback is None else Figure(f"month {whole.payback}", "value")
    yield "Payback", Figure(whole.payback_reason, "not-applicable") if whole.payback is None else payback
    yield "Break-even realisation", share(whole.break_even, whole.break_even_reason)
    yield "Internal rate of return", share(whole.irr, whole.irr_reason)
    yield "Costs in full per verified outcome", per_outcome(whole)


def per_outcome(one: Worth) -> Figure:
    """What a verified outcome cost."""
    why = "no verified outcomes" if one.outcomes == 0 else "verified outcomes are not known of every month"
    return money(one.cost_per_outcome, why)


def mark(word: str) -> Mark:
    """The standing of a line or an assumption, as a mark."""
    shape, tone = _TONES.get(
        word, ("cross" if word in ("blocked", "refused", "expired", "missing") else "dash", "open")
    )
    return Mark(word, shape, tone)


def _line(line: LineSummary) -> Row:
    claimed = _NONE if line.ledger == "strategic" else in_full(line.claimed, "not available")
    counted = _NONE if line.ledger == "strategic" else in_full(line.counted)
    note = line.says if line.ledger == "strategic" else line.reason
    return Row(line.name, (line.ledger, line.grade or "none", claimed, counted), mark(line.status), note)


def _perception(one: Perception) -> Row:
    """Hours felt beside those of the line they speak of, and what was multiplied to come to either."""
    made = f"felt: {one.felt_is or one.line}; line: {one.measured_is or one.against}"
    cells = (hours(one.felt), hours(one.measured), formats.grouped(one.months), made)
    return Row(one.use_case.replace("_", " "), cells)


def _scopes(result: RoiResult) -> Iterable[Row]:
    """Use cases and what belongs to none, each with its part of the programme's net benefit, and their sum."""
    for one in result.use_cases:
        why = one.reason if one.status == "computed" else f"{one.status}: {one.reason}"
        yield Row(one.name.replace("_", " ") or "of no single use case", _scope_cells(one), _STATES[one.status], why)
    told = Mark("net benefit", "ring", "quiet") if result.programme.net is not None else _STATES["not available"]
    yield Row("The programme", _scope_cells(result.programme), told, is_sum=True)


def _scope_cells(one: Worth) -> tuple[Figure, ...]:
    """Counted, costs, what is left of them, what discounting adds, and the part of the net as present value."""
    left, part = left_of(one), one.part
    step = None if left is None or part is None else part - left
    why = one.reason or one.status
    return (
        in_full(one.cash + one.capacity), in_full(one.costs, why), in_full(left, why), in_full(step, why),
        in_full(part, why),
    )  # fmt: skip


def _costs_only(result: RoiResult) -> str:
    """How many rows bring costs alone, and how much of the net that is."""
    held = [part for one in result.use_cases if one.is_costs_only and (part := one.part)]
    if not held:
        return ""
    what = "1 row brings" if len(held) == 1 else f"{len(held)} rows bring"
    return f"{what} costs only, for nothing of theirs counts: {in_full(sum(held, Decimal(0))).text} of the net benefit"


def assumed(one: Standing) -> Figure:
    """The figure of an assumption with its range and unit."""
    if one.base is None or one.low is None or one.high is None:
        return Figure("none", "missing", one.reason)
    low, text, high = (as_entered(part) for part in (one.low, one.base, one.high))
    span = "" if one.low == one.high else f" ({low} to {high})"
    return Figure(f"{text}{span} {'' if one.unit == 'ratio' else one.unit}".strip(), "value")


def _assumption(one: Standing) -> Row:
    approval = f"{one.approved_by}, {formats.day(one.approved_at)}" if one.approved_by and one.approved_at else "nobody"
    return Row(
        one.assumption_id,
        (assumed(one), one.grade or "none", one.source or "none", approval),
        mark(one.standing),
        one.reason,
    )


def swings(held: Sequence[Swing], net: Decimal | None) -> tuple[Swung, ...]:
    """Bars on one scale that spans all ends and the net benefit."""
    if not held or net is None:
        return ()
    ends = [float(end) for one in held for end in (one.at_p10, one.at_p90)]
    low, high = min(*ends, float(net)), max(*ends, float(net))
    width = (high - low) or 1.0

    def place(value: Decimal) -> float:
        return round(100 * (float(value) - low) / width, 2)

    return tuple(
        Swung(
            name=one.name,
            at_p10=money(one.at_p10).text,
            at_p90=money(one.at_p90).text,
            x=min(place(one.at_p10), place(one.at_p90)),
            width=max(round(abs(place(one.at_p90) - place(one.at_p10)), 2), 0.6),
            middle=place(net),
        )
        for one in held
    )


def files(result: RoiResult) -> dict[str, str]:
    """File name -> text: the whole result, its claims and its costs."""
    return {
        "roi.json": json_document(result) + "\n",
        "roi_lines.csv": csv_text(_columns(map(claim_row, result.claims), CLAIM_COLUMNS)),
        "roi_costs.csv": csv_text(_columns(map(cost_row, result.costs), COST_COLUMNS)),
    }


def _columns(items: Iterable[Mapping[str, object]], names: Sequence[str]) -> dict[str, list[str | None]]:
    held = list(items)
    return {name: [printed(one[name]) for one in held] for name in names}


def json_document(value: object) -> str:
    """Any record as JSON with every digit of its numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return json_document({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(key))}:{json_document(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",\n".join(json_document(one) for one in value) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value.isoformat() if isinstance(value, date) else value, ensure_ascii=False)
