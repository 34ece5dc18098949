"""Facts: SQL views that give one row per thing measured, with that thing's business logic.

Each `*.sql` file is a view `facts.<file name>`. The comment at its head is YAML:

    meaning:  one sentence
    needs:    views it builds on
    reads:    for each table it reads, which of the fact's days a changed row touches:
                own   the row's own day
                span  every day for which the row is valid
                since every day from the first on which it is valid: where a row ends the one before it
                all   every day
                or a query over `changed` (the changed rows) that gives those days; a list gives several of these; rows
                that did not change are those with `_load_id < $since`
    within:   for a table of which rows of other days matter as well, a query of the rowids of those that the days from
              $first to $last need beside their own, that is the moments from $begin up to $end; a table that only
              touches its own days is read for those alone
    continuous: true when the view has rows on days on which nothing happened (a roster, an entitlement)
    open:     of a continuous view, a query of the days on which it may have rows, as narrow as is cheap to say; days it
              has no row of, and that no changed row touches, are asked for again when they are among them
    small:    true for a helper of few rows, which is worked out once for all that is built in a run
    deeds:    where rows are of what people did, SQL that names it, and is empty where a row is of nothing they did;
              column person_id says who it was, and is empty where nobody knows
    alike:    another fact that counts the same deeds, so that what is told of the one is told of the other
    follows:  another fact whose deeds lead to these, as sessions lead to requests: what is withheld of the one is
              withheld of the other

A view whose name begins with an underscore only helps others and has no days; what it `reads` is what they read, and
touches their days. `facts.utc_day(moment)` is the day of a moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import duckdb

from pipeline.errors import ConfigurationError, Problem
from pipeline.tables import Table, load_tables

Sides = tuple[str, ...]
"""Where changed rows of a table are: those that entered it in schema core, those that left it in schema history."""

_LOADS = {"core": "_load_id", "history": "_replaced_by"}
"""By side, the column that says with which load a row came there."""
_BOTH_SIDES: Sides = tuple(_LOADS)
_FOLDER = Path(__file__).parent
_KEYS = {"meaning", "needs", "reads", "within", "continuous", "open", "small", "deeds", "alike", "follows"}


@dataclass(frozen=True)
class Fact:
    """One fact view: its SQL, the views it needs, and which days a change in each table it reads touches."""

    name: str
    meaning: str
    needs: tuple[str, ...]
    reads: dict[str, tuple[str, ...]]
    within: dict[str, str]
    sql: str
    continuous: bool = False
    open: str = ""
    small: bool = False
    deeds: str = ""
    alike: str = ""
    follows: str = ""

    @property
    def after(self) -> str:
        """Another fact that is decided before it where few people are behind both, if any."""
        return self.alike or self.follows

    @property
    def helper(self) -> bool:
        """Helpers are views for other views; they are not measured."""
        return self.name.startswith("_")


@cache
def load_facts() -> dict[str, Fact]:
    """Every fact by name, each after the views it needs.

    Raises ConfigurationError when a header is wrong.
    """
    found = {path.stem: _parse(path) for path in sorted(_FOLDER.glob("*.sql"))}
    ordered: dict[str, Fact] = {}

    def place(fact: Fact) -> None:
        for need in fact.needs:
            place(found[need])
        below = [fact.reads, *(ordered[need].reads for need in fact.needs if ordered[need].helper)]
        reads = {table: tuple(rule for one in below for rule in one.get(table, ())) for one in below for table in one}
        ordered.setdefault(fact.name, replace(fact, reads=reads))

    for fact in found.values():
        place(fact)
    return ordered


def facts_of_deeds() -> frozenset[str]:
    """Facts whose rows are what people did."""
    return frozenset(name for name, fact in load_facts().items() if fact.deeds)


def event_tables() -> frozenset[str]:
    """Tables whose rows happen on a day, and do not hold for a span of them."""
    return frozenset(name for name, table in load_tables().items() if table.day)


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Create or replace every fact view, and the function they take the UTC day of a moment with."""
    con.execute(_UTC_DAY)
    for fact in load_facts().values():
        con.execute(f"CREATE OR REPLACE VIEW facts.{fact.name} AS {fact.sql}")


_UTC_DAY = "CREATE OR REPLACE MACRO facts.utc_day(moment) AS CAST(make_timestamp(epoch_us(moment)) AS DATE)"
"""A cast would ask for the zone of each moment, which takes ten times as long."""


