"""Effects from groups followed over time that were not drawn by lot: difference in differences (grade B).

What identifies them is that the groups would have moved in parallel. That cannot be shown, only refuted: each function
tests whether they did before the start and gives no grade when they did not. Passing is weak evidence with few units
(Roth 2022, American Economic Review: Insights 4:305-322), which is why the grade is B and never A.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Floats
from pipeline.statistics.effects import (
    LEAST_CLUSTERS,
    Codes,
    Effect,
    Grade,
    clustered,
    codes,
    nothing,
    of_each,
    outcomes,
    t_bounds,
)
from pipeline.statistics.parallel import parallel_p, without_rounding
from pipeline.statistics.rollout import Rollout, contrast, drift_contrast, lead_contrasts, parts

TREND_STOP = 0.05
"""Below this p-value of parallel movement before the start the design is refused."""


def difference_in_differences(
    outcome: ArrayLike,
    unit: ArrayLike,
    period: ArrayLike,
    treated: ArrayLike,
    *,
    start: float,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Change of the treated units at `start` less the change of the others over the same periods; grade B.

    One row per unit and period (periods as rising numbers); `treated` is 1 in all rows of a unit that is treated from
    `start` on, else 0. Least squares with a level per group and per period; errors by `cluster`, the unit itself when
    not given, which must be what the treatment was decided for. The check is that the difference of the groups was
    in each earlier period what it was in the last one before the start, and had no slope (`parallel.parallel_p`):
    refuted, there is no grade; with only one period before, it cannot be made, and the grade is C.
    Sources: Card & Krueger (1994), American Economic Review 84:772-793, table 3; Angrist & Pischke (2009), Mostly
    Harmless Econometrics, sections 5.2.1 (regression, leads) and 8.2 (clusters). See `effects.clustered`.

    >>> y = [1, 2, 3, 7, 2, 3, 4, 8, 1, 2, 3, 8, 3, 4, 5, 9, 2, 3, 4, 9] + [1, 2, 3, 4, 4, 5, 6, 7] * 3
    >>> units, months = np.repeat(np.arange(11), 4), np.tile(np.arange(4), 11)
    >>> effect = difference_in_differences(y, units, months, units < 5, start=3)
    >>> round(effect.estimate, 1), effect.n_treated, effect.n_control  # 4, 4, 5, 4, 5 up, against 2 + 1 a month
    (3.4, 5, 6)
    """
    y, at, t = outcomes(outcome, period, treated)
    who = codes(unit, y.size, "unit")
    arm = of_each(who, t, "unit")
    block = who if cluster is None else codes(cluster, y.size, "cluster")
    n_t, n_c = int(arm.sum()), int(arm.size - arm.sum())
    method = "difference in differences, clustered"
    problem = _unusable(at, start, of_each(block, t, "cluster"))
    if problem:
        return nothing(n_t, n_c, method, problem)
    after = (at >= start).astype(np.float64)
    base = np.column_stack([np.ones(y.size), t, *((at == p).astype(np.float64) for p in np.unique(at)[1:]), t * after])
    change = clustered(y, base, block).term(-1)
    p = _leads_p(y, base, at, t, block, start)
    grade, problem = _verdict(p)
    return Effect(change[0], *t_bounds(*change, level), n_t, n_c, method, grade, problem, p)


def _leads_p(  # noqa: PLR0917 - the columns of one panel
    y: Floats, base: Floats, at: Floats, treated: Floats, block: Codes, start: float
) -> float:
    """p-value of the groups' difference having been the same in every period before the start; NaN with one period."""
    *earlier, _ = np.unique(at[at < start])
    if not earlier:
        return float("nan")
    left = without_rounding(y - base @ np.linalg.lstsq(base, y, rcond=None)[0], y)
    leads = np.column_stack([treated * (at == p) for p in earlier])
    line = (treated * at * (at < start))[:, None]
    return parallel_p(_parts(left, leads, base, block), _parts(left, line, base, block))


