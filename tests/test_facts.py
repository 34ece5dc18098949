"""Facts about traffic, answers and services: rows put into the tables, the rows that come out, the trap of each KPI."""

from __future__ import annotations

from collections.abc import Iterator

import facts_room
import pytest
from engine_room import fill
from facts_room import Con, at, rows_of, session

from pipeline.facts import load_facts, touched_days

held = pytest.fixture(scope="module")(facts_room.held)
STAGING, SYNTHETIC = {"environment": "staging"}, {"is_synthetic": True}


@pytest.fixture
def con(held: Con) -> Iterator[Con]:
    """A warehouse that is empty again after each test."""
    yield from facts_room.taken_back(held)


def test_a_task_counts_however_it_ended_and_succeeds_only_when_verified(con: Con) -> None:
    """Errors, abandoned tasks and felt successes stay below the line; staging and unverified use cases are left out."""
    fill(con, "identities", {"alias_id": "ann@work", "person_id": "ann"})
    fill(con, "sessions", session(1, person_id="ann@work"), session(2, **STAGING), session(3, **SYNTHETIC))
    task = {"started_at": at(2), "use_case_id": "search", "outcome": "success", "outcome_source": "verified"}
    fill(con, "tasks", task | {"task_id": "done", "session_id": "s1"})
    fill(con, "tasks", task | {"task_id": "felt", "session_id": "s1", "outcome_source": "self_reported"})
    fill(con, "tasks", task | {"task_id": "failed", "session_id": "s1", "outcome": "error", "outcome_source": None})
    fill(con, "tasks", task | {"task_id": "left", "outcome": None, "outcome_source": None})
    fill(con, "tasks", task | {"task_id": "staged", "session_id": "s2"}, task | {"task_id": "made", "session_id": "s3"})
    fill(con, "tasks", task | {"task_id": "other", "use_case_id": "draft", "outcome_source": "inferred"})
    found = rows_of(con, "started_tasks", "day, task_id, user_key, use_case, is_success")
    assert found == [
        ("2026-03-02", "done", "ann", "search", 1),
        ("2026-03-02", "failed", "ann", "search", 0),
        ("2026-03-02", "felt", "ann", "search", 0),
        ("2026-03-02", "left", "left", "search", 0),
    ]


def test_promoters_and_detractors_by_the_points_of_an_eleven_point_scale(con: Con) -> None:
    """9 and 10 are 1, 7 and 8 are 0, 0 to 6 are -1; another scale, another question or no arm is no answer."""
    answer = {"kind": "nps", "scale_max": 10, "variant": "ai", "responded_at": at(2), "person_id": "ann"}
    scores = {"a": 10, "b": 9, "c": 8, "d": 7, "e": 6, "f": 0}
    fill(con, "feedback", *(answer | {"feedback_id": name, "score": score} for name, score in scores.items()))
    fill(con, "feedback", answer | {"feedback_id": "off", "score": 11}, answer | {"feedback_id": "none"})
    fill(con, "feedback", answer | {"feedback_id": "five", "score": 5, "scale_max": 5})
    fill(con, "feedback", answer | {"feedback_id": "csat", "score": 9, "kind": "csat"})
    fill(con, "feedback", answer | {"feedback_id": "armless", "score": 9, "variant": None})
    found = rows_of(con, "nps_answers", "feedback_id, recommends, respondent, variant")
    assert found == [(name, value, "ann", "ai") for name, value in zip("abcdef", (1, 1, 0, 0, -1, -1), strict=True)]


