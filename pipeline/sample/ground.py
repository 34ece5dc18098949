"""Ground truth: one row per thing a KPI counts, built from what happened and never from the exports.

The meaning of each row is stated in words above the SQL of its fact; this module follows the same words and shares no
code with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction

from pipeline.sample.billing import Meters
from pipeline.sample.clock import HOUR_MS, Span, day_of, ms_of
from pipeline.sample.counted import (
    CsatAnswer,
    EntitledDay,
    EvaluatedAnswer,
    Outage,
    ProviderCall,
    Release,
    Request,
    RosterDay,
    ScreenedOutput,
    ServedWindow,
    SessionCost,
    SupportContact,
    ToolCall,
    VerifiedTask,
)
from pipeline.sample.prices import Tariff
from pipeline.sample.records import (
    Answer,
    Attempt,
    Call,
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
from pipeline.sample.support import is_in_week_after

UNKNOWN = "unknown"


class Traffic:
    """Rows of the AI applications, taken session by session so that the calls need not be kept."""

    def __init__(self, tariff: Tariff, last_month: date) -> None:
        self.tariff = tariff
        self.meters = Meters(tariff, last_month)
        self.session_costs: list[SessionCost] = []
        self.requests: list[Request] = []
        self.tool_calls: list[ToolCall] = []
        self.provider_calls: list[ProviderCall] = []

    def add(self, session: Session) -> None:
        """Takes one session (or calls outside any session) into account."""
        for call in session.calls:
            self.meters.take(session, call, self._cost(call) if call.provider and call.model else 0)
        if not session.is_production:
            return
        self._add_costs(session)
        use_case = (session.use_case or UNKNOWN) if session.session_id else UNKNOWN
        for call in session.calls:
            self._add_call(call, use_case)

    def _cost(self, call: Call) -> int:
        cost = self.tariff.cost(call, day_of(call.started_ms))
        if cost is None:
            raise ValueError(f"{call.model}: used in the sample without a price for one of its token classes")
        return cost

    def _add_costs(self, session: Session) -> None:
        if session.session_id is None:
            for call in session.calls:
                day = day_of(call.started_ms)
                self.session_costs.append(SessionCost(day, UNKNOWN, UNKNOWN, 0, self._cost(call)))
            return
        day = day_of(session.started_ms)
        department = department_on(session.person, day)
        cost = sum(self._cost(call) for call in session.calls)
        self.session_costs.append(SessionCost(day, session.use_case or UNKNOWN, department, 1, cost))

    def _add_call(self, call: Call, use_case: str) -> None:
        day = day_of(call.started_ms)
        is_awaited = not call.is_batch and call.purpose in (None, "user")
        if call.parent_id is None and call.kind in ("request", "model") and is_awaited:
            row = Request(day, use_case, call.provider or UNKNOWN, call.model or UNKNOWN, call.latency_us)
            self.requests.append(row)
        if call.kind in ("model", "guardrail", "retrieval") and is_awaited and not call.is_cache_hit:
            is_refused = call.http_status == 429 or call.message.startswith("RateLimitError")
            self.provider_calls.append(ProviderCall(day, call.provider or UNKNOWN, call.started_ms, is_refused))
        if call.kind == "tool" and call.status != "cancelled":
            self.tool_calls.append(ToolCall(day, call.name, use_case, call.status in ("error", "timeout")))


def department_on(person: Person | None, day: date) -> str:
    """The person's department on the day, 'unknown' off the roster and for people nobody knows."""
    job = person.job(day) if person else None
    return job.department if job else UNKNOWN


class Entitlements:
    """Who was entitled to the product on each day for which use is known."""

    def __init__(self, seats: list[Seat], usage: Iterable[Usage], people: tuple[Person, ...], product: str) -> None:
        self._seats, self._product = seats, product
        self._people = {person.email: person for person in people}
        self._active: dict[date, set[str]] = {}
        for line in usage:
            self._active.setdefault(line.day, set())
            if line.is_active:
                self._active[line.day].add(line.holder)
        self._first, self._last = min(self._active, default=None), max(self._active, default=None)
        self._made: dict[date, list[EntitledDay]] = {}

    def on(self, day: date) -> list[EntitledDay]:
        """The entitled of one day; machine accounts and leavers are left out."""
        if self._first is None or self._last is None or not self._first <= day <= self._last:
            return []
        if day not in self._made:
            self._made[day] = [self._row(holder, day) for holder in self._holders(day)]
        return self._made[day]

    def _holders(self, day: date) -> list[str]:
        seated = (seat for seat in self._seats if seat.valid_from <= day and (not seat.valid_to or day < seat.valid_to))
        return [holder for holder in dict.fromkeys(seat.holder for seat in seated) if self._counts(holder, day)]

    def _counts(self, holder: str, day: date) -> bool:
        person = self._people.get(holder)
        return person is None or (not person.is_service_account and person.job(day) is not None)

    def _row(self, holder: str, day: date) -> EntitledDay:
        department = department_on(self._people.get(holder), day)
        return EntitledDay(day, holder, self._product, department, holder in self._active.get(day, set()))


