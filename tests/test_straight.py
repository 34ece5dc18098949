"""Large files that are loaded while they are read end as they do the long way: rows, quarantine, lines and counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from pipeline import ingest, straight
from pipeline.ingest import Ingest, take_in
from pipeline.sources import file_source
from pipeline.sources.bytes_check import DEFAULT_LIMITS
from pipeline.sources.mapping import SourceMapping
from pipeline.sources.plan import Plan
from pipeline.tables import load_tables
from pipeline.warehouse.connection import create_schemas, open_warehouse
from pipeline.warehouse.receive import receive

NOW = datetime(2026, 11, 1, tzinfo=UTC)
COLUMNS = {
    "call_id": "id", "person_id": "who", "kind": "kind", "environment": "env", "started_at": "begun",
    "ended_at": "until",
    "latency_s": "try_cast(ms as double) / 1000", "is_batch": "batch", "tokens_out": "tokens", "cost_reported": "cost",
    "status": "status", "prompt_name": "prompt",
}  # fmt: skip
RAW = ("id", "who", "kind", "env", "begun", "until", "ms", "batch", "tokens", "cost", "status", "prompt")
ODD = {
    "id": (" i{}", "i{} ", "e\u0301{}", ""),
    "who": ("P{} ", "\xa0p{}", "P\xc4{}"),
    "kind": ("model ", "tool", "thing"),
    "env": ("\u2003x", "x\u200b", " ", "pro duction"),
    "begun": ("2026-01-05T09:12:33", "2026-13-05T09:12:33Z", "2026-01-05 09:12:33 +02:00", "2027-01-01T00:00:00Z",
              "epoch"),
    "until": ("", "2026-01-05T09:12:33z", "2025-01-05T09:12:33Z"),
    "ms": ("nan", "-5", "x", "1e400", " 7"),
    "batch": ("yes", "1", "maybe"),
    "tokens": ("12.0", "1.5", "007", "-3", "1e3", "0x1F", "9223372036854775808"),
    "cost": ("0.1234567890123456789", "-1", "1_000"),
    "status": ("", "OK", " ok"),
    "prompt": ("a  b", "b\t", "\u1e9b\u0323"),
}  # fmt: skip


def plain_row(at: int) -> dict[str, str]:
    """A row that needs no mending and breaks no rule."""
    return {
        "id": f"i{at}", "who": f"p{at % 7}@x.example", "kind": "model", "env": "production", "ms": str(at * 1.5),
        "begun": f"2026-01-05T09:{at // 60 % 60:02}:{at % 60:02}.123Z", "until": "2026-01-06T00:00:00Z",
        "batch": "false",
        "tokens": str(at), "cost": f"0.{at:08}", "status": "ok", "prompt": "answer",
    }  # fmt: skip


def rows_with_odd_ones(rows: int = 600, every: int = 12) -> list[dict[str, str]]:
    """Rows of which one in so many has one or two odd values, after some plain ones."""
    chance, made = random.Random(5), []
    for at in range(rows):
        row = plain_row(at)
        if at % every == every - 1:
            for name in chance.sample(RAW, chance.choice((1, 1, 2))):
                row[name] = chance.choice(ODD[name]).format(at)
        made.append(row)
    return made


def write_csv(path: Path, rows: list[dict[str, str]], mark: str = ",", before: str = "") -> None:
    """Values with quotes where one may need them."""
    lines = [before + mark.join(RAW)]
    for row in rows:
        lines.append(mark.join(f'"{row[name]}"' if {" ", mark} & {*row[name]} else row[name] for name in RAW))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    """Numbers as numbers, nothing where nothing is said."""
    import json

    def value(name: str, text: str) -> object:
        return int(text) if name == "tokens" and text.isdigit() and text[0] != "0" else text or None

    path.write_text("".join(json.dumps({name: value(name, row[name]) for name in RAW}) + "\n" for row in rows))


def write_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    """All texts."""
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t({', '.join(f'{name} VARCHAR' for name in RAW)})")
        con.executemany(
            f"INSERT INTO t VALUES ({', '.join('?' * len(RAW))})", [[row[n] or None for n in RAW] for row in rows]
        )
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def write_typed_parquet(path: Path, rows: list[dict[str, str]]) -> None:
    """With types of their own, not a number and infinity among them, and what no type of ours holds."""
    write_parquet(path, rows)
    with duckdb.connect() as con:
        con.execute("SET TimeZone='UTC'")
        con.execute(
            f"""CREATE TABLE t AS SELECT * REPLACE (try_cast(begun AS TIMESTAMPTZ) AS begun,
                try_cast(until AS TIMESTAMPTZ) AS until, try_cast(ms AS DOUBLE) AS ms,
                try_cast(batch AS BOOLEAN) AS batch,
                try_cast(tokens AS INTEGER) AS tokens, try_cast(cost AS DECIMAL(30, 20)) AS cost) FROM '{path}'"""
        )
        con.execute("UPDATE t SET begun = 'infinity' WHERE id = 'i5'; UPDATE t SET ms = 'inf' WHERE id = 'i7'")
        con.execute("UPDATE t SET prompt = 'a' || chr(0) || 'b' WHERE id = 'i9'")
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")


WRITERS: dict[str, Callable[[Path, list[dict[str, str]]], None]] = {
    "csv": write_csv, "semicolon.csv": partial(write_csv, mark=";"), "tab.csv": partial(write_csv, mark="\t"),
    "titled.csv": partial(write_csv, before="Calls of May\n\nby gateway, all\n"),
    "jsonl": write_jsonl, "parquet": write_parquet, "typed.parquet": write_typed_parquet,
}  # fmt: skip


def mapping(kind: str, **more: object) -> SourceMapping:
    """A mapping of calls, for the kinds of files that are written here."""
    reader = kind.rpartition(".")[2]
    laid_out = {"delimiter": {"semicolon.csv": ";", "tab.csv": "\t"}.get(kind, ","),
                "header_line": {"titled.csv": 4}.get(kind, 1)}  # fmt: skip
    more = laid_out | more
    table: dict[str, Any] = {"columns": COLUMNS, "totals": ["tokens_out", "cost_reported"]}
    table |= {key: more.pop(key) for key in ("where", "version", "from") if key in more}
    said = {"source": "gateway", "describes": "x", "reader": "csv", "also": ["jsonl", "parquet"], "files": ["calls*"]}
    told = SourceMapping.model_validate(
        said | {"required": RAW, "tables": {"calls": table}, "time_zone": "Europe/Berlin"} | more
    )
    (one,) = [one for one in told.formats() if one.reader == reader]
    return one


@lru_cache
def empty_warehouse() -> bytes:
    """A warehouse with all its tables, made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with open_warehouse(path) as con:
            create_schemas(con)
        return path.read_bytes()


