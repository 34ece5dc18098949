"""Ranking measures: worked examples, trec_eval's order, and two computations held to one another."""

import math
from importlib.util import find_spec
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics import ranking
from pipeline.statistics.ranking import ranking_measures

LAW = settings(deadline=None, derandomize=True, max_examples=30)
both_ways = pytest.mark.usefixtures("computed_by")
MEASURES = ["nDCG@3", "nDCG", "P@3", "P(rel=2)@5", "R@3", "R(rel=2)@1", "Success@2", "RR", "RR(rel=2)", "RR@2", "AP",
            "AP(rel=2)", "AP@3", "Judged@3"]  # fmt: skip
QUERIES, DOCUMENTS = st.sampled_from(["1", "2", "10"]), st.sampled_from("abcdeé")
RUNS = st.dictionaries(st.tuples(QUERIES, DOCUMENTS), st.integers(0, 3), max_size=18)
JUDGEMENTS = st.dictionaries(st.tuples(QUERIES, DOCUMENTS), st.integers(-1, 3), min_size=1, max_size=18)


def run_of(scores):
    """A run from {(query, document): score}."""
    return pd.DataFrame([(*key, x) for key, x in scores.items()], columns=["query_id", "doc_id", "score"])


def qrels_of(grades):
    """Judgements from {(query, document): grade}."""
    return pd.DataFrame([(*key, x) for key, x in grades.items()], columns=["query_id", "doc_id", "grade"])


def in_order(*documents):
    """A run of one query q that returned these documents in this order."""
    return run_of({("q", document): -place for place, document in enumerate(documents)})


@pytest.fixture(params=["ir_measures", "formulas"])
def computed_by(request, monkeypatch):
    """Run through trec_eval, where it is installed, and through the formulas."""
    if request.param == "formulas":
        monkeypatch.setattr(ranking, "find_spec", lambda name: None)
    elif find_spec("ir_measures") is None:
        pytest.skip("ir_measures has no wheel for this machine")
    return request.param


def value(run, qrels, measure, **options):
    """One measure of the only query."""
    (found,) = ranking_measures(run, qrels, [measure], **options)[measure]
    return float(found)


@both_ways
def test_ndcg_worked_example():
    """Grades 3, 2, 3, 0, 1, 2 in this order, a 3 and a 2 not returned: gain 6.861 of an ideal 8.740 is 0.785."""
    grades = {"a": 3, "b": 2, "c": 3, "d": 0, "e": 1, "f": 2, "g": 3, "h": 2}
    gained = sum(grade / math.log2(place + 1) for place, grade in enumerate([3, 2, 3, 0, 1, 2], start=1))
    ideal = sum(grade / math.log2(place + 1) for place, grade in enumerate([3, 3, 3, 2, 2, 2], start=1))
    assert (round(gained, 3), round(ideal, 3)) == (6.861, 8.74)
    found = value(in_order(*"abcdef"), qrels_of({("q", doc): grade for doc, grade in grades.items()}), "nDCG@6")
    assert found == pytest.approx(gained / ideal)
    assert round(found, 3) == 0.785


@both_ways
def test_the_others_by_hand():
    """Relevant at places 1, 3 and 6 of ten, one more never returned: AP (1/1 + 2/3 + 3/6) / 4, P@5 2/5, R@5 2/4."""
    run = in_order(*"abcdefghij")
    qrels = qrels_of({("q", doc): int(doc in "acfz") for doc in "abcfz"})
    expected = {"AP": (1 + 2 / 3 + 3 / 6) / 4, "P@5": 2 / 5, "R@5": 2 / 4, "RR": 1, "Success@1": 1, "Judged@5": 3 / 5}
    (found,) = ranking_measures(run, qrels, list(expected)).to_dict("records")
    assert found == {"query_id": "q"} | {name: pytest.approx(x) for name, x in expected.items()}


@both_ways
def test_ties_go_to_the_greater_id():
    """trec_eval orders equal scores by document id, descending, as text: 9 before 10, whatever the order of rows."""
    run, qrels = run_of({("q", 10): 0.5, ("q", 9): 0.5}), qrels_of({("q", 10): 1})
    assert value(run, qrels, "RR") == value(run[::-1], qrels, "RR") == value(run, qrels, "RR@2") == 1 / 2
    assert value(run, qrels, "Judged@1") == 0


@both_ways
def test_unjudged_is_not_irrelevant():
    """Two of four returned documents were judged: P@4 counts the others as misses, Judged@4 tells how many."""
    qrels = qrels_of({("q", "a"): 1, ("q", "c"): 0})
    assert value(in_order(*"abcd"), qrels, "P@4") == 1 / 4
    assert value(in_order(*"abcd"), qrels, "Judged@4") == 2 / 4
    assert value(in_order(*"ab"), qrels, "Judged@4") == 1 / 2


@both_ways
def test_a_query_without_a_relevant_document_is_undefined():
    """Nothing to find is not a failure to find it: NaN, also above the least grade asked for; Judged is defined."""
    qrels = qrels_of({("q", "a"): 0, ("q", "b"): -1, ("r", "a"): 1})
    run = run_of({("q", "a"): 2, ("q", "b"): 1, ("r", "a"): 1})
    found = ranking_measures(run, qrels, ["nDCG@5", "P@5", "RR", "R@5", "AP", "Success@1", "Judged@5"])
    assert found.iloc[0, 1:7].isna().all()
    assert found["Judged@5"].tolist() == [1, 1]
    assert math.isnan(value(run[2:], qrels[2:], "RR(rel=2)"))


