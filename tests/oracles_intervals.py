"""Confidence intervals at 95 % straight from rows and counts, by one call of scipy or statsmodels or by the formula.

Every function gives (low, high), NaN where the rows do not bound that side.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

Row = dict[str, Any]
Ends = tuple[float, float]
Interval = Callable[[list[Row], Any, Any], Ends]
"""From the rows of a cut, its numerator and its denominator."""
NONE: Ends = (math.nan, math.nan)
Z = float(stats.norm.ppf(0.975))
TAIL = 0.025
NOISE = 1e-12
"""Sums of squares below this share of their terms are rounding."""


def census(rows: list[Row], k: Any, n: Any) -> Ends:
    """What was counted in full has no interval."""
    return NONE


@cache
def wilson_of(k: float, n: float) -> Ends:
    """Wilson's interval of k of n."""
    low, high = proportion_confint(k, n, method="wilson")
    return float(low), float(high)


def wilson(rows: list[Row], k: Any, n: Any) -> Ends:
    """Wilson's interval of a share."""
    return wilson_of(int(k), int(n))


def lang_reiczigel(k: int, n: int, good: list[int], bad: list[int]) -> Ends:
    """The interval of Lang & Reiczigel (2014): eq. 16, of a share that a judge passed; labels are hits of each sort."""
    share = (k + Z * Z / 2) / (n + Z * Z)
    passes, rejects = ((sum(hits) + 1) / (len(hits) + 2) for hits in (good, bad))
    gain = passes + rejects - 1
    if gain <= NOISE:
        return wilson_of(k, n)
    true = (share + rejects - 1) / gain
    a, b = passes * (1 - passes) / (len(good) + 2), rejects * (1 - rejects) / (len(bad) + 2)
    half = Z * math.sqrt(share * (1 - share) / (n + Z * Z) + true**2 * a + (1 - true) ** 2 * b) / gain
    middle = true + 2 * Z * Z * (true * a - (1 - true) * b)
    return min(max(middle - half, 0.0), 1.0), min(max(middle + half, 0.0), 1.0)


def clopper_pearson(rows: list[Row], k: Any, n: Any) -> Ends:
    """The exact interval of a share: quantiles of beta distributions."""
    low = stats.beta.ppf(TAIL, k, n - k + 1) if k else 0.0
    return float(low), float(stats.beta.ppf(1 - TAIL, k + 1, n - k)) if k < n else 1.0


@cache
def _poisson(k: int) -> Ends:
    return float(stats.chi2.ppf(TAIL, 2 * k) / 2) if k else 0.0, float(stats.chi2.ppf(1 - TAIL, 2 * k + 2) / 2)


def poisson(rows: list[Row], k: Any, n: Any) -> Ends:
    """The exact interval of a rate per unit of n, or of a count when n is None: quantiles of chi-square."""
    low, high = _poisson(int(k))
    return low / float(n or 1), high / float(n or 1)


@cache
def _newcombe(k1: int, n1: int, k2: int, n2: int) -> Ends:
    low, high = confint_proportions_2indep(k1, n1, k2, n2, method="newcomb", compare="diff")
    return max(float(low), -1.0), min(float(high), 1.0)


def newcombe(first: list[int], second: list[int]) -> Ends:
    """Newcombe's interval of the difference of two shares of zeros and ones."""
    return _newcombe(sum(first), len(first), sum(second), len(second))


def multinomial(first: list[int], second: list[int]) -> Ends:
    """Normal interval of the difference of two mean scores of 1, 0 and -1; none when either is all of one kind."""
    spread = [float(np.var(one)) / len(one) for one in (first, second)]
    gap, half = float(np.mean(first) - np.mean(second)), Z * math.sqrt(sum(spread))
    return (max(gap - half, -2.0), min(gap + half, 2.0)) if min(spread) > 0 else NONE


@cache
def newcombe_paired(both: int, first: int, second: int, neither: int) -> Ends:
    """Newcombe (1998), Statistics in Medicine 17:2635, method 10: Wilson's intervals joined by their correlation."""
    n = both + first + second + neither
    (low1, high1), (low2, high2) = wilson_of(both + first, n), wilson_of(both + second, n)
    share1, share2, gap = (both + first) / n, (both + second) / n, (first - second) / n
    product = both * neither - first * second
    shrunk = max(product - n / 2, 0) if product > 0 else product
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = shrunk / math.sqrt(margins) if margins else 0.0

    def reach(one: float, other: float) -> float:
        return math.sqrt(one**2 - 2 * phi * one * other + other**2)

    low, high = gap - reach(share1 - low1, high2 - share2), gap + reach(high1 - share1, share2 - low2)
    return max(low, -1.0), min(high, 1.0)


