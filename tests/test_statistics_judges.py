"""Shares told by imperfect judges: the reference number, the laws, coverage, and putting judges together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.statistics.intervals import wilson
from pipeline.statistics.judges import judge_corrected, judge_corrected_interval, pooled

LAW = settings(deadline=None, derandomize=True)


class TestJudge:
    """Correcting the share an imperfect judge passed."""

    def test_reference(self):
        """(0.92 + 0.70 - 1) / (0.95 + 0.70 - 1) = 95.4 %."""
        assert float(judge_corrected(0.92, 0.95, 0.70)) == pytest.approx(0.62 / 0.65)

    @LAW
    @given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
    def test_undoes_the_judge(self, truth, sensitivity, specificity):
        """What a judge makes of the true share is turned back into it."""
        seen = truth * sensitivity + (1 - truth) * (1 - specificity)
        assert float(judge_corrected(seen, sensitivity, specificity)) == pytest.approx(truth, abs=1e-9)

    def test_limits(self):
        """Beyond what the judge can give the result stops at 0 or 1; a judge no better than chance gives none."""
        seen, sensitivity = [0.99, 0.01, 0.5, 0.6, 1.5, None], [0.95, 0.95, 0.5, 0.3, 0.9, 0.9]
        corrected = judge_corrected(seen, sensitivity, [0.9, 0.9, 0.5, 0.3, 0.9, 0.9])
        np.testing.assert_array_equal(corrected, [1, 0, np.nan, np.nan, np.nan, np.nan])


class TestInterval:
    """The interval that knows how little is known of the judge."""

    def test_against_the_formula_step_by_step(self):
        """92 of 100 passed; of 50 good items 48 passed, of 40 bad ones 28 rejected: every primed quantity by hand."""
        z = 1.959963984540054
        n, p = 100 + z**2, (92 + z**2 / 2) / (100 + z**2)
        se, sp = 49 / 52, 29 / 42
        share = (p + sp - 1) / (se + sp - 1)
        shift = 2 * z**2 * (share * se * (1 - se) / 52 - (1 - share) * sp * (1 - sp) / 42)
        variance = p * (1 - p) / n + share**2 * se * (1 - se) / 52 + (1 - share) ** 2 * sp * (1 - sp) / 42
        half = z * variance**0.5 / (se + sp - 1)
        low, high = judge_corrected_interval(92, 100, (48, 50, 28, 40))
        assert float(low) == pytest.approx(share + shift - half, abs=1e-12)
        assert float(high) == min(1, share + shift + half) == 1

    def test_covers_what_it_promises(self):
        """Of 4000 draws with 120 labels the interval of 95 % holds the true share in at least 94 %."""
        rng = np.random.default_rng(7)
        truth, passes, rejects, times = 0.8, 0.93, 0.85, 4000
        seen = rng.binomial(400, truth * passes + (1 - truth) * (1 - rejects), times)
        low, high = judge_corrected_interval(
            seen, 400, (rng.binomial(70, passes, times), 70, rng.binomial(50, rejects, times), 50)
        )
        held = ((low <= truth) & (truth <= high)).mean()
        assert 0.94 <= held <= 0.99
        plain = wilson(seen, np.full(times, 400))
        assert ((plain[0] <= truth) & (truth <= plain[1])).mean() < 0.9, "uncorrected, it promises too much"

    def test_more_labels_never_widen_it(self):
        """Ten times the labels of the same judge."""
        few, many = (judge_corrected_interval(300, 400, (9 * k, 10 * k, 8 * k, 10 * k)) for k in (2, 20))
        assert float(many[1] - many[0]) < float(few[1] - few[0])

    @pytest.mark.parametrize("counts", [(0, 0, 9, 10, 8, 10), (5, 9, 0, 0, 8, 10), (5, 9, 9, 10, 0, 0),
                                        (5, 9, 11, 10, 8, 10), (5, 9, 3, 10, 3, 10)])  # fmt: skip
    def test_undefined(self, counts):
        """Nothing judged, no labels of a side, impossible counts, a judge worse than chance."""
        assert np.isnan(judge_corrected_interval(*counts[:2], counts[2:])).all()


class TestPooled:
    """Estimates of several judges put together."""

    def test_one_is_itself(self):
        """A single judge keeps its interval."""
        assert pooled([40], [0.9], [0.8], [0.95]) == pytest.approx((0.9, 0.8, 0.95))

    def test_equal_ones_narrow_like_a_mean(self):
        """Four alike: the distances halve."""
        assert pooled([1] * 4, [0.5] * 4, [0.3] * 4, [0.6] * 4) == pytest.approx((0.5, 0.4, 0.55))

    def test_nothing_is_nothing(self):
        """Without weight there is no mean."""
        assert np.isnan(pooled([0, 0], [0.5, 0.4], [0.1, 0.1], [0.9, 0.9])).all()


def test_what_every_judge_says_for_certain_is_not_a_little_more_than_certain() -> None:
    """Shares of the weight add up to 1, but for the last digit: all of what several judges passed is 1 and no more."""
    chance = np.random.default_rng(3)
    for many in range(2, 60):
        weights, ones = chance.integers(1, 60, many), np.ones(many)
        value, low, high = pooled(weights, ones, ones * 0.7, ones)
        assert (value, high) == (1, 1)
        assert 0.7 <= low < 1
        value, low, high = pooled(weights, 1 - ones, 1 - ones, ones * 0.3)
        assert (value, low) == (0, 0)
        assert 0 < high <= 0.3
