"""Did groups move in parallel before the start? A test that keeps its level with few clusters.

A Wald test of all gaps at once is far off with few clusters: it inverts a covariance of as many rows as gaps, estimated
from little more clusters than that. Here each cluster's residuals under the null hypothesis, whose sum the gaps are,
change sign at random, all periods of a cluster together: the wild cluster bootstrap with restricted residuals and
Rademacher weights of Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90:414-427, in the score form
of Kline & Santos (2012), Journal of Econometric Methods 1:23-41. With few clusters it is close to a randomisation test,
and rejects too often by no more than falls exponentially with their number: Canay, Santos & Shaikh (2021), Review of
Economics and Statistics 103:346-363.
"""

from __future__ import annotations

import numpy as np

from pipeline.statistics.arrays import Floats

DRAWS = 999
"""Draws of signs; with the data's own that makes steps of 0.001 in a p-value."""
SEED = 0
_NOISE = 1e-9
"""A residual below this share of the largest value, or a spread below this share of the largest one, is rounding."""


def sign_flip_p(parts: Floats) -> float:
    """p-value of all gaps being 0, from what each cluster adds to each gap; NaN without a gap.

    `parts` has a row per cluster and a column per gap: residuals of the null hypothesis, whose sums are the gaps. The
    statistic is the largest |sum of a column| / sqrt(sum of its squares); the p-value is the share of draws of a sign
    per row, and of the data themselves, whose statistic is at least as large. The largest of several, where a Wald
    statistic would weigh them by an estimated covariance, is the max-t of Westfall & Young (1993), Resampling-Based
    Multiple Testing, section 2.3. Columns without any spread are gaps of exactly 0 and say nothing.

    >>> sign_flip_p(np.ones((10, 1))) < 0.01  # ten clusters alike: 2 of 1024 patterns of signs are as extreme
    True
    >>> sign_flip_p(np.array([[1.0], [-1.0]] * 5))  # ten that cancel: every pattern is
    1.0
    """
    spread = np.sqrt(np.sum(parts**2, axis=0))
    told = spread > _NOISE * spread.max(initial=0.0)
    if not told.any():
        return 1.0 if spread.size else float("nan")
    scaled = parts[:, told] / spread[told]
    signs = np.random.default_rng(SEED).integers(0, 2, size=(DRAWS, len(parts))) * 2.0 - 1.0
    seen = np.abs(scaled.sum(axis=0)).max()
    drawn = np.abs(signs @ scaled).max(axis=1)
    return float((1 + np.sum(drawn >= seen * (1 - 1e-9))) / (1 + DRAWS))


def without_rounding(left: Floats, values: Floats) -> Floats:
    """Residuals of values, with 0 where they are rounding only.

    >>> without_rounding(np.array([1e-13, 0.5]), np.array([9.0, 7.0]))
    array([0. , 0.5])
    """
    return np.where(np.abs(left) > _NOISE * np.abs(values).max(initial=0.0), left, 0.0)


def parallel_p(leads: Floats, drift: Floats) -> float:
    """p-value of two groups having moved in parallel: twice the smaller of that of their gaps and of a steady drift.

    `leads` are the parts of gaps that would all be 0, `drift` those of one slope (see `sign_flip_p`). Gaps alone rarely
    show a slow drift, which is what biases the effect most: Roth (2022), American Economic Review: Insights 4:305-322.
    Twice, because there are two chances to reject (Bonferroni). NaN without gaps; without a slope the gaps decide.

    >>> steady = np.tile([[0.9, 1.0], [1.3, 1.2], [-0.6, -0.4]], (6, 1))
    >>> parallel_p(steady - steady[:, [1]], steady[:, [1]]) == 2 * sign_flip_p(steady[:, [1]]) < 0.05
    True
    """
    together, steady = sign_flip_p(leads), sign_flip_p(drift)
    return together if np.isnan(together) or not drift.any() else min(1.0, 2 * min(together, steady))