@both_ways
def test_judged_queries_that_returned_nothing():
    """Left out unless asked for (trec_eval -c); then they count 0, and nothing of them could be judged."""
    run, qrels = in_order("a"), qrels_of({("q", "a"): 1, ("r", "a"): 1, ("s", "a"): 0})
    assert ranking_measures(run, qrels, ["RR"]).to_dict("list") == {"query_id": ["q"], "RR": [1]}
    found = ranking_measures(run, qrels, ["RR", "Judged@5"], unreturned_as_zero=True)
    assert found["query_id"].tolist() == ["q", "r", "s"]
    np.testing.assert_array_equal(found[["RR", "Judged@5"]], [[1, 1], [0, np.nan], [np.nan, np.nan]])
    nothing = ranking_measures(run[:0], qrels, ["RR"], unreturned_as_zero=True)
    np.testing.assert_array_equal(nothing["RR"], [0, 0, np.nan])
    assert ranking_measures(run, qrels[:0], ["RR"]).columns.tolist() == ["query_id", "RR"]


@both_ways
def test_queries_nobody_judged_are_left_out():
    """As in trec_eval, the run may hold more than the judgements."""
    run = pd.concat([in_order("a"), run_of({("other", "a"): 1})])
    assert ranking_measures(run, qrels_of({("q", "a"): 1}), ["P@1"])["query_id"].tolist() == ["q"]


@both_ways
def test_a_document_returned_twice_counts_at_its_better_place():
    """Two passages of one document are one document found once; the same judgement twice is one judgement."""
    run = pd.concat([in_order("a", "b"), run_of({("q", "b"): 5})])
    qrels = pd.concat([qrels_of({("q", "b"): 1})] * 2)
    assert value(run, qrels, "RR") == 1
    assert value(run, qrels, "P@2") == 1 / 2


@LAW
@given(RUNS, JUDGEMENTS, st.booleans())
def test_the_formulas_agree(scores, grades, unreturned_as_zero):
    """The formulas give what trec_eval gives, for ties, gaps, unjudged documents and grades below 0."""
    if find_spec("ir_measures") is None:
        pytest.skip("ir_measures has no wheel for this machine")
    run, qrels = run_of(scores), qrels_of(grades)
    by_trec_eval = ranking_measures(run, qrels, MEASURES, unreturned_as_zero=unreturned_as_zero)
    with patch.object(ranking, "find_spec", lambda name: None):
        by_formulas = ranking_measures(run, qrels, MEASURES, unreturned_as_zero=unreturned_as_zero)
    pd.testing.assert_frame_equal(by_formulas, by_trec_eval)


@LAW
@given(RUNS, JUDGEMENTS)
def test_laws(scores, grades):
    """Every value lies in 0..1; only the order of scores matters; the ideal order has nDCG 1."""
    run, qrels = run_of(scores), qrels_of(grades)
    found = ranking_measures(run, qrels, MEASURES)
    values = found[MEASURES].to_numpy()
    assert ((values >= 0) & (values <= 1 + 1e-12) | np.isnan(values)).all()
    stretched = run.assign(score=np.exp(run["score"].astype(float)))
    pd.testing.assert_frame_equal(ranking_measures(stretched, qrels, MEASURES), found)
    best = ranking_measures(qrels.rename(columns={"grade": "score"}), qrels, ["nDCG@3"])["nDCG@3"]
    np.testing.assert_allclose(best.dropna(), 1)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("NDCG@10", "measure 'NDCG@10' is not known, expected one of nDCG, P, R, Success, RR, AP, Judged, such as"),
        ("P@0", "measure 'P@0' is not known"),
        ("P", "measure 'P' needs a cutoff, such as P@10"),
        ("nDCG(rel=2)@10", r"measure 'nDCG\(rel=2\)@10' counts every grade; leave out \(rel=2\)"),
    ],
)
def test_unknown_measures_are_named(measure, message):
    """A name that is not a measure is refused with those that are."""
    with pytest.raises(ValueError, match=message):
        ranking_measures(in_order("a"), qrels_of({("q", "a"): 1}), [measure])


@pytest.mark.parametrize(
    ("run", "qrels", "message"),
    [
        (in_order("a").drop(columns="score"), {}, "run lacks column score, found query_id, doc_id"),
        (run_of({("q", "a"): None}), {}, "a score of the run is not a finite number; leave the row out"),
        (in_order("a"), {("q", "a"): None}, "a grade of the qrels is not a finite number; leave the row out"),
        (in_order("a"), {("q", "a"): 0.5}, "qrels have a grade that is not a whole number"),
        (in_order("a"), {("q", "1"): 1, ("q", 1): 2}, "qrels have two grades of document 1 for query q"),
    ],
)
def test_wrong_input_is_named(run, qrels, message):
    """Unknown scores and grades are not guessed."""
    with pytest.raises(ValueError, match=message):
        ranking_measures(run, qrels_of(qrels), ["P@1"])