def test_a_claim_stands_beside_what_was_verified(con: Con) -> None:
    """Claimed and come back is no deflection; unknown claims and days without any claim say nothing."""
    contact = {"created_at": at(2), "is_eligible": True, "ai_involved": True, "topic": "bill", "channel": "chat"}
    fill(con, "contacts", contact | {"contact_id": "settled", "requester_id": "p1", "ai_claimed_resolved": True})
    returned = contact | {"requester_id": "p2", "ai_claimed_resolved": True}
    fill(con, "contacts", returned | {"contact_id": "returned"})
    fill(con, "contacts", returned | {"contact_id": "again", "created_at": at(5), "ai_claimed_resolved": False})
    fill(con, "contacts", contact | {"contact_id": "unsaid", "requester_id": "p3"})
    fill(con, "contacts", contact | {"contact_id": "by hand", "requester_id": "p4", "ai_involved": False})
    fill(con, "contacts", contact | {"contact_id": "spam", "is_eligible": False, "ai_claimed_resolved": True})
    fill(con, "contacts", contact | {"contact_id": "silent day", "created_at": at(20), "ai_involved": False})
    found = rows_of(con, "claimed_contacts", "day, contact_id, is_claimed, is_deflected")
    assert found == [
        ("2026-03-02", "by hand", 0, 0),
        ("2026-03-02", "returned", 1, 0),
        ("2026-03-02", "settled", 1, 1),
        ("2026-03-05", "again", 0, 1),
    ]


def test_a_session_reported_twice_is_one_reported_session(con: Con) -> None:
    """Late and repeated reports belong to the day of the session; staging traffic is out."""
    fill(con, "sessions", session(1), session(2), session(3, **STAGING))
    report = {"kind": "report", "responded_at": at(4), "session_id": "s1"}
    fill(con, "feedback", report | {"feedback_id": "f1"}, report | {"feedback_id": "f2", "confirmed": True})
    fill(con, "feedback", report | {"feedback_id": "f3", "session_id": None})
    found = rows_of(con, "reportable_sessions", "day, session_key, is_reported, is_confirmed")
    assert found == [("2026-03-02", "s1", 1, 1), ("2026-03-02", "s2", 0, 0)]


def test_no_export_of_reports_is_not_no_report(con: Con) -> None:
    """Ratings alone do not show that reports would have reached us, and after a week of silence nobody knows."""
    fill(con, "sessions", session(1, 2), session(2, 9), session(3, 10))
    fill(con, "feedback", {"feedback_id": "f1", "kind": "thumb", "responded_at": at(2)})
    assert rows_of(con, "reportable_sessions", "day, session_key, is_reported") == []
    fill(con, "feedback", {"feedback_id": "f2", "kind": "report", "responded_at": at(2)})
    found = rows_of(con, "reportable_sessions", "day, session_key, is_reported")
    assert found == [("2026-03-02", "s1", 0), ("2026-03-09", "s2", 0)]  # 7 days after the last word; the 10th is 8


def test_a_violation_is_what_a_person_confirmed_last(con: Con) -> None:
    """A flag of a model is none; of two verdicts on a session the later counts, and the session once."""
    fill(con, "sessions", session(1), session(2), session(3, **SYNTHETIC), session(4))
    verdict = {"metric": "safety_violation", "target_type": "session", "evaluator_kind": "human"}
    fill(con, "scores", verdict | {"score_id": "1", "target_id": "s1", "label": "violation_high", "created_at": at(3)})
    fill(con, "scores", verdict | {"score_id": "2", "target_id": "s1", "label": "clear", "created_at": at(5)})
    fill(con, "scores", verdict | {"score_id": "3", "target_id": "s2", "label": "violation_low", "created_at": at(3)})
    fill(con, "scores", verdict | {"score_id": "4", "target_id": "s3", "label": "violation_low", "created_at": at(3)})
    flag = verdict | {"evaluator_kind": "model", "label": "violation_high"}
    fill(con, "scores", flag | {"score_id": "5", "target_id": "s4", "created_at": at(3)})
    fill(
        con, "scores", verdict | {"score_id": "6", "target_id": "lost", "label": "violation_high", "created_at": at(3)}
    )
    found = rows_of(con, "audited_sessions", "day, session_key, is_violation, is_severe")
    assert found == [("2026-03-02", "s1", 0, 0), ("2026-03-02", "s2", 1, 0), ("2026-03-03", "lost", 1, 1)]


