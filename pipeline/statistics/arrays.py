"""How every function of this room takes and gives numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]


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
