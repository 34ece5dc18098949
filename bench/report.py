"""Results as tables of ratios: on the terminal, and in docs/benchmarks.md (`python -m bench.report FILE ...`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.layout import NOTHING, Table, number, ratio
from bench.measure import ROOT

Result = dict[str, Any]
DOCS = ROOT / "docs" / "benchmarks.md"
OURS, PLAIN = "genai-roi", "plain reader"
"""What the tools of (d) are called."""


def tables(results: Result) -> Iterator[Table]:
    """Every table of one run; a part that was not run has none."""
    if "floor" in results:
        yield _cold(results)
    if "nights" in results:
        yield _nights(results)
    if "peers" in results:
        yield _peers(results["peers"])
    if "ingest" in results:
        yield _ingest(results["ingest"])
    for name, title in (("profile", "(a)"), ("night_profile", "a night of (b), a year of history")):
        found = results.get(name, {"failed": ""})
        if "failed" not in found:
            yield _statements(found, f"where {title} spends its time")
            yield _functions(found, f"the last stage of {title}, by function")


def _cold(results: Result) -> Table:
    floor, cold = results["floor"], results["cold"]
    rows = [_cold_row("floor: one scan of core.calls", floor, floor)]
    for name, seconds in cold.get("stages", {}).items():
        stage = {"seconds": seconds, "cpu": cold["stage_cpu"][name], "peak_mib": cold["stage_peak_mib"][name]}
        rows.append(_cold_row(name, stage, floor))
    rows.append(_cold_row("all four", cold, floor))
    note = f"Did not finish: {cold['failed']}." if "failed" in cold else _told_of(cold)
    head = ("", "times the floor", "in CPU time", "seconds", "lowest to highest", "CPU s", "peak MiB")
    return Table(f"(a) the whole catalogue from nothing, {results['rows']['calls']:,} calls", head, tuple(rows), note)


def _told_of(cold: Result) -> str:
    empty = f" No value with enough data for {', '.join(cold['empty'])}." if cold["empty"] else ""
    setup = f"Set-up, not counted: {number(cold['setup'])} s (imports, opening, catalogue)."
    return f"{cold['values']:,} values of {cold['kpis']} KPIs. {setup}{empty}"


def _cold_row(name: str, found: Result, floor: Result) -> tuple[str, ...]:
    seconds, cpu = found.get("seconds"), found.get("cpu")
    return (
        name, ratio(seconds, floor.get("seconds")), ratio(cpu, floor.get("cpu")), number(seconds),
        _span(found.get("all_seconds")), number(cpu), number(found.get("peak_mib")),
    )  # fmt: skip


def _span(runs: list[float] | None) -> str:
    return f"{number(min(runs))} to {number(max(runs))}" if runs else NOTHING


def _nights(results: Result) -> Table:
    year, floor = results["cold"], results["floor"]
    nights = sorted(results["nights"].items(), key=lambda item: int(item[0]))
    rows = []
    for days, night in nights:
        seconds, stages = night.get("seconds"), night.get("stages", {})
        rows.append((
            f"{days} days", f"{night['arrived']:,}" if "arrived" in night else NOTHING,
            ratio(seconds, year.get("seconds")), ratio(night.get("cpu"), year.get("cpu")),
            ratio(seconds, night["cold"]), ratio(seconds, floor.get("seconds")), number(seconds),
            *(number(stages.get(name)) for name in ("states", "roll-up", "values")), number(night.get("peak_mib")),
        ))  # fmt: skip
    head = ("history", "new rows", "times (a)", "in CPU time", "times its own (a)", "times the floor", "seconds",
            "states", "roll-up", "values", "peak MiB")  # fmt: skip
    failures = [f"{days} days did not finish: {night['failed']}." for days, night in nights if "failed" in night]
    note = "(a) and the floor are those of 365 days; its own (a) is that line's whole history, built once from nothing."
    return Table("(b) one new day on a history", head, tuple(rows), " ".join([note, *failures]))


def _peers(peers: Result) -> Table:
    if "skipped" in peers:
        return Table("(c) beside other tools", note=f"Not run: {peers['skipped']}.")
    engines, floor = peers["engines"], peers["floor"]
    hand = next(iter(engines.values()))
    rows = [_peer_row("floor: one scan of the table", floor, floor, hand)]
    rows += [_peer_row(title, found, floor, hand) for title, found in engines.items()]
    head = ("", "times the floor", "times by hand", "in CPU time", "seconds", "set-up", "peak MiB", "same numbers")
    versions = "; ".join(
        f"{title}: {_versions(found['versions'])}" for title, found in engines.items() if "versions" in found
    )
    return Table(
        f"(c) ten KPIs by twelve groupings, {peers['rows'] or 0:,} rows", head, tuple(rows), f"{_SAME} {versions}."
    )


def _peer_row(title: str, found: Result, floor: Result, hand: Result) -> tuple[str, ...]:
    seconds, by_hand = found.get("seconds"), hand.get("seconds")
    same = str(found.get("agrees") or found.get("failed") or NOTHING)
    return (
        title, ratio(seconds, floor.get("seconds")), ratio(seconds, by_hand), ratio(found.get("cpu"), hand.get("cpu")),
        number(seconds), number(found.get("setup")), number(found.get("peak_mib")), same,
    )  # fmt: skip


_SAME = (
    "Seconds are for the twelve groupings, fetched; set-up (imports, reading models, opening) stands beside them. Same "
    "numbers: the ten KPIs of every row against the hand-written queries, counts to the last one, sums, ratios and p95 "
    "to 1e-9, the p95 of genai-roi to 1 %."
)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _ingest(ingest: Result) -> Table:
    """Rows a second, as shares of the plain reader's, of every tool and format."""
    lines = []
    for name, tools in ingest["formats"].items():
        floor = tools[PLAIN]
        lines += [_ingest_row(f"{name}: {title}", found, floor) for title, found in tools.items()]
    head = ("", "share of the plain reader's rows/s", "in CPU time", "rows/s", "seconds", "CPU s", "peak MiB")
    notes = [
        f"{name}: {title} has no figure, {found['failed']}."
        for name, tools in ingest["formats"].items() for title, found in tools.items() if "failed" in found
    ]  # fmt: skip
    split = f" in {ingest['files']:,} files" if ingest["files"] > 1 else ""
    return Table(f"(d) taking in, {ingest['rows']:,} rows{split}", head, tuple(lines), " ".join(notes))


