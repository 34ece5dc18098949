"""Intervals: published cases, independent oracles, the laws they obey, and what is undefined."""

import time
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, chi2

from pipeline.statistics.intervals import (
    clopper_pearson,
    clopper_pearson_upper,
    clustered_ratio,
    clustered_share,
    clustered_total,
    least_n_of_quantile,
    newcombe_difference,
    order_statistic_ranks,
    poisson_exact,
    poisson_upper,
    wilson,
)

LAW = settings(deadline=None, derandomize=True)
COUNTS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def rounded(bounds, digits):
    """Bounds as a pair of rounded numbers."""
    return tuple(round(float(bound), digits) for bound in bounds)


def per_thousand(bounds, digits):
    """Bounds of a rate as events per thousand, rounded."""
    return rounded([1000 * bound for bound in bounds], digits)


def sums(x, y):
    """The six sums clustered intervals are made of, from the totals x and y of each cluster."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    return len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum()


class TestShares:
    """Wilson and Clopper-Pearson."""

    def test_no_event_in_a_thousand(self):
        """0 of 1000: Wilson up to 3.83 per thousand, exact up to 3.68, one-sided 95 % 1 - 0.05^(1/1000) = 2.99."""
        assert per_thousand(wilson(0, 1000), 2) == (0, 3.83)
        assert per_thousand(clopper_pearson(0, 1000), 2) == (0, 3.68)
        assert float(clopper_pearson_upper(0, 1000)) == pytest.approx(1 - 0.05 ** (1 / 1000), rel=1e-9)
        assert round(1000 * float(clopper_pearson_upper(0, 1000)), 2) == 2.99

    def test_three_in_twelve_thousand(self):
        """3 of 12 000: Wilson 0.085 to 0.735 per thousand, exact 0.052 to 0.730."""
        assert per_thousand(wilson(3, 12_000), 3) == (0.085, 0.735)
        assert per_thousand(clopper_pearson(3, 12_000), 3) == (0.052, 0.730)

    @LAW
    @given(COUNTS)
    def test_one_sided_upper_bound_leaves_five_percent_above(self, counts):
        """At the bound so few successes have a chance of 5 %, and it lies below the two-sided one."""
        k, n = counts
        upper = float(clopper_pearson_upper(k, n))
        assert binom.cdf(k, n, upper) == pytest.approx(0.05 if k < n else 1, rel=1e-6)
        assert upper <= clopper_pearson(k, n)[1]

    @pytest.mark.parametrize("upper", [clopper_pearson_upper, poisson_upper])
    def test_one_sided_level(self, upper):
        """A one-sided level of 0.5 or less is no bound; the message says what is expected."""
        with pytest.raises(
            ValueError, match=r"level is 0\.5, expected a one-sided confidence level between 0\.5 and 1"
        ):
            upper(1, 10, 0.5)

    def test_one_of_twelve(self):
        """1 of 12 is 8.3 %, Wilson 1.5 to 35.4 %."""
        assert rounded(wilson(1, 12), 3) == (0.015, 0.354)

    def test_published_wilson_cases(self):
        """Newcombe (1998), Statistics in Medicine 17:857, table I, method 3."""
        low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
        assert np.round(low, 4).tolist() == [0.2553, 0.0624, 0.0000, 0.0061]
        assert np.round(high, 4).tolist() == [0.3662, 0.1605, 0.1611, 0.1718]

    def test_published_exact_cases(self):
        """Newcombe (1998), Statistics in Medicine 17:857, table I, method 5."""
        low, high = clopper_pearson([81, 15, 0, 1], [263, 148, 20, 29])
        assert np.round(low, 4).tolist() == [0.2527, 0.0578, 0.0000, 0.0009]
        assert np.round(high, 4).tolist() == [0.3676, 0.1617, 0.1684, 0.1776]

    @LAW
    @given(COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
    def test_agrees_with_scipy(self, counts, level):
        """The vectorised bounds are those SciPy gives for one share."""
        k, n = counts
        for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
            theirs = binomtest(k, n).proportion_ci(level, method=method)
            np.testing.assert_allclose(ours(k, n, level), theirs, atol=1e-9)

    @LAW
    @given(COUNTS)
    def test_contains_the_share_and_nothing_outside_0_to_1(self, counts):
        """The interval holds the point and lies in 0..1, to the last bit."""
        k, n = counts
        for low, high in (wilson(k, n), clopper_pearson(k, n)):
            assert 0 <= low <= k / n <= high <= 1
            assert low < high

    @LAW
    @given(COUNTS)
    def test_mirror(self, counts):
        """Counting the failures turns the interval round."""
        k, n = counts
        for method in (wilson, clopper_pearson):
            low, high = method([k, n - k], n)
            np.testing.assert_allclose(1 - high[::-1], low, atol=1e-9)

    @LAW
    @given(COUNTS)
    def test_widens_with_the_level_and_shrinks_with_n(self, counts):
        """More confidence takes a wider interval, ten times the data a narrower one."""
        k, n = counts
        for method in (wilson, clopper_pearson):
            low, high = method(k, n)
            wide_low, wide_high = method(k, n, 0.99)
            assert wide_high - wide_low > high - low
            long_low, long_high = method(10 * k, 10 * n)
            assert long_high - long_low < high - low

    def test_impossible_counts_are_nan(self):
        """No trials, more successes than trials, negative or unknown counts have no interval."""
        k, n = [0, 5, -1, None, 1, 1], [0, 4, 10, 10, np.nan, np.inf]
        for method in (wilson, clopper_pearson):
            assert np.isnan(method(k, n)).all()

    def test_one_bad_value_leaves_the_others_alone(self):
        """An undefined entry does not disturb its neighbours, and shapes are kept."""
        low, high = wilson([[1, 0], [1, 7]], [[12, 0], [12, 4]])
        assert low.shape == high.shape == (2, 2)
        assert np.isnan(low).tolist() == [[False, True], [False, True]]
        assert low[0, 0] == wilson(1, 12)[0]

    def test_decimals_are_understood(self):
        """Numerators come from the warehouse as Decimal."""
        assert rounded(wilson(Decimal(1), Decimal(12)), 3) == (0.015, 0.354)

    @pytest.mark.parametrize("level", [0, 1, 95])
    def test_level_must_be_a_fraction(self, level):
        """95 is not a confidence level; the message says what is."""
        with pytest.raises(ValueError, match=rf"level is {level}, expected a confidence level between 0 and 1"):
            wilson(1, 12, level)


class TestPoisson:
    """Exact rates."""

    def test_three_events(self):
        """3 events: 0.6187 to 8.7673, the classic table of Garwood (1936)."""
        assert rounded(poisson_exact(3, 1), 4) == (0.6187, 8.7673)

    @LAW
    @given(st.integers(0, 500), st.floats(0.1, 1e6))
    def test_agrees_with_the_chi_square_form(self, count, exposure):
        """Garwood's bounds are chi-square quantiles: chi2(0.025; 2k)/2 and chi2(0.975; 2k+2)/2 over the exposure."""
        low, high = poisson_exact(count, exposure)
        expected_low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
        assert float(low) == pytest.approx(expected_low / exposure, rel=1e-8)
        assert float(high) == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2 / exposure, rel=1e-8)
        assert low <= count / exposure <= high

    @LAW
    @given(st.integers(0, 500), st.floats(0.1, 1e6))
    def test_one_sided_upper_bound(self, count, exposure):
        """At the bound so few events have a chance of 5 %: chi2(0.95; 2k + 2) / 2; more exposure lowers it."""
        upper = float(poisson_upper(count, exposure))
        assert upper == pytest.approx(chi2.ppf(0.95, 2 * count + 2) / 2 / exposure, rel=1e-8)
        assert count / exposure < upper < poisson_exact(count, exposure)[1]
        assert poisson_upper(count, 2 * exposure) == pytest.approx(upper / 2)

    def test_published_one_sided_bounds(self):
        """Garwood (1936), table: upper 95 % limits 2.996, 4.744 and 6.296 of 0, 1 and 2 events."""
        assert np.round(poisson_upper([0, 1, 2], 1), 3).tolist() == [2.996, 4.744, 6.296]
        assert np.isnan(poisson_upper([1, -1, None], [0, 1, 1])).all()

    def test_undefined(self):
        """No exposure, no rate; negative and unknown counts likewise, next to a good one."""
        low, high = poisson_exact([3, -1, None, 0], [0, 1, 1, 1])
        assert np.isnan(low).tolist() == [True, True, True, False]
        assert low[3] == 0
        assert high[3] == pytest.approx(-np.log(0.025))


