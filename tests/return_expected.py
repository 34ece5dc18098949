"""What the page of the return must print, from the recomputed numbers alone: text by where it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
from oracle_return import Json, Line, Return, exact, leaves
from return_page import Where, pieces, tokens

D = Decimal
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
BRIDGE, EVIDENCE, TORNADO = (
    "From benefits to what is left",
    "Evidence behind what is claimed",
    "What would change it most",
)
LINES, FELT, CASES = "Lines of benefit", "What people say they save", "Counted benefits and costs by use case"
ASSUMED, FAN = "Assumptions in use", "Net benefit to the end of each month"
SHOWN = 5
MINUS, JOINER = "\u2212", "\u2060"
LEFT, PRESENT = "Left, in dollars of the day", "Net benefit, as present value"
OUTSIDE, SAID = "Claims that do not count at all", "Of them said about another line, never added"


def rounded(value: Decimal, decimals: int) -> str:
    """Half to even, thin spaces between thousands."""
    return f"{value.quantize(D(1).scaleb(-decimals), ROUND_HALF_EVEN):,f}".replace(",", "\u202f").replace("-", "\u2212")


def money(value: Decimal | float) -> str:
    """To the cent first; whole dollars from a thousand up."""
    cents = D(str(float(value))).quantize(D("0.01"), "ROUND_HALF_UP") if isinstance(value, float) else value
    sign = "\u2212\u2060" if cents < 0 else ""
    return f"{sign}${rounded(abs(cents), 0 if abs(cents) >= 1000 else 2)}"


def in_full(value: Decimal) -> str:
    """To the cent, in tables whose rows are added up."""
    return f"{MINUS + JOINER if value < 0 else ''}${rounded(abs(value), 2)}"


def percent(share: Decimal) -> str:
    """One decimal, more near 0 and 100; only an exact 0 or 1 is 0 % or 100 %."""
    if share in (0, 1):
        return f"{share * 100:.0f}\u202f%"
    edge = min(abs(share * 100), abs(100 - share * 100))
    return f"{rounded(share * 100, 1 if edge >= 1 else 2 if edge >= D('0.1') else 3)}\u202f%"


def three_digits(value: Decimal) -> str:
    """Whole from 1000 up, one decimal from 100, two from 1, else three."""
    size = abs(value)
    return rounded(value, 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3)


def month(code: str) -> str:
    """2026-10 as October 2026."""
    return f"{MONTHS[int(code[5:7]) - 1]} {code[:4]}"


def differences(page: str, wanted: Mapping[Where, str]) -> list[str]:
    """Every place of the page whose figures are not those expected there; drawings may only repeat figures."""
    found = pieces(page)
    known = {token for text in wanted.values() for token in tokens(text)}
    wrong = []
    for where, text in found.items():
        printed, computed = tokens(text), tokens(wanted.get(where, ""))
        is_label = where[0] == "label" and set(printed) <= known
        if not is_label and printed != computed:
            wrong.append(f"{' / '.join(where)}: printed {printed}, recomputed {computed}")
    return wrong + [f"{' / '.join(where)}: not on the page" for where in wanted if where not in found]


def expected(told: Return, names: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    """Text with the figures of each place, in their order; `names` of lines by their id."""
    last = told.months[-1]
    low, middle, high = ends_of(told, last)
    chance = D(str(round(float((told.simulated[last] > 0).mean()), 6)))
    swings = told.tornado()
    yield from _answer(told, (low, high), chance, swings)
    yield from _facts(told, chance)
    yield from _bridge(told, names)
    yield from _evidence(told)
    for name, at_p10, at_p90 in swings[:SHOWN]:
        yield (TORNADO, name, ""), name
        yield (TORNADO, name, "At P10"), money(at_p10)
        yield (TORNADO, name, "At P90"), money(at_p90)
    yield from _lines(told, names)
    yield from _felt(told)
    yield from _cases(told)
    yield from _assumptions(told)
    yield from _fan(told, (low, middle, high))


def ends_of(told: Return, at: str) -> tuple[float, float, float]:
    """P10, P50 and P90 of the net benefit to the end of a month."""
    low, middle, high = np.quantile(told.simulated[at], [0.1, 0.5, 0.9])
    return float(low), float(middle), float(high)


def _roi(told: Return) -> Decimal:
    return (told.net / told.present()[1]).quantize(D("0.000001"))


def _answer(
    told: Return, ends: tuple[float, float], chance: Decimal, swings: list[tuple[str, float, float]]
) -> Iterator[tuple[Where, str]]:
    yield ("title",), f"{money(told.net)} {percent(_roi(told))}"
    draws = rounded(D(told.told["simulation"]["draws"]), 0)
    sure = f"{draws} draws" if chance in (0, 1) else percent(chance)
    gained = sum(exact(one.counted) or D(0) for one in told.counted)
    backed = sum(exact(one.counted) or D(0) for one in told.counted if one.grade in "AB")
    text = f"{money(ends[0])} and {money(ends[1])}; {sure}. {percent(backed / gained)} {money(backed)} {money(gained)}"
    yield ("answer", "How sure"), text + _unsettled(told)
    _, at_p10, at_p90 = swings[0]
    ends = " ".join(map(money, told.at_once()))
    yield ("answer", "What would change our mind"), f"{money(at_p10)} {money(at_p90)}; {ends} {_even(told)}"


def _even(told: Return) -> str:
    """Break-even as a share, or what it would take; nothing where it is not needed."""
    needed = told.break_even
    if needed > 1:
        return f"{rounded(D(math.ceil(100 * needed)), 0)}\u202f%"
    return "" if needed < 0 else percent(needed.quantize(D("0.000001")))


def _facts(told: Return, chance: Decimal) -> Iterator[tuple[Where, str]]:
    yield ("fact", "Return"), percent(_roi(told))
    yield ("fact", "Chance that it pays"), percent(chance)
    paid = told.payback
    yield ("fact", "Payback"), f"month {paid}" if paid else f"not within {len(told.months)} months"
    yield ("fact", "Break-even realisation"), _even(told)
    rates = [percent(D(str(rate)).quantize(D("0.000001"))) for rate in told.internal_rates()]
    yield ("fact", "Internal rate of return"), f"{len(rates)} {rates}" if len(rates) > 1 else " ".join(rates)
    yield ("fact", "Costs in full per verified outcome"), money(told.per_outcome.quantize(D("0.01"), "ROUND_HALF_UP"))
    yield ("fact", f"Costs against the approved budget{_of_months(told)}"), _against_budget(told)
    if without := _without_budget(told):
        yield ("fact", "Costs without a budget"), in_full(without)
    yield ("fact", "Idle licences"), _idle(told)


def _approved(told: Return) -> Json | None:
    """The sum of what was approved, by use case and month; None without a budget."""
    found = told.beside("costs less the approved budget")
    return found[0]["children"][1] if found else None


def _cells(budget: Json) -> set[tuple[str, ...]]:
    """Use case and month of everything that was approved."""
    return {tuple(node["name"].split(", ")[1:]) for node in budget["children"]}


def _of_months(told: Return) -> str:
    """The months with an approved budget, from the first to the last, and how many of them when not all."""
    if (budget := _approved(told)) is None:
        return ""
    held = sorted({code for _, code in _cells(budget)})
    (year, first), (until, last) = (map(int, code.split("-")) for code in (held[0], held[-1]))
    between = 12 * (until - year) + last - first + 1
    count = "" if len(held) == between else f"{len(held)} of the {between} months "
    return f", {count}{month(held[0])}" + (f" to {month(held[-1])}" if between > 1 else "")


def _against_budget(told: Return) -> str:
    """Costs of the cells that the tree names as approved, what was approved, and how far they are apart."""
    if (budget := _approved(told)) is None:
        return ""
    cells = _cells(budget)
    spent = sum((one.amount for one in told.costs if (one.use_case, one.month) in cells), D(0))
    approved = exact(budget) or D(0)
    apart = f" {percent(abs(spent - approved) / approved)}" if spent != approved and approved else ""
    return f"{in_full(spent)} of {in_full(approved)}{apart}"


def _without_budget(told: Return) -> Decimal:
    """Costs of all cells that none was approved for; 0 where no budget is."""
    cells = _cells(_approved(told) or {"children": ()})
    return sum((one.amount for one in told.costs if cells and (one.use_case, one.month) not in cells), D(0))


def _idle(told: Return) -> str:
    """What seats without use cost, and their share of all licences."""
    unused, used = (
        sum((one.amount for one in told.costs if one.category == name), D(0)) for name in ("licence_idle", "licence")
    )
    return f"{in_full(unused)} {percent(unused / (unused + used))}" if unused + used else ""


def _unsettled(told: Return) -> str:
    """What the lines claim for the last month that is provisional, and how many lines those are."""
    (outside,) = told.beside("claimed, not counted")
    parts = [node["name"].split(", ") for node in outside["children"]]
    young = [
        (name[0], exact(node) or D(0)) for name, node in zip(parts, outside["children"], strict=True)
        if name[2] == told.months[-1] and "; provisional: " in node["note"]
    ]  # fmt: skip
    return f" {money(sum((amount for _, amount in young), D(0)))} {len({line for line, _ in young})}" if young else ""


def steps(told: Return, names: Mapping[str, str]) -> dict[str, Decimal]:
    """Amounts from benefits by line over costs by category to what is left."""
    found = {names[line]: _counted(told.counted, line=line) for line in dict.fromkeys(one.line for one in told.counted)}
    for one in told.costs:
        name = f"Cost: {one.category.replace('_', ' ')}"
        found[name] = found.get(name, D(0)) - one.amount
    left = sum(found.values(), D(0))
    return found | {LEFT: left, _discounting(told): told.net - left, PRESENT: told.net}


def _discounting(told: Return) -> str:
    rate = percent(D(told.told["simulation"]["rate"]["base"]))
    return f"Discounting at {rate} a year to {month(told.months[0])}"


def _bridge(told: Return, names: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    outside, said = (
        sum((exact(node) or D(0) for tree in told.beside(name) for node in tree["children"]), D(0))
        for name in ("claimed, not counted", "said about another line")
    )
    apart = {OUTSIDE: outside + said} | ({SAID: said} if said else {})
    for name, amount in (steps(told, names) | apart).items():
        yield (BRIDGE, name, ""), name
        yield (BRIDGE, name, "Amount"), in_full(amount)


def _counted(claims: list[Line], **wanted: str) -> Decimal:
    """The counted amounts of the claims with such a line, grade or use case."""
    held = [one for one in claims if all(getattr(one, name) == value for name, value in wanted.items())]
    return sum((exact(one.counted) or D(0) for one in held if one.counted is not None), D(0))


def _claimed(claims: list[Line], **wanted: str) -> Decimal:
    held = [one for one in claims if all(getattr(one, name) == value for name, value in wanted.items())]
    return sum((exact(one.amount) or D(0) for one in held), D(0))


def _evidence(told: Return) -> Iterator[tuple[Where, str]]:
    words = {"A": "randomised experiment", "B": "comparison group", "C": "before and after", "D": "self-report",
             "E": "assumption"}  # fmt: skip
    sums = [D(0)] * 4
    for grade, says in words.items():
        mine = [one for one in told.claims if one.grade == grade]
        cells = [_claimed(mine), _counted(mine), _weighed_off(mine), _claimed([one for one in mine if not one.counted])]
        yield from _graded(f"{grade}, {says}", cells)
        sums = [one + two for one, two in zip(sums, cells, strict=True)]
    yield from _graded("All grades", sums)
    assert sums[0] == sum(sums[1:], D(0)), "what is claimed is counted, taken off or not counted"
    (said,) = told.beside("said about another line")
    by_grade: dict[str, Decimal] = {}
    for node in said["children"]:
        grade = node["note"].split()[1].rstrip(";")
        by_grade[grade] = by_grade.get(grade, D(0)) + (exact(node) or D(0))
    yield (EVIDENCE, "caption"), " ".join(money(amount) for _, amount in sorted(by_grade.items()) if amount)


def _weighed_off(claims: list[Line]) -> Decimal:
    """What the weight of its grade takes off a claim that counts."""
    held = [(exact(one.amount), exact(one.counted)) for one in claims if one.counted is not None]
    return sum(((amount or D(0)) - (counted or D(0)) for amount, counted in held), D(0))


def _graded(name: str, cells: list[Decimal]) -> Iterator[tuple[Where, str]]:
    for head, amount in zip(("Claimed", "Counted", "Taken off by its weight", "Does not count"), cells, strict=True):
        yield (EVIDENCE, name, head), in_full(amount)


def _lines(told: Return, names: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    for line in dict.fromkeys(one.line for one in told.claims):
        name = names[line]
        yield (LINES, name, "Claimed"), in_full(_claimed(told.claims, line=line))
        yield (LINES, name, "Counted"), in_full(_counted(told.claims, line=line))
        yield (LINES, name, "Standing"), _no_effect([one for one in told.claims if one.line == line])


def _no_effect(claims: list[Line]) -> str:
    """The effect whose interval includes zero, as a reason tells it."""
    found = [leaf for one in claims if "no effect shown" in one.amount["note"] for leaf in leaves(one.amount, "effect")]
    return "".join(" ".join(map(three_digits, (D(leaf["value"]), *_range(leaf)))) for leaf in found[:1])


def _range(leaf: Json) -> tuple[Decimal, ...]:
    """Low and high, as the note of a given number says them."""
    ends = re.search(r"(-?[\d.]+) to (-?[\d.]+)$", leaf["note"])
    return tuple(D(end) for end in ends.groups()) if ends else ()


def _felt(told: Return) -> Iterator[tuple[Where, str]]:
    for node in told.beside("hours "):
        kind, case = node["name"].removeprefix("hours ").split(", ")
        row = case.replace("_", " ")
        yield (FELT, row, {"felt": "Felt", "of the line": "Hours of the line"}[kind]), three_digits(exact(node) or D(0))
        yield (FELT, row, "Months"), str(len(node["children"]))


def _cases(told: Return) -> Iterator[tuple[Where, str]]:
    """Each use case from what counts to its part of the net, the sum of all, and how much is costs alone."""
    cases = sorted({one.use_case for one in told.claims} | {one.use_case for one in told.costs})
    sums, alone = [D(0)] * 5, []
    for case in cases:
        mine = [one for one in told.claims if one.use_case == case]
        cells = _case_cells(told, case, mine)
        is_told = any(one.counted is not None for one in mine)
        alone += [] if is_told else cells[-1:]
        name = "of no single use case" if case == "whole programme" else case.replace("_", " ")
        yield from _case_row(name, cells, "" if is_told else _no_effect(mine))
        sums = [one + two for one, two in zip(sums, cells, strict=True)]
    assert sums[-1] == told.net
    yield from _case_row("The programme", sums, "")
    yield (CASES, "caption"), f"{len(alone)} rows: {in_full(sum(alone, D(0)))}" if alone else ""


def _case_cells(told: Return, case: str, mine: list[Line]) -> list[Decimal]:
    """Counted, costs, left, discounting, present value."""
    gains, spent = told.present(case=case)
    counted, costs = _counted(mine), sum((one.amount for one in told.costs if one.use_case == case), D(0))
    return [counted, costs, counted - costs, gains - spent - (counted - costs), gains - spent]


def _case_row(name: str, cells: list[Decimal], why: str) -> Iterator[tuple[Where, str]]:
    for head, amount in zip(("Counted", "Costs", "Left", "Discounting", "Present value"), cells, strict=True):
        yield (CASES, name, head), in_full(amount)
    yield (CASES, name, "What it is"), why


def _assumptions(told: Return) -> Iterator[tuple[Where, str]]:
    """Figure, range and source of every assumption, as the last month has it."""
    held: dict[str, Json] = {}
    for one in sorted(told.claims, key=lambda one: one.month):
        for leaf in leaves(one.amount, "assumption"):
            key = leaf["source"].partition(": ")[0]
            held[re.split(r" from | \(", key)[0]] = leaf
    for name, leaf in held.items():
        yield (ASSUMED, name, "Figure (low to high)"), " ".join(map(_plain, (D(leaf["value"]), *_range(leaf))))
        source = leaf["source"].partition(": ")[2]
        yield (ASSUMED, name, "Source"), re.sub(r" \([^()]*:\d+\)$", "", source)
    for part in ("rate", "weight"):
        one: dict[str, Any] = told.told["simulation"][part]
        ends = (one["base"],) if D(one["low"]) == D(one["high"]) else (one["base"], one["low"], one["high"])
        name = re.split(r" from | \(", one["name"])[0]
        yield (ASSUMED, name, "Figure (low to high)"), " ".join(_plain(D(end)) for end in ends)
        yield (ASSUMED, name, "Source"), re.sub(r" \([^()]*:\d+\)$", "", one["source"])


def _plain(value: Decimal) -> str:
    return f"{value.normalize():,f}".replace(",", "\u202f").replace("-", "\u2212")


def _fan(told: Return, ends: tuple[float, float, float]) -> Iterator[tuple[Where, str]]:
    """The range by month since something counts, its axis, and the words around it."""
    first = min(one.month for one in told.counted)
    shown = [code for code in told.months if code >= first]
    values = [0.0]
    for code in shown:
        spread, (gains, spent) = ends_of(told, code), told.present(code)
        values += spread
        texts = (*map(money, spread), money(gains - spent))
        for head, text in zip(("P10", "P50", "P90", "As counted"), texts, strict=True):
            yield (FAN, month(code), head), text
    for at, level in enumerate(levels(min(values), max(values))):
        yield ("axis", str(at)), ("\u2212" if level < 0 else "") + f"${rounded(D(str(abs(level))), 0)}"
    rate = percent(D(told.told["simulation"]["rate"]["base"]))
    yield ("rest",), f"{rate} {money(ends[0])} and {money(ends[2])} Table of {len(shown)} months"


def levels(low: float, high: float) -> list[float]:
    """Round levels between the ends of an axis that leaves 4 % of room: the least 1, 2 or 5 that makes five or less."""
    room = 0.04 * (high - low)
    low, high = low - room, high + room
    power = 10.0 ** math.floor(math.log10((high - low) / 5))
    step = next(one * power for one in (1, 2, 5, 10) if one * power * 5 * (1 + 1e-9) >= high - low)
    return [step * at for at in range(math.ceil(low / step), math.floor(high / step) + 1)]
