"""The staff of the made-up organisation, and the directory export that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span
from pipeline.sample.records import Job, Person

DEPARTMENTS = {
    "Engineering": 0.28,
    "Customer Support": 0.24,
    "Sales": 0.18,
    "Finance": 0.10,
    "People Operations": 0.12,
    "Legal": 0.08,
}
ROLES = {
    "Engineering": ("software engineer", "data engineer", "site reliability engineer"),
    "Customer Support": ("support agent", "support lead"),
    "Sales": ("account executive", "sales engineer"),
    "Finance": ("controller", "analyst"),
    "People Operations": ("recruiter", "generalist"),
    "Legal": ("counsel", "paralegal"),
}
TECHNICAL_ROLES = {"software engineer", "data engineer", "site reliability engineer", "sales engineer"}
REGIONS = {"EMEA": 0.45, "AMER": 0.35, "APAC": 0.20}
_FIRST_NAMES = (
    "Anna Bilal Chiara Daniel Eva Farid Greta Hugo Ines Jonas Katya Liam Mira Noah Olga Pablo Quinn Rosa Samir Tessa "
    "Umar Vera Wei Ximena Yusuf Zoe Aaron Bianca Carlos Dalia"
)
_LAST_NAMES = (
    "Abel Berg Conti Diaz Engel Fischer Garcia Haddad Ito Jensen Kaya Lopez Meyer Novak Okafor Patel Quist Rossi "
    "Sato Tanaka Ueda Vogel Weber Xu Yilmaz Zeman Amari Bauer Costa Dubois"
)
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
COLUMNS = (
    "employee_id",
    "display_name",
    "email",
    "github_login",
    "account_type",
    "department",
    "job_family",
    "region",
    "tenure_band",
    "is_technical",
    "valid_from",
    "valid_to",
)


def staff(chance: Chance, *, people: int, span: Span) -> tuple[Person, ...]:
    """So many people, and one machine account for every hundred (at least two)."""
    members = [_person(chance, number, span) for number in range(people)]
    machines = [_machine(number, span) for number in range(people, people + max(2, people // 100))]
    return (*members, *machines)


def _person(chance: Chance, number: int, span: Span) -> Person:
    name = f"{_FIRST[number % 30]} {_LAST[(number // 30 + 7 * number) % 30]}"
    department = chance.weighed(DEPARTMENTS)
    role = chance.pick(ROLES[department])
    first, last = name.lower().split()
    has_login = role in TECHNICAL_ROLES or chance.happens(0.6)
    return Person(
        number=number,
        name=name,
        email=f"{first}.{last}.{number}@example.com",
        login=f"{first}{last[0]}-{number}" if has_login else None,
        jobs=_career(chance, span, department, role),
    )


def _career(chance: Chance, span: Span, department: str, role: str) -> tuple[Job, ...]:
    """One job, or two for the few who moved; a few left, and a few joined late."""
    joined = span.start - timedelta(days=chance.whole(40, 2400))
    if chance.happens(0.12):
        joined = span.at(0.85 * chance.share())
    left = None
    if chance.happens(0.09):
        left = max(joined + timedelta(days=45), span.at(0.1 + 0.85 * chance.share()))
        left = left if left < span.end else None
    job = Job(
        valid_from=joined,
        valid_to=left,
        department=department,
        role=role,
        region=chance.weighed(REGIONS),
        tenure_band="under a year" if joined > span.start - timedelta(days=365) else "a year or more",
        is_technical=role in TECHNICAL_ROLES,
    )
    moved = max(joined + timedelta(days=30), span.at(0.15 + 0.7 * chance.share()))
    is_mover = chance.happens(0.10) and moved < (left or span.end)
    return _moved(chance, job, moved) if is_mover else (job,)


def _moved(chance: Chance, job: Job, day: date) -> tuple[Job, Job]:
    department = chance.pick([name for name in DEPARTMENTS if name != job.department])
    role = chance.pick(ROLES[department])
    before = Job(job.valid_from, day, job.department, job.role, job.region, job.tenure_band, job.is_technical)
    after = Job(day, job.valid_to, department, role, job.region, job.tenure_band, role in TECHNICAL_ROLES)
    return before, after


def _machine(number: int, span: Span) -> Person:
    job = Job(span.start - timedelta(days=500), None, "Engineering", "automation", "EMEA", "a year or more", True)
    return Person(
        number=number,
        name=f"Build robot {number}",
        email=f"robot.{number}@example.com",
        login=f"build-robot-{number}",
        jobs=(job,),
        is_service_account=True,
    )


def directory_rows(people: tuple[Person, ...]) -> Iterator[tuple[str, ...]]:
    """The directory export: one row per person and period of unchanged attributes."""
    for person in people:
        for job in person.jobs:
            yield (
                f"E{person.number:06d}",
                person.name,
                person.email,
                person.login or "",
                "service" if person.is_service_account else "employee",
                job.department,
                job.role,
                job.region,
                job.tenure_band,
                "yes" if job.is_technical else "no",
                job.valid_from.isoformat(),
                job.valid_to.isoformat() if job.valid_to else "",
            )