class TestNewcombe:
    """Differences of two shares."""

    def test_published_table(self):
        """Newcombe (1998), Statistics in Medicine 17:873, table II, method 10, contrasts (a) to (h)."""
        k1, n1 = [56, 9, 6, 5, 0, 0, 10, 10], [70, 10, 7, 56, 10, 10, 10, 10]
        k2, n2 = [48, 3, 2, 0, 0, 0, 0, 0], [80, 10, 7, 29, 20, 10, 20, 10]
        low, high = newcombe_difference(k1, n1, k2, n2)
        assert np.round(low, 4).tolist() == [0.0524, 0.1705, 0.0582, -0.0381, -0.1611, -0.2775, 0.6791, 0.6075]
        assert np.round(high, 4).tolist() == [0.3339, 0.8090, 0.8062, 0.1926, 0.2775, 0.2775, 1.0, 1.0]

    @LAW
    @given(COUNTS, COUNTS)
    def test_laws(self, first, second):
        """Holds the difference, lies in -1..1, turns round when the arms are swapped."""
        low, high = newcombe_difference(*first, *second)
        difference = first[0] / first[1] - second[0] / second[1]
        assert -1 <= low <= difference + 1e-12
        assert difference - 1e-12 <= high <= 1
        assert newcombe_difference(*second, *first) == pytest.approx((-high, -low), abs=1e-12)

    def test_an_empty_arm_is_nan(self):
        """Without answers in one arm there is no difference."""
        assert np.isnan(newcombe_difference([3, 3], [5, 5], [0, 9], [0, 4])).all()


