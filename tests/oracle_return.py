"""The return worked out anew from what `roi explain --json` prints, by nothing but this file, numpy and scipy.

It imports nothing of the model or of the pages, and follows "How to recompute the page" in docs/roi.md.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from scipy.stats import beta, norm

D = Decimal
Json = dict[str, Any]
Floats = Any


def exact(node: Json) -> Decimal | None:
    """The value of a node in decimals, each rounded where the node says so."""
    if node["op"] == "given":
        return None if node["value"] is None else D(node["value"])
    parts = [part for child in node["children"] if (part := exact(child)) is not None]
    assert len(parts) == len(node["children"]), f"{node['name']} has a part that is unknown"
    value = _decimal(node["op"], parts)
    places = node["places"]
    return value if places is None else value.quantize(D(1).scaleb(-places), ROUND_HALF_UP)


def _decimal(op: str, parts: list[Decimal]) -> Decimal:
    if op == "sum":
        return sum(parts, D(0))
    if op == "subtract":
        return parts[0] - sum(parts[1:], D(0))
    if op == "product":
        return D(np.prod(np.array(parts, dtype=object)))
    return {"divide": lambda: parts[0] / parts[1], "remainder": lambda: 1 - parts[0]}[op]()


def drawn(node: Json, draws: dict[str, Floats]) -> Floats:
    """The same with draws in the place of the inputs, never rounded."""
    if node["op"] == "given":
        return draws.get(node["input"], float(node["value"]))
    parts = [drawn(child, draws) for child in node["children"]]
    if node["op"] == "product":
        total = parts[0]
        for part in parts[1:]:
            total = total * part
        return total
    first, rest = parts[0], parts[1:]
    return {"sum": lambda: sum(parts), "subtract": lambda: first - sum(rest), "remainder": lambda: 1 - first,
            "divide": lambda: first / rest[0]}[node["op"]]()  # fmt: skip


def uniforms(name: str, seed: int, draws: int) -> Floats:
    """One number in each of `draws` equal slices of 0 to 1, in an order that name and seed decide."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype="<u4").tolist()
    stream = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
    slices = stream.permutation(draws) + stream.random(draws)
    return np.clip(slices / draws, 1e-12, 1 - 1e-12)


def quantile(one: Json, u: Floats) -> Floats:
    """The value of an input below which a share `u` of its distribution lies."""
    low, base, high = (float(one[name]) for name in ("low", "base", "high"))
    if low == high:
        return np.full(np.shape(u), base)
    found = SHAPES[one["shape"]](np.asarray(u), low, base, high)
    return np.clip(found, 0, 1) if one["is_share"] else found


def _triangular(u: Floats, low: float, base: float, high: float) -> Floats:
    left = (base - low) / (high - low)
    rising = low + np.sqrt(u * (high - low) * (base - low))
    return np.where(u < left, rising, high - np.sqrt((1 - u) * (high - low) * (high - base)))


def _pert(u: Floats, low: float, base: float, high: float) -> Floats:
    wide = high - low
    return low + wide * beta.ppf(u, 1 + 4 * (base - low) / wide, 1 + 4 * (high - base) / wide)


def _interval(u: Floats, low: float, base: float, high: float) -> Floats:
    z = norm.ppf(u) / norm.ppf(0.975)
    return base + z * np.where(z < 0, base - low, high - base)


