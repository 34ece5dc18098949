"""How many people stand behind what is told of what they did, such as sessions."""

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
"""SQL of the people of a cell who are known by name."""
STRANGERS = f"count(*) filter (where {PERSON} IS NULL)"
"""SQL of the rows of a cell of which nobody knows whose they are: each may be that of another person."""


def count_people(
    con: duckdb.DuckDBPyConnection, fact: str, dimensions: tuple[str, ...], periods: pd.DataFrame
) -> pd.DataFrame:
    """One row per period and slice in which anybody has rows, the total first.

    `known` is how many different people of known name that is, and `people` those and as many as there are rows of
    nobody known.
    """
    sets, sums = {"known": column_of(PEOPLE)}, {"strangers": column_of(STRANGERS)}
    parts = (
        (dimension, value, {"known": counts["known"], "n": counts["known"] + counts["strangers"]})
        for dimension, value, counts in count_sets(con, f"states.cells_{fact}", sets, dimensions, periods, sums=sums)
    )
    return rolled_frame(parts, periods).rename(columns={"n": "people"})
