"""Shares told by judges that are not always right: corrected by what people said of the same items."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import NO_VARIATION, Bounds, Floats, floats, tail, where_valid


def judge_corrected(p: ArrayLike, sensitivity: ArrayLike, specificity: ArrayLike) -> Floats:
    """True share behind the share `p` that an imperfect judge passed: (p + specificity - 1) / (sens + spec - 1).

    All are fractions 0..1; sensitivity is the share of good answers the judge passes, specificity that of bad ones it
    rejects. The result is cut to 0..1, the likeliest admissible value when p is outside what such a judge can give;
    NaN when the judge is no better than chance (sensitivity + specificity <= 1). Apply it to interval bounds alike,
    which leaves out the uncertainty of the two rates themselves.
    Source: Rogan & Gladen (1978), American Journal of Epidemiology 107:71-76.

    >>> round(float(judge_corrected(0.92, 0.95, 0.70)), 3)  # (0.92 + 0.70 - 1) / (0.95 + 0.70 - 1)
    0.954
    """
    seen, passes, rejects = floats(p, sensitivity, specificity)
    valid = np.ones(seen.shape, dtype=bool)
    for share in (seen, passes, rejects):
        valid &= (share >= 0) & (share <= 1)
    gain = passes + rejects - 1
    valid &= gain > NO_VARIATION
    return np.where(valid, np.clip((seen + rejects - 1) / np.where(valid, gain, 1.0), 0, 1), np.nan)


Labels = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]
"""Counts of labelled items: good ones the judge passed, good ones, bad ones the judge rejected, bad ones."""


def judge_corrected_interval(passed: ArrayLike, judged: ArrayLike, labels: Labels, *, level: float = 0.95) -> Bounds:
    """Interval of the true share: the judge passed so many of the judged items, and those labels tell how right it is.

    It takes in that sensitivity and specificity are estimates, is cut to 0..1, and is NaN without judged or labelled
    items or when the judge, after two labels are added to each side, is no better than chance.
    Source: Lang & Reiczigel (2014), Preventive Veterinary Medicine 113:13-22, equations 4, 6, 7, 16 and 17.

    >>> [round(float(end), 3) for end in judge_corrected_interval(920, 1000, (190, 200, 70, 100))]
    [0.905, 1.0]
    """
    from scipy.special import ndtri

    k, n, k1, m1, k0, m0 = floats(passed, judged, *labels)
    valid = (n > 0) & (m1 > 0) & (m0 > 0) & (k >= 0) & (k <= n) & (k1 >= 0) & (k1 <= m1) & (k0 >= 0) & (k0 <= m0)
    k, n, k1, m1, k0, m0 = (np.where(valid, count, 1.0) for count in (k, n, k1, m1, k0, m0))
    z = float(ndtri(1 - tail(level)))
    trials = n + z**2
    p = (k + z**2 / 2) / trials
    positives, negatives = m1 + 2, m0 + 2
    passes, rejects = (k1 + 1) / positives, (k0 + 1) / negatives
    gain = passes + rejects - 1
    valid &= gain > NO_VARIATION
    gain = np.where(valid, gain, 1.0)
    share = (p + rejects - 1) / gain
    of_good, of_bad = passes * (1 - passes) / positives, rejects * (1 - rejects) / negatives
    middle = share + 2 * z**2 * (share * of_good - (1 - share) * of_bad)
    half = z * np.sqrt(p * (1 - p) / trials + share**2 * of_good + (1 - share) ** 2 * of_bad) / gain
    return where_valid(valid, np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1))


def pooled(weights: ArrayLike, values: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[float, float, float]:
    """Weighted mean of independent estimates, and its interval put together from theirs; 1-d arrays of one length.

    The distances to the ends add up like standard errors, so that ends keep their own shape. NaN without weight.
    Source: Zou & Donner (2008), Statistics in Medicine 27:1693-1702 (method of variance estimates recovery).

    >>> [round(end, 3) for end in pooled([300, 100], [0.9, 0.7], [0.85, 0.6], [0.94, 0.79])]
    [0.85, 0.805, 0.888]
    """
    value, below, above = (
        float(one[0]) for one in pooled_by(np.zeros(np.size(weights), dtype=np.int64), weights, values, low, high)
    )
    return value, below, above


def pooled_by(
    group: NDArray[np.int64], weights: ArrayLike, values: ArrayLike, low: ArrayLike, high: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """`pooled` of each group of estimates; `group` has the number of each one's group, from 0 on, none left out.

    A mean lies among its values and its ends among theirs, so that a share of 1 is not a little more or less.

    >>> ends = [0.85, 0.6, 0.2], [0.94, 0.79, 0.8]
    >>> [one.round(3).tolist() for one in pooled_by(np.array([0, 0, 1]), [300, 100, 8], [0.9, 0.7, 0.5], *ends)]
    [[0.85, 0.5], [0.805, 0.2], [0.888, 0.8]]
    """
    weight, value, below, above = floats(weights, values, low, high)

    def total(amounts: Floats) -> Floats:
        return np.asarray(np.bincount(group, weights=amounts), dtype=float)

    whole = total(weight)
    whole = np.where(whole > 0, whole, np.nan)
    share = weight / whole[group]
    middle = total(share * value)
    down, up = (np.sqrt(total((share * (value - end)) ** 2)) for end in (below, above))
    middle = np.where(np.isnan(whole), np.nan, middle)
    least, lowest = (np.full(len(whole), np.inf) for _ in range(2))
    most, highest = (np.full(len(whole), -np.inf) for _ in range(2))
    np.minimum.at(least, group, value)
    np.maximum.at(most, group, value)
    np.minimum.at(lowest, group, below)
    np.maximum.at(highest, group, above)
    middle = np.clip(middle, least, most)
    return middle, np.maximum(middle - down, lowest), np.minimum(middle + up, highest)
