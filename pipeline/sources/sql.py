"""Small pieces of SQL that the readers and the staging share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.sources.bytes_check import Limits

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BUFFER_BYTES = 32 << 20
FILE_COLUMNS = "?::VARCHAR AS file_stem, ?::VARCHAR AS file_name"
"""The last columns of `raw`; parameters, so that the statement is the same for every file of a source."""


def identifier(name: str) -> str:
    """A name as SQL takes it, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def count(con: DuckDBPyConnection, sql: str) -> int:
    """The number that a query of one row gives."""
    row = con.execute(sql).fetchone()
    return int(row[0]) if row else 0


def size_options(limits: Limits) -> str:
    """Options of `read_csv` for the longest line; without a buffer size DuckDB takes sixteen of them, on one thread."""
    return f"max_line_size={limits.max_line_bytes}, buffer_size={max(_BUFFER_BYTES, 2 * limits.max_line_bytes)}"


def lines_of(limits: Limits, path: str = "?", *, first: int = 0, most: int | None = None) -> str:
    """A FROM clause of (line, text): the lines of a file in order, from one; by default its path is a parameter.

    The `first` so many are passed over, and at most so many are read.
    """
    return f"""(SELECT line, if(line = 1, ltrim(text, chr(65279)), text) AS text FROM (
        SELECT row_number() OVER () + {first} AS line, text FROM (
          SELECT * FROM read_csv({path}, columns={{'text': 'VARCHAR'}},
            auto_detect=false, delim='\\0', quote='', escape='', header=false, strict_mode=false, skip={first},
            {size_options(limits)}){at_most(most)})))"""


def at_most(rows: int | None) -> str:
    """A LIMIT clause, or nothing."""
    return "" if rows is None else f" LIMIT {rows}"
