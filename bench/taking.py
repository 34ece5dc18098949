"""What `python -m bench.ingest` measures, one function per part: a file taken in by us, plainly, by others."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bench.exports import COLUMNS
from bench.statements import TimedConnection
from bench.worker import BEGUN

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

    from pipeline.tables import Table

Result = dict[str, Any]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOURCES = Path(__file__).parent / "sources"


class _Clock:
    """Seconds and CPU seconds of all threads since it was made; what the process did before is set-up."""

    def __init__(self) -> None:
        self._setup = time.perf_counter() - BEGUN
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def result(self, **more: object) -> Result:
        """What was spent until now, as JSON takes it."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"seconds": wall, "cpu": cpu, "setup": self._setup, **more}


def plain(folder: str, work: str, memory_limit: str) -> Result:
    """The floor: one statement reads every file of the folder into a table of the same types, and a checkpoint."""
    con = duckdb.connect(_anew(Path(work)), config={"memory_limit": memory_limit})
    con.execute("SET TimeZone='UTC'; SET enable_progress_bar=false")
    clock = _Clock()
    con.execute(f"CREATE TABLE calls AS SELECT * FROM {_plain_reader(Path(folder))}; CHECKPOINT")
    return clock.result(rows=_count(con, "calls"), versions={"duckdb": duckdb.__version__})


def _plain_reader(folder: Path) -> str:
    """The table function of DuckDB that reads the folder's files with the types said, so that it guesses nothing."""
    paths = sorted(str(path) for path in folder.iterdir())
    columns = ", ".join(f"'{name}': '{sql_type}'" for name, sql_type in COLUMNS.items())
    how = {
        ".csv": f"read_csv({paths}, header=true, auto_detect=false, columns={{{columns}}})",
        ".jsonl": f"read_json({paths}, format='newline_delimited', columns={{{columns}}})",
        ".parquet": f"read_parquet({paths})",
    }
    return how[Path(paths[0]).suffix]


def _anew(path: Path) -> str:
    """The path of a database that is not there yet."""
    for leftover in (path, path.with_name(path.name + ".wal")):
        leftover.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def _count(con: duckdb.DuckDBPyConnection, relation: str) -> int:
    ((rows,),) = con.execute(f"SELECT count(*) FROM {relation}").fetchall()
    return int(rows)


def take(folder: str, work: str, memory_limit: str, *, profiled: bool = False) -> Result:
    """Ours: the folder is received, judged and loaded into a new warehouse as the nightly run does it.

    So the files are hashed and kept, their bytes checked, rows staged, cast and judged by the contract, people made
    pseudonyms, bad rows quarantined with their line, and every row entered in the ledger; and a checkpoint.
    """
    from pipeline.ingest import Ingest, take_in
    from pipeline.sources.mapping import load_mappings, mappings_hash
    from pipeline.warehouse.connection import create_schemas, open_warehouse
    from pipeline.warehouse.receive import receive

    _import_libraries()
    path, received = Path(work), Path(work).with_suffix(".received")
    shutil.rmtree(received, ignore_errors=True)
    opened = open_warehouse(Path(_anew(path)), key=b"k" * 32, memory_limit=memory_limit)
    create_schemas(opened)
    mappings = load_mappings([SOURCES])
    con: Any = TimedConnection(opened) if profiled else opened
    clock = _Clock()
    arrivals = list(receive(Path(folder), received))
    door = clock.result()["seconds"]
    taken = take_in(Ingest(con, mappings, mappings_hash(mappings), 1, NOW), arrivals)
    con.execute("CHECKPOINT")
    result = clock.result(door=door, rows=taken.rows_in, loaded=taken.loaded, quarantined=taken.quarantined)
    if profiled:
        result["statements"] = {label: [spent, con.cpu[label]] for label, spent in con.seconds.items()}
    return result


