"""Sessions of the assistant, made of requests and the calls each of them caused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import HOUR_MS, MINUTE_MS, WEEKDAY_LOAD, Span, ms_of
from pipeline.sample.records import Call, Person, Session, Tokens

SESSIONS_PER_DAY = 9.5
"""For two hundred people, on an average weekday in the middle of the span."""
USE_CASES = {"customer_support": 0.45, "knowledge_search": 0.35, "contract_review": 0.20}
CHANNELS = {"customer_support": "web_chat", "knowledge_search": "intranet", "contract_review": "workplace"}
TOOLS = {
    "customer_support": ("order_status", "crm_lookup"),
    "knowledge_search": ("document_search", "calendar_search"),
    "contract_review": ("document_search", "clause_library"),
}
TIMEOUT_MS = 30_000
MODEL_MS: Curve = ((0.0, 250), (0.25, 620), (0.5, 950), (0.75, 1450), (0.9, 2000), (0.97, 2700), (1.0, 6500))
TOOL_MS: Curve = ((0.0, 30), (0.5, 120), (0.9, 340), (1.0, 1400))
HOUR_OF_DAY: Curve = ((0.0, 6.0), (0.3, 9.5), (0.7, 14.5), (1.0, 20.0))


@dataclass(frozen=True, slots=True)
class _Turn:
    """Where the calls of one request hang: trace, root, use case, model."""

    trace_id: str
    root_id: str
    use_case: str
    provider: str
    model: str


def sessions(chance: Chance, people: tuple[Person, ...], span: Span, *, load: float) -> Iterator[Session]:
    """The sessions in the order of their start, with, each night, a batch of calls outside any session."""
    staff = [person for person in people if not person.is_service_account]
    for day in span.days():
        mean = SESSIONS_PER_DAY * load * WEEKDAY_LOAD[day.weekday()] * (0.65 + 0.7 * span.progress(day))
        starts = sorted(_start(chance, day, is_last=day == span.last) for _ in range(max(1, chance.count(mean))))
        yield _digest(chance, day)
        for start in starts:
            yield _session(chance, staff, start, day)


def _start(chance: Chance, day: date, *, is_last: bool) -> int:
    """A time of the day; one session in fifty begins just before midnight (not on the last day) and ends after it."""
    if chance.happens(0.02) and not is_last:
        return ms_of(day) + 24 * HOUR_MS - chance.whole(20_000, 4 * MINUTE_MS)
    return ms_of(day) + int(chance.drawn(HOUR_OF_DAY) * HOUR_MS)


def _session(chance: Chance, staff: list[Person], start: int, day: date) -> Session:
    use_case = chance.weighed(USE_CASES)
    person = _user(chance, staff, use_case, day)
    is_loose = chance.happens(0.02)
    environment = "staging" if chance.happens(0.04) else ("default" if chance.happens(0.1) else "production")
    shell = Session(
        session_id=None if is_loose else f"aria-{chance.hexadecimal(16)}",
        person=person,
        user_name=None if person is None else _spelt(chance, person.email),
        use_case=None if chance.happens(0.01) else use_case,
        channel=CHANNELS[use_case],
        environment=None if environment == "default" else environment,
        is_synthetic=not is_loose and chance.happens(0.03),
        started_ms=start,
    )
    return replace(shell, calls=tuple(_calls(chance, start, use_case, 1 if is_loose else None)))


def _user(chance: Chance, staff: list[Person], use_case: str, day: date) -> Person | None:
    """Customers are anonymous; of the staff, those who are on the roster that day."""
    if use_case == "customer_support" and chance.happens(0.85):
        return None
    person = chance.pick(staff)
    return person if person.job(day) is not None else None


def _spelt(chance: Chance, email: str) -> str:
    """An address as people type it: now and then with capitals or a space behind it."""
    if chance.happens(0.03):
        return email.upper()
    return f"{email} " if chance.happens(0.02) else email


def _calls(chance: Chance, start: int, use_case: str, turns: int | None) -> Iterator[Call]:
    is_contract = use_case == "contract_review"
    provider, model = ("anthropic", "claude-sonnet-4-5") if is_contract else ("openai", "gpt-4.1-mini")
    if not is_contract and chance.happens(0.2):
        provider, model = "openai", "gpt-4.1"
    at = start
    for _ in range(turns or chance.weighed({1: 0.6, 2: 0.28, 3: 0.12})):
        turn = _Turn(chance.hexadecimal(32), chance.hexadecimal(16), use_case, provider, model)
        calls = list(_request(chance, turn, at))
        yield from calls
        at = max(call.ended_ms or call.started_ms for call in calls) + chance.whole(8_000, 150_000)


def _request(chance: Chance, turn: _Turn, start: int) -> Iterator[Call]:
    """One user turn: the root span and everything under it."""
    root = Call(turn.root_id, turn.trace_id, "request", "handle-message", start, None)
    steps = list(_steps(chance, turn, start + chance.whole(3, 25)))
    end = max(step.ended_ms or step.started_ms for step in steps) + chance.whole(2, 20)
    model_calls = [step for step in steps if step.kind == "model"]
    if model_calls[-1].status == "timeout":
        yield replace(root, ended_ms=start + TIMEOUT_MS, status="timeout", message="Request timed out after 30 s")
    elif model_calls[-1].status == "error":
        yield replace(root, ended_ms=end, status="error", message="Upstream model error")
    elif chance.happens(0.003):
        yield replace(root, ended_ms=None, status="error", message="Worker lost")
    else:
        yield replace(root, ended_ms=end)
    yield from steps
    if chance.happens(0.15):
        yield _judge(chance, turn, end)


def _steps(chance: Chance, turn: _Turn, at: int) -> Iterator[Call]:
    if chance.happens(0.5):
        guard = _small(chance, turn, ("guardrail", "input-guardrail"), at, Tokens(chance.whole(90, 400), out=4))
        at = guard.ended_ms or at
        yield guard
    if turn.use_case != "customer_support" and chance.happens(0.6):
        found = _retrieval(chance, turn, at)
        at = found.ended_ms or at
        yield found
    for _ in range(chance.weighed({0: 0.45, 1: 0.40, 2: 0.15})):
        for call in _tool(chance, turn, at):
            at = call.ended_ms or at
            yield call
    yield from _model(chance, turn, at)


def _child(chance: Chance, turn: _Turn, what: tuple[str, str], start: int, length: float) -> Call:
    kind, name = what
    call_id = chance.hexadecimal(16)
    return Call(call_id, turn.trace_id, kind, name, start, start + int(length), parent_id=turn.root_id)


def _small(chance: Chance, turn: _Turn, what: tuple[str, str], at: int, tokens: Tokens) -> Call:
    """A call to the small model: guardrails and judges."""
    call = _child(chance, turn, what, at, chance.whole(60, 240))
    return replace(call, provider="openai", model="gpt-4.1-mini", tokens=tokens)


def _judge(chance: Chance, turn: _Turn, at: int) -> Call:
    tokens = Tokens(chance.whole(500, 1500), chance.whole(0, 600), out=chance.whole(20, 90))
    call = _small(chance, turn, ("judge", "groundedness-judge"), at + chance.whole(50, 900), tokens)
    return replace(call, purpose="evaluation")


def _retrieval(chance: Chance, turn: _Turn, at: int) -> Call:
    call = _child(chance, turn, ("retrieval", "vector-search"), at, chance.drawn(TOOL_MS))
    tokens = Tokens(chance.whole(12, 60))
    return replace(call, provider="openai", model="text-embedding-3-small", tokens=tokens)


def _tool(chance: Chance, turn: _Turn, at: int) -> Iterator[Call]:
    """A tool call; of those that fail, half are repeated unseen. Some failures hide behind an HTTP 200."""
    name = chance.pick(TOOLS[turn.use_case])
    call = _child(chance, turn, ("tool", name), at, chance.drawn(TOOL_MS))
    luck = chance.share()
    if luck < 0.008:
        call = replace(call, status="error", message="Tool raised ConnectionError")
    elif luck < 0.010:
        call = replace(call, ended_ms=at + 10_000, status="timeout", message="Tool timed out after 10 s")
    elif luck < 0.015:
        call = replace(call, status="error", is_error_in_body=True)
    elif luck < 0.025:
        call = replace(call, status="cancelled", message="cancelled by user")
    yield call
    if call.status in ("error", "timeout") and chance.happens(0.5):
        again = _child(chance, turn, ("tool", name), (call.ended_ms or at) + 5, chance.drawn(TOOL_MS))
        yield replace(again, retry_of=call.call_id)


def _model(chance: Chance, turn: _Turn, at: int) -> Iterator[Call]:
    """The model's answer; a failed attempt still costs its input tokens and is usually repeated."""
    call = _generation(chance, turn, at)
    luck = chance.share()
    if luck < 0.02:
        failed = replace(call, tokens=replace(call.tokens, out=0, reasoning=0), first_token_ms=None)
        failed = replace(failed, status="error", message="Upstream model error")
        yield failed
        if chance.happens(0.85):
            yield replace(_generation(chance, turn, (failed.ended_ms or at) + 200), retry_of=failed.call_id)
    elif luck < 0.023:
        late = replace(call, ended_ms=at + TIMEOUT_MS - 60, status="timeout", message="Model timed out after 30 s")
        yield replace(late, tokens=replace(call.tokens, out=0, reasoning=0), first_token_ms=None)
    elif luck < 0.063:
        yield replace(call, ended_ms=at + chance.whole(4, 15), first_token_ms=None, is_cache_hit=True)
    else:
        yield call


