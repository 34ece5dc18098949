"""The canonical tables: declared once in `tables.yaml`, turned here into records, DDL and documentation.

What a column type is in SQL stands in `model.TYPES`; which rules it brings, in `pipeline.contracts`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipeline.tables.declaration import parse_tables
from pipeline.tables.model import TYPES, Column, ColumnType, Table
from pipeline.tables.render import PROVENANCE, ddl, markdown_of, quoted

__all__ = [
    "PROVENANCE",
    "TYPES",
    "Column",
    "ColumnType",
    "Table",
    "ddl",
    "load_tables",
    "markdown",
    "parse_tables",
    "quoted",
]

_DECLARATION = Path(__file__).with_name("tables.yaml")


@cache
def _declared() -> dict[str, Table]:
    return parse_tables(_DECLARATION.read_text(encoding="utf-8"), where="pipeline/tables/tables.yaml")


def load_tables() -> dict[str, Table]:
    """The canonical tables by name, in declaration order; the file is read once per process.

    Raises ConfigurationError with every fault of the declaration, each with its file:line.
    """
    return dict(_declared())


def markdown() -> str:
    """The text of docs/tables.md: the types, then one section per table."""
    return markdown_of(load_tables())
