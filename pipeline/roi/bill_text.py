"""Statements of a bill as text for people: each part with its amount, and below it the days that make it up."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pipeline.roi.bill_records import Detail, Part, Statement
from pipeline.roi.text import number

WIDTH, AMOUNT = 46, 20
DAYS, PLACES = 12, 4
"""So many days of a part, and places of a day, are listed; the rest is in --json."""


def statement_lines(one: Statement) -> Iterator[str]:
    """The way from telemetry to the invoice, line by line; the amounts add up."""
    yield f"{one.provider or 'All providers'}, {one.month:%Y-%m}, USD"
    yield _line("  calls of production, by telemetry", one.telemetry)
    if one.invoice is None:
        yield f"  the gap is not available: {one.reason}"
    for part in one.parts:
        yield from _part_lines(part, "+")
    if one.invoice is not None:
        yield _line("  = usage on the invoice", one.invoice)
        yield _line("  gap (invoice less telemetry)", one.gap) + _share(one)
    for part in one.beside:
        yield from _part_lines(part, "+")
    if one.beside:
        yield _line("  = everything billed", one.billed)
    yield from _model_lines(one)
    yield from _project_lines(one)


def _share(one: Statement) -> str:
    if one.gap is None or not one.invoice:
        return ""
    return f"  {abs(one.gap) / one.invoice * 100:.2f} % of the invoice"


def _line(label: str, amount: Decimal | None, unknown: str = "not available") -> str:
    return f"{label:<{WIDTH}}{unknown if amount is None else _short(amount):>{AMOUNT}}"


def _part_lines(part: Part, sign: str) -> Iterator[str]:
    """A part that is 0 and of which nothing is to be told is left out, unless it is what is not explained."""
    if part.amount == 0 and not part.details and not part.reason and part.name != "unexplained":
        return
    yield _line(f"  {sign} {part.label}", part.amount) + (f"  {part.reason}" if part.reason else "")
    for detail in part.details[:DAYS]:
        yield from _detail_lines(detail)
    if rest := part.details[DAYS:]:
        amounts = [one.amount for one in rest if one.amount is not None]
        unknown = f", {len(rest) - len(amounts)} of unknown amount" if len(amounts) < len(rest) else ""
        yield f"      and {len(rest)} more, {_short(sum(amounts, Decimal(0)) if amounts else None)}{unknown}"


def _detail_lines(one: Detail) -> Iterator[str]:
    when = f"{one.day:%Y-%m}" if one.part == "price" else f"{one.day}"
    amount = "" if one.amount is None else f" {_short(one.amount)}"
    yield f"      {when} {one.model}{amount}: {one.words}"
    if one.places:
        more = f" and {len(one.places) - PLACES} more" if one.places[PLACES:] else ""
        yield f"        {', '.join(one.places[:PLACES])}{more}"


def _model_lines(one: Statement) -> Iterator[str]:
    if one.models:
        head = ("model", "logged", "billed", "all calls", "report", "invoice")
        yield f"  {head[0]:<28}{head[1]:>9}{head[2]:>9}{head[3]:>17}{head[4]:>17}{head[5]:>17}"
    for line in one.models:
        requests = "-" if line.billed_requests is None else str(line.billed_requests)
        money = "".join(f"{_short(amount):>17}" for amount in (line.telemetry, line.usage, line.invoice))
        yield f"  {line.model:<28}{line.logged_requests:>9}{requests:>9}{money}"


def _project_lines(one: Statement) -> Iterator[str]:
    if one.projects:
        yield f"  {'project (calls name none)':<28}{'':>9}{'billed':>9}{'':>17}{'report':>17}{'invoice':>17}"
    for line in one.projects:
        requests = "-" if line.requests is None else str(line.requests)
        money = "".join(f"{_short(amount):>17}" for amount in (line.usage, line.invoice))
        yield f"  {line.project or '(none)':<28}{'':>9}{requests:>9}{'':>17}{money}"


def _short(amount: Decimal | None) -> str:
    return "-" if amount is None else number(amount.quantize(Decimal("0.000001")))
