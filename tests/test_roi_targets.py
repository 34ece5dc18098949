"""Other targets against stored values: which verdicts change, by hand, and that nothing stored does."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipeline.catalog.load import load_catalog
from pipeline.engine.editions import create_editions
from pipeline.errors import ConfigurationError
from pipeline.returns import parse_changes
from pipeline.targets import retarget, target_lines
from pipeline.warehouse.connection import create_schemas

D = Decimal
CATALOG = load_catalog(Path(__file__).resolve().parent.parent / "metrics_catalog.yaml")
VALUES = [  # grain, start, dimension value, value, low, high, status, verdict under at least 0.10
    ("month", "2026-08-01", "", 0.30, 0.25, 0.35, "computed", "met"),
    ("month", "2026-09-01", "", 0.20, 0.12, 0.28, "computed", "met"),
    ("week", "2026-09-07", "", 0.05, 0.02, 0.08, "computed", "missed"),
    ("month", "2026-09-01", "phone", 0.24, 0.20, 0.28, "computed", "met"),
    ("month", "2026-10-01", "", None, None, None, "not_available", "inconclusive"),
]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """A warehouse with five values of `deflection_rate`, whose target is at least 0.10."""
    connection = duckdb.connect()
    create_schemas(connection)
    create_editions(connection)
    for grain, start, slice_of, value, low, high, status, word in VALUES:
        connection.execute(
            "INSERT INTO kpi.values (kpi_id, grain, period_start, period_end, dimension, dimension_value, value, unit, "
            "interval_low, interval_high, status, verdict, first_edition) "
            "VALUES ('deflection_rate', ?, ?, ?, ?, ?, ?, 'ratio', ?, ?, ?, ?, 1)",
            [grain, start, start, "channel" if slice_of else "", slice_of, value, low, high, status, word],
        )
    return connection


def test_verdicts_under_another_target(con: duckdb.DuckDBPyConnection) -> None:
    """At least 0.22: 0.25 to 0.35 stays met, 0.12 to 0.28 and 0.20 to 0.28 cannot tell, 0.02 to 0.08 stays missed."""
    metric = CATALOG.metrics["deflection_rate"]
    assert metric.target is not None
    assert metric.target.at_least == D("0.10")
    before = con.execute("SELECT * FROM kpi.values").fetchall()
    (found,) = retarget(con, CATALOG, {"deflection_rate": D("0.22")})
    assert [(one.start, one.old, one.new) for one in found.values if one.grain == "month" and not one.dimension] == [
        (date(2026, 8, 1), "met", "met"), (date(2026, 9, 1), "met", "inconclusive"),
    ]  # fmt: skip
    assert (len(found.values), len(found.changed)) == (4, 2)  # what is not available has no verdict to change
    assert con.execute("SELECT * FROM kpi.values").fetchall() == before
    text = "\n".join(target_lines([found]))
    assert text.startswith("deflection_rate: at least 0.1 -> at least 0.22, since 2026-01-01; 2 of 4 verdicts change\n")
    assert re.search(r" 2  met -> inconclusive", text)
    assert re.search(r"week +2026-09-07 +0.05 \(0.02 to 0.08\) ratio +stays missed", text)


def test_the_same_target_changes_nothing(con: duckdb.DuckDBPyConnection) -> None:
    """Judging anew by the target in force gives the verdicts that were stored."""
    (found,) = retarget(con, CATALOG, {"deflection_rate": D("0.10")})
    assert found.changed == ()
    assert len(found.values) == 4


def test_a_kpi_without_a_target_may_be_given_one(con: duckdb.DuckDBPyConnection) -> None:
    """Whatever its periods are, they are judged by it; it has no day since which it would hold."""
    bare = CATALOG.metrics["deflection_rate"].judged_by(())
    catalog = CATALOG.model_copy(update={"metrics": {"deflection_rate": bare}})
    (found,) = retarget(con, catalog, {"deflection_rate": D("0.22")})
    assert (found.old, found.since, len(found.changed)) == (None, None, 2)
    assert next(target_lines([found])) == "deflection_rate: no target -> at least 0.22; 2 of 4 verdicts change"


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"deflexion_rate": D("0.2")}, "found 'deflexion_rate', which is no KPI; did you mean deflection_rate?"),
        ({"deflection_rate": D(20)}, "deflection_rate: found a target of 20, expected 0 to 1 for ratio"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused(
    con: duckdb.DuckDBPyConnection, targets: dict[str, Decimal], message: str
) -> None:
    """With what was meant."""
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        retarget(con, CATALOG, targets)


def test_a_target_that_cannot_be_read_names_its_option() -> None:
    """`--target deflection_rate` lacks a figure."""
    with pytest.raises(ConfigurationError, match=r"--target  E009  found 'deflection_rate', expected kpi_id=number"):
        parse_changes(["deflection_rate"], option="--target", example="kpi_id=number")
