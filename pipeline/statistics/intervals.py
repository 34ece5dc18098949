"""Confidence intervals for shares, rates, differences, clustered ratios and totals, and ranks of quantiles.

All functions take scalars or arrays that broadcast to one shape and return arrays of that shape. `level` is the
two-sided confidence level in (0, 1). An impossible input (n of 0, more successes than trials, NaN) gives NaN bounds.
SciPy and statsmodels are imported on first use: they take about a second.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Bounds, Floats, floats, normal_bounds, squares, tail, where_valid

LEAST_CLUSTERS = 3
"""Fewer clusters than this leave a Fieller interval to a t distribution with one degree of freedom."""


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> Bounds:
    """Wilson score interval of a share, `successes` of `n` independent trials, as fractions 0..1.

    Source: Wilson (1927), JASA 22:209-212; recommended by Brown, Cai & DasGupta (2001), Statistical Science
    16:101-133, section 3.1.1. Computed by statsmodels `proportion_confint`.

    >>> low, high = wilson(1, 12)
    >>> round(float(low), 3), round(float(high), 3)
    (0.015, 0.354)
    """
    return _share_interval(successes, n, level, method="wilson")


def clopper_pearson(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> Bounds:
    """Exact binomial interval of a share, as fractions 0..1; never covers less than `level`, so it is wide.

    For the one-sided upper bound see `clopper_pearson_upper`.
    Source: Clopper & Pearson (1934), Biometrika 26:404-413. Computed by statsmodels `proportion_confint`.

    >>> low, high = clopper_pearson(3, 12_000)
    >>> round(1000 * float(low), 3), round(1000 * float(high), 3)
    (0.052, 0.73)
    """
    return _share_interval(successes, n, level, method="beta")


def clopper_pearson_upper(successes: ArrayLike, n: ArrayLike, level: float = 0.95) -> Floats:
    """Exact one-sided upper bound of a share, as a fraction 0..1: the headline of a rate that is hoped to be 0.

    It is the upper bound of the two-sided interval at 2 * level - 1, so `level` lies above 0.5. Source: Clopper &
    Pearson (1934), Biometrika 26:404-413.

    >>> round(1000 * float(clopper_pearson_upper(0, 1000)), 2)  # 1 - 0.05 ** (1 / 1000)
    2.99
    """
    return clopper_pearson(successes, n, _two_sided(level))[1]


def _share_interval(successes: ArrayLike, n: ArrayLike, level: float, *, method: str) -> Bounds:
    from statsmodels.stats.proportion import proportion_confint

    k, trials = floats(successes, n)
    valid = _is_share(k, trials)
    safe_k, safe_n = np.where(valid, k, 0.0).ravel(), np.where(valid, trials, 1.0).ravel()
    low, high = proportion_confint(safe_k, safe_n, alpha=2 * tail(level), method=method)
    share = safe_k / safe_n
    # Rounding leaves bounds of 1e-18 at no success; the score equation gives exactly 0 and 1 at the ends.
    low = np.where(safe_k == 0, 0.0, np.minimum(low, share))
    high = np.where(safe_k == safe_n, 1.0, np.maximum(high, share))
    return where_valid(valid, low, high)


def _two_sided(level: float) -> float:
    """Confidence of the two-sided interval one of whose bounds has one-sided confidence `level`."""
    if not 0.5 < level < 1:
        raise ValueError(f"level is {level}, expected a one-sided confidence level between 0.5 and 1, such as 0.95")
    return 2 * level - 1


def _is_share(k: Floats, n: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.isfinite(n) & (n > 0) & (k >= 0) & (k <= n)


def poisson_exact(count: ArrayLike, exposure: ArrayLike, level: float = 0.95) -> Bounds:
    """Exact interval of a rate: `count` events in `exposure` units (sessions, hours), in events per unit.

    Source: Garwood (1936), Biometrika 28:437-442. Computed by statsmodels `confint_poisson`, method `exact-c`.

    >>> low, high = poisson_exact(3, 12)  # per thousand sessions, of which there were 12 000
    >>> round(float(low), 3), round(float(high), 3)
    (0.052, 0.731)
    """
    from statsmodels.stats.rates import confint_poisson

    events, units = floats(count, exposure)
    valid = np.isfinite(events) & (events >= 0) & np.isfinite(units) & (units > 0)
    safe_events, safe_units = np.where(valid, events, 0.0).ravel(), np.where(valid, units, 1.0).ravel()
    low, high = confint_poisson(safe_events, safe_units, method="exact-c", alpha=2 * tail(level))
    return where_valid(valid, np.where(safe_events == 0, 0.0, low), high)


def poisson_upper(count: ArrayLike, exposure: ArrayLike, level: float = 0.95) -> Floats:
    """Exact one-sided upper bound of a rate, in events per unit of exposure; `level` lies above 0.5.

    With no event it is -ln(1 - level) / exposure, the rule of three. Source: Garwood (1936), Biometrika 28:437-442.

    >>> round(float(poisson_upper(0, 12)), 4)  # per thousand sessions, of which there were 12 000: 2.9957 / 12
    0.2496
    """
    return poisson_exact(count, exposure, _two_sided(level))[1]


def newcombe_difference(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, level: float = 0.95) -> Bounds:
    """Interval of the difference k1/n1 - k2/n2 of two independent shares, as a fraction -1..1.

    Multiply by 100 for percentage points. Source: Newcombe (1998), Statistics in Medicine 17:873-890, method 10
    (hybrid score, no continuity correction). Computed by statsmodels `confint_proportions_2indep`.

    >>> low, high = newcombe_difference(56, 70, 48, 80)  # table II, contrast (a)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    first, n_first, second, n_second = floats(k1, n1, k2, n2)
    valid = _is_share(first, n_first) & _is_share(second, n_second)
    pairs = ((first, 0.0), (n_first, 1.0), (second, 0.0), (n_second, 1.0))
    counts = [np.where(valid, given, safe).ravel() for given, safe in pairs]
    low, high = confint_proportions_2indep(*counts, compare="diff", method="newcomb", alpha=2 * tail(level))
    return where_valid(valid, np.clip(low, -1, 1), np.clip(high, -1, 1))


