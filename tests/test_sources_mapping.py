"""The mapping language: what a YAML may say, and how every mistake is reported with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.sources import codes
from pipeline.sources.binding import examine_bound
from pipeline.sources.mapping import PACKAGE_SOURCES, SourceMapping, load_mappings, mappings_hash

GOOD = """\
source: answers
describes: Answers of a survey
reader: csv
files: ["*answers*.csv"]
required: [id, kind, at]
optional: [points]
time_zone: Europe/Berlin
tables:
  feedback:
    where: "kind <> 'test'"
    columns:
      feedback_id: id
      kind: kind
      responded_at: at
      score: points
"""


def write(folder: Path, text: str, name: str = "answers.yaml") -> Path:
    """A folder `sources` that holds one mapping."""
    folder = folder if folder.name == "sources" else folder / "sources"
    folder.mkdir(exist_ok=True, parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, text: str) -> list[str]:
    """What loading that one mapping complains about, one line each."""
    with pytest.raises(ConfigurationError, match="The source mappings cannot be used") as caught:
        load_mappings([write(folder, text)])
    return [str(problem) for problem in caught.value.problems]


def test_a_mapping_says_what_its_yaml_says(tmp_path: Path) -> None:
    """Every key of the language arrives in the record, and defaults fill the rest."""
    (mapping,) = load_mappings([write(tmp_path, GOOD)])
    assert (mapping.source, mapping.reader, mapping.files) == ("answers", "csv", ("*answers*.csv",))
    assert mapping.known == ("id", "kind", "at", "points")
    assert (mapping.time_zone, mapping.final_newline, mapping.ignore, mapping.records) == (
        "Europe/Berlin",
        True,
        None,
        None,
    )
    feedback = mapping.tables["feedback"]
    assert (feedback.from_, feedback.where, feedback.version) == ("raw", "kind <> 'test'", None)
    assert feedback.columns["responded_at"] == "at"
    assert mapping.where("tables", "feedback", "columns", "score") == "sources/answers.yaml:15:7"


def test_scalars_stay_the_text_that_was_written(tmp_path: Path) -> None:
    """`1`, `true`, `null` and `no` are expressions as they stand, not numbers and truth values of YAML."""
    text = GOOD.replace("score: points", "score: 1\n      confirmed: true\n      channel: null\n      session_id: no")
    (mapping,) = load_mappings([write(tmp_path, text)])
    columns = mapping.tables["feedback"].columns
    assert [columns[name] for name in ("score", "confirmed", "channel", "session_id")] == ["1", "true", "null", "no"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("optional: [points]", "optinal: [points]", "6:1  M001  found the unknown key 'optinal', expected one "
         "of source, describes, reader, also, delimiter, header_line, files, required, optional, records, ignore, "
         "nulls, time_zone, final_newline, quarantine_limit, mark, relations, tables, did you mean optional?"),
        ("    where:", "    wehre:", "10:5  M001  found the unknown key 'wehre', expected one of from, where, "
         "version, columns, totals, did you mean where?"),
        ("describes: Answers of a survey\n", "", "1:1  M002  found the mapping without it, expected the key "
         "'describes'"),
        ("reader: csv", "reader: xls", "3:1  M003  found reader: 'xls', expected 'csv', 'json', 'jsonl', "
         "'parquet' or 'trec'"),
        ("source: answers", "source: replies", "1:1  M004  found 'replies', expected 'answers', the name of the "
         "file"),
        ("optional:", "ignore: not ours\noptional:", "9:1  M005  found both tables and ignore, expected one of "
         "them: tables to fill, or the reason to ignore the file"),
        ("Europe/Berlin", "Europe/Berlim", "7:1  M006  found 'Europe/Berlim', expected a time zone such as "
         "Europe/Berlin, did you mean Europe/Berlin?"),
        ("optional:", 'records: "$.rows"\noptional:', "6:1  M007  found records with the reader csv, expected "
         "records only with the reader json"),
        ("reader: csv", 'reader: csv\ndelimiter: ":"', "4:1  M003  found delimiter: ':', expected "
         "',', ';', '\\t' or '|'"),
        ("reader: csv", 'reader: jsonl\ndelimiter: ";"', "4:1  M016  found a delimiter with the reader jsonl, expected "
         "a delimiter only with the reader csv"),
        ("reader: csv", "reader: jsonl\nheader_line: 3", "4:1  M016  found a header_line with the reader jsonl, "
         "expected a header_line only with the reader csv"),
        ("optional: [points]", "optional: [points, id]", "5:1  M009  found 'id' twice, expected every column "
         "once"),
        ("  feedback:", "  feedbacks:", "9:3  M010  found the unknown table 'feedbacks', expected a table of "
         "docs/tables.md, did you mean feedback?"),
        ("      score:", "      scores:", "15:7  M011  found the unknown column 'scores', expected a column of "
         "feedback, did you mean score?"),
        ("      feedback_id: id\n", "", "11:5  M012  found no expression for feedback_id, expected one, as it is "
         "part of the key of feedback"),
        ("      kind: kind\n", "", "11:5  M013  found no expression for kind, expected one, as every row of "
         "feedback needs it"),
        ("      kind: kind", '      kind: "null"', "13:7  M015  found 'null' for kind, expected an expression over the "
         "export, as every row of feedback needs it: Which question"),
        ("      feedback_id: id", "      feedback_id: NULL::varchar", "12:7  M015  found 'NULL::varchar' for "
         "feedback_id, expected an expression over the export, as it is part of the key of feedback: The answer"),
        ("      score: points", "      score: points\n    totals: [score]", "16:14  M014  found 'score', expected "
         "a column of exact amounts or counts"),
        ("      score: points", "      score: points\n    totals: [confirmed]", "16:14  M014  found 'confirmed', "
         "expected a column mapped for feedback"),
    ],
)  # fmt: skip
def test_one_mistake_gives_exactly_its_message(tmp_path: Path, before: str, after: str, expected: str) -> None:
    """Break one thing in a good mapping: one problem, with file, line, what was found and what was expected."""
    assert GOOD.count(before) == 1
    assert problems(tmp_path, GOOD.replace(before, after)) == [f"sources/answers.yaml:{expected}"]


def test_a_wrong_key_hides_no_other_mistake(tmp_path: Path) -> None:
    """Unknown keys, a missing description and a zone that is none, and what is wrong in the tables as well.

    A key that is spelled wrong counts as the one that is meant, so that no column is called unknown for it.
    """
    text = GOOD.replace("optional: [points]", "optinal: [points]\nseparator: tabs\nfinal_newline: perhaps")
    text = text.replace("describes: Answers of a survey\n", "").replace("      kind: kind\n", "")
    text = text.replace("score: points", "scores: points").replace("responded_at: at", "responded_at: att")
    found, wrong = examine_bound([write(tmp_path, text)])
    told = [(one.where.removeprefix("sources/answers.yaml:"), one.code) for one in wrong]
    assert told == [
        ("1:1", "M002"), ("5:1", "M001"), ("6:1", "M001"), ("7:1", "M003"), ("12:5", "M013"), ("14:7", "M020"),
        ("15:7", "M011"),
    ]  # fmt: skip
    assert [one.source for one in found] == ["answers"]
    beyond = problems(tmp_path, GOOD.replace("reader: csv", "reader: xls\nsort: id"))
    assert [line.split("  ")[1] for line in beyond] == ["M003", "M001"]


def test_a_mapping_without_fingerprint_is_refused(tmp_path: Path) -> None:
    """Without required columns any file of the right name would be loaded."""
    found = problems(tmp_path, GOOD.replace("required: [id, kind, at]\n", ""))
    assert found == [
        "sources/answers.yaml:1:1  M008  found no required columns, expected the columns or keys every such file has"
    ]


def test_columns_of_a_file_without_header_are_numbered(tmp_path: Path) -> None:
    """The reader trec names columns by their number, so the fingerprint is their count."""
    found = problems(tmp_path, GOOD.replace("reader: csv", "reader: trec"))
    assert found[0].startswith("sources/answers.yaml:5:1  M008  found [id, kind, at], expected [c1, c2, c3]")


def test_neither_tables_nor_ignore_is_refused(tmp_path: Path) -> None:
    """A mapping that does nothing is a mistake."""
    found = problems(tmp_path, GOOD[: GOOD.index("tables:")])
    assert found == [
        "sources/answers.yaml:1:1  M005  found neither tables nor ignore, expected one of them: tables to fill, or the "
        "reason to ignore the file"
    ]


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    """YAML would silently keep one of the two."""
    found = problems(tmp_path, GOOD.replace("      score: points", "      score: points\n      score: id"))
    assert len(found) == 1
    assert found[0].startswith("sources/answers.yaml:16:7")
    assert "the key 'score' again, first on line 15" in found[0]


def test_every_problem_of_every_file_is_listed(tmp_path: Path) -> None:
    """All mistakes are reported at once, not the first alone."""
    write(tmp_path, GOOD.replace("source: answers", "source: other"))
    write(tmp_path, GOOD.replace("Europe/Berlin", "Mars/Base").replace("answers\n", "second\n", 1), "second.yaml")
    with pytest.raises(ConfigurationError, match="Mars/Base") as caught:
        load_mappings([tmp_path / "sources"])
    assert [problem.code for problem in caught.value.problems] == [codes.WRONG_NAME, codes.UNKNOWN_ZONE]


def test_a_later_folder_replaces_a_source(tmp_path: Path) -> None:
    """A user's own mapping of the same id takes the place of the one before; a folder that is not there holds none."""
    first, second = write(tmp_path / "a", GOOD), write(tmp_path / "b", GOOD.replace("survey", "poll"))
    (mapping,) = load_mappings([first, second, tmp_path / "none"])
    assert mapping.describes == "Answers of a poll"


