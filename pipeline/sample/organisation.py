"""The made-up organisation: what happened in it, and its exports as the systems write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby

from pipeline.sample import (
    annotated,
    billing,
    copilot,
    counted,
    gateway,
    ground,
    ground_programme,
    invoices,
    langfuse,
    operations,
    people,
    prices,
    programme,
    quality,
    returns,
    support,
    traces,
    training,
)
from pipeline.sample.chance import Chance
from pipeline.sample.clock import Span, day_of, first_of_next_month, ms_of
from pipeline.sample.records import (
    Answer,
    Attempt,
    Contact,
    Deployment,
    Incident,
    Person,
    Score,
    Seat,
    Session,
    Task,
    Usage,
    Window,
)
from pipeline.sample.shelf import Shelf

DAILY_FILES = 7
"""So many last days have a file of their own; the months before have one file each."""


@dataclass
class Organisation:
    """Everything that happened; traffic is taken in as it is written, so the calls are not kept."""

    seed: int
    span: Span
    load: float
    people: tuple[Person, ...]
    traffic: ground.Traffic
    seats: list[Seat]
    usage: list[Usage]
    attempts: list[Attempt]
    contacts: list[Contact]
    answers: list[Answer]
    deployments: list[Deployment]
    incidents: list[Incident]
    windows: list[Window]
    programme: programme.Programme
    returns: returns.Returns
    sessions: list[counted.ProductionSession] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    @cached_property
    def entitlements(self) -> ground.Entitlements:
        """Seats against use."""
        return ground.Entitlements(self.seats, self.usage, self.people, copilot.PRODUCT)

    @cached_property
    def roster(self) -> ground.Roster:
        """People against courses."""
        return ground.Roster(self.attempts, self.people)

    @property
    def support_contacts(self) -> list[counted.SupportContact]:
        """Contacts that count."""
        return ground.support_contacts(self.contacts)

    @property
    def evaluated_answers(self) -> list[counted.EvaluatedAnswer]:
        """Judgements of groundedness."""
        return ground.evaluated_answers(self.scores)

    @property
    def screened_outputs(self) -> list[counted.ScreenedOutput]:
        """Judgements of safety."""
        return ground.screened_outputs(self.scores)

    @property
    def outages(self) -> list[counted.Outage]:
        """Incidents that count."""
        return ground.outages(self.incidents, self.span)

    @property
    def csat_answers(self) -> list[counted.CsatAnswer]:
        """Answers that count."""
        return ground.csat_answers(self.answers)

    @property
    def releases(self) -> list[counted.Release]:
        """Deployments that count."""
        return ground.releases(self.deployments, self.incidents)

    @property
    def served_windows(self) -> list[counted.ServedWindow]:
        """Windows that count."""
        return ground.served_windows(self.windows)

    @property
    def verified_tasks(self) -> list[counted.VerifiedTask]:
        """Tasks that count."""
        return ground.verified_tasks(self.tasks)


def found(*, people_count: int, span: Span, seed: int) -> Organisation:
    """Makes up the organisation, all but its AI traffic."""
    load = people_count / 200

    def chance(stream: str) -> Chance:
        return Chance(seed, stream)

    staff = people.staff(chance("people"), people=people_count, span=span)
    seats = copilot.seats(chance("seats"), staff, span)
    deployed = operations.deployments(chance("deployments"), span)
    incidents = operations.with_harms(chance("harms"), operations.incidents(chance("incidents"), span, deployed))
    around = programme.found(chance, staff, span, load=load)
    return Organisation(
        seed=seed,
        span=span,
        load=load,
        people=staff,
        traffic=ground.Traffic(prices.Tariff([*prices.list_prices(), *prices.price_book(span)]), span.months()[-1]),
        seats=seats,
        usage=list(copilot.usage(chance("usage"), seats, staff, span)),
        attempts=training.attempts(chance("training"), staff, span),
        contacts=support.contacts(chance("contacts"), span, load=load),
        answers=list(support.answers(chance("answers"), span, load=load)),
        deployments=deployed,
        incidents=incidents,
        windows=list(operations.availability(chance("availability"), span, incidents, load=load)),
        programme=around,
        returns=returns.found(seed, span, around.use_cases, seats, load=load),
    )


def write_traffic(shelf: Shelf, org: Organisation) -> None:
    """Lets the two AI applications run: writes their sessions, and keeps what counts."""
    quality_chance = Chance(org.seed, "quality")
    tariff, span = org.traffic.tariff, org.span
    for held in traces.sessions(Chance(org.seed, "traces"), org.people, span, load=org.load):
        session = org.programme.throttled(held)
        part = part_of(day_of(session.started_ms), span)
        for record in langfuse.observation_records(session, tariff):
            shelf.line(f"langfuse/observations-{part}.jsonl", record)
        for record in langfuse.trace_records(session):
            shelf.line(f"langfuse/traces-{part}.jsonl", record)
        _take(org, quality_chance, session)
    for session in gateway.sessions(Chance(org.seed, "gateway"), org.people, span, load=org.load):
        part = part_of(day_of(session.started_ms), span)
        for row in gateway.spend_rows(session, tariff):
            shelf.row(f"litellm/spend-logs-{part}.csv", gateway.COLUMNS, row)
        _take(org, quality_chance, session)


def _take(org: Organisation, chance: Chance, session: Session) -> None:
    org.traffic.add(session)
    org.sessions.extend(ground_programme.production_sessions(session, org.programme.take(session)))
    org.scores.extend(quality.scores(chance, session, until_ms=ms_of(org.span.end)))
    shell = replace(session, calls=())
    org.tasks.extend(replace(task, session=task.session and shell) for task in quality.tasks(chance, session))


def part_of(day: date, span: Span) -> str:
    """The part of a file's name that says which month, or which of the last days, it holds."""
    is_recent = day > span.last - timedelta(days=DAILY_FILES)
    return day.isoformat() if is_recent else f"{day:%Y-%m}"


