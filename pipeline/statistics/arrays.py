"""How every function of this room takes and gives numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
Estimate = tuple[Floats, Floats, Floats]
"""Value, lower and upper bound, all of one shape."""

NO_VARIATION = 1e-12
"""Squares below this share of the squared terms they are the difference of are rounding noise."""


def floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """Give the arguments as float arrays of one common shape; None and Decimal are understood, None becomes NaN.

    >>> floats([1, 2], 10)[1]
    array([10., 10.])
    """
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def where_valid(valid: NDArray[np.bool_], low: ArrayLike, high: ArrayLike) -> Bounds:
    """Keep the bounds where the inputs made sense and put NaN elsewhere; both come out in the shape of `valid`.

    >>> low, high = where_valid(np.array([True, False]), [0.1, 0.2], [0.3, 0.4])
    >>> low, high
    (array([0.1, nan]), array([0.3, nan]))
    """
    low_array = np.asarray(low, dtype=np.float64).reshape(valid.shape)
    high_array = np.asarray(high, dtype=np.float64).reshape(valid.shape)
    return np.where(valid, low_array, np.nan), np.where(valid, high_array, np.nan)


def tail(level: float) -> float:
    """Probability left in one tail of a two-sided interval of confidence `level`; ValueError unless 0 < level < 1.

    >>> round(tail(0.95), 3)
    0.025
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a confidence level between 0 and 1, such as 0.95")
    return (1 - level) / 2


def squares(difference: ArrayLike, terms: ArrayLike) -> Floats:
    """Sum of squares got by subtraction: rounding noise becomes 0, a truly negative one (contradictory sums) NaN.

    `terms` is the size of what was subtracted from what.

    >>> squares([14 - 12, 1e-17, -1], [14, 1, 1])
    array([ 2.,  0., nan])
    """
    value, size = floats(difference, terms)
    noise = NO_VARIATION * size
    return np.where(value > noise, value, np.where(value >= -noise, 0.0, np.nan))


def normal_bounds(centre: Floats, variance: Floats, level: float) -> Bounds:
    """Interval of confidence `level` around a normal estimate; NaN without variance, which says nothing about error.

    >>> low, high = normal_bounds(np.array([2.0]), np.array([0.25]), 0.95)  # 2 -+ 1.96 * 0.5
    >>> low.round(2), high.round(2)
    (array([1.02]), array([2.98]))
    """
    from scipy.special import ndtri

    half_width = ndtri(1 - tail(level)) * np.sqrt(np.where(variance > 0, variance, np.nan))
    return centre - half_width, centre + half_width
