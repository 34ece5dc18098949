"""The printed tree: recomputed by an evaluator of its own from the JSON alone, and readable by hand."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate
from typing import Any

import pytest
from roi_room import ASSUMPTIONS, COSTS, MONTHS, assumption, catalog_of, inputs, kpi

from pipeline.errors import ConfigurationError
from pipeline.reports.evidence import _year
from pipeline.roi.assemble import evaluate
from pipeline.roi.beside import beside
from pipeline.roi.claims import cents
from pipeline.roi.inputs import Cost, Invoice, months_between
from pipeline.roi.records import RoiResult
from pipeline.roi.scoped import names_of, scoped
from pipeline.roi.store import plain
from pipeline.roi.text import beside_lines, difference_lines, figures, input_lines, number, tree_lines
from pipeline.roi.tree import TREES, Held, tree_of

D = Decimal
METRICS = {
    "programme_roi": ("roi", 6), "net_benefit": ("net", 2), "payback_months": ("payback", 0),
    "cost_savings": ("savings", 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), inputs(), draws=200)


def recomputed(node: dict[str, Any]) -> Decimal | None:
    """The value of a node from its leaves, by nothing but what the tree says; every inner value is held to it."""
    if node["op"] == "given":
        return None if node["value"] is None else D(node["value"])
    parts = [recomputed(child) for child in node["children"]]
    if None in parts or (not parts and node["op"] != "sum"):
        assert node["value"] is None, f"{node['name']}: told {node['value']}, of unknown parts"
        return None
    known = [part for part in parts if part is not None]
    value = operated(node["op"], known)
    if value is not None and node["places"] is not None:
        value = value.quantize(D(1).scaleb(-node["places"]), ROUND_HALF_UP)
    told = None if node["value"] is None else D(node["value"])
    assert told == value, f"{node['name']}: told {told}, recomputed {value}"
    return value


def operated(op: str, parts: list[Decimal]) -> Decimal | None:
    """One operation of the tree."""
    if op == "sum":
        return sum(parts, D(0))
    if op == "subtract":
        return parts[0] - sum(parts[1:], D(0))
    if op == "product":
        total = D(1)
        for part in parts:
            total *= part
        return total
    if op == "first_at_zero":
        return next((D(place) for place, total in enumerate(accumulate(parts), 1) if total >= 0), None)
    return {"divide": lambda: parts[0] / parts[1] if parts[1] else None, "remainder": lambda: 1 - parts[0],
            "magnitude": lambda: abs(parts[0])}[op]()  # fmt: skip


@pytest.mark.parametrize("kpi_id", TREES)
def test_every_node_is_what_its_children_make(result: RoiResult, kpi_id: str) -> None:
    """For every KPI of the model and every month, from the printed JSON alone."""
    for month in MONTHS:
        tree = tree_of(result, kpi_id, month)
        assert tree is not None
        value = recomputed(json.loads(json.dumps(plain(tree))))
        point = next(one for one in result.points if one.month == month)
        if kpi_id in METRICS:
            told = getattr(point, METRICS[kpi_id][0])
            assert value == (None if told is None else D(told)), month


def test_a_moved_window_is_recomputed_too() -> None:
    """40 months: present values are divided by the discount factor of the window's first month."""
    months = months_between(MONTHS[0].replace(year=2023, month=3), MONTHS[-1])
    found = evaluate(
        catalog_of(),
        inputs(kpis=tuple(kpi("settled", "numerator", month, "100") for month in months),
               assumptions=tuple(assumption(one.assumption_id, str(one.base), one.unit, valid_from=months[0])
                                 for one in ASSUMPTIONS)),
        draws=20,
    )  # fmt: skip
    tree = tree_of(found, "programme_roi")
    assert tree is not None
    assert recomputed(json.loads(json.dumps(plain(tree)))) == found.points[-1].roi
    assert any("in money of 2023-07" in line for line in tree_lines(tree))


