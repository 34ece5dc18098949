"""Ranked lists whose judgements are none: told as what they are, never guessed at and no fault."""

from __future__ import annotations

import pandas as pd
import pytest
from engine_room import CATALOG, empty, fill, value, values

from pipeline.engine.kinds.rankings import per_query

KPI = "retrieval_relevance_at_k"


def rows(*judged: tuple[str, str, float]) -> pd.DataFrame:
    """Documents of queries with their grades, each of which was returned."""
    frame = pd.DataFrame(judged, columns=["query", "document", "grade"])
    return frame.assign(day=pd.Timestamp("2026-03-02"), score=1.0)


@pytest.mark.parametrize(
    "odd", [[("b", "x", 0.5)], [("b", "x", 1.0), ("b", "x", 2.0)], [("b", "x", 0.0), ("b", "y", 1.5)]]
)
def test_a_query_without_a_judgement_is_of_unknown_value(odd: list[tuple[str, str, float]]) -> None:
    """A grade that is no whole number, or two of one document, judge nothing; other queries keep their value."""
    found = per_query(rows(("a", "x", 1.0), ("a", "x", 1.0), ("c", "x", 0.0), *odd), measure="nDCG@10", keys=("day",))
    assert found["query"].tolist() == ["a", "b"]
    assert found["value"].iloc[0] == 1
    assert pd.isna(found["value"].iloc[1])


def test_queries_without_a_judgement_are_left_out_and_counted() -> None:
    """A definition that takes the suite for the document has two grades of it; the value says of how many queries."""
    metric = CATALOG.metrics[KPI].model_copy(update={"document": "suite", "min_n": 1})
    catalog = CATALOG.model_copy(update={"metrics": {KPI: metric}})
    with empty() as con:
        begun = {"suite": "s", "suite_version": "v", "started_at": "2026-03-02 10:00:00Z", "status": "completed"}
        fill(con, "evaluation_runs", {"run_id": "r"} | begun)
        fill(con, "retrieval_results", {"run_id": "r", "query_id": "a", "doc_id": "x", "score": 2.0})
        for query, document, grade in (("a", "x", 1), ("b", "x", 1), ("b", "y", 2)):
            judged = {"judgement_version": "v", "query_id": query, "doc_id": document, "grade": grade}
            fill(con, "relevance_judgements", judged)
        found = value(values(con, catalog), KPI, "week", "2026-03-02")
    assert (found["value"], found["n"]) == (1, 1)
    assert "1 of unknown value left out" in found["reason"]
