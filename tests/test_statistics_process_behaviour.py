"""XmR charts: limits by hand, each rule at its first point, and the laws of a pure noise filter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.process_behaviour import XmR, limits, signal_word, signal_words, signals

LAW = settings(deadline=None, derandomize=True)
STEADY = [10, 12] * 8
"""Mean 11, moving range 2, limits 11 -+ 5.32 = 5.68 and 16.32, outer thirds beyond 11 -+ 3.55."""
SERIES = st.lists(st.integers(0, 60), min_size=0, max_size=40)


def test_limits_by_hand():
    """Mean 11 and 2.66 times the mean moving range of 2 on each side; 16 points are enough."""
    chart = limits(STEADY)
    assert chart == XmR(mean=11.0, lower=11 - 2.66 * 2, upper=11 + 2.66 * 2, moving_range_mean=2.0, trial=False)


def test_limits_of_a_published_chart():
    """Montgomery (2009), Introduction to SQC, example 6.5 (mortgage loan costs): 300.5, and 279.8 to 321.2."""
    costs = [310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304]
    chart = limits(costs)
    assert (chart.mean, round(chart.moving_range_mean, 2)) == (300.5, 7.79)
    assert (round(chart.lower, 1), round(chart.upper, 1)) == (279.8, 321.2)


@pytest.mark.parametrize(("values", "trial"), [([1, 2] * 6, True), ([1, 2] * 6 + [1], False)])
def test_thirteen_points_end_the_trial(values, trial):
    """Below 13 points the limits are trial limits."""
    assert limits(values).trial is trial


def test_too_few_points_have_no_limits():
    """No value, no mean; one value has a mean but no range."""
    assert np.isnan([limits([]).mean, limits([]).upper, limits([4]).lower, limits([4]).upper]).all()
    assert limits([4]).mean == 4
    assert (signals([]), signal_words([]), signal_word([])) == ([], [], "")
    assert signal_word([4]) == "trial"


@pytest.mark.parametrize(
    ("tail", "word"),
    [
        ([30], "outside_limits"),
        ([-10], "outside_limits"),
        ([12] * 6, "shift"),
        ([12] * 5, "none"),
        ([10] * 7, "shift"),
        ([10] * 6, "none"),
        ([12, 8, 9, 10, 11, 12, 13, 14], "trend"),
        ([12, 8, 9, 10, 11, 12, 13], "none"),
        ([10, 14, 13, 12, 11, 10, 9, 8], "trend"),
        ([15.6, 15.8], "near_limit"),
        ([14.5, 14.5], "none"),
        ([16.2, 11, 16.2], "near_limit"),
        ([16.2, 11, 11, 16.2], "none"),
        ([16.2, 16.2, 11], "none"),
        ([15.6, 6.2], "none"),
        ([6.2, 6.1], "near_limit"),
        ([], "none"),
    ],
)
def test_each_rule(tail, word):
    """After sixteen steady points (the last is 12) a pattern gets its word where it is complete, not before."""
    assert signal_word(STEADY + tail) == word


def test_the_strongest_rule_names_the_point():
    """A point outside the limits that also completes a shift is called outside."""
    values = [*STEADY, *[13] * 6, 30]
    assert signals(values)[-1] == {"outside_limits", "shift"}
    assert signal_word(values) == "outside_limits"


def test_signals_lists_all_rules_of_the_finished_chart():
    """Twenty low points, then seven high ones: all seven are outside, the seventh completes a shift as well."""
    found = signals([1, 2] * 10 + [8, 8, 8, 8, 8, 8, 8])
    assert found[0] == frozenset()
    assert found[-1] >= {"shift", "outside_limits"}
    assert found[-2] >= {"outside_limits"}
    assert "shift" not in found[-2]


def test_few_points_can_still_signal():
    """A trial chart says so only when nothing was found."""
    assert signal_word([1, 2, 1, 2, 1, 2, 1, 2, 9]) == "outside_limits"
    assert signal_word([1, 2, 1, 2, 1, 2, 1, 2, 1]) == "trial"


def test_a_flat_series_is_noise_free_and_without_signal():
    """Equal values never lie beside their own mean, though 0.1 + 0.1 + 0.1 is not 0.3."""
    assert set(signal_words([0.1] * 30)) == {"trial", "none"}
    assert signals([0.1] * 30) == [frozenset()] * 30


def test_missing_points_are_skipped():
    """A gap leaves the chart as it was, gets no word itself, and a missing last point has none either."""
    gappy = [10, np.nan, 12, None, *STEADY[2:], np.nan, 30]
    assert limits(gappy[:-1]) == limits(STEADY)
    words = signal_words(gappy)
    assert [words[1], words[3], words[-2], words[-1]] == ["", "", "", "outside_limits"]
    assert [word for word in words if word] == signal_words([*STEADY, 30])
    assert signals(gappy)[1] == frozenset()
    assert signal_word([*STEADY, np.nan]) == ""


@LAW
@given(SERIES)
def test_one_pass_equals_point_by_point(values):
    """The word of each point is that of the series cut off after it: the future cannot change the past."""
    assert signal_words(values) == [signal_word(values[: i + 1]) for i in range(len(values))]


@LAW
@given(SERIES, st.integers(-1000, 1000), st.sampled_from([-3, 0.01, 60, 1000]))
def test_shift_and_unit_do_not_matter(values, shift, unit):
    """Another zero, unit or direction gives the same signals and moves the limits along."""
    series = np.array(values, dtype=float)
    assert signals(series + shift) == signals(series * unit) == signals(series)
    assert signal_words(series + shift) == signal_words(series * unit) == signal_words(series)
    if len(values) > 1:
        assert limits(series + shift).upper == pytest.approx(limits(series).upper + shift)


@LAW
@given(SERIES)
def test_the_last_point_of_the_chart_is_judged_alike(values):
    """The last word names the first of the rules that the finished chart lists at its last point."""
    if not values:
        return
    rules, word = signals(values)[-1], signal_word(values)
    assert (word in rules) if rules else word == ("trial" if len(values) < 13 else "none")


def test_noise_rarely_signals():
    """Independent normal points lie outside the limits about 3 times in 1000 (three standard deviations)."""
    noise = np.random.default_rng(5).normal(0, 1, (200, 100))
    outside = sum("outside_limits" in rules for series in noise for rules in signals(series))
    assert 0.001 < outside / noise.size < 0.006


def test_one_series_only():
    """A table of series is refused, not flattened."""
    with pytest.raises(ValueError, match=r"values have shape \(2, 2\), expected one series in time order"):
        signals([[1, 2], [3, 4]])
