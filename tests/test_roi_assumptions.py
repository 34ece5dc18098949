"""The register of assumptions: how a row stands on a day, what is wrong with a register, and the template."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from project import Project

from pipeline.catalog.units import parse_unit
from pipeline.contracts import judge
from pipeline.roi.assumptions import (
    HEADER,
    MEANINGS,
    in_force,
    next_step,
    problems,
    read_assumptions,
    standing,
    template,
)
from pipeline.roi.inputs import Assumption
from pipeline.sources.mapping import load_mappings
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import recognise
from pipeline.sources.stage import stage
from pipeline.tables import load_tables

ROW = Assumption(
    assumption_id="loaded_rate.support",
    valid_from=date(2026, 1, 1),
    valid_to=date(2027, 1, 1),
    use_case="support",
    low=Decimal(50),
    base=Decimal(60),
    high=Decimal(70),
    unit="USD/h",
    distribution="",
    grade="C",
    source="Payroll",
    owner="ROI analyst",
    approved_by="Finance director",
    approved_at=date(2026, 1, 15),
    note="",
    place="a.csv:2",
)
NEXT = replace(ROW, valid_from=date(2026, 7, 1), place="a.csv:3")
DAY = date(2026, 6, 30)


@pytest.mark.parametrize(
    ("changes", "as_of", "expected"),
    [
        ({}, DAY, "in force"),
        ({}, date(2025, 12, 31), "not yet valid"),
        ({}, date(2026, 1, 1), "unapproved"),  # the approval of 15 January is not known on the 1st
        ({}, date(2026, 1, 15), "in force"),
        ({}, date(2026, 12, 31), "in force"),
        ({}, date(2027, 1, 1), "expired"),  # valid_to is the first day without it
        ({"valid_to": None}, date(2099, 1, 1), "in force"),
        ({"approved_by": ""}, DAY, "unapproved"),
        ({"approved_at": None}, DAY, "unapproved"),
        ({"approved_by": ""}, date(2027, 1, 1), "expired"),
    ],
)
def test_a_row_stands_as_its_days_say(changes: dict[str, object], as_of: date, expected: str) -> None:
    """Begun, not ended, and approved by somebody up to the day: only then it is in force."""
    assert standing(replace(ROW, **changes), as_of) == expected


def test_a_later_row_of_the_same_assumption_supersedes_once_it_has_begun() -> None:
    """Not before its first day, not by a row of another assumption, and whether or not the earlier one was ended."""
    other = replace(NEXT, assumption_id="loaded_rate.sales")
    assert standing(ROW, date(2026, 6, 30), [ROW, NEXT]) == "in force"
    assert standing(ROW, date(2026, 7, 1), [ROW, NEXT]) == "superseded"
    assert standing(ROW, date(2026, 7, 1), [ROW, other]) == "in force"
    ended = replace(ROW, valid_to=date(2026, 7, 1))
    assert standing(ended, date(2026, 7, 1), [ended, NEXT]) == "superseded"
    assert standing(ended, date(2026, 7, 1), [ended]) == "expired"


def test_on_one_day_an_assumption_is_in_force_once_or_not_at_all() -> None:
    """An unapproved successor leaves none: the old figures have ended, the new ones bind nobody yet."""
    waiting = replace(NEXT, approved_by=None)
    assert in_force([ROW, NEXT], date(2026, 6, 30)) == {"loaded_rate.support": ROW}
    assert in_force([ROW, NEXT], date(2026, 7, 1)) == {"loaded_rate.support": NEXT}
    assert in_force([ROW, waiting], date(2026, 7, 1)) == {}


@pytest.mark.parametrize(
    ("changes", "as_of", "expected"),
    [
        ({}, DAY, ""),
        ({}, date(2026, 11, 1), ""),  # 61 days before the end
        ({}, date(2026, 11, 2), "renew it: it ends on 2027-01-01"),  # 60 days
        ({"approved_by": ""}, DAY, "have it approved: approved_by and approved_on"),
        ({}, date(2027, 2, 1), "add a row that is valid from 2027-01-01"),
        ({}, date(2025, 1, 1), ""),
    ],
)
def test_the_owner_is_told_what_to_do_next(changes: dict[str, object], as_of: date, expected: str) -> None:
    """Renewal is asked for sixty days ahead."""
    assert next_step(replace(ROW, **changes), as_of) == expected


def test_who_has_the_next_row_need_not_renew() -> None:
    """A row that begins on the day this one ends is the renewal."""
    following = replace(ROW, valid_from=date(2027, 1, 1), valid_to=None)
    assert next_step(ROW, date(2026, 12, 1), [ROW, following]) == ""


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"valid_to": DAY}, "R001", "loaded_rate.support ended on 2026-06-30; add a row that is valid from 2026-06-30"),
        ({"approved_at": None}, "R002", "nobody has approved it by 2026-06-30; fill approved_by and approved_on"),
        ({"owner": None}, "R003", "has no owner; name the role"),
        ({"grade": "E", "low": Decimal(60), "high": Decimal(60)}, "R004", "low, base and high are all 60 at grade E"),
        ({"unit": "dollars an hour"}, "R005", "found unit 'dollars an hour', expected one such as USD/h"),
        ({"unit": "USD/hour"}, "R005", "found unit 'USD/hour'; 'hour' is written h"),
        ({"use_case": "suport"}, "R007", "is for use case 'suport', which is not in the portfolio"),
        ({"approved_by": "eva@example.com"}, "R008", "approved_by is an address; name the role"),
    ],
)
def test_each_mistake_gives_exactly_its_problem(changes: dict[str, object], code: str, words: str) -> None:
    """A good row changed in one place: one problem, at its file and line, in words that say what to do."""
    (found,) = problems([replace(ROW, **changes)], DAY, use_cases=frozenset({"support"}))
    assert (found.where, found.code) == ("a.csv:2", code)
    assert words in found.message
    assert "@" not in found.message


def test_a_good_register_has_no_problem() -> None:
    """Nor has an exact figure with evidence, an ended row that was followed, or an unknown portfolio."""
    ended = replace(ROW, valid_to=NEXT.valid_from, owner=None)
    assert problems([ended, NEXT], date(2026, 8, 1), use_cases=frozenset({"support"})) == []
    assert problems([replace(ROW, low=60, high=60)], DAY) == []


def test_overlapping_periods_are_told_at_the_later_row() -> None:
    """Both an open row and one that ends too late; one that ends on the day the next begins is in order."""
    for ends, words in ((None, "has no end"), (date(2026, 7, 2), "ends on 2026-07-02")):
        (found,) = problems([NEXT, replace(ROW, valid_to=ends)], DAY)
        assert (found.where, found.code) == ("a.csv:3", "R006")
        assert f"holds from 2026-07-01, but the row from 2026-01-01 {words}; end it on that day" in found.message
    assert problems([NEXT, replace(ROW, valid_to=NEXT.valid_from)], DAY) == []


def test_all_problems_of_all_rows_are_told_at_once() -> None:
    """Three mistakes in one row and one in another: four problems, by assumption."""
    bad = replace(ROW, owner=None, unit="?", approved_by=None)
    late = replace(ROW, assumption_id="z", owner=None)
    found = problems([late, bad], DAY)
    assert [one.code for one in found] == ["R002", "R003", "R005", "R003"]
    assert {one.code for one in found} <= set(MEANINGS)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("USD/h", {"USD": 1, "h": -1}),
        ("min/contact", {"min": 1, "contact": -1}),
        ("EUR/months", {"EUR": 1, "month": -1}),
        ("ratio", {}),
        ("ratio/month", {"month": -1}),
        (" USD ", {"USD": 1}),
    ],
)
def test_units_written_by_hand_are_read(text: str, dimension: dict[str, int]) -> None:
    """As powers of what they are made of; a ratio has none."""
    assert {name: power for name, power in parse_unit(text).items() if power} == dimension


@pytest.mark.parametrize(
    "text", ["", "/", "USD/", "/h", "USD/h/day", "USD per h", "%", "usd", "h ours", "USD/count", "Usd"]
)
def test_units_that_say_nothing_are_refused(text: str) -> None:
    """The message quotes what was found."""
    with pytest.raises(ValueError, match=r"found unit"):
        parse_unit(text)


def test_the_template_loads_as_it_is_and_has_nothing_wrong(tmp_path: Path) -> None:
    """It is taken by its source under any name without a warning, no rule is broken, and the check is content."""
    path = tmp_path / "received"
    path.write_text(template(), encoding="utf-8")
    found = recognise(path, "filled.csv", load_mappings())
    assert found.mapping is not None and found.mapping.source == "assumptions_csv"
    assert found.warnings == ()
    assert set(HEADER) == {*found.mapping.required, *found.mapping.optional}
    with duckdb.connect() as con:
        con.execute("CREATE TEMP MACRO pseudonym(x) AS x")
        read_raw(con, path, name="filled.csv", mapping=found.mapping)
        stage(con, found.mapping, "assumptions", staged="staged")
        judge(con, load_tables()["assumptions"], staged="staged", typed="typed", verdicts="bad", now=datetime.now(UTC))
        assert con.execute("SELECT * FROM bad").fetchall() == []
        con.execute(
            "CREATE SCHEMA core; CREATE SCHEMA ledger; CREATE TABLE ledger.files(file_hash VARCHAR, name VARCHAR)"
        )
        con.execute("CREATE TABLE core.assumptions AS SELECT *, '' AS _file FROM typed")
        register = read_assumptions(con)
    assert len(register) == len(list(csv.DictReader(io.StringIO(template())))) == 10
    assert problems(register, date(2026, 6, 1)) == []
    assert {standing(row, date(2026, 6, 1)) for row in register} == {"in force"}


def test_a_warehouse_without_the_table_has_an_empty_register() -> None:
    """One of an older release is read as it is."""
    with duckdb.connect() as con:
        assert read_assumptions(con) == []


REGISTER = """\
assumption,use_case,low,base,high,unit,evidence_grade,source,owner,approved_by,approved_on,valid_from,valid_to
realisation,,0,0.25,0.5,ratio,E,House rule,ROI analyst,Finance director,2026-01-12,2026-01-01,
loaded_rate.support,support,50,60,70,USD/hours,C,Payroll,,,,2026-01-01,
"""
DEPLOYMENTS = """\
deployment_id,service,environment,change_type,started_at,finished_at,result,rework,rollback_of,gate_passed
dep-1,api,production,code,2026-10-01T10:00:00Z,2026-10-01T10:30:00Z,success,false,,true
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a register of two rows, the second with three mistakes, and one day of data."""
    project = Project.new(tmp_path_factory.mktemp("register") / "project")
    (project.root / "exports").mkdir()
    (project.root / "exports" / "assumptions.csv").write_text(REGISTER, encoding="utf-8")
    (project.root / "exports" / "deployments.csv").write_text(DEPLOYMENTS, encoding="utf-8")
    project.roi("nightly", "--exports", project.root / "exports")
    return project


def test_the_list_shows_standing_and_next_step(project: Project) -> None:
    """As of the last day of the data, or of the day asked for; as a table and as JSON."""
    found = project.json("assumptions", "list", "--exports", project.root / "exports")
    assert found["as_of"] == "2026-10-01"
    told = {one["assumption_id"]: (one["status"], one["next_step"]) for one in found["assumptions"]}
    assert told == {
        "loaded_rate.support": ("unapproved", "have it approved: approved_by and approved_on"),
        "realisation": ("in force", ""),
    }
    printed = project.roi("assumptions", "list", "--as-of", "2026-01-05", "--exports", project.root / "exports").stdout
    (line,) = [line for line in printed.splitlines() if line.startswith("realisation")]
    assert line.split("  ")[0] == "realisation" and "0 / 0.25 / 0.5" in line and "unapproved" in line


def test_the_check_tells_all_problems_at_their_lines(project: Project) -> None:
    """Exit 2, file and line of each; a wrong day is a message of its own."""
    exports = project.root / "exports"
    done = project.roi("assumptions", "check", "--exports", exports, exit_code=2)
    *lines, summary = done.stdout.splitlines()
    codes = [line.split("  ")[:2] for line in lines]
    assert codes == [["assumptions.csv:3", "R002"], ["assumptions.csv:3", "R003"], ["assumptions.csv:3", "R005"]]
    assert (summary, done.stderr) == ("3 problems", "")
    found = project.json("assumptions", "check", "--exports", exports, exit_code=2)
    assert (found["ok"], found["rows"], len(found["problems"])) == (False, 2, 3)
    done = project.roi("assumptions", "check", "--as-of", "soon", "--exports", exports, exit_code=2)
    assert "--as-of  E008  found 'soon', expected a day such as 2026-10-31" in done.stderr


def test_the_template_is_printed_as_it_is(project: Project) -> None:
    """The command adds nothing, so that its output can be written to a file."""
    assert project.roi("assumptions", "template").stdout == template()
    assert project.json("assumptions", "template") == {"csv": template()}
