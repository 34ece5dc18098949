"""`python -m bench.ingest`: rows a second that are taken in, beside the plain reader and other tools, per format."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bench.exports import FORMATS, write_exports
from bench.measure import ROOT, Result, circumstances, run, run_part, summed_up
from bench.report import OURS, PLAIN, text

DRIVER = Path(__file__).parent / "drivers" / "take_dlt.py"
PANDERA, DLT = "pandas + pandera", "dlt"
NO_DLT = "not installed: make a virtual environment with 'dlt[duckdb]' and pyarrow, and name its python in BENCH_DLT"


def bench(
    *,
    rows: Annotated[int, typer.Option(envvar="BENCH_ROWS", min=1000, help="Rows of the export.")] = 1_000_000,
    runs: Annotated[int, typer.Option(envvar="BENCH_RUNS", min=1, help="Runs of each measurement.")] = 3,
    formats: Annotated[str, typer.Option(envvar="BENCH_FORMATS", help="Which formats.")] = ",".join(FORMATS),
    files: Annotated[
        int, typer.Option(envvar="BENCH_FILES", min=1, help="Into how many files the rows are split.")
    ] = 1,
    memory: Annotated[str, typer.Option(envvar="BENCH_INGEST_MEMORY", help="DuckDB's memory limit.")] = "1GiB",
    peers: Annotated[bool, typer.Option(envvar="BENCH_PEERS", help="Ask the other tools too.")] = True,
    dlt: Annotated[Path | None, typer.Option(envvar="BENCH_DLT", help="A python that has dlt[duckdb].")] = None,
    folder: Annotated[Path, typer.Option(envvar="BENCH_FOLDER", help="Where files go.")] = Path("build/bench"),
) -> None:
    """Measure how fast exports are taken in."""
    folder = folder.resolve()
    found: Result = {"circumstances": circumstances(), "runs": runs}
    found |= measured(folder, rows, runs, tuple(formats.split(",")), files=files, memory=memory, peers=peers, dlt=dlt)
    found["load_after"] = round(os.getloadavg()[0], 2)
    kept = folder / f"ingest-{rows}-{files}.json"
    kept.write_text(json.dumps(found, indent=1), encoding="utf-8")
    told = kept.relative_to(ROOT) if kept.is_relative_to(ROOT) else kept
    typer.echo(f"{text(found)}\n\nKept in {told}; python -m bench.report {told} ... writes it down.")


def measured(
    folder: Path,
    rows: int,
    runs: int,
    formats: tuple[str, ...],
    *,
    files: int,
    memory: str,
    peers: bool,
    dlt: Path | None,
) -> Result:
    """Every tool on every format, taking turns; a format's files are made first, and what was written goes after."""
    ingest: Result = {"rows": rows, "files": files, "memory_limit": memory, "formats": {}}
    for name in formats:
        typer.echo(f"bench: making {rows:,} rows of {name}", err=True)
        exports = write_exports(folder / "exports", rows, formats=(name,), files=files)[0].parent
        tools = _tools(exports, folder / "taking", memory, peers=peers, dlt=dlt)
        found: dict[str, list[Result]] = {title: [] for title in tools}
        for turn in range(runs):
            for title, ask in tools.items():
                typer.echo(f"bench: {name}, run {turn + 1} of {runs}: {title}", err=True)
                if not any("failed" in one for one in found[title]):
                    found[title].append(ask())
        ingest["formats"][name] = {title: summed_up(results) for title, results in found.items()}
        ingest["formats"][name][OURS] |= {"bytes": sum(path.stat().st_size for path in exports.iterdir())}
    shutil.rmtree(folder / "taking", ignore_errors=True)
    return {"ingest": ingest}


def _tools(exports: Path, work: Path, memory: str, *, peers: bool, dlt: Path | None) -> dict[str, Callable[[], Result]]:
    def part(name: str) -> Callable[[], Result]:
        given = {"folder": str(exports), "work": str(work / f"{name}.duckdb"), "memory_limit": memory}
        return lambda: run_part(name, **given)

    tools = {PLAIN: part("plain"), OURS: part("take")}
    if peers:
        command = [str(dlt), str(DRIVER), str(exports), str(work / "dlt")]
        tools[PANDERA] = part("pandera")
        tools[DLT] = (lambda: run(command, folder=ROOT)) if dlt else (lambda: {"failed": NO_DLT})
    return tools


if __name__ == "__main__":
    typer.run(bench)
