"""The evaluation: laws of its sums, what keeps a line out of the headline, and overlaps that only data tell."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from roi_room import (
    ASSUMPTIONS,
    BENEFITS,
    COSTS,
    EFFECT,
    INVOICES,
    MONTHS,
    USAGE,
    assumption,
    catalog_of,
    inputs,
    kpi,
    kpis,
    with_assumption,
)

from pipeline.catalog.model import Catalog
from pipeline.reports.spending import idle
from pipeline.roi.assemble import evaluate
from pipeline.roi.claims import freed
from pipeline.roi.finance import present_value
from pipeline.roi.inputs import Cost, Inputs, Invoice, Rate, Seats, months_between
from pipeline.roi.records import Claim, LineSummary, RoiResult
from pipeline.roi.scoped import scoped
from pipeline.roi.store import as_text, inputs_of, result_of

D = Decimal
DRAWS = 400


def result_of_programme(catalog: Catalog | None = None, **changes: Any) -> RoiResult:
    """The result of the small programme with some inputs changed."""
    return evaluate(catalog or catalog_of(), inputs(**changes), draws=DRAWS)


def line(result: RoiResult, name: str) -> LineSummary:
    """One line of a result."""
    return next(one for one in result.lines if one.line == name)


def claim(result: RoiResult, name: str, use_case: str = "support", month: date = MONTHS[0]) -> Claim:
    """One claim of a result."""
    return next(one for one in result.claims if (one.line, one.use_case, one.month) == (name, use_case, month))


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result when everything is known."""
    return result_of_programme()


def test_a_claim_is_its_factors_to_the_cent(result: RoiResult) -> None:
    """Units × value × attribution × realisation × (1 - risk), less review: by hand."""
    found = claim(result, "contacts_settled")
    assert found.gross == D("100") * D("5") * D("0.8") * D("0.5") * (1 - D("0.1")) == D("180")
    assert found.deductions[0].amount == D("10") * 3 * 60 / 60 == D("30")
    assert found.amount == D("180.00") - D("30.00")
    assert (found.grade, found.status, found.counted) == ("A", "counted", D("150.00"))


def test_hours_come_before_money(result: RoiResult) -> None:
    """20 hours × 60 × 0.8 × 0.25 × 0.9 = 216, of which grade C counts half; 0.25 is the rule without a row."""
    found = claim(result, "hours_saved", "coding")
    assert (found.hours, found.gross, found.weight, found.counted) == (D("20"), D("216.00"), D("0.5"), D("108.00"))
    assert freed(found, in_full=True) == D("864.00")  # 20 × 60 × 0.8 × 0.9: all of it became money
    assert next(one.standing for one in result.assumptions if one.assumption_id == "realisation") == "default"


def test_parts_sum_to_totals_to_the_cent(result: RoiResult) -> None:
    """Lines, use cases, business units and months each add up to the programme."""
    whole = result.programme
    assert whole.pv_benefits == sum(one.present or 0 for one in result.lines)
    assert whole.pv_costs == sum(one.present or 0 for one in result.costs)
    for parts in (result.use_cases, result.business_units):
        assert sum(one.cash + one.capacity for one in parts) == whole.cash + whole.capacity
        assert sum(one.costs or 0 for one in parts) == whole.costs
        assert sum(one.pv_costs or 0 for one in parts) == whole.pv_costs
        assert sum(one.pv_benefits or 0 for one in parts) == whole.pv_benefits
    assert sum(month.net or 0 for month in whole.months) == whole.cash + whole.capacity - (whole.costs or 0)
    assert whole.months[-1].running == sum(month.net or 0 for month in whole.months)
    assert result.points[-1].net == whole.net
    assert sum(one.claimed for one in result.grades) == sum(
        (one.amount or D(0) for one in result.claims if one.is_claim or one.is_perception), D(0)
    )
    assert sum(one.counted for one in result.grades) == whole.cash + whole.capacity
    assert sum(one.uncounted for one in result.grades) == whole.stated


def test_the_net_is_the_present_value_of_its_months(result: RoiResult) -> None:
    """Against the textbook formula on unrounded flows, within half a cent per item added up."""
    flows = [month.net or D(0) for month in result.programme.months]
    items = len(result.claims) + len(result.costs)
    exact = present_value(flows, D("0.08"))
    assert abs((result.programme.net or D(0)) - exact) <= D("0.005") * items


