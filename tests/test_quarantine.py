"""Working with what was refused: listed, shown without personal text, written out, mended, and taken again once."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from project import ROOT, Project
from typer.testing import CliRunner

from pipeline import ingest
from pipeline.catalog.load import load_catalog
from pipeline.cli import app
from pipeline.cli_options import ledger
from pipeline.cli_quarantine import fault_rows
from pipeline.commands import Commands
from pipeline.errors import BlockedError, ConfigurationError, RoiError
from pipeline.ingest import Ingest, Taken, take_in
from pipeline.nightly import run_nightly
from pipeline.quarantine import Fault, HeldFile, entries, faults, held_files, is_no_day, next_step, redacted
from pipeline.quarantine_files import csv_part, document_part, export, lines_part
from pipeline.settings import Settings
from pipeline.sources.mapping import load_mappings, mappings_hash
from pipeline.summary import Summary
from pipeline.warehouse import ledger as ledger_of
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
HEADER = "deployment_id,service,environment,change_type,started_at,finished_at,result,rework,rollback_of,gate_passed"
GOOD = [
    f"dep-{i:02d},api,production,code,2026-10-{i:02d}T10:00:00Z,2026-10-{i:02d}T10:30:00Z,success,false,,true"
    for i in range(1, 11)
]
TICKETS = """\
source: helpdesk
describes: Tickets of a help desk
reader: csv
files: ["helpdesk*.csv"]
required: [ticket, opened, customer]
optional: [answered]
tables:
  contacts:
    columns:
      contact_id: ticket
      created_at: opened
      requester_id: customer
      first_human_reply_at: answered
      is_eligible: "true"
      ai_involved: "false"
"""
COLUMNS = "ticket,opened,customer,answered"
CANARY = "Zoe.Canary@example.com"
ENTERED = """SELECT f.name, sum(rows_in)::BIGINT, sum(loaded)::BIGINT, sum(duplicate)::BIGINT, sum(quarantined)::BIGINT
  FROM ledger.loads JOIN ledger.files AS f USING (file_hash) GROUP BY f.name ORDER BY f.name"""
REFUSED = "SELECT file_hash, table_name, line, reason FROM ledger.quarantine ORDER BY ALL"


@pytest.fixture(autouse=True, scope="module")
def _small_files_count() -> Iterator[None]:
    """Files of a few rows stand for large ones."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ingest, "HELD_FROM", 1)
        yield