def write_rest(shelf: Shelf, org: Organisation) -> None:
    """Writes the exports of everything but AI traffic and invoices."""
    _write_people(shelf, org)
    _write_usage(shelf, org)
    _write_service(shelf, org)
    for task in sorted(org.tasks, key=lambda task: (task.started_ms, task.task_id)):
        shelf.row(f"tasks/tasks-{day_of(task.started_ms):%Y-%m}.csv", quality.TASK_COLUMNS, quality.task_row(task))
    for score in sorted(org.scores, key=lambda score: (score.created_ms, score.score_id)):
        name = f"evaluation/evaluation-scores-{day_of(score.created_ms):%Y-%m}.jsonl"
        shelf.line(name, quality.score_record(score))
    for row in annotated.rows(org.span):
        shelf.row("notes/annotations.csv", annotated.COLUMNS, row)
    programme.write(shelf, org.programme)
    returns.write(shelf, org.returns, org.span)


def _write_people(shelf: Shelf, org: Organisation) -> None:
    for row in people.directory_rows(org.people):
        shelf.row(f"hr/hr-directory-{org.span.last}.csv", people.COLUMNS, row)
    for attempt in org.attempts:
        shelf.row(f"lms/lms-training-{org.span.last}.csv", training.COLUMNS, training.attempt_row(attempt))
    for row in prices.book_rows(org.span):
        shelf.row("prices/price_book.csv", prices.BOOK_COLUMNS, row)
    shelf.document("prices/litellm_model_prices.json", prices.price_map(), len(prices.LIST_PRICES) + 1)


def _write_usage(shelf: Shelf, org: Organisation) -> None:
    for line in org.usage:
        reported = (line.day.replace(day=1), first_of_next_month(line.day) - timedelta(days=1))
        name = f"copilot/copilot-usage-{line.day:%Y-%m}.ndjson"
        shelf.line(name, copilot.usage_record(line, reported))
    for first in org.span.months():
        last = first_of_next_month(first) - timedelta(days=1)
        records = copilot.seat_records(org.seats, last)
        document = {"total_seats": len(records), "seats": records}
        shelf.document(f"copilot/copilot-seats-{last}.json", document, len(records))


def _write_service(shelf: Shelf, org: Organisation) -> None:
    for month, group in groupby(org.contacts, key=support.month_of):
        tickets = [support.ticket(contact) for contact in group]
        shelf.document(f"support/zendesk-tickets-{month:%Y-%m}.json", {"tickets": tickets}, len(tickets))
    for answer in org.answers:
        name = f"feedback/feedback-{day_of(answer.responded_ms):%Y-%m}.csv"
        shelf.row(name, support.FEEDBACK_COLUMNS, support.feedback_row(answer))
    for one in org.deployments:
        name = f"ops/deployments-{day_of(one.started_ms):%Y-%m}.csv"
        shelf.row(name, operations.DEPLOYMENT_COLUMNS, operations.deployment_row(one))
    for noticed, outages in groupby(org.incidents, key=lambda one: f"{day_of(one.detected_ms):%Y-%m}"):
        records = [operations.incident_record(one) for one in outages]
        shelf.document(f"ops/pagerduty-incidents-{noticed}.json", {"incidents": records}, len(records))
    for window in org.windows:
        name = f"ops/availability-{day_of(window.started_ms):%Y-%m}.csv"
        shelf.row(name, operations.AVAILABILITY_COLUMNS, operations.availability_row(window))


def write_invoices(shelf: Shelf, org: Organisation) -> None:
    """Writes usage reports and the cost export, a file each a month; last, because they must know all traffic."""
    for name, page, results in billing.reports(org.traffic.meters, org.span):
        shelf.document(name, page, results)
    for name, row in _invoice_rows(org):
        shelf.row(name, invoices.COLUMNS, row)


def _invoice_rows(org: Organisation) -> Iterator[tuple[str, tuple[str, ...]]]:
    for month in org.span.months():
        for row in invoices.rows(month, org.traffic.meters.monthly(month)):
            yield f"finance/focus-{month:%Y-%m}.csv", row
