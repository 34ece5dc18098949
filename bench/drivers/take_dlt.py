"""dlt takes in a folder of files: `python take_dlt.py FOLDER WORK`; runs in an environment with dlt[duckdb]."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
BEGUN = time.perf_counter()


def main() -> None:
    """Extract, normalise and load by the quickest of dlt's ways: Arrow where a reader has it, Parquet in between."""
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv_duckdb, read_jsonl, read_parquet

    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kind = next(folder.iterdir()).suffix
    by_arrow = {".csv": read_csv_duckdb, ".parquet": read_parquet}
    reader = by_arrow[kind](use_pyarrow=True) if kind in by_arrow else read_jsonl()
    ready, cpu = time.perf_counter(), time.process_time()
    files = filesystem(bucket_url=folder.as_uri(), file_glob=f"*{kind}")
    pipeline = dlt.pipeline(
        "calls", pipelines_dir=str(work / "state"), destination=dlt.destinations.duckdb(str(work / "dlt.duckdb")),
        dataset_name="core",
    )  # fmt: skip
    calls = (files | reader).with_name("calls")
    pipeline.run(calls, primary_key="request_id", write_disposition="append", loader_file_format="parquet")
    seconds, cpu = time.perf_counter() - ready, time.process_time() - cpu
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM calls")[0][0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "cpu": cpu, "setup": ready - BEGUN, "rows": rows, "peak_mib": peak}
    sys.stdout.write("\n" + json.dumps(told | {"versions": {"dlt": version("dlt")}}) + "\n")


if __name__ == "__main__":
    main()