def write(folder: Path, name: str, rows: Sequence[str], header: str = HEADER) -> Path:
    """An export of these rows."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def fill(exports: Path) -> None:
    """Ten good deployments; a file of ten with two bad rows, and a small one with more bad rows than good."""
    write(exports, "deployments-1.csv", GOOD)
    more = [row.replace("dep-", "new-") for row in GOOD]
    more[3] = more[3].replace("success", CANARY)
    more[7] = more[7].replace("2026-10-08T10:30", "2026-10-08T09:30").replace("false", "perhaps")
    write(exports, "deployments-2.csv", more)
    small = [row.replace("dep-", "odd-") for row in GOOD[:4]]
    write(exports, "late/deployments-3.csv", [small[0], *(row.replace("success", "?") for row in small[1:])])


@dataclass(frozen=True)
class House:
    """A project whose commands run in this process."""

    project: Project
    settings: Settings
    first: Summary

    def roi(self, *words: str | Path, exit_code: int = 0) -> str:
        """What a command prints; its options name the folder of exports."""
        done = CliRunner().invoke(app, [*map(str, words), "--exports", str(self.settings.exports)])
        assert done.exit_code == exit_code, done.output
        return done.output

    def json(self, *words: str | Path, exit_code: int = 0) -> Any:
        """The same as data."""
        return json.loads(self.roi(*words, "--json", exit_code=exit_code))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the published warehouse."""
        return self.project.rows("exports", sql)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The project after its first night."""
    project = Project.new(tmp_path_factory.mktemp("quarantine") / "project")
    settings = Settings(project.root, project.root / "exports", NOW)
    fill(settings.exports)
    before = os.environ.copy()
    os.environ |= {"ROI_ROOT": str(project.root), "ROI_NOW": NOW.isoformat()}
    yield House(project, settings, run_nightly(settings))
    os.environ.clear()
    os.environ.update(before)


def test_a_file_with_too_many_bad_rows_is_held_back_alone(house: House) -> None:
    """3 of 4 rows are 75 %: none of the four is loaded, the other 18 are, and the edition is published."""
    assert (house.first.edition, house.first.exit_code) == (1, 3)
    assert "1 whole file and 2 rows quarantined: reports/run.html says why" in house.first.warnings
    assert house.rows(ENTERED) == [
        ("deployments-1.csv", 10, 10, 0, 0),
        ("deployments-2.csv", 10, 8, 0, 2),
        ("late/deployments-3.csv", 4, 0, 0, 4),
    ]
    assert house.rows("SELECT reason FROM ledger.files WHERE status = 'quarantined'") == [
        ("3 of 4 rows break a rule (75%; at most 20% may: quarantine_limit): the file is held back whole",)
    ]
    assert house.rows("SELECT count(*) FROM core.deployments") == [(18,)]


def test_what_rests_on_a_held_file_is_incomplete(house: House) -> None:
    """The check names the file and the KPIs; the page of their owner says incomplete."""
    with (house.project.reports / "data" / "checks.csv").open(encoding="utf-8", newline="") as file:
        found = {row["check"]: row for row in csv.DictReader(file) if row["passed"].lower() == "false"}
    held = found["quarantine_limit"]
    assert (
        held["observed"]
        == "late/deployments-3.csv: 4 of 4 rows quarantined (100.00%, held back whole; limit 20%) since run 1"
    )
    assert (held["severity"], held["subject"]) == ("hold", "deployments_csv")
    assert "deployment_frequency" in held["kpis"]
    assert any(line.startswith("quarantine_limit on deployments_csv: ") for line in house.first.checks_failed)
    owner = load_catalog(house.settings.catalog).metrics["deployment_frequency"].owner
    page = (house.project.reports / f"{owner}.html").read_text(encoding="utf-8")
    assert "late/deployments-3.csv: 4 of 4 rows quarantined" in page


def test_list_counts_every_row_once_and_says_what_to_do(house: House) -> None:
    """2 rows of the second file and 4 of the third: 6 = 1 + 1 + 1 + 3, each reason with its first line."""
    found = house.json("quarantine", "list")
    told = [(one["file"], one["line"], one["rows"], one["reason"].partition(":")[0]) for one in found]
    assert told == [
        ("deployments-2.csv", 5, 1, "result"),
        ("deployments-2.csv", 9, 1, "is_rework"),
        ("late/deployments-3.csv", None, 1, "held back with its file"),
        ("late/deployments-3.csv", 3, 3, "result"),
    ]
    assert all(one["next_step"] for one in found)
    assert "deployments-2.csv" in house.roi("quarantine", "list")


def test_show_tells_line_column_found_and_expected_but_no_person(house: House) -> None:
    """An address in the column `result` is told by the kind of its characters; times and question marks as they are."""
    found = house.json("quarantine", "show", "deployments-2.csv")
    assert [(one["line"], one["column"], one["found"], one["expected"]) for one in found] == [
        (5, "result", "Aaa.Aaaaaa@aaaaaaa.aaa (masked)", "one of success, failed, rolled_back, cancelled"),
        (9, "is_rework", "rework = aaaaaaa (masked)", "a true-or-false value"),
        (9, "started_at, finished_at", "started_at = 2026-10-08T10:00:00Z, finished_at = 2026-10-08T09:30:00Z",
         "started_at not after finished_at"),
    ]  # fmt: skip
    only = house.json("quarantine", "show", "deployments-3.csv", "--reason", "result", "--limit", "2")
    assert [(one["line"], one["found"]) for one in only] == [(3, "?"), (4, "?")]
    printed = house.roi("quarantine", "show", "deployments-2.csv")
    assert "deployments-2.csv:5" in printed
    assert "canary" not in printed.lower()


def test_what_is_wrong_with_a_whole_file_or_record_is_not_told_as_expected() -> None:
    """Nobody knows the file, and a record has a column too many: each under why, what was expected under its own."""
    held = HeldFile("a.csv", "0" * 64, "feedback", is_whole=False)
    faults = [
        Fault(None, "", "", "", "", "no source takes this file"),
        Fault(5, "", "", "", "", "6 columns where 9 were expected"),
        Fault(7, "feedback", "score", "-1", "0 or more", "score: negative"),
    ]
    whole, single = fault_rows([(held, one) for one in faults])
    assert whole == [("a.csv", "no source takes this file"), ("a.csv:5", "6 columns where 9 were expected")]
    assert single == [("a.csv:7", "feedback", "score", "-1", "0 or more")]


def test_a_file_that_is_not_held_is_not_found(house: House) -> None:
    """The nearest name that is stands in the message."""
    settings = house.settings
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        with pytest.raises(ConfigurationError, match=r"found 'deployments-4\.csv'; did you mean deployments-"):
            held_files(con, "deployments-4.csv")
        (one,) = held_files(con, "deployments-3.csv")
        assert held_files(con, one.file_hash[:8]) == [one]


def test_export_writes_the_rows_as_they_came_and_for_their_owner_alone(house: House, tmp_path: Path) -> None:
    """Header and the two bad records of the second file, byte by byte; the held file whole; nothing is overwritten."""
    house.roi("quarantine", "export", tmp_path / "out")
    source = (house.settings.exports / "deployments-2.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    written = tmp_path / "out" / "mended" / "deployments-2.csv"
    assert written.read_text(encoding="utf-8") == source[0] + source[4] + source[8]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    whole = (house.settings.exports / "late/deployments-3.csv").read_bytes()
    assert (tmp_path / "out" / "mended" / "late/deployments-3.csv").read_bytes() == whole
    house.roi("quarantine", "export", tmp_path / "out", exit_code=1)


def test_what_the_commands_of_a_folder_advise_names_it(house: House, tmp_path: Path) -> None:
    """List, show, export and a name that is not held: whatever command they name is about this warehouse."""
    told = [
        one["next_step"]
        for word in ("list", "show deployments-2.csv")
        for one in house.json("quarantine", *word.split())
    ]
    assert any("roi quarantine retry" in one for one in told)
    for one in told:
        commands = re.findall(r"roi quarantine (?:retry|export DIR)", one)
        assert len(re.findall(r"roi quarantine (?:retry|export DIR) --exports exports", one)) == len(commands), one
    said = house.roi("quarantine", "export", tmp_path / "out").splitlines()[-1]
    assert said == (f"  cp -r {tmp_path / 'out' / 'mended'} {house.settings.exports}/ && make nightly EXPORTS=exports")
    with (
        ledger(house.settings) as con,
        pytest.raises(ConfigurationError, match=r"found 'x'; roi quarantine list --exports exports names the files"),
    ):
        held_files(con, "x")
    page = " ".join((house.project.reports / "run.html").read_text(encoding="utf-8").split())
    assert "put it back under the same name, run make nightly EXPORTS=exports" in page
    for word in ("list", "retry"):
        assert f"<code>.venv/bin/roi quarantine {word} --exports exports</code>" in page
    assert "EXPORTS stands for" not in page


def test_refused_retried_mended_and_complete(house: House, tmp_path: Path) -> None:
    """End to end: a retry changes nothing; rows written out, mended and dropped in make all 24, and none is open."""
    before, published = (house.rows(REFUSED), house.rows(ENTERED)), house.project.digests()
    tried = house.json("quarantine", "retry", exit_code=3)
    assert (tried["new_edition"], tried["edition"], house.project.digests()) == (False, 1, published)
    assert (
        "\nNothing changed: 2 files retried, 6 rows still quarantined. Edition 1 of exports stands (data through "
    ) in house.roi("quarantine", "retry", exit_code=3)
    assert tried["retried"] == {"files": 2, "loaded": 0, "duplicate": 0, "quarantined": 2 + 4}
    assert (house.rows(REFUSED), house.rows(ENTERED)) == before
    house.roi("quarantine", "export", tmp_path / "out")
    mended = tmp_path / "out" / "mended"
    for path in sorted(mended.rglob("*.csv")):
        text = path.read_text(encoding="utf-8").replace(CANARY, "failed").replace(",?,", ",failed,")
        text = text.replace("2026-10-08T09:30", "2026-10-08T10:40").replace("perhaps", "false")
        write(house.settings.exports / "mended", str(path.relative_to(mended)), text.splitlines()[1:])
    done = run_nightly(house.settings)
    assert (done.rows["loaded"], done.rows["duplicate"], done.still_quarantined) == (2 + 4, 0, "")
    assert house.roi("quarantine", "list") == "Nothing is quarantined.\n"
    assert house.rows("SELECT count(*), count(*) FILTER (WHERE result = 'failed') FROM core.deployments") == [(24, 4)]
    with (house.project.reports / "data" / "loads.csv").open(encoding="utf-8", newline="") as file:
        loads = list(csv.DictReader(file))
    sums = [sum(int(load[name]) for load in loads) for name in ("rows_in", "loaded", "duplicate", "quarantined")]
    assert sums == [24 + 6, 24, 0, 6]
    mended = [load["file"] for load in loads if load["reason"].startswith("mended: replaced by a newer mended/")]
    assert mended == ["deployments-2.csv", "late/deployments-3.csv"]
    pages = {name: (house.project.reports / name).read_text(encoding="utf-8") for name in ("index.html", "run.html")}
    assert ">6 of 30</a>, 6 of them mended since</li>" in pages["index.html"], "30 = 24 loaded + 6 quarantined"
    assert "24 of 30 rows loaded, 0 duplicate, 6 quarantined (6 of them mended since)" in pages["run.html"]
    assert "Rows in = loaded + duplicate + quarantined: 30 = 24 + 0 + 6." in pages["run.html"]


def test_a_check_that_blocks_keeps_the_old_edition(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loader that loses a row: the sum does not hold, nothing is published, and not one byte changes."""
    project = Project(Path(shutil.copytree(house.project.root, tmp_path / "project")))
    settings = Settings(project.root, project.root / "exports", NOW)
    before, editions = project.digests(), project.rows("exports", "SELECT max(number) FROM kpi.editions")
    load_rows = ingest.load_rows

    def losing(con: duckdb.DuckDBPyConnection, *arguments: Any, **named: Any) -> Any:
        load = load_rows(con, *arguments, **named)
        con.execute("DELETE FROM core.deployments WHERE deployment_id = 'late-09'")
        return load

    monkeypatch.setattr(ingest, "load_rows", losing)
    write(settings.exports, "deployments-4.csv", [row.replace("dep-", "late-") for row in GOOD])
    with pytest.raises(BlockedError, match="A check blocks this edition; the published one stays") as caught:
        run_nightly(settings)
    assert [problem.code for problem in caught.value.problems] == ["rows_held"]
    assert project.digests() == before
    assert project.rows("exports", "SELECT max(number) FROM kpi.editions") == editions


