"""Building states: only for the days that new rows may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.engine.kinds import Leaf
from pipeline.engine.leaves import leaf_hash, leaves
from pipeline.engine.sets import begin_numbers, outgrown, packed
from pipeline.facts import Fact, calendar_worked_out, fact_sql, load_facts, rows_between, touched_days


@dataclass(frozen=True)
class Rebuilt:
    """Days of one fact whose states were built in a run."""

    fact: str
    days: int
    first_day: str
    last_day: str


def build_states(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    *,
    since_load: int,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Rebuilt]:
    """Bring the states of every fact up to date with the rows loaded from load `since_load` on.

    A fact whose definition or measures changed is built anew for every day. Returns what was built, per fact; the temp
    table `touched` (fact, day) holds which days that was, with an empty day for a fact that was built anew.
    """
    con.execute(
        "CREATE TABLE IF NOT EXISTS states.built(fact VARCHAR, day DATE);"
        "CREATE TABLE IF NOT EXISTS states.hashes(state VARCHAR PRIMARY KEY, hash VARCHAR, fact VARCHAR)"
    )
    con.execute("CREATE OR REPLACE TEMP TABLE touched(fact VARCHAR, day DATE)")
    wanted = leaves(catalog)
    _drop_unwanted(con, wanted)
    con.execute("SET preserve_insertion_order = false")  # a state is a set of rows
    try:
        with calendar_worked_out(con):
            return [entry for entry in _rebuilt(con, wanted, since_load=since_load, progress=progress) if entry.days]
    finally:
        con.execute("SET preserve_insertion_order = true")


def _rebuilt(
    con: duckdb.DuckDBPyConnection, wanted: dict[str, list[Leaf]], *, since_load: int, progress: Callable[[str], None]
) -> Iterator[Rebuilt]:
    for name, states in wanted.items():
        progress(name)
        fact = load_facts()[name]
        whole = _stale(con, states)
        if not whole and not _find_dirty(con, fact, since_load=since_load):
            continue
        if not whole:
            _lay_out(con, fact, states, source=_dirty_rows(con, fact))
            whole = any(outgrown(con, leaf.sql, fact=name) for leaf in states)
        if whole:
            con.execute("DELETE FROM states.built WHERE fact = ?", [fact.name])
            _lay_out(con, fact, states, source=f"facts.{name}")
        for leaf in states:
            _build(con, leaf, whole=whole)
        if whole:
            con.execute(f"CREATE OR REPLACE TEMP TABLE dirty AS SELECT DISTINCT day FROM states.cells_{name}")
        con.execute(f"DROP VIEW IF EXISTS rows_{name}" if _is_plain(fact) else f"DROP TABLE rows_{name}")
        yield _enter(con, fact, whole=whole)


def _is_plain(fact: Fact) -> bool:
    """Whether a fact is its table under other names, so that its rows need not be worked out once for all states."""
    return not re.search(r"\b(join|group|distinct|over|union)\b", fact_sql(fact), re.IGNORECASE)


def _dirty_rows(con: duckdb.DuckDBPyConnection, fact: Fact) -> str:
    """SQL of the rows of a fact on the days in `dirty`."""
    ((first, last),) = con.execute("SELECT min(day)::VARCHAR, max(day)::VARCHAR FROM dirty").fetchall()
    days = f"day >= DATE '{first}' AND day <= DATE '{last}' AND day IN (SELECT day FROM dirty)"
    return f"({rows_between(fact, first, last)} WHERE {days})"


def _lay_out(con: duckdb.DuckDBPyConnection, fact: Fact, states: list[Leaf], *, source: str) -> None:
    """Read the rows of a fact once for all its states, with the columns they use, into table `rows_<fact>`."""
    if _is_plain(fact):
        con.execute(f"CREATE OR REPLACE TEMP VIEW rows_{fact.name} AS SELECT * FROM {source}")
        return
    used = set(re.findall(r"\w+", " ".join(leaf.sql for leaf in states)))
    described = con.execute(f"DESCRIBE facts.{fact.name}").fetchall()
    columns = ", ".join(str(row[0]) for row in described if row[0] in used or row[0] == "day")
    con.execute(f"CREATE OR REPLACE TEMP TABLE rows_{fact.name} AS SELECT {columns} FROM {source}")


def _drop_unwanted(con: duckdb.DuckDBPyConnection, wanted: dict[str, list[Leaf]]) -> None:
    keep = {leaf.table for states in wanted.values() for leaf in states}
    for (state,) in con.execute("SELECT state FROM states.hashes").fetchall():
        if state not in keep:
            con.execute(f"DROP TABLE IF EXISTS states.{state}")
            con.execute("DELETE FROM states.hashes WHERE state = ?", [state])


def _stale(con: duckdb.DuckDBPyConnection, states: list[Leaf]) -> bool:
    held = dict(con.execute("SELECT state, hash FROM states.hashes").fetchall())
    return any(held.get(leaf.table) != leaf_hash(leaf) for leaf in states)


def _find_dirty(con: duckdb.DuckDBPyConnection, fact: Fact, *, since_load: int) -> bool:
    """Write the days that new rows may have changed into `dirty`; false when there are none."""
    source = f"SELECT day FROM ({touched_days(fact, since_load=since_load)}) AS touched"
    if fact.continuous:  # days on which nothing happened are days of it, too
        built = f"SELECT day FROM states.built WHERE fact = '{fact.name}'"
        source += f" UNION SELECT day FROM facts._calendar WHERE day NOT IN ({built})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE dirty AS {source}")
    ((days,),) = con.execute("SELECT count(*) FROM dirty").fetchall()
    return bool(days)


def _build(con: duckdb.DuckDBPyConnection, leaf: Leaf, *, whole: bool) -> None:
    if leaf.through is not None:
        _build_through(con, leaf, whole=whole)
    elif whole:
        begin_numbers(con, leaf.sql, fact=leaf.fact)
        con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table} AS {packed(con, leaf.sql, fact=leaf.fact)}")
    else:
        con.execute(f"DELETE FROM states.{leaf.table} WHERE day IN (SELECT day FROM dirty)")
        con.execute(f"INSERT INTO states.{leaf.table} {packed(con, leaf.sql, fact=leaf.fact)}")
    con.execute("INSERT OR REPLACE INTO states.hashes VALUES (?, ?, ?)", [leaf.table, leaf_hash(leaf), leaf.fact])


def _build_through(con: duckdb.DuckDBPyConnection, leaf: Leaf, *, whole: bool) -> None:
    """Build a state that no SQL can work out: rows go through a function on their way into the table."""
    assert leaf.through is not None  # noqa: S101 - the caller asked
    if whole:
        con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table}({leaf.types})")
    else:
        con.execute(f"DELETE FROM states.{leaf.table} WHERE day IN (SELECT day FROM dirty)")
    frame = con.execute(leaf.sql).df()
    if not frame.empty:
        con.register("through_rows", leaf.through(frame))
        con.execute(f"INSERT INTO states.{leaf.table} BY NAME SELECT * FROM through_rows ORDER BY ALL")
        con.unregister("through_rows")


def _enter(con: duckdb.DuckDBPyConnection, fact: Fact, *, whole: bool) -> Rebuilt:
    """Note the days built; days on which the fact has no row, before and after, are not counted."""
    con.execute(
        f"""DELETE FROM dirty WHERE day NOT IN (SELECT day FROM states.cells_{fact.name})
            AND day NOT IN (SELECT day FROM states.built WHERE fact = ?)""",
        [fact.name],
    )
    if not whole:
        con.execute("DELETE FROM states.built WHERE fact = ? AND day IN (SELECT day FROM dirty)", [fact.name])
    con.execute("INSERT INTO states.built SELECT ?, day FROM dirty ORDER BY day", [fact.name])
    con.execute("INSERT INTO touched SELECT ?, day FROM dirty", [fact.name])
    if whole:
        con.execute("INSERT INTO touched VALUES (?, NULL)", [fact.name])
    counted = "SELECT count(*), coalesce(min(day)::VARCHAR, ''), coalesce(max(day)::VARCHAR, '') FROM dirty"
    ((days, first_day, last_day),) = con.execute(counted).fetchall()
    return Rebuilt(fact.name, days, first_day, last_day)
