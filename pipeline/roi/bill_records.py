"""What a bill is reconciled from, and the statement that comes out: plain frozen data.

A month is told by its first day and money is Decimal in USD unless a currency is named; None is unknown. An amount of a
part leads from telemetry to the invoice: above 0 is billed beyond what telemetry tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

LABELS = {
    "outside_production": "calls outside production",
    "missing_requests": "requests billed and not logged",
    "unbilled_requests": "requests logged and not billed",
    "token_counts": "as many requests, other numbers of tokens",
    "cache_class": "tokens of another cache class",
    "service_tier": "another service tier",
    "long_context": "another band of prompt lengths",
    "price": "another price than that of the price book",
    "tool_fees": "fees for tools",
    "currency": "exchange rate",
    "not_invoiced": "providers without an invoice",
    "no_price": "what has no price",
    "rounding": "rounding to cents",
    "unexplained": "not explained",
}
"""Every part of a gap, in the order it is told in."""
BESIDE = {
    "commitment": "commitments and prepaid usage",
    "credits": "credits",
    "tax": "taxes",
    "other": "adjustments and other charges",
}
"""What stands on the bill beside usage."""


@dataclass(frozen=True)
class Logged:
    """Calls of one day, model, tier and band; `tokens` follow CLASSES, `cost` is that of calls with a price."""

    provider: str
    day: date
    model: str
    tier: str
    band: int
    is_production: bool
    requests: int
    tokens: tuple[int, ...]
    cost: Decimal
    unpriced: int
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """Requests and tokens that the provider counted from `day` up to `until`; None where it does not tell."""

    provider: str
    day: date
    until: date
    project: str
    model: str
    tier: str | None
    context: str
    requests: int | None
    tokens: tuple[int, ...] | None
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class TokenPrice:
    """Prices of one model, tier and band from `since` up to `until`, in USD per token; they follow CLASSES."""

    provider: str
    model: str
    tier: str
    band: int
    since: date
    until: date
    prices: tuple[Decimal | None, ...]


@dataclass(frozen=True)
class Charge:
    """Lines of an invoice that say the same of a month, in their own currency."""

    provider: str
    month: date
    category: str
    meter: str
    model: str
    project: str
    currency: str
    quantity: Decimal | None
    """Tokens; None where the invoice counts none."""
    listed: Decimal | None
    billed: Decimal | None
    effective: Decimal | None
    lines: int


@dataclass(frozen=True)
class Fee:
    """What calls to tools of a provider cost in a month at the price of their day, by telemetry."""

    provider: str
    month: date
    cost: Decimal
    is_production: bool = True


@dataclass(frozen=True)
class Sheets:
    """Everything a reconciliation reads."""

    logged: tuple[Logged, ...] = ()
    counted: tuple[Counted, ...] = ()
    prices: tuple[TokenPrice, ...] = ()
    charges: tuple[Charge, ...] = ()
    fees: tuple[Fee, ...] = ()


@dataclass(frozen=True)
class Detail:
    """One day and model in which telemetry and the provider differ, with the lines that say so."""

    day: date
    model: str
    part: str
    amount: Decimal | None
    words: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One reason for the gap; an amount of None is unknown, and `reason` says why."""

    name: str
    amount: Decimal | None
    reason: str = ""
    details: tuple[Detail, ...] = ()

    @property
    def label(self) -> str:
        """The reason in words."""
        return LABELS.get(self.name) or BESIDE[self.name]


@dataclass(frozen=True)
class ModelLine:
    """One model of a provider and month: by all calls, by the provider's report, and on the invoice."""

    model: str
    logged_requests: int
    billed_requests: int | None
    telemetry: Decimal
    usage: Decimal | None
    invoice: Decimal | None


@dataclass(frozen=True)
class ProjectLine:
    """One project of a provider and month: its usage at the price book, and what was billed; calls name no project."""

    project: str
    requests: int | None
    usage: Decimal | None
    invoice: Decimal | None


@dataclass(frozen=True)
class Statement:
    """Telemetry and invoice of one provider (empty: all) and month; the parts sum to the gap."""

    provider: str
    month: date
    telemetry: Decimal
    invoice: Decimal | None
    parts: tuple[Part, ...]
    beside: tuple[Part, ...] = ()
    billed: Decimal | None = None
    """Everything on the bill: usage and what stands beside it."""
    models: tuple[ModelLine, ...] = ()
    projects: tuple[ProjectLine, ...] = ()
    reason: str = ""
    """Why nothing can be said; empty when something can."""

    @property
    def gap(self) -> Decimal | None:
        """Invoice less telemetry."""
        return None if self.invoice is None else self.invoice - self.telemetry