def test_what_a_first_run_refused_is_told_without_an_edition(house: House, tmp_path: Path) -> None:
    """6 of 20 rows are 30 %: the message says so, and list, show, export and retry work though nothing is published."""
    exports = tmp_path / "first"
    rows = [row.replace("dep-", f"{name}-") for name in ("a", "b") for row in GOOD]
    path = write(exports, "deployments.csv", [*(row.replace("success", "?") for row in rows[:6]), *rows[6:]])
    first = House(house.project, Settings(house.project.root, exports, NOW), house.first)
    why = "deployments.csv  quarantined  6 of 20 rows break a rule (30%; at most 20% may: quarantine_limit)"
    with pytest.raises(RoiError, match="nothing to publish") as caught:
        run_nightly(first.settings)
    assert str(caught.value.problems[0]).startswith(why)
    listed = first.json("quarantine", "list")
    assert [(one["line"], one["rows"]) for one in listed] == [(None, 14), (2, 6)]
    assert [one["found"] for one in first.json("quarantine", "show", "deployments.csv")] == ["?"] * 6
    first.roi("quarantine", "retry", exit_code=1)
    first.roi("quarantine", "export", tmp_path / "out")
    assert (tmp_path / "out" / "mended" / "deployments.csv").read_bytes() == path.read_bytes()
    assert first.settings.unpublished.stat().st_mode & 0o077 == 0
    write(exports, "deployments.csv", rows)
    first.roi("nightly")
    assert not first.settings.unpublished.exists()
    assert first.roi("quarantine", "list") == "Nothing is quarantined.\n"


