"""Which source a file is of: its name and its columns are compared with every mapping."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.sources.model import AS_A_RULE, CsvForm, Delimiter, Reader, SourceMapping
from pipeline.sources.shapes import Shape, csv_form_of, shape_of, written_as

if TYPE_CHECKING:
    import duckdb

_LIKE = 0.5
"""Share of the required columns that must be there for a file to look like a source."""
_MOST_WARNINGS = 10
_SEPARATORS: dict[Delimiter, str] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_UNKNOWN = (
    "no source takes this file: neither its name nor its columns are known; a mapping in sources/{more} would take it: "
    "roi sources probe FILE --draft sources/NAME.yaml begins one"
)
_NOTHING_TO_DRAFT = (
    "no source takes this file, and none can be drafted from it: it is no CSV of several columns, and holds no JSON or "
    "Parquet record; a mapping in sources/ that names it under `files` would take it, or pass it over with `ignore`"
)


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
    looker: _Looker
    is_named: bool

    @property
    def shape(self) -> Shape:
        return self.looker.shape(self.mapping)

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

    @property
    def as_laid_out(self) -> _Candidate:
        """Itself, or where the file is laid out in another way than the mapping says, as if it said so."""
        form = self.looker.csv_form
        if self.mapping.reader != "csv" or not self.missing or form in {None, self.mapping.csv_form}:
            return self
        other = _Candidate(self.mapping.model_copy(update=form._asdict()), self.looker, self.is_named)
        is_better = len(other.missing) < len(self.missing) or len(self.shape.names) == 1
        return other if is_better else self


def recognise(
    path: Path, name: str, mappings: Sequence[SourceMapping], *, con: duckdb.DuckDBPyConnection | None = None
) -> Recognition:
    """Recognise a file by its name relative to the exports folder and by its columns.

    A file that bears the name of a source but not its columns is refused; one that has the columns of exactly one most
    specific source is taken under any name. Reads the beginning of the file only, except for JSON documents that are
    an object. Parquet files need the connection.
    """
    looker, mappings = _Looker(path, con), _formats(path, mappings)
    named = [_Candidate(one, looker, True) for one in mappings if _is_named(one, name)]
    if named:
        fitting = [one for one in named if one.fits]
        return _most_specific(fitting) if fitting else _refused(min(named, key=_nearness))
    others = [_Candidate(one, looker, False) for one in mappings if _shows_by_columns(one)]
    fitting = [one for one in others if one.fits]
    return _most_specific(fitting) if fitting else _nearest(others, looker)


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
    seen: dict[tuple[str, str | None, CsvForm], Shape] = field(default_factory=dict)

    def shape(self, mapping: SourceMapping) -> Shape:
        return self._shape(mapping.reader, mapping.records, mapping.csv_form)

    def _shape(self, reader: Reader, records: str | None, form: CsvForm) -> Shape:
        key = (reader, records, form)
        if key not in self.seen:
            self.seen[key] = shape_of(self.path, reader=reader, records=records, form=form, con=self.con)
        return self.seen[key]

    @cached_property
    def csv_form(self) -> CsvForm | None:
        """How the file is laid out, were it CSV."""
        return csv_form_of(self.path)

    @property
    def has_records(self) -> bool:
        """It is JSON or Parquet with a record that has names."""
        own = written_as(self.path) - {"csv", "trec"}
        return any(self._shape(reader, None, AS_A_RULE).names for reader in sorted(own))


def _is_named(mapping: SourceMapping, name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in mapping.files)


def _shows_by_columns(mapping: SourceMapping) -> bool:
    """Columns of a file without header show nothing: every file of six words a line has six of them."""
    return bool(mapping.required) and mapping.reader != "trec"


def _nearness(candidate: _Candidate) -> tuple[bool, int, str]:
    return bool(candidate.shape.problem), len(candidate.as_laid_out.missing), candidate.mapping.source


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


def _nearest(candidates: Iterable[_Candidate], looker: _Looker) -> Recognition:
    """The refusal of a file whose name nobody knows."""
    like = [one for one in candidates if one.as_laid_out.likeness >= _LIKE and one.missing]
    if not like:
        return Recognition(None, reason=_unknown(looker))
    return _refused(max(like, key=lambda one: (one.as_laid_out.likeness, one.weight, one.mapping.source)))


def _unknown(looker: _Looker) -> str:
    """What would take a file that is like no source."""
    if looker.has_records:
        return _UNKNOWN.format(more="")
    if looker.csv_form is None or written_as(looker.path) & {"json", "parquet"}:
        return _NOTHING_TO_DRAFT
    keys = _keys(looker.csv_form, AS_A_RULE)
    return _UNKNOWN.format(more=f" with {keys}" if keys else "")


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


def _keys(form: CsvForm, declared: CsvForm) -> str:
    """The keys by which a layout differs from a declared one, as they stand in the YAML."""
    return " and ".join(f"`{key}: {json.dumps(value)}`" for key, value in form.unlike(declared).items())


def _missing_names(candidate: _Candidate) -> str:
    other = candidate.as_laid_out
    if other is candidate:
        return _names_missing(candidate)
    found, declared = other.mapping.csv_form, candidate.mapping.csv_form
    file = candidate.mapping.where().partition(":")[0]
    is_shipped = file.startswith("pipeline/")
    do = f"copy {file} into sources/ and set {{key}} there" if is_shipped else f"set {{key}} in {file}"
    also = f"; then {_names_missing(other)}" if other.missing else ""
    return f"{_laid_out(found, declared)}; {do.format(key=_keys(found, declared))}{also}"


def _laid_out(found: CsvForm, declared: CsvForm) -> str:
    """How a file is laid out, and what its mapping says."""
    marks, lines = (_SEPARATORS[found.delimiter], _SEPARATORS[declared.delimiter]), (found[1], declared[1])
    parts = [f"its columns are set apart by {marks[0]} where the mapping says {marks[1]}"] * (marks[0] != marks[1])
    parts += [f"its header stands on line {lines[0]} where the mapping says {lines[1]}"] * (lines[0] != lines[1])
    return " and ".join(parts)


def _names_missing(candidate: _Candidate) -> str:
    missing = candidate.missing
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
