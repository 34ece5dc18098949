"""Ratios whose denominator is uncertain: Fieller's interval, and resampling."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from pipeline.statistics import bootstrap
from pipeline.statistics.bootstrap import bootstrap_mean, bootstrap_ratio
from pipeline.statistics.intervals import clustered_ratio, fieller

LAW = settings(deadline=None, derandomize=True)
CLUSTERS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=3, max_size=30)
NEW_LESS_OLD = [-1200, 2601, -2705, 1982, -1290, 351, -638, -2719]
OLD_LESS_PLACEBO = [8406, 2342, 8187, 8459, 4795, 3516, 4796, 10238]
"""Hormone in the blood of eight people: Efron & Tibshirani (1993), An Introduction to the Bootstrap, table 10.1."""
HOURS = [3, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487]
"""Between failures of air-conditioning: Davison & Hinkley (1997), example 1.1."""


def sums(x, y):
    """The sums a Fieller interval is made of, from the totals x and y of each cluster."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum(), len(x)


class TestFieller:
    """Ratios of means over clusters."""

    def test_published_bioequivalence(self):
        """Efron & Tibshirani (1993), chapter 25: ratio -0.071, Fieller's 90 % interval -0.249 to 0.170."""
        low, high = fieller(*sums(NEW_LESS_OLD, OLD_LESS_PLACEBO), 0.90)
        assert round(sum(NEW_LESS_OLD) / sum(OLD_LESS_PLACEBO), 4) == -0.0713
        assert (round(float(low), 3), round(float(high), 3)) == (-0.249, 0.170)

    def test_near_another_published_method(self):
        """Bonett & Price (2020), as in the R package statpsych: on logarithms 1.094 to 1.176 for these eight pairs."""
        before, after = [3.0, 3.1, 2.7, 2.6, 3.2, 3.8, 3.2, 3.0], [3.3, 3.6, 3.0, 3.1, 3.9, 4.2, 3.5, 3.3]
        np.testing.assert_allclose(fieller(*sums(after, before)), (1.09417, 1.175583), atol=0.001)

    @LAW
    @given(CLUSTERS, st.sampled_from([0.8, 0.95]))
    def test_it_inverts_a_t_test(self, clusters, level):
        """At both bounds a t test of x - r y has just the p-value 1 - level; NaN only where that gives no interval."""
        x, y = (np.array(part, dtype=float) for part in zip(*clusters, strict=True))
        low, high = fieller(*sums(x, y), level)
        uncertain = np.ptp(y) > 0 and ttest_1samp(y, 0).pvalue > 1 - level
        if np.isnan(low):
            assert np.isnan(high)
            assert y.sum() == 0 or uncertain or np.allclose(x * y.sum(), y * x.sum())
            return
        assert not uncertain
        assert low < x.sum() / y.sum() < high
        for bound in (low, high):
            assert ttest_1samp(x - bound * y, 0).pvalue == pytest.approx(1 - level, rel=1e-4)

    @LAW
    @given(CLUSTERS, st.sampled_from([0.001, 60.0]))
    def test_laws(self, clusters, unit):
        """Another unit of x scales it, a higher level widens it, and four times the clusters narrow it."""
        x, y = (np.array(part, dtype=float) for part in zip(*clusters, strict=True))
        low, high = fieller(*sums(x, y))
        if np.isnan(low):
            return
        np.testing.assert_allclose(fieller(*sums(unit * x, y)), (unit * low, unit * high), rtol=1e-6)
        less_low, less_high = fieller(*sums(x, y), 0.8)
        assert low < less_low < less_high < high
        more_low, more_high = fieller(*sums(np.tile(x, 4), np.tile(y, 4)))
        assert more_high - more_low < high - low

    def test_a_certain_denominator_leaves_the_t_interval_of_a_mean(self):
        """With one row per cluster the bounds are those of the mean: 3 -+ t(0.975; 4) * sqrt(2.5 / 5)."""
        half = student.ppf(0.975, 4) * np.sqrt(2.5 / 5)
        assert fieller(*sums([1, 2, 3, 4, 5], [1] * 5)) == pytest.approx((3 - half, 3 + half))

    def test_many_clusters_leave_the_delta_method(self):
        """Of 4000 sessions it is the interval of `clustered_ratio` within 2 % of its width."""
        rng = np.random.default_rng(6)
        successes = rng.integers(0, 5, 4000)
        cost = rng.gamma(2, 0.5, 4000) + 0.3 * successes
        *five, n = sums(cost, successes)
        low, high = clustered_ratio(n, *five)
        np.testing.assert_allclose(fieller(*five, n), (low, high), atol=0.02 * (high - low))

    def test_few_successes_stretch_it_upwards(self):
        """Four successes in ten runs of 1 each: a cost of 10/4 with far more room above than below."""
        low, high = fieller(*sums([1] * 10, [1] * 4 + [0] * 6), 0.90)
        assert high - 2.5 > 3 * (2.5 - low)

    def test_floor_cuts_the_lower_bound_alone(self):
        """A cost cannot be negative: the lower bound stops at the floor, the upper one stays."""
        heavy_tail = sums([1, 0, 9, 2], [2, 3, 2, 3])
        low, high = fieller(*heavy_tail)
        assert low < 0
        assert fieller(*heavy_tail, floor=0.0) == (0, high)

    def test_undefined(self):
        """Two clusters, no success, too few to be sure of any, contradictory sums and no variation: not an interval."""
        cases = [
            sums([1, 2], [1, 3]),
            sums([1, 2, 3], [0, 0, 0]),
            sums([1, 2, 3], [1, 0, 0]),
            sums([1, 2, 3], [-1, -2, -2]),
            (6, 3, 10, 6, 3, 3),  # a mean of 2 needs a sum of squares of at least 12
            sums([0.1, 0.2, 0.3], [1, 2, 3]),
            (6, 9, 14, None, 27.5, 3),
        ]
        for case in cases:
            assert np.isnan(fieller(*case)).all(), case
        low, high = fieller(*np.transpose([sums([1, 2, 3], [0, 0, 0]), sums([1, 2, 4, 5], [2, 2, 3, 3])]))
        assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, False]


