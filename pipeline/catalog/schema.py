"""The JSON Schema of a catalogue: what editors complete and check while it is written, and what each key takes.

Generated from the records of `model`, so a key or a kind that is added there is known here. A description is the text
below a field in its source; `_SAID` has those of fields that say nothing themselves.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.columns import MEASURE_KEYS
from pipeline.catalog.model import Catalog
from pipeline.catalog.target import Target
from pipeline.catalog.worked import Example

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAME = r"^[a-z][a-z0-9_]{1,62}$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_MEASURE = "`sum(column)`, `count(*)` or `distinct(column)`, with or without `where ...`"
_EXACTLY_ONE: dict[type[BaseModel], tuple[str, ...]] = {Target: ("at_least", "at_most")}
"""Keys of which a record has exactly one; pydantic checks them in code, which no schema is made from."""

_SAID = {
    "version": "Version of this format.",
    "fiscal_year_begins": "Month in which the fiscal year begins, 1 for January.",
    "roles": "Who reads the numbers and answers for them, by id.",
    "metrics": "What is measured, by id; the id of a KPI is final once it is published.",
    "benefits": "Lines of benefit that turn KPIs and assumptions into money, by id.",
    "Benefit.name": "The line as pages name it.",
    "Deduction.name": "What is taken off, as pages name it.",
    "Factor.unit": "Unit of the number: contact, USD/contact, min/task, ratio, USD/month.",
    "title": "The role as its page names it.",
    "layer": "Its layer in the role framework.",
    "tier": "How soon the role is served; the first tiers have pages of their own.",
    "Role.question": "The question its page answers.",
    "subscribes": "KPIs of other roles that it watches.",
    "name": "The KPI as pages name it.",
    "owner": "The role that answers for the number.",
    "question": "The question the number answers.",
    "fact": "The view in pipeline/facts whose rows are measured.",
    "unit": "Unit of the value; it must follow from the kind and the columns.",
    "direction": "Whether it should go up or down.",
    "cadence": "How often it is judged.",
    "dimensions": "Text columns of the fact by which it is shown, too.",
    "people": "True when n counts people: groups under five are not shown (by department and the like: never).",
    "min_n": "The n from which on a value is judged.",
    "target": "A dated value to reach or to stay under; earlier periods are judged by earlier_targets, or not at all.",
    "leaves_out": "What is not counted, in words.",
    "pitfall": "The common mistake, and what is done about it.",
    "references": "Where the definition comes from.",
    "examples": "Worked examples: rows, and the value they must give; the check asks for two of each KPI.",
    "interval": "How the interval around the value is worked out.",
    "cluster": "Column that groups rows which are not independent; with `interval: clustered`.",
    "numerator": "What is above the line.",
    "denominator": "What is below the line.",
    "total": "What is added up.",
    "value": "Column that is measured.",
    "percentile": "Which quantile: 0.95 for the 95th percentile.",
    "start": "When it began.",
    "end": "When it ended; empty while it has not.",
    "at": "When it happened.",
    "arm": "Column that says which group a row belongs to.",
    "treated": "The value of `arm` that is compared.",
    "control": "The value of `arm` it is compared with.",
    "first_per": "Column whose first row in the period counts, and no later one.",
    "first": "Column of the share that is compared.",
    "second": "Column of the share it is compared with.",
    "experiment": "Column that tells experiments apart.",
    "share": "Column with the share of units that was to be treated.",
    "member": "Column that is counted once.",
    "Recurrence.per": "Column whose different values are counted for each member.",
    "Recurrence.at_least": "With how many of them a member counts.",
    "gap_minutes": "Minutes without a row after which a new episode begins.",
    "measure": "Measure of ranked lists, in the spelling of ir_measures.",
    "query": "Column that tells queries apart.",
    "document": "Column that tells documents apart.",
    "score": "Column by which documents are ranked.",
    "grade": "Column with the judgement of a document.",
    "formula": "Arithmetic over the inputs.",
    "Target.at_least": "The value to reach.",
    "Target.at_most": "The value to stay under.",
    "since": "The first day on which it holds.",
    "source": "Who says so.",
    "Example.value": "The right value; none when it must not be available.",
    "Example.numerator": "The right numerator.",
    "Example.denominator": "The right denominator.",
    "says": "What the example shows.",
    "low": "The lower end of the interval.",
}


def catalog_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a whole catalogue.

    It says less than `roi catalog check`, which knows the facts, and refuses nothing that the check accepts.
    """
    return deepcopy(_schema())


@cache
def _schema() -> Schema:
    """Worked out once per process: the records do not change while it runs."""
    schema = _tidied(Catalog.model_json_schema(schema_generator=_Generator))
    return {"$schema": DIALECT, **cast(Schema, schema)}


