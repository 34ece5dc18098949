"""The cost export in FOCUS 1.0: usage per model, tax and, in some months, a credit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from pipeline.sample.clock import first_of_next_month
from pipeline.sample.prices import PICO

COLUMNS = (
    "Id",
    "InvoiceIssuerName",
    "ProviderName",
    "ServiceName",
    "ServiceCategory",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "SkuId",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ListCost",
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "Tags",
)
SELLERS = {"openai": "OpenAI", "anthropic": "Anthropic"}


def rows(month: date, spend: Mapping[tuple[str, str, str], int]) -> Iterator[tuple[str, ...]]:
    """The rows of a month's invoices, usage by provider, model and project; what is unknown stands as the word NULL."""
    usage = sorted(spend.items())
    for number, ((provider, model, project), pico) in enumerate(usage):
        cost = (Decimal(pico) / PICO).quantize(Decimal("0.00000001"))
        yield _row(month, number, provider, ("Usage", f"{model} tokens", model), cost, project=project)
    for number, provider in enumerate(sorted({provider for provider, _, _ in spend})):
        total = sum(Decimal(pico) / PICO for (name, _, _), pico in usage if name == provider)
        tax = (total * Decimal("0.08")).quantize(Decimal("0.01"))
        yield _row(month, 50 + number, provider, ("Tax", "Sales tax", "NULL"), tax)
        if month.month % 6 == 0:
            yield _row(month, 60 + number, provider, ("Credit", "Service credit", "NULL"), Decimal("-1.50"))


def _row(
    month: date, number: int, provider: str, what: tuple[str, str, str], cost: Decimal, *, project: str = ""
) -> tuple[str, ...]:
    category, description, sku = what
    start, end = f"{month} 00:00:00", f"{first_of_next_month(month)} 00:00:00"
    is_usage = category == "Usage"
    return (
        f"{month:%Y%m}{number:03d}",
        SELLERS[provider],
        SELLERS[provider],
        f"{SELLERS[provider]} API",
        "AI and Machine Learning",
        start,
        end,
        start,
        end,
        category,
        "NULL",
        description,
        sku,
        "1" if is_usage else "NULL",
        "Token bundles" if is_usage else "NULL",
        f"{cost:f}",
        f"{cost:f}",
        f"{cost:f}",
        "USD",
        json.dumps({"initiative": "assistant", "project_id": project}) if is_usage else "NULL",
    )
