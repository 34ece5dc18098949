"""Money over months: published cases, a second tool, and laws."""

import doctest
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy_financial
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.roi import finance
from pipeline.roi.finance import (
    BreakEven,
    InternalRate,
    break_even_realisation,
    cost_per_outcome,
    cumulative,
    discount_factors,
    discounted_payback_month,
    internal_rate,
    monthly_rate,
    net_flows,
    payback_month,
    present_value,
    return_on_investment,
    risk_adjusted,
    round_to_cents,
    split_to_cents,
)

LAW = settings(deadline=None, derandomize=True)
CENTS = st.decimals(-1_000_000, 1_000_000, places=2)
FLOWS = st.lists(CENTS, min_size=2, max_size=36)
RATES = st.decimals("-0.5", "3", places=3)
PER_YEAR = 12
HELMSLEY = [-30, *[10] * 9, -65]
"""Strip mine with restoration at its end: Brealey, Myers & Allen (2011), 10th ed., section 5.3, pitfall 2."""


def yearly(*flows):
    """Yearly flows, each in the first month of its year."""
    months = [Decimal(0)] * (PER_YEAR * (len(flows) - 1) + 1)
    months[::PER_YEAR] = flows
    return months


def test_worked_examples():
    """What a docstring says a function gives is what it gives."""
    failed, tried = doctest.testmod(finance)
    assert failed == 0
    assert tried >= 14


class TestPresentValue:
    """Discounting at an annual rate over months."""

    @pytest.mark.parametrize(
        ("flows", "rate", "value"),
        [
            # Brealey, Myers & Allen (2011), 10th ed., section 5.2: projects A, B and C at 10 %.
            ((-2000, 500, 500, 5000), "0.10", "2624"),
            ((-2000, 500, 1800, 0), "0.10", "-58"),
            ((-2000, 1800, 500, 0), "0.10", "50"),
        ],
    )
    def test_published_projects(self, flows, rate, value):
        """Brealey, Myers & Allen's three projects are worth +2,624, -58 and +50."""
        assert round(present_value(yearly(*flows), rate)) == int(value)

    def test_documented_example_of_numpy_financial(self):
        """The docstring of `npv`: 40,000 out, then 5,000, 8,000, 12,000, 30,000 at 8 % are worth 3065.22267."""
        assert round(present_value(yearly(-40_000, 5_000, 8_000, 12_000, 30_000), "0.08"), 5) == Decimal("3065.22267")

    def test_published_total_economic_impact(self):
        """Forrester, The Total Economic Impact of SalesLoft, page 19: three years at 10 %, PV 7,168,371 and 1,672,201.

        Risk-adjusted benefits and costs by year, totals of 8,897,602 and 2,004,420; a net of 5,496,170, a return of
        329 % and a payback in the first year, which the study tells as less than 6 months.
        """
        benefits, costs = (0, 1_606_511, 3_061_331, 4_229_760), (53_150, 666_715, 636_772, 647_783)
        assert (sum(benefits), sum(costs)) == (8_897_602, 2_004_420)
        gained, spent = (present_value(yearly(*flows), "0.10") for flows in (benefits, costs))
        assert (round(gained), round(spent), round(gained - spent)) == (7_168_371, 1_672_201, 5_496_170)
        assert round(return_on_investment(gained, spent), 2) == Decimal("3.29")
        assert payback_month(net_flows(yearly(*benefits), yearly(*costs))) == PER_YEAR

    def test_documented_examples_of_excel(self):
        """NPV() of Excel's help: 1,188.44 when all amounts are a period late, 1,922.06 when the first is not."""
        late = present_value(yearly(0, -10_000, 3_000, 4_200, 6_800), "0.10")
        store = present_value(yearly(-40_000, 8_000, 9_200, 10_000, 12_000, 14_500), "0.08")
        assert (round(late, 2), round(store, 2)) == (Decimal("1188.44"), Decimal("1922.06"))

    @LAW
    @given(FLOWS, RATES)
    def test_second_tool(self, flows, rate):
        """numpy_financial.npv at the month's rate gives the same value."""
        theirs = numpy_financial.npv(float(monthly_rate(rate)), [float(x) for x in flows])
        assert float(present_value(flows, rate)) == pytest.approx(theirs, rel=1e-9, abs=1e-6)

    @LAW
    @given(RATES)
    def test_twelve_months_compound_to_the_year(self, rate):
        """(1 + i)^12 = 1 + r; r / 12 would give more for every rate that is not 0."""
        assert abs((1 + monthly_rate(rate)) ** 12 - (1 + rate)) < Decimal("1e-25")

    def test_no_rate_no_discount(self):
        """At 0 % the present value is the sum, to the cent and beyond."""
        assert present_value([Decimal("-0.10"), 0.1, 0.1], 0) == Decimal("0.10")

    @LAW
    @given(st.lists(FLOWS.map(lambda x: (x * 36)[:12]), min_size=1, max_size=5), RATES, st.randoms())
    def test_parts_sum_to_the_total_in_any_order(self, lines, rate, random):
        """The value of all lines is the sum of theirs, whatever their order."""
        together = [sum(month) for month in zip(*lines, strict=True)]
        shuffled = random.sample(lines, len(lines))
        apart = sum(present_value(line, rate) for line in shuffled)
        assert abs(present_value(together, rate) - apart) < Decimal("1e-12")
        assert [sum(month) for month in zip(*shuffled, strict=True)] == together

    def test_months_start_with_today(self):
        """Month 0 counts in full, month 12 by 1 / (1 + r); no months are no factors."""
        factors = discount_factors("0.25", 13)
        assert (factors[0], round(factors[12], 20)) == (1, Decimal("0.8"))
        assert (discount_factors("0.25", 0), present_value([], "0.25")) == ((), 0)

    def test_net_flows_want_the_same_months(self):
        """A cost series that ends early is an error, not a row of zeros."""
        assert net_flows(["1.10"], [0.1]) == (Decimal("1.00"),)
        with pytest.raises(ValueError, match="2 months of benefits but 1 of costs"):
            net_flows([1, 2], [1])

    @pytest.mark.parametrize("amount", [float("nan"), float("inf"), Decimal("NaN")])
    def test_an_unknown_amount_is_refused(self, amount):
        """NaN is not 0 and does not spread silently either."""
        with pytest.raises(ValueError, match=r"an amount is .*an unknown amount is not a number"):
            present_value([1, amount], 0.1)

    def test_a_rate_of_minus_all_is_refused(self):
        """At -100 % a month from now would be worth infinitely much."""
        with pytest.raises(ValueError, match="annual rate is -1, expected a fraction above -1"):
            present_value([1], -1)


