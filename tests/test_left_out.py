"""Rows that the `where` of a mapping leaves out: counted in the ledger, told by probe, summary, pages and downloads."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from project import Project
from test_quarantine import COLUMNS, GOOD, HEADER, NOW, TICKETS, write

from pipeline import ingest, straight
from pipeline.assurance import probe
from pipeline.errors import RoiError
from pipeline.ingest import Ingest, take_in
from pipeline.nightly import run_nightly
from pipeline.settings import Settings
from pipeline.sources.mapping import load_mappings, mappings_hash
from pipeline.summary import Summary, print_probe, print_summary
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

WHERE = "coalesce(env, '') not in ('test', 'demo')"
RELEASES = f"""\
source: releases
describes: Releases of our pipeline
reader: csv
files: ["releases-*.csv"]
required: [nr, service, env, kind, began, ended, outcome]
tables:
  deployments:
    where: {WHERE}
    columns:
      deployment_id: nr
      service: service
      environment: env
      change_type: kind
      started_at: began
      finished_at: ended
      result: outcome
"""
RELEASE_COLUMNS = "nr,service,env,kind,began,ended,outcome"
COUNTS = "rows_in, loaded, duplicate, quarantined, left_out"


def release(number: int, env: str, outcome: str = "success") -> str:
    """One row of the export."""
    return f"r-{number:02d},api,{env},code,2026-10-{number:02d}T10:00:00Z,2026-10-{number:02d}T10:30:00Z,{outcome}"


def counts(con: duckdb.DuckDBPyConnection, file: str) -> list[tuple[object, ...]]:
    """The loads of a file: table and counts, one after another."""
    loads = "ledger.loads JOIN ledger.files USING (file_hash)"
    sql = f"SELECT table_name, {COUNTS} FROM {loads} WHERE name = ? ORDER BY load_id"
    return con.execute(sql, [file]).fetchall()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Summary]:
    """Ten deployments of the shipped source; six releases of which two are tests and one is bad; two that are demos."""
    project = Project.new(tmp_path_factory.mktemp("left") / "project")
    settings = Settings(project.root, project.root / "exports", NOW)
    (project.root / "sources").mkdir()
    (project.root / "sources" / "releases.yaml").write_text(RELEASES, encoding="utf-8")
    write(settings.exports, "deployments-1.csv", GOOD, HEADER)
    some = [release(1, "production"), release(2, "test"), release(3, "production"), release(4, "demo")]
    write(settings.exports, "releases-1.csv", [*some, release(5, "production", "?"), release(6, "staging")],
          RELEASE_COLUMNS)  # fmt: skip
    write(settings.exports, "releases-2.csv", [release(7, "demo"), release(8, "test")], RELEASE_COLUMNS)
    return settings, run_nightly(settings)


def test_the_ledger_adds_up_to_the_rows_of_the_file(night: tuple[Settings, Summary]) -> None:
    """6 rows = 3 loaded + 1 quarantined + 2 left out; 2 = 2 left out; 10 = 10 loaded + 0 left out."""
    settings, summary = night
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        assert counts(con, "releases-1.csv") == [("deployments", 4, 3, 0, 1, 2)]
        assert counts(con, "releases-2.csv") == [("deployments", 0, 0, 0, 0, 2)]
        assert counts(con, "deployments-1.csv") == [("deployments", 10, 10, 0, 0, 0)]
        sql = """SELECT name, any_value(records_in) - sum(rows_in + left_out) FROM ledger.files
                 JOIN ledger.loads USING (file_hash) GROUP BY name ORDER BY name"""
        assert con.execute(sql).fetchall() == [("deployments-1.csv", 0), ("releases-1.csv", 0), ("releases-2.csv", 0)]
    assert summary.rows == {"rows_in": 14, "loaded": 13, "duplicate": 0, "quarantined": 1, "left_out": 4}


def test_the_summary_tells_them_where_there_are_some(
    night: tuple[Settings, Summary], capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of its own; a run that leaves out nothing has none."""
    _, summary = night
    print_summary(summary, as_json=False)
    printed = capsys.readouterr().out
    assert "14 in = 13 loaded + 0 duplicate + 1 quarantined" in printed
    assert "left out           4 rows more, by the `where` of mappings: reports/run.html says of which" in printed
    without = Summary("x", new_edition=True, rows={**summary.rows, "left_out": 0})
    print_summary(without, as_json=False)
    assert "left out" not in capsys.readouterr().out


def test_a_where_that_takes_nothing_is_warned_of(night: tuple[Settings, Summary]) -> None:
    """Place, expression, count, file and what to do; of the file that has other rows nothing is said."""
    settings, summary = night
    (told,) = [one for one in summary.warnings if "where" in one]
    assert told == (
        f"sources/releases.yaml:8:5: `where` of deployments leaves out every row (2) of releases-2.csv: {WHERE}; "
        "expected one to be taken: mend it, then make rebuild EXPORTS=exports"
    )
    assert summary.exit_code == 3
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        found = con.execute("SELECT name, warning FROM ledger.warnings JOIN ledger.files USING (file_hash)").fetchall()
    wanted = f"sources/releases.yaml:8:5: `where` of deployments leaves out all 2 rows: {WHERE}"
    assert found == [("releases-2.csv", wanted)]


