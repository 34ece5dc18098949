"""The portfolio of use cases and the versions of their prompts, and the exports of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from pipeline.sample.chance import Chance
from pipeline.sample.clock import DAY_MS, HOUR_MS, Span, day_of, iso_s, ms_of
from pipeline.sample.langfuse import PROMPT_LASTS_MS, PROMPT_NAME, prompt_version
from pipeline.sample.shelf import cell

Changes = dict[date, dict[str, Any]]
"""What changes about a use case on a day: attribute -> new value."""
MODELS = ("gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5")
FATES = {"production": 0.6, "pilot": 0.14, "retired": 0.14, "cancelled": 0.12}
USE_CASE_COLUMNS = (
    "use_case",
    "name",
    "business_unit",
    "owner_role",
    "stage",
    "risk_class",
    "baseline",
    "target",
    "sources_shared",
    "ethics_reviewed_on",
    "prompt",
    "prompt_version",
    "model",
    "cancelled_on_purpose",
    "valid_from",
    "valid_to",
)
PROMPT_COLUMNS = ("prompt", "version", "requested_at", "evaluated_at", "live_at", "replaces", "updated_at")


@dataclass(frozen=True, slots=True)
class UseCase:
    """What a use case was, from `valid_from` up to `valid_to` (None: still is)."""

    use_case_id: str
    business_unit: str
    valid_from: date
    valid_to: date | None = None
    owner_role: str | None = None
    stage: str = "idea"
    risk_class: str = "limited"
    has_baseline: bool = False
    has_target: bool = False
    has_shared_sources: bool = False
    reviewed: date | None = None
    prompt: str | None = None
    version: int | None = None
    model: str | None = None
    is_cancelled: bool = False

    def holds(self, day: date) -> bool:
        """True when it was so on the day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    @property
    def setup(self) -> tuple[str, str | None, int | None, str | None]:
        """What an evaluation must have tested to say something about it."""
        return self.use_case_id, self.prompt, self.version, self.model


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One version of a prompt; `live_ms` is None while it has not gone live."""

    prompt: str
    version: int
    requested_ms: int
    evaluated_ms: int | None
    live_ms: int | None

    @property
    def updated_ms(self) -> int:
        """When the registry last heard of it."""
        return max(self.requested_ms, self.evaluated_ms or 0, self.live_ms or 0)


# id, unit, owner, model; all have been in use since before the sample begins, and send their traffic.
LIVE = (
    ("customer_support", "Customer Support", "Head of Support", "gpt-4.1-mini"),
    ("knowledge_search", "People Operations", "Head of Knowledge", "gpt-4.1-mini"),
    ("contract_review", "Legal", "General Counsel", "claude-sonnet-4-5"),
    ("code_assistant", "Engineering", "VP Engineering", "claude-sonnet-4-5"),
    ("drafting", "Sales", None, "gpt-4.1"),
)
SHARED_PROMPT = ("customer_support", "knowledge_search", "contract_review")
LATE: dict[str, tuple[dict[str, Any], float, dict[str, Any]]] = {
    "drafting": ({}, 0.3, {"owner_role": "Head of Sales"}),
    "code_assistant": ({"has_target": False}, 0.55, {"has_target": True}),
    "knowledge_search": ({"has_baseline": False}, 0.2, {"has_baseline": True}),
}
"""What use cases in production lacked at first, where in the span it was made good, and how."""
PLANNED = {
    "invoice_matching": "Finance",
    "meeting_notes": "People Operations",
    "lead_scoring": "Sales",
    "policy_answers": "People Operations",
    "candidate_screening": "People Operations",
    "expense_audit": "Finance",
    "ticket_routing": "Customer Support",
    "release_notes": "Engineering",
    "translation": "Sales",
    "tender_summary": "Sales",
    "churn_alerts": "Customer Support",
    "onboarding_guide": "People Operations",
    "log_triage": "Engineering",
    "price_quotes": "Sales",
    "case_law_search": "Legal",
    "forecast_comments": "Finance",
    "call_coaching": "Customer Support",
    "test_data": "Engineering",
    "survey_coding": "People Operations",
    "clause_drafting": "Legal",
    "incident_summary": "Engineering",
    "sales_battlecards": "Sales",
    "travel_policy": "Finance",
    "vendor_checks": "Legal",
    "data_catalogue": "Engineering",
    "training_plans": "People Operations",
}
"""Use cases in the order in which their pilots begin, and the unit each is for."""


def use_cases(chance: Chance, span: Span) -> list[UseCase]:
    """Every use case with its history, in the order of ids and days."""
    found = [state for told in LIVE for state in _live(chance, told, span)]
    for number, (name, unit) in enumerate(PLANNED.items()):
        pilot = span.at(0.03 + 0.94 * (number + chance.share()) / len(PLANNED)) + timedelta(days=1)
        found.extend(_planned(chance, (name, unit), pilot, span))
    return sorted(found, key=lambda state: (state.use_case_id, state.valid_from))


def _live(chance: Chance, told: tuple[str, str, str | None, str], span: Span) -> Iterator[UseCase]:
    """A use case in production all along."""
    name, unit, owner, model = told
    since = span.start - timedelta(days=chance.whole(90, 400))
    first = UseCase(
        name,
        unit,
        since,
        owner_role=owner,
        stage="production",
        risk_class="high" if name == "contract_review" else "limited",
        has_baseline=True,
        has_target=True,
        has_shared_sources=chance.happens(0.6),
        reviewed=since - timedelta(days=chance.whole(5, 40)),
        prompt=PROMPT_NAME if name in SHARED_PROMPT else name.replace("_", "-"),
        version=prompt_version(ms_of(span.start)) if name in SHARED_PROMPT else 1,
        model=model,
    )
    changes = _shared_versions(span) if name in SHARED_PROMPT else _own_versions(chance, span.start, span, version=1)
    if name in LATE:
        lacking, share, made_good = LATE[name]
        first = replace(first, **lacking)
        changes.setdefault(span.at(share), {}).update(made_good)
    yield from history(first, changes, span)


def _shared_versions(span: Span) -> Changes:
    """The days on which a new version of the assistant's prompt went live, as its calls show."""
    starts = range(ms_of(span.start) // PROMPT_LASTS_MS + 1, ms_of(span.end) // PROMPT_LASTS_MS + 1)
    return {day_of(start * PROMPT_LASTS_MS): {"version": prompt_version(start * PROMPT_LASTS_MS)} for start in starts}


def _own_versions(chance: Chance, since: date, span: Span, *, version: int) -> Changes:
    """New versions of a prompt every two to four months, now and then with another model."""
    changes: Changes = {}
    day = since + timedelta(days=chance.whole(40, 110))
    while day < span.end:
        version += 1
        changes[day] = {"version": version}
        if chance.happens(0.2):
            changes[day]["model"] = chance.pick(MODELS)
        day += timedelta(days=chance.whole(60, 120))
    return changes


def _planned(chance: Chance, told: tuple[str, str], pilot: date, span: Span) -> Iterator[UseCase]:
    """A use case from idea to pilot, and what became of it."""
    name, unit = told
    first = UseCase(
        name,
        unit,
        max(span.start, pilot - timedelta(days=chance.whole(15, 70))),
        owner_role="Product Manager" if chance.happens(0.85) else None,
        risk_class=chance.weighed({"minimal": 0.4, "limited": 0.4, "high": 0.2}),
        has_baseline=chance.happens(0.4),
        has_shared_sources=chance.happens(0.4),
    )
    changes: Changes = {pilot: {"stage": "pilot", "has_target": chance.happens(0.8)}}
    changes[pilot].update(prompt=name.replace("_", "-"), version=1, model=chance.pick(MODELS))
    fate = chance.weighed(FATES)
    then = pilot + timedelta(days=chance.whole(20, 110) + chance.whole(0, 110))
    if fate == "production":
        changes.update(_own_versions(chance, then, span, version=1))
        changes[then] = {"stage": "production", "reviewed": _review(chance, then)}
        if chance.happens(0.15):
            changes = _ended(changes, then + timedelta(days=chance.whole(90, 160)))
    elif fate in ("retired", "cancelled"):
        changes[then] = {"stage": "retired", "is_cancelled": fate == "cancelled"}
    measured = pilot + timedelta(days=chance.whole(10, 90))
    changes.setdefault(measured, {})["has_baseline"] = True
    yield from history(first, changes, span)


def _ended(changes: Changes, on: date) -> Changes:
    """The changes until the use case is retired, and that one."""
    return {**{day: change for day, change in changes.items() if day < on}, on: {"stage": "retired"}}


def _review(chance: Chance, live: date) -> date | None:
    """When the ethics review was done: mostly before the start, sometimes after it, sometimes not at all."""
    if chance.happens(0.12):
        return None
    return live - timedelta(days=chance.whole(2, 30) if chance.happens(0.9) else -5)


def history(first: UseCase, changes: Changes, span: Span) -> Iterator[UseCase]:
    """The rows of a use case: what really changes begins a new one and ends the one before, up to the span's end."""
    states = [first]
    for day in sorted(changes):
        if first.valid_from < day < span.end and replace(states[-1], **changes[day]) != states[-1]:
            states.append(replace(states[-1], **changes[day], valid_from=day))
    for state, following in pairwise(states):
        yield replace(state, valid_to=following.valid_from)
    yield states[-1]


def prompt_versions(chance: Chance, cases: list[UseCase], span: Span) -> list[PromptVersion]:
    """Every version that was asked for within the span, by prompt: those that went live, and one still to come."""
    live: dict[tuple[str, int], date] = {}
    for case in cases:
        if case.prompt is not None and case.version is not None and case.stage in ("pilot", "production"):
            key = case.prompt, case.version
            live[key] = min(case.valid_from, live.get(key, case.valid_from))
    versions = [_released(chance, key, day) for key, day in sorted(live.items())]
    kept = {case.prompt for case in cases if case.valid_to is None and case.stage in ("pilot", "production")}
    latest = dict(key for key in sorted(live) if key[0] in kept)
    upcoming = [_upcoming(chance, prompt, version + 1, span) for prompt, version in latest.items()]
    asked = [one for one in [*versions, *upcoming] if one is not None and one.requested_ms >= ms_of(span.start)]
    return sorted(asked, key=lambda one: (one.prompt, one.version))


def _released(chance: Chance, key: tuple[str, int], live: date) -> PromptVersion:
    """A version that went live at nine in the morning, or, where the calls show it, at midnight."""
    live_ms = ms_of(live) + (0 if key[0] == PROMPT_NAME else 9 * HOUR_MS)
    requested = live_ms - chance.whole(4, 38) * DAY_MS - chance.whole(0, 9) * HOUR_MS
    evaluated = requested + int((live_ms - requested) * (0.3 + 0.6 * chance.share())) // 1000 * 1000
    return PromptVersion(*key, requested, evaluated, live_ms)


def _upcoming(chance: Chance, prompt: str, version: int, span: Span) -> PromptVersion | None:
    """A version asked for in the last weeks that is not live yet; the assistant always has one."""
    if prompt != PROMPT_NAME and not chance.happens(0.3):
        return None
    requested = ms_of(span.last) - chance.whole(0, 3 if prompt == PROMPT_NAME else 25) * DAY_MS + 10 * HOUR_MS
    evaluated = requested + 30 * HOUR_MS
    return PromptVersion(prompt, version, requested, evaluated if evaluated < ms_of(span.end) else None, None)


def use_case_row(case: UseCase) -> tuple[str, ...]:
    """One row of the portfolio sheet."""
    told = (
        case.use_case_id,
        case.use_case_id.replace("_", " ").capitalize(),
        case.business_unit,
        case.owner_role,
        case.stage,
        case.risk_class,
        case.has_baseline,
        case.has_target,
        case.has_shared_sources,
        case.reviewed,
        case.prompt,
        case.version,
        case.model,
        case.is_cancelled,
        case.valid_from,
        case.valid_to,
    )
    return tuple(map(cell, told))


def prompt_row(one: PromptVersion) -> tuple[str, ...]:
    """One row of the prompt registry's export."""
    times = (one.requested_ms, one.evaluated_ms, one.live_ms)
    requested, evaluated, live = (None if ms is None else iso_s(ms) for ms in times)
    replaced = one.version - 1 or None
    return tuple(map(cell, (one.prompt, one.version, requested, evaluated, live, replaced, iso_s(one.updated_ms))))
