"""Net promoter score: of one group, and of one group against another.

Answers are 0 to 10; promoters answered 9 or 10, detractors 0 to 6. Scores and bounds are in points, -100 to 100.
Sources: Reichheld (2003), Harvard Business Review 81(12):46-54 (the score); Rocks (2016), The American Statistician
70:365-372, section 2 (its multinomial variance, and the intervals compared).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Bounds, Estimate, Floats, floats, normal_bounds

POINTS = 100


def nps(promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike) -> Floats:
    """Share of promoters minus share of detractors among n answers, in points; NaN without answers.

    >>> float(nps(162, 54, 324).round(1))
    33.3
    """
    return _score(promoters, detractors, n)[0]


def nps_interval(promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike, level: float = 0.95) -> Bounds:
    """Interval of the score from its multinomial standard error, in points, cut to -100..100.

    With shares p and d the variance of one answer is p + d - (p - d)^2. NaN without answers and when all answers are
    of one kind: a sample without variation says nothing about how far the score could be off.

    >>> low, high = nps_interval(162, 54, 324)  # 33.3 -+ 1.96 * 4.14
    >>> round(float(low), 1), round(float(high), 1)
    (25.2, 41.4)
    """
    low, high = normal_bounds(*_score(promoters, detractors, n), level)
    return np.maximum(low, -POINTS), np.minimum(high, POINTS)


def nps_difference(  # noqa: PLR0917 - the counts of two groups, one after the other
    promoters_1: ArrayLike,
    detractors_1: ArrayLike,
    n_1: ArrayLike,
    promoters_2: ArrayLike,
    detractors_2: ArrayLike,
    n_2: ArrayLike,
    level: float = 0.95,
) -> Estimate:
    """Score of the first group minus that of the second, with its interval, in points (-200..200).

    The groups are independent, so their variances add. The bounds are NaN when the answers of either group are all of
    one kind, the value only when a group has none.

    >>> [round(float(part), 1) for part in nps_difference(60, 20, 100, 45, 30, 100)]
    [25.0, 2.1, 47.9]
    """
    score_1, variance_1 = _score(promoters_1, detractors_1, n_1)
    score_2, variance_2 = _score(promoters_2, detractors_2, n_2)
    vary = (variance_1 > 0) & (variance_2 > 0)
    value = score_1 - score_2
    low, high = normal_bounds(value, np.where(vary, variance_1 + variance_2, np.nan), level)
    return value, np.maximum(low, -2 * POINTS), np.minimum(high, 2 * POINTS)


def _score(promoters: ArrayLike, detractors: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Score and the variance of its estimate, in points and squared points; NaN for impossible counts."""
    up, down, answers = floats(promoters, detractors, n)
    valid = np.isfinite(answers) & (answers > 0) & (up >= 0) & (down >= 0) & (up + down <= answers)
    total = np.where(valid, answers, np.nan)
    p, d, passive = up / total, down / total, (answers - up - down) / total
    variance = (p + d) * passive + 4 * p * d  # p + d - (p - d)^2, and exactly 0 when all answers are of one kind
    return POINTS * (p - d), POINTS**2 * variance / total