def test_downloads_and_page_tell_them(night: tuple[Settings, Summary]) -> None:
    """loads.csv per file; the page adds up to 18 rows read and names source and table with their share."""
    settings, _ = night
    with (settings.reports / "data" / "loads.csv").open(encoding="utf-8", newline="") as file:
        found = {row["file"]: row["left_out"] for row in csv.DictReader(file)}
    assert found == {"deployments-1.csv": "0", "releases-1.csv": "2", "releases-2.csv": "2"}
    page = (settings.reports / "run.html").read_text(encoding="utf-8")
    assert "With the 4 that the <code>where</code> of a mapping leaves out, 18 rows were read." in page
    row = '<th scope="row">releases</th><td>deployments</td><td class="num">4</td><td class="num">8</td>'
    assert row in page
    assert (
        "deployments_csv</th><td>deployments</td>" not in page.partition('id="left-out"')[2].partition("</section>")[0]
    )


def test_a_probe_tells_them(night: tuple[Settings, Summary], capsys: pytest.CaptureFixture[str]) -> None:
    """Of how many rows, and that nothing is left where nothing is."""
    settings, _ = night
    some, none = (probe(settings, settings.exports / f"releases-{number}.csv") for number in (1, 2))
    assert [(one["rows"], one["left_out"]) for one in some["tables"]] == [(4, 2)]
    print_probe(some)
    assert "  deployments: 4 rows, 3 good, 1 bad\n    `where` leaves out 2 of 6 rows\n" in capsys.readouterr().out
    assert "leaves out" not in some["note"]
    assert f"sources/releases.yaml:8:5: `where` of deployments leaves out all 2 rows: {WHERE}" in none["note"]


def test_a_warehouse_from_before_says_that_it_is_not_known(night: tuple[Settings, Summary], tmp_path: Path) -> None:
    """Its pages can be drawn as they are, without a count; the next run counts its own files alone."""
    shutil.copytree(night[0].root, tmp_path / "project")
    settings = Settings(tmp_path / "project", tmp_path / "project" / "exports", NOW)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("ALTER TABLE ledger.loads DROP COLUMN left_out")
    shutil.rmtree(settings.reports)
    assert not run_nightly(settings).new_edition
    page = (settings.reports / "run.html").read_text(encoding="utf-8")
    assert "how many were left out of 3 files loaded before that was counted is not available" in page
    assert '<td class="num">not available</td>' in page
    assert 'id="left-out"' not in page
    write(settings.exports, "releases-3.csv", [release(9, "production"), release(10, "demo")], RELEASE_COLUMNS)
    assert run_nightly(settings).rows["left_out"] == 1
    with (settings.reports / "data" / "loads.csv").open(encoding="utf-8", newline="") as file:
        found = {row["file"]: row["left_out"] for row in csv.DictReader(file)}
    assert found == {"deployments-1.csv": "", "releases-1.csv": "", "releases-2.csv": "", "releases-3.csv": "1"}


def test_a_first_night_that_a_where_leaves_empty_says_so(tmp_path: Path) -> None:
    """Nothing is published, and the message names the mapping and the expression."""
    project = Project.new(tmp_path / "project")
    settings = Settings(project.root, project.root / "exports", NOW)
    (project.root / "sources").mkdir()
    (project.root / "sources" / "releases.yaml").write_text(RELEASES, encoding="utf-8")
    write(settings.exports, "releases-2.csv", [release(7, "demo"), release(8, "test")], RELEASE_COLUMNS)
    with pytest.raises(
        RoiError, match=r"sources/releases\.yaml:8:5: `where` of deployments leaves out every row \(2\)"
    ):
        run_nightly(settings)