def scaled(k: int) -> Inputs:
    """The inputs with all money times k."""
    money = {"cost_per_contact", "loaded_rate", "agency_spend"}
    rows = tuple(
        replace(one, low=one.low * k, base=one.base * k, high=one.high * k) if one.assumption_id in money else one
        for one in ASSUMPTIONS
    )
    return inputs(
        assumptions=rows,
        costs=tuple(replace(one, amount=one.amount * k) for one in COSTS),
        usage=tuple(replace(one, amount=one.amount * k) for one in USAGE),
        invoices=tuple(replace(one, amount=one.amount * k) for one in INVOICES),
    )


def test_scaling_all_money_scales_the_net_and_leaves_the_return() -> None:
    """By 1 000: the net benefit is 1 000 times as large, but for cents; the return is what it was."""
    small, large = result_of_programme(), evaluate(catalog_of(), scaled(1000), draws=DRAWS)
    cents = D("0.005") * 1000 * (len(small.claims) + len(small.costs)) * 2
    assert abs((large.programme.net or 0) - 1000 * (small.programme.net or 0)) <= cents
    assert float(large.programme.roi or 0) == pytest.approx(float(small.programme.roi or 0), rel=2e-3)
    spreads = [small.programme.spread, large.programme.spread]
    assert spreads[0] is not None
    assert spreads[1] is not None
    assert float(spreads[1].p90 or 0) == pytest.approx(1000 * float(spreads[0].p90 or 0), rel=2e-3)


def test_the_order_of_lines_and_rows_changes_nothing() -> None:
    """Shuffled inputs and a catalogue written backwards give the same figures."""
    shuffled = random.Random(3)
    held = inputs()
    rows = {name: tuple(shuffled.sample(getattr(held, name), len(getattr(held, name)))) for name in
            ("kpis", "assumptions", "costs", "usage", "invoices", "portfolio")}  # fmt: skip
    backwards = catalog_of().model_copy(update={"benefits": dict(reversed(catalog_of().benefits.items()))})
    one, other = result_of_programme(), evaluate(backwards, replace(held, **rows), draws=DRAWS)
    assert one.programme == other.programme
    assert one.points == other.points
    assert one.costs == other.costs
    assert sorted(one.claims, key=str) == sorted(other.claims, key=str)
    assert one.tornado == other.tornado


def test_the_same_inputs_give_the_same_bytes(result: RoiResult) -> None:
    """Twice the same text; and what was stored is read back as it was."""
    again = result_of_programme()
    assert as_text(again) == as_text(result)
    assert result_of(as_text(result)) == result
    assert inputs_of(as_text(inputs())) == inputs()


def test_the_spread_lies_around_the_net(result: RoiResult) -> None:
    """P10 < P50 < P90, the base between the ends, and the base scenario is the net to the cent."""
    spread, net = result.programme.spread, result.programme.net
    assert spread is not None
    assert net is not None
    assert (spread.p10 or 0) < (spread.p50 or 0) < (spread.p90 or 0)
    assert (spread.p10 or 0) < net < (spread.p90 or 0)
    assert result.scenarios["base"] == net
    assert result.tornado[0].name == "realisation (default)"


def test_widening_an_input_never_narrows_the_spread() -> None:
    """Cost per contact from 4-7 to 2-12: the distance of P10 and P90 grows."""
    wide = with_assumption(assumption("cost_per_contact", "5", "USD/contact", low="2", high="12"))
    spreads = [one.programme.spread for one in (result_of_programme(), result_of_programme(assumptions=wide))]
    widths = [(one.p90 or D(0)) - (one.p10 or D(0)) for one in spreads if one is not None]
    assert widths[1] > widths[0]


@pytest.mark.parametrize("name", ["cost_per_contact", "loaded_rate", "attribution", "left_the_budget", "risk"])
def test_widening_any_input_never_narrows_the_spread_of_a_sum(name: str) -> None:
    """Each range twice as wide about its base, alone, in the line of contacts without deductions: a sum of months.

    A share is widened no further than 0 to 1. A hundredth of the width is sampling.
    """
    catalog = catalog_of(contacts_settled={"deductions": None})
    (row,) = [one for one in ASSUMPTIONS if one.assumption_id == name]
    low, high = 2 * row.low - row.base, 2 * row.high - row.base
    if row.unit == "ratio":
        low, high = max(low, D(0)), min(high, D(1))
    wide = with_assumption(replace(row, low=low, high=high))
    widths = []
    for rows in (ASSUMPTIONS, wide):
        spread = evaluate(catalog, inputs(assumptions=rows), draws=4000).programme.spread
        assert spread is not None
        widths.append((spread.p90 or D(0)) - (spread.p10 or D(0)))
    assert widths[1] >= widths[0] * D("0.99")


