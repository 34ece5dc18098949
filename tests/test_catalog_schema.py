"""The JSON Schema that editors use: it accepts what the program accepts, and knows every key, choice and limit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from test_catalog_mistakes import GOOD

from pipeline.assurance import bound_facts
from pipeline.catalog.check import load_checked
from pipeline.catalog.document import parse_document
from pipeline.catalog.expressions import ExpressionError, parse_measure
from pipeline.catalog.load import read_catalog
from pipeline.catalog.model import KINDS, Catalog, Role, Target
from pipeline.catalog.reference import errors_page, keys_page
from pipeline.catalog.schema import catalog_schema, definitions, said, takes

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = catalog_schema()
RECORDS = [*KINDS.values(), Role, Target]


def problems(text: str) -> list[str]:
    """What a validator of JSON Schema says about the text of a catalogue."""
    document = parse_document(text, file="metrics_catalog.yaml")
    assert document.readable, document.problems
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document.data)]


def test_the_schema_is_a_schema() -> None:
    """It is valid under its own dialect, and can be written as JSON."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_projects_catalogue_is_accepted() -> None:
    """So is the small one with KPIs of several kinds."""
    assert problems((ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8")) == []
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    layer: strategic", "    layer: strategy", id="outside the choices"),
        pytest.param("    numerator: sum(is_trained)", "    numerater: sum(is_trained)", id="typo in a key"),
        pytest.param("    pitfall: Averages.\n", "", id="missing key"),
        pytest.param("    kind: snapshot", "    kind: snapshots", id="unknown kind"),
        pytest.param("    kind: snapshot\n", "", id="no kind"),
        pytest.param("    start: started_at", "    start: started_at\n    total: count(*)", id="key of another kind"),
        pytest.param("percentile: 0.95", "percentile: 95", id="above the limit"),
        pytest.param("min_n: 200", "min_n: 0", id="below the limit"),
        pytest.param("min_n: 200", "min_n: many", id="text for a number"),
        pytest.param("people: true", 'people: "yes"', id="text for a flag"),
        pytest.param("at_least: 3,", 'at_least: "3",', id="a number in quotes"),
        pytest.param("at_least: 3,", "at_least: 3, at_most: 9,", id="both sides of a target"),
        pytest.param("at_least: 3,", "", id="no side of a target"),
        pytest.param("at_least: 3, since: 2026-01-01", "at_least: 3, since: 1 May 2026", id="no date"),
        pytest.param("dimensions: [channel]", "dimensions: channel", id="one thing for a list"),
        pytest.param("  speed:\n", "  Speed of requests:\n", id="an id with blanks and capitals"),
        pytest.param("    name: Speed", '    name: "   "', id="blank text"),
        pytest.param("version: 1", "version: 2", id="version"),
        pytest.param("version: 1", "version: 1\ncolour: red", id="key beside the sections"),
    ],
)
def test_what_the_program_refuses_is_refused(tmp_path: Path, old: str, new: str) -> None:
    """A record that is wrong in itself is wrong for the schema, too."""
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_catalog(path).problems
    assert problems(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    name: Speed", "    name: >\n      Speed of\n      answers", id="folded text"),
        pytest.param("    name: Speed", '    name: "  Speed\\n"', id="blanks around text"),
        pytest.param("    cluster: session_key", "    cluster:", id="optional key without a value"),
        pytest.param("dimensions: [channel]", "dimensions: []", id="empty list"),
        pytest.param("at_least: 3,", "at_least: 3, at_most: null,", id="the other side of a target is null"),
        pytest.param("at_least: 3,", "at_least: -2.50,", id="a decimal"),
    ],
)
def test_what_the_program_accepts_is_accepted(tmp_path: Path, old: str, new: str) -> None:
    """No editor marks as wrong what `roi catalog check` reads."""
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_catalog(path).problems == ()
    assert problems(text) == []


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
def test_every_key_of_a_record_is_there(model: Any) -> None:
    """With the choices of its type, needed when it has no default, and nothing beside."""
    schema = definitions()[model.__name__]
    assert list(schema["properties"]) == list(model.model_fields)
    assert set(schema["required"]) == {name for name, field in model.model_fields.items() if field.is_required()}
    assert schema["additionalProperties"] is False
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal:
            part = schema["properties"][name]
            part = part.get("anyOf", [part])[0]  # beside its choices a unit may have a form
            assert tuple(part.get("enum", [part.get("const")])) == get_args(field.annotation), name


@pytest.mark.parametrize(
    ("unit", "is_one"),
    [
        ("USD/contact", True), ("per_1k_tool_calls", True), ("answers/min", True), ("h", True), ("USD", True),
        ("EUR/contact", False), ("per_1k_call", False), ("answer/min", False), ("USD/", False), ("USD/Contact", False),
        ("tokens/call", True), ("tokens", False), ("tokens/", False), ("per_1k_", False), ("hours", False),
        (7, False), (None, False),
    ],
)  # fmt: skip
def test_units_have_forms(unit: object, is_one: bool) -> None:
    """Money a thing, a rate by a thousand things, things a minute; the schema and the records agree on which."""
    data: Any = parse_document(GOOD, file="").data
    record = data["metrics"]["complaints"]
    part = {"$defs": definitions(), **definitions()["Ratio"]["properties"]["unit"]}
    assert Draft202012Validator(part).is_valid(unit) == is_one
    try:
        KINDS["ratio"].model_validate(record | {"unit": unit})
    except ValidationError as error:
        assert not is_one
        assert [one["loc"] for one in error.errors()] == [("unit",)]
    else:
        assert is_one


