"""The language of measures: what it says, what it refuses, and that its SQL counts the same rows on a database."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure


@pytest.mark.parametrize(
    ("text", "aggregate", "column", "predicate", "columns"),
    [
        ("sum(is_error)", "sum", "is_error", None, ("is_error",)),
        ("count(*)", "count", "*", None, ()),
        ("distinct(person_id)", "distinct", "person_id", None, ("person_id",)),
        ("  sum ( a )  ", "sum", "a", None, ("a",)),
        ("count(*) where status = 'error'", "count", "*", "status = 'error'", ("status",)),
        ("distinct(p) where p is not null", "distinct", "p", "p is not null", ("p",)),
        ("sum(a) where b IN (1, 2) AND NOT c", "sum", "a", "b in (1, 2) and not c", ("a", "b", "c")),
        ("sum(a) where b != 'it''s' or c >= -1.5", "sum", "a", "b <> 'it''s' or c >= -1.5", ("a", "b", "c")),
        ("sum(a) where (b < c)", "sum", "a", "b < c", ("a", "b", "c")),
        ("sum(a) where b not in ('x')", "sum", "a", "b not in ('x')", ("a", "b")),
        ("sum(a) where (b or c) and d = true", "sum", "a", "(b or c) and d = true", ("a", "b", "c", "d")),
        ("sum(a) where b or c and d", "sum", "a", "b or (c and d)", ("a", "b", "c", "d")),
        ("sum(a) where not (b = 1 or c is null)", "sum", "a", "not (b = 1 or c is null)", ("a", "b", "c")),
        ("sum(a) where ((b)) and (c and d)", "sum", "a", "b and c and d", ("a", "b", "c", "d")),
    ],
)
def test_measures_are_read(
    text: str, aggregate: str, column: str, predicate: str | None, columns: tuple[str, ...]
) -> None:
    """A measure has an aggregate, a column, a condition in one spelling, and the columns it uses."""
    measure = parse_measure(text)
    assert (measure.aggregate, measure.column, measure.predicate) == (aggregate, column, predicate)
    assert measure.columns == columns
    assert parse_measure(measure.text()) == measure


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("", "''", "sum\\(column\\), count\\(\\*\\) or distinct\\(column\\)"),
        ("is_error", "'is_error'", "sum\\(column\\)"),
        ("avg(a)", "avg\\(a\\)", "sum\\(column\\)"),
        ("count(a)", "count\\(a\\)", "count\\(\\*\\) where a is not null"),
        ("count(distinct a)", "count\\(distinct a\\)", "count\\(\\*\\)"),
        ("sum(*)", "sum\\(\\*\\)", "the name of one column inside sum"),
        ("sum(a, b)", "sum\\(a, b\\)", "the name of one column"),
        ("sum(a + b)", "sum\\(a \\+ b\\)", "the name of one column"),
        ('sum("a")', 'sum\\("a"\\)', "the name of one column"),
        ("sum(a) / sum(b)", "sum\\(a\\) / sum\\(b\\)", "each with or without"),
        ("sum(a) filter (where b)", "filter", "each with or without"),
        ("sum(a); drop table x", "drop table", "each with or without"),
        ("sum(a) where", "nothing after `where`", "a condition such as"),
        ("sum(a) where ;", "';' after", "one condition"),
        ("sum(a) where b = 1; drop table x", "drop table", "one condition"),
        ("sum(a) where b = 1 or", "'b = 1 or' after", "a complete condition"),
        ("sum(a) where b = 'x", "after `where`", "a complete condition"),
        ("sum(a) where b = 1 limit 1", "after `where`", "a complete condition"),
        ("sum(a) where b = 1 -- c", "a comment", "without comments"),
        ("sum(a) where b /* c */ = 1", "a comment", "without comments"),
        ("sum(a) where b between 1 and 2", "BETWEEN", "columns and literals joined by"),
        ("sum(a) where b like 'x%'", "LIKE", "columns and literals joined by"),
        ("sum(a) where b in (select 1)", "SELECT", "`column in \\(literal, ...\\)`"),
        ("sum(a) where b in (select c from d)", "SELECT", "`column in \\(literal, ...\\)`"),
        ("sum(a) where b in (c)", "b IN", "`column in \\(literal, ...\\)`"),
        ("sum(a) where b in c", "b IN", "`column in \\(literal, ...\\)`"),
        ("sum(a) where b in ()", "b IN", "`column in \\(literal, ...\\)`"),
        ("sum(a) where b in unnest(c)", "UNNEST", "`column in \\(literal, ...\\)`"),
        ("sum(a) where exists(select 1)", "EXISTS", "columns and literals joined by"),
        ("sum(a) where b = 1 union select 1", "UNION", "columns and literals joined by"),
        ("sum(a) where lower(b) = 'x'", "LOWER", "columns and literals joined by"),
        ("sum(a) where read_text('f') = 'x'", "READ_TEXT", "columns and literals joined by"),
        ("sum(a) where b + 1 = 2", "b \\+ 1", "columns and literals joined by"),
        ("sum(a) where b::int = 2", "CAST", "columns and literals joined by"),
        ("sum(a) where b = date '2026-01-01'", "CAST", "columns and literals joined by"),
        ("sum(a) where b = current_date", "CURRENT_DATE", "columns and literals joined by"),
        ("sum(a) where case when b then c end", "CASE", "columns and literals joined by"),
        ("sum(a) where b = ?", "\\?", "columns and literals joined by"),
        ("sum(a) where b = $1", "\\$1", "the name of a column"),
        ("sum(a) where b = 1 as c", "AS c", "columns and literals joined by"),
        ("sum(a) where b = 0x1F", "x1F", "columns and literals joined by"),
        ("sum(a) where b = 1e", "1e", "a number such as"),
        ("sum(a) where x.b = 1", "x.b", "the name of a column"),
        ('sum(a) where "B" = 1', '"B"', "the name of a column"),
        ("sum(a) where Status = 1", "Status", "the name of a column"),
        ("sum(a) where 1 = 1", "1 = 1", "a column on one side"),
        ("sum(a) where true", "TRUE", "columns and literals joined by"),
        ("sum(a) where 1", "1", "columns and literals joined by"),
        ("sum(a) where b = null", "null, which is never true", "`is null`"),
        ("sum(a) where b in (1, null)", "null, which is never true", "`is null`"),
        ("sum(a) where b is true", "b IS TRUE", "`column is null`"),
        ("sum(a) where 1 is null", "1 IS NULL", "`column is null`"),
        ("sum(a) where b < c < d", "b < c", "columns and literals joined by"),
        ("sum(a) where " + "(" * 150 + "b" + ")" * 150, "after|\\(", "at most 20 levels"),
        ("sum(a) where " + "not " * 90 + "b", "not not", "at most 20 levels"),
    ],
)
def test_everything_else_is_refused(text: str, found: str, expected: str) -> None:
    """Nothing outside the language gets through, and the refusal says what was found and what was expected."""
    with pytest.raises(ExpressionError, match=f"(?s)found .*{found}.*expected .*{expected}"):
        parse_measure(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("sums(a)", "sum"), ("Count(*)", "count"), ("distnct(a)", "distinct"), ("avg(a)", None)]
)
def test_a_misspelt_aggregate_is_guessed(text: str, meant: str | None) -> None:
    """The nearest aggregate is offered, and none when nothing is near."""
    with pytest.raises(ExpressionError, match="expected sum") as caught:
        parse_measure(text)
    assert caught.value.meant == meant


@pytest.mark.parametrize(
    ("text", "with_filter", "with_case"),
    [
        ("sum(a)", "sum(a)", "sum(a)"),
        ("count(*)", "count(*)", "count(*)"),
        ("distinct(a)", "count(distinct a)", "count(distinct a)"),
        ("sum(a) where b = 1", "sum(a) filter (where b = 1)", "sum(case when b = 1 then a end)"),
        ("count(*) where b = 1", "count(*) filter (where b = 1)", "count(case when b = 1 then 1 end)"),
        (
            "distinct(a) where b = 1",
            "count(distinct a) filter (where b = 1)",
            "count(distinct case when b = 1 then a end)",
        ),
    ],
)
def test_sql_of_a_measure(text: str, with_filter: str, with_case: str) -> None:
    """The SQL uses FILTER, or CASE where an engine has no FILTER."""
    assert (parse_measure(text).sql(), parse_measure(text).sql(filter=False)) == (with_filter, with_case)


ROWS = [(a, b, s) for a in (None, 1, 2, 3) for b in (None, 0, 1) for s in (None, "x", "it's")]
LEAVES = st.sampled_from(
    ["a = 1", "a <> 2", "a < 3", "2 <= a", "a > b", "a >= -1", "a in (1, 3)", "a not in (2)",
     "s = 'it''s'", "s is null",
     "s is not null", "b = 1", "not b = 0", "s in ('x', 'y')", "not s in ('x')"]
)  # fmt: skip
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    """Every combination of three small columns, with nulls."""
    connection = duckdb.connect()
    connection.execute("create table t (a integer, b integer, s varchar)")
    connection.executemany("insert into t values (?, ?, ?)", ROWS)
    return connection


@settings(max_examples=150, deadline=None, derandomize=True)
@given(condition=CONDITIONS)
def test_the_rendered_condition_means_what_was_written(rows: duckdb.DuckDBPyConnection, condition: str) -> None:
    """On a database the canonical SQL, with FILTER and with CASE, counts the rows that the written text counts."""
    measure = parse_measure(f"count(*) where {condition}")
    sql = f"select count(*) filter (where {condition}), {measure.sql()}, {measure.sql(filter=False)} from t"
    written, with_filter, with_case = rows.cursor().execute(sql).fetchall()[0]
    assert written == with_filter == with_case


@given(text=st.text(max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_text_is_a_measure_or_an_error(text: str) -> None:
    """No text ends in anything but a measure or an ExpressionError."""
    for candidate in (text, f"sum(a) where {text}"):
        try:
            assert isinstance(parse_measure(candidate), Measure)
        except ExpressionError as error:
            assert error.found
            assert error.expected
