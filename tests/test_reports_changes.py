"""What changed since the edition before, and the registers: roles by KPIs, corrections, editions, manifest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from roi_room import assumption, catalog_of, inputs, with_assumption
from test_reports_edition import edition
from test_reports_pages import parsed

from pipeline.reports import EditionData, formats, manifest, registers, render, rows
from pipeline.reports.amounts import in_full, money
from pipeline.reports.changes import changes
from pipeline.reports.kpis import kpi_page
from pipeline.reports.returns import panel
from pipeline.roi.assemble import evaluate
from pipeline.roi.records import RoiResult

D = Decimal
HISTORY: list[dict[str, Any]] = [
    {"edition": number, "kpi_id": "availability", "grain": "month", "period_start": date(2026, 10, 1), "dimension": "",
     "dimension_value": "", "old": old, "new": new, "why": "late rows"}
    for number, old, new in ((7, 0.9991, 0.9995), (5, 0.998, 0.9991))
]  # fmt: skip


@pytest.fixture(scope="module")
def result() -> RoiResult:
    """The result of the small programme."""
    return evaluate(catalog_of(), inputs(), draws=20)


def told(before: RoiResult | None, now: RoiResult) -> tuple[str, ...]:
    """What the page of whoever pays says changed."""
    return changes(edition(before=before, roi=now), "chief_ai_officer", [])


def test_a_new_line_and_a_new_assumption_are_named(result: RoiResult) -> None:
    """With ledger, grade, owner, figure and standing; the first edition has nothing before it."""
    fewer = replace(result, lines=result.lines[1:], assumptions=result.assumptions[1:])
    one, two = result.lines[0], result.assumptions[0]
    assert two.base is not None
    said = told(fewer, result)
    assert said[0] == f"New line of benefit: {one.name} ({one.ledger}, grade {one.grade}), answered for by {one.owner}."
    assert said[1].startswith(f"New assumption: {two.assumption_id}, {two.base.normalize():f}")
    assert said[1].endswith(f", {two.standing}.")
    assert told(result, result) == told(None, result) == ()


def test_changed_and_retired_are_named_with_both_figures(result: RoiResult) -> None:
    """0.8 (0.6 to 1) became 0.7; a line that is gone is named as well."""
    other = with_assumption(assumption("attribution", "0.7", low="0.6", high="1"))
    now = evaluate(catalog_of(), inputs(assumptions=other), draws=20)
    assert told(result, now) == ("Assumption changed: attribution, 0.8 (0.6 to 1) to 0.7 (0.6 to 1).",)
    gone = replace(result, lines=result.lines[1:])
    assert told(result, gone) == (f"Line of benefit retired: {result.lines[0].name}.",)


def test_a_redefined_kpi_is_named_on_the_pages_it_stands_on(result: RoiResult, tmp_path: Path) -> None:
    """The owner's page and the index say so, a page without the KPI does not."""
    data = edition(definitions=[{"kpi_id": "availability", "change": "changed"}])
    assert changes(data, "ai_operations_engineer", ["availability"]) == ("Definition changed: Availability.",)
    assert changes(data, "training_enablement_manager", ["trained_share"]) == ()
    render(data, tmp_path)
    section = (tmp_path / "ai_operations_engineer.html").read_text(encoding="utf-8").split('id="changed"')[1]
    assert "<li>Definition changed: Availability.</li>" in section.split("</section>")[0]


def test_what_people_say_stands_with_its_grade(result: RoiResult) -> None:
    """The felt hours are grade D and stand in the table of grades, claimed in full and counted with nothing."""
    felt = sum((one.amount or D(0) for one in result.claims if one.is_perception), D("0.00"))
    assert felt > 0
    shown = panel(result)
    ((_, cells),) = [(row.name, row.cells) for row in shown.grades if row.name.startswith("D")]
    others = sum((one.amount or D(0) for one in result.claims if one.is_claim and one.grade == "D"), D("0.00"))
    assert cells == tuple(map(in_full, (others + felt, D("0.00"), D("0.00"), others + felt)))
    assert shown.said == f"{money(felt).text} of grade D"