def taken(folder: Path, work: Path, told: SourceMapping) -> dict[str, list[Any]]:
    """Everything that is in the warehouse after taking in a folder."""
    work.write_bytes(empty_warehouse())
    with open_warehouse(work, key=b"k" * 32, memory_limit="1GB") as con:
        con.execute("SET threads = 3")
        arrivals = list(receive(folder, work.parent / "received"))
        counts = take_in(Ingest(con, (told,), "1", 1, NOW), arrivals)
        queries = {
            "core": "SELECT * EXCLUDE (_load_id) REPLACE "
            "(started_at::VARCHAR AS started_at, ended_at::VARCHAR AS ended_at) FROM core.calls ORDER BY _file, _line",
            "history": "SELECT count(*) FROM history.calls",
            "quarantine": "SELECT file_hash, table_name, line, reason FROM ledger.quarantine ORDER BY ALL",
            "loads": "SELECT * EXCLUDE (load_id) FROM ledger.loads ORDER BY ALL",
            **{
                name: f"SELECT * FROM ledger.{name} ORDER BY ALL"
                for name in ("files", "arrivals", "totals", "warnings")
            },
        }
        return {name: con.execute(sql).fetchall() for name, sql in queries.items()} | {"counts": [counts]}


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Files of more than fifty records are large, and parted; says of each whether it was taken straight."""
    went: list[bool] = []
    take = ingest._take_straight

    def noted(*given: Any) -> bool:
        went.append(take(*given))
        return went[-1]

    monkeypatch.setattr(straight, "PANDERA_UP_TO_ROWS", 50)
    monkeypatch.setattr(file_source, "_LEAST_PART", 50)
    monkeypatch.setattr(ingest, "_take_straight", noted)
    yield went


def both(tmp_path: Path, told: SourceMapping, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, list[Any]], ...]:
    """What is there after the straight way, and after the long one."""
    found = taken(tmp_path / "in", tmp_path / "straight.duckdb", told)
    monkeypatch.setattr(ingest, "_take_straight", lambda *_: False)
    return found, taken(tmp_path / "in", tmp_path / "long.duckdb", told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The exports."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize("kind", WRITERS)
def test_odd_rows_among_plain_ones(
    tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One row in twelve is odd in some column: what is loaded, quarantined, counted and summed is the same."""
    WRITERS[kind](folder / f"calls.{kind}", rows_with_odd_ones())
    quick, long = both(tmp_path, mapping(kind), monkeypatch)
    assert went == [True]
    assert quick == long
    assert 10 < len(long["quarantine"]) < 50
    assert len(long["core"]) + len(long["quarantine"]) == 600


