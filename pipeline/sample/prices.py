"""Token prices: the list prices of a public price map, and the organisation's own dated price book."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from pipeline.sample.clock import Span
from pipeline.sample.records import Call, Price, Tokens

PICO = 10**12
SINCE_EVER = date(1970, 1, 1)
Json = dict[str, object]

# USD per million tokens: uncached input, cache read, cache write (5 minutes), cache write (1 hour), output.
LIST_PRICES: dict[tuple[str, str], tuple[str | None, ...]] = {
    ("openai", "gpt-4.1"): ("2", "0.5", None, None, "8"),
    ("openai", "gpt-4.1-mini"): ("0.4", "0.1", None, None, "1.6"),
    ("anthropic", "claude-sonnet-4-5"): ("3", "0.3", "3.75", "6", "15"),
    ("openai", "text-embedding-3-small"): ("0.02", None, None, None, "0"),
}
CLASSES = ("in_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "out")
MAP_KEYS = (
    "input_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "output_cost_per_token",
)
PRIORITY_PRICES = {("openai", "gpt-4.1"): ("3.5", "0.875", None, None, "14")}
"""The same of the tier `priority`."""
BOOK_COLUMNS = (
    "provider",
    "model",
    "token_class",
    "tier",
    "valid_from",
    "valid_to",
    "unit",
    "price_usd",
    "currency",
    "retrieved_on",
)


def list_prices() -> list[Price]:
    """The undated prices of the map: they hold where the price book says nothing."""
    return [
        Price(provider, model, token_class, SINCE_EVER, None, _pico(per_million))
        for (provider, model), row in LIST_PRICES.items()
        for token_class, per_million in zip(CLASSES, row, strict=True)
        if per_million is not None
    ]


def price_book(span: Span) -> list[Price]:
    """The agreed prices: gpt-4.1 as listed, and a fifth cheaper from the middle of a span of several months."""
    change = max(day for day in span.months() if day <= span.at(0.5))
    agreed = [price for price in list_prices() if price.model == "gpt-4.1"]
    if change == span.start:
        return [Price(p.provider, p.model, p.token_class, span.start, None, p.pico_usd) for p in agreed]
    first = [Price(p.provider, p.model, p.token_class, span.start, change, p.pico_usd) for p in agreed]
    second = [Price(p.provider, p.model, p.token_class, change, None, p.pico_usd * 4 // 5) for p in agreed]
    return first + second


def _pico(usd_per_million: str) -> int:
    return int(Decimal(usd_per_million) * PICO / 1_000_000)


PRIORITY = {
    model: {name: _pico(price) for name, price in zip(CLASSES, row, strict=True) if price is not None}
    for model, row in PRIORITY_PRICES.items()
}
"""Pico-dollars a token by model and class."""


class Tariff:
    """Looks up what a token cost on a day: the latest price that had begun and not ended."""

    def __init__(self, prices: list[Price]) -> None:
        self._dated: dict[tuple[str, str, str], list[Price]] = {}
        for price in sorted(prices, key=lambda price: price.valid_from):
            self._dated.setdefault((price.provider, price.model, price.token_class), []).append(price)

    def cost(self, call: Call, day: date) -> int | None:
        """Cost of the call in pico-dollars; None when a class it used has no price."""
        if call.is_cache_hit:
            return 0
        return self.cost_of(call.provider or "", call.model or "", call.tokens, day)

    def cost_of(self, provider: str, model: str, tokens: Tokens, day: date) -> int | None:
        """Cost of tokens of a model on a day in pico-dollars; None when a class has no price."""
        total = 0
        for token_class, count in tokens.priced():
            if count:
                price = self._on(provider, model, token_class, day)
                if price is None:
                    return None
                total += count * price
        return total

    def _on(self, provider: str, model: str, token_class: str, day: date) -> int | None:
        dated = self._dated.get((provider, model, token_class), [])
        begun = dated[: bisect_right([price.valid_from for price in dated], day)]
        valid = [price for price in begun if price.valid_to is None or day < price.valid_to]
        return valid[-1].pico_usd if valid else None


def usd(pico: int) -> str:
    """Pico-dollars as an exact decimal number of dollars."""
    return f"{Decimal(pico).scaleb(-12).normalize():f}" if pico else "0"


def book_rows(span: Span) -> Iterator[tuple[str, ...]]:
    """The price book as its spreadsheet is exported."""
    for price in price_book(span):
        yield (
            price.provider,
            price.model,
            price.token_class,
            "standard",
            price.valid_from.isoformat(),
            price.valid_to.isoformat() if price.valid_to else "",
            "token",
            usd(price.pico_usd),
            "USD",
            price.valid_from.isoformat(),
        )


def price_map() -> Json:
    """The price map, in the shape LiteLLM publishes it: an object keyed by model, with an example entry first."""
    entries: Json = {"sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of the providers"}}
    for (provider, model), row in LIST_PRICES.items():
        entry: Json = {"litellm_provider": provider, "mode": "embedding" if "embedding" in model else "chat"}
        entry.update(
            (key, _pico(per_million) / PICO) for key, per_million in zip(MAP_KEYS, row, strict=True) if per_million
        )
        dearer = PRIORITY_PRICES.get((provider, model), ())
        entry.update(
            (f"{key}_priority", _pico(price) / PICO) for key, price in zip(MAP_KEYS, dearer, strict=False) if price
        )
        entries[model] = entry
    return entries
