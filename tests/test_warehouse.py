"""Receiving, pseudonyms, loading, the lock, and publication by swap."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import os
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import LockedError, RoiError
from pipeline.tables import load_tables
from pipeline.warehouse.connection import create_schemas, half_the_memory, open_warehouse, rows
from pipeline.warehouse.load import load_rows
from pipeline.warehouse.lock import run_lock
from pipeline.warehouse.pseudonym import define_pseudonym, load_key
from pipeline.warehouse.publish import publish_file, publish_folder, start_work_copy
from pipeline.warehouse.receive import receive, unreadable_hash

KEY = b"k" * 32


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    """An empty warehouse in memory."""
    con = open_warehouse(Path(":memory:"), key=KEY)
    create_schemas(con)
    return con


def test_a_file_is_stored_once_by_its_content_whatever_it_is_called(tmp_path: Path) -> None:
    """Two names and a packed copy of one content are one stored file."""
    exports = tmp_path / "in"
    exports.mkdir()
    (exports / "a.csv").write_bytes(b"x,y\n1,2\n")
    (exports / "b.csv").write_bytes(b"x,y\n1,2\n")
    with gzip.open(exports / "c.csv.gz", "wb") as file:
        file.write(b"x,y\n1,2\n")
    found = list(receive(exports, tmp_path / "received"))
    assert [one.name for one in found] == ["a.csv", "b.csv", "c.csv"]
    assert {one.file_hash for one in found} == {hashlib.sha256(b"x,y\n1,2\n").hexdigest()}
    assert [path.read_bytes() for path in (tmp_path / "received").rglob("*") if path.is_file()] == [b"x,y\n1,2\n"]


def test_a_packed_file_that_is_cut_is_reported_and_not_stored(tmp_path: Path) -> None:
    """A gzip file without its end is incomplete."""
    exports = tmp_path / "in"
    exports.mkdir()
    (exports / "a.csv.gz").write_bytes(gzip.compress(os.urandom(5000))[:-100])
    (found,) = receive(exports, tmp_path / "received")
    assert found.problem.startswith("incomplete")
    assert not [path for path in (tmp_path / "received").rglob("*") if path.is_file() and path.name != ".part"]


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    """The message names the folder and the command."""
    with pytest.raises(RoiError, match=r"is not a folder.*make nightly EXPORTS="):
        list(receive(tmp_path / "nowhere", tmp_path / "received"))


def test_what_cannot_be_read_arrives_with_that_as_its_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a file without read access are told, by a hash that stays; the rest of the exports arrives."""
    exports = tmp_path / "in"
    (exports / "closed").mkdir(parents=True)
    for name in ("a.csv", "b.csv.gz", "c.csv"):
        (exports / name).write_bytes(b"x\n1\n")
    opened, access = Path.open, os.access

    def guarded(self: Path, *arguments: object, **named: object) -> object:
        if self.name == "b.csv.gz":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and access(path, mode))
    found = list(receive(exports, tmp_path / "received"))
    problem = "cannot be read: give this user read access"
    assert [(one.name, one.problem) for one in found] == [
        ("a.csv", ""), ("b.csv", problem), ("c.csv", ""), ("closed/", problem),
    ]  # fmt: skip
    assert [one.file_hash for one in found[1::2]] == [unreadable_hash("b.csv"), unreadable_hash("closed/")]
    assert found == list(receive(exports, tmp_path / "received"))
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != exports)
    with pytest.raises(RoiError, match=r"in cannot be read: give this user read access\."):
        list(receive(exports, tmp_path / "received"))


