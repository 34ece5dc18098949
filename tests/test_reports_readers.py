"""What readers of the published pages stumbled over: one word for one thing, and nothing newer left unsaid."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_reports_answer import moved
from test_reports_edition import AS_OF, edition, row, unknown

from pipeline.catalog.load import load_catalog
from pipeline.catalog.units import things_of
from pipeline.reports import EditionData, render, sentences, words
from pipeline.reports.kpis import spans
from pipeline.reports.model import Value
from pipeline.reports.rows import Edition, breakdowns, kpi_row
from pipeline.reports.values import _record, index, last_known, shown
from pipeline.reports.views import role_page
from pipeline.reports.worse import worse

CATALOG = Path(__file__).resolve().parents[1] / "metrics_catalog.yaml"
KPI = "hours_saved"
QUARTERS = [(date(2026, month, 1), date(2026, month + 3, 1)) for month in (1, 4, 7)]
HIDDEN = unknown("not_available", "suppressed: fewer than 5 people")


@pytest.fixture(scope="module")
def data() -> EditionData:
    """An edition whose monthly KPI is withheld from April 2026 on, while its quarters are told: 30, 20 and 0 hours."""
    held = edition()
    values = held.values.copy()
    late = (values["kpi_id"] == KPI) & (values["period_start"] >= date(2026, 4, 1))
    for column, value in HIDDEN.items():
        values[column] = values[column].astype(object)
        values.loc[late, column] = value
    told = [
        row(held.catalog, KPI, "month", *period, value=hours, interval_low=hours, interval_high=hours)
        | {"grain": "quarter"}
        for period, hours in zip(QUARTERS, (30.0, 20.0, 0.0), strict=True)
    ]
    added = pd.DataFrame(told, columns=values.columns).astype(object)
    return replace(held, values=pd.concat([values, added], ignore_index=True))


@pytest.fixture(scope="module")
def held(data: EditionData) -> Edition:
    """The edition as pages see it."""
    return Edition(data, index(data.values, AS_OF))


def test_the_last_known_value_is_the_newest_of_any_grain(held: Edition) -> None:
    """March was told, and so was the quarter to September, which lies after it: 0 is the last known."""
    found = last_known(held.values, KPI, held.catalog.metrics[KPI])
    assert found is not None
    assert (found.grain, found.end, found.value) == ("quarter", date(2026, 10, 1), 0.0)
    assert "; last known 0" in held.headline(KPI) and "Q3 2026" in held.headline(KPI)
    assert (kpi_row(held, KPI).prior.text, kpi_row(held, KPI).prior_period) == ("0\u202fh", "last known, Q3 2026")


def test_a_chart_does_not_end_before_the_last_known_value(held: Edition) -> None:
    """Months that rise to March would hide that nothing was seen since: the quarters are drawn, on both pages."""
    drawn = shown(held.values, KPI, held.catalog.metrics[KPI])
    assert [(one.grain, one.value) for one in drawn] == [("quarter", 30.0), ("quarter", 20.0), ("quarter", 0.0)]
    assert [grain for grain, _ in spans(held, KPI)] == ["quarter", "month"]
    (chart,) = [one for one in role_page(held, "chief_ai_officer").charts if one.id == f"chart-{KPI}"]
    assert "per quarter, because not every month is told as far, in " in chart.subtitle


def test_a_week_without_a_value_changes_no_grain() -> None:
    """Where the last week alone is unknown, the month that it lies in is no newer than the weeks before it."""
    plain = edition()
    values = plain.values.copy()
    gone = (values["kpi_id"] == "tool_error_rate") & (values["grain"] == "day") & (values["period_end"] > AS_OF)
    values.loc[gone, "value"] = None
    found = last_known(index(values, AS_OF), "tool_error_rate", plain.catalog.metrics["tool_error_rate"])
    assert found is not None and found.grain == "day"


def test_a_value_is_judged_and_a_change_is_a_signal() -> None:
    """No word stands for both: the counts of one column are never read as those of the other."""
    signals = {mark.word for mark in (*words.SIGNALS.values(), words.NO_VALUE, words.RUNNING_TOTAL)}
    verdicts = {mark.word for mark in (*words.VERDICTS.values(), words.NOT_JUDGED)}
    assert not signals & verdicts
    assert not [word for word in signals if "judged" in word]


def test_the_count_of_what_got_worse_names_what_it_counts(tmp_path: Path) -> None:
    """Its KPIs have a target or a usual range, and the rule stands after the list, not before it."""
    data = moved(now={"verdict": "missed"}, before={"verdict": "met"})
    line = worse(Edition(data, index(data.values, AS_OF)), data.catalog.metrics)
    assert line.title.startswith("1 of the ") and line.title.endswith("with a target or a usual range")
    assert "judged" not in line.note
    render(data, tmp_path)
    for name in ("chief_ai_officer.html", "index.html"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert 0 < page.index('<ul class="worse">') < page.index('<small class="rule">'), name


def test_who_answers_for_what_goes_down_the_page(data: EditionData, tmp_path: Path) -> None:
    """A column per role and a row per KPI: more KPIs make the table longer and never wider."""
    render(data, tmp_path)
    table = (tmp_path / "raci.html").read_text(encoding="utf-8").partition('<table class="raci">')[2]
    head, _, body = table.partition("</thead>")
    assert head.count("<th ") == 1 + len(data.catalog.roles)
    rows = re.findall(r'<tr><th scope="row"><a href="kpi/(\w+)\.html">.*?</th>(.*?)</tr>', body)
    assert [kpi for kpi, _ in rows] == list(data.catalog.metrics)
    for kpi, cells in rows:
        told = re.findall(r"<td[^>]*>(\w?)</td>", cells)
        owner = list(data.catalog.roles).index(data.catalog.metrics[kpi].owner)
        assert [at for at, cell in enumerate(told) if cell == "A"] == [owner]


def slice_of(severity: str, value: float | None, **change: Any) -> Value:
    """One severity of a month of a count."""
    one = row(edition().catalog, KPI, "month", date(2026, 10, 1), date(2026, 11, 1))
    given = {"dimension": "severity", "dimension_value": severity, "value": value, "unit": "count"}
    return _record(one | given | change)


def test_a_count_says_of_which_severity_it_is() -> None:
    """One of P1 and two of P3 are told, in this order; none of P2, hours, and other dimensions are not."""
    found = [slice_of("P3", 2.0), slice_of("P1", 1.0), slice_of("P2", 0.0), slice_of("P4", None)]
    assert sentences.by_severity(found) == ", by severity 1 of P1 and 2 of P3"
    assert sentences.by_severity([slice_of("P2", 0.0)]) == ""
    assert sentences.by_severity([slice_of("P1", 1.5, unit="h")]) == ""
    assert sentences.by_severity([slice_of("P1", 1.0, dimension="regime")]) == ""


def test_what_the_slice_unknown_holds_is_said(held: Edition, data: EditionData, tmp_path: Path) -> None:
    """A department is of the staff directory, a use case of the exports; without such a slice nothing is said."""
    notes = {part.dimension: part.note for kpi in held.catalog.metrics for part in breakdowns(held, kpi)}
    assert notes["department"] == (
        "unknown: the staff directory does not tell the department of the person on that day, or nobody knows whose "
        "row it is."
    )
    assert notes["use case"] == "unknown: rows of which the exports do not tell the use case."
    known = data.values[data.values["dimension_value"] != "unknown"]
    without = Edition(replace(data, values=known), index(known, AS_OF))
    assert {part.note for kpi in held.catalog.metrics for part in breakdowns(without, kpi)} == {""}
    render(data, tmp_path)
    page = (tmp_path / "kpi" / "adoption_rate.html").read_text(encoding="utf-8")
    assert 0 < page.index('<th scope="row">unknown</th>') < page.index(notes["department"])


def test_an_upper_bound_says_of_what_and_how_it_is_read() -> None:
    """One breach seen may stand for six: both are incidents, and the sentence says which is which."""
    metric = load_catalog(CATALOG).metrics["compliance_incidents"]
    given = {"value": 1.0, "unit": "count", "interval_low": 0.025, "interval_high": 5.572}
    one = _record(row(edition().catalog, KPI, "month", date(2026, 10, 1), date(2026, 11, 1)) | given)
    assert words.leading(one, metric).text == "≤\u202f6 incidents (1 seen)"
    said = sentences.headline(one, None, "No real change.", metric)
    assert said.startswith("Compliance incidents: ≤\u202f6 incidents (1 seen) (95 % interval 0.025–6, n = ")
    assert said.endswith(f"No real change. {words.UPPER_BOUND}")
    plain = metric.model_copy(update={"headline": "value"})
    assert words.UPPER_BOUND not in sentences.headline(one, None, "No real change.", plain)


@pytest.mark.parametrize(
    ("total", "unit", "things"),
    [
        ("sum(incidents)", "count", "incidents"),
        ("sum(p1_incidents) where severity = 'P1'", "count", "p1 incidents"),
        ("count(*)", "count", "days"),
        ("sum(is_reported)", "count", "days"),
        ("distinct(person_id)", "count", ""),
        ("sum(effort)", "count", ""),
        ("sum(hours_saved)", "h", ""),
    ],
)
def test_what_a_count_counts_is_read_from_its_formula(total: str, unit: str, things: str) -> None:
    """Its column, or the rows of its fact, in the plural; nothing where the name is none, or the unit says it."""
    metric = load_catalog(CATALOG).metrics["compliance_incidents"]
    assert metric.facts == ("compliance_days",)
    assert things_of(metric.model_copy(update={"total": total, "unit": unit})) == things


def test_what_got_worse_says_how_an_upper_bound_is_read() -> None:
    """Where one of the KPIs named leads with an upper end, the note below the list says what that is."""
    data = moved(now={"verdict": "missed"}, before={"verdict": "met"})
    (plain,) = worse(Edition(data, index(data.values, AS_OF)), data.catalog.metrics).items
    metric = data.catalog.metrics[plain.kpi_id].model_copy(update={"headline": "upper_bound"})
    catalogue = data.catalog.model_copy(update={"metrics": {**data.catalog.metrics, plain.kpi_id: metric}})
    told = worse(Edition(replace(data, catalog=catalogue), index(data.values, AS_OF)), catalogue.metrics)
    assert told.note.startswith(f"{words.UPPER_BOUND} Worse is a signal")
    assert worse(Edition(data, index(data.values, AS_OF)), data.catalog.metrics).note.startswith("Worse is a signal")


@pytest.mark.parametrize(("days", "told"), [(0, 6), (1, 6), (6, 6), (7, None)])
def test_28_days_that_are_withheld_give_way_to_those_of_the_week_before(days: int, told: float | None) -> None:
    """On a Saturday of few people the headline is that of Friday, with its dates; of a week ago there is none."""
    plain = edition()
    catalog, end = plain.catalog, AS_OF + timedelta(1)
    kept = plain.values[(plain.values["kpi_id"] != "tool_error_rate") | (plain.values["grain"] != "28d")]
    windows = [(end - timedelta(28 + days), end - timedelta(days), {"value": 6.0})]
    windows += [(end - timedelta(28 + at), end - timedelta(at), HIDDEN) for at in range(days)]
    rows = [row(catalog, "tool_error_rate", "28d", start, until, **more) for start, until, more in windows]
    values = pd.concat([kept, pd.DataFrame(rows, columns=kept.columns).astype(object)], ignore_index=True)
    held = Edition(replace(plain, values=values), index(values, AS_OF))
    now = held.current("tool_error_rate")
    assert now is not None
    assert (now.value, now.end) == (told, end - timedelta(days if told else 0))
    assert ("not available" in held.headline("tool_error_rate")) == (told is None)
