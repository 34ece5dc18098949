"""Ground truth of the programme: one row per thing a KPI counts, built from what happened, never from the exports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby

from pipeline.sample import experiments, surveys
from pipeline.sample.audits import VIOLATIONS
from pipeline.sample.clock import MINUTE_MS, Span, day_of
from pipeline.sample.components import Use
from pipeline.sample.counted import (
    ActiveDay,
    AttackOutcome,
    AuditedSession,
    ClaimedContact,
    ComponentUse,
    Detection,
    ExposedUnit,
    LimitedCall,
    LiveUseCase,
    PilotStart,
    ProductionSession,
    ProviderCall,
    SessionCost,
    SuccessCost,
    SurveyAnswer,
    TrainedPerson,
    TriedTask,
)
from pipeline.sample.evaluation import Run
from pipeline.sample.ground import UNKNOWN, Entitlements, department_on, support_contacts
from pipeline.sample.portfolio import UseCase
from pipeline.sample.records import Attempt, Contact, Incident, Person, Score, Session, Task
from pipeline.sample.redteam import SUITE_VERSION, Attack
from pipeline.sample.voices import Voice

EPISODE_GAP_MS = 5 * MINUTE_MS
PILOT_DAYS = 180
FRESH_DAYS = 28
WEEKS_FOLLOWED = 4


def production_sessions(session: Session, said: list[Voice]) -> Iterator[ProductionSession]:
    """The session, when it is one of real users; a report counts when it says which session it is about."""
    if session.session_id is not None and session.is_production:
        is_reported = any(voice.session_id == session.session_id for voice in said)
        yield ProductionSession(day_of(session.started_ms), session.use_case or UNKNOWN, is_reported)


def tried_tasks(tasks: list[Task]) -> list[TriedTask]:
    """Tasks of real users, whatever became of them; a task of no known session counts."""
    return [
        TriedTask(
            day_of(task.started_ms),
            task.use_case or UNKNOWN,
            department_on(task.session.person if task.session else None, day_of(task.started_ms)),
            task.outcome == "success" and task.outcome_source == "verified",
        )
        for task in tasks
        if task.session is None or task.session.is_production
    ]


def success_costs(costs: list[SessionCost], tried: list[TriedTask]) -> list[SuccessCost]:
    """What was spent, and what was done for it."""
    spent = [SuccessCost(row.day, row.use_case, row.department, row.pico_usd, 0) for row in costs]
    return spent + [SuccessCost(row.day, row.use_case, row.department, 0, 1) for row in tried if row.is_success]


def audited_sessions(scores: list[Score]) -> list[AuditedSession]:
    """Sessions that a person read, on the day of the verdict."""
    return [
        AuditedSession(day_of(score.created_ms), score.use_case or UNKNOWN, score.label in VIOLATIONS)
        for score in scores
        if score.metric == "safety_violation"
    ]


def attack_outcomes(attacks: list[Attack]) -> list[AttackOutcome]:
    """Attacks that were carried out; those that ended in an error tested nothing."""
    return [
        AttackOutcome(day_of(attack.started_ms), f"{attack.suite} {SUITE_VERSION}", not attack.is_goal_reached)
        for attack in attacks
        if attack.is_tested
    ]


def survey_answers(invites: list[surveys.Invite]) -> list[SurveyAnswer]:
    """Invitations that were answered, on the day of the answer."""
    return [
        SurveyAnswer(day_of(invite.answered_ms), invite.person.email, invite.audience, invite.score)
        for invite in invites
        if invite.answered_ms is not None and invite.score is not None
    ]


def detections(incidents: list[Incident]) -> list[Detection]:
    """Incidents whose start is known, neither cancelled nor duplicates."""
    return [
        Detection(day_of(one.impact_ms), one.severity, Fraction(one.detected_ms - one.impact_ms, MINUTE_MS))
        for one in incidents
        if one.state not in ("cancelled", "duplicate") and one.impact_ms is not None
    ]


def claimed_contacts(contacts: list[Contact]) -> list[ClaimedContact]:
    """Eligible contacts with the vendor's claim beside what is verified."""
    eligible = [contact for contact in contacts if contact.is_eligible]
    return [
        ClaimedContact(row.day, row.topic, row.channel, contact.ai_claimed, row.is_deflected)
        for contact, row in zip(eligible, support_contacts(contacts), strict=True)
    ]


def limited_calls(calls: list[ProviderCall]) -> list[LimitedCall]:
    """Calls by provider; a refusal begins an episode when the provider refused nothing in the five minutes before."""
    rows = []
    refused_ms: dict[str, int] = {}
    for call in sorted(calls, key=lambda call: call.started_ms):
        before = refused_ms.get(call.provider)
        is_new = before is None or call.started_ms - before > EPISODE_GAP_MS
        rows.append(LimitedCall(call.day, call.provider, call.is_refused and is_new))
        if call.is_refused:
            refused_ms[call.provider] = call.started_ms
    return rows


