"""KPIs that count what people did: two editions of them give no group of a few people away, in total or by slice."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import combinations

import duckdb
import numpy as np
import pandas as pd
import pytest
from engine_room import CATALOG, empty, values
from numpy.typing import NDArray
from oracles import put, restricted
from oracles_intervals import Row
from test_suppression import in_span

from pipeline.assurance import bound_facts
from pipeline.catalog.people import PERSON, PERSON_COLUMNS, SMALLEST_GROUP, are_of_people, tells_of_people
from pipeline.engine.editions import create_editions, store_edition
from pipeline.facts import facts_of_deeds

ORGANISATIONS = int(os.environ.get("ROI_PROOF_GROUPED", "0"))
BEGIN, DAYS = date(2026, 3, 2), 35
"""From a Monday on, so that weeks, a month and windows of 28 days lie crosswise."""
SUMS = {
    "hours_saved": {"numerator": "hours", "n": "verified"},
    "task_success_rate": {"numerator": "successes", "denominator": "tasks"},
    "token_cost_per_session": {"numerator": "cost", "denominator": "sessions"},
    "cost_per_successful_task": {"numerator": "cost", "denominator": "successes"},
    "deflection_rate": {"numerator": "settled", "denominator": "contacts"},
    "deflection_claim_gap": {"n": "contacts"},
    "hallucination_report_rate": {"numerator": "reports", "denominator": "sessions"},
    "safety_violation_rate": {"numerator": "violations", "denominator": "audited"},
    "p95_latency": {"n": "requests"},
    "request_throughput": {"n": "requests"},
    "rate_limit_incidents": {"n": "provider_calls"},
    "tool_error_rate": {"numerator": "tool_errors", "denominator": "tool_calls"},
    "cache_hit_rate": {"numerator": "tokens_read", "denominator": "tokens"},
    "flagged_output_rate": {"numerator": "flags", "denominator": "screened"},
    "grounded_answer_rate": {"numerator": "grounded", "denominator": "claims"},
}
"""Which sum each number of a KPI tells, from whatever fact; conversion_uplift, of units of one day, has none."""
FACT_OF = {"hours": "verified_tasks", "verified": "verified_tasks", "tasks": "started_tasks",
           "successes": "started_tasks", "cost": "session_costs", "sessions": "session_costs", "settled": "contacts",
           "contacts": "contacts", "reports": "reportable_sessions", "violations": "audited_sessions",
           "audited": "audited_sessions", "requests": "requests", "provider_calls": "provider_calls",
           "tool_errors": "tool_calls", "tool_calls": "tool_calls", "tokens_read": "cacheable_calls",
           "tokens": "cacheable_calls", "flags": "screened_outputs", "screened": "screened_outputs",
           "grounded": "evaluated_answers", "claims": "evaluated_answers"}  # fmt: skip
QUICK = [
    ("cost", "department"),
    ("sessions", "use_case"),
    ("successes", "intent"),
    ("hours", ""),
    ("contacts", "topic"),
    ("requests", "use_case"),
]
"""Sums and dimensions that are solved in `make test`; `make proof-groups` solves all."""
Facts = dict[str, list[Row]]
Sums = NDArray[np.float64]


def solved() -> list[tuple[str, str]]:
    """Every sum, in total and by every dimension of a KPI that tells it."""
    if not ORGANISATIONS:
        return QUICK
    return sorted({(what, one) for kpi, sums in SUMS.items() for what in sums.values()
                   for one in ("", *CATALOG.metrics[kpi].dimensions)})  # fmt: skip


def crowd(chance: random.Random) -> Facts:
    """Teams of one to eight people and one of thirty; who works on a day has a session, and often a task in it.

    Of a few sessions a day nobody knows whose they are. Most work at one use case and intent, and a few at others.
    """
    sizes = [chance.randint(1, 8) for _ in range(chance.randint(2, 4))] + [30]
    facts = no_rows()
    known = ((f"p{team}x{at}", f"team {team}") for team, size in enumerate(sizes) for at in range(size))
    people: list[tuple[str | None, str]] = [*known, *[(None, "unknown")] * 3]
    for day, (at, (person, team)) in ((day, one) for day in range(DAYS) for one in enumerate(people)):
        if chance.random() < (0.15 if day % 7 < 5 else 0.03):
            moved = "team 0" if person == "p1x0" and day > 20 else team
            worked(chance, facts, {"day": BEGIN + timedelta(day), "person_id": person, "department": moved,
                                  "use_case": _mostly(chance), "intent": _mostly(chance), "topic": _mostly(chance),
                                  "channel": _mostly(chance), "session_key": f"{at} {day}"})  # fmt: skip
    return facts


def no_rows() -> Facts:
    """Every fact that these KPIs read, with no rows yet."""
    return {fact: [] for fact in (*FACT_OF.values(), "claimed_contacts", "labelled_answers")}


def _mostly(chance: random.Random) -> str:
    return chance.choice("aaaaaaabbc")


def worked(chance: random.Random, facts: Facts, row: Row) -> None:
    """Put down a session, and what may come with it."""
    key, cost = row["session_key"], Decimal(chance.randint(1, 99)) / 100
    is_settled, is_claimed, is_reported, is_violation, is_success = (chance.randint(0, 1) for _ in range(5))
    facts["session_costs"].append(row | {"sessions": 1, "cost_usd": cost, "unknown_costs": 0})
    facts["contacts"].append(row | {"contact_id": key, "is_deflected": is_settled})
    facts["claimed_contacts"].append(row | {"contact_id": key, "is_deflected": is_settled, "is_claimed": is_claimed})
    facts["reportable_sessions"].append(row | {"is_reported": is_reported, "is_confirmed": 0})
    if chance.random() < 0.3:
        facts["audited_sessions"].append(row | {"is_violation": is_violation, "is_severe": 0})
    calls = random.Random(f"{key} {cost}")
    for at in range(calls.randint(1, 2)):
        called(calls, facts, row | {"call_id": f"{key} {at}"})
    if chance.random() < 0.7:
        task = row | {"task_id": key, "user_key": row["person_id"] or key}
        facts["started_tasks"].append(task | {"is_success": is_success})
        if is_success:
            facts["verified_tasks"].append(task | {"hours_saved": Decimal(chance.randint(-9, 9)) / 4})


def called(chance: random.Random, facts: Facts, row: Row) -> None:
    """Put down a request, the calls that were made for it, and what was found of its answer."""
    fails, called_at = chance.randint(0, 1), datetime.combine(row["day"], time(chance.randint(0, 23)), UTC)
    row = {"provider": _mostly(chance), "tool": _mostly(chance), "evaluator_kind": _mostly(chance)} | row
    row |= {"model": f"{row['provider']}{chance.choice('xxy')}", "started_at": called_at, "judge": None}
    facts["requests"].append(row | {"latency_s": chance.random(), "is_error": fails, "is_ok": 1 - fails})
    facts["provider_calls"].append(row | {"is_rate_limited": fails})
    facts["cacheable_calls"].append(
        row | {"tokens_in": chance.randint(9, 99), "tokens_cache_read": chance.randint(0, 9)}
    )
    if chance.random() < 0.5:
        facts["tool_calls"].append(row | {"is_error": fails})
        facts["screened_outputs"].append(row | {"score_id": row["call_id"], "is_flagged": fails})
        facts["evaluated_answers"].append(row | {"score_id": row["call_id"], "has_claims": 1, "is_grounded": fails})


def two_editions(con: duckdb.DuckDBPyConnection, facts: Facts, until: int) -> Iterator[tuple[pd.DataFrame, int]]:
    """What was told before day `until` and at the end, each with the day after its data."""
    create_editions(con)
    for number, end in enumerate((until, DAYS), 1):
        last = BEGIN + timedelta(end - 1)
        held = {fact: [row for row in rows if row["day"] <= last] for fact, rows in facts.items()}
        put(con, bound_facts(), held)
        frame = values(
            con, restricted([kpi for kpi in SUMS if any(facts[one] for one in _facts_of(kpi))]), made_up=False
        )
        store_edition(con, frame, as_of=str(last), catalog_hash="c", input_hash=f"{number}", run_id=number,
                      why="more days", notes={})  # fmt: skip
        yield frame, (max(row["day"] for rows in held.values() for row in rows) - BEGIN).days + 1


def _facts_of(kpi: str) -> tuple[str, ...]:
    return CATALOG.metrics[kpi].counted_facts


@dataclass(frozen=True)
class Cells:
    """Sums by day and slice of a dimension that nobody was told; an equation has 1 for each that it adds up."""

    dimension: str
    names: list[str]

    @classmethod
    def of(cls, dimension: str, facts: Facts) -> Cells:
        """The slices there are; in total there is one, without a name."""
        every = {row[dimension] for rows in facts.values() for row in rows if dimension in row} if dimension else {""}
        return cls(dimension, sorted(every))

    def row(self, first: int, end: int, names: tuple[str, ...] = ()) -> Sums:
        """What a window adds up, in total or of some slices."""
        cells = np.zeros((DAYS, len(self.names)))
        cells[first:end, [at for at, name in enumerate(self.names) if not names or name in names]] = 1
        return cells.ravel()


def equations(cells: Cells, editions: list[tuple[pd.DataFrame, int]], what: str) -> Sums:
    """Every told sum of one kind; a slice that has no row beside a total has nothing, which is told as well."""
    found = []
    for frame, until in editions:
        shown = frame[frame["dimension"].isin(["", cells.dimension])]
        keys = ["kpi_id", "grain", "period_start", "period_end", "dimension_value"]
        told, listed = (
            set(rows[keys].itertuples(index=False, name=None))
            for rows in (shown[~shown["reason"].str.startswith("suppressed")], shown)
        )
        for kpi in (kpi for kpi, sums in SUMS.items() if what in sums.values()):
            if cells.dimension not in ("", *CATALOG.metrics[kpi].dimensions):
                continue
            for key in {key[:4] for key in listed if key[0] == kpi}:
                span = (max((key[2] - BEGIN).days, 0), min((key[3] - BEGIN).days, until))
                known = [name for name in {"", *cells.names} if (*key, name) in told or (*key, name) not in listed]
                found += [cells.row(*span, (name,) if name else ()) for name in known]
    return np.unique(np.array(found), axis=0)


def small_groups(cells: Cells, rows: list[Row]) -> Sums:
    """Slices, one or two or all or all but one, between any two days, whose rows are of few people.

    These are one to four people, without as many and more sessions of nobody known beside them.
    """
    known = np.zeros((DAYS, len(cells.names)), dtype=object)
    strangers = np.zeros((DAYS, len(cells.names)), dtype=int)
    for at in np.ndindex(known.shape):
        known[at] = set()
    for row in rows:
        at = (row["day"] - BEGIN).days, cells.names.index(row[cells.dimension] if cells.dimension else "")
        known[at] |= {row["person_id"]} - {None}
        strangers[at] += row["person_id"] is None
    found, many = [], len(cells.names)
    unions = {names for size in {1, 2, many - 1, many} - {0} for names in combinations(range(many), size)}
    for first, end in combinations(range(DAYS + 1), 2):
        for names in sorted(unions):
            people = len(set().union(*known[first:end, list(names)].ravel()))
            more = strangers[first:end, list(names)].sum()
            if people < SMALLEST_GROUP and more < SMALLEST_GROUP and people + more:
                found.append(cells.row(first, end, tuple(cells.names[at] for at in names)))
    return np.array(found)


@pytest.mark.parametrize("seed", sorted({*range(ORGANISATIONS), 21}))
def test_two_editions_give_no_small_group_away(seed: int) -> None:
    """No sum of what one to four people did follows from what was told, in total or by any dimension.

    In organisation 21 rows of nobody known outgrow a team from one edition to the next.
    """
    chance = random.Random(seed)
    facts = crowd(chance)
    with empty() as con:
        editions = list(two_editions(con, facts, chance.randint(9, 33)))
    for what, dimension in solved():
        cells = Cells.of(dimension, facts)
        small, told = small_groups(cells, facts[FACT_OF[what]]), equations(cells, editions, what)
        assert len(told) > (5 if dimension else 2), (what, dimension)
        assert len(small) >= (100 if dimension else 10), (what, dimension)
        found = in_span(told, small)
        assert not found.any(), (what, dimension, small[found][0].reshape(DAYS, -1).nonzero())


def test_the_solver_finds_small_groups_where_nothing_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: told everything, the solver has most of the small groups."""
    monkeypatch.setattr("pipeline.engine.values.suppress", lambda con, frame, *_, **__: frame)
    facts = crowd(random.Random(0))
    with empty() as con:
        editions = list(two_editions(con, facts, 20))
    for what, dimension in QUICK:
        cells = Cells.of(dimension, facts)
        found = in_span(equations(cells, editions, what), small_groups(cells, facts[FACT_OF[what]]))
        assert found.mean() > 0.5, (what, dimension)


