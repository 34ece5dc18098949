"""What is measured, one function per part; each runs in a process of its own and gives seconds and more as JSON."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bench import by_hand as hand
from bench import floor, ours, warehouse
from bench.grid import GRAINS, KPIS, Grid, key_of, write_grid
from bench.statements import TimedConnection
from bench.worker import BEGUN, peak_mib

if TYPE_CHECKING:
    import pandas as pd

Result = dict[str, Any]


class Spent:
    """Seconds, and CPU seconds of all threads of this process, since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __call__(self) -> tuple[float, float]:
        """Both, so far."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu

    def result(self) -> Result:
        """Both, as JSON takes it."""
        seconds, cpu = self()
        return {"seconds": seconds, "cpu": cpu}


class Stages:
    """A timer for `ours.compute`: seconds and CPU seconds of each stage, and the greatest memory up to its end.

    What the process did before it was made is set-up.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.peak_mib: dict[str, float] = {}
        self._setup = time.perf_counter() - BEGUN

    def __call__(self, name: str, work: Callable[[], object]) -> object:
        """Do the work of a stage and keep its time; RuntimeError with the name of the stage when DuckDB fails."""
        spent = Spent()
        try:
            result = work()
        except duckdb.Error as error:
            raise RuntimeError(f"{name}: {str(error).splitlines()[0]}") from error
        self.seconds[name], self.cpu[name] = spent()
        self.peak_mib[name] = peak_mib()
        return result

    def result(self, **more: object) -> Result:
        """Everything as JSON takes it; `seconds` is the sum of the stages."""
        return {
            "seconds": sum(self.seconds.values()), "cpu": sum(self.cpu.values()), "stages": self.seconds,
            "setup": self._setup, "stage_cpu": self.cpu, "stage_peak_mib": self.peak_mib,
            "peak_mib": peak_mib(), **more,
        }  # fmt: skip


def generate(path: str, calls: int, days: int, memory_limit: str) -> Result:
    """Fill a warehouse anew."""
    Path(path).unlink(missing_ok=True)
    con = ours.open_filled(Path(path), memory_limit=memory_limit)
    scale = warehouse.Scale(calls, days)
    begun = time.perf_counter()
    warehouse.fill_standing(con, scale)
    warehouse.fill_days(con, scale, first=0, count=days)
    con.execute("CHECKPOINT")
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "rows": _rows(con), "mib": Path(path).stat().st_size / (1 << 20)}


