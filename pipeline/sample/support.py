"""Customers' contacts with support and their answers to surveys, and the exports of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, HOUR_MS, MINUTE_MS, WEEKDAY_LOAD, Span, day_of, iso_s, ms_of
from pipeline.sample.records import Answer, Contact

Json = dict[str, object]
CONTACTS_PER_DAY = 11.0
ANSWERS_PER_DAY = 16.0
TOPICS = {"delivery": 0.3, "billing": 0.25, "returns": 0.2, "account": 0.15, "technical": 0.1}
CHANNELS = {"email": 0.35, "web": 0.25, "native_messaging": 0.3, "voice": 0.1}
HOUR_OF_DAY: Curve = ((0.0, 5.0), (0.25, 9.0), (0.75, 16.0), (1.0, 22.5))
REPLY_MINUTES: Curve = ((0.0, 3), (0.5, 45), (0.9, 400), (1.0, 1500))
RETURN_HOURS: Curve = ((0.0, 2), (0.5, 40), (1.0, 160))
FEEDBACK_COLUMNS = (
    "response_id",
    "responded_at",
    "respondent",
    "question",
    "score",
    "scale_max",
    "channel",
    "arm",
    "session_id",
)


def contacts(chance: Chance, span: Span, *, load: float) -> list[Contact]:
    """Every contact, in the order of creation; some of those the assistant settled come back on the same topic."""
    customers, made = int(max(20, 1400 * load)), []
    for day in span.days():
        for _ in range(chance.count(CONTACTS_PER_DAY * load * WEEKDAY_LOAD[day.weekday()])):
            created = ms_of(day) + int(chance.drawn(HOUR_OF_DAY) * 3600) * 1000
            first = _contact(chance, 700_000_000 + chance.whole(1, customers), created, span.progress(day))
            made.append(first)
            if chance.happens(0.16 if first.reply_minutes is None else 0.04):
                again = created + int(chance.drawn(RETURN_HOURS) * 3600) * 1000
                later = _contact(chance, first.requester, again, span.progress(day))
                made.append(replace(later, topic=first.topic))
    kept = sorted((c for c in made if day_of(c.created_ms) < span.end), key=lambda c: c.created_ms)
    return [replace(contact, contact_id=40_000 + number) for number, contact in enumerate(kept)]


def _contact(chance: Chance, requester: int | None, created: int, progress: float) -> Contact:
    is_ai = chance.happens(0.38 + 0.25 * progress)
    settles = is_ai and chance.happens(0.55)
    reply = None if settles else int(chance.drawn(REPLY_MINUTES))
    solved = created + (2 if reply is None else reply) * MINUTE_MS + chance.whole(1, 3000) * MINUTE_MS
    is_eligible = not chance.happens(0.06)
    return Contact(
        contact_id=0,
        requester=None if chance.happens(0.02) else requester,
        topic=chance.weighed(TOPICS),
        channel=chance.weighed(CHANNELS),
        created_ms=created,
        is_eligible=is_eligible,
        ai_involved=is_ai,
        ai_claimed=is_ai and (settles or chance.happens(0.25)),
        reply_minutes=reply,
        solved_ms=None if chance.happens(0.02) else solved,
        reopens=None if chance.happens(0.05) else int(chance.happens(0.05)),
        updated_ms=solved + HOUR_MS,
        rating=chance.weighed({"offered": 0.7, "good": 0.24, "bad": 0.06}),
    )


def ticket(contact: Contact) -> Json:
    """The contact in the shape of Zendesk's ticket API, metric set included."""
    tags = [f"topic_{contact.topic}"]
    if contact.ai_involved:
        tags.append("ai_handled")
    if contact.ai_claimed:
        tags.append("ai_resolved")
    if not contact.is_eligible:
        tags.append(("spam", "greeting", "outbound")[contact.contact_id % 3])
    return {
        "id": contact.contact_id,
        "created_at": iso_s(contact.created_ms),
        "updated_at": iso_s(contact.updated_ms),
        "status": "open" if contact.solved_ms is None else "closed",
        "via": {"channel": contact.channel},
        "requester_id": contact.requester,
        "tags": tags,
        "satisfaction_rating": {"score": contact.rating},
        "metric_set": {
            "reopens": contact.reopens,
            "replies": 0 if contact.reply_minutes is None else 1 + contact.contact_id % 3,
            "reply_time_in_minutes": {"calendar": contact.reply_minutes, "business": contact.reply_minutes},
            "solved_at": None if contact.solved_ms is None else iso_s(contact.solved_ms),
        },
    }


def answers(chance: Chance, span: Span, *, load: float) -> Iterator[Answer]:
    """Survey answers with and without AI help; some people answer twice, some skip the question."""
    customers = int(max(40, 6000 * load))
    for day in span.days():
        count = chance.count(ANSWERS_PER_DAY * load * WEEKDAY_LOAD[day.weekday()])
        times = sorted(ms_of(day) + chance.whole(7 * HOUR_MS, 21 * HOUR_MS) // 1000 * 1000 for _ in range(count))
        for number, at in enumerate(times):
            yield _answer(chance, f"fb-{day:%Y%m%d}-{number:03d}", at, customers)


def _answer(chance: Chance, feedback_id: str, at: int, customers: int) -> Answer:
    is_ai = chance.happens(0.5)
    happy = chance.happens(0.81 if is_ai else 0.755)
    scale = 10 if chance.happens(0.1) else 5
    score = scale - chance.whole(0, 1) if happy else chance.whole(1, scale - 2)
    return Answer(
        feedback_id=feedback_id,
        respondent=None if chance.happens(0.08) else f"customer-{chance.whole(1, customers)}@mail.example",
        kind=chance.weighed({"csat": 0.86, "thumb": 0.08, "nps": 0.06}),
        score=None if chance.happens(0.03) else score,
        scale_max=scale,
        channel=chance.weighed({"web": 0.5, "email": 0.3, "phone": 0.2}),
        variant=None if chance.happens(0.03) else ("ai" if is_ai else "baseline"),
        responded_ms=at,
    )


def feedback_row(answer: Answer) -> tuple[str, ...]:
    """One row of the survey tool's export."""
    return (
        answer.feedback_id,
        iso_s(answer.responded_ms),
        answer.respondent or "",
        answer.kind,
        "" if answer.score is None else str(answer.score),
        str(answer.scale_max),
        answer.channel,
        {"ai": "with_ai", "baseline": "without_ai"}.get(answer.variant or "", ""),
        "",
    )


def is_in_week_after(first: Contact, second: Contact) -> bool:
    """True when the second contact came within seven days after the first."""
    return first.created_ms < second.created_ms <= first.created_ms + 7 * DAY_MS


def month_of(contact: Contact) -> date:
    """The month whose export holds the contact."""
    return day_of(contact.created_ms).replace(day=1)
