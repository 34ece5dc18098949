"""Staging turns expressions into rows of a table, still text: trimmed, pseudonymous, in UTC in any session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError
from pipeline.sources.mapping import SourceMapping, load_mappings
from pipeline.sources.readers import read_raw
from pipeline.sources.stage import Staged, stage
from pipeline.tables import load_tables


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database whose session is far from UTC, with a pseudonym that shows what it was given."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        connection.execute("CREATE TEMP MACRO pseudonym(x) AS 'P(' || x || ')'")
        yield connection


@pytest.fixture(scope="module")
def shared() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database, in another zone again, for the many examples of a property."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'America/St_Johns'")
        yield connection


def mapping(table: str, columns: dict[str, str], **more: object) -> SourceMapping:
    """A mapping of JSON lines with the keys a, b and c to one table; `where`, `from` and `version` go to the table."""
    of_table = {key: more.pop(key) for key in ("from", "where", "version") if key in more}
    told = {
        "source": "some",
        "describes": "x",
        "reader": "jsonl",
        "files": ["*"],
        "required": ["a"],
        "optional": ["b", "c"],
    }
    return SourceMapping.model_validate({**told, **more, "tables": {table: {"columns": columns, **of_table}}})


def raw(con: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]) -> None:
    """A `raw` of the keys a, b and c, with the second line blank, as the reader would leave it."""
    con.execute(
        """CREATE OR REPLACE TEMP TABLE raw(line BIGINT, a VARCHAR, b VARCHAR, c VARCHAR, file_stem VARCHAR,
           file_name VARCHAR)"""
    )
    for number, row in enumerate(rows):
        values = [*row, None, None][:3]
        con.execute("INSERT INTO raw VALUES (?, ?, ?, ?, 'x', 'x.jsonl')", [number + 1 + (number > 0), *values])


def staged(con: duckdb.DuckDBPyConnection, told: SourceMapping, columns: str) -> list[tuple[object, ...]]:
    """The staged rows of the only table of the mapping."""
    (table,) = told.tables
    stage(con, told, table, staged="staged")
    return con.execute(f"SELECT {columns} FROM staged ORDER BY _row").fetchall()


def test_rows_are_numbered_in_file_order(con: duckdb.DuckDBPyConnection) -> None:
    """_row counts what `where` leaves, _line is the line of the file, and nothing else but text comes out."""
    raw(con, [("u1", "keep"), ("u2", "drop"), ("u3", "keep")])
    told = mapping(
        "feedback", {"feedback_id": "a", "kind": "'csat'", "responded_at": "'2026-01-01'"}, where="b = 'keep'"
    )
    assert staged(con, told, "_row, _line, _version, feedback_id") == [(1, 1, None, "u1"), (2, 4, None, "u3")]
    types = dict(row[:2] for row in con.execute("DESCRIBE staged").fetchall())
    assert list(types) == ["_row", "_line", "_version", *load_tables()["feedback"].column_names]
    assert {types.pop("_row"), types.pop("_line")} == {"BIGINT"}
    assert set(types.values()) == {"VARCHAR"}


def test_it_says_how_many_rows_it_made(con: duckdb.DuckDBPyConnection) -> None:
    """The count is that of the staged table."""
    raw(con, [("u1",), ("u2",)])
    told = mapping("identities", {"alias_id": "a", "person_id": "a"})
    assert stage(con, told, "identities", staged="staged") == Staged(rows=2, ambiguous_times=0)


def test_ids_and_texts_are_trimmed_and_composed(con: duckdb.DuckDBPyConnection) -> None:
    """White space of any kind around a value goes, what is left blank is NULL, and e with an accent is one letter."""
    raw(con, [("\u00a0 cafe\u0301\t", " inner  space \r\n"), ("\ufeffid\u200b", " \u3000 ")])
    told = mapping("incidents", {"incident_id": "a", "service": "b", "state": "'  open '"})
    assert staged(con, told, "incident_id, service, state") == [("café", "inner  space", "open"), ("id", None, "open")]


def test_people_are_pseudonymised(con: duckdb.DuckDBPyConnection) -> None:
    """One person in any case, spacing and composition is one pseudonym; nobody stays nobody."""
    raw(con, [(" Rene\u0301@Example.com ",), ("ren\u00e9@example.COM",), ("  ",), (None,)])
    told = mapping("sessions", {"session_id": "line::VARCHAR", "person_id": "a", "started_at": "'2026-01-01'"})
    assert staged(con, told, "person_id") == [("P(rené@example.com)",), ("P(rené@example.com)",), (None,), (None,)]


def test_an_expression_that_fails_on_a_record_is_null_there(con: duckdb.DuckDBPyConnection) -> None:
    """A conversion error spoils one value, not the file."""
    raw(con, [("7",), ("seven",)])
    told = mapping(
        "tasks", {"task_id": "line::VARCHAR", "started_at": "'2026-01-01'", "baseline_minutes": "a::INTEGER * 2"}
    )
    assert staged(con, told, "baseline_minutes") == [("14",), (None,)]


def test_a_comment_at_the_end_of_an_expression_is_harmless(con: duckdb.DuckDBPyConnection) -> None:
    """It does not swallow what is written around the expression."""
    raw(con, [("7",)])
    told = mapping("identities", {"alias_id": "a -- the login", "person_id": "a"}, where="a = '7' -- all")
    assert staged(con, told, "alias_id") == [("P(7)",)]


TIMES = [
    ("2026-03-01T10:00:00Z", "2026-03-01 10:00:00+00:00"),
    ("2026-03-01 10:00:00.123456+05:45", "2026-03-01 04:15:00.123456+00:00"),
    ("2026-03-01T10:00:00.123456789-0330", "2026-03-01 13:30:00.123456+00:00"),
    ("2026-03-01T10:00z", "2026-03-01 10:00:00+00:00"),
    ("2026-03-01 10:00:00 +02", "2026-03-01 08:00:00+00:00"),
    ("2026-03-01 10:00:00 UTC", "2026-03-01 10:00:00+00:00"),
    ("2026-03-01 10:00:00.9799600", "2026-03-01 10:00:00.97996+00:00"),
    ("2026-03-01", "2026-03-01 00:00:00+00:00"),
    ("2026-03-01T10:00", "2026-03-01 10:00:00+00:00"),
    ("2026-02-30T10:00:00Z", "not a time"),
    ("2026-03-01T25:00:00Z", "not a time"),
    ("infinity", "not a time"),
    ("10:00", "not a time"),
    ("01.03.2026 10:00", "not a time"),
    ("2026-03-01 10:00:00 Europe/Berlin", "not a time"),
]


@pytest.mark.parametrize(("written", "read"), TIMES)
def test_times_are_instants_in_utc(con: duckdb.DuckDBPyConnection, written: str, read: str) -> None:
    """Offsets are honoured, times without one are UTC, fractions are kept to the microsecond, all else is no time."""
    raw(con, [(written,)])
    told = mapping("sessions", {"session_id": "'s'", "started_at": "a"})
    assert staged(con, told, "started_at") == [(read,)]


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("to_timestamp(1772359200)", "2026-03-01 10:00:00+00:00"),
        ("TIMESTAMPTZ '2026-03-01 10:00:00+00'", "2026-03-01 10:00:00+00:00"),
        ("TIMESTAMP '2026-03-01 10:00:00.5'", "2026-03-01 10:00:00.5+00:00"),
        ("strptime('01/03/2026 10:00', '%d/%m/%Y %H:%M')", "2026-03-01 10:00:00+00:00"),
        ("DATE '2026-03-01'", "2026-03-01 00:00:00+00:00"),
        ("TIMESTAMP_NS '2026-03-01 10:00:00.123456789'", "2026-03-01 10:00:00.123456+00:00"),
    ],
)
def test_typed_times_do_not_depend_on_the_session(con: duckdb.DuckDBPyConnection, expression: str, read: str) -> None:
    """An expression may give a timestamp; the zone of the session does not move it."""
    raw(con, [("x",)])
    told = mapping("sessions", {"session_id": "'s'", "started_at": expression})
    assert staged(con, told, "started_at") == [(read,)]


@settings(max_examples=100, deadline=None)
@given(moment=st.datetimes(timezones=st.timezones(no_cache=False)).filter(lambda one: 1900 <= one.year <= 2100))
def test_staged_times_cast_back_exactly(shared: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    """Any instant written with its offset comes back to the microsecond in a session of another zone."""
    raw(shared, [(str(moment),)])
    told = mapping("sessions", {"session_id": "'s'", "started_at": "a"})
    expected = moment.astimezone(UTC).replace(tzinfo=None)
    assert staged(shared, told, "timezone('UTC', started_at::TIMESTAMPTZ)") == [(expected,)]


def test_local_times_are_read_in_the_zone_of_the_mapping(con: duckdb.DuckDBPyConnection) -> None:
    """Berlin is an hour ahead in winter and two in summer; 2024-03-31 02:30 never was, 2024-10-27 02:30 was twice."""
    raw(
        con,
        [
            ("2024-01-15 12:00",),
            ("2024-07-15 12:00",),
            ("2024-07-15 12:00Z",),
            ("2024-03-31 02:30",),
            ("2024-10-27 02:30",),
        ],
    )
    told = mapping("sessions", {"session_id": "line::VARCHAR", "started_at": "a"}, time_zone="Europe/Berlin")
    assert stage(con, told, "sessions", staged="staged") == Staged(rows=5, ambiguous_times=1)
    assert con.execute("SELECT started_at FROM staged ORDER BY _row").fetchall() == [
        ("2024-01-15 11:00:00+00:00",),
        ("2024-07-15 10:00:00+00:00",),
        ("2024-07-15 12:00:00+00:00",),
        ("not a time",),
        ("2024-10-27 01:30:00+00:00",),
    ]


def test_days_are_utc_days(con: duckdb.DuckDBPyConnection) -> None:
    """A day stays as written, a local time gives its own day, one with offset its UTC day; other text is left alone."""
    raw(con, [("2026-03-01",), ("2026-03-01 00:30:00",), ("2026-03-01T00:30:00+02:00",), ("1 March",)])
    columns = {"person_id": "a", "product": "'p'", "feature": "'all'", "active": "true", "date": "a"}
    told = mapping("usage_daily", columns, time_zone="Europe/Berlin")
    assert staged(con, told, "date") == [("2026-03-01",), ("2026-03-01",), ("2026-02-28",), ("1 March",)]


def test_the_order_of_versions_is_that_of_their_texts(con: duckdb.DuckDBPyConnection) -> None:
    """Times with and without fraction, in any offset, and whole numbers of any length sort as what they mean."""
    told = mapping("identities", {"alias_id": "line::VARCHAR", "person_id": "a"}, version="a")
    for in_order in (
        ["2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.05Z", "2026-01-01T00:00:00.5Z"],
        ["9", "10", "1700000000000"],
        ["a", "b"],
    ):
        raw(con, [(text,) for text in in_order])
        versions = [row[0] for row in staged(con, told, "_version")]
        assert versions == sorted(versions)
        assert len(set(versions)) == len(in_order)


def test_records_may_be_unnested(con: duckdb.DuckDBPyConnection) -> None:
    """A FROM clause of its own makes several rows of one line; their order is the same at any number of threads."""
    raw(con, [('["x", "y", "z"]',), ("[]",), ('["w"]',)])
    select = "(SELECT line, unnest(json_extract_string(a, '$[*]')) AS item FROM raw)"
    lateral = "raw, unnest(json_extract_string(a, '$[*]')) AS u(item)"  # comes out of DuckDB the other way round
    expected = [(1, 1, "P(x)"), (2, 1, "P(y)"), (3, 1, "P(z)"), (4, 4, "P(w)")]
    for clause in (select, lateral):
        told = mapping("identities", {"alias_id": "item", "person_id": "item"}, **{"from": clause})
        for threads in (1, 4):
            con.execute(f"SET threads = {threads}")
            assert staged(con, told, "_row, _line, alias_id") == expected


def test_rows_of_a_large_file_keep_their_order(con: duckdb.DuckDBPyConnection) -> None:
    """With many blocks and threads _row still counts along the lines."""
    con.execute("SET threads = 4")
    con.execute("CREATE TEMP TABLE raw AS SELECT range + 1 AS line, range::VARCHAR AS a FROM range(400000)")
    told = mapping("identities", {"alias_id": "a", "person_id": "a"}, where="line % 3 <> 0")
    stage(con, told, "identities", staged="staged")
    wrong = con.execute("SELECT count(*) FROM staged WHERE _row <> _line - _line // 3").fetchall()
    assert wrong == [(0,)]


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        (
            {"alias_id": "login"},
            {},
            r"M020  table identities, column alias_id: found the unknown column 'login'",
        ),
        (
            {"alias_id": "lowr(a)"},
            {},
            r"M020  table identities, column alias_id: found the unknown function 'lowr', .*mean lower",
        ),
        ({"alias_id": "a ||"}, {}, r"M020  table identities, column alias_id: Parser Error"),
        ({"alias_id": "random()"}, {}, r"M020  table identities, column alias_id: .*volatile"),
        ({}, {"where": "stat = 1"}, r"M020  table identities, where: found the unknown column 'stat'"),
        ({}, {"version": "updated"}, r"M020  table identities, version: found the unknown column 'updated'"),
        ({}, {"from": "rows"}, r"M020  table identities, from: Catalog Error"),
    ],
)
def test_what_does_not_bind_is_a_configuration_error(
    con: duckdb.DuckDBPyConnection, columns: dict[str, str], more: dict[str, str], message: str
) -> None:
    """Table, part and what was found there are named."""
    raw(con, [("x",)])
    told = mapping("identities", {"alias_id": "a", "person_id": "a", **columns}, **more)
    with pytest.raises(ConfigurationError, match=message):
        stage(con, told, "identities", staged="staged")


def test_a_configuration_error_names_the_line_of_the_yaml(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The place is that of the expression in the user's file."""
    (tmp_path / "mine.yaml").write_text(
        "source: mine\ndescribes: x\nreader: csv\nfiles: ['*']\nrequired: [a]\ntables:\n  identities:\n    columns:\n"
        "      alias_id: a\n      person_id: b\n"
    )
    (told,) = load_mappings([tmp_path])
    (tmp_path / "x.csv").write_text("a\n1\n")
    read_raw(con, tmp_path / "x.csv", name="x.csv", mapping=told)
    with pytest.raises(ConfigurationError, match=r"mine\.yaml:10:7  M020  table identities, column person_id"):
        stage(con, told, "identities", staged="staged")


def test_an_error_shows_no_value(con: duckdb.DuckDBPyConnection) -> None:
    """A condition that fails on some record is named by its kind alone."""
    raw(con, [("secret",)])
    told = mapping("identities", {"alias_id": "a", "person_id": "a"}, where="a::INTEGER > 0")
    with pytest.raises(
        ConfigurationError, match=r"M021 .* from or where fails on some record \(Conversion\)"
    ) as caught:
        stage(con, told, "identities", staged="staged")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