def test_every_total_is_the_sum_of_what_is_printed_below_it(result: RoiResult) -> None:
    """From the rows up, to the cent: claims to lines, lines to ledgers, cost items to costs, and both to the net."""
    for one in result.lines:
        held = [claim for claim in result.claims if claim.line == one.line]
        assert one.counted == sum((claim.counted for claim in held), D(0))
        assert (one.present or D(0)) == sum((claim.present or D(0) for claim in held), D(0))
    whole = result.programme
    for ledger, total in (("cash", whole.cash), ("capacity", whole.capacity)):
        assert total == sum((one.counted for one in result.lines if one.ledger == ledger), D(0))
    assert whole.costs == sum((one.amount or D(0) for one in result.costs), D(0))
    assert whole.net == (whole.pv_benefits or D(0)) - (whole.pv_costs or D(0))
    for amount in (whole.cash, whole.capacity, whole.costs, whole.net, *(one.amount for one in result.costs)):
        assert amount is not None
        assert amount == amount.quantize(D("0.01"))


STANDINGS = [
    pytest.param({"valid_to": date(2026, 4, 1)}, "expired on 2026-04-01", 3, id="expired"),
    pytest.param({"approved_by": ""}, "is not approved", 0, id="unapproved"),
    pytest.param({"approved_at": date(2026, 7, 2)}, "is not approved", 0, id="approved after the data end"),
]


@pytest.mark.parametrize(("change", "reason", "months"), STANDINGS)
def test_what_nobody_stands_for_is_named_and_kept_out(change: dict[str, Any], reason: str, months: int) -> None:
    """The claim is still told in full, but only the months in which the figure was in force count."""
    row = assumption("cost_per_contact", "5", "USD/contact", low="4", high="7", **change)
    found = result_of_programme(assumptions=with_assumption(row))
    told = line(found, "contacts_settled")
    assert (told.claimed, told.counted) == (D("900.00"), 150 * D(months))
    assert f"kept out: cost_per_contact {reason}" in told.reason
    standing = next(one for one in found.assumptions if one.assumption_id == "cost_per_contact")
    assert standing.standing in ("expired", "unapproved")
    assert line(found, "hours_saved").counted == D("972.00")


def test_a_missing_assumption_makes_a_claim_unknown_and_not_zero() -> None:
    """Without a cost per contact the line has no amount, and says why."""
    rows = tuple(one for one in ASSUMPTIONS if one.assumption_id != "cost_per_contact")
    told = line(result_of_programme(assumptions=rows), "contacts_settled")
    assert told.claimed is None
    assert (told.status, told.reason) == ("not available", "not available: no assumption cost_per_contact")


def test_a_figure_in_another_unit_is_none() -> None:
    """A cost per contact in USD/h cannot be multiplied with contacts."""
    told = line(
        result_of_programme(assumptions=with_assumption(assumption("cost_per_contact", "5", "USD/h"))),
        "contacts_settled",
    )
    assert told.reason == "not available: cost_per_contact is in USD/h, and USD/contact is needed"


def test_the_figure_of_a_use_case_goes_before_that_of_the_programme() -> None:
    """loaded_rate.coding is taken for coding, loaded_rate for drafting: 20 × 90 × 0.8 × 0.25 × 0.9 = 324."""
    found = result_of_programme(assumptions=(*ASSUMPTIONS, assumption("loaded_rate.coding", "90", "USD/h")))
    assert claim(found, "hours_saved", "coding").gross == D("324.00")
    assert claim(found, "hours_saved", "drafting").gross == D("108.00")