def _ingest_row(title: str, found: Result, floor: Result) -> tuple[str, ...]:
    seconds, rows = found.get("seconds"), found.get("rows")
    speed = f"{rows / seconds:,.0f}" if rows and seconds else NOTHING
    return (
        title, ratio(floor.get("seconds"), seconds), ratio(floor.get("cpu"), found.get("cpu")), speed,
        number(seconds), number(found.get("cpu")), number(found.get("peak_mib")),
    )  # fmt: skip


def _statements(profile: Result, title: str, most: int = 25) -> Table:
    named = sorted(profile["statements"].items(), key=lambda item: -item[1]["cpu"])
    rows = [_statement_row(label, spent, profile) for label, spent in named[:most]]
    for stage, seconds in profile["stages"].items():
        inside = [spent for label, spent in named if label.startswith(stage)]
        rest = {
            "seconds": seconds - sum(spent["seconds"] for spent in inside),
            "cpu": profile["stage_cpu"][stage] - sum(spent["cpu"] for spent in inside),
        }
        rows.append(_statement_row(f"{stage}: outside of SQL", rest, profile))
    return Table(title, ("statement", "share of CPU time", "CPU s", "seconds"), tuple(rows))


def _statement_row(label: str, spent: dict[str, float], profile: Result) -> tuple[str, ...]:
    return label, f"{spent['cpu'] / profile['cpu']:.1%}", number(spent["cpu"]), number(spent["seconds"])


def _functions(profile: Result, title: str) -> Table:
    rows = tuple((name, number(seconds)) for name, seconds in profile["functions"][:20])
    note = "Measured by cProfile in a run of its own, which makes everything slower; shares count, not seconds."
    return Table(title, ("function", "seconds, with what it calls"), rows, note)


