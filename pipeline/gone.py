"""What a warehouse that is made anew held, and can hold no more."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from pipeline.errors import RoiError
from pipeline.settings import Settings
from pipeline.warehouse.connection import warehouse
from pipeline.warehouse.receive import Arrival

_MOST_NAMED = 5
"""Files that a message names."""


def files_gone(settings: Settings, arrivals: Iterable[Arrival]) -> tuple[str, ...]:
    """Say of which files the warehouse held rows that are not among the arrivals; nothing where all are there."""
    present = {told for one in arrivals for told in (one.name, one.file_hash)}
    gone = [name for name, file_hash in _loaded(settings) if present.isdisjoint((name, file_hash))]
    if not gone:
        return ()
    more = f" and {len(gone) - _MOST_NAMED} more" if gone[_MOST_NAMED:] else ""
    were, them = ("1 file was", "it") if len(gone) == 1 else (f"{len(gone)} files were", "them")
    told = f"{were} loaded before and not read again, for {settings.exports} does not hold {them} any more"
    return (f"{told}: {', '.join(gone[:_MOST_NAMED])}{more}; put {them} back, then {settings.rebuilding}",)


def _loaded(settings: Settings) -> list[tuple[str, str]]:
    """Name and content of the loaded files; none of a warehouse that is damaged or older, as one made anew may be."""
    if not settings.warehouse.exists():
        return []
    try:
        with warehouse(settings.warehouse, read_only=True) as con:
            sql = "SELECT name, file_hash FROM ledger.files WHERE status = 'loaded' ORDER BY name"
            return [(str(name), str(file_hash)) for name, file_hash in con.execute(sql).fetchall()]
    except (RoiError, duckdb.Error):
        return []
