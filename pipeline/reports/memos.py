"""The decision memo of each use case: one page for whoever must decide, and for whoever must check."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.reports import formats
from pipeline.reports.amounts import in_full, money, month, share
from pipeline.reports.drawings import LEFT, PRESENT, discounting, left_of
from pipeline.reports.model import Figure, Mark
from pipeline.reports.returns import Row, Swung, grade_rows, per_outcome, swings
from pipeline.reports.spending import UNTOLD, budget_lines
from pipeline.roi.decision import FIX, SCALE, STOP
from pipeline.roi.records import Brief, Claim, Decision, RoiResult, Turn, Worth

FOLDER = "memos"
DECISIONS = {
    SCALE: Mark("scale", "tick", "good", "even the low end of the range is a gain"),
    FIX: Mark("fix", "half", "open", "neither a clear gain nor a loss beyond repair"),
    STOP: Mark(
        "stop", "cross", "bad", "even the high end of the range is a loss, and no realisation in reach mends it"
    ),
}
_UNDECIDED = Mark("not enough evidence", "query", "open", "nothing can be decided yet")
_TITLES = {
    SCALE: "Scale: {} is worth more than it costs",
    FIX: "Fix: {} may pay, and does not surely",
    STOP: "Stop: {} costs more than it is shown to be worth",
}
COSTS_ONLY = "Costs only, as present value"
"""In the place of a net benefit, which a use case of which nothing counts does not have."""
UNKNOWN_SHOWN = 4


@dataclass(frozen=True)
class Memo:
    """All that one memo shows; every text is ready to print."""

    href: str
    name: str
    title: str
    decision: Mark
    rule: str
    because: str
    owner: str
    span: str
    sums: tuple[Row, ...]
    """What adds up to the net benefit, to the cent."""
    facts: tuple[Row, ...]
    grades: tuple[Row, ...]
    tornado: tuple[Swung, ...]
    turns: tuple[Row, ...]
    needed: str
    unknown: tuple[str, ...]


def memos(result: RoiResult) -> tuple[Memo, ...]:
    """One memo per use case, by name; what belongs to none has none."""
    return tuple(_memo(result, one, one.brief) for one in result.use_cases if one.brief is not None)


def file_name(use_case: str) -> str:
    """A name of a file that is safe on every disk, and another one for every use case.

    >>> file_name("code_assistant")
    'code_assistant.html'
    """
    if re.fullmatch(r"[a-z0-9_-]{1,60}", use_case):
        return f"{use_case}.html"
    plain = re.sub(r"[^a-z0-9]+", "-", use_case.lower()).strip("-")[:40]
    return f"{plain}-{hashlib.sha256(use_case.encode()).hexdigest()[:8]}.html"


def _memo(result: RoiResult, one: Worth, brief: Brief) -> Memo:
    name = one.name.replace("_", " ")
    word = brief.decision.word
    return Memo(
        href=f"{FOLDER}/{file_name(one.name)}",
        name=name,
        title=_TITLES.get(word, "Not enough evidence to decide about {}").format(name),
        decision=DECISIONS.get(word, _UNDECIDED),
        rule=brief.decision.rule,
        because=_because(brief.decision),
        owner=brief.owner or "nobody",
        span=_span(result),
        sums=tuple(_sum(result, one)),
        facts=tuple(_facts(one)),
        grades=grade_rows(brief.grades),
        tornado=swings(brief.tornado, one.net),
        turns=tuple(_turn(turn) for turn in brief.turns),
        needed=_needed(one),
        unknown=tuple(_unknown(one, brief, [claim for claim in result.claims if claim.use_case == one.name])),
    )


def _because(held: Decision) -> str:
    """The figures that met the rule, written as all pages write them."""
    if not held.figures:
        return held.because
    return held.says.format(*(money(one).text if unit == "USD" else share(one).text for one, unit in held.figures))


def _span(result: RoiResult) -> str:
    if result.first_month is None or result.last_month is None:
        return "no whole month with data"
    return f"{month(result.first_month)} to {month(result.last_month)}"


def _facts(one: Worth) -> Iterator[Row]:
    """What is said of the net benefit of a use case, and of its claims and costs."""
    why = "" if one.status == "computed" else one.status
    spread = one.spread
    span = Figure("not available", "missing", why)
    if spread is not None:
        span = Figure(f"{money(spread.p10).text} to {money(spread.p90).text}", "value")
    paid = Figure(f"month {one.payback}", "value")
    yield Row("In 8 of 10 draws (P10 to P90)", (span,))
    yield Row("Chance that it pays", (share(spread.chance if spread else None, why),))
    yield Row("Return on costs, as present value", (share(one.roi, why),))
    yield Row("Payback", (paid if one.payback else Figure(_short(one), "not-applicable"),))
    yield Row("Claims that do not count at all", (in_full(one.stated),))
    if one.felt:
        yield Row("Of them said about another line, never added", (in_full(one.felt),))
    yield from budget_rows(one)
    yield Row("Costs in full per verified outcome", (per_outcome(one),))


def _sum(result: RoiResult, one: Worth) -> Iterator[Row]:
    """Counted benefits, less costs, and what discounting adds: rows that add up to the net benefit, to the cent."""
    why = one.reason or one.status
    left = left_of(one)
    step = None if left is None or one.part is None else one.part - left
    yield Row("Counted benefits: cash", (in_full(one.cash),))
    yield Row("Counted benefits: hours as money", (in_full(one.capacity),))
    yield Row("Less costs in full", (in_full(None if one.costs is None else -one.costs, one.reason),))
    yield Row(LEFT, (in_full(left, one.reason),), is_sum=True)
    yield Row(discounting(result), (in_full(step, why),))
    yield Row(COSTS_ONLY if one.is_costs_only else PRESENT, (in_full(one.part, why),), is_sum=True)


def budget_rows(one: Worth) -> Iterator[Row]:
    """What was approved against what the same months cost, and what stands in other months."""
    yield from (Row(name, (figure,)) for name, figure in budget_lines(one.budget or UNTOLD))


def _short(one: Worth) -> str:
    return one.payback_reason if one.status == "computed" else "not available"


def _turn(turn: Turn) -> Row:
    """Where one input turns the net, beside its range."""
    low, base, high = (_plain(part) for part in (turn.low, turn.base, turn.high))
    at = Figure("nowhere in its range", "not-applicable") if turn.at is None else Figure(_plain(turn.at), "value")
    return Row(turn.name, (Figure(f"{base} ({low} to {high})", "value"), at))


def _plain(value: Decimal) -> str:
    return f"{float(f'{value:.4g}'):,.10g}".replace(",", formats.THIN).replace("-", formats.MINUS)


def _needed(one: Worth) -> str:
    """What would bring the net to zero, in words; empty where nothing can be said."""
    if one.pv_benefits is None or not one.pv_costs:
        return ""
    told = one.break_even_reason if one.break_even is None else share(one.break_even).text
    even = f"Break-even realisation: {told}."
    if one.pv_benefits <= 0:
        return f"No benefit is left after deductions. {even}"
    times = formats.measured(float(one.pv_costs / one.pv_benefits), "")
    return (
        f"The net is 0 with counted benefits {times} times what they are, or with costs of "
        f"{money(one.pv_benefits).text} (present value). {even}"
    )


def _unknown(one: Worth, brief: Brief, claims: Sequence[Claim]) -> Iterator[str]:
    """What is not in the figures, the weightiest first."""
    if one.status == "not available":
        yield one.reason
    outside = list(_outside(claims))
    yield from outside[:UNKNOWN_SHOWN]
    if len(outside) > UNKNOWN_SHOWN:
        yield f"{len(outside) - UNKNOWN_SHOWN} more reasons why claims do not count are in roi_lines.csv"
    if not claims:
        yield "No line of benefit claims anything for it, so nothing can speak for it"
    shared = money(brief.shared_costs, "a part of them is unknown").text
    yield f"Costs of the programme that name no use case ({shared}) are not in these figures"
    if one.outcomes is None:
        yield "Its verified outcomes are not known of every month: nobody counted them, or some are withheld"
    if not brief.owner:
        yield "Nobody answers for it in the portfolio"


def _outside(claims: Iterable[Claim]) -> Iterator[str]:
    """Why claims do not count, each reason once with its number of months."""
    told: dict[str, int] = {}
    for one in claims:
        if not one.is_in_headline:
            said = f"{one.line}: {one.status}" + (f" ({one.reason})" if one.reason else "")
            told[said] = told.get(said, 0) + 1
    for said, count in sorted(told.items(), key=lambda held: -held[1]):
        yield f"{said}, {formats.counted(count, 'month')}"
