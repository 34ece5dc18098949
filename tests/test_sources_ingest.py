"""Taking in whole files: what becomes of each in the ledger, and that a bad one stops nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipeline import ingest
from pipeline.assurance import probe
from pipeline.ingest import Ingest, Taken, take_in
from pipeline.quarantine import entries
from pipeline.settings import Settings
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.naming import file_names, name_columns
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UPTIME = """\
source: uptime
describes: Availability of services
reader: csv
files: ["*.csv"]
required: [id, since, points]
time_zone: Europe/Berlin
tables:
  availability:
    columns:
      service: id
      window_start: since
      good: points
      valid: 10
    totals: [good]
quarantine_limit: 0.5
"""


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """An empty warehouse in memory."""
    con = open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB")
    create_schemas(con)
    return con


def taken(con: duckdb.DuckDBPyConnection, folder: Path, told: str, files: dict[str, str]) -> Taken:
    """Take in files of these texts by one mapping."""
    (folder / "maps").mkdir(exist_ok=True)
    (folder / "maps" / "uptime.yaml").write_text(told, encoding="utf-8")
    exports = folder / "exports"
    exports.mkdir(exist_ok=True)
    for name, text in files.items():
        (exports / name).write_text(text, encoding="utf-8")
    mappings = load_mappings([folder / "maps"])
    return take_in(Ingest(con, mappings, str(hash(told)), 1, NOW), receive(exports, folder / "received"))


def ledger(con: duckdb.DuckDBPyConnection, columns: str, table: str) -> Sequence[tuple[object, ...]]:
    """Columns of a ledger table, sorted."""
    return con.execute(f"SELECT {columns} FROM ledger.{table} ORDER BY ALL").fetchall()


def test_an_expression_that_does_not_bind_quarantines_that_file_alone(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """The reason names the line of the YAML; a file that has the column is taken in the same run."""
    told = UPTIME.replace("good: points", "good: points::BIGINT + bonus::BIGINT")
    files = {"a.csv": "id,since,points\na,2026-01-01,3\n", "b.csv": "id,since,points,bonus\nb,2026-01-01,3,1\n"}
    done = taken(con, tmp_path, told, files)
    assert (done.files_quarantined, done.files_loaded) == (1, 1)
    assert con.execute("SELECT service, good FROM core.availability").fetchall() == [("b", 4)]
    (reason,) = con.execute("SELECT reason FROM ledger.files WHERE name = 'a.csv'").fetchone() or ("",)
    assert reason.startswith("The mapping 'uptime' does not fit the file. maps/uptime.yaml:12:")
    assert "M020  table availability, column good: found the unknown column 'bonus'" in reason


def test_local_times_that_occurred_twice_are_a_warning_of_their_file(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Berlin's clocks went back on 2025-10-26: 02:30 was 00:30 UTC and again 01:30 UTC, which is taken."""
    rows = "a,2025-10-26 02:30:00,3\nb,2025-10-26 02:59:59,4\nc,2025-10-26 03:00:00,5\n"
    taken(
        con,
        tmp_path,
        UPTIME,
        {"a.csv": "id,since,points\n" + rows, "b.csv": "id,since,points\nd,2025-10-27 02:30:00,1\n"},
    )
    warned = "SELECT name, warning FROM ledger.warnings JOIN ledger.files USING (file_hash)"
    assert con.execute(warned).fetchall() == [("a.csv", "2 local times occurred twice that night; the later was taken")]
    hour = "SELECT window_start::VARCHAR FROM core.availability WHERE service = 'a'"
    assert con.execute(hour).fetchall() == [("2025-10-26 01:30:00+00",)]