def active_days(entitlements: Entitlements) -> Callable[[date, date], list[ActiveDay]]:
    """Finds who was active on which days of a period, with the week each day lies in."""

    def between(start: date, end: date) -> list[ActiveDay]:
        return [
            ActiveDay(row.person, row.product, row.department, number // 7)
            for number in range((end - start).days)
            for row in entitlements.on(start + timedelta(days=number))
            if row.is_active
        ]

    return between


def trained_people(attempts: list[Attempt], entitlements: Entitlements, span: Span) -> list[TrainedPerson]:
    """People on the day they first completed a required course: users were active in two of the four weeks after it.

    Left out are those who used it in two of the four weeks before, who were gone before the four weeks after were over,
    or whose four weeks are not over yet.
    """
    first: dict[str, Attempt] = {}
    done = [one for one in attempts if one.is_required and one.status == "completed" and one.completed is not None]
    for one in sorted(done, key=lambda one: one.completed or span.end):
        first.setdefault(one.person.email, one)
    used = {(row.person, day) for day in span.days() for row in entitlements.on(day) if row.is_active}
    return [
        TrainedPerson(
            one.completed, name, department_on(one.person, one.completed), _is_user(name, one.completed, used)
        )
        for name, one in first.items()
        if one.completed is not None
        and _is_followed(one.person, one.completed, span)
        and not _is_user(name, one.completed, used, back=True)
    ]


def _is_followed(person: Person, trained: date, span: Span) -> bool:
    end = trained + timedelta(days=7 * WEEKS_FOLLOWED)
    return not person.is_service_account and bool(person.job(trained) and person.job(end)) and end < span.end


def _is_user(name: str, trained: date, used: set[tuple[str, date]], *, back: bool = False) -> bool:
    """Active in two of the four weeks after the day, or before it."""
    step = -1 if back else 1
    days = range(7 * WEEKS_FOLLOWED)
    return len({number // 7 for number in days if (name, trained + step * timedelta(days=number + 1)) in used}) >= 2


def component_uses(uses: list[Use]) -> list[ComponentUse]:
    """Use of components, whatever their version."""
    return [ComponentUse(use.week, use.release.component, use.team) for use in uses if use.calls]


def pilot_starts(cases: list[UseCase]) -> list[PilotStart]:
    """Use cases on the day their pilot began, without those stopped on purpose."""
    rows = []
    for _, group in groupby(cases, key=lambda case: case.use_case_id):
        states = list(group)
        pilot = next((state for state in states if state.stage == "pilot"), None)
        live = next((state for state in states if state.stage == "production"), None)
        if pilot is not None and not any(state.is_cancelled for state in states):
            in_time = live is not None and (live.valid_from - pilot.valid_from).days <= PILOT_DAYS
            rows.append(PilotStart(pilot.valid_from, pilot.business_unit, in_time))
    return rows


class Portfolio:
    """Use cases in production on a day, with what is known of each."""

    def __init__(self, cases: list[UseCase], runs: list[Run], sessions: list[ProductionSession]) -> None:
        self._cases = [case for case in cases if case.stage == "production"]
        self._completed = sorted((run for run in runs if run.is_passed is not None), key=lambda run: run.started_ms)
        self._seen = {(session.use_case, session.day) for session in sessions}

    def on(self, day: date) -> list[LiveUseCase]:
        """The use cases in production on the day."""
        return [
            LiveUseCase(day, case.business_unit, self._is_evaluated(case, day), self._is_measured(case, day))
            for case in self._cases
            if case.holds(day)
        ]

    def _is_evaluated(self, case: UseCase, day: date) -> bool:
        """Of some suite the last run of the current prompt and model passed and has not expired."""
        last = {run.suite: run for run in self._completed if run.setup == case.setup and day_of(run.started_ms) <= day}
        return any(run.is_passed and (run.expires_ms is None or day < day_of(run.expires_ms)) for run in last.values())

    def _is_measured(self, case: UseCase, day: date) -> bool:
        """It has an owner, a baseline and a target, and a session of real users in the last 28 days."""
        days = (day - timedelta(days=back) for back in range(FRESH_DAYS))
        is_fresh = any((case.use_case_id, one) in self._seen for one in days)
        return case.owner_role is not None and case.has_baseline and case.has_target and is_fresh


def exposed_units(units: list[experiments.Unit]) -> list[ExposedUnit]:
    """Units that met their variant, with the margin they brought, on the last day of their experiment."""
    return [
        ExposedUnit(unit.experiment.ends, unit.experiment.experiment, unit.is_treated, unit.margin_cents)
        for unit in units
        if unit.exposed_ms is not None
    ]
