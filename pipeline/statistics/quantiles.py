"""Exact quantiles of values that are at hand, each with how often it occurred.

For values too many to keep there is `histogram`, which rounds them to 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Bounds, Floats, floats
from pipeline.statistics.histogram import Edge, Histograms


@dataclass(frozen=True)
class Samples(Histograms):
    """Many samples side by side; rows are (group, value, count). Histograms whose buckets are the values themselves.

    >>> Samples.of([0, 0, 1], [3.0, 1.0, 7.0], [1, 1, 2], groups=3).quantile(0.5)
    array([ 2.,  7., nan])
    """

    row: ClassVar[str] = "value"

    def value(self, bucket: Floats, edge: Edge) -> Floats:
        """Value of a row: the row itself, whatever the edge."""
        return bucket


def quantile_of(values: ArrayLike, counts: ArrayLike, p: ArrayLike) -> Floats:
    """p-quantiles of values that occurred `counts` times each (1 for a plain list), in the shape of p; NaN of nothing.

    Between two values the quantile is interpolated, as `numpy.quantile` and DuckDB's `quantile_cont` do. In the unit of
    the values, which may be in any order. ValueError for a value that is not finite: leave it out and count it apart.
    Source: Hyndman & Fan (1996), The American Statistician 50:361-365, definition 7.

    >>> float(quantile_of([0.5, 1, 2, 8], 1, 0.5)), float(quantile_of([2, 8], [3, 1], 0.75))
    (1.5, 3.5)
    """
    (share,) = floats(p)
    return _one(values, counts).quantile(share.ravel()).reshape(share.shape)


def quantile_interval_of(values: ArrayLike, counts: ArrayLike, p: float, level: float = 0.95) -> Bounds:
    """Distribution-free interval of the p-quantile: two of the values themselves, covering at least `level`.

    NaN on a side for which the values are too few. See `intervals.order_statistic_ranks` for the rule and its source.

    >>> low, high = quantile_interval_of(range(1, 101), 1, 0.5)
    >>> float(low), float(high)
    (40.0, 61.0)
    """
    low, high = _one(values, counts).quantile_interval(p, level)
    return low.reshape(()), high.reshape(())


def median_interval(values: ArrayLike, counts: ArrayLike = 1, level: float = 0.95) -> Bounds:
    """Distribution-free interval of the median, from six values on at 95 %; NaN below.

    >>> low, high = median_interval([4, 8, 15, 16, 23, 42])  # 1 - 2 / 2**6 = 96.9 %
    >>> float(low), float(high)
    (4.0, 42.0)
    """
    return quantile_interval_of(values, counts, 0.5, level)


def _one(values: ArrayLike, counts: ArrayLike) -> Samples:
    value, count = floats(values, counts)
    return Samples.of(np.zeros(value.shape, dtype=np.int64), value, count, 1)
