"""What the first screen of a page answers: is it worth it, how sure, what got worse, what would change our mind."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from project import ROOT
from roi_room import MONTHS, catalog_of, inputs, kpis
from test_reports_edition import END, edition, row

from pipeline.catalog.load import load_catalog
from pipeline.engine.values import PUBLISHED
from pipeline.reports import EditionData, charts, formats, render, rows, sentences
from pipeline.reports.answer import answer
from pipeline.reports.model import Value
from pipeline.reports.worse import due_day, spoken, worse
from pipeline.roi.assemble import evaluate
from pipeline.roi.kpis import with_roi
from pipeline.roi.records import RoiResult, Spread, Swing

D = Decimal
CAUSAL = re.compile(r"\b(because of|led to|caused|causes|thanks to|due to|drove|drives)\b")


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), inputs(), draws=300)


def varied(result: RoiResult, **change: Any) -> RoiResult:
    """The result with something else about the programme as a whole."""
    return replace(result, programme=replace(result.programme, **change))


@pytest.mark.parametrize(
    ("p10", "p90", "begins"),
    [
        ("1", "20", "Worth it: net benefit $10.00 since January 2026, a return of 50.0"),
        ("-20", "-1", "Not worth it on what is measured: net benefit $10.00"),
        ("-1", "20", "Not certain whether it is worth it: net benefit $10.00"),
        ("0", "20", "Not certain whether it is worth it: net benefit $10.00"),
    ],
)
def test_the_answer_follows_from_both_ends(result: RoiResult, p10: str, p90: str, begins: str) -> None:
    """Surely above 0, surely below, or open; an end at exactly 0 is not above."""
    spread = Spread(D(p10), D("10"), D(p90), D("0.93"))
    assert answer(varied(result, net=D("10.00"), roi=D("0.5"), spread=spread)).title.startswith(begins)


def test_an_answer_that_cannot_be_given_says_why(result: RoiResult) -> None:
    """Not enough evidence, not available and not simulated are three states, and none of them is a number of 0."""
    thin = answer(varied(result, status="insufficient evidence", reason="agency: stated", net=None, spread=None))
    assert thin.title == "There is not enough evidence to say whether it is worth what it costs: agency: stated"
    gone = answer(varied(result, status="not available", reason="a cost has no rate", net=None, spread=None))
    assert gone.title == "Whether it is worth what it costs is not available: a cost has no rate"
    assert gone.sure.startswith("No range can be told.")
    assert gone.turns.startswith("a benefit that is measured")
    unsure = answer(varied(result, spread=None))
    assert unsure.title.startswith("How sure it is whether it is worth it cannot be told: net benefit ")


@pytest.mark.parametrize(
    ("chance", "said"),
    [("0", "none of 300 draws"), ("1", "all of 300 draws"), ("0.5", f"50.0{formats.THIN}% of draws")],
)
def test_how_sure_has_range_chance_and_evidence(result: RoiResult, chance: str, said: str) -> None:
    """P10 and P90, how often it is above 0, and the share of counted money behind which a comparison stands."""
    told = answer(varied(result, spread=Spread(D(-5), D(1), D(9), D(chance)))).sure
    assert f"between {formats.MINUS}{formats.JOINER}$5.00 and $9.00 (P10 to P90); it is above $0 in {said}" in told
    counted = {one.grade: one.counted for one in result.grades}
    share = (counted["A"] + counted["B"]) / sum(counted.values())
    assert f"{formats.percent(float(share))} of the benefits that count rest on an experiment" in told


def test_a_month_that_is_not_settled_says_what_is_missing(result: RoiResult) -> None:
    """Contacts of the last month are young: 144 less 30 of review are not counted, the month's costs are."""
    assert "Not settled" not in answer(result).sure
    young = tuple(
        replace(one, status="immature") if (one.kpi_id, one.month) == ("settled", MONTHS[-1]) else one for one in kpis()
    )
    found = evaluate(catalog_of(), inputs(kpis=young), draws=50)
    claimed = next(one.amount for one in found.claims if (one.line, one.month) == ("contacts_settled", MONTHS[-1]))
    assert claimed == 150
    assert answer(found).sure.endswith(
        "Not settled yet: $150.00 that 1 line claims for June 2026 are provisional and not in it, the costs of that "
        "month are."
    )


