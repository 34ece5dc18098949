"""What the pages show of the return: bridge, fan, memos, and what the analyst must look after."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from roi_room import MONTHS, assumption, catalog_of, inputs, with_assumption
from test_reports_edition import edition
from test_reports_pages import parsed

from pipeline.reports import EditionData, render, words
from pipeline.reports.amounts import in_full, money
from pipeline.reports.drawings import LEFT, PRESENT, bridge, fan, nice_step
from pipeline.reports.evidence import attention
from pipeline.reports.formats import THIN
from pipeline.reports.memos import FOLDER, file_name, memos
from pipeline.reports.model import Figure
from pipeline.reports.returns import files, panel, per_outcome
from pipeline.roi.assemble import evaluate
from pipeline.roi.inputs import Budget, Cost, Invoice
from pipeline.roi.records import RoiResult

D = Decimal
HOSTILE = "<img src=x onerror=hit()>/../coding"


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), inputs(), draws=300)


@pytest.fixture(scope="module")
def data(result: RoiResult) -> EditionData:
    """A made edition with that result, one use case of which has a hostile name."""
    cases = tuple(replace(one, name=HOSTILE) if one.name == "drafting" else one for one in result.use_cases)
    return edition(roi=replace(result, use_cases=cases))


@pytest.fixture(scope="module")
def site(data: EditionData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The edition as pages."""
    out = tmp_path_factory.mktemp("site")
    render(data, out)
    return out


def test_the_bridge_ends_where_its_steps_lead(result: RoiResult) -> None:
    """Each bar begins where the one before ended, and sums span from zero: what is left, and the net benefit."""
    steps = bridge(result)
    whole = result.programme
    assert whole.costs is not None and whole.net is not None
    left = whole.cash + whole.capacity - whole.costs
    assert {one.name: one.amount for one in steps[-5:]} == {
        "Left, in dollars of the day": in_full(left),
        f"Discounting at 8.0{THIN}% a year to January 2026": in_full(whole.net - left),
        "Net benefit, as present value": in_full(whole.net),
        "Claims that do not count at all": in_full(whole.stated),
        "Of them said about another line, never added": in_full(whole.felt),
    }
    gains = [one for one in steps if one.tone == "gain"]
    assert gains[0].x == gains[0].zero
    for before, after in pairwise(gains):
        assert after.x == pytest.approx(before.x + before.width, abs=0.02)
    costs = [one for one in steps if one.tone == "cost"]
    assert costs[0].x + costs[0].width == pytest.approx(gains[-1].x + gains[-1].width, abs=0.02)
    assert all(one.x >= 0 and one.x + one.width <= 100.01 for one in steps)


def test_unknown_costs_leave_the_bridge_without_bars(result: RoiResult) -> None:
    """A bar of an unknown length would be a lie; the amounts that are known still stand."""
    holed = tuple(replace(one, amount=None, reason="no rate") for one in result.costs[:1])
    found = bridge(replace(result, costs=(*holed, *result.costs[1:]), programme=replace(result.programme, costs=None)))
    assert {one.tone for one in found} == {"none"}
    for name in (LEFT, PRESENT):
        assert next(one for one in found if one.name == name).amount.state == "missing"


def amount_of(figure: Figure | str) -> Decimal:
    """The number that a cell prints."""
    assert isinstance(figure, Figure)
    return D(figure.text.replace(THIN, "").replace("$", "").replace("\u2212\u2060", "-"))


def test_every_column_by_use_case_sums_to_the_programme(result: RoiResult) -> None:
    """To the printed cent, also where some bring costs alone; counted less costs is left, discounted the net."""
    found = evaluate(catalog_of(hours_saved={"use_cases": ["coding"]}, felt_hours={"perception_of": None}), inputs(),
                     draws=20)  # fmt: skip
    for held in (result, found):
        told = panel(held)
        *parts, whole = told.use_cases
        cells = [[amount_of(cell) for cell in row.cells] for row in (*parts, whole)]
        assert [sum(column) for column in zip(*cells[:-1], strict=True)] == cells[-1]
        assert (whole.is_sum, cells[-1][-1]) == (True, held.programme.net)
        for counted, costs, left, step, present in cells:
            assert (counted - costs, left + step) == (left, present)
    marks = {row.name: row.mark.word for row in panel(found).use_cases if row.mark}
    assert (marks["drafting"], marks["coding"]) == ("costs only", "net benefit")
    only = [row for row in panel(found).use_cases if row.mark and row.mark.word == "costs only"]
    assert in_full(sum((amount_of(row.cells[-1]) for row in only), D(0))).text in panel(found).costs_only