def test_semicolons_and_decimal_commas(
    tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Costs as spreadsheets write them: 300 rows of 0,00000000 to 0,00000299 and a thousand cost 1000,00044850."""
    monkeypatch.setitem(COLUMNS, "cost_reported", "replace(replace(cost, '.', ''), ',', '.')")
    rows = [row | {"cost": row["cost"].replace(".", ",")} for row in map(plain_row, range(300))]
    write_csv(folder / "calls.csv", [*rows, plain_row(300) | {"cost": "1.000,00"}], mark=";")
    quick, long = both(tmp_path, mapping("semicolon.csv"), monkeypatch)
    assert went == [True]
    assert quick == long
    assert len(long["core"]) == 301
    assert any(Decimal("1000.00044850") in row for row in long["totals"]), long["totals"]


@pytest.mark.parametrize("kind", ["csv", "semicolon.csv", "jsonl"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\ufeff\n"], ids=["LF", "CR LF", "BOM"])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_records_keep_their_lines_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, ends: str, threads: int
) -> None:
    """A file read in parts side by side has the records of the file read in order, each with its line."""
    monkeypatch.setattr(file_source, "_LEAST_PART", 1)
    path, told = tmp_path / f"calls.{kind}", mapping(kind)
    quoted = 'say "a, b" ' if kind == "jsonl" else 'say ""a, b"" '
    rows = [plain_row(at) | {"prompt": quoted} for at in range(200)]
    WRITERS[kind](path, rows)
    begin, end = ends[: ends.startswith("\ufeff")], ends.removeprefix("\ufeff")
    path.write_bytes((begin + path.read_text(encoding="utf-8").replace("\n", end)).encode())
    plan = Plan(told, load_tables()["calls"], told.tables["calls"])
    with duckdb.connect() as con:
        con.execute(f"SET preserve_insertion_order = false; SET threads = {threads}")
        source = file_source.file_source(con, path, name=path.name, plan=plan, limits=DEFAULT_LIMITS)
        assert source is not None
        assert source.records == 200
        for parts in (1, 2, 3, 7, 199):
            sql = source.in_parts(parts)
            found = con.execute(f"SELECT line - {source.header_lines}, id, prompt FROM {sql} ORDER BY ALL").fetchall()
            assert found == [(at + 1, f"i{at}", 'say "a, b" ') for at in range(200)]
            assert sql.count("read_csv") == -(-200 // -(-200 // parts))
        monkeypatch.setattr(file_source, "_LEAST_PART", 60)
        assert source.in_parts(7).count("read_csv") == 3, "as many parts as pay, where threads are more"


@pytest.mark.parametrize("change", [("\ni30,", "\n\ni30,"), ("\ni30,p", '\ni30,"p\n"'), ("\ni30,p", '\ni30,p"')])
def test_a_file_whose_lines_may_not_be_its_records_is_read_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    """An empty line, a line end in a value, a quotation mark alone: lines that are passed over might be no records."""
    monkeypatch.setattr(file_source, "_HEAD", 500)
    monkeypatch.setattr(file_source, "_LEAST_PART", 1)
    path, told = tmp_path / "calls.csv", mapping("csv")
    write_csv(path, [plain_row(at) for at in range(200)])
    plan = Plan(told, load_tables()["calls"], told.tables["calls"])
    with duckdb.connect() as con:

        def reads() -> int:
            source = file_source.file_source(con, path, name=path.name, plan=plan, limits=DEFAULT_LIMITS)
            return source.in_parts(3).count("read_csv") if source else 0

        assert reads() == 3
        path.write_text(path.read_text().replace(*change))
        assert reads() == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_plain_files_and_files_with_marks_of_other_scripts(
    tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A file of ASCII alone is looked at less closely; one letter beyond it, or one tab, must not change a row."""
    rows = [plain_row(at) for at in range(200)]
    for at, text in ((10, "x"), (20, "x "), (30, "Cafe\u0301"), (40, "x\t")):
        part = [row | {"id": f"{row['id']}+{at}", "prompt": text if row["id"] == f"i{at}" else "x"} for row in rows]
        WRITERS[kind](folder / f"calls_{at}.{kind}", part)
    quick, long = both(tmp_path, mapping(kind), monkeypatch)
    assert went == [True] * 4
    assert quick == long


def test_where_and_version(tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that the mapping does not want are no rows; a version stands beside the row."""
    write_csv(folder / "calls.csv", rows_with_odd_ones(every=20))
    quick, long = both(tmp_path, mapping("csv", where="id <> 'i3' AND tokens <> '40'", version="until"), monkeypatch)
    assert went == [True]
    assert quick == long
    assert {row[0] for row in long["core"]}.isdisjoint({"i3", "i40"})


def broken_lines(path: Path) -> None:
    """A value with a line end in it, far from the beginning."""
    write_csv(path, [plain_row(at) | ({"prompt": "a\n b"} if at == 400 else {}) for at in range(500)])


def blank_line(path: Path) -> None:
    """A blank line far from the beginning, and the last row is bad."""
    write_csv(path, [plain_row(at) | ({"tokens": "-1"} if at == 499 else {}) for at in range(500)])
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:300], "", *lines[300:]]))


def short_line(path: Path) -> None:
    """A record of too few columns."""
    write_csv(path, [plain_row(at) for at in range(500)])
    path.write_text(path.read_text().replace("\ni300,", "\ni300\ni301x,"))


def twins(path: Path) -> None:
    """Two rows of one key and other values, and two that are the same."""
    rows = [plain_row(at) for at in range(500)]
    write_csv(path, [*rows, rows[3] | {"tokens": "77"}, rows[4]])


def odd_twin(path: Path) -> None:
    """An odd row has the key of a plain one."""
    rows = [plain_row(at) for at in range(500)]
    write_csv(path, [*rows, rows[3] | {"id": " i3"}])


def mostly_bad(path: Path) -> None:
    """After a good beginning more rows are bad than a file may have: it is held back whole."""
    write_csv(path, [plain_row(at) | ({"tokens": "-1"} if at > 4_200 else {}) for at in range(6_000)])


def mostly_odd(path: Path) -> None:
    """Local times in every row."""
    write_csv(path, [plain_row(at) | {"begun": "2026-01-05T09:12:33"} for at in range(500)])


@pytest.mark.parametrize(
    "make",
    [broken_lines, blank_line, short_line, twins, odd_twin, mostly_bad, mostly_odd],
    ids=lambda one: one.__name__,
)
def test_what_is_not_straight_goes_the_long_way(
    tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    """Nothing of the attempt is left, and the file ends as if it had not been tried."""
    make(folder / "calls.csv")
    quick, long = both(tmp_path, mapping("csv"), monkeypatch)
    assert went == [False]
    assert quick == long
    assert long["files"]


def test_a_second_file_with_rows_of_the_first(
    tmp_path: Path, folder: Path, went: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is taken straight, the second meets it: equal rows are duplicates, others are told with their place."""
    rows = [plain_row(at) for at in range(5_000)]
    write_csv(folder / "calls1.csv", rows[:4_500])
    write_csv(
        folder / "calls2.csv", [*[row | {"id": "n" + row["id"]} for row in rows], rows[9], rows[8] | {"tokens": "1"}]
    )
    quick, long = both(tmp_path, mapping("csv"), monkeypatch)
    assert went == [True, False]
    assert quick == long
    assert long["counts"][0].duplicate == 1
    assert [row[3] for row in long["quarantine"]] == ["other values under the same key as calls1.csv:10"]
