"""Random rows of every fact, in every period and slice, through the engine and through the oracles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from engine_room import CATALOG
from hypothesis import given
from hypothesis import strategies as st
from oracles import held_against
from oracles_intervals import Row
from oracles_kpis import FORMULAS, ORACLES
from oracles_rows import CLOCK, EDGES, RANDOM, days, midnight

from pipeline.assurance import bound_facts
from pipeline.warehouse.connection import create_schemas, warehouse

BURST = [timedelta(minutes=5 * n, microseconds=extra) for n in range(-2, 3) for extra in (-1, 0, 1)]
"""Around midnight, five minutes apart to the microsecond."""
GROUPS = ["a", "b", "unknown"]
MEMBERS = [f"member {n}" for n in range(14)]

flags, members = st.sampled_from([0, 1]), st.sampled_from(MEMBERS)
groups, named_groups = st.sampled_from([*GROUPS, None]), st.sampled_from(GROUPS)
spans = st.one_of(
    st.none(), st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=40), -timedelta(hours=1)]),
    st.integers(0, 10**12).map(lambda microseconds: timedelta(microseconds=microseconds)),
)  # fmt: skip

BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "DATE": days,
    "INTEGER": flags,
    "BIGINT": st.integers(0, 4),
    "DOUBLE": st.one_of(st.none(), st.floats(0, 60), st.sampled_from([0.0, 4.0, 1e-9, 3600.0])),
    "TIMESTAMP WITH TIME ZONE": st.sampled_from(CLOCK),
    "VARCHAR": groups,
}
"""What a column may hold, by its type; moments are drawn as time of day and put on their day afterwards."""
BY_COLUMN: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["suite", "experiment", "department", "region", "product", "audience_role"], named_groups),
    "person_id": members,
    "respondent": members,
    "user_key": members,
    "component": members,
    "session_key": members,
    "unit_key": members,
    "consumer_team": st.sampled_from([None, "a", "b", "c"]),
    "variant": st.sampled_from(["ai", "baseline"]),
    "arm": st.sampled_from(["treated", "control"]),
    "recommends": st.sampled_from([1, 0, -1]),
    "first_order": st.sampled_from(["08:00", "09:30"]),
    "document": st.sampled_from("abcdefghijklm"),
    "grade": st.sampled_from([None, None, -1.0, 0.0, 1.0, 2.0, 3.0]),
    "score": st.sampled_from([None, 0.25, 0.25, -1.0, 7.5]),
    "query_key": st.sampled_from("qr"),
    "tokens_in": st.integers(0, 200_000),
    "tokens_cache_read": st.integers(0, 200_000),
    "good": st.integers(0, 1000),
    "valid": st.integers(0, 1000),
    "cost_usd": st.one_of(st.just(0), st.integers(10**9, 2 * 10**12)).map(lambda units: Decimal(units).scaleb(-12)),
    "unknown_costs": st.sampled_from([0] * 60 + [1]),
    "hours_saved": st.decimals(-3, 9, places=9),
    "answer_score": st.one_of(st.none(), st.decimals(1, 5, places=6)),
    "detection_minutes": st.one_of(st.none(), st.decimals(0, 500, places=6)),
    "margin": st.decimals(-5, 50, places=6),
    "treated_share": st.sampled_from([0.5]),
    "resolved_at": spans,
    "live_at": spans,
}


OWN: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("provider_calls", "started_at"): st.sampled_from(BURST),
    ("roster_days", "day"): st.sampled_from(EDGES[3::4]),
    ("trained_people", "person_id"): st.integers(1, 99).map(str),
    ("evaluated_answers", "judge"): st.sampled_from([None, "a", "b"]),
    ("labelled_answers", "judge"): st.sampled_from(["a", "a", "a", "b"]),
}
"""What a column of one fact holds; a roster needs more than five people a day to be told of."""


def _at_most(row: Row, name: str, limit: str) -> Row:
    return row | {name: min(row[name], row[limit])}


def _on_its_day(row: Row, start: str, end: str = "") -> Row:
    """Put a time of day on the day of a row, and the end that long after it."""
    at = midnight(row["day"]) + row[start]
    ends = {end: None if row[end] is None else at + row[end]} if end else {}
    return row | {start: at, "day": at.date()} | ends


def _ended(row: Row) -> Row:
    """Experiments a and b end on one day, the third on another; one was drawn unevenly."""
    share, day = {"a": (0.5, EDGES[8]), "b": (0.5, EDGES[8]), "unknown": (0.9, EDGES[-1])}[row["experiment"]]
    return row | {"treated_share": share, "day": day}


MADE_TRUE: dict[str, Callable[[Row], Row]] = {
    "attack_attempts": lambda row: _at_most(row, "is_resisted", "is_tested"),
    "availability_windows": lambda row: _at_most(row, "good", "valid"),
    "cacheable_calls": lambda row: _at_most(row, "tokens_cache_read", "tokens_in") | {
        "session_key": f"{row['day']} {row['session_key']}"},
    "evaluated_answers": lambda row: _at_most(row, "is_grounded", "has_claims"),
    "experiment_units": _ended,
    "incidents": lambda row: _on_its_day(row, "impact_start_at", "resolved_at"),
    "pilots": lambda row: row | {"is_pursued": max(row["is_pursued"], row["is_promoted"])},
    "provider_calls": lambda row: _on_its_day(row, "started_at"),
    "requested_prompts": lambda row: _on_its_day(row, "requested_at", "live_at") | {"evaluated_at": None},
    "requests": lambda row: _on_its_day(row, "started_at"),
    "retrieved_documents": lambda row: row | {
        "query_key": f"{row['day']} {row['suite']} {row['use_case']} {row['query_key']}"},
    "tool_calls": lambda row: row | {"session_key": f"{row['day']} {row['session_key']}"},
    "verified_tasks": lambda row: row | {"session_key": f"{row['day']} {row['session_key']}"},
}  # fmt: skip
"""What columns of one row have to do with one another; a session keeps to one day."""
ONE_EACH = {
    "compliance_days": ("day", "regime", "severity"),
    "component_uses": ("day", "component", "consumer_team"),
    "deployment_days": ("day", "service", "change_type"),
    "entitled_days": ("day", "person_id", "product"),
    "evaluated_use_cases": ("day", "use_case"),
    "measured_use_cases": ("day", "use_case"),
    "retrieved_documents": ("query_key", "document"),
    "roster_days": ("day", "person_id"),
    "trained_people": ("person_id",),
}
"""Columns that tell the rows of a fact apart, where its rows are not single events."""


@dataclass(frozen=True)
class Bench:
    """A database of its own and the columns of each fact."""

    con: duckdb.DuckDBPyConnection
    columns: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One database for every test of this module."""
    with warehouse(Path(":memory:"), threads=1) as con:
        create_schemas(con)
        yield Bench(con, bound_facts())


