"""A small warehouse in memory, filled row by row, and the values the engine gives for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog
from pipeline.engine.rollup import as_of_day, roll_up
from pipeline.engine.states import build_states
from pipeline.engine.values import compute_values
from pipeline.facts import create_views
from pipeline.warehouse.connection import create_schemas, warehouse

CATALOG = load_catalog(Path(__file__).resolve().parent.parent / "metrics_catalog.yaml")


@contextmanager
def empty(threads: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with every table and view and no row."""
    with warehouse(Path(":memory:"), threads=threads) as con:
        create_schemas(con)
        create_views(con)
        yield con


def fill(con: duckdb.DuckDBPyConnection, table: str, *rows: dict[str, Any], load: int = 1) -> None:
    """Insert rows as load number `load`; columns not named are null."""
    for row in rows:
        names = ", ".join(f'"{name}"' for name in [*row, "_load_id"])
        marks = ", ".join("?" for _ in range(len(row) + 1))
        con.execute(f"INSERT INTO core.{table} ({names}) VALUES ({marks})", [*row.values(), load])


def values(
    con: duckdb.DuckDBPyConnection,
    catalog: Catalog = CATALOG,
    *,
    since_load: int = 1,
    anew: bool = True,
    made_up: bool = True,
) -> pd.DataFrame:
    """Build what is needed and compute every KPI; when not `anew`, only what no longer stands in the last edition.

    Rows are `made_up`, so that what people did is told of however few, unless that is what a test is about.
    """
    build_states(con, catalog, since_load=since_load)
    as_of = as_of_day(con, catalog)
    assert as_of is not None
    roll_up(con, catalog, as_of=as_of, anew=anew)
    return compute_values(con, catalog, as_of=as_of, made_up=made_up)


def value(frame: pd.DataFrame, kpi: str, grain: str, start: str, **by: str) -> pd.Series:
    """One value: of the period that starts on a day, in total or of one slice."""
    ((dimension, of),) = by.items() or {"": ""}.items()
    found = frame[
        (frame["kpi_id"] == kpi) & (frame["grain"] == grain) & (frame["period_start"].astype(str) == start)
        & (frame["dimension"] == dimension) & (frame["dimension_value"] == of)
    ]  # fmt: skip
    assert len(found) == 1, found
    return found.iloc[0]
