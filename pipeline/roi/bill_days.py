"""What a provider counted held against what was logged, day by day and model by model, in money of the price book.

The price of a token is that of its day, tier, band of prompt lengths and class. A day and model of which one of these
has no price is not valued: it is told as such, and its money stays unexplained.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from pipeline.roi.bill_netting import CLASSES, VOLUME, Cell, Tokens, added, described, placed, steps
from pipeline.roi.bill_records import Counted, Logged, TokenPrice

_SNAPSHOT = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")
_BAND = re.compile(r"\d+")


def plain_model(model: str) -> str:
    """A model without the day of its snapshot.

    >>> plain_model("gpt-4.1-2025-04-14"), plain_model("claude-sonnet-4-5-20250929"), plain_model("gpt-4.1-mini")
    ('gpt-4.1', 'claude-sonnet-4-5', 'gpt-4.1-mini')
    """
    return _SNAPSHOT.sub("", model.strip().lower())


class PriceBook:
    """Looks up what one token costs on a day."""

    def __init__(self, prices: Iterable[TokenPrice]) -> None:
        self._held: dict[tuple[str, str], list[TokenPrice]] = defaultdict(list)
        for one in prices:
            self._held[one.provider.lower(), one.model.lower()].append(one)

    def price(self, provider: str, models: Sequence[str], day: date, cell: Cell) -> Fraction | None:
        """USD per token under the first name that has a price, in the highest band there is up to the cell's."""
        tier, band, name = cell
        for model in dict.fromkeys((*models, *map(plain_model, models))):
            held = [
                one for one in self._held[provider.lower(), model.lower()]
                if one.tier == tier and one.since <= day < one.until and one.band <= band
            ]  # fmt: skip
            if held:
                found = max(held, key=lambda one: one.band).prices[CLASSES.index(name)]
                return None if found is None else Fraction(found)
        return None

    def bands(self, provider: str, models: Sequence[str]) -> set[int]:
        """Lower ends of the bands that have prices."""
        names = {*models, *map(plain_model, models)}
        return {one.band for model in names for one in self._held[provider.lower(), model.lower()]}