GRADES = [
    pytest.param({}, "A", "counted", id="a sound experiment"),
    pytest.param({"grade": "B"}, "B", "counted", id="a comparison group"),
    pytest.param({"grade": "C"}, "C", "counted in part", id="no check was possible"),
    pytest.param({"problem": "the split is off", "grade": ""}, "E", "stated, not measured", id="a broken split"),
    pytest.param({"low": D("-0.01")}, "A", "no effect shown", id="an interval with zero in it"),
    pytest.param({"estimate": D("-0.05"), "low": D("-0.08"), "high": D("-0.02")}, "A", "no effect shown", id="harm"),
    pytest.param({"experiment": "exp-2"}, "E", "stated, not measured", id="data of another experiment"),
]


@pytest.mark.parametrize(("change", "grade", "status"), GRADES)
def test_the_data_decide_the_grade(change: dict[str, Any], grade: str, status: str) -> None:
    """The line says randomised; what its data are decides what counts."""
    told = line(result_of_programme(effects=(replace(EFFECT, **change),)), "contacts_settled")
    assert (told.grade, told.status) == (grade, status)
    assert told.counted == {"counted": D("900.00"), "counted in part": D("450.00")}.get(status, D("0.00"))


def test_an_effect_is_a_factor_with_its_sign_turned_when_less_is_better() -> None:
    """3 minutes less on each of 100 contacts at 60 an hour: 100 × 3 × 60 / 60 × 0.8 × 0.25 × 0.9 = 54."""
    faster = {
        "name": "Faster", "owner": "head", "use_cases": ["support"], "ledger": "capacity", "claims": "task",
        "factors": [{"kpi": "settled", "part": "numerator", "unit": "contact"},
                    {"effect": "Minutes less", "unit": "min/contact"}, {"assumption": "loaded_rate", "unit": "USD/h"}],
        "attribution": "attribution", "realisation": "realisation", "risk": "risk",
        "evidence": {"design": "randomised", "experiment": "exp-3", "metric": "minutes", "better": "less",
                     "says": "By lot"},
    }  # fmt: skip
    effect = replace(EFFECT, experiment="exp-3", metric="minutes", estimate=D("-3"), low=D("-4"), high=D("-2"))
    found = claim(result_of_programme(catalog_of(faster=faster), effects=(EFFECT, effect)), "faster")
    assert (found.gross, found.hours, found.status) == (D("54.00"), D("5"), "counted")
    assert next((t.low, t.value, t.high) for t in found.terms if t.kind == "effect") == (D("2"), D("3"), D("4"))


def test_young_numbers_are_not_counted_yet() -> None:
    """A provisional month is told and left out of the headline."""
    young = tuple(
        replace(one, status="immature", reason="provisional until 2026-07-08")
        if (one.kpi_id, one.month) == ("settled", MONTHS[-1]) else one
        for one in kpis()
    )  # fmt: skip
    found = result_of_programme(kpis=young)
    assert claim(found, "contacts_settled", month=MONTHS[-1]).status == "provisional"
    assert line(found, "contacts_settled").counted == 5 * D("150.00")


def test_a_month_that_has_not_ended_does_not_count() -> None:
    """With data through 15 June, May is the last month."""
    assert result_of_programme(as_of=date(2026, 6, 15)).last_month == date(2026, 5, 1)
    assert months_between(date(2025, 12, 1), date(2026, 1, 1)) == (date(2025, 12, 1), date(2026, 1, 1))


def test_a_gap_of_the_bill_blocks_cash_until_it_is_explained() -> None:
    """5.50 by telemetry against 6.20 is 11.3 %: the cash of that month is told and not counted, hours are."""
    bills = (Invoice(MONTHS[0], "USD", D("6.2"), 3), *INVOICES[1:])
    found = result_of_programme(invoices=bills)
    blocked = claim(found, "contacts_settled")
    assert (blocked.status, blocked.amount, blocked.counted) == ("blocked", D("150.00"), D("0.00"))
    assert blocked.reason == (
        "blocked until explained: telemetry $5.50 against invoice $6.20 in 2026-01, a gap of 11.3\u202f%, "
        "at most 10\u202f% allowed"
    )
    assert line(found, "contacts_settled").counted == 5 * D("150.00")
    assert found.problems == (f"cash lines {blocked.reason}",)
    assert claim(found, "hours_saved", "coding").counted == D("108.00")
    untold = result_of_programme(usage=tuple(one for one in inputs().usage if one.month != MONTHS[0]))
    assert [(one.gap, one.reason) for one in untold.bills if one.month == MONTHS[0]] == [
        (None, "no call of 2026-01 is in the telemetry")
    ]
    assert claim(untold, "contacts_settled").status == "blocked", "nobody knows the gap"
    at_limit = result_of_programme(invoices=(Invoice(MONTHS[0], "USD", D("6.11"), 3), *INVOICES[1:]))
    assert claim(at_limit, "contacts_settled").status == "counted"  # 0.61 / 6.11 = 9.98 %


