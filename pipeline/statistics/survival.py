"""Time until recovery when some have not recovered yet."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline.statistics.arrays import Floats, tail

ROUNDING = 1e-12
"""A survival share this close to one half is one half: 8/10 * 5/8 is not 0.5 to the last bit."""


@dataclass(frozen=True)
class SurvivalMedian:
    """Kaplan-Meier median with its interval, all in the unit of the durations; None = not reached, no bound."""

    median: float | None
    low: float | None
    high: float | None
    recovered_share: float | None
    """Events over n, a fraction 0..1; None when there is nothing to count."""
    n: int
    events: int


def kaplan_meier_median(durations: ArrayLike, observed: ArrayLike, level: float = 0.95) -> SurvivalMedian:
    """Median time to the event when those without it are censored: the smallest t with S(t) <= 0.5.

    `durations` (n,) are times at risk, at least 0, in any unit; `observed` (n,) is true where the event came and false
    where it had not come by then. The interval holds the times at which the pointwise Greenwood band (log-log scale)
    crosses one half. At S(t) = 0 the band is undefined, so a bound that would need it is None.
    Sources: Kaplan & Meier (1958), JASA 53:457-481; Brookmeyer & Crowley (1982), Biometrics 38:29-41; Klein &
    Moeschberger (2003), Survival Analysis, 2nd ed., sections 4.3 and 4.5. Computed by `scipy.stats.ecdf`.

    >>> result = kaplan_meier_median([0.5, 1, 1.5, 2, 3, 30, 48, 72], [1, 1, 1, 1, 1, 0, 0, 0])
    >>> result.median, result.low, result.high, result.recovered_share
    (2.0, 0.5, None, 0.625)
    """
    times, seen = np.asarray(durations, dtype=np.float64), np.asarray(observed, dtype=bool)
    _require(times, seen, level)
    n, events = times.size, int(seen.sum())
    if events == 0:
        return SurvivalMedian(None, None, None, 0.0 if n else None, n, 0)
    at, survival, low, high = _curve(times, seen, level)
    return SurvivalMedian(
        median=_first_at_half(at, survival),
        low=_first_at_half(at, low),
        high=_first_at_half(at, high),
        recovered_share=events / n,
        n=n,
        events=events,
    )


def _require(times: Floats, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], level: float) -> None:
    tail(level)
    if times.ndim != 1 or times.shape != seen.shape:
        raise ValueError(f"durations have shape {times.shape}, observed {seen.shape}; expected one list of each")
    wrong = np.flatnonzero(~(np.isfinite(times) & (times >= 0)))
    if wrong.size:
        raise ValueError(f"duration {wrong[0]} is {times[wrong[0]]}, expected a finite time of at least 0")


def _curve(times: Floats, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], level: float) -> tuple[Floats, ...]:
    """Times, survival, and lower and upper band; the band is NaN before the first event and where survival is 0."""
    from scipy.stats import CensoredData, ecdf

    survival = ecdf(CensoredData(uncensored=times[seen], right=times[~seen])).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns of the NaNs named above
        band = survival.confidence_interval(level, method="log-log")
    return survival.quantiles, survival.probabilities, band.low.probabilities, band.high.probabilities


def _first_at_half(times: Floats, curve: Floats) -> float | None:
    reached = np.flatnonzero(curve <= 0.5 + ROUNDING)
    return float(times[reached[0]]) if reached.size else None