def test_what_would_change_our_mind_is_the_widest_bar(result: RoiResult) -> None:
    """The input whose ends lie furthest apart; only one whose end has the other sign can turn the answer alone."""
    swings = (Swing("risk", D(5), D(6)), Swing("loaded_rate", D(8), D(2)))
    told = answer(replace(varied(result, net=D(4)), tornado=swings)).turns
    assert told.startswith(
        "no single input within its range; the strongest is loaded rate, with a net benefit of $8.00"
    )
    turning = (Swing("risk", D(5), D(6)), Swing("loaded_rate", D(8), D(-2)))
    told = answer(replace(varied(result, net=D(4)), tornado=turning)).turns
    assert told.startswith("loaded rate alone could turn the answer")


def test_no_sentence_says_what_brought_it_about(result: RoiResult) -> None:
    """Neither the answer nor what got worse has a causal word."""
    told = answer(result)
    lines = " ".join([told.title, told.sure, told.turns, *spoken(worse(rows.indexed(edition()), ["availability"]))])
    assert not CAUSAL.search(lines)


def test_the_first_thing_on_the_page_is_the_answer(result: RoiResult, tmp_path: Path) -> None:
    """Title, then how sure, what got worse and what would change it, before any section."""
    render(edition(roi=result), tmp_path)
    page = (tmp_path / "chief_ai_officer.html").read_text(encoding="utf-8")
    first = page.split("</header>")[1].split("<section")[0]
    assert re.search(r"<h1>(Worth it|Not worth it|Not certain)", first)
    order = [first.index(f"<dt>{said}</dt>") for said in ("How sure", "What got worse", "What would change our mind")]
    assert order == sorted(order)
    other = (tmp_path / "genai_engineer.html").read_text(encoding="utf-8").split("<section")[0]
    assert "<dt>What got worse</dt>" in other
    assert "<dt>How sure</dt>" not in other


def moved(*, now: dict[str, Any], before: dict[str, Any]) -> EditionData:
    """An edition whose availability of the last 28 days, and of the 28 days before, are as given."""
    data = edition()
    values = data.values.copy()
    of = (values["kpi_id"] == "availability") & (values["grain"] == "28d") & (values["dimension"] == "")
    for end, change in ((END, now), (END - timedelta(days=28), before)):
        for column, value in change.items():
            values.loc[of & (values["period_end"] == end), column] = value
    return replace(data, values=values)


@pytest.mark.parametrize(
    ("last", "grain", "due"),
    [
        (date(2026, 11, 20), "day", date(2026, 11, 21)),
        (date(2026, 11, 20), "week", date(2026, 11, 22)),  # a Friday: its week ends on Sunday
        (date(2026, 11, 22), "week", date(2026, 11, 29)),  # a Sunday: the next week has begun
        (date(2026, 11, 20), "month", date(2026, 11, 30)),
        (date(2026, 12, 31), "month", date(2027, 1, 31)),
        (date(2026, 11, 20), "quarter", date(2026, 12, 31)),
        (date(2026, 9, 30), "quarter", date(2026, 12, 31)),
    ],
)
def test_who_acts_is_told_by_when(last: date, grain: str, due: date) -> None:
    """By the end of the period of its cadence that runs now, for its value shows whether it was mended."""
    assert due_day(last, grain) == due


def test_a_target_that_turned_to_missed_got_worse() -> None:
    """Missed now and met before is news; missed twice is not."""
    missed, met = {"verdict": "missed"}, {"verdict": "met"}
    line = worse(rows.indexed(moved(now=missed, before=met)), ["availability"])
    (one,) = line.items
    assert line.title == "1 of the 1 KPI that can be judged"
    assert one.owner == "AI Operations & Monitoring Engineer"
    assert one.href
    assert one.what.startswith("turned to missing its target of at least 99.9")
    assert one.what.endswith("(met)")
    same = worse(rows.indexed(moved(now=missed, before=missed)), ["availability"])
    assert not [one for one in same.items if one.what.startswith("turned")]


