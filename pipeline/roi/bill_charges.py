"""What the invoice of a provider and month says: usage by model, fees for tools, and what stands beside usage."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from pipeline.roi.bill_records import BESIDE, Charge
from pipeline.roi.costs import Rates
from pipeline.roi.inputs import month_of, next_month

_OTHER = re.compile(r"[^a-z0-9]+")
_TOOL = re.compile(
    r"\b(web ?search|file ?search|code ?(interpreter|execution)|container|grounding|computer use|tool)s?\b"
)
_KINDS = {"purchase": "commitment", "credit": "credits", "tax": "tax"}


@dataclass
class Told:
    """The invoice in USD; usage at the mean rate of the month, the rest at that of its last day, as the invoice is."""

    usage: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    """By model; what names no model stands under the empty name."""
    listed: dict[str, Fraction | None] = field(default_factory=dict)
    tokens: dict[str, Decimal | None] = field(default_factory=dict)
    projects: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    tools: Fraction = Fraction(0)
    currency: Fraction = Fraction(0)
    """Usage at the rate of the last day less usage at the mean rate."""
    beside: dict[str, Fraction] = field(default_factory=lambda: dict.fromkeys(BESIDE, Fraction(0)))
    reason: str = ""
    """Why the invoice cannot be told in USD; empty when it can."""

    @property
    def invoice(self) -> Fraction:
        """Usage on the invoice, tools included."""
        return sum(self.usage.values(), Fraction(0)) + self.tools + self.currency


def model_of(charge: Charge, models: Iterable[str]) -> str:
    """The longest of the models that a line names, in its model or its meter; empty when it names none.

    >>> from datetime import date
    >>> line = Charge("openai", date(2026, 1, 1), "Usage", "gpt-4.1-mini, input", "", "", "USD", *[None] * 4, 1)
    >>> model_of(line, ["gpt-4.1", "gpt-4.1-mini"])
    'gpt-4.1-mini'
    """
    said = f" {_words(charge.model)} {_words(charge.meter)} "
    held = [model for model in models if f" {_words(model)} " in said]
    return max(held, key=lambda model: (len(model), model), default="")


def _words(text: str) -> str:
    return _OTHER.sub(" ", text.lower()).strip()


def told_of(charges: Sequence[Charge], month: date, rates: Rates, models: Iterable[str]) -> Told:
    """The lines of one provider and month, added up; lines without a cost say nothing."""
    told, names = Told(), sorted(models)
    for charge in charges:
        at_end, at_mean = rate_pair(charge.currency, month, rates)
        if at_end is None or at_mean is None:
            told.reason = f"no rate of {charge.currency} in USD for the end of {month:%Y-%m}"
            continue
        _add_beside(told, charge, at_end)
        if charge.category == "Usage" and charge.effective is not None:
            _add_usage(told, charge, names, at_end, at_mean)
    return told


def rate_pair(currency: str, month: date, rates: Rates) -> tuple[Fraction | None, Fraction | None]:
    """USD for one unit of a currency on the last day of a month, and the mean of the rates dated in it."""
    if currency == "USD":
        return Fraction(1), Fraction(1)
    last = rates.on(currency, next_month(month) - timedelta(days=1))
    if last is None:
        return None, None
    inside = [Fraction(one.usd) for one in rates.rates if one.currency == currency and month_of(one.day) == month]
    at_end = Fraction(last.usd)
    return at_end, sum(inside, Fraction(0)) / len(inside) if inside else at_end


def _add_usage(told: Told, charge: Charge, names: Sequence[str], at_end: Fraction, at_mean: Fraction) -> None:
    cost = Fraction(charge.effective or 0)
    told.currency += cost * (at_end - at_mean)
    told.projects[charge.project] += cost * at_mean
    model = model_of(charge, names)
    if not model and _TOOL.search(_words(charge.meter)):
        told.tools += cost * at_mean
        return
    is_first = model not in told.usage
    told.usage[model] += cost * at_mean
    listed = None if charge.listed is None else Fraction(charge.listed) * at_mean
    held = Fraction(0) if is_first else told.listed[model]
    told.listed[model] = None if listed is None or held is None else held + listed
    tokens = Decimal(0) if is_first else told.tokens[model]
    told.tokens[model] = None if charge.quantity is None or tokens is None else tokens + charge.quantity


def _add_beside(told: Told, charge: Charge, at_end: Fraction) -> None:
    """What is billed in cash beyond usage; of usage itself what prepaid usage or an amortised fee makes of it."""
    billed = Fraction(charge.billed or 0) * at_end
    if charge.category == "Usage":
        told.beside["commitment"] += billed - Fraction(charge.effective or 0) * at_end
    else:
        told.beside[_KINDS.get(charge.category.lower(), "other")] += billed
