"""What can be read of a catalogue of which the YAML breaks somewhere: every record but those it breaks in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.catalog.document import Document, KeyPath, parse_document

_SECTION = re.compile(r"(\w+):\s*(#.*)?")
_RECORD = re.compile(r"( +)([^\s#'\"\[{&*!|>%@`-][^:]*):(\s|$)")


@dataclass(frozen=True)
class _Record:
    """Lines of a record, from zero, and that of the section it stands in."""

    path: KeyPath
    column: int
    header: int
    first: int
    last: int

    def alone(self, lines: Sequence[str]) -> str:
        """The text with nothing but the record, on the lines it stands on."""
        kept = {self.header, *range(self.first, self.last)}
        return "\n".join(line if number in kept else "" for number, line in enumerate(lines))


def parse_what_can_be(text: str, *, file: str) -> Document:
    """Parse YAML text; a record of which the YAML breaks is cut out, and the rest is read.

    Each such record is told with its own problem. What breaks outside of records leaves nothing that could be read.
    """
    whole = parse_document(text, file=file)
    if whole.readable:
        return whole
    lines = text.split("\n")
    cut = {record: parse_document(record.alone(lines), file=file) for record in _records(lines)}
    cut = {record: document for record, document in cut.items() if not document.readable}
    for record in cut:
        lines[record.first : record.last] = [""] * (record.last - record.first)
    rest = parse_document("\n".join(lines), file=file)
    if not cut or not rest.readable or not isinstance(rest.data, dict):
        return whole
    return _without(rest, cut)


def _without(rest: Document, cut: dict[_Record, Document]) -> Document:
    """The document of the rest, with the problems of the records cut out and the places of their ids."""
    assert isinstance(rest.data, dict)  # noqa: S101 - looked at before
    emptied: dict[str | int, object] = {record.path[0]: {} for record in cut if rest.data.get(record.path[0]) is None}
    places = {record.path: (record.first + 1, record.column) for record in cut}
    return replace(
        rest,
        data={**rest.data, **emptied},
        positions=replace(rest.positions, places={**rest.positions.places, **places}),
        problems=(*rest.problems, *(one for document in cut.values() for one in document.problems)),
        broken=rest.broken | set(places),
    )


def _records(lines: Sequence[str]) -> Iterator[_Record]:
    """The records of every section, by their indentation."""
    begun: _Record | None = None
    section, header, indent = "", 0, 0
    for number, line in enumerate([*lines, "end:"]):
        is_top = bool(line.strip()) and line[0] not in " \t#\r"
        found = None if is_top else _RECORD.match(line)
        begins = found is not None and bool(section) and len(found[1]) == (indent or len(found[1]))
        if begun is not None and (is_top or begins):
            yield replace(begun, last=number)
            begun = None
        if is_top:
            top = _SECTION.fullmatch(line.rstrip("\r"))
            section, header, indent = (top[1] if top else ""), number, 0
        elif begins and found is not None:
            indent = len(found[1])
            begun = _Record((section, found[2].strip()), indent + 1, header, number, number)
