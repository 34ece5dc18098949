"""The right answers of the sample, held against hand computation and published reference numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from pipeline.sample import answers, counted, ground
from pipeline.sample.clock import DAY_MS, HOUR_MS, MINUTE_MS, Span, ms_of
from pipeline.sample.prices import Tariff, list_prices, price_book, usd
from pipeline.sample.records import (
    Answer,
    Attempt,
    Call,
    Contact,
    Deployment,
    Incident,
    Job,
    Person,
    Score,
    Seat,
    Session,
    Task,
    Tokens,
    Usage,
    Window,
)

DAY = date(2026, 3, 2)
NOON = ms_of(DAY) + 12 * HOUR_MS
SPAN = Span(date(2026, 1, 1), date(2027, 1, 1))


def person(name: str, *, department: str = "Sales", since: date = DAY, until: date | None = None) -> Person:
    """A person with one job."""
    return Person(0, name, name, f"{name}-login", (Job(since, until, department, "analyst", "EMEA", "", False),))


def call(kind: str = "model", **changes: object) -> Call:
    """A call of 1000 + 100 tokens to gpt-4.1 at noon that takes a second."""
    made = Call("c", "t", kind, "answer", NOON, NOON + 1000, provider="openai", model="gpt-4.1")
    return replace(replace(made, tokens=Tokens(in_uncached=1000, out=100)), **changes)  # type: ignore[arg-type]


def session(*calls: Call, **changes: object) -> Session:
    """A production session of nobody known."""
    made = Session("s", None, None, "drafting", "web", "production", False, NOON, calls)
    return replace(made, **changes)  # type: ignore[arg-type]


def traffic(*sessions: Session) -> ground.Traffic:
    """What counts of the sessions, at list prices and the price book of 2026."""
    made = ground.Traffic(Tariff([*list_prices(), *price_book(SPAN)]), SPAN.months()[-1])
    for one in sessions:
        made.add(one)
    return made


def test_the_median_time_to_recovery_is_that_of_the_reference_case() -> None:
    """Resolved after 0.5, 1, 1.5, 2, 3 h and open for 30, 48, 72 h: 2.0 h, not the 1.6 h of the resolved ones."""
    over = [(Fraction(half, 2), True) for half in (1, 2, 3, 4, 6)]
    still = [(Fraction(hours), False) for hours in (30, 48, 72)]
    rows = [counted.Outage(DAY, "P1", "api", hours, is_over) for hours, is_over in over + still]
    assert answers.mttr(rows).value == 2.0


def test_a_median_that_fewer_than_half_reached_is_not_given() -> None:
    """One of three recovered: 2/3 are left, and nobody knows when half will be."""
    hours = [(Fraction(1), True), (Fraction(5), False), (Fraction(6), False)]
    right = answers.mttr([counted.Outage(DAY, "P1", "api", long, is_over) for long, is_over in hours])
    assert right.value is None
    assert right.reason == "fewer than half recovered"
    assert right.n == 3


def test_incidents_that_do_not_count_and_open_ones() -> None:
    """Cancelled, duplicate and unknown start are left out; an open one lasts until the end of the data."""
    ended = ms_of(SPAN.end)
    one = Incident("i", 1, "api", "P1", ended - 3 * HOUR_MS, ended, ended, None, "open", False, None)
    others = [replace(one, state="cancelled"), replace(one, state="duplicate"), replace(one, impact_ms=None)]
    rows = ground.outages([one, *others], SPAN)
    assert [(row.hours, row.is_over) for row in rows] == [(3, False)]


def test_percentiles_interpolate_between_neighbours() -> None:
    """Of 1, 2, 3, 4, 5 s the 95th percentile lies 0.8 of the way from 4 to 5: 0.95 * 4 = 3.8."""
    rows = [counted.Request(DAY, "u", "p", "m", seconds * 10**6) for seconds in (5, 3, 1, 2, 4)]
    unknown = counted.Request(DAY, "u", "p", "m", None)
    assert answers.p95_latency([*rows, unknown]) == answers.Right(4.8, 5)


def test_only_requests_that_somebody_awaits_count() -> None:
    """Children, batches, evaluations and other kinds are no requests; failures and timeouts are."""
    out = [
        call(parent_id="root"),
        call(is_batch=True, purpose="batch"),
        call(purpose="evaluation"),
        call(kind="tool"),
        call(kind="retrieval"),
    ]
    counted = [call(), call(kind="request"), call(status="timeout"), call(status="error", purpose="user")]
    assert len(traffic(session(*out, *counted)).requests) == 4


def test_a_session_costs_all_its_calls_at_the_price_of_their_day() -> None:
    """gpt-4.1 costs $2 and $8 a million at first and a fifth less from July 2026; a cache hit costs nothing."""
    later = ms_of(date(2026, 7, 1)) - NOON
    calls = [
        call(),
        call(status="error", retry_of="c"),
        call(kind="judge"),
        call(is_cache_hit=True),
        call(started_ms=NOON + later, ended_ms=NOON + later),
    ]
    first = (1000 * Decimal(2) + 100 * Decimal(8)) / 10**6
    expected = 3 * first + first * Decimal("0.8")
    right = answers.token_cost_per_session(traffic(session(*calls)).session_costs)
    assert right.numerator == f"{expected:f}" == "0.01064"
    assert (right.denominator, right.n, right.value) == ("1", 1, 0.01064)


def test_calls_outside_any_session_add_cost_only() -> None:
    """One session and one loose call: twice the cost over one session; staging and synthetic traffic add nothing."""
    loose = session(call(), session_id=None)
    ignored = [session(call(), environment="staging"), session(call(), is_synthetic=True)]
    right = answers.token_cost_per_session(traffic(session(call()), loose, *ignored).session_costs)
    assert (right.numerator, right.denominator) == ("0.0056", "1")


def test_each_class_of_tokens_has_its_own_price() -> None:
    """Claude: 100 in, 200 read, 300 and 400 written, 500 out at $3, $0.30, $3.75, $6, $15 a million."""
    tariff = Tariff(list_prices())
    cost = tariff.cost_of("anthropic", "claude-sonnet-4-5", Tokens(100, 200, 300, 400, 500), DAY)
    assert cost is not None
    assert usd(cost) == "0.011385"  # 0.0003 + 0.00006 + 0.001125 + 0.0024 + 0.0075


def test_tokens_without_a_price_have_no_cost() -> None:
    """OpenAI has no price for writing the cache: unknown, not zero."""
    assert Tariff(list_prices()).cost_of("openai", "gpt-4.1", Tokens(cache_write_5m=1), DAY) is None


def test_tool_calls_that_were_cancelled_do_not_count() -> None:
    """Of three that count, a timeout and an HTTP 200 with an error in its body are errors."""
    calls = [
        call(kind="tool"),
        call(kind="tool", status="timeout"),
        call(kind="tool", status="error", is_error_in_body=True),
        call(kind="tool", status="cancelled"),
    ]
    assert answers.tool_error_rate(traffic(session(*calls)).tool_calls) == answers.Right(2 / 3, 3, "2", "3")


def contact(number: int, after_days: float = 0, **changes: object) -> Contact:
    """A contact of customer 1 about billing that the assistant settled."""
    at = NOON + int(after_days * DAY_MS)
    made = Contact(number, 1, "billing", "web", at, True, True, True, None, at, 0, at, "offered")
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("second", "settled"),
    [
        (contact(2, 7), 1),
        (contact(2, 7.001), 2),
        (contact(2, 1, topic="returns"), 2),
        (contact(2, 1, requester=2), 2),
        (contact(2, 1, is_eligible=False), 1),
    ],
    ids=["came back on the seventh day", "after it", "on another topic", "somebody else", "with spam"],
)
def test_a_contact_that_comes_back_was_not_deflected(second: Contact, settled: int) -> None:
    """Seven days, the same person, the same topic, an eligible contact: else the first stays settled."""
    right = answers.deflection_rate(ground.support_contacts([contact(1), second]))
    assert right.numerator == str(settled)
    assert right.denominator == ("1" if not second.is_eligible else "2")


def test_replies_reopenings_and_unknown_people_are_not_deflected() -> None:
    """Of five contacts only the plain one and the one with unknown reopenings were settled."""
    others = [contact(1, reply_minutes=4), contact(2, reopens=1), contact(3, ai_involved=False)]
    others += [contact(4, requester=None), contact(5, requester=5, reopens=None), contact(6, requester=6)]
    apart = [replace(one, topic=f"topic {number}") for number, one in enumerate(others)]
    right = answers.deflection_rate(ground.support_contacts(apart))
    assert (right.numerator, right.denominator) == ("2", "6")


def test_adoption_counts_people_once_and_only_the_entitled() -> None:
    """Two of three people were active; the robot, the leaver and the one without a seat do not count."""
    second = date(2026, 3, 3)
    staff = (
        person("anna"),
        person("leaver", until=DAY),
        Person(9, "robot", "robot", "robot", person("x").jobs, True),
        person("seatless"),
    )
    seats = [Seat(name, name, DAY, None, None, "business") for name in ("anna", "leaver", "robot", "ext-1", "ext-2")]
    used = [("anna", DAY), ("anna", second), ("ext-1", second), ("robot", DAY), ("leaver", DAY), ("seatless", DAY)]
    usage = [Usage(name, name, day, True, 1, 0, 0, False, False, False) for name, day in used]
    idle = Usage("ext-2", "ext-2", DAY, False, 0, 9, 0, False, False, False)
    entitled = ground.Entitlements(seats, [*usage, idle], staff, "copilot")
    rows = [*entitled.on(DAY), *entitled.on(second)]
    assert answers.adoption_rate(rows) == answers.Right(2 / 3, 3, "2", "3")
    assert {row.department for row in rows if row.person.startswith("ext")} == {"unknown"}


def test_people_are_trained_while_every_required_completion_is_valid() -> None:
    """Of four on the roster one holds both courses; lapsed, half done and never asked are not; exempt is left out."""
    staff = tuple(person(name) for name in ("both", "lapsed", "half", "new", "exempt"))
    by_name = {one.email: one for one in staff}

    def done(name: str, course: str, until: date | None = None) -> Attempt:
        return Attempt(by_name[name], course, 1, True, DAY, DAY, "completed", 90, until)

    open_ended = Attempt(by_name["half"], "b", 1, True, DAY, None, "assigned", None, None)
    tried = [done("both", "a"), done("both", "b"), done("lapsed", "a", until=DAY), done("half", "a"), open_ended]
    exempt = Attempt(by_name["exempt"], "a", 1, True, DAY, None, "exempt", None, None)
    rows = ground.Roster([*tried, exempt], staff).on(DAY)
    assert answers.trained_share(rows) == answers.Right(0.25, 4, "1", "4")
    assert [row.person for row in rows if row.is_trained] == ["both"]


def test_satisfaction_takes_the_first_answer_of_each_person_in_each_arm() -> None:
    """With AI 1 of 2, without 1 of 3: 50 - 33.3 points; second answers, other questions and gaps are left out."""

    def answer(number: int, who: str | None, arm: str | None, score: int | None, **changes: object) -> Answer:
        made = Answer(f"f{number}", who, "csat", score, 5, "web", arm, NOON + number)
        return replace(made, **changes)  # type: ignore[arg-type]

    given = [
        answer(1, "a", "ai", 4),
        answer(2, "a", "ai", 1),
        answer(3, "b", "ai", 3),
        answer(4, "a", "baseline", 5),
        answer(5, None, "baseline", 1),
        answer(6, None, "baseline", 2),
        answer(7, "c", None, 5),
        answer(8, "d", "ai", None),
        answer(9, "e", "ai", 5, kind="nps"),
    ]
    right = answers.csat_delta(ground.csat_answers(given[::-1]))
    assert right.more == {"treated_k": 1, "treated_n": 2, "control_k": 1, "control_n": 3}
    assert right.value == pytest.approx(100 * (1 / 2 - 1 / 3))


def test_deployments_fail_by_result_by_repair_and_by_incident() -> None:
    """Of five releases three failed; staging, cancelled and unfinished ones are no releases."""

    def one(name: str, **changes: object) -> Deployment:
        made = Deployment(name, "api", "code", "production", NOON, NOON + MINUTE_MS, "success")
        return replace(made, **changes)  # type: ignore[arg-type]

    deployed = [
        one("good"),
        one("bad", result="failed"),
        one("undone"),
        one("fix", rollback_of="undone"),
        one("blamed"),
    ]
    deployed += [one("s", environment="staging"), one("c", result="cancelled"), one("u", finished_ms=None)]
    hit = Incident("i", 1, "api", "P1", NOON, NOON, NOON, NOON, "resolved", False, "blamed")
    false_alarm = replace(hit, state="cancelled", caused_by="good")
    rows = ground.releases(deployed, [hit, false_alarm])
    assert answers.change_failure_rate(rows) == answers.Right(0.6, 5, "3", "5")


def test_availability_weighs_services_by_their_requests() -> None:
    """90 of 100 and 900 of 900 are 990 of 1000; maintenance does not count."""
    windows = [
        Window("a", NOON, 90, 100, False),
        Window("b", NOON, 900, 900, False),
        Window("a", NOON, 0, 500, True),
    ]
    assert answers.availability(ground.served_windows(windows)) == answers.Right(0.99, 1000, "990", "1000")


def test_hours_saved_subtract_slow_tasks_and_skip_what_nobody_verified() -> None:
    """(30 - 12) + (10 - 25) minutes are 0.05 h; each task is rounded to nine decimals by itself."""

    def task(minutes: int, baseline: str | None, **changes: object) -> Task:
        made = Task("t", session(), "drafting", "x", NOON, NOON + minutes * MINUTE_MS, "success", "verified", baseline)
        return replace(made, **changes)  # type: ignore[arg-type]

    counted = [task(12, "30"), task(25, "10")]
    skipped = [
        task(1, "30", outcome="failure"),
        task(1, "30", outcome_source="self_reported"),
        task(1, None),
        task(1, "30", session=session(environment="staging")),
        task(1, "30", ended_ms=None),
    ]
    rows = ground.verified_tasks([*counted, *skipped])
    assert answers.hours_saved(rows) == answers.Right(0.05, 2, "0.050000000")
    assert ground.verified_tasks([task(0, "1", session=None)])[0].hours_saved == Decimal("0.016666667")


def test_answers_without_claims_leave_the_denominator() -> None:
    """Of four judged answers three make claims, one of them wholly grounded."""
    labels = ("grounded", "partly_grounded", "ungrounded", "no_claims")
    judged = [Score(label, "t", None, "grounded", label, "model", "j", NOON) for label in labels]
    screened = [Score("x", "t", None, "safety_flag", label, "model", "j", NOON) for label in ("clear", "flagged")]
    rows = ground.evaluated_answers([*judged, *screened])
    corrected = (Fraction(1, 3) - Fraction(1, 5)) / Fraction(37, 50)
    assert answers.grounded_answer_rate(rows) == answers.Right(float(corrected), 3, "1", "3")
    people = [replace(score, evaluator_kind="human") for score in judged]
    assert answers.grounded_answer_rate(ground.evaluated_answers(people)) == answers.Right(1 / 3, 3, "1", "3")
    assert answers.flagged_output_rate(ground.screened_outputs([*judged, *screened])).value == 0.5


def test_nothing_is_not_zero() -> None:
    """Without rows no KPI has a value, and each says why."""
    for answer in (answers.availability, answers.mttr, answers.p95_latency, answers.csat_delta, answers.hours_saved):
        right = answer([])
        assert right.value is None
        assert right.reason