def newcombe_paired(
    both: ArrayLike, first_only: ArrayLike, second_only: ArrayLike, neither: ArrayLike, level: float = 0.95
) -> Bounds:
    """Interval of the difference of two paired shares, (first_only - second_only) / n, as a fraction -1..1.

    The four counts are pairs (the same cases run under two versions) by which of the two succeeded; n is their sum.
    The Wilson intervals of the two shares are combined with their correlation, whose numerator is brought n/2 nearer
    to 0 when positive. NaN without pairs. Multiply by 100 for percentage points.
    Source: Newcombe (1998), Statistics in Medicine 17:2635-2650, method 10.

    >>> low, high = newcombe_paired(36, 12, 2, 0)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0569, 0.3404)
    """
    e, f, g, h = floats(both, first_only, second_only, neither)
    n = e + f + g + h
    possible = np.isfinite(n) & (n > 0) & (np.minimum(np.minimum(e, f), np.minimum(g, h)) >= 0)
    n = np.where(possible, n, np.nan)
    (low_1, high_1), (low_2, high_2) = wilson(e + f, n, level), wilson(e + g, n, level)
    first, second, phi = (e + f) / n, (e + g) / n, _correlation(e, f, g, h)
    down = _combined(first - low_1, high_2 - second, phi)
    up = _combined(high_1 - first, second - low_2, phi)
    return np.maximum(first - second - down, -1), np.minimum(first - second + up, 1)


def _correlation(e: Floats, f: Floats, g: Floats, h: Floats) -> Floats:
    """Correlation of paired outcomes, shrunk as method 10 has it; 0 when one outcome never varies."""
    product, spread = e * h - f * g, (e + f) * (g + h) * (e + g) * (f + h)
    shrunk = np.where(product > 0, np.maximum(product - (e + f + g + h) / 2, 0), product)
    return np.where(spread > 0, shrunk / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)


def _combined(first: Floats, second: Floats, correlation: Floats) -> Floats:
    return np.sqrt(first**2 - 2 * correlation * first * second + second**2)