def test_the_matrix_has_one_accountable_role_per_kpi() -> None:
    """Each column one A; every subscription an I; a role without a KPI stands out."""
    data = edition()
    found = registers.raci(rows.indexed(data))
    assert len(found.rows) == len(data.catalog.roles)
    for at, kpi in enumerate(data.catalog.metrics):
        assert [row.cells[at] for row in found.rows].count("A") == 1, kpi
    informed = sum(row.informed for row in found.rows)
    owned = sum(
        kpi in data.catalog.owned_by(name) for name, role in data.catalog.roles.items() for kpi in role.subscribes
    )
    assert informed == sum(len(set(role.subscribes)) for role in data.catalog.roles.values()) - owned
    assert set(found.empty_roles) == {
        role.title for name, role in data.catalog.roles.items() if not data.catalog.owned_by(name)
    }


def test_corrections_are_kept_newest_first(tmp_path: Path) -> None:
    """Both corrections of one month stand there, with the edition of each, on the register and on the KPI's page."""
    data = edition(history=HISTORY)
    found = registers.all_corrections(rows.indexed(data))
    assert found.title == "2 published totals corrected by 2 editions"
    assert [(row.edition, row.old, row.new) for row in found.rows] == [
        ("7", f"99.910{formats.THIN}%", f"99.950{formats.THIN}%"),
        ("5", f"99.80{formats.THIN}%", f"99.910{formats.THIN}%"),
    ]  # fmt: skip
    page = kpi_page(rows.indexed(data), "availability")
    assert page.corrections == found.rows
    assert "restated" in [trace["name"] for trace in page.charts[0].spec["data"]]
    render(data, tmp_path)
    said = "".join(parsed(tmp_path / "corrections.html").text)
    assert said.count("late rows") == 2


def test_a_changed_target_leaves_a_trace(tmp_path: Path) -> None:
    """On the index and the owner's page where this edition changed it, on the register for ever."""
    now = edition().edition["number"]
    moved = [
        {"edition": now, "kpi_id": "availability", "old": "at least 99 %", "new": "at least 99.9 %"},
        {"edition": now - 2, "kpi_id": "mttr", "old": "at most 4 h", "new": "at most 2 h"},
        {"edition": now - 2, "kpi_id": "retired_since", "old": "a", "new": "b"},
    ]
    render(edition(targets=moved), tmp_path)
    said = "Target changed: Availability, at least 99 % to at least 99.9 %."
    for page in ("index.html", "ai_operations_engineer.html"):
        assert said in (tmp_path / page).read_text(encoding="utf-8"), page
    register = "".join(parsed(tmp_path / "corrections.html").text)
    assert "at least 99.9 %" in register and "at most 2 h" in register and "retired_since" not in register
    assert "at most 2 h" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_without_corrections_the_register_says_so() -> None:
    """None is a result, not an empty table."""
    assert registers.all_corrections(rows.indexed(edition())).title == "No published total was ever corrected"


def test_versions_of_a_definition_stand_on_the_page_of_the_kpi() -> None:
    """Each hash with the edition that first used it."""
    versions = [
        {"kpi_id": "availability", "definition_hash": "b" * 12, "edition": 4, "as_of": date(2026, 9, 1)},
        {"kpi_id": "availability", "definition_hash": "a" * 12, "edition": 1, "as_of": date(2026, 6, 1)},
        {"kpi_id": "mttr", "definition_hash": "c" * 12, "edition": 1, "as_of": date(2026, 6, 1)},
    ]
    page = kpi_page(rows.indexed(edition(versions=versions)), "availability")
    assert [(one.hash, one.edition) for one in page.versions] == [("b" * 12, "4"), ("a" * 12, "1")]


def test_the_manifest_finds_what_was_changed(tmp_path: Path) -> None:
    """A changed, a missing and a foreign file are named; the readme and printed pages may lie beside."""
    data: EditionData = edition()
    written = render(data, tmp_path)
    (tmp_path / "README.md").write_text("x", encoding="utf-8")
    whole = manifest.verify(tmp_path)
    assert whole is not None
    assert (whole.files, whole.wrong) == (len(written) - 1, {})
    (tmp_path / "index.html").write_text("changed", encoding="utf-8")
    (tmp_path / "run.html").unlink()
    (tmp_path / "more.html").write_text("more", encoding="utf-8")
    broken = manifest.verify(tmp_path)
    assert broken is not None
    assert broken.wrong == {
        "index.html": "was changed", "more.html": "is not of this edition", "run.html": "is missing",
    }  # fmt: skip
    assert manifest.verify(tmp_path / "data") is None
    told = json.loads((tmp_path / "data" / "manifest.json").read_text(encoding="utf-8"))
    assert "kpi/availability.html" in told["files"]
