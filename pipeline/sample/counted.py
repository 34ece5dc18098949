"""The rows KPIs count: one type per fact, with the dimensions it can be sliced by."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple


class SessionCost(NamedTuple):
    """A session with the cost of all its calls, or a call outside any session (`sessions` 0)."""

    day: date
    use_case: str
    department: str
    sessions: int
    pico_usd: int


class Request(NamedTuple):
    """A request a user waited for."""

    day: date
    use_case: str
    provider: str
    model: str
    latency_us: int | None


class ToolCall(NamedTuple):
    """A tool call the user did not cancel."""

    day: date
    tool: str
    use_case: str
    is_error: bool


class EntitledDay(NamedTuple):
    """A person entitled to a product on a day."""

    day: date
    person: str
    product: str
    department: str
    is_active: bool


class RosterDay(NamedTuple):
    """A person on the roster on a day."""

    day: date
    person: str
    department: str
    region: str
    is_trained: bool


class SupportContact(NamedTuple):
    """An eligible contact."""

    day: date
    topic: str
    channel: str
    is_deflected: bool


class EvaluatedAnswer(NamedTuple):
    """An answer judged for groundedness."""

    day: date
    use_case: str
    evaluator_kind: str
    has_claims: bool
    is_grounded: bool


class ScreenedOutput(NamedTuple):
    """An output screened for safety."""

    day: date
    use_case: str
    is_flagged: bool


class Outage(NamedTuple):
    """An incident: hours to recovery, or until the end of the data when it is still open."""

    day: date
    severity: str
    service: str
    hours: Fraction
    is_over: bool


class CsatAnswer(NamedTuple):
    """A valid answer to the satisfaction question."""

    day: date
    responded_ms: int
    feedback_id: str
    respondent: str
    arm: str
    is_top2: bool
    channel: str


class Release(NamedTuple):
    """A finished production deployment."""

    day: date
    service: str
    change_type: str
    is_failed: bool


class ServedWindow(NamedTuple):
    """A window outside announced maintenance."""

    day: date
    service: str
    good: int
    valid: int


class VerifiedTask(NamedTuple):
    """A task verified as done, with the hours it saved."""

    day: date
    use_case: str
    department: str
    hours_saved: Decimal


class ProductionSession(NamedTuple):
    """A session of real users, and whether somebody reported a wrong answer in it."""

    day: date
    use_case: str
    is_reported: bool


class TriedTask(NamedTuple):
    """A task somebody began, whatever became of it."""

    day: date
    use_case: str
    department: str
    is_success: bool


class SuccessCost(NamedTuple):
    """The cost of a session, or of a call outside any, or a task that was verified as done."""

    day: date
    use_case: str
    department: str
    pico_usd: int
    successes: int


class AuditedSession(NamedTuple):
    """A session that a person read."""

    day: date
    use_case: str
    is_violation: bool


class AttackOutcome(NamedTuple):
    """An attack that was carried out."""

    day: date
    suite: str
    is_resisted: bool


class SurveyAnswer(NamedTuple):
    """An answer to the survey."""

    day: date
    person: str
    audience_role: str
    score: int


class Detection(NamedTuple):
    """An incident with the minutes until it was noticed."""

    day: date
    severity: str
    minutes: Fraction


class ClaimedContact(NamedTuple):
    """An eligible contact: what the vendor says of it, and what became of it."""

    day: date
    topic: str
    channel: str
    is_claimed: bool
    is_deflected: bool


class ProviderCall(NamedTuple):
    """A call to a provider; `is_refused` when it met a rate limit."""

    day: date
    provider: str
    started_ms: int
    is_refused: bool


class LimitedCall(NamedTuple):
    """A call to a provider, and whether an episode of refusals begins with it."""

    day: date
    provider: str
    is_beginning: bool


class ActiveDay(NamedTuple):
    """A person who used the product on a day they were entitled, in a week counted from the first day of a period."""

    person: str
    product: str
    department: str
    week: int


class TrainedPerson(NamedTuple):
    """A person on the day of their first completion of a required course, and whether they then became a user."""

    day: date
    person: str
    department: str
    is_user: bool


class ComponentUse(NamedTuple):
    """Use of a component by a team."""

    day: date
    component: str
    team: str


class PilotStart(NamedTuple):
    """A use case on the day its pilot began, and whether it got into production in time."""

    day: date
    business_unit: str
    has_reached: bool


class LiveUseCase(NamedTuple):
    """A use case in production on a day."""

    day: date
    business_unit: str
    is_evaluated: bool
    is_measured: bool


class ExposedUnit(NamedTuple):
    """A unit of an experiment that met its variant, on the last day of the experiment."""

    day: date
    experiment: str
    is_treated: bool
    cents: int