def test_the_text_adds_up_by_hand(result: RoiResult) -> None:
    """One line of a claim, typed into a calculator."""
    tree = tree_of(result, "net_benefit", MONTHS[0])
    assert tree is not None
    lines = list(tree_lines(tree))
    told = next(line for line in lines if "contacts_settled, support, 2026-01" in line)
    assert told.strip().startswith(
        "contacts_settled, support, 2026-01, present value: 100 × 5 × 0.8 × 0.5 × (1 - 0.1) = 180.00; "
        "less review 10 × 3 × 60 ÷ 60 = 30.00; leaves 150.00; × 1 (weight of grade A) = 150.00; "
        "× 1.00000000 (discount factor of 2026-01) = 150.00"
    )
    assert lines[0] == "net benefit = -193.70 USD"
    assert "  = 312.00 - 505.70" in lines


def test_no_line_of_text_hides_a_part(result: RoiResult) -> None:
    """The lines of a sum, and what is left off, come to the sum."""
    tree = tree_of(result, "programme_roi")
    assert tree is not None
    lines = list(tree_lines(tree))
    place = next(i for i, line in enumerate(lines) if "present value of costs" in line)
    pad = len(lines[place]) - len(lines[place].lstrip())
    below = [line for line in lines[place + 1 :] if re.match(rf" {{{pad + 2}}}\w", line)]
    amounts = [D(re.findall(r"= (-?[\d ]+\.\d\d) USD", line)[0].replace(" ", "")) for line in below]
    assert sum(amounts) == result.programme.pv_costs


def test_a_cost_without_a_rate_leaves_every_sum_above_it_unknown() -> None:
    """One licence billed in a currency that nobody gave a rate for: listed first, and nothing is told as if free."""
    licence = Cost("c-9", "coding", "", "build", date(2026, 2, 15), D("40"), "EUR", "costs.csv:9")
    found = evaluate(catalog_of(), inputs(costs=(*COSTS, licence)), draws=20)
    tree = tree_of(found, "net_benefit")
    assert tree is not None
    assert recomputed(json.loads(json.dumps(plain(tree)))) is None
    costs = next(child for child in tree.children if child.name == "present value of costs")
    build = next(child for child in costs.children if child.name == "build")
    assert (tree.value, costs.value, build.value, build.children[0].value) == (None, None, None, None)
    assert next(child for child in costs.children if child.name == "training").value == D("59.78"), "60.55 x 0.98726"
    text = "\n".join(tree_lines(tree))
    assert "present value of costs = not available" in text
    assert "costs.csv:9" in text


def test_an_assumption_is_cited_by_its_own_row(result: RoiResult) -> None:
    """Two assumptions of the same value stand each for itself."""
    tree = tree_of(result, "net_benefit")
    assert tree is not None
    places = [place for name, place in figures(tree) if name.startswith("risk")]
    assert places and all(place.startswith("risk: A contract (assumptions.csv:2)") for place in places)


def test_numbers_read_as_people_write_them() -> None:
    """Thousands apart, the unit behind, unknown in words."""
    assert number(D("-1234567.50"), "USD") == "-1 234 567.50 USD"
    assert (number(D("0.25"), "ratio"), number(None)) == ("0.25", "not available")


def test_a_month_that_is_not_there_has_no_tree(result: RoiResult) -> None:
    """Nor a value made up for it."""
    assert tree_of(result, "programme_roi", MONTHS[0].replace(year=2020)) is None


def test_the_bill_is_explained_by_its_cells() -> None:
    """0.60 of 6.10 apart: 0.098361."""
    found = evaluate(catalog_of(), inputs(invoices=(Invoice(MONTHS[0], "USD", D("6.1"), 3),)), draws=20)
    tree = tree_of(found, "bill_reconciliation_gap", MONTHS[0])
    assert tree is not None
    assert (
        recomputed(json.loads(json.dumps(plain(tree))))
        == D("0.098361")
        == (D("0.6") / D("6.1")).quantize(D("0.000001"))
    )


