"""`python -m bench`: measure, print the ratios, and keep the results as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bench import peers
from bench.exports import FORMATS
from bench.ingest import measured as taken_in
from bench.measure import ROOT, Result, circumstances, repeated, run_part
from bench.report import text

DAYS = 365
HISTORIES = (365, 90, 730)


def bench(
    *,
    calls: Annotated[int, typer.Option(envvar="BENCH_CALLS", min=1000, help="Calls in 365 days.")] = 1_000_000,
    runs: Annotated[int, typer.Option(envvar="BENCH_RUNS", min=1, help="Runs of each measurement.")] = 3,
    parts: Annotated[str, typer.Option(envvar="BENCH_PARTS", help="Which of a, b, c, d.")] = "abcd",
    memory: Annotated[str, typer.Option(envvar="BENCH_MEMORY", help="DuckDB's memory limit in a and b.")] = "700MiB",
    folder: Annotated[Path, typer.Option(envvar="BENCH_FOLDER", help="Where files go.")] = Path("build/bench"),
    dlt: Annotated[Path | None, typer.Option(envvar="BENCH_DLT", help="A python with dlt[duckdb], for d.")] = None,
    peers_setup: Annotated[Path | None, typer.Option(envvar="PEERS_SETUP", help="Script for c.")] = None,
) -> None:
    """Measure the engine against the floor, over histories and beside other tools, and how files are taken in."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results: Result = {
        "circumstances": circumstances(), "calls": calls, "days": DAYS, "runs": runs, "memory_limit": memory,
    }  # fmt: skip
    if set(parts) & {"a", "b"}:
        results |= _year(folder, calls, runs, memory, nights="b" in parts)
    if "c" in parts:
        results["peers"] = _beside(folder, peers_setup or peers.default_script(), 5 if calls >= 5_000_000 else 1, runs)
    if "d" in parts:
        results |= taken_in(folder, calls, runs, tuple(FORMATS), files=1, memory=memory, peers=True, dlt=dlt)
    results["load_after"] = round(os.getloadavg()[0], 2)
    kept = folder / f"results-{calls}.json"
    kept.write_text(json.dumps(results, indent=1), encoding="utf-8")
    typer.echo(
        f"{text(results)}\n\nKept in {_told(kept)}; python -m bench.report {_told(kept)} writes docs/benchmarks.md."
    )


def _year(folder: Path, calls: int, runs: int, memory: str, *, nights: bool) -> Result:
    """(a) and (b). The warehouse of the year serves both, so (a) comes first."""
    results: Result = {"nights": {}} if nights else {}
    for days in HISTORIES if nights else (DAYS,):
        path = folder / f"warehouse-{days}.duckdb"
        traffic = {"calls": round(calls * days / DAYS), "days": days}
        where = {"path": str(path), "memory_limit": memory}
        _progress(f"making {days} days, {traffic['calls']:,} calls")
        made = run_part("generate", path=str(path), **traffic, memory_limit="80%")
        if "failed" in made:
            raise typer.BadParameter(f"the warehouse could not be made: {made['failed']}")
        once = _cold(where, runs if days == DAYS else 1, days)
        if days == DAYS:
            results |= {"rows": made["rows"], "made": made, **once}
        if nights:
            failed = once["cold"].get("failed")
            night = {"failed": f"no history to go on from: {failed}"} if failed else _nights(where, traffic, runs)
            results["nights"][str(days)] = night | {"cold": once["cold"].get("seconds")}
            if days == DAYS and not failed:
                results["night_profile"] = run_part("night", **where, **traffic, number=runs + 1, profiled=True)
        path.unlink(missing_ok=True)
    return results


def _cold(where: Result, runs: int, days: int) -> Result:
    """The floor, (a), and for the year a profile; the last run leaves the states that (b) begins with."""
    _progress(f"(a) {days} days: the floor, then everything from nothing")
    found = {"floor": repeated(lambda: run_part("scan", **where), runs)}
    if days == DAYS:
        found["profile"] = run_part("profile", **where)
    return found | {"cold": repeated(lambda: run_part("cold", **where), runs)}


def _nights(where: Result, traffic: Result, runs: int) -> Result:
    """Nights that follow each other, so that each finds the day before built."""
    _progress(f"(b) {runs} nights after {traffic['days']} days")
    numbers = iter(range(1, runs + 1))
    return repeated(lambda: run_part("night", **where, **traffic, number=next(numbers)), runs)


def _beside(folder: Path, script: Path, millions: int, runs: int) -> Result:
    _progress("(c) other tools: setting up, which takes minutes the first time")
    reason = peers.set_up(folder / "peers", script)
    if reason:
        return {"skipped": reason}
    return peers.compare(folder / "peers", millions=millions, runs=runs, progress=_progress)


def _progress(what: str) -> None:
    typer.echo(f"bench: {what}", err=True)


def _told(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    typer.run(bench)
