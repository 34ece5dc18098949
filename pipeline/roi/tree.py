"""A result as a tree of arithmetic: every node says how it comes from its children, down to KPI values and rows.

The operations are few, so that anybody can check them: `sum`, `subtract` (the first less the others), `product`,
`divide` (the first by the second), `remainder` (1 - the child), `magnitude` (without its sign), `first_at_zero` (the
place, from 1, at which the running sum of the children reaches zero) and `given`. `places` is the number of decimals
the outcome is rounded to, half away from zero; None when it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from pipeline.roi.evaluate import summed
from pipeline.roi.records import Bill, Claim, CostItem, LineSummary, Point, RoiResult, Term

MONEY, RATIO = 2, 6


@dataclass(frozen=True)
class Node:
    """One number and how it comes from its children."""

    name: str
    op: str
    value: Decimal | None
    unit: str
    children: tuple[Node, ...] = ()
    places: int | None = None
    source: str = ""
    note: str = ""
    kind: str = ""
    """kpi, assumption or effect, of a number that is given; the ledger, of the sum of a line."""
    input: str = ""
    """The input of the simulation whose draws take the place of a given number; empty where it is always the same."""


@dataclass(frozen=True)
class Held:
    """The claims and costs of the months that a point looks back over, and the point."""

    result: RoiResult
    point: Point

    @property
    def claims(self) -> list[Claim]:
        """Claims of the window."""
        return [one for one in self.result.claims if self.point.since <= one.month <= self.point.month]

    @property
    def costs(self) -> list[CostItem]:
        """Costs of the window."""
        return [one for one in self.result.costs if self.point.since <= one.month <= self.point.month]


def tree_of(result: RoiResult, kpi_id: str, month: date | None = None) -> Node | None:
    """The tree of a KPI of the model in a month, the last one when none is given; None when there is no such month."""
    points = [one for one in result.points if month in (None, one.month)]
    return TREES[kpi_id](Held(result, points[-1])) if points else None


def _roi(held: Held) -> Node:
    point, benefits, costs = held.point, _benefits(held), _costs(held)
    net = Node("net benefit", "subtract", point.net, "USD", (benefits, costs))
    if point.net is None:
        return replace(net, note=_why(point))
    bottom = Node("present value of costs, as above", "given", point.pv_costs, "USD")
    why = "" if point.roi is not None else "nothing was spent, so there is nothing to divide by"
    return Node("return on the programme", "divide", point.roi, "ratio", (net, bottom), RATIO, note=why)


def _net(held: Held) -> Node:
    benefits, costs = _benefits(held), _costs(held)
    return Node("net benefit", "subtract", held.point.net, "USD", (benefits, costs), note=_why(held.point))


def _why(point: Point) -> str:
    return f"{point.status}: {point.reason}" if point.reason else ""


def _payback(held: Held) -> Node:
    """Benefits less costs by month, until their running sum reaches zero."""
    months = [one for one in held.result.programme.months if held.point.since <= one.month <= held.point.month]
    flows = tuple(
        Node(
            f"{one.month:%Y-%m}", "subtract", one.net, "USD",
            (Node("counted benefits", "given", one.benefits, "USD"), Node("costs", "given", one.costs, "USD")),
        )
        for one in months
    )  # fmt: skip
    value = None if held.point.payback is None else Decimal(held.point.payback)
    return Node("payback time", "first_at_zero", value, "months", flows, note=held.point.payback_reason)


def _savings(held: Held) -> Node:
    """Cash of the month that no longer leaves."""
    lines = set(held.result.saving_lines)
    held_now = [one for one in held.result.claims if one.month == held.point.month and one.line in lines]
    parts = tuple(counted_node(one) for one in held_now if one.is_in_headline)
    return Node("cost savings", "sum", held.point.savings, "USD", parts)


def _evidence(held: Held) -> Node:
    month = held.point.month
    claims = [one for one in held.result.claims if one.month == month and one.amount is not None and one.is_claim]
    backed = [one for one in claims if one.grade in ("A", "B") and one.is_in_headline]
    top, bottom = (
        Node(name, "sum", summed(one.amount for one in part), "USD", tuple(amount_node(one) for one in part))
        for name, part in (("claims of grade A or B that count", backed), ("all claims", claims))
    )
    value = top.value / bottom.value if top.value is not None and bottom.value else None
    shown = None if value is None else value.quantize(Decimal("0.000001"))
    return Node("benefits backed by evidence", "divide", shown, "ratio", (top, bottom), RATIO)


def _gap(held: Held) -> Node:
    bill = next((one for one in held.result.bills if one.month == held.point.month), None)
    if bill is None or bill.gap is None:
        return Node("gap of the bill", "given", None, "ratio", note=bill.reason if bill else "nothing was billed")
    return _bill_node(held, bill)


def _bill_node(held: Held, bill: Bill) -> Node:
    cells = [one for one in held.result.costs if one.month == bill.month and one.place == "calls"]
    telemetry = Node("telemetry", "sum", bill.telemetry, "USD", tuple(cost_node(one) for one in cells))
    invoice = Node("invoice", "given", bill.invoice, "USD", source=f"{bill.lines} lines of cost_ledger")
    apart = Node(
        "telemetry less invoice", "subtract", bill.telemetry - (bill.invoice or 0), "USD", (telemetry, invoice)
    )
    top = Node("difference", "magnitude", bill.numerator, "USD", (apart,))
    return Node("gap of the bill", "divide", bill.gap, "ratio", (top, invoice), RATIO)


def _benefits(held: Held) -> Node:
    """Present value of benefits, line by line."""
    lines = tuple(
        Node(
            f"{line.line} (grade {line.grade})", "sum", summed(one.present for one in mine), "USD",
            tuple(present_node(one) for one in mine if one.is_in_headline),
            source=_formula(mine[0]),
            note=_standing(line),
            kind=line.ledger,
        )
        for line in held.result.lines
        if (mine := [one for one in held.claims if one.line == line.line])
    )  # fmt: skip
    return _rebased(
        Node("present value of benefits", "sum", summed(one.present for one in held.claims), "USD", lines), held
    )


def _standing(line: LineSummary) -> str:
    """How a line stands and why; reasons begin with how their claims stand."""
    return (
        line.reason
        if line.reason.startswith(f"{line.status}: ")
        else "; ".join(filter(None, (line.status, line.reason)))
    )


def _formula(claim: Claim) -> str:
    """The factors of a claim by name, in the order in which they are multiplied."""
    names = [
        f"(1 - {term.name})" if term.is_remainder else term.name for term in claim.terms if term.kind != "conversion"
    ]
    divisors = "".join(f" ÷ {term.name}" for term in claim.terms if term.kind == "conversion")
    return f"each {' × '.join(names)}{divisors}"


def _costs(held: Held) -> Node:
    """Present value of costs, category by category, what is unknown first; it leaves every sum above it unknown."""
    names = dict.fromkeys(one.category for one in held.costs)
    parts = []
    for name in sorted(names):
        mine = sorted((one for one in held.costs if one.category == name), key=lambda one: one.present is not None)
        parts.append(Node(name, "sum", summed(one.present for one in mine), "USD", tuple(map(present_cost, mine))))
    return _rebased(
        Node("present value of costs", "sum", summed(one.present for one in held.costs), "USD", tuple(parts)), held
    )


def _rebased(node: Node, held: Held) -> Node:
    """A sum moved to the first month of the window, when that is not the programme's first."""
    base = held.point.base
    if base == 1:
        return node
    value = held.point.pv_costs if node.name.endswith("costs") else held.point.pv_benefits
    factor = Node(f"discount factor of {held.point.since:%Y-%m}", "given", base, "ratio")
    return Node(f"{node.name}, in money of {held.point.since:%Y-%m}", "divide", value, "USD", (node, factor), MONEY)


