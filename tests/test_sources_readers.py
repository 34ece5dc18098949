"""Every reader gives each record its line, and each record it cannot read one reason without a value."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.bytes_check import FileRefusedError
from pipeline.sources.mapping import SourceMapping
from pipeline.sources.readers import RawFile, read_raw


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared() -> Iterator[duckdb.DuckDBPyConnection]:
    """One database for the many examples of a property."""
    with duckdb.connect(config={"memory_limit": "1GB"}) as connection:
        yield connection


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One path that every example of a property writes anew."""
    return tmp_path_factory.mktemp("property") / "x.csv"


def mapping(reader: str, required: str, **more: object) -> SourceMapping:
    """A mapping that only reads."""
    told = {"source": "some", "describes": "x", "reader": reader, "files": ["*"], "required": required.split()}
    return SourceMapping.model_validate({**told, **more})


def read(
    con: duckdb.DuckDBPyConnection, path: Path, content: str | bytes, told: SourceMapping, columns: str
) -> tuple[RawFile, list[tuple[object, ...]], list[tuple[int, str]]]:
    """Write the file, read it, and return counts, records and malformed records in file order."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    counts = read_raw(con, path, name=f"some/{path.name}", mapping=told)
    records = con.execute(f"SELECT {columns} FROM raw").fetchall()
    return counts, records, con.execute("SELECT line, reason FROM raw_malformed ORDER BY line").fetchall()


CSV = mapping("csv", "a b c", optional=["d"])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_csv_lines_count_every_physical_line(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, start: str, end: str
) -> None:
    """Line ends inside quotes, blank lines and malformed records all count, with every kind of line end and a BOM."""
    lines = ["a,b,c", "1,x,2", '3,"p', "q", 'r",4', "", "5,6", '7,"a ""b"", c",8', "9,10,11,12", "é,,", ""]
    counts, records, malformed = read(con, tmp_path / "x.csv", start + end.join(lines), CSV, "line, a, b, c, d")
    inner = end if end == "\r\n" else "\n"  # a file of CR alone is read through a copy with LF
    assert records == [
        (2, "1", "x", "2", None),
        (3, "3", f"p{inner}q{inner}r", "4", None),
        (8, "7", 'a "b", c', "8", None),
        (10, "é", None, None, None),
    ]
    assert malformed == [(7, "2 columns where 3 were expected"), (9, "4 columns where 3 were expected")]
    assert counts == RawFile(records_in=6, malformed=2)


def test_csv_with_mixed_line_ends_is_read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """DuckDB alone gives up on these; the stored file is left as it was."""
    content = 'a,b,c\r\n1,2,3\n4,"5\r\nx",6\r7,8,9\n'
    _, records, malformed = read(con, tmp_path / "x.csv", content, CSV, "line, a, b, c")
    assert records == [(2, "1", "2", "3"), (3, "4", "5\nx", "6"), (5, "7", "8", "9")]
    assert (malformed, (tmp_path / "x.csv").read_bytes()) == ([], content.encode())


def test_csv_columns_are_bound_by_name(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Reordered columns hold the same values; new ones may stand between them."""
    _, straight, _ = read(con, tmp_path / "x.csv", "a,b,c\n1,2,3\n", CSV, "a, b, c")
    _, turned, _ = read(con, tmp_path / "y.csv", "c,new,b,a\n3,0,2,1\n", CSV, "a, b, c")
    assert straight == turned == [("1", "2", "3")]


