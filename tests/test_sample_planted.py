"""The trouble planted in the sample is there as truth.json says."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.sample import write_sample

CASES = {
    "rows repeated in a file",
    "the same file twice",
    "rows repeated across files",
    "rows of an earlier month",
    "rows restated",
    "malformed rows",
    "a required column renamed",
    "columns moved, one added",
    "half written",
    "a row twice",
}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty people in a year: the smallest organisation with planted trouble."""
    out = tmp_path_factory.mktemp("planted")
    write_sample(out, people=50, months=12, seed=7)
    return out


def planted(sample: Path, case: str) -> list[dict[str, Any]]:
    """The entries of one case."""
    entries = json.loads((sample / "truth.json").read_text(encoding="utf-8"))["planted"]
    return [entry for entry in entries if entry["case"] == case]


def lines(sample: Path, name: str) -> list[str]:
    """Lines of a file."""
    return (sample / name).read_text(encoding="utf-8").splitlines()


def test_every_kind_of_trouble_is_planted(sample: Path) -> None:
    """All kinds, each in a file that is there and listed."""
    truth = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    assert {entry["case"] for entry in truth["planted"]} == CASES
    assert all((sample / entry["file"]).is_file() for entry in truth["planted"])
    assert {entry["file"] for entry in truth["planted"]} <= set(truth["files"])


def test_counts_of_every_table_add_up(sample: Path) -> None:
    """rows_in = loaded + duplicate + quarantined, and every quarantined row has its reason."""
    entries = json.loads((sample / "truth.json").read_text(encoding="utf-8"))["planted"]
    for counts in (counts for entry in entries for counts in entry["tables"].values()):
        assert counts["rows_in"] == counts["loaded"] + counts["duplicate"] + counts["quarantined"]
        assert len(counts["reasons"]) == counts["quarantined"]


def test_a_small_sample_has_no_trouble(tmp_path: Path) -> None:
    """Too few rows to spoil."""
    write_sample(tmp_path, people=12, months=1, seed=7)
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["planted"] == []


def test_repeated_lines_stand_twice(sample: Path) -> None:
    """As many lines are there a second time as there are duplicates."""
    (entry,) = planted(sample, "rows repeated in a file")
    found = lines(sample, entry["file"])
    counts = entry["tables"]["scores"]
    assert len(found) == counts["rows_in"]
    assert len(found) - len(set(found)) == counts["duplicate"] == 5


def test_one_line_of_a_survey_stands_twice(sample: Path) -> None:
    """The last line is a copy of an earlier one, and nothing else is."""
    (entry,) = planted(sample, "a row twice")
    _, *found = lines(sample, entry["file"])
    counts = entry["tables"]["survey_invites"]
    assert found[-1] in found[:-1]
    assert len(found) == counts["rows_in"] == len(set(found)) + 1
    assert counts["duplicate"] == 1


def test_the_same_file_comes_second_by_name(sample: Path) -> None:
    """The copy has the bytes of the first and a name that sorts after it."""
    (entry,) = planted(sample, "the same file twice")
    assert (sample / entry["file"]).read_bytes() == (sample / entry["duplicate_of"]).read_bytes()
    assert entry["file"] > entry["duplicate_of"]


def tickets(sample: Path, name: str) -> list[dict[str, Any]]:
    """Tickets of an export."""
    found: list[dict[str, Any]] = json.loads((sample / name).read_text(encoding="utf-8"))["tickets"]
    return found


def test_tickets_repeated_across_files_are_unchanged(sample: Path) -> None:
    """The last six of the file before stand in this one too."""
    (entry,) = planted(sample, "rows repeated across files")
    found = tickets(sample, entry["file"])
    assert len(found) == entry["tables"]["contacts"]["rows_in"]
    before = max(name for path in sample.glob("support/*.json") if (name := f"support/{path.name}") < entry["file"])
    assert tickets(sample, before)[-6:] == found[-6:]


