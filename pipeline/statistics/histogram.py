"""Quantiles from counts in logarithmic buckets: mergeable by addition, within 1 % of the true value.

Bucket i holds the values in (GAMMA**(i-1), GAMMA**i] and stands for 2 * GAMMA**i / (GAMMA + 1), which is within ALPHA
of every one of them. Values too small to measure, 0 above all, share ZERO_BUCKET. A value below 0 has the bucket of
its size, counted down from NEGATIVE, so that buckets are ordered as values are. Buckets are whole numbers, kept as
floats so that what has none (infinite, unknown) can be NaN.
Source: Masson, Rim & Lee (2019), DDSketch, PVLDB 12:2195-2205, section 2.1 (without the bucket limit of section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import Bounds, Floats, floats
from pipeline.statistics.intervals import order_statistic_ranks

ALPHA = 0.01
GAMMA = (1 + ALPHA) / (1 - ALPHA)
LOG_GAMMA = log(GAMMA)
ZERO_BUCKET = -1_000_000
"""Below the buckets of values above 0, which lie within -+ 34 600."""
NEGATIVE = 2 * ZERO_BUCKET
SMALLEST, GREATEST = 1e-300, 1e300
"""Range of the sizes measured; smaller ones count as 0, greater ones have no bucket."""

Edge = Literal["middle", "lower", "upper"]
_FROM_UPPER_EDGE: dict[Edge, float] = {"middle": 2 / (GAMMA + 1), "lower": 1 / GAMMA, "upper": 1.0}
_FROM_OUTER: dict[Edge, float] = _FROM_UPPER_EDGE | {"lower": 1.0, "upper": 1 / GAMMA}
"""The same of sizes of values below 0, whose lower edge is the greater size."""


def bucket_of(x: ArrayLike) -> Floats:
    """Bucket of each value: ceil(ln x / ln GAMMA), ZERO_BUCKET within -+ 1e-300; NaN for what is not finite.

    >>> bucket_of([0, 1, 1.01, -1, -1.01]).tolist()
    [-1000000.0, 0.0, 1.0, -2000000.0, -2000001.0]
    """
    (value,) = floats(x)
    size = np.abs(value)
    measured = (size >= SMALLEST) & (size <= GREATEST)
    bucket = np.ceil(np.log(np.where(measured, size, 1.0)) / LOG_GAMMA)
    signed = np.where(value < 0, NEGATIVE - bucket, bucket)
    return np.where(measured, signed, np.where(size < SMALLEST, float(ZERO_BUCKET), np.nan))


def value_of(bucket: ArrayLike, edge: Edge = "middle") -> Floats:
    """Value a bucket stands for, 2 * GAMMA**i / (GAMMA + 1), or its lower or upper edge; 0 for ZERO_BUCKET.

    >>> round(float(value_of(0)), 4), float(value_of(0, "upper")), float(value_of(ZERO_BUCKET))
    (0.99, 1.0, 0.0)
    >>> round(float(value_of(NEGATIVE)), 4), float(value_of(NEGATIVE, "lower"))
    (-0.99, -1.0)
    """
    (index,) = floats(bucket)
    is_zero, is_negative = index == ZERO_BUCKET, index < (NEGATIVE + ZERO_BUCKET) / 2
    size = GAMMA ** np.where(is_zero, 0.0, np.where(is_negative, NEGATIVE - index, index))
    return np.where(is_zero, 0.0, size * np.where(is_negative, -_FROM_OUTER[edge], _FROM_UPPER_EDGE[edge]))


def bucket_sql(column: str) -> str:
    """Give the SQL expression of `bucket_of(column)`: an integer, null where there is no bucket.

    Plain SQL: case, cast, ceil and ln. The numbers carry an exponent, which makes them doubles and not decimals. NaN
    sorts above all numbers, so the upper end keeps it out. `column` is put in as it stands and must be trusted.

    >>> bucket_sql("latency_s").split(" then ")[0]
    'case when cast(latency_s as double) >= 1e-300 and cast(latency_s as double) <= 1e+300'
    """
    x = f"cast({column} as double)"

    def size(one: str) -> str:
        return f"cast(ceil(ln({one}) / {LOG_GAMMA:.16e}) as integer)"

    is_positive = f"{x} >= {SMALLEST:.0e} and {x} <= {GREATEST:.0e}"
    is_zero = f"{x} > {-SMALLEST:.0e} and {x} < {SMALLEST:.0e}"
    is_negative = f"{x} <= {-SMALLEST:.0e} and {x} >= {-GREATEST:.0e}"
    return (
        f"case when {is_positive} then {size(x)} when {is_zero} then {ZERO_BUCKET} "
        f"when {is_negative} then {NEGATIVE} - {size(f'-{x}')} end"
    )


def has_bucket_sql(column: str) -> str:
    """Give the SQL condition that `bucket_sql(column)` is not null, without working it out.

    >>> has_bucket_sql("x")
    'cast(x as double) >= -1e+300 and cast(x as double) <= 1e+300'
    """
    return f"cast({column} as double) >= {-GREATEST:.0e} and cast({column} as double) <= {GREATEST:.0e}"


@dataclass(frozen=True)
class Histograms:
    """Many histograms side by side, for quantiles of all of them at once; make them with `of`."""

    row: ClassVar[str] = "bucket"
    """What a row counts, for messages."""
    buckets: Floats
    """Bucket of each row, sorted by histogram and bucket."""
    cumulative: NDArray[np.int64]
    """Running count over all rows of all histograms."""
    before: NDArray[np.int64]
    """Per histogram, the count of all histograms before it."""
    totals: NDArray[np.int64]
    """Per histogram, how many values it holds."""

    @classmethod
    def of(cls, group: ArrayLike, bucket: ArrayLike, count: ArrayLike, groups: int) -> Self:
        """Build from rows (group 0..groups-1, bucket, count), in any order; a bucket may occur more than once.

        ValueError for a group outside 0..groups-1, a NaN bucket, or a count that is negative or not whole.
        """
        group_of = np.asarray(group, dtype=np.int64)
        buckets, counts = floats(bucket, count)
        _require_rows(group_of, buckets, counts, groups, cls.row)
        order = _in_order(group_of, buckets)
        whole = counts[order].astype(np.int64)
        totals = np.zeros(groups, dtype=np.int64)
        np.add.at(totals, group_of[order], whole)
        return cls(buckets[order], np.cumsum(whole), np.cumsum(totals) - totals, totals)

    def at_rank(self, rank: ArrayLike, edge: Edge = "middle") -> Floats:
        """Value of the 1-based `rank` in each histogram, shape (groups,); NaN for a rank it does not have.

        >>> float(Histograms.of([0, 0], [0, 35], [3, 1], 1).at_rank(4)[0]) == float(value_of(35))
        True
        """
        ranks, _ = floats(rank, self.totals)
        valid = (ranks >= 1) & (ranks <= self.totals)
        target = self.before + np.where(valid, ranks, 1).astype(np.int64)
        row = np.minimum(np.searchsorted(self.cumulative, target), max(self.buckets.size - 1, 0))
        bucket = self.buckets[row] if self.buckets.size else np.full(ranks.shape, np.nan)
        return np.where(valid, self.value(bucket, edge), np.nan)

    def value(self, bucket: Floats, edge: Edge) -> Floats:
        """Value that buckets stand for, or an edge of theirs."""
        return value_of(bucket, edge)

    def quantile(self, p: ArrayLike) -> Floats:
        """p-quantile of each histogram as numpy's linear rule defines it, within ALPHA; NaN when empty.

        Source of the rule: Hyndman & Fan (1996), The American Statistician 50:361-365, definition 7.
        """
        share, totals = floats(p, self.totals)
        _require_share(share)
        position = (totals - 1) * share
        below = np.floor(position)
        weight = position - below
        lower, upper = self.at_rank(below + 1), self.at_rank(np.minimum(below + 2, totals))
        return lower + weight * (upper - lower)

    def quantile_interval(self, p: float, level: float = 0.95) -> Bounds:
        """Distribution-free interval of the p-quantile, from the outer edges of the two buckets that bound it.

        NaN on a side for which the histogram holds too few values. See `intervals.order_statistic_ranks`.
        """
        lower, upper = order_statistic_ranks(self.totals, p, level)
        return self.at_rank(lower, "lower"), self.at_rank(upper, "upper")


def quantile_from_counts(buckets: ArrayLike, counts: ArrayLike, p: ArrayLike) -> Floats:
    """p-quantiles of one histogram given as rows (bucket, count), in the shape of p; NaN when it is empty.

    Within ALPHA of `numpy.quantile(values, p)` for sizes from 1e-300 to 1e300, and exactly 0 where that is 0; between
    a value below 0 and one above within ALPHA of the greater size.

    >>> values = [0.5, 1.0, 2.0, 4.0]
    >>> round(float(quantile_from_counts(bucket_of(values), [1, 1, 1, 1], 0.5)), 3)  # numpy: 1.5
    1.492
    """
    bucket, count = floats(buckets, counts)
    (share,) = floats(p)
    one = Histograms.of(np.zeros(bucket.shape, dtype=np.int64), bucket, count, 1)
    return one.quantile(share.ravel()).reshape(share.shape)


def _in_order(group: NDArray[np.int64], bucket: Floats) -> NDArray[np.intp]:
    """The order of rows by group and bucket; rows that have a group's buckets in order are not compared by them."""
    order = np.argsort(group, kind="stable")
    is_later = (np.diff(group[order]) > 0) | (np.diff(bucket[order]) >= 0)
    return order if is_later.all() else np.lexsort((bucket, group))


def _require_rows(group: NDArray[np.int64], buckets: Floats, counts: Floats, groups: int, row: str) -> None:
    if group.shape != buckets.shape or group.ndim != 1:
        raise ValueError(f"groups have shape {group.shape}, {row}s {buckets.shape}; expected one list of each")
    if group.size and not (group.min() >= 0 and group.max() < groups):
        raise ValueError(f"groups run from {group.min()} to {group.max()}, expected 0 to {groups - 1}")
    if not np.isfinite(buckets).all():
        raise ValueError(f"a {row} is not a finite number; leave out what has none, and count it apart")
    if not ((counts >= 0) & (counts == np.floor(counts))).all():
        raise ValueError("a count is negative or not a whole number; expected how often a value occurred")


def _require_share(p: Floats) -> None:
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p runs from {p.min()} to {p.max()}, expected quantiles between 0 and 1")
