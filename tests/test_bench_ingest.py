"""The benchmark of taking in: that everybody is given the same rows, and that what we load is what was in the file."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import taking  # noqa: E402 - beside `pipeline`, but not installed
from bench.exports import COLUMNS, write_exports  # noqa: E402
from bench.report import text  # noqa: E402
from pipeline.contracts import PANDERA_UP_TO_ROWS  # noqa: E402

ROWS = PANDERA_UP_TO_ROWS + 1_000
SAME = {
    "call_id": "request_id", "trace_id": "trace_id", "kind": "kind", "started_at": "started_at", "ended_at": "ended_at",
    "latency_s": "latency_ms / 1000", "ttft_ms": "first_token_ms", "is_batch": "is_batch", "service_tier": "tier",
    "tokens_in_uncached": "prompt_tokens", "tokens_cache_read": "cached_tokens", "tokens_out": "completion_tokens",
    "cost_reported": "cost", "status": "status", "error_type": "error", "http_status": "http_status",
}  # fmt: skip


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet"])
def test_what_is_loaded_is_what_the_plain_reader_reads(tmp_path: Path, name: str) -> None:
    """Rows with negative tokens or a strange status are quarantined; all others have the values DuckDB itself reads."""
    (path,) = write_exports(tmp_path, ROWS, formats=(name,))
    folder, memory = str(path.parent), "1GiB"
    taken = taking.take(folder, str(tmp_path / "ours.duckdb"), memory)
    plain = taking.plain(folder, str(tmp_path / "plain.duckdb"), memory)
    assert taken["rows"] == plain["rows"] == ROWS
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{tmp_path / 'ours.duckdb'}' AS ours; ATTACH '{tmp_path / 'plain.duckdb'}' AS plain")
        bad = "completion_tokens < 0 OR status = 'strange'"
        ((broken, people),) = con.execute(
            f'SELECT count(*) FILTER ({bad}), count(DISTINCT "user") FILTER (NOT ({bad})) FROM plain.calls'
        ).fetchall()
        assert (taken["loaded"], taken["quarantined"]) == (ROWS - broken, broken)
        assert broken > 0
        assert con.execute("SELECT count(DISTINCT person_id) FROM ours.core.calls").fetchall() == [(people,)]
        ours = f"SELECT {', '.join(SAME)} FROM ours.core.calls"
        theirs = f"SELECT {', '.join(SAME.values())} FROM plain.calls WHERE NOT ({bad})"
        assert con.execute(f"({ours}) EXCEPT ({theirs})").fetchall() == []
        lines = con.execute(
            "SELECT count(*) FROM (SELECT _line > lag(_line, 1, 0) OVER () AS ok FROM ours.core.calls) WHERE ok"
        )
        assert lines.fetchall() == [(ROWS - broken,)]


def test_pandas_and_pandera_find_the_same_bad_rows(tmp_path: Path) -> None:
    """The peer is given the same rules: of 3 000 rows it refuses as many as DuckDB counts."""
    (path,) = write_exports(tmp_path, 3_000, formats=("csv",))
    found = taking.pandera(str(path.parent), str(tmp_path / "peer.duckdb"), "1GiB")
    ((bad,),) = duckdb.execute(
        f"SELECT count(*) FILTER (completion_tokens < 0 OR status = 'strange') FROM read_csv('{path}')"
    ).fetchall()
    assert (found["rows"], found["quarantined"]) == (3_000, bad)


def test_files_are_split_evenly_and_made_once(tmp_path: Path) -> None:
    """1 000 rows in three files are 334, 334 and 332, and all columns are there."""
    paths = write_exports(tmp_path, 1_000, formats=("parquet",), files=3)
    counted = [duckdb.execute(f"SELECT count(*) FROM '{path}'").fetchall()[0][0] for path in paths]
    assert counted == [334, 334, 332]
    assert [row[0] for row in duckdb.execute(f"DESCRIBE SELECT * FROM '{paths[0]}'").fetchall()] == list(COLUMNS)
    made = paths[0].stat().st_mtime_ns
    assert write_exports(tmp_path, 1_000, formats=("parquet",), files=3)[0].stat().st_mtime_ns == made


def test_the_table_tells_shares_of_the_plain_reader() -> None:
    """Twice the seconds are half the rows a second; a tool that is not there is told with its reason."""
    tools = {
        "plain reader": {"seconds": 1.0, "cpu": 2.0, "rows": 1000, "peak_mib": 3},
        "genai-roi": {"seconds": 2.0, "cpu": 8.0, "rows": 1000, "peak_mib": 3},
        "dlt": {"failed": "not installed"},
    }
    where = {
        "date": "d",
        "cpu": "c",
        "cores": 2,
        "memory_gib": 1,
        "system": "s",
        "versions": {},
        "code": "1",
        "load": 1,
    }
    ingest = {"rows": 1000, "files": 1, "memory_limit": "1GiB", "formats": {"csv": tools}}
    told = text({"circumstances": where, "runs": 1, "load_after": 1, "ingest": ingest})
    assert "csv: genai-roi" in told
    assert ["csv:", "genai-roi", "0.5", "0.25", "500"] in [line.split()[:5] for line in told.splitlines()]
    assert "csv: dlt has no figure, not installed." in told
