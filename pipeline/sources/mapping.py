"""Reading the mapping language: one YAML file says which exports are of one kind and how they fill the tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline.catalog.document import MAX_BYTES, Document, KeyPath, read_document
from pipeline.catalog.wording import near, problem, quoted
from pipeline.errors import ConfigurationError, Problem, in_file_order
from pipeline.sources import codes
from pipeline.sources.judgement import judge_mapping
from pipeline.sources.model import SourceMapping, TableMapping
from pipeline.tables import load_tables

__all__ = ["PACKAGE_SOURCES", "SourceMapping", "TableMapping", "examine_mappings", "load_mappings", "mappings_hash",
           "reading_hash"]  # fmt: skip

PACKAGE_SOURCES = Path(__file__).parent
"""The mappings that come with the package."""
_APART = frozenset({"time_zone", "delimiter", "header_line", "nulls", "final_newline", "quarantine_limit", "mark"})
"""Keys whose values nothing else in a mapping is judged by, and that may be left out."""


def load_mappings(directories: Sequence[Path] = (PACKAGE_SOURCES,)) -> tuple[SourceMapping, ...]:
    """Every mapping in the directories, in the order of their ids.

    A source in a later directory replaces one of the same id; a directory that does not exist holds none. Raises
    ConfigurationError with every problem of every file.
    """
    mappings, problems = examine_mappings(directories)
    if problems:
        raise ConfigurationError("The source mappings cannot be used.", problems)
    return mappings


def examine_mappings(directories: Sequence[Path]) -> tuple[tuple[SourceMapping, ...], tuple[Problem, ...]]:
    """The mappings as far as they could be read, in the order of their ids, and every problem of every file."""
    files = {path.stem: path for directory in directories for path in sorted(directory.glob("*.yaml"))}
    return _examined(tuple((files[stem], _content(files[stem])) for stem in sorted(files)))


@lru_cache(maxsize=8)
def _examined(files: tuple[tuple[Path, bytes], ...]) -> tuple[tuple[SourceMapping, ...], tuple[Problem, ...]]:
    """What the files say; a run asks several times, and the contents tell whether they are still the same."""
    read = [_read_mapping(path) for path, _ in files]
    mappings = tuple(mapping for mapping, _ in read if mapping is not None)
    return mappings, in_file_order(one for _, found in read for one in found)


def _content(path: Path) -> bytes:
    """The bytes of a file as far as they are read; none where `read_document` will say why."""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError:
        return b""


def mappings_hash(mappings: Sequence[SourceMapping]) -> str:
    """SHA-256 of what the mappings and the rules of the tables say; comments and the order of files do not count."""
    said = {mapping.source: mapping.model_dump(mode="json", by_alias=True) for mapping in mappings}
    rules = {name: asdict(table) for name, table in load_tables().items()}
    return hashlib.sha256(json.dumps([said, rules], sort_keys=True).encode()).hexdigest()


_READING = {"relations", "tables", "nulls", "time_zone", "delimiter", "header_line", "records"}
"""Keys that say which rows a file makes; the others say how it is recognised, checked and described."""


def reading_hash(mapping: SourceMapping) -> str:
    """12 hex digits that change when a mapping may make other rows of the same file."""
    tables = {name: {"totals"} for name in mapping.tables}
    said = mapping.model_dump(mode="json", by_alias=True, include=_READING, exclude={"tables": tables})
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _read_mapping(path: Path) -> tuple[SourceMapping | None, list[Problem]]:
    document = _named(read_document(path), _shown(path))
    if document.problems:
        return None, list(document.problems)
    data = _as_written(document.data, (), document)
    try:
        mapping = SourceMapping.at(document.positions, data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        rest = _without(data, found, document)
        return rest, [
            *(_problem(one, document) for one in found),
            *(judge_mapping(rest, stem=path.stem) if rest else ()),
        ]
    return mapping, judge_mapping(mapping, stem=path.stem)


def _without(data: object, faults: Sequence[Mapping[str, Any]], document: Document) -> SourceMapping | None:
    """A mapping without the keys that are wrong, so that its other mistakes are found too; None when they matter there.

    An unknown key stands for the one it is like; what says nothing of columns and tables is left out.
    """
    rest: Any = deepcopy(data)
    for fault in faults:
        path: KeyPath = tuple(fault["loc"])
        if fault["type"] == "extra_forbidden":
            _respell(rest, path)
        elif path[:1] == ("describes",):
            rest["describes"] = "without a description"
        elif path and path[0] in _APART:
            rest.pop(path[0], None)
        else:
            return None
    try:
        return SourceMapping.at(document.positions, rest)
    except ValidationError:
        return None


def _respell(data: dict[Any, Any], path: KeyPath) -> None:
    """Give an unknown key the name it is like, or take it out."""
    owner: Any = data
    for step in path[:-1]:
        owner = owner[step]
    said, meant = owner.pop(path[-1]), near(str(path[-1]), _fields(path))
    if meant is not None:
        owner.setdefault(meant, said)


def _shown(path: Path) -> str:
    """The name of a mapping in problems: as a user of the project finds it, so with its folder."""
    return f"pipeline/sources/{path.name}" if path.parent == PACKAGE_SOURCES else f"{path.parent.name}/{path.name}"


def _named(document: Document, name: str) -> Document:
    """The document with this name of its file wherever a place is told."""
    bare = document.positions.file
    problems = tuple(replace(one, where=name + one.where.removeprefix(bare)) for one in document.problems)
    return replace(document, positions=replace(document.positions, file=name), problems=problems)


def _as_written(value: object, path: KeyPath, document: Document) -> object:
    """The values with every scalar as the text that stands in the file, so that `0` and `true` can be expressions."""
    if isinstance(value, dict):
        return {key: _as_written(inner, (*path, key), document) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(inner, (*path, index), document) for index, inner in enumerate(value)]
    if isinstance(value, bool) and path == ("final_newline",):
        return value
    return document.texts.get(path) or None


def _problem(error: Mapping[str, Any], document: Document) -> Problem:
    """One fault pydantic found, in our words and with its place."""
    path: KeyPath = tuple(error["loc"])
    where, fields = document.positions.where(*path), _fields(path)
    if error["type"] == "extra_forbidden":
        found, expected = f"the unknown key {quoted(str(path[-1]))}", f"one of {', '.join(fields)}"
        return problem(where, codes.UNKNOWN_KEY, found=found, expected=expected, meant=near(str(path[-1]), fields))
    if error["type"] == "missing":
        owner = ".".join(map(str, path[:-1])) or "the mapping"
        return problem(where, codes.MISSING_KEY, found=f"{owner} without it", expected=f"the key '{path[-1]}'")
    found = f"{'.'.join(map(str, path)) or 'the file'}: {quoted(error['input'])}"
    return problem(where, codes.WRONG_VALUE, found=found, expected=_expected(error))


def _fields(path: KeyPath) -> list[str]:
    model: type[BaseModel] = TableMapping if path[:1] == ("tables",) else SourceMapping
    return [field.alias or name for name, field in model.model_fields.items()]


def _expected(error: Mapping[str, Any]) -> str:
    """What pydantic wanted, without the words that only a programmer reads."""
    message = str(error["msg"]).removeprefix("Input should be ")
    return message.replace("a valid dictionary or instance of TableMapping", "a mapping")