class Nights:
    """Files taken in night by night by the mappings of the package and of a folder, without anything after that."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.exports, self.run = folder, folder / "exports", 0
        self.con = open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB")
        create_schemas(self.con)
        (folder / "maps").mkdir()
        self.exports.mkdir()

    def night(self, told: str, *, now: datetime = NOW, again: Sequence[str] = ()) -> Taken:
        """One run with this mapping; `again` are contents to try again."""
        (self.folder / "maps" / "helpdesk.yaml").write_text(told, encoding="utf-8")
        mappings = load_mappings([self.folder / "maps"])
        self.run += 1
        run = Ingest(self.con, mappings, mappings_hash(mappings), self.run, now, frozenset(again))
        return take_in(run, receive(self.exports, self.folder / "received"))

    def entered(self) -> list[tuple[Any, ...]]:
        """What the ledger counts per file."""
        return self.con.execute(ENTERED).fetchall()


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    """An empty warehouse and folder."""
    return Nights(tmp_path)


def test_a_mended_mapping_takes_the_rows_in_on_the_next_night(nights: Nights) -> None:
    """Day-first times are refused, one row of ten and a file of three; once the mapping reads them each counts once."""
    fine = [f"T-{i},2026-10-{i:02d} 09:00:00,{CANARY},2026-10-{i:02d} 09:30:00" for i in range(1, 10)]
    odd = [f"T-{i},{i}.10.2026 09:00,{CANARY}," for i in range(10, 14)]
    write(nights.exports, "helpdesk-1.csv", [*fine, odd[0]], COLUMNS)
    write(nights.exports, "helpdesk-2.csv", odd[1:], COLUMNS)
    nights.night(TICKETS)
    assert nights.entered() == [("helpdesk-1.csv", 10, 9, 0, 1), ("helpdesk-2.csv", 3, 0, 0, 3)]
    (held, _) = held_files(nights.con)
    (fault,) = faults(nights.con, held, nights.folder / "received", load_mappings([nights.folder / "maps"]))
    assert (fault.line, fault.found, fault.expected) == (11, "opened = 99.99.9999 99:99 (masked)", "a time")
    assert nights.night(TICKETS) == Taken(), "without a change nothing is tried again"
    mended = "coalesce(try_strptime(opened, '%d.%m.%Y %H:%M'), try_cast(opened as timestamp))"
    done = nights.night(TICKETS.replace("created_at: opened", f'created_at: "{mended}"'))
    assert (done.rows_in, done.loaded, done.duplicate, done.quarantined) == (4, 4, 0, 0)
    assert dict(done.retried) == {"files": 2, "loaded": 4, "duplicate": 0, "quarantined": 0}
    assert nights.entered() == [("helpdesk-1.csv", 10, 10, 0, 0), ("helpdesk-2.csv", 3, 3, 0, 0)]
    assert nights.con.execute("SELECT count(*) FROM core.contacts").fetchall() == [(13,)]
    assert entries(nights.con) == []


def test_the_days_of_rows_taken_late_are_built_again(nights: Nights) -> None:
    """A refused file gives its load number back and may get it anew: the run begins with it, not with the next one."""
    write(nights.exports, "helpdesk.csv", ["T-1,1.10.2026,a,"], COLUMNS)
    nights.night(TICKETS)
    before = ledger_of.next_load(nights.con)
    nights.night(TICKETS.replace("created_at: opened", "created_at: \"try_strptime(opened, '%d.%m.%Y')\""))
    ((load,),) = nights.con.execute("SELECT _load_id FROM core.contacts").fetchall()
    assert load < before
    assert ledger_of.first_load(nights.con, run_id=3 - 1) == load


def test_a_limit_that_is_lifted_lets_the_good_rows_of_a_held_file_in(nights: Nights) -> None:
    """Four of five rows are bad; a limit of 80 % loads the fifth and quarantines four, row by row."""
    rows = ["T-1,2026-10-01 09:00:00,a,", *(f"T-{i},some day,b," for i in range(2, 6))]
    write(nights.exports, "helpdesk.csv", rows, COLUMNS)
    nights.night(TICKETS)
    assert nights.entered() == [("helpdesk.csv", 5, 0, 0, 5)]
    assert [(one.line, one.rows) for one in entries(nights.con)] == [(None, 1), (3, 4)]
    nights.night(TICKETS + "quarantine_limit: 0.8\n")
    assert nights.entered() == [("helpdesk.csv", 5, 1, 0, 4)]
    said = nights.con.execute("SELECT quarantine_limit FROM ledger.limits WHERE source = 'helpdesk'").fetchall()
    assert said == [(0.8,)], "the check of the warehouse reads it there"


def test_a_row_of_the_future_is_taken_once_its_day_has_come(nights: Nights) -> None:
    """No definition changes, so only a retry takes it; tried too early it stays counted where it was."""
    rows = [f"T-{i},2026-10-0{i} 09:00:00,a," for i in range(1, 8)]
    write(nights.exports, "helpdesk.csv", [*rows, "T-8,2026-11-05 09:00:00,a,"], COLUMNS)
    nights.night(TICKETS)
    (entry,) = entries(nights.con)
    assert "roi quarantine retry" in entry.next_step
    loads = nights.con.execute("SELECT * FROM ledger.loads ORDER BY ALL").fetchall()
    early = nights.night(TICKETS, again=[entry.file_hash])
    assert (early.rows_in, dict(early.retried)) == (0, {"files": 1, "loaded": 0, "duplicate": 0, "quarantined": 1})
    assert nights.con.execute("SELECT * FROM ledger.loads ORDER BY ALL").fetchall() == loads
    late = nights.night(TICKETS, now=datetime(2026, 11, 6, tzinfo=UTC), again=[entry.file_hash])
    assert (late.loaded, nights.entered()) == (1, [("helpdesk.csv", 8, 8, 0, 0)])


@pytest.mark.parametrize(("mark", "before"), [(",", ""), (";", ""), ("\t", ""), (",", 'Tickets of "May\n\n')])
def test_records_that_can_be_read_now_are_taken_and_unreadable_ones_stay(
    nights: Nights, tmp_path: Path, mark: str, before: str
) -> None:
    """A line of two columns and one with a bad time: what is written out holds both, and a retry leaves both."""
    above = before.count("\n")
    told = f"{TICKETS}delimiter: {json.dumps(mark)}\nheader_line: {above + 1}\n"
    rows = [f"T-{i},2026-10-0{i} 09:00:00,a," for i in range(1, 9)]
    rows += ["T-9,2026-10-09 09:00:00", f'"T-10",never,"a{mark} ""b""",']
    path = write(
        nights.exports, "helpdesk.csv", [row.replace(",", mark) for row in rows], before + COLUMNS.replace(",", mark)
    )
    nights.night(told)
    (held,) = held_files(nights.con)
    mappings = load_mappings([nights.folder / "maps"])
    (written,) = export(nights.con, [held], nights.folder / "received", mappings, out=tmp_path / "out")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert written.path.read_text(encoding="utf-8").splitlines() == [*lines[: above + 1], *lines[-2:]]
    loads = nights.con.execute(REFUSED).fetchall()
    nights.night(told, again=[held.file_hash])
    assert nights.con.execute(REFUSED).fetchall() == loads
    assert nights.entered() == [("helpdesk.csv", 10, 8, 0, 2)]


