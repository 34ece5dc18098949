"""A KPI as YAML to begin from: one of the catalogue as it stands there, or a new one of a kind with every key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from pipeline.catalog.columns import MEASURE_KEYS
from pipeline.catalog.document import plain_scalar, read_document
from pipeline.catalog.load import configuration_error
from pipeline.catalog.model import KINDS
from pipeline.catalog.schema import Schema, definitions, takes
from pipeline.catalog.wording import near, quoted
from pipeline.errors import ConfigurationError, Problem

Record = Mapping[str, object]
_WIDTH = 120
_INDENT = 2
_PLAIN = re.compile(r"[\w($<][^,\[\]{}]*")
_PLAIN_BLOCK = re.compile(r"[\w($<].*")
_ESCAPES = {'"': '\\"', "\\": "\\\\"}
_MIN_N = 30
"""Enough for the interval of a median, and no KPI should be judged from its first row on."""
_OBVIOUS = ("text", "a name")


def example(name: str, path: Path) -> str:
    """YAML of a KPI, to be put below `metrics:`: the record of that id in a catalogue, or a new one of that kind.

    Of a kind every key is there, what is needed first, the rest commented out. Raises ConfigurationError for any other
    name, with every problem of a file that cannot be read.
    """
    document = read_document(path)
    metrics = document.data.get("metrics") if isinstance(document.data, Mapping) else None
    records = metrics if isinstance(metrics, Mapping) else {}
    if name in KINDS:
        alike = (record for record in records.values() if isinstance(record, Mapping) and record.get("kind") == name)
        return kind_template(name, next(alike, {}))
    if not isinstance(records.get(name), Mapping):
        raise configuration_error(path, document.problems) if document.problems else _unknown(name, list(records))
    return "\n".join(yaml_lines(name, records[name], _INDENT)) + "\n"


def _unknown(name: str, kpis: list[str]) -> ConfigurationError:
    meant = near(name, [*kpis, *KINDS])
    hint = f"did you mean {meant}?" if meant else f"kinds are {', '.join(KINDS)}; KPIs are {', '.join(kpis)}"
    return ConfigurationError(
        "There is no such KPI and no such kind of KPI.", [Problem("KPI", "E005", f"found {quoted(name)}; {hint}")]
    )


def kind_template(kind: str, alike: Record | None = None) -> str:
    """A new KPI of a kind; what begins with `your` is to be replaced.

    `alike` is another record of the kind: it lends the unit, and values whose spelling follows a rule of their own.
    """
    records = definitions()
    schema = records[KINDS[kind].__name__]
    maker = _Maker(records, alike or {})
    needed = sorted(schema["required"], key=lambda key: key != "kind")  # a stable sort: the kind, then as declared
    needed += ["people"] if (alike or {}).get("people") else []  # of the rows of a fact of people nothing less will do
    added = [key for key in schema["properties"] if key not in needed]
    lines = [f"{' ' * _INDENT}your_{kind}:"]
    lines += _commented(maker, schema, needed, mark="")
    if added:
        lines += [f"{' ' * (2 * _INDENT)}# What may be added: take away the first number sign of its line."]
        lines += _commented(maker, schema, added, mark="# ")
    return "\n".join(lines) + "\n"


def _commented(maker: _Maker, schema: Schema, keys: list[str], *, mark: str) -> list[str]:
    """One line per key: the key with a value, and behind it what it says and takes."""
    parts = {key: schema["properties"][key] for key in keys}
    entries = {key: f"{key}: {_flow(maker.value(key, part), inside=False)}" for key, part in parts.items()}
    width = max(len(entry) for entry in entries.values() if len(entry) <= _WIDTH // 3)
    pad = " " * (2 * _INDENT)
    return [f"{pad}{mark}{entry.ljust(width)}  # {_comment(parts[key])}" for key, entry in entries.items()]


def _comment(part: Schema) -> str:
    told, values = str(part.get("description", "")).rstrip("."), takes(part)
    is_record = any("$ref" in one for one in (part, *part.get("anyOf", ())))
    if "const" in part or values in _OBVIOUS or is_record:
        return told
    default = f"; {_flow(part['default'])} when left out" if "default" in part else ""
    return f"{told} ({values}{default})" if told else f"{values}{default}"


class _Maker:
    """Makes up a value for a key that its schema accepts."""

    def __init__(self, records: Mapping[str, Schema], alike: Record) -> None:
        self.records, self.alike = records, alike

    def value(self, key: str, part: Schema) -> object:
        if key == "min_n" or (key == "unit" and key in self.alike):
            return _MIN_N if key == "min_n" else self.alike[key]
        if "$ref" in part:
            return self.record(self.records[str(part["$ref"]).rpartition("/")[2]])
        if "anyOf" in part:
            return self.value(key, next(one for one in part["anyOf"] if one.get("type") != "null"))
        if "const" in part or "enum" in part:
            return part.get("const", next((one for one in part.get("enum", []) if one != part.get("default")), None))
        if part.get("type") in ("array", "object"):
            return self.several(key, part)
        return self.text(key, part) if part.get("type") == "string" else _number(part)

    def record(self, schema: Schema) -> Record:
        """A record with the keys it needs, and the first of those of which it needs one."""
        needed = [*(schema.get("oneOf") or [{}])[0].get("required", []), *schema.get("required", [])]
        return {key: self.value(key, schema["properties"][key]) for key in needed}

    def several(self, key: str, part: Schema) -> object:
        if part["type"] == "array":
            return [self.value(key, part["items"])]
        return {f"your_{key}": self.value(key, one) for one in part.get("patternProperties", {}).values()}

    def text(self, key: str, part: Schema) -> object:
        if part.get("format") == "date":
            return "2026-01-31"
        made_up = [f"sum(your_{key})"] if key in MEASURE_KEYS else [f"your {key.replace('_', ' ')}", f"your_{key}"]
        made_up += re.findall(r"^\^\((\w+)\|", part.get("pattern", ""))  # the first of the words it may begin with
        fits = [one for one in made_up if re.search(part.get("pattern", ""), one)]
        return fits[0] if fits and fits[0].startswith(("your", "sum")) else self.alike.get(key, (fits or made_up)[0])


def _number(part: Schema) -> object:
    """A flag that is not the default, or a number within the limits."""
    if part.get("type") == "boolean":
        return not part.get("default", False)
    if part.get("type") == "integer":
        return max(1, part.get("minimum", 1))
    if {"exclusiveMinimum", "exclusiveMaximum"} <= part.keys():
        return (part["exclusiveMinimum"] + part["exclusiveMaximum"]) / 2
    return 1


def yaml_lines(key: str, value: object, indent: int = 0) -> Iterator[str]:
    """A key and its value: on one line where it fits, else an item per line; a record always has a line per key."""
    head = f"{' ' * indent}{_scalar(key, inside=False)}:"
    line = f"{head} {_flow(value, inside=False)}"
    if not isinstance(value, (Mapping, list)) or not value or (len(line) <= _WIDTH and indent > _INDENT):
        yield line
        return
    yield head
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from yaml_lines(str(name), one, indent + _INDENT)
    else:
        for one in value:
            yield from _item(one, indent + _INDENT)


def _item(value: object, indent: int) -> Iterator[str]:
    """An item of a list; a record that is too long for a line begins behind the dash."""
    line = f"{' ' * indent}- {_flow(value)}"
    if not isinstance(value, Mapping) or not value or len(line) <= _WIDTH:
        yield line
        return
    lines = [line for name, one in value.items() for line in yaml_lines(str(name), one, indent + _INDENT)]
    yield f"{' ' * indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _flow(value: object, *, inside: bool = True) -> str:
    """A value on one line; `inside` when it may stand within brackets."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, inside=inside)


def _scalar(value: object, *, inside: bool = True) -> str:
    """A scalar that the reader of catalogues reads back as the same value; text is quoted only where it must be."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (int, float, date)):
        return str(value)
    text = str(value)
    plain = (_PLAIN if inside else _PLAIN_BLOCK).fullmatch(text) and plain_scalar(text) == text
    if plain and text.isprintable() and not re.search(r": | #|[\s:]$", text):
        return text
    return (
        '"' + "".join(_ESCAPES.get(char, char) if char.isprintable() else f"\\U{ord(char):08X}" for char in text) + '"'
    )
