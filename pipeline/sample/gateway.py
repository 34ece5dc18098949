"""The second application: coding and drafting help behind an LLM gateway, and the gateway's spend log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from pipeline.sample.chance import Chance
from pipeline.sample.clock import HOUR_MS, WEEKDAY_LOAD, Span, day_of, ms_of, naive_ms
from pipeline.sample.prices import PICO, Tariff
from pipeline.sample.records import Call, Person, Session, Tokens
from pipeline.sample.traces import HOUR_OF_DAY, MODEL_MS, TIMEOUT_MS, answer_tokens

SESSIONS_PER_DAY = 17.0
COLUMNS = (
    "request_id",
    "call_type",
    "api_key",
    "spend",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "startTime",
    "endTime",
    "completionStartTime",
    "request_duration_ms",
    "model",
    "custom_llm_provider",
    "user",
    "metadata",
    "cache_hit",
    "request_tags",
    "session_id",
    "status",
)


def sessions(chance: Chance, people: tuple[Person, ...], span: Span, *, load: float) -> Iterator[Session]:
    """The gateway's sessions in the order of their start; all their calls are requests somebody waits for."""
    technical = [person for person in people if person.login and not person.is_service_account]
    others = [person for person in people if not person.is_service_account]
    for day in span.days():
        mean = SESSIONS_PER_DAY * load * WEEKDAY_LOAD[day.weekday()] * (0.55 + 0.9 * span.progress(day))
        starts = sorted(
            ms_of(day) + int(chance.drawn(HOUR_OF_DAY) * HOUR_MS) for _ in range(max(1, chance.count(mean)))
        )
        for start in starts:
            yield _session(chance, technical or others, others, start, day)


def _session(chance: Chance, technical: list[Person], others: list[Person], start: int, day: date) -> Session:
    is_code = chance.happens(0.6)
    person = chance.pick(technical if is_code else others)
    known = person if person.job(day) is not None and not chance.happens(0.04) else None
    name = None if known is None else ((known.login if is_code else None) or known.email)
    is_batch = chance.happens(0.01)
    shell = Session(
        session_id=None if is_batch or chance.happens(0.02) else f"gw-{chance.hexadecimal(12)}",
        person=known,
        user_name=name,
        use_case="code_assistant" if is_code else "drafting",
        channel="ide" if is_code else "workplace",
        environment="staging" if chance.happens(0.05) else "production",
        is_synthetic=chance.happens(0.01),
        started_ms=start,
    )
    if shell.session_id is None:
        shell = replace(shell, is_synthetic=False)
    calls = list(_calls(chance, start, is_code=is_code, is_batch=is_batch))
    return replace(shell, calls=tuple(calls[:1] if shell.session_id is None else calls))


def _calls(chance: Chance, start: int, *, is_code: bool, is_batch: bool) -> Iterator[Call]:
    at = start
    provider, model = ("anthropic", "claude-sonnet-4-5") if is_code and chance.happens(0.35) else ("openai", "gpt-4.1")
    if not is_code and chance.happens(0.5):
        provider, model = "openai", "gpt-4.1-mini"
    for _ in range(chance.weighed({1: 0.55, 2: 0.3, 3: 0.15})):
        call = _completion(chance, at, provider, model)
        call = replace(call, is_batch=is_batch, purpose="batch" if is_batch else None)
        yield call
        at = (call.ended_ms or at) + chance.whole(4_000, 90_000)
        if is_code and chance.happens(0.08):
            yield _embedding(chance, at)
            at += 500


def _completion(chance: Chance, at: int, provider: str, model: str) -> Call:
    length = int(chance.drawn(MODEL_MS))
    tokens = answer_tokens(chance, provider, size=1.2)
    call_id = f"chatcmpl-{chance.hexadecimal(20)}"
    first = at + int(length * 0.3)
    call = Call(call_id, call_id, "model", "acompletion", at, at + length, provider=provider, model=model)
    if chance.happens(0.7):
        # The gateway counts the time a request waited in its queue; older versions report no duration.
        call = replace(call, reported_ms=length + (chance.whole(1, 40) if chance.happens(0.1) else 0))
    luck = chance.share()
    if luck < 0.012:
        return replace(call, tokens=replace(tokens, out=0, reasoning=0), status="error", message="RateLimitError")
    if luck < 0.015:
        late = replace(call, ended_ms=at + TIMEOUT_MS, reported_ms=TIMEOUT_MS, status="timeout", message="Timeout")
        return replace(late, tokens=replace(tokens, out=0, reasoning=0))
    if luck < 0.055:
        return replace(call, ended_ms=at + chance.whole(3, 12), reported_ms=None, tokens=tokens, is_cache_hit=True)
    return replace(call, tokens=tokens, first_token_ms=first)


def _embedding(chance: Chance, at: int) -> Call:
    call_id = f"embd-{chance.hexadecimal(20)}"
    call = Call(call_id, call_id, "retrieval", "aembedding", at, at + chance.whole(40, 200))
    return replace(call, provider="openai", model="text-embedding-3-small", tokens=Tokens(chance.whole(30, 400)))


def spend_rows(session: Session, tariff: Tariff) -> Iterator[tuple[str, ...]]:
    """The session's rows of the spend log."""
    for call in session.calls:
        yield spend_row(session, call, tariff)


def spend_row(session: Session, call: Call, tariff: Tariff) -> tuple[str, ...]:
    """One row: prompt tokens include those read from and written to the cache, booleans are words."""
    tokens = call.tokens
    prompt = tokens.in_uncached + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h
    return (
        call.call_id,
        call.name,
        "hashed-gateway-key",
        repr((tariff.cost(call, day_of(call.started_ms)) or 0) / PICO),
        str(prompt + tokens.out),
        str(prompt),
        str(tokens.out),
        naive_ms(call.started_ms),
        naive_ms(call.started_ms if call.ended_ms is None else call.ended_ms),
        "" if call.first_token_ms is None else naive_ms(call.first_token_ms),
        "" if call.reported_ms is None else str(call.reported_ms),
        call.model or "",
        call.provider or "",
        session.user_name or "default_user_id",
        json.dumps(_metadata(call), separators=(",", ":")),
        "True" if call.is_cache_hit else ("None" if call.kind == "retrieval" else "False"),
        json.dumps(_tags(session, call), separators=(",", ":")),
        session.session_id or "",
        "success" if call.status == "ok" else "failure",
    )


def _metadata(call: Call) -> dict[str, object]:
    tokens = call.tokens
    usage: dict[str, object] = {"prompt_tokens_details": {"cached_tokens": tokens.cache_read}}
    if tokens.cache_write_5m or tokens.cache_write_1h:
        usage["cache_creation_input_tokens"] = tokens.cache_write_5m + tokens.cache_write_1h
        usage["cache_creation_token_details"] = {"ephemeral_1h_input_tokens": tokens.cache_write_1h}
    if tokens.reasoning:
        usage["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    notes: dict[str, object] = {"usage_object": usage}
    if call.message:
        notes["error_information"] = {"error_class": call.message}
    return notes


def _tags(session: Session, call: Call) -> list[str]:
    tags = [f"use_case:{session.use_case}", f"env:{session.environment}", f"channel:{session.channel}"]
    if session.is_synthetic:
        tags.append("synthetic")
    return [*tags, "batch"] if call.is_batch else tags
