"""What counts once: lines that exclude each other are refused where both claim, and an unexplained bill blocks cash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from pipeline.catalog.benefit_checks import exclusions
from pipeline.catalog.benefits import Benefit
from pipeline.roi import records as r
from pipeline.roi.costs import GAP_ALLOWED
from pipeline.roi.records import Bill, Claim
from pipeline.roi.words import THIN, dollars, percent

Cell = tuple[str, date]


def refuse_double(claims: Sequence[Claim], benefits: Mapping[str, Benefit]) -> tuple[list[Claim], list[str]]:
    """Claims with both of every excluding pair refused where they meet, and one sentence per pair and use case."""
    cells: dict[Cell, set[str]] = defaultdict(set)
    for claim in claims:
        if claim.amount:
            cells[claim.use_case, claim.month].add(claim.line)
    refused: dict[tuple[str, Cell], str] = {}
    told: dict[tuple[str, str, str], list[date]] = defaultdict(list)
    for pair in exclusions(benefits):
        for cell, lines in sorted(cells.items()):
            if lines.issuperset(pair):
                told[*pair, cell[0]].append(cell[1])
                for name in pair:
                    refused[name, cell] = _refusal(*pair, cell[0], [cell[1]])
    found = [
        replace(claim, status=r.REFUSED, reason=refused[claim.line, (claim.use_case, claim.month)])
        if (claim.line, (claim.use_case, claim.month)) in refused
        else claim
        for claim in claims
    ]
    return found, [_refusal(first, second, case, months) for (first, second, case), months in told.items()]


def _refusal(first: str, second: str, use_case: str, months: Sequence[date]) -> str:
    when = f"{months[0]:%Y-%m}" + (f" to {months[-1]:%Y-%m}" if len(months) > 1 else "")
    return f"{first} and {second} exclude each other and both claim for {use_case} in {when}; neither is counted"


def block_cash(claims: Sequence[Claim], bills: Sequence[Bill]) -> list[Claim]:
    """Claims with cash blocked in months whose bill is off by more than is allowed, or nobody knows by how much."""
    off = {bill.month: bill for bill in bills if bill.invoice and bill.invoice > 0 and _is_off(bill)}
    return [
        replace(claim, status=r.BLOCKED, reason=_blocked(off[claim.month]))
        if claim.ledger == "cash" and claim.month in off and claim.amount is not None and claim.status != r.REFUSED
        else claim
        for claim in claims
    ]


def blocks(claims: Sequence[Claim]) -> list[str]:
    """Why cash lines are blocked, one sentence per month."""
    return list(dict.fromkeys(f"cash lines {claim.reason}" for claim in claims if claim.status == r.BLOCKED))


def _is_off(bill: Bill) -> bool:
    return bill.gap is None or bill.gap > GAP_ALLOWED


def _blocked(bill: Bill) -> str:
    told = "unknown" if bill.invoice is None else dollars(bill.invoice)
    return (
        f"blocked until explained: telemetry {dollars(bill.telemetry)} against invoice {told} in "
        f"{bill.month:%Y-%m}, a gap of {_percent(bill)}, at most 10{THIN}% allowed"
    )


def _percent(bill: Bill) -> str:
    return "unknown" if bill.gap is None else percent(float(bill.gap))
