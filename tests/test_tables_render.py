"""What follows from the declaration: tables that DuckDB takes and a page that names every column."""

from __future__ import annotations

import duckdb
import pytest

from pipeline.tables import PROVENANCE, ddl, load_tables, markdown, parse_tables
from pipeline.tables.render import markdown_of

SMALL = """\
visits:
  meaning: One visit.
  key: [visit_id]
  span: [opened, closed]
  ordered: [[opened, closed]]
  not_future: [opened]
  columns:
    visit_id: [id, required, "The visit"]
    opened: [date, required, "First day"]
    closed: [date, "First day after it"]
    kind: [category(a|b), required, "a | b"]
    paid: [money, signed, "What was paid"]
"""


@pytest.mark.parametrize("name", load_tables())
def test_the_ddl_of_every_table_binds_and_gives_the_declared_types(name: str) -> None:
    """DuckDB describes the table it made with the columns declared, provenance last."""
    table = load_tables()[name]
    con = duckdb.connect()
    con.execute("CREATE SCHEMA core")
    con.execute(ddl(table, "core"))
    con.execute(ddl(table, "core"))
    described = con.execute(f'DESCRIBE core."{name}"').fetchall()
    spelled = {"TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}
    found = [(column, spelled.get(sql_type, sql_type)) for column, sql_type, *_ in described]
    assert found == [*((column.name, column.sql_type) for column in table.columns), *PROVENANCE]


def test_the_ddl_reads_as_written_by_hand() -> None:
    """Names are quoted, for some of them are words of SQL."""
    assert ddl(parse_tables(SMALL, where="t")["visits"], "history") == (
        'CREATE TABLE IF NOT EXISTS "history"."visits" (\n'
        '    "visit_id" VARCHAR,\n'
        '    "opened" DATE,\n'
        '    "closed" DATE,\n'
        '    "kind" VARCHAR,\n'
        '    "paid" DECIMAL(28,14),\n'
        '    "_file" VARCHAR,\n'
        '    "_line" BIGINT,\n'
        '    "_load_id" BIGINT,\n'
        '    "_version" VARCHAR\n'
        ")"
    )


def test_the_section_of_a_table_says_its_rules_and_columns() -> None:
    """One section per table: meaning, key, span, order, clock, then a row per column; a bar in a text is escaped."""
    section = markdown_of(parse_tables(SMALL, where="t")).split("## visits\n", 1)[1]
    assert section == (
        "\nOne visit.\n\n"
        "- Key: `visit_id`\n"
        "- Valid from `opened` to before `closed`\n"
        "- `opened` is not after `closed`\n"
        "- Not in the future: `opened`\n\n"
        "| Column | Type |  | Meaning |\n"
        "| --- | --- | --- | --- |\n"
        "| `visit_id` | id | key | The visit |\n"
        "| `opened` | date | required | First day |\n"
        "| `closed` | date |  | First day after it |\n"
        "| `kind` | category: `a`, `b` | required | a \\| b |\n"
        "| `paid` | money | signed | What was paid |\n"
    )


def test_the_page_has_a_section_per_table_and_a_row_per_column() -> None:
    """Nothing declared is left out of the documentation."""
    page = markdown()
    sections = {part.split("\n", 1)[0]: part for part in page.split("\n## ")[1:]}
    assert list(sections) == list(load_tables())
    for name, table in load_tables().items():
        rows = [line for line in sections[name].splitlines() if line.startswith("| `")]
        assert [row.split("`")[1] for row in rows] == list(table.column_names)
    assert page.endswith("|\n")
