"""Rows in the warehouse that were read by a mapping which says otherwise now."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from pipeline.sources.mapping import SourceMapping, reading_hash
from pipeline.warehouse.ledger import read_otherwise


def read_before(con: duckdb.DuckDBPyConnection, mappings: Sequence[SourceMapping], *, rebuild: str) -> list[str]:
    """Say per source how many files keep what an older mapping read of them; `rebuild` is the command that mends it.

    A mapping that is mended takes the rows that were quarantined; rows that were loaded stay as they are, so that an
    edition does not change because somebody touched a mapping.
    """
    found = read_otherwise(con, {one.source: reading_hash(one) for one in mappings})
    return [
        f"the mapping {source} reads rows otherwise than when {_files(count)} loaded, which keep the old reading: "
        f"{rebuild} reads every file anew"
        for source, count in found.items()
    ]


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"
