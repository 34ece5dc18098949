"""Laws of the engine: any order of arrival, any number of threads, and any split into nights give the same numbers."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from engine_room import CATALOG, empty, values

from pipeline.catalog.people import tells_of_people
from pipeline.engine.editions import create_editions, edition_values, editions, store_edition
from pipeline.facts import facts_of_deeds
from pipeline.ingest import Ingest, take_in
from pipeline.sample import write_sample
from pipeline.sources.mapping import load_mappings, mappings_hash
from pipeline.warehouse import ledger
from pipeline.warehouse.pseudonym import define_pseudonym
from pipeline.warehouse.receive import Arrival, receive

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> list[Arrival]:
    """The files of a small organisation with all its planted trouble."""
    folder = tmp_path_factory.mktemp("laws")
    write_sample(folder / "exports", people=20, months=2, seed=11)
    return list(receive(folder / "exports", folder / "received"))


Night = tuple[pd.DataFrame, dict[str, str]]


def _of_day(one: Arrival) -> str:
    """The day of an export that holds a day, else nothing."""
    return found[0] if (found := re.search(r"2026-10-\d\d(?=\.)", one.name)) else ""


def _edition(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """What the last edition says."""
    ((number,),) = con.execute("SELECT max(number) FROM kpi.editions").fetchall()
    return edition_values(con, number).drop(columns="edition")


@pytest.fixture(scope="module")
def at_once(arrivals: list[Arrival]) -> Night:
    """What one night with all the files gives."""
    return _nights(arrivals, [len(arrivals)])


def _nights(arrivals: list[Arrival], sizes: list[int], *, threads: int = 1) -> Night:
    """Take files in over several nights; return the last edition and a digest of every state and core table."""
    with empty(threads) as con:
        _take(con, arrivals, sizes)
        return _edition(con), dict(_digests(con))


def _take(con: duckdb.DuckDBPyConnection, arrivals: list[Arrival], sizes: list[int]) -> None:
    """So many files in each night."""
    files = iter(arrivals)
    for size in sizes:
        _night(con, [next(files) for _ in range(size)], anew=len(sizes) == 1)


def _first_edition(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """What the same tables and states say when no edition has been told before."""
    for table in ("values", "editions", "restatements"):
        con.execute(f"DELETE FROM kpi.{table}")
    _store(con, values(con, since_load=ledger.next_load(con)), run_id=1)
    return _edition(con)


def _night(con: duckdb.DuckDBPyConnection, files: list[Arrival], *, anew: bool = False) -> tuple[int, int]:
    """Take files in and store an edition; return how many values were told, and how many of them are not of people.

    Of those that are, which may be told is decided over all periods.
    """
    define_pseudonym(con, b"the same key in every test")
    mappings = load_mappings()
    run_id, since = ledger.start_run(con, started_at=NOW), ledger.next_load(con)
    take_in(Ingest(con, mappings, mappings_hash(mappings), run_id, NOW), files)
    create_editions(con)
    frame = values(con, since_load=since, anew=anew)
    _store(con, frame, run_id, anew=anew)
    return len(frame), sum(not tells_of_people(CATALOG.metrics[kpi], facts_of_deeds()) for kpi in frame["kpi_id"])


def _digests(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Hash of the rows of each table, without where they came from."""
    tables = con.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('core', 'states') "
        "AND table_type = 'BASE TABLE' AND table_name NOT IN ('built', 'hashes', 'told', 'rolled') "
        "AND table_name NOT LIKE 'numbers_%' ORDER BY ALL"
    ).fetchall()
    for schema, name in tables:  # members have numbers by when they were first seen, and so have the bits of sets
        described = con.execute(f"DESCRIBE {schema}.{name}").fetchall()
        columns = [row[0] for row in described if not row[0].startswith("_") and row[1] != "BIT"]
        rows = f"SELECT hash(({', '.join(columns)})::VARCHAR) AS one FROM {schema}.{name}"
        yield f"{schema}.{name}", str(con.execute(f"SELECT count(*), sum(one) FROM ({rows})").fetchall())


def test_any_order_of_arrival_gives_the_same_numbers(arrivals: list[Arrival], at_once: Night) -> None:
    """All files in one night, or shuffled over four nights: the same tables, states and values, to the last digit.

    What is withheld of small groups depends on what editions before have told of them; it is nothing but withheld.
    """
    frame, digests = at_once
    assert len(frame) > 1000
    shuffled = random.Random(1).sample(arrivals, len(arrivals))
    split = len(arrivals) // 4
    with empty() as con:
        _take(con, shuffled, [split, split, split, len(arrivals) - 3 * split])
        over_nights, others = _edition(con), dict(_digests(con))
        first = _first_edition(con)
    assert others == digests
    pd.testing.assert_frame_equal(first, frame)
    _agree(over_nights, frame)


