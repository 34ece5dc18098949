"""What the check of a catalogue promises beyond single mistakes: all at once, in order, and nothing that follows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_catalog_mistakes import FACTS, GOOD, broken, written

from pipeline.assurance import bound_facts
from pipeline.catalog import codes
from pipeline.catalog.check import check_catalog, examine, load_checked
from pipeline.catalog.columns import family
from pipeline.catalog.document import Positions
from pipeline.catalog.load import load_catalog, read_catalog
from pipeline.catalog.model import Catalog
from pipeline.errors import ConfigurationError, ExitCode

ROOT = Path(__file__).resolve().parent.parent


def test_a_problem_reads_as_one_line(tmp_path: Path) -> None:
    """A problem is printed as place, code and message; line 17 and column 9 are counted by hand."""
    path = written(tmp_path, broken("      - adoption\n", "      - adaption\n"))
    with pytest.raises(ConfigurationError) as caught:
        load_checked(path, facts=FACTS)
    assert str(caught.value).splitlines() == [
        "metrics_catalog.yaml: 1 problem; nothing was run",
        "  metrics_catalog.yaml:17:9  C021  found a subscription to 'adaption', expected a KPI of this catalogue, "
        "did you mean adoption?",
    ]
    assert caught.value.exit_code == ExitCode.CONFIGURATION


def test_many_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Mistakes of YAML, of the schema and of meaning come in one error, in file order."""
    text = GOOD
    for old, new in [
        ("    tier: 3\n", "    tier: 3\n    tier: 2\n"),
        ("    numerator: sum(cost_usd)\n    denominator", "    numerator: sum(cost_us)\n    denominator"),
        ("min_n: 200", "min_n: many"),
        ("start: started_at", "begin: started_at"),
        ("arm: variant", "arm: varient"),
        ("    owner: trainer", "    owner: trianer"),
        ("fact: tasks\n    total", "fact: task\n    total"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    _, problems = examine(written(tmp_path, text), facts=FACTS)
    assert [problem.code for problem in problems] == ["C005", "C032", "C012", "C011", "C010", "C032", "C020", "C030"]
    lines = [int(problem.where.split(":")[1]) for problem in problems]
    assert lines == sorted(lines)


def test_a_record_with_a_problem_is_not_missed_by_others(tmp_path: Path) -> None:
    """A KPI left out for its own mistakes may still be subscribed to, and nobody is called idle for want of it."""
    text = broken("    name: Speed\n", "    label: Speed\n").replace("[cost, speed]", "[speed]")
    _, problems = examine(written(tmp_path, text), facts=FACTS)
    assert [(problem.code, problem.message) for problem in problems] == [
        ("C011", "found no key 'name', expected it; it is required"),
        ("C010", "found the key 'label', expected a key of the record"),
    ]


def test_problems_of_meaning_need_no_file() -> None:
    """A catalogue made in code is checked the same way; without positions the file alone is named."""
    catalog = Catalog.model_validate(
        {
            "version": 1,
            "roles": {"head": {"title": "Head", "layer": "strategic", "tier": 1, "question": "Why?"}},
            "metrics": {},
        }
    )
    problems = check_catalog(catalog, Positions("made.yaml", {}), facts={})
    assert [str(problem) for problem in problems] == [
        "made.yaml:1:1  C023  found role 'head' without a KPI, expected a KPI it owns or subscribes to"
    ]


def test_the_catalogue_of_the_project_is_sound() -> None:
    """metrics_catalog.yaml loads, and fits the facts the project has."""
    reading, problems = examine(ROOT / "metrics_catalog.yaml", facts=bound_facts())
    catalog = reading.catalog
    assert problems == []
    assert catalog is not None
    assert {"adoption_rate", "deflection_rate", "grounded_answer_rate", "token_cost_per_session", "mttr"} <= set(
        catalog.metrics
    )


def test_every_key_of_the_project_has_a_position() -> None:
    """Positions point at the very text of each key and list item, counted by searching the file's lines."""
    path = ROOT / "metrics_catalog.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    reading = read_catalog(path)
    named = [keys for keys in reading.positions.places if keys and isinstance(keys[-1], str)]
    assert len(named) > 200
    for keys in named:
        line, column = reading.positions.at(keys)
        assert lines[line - 1][column - 1 :].startswith(f"{keys[-1]}:")


def test_every_code_has_a_meaning_and_a_test() -> None:
    """Each code is declared once with one line of meaning, and some test expects it."""
    declared = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert declared == set(codes.MEANINGS)
    assert len(set(codes.MEANINGS.values())) == len(codes.MEANINGS)
    expected = set()
    for path in sorted(Path(__file__).parent.glob("test_catalog_*.py")):
        expected |= set(re.findall(r"\b(C\d{3})\b", path.read_text(encoding="utf-8")))
    assert expected == declared


@pytest.mark.parametrize(
    ("sql_type", "expected"),
    [
        ("BIGINT", "exact number"), ("integer", "exact number"), ("UBIGINT", "exact number"),
        ("HUGEINT", "exact number"),
        ("DECIMAL(38,14)", "exact number"), ("int8", "exact number"), ("DOUBLE", "number"), ("FLOAT", "number"),
        ("VARCHAR", "text"), ("VARCHAR(20)", "text"), ("ENUM('a', 'b')", "text"), ("BOOLEAN", "flag"), ("DATE", "time"),
        ("TIMESTAMP WITH TIME ZONE", "time"), ("TIMESTAMPTZ", "time"), ("TIMESTAMP_NS", "time"), ("INTERVAL", "other"),
        ("VARCHAR[]", "other"), ("STRUCT(a INTEGER)", "other"), ("JSON", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_families_of_types(sql_type: str, expected: str) -> None:
    """SQL types are sorted by what may be done with them; lists and structs by nothing."""
    assert family(sql_type) == expected


def test_a_flag_is_counted_whatever_its_name(tmp_path: Path) -> None:
    """`is_rate_limited` says yes or no of each row, and is no rate, so it may be added up."""
    facts = FACTS | {"sessions": FACTS["sessions"] | {"is_rate_limited": "INTEGER"}}
    path = written(tmp_path, broken("sum(has_complaint)", "sum(is_rate_limited)"))
    assert examine(path, facts=facts)[1] == []


def test_importing_the_room_is_light() -> None:
    """The room loads no parser, no database and no data frame before they are needed."""
    code = (
        "import sys, pipeline.catalog.check, pipeline.catalog.docs, pipeline.catalog.hashes\n"
        "heavy = {'sqlglot', 'ruamel.yaml', 'duckdb', 'pandas', 'numpy', 'pandera', 'plotly', 'great_expectations'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_load_catalog_stops_before_the_facts(tmp_path: Path) -> None:
    """load_catalog judges the schema alone, so a wrong column is none of its business."""
    catalog = load_catalog(written(tmp_path, broken("arm: variant", "arm: varient")))
    assert catalog.metrics["happiness"].model_dump()["arm"] == "varient"
