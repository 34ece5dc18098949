"""How many people stand behind what is told of a group of them, where a KPI counts something else, such as sessions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import duckdb

from pipeline.catalog.expressions import Measure
from pipeline.catalog.model import AnyMetric
from pipeline.engine.kinds.base import column_of
from pipeline.engine.sets import count_sets, set_sql
from pipeline.engine.windows import rolled_frame
from pipeline.facts import load_facts
from pipeline.tables import load_tables

if TYPE_CHECKING:
    import pandas as pd

PERSON = "person_id"
"""Column of a fact that has whose row it is; empty where nobody knows."""
PEOPLE = set_sql(Measure("distinct", PERSON))
"""SQL of the people of a cell."""


@cache
def groupings() -> frozenset[str]:
    """Columns of the staff directory that group people, such as their department."""
    return frozenset(column.name for column in load_tables()["people"].columns if column.type in ("text", "category"))


def grouped_by(fact: str, metric: AnyMetric) -> tuple[str, ...]:
    """Dimensions of a KPI whose slices are groups of people of a fact, which it does not count."""
    if metric.people or fact not in metric.counted_facts or "_directory" not in load_facts()[fact].needs:
        return ()
    return tuple(name for name in metric.dimensions if name in groupings())


def tells_of_people(metric: AnyMetric) -> bool:
    """Whether a KPI counts people, or is told by groups of them."""
    return metric.people or any(grouped_by(fact, metric) for fact in metric.counted_facts)


def count_people(
    con: duckdb.DuckDBPyConnection, fact: str, dimensions: tuple[str, ...], periods: pd.DataFrame
) -> pd.DataFrame:
    """One row per period and slice in which anybody has rows: how many different `people` that is, the total first."""
    columns = {"n": column_of(PEOPLE)}
    found = rolled_frame(count_sets(con, f"states.cells_{fact}", columns, dimensions, periods), periods)
    return found.rename(columns={"n": "people"})
