"""Comparisons: paired shares, net promoter scores, and randomised experiments."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.experiments import SRM_STOP, holm, relative_uplift, sample_ratio_p
from pipeline.statistics.intervals import newcombe_difference, newcombe_paired
from pipeline.statistics.surveys import nps, nps_difference, nps_interval

LAW = settings(deadline=None, derandomize=True)
PAIRS = st.tuples(*[st.integers(0, 300)] * 4).filter(lambda cells: sum(cells) > 0)
ANSWERS = st.tuples(*[st.integers(0, 300)] * 3).filter(lambda kinds: sum(kinds) > 0)
"""Promoters, detractors, passives."""
OUTCOMES = st.lists(st.integers(0, 50), min_size=2, max_size=40)
Z = 1.959963985


def arm(outcomes):
    """Units, sum and sum of squares of one arm."""
    x = np.asarray(outcomes, dtype=float)
    return len(x), x.sum(), (x * x).sum()


class TestPaired:
    """Differences of two paired shares."""

    def test_published_table(self):
        """Newcombe (1998), Statistics in Medicine 17:2635, method 10; counts are his e, f, g and h."""
        e, f, g, h = [36, 18, 53, 0], [12, 12, 0, 30], [2, 2, 0, 0], [0, 18, 1, 0]
        low, high = newcombe_paired(e, f, g, h)
        assert np.round(low, 4).tolist() == [0.0569, 0.0562, -0.0729, 0.8395]
        assert np.round(high, 4).tolist() == [0.3404, 0.3290, 0.0729, 1.0]

    def test_published_trials(self):
        """Altman et al. (2000), Statistics with Confidence, table 6.2: 0.01 to 0.23; R package contingencytables 3.1.0
        on Cavo et al. (2012): -0.1186 to -0.0046.
        """
        low, high = newcombe_paired([14, 59], [5, 6], [0, 16], [22, 80])
        assert np.round(low, 4).tolist() == [0.0115, -0.1186]
        assert np.round(high, 4).tolist() == [0.2265, -0.0046]

    @LAW
    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
    def test_uncorrelated_pairs_are_two_independent_samples(self, a, b, c, d):
        """Where e * h = f * g pairing tells nothing, and the interval is that of statsmodels for two samples of n."""
        e, f, g, h = a * b, a * c, d * b, d * c
        n = e + f + g + h
        np.testing.assert_allclose(newcombe_paired(e, f, g, h), newcombe_difference(e + f, n, e + g, n), atol=1e-12)

    @LAW
    @given(PAIRS)
    def test_laws(self, cells):
        """Holds the difference, lies in -1..1, turns round when the versions or success and failure are swapped."""
        e, f, g, h = cells
        low, high = newcombe_paired(e, f, g, h)
        difference = (f - g) / sum(cells)
        assert -1 <= low <= difference + 1e-12
        assert difference - 1e-12 <= high <= 1
        assert newcombe_paired(e, g, f, h) == pytest.approx((-high, -low), abs=1e-9)
        assert newcombe_paired(h, f, g, e) == pytest.approx((low, high), abs=1e-9)

    @LAW
    @given(PAIRS)
    def test_narrows_with_n_and_widens_with_the_level(self, cells):
        """Ten times the pairs give a narrower interval, more confidence a wider one."""
        low, high = newcombe_paired(*cells)
        more_low, more_high = newcombe_paired(*(10 * cell for cell in cells))
        wide_low, wide_high = newcombe_paired(*cells, level=0.99)
        assert more_high - more_low < high - low < wide_high - wide_low

    def test_agreeing_pairs_narrow_it(self):
        """Sixty discordant pairs among many that agree say more than two independent samples of that size."""
        low, high = newcombe_paired(400, 40, 20, 40)
        plain_low, plain_high = newcombe_difference(440, 500, 420, 500)
        assert high - low < 0.8 * (plain_high - plain_low)

    def test_impossible_counts_are_nan(self):
        """No pairs, negative and unknown counts have no interval and leave their neighbours alone."""
        low, high = newcombe_paired([0, -1, None, 36], [0, 12, 1, 12], [0, 5, 1, Decimal(2)], 0)
        assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, True, True, False]


class TestNetPromoterScore:
    """One group, and two."""

    def test_worked_example(self):
        """Half promoters and a sixth detractors: 33.3 points, one answer's variance 1/2 + 1/6 - 1/9 = 5/9."""
        assert float(nps(162, 54, 324)) == pytest.approx(100 / 3)
        half = Z * 100 * np.sqrt(5 / 9 / 324)
        assert nps_interval(162, 54, 324) == pytest.approx((100 / 3 - half, 100 / 3 + half), rel=1e-8)

    @LAW
    @given(ANSWERS)
    def test_it_is_the_mean_of_scores(self, kinds):
        """The score is the mean of 100, 0 and -100, its error their standard deviation over the square root of n."""
        up, down, _ = kinds
        scores = np.repeat([100.0, -100.0, 0.0], kinds)
        low, high = nps_interval(up, down, sum(kinds))
        assert float(nps(up, down, sum(kinds))) == pytest.approx(scores.mean(), abs=1e-9)
        if max(kinds) == sum(kinds):
            assert np.isnan([low, high]).all()
            return
        half = Z * scores.std() / np.sqrt(scores.size)
        expected = max(scores.mean() - half, -100), min(scores.mean() + half, 100)
        assert (low, high) == pytest.approx(expected, abs=1e-6)
        assert nps_interval(down, up, sum(kinds)) == pytest.approx((-high, -low), abs=1e-9)

    def test_difference_by_hand(self):
        """40 - 15 points; variances 0.8 - 0.16 and 0.75 - 0.0225 per answer, a hundred answers each."""
        value, low, high = nps_difference(60, 20, 100, 45, 30, 100)
        half = Z * 100 * np.sqrt((0.64 + 0.7275) / 100)
        assert (value, low, high) == pytest.approx((25, 25 - half, 25 + half), rel=1e-8)

    @LAW
    @given(ANSWERS, ANSWERS)
    def test_difference_laws(self, one, other):
        """It turns round with the groups, holds the value, narrows with n and is wider than either group alone."""
        first, second = ((up, down, up + down + passive) for up, down, passive in (one, other))
        value, low, high = nps_difference(*first, *second)
        assert value == pytest.approx(nps(*first) - nps(*second), abs=1e-9)
        if np.isnan(low):
            assert max(one) == sum(one) or max(other) == sum(other)
            return
        assert -200 <= low <= value <= high <= 200
        assert nps_difference(*second, *first) == pytest.approx((-value, -high, -low), abs=1e-9)
        more = nps_difference(*(10 * count for count in (*first, *second)))
        assert more[2] - more[1] < high - low

    def test_undefined(self):
        """No answers, more promoters and detractors than answers, and unknown counts have no score."""
        assert np.isnan(nps([0, 3, -1, None], [0, 3, 1, 1], [0, 5, 9, 9])).all()
        value, low, high = nps_difference([5, 5], [0, 1], [5, 9], [3, 0], [1, 0], [9, 0])
        assert value[0] == pytest.approx(100 - 200 / 9)
        assert np.isnan([low[0], high[0], value[1], low[1], high[1]]).all()


