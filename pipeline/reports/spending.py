"""What was spent against what was approved, and what of the licences nobody used, in a line each."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.reports.amounts import in_full, month, share
from pipeline.reports.model import Figure
from pipeline.roi.costs import IDLE, LICENCE
from pipeline.roi.evaluate import summed
from pipeline.roi.inputs import months_between
from pipeline.roi.records import NOTHING_KNOWN, Budgeted, RoiResult

UNTOLD = Budgeted(0, None, None, None, None, "no budget is told of it")


def spending(result: RoiResult) -> Iterator[tuple[str, Figure]]:
    """The lines of whoever pays: over or under the budget, what has none, and licences without use."""
    yield from budget_lines(result.programme.budget or UNTOLD)
    yield "Idle licences", idle(result)


def budget_lines(held: Budgeted) -> Iterator[tuple[str, Figure]]:
    """What was approved against what the same months cost, and all costs that nothing was approved for."""
    yield budget_title(held), against_budget(held)
    if held.approved is not None and held.beyond != 0:
        yield "Costs without a budget", in_full(held.beyond, "a part is unknown")


def against_budget(held: Budgeted) -> Figure:
    """Costs of the approved amount, and by how much they are over or under it."""
    if held.approved is None or held.actual is None or held.variance is None:
        return Figure("not available", "missing", held.reason)
    side = "over" if held.variance > 0 else "under"
    apart = f", {share(abs(held.variance) / held.approved).text} {side}" if held.variance and held.approved else ""
    return Figure(f"{in_full(held.actual).text} of {in_full(held.approved).text}{apart}", "value")


def budget_months(held: Budgeted) -> str:
    """The months with an approved budget; empty where there are none or nobody kept which."""
    if held.first is None or held.last is None:
        return ""
    if held.first == held.last:
        return month(held.first)
    span = months_between(held.first, held.last)
    count = "" if len(span) == held.months else f"{held.months} of the {len(span)} months "
    return f"{count}{month(held.first)} to {month(held.last)}"


def budget_title(held: Budgeted) -> str:
    """What `against_budget` tells, with the months it is told of."""
    months = budget_months(held)
    return f"Costs against the approved budget{f', {months}' if months else ''}"


def idle(result: RoiResult) -> Figure:
    """What seats that nobody used cost, and their share of what all licences cost."""
    blank = next((one.reason for one in result.costs if one.category == NOTHING_KNOWN), None)
    if blank is not None:
        return Figure("not available", "missing", blank)
    unused, used = (summed(one.amount for one in result.costs if one.category == name) for name in (IDLE, LICENCE))
    if unused is None or used is None:
        return Figure("not available", "missing", "a licence has no known cost")
    if not unused + used:
        return Figure("no licences are paid for", "not-applicable")
    part = share(unused / (unused + used)).text
    return Figure(f"{in_full(unused).text}, {part} of what licences cost", "value" if unused else "zero")
