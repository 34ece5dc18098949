"""All that the measurements know of `pipeline`: opening a warehouse, and the stages from rows to an edition."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog
from pipeline.engine.editions import create_editions, store_edition
from pipeline.engine.rollup import as_of_day, roll_up
from pipeline.engine.states import build_states
from pipeline.engine.values import compute_values
from pipeline.facts import Fact, create_views, load_facts
from pipeline.tables import load_tables
from pipeline.warehouse.connection import create_schemas, open_warehouse

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "metrics_catalog.yaml"
PEERS_CATALOG = Path(__file__).parent / "catalog.yaml"
PEERS_FACTS = Path(__file__).parent / "facts"
PEERS_TABLES = Path(__file__).parent / "tables.yaml"
PEERS_SESSIONS = "core.peer_sessions"

Timer = Callable[[str, Callable[[], Any]], Any]
"""Called with the name of a stage and what it does; calls it, and gives back what it returned."""


def open_filled(path: Path, *, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """A warehouse file, made with every table and view where it is not there yet."""
    con = open_warehouse(path, memory_limit=memory_limit)
    create_schemas(con)
    create_views(con)
    return con


def open_peers(path: Path, database: Path) -> duckdb.DuckDBPyConnection:
    """A new warehouse with the peers' database attached as `peers`, of which nothing is taken in yet."""
    _speak_of_peers()
    con = open_warehouse(path)
    create_schemas(con)
    con.execute(f"ATTACH '{database}' AS peers (READ_ONLY)")
    create_views(con)
    return con


def read_in_place(con: duckdb.DuckDBPyConnection) -> None:
    """Let the fact read the raw table of the peers where it lies."""
    con.execute(
        f"DROP TABLE {PEERS_SESSIONS};CREATE VIEW {PEERS_SESSIONS} AS SELECT *, 1 AS _load_id FROM peers.sessions"
    )


def take_in(con: duckdb.DuckDBPyConnection, condition: str, *, load: int) -> int:
    """Put the peers' rows for which a condition holds into the warehouse as a load; returns how many they are."""
    names = [column.name for column in load_tables()["peer_sessions"].columns]
    given = ", ".join("started_at AT TIME ZONE 'UTC'" if name == "started_at" else name for name in names)
    ((rows,),) = con.execute(
        f"INSERT INTO {PEERS_SESSIONS} ({', '.join(names)}, _load_id) SELECT {given}, {load} FROM peers.sessions "
        f"WHERE {condition} ORDER BY started_at"
    ).fetchall()
    return int(rows)


def forget_states(con: duckdb.DuckDBPyConnection) -> None:
    """Drop all states and editions, so that the next run builds every day and tells every value."""
    con.execute("DROP SCHEMA states CASCADE; DROP SCHEMA kpi CASCADE")
    create_schemas(con)


def load_libraries() -> None:
    """Import what the stages import on first use: that is set-up here, as it is for the other tools."""
    for name in ("pandas", "sqlglot", "scipy.stats", "statsmodels.stats.proportion", "statsmodels.stats.rates"):
        import_module(name)


def catalog_of(path: Path = CATALOG) -> Catalog:
    """A catalogue, read as the nightly run reads it."""
    return load_catalog(path)


def call_columns() -> dict[str, str]:
    """Columns of `core.calls` that the facts use, with their SQL types: those their texts name.

    `person_id` is not among them: facts take the person from the session.
    """
    facts = load_facts()

    def reads_calls(fact: Fact) -> bool:
        return "core.calls" in fact.sql or any(reads_calls(facts[need]) for need in fact.needs)

    words = {word for fact in facts.values() if reads_calls(fact) for word in re.findall(r"\w+", fact.sql)}
    columns = load_tables()["calls"].columns
    return {column.name: column.sql_type for column in columns if column.name in words - {"person_id"}}


def compute(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    *,
    since_load: int,
    timer: Timer,
    keep: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """From rows to values, and where they are kept to the edition, as the nightly run does it.

    Each stage is called through `timer`; `progress` is told the name of each fact whose states are about to be built.
    """
    timer("states", lambda: build_states(con, catalog, since_load=since_load, progress=progress))
    as_of = as_of_day(con, catalog)
    if as_of is None:
        raise ValueError("the warehouse holds no row that a fact could use")
    create_editions(con)
    timer("roll-up", lambda: roll_up(con, catalog, as_of=as_of, anew=not keep))
    values = timer("values", lambda: compute_values(con, catalog, as_of=as_of))
    if keep:
        timer("edition", lambda: _keep(con, values, as_of))
    return values


def _keep(con: duckdb.DuckDBPyConnection, values: pd.DataFrame, as_of: str) -> None:
    """Store the values as an edition."""
    store_edition(
        con, values, as_of=as_of, catalog_hash="", input_hash="", run_id=1, why="benchmark", notes={}, anew=False
    )


def _speak_of_peers() -> None:
    """Read tables and facts from this folder, in this process alone: the peers' table is no canonical table.

    `pipeline` has no parameter for it, so its paths are replaced; every measurement is a process of its own.
    """
    from pipeline import facts, tables

    facts._FOLDER, tables._DECLARATION = PEERS_FACTS, PEERS_TABLES
    facts.load_facts.cache_clear()
    tables._declared.cache_clear()