def test_late_rows_stand_in_no_other_file(sample: Path) -> None:
    """The late file holds tasks of its month alone, and that month's own file none of them."""
    (entry,) = planted(sample, "rows of an earlier month")
    late = lines(sample, entry["file"])[1:]
    own = lines(sample, f"tasks/tasks-{entry['month']}.csv")[1:]
    assert len(late) == entry["tables"]["tasks"]["rows_in"] > 0
    assert not set(late) & set(own)
    assert all(f",{entry['month']}-" in row for row in late)


def test_restated_tickets_are_newer_and_reopened(sample: Path) -> None:
    """Three tickets come again with a later update, and now reopened."""
    entry = next(one for one in planted(sample, "rows restated") if "contacts" in one["tables"])
    older = {one["id"]: one for one in tickets(sample, f"support/zendesk-tickets-{entry['month']}.json")}
    newer = [one for one in tickets(sample, entry["file"]) if one["id"] in older]
    assert len(newer) == entry["restates"] == 3
    for one in newer:
        assert one["updated_at"] > older[one["id"]]["updated_at"]
        assert one["metric_set"]["reopens"] == 1


def test_restated_usage_is_of_a_later_report(sample: Path) -> None:
    """The days come again in a report that ends later, and are active now."""
    entry = next(one for one in planted(sample, "rows restated") if "usage_daily" in one["tables"])
    newer = [json.loads(line) for line in lines(sample, entry["file"])]
    older = [json.loads(line) for line in lines(sample, entry["file"].replace("_repull", ""))]
    before = {(one["user_login"], one["day"]): one for one in older}
    assert len(newer) == entry["restates"]
    for one in newer:
        was = before[one["user_login"], one["day"]]
        assert one["report_end_day"] > was["report_end_day"]
        assert one["user_initiated_interaction_count"] > was["user_initiated_interaction_count"]


@pytest.mark.parametrize("table", ["calls", "feedback"])
def test_malformed_csv_rows_are_as_many_as_told(sample: Path, table: str) -> None:
    """Rows of the wrong width are unreadable; the rest are the rows of the table."""
    entry = next(
        one for one in planted(sample, "malformed rows") if table in one["tables"] and one["file"].endswith(".csv")
    )
    header, *rows = csv.reader(lines(sample, entry["file"]))
    odd = [row for row in rows if len(row) != len(header)]
    assert len(odd) == entry["unreadable"]["rows"] == 2
    assert [f"{len(row)} columns where {len(header)} were expected" for row in odd] == entry["unreadable"]["reasons"]
    assert len(rows) - len(odd) == entry["tables"][table]["rows_in"]


def test_the_broken_line_stands_in_the_middle(sample: Path) -> None:
    """One line of the observations is no JSON, and good lines follow it."""
    entry = next(one for one in planted(sample, "malformed rows") if one["file"].endswith(".jsonl"))
    readable = [is_json(line) for line in lines(sample, entry["file"])]
    assert readable.count(False) == 1
    assert readable[0] and readable[-1]
    assert readable.count(True) == entry["tables"]["calls"]["rows_in"]


def is_json(line: str) -> bool:
    """True when the line is one JSON value."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_the_renamed_column_is_missing_from_the_header(sample: Path) -> None:
    """What the entry names is not there."""
    (entry,) = planted(sample, "a required column renamed")
    assert entry["reasons"] == ["deployment_id"]
    assert "deployment_id" not in lines(sample, entry["file"])[0].split(",")


def test_moved_columns_are_the_same_and_one_more(sample: Path) -> None:
    """Another order, the columns of its neighbours, and the new one."""
    (entry,) = planted(sample, "columns moved, one added")
    header = lines(sample, entry["file"])[0].split(",")
    usual = lines(sample, "ops/deployments-2026-01.csv")[0].split(",")
    assert set(header) - set(usual) == set(entry["warnings"]) == {"commit_sha"}
    assert header[0] != usual[0]
    assert set(usual) < set(header)


def test_the_half_written_file_ends_in_the_middle(sample: Path) -> None:
    """No line end, and a last line that is no JSON."""
    (entry,) = planted(sample, "half written")
    text = (sample / entry["file"]).read_text(encoding="utf-8")
    assert not text.endswith("\n")
    assert not is_json(text.splitlines()[-1])
