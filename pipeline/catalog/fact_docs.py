"""The facts a KPI can be made of, written up: what a row is, and what each column may be used for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.catalog.columns import family, identifying_columns
from pipeline.catalog.model import Catalog
from pipeline.catalog.units import unit_of_column
from pipeline.tables import load_tables

Facts = Mapping[str, Mapping[str, str]]
"""Fact name -> {column name: SQL type}."""
About = Mapping[str, tuple[str, Sequence[str]]]
"""Fact name -> what one of its rows is, and the tables it reads, the one it is about first."""
_HEADER = "| column | type | unit | use | says |\n|---|---|---|---|---|"


def facts_page(catalog: Catalog, facts: Facts, about: About) -> str:
    """Text of docs/facts.md: an overview, then a section per fact."""
    records = [fact_record(name, catalog, facts, about) for name in facts]
    overview = "\n".join(f"| [{one['fact']}](#{one['fact']}) | {one['meaning']} |" for one in records)
    blocks = [
        "# Facts",
        "Written from `pipeline/facts/*.sql` by `roi catalog docs`; edit those, not this page. `roi catalog facts "
        "FACT` prints one of them. A KPI names a fact and columns of it; [catalog.md](catalog.md) says how.",
        f"| fact | one row is |\n|---|---|\n{overview}",
        *(block for record in records for block in _section(record)),
    ]
    return "\n\n".join(blocks) + "\n"


def fact_record(name: str, catalog: Catalog, facts: Facts, about: About) -> dict[str, Any]:
    """What is known of a fact: `fact`, `meaning`, `tables`, `kpis` that read it, and `columns`.

    A column has `name`, `type` (SQL), `unit` ('' when its name tells none), `use` (list of what it fits), and `says`:
    the meaning of the column of that name in the tables the fact reads, '' when it is worked out.
    """
    meaning, tables = about[name]
    apart = identifying_columns(facts[name])
    said = _meanings(tables)
    return {
        "fact": name, "meaning": " ".join(meaning.split()), "tables": list(tables),
        "kpis": [kpi_id for kpi_id, metric in catalog.metrics.items() if name in metric.facts],
        "columns": [
            {"name": column, "type": sql_type, "unit": unit_of_column(column) or "",
             "use": list(_uses(column, sql_type, apart)), "says": said.get(column, "")}
            for column, sql_type in facts[name].items()
        ],
    }  # fmt: skip


def _uses(column: str, sql_type: str, apart: set[str]) -> Iterator[str]:
    kind = family(sql_type)
    if column == "day":
        yield "the day a row counts for"
        return
    if kind == "exact number":
        yield "sum"
    if kind in ("exact number", "number") and not column.startswith(("is_", "has_")):
        yield "value of a mean, median or percentile"
    if kind == "text":
        yield "distinct, cluster" if column in apart else "dimension"
    if kind == "time":
        yield "start or end"
    yield "condition"


def _meanings(names: Sequence[str]) -> dict[str, str]:
    tables = load_tables()
    held = (tables[name] for name in reversed(names) if name in tables)  # the one the fact is about has the last word
    return {column.name: column.meaning for table in held for column in table.columns}


def _section(record: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {record['fact']}"
    yield str(record["meaning"])
    tables = ", ".join(f"[`{name}`](tables.md#{name})" for name in record["tables"])
    kpis = ", ".join(f"[`{name}`](kpis.md#{name})" for name in record["kpis"]) or "none yet"
    yield f"- Read from: {tables}\n- KPIs: {kpis}"
    yield "\n".join([_HEADER, *(f"| {' | '.join(_cells(column))} |" for column in record["columns"])])


def _cells(column: Mapping[str, Any]) -> tuple[str, ...]:
    words = (f"`{column['type']}`", column["unit"], ", ".join(column["use"]), column["says"].replace("|", r"\|"))
    return (f"`{column['name']}`", *words)


def fact_lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The same for a terminal."""
    yield f"{record['fact']}: {record['meaning']}"
    yield f"read from {', '.join(record['tables'])}; KPIs: {', '.join(record['kpis']) or 'none yet'}"
    width = max(len(column["name"]) for column in record["columns"])
    for column in record["columns"]:
        unit = f" in {column['unit']}" if column["unit"] else ""
        says = f"; {column['says']}" if column["says"] else ""
        yield f"  {column['name']:<{width}}  {column['type']}{unit}: {', '.join(column['use'])}{says}"
