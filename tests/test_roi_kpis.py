"""The KPIs of the model in the frame of values, the panel of the page, and the files behind it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from roi_room import MONTHS, PORTFOLIO, catalog_of, inputs, kpis

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.formulas import evaluate as work_out
from pipeline.catalog.load import load_catalog
from pipeline.catalog.model import Catalog, Formula
from pipeline.engine.values import PUBLISHED
from pipeline.reports.returns import files, json_document, panel
from pipeline.roi.assemble import evaluate
from pipeline.roi.effects import read_effects
from pipeline.roi.kpis import KPIS, with_roi
from pipeline.roi.read import kpi_numbers, read_inputs
from pipeline.roi.records import RoiResult
from pipeline.warehouse.connection import create_schemas

D = Decimal
PROJECT = load_catalog(Path(__file__).resolve().parent.parent / "metrics_catalog.yaml")
CATALOG = catalog_of().model_copy(update={"metrics": {**catalog_of().metrics, **{k: PROJECT.metrics[k] for k in KPIS}}})


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(CATALOG, inputs(), draws=300)


def frame_of(result: RoiResult) -> pd.DataFrame:
    """A frame in which the KPIs of the model await it, with the model's rows put in."""
    awaiting = [dict.fromkeys(PUBLISHED, "") | {"kpi_id": name, "reason": "awaits the ROI model"} for name in KPIS]
    other = dict.fromkeys(PUBLISHED, "") | {"kpi_id": "adoption_rate"}
    return with_roi(pd.DataFrame([*awaiting, other], columns=PUBLISHED), CATALOG, result)


def test_values_take_the_place_of_waiting(result: RoiResult) -> None:
    """Each KPI has a row per month with value, unit, n, interval and hash; the rest of the frame is as it was."""
    frame = frame_of(result)
    assert list(frame.columns) == PUBLISHED
    assert not frame["reason"].str.contains("awaits").any()
    assert (frame["kpi_id"] == "adoption_rate").sum() == 1
    last = frame[(frame["grain"] == "month") & (frame["period_start"] == MONTHS[-1])].set_index("kpi_id")
    whole = result.programme
    assert last.loc["net_benefit", "value"] == float(whole.net or 0)
    assert last.loc["programme_roi", "numerator"] == f"{whole.net}"
    assert last.loc["programme_roi", "denominator"] == f"{whole.pv_costs}"
    assert last.loc["payback_months", "value"] == 2
    assert last.loc["cost_savings", "value"] == 150.0
    assert last.loc["bill_reconciliation_gap", "value"] == pytest.approx(0.2 / 5.7, abs=1e-6)
    assert last.loc["programme_roi", "reason"] == "2026-01 to 2026-06, 6 of 36 months"
    assert last.loc["net_benefit", "n"] == 30
    assert whole.spread is not None
    assert last.loc["net_benefit", "interval_low"] == float(whole.spread.p10 or 0)
    assert set(last["unit"]) == {"ratio", "USD", "months"}
    assert last.loc["net_benefit", "verdict"] == "met"


def test_the_formula_of_cost_savings_leads_to_its_amount() -> None:
    """The formula of the catalogue over the factors of each claim, among them the weight of its grade, is the value."""
    evidence = {"design": "before_after", "says": "Fewer tickets"}
    found = evaluate(catalog_of(contacts_settled={"deductions": None, "evidence": evidence}), inputs(), draws=20)
    point = found.points[-1]
    (claim,) = [one for one in found.claims if one.month == point.month and one.line == "contacts_settled"]
    factors = {one.name: one.value for one in claim.terms}
    names = {"contacts_avoided": "settled.numerator", "realisation": "left_the_budget"}
    names |= {name: name for name in ("cost_per_contact", "attribution", "risk")}
    given = {name: D(factors[term] or 0) for name, term in names.items()}
    metric = PROJECT.metrics["cost_savings"]
    assert isinstance(metric, Formula)
    told = work_out(metric.formula, given | {"displaced_spend": D(0), "weight_of_grade": claim.weight})
    assert claim.weight == D("0.5")
    assert point.savings == told == D(100) * 5 * D("0.8") * D("0.5") * (1 - D("0.1")) * D("0.5")


def test_the_share_of_evidence_is_by_month_and_quarter(result: RoiResult) -> None:
    """150 of grade A of 150 + 324 of hours and 144 of the agency: 150 / 618; the quarter is three times both."""
    frame = frame_of(result)
    shares = frame[frame["kpi_id"] == "evidence_backed_benefit_share"]
    assert shares["value"].round(9).unique().tolist() == [round(150 / 618, 9)]
    assert shares["grain"].tolist().count("quarter") == 2
    quarter = shares[shares["grain"] == "quarter"].iloc[0]
    assert (quarter["numerator"], quarter["denominator"]) == ("450.00", "1854.00")


