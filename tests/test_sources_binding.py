"""The SQL of a mapping is judged before any file is there, all of it at once, each problem at its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from project import ROOT

from pipeline.assurance import check_definitions
from pipeline.settings import Settings
from pipeline.sources.binding import bind_problems
from pipeline.sources.mapping import load_mappings

HELPDESK = """\
source: helpdesk
describes: Tickets
reader: csv
files: ["helpdesk*"]
required: [ticket, opened, customer, thema]
optional: [bot]
tables:
  contacts:
    where: bot is not null
    columns:
      contact_id: ticket
      created_at: opened
      requester_id: customer
      topic: thema
      channel: lower(thema)
      is_eligible: "true"
      ai_involved: bot = 'ja'
"""


def told(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What binding complains about once the mapping was changed, one line each."""
    text = HELPDESK
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "sources" / "helpdesk.yaml").write_text(text, encoding="utf-8")
    return [str(problem) for problem in bind_problems(load_mappings([folder / "sources"]))]


def test_every_mapping_of_the_package_binds() -> None:
    """All of them, without a file."""
    mappings = load_mappings()
    assert len(mappings) > 20
    assert bind_problems(mappings) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("topic: thema", "topic: themma", "14:7  M020  table contacts, column topic: found the unknown column "
         "'themma', expected one of `required` or `optional`, did you mean thema?"),
        ("topic: thema", "topic: raw.themma", "14:7  M020  table contacts, column topic: found the unknown column "
         "'themma', expected one of `required` or `optional`, did you mean thema?"),
        ("topic: thema", "topic: xyz", "14:7  M020  table contacts, column topic: found the unknown column 'xyz', "
         "expected one of `required` or `optional`"),
        ("lower(thema)", "lowwer(thema)", "15:7  M020  table contacts, column channel: found the unknown function "
         "'lowwer', expected one of DuckDB's, did you mean lower?"),
        ("bot = 'ja'", "bot = 'ja", "17:7  M020  table contacts, column ai_involved: Parser Error: unterminated string "
         "literal"),
        ("bot is not null", "bott is not null", "9:5  M020  table contacts, where: found the unknown column 'bott', "
         "expected one of `required` or `optional`, did you mean bot?"),
        ("lower(thema)", "lower(thema, 1)", "15:7  M020  table contacts, column channel: Binder Error: No function "
         "matches the given name and argument types 'lower(VARCHAR, INTEGER_LITERAL)'. You might need to add explicit "
         "type casts."),
        ("topic: thema", "topic: record", "14:7  M020  table contacts, column topic: found the unknown column "
         "'record', expected one of `required` or `optional`"),
    ],
)  # fmt: skip
def test_one_mistake_gives_exactly_its_message(tmp_path: Path, before: str, after: str, expected: str) -> None:
    """File with its folder, line, column, and what was likely meant."""
    assert told(tmp_path, (before, after)) == [f"sources/helpdesk.yaml:{expected}"]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Where, and two columns; but of a table that does not exist nothing more is said than that."""
    found = told(tmp_path, ("topic: thema", "topic: themma"), ("lower(", "lowwer("), ("bot is", "bott is"))
    assert [line.split("  ")[0].split(":")[1] for line in found] == ["9", "14", "15"]
    (only,) = told(tmp_path, ("where: bot is not null", "from: raws"))
    assert only.startswith("sources/helpdesk.yaml:9:5  M020  table contacts, from: Catalog Error: Table with name raws")


@pytest.mark.parametrize(
    "source", ["read_text('/etc/hostname')", "core.calls", "read_csv('https://example.com/a.csv')"]
)
def test_an_expression_can_read_neither_files_nor_other_tables(tmp_path: Path, source: str) -> None:
    """The relation to read from is refused, whether or not it exists."""
    (only,) = told(tmp_path, ("where: bot is not null", f'from: "(select *, 1 as line from {source})"'))
    assert only.startswith("sources/helpdesk.yaml:9:5  M020  table contacts, from: ")


def test_a_column_named_like_a_word_of_sql_is_to_be_quoted(tmp_path: Path) -> None:
    """The message says how; so quoted it binds."""
    named = ("thema]", "thema, at]")
    (only,) = told(tmp_path, named, ("created_at: opened", "created_at: at"))
    assert only == (
        "sources/helpdesk.yaml:12:7  M020  table contacts, column created_at: found 'at', which SQL takes for a "
        """word of its own, expected the column in double quotes: '"at"'"""
    )
    assert told(tmp_path, named, ("created_at: opened", """created_at: '"at"'""")) == []


def test_what_the_reader_adds_can_be_named(tmp_path: Path) -> None:
    """Line and file name anywhere, the whole record where the file is JSON."""
    assert told(tmp_path, ("lower(thema)", "file_stem || ':' || line || file_name")) == []
    assert told(tmp_path, ("reader: csv", "reader: jsonl"), ("lower(thema)", "record->>'$.via'")) == []


def test_a_mapping_that_takes_any_column_may_name_any_but_not_any_function(tmp_path: Path) -> None:
    """CSV brings all columns it has; the rest of an expression is judged. JSON makes columns of declared keys."""
    anything = ("optional: [bot]", 'optional: [bot, "*"]')
    assert told(tmp_path, anything, ("lower(thema)", "extra || another")) == []
    (only,) = told(tmp_path, anything, ("lower(thema)", "lowwer(extra)"))
    assert "unknown function 'lowwer'" in only
    (only,) = told(tmp_path, anything, ("reader: csv", "reader: jsonl"), ("lower(thema)", "extra"))
    assert "unknown column 'extra'" in only


def test_types_of_a_parquet_file_are_not_guessed(tmp_path: Path) -> None:
    """Its columns bring types of their own, so names alone are judged."""
    parquet = ("reader: csv", "reader: parquet")
    assert told(tmp_path, parquet, ("lower(thema)", "thema.name || thema[1] || year(thema)")) == []
    (only,) = told(tmp_path, parquet, ("lower(thema)", "year(themma)"))
    assert only.endswith("did you mean thema?")


def test_mistakes_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A `where` that stands below the columns comes after them, whatever is bound first."""
    found = told(
        tmp_path,
        ("    where: bot is not null\n", ""),
        ("      ai_involved: bot = 'ja'\n", "      ai_involved: bott = 'ja'\n    where: bottt is not null\n"),
        ("topic: thema", "topic: themma"),
    )
    assert [line.split("  ")[0] for line in found] == [f"sources/helpdesk.yaml:{at}" for at in ("13:7", "16:7", "17:5")]