def _clusters(rows: list[Row], cluster: str, x: str, y: str) -> tuple[list[float], list[float]]:
    """Totals of x and y ("*" counts rows) of each cluster, wherever in the period its rows lie."""
    sums: dict[Any, list[Any]] = defaultdict(lambda: [0, 0])
    for row in rows:
        sums[row[cluster]][0] += row[x] or 0
        sums[row[cluster]][1] += 1 if y == "*" else row[y]
    return [float(one) for one, _ in sums.values()], [float(two) for _, two in sums.values()]


def _linearised(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Ratio of the sums and its variance (Cochran 1977, section 6.4); NaN below two clusters."""
    if len(xs) < 2 or sum(ys) <= 0:
        return math.nan, math.nan
    share = sum(xs) / sum(ys)
    rest = math.fsum((x - share * y) ** 2 for x, y in zip(xs, ys, strict=True))
    terms = math.fsum(x**2 + (share * y) ** 2 for x, y in zip(xs, ys, strict=True))
    rest = 0.0 if rest <= NOISE * terms else rest
    return share, len(xs) / (len(xs) - 1) * rest / sum(ys) ** 2


def by_cluster(cluster: str, x: str, y: str = "*") -> Interval:
    """Normal interval of a ratio of sums over clusters, cut at 0; none without variation."""

    def ends(rows: list[Row], k: Any, n: Any) -> Ends:
        share, variance = _linearised(*_clusters(rows, cluster, x, y))
        half = Z * math.sqrt(variance) if variance > 0 else math.nan
        return (max(share - half, 0.0), share + half) if half > 0 else NONE

    return ends


def share_by_cluster(cluster: str, x: str, y: str = "*") -> Interval:
    """Wilson's interval at the effective sample size (Korn & Graubard 1998), never more than the rows there are."""

    def ends(rows: list[Row], k: Any, n: Any) -> Ends:
        share, variance = _linearised(*_clusters(rows, cluster, x, y))
        if math.isnan(variance):
            return NONE
        size = float(n) if variance <= 0 else min(share * (1 - share) / variance, float(n))
        return wilson_of(share * size, size)

    return ends


def total_by_cluster(cluster: str, x: str) -> Interval:
    """Normal interval of a sum whose rows come in clusters: variance n s² (Cochran 1977, section 2.6)."""

    def ends(rows: list[Row], k: Any, n: Any) -> Ends:
        xs, _ = _clusters(rows, cluster, x, "*")
        spread = float(np.var(xs, ddof=1)) if len(xs) > 1 else 0.0
        half = Z * math.sqrt(len(xs) * spread)
        return (float(k) - half, float(k) + half) if spread > NOISE * sum(one**2 for one in xs) else NONE

    return ends


def fieller(xs: list[float], ys: list[float]) -> Ends:
    """The ratios r at which a t test of x - r y does not reject 0 (Fieller 1954): roots of a quadratic in r."""
    n = len(xs)
    if n < 3:
        return NONE
    (sxx, sxy), (_, syy) = np.cov(xs, ys)
    t2, mx, my = float(stats.t.ppf(1 - TAIL, n - 1)) ** 2 / n, float(np.mean(xs)), float(np.mean(ys))
    a, b, c = my**2 - t2 * syy, mx * my - t2 * sxy, mx**2 - t2 * sxx
    ratio = mx / my
    rest = [(x - ratio * y) ** 2 for x, y in zip(xs, ys, strict=True)]
    if a <= 0 or sum(rest) <= NOISE * sum(x**2 + (ratio * y) ** 2 for x, y in zip(xs, ys, strict=True)):
        return NONE
    reach = math.sqrt(max(b * b - a * c, 0.0))
    return (b - reach) / a, (b + reach) / a


@cache
def ranks(n: int, p: float) -> tuple[int, int]:
    """Ranks of the two values that enclose a quantile (David & Nagaraja 2003, section 7.1); 0 for none on that side."""
    below = stats.binom.cdf(np.arange(-1, n + 1), n, p)  # entry r is P(B < r)
    low = max((r for r in range(1, n + 1) if below[r] < TAIL), default=0)
    high = min((s for s in range(1, n + 1) if 1 - below[s] <= TAIL), default=0)
    return low, high


def greenwood(share: Fraction, spread: float) -> Ends:
    """Log-log interval of a surviving share, from Greenwood's sum (Kalbfleisch & Prentice 2002, section 1.4)."""
    if not 0 < share < 1:
        return NONE
    bend = Z * math.sqrt(spread) / abs(math.log(share))
    return float(share) ** math.exp(bend), float(share) ** math.exp(-bend)
