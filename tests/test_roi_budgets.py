"""Budgets against costs, fiscal years, and spreads by business unit: by hand on the small programme."""

from __future__ import annotations

import doctest
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from roi_room import INVOICES, MONTHS, PORTFOLIO, catalog_of, inputs

from pipeline.catalog.model import Catalog
from pipeline.reports.evidence import attention, budget_months
from pipeline.reports.memos import budget_rows, memos
from pipeline.roi import years
from pipeline.roi.assemble import evaluate
from pipeline.roi.inputs import Budget, Cost, Inputs, Rate
from pipeline.roi.records import REFUSED, Budgeted, Claim, Month, RoiResult, Worth
from pipeline.roi.store import as_text, inputs_of, result_of
from pipeline.roi.years import fiscal_years

D = Decimal
NOBREAK, MINUS = "\u202f", "\u2212\u2060"


def budget(initiative: str, month: date, amount: str, **changes: Any) -> Budget:
    """A budget that was approved in time."""
    row = Budget(month, initiative, D(amount), "USD", "Finance director", date(2025, 12, 12), "budgets.csv:2")
    return replace(row, **changes)


BUDGETS = (
    budget("support", MONTHS[0], "480"), budget("support", MONTHS[1], "5"),
    budget("coding", MONTHS[2], "70"), budget("coding", MONTHS[3], "5", approved_by=""),
    budget("drafting", MONTHS[0], "12"), budget("programme", MONTHS[1], "90"),
    budget("support", date(2026, 7, 1), "1000"),
)  # fmt: skip


def result_with(**changes: Any) -> RoiResult:
    """The result of the small programme with these inputs."""
    return evaluate(catalog_of(), inputs(**changes), draws=200)


def held(months: int, *amounts: date | str) -> Budgeted:
    """Approved, spent, apart and beyond, then the first month and the last one."""
    sums = [D(one) for one in amounts if isinstance(one, str)]
    days = [one for one in amounts if isinstance(one, date)]
    return Budgeted(months, sums[0], sums[1], sums[2], sums[3], "", days[0], days[-1])


def of(result: RoiResult, name: str) -> Worth:
    """One use case."""
    return next(one for one in result.use_cases if one.name == name)


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """With budgets."""
    return result_with(budgets=BUDGETS)


