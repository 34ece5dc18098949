"""From canonical rows to values: what sessions and successes cost, once more in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from unittest.mock import patch

import duckdb
import pytest
from engine_room import value
from hypothesis import given
from oracles_intervals import Row
from oracles_rows import (
    IDENTITIES,
    PEOPLE,
    RANDOM,
    Tables,
    computed,
    department_of,
    every_view,
    hold,
    moments,
    named,
    one_of,
    rows_of,
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One warehouse for every test of this module, with every view."""
    with every_view() as warehouse:
        yield warehouse


CLASSES = ("in_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "out")
PRICES = [
    {"provider": "p", "model": model, "token_class": name, "tier_rule": tier, "currency": currency,
     "price": Decimal(millionths + place) / 1_000_000, "valid_from": day, "valid_to": end}
    for place, name in enumerate(CLASSES)
    for model, millionths, day, end, tier, currency in (
        ("m", 10, date(2025, 1, 1), None, "standard", "USD"),
        ("m", 20, date(2026, 1, 1), date(2027, 1, 1), "standard", "USD"),
        ("m", 30, date(2026, 3, 29), None, "standard", "USD"),
        ("m", 90, date(2025, 6, 1), None, "priority", "USD"),
        ("n", 40, date(2025, 1, 1), date(2026, 3, 29), "standard", "USD"),
        ("n", 90, date(2025, 1, 1), None, "standard euro", "EUR"))
]  # fmt: skip
"""What is open ends when the next begins; model n has no price from 29 March 2026 on."""

sessions = rows_of(
    10,
    started_at=moments,
    environment=one_of(None, "production", "production", "staging"),
    is_synthetic=one_of(None, False, False, True),
    person_id=one_of(None, "ann", "bea", "bea@example", "nobody listed"),
    use_case_id=one_of(None, "a", "b"),
)
calls = rows_of(
    60,
    session_id=one_of(None, "lost", *(f"s{n}" for n in range(10))),
    trace_id=one_of(None, "t1", "t2"),
    kind=one_of("request", "model", "model", "tool", "guardrail", "judge", "retrieval"),
    environment=one_of(None, "production", "staging"),
    started_at=moments,
    provider=one_of("p"),
    model=one_of(*["m"] * 60, *["n"] * 6, "unheard of"),
    status=one_of("ok", "error", "timeout", "cancelled"),
    retry_of=one_of(None, "k0"),
    response_cache_hit=one_of(None, False, False, True),
    tokens_in_uncached=one_of(0, 7, 1000, 5000),
    tokens_cache_read=one_of(None, 0, 3000),
    tokens_cache_write_5m=one_of(None, 0, 800),
    tokens_cache_write_1h=one_of(None, 0, 900),
    tokens_out=one_of(0, 100, 2500),
    is_counted=one_of(*[True] * 80, False),
)
tasks = rows_of(
    24,
    session_id=one_of(None, "lost", *(f"s{n}" for n in range(6))),
    use_case_id=one_of(None, "a", "b"),
    started_at=moments,
    outcome=one_of("success", "success", "failure", "abandoned", None),
    outcome_source=one_of("verified", "verified", "self_reported", None),
)


def on_one_day(call: Row, known: set[str]) -> Row:
    """A call whose session, when nobody knows it, and whose trace are of one day; perhaps without any tokens."""
    day, session, trace = call["started_at"].date(), call["session_id"], call["trace_id"]
    is_lost = session is not None and session not in known
    tokens = {} if call["is_counted"] else {f"tokens_{name}": None for name in CLASSES}
    kept = {name: cell for name, cell in call.items() if name != "is_counted"}
    return kept | tokens | {"session_id": f"lost {day}" if is_lost else session, "trace_id": trace and f"{trace} {day}"}


def price_of(call: Row, token_class: str) -> Decimal | None:
    """Price of one token on the day of the call; None when none was valid."""
    day = call["started_at"].date()
    fitting = [
        one for one in PRICES
        if (one["provider"], one["model"], one["token_class"]) == (call["provider"], call["model"], token_class)
        and (one["tier_rule"], one["currency"]) == ("standard", "USD") and one["valid_from"] <= day
    ]  # fmt: skip
    newest = max(fitting, key=lambda one: one["valid_from"], default=None)
    is_over = newest is None or (newest["valid_to"] is not None and newest["valid_to"] <= day)
    return None if is_over else newest["price"]


def is_counted(call: Row) -> bool:
    """Whether anybody counted the tokens of a call; an answer of the response cache has none."""
    return bool(call["response_cache_hit"]) or any(call[f"tokens_{name}"] is not None for name in CLASSES)


def cost_of(call: Row) -> Decimal | None:
    """Cost of one call: nothing from the response cache, unknown without a count of tokens or a price of them."""
    if not is_counted(call) and call["kind"] not in ("tool", "request"):
        return None
    total = Decimal(0)
    for name in () if call["response_cache_hit"] else CLASSES:
        if tokens := call[f"tokens_{name}"] or 0:
            price = price_of(call, name)
            if price is None:
                return None
            total += tokens * price
    return total


def in_production(row: Row | None) -> bool:
    """Whether a session, or a call of none, is real traffic."""
    return row is None or (row["environment"] in (None, "production") and not row.get("is_synthetic"))


def costs_of(tables: Tables) -> list[Row]:
    """One row per production session with the cost of all its calls, and one per call of no session."""
    known = {row["session_id"]: row for row in tables["sessions"]}
    found = []
    for key, row in known.items():
        its_calls = [call for call in tables["calls"] if call["session_id"] == key]
        costs = [cost_of(call) for call in its_calls]
        unknown = int(None in costs or not any(is_counted(call) for call in its_calls))
        day = row["started_at"].date()
        found.append({"day": day, "session_key": key, "use_case": row["use_case_id"] or "unknown", "sessions": 1,
                      "department": department_of(row["person_id"], day), "unknown_costs": unknown,
                      "cost_usd": sum(cost for cost in costs if cost is not None)})  # fmt: skip
    for call in tables["calls"]:
        if call["session_id"] not in known and in_production(call):
            cost, key = cost_of(call), call["session_id"] or call["trace_id"] or call["call_id"]
            found.append({"day": call["started_at"].date(), "session_key": key, "use_case": "unknown", "sessions": 0,
                          "department": "unknown", "unknown_costs": int(cost is None),
                          "cost_usd": cost or 0})  # fmt: skip
    return [row for row in found if in_production(known.get(row["session_key"]))]


def tasks_of(tables: Tables) -> list[Row]:
    """One row per production task of a use case in which anything was verified."""
    known = {row["session_id"]: row for row in tables["sessions"]}
    verifying = {row["use_case_id"] for row in tables["tasks"] if row["outcome_source"] == "verified"}
    found = []
    for row in tables["tasks"]:
        session, day = known.get(row["session_id"]), row["started_at"].date()
        is_success = row["outcome"] == "success" and row["outcome_source"] == "verified"
        if row["use_case_id"] in verifying and in_production(session):
            department = department_of(session["person_id"] if session else None, day)
            found.append({"day": day, "use_case": row["use_case_id"] or "unknown", "department": department,
                          "is_success": int(is_success)})  # fmt: skip
    return found


@RANDOM
@given(held=sessions, made=calls, begun=tasks)
def test_cost_is_of_every_call_and_of_no_join(
    con: duckdb.DuckDBPyConnection, held: list[Row], made: list[Row], begun: list[Row]
) -> None:
    """Retries and failures cost, at the price of their day; many calls and many tasks of a session are never joined."""
    known = {f"s{n}" for n in range(len(held))}
    tables = {
        "prices": PRICES,
        "people": PEOPLE,
        "identities": IDENTITIES,
        "sessions": named(held, "session_id", "s"),
        "calls": named([on_one_day(row, known) for row in made], "call_id", "k"),
        "tasks": named(begun, "task_id", "t"),
    }
    facts = {"session_costs": costs_of(tables), "started_tasks": tasks_of(tables)}
    with patch("pipeline.engine.values.suppress", lambda con, frame, *_, **__: frame):  # of two people or three
        hold(con, tables, facts, "token_cost_per_session", "cost_per_successful_task")


def cost_of_a_day(con: duckdb.DuckDBPyConnection, day: str, call: Row, **tables: list[Row]) -> Decimal | None:
    """What a call of one session costs on a day of February 2026; None when that is unknown."""
    at = datetime.fromisoformat(f"{day}T10:00:00+00:00")
    told = {
        "call_id": "k",
        "session_id": "s",
        "kind": "model",
        "status": "ok",
        "started_at": at,
        "provider": "p",
        **call,
    }
    counted = {"call_id": "c", "session_id": "s", "kind": "model", "status": "ok", "started_at": at,
               "response_cache_hit": True, "provider": "p", "model": "m"}  # fmt: skip
    every = {**tables, "sessions": [{"session_id": "s", "started_at": at}], "calls": [told, counted]}
    row = value(computed(con, every, "token_cost_per_session"), "token_cost_per_session", "day", day)
    return None if row["status"] == "not_available" else Decimal(row["numerator"])


def price(millionths: str, since: date, **more: object) -> Row:
    """A price per million uncached tokens of a model of its own."""
    return {**PRICES[0], "model": "own", "token_class": "in_uncached", "price": Decimal(millionths) / 1_000_000,
            "valid_from": since, "valid_to": None, "book": "list", **more}  # fmt: skip


@pytest.mark.parametrize(
    ("day", "usd"), [("2026-02-02", "0.010"), ("2026-02-10", "0.004"), ("2026-02-19", "0.004"), ("2026-02-20", "0.008")]
)
def test_an_agreed_price_goes_before_a_list_price_on_the_days_it_holds(
    con: duckdb.DuckDBPyConnection, day: str, usd: str
) -> None:
    """Agreed at $4 from the 10th to the 19th; the list says $10 and, from the 15th on, which is newer, $8."""
    first, middle, end = date(2026, 2, 1), date(2026, 2, 15), date(2026, 2, 20)
    prices = [price("10", first), price("8", middle),
              price("4", date(2026, 2, 10), book="agreed", valid_to=end)]  # fmt: skip
    for rows in (prices, prices[::-1]):
        found = cost_of_a_day(con, day, {"model": "own", "tokens_in_uncached": 1000}, prices=rows)
        assert found == Decimal(usd)


def test_an_agreed_price_of_one_class_leaves_the_others_on_the_list(con: duckdb.DuckDBPyConnection) -> None:
    """1 000 × $4 agreed + 100 × $20 by the list, a million each: 0.006."""
    since = date(2026, 2, 1)
    prices = [price("10", since), price("20", since, token_class="out"), price("4", since, book="agreed")]
    call = {"model": "own", "tokens_in_uncached": 1000, "tokens_out": 100}
    assert cost_of_a_day(con, "2026-02-02", call, prices=prices) == Decimal("0.006")


@pytest.mark.parametrize(
    ("day", "usd"), [("2026-02-02", "0.0110"), ("2026-02-04", "0.0110"), ("2026-02-05", "0.0120"), ("2026-02-12", None)]
)
def test_a_price_in_euro_has_the_rate_of_the_day_of_the_call(
    con: duckdb.DuckDBPyConnection, day: str, usd: str | None
) -> None:
    """1 000 tokens at 10 EUR a million: 1.10 from the 2nd, 1.20 from the 5th, and on the 12th no rate of a week."""
    rates = [{"date": date(2026, 2, number), "from_currency": "EUR", "to_currency": "USD", "rate": Decimal(rate)}
             for number, rate in ((2, "1.1"), (5, "1.2"))]  # fmt: skip
    prices = [price("10", date(2026, 2, 1), currency="EUR")]
    found = cost_of_a_day(con, day, {"model": "own", "tokens_in_uncached": 1000}, prices=prices, fx_rates=rates)
    assert found == (None if usd is None else Decimal(usd))


@pytest.mark.parametrize(
    ("call", "usd"),
    [({"tool_name": "web_search"}, "0.01"), ({"tool_name": "crm_lookup"}, "0"),
     ({"tool_name": "web_search", "provider": None}, "0"),
     ({"tool_name": "web_search", "response_cache_hit": True}, "0")],
)  # fmt: skip
def test_a_tool_costs_its_fee_where_its_provider_asks_one(con: duckdb.DuckDBPyConnection, call: Row, usd: str) -> None:
    """$10 a thousand searches of the provider; a tool of one's own, and an answer from a cache, cost nothing."""
    fee = price("10000", date(2026, 2, 1), model="web_search", token_class="call")
    assert cost_of_a_day(con, "2026-02-02", {"kind": "tool", **call}, prices=[fee]) == Decimal(usd)


def test_cached_tokens_are_counted_once(con: duckdb.DuckDBPyConnection) -> None:
    """5 005 tokens at $2.50, 257 955 cached ones at $0.3125 and 1 744 at $15 per million cost $0.1193.

    Were the whole prompt of 262 960 tokens paid for in full and what was cached once more, it would be $0.7642.
    """
    day = datetime(2026, 2, 2, 10, tzinfo=UTC)
    prices = [{**PRICES[0], "model": "long", "token_class": name, "price": Decimal(price) / 1_000_000}
              for name, price in (("in_uncached", "2.5"), ("cache_read", "0.3125"), ("out", "15"))]  # fmt: skip
    call = {"call_id": "k", "session_id": "s", "kind": "model", "status": "ok", "started_at": day, "provider": "p",
            "model": "long", "tokens_in_uncached": 262_960 - 257_955, "tokens_cache_read": 257_955,
            "tokens_out": 1_744}  # fmt: skip
    tables = {"prices": prices, "sessions": [{"session_id": "s", "started_at": day}], "calls": [call]}
    row = value(computed(con, tables, "token_cost_per_session"), "token_cost_per_session", "day", "2026-02-02")
    assert row["value"] == pytest.approx((5_005 * 2.5 + 257_955 * 0.3125 + 1_744 * 15) / 1e6, rel=1e-12)
    assert round(row["value"], 4) == 0.1193


@pytest.mark.parametrize(
    ("tier", "price"), [("priority", "0.00009"), ("default", "0.00002"), (None, "0.00002"), ("flex", None)]
)
def test_a_call_has_the_price_of_its_tier(con: duckdb.DuckDBPyConnection, tier: str | None, price: str | None) -> None:
    """1000 tokens cost $0.09 at the priority price and $0.02 at the standard one; without a price nobody knows."""
    day = datetime(2026, 2, 2, 10, tzinfo=UTC)
    call = {"call_id": "k", "session_id": "s", "kind": "model", "status": "ok", "started_at": day, "provider": "p",
            "model": "m", "service_tier": tier, "tokens_in_uncached": 1000}  # fmt: skip
    tables = {"prices": PRICES, "sessions": [{"session_id": "s", "started_at": day}], "calls": [call]}
    row = value(computed(con, tables, "token_cost_per_session"), "token_cost_per_session", "day", "2026-02-02")
    if price is None:
        assert (row["status"], row["reason"]) == ("not_available", "cannot be told: 1 unknown costs")
    else:
        assert Decimal(row["numerator"]) == 1000 * Decimal(price)
