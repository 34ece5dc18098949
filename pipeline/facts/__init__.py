"""Facts: SQL views that give one row per thing measured, with that thing's business logic.

Each `*.sql` file is a view `facts.<file name>`. The comment at its head is YAML:

    meaning:  one sentence
    needs:    views it builds on
    reads:    for each table it reads, which of the fact's days a changed row touches:
                own   the row's own day
                span  every day for which the row is valid
                since every day from the first on which it is valid: where a row ends the one before it
                all   every day
                or a query over `changed` (the changed rows) that gives those days
    continuous: true when the view has rows on days on which nothing happened (a roster, an entitlement)

A view whose name begins with an underscore only helps others and has no days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from pipeline.errors import ConfigurationError, Problem
from pipeline.tables import Table, load_tables

_FOLDER = Path(__file__).parent
_KEYS = {"meaning", "needs", "reads", "continuous"}


@dataclass(frozen=True)
class Fact:
    """One fact view: its SQL, the views it needs, and which days a change in each table it reads touches."""

    name: str
    meaning: str
    needs: tuple[str, ...]
    reads: dict[str, str]
    sql: str
    continuous: bool = False

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
        ordered.setdefault(fact.name, fact)

    for fact in found.values():
        place(fact)
    return ordered


def event_tables() -> frozenset[str]:
    """Tables whose rows happen on a day, and do not hold for a span of them."""
    return frozenset(name for name, table in load_tables().items() if table.day)


def create_views(con: duckdb.DuckDBPyConnection) -> None:
    """Create or replace every fact view."""
    for fact in load_facts().values():
        con.execute(f"CREATE OR REPLACE VIEW facts.{fact.name} AS {fact.sql}")


def rows_between(fact: Fact, first: str, last: str) -> str:
    """Return SQL of a fact that is right for its days from `first` to `last` (ISO), and reads little more than them.

    A table whose rows touch their own day alone is read for those days only.
    """
    tables = load_tables()
    own = [name for name, rule in fact.reads.items() if rule == "own"]
    parts = {f"own_{name}": f"FROM core.{name} WHERE {_within(tables[name], first, last)}" for name in own}
    for need in _below(fact):
        if any(f"core.{name}" in fact_sql(need) for name in own):
            parts[need.name] = _narrowed(need.sql, own, parts)
    heads = ", ".join(f"{name} AS ({sql})" for name, sql in parts.items())
    return (f"WITH {heads} " if heads else "") + f"SELECT * FROM ({_narrowed(fact.sql, own, parts)}) AS rows_between"


def _narrowed(sql: str, own: list[str], parts: Mapping[str, str]) -> str:
    """Replace tables and views by the parts that are read for some days only."""
    names = {f"core.{name}": f"own_{name}" for name in own} | {f"facts.{name}": name for name in parts}
    return re.sub(r"\b(?:core|facts)\.\w+", lambda found: names.get(found[0], found[0]), sql)


def _within(table: Table, first: str, last: str) -> str:
    """Condition on a table's day column, which the database can check block by block."""
    day = table.day or ""
    if table.column(day).sql_type == "DATE":
        return f"{day} >= DATE '{first}' AND {day} <= DATE '{last}'"
    end = f"TIMESTAMPTZ '{last} 00:00:00+00' + INTERVAL 1 DAY"
    return f"{day} >= TIMESTAMPTZ '{first} 00:00:00+00' AND {day} < {end}"


def _below(fact: Fact) -> list[Fact]:
    """The views a fact needs, each after those it needs itself."""
    found: dict[str, Fact] = {}
    for need in fact.needs:
        one = load_facts()[need]
        found |= {below.name: below for below in [*_below(one), one]}
    return list(found.values())


@contextmanager
def calendar_worked_out(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Work the calendar out once for everything that is asked within; it is a view again afterwards."""
    if not con.execute(
        "SELECT 1 FROM duckdb_views() WHERE schema_name = 'facts' AND view_name = '_calendar'"
    ).fetchall():
        yield
        return
    con.execute("CREATE TABLE facts.worked_out AS FROM facts._calendar")
    con.execute("DROP VIEW facts._calendar; ALTER TABLE facts.worked_out RENAME TO _calendar")
    try:
        yield
    finally:
        con.execute(f"DROP TABLE facts._calendar; CREATE VIEW facts._calendar AS {load_facts()['_calendar'].sql}")


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
    tables = load_tables()
    parts = [f"SELECT day FROM ({_touch(tables[table], rule, since_load)})" for table, rule in fact.reads.items()]
    return "SELECT DISTINCT day FROM (" + " UNION ALL ".join(parts) + ") WHERE day IS NOT NULL"


def fact_sql(fact: Fact) -> str:
    """Return the text of a fact and of every view below it: what its states depend on."""
    facts = load_facts()
    return "\n".join([fact.sql, *(fact_sql(facts[need]) for need in fact.needs)])


def changed_rows(table: Table, since_load: int) -> str:
    """Return SQL giving the rows of a table that entered or left it since a load."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return (
        f"SELECT {columns} FROM core.{table.name} WHERE _load_id >= {since_load} UNION ALL "
        f"SELECT {columns} FROM history.{table.name} WHERE _replaced_by >= {since_load}"
    )


def _touch(table: Table, rule: str, since_load: int) -> str:
    changed = changed_rows(table, since_load)
    if rule == "own":
        return f"SELECT CAST({table.day} AS DATE) AS day FROM ({changed})"
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
    return f"WITH changed AS ({changed}) {rule}"


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
    reads = {table: str(rule) for table, rule in header.get("reads", {}).items()}
    return Fact(
        name=path.stem,
        meaning=header["meaning"],
        needs=tuple(header.get("needs", ())),
        reads=reads,
        sql=body.strip().rstrip(";"),
        continuous=bool(header.get("continuous", False)),
    )