def test_a_check_of_the_definitions_tells_every_file_from_top_to_bottom(tmp_path: Path) -> None:
    """What does not bind stands between what breaks a rule of the tables: 9:3, 11:7, 13:7, then the next file."""
    shutil.copyfile(ROOT / "metrics_catalog.yaml", tmp_path / "metrics_catalog.yaml")
    told(tmp_path)
    path = tmp_path / "sources" / "helpdesk.yaml"
    text = HELPDESK.replace("created_at: opened", "created_at: openned").replace("topic: thema", "topik: thema")
    path.write_text(text.replace("contact_id: ticket", "contact_id: 'null'"), encoding="utf-8")
    (tmp_path / "sources" / "second.yaml").write_text("source: second\n", encoding="utf-8")
    settings = Settings(root=tmp_path, exports=tmp_path, now=None)  # type: ignore[arg-type]
    problems, _ = check_definitions(settings, with_examples=False)
    assert [(one.where, one.code) for one in problems] == [
        ("sources/helpdesk.yaml:11:7", "M015"),
        ("sources/helpdesk.yaml:12:7", "M020"),
        ("sources/helpdesk.yaml:14:7", "M011"),
        *(("sources/second.yaml:1:1", code) for code in ("M002", "M002", "M002")),
    ]


def test_a_check_of_the_definitions_tells_all_problems_of_all_mappings(tmp_path: Path) -> None:
    """SQL that does not bind stands beside a mapping that cannot be read at all, and shipped ones are fine."""
    shutil.copyfile(ROOT / "metrics_catalog.yaml", tmp_path / "metrics_catalog.yaml")
    told(tmp_path, ("topic: thema", "topic: themma"))
    (tmp_path / "sources" / "second.yaml").write_text("source: second\n", encoding="utf-8")
    settings = Settings(root=tmp_path, exports=tmp_path, now=None)  # type: ignore[arg-type]
    problems, counts = check_definitions(settings, with_examples=False)
    assert sorted({problem.where.split(":")[0] for problem in problems}) == [
        "sources/helpdesk.yaml",
        "sources/second.yaml",
    ]
    assert [problem.code for problem in problems if "helpdesk" in problem.where] == ["M020"]
    assert counts["sources"] == len(load_mappings()) + 1
