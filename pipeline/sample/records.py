"""What really happened in the made-up organisation, before any system wrote it down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class Job:
    """What a person was, from `valid_from` up to `valid_to` (None: still is)."""

    valid_from: date
    valid_to: date | None
    department: str
    role: str
    region: str
    tenure_band: str
    is_technical: bool

    def holds(self, day: date) -> bool:
        """True when it was so on the day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class Person:
    """One member of staff, or a machine account of theirs; `email` is the one name all systems can be traced to."""

    number: int
    name: str
    email: str
    login: str | None
    jobs: tuple[Job, ...]
    is_service_account: bool = False

    def job(self, day: date) -> Job | None:
        """The job on the day; None before joining and after leaving."""
        return next((job for job in self.jobs if job.holds(day)), None)

    @property
    def joined(self) -> date:
        """First day on the roster."""
        return self.jobs[0].valid_from

    @property
    def left(self) -> date | None:
        """First day off the roster."""
        return self.jobs[-1].valid_to


@dataclass(frozen=True, slots=True)
class Seat:
    """A licence of the coding assistant; `holder` is an e-mail address, or a login nobody in the directory has."""

    holder: str
    login: str
    valid_from: date
    valid_to: date | None
    cancelled_on: date | None
    plan: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one person did with the coding assistant on one day."""

    holder: str
    login: str
    day: date
    is_active: bool
    interactions: int
    generations: int
    acceptances: int
    used_chat: bool
    used_agent: bool
    is_server_only: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a call; the classes do not overlap, `reasoning` is a part of `out`."""

    in_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    out: int = 0
    reasoning: int = 0

    def priced(self) -> tuple[tuple[str, int], ...]:
        """(class, tokens) of every class that is paid for."""
        return (
            ("in_uncached", self.in_uncached),
            ("cache_read", self.cache_read),
            ("cache_write_5m", self.cache_write_5m),
            ("cache_write_1h", self.cache_write_1h),
            ("out", self.out),
        )


NO_TOKENS = Tokens()


@dataclass(frozen=True, slots=True)
class Call:
    """One request, or one call to a model, tool, retriever, guardrail or judge."""

    call_id: str
    trace_id: str
    kind: str
    name: str
    started_ms: int
    ended_ms: int | None
    parent_id: str | None = None
    provider: str | None = None
    model: str | None = None
    tokens: Tokens = NO_TOKENS
    first_token_ms: int | None = None
    status: str = "ok"
    message: str = ""
    is_error_in_body: bool = False
    retry_of: str | None = None
    http_status: int | None = None
    is_cache_hit: bool = False
    is_batch: bool = False
    purpose: str | None = None
    reported_ms: int | None = None

    @property
    def latency_us(self) -> int | None:
        """Duration in microseconds: as reported, else from the two times; None when nobody knows it."""
        if self.reported_ms is not None:
            return self.reported_ms * 1000
        return None if self.ended_ms is None else (self.ended_ms - self.started_ms) * 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation with its calls; calls outside any conversation come in a session without an id."""

    session_id: str | None
    person: Person | None
    user_name: str | None
    use_case: str | None
    channel: str
    environment: str | None
    is_synthetic: bool
    started_ms: int
    calls: tuple[Call, ...] = field(default=())

    @property
    def is_production(self) -> bool:
        """True for real traffic of real users."""
        return self.environment in (None, "production") and not self.is_synthetic

    @property
    def ended_ms(self) -> int:
        """The last moment anything is known of."""
        return max(call.ended_ms or call.started_ms for call in self.calls)


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work somebody tried to get done."""

    task_id: str
    session: Session | None
    use_case: str | None
    intent: str
    started_ms: int
    ended_ms: int | None
    outcome: str
    outcome_source: str
    baseline_minutes: str | None


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement about an answer: in words, or as a number with an empty label."""

    score_id: str
    target_id: str
    use_case: str | None
    metric: str
    label: str
    evaluator_kind: str
    evaluator_id: str
    created_ms: int
    target_type: str = "trace"
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact with customer support, as its last version stands."""

    contact_id: int
    requester: int | None
    topic: str
    channel: str
    created_ms: int
    is_eligible: bool
    ai_involved: bool
    ai_claimed: bool
    reply_minutes: int | None
    solved_ms: int | None
    reopens: int | None
    updated_ms: int
    rating: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a survey or a rating prompt."""

    feedback_id: str
    respondent: str | None
    kind: str
    score: int | None
    scale_max: int
    channel: str
    variant: str | None
    responded_ms: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment of a service."""

    deployment_id: str
    service: str
    change_type: str
    environment: str
    started_ms: int
    finished_ms: int | None
    result: str
    rollback_of: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `impact_ms` is when users began to be hit, if anybody found out, `regime` the law it broke."""

    incident_id: str
    number: int
    service: str
    severity: str
    impact_ms: int | None
    detected_ms: int
    acknowledged_ms: int
    resolved_ms: int | None
    state: str
    is_auto_resolved: bool
    caused_by: str | None
    category: str = "outage"
    regime: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Requests of a service in a window of four hours."""

    service: str
    started_ms: int
    good: int
    valid: int
    in_maintenance: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a person at a course."""

    person: Person
    course: str
    attempt: int
    is_required: bool
    assigned: date
    completed: date | None
    status: str
    score: int | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Price:
    """What one token of a class costs, in millionths of a millionth of a dollar."""

    provider: str
    model: str
    token_class: str
    valid_from: date
    valid_to: date | None
    pico_usd: int
