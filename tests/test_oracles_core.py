"""From canonical rows to values: who was settled, what failed, who adopted; once more in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from engine_room import value
from hypothesis import given
from hypothesis import strategies as st
from oracles_intervals import Row
from oracles_rows import (
    FIRST,
    IDENTITIES,
    LAST,
    PEOPLE,
    PERSON_OF,
    RANDOM,
    Tables,
    computed,
    days,
    department_of,
    every_view,
    hold,
    moments,
    named,
    one_of,
    rows_of,
    standing,
)

WEEK = timedelta(days=7)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """One warehouse for every test of this module, with every view."""
    with every_view() as warehouse:
        yield warehouse


# Deflection: nobody replied, nothing was reopened, and the requester did not come back on it within seven days

contacts = rows_of(
    45,
    requester_id=one_of(None, "ann", "bea", "cyd", "dot"),
    topic=one_of(None, "login", "invoice"),
    channel=one_of(None, "chat", "phone"),
    created_at=moments,
    is_eligible=one_of(True, True, True, False),
    ai_involved=one_of(True, True, True, False),
    first_human_reply_at=one_of(None, None, None, datetime(2026, 5, 1, tzinfo=UTC)),
    reopens=one_of(None, 0, 0, 1),
)


def is_settled(one: Row, eligible: list[Row]) -> bool:
    """Whether the assistant settled a contact; a requester nobody knows cannot be followed."""
    came_back = any(
        other["requester_id"] == one["requester_id"]
        and other["topic"] == one["topic"]
        and timedelta(0) < other["created_at"] - one["created_at"] <= WEEK
        for other in eligible
    )
    is_alone = one["first_human_reply_at"] is None and not one["reopens"]
    return bool(one["ai_involved"] and is_alone and one["requester_id"] is not None and not came_back)


@RANDOM
@given(rows=contacts)
def test_deflection_follows_a_requester_for_seven_days(con: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    """All eligible contacts below the line; above it those settled for good, whatever channel a return came by."""
    tables = {"contacts": named(rows, "contact_id", "c")}
    eligible = [row for row in tables["contacts"] if row["is_eligible"]]
    facts = [
        {"day": row["created_at"].date(), "topic": row["topic"] or "unknown", "channel": row["channel"] or "unknown",
         "is_deflected": int(is_settled(row, eligible))} for row in eligible
    ]  # fmt: skip
    hold(con, tables, {"contacts": facts}, "deflection_rate")


# Change failure: what a later deployment names as undone, or an incident as its cause

deployments = rows_of(
    30,
    service=one_of("api", "web"),
    change_type=one_of(None, "code", "prompt"),
    environment=one_of(None, "production", "production", "staging"),
    started_at=moments,
    finished_at=st.one_of(st.none(), moments, moments, moments),
    result=one_of(None, "success", "success", "rolled_back", "cancelled"),
    undoes=one_of(None, None, 0, 1, 2, 3),
)
causes = rows_of(
    8,
    service=one_of("api", "web"),
    state=one_of("open", "resolved", "cancelled", "duplicate"),
    detected_at=moments,
    caused_by_deployment_id=one_of(None, *(f"d{n}" for n in range(25))),
)


def deployed(rows: list[Row]) -> list[Row]:
    """Deployments with keys; those that undo one name one of the first four, and are carried out."""
    found = named(rows, "deployment_id", "d")
    for n, row in enumerate(found):
        undone = row.pop("undoes")
        row["rollback_of"] = f"d{undone}" if undone is not None and n > 3 and row["result"] != "cancelled" else None
    return found


@RANDOM
@given(rows=deployments, incidents=causes)
def test_a_change_failed_when_something_names_it(
    con: duckdb.DuckDBPyConnection, rows: list[Row], incidents: list[Row]
) -> None:
    """Finished production deployments, and those of them with a linked rollback, fix or incident; once each."""
    tables = {"deployments": deployed(rows), "incidents": named(incidents, "incident_id", "i")}
    production = [row for row in tables["deployments"] if row["environment"] in (None, "production")]
    blamed = {row["rollback_of"] for row in production} | {
        row["caused_by_deployment_id"] for row in tables["incidents"] if row["state"] in ("open", "resolved")
    }
    facts = [
        {"day": row["finished_at"].date(), "service": row["service"], "change_type": row["change_type"] or "unknown",
         "is_failed": int(row["result"] == "rolled_back" or row["deployment_id"] in blamed)}
        for row in production if row["finished_at"] is not None and row["result"] != "cancelled"
    ]  # fmt: skip
    if facts:
        hold(con, tables, {"deployments": facts}, "change_failure_rate")


# Adoption: who was entitled on a day, and who of them used it that day

STAFF = [f"p{n}" for n in range(6)]
entitled = rows_of(
    8,
    person_id=one_of("ann", "bea", "bea@example", "robot", "left", "p0"),
    product=one_of("copilot", "chat"),
    valid_from=days,
    length=one_of(None, 1, 10, 40),
)
used = rows_of(
    40,
    person_id=one_of("ann", "bea", "bea@example", "robot", "left", *STAFF),
    product=one_of("copilot", "chat"),
    feature=one_of("all", "more"),
    date=days,
    active=one_of(True, True, False),
)


def spans(rows: list[Row]) -> list[Row]:
    """Seats of random length, one per person, product and day, and one of each of the staff that never ends."""
    seats = {(row["person_id"], row["product"], row["valid_from"]): row for row in rows}
    found = [
        {**row, "valid_to": None if row["length"] is None else row["valid_from"] + timedelta(row["length"])}
        for row in seats.values()
    ]
    always = {"valid_from": date(2025, 1, 1), "valid_to": None}
    return [{k: v for k, v in row.items() if k != "length"} for row in found] + [
        {"person_id": name, "product": product} | always for name in STAFF for product in ("copilot", "chat")
    ]


def entitled_on(tables: Tables, day: date, active: set[tuple[str, str, date]]) -> list[Row]:
    """Who was entitled to what on a day: neither machines nor people who had left, each once per product."""
    listed = {row["person_id"] for row in PEOPLE}
    found: dict[tuple[str, str], Row] = {}
    for seat in tables["entitlements"]:
        person, product = PERSON_OF.get(seat["person_id"], seat["person_id"]), seat["product"]
        entry = standing(person, day)
        has_left = person in listed and entry is None
        is_machine = entry is not None and entry.get("is_service_account", False)
        has_seat = seat["valid_from"] <= day and (seat["valid_to"] is None or day < seat["valid_to"])
        if has_seat and not has_left and not is_machine:
            is_active = int((person, product, day) in active)
            found[person, product] = {"day": day, "person_id": person, "product": product,
                                      "department": department_of(person, day), "is_active": is_active}  # fmt: skip
    return list(found.values())


@RANDOM
@given(seats=entitled, usage=used)
def test_adoption_asks_who_was_entitled_at_that_time(
    con: duckdb.DuckDBPyConnection, seats: list[Row], usage: list[Row]
) -> None:
    """Seats that came and went, leavers, machines and people of two names, day by day and each person once a period."""
    held = {(row["person_id"], row["product"], row["feature"], row["date"]): row for row in usage}
    known = [{"person_id": "guest", "product": product, "feature": "all", "date": day, "active": False}
             for product in ("copilot", "chat") for day in (FIRST, LAST)]  # fmt: skip
    tables = {
        "people": PEOPLE,
        "identities": IDENTITIES,
        "entitlements": spans(seats),
        "usage_daily": [*held.values(), *known],
    }
    active = {(PERSON_OF.get(row["person_id"], row["person_id"]), row["product"], row["date"])
              for row in tables["usage_daily"] if row["active"]}  # fmt: skip
    every = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    facts = [row for day in every for row in entitled_on(tables, day, active)]
    hold(con, tables, {"entitled_days": facts}, "adoption_rate")


def test_a_product_without_any_telemetry_is_unknown_and_not_unused(con: duckdb.DuckDBPyConnection) -> None:
    """Six hold seats of two products, of which one sends no usage: of that one nothing is known, so nothing is told."""
    names = [f"p{n}" for n in range(6)]
    tables = {
        "entitlements": [{"person_id": name, "product": product, "valid_from": date(2026, 1, 1)}
                         for name in names for product in ("copilot", "chat")],
        "usage_daily": [{"person_id": name, "product": "copilot", "feature": "all", "date": date(2026, 2, 2),
                         "active": True} for name in names],
    }  # fmt: skip
    frame = computed(con, tables, "adoption_rate")
    assert value(frame, "adoption_rate", "week", "2026-02-02", product="copilot")["value"] == 6 / 6
    silent = frame[(frame["dimension_value"] == "chat") & frame["value"].notna()]
    assert silent[["grain", "period_start", "value"]].to_dict("records") == []
