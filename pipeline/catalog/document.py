"""A YAML file as plain values, with the place of every key and the text of every scalar.

Built from the parser's events, so that nothing of YAML beyond mappings, lists and scalars can reach the catalogue: no
anchor, alias, tag, directive or merge. Scalars follow the core schema of YAML 1.2: `no` and `12:30` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from pipeline.catalog import codes
from pipeline.catalog.wording import problem, quoted
from pipeline.errors import Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError

KeyPath = tuple[str | int, ...]
ParserEvent: TypeAlias = Any
"""An event of the YAML parser; which attributes it has depends on its kind."""
NOWHERE = (0, 0)
MAX_BYTES = 512 * 1024
MAX_DEPTH = 12

_OF_RECORDS = (("metrics",), ("benefits",))
"""Mappings of records that are judged, too, when their id stands twice: the second then goes by its line."""
_READ_DIFFERENTLY = re.compile(r"""[\t\x85\u2028\u2029\ufeff]|["']:\S""")
"""What the two parsers do not read alike: tabs, byte-order marks, line ends of YAML 1.1 that 1.2 does not have, and a
quoted key with its value right behind the colon."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(frozen=True)
class Positions:
    """Where each key of a file stands; lines and columns count from one."""

    file: str
    places: Mapping[KeyPath, tuple[int, int]]
    unknown: frozenset[KeyPath] = frozenset()
    """Keys of which nobody knows what they should say: that has been told, and they stand nowhere, at 0:0."""
    doubled: frozenset[KeyPath] = frozenset()
    """Keys that stand twice: each of the two may be the one that others mean."""

    def is_unknown(self, *path: str | int) -> bool:
        """Return whether what stands under the path cannot be known."""
        return bool(self.unknown) and any(path[:length] in self.unknown for length in range(1, len(path) + 1))

    def is_whole(self, *path: str | int) -> bool:
        """Return whether all that stands under the path is known, and is the one thing that bears its name."""
        below = any(one[: len(path)] == path for one in self.unknown | self.doubled)
        is_one_of_two = any(path[: len(one)] == one for one in self.doubled)
        return not below and not is_one_of_two and not self.is_unknown(*path)

    def at(self, path: KeyPath) -> tuple[int, int]:
        """Line and column of the key, or of the nearest key around it that exists."""
        if self.is_unknown(*path):
            return NOWHERE
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return 1, 1

    def where(self, *path: str | int) -> str:
        """`file:line:column` of the key."""
        line, column = self.at(path)
        return f"{self.file}:{line}:{column}"


@dataclass(frozen=True)
class Document:
    """What a file says, where it says it, and what is wrong with its YAML."""

    data: object
    positions: Positions
    texts: Mapping[KeyPath, str]
    """The scalar under a path as it was written."""
    problems: tuple[Problem, ...] = ()
    broken: frozenset[KeyPath] = frozenset()
    """Paths whose value could not be taken; nothing more is to be said about them."""
    doubled: frozenset[KeyPath] = frozenset()
    """Keys that stand twice; of their values the first counts."""
    readable: bool = True
    """False when the YAML stopped making sense and `data` is not the whole of it."""


@dataclass
class _Frame:
    """A mapping or list that is still open."""

    path: KeyPath
    value: dict[str, object] | list[object]
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)
    """Line of each key so far."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None

    def next_path(self) -> KeyPath:
        return (*self.path, len(self.value) if self.key is None else self.key)

    def put(self, value: object) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value.setdefault(self.key, value)  # of a duplicate key, which is a problem already, the first counts
            self.key = None


class _HaltError(Exception):
    """The YAML cannot be followed any further; `is_whole` when what came before is a whole document."""

    def __init__(self, *, is_whole: bool = False) -> None:
        super().__init__()
        self.is_whole = is_whole


