"""The survey that asks the people concerned with the programme every quarter, and its tool's export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import DAY_MS, HOUR_MS, Span, iso_s, ms_of
from pipeline.sample.records import Person
from pipeline.sample.shelf import cell

OPENS_ON = 15
"""Day of the first month of each quarter on which invitations go out; answers are taken until the month is over."""
AUDIENCES = {"business user": 0.6, "builder": 0.2, "risk and compliance": 0.13, "sponsor": 0.07}
ANSWERED = 0.46
DELAY_DAYS: Curve = ((0.0, 0.1), (0.4, 1.5), (0.8, 7.0), (1.0, 15.4))
SCORES = {5: 0.34, 4: 0.40, 3: 0.16, 2: 0.07, 1: 0.03}
COLUMNS = ("survey_id", "respondent", "audience", "sent_at", "answered_at", "score", "scale_max")


@dataclass(frozen=True, slots=True)
class Invite:
    """One invitation, with the answer if there was one."""

    survey_id: str
    person: Person
    audience: str
    invited_ms: int
    answered_ms: int | None
    score: int | None


def invites(chance: Chance, people: tuple[Person, ...], span: Span) -> list[Invite]:
    """Every invitation, wave by wave; a person is asked in the same role each time."""
    audience = {person.email: chance.weighed(AUDIENCES) for person in people}
    return [
        _invite(chance, opened, person, audience[person.email], span)
        for opened in _waves(span)
        for person in people
        if person.job(opened) is not None and not person.is_service_account
    ]


def _waves(span: Span) -> Iterator[date]:
    for first in span.months():
        if first.month % 3 == 1:
            yield first + timedelta(days=OPENS_ON - 1)


def _invite(chance: Chance, opened: date, person: Person, audience: str, span: Span) -> Invite:
    sent = ms_of(opened) + 9 * HOUR_MS
    answered = sent + int(chance.drawn(DELAY_DAYS) * DAY_MS) // 1000 * 1000
    survey_id = f"stakeholders-{opened.year}-q{(opened.month + 2) // 3}"
    if not chance.happens(ANSWERED) or answered >= ms_of(span.end):
        return Invite(survey_id, person, audience, sent, None, None)
    return Invite(survey_id, person, audience, sent, answered, chance.weighed(SCORES))


def invite_row(invite: Invite) -> tuple[str, ...]:
    """One row of the survey tool's export."""
    answered = None if invite.answered_ms is None else iso_s(invite.answered_ms)
    told = (invite.person.email, invite.audience, iso_s(invite.invited_ms), answered, invite.score, 5)
    return tuple(map(cell, (invite.survey_id, *told)))
