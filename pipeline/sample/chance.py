"""Seeded chance that gives the same numbers on every machine: only additions, multiplications and comparisons."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

Curve = Sequence[tuple[float, float]]
"""Points (share of cases, value) of a distribution, from share 0 to share 1, in order."""


class Chance:
    """One stream of chance, named so that a change in one part of the sample leaves the others as they were.

    Logarithms and sines differ in the last digit between C libraries, so nothing here needs them: distributions are
    drawn from the points of their curve.
    """

    def __init__(self, seed: int, stream: str) -> None:
        self._random = random.Random(f"{seed}/{stream}")

    def share(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def happens(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random.random() < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, things: Sequence[T]) -> T:
        """One of the things, all equally likely."""
        return things[int(self._random.random() * len(things))]

    def weighed(self, weights: Mapping[T, float]) -> T:
        """One of the keys, as likely as its weight."""
        left = self._random.random() * sum(weights.values())
        for thing, weight in weights.items():
            left -= weight
            if left < 0:
                return thing
        return thing

    def drawn(self, curve: Curve) -> float:
        """A value from the distribution whose curve is given, straight lines between its points."""
        share = self._random.random()
        for (left, low), (right, high) in pairwise(curve):
            if share < right:
                return low + (high - low) * (share - left) / (right - left)
        return curve[-1][1]

    def count(self, mean: float) -> int:
        """A whole number near the mean: within a quarter of it, and the mean on average."""
        around = mean * (0.75 + 0.5 * self._random.random())
        return int(around) + (self._random.random() < around - int(around))

    def hexadecimal(self, digits: int) -> str:
        """An identifier of so many hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"