def _import_libraries() -> None:
    """Import what judging imports on first use: it is set-up here as it is for the other tools."""
    import pandas  # noqa: F401
    import pandera.pandas  # noqa: F401


def pandera(folder: str, work: str, memory_limit: str) -> Result:
    """pandas and pandera: read, validate by the same rules, take out the rows that break one, write into DuckDB."""
    import pandas as pd
    from pandera.errors import SchemaErrors

    from pipeline.tables import load_tables

    contract = _contract(load_tables()["calls"])
    con = duckdb.connect(_anew(Path(work)), config={"memory_limit": memory_limit})
    con.execute("SET TimeZone='UTC'")
    clock = _Clock()
    frame = pd.concat([_frame(path) for path in sorted(Path(folder).iterdir())], ignore_index=True)
    bad = 0
    try:
        contract.validate(frame, lazy=True)
    except SchemaErrors as errors:
        wrong = errors.failure_cases["index"].dropna().unique()
        bad, frame = len(wrong), frame.drop(index=wrong)
    con.register("frame", frame)
    con.execute("CREATE TABLE calls AS SELECT * FROM frame; CHECKPOINT")
    versions = {"pandas": pd.__version__, "pandera": _pandera_version()}
    return clock.result(rows=len(frame) + bad, quarantined=bad, versions=versions)


def _pandera_version() -> str:
    from importlib.metadata import version

    return version("pandera")


_DTYPES = {"BIGINT": "Int64", "DOUBLE": "float64", "BOOLEAN": "boolean", "VARCHAR": "str", "DECIMAL(28,14)": "float64"}
_TIMES = [name for name, sql_type in COLUMNS.items() if sql_type == "TIMESTAMPTZ"]


def _frame(path: Path) -> pd.DataFrame:
    """A file as pandas reads it, with the types said; Parquet by DuckDB where pyarrow, which it needs, is not there."""
    import pandas as pd

    dtypes = {name: _DTYPES[sql_type] for name, sql_type in COLUMNS.items() if name not in _TIMES}
    if path.suffix == ".parquet":
        has_pyarrow = find_spec("pyarrow") is not None
        return pd.read_parquet(path) if has_pyarrow else duckdb.read_parquet(str(path)).df()
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=dtypes, parse_dates=_TIMES)
    frame = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
    return frame.astype(dtypes).assign(**{name: pd.to_datetime(frame[name]) for name in _TIMES})


_ALIKE = {
    "call_id": "request_id", "trace_id": "trace_id", "kind": "kind", "started_at": "started_at", "ended_at": "ended_at",
    "latency_s": "latency_ms", "ttft_ms": "first_token_ms", "tokens_in_uncached": "prompt_tokens",
    "tokens_cache_read": "cached_tokens", "tokens_out": "completion_tokens", "tokens_reasoning": "reasoning_tokens",
    "cost_reported": "cost", "status": "status", "http_status": "http_status",
}  # fmt: skip
"""Columns of `core.calls` that a rule looks at, and what they are called in the files."""


def _contract(table: Table) -> DataFrameSchema:
    """The rules of a table as a pandera schema over the columns of the files, the key unique among them."""
    import pandera.pandas as pa

    columns = {}
    for name, own in _ALIKE.items():
        column = table.column(name)
        checks = [pa.Check.isin(column.values)] if column.values else []
        checks += [pa.Check.ge(0)] if column.never_negative else []
        checks += [pa.Check.lt(float("inf"))] if column.column_type.is_double else []
        checks += [pa.Check.le(NOW)] if name in table.not_future else []
        unique = (name,) == table.key
        columns[own] = pa.Column(None, checks, nullable=not column.required, unique=unique)
    ordered = pa.Check(lambda frame: ~(frame["started_at"] > frame["ended_at"]), name="started_at after ended_at")
    return pa.DataFrameSchema(columns, checks=[ordered])


PARTS: dict[str, Callable[..., Result]] = {part.__name__: part for part in (plain, take, pandera)}
