"""Intervals by resampling, for what has no formula: bias-corrected and accelerated (BCa), reproducible by their seed.

Sources: Efron (1987), JASA 82:171-185 (BCa); Davison & Hinkley (1997), Bootstrap Methods and their Application,
section 5.3 (BCa) and 3.8 (resampling whole clusters). Computed by `scipy.stats.bootstrap`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Bounds, Floats, floats, tail

DRAWS = 2000
AT_ONCE = 2_000_000
"""Numbers held in memory at a time."""
MOST_FOR_BCA = 10_000
"""With more values the percentiles are taken as they are: the correction is lost in the noise and takes n^2 steps."""


def bootstrap_mean(values: ArrayLike, level: float = 0.95, seed: int = 0, draws: int = DRAWS) -> Bounds:
    """Interval of the mean of independent values (one per query, case or person), in their unit.

    The same values, level, seed and draws give the same bounds. NaN below two values and when all are alike.
    ValueError for a value that is not finite: leave it out and count it apart.

    >>> low, high = bootstrap_mean([3, 5, 7, 18, 43, 85, 91, 98, 100, 130, 230, 487])  # mean 108.1
    >>> bool(50 < low < 65), bool(200 < high < 250)
    (True, True)
    """
    (value,) = floats(values)
    _require_finite(value)
    if value.size < 2 or np.ptp(value) == 0:
        tail(level)
        return np.asarray(np.nan), np.asarray(np.nan)
    return _bca((value,), lambda x, axis: x.mean(axis=axis), level=level, seed=seed, draws=draws)


def bootstrap_ratio(x: ArrayLike, y: ArrayLike, level: float = 0.95, seed: int = 0, draws: int = DRAWS) -> Bounds:
    """Interval of sum(x) / sum(y), x and y being the totals of clusters (sessions, people) that are resampled whole.

    In the unit of x per unit of y. NaN below two clusters, when all ratios are alike, and when a draw without any y
    leaves it open how far the ratio could be off. ValueError for a total that is not finite or a negative y.

    >>> low, high = bootstrap_ratio([1, 4, 4, 3, 2, 6], [1, 2, 3, 1, 2, 2])  # 20 / 11
    >>> bool(1.2 < low < 1.6), bool(2.1 < high < 2.8)
    (True, True)
    """
    top, bottom = floats(x, y)
    _require_finite(top)
    _require_finite(bottom)
    if (bottom < 0).any():
        raise ValueError(f"a denominator is {bottom.min()}, expected totals of at least 0")
    if top.size < 2 or np.ptp(top * bottom.sum() - bottom * top.sum()) == 0:
        tail(level)
        return np.asarray(np.nan), np.asarray(np.nan)
    return _bca((top, bottom), _ratio_of_sums, level=level, seed=seed, draws=draws)


def _ratio_of_sums(x: Floats, y: Floats, axis: int) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(x.sum(axis=axis) / y.sum(axis=axis))


def _bca(
    columns: tuple[Floats, ...], statistic: Callable[..., Floats], *, level: float, seed: int, draws: int
) -> Bounds:
    from scipy.stats import bootstrap

    tail(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns where it gives NaN
        low, high = bootstrap(
            columns,
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=draws,
            batch=max(1, AT_ONCE // columns[0].size),
            confidence_level=level,
            method="BCa" if columns[0].size <= MOST_FOR_BCA else "percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _require_finite(values: Floats) -> None:
    if values.ndim != 1:
        raise ValueError(f"values have shape {values.shape}, expected one list")
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise ValueError(f"value {wrong[0]} is {values[wrong[0]]}; leave out what has none, and count it apart")
