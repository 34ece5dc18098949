"""Courses, who was asked to take them, and the learning system's export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pipeline.sample.chance import Chance, Curve
from pipeline.sample.clock import Span
from pipeline.sample.records import Attempt, Person

VALID_DAYS = 365
PASS_MARK = 60
DELAY_DAYS: Curve = ((0.0, 3), (0.3, 20), (0.7, 60), (0.9, 150), (1.0, 240))
RENEWAL_DAYS: Curve = ((0.0, 1), (0.6, 20), (0.9, 44), (1.0, 90))
COLUMNS = (
    "user_email",
    "course_id",
    "attempt_no",
    "mandatory",
    "assigned_on",
    "completed_on",
    "status",
    "score",
    "expires_on",
)


@dataclass(frozen=True)
class Course:
    """A course: when it is assigned (in waves), whether it is compulsory, lapses after a year, and who takes it."""

    course_id: str
    from_share: float
    until_share: float
    is_required: bool
    expires: bool
    taken_by: float


COURSES = (
    Course("ai-basics", 0.0, 0.0, True, True, 1.0),
    Course("responsible-ai", 0.02, 0.45, True, False, 1.0),
    Course("prompting-lab", 0.1, 0.9, False, False, 0.3),
)


def attempts(chance: Chance, people: tuple[Person, ...], span: Span) -> list[Attempt]:
    """Every attempt of everybody at every course assigned to them, in the order of people."""
    taken = [
        attempt
        for person in people
        if not person.is_service_account
        for course in COURSES
        if chance.happens(course.taken_by)
        for attempt in _at_course(chance, person, course, span)
    ]
    return [*taken, *_last_assignment(taken, span)]


def _last_assignment(taken: list[Attempt], span: Span) -> list[Attempt]:
    """Somebody still on the roster books the optional course on the last day, so the roster is known until then."""
    booked = {attempt.person.email for attempt in taken if attempt.course == "prompting-lab"}
    stayed = [attempt.person for attempt in taken if attempt.person.left is None and attempt.person.email not in booked]
    return [Attempt(stayed[-1], "prompting-lab", 1, False, span.last, None, "assigned", None, None)] if stayed else []


def _at_course(chance: Chance, person: Person, course: Course, span: Span) -> Iterator[Attempt]:
    wave = course.from_share + (course.until_share - course.from_share) * chance.share()
    assigned = max(span.at(wave), person.joined + timedelta(days=7))
    ends = min(person.left or span.end, span.end)
    if assigned >= ends:
        return
    if chance.happens(0.02):
        yield Attempt(person, course.course_id, 1, course.is_required, assigned, None, "exempt", None, None)
        return
    yield from _until_passed(chance, person, course, assigned, ends)


def _until_passed(chance: Chance, person: Person, course: Course, assigned: date, ends: date) -> Iterator[Attempt]:
    number, wanted = 1, assigned
    while True:
        is_renewal = wanted > assigned + timedelta(days=VALID_DAYS - 60)
        passed = wanted + timedelta(days=int(chance.drawn(RENEWAL_DAYS if is_renewal else DELAY_DAYS)))
        asked = Attempt(person, course.course_id, number, course.is_required, wanted, None, "assigned", None, None)
        if chance.happens(0.035) or passed >= ends:
            yield replace(asked, status="in_progress") if chance.happens(0.4) else asked
            return
        if chance.happens(0.07):
            yield _done(asked, course, passed, chance.whole(20, PASS_MARK - 1))
            number, wanted = number + 1, passed
            continue
        done = _done(asked, course, passed, chance.whole(PASS_MARK, 100))
        yield done
        renewal = None if done.valid_to is None else done.valid_to - timedelta(days=45)
        if renewal is None or renewal >= ends:
            return
        number, wanted = number + 1, renewal


def _done(asked: Attempt, course: Course, on: date, score: int) -> Attempt:
    """The attempt as it was taken: 60 points pass."""
    passed = score >= PASS_MARK
    valid_to = on + timedelta(days=VALID_DAYS) if passed and course.expires else None
    return replace(asked, completed=on, status="completed" if passed else "failed", score=score, valid_to=valid_to)


def attempt_row(attempt: Attempt) -> tuple[str, ...]:
    """One row of the learning system's export."""
    return (
        attempt.person.email,
        attempt.course,
        str(attempt.attempt),
        "true" if attempt.is_required else "false",
        attempt.assigned.isoformat(),
        attempt.completed.isoformat() if attempt.completed else "",
        attempt.status,
        "" if attempt.score is None else str(attempt.score),
        attempt.valid_to.isoformat() if attempt.valid_to else "",
    )
