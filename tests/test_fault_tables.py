"""Random tables written as CSV, JSON lines, JSON and Parquet come in as what was written, in all four the same.

`make proof-faults` tries a thousand, the test suite a dozen. What is expected is worked out by the standard library.
Rows of CSV are judged by the pandera schema and those of the other formats by the SQL of the same rules, as large files
are, so that both are held to the same rows.
"""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from fault_room import FORMATS, Bench, Row, template, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import judging
from pipeline.contracts import judge

TABLES = int(os.environ.get("ROI_PROOF_TABLES", "12"))
BLANKS = "".join(map(chr, [*range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028,
                           0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF]))  # fmt: skip
"""What is no content at either end of a text: white space of Unicode, the zero-width space and the byte-order mark."""

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")
TRICKY = st.sampled_from(
    ['"', '""', "'", ",", ";", "\n", "\t", "\\", "\\n", "NULL", "null", "=1", " ", "\u00a0", "e\u0301"]
)
TEXTS = st.lists(st.one_of(TRICKY, st.text(LETTERS, max_size=6)), max_size=4).map("".join)
COUNTS = st.one_of(st.integers(0, 10), st.integers(0, 2**63 - 1))
AMOUNTS = st.builds(
    lambda whole, places: Decimal(whole).scaleb(-places), st.integers(0, 10**26 - 1), st.integers(12, 14)
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2026, 5, 30), timezones=ZONES)


@st.composite
def records(draw: st.DrawFn) -> dict[str, object]:
    """One record of every type; what is not there is None, and an empty text is written as one."""
    return {
        "text": draw(st.none() | TEXTS), "count": draw(st.none() | COUNTS), "amount": draw(st.none() | AMOUNTS),
        "at": draw(TIMES), "flag": draw(st.none() | st.booleans()),
        "number": draw(st.none() | st.floats(0, allow_nan=False, allow_infinity=False)),
    }  # fmt: skip


def as_text(value: object) -> str | None:
    """A value as an export writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return None if value is None else str(value)


def normal(text: object) -> str | None:
    """A text as it is kept: in normal form C, without blanks around it, nothing when nothing is left."""
    return unicodedata.normalize("NFC", str(text)).strip(BLANKS) or None if text is not None else None


def expected(number: int, record: dict[str, object]) -> tuple[object, ...]:
    """The canonical row of a record."""
    at = record["at"]
    assert isinstance(at, datetime)
    return (f"r{number}", normal(record["text"]), record["count"], record["amount"],
            at.astimezone(UTC).replace(tzinfo=None), record["flag"], record["number"])  # fmt: skip


FOUND = """SELECT call_id, model, tokens_out, cost_reported, timezone('UTC', started_at), response_cache_hit, latency_s
  FROM core.calls ORDER BY len(call_id), call_id"""


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Bench]]:
    """A warehouse for each format, emptied after each table."""
    folder = tmp_path_factory.mktemp("tables")
    empty = template(folder)
    made = {form: Bench(folder / f"in-{form}", form, empty) for form in FORMATS}
    yield made
    for bench in made.values():
        bench.con.close()


def _by_sql(*arguments: object, **named: object) -> None:
    judge(*arguments, **named, pandera_up_to_rows=-1)  # type: ignore[arg-type]


def taken(bench: Bench, rows: list[Row]) -> list[tuple[object, ...]]:
    """The canonical rows of one table; the warehouse and the folder are left as they were."""
    path = bench.exports / bench.name("traffic")
    with pytest.MonkeyPatch.context() as patched:
        if bench.form != "csv":
            patched.setattr(judging, "judge", _by_sql)
        bench.night({path.name: written(rows, bench.form)})
    told = bench.rows("SELECT status, reason FROM ledger.files") + bench.refused()
    assert told == [("loaded", "")], told
    found = bench.rows(FOUND)
    for table in ("core.calls", "ledger.files", "ledger.arrivals", "ledger.loads", "ledger.quarantine"):
        bench.con.execute(f"DELETE FROM {table}")
    path.unlink()
    return found


def test_random_tables_come_in_as_they_were_written(benches: dict[str, Bench]) -> None:
    """Any script, quotes and line ends, nothing and the empty text, extreme numbers, times of any offset."""
    tried = []

    @settings(max_examples=TABLES, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(records(), min_size=1, max_size=6))
    def come_in(table: list[dict[str, object]]) -> None:
        rows: list[Row] = [
            {"id": f"r{n}", **{name: as_text(one) for name, one in record.items()}} for n, record in enumerate(table)
        ]
        wanted = [expected(n, record) for n, record in enumerate(table)]
        for form, bench in benches.items():
            assert taken(bench, rows) == wanted, form
        tried.append(len(table))

    come_in()
    assert len(tried) >= TABLES
    logging.info("%d random tables of %d rows: all four formats gave the rows written", len(tried), sum(tried))