def test_what_cannot_be_told_is_not_available_with_its_reason() -> None:
    """Without an invoice there is no gap; without evidence no return."""
    bare = CATALOG.model_copy(update={"benefits": {"agency": CATALOG.benefits["agency"]}})
    frame = frame_of(evaluate(bare, inputs(invoices=()), draws=20))
    last = frame[(frame["grain"] == "month") & (frame["period_start"] == MONTHS[-1])].set_index("kpi_id")
    for name in ("programme_roi", "net_benefit", "payback_months", "bill_reconciliation_gap", "cost_savings"):
        assert last.loc[name, "status"] == "not_available"
        assert pd.isna(last.loc[name, "value"])
    assert last.loc["programme_roi", "reason"] == "insufficient data: agency: stated, not measured (A plan)"
    assert last.loc["bill_reconciliation_gap", "reason"] == "no invoice of 2026-06"


def test_the_panel_says_what_the_result_says(result: RoiResult) -> None:
    """Evidence by grade, lines with their standing, perception."""
    shown = panel(result)
    assert shown.is_told
    assert shown.grades[0].name == "A, randomised experiment"
    assert [row.mark.word for row in shown.lines if row.mark] == [one.status for one in result.lines]
    assert 0 < len(shown.tornado) <= 5
    assert all(0 <= swing.x <= 100 and swing.x + swing.width <= 101 for swing in shown.tornado)
    assert shown.perception[0].cells[0] != shown.perception[0].cells[1]


def test_the_panel_has_a_state_for_insufficient_evidence() -> None:
    """It says so and why, and shows no return."""
    bare = CATALOG.model_copy(update={"benefits": {"agency": CATALOG.benefits["agency"]}})
    shown = panel(evaluate(bare, inputs(), draws=20))
    assert (shown.is_told, shown.facts, shown.tornado) == (False, (), ())
    assert shown.reason == "agency: stated, not measured (A plan)"


def test_the_files_hold_every_digit(result: RoiResult) -> None:
    """The JSON is JSON; the CSV of lines sums to the programme."""
    made = files(result)
    assert json.loads(made["roi.json"], parse_float=Decimal)["programme"]["net"] == result.programme.net
    rows = list(csv.DictReader(io.StringIO(made["roi_lines.csv"])))
    assert sum(D(row["present"]) for row in rows) == result.programme.pv_benefits
    for row, claim in zip(rows, result.claims, strict=True):
        figures = [*claim.terms, *(term for one in claim.deductions for term in one.terms)]
        told = dict(one.split(" = ", 1) for one in row["place"].split("; ")) if row["place"] else {}
        assert told == {one.name: f"{one.value:f}, {one.source}" for one in figures if one.source}
    assert "settled.numerator = 100, settled 2026-01; cost_per_contact = 5, A contract (assumptions.csv:2);" in (
        next(row["place"] for row in rows if row["line"] == "contacts_settled" and row["month"] == "2026-01-01")
    )
    costs = list(csv.DictReader(io.StringIO(made["roi_costs.csv"])))
    assert sum(D(row["present"]) for row in costs) == result.programme.pv_costs
    assert (
        json_document({"a": D("1.10"), "b": [date(2026, 1, 1), None, True]})
        == '{"a":1.10,"b":["2026-01-01",\nnull,\ntrue]}'
    )


def values_of(**changes: Any) -> pd.DataFrame:
    """One monthly row of a ratio in total, as the engine has it."""
    row = dict.fromkeys(PUBLISHED) | {
        "kpi_id": "settled", "grain": "month", "period_start": date(2026, 1, 1), "dimension": "", "dimension_value": "",
        "value": 0.2, "numerator": "20", "denominator": "100", "n": 100, "interval_low": 0.1, "interval_high": 0.3,
        "status": "computed", "reason": "",
    }  # fmt: skip
    return pd.DataFrame([row | changes])


def test_a_numerator_has_the_interval_of_its_rate() -> None:
    """A rate of 0.1 to 0.3 of 100 is 10 to 30."""
    (found,) = kpi_numbers(CATALOG, values_of())
    assert (found.part, found.value, found.low, found.high) == ("numerator", D(20), D(10), D(30))
    (none,) = kpi_numbers(CATALOG, values_of(status="not_available", value=float("nan")))
    assert none.value is None


