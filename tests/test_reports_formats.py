"""How numbers and periods print, at their edges."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_reports_edition import catalog, row

from pipeline.reports import formats
from pipeline.reports.formats import MINUS, THIN
from pipeline.reports.values import _record

OCTOBER = ("month", date(2026, 10, 1), date(2026, 11, 1))


@pytest.mark.parametrize(
    ("share", "printed"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.342, "34.2 %"),
        (0.99962, "99.962 %"),
        (0.0031, "0.31 %"),
        (0.000001, "<0.001 %"),
        (0.9999999, ">99.999 %"),
        (0.99, "99.0 %"),
    ],
)
def test_a_share_prints_as_percent_and_never_rounds_onto_an_edge(share: float, printed: str) -> None:
    """Only an exact 0 or 1 says 0 % or 100 %."""
    assert formats.percent(share) == printed.replace(" ", THIN)


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True))
def test_no_rounding_reaches_the_edges(share: float) -> None:
    """Whatever the digits asked for, a share between 0 and 1 never prints as one of them."""
    printed = {formats.percent(share), formats.percent(share, 1), formats.percent(share, 0)}
    assert not printed & {
        f"{edge}{THIN}%" for edge in ("0", "100", "0.0", "100.0", "0.00", "100.00", "0.000", "100.000")
    }


def test_one_decimal_gives_the_coarse_edges() -> None:
    """With one decimal asked for, the edges are <0.1 % and >99.9 %."""
    assert formats.percent(0.0004, 1) == f"<0.1{THIN}%"
    assert formats.percent(0.9996, 1) == f">99.9{THIN}%"


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (0.0, "USD/session", "$0"),
        (1312.4, "tokens/call", "1 312 tokens"),
        (0.061234, "USD/session", "$0.06123"),
        (12.5, "USD/session", "$12.50"),
        (1234.5678, "USD/session", "$1 234.57"),
        (0.0, "h", "0 h"),
        (1234.5, "h", "1 234 h"),
        (0.00001, "s", "<0.001 s"),
        (3.456, "s", "3.46 s"),
        (4.23, "points", "+4.2 points"),
        (-4.23, "points", f"{MINUS}4.2 points"),
        (0.0, "points", "0 points"),
        (-0.00001, "points", f">{MINUS}0.001 points"),
        (12.0, "count", "12"),
        (12_345.6, "count", "12 346"),
        (0.3, "count", "0.300"),
        (12.5, "USD", "$12.50"),
    ],
)
def test_each_unit_prints_its_own_way(value: float, unit: str, printed: str) -> None:
    """Money has four significant digits, points a sign, large numbers thin spaces; zero is a plain zero."""
    assert formats.amount(value, unit).replace(THIN, " ") == printed


def test_a_value_near_its_target_never_prints_as_the_target() -> None:
    """19.996 % is not 20.0 % when the target is 20 %: the decimals grow until they differ."""
    assert formats.amount(0.19996, "ratio") == formats.amount(0.20, "ratio") == f"20.0{THIN}%"
    assert formats.beside(0.19996, 0.20, "ratio") == f"19.996{THIN}%"


def test_targets_print_as_they_were_set() -> None:
    """No padding: 20 %, 99.9 %, $0.05, 4 s, +3 points."""
    said = [
        formats.goal(Decimal(limit), unit)
        for limit, unit in [("0.20", "ratio"), ("0.999", "ratio"), ("0.05", "USD/session"), ("4", "s"), ("3", "points")]
    ]
    assert [text.replace(THIN, " ") for text in said] == ["20 %", "99.9 %", "$0.05", "4 s", "+3 points"]


def test_ranges_say_their_unit_once_and_keep_signs_from_dashes() -> None:
    """1.0-1.4 % with one unit; negative ends are joined by a word."""
    assert formats.span(formats.percent(0.01), formats.percent(0.014)) == f"1.0–1.4{THIN}%"
    assert formats.span(formats.points(-1.2), formats.points(4.1)) == f"{MINUS}1.2 to +4.1 points"
    assert formats.span("$0.01", "$0.02") == "$0.01–$0.02"


def test_zero_missing_suppressed_and_not_applicable_print_differently() -> None:
    """Four different things, four different texts."""
    made = row(catalog(), "adoption_rate", *OCTOBER)
    zero = formats.figure(_record(made | {"value": 0.0}))
    missing = formats.figure(_record(made | {"value": None, "reason": "no source"}))
    hidden = formats.figure(_record(made | {"value": None, "reason": "suppressed: fewer than 5 people"}))
    texts = [zero.text, missing.text, hidden.text, formats.NOT_APPLICABLE.text]
    assert texts == [f"0{THIN}%", "not available", "suppressed", "n/a"]
    assert (missing.why, hidden.why) == ("no source", "fewer than 5 people")


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), None])
def test_what_is_not_a_finite_number_is_not_available(odd: float | None) -> None:
    """inf and nan never reach a page."""
    assert formats.figure(_record(row(catalog(), "p95_latency", *OCTOBER) | {"value": odd})).state == "missing"


@pytest.mark.parametrize(
    ("low", "high", "method", "printed"),
    [
        (0.1, 0.2, "Wilson", "10.0–20.0 %"),
        (None, None, "exact", "exact"),
        (None, 0.2, "Poisson", "at most 20.0 %"),
        (None, None, "Wilson", "not available"),
    ],
)
def test_intervals(low: float | None, high: float | None, method: str, printed: str) -> None:
    """A census says exact; a method that gave no interval says it has none."""
    change = {"interval_low": low, "interval_high": high, "interval_method": method}
    made = _record(row(catalog(), "adoption_rate", *OCTOBER) | change)
    assert formats.interval(made).text.replace(THIN, " ") == printed


def test_periods_are_named_by_their_last_day() -> None:
    """Ends are exclusive in the data and inclusive in words."""
    assert formats.period("28d", date(2026, 10, 24), date(2026, 11, 21)) == "28 days to 20 Nov 2026"
    assert formats.period("week", date(2026, 11, 9), date(2026, 11, 16)) == "week to 15 Nov 2026"
    assert formats.period(*OCTOBER) == "October 2026"
    assert formats.period("quarter", date(2026, 10, 1), date(2027, 1, 1)) == "Q4 2026"


def test_counts_have_thin_separators() -> None:
    """11 606 reads better than 11606."""
    assert formats.count(11606).text == f"11{THIN}606"
    assert formats.count(None).state == "not-applicable"


@pytest.mark.parametrize(
    ("grain", "start", "end", "code"),
    [
        ("day", date(2026, 10, 31), date(2026, 11, 1), "2026-10-31"),
        ("week", date(2026, 12, 28), date(2027, 1, 4), "2026-W53"),
        ("month", date(2026, 10, 1), date(2026, 11, 1), "2026-10"),
        ("28d", date(2026, 10, 4), date(2026, 11, 1), "28d:2026-10-31"),
    ],
)
def test_periods_are_written_as_commands_take_them(grain: str, start: date, end: date, code: str) -> None:
    """ISO weeks bear the ISO year; a window is named by its last day."""
    assert formats.period_code(grain, start, end) == code


def test_one_thing_is_not_many() -> None:
    """1 file, 2 files, 0 files."""
    assert [formats.counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@given(
    st.floats(min_value=1e-6, max_value=1e6),
    st.floats(min_value=1e-9, max_value=1e-2),
    st.sampled_from(["ratio", "points", "USD", "s", "count", "per_1k_sessions"]),
)
def test_values_that_differ_never_print_alike_beside_each_other(value: float, step: float, unit: str) -> None:
    """Whatever the unit and however small the step, and the same value twice stays as short as it prints alone."""
    one, other = formats.apart((value, value * (1 + step)), unit)
    assert one != other
    assert formats.apart((value, value), unit) == (formats.amount(value, unit),) * 2


@pytest.mark.parametrize(
    ("unit", "words"),
    [("USD/session", "US dollars per session"), ("tokens/tool_call", "tokens per tool call"),
     ("per_1k_tool_calls", "per 1 000 tool calls"), ("calls/min", "calls per minute"), ("h", "hours")],
)  # fmt: skip
def test_units_of_things_in_words(unit: str, words: str) -> None:
    """Each form says what it is by."""
    assert formats.unit_words(unit) == words
