"""Ten KPIs by twelve groupings: the grid every engine fills, and whether two of them filled it alike.

A row is (grain, first day of the period, dimension, value of the dimension) and the ten numbers; in total, dimension
and value are empty. This module and the drivers beside it run in the peers' environments too, so it needs only Python.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

GRAINS = ("day", "week", "month")
DIMENSIONS = ("", "team", "channel", "model")
KEYS = ("grain", "period_start", "dimension", "dimension_value")
KPIS = (
    "sessions", "deflected_sessions", "answered_sessions", "grounded_answers", "token_cost", "deflection_rate",
    "grounded_answer_rate", "token_cost_per_session", "active_users", "latency_p95",
)  # fmt: skip
COUNTS = {"sessions", "deflected_sessions", "answered_sessions", "grounded_answers", "active_users"}
ROUNDING = 1e-9
"""Relative difference that the order of adding doubles may make."""

Key = tuple[str, str, str, str]
Grid = dict[Key, tuple[float, ...]]


def key_of(grain: str, start: object, dimension: str, value: object = "") -> Key:
    """Key of a row; `start` is a date or a moment, of which the day counts."""
    return grain, str(start)[:10], dimension, str(value)


def write_grid(path: Path, rows: Mapping[Key, Iterable[object]]) -> None:
    """Write a grid as CSV, sorted."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*KEYS, *KPIS])
        writer.writerows([*key, *map(_written, rows[key])] for key in sorted(rows))


def _written(number: object) -> str:
    return repr(float(str(number)))


def read_grid(path: Path) -> Grid:
    """Read a grid that `write_grid` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return {(row[0], row[1], row[2], row[3]): tuple(map(float, row[4:])) for row in rows}


@dataclass(frozen=True)
class Agreement:
    """What holding one grid against another gave."""

    rows: int
    missing: int
    """Rows that stand in one grid alone."""
    differences: dict[str, float]
    """Greatest relative difference per KPI."""
    beyond: tuple[str, ...]
    """KPIs that differ by more than allowed."""

    @property
    def sentence(self) -> str:
        """What the report says of it."""
        if self.missing:
            return f"{self.missing} rows stand in one result alone"
        if self.beyond:
            return "differs: " + ", ".join(f"{kpi} by {self.differences[kpi]:.2g}" for kpi in self.beyond)
        apart = self.differences["latency_p95"]
        return "yes" if apart <= ROUNDING else f"yes; p95 within {apart:.2%}"


def agreement(grid: Grid, reference: Grid, *, p95_within: float = ROUNDING) -> Agreement:
    """Hold a grid against the reference: counts alike to the last one, the rest to rounding, p95 to `p95_within`."""
    both = grid.keys() & reference.keys()
    worst = {
        kpi: max((_apart(grid[key][at], reference[key][at]) for key in both), default=0.0)
        for at, kpi in enumerate(KPIS)
    }
    allowed = {kpi: 0.0 if kpi in COUNTS else ROUNDING for kpi in KPIS} | {"latency_p95": p95_within}
    beyond = tuple(kpi for kpi in KPIS if not worst[kpi] <= allowed[kpi])
    return Agreement(len(both), len(grid.keys() ^ reference.keys()), worst, beyond)


def _apart(one: float, other: float) -> float:
    """Relative difference; not a number differs from everything."""
    return 0.0 if one == other else abs(one - other) / max(abs(one), abs(other))