def _agree(one: pd.DataFrame, other: pd.DataFrame) -> None:
    """Both tell the same numbers of all that neither withholds, and withhold of groups of people alone."""
    keys = ["kpi_id", "grain", "period_start", "period_end", "dimension", "dimension_value"]
    told = [frame[~frame["reason"].str.startswith("suppressed")].set_index(keys) for frame in (one, other)]
    for mine, theirs in (told, told[::-1]):
        withheld = mine.index.difference(theirs.index).get_level_values("kpi_id")
        assert {kpi for kpi in withheld if not tells_of_people(CATALOG.metrics[kpi], facts_of_deeds())} == set()
    both = told[0].index.intersection(told[1].index)
    assert len(both) > 0.9 * len(told[1])
    pd.testing.assert_frame_equal(told[0].loc[both], told[1].loc[both])


def test_a_night_tells_anew_only_what_may_have_changed(arrivals: list[Arrival], at_once: Night) -> None:
    """The last three days come one a night: the same numbers, of which each night told a small part."""
    late = sorted({_of_day(one) for one in arrivals})[-3:]
    early = [one for one in arrivals if _of_day(one) not in late]
    nights = [[one for one in arrivals if _of_day(one) == day] for day in late]
    assert all(nights)
    with empty() as con:
        told = [_night(con, one) for one in [early, *nights]]
        edition = _edition(con)
    _agree(edition, at_once[0])
    assert told[0][0] > 10_000 and told[0][1] > 2_000
    assert all(0 < some < told[0][1] / 2 for _, some in told[1:-1]), told


def test_a_late_file_leaves_what_it_does_not_touch(arrivals: list[Arrival], at_once: Night) -> None:
    """A file of an early day comes last: the same numbers, each value once, though most KPIs are not told at all."""
    days = sorted({_of_day(one) for one in arrivals} - {""})
    late = next(one for one in arrivals if _of_day(one) == days[len(days) // 2])
    assert days[len(days) // 2] < days[-3]
    with empty() as con:
        for night in ([one for one in arrivals if one is not late], [late]):
            _night(con, night)
        edition = _edition(con)
    _agree(edition, at_once[0])


def test_any_number_of_threads_gives_the_same_numbers(arrivals: list[Arrival], at_once: Night) -> None:
    """One thread or four: the same, because sums are of integers and decimals."""
    one, digests = at_once
    four, others = _nights(arrivals, [len(arrivals)], threads=4)
    assert others == digests
    pd.testing.assert_frame_equal(four, one)


_IN_A_ZONE = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_engine_laws import _nights
from pipeline.warehouse.receive import receive
arrivals = list(receive(Path(sys.argv[2]), Path(sys.argv[3])))[::4]
frame, digests = _nights(arrivals, [len(arrivals)])
print(hashlib.sha256((frame.to_csv() + str(sorted(digests.items()))).encode()).hexdigest())
"""


def test_any_time_zone_of_the_machine_gives_the_same_numbers(tmp_path: Path) -> None:
    """Machines in Kolkata and in Berlin (where 25 October 2026 has 25 hours) agree to the last digit."""
    write_sample(tmp_path / "exports", people=6, months=1, seed=3)
    told = set()
    for zone in ("Asia/Kolkata", "Europe/Berlin"):
        command = [sys.executable, "-c", _IN_A_ZONE, str(Path(__file__).parent), str(tmp_path / "exports")]
        done = subprocess.run(
            [*command, str(tmp_path / zone.replace("/", "-"))],
            env={**os.environ, "TZ": zone}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told.add(done.stdout)
    assert len(told) == 1


def _store(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, run_id: int, *, anew: bool = True) -> int:
    exact = {
        name: frame[name].map(str, na_action="ignore") for name in ("numerator", "denominator")
    }  # as values are told
    told = frame.assign(**exact)
    return store_edition(
        con, told, as_of="2026-10-31", catalog_hash="c", input_hash="i", run_id=run_id, why="late rows", notes={},
        anew=anew,
    )  # fmt: skip


def test_an_edition_says_for_ever_what_it_said(at_once: Night) -> None:
    """A value that changes is a restatement of the new edition; the old edition still reads as it did."""
    frame, _ = at_once
    later = frame.copy()
    september = (frame["grain"] == "month") & (frame["period_start"].astype(str) == "2026-09-01")
    (place,) = frame.index[september & (frame["kpi_id"] == "availability") & (frame["dimension"] == "")]
    later.loc[place, "value"] = 0.5
    with empty() as con:
        create_editions(con)
        assert (_store(con, frame, 1), _store(con, later, 2), _store(con, later, 3)) == (1, 2, 3)
        first, second, third = (edition_values(con, number).drop(columns="edition") for number in (1, 2, 3))
        assert [one["restated"] for one in editions(con)] == [0, 1, 0]
        told = "SELECT edition, kpi_id, period_start::VARCHAR, old, new, why FROM kpi.restatements"
        restated = con.execute(told).fetchall()
        held = con.execute("SELECT count(*) FROM kpi.values").fetchall()
    assert restated == [(2, "availability", "2026-09-01", frame.loc[place, "value"], 0.5, "late rows")]
    assert held == [(len(frame) + 1,)]
    assert len(first) == len(second) == len(frame)
    pd.testing.assert_frame_equal(second, third)
    changed = first["value"].ne(second["value"]) & ~(first["value"].isna() & second["value"].isna())
    assert changed.sum() == 1
    assert set(first["kpi_id"]) == set(CATALOG.metrics)