def test_a_signal_for_the_worse_got_worse_and_one_for_the_better_did_not() -> None:
    """The made edition has token costs outside of their limits: above usual is worse, below is better."""
    base = edition()
    series = rows.indexed(base).values.series("token_cost_per_session", "day")
    for factor, count in ((1.5, 1), (0.5, 0)):
        values = base.values.copy()
        last = (values["kpi_id"] == "token_cost_per_session") & (values["grain"] == "day")
        last &= (values["period_start"] == series[-1].start) & (values["dimension"] == "")
        values["value"] = values["value"].astype(object)
        values.loc[last, "value"] = factor * 0.0612
        line = worse(rows.indexed(replace(base, values=values)), ["token_cost_per_session"])
        assert len(line.items) == count, factor
    assert line.title.startswith("nothing got worse")


def test_no_data_is_not_the_same_as_nothing_got_worse() -> None:
    """Where no KPI can be judged the line says so."""
    data = edition()
    empty = rows.indexed(replace(data, values=data.values.iloc[:0]))
    assert worse(empty, ["availability"]).title == "no KPI has enough data to tell"


def running(kpi: str = "net_benefit") -> tuple[Any, list[Value]]:
    """A KPI that is a running total, and twelve months of it."""
    metric = load_catalog(ROOT / "metrics_catalog.yaml").metrics[kpi]
    found = [
        Value(kpi, "month", date(2025, month, 1), date(2025 + month // 12, month % 12 + 1, 1), "", "", 1000.0 * month,
              "USD", None, None, 5, None, None, "exact", "computed", "met", "", "0" * 12, "", "", date(2024, 10, 1))
        for month in range(1, 13)
    ]  # fmt: skip
    return metric, found


def test_a_running_total_says_since_when_and_has_no_usual_range() -> None:
    """Each of its values repeats the one before, so neither limits nor a signal are drawn."""
    metric, found = running()
    drawn = charts.chart("net_benefit", metric, found, "Net benefit")
    assert drawn is not None
    assert "limits of the usual range" not in [trace["name"] for trace in drawn.spec["data"]]
    assert "since October 2024 to the end of each month" in drawn.subtitle
    assert "no usual range is drawn" in drawn.subtitle
    assert formats.when(found[-1]) == "since October 2024, to December 2025"
    title = sentences.finding([(found[-1], None, "", metric)])
    assert title == f"Net benefit met its target of at least $0: $12{formats.THIN}000.00 since October 2024"
    plain = charts.chart("net_benefit", metric.model_copy(update={"cumulative": False}), found, "Net benefit")
    assert plain is not None
    assert "limits of the usual range" in [trace["name"] for trace in plain.spec["data"]]


def test_what_is_declared_a_running_total_is_one(result: RoiResult) -> None:
    """Exactly the KPIs whose published months each tell a window that grows from one first month."""
    catalogue = load_catalog(ROOT / "metrics_catalog.yaml")
    frame = with_roi(pd.DataFrame(columns=PUBLISHED), catalogue, result)
    windowed = frame[frame["reason"].astype(str).str.contains(r"2026-01 to 2026-\d\d, \d+ of 36 months")]
    assert len(windowed) >= len(MONTHS)
    declared = {kpi_id for kpi_id, metric in catalogue.metrics.items() if metric.cumulative}
    assert set(windowed["kpi_id"]) == declared


def test_the_row_of_a_value_of_its_period_alone_has_no_since() -> None:
    """Only running totals are given a first month."""
    data = edition()
    made = row(data.catalog, "hours_saved", "month", date(2026, 10, 1), date(2026, 11, 1))
    assert made["kpi_id"] == "hours_saved"
    found = rows.indexed(data).current("hours_saved")
    assert found is not None
    assert formats.when(found) == "October 2026"
