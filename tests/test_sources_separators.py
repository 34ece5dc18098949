"""CSV files of any separator, with lines before their header or none, are recognised, probed, drafted and loaded."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from project import Project

from pipeline.draft import draft
from pipeline.errors import RoiError
from pipeline.sources.mapping import PACKAGE_SOURCES
from pipeline.sources.shapes import csv_form_of

COLUMNS = ("Ticket No", "Opened on", "Customer", "Queue", "AI involved", "Handle Minutes")
ROWS = (
    ("T-1", "20.09.2026 09:12", "4711", "billing, dunning", "ja", "12,5"),
    ("T-2", "21.09.2026 10:00", "0815", "login; password", "nein", "1.003,25"),
    ("T-3", "22.09.2026 11:30", "4711", "tab\there | bar", "ja", "4"),
)


def write(path: Path, mark: str, order: tuple[int, ...] = (0, 1, 2, 3, 4, 5), before: str = "") -> Path:
    """The tickets, set apart by a sign, their columns in an order, after other lines."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(before)
        rows = csv.writer(stream, delimiter=mark, lineterminator="\n")
        rows.writerows([row[place] for place in order] for row in (COLUMNS, *ROWS))
    return path


BEFORE = ["", "sep=;\n", 'Tickets of "September\nExported on 3 October, 2026\n\n']


@pytest.mark.parametrize(
    ("mark", "before"), [*((mark, "") for mark in ",;\t|"), (";", BEFORE[1]), (",", BEFORE[2]), ("\t", BEFORE[2])]
)
def test_a_draft_of_any_layout_is_taken_and_loaded(tmp_path: Path, mark: str, before: str) -> None:
    """The draft says how the file is laid out; filled in it takes the file, and one with its columns shuffled."""
    project = Project.new(tmp_path / "project")
    exports, target = project.root / "exports", project.root / "sources" / "desk.yaml"
    exports.mkdir()
    export = write(exports / "desk-2026-09.csv", mark, before=before)
    printed = project.roi("sources", "probe", export, "--draft", target).stdout
    assert "Look at: handle_minutes from Handle Minutes: decimal commas by its values\n" in printed
    text = target.read_text(encoding="utf-8")
    assert (f"\ndelimiter: {json.dumps(mark)}\n" in text) == (mark != ",")
    assert (f"\nheader_line: {before.count(chr(10)) + 1}\n" in text) == bool(before)
    target.write_text(text.replace('is_eligible: "null"', 'is_eligible: "true"'), encoding="utf-8")
    mixed = write(tmp_path / "anything.csv", mark, (3, 5, 0, 4, 2, 1), before)
    for path in (export, mixed):
        (found,) = project.json("sources", "probe", path)
        assert (found["source"], found["note"]) == ("desk", "")
        assert [(one["rows"], one["bad"]) for one in found["tables"]] == [(3, 0)]
    project.roi("nightly", "--exports", exports)
    lines = [number + before.count("\n") for number in (2, 3, 4)]
    assert project.rows("exports", "SELECT _line FROM core.contacts ORDER BY contact_id") == [(one,) for one in lines]
    sql = "SELECT contact_id, topic, ai_involved, handle_minutes::DOUBLE FROM core.contacts ORDER BY 1"
    assert project.rows("exports", sql) == [
        ("T-1", "billing, dunning", True, 12.5),
        ("T-2", "login; password", False, 1003.25),
        ("T-3", "tab\there | bar", True, 4.0),
    ]


def test_a_copy_of_a_shipped_mapping_takes_semicolons_beside_commas(tmp_path: Path) -> None:
    """Under another name with `delimiter` it takes what has semicolons; what has commas goes where it went."""
    project = Project.new(tmp_path / "project")
    shipped = (PACKAGE_SOURCES / "fx_rates_csv.yaml").read_text(encoding="utf-8")
    assert "source: fx_rates_csv\n" in shipped
    (project.root / "sources").mkdir()
    own = shipped.replace("source: fx_rates_csv\n", 'source: fx_semicolons\ndelimiter: ";"\n')
    (project.root / "sources" / "fx_semicolons.yaml").write_text(own, encoding="utf-8")
    rates = "date,from_currency,to_currency,rate\n2026-10-30,EUR,USD,1.0842\n"
    export = tmp_path / "fx_rates.csv"
    for text, source in ((rates, "fx_rates_csv"), (rates.replace(",", ";"), "fx_semicolons")):
        export.write_text(text, encoding="utf-8")
        (found,) = project.json("sources", "probe", export)
        assert (found["source"], found["note"], found["tables"][0]["good"]) == (source, "", 1)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a;b\n1,5;2\n", ";"),
        ("a,b;c,d;e\n1;2;3\n4;5;6\n", ";"),
        ("a;b,c;d,e\n1,2,3\n4,5,6\n", ","),
        ('"a;b";"c,d"\n', ";"),
        ("a\tb\n1\t2;3\n", "\t"),
        ("a\n1,2\n", None),
        ("", None),
        ("sep=;\na;b\n1;2\n", (";", 2)),
        ("Made on 1 May\n\nname,day\nx,2026-05-01\ny,2026-05-02\n", (",", 3)),
        ("Report;May\nname;day;n\nx;2026-05-01;1\ny;2026-05-02;2\n", (";", 2)),
        ("name;day\nx;2026-05-01;1\ny;2026-05-02;2\n", (";", 1)),
        ("Words, and more\nwords\nof prose\n", (",", 1)),
    ],
)
def test_the_layout_is_what_makes_records_as_wide_as_the_header(
    tmp_path: Path, text: str, mark: str | tuple[str, int] | None
) -> None:
    """A sign within names or values is none, values are no header, and a file of one column has no layout."""
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    assert csv_form_of(tmp_path / "x.csv") == ((mark, 1) if isinstance(mark, str) else mark)


def test_what_nothing_can_be_drafted_from_is_told(tmp_path: Path) -> None:
    """A text of one column: in which forms it is to be exported."""
    (tmp_path / "x.txt").write_text("Words.\n", encoding="utf-8")
    told = "x.txt is neither CSV of several columns, JSON, JSON lines nor Parquet; nothing can be drafted: export it as"
    with pytest.raises(RoiError, match=told):
        draft(tmp_path / "x.txt", source="x")