class TestUplift:
    """Relative difference of two arms."""

    def test_published_trial(self):
        """Physicians' Health Study (1989), NEJM 321:129: 104 of 11 037 against 189 of 11 034 infarctions, -45 %."""
        value, low, high = relative_uplift(11_037, 104, 104, 11_034, 189, 189)
        p, q = 104 / 11_037, 189 / 11_034
        variance = p * (1 - p) / 11_036 / q**2 + p**2 * q * (1 - q) / 11_033 / q**4
        assert round(float(value), 2) == -0.45
        assert (low, high) == pytest.approx((p / q - 1 - Z * np.sqrt(variance), p / q - 1 + Z * np.sqrt(variance)))

    def test_close_to_resampling(self):
        """The delta method and resampling of both arms agree within a tenth of the width."""
        rng = np.random.default_rng(4)
        treated, control = rng.exponential(1.1, 3000), rng.exponential(1.0, 2000)
        means = [arm_values[rng.integers(0, size, (3000, size))].mean(axis=1) for arm_values, size in
                 ((treated, 3000), (control, 2000))]  # fmt: skip
        expected = np.quantile(means[0] / means[1] - 1, [0.025, 0.975])
        _, low, high = relative_uplift(*arm(treated), *arm(control))
        np.testing.assert_allclose((low, high), expected, atol=0.1 * (expected[1] - expected[0]))

    @LAW
    @given(OUTCOMES, OUTCOMES, st.sampled_from([0.01, 3, 1000]))
    def test_laws(self, treated, control, unit):
        """Holds the value, does not depend on the unit of the outcome, and narrows with the data."""
        value, low, high = relative_uplift(*arm(treated), *arm(control))
        if sum(control) == 0:
            assert np.isnan([value, low, high]).all()
            return
        assert value == pytest.approx(np.mean(treated) / np.mean(control) - 1)
        if np.ptp(control) == 0 and np.ptp(treated) == 0:
            assert np.isnan([low, high]).all()
            return
        if np.ptp(control) == 0 or sum(treated) > 0:
            assert low < value < high
            more = relative_uplift(*arm(4 * treated), *arm(4 * control))
            assert more[2] - more[1] < high - low
        scaled = relative_uplift(*arm(np.array(treated) * unit), *arm(np.array(control) * unit))
        assert scaled == pytest.approx((value, low, high), rel=1e-6, abs=1e-9, nan_ok=True)

    def test_undefined(self):
        """An empty arm, a control that is nothing or negative, one unit per arm and contradictory sums."""
        n_t, sum_t, sumsq_t = [0, 5, 5, 1, 5], [0, 5, 5, 2, 5], [0, 9, 9, 4, 4]  # 5 squared / 5 is 5, more than 4
        n_c, sum_c, sumsq_c = [5, 5, 5, 1, 5], [5, 0, -3, 1, 5], [9, 0, 9, 1, 9]
        value, low, high = relative_uplift(n_t, sum_t, sumsq_t, n_c, sum_c, sumsq_c)
        np.testing.assert_array_equal(value, [np.nan, np.nan, np.nan, 1.0, 0.0])
        assert np.isnan(low).all()
        assert np.isnan(high).all()


