"""Rows that are staged and judged in one pass are those that the long way gives, value by value."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from pipeline.contracts import judge, judge_in_one_pass
from pipeline.sources.mapping import SourceMapping
from pipeline.sources.plan import Plan
from pipeline.sources.quick import is_quick, quick_rows
from pipeline.sources.stage import stage
from pipeline.tables import Table, parse_tables
from pipeline.warehouse.connection import open_warehouse

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KINDS = ("id", "text", "person", "category(ok|error)", "flag", "count", "seconds", "number, signed", "minutes",
         "money, signed", "price", "time", "date")  # fmt: skip
EVERY = parse_tables(
    "every:\n  meaning: One column of each type.\n  key: [c0]\n  not_future: [c11]\n  columns:\n"
    + "".join(f'    c{at}: [{kind}{", required" if at == 0 else ""}, "c"]\n' for at, kind in enumerate(KINDS)),
    where="tables.yaml",
)["every"]
SEP = "|"
PLAIN = (
    "a|ok|error|true|FALSE|7|-3|1.5|1e3|2026-01-05|2026-01-05T09:12:33Z|x@y.example|2026-01-05T09:12:33.123Z|"
    "2026-03-29T02:30:00|2026-01-05 09:12:33+02|12345678901234567890"
).split(SEP)
ODD = (
    "| |\t|\xa0a\xa0| ok |7 | 7|\u20037|e\u0301|\ufeffa|a\u200b|\xe9|Ok|nan|inf|-inf|1.50|007|+7|0x1F|1_000|"
    "9223372036854775808|0.000000000000001|1e400|2026-1-5|2026-13-05|2026-02-30T10:00:00Z|0000-01-01|"
    "10000-01-01|9999-12-31|9999-12-31T23:59:59Z|-026-01-05| 026-01-05T09:12:33Z|2026-01-05T09:12:33 Z|"
    "2026-01-05T24:00:00Z|2026-01-05T23:59:60Z|2026-01-05T9:12:33Z|2026-01-05T09:12:33.1Z|"
    "2026-01-05T09:12:33.123456Z|2026-01-05T09:12:33.1234567Z|epoch|infinity|2026-01-05T09:12:33z|"
    "2026-01-05T09:12:33.12aZ|2027-01-05T09:12:33Z|not a time|2026-01-05 09:12:33.12+00|2026-01-05 09:12:33+00|"
    "2026-01-05 09:12:33.+00|2026-01-05 09:12:33 +00|2026-01-05 09:12:33.1234567+00|2026-01-05 09:12:33.5 Z|"
    "\x1f7|a\x85|\u2028a"
).split(SEP)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database whose pseudonyms need the key."""
    with open_warehouse(Path(":memory:"), key=b"k" * 32, memory_limit="1GB") as con:
        yield con


@pytest.fixture(autouse=True)
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    """The staging knows the table of every type."""
    monkeypatch.setattr("pipeline.sources.stage.load_tables", lambda: {"every": EVERY})


def told(zone: str = "UTC", **more: str) -> SourceMapping:
    """A mapping of one column of the file to each column of the table."""
    columns = {column.name: column.name for column in EVERY.columns}
    table = {"columns": columns, **more}
    said = {"source": "every", "describes": "x", "reader": "csv", "files": ["*"], "required": list(columns)}
    return SourceMapping.model_validate(said | {"time_zone": zone, "tables": {"every": table}})


def fill(con: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]) -> None:
    """Make `raw` of rows of texts."""
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE raw(line BIGINT, {', '.join(f'{c} VARCHAR' for c in EVERY.column_names)})"
    )
    marks = ", ".join("?" * (len(EVERY.columns) + 1))
    con.executemany(f"INSERT INTO raw VALUES ({marks})", [(line, *row) for line, row in enumerate(rows, start=2)])


def both(
    con: duckdb.DuckDBPyConnection, mapping: SourceMapping, table: Table = EVERY
) -> tuple[list[object], list[object]]:
    """(line, version, values, reason) of every row, the long way and in one pass."""
    found: list[list[object]] = []
    listed = ", ".join(f"{name}::VARCHAR" for name in table.column_names)
    rows = f"SELECT _line, _version, {listed}, reason FROM typed LEFT JOIN bad USING (_row) ORDER BY _row"
    stage(con, mapping, "every", staged="staged")
    judge(con, table, staged="staged", typed="typed", verdicts="bad", now=NOW, pandera_up_to_rows=0)
    found.append(con.execute(rows).fetchall())
    quick = quick_rows(con, Plan(mapping, table, mapping.tables["every"]))
    staged = f"({quick.relation})"
    judge_in_one_pass(con, table, staged=staged, typed="typed", verdicts="bad", now=NOW, quick=quick.columns)
    return found[0], con.execute(rows).fetchall()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_every_odd_text_in_every_type(con: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Each text stands once in a column of each type; blanks, signs, spellings and broken times come out the same."""
    fill(con, [(text,) * len(KINDS) for text in (*PLAIN, *ODD)] + [(None,) * len(KINDS)])
    long, quick = both(con, told(zone))
    assert quick == long
    assert len(long) == len(PLAIN) + len(ODD) + 1


def test_texts_made_by_chance(con: duckdb.DuckDBPyConnection) -> None:
    """Three thousand rows of texts cut, glued and padded by chance, the same persons time and again."""
    chance, pool = random.Random(11), [*PLAIN, *ODD]

    def text() -> str | None:
        one, other = chance.choice(pool), chance.choice(pool)
        cut = chance.randrange(len(one) + 1)
        return chance.choice([one, one[:cut], one[:cut] + chance.choice("0 9Z-:T.é") + one[cut:], one + other, None])

    rows = [tuple(text() if at != 2 else chance.choice(pool) for at in range(len(KINDS))) for _ in range(3_000)]
    fill(con, rows)
    long, quick = both(con, told(where="c0 IS NOT NULL", version="c11"))
    assert quick == long
    assert con.execute("SELECT count(*) FROM duckdb_types() WHERE type_name = 'raw_people_c2'").fetchall() == [(1,)]


def test_only_rows_that_are_records_are_quick() -> None:
    """What unnests or joins makes several rows of a line."""
    assert is_quick(Plan(told(), EVERY, told().tables["every"]))
    unnested = told(**{"from": "(SELECT * FROM raw)"})
    assert not is_quick(Plan(unnested, EVERY, unnested.tables["every"]))
