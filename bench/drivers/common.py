"""What the drivers share: arguments, the clock, and the line they print. They run in the peers' environments."""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

BEGUN = time.perf_counter()
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import grid  # noqa: E402 - found by the line above, whatever the environment

FOLDER, DATABASE, OUT = (Path(argument).resolve() for argument in sys.argv[1:4])
"""The peers' folder, the database to read, and the CSV to write."""


def ready() -> tuple[float, float]:
    """When set-up ended: the clock, and the CPU seconds spent until then."""
    return time.perf_counter(), time.process_time()


def finish(begun: tuple[float, float], rows: dict[grid.Key, list[object]], packages: tuple[str, ...]) -> None:
    """Print what was measured, then write the grid: checking it is nobody's time. `begun` is what `ready` gave."""
    ended, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = {name: version(name) for name in packages}
    line = {"setup": begun[0] - BEGUN, "seconds": ended, "cpu": cpu, "peak_mib": peak, "versions": versions}
    grid.write_grid(OUT, rows)
    sys.stdout.write("\n" + json.dumps(line) + "\n")
