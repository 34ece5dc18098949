"""Which days of which facts new rows may have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from pipeline.facts import Fact, Sides, changed_tables, load_facts, open_days, touches


@dataclass(frozen=True)
class Dirty:
    """The days of one fact that are to be built anew: those of it in temp table `dirty`, from `first` to `last`."""

    fact: str
    first: str
    last: str
    days: int

    @property
    def is_run(self) -> bool:
        """Whether they are all the days from the first to the last."""
        return (date.fromisoformat(self.last) - date.fromisoformat(self.first)).days + 1 == self.days

    @property
    def condition(self) -> str:
        """SQL that holds for those days."""
        span = f"day >= DATE '{self.first}' AND day <= DATE '{self.last}'"
        return span if self.is_run else f"{span} AND day IN (SELECT day FROM dirty WHERE fact = '{self.fact}')"


def find_dirty(con: duckdb.DuckDBPyConnection, facts: list[str], *, since_load: int) -> dict[str, Dirty]:
    """Write the days that rows loaded from load `since_load` on may have changed into `dirty` (fact, day).

    Every rule is asked once, however many facts share it. A continuous fact has rows on days on which nothing happened:
    days it has no row of are asked for again when a table it reads has changed, else only days new in the calendar.
    """
    con.execute("CREATE OR REPLACE TEMP TABLE dirty(fact VARCHAR, day DATE)")
    if not facts:
        return {}
    changed = changed_tables(con, since_load=since_load)
    known = [load_facts()[name] for name in facts]
    rules = {fact.name: _rules(fact, changed, since_load) for fact in known}
    numbers = {sql: number for number, sql in enumerate(dict.fromkeys(sql for one in rules.values() for sql in one))}
    days = [f"SELECT {number} AS rule, day FROM ({sql})" for sql, number in numbers.items()]
    asked = [f"('{name}', {numbers[sql]})" for name, one in rules.items() for sql in one]
    con.execute(
        f"""INSERT INTO dirty
        WITH touching AS (SELECT DISTINCT rule, day FROM ({" UNION ALL ".join(days or [_NO_RULE])})),
        asked(fact, rule) AS (VALUES {", ".join(asked or ["('', -1)"])})
        SELECT fact, day FROM touching JOIN asked USING (rule) WHERE day IS NOT NULL {_open_days(known, rules)}"""
    )
    found = con.execute(
        "SELECT fact, min(day)::VARCHAR, max(day)::VARCHAR, count(*) FROM dirty GROUP BY fact"
    ).fetchall()
    return {fact: Dirty(fact, *rest) for fact, *rest in found}


def _open_days(facts: list[Fact], rules: dict[str, list[str]]) -> str:
    """SQL that adds the days of continuous facts that they may have rows of and had none before."""
    parts = [
        f"SELECT '{fact.name}' AS fact, day FROM ({open_days(fact)}) SEMI JOIN facts._calendar USING (day)"
        + ("" if rules[fact.name] else " WHERE day NOT IN (FROM states.calendar)")
        for fact in facts
        if fact.continuous
    ]
    if not parts:
        return ""
    return f"UNION (FROM ({' UNION ALL '.join(parts)}) WHERE (fact, day) NOT IN (FROM states.built))"


_NO_RULE = "SELECT -1 AS rule, CAST(NULL AS DATE) AS day"


def _rules(fact: Fact, changed: dict[str, Sides], since_load: int) -> list[str]:
    """SQL of the days of a fact that the changed tables touch."""
    return [
        sql
        for table in fact.reads
        if table in changed
        for sql in touches(fact, table, since_load=since_load, sides=changed[table])
    ]