@dataclass
class _Builder:
    """Turns events into values; keeps an own stack, so that no nesting exhausts Python's."""

    file: str
    data: object = None
    frames: list[_Frame] = field(default_factory=list)
    places: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[KeyPath] = field(default_factory=set)
    doubled: set[KeyPath] = field(default_factory=set)
    documents: int = 0

    def take(self, event: ParserEvent) -> None:
        """Take one event of the parser; raises _HaltError when what follows would make no sense."""
        handler = getattr(self, f"_on_{type(event).__name__.removesuffix('Event').lower()}", None)
        if handler is not None:
            handler(event)

    def report(self, event: ParserEvent, code: str, *, found: str, expected: str, meant: str | None = None) -> None:
        mark = event.start_mark
        where = f"{self.file}:{mark.line + 1}:{mark.column + 1}"
        self.problems.append(problem(where, code, found=found, expected=expected, meant=meant))

    def _on_documentstart(self, event: ParserEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            self.report(event, codes.YAML_FEATURE, found="a second document", expected="one document in the file")
            raise _HaltError(is_whole=True)
        if event.version or event.tags:
            self.report(event, codes.YAML_FEATURE, found="a % directive", expected="a file without directives")

    def _on_alias(self, event: ParserEvent) -> None:
        expected = "the value written out; aliases are refused"
        self.report(event, codes.YAML_FEATURE, found=f"the alias *{event.anchor}", expected=expected)
        if self.frames and self.frames[-1].wants_key:
            raise _HaltError
        self.broken.add(self._open_value(event))
        self._put(None)

    def _on_scalar(self, event: ParserEvent) -> None:
        frame = self.frames[-1] if self.frames else None
        refused = self._refuse_features(event)
        if frame is not None and frame.wants_key:
            self._key(frame, event)
            return
        path = self._open_value(event)
        if refused:
            self.broken.add(path)
        self.texts.setdefault(path, event.value)
        self._put(event.value if event.style else plain_scalar(event.value))

    def _on_mappingstart(self, event: ParserEvent) -> None:
        self._open(event, {})

    def _on_sequencestart(self, event: ParserEvent) -> None:
        self._open(event, [])

    def _on_mappingend(self, _event: ParserEvent) -> None:
        self._put(self.frames.pop().value)

    _on_sequenceend = _on_mappingend

    def _open(self, event: ParserEvent, value: dict[str, object] | list[object]) -> None:
        if self.frames and self.frames[-1].wants_key:
            self.report(event, codes.NOT_YAML, found="a mapping or list as a key", expected="a word as the key")
            raise _HaltError
        if len(self.frames) >= MAX_DEPTH:
            self.report(event, codes.TOO_DEEP, found=f"more than {MAX_DEPTH} levels", expected="a flatter file")
            raise _HaltError
        refused = self._refuse_features(event)
        path = self._open_value(event)
        if refused:
            self.broken.add(path)
        self.frames.append(_Frame(path, value))

    def _open_value(self, event: ParserEvent) -> KeyPath:
        """Path of the value that starts here; list items have no key, so their own place is kept."""
        path = self.frames[-1].next_path() if self.frames else ()
        self.places.setdefault(path, (event.start_mark.line + 1, event.start_mark.column + 1))
        return path

    def _key(self, frame: _Frame, event: ParserEvent) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        name = event.value
        if name in frame.seen:
            found = f"the key {quoted(event.value)} again, first on line {frame.seen[event.value]}"
            self.report(event, codes.DUPLICATE_KEY, found=found, expected="every key once")
            self.doubled.add((*frame.path, name))
            name = f"{name[:40]}_of_line_{line}" if frame.path in _OF_RECORDS else name
        frame.seen.setdefault(event.value, line)
        self.places.setdefault((*frame.path, name), (line, column))
        frame.key = name

    def _refuse_features(self, event: ParserEvent) -> bool:
        """Report an anchor or tag on the event; True when its value is not to be trusted."""
        if event.anchor:
            expected = "the value written out where it is needed"
            self.report(event, codes.YAML_FEATURE, found=f"the anchor &{event.anchor}", expected=expected)
        if event.tag:
            self.report(event, codes.YAML_FEATURE, found=f"the tag {quoted(str(event.tag))}", expected="no tags")
        return bool(event.tag)

    def _put(self, value: object) -> None:
        if self.frames:
            self.frames[-1].put(value)
        else:
            self.data = value


def plain_scalar(text: str) -> object:
    """The value of an unquoted scalar by the YAML 1.2 core schema: null, true, false, a decimal number, else text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class Parser(Protocol):
    """Makes a document of text; `file` is the name that problems carry."""

    def __call__(self, text: str, *, file: str) -> Document:
        """Parse a text."""


def read_document(path: Path, parse: Parser | None = None) -> Document:
    """Read a YAML file of at most MAX_BYTES; what is wrong comes back as problems, never as an exception."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        found = f"{quoted(str(path))}: {error.strerror or type(error).__name__}"
        return _unreadable(path.name, codes.UNREADABLE, found, "a file that can be read")
    if len(raw) > MAX_BYTES:
        return _unreadable(path.name, codes.TOO_LARGE, f"more than {MAX_BYTES} bytes", "a smaller file")
    parse = parse or parse_document
    try:
        return parse(raw.decode("utf-8-sig"), file=path.name)
    except UnicodeDecodeError as error:
        where = _place(path.name, raw[: error.start].decode("utf-8", "replace").removeprefix("\ufeff"))
        wrong = _unreadable(where, codes.NOT_UTF8, f"byte 0x{raw[error.start]:02x}", "UTF-8 text")
    rest = parse(raw.decode("utf-8-sig", "replace"), file=path.name)
    return replace(rest, problems=(*wrong.problems, *rest.problems)) if rest.readable else wrong


def parse_document(text: str, *, file: str) -> Document:
    """Parse YAML text; `file` is the name that problems carry.

    libyaml reads it, thirty times as fast as ruamel.yaml. Where anything is wrong, or the two may read differently,
    ruamel.yaml decides, and its words are those that people are told.
    """
    if not _READ_DIFFERENTLY.search(text):
        document = _parsed_fast(text, file)
        if document is not None:
            return document
    return _parsed_carefully(text, file)


def _parsed_fast(text: str, file: str) -> Document | None:
    """The document of a text in which nothing is wrong, else None."""
    import yaml

    builder = _Builder(file)
    loader = getattr(yaml, "CSafeLoader", None)
    if loader is None:  # a PyYAML that was built without libyaml
        return None
    try:
        is_whole = _take_all(builder, yaml.parse(text, Loader=loader))
    except (yaml.YAMLError, ValueError, OverflowError):
        return None
    return _built(builder, readable=True) if is_whole and not builder.problems else None


def _parsed_carefully(text: str, file: str) -> Document:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    builder = _Builder(file)
    readable = False
    try:
        readable = _take_all(builder, YAML(typ="safe", pure=True).parse(text))
    except ReaderError as error:
        where, found = _place(file, text[: error.position]), f"the control character U+{ord(text[error.position]):04X}"
        builder.problems.append(problem(where, codes.NOT_YAML, found=found, expected="printable text"))
    except MarkedYAMLError as error:
        builder.problems.append(_conflict(file, text) or _syntax_problem(file, error))
    except (ValueError, OverflowError):  # the parser hands the number of an escape to chr() unseen
        escape = re.search(r"\\U(?!000|0010)", text)
        where, found = _place(file, text[: escape.start() if escape else 0]), "an escape beyond U+10FFFF"
        builder.problems.append(problem(where, codes.NOT_YAML, found=found, expected="a character of Unicode"))
    return _built(builder, readable=readable)


def _built(builder: _Builder, *, readable: bool) -> Document:
    broken, doubled = frozenset(builder.broken), frozenset(builder.doubled)
    positions, problems = Positions(builder.file, builder.places, doubled=doubled), tuple(builder.problems)
    return Document(builder.data, positions, builder.texts, problems, broken, doubled, readable)


def _take_all(builder: _Builder, events: Iterable[ParserEvent]) -> bool:
    try:
        for event in events:
            builder.take(event)
    except _HaltError as halt:
        return halt.is_whole
    return True


def _conflict(file: str, text: str) -> Problem | None:
    """A file that git could not merge is no YAML from its first mark on; None where there is no such mark."""
    mark = re.search(r"^<{7}(?= |$)", text, flags=re.MULTILINE)
    if mark is None:
        return None
    expected = "one of the two sides, without the lines <<<<<<<, ======= and >>>>>>>"
    found = "a conflict that a merge left"
    return problem(_place(file, text[: mark.start()]), codes.NOT_YAML, found=found, expected=expected)


def _syntax_problem(file: str, error: MarkedYAMLError) -> Problem:
    """The parser's own words at the place where it gave up, or where that begins of which it looked for the end."""
    is_open = "stream" in str(error.problem) and error.context_mark
    mark = error.context_mark if is_open else error.problem_mark or error.context_mark
    where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
    context = f" {error.context}" if error.context else ""
    expected = "valid YAML; quote a text that holds `: ` or starts with a special character, indent with spaces"
    return Problem(where, codes.NOT_YAML, f"found broken YAML{context} ({error.problem}), expected {expected}")


def _place(file: str, before: str) -> str:
    """`file:line:column` of the character that follows the text."""
    lines = before.split("\n")
    return f"{file}:{len(lines)}:{len(lines[-1]) + 1}"


def _unreadable(where: str, code: str, found: str, expected: str) -> Document:
    file = where.partition(":")[0]
    trouble = (problem(where, code, found=found, expected=expected),)
    return Document(None, Positions(file, {}), {}, trouble, readable=False)