def test_what_if_moves_what_was_asked_and_nothing_else() -> None:
    """Risk from 0.1 to 0.28: the gross of a contact line falls from 180 to 144, review stays, so 114 a month."""
    from pipeline.returns import _changed, parse_changes

    held = inputs()
    before = evaluate(catalog_of(), held, draws=50)
    changes = parse_changes(["risk=0.28"])
    after = evaluate(catalog_of(), _changed(held, before, changes), draws=50)
    lines = {one.line: one.counted for one in after.lines}
    assert lines["contacts_settled"] == 6 * (100 * 5 * D("0.8") * D("0.5") * (1 - D("0.28")) - 30) == 6 * D("114")
    assert before == evaluate(catalog_of(), held, draws=50)
    text = "\n".join(difference_lines(before, after, changes))
    assert text.startswith("risk: 0.1 -> 0.28\n")
    assert re.search(r"contacts_settled +900.00 USD +684.00 USD +-216.00 USD  counted", text)


def test_what_if_sets_what_the_register_lacks() -> None:
    """The realisation of hours, which is the model's own until somebody approves one."""
    from pipeline.returns import _changed

    held = inputs()
    before = evaluate(catalog_of(), held, draws=50)
    after = evaluate(catalog_of(), _changed(held, before, {"realisation": D("0.5")}), draws=50)
    told = {one.line: one.counted for one in after.lines}
    assert told["hours_saved"] == 2 * D("972.00")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["risk"], "found 'risk', expected assumption=number, such as risk=0.1"),
        (["risk=high"], "found 'risk=high', expected assumption=number"),
    ],
)
def test_a_change_that_cannot_be_read_is_refused(texts: list[str], message: str) -> None:
    """With what was found and what was expected."""
    from pipeline.returns import parse_changes

    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_changes(texts)


def test_an_assumption_nobody_asks_for_is_refused(result: RoiResult) -> None:
    """With the one that was meant."""
    from pipeline.returns import _changed

    with pytest.raises(ConfigurationError, match=re.escape("found 'risc'; did you mean risk?")):
        _changed(inputs(), result, {"risc": D(1)})


def test_what_stands_beside_the_return_adds_up(result: RoiResult) -> None:
    """Every tree beside it, from its JSON; felt hours are 6 × 30, measured ones 6 × 10, outcomes 6 × 7."""
    held = Held(result, result.points[-1])
    trees = beside(held, {month: D("7.00") for month in MONTHS})
    for tree in json.loads(json.dumps(plain(trees))):
        recomputed(tree)
    assert result.programme.costs is not None
    assert trees[-1].value == cents(result.programme.costs / 42)
    assert [tree.value for tree in trees if tree.name.startswith("hours")] == [D("180.00"), D("60.00")]
    even = next(one for one in trees if one.name.startswith("break"))
    assert even.value is not None and even.value < 0
    assert even.note == result.programme.break_even_reason == "not needed: it pays without any of the freed capacity"


def test_the_text_beside_the_return_can_be_typed(result: RoiResult) -> None:
    """A claim that does not count on one line with its standing, hours on one line, inputs with their ends."""
    lines = list(beside_lines(beside(Held(result, result.points[-1]), {})))
    assert (
        "    agency, drafting, 2026-01: 400 × 0.8 × 0.5 × (1 - 0.1) = 144.00 USD  "
        "[grade E; stated, not measured: A plan]" in lines
    )
    assert "    hours of felt_hours, drafting, 2026-01: 30 = 30.000000 h" in lines
    told = list(input_lines(result.simulated.inputs))
    assert "  cost_per_contact: pert, 4, 5, 7" in told
    assert "  risk: pert, 0.05, 0.1, 0.2, kept within 0 to 1" in told