def test_a_month_is_told_when_it_is_over_whatever_nights_before_told() -> None:
    """Of thirty people some nine work on a weekday and one on a Sunday: April is told, and so are most 28 days.

    No night tells of days that would leave few people to the end of the week or of April, so none of a Saturday does.
    """
    chance = random.Random(1)
    rows: list[Row] = []
    row: Row = {"use_case": "a", "department": "d", "sessions": 1, "cost_usd": Decimal("0.5"), "unknown_costs": 0}
    for day in range(61):
        many = 1 if day % 7 == 6 else chance.randint(7, 11)
        rows += [row | {"day": BEGIN + timedelta(day), "person_id": f"p{who}", "session_key": f"{day} {who}"}
                 for who in chance.sample(range(30), many)]  # fmt: skip
    told = set()
    with empty() as con:
        create_editions(con)
        for number, end in enumerate((41, 48, 49, 51, 55, 56, 57, 58, 61), 1):
            last = BEGIN + timedelta(end - 1)
            put(con, bound_facts(), {"session_costs": [row for row in rows if row["day"] <= last]})
            frame = values(con, restricted(["token_cost_per_session"]), made_up=False)
            store_edition(con, frame, as_of=str(last), catalog_hash="c", input_hash=f"{number}", run_id=number,
                          why="more days", notes={})  # fmt: skip
            newest = frame[(frame["grain"] == "28d") & (frame["period_end"] == last + timedelta(1))]
            told |= {end for one in newest.itertuples() if one.dimension == "use_case" and not np.isnan(one.value)}
    assert told == {49, 51, 56, 57, 58}
    april = frame[(frame["grain"] == "month") & (frame["period_start"] == date(2026, 4, 1))]
    assert april["value"].notna().all()
    assert set(april["dimension"]) == {"", "use_case", "department"}


