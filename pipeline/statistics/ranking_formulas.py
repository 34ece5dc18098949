"""The measures of `ranking` written out, for machines on which trec_eval cannot be installed.

Sources: Jarvelin & Kekalainen (2002), ACM Transactions on Information Systems 20:422-446 (nDCG); Manning, Raghavan &
Schutze (2008), Introduction to Information Retrieval, chapter 8 (the others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_QUERY = ["query_id"]
_PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class Lists:
    """Ranked lists and judgements of the judged queries; ids are text. Make them with `of`."""

    ranked: pd.DataFrame
    """Columns query_id, doc_id, rank (from 1); one row per document returned for a judged query."""
    judged: pd.DataFrame
    """Columns query_id, doc_id, grade (at least 0)."""

    @classmethod
    def of(cls, run: pd.DataFrame, qrels: pd.DataFrame) -> Lists:
        """Rank by score, then document id, both descending; see `ranking.ranking_measures` for what is refused."""
        judged = _checked(qrels, "qrels", "grade").drop_duplicates()
        if not (judged["grade"] == judged["grade"].round()).all():
            raise ValueError("qrels have a grade that is not a whole number")
        if judged.duplicated(_PAIR).any():
            query, document = judged.loc[judged.duplicated(_PAIR), _PAIR].iloc[0]
            raise ValueError(f"qrels have two grades of document {document} for query {query}")
        ranked = _checked(run, "run", "score").sort_values(
            ["query_id", "score", "doc_id"], ascending=[True, False, False]
        )
        ranked = ranked[ranked["query_id"].isin(judged["query_id"])].drop_duplicates(_PAIR)
        ranked = ranked.assign(rank=ranked.groupby("query_id").cumcount() + 1)[[*_PAIR, "rank"]]
        return cls(ranked, judged.assign(grade=judged["grade"].clip(lower=0).astype("int64")))

    @cached_property
    def queries(self) -> pd.Index[str]:
        """Judged queries, sorted."""
        return self.best_grade.index

    @cached_property
    def best_grade(self) -> pd.Series[int]:
        """Greatest grade by query."""
        return self.judged.groupby("query_id")["grade"].max()

    @cached_property
    def returned(self) -> pd.Series[bool]:
        """Whether the run has anything for the query."""
        return self.best_grade.index.to_series().isin(self.ranked["query_id"])

    @cached_property
    def graded(self) -> pd.DataFrame:
        """The ranked documents with their grades, NaN where nobody judged."""
        return self.ranked.merge(self.judged, how="left", on=_PAIR)

    def sums(self, values: pd.Series[float], cutoff: int | None) -> pd.Series[float]:
        """Sum by query of values of rows of `graded`, over the first `cutoff` documents; 0 where there is none."""
        rows = self.graded.loc[values.index]
        counted = values if cutoff is None else values.where(rows["rank"] <= cutoff, 0.0)
        return counted.groupby(rows["query_id"]).sum().reindex(self.queries, fill_value=0.0)

    def relevant(self, grade: int) -> pd.Series[int]:
        """How many documents of at least this grade were judged, by query; NaN for none."""
        count = (self.judged["grade"] >= grade).groupby(self.judged["query_id"]).sum()
        return count.where(count > 0)


def _checked(frame: pd.DataFrame, name: str, number: str) -> pd.DataFrame:
    missing = [column for column in [*_PAIR, number] if column not in frame.columns]
    if missing:
        raise ValueError(f"{name} lacks column {missing[0]}, found {', '.join(map(str, frame.columns))}")
    kept = frame[_PAIR].astype("str").assign(**{number: frame[number].astype("float64")})
    if not np.isfinite(kept[number]).all():
        raise ValueError(f"a {number} of the {name} is not a finite number; leave the row out")
    return kept.reset_index(drop=True)


def _precision(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    return lists.sums(lists.graded["grade"] >= grade, cutoff) / (cutoff or np.nan)


def _recall(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    return lists.sums(lists.graded["grade"] >= grade, cutoff) / lists.relevant(grade)


def _success(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    return (lists.sums(lists.graded["grade"] >= grade, cutoff) > 0).astype("float64")


def _reciprocal_rank(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    hits = lists.graded[lists.graded["grade"] >= grade].drop_duplicates(_QUERY)
    return lists.sums(1 / hits["rank"], cutoff)


def _average_precision(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    hits = lists.graded[lists.graded["grade"] >= grade]
    return lists.sums((hits.groupby("query_id").cumcount() + 1) / hits["rank"], cutoff) / lists.relevant(grade)


def _ndcg(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    gained = lists.sums(lists.graded["grade"].fillna(0) / np.log2(lists.graded["rank"] + 1), cutoff)
    best = lists.judged.sort_values(["query_id", "grade"], ascending=[True, False])
    place = best.groupby("query_id").cumcount() + 1
    gain = (best["grade"] / np.log2(place + 1)).where(place <= (cutoff or place.max()), 0.0)
    ideal = gain.groupby(best["query_id"]).sum()
    return gained / ideal.where(ideal > 0)


def _judged(lists: Lists, grade: int, cutoff: int | None) -> pd.Series[float]:
    seen = lists.sums(lists.graded["rank"].notna(), cutoff)
    return lists.sums(lists.graded["grade"].notna(), cutoff) / seen.where(seen > 0)


FORMULAS: dict[str, Callable[[Lists, int, int | None], pd.Series[float]]] = {
    "nDCG": _ndcg,
    "P": _precision,
    "R": _recall,
    "Success": _success,
    "RR": _reciprocal_rank,
    "AP": _average_precision,
    "Judged": _judged,
}
"""From lists, least relevant grade and cutoff to one value per query; NaN where there is nothing to divide by."""