def test_the_pseudonym_is_the_hmac_of_the_standard_library(con: duckdb.DuckDBPyConnection) -> None:
    """The SQL macro agrees with Python's hmac for plain and odd texts, and NULL stays NULL."""
    for text in ("a@b.example", "ÄÖ 名前", "", "x" * 500):
        expected = hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()[:32]
        assert con.execute("SELECT pseudonym(?)", [text]).fetchone() == (expected,)
    assert con.execute("SELECT pseudonym(NULL)").fetchone() == (None,)


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, 32 bytes, the same on the second call."""
    path = tmp_path / "secrets" / "pseudonym.key"
    key = load_key(path)
    assert len(key) == 32
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_gives_other_pseudonyms(con: duckdb.DuckDBPyConnection) -> None:
    """Pseudonyms cannot be compared between two keys."""
    first = con.execute("SELECT pseudonym('a')").fetchone()
    define_pseudonym(con, b"z" * 32)
    assert con.execute("SELECT pseudonym('a')").fetchone() != first


def batch(con: duckdb.DuckDBPyConnection, rows: list[tuple[str, int, int, str | None]]) -> None:
    """Judged relations `typed` and `verdicts` of availability rows (service, good, valid, version)."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE typed(_row BIGINT, _line BIGINT, _version VARCHAR, service VARCHAR, "
        "window_start TIMESTAMPTZ, window_minutes DECIMAL(18,6), good BIGINT, valid BIGINT, in_maintenance BOOLEAN)"
    )
    con.execute("CREATE OR REPLACE TEMP TABLE verdicts(_row BIGINT, reason VARCHAR)")
    for number, (service, good, valid, version) in enumerate(rows, start=1):
        con.execute(
            "INSERT INTO typed VALUES (?, ?, ?, ?, '2026-01-01T00:00:00Z', NULL, ?, ?, FALSE)",
            [number, number + 1, version, service, good, valid],
        )


def load(con: duckdb.DuckDBPyConnection, name: str) -> tuple[int, int, int, int]:
    """Load the batch as a file and return rows_in, loaded, duplicate, quarantined."""
    con.execute("INSERT OR IGNORE INTO ledger.files(file_hash, name) VALUES (?, ?)", [name, name])
    done = load_rows(con, load_tables()["availability"], typed="typed", verdicts="verdicts", file_hash=name, run_id=1)
    return done.rows_in, done.loaded, done.duplicate, done.quarantined


