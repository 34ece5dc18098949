"""The traps of YAML: each is refused with its place, or read as the text that stands there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.catalog.document import (
    MAX_BYTES,
    MAX_DEPTH,
    _parsed_carefully,
    _parsed_fast,
    parse_document,
    plain_scalar,
)
from pipeline.catalog.load import load_catalog, read_catalog
from pipeline.catalog.model import Catalog, Role, Target
from pipeline.errors import ConfigurationError, Problem

ROOT = Path(__file__).resolve().parent.parent
ROLE = (
    "version: 1\nroles:\n  head:\n    title: Head\n    layer: strategic\n    tier: 2\n    question: Why?\nmetrics: {}\n"
)


def problems_of(folder: Path, content: str | bytes) -> list[Problem]:
    """What reading the content as a catalogue file finds."""
    path = folder / "metrics_catalog.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return list(read_catalog(path).problems)


def test_the_smallest_catalogue_is_read(tmp_path: Path) -> None:
    """The text the traps are set in is sound."""
    assert problems_of(tmp_path, ROLE) == []


@pytest.mark.parametrize(
    ("content", "at", "code", "message"),
    [
        pytest.param(
            ROLE.replace("    tier: 2\n", "    tier: 2\n    tier: 3\n"), ":7:5", "C005",
            "found the key 'tier' again, first on line 6, expected every key once", id="duplicate key",
        ),
        pytest.param(
            ROLE.replace("metrics: {}\n", "roles: {}\nmetrics: {}\n"), ":8:1", "C005",
            "found the key 'roles' again, first on line 2, expected every key once", id="duplicate section",
        ),
        pytest.param(
            ROLE.replace("title: Head", "title: &a Head"), ":4:12", "C006",
            "found the anchor &a, expected the value written out where it is needed", id="anchor",
        ),
        pytest.param(
            ROLE.replace("title: Head", "title: *a"), ":4:12", "C006",
            "found the alias *a, expected the value written out; aliases are refused", id="alias",
        ),
        pytest.param(
            ROLE.replace("title: Head", "title: !!str Head"), ":4:12", "C006",
            "found the tag 'tag:yaml.org,2002:str', expected no tags", id="tag",
        ),
        pytest.param(
            ROLE.replace("title: Head", "title: !!python/object/apply:os.system [ls]"), ":4:12", "C006",
            "found the tag 'tag:yaml.org,2002:python/object/apply:os.system', expected no tags", id="python tag",
        ),
        pytest.param(
            f"%YAML 1.1\n---\n{ROLE}", ":2:1", "C006", "found a % directive, expected a file without directives",
            id="YAML 1.1, where `no` is false",
        ),
        pytest.param(
            f"{ROLE}---\nversion: 1\n", ":9:1", "C006", "found a second document, expected one document in the file",
            id="two documents",
        ),
        pytest.param(
            ROLE.replace("metrics: {}", "metrics: " + "[" * 20 + "]" * 20), f":8:{10 + MAX_DEPTH - 1}", "C007",
            f"found more than {MAX_DEPTH} levels, expected a flatter file", id="deep",
        ),
        pytest.param(
            ROLE.replace("metrics: {}", "? [a]\n: 1"), ":8:3", "C004",
            "found a mapping or list as a key, expected a word as the key", id="list as key",
        ),
        pytest.param(
            ROLE.replace("title: Head", "title: Head: of all"), ":4:16", "C004",
            "found broken YAML (mapping values are not allowed here), expected valid YAML; quote a text that holds "
            "`: ` or starts with a special character, indent with spaces", id="colon in a text",
        ),
        pytest.param(
            ROLE.replace("    tier: 2\n", "<<<<<<< HEAD\n    tier: 2\n=======\n    tier: 3\n>>>>>>> b\n"), ":6:1",
            "C004",
            "found a conflict that a merge left, expected one of the two sides, without the lines <<<<<<<, ======= and "
            ">>>>>>>", id="a merge that git could not do",
        ),
        pytest.param(
            ROLE.replace("    tier: 2", "\ttier: 2"), ":6:1", "C004",
            "found broken YAML while scanning for the next token (found character '\\t' that cannot start any token), "
            "expected valid YAML; quote a text that holds `: ` or starts with a special character, indent with spaces",
            id="tab",
        ),
        pytest.param(
            ROLE.replace("Why?", "Why\x00?"), ":7:18", "C004",
            "found the control character U+0000, expected printable text", id="NUL",
        ),
        pytest.param(
            ROLE.replace("title: Head", 'title: "He\\U7fffffff"'), ":4:15", "C004",
            "found an escape beyond U+10FFFF, expected a character of Unicode", id="impossible escape",
        ),
        pytest.param("", ":1:1", "C004", "found an empty file, expected a catalogue", id="empty"),
        pytest.param("# nothing\n", ":1:1", "C004", "found an empty file, expected a catalogue", id="only a comment"),
        pytest.param(
            "- a\n", ":1:1", "C012", "found the catalogue with a list, expected a mapping of keys to values", id="list"
        ),
        pytest.param(
            ROLE.encode().replace(b"Head", b"H\xe9ad"), ":4:13", "C003", "found byte 0xe9, expected UTF-8 text",
            id="latin-1",
        ),
        pytest.param(
            b"#" * (MAX_BYTES + 1), "", "C002", f"found more than {MAX_BYTES} bytes, expected a smaller file",
            id="large",
        ),
    ],
)  # fmt: skip
def test_a_trap_is_refused(tmp_path: Path, content: str | bytes, at: str, *, code: str, message: str) -> None:
    """Each trap gives one problem at its place and nothing that follows from it."""
    assert problems_of(tmp_path, content) == [Problem(f"metrics_catalog.yaml{at}", code, message)]


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    """A missing file and a folder are a configuration error with the system's reason."""
    path = tmp_path if kind == "folder" else tmp_path / "none.yaml"
    reason = "Is a directory" if kind == "folder" else "No such file or directory"
    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_catalog(path)
    assert [(problem.where, problem.code) for problem in caught.value.problems] == [(path.name, "C001")]


