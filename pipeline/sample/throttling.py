"""Requests that met a provider's rate limit: a side call of the assistant is refused, and it goes on without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from pipeline.sample.chance import Chance
from pipeline.sample.clock import HOUR_MS, Span, day_of, ms_of
from pipeline.sample.records import NO_TOKENS, Call, Session

LIMITED_DAYS = {"openai": 0.16, "anthropic": 0.08}
"""Share of the days on which a provider's limit is reached for some hours."""
REFUSAL_MS = (15, 60)
"""How long a provider takes to say no, from and to."""


Shortages = Mapping[tuple[str, date], tuple[int, int]]
"""From when until when a provider refuses, on a day, what goes beyond the quota."""


def shortages(chance: Chance, span: Span) -> Shortages:
    """When quotas were short: some hours between morning and evening."""
    found = {}
    for day in span.days():
        for provider, probability in LIMITED_DAYS.items():
            if chance.happens(probability):
                start = ms_of(day) + chance.whole(8, 14) * HOUR_MS
                found[provider, day] = start, start + chance.whole(1, 4) * HOUR_MS
    return found


def _is_refused(short: Shortages, call: Call) -> bool:
    from_ms, until_ms = short.get((call.provider or "", day_of(call.started_ms)), (0, 0))
    return from_ms <= call.started_ms < until_ms


def throttled(chance: Chance, session: Session, short: Shortages) -> Session:
    """The session with the refused calls of its requests, each after the root of its request."""
    if not any(_is_refused(short, call) for call in session.calls):
        return session
    calls = []
    for call in session.calls:
        calls.append(call)
        if call.kind == "request":
            calls.extend(_refused(chance, call, session, short))
    return replace(session, calls=tuple(calls))


def _refused(chance: Chance, root: Call, session: Session, short: Shortages) -> Iterator[Call]:
    """Tries to have the question rewritten, all refused with HTTP 429 while the request was under way."""
    answer = next((call for call in session.calls if call.parent_id == root.call_id and call.kind == "model"), None)
    if answer is None or root.is_batch or not _is_refused(short, answer):
        return
    latest = max(root.started_ms, (root.ended_ms or answer.started_ms) - REFUSAL_MS[1])
    for _ in range(chance.whole(1, 3)):
        at = chance.whole(root.started_ms, latest)
        yield replace(
            answer,
            call_id=chance.hexadecimal(16),
            name="rewrite-question",
            started_ms=at,
            ended_ms=at + chance.whole(*REFUSAL_MS),
            tokens=NO_TOKENS,
            first_token_ms=None,
            status="error",
            message="RateLimitError: too many requests",
            http_status=429,
            retry_of=None,
            is_cache_hit=False,
        )