def test_mended_and_refused_in_one_run_are_settled_too(nights: Nights) -> None:
    """As in a rebuild: `mended/x.csv` arrives with `x.csv` and closes what is quarantined of it."""
    rows = [f"T-{i},2026-10-0{i} 09:00:00,a," for i in range(1, 9)]
    write(nights.exports, "helpdesk.csv", [*rows, "T-9,never,a,"], COLUMNS)
    write(nights.exports, "mended/helpdesk.csv", ["T-9,2026-10-09 09:00:00,a,"], COLUMNS)
    nights.night(TICKETS)
    assert nights.con.execute("SELECT count(*) FROM core.contacts").fetchall() == [(9,)]
    assert ledger_of.still_quarantined(nights.con) == (0, 0)


def test_what_came_under_two_names_is_found_and_mended_by_any_of_them(nights: Nights) -> None:
    """One content, once packed: `mended/` under one name closes it; a whole newer file has to replace both."""
    rows = [f"T-{i},2026-10-0{i} 09:00:00,a," for i in range(1, 9)]
    first = write(nights.exports, "helpdesk-1.csv", [*rows, "T-9,never,a,"], COLUMNS)
    with gzip.open(nights.exports / "helpdesk-2.csv.gz", "wb") as packed:
        packed.write(first.read_bytes())
    nights.night(TICKETS)
    (held,) = held_files(nights.con)
    names = ("helpdesk-1.csv", "helpdesk-2.csv", "helpdesk-2.csv.gz")
    assert [held_files(nights.con, name) for name in names] == [[held]] * 3
    first.write_text(first.read_text(encoding="utf-8").replace("never", "2026-10-09 09:00:00"), encoding="utf-8")
    nights.night(TICKETS)
    assert ledger_of.still_quarantined(nights.con) == (0, 1)
    write(nights.exports, "mended/helpdesk-1.csv", ["T-9,2026-10-09 09:00:00,a,"], COLUMNS)
    nights.night(TICKETS)
    assert ledger_of.still_quarantined(nights.con) == (0, 0)


