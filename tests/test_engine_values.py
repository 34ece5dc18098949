"""Values against arithmetic done by hand, with the traps of each kind of KPI."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from engine_room import empty, fill, value, values

from pipeline.statistics.histogram import ALPHA

PRICES = [
    {"provider": "p", "model": "m", "token_class": name, "price": price, "valid_from": day, "tier_rule": "standard",
     "currency": "USD"}
    for name, price, day in (
        ("in_uncached", "0.000002", "2026-01-01"), ("in_uncached", "0.000001", "2026-03-03"),
        ("cache_read", "0.0000002", "2026-01-01"), ("out", "0.00001", "2026-01-01"))
]  # fmt: skip


def call(call_id: str, at: str, **more: object) -> dict[str, object]:
    """A model call of a known model."""
    return {"call_id": call_id, "trace_id": call_id, "kind": "model", "status": "ok", "started_at": at,
            "provider": "p", "model": "m"} | more  # fmt: skip


def session(session_id: str, at: str, **more: object) -> dict[str, object]:
    """A production session."""
    return {"session_id": session_id, "started_at": at} | more


def test_cost_per_session_counts_every_call_at_the_price_of_its_day() -> None:
    """Retry and judge are in, the cached answer is free, and the price changes at midnight UTC."""
    with empty() as con:
        fill(con, "prices", *PRICES)
        fill(con, "sessions", session("a", "2026-03-02 23:59:00Z"), session("b", "2026-03-03 00:00:00Z"))
        fill(
            con, "calls",
            call("1", "2026-03-02 23:59:59Z", session_id="a", tokens_in_uncached=1000, tokens_out=100),
            call("2", "2026-03-03 00:00:00Z", session_id="a", status="error", tokens_in_uncached=1000),
            call("3", "2026-03-03 00:00:01Z", session_id="a", kind="judge", tokens_cache_read=5000),
            call("4", "2026-03-03 00:00:02Z", session_id="b", tokens_in_uncached=9000, response_cache_hit=True),
        )  # fmt: skip
        found = values(con)
    first = 1000 * Decimal("0.000002") + 100 * Decimal("0.00001")
    rest = 1000 * Decimal("0.000001") + 5000 * Decimal("0.0000002")
    row = value(found, "token_cost_per_session", "month", "2026-03-01")
    assert (Decimal(row["numerator"]), Decimal(row["denominator"])) == (first + rest, 2)
    assert row["value"] == pytest.approx(float(first + rest) / 2, rel=1e-15)
    assert value(found, "token_cost_per_session", "day", "2026-03-03")["value"] == 0


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"model": "unheard-of", "tokens_out": 10}, "cannot be told: 1 unknown costs"),
        ({"kind": "tool", "model": None}, "cannot be told: 1 unknown costs"),
        ({}, "cannot be told: 1 unknown costs"),
    ],
)
def test_an_unknown_cost_is_not_zero(more: dict[str, object], reason: str) -> None:
    """Neither a model without a price nor a session whose tokens nobody counted costs nothing."""
    with empty() as con:
        fill(con, "prices", *PRICES)
        fill(con, "sessions", session("a", "2026-03-02 10:00:00Z"))
        fill(con, "calls", call("1", "2026-03-02 10:00:00Z", session_id="a", **more))
        row = value(values(con), "token_cost_per_session", "day", "2026-03-02")
    assert np.isnan(row["value"])
    assert (row["status"], row["reason"], row["verdict"]) == ("not_available", reason, "")


PEOPLE = ("ann", "bea", "cyd", "dan", "eve")


def test_people_are_counted_once_however_many_days_they_came() -> None:
    """Two of five people were active in the week, though the days add up to four of fifteen."""
    seats = [{"person_id": name, "product": "copilot", "valid_from": "2026-03-01"} for name in PEOPLE]
    days = ("2026-03-02", "2026-03-03", "2026-03-04")
    active = {("ann", days[0]), ("ann", days[1]), ("ann", days[2]), ("bea", days[1])}
    usage = [
        {"person_id": name, "product": "copilot", "feature": "chat", "date": day, "active": (name, day) in active}
        for name in PEOPLE for day in days
    ]  # fmt: skip
    with empty() as con:
        fill(con, "entitlements", *seats)
        fill(con, "usage_daily", *usage)
        found = values(con)
    week = value(found, "adoption_rate", "week", "2026-03-02")
    assert (Decimal(week["numerator"]), Decimal(week["denominator"]), week["n"]) == (2, 5, 5)
    assert week["value"] == pytest.approx(2 / 5)


def test_percentiles_are_merged_and_not_averaged() -> None:
    """The p95 of a week is that of all its requests, within 1 %, though its days lie far apart."""
    rng = np.random.default_rng(5)
    slow, fast = rng.lognormal(2, 0.5, 50), rng.lognormal(0, 0.3, 950)
    with empty() as con:
        for day, latencies in (("2026-03-02", slow), ("2026-03-03", fast)):
            fill(con, "calls", *(call(f"{day}-{i}", f"{day} 08:00:00Z", latency_s=float(one))
                                 for i, one in enumerate(latencies)))  # fmt: skip
        fill(con, "calls", call("nobody timed it", "2026-03-03 08:00:00Z"))
        row = value(values(con), "p95_latency", "week", "2026-03-02")
    exact = np.quantile(np.concatenate([slow, fast]), 0.95)
    assert row["value"] == pytest.approx(exact, rel=ALPHA)
    assert abs((np.quantile(slow, 0.95) + np.quantile(fast, 0.95)) / 2 / exact - 1) > 0.2
    assert row["interval_low"] <= row["value"] <= row["interval_high"]
    assert row["n"] == 1000
    assert "1 of unknown value left out" in row["reason"]


def test_a_rate_of_a_month_is_a_ratio_of_sums() -> None:
    """One error in one call and none in 99 is one in a hundred, not one half."""
    with empty() as con:
        fill(con, "calls", call("0", "2026-03-02 08:00:00Z", kind="tool", status="error", tool_name="x"))
        fill(con, "calls", *(call(f"{i}", "2026-03-03 08:00:00Z", kind="tool", tool_name="x") for i in range(1, 100)))
        fill(con, "calls", call("stopped", "2026-03-03 08:00:00Z", kind="tool", tool_name="x", status="cancelled"))
        found = values(con)
    assert value(found, "tool_error_rate", "month", "2026-03-01")["value"] == 1 / 100
    assert value(found, "tool_error_rate", "month", "2026-03-01", tool="x")["n"] == 100


def test_open_incidents_are_censored_and_impossible_ones_left_out() -> None:
    """Hours 1, 2, 4 and two still open: S falls to 4/5, 3/5, 2/5, so the median is 4 h, not the 2 h of the closed."""
    begin = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
    incidents = [
        {"incident_id": f"{i}", "service": "s", "state": "resolved", "impact_start_at": begin,
         "resolved_at": begin + timedelta(hours=hours)} for i, hours in enumerate((1, 2, 4))
    ]  # fmt: skip
    incidents += [
        {"incident_id": f"open {i}", "service": "s", "state": "open", "impact_start_at": begin} for i in (1, 2)
    ]
    incidents += [
        {"incident_id": "before it began", "service": "s", "state": "resolved", "impact_start_at": begin,
         "resolved_at": begin - timedelta(hours=1)},
        {"incident_id": "twin", "service": "s", "state": "duplicate", "impact_start_at": begin, "resolved_at": begin},
    ]  # fmt: skip
    with empty() as con:
        fill(con, "incidents", *incidents)
        row = value(values(con), "mttr", "month", "2026-03-01")
    assert (row["value"], row["n"], Decimal(row["numerator"])) == (4.0, 5, 3)
    assert "1 of unknown value left out" in row["reason"]


def test_satisfaction_takes_the_first_answer_of_each_person() -> None:
    """With AI 4 of 6 people are satisfied, without 3 of 6: a difference of 16.7 points; second thoughts are out."""
    answers = [(f"{who}{at}", *rest) for at in range(2) for who, *rest in (
        ("ann", "ai", 5, 1), ("ann", "ai", 1, 2), ("bea", "ai", 4, 1), ("cyd", "ai", 3, 1),
        ("dot", "baseline", 5, 1), ("eve", "baseline", 2, 1))]  # fmt: skip
    answers += [("fay", "baseline", 4, 1), ("gil", "baseline", 1, 1)]
    with empty() as con:
        fill(con, "feedback", *(
            {"feedback_id": f"{who}{day}", "person_id": who, "kind": "csat", "score": score, "scale_max": 5,
             "variant": arm, "responded_at": f"2026-03-0{day} 09:00:00Z"}
            for who, arm, score, day in answers))  # fmt: skip
        row = value(values(con), "csat_delta", "month", "2026-03-01")
    assert row["value"] == pytest.approx(100 * (4 / 6 - 3 / 6))
    assert row["n"] == 12


def test_a_group_of_few_beside_one_of_many_is_not_told() -> None:
    """Of 9 people with AI and 4 without neither the difference is told nor a number: 13 less 9 are the 4."""
    with empty() as con:
        fill(con, "feedback", *(
            {"feedback_id": f"{at}", "person_id": f"p{at}", "kind": "csat", "score": 5, "scale_max": 5,
             "variant": "ai" if at < 9 else "baseline", "responded_at": "2026-03-01 09:00:00Z"}
            for at in range(13)))  # fmt: skip
        row = value(values(con), "csat_delta", "month", "2026-03-01")
    assert row["reason"].startswith("suppressed")
    assert row[["value", "numerator", "denominator", "n", "interval_low"]].isna().all()


def test_a_contact_that_comes_back_within_seven_days_was_not_settled() -> None:
    """To the microsecond: the seventh day still counts as a return, a moment later does not."""

    def contact(name: str, at: str, **more: object) -> dict[str, object]:
        return {"contact_id": name, "requester_id": "ann", "topic": "login", "channel": "chat", "created_at": at,
                "is_eligible": True, "ai_involved": True} | more  # fmt: skip

    with empty() as con:
        fill(
            con, "contacts",
            contact("first", "2026-03-02 10:00:00Z"),
            contact("by phone a week later", "2026-03-09 10:00:00Z", channel="phone"),
            contact("a week and a moment later", "2026-03-16 10:00:00.000001Z"),
            contact("on something else", "2026-03-17 10:00:00Z", topic="invoice"),
        )  # fmt: skip
        row = value(values(con), "deflection_rate", "month", "2026-03-01")
    assert (Decimal(row["numerator"]), Decimal(row["denominator"])) == (3, 4)
    assert row["status"] == "immature"


def test_a_period_without_rows_says_so_and_one_without_divisor_says_that() -> None:
    """No incident on a quiet day is no data; answers without claims leave nothing to divide by."""

    def score(name: str, at: str, label: str) -> dict[str, object]:
        return {"score_id": name, "metric": "grounded", "label": label, "created_at": at, "evaluator_kind": "human"}

    with empty() as con:
        fill(
            con,
            "scores",
            score("1", "2026-03-02 10:00:00Z", "grounded"),
            score("2", "2026-03-04 10:00:00Z", "no_claims"),
        )
        found = values(con)
    quiet = value(found, "grounded_answer_rate", "day", "2026-03-03")
    assert (quiet["status"], quiet["reason"]) == ("not_available", "no data in this period")
    bare = value(found, "grounded_answer_rate", "day", "2026-03-04")
    assert (bare["status"], bare["reason"]) == ("not_available", "zero denominator")
    absent = found[found["kpi_id"] == "mttr"]
    assert absent["reason"].tolist() == ["no export fills incidents"]


def test_groups_of_fewer_than_five_cannot_be_worked_out() -> None:
    """A department of two is withheld, and so is the next smallest, or the total would give it away."""
    sizes = {"law": 2, "sales": 6, "research": 9}
    people = [{"person_id": f"{name}{i}", "valid_from": "2026-01-01", "department": name}
              for name, size in sizes.items() for i in range(size)]  # fmt: skip
    with empty() as con:
        fill(con, "people", *people)
        fill(
            con,
            "entitlements",
            *({"person_id": one["person_id"], "product": "c", "valid_from": "2026-01-01"} for one in people),
        )
        fill(con, "usage_daily", *(
            {"person_id": one["person_id"], "product": "c", "feature": "all", "date": "2026-03-02", "active": True}
            for one in people))  # fmt: skip
        found = values(con)
    shown = {name: value(found, "adoption_rate", "week", "2026-03-02", department=name) for name in sizes}
    assert {name: row["status"] for name, row in shown.items() if row["reason"].startswith("suppressed")} == {
        "law": "not_available", "sales": "not_available"}  # fmt: skip
    assert all(shown["law"][name] is None or np.isnan(shown["law"][name]) for name in ("value", "n", "numerator"))
    assert shown["research"]["n"] == 9
    assert value(found, "adoption_rate", "week", "2026-03-02")["n"] == 17


def test_windows_of_28_days_begin_when_the_data_fill_them() -> None:
    """Two days of data give one window, which says how much of it they fill."""
    with empty() as con:
        fill(con, "calls", *(call(f"{day}", f"2026-03-0{day} 08:00:00Z", latency_s=1.0) for day in (2, 3)))
        found = values(con)
    windows = found[(found["kpi_id"] == "p95_latency") & (found["grain"] == "28d") & (found["dimension"] == "")]
    assert len(windows) == 1
    assert "data begin on 2026-03-02: 2 of 28 days" in windows.iloc[0]["reason"]


def test_a_period_that_begins_before_the_data_says_so() -> None:
    """Of March 29 days, of the quarter 29 of 90; the week begins with the data, and a day is a day."""
    with empty() as con:
        fill(con, "calls", *(call(f"{day}", f"2026-03-{day:02} 08:00:00Z", latency_s=1.0) for day in range(3, 32)))
        found = values(con)
    told = {
        (row["grain"], str(row["period_start"])): row["reason"]
        for row in found[(found["kpi_id"] == "p95_latency") & (found["dimension"] == "")].to_dict("records")
    }
    assert {key: reason.split("; ")[-1] for key, reason in told.items() if key[0] != "28d" and "begin" in reason} == {
        ("month", "2026-03-01"): "data begin on 2026-03-03: 29 of 31 days",
        ("quarter", "2026-01-01"): "data begin on 2026-03-03: 29 of 90 days",
        ("week", "2026-03-02"): "data begin on 2026-03-03: 6 of 7 days",
    }
    with empty() as con:
        fill(con, "calls", *(call(f"{day}", f"2026-03-{day:02} 08:00:00Z", latency_s=1.0) for day in range(3, 6)))
        row = value(values(con), "p95_latency", "month", "2026-03-01")
    assert row["reason"].endswith("data begin on 2026-03-03: 3 of 31 days"), "the rest of March is to come"


def test_points_that_cannot_be_judged_carry_no_signal() -> None:
    """Twenty days of too few requests, the last ten times as slow: no signal, for each is told to be thin."""
    with empty() as con:
        fill(con, "calls", *(call(f"{i}", f"2026-03-{i:02} 08:00:00Z", latency_s=10.0 if i == 20 else 1.0 + i / 100)
                             for i in range(1, 21)))  # fmt: skip
        found = values(con)
    days = found[(found["kpi_id"] == "p95_latency") & (found["grain"] == "day") & (found["dimension"] == "")]
    assert set(days["status"]) == {"insufficient_data", "immature"} or set(days["status"]) == {"insufficient_data"}
    assert set(days["signal"]) == {""}
