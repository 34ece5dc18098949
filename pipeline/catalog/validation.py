"""Pydantic's findings as problems of the catalogue, each at the key it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from pipeline.catalog import codes
from pipeline.catalog.benefits import Benefit, Deduction, Evidence, Factor
from pipeline.catalog.document import Document, KeyPath
from pipeline.catalog.model import KINDS, Catalog, Role
from pipeline.catalog.records import UNIT_FORMS
from pipeline.catalog.target import Target
from pipeline.catalog.units import WRITTEN
from pipeline.catalog.wording import near, problem, quoted
from pipeline.catalog.worked import Example
from pipeline.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "text; quote it when it looks like a number",
    "string_too_short": "text that is not empty",
    "string_too_long": "at most {max_length} characters",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le}",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_OWN_TYPES = ("number_type", "finite_number", "calendar_date")


@dataclass(frozen=True)
class Finding:
    """What pydantic found under a path; `meant` is the key that an unknown one may have been meant to be."""

    path: KeyPath
    item: ErrorDetails
    meant: str | None = None

    @property
    def sort(self) -> str:
        """What pydantic calls it; `id` for a key that is no identifier."""
        return "id" if self.item["loc"][-1:] == ("[key]",) else self.item["type"]


def found_by(error: ValidationError, document: Document) -> list[Finding]:
    """Each finding, one per key; a missing key that an unknown one was meant to be is found at the unknown one."""
    findings: dict[KeyPath, Finding] = {}
    for item in error.errors(include_url=False):
        path = path_of(item["loc"])
        if _is_of_another_form(item["loc"], document):
            continue
        meant = meant_key(path, document) if item["type"] == "extra_forbidden" else None
        findings.setdefault(path, Finding(path, item, meant))
    renamed = {(*one.path[:-1], one.meant) for one in findings.values() if one.meant is not None}
    return [one for one in findings.values() if not (one.sort == "missing" and one.path in renamed)]


def path_of(loc: Iterable[str | int]) -> KeyPath:
    """Path of a location of pydantic, which names the kind of KPI after the KPI and marks a bad key with `[key]`.

    Within an example it also names the types that a value might have had.
    """
    path = tuple(loc)
    if len(path) > 2 and path[0] == "metrics" and path[2] in KINDS:
        path = path[:2] + path[3:]
    if path[:1] == ("metrics",) and path[2:3] == ("examples",):
        path = (*path[:4], *(one for one in path[4:] if isinstance(one, int) or _is_name(one)))
    return path[:-1] if path and path[-1] == "[key]" else path


_FORMS = {"dict[": Mapping, "tuple[": list}
"""How pydantic names the forms that rows of an example may have."""


def _is_of_another_form(loc: tuple[str | int, ...], document: Document) -> bool:
    """Whether it was found when rows were taken for a form that they do not have."""
    forms = [form for form in _FORMS if len(loc) > 6 and str(loc[6]).startswith(form)]
    rows = value_at(document.data, (*loc[:2], *loc[3:6])) if forms else None
    return bool(forms) and isinstance(rows, (Mapping, list)) and not isinstance(rows, _FORMS[forms[0]])


def _is_name(step: str) -> bool:
    return step.isidentifier() and step not in ("bool", "int", "float", "str", "date", "decimal")


def problem_of(finding: Finding, document: Document) -> Problem:
    """The finding as a problem at its key."""
    path, item = finding.path, finding.item
    where, kind = document.positions.where(*path), item["type"]
    if kind == "extra_forbidden":
        return _unknown_key(where, path, document)
    if kind == "missing":
        return problem(where, codes.MISSING_KEY, found=f"no key {quoted(str(path[-1]))}", expected="it; it is required")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(path, document)
    if kind == "target_sides":
        found = f"{item['ctx']['found']} of at_least and at_most"
        return problem(where, codes.TARGET_SIDES, found=found, expected="one of the two")
    if item["loc"] and item["loc"][-1] == "[key]":
        return problem(where, codes.WRONG_VALUE, found=f"the id {quoted(str(path[-1]))}", expected=_IDENTIFIER)
    found = f"{_label(path)} {_found(path, item, document)}"
    is_form = kind in ("dict_type", "tuple_type", "model_type")
    expected = _SHAPES.get(str(path[-1]), "") if is_form and path else ""
    expected = expected or _expected(item) + (_MORE.get(str(path[-1]), "") if kind == "literal_error" else "")
    return problem(where, codes.WRONG_VALUE, found=found, expected=expected, meant=_meant(path, item, document))


_SHAPES = {
    "rows": "a list of rows, such as [{day: 2026-01-05, is_done: 1}]; of a KPI of two facts, rows by fact",
    "target": "a side, a day and who says so, such as {at_least: 3, since: 2026-01-31, source: a plan}",
    "earlier_targets": "a list of targets, such as [{at_least: 2, since: 2025-01-31, source: a plan}]",
}
"""Key -> the form of its value."""
_MORE = {"unit": f", or a form such as {', '.join(UNIT_FORMS)}"}
"""Key -> what it takes beside its choices."""


def _meant(path: KeyPath, item: ErrorDetails, document: Document) -> str | None:
    """What a wrong value may have been meant to be."""
    value, kind = str(item["input"]), item["type"]
    if kind == "literal_error":
        written = _ALSO_WRITTEN.get(str(path[-1]), {}).get(value.lower())
        return written if written in _choices(item) else near(value, _choices(item))
    if kind == "number_type" and (share := _PERCENT.fullmatch(value)):
        return f"{float(share[1]) / 100:g}"
    if path[-1:] == ("percentile",) and kind == "less_than" and float(value) < 100:
        return f"{float(value) / 100:g}"
    roles = value_at(document.data, ("roles",)) if path[-1:] == ("owner",) else None
    return near(value, roles) if isinstance(roles, Mapping) else None


_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_ALSO_WRITTEN = {
    "unit": WRITTEN,
    "direction": {"lower": "down", "less": "down", "decrease": "down", "higher": "up", "more": "up", "increase": "up"},
}
"""Key -> how its choices are often written, and how they are written here."""


def _unknown_key(where: str, path: KeyPath, document: Document) -> Problem:
    key = str(path[-1])
    fields = _fields(path[:-1], document)
    others = [name for name, model in KINDS.items() if path[0] == "metrics" and key in model.model_fields]
    otherwise = f"a key of {', '.join(others)} only" if others else "a key of the record"
    expected = otherwise if others or len(fields) > 8 else f"one of {', '.join(fields)}"
    found = f"the key {quoted(key)}"
    return problem(where, codes.UNKNOWN_KEY, found=found, expected=expected, meant=meant_key(path, document))


def meant_key(path: KeyPath, document: Document) -> str | None:
    """The key of the record that an unknown one is like and that is not there yet."""
    present = value_at(document.data, path[:-1])
    free = [name for name in _fields(path[:-1], document) if not isinstance(present, Mapping) or name not in present]
    return near(str(path[-1]), free)


def _unknown_kind(path: KeyPath, document: Document) -> Problem:
    record = value_at(document.data, path)
    if not isinstance(record, Mapping) or "kind" not in record:
        where = document.positions.where(*path)
        return problem(where, codes.MISSING_KEY, found="no key 'kind'", expected=f"one of {', '.join(KINDS)}")
    where, found = document.positions.where(*path, "kind"), document.texts.get((*path, "kind"), "no text")
    best = fitting_kind(record)
    meant = best if best == near(found, KINDS) or misfits(record, best) == 0 else None
    return problem(where, codes.UNKNOWN_KIND, found=quoted(found), expected=f"one of {', '.join(KINDS)}", meant=meant)


def fitting_kind(record: Mapping[str, object]) -> str:
    """The kind whose keys are most like those of a record; of several the one that is spelled most alike."""
    alike = near(str(record.get("kind", "")), KINDS)
    return min(KINDS, key=lambda kind: (misfits(record, kind), kind != alike))


def misfits(record: Mapping[str, object], kind: str) -> int:
    """How many keys a record lacks for a kind, and has beside those of it."""
    fields = KINDS[kind].model_fields
    needed = {key for key, field in fields.items() if field.is_required() and key != "kind"}
    return len(needed - record.keys()) + len(record.keys() - fields.keys())


def _fields(path: KeyPath, document: Document) -> list[str]:
    """Keys that the record under the path may have."""
    model: type[BaseModel] = Catalog
    if path[2:3] == ("target",) or (len(path) > 3 and path[2] == "earlier_targets"):
        model = Target
    elif len(path) > 3 and path[2] == "examples":
        model = Example
    elif len(path) >= 2 and path[0] == "metrics":
        model = KINDS[str(value_at(document.data, (*path[:2], "kind")))]
    elif len(path) >= 2 and path[0] == "benefits":
        named = [str(step) for step in path[2:] if isinstance(step, str)]
        model = _PARTS.get(named[-1], Benefit) if named else Benefit
    elif len(path) >= 2:
        model = Role
    return list(model.model_fields)


_PARTS: dict[str, type[BaseModel]] = {"factors": Factor, "deductions": Deduction, "evidence": Evidence}
"""Records within a benefit line, by the key they stand under."""


def value_at(data: object, path: KeyPath) -> object:
    """What stands under a path; None where nothing does."""
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


_IDENTIFIER = "2 to 63 lower-case letters, digits and _, a letter first"


def _label(path: KeyPath) -> str:
    """The nearest named key, so that an item of a list is told by its list."""
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "the catalogue")


def _found(path: KeyPath, item: ErrorDetails, document: Document) -> str:
    value = item["input"]
    if value is None:
        return "without a value"
    if isinstance(value, (Mapping, list, tuple)):
        return "with a list" if not isinstance(value, Mapping) else "with a mapping"
    return quoted(value) if isinstance(value, str) else quoted(document.texts.get(path, str(value))).strip("'")


def _choices(item: ErrorDetails) -> list[str]:
    return [part.strip("'") for part in item["ctx"]["expected"].replace(" or ", ", ").split(", ")]


def _expected(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "literal_error":
        return f"one of {', '.join(_choices(item))}"
    if kind == "string_pattern_mismatch":
        return _IDENTIFIER if "a-z" in item["ctx"]["pattern"] else "one line of text without control characters"
    if kind in _OWN_TYPES:
        return str(item["msg"])
    return _EXPECTED.get(kind, str(item["msg"])).format(**item.get("ctx", {}))