def test_grades_and_claims_that_do_not_count_agree(result: RoiResult) -> None:
    """On the page and in each memo: claimed = counted + taken off + not counted, and the last is what its row says."""
    stated = {"programme": result.programme.stated} | {one.name: one.stated for one in result.use_cases}
    tables = {"programme": panel(result).grades} | {one.name: one.grades for one in memos(result)}
    assert any(one.felt for one in result.use_cases), "somebody says something about another line"
    for name, rows in tables.items():
        *_, (claimed, counted, off, outside) = [[amount_of(cell) for cell in row.cells] for row in rows]
        assert claimed == counted + off + outside, name
        assert outside == stated[name], name


def test_the_download_tells_the_grades_of_the_page(result: RoiResult) -> None:
    """roi.json has each row of the table, to the cent, of the programme and of each use case."""
    told = json.loads(files(result)["roi.json"], parse_float=D)
    shown = [("programme", told["grades"], panel(result).grades)]
    briefs = {one["name"]: one["brief"] for one in told["use_cases"]}
    shown += [(memo.name, briefs[memo.name]["grades"], memo.grades) for memo in memos(result)]
    names = ("claimed", "counted", "weighed_off", "uncounted")
    for name, grades, rows in shown:
        told_here = [[in_full(D(one[column])) for column in names] for one in grades]
        assert told_here == [list(row.cells) for row in rows if not row.is_sum], name
    assert any(one["felt"] for one in told["grades"])


def test_a_memo_of_costs_alone_tells_the_present_value_of_its_row() -> None:
    """What of the programme's net is costs of a use case of which nothing counts stands in its memo as on the page."""
    spent = Cost("c-9", "drafting", "", "build", MONTHS[2], D(40), "USD", "costs.csv:9")
    found = evaluate(catalog_of(hours_saved={"use_cases": ["coding"]}, felt_hours={"perception_of": None}),
                     inputs(costs=(spent,)), draws=20)  # fmt: skip
    row = next(one for one in panel(found).use_cases if one.name == "drafting")
    memo = next(one for one in memos(found) if one.name == "drafting")
    *_, left, step, present = memo.sums
    assert row.mark is not None
    assert (row.mark.word, present.name) == ("costs only", "Costs only, as present value")
    assert [one.cells[0] for one in (left, step, present)] == list(row.cells[2:])
    assert amount_of(left.cells[0]) + amount_of(step.cells[0]) == amount_of(present.cells[0]) < 0


def test_the_figures_of_a_memo_add_up(result: RoiResult) -> None:
    """Benefits less costs are what is left, and with discounting the net benefit of the use case, to the cent."""
    for memo in memos(result):
        cash, hours, costs, left, step, net = (amount_of(row.cells[0]) for row in memo.sums)
        assert cash + hours + costs == left and left + step == net
        assert net == next(one.net for one in result.use_cases if one.name == memo.name)


def test_the_fan_draws_the_numbers_of_its_table(result: RoiResult) -> None:
    """One row per month with the spread of its point, P10 under P50 under P90."""
    found = fan(result)
    assert found is not None
    assert len(found.rows) == len(result.points) == len(MONTHS)
    last = result.points[-1]
    assert last.net_spread is not None
    spread = [money(one) for one in (last.net_spread.p10, last.net_spread.p50, last.net_spread.p90, last.net)]
    assert list(found.rows[0][1]) == spread
    ys = [float(point.split(",")[1]) for point in found.band.split()]
    low, high = ys[: len(MONTHS)], ys[len(MONTHS) :][::-1]
    middle = [float(point.split(",")[1]) for point in found.lines[0].points.split()]
    assert all(h <= m <= lo for h, m, lo in zip(high, middle, low, strict=True))
    assert "$0" in [text for _, text in found.ticks]
    assert found.note == words.SIMULATED


