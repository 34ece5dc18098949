"""Costs in full, by month, category and use case, in USD to the cent: what is not known stays unknown.

Postings of the finance sheets; calls at the price of their day, guardrails and judges apart; what providers billed
beyond that; and licences split into seats that were used and seats that were idle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from pipeline.catalog.people import SMALLEST_GROUP
from pipeline.roi.claims import Book, cents
from pipeline.roi.finance import split_to_cents
from pipeline.roi.inputs import Inputs, Rate, Seats, Usage, month_of, next_month
from pipeline.roi.records import NOTHING_KNOWN, SHARED, Bill, CostItem
from pipeline.roi.words import dollars

RATE_AGE_DAYS = 7
"""A day without a market takes the last rate of so many days."""
GAP_ALLOWED = Decimal("0.10")
LICENCE, IDLE = "licence", "licence_idle"
USAGE, OVERSIGHT, UNTOLD = "usage", "judges_and_guardrails", "usage_beyond_telemetry"
NO_COSTS = "no export says what anything costs"
UNKNOWN_USE_CASE = "unknown"


@dataclass(frozen=True)
class Rates:
    """Exchange rates into USD by currency and day."""

    rates: tuple[Rate, ...]

    def on(self, currency: str, day: date) -> Rate | None:
        """The rate of the day, or the last one of the week before; None when there is none."""
        if currency == "USD":
            return Rate(day, "USD", Decimal(1))
        oldest = day - timedelta(days=RATE_AGE_DAYS)
        held = [one for one in self.rates if one.currency == currency and oldest < one.day <= day]
        return max(held, key=lambda one: one.day) if held else None


def in_usd(amount: Decimal, currency: str, day: date, rates: Rates) -> tuple[Decimal | None, str, str]:
    """An amount in USD to the cent, the arithmetic in words, and the reason when it cannot be told."""
    rate = rates.on(currency, day)
    if rate is None:
        return None, f"{amount:f} {currency} on {day}", f"no rate of {currency} in USD for {day}"
    if currency == "USD":
        return cents(amount), f"{amount:f} USD", ""
    return cents(amount * rate.usd), f"{amount:f} {currency} × {rate.usd:f} ({rate.day})", ""


def all_costs(book: Book, since: date, until: date) -> list[CostItem]:
    """Every cost of months that begin before `until`, in a fixed order; seats at their price begin with `since`.

    Where nothing is known of any cost, that of each month is unknown: nothing costs nothing.
    """
    inputs, rates = book.inputs, Rates(book.inputs.rates)
    items = [*_postings(book, rates), *_usage(book), *_untold(bills(inputs))]
    kept = [one for item in items if item.month < until for one in _with_idle(item, inputs.seats)]
    for seats in _unposted(inputs, since):
        if seats.price is not None and seats.month < until:
            kept += _with_idle(_seat_price(seats, seats.price, rates), (seats,))
    if not kept:
        kept = [CostItem(one, SHARED, SHARED, NOTHING_KNOWN, None, "", "", NO_COSTS) for one in _months(since, until)]
    return sorted(kept, key=lambda one: (one.month, one.category, one.use_case, one.business_unit, one.place, one.how))


def _months(since: date, until: date) -> Iterator[date]:
    """Months from one on that begin before a day."""
    while since < until:
        yield since
        since = next_month(since)


def _postings(book: Book, rates: Rates) -> Iterator[CostItem]:
    """What the finance sheets hold; a posting of a use case belongs to the unit of that use case."""
    for one in book.inputs.costs:
        if one.day > book.inputs.as_of:
            continue  # a commitment
        amount, how, reason = in_usd(one.amount, one.currency, one.day, rates)
        month = month_of(one.day)
        unit = book.unit_of(one.use_case, month) if one.use_case else SHARED
        yield CostItem(month, one.use_case, one.business_unit or unit, one.category, amount, how, one.place, reason)


def _usage(book: Book) -> Iterator[CostItem]:
    """Calls of a month by use case; unpriced ones make the amount unknown unless an invoice closes the gap."""
    billed = {bill.month for bill in bills(book.inputs) if bill.invoice is not None}
    for one in book.inputs.usage:
        unknown = one.unpriced > 0 and one.month not in billed
        case = SHARED if one.use_case == UNKNOWN_USE_CASE else one.use_case
        yield CostItem(
            month=one.month,
            use_case=case,
            business_unit=book.unit_of(case, one.month) if case else SHARED,
            category=OVERSIGHT if one.is_oversight else USAGE,
            amount=None if unknown else cents(one.amount),
            how=f"{one.calls} call{'' if one.calls == 1 else 's'} at the price of their day",
            place="calls",
            reason=f"{one.unpriced} calls have no price, and there is no invoice of {one.month:%Y-%m}"
            if unknown
            else "",
        )


def bills(inputs: Inputs) -> list[Bill]:
    """Telemetry against invoice of each month that has either, oldest first."""
    rates, telemetry = Rates(inputs.rates), _telemetry(inputs.usage)
    months = sorted({*telemetry, *(one.month for one in inputs.invoices)})
    return [_bill(inputs, month, telemetry.get(month), rates) for month in months]


def _telemetry(usage: Iterable[Usage]) -> dict[date, Decimal]:
    """Sum of calls by month, each cell to the cent as it is shown."""
    found: dict[date, Decimal] = defaultdict(lambda: Decimal("0.00"))
    for one in usage:
        found[one.month] += cents(one.amount)
    return dict(found)


def _bill(inputs: Inputs, month: date, calls: Decimal | None, rates: Rates) -> Bill:
    """The bill of a month; `calls` is what its calls cost, None where telemetry has none, so that no gap is known."""
    telemetry = Decimal("0.00") if calls is None else calls
    held = [one for one in inputs.invoices if one.month == month]
    if not held:
        return Bill(month, telemetry, None, None, 0, f"no invoice of {month:%Y-%m}")
    last = next_month(month) - timedelta(days=1)
    told = [in_usd(one.amount, one.currency, last, rates) for one in held]
    missing = [reason for amount, _, reason in told if amount is None]
    lines = sum(one.lines for one in held)
    if missing:
        return Bill(month, telemetry, None, None, lines, missing[0])
    invoice = sum((amount for amount, _, _ in told if amount is not None), Decimal("0.00"))
    if invoice <= 0:
        return Bill(month, telemetry, invoice, None, lines, f"the invoice of {month:%Y-%m} is {dollars(invoice)}")
    if calls is None:
        return Bill(month, telemetry, invoice, None, lines, f"no call of {month:%Y-%m} is in the telemetry")
    gap = (abs(telemetry - invoice) / invoice).quantize(Decimal("0.000001"))
    return Bill(month, telemetry, invoice, gap, lines, "")


def _untold(found: Sequence[Bill]) -> Iterator[CostItem]:
    """What was billed beyond what telemetry tells: a cost of nobody in particular."""
    for bill in found:
        if bill.invoice is not None and bill.invoice > bill.telemetry:
            how = f"invoice {bill.invoice:f} - telemetry {bill.telemetry:f}"
            yield CostItem(bill.month, SHARED, SHARED, UNTOLD, bill.invoice - bill.telemetry, how, "cost_ledger")


def _unposted(inputs: Inputs, since: date) -> Iterator[Seats]:
    """Seats of months, from `since` on, in which nobody posted licences."""
    posted = {month_of(one.day) for one in inputs.costs if one.category == LICENCE and one.day <= inputs.as_of}
    yield from (one for one in inputs.seats if one.month >= since and one.month not in posted)


def _seat_price(one: Seats, price: Decimal, rates: Rates) -> CostItem:
    """The seats of a product at the price of their entitlement."""
    last = next_month(one.month) - timedelta(days=1)
    amount, how, reason = in_usd(price, one.currency or "USD", last, rates)
    told = f"seats of {one.product}: {how}"  # how many is told by the KPIs alone, which know what they may tell
    return CostItem(one.month, SHARED, SHARED, LICENCE, amount, told, "entitlements", reason)


def unpriced_seats(inputs: Inputs, months: Sequence[date]) -> Iterator[str]:
    """What is not in the costs: products whose seats nobody posted and that have no price, with their months."""
    found: dict[str, list[date]] = defaultdict(list)
    for one in _unposted(inputs, months[0]) if months else ():
        if one.price is None and one.month in months:
            found[one.product].append(one.month)
    for product, held in sorted(found.items()):
        span = f"{min(held):%Y-%m}" + (f" to {max(held):%Y-%m}" if held[1:] else "")
        why = "nobody posted any, and its seats have no price"
        yield f"the licences of {product} are not in the costs of {span}: {why}"


def _with_idle(item: CostItem, seats: Sequence[Seats]) -> tuple[CostItem, ...]:
    """A licence cost split into seats that were used and seats that were idle; any other cost as it is.

    Seats of which nobody knows whether they are used say nothing about the split. It goes by whole percent, from which
    the number of seats cannot be worked out.
    """
    held = [(one.seats, one.idle) for one in seats if one.month == item.month and one.idle is not None]
    total, idle = sum(seats for seats, _ in held), sum(idle for _, idle in held)
    is_small = total < SMALLEST_GROUP  # of so few people it is not told who used what
    if item.category != LICENCE or item.amount is None or item.amount <= 0 or is_small or not 0 < idle <= total:
        return (item,)
    percent = 100 if idle == total else min(max(round(100 * idle / total), 1), 99)
    used, wasted = split_to_cents(item.amount, [100 - percent, percent])
    parts = ((LICENCE, used, f"{100 - percent} % of the seats used"), (IDLE, wasted, f"{percent} % of the seats idle"))
    return tuple(replace(item, category=name, amount=part, how=f"{item.how}; {how}") for name, part, how in parts)
