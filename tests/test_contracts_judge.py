"""Judging batches: every rule, by pandera and by SQL, with the same verdicts and never a value in a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contracts import judge, rules_of, schema, sql_rules
from pipeline.contracts.schemas import broken_rules
from pipeline.tables import TYPES, Table, load_tables, parse_tables

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BY_PANDERA, BY_SQL = 20_000, -1
TABLES = load_tables()
Row = Mapping[str, str | None]

GOOD_VALUES = {
    "id": "x1", "text": "words", "person": "p1", "flag": "true", "count": "1", "tokens": "1", "seconds": "1.5",
    "milliseconds": "1.5", "minutes": "1.5", "number": "1.5", "money": "1.5", "price": "0.000001",
    "time": "2026-01-01T10:00:00Z", "date": "2026-01-01",
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """What a judgement left behind: reasons by row, and the typed rows as DuckDB prints them."""

    reasons: dict[int, str]
    typed: list[tuple[str | None, ...]]


def connect() -> duckdb.DuckDBPyConnection:
    """A connection of its own, quiet."""
    return duckdb.connect(config={"threads": 2})


def stage(con: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Row]) -> None:
    """Rows as the loader stages them: numbered from 1, every column as text."""
    columns = ", ".join(f'"{name}" VARCHAR' for name in table.column_names)
    con.execute(f"CREATE OR REPLACE TEMP TABLE staged (_row BIGINT, _line BIGINT, _version VARCHAR, {columns})")
    marks = ", ".join("?" * (3 + len(table.columns)))
    values = [[number, number + 1, "v", *map(row.get, table.column_names)] for number, row in enumerate(rows, start=1)]
    if values:
        con.executemany(f"INSERT INTO staged VALUES ({marks})", values)


def judged(table: Table, rows: Sequence[Row], up_to: int, con: duckdb.DuckDBPyConnection | None = None) -> Judged:
    """Stage and judge rows; `up_to` chooses pandera or SQL."""
    con = con or connect()
    stage(con, table, rows)
    judge(con, table, staged="staged", typed="cast_rows", verdicts="found", now=NOW, pandera_up_to_rows=up_to)
    printed = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in ("_row", "_line", "_version", *table.column_names))
    typed = con.execute(f"SELECT {printed} FROM cast_rows ORDER BY _row").fetchall()
    return Judged(dict(con.execute("SELECT _row, reason FROM found").fetchall()), typed)


def good_row(table: Table) -> dict[str, str | None]:
    """A row that breaks nothing, every column filled."""
    return {column.name: column.values[0] if column.values else GOOD_VALUES[column.type] for column in table.columns}


def without_other_moments(table: Table, *kept: str) -> dict[str, str | None]:
    """A good row whose optional dates and times are empty but for those kept."""
    row = good_row(table)
    row.update(
        {
            column.name: None
            for column in table.columns
            if column.column_type.is_moment and not column.required and column.name not in kept
        }
    )
    return row


def row_breaking(table: Table, reason: str) -> dict[str, str | None]:
    """A good row changed in one place, so that it breaks the rule of that reason and no other."""
    if " after " in reason:
        earlier, later = reason.split(" after ")
        late = "2026-01-02" if table.column(earlier).type == "date" else "2026-01-01T10:00:00.000001Z"
        return without_other_moments(table, earlier, later) | {earlier: late}
    if " above " in reason and ": " not in reason:
        return good_row(table) | {reason.partition(" above ")[0]: "1.6"}
    name, complaint = reason.split(": ")
    if complaint == "in the future":
        late = "2026-06-02" if table.column(name).type == "date" else "2026-06-01T12:00:00.000001Z"
        return without_other_moments(table, name) | {name: late}
    wrong = {"missing": " ", "negative": "-1", "not above 0": "0", "not a finite number": "inf"}.get(
        complaint, "neither"
    )
    return good_row(table) | {name: wrong}


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
@pytest.mark.parametrize("name", TABLES)
def test_each_rule_broken_alone_gives_exactly_its_reason(name: str, up_to: int) -> None:
    """One row per rule of the table, broken in that rule only, and a good row that is not in the verdicts."""
    table = TABLES[name]
    reasons = [reason for reason, _ in sql_rules(table, NOW)]
    rows = [good_row(table), *(row_breaking(table, reason) for reason in reasons)]
    assert judged(table, rows, up_to).reasons == dict(enumerate(reasons, start=2))


def test_the_reasons_of_a_table_are_those_of_its_declaration() -> None:
    """Written out by hand for one table: columns first, then pairs, then the clock."""
    assert [reason for reason, _ in sql_rules(TABLES["scores"], NOW)] == [
        "score_id: missing",
        "target_type: not one of call, trace, session, task, item",
        "metric: missing",
        "value: not a number",
        "value: not a finite number",
        "evaluator_kind: not one of human, model, code",
        "sampling_weight: not a number",
        "sampling_weight: negative",
        "sampling_weight: not a finite number",
        "created_at: missing",
        "created_at: not a time",
        "created_at: in the future",
    ]
    assert "period_start after period_end" in [reason for reason, _ in sql_rules(TABLES["cost_ledger"], NOW)]


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_a_row_with_several_broken_rules_gets_all_reasons_in_declaration_order(up_to: int) -> None:
    """Every reason once, joined by '; '."""
    row = good_row(TABLES["feedback"]) | {
        "responded_at": "2027-01-01",
        "kind": "shout",
        "score": "-inf",
        "feedback_id": "",
    }
    assert judged(TABLES["feedback"], [row], up_to).reasons == {
        1: "feedback_id: missing; kind: not one of thumb, csat, nps, report; score: negative; "
        "score: not a finite number; responded_at: in the future"
    }


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_what_cannot_be_read_is_not_also_missing(up_to: int) -> None:
    """A required time with other text in it is 'not a time'; blank or null it is 'missing', whatever kind of blank."""
    rows = [
        good_row(TABLES["contacts"]) | {"created_at": text} for text in ("soon", "", "\u00a0\t", None, "\u200b\ufeff")
    ]
    assert judged(TABLES["contacts"], rows, up_to).reasons == {
        1: "created_at: not a time",
        **dict.fromkeys((2, 3, 4, 5), "created_at: missing"),
    }


BANDS = parse_tables(
    """\
