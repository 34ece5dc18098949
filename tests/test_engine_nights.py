"""A night builds, rolls up and tells what its new rows may have changed, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from engine_room import CATALOG, empty, fill, values

from pipeline.catalog.model import Catalog
from pipeline.engine.dirty import find_dirty
from pipeline.engine.editions import create_editions, store_edition
from pipeline.engine.states import build_states
from pipeline.facts import helpers_worked_out

FIRST = date(2026, 1, 1)
DAYS = 42


def _only(kpi_id: str) -> Catalog:
    """The catalogue with one KPI."""
    return CATALOG.model_copy(update={"metrics": {kpi_id: CATALOG.metrics[kpi_id]}})


def _noon(day: int) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, 12, tzinfo=UTC) + timedelta(days=day)


def _deployment(day: int, service: str = "search") -> dict[str, Any]:
    return {"deployment_id": f"{service} {day}", "service": service, "change_type": "code", "finished_at": _noon(day)}


@pytest.mark.parametrize(("service", "days"), [("search", 1), ("voice", DAYS + 1)])
def test_days_that_come_out_as_they_were_are_left_alone(service: str, days: int) -> None:
    """A deployment is looked for 31 days back: of a service known only its own day changed, of a new one every day."""
    catalog = _only("deployment_frequency")
    with empty() as con:
        fill(con, "deployments", *(_deployment(day) for day in range(0, DAYS, 3)), _deployment(DAYS - 1))
        build_states(con, catalog, since_load=1)
        fill(con, "deployments", _deployment(DAYS, service), load=2)
        (rebuilt,) = [one for one in build_states(con, catalog, since_load=2) if one.fact == "deployment_days"]
        held = con.execute("SELECT count(DISTINCT day) FROM states.cells_deployment_days").fetchall()
    assert (rebuilt.days, rebuilt.last_day) == (days, str(FIRST + timedelta(days=DAYS)))
    assert held == [(DAYS + 1,)]


def _use(con: duckdb.DuckDBPyConnection, day: int, *, load: int) -> None:
    rows = ({"person_id": f"p{no}", "product": "copilot", "feature": "chat", "date": FIRST + timedelta(days=day),
             "active": no <= day % 7} for no in range(7))  # fmt: skip
    fill(con, "usage_daily", *rows, load=load)


def _night(con: duckdb.DuckDBPyConnection, catalog: Catalog, load: int) -> None:
    told = values(con, catalog, since_load=load, anew=False)
    store_edition(con, told, as_of="2026-02-12", catalog_hash="", input_hash="", run_id=1, why="", notes={}, anew=False)


def test_what_was_rolled_up_before_is_what_would_be_rolled_up_anew() -> None:
    """A KPI of people is told whole every night; all but the periods of the new day are taken from the night before."""
    catalog, rolled = _only("adoption_rate"), "SELECT * FROM rolled ORDER BY ALL"
    with empty() as con:
        create_editions(con)
        seats = ({"person_id": f"p{no}", "product": "copilot", "valid_from": FIRST} for no in range(7))
        fill(con, "entitlements", *seats)
        for day in range(DAYS):
            _use(con, day, load=1)
        _night(con, catalog, load=1)
        _use(con, DAYS, load=2)
        values(con, catalog, since_load=2, anew=False)
        kept, ((asked,),) = con.execute(rolled).fetchall(), con.execute("SELECT count(*) FROM asked").fetchall()
        ((told,),) = con.execute("SELECT count(*) FROM scope").fetchall()
        values(con, catalog, since_load=3)
        assert kept == con.execute(rolled).fetchall()
        # the new day, its week, month and quarter, and the 28 days that end with it
        assert (asked, told) == (5, con.execute("SELECT count(*) FROM wanted").fetchall()[0][0])


def test_a_fact_that_nobody_fills_is_not_asked_for() -> None:
    """Sessions alone make no use case: without a portfolio no day of one is looked at."""
    with empty() as con:
        fill(con, "sessions", {"session_id": "s", "use_case_id": "search", "started_at": _noon(0)})
        with helpers_worked_out(con):
            con.execute("CREATE TABLE states.built(fact VARCHAR, day DATE); CREATE TABLE states.calendar(day DATE)")
            found = find_dirty(con, ["measured_use_cases", "session_costs"], since_load=1)
    assert list(found) == ["session_costs"]
