"""A roll-out in waves as a balanced panel, and the comparisons of its cohorts with units not treated yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.statistics.arrays import Floats
from pipeline.statistics.effects import Codes
from pipeline.statistics.parallel import without_rounding


@dataclass(frozen=True)
class Rollout:
    """A balanced panel: a row per unit, a column per period, and when each unit was first treated (inf: never).

    `block` numbers the cluster of each unit; a cluster lies within one cohort.
    """

    values: Floats
    periods: Floats
    first: Floats
    block: Codes

    @property
    def cohorts(self) -> Floats:
        """Distinct times of first treatment, rising."""
        return np.unique(self.first)

    def size(self, cohort: float) -> int:
        """Number of units first treated at that time."""
        return int((self.first == cohort).sum())

    def clusters(self) -> Floats:
        """Number of clusters per cohort."""
        return np.array([np.unique(self.block[self.first == g]).size for g in self.cohorts], dtype=np.float64)


def contrast(data: Rollout, cohort: float, k: int, *, before_start: bool) -> Floats:
    """Weights, cohorts by periods, that make the means of cohorts into ATT(cohort, period k).

    The change is counted from the last period before the cohort's start or, before the start, from the period before.

    >>> first = np.array([2.0, 2.0, 3.0, np.inf])
    >>> data = Rollout(np.zeros((4, 4)), np.arange(4.0), first, np.arange(4))
    >>> contrast(data, 2, 2, before_start=False)  # its change from period 1, less the mean change of both others
    array([[ 0. , -1. ,  1. ,  0. ],
           [ 0. ,  0.5, -0.5,  0. ],
           [ 0. ,  0.5, -0.5,  0. ]])
    """
    base = k - 1 if before_start else int(np.searchsorted(data.periods, cohort)) - 1
    pool = (data.cohorts > data.periods[k]) & (data.cohorts != cohort)
    sizes = np.array([data.size(g) for g in data.cohorts]) * pool
    weights = (data.cohorts == cohort) - sizes / sizes.sum()
    found = np.zeros((data.cohorts.size, data.periods.size))
    found[:, k], found[:, base] = weights, -weights
    return found


def lead_contrasts(data: Rollout) -> Floats:
    """Weights that make the means of cohorts into changes so many periods before the start; none without a before.

    One for each number of periods: the change of a cohort from one period to the next less that of all others not
    treated yet, averaged over the cohorts that have it, by size (Callaway & Sant'Anna 2021, section 3, event time).

    >>> data = Rollout(np.zeros((3, 4)), np.arange(4.0), np.array([2.0, 3.0, np.inf]), np.arange(3))
    >>> lead_contrasts(data)[1]  # two periods ahead, from 0 to 1, is told of the cohort of 3 alone
    array([[ 0.5, -0.5,  0. ,  0. ],
           [-1. ,  1. ,  0. ,  0. ],
           [ 0.5, -0.5,  0. ,  0. ]])
    """
    found: dict[int, list[tuple[int, Floats]]] = {}
    for cohort, k in _before(data):
        lead = int(np.searchsorted(data.periods, cohort)) - k
        found.setdefault(lead, []).append((data.size(cohort), contrast(data, cohort, k, before_start=True)))
    means = [np.average([one for _, one in held], axis=0, weights=[n for n, _ in held]) for held in found.values()]
    return np.array(means).reshape(-1, data.cohorts.size, data.periods.size)


def _before(data: Rollout) -> Iterator[tuple[float, int]]:
    """Cohorts and periods before their start in which others were not treated yet either."""
    for cohort in data.cohorts[np.isfinite(data.cohorts)]:
        for k in range(1, int(np.searchsorted(data.periods, cohort))):
            if ((data.first > data.periods[k]) & (data.first != cohort)).any():
                yield float(cohort), k


def drift_contrast(data: Rollout) -> Floats:
    """Weights that make the means of cohorts into one slope: how fast all cohorts but the last drifted from that.

    Least squares over what is not treated yet, with a level per unit and per period, of a line in time for every cohort
    but the one that starts last or never. All zero where no period tells.

    >>> data = Rollout(np.zeros((4, 4)), np.arange(4.0), np.array([3.0, 3.0, np.inf, np.inf]), np.arange(4))
    >>> drift_contrast(data).round(9) + 0  # the slope of the one over three periods less that of the other
    array([[-0.5,  0. ,  0.5,  0. ],
           [ 0.5,  0. , -0.5,  0. ]])
    """
    cells = np.argwhere(data.periods[None, :] < data.cohorts[:, None])
    sizes = np.array([data.size(g) for g in data.cohorts], dtype=np.float64)[cells[:, 0]]
    levels = np.column_stack([
        *(cells[:, 0] == row for row in range(data.cohorts.size)),
        *(cells[:, 1] == k for k in range(data.periods.size)),
    ]).astype(np.float64)  # fmt: skip
    line = (cells[:, 0] < data.cohorts.size - 1) * data.periods[cells[:, 1]]
    root = np.sqrt(sizes)
    left = line - levels @ np.linalg.lstsq(levels * root[:, None], line * root, rcond=None)[0]
    spread = float(np.sum(sizes * left**2))
    found = np.zeros((data.cohorts.size, data.periods.size))
    if spread > 1e-9 * float(np.sum(sizes * line**2)):
        found[cells[:, 0], cells[:, 1]] = sizes * left / spread
    return found


def parts(data: Rollout, contrasts: Floats) -> Floats:
    """What each cluster adds to each contrast, clusters by contrasts, once all have moved in parallel.

    From each value the unit's first one is taken off, and the change since then that all units not treated yet had on
    average. A contrast stays as it was: its weights add up to 0 in every period, and for every cohort.

    >>> values = np.array([[1.0, 2.0, 4.0], [1.0, 4.0, 5.0], [0.0, 1.0, 1.0], [5.0, 6.0, 6.0]])
    >>> data = Rollout(values, np.arange(3.0), np.array([2.0, 2.0, np.inf, np.inf]), np.arange(4))
    >>> parts(data, lead_contrasts(data)).T  # changes of 1, 3, 1 and 1 less their mean of 1.5, halved; together 2 - 1
    array([[-0.25,  0.75,  0.25,  0.25]])
    """
    left = without_rounding(data.values - data.values[:, :1] - _common_path(data), data.values)
    found = np.zeros((data.block.max() + 1, len(contrasts)))
    for row, cohort in enumerate(data.cohorts):
        mine = data.first == cohort
        np.add.at(found, data.block[mine], left[mine] @ contrasts[:, row].T / mine.sum())
    return found


def _common_path(data: Rollout) -> Floats:
    """Mean change of what was not treated yet from one period to the next, added up."""
    changes = np.diff(data.values, axis=1)
    waits = data.first[:, None] > data.periods[None, 1:]
    means = (changes * waits).sum(axis=0) / np.maximum(waits.sum(axis=0), 1)
    return np.concatenate([[0.0], np.cumsum(means)])
