"""Whether the bytes of a file can be taken at all, before anything is read from it, and whether the file is whole."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from html import unescape
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RoiError
from pipeline.sources.model import SourceMapping
from pipeline.warehouse.ledger import WAITS_FOR

_CHUNK = 1 << 20
_PARQUET = b"PAR1"
_AS_CSV = "save the sheet with the rows as CSV (UTF-8, set apart by commas)"
_MAGIC = {
    b"\xff\xfe": "it looks like UTF-16; export it as UTF-8",
    b"\xfe\xff": "it looks like UTF-16; export it as UTF-8",
    b"\x1f\x8b": "it looks like a gzip archive; export it as UTF-8",
    b"\xd0\xcf\x11\xe0": f"it is an old Excel workbook; {_AS_CSV}",
    b"PK\x03\x04": f"it looks like a zip archive or a spreadsheet; unpack it, or {_AS_CSV}",
}
_SPREADSHEETS = {b"xl/workbook": "an Excel workbook", b"opendocument.spreadsheet": "an OpenDocument spreadsheet"}
"""What the directory of a zip archive, or its first member, names; nothing is unpacked to know it."""
_DIRECTORY_BYTES = 1 << 16
_CR = 0x0D
_OTHER_BLANKS = (b"\t", b"\v", b"\f", b"\x1c", b"\x1d", b"\x1e", b"\x1f")
_STILL = "(the file may still be being written)"
_BY_LINE = ("csv", "jsonl", "trec")
"""Readers of files of which a line is a record, as a rule."""


@dataclass(frozen=True)
class Limits:
    """How large a file, a line of it, and a JSON document (which is parsed as a whole) may be.

    Lines are measured in chunks of a mebibyte, so a line limit below that may refuse shorter lines.
    """

    max_bytes: int = 64 << 30
    max_line_bytes: int = 16 << 20
    max_document_bytes: int = 1 << 30


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class FileProblem:
    """Why a whole file is quarantined: a kind to count by, and the reason in words without any value of the file."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return self.reason


