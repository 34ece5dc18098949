"""The decision about a use case: each rule at its threshold, and the brief of the small programme by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from roi_room import MONTHS, catalog_of, inputs

from pipeline.roi.assemble import evaluate
from pipeline.roi.decision import (
    FEW_MONTHS,
    FIX,
    LEAST_MONTHS,
    MOST_REALISATION,
    NO_COST,
    NO_RESULT,
    SCALE,
    STOP,
    UNDECIDED,
    Figures,
    decide,
)
from pipeline.roi.inputs import Cost
from pipeline.roi.records import Brief, RoiResult
from pipeline.roi.store import as_text, result_of

D = Decimal
KNOWN = Figures("", D(100), 6, D(-10), D(10), D("0.3"), "")
CENT = D("0.01")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"p10": CENT}, SCALE),
        ({"p10": D(0)}, FIX),
        ({"p90": D(0)}, FIX),
        ({"p90": -CENT, "break_even": MOST_REALISATION}, FIX),
        ({"p90": -CENT, "break_even": MOST_REALISATION + CENT}, STOP),
        ({"p90": -CENT, "break_even": MOST_REALISATION + CENT, "reach": D("0.6")}, FIX),
        ({"p90": -CENT, "break_even": None}, STOP),
        ({"months": LEAST_MONTHS}, FIX),
    ],
)
def test_each_rule_holds_to_its_threshold(change: dict[str, Decimal], word: str) -> None:
    """One cent or one month to either side decides."""
    assert decide(replace(KNOWN, **change)).word == word  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "rule", "because"),
    [
        ({"reason": "agency: stated, not measured"}, NO_RESULT, "agency: stated, not measured"),
        ({"costs": None}, NO_RESULT, "its costs or its range are not known"),
        ({"p10": None}, NO_RESULT, "its costs or its range are not known"),
        ({"costs": D("0.00"), "p10": D(500)}, NO_COST, "its costs come to 0.00 USD"),
        ({"months": LEAST_MONTHS - 1, "p10": D(500)}, FEW_MONTHS, "months with a counted benefit: 2"),
    ],
)
def test_nothing_is_decided_without_evidence(change: dict[str, object], rule: str, because: str) -> None:
    """However good the range looks: each lack has its rule and says what was found."""
    found = decide(replace(KNOWN, **change))  # type: ignore[arg-type]
    assert (found.word, found.rule, found.because) == (UNDECIDED, rule, because)


def test_a_decision_says_the_figures_that_met_its_rule() -> None:
    """With the share that is in reach."""
    found = decide(replace(KNOWN, p90=D("-1234.5"), break_even=D("0.625")))
    assert found.because == (
        "P90 of net benefit is -1 234.5 USD, break-even realisation 62.5 %, at most 50 % is in reach"
    )


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), inputs(), draws=400)


def brief(result: RoiResult, name: str) -> Brief:
    """The brief of one use case."""
    found = next(one.brief for one in result.use_cases if one.name == name)
    assert found is not None
    return found


def test_only_use_cases_have_a_brief(result: RoiResult) -> None:
    """Neither the programme, nor a unit, nor what belongs to no use case."""
    assert [one.name for one in result.use_cases if one.brief is None] == [""]
    assert result.programme.brief is None
    assert all(one.brief is None for one in result.business_units)


def test_grades_of_use_cases_add_up_to_the_programme(result: RoiResult) -> None:
    """Grade by grade, claimed and counted."""
    briefs = [one.brief for one in result.use_cases if one.brief is not None]
    for place, whole in enumerate(result.grades):
        parts = [one.grades[place] for one in briefs]
        assert sum(one.claimed for one in parts) == whole.claimed
        assert sum(one.counted for one in parts) == whole.counted


def test_the_strongest_inputs_of_a_use_case_are_its_own(result: RoiResult) -> None:
    """What a contact costs cannot move coding, nor realisation of hours a line of cash."""
    names = {name: {one.name for one in brief(result, name).tornado} for name in ("support", "coding")}
    assert names["coding"] == {"attribution", "loaded_rate", "realisation (default)"}
    assert len(names["support"]) == 3
    assert "realisation (default)" not in names["support"]


def test_a_turn_is_where_the_net_is_zero(result: RoiResult) -> None:
    """Coding at realisation f: half of 20 h × 60 × 0.8 × 0.9 × f a month, against its discounted costs."""
    turn = next(one for one in brief(result, "coding").turns if one.name == "realisation (default)")
    assert (turn.low, turn.base, turn.high) == (D(0), D("0.25"), D("0.5"))
    factors = [1.08 ** (-place / 12) for place in range(len(MONTHS))]
    gain = sum(0.5 * 20 * 60 * 0.8 * 0.9 * factor for factor in factors)
    cost = sum(3.0 * factor for factor in factors) + 60.55 * factors[2]
    assert turn.at is not None
    assert float(turn.at) == pytest.approx(cost / gain, abs=2e-4)
    worth = next(one for one in result.use_cases if one.name == "coding")
    assert float(turn.at) == pytest.approx(float(worth.break_even or 0), abs=2e-4)


def test_the_small_programme_is_decided(result: RoiResult) -> None:
    """Coding pays even at P10; drafting has no cost of its own; support at 900 000 has no hours that could save it."""
    assert brief(result, "coding").decision.word == SCALE
    assert brief(result, "drafting").decision.rule == NO_COST
    dear = inputs(costs=(Cost("c-9", "support", "", "build", MONTHS[0], D("900000"), "USD", "costs.csv:9"),))
    stopped = brief(evaluate(catalog_of(), dear, draws=50), "support").decision
    assert stopped.word == STOP
    assert "not reachable: the freed capacity is worth nothing" in stopped.because


def test_the_owner_is_the_one_in_the_newest_row() -> None:
    """Of the portfolio; empty where nobody answers."""
    held = inputs()
    rows = tuple(replace(one, owner="Old" if one.use_case == "coding" else "") for one in held.portfolio)
    newer = replace(rows[0], use_case="coding", since=MONTHS[2], owner="Head of Code")
    found = evaluate(catalog_of(), replace(held, portfolio=(*rows, newer)), draws=20)
    assert brief(found, "coding").owner == "Head of Code"
    assert brief(found, "support").owner == ""


def test_shared_costs_are_named_and_in_no_use_case(result: RoiResult) -> None:
    """100 of governance, and what was billed beyond telemetry, name no use case."""
    shared = next(one.costs for one in result.use_cases if one.name == "")
    assert shared is not None
    assert shared >= D(100)
    assert brief(result, "coding").shared_costs == shared


def test_a_stored_brief_reads_back_as_it_was(result: RoiResult) -> None:
    """The edition keeps it; an edition from before there were briefs still reads."""
    assert result_of(as_text(result)) == result
    assert result_of(as_text(result).replace('"brief":', '"gone":')).use_cases[0].brief is None