bands:
  meaning: One band.
  key: [band_id]
  ordered: [[few, many], [cheap, dear], [low, high]]
  columns:
    band_id: [id, required, "The band"]
    few: [count, "Whole"]
    many: [count, "Whole"]
    cheap: [money, signed, "Exact"]
    dear: [money, signed, "Exact"]
    low: [number, signed, "Double"]
    high: [number, signed, "Double"]
""",
    where="tables.yaml",
)["bands"]


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_of_two_numbers_the_first_is_not_the_greater(up_to: int) -> None:
    """Equal ones, a missing one and one that is not finite are in order, for the last has a reason of its own."""
    said = [
        ("few", "3", "many", "2", "few above many"),
        ("few", "2", "many", "2", None),
        ("few", "3", "many", None, None),
        ("cheap", "-1", "dear", "-1.01", "cheap above dear"),
        ("cheap", None, "dear", "-5", None),
        ("low", "0.3", "high", "0.2", "low above high"),
        ("low", "-0.3", "high", "-0.2", None),
        ("low", "inf", "high", "1", "low: not a finite number"),
        ("low", "1", "high", "-inf", "high: not a finite number"),
        ("low", "nan", "high", "1", "low: not a finite number"),
    ]
    rows = [{"band_id": "b", first: less, second: more} for first, less, second, more, _ in said]
    expected = {number: reason for number, (*_, reason) in enumerate(said, start=1) if reason}
    assert judged(BANDS, rows, up_to).reasons == expected


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_a_positive_column_takes_neither_nothing_nor_less(up_to: int) -> None:
    """A rate of 0 turns every amount into nothing; the smallest that can be stored is one, what rounds to 0 is not."""
    rates = {"1": None, "0.000000000001": None, "0": "rate: not above 0", "1e-13": "rate: not above 0",
             "-1": "rate: not above 0"}  # fmt: skip
    rows = [good_row(TABLES["fx_rates"]) | {"rate": rate} for rate in rates]
    expected = {number: reason for number, reason in enumerate(rates.values(), start=1) if reason}
    assert judged(TABLES["fx_rates"], rows, up_to).reasons == expected


EDGE = parse_tables(
    """\
things:
  meaning: One thing.
  key: [thing_id]
  columns:
    thing_id: [id, required, "The thing"]
    yes: [flag, "A flag"]
    whole: [count, "A count"]
    share: [number, signed, "A number"]
    paid: [money, signed, "Money"]
    at: [time, "A time"]
    on: [date, "A day"]