def term_node(term: Term) -> Node:
    """A factor with where it comes from."""
    bounds = "" if term.low is None or term.low == term.high else f"{term.low.normalize():f} to {term.high or 0:f}"
    note = ", ".join(part for part in (term.standing, bounds) if part)
    source = f"{term.key}: {term.source}" if term.kind == "assumption" and term.key else term.source
    drawn = term.key if term.draws_as else ""
    held = Node(term.name, "given", term.value, term.unit, source=source, note=note, kind=term.kind, input=drawn)
    return Node(f"1 - {term.name}", "remainder", term.factor, "ratio", (held,)) if term.is_remainder else held


def product_node(name: str, terms: Iterable[Term], value: Decimal | None) -> Node:
    """A product of terms to the cent; what converts minutes into hours divides it."""
    held = list(terms)
    factors = tuple(term_node(term) for term in held if term.kind != "conversion")
    divisors = [term for term in held if term.kind == "conversion"]
    if not divisors:
        return Node(name, "product", value, "USD", factors, MONEY)
    inner = Node("product", "product", _multiplied(factors), "USD·min/h", factors)
    below = Node("minutes per hour", "product", _multiplied(tuple(map(term_node, divisors))), "min/h",
                 tuple(map(term_node, divisors)))  # fmt: skip
    return Node(name, "divide", value, "USD", (inner, below), MONEY)


