"""Which source a file is of: its name and its columns are compared with every mapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.sources.model import SourceMapping
from pipeline.sources.shapes import Shape, shape_of, written_as

if TYPE_CHECKING:
    import duckdb

_LIKE = 0.5
"""Share of the required columns that must be there for a file to look like a source."""
_MOST_WARNINGS = 10
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_UNKNOWN = "no source takes this file: neither its name nor its columns are known; a mapping in sources/ would take it"


@dataclass(frozen=True)
class Recognition:
    """The source of a file, or why it has none."""

    mapping: SourceMapping | None
    warnings: tuple[str, ...] = ()
    reason: str = ""
    likely: tuple[str, ...] = ()
    """The sources that a file without one is probably of: the one it looks like, or those that its name speaks for."""
    alike: SourceMapping | None = None
    """How a file is written, by some of its columns: as a source whose they are, be it of that source or not."""


@dataclass(frozen=True)
class _Candidate:
    """One mapping held against one file."""

    mapping: SourceMapping
    shape: Shape
    is_named: bool

    @property
    def missing(self) -> tuple[str, ...]:
        return self.beyond(self.mapping.required, self.shape.names)

    def beyond(self, names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
        """The names that are not among the known ones; columns have no case, as SQL does not tell it apart, keys do."""
        fold = str.lower if self.mapping.reader in {"csv", "parquet"} else str
        there = {fold(name) for name in known}
        return tuple(name for name in names if fold(name) not in there)

    @property
    def fits(self) -> bool:
        """Every required column is there; an array of no records has whatever columns its name promises."""
        if self.shape.problem or (self.shape.is_empty and not self.is_named):
            return False
        return self.shape.is_empty or not (self.missing or _row_difference(self))

    @property
    def weight(self) -> int:
        """How specific the mapping is."""
        return len(self.mapping.required)

    @property
    def likeness(self) -> float:
        """Share of the required columns that the file has."""
        return 1 - len(self.missing) / self.weight if self.weight and not self.shape.problem else 0.0


def recognise(
    path: Path, name: str, mappings: Sequence[SourceMapping], *, con: duckdb.DuckDBPyConnection | None = None
) -> Recognition:
    """Recognise a file by its name relative to the exports folder and by its columns.

    A file that bears the name of a source but not its columns is refused; one that has the columns of exactly one most
    specific source is taken under any name. Reads the beginning of the file only, except for JSON documents that are
    an object. Parquet files need the connection.
    """
    looker, mappings = _Looker(path, con), _formats(path, mappings)
    named = [_Candidate(one, looker.shape(one), True) for one in mappings if _is_named(one, name)]
    if named:
        fitting = [one for one in named if one.fits]
        return _most_specific(fitting) if fitting else _refused(min(named, key=_nearness))
    others = [_Candidate(one, looker.shape(one), False) for one in mappings if _shows_by_columns(one)]
    fitting = [one for one in others if one.fits]
    return _most_specific(fitting) if fitting else _nearest(others)


def named_sources(name: str, mappings: Sequence[SourceMapping]) -> tuple[str, ...]:
    """The sources that the name of a file speaks for, whatever it holds."""
    return tuple(one.source for one in mappings if _is_named(one, name) and not one.ignore)


def _formats(path: Path, mappings: Sequence[SourceMapping]) -> list[SourceMapping]:
    """Every mapping in the format the file is written in; one of a single format as it is."""
    written = written_as(path)
    return [one for mapping in mappings for one in mapping.formats() if not mapping.also or one.reader in written]


@dataclass
class _Looker:
    """Reads each shape of a file once."""

    path: Path
    con: duckdb.DuckDBPyConnection | None
    seen: dict[tuple[str, str | None], Shape] = field(default_factory=dict)

    def shape(self, mapping: SourceMapping) -> Shape:
        key = (mapping.reader, mapping.records)
        if key not in self.seen:
            self.seen[key] = shape_of(self.path, reader=mapping.reader, records=mapping.records, con=self.con)
        return self.seen[key]


def _is_named(mapping: SourceMapping, name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in mapping.files)


def _shows_by_columns(mapping: SourceMapping) -> bool:
    """Columns of a file without header show nothing: every file of six words a line has six of them."""
    return bool(mapping.required) and mapping.reader != "trec"


def _nearness(candidate: _Candidate) -> tuple[bool, int, str]:
    return bool(candidate.shape.problem), len(candidate.missing), candidate.mapping.source


def _most_specific(fitting: list[_Candidate]) -> Recognition:
    weight = max(one.weight for one in fitting)
    best = list({one.mapping.source: one for one in reversed(fitting) if one.weight == weight}.values())
    if len(best) > 1:
        names = " and ".join(sorted(one.mapping.source for one in best))
        reason = f"ambiguous: {names} take this file equally well; make their `files` differ"
        return Recognition(
            None, reason=reason, likely=tuple(sorted(one.mapping.source for one in best)), alike=best[0].mapping
        )
    return Recognition(best[0].mapping, warnings=_warnings(best[0]), alike=best[0].mapping)


def _warnings(candidate: _Candidate) -> tuple[str, ...]:
    if candidate.mapping.ignore or candidate.mapping.takes_any or candidate.mapping.reader == "trec":
        return ()
    beyond = candidate.beyond(candidate.shape.names, candidate.mapping.known)
    foreseen = candidate.mapping.patterns
    new = [f"new column '{name}'" for name in beyond if not any(fnmatchcase(name, one) for one in foreseen)]
    more = len(new) - _MOST_WARNINGS
    return (*new[:_MOST_WARNINGS], *([f"{more} more new columns"] if more > 0 else []))


def _nearest(candidates: Iterable[_Candidate]) -> Recognition:
    """The refusal of a file whose name nobody knows."""
    like = [one for one in candidates if one.likeness >= _LIKE and one.missing]
    if not like:
        return Recognition(None, reason=_UNKNOWN)
    return _refused(max(like, key=lambda one: (one.likeness, one.weight, one.mapping.source)))


def _refused(nearest: _Candidate) -> Recognition:
    """The refusal of a file by the source it is nearest to; one that is to be ignored is missed by nobody."""
    likely = () if nearest.mapping.ignore else (nearest.mapping.source,)
    alike = nearest.mapping if nearest.likeness > 0 else None
    return Recognition(None, reason=_difference(nearest), likely=likely, alike=alike)


def _difference(candidate: _Candidate) -> str:
    """What keeps a file from being of a source; of the file's own names only those like a declared one are shown."""
    source, shape = candidate.mapping.source, candidate.shape
    if shape.problem.startswith("incomplete"):
        return shape.problem
    if shape.problem:
        return f"looks like {source} but {shape.problem}"
    return f"looks like {source} but {_row_difference(candidate) or _missing_names(candidate)}"


