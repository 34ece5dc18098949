"""Seats and use of the coding assistant, and GitHub's exports of both; people appear there by login only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pipeline.sample.chance import Chance
from pipeline.sample.clock import WEEKDAY_LOAD, Span, first_of_next_month
from pipeline.sample.records import Person, Seat, Usage

Json = dict[str, object]
PRODUCT = "copilot"


def seats(chance: Chance, people: tuple[Person, ...], span: Span) -> list[Seat]:
    """Who held a seat, from when to when: staff, a machine account, and contractors the directory does not know."""
    granted: list[Seat] = []
    for person in people:
        wants = 0.9 if person.jobs[-1].is_technical else 0.7
        if person.login and chance.happens(wants):
            granted.extend(_seats_of(chance, person, span))
    count = max(6, sum(not person.is_service_account for person in people) // 30)
    granted.extend(
        Seat(f"contractor-{number}", f"contractor-{number}", span.start - timedelta(days=20), None, None, "business")
        for number in range(count)
    )
    return granted


def _seats_of(chance: Chance, person: Person, span: Span) -> Iterator[Seat]:
    """One seat; a second for the few who gave theirs back and asked again."""
    early = chance.happens(0.55)
    granted = span.start - timedelta(days=chance.whole(5, 60)) if early else span.at(0.65 * chance.share())
    granted = max(granted, person.joined)
    plan = "enterprise" if chance.happens(0.3) else "business"
    email, login = person.email, person.login or ""
    asked = span.at(0.2 + 0.7 * chance.share()) if chance.happens(0.08) else None
    if person.left and chance.happens(0.6):
        asked = person.left
    ends = first_of_next_month(asked) if asked else None
    if asked is None or ends is None or ends >= span.end or asked <= granted:
        yield Seat(email, login, granted, None, None, plan)
        return
    yield Seat(email, login, granted, ends, asked, plan)
    again = ends + timedelta(days=35)
    if person.left is None and again < span.end and chance.happens(0.3):
        yield Seat(email, login, again, None, None, plan)


def usage(chance: Chance, granted: list[Seat], people: tuple[Person, ...], span: Span) -> Iterator[Usage]:
    """Each day's users of the assistant; they start at different times, some never do, and a few lost their seat."""
    known = {person.email: person for person in people}
    holders = {seat.holder: seat for seat in granted}
    habits = {holder: _habit(chance, span) for holder in holders}
    for day in span.days():
        load = WEEKDAY_LOAD[day.weekday()] if day.weekday() < 5 else 0.15
        lines = [
            line
            for holder, seat in holders.items()
            if _may_use(known.get(holder), seat, day)
            and (line := _line(chance, seat, day, _chance_of_use(habits[holder], day) * load)) is not None
        ]
        if not lines and day in (span.start, span.last) and granted:
            lines = [_active_line(chance, granted[-1], day)]
        yield from lines


def _habit(chance: Chance, span: Span) -> tuple[date | None, float]:
    if chance.happens(0.4):
        return None, 0.0
    return span.at(chance.share() * 1.15 - 0.25), 0.08 + 0.5 * chance.share()


def _chance_of_use(habit: tuple[date | None, float], day: date) -> float:
    since, rate = habit
    return rate if since is not None and since <= day else 0.004


def _may_use(person: Person | None, seat: Seat, day: date) -> bool:
    """People off the roster do not; those whose seat ended less than two weeks ago still may."""
    if person is not None and person.job(day) is None:
        return False
    return seat.valid_from <= day and (seat.valid_to is None or day < seat.valid_to + timedelta(days=14))


def _line(chance: Chance, seat: Seat, day: date, probability: float) -> Usage | None:
    if not chance.happens(probability):
        return None
    if chance.happens(0.06):
        return Usage(seat.holder, seat.login, day, False, 0, chance.whole(1, 9), 0, False, False, False)
    return _active_line(chance, seat, day)


def _active_line(chance: Chance, seat: Seat, day: date) -> Usage:
    interactions, generations = chance.whole(1, 25), chance.whole(0, 40)
    return Usage(
        holder=seat.holder,
        login=seat.login,
        day=day,
        is_active=True,
        interactions=interactions,
        generations=generations,
        acceptances=int(generations * chance.share()),
        used_chat=chance.happens(0.7),
        used_agent=chance.happens(0.4),
        is_server_only=chance.happens(0.05),
    )


def usage_record(line: Usage, reported: tuple[date, date]) -> Json:
    """One line of the usage report; `reported` are the first and last day it covers."""
    counts: Json = {
        "user_initiated_interaction_count": line.interactions,
        "code_generation_activity_count": line.generations,
        "code_acceptance_activity_count": line.acceptances,
    }
    return {
        "report_start_day": reported[0].isoformat(),
        "report_end_day": reported[1].isoformat(),
        "day": line.day.isoformat(),
        "organization_id": "100000042",
        "user_id": 300000 + sum(map(ord, line.login)),
        "user_login": line.login,
        **counts,
        "totals_by_ide": [] if line.is_server_only else [{"ide": "vscode", **counts}],
        "used_agent": line.used_agent,
        "used_chat": line.used_chat,
        "loc_added_sum": line.acceptances * 3,
    }


def seat_records(granted: list[Seat], on: date) -> list[Json]:
    """The seats as the seats page showed them at the end of a day; those that ended are no longer on it."""
    return [
        _seat_record(seat, on)
        for seat in granted
        if seat.valid_from <= on and (seat.valid_to is None or on < seat.valid_to)
    ]


def _seat_record(seat: Seat, on: date) -> Json:
    asked = seat.cancelled_on if seat.cancelled_on is not None and seat.cancelled_on <= on else None
    return {
        "created_at": f"{seat.valid_from}T09:00:00Z",
        "updated_at": f"{asked or seat.valid_from}T09:00:00Z",
        "pending_cancellation_date": seat.valid_to.isoformat() if asked and seat.valid_to else None,
        "last_activity_at": None,
        "last_activity_editor": None,
        "plan_type": seat.plan,
        "assignee": {"login": seat.login, "id": 300000 + sum(map(ord, seat.login)), "type": "User"},
        "assigning_team": None,
    }