def _multiplied(nodes: tuple[Node, ...]) -> Decimal | None:
    total = Decimal(1)
    for node in nodes:
        if node.value is None:
            return None
        total *= node.value
    return total


def amount_node(claim: Claim) -> Node:
    """What a claim comes to before it is weighed: gross less deductions."""
    gross = product_node("gross", claim.terms, claim.gross)
    if not claim.deductions:
        return Node(_named(claim), "sum", claim.amount, "USD", (gross,), note=claim.status)
    taken = tuple(product_node(one.name, one.terms, one.amount) for one in claim.deductions)
    return Node(_named(claim), "subtract", claim.amount, "USD", (gross, *taken), note=claim.status)


def _named(claim: Claim) -> str:
    return f"{claim.line}, {claim.use_case}, {claim.month:%Y-%m}"


def counted_node(claim: Claim) -> Node:
    """What of a claim counts: its amount times the weight of its evidence."""
    weight = Node(f"weight of grade {claim.grade}", "given", claim.weight, "ratio")
    return Node(f"{_named(claim)}, counted", "product", claim.counted, "USD", (amount_node(claim), weight), MONEY)


def present_node(claim: Claim) -> Node:
    """What of a claim counts, in money of the first month."""
    factor = Node(f"discount factor of {claim.month:%Y-%m}", "given", claim.discount, "ratio")
    return Node(
        f"{_named(claim)}, present value", "product", claim.present, "USD", (counted_node(claim), factor), MONEY
    )


def cost_node(item: CostItem) -> Node:
    """A cost with its posting."""
    where = item.use_case or "whole programme"
    source = item.how if item.place in ("calls", "") else f"{item.how} ({item.place})"
    return Node(
        f"{item.category}, {where}, {item.month:%Y-%m}", "given", item.amount, "USD", source=source, note=item.reason
    )


def present_cost(item: CostItem) -> Node:
    """A cost in money of the first month."""
    factor = Node(f"discount factor of {item.month:%Y-%m}", "given", item.discount, "ratio")
    held = cost_node(item)
    parts = (replace(held, source=""), factor)
    return Node(f"{held.name}, present value", "product", item.present, "USD", parts, MONEY, held.source)


TREES: dict[str, Callable[[Held], Node]] = {
    "programme_roi": _roi,
    "net_benefit": _net,
    "payback_months": _payback,
    "cost_savings": _savings,
    "evidence_backed_benefit_share": _evidence,
    "bill_reconciliation_gap": _gap,
}
"""The KPIs of the model, and how each becomes a tree."""