def rows_between(fact: Fact, first: str, last: str) -> str:
    """Return SQL of a fact that is right for its days from `first` to `last` (ISO), and reads little more than them."""
    tables = load_tables()
    own = {name: _within(tables[name], first, last) for name, rules in fact.reads.items() if rules == ("own",)}
    for name, query in fact.within.items():
        days = f"SELECT rowid FROM core.{name} WHERE {_within(tables[name], first, last)}"
        own[name] = f"rowid IN ({days} UNION ALL {_placed(query, first, last)})"
    parts = {f"own_{name}": f"FROM core.{name} WHERE {condition}" for name, condition in own.items()}
    for need in _below(fact):
        if any(f"core.{name}" in fact_sql(need) for name in own):
            parts[need.name] = _narrowed(need.sql, list(own), parts)
    heads = ", ".join(f"{name} AS ({sql})" for name, sql in parts.items())
    return (
        f"WITH {heads} " if heads else ""
    ) + f"SELECT * FROM ({_narrowed(fact.sql, list(own), parts)}) AS between_days"


def _narrowed(sql: str, own: list[str], parts: Mapping[str, str]) -> str:
    """Replace tables and views by the parts that are read for some days only."""
    names = {f"core.{name}": f"own_{name}" for name in own} | {f"facts.{name}": name for name in parts}
    return re.sub(r"\b(?:core|facts)\.\w+", lambda found: names.get(found[0], found[0]), sql)


def _within(table: Table, first: str, last: str) -> str:
    """Condition on a table's day column, which the database can check block by block."""
    day = table.day or ""
    is_date = table.column(day).sql_type == "DATE"
    condition = f"{day} >= $first AND {day} <= $last" if is_date else f"{day} >= $begin AND {day} < $end"
    return _placed(condition, first, last)


def _placed(sql: str, first: str, last: str) -> str:
    """SQL with the days from `first` to `last` in their places, as days and as moments."""
    after = date.fromisoformat(last) + timedelta(days=1)
    places = {
        "first": f"DATE '{first}'",
        "last": f"DATE '{last}'",
        "begin": _midnight(first),
        "end": _midnight(str(after)),
    }
    return re.sub(r"\$(first|last|begin|end)\b", lambda found: places[found[1]], sql)


def _midnight(day: str) -> str:
    return f"TIMESTAMPTZ '{day} 00:00:00+00'"


def _below(fact: Fact) -> list[Fact]:
    """The views a fact needs, each after those it needs itself."""
    found: dict[str, Fact] = {}
    for need in fact.needs:
        one = load_facts()[need]
        found |= {below.name: below for below in [*_below(one), one]}
    return list(found.values())


@contextmanager
def helpers_worked_out(con: duckdb.DuckDBPyConnection) -> Iterator[frozenset[str]]:
    """Work small helpers out once for what is asked within, and name them; they are views again afterwards."""
    views = "SELECT view_name FROM duckdb_views() WHERE schema_name = 'facts'"
    held = {name for (name,) in con.execute(views).fetchall()}
    small = [fact for fact in load_facts().values() if fact.small and fact.name in held]
    for fact in small:
        con.execute(
            f"CREATE TABLE facts.worked_out AS FROM facts.{fact.name}; DROP VIEW facts.{fact.name};"
            f"ALTER TABLE facts.worked_out RENAME TO {fact.name}"
        )
    try:
        yield frozenset(fact.name for fact in small)
    finally:
        for fact in small:
            con.execute(f"DROP TABLE facts.{fact.name}; CREATE VIEW facts.{fact.name} AS {fact.sql}")