def clustered_ratio(  # noqa: PLR0917 - the six sums of one relation, in the order they are defined
    clusters: ArrayLike,
    sum_x: ArrayLike,
    sum_y: ArrayLike,
    sum_xx: ArrayLike,
    sum_xy: ArrayLike,
    sum_yy: ArrayLike,
    level: float = 0.95,
    *,
    floor: float | None = None,
) -> Bounds:
    """Interval of sum_x / sum_y when rows come in clusters (people, sessions), in the unit of x per unit of y.

    x and y are the totals of one cluster; the sums run over the clusters, sum_xx being the sum of x squared and so on.
    With residuals e = x - (sum_x / sum_y) y the variance is n/(n-1) * sum(e^2) / sum_y^2 and the quantile is normal.
    `floor` cuts the lower bound: pass 0.0 when every x is at least 0. NaN below two clusters, for sum_y <= 0, for
    sums that contradict one another, and when no residual differs from 0: a sample without variation says nothing
    about how far the ratio could be off. For a share use `clustered_share`, which also holds at 0 and 1.
    Source: Cochran (1977), Sampling Techniques, 3rd ed., section 2.11 and chapter 6 (ratio estimator, section 6.4).

    >>> low, high = clustered_ratio(3, 6, 3, 14, 6, 3)  # costs 1, 2 and 3 in three sessions
    >>> round(float(low), 3), round(float(high), 3)  # 2 -+ 1.96 * sqrt(3/2 * 2 / 9)
    (0.868, 3.132)
    """
    ratio, variance = _linearised(floats(clusters, sum_x, sum_y, sum_xx, sum_xy, sum_yy))
    return _from(floor, normal_bounds(ratio, variance, level))