@pytest.mark.parametrize(
    ("value", "is_text", "told"),
    [
        (None, False, "(nothing)"),
        ("-3.5", False, "-3.5"),
        ("2026-13-01T10:00:00Z", False, "2026-13-01T10:00:00Z"),
        ("48.000 EUR", False, "99.999 AAA (masked)"),
        ("0171 2345678", False, "9999 9999999 (masked)"),
        ("Zoë Müller", True, "Aaa Aaaaaa (masked)"),
        ("12345", True, "99999 (masked)"),
        ("x" * 80, True, "a" * 57 + "... (masked)"),
        ("31/31/2026", False, "99/99/9999 (masked)"),
        ("?", True, "?"),
    ],
)
def test_a_value_is_told_by_the_kind_of_its_characters(value: str | None, is_text: bool, told: str) -> None:
    """Only numbers and times of columns that hold such stand as they are."""
    assert redacted(value, is_common=False, is_text=is_text) == told


@pytest.mark.parametrize(
    ("text", "is_none"),
    [("31.02.26 10:00:00", True), ("31.01.26 10:00:00", False), ("02/30/2026", True), ("30/02/2026", True),
     ("02/28/2026", False), ("2026-02-30T10:00:00Z", True), ("2026/02/28", False), ("31-02-26", False),
     ("10.10.20261", False), ("29.02.2024", False), ("00.01.2026", True), ("some day", False), ("", False)],
)  # fmt: skip
def test_a_day_that_no_calendar_has_is_known_where_the_year_is_plain(text: str, is_none: bool) -> None:
    """Day or month may come first; 31-02-26 may be of 2031."""
    assert is_no_day(text) == is_none


