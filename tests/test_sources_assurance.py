"""Looking before running: what a probe says of the rows, and what the doctor finds in the installation."""

from __future__ import annotations

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from project import ROOT
from test_sources_bytes import workbook

from pipeline.assurance import examine, no_exports, probe, unwritable
from pipeline.settings import Settings

ANSWERS = """\
source: answers
describes: Answers of a survey
reader: csv
files: ["answers*"]
required: [response_id, arm, given, points]
tables:
  feedback:
    columns:
      feedback_id: response_id
      kind: "'csat'"
      variant: arm
      responded_at: given
      score: points
"""
ROWS = """\
response_id,arm,given,points
1,ai,2026-01-01,4
2,robot,2026-01-01,4
3,robot,2026-01-01,4
,ai,2026-01-01,4
5,ai,2026-01-01
6,ai,2026-01-01,many
"""


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """A project with one mapping of its own and a folder of exports."""
    for name in ("metrics_catalog.yaml", "Makefile"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ("sources", "exports"):
        (tmp_path / name).mkdir()
    (tmp_path / "sources" / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    return Settings(root=tmp_path, exports=tmp_path / "exports", now=datetime(2026, 6, 1, tzinfo=UTC))


def test_a_probe_judges_the_rows_and_names_the_columns_of_the_file(project: Settings) -> None:
    """5 rows = 1 good + 4 bad, for three reasons with count and first line; one record has too few columns."""
    path = project.exports / "answers.csv"
    path.write_text(ROWS, encoding="utf-8")
    found = probe(project, path)
    assert (found["file"], found["source"], found["note"]) == (str(path), "answers", "")
    unreadable, feedback = found["tables"]
    assert unreadable == {
        "table": "", "rows": 1, "good": 0, "bad": 1, "left_out": 0,
        "reasons": [{"reason": "3 columns where 4 were expected", "rows": 1, "first_line": 6}],
    }  # fmt: skip
    assert {key: feedback[key] for key in ("table", "rows", "good", "bad")} == {
        "table": "feedback", "rows": 5, "good": 1, "bad": 4,
    }  # fmt: skip
    assert feedback["reasons"] == [
        {"reason": "variant: not one of ai, baseline (arm in the file)", "rows": 2, "first_line": 3},
        {"reason": "feedback_id: missing (response_id in the file)", "rows": 1, "first_line": 5},
        {"reason": "score: not a number (points in the file)", "rows": 1, "first_line": 7},
    ]


def test_a_probe_of_a_mapping_that_does_not_bind_says_where(project: Settings) -> None:
    """The file is refused, as the nightly run would refuse it."""
    (project.root / "sources" / "answers.yaml").write_text(ANSWERS.replace("arm\n", "harm\n"), encoding="utf-8")
    (project.exports / "answers.csv").write_text(ROWS, encoding="utf-8")
    found = probe(project, project.exports / "answers.csv")
    assert (found["source"], found["tables"]) == ("", [])
    assert "sources/answers.yaml:11:7  M020  table feedback, column variant: found the unknown column 'harm'" in str(
        found
    )


def test_a_probe_tells_all_mistakes_of_the_mapping_at_once(project: Settings) -> None:
    """Two columns of one table, one of another: three problems in the order of the file, not the first alone."""
    text = ANSWERS.replace("arm\n", "harm\n").replace("score: points", "score: pointz")
    text += "  identities:\n    columns:\n      alias_id: response_idd\n      person_id: arm\n"
    (project.root / "sources" / "answers.yaml").write_text(text, encoding="utf-8")
    (project.exports / "answers.csv").write_text(ROWS, encoding="utf-8")
    found = probe(project, project.exports / "answers.csv")
    places = re.findall(r"sources/answers\.yaml:(\d+):\d+  M020  table (\w+), column (\w+)", found["note"])
    assert places == [("11", "feedback", "variant"), ("13", "feedback", "score"), ("16", "identities", "alias_id")]


def test_a_probe_of_a_workbook_names_its_sheets(project: Settings) -> None:
    """Which of them holds the rows is for its user to know."""
    found = probe(project, workbook(project.exports / "answers.xlsx", "Answers", "Notes"))
    assert found["source"] == ""
    assert found["note"].endswith("save the sheet with the rows as CSV (UTF-8, set apart by commas); "
                                  "its sheets: 'Answers', 'Notes')")  # fmt: skip


def test_a_probe_of_a_file_that_cannot_be_read_says_so(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, no abort."""
    path = project.exports / "answers.csv"
    path.write_text(ROWS, encoding="utf-8")
    opened = Path.open

    def guarded(self: Path, *arguments: object, **named: object) -> object:
        if self.name == "answers.csv":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    found = probe(project, path)
    assert (found["source"], found["note"]) == ("", " (cannot be read: give this user read access)")


def test_the_doctor_finds_a_folder_that_cannot_be_written_to(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warehouse's own folder counts, not the project's alone; the finding says what to do."""
    assert unwritable(project) == []
    warehouse = project.warehouse.parent
    warehouse.mkdir(parents=True)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != warehouse and access(path, mode))
    assert [str(one) for one in unwritable(project)] == [
        f"{warehouse}  S002  cannot be written to; give this user write access"
    ]
    findings = {item: (good, note) for item, good, note in examine(project)}
    assert findings["can write"] == (False, f"{warehouse} cannot be written to; give this user write access")
    assert findings["exports"] == (True, str(project.exports))


def test_a_file_in_the_place_of_a_folder_is_found(project: Settings) -> None:
    """A run could not make its folder there."""
    (project.root / "data").write_text("", encoding="utf-8")
    assert [str(one) for one in unwritable(project)] == [
        f"{project.root / 'data'}  S002  is not a folder; move it away"
    ]


def test_the_doctor_says_what_to_do_about_exports_and_key(project: Settings) -> None:
    """Each bad finding has a remedy."""
    project.exports.rmdir()
    project.key.parent.mkdir(parents=True)
    project.key.write_bytes(b"k" * 32)
    project.key.chmod(0o644)
    findings = {item: (good, note) for item, good, note in examine(project)}
    assert findings["exports"] == (False, f"{project.exports} is not a folder of exports; run `make sample`, or name "
                                   "your folder: make nightly EXPORTS=dir")  # fmt: skip
    assert findings["pseudonym key"] == (False, f"mode 0644, expected 0600; run chmod 600 {project.key}")
    assert [one.code for one in no_exports(project)] == ["S003"]


def test_the_doctor_counts_further_problems_of_the_definitions(project: Settings) -> None:
    """The first is shown, the command that lists all is named."""
    wrong = ANSWERS.replace("variant: arm", "variant: harm").replace("score: points", "score: pionts")
    (project.root / "sources" / "answers.yaml").write_text(wrong, encoding="utf-8")
    findings = {item: (good, note) for item, good, note in examine(project)}
    good, note = findings["definitions"]
    assert not good
    assert note.startswith("sources/answers.yaml:11:7  M020") and note.endswith("(and 1 more: run `roi catalog check`)")