class TestInternalRate:
    """The rate at which nothing is gained."""

    @pytest.mark.parametrize(
        ("flows", "rate"),
        [
            ((-4000, 2000, 4000), 0.2808),  # Brealey, Myers & Allen (2011), section 5.3: 28.08 %
            ((-100, 39, 59, 55, 20), 0.28095),  # docstring of numpy_financial.irr, after Gitman (2003), p. 348
            ((-100, 0, 0, 74), -0.0955),  # the same
            ((-250_000, 100_000, 150_000, 200_000, 250_000, 300_000), 0.56723),  # first page of numpy-financial's docs
            ((-70_000, 12_000, 15_000, 18_000, 21_000, 26_000), 0.0866),  # Excel's help for IRR(): 8.7 %
            ((-70_000, 12_000, 15_000, 18_000, 21_000), -0.0212),  # the same: -2.1 %
        ],
    )
    def test_published_rates(self, flows, rate):
        """A textbook's and two tools' documented examples."""
        assert internal_rate(yearly(*flows)).annual == pytest.approx(rate, abs=5e-5)

    def test_published_case_of_two_rates(self):
        """The strip mine has 3.50 % and 19.54 %; it is worth 2.53 at 10 %, and neither rate alone says so."""
        rate = internal_rate(yearly(*HELMSLEY))
        assert rate == InternalRate(
            None, "the flows change sign more than once and have 2 internal rates: 3.5\u202f%, 19.5\u202f%"
        )
        assert round(present_value(yearly(*HELMSLEY), "0.10"), 2) == Decimal("2.53")

    def test_published_case_of_no_rate(self):
        """Flows +1,000, -3,000, +2,500 are worth more than 0 at every rate (Brealey, Myers & Allen, 5.3)."""
        assert internal_rate(yearly(1000, -3000, 2500)).reason == "the net present value is not 0 at any rate"
        assert round(present_value(yearly(1000, -3000, 2500), "0.10")) == 339

    @pytest.mark.parametrize(("flows", "kind"), [([], "0"), ([0, 0], "0"), ([0, 5], "a gain"), ([-5, 0, -1], "a cost")])
    def test_one_sided_flows_have_none(self, flows, kind):
        """Without both costs and gains no rate balances them."""
        reason = f"every flow is {kind}, so no rate brings the net present value to 0"
        assert internal_rate(flows) == InternalRate(None, reason)

    def test_yearly_renewals_do_not_hide_the_rate(self):
        """Flows that change sign each year still have one rate when their value does."""
        flows = [-500, *[30] * 11, -100, *[60] * 11, -100, *[60] * 11]
        assert sum(a * b < 0 for a, b in pairwise(flows)) == 5
        rate = internal_rate(flows).annual
        assert present_value(flows, rate) == pytest.approx(Decimal(0), abs=Decimal("1e-6"))
        assert present_value(flows, rate - 0.01) > 0 > present_value(flows, rate + 0.01)

    @LAW
    @given(FLOWS.filter(any), st.decimals("-0.9", "9", places=3))
    def test_worth_nothing_at_its_own_rate(self, flows, rate):
        """NPV(IRR) = 0: flows made worth 0 at a chosen rate have that rate, or it is among several."""
        owed = present_value(flows, rate) * (1 + monthly_rate(rate)) ** len(flows)
        assume(abs(owed) > 1)
        closed = [*flows, -owed]
        found = internal_rate(closed)
        if found.annual is None:
            assert "internal rates: " in found.reason
            told = found.reason.split(": ")[1].replace("\u2212", "-")
            percents = [float(re.sub("[^-.0-9]", "", part)) for part in told.split(", ")]
            assert min(abs(percent / 100 - float(rate)) for percent in percents) < 1e-3 * float(1 + abs(rate))
            return
        assert found.annual == pytest.approx(float(rate), abs=1e-6)
        size = sum(abs(x) * factor for x, factor in zip(closed, discount_factors(rate, len(closed)), strict=True))
        assert abs(present_value(closed, found.annual)) <= size * Decimal("1e-6")

    @LAW
    @given(st.integers(1, 10**6), st.lists(st.integers(0, 10**6), min_size=1, max_size=60).filter(any))
    def test_one_cost_then_gains_always_have_a_rate(self, cost, gains):
        """A conventional project has exactly one rate (Descartes), the one the second tool finds."""
        flows = [-cost, *gains]
        theirs = (1 + numpy_financial.irr(flows)) ** 12 - 1
        assert internal_rate(flows).annual == pytest.approx(theirs, rel=1e-6, abs=1e-9)