SHAPES: dict[str, Callable[[Floats, float, float, float], Floats]] = {
    "triangular": _triangular, "pert": _pert, "interval": _interval,
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A claim of the printed tree: what it comes to, and how much of it counts."""

    line: str
    use_case: str
    month: str
    grade: str
    amount: Json
    counted: Json | None
    """None for one that does not count."""
    present: Json | None


@dataclass(frozen=True)
class Spent:
    """A cost of the printed tree."""

    category: str
    use_case: str
    month: str
    amount: Decimal
    present: Decimal


@dataclass(frozen=True)
class Return:
    """All numbers of the page, from two printed trees: that of the return, and that of its payback."""

    told: Json
    paid: Json

    @cached_property
    def claims(self) -> list[Line]:
        """Every claim with an amount, those that count first."""
        return [*self._counted(), *self._uncounted()]

    def _counted(self) -> Iterator[Line]:
        for node in _named(self.told["tree"], r", present value$"):
            first = node["children"][0]
            if first["op"] == "product" and first["name"].endswith(", counted"):
                amount, weight = first["children"]
                line, case, month = amount["name"].split(", ")
                yield Line(line, case, month, weight["name"].split()[-1], amount, first, node)

    def _uncounted(self) -> Iterator[Line]:
        for tree in self.told["beside"]:
            if tree["name"].startswith(("claimed, not counted", "said about")):
                for amount in tree["children"]:
                    line, case, month = amount["name"].split(", ")
                    yield Line(line, case, month, re.findall(r"^grade (\w)", amount["note"])[0], amount, None, None)

    @cached_property
    def costs(self) -> list[Spent]:
        """Every cost."""
        found = []
        for node in _named(self.told["tree"], r", present value$"):
            posted = node["children"][0]
            if posted["op"] == "given":
                category, case, month = posted["name"].split(", ")
                found.append(Spent(category, case, month, exact(posted) or D(0), exact(node) or D(0)))
        return found

    @cached_property
    def counted(self) -> list[Line]:
        """The claims that count."""
        return [one for one in self.claims if one.counted is not None]

    def beside(self, name: str) -> list[Json]:
        """Trees beside the return whose name begins so."""
        return [tree for tree in self.told["beside"] if tree["name"].startswith(name)]

    @cached_property
    def months(self) -> list[str]:
        """Every month, as the flows of the payback name them."""
        return [node["name"] for node in self.paid["tree"]["children"]]

    @cached_property
    def flows(self) -> list[Decimal]:
        """Benefits less costs by month, from the claims and costs."""
        return [
            total([one.counted for one in self.counted if one.month == month])
            - sum((one.amount for one in self.costs if one.month == month), D(0))
            for month in self.months
        ]

    def present(self, until: str = "9999", case: str | None = None) -> tuple[Decimal, Decimal]:
        """Present values of benefits and costs to the end of a month, of all or of one use case."""
        gains = [one.present for one in self.counted if one.month <= until and case in (None, one.use_case)]
        spent = [one.present for one in self.costs if one.month <= until and case in (None, one.use_case)]
        return total(gains), sum(spent, D(0))

    @property
    def net(self) -> Decimal:
        """Net benefit as present value."""
        gains, spent = self.present()
        return gains - spent

    @property
    def payback(self) -> int | None:
        """The first month, from 1, whose running total is at least 0, once there is something to pay back."""
        running = list(accumulate(self.flows))
        return next((at for at, sum_ in enumerate(running, 1) if sum_ >= 0 and any(self.flows[:at])), None)

    def internal_rates(self) -> list[float]:
        """Yearly rates at which the flows are worth 0: signs on a fine grid of logarithms, then bisection."""

        def worth(log: float) -> float:
            return float(sum(float(flow) * np.exp(-log * at) for at, flow in enumerate(self.flows)))

        grid = np.linspace(-1.5, 1.5, 6001)
        values = [worth(log) for log in grid]
        ends = [pair for pair, (one, two) in zip(pairwise(grid), pairwise(values), strict=True) if one * two < 0]
        return [float(np.expm1(12 * _bisected(worth, *pair))) for pair in ends]

    @property
    def break_even(self) -> Decimal:
        """The share of freed hours that must become money; above 1 is out of reach, below 0 not needed."""
        (node,) = self.beside("break-even realisation")
        owed, full = node["children"]
        gains, spent = self.present()
        now = exact(owed["children"][1]["children"][1]) or D(0)
        return (spent - (gains - now)) / (exact(full) or D(0))

    @property
    def per_outcome(self) -> Decimal:
        """Costs in dollars of the day by verified outcomes."""
        (node,) = self.beside("cost per verified outcome")
        return sum((one.amount for one in self.costs), D(0)) / (exact(node["children"][1]) or D(0))

    @cached_property
    def inputs(self) -> list[Json]:
        """The inputs that have a range."""
        return [one for one in self.told["simulation"]["inputs"] if D(one["low"]) < D(one["high"])]

    @cached_property
    def draws(self) -> dict[str, Floats]:
        """The draws of every input that has a range."""
        held = self.told["simulation"]
        return {one["name"]: quantile(one, uniforms(one["name"], held["seed"], held["draws"])) for one in self.inputs}

    @cached_property
    def simulated(self) -> dict[str, Floats]:
        """Net benefit to the end of each month, one value per draw."""
        return self.nets(self.draws)

    def nets(self, draws: dict[str, Floats]) -> dict[str, Floats]:
        """Net benefit to the end of each month for any values of the inputs; the rest stands at base."""
        held = self.told["simulation"]
        assert held["first_month"][:7] == self.months[0] and len(self.months) <= 36
        rate, weight = (draws.get(held[name]["name"], float(held[name]["base"])) for name in ("rate", "weight"))
        running: Floats = 0.0
        found = {}
        for at, month in enumerate(self.months):
            gained = sum(self._gain(one, draws, weight) for one in self.counted if one.month == month)
            spent = float(sum(one.amount for one in self.costs if one.month == month))
            running = running + (gained - spent) * (1 + rate) ** (-at / 12)
            found[month] = running
        return found

    @staticmethod
    def _gain(one: Line, draws: dict[str, Floats], weight: Floats) -> Floats:
        return drawn(one.amount, draws) * (weight if one.grade == "C" else 1.0)

    def tornado(self) -> list[tuple[str, float, float]]:
        """Each input at its P10 and P90 while the others stand at base, the largest difference first."""
        base = {one["name"]: float(one["base"]) for one in self.inputs}
        found = []
        for one in self.inputs:
            low, high = (float(quantile(one, np.array([u]))[0]) for u in (0.1, 0.9))
            at = [float(self.nets(base | {one["name"]: end})[self.months[-1]]) for end in (low, high)]
            found.append((one["name"], at[0], at[1]))
        return sorted(found, key=lambda swing: (-abs(swing[2] - swing[1]), swing[0]))

    def at_once(self) -> tuple[Decimal, Decimal]:
        """The net benefit with every input at the end of its range that is worse for it, and at the better one."""
        worse, better = {}, {}
        base = {one["name"]: float(one["base"]) for one in self.inputs}
        for one in self.inputs:
            name, most = one["name"], 1.0 if one["is_share"] else math.inf
            ends = [min(float(one[end]), most) for end in ("low", "high")]
            net = {end: float(self.nets(base | {name: end})[self.months[-1]]) for end in ends}
            worse[name], better[name] = min(ends, key=lambda end: net[end]), max(ends, key=lambda end: net[end])
        low, high = (self._told(ends) for ends in (worse, better))
        return low, high

    def _told(self, values: dict[str, float]) -> Decimal:
        """The net benefit for some values of the inputs as a page tells it: every claim and cost to the cent."""
        held = self.told["simulation"]
        rate, weight = (values.get(held[name]["name"], float(held[name]["base"])) for name in ("rate", "weight"))
        found = D(0)
        for at, month in enumerate(self.months):
            here = (1 + rate) ** (-at / 12)
            gained = [float(_cents(drawn(one.amount, values))) * (weight if one.grade == "C" else 1.0)
                      for one in self.counted if one.month == month]  # fmt: skip
            spent = [float(one.amount) for one in self.costs if one.month == month]
            found += sum((_cents(float(_cents(one)) * here) for one in gained), D(0))
            found -= sum((_cents(one * here) for one in spent), D(0))
        return found


def _cents(amount: float) -> Decimal:
    return D(repr(round(float(amount), 6))).quantize(D("0.01"), ROUND_HALF_UP)


def total(nodes: list[Json | None]) -> Decimal:
    """The sum of some nodes."""
    return sum((exact(node) or D(0) for node in nodes if node is not None), D(0))


def _named(node: Json, pattern: str) -> Iterator[Json]:
    """Every node of a tree with such a name."""
    if re.search(pattern, node["name"]):
        yield node
    for child in node["children"]:
        yield from _named(child, pattern)


def leaves(node: Json, kind: str) -> Iterator[Json]:
    """Every given number of a kind."""
    if node["op"] == "given" and node["kind"] == kind:
        yield node
    for child in node["children"]:
        yield from leaves(child, kind)


def _bisected(worth: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(low) * worth(middle) > 0 else (low, middle)
    return (low + high) / 2
