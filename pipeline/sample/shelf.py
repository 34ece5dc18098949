"""Writes the export files: one open handle per file, so that no file is ever held in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TextIO


def cell(value: object) -> str:
    """A value as spreadsheets export it: nothing is empty, flags are yes and no, days are ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, date) else str(value)


def compact(record: object) -> str:
    """The record as one line of JSON."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


class Shelf:
    """A folder of exports; counts the rows of each file by its name relative to the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self._open: dict[str, TextIO] = {}

    def __enter__(self) -> Shelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._open.values():
            handle.close()
        self._open.clear()

    def line(self, name: str, record: object) -> None:
        """Adds one line of JSON to a file."""
        self._handle(name).write(compact(record) + "\n")
        self.rows[name] += 1

    def text(self, name: str, line: str) -> None:
        """Adds one line of text to a file."""
        self._handle(name).write(line + "\n")
        self.rows[name] += 1

    def row(self, name: str, columns: tuple[str, ...], row: Sequence[str]) -> None:
        """Adds one row to a CSV file, after its header when it is the first."""
        is_new = name not in self.rows
        writer = csv.writer(self._handle(name), lineterminator="\n")
        if is_new:
            writer.writerow(columns)
        writer.writerow(row)
        self.rows[name] += 1

    def document(self, name: str, document: object, rows: int) -> None:
        """Writes a whole JSON document that holds so many rows."""
        handle = self._handle(name)
        handle.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        self.rows[name] = rows

    def _handle(self, name: str) -> TextIO:
        if name not in self._open:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[name] = path.open("w", encoding="utf-8", newline="\n")
            self.rows[name] = 0
        return self._open[name]
