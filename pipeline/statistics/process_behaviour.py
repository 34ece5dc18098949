"""Process-behaviour (XmR) charts: is a new point a signal, or the noise this KPI always has?

Rules: a point outside the limits; seven points in a row on one side of the mean; seven points in a row rising or
falling; two of three points in the outer third of the same side. A rule holds *at* a point that completes or continues
its pattern. Points that are NaN are skipped, as if the chart had none there.
Sources: Wheeler (2000), Understanding Variation, 2nd ed., chapter 3 and appendix (XmR chart, 2.66); the runs of seven
and the two of three are those of NHS England, Making Data Count, as the R package NHSRplotthedots states them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import Floats

Rule = Literal["outside_limits", "shift", "trend", "near_limit"]
SignalWord = Literal["outside_limits", "shift", "trend", "near_limit", "none", "trial", ""]

T = TypeVar("T")

RULES: tuple[Rule, ...] = get_args(Rule)
"""From the strongest evidence to the weakest; a point that breaks several is named by the first."""
SCALING = 2.66
"""3 / d2 with d2 = 1.128, the mean range of two normal values in standard deviations."""
RUN = 7
ENOUGH_POINTS = 13
ROUNDING = 1e-10
"""Differences below this share of the greatest value are rounding noise, not a side of the mean."""


@dataclass(frozen=True)
class XmR:
    """Natural process limits, in the unit of the values; NaN while there are too few values (two for limits)."""

    mean: float
    lower: float
    upper: float
    moving_range_mean: float
    trial: bool
    """True below 13 points: the limits still move a lot."""


def limits(values: ArrayLike) -> XmR:
    """Mean and limits mean -+ 2.66 * mean moving range of a series in time order, shape (n,).

    The lower limit may lie below 0 for a KPI that cannot: limits describe the process, cut them when drawing.

    >>> limits([10, 12, 11])  # moving ranges 2 and 1: 11 -+ 2.66 * 1.5
    XmR(mean=11.0, lower=7.01, upper=14.99, moving_range_mean=1.5, trial=True)
    """
    known = _known(values)
    if known.size == 0:
        return XmR(np.nan, np.nan, np.nan, np.nan, trial=True)
    mean, moving_range = (float(series[-1]) for series in _growing(known))
    half_width = SCALING * moving_range
    return XmR(mean, mean - half_width, mean + half_width, moving_range, trial=known.size < ENOUGH_POINTS)


def signals(values: ArrayLike) -> list[frozenset[Rule]]:
    """Rules broken at each point of a finished chart, whose limits come from all its values; shape (n,).

    >>> [sorted(rules) for rules in signals([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 9])][-1]
    ['outside_limits']
    """
    y, known = _series(values), _known(values)
    mean, moving_range = (np.full(known.size, series[-1:]) for series in _growing(known))
    broken = _broken(known, mean, moving_range, np.full(known.size, np.abs(known).max(initial=0.0)))
    found = [frozenset(rule for rule in RULES if broken[rule][i]) for i in range(known.size)]
    return _spread(y, found, frozenset())


def signal_words(values: ArrayLike) -> list[SignalWord]:
    """Word for each point judged on its own history alone, in one pass; shape (n,).

    The word at i is what a reader was told when point i was the newest: limits come from the values up to and
    including it, so later data never change it. 'none' and, below 13 points, 'trial' mean nothing was found; '' marks
    a NaN point.

    >>> signal_words([1, 2, 1, 2, 1, 2, float("nan"), 2, 1, 2, 1, 2, 1, 2, 9])[-2:]
    ['none', 'outside_limits']
    """
    y, known = _series(values), _known(values)
    mean, moving_range = _growing(known)
    broken = _broken(known, mean, moving_range, np.maximum.accumulate(np.abs(known)))
    words: list[SignalWord] = ["trial" if i + 1 < ENOUGH_POINTS else "none" for i in range(known.size)]
    for rule in reversed(RULES):
        for i in np.flatnonzero(broken[rule]):
            words[i] = rule
    return _spread(y, words, "")


def signal_word(values: ArrayLike) -> SignalWord:
    """Word for the last point given its history: a rule of `RULES`, 'none', or 'trial' (none, below 13 points).

    '' when there is no last point or it is NaN.

    >>> signal_word([9, 1, 9, 1, 9, 2, 3, 4, 5, 6, 7, 8])
    'trend'
    """
    words = signal_words(values)
    return words[-1] if words else ""


def _series(values: ArrayLike) -> Floats:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 1:
        raise ValueError(f"values have shape {y.shape}, expected one series in time order")
    return y


def _known(values: ArrayLike) -> Floats:
    y = _series(values)
    return y[np.isfinite(y)]


def _growing(y: Floats) -> tuple[Floats, Floats]:
    """Mean and mean moving range of the first 1, 2, ... n values; cumsum adds in order, so a prefix agrees exactly."""
    mean = np.cumsum(y) / np.arange(1, y.size + 1)
    ranges = np.cumsum(np.abs(np.diff(y))) / np.arange(1, max(y.size, 1))
    return mean, np.concatenate([np.full(min(y.size, 1), np.nan), ranges])


def _broken(y: Floats, mean: Floats, moving_range: Floats, scale: Floats) -> dict[Rule, NDArray[np.bool_]]:
    """Which rules hold at each point, with the mean and moving range to judge that point by; all shapes (n,)."""
    half_width, noise = SCALING * moving_range, ROUNDING * scale
    run = sliding_window_view(np.concatenate([np.full(RUN - 1, np.nan), y]), RUN) if y.size else np.empty((0, RUN))
    step, off_mean = np.diff(run, axis=1), run - mean[:, None]
    outer = (2 / 3 * half_width + noise)[:, None]
    return {
        "outside_limits": np.abs(y - mean) > half_width + noise,
        "shift": _all_one_way(off_mean, noise),
        "trend": _all_one_way(step, noise),
        "near_limit": _two_of_three(off_mean > outer) | _two_of_three(off_mean < -outer),
    }


def _all_one_way(moves: Floats, noise: Floats) -> NDArray[np.bool_]:
    up, down = moves > noise[:, None], moves < -noise[:, None]
    return np.asarray(up.all(axis=1) | down.all(axis=1), dtype=np.bool_)


def _two_of_three(near: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Two of the last three points, the newest among them: a point back at the mean is not itself a signal."""
    return near[:, -1] & (near[:, -2] | near[:, -3])


def _spread(y: Floats, found: list[T], missing: T) -> list[T]:
    """Put the results of the known points back at their places among the NaN ones."""
    results = iter(found)
    return [next(results) if is_known else missing for is_known in np.isfinite(y)]
