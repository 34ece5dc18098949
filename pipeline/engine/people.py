"""How many people stand behind what is told of a group of them, where a KPI counts something else, such as sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipeline.catalog.expressions import Measure
from pipeline.catalog.people import PERSON
from pipeline.engine.kinds.base import column_of
from pipeline.engine.sets import count_sets, set_sql
from pipeline.engine.windows import rolled_frame

if TYPE_CHECKING:
    import pandas as pd

PEOPLE = set_sql(Measure("distinct", PERSON))
"""SQL of the people of a cell."""


def count_people(
    con: duckdb.DuckDBPyConnection, fact: str, dimensions: tuple[str, ...], periods: pd.DataFrame
) -> pd.DataFrame:
    """One row per period and slice in which anybody has rows: how many different `people` that is, the total first."""
    columns = {"n": column_of(PEOPLE)}
    found = rolled_frame(count_sets(con, f"states.cells_{fact}", columns, dimensions, periods), periods)
    return found.rename(columns={"n": "people"})