def test_calls_are_those_of_who_held_the_session(con: Con) -> None:
    """A login is the person it belongs to; a call of no session, or of one nobody held, is whose it says it is."""
    fill(con, "identities", {"alias_id": "ann@work", "person_id": "ann"})
    fill(con, "sessions", session(1, person_id="ann@work"), session(2))
    call = {"started_at": at(2), "status": "ok", "tokens_in_uncached": 9, "tokens_cache_read": 0}
    whose = {"a": ("s1", "bob"), "b": ("s2", "bob"), "c": ("s2", None), "d": (None, "ann@work"), "e": (None, None)}
    for kind in ("model", "tool"):
        rows = [
            {"call_id": f"{kind} {name}", "session_id": one, "person_id": who} for name, (one, who) in whose.items()
        ]
        fill(con, "calls", *(call | row | {"kind": kind} for row in rows))
    for fact, kind in {"requests": "model", "provider_calls": "model", "cacheable_calls": "model",
                       "tool_calls": "tool"}.items():  # fmt: skip
        found = rows_of(con, fact, "call_id, session_key, person_id")
        assert [row[1:] for row in found if row[0].startswith(kind)] == [
            ("s1", "ann"), ("s2", "bob"), ("s2", None), (f"{kind} d", "ann"), (f"{kind} e", None),
        ], fact  # fmt: skip


def test_an_answer_that_was_judged_is_that_of_who_held_its_session(con: Con) -> None:
    """A score names a session, a task, a call or a trace, each with several calls; a test item is nobody's."""
    fill(con, "identities", {"alias_id": "ann@work", "person_id": "ann"})
    fill(con, "sessions", session(1, person_id="ann@work"), session(2))
    fill(con, "tasks", {"task_id": "t", "session_id": "s1", "started_at": at(1)})
    call = {"trace_id": "x", "started_at": at(1), "kind": "model", "status": "ok"}
    fill(con, "calls", call | {"call_id": "1", "session_id": "s1"}, call | {"call_id": "2", "session_id": "s1"})
    fill(con, "calls", call | {"call_id": "3", "trace_id": "y", "session_id": "s2", "person_id": "bob"})
    targets = {"a": ("session", "s1"), "b": ("task", "t"), "c": ("call", "2"), "d": ("trace", "x"), "e": ("trace", "y"),
               "f": ("trace", "lost"), "g": (None, "s1"), "h": ("item", "t"), "i": ("session", None)}  # fmt: skip
    for metric in ("grounded", "safety_flag"):
        row = {"metric": metric, "label": "clear", "created_at": at(2)}
        fill(con, "scores", *(row | {"score_id": f"{metric} {name}", "target_type": kind, "target_id": one}
                              for name, (kind, one) in targets.items()))  # fmt: skip
    for fact, metric in {"evaluated_answers": "grounded", "screened_outputs": "safety_flag"}.items():
        found = rows_of(con, fact, "score_id, session_key, person_id")
        assert [row[1:] for row in found] == [
            *[("s1", "ann")] * 4, ("s2", "bob"), ("lost", None), ("s1", None), (None, None), (f"{metric} i", None),
        ], fact  # fmt: skip