def _rows(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'core' ORDER BY 1").fetchall()
    counted = {name: con.execute(f"SELECT count(*) FROM core.{name}").fetchall()[0][0] for (name,) in names}
    return {name: rows for name, rows in counted.items() if rows}


def scan(path: str, memory_limit: str) -> Result:
    """The floor of (a)."""
    con = ours.open_filled(Path(path), memory_limit=memory_limit)
    columns = ours.call_columns()
    return _scan(con, floor.floor_sql("core.calls", floor.kinds_of(columns))) | {"columns": list(columns)}


def _scan(con: duckdb.DuckDBPyConnection, query: str) -> Result:
    spent = Spent()
    con.execute(query).fetchall()
    return spent.result()


def cold(path: str, memory_limit: str) -> Result:
    """(a): every state, every roll-up, every value, with no state there before."""
    con = ours.open_filled(Path(path), memory_limit=memory_limit)
    ours.forget_states(con)
    ours.load_libraries()
    catalog, stages = ours.catalog_of(), Stages()
    values = ours.compute(con, catalog, since_load=1, timer=stages)
    computed = set(values.loc[values["status"] == "computed", "kpi_id"])
    con.close()
    return stages.result(values=len(values), empty=sorted(set(catalog.metrics) - computed), kpis=len(catalog.metrics))


def night(path: str, calls: int, days: int, number: int, memory_limit: str, *, profiled: bool = False) -> Result:
    """(b): one more day arrives as a load of its own; taking it in is not counted. `number` is 1 for the first."""
    con = ours.open_filled(Path(path), memory_limit=memory_limit)
    before = sum(_rows(con).values())
    load = number + 1
    warehouse.fill_days(con, warehouse.Scale(calls, days), first=days + number - 1, count=1, load=load)
    con.execute("CHECKPOINT")
    arrived = sum(_rows(con).values()) - before
    ours.load_libraries()
    if profiled:
        return _profiled(con, since_load=load) | {"arrived": arrived}
    catalog, stages = ours.catalog_of(), Stages()
    values = ours.compute(con, catalog, since_load=load, timer=stages)
    con.close()
    return stages.result(values=len(values), arrived=arrived)


def profile(path: str, memory_limit: str) -> Result:
    """(a) once more, with the time of each statement and of each function of the last stage."""
    con = ours.open_filled(Path(path), memory_limit=memory_limit)
    ours.forget_states(con)
    ours.load_libraries()
    return _profiled(con, since_load=1)


def _profiled(con: duckdb.DuckDBPyConnection, *, since_load: int) -> Result:
    timed, stages = TimedConnection(con), Stages()
    functions: list[tuple[str, float]] = []

    def staged(name: str, work: Callable[[], object]) -> object:
        timed.stage = name
        result = stages(name, work)
        if name == "values":
            timed.stage = _AGAIN
            functions.extend(_functions(work))
        return result

    def told(fact: str) -> None:
        timed.stage = f"states of {fact}"

    ours.compute(timed, ours.catalog_of(), since_load=since_load, timer=staged, progress=told)
    statements = {
        label: {"seconds": seconds, "cpu": timed.cpu[label]}
        for label, seconds in timed.seconds.items()
        if not label.startswith(_AGAIN)
    }
    return stages.result(statements=statements, functions=functions)


_AGAIN = "values under a profiler"


def _functions(work: Callable[[], object]) -> list[tuple[str, float]]:
    """Seconds per function of the project, what it calls included, the longest first."""
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    profiler.runcall(work)
    found = [
        (f"{Path(file).stem}.{function}", cumulative)
        for (file, _, function), (_, _, _, cumulative, _) in pstats.Stats(profiler).stats.items()  # type: ignore[attr-defined]
        if "pipeline" in Path(file).parts and not function.startswith("<")
    ]
    return sorted(found, key=lambda entry: -entry[1])[:25]


def peers_scan(database: str) -> Result:
    """The floor of (c)."""
    con = duckdb.connect(database, read_only=True)
    ready = time.perf_counter()
    result = _scan(con, floor.floor_sql("sessions", floor.PEERS))
    return result | {"setup": ready - BEGUN, "rows": con.execute("SELECT count(*) FROM sessions").fetchall()[0][0]}


def by_hand(database: str, out: str) -> Result:
    """(c) by twelve queries."""
    con = duckdb.connect(database, read_only=True)
    ready, spent = time.perf_counter(), Spent()
    found = {key: con.execute(query).fetchall() for key, query in hand.queries("sessions").items()}
    result = spent.result()
    grid: Grid = {}
    for (grain, dimension), rows in found.items():
        grid |= hand.grid_of(grain, dimension, rows)
    write_grid(Path(out), grid)
    return result | {"setup": ready - BEGUN, "versions": {"duckdb": duckdb.__version__}}


def engine(database: str, out: str, path: str) -> Result:
    """(c) by this project's engine: a warehouse of its own, the peers' table attached to it."""
    con = _new_peers(database, path)
    ours.read_in_place(con)
    ours.load_libraries()
    catalog = ours.catalog_of(ours.PEERS_CATALOG)
    stages = Stages()
    values = ours.compute(con, catalog, since_load=1, timer=stages, keep=False)
    result = stages.result(versions={"duckdb": duckdb.__version__})
    write_grid(Path(out), _grid_of(values))
    con.close()
    return result


def engine_history(database: str, path: str) -> Result:
    """What `engine_day` begins with: the peers' table without its last day, taken in, with its states and values."""
    con = _new_peers(database, path)
    ours.take_in(con, f"NOT ({_LAST_DAY})", load=1)
    spent = Spent()
    ours.compute(con, ours.catalog_of(ours.PEERS_CATALOG), since_load=1, timer=lambda _, work: work())
    con.close()
    return spent.result()


def engine_day(database: str, out: str, history: str, path: str) -> Result:
    """(c) with one new day added to existing states: from its rows to an edition with all values of the grid.

    Taking the rows in is not counted.
    """
    shutil.copyfile(history, path)
    con = ours.open_peers(Path(path), Path(database))
    arrived = ours.take_in(con, _LAST_DAY, load=2)
    con.execute("CHECKPOINT")
    ours.load_libraries()
    catalog, stages = ours.catalog_of(ours.PEERS_CATALOG), Stages()
    ours.compute(con, catalog, since_load=2, timer=stages)
    result = stages.result(arrived=arrived, versions={"duckdb": duckdb.__version__})
    write_grid(Path(out), _grid_of(con.execute("FROM kpi.values WHERE last_edition IS NULL").df()))
    con.close()
    return result


_LAST_DAY = "started_at >= (SELECT max(started_at)::DATE FROM peers.sessions)"


def _new_peers(database: str, path: str) -> duckdb.DuckDBPyConnection:
    Path(path).unlink(missing_ok=True)
    return ours.open_peers(Path(path), Path(database))


def _grid_of(values: pd.DataFrame) -> dict[tuple[str, str, str, str], list[object]]:
    """Values of the engine as rows of the grid; it gives trailing 28 days as well, which nobody else was asked for."""
    grid: dict[tuple[str, str, str, str], list[object]] = {}
    for row in values[values["grain"].isin(GRAINS)].to_dict("records"):
        key = key_of(row["grain"], row["period_start"], row["dimension"], row["dimension_value"])
        grid.setdefault(key, [float("nan")] * len(KPIS))[KPIS.index(row["kpi_id"])] = _in_peers_unit(row)
    return grid


def _in_peers_unit(row: dict[str, Any]) -> object:
    return row["value"] * 1000 if row["kpi_id"] == "latency_p95" else row["value"]


PARTS: dict[str, Callable[..., Result]] = {
    part.__name__: part
    for part in (generate, scan, cold, night, profile, peers_scan, by_hand, engine, engine_history, engine_day)
}