def clustered_share(  # noqa: PLR0917 - the six sums of one relation, in the order they are defined
    clusters: ArrayLike,
    sum_x: ArrayLike,
    sum_y: ArrayLike,
    sum_xx: ArrayLike,
    sum_xy: ArrayLike,
    sum_yy: ArrayLike,
    level: float = 0.95,
) -> Bounds:
    """Interval of a share of rows that come in clusters, sum_x successes of sum_y rows, as fractions 0..1.

    Wilson interval at the effective sample size p(1-p) / variance, with the variance of `clustered_ratio`. That size is
    cut to the number of rows (clustering is not credited with adding information) and is the number of rows at 0 and
    1, where the variance is 0: no error seen is not read as no risk. NaN below two clusters and for sums that
    contradict one another.
    Sources: Korn & Graubard (1998), Survey Methodology 24:193-201 (effective sample size; its limits as in the R
    package surveytable of the US National Center for Health Statistics); Franco, Little, Louis & Slud (2019), Journal
    of Survey Statistics and Methodology 7:334-364 (Wilson interval at that size).

    >>> low, high = clustered_share(30, 0, 600, 0, 0, 12_000)  # no error in 600 calls of 30 sessions
    >>> float(low), round(float(high), 4)  # Wilson of 0 of 600
    (0.0, 0.0064)
    """
    sums = floats(clusters, sum_x, sum_y, sum_xx, sum_xy, sum_yy)
    share, variance = _linearised(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.fmin(share * (1 - share) / variance, sums[2])  # fmin: the number of rows where it is 0 / 0
    effective = np.where(np.isnan(variance), np.nan, effective)
    return wilson(share * effective, effective, level)


def _linearised(sums: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    """Ratio x / y of cluster totals and its linearised variance; NaN where undefined, 0 without variation."""
    n, x, y, xx, xy, yy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        valid = (n >= 2) & (y > 0)
        ratio = np.where(valid, x / np.where(valid, y, 1.0), np.nan)
        residual = squares(xx - 2 * ratio * xy + ratio**2 * yy, xx + ratio**2 * yy)
        return ratio, n / (n - 1) * residual / y**2


def _from(floor: float | None, bounds: Bounds) -> Bounds:
    low, high = bounds
    return (low if floor is None else np.maximum(low, floor)), high


def fieller(  # noqa: PLR0917 - the six sums of one relation, in the order they are defined
    sum_x: ArrayLike,
    sum_y: ArrayLike,
    sum_xx: ArrayLike,
    sum_xy: ArrayLike,
    sum_yy: ArrayLike,
    n: ArrayLike,
    level: float = 0.95,
    *,
    floor: float | None = None,
) -> Bounds:
    """Interval of the ratio of means sum_x / sum_y over n clusters, when the denominator is itself uncertain.

    Cost per success is such a ratio. The sums are those of `clustered_ratio`, whose interval this one widens, upwards
    above all, the less certain the denominator is; with a certain one it is that of `clustered_ratio` with n - 1
    degrees of freedom. It holds every ratio r that a t test of x - r y against 0 does not reject. NaN where that is not
    an interval (the mean of y is not significantly above 0 at `level`), below three clusters, for sums that contradict
    one another and without variation. `floor` as in `clustered_ratio`.
    Source: Fieller (1954), Journal of the Royal Statistical Society B 16:175-185.

    >>> low, high = fieller(12, 10, 46, 33, 26, 4)  # costs 1, 2, 4 and 5 of 2, 2, 3 and 3 successes
    >>> round(float(low), 3), round(float(high), 3)
    (0.058, 1.78)
    """
    from scipy.special import stdtrit

    x, y, xx, xy, yy, count = floats(sum_x, sum_y, sum_xx, sum_xy, sum_yy, n)
    ratio, variance = _linearised((count, x, y, xx, xy, yy))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = stdtrit(np.where(count >= LEAST_CLUSTERS, count - 1, np.nan), 1 - tail(level))
        scale = count / (count - 1) * (t / y) ** 2  # makes of a centred sum t^2 times a relative variance
        sxx, syy, sxy = squares(xx - x**2 / count, xx), squares(yy - y**2 / count, yy), xy - x * y / count
        certain = np.where(scale * syy < 1, 1 - scale * syy, np.nan)
        common = squares(sxx * syy - sxy**2, xx * yy)
        reach = np.sqrt(np.where(variance > 0, np.maximum(t**2 * variance - scale**2 * common, 0), np.nan))
        return _from(floor, ((ratio - scale * sxy - reach) / certain, (ratio - scale * sxy + reach) / certain))


def clustered_total(
    clusters: ArrayLike, sum_x: ArrayLike, sum_xx: ArrayLike, level: float = 0.95, *, floor: float | None = None
) -> Bounds:
    """Interval of a total whose rows come in clusters, in the unit of x.

    x is the total of one cluster. The variance is n s^2 with s^2 the variance of x between clusters, which is what
    resampling n clusters gives in the limit: the number of clusters counts as known. NaN below two clusters and when
    all clusters are alike; `floor` as in `clustered_ratio`.
    Source: Cochran (1977), Sampling Techniques, 3rd ed., section 2.6 (without the finite population correction).

    >>> low, high = clustered_total(3, 6, 14)  # hours 1, 2 and 3
    >>> round(float(low), 3), round(float(high), 3)  # 6 -+ 1.96 * sqrt(3 * 1)
    (2.605, 9.395)
    """
    n, x, xx = floats(clusters, sum_x, sum_xx)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = n * np.where(n >= 2, squares(xx - x**2 / n, xx), np.nan) / (n - 1)
    return _from(floor, normal_bounds(x, variance, level))


def order_statistic_ranks(n: ArrayLike, p: ArrayLike, level: float = 0.95) -> Bounds:
    """Ranks (1-based) of the two observations that enclose the p-quantile with at least `level` confidence.

    The lower rank r is the greatest with P(B < r) < (1 - level)/2 and the upper rank s the smallest with
    P(B >= s) <= (1 - level)/2, B binomial(n, p). A side for which n is too small is NaN: that side has no bound.
    Source: David & Nagaraja (2003), Order Statistics, 3rd ed., section 7.1 (distribution-free intervals, quantiles).

    >>> lower, upper = order_statistic_ranks(20, 0.5)
    >>> int(lower), int(upper)  # P(6 <= B <= 14) = 0.959
    (6, 15)
    """
    from scipy.stats import binom

    size, share = floats(n, p)
    valid = np.isfinite(size) & (size >= 1) & (size == np.floor(size)) & (share > 0) & (share < 1)
    safe_n, safe_p = np.where(valid, size, 1.0), np.where(valid, share, 0.5)
    lower = binom.ppf(tail(level), safe_n, safe_p)
    upper = binom.ppf(1 - tail(level), safe_n, safe_p) + 1
    return where_valid(valid, np.where(lower >= 1, lower, np.nan), np.where(upper <= safe_n, upper, np.nan))


def least_n_of_quantile(p: float, level: float = 0.95) -> int:
    """The fewest observations of which two enclose the p-quantile with at least `level` confidence.

    The least n with P(B < 1) = (1 - p)^n < (1 - level)/2 and P(B >= n) = p^n <= (1 - level)/2, B binomial(n, p): from
    then on `order_statistic_ranks` has a rank on both sides. ValueError unless 0 < p < 1.
    Source: David & Nagaraja (2003), Order Statistics, 3rd ed., section 7.1.

    >>> least_n_of_quantile(0.5), least_n_of_quantile(0.95)  # 2 / 2^6 = 3.1 %; 0.95^72 = 2.49 %
    (6, 72)
    """
    if not 0 < p < 1:
        raise ValueError(f"found a quantile of {p}, expected one between 0 and 1")
    below, above = (math.log(tail(level)) / math.log(share) for share in (1 - p, p))
    return max(math.floor(below) + 1, math.ceil(above))