def _parts(left: Floats, terms: Floats, base: Floats, block: Codes) -> Floats:
    """What each cluster adds to the coefficients of further terms of a regression, from the residuals without them."""
    rest = terms - base @ np.linalg.lstsq(base, terms, rcond=None)[0]
    found = np.zeros((block.max() + 1, terms.shape[1]))
    np.add.at(found, block, left[:, None] * rest @ np.linalg.pinv(rest.T @ rest, hermitian=True))
    return found


def _unusable(at: Floats, start: float, arms: Floats) -> str:
    """Why two groups and a start cannot be compared, or nothing."""
    if not (at < start).any() or not (at >= start).any():
        return f"no rows {'from' if (at < start).any() else 'before'} the start at {start:g}"
    n_t, n_c = int(arms.sum()), int(arms.size - arms.sum())
    if min(n_t, n_c) < LEAST_CLUSTERS:
        return f"{n_t} treated and {n_c} control clusters, expected at least {LEAST_CLUSTERS} of each"
    return ""


def _verdict(p: float) -> tuple[Grade | None, str]:
    """Grade that the check of parallel movement leaves, and why it is not B."""
    if np.isnan(p):
        return "C", "there is too little before the start to check that the groups moved in parallel"
    if p < TREND_STOP:
        return None, f"the groups did not move in parallel before the start (p = {p:.2g})"
    return "B", ""