def test_a_pipe_is_not_read_without_end() -> None:
    """What never ends is read to the limit and refused."""
    if not Path("/dev/zero").exists():
        pytest.skip("no endless file on this system")
    assert [problem.code for problem in read_catalog(Path("/dev/zero")).problems] == ["C002"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("off", "off"), ("n", "n"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"),
        ("0x1F", "0x1F"), ("0o17", "0o17"), ("1_000", "1_000"), (".inf", ".inf"), (".nan", ".nan"), ("<<", "<<"),
        ("1.2.3", "1.2.3"), ("9" * 19, "9" * 19), ("True", True), ("false", False), ("~", None), ("", None), ("7", 7),
        ("-7", -7), ("007", 7), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0), ("e3", "e3"), ("-", "-"), ("١", "١"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    """Words of YAML 1.1, clock times and odd numbers stay text."""
    found = plain_scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_byte_order_mark_and_line_ends_change_nothing(tmp_path: Path) -> None:
    """A file saved by another editor gives the same records and the same positions."""
    saved = b"\xef\xbb\xbf" + ROLE.replace("\n", "\r\n").encode()
    path = tmp_path / "metrics_catalog.yaml"
    path.write_bytes(saved)
    assert read_catalog(path).problems == ()
    assert read_catalog(path).positions.at(("roles", "head", "tier")) == (6, 5)


def test_several_traps_are_told_at_once(tmp_path: Path) -> None:
    """Problems of YAML do not hide those of the records."""
    text = (
        ROLE.replace("title: Head", "title: *a")
        .replace("tier: 2", "tier: 9")
        .replace("version: 1", "version: 1\nx: &b 1")
    )
    assert [(problem.where, problem.code) for problem in problems_of(tmp_path, text)] == [
        ("metrics_catalog.yaml:2:1", "C010"),
        ("metrics_catalog.yaml:2:4", "C006"),
        ("metrics_catalog.yaml:5:12", "C006"),
        ("metrics_catalog.yaml:7:5", "C012"),
    ]


def test_the_first_of_two_keys_counts() -> None:
    """After a duplicate key nothing of the second value is mixed into the first."""
    document = parse_document("a: {x: 1}\na: {x: 2, y: 3}\nb: 4\n", file="f.yaml")
    assert document.data == {"a": {"x": 1}, "b": 4}
    assert [problem.where for problem in document.problems] == ["f.yaml:2:1"]


def test_numbers_are_what_was_written() -> None:
    """A target is the decimal on the page, not its nearest binary fraction; trailing zeros do not matter."""
    target = Target.model_validate({"at_least": 0.1, "since": "2026-01-01", "source": "a"})
    assert target.at_least == Decimal("0.1")
    assert str(Target.model_validate({"at_most": 100.0, "since": date(2026, 1, 1), "source": "a"}).at_most) == "100"
    assert target.since == date(2026, 1, 1)


def test_records_made_in_code_may_use_lists_and_dates() -> None:
    """Other rooms build catalogues from plain Python values."""
    catalog = Catalog.model_validate({
        "version": 1,
        "roles": {
            "head": {"title": "H", "layer": "strategic", "tier": 1, "question": "q", "subscribes": ["speed"]},
            "hand": {"title": "G", "layer": "strategic", "tier": 3, "question": "q"},
        },
        "metrics": {
            "speed": {
                "kind": "percentile", "name": "S", "owner": "hand", "question": "q", "fact": "calls", "unit": "s",
                "direction": "down", "cadence": "daily", "dimensions": ["model"], "min_n": 1, "leaves_out": "-",
                "pitfall": "-", "value": "latency_s", "percentile": 0.5, "interval": "order_statistics",
            }
        },
    })  # fmt: skip
    assert catalog.owned_by("hand") == ["speed"]
    assert catalog.owned_by("head") == []
    assert catalog.reported_roles() == ["head"]
    assert isinstance(catalog.roles["head"], Role)
    assert catalog.roles["head"].subscribes == ("speed",)


SOUND = (ROOT / "metrics_catalog.yaml").read_bytes()
PIECES = st.sampled_from(
    [b"", b":", b"\n", b"\t", b"- ", b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!set ", b"'", b'"', b"#", b"|\n", b"? ",
     b"null", b"\xff", b"\x00", b"%", b"---\n", b"...\n", b"\xf0\x9f\x98\x80", b'"\\ud800"', b'"\\U7fffffff"',
     b"<<: 1\n",
     b"\xc2\x85", b"\xe2\x80\xa8", b"@", b"9" * 40, b"kind: ", b"metrics:\n"]
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(start=st.integers(0, 3000), cut=st.integers(0, 40), piece=PIECES)
def test_no_damage_ends_in_a_traceback(tmp_path: Path, start: int, cut: int, piece: bytes) -> None:
    """Wherever bytes are cut or put in, the catalogue is read or refused with places and codes."""
    path = tmp_path / "metrics_catalog.yaml"
    path.write_bytes(SOUND[:start] + piece + SOUND[start + cut : 4000])
    reading = read_catalog(path)
    assert all(problem.where.startswith("metrics_catalog.yaml") and problem.code for problem in reading.problems)
    assert all(len(str(problem).encode("utf-8").splitlines()) == 1 for problem in reading.problems)
    assert reading.catalog is not None or reading.problems


MAPPINGS = ("azure_cost", "litellm_spend_logs", "langfuse_export", "survey_csv", "tau_bench")


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_fast_reader_reads_what_the_careful_one_reads(name: str) -> None:
    """Values, places and texts of mappings of the package are the same whichever parser read them."""
    text = (ROOT / "pipeline" / "sources" / f"{name}.yaml").read_text(encoding="utf-8")
    assert _parsed_fast(text, "m.yaml") == _parsed_carefully(text, "m.yaml")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, len(ROLE)),
    put=st.sampled_from(
        [":", ": ", "#", "- ", "[", "{", "}", "'", '"', "|", ">", "&", "*", "!", "%", "\\", "\n", " ", "é"]
    ),
    gone=st.integers(0, 3),
)
def test_a_text_that_was_changed_is_read_as_the_careful_parser_reads_it(at: int, put: str, gone: int) -> None:
    """A character put in and some taken out anywhere: the same document with the same problems at the same places."""
    text = ROLE[:at] + put + ROLE[at + gone :]
    assert parse_document(text, file="c.yaml") == _parsed_carefully(text, "c.yaml")


@pytest.mark.parametrize("text", ["a:\tb\n", "[b\ufeffc, d]\n", "a: b\u2028c\n", 'a: ["b":]\n'])
def test_what_the_two_parsers_read_differently_is_left_to_the_careful_one(text: str) -> None:
    """A tab, a byte-order mark, a line end of YAML 1.1 and a key with its value right behind: libyaml reads others."""
    careful = _parsed_carefully(text, "c.yaml")
    assert _parsed_fast(text, "c.yaml") != careful
    assert parse_document(text, file="c.yaml") == careful