def test_without_draws_the_fan_shows_benefits_against_costs(result: RoiResult) -> None:
    """When nothing can be told yet, what was spent still can."""
    found = fan(replace(result, points=()))
    assert found is not None
    assert (found.band, found.heads, found.note) == ("", ("Counted benefits", "Costs"), "")
    assert found.rows[0][1] == (money(result.programme.cash + result.programme.capacity), money(result.programme.costs))
    assert fan(replace(result, points=(), programme=replace(result.programme, months=()))) is None


@pytest.mark.parametrize(("span", "step"), [(832_000, 200_000), (5, 1), (5.1, 2), (0.4, 0.1), (10_001, 5000)])
def test_axis_steps_are_round(span: float, step: float) -> None:
    """The smallest of 1, 2, 5 times a power of ten that cuts the span into at most five."""
    assert nice_step(span) == pytest.approx(step)


def test_each_use_case_has_a_memo_that_says_what_the_result_says(result: RoiResult, site: Path) -> None:
    """Decision, rule, range, costs, owner, edition; nothing for what belongs to no use case."""
    assert [one.name for one in memos(result)] == ["coding", "drafting", "support"]
    said = "".join(parsed(site / FOLDER / "coding.html").text)
    worth = next(one for one in result.use_cases if one.name == "coding")
    assert worth.spread is not None
    for text in (
        "Scale: coding is worth more than it costs",
        "Scale when the P10 of net benefit is above 0.",
        f"{money(worth.spread.p10).text} to {money(worth.spread.p90).text}",
        money(worth.costs).text,
        "Nobody answers for it in the portfolio",
        "20 Nov 2026",
    ):
        assert text in said, text


def test_memos_are_linked_and_reach_only_the_folder_of_pages(data: EditionData, site: Path) -> None:
    """From the Chief AI Officer's page; each link of a memo leads to a file that is there."""
    page = (site / "chief_ai_officer.html").read_text(encoding="utf-8")
    assert data.roi is not None
    assert set(re.findall(r'href="(memos/[^"]+)"', page)) == {one.href for one in memos(data.roi)}
    assert {path.name for path in (site / FOLDER).iterdir()} == {one.href.split("/")[1] for one in memos(data.roi)}
    for path in (site / FOLDER).iterdir():
        for _, attrs in parsed(path).tags:
            target = (attrs.get("href") or attrs.get("src") or "").partition("#")
            if target[0] and target[0] != "data:,":
                assert (path.parent / target[0]).resolve().is_file(), (path.name, target)
        tags = parsed(path).tags
        assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags)
        assert not any(tag == "img" or "onerror" in attrs for tag, attrs in tags)


def test_a_name_from_data_never_leaves_the_folder() -> None:
    """Nor does one file take the place of another's."""
    assert re.fullmatch(r"img-src-x-onerror-hit-coding-[0-9a-f]{8}\.html", file_name(HOSTILE))
    assert file_name("../a") != file_name("..\\a")
    assert file_name("Coding") != file_name("coding")


def test_the_page_stays_light_and_the_same(data: EditionData, site: Path, tmp_path: Path) -> None:
    """At most 300 KB; written twice, the same bytes."""
    assert (site / "chief_ai_officer.html").stat().st_size <= 300_000
    for path in render(data, tmp_path):
        assert path.read_bytes() == (site / path.relative_to(tmp_path)).read_bytes(), path.name