class Taking:
    """A warehouse of its own that takes in a folder by mappings that may change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "exports").mkdir(parents=True)
        (root / "sources").mkdir()
        self.con = open_warehouse(root / "x.duckdb", key=b"k" * 32)
        create_schemas(self.con)
        self.run = 0

    def take(self, mapping: str, name: str = "helpdesk") -> ingest.Taken:
        """Take in what is new, or may be taken now."""
        (self.root / "sources" / f"{name}.yaml").write_text(mapping, encoding="utf-8")
        told = load_mappings([self.root / "sources"])
        self.run += 1
        arrivals = list(receive(self.root / "exports", self.root / "received"))
        return take_in(Ingest(self.con, told, mappings_hash(told), self.run, NOW), arrivals)


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[Taking]:
    """An empty one."""
    made = Taking(tmp_path / "house")
    yield made
    made.con.close()


def test_a_quarantined_row_that_the_mended_where_leaves_out_is_counted(taking: Taking) -> None:
    """3 rows: 1 loaded, 2 quarantined; the where takes one of those out, the other stays: 3 = 1 + 1 + 1."""
    rows = ["T-1,2026-10-05T10:00:00Z,anna,", "T-2,yesterday,anna,", "T-3,tomorrow,bert,"]
    write(taking.root / "exports", "helpdesk-1.csv", rows, COLUMNS)
    taking.take(TICKETS)
    assert counts(taking.con, "helpdesk-1.csv") == [("contacts", 3, 1, 0, 2, 0)]
    mended = TICKETS.replace("  contacts:\n", "  contacts:\n    where: opened <> 'yesterday'\n")
    taken = taking.take(mended)
    assert (taken.left_out, taken.retried["quarantined"]) == (1, 1)
    assert counts(taking.con, "helpdesk-1.csv") == [("contacts", 2, 1, 0, 1, 0), ("contacts", 0, 0, 0, 0, 1)]


def test_rows_of_lists_and_of_several_tables_are_counted_by_table(taking: Taking) -> None:
    """Two tickets of 2 + 1 notes: contacts take 1 of 2, feedback takes 1 of 3 and none of it is a warning."""
    told = TICKETS.replace("reader: csv", "reader: jsonl").replace("helpdesk*.csv", "helpdesk*.jsonl")
    told = told.replace("[answered]", "[answered, notes]").replace(
        "  contacts:\n", "  contacts:\n    where: customer <> 'robot'\n"
    )
    told += """\
  feedback:
    from: (select line, unnest(json_extract(notes, '$[*]')) as note from raw)
    where: "(note->>'$.stars') is not null"
    columns:
      feedback_id: "note->>'$.id'"
      kind: "'csat'"
      responded_at: "'2026-10-05T10:00:00Z'"
      score: "note->>'$.stars'"
"""
    lines = [
        '{"ticket": "T-1", "opened": "2026-10-05", "customer": "anna", "notes": [{"id": "n1", "stars": 4}, {}]}',
        '{"ticket": "T-2", "opened": "2026-10-05", "customer": "robot", "notes": [{"id": "n3"}]}',
    ]
    (taking.root / "exports" / "helpdesk-1.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    taken = taking.take(told)
    found = [(table, rows, left) for table, rows, *_, left in counts(taking.con, "helpdesk-1.jsonl")]
    assert found == [("contacts", 1, 1), ("feedback", 1, 2)]
    assert (taken.rows_in, taken.left_out, taken.emptied) == (2, 3, {})


@pytest.mark.parametrize(
    ("where", "rows", "left"),
    [("true", 3, 0), ("false", 0, 3), ("null", 0, 3), ("nr > 1", 2, 1), ("nr = 2 or nr is null", 1, 2)],
)
@pytest.mark.parametrize("source", ["raw", "(select *, row_number() over (order by ticket) as nr from raw)"])
def test_what_is_not_true_is_left_out(taking: Taking, source: str, where: str, rows: int, left: int) -> None:
    """Of three rows, whatever relation they come from; false and unknown leave out alike."""
    lines = [f"{number},2026-10-05T10:00:00Z,anna," for number in (1, 2, 3)]
    write(taking.root / "exports", "helpdesk-1.csv", lines, COLUMNS)
    condition = where.replace("nr", "ticket::int") if source == "raw" else where
    told = f"  contacts:\n    from: {source}\n    where: {condition}\n"
    taking.take(TICKETS.replace("  contacts:\n", told))
    assert counts(taking.con, "helpdesk-1.csv") == [("contacts", rows, rows, 0, 0, left)]


def test_a_large_file_that_is_loaded_while_it_is_read_counts_them_too(
    taking: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row of twenty is left out; the straight way says so without reading anything twice."""
    monkeypatch.setattr(straight, "PANDERA_UP_TO_ROWS", 10)
    rows = [f"T-{number},2026-10-05T10:00:00Z,{'robot' if number == 7 else 'anna'}," for number in range(20)]
    write(taking.root / "exports", "helpdesk-1.csv", rows, COLUMNS)
    ways: list[bool] = []
    way = ingest._take_straight

    def watched(*arguments: object) -> bool:
        ways.append(way(*arguments))  # type: ignore[arg-type]
        return ways[-1]

    monkeypatch.setattr(ingest, "_take_straight", watched)
    taken = taking.take(TICKETS.replace("  contacts:\n", "  contacts:\n    where: customer <> 'robot'\n"))
    assert ways == [True]
    assert counts(taking.con, "helpdesk-1.csv") == [("contacts", 19, 19, 0, 0, 1)]
    assert (taken.rows_in, taken.left_out) == (19, 1)


def test_a_file_that_is_held_back_keeps_what_was_left_out(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4 rows 1 is left out, and 2 of the other 3 are bad: all 3 are held."""
    monkeypatch.setattr(ingest, "HELD_FROM", 1)
    rows = ["T-1,2026-10-05T10:00:00Z,anna,", "T-2,x,anna,", "T-3,y,bert,", "T-4,2026-10-05T10:00:00Z,robot,"]
    write(taking.root / "exports", "helpdesk-1.csv", rows, COLUMNS)
    taken = taking.take(TICKETS.replace("  contacts:\n", "  contacts:\n    where: customer <> 'robot'\n"))
    assert counts(taking.con, "helpdesk-1.csv") == [("contacts", 3, 0, 0, 3, 1)]
    assert (taken.rows_in, taken.quarantined, taken.left_out) == (3, 3, 1)
