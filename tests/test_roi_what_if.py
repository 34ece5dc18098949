"""`roi what-if --scenario`: the net benefit with every uncertain figure at one end, by hand and as it is printed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from roi_room import COSTS, assumption, catalog_of, inputs, with_assumption
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.cli_returns import Scenario, _as_json, _what_if_lines
from pipeline.errors import ConfigurationError
from pipeline.returns import WhatIf, _changed, parse_changes
from pipeline.roi.assemble import evaluate
from pipeline.roi.inputs import Cost, Inputs
from pipeline.roi.records import RoiResult
from pipeline.roi.text import difference_lines, scenario_line

D = Decimal


def result_of(held: Inputs) -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), held, draws=50)


def one_line() -> Inputs:
    """Contacts alone, exact but for what a contact costs: 4, 5 or 7 USD; no discount, no review."""
    rows = with_assumption(assumption("cost_per_contact", "5", "USD/contact", low="4", high="7"))
    exact = {"attribution": "0.8", "left_the_budget": "0.5", "risk": "0.1", "reviews": "0", "discount_rate": "0"}
    rows = tuple(
        replace(one, low=D(base), base=D(base), high=D(base)) if (base := exact.get(one.assumption_id)) else one
        for one in rows
    )
    kpis = tuple(replace(one, low=one.value, high=one.value) for one in inputs().kpis if one.kpi_id == "settled")
    return inputs(assumptions=rows, kpis=kpis)


@pytest.fixture(scope="module")
def found() -> WhatIf:
    """Risk from 0.1 to 0.28 on the line by hand."""
    held = one_line()
    before = result_of(held)
    changes = {"risk": D("0.28")}
    return WhatIf(3, changes, before, result_of(_changed(held, before, changes)))


def test_sums_of_nothing_are_not_known_to_be_zero(found: WhatIf) -> None:
    """Without evidence, costs nobody recorded and benefits nobody claimed are not available, and it says why."""
    nothing = {"status": "insufficient evidence", "reason": "nobody asked", "costs": D(0), "cash": D(0)}
    whole = replace(found.before.programme, **nothing)
    bare = replace(found.before, programme=whole)
    lines = list(difference_lines(bare, bare, {}))
    for label in ("counted benefits, cash", "costs"):
        (line,) = (one for one in lines if one.startswith(f"{label} "))
        assert line.split("  ")[-1].strip() == "not available" and "0.00" not in line
    assert lines[-1] == "! insufficient evidence: nobody asked"
    known = list(difference_lines(found.before, found.before, {}))
    assert not [one for one in known if one.startswith("! insufficient")]


def test_each_end_by_hand(found: WhatIf) -> None:
    """600 contacts × 4, 5 or 7 × 0.8 × 0.5 × 0.9 less costs of 694.75: 864, 1080 and 1512 are gained."""
    costs = D("500") + D("100") + D("60.55") + 6 * D("5.70")
    gained = {name: 600 * D(price) * D("0.8") * D("0.5") * D("0.9") for name, price in
              (("low", 4), ("base", 5), ("high", 7))}  # fmt: skip
    assert found.before.programme.costs == costs
    assert found.before.scenarios == {name: amount - costs for name, amount in gained.items()}


@pytest.mark.parametrize(("name", "before", "after"), [
    ("low", "169.25", "-3.55"), ("base", "385.25", "169.25"), ("high", "817.25", "514.85"),
])  # fmt: skip
def test_the_line_has_both_and_their_difference(found: WhatIf, name: str, before: str, after: str) -> None:
    """At a risk of 0.28, 0.72 of the gross is left in place of 0.9: a fifth less is gained."""
    apart = D(after) - D(before)
    expected = [f"net benefit, scenario {name}", f"{before} USD", f"{after} USD", f"{apart} USD"]
    assert re.split(r"\s{2,}", scenario_line(found.before, found.after, name)) == expected
    assert list(_what_if_lines(found, [], Scenario(name)))[-1] == scenario_line(found.before, found.after, name)


def test_as_json(found: WhatIf) -> None:
    """Name, before and after; nothing of scenarios where none was asked for."""
    assert _as_json(found, [], Scenario.low)["scenario"] == {"name": "low", "before": "169.25", "after": "-3.55"}
    assert "scenario" not in _as_json(found, [], None)


def test_without_a_result_a_scenario_is_not_available() -> None:
    """Nothing counts: no net benefit at any end, and never 0."""
    empty = result_of(inputs(kpis=()))
    assert empty.scenarios == {}
    assert scenario_line(empty, empty, "low").split("  ")[-1].strip() == "not available"
    told = _as_json(WhatIf(1, {}, empty, empty), [], Scenario.low)["scenario"]
    assert told == {"name": "low", "before": None, "after": None}


def test_the_command_wants_to_be_told_what() -> None:
    """Without an option, and with a scenario there is not, it says what it expects."""
    runner = CliRunner()
    nothing, unknown = runner.invoke(app, ["what-if"]), runner.invoke(app, ["what-if", "--scenario", "worst"])
    assert (nothing.exit_code, unknown.exit_code) == (2, 2)
    assert "at least one of --set, --target and" in " ".join(nothing.output.split())
    assert "'low', 'base', 'high'" in " ".join(unknown.output.split())


@pytest.mark.parametrize(("text", "expected"), [
    ("risk=1.5", "found risk=1.5, expected a share from 0 to 1"),
    ("discount_rate=8", "found discount_rate=8, expected a share from 0 to 1"),
    ("cost_per_contact=-5", "found cost_per_contact=-5, expected at least 0 USD/contact"),
])  # fmt: skip
def test_an_impossible_figure_is_refused(text: str, expected: str) -> None:
    """A share beyond 0 to 1, or an amount below 0, is a mistake of the command line."""
    held = inputs()
    before = evaluate(catalog_of(), held, draws=20)
    with pytest.raises(ConfigurationError) as caught:
        _changed(held, before, parse_changes([text]))
    assert [str(one) for one in caught.value.problems] == [f"--set  E009  {expected}"]


def test_one_use_case_can_have_a_figure_of_its_own() -> None:
    """Risk 0.1 stays for contacts of support; for drafting, which has none of its own, it becomes 0.5."""
    held = inputs()
    before = evaluate(catalog_of(), held, draws=20)
    after = evaluate(catalog_of(), _changed(held, before, parse_changes(["risk.drafting=0.5"])), draws=20)
    was, now = (
        [one.gross for one in found.claims if (one.use_case, one.line) == ("drafting", "hours_saved")]
        for found in (before, after)
    )
    assert now == [(gross / D("0.9") * D("0.5")).quantize(D("0.01")) for gross in was if gross]
    assert [one for one in after.claims if one.use_case == "support"] == [
        one for one in before.claims if one.use_case == "support"
    ]


def test_at_the_break_even_realisation_nothing_is_left() -> None:
    """Review costs a share of the hours, realised alike: 30 h x 60 x 0.8 x 0.9 less 5 h x 60 x f; one fixed point."""
    review = {"name": "Review", "factors": [{"assumption": "review_hours", "unit": "h/month"},
                                            {"assumption": "loaded_rate", "unit": "USD/h"},
                                            {"assumption": "realisation", "unit": "ratio"}]}  # fmt: skip
    catalog = catalog_of(hours_saved={"deductions": [review], "evidence": {
        "design": "randomised", "experiment": "exp-1", "metric": "settled", "says": "By lot"}})  # fmt: skip
    known = (*inputs().assumptions, assumption("review_hours", "5", "h/month"), assumption("realisation", "0.25"))
    spent = Cost("c-9", "coding", "", "build", date(2026, 1, 15), D("3000"), "USD", "costs.csv:9")
    held = inputs(assumptions=known, costs=(*COSTS, spent))
    before = evaluate(catalog, held, draws=20)
    even = before.programme.break_even
    assert even is not None and 0 < even < 1
    for start in (before, evaluate(catalog, _changed(held, before, {"realisation": D("0.6")}), draws=20)):
        assert start.programme.break_even == pytest.approx(even, abs=D("0.00002"))
    after = evaluate(catalog, _changed(held, before, {"realisation": even}), draws=20)
    assert before.programme.net != after.programme.net
    assert abs(after.programme.net or D(99)) < D("0.10"), "cents of twelve claims, each rounded by itself"
