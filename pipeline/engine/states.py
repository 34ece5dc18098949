"""Building states: only for the days that new rows may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.engine.kinds import Leaf
from pipeline.engine.leaves import leaf_hash, leaves
from pipeline.facts import Fact, load_facts, touched_days


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

    A fact whose definition or measures changed is built anew for every day. Returns what was built, per fact.
    """
    con.execute(
        "CREATE TABLE IF NOT EXISTS states.built(fact VARCHAR, day DATE);"
        "CREATE TABLE IF NOT EXISTS states.hashes(state VARCHAR PRIMARY KEY, hash VARCHAR, fact VARCHAR)"
    )
    wanted = leaves(catalog)
    _drop_unwanted(con, wanted)
    rebuilt = []
    for name, states in wanted.items():
        progress(name)
        fact = load_facts()[name]
        whole = _stale(con, states)
        if whole:
            con.execute("DELETE FROM states.built WHERE fact = ?", [fact.name])
            _lay_out(con, fact, states, only="")
            con.execute(f"CREATE OR REPLACE TEMP TABLE dirty AS SELECT DISTINCT day FROM rows_{name}")
        elif _find_dirty(con, fact, since_load=since_load):
            _lay_out(con, fact, states, only="WHERE day IN (SELECT day FROM dirty)")
        else:
            continue
        for leaf in states:
            _build(con, leaf, whole=whole)
        con.execute(f"DROP TABLE rows_{name}")
        rebuilt.append(_enter(con, fact, whole=whole))
    return [entry for entry in rebuilt if entry.days]


def _lay_out(con: duckdb.DuckDBPyConnection, fact: Fact, states: list[Leaf], *, only: str) -> None:
    """Read the rows of a fact once for all its states, with the columns they use, into table `rows_<fact>`."""
    used = set(re.findall(r"\w+", " ".join(leaf.sql for leaf in states)))
    described = con.execute(f"DESCRIBE facts.{fact.name}").fetchall()
    columns = ", ".join(str(row[0]) for row in described if row[0] in used or row[0] == "day")
    con.execute(f"CREATE OR REPLACE TEMP TABLE rows_{fact.name} AS SELECT {columns} FROM facts.{fact.name} {only}")


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
        con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table} AS {leaf.sql}")
    else:
        con.execute(f"DELETE FROM states.{leaf.table} WHERE day IN (SELECT day FROM dirty)")
        con.execute(f"INSERT INTO states.{leaf.table} {leaf.sql}")
    con.execute("INSERT OR REPLACE INTO states.hashes VALUES (?, ?, ?)", [leaf.table, leaf_hash(leaf), leaf.fact])


def _build_through(con: duckdb.DuckDBPyConnection, leaf: Leaf, *, whole: bool) -> None:
    """Build a state that no SQL can work out: rows go through a function on their way into the table."""
    assert leaf.through is not None  # noqa: S101 - the caller asked
    if whole:
        con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table}({leaf.types})")
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
    counted = "SELECT count(*), coalesce(min(day)::VARCHAR, ''), coalesce(max(day)::VARCHAR, '') FROM dirty"
    ((days, first_day, last_day),) = con.execute(counted).fetchall()
    return Rebuilt(fact.name, days, first_day, last_day)
