"""Measures of ranked lists against graded judgements, query by query, as trec_eval computes them.

A measure is named as ir_measures names it: nDCG@10, P@5, R@100, Success@1, RR, AP, Judged@10; nDCG, RR and AP also
without a cutoff; P(rel=2)@5 asks for a grade of at least 2. Computed by ir_measures (MacAvaney, Macdonald & Ounis
(2022), ECIR 2:305-310), which runs NIST's trec_eval; where that has no wheel, by `ranking_formulas`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.statistics.ranking_formulas import FORMULAS, Lists

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"(?P<kind>[A-Za-z]+)(\(rel=(?P<grade>[1-9][0-9]*)\))?(@(?P<cutoff>[1-9][0-9]*))?")
NEEDS_CUTOFF = frozenset({"P", "R", "Success", "Judged"})
WITHOUT_GRADE = frozenset({"nDCG", "Judged"})


@dataclass(frozen=True)
class Measure:
    """One measure, taken apart."""

    name: str
    kind: str
    grade: int
    """Least grade that counts as relevant."""
    cutoff: int | None
    """How many of the first documents count; None for all."""

    @classmethod
    def of(cls, name: str) -> Measure:
        """Take a name apart; ValueError for one that is not known."""
        match = NAME.fullmatch(name)
        if match is None or match["kind"] not in FORMULAS:
            raise ValueError(f"measure {name!r} is not known, expected one of {', '.join(FORMULAS)}, such as nDCG@10")
        if match["kind"] in NEEDS_CUTOFF and match["cutoff"] is None:
            raise ValueError(f"measure {name!r} needs a cutoff, such as {match['kind']}@10")
        if match["kind"] in WITHOUT_GRADE and match["grade"] is not None:
            raise ValueError(f"measure {name!r} counts every grade; leave out (rel={match['grade']})")
        cutoff = None if match["cutoff"] is None else int(match["cutoff"])
        return cls(name, match["kind"], int(match["grade"] or 1), cutoff)


def ranking_measures(
    run: pd.DataFrame, qrels: pd.DataFrame, measures: Sequence[str], *, unreturned_as_zero: bool = False
) -> pd.DataFrame:
    """Value of each measure for each judged query: columns query_id (as text, sorted) and the names of the measures.

    `run` has query_id, doc_id, score; `qrels` has query_id, doc_id, grade (a whole number; below 1 is not relevant).
    Documents are ranked by score, then by id, both descending, as trec_eval ranks them; one returned twice counts at
    its better place. Queries of the run without a judgement are left out. So are judged ones the run lacks, unless
    `unreturned_as_zero` (trec_eval -c): then they count 0. A query without a relevant document has NaN in every measure
    but Judged, which is NaN where nothing was returned. ValueError for an unknown measure, a missing column, a score
    or grade that is unknown or not a number, and a document with two grades for one query.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q"] * 3, "doc_id": ["a", "b", "c"], "score": [0.9, 0.5, 0.5]})
    >>> qrels = pd.DataFrame({"query_id": ["q"] * 2, "doc_id": ["a", "b"], "grade": [0, 1]})
    >>> ranking_measures(run, qrels, ["RR", "P@2", "Judged@2"]).to_dict("records")  # the order is a, c, b
    [{'query_id': 'q', 'RR': 0.3333333333333333, 'P@2': 0.0, 'Judged@2': 0.5}]
    """
    asked = [Measure.of(name) for name in measures]
    lists = Lists.of(run, qrels)
    found = _by_trec_eval(lists, asked) if find_spec("ir_measures") else _by_formulas(lists, asked)
    found = found.reindex(index=lists.queries, columns=list(measures)).astype("float64")
    _leave_open(found, lists, asked)
    if not unreturned_as_zero:
        found = found[lists.returned]
    return found.rename_axis(index="query_id", columns=None).reset_index()


def _leave_open(found: pd.DataFrame, lists: Lists, measures: Sequence[Measure]) -> None:
    """Put 0 where nothing was returned, and NaN where there was nothing to find or to judge."""
    found.loc[~lists.returned] = 0.0
    for measure in measures:
        if measure.kind == "Judged":
            found.loc[~lists.returned, measure.name] = float("nan")
        else:
            found.loc[lists.best_grade < measure.grade, measure.name] = float("nan")


def _by_trec_eval(lists: Lists, measures: Sequence[Measure]) -> pd.DataFrame:
    """Values by query (rows) and measure (columns); the ranks stand in for scores, so that no tie is left to break."""
    import ir_measures
    import pandas as pd

    run = lists.ranked.assign(score=-lists.ranked["rank"].astype("float64"))
    judged = lists.judged.rename(columns={"grade": "relevance"})
    names = {ir_measures.parse_measure(measure.name): measure.name for measure in measures}
    if run.empty or not names:
        return pd.DataFrame(columns=list(names.values()))
    values = list(ir_measures.iter_calc(list(names), judged, run[["query_id", "doc_id", "score"]]))
    rows = [(value.query_id, names[value.measure], value.value) for value in values]
    return pd.DataFrame(rows, columns=["query_id", "name", "value"]).pivot(index="query_id", columns="name")["value"]


def _by_formulas(lists: Lists, measures: Sequence[Measure]) -> pd.DataFrame:
    """The same table without ir_measures."""
    import pandas as pd

    return pd.DataFrame(
        {measure.name: FORMULAS[measure.kind](lists, measure.grade, measure.cutoff) for measure in measures},
        index=lists.queries,
    )