def test_a_verdict_is_told_in_words_or_as_a_number_and_nothing_is_no_verdict(con: Con) -> None:
    """Words count before the number; of a score with neither nobody knows whether it was grounded, or clear."""
    told = {"a": ("grounded", None), "b": ("flagged", None), "c": ("no_claims", None), "d": (None, 1), "e": (None, 0.5),
            "f": (None, None), "g": ("ungrounded", 1), "h": ("grounded", 0)}  # fmt: skip
    for metric in ("grounded", "safety_flag"):
        fill(con, "scores", *({"score_id": f"{metric[0]}{name}", "metric": metric, "label": label, "value": value,
                               "created_at": at(2)} for name, (label, value) in told.items()))  # fmt: skip
    answers = {row[0][1]: row[1:] for row in rows_of(con, "evaluated_answers", "score_id, has_claims, is_grounded")}
    assert answers == {"a": (1, 1), "b": (1, 0), "c": (0, 0), "d": (1, 1), "e": (1, 0), "f": (0, 0), "g": (1, 0),
                       "h": (1, 1)}  # fmt: skip
    outputs = {row[0][1]: row[1] for row in rows_of(con, "screened_outputs", "score_id, is_flagged")}
    assert outputs == {"a": 0, "b": 1, "c": 0, "d": 1, "e": 0, "g": 0, "h": 0}


@pytest.mark.parametrize(("table", "days"), [("calls", "56"), ("tasks", "4"), ("sessions", "3456")])
def test_who_was_judged_is_looked_up_again_where_it_may_have_changed(con: Con, table: str, days: str) -> None:
    """A session, a task, a call and a trace of it were judged on the 3rd to the 6th; one of another on the 7th."""
    targets = {3: ("session", "s1"), 4: ("task", "t1"), 5: ("call", "c1"), 6: ("trace", "x1"), 7: ("session", "s2")}
    judged = {"metric": "grounded", "label": "grounded"}
    fill(con, "scores", *(judged | {"score_id": f"{day}", "target_type": kind, "target_id": one, "created_at": at(day)}
                          for day, (kind, one) in targets.items()))  # fmt: skip
    held = {"calls": {"call_id": "c1", "trace_id": "x1", "kind": "model", "status": "ok"}, "tasks": {"task_id": "t1"},
            "sessions": {}}  # fmt: skip
    for name, row in held.items():
        fill(con, name, row | {"session_id": "s1", "started_at": at(1)})
    con.execute(f"UPDATE core.{table} SET _load_id = 2")
    for fact in ("evaluated_answers", "screened_outputs"):
        found = con.execute(touched_days(load_facts()[fact], since_load=2)).fetchall()
        assert sorted(day.day for (day,) in found) == [int(day) for day in days], fact


def test_an_attack_that_ended_in_an_error_tested_nothing(con: Con) -> None:
    """Neither resisted nor tested; a suite stands with its version, so that versions are not pooled."""
    fill(
        con,
        "evaluation_runs",
        {"run_id": "r", "suite": "tools", "suite_version": "v2", "started_at": at(2), "status": "completed"},
    )
    attempt = {"started_at": at(2), "suite": "tools", "status": "ok", "model": "m"}
    fill(
        con,
        "attack_attempts",
        attempt | {"attempt_id": "a", "run_id": "r", "goal_reached": False, "benign_task_ok": True},
    )
    fill(
        con,
        "attack_attempts",
        attempt | {"attempt_id": "b", "run_id": "r", "goal_reached": True, "benign_task_ok": False},
    )
    fill(con, "attack_attempts", attempt | {"attempt_id": "c", "status": "error"})
    fill(con, "attack_attempts", attempt | {"attempt_id": "d"})
    found = rows_of(con, "attack_attempts", "attempt_id, suite, is_tested, is_resisted, is_benign_done")
    assert found == [
        ("a", "tools v2", 1, 1, 1),
        ("b", "tools v2", 1, 0, 0),
        ("c", "tools", 0, 0, 0),
        ("d", "tools", 0, 0, 0),
    ]


def test_refusals_have_two_sides(con: Con) -> None:
    """To refuse what could be answered is as wrong as to answer what must be refused; other labels are no case."""
    labels = ("correct_answer", "correct_refusal", "missed_refusal", "over_refusal", "unclear", None)
    case = {"metric": "refusal", "created_at": at(2)}
    fill(con, "scores", *(case | {"score_id": str(number), "label": label} for number, label in enumerate(labels)))
    found = rows_of(con, "refusal_cases", "score_id, side, is_correct")
    assert found == [
        ("0", "should_answer", 1),
        ("1", "should_refuse", 1),
        ("2", "should_refuse", 0),
        ("3", "should_answer", 0),
    ]