""",
    where="tables.yaml",
)["things"]


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("yes", "True", "true"),
        ("yes", "no", "false"),
        ("yes", "0", "false"),
        ("yes", "maybe", None),
        ("whole", "12.0", "12"),
        ("whole", "1e3", "1000"),
        ("whole", " 7 ", "7"),
        ("whole", "1.5", None),
        ("whole", "0x1F", None),
        ("whole", "true", None),
        ("whole", "9223372036854775807", "9223372036854775807"),
        ("whole", "9223372036854775808", None),
        ("whole", "1" + "0" * 400, None),
        ("share", "-0.25", "-0.25"),
        ("share", "0,25", None),
        ("paid", "0.30000000000000004", "0.30000000000000"),
        ("paid", "-1e-8", "-0.00000001000000"),
        ("paid", "1e15", None),
        ("paid", "NaN", None),
        ("paid", "$5", None),
        ("at", "2026-01-01T00:30:00+02:00", "2025-12-31 22:30:00+00"),
        ("at", "2026-07-01 10:00", "2026-07-01 10:00:00+00"),
        ("at", "2026-01-01", "2026-01-01 00:00:00+00"),
        ("at", "infinity", None),
        ("at", "290000-01-01", None),
        ("at", "1700000000", None),
        ("at", "2026-02-30", None),
        ("on", "2026-01-01", "2026-01-01"),
        ("on", "2026-01-01T23:30:00-05:00", "2026-01-02"),
        ("on", "2026-01-01 23:30:00", "2026-01-01"),
        ("on", "9999-12-31", "9999-12-31"),
        ("on", "infinity", None),
        ("on", "01/02/2026", None),
    ],
)
@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_a_text_is_read_as_what_is_written_or_not_at_all(column: str, text: str, value: str | None, up_to: int) -> None:
    """Nothing is rounded, cut or guessed on the way to a value; the session's zone, here Berlin's, has no say."""
    con = connect()
    con.execute("SET TimeZone = 'Europe/Berlin'")
    stage(con, EDGE, [{"thing_id": "t", column: text}])
    judge(con, EDGE, staged="staged", typed="cast_rows", verdicts="found", now=NOW, pandera_up_to_rows=up_to)
    assert con.execute("SELECT current_setting('TimeZone')").fetchone() == ("Europe/Berlin",)
    con.execute("SET TimeZone = 'UTC'")
    assert con.execute(f'SELECT CAST("{column}" AS VARCHAR) FROM cast_rows').fetchone() == (value,)
    wanted = {
        "yes": "a true-or-false value", "whole": "a whole number", "share": "a number", "paid": "an amount of money",
        "at": "a time", "on": "a date",
    }[column]  # fmt: skip
    assert con.execute("SELECT reason FROM found").fetchall() == ([] if value else [(f"{column}: not {wanted}",)])


@pytest.mark.parametrize("kind", [name for name, told in TYPES.items() if not told.is_text])
def test_every_type_that_may_fail_to_cast_says_in_words_what_was_wanted(kind: str) -> None:
    """Each reason reads `not a ...` or `not an ...`, and none names a plural such as tokens as if it were one thing."""
    told = f'things:\n  meaning: x\n  key: [id]\n  columns:\n    id: [id, required, "x"]\n    value: [{kind}, "x"]\n'
    table = parse_tables(told, where="tables.yaml")["things"]
    (reason,) = [why for why, _ in sql_rules(table, NOW) if why.startswith("value: not a") and "finite" not in why]
    assert reason.split()[2] in {"a", "an"}
    assert reason not in {"value: not a tokens", "value: not a minutes", "value: not a money"}


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_text_is_trimmed_and_composed_and_blank_text_is_null(up_to: int) -> None:
    """Blanks of any kind around a text go, e + accent becomes one letter, and a blank text is no text."""
    table = TABLES["sessions"]
    row = good_row(table) | {"use_case_id": "\u00a0 caf\u0065\u0301 bar\t\n", "feature": " \u3000 ", "channel": ""}
    found = judged(table, [row], up_to)
    values = dict(zip(("_row", "_line", "_version", *table.column_names), found.typed[0], strict=True))
    assert found.reasons == {}
    assert (values["use_case_id"], values["feature"], values["channel"]) == ("caf\u00e9 bar", None, None)
    assert (values["_row"], values["_line"], values["_version"]) == ("1", "2", "v")


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_no_number_gets_in_that_is_not_finite(text: str, up_to: int) -> None:
    """NaN and both infinities are named so, and are neither missing nor of another type."""
    assert judged(EDGE, [{"thing_id": "t", "share": text}], up_to).reasons == {1: "share: not a finite number"}


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_an_empty_batch_has_no_verdicts(up_to: int) -> None:
    """Both tables are there, empty, with their columns."""
    con = connect()
    assert judged(TABLES["calls"], [], up_to, con) == Judged({}, [])
    described = con.execute("SELECT column_name, column_type FROM (DESCRIBE found)").fetchall()
    assert described == [("_row", "BIGINT"), ("reason", "VARCHAR")]
    names = [name for (name,) in con.execute("SELECT column_name FROM (DESCRIBE cast_rows)").fetchall()]
    declared = ["_row", "_line", "_version", *TABLES["calls"].column_names]
    assert names[: len(declared)] == declared
    assert all(name.startswith("_text_") for name in names[len(declared) :])


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_columns_a_source_does_not_fill_may_be_plain_nulls(up_to: int) -> None:
    """A view that says `NULL AS x` stages as well as a table of texts, and judging twice replaces the first result."""
    con = connect()
    nulls = ", ".join(f'NULL AS "{name}"' for name in TABLES["prices"].column_names)
    con.execute(f"CREATE TEMP VIEW staged_view AS SELECT 1 AS _row, 1 AS _line, NULL AS _version, {nulls}")
    for _ in range(2):
        judge(
            con, TABLES["prices"], staged="staged_view", typed="cast_rows", verdicts="found", now=NOW,
            pandera_up_to_rows=up_to,
        )  # fmt: skip
    (reason,) = con.execute("SELECT reason FROM found").fetchone() or ("",)
    required = [column.name for column in TABLES["prices"].columns if column.required]
    assert reason == "; ".join(f"{name}: missing" for name in required)


def test_the_clock_is_the_one_passed_in_whatever_its_zone() -> None:
    """The same instant in another zone judges alike; a clock without a zone is refused."""
    row = {"thing_id": "t", "on": "2026-06-02"}
    late = NOW.replace(hour=23).astimezone(timezone(timedelta(hours=5)))
    dated = parse_tables(
        "a:\n  meaning: m\n  key: [k]\n  not_future: [on]\n  columns:\n    k: [id, required, m]\n    on: [date, m]\n",
        where="t",
    )["a"]
    assert late.date().isoformat() == "2026-06-02"
    con = connect()
    stage(con, dated, [row | {"k": "k"}])
    judge(con, dated, staged="staged", typed="cast_rows", verdicts="found", now=late, pandera_up_to_rows=BY_SQL)
    assert con.execute("SELECT reason FROM found").fetchall() == [("on: in the future",)]
    with pytest.raises(ValueError, match="now has no time zone"):
        rules_of(dated, NOW.replace(tzinfo=None))


def texts_for(kind: str) -> st.SearchStrategy[str | None]:
    """Texts that meet, miss and nearly meet a type."""
    numbers = ["0", "-0", "-1", "1.5", "1e3", "-1e-20", "nan", "inf", "-inf", "9" * 19, "9" * 40, "1e999", "12.0", "+3"]
    moments = [
        "2026-01-01", "2026-05-31T23:59:59.999999Z", "2026-06-01", "2026-06-01T12:00:00Z", "2026-06-02",
        "2026-06-01T12:00:00.000001Z", "2026-06-01T23:00:00-05:00", "2025-12-31T23:00:00+14:00", "infinity",
        "-infinity", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59-05:00", "10000-01-01", "0044-03-15 (BC)",
        "2026-02-30", "epoch",
    ]  # fmt: skip
    near = moments if kind in {"time", "date"} else numbers if kind not in {"id", "text", "person"} else ["a", "b'c"]
    common = ["", " ", "\u00a0", "\t\n", "x", "true", "False", "yes", "NULL", " 1 ", "\u200b5", "\ufeff"]
    good = [] if kind == "category" else [GOOD_VALUES[kind]] * 4
    return st.one_of(st.sampled_from([*near, *good]), st.sampled_from([None, *common]), st.text(max_size=3))


def rows_of(table: Table) -> st.SearchStrategy[list[dict[str, str | None]]]:
    """Batches of random staged rows."""
    columns = {
        column.name: st.one_of(st.sampled_from(column.values), texts_for("category"))
        if column.values
        else texts_for(column.type)
        for column in table.columns
    }
    return st.lists(st.fixed_dictionaries(columns), max_size=15)


@pytest.mark.parametrize(
    "name", ["feedback", "prices", "training", "incidents", "availability", "assumptions", "fx_rates"]
)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_pandera_and_sql_give_the_same_verdicts(name: str, data: st.DataObject) -> None:
    """On random rows the two ways find the same rows bad, for the same reasons in the same words and order."""
    rows = data.draw(rows_of(TABLES[name]))
    con = connect()
    assert judged(TABLES[name], rows, BY_PANDERA, con) == judged(TABLES[name], rows, BY_SQL, con)


def test_the_batch_size_chooses_who_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit pandera validates, above it SQL does."""
    asked: list[int] = []

    def note(table: Table, frame: object, now: datetime) -> dict[int, list[str]]:
        asked.append(len(frame))  # type: ignore[arg-type]
        return {}

    monkeypatch.setattr("pipeline.contracts.judging.broken_rules", note)
    for limit in (3, 2):
        judged(EDGE, [{"thing_id": "t"}] * 3, limit)
    assert asked == [3]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_big_batch_is_judged_in_order_at_any_thread_count(threads: int) -> None:
    """300 000 rows, every thousandth bad: the verdicts come by row, and each row keeps its number."""
    con = connect()
    con.execute(f"SET threads = {threads}")
    con.execute(
        """CREATE TEMP TABLE staged AS SELECT i AS _row, i AS _line, NULL AS _version, 't' || i AS thing_id,
           'yes' AS yes, CASE WHEN i % 1000 = 0 THEN '-5' ELSE CAST(i AS VARCHAR) END AS whole,
           '0.5' AS share, '1' AS paid, NULL AS at, NULL AS "on" FROM range(300000) AS numbers(i)"""
    )
    judge(con, EDGE, staged="staged", typed="cast_rows", verdicts="found", now=NOW)
    found = con.execute("SELECT _row, reason FROM found").fetchall()
    assert found == [(row, "whole: negative") for row in range(0, 300_000, 1000)]
    # Good rows hold their own number: 0 + 1 + ... + 299 999, less the bad ones, which hold -5.
    expected = sum(range(300_000)) - sum(range(0, 300_000, 1000)) - 5 * 300
    assert con.execute("SELECT count(*), sum(whole) FROM cast_rows").fetchone() == (300_000, expected)