def held(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """What is loaded: service and good."""
    return con.execute("SELECT service, good FROM core.availability ORDER BY service").fetchall()


def test_equal_rows_are_duplicates_within_and_across_files(con: duckdb.DuckDBPyConnection) -> None:
    """3 rows in = 2 loaded + 1 duplicate; the same file again is all duplicates."""
    rows: list[tuple[str, int, int, str | None]] = [("a", 9, 10, None), ("b", 8, 10, None), ("a", 9, 10, None)]
    batch(con, rows)
    assert load(con, "one.csv") == (3, 2, 1, 0)
    batch(con, rows)
    assert load(con, "two.csv") == (3, 0, 3, 0)
    assert held(con) == [("a", 9), ("b", 8)]


def test_a_row_that_contradicts_another_is_quarantined_with_the_place_of_the_other(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """Without a version nobody can say which of two twins is right; the first stays."""
    batch(con, [("a", 9, 10, None)])
    load(con, "one.csv")
    batch(con, [("a", 7, 10, None)])
    assert load(con, "two.csv") == (1, 0, 0, 1)
    assert held(con) == [("a", 9)]
    assert con.execute("SELECT reason FROM ledger.quarantine").fetchall() == [
        ("other values under the same key as one.csv:2",)
    ]


def test_a_twin_in_an_earlier_content_of_the_same_name_does_not_read_as_itself(con: duckdb.DuckDBPyConnection) -> None:
    """Corrected and exported again under its old name, the file is told apart by its content."""
    batch(con, [("a", 9, 10, None)])
    con.execute("INSERT INTO ledger.files(file_hash, name) VALUES ('1a2b3c4d5e6f', 'u.csv'), ('ffff', 'u.csv')")
    load(con, "1a2b3c4d5e6f")
    batch(con, [("a", 7, 10, None)])
    assert load(con, "ffff") == (1, 0, 0, 1)
    assert con.execute("SELECT reason FROM ledger.quarantine").fetchall() == [
        ("other values under the same key as u.csv:2 received earlier (content 1a2b3c4d)",)
    ]


@pytest.mark.parametrize("order", [("1", "2", "3"), ("3", "2", "1"), ("2", "3", "1"), ("2", "1", "3")])
def test_the_newest_version_wins_in_any_order_of_arrival(
    con: duckdb.DuckDBPyConnection, order: tuple[str, ...]
) -> None:
    """Version 3 stands, 1 and 2 are history, and all three count as loaded."""
    for version in order:
        batch(con, [("a", int(version), 10, version)])
        assert load(con, f"{version}.csv") == (1, 1, 0, 0)
    assert held(con) == [("a", 3)]
    assert con.execute("SELECT good FROM history.availability ORDER BY 1").fetchall() == [(1,), (2,)]


def test_an_older_version_that_comes_again_is_a_duplicate(con: duckdb.DuckDBPyConnection) -> None:
    """History holds each version once."""
    for version in ("2", "1", "1"):
        batch(con, [("a", int(version), 10, version)])
        done = load(con, "x.csv")
    assert done == (1, 0, 1, 0)
    assert con.execute("SELECT count(*) FROM history.availability").fetchone() == (1,)


def test_twins_in_one_file_are_told_apart_by_version_alone(con: duckdb.DuckDBPyConnection) -> None:
    """Versions 1 and 2 of one key: 2 stands, 1 is history; a second 2 that differs names the line of the first."""
    batch(con, [("a", 1, 10, "1"), ("a", 2, 10, "2"), ("a", 7, 10, "2"), ("b", 5, 10, None)])
    assert load(con, "one.csv") == (4, 3, 0, 1)
    assert held(con) == [("a", 2), ("b", 5)]
    assert con.execute("SELECT good, _line FROM history.availability").fetchall() == [(1, 2)]
    assert con.execute("SELECT line, reason FROM ledger.quarantine").fetchall() == [
        (4, "other values under the same key as line 3 of this file")
    ]


def test_rows_equal_in_their_gaps_are_duplicates(con: duckdb.DuckDBPyConnection) -> None:
    """A value missing on both sides is equal; one missing on one side is a contradiction."""
    batch(con, [("a", 9, 10, None)])
    con.execute("UPDATE typed SET valid = NULL")
    load(con, "one.csv")
    assert load(con, "two.csv") == (1, 0, 1, 0)
    con.execute("UPDATE typed SET valid = 10")
    assert load(con, "three.csv") == (1, 0, 0, 1)


def test_the_ledger_refuses_counts_that_do_not_add_up(con: duckdb.DuckDBPyConnection) -> None:
    """rows_in = loaded + duplicate + quarantined is a constraint of the database."""
    with pytest.raises(duckdb.ConstraintException):
        con.execute("INSERT INTO ledger.loads VALUES (1, 1, 'x', 'calls', 3, 1, 1, 0, 0)")


def test_times_are_handed_out_in_utc_without_pytz(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB itself needs pytz for them; days, numbers, absent times and parameters are as they were."""
    monkeypatch.setitem(sys.modules, "pytz", None)
    con.execute("SET TimeZone='Asia/Kathmandu'")
    at = "TIMESTAMPTZ '2026-01-01 12:00:00+02'"
    sql = f"SELECT {at} AS at, NULL::TIMESTAMPTZ AS never, ? AS n, DATE '2026-01-02' AS day"
    expected = {"at": datetime(2026, 1, 1, 10, tzinfo=UTC), "never": None, "n": 7, "day": date(2026, 1, 2)}
    assert rows(con, sql, [7]) == [expected]
    with pytest.raises(duckdb.InvalidInputException, match="pytz"):
        con.execute(f"SELECT {at}").fetchall()


def test_what_does_not_fit_in_memory_is_spilled_beside_the_file_and_goes_with_it(tmp_path: Path) -> None:
    """A sort of 200 MB in 60 MB works; leftovers of a killed run go when the file is opened for writing."""
    path, spill = tmp_path / "w.duckdb", tmp_path / "w.duckdb.tmp"
    spill.mkdir()
    (spill / "left_by_a_killed_run").write_text("x")
    con = open_warehouse(path, threads=2, memory_limit="60MB")
    assert not spill.exists()
    con.execute("CREATE TEMP TABLE big AS SELECT md5(i::VARCHAR) || repeat('x', 168) AS text FROM range(1000000) t(i)")
    assert any(spill.iterdir())
    first = min(hashlib.md5(str(number).encode()).hexdigest() for number in range(1_000_000))
    assert con.execute("SELECT left(text, 32) FROM big ORDER BY text LIMIT 1").fetchone() == (first,)
    con.close()
    assert [one.name for one in tmp_path.iterdir()] == ["w.duckdb"]


def test_a_query_beyond_memory_and_disk_is_an_error_not_the_end_of_the_machine() -> None:
    """A database in memory spills nowhere, so it stops at its limit."""
    con = open_warehouse(Path(":memory:"), memory_limit="50MB")
    with pytest.raises(duckdb.OutOfMemoryException):
        con.execute("CREATE TABLE big AS SELECT md5(i::VARCHAR) AS text FROM range(10000000) t(i)")


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    """The holder's process number is in the message; afterwards the lock is free."""
    code = (
        "import sys, time; from pathlib import Path; from pipeline.warehouse.lock import run_lock\n"
        f"with run_lock(Path({str(tmp_path / 'lock')!r})):\n    print('held', flush=True); time.sleep(30)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LockedError, match=f"process {holder.pid}"), run_lock(tmp_path / "lock"):
        pass
    holder.kill()
    holder.wait()
    with run_lock(tmp_path / "lock"):
        pass


def test_a_database_is_replaced_while_a_reader_has_it_open(tmp_path: Path) -> None:
    """The reader keeps what it opened; who opens later sees the new one."""
    published, work = tmp_path / "w.duckdb", tmp_path / ".w.work.duckdb"
    with duckdb.connect(str(published)) as con:
        con.execute("CREATE TABLE t AS SELECT 1 AS x")
    start_work_copy(published, work)
    with duckdb.connect(str(work)) as con:
        con.execute("UPDATE t SET x = 2")
    reader = duckdb.connect(str(published), read_only=True)
    publish_file(work, published)
    assert reader.execute("SELECT x FROM t").fetchone() == (1,)
    reader.close()
    with duckdb.connect(str(published), read_only=True) as con:
        assert con.execute("SELECT x FROM t").fetchone() == (2,)


def test_pages_are_exchanged_whole_under_a_reader_that_never_stops(tmp_path: Path) -> None:
    """A reader that lists and reads the folder all the time sees one edition, never none and never a mixture."""
    published = tmp_path / "reports"
    published.mkdir()
    for name in ("a", "b"):
        (published / name).write_text("0")
    seen: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            handle = os.open(published, os.O_RDONLY)  # a reader holds the folder it opened
            seen.append("".join(_text(handle, name) for name in ("a", "b")))
            os.close(handle)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(1, 6):
        staged = tmp_path / ".staged"
        staged.mkdir()
        for name in ("a", "b"):
            (staged / name).write_text(str(number))
        publish_folder(staged, published)
    stop.set()
    thread.join()
    assert (published / "a").read_text() == "5"
    assert {pair for pair in seen if "-" not in pair} <= {"00", "11", "22", "33", "44", "55"}


def _text(folder: int, name: str) -> str:
    """Text of a file in an opened folder; '-' once the folder was replaced and removed."""
    try:
        handle = os.open(name, os.O_RDONLY, dir_fd=folder)
    except FileNotFoundError:
        return "-"
    with os.fdopen(handle) as file:
        return file.read()


def test_frames_find_room_beside_the_database(tmp_path: Path) -> None:
    """Half the memory is left to what is not DuckDB's; it has all of its own again, even after a fault."""
    with closing(open_warehouse(tmp_path / "warehouse.duckdb", memory_limit="800MiB")) as con:
        with pytest.raises(ValueError, match="a fault"), half_the_memory(con):
            assert memory_limit(con) == "400.0 MiB"
            raise ValueError("a fault")
        assert memory_limit(con) == "800.0 MiB"


def test_what_cannot_be_spilled_keeps_its_memory() -> None:
    """A database in memory that fills more than half of it goes on with what it has."""
    with closing(open_warehouse(Path(":memory:"), memory_limit="50MiB")) as con:
        con.execute("CREATE TABLE large AS SELECT range AS one, hash(range) AS other FROM range(2500000)")
        with half_the_memory(con):
            assert memory_limit(con) == "50.0 MiB"
        assert con.execute("SELECT count(*) FROM large").fetchall() == [(2500000,)]


def memory_limit(con: duckdb.DuckDBPyConnection) -> str:
    """How much memory DuckDB may hold."""
    ((limit,),) = con.execute("SELECT current_setting('memory_limit')").fetchall()
    return str(limit)
