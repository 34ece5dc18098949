"""Kaplan-Meier medians of many groups at once; `survival.kaplan_meier_median` is the same for one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import Floats, tail
from pipeline.statistics.survival import ROUNDING


def kaplan_meier_medians(  # noqa: PLR0917 - four columns of rows, and how many groups they make
    group: ArrayLike, durations: ArrayLike, observed: ArrayLike, counts: ArrayLike, groups: int, level: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """Median time to the event and its interval per group, each of shape (groups,); NaN where not reached.

    Rows are (group 0..groups-1, duration, whether the event came, how often); see `kaplan_meier_median` for what is
    computed and its sources. scipy works out one curve at a time, which takes minutes for the thousands of periods
    and slices of a year; a test holds both to the same answers.

    >>> median, low, high = kaplan_meier_medians([0] * 8, [0.5, 1, 1.5, 2, 3, 30, 48, 72], [1] * 5 + [0] * 3, 1, 1)
    >>> float(median[0]), float(low[0]), float(high[0])
    (2.0, 0.5, nan)
    """
    from scipy.special import ndtri

    which, times = np.asarray(group, dtype=np.int64), np.asarray(durations, dtype=np.float64)
    seen = np.asarray(observed, dtype=bool)
    many = np.broadcast_to(np.asarray(counts, dtype=np.float64), times.shape)
    order = np.lexsort((times, which))
    which, times, seen, many = which[order], times[order], seen[order], many[order]
    first = np.r_[True, (which[1:] != which[:-1]) | (times[1:] != times[:-1])] if which.size else np.zeros(0, bool)
    step = np.cumsum(first) - 1  # rows of one time and group are one step of the curve
    steps = int(step[-1]) + 1 if step.size else 0
    ended, leaving = (
        np.bincount(step, weights=weights, minlength=steps).astype(np.float64) for weights in (many * seen, many)
    )
    of, at = which[first], times[first]
    survival, spread = _curve(of, ended, leaving)
    z = float(ndtri(1 - tail(level)))
    with np.errstate(divide="ignore", invalid="ignore"):
        bend = z * np.sqrt(spread) / np.abs(np.log(survival))
        inner = (survival > 0) & (survival < 1)
        low, high = (np.where(inner, survival ** np.exp(sign * bend), np.nan) for sign in (1, -1))
    return (
        _first_at_half(of, at, survival, groups),
        _first_at_half(of, at, low, groups),
        _first_at_half(of, at, high, groups),
    )


def _curve(of: NDArray[np.int64], ended: Floats, leaving: Floats) -> tuple[Floats, Floats]:
    """Surviving share after each step, and Greenwood's sum up to it."""
    at_risk = _running(of[::-1], leaving[::-1])[::-1]
    staying = at_risk - ended
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(staying > 0, np.log(staying / at_risk), 0.0)
        terms = np.where(staying > 0, ended / (at_risk * staying), 0.0)
    survival = np.where(staying > 0, np.exp(_running(of, logs)), 0.0)
    return survival, _running(of, terms)


def _running(of: NDArray[np.int64], amounts: Floats) -> Floats:
    """Running total within each group; rows of a group stand together."""
    total = np.cumsum(amounts)
    begins = np.flatnonzero(np.r_[True, of[1:] != of[:-1]]) if of.size else np.zeros(0, dtype=np.int64)
    before = np.r_[0.0, total[begins[1:] - 1]] if begins.size else np.zeros(0)
    lengths = np.diff(np.r_[begins, of.size])
    return np.asarray(total - np.repeat(before, lengths))


def _first_at_half(of: NDArray[np.int64], at: Floats, curve: Floats, groups: int) -> Floats:
    reached = np.flatnonzero(curve <= 0.5 + ROUNDING)
    found = np.full(groups, np.nan)
    found[of[reached][::-1]] = at[reached][::-1]  # the earliest of a group is written last, and stays
    return found
