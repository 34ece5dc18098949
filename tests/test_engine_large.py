"""Sums of a milliard and more per cluster and day, such as tokens, are squared without overflow or visible loss."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipeline.assurance import bound_facts
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.engine.rollup import as_of_day, roll_up
from pipeline.engine.states import build_states
from pipeline.engine.values import compute_values
from pipeline.warehouse.connection import create_schemas, warehouse

CATALOG = load_catalog(Path(__file__).resolve().parent.parent / "metrics_catalog.yaml")
FACTS = bound_facts()
FIRST = date(2026, 1, 1)
DAYS, SESSIONS = 60, 5


def tokens(scale: int) -> list[tuple[date, str, int, int]]:
    """Day, session, tokens read from the cache and tokens in all, of sixty days."""
    return [
        (FIRST + timedelta(day), f"{day} {session}", (10 + 7 * session + day % 3) * scale, (60 + day % 7) * scale)
        for day in range(DAYS)
        for session in range(SESSIONS)
    ]


def told(metric: AnyMetric, rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The values of one KPI for rows of its facts, in total, by grain and period."""
    with warehouse(Path(":memory:"), threads=1) as con:
        create_schemas(con)
        con.execute("CREATE OR REPLACE SCHEMA facts; CREATE TABLE facts._calendar(day DATE)")
        for fact, frame in rows.items():
            fill(con, fact, frame)
        catalog = Catalog.model_construct(version=1, roles={}, metrics={"kpi": metric})
        build_states(con, catalog, since_load=0)
        as_of = as_of_day(con, catalog)
        assert as_of is not None
        roll_up(con, catalog, as_of=as_of)
        frame = compute_values(con, catalog, as_of=as_of)
    return frame[frame["dimension"] == ""].set_index(["grain", "period_start"])[
        ["value", "interval_low", "interval_high"]
    ]


def fill(con: duckdb.DuckDBPyConnection, fact: str, frame: pd.DataFrame) -> None:
    """Put rows in place of a fact; columns they do not have are null."""
    columns = ", ".join(f'"{name}" {sql_type}' for name, sql_type in FACTS[fact].items())
    con.execute(f"CREATE TABLE facts.{fact}({columns}); INSERT INTO facts.{fact} BY NAME SELECT * FROM frame")


def cached(scale: int, cluster: str = "session_key") -> pd.DataFrame:
    """The share of tokens that came from the cache, told from tokens of one scale; models come back on every day."""
    names = ["day", "session_key", "tokens_cache_read", "tokens_in"]
    rows = pd.DataFrame(tokens(scale), columns=names)
    rows["model"] = rows["session_key"].str.split().str[1]
    (metric,) = [one for one in CATALOG.metrics.values() if one.fact == "cacheable_calls"]
    return told(metric.model_copy(update={"cluster": cluster, "dimensions": ()}), {"cacheable_calls": rows})


def per_task(scale: int) -> pd.DataFrame:
    """Tokens in per task started, told from tokens of one scale."""
    record: dict[str, Any] = CATALOG.metrics["cost_per_successful_task"].model_dump(exclude={"unknown", "dimensions"})
    changed = record | {"fact": "cacheable_calls", "numerator": "sum(tokens_in)", "unit": "count", "examples": []}
    metric = Catalog.model_validate({"version": 1, "roles": {}, "metrics": {"kpi": changed}}).metrics["kpi"]
    rows = pd.DataFrame([(day, count) for day, _, _, count in tokens(scale)], columns=["day", "tokens_in"])
    tasks = pd.DataFrame([(FIRST + timedelta(n // 3), 1) for n in range(3 * DAYS)], columns=["day", "is_success"])
    return told(metric, {"cacheable_calls": rows, "started_tasks": tasks})


@pytest.mark.parametrize("scale", [10**5, 10**9])
def test_a_share_is_the_same_at_any_scale(scale: int) -> None:
    """So many times more tokens on both sides change neither share nor interval: sessions of up to 66 milliards."""
    pd.testing.assert_frame_equal(cached(scale), cached(1), rtol=1e-9)


@pytest.mark.parametrize("scale", [10**5, 2 * 10**7, 10**9])
def test_clusters_of_many_days_are_the_same_at_any_scale(scale: int) -> None:
    """Models that come back every day: up to 79 milliards in 60 days, and 66 milliards a day."""
    pd.testing.assert_frame_equal(cached(scale, "model"), cached(1, "model"), rtol=1e-9)


@pytest.mark.parametrize("scale", [10**5, 10**9])
def test_a_ratio_of_two_facts_grows_with_its_numerator(scale: int) -> None:
    """So many times more tokens a task, and ends of the interval as much wider: days of up to 330 milliards."""
    pd.testing.assert_frame_equal(per_task(scale) / scale, per_task(1), rtol=1e-9)
