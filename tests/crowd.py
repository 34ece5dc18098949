"""Small organisations made to give people away: teams of one to nine, seats that begin and end, few answers a day."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

BEGIN = date(2026, 3, 2)
"""A Monday, so that weeks, a month and windows of 28 days all lie crosswise."""
DAYS = 35


@dataclass(frozen=True)
class Person:
    """Somebody with a seat from day `first` up to day `end`, who answers a survey on day `answers` as a `role`."""

    name: str
    team: str
    first: int
    end: int
    answers: int | None
    role: str
    trained: int | None
    used: frozenset[int]


def crowd(chance: random.Random) -> list[Person]:
    """Sixty to two hundred people; most teams are small, one is large."""
    sizes = [chance.randint(1, 9) for _ in range(chance.randint(3, 6))] + [chance.randint(45, 150)]
    roles = [(f"role {at}", chance.choice((0.02, 0.1, 0.3, 1.0))) for at in range(4)]
    return [
        _person(chance, f"p{team}x{at}", f"team {team}", roles) for team, size in enumerate(sizes) for at in range(size)
    ]


def _person(chance: random.Random, name: str, team: str, roles: Sequence[tuple[str, float]]) -> Person:
    first = 0 if chance.random() < 0.85 else chance.randrange(1, DAYS)
    end = DAYS if chance.random() < 0.9 else chance.randrange(first + 1, DAYS + 1)
    role = chance.choices([one for one, _ in roles], [many for _, many in roles])[0]
    answers = chance.choice((chance.randrange(DAYS), chance.randrange(14, 17), None))
    trained = chance.randrange(DAYS) if chance.random() < 0.6 else None
    used = frozenset(day for day in range(first, end) if chance.random() < 0.2)
    return Person(name, team, first, end, answers, role, trained, used)


def write(people: Sequence[Person], folder: Path, *, until: int) -> None:
    """The exports as they stand before day `until`; those of an earlier night stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    held = [one for one in people if one.first < until]
    stamp = _day(until - 1)
    _csv(folder / f"hr-directory-{stamp}.csv", [
        ["employee_id", "display_name", "email", "github_login", "account_type", "department", "job_family", "region",
         "tenure_band", "is_technical", "valid_from", "valid_to"],
        *([f"E{one.name}", one.name, _mail(one), one.name, "employee", one.team, "maker", "EMEA", "a year or more",
           "no", "2020-01-01", ""] for one in people),
    ])  # fmt: skip
    seats = [
        {"created_at": f"{_day(one.first)}T00:00:00Z", "updated_at": f"{_day(until - 1)}T00:00:00Z",
         "pending_cancellation_date": _day(one.end) if one.end < until else None, "plan_type": "business",
         "assignee": {"login": one.name, "id": at, "type": "User"}}
        for at, one in enumerate(held)
    ]  # fmt: skip
    (folder / f"copilot-seats-{stamp}.json").write_text(json.dumps({"total_seats": len(seats), "seats": seats}))
    uses = [(day, one) for one in held for day in sorted({*one.used, *({0, until - 1} & {one.first})}) if day < until]
    (folder / f"copilot-usage-{stamp}.ndjson").write_text("".join(
        json.dumps({"report_start_day": _day(0), "report_end_day": stamp, "day": _day(day), "user_login": one.name,
                    "user_initiated_interaction_count": 3, "code_generation_activity_count": 1,
                    "code_acceptance_activity_count": 1}) + "\n" for day, one in uses))  # fmt: skip
    _csv(folder / f"survey-{stamp}.csv", [
        ["survey_id", "respondent", "audience", "sent_at", "answered_at", "score", "scale_max"],
        *(["s1", _mail(one), one.role, f"{BEGIN}T08:00:00Z", f"{_day(one.answers)}T09:00:00Z", 1 + len(one.name) % 5, 5]
          for one in people if one.answers is not None and one.answers < until),
    ])  # fmt: skip
    _csv(folder / f"training-{stamp}.csv", [
        ["user_email", "course_id", "attempt_no", "mandatory", "assigned_on", "completed_on", "status", "score",
         "expires_on"],
        *([_mail(one), "ai-basics", 1, "true", _day(0), _day(one.trained), "completed", "", ""]
          for one in people if one.trained is not None and one.trained < until),
    ])  # fmt: skip


def _mail(one: Person) -> str:
    return f"{one.name}@example.com"


def _day(at: int | None) -> str:
    return str(BEGIN + timedelta(days=at or 0))


def _csv(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