class TestBootstrap:
    """Resampled means and ratios."""

    def test_against_every_possible_resample(self):
        """BCa worked out from all 6^6 resamples of six values and the jackknife, Efron (1987), section 2."""
        x = np.array([1.0, 2, 4, 8, 9, 20])
        means = np.array(list(product(x, repeat=6))).mean(axis=1)
        below = ((means < x.mean()).mean() + (means <= x.mean()).mean()) / 2
        left_out = (x.sum() - x) / 5
        d = left_out.mean() - left_out
        shift, pull = ndtri(below), (d**3).sum() / (6 * (d**2).sum() ** 1.5)
        z = shift + ndtri([0.025, 0.975])
        expected = np.quantile(means, ndtr(shift + z / (1 - pull * z)))
        np.testing.assert_allclose(bootstrap_mean(x, draws=40_000), expected, atol=0.3)

    def test_close_to_the_normal_theory_of_a_large_sample(self):
        """The mean of 2000 values: 1.96 standard errors on each side, within 5 %."""
        x = np.random.default_rng(3).normal(5, 2, 2000)
        low, high = bootstrap_mean(x)
        assert (high - low) / 2 == pytest.approx(1.96 * x.std(ddof=1) / np.sqrt(2000), rel=0.05)

    def test_skewed_values_get_a_skewed_interval(self):
        """The published example has mean 108.1; the interval reaches further up than down."""
        low, high = bootstrap_mean(HOURS, 0.95, 1)
        mean = sum(HOURS) / 12
        assert low < mean < high
        assert high - mean > 1.5 * (mean - low)

    def test_the_seed_decides(self):
        """Same seed, same bounds to the last bit; another seed, others nearby."""
        assert bootstrap_mean(HOURS, seed=7) == bootstrap_mean(HOURS, seed=7)
        assert bootstrap_mean(HOURS, seed=8) != bootstrap_mean(HOURS, seed=7)
        np.testing.assert_allclose(bootstrap_mean(HOURS, seed=8), bootstrap_mean(HOURS, seed=7), rtol=0.15)

    def test_a_ratio_over_single_rows_is_a_mean(self):
        """With one row per cluster both functions draw the same and say the same."""
        np.testing.assert_allclose(bootstrap_ratio(HOURS, [1] * 12, seed=3), bootstrap_mean(HOURS, seed=3))

    def test_a_ratio_of_clusters_agrees_with_the_formula(self):
        """Errors per call of 400 sessions: resampling sessions whole gives the interval of `clustered_ratio`."""
        rng = np.random.default_rng(7)
        calls = rng.integers(1, 12, 400)
        errors = rng.binomial(calls, rng.beta(1, 9, 400))
        *five, n = sums(errors, calls)
        low, high = clustered_ratio(n, *five)
        np.testing.assert_allclose(bootstrap_ratio(errors, calls), (low, high), atol=0.1 * (high - low))

    def test_unit_and_level(self):
        """Dollars or cents, the interval is the same; more confidence takes a wider one."""
        low, high = bootstrap_ratio(NEW_LESS_OLD, OLD_LESS_PLACEBO)
        assert low < -0.0713 < high
        cents = bootstrap_ratio([100 * x for x in NEW_LESS_OLD], OLD_LESS_PLACEBO)
        np.testing.assert_allclose(cents, (100 * low, 100 * high))
        wide_low, wide_high = bootstrap_ratio(NEW_LESS_OLD, OLD_LESS_PLACEBO, 0.99)
        assert wide_low < low < high < wide_high

    def test_long_lists_take_percentiles(self, monkeypatch):
        """Beyond the limit the percentiles of the draws are the bounds, 45 to 195 for the published example."""
        monkeypatch.setattr(bootstrap, "MOST_FOR_BCA", 11)
        low, high = bootstrap_mean(HOURS)
        assert low == pytest.approx(47, abs=3)
        assert high == pytest.approx(191, abs=10)

    def test_undefined(self):
        """Nothing, one value, values all alike, and a draw that may hold no denominator have no interval."""
        for values in ([], [5], [5, 5, 5]):
            assert np.isnan(bootstrap_mean(values)).all()
        assert np.isnan(bootstrap_ratio([1, 2, 4], [1, 2, 4])).all()
        assert np.isnan(bootstrap_ratio([1, 2, 3, 4], [1, 0, 0, 0])).all()
        assert np.isnan(bootstrap_ratio([1, 2], [0, 0])).all()

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: bootstrap_mean([1, np.nan]), "value 1 is nan; leave out what has none, and count it apart"),
            (lambda: bootstrap_mean([[1, 2]]), r"values have shape \(1, 2\), expected one list"),
            (lambda: bootstrap_ratio([1, 2], [1, -2]), r"a denominator is -2\.0, expected totals of at least 0"),
            (lambda: bootstrap_mean([], 95), "level is 95, expected a confidence level between 0 and 1"),
        ],
    )
    def test_wrong_input_is_named(self, call, message):
        """Unknown values are not drawn from, and the message says which one."""
        with pytest.raises(ValueError, match=message):
            call()