class TestClustered:
    """Ratios, shares and totals of clusters."""

    def test_ratio_by_hand(self):
        """x 1, 4, 4 over y 1, 2, 3: r = 9/6, e = -1/2, 1, -1/2, variance 3/2 * 3/2 / 36 = 1/16."""
        low, high = clustered_ratio(*sums([1, 4, 4], [1, 2, 3]))
        assert (low, high) == pytest.approx((1.5 - 1.959964 / 4, 1.5 + 1.959964 / 4), abs=1e-6)

    def test_floor_cuts_the_lower_bound_alone(self):
        """A cost cannot be negative: the lower bound stops at the floor, the upper one stays."""
        heavy_tail = sums([0, 0, 0, 100], [1, 1, 1, 1])
        low, high = clustered_ratio(*heavy_tail)
        assert low < 0
        assert clustered_ratio(*heavy_tail, floor=0.0) == (0, high)

    def test_single_rows_give_the_textbook_mean(self):
        """With one row per cluster the ratio is a mean, its error s / sqrt(n)."""
        x = np.array([3.0, 5, 8, 13, 21])
        low, high = clustered_ratio(*sums(x, np.ones(5)))
        assert (high - low) / 2 == pytest.approx(1.959963985 * x.std(ddof=1) / np.sqrt(5), rel=1e-9)

    def test_close_to_a_cluster_bootstrap(self):
        """Linearisation and resampling of 400 sessions agree within a tenth of the width."""
        rng = np.random.default_rng(7)
        calls = rng.integers(1, 12, 400)
        errors = rng.binomial(calls, rng.beta(1, 9, 400))
        draws = rng.integers(0, 400, (4000, 400))
        ratios = errors[draws].sum(axis=1) / calls[draws].sum(axis=1)
        expected = np.quantile(ratios, [0.025, 0.975])
        width = expected[1] - expected[0]
        np.testing.assert_allclose(clustered_ratio(*sums(errors, calls)), expected, atol=0.1 * width)
        np.testing.assert_allclose(clustered_share(*sums(errors, calls)), expected, atol=0.1 * width)

    def test_total_close_to_a_cluster_bootstrap(self):
        """The total's interval is that of resampled totals."""
        rng = np.random.default_rng(8)
        hours = rng.normal(0.3, 1.0, 400)
        totals = hours[rng.integers(0, 400, (4000, 400))].sum(axis=1)
        expected = np.quantile(totals, [0.025, 0.975])
        count, x, _, xx, _, _ = sums(hours, np.ones(400))
        np.testing.assert_allclose(clustered_total(count, x, xx), expected, atol=0.1 * (expected[1] - expected[0]))

    def test_total_by_hand(self):
        """Clusters 1, 2, 3: total 6, s^2 = 1, variance 3; a floor cuts the lower bound."""
        half = 1.959963985 * np.sqrt(3)
        assert clustered_total(3, 6, 14) == pytest.approx((6 - half, 6 + half), rel=1e-9)
        assert clustered_total(3, 6, 14, 0.9999, floor=0.0)[0] == 0

    @LAW
    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), min_size=2, max_size=40), st.integers(2, 1000))
    def test_ratio_laws(self, clusters, unit):
        """Holds the ratio; in another unit of x it is the same interval; with four times the clusters narrower."""
        x, y = (np.array(part, dtype=float) for part in zip(*clusters, strict=True))
        low, high = clustered_ratio(*sums(x, y))
        if np.ptp(x / y) == 0:
            assert np.isnan(low)
            assert np.isnan(high)
            return
        assert low < x.sum() / y.sum() < high
        np.testing.assert_allclose(clustered_ratio(*sums(unit * x, y)), (unit * low, unit * high), rtol=1e-6, atol=1e-9)
        more_low, more_high = clustered_ratio(*sums(np.tile(x, 4), np.tile(y, 4)))
        assert more_high - more_low < high - low

    @LAW
    @given(st.lists(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2))
    def test_share_laws(self, clusters):
        """A clustered share holds the share, lies in 0..1 and is never narrower than Wilson on the rows."""
        x, y = zip(*clusters, strict=True)
        low, high = clustered_share(*sums(x, y))
        share = sum(x) / sum(y)
        assert 0 <= low <= share + 1e-12
        assert share - 1e-12 <= high <= 1
        plain_low, plain_high = wilson(sum(x), sum(y))
        assert high - low >= plain_high - plain_low - 1e-12

    def test_rows_alike_within_a_cluster_count_once(self):
        """20 sessions of 30 calls each that all fail or all succeed tell about as much as 20 calls."""
        failing = [30] * 4 + [0] * 16
        low, high = clustered_share(*sums(failing, [30] * 20))
        np.testing.assert_allclose((low, high), wilson(0.2 * 19, 19))  # effective size 0.2 * 0.8 / (0.16 / 19) = 19
        plain_low, plain_high = wilson(120, 600)
        assert high - low > 5 * (plain_high - plain_low)

    def test_undefined(self):
        """One cluster, no denominator, sums that contradict one another and no variation have no interval."""
        bad = [
            (1, 2, 4, 4, 8, 16),
            (3, 0, 0, 0, 0, 0),
            (3, 6, 3, 10, 6, 3),  # a mean of 2 needs a sum of squares of at least 12
            (3, 3, 6, 1, 6, 12),  # 1 - 2 * 0.5 * 6 + 0.25 * 12 = -2, no sum of squares
            (None, 6, 3, 14, 6, 3),
        ]
        for case in bad:
            assert np.isnan(clustered_ratio(*case)).all(), case
            assert np.isnan(clustered_share(*case)).all(), case
        assert np.isnan(clustered_ratio(*sums([0.1] * 7, [1] * 7))).all()
        assert np.isnan(clustered_total([1, 3, 3], [5, 6, 6], [25, 12, 11])).all()