def together() -> list[tuple[str, ...]]:
    """The facts of the catalogue; those that one KPI reads together stand together."""
    found: list[set[str]] = []
    for metric in CATALOG.metrics.values():
        linked = [one for one in found if one & set(metric.facts)]
        merged = set(metric.facts).union(*linked)
        found = [one for one in found if one not in linked] + [merged] * bool(merged)
    return sorted(tuple(sorted(one)) for one in found)


OF_PEOPLE, MANY = ("entitled_days", "survey_answers", "csat_answers", "nps_answers"), 40
"""Facts of people, of whom many must come on one day for a value to be told: these are asked of crowds as well."""


def crowds_of(fact: str, columns: dict[str, str]) -> st.SearchStrategy[list[Row]]:
    """So many rows, each of another person, on three days."""
    name = "respondent" if "respondent" in columns else "person_id"
    return rows_of(fact, columns, at_least=MANY).map(
        lambda rows: [row | {"day": EDGES[6 * (n % 3)], name: f"member {n}"} for n, row in enumerate(rows)]
    )


def rows_of(fact: str, columns: dict[str, str], *, at_least: int) -> st.SearchStrategy[list[Row]]:
    """Up to 70 rows of a fact as it could give them."""
    drawn = st.fixed_dictionaries({name: _values(fact, name, kind) for name, kind in columns.items()})
    row = drawn.map(MADE_TRUE.get(fact, dict))
    return st.integers(at_least, 70).flatmap(lambda size: st.lists(row, min_size=size, max_size=size)).map(
        lambda rows: _told_apart(fact, columns, rows))  # fmt: skip


def _values(fact: str, name: str, kind: str) -> st.SearchStrategy[Any]:
    return OWN.get((fact, name), BY_COLUMN[name] if name in BY_COLUMN else BY_TYPE[kind])


def _told_apart(fact: str, columns: dict[str, str], rows: list[Row]) -> list[Row]:
    """Rows with a key of their own, or the first of each key; people in groups large enough to be shown."""
    if fact == "roster_days":
        rows = [row | {"day": EDGES[3 * (n % 3)]} for n, row in enumerate(rows)]
    if fact == "trained_people":
        rows = [row | {"person_id": f"member {n}", "day": EDGES[2 * (n % 4)]} for n, row in enumerate(rows)]
    if fact in ONE_EACH:
        return list({tuple(row[name] for name in ONE_EACH[fact]): row for row in rows[::-1]}.values())
    if "first_order" in columns:
        return [row | {"first_order": f"{row['day']}T{row['first_order']} {n}"} for n, row in enumerate(rows)]
    key = {"session_costs": "session_key", "survey_answers": "survey_id"}.get(fact)
    return [row | {key: f"{n}"} for n, row in enumerate(rows)] if key else rows


@pytest.mark.parametrize("facts", together(), ids=" ".join)
def test_the_engine_says_what_the_oracles_say(bench: Bench, facts: tuple[str, ...]) -> None:
    """Every KPI of the facts, in every period and slice: the same numbers, interval, status and hidden groups."""
    computed: Counter[str] = Counter()

    def hold(rows: dict[str, list[Row]]) -> None:
        frame, wrong = held_against(bench.con, bench.columns, rows)
        for kpi_id, row in zip(frame["kpi_id"], frame["value"].notna(), strict=True):
            computed[kpi_id] += int(row)
        assert not wrong, "\n".join([*map(str, wrong[:20]), *map(str, wrong[0].rows(rows))])

    @RANDOM
    @given(st.data())
    def check(data: st.DataObject) -> None:
        drawn = {fact: rows_of(fact, bench.columns[fact], at_least=1 - place) for place, fact in enumerate(facts)}
        hold({fact: data.draw(rows, label=fact) for fact, rows in drawn.items()})

    @RANDOM
    @given(st.data())
    def check_crowds(data: st.DataObject) -> None:
        hold({fact: data.draw(crowds_of(fact, bench.columns[fact]), label=fact) for fact in facts})

    check()
    if set(facts) <= set(OF_PEOPLE):
        check_crowds()
    assert min(computed.values()) >= 10, computed


def test_every_kpi_has_an_oracle() -> None:
    """A KPI that enters the catalogue needs one; what left it needs none."""
    measured = {kpi_id for kpi_id, metric in CATALOG.metrics.items() if metric.facts}
    assert sorted(measured - set(ORACLES)) == []
    assert sorted(set(CATALOG.metrics) - measured - set(FORMULAS)) == []
    assert sorted((set(ORACLES) | set(FORMULAS)) - set(CATALOG.metrics)) == []