def _told(crew: Sequence[tuple[str | None, str, int]]) -> pd.DataFrame:
    """What is told of sessions of (who, use case, day)."""
    rows = [{"day": BEGIN + timedelta(day), "use_case": case, "department": "d", "person_id": who, "sessions": 1,
             "cost_usd": Decimal("0.5"), "unknown_costs": 0, "session_key": f"{at}"}
            for at, (who, case, day) in enumerate(crew)]  # fmt: skip
    with empty() as con:
        put(con, bound_facts(), {"session_costs": rows})
        return values(con, restricted(["token_cost_per_session"]), made_up=False)


def _day(frame: pd.DataFrame, day: int) -> dict[str, tuple[str, str]]:
    """(status, reason) of a day in total, named '', and by use case."""
    found = frame[(frame["grain"] == "day") & (frame["period_start"] == BEGIN + timedelta(day))]
    return {one.dimension_value: (one.status, one.reason) for one in found.itertuples()
            if one.dimension in ("", "use_case")}  # fmt: skip


def test_a_withheld_slice_looks_like_one_with_nobody() -> None:
    """Two of law and nobody of sales: both have a row that says the same, so neither can be told from the other."""
    crew = [("law", 2, 0), ("support", 9, 0), ("sales", 3, 1), ("support", 9, 1)]
    told = _day(_told([(f"{case}{at}", case, day) for case, size, day in crew for at in range(size)]), 0)
    assert set(told) == {"", "law", "sales", "support"}
    assert told["law"] == told["sales"]
    assert all(reason.startswith("suppressed") for name, (_, reason) in told.items() if name)
    assert not told[""][1].startswith("suppressed")


