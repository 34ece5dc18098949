"""Repeated trials, two raters, and distributions over time."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from pipeline.statistics.agreement import cohen_kappa, pass_hat_k, stability_index

LAW = settings(deadline=None, derandomize=True)
TASKS = st.lists(st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=9)
BINS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=12).filter(
    lambda bins: all(map(sum, zip(*bins, strict=True)))
)


class TestPassHatK:
    """All of k trials."""

    def test_by_hand(self):
        """C(3,2)/C(4,2) = 1/2 and C(1,2)/C(4,2) = 0: mean 1/4; at k = 1 the mean of 3/4 and 1/4."""
        np.testing.assert_allclose(pass_hat_k([3, 1], [4, 4], [2, 1]), [1 / 4, 1 / 2])

    @LAW
    @given(TASKS, st.integers(1, 7))
    def test_against_every_choice_of_trials(self, tasks, k):
        """Share of the choices of k trials that hold successes only, averaged over tasks with k trials."""
        shares = []
        for successes, trials in tasks:
            choices = list(combinations([True] * successes + [False] * (trials - successes), k))
            shares += [np.mean([all(choice) for choice in choices])] if choices else []
        expected = np.mean(shares) if shares else np.nan
        assert float(pass_hat_k(*zip(*tasks, strict=True), k)) == pytest.approx(expected, nan_ok=True)

    @LAW
    @given(st.lists(st.integers(0, 8), min_size=1, max_size=20))
    def test_laws(self, successes):
        """It never rises with k, starts at the success rate and ends at the share of tasks that always succeed."""
        values = pass_hat_k(successes, [8] * len(successes), np.arange(1, 9))
        assert (np.diff(values) <= 1e-12).all()
        assert values[0] == pytest.approx(np.mean(successes) / 8)
        assert values[-1] == pytest.approx(np.mean([c == 8 for c in successes]))

    def test_too_few_trials(self):
        """A task tried twice says nothing about four trials; with no task tried four times there is no value."""
        np.testing.assert_array_equal(pass_hat_k([4, 2], [4, 2], [4, 5]), [1, np.nan])
        assert np.isnan(pass_hat_k([], [], 1))

    @pytest.mark.parametrize(
        ("successes", "trials", "k", "message"),
        [
            ([3], [2], 1, "whole numbers with 0 <= successes <= trials"),
            ([1.5], [2], 1, "whole numbers with 0 <= successes <= trials"),
            ([1], [2], 0, r"k runs from 0\.0 to 0\.0, expected whole numbers of at least 1"),
            ([[1]], [2], 1, r"successes have shape \(1, 1\), expected one list of tasks"),
        ],
    )
    def test_wrong_input_is_named(self, successes, trials, k, message):
        """Counts that cannot be are refused with the reason."""
        with pytest.raises(ValueError, match=message):
            pass_hat_k(successes, trials, k)


class TestKappa:
    """Two raters."""

    def test_published(self):
        """SAS PROC FREQ on its example of three categories, from the tests of statsmodels: 0.4842, 0.2137 to 0.7547."""
        kappa, low, high = cohen_kappa([[0, 4, 1], [0, 8, 0], [0, 1, 5]])
        assert [round(float(x), 4) for x in (kappa, low, high)] == [0.4842, 0.2137, 0.7547]

    def test_same_raw_agreement_other_kappa(self):
        """60 of 100 agree in both: (0.6 - 0.54) / 0.46 and (0.6 - 0.46) / 0.54; both tables at once."""
        kappa, _, _ = cohen_kappa([[[45, 15], [25, 15]], [[25, 35], [5, 35]]])
        np.testing.assert_allclose(kappa, [0.06 / 0.46, 0.14 / 0.54])

    @LAW
    @given(st.integers(2, 4).flatmap(lambda k: st.lists(st.integers(0, 40), min_size=k * k, max_size=k * k)))
    def test_agrees_with_statsmodels(self, counts):
        """Kappa and its interval are those of statsmodels, and those of the raters swapped."""
        k = int(len(counts) ** 0.5)
        table = np.reshape(counts, (k, k))
        kappa, low, high = cohen_kappa(table)
        rows, columns = table.sum(axis=1), table.sum(axis=0)
        if table.sum() == 0 or (rows * columns).sum() == table.sum() ** 2:
            assert np.isnan([kappa, low, high]).all()
            return
        assert -1 <= kappa <= 1 + 1e-12
        assert cohen_kappa(table.T) == pytest.approx((kappa, low, high), abs=1e-9, nan_ok=True)
        theirs = cohens_kappa(table)
        assert kappa == pytest.approx(theirs.kappa)
        if np.isnan(low):
            assert theirs.var_kappa == pytest.approx(0, abs=1e-12)
            return
        np.testing.assert_allclose((low, high), (theirs.kappa_low, theirs.kappa_upp), rtol=1e-6, atol=1e-6)

    def test_perfect_and_empty(self):
        """Perfect agreement is 1 without bounds; one label alone and no item have no kappa."""
        kappa, low, high = cohen_kappa([[[7, 0], [0, 3]], [[9, 0], [0, 0]], [[0, 0], [0, 0]]])
        np.testing.assert_array_equal(kappa, [1, np.nan, np.nan])
        assert np.isnan(low).all()
        assert np.isnan(high).all()

    @pytest.mark.parametrize("table", [[[1, 2, 3], [4, 5, 6]], [1, 2], [[1, -2], [3, 4]]])
    def test_what_is_no_table(self, table):
        """A table that is not square or counts below nothing is refused."""
        with pytest.raises(ValueError, match="expected square tables of counts of at least 0"):
            cohen_kappa(table)


class TestStability:
    """Population stability index."""

    def test_by_hand(self):
        """Shares .5, .3, .2 become .4, .4, .2: -.1 ln(.8) + .1 ln(4/3) = 0.0511."""
        index = stability_index([50, 30, 20], [400, 400, 200], smoothing=0)
        assert float(index) == pytest.approx(-0.1 * np.log(0.8) + 0.1 * np.log(4 / 3))

    def test_an_empty_bin_weighs_half_an_observation(self):
        """10 and 0 against 5 and 5: shares 10.5/11, 0.5/11 and 5.5/11 twice; without smoothing there is no index."""
        shift = 10.5 / 11 - 5.5 / 11
        expected = shift * (np.log(10.5 / 5.5) - np.log(0.5 / 5.5))
        assert float(stability_index([10, 0], [5, 5])) == pytest.approx(expected)
        assert np.isnan(stability_index([10, 0], [5, 5], smoothing=0))
        assert stability_index([10, 0], [10, 0], smoothing=0) == 0

    @LAW
    @given(BINS)
    def test_laws(self, bins):
        """Never negative, 0 for the same counts, the same with the sides swapped and the bins in another order."""
        before, now = (np.array(part) for part in zip(*bins, strict=True))
        index = float(stability_index(before, now))
        assert index >= -1e-12
        assert stability_index(before, before) == 0
        assert stability_index(now, before) == pytest.approx(index, abs=1e-12)
        assert stability_index(before[::-1], now[::-1]) == pytest.approx(index, abs=1e-12)

    def test_chance_alone(self):
        """Yurdakul & Naranjo (2020): without a shift the mean is (bins - 1) (1/n + 1/m), 9 * (1/800 + 1/400) here."""
        rng = np.random.default_rng(12)
        before, now = (rng.multinomial(size, [0.1] * 10, 4000) for size in (800, 400))
        assert stability_index(before, now).mean() == pytest.approx(9 * (1 / 800 + 1 / 400), rel=0.05)

    def test_undefined(self):
        """An empty side has no distribution; many at once, each by itself."""
        index = stability_index([[5, 5], [0, 0], [5, 5]], [[5, 5], [5, 5], [0, 0]])
        np.testing.assert_array_equal(index, [0, np.nan, np.nan])
        with pytest.raises(ValueError, match="a count is negative, expected how many observations fell into the bin"):
            stability_index([1, 2], [3, -1])
