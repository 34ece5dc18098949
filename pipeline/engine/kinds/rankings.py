"""Ranked lists: a measure per judged query through ir_measures, then the mean over queries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline.engine.kinds.base import (
    SQUARED,
    Kind,
    Leaf,
    Look,
    Measured,
    floats,
    from_rows,
    in_periods,
    quotient,
    slices,
)
from pipeline.engine.kinds.sums import clustered

if TYPE_CHECKING:
    import pandas as pd


def per_query(frame: pd.DataFrame, *, measure: str, keys: tuple[str, ...]) -> pd.DataFrame:
    """One row per list and judged query with its value; columns are `keys`, query, value.

    Queries without a relevant document have no ideal ranking and are left out; those whose judgements are none, for a
    grade is no whole number or a document has two, have an unknown value. `frame` has the keys, query, document, score
    (null: not returned) and grade (null: not judged).
    """
    from pipeline.statistics.ranking import ranking_measures

    lists = frame.assign(query_id=frame.groupby([*keys, "query"], dropna=False, sort=True).ngroup().astype(str))
    judged = lists[lists["grade"].notna()].assign(grade=lambda held: held["grade"].astype(float))
    told = judged.drop_duplicates(["query_id", "document", "grade"])
    odd = told.duplicated(["query_id", "document"]) | (told["grade"] != told["grade"].round())
    unknown = set(told.loc[odd, "query_id"])
    answerable = set(judged.loc[judged["grade"] > 0, "query_id"]) - unknown
    run = lists.loc[lists["score"].notna(), ["query_id", "document", "score"]]
    qrels = judged.loc[judged["query_id"].isin(answerable), ["query_id", "document", "grade"]]
    names = {"document": "doc_id"}
    found = ranking_measures(run.rename(columns=names), qrels.rename(columns=names), [measure], unreturned_as_zero=True)
    values = found.rename(columns={measure: "value"})[["query_id", "value"]]
    heads = lists[[*keys, "query", "query_id"]].drop_duplicates("query_id")
    known = heads.merge(values, how="left", on="query_id")
    return known[known["value"].notna() | known["query_id"].isin(unknown)].drop(columns="query_id")


class RankingKind(Kind):
    """The mean over judged queries."""

    empty = "no judged query has a relevant document"

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """The value of each query of each day's lists."""
        keys = ("day", *m.dimensions)
        columns = ", ".join(
            [*keys, f"{m.query} AS query", f"{m.document} AS document", f"{m.score} AS score", f"{m.grade} AS grade"]
        )
        types = ", ".join(
            ["day DATE", *(f"{name} VARCHAR" for name in m.dimensions), "query VARCHAR", f"value {SQUARED}"]
        )
        through = partial(per_query, measure=m.measure, keys=keys)
        yield Leaf(
            f"queries_{kpi_id}", m.fact, f"SELECT {columns} FROM {from_rows(m.fact)}", through=through, types=types
        )

    def roll(self, con: duckdb.DuckDBPyConnection, kpi_id: str, m: Any, periods: str) -> str:
        """Sums and squares over queries."""
        columns, groups = slices(m.dimensions, keys="grain, period_start, period_end")
        sums = (
            "sum(value) AS numerator, count(value) AS denominator, count(value) AS n, count(value) AS clusters, "
            "sum(value) AS sum_x, count(value) AS sum_y, sum(value * value) AS sum_xx, sum(value) AS sum_xy, "
            "count(value) AS sum_yy, count(*) - count(value) AS unknown"
        )
        return (
            f"SELECT grain, period_start, period_end, {columns}, {sums} "
            f"FROM {in_periods(f'states.queries_{kpi_id}')} GROUP BY {groups}"
        )

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The mean and its interval over queries."""
        low, high = clustered(frame, is_share=True)
        return quotient(floats(frame, "numerator"), floats(frame, "denominator")), low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """The rows that go in; SQL has no such measure, so the value itself is not worked out a second time."""
        return (
            f"SELECT count(DISTINCT {m.query}) FILTER (WHERE {m.grade} > 0) AS judged_queries, "
            f"count({m.score}) AS returned, count({m.grade}) AS judged {look.source(m.fact)}"
        )
