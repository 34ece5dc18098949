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
    """Extract, normalise and load with dlt's own file readers and its duckdb destination, on one schema of columns."""
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv, read_jsonl, read_parquet

    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kind = next(folder.iterdir()).suffix
    reader = {".csv": read_csv, ".jsonl": read_jsonl, ".parquet": read_parquet}[kind]
    ready, cpu = time.perf_counter(), time.process_time()
    files = filesystem(bucket_url=folder.as_uri(), file_glob=f"*{kind}")
    pipeline = dlt.pipeline(
        "calls", pipelines_dir=str(work / "state"), destination=dlt.destinations.duckdb(str(work / "dlt.duckdb")),
        dataset_name="core",
    )  # fmt: skip
    pipeline.run((files | reader()).with_name("calls"), primary_key="request_id", write_disposition="append")
    seconds, cpu = time.perf_counter() - ready, time.process_time() - cpu
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM calls")[0][0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"seconds": seconds, "cpu": cpu, "setup": ready - BEGUN, "rows": rows, "peak_mib": peak}
    sys.stdout.write("\n" + json.dumps(told | {"versions": {"dlt": version("dlt")}}) + "\n")


if __name__ == "__main__":
    main()
