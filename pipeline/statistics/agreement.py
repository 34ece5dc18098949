"""Repeated and doubled judgements, and distributions over time: pass^k, Cohen's kappa, population stability."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Estimate, Floats, floats, normal_bounds

SMOOTHING = 0.5
"""Added to every bin of both counts, so that an empty bin weighs like half an observation and not infinitely."""


def pass_hat_k(successes: ArrayLike, trials: ArrayLike, k: ArrayLike) -> Floats:
    """Chance that a task succeeds in all of k trials, averaged over tasks: mean of C(c, k) / C(n, k); shape of k.

    `successes` c and `trials` n are per task. Tasks with fewer than k trials are left out, so publish how many there
    are; NaN when no task has k. ValueError for k below 1, a count that is not whole, or more successes than trials.
    Source: Yao, Shinn, Razavi & Narasimhan (2024), tau-bench, arXiv:2406.12045, section 3.

    >>> pass_hat_k([4, 2, 0], [4, 4, 4], [1, 2, 4])  # (1 + 2/4 + 0) / 3, (1 + 1/6 + 0) / 3, (1 + 0 + 0) / 3
    array([0.5       , 0.38888889, 0.33333333])
    """
    from scipy.special import comb

    c, n = floats(successes, trials)
    (times,) = floats(k)
    _require_trials(c, n, times)
    each = times[..., None]
    enough = n >= each
    chance = comb(c, each) / np.where(enough, comb(n, each), np.nan)
    tasks = enough.sum(axis=-1)
    return np.where(tasks > 0, np.where(enough, chance, 0.0).sum(axis=-1) / np.maximum(tasks, 1), np.nan)


def _require_trials(c: Floats, n: Floats, k: Floats) -> None:
    if c.ndim != 1:
        raise ValueError(f"successes have shape {c.shape}, expected one list of tasks")
    if not ((c >= 0) & (c <= n) & np.isfinite(n) & (c == np.floor(c)) & (n == np.floor(n))).all():
        raise ValueError("successes and trials must be whole numbers with 0 <= successes <= trials")
    if not ((k >= 1) & (k == np.floor(k))).all():
        raise ValueError(f"k runs from {k.min()} to {k.max()}, expected whole numbers of at least 1")


def cohen_kappa(table: ArrayLike, level: float = 0.95) -> Estimate:
    """Agreement of two raters beyond chance, with its interval: 1 is perfect, 0 is chance.

    `table` holds counts of items, shape (..., k, k): first rater's label by row, second rater's by column. The
    variance is the large-sample one, for kappa not 0. NaN without items and when both raters use one and the same
    label only, where chance alone explains everything; the bounds also when agreement is perfect, which a variance of
    0 does not make certain. ValueError for a table that is not square or has a negative count.
    Sources: Cohen (1960), Educational and Psychological Measurement 20:37-46; Fleiss, Cohen & Everitt (1969),
    Psychological Bulletin 72:323-327 (variance). The formula of statsmodels `cohens_kappa`, for many tables at once.

    >>> [round(float(part), 2) for part in cohen_kappa([[20, 5], [10, 15]])]  # (0.7 - 0.5) / (1 - 0.5)
    [0.4, 0.15, 0.65]
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2] or (counts < 0).any():
        raise ValueError(f"table has shape {counts.shape}, expected square tables of counts of at least 0")
    total = counts.sum(axis=(-2, -1))
    n = np.where(total > 0, total, np.nan)
    share = counts / n[..., None, None]
    rows, columns = share.sum(axis=-1), share.sum(axis=-2)
    agreed, chance = np.trace(share, axis1=-2, axis2=-1), (rows * columns).sum(axis=-1)
    room = np.where(chance < 1, 1 - chance, np.nan)
    kappa = (agreed - chance) / room
    return kappa, *normal_bounds(kappa, _kappa_variance(share, rows, columns, kappa) / (n * room**2), level)


def _kappa_variance(share: Floats, rows: Floats, columns: Floats, kappa: Floats) -> Floats:
    """n (1 - chance)^2 times the variance of kappa: equation 13 of Fleiss, Cohen & Everitt, without weights."""
    chance = (rows * columns).sum(axis=-1)
    same = np.eye(share.shape[-1])
    left = 1 - kappa
    pull = (columns[..., :, None] + rows[..., None, :]) * left[..., None, None]
    spread = (share * (same - pull) ** 2).sum(axis=(-2, -1))
    return np.asarray(spread - (kappa - chance * left) ** 2)


def stability_index(reference_counts: ArrayLike, counts: ArrayLike, *, smoothing: float = SMOOTHING) -> Floats:
    """Population stability index of two distributions over the same bins: sum of (a - e) * ln(a / e).

    Counts have shape (..., bins); e and a are the shares of the reference and of now, after `smoothing` was added to
    every bin of both (0 for none). 0 means alike; 0.1 and 0.25 are the customary marks of a small and a large shift.
    Without any shift it is about (bins - 1) * (1/n + 1/m), so small samples drift by themselves. NaN when either side
    is empty, or a bin is and nothing is added. ValueError for a negative count.
    Sources: Siddiqi (2006), Credit Risk Scorecards, chapter 8 (index and marks); Yurdakul & Naranjo (2020), Journal of
    Risk Model Validation 14(4) (its distribution). Computed as the two Kullback-Leibler divergences of SciPy.

    >>> float(stability_index([50, 50], [60, 40], smoothing=0).round(4))  # 0.1 ln(6/5) - 0.1 ln(4/5)
    0.0405
    """
    from scipy.special import rel_entr

    before, now = floats(reference_counts, counts)
    if (before < 0).any() or (now < 0).any():
        raise ValueError("a count is negative, expected how many observations fell into the bin")
    filled = (before.sum(axis=-1) > 0) & (now.sum(axis=-1) > 0)
    e, a = (_shares(side + smoothing, filled) for side in (before, now))
    index = (rel_entr(a, e) + rel_entr(e, a)).sum(axis=-1)
    return np.where(filled & np.isfinite(index), index, np.nan)


def _shares(weights: Floats, filled: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    total = np.where(filled, weights.sum(axis=-1), 1.0)
    return np.asarray(weights / total[..., None])