class TestPayback:
    """When the money is back."""

    @pytest.mark.parametrize(
        ("flows", "month"), [((-2000, 500, 500, 5000), 3), ((-2000, 500, 1800, 0), 2), ((-2000, 1800, 500, 0), 2)]
    )
    def test_published_projects(self, flows, month):
        """Brealey, Myers & Allen (2011), section 5.2: projects A, B and C pay back in period 3, 2 and 2."""
        assert payback_month(flows) == month

    def test_discounting_delays_it(self):
        """-1000, then 500 a year: back after 2 years plain, after 3 at 10 % (454.55 + 413.22 + 375.66)."""
        flows = yearly(-1000, 500, 500, 500)
        assert (payback_month(flows), discounted_payback_month(flows, "0.10")) == (24, 36)

    def test_the_very_cent_counts(self):
        """A sum of exactly 0 has paid back, also when it is a sum of discounted amounts."""
        assert payback_month([Decimal("-0.30"), Decimal("0.10"), 0.2]) == 2
        flows = [-1000, *[0] * 11, 1100]
        assert discounted_payback_month(flows, "0.10") == 12
        assert discounted_payback_month([*flows[:-1], Decimal("1099.99")], "0.10") is None

    def test_waiting_is_not_paying_back(self):
        """Months before the first flow do not count; a programme without any flow has no payback."""
        assert payback_month([0, 0, -5, 5]) == 3
        assert (payback_month([0, 0]), payback_month([])) == (None, None)

    def test_cumulative_ends_at_the_sum(self):
        """The running total of 0.10 ten times is exactly 1."""
        assert cumulative([0.1] * 10)[-1] == 1