def test_the_hash_is_of_what_is_said(tmp_path: Path) -> None:
    """A comment leaves the hash as it is, another expression does not."""

    def digest(text: str) -> str:
        return mappings_hash(load_mappings([write(tmp_path, text)]))

    assert digest("# a comment\n" + GOOD) == digest(GOOD)
    assert digest(GOOD.replace("score: points", "score: id")) != digest(GOOD)


def test_the_package_mappings_are_all_valid() -> None:
    """Every mapping that comes with the package loads, and names and files are one to one."""
    mappings = load_mappings()
    assert {mapping.source for mapping in mappings} == {path.stem for path in PACKAGE_SOURCES.glob("*.yaml")}
    assert all(isinstance(mapping, SourceMapping) for mapping in mappings)


def test_every_code_has_a_meaning() -> None:
    """No problem carries a code that nothing explains."""
    declared = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert declared == set(codes.MEANINGS)


def test_mappings_are_read_again_when_their_text_changes(tmp_path: Path) -> None:
    """The same text is parsed once; another text of the same length and time of change is another mapping."""
    folder = write(tmp_path, GOOD)
    path, (first,) = folder / "answers.yaml", load_mappings([folder])
    stamp = path.stat().st_mtime_ns
    assert load_mappings([folder])[0] is first
    path.write_text(GOOD.replace("'test'", "'tset'"), encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    assert load_mappings([folder])[0].tables["feedback"].where == "kind <> 'tset'"
