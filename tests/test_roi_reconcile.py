"""The bill against the telemetry: parts that sum to the gap, one class per token, and unknown that stays unknown."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.roi.bill_netting import CLASSES, Cell, placed, steps
from pipeline.roi.bill_records import Charge, Counted, Detail, Logged, Part, Sheets, Statement, TokenPrice
from pipeline.roi.bill_text import statement_lines
from pipeline.roi.costs import Rates
from pipeline.roi.inputs import Rate
from pipeline.roi.reconcile import BY_CLASS, NO_REPORT, statements, whole_month
from pipeline.roi.records import Bill

D = Decimal
DAY, MONTH, EVER = date(2026, 3, 4), date(2026, 3, 1), date(9999, 12, 31)
USD = Rates(())
PER_MILLION = {
    "standard": ("2", "0.5", "2.5", "4", "8"),
    "priority": ("3.5", "0.875", "4.375", "7", "14"),
}
"""Uncached, cache read, cache write (5 minutes, an hour), output; of `big` prompts above 200 000 tokens twice that."""


def prices(model: str = "m", since: date = date(2020, 1, 1), factor: int = 1) -> list[TokenPrice]:
    """Prices of both tiers and bands."""
    return [
        TokenPrice("p", model, tier, band, since, EVER, tuple(D(one) * times * factor / 1_000_000 for one in told))
        for tier, told in PER_MILLION.items()
        for band, times in ((-1, 1), (200_000, 2))
    ]


PRICES = (*prices(), *prices("n"))


def cost(tokens: Iterable[int], tier: str = "standard", band: int = -1) -> Decimal:
    """Tokens by class at the prices above, written out once more."""
    times = 2 if band > 0 else 1
    return sum(
        (count * D(price) * times / 1_000_000 for count, price in zip(tokens, PER_MILLION[tier], strict=True)), D(0)
    )


def logged(
    *tokens: int, requests: int = 1, day: date = DAY, model: str = "m", tier: str = "standard", band: int = -1,
    production: bool = True,
) -> Logged:  # fmt: skip
    """Calls at their price."""
    return Logged("p", day, model, tier, band, production, requests, tokens, cost(tokens, tier, band), 0, ("log:1",))


def counted(
    *tokens: int, requests: int | None = 1, day: date = DAY, model: str = "m", tier: str | None = "standard",
    context: str = "",
) -> Counted:  # fmt: skip
    """A bucket of a day."""
    return Counted("p", day, day + timedelta(1), "", model, tier, context, requests, tokens, ("report:1",))


def charge(amount: Decimal | str, category: str = "Usage", meter: str = "m", **more: object) -> Charge:
    """A line of the invoice of March."""
    cost = D(amount)
    line = Charge("p", MONTH, category, meter, "", "", "USD", None, None, cost, cost, 1)
    return replace(line, **more)


def statement(sheets: Sheets, rates: Rates = USD) -> Statement:
    """The only statement of some sheets."""
    (found,) = statements(replace(sheets, prices=sheets.prices or PRICES), rates)
    return found


def amounts(one: Statement) -> dict[str, Decimal]:
    """Known parts that are not 0."""
    return {part.name: part.amount for part in one.parts if part.amount}


def part(one: Statement, name: str) -> Part:
    """A part by name."""
    return next(found for found in one.parts if found.name == name)


def test_nine_requests_billed_and_eight_logged_are_one_missing_request_with_its_tokens() -> None:
    """The ninth has 4 000 uncached and 500 output tokens: 4 000 × 2 + 500 × 8 = 12 000 millionths."""
    eight, nine = (8_000, 1_000, 0, 0, 900), (12_000, 1_000, 0, 0, 1_400)
    found = statement(Sheets((logged(*eight, requests=8),), (counted(*nine, requests=9),), (), (charge(cost(nine)),)))
    assert amounts(found) == {"missing_requests": D("0.012")}
    (detail,) = part(found, "missing_requests").details
    assert detail.words == "9 requests at the provider, 8 logged; tokens apart: 4000 in_uncached, 500 out"
    assert detail.places == ("report:1", "log:1")


def test_a_missed_cache_class_is_the_difference_of_two_prices() -> None:
    """10 000 tokens logged in full were read from the cache: 10 000 × (0.5 - 2) = -15 000 millionths."""
    sheets = Sheets((logged(12_000, 0, 0, 0, 100),), (counted(2_000, 10_000, 0, 0, 100),), (),
                    (charge(cost((2_000, 10_000, 0, 0, 100))),))  # fmt: skip
    found = statement(sheets)
    assert amounts(found) == {"cache_class": D("-0.015")}
    assert part(found, "cache_class").details[0].words == (
        "10000 tokens logged as in_uncached were billed as cache_read"
    )


def test_a_tier_switch_is_told_by_its_tokens_at_both_prices() -> None:
    """1 000 uncached and 100 output: 1 000 × (3.5 - 2) + 100 × (14 - 8) = 2 100 millionths."""
    tokens = (1_000, 0, 0, 0, 100)
    found = statement(
        Sheets((logged(*tokens),), (counted(*tokens, tier="priority"),), (), (charge(cost(tokens, "priority")),))
    )
    assert amounts(found) == {"service_tier": D("0.0021")}
    assert "logged as standard were billed as priority" in part(found, "service_tier").details[0].words


def test_a_longer_context_is_a_part_of_its_own() -> None:
    """Prompts of 300 000 tokens logged in the lower band: twice the price, 300 000 × 2 = 0.60 more."""
    tokens = (300_000, 0, 0, 0, 0)
    sheets = Sheets((logged(*tokens),), (counted(*tokens, context="200k-1M"),), (),
                    (charge(cost(tokens, band=200_000)),))  # fmt: skip
    assert amounts(statement(sheets)) == {"long_context": D("0.6")}


def test_calls_outside_production_are_billed_and_no_telemetry_of_the_kpi() -> None:
    """A staging call of 1 000 uncached tokens is 2 000 millionths of the bill."""
    tokens = (1_000, 0, 0, 0, 0)
    sheets = Sheets((logged(*tokens), logged(*tokens, production=False)), (counted(2_000, 0, 0, 0, 0, requests=2),),
                    (), (charge("0.004"),))  # fmt: skip
    found = statement(sheets)
    assert (found.telemetry, found.gap) == (D("0.002"), D("0.002"))
    assert amounts(found) == {"outside_production": D("0.002")}


def test_another_unit_price_needs_an_invoice_that_counts_the_same_tokens() -> None:
    """1 000 tokens at 0.8 of the book: 0.0016 - 0.002; without a count of tokens nobody knows that it is the price."""
    tokens = (1_000, 0, 0, 0, 0)
    sheets = Sheets((logged(*tokens),), (counted(*tokens),))
    by_tokens = statement(replace(sheets, charges=(charge("0.0016", quantity=D(1_000)),)))
    assert amounts(by_tokens) == {"price": D("-0.0004")}
    assert amounts(statement(replace(sheets, charges=(charge("0.0016"),)))) == {"unexplained": D("-0.0004")}
    of_others = statement(replace(sheets, charges=(charge("0.0016", quantity=D(900)),)))
    assert amounts(of_others) == {"unexplained": D("-0.0004")}


def test_a_discount_that_the_invoice_names_is_a_part() -> None:
    """0.002 at list price as the book says, 0.0015 billed: -0.0005 by agreement."""
    tokens = (1_000, 0, 0, 0, 0)
    lines = (charge("0.0015", listed=D("0.002")),)
    assert amounts(statement(Sheets((logged(*tokens),), (counted(*tokens),), (), lines))) == {"price": D("-0.0005")}


def test_fees_for_tools_are_told_from_usage_of_models() -> None:
    """A line for web search that names no model."""
    tokens = (1_000, 0, 0, 0, 0)
    lines = (charge("0.002"), charge("0.01", meter="Web search tool calls"))
    assert amounts(statement(Sheets((logged(*tokens),), (counted(*tokens),), (), lines))) == {"tool_fees": D("0.01")}


def test_taxes_credits_and_commitments_stand_beside_the_gap() -> None:
    """Usage 0.002 of which 0.0005 is prepaid, a purchase of 3, a credit of -1 and a tax of 0.4: 2.4015 billed."""
    tokens = (1_000, 0, 0, 0, 0)
    lines = (charge("0.002", billed=D("0.0015")), charge("3", "Purchase", effective=D(0)), charge("-1", "Credit"),
             charge("0.4", "Tax"))  # fmt: skip
    found = statement(Sheets((logged(*tokens),), (counted(*tokens),), (), lines))
    assert amounts(found) == {}
    assert {one.name: one.amount for one in found.beside} == {
        "commitment": D("2.9995"), "credits": D(-1), "tax": D("0.4"),
    }  # fmt: skip
    assert found.billed == D("2.4015")


def test_an_invoice_in_euro_is_told_at_two_rates() -> None:
    """0.002 EUR: 1.10 on average (1.05 and 1.15), 1.15 on the last day; 0.0022 USD and 0.0001 by the rate."""
    tokens = (1_100, 0, 0, 0, 0)
    rates = Rates((Rate(date(2026, 3, 10), "EUR", D("1.05")), Rate(date(2026, 3, 31), "EUR", D("1.15"))))
    sheets = Sheets((logged(*tokens),), (counted(*tokens),), (), (charge("0.002", currency="EUR"),))
    found = statement(sheets, rates)
    assert (found.telemetry, found.invoice) == (D("0.0022"), D("0.0023"))
    assert amounts(found) == {"currency": D("0.0001")}
    without = statement(sheets)
    assert (without.invoice, without.gap) == (None, None)
    assert without.reason == "no rate of EUR in USD for the end of 2026-03"


def test_without_a_usage_report_nothing_is_explained_by_class() -> None:
    """The gap stays whole, and every class says why it is unknown; none of them is 0."""
    found = statement(Sheets((logged(1_000, 0, 0, 0, 0),), (), (), (charge("0.005"),)))
    assert [part(found, name).amount for name in BY_CLASS] == [None] * len(BY_CLASS)
    assert {part(found, name).reason for name in (*BY_CLASS, "price", "unexplained")} == {NO_REPORT}
    assert amounts(found) == {"unexplained": D("0.003")}


def test_what_has_no_price_is_unknown_and_its_money_unexplained() -> None:
    """A model without prices: the report tells its tokens, nobody what they cost."""
    sheets = Sheets((logged(1_000, 0, 0, 0, 0),), (counted(1_000, 0, 0, 0, 0), counted(500, 0, 0, 0, 0, model="x")),
                    (), (charge("0.002"), charge("0.9", meter="x")))  # fmt: skip
    found = statement(sheets)
    assert part(found, "no_price").amount is None
    assert part(found, "no_price").reason == (
        "1 days and models not valued: no price of x for in_uncached in tier standard"
    )
    assert amounts(found) == {"unexplained": D("0.9")}
    assert {one.model: one.usage for one in found.models} == {"m": D("0.002"), "x": None}


def test_requests_without_tokens_are_missing_at_the_mean_of_the_month() -> None:
    """3 requests logged for 0.006, 5 billed: 2 × 0.002; the same the other way round is not billed."""
    sheets = Sheets((logged(3_000, 0, 0, 0, 0, requests=3),), (replace(counted(requests=5), tokens=None),), (),
                    (charge("0.01"),))  # fmt: skip
    assert amounts(statement(sheets)) == {"missing_requests": D("0.004")}
    fewer = replace(sheets, counted=(replace(counted(requests=2), tokens=None),), charges=(charge("0.004"),))
    assert amounts(statement(fewer)) == {"unbilled_requests": D("-0.002")}


def test_days_that_no_report_covers_are_not_compared() -> None:
    """Calls before the first bucket are not called unbilled."""
    early = logged(1_000, 0, 0, 0, 0, day=DAY - timedelta(1))
    tokens = (2_000, 0, 0, 0, 0)
    found = statement(Sheets((early, logged(*tokens)), (counted(*tokens),), (), (charge("0.006"),)))
    assert amounts(found) == {}


def test_a_report_of_months_is_compared_by_the_month() -> None:
    """Two days of logs and one bucket of the month, in which one class differs."""
    calls = (logged(1_000, 0, 0, 0, 0), logged(1_000, 0, 0, 0, 0, day=DAY + timedelta(3)))
    bucket = replace(counted(1_500, 500, 0, 0, 0, requests=2), day=MONTH, until=date(2026, 4, 1))
    found = statement(Sheets(calls, (bucket,), (), (charge("0.00325"),)))
    assert amounts(found) == {"cache_class": D("-0.00075")}


def test_the_price_is_that_of_the_day_of_the_call() -> None:
    """A request is missing on a day after the price doubled: 1 000 × 4."""
    later = date(2026, 3, 20)
    book = [*(replace(one, until=later) for one in prices()), *prices(since=later, factor=2)]
    sheets = Sheets((logged(10, 0, 0, 0, 0),),
                    (counted(10, 0, 0, 0, 0), counted(1_000, 0, 0, 0, 0, day=later)), tuple(book),
                    (charge("0.00402"),))  # fmt: skip
    assert amounts(statement(sheets)) == {"missing_requests": D("0.004")}


def test_a_snapshot_in_the_report_is_the_model_of_the_logs() -> None:
    """`m-2026-01-01` and `m` are one model, at the price of either name."""
    tokens = (1_000, 0, 0, 0, 0)
    sheets = Sheets((logged(*tokens),), (counted(*tokens, model="m-2026-01-01"),), (), (charge("0.002"),))
    assert amounts(statement(sheets)) == {}


def test_the_whole_month_takes_the_kpis_own_cents() -> None:
    """Telemetry 0.00 and invoice 0.02 in cents, of 0.002 and 0.015: the rest is rounding."""
    sheets = Sheets((logged(1_000, 0, 0, 0, 0),), (counted(1_000, 0, 0, 0, 0),), (), (charge("0.015"),))
    found = whole_month([statement(sheets)], Bill(MONTH, D("0.00"), D("0.02"), None, 1, ""))
    assert amounts(found) == {"unexplained": D("0.013"), "rounding": D("0.007")}
    silent = replace(statement(replace(sheets, charges=())), provider="q")
    both = whole_month([statement(sheets), silent], Bill(MONTH, D("0.004"), D("0.015"), None, 1, ""))
    assert amounts(both) == {"unexplained": D("0.013"), "not_invoiced": D("-0.002")}
    assert part(both, "not_invoiced").reason == "no invoice of q"


def test_the_text_leads_from_telemetry_to_the_invoice() -> None:
    """Each line with its amount; what is 0 is left out, what is unknown says why."""
    tokens, cached = (12_000, 0, 0, 0, 100), (2_000, 10_000, 0, 0, 100)
    found = statement(Sheets((logged(*tokens),), (counted(*cached),), (), (charge(cost(cached)),)))
    lines = list(statement_lines(found))
    assert lines[:8] == [
        "p, 2026-03, USD",
        "  calls of production, by telemetry                       0.024800",
        "  + tokens of another cache class                        -0.015000",
        "      2026-03-04 m -0.015000: 10000 tokens logged as in_uncached were billed as cache_read",
        "        report:1, log:1",
        "  + not explained                                         0.000000",
        "  = usage on the invoice                                  0.009800",
        "  gap (invoice less telemetry)                           -0.015000  153.06 % of the invoice",
    ]
    unknown = statement(Sheets((logged(*tokens),)))
    assert "  the gap is not available: no invoice of p for 2026-03" in list(statement_lines(unknown))


# --- Laws -------------------------------------------------------------------------------------------------------------

counts = st.tuples(*[st.integers(0, 50_000)] * 5)
calls = st.builds(
    lambda tokens, requests, day, model, tier, production: logged(
        *tokens, requests=requests, day=MONTH + timedelta(day), model=model, tier=tier, production=production
    ),
    counts, st.integers(1, 9), st.integers(0, 3), st.sampled_from("mn"), st.sampled_from(["standard", "priority"]),
    st.booleans(),
)  # fmt: skip
buckets = st.builds(
    lambda tokens, requests, day, model, tier: counted(
        *tokens, requests=requests, day=MONTH + timedelta(day), model=model, tier=tier
    ),
    counts, st.none() | st.integers(0, 9), st.integers(0, 3), st.sampled_from("mnx"),
    st.sampled_from(["standard", "priority", None]),
)  # fmt: skip
lines = st.builds(
    lambda cents, category, meter, currency: charge(D(cents) / 1000, category, meter, currency=currency),
    st.integers(-50, 900), st.sampled_from(["Usage"] * 4 + ["Tax", "Credit", "Purchase", "Odd"]),
    st.sampled_from(["m", "n, input", "web search", "?"]), st.sampled_from(["USD", "USD", "EUR"]),
)  # fmt: skip
RATES = Rates((Rate(date(2026, 3, 10), "EUR", D("1.05")), Rate(date(2026, 3, 31), "EUR", D("1.15"))))
cells = st.dictionaries(
    st.tuples(st.sampled_from(["standard", "priority"]), st.sampled_from([-1, 200_000]), st.sampled_from(CLASSES)),
    st.integers(-9_000, 9_000).map(Fraction),
)


@given(cells)
def test_every_token_of_a_difference_lands_in_exactly_one_part(differences: dict[Cell, Fraction]) -> None:
    """The parts of each cell sum to it; what moved sums to 0, and what is left has one sign among input and output."""
    found = steps(differences)
    for cell, tokens in differences.items():
        assert sum((one.get(cell, Fraction(0)) for one in found.values()), Fraction(0)) == tokens
    for name in ("long_context", "service_tier", "cache_class"):
        assert sum(found[name].values(), Fraction(0)) == 0
    for is_out in (False, True):
        assert len({count > 0 for cell, count in found["volume"].items() if (cell[2] == "out") is is_out}) <= 1


@given(counts, st.sampled_from([None, "standard"]), st.sampled_from([None, -1]),
       st.dictionaries(st.tuples(st.sampled_from(["standard", "priority"]), st.sampled_from([-1, 200_000]),
                                 st.sampled_from(CLASSES)), st.integers(0, 900)))  # fmt: skip
def test_placing_a_report_keeps_every_token_in_its_class(
    tokens: tuple[int, ...], tier: str | None, band: int | None, logs: dict[Cell, int]
) -> None:
    """Whatever the report leaves open, each class has as many tokens as it told."""
    found = placed(tier, band, tokens, logs)
    for name, count in zip(CLASSES, tokens, strict=True):
        assert sum((held for cell, held in found.items() if cell[2] == name), Fraction(0)) == count


@settings(deadline=None)
@given(st.lists(calls, min_size=1, max_size=8), st.lists(buckets, max_size=8), st.lists(lines, max_size=5),
       st.randoms(use_true_random=False))  # fmt: skip
def test_parts_sum_to_the_gap_whatever_the_rows_and_their_order(
    held: list[Logged], report: list[Counted], bill: list[Charge], order: random.Random
) -> None:
    """Known parts sum to the gap to a millionth of a dollar, what stands beside it to all that was billed."""
    sheets = Sheets(tuple(held), tuple(report), (), tuple(bill))
    found = statement(sheets, RATES)
    if found.gap is not None:
        assert sum((one.amount or D(0) for one in found.parts), D(0)) == found.gap
        assert sum((one.amount or D(0) for one in found.beside), found.invoice or D(0)) == found.billed
    for rows in (held, report, bill):
        order.shuffle(rows)
    assert statement(Sheets(tuple(held), tuple(report), (), tuple(bill)), RATES) == found


@settings(deadline=None)
@given(st.lists(calls, min_size=1, max_size=8))
def test_telemetry_report_and_invoice_that_agree_leave_every_part_at_zero(held: list[Logged]) -> None:
    """The same requests and tokens on all three sides, all in production."""
    rows = [replace(one, is_production=True) for one in held]
    report = [counted(*one.tokens, requests=one.requests, day=one.day, model=one.model, tier=one.tier) for one in rows]
    bill = [charge(one.cost, meter=one.model) for one in rows]
    found = statement(Sheets(tuple(rows), tuple(report), (), tuple(bill)))
    assert (found.gap, amounts(found)) == (0, {})
    assert all(one.amount == 0 and not one.details for one in found.parts)


def test_a_bill_without_calls_is_unexplained_and_no_rounding() -> None:
    """A provider that was called in other months bills 3: all of it is told, under its name."""
    found = statement(Sheets(charges=(charge("3"),)))
    assert (found.telemetry, amounts(found)) == (0, {"unexplained": D(3)})
    whole = whole_month([found], Bill(MONTH, D("0.00"), D("3.00"), None, 1, ""))
    assert amounts(whole) == {"unexplained": D(3)}


def test_an_unknown_amount_is_not_added_up_as_nothing() -> None:
    """Of 14 days 12 are listed; of the two left, one costs 0.5 and one nobody knows what."""
    day = date(2026, 3, 1)
    amounts = [Decimal(1)] * 12 + [Decimal("0.5"), None]
    days = tuple(Detail(day, "m", "missing_requests", amount, "one") for amount in amounts)
    part = Part("missing_requests", None, "a model has no price", days)
    lines = list(statement_lines(Statement("p", day, Decimal(0), Decimal(20), (part,))))
    assert "      and 2 more, 0.500000, 1 of unknown amount" in lines
    alone = replace(part, details=(*days[:12], days[13]))
    assert "      and 1 more, -, 1 of unknown amount" in list(
        statement_lines(Statement("p", day, Decimal(0), Decimal(20), (alone,)))
    )
