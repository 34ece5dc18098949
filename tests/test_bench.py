"""The benchmark's own parts: the generated warehouse, the scan, the comparison of results and how they are told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import by_hand, floor, ours, warehouse  # noqa: E402 - beside `pipeline`, but not installed
from bench.grid import KPIS, Grid, agreement, read_grid, write_grid  # noqa: E402
from bench.measure import run_part, summed_up  # noqa: E402
from bench.report import markdown, text  # noqa: E402
from bench.statements import TimedConnection  # noqa: E402
from pipeline.tables import load_tables  # noqa: E402

SCALE = warehouse.Scale(2_000, 28)


def made(first: int, count: int, *, standing: bool = True) -> duckdb.DuckDBPyConnection:
    """A warehouse in memory with the days of a small scale."""
    con = ours.open_filled(Path(":memory:"), memory_limit="1GiB")
    if standing:
        warehouse.fill_standing(con, SCALE)
    warehouse.fill_days(con, SCALE, first=first, count=count)
    return con


def content(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    """Every row of a table as texts, sorted."""
    return con.execute(f"SELECT COLUMNS(*)::VARCHAR FROM core.{table} ORDER BY ALL").fetchall()


@pytest.fixture(scope="module")
def month() -> Iterator[duckdb.DuckDBPyConnection]:
    """Four weeks with 2 000 calls."""
    con = made(0, 28)
    yield con
    con.close()


def test_the_scale_is_kept(month: duckdb.DuckDBPyConnection) -> None:
    """2 000 calls within 5 %, in 28 days, 1.7 turns of a request, a model and 0.94 tools per session."""
    ((calls, sessions, days),) = month.execute(
        "SELECT count(*), count(DISTINCT session_id), count(DISTINCT CAST(started_at AS DATE)) FROM core.calls"
    ).fetchall()
    assert calls == pytest.approx(2_000, rel=0.05)
    assert calls / sessions == pytest.approx(1.7 * 2.94, rel=0.05)
    assert days == 28


def test_keys_are_unique(month: duckdb.DuckDBPyConnection) -> None:
    """No two rows of a filled table share a key, so each would have been loaded."""
    for table in load_tables().values():
        keys = ", ".join(f'"{name}"' for name in table.key)
        twins = month.execute(f"SELECT {keys} FROM core.{table.name} GROUP BY ALL HAVING count(*) > 1").fetchall()
        assert twins == [], table.name


def test_every_promised_table_and_fact_has_rows(month: duckdb.DuckDBPyConnection) -> None:
    """Fifteen tables are filled, and the facts that read nothing else have rows to measure."""
    tables = ["calls", "sessions", "tasks", "scores", "usage_daily", "contacts", "feedback", "incidents", "deployments",
              "availability", "training", "people", "entitlements", "identities", "prices"]  # fmt: skip
    facts = ["priced_calls", "session_costs", "requests", "tool_calls", "verified_tasks", "evaluated_answers",
             "screened_outputs", "contacts", "csat_answers", "incidents", "deployments", "availability_windows",
             "entitled_days", "roster_days"]  # fmt: skip
    sources = [f"core.{name}" for name in tables] + [f"facts.{name}" for name in facts]
    empty = [source for source in sources if month.execute(f"SELECT 1 FROM {source} LIMIT 1").fetchall() == []]
    assert empty == []


def test_days_do_not_depend_on_the_days_filled_with_them(month: duckdb.DuckDBPyConnection) -> None:
    """27 days and then one more are the same rows as 28 days at once."""
    con = made(0, 27)
    warehouse.fill_days(con, SCALE, first=27, count=1)
    for table in ("calls", "usage_daily", "training", "incidents"):
        assert content(con, table) == content(month, table)
    assert warehouse.Scale(2_000, 28).stretched(56) == warehouse.Scale(4_000, 56)


def test_the_floor_reads_what_the_facts_use(month: duckdb.DuckDBPyConnection) -> None:
    """Tokens out are used, those of reasoning are not; sums are those of the rows, lengths those of the texts."""
    columns = ours.call_columns()
    assert {"call_id", "tokens_out", "latency_s", "is_batch", "tool_name"} <= set(columns)
    assert "tokens_reasoning" not in columns
    sums = month.execute(floor.floor_sql("core.calls", floor.kinds_of(columns))).fetchall()[0]
    row = dict(zip(columns, sums, strict=True))
    kinds = month.execute("SELECT kind FROM core.calls").fetchall()
    assert row["kind"] == sum(len(kind) for (kind,) in kinds)
    assert row["tokens_out"] == sum(
        tokens for (tokens,) in month.execute("SELECT tokens_out FROM core.calls").fetchall() if tokens
    )


def test_states_and_values_come_out_of_the_adapter(month: duckdb.DuckDBPyConnection) -> None:
    """The stages run in order through the timer, and each day counts the people entitled that day once."""
    names: list[str] = []

    def timer(name: str, work: Any) -> object:
        names.append(name)
        return work()

    timed, catalog = TimedConnection(month), ours.catalog_of()
    one = catalog.model_copy(update={"metrics": {"adoption_rate": catalog.metrics["adoption_rate"]}})
    values = ours.compute(timed, one, since_load=1, timer=timer)
    assert names == ["states", "roll-up", "values", "edition"]
    daily = values[(values["grain"] == "day") & (values["dimension"] == "")]
    counted = month.execute("SELECT count(DISTINCT person_id) FROM facts.entitled_days GROUP BY day ORDER BY day")
    assert daily["n"].tolist() == [people for (people,) in counted.fetchall()]
    assert any("entitled_days" in label and seconds > 0 for label, seconds in timed.seconds.items())


def test_hand_written_queries_say_what_rows_say() -> None:
    """Four sessions of two teams on two days, added up by eye."""
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE sessions AS SELECT * FROM (VALUES "
        "(1, TIMESTAMP '2026-01-01 10:00:00', 'it', 'web', 's', TRUE, TRUE, TRUE, 0.25, 100), "
        "(1, TIMESTAMP '2026-01-01 11:00:00', 'hr', 'web', 's', FALSE, TRUE, FALSE, 0.75, 300), "
        "(2, TIMESTAMP '2026-01-02 10:00:00', 'it', 'web', 's', FALSE, FALSE, TRUE, 0.5, 200)) "
        "AS t(user_id, started_at, team, channel, model, deflected, answered, grounded, cost_usd, latency_ms)"
    )
    grid: Grid = {}
    for (grain, dimension), query in by_hand.queries("sessions").items():
        grid |= by_hand.grid_of(grain, dimension, con.execute(query).fetchall())
    assert len(by_hand.queries("sessions")) == 12
    # p95 of 100, 200, 300: position 2 * 0.95 = 1.9, so 200 + 0.9 * 100
    assert grid["month", "2026-01-01", "", ""] == (3, 1, 2, 1, 1.5, 1 / 3, 1 / 2, 0.5, 2, pytest.approx(290))
    assert grid["week", "2025-12-29", "team", "it"][:5] == (2, 1, 1, 1, 0.75)


def test_grids_agree_or_say_where_not(tmp_path: Path) -> None:
    """Written and read back a grid is itself; a count that is off by one and a percentile off by 2 % are named."""
    row = (10.0, 6.0, 9.0, 8.0, 0.1, 0.6, 8 / 9, 0.01, 7.0, 100.0)
    grid: Grid = {("day", "2026-01-01", "", ""): row}
    write_grid(tmp_path / "grid.csv", grid)
    assert read_grid(tmp_path / "grid.csv") == grid
    assert agreement(grid, grid).sentence == "yes"
    near: Grid = dict.fromkeys(grid, (*row[:9], 100.5))  # 0.5 / 100.5 = 0.498 %
    assert agreement(near, grid, p95_within=0.01).sentence == "yes; p95 within 0.50%"
    off: Grid = dict.fromkeys(grid, (11.0, *row[1:9], 102.0))
    assert agreement(off, grid, p95_within=0.01).beyond == ("sessions", "latency_p95")
    unknown: Grid = {key: (*row[:9], float("nan")) for key in grid}
    assert agreement(unknown, grid, p95_within=0.01).beyond == ("latency_p95",)
    assert agreement({}, grid).sentence == "1 rows stand in one result alone"
    assert len(KPIS) == len(row)


RESULTS = {
    "circumstances": {"date": "2026-11-21", "cpu": "Some CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux x86_64",
                      "versions": {"duckdb": "2.0.0"}, "code": "0123456789ab", "load": 0.1},
    "calls": 1000, "days": 365, "runs": 3, "memory_limit": "1GiB", "load_after": 0.2, "rows": {"calls": 1003},
    "floor": {"seconds": 0.5, "cpu": 0.8, "peak_mib": 100.0, "all_seconds": [0.4, 0.5, 0.6]},
    "cold": {"seconds": 5.0, "peak_mib": 300.0, "all_seconds": [5.0, 4.0, 6.0], "values": 7, "setup": 2.0, "kpis": 2,
             "empty": ["mttr"],
             "cpu": 8.0, "stage_cpu": {"states": 5.0, "roll-up": 2.0, "values": 1.0},
             "stages": {"states": 3.0, "roll-up": 1.5, "values": 0.5},
             "stage_peak_mib": {"states": 200.0, "roll-up": 250.0, "values": 300.0}},
    "nights": {"365": {"seconds": 1.0, "stages": {"states": 0.5, "roll-up": 0.3, "values": 0.2}, "peak_mib": 150.0,
                       "cpu": 2.0, "arrived": 12, "cold": 5.0},
               "90": {"failed": "Out of Memory Error", "cold": 2.0}},
    "profile": {"cpu": 8.0, "stages": {"states": 3.0}, "stage_cpu": {"states": 5.0}, "functions": [["values.f", 0.5]],
                "statements": {"states of x: CREATE y": {"seconds": 2.0, "cpu": 4.0}}},
    "peers": {"rows": 1000, "floor": {"seconds": 0.01, "peak_mib": 90.0},
              "engines": {"by hand": {"seconds": 0.1, "setup": 0.02, "peak_mib": 95.0, "agrees": "yes"},
                          "other": {"failed": "not installed"}}},
}  # fmt: skip


def test_results_are_told_as_ratios() -> None:
    """5 s of 0.5 s are 10 floors; a night of 1 s is 0.2 of a year; what failed says why and has no number."""
    told = text(RESULTS)
    lines = {line.split("  ")[1].strip(): line.split() for line in told.splitlines() if line.startswith("  ")}
    assert lines["all four"][2:] == ["10", "10", "5", "4", "to", "6", "8", "300"]
    assert lines["states"][1:] == ["6", "6.25", "3", "-", "5", "200"]  # 3 / 0.5; 5 / 0.8 in CPU time
    assert lines["365 days"][2:6] == ["12", "0.2", "0.25", "0.2"]
    assert lines["by hand"][2:4] == ["10", "1"]
    assert "90 days did not finish: Out of Memory Error." in told
    assert lines["states of x: CREATE y"][-3:] == ["50.0%", "4", "2"]
    assert lines["states: outside of SQL"][-3:] == ["12.5%", "1", "1"]  # 5 - 4 of 8 s of CPU time; 3 - 2 s
    assert "not installed" in told
    assert "No value with enough data for mttr." in told
    page = markdown([RESULTS])
    assert "| all four | 10 | 10 | 5 | 4 to 6 | 8 | 300 |" in page
    assert "No run has been recorded here yet." in markdown([])


def test_every_way_to_the_grid_of_the_other_tools_gives_the_same(tmp_path: Path) -> None:
    """By hand, by states built at once, and by states to which the last day was added: the same numbers everywhere."""
    database = str(tmp_path / "peers.duckdb")
    con = duckdb.connect(database)
    con.execute(
        """CREATE TABLE sessions AS SELECT i AS session_id, (hash(i, 1) % 60)::INTEGER AS user_id,
          TIMESTAMP '2026-02-10' + to_seconds((hash(i, 2) % (45 * 86400))::BIGINT) AS started_at,
          ['support', 'sales', 'hr'][1 + (hash(i, 3) % 3)::INTEGER] AS team,
          ['web', 'api'][1 + (hash(i, 4) % 2)::INTEGER] AS channel,
          ['small', 'large'][1 + (hash(i, 5) % 2)::INTEGER] AS model, hash(i, 6) % 100 < 62 AS deflected,
          hash(i, 7) % 100 < 88 AS answered, hash(i, 8) % 100 < 91 AS grounded,
          (hash(i, 9) % 9000)::DOUBLE / 1e6 AS cost_usd, (100 + hash(i, 10) % 9000)::INTEGER AS latency_ms
        FROM range(6000) AS r(i)"""
    )
    con.close()
    out = {part: str(tmp_path / f"{part}.csv") for part in ("by_hand", "engine", "engine_day")}
    work = {"path": str(tmp_path / "work.duckdb")}
    history = {"history": str(tmp_path / "before.duckdb")}
    told = [
        run_part("by_hand", database=database, out=out["by_hand"]),
        run_part("engine", database=database, out=out["engine"], **work),
        run_part("engine_history", database=database, path=history["history"]),
        run_part("engine_day", database=database, out=out["engine_day"], **history, **work),
    ]
    assert [one.get("failed") for one in told] == [None] * 4
    assert 100 < told[-1]["arrived"] < 170  # 6 000 sessions in 45 days
    by_hand, engine, day = (read_grid(Path(path)) for path in out.values())
    assert {grain for grain, *_ in by_hand} == {"day", "week", "month"}
    assert agreement(engine, by_hand, p95_within=0.05).sentence.startswith("yes")  # of few values p95 is between two
    assert agreement(day, engine, p95_within=1e-9).sentence.startswith("yes")


def test_what_was_skipped_says_why() -> None:
    """Without the other tools the table is their reason."""
    skipped = RESULTS | {"peers": {"skipped": "no script"}}
    assert "(c) beside other tools\n  Not run: no script." in text(skipped)
    assert "### (c) beside other tools\n\nNot run: no script.\n" in markdown([skipped])


def test_runs_are_summed_up() -> None:
    """Medians of seconds and stages, the greatest memory; one failure is the result."""
    runs = [{"seconds": s, "peak_mib": p, "stages": {"states": s / 2}} for s, p in ((3.0, 1.0), (1.0, 5.0), (2.0, 2.0))]
    assert summed_up(runs) == {
        "seconds": 2.0, "peak_mib": 5.0, "stages": {"states": 1.0}, "all_seconds": [3.0, 1.0, 2.0],
    }  # fmt: skip
    assert summed_up([runs[0], {"failed": "why"}]) == {"failed": "why"}
