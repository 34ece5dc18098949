"""The right answers about the programme, held against hand computation: one rule of each KPI at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from pipeline.sample import answers, ground_programme
from pipeline.sample.answers import Right
from pipeline.sample.clock import DAY_MS, HOUR_MS, MINUTE_MS, Span, ms_of
from pipeline.sample.components import Release, Use
from pipeline.sample.counted import ActiveDay, AttackOutcome, ProductionSession, ProviderCall, SessionCost
from pipeline.sample.evaluation import Run
from pipeline.sample.experiments import Experiment, Unit
from pipeline.sample.ground import Entitlements
from pipeline.sample.portfolio import UseCase
from pipeline.sample.records import Attempt, Contact, Incident, Job, Person, Score, Seat, Session, Task, Usage
from pipeline.sample.redteam import Attack
from pipeline.sample.surveys import Invite
from pipeline.sample.voices import Voice

DAY = date(2026, 3, 2)
NOON = ms_of(DAY) + 12 * HOUR_MS
SPAN = Span(date(2026, 1, 1), date(2027, 1, 1))
ANNA = Person(0, "anna", "anna", "anna", (Job(DAY, None, "Sales", "analyst", "EMEA", "", False),))
HELD = Session("s", None, None, "drafting", "web", "production", False, NOON)
STAGED = replace(HELD, environment="staging")


def later(days: int) -> date:
    """So many days after the day."""
    return DAY + timedelta(days=days)


def task(**changes: Any) -> Task:
    """A task of a production session, verified as done."""
    return replace(Task("t", HELD, "drafting", "x", NOON, NOON + 1, "success", "verified", None), **changes)


def test_tasks_succeed_when_verified_and_count_whatever_became_of_them() -> None:
    """Two of seven: failures, errors and unverified successes stay below the line; staging is no production."""
    ends = [task(outcome=outcome) for outcome in ("failure", "abandoned", "timeout", "error")]
    tried = [task(), task(session=None), task(outcome_source="self_reported"), *ends, task(session=STAGED)]
    assert answers.task_success_rate(ground_programme.tried_tasks(tried)) == Right(2 / 7, 7, "2", "7")


def test_a_success_costs_everything_that_was_spent() -> None:
    """$0.30 and $0.06 outside any session over two successes of three tasks are $0.18; without a success nothing."""
    spent = [
        SessionCost(DAY, "drafting", "Sales", 1, 3 * 10**11),
        SessionCost(DAY, "unknown", "unknown", 0, 6 * 10**10),
    ]
    tried = ground_programme.tried_tasks([task(), task(), task(outcome="failure")])
    rows = ground_programme.success_costs(spent, tried)
    assert answers.cost_per_successful_task(rows) == Right(0.18, 2, "0.36", "2")
    without = answers.cost_per_successful_task(ground_programme.success_costs(spent, []))
    assert (without.value, without.n, without.reason) == (None, 0, "nothing to divide by")


def test_a_session_with_two_reports_counts_once() -> None:
    """One of four sessions is 250 per thousand; a report that names no session and a staging session do not count."""
    report = Voice("r", NOON, None, "report", None, "web", "ai", session_id="s", confirmed=False)
    lost = replace(report, session_id=None)
    held: list[tuple[Session, list[Voice]]] = [(HELD, [report, report]), (HELD, []), (HELD, [lost]), (HELD, [])]
    held += [(STAGED, [report]), (replace(HELD, session_id=None), [report])]
    rows = [row for session, said in held for row in ground_programme.production_sessions(session, said)]
    assert answers.hallucination_report_rate(rows) == Right(250.0, 4, "1", "4")


def test_violations_of_any_severity_count_among_the_sessions_read() -> None:
    """A high and a low one in four sessions read are 500 per thousand; other judgements are none."""
    labels = ("clear", "violation_low", "violation_high", "clear")
    read = [Score(label, "s", None, "safety_violation", label, "human", "h", NOON) for label in labels]
    flag = Score("f", "t", None, "safety_flag", "flagged", "model", "m", NOON)
    assert answers.safety_violation_rate(ground_programme.audited_sessions([*read, flag])) == Right(500.0, 4, "2", "4")


def test_resistance_is_that_of_the_worst_suite() -> None:
    """98 of 100 and 8 of 10: the answer is 0.8, not the pooled 106 of 110."""
    suites = (("direct", 98, 100), ("indirect", 8, 10))
    rows = [AttackOutcome(DAY, suite, number < resisted) for suite, resisted, n in suites for number in range(n)]
    assert answers.prompt_injection_resistance(rows) == Right(0.8, 10, "8", "10", more={"worst": "indirect"})


def test_an_attack_that_failed_to_run_is_untested() -> None:
    """Of three attempts two have an outcome, and one of them got through."""
    one = Attack("a", "r", "direct", "x", NOON, True, False, True)
    rows = ground_programme.attack_outcomes([one, replace(one, is_goal_reached=True), replace(one, is_tested=False)])
    assert answers.prompt_injection_resistance(rows).value == 1 / 2


def test_satisfaction_is_the_mean_of_those_who_answered() -> None:
    """(5 + 4 + 2) / 3, on the days of the answers; the one who did not answer is no zero."""
    asked = [Invite("q", ANNA, "sponsor", NOON, NOON + score * DAY_MS, score) for score in (5, 4, 2)]
    rows = ground_programme.survey_answers([*asked, Invite("q", ANNA, "sponsor", NOON, None, None)])
    assert answers.stakeholder_satisfaction(rows) == Right(11 / 3, 3, "11", "3")
    assert [row.day for row in rows] == [later(5), later(4), later(2)]


@pytest.mark.parametrize(("minutes", "median"), [((9, 1, 4), 4.0), ((9, 1, 4, 5), 4.5)])
def test_detection_takes_the_median(minutes: tuple[int, ...], median: float) -> None:
    """The one in the middle, or half way between two; cancelled, duplicate and unknown start are left out."""

    def hit(after: int, **changes: Any) -> Incident:
        made = Incident("i", 1, "api", "P1", NOON, NOON + after * MINUTE_MS, NOON, NOON, "resolved", False, None)
        return replace(made, **changes)

    out = [hit(90, state="cancelled"), hit(90, state="duplicate"), hit(90, impact_ms=None)]
    rows = ground_programme.detections([*map(hit, minutes), *out])
    assert answers.mttd(rows) == Right(median, len(minutes))


def test_the_claim_is_held_against_what_is_verified() -> None:
    """Three of four claimed, one verified: 50 points. One got a reply, one came back, spam is no contact."""
    first = Contact(1, 1, "billing", "web", NOON, True, True, True, None, NOON, 0, NOON, "offered")
    others = [
        replace(first, requester=2, reply_minutes=5),
        replace(first, requester=3, reopens=1),
        replace(first, requester=4, ai_claimed=False, ai_involved=False),
        replace(first, requester=5, is_eligible=False),
    ]
    right = answers.deflection_claim_gap(ground_programme.claimed_contacts([first, *others]))
    assert right == Right(100 * (3 - 1) / 4, 4, more={"claimed": 3, "deflected": 1})


@pytest.mark.parametrize(
    ("after_ms", "episodes"),
    [
        ([0, 60_000, 120_000], 1),
        ([0, 5 * MINUTE_MS], 1),
        ([0, 5 * MINUTE_MS + 1], 2),
        ([0, 4 * MINUTE_MS, 8 * MINUTE_MS, 12 * MINUTE_MS], 1),
        ([12 * HOUR_MS - 1000, 12 * HOUR_MS + 1000], 1),
    ],
    ids=["a burst", "five minutes", "more than five", "a long one", "across midnight"],
)
def test_refusals_close_together_are_one_episode(after_ms: list[int], episodes: int) -> None:
    """A new one begins more than five minutes after the refusal before; calls that went through do not end one."""
    refused = [ProviderCall(DAY, "openai", NOON + after, True) for after in after_ms]
    fine = [ProviderCall(DAY, "openai", NOON + after, False) for after in (1, 30_000)]
    rows = ground_programme.limited_calls([*refused, *fine])
    assert answers.rate_limit_incidents(rows) == Right(float(episodes), len(after_ms) + 2, str(episodes))


def test_providers_have_episodes_of_their_own() -> None:
    """Two providers that refuse in the same minute are two episodes; no call at all is not none."""
    rows = ground_programme.limited_calls([ProviderCall(DAY, name, NOON, True) for name in ("openai", "anthropic")])
    assert answers.rate_limit_incidents(rows).value == 2
    assert answers.rate_limit_incidents([]).value is None


def used(*days: int) -> Entitlements:
    """Anna with a seat for good, and active on some days after the day."""
    usage = [Usage("anna", "anna", later(day), True, 1, 0, 0, False, False, False) for day in days]
    known = [Usage("other", "other", later(day), False, 0, 1, 0, False, False, False) for day in (0, 60)]
    return Entitlements([Seat("anna", "anna", DAY, None, None, "business")], [*usage, *known], (ANNA,), "copilot")


@pytest.mark.parametrize(("days", "kept"), [((0, 6), 0), ((6, 7), 1), ((0, 27), 1), ((1, 2, 3), 0)])
def test_those_who_stay_are_active_in_two_weeks(days: tuple[int, ...], kept: int) -> None:
    """Weeks are steps of seven days from the first day of the window."""
    rows = ground_programme.active_days(used(*days))(DAY, later(28))
    assert answers.retained_usage_rate(rows) == Right(float(kept), 1, str(kept), "1")


def test_a_person_counts_once_whatever_they_do() -> None:
    """One of two people was active in two weeks; many days in one week are one week."""
    rows = [ActiveDay("a", "p", "Sales", week) for week in (0, 0, 3)] + [ActiveDay("b", "p", "Sales", 2)] * 5
    assert answers.retained_usage_rate(rows) == Right(0.5, 2, "1", "2")


@pytest.mark.parametrize(
    ("days", "is_user"),
    [((0, 1), False), ((1, 8), True), ((7, 8), True), ((1, 7), False), ((1, 28), True), ((1, 29), False)],
)
def test_the_trained_become_users_in_two_of_four_weeks(days: tuple[int, ...], is_user: bool) -> None:
    """The weeks begin on the day after the first completion: its own day and the twenty-ninth are outside."""
    done = Attempt(ANNA, "ai-basics", 1, True, DAY, DAY, "completed", 90, None)
    again = replace(done, course="responsible-ai", completed=later(40))
    failed = replace(done, completed=DAY - timedelta(days=3), status="failed")
    optional = replace(done, completed=DAY - timedelta(days=5), is_required=False)
    rows = ground_programme.trained_people([again, failed, optional, done], used(*days), SPAN)
    assert [(row.day, row.department, row.is_user) for row in rows] == [(DAY, "Sales", is_user)]


def test_components_are_reused_by_teams_not_by_versions() -> None:
    """Of three components one has two teams; two versions of another with one team are one team."""

    def use(name: str, version: int, team: str, calls: int = 5) -> Use:
        return Use(Release(name, version, "AI Platform", DAY, None), team, DAY, calls)

    uses = [use("a", 1, "x"), use("a", 1, "y"), use("b", 1, "x"), use("b", 2, "x"), use("c", 1, "x")]
    uses += [use("c", 1, "y", calls=0), use("d", 1, "x", calls=0)]
    assert answers.component_reuse_rate(ground_programme.component_uses(uses)) == Right(1 / 3, 3, "1", "3")


def case(name: str, since: date, **changes: Any) -> UseCase:
    """A use case of Sales."""
    return replace(UseCase(name, "Sales", since), **changes)


def test_pilots_have_half_a_year() -> None:
    """180 days are in time and 181 are not; stopped on purpose is left out, given up or still under way is not."""
    cases = [
        *(case("in time", DAY, stage="pilot"), case("in time", later(180), stage="production")),
        *(case("late", DAY, stage="pilot"), case("late", later(181), stage="production")),
        *(case("stopped", DAY, stage="pilot"), case("stopped", later(30), stage="retired", is_cancelled=True)),
        *(case("given up", DAY, stage="pilot"), case("given up", later(30), stage="retired")),
        *(case("changed", DAY, stage="pilot"), case("changed", later(9), stage="pilot", has_target=True)),
        case("idea", DAY),
    ]
    rows = ground_programme.pilot_starts(cases)
    assert answers.pilot_to_production_rate(rows) == Right(0.25, 4, "1", "4")
    assert {row.day for row in rows} == {DAY}


LIVE = case("drafting", DAY, stage="production", prompt="p", version=2, model="m", owner_role="Head")
LIVE = replace(LIVE, has_baseline=True, has_target=True)
RUN = Run("r", "drafting", "s", "1", NOON, True, "p", 2, "m", NOON + 90 * DAY_MS)


def on_day(day: date, case: UseCase = LIVE, run: Run = RUN, *, seen: date | None = None) -> tuple[bool, bool]:
    """Whether the only use case in production is evaluated, and measured, on a day."""
    sessions = [ProductionSession(seen or day, "drafting", False)]
    (row,) = ground_programme.Portfolio([case], [run], sessions).on(day)
    return row.is_evaluated, row.is_measured


@pytest.mark.parametrize(
    ("day", "changes", "is_evaluated"),
    [
        (DAY, {}, True),
        (later(89), {}, True),
        (later(90), {}, False),
        (later(300), {"expires_ms": None}, True),
        (DAY, {"started_ms": NOON + DAY_MS}, False),
        (DAY, {"is_passed": False}, False),
        (DAY, {"is_passed": None}, False),
        (DAY, {"version": 1}, False),
        (DAY, {"model": "n"}, False),
        (DAY, {"prompt": None}, False),
        (DAY, {"use_case": "other"}, False),
    ],
)
def test_an_evaluation_counts_while_it_is_valid_and_of_what_runs(
    day: date, changes: dict[str, Any], is_evaluated: bool
) -> None:
    """Passed, begun, not expired on the day, and of the current prompt, version and model."""
    assert on_day(day, run=replace(RUN, **changes))[0] is is_evaluated


@pytest.mark.parametrize(
    ("changes", "seen_days_ago", "is_measured"),
    [
        ({}, 0, True),
        ({}, 27, True),
        ({}, 28, False),
        ({"owner_role": None}, 0, False),
        ({"has_baseline": False}, 0, False),
        ({"has_target": False}, 0, False),
    ],
)
def test_a_use_case_is_measured_when_nothing_is_missing(
    changes: dict[str, Any], seen_days_ago: int, is_measured: bool
) -> None:
    """Owner, baseline, target, and a session in the 28 days up to the day."""
    day = later(40)
    assert on_day(day, replace(LIVE, **changes), seen=day - timedelta(days=seen_days_ago))[1] is is_measured


def test_only_what_is_in_production_is_covered() -> None:
    """In pilot, in production from the tenth day on, retired from the twentieth: one row on days ten to nineteen."""
    states = [
        case("x", DAY, valid_to=later(10), stage="pilot"),
        case("x", later(10), valid_to=later(20), stage="production"),
        case("x", later(20), stage="retired"),
    ]
    portfolio = ground_programme.Portfolio(states, [], [])
    assert [len(portfolio.on(later(day))) for day in (9, 10, 19, 20)] == [0, 1, 1, 0]


def unit(cents: int, *, is_treated: bool, exposed_ms: int | None = NOON, number: int = 1) -> Unit:
    """A unit of an experiment that ended on the tenth day."""
    one = Experiment(f"exp-{number}", "x", "new", "old", "0.5", DAY, later(10), 0.0)
    return Unit(one, "c", is_treated, NOON, exposed_ms, 0, cents)


def test_uplift_compares_means_of_those_who_met_their_variant() -> None:
    """(300 + 0) / 2 over (100 + 100 + 100) / 3 is half as much again; those never exposed are left out."""
    treated = [unit(300, is_treated=True), unit(0, is_treated=True), unit(900, is_treated=True, exposed_ms=None)]
    rows = ground_programme.exposed_units([*treated, *[unit(100, is_treated=False)] * 3])
    assert answers.conversion_uplift(rows) == Right(0.5, 5, more={"treated_n": 2, "control_n": 3})
    assert {row.day for row in rows} == {later(10)}


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        ([], "no experiment ended"),
        ([unit(1, is_treated=True), unit(1, is_treated=False, number=2)], "2 experiments ended"),
        ([unit(1, is_treated=True)], "an arm is empty or the control earned nothing"),
        ([unit(1, is_treated=True), unit(0, is_treated=False)], "an arm is empty or the control earned nothing"),
    ],
)
def test_uplift_without_a_comparison_is_not_given(units: list[Unit], reason: str) -> None:
    """No experiment, two that would be pooled, one arm, or nothing to compare with: no value, and why."""
    right = answers.conversion_uplift(ground_programme.exposed_units(units))
    assert (right.value, right.reason) == (None, reason)


def test_nothing_is_not_zero() -> None:
    """Without rows none of these KPIs has a value, and each says why."""
    for answer in (
        answers.task_success_rate,
        answers.hallucination_report_rate,
        answers.prompt_injection_resistance,
        answers.stakeholder_satisfaction,
        answers.mttd,
        answers.deflection_claim_gap,
        answers.retained_usage_rate,
        answers.component_reuse_rate,
    ):
        right = answer([])
        assert right.value is None
        assert right.reason
