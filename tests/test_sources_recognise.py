"""A file is taken for the source its name and its columns say, or refused with what differs."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from pipeline.sources.mapping import SourceMapping
from pipeline.sources.recognise import Recognition, recognise


def mapping(source: str, reader: str, files: str, required: str, **more: object) -> SourceMapping:
    """A mapping that only recognises."""
    told = {"describes": "x", "reader": reader, "files": [files], "required": required.split()}
    return SourceMapping.model_validate({"source": source, "ignore": "test", **told, **more})


LMS = mapping("lms_csv", "csv", "*lms*.csv", "user course assigned_at completed_at", optional=["score"])
FEEDBACK = mapping("feedback_csv", "csv", "*feedback*.csv", "user score")
SEATS = mapping("seats", "json", "*seats*.json", "login plan", records="$.seats")
EVENTS = mapping("events", "jsonl", "*.ndjson", "id day")
RUN = mapping("trec_run", "trec", "*.run", "c1 c2 c3 c4 c5 c6")
QRELS = mapping("trec_qrels", "trec", "*qrels*", "c1 c2 c3 c4")
ALL = (LMS, FEEDBACK, SEATS, EVENTS, RUN, QRELS)


def seen(folder: Path, name: str, text: str, mappings: tuple[SourceMapping, ...] = ALL) -> Recognition:
    """What a file of that name and text is taken for; the stored copy has another name, as in the pipeline."""
    path = folder / "0123abcd"
    path.write_text(text, encoding="utf-8")
    return recognise(path, name, mappings)


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [
        ("learn/LMS-export.csv", "user,course,assigned_at,completed_at\n", "lms_csv"),
        ("lms.csv", '\ufeff"completed_at","assigned_at","course","user"\r\n', "lms_csv"),
        ("seats.json", '{"total": 1, "seats": [{"login": "x", "plan": "y"}]}', "seats"),
        ("seats.json", '{"total": 0, "seats": []}', "seats"),
        ("a.ndjson", '\n{"id": 1, "day": "2026-01-01"}\n', "events"),
        ("a.ndjson", 'not json\n{"id": 1, "day": "2026-01-01"}\n', "events"),
        ("best.run", "301\tQ0\tFR940202-2-00150\t104\t  2.129133\tSTANDARD\n", "trec_run"),
        ("qrels.test", "301 0 CR93E-10279 0\n", "trec_qrels"),
    ],
)
def test_name_and_columns_make_a_source(tmp_path: Path, name: str, text: str, source: str) -> None:
    """Case of the name, order of the columns, BOM and quotes do not matter; a bad first line shows nothing."""
    found = seen(tmp_path, name, text)
    assert found.mapping is not None, found.reason
    assert (found.mapping.source, found.reason) == (source, "")


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [
        ("export (3).csv", "completed_at,user,course,assigned_at\n", "lms_csv"),
        ("export.json", '{"seats": [{"login": "x", "plan": "y", "id": 3}]}', "seats"),
        ("export.txt", '{"id": 1, "day": "2026-01-01"}\n{"id": 2, "day": "2026-01-02"}\n', "events"),
    ],
)
def test_columns_alone_make_a_source(tmp_path: Path, name: str, text: str, source: str) -> None:
    """A file nobody named is taken when exactly one source has such columns."""
    found = seen(tmp_path, name, text)
    assert found.mapping is not None, found.reason
    assert found.mapping.source == source


UNKNOWN = (
    "no source takes this file: neither its name nor its columns are known; a mapping in sources/ would take it: "
    "roi sources probe FILE --draft sources/NAME.yaml begins one"
)
SEMICOLONS = UNKNOWN.replace("sources/ would", 'sources/ with `delimiter: ";"` would')
NOTHING_TO_DRAFT = (
    "no source takes this file, and none can be drafted from it: it is no CSV of several columns, and holds no JSON or "
    "Parquet record; a mapping in sources/ that names it under `files` would take it, or pass it over with `ignore`"
)
SET_APART = 'its columns are set apart by semicolons where the mapping says commas; set `delimiter: ";"` in mapping'


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("lms.csv", "user,course,assigned_at,completedAt\n",
         "looks like lms_csv but column 'completed_at' is missing; found 'completedAt'"),
        ("other.csv", "user,course,assigned_at,completedAt\n",
         "looks like lms_csv but column 'completed_at' is missing; found 'completedAt'"),
        ("lms.csv", "User Name,course\n",
         "looks like lms_csv but columns 'user', 'assigned_at', 'completed_at' are missing"),
        ("lms.csv", "a@example.com,safety\n",
         "looks like lms_csv but columns 'user', 'course', 'assigned_at', 'completed_at' are missing"),
        ("seats.json", '{"seats": [{"login": "x"}]}', "looks like seats but key 'plan' is missing"),
        ("seats.json", '{"total": 3}', "looks like seats but there is no array at $.seats"),
        ("seats.json", '{"seats": ["x"]}', "looks like seats but its records are not JSON objects"),
        ("seats.json", '{"seats": [{"login": "x", "pl',
         "incomplete: it is not one whole JSON document (the file may still be being written)"),
        ("seats.json", "login,plan\n", "looks like seats but it is not a JSON document"),
        ("a.ndjson", "hello\n", "looks like events but no line of its beginning is a JSON object"),
        ("x.run", "301 Q0 FR94\n", "looks like trec_run but its first row has 3 columns where 6 were expected"),
        ("x.run", "301 1 FR94 1 2.0 tag\n", "looks like trec_run but the second column of its first row is not Q0"),
        ("qrels", "301 0 FR94 yes\n",
         "looks like trec_qrels but the last column of its first row is not a whole number"),
        ("other.csv", "alpha,beta\n", UNKNOWN),
        ("other.json", '[{"alpha": 1}]', UNKNOWN),
        ("other.csv", "alpha;beta\n1,5;2,5\n", SEMICOLONS),
        ("other.csv", "alpha|beta\n", UNKNOWN.replace("sources/ would", 'sources/ with `delimiter: "|"` would')),
        ("plain.txt", "301 Q0 FR940202 104 2.1 STANDARD\n", NOTHING_TO_DRAFT),
        ("empty.json", "[]", NOTHING_TO_DRAFT),
        ("README.md", "# Title\n\nWords.\n", NOTHING_TO_DRAFT),
        ("lms.csv", "user;course;assigned_at;completed_at\n", f"looks like lms_csv but {SET_APART}"),
        ("other.csv", "course;user;completed_at;assigned_at\na;b;c,d;e\n", f"looks like lms_csv but {SET_APART}"),
        ("lms.csv", "user\tcourse\tassigned_at\tcompletedAt\n",
         "looks like lms_csv but its columns are set apart by tabs where the mapping says commas; set "
         "`delimiter: \"\\t\"` in mapping; then column 'completed_at' is missing; found 'completedAt'"),
        ("lms.csv", "name;class\n",
         f"looks like lms_csv but {SET_APART}; then columns 'user', 'course', 'assigned_at', "
         "'completed_at' are missing"),
        ("lms.csv", "Report of May\n\nuser,course,assigned_at,completed_at\na,b,c,d\n",
         "looks like lms_csv but its header stands on line 3 where the mapping says 1; set "
         "`header_line: 3` in mapping"),
        ("other.csv", "sep=;\nuser;course;assigned_at;completedAt\na;b;c;d\n",
         "looks like lms_csv but its columns are set apart by semicolons where the mapping says commas and its header "
         'stands on line 2 where the mapping says 1; set `delimiter: ";"` and `header_line: 2` in mapping; then column '
         "'completed_at' is missing; found 'completedAt'"),
        ("other.csv", "Report, October\nalpha,beta,gamma\n1,2,3\n2,3,4\n",
         UNKNOWN.replace("sources/ would", "sources/ with `header_line: 2` would")),
    ],
)  # fmt: skip
def test_a_refusal_says_what_differs(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """The nearest source and the difference are named; of the file, only names like the missing ones are shown."""
    found = seen(tmp_path, name, text)
    assert (found.mapping, found.reason) == (None, reason)


def test_a_mapping_of_semicolons_takes_those_alone(tmp_path: Path) -> None:
    """In any order of the columns, under any name; a file with commas is told what it has and which key to set."""
    german = mapping("german", "csv", "*umfrage*.csv", "Nutzer Note", delimiter=";")
    for name, text in (("umfrage.csv", "Nutzer;Note\na;1,5\n"), ("x.csv", "Note;Ort, Land;Nutzer\n2,5;b;a\n")):
        assert seen(tmp_path, name, text, (FEEDBACK, german)).mapping == german
    told = seen(tmp_path, "umfrage.csv", "Nutzer,Note\na,1\n", (FEEDBACK, german)).reason
    assert told == (
        "looks like german but its columns are set apart by commas where the mapping says semicolons; "
        'set `delimiter: ","` in mapping'
    )


def test_new_columns_are_warned_of(tmp_path: Path) -> None:
    """A column the mapping does not know is no reason to refuse the file; after ten they are counted, with `*` none."""
    loaded = LMS.model_copy(update={"ignore": None})
    header = "user,course,assigned_at,completed_at,score,mood"
    assert seen(tmp_path, "lms.csv", f"{header}\n", (loaded,)).warnings == ("new column 'mood'",)
    anything = loaded.model_copy(update={"optional": ("*",)})
    assert seen(tmp_path, "lms.csv", f"{header}\n", (anything,)).warnings == ()
    many = header + "".join(f",n{number}" for number in range(12))
    warnings = seen(tmp_path, "lms.csv", f"{many}\n", (loaded,)).warnings
    assert (len(warnings), warnings[-1]) == (11, "3 more new columns")


def test_the_most_specific_source_wins(tmp_path: Path) -> None:
    """Of two sources that fit, the one that requires more is meant."""
    wide = mapping("wide_feedback", "csv", "*feedback*.csv", "user score comment")
    for order in ((FEEDBACK, wide), (wide, FEEDBACK)):
        found = seen(tmp_path, "feedback.csv", "user,score,comment\n", order)
        assert found.mapping is wide


def test_a_tie_is_refused(tmp_path: Path) -> None:
    """Two sources that fit equally well are both named, in the order of the alphabet."""
    twin = mapping("answers_csv", "csv", "*feedback*.csv", "score user")
    found = seen(tmp_path, "feedback.csv", "user,score\n", (FEEDBACK, twin))
    assert found.mapping is None
    assert found.reason == (
        "ambiguous: answers_csv and feedback_csv take this file equally well; make their `files` differ"
    )


def test_a_name_with_pattern_signs_is_only_a_name(tmp_path: Path) -> None:
    """Brackets, stars and question marks in the name of a file match nothing but themselves."""
    assert seen(tmp_path, "lms[1]*?.csv", "user,course,assigned_at,completed_at\n").mapping is LMS
    assert seen(tmp_path, "[l]ms.csv", "alpha\n").reason == NOTHING_TO_DRAFT


def test_a_document_is_not_read_whole_for_its_first_record(tmp_path: Path) -> None:
    """An array shows its first record even when it is cut later: that it is cut shows when it is read."""
    array = mapping("rows", "json", "*.json", "a b")
    assert seen(tmp_path, "x.json", '[{"a": 1, "b": 2}, {"a"', (array,)).mapping is array


def test_many_documents_are_not_one(tmp_path: Path) -> None:
    """JSON lines are no document, and a document over several lines is no JSON lines."""
    one = mapping("one", "json", "*.json", "id day")
    two_lines = '{"id": 1, "day": 2}\n{"id": 1, "day": 2}\n'
    assert (
        seen(tmp_path, "x.json", two_lines, (one,)).reason == "looks like one but it holds more than one JSON document"
    )
    assert seen(tmp_path, "x.txt", two_lines, (one, EVENTS)).mapping is EVENTS
    pretty = json.dumps({"id": 1, "day": 2}, indent=2)
    assert seen(tmp_path, "x.txt", pretty, (one, EVENTS)).mapping is one


def test_parquet_is_recognised_by_its_columns(tmp_path: Path) -> None:
    """The footer is read through the connection; a damaged one is an incomplete file."""
    con = duckdb.connect()
    path = tmp_path / "x.parquet"
    con.execute(f"COPY (SELECT 1 AS id, 2 AS day) TO '{path}' (FORMAT parquet)")
    lake = mapping("lake", "parquet", "*.parquet", "id day")
    assert recognise(path, "x.parquet", [lake], con=con).mapping is lake
    path.write_bytes(path.read_bytes()[:40] + b"\x01\x00\x00\x00PAR1")
    reason = recognise(path, "x.parquet", [lake], con=con).reason
    assert reason == "incomplete: its Parquet footer cannot be read (the file may still be being written)"