def test_an_unknown_rate_makes_costs_unknown_and_the_result_with_them() -> None:
    """100 francs without a rate are not 0: nothing that holds them has a net benefit, and the reason is given."""
    francs = Cost("c-9", "coding", "", "build", date(2026, 3, 14), D("100"), "CHF", "costs.csv:9")
    found = result_of_programme(costs=(*COSTS, francs))
    assert (found.programme.status, found.programme.net, found.programme.costs) == ("not available", None, None)
    assert found.programme.reason == "costs cannot be told: no rate of CHF in USD for 2026-03-14"
    assert next(one.status for one in found.use_cases if one.name == "support") == "computed"
    friday = Rate(date(2026, 3, 13), "CHF", D("1.1"))
    known = result_of_programme(costs=(*COSTS, francs), rates=(friday,))
    item = next(one for one in known.costs if one.place == "costs.csv:9")
    assert (item.amount, item.how) == (D("110.00"), "100 CHF × 1.1 (2026-03-13)")
    week_old = result_of_programme(costs=(*COSTS, francs), rates=(replace(friday, day=date(2026, 3, 7)),))
    assert week_old.programme.costs is None


def test_idle_seats_are_a_part_of_licences_and_never_lost() -> None:
    """100.00 for 6 seats of which 2 are idle: 33 %, so 67.00 and 33.00; of three seats it is not told."""
    licence = Cost("c-9", "coding", "", "licence", date(2026, 3, 14), D("100"), "USD", "costs.csv:9")
    found = result_of_programme(costs=(*COSTS, licence), seats=(Seats(MONTHS[2], "copilot", 6, 2, None, ""),))
    parts = {one.category: one.amount for one in found.costs if one.place == "costs.csv:9"}
    assert parts == {"licence": D("67.00"), "licence_idle": D("33.00")}
    said = [one.how for one in found.costs if one.place == "costs.csv:9"]
    assert said == ["100 USD; 67 % of the seats used", "100 USD; 33 % of the seats idle"]
    few = result_of_programme(costs=(*COSTS, licence), seats=(Seats(MONTHS[2], "copilot", 3, 1, None, ""),))
    assert [one.category for one in few.costs if one.place == "costs.csv:9"] == ["licence"]


def test_seats_cost_their_price_where_nobody_posted_licences() -> None:
    """Two seats at 19.00 in a month without a licence posting, none in the month that has one."""
    licence = Cost("c-9", "", "", "licence", date(2026, 3, 14), D("100"), "USD", "")
    seats = tuple(Seats(month, "copilot", 2, 0, D("38"), "USD") for month in MONTHS[2:4])
    found = result_of_programme(costs=(*COSTS, licence), seats=seats)
    assert [(one.month, one.amount) for one in found.costs if one.category == "licence"] == [
        (MONTHS[2], D("100.00")), (MONTHS[3], D("38.00")),
    ]  # fmt: skip


def test_seats_of_a_product_without_usage_cost_their_price_and_are_not_split() -> None:
    """Ten seats of which nobody knows the use beside eight of which two are idle: 100.00, and 30.00 + 10.00."""
    seats = (
        Seats(MONTHS[3], "copilot", 8, 2, D("40"), "USD"), Seats(MONTHS[3], "silent", 10, None, D("100"), "USD"),
        Seats(date(2025, 1, 1), "silent", 10, None, D("100"), "USD"),
    )  # fmt: skip
    found = result_of_programme(seats=seats)
    paid = [(one.category, one.month, one.amount) for one in found.costs if one.place == "entitlements"]
    assert sorted(paid) == [
        ("licence", MONTHS[3], D("30.00")),
        ("licence", MONTHS[3], D("100.00")),
        ("licence_idle", MONTHS[3], D("10.00")),
    ]
    assert found.first_month == MONTHS[0], "a seat alone does not make the programme older"
    posted = Cost("c-9", "coding", "", "licence", date(2026, 4, 14), D("100"), "USD", "costs.csv:9")
    parts = {one.category: one.amount for one in result_of_programme(costs=(*COSTS, posted), seats=seats).costs
             if one.place == "costs.csv:9"}  # fmt: skip
    assert parts == {"licence": D("75.00"), "licence_idle": D("25.00")}, "split by the seats whose use is known"