def test_a_total_of_few_people_is_withheld() -> None:
    """Four people with fifty sessions are four; five of the day before are not told, for all days but theirs are."""
    crew = [(f"p{at}", "a", 0) for at in range(5)] + [(f"p{at % 4}", "a", 1) for at in range(50)]
    told = _told(crew + [(f"p{at}", "a", 2) for at in range(5)])
    assert [_day(told, day)[""][1].startswith("suppressed") for day in range(3)] == [True, True, False]


def test_sessions_of_nobody_known_are_told_when_they_are_five() -> None:
    """An assistant for the public knows nobody: of its sessions each may be that of another person."""
    public = _told([(None, "a", 0)] * 5 + [(None, "a", 1)] * 4 + [("p", "a", 2), *[(None, "a", 2)] * 3])
    assert [_day(public, day)[""][1].startswith("suppressed") for day in range(3)] == [False, True, True]


def _told_by_day(kpi: str, dimension: str, **facts: list[Row]) -> set[str]:
    """The slices that a KPI tells of the first day; what rows do not say is the same for all."""
    row: Row = {"day": BEGIN, "use_case": "a", "department": "d", "provider": "x", "model": "m", "judge": None,
                "started_at": datetime.combine(BEGIN, time(9), UTC), "latency_s": 1.0, "is_ok": 1, "is_error": 0,
                "sessions": 1, "cost_usd": Decimal(1), "unknown_costs": 0, "is_grounded": 1,
                "evaluator_kind": "human"}  # fmt: skip
    with empty() as con:
        put(con, bound_facts(), {fact: [row | one for one in rows] for fact, rows in facts.items()})
        kpis = [kpi, *(["token_cost_per_session"] if "session_costs" in facts else [])]
        frame = values(con, restricted(kpis), made_up=False)
    day = frame[(frame["kpi_id"] == kpi) & (frame["grain"] == "day") & (frame["dimension"] == dimension)]
    return set(day.loc[~day["reason"].str.startswith("suppressed"), "dimension_value"])