@dataclass(frozen=True)
class Valued:
    """One reason why a day and model differ; `amount` is None where a price is missing."""

    day: date
    model: str
    part: str
    amount: Fraction | None
    words: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Day:
    """All that is known of one day (or month, where the report tells no days) and model of a provider."""

    provider: str
    day: date
    model: str
    logged: tuple[Logged, ...]
    counted: tuple[Counted, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the model has in the report and in the logs."""
        return tuple(sorted({one.model for one in self.logged} | {one.model for one in self.counted}))

    @property
    def have(self) -> dict[Cell, int]:
        """Tokens by the logs."""
        cells = [
            {(one.tier, one.band, name): count for name, count in zip(CLASSES, one.tokens, strict=True) if count}
            for one in self.logged
        ]
        return {cell: int(count) for cell, count in added(cells).items()}

    @property
    def requests(self) -> tuple[int, int | None]:
        """Requests by the logs and by the provider."""
        told = [one.requests for one in self.counted]
        billed = None if None in told else sum(count for count in told if count is not None)
        return sum(one.requests for one in self.logged), billed

    def want(self, book: PriceBook) -> Tokens:
        """Tokens by the provider."""
        have = self.have
        return added(
            placed(one.tier, self.band_of(one, book), one.tokens, have)
            for one in self.counted
            if one.tokens is not None
        )

    def band_of(self, one: Counted, book: PriceBook) -> int | None:
        """The band of a report that tells a window such as 200k-1M; None where it tells none."""
        found = _BAND.search(one.context)
        bands = sorted(book.bands(one.provider, self.names) | {-1})
        return max(band for band in bands if band <= 1000 * int(found[0])) if found and int(found[0]) else (
            -1 if found else None)  # fmt: skip


def paired(logged: Sequence[Logged], counted: Sequence[Counted]) -> list[Day]:
    """Days and models that either side has, in order; a report whose spans exceed a day is compared by the month."""
    by_month = any((one.until - one.day).days > 1 for one in counted)
    rows: dict[tuple[date, str], tuple[list[Logged], list[Counted]]] = defaultdict(lambda: ([], []))
    for call in logged:
        rows[_when(call.day, by_month=by_month), plain_model(call.model)][0].append(call)
    for bucket in counted:
        rows[_when(bucket.day, by_month=by_month), plain_model(bucket.model)][1].append(bucket)
    return [
        Day((calls or buckets)[0].provider, day, model, tuple(calls), tuple(buckets))
        for (day, model), (calls, buckets) in sorted(rows.items())
    ]


def _when(day: date, *, by_month: bool) -> date:
    return day.replace(day=1) if by_month else day


def valued(one: Day, book: PriceBook, mean: Fraction | None) -> Iterator[Valued]:
    """Why a day and model differ, reason by reason; nothing where they do not.

    `mean` is what a logged request of the month cost; it prices missing requests of a report without tokens.
    """
    rows = [*(row.places for row in one.counted), *(row.places for row in one.logged)]
    places = tuple(dict.fromkeys(place for held in rows for place in held))
    if one.counted and all(row.tokens is None for row in one.counted):
        yield from _by_requests(one, mean, places)
        return
    differences = added([one.want(book), {cell: -count for cell, count in one.have.items()}])
    prices = {cell: book.price(one.provider, one.names, one.day, cell) for cell in differences}
    unpriced = sorted(cell for cell, price in prices.items() if price is None)
    if unpriced:
        told = ", ".join(f"{name} in tier {tier}" for tier, _, name in unpriced)
        yield Valued(one.day, one.model, "no_price", None, f"no price of {one.model} for {told}", places)
        return
    for kind, moved in steps(differences).items():
        if moved:
            amount = sum((count * (prices[cell] or 0) for cell, count in moved.items()), Fraction(0))
            name, words = (kind, described(moved, kind)) if kind != VOLUME else _volume(one, moved)
            yield Valued(one.day, one.model, name, amount, words, places)


def _by_requests(one: Day, mean: Fraction | None, places: tuple[str, ...]) -> Iterator[Valued]:
    logged, billed = one.requests
    if billed is None or billed == logged:
        return
    part = "missing_requests" if billed > logged else "unbilled_requests"
    words = f"{billed} requests at the provider, {logged} logged; no tokens told, at the mean cost of the month"
    yield Valued(one.day, one.model, part, None if mean is None else (billed - logged) * mean, words, places)


def _volume(one: Day, moved: Tokens) -> tuple[str, str]:
    """What tokens that one side alone has are called: by requests, or by their own sign where nobody counts these."""
    logged, billed = one.requests
    total = sum(moved.values(), Fraction(0))
    by_class: dict[str, Fraction] = defaultdict(Fraction)
    for (_, _, name), count in moved.items():
        by_class[name] += count
    tokens = ", ".join(f"{round(by_class[name])} {name}" for name in CLASSES if by_class[name])
    if billed is None:
        name = "missing_requests" if total > 0 else "unbilled_requests"
        return name, f"the provider counts no requests; tokens apart: {tokens}"
    apart = billed - logged
    name = "missing_requests" if apart > 0 else "unbilled_requests" if apart < 0 else "token_counts"
    return name, f"{billed} requests at the provider, {logged} logged; tokens apart: {tokens}"


def usage_cost(counted: Iterable[Counted], days: Sequence[Day], book: PriceBook) -> Decimal | None:
    """What counted usage costs by the price book; None when some of it has no price or no tokens."""
    have = {(day.day, day.model): day for day in days}
    total = Fraction(0)
    for one in counted:
        model = plain_model(one.model)
        day = have.get((one.day, model)) or have.get((one.day.replace(day=1), model))
        cost = None if day is None else _bucket_cost(one, day, book)
        if cost is None:
            return None
        total += cost
    return Decimal(total.numerator) / Decimal(total.denominator)


def _bucket_cost(one: Counted, day: Day, book: PriceBook) -> Fraction | None:
    if one.tokens is None:
        return None
    total = Fraction(0)
    for cell, count in placed(one.tier, day.band_of(one, book), one.tokens, day.have).items():
        price = book.price(one.provider, day.names, one.day, cell)
        if price is None:
            return None
        total += count * price
    return total