def test_a_refused_call_counts_by_status_or_class_and_only_where_a_user_waits(con: Con) -> None:
    """HTTP 429 or the class of the error tells; batch, tests, staging and answers from a client's cache are out."""
    fill(con, "sessions", session(1, **STAGING))
    call = {"kind": "model", "provider": "one", "started_at": at(2), "status": "error"}
    told = {"a": {"http_status": 429}, "b": {"error_type": "RateLimitError"}, "c": {"error_type": "insufficient_quota"},
            "d": {"http_status": 500}, "e": {"status": "ok"}, "f": {"is_batch": True}, "g": {"purpose": "load_test"},
            "h": {"session_id": "s1"}, "i": {"kind": "judge"},
            "j": {"status": "ok", "response_cache_hit": True}}  # fmt: skip
    fill(con, "calls", *(call | {"call_id": name} | more for name, more in told.items()))
    found = rows_of(con, "provider_calls", "call_id, provider, is_rate_limited")
    assert found == [("a", "one", 1), ("b", "one", 1), ("c", "one", 1), ("d", "one", 0), ("e", "one", 0)]


def test_tokens_read_from_the_cache_are_input_once(con: Con) -> None:
    """100 + 40 + 10 + 5 = 155 of which 40 were read; a call that is silent about the cache read 0 where others tell."""
    price = {"tier_rule": "standard", "valid_from": "2026-01-01", "price": 1, "currency": "USD", "provider": "one"}
    fill(con, "prices", *(price | {"model": "big", "token_class": name} for name in ("in_uncached", "cache_read")))
    fill(con, "prices", price | {"model": "uncached", "token_class": "in_uncached"})
    call = {
        "kind": "model",
        "provider": "one",
        "model": "big",
        "started_at": at(2),
        "status": "ok",
        "tokens_in_uncached": 100,
    }
    full = {"tokens_cache_read": 40, "tokens_cache_write_5m": 10, "tokens_cache_write_1h": 5, "tokens_out": 7}
    fill(con, "calls", call | full | {"call_id": "read"}, call | {"call_id": "silent"})
    fill(con, "calls", call | {"call_id": "silent day", "started_at": at(3)})
    fill(con, "calls", call | {"call_id": "no cache", "model": "uncached", "tokens_cache_read": 0})
    fill(con, "calls", call | {"call_id": "priceless", "model": "new", "tokens_cache_read": 0})
    fill(con, "calls", call | full | {"call_id": "client", "response_cache_hit": True})
    fill(con, "calls", call | {"call_id": "uncounted", "tokens_in_uncached": None, "tokens_cache_read": 40})
    found = rows_of(con, "cacheable_calls", "day, call_id, tokens_in, tokens_cache_read")
    assert found == [
        ("2026-03-02", "priceless", 100, 0),
        ("2026-03-02", "read", 155, 40),
        ("2026-03-02", "silent", 100, 0),
    ]


def test_requests_say_when_they_came_and_whether_they_were_served(con: Con) -> None:
    """A cancelled request is no error, yet it was not served."""
    call = {"kind": "request", "started_at": at(2), "latency_s": 1.5}
    fill(
        con,
        "calls",
        *(call | {"call_id": status, "status": status} for status in ("cancelled", "error", "ok", "timeout")),
    )
    found = rows_of(con, "requests", "call_id, is_error, is_ok, CAST(started_at AS VARCHAR)")
    moment = "2026-03-02 09:00:00+00"
    assert found == [
        ("cancelled", 0, 0, moment),
        ("error", 1, 0, moment),
        ("ok", 0, 1, moment),
        ("timeout", 1, 0, moment),
    ]