@pytest.mark.parametrize(("sessions", "told"), [(4, set()), (5, {"x", "y", "z"})])
def test_a_session_of_nobody_known_is_one_in_whatever_slices_it_stands(sessions: int, told: set[str]) -> None:
    """Four anonymous sessions call three providers each: that is twelve calls, and four people at the most."""
    calls = [{"call_id": f"{at}{name}", "session_key": f"s{at}", "person_id": None, "provider": name}
             for at in range(sessions) for name in "xyz"]  # fmt: skip
    assert _told_by_day("request_throughput", "provider", requests=calls) == told
    assert _told_by_day("request_throughput", "", requests=calls) == ({""} if told else set())


@pytest.mark.parametrize(("claims", "told"), [(4, set()), (5, {""})])
def test_an_answer_that_claims_nothing_is_nobodys(claims: int, told: set[str]) -> None:
    """Six people's answers were judged; only those that claim something are in the denominator."""
    answers = [{"score_id": f"{at}", "session_key": f"s{at}", "person_id": f"p{at}", "has_claims": int(at < claims)}
               for at in range(6)]  # fmt: skip
    assert _told_by_day("grounded_answer_rate", "", evaluated_answers=answers, labelled_answers=[]) == told


def test_requests_are_withheld_where_their_sessions_are() -> None:
    """A session at `a` sent nothing: `b` is withheld beside it, and its requests would tell its five sessions."""
    sessions = [{"use_case": case, "person_id": f"{case}{at}", "session_key": f"{case}{at}"}
                for case, size in (("a", 1), ("b", 5), ("c", 9)) for at in range(size)]  # fmt: skip
    calls = [one | {"call_id": one["session_key"]} for one in sessions if one["use_case"] != "a"]
    assert _told_by_day("request_throughput", "use_case", requests=calls) == {"b", "c"}
    assert _told_by_day("request_throughput", "use_case", requests=calls, session_costs=sessions) == {"c"}


def test_a_slice_that_benefits_need_is_not_withheld_for_the_sake_of_another() -> None:
    """One person works at `rare`: withheld with it is not `contract_review`, the smaller one, which a line reads."""
    sizes = {"rare": 1, "contract_review": 6, "other": 9}
    rows = [{"day": BEGIN, "use_case": case, "intent": "x", "department": "d", "person_id": f"{case}{at}",
             "user_key": f"{case}{at}", "task_id": f"{case}{at}", "is_success": 1}
            for case, size in sizes.items() for at in range(size)]  # fmt: skip
    told = {}
    for benefits in ({}, CATALOG.benefits):
        with empty() as con:
            put(con, bound_facts(), {"started_tasks": rows})
            catalog = restricted(["task_success_rate"]).model_copy(update={"benefits": benefits})
            frame = values(con, catalog, made_up=False)
        day = frame[(frame["grain"] == "day") & (frame["dimension"] == "use_case") & frame["value"].notna()]
        told[bool(benefits)] = set(day["dimension_value"])
    assert told == {False: {"other"}, True: {"contract_review"}}


def test_facts_of_deeds_say_whose_each_row_is() -> None:
    """Every fact that names the person of each row is counted by people, or by a KPI that counts people itself."""
    counting = {fact for one in CATALOG.metrics.values() if one.people for fact in one.counted_facts}
    named = {fact for fact, columns in bound_facts().items() if PERSON in columns}
    deeds = facts_of_deeds()
    assert deeds <= named
    assert named - deeds <= counting
    counted = {kpi for kpi, one in CATALOG.metrics.items() if not one.people and tells_of_people(one, deeds)}
    assert counted == {*SUMS, "conversion_uplift"}


def test_a_fact_of_people_is_one_of_deeds_or_its_kpis_say_people() -> None:
    """By their columns the check knows the facts that withhold nothing by themselves: of people, not of deeds."""
    for fact, columns in bound_facts().items():
        has_people = not PERSON_COLUMNS.isdisjoint(columns)
        assert are_of_people(columns) == (has_people and fact not in facts_of_deeds()), fact