def test_seats_that_nobody_can_price_are_named() -> None:
    """Neither a posting nor a price: not in the costs, and the page says of what and when."""
    seats = tuple(Seats(month, "silent", 10, None, None, "") for month in MONTHS[1:4])
    posted = Cost("c-9", "coding", "", "licence", date(2026, 2, 14), D("100"), "USD", "costs.csv:9")
    found = result_of_programme(costs=(*COSTS, posted), seats=seats)
    assert [one for one in found.problems if "licences" in one] == [
        "the licences of silent are not in the costs of 2026-03 to 2026-04: nobody posted any, and its seats have no "
        "price"
    ]
    assert not [one for one in result_of_programme().problems if "licences" in one]


def test_unpriced_calls_are_unknown_unless_an_invoice_closes_the_gap() -> None:
    """With an invoice the rest of it is a cost of nobody in particular; without one the month's costs are unknown."""
    usage = (replace(USAGE[0], unpriced=2), *USAGE[1:])
    assert result_of_programme(usage=usage).programme.status == "computed"
    lost = result_of_programme(usage=usage, invoices=INVOICES[1:])
    assert lost.programme.reason == "costs cannot be told: 2 calls have no price, and there is no invoice of 2026-01"


def test_a_commitment_is_no_cost_yet() -> None:
    """A posting of July does not count in June."""
    later = Cost("c-9", "", "", "platform", date(2026, 7, 2), D("100"), "USD", "")
    assert result_of_programme(costs=(*COSTS, later)).programme.costs == result_of_programme().programme.costs


def test_insufficient_evidence_is_a_result() -> None:
    """With nothing but a plan there is no return of -100 %, but a reason why there is none."""
    bare = catalog_of().model_copy(update={"benefits": {"agency": catalog_of().benefits["agency"]}})
    found = result_of_programme(bare)
    assert (found.programme.status, found.programme.net, found.programme.roi) == ("insufficient evidence", None, None)
    assert found.programme.reason == "agency: stated, not measured (A plan)"
    assert (found.programme.stated, found.programme.pv_costs) == (D("864.00"), result_of_programme().programme.pv_costs)


def test_no_approved_rate_is_no_present_value() -> None:
    """Discounting at a rate nobody stands for is not done."""
    rows = with_assumption(assumption("discount_rate", "0.08", approved_by=""))
    found = result_of_programme(assumptions=rows)
    assert found.programme.reason == "no approved discount rate: discount_rate is not approved"
    assert (found.programme.cash, found.programme.net) == (D("900.00"), None)


def test_what_people_feel_stands_beside_what_is_measured(result: RoiResult) -> None:
    """180 hours felt against 60 measured in drafting, in no sum."""
    (felt,) = result.perception
    assert (felt.use_case, felt.felt, felt.measured, felt.months) == ("drafting", D("180.00"), D("60.00"), 6)
    assert line(result, "felt_hours").counted == 0
    said = next(one for one in result.grades if one.grade == "D")
    told = sum(one.amount or D(0) for one in result.claims if one.line == "felt_hours")
    assert told > 0
    assert (said.claimed, said.counted, said.weighed_off, said.uncounted, said.felt) == (told, 0, 0, told, told)


def test_the_window_of_a_point_moves_after_36_months() -> None:
    """40 months of data: the last point looks back over 36 and is discounted to the first of them."""
    months = months_between(date(2023, 3, 1), date(2026, 6, 1))
    found = evaluate(
        catalog_of(),
        inputs(kpis=tuple(kpi("settled", "numerator", month, "100") for month in months), usage=(),
               invoices=(), assumptions=tuple(replace(one, valid_from=date(2020, 1, 1)) for one in ASSUMPTIONS)),
        draws=20,
    )  # fmt: skip
    point = found.points[-1]
    assert (point.since, point.months) == (date(2023, 7, 1), 36)
    exact = sum(D(150) / (1 + D("0.08")) ** (D(k) / 12) for k in range(36))
    assert abs((point.pv_benefits or 0) - exact) < D("0.3")


