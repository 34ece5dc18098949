"""Quarantined rows back in the form they came in, to be mended and dropped in again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.errors import RoiError
from pipeline.quarantine import HeldFile, lines_of, stored
from pipeline.sources.mapping import SourceMapping

MENDED = "mended"
"""Folder within the exports: `mended/x.csv` takes the place of what is quarantined of `x.csv`."""


@dataclass(frozen=True)
class Written:
    """A file with quarantined rows: of which export, how many records, and whether it is the whole export."""

    file: str
    path: Path
    records: int | None
    is_whole: bool


def export(
    con: duckdb.DuckDBPyConnection,
    files: Iterable[HeldFile],
    received: Path,
    mappings: Iterable[SourceMapping],
    *,
    out: Path,
) -> list[Written]:
    """Write the quarantined records of each file below `out/mended`, under the name and in the form of the file.

    A file that is quarantined whole is written whole. Raises RoiError when one of them is there already.
    """
    readers = {one.source: one for one in mappings}
    written = []
    for held in files:
        path = out / MENDED / held.name
        if path.exists():
            raise RoiError(f"{path} is there already; name another folder, or move it away.")
        path.parent.mkdir(parents=True, exist_ok=True)
        written.append(_write(con, held, received, readers.get(held.source), path))
    return written


def _write(
    con: duckdb.DuckDBPyConnection, held: HeldFile, received: Path, mapping: SourceMapping | None, path: Path
) -> Written:
    source, lines = stored(held, received), sorted({line for _, line, _ in lines_of(con, held)})
    if held.is_whole or mapping is None:
        shutil.copyfile(source, path)
        path.chmod(0o600)
        return Written(held.name, path, None, is_whole=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        if mapping.reader == "parquet":
            _parquet(source, path, lines)
        else:
            target.writelines(_pieces(source, mapping, lines))
    return Written(held.name, path, len(lines), is_whole=False)


def _pieces(path: Path, mapping: SourceMapping, lines: list[int]) -> Iterator[bytes]:
    if mapping.reader == "json":
        return document_part(path.read_text(encoding="utf-8-sig"), mapping.records, lines)
    return csv_part(path, lines, mapping.header_line) if mapping.reader == "csv" else lines_part(path, lines)


def lines_part(path: Path, lines: Iterable[int]) -> Iterator[bytes]:
    """The physical lines of these numbers, byte by byte as they stand, with their ends."""
    wanted = set(lines)
    for number, line in enumerate(_physical(path), start=1):
        if number in wanted:
            yield line if line.endswith((b"\n", b"\r")) else line + b"\n"


def csv_part(path: Path, lines: Iterable[int], header_line: int = 1) -> Iterator[bytes]:
    """All up to the header and the records that begin on these lines; a record goes on while a quote is open."""
    wanted, is_open, is_kept = set(lines), False, False
    for number, line in enumerate(_physical(path), start=1):
        if not is_open:
            is_kept = number <= header_line or number in wanted
        is_open ^= number >= header_line and line.count(b'"') % 2 == 1
        if is_kept:
            yield line if line.endswith((b"\n", b"\r")) else line + b"\n"


def _physical(path: Path) -> Iterator[bytes]:
    """The lines of a file with their ends; LF, CR LF and CR each end one, and nothing else does."""
    with path.open(encoding="utf-8", newline="") as stream:
        for line in stream:
            yield line.encode()


def document_part(text: str, records: str | None, numbers: Iterable[int]) -> Iterator[bytes]:
    """A JSON document with only the records of these numbers, counted from one; every other character stays."""
    start = _array_start(text, (records or "$").split(".")[1:])
    if text[start] != "[":
        yield text.encode()
        return
    spans, end = _items(text, start)
    yield text[: start + 1].encode()
    yield ",\n".join(text[slice(*spans[number - 1])] for number in numbers).encode()
    yield text[end:].encode()


_DECODER = json.JSONDecoder()


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n,:":
        at += 1
    return at


def _array_start(text: str, path: list[str]) -> int:
    """Where the value at a path of keys begins; of a key that stands twice the first counts."""
    at = _skip(text, 0)
    for wanted in path:
        at = _skip(text, at + 1)
        while True:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
            if key == wanted:
                break
            at = _skip(text, _DECODER.raw_decode(text, at)[1])
    return at


def _items(text: str, start: int) -> tuple[list[tuple[int, int]], int]:
    """Where each item of the array that begins at `start` lies, and where its closing bracket is."""
    spans, at = [], _skip(text, start + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        spans.append((at, end))
        at = _skip(text, end)
    return spans, at


def _parquet(source: Path, path: Path, lines: list[int]) -> None:
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (SELECT * EXCLUDE (_number) FROM (
                  SELECT row_number() OVER () AS _number, * FROM read_parquet(?, hive_partitioning=false))
                WHERE _number IN (SELECT unnest(?::BIGINT[]))) TO '{str(path).replace("'", "''")}' (FORMAT parquet)""",
            [str(source), lines],
        )
