"""Langfuse's exports of sessions: observations and traces, one JSON object a line, without prompts and answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from pipeline.sample.clock import DAY_MS, day_of, iso_ms
from pipeline.sample.prices import PICO, Tariff
from pipeline.sample.records import Call, Session, Tokens

Json = dict[str, object]
TYPES = {
    "request": "SPAN",
    "model": "GENERATION",
    "tool": "TOOL",
    "retrieval": "EMBEDDING",
    "guardrail": "GUARDRAIL",
    "judge": "EVALUATOR",
}
PROMPT_LASTS_MS = 100 * DAY_MS
PROMPT_NAME = "answer-with-sources"
LATENCY_IN_MS_SINCE = date(2026, 4, 1)


def observation_records(session: Session, tariff: Tariff) -> Iterator[Json]:
    """One record per call, and now and then a span or an event that is no call of its own."""
    for call in session.calls:
        yield observation(session, call, tariff)
        if call.kind == "request" and call.started_ms % 20 == 0:
            yield _step(session, call, "SPAN", "build-prompt")
        if call.kind == "request" and call.started_ms % 50 == 1:
            yield _step(session, call, "EVENT", "feature-flag-read")


def observation(session: Session, call: Call, tariff: Tariff) -> Json:
    """The record of one call; empty fields are left out, as in an export of chosen field groups."""
    record: Json = {
        "id": call.call_id,
        "traceId": call.trace_id,
        "type": TYPES[call.kind],
        "name": call.name,
        "startTime": iso_ms(call.started_ms),
        "endTime": None if call.ended_ms is None else iso_ms(call.ended_ms),
        "completionStartTime": None if call.first_token_ms is None else iso_ms(call.first_token_ms),
        "parentObservationId": call.parent_id,
        "sessionId": session.session_id,
        "userId": session.user_name,
        "environment": session.environment or "default",
        "level": _level(call),
        "statusMessage": call.message or None,
        "model": call.model,
        "promptName": PROMPT_NAME if call.kind == "model" else None,
        "promptVersion": prompt_version(call.started_ms) if call.kind == "model" else None,
        "latency": _latency(call),
        "usageDetails": usage_details(call.tokens, call.provider) if call.model else None,
        "costDetails": _cost_details(call, tariff) if call.model else None,
        "metadata": _metadata(call),
        "updatedAt": iso_ms((call.ended_ms or call.started_ms) + 2_000),
    }
    return {key: value for key, value in record.items() if value is not None}


def prompt_version(ms: int) -> int:
    """The version of the prompt that was live at a moment: a new one every hundred days, the third in October 2025."""
    return ms // PROMPT_LASTS_MS - 200


def _step(session: Session, call: Call, kind: str, name: str) -> Json:
    return {
        "id": f"{int(call.call_id, 16) ^ (1 if kind == 'SPAN' else 2):016x}",
        "traceId": call.trace_id,
        "type": kind,
        "name": name,
        "startTime": iso_ms(call.started_ms + 1),
        "parentObservationId": call.call_id,
        "environment": session.environment or "default",
        "level": "DEFAULT",
        "updatedAt": iso_ms(call.started_ms + 2_000),
    }


def _level(call: Call) -> str:
    if call.is_error_in_body:
        return "DEFAULT"
    return {"ok": "DEFAULT", "cancelled": "WARNING"}.get(call.status, "ERROR")


def _latency(call: Call) -> float | None:
    """Seconds until March 2026, milliseconds since: the unit changed on the way, so the mapping takes the two times."""
    if call.ended_ms is None:
        return None
    length = call.ended_ms - call.started_ms
    return length / 1000 if day_of(call.started_ms) < LATENCY_IN_MS_SINCE else float(length)


def _metadata(call: Call) -> Json | None:
    notes: Json = {}
    if call.provider:
        notes["provider"] = call.provider
    if call.is_error_in_body:
        notes.update(httpStatus=200, isError=True)
    elif call.http_status:
        notes["httpStatus"] = call.http_status
    if call.retry_of:
        notes["retryOf"] = call.retry_of
    if call.is_cache_hit:
        notes["responseCacheHit"] = True
    if call.is_batch:
        notes["batch"] = True
    if call.purpose:
        notes["purpose"] = call.purpose
    return notes or None


def usage_details(tokens: Tokens, provider: str | None) -> dict[str, int]:
    """Langfuse's disjoint usage keys, which differ between the providers."""
    details = {"input": tokens.in_uncached, "output": tokens.out - tokens.reasoning}
    if provider == "anthropic":
        details["cache_read_input_tokens"] = tokens.cache_read
        details["cache_creation_input_tokens"] = tokens.cache_write_5m
        details["cache_creation_1h_input_tokens"] = tokens.cache_write_1h
    else:
        details["input_cached_tokens"] = tokens.cache_read
        details["output_reasoning_tokens"] = tokens.reasoning
    kept = {key: count for key, count in details.items() if count or key in ("input", "output")}
    return {**kept, "total": sum(kept.values())}


def _cost_details(call: Call, tariff: Tariff) -> dict[str, float]:
    pico = tariff.cost(call, day_of(call.started_ms))
    return {"total": (pico or 0) / PICO}


def trace_records(session: Session) -> Iterator[Json]:
    """One record per request of the session."""
    for root in session.calls:
        if root.parent_id is None:
            yield _trace(session, root)


def _trace(session: Session, root: Call) -> Json:
    notes: Json = {"channel": session.channel}
    if session.use_case:
        notes["useCase"] = session.use_case
    record: Json = {
        "id": root.trace_id,
        "timestamp": iso_ms(root.started_ms),
        "name": root.name,
        "sessionId": session.session_id,
        "userId": session.user_name,
        "environment": session.environment or "default",
        "release": "2.4.1",
        "tags": ["synthetic"] if session.is_synthetic else [],
        "metadata": notes,
        "latency": _latency(root),
        "updatedAt": iso_ms((root.ended_ms or root.started_ms) + 2_000),
    }
    return {key: value for key, value in record.items() if value is not None}
