"""Randomised experiments: relative uplift, the check of the split, and adjustment for many metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Estimate, Floats, floats, normal_bounds, squares

SRM_STOP = 0.001
"""Below this p-value of the split the experiment is stopped and nothing of it is reported."""


def relative_uplift(  # noqa: PLR0917 - the sums of two arms, one after the other
    n_t: ArrayLike,
    sum_t: ArrayLike,
    sumsq_t: ArrayLike,
    n_c: ArrayLike,
    sum_c: ArrayLike,
    sumsq_c: ArrayLike,
    level: float = 0.95,
) -> Estimate:
    """Relative difference of the means of treatment and control, (mean_t - mean_c) / mean_c, with its interval.

    A fraction: 0.02 is +2 %. Per arm: randomised units (all of them, those without an outcome as 0), the sum of their
    outcomes and the sum of the squares. The variance is that of a ratio of independent means by the delta method. The
    value is NaN when an arm is empty or the control mean is not above 0; the bounds also below two units in an arm,
    without variation in either and for sums that contradict one another.
    Sources: Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, chapter 18 (variance of the relative
    difference); Deng, Knoblich & Lu (2018), Applying the Delta Method in Metric Analytics, KDD, section 3.

    >>> [round(float(part), 4) for part in relative_uplift(1000, 120, 120, 1000, 100, 100)]  # 12 % against 10 %
    [0.2, -0.1007, 0.5007]
    """
    treated, control = floats(n_t, sum_t, sumsq_t), floats(n_c, sum_c, sumsq_c)
    (mean_t, variance_t), (mean_c, variance_c) = _mean(*treated), _mean(*control)
    base = np.where(mean_c > 0, mean_c, np.nan)
    ratio = mean_t / base
    variance = (variance_t + ratio**2 * variance_c) / base**2
    value = ratio - 1
    return value, *normal_bounds(value, variance, level)


def _mean(n: Floats, total: Floats, sumsq: Floats) -> tuple[Floats, Floats]:
    """Mean and the variance of its estimate; NaN where undefined."""
    size = np.where(n > 0, n, np.nan)
    pairs = np.where(n >= 2, size - 1, np.nan)
    return total / size, squares(sumsq - total**2 / size, sumsq) / pairs / size


def sample_ratio_p(n_t: ArrayLike, n_c: ArrayLike, share_treated: ArrayLike = 0.5) -> Floats:
    """p-value of the observed split when `share_treated` of the units were meant to be treated.

    Chi-square goodness of fit with one degree of freedom. Below `SRM_STOP` the split is broken (units lost, bots,
    a wrong join), and so is every comparison. NaN without units, for negative counts and for a share of 0 or 1.
    Source: Fabijan et al. (2019), Diagnosing Sample Ratio Mismatch in Online Controlled Experiments, KDD. Computed by
    `scipy.stats.chisquare`.

    >>> f"{float(sample_ratio_p(815_482, 821_588)):.1e}"
    '1.8e-06'
    """
    from scipy.stats import chisquare

    treated, control, share = floats(n_t, n_c, share_treated)
    valid = (treated >= 0) & (control >= 0) & np.isfinite(treated + control) & (treated + control > 0)
    valid &= (share > 0) & (share < 1)
    observed = np.where(valid, [treated, control], 1.0)
    expected = observed.sum(axis=0) * np.where(valid, [share, 1 - share], 0.5)
    return np.where(valid, chisquare(observed, expected, axis=0).pvalue, np.nan)


def holm(p_values: ArrayLike) -> Floats:
    """p-values adjusted for being a family, in the given shape: compare them with the level of the whole family.

    NaN stays NaN and does not count as a test. ValueError for a p-value outside 0..1.
    Source: Holm (1979), Scandinavian Journal of Statistics 6:65-70. Computed by statsmodels `multipletests`.

    >>> holm([0.01, 0.04, 0.03, 0.005])
    array([0.03, 0.06, 0.06, 0.02])
    """
    from statsmodels.stats.multitest import multipletests

    (p,) = floats(p_values)
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values run from {np.nanmin(p)} to {np.nanmax(p)}, expected 0 to 1")
    adjusted, tested = np.full(p.shape, np.nan), ~np.isnan(p)
    if tested.any():
        adjusted[tested] = multipletests(p[tested], method="holm")[1]
    return adjusted