def test_every_key_is_described() -> None:
    """Give a new key a docstring below its field in pipeline/catalog/model.py: editors and pages show it."""
    parts = {"Catalog": SCHEMA, **definitions()}
    silent = [f"{name}.{key}" for name, schema in parts.items() for key, part in schema["properties"].items()
              if not part.get("description")]  # fmt: skip
    assert silent == []


def test_a_docstring_below_a_field_is_its_description() -> None:
    """Inherited ones, too; a kind is described by the first line of its class."""
    texts = said(KINDS["ratio"])
    assert texts["matures_after_days"] == "Days after the end of a period before its cohort is closed."
    assert texts["kind"] == (KINDS["ratio"].__doc__ or "").partition("\n")[0]
    assert "sum(column)" in definitions()["Ratio"]["properties"]["numerator"]["description"]


def test_records_stand_in_maps_of_ids() -> None:
    """Roles and KPIs are mappings whose keys are identifiers, and a KPI is one of the kinds."""
    identifier = r"^[a-z][a-z0-9_]{1,62}$"
    roles, metrics = SCHEMA["properties"]["roles"], SCHEMA["properties"]["metrics"]
    assert roles["patternProperties"] == {identifier: {"$ref": "#/$defs/Role"}}
    (kpi,) = metrics["patternProperties"].values()
    assert [one["$ref"].removeprefix("#/$defs/") for one in kpi["oneOf"]] == [one.__name__ for one in KINDS.values()]
    assert roles["additionalProperties"] is metrics["additionalProperties"] is False


@pytest.mark.parametrize(
    ("record", "key", "words"),
    [
        ("Ratio", "direction", "one of up, down"),
        ("Ratio", "min_n", "a whole number, at least 1"),
        ("Ratio", "people", "true or false"),
        ("Ratio", "dimensions", "a list of names"),
        ("Ratio", "references", "a list of texts"),
        ("Ratio", "fact", "a name"),
        ("Ratio", "target", "target"),
        ("Ratio", "kind", "ratio"),
        ("Role", "tier", "a whole number, at least 1 and at most 3"),
        ("Percentile", "percentile", "a number, more than 0 and less than 1"),
        ("Target", "since", "a date such as 2026-01-31"),
        ("Target", "at_most", "a number"),
    ],
)
def test_what_a_key_takes_in_words(record: str, key: str, words: str) -> None:
    """Choices, types and limits read as a phrase."""
    assert takes(definitions()[record]["properties"][key]) == words


def test_the_reference_lists_every_key_once() -> None:
    """Keys of most kinds stand together, the others with their kind; those of the file, roles and targets are there."""
    page = keys_page()
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    for kind, model in KINDS.items():
        for key in model.model_fields:
            told = [f"| `{key}` |" in sections[name] for name in ("Every KPI", f"Kind `{kind}`")]
            assert told.count(True) == 1, (kind, key)
    for title, record in (("The file", Catalog), ("A role", Role), ("Target", Target)):
        assert all(f"| `{key}` |" in sections[title] for key in record.model_fields)


def test_the_reference_lists_every_code() -> None:
    """Each code of the catalogue has a line."""
    from pipeline.catalog import codes

    declared = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}
    assert {line.split("`")[1] for line in errors_page().splitlines() if line.startswith("| `")} == declared


GUIDE = (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")


def test_the_kpi_of_the_guide_is_sound(tmp_path: Path) -> None:
    """Added to the project's catalogue it passes the check against the real facts, and the schema."""
    (kpi,) = re.findall(r"```yaml\n(  \w+:\n.*?)```", GUIDE, flags=re.DOTALL)
    before, after = (ROOT / "metrics_catalog.yaml").read_text(encoding="utf-8").split("\nbenefits:\n")
    text = f"{before}\n{kpi}\nbenefits:\n{after}"
    path = tmp_path / "metrics_catalog.yaml"
    path.write_text(text, encoding="utf-8")
    assert "prompt_change_failure_rate" in load_checked(path, facts=bound_facts()).metrics
    assert problems(text) == []


@pytest.mark.parametrize(
    "condition",
    [
        "status in ('error', 'timeout')", "status not in ('error')", "resolved_at is null", "resolved_at is not null",
        "a <> 12 and (b >= 0.5 or not c = 'text')", "is_batch", "is_batch = true", "day < '2026-01-31'", "a < b",
    ],
)  # fmt: skip
def test_the_language_of_the_guide_is_that_of_the_catalogue(condition: str) -> None:
    """What the page shows of conditions can be said after every aggregate, and functions cannot."""
    for measure in ("sum(x)", "count(*)", "distinct(x)"):
        assert f"`{measure.replace('x', 'column')}`" in GUIDE
        assert parse_measure(f"{measure} where {condition}").predicate
    with pytest.raises(ExpressionError):
        parse_measure(f"count(*) where lower({condition}) = 'x'")


def test_every_command_of_the_guide_exists() -> None:
    """Each `roi` command and option that the page names."""
    from typer.main import get_command

    from pipeline.cli import app

    commands: Any = get_command(app)
    named = re.findall(r"`?roi (catalog \w+|\w+)((?: --\w+)*)", GUIDE)
    assert len(named) >= 6
    for words, options in named:
        command = commands
        for word in words.split():
            assert word in command.commands, words
            command = command.commands[word]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(options.split()) <= known, words
    diff = commands.commands["catalog"].commands["diff"]
    assert {"--exports", "--json", "--markdown"} <= {option for one in diff.params for option in one.opts}
