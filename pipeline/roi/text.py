"""The tree of a result and the difference of two results as text for people: numbers that add up by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from pipeline.roi.drawn import Drawn
from pipeline.roi.evaluate import summed
from pipeline.roi.records import FiscalYear, RoiResult, Standing, Worth
from pipeline.roi.results import INSUFFICIENT
from pipeline.roi.tree import Node

_SIGNS = {"sum": " + ", "subtract": " - ", "product": " × ", "divide": " ÷ "}
SHOWN = 24
"""So many parts of a sum are listed unless all are asked for."""
WIDTH = 34


def number(value: Decimal | None, unit: str = "") -> str:
    """A number with thousands apart, and its unit; unknown says so."""
    if value is None:
        return "not available"
    whole, _, digits = f"{abs(value):f}".partition(".")
    grouped = f"{int(whole):,}".replace(",", " ")
    sign = "-" if value < 0 else ""
    return sign + grouped + (f".{digits}" if digits else "") + (f" {unit}" if unit not in ("", "ratio") else "")


def tree_lines(node: Node, depth: int = 0, *, most: int | None = SHOWN) -> Iterator[str]:
    """One line per sum with its parts, at most so many, indented below it; a product stands on one line."""
    pad, note = "  " * depth, f"  [{node.note}]" if node.note else ""
    if node.op in ("given", "remainder", "product") or (node.op == "subtract" and not _has_sums(node)):
        yield f"{pad}{node.name}: {chain(node)}{f'  {node.source}' if node.children else ''}{note}".rstrip()
        return
    source = f"  {node.source}" if node.source else ""
    yield f"{pad}{node.name} = {number(node.value, node.unit)}{source}{note}"
    if node.op in ("divide", "subtract"):
        yield f"{pad}  = {_SIGNS[node.op].join(number(child.value) for child in node.children)}"
    shown = node.children[:most] if node.op == "sum" else node.children
    for child in shown:
        if child.children or child.source or node.op == "sum":
            yield from tree_lines(child, depth + 1, most=most)
    yield from _left_off(node, len(shown), depth)


def _left_off(node: Node, shown: int, depth: int) -> Iterator[str]:
    """How many parts are not listed, what they come to, and how they are."""
    if rest := node.children[shown:]:
        total = summed(child.value for child in rest)
        yield f"{'  ' * depth}  and {len(rest)} more = {number(total, node.unit)} (--all lists them)"


def _has_sums(node: Node) -> bool:
    return any((child.op in ("sum", "divide") and len(child.children) > 1 and _has_sums(child)) or (child.op == "sum"
               and len(child.children) != 1) for child in node.children)  # fmt: skip


def chain(node: Node) -> str:
    """A small tree as a row of sums that can be typed into a calculator, each rounded step with its outcome."""
    if node.op in ("given", "remainder"):
        return number(node.value) + (f" ({node.source})" if node.source else "")
    if node.op == "sum" and len(node.children) == 1:
        return chain(node.children[0])
    first, *others = node.children
    if node.op == "subtract":
        less = "".join(f"; less {one.name.lower()} {chain(one)}" for one in others)
        return f"{chain(first)}{less}; leaves {number(node.value)}"
    if node.op == "product" and first.children and first.op != "remainder" and not any(one.children for one in others):
        steps = " × ".join(number(one.value) for one in others)
        named = ", ".join(one.name for one in others)
        return f"{chain(first)}; × {steps} ({named}) = {number(node.value)}"
    return f"{factors(node)} = {number(node.value)}"


def factors(node: Node) -> str:
    """A product or quotient written out."""
    if node.op == "remainder":
        return f"(1 - {number(node.children[0].value)})"
    if node.op not in ("product", "divide"):
        return number(node.value)
    return _SIGNS[node.op].join(factors(child) for child in node.children)


def figures(node: Node) -> set[tuple[str, str]]:
    """Every figure in a tree, as name and value, and where it stands; rows of one value stand each for itself."""
    own = (f"{node.name} {number(node.value, node.unit)}", f"{node.source}; {node.note}")
    return set().union([own] if _is_figure(node) else [], *map(figures, node.children))


def shared_figures(*held: Drawn | None) -> set[tuple[str, str]]:
    """What stands for all claims and not in the tree, discount rate and weight of grade C, as `figures` has it."""
    told = [one for one in held if one is not None]
    return {
        (f"{one.name} {number(one.base)}", one.source + (f"; {one.low} to {one.high}" if one.low < one.high else ""))
        for one in told
    }


def _is_figure(node: Node) -> bool:
    """Return whether a node is a given number with a source, other than a posting of a cost."""
    return node.op == "given" and bool(node.source) and node.kind != "kpi" and node.unit != "USD"


def year_lines(years: Sequence[FiscalYear]) -> Iterator[str]:
    """A table of benefits, costs and net by fiscal year."""
    if years:
        yield ""
        yield f"{'By fiscal year, not discounted':<{WIDTH}}{'benefits':>18}{'costs':>18}{'net':>18}"
    for one in years:
        label = f"{one.name} ({one.first:%Y-%m} to {one.last:%Y-%m})"
        cells = "".join(f"{number(amount, 'USD'):>18}" for amount in (one.benefits, one.costs, one.net))
        yield f"{label:<{WIDTH}}{cells}"


def beside_lines(trees: Sequence[Node], *, most: int | None = SHOWN) -> Iterator[str]:
    """What a page tells beside the return, tree by tree."""
    if trees:
        yield "\nBeside it, over the same months:"
    for tree in trees:
        yield from _short_lines(tree, 1, most)


def _short_lines(node: Node, depth: int, most: int | None) -> Iterator[str]:
    """A line for what can be typed into a calculator; sums of many parts have their parts below them."""
    pad, note = "  " * depth, f"  [{node.note}]" if node.note else ""
    if not _is_long(node):
        yield f"{pad}{node.name}: {chain(node)} {'' if node.unit == 'ratio' else node.unit}".rstrip() + note
        return
    yield f"{pad}{node.name} = {number(node.value, node.unit)}{note}"
    if node.op != "sum":
        yield f"{pad}  = {_SIGNS[node.op].join(number(child.value) for child in node.children)}"
    shown = node.children[:most]
    for child in shown:
        yield from _short_lines(child, depth + 1, most)
    yield from _left_off(node, len(shown), depth)


def _is_long(node: Node) -> bool:
    return (node.op == "sum" and len(node.children) != 1) or any(map(_is_long, node.children))


def input_lines(inputs: Sequence[Drawn]) -> Iterator[str]:
    """One line per uncertain input: its name, low, base and high, and how it spreads between them."""
    for one in inputs:
        ends = ", ".join(number(Decimal(f"{end.normalize():f}")) for end in (one.low, one.base, one.high))
        yield f"  {one.name}: {one.shape}, {ends}{', kept within 0 to 1' if one.is_share else ''}"


def difference_lines(before: RoiResult, after: RoiResult, changes: dict[str, Decimal]) -> Iterator[str]:
    """What other figures of assumptions do to the result of an edition."""
    for name, value in changes.items():
        yield f"{name}: {', '.join(sorted(_figures(before, name))) or 'not used'} -> {number(value)}"
    yield ""
    yield f"{'':<{WIDTH}}{'edition':>18}{'what if':>18}{'difference':>18}"
    for label, old, new, unit in _compared(before.programme, after.programme):
        apart = None if old is None or new is None else new - old
        cells = "".join(f"{number(one, unit):>18}" for one in (old, new, apart))
        yield f"{label:<{WIDTH}}{cells}"
    moved = [
        (one, two) for one, two in zip(before.lines, after.lines, strict=True)
        if (one.counted, one.status) != (two.counted, two.status)
    ]  # fmt: skip
    for one, two in moved:
        told = one.status if one.status == two.status else f"{one.status} -> {two.status}"
        cells = "".join(f"{number(x, 'USD'):>18}" for x in (one.counted, two.counted, two.counted - one.counted))
        yield f"{one.line:<{WIDTH}}{cells}  {told}"
    if after.programme.status == INSUFFICIENT:
        yield f"! {INSUFFICIENT}: {after.programme.reason}"
    yield from (f"! {problem}" for problem in after.problems if problem not in before.problems)


def scenario_line(before: RoiResult, after: RoiResult, name: str) -> str:
    """Net benefit of a scenario in an edition and under other figures; not available where there is no net benefit."""
    old, new = (one.scenarios.get(name) for one in (before, after))
    apart = None if old is None or new is None else new - old
    cells = "".join(f"{number(one, 'USD'):>18}" for one in (old, new, apart))
    return f"{f'net benefit, scenario {name}':<{WIDTH}}{cells}"


def _figures(result: RoiResult, name: str) -> set[str]:
    return {number(one.base) for one in result.assumptions if _is_named(one, name) and one.base is not None}


def _is_named(one: Standing, name: str) -> bool:
    return one.assumption_id == name or one.assumption_id.startswith(f"{name}.")


def _compared(old: Worth, new: Worth) -> Iterator[tuple[str, Decimal | None, Decimal | None, str]]:
    """The rows of the table: what, before, after, unit."""
    for label, name, unit in _ROWS:
        yield label, _known(old, name), _known(new, name), unit
    for label, name in (("P10 of net benefit", "p10"), ("P50 of net benefit", "p50"), ("P90 of net benefit", "p90")):
        held = [None if one.spread is None else getattr(one.spread, name) for one in (old, new)]
        yield label, held[0], held[1], "USD"
    chances = [None if one.spread is None else one.spread.chance for one in (old, new)]
    yield "chance of a net benefit above 0", chances[0], chances[1], ""


def _known(one: Worth, name: str) -> Decimal | None:
    """A figure of a scope; where there is no evidence, a sum of nothing is not known to be 0."""
    found: Decimal | None = getattr(one, name)
    return None if one.status == INSUFFICIENT and not found else found


_ROWS = (
    ("counted benefits, cash", "cash", "USD"),
    ("counted benefits, capacity", "capacity", "USD"),
    ("claims that do not count at all", "stated", "USD"),
    ("costs", "costs", "USD"),
    ("net benefit (present value)", "net", "USD"),
    ("return", "roi", ""),
    ("break-even realisation", "break_even", ""),
)
