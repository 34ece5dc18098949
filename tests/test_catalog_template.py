"""YAML to begin from: a KPI of the catalogue as it stands there, and a new one of each kind with every key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_catalog_mistakes import FACTS, GOOD

from pipeline.catalog.check import load_checked
from pipeline.catalog.document import parse_document, read_document
from pipeline.catalog.model import KINDS
from pipeline.catalog.schema import catalog_schema, definitions
from pipeline.catalog.template import example, kind_template, yaml_lines
from pipeline.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
CATALOG = ROOT / "metrics_catalog.yaml"
HEAD = "version: 1\nroles: {}\nmetrics:\n"

# What a new KPI is about, for each kind: what stands in the place of each name that begins with `your`.
REPLACED = {
    "ratio": "fact=sessions numerator=cost_usd denominator=sessions",
    "snapshot": "fact=roster numerator=is_trained denominator=is_trained",
    "total": "fact=tasks total=hours_saved",
    "percentile": "fact=requests value=latency_s",
    "survival_median": "fact=incidents start=started_at end=resolved_at",
    "difference": "fact=answers value=is_top2 arm=variant first_per=respondent",
}


def uncommented(template: str) -> str:
    """The template with every key that may be added."""
    return re.sub(r"^    # (\w+: )", r"    \1", template, flags=re.MULTILINE)


def record(text: str) -> dict[str, Any]:
    """The one KPI of a template."""
    document = parse_document(HEAD + text, file="template.yaml")
    assert document.problems == ()
    assert isinstance(document.data, dict)
    ((_, found),) = document.data["metrics"].items()
    return dict(found)


def schema_problems(text: str) -> list[str]:
    """What the JSON Schema says about a catalogue with this KPI alone."""
    data = parse_document(HEAD + text, file="template.yaml").data
    return [error.message for error in Draft202012Validator(catalog_schema()).iter_errors(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_has_every_key_of_its_kind(kind: str) -> None:
    """What is needed stands first and free, the kind on top; the rest is commented out; the schema takes both."""
    fields = KINDS[kind].model_fields
    template = kind_template(kind)
    needed = [name for name, field in fields.items() if field.is_required()]
    assert sorted(record(template)) == sorted(needed)
    assert next(iter(record(template).items())) == ("kind", kind)
    assert schema_problems(template) == []
    whole = uncommented(template)
    assert sorted(record(whole)) == sorted(fields)
    assert schema_problems(whole) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_tells_the_choices(kind: str) -> None:
    """Behind each key with choices all of them are named, the one in its place among them."""
    lines = {line.strip(" #").partition(":")[0]: line for line in kind_template(kind).splitlines()}
    choices = {key: part["enum"] for key, part in definitions()[KINDS[kind].__name__]["properties"].items()
               if "enum" in part}  # fmt: skip
    assert {"direction", "cadence"} <= choices.keys()
    for key, values in choices.items():
        assert "one of " + ", ".join(map(str, values)) in lines[key].partition("  # ")[2], key


@pytest.mark.parametrize("kind", REPLACED)
def test_a_template_about_something_passes_the_check(tmp_path: Path, kind: str) -> None:
    """With a role, a fact and columns that exist it is a sound KPI; its unit is that of the other KPIs of the kind."""
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(GOOD, encoding="utf-8")
    text = example(kind, path)
    if kind == "ratio":
        text = re.sub(r"unit: \S+", "unit: USD/session", text)
    for pair in f"owner=head {REPLACED[kind]}".split():
        name, value = pair.split("=")
        text = re.sub(rf"^(    {name}: .*)your_{name}", rf"\g<1>{value}", text, flags=re.MULTILINE)
    if kind == "snapshot":
        text = text.replace("denominator: sum(is_trained)", "denominator: count(*)")
    path.write_text(GOOD.rstrip() + "\n" + text, encoding="utf-8")
    assert load_checked(path, facts=FACTS).metrics[f"your_{kind}"].kind == kind


def test_an_unknown_spelling_is_lent_by_another_kpi() -> None:
    """The unit, and text that follows a rule no made-up word keeps, are those of a KPI of the same kind."""
    assert record(kind_template("total", {"unit": "USD"}))["unit"] == "USD"


def test_a_kpi_is_printed_as_it_stands() -> None:
    """Read back, the YAML of each KPI of the project is its record, key by key in the same order."""
    data = read_document(CATALOG).data
    assert isinstance(data, dict)
    for kpi, held in data["metrics"].items():
        found = record("\n".join(yaml_lines(kpi, held, 2)))
        assert (found, list(found)) == (held, list(held))
    for kpi in (next(iter(data["metrics"])), [*data["metrics"]][-1]):
        assert example(kpi, CATALOG) == "\n".join(yaml_lines(kpi, data["metrics"][kpi], 2)) + "\n"


def test_a_kpi_reads_well(tmp_path: Path) -> None:
    """A key per line, short lists and targets on theirs, quotes only where YAML needs them."""
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(GOOD.replace("source: a plan}", 'source: "plan: 3 % # more"}'), encoding="utf-8")
    lines = example("happiness", path).splitlines()
    assert lines[:4] == [
        "  happiness:",
        "    name: Happiness",
        "    owner: head",
        "    question: Are they happier?",
    ]
    assert "    dimensions: [channel]" in lines
    assert '    target: {at_least: 3, since: 2026-01-01, source: "plan: 3 % # more"}' in lines


def test_what_is_too_long_for_a_line_has_several() -> None:
    """Of a long list each item has a line; a long record in it begins behind the dash."""
    rows = [{"day": "2026-01-05", "note": "x" * 60, "more": "y" * 60}, {"day": "2026-01-06"}]
    assert list(yaml_lines("rows", rows)) == [
        "rows:",
        "  - day: 2026-01-05",
        "    note: " + "x" * 60,
        "    more: " + "y" * 60,
        "  - {day: 2026-01-06}",
    ]


SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.decimals(-1000, 1000, places=3).map(float)
TEXTS = st.text() | st.sampled_from(
    ["", " a", "a ", "a: b", "a #b", "a:", "- a", "? a", "no", "null", "~", "12:30", "1e3", ".5", "007", "{a", "a]",
     "a, b", "*a", "&a", "!a", "%a", "@a", "`a`", "'a'", '"a"', "a\nb", "\t", "é", "€ 5", "x\\y", "<a>", "2026-01-01"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    """Any value: the reader of catalogues finds the same again, and no text turns into a number, a flag or YAML."""
    document = parse_document("\n".join(yaml_lines("key", value)) + "\n", file="x.yaml")
    assert document.problems == ()
    assert document.data == {"key": value}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hapiness", "found 'hapiness'; did you mean happiness?"),
        ("percentle", "found 'percentle'; did you mean percentile?"),
        ("zzz", f"found 'zzz'; kinds are {', '.join(KINDS)}; KPIs are adoption, cost, speed"),
    ],
)
def test_an_unknown_name_is_answered_with_a_known_one(tmp_path: Path, name: str, message: str) -> None:
    """Among KPIs and kinds alike; what is like nothing is answered with all of them."""
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"no such KPI and no such kind") as caught:
        example(name, path)
    (problem,) = caught.value.problems
    assert (problem.code, message in problem.message) == ("E005", True)


def test_a_kind_is_there_while_the_catalogue_is_broken(tmp_path: Path) -> None:
    """Whoever mends a catalogue may need a template; a KPI of a file that cannot be read is refused with its place."""
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text("version: 1\nmetrics:\n  speed: [\n", encoding="utf-8")
    assert example("total", path) == kind_template("total")
    with pytest.raises(ConfigurationError, match=r"metrics_catalog.yaml: 1 problem") as caught:
        example("speed", path)
    assert [problem.code for problem in caught.value.problems] == ["C004"]