def test_an_unknown_start_is_no_quick_detection(con: Con) -> None:
    """12 minutes of impact before anybody noticed; an unknown start gives none, and an early alarm takes no time."""
    incident = {"service": "api", "state": "resolved", "detected_at": at(2, 10), "severity": "high"}
    fill(con, "incidents", incident | {"incident_id": "a", "impact_start_at": "2026-03-02 09:48:00+00"})
    fill(con, "incidents", incident | {"incident_id": "b"})
    fill(con, "incidents", incident | {"incident_id": "c", "impact_start_at": at(2, 11)})
    fill(con, "incidents", incident | {"incident_id": "d", "impact_start_at": at(1), "detected_at": None})
    fill(con, "incidents", incident | {"incident_id": "e", "impact_start_at": at(2, 9), "state": "duplicate"})
    found = rows_of(con, "noticed_incidents", "day, incident_id, CAST(detection_minutes AS INTEGER)")
    assert found == [
        ("2026-03-01", "d", None),
        ("2026-03-02", "a", 12),
        ("2026-03-02", "b", None),
        ("2026-03-02", "c", 0),
    ]


def test_a_day_on_which_incidents_were_watched_for_knows_its_zero(con: Con) -> None:
    """31 days round an incident of any category count 0 or what began; without one nobody watched."""
    fill(con, "sessions", session(1, 1, started_at=at(1, month=1)), session(2, 1, started_at=at(30, month=6)))
    incident = {"service": "api", "impact_start_at": at(2), "severity": "high"}
    fill(con, "incidents", incident | {"incident_id": "a", "category": "outage", "state": "open"})
    fill(con, "incidents", incident | {"incident_id": "x", "state": "open", "impact_start_at": at(1, month=6)})
    span = "CAST(min(day) AS VARCHAR), CAST(max(day) AS VARCHAR), count(*), sum(incidents), any_value(regime)"
    nothing = con.execute(f"SELECT {span} FROM facts.compliance_days").fetchall()
    breach = incident | {"category": "compliance", "regime": "GDPR", "impact_start_at": None, "detected_at": at(9)}
    fill(
        con,
        "incidents",
        breach | {"incident_id": "b", "state": "open"},
        breach | {"incident_id": "c", "state": "cancelled"},
    )
    later = breach | {"regime": "EU AI Act", "detected_at": at(10), "severity": "low"}
    fill(con, "incidents", later | {"incident_id": "d", "state": "resolved"})
    found = con.execute(
        "SELECT CAST(day AS VARCHAR), regime, severity, incidents FROM facts.compliance_days "
        "WHERE day BETWEEN '2026-03-09' AND '2026-03-10' ORDER BY ALL"
    ).fetchall()
    assert nothing == [("2026-01-30", "2026-04-02", 63, 0, "none so far")]  # 2 March, 31 days either way
    assert found == [
        ("2026-03-09", "EU AI Act", "low", 0),
        ("2026-03-09", "GDPR", "high", 1),
        ("2026-03-10", "EU AI Act", "low", 1),
        ("2026-03-10", "GDPR", "high", 0),
    ]


def test_a_day_without_a_deployment_counts_none(con: Con) -> None:
    """Two on one day, none on the next; staging and cancelled ones do not count but show that the export is there."""
    one = {"service": "api", "change_type": "prompt", "result": "success"}
    for name, day, more in (("a", 2, {}), ("b", 2, {}), ("c", 3, STAGING), ("d", 4, {"result": "cancelled"})):
        fill(
            con, "deployments", one | {"deployment_id": name, "started_at": at(day), "finished_at": at(day, 10)} | more
        )
    found = rows_of(con, "deployment_days", "day, service, change_type, deployments")
    assert found == [(f"2026-03-0{day}", "api", "prompt", count) for day, count in ((2, 2), (3, 0), (4, 0))]
