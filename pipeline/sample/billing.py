"""The providers' side: what they counted and billed, their usage reports, and three planted differences to the logs.

The logs are left as they are, so that what they tell stays true of them; the report and the invoice differ. One request
was sent past the gateway, so nobody logged it; a log took tokens for read in full that were read from the cache; and a
request was served in the tier `priority`. `truth.json` names each with its amount under `reconciliation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import NamedTuple

from pipeline.sample.clock import Span, day_of, first_of_next_month, ms_of
from pipeline.sample.prices import PRIORITY, Tariff, usd
from pipeline.sample.records import Call, Session, Tokens

Json = dict[str, object]
BEHIND_THE_GATEWAY = ("code_assistant", "drafting")
UNLOGGED = Tokens(in_uncached=40_000, out=2_000)
LOGGED_THAT_DAY = 8
MISSED_CACHED = 10_000


class Key(NamedTuple):
    """What a usage report is split by."""

    day: date
    provider: str
    project: str
    model: str
    tier: str


@dataclass(frozen=True)
class Meter:
    """Requests, tokens and cost in pico-dollars of one key."""

    requests: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    pico: int = 0

    def plus(self, tokens: Tokens, pico: int, *, requests: int = 1) -> Meter:
        """The meter with more on it."""
        return Meter(self.requests + requests, combined(self.tokens, tokens), self.pico + pico)


def combined(one: Tokens, other: Tokens, *, sign: int = 1) -> Tokens:
    """The sum of two counts by class, or their difference."""
    names = ("in_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "out", "reasoning")
    return Tokens(**{name: getattr(one, name) + sign * getattr(other, name) for name in names})


class Meters:
    """What the providers count, call by call; single calls are kept for the last month alone."""

    def __init__(self, tariff: Tariff, keep_from: date) -> None:
        self.tariff, self._keep_from = tariff, keep_from
        self.held: dict[Key, Meter] = {}
        self.calls: dict[Key, list[Tokens]] = {}

    def take(self, session: Session, call: Call, pico: int) -> None:
        """Counts a call that reached a provider; an answer from the gateway's own cache did not."""
        if not call.provider or not call.model or call.is_cache_hit:
            return
        kind = "wrkspc" if call.provider == "anthropic" else "proj"
        project = f"{kind}_{'tools' if session.use_case in BEHIND_THE_GATEWAY else 'assistant'}"
        key = Key(day_of(call.started_ms), call.provider, project, call.model, "standard")
        self.add(key, call.tokens, pico)
        if key.day >= self._keep_from:
            self.calls.setdefault(key, []).append(call.tokens)

    def add(self, key: Key, tokens: Tokens, pico: int, *, requests: int = 1) -> None:
        """Puts more on the meter of a key."""
        self.held[key] = self.held.get(key, Meter()).plus(tokens, pico, requests=requests)

    def monthly(self, month: date) -> Mapping[tuple[str, str, str], int]:
        """What is billed for a month in pico-dollars, by provider, model and project."""
        found: dict[tuple[str, str, str], int] = {}
        for key, meter in self.held.items():
            if key.day.replace(day=1) == month:
                there = (key.provider, key.model, key.project)
                found[there] = found.get(there, 0) + meter.pico
        return found


def plant(meters: Meters) -> list[Json]:
    """Lets report and invoice differ from the logs of the last month in three ways, and says by how much."""
    return [found for case in (_unlogged, _missed_cache, _other_tier) if (found := case(meters)) is not None]


def _unlogged(meters: Meters) -> Json | None:
    """A ninth request to a model on a day on which eight were logged."""
    logged: dict[tuple[date, str], int] = {}
    for key, calls in meters.calls.items():
        if key.provider == "openai":
            logged[key.day, key.model] = logged.get((key.day, key.model), 0) + len(calls)
    days = sorted(day for (day, model), count in logged.items() if (model, count) == ("gpt-4.1", LOGGED_THAT_DAY))
    if not days:
        return None
    key = Key(days[0], "openai", "proj_tools", "gpt-4.1", "standard")
    pico = meters.tariff.cost_of("openai", "gpt-4.1", UNLOGGED, key.day) or 0
    meters.add(key, UNLOGGED, pico)
    told = {"requests_logged": LOGGED_THAT_DAY, "requests_billed": LOGGED_THAT_DAY + 1}
    return _planted("missing_requests", key, pico, **told)