class TestBudgets:
    """Approved amounts against costs of the same months."""

    def test_over_and_under_by_hand(self, result: RoiResult) -> None:
        """Support: 500 + 2.50 and 2.50 of 480 + 5, 20.00 over, 4 × 2.50 beyond; coding: 60.55 + 3 of 70, 6.45 under."""
        assert of(result, "support").budget == held(2, "485.00", "505.00", "20.00", "10.00", MONTHS[0], MONTHS[1])
        assert of(result, "coding").budget == held(1, "70.00", "63.55", "-6.45", "15.00", MONTHS[2])

    def test_nothing_spent_is_under_and_what_names_no_use_case_has_a_budget_of_its_own(self, result: RoiResult) -> None:
        """Drafting spent 0 of 12; of the programme's 90 in February 100 + 0.20 were spent, 5 × 0.20 lie beyond."""
        assert of(result, "drafting").budget == held(1, "12.00", "0.00", "-12.00", "0.00", MONTHS[0])
        assert of(result, "").budget == held(1, "90.00", "100.20", "10.20", "1.00", MONTHS[1])

    def test_the_programme_is_the_sum_of_its_initiatives(self, result: RoiResult) -> None:
        """To the cent, approved, spent, apart and beyond; a month to come is no budget yet."""
        whole = result.programme.budget
        assert whole is not None
        parts = [one.budget for one in result.use_cases if one.budget is not None]
        for name in ("approved", "actual", "variance", "beyond"):
            assert getattr(whole, name) == sum((getattr(one, name) for one in parts), D(0)), name
        assert (whole.actual or D(0)) + (whole.beyond or D(0)) == result.programme.costs
        assert all(one.budget is None for one in result.business_units)

    def test_unknown_is_said_and_not_zero(self) -> None:
        """No sheet, nobody's approval, an approval to come, no rate: four reasons."""
        told = of(result_with(), "coding").budget
        assert told == Budgeted(0, None, None, None, D("78.55"), "no budget was told")
        for change in ({"approved_by": ""}, {"approved_at": None}, {"approved_at": date(2026, 7, 1)}):
            told = of(result_with(budgets=(budget("coding", MONTHS[3], "5", **change),)), "coding").budget
            assert told is not None
            assert (told.approved, told.reason) == (None, "nobody has approved the budget from 2026-04 on")
        told = of(result_with(budgets=(budget("coding", MONTHS[3], "5", currency="EUR"),)), "coding").budget
        assert told is not None
        assert (told.months, told.approved, told.actual, told.variance) == (1, None, D("3.00"), None)
        assert told.reason == "the budget of coding: no rate of EUR in USD for 2026-04-01"

    def test_a_foreign_budget_takes_the_rate_of_its_first_day(self) -> None:
        """50 EUR at 1.1 of 31 March are 55 USD."""
        rates = (Rate(date(2026, 3, 31), "EUR", D("1.1")), Rate(date(2026, 4, 20), "EUR", D("1.3")))
        told = of(
            result_with(budgets=(budget("coding", MONTHS[3], "50", currency="EUR"),), rates=rates), "coding"
        ).budget
        assert told == held(1, "55.00", "3.00", "-52.00", "75.55", MONTHS[3])

    def test_an_unknown_cost_leaves_the_variance_unknown(self) -> None:
        """A posting without a rate in a month with a budget."""
        costs = (Cost("c-9", "coding", "", "build", date(2026, 3, 2), D(9), "CHF", "costs.csv:9"),)
        told = of(result_with(budgets=(budget("coding", MONTHS[2], "70"),), costs=costs), "coding").budget
        assert told is not None
        assert (told.approved, told.actual, told.variance) == (D("70.00"), None, None)
        assert told.reason == "no rate of CHF in USD for 2026-03-02"

    def test_it_is_kept_with_the_edition(self, result: RoiResult) -> None:
        """Inputs and result come back as they were, and inputs from before there were budgets have none."""
        assert result_of(as_text(result)) == result
        assert inputs_of(as_text(inputs(budgets=BUDGETS))).budgets == BUDGETS
        old = as_text(inputs()).replace(',"budgets":[]', "")
        assert "budgets" not in old and inputs_of(old) == inputs()

    def test_the_memo_says_it(self, result: RoiResult) -> None:
        """20 of 485 are 4.1 % over; 6.45 of 70 are 9.2 % under; without a budget the reason."""
        support, coding = ([row.cells[0] for row in budget_rows(of(result, name))] for name in ("support", "coding"))
        assert [getattr(one, "text", one) for one in support] == [f"$505.00 of $485.00, 4.1{NOBREAK}% over", "$10.00"]
        assert getattr(coding[0], "text", "") == f"$63.55 of $70.00, 9.2{NOBREAK}% under"
        (row,) = budget_rows(of(result_with(), "coding"))
        assert (getattr(row.cells[0], "state", ""), getattr(row.cells[0], "why", "")) == (
            "missing",
            "no budget was told",
        )
        names = [row.name for row in next(one for one in memos(result) if one.name == "coding").facts]
        assert "Costs against the approved budget, March 2026" in names

    def test_the_months_of_a_budget_are_named(self) -> None:
        """One month, a run of them, and some of a longer span; none where nobody told a budget."""
        whole = Budgeted(2, D(1), D(1), D(0), D(0), "", MONTHS[0], MONTHS[1])
        assert budget_months(whole) == "January 2026 to February 2026"
        assert budget_months(replace(whole, last=MONTHS[3])) == "2 of the 4 months January 2026 to April 2026"
        assert budget_months(replace(whole, months=1, last=MONTHS[0])) == "January 2026"
        assert budget_months(replace(whole, first=None, last=None)) == ""

    def test_the_analyst_sees_all_of_them(self, result: RoiResult) -> None:
        """One row per use case, and the programme last."""
        rows = attention(result).budgets
        assert [one.name for one in rows] == ["of no single use case", "coding", "drafting", "support", "programme"]
        assert [getattr(cell, "text", cell) for cell in rows[1].cells] == [
            "$70.00", "$63.55", f"{MINUS}$6.45", "March 2026",
        ]  # fmt: skip


