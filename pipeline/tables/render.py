"""What follows from the declaration: the DDL of a table and the documentation of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.tables.model import TYPES, Column, Table

PROVENANCE: tuple[tuple[str, str], ...] = (
    ("_file", "VARCHAR"),
    ("_line", "BIGINT"),
    ("_load_id", "BIGINT"),
    ("_version", "VARCHAR"),
)
"""Columns every stored row carries besides its own: file (sha256), line, load and version."""


def quoted(identifier: str) -> str:
    """A SQL identifier in quotes; names such as `date` or `valid` are words of SQL as well."""
    return '"' + identifier.replace('"', '""') + '"'


def ddl(table: Table, schema: str) -> str:
    """`CREATE TABLE IF NOT EXISTS` of the table in that schema, provenance columns last.

    It sets no constraints: rows that would break one are quarantined by the contract, each by itself, where a
    constraint would fail the whole load.
    """
    columns = [(column.name, column.sql_type) for column in table.columns]
    lines = ",\n".join(f"    {quoted(name)} {sql_type}" for name, sql_type in (*columns, *PROVENANCE))
    return f"CREATE TABLE IF NOT EXISTS {quoted(schema)}.{quoted(table.name)} (\n{lines}\n)"


def markdown_of(tables: Mapping[str, Table]) -> str:
    """The tables as Markdown: the types, then one section per table in declaration order."""
    return "\n".join([*_introduction(), *(line for table in tables.values() for line in _section(table))])


def _introduction() -> list[str]:
    types = [(f"`{kind.name}`", f"`{kind.sql}`", kind.meaning, _type_rule(kind.name)) for kind in TYPES.values()]
    return [
        "# Canonical tables",
        "",
        "Written from `pipeline/tables/tables.yaml`; edit that file, not this one.",
        "",
        "Every stored row also says where it came from: `_file` (sha256 of the export), `_line`, `_load_id` and "
        "`_version` (of two rows with one key the greater version holds).",
        "",
        "A row that breaks a rule of its table is quarantined, and the ledger names the rule. A required column must "
        "not be blank, and what stands in a column must read as its type.",
        "",
        *_grid(("Type", "In SQL", "Meaning", "Rule"), types),
        "",
    ]


def _type_rule(name: str) -> str:
    kind = TYPES[name]
    rules = [
        ("one of the values listed" if name == "category" else ""),
        ("finite" if kind.is_double else ""),
        (("not negative unless signed" if kind.signable else "not negative") if kind.never_negative else ""),
    ]
    return ", ".join(rule for rule in rules if rule)


def _section(table: Table) -> list[str]:
    rows = [(f"`{column.name}`", _type_cell(column), _need(column, table), column.meaning) for column in table.columns]
    return [
        f"## {table.name}",
        "",
        table.meaning,
        "",
        *(f"- {fact}" for fact in _facts(table)),
        "",
        *_grid(("Column", "Type", "", "Meaning"), rows),
        "",
    ]


def _facts(table: Table) -> list[str]:
    facts = [f"Key: {_names(table.key)}"]
    if table.day:
        facts.append(f"Day: the UTC day of `{table.day}`")
    if table.span:
        facts.append(f"Valid from `{table.span[0]}` to before `{table.span[1]}`")
    facts += [f"`{first}` is not {_beyond(table.column(first))} `{second}`" for first, second in table.ordered]
    if table.not_future:
        facts.append(f"Not in the future: {_names(table.not_future)}")
    return facts


def _beyond(column: Column) -> str:
    return "after" if column.column_type.is_moment else "above"


def _type_cell(column: Column) -> str:
    return f"category: {_names(column.values)}" if column.values else column.type


def _need(column: Column, table: Table) -> str:
    need = "key" if column.name in table.key else "required" if column.required else ""
    sign = "signed" if column.signed else "above 0" if column.positive else ""
    return ", ".join(word for word in (need, sign) if word)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _grid(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [_row(head), _row(("---",) * len(head)), *map(_row, rows)]


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
