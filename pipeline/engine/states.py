"""Building states: only for the days that new rows may have changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb

from pipeline.catalog.model import Catalog
from pipeline.engine.dirty import Dirty, find_dirty
from pipeline.engine.kinds import Leaf
from pipeline.engine.kinds.base import from_rows_on
from pipeline.engine.leaves import leaf_hash, leaves
from pipeline.engine.people import with_strangers
from pipeline.engine.sets import begin_numbers, numbered_columns, outgrown, packed
from pipeline.facts import Fact, fact_sql, helpers_worked_out, load_facts, rows_between


@dataclass(frozen=True)
class Rebuilt:
    """Days of one fact of which a run changed the states, or may have."""

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
    table `touched` (fact, day) holds which days that was, with an empty day for a fact that was built anew. Days that
    changed rows touch and that come out as they were are not among them, where there are many.
    """
    con.execute(_TABLES)
    wanted = leaves(catalog)
    held = dict(con.execute("SELECT state, hash FROM states.hashes").fetchall())
    hashes = {leaf: leaf_hash(leaf) for states in wanted.values() for leaf in states}
    _drop_unwanted(con, held.keys() - {leaf.table for leaf in hashes})
    whole = {name for name, states in wanted.items() if any(held.get(one.table) != hashes[one] for one in states)}
    con.execute("SET preserve_insertion_order = false")  # a state is a set of rows
    try:
        with helpers_worked_out(con) as helpers:
            dirty = find_dirty(con, [name for name in wanted if name not in whole], since_load=since_load)
            for name, states in wanted.items():
                progress(name)
                if name in whole or (name in dirty and not _built_days(con, dirty[name], states)):
                    _build_whole(con, name, states)
                    whole.add(name)
            if "_calendar" in helpers:
                con.execute("CREATE OR REPLACE TABLE states.calendar AS FROM facts._calendar")
    finally:
        con.execute("SET preserve_insertion_order = true")
    rows = [(leaf.table, told, leaf.fact) for leaf, told in hashes.items() if held.get(leaf.table) != told]
    if rows:
        con.executemany("INSERT OR REPLACE INTO states.hashes VALUES (?, ?, ?)", rows)
    return _enter(con, [name for name in wanted if name in whole or name in dirty], whole)


_TABLES = """
CREATE TABLE IF NOT EXISTS states.built(fact VARCHAR, day DATE);
CREATE TABLE IF NOT EXISTS states.calendar(day DATE);
CREATE TABLE IF NOT EXISTS states.hashes(state VARCHAR PRIMARY KEY, hash VARCHAR, fact VARCHAR);
"""


def _built_days(con: duckdb.DuckDBPyConnection, dirty: Dirty, states: list[Leaf]) -> bool:
    """Build the states of a fact for its dirty days; false when it must be built whole."""
    fact = load_facts()[dirty.fact]
    _lay_out(con, fact, states, source=f"({rows_between(fact, dirty.first, dirty.last)} WHERE {dirty.condition})")
    may_go_on = not any(outgrown(con, leaf.sql, fact=fact.name) for leaf in states)
    if may_go_on and dirty.days > _FEW_DAYS and not any(leaf.through for leaf in states):
        _fill_moved(con, dirty, states)
    elif may_go_on:
        for leaf in states:
            con.execute(f"DELETE FROM states.{leaf.table} WHERE {dirty.condition}")
            _fill(con, leaf)
    _take_away(con, fact, states)
    return may_go_on


_FEW_DAYS = 3
"""So many days are taken as they come; of more, those that came out as they were are found and left alone."""


def _fill_moved(con: duckdb.DuckDBPyConnection, dirty: Dirty, states: list[Leaf]) -> None:
    """Fill the states of those dirty days alone on which anything changed, and take the others from `dirty`."""
    con.execute("CREATE OR REPLACE TEMP TABLE moved(day DATE)")
    for place, leaf in enumerate(states):
        con.execute(f"CREATE OR REPLACE TEMP TABLE fresh_{place} AS {_as_run(con, leaf)}")
        held, fresh = f"FROM states.{leaf.table} WHERE {dirty.condition}", f"FROM fresh_{place}"
        differs = f"({fresh} EXCEPT ALL ({held})) UNION ALL ({held} EXCEPT ALL {fresh})"
        con.execute(f"INSERT INTO moved SELECT DISTINCT day FROM ({differs})")
    for place, leaf in enumerate(states):
        con.execute(
            f"DELETE FROM states.{leaf.table} WHERE day IN (FROM moved);"
            f"INSERT INTO states.{leaf.table} FROM fresh_{place} WHERE day IN (FROM moved);"
            f"DROP TABLE fresh_{place}"
        )
    con.execute(f"DELETE FROM dirty WHERE fact = '{dirty.fact}' AND day NOT IN (FROM moved)")


def _build_whole(con: duckdb.DuckDBPyConnection, name: str, states: list[Leaf]) -> None:
    """Build the states of a fact for every day."""
    fact = load_facts()[name]
    _lay_out(con, fact, states, source=f"facts.{name}")
    spans = ["TRUE"] if _is_view(fact, states) else _spans(con, fact)
    for leaf in states:
        if leaf.through is not None:
            con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table}({leaf.types})")
            _fill(con, leaf)
            continue
        begin_numbers(con, leaf.sql, fact=name)
        sql = _as_run(con, leaf)
        first, *more = (from_rows_on(sql, days) for days in spans)
        con.execute(f"CREATE OR REPLACE TABLE states.{leaf.table} AS {first}")
        for part in more:
            con.execute(f"INSERT INTO states.{leaf.table} {part}")
    _take_away(con, fact, states)