def _missed_cache(meters: Meters) -> Json | None:
    """Tokens of a day that a log tells as read in full and the provider as read from the cache."""
    keys = sorted(
        key for key, meter in meters.held.items()
        if key in meters.calls and key.provider == "anthropic" and meter.tokens.in_uncached >= MISSED_CACHED
    )  # fmt: skip
    if not keys:
        return None
    key = keys[len(keys) // 2]
    moved = Tokens(in_uncached=-MISSED_CACHED, cache_read=MISSED_CACHED)
    read, full = (
        meters.tariff.cost_of(key.provider, key.model, one, key.day) or 0
        for one in (Tokens(cache_read=MISSED_CACHED), Tokens(in_uncached=MISSED_CACHED))
    )
    meters.add(key, moved, read - full, requests=0)
    return _planted("cache_class", key, read - full, tokens=MISSED_CACHED)


def _other_tier(meters: Meters) -> Json | None:
    """The longest request to a model on a day, billed at the price of another tier."""
    keys = sorted(key for key in meters.calls if key.model == "gpt-4.1")
    if not keys:
        return None
    key = keys[-1]
    tokens = max(meters.calls[key], key=lambda one: (one.in_uncached + one.cache_read, one.out))
    pico = meters.tariff.cost_of(key.provider, key.model, tokens, key.day) or 0
    dearer = sum(count * PRIORITY[key.provider, key.model][name] for name, count in tokens.priced() if count)
    meters.add(key, combined(Tokens(), tokens, sign=-1), -pico, requests=-1)
    meters.add(key._replace(tier="priority"), tokens, dearer)
    return _planted("service_tier", key, dearer - pico, tokens=sum(count for _, count in tokens.priced()))


def _planted(part: str, key: Key, pico: int, **more: int) -> Json:
    about = {"part": part, "provider": key.provider, "day": key.day.isoformat(), "model": key.model}
    return {**about, "amount_usd": usd(pico), **more}


def reports(meters: Meters, span: Span) -> Iterator[tuple[str, Json, int]]:
    """(file, document, results) of each provider's usage report, a page for each month."""
    shapes = {"openai": _openai_bucket, "anthropic": _anthropic_bucket}
    for month in span.months():
        for provider, shape in shapes.items():
            held = sorted(
                (key, meter) for key, meter in meters.held.items()
                if (key.provider, key.day.replace(day=1)) == (provider, month)
            )  # fmt: skip
            days = {day: list(rows) for day, rows in groupby(held, key=lambda row: row[0].day)}
            buckets = [shape(day, days.get(day, [])) for day in _days(month)]
            page = {"object": "page", "data": buckets, "has_more": False, "next_page": None}
            if held:
                yield f"{provider}/{provider}-usage-{month:%Y-%m}.json", page, len(held)


def _days(month: date) -> Iterator[date]:
    day = month
    while day < first_of_next_month(month):
        yield day
        day += timedelta(days=1)


def _openai_bucket(day: date, rows: list[tuple[Key, Meter]]) -> Json:
    """Unix seconds; input tokens include the cached ones; the standard tier is called default."""
    start = ms_of(day) // 1000
    return {
        "object": "bucket",
        "start_time": start,
        "end_time": start + 86_400,
        "results": [_openai_result(key, meter) for key, meter in rows],
    }


def _openai_result(key: Key, meter: Meter) -> Json:
    is_embedding = "embedding" in key.model
    tokens = meter.tokens
    counted: Json = {"input_tokens": tokens.in_uncached + tokens.cache_read, "num_model_requests": meter.requests}
    if not is_embedding:
        tier = "default" if key.tier == "standard" else key.tier
        counted |= {"input_cached_tokens": tokens.cache_read, "output_tokens": tokens.out, "batch": False,
                    "service_tier": tier}  # fmt: skip
    kind = "embeddings" if is_embedding else "completions"
    about = {"project_id": key.project, "user_id": None, "api_key_id": None, "model": key.model}
    return {"object": f"organization.usage.{kind}.result", **counted, **about}


def _anthropic_bucket(day: date, rows: list[tuple[Key, Meter]]) -> Json:
    """Token classes stand apart, and nobody counts requests."""
    return {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
        "results": [_anthropic_result(key, meter) for key, meter in rows],
    }


def _anthropic_result(key: Key, meter: Meter) -> Json:
    tokens = meter.tokens
    return {
        "uncached_input_tokens": tokens.in_uncached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.out,
        "workspace_id": key.project,
        "model": f"{key.model}-20250929",
        "service_tier": key.tier,
        "context_window": "0-200k",
    }
