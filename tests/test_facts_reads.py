"""What facts declare to read is what they read: late, changed and withdrawn rows rebuild every day they touch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
from engine_room import empty

from pipeline.facts import Fact, fact_sql, load_facts, open_days, rows_between, touched_days
from pipeline.tables import Column, Table, load_tables

SEED, FIRST, DAYS, ROWS = 4, date(2026, 1, 1), 90, 60
SIDES = ("copy", "facts")
# Names that several tables share are few, so that rows of one table find their counterparts in another.
# What few rows of chance would hit: words that facts look for, and as often as they do.
WORDS = {
    "metric": ["safety_violation", "safety_violation", "refusal", "grounded", "safety_flag", "margin"],
    "label": ["violation_high", "clear", "correct_refusal", "over_refusal", "grounded", "flagged"],
    "environment": ["production", "production", "staging"],
    "status": ["ok", "completed", "error"],
    "stage": ["pilot", "production", "production", "retired"],
    "outcome_source": ["verified", "self_reported"],
    "use_case_id": ["draft", "search", "support"],
    "tier_rule": ["standard"],
    "currency": ["USD"],
    "variant": ["new", "old", "ai", "baseline"],
    "design": ["randomised", "randomised", "staggered"],
    "treated": ["new"],
    "control": ["old"],
    "judgement_version": ["qrels-1", "qrels-2"],
    "suite_version": ["qrels-1", "qrels-2"],
    "target_type": ["session", "session", "call", "trace", "task", "item"],
    "evaluator_kind": ["human", "human", "model"],
    "prompt_name": ["answer"],
    "prompt_version": ["1", "2"],
    "model": ["small"],
    "provider": ["one"],
    "scale_max": [10],
    "is_synthetic": [False, False, False, True],
    "is_service_account": [False, False, True],
    "is_required": [True],
    "is_batch": [False],
    "response_cache_hit": [False],
    "purpose": ["user"],
    "http_status": [200, 429],
    "outcome": ["success"],
}
SAME = {"alias_id": ["person_id"], "requester_id": ["person_id"], "rollback_of": ["deployment_id"],
        "caused_by_deployment_id": ["deployment_id"],
        "target_id": ["session_id", "call_id", "trace_id", "task_id"]}  # fmt: skip
"""Columns that name what others do, one of several kinds of things."""
FEW = {"person_id": 5, "use_case_id": 2, "run_id": 12, "exp_id": 4, "query_id": 3, "doc_id": 4, "topic": 2,
       "product": 2, "course_id": 2}  # fmt: skip
"""How many different ones there are of some; of the others 60."""
SPARSE = {"people": 5, "use_cases": 6, "prices": 8, "training": 14, "identities": 2}
"""Rows a night of what touches many days; of the others 60."""
Row = dict[str, Any]


def _value(chance: random.Random, column: Column) -> Any:
    if not column.required and column.name != "parent_call_id" and chance.random() < 0.15:
        return None
    name, moment = chance.choice(SAME.get(column.name, [column.name])), FIRST + timedelta(days=chance.randrange(DAYS))
    if column.values:
        fitting = [one for one in WORDS.get(name, ()) if one in column.values]
        return chance.choice(fitting or column.values)
    if name in WORDS:
        return chance.choice(WORDS[name])
    if column.column_type.is_moment:
        return (
            moment if column.sql_type == "DATE" else datetime(*moment.timetuple()[:3], chance.randrange(24), tzinfo=UTC)
        )
    if column.type == "flag":
        return chance.random() < 0.6
    if column.sql_type == "VARCHAR":
        return None if name == "parent_call_id" else f"{name} {chance.randrange(FEW.get(name, 60))}"
    return chance.randrange(11)


def _row(chance: random.Random, table: Table) -> Row:
    """A row as the contract lets it in: what must not run backwards does not."""
    row = {column.name: _value(chance, column) for column in table.columns}
    for earlier, later in table.ordered:
        if row[earlier] is not None and row[later] is not None and row[earlier] > row[later]:
            row[later] = row[earlier]
    return row


def _nights(seed: int) -> Iterator[dict[str, list[Row]]]:
    """All tables, all but the names of people, then each table alone, so that no other has its days built as well.

    Each key comes once a night; of many there are later versions.
    """
    tables = list(load_tables())
    others = [name for name in tables if name != "identities"]
    for night, names in enumerate([tables, others, *([name] for name in tables)]):
        yield {name: _once(load_tables()[name], random.Random(f"{seed} {night} {name}")) for name in names}


def _once(table: Table, chance: random.Random) -> list[Row]:
    rows = [_row(chance, table) for _ in range(SPARSE.get(table.name, ROWS))]
    return list({tuple(row[name] for name in table.key): row for row in rows}.values())


def _take_in(con: duckdb.DuckDBPyConnection, name: str, rows: list[Row], load: int) -> None:
    """Enter rows; earlier versions of them move into the history, as the loader moves them."""
    keys = ", ".join(f'"{key}"' for key in load_tables()[name].key)
    con.execute(f"CREATE OR REPLACE TEMP TABLE arrived AS SELECT * FROM core.{name} LIMIT 0")
    names = ", ".join(f'"{column}"' for column in [*rows[0], "_load_id"])
    marks = ", ".join("(" + ", ".join("?" for _ in range(len(rows[0]) + 1)) + ")" for _ in rows)
    con.execute(
        f"INSERT INTO arrived ({names}) VALUES {marks}", [value for row in rows for value in (*row.values(), load)]
    )
    replaced = f"({keys}) IN (SELECT ({keys}) FROM arrived)"
    con.execute(
        f"INSERT INTO history.{name} BY NAME SELECT *, {load} AS _replaced_by FROM core.{name} WHERE {replaced}"
    )
    con.execute(f"DELETE FROM core.{name} WHERE {replaced}")
    con.execute(f"INSERT INTO core.{name} SELECT * FROM arrived")


def _keep_up(con: duckdb.DuckDBPyConnection, fact: Fact, night: int) -> None:
    """Bring a copy of a fact up to date by building only the days it says are touched, as states are built."""
    built = f"SELECT day FROM copy.built WHERE fact = '{fact.name}'"
    calendar = f" UNION (SELECT day FROM ({open_days(fact)}) WHERE day NOT IN ({built}))" if fact.continuous else ""
    con.execute(f"CREATE OR REPLACE TEMP TABLE dirty AS {touched_days(fact, since_load=night)}{calendar}")
    copy, days = f"copy.{fact.name}", "WHERE day IN (SELECT day FROM dirty)"
    con.execute(f"CREATE TABLE IF NOT EXISTS {copy} AS SELECT * FROM facts.{fact.name} LIMIT 0")
    ((first, last),) = con.execute("SELECT min(day)::VARCHAR, max(day)::VARCHAR FROM dirty").fetchall()
    if first is not None:
        con.execute(f"DELETE FROM {copy} {days}; INSERT INTO {copy} {rows_between(fact, first, last)} {days}")
    con.execute(f"INSERT INTO copy.built SELECT DISTINCT '{fact.name}', day FROM {copy} WHERE day NOT IN ({built})")


def _stale(con: duckdb.DuckDBPyConnection, fact: Fact) -> list[Any]:
    """Rows of the copy that the fact has no more, and the other way round."""
    gone, missing = (
        f"FROM {one}.{fact.name} EXCEPT ALL FROM {other}.{fact.name}" for one, other in (SIDES, SIDES[::-1])
    )
    return con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM ({gone} UNION ALL ({missing}))").fetchall()


def test_late_and_changed_rows_rebuild_every_day_they_touch() -> None:
    """Rows of every table over many nights, with versions that replace others: no day of any fact stays as it was."""
    facts = [fact for fact in load_facts().values() if not fact.helper]
    with empty() as con:
        con.execute("CREATE SCHEMA copy; CREATE TABLE copy.built(fact VARCHAR, day DATE)")
        for night, arrivals in enumerate(_nights(SEED), start=1):
            for name, rows in arrivals.items():
                _take_in(con, name, rows, night)
            for fact in facts:
                if any(f"core.{name} " in f"{fact_sql(fact)} ".replace("\n", " ") for name in arrivals):
                    _keep_up(con, fact, night)
                    assert _stale(con, fact) == [], (fact.name, list(arrivals))
        held = {fact.name: con.execute(f"SELECT count(*) FROM copy.{fact.name}").fetchall()[0][0] for fact in facts}
    assert all(held.values()), held