def _spans(con: duckdb.DuckDBPyConnection, fact: Fact) -> list[str]:
    """Conditions on days that part the rows laid out, so that the groups of a part of them fit into fast memory."""
    counted = f"SELECT count(*), min(day)::VARCHAR, max(day) - min(day) + 1 FROM rows_{fact.name}"
    ((rows, first, days),) = con.execute(counted).fetchall()
    parts = min(-(-rows // _ROWS_AT_ONCE), days or 1)
    if parts < 2:
        return ["TRUE"]
    edges = [days * part // parts for part in range(1, parts)]
    since = ["TRUE", *(f"day >= DATE '{first}' + {edge}" for edge in edges)]
    until = [*(f"day < DATE '{first}' + {edge}" for edge in edges), "TRUE"]
    return [f"{one} AND {other}" for one, other in zip(since, until, strict=True)]


_ROWS_AT_ONCE = 500_000


def _is_view(fact: Fact, states: list[Leaf]) -> bool:
    """Whether the states of a fact read it in place.

    To write rows down takes longer than to join them anew, so that pays for what is grouped, or is read often. A fact
    that is its table under other names is never written down.
    """
    text = fact_sql(fact)
    if not re.search(r"\b(join|group|distinct|over|union)\b", text, re.IGNORECASE):
        return True
    is_grouped = re.search(r"\b(group|distinct|over|union)\b", text, re.IGNORECASE)
    readings = sum(leaf.sql.count(f"FROM rows_{fact.name} ") for leaf in states)
    return readings <= (1 if is_grouped else 2) and not any(numbered_columns(leaf.sql) for leaf in states)


def _lay_out(con: duckdb.DuckDBPyConnection, fact: Fact, states: list[Leaf], *, source: str) -> None:
    """Read the rows of a fact once for all its states, with the columns they use, into `rows_<fact>`."""
    source = with_strangers(fact, source)
    if _is_view(fact, states):
        con.execute(f"CREATE OR REPLACE TEMP VIEW rows_{fact.name} AS SELECT * FROM {source}")
        return
    used = ", ".join(
        f"'{word}'" for word in sorted({"day", *re.findall(r"\w+", " ".join(leaf.sql for leaf in states))})
    )
    columns = f"COLUMNS(lambda name: name IN ({used}))"
    con.execute(f"CREATE OR REPLACE TEMP TABLE rows_{fact.name} AS SELECT {columns} FROM {source}")


def _take_away(con: duckdb.DuckDBPyConnection, fact: Fact, states: list[Leaf]) -> None:
    con.execute(f"DROP {'VIEW' if _is_view(fact, states) else 'TABLE'} rows_{fact.name}")


def _drop_unwanted(con: duckdb.DuckDBPyConnection, states: Iterable[str]) -> None:
    for state in states:
        con.execute(f"DROP TABLE IF EXISTS states.{state}")
        con.execute("DELETE FROM states.hashes WHERE state = ?", [state])


def _fill(con: duckdb.DuckDBPyConnection, leaf: Leaf) -> None:
    """Add the rows laid out to a state; where no SQL can work it out, they go through a function on their way."""
    if leaf.through is None:
        con.execute(f"INSERT INTO states.{leaf.table} {_as_run(con, leaf)}")
        return
    frame = con.execute(leaf.sql).df()
    if not frame.empty:
        con.register("through_rows", leaf.through(frame))
        con.execute(f"INSERT INTO states.{leaf.table} BY NAME SELECT * FROM through_rows ORDER BY ALL")
        con.unregister("through_rows")


def _as_run(con: duckdb.DuckDBPyConnection, leaf: Leaf) -> str:
    """The state query in words that DuckDB is quick at: it would ask for the zone of each moment it truncates."""
    return re.sub(r"date_trunc\('minute', (\w+)\)", r"epoch_us(\1) // 60000000", packed(con, leaf.sql, fact=leaf.fact))


def _enter(con: duckdb.DuckDBPyConnection, facts: list[str], whole: set[str]) -> list[Rebuilt]:
    """Note the days changed; days on which the fact has no row, before and after, are not counted."""
    con.execute("CREATE OR REPLACE TEMP TABLE touched(fact VARCHAR, day DATE)")
    if not facts:
        return []
    anew = "(" + ", ".join(f"'{fact}'" for fact in ["", *sorted(whole)]) + ")"
    cells = " UNION ALL ".join(f"SELECT '{fact}' AS fact, day FROM states.cells_{fact}" for fact in facts)
    con.execute(
        f"""DELETE FROM states.built WHERE fact IN {anew};
        INSERT INTO touched WITH held AS (SELECT DISTINCT fact, day FROM ({cells}))
        FROM held WHERE fact IN {anew}
        UNION ALL (FROM dirty WHERE fact NOT IN {anew} AND
          ((fact, day) IN (FROM held) OR (fact, day) IN (FROM states.built))) ORDER BY ALL;
        INSERT INTO states.built FROM touched ANTI JOIN states.built USING (fact, day) ORDER BY ALL"""
    )
    counted = "SELECT fact, count(*), min(day)::VARCHAR, max(day)::VARCHAR FROM touched GROUP BY fact"
    found = {fact: Rebuilt(fact, *rest) for fact, *rest in con.execute(counted).fetchall()}
    con.execute("INSERT INTO touched SELECT unnest($1::VARCHAR[]), NULL", [sorted(whole)])
    return [found[fact] for fact in facts if fact in found]