class TestRatios:
    """ROI, cost per outcome, break-even and risk."""

    def test_roi_by_hand(self):
        """(1,500 - 1,200) / 1,200 = 25 %; nothing spent has no ROI."""
        assert return_on_investment(1500, 1200) == Decimal("0.25")
        assert return_on_investment(1500, 0) is None

    def test_cost_per_outcome_by_hand(self):
        """1,000 for 8 outcomes is 125 each; for none it is not defined, and below none it is an error."""
        assert (cost_per_outcome(1000, 8), cost_per_outcome(1000, 0)) == (Decimal(125), None)
        with pytest.raises(ValueError, match="-1 outcomes, expected a count of at least 0"):
            cost_per_outcome(1000, -1)

    def test_break_even_by_hand(self):
        """800 of capacity and 300 of unpaid cost: 300 / 800 = 37.5 % must become money."""
        found = break_even_realisation(800, -300).realisation
        assert found == Decimal("0.375")
        assert found * 800 - 300 == 0

    @pytest.mark.parametrize(
        ("capacity", "rest", "expected"),
        [
            (800, 0, BreakEven(Decimal(0))),
            (800, -800, BreakEven(Decimal(1))),
            (800, 1, BreakEven(None, "not needed: it pays without any of the freed capacity")),
            (0, -300, BreakEven(None, "not reachable: the freed capacity is worth nothing")),
            (-5, -300, BreakEven(None, "not reachable: the freed capacity is worth nothing")),
            (1000, -1001, BreakEven(None, "not reachable: it would take 101\u202f% of the freed capacity")),
        ],
    )
    def test_break_even_at_and_beyond_its_ends(self, capacity, rest, expected):
        """From 0 to 1 it is a number, else a reason, and 100.1 % never reads as 100 %."""
        assert break_even_realisation(capacity, rest) == expected

    def test_risk_by_hand(self):
        """Three years of 500,000 at a risk of 20 % count 400,000 each: 994,740.80 today at 10 %, a year apart."""
        adjusted = [risk_adjusted(500_000, 0.2)] * 3
        assert adjusted == [Decimal(400_000)] * 3
        by_hand = 400_000 / Fraction("1.1") + 400_000 / Fraction("1.21") + 400_000 / Fraction("1.331")
        assert round(present_value(yearly(0, *adjusted), "0.10"), 2) == Decimal("994740.80")
        assert round(float(by_hand), 2) == 994740.80

    @pytest.mark.parametrize("risk", [-0.1, 1.1])
    def test_risk_is_a_share(self, risk):
        """15 for 15 % would turn a benefit into a loss."""
        with pytest.raises(ValueError, match=r"risk is .*, expected a share from 0 to 1"):
            risk_adjusted(100, risk)

    @LAW
    @given(FLOWS, FLOWS, st.integers(1, 1000), RATES)
    def test_scale_of_money(self, benefits, costs, k, rate):
        """In another unit of money the value scales, and ROI, internal rate and payback stay."""
        months = min(len(benefits), len(costs))
        gains, spent = [abs(x) for x in benefits[:months]], [abs(x) + 1 for x in costs[:months]]
        flows, scaled = net_flows(gains, spent), net_flows([k * x for x in gains], [k * x for x in spent])
        assert present_value(scaled, rate) == pytest.approx(k * present_value(flows, rate), rel=Decimal("1e-30"))
        roi, roi_scaled = (
            return_on_investment(
                present_value([n * x for x in gains], rate), present_value([n * x for x in spent], rate)
            )
            for n in (1, k)
        )
        assert roi_scaled == pytest.approx(roi, rel=Decimal("1e-20"))
        assert payback_month(scaled) == payback_month(flows)
        assert discounted_payback_month(scaled, rate) == discounted_payback_month(flows, rate)
        one, other = internal_rate(flows), internal_rate(scaled)
        assert one.reason == other.reason
        assert one.annual is other.annual is None or one.annual == pytest.approx(other.annual, rel=1e-6, abs=1e-9)


class TestCents:
    """Tables whose cents add up."""

    PARTS = st.lists(st.decimals(-10_000, 10_000, places=5), max_size=20)

    @LAW
    @given(PARTS)
    def test_rounded_parts_sum_to_the_rounded_total(self, parts):
        """Nothing is lost, nothing moves by a cent or more, and whole cents stay as they are."""
        rounded = round_to_cents(parts)
        assert sum(rounded) == round(sum(parts, Decimal(0)), 2)
        assert all(abs(a - b) < Decimal("0.01") for a, b in zip(rounded, parts, strict=True))
        assert round_to_cents(rounded) == rounded

    @LAW
    @given(PARTS, st.randoms())
    def test_order_changes_nothing(self, parts, random):
        """Each amount gets the same cents wherever it stands in the table."""
        pairs = list(zip(parts, round_to_cents(parts), strict=True))
        shuffled = random.sample(parts, len(parts))
        assert sorted(zip(shuffled, round_to_cents(shuffled), strict=True)) == sorted(pairs)

    @LAW
    @given(CENTS, st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any))
    def test_a_split_sums_to_its_total(self, total, weights):
        """No cent is lost, and each share is within a cent of its exact part."""
        parts = split_to_cents(total, weights)
        assert sum(parts) == total
        exact = [Fraction(total) * weight / sum(weights) for weight in weights]
        assert all(abs(Fraction(part) - share) < Fraction(1, 100) for part, share in zip(parts, exact, strict=True))

    def test_largest_remainder_by_hand(self):
        """10.00 by 1 : 2 : 4 is 1.428, 2.857, 5.714: the two cents over 9.98 go to 0.857 and 0.714 of a cent."""
        assert split_to_cents(10, [1, 2, 4]) == (Decimal("1.43"), Decimal("2.86"), Decimal("5.71"))

    @pytest.mark.parametrize("weights", [[], [0, 0], [1, -1, 2]])
    def test_weights_that_split_nothing(self, weights):
        """No weight and a negative one are refused."""
        with pytest.raises(ValueError, match="expected at least one above 0 and none below"):
            split_to_cents(10, weights)