def test_a_masked_date_says_that_there_is_no_such_day(nights: Nights) -> None:
    """The digits stay masked, and what is wrong with them is told; of a date in another form it is not."""
    rows = [f"T-{i},2026-10-0{i} 09:00:00,a," for i in range(1, 9)]
    write(nights.exports, "helpdesk.csv", [*rows, "T-9,31.02.26 10:00:00,a,", "T-10,28.02.26 10:00:00,a,"], COLUMNS)
    nights.night(TICKETS)
    (held,) = held_files(nights.con)
    found = faults(nights.con, held, nights.folder / "received", load_mappings([nights.folder / "maps"]))
    masked = "opened = 99.99.99 99:99:99 (masked)"
    assert [(one.found, one.expected) for one in found] == [
        (masked, "a time; the calendar has no such day"), (masked, "a time")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("whole", "reason", "step"),
    [
        ("incomplete: the last line has no line end", "incomplete: the last line has no line end", "by itself"),
        ("x", "no source takes this file: neither its name nor its columns are known", "roi sources probe"),
        ("x", "no source takes this file, and none can be drafted from it: it is no CSV", "with `ignore`, or keep it"),
        ("", "other values under the same key as a.csv:3", "decide which row is right"),
        ("3 of 4 rows break a rule: the file is held back whole", "result: missing", "quarantine_limit"),
        ("", "created_at: in the future (opened in the file)", "once its day has come"),
        ("", "created_at: in the future", "once its day has come"),
        ("", "created_at: missing", "quarantine export"),
        ("", "created_at: missing", "or mend the mapping, then roi quarantine retry"),
        ("", "created_at: in the future", "mend the mapping (time_zone), then roi quarantine retry"),
        ("x", "The mapping 'a' does not fit the file.", "mend the mapping, then roi quarantine retry"),
        ("x", "the file cannot be read as its source says (Conversion)", "mend the mapping, then roi quarantine retry"),
        ("3 of 4 rows break a rule: the file is held back whole", "a: missing", "or mend the mapping, then roi quar"),
    ],
)
def test_each_reason_has_its_next_step(whole: str, reason: str, step: str) -> None:
    """What to do depends on why."""
    assert step in next_step(whole, reason)


@pytest.mark.parametrize(
    ("whole", "reason", "steps"),
    [
        ("", "other values under the same key as a.csv:3", ["make rebuild EXPORTS='my exports'"]),
        ("", "a: in the future", ["roi quarantine retry --exports 'my exports'"] * 2),
        ("", "a: missing", ["roi quarantine export DIR --exports 'my exports'",
                            "roi quarantine retry --exports 'my exports'"]),
        ("3 of 4 rows break a rule: the file is held back whole", "a: missing",
         ["roi quarantine export DIR --exports 'my exports'", "roi quarantine retry --exports 'my exports'"]),
        ("x", "The mapping 'a' does not fit the file.", ["roi quarantine retry --exports 'my exports'"]),
    ],
)  # fmt: skip
def test_a_next_step_is_about_the_folder_of_exports(whole: str, reason: str, steps: list[str]) -> None:
    """Without it a command would act on the sample; every command of a step names the folder, as a shell takes it."""
    told = next_step(whole, reason, at=" (a.yaml:1:1)", commands=Commands("my exports"))
    assert (
        re.findall(
            r"(?:roi quarantine (?:retry|export DIR)|make rebuild)(?: (?:--exports |EXPORTS=)'my exports')?", told
        )
        == steps
    )


