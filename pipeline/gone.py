"""What a warehouse that is made anew held, and can hold no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from pipeline.errors import RoiError
from pipeline.settings import Settings
from pipeline.warehouse.connection import warehouse
from pipeline.warehouse.receive import Arrival

_MOST_NAMED = 5
"""Files that a message names."""


@dataclass(frozen=True)
class Held:
    """A content that was loaded: its name, its hash, and how many rows of it stand in the tables."""

    name: str
    file_hash: str
    rows: int


def held_before(settings: Settings) -> list[Held]:
    """The contents loaded; none of a warehouse that is damaged or older, as one made anew may be."""
    if not settings.warehouse.exists():
        return []
    try:
        with warehouse(settings.warehouse, read_only=True) as con:
            tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'core'").fetchall()
            files = " UNION ALL ".join(f"SELECT _file FROM core.{name}" for (name,) in tables)
            sql = f"""SELECT name, file_hash, coalesce(rows, 0) FROM ledger.files
                      LEFT JOIN (SELECT _file AS file_hash, count(*) AS rows FROM ({files}) GROUP BY _file)
                      USING (file_hash) WHERE status = 'loaded' ORDER BY name, file_hash"""
            return [Held(*row) for row in con.execute(sql).fetchall()]
    except (RoiError, duckdb.Error):
        return []


def lost(
    con: duckdb.DuckDBPyConnection, settings: Settings, before: Sequence[Held], arrivals: Iterable[Arrival]
) -> list[str]:
    """Say what of that which was held before the arrivals do not bring: whole files, and rows of files overwritten."""
    present = {one.name: one.file_hash for one in arrivals}
    gone = [one for one in before if one.file_hash not in present.values()]
    return [
        *_files_gone(settings, [one.name for one in gone if one.name not in present]),
        *_rows_gone(con, settings, before, sorted({one.name for one in gone if one.name in present})),
    ]


def _files_gone(settings: Settings, gone: Sequence[str]) -> list[str]:
    if not gone:
        return []
    were, them = ("1 file was", "it") if len(gone) == 1 else (f"{len(gone)} files were", "them")
    told = f"{were} loaded before and not read again, for {settings.exports} does not hold {them} any more"
    return [f"{told}: {_listed(gone)}; put {them} back, then {settings.rebuilding}"]


def _rows_gone(
    con: duckdb.DuckDBPyConnection, settings: Settings, before: Sequence[Held], overwritten: Sequence[str]
) -> list[str]:
    """Of overwritten files those of which more rows stood before than can be taken now, duplicates among them."""
    now = dict(
        con.execute(
            """SELECT a.name, sum(l.loaded + l.duplicate)::BIGINT
               FROM ledger.arrivals AS a JOIN ledger.loads AS l USING (file_hash) GROUP BY a.name"""
        ).fetchall()
    )
    stood: defaultdict[str, int] = defaultdict(int)
    for one in before:
        stood[one.name] += one.rows
    less = [
        f"{name} gave {stood[name]} rows before and gives {now.get(name, 0)} now"
        for name in overwritten
        if stood[name] > now.get(name, 0)
    ]
    if not less:
        return []
    it, them = ("it", "it") if len(less) == 1 else ("they", "them")
    told = f"what {it} held before is no longer among the exports"
    return [f"{_listed(less)}; {told}: put {them} back under another name, then {settings.rebuilding}"]


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else ""
    return ", ".join(names[:_MOST_NAMED]) + more