def test_csv_headers_are_made_unique(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Names twice, in another case, empty, with quotes, or those of `raw` itself get a suffix or a number."""
    content = 'category,Category,,line,it\'s ""so"", file_name \n1,2,3,4,5,6\n'.replace('""', '"')
    told = mapping("csv", "category")
    _, records, _ = read(
        con, tmp_path / "x.csv", content, told, "category, Category_1, column3, line_1, file_name_1, line"
    )
    assert records == [("1", "2", "3", "4", "6", 2)]


def test_csv_with_a_header_over_two_lines(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The first record begins after the whole header."""
    told = mapping("csv", "b")
    _, records, _ = read(con, tmp_path / "x.csv", '"a\nz",b\n1,2\n', told, "line, b")
    assert records == [(3, "2")]


def test_csv_without_records_is_empty(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A header alone is a file of no records, not a failure."""
    assert read(con, tmp_path / "x.csv", "a,b,c\n", CSV, "*") == (RawFile(0, 0), [], [])


def test_csv_quotes_that_do_not_end(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """An open quote takes the rest of the file with it as one malformed record; what came before is kept."""
    _, records, malformed = read(con, tmp_path / "x.csv", 'a,b,c\n1,2,3\n4,"5,6\n7,8,9\n', CSV, "line, a")
    assert (records, malformed) == ([(2, "1")], [(3, "a quoted value does not end properly")])


def test_csv_whose_records_cannot_be_told_apart_is_refused(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Where quotes are so broken that two readings of the file differ in its records, no line would be sure."""
    content = 'a,b,c\n"open,1," "\n" ",NULL,"\n,"\n  ,",,",""\n"p,","open,""""\nz,z,1\n'
    with pytest.raises(FileRefusedError, match="cannot be read as csv: its quotes do not balance"):
        read(con, tmp_path / "x.csv", content, CSV, "*")


def test_csv_reasons_hold_no_value(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Whatever a malformed record holds, none of it is repeated."""
    content = 'a,b,c\nsecret\nsecret,"secret"secret,secret\nsecret,secret,secret,secret\n'
    _, _, malformed = read(con, tmp_path / "x.csv", content, CSV, "*")
    assert len(malformed) == 3
    assert not any("secret" in reason for _, reason in malformed)


_VALUE = st.one_of(
    st.sampled_from(["", "x", " ", "é", "NULL", "0"]),
    st.lists(st.sampled_from(["p", '"', ",", ";", "\t", "\n", "q"]), max_size=4).map("".join),
)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(_VALUE, min_size=1, max_size=5), max_size=6),
    blanks=st.lists(st.integers(0, 6), max_size=3),
    before=st.lists(st.sampled_from(["", "Report", 'of "May', '"May', 'a,b, "c', "a;b|c\td", "1,2,3"]), max_size=4),
)
def test_csv_agrees_with_the_csv_module(
    shared: duckdb.DuckDBPyConnection, shared_file: Path, mark: str, rows: list[list[str]], *, blanks: list[int],
    before: list[str],
) -> None:  # fmt: skip
    """Values and lines are those Python's csv module finds in any file it writes, with blank lines strewn in.

    Whatever sets its columns apart, and whatever stands before its header.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=mark, lineterminator="\n")
    writer.writerow("abc")
    for number, row in enumerate(rows):
        text.write("\n" * blanks.count(number))
        writer.writerow(row)
    reader, line, good, bad = csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=mark), 1, [], []
    for record in reader:
        width = len(record)
        while len(record) > 3 and not record[-1]:
            record.pop()  # empty fields beyond the last column are passed over
        if len(record) == 3:
            good.append((line + len(before), *(value or None for value in record)))
        elif record:
            bad.append((line + len(before), f"{width} columns where 3 were expected"))
        line = reader.line_num + 1
    whole = "".join(f"{one}\n" for one in before) + text.getvalue()
    told = CSV.model_copy(update={"delimiter": mark, "header_line": len(before) + 1})
    counts, records, malformed = read(shared, shared_file, whole, told, "line, a, b, c")
    assert (records, malformed) == (good[1:], bad)
    assert counts == RawFile(len(good) - 1 + len(bad), len(bad))


def test_csv_lines_are_right_in_a_large_file(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Over many blocks and threads every line stays what it is: each record says its own."""
    con.execute("SET threads = 4")
    chance, parts, line = random.Random(7), ["said,text,c\n"], 2
    for _ in range(150_000):
        kind = chance.random()
        record = f'{line},"{"p" * 40}\n{"q" * 40}",1\n' if kind < 0.02 else f"{line},{'p' * 60},2\n"
        record = f"{line}\n" if kind > 0.999 else "\n" if kind > 0.998 else record
        parts.append(record)
        line += record.count("\n")
    (tmp_path / "x.csv").write_text("".join(parts))
    counts = read_raw(con, tmp_path / "x.csv", name="x.csv", mapping=mapping("csv", "said text c"))
    wrong = con.execute("SELECT count(*) FROM raw WHERE said::BIGINT <> line").fetchall()
    in_order = con.execute(
        "SELECT count(*) FROM (SELECT line > lag(line, 1, 0) OVER () AS ok FROM raw) WHERE ok"
    ).fetchall()
    assert wrong == [(0,)]
    assert in_order == [(counts.records_in - counts.malformed,)]
    assert counts.malformed > 50


JSONL = mapping("jsonl", "id", optional=["deep", "a.b", "line"])


def test_jsonl_keys_are_text(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Numbers as written, nested values as JSON, null and absent as NULL, an empty text as it is; odd keys work."""
    content = '\ufeff{"id": 1.50, "deep": {"x": [1, "é"]}, "a.b": true, "line": "L"}\r\n{"id": "", "deep": null}\n'
    told = 'line, id, deep, "a.b", line_1, file_stem, file_name'
    _, records, malformed = read(con, tmp_path / "x.y.jsonl", content, JSONL, told)
    assert records == [
        (1, "1.5", '{"x":[1,"é"]}', "true", "L", "x.y", "x.y.jsonl"),
        (2, "", None, None, None, "x.y", "x.y.jsonl"),
    ]
    assert malformed == []


def test_jsonl_bad_lines_are_quarantined_alone(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """A line that is no JSON or no object is one malformed record; a blank one is none."""
    content = '{"id": 1}\n{"id": 2\n\n   \t\n[1]\n"secret"\n{"id": 7} {"id": 8}\n{"id": 8}\n'
    counts, records, malformed = read(con, tmp_path / "x.jsonl", content, JSONL, "line, id")
    assert records == [(1, "1"), (8, "8")]
    assert malformed == [
        (2, "not valid JSON"),
        (5, "not a JSON object"),
        (6, "not a JSON object"),
        (7, "not valid JSON"),
    ]
    assert counts == RawFile(6, 4)


def test_jsonl_odd_text_is_kept(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Quotes, commas, separators of Unicode and a line of two megabytes pass unchanged."""
    values = ['a,"b"', "x\u2028y", "'; DROP TABLE raw; --", "z" * 2_100_000]
    content = "".join(f'{{"id": {_quoted(value)}}}\n' for value in values)
    _, records, _ = read(con, tmp_path / "x.jsonl", content, JSONL, "line, id")
    assert records == list(enumerate(values, start=1))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def test_whole_records_are_kept_only_where_named(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """`record` holds prompts too, so it is there only for a mapping that uses it."""
    read(con, tmp_path / "x.jsonl", '{"id": 1, "prompt": "secret"}\n', JSONL, "line")
    assert "record" not in [row[0] for row in con.execute("DESCRIBE raw").fetchall()]
    scores = {"columns": {"score_id": "id", "metric": "record->>'$.m'", "created_at": "id"}}
    told = mapping("jsonl", "id", tables={"scores": scores})
    _, records, _ = read(con, tmp_path / "x.jsonl", '{"id": 1, "m": "grounded"}\n', told, "record->>'$.m'")
    assert records == [("grounded",)]


@pytest.mark.parametrize(
    ("records", "content"),
    [
        (None, '[{"id": 1}, 5, {"id": 3}]'),
        ("$.page.rows", '{"page": {"rows": [{"id": 1}, null, {"id": 3}]}}'),
        (None, '\ufeff [\n{"id":\n1},\n[],{"id": 3}]\n'),
    ],
)
def test_json_records_are_numbered(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, records: str | None, content: str
) -> None:
    """The line of a record of a document is its number; what is no object is malformed."""
    told = mapping("json", "id", records=records)
    counts, found, malformed = read(con, tmp_path / "x.json", content, told, "line, id")
    assert (found, malformed, counts) == ([(1, "1"), (3, "3")], [(2, "not a JSON object")], RawFile(3, 1))


def test_a_json_object_is_one_record(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Without a path to its records a document that is an object is the record."""
    told = mapping("json", "id")
    assert read(con, tmp_path / "x.json", '{"id": 9}', told, "line, id") == (RawFile(1, 0), [(1, "9")], [])
    assert read(con, tmp_path / "x.json", "[]", told, "line, id") == (RawFile(0, 0), [], [])


def test_a_cut_json_document_is_incomplete(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Cut at any byte before its last bracket, a document is refused as a whole and leaves nothing half read."""
    whole = '[{"id": 1}, {"id": 22}]'
    for cut in range(1, len(whole)):
        with pytest.raises(FileRefusedError, match="incomplete: it is not one whole JSON document"):
            read(con, tmp_path / "x.json", whole[:cut], mapping("json", "id"), "*")
    with pytest.raises(FileRefusedError, match=r"there is no array at \$\.rows"):
        read(con, tmp_path / "x.json", whole, mapping("json", "id", records="$.rows"), "*")


def test_trec_rows_are_split_at_white_space(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Tabs and runs of blanks are one border; a row of another width is malformed; blank lines are no rows."""
    content = "301\tQ0\tD-1\t1\t  2.5\tT\n\n 301 Q0 D-2 2 2.4 T \n301 Q0 D-3\n"
    told = mapping("trec", "c1 c2 c3 c4 c5 c6")
    counts, records, malformed = read(con, tmp_path / "x.run", content, told, "line, c1, c3, c5, c6")
    assert records == [(1, "301", "D-1", "2.5", "T"), (3, "301", "D-2", "2.4", "T")]
    assert (malformed, counts) == ([(4, "3 columns where 6 were expected")], RawFile(3, 1))


def test_parquet_columns_are_as_they_are(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Types stay, a column called line gives way, and an optional column that is not there is NULL."""
    path = tmp_path / "x.parquet"
    con.execute(f"COPY (SELECT range AS id, DATE '2026-01-01' AS day, 'L' AS line FROM range(3)) TO '{path}'")
    told = mapping("parquet", "id day", optional=["model"])
    assert read_raw(con, path, name="x.parquet", mapping=told) == RawFile(3, 0)
    rows = con.execute("SELECT line, id, typeof(day), line_1, model, file_stem FROM raw").fetchall()
    assert rows == [(number + 1, number, "DATE", "L", None, "x") for number in range(3)]


ODD_NAMES = [
    "a[1].csv",
    "a*.csv",
    "a?.csv",
    "{a,b}.csv",
    "a'b.csv",
    "a b;c.csv",
    "é ü.csv",
    "x=1.csv",
    "a%20#.csv",
    "-a.csv",
]


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize(
    ("reader", "content"), [("csv", "a\nMINE\n"), ("jsonl", '{"a": "MINE"}\n'), ("json", '[{"a": "MINE"}]')]
)
def test_a_path_is_never_a_pattern(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, reader: str, content: str
) -> None:
    """Beside a file that its name would match as a pattern, each file is read for itself alone."""
    folder = tmp_path / "ex[p]orts*"
    folder.mkdir()
    for other in ("a1.csv", "ab.csv", "a.csv", "b.csv"):
        (folder / other).write_text(content.replace("MINE", "OTHER"))
    _, records, _ = read(con, folder / name, content, mapping(reader, "a"), "a, file_name")
    assert records == [("MINE", name)]


def test_nothing_else_is_left_on_the_connection(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """After files of every kind, good and bad, only `raw` and `raw_malformed` are there."""
    read(con, tmp_path / "x.csv", "a,b,c\n1,2,3\n1\n", CSV, "*")
    read(con, tmp_path / "x.jsonl", '{"id": 1}\nx\n', JSONL, "*")
    with pytest.raises(FileRefusedError, match="incomplete"):
        read(con, tmp_path / "x.json", "[", mapping("json", "id"), "*")
    tables = con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
    assert tables == [("raw",), ("raw_malformed",)]
    assert con.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchall() == [(0,)]