def test_a_rule_that_no_row_keeps_is_a_fault_of_the_mapping(tmp_path: Path) -> None:
    """Three tickets with local dates: the place in the mapping and the retry come first; of one bad row of two, not."""
    project = Project.new(tmp_path / "project")
    (project.root / "sources").mkdir()
    (project.root / "sources" / "helpdesk.yaml").write_text(TICKETS, encoding="utf-8")
    exports = project.root / "exports"
    write(exports, "deployments-1.csv", GOOD)
    write(exports, "helpdesk-1.csv", [f"{'' if i == 2 else i},0{i}.10.2026,anna," for i in (1, 2, 3)], COLUMNS)
    write(exports, "helpdesk-2.csv", ["T-8,2026-10-01,anna,", "T-9,1.10.2026,anna,"], COLUMNS)
    project.roi("nightly", "--exports", exports, exit_code=3)
    steps = {
        (one["file"], one["line"]): one["next_step"] for one in project.json("quarantine", "list", "--exports", exports)
    }
    every = (
        "every row of the file breaks it: mend the mapping (sources/helpdesk.yaml:11:7), then roi quarantine retry "
        "--exports exports; if it is the rows that are wrong, mend the export"
    )
    some = (
        "roi quarantine export DIR --exports exports, mend the rows, put them back; or mend the mapping "
        "(sources/helpdesk.yaml:11:7), then roi quarantine retry --exports exports"
    )
    assert steps == {("helpdesk-1.csv", 2): every, ("helpdesk-1.csv", 3): every, ("helpdesk-2.csv", 3): some}
    shown = project.roi("quarantine", "show", "helpdesk-1.csv", "--exports", exports).stdout
    reasons = re.search(rf"What to do about (.*):\n  {re.escape(every)}\n", shown)
    assert reasons is not None
    assert sorted(reasons[1].split("; ")) == [
        "contact_id: missing (ticket in the file)",
        "created_at: not a time (opened in the file)",
    ]
    assert {one["next_step"] for one in project.json("quarantine", "show", "helpdesk-2.csv", "--exports", exports)} == {
        some
    }
    mapping = TICKETS.replace(
        "created_at: opened", "created_at: coalesce(try_strptime(opened, '%d.%m.%Y')::varchar, opened)"
    )
    (project.root / "sources" / "helpdesk.yaml").write_text(mapping, encoding="utf-8")
    retried = project.json("quarantine", "retry", "--exports", exports, exit_code=3)["retried"]
    assert retried == {"files": 2, "loaded": 3, "duplicate": 0, "quarantined": 1}


def test_a_retry_makes_an_edition_once_it_takes_a_row(tmp_path: Path) -> None:
    """A row of tomorrow: tried today nothing changes and edition 1 stands; tried when its day has come, it is in 2."""
    project = Project.new(tmp_path / "project")
    exports = project.root / "exports"
    write(
        exports, "deployments-1.csv", [*GOOD, GOOD[0].replace("dep-01", "dep-99").replace("2026-10-01", "2026-11-02")]
    )
    project.roi("nightly", "--exports", exports, exit_code=3)
    early = project.json("quarantine", "retry", "--exports", exports, exit_code=3)
    assert (early["new_edition"], early["edition"]) == (False, 1)
    late = project.json("quarantine", "retry", "--exports", exports, "--now", "2026-11-03T06:00:00Z")
    assert (late["new_edition"], late["edition"], late["retried"]["loaded"]) == (True, 2, 1)


def test_csv_records_keep_their_line_ends_quotes_and_lines(tmp_path: Path) -> None:
    """A record over two lines begins on line 3; the last one gets the line end it lacks."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n1,x\r\n2,"y\r\nz"\r\n3,"q""q"\r\n4,w')
    assert b"".join(csv_part(path, [3, 6])) == b'\xef\xbb\xbfa,b\r\n2,"y\r\nz"\r\n4,w\n'
    assert b"".join(lines_part(path, [2])) == b"1,x\r\n"
    titled = b'Made by "us\n\n' + path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    path.write_bytes(titled)
    assert b"".join(csv_part(path, [5, 8], 3)) == b'Made by "us\n\na,b\r\n2,"y\r\nz"\r\n4,w\n'


@pytest.mark.parametrize(
    ("text", "records", "numbers", "expected"),
    [
        (
            '{"n": 2, "rows": [ {"v": 1.10}, {"v": 2} ], "z": []}',
            "$.rows",
            [1],
            '{"n": 2, "rows": [{"v": 1.10}], "z": []}',
        ),
        ('[{"a": "]"}, {"a": 2}, {"a": 3}]', None, [1, 3], '[{"a": "]"},\n{"a": 3}]'),
        ('{"x": {"y": [1, 2]}}', "$.x.y", [2], '{"x": {"y": [2]}}'),
        ('{"id": 1}', None, [1], '{"id": 1}'),
    ],
)
def test_a_document_keeps_everything_but_the_other_records(
    text: str, records: str | None, numbers: list[int], expected: str
) -> None:
    """What stands around the list stays, and each record as it is written: 1.10 stays 1.10."""
    part = b"".join(document_part(text, records, numbers)).decode()
    assert (part, json.loads(part)) == (expected.replace("[ {", "[{").replace("} ]", "}]"), json.loads(expected))


def test_the_readme_names_the_commands() -> None:
    """An analyst finds them under everyday work."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"roi quarantine {word}" in text for word in ("list", "show", "export", "retry"))