def test_the_schema_is_the_declaration_in_panderas_words() -> None:
    """Columns, types and checks of the pandera schema follow the table."""
    contract = schema(TABLES["availability"], NOW)
    assert contract.name == "availability"
    assert str(contract.columns["good"].dtype) == "Int64"
    assert [check.name for check in contract.columns["good"].checks] == ["good: negative"]
    assert [check.name for check in contract.checks][:4] == [
        "service: missing",
        "window_start: missing",
        "window_start: not a time",
        "window_minutes: not a number of minutes",
    ]


def test_switching_pandera_off_in_the_environment_lets_nothing_through() -> None:
    """pandera can be told to skip validation; a contract does not listen."""
    from pandera.config import ValidationDepth, config_context

    with config_context(validation_enabled=False, validation_depth=ValidationDepth.SCHEMA_ONLY):
        assert judged(EDGE, [{"thing_id": ""}], BY_PANDERA).reasons == {1: "thing_id: missing"}


@pytest.mark.parametrize("up_to", [BY_PANDERA, BY_SQL])
def test_no_reason_holds_a_value(up_to: int) -> None:
    """A canary in every column of a table shows up in no reason."""
    canary = "jane.doe@example.com"
    for table in (TABLES["calls"], TABLES["people"], TABLES["contacts"]):
        reasons = judged(table, [dict.fromkeys(table.column_names, canary)], up_to).reasons
        assert "not a" in reasons[1]
        assert canary not in reasons[1]


def test_a_frame_of_another_shape_is_an_error_that_shows_no_value() -> None:
    """A frame the schema is not for stops the run; pandera's message, which holds values, does not show."""
    import pandas as pd

    frame = pd.DataFrame({"thing_id": ["jane.doe@example.com"]}, index=pd.Index([1], name="_row"))
    with pytest.raises(RuntimeError, match=r"^things: the frame does not have the shape of the schema") as caught:
        broken_rules(EDGE, frame, NOW)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
