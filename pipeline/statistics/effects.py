"""What every estimate of an effect comes out as, and the errors of comparisons whose rows belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.statistics.arrays import Floats, floats, tail

Grade = Literal["A", "B", "C"]
Codes = NDArray[np.intp]

LEAST_CLUSTERS = 5
"""With fewer clusters in a group its cluster-robust errors are far too small (MacKinnon & Webb 2018, Econometrics
Journal 21:114-135, few treated clusters)."""


@dataclass(frozen=True)
class Effect:
    """An estimated effect in the unit of the outcome, with its interval, and how strong the evidence is.

    `grade` is A (randomised), B (quasi-experimental) or C (before and after), and None when the design failed its own
    check or could not be estimated: then `problem` says why, and the effect counts nowhere. A `problem` beside a C
    says why a design of grade B earned no more. NaN is unknown. `check_p` is the p-value of the design's check (the
    split of an experiment, parallel trends); `variance_removed` the share of the variance that an adjustment took away.
    """

    estimate: float
    low: float
    high: float
    n_treated: int
    n_control: int
    method: str
    grade: Grade | None
    problem: str = ""
    check_p: float = np.nan
    variance_removed: float = np.nan

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0; False when it is unknown."""
        return bool(self.low > 0 or self.high < 0)


def nothing(n_treated: int, n_control: int, method: str, problem: str) -> Effect:
    """Effect of a design that cannot be estimated: NaN throughout, and the reason.

    >>> nothing(0, 12, "randomised", "nobody was treated").grade is None
    True
    """
    return Effect(np.nan, np.nan, np.nan, n_treated, n_control, method, None, problem)


def t_bounds(estimate: float, error: float, df: float, level: float) -> tuple[float, float]:
    """Interval of confidence `level` around an estimate with a t distribution; NaN without a standard error above 0.

    >>> [round(bound, 2) for bound in t_bounds(10, 2, 4, 0.95)]  # 10 -+ 2.776 * 2
    [4.45, 15.55]
    """
    from scipy.stats import t as student

    half_width = float(student.ppf(1 - tail(level), df)) * error if error > 0 else np.nan
    return float(estimate - half_width), float(estimate + half_width)


def outcomes(outcome: ArrayLike, *others: ArrayLike) -> tuple[Floats, ...]:
    """Columns of one length as float arrays. ValueError when they differ in length or a value is not finite.

    A missing outcome is not dropped: who has none usually depends on the treatment.

    >>> outcomes([1, 2], [True, False])
    (array([1., 2.]), array([1., 0.]))
    """
    columns = [np.asarray(column, dtype=np.float64) for column in (outcome, *others)]
    if len({column.shape for column in columns}) > 1 or columns[0].ndim != 1:
        raise ValueError(f"columns have shapes {[column.shape for column in columns]}, expected lists of one length")
    missing = int((~np.isfinite(np.column_stack(columns))).any(axis=1).sum())
    if missing:
        raise ValueError(f"{missing} rows lack a value; count them as 0 or leave their units out, by a rule set before")
    return floats(*columns)


def codes(labels: ArrayLike, n: int, what: str) -> Codes:
    """Number each distinct label of `n` rows from 0; ValueError for another number of labels.

    >>> codes(["b", "a", "b"], 3, "unit")
    array([1, 0, 1])
    """
    found = np.asarray(labels)
    if found.shape != (n,):
        raise ValueError(f"{what} has shape {found.shape}, expected one label for each of {n} rows")
    return np.unique(found, return_inverse=True)[1]


def of_each(code: Codes, values: Floats, what: str) -> Floats:
    """The one value that all rows of a unit share, per unit; ValueError when a unit has several.

    >>> of_each(np.array([1, 0, 1]), np.array([5.0, 4.0, 5.0]), "team")
    array([4., 5.])
    """
    shared = np.full(code.max(initial=-1) + 1, np.nan)
    shared[code] = values
    mixed = np.unique(code[shared[code] != values]).size
    if mixed:
        raise ValueError(f"{mixed} {what}s stand on both sides of the comparison, expected each on one")
    return shared


class Fit(NamedTuple):
    """Coefficients of a regression, their covariance matrix and its degrees of freedom."""

    params: Floats
    covariance: Floats
    df: int

    def term(self, k: int) -> tuple[float, float, int]:
        """Coefficient `k`, its standard error and degrees of freedom."""
        return float(self.params[k]), float(np.sqrt(self.covariance[k, k])), self.df


def clustered(y: Floats, design: Floats, cluster: Codes) -> Fit:
    """Least squares with errors that allow for rows of one cluster being alike.

    The variance is the cluster jackknife (CRV3) with one degree of freedom less than clusters: of the usual ones it is
    the most reliable with few or uneven clusters. Source: MacKinnon, Nielsen & Webb (2023), Journal of Econometrics
    232:272-299. Computed by statsmodels `OLS.fit(cov_type="cluster-crv3")`.

    >>> y, team = np.array([1.0, 1.0, 2.0, 2.0, 6.0, 6.0]), np.array([0, 0, 1, 1, 2, 2])
    >>> fit = clustered(y, np.ones((6, 1)), team)
    >>> [round(number, 4) for number in fit.term(0)]  # error: sqrt(7 / 3), 7 being the variance of 1, 2, 6
    [3.0, 1.5275, 2]
    """
    from statsmodels.regression.linear_model import OLS

    found = OLS(y, design).fit(cov_type="cluster-crv3", cov_kwds={"groups": cluster}, use_t=True)
    return Fit(np.asarray(found.params), np.asarray(found.cov_params()), np.unique(cluster).size - 1)