class Roster:
    """Who was on the roster on a day and who then held every completion required of them."""

    def __init__(self, attempts: list[Attempt], people: tuple[Person, ...]) -> None:
        self._people = [person for person in people if not person.is_service_account]
        self._required: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            if attempt.is_required:
                self._required.setdefault(attempt.person.email, []).append(attempt)
        assigned = [attempt.assigned for attempt in attempts]
        self.first = min(assigned, default=None)
        self.last = max([*assigned, *(a.completed for a in attempts if a.completed)], default=None)

    def on(self, day: date) -> list[RosterDay]:
        """The roster of one day; people exempt from every course required of them are left out."""
        rows = []
        for person in self._people:
            job = person.job(day)
            asked = [one for one in self._required.get(person.email, []) if one.assigned <= day]
            due = {one.course for one in asked if one.status != "exempt"}
            if job is None or (asked and not due):
                continue
            held = {one.course for one in asked if _is_valid(one, day)}
            rows.append(RosterDay(day, person.email, job.department, job.region, bool(due) and due <= held))
        return rows


def _is_valid(attempt: Attempt, day: date) -> bool:
    is_done = attempt.status == "completed" and attempt.completed is not None and attempt.completed <= day
    return is_done and (attempt.valid_to is None or day < attempt.valid_to)


def support_contacts(contacts: list[Contact]) -> list[SupportContact]:
    """Eligible contacts, and whether the assistant settled each for good."""
    eligible = [contact for contact in contacts if contact.is_eligible]
    same: dict[tuple[int | None, str], list[Contact]] = {}
    for contact in eligible:
        same.setdefault((contact.requester, contact.topic), []).append(contact)
    return [
        SupportContact(
            day_of(contact.created_ms),
            contact.topic,
            contact.channel,
            _is_deflected(contact, same[contact.requester, contact.topic]),
        )
        for contact in eligible
    ]


def _is_deflected(contact: Contact, same: list[Contact]) -> bool:
    is_settled = contact.ai_involved and contact.reply_minutes is None and not contact.reopens
    came_back = any(is_in_week_after(contact, other) for other in same)
    return is_settled and contact.requester is not None and not came_back


def evaluated_answers(scores: list[Score]) -> list[EvaluatedAnswer]:
    """Judgements of groundedness."""
    return [
        EvaluatedAnswer(
            day_of(score.created_ms),
            score.use_case or UNKNOWN,
            score.evaluator_kind,
            score.label != "no_claims",
            score.label == "grounded",
        )
        for score in scores
        if score.metric == "grounded"
    ]


def screened_outputs(scores: list[Score]) -> list[ScreenedOutput]:
    """Judgements of safety."""
    return [
        ScreenedOutput(day_of(score.created_ms), score.use_case or UNKNOWN, score.label == "flagged")
        for score in scores
        if score.metric == "safety_flag"
    ]


def outages(incidents: list[Incident], span: Span) -> list[Outage]:
    """Incidents that count, each with its hours; the open ones are known to last until the end of the data."""
    rows = []
    for one in incidents:
        if one.state in ("cancelled", "duplicate") or one.impact_ms is None:
            continue
        ended = ms_of(span.end) if one.resolved_ms is None else one.resolved_ms
        hours = Fraction(ended - one.impact_ms, HOUR_MS)
        rows.append(Outage(day_of(one.impact_ms), one.severity, one.service, hours, one.resolved_ms is not None))
    return rows


def csat_answers(answers: list[Answer]) -> list[CsatAnswer]:
    """Valid answers to the satisfaction question, in the order they were given."""
    rows = [
        CsatAnswer(
            day_of(answer.responded_ms),
            answer.responded_ms,
            answer.feedback_id,
            answer.respondent or answer.feedback_id,
            answer.variant,
            answer.score >= answer.scale_max - 1,
            answer.channel,
        )
        for answer in answers
        if answer.kind == "csat" and answer.score is not None and answer.variant is not None
    ]
    return sorted(rows, key=lambda row: (row.responded_ms, row.feedback_id))


def releases(deployments: list[Deployment], incidents: list[Incident]) -> list[Release]:
    """Finished production deployments, and whether each had to be undone, repaired, or caused an incident."""
    production = [one for one in deployments if one.environment == "production"]
    undone = {one.rollback_of for one in production if one.rollback_of}
    blamed = {one.caused_by for one in incidents if one.state not in ("cancelled", "duplicate")}
    return [
        Release(
            day_of(one.finished_ms),
            one.service,
            one.change_type,
            one.result in ("failed", "rolled_back") or one.deployment_id in undone or one.deployment_id in blamed,
        )
        for one in production
        if one.finished_ms is not None and one.result != "cancelled"
    ]


def served_windows(windows: Iterable[Window]) -> list[ServedWindow]:
    """Windows that count towards availability."""
    return [
        ServedWindow(day_of(window.started_ms), window.service, window.good, window.valid)
        for window in windows
        if not window.in_maintenance
    ]


def verified_tasks(tasks: list[Task]) -> list[VerifiedTask]:
    """Verified tasks of real users with a measured baseline; hours are rounded to nine decimals, task by task."""
    rows = []
    for task in tasks:
        is_verified = task.outcome == "success" and task.outcome_source == "verified"
        if not is_verified or task.baseline_minutes is None or task.ended_ms is None:
            continue
        if task.session is not None and not task.session.is_production:
            continue
        saved = Fraction(task.baseline_minutes) / 60 - Fraction(task.ended_ms - task.started_ms, HOUR_MS)
        day = day_of(task.started_ms)
        department = department_on(task.session.person if task.session else None, day)
        rows.append(VerifiedTask(day, task.use_case or UNKNOWN, department, Decimal(round(saved * 10**9)).scaleb(-9)))
    return rows
