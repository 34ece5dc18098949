"""From the text of `tables.yaml` to `Table` records; whatever is wrong with it is listed at once, with its line.

The YAML is only composed, never constructed: every scalar stays the text that was written, so `no` or `12:30`
cannot turn into something else, tags have no effect, and aliases cannot grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, cast

from pipeline.errors import ConfigurationError, Problem
from pipeline.tables import codes
from pipeline.tables.model import TYPES, Column, ColumnType, Table

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TYPE = re.compile(r"(?P<name>[a-z]+)(?:\((?P<values>[^()]*)\))?")
_TABLE_KEYS = ("meaning", "key", "day", "span", "ordered", "not_future", "columns")
_FLAGS = ("required", "signed", "positive")


def parse_tables(text: str, *, where: str) -> dict[str, Table]:
    """The tables declared in a YAML text, by name, in the order written.

    `where` is the file name shown in problems. Raises ConfigurationError listing every problem found.
    """
    report = _Report(where)
    document = _composed(text, report)
    entries = _entries(document, report, "the file") if document else ()
    tables = {name: _table(name, key, value, report) for name, key, value in entries}
    if not tables and not report.problems:
        report.at_line(1, codes.NO_TABLES, "the file declares no table; write one as `name:` with its columns")
    if report.problems:
        raise ConfigurationError("The declaration of the tables is wrong.", report.sorted())
    return tables


@dataclass(frozen=True)
class _Report:
    """Collects what is wrong, with the line it stands on."""

    where: str
    problems: list[tuple[int, Problem]] = field(default_factory=list)

    def add(self, node: Node, code: str, message: str) -> None:
        self.at_line(_line(node), code, message)

    def at_line(self, line: int, code: str, message: str) -> None:
        self.problems.append((line, Problem(f"{self.where}:{line}", code, message)))

    def sorted(self) -> list[Problem]:
        return [problem for _, problem in sorted(self.problems, key=lambda entry: entry[0])]


def _composed(text: str, report: _Report) -> Node | None:
    """The nodes of the text, read by libyaml; what is wrong is told in the words of ruamel.yaml."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", None)  # not there in a PyYAML that was built without libyaml
    try:
        if loader is not None:
            return cast("Node | None", yaml.compose(text, Loader=loader))
    except yaml.YAMLError:
        pass
    return _composed_carefully(text, report)


def _composed_carefully(text: str, report: _Report) -> Node | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return cast("Node | None", YAML(typ="safe", pure=True).compose(text))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        found = getattr(error, "problem", None) or "it holds an unreadable character"
        report.at_line(mark.line + 1 if mark else 1, codes.NOT_YAML, f"this is not YAML: {found}")
        return None


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _kind_of(node: Node) -> str:
    """'scalar', 'sequence' or 'mapping'."""
    return str(getattr(node, "id", ""))


def _text(node: Node) -> str:
    return str(node.value).strip() if _kind_of(node) == "scalar" else ""


def _entries(node: Node, report: _Report, subject: str) -> Iterator[tuple[str, Node, Node]]:
    """The (name, key, value) of a mapping; a key written twice is a problem and counts once."""
    if _kind_of(node) != "mapping":
        report.add(node, codes.NOT_A_MAPPING, f"{subject}: expected `name: ...` entries, found a {_kind_of(node)}")
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        name = _text(key)
        if name in seen:
            report.add(key, codes.WRITTEN_TWICE, f"{subject}: '{name}' stands here and on line {seen[name]}; keep one")
            continue
        seen[name] = _line(key)
        yield name, key, value


def _texts(node: Node, report: _Report, subject: str) -> tuple[str, ...]:
    """The items of a list of plain words; empty after a problem was noted."""
    if _kind_of(node) != "sequence" or not node.value or any(_kind_of(item) != "scalar" for item in node.value):
        report.add(node, codes.NOT_A_LIST, f"{subject}: expected a list of words, such as [a, b]")
        return ()
    return tuple(_text(item) for item in node.value)


def _suggestion(word: str, known: Iterable[str]) -> str:
    """'did you mean ...?' when something near is known, else the list of what is known."""
    names = list(known)
    near = get_close_matches(word, names, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(names)}"