def staggered_rollout(
    outcome: ArrayLike,
    unit: ArrayLike,
    period: ArrayLike,
    first_treated: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Average effect on units treated from different times on, against those not treated yet; grade B.

    One row per unit and period, every unit in every period (else ValueError); `first_treated` is the period of a unit's
    first treatment, NaN for never. ATT(g, t) = mean change of cohort g from its last period before g to t, less that of
    all units not treated by t; the estimate is their mean over all t >= g, weighted by the size of g. Units treated
    from the first period on have no before and are left out; `n_control` counts those that were ever a comparison. A
    regression with one treatment dummy would use treated units as controls and can even get the sign wrong.
    The estimate is a sum of means of independent cohorts, so its variance is the sum of theirs with shares of cohorts
    taken as given: what resampling whole clusters within cohorts converges to; degrees of freedom after Satterthwaite
    (1946). The check is that every ATT(g, t) of t before g, from one period to the next and averaged over cohorts by
    the periods left to the start, is 0, and so is a steady drift (`parallel.parallel_p`, `rollout`).
    Sources: Callaway & Sant'Anna (2021), Journal of Econometrics 225:200-230, theorem 1 (units not yet treated, no
    covariates) and section 3 (aggregation); Goodman-Bacon (2021), same volume, 254-277, for the regression's fault.

    >>> y = [1, 2, 6, 7, 2, 3, 8, 8] * 3 + [1, 2, 3, 9, 4, 5, 6, 11] * 3 + [1, 2, 3, 4, 5, 6, 7, 8.5] * 3
    >>> units, months = np.repeat(np.arange(18), 4), np.tile(np.arange(4), 18)
    >>> first = np.repeat([2, 3, np.nan], 24)
    >>> round(staggered_rollout(y, units, months, first).estimate, 2)  # cohort 2: 3.5, then 2.75; cohort 3: 4.25
    3.5
    """
    y, at = outcomes(outcome, period)
    method = "staggered roll-out against units not yet treated, clustered"
    if not y.size:
        return nothing(0, 0, method, "no rows")
    data = _rollout(y, at, codes(unit, y.size, "unit"), first_treated, cluster)
    finite = data.cohorts[np.isfinite(data.cohorts)]
    effects = [(g, k) for g in finite for k, t in enumerate(data.periods) if t >= g and (data.first > t).any()]
    n_t = int(np.isin(data.first, [g for g, _ in effects]).sum())
    n_c = int((data.first > (finite[0] if finite.size else 0)).sum())
    problem = _no_comparison(data, effects)
    if problem:
        return nothing(n_t, n_c, method, problem)
    average = _average(data, effects)
    p = _before_p(data)
    grade, problem = _verdict(p)
    return Effect(average[0], *t_bounds(*average, level), n_t, n_c, method, grade, problem, p)


def _rollout(y: Floats, at: Floats, who: Codes, first_treated: ArrayLike, cluster: ArrayLike | None) -> Rollout:
    """The rows as a panel, without the units that were treated from the first period on."""
    periods, column = np.unique(at, return_inverse=True)
    values = np.full((who.max() + 1, periods.size), np.nan)
    values[who, column] = y
    if values.size != y.size or np.isnan(values).any():
        raise ValueError(f"{y.size} rows for {len(values)} units and {periods.size} periods, expected one row for each")
    given = np.asarray(first_treated, dtype=np.float64)
    first = of_each(who, np.where(np.isnan(given), np.inf, given), "unit")
    first[first > periods[-1]] = np.inf
    block = (
        np.arange(len(values))
        if cluster is None
        else of_each(who, codes(cluster, y.size, "cluster").astype(np.float64), "unit")
    )
    keep = first > periods[0]
    left = np.unique(block[keep], return_inverse=True)[1]
    of_each(left, first[keep], "cluster")
    return Rollout(values[keep], periods, first[keep], left)


def _no_comparison(data: Rollout, effects: list[tuple[float, int]]) -> str:
    """Why nothing can be estimated, or nothing."""
    if not effects:
        return "no cohort was treated after the first period while others were not treated yet"
    small = data.cohorts[data.clusters() < 2]
    if small.size:
        names = ", ".join("never" if np.isinf(cohort) else f"{cohort:g}" for cohort in small)
        return f"cohort {names} has one cluster, whose spread is unknown; leave it out or join it with another"
    count = int(data.clusters().sum())
    return f"{count} clusters, expected at least {2 * LEAST_CLUSTERS}" if count < 2 * LEAST_CLUSTERS else ""


def _of_contrasts(data: Rollout, contrasts: Floats) -> tuple[Floats, Floats]:
    """Values of contrasts of cohort means, and their covariance, one matrix per cohort, which add up."""
    values, covariances = np.zeros(len(contrasts)), []
    for row, (cohort, clusters) in enumerate(zip(data.cohorts, data.clusters(), strict=True)):
        mine = data.first == cohort
        scores = data.values[mine] @ contrasts[:, row].T / mine.sum()
        values += scores.sum(axis=0)
        sums = np.zeros((data.block.max() + 1, len(contrasts)))
        np.add.at(sums, data.block[mine], scores - scores.mean(axis=0))
        covariances.append(clusters / (clusters - 1) * sums.T @ sums)
    return values, np.array(covariances)


def _average(data: Rollout, effects: list[tuple[float, int]]) -> tuple[float, float, float]:
    """Mean of the ATT(g, t) weighted by cohort size, its standard error, and Satterthwaite's degrees of freedom."""
    sizes = np.array([data.size(g) for g, _ in effects])
    contrasts = np.array([contrast(data, g, k, before_start=False) for g, k in effects])
    estimate, variances = _of_contrasts(data, np.tensordot(sizes / sizes.sum(), contrasts, axes=1)[None])
    spread = variances[:, 0, 0]
    df = spread.sum() ** 2 / np.sum(spread**2 / (data.clusters() - 1)) if spread.sum() > 0 else np.nan
    return float(estimate[0]), float(np.sqrt(spread.sum())), float(df)


def _before_p(data: Rollout) -> float:
    """p-value of all changes before the start having been parallel; NaN without any."""
    leads, drift = lead_contrasts(data), drift_contrast(data)
    return parallel_p(parts(data, leads), parts(data, drift[None])) if len(leads) else float("nan")