class TestFiscalYears:
    """Years that begin in another month."""

    def test_worked_examples(self) -> None:
        """What the docstring says."""
        assert doctest.testmod(years).failed == 0

    @pytest.mark.parametrize("begins", range(1, 13))
    def test_they_sum_to_the_months_to_the_cent(self, begins: int) -> None:
        """In every scope, and no year has more than twelve months."""
        catalog = catalog_of().model_copy(update={"fiscal_year_begins": begins})
        found = evaluate(catalog, inputs(), draws=50)
        for worth in (found.programme, *found.use_cases, *found.business_units):
            for name in ("benefits", "costs", "net"):
                by_year, by_month = ([getattr(one, name) for one in part] for part in (worth.years, worth.months))
                assert sum(by_year) == sum(by_month), name
            assert sum(one.months for one in worth.years) == len(worth.months)

    def test_a_year_from_april_by_hand(self) -> None:
        """January to March are of the year that ends in March 2026, April to June of the next."""
        catalog = catalog_of().model_copy(update={"fiscal_year_begins": 4})
        one, two = evaluate(catalog, inputs(), draws=50).programme.years
        assert (one.name, one.first, one.last, one.months) == ("2026", MONTHS[0], MONTHS[2], 3)
        assert (two.name, two.first, two.last, two.months) == ("2027", MONTHS[3], MONTHS[5], 3)
        assert one.costs == D("500") + D("100") + D("60.55") + 3 * D("5.70")
        assert two.costs == 3 * D("5.70")

    def test_a_month_with_unknown_costs_leaves_its_year_unknown(self) -> None:
        """And no other."""
        held = [Month(date(2025, 12, 1), D(1), None, None, None), Month(date(2026, 1, 1), D(2), D(3), D(-1), None)]
        assert [(one.name, one.costs, one.net) for one in fiscal_years(held)] == [
            ("2025", None, None), ("2026", D(3), D(-1)),
        ]  # fmt: skip

    def test_a_year_whose_claims_cannot_be_told_has_no_benefits(self, result: RoiResult) -> None:
        """It may stand beside one of which something is known; a year in which nothing is claimed has none at all."""
        held = [Month(date(year, 6, 1), D(0), D(3), D(-3), None) for year in (2024, 2025, 2026)]
        claims = [one for one in result.claims if one.is_claim]
        unknown = [replace(one, month=date(2025, 6, 1), amount=None) for one in claims]
        known = [replace(claims[0], month=date(2026, 6, 1), amount=D(0)), *unknown, *_refused_in(2026, claims[0])]
        found = fiscal_years(held, claims=known + _refused_in(2025, claims[0]))
        assert [(one.name, one.benefits, one.net) for one in found] == [
            ("2024", D(0), D(-3)), ("2025", None, None), ("2026", D(0), D(-3)),
        ]  # fmt: skip

    @pytest.mark.parametrize("begins", [0, 13])
    def test_there_are_twelve_months(self, begins: int) -> None:
        """The catalogue refuses another one."""
        with pytest.raises(ValidationError, match="fiscal_year_begins"):
            Catalog.model_validate({"version": 1, "fiscal_year_begins": begins, "roles": {}, "metrics": {}})

    def test_the_analyst_sees_a_short_year_as_such(self, result: RoiResult) -> None:
        """Six months of 2026."""
        (row,) = attention(result).years
        assert (row.name, row.cells[-1]) == ("Fiscal year 2026", "January 2026 to June 2026 only")


def _refused_in(year: int, one: Claim) -> list[Claim]:
    """A claim that claims nothing of its own, which says nothing of what its year is worth."""
    return [replace(one, month=date(year, 6, 1), amount=D(9), status=REFUSED)]


def one_unit_each() -> Inputs:
    """Costs only where a use case has them: what names none has no unit."""
    return inputs(invoices=tuple(replace(one, amount=D("5.5")) for one in INVOICES))


def test_a_unit_with_one_use_case_has_its_spread() -> None:
    """Engineering is coding, Sales is drafting, Service is support: the same draws, the same three numbers."""
    found = evaluate(catalog_of(), one_unit_each(), draws=400)
    units = {one.name: one for one in found.business_units}
    for unit, case in (("Engineering", "coding"), ("Sales", "drafting"), ("Service", "support")):
        assert units[unit].spread is not None
        assert units[unit].spread == of(found, case).spread


def test_the_spread_of_a_unit_of_several_use_cases_lies_around_its_net() -> None:
    """Coding and drafting in one unit: not the sum of two P10s, but of the draws; without benefits there is none."""
    portfolio = tuple(replace(one, business_unit="Works") if one.use_case != "support" else one for one in PORTFOLIO)
    found = evaluate(catalog_of(), replace(one_unit_each(), portfolio=portfolio), draws=400)
    (works,) = [one for one in found.business_units if one.name == "Works"]
    parts = [of(found, case).spread for case in ("coding", "drafting")]
    assert works.spread is not None and works.spread.p10 is not None and works.spread.p90 is not None
    assert works.net is not None and works.spread.p10 < works.net < works.spread.p90
    assert sum((one.p10 for one in parts if one and one.p10), D(0)) < works.spread.p10
    assert all(one.spread is None for one in found.business_units if one.status != "computed")