def _generation(chance: Chance, turn: _Turn, at: int) -> Call:
    length = int(chance.drawn(MODEL_MS))
    call = _child(chance, turn, ("model", "answer"), at, length)
    tokens = answer_tokens(chance, turn.provider, size=2.0 if turn.use_case == "contract_review" else 1.0)
    first = at + int(length * (0.2 + 0.3 * chance.share()))
    return replace(call, provider=turn.provider, model=turn.model, tokens=tokens, first_token_ms=first)


def answer_tokens(chance: Chance, provider: str, *, size: float) -> Tokens:
    """Tokens of an answer: a third of the calls read the prompt cache; only Anthropic charges for writing it."""
    prompt = int(size * chance.whole(1500, 7500))
    cached = int(prompt * (0.4 + 0.4 * chance.share())) if chance.happens(0.35) else 0
    out = int(size * chance.whole(120, 900))
    written = chance.whole(600, 2500) if provider == "anthropic" and not cached and chance.happens(0.4) else 0
    hour = chance.whole(200, 700) if written and chance.happens(0.3) else 0
    reasoning = int(out * 0.3) if provider == "openai" and chance.happens(0.1) else 0
    return Tokens(prompt - cached, cached, written, hour, out, reasoning)


def _digest(chance: Chance, day: date) -> Session:
    """The nightly digest: a batch nobody waits for, outside any session."""
    start = ms_of(day) + 2 * HOUR_MS + chance.whole(0, 20 * MINUTE_MS)
    turn = _Turn(chance.hexadecimal(32), chance.hexadecimal(16), "knowledge_search", "openai", "gpt-4.1-mini")
    answer = replace(_generation(chance, turn, start + 40), is_batch=True, purpose="batch")
    end = (answer.ended_ms or start) + 30
    root = Call(turn.root_id, turn.trace_id, "request", "nightly-digest", start, end, is_batch=True, purpose="batch")
    return Session(None, None, None, None, "batch", "production", False, start, (root, answer))
