"""What people say inside the applications: reports of wrong answers, and whether they would recommend the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.sample.chance import Chance
from pipeline.sample.clock import HOUR_MS, MINUTE_MS, WEEKDAY_LOAD, Span, iso_s, ms_of
from pipeline.sample.records import Session
from pipeline.sample.shelf import cell

REPORTED = 0.016
"""Share of sessions in which somebody reports a wrong answer."""
ANSWERS_PER_DAY = 4.0
CONFIRMED: dict[bool | None, float] = {True: 0.5, False: 0.3, None: 0.2}
SENTIMENT = {"ai": (0.44, 0.33, 0.23), "baseline": (0.37, 0.34, 0.29)}
"""Shares of promoters (9 and 10 of 10), passives (7 and 8) and detractors, with AI and without."""
SCORES = {"promoter": (9, 10), "passive": (7, 8), "detractor": (0, 6)}
COLUMNS = (
    "response_id",
    "responded_at",
    "respondent",
    "question",
    "score",
    "scale_max",
    "channel",
    "arm",
    "session_id",
    "confirmed",
)


@dataclass(frozen=True, slots=True)
class Voice:
    """One report or one recommendation; `confirmed` is None while nobody has looked at a report."""

    voice_id: str
    responded_ms: int
    respondent: str | None
    kind: str
    score: int | None
    channel: str
    variant: str
    session_id: str | None = None
    confirmed: bool | None = None


def reports(chance: Chance, session: Session, *, until_ms: int) -> Iterator[Voice]:
    """Reports of wrong answers in a session, given before `until_ms`; some do not say which session they are about."""
    if session.session_id is None or not chance.happens(REPORTED):
        return
    for _ in range(chance.weighed({1: 0.75, 2: 0.19, 3: 0.06})):
        yield Voice(
            voice_id=f"rep-{chance.hexadecimal(12)}",
            responded_ms=min(session.ended_ms + chance.whole(5_000, 40 * MINUTE_MS), until_ms - 1) // 1000 * 1000,
            respondent=session.person.email if session.person else None,
            kind="report",
            score=None,
            channel=session.channel,
            variant="ai",
            session_id=None if chance.happens(0.06) else session.session_id,
            confirmed=chance.weighed(CONFIRMED),
        )


def recommendations(chance: Chance, span: Span, *, load: float) -> Iterator[Voice]:
    """Answers from 0 to 10 to the question whether one would recommend the service, with AI help and without."""
    customers = int(max(40, 6000 * load))
    for day in span.days():
        count = chance.count(ANSWERS_PER_DAY * load * WEEKDAY_LOAD[day.weekday()])
        times = sorted(ms_of(day) + chance.whole(7 * HOUR_MS, 21 * HOUR_MS) // 1000 * 1000 for _ in range(count))
        for number, at in enumerate(times):
            yield _recommendation(chance, f"nps-{day:%Y%m%d}-{number:03d}", at, customers)


def _recommendation(chance: Chance, voice_id: str, at: int, customers: int) -> Voice:
    variant = "ai" if chance.happens(0.5) else "baseline"
    mood = chance.weighed(dict(zip(SCORES, SENTIMENT[variant], strict=True)))
    score = chance.whole(*SCORES[mood])
    return Voice(
        voice_id=voice_id,
        responded_ms=at,
        respondent=None if chance.happens(0.08) else f"customer-{chance.whole(1, customers)}@mail.example",
        kind="nps",
        score=None if chance.happens(0.03) else score,
        channel=chance.weighed({"web": 0.6, "email": 0.4}),
        variant=variant,
    )


def voice_row(voice: Voice) -> tuple[str, ...]:
    """One row of the application's export."""
    asked = (
        voice.voice_id,
        iso_s(voice.responded_ms),
        voice.respondent,
        voice.kind,
        voice.score,
        10 if voice.kind == "nps" else None,
        voice.channel,
        {"ai": "with_ai", "baseline": "without_ai"}[voice.variant],
        voice.session_id,
        voice.confirmed,
    )
    return tuple(map(cell, asked))
