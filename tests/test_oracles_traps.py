"""Common mistakes, each with rows on which it shows: the right value, the wrong one, and what the engine says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from engine_room import CATALOG, value, values
from oracles import put, restricted
from oracles_intervals import Row
from oracles_rows import computed, every_view, midnight

from pipeline.assurance import bound_facts
from pipeline.warehouse.connection import create_schemas, warehouse

MONDAY, TUESDAY, SUNDAY = date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 8)
NEXT_MONDAY = date(2026, 2, 9)
PEOPLE = [f"p{n}" for n in range(6)]
COLUMNS = bound_facts()


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for every test of this module."""
    with warehouse(Path(":memory:"), threads=1) as opened:
        create_schemas(opened)
        yield opened


@pytest.fixture(scope="module")
def views() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with every view."""
    with every_view() as opened:
        yield opened


def rows(*each: tuple[int, Row], day: date = MONDAY) -> list[Row]:
    """So many rows of each kind, on Monday 2 February 2026 where they say nothing else."""
    return [{"day": day, **row} for times, row in each for _ in range(times)]


@dataclass(frozen=True)
class Trap:
    """Rows on which a mistake shows: the value of a period, and what the mistake makes of it."""

    kpi_id: str
    facts: dict[str, list[Row]]
    right: float
    wrong: float
    grain: str = "month"
    start: str = "2026-02-01"


SLOW, FAST = [9.0] * 8 + [10.0] * 12, [0.5] * 480
SEEN = [("p0", MONDAY), ("p0", SUNDAY), ("p1", SUNDAY), ("p1", NEXT_MONDAY), *((name, MONDAY) for name in PEOPLE[2:])]

TRAPS = {
    "a join of sessions and tasks counts cost three times": Trap(
        "cost_per_successful_task",
        {"session_costs": rows((1, {"session_key": "s", "sessions": 1, "cost_usd": 10, "unknown_costs": 0}),
                               (1, {"session_key": "t", "sessions": 1, "cost_usd": 2, "unknown_costs": 0})),
         "started_tasks": rows((2, {"is_success": 1}), (1, {"is_success": 0}), (1, {"is_success": 1}))},
        right=(10 + 2) / (2 + 1), wrong=(10 * 3 + 2 * 1) / (2 + 1),
    ),
    "failed tasks are no successes": Trap(
        "cost_per_successful_task",
        {"session_costs": rows((1, {"session_key": "s", "sessions": 1, "cost_usd": 10, "unknown_costs": 0})),
         "started_tasks": rows((2, {"is_success": 1}), (2, {"is_success": 0}))},
        right=10 / 2, wrong=10 / 4,
    ),
    "a month is no mean of its days": Trap(
        "tool_error_rate",
        {"tool_calls": rows((1, {"is_error": 1, "session_key": "a"}))
         + rows((9, {"is_error": 0, "session_key": "b"}), day=TUESDAY)},
        right=1 / 10, wrong=(1 / 1 + 0 / 9) / 2,
    ),
    "a mean of means weighs few answers like many": Trap(
        "stakeholder_satisfaction",
        {"survey_answers": [{"day": day, "respondent": f"{n}", "answer_score": score, "audience_role": "all"}
                            for n, (day, score) in enumerate([(MONDAY, 5), *[(TUESDAY, 1)] * 9])]},
        right=(5 + 9 * 1) / 10, wrong=(5 + 1) / 2,
    ),
    "percentiles are not averaged": Trap(
        "p95_latency",
        {"requests": [{"day": day, "started_at": midnight(day), "latency_s": one, "is_ok": 1}
                      for day, some in ((MONDAY, SLOW), (TUESDAY, FAST)) for one in some]},
        right=float(np.quantile(SLOW + FAST, 0.95)), wrong=(10.0 + 0.5) / 2,
    ),
    "medians are not averaged": Trap(
        "mttd",
        {"noticed_incidents": rows((5, {"detection_minutes": 1}))
         + rows((1, {"detection_minutes": 9}), day=TUESDAY)},
        right=1.0, wrong=(1 + 9) / 2,
    ),
    "what is still open counts": Trap(
        "mttr",
        {"incidents": [{"day": MONDAY, "impact_start_at": midnight(MONDAY),
                        "resolved_at": None if hours is None else midnight(MONDAY) + timedelta(hours=hours)}
                       for hours in (0.5, 1, 1.5, 2, 3, None, None, None)]},
        right=2.0, wrong=(0.5 + 1 + 1.5 + 2 + 3) / 5,
    ),
    "people of days are not added up": Trap(
        "adoption_rate",
        {"entitled_days": [{"day": day, "person_id": name, "is_active": int(name in PEOPLE[:3])}
                           for day in (MONDAY, TUESDAY) for name in PEOPLE]},
        right=3 / 6, wrong=(3 + 3) / 6,
    ),
    "six days of one week are one week": Trap(
        "retained_usage_rate",
        {"entitled_days": [{"day": day, "person_id": name, "is_active": 1} for name, day in SEEN]},
        right=1 / 6, wrong=2 / 6, grain="28d", start="2026-01-13",
    ),
    "a snapshot is of the last day and no sum": Trap(
        "trained_share",
        {"roster_days": [{"day": day, "person_id": name, "is_trained": int(day == TUESDAY)}
                         for day in (MONDAY, TUESDAY) for name in PEOPLE]},
        right=6 / 6, wrong=6 / 12,
    ),
    "peaks are not added up": Trap(
        "request_throughput",
        {"requests": [{"day": day, "started_at": midnight(day), "latency_s": 1.0, "is_ok": 1}
                      for day in (MONDAY, MONDAY, MONDAY, TUESDAY, TUESDAY)]},
        right=3, wrong=3 + 2,
    ),
    "a burst over midnight is one": Trap(
        "rate_limit_incidents",
        {"provider_calls": [{"day": at.date(), "started_at": at, "provider": "p", "is_rate_limited": 1}
                            for at in (midnight(TUESDAY) + timedelta(minutes=n) for n in (-6, -1, 4, 10))]},
        right=2, wrong=4,
    ),
    "suites are not pooled": Trap(
        "prompt_injection_resistance",
        {"attack_attempts": rows((90, {"suite": "easy", "is_tested": 1, "is_resisted": 1}),
                                 (10, {"suite": "hard", "is_tested": 1, "is_resisted": 0}))},
        right=0 / 10, wrong=90 / 100,
    ),
    "second thoughts are left out": Trap(
        "csat_delta",
        {"csat_answers": [{"day": MONDAY, "respondent": who, "variant": arm, "is_top2": top, "first_order": order}
                          for at in range(5)
                          for who, arm, top, order in ((f"a{at}", "ai", 1, "1"), (f"a{at}", "ai", 0, "2"),
                                                       (f"a{at}", "ai", 0, "3"), (f"b{at}", "baseline", 0, "1"))]},
        right=100 * (5 / 5 - 0 / 5), wrong=100 * (5 / 15 - 0 / 5),
    ),
    "segments are not averaged": Trap(
        "nps_delta",
        {"nps_answers": [{"day": MONDAY, "respondent": f"{n}", "variant": arm, "recommends": score,
                          "first_order": f"{n}", "channel": channel}
                         for n, (arm, channel, score) in enumerate([
                             *[("ai", "chat", 1)] * 5, *[("ai", "mail", -1)] * 15,
                             *[("baseline", "chat", 0)] * 5, *[("baseline", "mail", 0)] * 5])]},
        right=100 * ((5 - 15) / 20 - 0 / 10), wrong=100 * ((5 / 5 - 15 / 15) / 2 - 0),
    ),
    "a window of 28 days has neither 27 nor 29": Trap(
        "flagged_output_rate",
        {"screened_outputs": [{"day": MONDAY - timedelta(n), "is_flagged": int(n in (27, 28))}
                              for n in (0, 1, 27, 28)]},
        right=1 / 3, wrong=2 / 4, grain="28d", start="2026-01-06",
    ),
    "a judge that lets bad answers pass is not believed": Trap(
        "grounded_answer_rate",
        {"evaluated_answers": rows((9, {"judge": "j", "has_claims": 1, "is_grounded": 1}),
                                   (1, {"judge": "j", "has_claims": 1, "is_grounded": 0})),
         "labelled_answers": rows((10, {"judge": "j", "is_good": 1, "is_passed": 1}),
                                  (4, {"judge": "j", "is_good": 0, "is_passed": 0}),
                                  (6, {"judge": "j", "is_good": 0, "is_passed": 1}))},
        right=(0.9 + 0.4 - 1) / (1 + 0.4 - 1), wrong=9 / 10,
    ),
    "a component without callers serves nobody": Trap(
        "component_reuse_rate",
        {"component_uses": [{"day": MONDAY, "component": name, "consumer_team": team, "owner_team": "o"}
                            for name, team in (("x", "a"), ("x", None), ("y", None), ("z", "a"), ("z", "b"))]},
        right=1 / 3, wrong=2 / 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS.values(), ids=TRAPS)
def test_the_engine_does_not_make_the_mistake(con: duckdb.DuckDBPyConnection, trap: Trap) -> None:
    """The value is the right one, and rows are such that the mistake would give another."""
    put(con, COLUMNS, trap.facts)
    found = value(values(con, restricted([trap.kpi_id])), trap.kpi_id, trap.grain, trap.start)["value"]
    assert found == pytest.approx(trap.right, rel=0.01 if trap.kpi_id == "p95_latency" else 1e-12)
    assert abs(trap.right - trap.wrong) > 0.1 * abs(trap.wrong)


NOTHING_TO_DIVIDE_BY: dict[str, dict[str, list[Row]]] = {
    "pilot_to_production_rate": {"pilots": rows((2, {"is_promoted": 0, "is_pursued": 0}))},
    "cost_per_successful_task": {
        "session_costs": rows((1, {"session_key": "s", "sessions": 1, "cost_usd": 3, "unknown_costs": 0})),
        "started_tasks": rows((2, {"is_success": 0}))},
    "p95_latency": {"requests": rows((2, {"started_at": midnight(MONDAY), "is_ok": 1}))},
    "retrieval_relevance_at_k": {"retrieved_documents": rows((1, {"query_key": "q", "document": "d", "score": 1.0}))},
    "grounded_answer_rate": {
        "evaluated_answers": rows((2, {"is_grounded": 0, "has_claims": 0})), "labelled_answers": []},
    "availability": {"availability_windows": rows((2, {"good": 0, "valid": 0}))},
    "mttd": {"noticed_incidents": rows((2, {}))},
    "mttr": {"incidents": rows((1, {"impact_start_at": midnight(MONDAY)}))},
    "post_training_usage_rate": {
        "trained_people": [{"day": MONDAY, "person_id": name, "was_user": 1, "is_user": 1} for name in PEOPLE]},
    "retained_usage_rate": {
        "entitled_days": [{"day": MONDAY, "person_id": name, "is_active": 0} for name in PEOPLE]},
    "stakeholder_satisfaction": {
        "survey_answers": [{"day": MONDAY, "respondent": name, "audience_role": "all"} for name in PEOPLE]},
    "token_cost_per_session": {
        "session_costs": rows((1, {"session_key": "k", "sessions": 0, "cost_usd": 3, "unknown_costs": 0}))},
    "csat_delta": {
        "csat_answers": [{"day": MONDAY, "respondent": name, "variant": "ai", "is_top2": 1, "first_order": "1"}
                         for name in PEOPLE]},
    "conversion_uplift": {
        "experiment_units": rows((3, {"experiment": "e", "arm": "treated", "margin": 1, "treated_share": 0.5}))},
    "prompt_injection_resistance": {"attack_attempts": rows((2, {"suite": "s", "is_tested": 0, "is_resisted": 0}))},
    "cache_hit_rate": {"cacheable_calls": rows((2, {"session_key": "s", "tokens_in": 0, "tokens_cache_read": 0}))},
}  # fmt: skip


@pytest.mark.parametrize("kpi_id", NOTHING_TO_DIVIDE_BY)
def test_nothing_to_divide_by_is_neither_none_nor_all(con: duckdb.DuckDBPyConnection, kpi_id: str) -> None:
    """Rows without a denominator give no value and no interval, and a reason that does not deny the rows."""
    put(con, COLUMNS, NOTHING_TO_DIVIDE_BY[kpi_id])
    row = value(values(con, restricted([kpi_id])), kpi_id, CATALOG.metrics[kpi_id].headline_grain, *_last(kpi_id))
    assert np.isnan([row["value"], row["interval_low"], row["interval_high"]]).all()
    assert (row["status"], row["verdict"]) in {("not_available", ""), ("not_available", "inconclusive")}
    assert row["reason"] not in {"", "no data in this period"}


def _last(kpi_id: str) -> tuple[str]:
    """First day of the period of Monday 2 February 2026 that the KPI is headlined on."""
    grain = CATALOG.metrics[kpi_id].headline_grain
    return ({"28d": "2026-01-06", "month": "2026-02-01", "quarter": "2026-01-01"}[grain],)


def test_a_group_in_which_nobody_answered_hides_nobody(con: duckdb.DuckDBPyConnection) -> None:
    """Of 2, 6 and no answers the 2 cannot be told; nor can the 6, or 8 in all less those 6 would tell of the 2."""
    asked = [("law", 2, 1), ("sales", 6, 4), ("board", 3, None)]
    answers = [{"day": MONDAY, "respondent": f"{role}{n}", "audience_role": role, "answer_score": score}
               for role, people, score in asked for n in range(people)]  # fmt: skip
    put(con, COLUMNS, {"survey_answers": answers})
    frame = values(con, restricted(["stakeholder_satisfaction"]))
    shown = {role: value(frame, "stakeholder_satisfaction", "week", "2026-02-02", audience_role=role)["n"]
             for role in ("law", "sales")}  # fmt: skip
    assert value(frame, "stakeholder_satisfaction", "week", "2026-02-02")["n"] == 2 + 6
    assert {role for role, n in shown.items() if not np.isnan(float(n))} == set()


def tool_call(n: int, at: datetime | str, **more: Any) -> Row:
    """A tool call of no session."""
    return {"call_id": f"{n}", "trace_id": f"{n}", "kind": "tool", "status": "ok", "started_at": at} | more


def test_a_day_is_of_utc_when_clocks_change(views: duckdb.DuckDBPyConnection) -> None:
    """Berlin's 29 March 2026 has 23 hours; the UTC day runs from its 1 a.m. to 2 a.m. of the next, and has 24."""
    told = ["2026-03-29 00:59:59.999999+01:00", "2026-03-29 01:00:00+01:00", "2026-03-29 12:00:00+02:00",
            "2026-03-30 01:59:59.999999+02:00", "2026-03-30 02:00:00+02:00"]  # fmt: skip
    frame = computed(views, {"calls": [tool_call(n, at) for n, at in enumerate(told)]}, "tool_error_rate")
    days = [value(frame, "tool_error_rate", "day", f"2026-03-{day}")["n"] for day in (28, 29, 30)]
    assert days == [1, 3, 1]