def _check_name(subject: str, name: str, key: Node, report: _Report) -> None:
    if not _NAME.fullmatch(name):
        report.add(key, codes.BAD_NAME, f"{subject}: expected a name of lower-case letters, digits and _")


def _table(name: str, key: Node, node: Node, report: _Report) -> Table:
    _check_name(name, name, key, report)
    parts: dict[str, Node] = {}
    before = len(report.problems)
    for part, part_key, value in _entries(node, report, name):
        if part in _TABLE_KEYS:
            parts[part] = value
        else:
            hint = _suggestion(part, _TABLE_KEYS)
            report.add(part_key, codes.UNKNOWN_KEY, f"{name}: key '{part}' is not known; {hint}")
    is_misspelt = len(report.problems) > before
    for part in ("meaning", "key", "columns"):
        if part not in parts and not is_misspelt:
            report.add(key, codes.MISSING_KEY, f"{name}: expected '{part}:'; a table says its meaning, key and columns")
    columns = _columns(name, parts["columns"], report) if "columns" in parts else {}
    return _Relations(name, columns, parts, report).table()


def _columns(table: str, node: Node, report: _Report) -> dict[str, Column]:
    columns = {}
    for name, key, value in _entries(node, report, f"{table}.columns"):
        _check_name(f"{table}.{name}", name, key, report)
        columns[name] = _column(f"{table}.{name}", name, value, report)
    return columns


def _column(subject: str, name: str, node: Node, report: _Report) -> Column:
    words = _texts(node, report, subject)
    if words and (len(words) == 1 or not words[-1] or words[-1] in _FLAGS):
        report.add(node, codes.NO_MEANING, f'{subject}: expected [type, flags..., "meaning"], the meaning last')
    if len(words) < 2:
        return Column(name, "text", "")
    kind, values = _kind(subject, words[0], node, report)
    flags = words[1:-1]
    _check_flags(subject, flags, kind, node, report)
    # A misspelt flag may have meant `required`: it is one problem, and shall not make the key a second one.
    required = "required" in words or not set(flags) <= set(_FLAGS)
    said = {"required": required, "signed": "signed" in flags, "positive": "positive" in flags}
    return Column(name, kind.name, words[-1], values, **said)


def _kind(subject: str, written: str, node: Node, report: _Report) -> tuple[ColumnType, tuple[str, ...]]:
    """The type a column is declared with and, for a category, its values."""
    match = _TYPE.fullmatch(written)
    name, listed = (match["name"], match["values"]) if match else (written, None)
    if name not in TYPES:
        report.add(node, codes.UNKNOWN_TYPE, f"{subject}: type '{name}' is not known; {_suggestion(name, TYPES)}")
        return TYPES["text"], ()
    if (name == "category") != (listed is not None):
        report.add(node, codes.BAD_VALUES, f"{subject}: a category lists its values, category(a|b); other types do not")
    values = tuple(value.strip() for value in listed.split("|")) if listed is not None else ()
    if "" in values or len(set(values)) < len(values):
        report.add(node, codes.BAD_VALUES, f"{subject}: a value of the category is empty or listed twice")
    return TYPES[name], values


def _check_flags(subject: str, flags: tuple[str, ...], kind: ColumnType, node: Node, report: _Report) -> None:
    for flag in flags:
        if flag not in _FLAGS:
            report.add(node, codes.UNKNOWN_FLAG, f"{subject}: flag '{flag}' is not known; {_suggestion(flag, _FLAGS)}")
    if len(set(flags)) < len(flags):
        report.add(node, codes.WRITTEN_TWICE, f"{subject}: a flag stands here twice; keep one")
    if "signed" in flags and not kind.signable:
        signable = ", ".join(known.name for known in TYPES.values() if known.signable)
        report.add(node, codes.BAD_FLAG, f"{subject}: type {kind.name} cannot be signed; {signable} can")
    if "positive" in flags and not kind.is_number:
        report.add(node, codes.BAD_FLAG, f"{subject}: type {kind.name} cannot be positive; numbers can")
    if {"signed", "positive"} <= set(flags):
        report.add(node, codes.BAD_FLAG, f"{subject}: signed and positive exclude each other; keep one")


