"""Sets of members: as bits they are what the portable query says, and periods count each member once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from engine_room import CATALOG, empty, fill, value, values
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog.model import Total
from pipeline.engine.sets import begin_numbers, outgrown, packed
from pipeline.engine.windows import Windows

STATE = "SELECT day, array_agg(DISTINCT member) AS seen FROM rows_visits WHERE TRUE GROUP BY day"


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a place for states."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA states")
        yield con


def _visits(con: duckdb.DuckDBPyConnection, rows: list[tuple[int, Any]], sql_type: str) -> None:
    con.execute(f"CREATE OR REPLACE TABLE rows_visits(day INTEGER, member {sql_type})")
    con.executemany("INSERT INTO rows_visits VALUES (?, ?)", rows or [(1, None)])


def _held(con: duckdb.DuckDBPyConnection, numbers: dict[int, str]) -> dict[int, set[str]]:
    """Members by day, from the bits."""
    rows = con.execute("SELECT day, seen::VARCHAR FROM held ORDER BY day").fetchall()
    return {day: {numbers[at] for at, bit in enumerate(bits or "") if bit == "1"} for day, bits in rows}


members = st.one_of(st.none(), st.sampled_from("abcdefgh"))
nights = st.lists(st.lists(st.tuples(st.integers(1, 5), members), max_size=12), min_size=1, max_size=4)


@settings(deadline=None)
@given(nights=nights)
def test_bits_say_what_the_portable_query_says(nights: list[list[tuple[int, str | None]]]) -> None:
    """Whatever comes on whatever night, the bits of a day are the members of its rows, by their numbers."""
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA states; CREATE TABLE held(day INTEGER, seen BIT)")
        expected: dict[int, set[str]] = {}
        for night, seen in enumerate(nights):
            rows = [(day + 10 * night, member) for day, member in seen]
            _visits(con, rows, "VARCHAR")
            if night == 0:
                begin_numbers(con, STATE, fact="visits")
            con.execute(f"INSERT INTO held {packed(con, STATE, fact='visits')}")
            expected |= {day: set(seen or ()) - {None} for day, seen in con.execute(STATE).fetchall()}
        numbers = dict(con.execute("SELECT no_member, member FROM states.numbers_visits_member").fetchall())
        assert _held(con, numbers) == expected


def test_small_whole_numbers_are_their_own(con: duckdb.DuckDBPyConnection) -> None:
    """Members 3 and 70 stand at bits 3 and 70; a greater or negative one cannot, and the fact is built anew."""
    _visits(con, [(1, 3), (1, 70), (1, 3)], "BIGINT")
    begin_numbers(con, STATE, fact="visits")
    con.execute(f"CREATE TABLE held AS {packed(con, STATE, fact='visits')}")
    assert _held(con, {at: str(at) for at in range(128)}) == {1: {"3", "70"}}
    assert not outgrown(con, STATE, fact="visits")
    for strange in (-1, 1 << 40):
        _visits(con, [(2, strange)], "BIGINT")
        assert outgrown(con, STATE, fact="visits")
    begin_numbers(con, STATE, fact="visits")
    assert "no_member" in packed(con, STATE, fact="visits")


@settings(deadline=None)
@given(
    seen=st.lists(st.lists(st.booleans(), min_size=70, max_size=70), min_size=1, max_size=9),
    windows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6),
)
def test_windows_count_each_member_once(seen: list[list[bool]], windows: list[tuple[int, int]]) -> None:
    """For any days and windows: as many as are seen on any day of the window, by brute force."""
    days = np.array(seen)
    padded = np.zeros((len(seen), 128), dtype=bool)
    padded[:, :70] = days
    held = np.packbits(padded, axis=1).view(np.uint64)
    spans = [(min(a, b, len(seen)), min(max(a, b), len(seen))) for a, b in windows]
    found = Windows(*(np.array(edge) for edge in zip(*spans, strict=True)), len(seen)).count_bits(held)
    assert found.tolist() == [int(days[start:end].any(axis=0).sum()) for start, end in spans]


ACTIVE = Total.model_validate(
    {
        "name": "Active people", "owner": "chief_ai_officer", "question": "How many people use it?", "kind": "total",
        "fact": "entitled_days", "total": "distinct(person_id) where is_active = 1", "interval": "exact",
        "unit": "count", "direction": "up", "cadence": "weekly", "dimensions": ["product"], "min_n": 1,
        "people": False, "leaves_out": "Nobody.", "pitfall": "Sizes of days do not add up.",
    }
)  # fmt: skip


def test_a_total_of_members_counts_each_once() -> None:
    """a uses it on two days, b on one, c never: 2 in the week, where the days add up to 3; nobody is a count of 0."""
    with empty() as con:
        for person in "abc":
            fill(con, "entitlements", {"person_id": person, "product": "chat", "valid_from": "2026-03-01"})
        used = [
            ("a", "2026-03-02", True),
            ("a", "2026-03-03", True),
            ("b", "2026-03-03", True),
            ("c", "2026-03-10", False),
        ]
        for person, day, active in used:
            row = {"person_id": person, "product": "chat", "feature": "all", "date": day, "active": active}
            fill(con, "usage_daily", row | {"telemetry_level": "full"})
        frame = values(con, CATALOG.model_copy(update={"metrics": {"active_people": ACTIVE}}))
    assert _count(frame, "week", "2026-03-02") == 2
    assert [_count(frame, "day", f"2026-03-0{day}") for day in (2, 3, 4)] == [1, 2, 0]
    assert value(frame, "active_people", "week", "2026-03-02", product="chat")["value"] == 2
    assert _count(frame, "week", "2026-03-09") == 0


def _count(frame: pd.DataFrame, grain: str, start: str) -> float:
    return float(value(frame, "active_people", grain, start)["value"])