@pytest.mark.parametrize(("back", "settled"), [("13:00:00+02:00", 1), ("13:00:00.000001+02:00", 2)])
def test_seven_days_are_168_hours_when_clocks_change(views: duckdb.DuckDBPyConnection, back: str, settled: int) -> None:
    """From noon in winter time to 1 p.m. in summer time a week later it is 7 days exactly; a moment more is more."""
    contacts = [
        {"contact_id": at, "requester_id": "ann", "topic": "login", "created_at": at, "is_eligible": True,
         "ai_involved": True} for at in ("2026-03-25 12:00:00+01:00", f"2026-04-01 {back}")
    ]  # fmt: skip
    frame = computed(views, {"contacts": contacts}, "deflection_rate")
    row = value(frame, "deflection_rate", "28d", "2026-03-05")
    assert (Decimal(row["numerator"]), Decimal(row["denominator"])) == (settled, 2)


def test_what_belongs_to_no_group_stays_in_the_total(views: duckdb.DuckDBPyConnection) -> None:
    """One contact of no topic and no channel: in the total, and under "unknown" among the topics."""
    at = datetime(2026, 2, 2, 9, tzinfo=UTC)
    contacts = [
        {"contact_id": name, "requester_id": name, "topic": topic, "channel": topic, "created_at": at,
         "is_eligible": True, "ai_involved": topic is None} for name, topic in (("a", None), ("b", "login"))
    ]  # fmt: skip
    frame = computed(views, {"contacts": contacts}, "deflection_rate")
    week = {topic: value(frame, "deflection_rate", "week", "2026-02-02", topic=topic) for topic in ("unknown", "login")}
    assert value(frame, "deflection_rate", "week", "2026-02-02")["value"] == 1 / 2
    assert (week["unknown"]["value"], week["login"]["value"]) == (1 / 1, 0 / 1)
