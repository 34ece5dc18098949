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