def test_the_analyst_sees_what_is_due() -> None:
    """One assumption is unapproved, one ends in 60 days, one in 61; a bill is off by more than a tenth."""
    held = inputs()
    ends = held.as_of + timedelta(days=60)
    rows = with_assumption(assumption("cost_per_contact", "5", "USD/contact", valid_to=ends))
    rows = tuple(replace(one, approved_by="") if one.assumption_id == "loaded_rate" else one for one in rows)
    rows = tuple(
        replace(one, valid_to=ends + timedelta(days=1)) if one.assumption_id == "risk" else one for one in rows
    )
    bills = (*held.invoices[1:], Invoice(MONTHS[0], "USD", D(50), 3))
    found = attention(evaluate(catalog_of(), replace(held, assumptions=rows, invoices=bills), draws=20))
    todo = {one.name: one.cells[0] for one in found.assumptions}
    assert todo == {"cost_per_contact": "renew it: it ends on 29 Aug 2026", "loaded_rate": "have it approved"}
    blocked = [one for one in found.months if one.mark is not None and one.mark.word == "blocked"]
    assert [(one.name, one.cells) for one in blocked][-1] == ("contacts settled", ("support", "January 2026"))
    assert "2 assumptions to act on" in found.title


def test_a_result_without_trouble_says_so(result: RoiResult) -> None:
    """Only then."""
    clean = replace(result, lines=(), assumptions=(), claims=())
    assert attention(clean).title == "Every claim counts, and no assumption needs a hand"
    assert attention(result).title != attention(clean).title


def test_the_analyst_sees_years_and_budgets(site: Path, result: RoiResult) -> None:
    """The year of the programme as its months add up to; a budget nobody told says so and is not $0."""
    whole = result.programme
    assert whole.costs is not None
    page = (site / "roi_metrics_analyst.html").read_text(encoding="utf-8")
    tables = {found[0]: found[1] for found in re.findall(r"<caption>([^<]+)</caption>(.*?)</table>", page, re.S)}
    years = next(body for caption, body in tables.items() if caption.startswith("The programme by fiscal year"))
    gained = whole.cash + whole.capacity
    told = [in_full(one).text for one in (gained, whole.costs, gained - whole.costs)]
    assert re.findall(r'<td class="num">([^<]+)</td>', years) == told
    assert "<td>January 2026 to June 2026 only</td>" in years
    budgets = next(body for caption, body in tables.items() if "approved budget" in caption)
    assert "a variance above $0 is overspent" in page
    assert budgets.count("no budget was told") == 3 * (len(result.use_cases) + 1)


def test_the_analyst_sees_what_was_overspent() -> None:
    """500 for support in January 2026, where 502.50 was spent: 2.50 more; a cost without a rate leaves a reason."""
    budget = Budget(MONTHS[0], "support", D(500), "USD", "Finance director", date(2025, 12, 1), "budgets.csv:2")
    found = attention(evaluate(catalog_of(), replace(inputs(), budgets=(budget,)), draws=20))
    rows = {one.name: one.cells for one in found.budgets}
    assert rows["support"] == (in_full(D(500)), in_full(D("502.50")), in_full(D("2.50")), "January 2026")
    abroad = Cost("c-9", "support", "", "build", MONTHS[0], D(40), "EUR", "costs.csv:9")
    found = attention(evaluate(catalog_of(), replace(inputs(), budgets=(budget,), costs=(abroad,)), draws=20))
    spent = {one.name: one.cells[1] for one in found.budgets}["support"]
    assert isinstance(spent, Figure) and (spent.state, spent.why) == ("missing", "no rate of EUR in USD for 2026-01-01")
    assert [one.cells[1].state for one in found.years if isinstance(one.cells[1], Figure)] == ["missing"]


@pytest.mark.parametrize(
    ("outcomes", "cost", "said"),
    [
        (None, None, Figure("not available", "missing", "verified outcomes are not known of every month")),
        (Decimal(0), None, Figure("not available", "missing", "no verified outcomes")),
        (Decimal(4), Decimal("2.50"), Figure("$2.50", "value")),
    ],
)
def test_what_an_outcome_cost_says_why_it_is_not_known(
    result: RoiResult, outcomes: Decimal | None, cost: Decimal | None, said: Figure
) -> None:
    """Withheld or uncounted outcomes are unknown, which is another thing than none."""
    assert per_outcome(replace(result.programme, outcomes=outcomes, cost_per_outcome=cost)) == said
