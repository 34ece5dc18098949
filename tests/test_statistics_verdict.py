"""Verdicts: the interval decides, the point only where it is exact."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.verdict import verdict

LAW = settings(deadline=None, derandomize=True)
FRACTIONS = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.21, 0.3, "met"),
        (0.2, 0.3, "met"),
        (0.19, 0.3, "inconclusive"),
        (0.1, 0.2, "inconclusive"),
        (0.1, 0.19, "missed"),
    ],
)
def test_at_least(low, high, expected):
    """At least 0.2: met when all of the interval reaches it, missed when none of it does."""
    assert verdict((low + high) / 2, low, high, at_least=Decimal("0.2")) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 0.19, "met"),
        (0.1, 0.2, "met"),
        (0.19, 0.3, "inconclusive"),
        (0.2, 0.3, "inconclusive"),
        (0.21, 0.3, "missed"),
    ],
)
def test_at_most(low, high, expected):
    """At most 0.2: the mirror image."""
    assert verdict((low + high) / 2, low, high, at_most=0.2) == expected


def test_a_band_needs_both_sides():
    """Within 0.6 to 0.8: met inside, missed beyond either end, else inconclusive."""
    low, high = [0.65, 0.4, 0.85, 0.55, 0.5], [0.75, 0.5, 0.9, 0.7, 0.9]
    expected = ["met", "missed", "missed", "inconclusive", "inconclusive"]
    assert verdict(0.7, low, high, at_least=0.6, at_most=0.8).tolist() == expected


def test_exact_values_are_judged_by_the_point():
    """A census needs no interval, and one that is given does not count."""
    assert verdict([0.9, 0.89], np.nan, np.nan, at_least=0.9, exact=True).tolist() == ["met", "missed"]
    assert verdict(0.95, 0.5, 1.0, at_least=0.9, exact=[True, False]).tolist() == ["met", "inconclusive"]


def test_open_sides():
    """A missing bound is an open side: it cannot support the verdict that needs it, and does not hinder the other."""
    assert verdict(1.0, np.nan, 1.5, at_most=2) == "met"
    assert verdict(1.0, 0.5, np.nan, at_most=2) == "inconclusive"
    assert verdict(3.0, 2.5, None, at_most=2) == "missed"
    assert verdict(1.0, np.nan, np.nan, at_most=2) == "inconclusive"


def test_no_target_and_no_value():
    """Without a target there is no verdict; without a value it is inconclusive, exact or not."""
    assert verdict([0.1, 0.2], 0, 1).tolist() == ["", ""]
    assert verdict(0.3, 0.25, 0.4, at_least=[0.2, np.nan]).tolist() == ["met", ""]
    assert verdict([np.nan, np.nan], 0.3, 0.4, at_least=0.2, exact=[False, True]).tolist() == ["inconclusive"] * 2
    assert verdict(np.nan, np.nan, np.nan) == ""


@LAW
@given(FRACTIONS, st.floats(0, 1))
def test_laws(bounds, target):
    """The verdict agrees with the point when there is one, and turns round with the sign."""
    low, value, high = bounds
    word = str(verdict(value, low, high, at_least=target))
    assert {"met": value >= target, "missed": value < target, "inconclusive": low <= target <= high}[word]
    assert str(verdict(-value, -high, -low, at_most=-target)) == word


@LAW
@given(FRACTIONS, st.floats(0, 1))
def test_more_data_never_turns_a_verdict_round(bounds, target):
    """A narrower interval inside the first can decide an open verdict, never reverse a decided one."""
    low, value, high = bounds
    wide = str(verdict(value, low, high, at_least=target))
    narrow = str(verdict(value, (low + value) / 2, (high + value) / 2, at_least=target))
    assert wide in ("inconclusive", narrow)
