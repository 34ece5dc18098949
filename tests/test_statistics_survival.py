"""Kaplan-Meier median: the reference case, published trials, an independent oracle, and what is not reached."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from pipeline.statistics.survival import SurvivalMedian, kaplan_meier_median

LAW = settings(deadline=None, derandomize=True)
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
INCIDENTS = st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=40)


def test_reference_incidents():
    """Five of eight resolved: median 2.0 h and 62.5 % recovered; the mean of the resolved, 1.6 h, is too kind."""
    result = kaplan_meier_median([0.5, 1, 1.5, 2, 3, 30, 48, 72], [True] * 5 + [False] * 3)
    assert result == SurvivalMedian(median=2.0, low=0.5, high=None, recovered_share=0.625, n=8, events=5)


def test_leukaemia_trial():
    """Freireich et al. (1963): 6-MP median 23 weeks, from 13 with no upper bound; placebo 8 weeks, 4 to 11."""
    treated = kaplan_meier_median(SIX_MP, SIX_MP_RELAPSED)
    assert (treated.median, treated.low, treated.high) == (23, 13, None)
    placebo = kaplan_meier_median(PLACEBO, [True] * 21)
    assert (placebo.median, placebo.low, placebo.high) == (8, 4, 11)


def test_half_is_half_whatever_the_last_bit():
    """With n resolved one by one S is exactly 1/2 after n/2 of them, though the product of fractions may not be."""
    for n in range(2, 200, 2):
        resolved = kaplan_meier_median(
            [*range(1, n // 2 + 2), *[500] * (n // 2 - 1)], [1] * (n // 2 + 1) + [0] * (n // 2 - 1)
        )
        assert resolved.median == n // 2, n


@LAW
@given(INCIDENTS)
def test_agrees_with_statsmodels(incidents):
    """Median and interval are those of statsmodels where S is not 0 at them, a code of its own."""
    durations, observed = (list(part) for part in zip(*incidents, strict=True))
    result = kaplan_meier_median(durations, observed)
    theirs = SurvfuncRight(np.array(durations) + 1.0, np.array(observed, dtype=float))
    below = np.flatnonzero(theirs.surv_prob <= 0.5 + 1e-12)
    assert result.median == (theirs.surv_times[below[0]] - 1 if below.size else None)
    alive = theirs.surv_prob > 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        log_survival = np.log(theirs.surv_prob)
        reach = 1.959963985 * theirs.surv_prob_se / np.abs(theirs.surv_prob * log_survival)
        upper = np.exp(log_survival * np.exp(-reach))
        lower = np.exp(log_survival * np.exp(reach))
    for ours, band in ((result.low, lower), (result.high, upper)):
        crossed = theirs.surv_times[alive & (band <= 0.5)] - 1
        assert ours == (crossed[0] if crossed.size else None)


@LAW
@given(INCIDENTS, st.sampled_from([0.5, 3.0, 60.0]))
def test_laws(incidents, unit):
    """Order does not matter, the unit scales the result, the interval holds the median and widens with the level."""
    durations, observed = (np.array(part) for part in zip(*incidents, strict=True))
    result = kaplan_meier_median(durations, observed)
    assert kaplan_meier_median(durations[::-1], observed[::-1]) == result
    scaled = kaplan_meier_median(durations * unit, observed)
    assert scaled.median == (None if result.median is None else result.median * unit)
    assert result.low is None or result.median is None or result.low <= result.median
    assert result.high is None or result.low <= result.median <= result.high
    wide = kaplan_meier_median(durations, observed, level=0.99)
    assert result.low is None or wide.low <= result.low
    assert wide.high is None or wide.high >= result.high


def test_without_censoring_it_is_the_middle_value():
    """Of 101 resolved incidents the 51st is the first with S <= 1/2."""
    durations = np.random.default_rng(3).permutation(101) / 4
    assert kaplan_meier_median(durations, np.ones(101)).median == 50 / 4


def test_fewer_than_half_recovered():
    """Two of five resolved: no median, and the share says how far it got."""
    result = kaplan_meier_median([1, 2, 50, 60, 70], [1, 1, 0, 0, 0])
    assert (result.median, result.high, result.recovered_share) == (None, None, 0.4)


def test_nothing_recovered_and_nothing_at_all():
    """All open: nothing but the count. No incident: no share either, which is not a share of 0."""
    assert kaplan_meier_median([5, 9], [False, False]) == SurvivalMedian(None, None, None, 0.0, 2, 0)
    assert kaplan_meier_median([], []) == SurvivalMedian(None, None, None, None, 0, 0)


def test_one_incident_has_a_median_but_no_interval():
    """After the only incident S is 0 and its band undefined: no bound is invented."""
    assert kaplan_meier_median([4], [True]) == SurvivalMedian(4.0, None, None, 1.0, 1, 1)


@pytest.mark.filterwarnings("error")
def test_no_warning_reaches_the_user():
    """The undefined ends of the band are expected and stay silent."""
    assert kaplan_meier_median(PLACEBO, [True] * 21).events == 21


@pytest.mark.parametrize(
    ("durations", "observed", "message"),
    [
        ([1, -2], [1, 1], r"duration 1 is -2\.0, expected a finite time of at least 0"),
        ([float("nan")], [1], "duration 0 is nan, expected a finite time"),
        ([1, 2], [1], r"durations have shape \(2,\), observed \(1,\)"),
    ],
)
def test_wrong_input_is_named(durations, observed, message):
    """A negative, unknown or unpaired duration stops the calculation with its place."""
    with pytest.raises(ValueError, match=message):
        kaplan_meier_median(durations, observed)