class FileRefusedError(RoiError):
    """A file that passed every cheap check but cannot be read as a whole; the loader quarantines that file alone."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


def incomplete(what: str) -> FileProblem:
    """The problem of a file that is not whole."""
    return FileProblem("incomplete", f"incomplete: {what} {_STILL}")


def inspect_bytes(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> FileProblem | None:
    """The first thing wrong with the bytes of a file, or None: size, encoding, NUL; for Parquet, its two marks.

    Reads the file once in chunks. Offsets count bytes from zero.
    """
    size = path.stat().st_size
    if size == 0:
        return FileProblem("empty", f"empty: the file has no bytes {_STILL}")
    if size > limits.max_bytes:
        return FileProblem("too large", f"too large: {size} bytes where at most {limits.max_bytes} are taken")
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(max(size - 4, 0))
        end = stream.read(4)
    if start == _PARQUET:
        return None if end == _PARQUET and size > 8 else incomplete("the Parquet file has no footer")
    return _inspect_text(path, start)


def _inspect_text(path: Path, start: bytes) -> FileProblem | None:
    for magic, looks in _MAGIC.items():
        if start.startswith(magic):
            kind = spreadsheet_kind(path)
            told = f"it is {kind}; {_AS_CSV}" if kind else looks
            return FileProblem("encoding", f"not UTF-8 text: {told}")
    decoder, offset = codecs.getincrementaldecoder("utf-8")(), 0
    for chunk in _chunks(path):
        pending = len(decoder.getstate()[0])
        nul = chunk.find(b"\0")
        if nul < 0 and not pending and chunk.isascii():
            offset += len(chunk)
            continue
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            if nul < 0 or error.start - pending < nul:
                return _not_utf8(chunk, error.start - pending, offset)
        if nul >= 0:
            return FileProblem("encoding", f"a NUL byte at offset {offset + nul}; text has none")
        offset += len(chunk)
    return incomplete("the file ends inside a character") if decoder.getstate()[0] else None


def spreadsheet_kind(path: Path) -> str:
    """What kind of spreadsheet a zip archive is, by its first bytes and its directory, which is last; '' if none."""
    with path.open("rb") as stream:
        head = stream.read(_DIRECTORY_BYTES)
        stream.seek(max(path.stat().st_size - _DIRECTORY_BYTES, 0))
        ends = head + stream.read(_DIRECTORY_BYTES)
    return next((kind for name, kind in _SPREADSHEETS.items() if head.startswith(b"PK") and name in ends), "")


def sheet_names(path: Path) -> tuple[str, ...]:
    """The names of the sheets of an Excel workbook, as far as they can be read; they are of the file, for its user."""
    try:
        with ZipFile(path) as archive, archive.open("xl/workbook.xml") as member:
            text = member.read(_CHUNK).decode("utf-8", errors="replace")
    except (OSError, BadZipFile, KeyError, RuntimeError, NotImplementedError, zlib.error):
        return ()
    return tuple(unescape(name) for name in re.findall(r'<(?:\w+:)?sheet\s[^>]*?\bname="([^"]*)"', text))


def _not_utf8(chunk: bytes, index: int, offset: int) -> FileProblem:
    """The problem of a byte; an index below zero lies in the chunk before."""
    byte = f"byte 0x{chunk[index]:02x}" if index >= 0 else "a byte"
    return FileProblem("encoding", f"not UTF-8: {byte} at offset {offset + index}; export it as UTF-8")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


@dataclass
class LineFacts:
    """How the lines of a file end and how many there are, counted over its bytes; LF, CR LF and CR each end a line."""

    lf: int = 0
    cr: int = 0
    crlf: int = 0
    last: bytes = b""
    longest: int = 0
    """At least the length of the longest line; exact where that exceeds one chunk."""
    is_plain: bool = True
    """All of it is ASCII, and no white space but blanks and line ends is in it."""
    is_unescaped: bool = True
    """No backslash is in it, which in JSON may stand for any character."""
    has_blank: bool = False
    """A line is empty."""
    is_quoted_by_line: bool = True
    """Every line has an even number of quotation marks, so that in a CSV file no value goes on in the next one."""
    _open: int = field(default=0, repr=False)
    _tail: bytes = field(default=b"\r\n", repr=False)
    _is_quoted: bool = field(default=False, repr=False)

    @property
    def lines(self) -> int:
        """Physical lines; a last line without an end counts."""
        return self.lf + self.cr - self.crlf + (0 if self.is_ended else 1)

    @property
    def is_ended(self) -> bool:
        """The file ends with a line end."""
        return self.last in {b"\n", b"\r", b""}

    @property
    def is_split(self) -> bool:
        """The file breaks off between CR and LF: every other line ends with both."""
        return self.last == b"\r" and 0 < self.crlf == self.lf == self.cr - 1

    @property
    def is_uniform(self) -> bool:
        """Every line ends with LF, or every line with CR LF."""
        return self.cr == 0 or self.lf == self.cr == self.crlf

    def take(self, chunk: bytes) -> None:
        """Count one more chunk."""
        self.is_plain = self.is_plain and chunk.isascii() and not any(mark in chunk for mark in _OTHER_BLANKS)
        self.is_unescaped = self.is_unescaped and b"\\" not in chunk
        has_cr = b"\r" in chunk
        ends = _places(chunk, b"\n")
        self.lf += len(ends)
        self.crlf += (chunk.count(b"\r\n") if has_cr else 0) + (self.last == b"\r" and chunk[:1] == b"\n")
        self.cr += chunk.count(b"\r") if has_cr else 0
        self.last = chunk[-1:]
        self._look_at_lines(chunk, ends)
        breaks = chunk.replace(b"\r", b"\n") if has_cr else chunk
        first, final = breaks.find(b"\n"), breaks.rfind(b"\n")
        inside = self._open + (first if first >= 0 else len(chunk))
        self.longest = max(self.longest, inside, final - first)
        self._open = len(chunk) - final - 1 if final >= 0 else inside

    def _look_at_lines(self, chunk: bytes, ends: NDArray[np.int64]) -> None:
        """Look for empty lines, and for lines of which a quotation mark stays open."""
        edge, gaps = self._tail + chunk[:2], np.diff(ends)
        self._tail = (self._tail + chunk[-3:])[-3:]
        between = (chunk[end + 1] for end in ends[:-1][gaps == 2].tolist())
        is_blank = bool((gaps == 1).any()) or b"\n\n" in edge or b"\n\r\n" in edge or _CR in between
        self.has_blank = self.has_blank or is_blank
        if self._is_quoted or b'"' in chunk:
            quotes = _places(chunk, b'"')
            is_open = (np.searchsorted(quotes, ends) + self._is_quoted) % 2 == 1
            self.is_quoted_by_line = self.is_quoted_by_line and not bool(is_open.any())
            self._is_quoted = (len(quotes) + self._is_quoted) % 2 == 1


def _places(chunk: bytes, mark: bytes) -> NDArray[np.int64]:
    """Where one byte stands among others, shape (times,)."""
    return np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == mark[0])


def ends_of_lines(path: Path, lines: Sequence[int]) -> dict[int, int]:
    """How many bytes a file has up to the end of each of some lines that LF ends; line 0 ends before the first byte.

    A last line without an end, and lines behind it, end with the file.
    """
    wanted, found, behind, before = np.unique(lines), {0: 0}, 0, 0
    for chunk in _chunks(path):
        ends = _places(chunk, b"\n")
        inside = wanted[(wanted > behind) & (wanted <= behind + len(ends))]
        found |= dict(zip(inside.tolist(), (before + 1 + ends[inside - behind - 1]).tolist(), strict=True))
        behind, before = behind + len(ends), before + len(chunk)
    return dict.fromkeys(wanted.tolist(), before) | found


def line_facts(path: Path) -> LineFacts:
    """Count the lines of a file in one pass; of one that was counted a moment ago nothing is read again."""
    stat = path.stat()
    return _line_facts(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _line_facts(path: Path, _inode: int, _size: int, _changed_ns: int) -> LineFacts:
    facts = LineFacts()
    for chunk in _chunks(path):
        facts.take(chunk)
    return facts


def count_of_refused(path: Path, alike: SourceMapping | None) -> tuple[int, bool]:
    """How many rows or lines a refused file has, at least one, and whether they are rows.

    They are where it is `alike` what a source reads line by line; the header of a CSV file is none. Of any other file
    the lines are counted: of an archive those of the archive, and where nobody may read them one.
    """
    reader = alike.reader if alike else ""
    header = alike.header_line if alike and reader == "csv" else 0
    return max(_lines_of(path) - header, 1), reader in _BY_LINE


def _lines_of(path: Path) -> int:
    """Lines of a file, the last one too when no line end closes it; none of a file that nobody may read."""
    lines, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    except OSError:
        return 0
    return lines + (last != b"\n")


def mark_of(mapping: SourceMapping, name: str) -> str | None:
    """The file that its system writes when a file is whole, by its name in the exports folder; None when it has none.

    Only files that a pattern with a folder takes have one: elsewhere a file is somebody's copy and stands alone.
    """
    if mapping.mark is None:
        return None
    layouts = [pattern for pattern in mapping.files if "/" in pattern]
    if not any(fnmatchcase(name.lower(), pattern.lower()) for pattern in layouts):
        return None
    pure = PurePosixPath(name)
    return (pure.parent.parent / mapping.mark.replace("{stem}", pure.stem)).as_posix()


def inspect_mark(mapping: SourceMapping, name: str, *, present: Container[str]) -> FileProblem | None:
    """Whether the mark of a file, where it has one, is among the names present."""
    mark = mark_of(mapping, name)
    return None if mark is None or mark in present else FileProblem("incomplete", WAITS_FOR + mark)


def inspect_complete(path: Path, *, mapping: SourceMapping, limits: Limits = DEFAULT_LIMITS) -> FileProblem | None:
    """Whether a recognised file is whole, as far as that shows without parsing; None when it seems so.

    Files read line by line must end with a line end (unless the mapping says `final_newline: false`) and keep to the
    line limit. That a JSON document parses as a whole shows when it is read: `read_raw` raises FileRefusedError then.
    """
    if mapping.ignore or mapping.reader == "parquet":
        return None
    if mapping.reader == "json":
        size = path.stat().st_size
        too_large = f"too large: a JSON document of {size} bytes where at most {limits.max_document_bytes} are taken"
        return FileProblem("too large", too_large) if size > limits.max_document_bytes else None
    facts = line_facts(path)
    if mapping.final_newline and (facts.is_split or not facts.is_ended):
        return incomplete("the last line has no line end")
    if facts.longest > limits.max_line_bytes:
        return FileProblem("too large", f"too large: a line of more than {limits.max_line_bytes} bytes")
    return None
