"""Why the bill and the telemetry differ: one table on the page of the role that answers for the gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pipeline.commands import Commands
from pipeline.reports import formats
from pipeline.reports.amounts import month
from pipeline.reports.model import Figure
from pipeline.reports.returns import Row
from pipeline.roi.bill_records import Part, Statement

PLACES = Decimal("0.0001")
DAYS = 3
"""So many days of a part are named."""


@dataclass(frozen=True)
class Bill:
    """The table of a month; every text is ready to print."""

    title: str
    rows: tuple[Row, ...]
    command: str


def bill(whole: Statement, commands: Commands) -> Bill:
    """The way from telemetry to the invoice of all providers; the printed amounts add up."""
    command = f".venv/bin/{commands.roi(f'reconcile --month {whole.month:%Y-%m}')}"
    return Bill(f"Why the bill and the telemetry differ, {month(whole.month)}", tuple(_rows(whole)), command)


def _rows(whole: Statement) -> Iterator[Row]:
    parts = [one for one in whole.parts if one.amount is None or one.amount or one.details or one.name == "unexplained"]
    shown = _printed([one.amount for one in parts], whole.telemetry, whole.invoice)
    yield Row("Calls of production, by telemetry", (_dollars(whole.telemetry), ""))
    for part, amount in zip(parts, shown, strict=True):
        yield Row(part.label.capitalize(), (_dollars(amount, part.reason), _told(part)))
    yield Row("Usage on the invoice", (_dollars(whole.invoice, whole.reason), whole.reason))


def _printed(amounts: list[Decimal | None], start: Decimal, end: Decimal | None) -> list[Decimal | None]:
    """Amounts as they are printed, so that they lead from the first to the last to the last printed digit."""
    found = [None if amount is None else amount.quantize(PLACES) for amount in amounts]
    known = [number for number, amount in enumerate(found) if amount is not None]
    if end is not None and known:
        largest = max(known, key=lambda number: abs(found[number] or Decimal(0)))
        apart = end.quantize(PLACES) - start.quantize(PLACES) - sum((one or Decimal(0) for one in found), Decimal(0))
        found[largest] = (found[largest] or Decimal(0)) + apart
    return found


def _dollars(amount: Decimal | None, why: str = "") -> Figure:
    """An amount with four decimals: a single request costs less than a cent."""
    if amount is None:
        return Figure("not available", "missing", why)
    sign = f"{formats.MINUS}{formats.JOINER}" if amount < 0 else ""
    return Figure(f"{sign}${formats.grouped(abs(amount.quantize(PLACES)), 4)}", "zero" if amount == 0 else "value")


def _told(part: Part) -> str:
    """The days and models of a part, or why it is unknown."""
    days = [f"{formats.day(one.day)}, {one.model}: {one.words}" for one in part.details[:DAYS]]
    more = [f"and {len(part.details) - DAYS} more"] if part.details[DAYS:] else []
    return "; ".join([*([part.reason] if part.reason else []), *days, *more])
