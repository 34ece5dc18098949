"""Effects of randomised experiments (grade A) and of plain comparisons before and after (grade C).

Grade B, with a comparison group that was not drawn by lot, is in `panels`. An experiment whose split is off is stopped:
`experiments.sample_ratio_p` below `experiments.SRM_STOP` leaves it without a grade.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Floats, tail
from pipeline.statistics.effects import (
    LEAST_CLUSTERS,
    Codes,
    Effect,
    clustered,
    codes,
    nothing,
    of_each,
    outcomes,
    t_bounds,
)
from pipeline.statistics.experiments import SRM_STOP, sample_ratio_p

LEAST_SEQUENTIAL = 100
"""Units per arm before the first look at a running experiment; its guarantee is a limit for many units."""


class _Difference(NamedTuple):
    """Difference of two means, its standard error, and the degrees of freedom of that."""

    estimate: float
    error: float
    df: float


def randomised_difference(
    outcome: ArrayLike,
    treated: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    share_treated: float = 0.5,
    level: float = 0.95,
) -> Effect:
    """Mean outcome of the treated less that of the controls, drawn by lot; grade A while the split is as planned.

    One row per randomised unit, `treated` 1 or 0. When a unit has several rows, or teams were drawn, `cluster` names
    what was drawn, and errors and counts are by it. ValueError for missing outcomes and for a cluster in both arms.
    Sources: Welch (1947), Biometrika 34:28-35, by statsmodels `CompareMeans`; with clusters see `effects.clustered`;
    for the check of the split see `experiments.sample_ratio_p`.

    >>> effect = randomised_difference([5, 6, 7, 8, 3, 4, 5, 4], [1, 1, 1, 1, 0, 0, 0, 0])
    >>> effect.estimate, effect.grade, round(effect.low, 2)  # 6.5 - 4
    (2.5, 'A', 0.54)
    """
    y, t = outcomes(outcome, treated)
    _require_arms(t)
    drawn = None if cluster is None else codes(cluster, y.size, "cluster")
    n_t, n_c = _counts(t, drawn)
    method = "randomised: difference of means" + ("" if drawn is None else ", clustered")
    if min(n_t, n_c) < (2 if drawn is None else LEAST_CLUSTERS):
        return nothing(n_t, n_c, method, _too_few(n_t, n_c, 2 if drawn is None else LEAST_CLUSTERS))
    found = _difference(y, t, drawn)
    p, problem = _split_problem(n_t, n_c, share_treated)
    problem = problem or ("" if found.error > 0 else "the outcome does not vary, so its error is unknown")
    low, high = t_bounds(*found, level)
    return Effect(found.estimate, low, high, n_t, n_c, method, None if problem else "A", problem, p)


def cuped(
    outcome: ArrayLike,
    before: ArrayLike,
    treated: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    share_treated: float = 0.5,
    level: float = 0.95,
) -> Effect:
    """The randomised difference with the part of the outcome taken out that each unit's own past explains.

    `before` is the same measure (or any other) from before the start. Outcome - theta * (before - its mean), theta =
    cov(outcome, before) / var(before) over both arms; `variance_removed` is the share of the variance of the plain
    difference that this takes away. Arms that differed before the start (p below `SRM_STOP`) leave no grade.
    Source: Deng, Xu, Kohavi & Walker (2013), Improving the Sensitivity of Online Controlled Experiments by Utilizing
    Pre-Experiment Data, WSDM, section 3.2.

    >>> effect = cuped([5, 6, 7, 8, 3, 4, 5, 6], [1, 2, 3, 4, 1, 2, 3, 4.5], [1, 1, 1, 1, 0, 0, 0, 0])
    >>> round(effect.estimate, 2), round(effect.variance_removed, 2)  # all but noise is known from before
    (2.11, 0.99)
    """
    y, x, t = outcomes(outcome, before, treated)
    _require_arms(t)
    spread = float(np.var(x))
    theta = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread if spread > 0 else 0.0
    rest = y - theta * (x - x.mean())
    found = randomised_difference(rest, t, cluster=cluster, share_treated=share_treated, level=level)
    if np.isnan(found.low):
        return found
    drawn = None if cluster is None else codes(cluster, y.size, "cluster")
    plain, adjusted = _difference(y, t, drawn), _difference(rest, t, drawn)
    removed = 1 - (adjusted.error / plain.error) ** 2
    problem = found.problem or _past_problem(_difference(x, t, drawn))
    method = found.method.replace("difference of means", "difference of means, adjusted for the past (CUPED)")
    bounds = (found.estimate, found.low, found.high, found.n_treated, found.n_control)
    return Effect(*bounds, method, None if problem else "A", problem, found.check_p, removed)


def sequential_difference(
    outcome: ArrayLike,
    treated: ArrayLike,
    *,
    planned_units: int,
    share_treated: float = 0.5,
    level: float = 0.95,
) -> Effect:
    """The randomised difference with an interval that stays valid however often one looks and whenever one stops.

    One row per randomised unit so far. All intervals of a running experiment together cover the effect with
    confidence `level`; the price is width, least near `planned_units`. Half width: sigma * sqrt(2 (n r + 1) / (n^2 r)
    * log(sqrt(n r + 1) / alpha)), n units so far, sigma^2 / n the variance of the difference, r = (-W_-1(-alpha^2 / e)
    - 1) / planned_units. An asymptotic guarantee: no look before `LEAST_SEQUENTIAL` units per arm.
    Sources: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Annals of Statistics 52:2613-2640, theorem 2.2; r by
    Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49:1055-1080, proposition 3.

    >>> y, t = np.tile([0.0, 1.0, 2.0, 1.0, 2.0, 3.0], 100), np.tile([0, 0, 0, 1, 1, 1], 100)
    >>> effect = sequential_difference(y, t, planned_units=600)
    >>> effect.estimate, round(effect.low, 2), round(randomised_difference(y, t).low, 2)
    (1.0, 0.8, 0.87)
    """
    y, t = outcomes(outcome, treated)
    _require_arms(t)
    n_t, n_c = _counts(t, None)
    method = "randomised: difference of means, valid at every look"
    if min(n_t, n_c) < LEAST_SEQUENTIAL:
        return nothing(n_t, n_c, method, _too_few(n_t, n_c, LEAST_SEQUENTIAL))
    found = _difference(y, t, None)
    p, problem = _split_problem(n_t, n_c, share_treated)
    half_width = found.error * np.sqrt(y.size) * _mixture_margin(y.size, planned_units, level)
    low, high = float(found.estimate - half_width), float(found.estimate + half_width)
    return Effect(found.estimate, low, high, n_t, n_c, method, None if problem else "A", problem, p)


def _mixture_margin(n: int, planned: int, level: float) -> float:
    """Half width for a standard deviation of 1 after n values, narrowest near `planned`."""
    from scipy.special import lambertw

    if planned < 1:
        raise ValueError(f"planned_units is {planned}, expected at least 1")
    alpha = 2 * tail(level)
    nr = n * (-lambertw(-(alpha**2) / np.e, -1).real - 1) / planned
    return float(np.sqrt(2 * (nr + 1) / (n * nr) * np.log(np.sqrt(nr + 1) / alpha)))


def before_after(
    outcome: ArrayLike, unit: ArrayLike, period: ArrayLike, *, start: float, level: float = 0.95
) -> Effect:
    """Mean outcome from `start` on less that before, rows of one unit counting as alike; grade C at best.

    Whatever else changed in the meantime is in it. `n_treated` and `n_control` count units after and before.
    See `effects.clustered` for the errors.

    >>> people = np.repeat(np.arange(6), 2)
    >>> effect = before_after([1, 3, 2, 4, 3, 6, 1, 2, 2, 5, 3, 4], people, [1, 2] * 6, start=2)
    >>> round(effect.estimate, 2), effect.grade
    (2.0, 'C')
    """
    y, at = outcomes(outcome, period)
    who, after = codes(unit, y.size, "unit"), (at >= start).astype(np.float64)
    n_after, n_before = np.unique(who[after == 1]).size, np.unique(who[after == 0]).size
    method = "before and after, clustered by unit"
    if min(n_after, n_before) < LEAST_CLUSTERS:
        return nothing(n_after, n_before, method, _too_few(n_after, n_before, LEAST_CLUSTERS, "after", "before"))
    change = clustered(y, np.column_stack([np.ones(y.size), after]), who).term(1)
    return Effect(change[0], *t_bounds(*change, level), n_after, n_before, method, "C")


def _require_arms(treated: Floats) -> None:
    if not np.isin(treated, (0, 1)).all():
        raise ValueError(f"treated holds {np.setdiff1d(treated, (0, 1))[:3].tolist()}, expected 1 or 0")


def _counts(treated: Floats, drawn: Codes | None) -> tuple[int, int]:
    """Randomised units in treatment and control."""
    arm = treated if drawn is None else of_each(drawn, treated, "cluster")
    return int(arm.sum()), int(arm.size - arm.sum())


def _difference(y: Floats, treated: Floats, drawn: Codes | None) -> _Difference:
    if drawn is not None:
        return _Difference(*clustered(y, np.column_stack([np.ones(y.size), treated]), drawn).term(1))
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    arms = CompareMeans(DescrStatsW(y[treated == 1]), DescrStatsW(y[treated == 0]))
    error = float(arms.std_meandiff_separatevar)
    return _Difference(float(arms.d1.mean - arms.d2.mean), error, float(arms.dof_satt()) if error > 0 else np.nan)


def _too_few(n_t: int, n_c: int, least: int, first: str = "treated", second: str = "control") -> str:
    return f"{n_t} {first} and {n_c} {second} units, expected at least {least} of each"


def _split_problem(n_t: int, n_c: int, share_treated: float) -> tuple[float, str]:
    """p-value of the split, and what is wrong with it."""
    p = float(sample_ratio_p(n_t, n_c, share_treated))
    if np.isnan(p):
        raise ValueError(f"share_treated is {share_treated}, expected the planned share, between 0 and 1")
    planned = f"{n_t} treated and {n_c} control units are not the planned {share_treated:.0%} treated (p = {p:.2g})"
    return p, f"{planned}: units were lost or doubled, so the arms do not compare" if p < SRM_STOP else ""


def _past_problem(past: _Difference) -> str:
    """What is wrong when the arms differed before anything was done to them."""
    low, high = t_bounds(*past, 1 - SRM_STOP)
    return "the arms differed before the start, so they do not compare" if low > 0 or high < 0 else ""
