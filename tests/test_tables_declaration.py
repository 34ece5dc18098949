"""The declaration of the tables: what it says is what is loaded, and every mistake in it gives its own message."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import ConfigurationError, ExitCode
from pipeline.tables import TYPES, load_tables, parse_tables
from pipeline.tables.codes import MEANINGS

REPOSITORY = Path(__file__).parents[1]

GOOD = """\
visits:
  meaning: One visit.
  key: [visit_id]
  day: began_at
  ordered: [[began_at, ended_at]]
  not_future: [began_at]
  columns:
    visit_id: [id, required, "The visit"]
    began_at: [time, required, "When it began"]
    ended_at: [time, "When it ended"]
    paid_on: [date, "When it was paid"]
    kind: [category(first|again), "Which visit it is"]
    paid: [money, signed, "What was paid"]
"""


def problems_of(text: str) -> list[tuple[str, str]]:
    """Everything said against a declaration, as ('line code', message)."""
    with pytest.raises(ConfigurationError) as caught:
        parse_tables(text, where="tables.yaml")
    problems = caught.value.problems
    assert all(problem.where.startswith("tables.yaml:") for problem in problems)
    return [(f"{problem.where.removeprefix('tables.yaml:')} {problem.code}", problem.message) for problem in problems]


def test_the_shipped_declaration_is_loaded_as_it_is_written() -> None:
    """Another YAML reader finds the same tables, columns, types, flags and meanings in the file."""
    written = YAML(typ="safe").load(REPOSITORY / "pipeline/tables/tables.yaml")
    loaded = load_tables()
    assert list(loaded) == list(written)
    for name, table in loaded.items():
        assert table.meaning == written[name]["meaning"]
        assert list(table.key) == written[name]["key"]
        assert table.day == written[name].get("day")
        assert table.span == (tuple(written[name]["span"]) if "span" in written[name] else None)
        assert [list(pair) for pair in table.ordered] == written[name].get("ordered", [])
        assert list(table.not_future) == written[name].get("not_future", [])
        assert table.column_names == tuple(written[name]["columns"])
        for column in table.columns:
            kind, *flags, meaning = written[name]["columns"][column.name]
            assert column.type + (f"({'|'.join(column.values)})" if column.values else "") == kind
            said = {"required": column.required, "signed": column.signed, "positive": column.positive}
            assert {flag for flag, is_set in said.items() if is_set} == set(flags)
            assert column.meaning == meaning


def test_a_column_says_its_type_values_flags_and_meaning() -> None:
    """The list `[type, flags..., meaning]` becomes a record."""
    table = parse_tables(GOOD, where="tables.yaml")["visits"]
    assert table.column("kind").values == ("first", "again")
    assert table.column("kind").sql_type == "VARCHAR"
    assert (table.column("paid").signed, table.column("paid").never_negative) == (True, False)
    assert table.column("visit_id").required
    assert table.ordered == (("began_at", "ended_at"),)
    with pytest.raises(KeyError, match="visits has no column cost"):
        table.column("cost")


def test_money_and_prices_are_exact_and_times_carry_their_zone() -> None:
    """The SQL types other rooms rely on."""
    assert {name: TYPES[name].sql for name in ("money", "price", "minutes", "tokens", "time", "date", "seconds")} == {
        "money": "DECIMAL(28,14)",
        "price": "DECIMAL(24,12)",
        "minutes": "DECIMAL(18,6)",
        "tokens": "BIGINT",
        "time": "TIMESTAMPTZ",
        "date": "DATE",
        "seconds": "DOUBLE",
    }


@pytest.mark.parametrize(
    ("good", "bad", "place", "message"),
    [
        (
            "meaning: One visit.",
            "meanings: One visit.",
            "2 T011",
            "visits: key 'meanings' is not known; did you mean 'meaning'?",
        ),
        (
            'paid_on: [date, "',
            'paid_on: [dat, "',
            "11 T020",
            "visits.paid_on: type 'dat' is not known; did you mean 'date'?",
        ),
        (
            "[id, required,",
            "[id, requierd,",
            "8 T022",
            "visits.visit_id: flag 'requierd' is not known; did you mean 'required'?",
        ),
        ("[id, required,", "[id, required, required,", "8 T004", "visits.visit_id: a flag stands here twice; keep one"),
        (
            "[date, ",
            "[date, signed, ",
            "11 T023",
            "visits.paid_on: type date cannot be signed; count, tokens, number, money can",
        ),
        (
            '[id, required, "The visit"]',
            "[id, required]",
            "8 T013",
            'visits.visit_id: expected [type, flags..., "meaning"], the meaning last',
        ),
        ('[date, "When it was paid"]', "[]", "11 T003", "visits.paid_on: expected a list of words, such as [a, b]"),
        ('[date, "When it was paid"]', "date", "11 T003", "visits.paid_on: expected a list of words, such as [a, b]"),
        (
            "category(first|again)",
            "category",
            "12 T021",
            "visits.kind: a category lists its values, category(a|b); other types do not",
        ),
        (
            "[money,",
            "[money(a),",
            "13 T021",
            "visits.paid: a category lists its values, category(a|b); other types do not",
        ),
        ("first|again", "first|first", "12 T021", "visits.kind: a value of the category is empty or listed twice"),
        (
            "key: [visit_id]",
            "key: [visitid]",
            "3 T030",
            "visits.key: the table has no column 'visitid'; did you mean 'visit_id'?",
        ),
        (
            "key: [visit_id]",
            "key: [paid_on]",
            "3 T032",
            "visits.key: 'paid_on' is part of the key; flag the column required",
        ),
        ("key: [visit_id]", "key: []", "3 T003", "visits.key: expected a list of words, such as [a, b]"),
        ("key: [visit_id]", "key: [visit_id, visit_id]", "3 T004", "visits.key: a column stands here twice; keep one"),
        (
            "day: began_at",
            "day: begun_at",
            "4 T030",
            "visits.day: the table has no column 'begun_at'; did you mean 'began_at'?",
        ),
        ("day: began_at", "day: kind", "4 T031", "visits.day: 'kind' is of type category, expected date or time"),
        (
            "[[began_at, ended_at]]",
            "[[began_at, endet_at]]",
            "5 T030",
            "visits.ordered: the table has no column 'endet_at'; did you mean 'ended_at'?",
        ),
        (
            "[[began_at, ended_at]]",
            "[[began_at, paid_on]]",
            "5 T035",
            "visits.ordered: 'began_at' is of type time and 'paid_on' is of type date; expected two of one type",
        ),
        (
            "[[began_at, ended_at]]",
            "[[visit_id, ended_at]]",
            "5 T036",
            "visits.ordered: 'visit_id' is of type id, expected date, time or a number",
        ),
        ("[date, ", "[date, positive, ", "11 T023", "visits.paid_on: type date cannot be positive; numbers can"),
        (
            "[money, signed, ",
            "[money, signed, positive, ",
            "13 T023",
            "visits.paid: signed and positive exclude each other; keep one",
        ),
        ("[[began_at, ended_at]]", "[[began_at]]", "5 T034", "visits.ordered: expected two columns, found 1"),
        ("[[began_at, ended_at]]", "began_at", "5 T003", "visits.ordered: expected pairs, such as [[a, b], [c, d]]"),
        (
            "not_future: [began_at]",
            "not_future: [paid]",
            "6 T031",
            "visits.not_future: 'paid' is of type money, expected date or time",
        ),
        (
            "not_future: [began_at]",
            "span: [began_at, ended_at]",
            "4 T033",
            "visits.day: the table says span as well; keep one",
        ),
        (
            "day: began_at",
            "span: [began_at, xyz]",
            "4 T030",
            "visits.span: the table has no column 'xyz'; known are visit_id, began_at, ended_at, paid_on, kind, paid",
        ),
        ("    paid_on:", "    ended_at:", "11 T004", "visits.columns: 'ended_at' stands here and on line 10; keep one"),
        (
            "    paid_on:",
            "    paidOn:",
            "11 T010",
            "visits.paidOn: expected a name of lower-case letters, digits and _",
        ),
        ("visits:\n", "Visits:\n", "1 T010", "Visits: expected a name of lower-case letters, digits and _"),
        ("meaning: One visit.", "meaning: ''", "2 T013", "visits.meaning: expected a sentence that says what a row is"),
        ("  key: [visit_id]\n", "", "1 T012", "visits: expected 'key:'; a table says its meaning, key and columns"),
    ],
)
def test_one_mistake_gives_exactly_its_message(good: str, bad: str, place: str, message: str) -> None:
    """A good declaration with one thing changed is refused with that one problem, at its line."""
    assert good in GOOD
    assert problems_of(GOOD.replace(good, bad, 1)) == [(place, message)]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "1 T005", "the file declares no table; write one as `name:` with its columns"),
        ("- a\n- b\n", "1 T002", "the file: expected `name: ...` entries, found a sequence"),
        ("visits: yes\n", "1 T002", "visits: expected `name: ...` entries, found a scalar"),
        ("visits:\n  key: [a\n  day: b\n", "3 T001", "this is not YAML: expected ',' or ']', but got ':'"),
        ("visits: *gone\n", "1 T001", "this is not YAML: found undefined alias 'gone'"),
        ("visits: '\x00'\n", "1 T001", "this is not YAML: it holds an unreadable character"),
    ],
)
def test_a_file_of_another_shape_is_refused_at_its_line(text: str, place: str, message: str) -> None:
    """What is not a mapping of tables is said so, not met with a traceback."""
    assert (place, message) in problems_of(text)


def test_all_mistakes_are_listed_at_once_in_the_order_of_the_file() -> None:
    """Three mistakes, three problems, one error that stops the run as a configuration error."""
    text = GOOD.replace("[date,", "[day,").replace("key: [visit_id]", "key: [visit]").replace("[id, req", "[ident, req")
    with pytest.raises(ConfigurationError, match=r"^The declaration of the tables is wrong\.\n") as caught:
        parse_tables(text, where="tables.yaml")
    assert [problem.where for problem in caught.value.problems] == ["tables.yaml:3", "tables.yaml:8", "tables.yaml:11"]
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_words_that_yaml_would_turn_into_something_else_stay_words() -> None:
    """`no`, `12:30` and a tag are the text that was written."""
    text = GOOD.replace('"When it was paid"', "no").replace('"What was paid"', "!!int 12:30")
    table = parse_tables(text, where="tables.yaml")["visits"]
    assert (table.column("paid_on").meaning, table.column("paid").meaning) == ("no", "12:30")


def test_every_code_has_one_meaning() -> None:
    """Codes are neither reused nor left unexplained."""
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    assert all(len(code) == 4 and code.startswith("T") for code in MEANINGS)


def test_what_a_caller_does_to_the_tables_stays_with_the_caller() -> None:
    """The file is read once; the dict handed out is the caller's own."""
    mine = load_tables()
    mine.clear()
    assert load_tables()
    assert load_tables()["calls"] is load_tables()["calls"]


def test_importing_the_room_loads_nothing_heavy() -> None:
    """`roi --help` stays quick: no DuckDB, pandas or YAML reader comes with the import."""
    code = "import sys, pipeline.tables; print(sorted({'duckdb', 'pandas', 'ruamel', 'pandera'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
