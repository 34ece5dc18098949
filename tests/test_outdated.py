"""Rows keep the reading they were loaded with, and a run says so until they are read anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from project import Project

from pipeline.outdated import read_before
from pipeline.sources.mapping import load_mappings, reading_hash
from pipeline.warehouse.connection import create_schemas, open_warehouse

MAPPING = """\
source: uptime
describes: Availability of services
reader: csv
files: ["*.csv"]
required: [id, since, points]
tables:
  availability:
    columns:
      service: id
      window_start: since
      good: points
      valid: 10
"""
OTHER_READING = {
    "a column": ("good: points", "good: 10 - points::BIGINT"),
    "the zone of times": ("required:", "time_zone: Europe/Berlin\nrequired:"),
    "which rows": ("    columns:\n", "    where: id <> 'b'\n    columns:\n"),
    "what stands for nothing": ("required:", 'nulls: ["-"]\nrequired:'),
}
SAME_READING = {
    "words": ("Availability of services", "What was up"),
    "names of files": ('["*.csv"]', '["*.csv", "*.txt"]'),
    "columns that may be there": ("required:", "optional: [note]\nrequired:"),
    "what is checked": ("required:", "quarantine_limit: 0.5\nrequired:"),
    "sums to compare": ("      valid: 10\n", "      valid: 10\n    totals: [good]\n"),
    "a comment": ("reader: csv", "reader: csv  # as exported"),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one mapping of its own and one export, taken in."""
    made = Project.new(tmp_path / "project")
    (made.root / "sources").mkdir()
    mend(made)
    (made.root / "exports").mkdir()
    (made.root / "exports" / "a.csv").write_text("id,since,points\na,2026-01-01,3\nb,2026-01-02,4\n", encoding="utf-8")
    made.roi("nightly", "--exports", made.root / "exports")
    return made


def mend(project: Project, old: str = "", new: str = "") -> None:
    """Write the mapping, with one passage replaced."""
    assert old in MAPPING
    (project.root / "sources" / "uptime.yaml").write_text(MAPPING.replace(old, new) if old else MAPPING, "utf-8")


@pytest.mark.parametrize("change", OTHER_READING.values(), ids=[*OTHER_READING])
def test_what_makes_other_rows_is_another_reading(tmp_path: Path, change: tuple[str, str]) -> None:
    """Each of these may give other rows of the same file."""
    assert readings(tmp_path, *change) == 2


@pytest.mark.parametrize("change", SAME_READING.values(), ids=[*SAME_READING])
def test_what_makes_the_same_rows_is_not(tmp_path: Path, change: tuple[str, str]) -> None:
    """Each of these leaves every row as it is."""
    assert readings(tmp_path, *change) == 1


def readings(folder: Path, old: str, new: str) -> int:
    """How many readings the mapping and the changed one are."""
    assert old in MAPPING
    told = set()
    for text in (MAPPING, MAPPING.replace(old, new)):
        (folder / "uptime.yaml").write_text(text, encoding="utf-8")
        (mapping,) = load_mappings([folder])
        told.add(reading_hash(mapping))
    return len(told)


def test_a_run_says_that_rows_keep_the_old_reading_until_all_is_read_anew(project: Project) -> None:
    """By the night after, whether or not a file is new, and no more once the warehouse was made anew."""
    exports = project.root / "exports"
    rows = "SELECT good::BIGINT FROM core.availability ORDER BY service"
    mend(project, "good: points", "good: 10 - points::BIGINT")
    told = (
        "the mapping uptime reads rows otherwise than when 1 file was loaded, which keep the old reading: "
        "make rebuild EXPORTS=exports reads every file anew"
    )
    assert project.json("nightly", "--exports", exports, exit_code=3)["warnings"] == [told]
    (exports / "b.csv").write_text("id,since,points\na,2026-01-03,3\n", encoding="utf-8")
    assert told in project.json("nightly", "--exports", exports, exit_code=3)["warnings"]
    assert project.rows("exports", rows) == [(3,), (7,), (4,)]
    assert project.json("nightly", "--rebuild", "--exports", exports)["warnings"] == []
    assert project.rows("exports", rows) == [(7,), (7,), (6,)]


def test_another_description_is_no_other_reading(project: Project) -> None:
    """The next night has nothing to say."""
    mend(project, "Availability of services", "What was up")
    assert project.json("nightly", "--exports", project.root / "exports")["warnings"] == []


def test_of_a_warehouse_made_before_nothing_is_said(tmp_path: Path) -> None:
    """Its files were entered without a reading; one that was never opened since has no such column either."""
    (tmp_path / "uptime.yaml").write_text(MAPPING, encoding="utf-8")
    mappings = load_mappings([tmp_path])
    con = open_warehouse(tmp_path / "old.duckdb", key=b"k" * 32)
    create_schemas(con)
    con.execute("INSERT INTO ledger.files (file_hash, source, status) VALUES ('1', 'uptime', 'loaded')")
    assert read_before(con, mappings, rebuild="make rebuild") == []
    con.execute("UPDATE ledger.files SET reading = 'another'")
    assert len(read_before(con, mappings, rebuild="make rebuild")) == 1
    con.execute("ALTER TABLE ledger.files DROP COLUMN reading")
    assert read_before(con, mappings, rebuild="make rebuild") == []