@dataclass(frozen=True)
class _Relations:
    """The parts of a table that name its columns, checked against them."""

    name: str
    columns: dict[str, Column]
    parts: dict[str, Node]
    report: _Report

    def table(self) -> Table:
        return Table(
            name=self.name,
            meaning=self._meaning(),
            key=self._key(),
            columns=tuple(self.columns.values()),
            day=self._day(),
            span=self._pair("span", self.parts["span"]) if "span" in self.parts else None,
            ordered=self._ordered(),
            not_future=self._names("not_future", moments=True),
        )

    def _problem(self, part: str, code: str, message: str, *, node: Node | None = None) -> None:
        self.report.add(node or self.parts[part], code, f"{self.name}.{part}: {message}")

    def _meaning(self) -> str:
        meaning = _text(self.parts["meaning"]) if "meaning" in self.parts else ""
        if "meaning" in self.parts and not meaning:
            self._problem("meaning", codes.NO_MEANING, "expected a sentence that says what a row is")
        return meaning

    def _key(self) -> tuple[str, ...]:
        names = self._names("key")
        for name in names:
            if name in self.columns and not self.columns[name].required:
                self._problem("key", codes.OPTIONAL_KEY, f"'{name}' is part of the key; flag the column required")
        return names

    def _day(self) -> str | None:
        if "day" not in self.parts:
            return None
        if "span" in self.parts:
            self._problem("day", codes.DAY_AND_SPAN, "the table says span as well; keep one")
        name = _text(self.parts["day"])
        self._check_columns("day", (name,), self.parts["day"], moments=True)
        return name

    def _ordered(self) -> tuple[tuple[str, str], ...]:
        if "ordered" not in self.parts:
            return ()
        node = self.parts["ordered"]
        if _kind_of(node) != "sequence":
            self._problem("ordered", codes.NOT_A_LIST, "expected pairs, such as [[a, b], [c, d]]")
            return ()
        pairs = [self._pair("ordered", item) for item in node.value]
        return tuple(pair for pair in pairs if pair)

    def _pair(self, part: str, node: Node) -> tuple[str, str] | None:
        names = _texts(node, self.report, f"{self.name}.{part}")
        if len(names) != 2:
            if names:
                self._problem(part, codes.NOT_A_PAIR, f"expected two columns, found {len(names)}", node=node)
            return None
        self._check_columns(part, names, node, moments=part == "span")
        self._check_order(part, names, node)
        types = {name: self.columns[name].type for name in names if name in self.columns and self._is_orderable(name)}
        if len(set(types.values())) == 2:
            found = " and ".join(f"'{name}' is of type {kind}" for name, kind in types.items())
            self._problem(part, codes.BAD_PAIR, f"{found}; expected two of one type", node=node)
        return names[0], names[1]

    def _check_order(self, part: str, names: tuple[str, ...], node: Node) -> None:
        """Notes columns whose values have no order; a span was held to days and times already."""
        for name in names if part == "ordered" else ():
            if name in self.columns and not self._is_orderable(name):
                message = f"'{name}' is of type {self.columns[name].type}, expected date, time or a number"
                self._problem(part, codes.NO_ORDER, message, node=node)

    def _is_orderable(self, name: str) -> bool:
        kind = self.columns[name].column_type
        return kind.is_moment or kind.is_number

    def _names(self, part: str, *, moments: bool = False) -> tuple[str, ...]:
        if part not in self.parts:
            return ()
        node = self.parts[part]
        names = _texts(node, self.report, f"{self.name}.{part}")
        self._check_columns(part, names, node, moments=moments)
        return names

    def _check_columns(self, part: str, names: tuple[str, ...], node: Node, *, moments: bool) -> None:
        """Notes names that are no column, or stand there twice, or are no date or time where one must be."""
        for name in names:
            if name not in self.columns:
                hint = _suggestion(name, self.columns)
                self._problem(part, codes.UNKNOWN_COLUMN, f"the table has no column '{name}'; {hint}", node=node)
            elif moments and not self.columns[name].column_type.is_moment:
                kind = self.columns[name].type
                self._problem(part, codes.NOT_A_MOMENT, f"'{name}' is of type {kind}, expected date or time", node=node)
        if len(set(names)) < len(names):
            self._problem(part, codes.WRITTEN_TWICE, "a column stands here twice; keep one", node=node)
