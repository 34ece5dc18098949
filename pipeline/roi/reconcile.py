"""Telemetry against the invoice, per provider and month: the gap in parts that sum to it exactly.

The parts lead from the cost of production calls to the usage on the invoice, in this order: calls outside production,
what the provider's usage report counts otherwise (see `bill_days`), then what the invoice says beyond the report. What
nothing explains is a part of its own. Without a usage report nothing is explained by class, and the parts say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pipeline.roi.bill_charges import Told, told_of
from pipeline.roi.bill_days import Day, PriceBook, Valued, paired, plain_model, usage_cost, valued
from pipeline.roi.bill_records import (
    BESIDE,
    LABELS,
    Counted,
    Detail,
    Logged,
    ModelLine,
    Part,
    ProjectLine,
    Sheets,
    Statement,
)
from pipeline.roi.costs import Rates
from pipeline.roi.inputs import month_of
from pipeline.roi.records import Bill

MICRO = Decimal("0.000001")
BY_CLASS = ("missing_requests", "unbilled_requests", "token_counts", "cache_class", "service_tier", "long_context")
"""Parts that only a usage report of the provider can tell."""
NO_REPORT = "not explained by class: no usage report of the provider"


@dataclass(frozen=True)
class _Month:
    """One provider and month, sorted out."""

    provider: str
    month: date
    logged: tuple[Logged, ...]
    counted: tuple[Counted, ...]
    days: tuple[Day, ...]
    """What report and logs can be held against each other in; empty without a report."""
    found: tuple[Valued, ...]
    fees: Decimal
    fees_outside: Decimal
    told: Told | None
    """What the invoice says; None without one."""


def statements(sheets: Sheets, rates: Rates) -> tuple[Statement, ...]:
    """A statement of each provider and month with calls or charges, by month and provider."""
    book = PriceBook(sheets.prices)
    keys = {(one.provider.lower(), month_of(one.day)) for one in sheets.logged}
    keys |= {(one.provider.lower(), one.month) for one in sheets.charges}
    keys |= {(one.provider.lower(), one.month) for one in sheets.fees}
    sides = [_month(sheets, book, rates, provider, month) for provider, month in sorted(keys)]
    return tuple(sorted((_statement(one, book) for one in sides), key=lambda one: (one.month, one.provider)))


def _month(sheets: Sheets, book: PriceBook, rates: Rates, provider: str, month: date) -> _Month:
    def mine(rows: Iterable[Any], when: Callable[[Any], date]) -> tuple[Any, ...]:
        return tuple(one for one in rows if one.provider.lower() == provider and month_of(when(one)) == month)

    logged = mine(sheets.logged, lambda one: one.day)
    counted = mine(sheets.counted, lambda one: one.day)
    fees, charges = mine(sheets.fees, lambda one: one.month), mine(sheets.charges, lambda one: one.month)
    days = tuple(paired(_covered(logged, sheets.counted, provider), counted)) if counted else ()
    found = tuple(one for day in days for one in valued(day, book, _mean(logged, day.model)))
    models = {*(plain_model(one.model) for one in logged), *(plain_model(one.model) for one in counted)}
    return _Month(
        provider, month, logged, counted, days, found,
        fees=sum((one.cost for one in fees), Decimal(0)),
        fees_outside=sum((one.cost for one in fees if not one.is_production), Decimal(0)),
        told=told_of(charges, month, rates, models) if charges else None,
    )  # fmt: skip


def _covered(logged: Sequence[Logged], counted: Sequence[Counted], provider: str) -> list[Logged]:
    """Calls of days from the first to the last that a report of the provider tells of; others are not compared."""
    spans = [(one.day, one.until) for one in counted if one.provider.lower() == provider]
    first, last = min(day for day, _ in spans), max(until for _, until in spans)
    return [one for one in logged if first <= one.day < last]


def _mean(logged: Sequence[Logged], model: str) -> Fraction | None:
    """What a logged request of a model cost in the month; None when there is none, or one without a price."""
    held = [one for one in logged if plain_model(one.model) == model]
    requests = sum(one.requests for one in held)
    if not requests or any(one.unpriced for one in held):
        return None
    return sum((Fraction(one.cost) for one in held), Fraction(0)) / requests


def _statement(side: _Month, book: PriceBook) -> Statement:
    inside = sum((Fraction(one.cost) for one in side.logged if one.is_production), Fraction(0))
    outside = sum((Fraction(one.cost) for one in side.logged if not one.is_production), Fraction(0))
    telemetry = inside + Fraction(side.fees - side.fees_outside)
    is_told = side.told is not None and not side.told.reason
    invoice = side.told.invoice if side.told is not None and is_told else None
    parts = [Part("outside_production", _exact(outside + Fraction(side.fees_outside)))]
    parts += [_by_class(side, name) for name in BY_CLASS]
    parts += [*_unpriced(side), *_of_invoice(side)]
    billed = _billed(side.told, invoice)
    rest = [Part(name, _exact(side.told.beside[name])) for name in BESIDE] if side.told is not None and is_told else []
    return rounded(Statement(
        side.provider, side.month, _exact(telemetry), None if invoice is None else _exact(invoice), tuple(parts),
        tuple(one for one in rest if one.amount), billed, _models(side, book), _projects(side, book), _reason(side),
    ))  # fmt: skip


def _reason(side: _Month) -> str:
    if side.told is None:
        return f"no invoice of {side.provider} for {side.month:%Y-%m}"
    return side.told.reason


def _billed(told: Told | None, invoice: Fraction | None) -> Decimal | None:
    return None if told is None or invoice is None else _exact(invoice + sum(told.beside.values(), Fraction(0)))


def _by_class(side: _Month, name: str) -> Part:
    """One reason that the usage report tells, with its days and models."""
    if not side.counted:
        return Part(name, None, NO_REPORT)
    held = [one for one in side.found if one.part == name]
    unknown = [one for one in held if one.amount is None]
    total = sum((one.amount for one in held if one.amount is not None), Fraction(0))
    reason = f"{len(unknown)} not valued, for the month has no mean cost" if unknown else ""
    return Part(name, None if unknown else _exact(total), reason, tuple(_detail(one) for one in held))


def _detail(one: Valued) -> Detail:
    amount = None if one.amount is None else _exact(one.amount)
    return Detail(one.day, one.model, one.part, amount, one.words, one.places)


def _unpriced(side: _Month) -> list[Part]:
    """What no price is known of; its money stays in what is not explained."""
    held = [one for one in side.found if one.part == "no_price"]
    calls = sum(one.unpriced for one in side.logged)
    told = [f"{calls} calls without a price or a count of tokens"] if calls else []
    told += [f"{len(held)} days and models not valued: {held[0].words}"] if held else []
    return [Part("no_price", None, "; ".join(told), tuple(map(_detail, held)))] if told else []


def _of_invoice(side: _Month) -> list[Part]:
    """What the invoice says beyond the usage report."""
    told = side.told
    if told is None or told.reason:
        return [Part("unexplained", None, _reason(side))]
    price, rest = _priced_otherwise(side, told)
    tools, currency = told.tools - Fraction(side.fees), told.currency
    found = [price, Part("tool_fees", _exact(tools)), Part("currency", _exact(currency))]
    return [*found, Part("unexplained", _exact(rest), "" if side.counted else NO_REPORT)]


def _priced_otherwise(side: _Month, told: Told) -> tuple[Part, Fraction]:
    """What the invoice itself says of its prices, and what of the usage nothing explains.

    Another unit price is shown where the invoice counts as many tokens as the report, and a discount where the cost at
    list price is nearer to the price book than the cost that was billed.
    """
    expected, details, whole = _expected(side), [], Fraction(0)
    rest = sum(told.usage.values(), Fraction(0)) - sum(expected.values(), Fraction(0))
    if not side.counted:
        return Part("price", None, NO_REPORT), rest
    for model, cost in sorted(told.usage.items()):
        amount, words = _price_step(side, told, model, expected.get(model, Fraction(0)))
        if model and amount:
            details.append(Detail(side.month, model, "price", _exact(amount), f"{words}: {_exact(cost)} USD billed"))
            whole += amount
    return Part("price", _exact(whole), "", tuple(details)), rest - whole


def _price_step(side: _Month, told: Told, model: str, expected: Fraction) -> tuple[Fraction, str]:
    cost, listed, tokens = told.usage[model], told.listed[model], told.tokens[model]
    counted = [one for one in side.counted if plain_model(one.model) == model]
    reported = sum(sum(one.tokens or ()) for one in counted)
    if tokens is not None and tokens == reported and cost != expected:
        factor = f" at {float(cost / expected):.4f} of the price book" if expected else ""
        return cost - expected, f"as many tokens as in the report,{factor or ' another price'}"
    if listed is not None and listed != cost and abs(listed - expected) < abs(cost - expected):
        return cost - listed, f"the invoice names {_exact(listed)} USD at list price"
    return Fraction(0), ""


def _expected(side: _Month) -> dict[str, Fraction]:
    """By model, what all calls cost plus what the usage report tells otherwise."""
    found: dict[str, Fraction] = {}
    for call in side.logged:
        model = plain_model(call.model)
        found[model] = found.get(model, Fraction(0)) + Fraction(call.cost)
    for one in side.found:
        found[one.model] = found.get(one.model, Fraction(0)) + (one.amount or 0)
    return found


def _models(side: _Month, book: PriceBook) -> tuple[ModelLine, ...]:
    named = {plain_model(one.model) for one in side.logged} | {plain_model(one.model) for one in side.counted}
    charged = side.told.usage if side.told is not None and not side.told.reason else {}
    found = []
    for model in sorted(named):
        calls = [one for one in side.logged if plain_model(one.model) == model]
        buckets = [one for one in side.counted if plain_model(one.model) == model]
        found.append(ModelLine(
            model, sum(one.requests for one in calls), _requests(buckets),
            _exact(sum((Fraction(one.cost) for one in calls), Fraction(0))),
            usage_cost(buckets, side.days, book) if buckets else None,
            _exact(charged[model]) if model in charged else None,
        ))  # fmt: skip
    return tuple(found)


def _projects(side: _Month, book: PriceBook) -> tuple[ProjectLine, ...]:
    """Projects by report and invoice, where either names one."""
    charged = side.told.projects if side.told is not None and not side.told.reason else {}
    found = []
    for name in sorted({one.project for one in side.counted} | set(charged)):
        buckets = [one for one in side.counted if one.project == name]
        cost = usage_cost(buckets, side.days, book) if buckets else None
        invoice = _exact(charged[name]) if name in charged else None
        found.append(ProjectLine(name, _requests(buckets), cost, invoice))
    return tuple(found) if any(one.project for one in found) else ()


def _requests(counted: Sequence[Counted]) -> int | None:
    told = [one.requests for one in counted if one.requests is not None]
    return sum(told) if told and len(told) == len(counted) else None


def _exact(amount: Fraction) -> Decimal:
    """A sum with twelve decimals, as calls are priced."""
    return (Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(MICRO**2)


def rounded(one: Statement) -> Statement:
    """The same to millionths of a dollar, every part, with what rounding leaves over in the largest part."""
    telemetry = one.telemetry.quantize(MICRO)
    invoice = None if one.invoice is None else one.invoice.quantize(MICRO)
    parts = [replace(part, amount=None if part.amount is None else part.amount.quantize(MICRO)) for part in one.parts]
    billed = None if one.billed is None else one.billed.quantize(MICRO)
    beside = [replace(part, amount=None if part.amount is None else part.amount.quantize(MICRO)) for part in one.beside]
    if invoice is not None:
        parts = _settled(parts, invoice - telemetry)
    if invoice is not None and billed is not None:
        beside = _settled(beside, billed - invoice)
    return replace(one, telemetry=telemetry, invoice=invoice, parts=tuple(parts), billed=billed, beside=tuple(beside))


def _settled(parts: list[Part], total: Decimal) -> list[Part]:
    """Parts that sum to a total from which rounding had taken them."""
    apart = total - sum((part.amount for part in parts if part.amount is not None), Decimal(0))
    largest = max(parts, key=lambda part: abs(part.amount or Decimal(0)), default=None)
    if not apart or largest is None or largest.amount is None:
        return parts
    return [replace(part, amount=largest.amount + apart) if part is largest else part for part in parts]


def whole_month(held: Sequence[Statement], bill: Bill) -> Statement:
    """All providers of a month as the KPI `bill_reconciliation_gap` holds them, in cents."""
    if bill.invoice is None:
        return Statement("", bill.month, bill.telemetry, None, (), reason=bill.reason)
    billed = [one for one in held if one.invoice is not None]
    parts = [one for name in LABELS if (one := _summed(name, billed)) is not None]
    silent = [one for one in held if one.invoice is None and one.telemetry]
    if silent:
        names = ", ".join(one.provider for one in silent)
        parts.append(
            Part("not_invoiced", -sum((one.telemetry for one in silent), Decimal(0)), f"no invoice of {names}")
        )
    apart = bill.invoice - bill.telemetry - sum((one.amount or Decimal(0) for one in parts), Decimal(0))
    parts += [Part("rounding", apart)] if apart else []
    parts.sort(key=lambda one: list(LABELS).index(one.name))
    return Statement("", bill.month, bill.telemetry, bill.invoice, tuple(parts))


def _summed(name: str, held: Sequence[Statement]) -> Part | None:
    """One reason over several providers: what is known is summed, what is not is told with its provider."""
    found = [(one.provider, part) for one in held for part in one.parts if part.name == name]
    known = [part.amount for _, part in found if part.amount is not None]
    told = dict.fromkeys(f"{provider}: {part.reason}" for provider, part in found if part.reason)
    details = tuple(detail for _, part in found for detail in part.details)
    amount = sum(known, Decimal(0)) if known else None
    return Part(name, amount, "; ".join(told), details) if found else None