def fact_columns(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Columns and SQL types of each measured fact, as the database binds them."""
    found = con.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'facts' ORDER BY ALL"
    ).fetchall()
    measured = {fact.name for fact in load_facts().values() if not fact.helper}
    columns: dict[str, dict[str, str]] = {name: {} for name in sorted(measured)}
    for fact, column, sql_type in found:
        if fact in measured:
            columns[fact][column] = sql_type
    return columns


def touched_days(fact: Fact, *, since_load: int) -> str:
    """Return SQL giving the days of `fact` that rows loaded from load `since_load` on may have changed."""
    parts = [f"SELECT day FROM ({sql})" for table in fact.reads for sql in touches(fact, table, since_load=since_load)]
    return "SELECT DISTINCT day FROM (" + " UNION ALL ".join(parts) + ") WHERE day IS NOT NULL"


def touches(fact: Fact, table: str, *, since_load: int, sides: Sides = _BOTH_SIDES) -> list[str]:
    """SQL per rule of the days of a fact that changed rows of a table touch; facts that share a rule have the same.

    Changed rows are looked for in the `sides` alone.
    """
    return [_touch(load_tables()[table], rule, since_load, sides) for rule in fact.reads[table]]


def open_days(fact: Fact) -> str:
    """SQL of the days on which a continuous fact may have rows."""
    return fact.open or "SELECT day FROM facts._calendar"


def changed_tables(con: duckdb.DuckDBPyConnection, *, since_load: int) -> dict[str, Sides]:
    """Tables that rows entered or left since a load, each with the sides on which they are."""
    newest = [
        f"SELECT '{name}' AS name, '{side}' AS side, max({column}) AS load FROM {side}.{name}"
        for name in load_tables()
        for side, column in _LOADS.items()
    ]
    listed = f"SELECT name, side FROM ({' UNION ALL '.join(newest)}) WHERE load >= {since_load}"
    found = set(con.execute(listed).fetchall())
    sides = {name: tuple(side for side in _LOADS if (name, side) in found) for name in load_tables()}
    return {name: held for name, held in sides.items() if held}


def fact_sql(fact: Fact) -> str:
    """Return the text of a fact and of every view below it: what its states depend on."""
    facts = load_facts()
    return "\n".join([fact.sql, *(fact_sql(facts[need]) for need in fact.needs)])


def changed_rows(table: Table, since_load: int, *, named_in: str, sides: Sides) -> str:
    """Return SQL giving the rows of a table that entered or left it since a load, with the columns a text names."""
    words = {*re.findall(r"\w+", named_in), table.key[0]}
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name in words)
    return " UNION ALL ".join(
        f"SELECT {columns} FROM {side}.{table.name} WHERE {_LOADS[side]} >= {since_load}" for side in sides
    )


def _touch(table: Table, rule: str, since_load: int, sides: Sides) -> str:
    named = {"own": (table.day or "",), "span": table.span or (), "since": table.span or ()}.get(rule, (rule,))
    changed = changed_rows(table, since_load, named_in=" ".join(named), sides=sides)
    if rule == "own":
        is_date = table.column(table.day or "").sql_type == "DATE"
        day = table.day if is_date else f"facts.utc_day({table.day})"
        return f"SELECT {day} AS day FROM ({changed})"
    calendar = "SELECT CAST(day AS DATE) AS day FROM facts._calendar"
    if rule == "all":
        return f"{calendar} WHERE EXISTS ({changed})"
    if rule in ("span", "since"):
        start, end = table.span or ("", "")
        last = f"CAST({end} AS DATE)" if rule == "span" else "NULL"
        return (
            f"SELECT c.day FROM ({calendar}) AS c JOIN (SELECT DISTINCT CAST({start} AS DATE) AS a, {last} AS b "
            f"FROM ({changed})) AS s ON c.day >= s.a AND (s.b IS NULL OR c.day <= s.b)"
        )
    return f"WITH changed AS ({changed}) {rule.replace('$since', str(since_load))}"


def _parse(path: Path) -> Fact:
    from ruamel.yaml import YAML

    text = path.read_text(encoding="utf-8")
    head, _, body = text.removeprefix("/*").partition("*/")
    header = YAML(typ="safe").load(head) or {}
    unknown = sorted(set(header) - _KEYS) + sorted(set(header.get("reads", {})) - set(load_tables()))
    if unknown or "meaning" not in header:
        found = f"found {', '.join(unknown)}" if unknown else "found no meaning"
        problem = Problem(f"pipeline/facts/{path.name}:1", "F001", f"{found}; expected {', '.join(sorted(_KEYS))}")
        raise ConfigurationError("A fact is not well declared.", [problem])
    reads = {
        table: tuple(rules) if isinstance(rules, list) else (str(rules),)
        for table, rules in header.get("reads", {}).items()
    }
    return Fact(
        name=path.stem,
        meaning=header["meaning"],
        needs=tuple(header.get("needs", ())),
        reads=reads,
        within=dict(header.get("within", {})),
        sql=body.strip().rstrip(";"),
        continuous=bool(header.get("continuous", False)),
        open=header.get("open", ""),
        small=bool(header.get("small", False)),
        deeds=header.get("deeds", ""),
        alike=header.get("alike", ""),
        follows=header.get("follows", ""),
    )