OTHER: dict[str, Any] = {
    **BENEFITS["agency"],
    "name": "Other",
    "factors": [{"assumption": "other", "unit": "USD/month"}],
}
CLAIMED = (*ASSUMPTIONS, assumption("other", "50", "USD/month"))
OVERLAPS = [
    pytest.param({"use_cases": ["every"], "claims": "task", "excludes": ["contacts_settled"]}, "contacts_settled",
                 "support", id="a line for every use case, and one of them"),
    pytest.param({"use_cases": ["every"], "claims": "hour", "excludes": ["hours_saved"]}, "hours_saved", "coding",
                 id="two lines for every use case"),
    pytest.param({"use_cases": ["every"], "claims": "spend", "excludes": ["agency"], "since": "2026-03-01"}, "agency",
                 "drafting", id="from a day on"),
    pytest.param({"use_cases": ["coding"], "claims": "hour", "excludes": ["hours_saved"]}, "hours_saved", "coding",
                 id="declared by the later line"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "other", "use_case"), OVERLAPS)
def test_an_overlap_that_only_data_tell_is_refused(change: dict[str, Any], other: str, use_case: str) -> None:
    """Four more planted overlaps: both lines are named, and neither is counted where they meet."""
    found = result_of_programme(catalog_of(other_line={**OTHER, **change}), assumptions=CLAIMED)
    problem = next(one for one in found.problems if f"for {use_case} in" in one)
    assert problem.startswith(f"{other} and other_line exclude each other and both claim for {use_case}")
    assert problem.endswith("neither is counted")
    met = [one for one in found.claims if one.line in (other, "other_line") and one.use_case == use_case]
    refused = [one for one in met if one.status == "refused"]
    assert refused
    assert {one.line for one in refused} == {other, "other_line"}
    assert all(one.counted == 0 for one in refused)
    begins = date.fromisoformat(change.get("since", "2026-01-01"))
    assert all((one.status == "refused") == (one.month >= begins) for one in met if one.line == other)


def test_lines_that_exclude_each_other_may_both_count_where_they_do_not_meet() -> None:
    """In drafting alone hours and other meet; in coding hours count as before."""
    change = {"use_cases": ["drafting"], "claims": "hour", "excludes": ["hours_saved"]}
    found = result_of_programme(catalog_of(other_line={**OTHER, **change}), assumptions=CLAIMED)
    assert claim(found, "hours_saved", "coding").status == "counted in part"
    assert claim(found, "hours_saved", "drafting").status == "refused"


def test_outcomes_that_are_withheld_of_a_month_are_unknown_and_not_zero() -> None:
    """Seven a month are 42; of a use case whose first month is withheld nobody knows them, nor what one cost."""
    total = [kpi("task_success_rate", "numerator", month, "7") for month in MONTHS]
    case = [kpi("task_success_rate", "numerator", month, "4", use_case="support") for month in MONTHS]
    hidden = replace(case[0], value=None, n=None, status="not_available", reason="suppressed")
    none = replace(case[0], value=None, n=0, status="not_available", reason="no tasks")
    for first, told in ((case[0], D(24)), (hidden, None), (none, D(20))):
        result = result_of_programme(kpis=(*kpis(), *total, first, *case[1:]))
        worth = {one.name: one for one in result.use_cases}
        assert (result.programme.outcomes, worth["support"].outcomes) == (D(42), told)
        assert (worth["support"].cost_per_outcome is None) == (told is None)
        assert worth[""].outcomes is None  # costs that name no use case


def test_where_no_cost_is_known_nothing_costs_nothing() -> None:
    """Of the programme, of every use case and unit, in sum and as each of them has it: no costs and nothing left."""
    found = evaluate(catalog_of(), inputs(costs=(), usage=(), invoices=(), seats=()), draws=20)
    told = {(one.scope, one.name): one for one in (found.programme, *found.use_cases, *found.business_units)}
    assert {"support", "coding", "Service"} <= {name for _, name in told}
    for one in told.values():
        assert (one.costs, one.pv_costs, one.net, one.status) == (None, None, None, "not available"), one.name
        assert one.reason == "costs cannot be told: no export says what anything costs"
    point = scoped(found, "use_case", "support").points[-1]
    assert (point.net, point.status) == (None, "not available")
    seats = idle(found)
    assert (seats.text, seats.why) == ("not available", "no export says what anything costs")
