"""Files are refused for their bytes, or for not being whole, with the reason and the place."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import bytes_check
from pipeline.sources.bytes_check import (
    Limits,
    LineFacts,
    ends_of_lines,
    inspect_bytes,
    inspect_complete,
    line_facts,
    sheet_names,
)
from pipeline.sources.mapping import SourceMapping

STILL = "(the file may still be being written)"


def mapping(reader: str, **more: object) -> SourceMapping:
    """A mapping of nothing, for its reader."""
    return SourceMapping.model_validate({"source": "some", "describes": "x", "reader": reader, "files": ["*"], **more})


def file(folder: Path, content: bytes) -> Path:
    """A file of that content."""
    path = folder / "export"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [b"a,b\n1,2\n", b"\xef\xbb\xbfa,b\r\n1,2\r\n", "größe,naïve,日本,🙂\n".encode(), b"x", b"PAR1 and more PAR1"],
    ids=["plain", "BOM and CR LF", "multi-byte", "one byte", "parquet"],
)
def test_good_bytes_pass(tmp_path: Path, content: bytes) -> None:
    """UTF-8 with or without BOM and with any line end is taken, and so is Parquet."""
    assert inspect_bytes(file(tmp_path, content)) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", f"empty: the file has no bytes {STILL}"),
        (b"name\nM\xfcller\n", "not UTF-8: byte 0xfc at offset 6; export it as UTF-8"),
        (b"a" * 10 + b"\0b\n", "a NUL byte at offset 10; text has none"),
        ("a,b\n".encode("utf-16"), "not UTF-8 text: it looks like UTF-16; export it as UTF-8"),
        (b"\x1f\x8b\x08rest", "not UTF-8 text: it looks like a gzip archive; export it as UTF-8"),
        (
            b"PK\x03\x04rest",
            "not UTF-8 text: it looks like a zip archive or a spreadsheet; unpack it, or save the "
            "sheet with the rows as CSV (UTF-8, set apart by commas)",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1",
            "not UTF-8 text: it is an old Excel workbook; save the sheet with the rows as CSV "
            "(UTF-8, set apart by commas)",
        ),
        ("café".encode()[:-1], f"incomplete: the file ends inside a character {STILL}"),
        (b"PAR1 half a file", f"incomplete: the Parquet file has no footer {STILL}"),
    ],
)
def test_bad_bytes_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    """What is wrong with the bytes is said, with the offset where there is one."""
    problem = inspect_bytes(file(tmp_path, content))
    assert problem is not None
    assert str(problem) == reason


def workbook(path: Path, *sheets: str) -> Path:
    """An Excel workbook as far as anybody looks: a zip archive whose directory names its parts."""
    named = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(sheets, start=1))
    with ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", f"<workbook><sheets>{named}</sheets></workbook>")
        for number in range(len(sheets)):
            archive.writestr(f"xl/worksheets/sheet{number + 1}.xml", "x" * 100_000)
    return path


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    """The message says which kind it is and what to save; an archive of anything else is none."""
    found = inspect_bytes(workbook(tmp_path / "a.xlsx", "Tickets", "R&amp;D"))
    told = "save the sheet with the rows as CSV (UTF-8, set apart by commas)"
    assert str(found) == f"not UTF-8 text: it is an Excel workbook; {told}"
    assert sheet_names(tmp_path / "a.xlsx") == ("Tickets", "R&D")
    with ZipFile(tmp_path / "b.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert str(inspect_bytes(tmp_path / "b.ods")) == f"not UTF-8 text: it is an OpenDocument spreadsheet; {told}"
    assert sheet_names(tmp_path / "b.ods") == ()
    with ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.csv", "a,b")
    assert "it looks like a zip archive" in str(inspect_bytes(tmp_path / "c.zip"))
    assert sheet_names(file(tmp_path, b"PK\x03\x04rest")) == ()


@pytest.mark.parametrize("before", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 5])
def test_offsets_are_right_across_chunks(tmp_path: Path, before: int) -> None:
    """A bad byte at, before and after the border of a chunk of a mebibyte has its offset in the whole file."""
    problem = inspect_bytes(file(tmp_path, b"a" * before + b"\xff" + b"a" * 9))
    assert problem is not None
    assert problem.reason == f"not UTF-8: byte 0xff at offset {before}; export it as UTF-8"


@pytest.mark.parametrize("before", [(1 << 20) - 1, (1 << 20) - 2])
def test_a_character_across_chunks_is_whole(tmp_path: Path, before: int) -> None:
    """A character of three bytes that lies on the border is no fault; with its last byte wrong it is one."""
    assert inspect_bytes(file(tmp_path, b"a" * before + "日".encode() + b"\n")) is None
    problem = inspect_bytes(file(tmp_path, b"a" * before + "日".encode()[:2] + b"\n"))
    assert problem is not None
    assert problem.reason == f"not UTF-8: a byte at offset {before}; export it as UTF-8"


def test_the_size_limit_counts_bytes(tmp_path: Path) -> None:
    """A file of the limit is taken, one byte more is not."""
    assert inspect_bytes(file(tmp_path, b"a" * 10), limits=Limits(max_bytes=10)) is None
    problem = inspect_bytes(file(tmp_path, b"a" * 11), limits=Limits(max_bytes=10))
    assert problem is not None
    assert problem.reason == "too large: 11 bytes where at most 10 are taken"


@pytest.mark.parametrize("reader", ["csv", "jsonl", "trec"])
def test_a_file_of_lines_ends_with_a_line_end(tmp_path: Path, reader: str) -> None:
    """Cut anywhere inside its last line the file is incomplete; whole, or declared to end so, it is not."""
    whole = b"a b\n{} 1\n"
    for cut in range(5, len(whole)):
        problem = inspect_complete(file(tmp_path, whole[:cut]), mapping=mapping(reader))
        assert problem is not None
        assert problem.reason == f"incomplete: the last line has no line end {STILL}"
        assert inspect_complete(tmp_path / "export", mapping=mapping(reader, final_newline=False)) is None
    assert inspect_complete(file(tmp_path, whole), mapping=mapping(reader)) is None


def test_a_file_cut_between_cr_and_lf_is_incomplete(tmp_path: Path) -> None:
    """Where all other lines end with both, a last CR is half a line end; where lines end with CR it is a whole one."""
    told = mapping("csv")
    assert inspect_complete(file(tmp_path, b"a\r\nb\r\n"), mapping=told) is None
    problem = inspect_complete(file(tmp_path, b"a\r\nb\r"), mapping=told)
    assert problem is not None
    assert problem.reason == f"incomplete: the last line has no line end {STILL}"
    for whole in (b"a\rb\r", b"a\r\nb\rc\r"):
        assert inspect_complete(file(tmp_path, whole), mapping=told) is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("limit", [1 << 20, (1 << 20) + 7, 3 << 20])
def test_the_line_limit_counts_bytes_of_a_line(tmp_path: Path, end: bytes, limit: int) -> None:
    """A line of the limit is taken and a longer one is not, first, in the middle or last, across chunks or not."""
    for lines in ([b"x" * limit, b"a"], [b"a", b"x" * limit, b"a"], [b"a", b"x" * limit]):
        path = file(tmp_path, end.join(lines) + end)
        assert inspect_complete(path, mapping=mapping("csv"), limits=Limits(max_line_bytes=limit)) is None
        problem = inspect_complete(path, mapping=mapping("csv"), limits=Limits(max_line_bytes=limit - 1))
        assert problem is not None
        assert problem.reason == f"too large: a line of more than {limit - 1} bytes"


def test_a_json_document_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """It is parsed as a whole, so it may not be as large as a file of lines; a long line of it is no matter."""
    path = file(tmp_path, b"[1]" + b" " * 97)
    assert (
        inspect_complete(path, mapping=mapping("json"), limits=Limits(max_document_bytes=100, max_line_bytes=1)) is None
    )
    problem = inspect_complete(path, mapping=mapping("json"), limits=Limits(max_document_bytes=99))
    assert problem is not None
    assert problem.reason == "too large: a JSON document of 100 bytes where at most 99 are taken"


def test_an_ignored_file_need_not_be_whole(tmp_path: Path) -> None:
    """Nothing of it is loaded, so nothing of it can be missing."""
    assert inspect_complete(file(tmp_path, b"cut"), mapping=mapping("csv", ignore="not ours")) is None


@pytest.mark.parametrize(
    ("content", "lines", "is_uniform"),
    [
        (b"a\nb\n", 2, True),
        (b"a\r\nb\r\n", 2, True),
        (b"a\rb\r", 2, False),
        (b"a\nb", 2, True),
        (b"a\r\nb\nc\rd\r\n", 4, False),
        (b"a" * ((1 << 20) - 1) + b"\r\n" + b"b\r\n", 2, True),
    ],
    ids=["LF", "CR LF", "CR", "no end", "mixed", "CR LF across chunks"],
)
def test_lines_are_counted_whatever_ends_them(tmp_path: Path, content: bytes, lines: int, is_uniform: bool) -> None:
    """LF, CR LF and CR each end one line; only LF alone and CR LF alone can be read as they are."""
    facts = line_facts(file(tmp_path, content))
    assert (facts.lines, facts.is_uniform) == (lines, is_uniform)


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.sampled_from(["a", '"', '""', "\n", "\r\n", "b,"]), max_size=30).map("".join), st.integers(1, 7))
def test_lines_that_are_empty_and_quotation_marks_that_stay_open(text: str, size: int) -> None:
    """Counted in chunks of any size as over all lines at once."""
    facts, content = LineFacts(), text.encode()
    for at in range(0, len(content), size):
        facts.take(content[at : at + size])
    ended = text.replace("\r\n", "\n").split("\n")[:-1]
    assert facts.has_blank == ("" in ended)
    assert facts.is_quoted_by_line == all(line.count('"') % 2 == 0 for line in ended)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(["a", "bb", "\n", "\r\n"]), max_size=30).map("".join), st.integers(1, 7))
def test_lines_are_found_where_they_end(text: str, size: int) -> None:
    """The bytes between two ends are the line, in chunks of any size; what is behind the last line is empty."""
    content = text.encode()
    lines = [*BytesIO(content)]
    asked = [*range(len(lines) + 2)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytes_check, "_CHUNK", size)
        ends = ends_of_lines(file(Path(folder), content), asked)
    found = [content[ends[line - 1] : ends[line]] for line in asked[1:]]
    assert found == [*lines, b""]
