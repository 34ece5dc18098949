"""The answer that the page of whoever pays begins with: is it worth it, how sure is that, what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pipeline.reports import formats
from pipeline.reports.amounts import money, month, share
from pipeline.roi.records import PROVISIONAL, Claim, RoiResult, Swing, Worth

BACKED = ("A", "B")


@dataclass(frozen=True)
class Answer:
    """The answer in a sentence, and below it a line each; every text is ready to print."""

    title: str
    sure: str
    turns: str


def answer(result: RoiResult) -> Answer:
    """The answer by rules from a result; what cannot be told says so and why."""
    return Answer(_title(result), _sure(result), _turns(result))


def _title(result: RoiResult) -> str:
    """Both ends above 0, both below, or neither; without a result the reason."""
    whole = result.programme
    if whole.status == "insufficient evidence":
        return f"There is not enough evidence to say whether it is worth what it costs: {whole.reason}"
    if whole.net is None:
        return f"Whether it is worth what it costs is not available: {whole.reason or 'no reason recorded'}"
    return f"{_verdict(whole)}: net benefit {money(whole.net).text} as present value{_since(result)}, {_return(whole)}"


def _verdict(whole: Worth) -> str:
    """The same rule as for a use case: surely above 0, surely below, or open."""
    low, high = (None, None) if whole.spread is None else (whole.spread.p10, whole.spread.p90)
    if low is None or high is None:
        return "How sure it is whether it is worth it cannot be told"
    if low > 0:
        return "Worth it"
    if high < 0:
        return "Not worth it on what is measured"
    return "Not certain whether it is worth it"


def _since(result: RoiResult) -> str:
    return "" if result.first_month is None else f" since {month(result.first_month)}"


def _return(whole: Worth) -> str:
    return f"a return of {share(whole.roi).text}" if whole.roi is not None else "no return can be told"


def _sure(result: RoiResult) -> str:
    """The range, the chance, and how much of it rests on a comparison."""
    spread = result.programme.spread
    if result.programme.net is None or spread is None:
        return f"No range can be told. {_backed(result)}"
    ends = f"{money(spread.p10).text} and {money(spread.p90).text}"
    return (
        f"In 8 of 10 draws the net benefit is between {ends} (P10 to P90); "
        f"{_chance(spread.chance, result.draws)}. {_backed(result)}{_unsettled(result)}"
    )


def unsettled(result: RoiResult) -> list[Claim]:
    """Claims of the last month that are not counted yet although its costs are."""
    return [one for one in result.claims if one.month == result.last_month and one.status == PROVISIONAL]


def _unsettled(result: RoiResult) -> str:
    """What of the last month is not counted yet, in words."""
    young = unsettled(result)
    if not young:
        return ""
    lines = len({one.line for one in young})
    who = f"{lines} {'lines claim' if lines > 1 else 'line claims'}"
    claimed = money(sum((one.amount or Decimal(0) for one in young), Decimal(0))).text
    return (
        f" Not settled yet: {claimed} that {who} for {month(young[0].month)}, before the weight of their evidence, are "
        "provisional and not in it; the costs of that month are."
    )


def _chance(chance: Decimal | None, draws: int) -> str:
    if chance is None:
        return "the chance that it is above $0 is not available"
    if chance in (0, 1):
        return f"it is above $0 in {'all' if chance else 'none'} of {formats.grouped(draws)} draws"
    return f"it is above $0 in {share(chance).text} of draws"


def _backed(result: RoiResult) -> str:
    """The share of the money that counts, told with both amounts, that rests on an experiment or a comparison group."""
    counted = sum((one.counted for one in result.grades), Decimal(0))
    held = sum((one.counted for one in result.grades if one.grade in BACKED), Decimal(0))
    if not counted:
        return "No benefit counts, so none rests on an experiment or a comparison group."
    amounts = f"{money(held).text} of {money(counted).text}"
    return (
        f"{share(held / counted).text} of the benefits that count ({amounts}) rest on an experiment or a comparison "
        "group (grades A and B)."
    )


def _turns(result: RoiResult) -> str:
    """The input that moves the result most, whether it alone would turn the answer, and the break-even."""
    whole = result.programme
    if whole.net is None:
        return "a benefit that is measured: an experiment, a roll-out with a comparison group, or a before and after"
    if not result.tornado:
        return f"no input has a range that could be varied; {_even(whole)}"
    top = max(result.tornado, key=lambda one: abs(one.at_p90 - one.at_p10))
    return f"{_top(top, whole.net)}; {_all_ends(result)}{_even(whole)}"


def _top(top: Swing, net: Decimal) -> str:
    ends = f"{money(top.at_p10).text} at its P10 and {money(top.at_p90).text} at its P90"
    name = top.name.replace("_", " ")
    if any((end > 0) != (net > 0) for end in (top.at_p10, top.at_p90)):
        return f"{name} alone could turn the answer: the net benefit is {ends}"
    return f"no single input within its range; the strongest is {name}, with a net benefit of {ends}"


def _all_ends(result: RoiResult) -> str:
    """The net benefit with every figure at the end that is worse for it, and at the better one."""
    low, high = (result.scenarios.get(name) for name in ("low", "high"))
    if low is None or high is None:
        return ""
    ends = f"{money(low).text} to {money(high).text}"
    return f"with every figure at its worst or best at once, which is far rarer than P10 or P90, it is {ends}; "


def _even(whole: Worth) -> str:
    """Where break-even lies."""
    if whole.break_even is not None:
        return f"break-even is at a realisation of {share(whole.break_even).text} of the freed capacity"
    return f"break-even is {whole.break_even_reason}" if whole.break_even_reason else "break-even is not available"