class TestSplit:
    """Sample-ratio mismatch."""

    def test_published(self):
        """Kohavi, Tang & Xu (2020), chapter 21: 821 588 against 815 482 of a 50 % split has p = 1.8e-6."""
        p = float(sample_ratio_p(815_482, 821_588))
        assert f"{p:.1e}" == "1.8e-06"
        assert p < SRM_STOP == 0.001

    def test_uneven_split_by_hand(self):
        """90 of 1000 when 10 % were planned: chi-square 10^2/100 + 10^2/900 = 10/9, p = 0.29."""
        assert round(float(sample_ratio_p(90, 910, 0.1)), 2) == 0.29
        assert sample_ratio_p(100, 900, 0.1) == 1

    @LAW
    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.01, 0.99))
    def test_laws(self, treated, control, share):
        """A p-value, the same with the arms swapped, smaller for the same split of ten times the units."""
        if treated + control == 0:
            return
        p = float(sample_ratio_p(treated, control, share))
        assert 0 <= p <= 1
        assert sample_ratio_p(control, treated, 1 - share) == pytest.approx(p, abs=1e-9)
        assert sample_ratio_p(10 * treated, 10 * control, share) <= p + 1e-12

    def test_undefined(self):
        """No units, negative or unknown counts and an arm that was planned empty have no p-value."""
        p = sample_ratio_p([0, -1, None, 5, 5, 50], [0, 5, 5, 5, 5, 50], [0.5, 0.5, 0.5, 0, 1, 0.5])
        np.testing.assert_array_equal(p, [np.nan] * 5 + [1.0])


class TestHolm:
    """Families of metrics."""

    def test_by_hand(self):
        """Ordered 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 and never falling gives 0.02, 0.03, 0.06, 0.06."""
        np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])

    @settings(LAW, max_examples=15)  # statsmodels collects garbage on each call
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
    def test_laws(self, p_values):
        """Never below the p-value, never above Bonferroni, and in the same order."""
        p = np.array(p_values)
        adjusted = holm(p)
        assert (adjusted >= p).all()
        assert (adjusted <= np.minimum(p * p.size, 1) + 1e-12).all()
        assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()

    def test_an_unknown_p_value_is_no_test(self):
        """NaN stays, and the family is the other two: 0.01 * 2 and 0.04 * 1; shapes are kept."""
        np.testing.assert_allclose(holm([[0.01, np.nan], [0.04, None]]), [[0.02, np.nan], [0.04, np.nan]])
        assert holm([]).size == 0
        assert np.isnan(holm([np.nan])).all()

    def test_what_is_no_p_value(self):
        """5 is not a p-value."""
        with pytest.raises(ValueError, match=r"p-values run from 0\.1 to 5\.0, expected 0 to 1"):
            holm([0.1, 5, np.nan])