@pytest.mark.parametrize(("dimension", "part"), [("use_case", "use_cases"), ("business_unit", "business_units")])
def test_the_tree_of_a_part_is_what_a_page_says_of_it(result: RoiResult, dimension: str, part: str) -> None:
    """Each use case and unit, and what belongs to none: the same numbers from the leaves; together the programme."""
    present = D(0)
    for name, worth in zip(names_of(result, dimension), getattr(result, part), strict=True):
        held = scoped(result, dimension, name)
        assert held is not None
        values = {}
        for kpi_id in ("net_benefit", "programme_roi", "payback_months"):
            tree = tree_of(held, kpi_id)
            assert tree is not None
            values[kpi_id] = recomputed(json.loads(json.dumps(plain(tree)))) if worth.net is not None else tree.value
        paid = None if worth.payback is None else D(worth.payback)
        assert values == {"net_benefit": worth.net, "programme_roi": worth.roi, "payback_months": paid}, name
        assert held.points[-1].net_spread == worth.spread
        present += sum((one.present or D(0) for one in held.claims), D(0))
        present -= sum((one.present or D(0) for one in held.costs), D(0))
    assert present == result.programme.net
    assert scoped(result, dimension, "nobody") is None


def test_a_part_without_a_claim_says_why() -> None:
    """And one with a cost nobody can tell."""
    licence = Cost("c-9", "coding", "", "build", date(2026, 2, 15), D("40"), "EUR", "costs.csv:9")
    found = evaluate(catalog_of(), inputs(costs=(*COSTS, licence)), draws=20)
    nobody, coding = scoped(found, "use_case", "none"), scoped(found, "use_case", "coding")
    assert nobody is not None and coding is not None
    assert (nobody.points[-1].status, nobody.points[-1].net) == ("insufficient evidence", None)
    assert coding.points[-1].status == "not available"
    assert coding.points[0].status == "computed", "in January nothing is unknown yet"
    gained = 20 * 60 * D("0.8") * D("0.25") * (1 - D("0.1")) * D("0.5")
    assert coding.points[0].net == gained - D("3.00"), "20 hours, grade C, less calls of 3.004"


def test_all_parts_of_a_sum_are_listed_when_asked_for(result: RoiResult) -> None:
    """By default at most so many, with what is left off and how to see it; else each."""
    tree = tree_of(result, "programme_roi")
    assert tree is not None
    few, every = list(tree_lines(tree, most=2)), list(tree_lines(tree, most=None))
    assert any(line.endswith("(--all lists them)") for line in few)
    assert not any("--all" in line for line in every)
    assert sum("present value:" in line for line in every) == len(
        [one for one in result.claims if one.is_in_headline]) + len(result.costs)  # fmt: skip


class TestNothingIsKnown:
    """A register without any figure: what cannot be told is never nothing."""

    @pytest.fixture(scope="class")
    def unknown(self) -> RoiResult:
        """The small programme, of which nobody has approved a figure."""
        return evaluate(catalog_of(), inputs(assumptions=()), draws=50)

    def test_the_formula_of_a_line_is_that_of_known_figures(self, unknown: RoiResult, result: RoiResult) -> None:
        """What is taken from one stays taken from one."""
        assert _formulas(unknown) == _formulas(result)
        assert any("(1 - risk)" in one for one in _formulas(unknown).values())

    def test_a_line_says_once_how_it_stands(self, unknown: RoiResult) -> None:
        """The reason names it; it is not said before that again."""
        tree = tree_of(unknown, "net_benefit")
        assert tree is not None
        for line in tree.children[0].children:
            assert line.note.startswith("not available: ")

    def test_no_year_has_benefits(self, unknown: RoiResult, result: RoiResult) -> None:
        """Costs are known, benefits and what is left are not."""
        for one, known in zip(unknown.programme.years, result.programme.years, strict=True):
            assert (one.benefits, one.costs, one.net) == (None, known.costs, None)
        cells = _year(unknown.programme.years[0]).cells
        assert [cells[0].why, cells[2].why] == ["no line of benefit can be told"] * 2

    def test_no_claim_is_no_sum(self, unknown: RoiResult) -> None:
        """Claims that cannot be told come to nothing known beside the return, and say so."""
        trees = {one.name: one for one in beside(Held(unknown, unknown.points[-1]), {})}
        held = trees["claimed, not counted"]
        assert (held.value, held.note) == (None, "no claim can be told")


def _formulas(held: RoiResult) -> dict[str, str]:
    """Line -> its factors by name."""
    tree = tree_of(held, "net_benefit")
    assert tree is not None
    return {one.name.split(" ")[0]: one.source for one in tree.children[0].children}