def circumstances(results: Result) -> str:
    """When, on what and of what the results are, in a paragraph."""
    found = results["circumstances"]
    return (
        f"{found['date']}; {found['cpu']}, {found['cores']} cores, {found['memory_gib']} GiB, {found['system']}; "
        f"{_versions(found['versions'])}; code {found['code']}. DuckDB's memory limit {_limits(results)}. "
        f"Medians of {results['runs']} runs. "
        f"Load of the machine before and after: {found['load']} and {results['load_after']}."
    )


def _limits(results: Result) -> str:
    told = [f"{results['memory_limit']} in (a) and (b)"] if "memory_limit" in results else []
    return ", ".join([*told, *([f"{results['ingest']['memory_limit']} in (d)"] if "ingest" in results else [])])


def text(results: Result) -> str:
    """The report of one run for a terminal."""
    return "\n\n".join([circumstances(results), *(table.text() for table in tables(results))])


def markdown(runs: Sequence[Result]) -> str:
    """The page docs/benchmarks.md of any number of runs."""
    parts = [_HOW]
    if not runs:
        parts.append("No run has been recorded here yet.")
    for results in runs:
        parts += [_title(results), _rows(results), circumstances(results)]
        parts += [table.markdown() for table in tables(results)]
    return "\n\n".join(parts) + "\n"


def _title(results: Result) -> str:
    if "calls" in results:
        return f"## {results['calls']:,} calls in {results['days']} days"
    return f"## {results['ingest']['rows']:,} rows taken in"


def _rows(results: Result) -> str:
    counted = ", ".join(f"{name} {rows:,}" for name, rows in results.get("rows", {}).items())
    columns = ", ".join(f"`{name}`" for name in results.get("floor", {}).get("columns", ()))
    return f"Rows: {counted}.\n\nThe floor reads {columns}." if counted else ""


_HOW = """# Benchmarks

Written by `python -m bench.report` from the results of `make bench`; do not edit. Ratios are what counts: seconds
depend on the machine, and are given so that the ratios can be checked. Ratios of CPU time (of all threads) stand beside
them, because they move less when something else runs on the machine.

**(a)** Every KPI of the catalogue by all its dimensions, per day, week, month and trailing 28 days, with no state there
before: `build_states`, `roll_up`, `compute_values`, `store_edition`. The **floor** is one query over `core.calls` that
reads every column the facts use: of numbers the sum is taken, of texts the sum of their lengths in bytes, of moments
that of their microseconds, and of flags the true ones are counted; `count(column)` alone would be answered without
reading.

**(b)** One more day of everything arrives as a load of its own on 90, 365 and 730 days of history with the same traffic
per day; then the same four stages. Taking the files in is not part of it.

**(c)** Ten KPIs of one table (counts, sums, ratios, distinct people, a 95th percentile) in total and by team, channel
and model, per day, week and month: 12 groupings. Each tool runs in a process and an environment of its own, in turns.
genai-roi builds its states in a new warehouse file and gives intervals, verdicts and a few 28-day windows with its
values; the others answer from the raw table and write nothing. Where one new day is added to states there are, the rows
of the last day arrive as a load of its own (taking them in is not counted), and the edition then has every value of the
twelve groupings; the others have no other way than to answer anew.

**(d)** An export of a gateway's calls (26 columns; `bench/exports.py`, mapping `bench/sources/`) goes into a new
database file, up to the checkpoint. The **plain reader** is one statement of DuckDB: `CREATE TABLE calls AS SELECT *
FROM read_csv(...)` (`read_json`, `read_parquet`), told the name and type of every column so that it guesses nothing,
and those types are the ones of `core.calls`; it checks nothing. genai-roi does what a night does: the file is hashed
and kept, its bytes are checked, rows are cast and judged by the contract, people become pseudonyms, one row in a
thousand breaks a rule and is quarantined with its line, and every row is entered in the ledger. pandas + pandera
reads, validates by the same rules, takes the bad rows out and writes into DuckDB; dlt extracts, normalises and loads,
and judges nothing.

Each measurement is a process of its own, its memory the greatest resident size the system saw. Files are in the
system's cache; DuckDB's own cache is empty at the start of each run. The rows are made by `bench/warehouse.py`."""


def main() -> None:
    """Write docs/benchmarks.md from files of results."""
    runs = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    DOCS.write_text(markdown(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