def _row_difference(candidate: _Candidate) -> str:
    """How the first row of a file without header differs from what TREC files hold; '' when it does not."""
    if candidate.mapping.reader != "trec":
        return ""
    row, expected = candidate.shape.first_row, candidate.weight
    if len(row) != expected:
        return f"its first row has {len(row)} columns where {expected} were expected"
    if expected == 6 and row[1].upper() != "Q0":
        return "the second column of its first row is not Q0"
    if expected == 4 and not row[3].removeprefix("-").isdigit():
        return "the last column of its first row is not a whole number"
    return ""


def other_separator(names: Sequence[str]) -> str:
    """By what a header sets its columns apart where it has no comma; '' when it has, or has one column."""
    only = names[0] if len(names) == 1 else ""
    return next((said for mark, said in _SEPARATORS.items() if mark in only), "")


def _missing_names(candidate: _Candidate) -> str:
    missing = candidate.missing
    if candidate.mapping.reader == "csv" and (mark := other_separator(candidate.shape.names)):
        return f"its columns are set apart by {mark}; save it with commas"
    word = "column" if candidate.mapping.reader in {"csv", "parquet"} else "key"
    listed = ", ".join(f"'{name}'" for name in missing)
    verb = f"{word} {listed} is" if len(missing) == 1 else f"{word}s {listed} are"
    found = _alike(missing, candidate)
    return f"{verb} missing" + (f"; found {', '.join(map(repr, found))}" if found else "")


def _alike(missing: tuple[str, ...], candidate: _Candidate) -> list[str]:
    """Names of the file that no mapping knows and that look like a missing one."""
    unknown = {_folded(name): name for name in candidate.shape.names if name not in candidate.mapping.known}
    found = []
    for name in missing:
        found += [unknown[match] for match in get_close_matches(_folded(name), unknown, n=1, cutoff=0.75)]
    return list(dict.fromkeys(found))


def _folded(name: str) -> str:
    """A name without case and separators, so that completedAt is completed_at."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