def of_experiment(**changes: Any) -> Catalog:
    """A catalogue with one line that rests on an experiment."""
    base = CATALOG.benefits["contacts_settled"].model_dump()
    evidence = {"design": "randomised", "experiment": "exp-9", "metric": "minutes", "says": "By lot"}
    line = Benefit.model_validate({**base, "evidence": {**evidence, **changes}})
    return CATALOG.model_copy(update={"benefits": {"line": line}})


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """An empty warehouse with one experiment of twenty units: the treated have 3 minutes less."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    create_schemas(connection)
    connection.execute(
        "INSERT INTO core.experiments(exp_id, treated, control, allocation, ends_on, design) "
        "VALUES ('exp-9', 'with', 'without', 0.5, DATE '2026-03-31', 'randomised')"
    )
    for k in range(20):
        arm, minutes = ("with", 7 + k % 5) if k % 2 else ("without", 10 + k % 5)
        connection.execute(
            "INSERT INTO core.assignments(exp_id, unit_id, variant, exposed_at) VALUES "
            f"('exp-9', 'u{k}', '{arm}', TIMESTAMPTZ '2026-01-05 10:00:00+00')"
        )
        connection.execute(
            f"INSERT INTO core.outcomes(exp_id, unit_id, metric, value) VALUES ('exp-9', 'u{k}', 'minutes', {minutes})"
        )
    return connection


def test_the_effect_of_an_experiment_is_read_from_its_rows(con: duckdb.DuckDBPyConnection) -> None:
    """Means of 9 and 12 minutes: 3 less, grade A."""
    (found,) = read_effects(con, of_experiment(), as_of=date(2026, 6, 30))
    assert (found.estimate, found.grade, found.n, found.problem) == (D("-3.000000"), "A", 20, "")


def test_nobody_looks_before_the_horizon(con: duckdb.DuckDBPyConnection) -> None:
    """On 15 March the experiment still runs."""
    (found,) = read_effects(con, of_experiment(), as_of=date(2026, 3, 15))
    assert (found.estimate, found.problem) == (None, "it runs until 2026-03-31, and nobody looks before that")


def test_an_experiment_nobody_registered_has_no_effect(con: duckdb.DuckDBPyConnection) -> None:
    """Nor one of a metric nobody measured."""
    assert read_effects(con, of_experiment(experiment="exp-0"), as_of=date(2026, 6, 30)) == ()
    (found,) = read_effects(con, of_experiment(metric="pages"), as_of=date(2026, 6, 30))
    assert found.estimate is None
    assert found.problem


def test_an_empty_warehouse_gives_empty_inputs(con: duckdb.DuckDBPyConnection) -> None:
    """No costs, rates or seats are made up; the model then says that nothing can be told."""
    from pipeline.facts import create_views

    create_views(con)
    found = read_inputs(con, CATALOG, values_of(), as_of="2026-01-31")
    assert (found.costs, found.usage, found.invoices, found.assumptions) == ((), (), (), ())
    told = evaluate(CATALOG, found, draws=20)
    assert told.programme.status == "not available"
    assert told.programme.reason == "costs cannot be told: no export says what anything costs"
    assert {(one.costs, one.net) for one in (*told.programme.months, *told.programme.years)} == {(None, None)}
    assert told.programme.costs is None
    assert kpis()
    assert PORTFOLIO


def test_seats_of_a_product_that_sends_no_usage_are_read(con: duckdb.DuckDBPyConnection) -> None:
    """Two people with a silent product at 12.50 and 7.50: two seats at 20.00 a month, idle or not nobody knows."""
    from pipeline.facts import create_views

    create_views(con)
    con.execute(
        "INSERT INTO core.entitlements(person_id, product, valid_from, valid_to, monthly_price, currency) VALUES "
        "('ann', 'silent', DATE '2025-12-01', NULL, 12.5, 'USD'), "
        "('ben', 'silent', DATE '2026-01-10', DATE '2026-02-10', 7.5, 'USD'), "
        "('ann', 'loud', DATE '2026-01-01', NULL, 9, 'USD')"
    )
    con.execute(
        "INSERT INTO core.usage_daily(person_id, product, feature, date, active) VALUES "
        "('ann', 'loud', 'all', DATE '2026-01-05', TRUE), ('ann', 'loud', 'all', DATE '2026-02-05', TRUE)"
    )
    found = read_inputs(con, CATALOG, values_of(), as_of="2026-02-28").seats
    assert [(one.month, one.product, one.seats, one.idle, one.price) for one in found] == [
        (date(2026, 1, 1), "loud", 1, 0, D("9")),
        (date(2026, 1, 1), "silent", 2, None, D("20")),
        (date(2026, 2, 1), "loud", 1, 0, D("9")),
        (date(2026, 2, 1), "silent", 1, None, D("12.5")),
    ]
