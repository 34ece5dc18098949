"""What is collected from a warehouse for the pages: open and mended quarantine, duplicates, and changed definitions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from test_reports_edition import catalog, periods, row

from pipeline.edition import collect
from pipeline.engine.editions import create_editions, store_edition
from pipeline.engine.values import PUBLISHED
from pipeline.reports import EditionData
from pipeline.reports.kpis import _lines
from pipeline.warehouse.connection import create_schemas, warehouse

LEDGER = """
INSERT INTO ledger.files VALUES
  ('whole', 'a.csv', 1, 'alpha', 'loaded', '', 10, 1, '', NULL),
  ('part', 'b.csv', 1, 'alpha', 'loaded', '', 10, 1, '', NULL),
  ('cut', 'c.csv', 1, '', 'quarantined', 'incomplete: the last line has no line end', 9, 1, '', NULL),
  ('odd', 'd.csv', 1, '', 'quarantined', 'no source takes this file', 4, 1, '', NULL);
INSERT INTO ledger.arrivals VALUES
  ('a.csv', 'whole', NULL, 1), ('again.csv', 'whole', 'a.csv', 1), ('b.csv', 'part', NULL, 1),
  ('c.csv', 'cut', NULL, 1),
  ('d.csv', 'odd', NULL, 1);
INSERT INTO ledger.loads VALUES
  (1, 1, 'whole', 'calls', 10, 10, 0, 0, 5), (2, 1, 'part', 'calls', 10, 8, 0, 2, NULL),
  (3, 1, 'cut', '', 9, 0, 0, 9, 0), (4, 1, 'odd', '', 4, 0, 0, 4, 0);
INSERT INTO ledger.quarantine VALUES
  (2, 'part', 'calls', 7, 'call_id: missing'), (2, 'part', 'calls', 3, 'call_id: missing'),
  (3, 'cut', '', NULL, 'incomplete: the last line has no line end'), (4, 'odd', '', NULL, 'no source takes this file');
"""
MENDED = """
INSERT INTO ledger.files VALUES
  ('part2', 'b.csv', 1, 'alpha', 'loaded', '', 10, 2, '', NULL),
  ('cut2', 'c.csv', 1, 'alpha', 'loaded', '', 9, 2, '', NULL);
INSERT INTO ledger.arrivals VALUES ('b.csv', 'part2', NULL, 2), ('c.csv', 'cut2', NULL, 2);
INSERT INTO ledger.loads VALUES (5, 2, 'part2', 'calls', 10, 2, 8, 0, 0), (6, 2, 'cut2', 'calls', 9, 9, 0, 0, 0);
"""
HELD = """
INSERT INTO ledger.files VALUES
  ('held', 'e.csv', 1, 'alpha', 'quarantined', 'the file is held back whole', 5, 1, '', NULL);
INSERT INTO ledger.arrivals VALUES ('e.csv', 'held', NULL, 1);
INSERT INTO ledger.loads VALUES (5, 1, 'held', '', 1, 0, 0, 1, 0), (6, 1, 'held', 'calls', 4, 0, 0, 4, 0);
INSERT INTO ledger.quarantine VALUES
  (5, 'held', '', 2, '2 columns where 3 were expected'), (6, 'held', 'calls', 3, 'call_id: missing'),
  (6, 'held', 'calls', NULL, 'held back with its file');
"""
COUNTS = ("rows_in", "loaded", "duplicate", "quarantined")


def publish(con: duckdb.DuckDBPyConnection, **hashes: str) -> None:
    """Store an edition that says one month of each KPI, with the definition hash given for it."""
    known = catalog()
    made = [
        row(known, kpi, *next(iter(periods(known.metrics[kpi]))), definition_hash=digest)
        for kpi, digest in hashes.items()
    ]
    frame = pd.DataFrame([{**one, "numerator": str(one["numerator"])} for one in made])[list(PUBLISHED[:-1])]
    frame = frame.assign(denominator=frame["denominator"].astype(str), reason="")
    store_edition(
        con,
        frame,
        as_of="2026-10-31",
        catalog_hash="c",
        input_hash="i",
        run_id=1,
        why="new rows",
        notes={"duckdb": "2"},
    )


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse after a first run: a whole file and its twin, one with two bad rows, a cut one, an unknown one."""

    with warehouse(Path(":memory:")) as con:
        create_schemas(con)
        create_editions(con)
        con.execute(LEDGER)
        publish(con, mttr="1" * 12, hours_saved="1" * 12)
        yield con


def collected(con: duckdb.DuckDBPyConnection) -> EditionData:
    """The newest edition as the pages get it."""
    return collect(con, catalog(), warehouse="acme")


def test_sums_over_files_are_those_of_the_ledger(con: duckdb.DuckDBPyConnection) -> None:
    """10 + 10 + 9 + 4 rows came; the twin of a file says whose content it has and is not counted again."""
    loads = collected(con).loads
    assert [sum(int(load[name]) for load in loads) for name in COUNTS] == [33, 18, 0, 15]
    twin = next(load for load in loads if load["file"] == "again.csv")
    assert (twin["status"], twin["reason"], twin["rows_in"]) == ("duplicate", "same content as a.csv", 0)
    for load in loads:
        assert load["rows_in"] == load["loaded"] + load["duplicate"] + load["quarantined"]


