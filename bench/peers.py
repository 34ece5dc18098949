"""The other tools: set up by a script, each in a virtual environment of its own, and asked for the same grid."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.grid import ROUNDING, agreement, read_grid
from bench.measure import ROOT, Result, run, run_part, summed_up

DRIVERS = Path(__file__).parent / "drivers"
HAND = "twelve hand-written queries"
OURS = "genai-roi"
OURS_DAY = "genai-roi, one new day on states there are"


@dataclass(frozen=True)
class Peer:
    """One tool: what it is called, the folder of its environment, and its driver."""

    title: str
    folder: str
    needs_dbt: bool = False


PEERS = (
    Peer("MetricFlow", "metricflow", needs_dbt=True),
    Peer("boring-semantic-layer", "bsl"),
    Peer("sidemantic", "sidemantic"),
)
Asked = dict[str, Callable[[], Result]]


def set_up(folder: Path, script: Path | None) -> str:
    """Set the tools up where they are not yet; return why that was not possible, or nothing."""
    if all(_python(folder, peer).exists() for peer in PEERS) and _database(folder, 1).exists():
        return ""
    if script is None or not script.is_file():
        return "PEERS_SETUP names no set-up script of the other tools, and ../shared/peers/setup.sh is not there"
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(  # noqa: S603 - the script the caller named
        [str(script), str(folder), *(peer.folder for peer in PEERS)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"{script.name} failed: " + (done.stderr.strip().splitlines() or ["no word of why"])[-1][:200]
    return ""


def compare(folder: Path, *, millions: int, runs: int, progress: Callable[[str], None]) -> Result:
    """Measure everyone on the table of so many million rows, taking turns, and hold the grids against each other."""
    database, out = _database(folder, millions), folder / "out"
    out.mkdir(exist_ok=True)
    asked = _everyone(folder, database, out)
    found: dict[str, list[Result]] = {title: [] for title in ("floor", *asked)}
    for number in range(runs):
        progress(f"(c) other tools, run {number + 1} of {runs}")
        found["floor"].append(run_part("peers_scan", database=str(database)))
        for title, ask in asked.items():
            found[title].append(ask())
    summaries = {title: summed_up(results) for title, results in found.items()}
    for title in asked:
        if "failed" not in summaries[title]:
            summaries[title]["agrees"] = _agrees(title, out)
    return {"rows": summaries["floor"].get("rows"), "floor": summaries.pop("floor"), "engines": summaries}


def _everyone(folder: Path, database: Path, out: Path) -> Asked:
    ours = {"database": str(database), "out": str(out / f"{OURS}.csv"), "path": str(out / "ours.duckdb")}
    asked: Asked = {
        HAND: lambda: run_part("by_hand", database=str(database), out=str(out / f"{HAND}.csv")),
        OURS: lambda: run_part("engine", **ours),
        OURS_DAY: _asking_for_a_day(database, out),
    }
    for peer in PEERS:
        asked[peer.title] = _asking(peer, folder, database, out)
    return asked


def _asking_for_a_day(database: Path, out: Path) -> Callable[[], Result]:
    """Every run goes on from a copy of the same history, which is made once and not counted."""
    history = {"database": str(database), "path": str(out / "before.duckdb")}
    made = run_part("engine_history", **history)
    if "failed" in made:
        return lambda: made
    day = {"out": str(out / f"{OURS_DAY}.csv"), "history": history["path"], "path": str(out / "day.duckdb")}
    return lambda: run_part("engine_day", database=str(database), **day)


def _asking(peer: Peer, folder: Path, database: Path, out: Path) -> Callable[[], Result]:
    if not _python(folder, peer).exists():
        return lambda: {"failed": "not installed"}
    if peer.needs_dbt:
        database = _built(folder, peer, database)
    command = [str(_python(folder, peer)), str(DRIVERS / f"ask_{peer.folder}.py"), str(folder), str(database)]
    return lambda: run([*command, str(out / f"{peer.title}.csv")], folder=folder)


def _built(folder: Path, peer: Peer, database: Path) -> Path:
    """A copy of the database in which dbt has built the view and the time spine MetricFlow needs; not counted."""
    copy = database.with_name(f"{peer.folder}.duckdb")
    shutil.copyfile(database, copy)
    environment = {"KPI_DB": str(copy), "DBT_PROFILES_DIR": ".", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    dbt = _python(folder, peer).with_name("dbt")
    run([str(dbt), "build", "--quiet"], folder=folder / peer.folder / "proj", environment=environment)
    return copy


def _agrees(title: str, out: Path) -> str:
    """Everybody is held against the hand-written queries; our percentiles come from histograms and may be 1 % off."""
    within = 0.01 if title in (OURS, OURS_DAY) else ROUNDING
    return agreement(read_grid(out / f"{title}.csv"), read_grid(out / f"{HAND}.csv"), p95_within=within).sentence


def _python(folder: Path, peer: Peer) -> Path:
    return folder / peer.folder / ".venv" / "bin" / "python"


def _database(folder: Path, millions: int) -> Path:
    return folder / "data" / f"genai_{millions}m.duckdb"


def default_script() -> Path:
    """Where the set-up script is when nobody says so."""
    return ROOT.parent / "shared" / "peers" / "setup.sh"
