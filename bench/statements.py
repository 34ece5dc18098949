"""Where time goes, statement by statement: a connection that keeps the seconds of everything it executes."""

# ruff: noqa: ANN401 - it stands in for a connection, which takes and gives anything

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import duckdb

_TARGET = re.compile(r"\b(?:TABLE|INTO|FROM|DESCRIBE)\s+(?:IF NOT EXISTS\s+)?([a-z_][\w.]*)", re.IGNORECASE)
_SOURCE = re.compile(r"\b(?:facts|states|core)\.(\w+)")
_KPI = re.compile(r"SELECT '(\w+)'")
_FETCHES = ("df", "fetchall", "fetchnumpy", "fetchone", "fetchmany", "arrow")


class TimedConnection:
    """A DuckDB connection that adds up seconds and CPU seconds per label of statement, executing and fetching alike."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.stage = ""

    def execute(self, statement: Any, parameters: Any = None) -> _TimedResult:
        """Execute a statement, and keep its seconds under its label."""
        label = f"{self.stage}: {label_of(str(getattr(statement, 'query', statement)), parameters)}"
        given = () if parameters is None else (parameters,)
        result = self._timed(label, lambda: self._con.execute(statement, *given))
        return _TimedResult(result, lambda call: self._timed(label, call))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def _timed(self, label: str, call: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            return call()
        finally:
            self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - wall
            self.cpu[label] = self.cpu.get(label, 0.0) + time.process_time() - cpu


class _TimedResult:
    """What a statement gave; fetching from it counts as its time."""

    def __init__(self, result: Any, timed: Callable[[Callable[[], Any]], Any]) -> None:
        self._result, self._timed = result, timed

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._result, name)
        if name not in _FETCHES:
            return found
        return lambda *given: self._timed(lambda: found(*given))


def label_of(statement: str, parameters: object = None) -> str:
    """Name a statement by its verb, what it writes or reads first, the next table it names, and the KPI it is about.

    >>> label_of("CREATE OR REPLACE TABLE states.cells_contacts AS SELECT day FROM facts.contacts")
    'CREATE states.cells_contacts < contacts'
    >>> label_of("SELECT * FROM rolled WHERE kpi_id = ?", ["mttr"])
    'SELECT rolled [mttr]'
    """
    text = " ".join(statement.split())
    verb = text.split(" ", 1)[0].upper()
    target = match[1] if (match := _TARGET.search(text)) else ""
    sources = [name for name in _SOURCE.findall(text) if name != target.rpartition(".")[2]]
    about = match[1] if (match := _KPI.search(text)) else _about(parameters)
    parts = [verb, target, f"< {sources[0]}" if sources else "", f"[{about}]" if about else ""]
    return " ".join(part for part in parts if part)


def _about(parameters: object) -> str:
    values = list(parameters.values()) if isinstance(parameters, dict) else parameters
    return str(values[0]) if isinstance(values, list) and len(values) == 1 else ""
