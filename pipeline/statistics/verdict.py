"""Was the target met, missed, or can the data not tell?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import Floats, floats


def verdict(
    value: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    at_least: ArrayLike | None = None,
    at_most: ArrayLike | None = None,
    *,
    exact: ArrayLike = False,
) -> NDArray[np.str_]:
    """Judge values by their interval: 'met', 'missed', 'inconclusive', or '' where there is no target.

    All arguments broadcast to one shape, which the result has; value, bounds and targets are in one unit. 'met' needs
    the whole interval on the right side of the target (touching it counts as met), 'missed' the whole interval on the
    wrong side. `exact` values, a census or a count, are judged by the point alone. A NaN bound is an open side and
    cannot support a verdict that needs it; a NaN value is inconclusive; a NaN target is none.

    >>> verdict([0.25, 0.25, 0.12], [0.20, 0.05, 0.08], [0.30, 0.45, 0.16], at_least=0.20).tolist()
    ['met', 'inconclusive', 'missed']
    """
    least, most = (np.nan if side is None else side for side in (at_least, at_most))
    point, lower, upper, least_, most_, by_point = floats(value, low, high, least, most, exact)
    lower = np.where(by_point == 1, point, np.where(np.isnan(lower), -np.inf, lower))
    upper = np.where(by_point == 1, point, np.where(np.isnan(upper), np.inf, upper))
    return _words(point, lower, upper, least_, most_)


def _words(point: Floats, lower: Floats, upper: Floats, least: Floats, most: Floats) -> NDArray[np.str_]:
    met = (np.isnan(least) | (lower >= least)) & (np.isnan(most) | (upper <= most))
    missed = (upper < least) | (lower > most)
    no_target = np.isnan(least) & np.isnan(most)
    conditions = [no_target, np.isnan(point), met, missed]
    return np.select(conditions, ["", "inconclusive", "met", "missed"], default="inconclusive")