def test_what_a_where_leaves_out_is_told_by_file_and_by_table(con: duckdb.DuckDBPyConnection) -> None:
    """5 of 15 rows of a.csv; of b.csv nobody counted them; a twin and refused files have none."""
    found = collected(con)
    assert {load["file"]: load["left_out"] for load in found.loads} == {
        "a.csv": 5, "again.csv": 0, "b.csv": None, "c.csv": 0, "d.csv": 0,
    }  # fmt: skip
    told = [{name: row[name] for name in ("table", "rows", "of")} for row in found.left_out]
    assert told == [{"table": "calls", "rows": 5, "of": 15}]


def test_a_file_says_which_of_its_lines_were_taken(con: duckdb.DuckDBPyConnection) -> None:
    """From the first to the last in any table; none of a file of which nothing was, and none of its twin."""
    for line in (1209, 2, 40):
        con.execute(
            "INSERT INTO core.entitlements(person_id, product, valid_from, _file, _line) "
            f"VALUES ('p{line}', 'copilot', DATE '2026-01-01', 'whole', {line})"
        )
    held = {load["file"]: load for load in collected(con).loads}
    assert (held["a.csv"]["first_line"], held["a.csv"]["last_line"]) == (2, 1209)
    told = {name: _lines(load) for name, load in held.items()}
    assert told == {
        "a.csv": "2 to 1\u202f209", "again.csv": "none", "b.csv": "none", "c.csv": "none", "d.csv": "none",
    }  # fmt: skip


def test_a_file_whose_lines_make_rows_of_two_tables_says_so(con: duckdb.DuckDBPyConnection) -> None:
    """Five lines, each a person and an identity, are ten rows: more rows than lines are told with the reason."""
    for line in range(2, 7):
        con.execute("INSERT INTO core.people(person_id, _file, _line) VALUES (?, 'part', ?)", [f"p{line}", line])
        con.execute("INSERT INTO core.identities(person_id, _file, _line) VALUES (?, 'part', ?)", [f"p{line}", line])
    (load,) = [one for one in collected(con).loads if one["file"] == "b.csv"]
    assert (load["tables"], _lines(load)) == (2, "2 to 6, for 2 tables")


def test_a_cut_file_is_incomplete_and_not_unknown(con: duckdb.DuckDBPyConnection) -> None:
    """Nobody knows the other one."""
    sources = {load["file"]: load["source"] for load in collected(con).loads}
    assert (sources["c.csv"], sources["d.csv"]) == ("incomplete", "not recognised")


def test_open_rows_are_listed_by_file_and_line(con: duckdb.DuckDBPyConnection) -> None:
    """Two rows of b.csv, and the two files that were refused whole: 2 + 9 + 4 rows in all."""
    data = collected(con)
    assert [(found["file"], found["line"]) for found in data.quarantined_rows] == [
        ("b.csv", 3), ("b.csv", 7), ("c.csv", None), ("d.csv", None),
    ]  # fmt: skip
    assert data.quarantined == 15


def test_a_newer_file_of_the_same_name_mends(con: duckdb.DuckDBPyConnection) -> None:
    """Only d.csv is still open; the ledger keeps what it counted, so that rows in stay accounted for."""
    con.execute(MENDED)
    data = collected(con)
    assert [(found["source"], found["rows"]) for found in data.quarantine] == [("not recognised", 4)]
    assert [found["file"] for found in data.quarantined_rows] == ["d.csv"]
    mended = {load["file_hash"]: load["mended_by"] for load in data.loads if load["mended_by"]}
    assert mended == {"part": "b.csv", "cut": "c.csv"}
    (alpha,) = data.sources
    assert (alpha["quarantined"], alpha["open"]) == (2, 0)


def test_the_rows_of_a_file_held_back_whole_are_those_of_its_source(con: duckdb.DuckDBPyConnection) -> None:
    """Of 10 + 10 + 5 rows 18 are loaded and 2 + 5 quarantined, as many as its reasons count: 2 + 1 + 4."""
    con.execute(HELD)
    data = collected(con)
    (alpha,) = data.sources
    assert [alpha[name] for name in ("files", *COUNTS, "open")] == [3, 25, 18, 0, 7, 7]
    assert sum(int(found["rows"]) for found in data.quarantine if found["source"] == "alpha") == 7
    con.execute("UPDATE ledger.files SET source = 'beta' WHERE file_hash = 'held'")
    found = {source["source"]: (source["quarantined"], source["data_through"]) for source in collected(con).sources}
    assert found == {"alpha": (2, None), "beta": (5, None)}, "a source of which every file is held back is shown too"


def test_definitions_are_held_against_the_edition_before(con: duckdb.DuckDBPyConnection) -> None:
    """MTTR means something else now, availability is new, hours saved are gone; the first has none before it."""
    assert collected(con).definitions == []
    publish(con, mttr="2" * 12, availability="1" * 12)
    assert collected(con).definitions == [
        {"kpi_id": "mttr", "change": "changed"},
        {"kpi_id": "availability", "change": "new"},
        {"kpi_id": "hours_saved", "change": "retired"},
    ]
    publish(con, mttr="2" * 12, availability="1" * 12)
    assert collected(con).definitions == []


@pytest.mark.parametrize(
    ("folder", "shown"),
    [("data/exports/acme", "data/exports/acme"), ("/srv/acme", ""), ("/srv/programme/acme", "../acme"),
     ("/srv/programme/other/acme", "")],
)  # fmt: skip
def test_pages_name_no_absolute_path(con: duckdb.DuckDBPyConnection, folder: str, shown: str) -> None:
    """A folder outside the project is not named, but for one beside it, whose name the warehouse bears."""
    con.execute("INSERT INTO ledger.exports VALUES (?)", [folder])
    found = collect(con, catalog(), warehouse="acme", beside=Path("/srv/programme"))
    assert found.edition["exports"] == shown
