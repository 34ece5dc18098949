"""Running a part in a process of its own, several times, and what it was run on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
Result = dict[str, Any]
PACKAGES = ("duckdb", "numpy", "pandas")


def run_part(part: str, **arguments: object) -> Result:
    """What a part of `bench.parts` gives, or `{"failed": why}`."""
    return run([sys.executable, "-m", "bench.worker", part, json.dumps(arguments)], folder=ROOT)


def run(command: list[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Result:
    """Run a command whose last line is a JSON object."""
    done = subprocess.run(  # noqa: S603 - the commands are made here
        command, cwd=folder, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        try:
            result: Result = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
            return result
        except ValueError:
            pass
    said = [line for line in (done.stderr + "\n" + done.stdout).split("\n") if line.strip()]
    wrong = [line.strip() for line in said if "Error" in line or "Exception" in line]
    why = (wrong or said or ["no word of why"])[-1].removeprefix("RuntimeError: ")
    return {"failed": f"{why[:200]} (exit {done.returncode})"}


def repeated(measure: Callable[[], Result], times: int) -> Result:
    """The same measurement several times, summed up; the first failure ends it."""
    results = []
    for _ in range(times):
        results.append(measure())
        if "failed" in results[-1]:
            break
    return summed_up(results)


def summed_up(results: list[Result]) -> Result:
    """Medians of seconds, CPU seconds and set-up, of each stage too, the greatest memory, and all runs' seconds.

    >>> summed_up([{"seconds": 3.0, "peak_mib": 10}, {"seconds": 1.0, "peak_mib": 20}, {"seconds": 2.0, "peak_mib": 9}])
    {'seconds': 2.0, 'peak_mib': 20, 'all_seconds': [3.0, 1.0, 2.0]}
    """
    failed = [result for result in results if "failed" in result]
    if failed:
        return failed[0]
    summary = dict(results[-1])
    for name in ("seconds", "cpu", "setup"):
        if name in summary:
            summary[name] = median(result[name] for result in results)
    for name, middle in (("stages", median), ("stage_cpu", median), ("stage_peak_mib", max)):
        if name in summary:
            summary[name] = {key: middle([result[name][key] for result in results]) for key in summary[name]}
    summary["peak_mib"] = max(result["peak_mib"] for result in results)
    return summary | {"all_seconds": [result["seconds"] for result in results]}


def circumstances() -> Result:
    """When and on what: day, machine, versions, the code measured, and how busy the machine is."""
    return {
        "date": date.today().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), 1),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "code": code_hash(),
        "load": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def code_hash() -> str:
    """Twelve digits that change with taking in, the engine, the facts or the catalogue."""
    rooms = ("sources", "contracts", "warehouse", "engine", "facts", "statistics")
    files = [ROOT / "metrics_catalog.yaml", *(path for room in rooms for path in _code(room))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _code(room: str) -> list[Path]:
    folder = ROOT / "pipeline" / room
    return sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".sql"})