def definitions() -> dict[str, Schema]:
    """Every record the catalogue is made of, by name."""
    found: dict[str, Schema] = catalog_schema()["$defs"]
    return found


def said(model: type[BaseModel]) -> dict[str, str]:
    """Key -> description, for the keys of a record that have one."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        fields = inspect.get_annotations(base)
        texts.update({key: _SAID[key] for key in fields if key in _SAID})
        texts.update({key: _SAID[f"{base.__name__}.{key}"] for key in fields if f"{base.__name__}.{key}" in _SAID})
        texts.update(_docstrings(base.__module__).get(base.__name__, {}) if base.__module__ in _MODELS else {})
    kind = (model.__doc__ or "").partition("\n")[0]
    return {key: text for key, text in {**texts, "kind": kind}.items() if key in model.model_fields}


def takes(part: Schema) -> str:
    """What a key takes, in words: its choices, its type and its limits."""
    if "anyOf" in part:
        sides = list(dict.fromkeys(takes(one) for one in part["anyOf"] if one.get("type") != "null"))
        return " or ".join(sides) if len(sides) <= _MOST_SIDES else "any value"
    if "oneOf" in part and "properties" not in part:
        return "a record"
    if part.get("type") == "array":
        each = takes(part["items"])
        return f"a list of {_PLURALS.get(each, each)}"
    if part.get("type") == "object":
        return f"names, each with {takes(next(iter(part.get('patternProperties', {}).values()), {}))}"
    return _choices(part) or _TYPES.get(str(part.get("format", part.get("type"))), "anything") + _limits(part)


def _choices(part: Schema) -> str:
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2].lower()
    if "examples" in part:
        return f"a form such as {', '.join(part['examples'])}"
    if "const" in part:
        return str(part["const"])
    if "enum" in part:
        return "one of " + ", ".join(str(one) for one in part["enum"])
    return "a name" if part.get("pattern") == _NAME else ""


_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "date": "a date such as 2026-01-31",
}  # fmt: skip
_PLURALS = {"text": "texts", "a name": "names", "a number": "numbers", "example": "examples"}
_MOST_SIDES = 3
_LIMITS = {
    "minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "exclusiveMaximum": "less than",
}  # fmt: skip


def _limits(part: Schema) -> str:
    words = [f"{word} {part[key]:g}" for key, word in _LIMITS.items() if key in part]
    return f", {' and '.join(words)}" if words else ""


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, told what the records do to a value before they look at it."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found, model = super().model_schema(schema), schema["cls"]
        for key, text in said(model).items():
            part = found["properties"][key]
            found["properties"][key] = {"description": _described(key, text, part), **part}
        if model in _EXACTLY_ONE:
            found["oneOf"] = [_given(key) for key in _EXACTLY_ONE[model]]
        return found

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A number; text that holds one is refused."""
        return next(part for part in super().decimal_schema(schema)["anyOf"] if part["type"] == "number")

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return {**super().date_schema(schema), "pattern": _DAY}

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Text; blanks around it, such as the line end of a folded scalar, are taken off before it is looked at."""
        found = super().str_schema(schema)
        if schema.get("strip_whitespace") and "pattern" in found:
            inner = found["pattern"].removeprefix("^").removesuffix("$")
            found["pattern"] = rf"^\s*(?=\S){inner}\s*$"
        return found


def _described(key: str, text: str, part: Schema) -> str:
    """A description with what the type alone does not tell: the language of measures, and the type of a column."""
    sides = (part, *part.get("anyOf", ()))
    column = next((one["expected"] for one in sides if "expected" in one), None)
    if column is not None:
        return f"{text} A column of the fact: {column}."
    is_measure = key in MEASURE_KEYS and any(one.get("type") == "string" for one in sides)
    return f"{text} {_MEASURE}." if is_measure else text


def _given(key: str) -> Schema:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _tidied(part: object) -> object:
    """Without what no editor needs, and with mappings closed: keys that are no ids are refused."""
    if isinstance(part, list):
        return [_tidied(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not _idle(key, value)}
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return {key: _tidied(value) for key, value in kept.items()}


def _idle(key: str, value: object) -> bool:
    """Marks of the models, words of OpenAPI, and defaults that say nothing."""
    is_mark = key in ("column", "expected", "discriminator") and not (isinstance(value, dict) and "type" in value)
    return is_mark or (key == "default" and value in (None, []))


_MODELS = (Catalog.__module__, Benefit.__module__, Example.__module__)


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Class -> key -> the text below the key, from the source of a module; none where there is no source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:
        return {}
    return {node.name: dict(_texts(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _texts(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(node.body):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            yield field.target.id, " ".join(str(below.value.value).split())  # type: ignore[attr-defined]
