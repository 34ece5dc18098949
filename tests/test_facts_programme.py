"""Facts about the programme: evaluation, surveys, portfolio, components, experiments, training; the trap of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import facts_room
import pytest
from engine_room import fill
from facts_room import Con, at, rows_of, session

held = pytest.fixture(scope="module")(facts_room.held)


@pytest.fixture
def con(held: Con) -> Iterator[Con]:
    """A warehouse that is empty again after each test."""
    yield from facts_room.taken_back(held)


def use_case(since: str, stage: str = "production", name: str = "search", **more: Any) -> dict[str, Any]:
    """A row of the portfolio."""
    return {"use_case_id": name, "valid_from": since, "stage": stage, "business_unit": "sales"} | more


def run(name: str, day: int = 2, **more: Any) -> dict[str, Any]:
    """A run of the evaluation harness on a day in March."""
    return {
        "run_id": name,
        "suite": "quality",
        "started_at": at(day),
        "status": "completed",
        "use_case_id": "search",
    } | more


def test_lists_are_held_against_their_own_judgements(con: Con) -> None:
    """Of two sets of judgements that of the run counts, so no document is there twice; d2 has no grade, d3 no score."""
    fill(con, "evaluation_runs", run("r1", suite_version="new"), run("r2", 3, suite_version="lost"))
    fill(con, "evaluation_runs", run("r3", 3, suite_version="new", status="error"))
    fill(
        con,
        "retrieval_results",
        *({"run_id": name, "query_id": "q", "doc_id": "d1", "score": 2} for name in ("r1", "r2", "r3")),
    )
    fill(con, "retrieval_results", {"run_id": "r1", "query_id": "q", "doc_id": "d2", "score": 1})
    grade = {"query_id": "q", "doc_id": "d1"}
    fill(con, "relevance_judgements", grade | {"judgement_version": "old", "grade": 0})
    fill(con, "relevance_judgements", grade | {"judgement_version": "new", "grade": 2})
    fill(con, "relevance_judgements", grade | {"judgement_version": "new", "grade": 1, "doc_id": "d3"})
    fill(con, "relevance_judgements", grade | {"judgement_version": "new", "grade": 1, "query_id": "unreturned"})
    found = rows_of(con, "retrieved_documents", "day, query_key, document, score, grade")
    assert found == [
        ("2026-03-02", "r1 q", "d1", 2.0, 2.0),
        ("2026-03-02", "r1 q", "d2", 1.0, None),
        ("2026-03-02", "r1 q", "d3", None, 1.0),
        ("2026-03-02", "r1 unreturned", "d1", None, 1.0),
    ]


def test_a_run_that_names_no_judgements_takes_the_only_ones(con: Con) -> None:
    """With two sets nobody knows which, so there is no list at all."""
    fill(con, "evaluation_runs", run("r1"))
    fill(con, "retrieval_results", {"run_id": "r1", "query_id": "q", "doc_id": "d1", "score": 2})
    fill(con, "relevance_judgements", {"query_id": "q", "doc_id": "d1", "judgement_version": "new", "grade": 1})
    assert rows_of(con, "retrieved_documents", "day, query_key, grade") == [("2026-03-02", "r1 q", 1.0)]
    fill(con, "relevance_judgements", {"query_id": "q", "doc_id": "d1", "judgement_version": "old", "grade": 1})
    assert rows_of(con, "retrieved_documents", "day, query_key, grade") == []


def test_a_prompt_that_is_not_live_is_open_and_one_nobody_asked_for_is_none(con: Con) -> None:
    """The open one has no end; a correction without a request is left out."""
    version = {"prompt_name": "answer", "requested_at": at(2)}
    fill(con, "prompt_versions", version | {"version": "1", "live_at": at(9)}, version | {"version": "2"})
    fill(con, "prompt_versions", version | {"version": "3", "requested_at": None, "live_at": at(9)})
    found = rows_of(con, "requested_prompts", "day, prompt_version, CAST(live_at AS VARCHAR)")
    assert found == [("2026-03-02", "answer 1", "2026-03-09 09:00:00+00"), ("2026-03-02", "answer 2", None)]


def test_an_answer_on_any_scale_and_an_invitation_without_one(con: Con) -> None:
    """10 of 10 is 5 and 5.5 of 10 is 1 + 4 x 4.5 / 9 = 3; two names of a person are one answer; 7 of 5 is none."""
    fill(con, "identities", {"alias_id": "ann@work", "person_id": "ann"})
    asked = {"survey_id": "q1", "invited_at": at(1), "answered_at": at(2), "scale_max": 10, "audience_role": "builder"}
    fill(con, "survey_invites", asked | {"person_id": "ann", "score": 10})
    fill(con, "survey_invites", asked | {"person_id": "ann@work", "score": 1, "answered_at": at(3)})
    fill(
        con,
        "survey_invites",
        asked | {"person_id": "bob", "score": 5.5},
        asked | {"person_id": "cem", "answered_at": None},
    )
    fill(con, "survey_invites", asked | {"person_id": "dan", "score": 7, "scale_max": 5})
    found = rows_of(con, "survey_answers", "day, respondent, CAST(answer_score AS DOUBLE)")
    assert found == [
        ("2026-03-01", "cem", None),
        ("2026-03-02", "ann", 5),
        ("2026-03-02", "bob", 3),
        ("2026-03-02", "dan", None),
    ]


def test_versions_are_one_component_and_no_call_is_no_use(con: Con) -> None:
    """Two versions called by one team are one use; a retired version is out; without calls there is no team."""
    use = {
        "component_id": "retriever",
        "version": "1",
        "owner_team": "core",
        "consumer_team": "shop",
        "used_on": "2026-03-02",
        "calls": 5,
    }
    fill(con, "components", use, use | {"version": "2"}, use | {"version": "3", "consumer_team": "web", "calls": None})
    fill(con, "components", use | {"consumer_team": "late", "retired_at": at(1)})
    fill(con, "components", use | {"component_id": "filter", "calls": 0})
    found = rows_of(con, "component_uses", "day, component, consumer_team")
    day = "2026-03-02"
    assert found == [(day, "filter", None), (day, "retriever", "shop"), (day, "retriever", "web")]


def test_a_pilot_has_180_days(con: Con) -> None:
    """In production on day 180 is in time and on day 181 is not; cancelled by then was not pursued, later was tried."""
    began = date(2026, 1, 1)
    after = {name: str(began + timedelta(days=days)) for name, days in (("in time", 180), ("late", 181))}
    names = ("in time", "late", "open", "stopped", "stopped late", "failed", "stopped after")
    fill(con, "use_cases", *(use_case(str(began), "pilot", name) for name in names))
    fill(con, "use_cases", use_case(after["in time"], name="in time"), use_case(after["late"], name="late"))
    stop = {"stage": "retired", "cancelled_on_purpose": True}
    fill(
        con,
        "use_cases",
        use_case("2026-03-01", name="stopped", **stop),
        use_case(after["late"], name="stopped late", **stop),
    )
    fill(con, "use_cases", use_case("2026-03-01", "retired", "failed"), use_case("2026-02-01", name="stopped after"))
    fill(
        con,
        "use_cases",
        use_case("2026-03-01", name="stopped after", **stop),
        use_case("2026-01-01", name="never piloted"),
    )
    fill(con, "use_cases", use_case("2026-09-01", "pilot", "planned"))
    fill(con, "sessions", session(1))  # the data end on 2 March, so that a pilot of September is a plan
    found = {
        name: (promoted, pursued)
        for name, promoted, pursued in rows_of(con, "pilots", "use_case, is_promoted, is_pursued")
    }
    assert found == {
        "in time": (1, 1), "late": (0, 1), "open": (0, 1), "failed": (0, 1),
        "stopped": (0, 0), "stopped late": (0, 1), "stopped after": (1, 1),
    }  # fmt: skip


def test_measured_needs_all_four_and_data_of_28_days(con: Con) -> None:
    """Data of 2 March are fresh until the 29th; staging sessions are none; who has lost its owner is not measured."""
    whole = {"owner_role": "head", "has_baseline": True, "has_target": True}
    fill(
        con,
        "use_cases",
        use_case("2026-01-01", **whole, valid_to="2026-03-20"),
        use_case("2026-03-20", has_target=True),
    )
    fill(
        con,
        "use_cases",
        use_case("2026-01-01", name="staged", **whole),
        use_case("2026-01-01", "pilot", "pilot", **whole),
    )
    fill(con, "use_cases", use_case("2026-01-01", name="worked", **whole))
    fill(con, "sessions", session(1), session(2, 30, use_case_id="staged", environment="staging"))
    fill(con, "sessions", session(3, 30, use_case_id="other"))
    fill(con, "tasks", {"task_id": "t", "started_at": at(2), "use_case_id": "worked"})
    columns = "day, use_case, has_owner, has_baseline, has_target, has_fresh_data, is_measured"
    found = {row[:2]: row[2:] for row in rows_of(con, "measured_use_cases", columns)}
    assert sorted({day for day, _ in found})[:1] == ["2026-03-02"]  # before the first session nothing could be told
    assert found["2026-03-02", "search"] == (1, 1, 1, 1, 1)
    assert found["2026-03-20", "search"] == (0, 0, 1, 1, 0)
    assert found["2026-03-29", "worked"] == (1, 1, 1, 1, 1)
    assert found["2026-03-30", "worked"] == (1, 1, 1, 0, 0)
    assert found["2026-03-30", "staged"] == (1, 1, 1, 0, 0)
    assert not [name for _, name in found if name == "pilot"]


def test_an_evaluation_counts_for_the_prompt_and_model_it_tested(con: Con) -> None:
    """Not before the run, not for the next prompt, not once it expired, not after a later run of the suite failed."""
    setup = {"prompt_name": "answer", "prompt_version": "1", "model": "small"}
    fill(con, "use_cases", use_case("2026-01-01", **setup, valid_to="2026-03-20"))
    fill(con, "use_cases", use_case("2026-03-20", **setup | {"prompt_version": "2"}))
    fill(con, "evaluation_runs", run("first", 1, suite="old", passed=False, **setup))
    fill(con, "evaluation_runs", run("passed", 4, passed=True, expires_at=at(8), **setup))
    fill(con, "evaluation_runs", run("broken", 5, status="error", **setup), run("again", 12, passed=True, **setup))
    fill(con, "evaluation_runs", run("failed", 16, passed=False, **setup), run("repaired", 18, passed=True, **setup))
    fill(con, "evaluation_runs", run("other model", 21, passed=True, **setup | {"prompt_version": "2", "model": "big"}))
    fill(con, "sessions", session(1, 22))
    found = rows_of(con, "evaluated_use_cases", "day, is_evaluated")
    evaluated = {int(day[-2:]) for day, is_evaluated in found if is_evaluated}
    assert [int(day[-2:]) for day, _ in found] == list(range(1, 23))
    assert evaluated == {4, 5, 6, 7, 12, 13, 14, 15, 18, 19}


def test_a_unit_that_brought_nothing_stays_in_and_nobody_peeks(con: Con) -> None:
    """Margin alone is counted, once; never exposed, exposed after the end or another variant is no unit of the test.

    A roll-out without a lot is no experiment, whatever margin is told of it.
    """
    arms = {"treated": "new", "control": "old", "allocation": 0.5}
    fill(
        con,
        "experiments",
        arms | {"exp_id": "done", "ends_on": "2026-03-10"},
        arms | {"exp_id": "running", "ends_on": "2026-03-20"},
    )
    fill(con, "experiments", arms | {"exp_id": "unknown", "ends_on": "2026-03-10"})
    fill(con, "experiments", arms | {"exp_id": "waves", "ends_on": "2026-03-10", "design": "staggered"})
    fill(con, "sessions", session(1, 15))
    unit = {"exp_id": "done", "variant": "new", "exposed_at": at(5)}
    fill(con, "assignments", unit | {"unit_id": "buyer"}, unit | {"unit_id": "idle", "variant": "old"})
    fill(
        con,
        "assignments",
        unit | {"unit_id": "unexposed", "exposed_at": None},
        unit | {"unit_id": "late", "exposed_at": at(11)},
    )
    fill(
        con,
        "assignments",
        unit | {"unit_id": "third", "variant": "third"},
        unit | {"unit_id": "buyer", "exp_id": "running"},
    )
    fill(con, "assignments", *(unit | {"unit_id": "buyer", "exp_id": name} for name in ("unknown", "waves")))
    outcome = {"unit_id": "buyer", "metric": "margin", "value": 12}
    fill(con, "outcomes", outcome | {"exp_id": "done"}, outcome | {"exp_id": "done", "metric": "revenue", "value": 80})
    fill(con, "outcomes", outcome | {"exp_id": "running"}, outcome | {"exp_id": "waves"})
    found = rows_of(con, "experiment_units", "day, experiment, unit_key, arm, CAST(margin AS DOUBLE), treated_share")
    assert found == [
        ("2026-03-10", "done", "buyer", "treated", 12, 0.5),
        ("2026-03-10", "done", "idle", "control", 0, 0.5),
    ]


def test_use_after_training_is_two_of_four_weeks(con: Con) -> None:
    """Days 1 and 8 are two weeks, days 1 and 7 one; a user before is marked; leavers and open cases are left out."""
    trained = {
        "course_id": "basics",
        "attempt": 1,
        "is_required": True,
        "assigned_at": "2026-03-01",
        "status": "completed",
    }
    done = date(2026, 3, 31)
    names = ("user", "once", "before", "leaver", "machine", "idle")
    fill(con, "identities", {"alias_id": "user@work", "person_id": "user"})
    fill(con, "training", *(trained | {"person_id": name, "completed_at": str(done)} for name in names))
    fill(con, "training", trained | {"person_id": "user@work", "completed_at": "2026-04-02", "attempt": 2})
    fill(con, "training", trained | {"person_id": "open", "completed_at": "2026-04-02"})
    fill(con, "training", trained | {"person_id": "optional", "completed_at": str(done), "is_required": False})
    used = {"product": "copilot", "feature": "all", "active": True}
    days = {
        "user@work": (1, 8),
        "once": (1, 7),
        "before": (-1, -8, 28, 21),
        "leaver": (1, 8),
        "machine": (1, 8),
        "": (-40, 29),
    }
    for name, ago in days.items():
        fill(con, "usage_daily", *(used | {"person_id": name, "date": str(done + timedelta(days=one))} for one in ago))
    fill(con, "usage_daily", used | {"person_id": "once", "date": str(done + timedelta(days=15)), "active": False})
    fill(
        con,
        "people",
        *(
            {"person_id": name, "valid_from": "2026-01-01", "department": "sales"}
            for name in ("user", "once", "before", "idle")
        ),
    )
    fill(con, "people", {"person_id": "leaver", "valid_from": "2026-01-01", "valid_to": "2026-04-20"})
    fill(con, "people", {"person_id": "machine", "valid_from": "2026-01-01", "is_service_account": True})
    found = rows_of(con, "trained_people", "day, person_id, department, is_user, was_user")
    assert found == [
        ("2026-03-31", "before", "sales", 1, 1),
        ("2026-03-31", "idle", "sales", 0, 0),
        ("2026-03-31", "once", "sales", 0, 0),
        ("2026-03-31", "user", "sales", 1, 0),
    ]