class TestOrderStatistics:
    """Ranks that enclose a quantile."""

    def test_published_ranks_of_the_median(self):
        """Conover (1999), Practical Nonparametric Statistics: n 10, 20, 100 give (2, 9), (6, 15), (40, 61)."""
        lower, upper = order_statistic_ranks([10, 20, 100], 0.5)
        assert lower.tolist() == [2, 6, 40]
        assert upper.tolist() == [9, 15, 61]

    @LAW
    @given(st.integers(1, 3000), st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.8, 0.95]))
    def test_each_tail_is_as_full_as_allowed(self, n, p, level):
        """Each rank leaves at most half of 1 - level outside, and the next one inwards would leave more."""
        lower, upper = order_statistic_ranks(n, p, level)
        half, slack = (1 - level) / 2, 1e-12
        if not np.isnan(lower):
            assert binom.cdf(lower - 1, n, p) - slack <= half <= binom.cdf(lower, n, p) + slack
        else:
            assert binom.cdf(0, n, p) >= half - slack
        if not np.isnan(upper):
            assert binom.sf(upper - 1, n, p) - slack <= half <= binom.sf(upper - 2, n, p) + slack
        else:
            assert binom.sf(n - 1, n, p) >= half - slack

    def test_too_few_values_leave_the_upper_side_open(self):
        """The 95th percentile has an upper bound from n = 72 on, when 0.95^n falls to 2.5 %."""
        lower, upper = order_statistic_ranks([71, 72], 0.95)
        assert np.isnan(upper).tolist() == [True, False]
        assert not np.isnan(lower).any()

    def test_undefined(self):
        """No values, half a value, or a quantile of 0 or 1 have no ranks."""
        assert np.isnan(order_statistic_ranks([0, 10.5, 10, 10, None], [0.5, 0.5, 0, 1, 0.5])).all()

    @pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
    @pytest.mark.parametrize("p", [0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
    def test_the_fewest_observations_are_the_first_with_both_ranks(self, p: float, level: float) -> None:
        """Below the least n a side is open, from it on none is."""
        least = least_n_of_quantile(p, level)
        lower, upper = order_statistic_ranks(np.arange(1, least + 40), p, level)
        is_closed = np.isfinite(lower) & np.isfinite(upper)
        assert not is_closed[: least - 1].any()
        assert is_closed[least - 1 :].all()


def test_a_night_of_values_takes_seconds():
    """100 000 intervals of every kind are arrays at work, not a loop; the bound is generous for a shared machine."""
    rng = np.random.default_rng(1)
    n = rng.integers(1, 10**6, 100_000)
    k = rng.binomial(n, 0.1)
    wilson(1, 12)  # loads SciPy
    start = time.process_time()
    for bounds in (wilson(k, n), newcombe_difference(k, n, k, n), order_statistic_ranks(n, 0.95)):
        assert bounds[0].shape == n.shape
    clustered_ratio(n, k, n, k + 1, k, n)
    assert time.process_time() - start < 10
