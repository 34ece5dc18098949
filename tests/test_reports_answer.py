"""What the first screen of a page answers: is it worth it, how sure, what got worse, what would change our mind."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from project import ROOT
from roi_room import MONTHS, catalog_of, inputs
from roi_room import kpis as made_kpis
from test_reports_edition import END, edition, row

from pipeline.catalog.load import load_catalog
from pipeline.engine.values import PUBLISHED
from pipeline.reports import EditionData, charts, digest, downloads, formats, kpis, render, rows, sentences
from pipeline.reports.amounts import money
from pipeline.reports.answer import answer
from pipeline.reports.model import Value
from pipeline.reports.worse import RULE, due_day, spoken, worse
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
        ("1", "20", "Worth it: net benefit $10.00 as present value since January 2026, a return of 50.0"),
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
    backed, counted_in_all = (money(sum(one, D(0))).text for one in ((counted["A"], counted["B"]), counted.values()))
    assert (
        f"{formats.percent(float(share))} of the benefits that count ({backed} of {counted_in_all}) rest on an" in told
    )


def test_a_month_that_is_not_settled_says_what_is_missing(result: RoiResult) -> None:
    """Contacts of the last month are young: 144 less 30 of review are not counted, the month's costs are."""
    assert "Not settled" not in answer(result).sure
    young = tuple(
        replace(one, status="immature") if (one.kpi_id, one.month) == ("settled", MONTHS[-1]) else one
        for one in made_kpis()
    )
    found = evaluate(catalog_of(), inputs(kpis=young), draws=50)
    claimed = next(one.amount for one in found.claims if (one.line, one.month) == ("contacts_settled", MONTHS[-1]))
    assert claimed == 150
    assert answer(found).sure.endswith(
        "Not settled yet: $150.00 that 1 line claims for June 2026, before the weight of their evidence, are "
        "provisional and not in it; the costs of that month are."
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
    ends = {"low": D(-30), "base": D(4), "high": D(20)}
    told = answer(replace(varied(result, net=D(4)), tornado=swings, scenarios=ends)).turns
    assert "; with every figure at its worst or best at once, which is far rarer than P10 or P90, it is" in told
    assert "-$30.00 to $20.00; break-even" in told.replace("\u2212\u2060", "-")
    assert "at once" not in answer(replace(varied(result, net=D(4)), tornado=swings, scenarios={})).turns


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


@pytest.mark.parametrize(("before", "stood"), [("met", "met"), ("inconclusive", "was open on")])
def test_a_target_that_is_missed_and_was_not_before_got_worse(before: str, stood: str) -> None:
    """Missed now and met or open before is news, with when it is told again."""
    line = worse(rows.indexed(moved(now={"verdict": "missed"}, before={"verdict": before})), ["availability"])
    (one,) = line.items
    assert line.title == "1 of the 1 KPI with a target or a usual range"
    assert one.owner == "AI Operations & Monitoring Engineer"
    assert one.href
    assert one.what.startswith(f"{stood} its target of at least 99.9")
    assert " and misses it now: " in one.what
    assert one.due == "next value due 21 Nov 2026", "a daily KPI, and data through the 20th"


def test_a_target_missed_twice_did_not_get_worse() -> None:
    """What was missed before is no news."""
    missed = {"verdict": "missed"}
    line = worse(rows.indexed(moved(now=missed, before=missed)), ["availability"])
    assert not [one for one in line.items if "misses it now" in one.what]


@pytest.mark.parametrize(("value", "says"), [(0.989, True), (0.991, False), (0.99, False)])
def test_a_target_missed_twice_and_by_more_is_told_beside_the_line(value: float, says: bool) -> None:
    """It counts as no worse, for no signal says so; but whoever reads the line hears of it, in mail as well."""
    quiet = {"verdict": "missed", "signal": "none"}
    line = worse(rows.indexed(moved(now=quiet | {"value": value}, before=quiet | {"value": 0.99})), ["availability"])
    assert line.items == ()
    now, before = (f"{amount}\u202f%" for amount in ("98.9", "99.0"))
    rule = "Missed before as well, and farther from the target now, though no signal says worse"
    told = f"{rule}: Availability {now} ({before} before; AI Operations & Monitoring Engineer)."
    assert line.still == (told if says else "")
    assert (told in list(spoken(line))) == says


@pytest.mark.parametrize(("signal", "says"), [("none", True), ("trial", True), ("shift", False), ("", False)])
def test_a_missed_target_within_the_usual_range_says_both(signal: str, says: bool) -> None:
    """The verdict and the usual range are two rules: where only the first tripped, the line says so itself."""
    data = moved(now={"verdict": "missed"}, before={"verdict": "met"})
    values = data.values.copy()
    values.loc[(values["kpi_id"] == "availability") & (values["signal"] != ""), "signal"] = signal
    (one,) = worse(rows.indexed(replace(data, values=values)), ["availability"]).items
    assert one.what.endswith(", although that is within its usual range") == says


def test_what_got_worse_adds_up_to_all_kpis() -> None:
    """Judged, without a value, and with neither target nor usual range: each KPI once."""
    held = rows.indexed(edition())
    line = worse(held, held.catalog.metrics)
    judged = int(re.findall(r"of the (\d+) KPIs with a target or a usual range", line.title)[0])
    rest = line.note.removeprefix(RULE)
    whole, *left = map(int, re.findall(r"\d+", rest))
    assert judged + sum(left) == whole == len(held.catalog.metrics)
    unknown = [kpi for kpi in held.catalog.metrics if (now := held.current(kpi)) is None or now.value is None]
    assert left[0] == len(unknown)


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
    assert line.title == "none of the 1 KPI with a target or a usual range"
    assert line.note == RULE


@cache
def made() -> EditionData:
    """The made edition, once."""
    return edition()


HIDDEN = {"value": None, "n": None, "interval_low": None, "interval_high": None, "status": "not_available",
          "reason": "suppressed: fewer than 5 people", "verdict": "inconclusive", "signal": "shift"}  # fmt: skip


def withheld(kpi: str) -> EditionData:
    """The made edition with the last two months of a KPI withheld, as an engine that still judged them told it."""
    values = made().values[made().values["kpi_id"] == kpi].copy()
    values[["value", "n"]] = values[["value", "n"]].astype(object)
    last = (values["kpi_id"] == kpi) & (pd.to_datetime(values["period_end"]) > pd.Timestamp(END - timedelta(days=60)))
    for column, value in HIDDEN.items():
        values.loc[last, column] = value
    return replace(made(), values=values)


def test_what_is_withheld_has_no_verdict_no_signal_and_no_point() -> None:
    """Every KPI in turn: nothing but the word in its line, its course, what got worse, and the download."""
    shown = sorted(set(made().values["kpi_id"]))
    assert len(shown) > 5
    for kpi in shown:
        data, metric = withheld(kpi), made().catalog.metrics[kpi]
        held = rows.indexed(data)
        row = rows.kpi_row(held, kpi)
        assert (row.value.state, row.signal.word, row.signal_period, row.change) == (
            "suppressed",
            "no value now",
            "",
            "",
        )
        assert (row.verdict.word, row.bullet) == ("not judged" if metric.target else "no target", None), kpi
        assert row.spark is None or row.spark.last is None, kpi
        assert not worse(held, [kpi]).items, kpi
        titles = {chart.title for chart in kpis.kpi_page(held, kpi).charts}
        assert all(title.endswith("no change is judged") or f"{metric.name} by " in title for title in titles), titles
        found = downloads.contract_frame(data.values)
        hidden = found["reason"].fillna("").astype(str).str.startswith("suppressed")
        assert hidden.any() and set(found.loc[hidden, ["verdict", "signal"]].to_numpy().ravel()) == {""}, kpi


def test_the_mail_says_nothing_of_what_is_withheld() -> None:
    """Where every KPI is withheld, no verdict is told but that nothing can be."""
    values = made().values.assign(**HIDDEN)
    told = digest.digest(rows.indexed(replace(made(), values=values)))
    assert told.worse.title == "no KPI has enough data to tell"
    assert {line.mark.word for line in told.roles} <= {"not judged", "no target"}


@pytest.mark.parametrize("seen", [0.0, 1.0])
def test_an_upper_bound_is_told_in_one_way(seen: float) -> None:
    """Value, the one before, slices and course: with the end of the interval, never what was seen alone."""
    kpi, catalogue = "tool_error_rate", made().catalog
    metric = catalogue.metrics[kpi].model_copy(update={"headline": "upper_bound"})
    values = made().values.copy()
    of = (values["kpi_id"] == kpi) & values["value"].notna()
    for column, value in {"value": seen, "interval_low": 0.0, "interval_high": 0.5}.items():
        values.loc[of, column] = value
    changed = catalogue.model_copy(update={"metrics": {**catalogue.metrics, kpi: metric}})
    held = rows.indexed(replace(made(), values=values, catalog=changed))
    row, page = rows.kpi_row(held, kpi), kpis.kpi_page(held, kpi)
    told = f"≤{formats.THIN}{formats.percent(0.5)} ({formats.percent(seen)} seen)"
    shown = [row.value, row.prior, *(one.value for part in page.breakdowns for one in part.rows)]
    shown += [one.value for chart in page.charts for one in chart.rows]
    assert len(shown) > 20
    assert {one.text for one in shown if one.state == "value"} == {told}
    assert row.spark is not None and row.spark.label.count(told) == 2
    assert row.bullet is not None and row.bullet.label.startswith(told)


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


def test_that_kpis_have_no_target_is_said_once() -> None:
    """Those of one movement stand together, in their order, and another one behind them."""
    metrics = load_catalog(ROOT / "metrics_catalog.yaml").metrics
    _, (*_, row) = running("hours_saved")
    told = [
        (replace(row, kpi_id=kpi, unit=metrics[kpi].unit, value=0.25, since=None), None, moves, metrics[kpi])
        for kpi, moves in (
            ("flagged_output_rate", "no real change"), ("component_reuse_rate", "no usual range"),
            ("task_success_rate", "no real change"),
        )
    ]  # fmt: skip
    share = f"25.0{formats.THIN}%"
    assert sentences.finding(told) == (
        f"Without a target: flagged output rate {share} and task success rate {share}, no real change; "
        f"component reuse rate {share}, no usual range"
    )


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
