"""What a page concludes: status of an edition, titles, and what it says when the data has run dry."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_reports_edition import AS_OF, edition, unknown
from test_reports_pages import parsed

from pipeline.reports import EditionData, render, words
from pipeline.reports.rows import Edition
from pipeline.reports.values import index
from pipeline.reports.views import edition_status, finding, programme, role_page, status


@pytest.fixture(scope="module")
def data() -> EditionData:
    """One made edition for all tests of this module."""
    return edition()


def indexed(data: EditionData) -> Edition:
    """The edition as pages see it."""
    return Edition(data, index(data.values, AS_OF))


def changed(data: EditionData, kpi: str, since: date, **change: Any) -> EditionData:
    """The edition with the cells of a KPI replaced in every period that ends after a day."""
    values = data.values.copy()
    chosen = (values["kpi_id"] == kpi) & (values["period_end"] > since)
    for column, value in change.items():
        values[column] = values[column].astype(object)
        values.loc[chosen, column] = value
    return replace(data, values=values)


DRY = unknown("not_available", "no data in this period")


@pytest.mark.parametrize(
    ("roles", "word"),
    [
        (["final", "final"], "final"),
        (["final", "not built"], "final"),
        (["final", "provisional", "not built"], "provisional"),
        (["provisional", "incomplete", "final"], "incomplete"),
        (["not built", "not built"], "not built"),
        ([], "not built"),
    ],
)
def test_status_of_an_edition_is_the_worst_of_its_roles(roles: list[str], word: str) -> None:
    """Roles that are not built count only when all are."""
    assert words.edition_status([words.STATUSES[role] for role in roles]).word == word


def test_status_of_an_edition_never_contradicts_its_roles(data: EditionData, tmp_path: Path) -> None:
    """A failed check that warns about one KPI makes provisional what owns it, and so the edition; all pages agree."""
    assert [check["severity"] for check in data.checks if not check["passed"]] == ["warn"]
    found = indexed(data)
    assert edition_status(found).word == "provisional"
    assert status(found, data.catalog.owned_by("ai_operations_engineer")).word == "provisional"
    render(replace(data, edition={**data.edition, "status": "incomplete"}), tmp_path)
    assert json.loads((tmp_path / "data" / "edition.json").read_text(encoding="utf-8"))["status"] == "provisional"
    for name in ("index.html", "run.html"):
        shown = re.search(r"<b>Status</b>.*?</svg>(\w+)", (tmp_path / name).read_text(encoding="utf-8"))
        assert shown and shown[1] == "provisional"


def test_index_answers_at_a_glance(data: EditionData, tmp_path: Path) -> None:
    """Edition, period, how far the data reaches, a title that counts targets, and for each role what backs its line."""
    render(data, tmp_path)
    said = " ".join("".join(parsed(tmp_path / "index.html").text).split())
    assert "edition 7" in said
    assert re.search(r"\d of 9 targets met", said)
    assert "Data through 20 Nov 2026" in said
    assert "Period October 2026" in said
    assert "Corrections 2" in said
    assert "Checks failed 1 of 2" in said
    assert said.count("n = ") >= len(data.catalog.reported_roles())


def test_a_role_whose_data_has_run_dry_is_incomplete_and_says_since_when(data: EditionData) -> None:
    """Old values are no current ones, yet they are not nothing: the last one stands with its day, interval and n."""
    dry = indexed(changed(data, "p95_latency", date(2026, 3, 1), **DRY))
    page = role_page(dry, "data_infrastructure_architect")
    assert page.status.word == "incomplete"
    assert page.finding == "95th percentile latency: no current value; last measured: 28 Feb 2026"
    assert re.search(
        r"no data in this period; last known .*\u202fs \(95 % interval .*, n = \d+\), 28 Feb 2026",
        page.headlines[0].text,
    )
    assert page.owned[0].prior_period.startswith("28 days to ")
    assert page.owned[0].value.state == "missing"


def test_a_monthly_kpi_without_a_source_gives_its_reason(data: EditionData) -> None:
    """An engine that knows no source hands on a single 28-day row; its reason is shown all the same."""
    values = data.values[(data.values["kpi_id"] != "hours_saved") | (data.values["grain"] == "28d")]
    bare = changed(
        replace(data, values=values), "hours_saved", date.min, **unknown("not_available", "no export fills this yet")
    )
    assert role_page(indexed(bare), "chief_ai_officer").owned[0].value.why == "no export fills this yet"


def test_the_title_of_an_edition_begins_with_what_is_missing_when_most_is(data: EditionData) -> None:
    """Eleven KPIs of reported roles; one left with a value must not read as a triumph."""
    owned = [kpi for role in data.catalog.reported_roles() for kpi in data.catalog.owned_by(role)]
    few = data
    for kpi in owned:
        few = few if kpi == "adoption_rate" else changed(few, kpi, date.min, **DRY)
    assert programme(indexed(few)) == f"{len(owned) - 1} of {len(owned)} KPIs have no current value; 1 of 1 target met"
    none = changed(few, "adoption_rate", date.min, **DRY)
    assert programme(indexed(none)) == "Nothing can be said yet: no KPI has a current value"


def test_an_inconclusive_value_is_not_called_missed(data: EditionData) -> None:
    """The title says which target it was held against."""
    open_one = changed(data, "p95_latency", date.min, verdict="inconclusive")
    said = finding(indexed(open_one), ["p95_latency"])
    assert said.replace("\u202f", " ").endswith("s is inconclusive against its target of at most 4 s")


def test_checks_of_the_whole_edition_take_one_line_of_a_banner(data: EditionData) -> None:
    """They name no KPI; the banner says how many there are and about what, and the run page has the rest."""
    failed = {**data.checks[1], "kpis": []}
    many = replace(data, checks=[{**failed, "subject": name} for name in ("files", "focus", "files")])
    page = role_page(indexed(many), "genai_engineer")
    assert "3 checks of the edition as a whole failed (files and focus)." in page.banner
    assert len(page.checks) == 3
    assert page.status.word == "final"
