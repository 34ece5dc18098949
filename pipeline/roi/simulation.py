"""What the value could be: seeded draws of every uncertain input, the spread of the result, and what drives it.

An input is (low, base, high) with a shape. Each has a stream of uniform numbers of its own, made from the seed and its
name, and becomes a value by its quantile function: adding, dropping or reordering inputs leaves every other input's
draws as they were, and two runs that differ in one range are compared on the same luck (common random numbers). The
uniform numbers are stratified per input, one in each of `draws` equal slices (Latin hypercube: McKay, Beckman & Conover
1979, Technometrics 21:239-245), which makes percentiles far steadier between seeds than plain draws.

A model takes a mapping of input name to array and gives the net present values as an array of the same length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Model = Callable[[Mapping[str, Floats]], ArrayLike]
Shape = Literal["triangular", "pert", "interval"]

DRAWS = 10_000
PERT_WEIGHT = 4.0
"""Lambda of the PERT distribution, whose mean is (low + lambda * base + high) / (lambda + 2)."""
LEVEL = 0.95
"""Two-sided confidence of the bounds of an `interval`."""
TORNADO_SIZE = 10
PERT_CELLS = 4096
"""Cells of the table that a PERT is read from; exact quantiles (`scipy.special.betaincinv`) take 15 times as long."""


@dataclass(frozen=True)
class Uncertain:
    """An input of the model: low <= base <= high in its own unit, and how it spreads between them.

    `triangular` and `pert`: low and high are the ends, base the most likely value. `interval`: a measured value with
    the bounds of its 95 % interval, which the draws may leave on either side. A `share` stays within 0..1: its draws
    are clipped. All three equal make a constant.
    """

    name: str
    low: float
    base: float
    high: float
    shape: Shape = "pert"
    share: bool = False

    def __post_init__(self) -> None:
        if not -np.inf < self.low <= self.base <= self.high < np.inf:
            found = f"low {self.low}, base {self.base}, high {self.high}"
            raise ValueError(f"input {self.name}: {found}; expected finite numbers with low <= base <= high")
        if self.shape not in QUANTILES:
            raise ValueError(f"input {self.name}: shape is {self.shape!r}, expected one of {', '.join(QUANTILES)}")
        if self.share and not 0 <= self.base <= 1:
            raise ValueError(f"input {self.name}: base is {self.base}, expected a share from 0 to 1")

    @property
    def constant(self) -> bool:
        """Whether it has only one value."""
        return self.low == self.high


@dataclass(frozen=True)
class Outcome:
    """Spread of the simulated net present values, in their currency; `chance_of_gain` is the share above 0."""

    p10: float
    p50: float
    p90: float
    mean: float
    chance_of_gain: float
    draws: int
    seed: int


@dataclass(frozen=True)
class Swing:
    """Net present value when one input moves from its P10 to its P90 and the others stay at base."""

    name: str
    at_p10: float
    at_p90: float

    @property
    def size(self) -> float:
        """Distance between the two, never negative."""
        return abs(self.at_p90 - self.at_p10)


def _triangular(u: Floats, low: float, base: float, high: float) -> Floats:
    from scipy.stats import triang

    return np.asarray(triang.ppf(u, (base - low) / (high - low), loc=low, scale=high - low))


def _pert(u: Floats, low: float, base: float, high: float) -> Floats:
    shares, points = _beta_table((base - low) / (high - low))
    return np.asarray(low + (high - low) * np.interp(u, shares, points))


@lru_cache(maxsize=512)
def _beta_table(mode: float) -> tuple[Floats, Floats]:
    """Shares of a PERT over 0..1 below `PERT_CELLS` + 1 rising points, and these points.

    Both rise, so between two of them a straight line leaves the true quantile by less than their distance h, and by at
    most h (sqrt(r) - 1) / (sqrt(r) + 1) where the density varies by a factor r: the worst is a density that falls from
    its greatest to its least value at once. Points sin^2 lie closest at the ends, where r is largest; that makes the
    error less than a millionth of the range everywhere.
    """
    from scipy.special import betainc

    points = np.sin(np.linspace(0, np.pi / 2, PERT_CELLS + 1)) ** 2
    return betainc(1 + PERT_WEIGHT * mode, 1 + PERT_WEIGHT * (1 - mode), points), points


def _interval(u: Floats, low: float, base: float, high: float) -> Floats:
    from scipy.special import ndtri

    z, z_bound = ndtri(u), ndtri((1 + LEVEL) / 2)
    return np.asarray(base + np.where(z < 0, base - low, high - base) * z / z_bound)


QUANTILES: dict[str, Callable[[Floats, float, float, float], Floats]] = {
    "triangular": _triangular,
    "pert": _pert,
    "interval": _interval,
}


def quantile(source: Uncertain, u: ArrayLike) -> Floats:
    """Value of an input below which a share `u` (0 < u < 1) of its distribution lies, in the input's unit.

    Triangular: `scipy.stats.triang`. PERT: low + (high - low) * Beta(1 + 4 (base - low) / (high - low), 1 + 4 (high -
    base) / (high - low)); Clark (1962), Operations Research 10:405-406; Vose (2008), Risk Analysis, appendix III;
    to a millionth of the range, by a table of `scipy.special.betainc`. Interval: base + z * sigma with a sigma for each
    side, so that the bounds are the 2.5 % and 97.5 % quantiles and base the median; normal when both sides are alike;
    Barlow (2003), Asymmetric Systematic Errors, arXiv:physics/0306138, model 1 (two straight lines, the dimidated
    Gaussian).

    >>> quantile(Uncertain("hours", 0, 2, 4, "triangular"), [0.125, 0.5])  # a quarter of the way up holds 1/8
    array([1., 2.])
    """
    at = np.asarray(u, dtype=np.float64)
    if source.constant:
        return np.full(at.shape, float(source.base))
    values = QUANTILES[source.shape](at, source.low, source.base, source.high)
    return np.clip(values, 0.0, 1.0) if source.share else values


def uniforms(name: str, *, draws: int = DRAWS, seed: int = 0) -> Floats:
    """Stratified uniform numbers in (0, 1) that depend on the name, the seed and the number of draws alone.

    One lies in each of `draws` equal slices, in random order (Latin hypercube). The stream is PCG64, seeded by the
    SHA-256 of the name and the seed through `numpy.random.SeedSequence`.

    >>> sorted(int(4 * u) for u in uniforms("hours", draws=4))
    [0, 1, 2, 3]
    """
    if draws < 1 or seed < 0:
        raise ValueError(f"draws is {draws} and seed {seed}, expected at least 1 draw and a seed of at least 0")
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4")
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))
    slices = stream.permutation(draws) + stream.random(draws)
    return np.clip(slices / draws, 1e-12, 1 - 1e-12)


def draw(inputs: Sequence[Uncertain], *, draws: int = DRAWS, seed: int = 0) -> dict[str, Floats]:
    """Draws of every input by name, each of length `draws`. ValueError for a name given twice.

    >>> values = draw([Uncertain("rate", 40, 40, 40), Uncertain("hours", 1, 2, 4)], draws=3)
    >>> values["rate"].tolist(), values["hours"].shape
    ([40.0, 40.0, 40.0], (3,))
    """
    _require_distinct(inputs)
    return {source.name: quantile(source, uniforms(source.name, draws=draws, seed=seed)) for source in inputs}


def simulate(model: Model, inputs: Sequence[Uncertain], *, draws: int = DRAWS, seed: int = 0) -> Outcome:
    """Spread of the model's value over random draws of its inputs; the same seed gives the same bytes.

    Percentiles by `numpy.quantile` (linear; Hyndman & Fan 1996, type 7). ValueError when the model gives anything but
    one finite number per draw: an unknown value must not thin out the spread unseen.

    >>> outcome = simulate(lambda x: 100 * x["hours"] - 150, [Uncertain("hours", 1, 2, 3, "triangular")])
    >>> round(outcome.p50), round(outcome.chance_of_gain, 3)  # half of the triangle's left leg lies below 1.5: 1/8
    (50, 0.875)
    """
    values = _values(model, draw(inputs, draws=draws, seed=seed), draws)
    p10, p50, p90 = (float(p) for p in np.quantile(values, [0.1, 0.5, 0.9]))
    return Outcome(p10, p50, p90, float(values.mean()), float((values > 0).mean()), draws, seed)


def tornado(model: Model, inputs: Sequence[Uncertain], *, top: int = TORNADO_SIZE) -> tuple[Swing, ...]:
    """The inputs that move the value most, largest swing first, ties by name; constants have none and are left out.

    Source: Clemen & Reilly (2014), Making Hard Decisions, 3rd ed., chapter 5 (tornado diagrams), from P10 to P90.

    >>> hours, rate = Uncertain("hours", 1, 2, 3, "triangular"), Uncertain("rate", 40, 50, 52, "triangular")
    >>> [(swing.name, round(swing.size)) for swing in tornado(lambda x: x["hours"] * x["rate"], [hours, rate])]
    [('hours', 55), ('rate', 14)]
    """
    moving = [source for source in inputs if not source.constant]
    ends = [(source.name, float(end)) for source in moving for end in quantile(source, [0.1, 0.9])]
    values = _one_at_a_time(model, inputs, ends)
    swings = [Swing(s.name, float(a), float(b)) for s, a, b in zip(moving, values[::2], values[1::2], strict=True)]
    return tuple(sorted(swings, key=lambda swing: (-swing.size, swing.name))[:top])


def scenarios(
    model: Model,
    inputs: Sequence[Uncertain],
    named: Mapping[str, Mapping[str, float]] | None = None,
    *,
    told: Callable[[Mapping[str, float]], float] | None = None,
) -> dict[str, float]:
    """Value of the scenarios `low`, `base` and `high`, then of each named one: input values by name, the rest at base.

    `low` puts every input at that end which lowers the value when it alone moves there, so a cost stands at its high
    end; `high` the other way round. All ends at once are far rarer than P10 and P90. `told` gives the value of the
    inputs that are moved where the model, which rounds nothing, is not what is printed. ValueError for an unknown
    input, or a name that is taken.

    >>> inputs = [Uncertain("hours", 1, 2, 3), Uncertain("cost", 50, 60, 90)]
    >>> scenarios(lambda x: 40 * x["hours"] - x["cost"], inputs, {"no hours": {"hours": 0}})
    {'low': -50.0, 'base': 20.0, 'high': 70.0, 'no hours': -60.0}
    """
    _require_distinct(inputs)
    chosen = dict(named or {})
    _require_known(chosen, inputs)
    rows = [*_extremes(model, inputs), *chosen.values()]
    names = ["low", "base", "high", *chosen]
    if told is not None:
        return {name: told(row) for name, row in zip(names, rows, strict=True)}
    columns = {s.name: np.array([row.get(s.name, s.base) for row in rows], dtype=np.float64) for s in inputs}
    return dict(zip(names, _values(model, columns, len(rows)).tolist(), strict=True))


def _extremes(model: Model, inputs: Sequence[Uncertain]) -> list[dict[str, float]]:
    """Input values of the scenarios low, base and high."""
    ends = [(source.name, end) for source in inputs for end in _ends(source)]
    values = _one_at_a_time(model, inputs, ends)
    worse: dict[str, float] = {}
    better: dict[str, float] = {}
    for source, at_low, at_high in zip(inputs, values[::2], values[1::2], strict=True):
        low, high = _ends(source)
        worse[source.name], better[source.name] = (low, high) if at_low <= at_high else (high, low)
    return [worse, {}, better]


def _ends(source: Uncertain) -> tuple[float, float]:
    ends = np.array([source.low, source.high], dtype=np.float64)
    low, high = np.clip(ends, 0.0, 1.0) if source.share else ends
    return float(low), float(high)


def _one_at_a_time(model: Model, inputs: Sequence[Uncertain], moves: Sequence[tuple[str, float]]) -> Floats:
    """Value for each move (input, value), all other inputs at base; the model is called once."""
    _require_distinct(inputs)
    columns = {source.name: np.full(len(moves), float(source.base)) for source in inputs}
    for row, (name, value) in enumerate(moves):
        columns[name][row] = value
    return _values(model, columns, len(moves))


def _values(model: Model, columns: Mapping[str, Floats], size: int) -> Floats:
    values = np.asarray(model(columns), dtype=np.float64)
    if values.shape != (size,):
        raise ValueError(f"the model gave values of shape {values.shape} for {size} draws, expected one value per draw")
    unknown = int((~np.isfinite(values)).sum())
    if unknown:
        raise ValueError(
            f"the model gave no finite value in {unknown} of {size} draws; find out which input makes it so"
        )
    return values


def _require_distinct(inputs: Sequence[Uncertain]) -> None:
    names = [source.name for source in inputs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"input {', '.join(twice)} is declared more than once, expected one declaration each")


def _require_known(named: Mapping[str, Mapping[str, float]], inputs: Sequence[Uncertain]) -> None:
    names = [source.name for source in inputs]
    problems = [
        f"scenario {name} is built in, choose another name" for name in named if name in {"low", "base", "high"}
    ]
    for scenario, values in named.items():
        for name in values:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                problems.append(f"scenario {scenario} sets {name}, which is no input{hint}")
    if problems:
        raise ValueError("\n".join(problems))
