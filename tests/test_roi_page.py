"""The page of the return, held number by number to what another program makes of the printed trees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracle_return import Return, quantile, uniforms
from return_expected import differences, expected
from return_page import Where, tokens
from roi_room import COSTS, MONTHS, assumption, catalog_of, inputs, kpi, kpis, with_assumption
from test_reports_edition import edition

from pipeline.reports import render
from pipeline.reports.returns import panel
from pipeline.returns import _simulation
from pipeline.roi.assemble import evaluate
from pipeline.roi.beside import beside
from pipeline.roi.inputs import Budget, Cost, Inputs, Seats
from pipeline.roi.records import RoiResult
from pipeline.roi.store import plain
from pipeline.roi.tree import Held, tree_of

D = Decimal
DRAWS = 800


def told(
    result: RoiResult, kpi_id: str, outcomes: Mapping[Any, Decimal], budgets: Mapping[Any, Decimal] | None = None
) -> dict[str, Any]:
    """What `roi explain --json` says of a KPI at the end of the last month."""
    held = Held(result, result.points[-1])
    found = {"tree": tree_of(result, kpi_id), "beside": beside(held, outcomes, budgets),
             "simulation": _simulation(result, kpi_id, held.point.month)}  # fmt: skip
    said: dict[str, Any] = json.loads(json.dumps({name: plain(one) for name, one in found.items()}))
    return said


def page_of(result: RoiResult, out: Path) -> str:
    """The page of whoever pays."""
    render(edition(roi=result), out)
    return (out / "chief_ai_officer.html").read_text(encoding="utf-8")


def wanted_of(
    result: RoiResult, outcomes: Mapping[Any, Decimal], budgets: Mapping[Any, Decimal] | None = None
) -> dict[Where, str]:
    """What that page must print."""
    held = Return(told(result, "programme_roi", outcomes, budgets), told(result, "payback_months", {}))
    return dict(expected(held, {one.line: one.name for one in result.lines}))


def programme(**changes: Any) -> Inputs:
    """The small programme with verified outcomes, and a register in which every shape and a drawn weight occur."""
    rows = with_assumption(assumption("discount_rate", "0.08", low="0.06", high="0.1"))
    rows = tuple(replace(one, distribution="triangular") if one.assumption_id == "risk" else one for one in rows)
    rows = tuple(replace(one, **dict.fromkeys(("low", "base", "high"), D(1400))) if one.assumption_id == "agency_spend"
                 else one for one in rows)  # fmt: skip
    weight = assumption("weight_before_after", "0.5", low="0.3", high="0.6")
    numbers = (*kpis(), *(kpi("task_success_rate", "numerator", month, "7") for month in MONTHS))
    return inputs(**({"kpis": numbers, "assumptions": (*rows, weight)} | changes))


OUTCOMES = {month: D(7) for month in MONTHS}
DEAR = (replace(COSTS[0], amount=D(9000)), *COSTS[1:])
LATE = (replace(COSTS[0], amount=D(1500)), *COSTS[1:])


@pytest.mark.parametrize("costs", [COSTS, DEAR], ids=["cheap", "dear"])
def test_every_number_of_the_page_is_recomputed(costs: Any, tmp_path: Path) -> None:
    """One that needs no freed hours to pay, and one that takes 218 % of them."""
    result = evaluate(catalog_of(), programme(costs=costs), draws=DRAWS)
    assert not differences(page_of(result, tmp_path), wanted_of(result, OUTCOMES))


def test_overspending_and_idle_licences_are_recomputed(tmp_path: Path) -> None:
    """For support 100 approved of 500 posted and 2.50 of calls, for coding 60.55 and 3 of calls; 30 of 40 idle."""
    held = [(MONTHS[0], "support", "100"), (MONTHS[2], "coding", "60.55")]
    budgets = tuple(Budget(month, case, D(amount), "USD", "Finance", MONTHS[0]) for month, case, amount in held)
    licences = Cost("c-8", "coding", "", "licence", MONTHS[1], D(40), "USD", "costs.csv:8")
    seats = Seats(MONTHS[1], "copilot", 20, 15, None, "")
    given = programme(budgets=budgets, costs=(*COSTS, licences), seats=(seats,))
    result = evaluate(catalog_of(), given, draws=DRAWS)
    cells = {(case, month): D(amount) for month, case, amount in held}
    wanted = wanted_of(result, OUTCOMES, cells)
    assert not differences(page_of(result, tmp_path), wanted)
    shown = dict(panel(result).spending)
    assert shown["Costs against the approved budget, 2 of the 3 months January 2026 to March 2026"].text == (
        f"${500 + D('2.50') + D('60.55') + D('3.00')} of ${100 + D('60.55')}, 252.6\u202f% over"
    )
    assert shown["Costs without a budget"].text == f"${result.programme.costs - 500 - D('2.50') - D('60.55') - 3}"
    assert shown["Idle licences"].text == "$30.00, 75.0\u202f% of what licences cost"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[Where, str]]:
    """A page and what it must print."""
    result = evaluate(catalog_of(), programme(costs=LATE), draws=DRAWS)
    return page_of(result, tmp_path_factory.mktemp("page")), wanted_of(result, OUTCOMES)


def test_every_number_of_a_late_payback_is_recomputed(printed: tuple[str, dict[Where, str]]) -> None:
    """Paid back in the last month, at an internal rate, a break-even within reach and a chance between 0 and 1."""
    assert not differences(*printed)
    assert "month 6" in printed[1]["fact", "Payback"]
    assert printed[1]["Assumptions in use", "agency_spend", "Figure (low to high)"] == "1\u202f400"


def falsified(page: str) -> Iterator[str]:
    """The page with one figure changed, once for each text that has a figure."""
    begin, end = page.index('aria-labelledby="worth"'), page.index('aria-labelledby="headlines"')
    for found in re.finditer(r">([^<>]*\d[^<>]*)<", page[begin:end]):
        if tokens(found[1]):
            at = begin + found.start(1) + found[1].rindex(tokens(found[1])[0])
            digit = re.compile(r"\d").search(page, at)
            assert digit is not None
            yield page[: digit.start()] + str((int(digit[0]) + 1) % 10) + page[digit.end() : end]


def test_a_changed_number_is_found(printed: tuple[str, dict[Where, str]]) -> None:
    """Each number of the section, changed in one digit, is told as wrong."""
    page, wanted = printed
    changed = list(falsified(page))
    assert len(changed) > 60
    assert all(differences(one, wanted) for one in changed)


@pytest.mark.parametrize(
    ("place", "new"),
    [("</h1>", " 12\u202f%</h1>"), ("</caption>", " of 12</caption>"), ("</h2>", "</h2><p>$12</p>")],
)
def test_a_number_without_a_counterpart_is_found(printed: tuple[str, dict[Where, str]], place: str, new: str) -> None:
    """A figure that no tree tells, in the title, in a caption and in the text."""
    page, wanted = printed
    head, found, rest = page.partition('<h2 id="worth"') if place == "</h2>" else ("", "", page)
    if place == "</caption>":
        head, found, rest = page.partition('<section aria-labelledby="worth"')
    assert differences(head + found + rest.replace(place, new, 1), wanted)


def test_what_is_left_out_of_the_page_is_found(printed: tuple[str, dict[Where, str]]) -> None:
    """A row of costs less."""
    page, wanted = printed
    assert differences(re.sub(r'<tr><th scope="row">Cost: build.*?</tr>', "", page, count=1), wanted) == [
        "From benefits to what is left / Cost: build / : not on the page",
        "From benefits to what is left / Cost: build / Amount: not on the page",
    ]


def test_days_and_thresholds_are_no_figures() -> None:
    """What is left of a text when they are taken out."""
    days = "In 8 of 10 draws above $0, to October 2026, on 5 Jan 2026, 2026-10, exp-1"
    text = f"{days}: \u2212\u2060$25\u202f302 (P10) or 56.4\u202f%"
    assert tokens(text) == ["\u2212\u2060$25\u202f302", "56.4\u202f%"]


@pytest.mark.parametrize("shape", ["pert", "triangular", "interval"])
def test_the_two_ways_to_draw_agree(shape: str) -> None:
    """The oracle's quantiles, by scipy's beta and by formulas, and the model's, to a millionth of the range."""
    from pipeline.roi import simulation

    one = {"shape": shape, "low": "2", "base": "3", "high": "9", "is_share": False}
    u = uniforms("hours", 7, 500)
    assert np.array_equal(u, simulation.uniforms("hours", draws=500, seed=7))
    theirs = simulation.quantile(simulation.Uncertain("hours", 2, 3, 9, shape), u)  # type: ignore[arg-type]
    assert np.abs(quantile(one, u) - theirs).max() < 7e-6
