"""What tells the tokens of a bill from those of the logs, split into what moved and what is new; pure arithmetic.

A cell is a tier, a band of prompt lengths (the number of input tokens it lies above, -1 for all) and a class of tokens.
Tokens that one cell lacks and another has too many of were moved: first among bands, then among tiers, then among the
classes of input. What is left after that is on one side alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from fractions import Fraction

CLASSES = ("in_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "out")
STANDARD, LOWEST = "standard", -1
Cell = tuple[str, int, str]
Tokens = dict[Cell, Fraction]

MOVES: tuple[tuple[str, Callable[[Cell], Hashable]], ...] = (
    ("long_context", lambda cell: (cell[0], cell[2])),
    ("service_tier", lambda cell: cell[2]),
    ("cache_class", lambda cell: cell[2] == "out"),
)
"""Each way tokens can move, and what stays the same as they do; the order decides what a move in two ways is called."""
VOLUME = "volume"


def steps(differences: Mapping[Cell, Fraction]) -> dict[str, Tokens]:
    """Tokens of each cell by way of moving, and what is left as `volume`; the ways of a cell sum to its difference.

    >>> found = steps({("standard", -1, "in_uncached"): Fraction(-5), ("standard", -1, "cache_read"): Fraction(7)})
    >>> {cell[2]: int(tokens) for cell, tokens in found["volume"].items()}
    {'cache_read': 2}
    """
    found: dict[str, Tokens] = {}
    rest = {cell: tokens for cell, tokens in differences.items() if tokens}
    for name, kept in MOVES:
        found[name], rest = _moved(rest, kept)
    return {**found, VOLUME: rest}


def _moved(differences: Tokens, kept: Callable[[Cell], Hashable]) -> tuple[Tokens, Tokens]:
    """What moved within groups of cells that share what is kept, and the rest; both without zeros.

    In a group the smaller of what is missing and what is too many was moved; each cell has its share of that.
    """
    over: dict[Hashable, Fraction] = {}
    under: dict[Hashable, Fraction] = {}
    for cell, tokens in differences.items():
        side = over if tokens > 0 else under
        side[kept(cell)] = side.get(kept(cell), Fraction(0)) + abs(tokens)
    moved: Tokens = {}
    for cell, tokens in differences.items():
        group, side = kept(cell), over if tokens > 0 else under
        matched = min(over.get(group, Fraction(0)), under.get(group, Fraction(0)))
        moved[cell] = tokens * matched / side[group]
    rest = {cell: tokens - moved[cell] for cell, tokens in differences.items()}
    return _without_zeros(moved), _without_zeros(rest)


def _without_zeros(tokens: Tokens) -> Tokens:
    return {cell: count for cell, count in tokens.items() if count}


def placed(tier: str | None, band: int | None, counts: Sequence[int], logged: Mapping[Cell, int]) -> Tokens:
    """Tokens of a provider's report in cells; where it tells no tier or no band, as the logs of that day are spread.

    `counts` follow CLASSES. Without such logs they stand in the standard tier and the lowest band.
    """
    found: Tokens = {}
    for name, count in zip(CLASSES, counts, strict=True):
        for cell, share in _shares(tier, band, name, logged).items():
            found[cell] = found.get(cell, Fraction(0)) + count * share
    return _without_zeros(found)


def _shares(tier: str | None, band: int | None, name: str, logged: Mapping[Cell, int]) -> dict[Cell, Fraction]:
    """Cells of a class and the share of each; a band that is not told is looked for in other tiers as well."""
    if tier is not None and band is not None:
        return {(tier, band, name): Fraction(1)}
    alike = {cell: count for cell, count in logged.items() if cell[2] == name and count and band in (None, cell[1])}
    same = {cell: count for cell, count in alike.items() if tier in (None, cell[0])} or alike
    total = sum(same.values())
    shares: dict[Cell, Fraction] = {}
    for cell, count in same.items():
        there = (tier or cell[0], cell[1] if band is None else band, name)
        shares[there] = shares.get(there, Fraction(0)) + Fraction(count, total)
    return shares or {(tier or STANDARD, LOWEST if band is None else band, name): Fraction(1)}


def added(parts: Iterable[Mapping[Cell, Fraction | int]]) -> Tokens:
    """The sum of several counts by cell."""
    total: Tokens = {}
    for part in parts:
        for cell, count in part.items():
            total[cell] = total.get(cell, Fraction(0)) + count
    return _without_zeros(total)


def described(moved: Tokens, kind: str) -> str:
    """A move in words: from where to where, and how many tokens.

    >>> described({("standard", -1, "in_uncached"): Fraction(-5), ("standard", -1, "cache_read"): Fraction(5)},
    ...           "cache_class")
    '5 tokens logged as in_uncached were billed as cache_read'
    """
    place = {"long_context": 1, "service_tier": 0, "cache_class": 2}[kind]
    names = [sorted({_named(cell[place]) for cell, count in moved.items() if (count > 0) is is_over})
             for is_over in (False, True)]  # fmt: skip
    count = sum((count for count in moved.values() if count > 0), Fraction(0))
    logged, billed = (" and ".join(side) for side in names)
    return f"{round(count)} tokens logged as {logged} were billed as {billed}"


def _named(place: str | int) -> str:
    if isinstance(place, str):
        return place
    return "prompts of any length" if place == LOWEST else f"prompts above {place} tokens"