def test_a_file_that_fails_while_it_is_kept_leaves_nothing_and_stops_nobody(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database gives up after the rows of the first file were written: they are gone, the second file is there."""
    enter_totals, calls = ingest.enter_totals, []

    def failing_once(*arguments: object, **named: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise duckdb.ConversionException("a value nobody shall read")
        enter_totals(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ingest, "enter_totals", failing_once)
    done = taken(con, tmp_path, UPTIME, {f"{name}.csv": f"id,since,points\n{name},2026-01-01,3\n" for name in "ab"})
    assert (done.files_loaded, done.files_quarantined, done.loaded) == (1, 1, 1)
    assert done.rows_in == done.loaded + done.duplicate + done.quarantined
    assert con.execute("SELECT service FROM core.availability").fetchall() == [("b",)]
    assert ledger(con, "name, status, reason", "files") == [
        ("a.csv", "quarantined", "the file cannot be read as its source says (ConversionException)"),
        ("b.csv", "loaded", ""),
    ]


def test_a_refused_file_is_tried_again_once_the_mappings_change(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Its entries are replaced, and each of its rows is counted once."""
    files = {"a.csv": "id,since,points\na,2026-01-01,3\nb,2026-01-01,bad\n"}
    taken(con, tmp_path, UPTIME.replace("good: points", "good: absent"), files)
    assert ledger(con, "table_name, loaded, rows_in = quarantined", "loads") == [("", 0, True)]
    done = taken(con, tmp_path, UPTIME, files)
    assert (done.files_loaded, done.rows_in, done.loaded, done.quarantined) == (1, 2, 1, 1)
    assert ledger(con, "table_name, rows_in, loaded, quarantined", "loads") == [("availability", 2, 1, 1)]
    assert ledger(con, "table_name, line, reason", "quarantine") == [
        ("availability", 3, "good: not a whole number (points in the file)")
    ]
    assert ledger(con, "column_name, rows, total::DOUBLE", "totals") == [("good", 1, 3.0)]
    assert ledger(con, "name, status", "files") == [("a.csv", "loaded")]


def test_malformed_records_are_counted_beside_the_rows(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A record of two columns instead of three is quarantined with its line; the other is loaded."""
    done = taken(con, tmp_path, UPTIME, {"a.csv": "id,since,points\na,2026-01-01\nb,2026-01-01,4\n"})
    assert (done.rows_in, done.loaded, done.quarantined) == (2, 1, 1)
    assert ledger(con, "table_name, line, reason", "quarantine") == [("", 2, "2 columns where 3 were expected")]


def _locked(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    """Files of these names cannot be opened, whoever runs the test."""
    opened = Path.open

    def guarded(self: Path, *arguments: object, **named: object) -> object:
        if self.name in names:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)


def test_a_file_that_cannot_be_read_stops_nobody_and_is_taken_once_it_can_be(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Night 1 quarantines it and takes the other, night 2 has no news, on night 3 it is as if nothing had been."""
    files = {f"{name}.csv": f"id,since,points\n{name},2026-01-01,3\n" for name in "ab"}
    taken(con, tmp_path, UPTIME, {})
    for name, text in files.items():
        (tmp_path / "exports" / name).write_text(text, encoding="utf-8")
    names = {"a.csv"}
    _locked(monkeypatch, names)
    first = taken(con, tmp_path, UPTIME, {})
    assert (first.files_loaded, first.files_quarantined, first.rows_in, first.quarantined) == (1, 1, 2, 1)
    assert ledger(con, "name, status, reason", "files") == [
        ("a.csv", "quarantined", "cannot be read: give this user read access"),
        ("b.csv", "loaded", ""),
    ]
    assert ledger(con, "line, reason", "quarantine") == [(None, "cannot be read: give this user read access")]
    assert taken(con, tmp_path, UPTIME, {}) == Taken()
    names.clear()
    third = taken(con, tmp_path, UPTIME, {})
    assert (third.files_loaded, third.files_quarantined, third.loaded) == (1, 0, 1)
    assert ledger(con, "name, status, reason", "files") == [("a.csv", "loaded", ""), ("b.csv", "loaded", "")]
    assert ledger(con, "*", "quarantine") == []
    assert ledger(con, "name", "arrivals") == [("a.csv",), ("b.csv",)]


HEADED = "id,since,points\n" + "".join(f"s{i},2026-01-{i:02d},3\n" for i in range(1, 31))


UNBOUND = UPTIME.replace("points\n      valid", "nowhere\n      valid")


@pytest.mark.parametrize(
    ("told", "text", "said"),
    [
        (UPTIME, HEADED.rstrip("\n"), ("incomplete: the last line has no line end", 30, 30)),
        (UPTIME, "id,since,points", ("incomplete: the last line has no line end", 1, 1)),
        (UNBOUND, HEADED, ("The mapping 'uptime' does not fit", 30, 30)),
        (UPTIME, HEADED.replace("since", "seit"), ("looks like uptime but column 'since' is missing", 30, 30)),
        (UPTIME, HEADED.replace("id,since,points", "a,b,c"), ("looks like uptime but columns 'id',", 31, None)),
        (UPTIME, HEADED.replace(",", ";"), ("looks like uptime but its columns are set apart by", 31, None)),
        (UPTIME, HEADED + "\0", ("a NUL byte", 32, None)),
    ],
)
def test_a_refused_file_counts_its_rows_or_else_its_lines(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, told: str, text: str, said: tuple[str, int, int | None]
) -> None:
    """A header is no row of a CSV file that is known; of one that nobody knows the lines count, and are called so."""
    reason, count, records = said
    done = taken(con, tmp_path, told, {"a.csv": text})
    assert (done.rows_in, done.loaded, done.quarantined) == (count, 0, count)
    ((found, held),) = ledger(con, "reason, records_in", "files")
    assert str(found).startswith(reason) and held == records
    (entry,) = entries(con)
    assert (entry.rows, entry.unit) == (count, "rows" if records else "lines")
    assert entry.counted == (f"{count}" if records else f"{count} lines")
    assert ledger(con, "source", "likely") == [("uptime",)]


def test_a_file_that_is_refused_again_is_not_counted_again(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """One row came in the first night; trying them by another mapping brings no row in."""
    first = taken(con, tmp_path, UPTIME, {"a.csv": "id,seit,points\na,2026-01-01,3\n"})
    assert (first.files_quarantined, first.rows_in, first.quarantined) == (1, 1, 1)
    second = taken(con, tmp_path, UPTIME.replace("describes: A", "describes: The a"), {})
    assert (second.files_quarantined, second.rows_in, second.quarantined) == (0, 0, 0)
    assert dict(second.retried) == {"files": 1, "loaded": 0, "duplicate": 0, "quarantined": 1}


def test_an_empty_file_is_not_overlooked(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """It has no lines, yet counts as one record that was quarantined."""
    done = taken(con, tmp_path, UPTIME, {"a.csv": ""})
    assert (done.files_quarantined, done.rows_in, done.quarantined) == (1, 1, 1)
    assert ledger(con, "line, reason", "quarantine") == [
        (None, "empty: the file has no bytes (the file may still be being written)")
    ]


def test_a_reason_says_what_its_columns_are_called_in_the_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A bare column of another name is told, quoted or not; one of the same name or inside an expression is not."""
    told = UPTIME.replace("service: id", 'service: "\\"id\\""').replace("valid: 10", "valid: since || 'x'")
    told = told.replace("required: [id, since, points]", "required: [id, since, points]\noptional: [window_minutes]")
    told = told.replace("    totals", "      window_minutes: window_minutes\n    totals")
    taken(con, tmp_path, told, {"a.csv": "id,since,points,window_minutes\n,2026-01-01,-3,x\n"})
    (reason,) = ledger(con, "reason", "quarantine")
    assert str(reason[0]).split("; ") == [
        "service: missing (id in the file)",
        "window_minutes: not a number of minutes",
        "good: negative (points in the file)",
        "valid: not a whole number",
    ]


def test_times_out_of_order_are_told_by_their_names_in_the_file() -> None:
    """Both names stand in the order of the reason; a column of the same name keeps it."""
    mapping = SourceMapping.model_validate(
        {"source": "some", "describes": "x", "reader": "csv", "files": ["*"], "required": ["begin", "ended_at"],
         "tables": {"calls": {"columns": {"started_at": "Begin", "ended_at": "ended_at", "status": "'ok'"}}}}
    )  # fmt: skip
    names = file_names(mapping, "calls")
    assert names == {"started_at": "begin"}
    with duckdb.connect() as con:
        con.execute("CREATE TABLE v AS SELECT 1 AS _row, 'status: missing; started_at after ended_at' AS reason")
        name_columns(con, "v", names)
        assert con.execute("SELECT reason FROM v").fetchall() == [
            ("status: missing; started_at after ended_at (begin after ended_at in the file)",)
        ]


def test_a_parquet_file_is_probed_by_the_users_own_mapping(tmp_path: Path) -> None:
    """Its columns are seen without a warehouse; one that lacks a column says which."""
    told = UPTIME.replace("reader: csv", "reader: parquet").replace("*.csv", "*uptime*.parquet")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "uptime.yaml").write_text(told, encoding="utf-8")
    settings = Settings(root=tmp_path, exports=tmp_path, now=NOW)
    for name, columns in (("uptime", "1 AS id, 2 AS since, 3 AS points"), ("old_uptime", "1 AS id, 2 AS since")):
        duckdb.execute(f"COPY (SELECT {columns}) TO '{tmp_path / name}.parquet' (FORMAT parquet)")
    assert probe(settings, tmp_path / "uptime.parquet")["source"] == "uptime"
    found = probe(settings, tmp_path / "old_uptime.parquet")
    assert (found["source"], found["note"]) == ("", " (looks like uptime but column 'points' is missing)")
