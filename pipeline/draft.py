"""A draft mapping for an export nobody foresaw: the closest table, its columns and units, and what is missing."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import duckdb

from pipeline.errors import RoiError
from pipeline.sources.alike import folded, likeness
from pipeline.sources.bytes_check import inspect_bytes
from pipeline.sources.guess import (
    Guess,
    Way,
    are_addresses,
    flag_guess,
    has_local_times,
    in_unit,
    is_named_like_id,
    number_guess,
    time_guess,
)
from pipeline.sources.model import AS_A_RULE, CsvForm, Reader, SourceMapping
from pipeline.sources.readers import read_raw
from pipeline.sources.shapes import csv_form_of, raw_names, shape_of
from pipeline.sources.sql import identifier
from pipeline.tables import Column, Table, load_tables
from pipeline.warehouse.connection import warehouse

SAMPLE_ROWS = 500
LEAST_LIKENESS = 0.72
"""How alike names must be, by the measure of Ratcliff and Obershelp (1988)."""
LIKE_ID = 0.85
"""How alike an id and a column are that is unique and named like an id, whatever it is the id of."""
LEAST_OWN = 0.9
"""Share of rows with a value of their own that makes a column one of ids; a few bad rows have none, or another's."""
LEAST_LETTERS = 3
"""Letters a pattern of file names needs, lest it take the files of other sources."""
LIKE_PERSON = 0.85
"""How alike a person and a column of addresses of mail are, whatever its name is."""
LONG_TEXT = 80
"""A column whose values are longer on average holds texts of people, and is never proposed."""

_TEXTS = ("prompt", "answer", "body", "message", "comment", "description", "content", "input", "output", "response")


@dataclass(frozen=True)
class Seen:
    """A column of the export: its name in `raw`, what its first values are, and as what SQL names it."""

    name: str
    values: tuple[str, ...]
    sql: str
    own: float = 0
    """Share of the rows of the file that have a value of their own there."""
    days: tuple[str, ...] = ()
    """Where times have a local form, the days of all rows."""
    is_typed: bool = False
    """Its values are no texts, as in Parquet."""

    @property
    def text(self) -> str:
        """The column as SQL names its text."""
        return f"{self.sql}::varchar" if self.is_typed else self.sql

    @property
    def is_unique(self) -> bool:
        """All rows but a few bad ones have a value of their own."""
        return self.own >= LEAST_OWN

    @property
    def is_text_of_people(self) -> bool:
        """Prompts, answers and remarks: by name, or because the values are long."""
        mean = sum(map(len, self.values)) / len(self.values) if self.values else 0
        return folded(self.name) in _TEXTS or mean > LONG_TEXT


@dataclass(frozen=True)
class Match:
    """A canonical column, the one of the export that is like it, and the ways in which that may be meant."""

    column: Column
    seen: Seen
    guess: Guess
    likeness: float


@dataclass(frozen=True)
class Draft:
    """What was found out about a file: how it is read, its table, and the proposal as YAML."""

    reader: Reader
    table: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    guesses: tuple[str, ...]
    """What was guessed from values and units, and is to be looked at."""
    doubts: tuple[str, ...]
    """What has two meanings; the draft has both, and somebody is to take one."""
    yaml: str


def draft(path: Path, *, source: str) -> Draft:
    """Propose a mapping named `source` for a file; raises RoiError when it is of no kind that can be read."""
    problem = inspect_bytes(path)
    if problem is not None:
        raise RoiError(f"{path.name}: {problem.reason}; nothing can be drafted.")
    with warehouse(Path(":memory:")) as con:
        con.execute("CREATE TEMP MACRO pseudonym(x) AS x")
        kind = _kind(con, path)
        columns = _columns(con, path, kind)
    table, matches = max(
        ((table, match(table, columns)) for table in load_tables().values()), key=lambda one: _fit(*one)
    )
    missing = [one.name for one in table.columns if one.required and one.name not in {m.column.name for m in matches}]
    text = "\n".join(_yaml(path, source, kind, columns, table, matches)) + "\n"
    told = [(f"{one.column.name} from {one.seen.name}: ", one.guess) for one in matches]
    guesses = [said + guess.ways[0].note for said, guess in told if guess.ways[0].note and not guess.doubt]
    guesses += [f"tokens_in_uncached: {said}" for one in matches for said in _counted_twice(one, columns)[:1]]
    doubts = tuple(said + guess.doubt for said, guess in told if guess.doubt)
    return Draft(
        kind.reader, table.name, tuple(one.column.name for one in matches), tuple(missing), tuple(guesses), doubts, text
    )


@dataclass(frozen=True)
class _Kind:
    """How a file is read: its reader, the path of its records, its layout where it is CSV, and its columns."""

    reader: Reader
    records: str | None
    form: CsvForm
    names: tuple[str, ...]


def _kind(con: duckdb.DuckDBPyConnection, path: Path) -> _Kind:
    tries: list[tuple[Reader, str | None]] = [("parquet", None), ("json", _list_in(path)), ("jsonl", None)]
    for reader, records in tries:
        shape = shape_of(path, reader=reader, records=records, con=con)
        if shape.names and not shape.problem:
            return _Kind(reader, records, AS_A_RULE, shape.names)
    form = csv_form_of(path)
    if form is not None:
        return _Kind("csv", None, form, shape_of(path, reader="csv", form=form).names)
    raise RoiError(
        f"{path.name} is neither CSV of several columns, JSON, JSON lines nor Parquet; nothing can be drafted: "
        "export it as one of these."
    )


def _list_in(path: Path) -> str | None:
    """The path of the largest list of objects in a JSON document that is an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, UnicodeDecodeError):
        return None
    lists = sorted(_lists(value, "$"), key=lambda one: (-one[1], one[0])) if isinstance(value, dict) else []
    return lists[0][0] if lists else None


def _lists(value: dict[str, Any], at: str) -> Iterator[tuple[str, int]]:
    for key, inner in value.items():
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
                yield f"{at}.{key}", len(inner)
            elif isinstance(inner, dict) and at.count(".") < 3:
                yield from _lists(inner, f"{at}.{key}")


def _columns(con: duckdb.DuckDBPyConnection, path: Path, kind: _Kind) -> list[Seen]:
    names = [name for name in kind.names if not re.search(r'["\\\x00-\x1f]', name)]
    told = {"source": "draft", "describes": "draft", "reader": kind.reader, "files": ["*"], "required": names,
            "records": kind.records, "ignore": "draft", **kind.form._asdict()}  # fmt: skip
    read_raw(con, path, name=path.name, mapping=SourceMapping.model_validate(told))
    return [_seen(con, name) for name in raw_names(names)]


def _seen(con: duckdb.DuckDBPyConnection, name: str) -> Seen:
    """A column with its first values; of one whose days can be read in two ways, the days of all rows."""
    text = f"trim({identifier(name)}::VARCHAR)"
    filled = f"FROM (SELECT {text} AS value FROM raw) WHERE value <> ''"
    values = tuple(value for (value,) in con.execute(f"SELECT value {filled} LIMIT {SAMPLE_ROWS}").fetchall())
    share = f"SELECT coalesce(count(DISTINCT nullif({text}, '')) / nullif(count(*), 0), 1) FROM raw"
    ((own,),) = con.execute(share).fetchall()
    guess, days = time_guess("x", values), ()
    if guess and guess.doubt:
        days = tuple(
            day for (day,) in con.execute(f"SELECT DISTINCT regexp_extract(value, '^\\S+') {filled}").fetchall()
        )
    ((is_typed,),) = con.execute(
        f"SELECT coalesce(any_value(typeof({identifier(name)})), '') <> 'VARCHAR' FROM raw"
    ).fetchall()
    return Seen(name, values, _named(con, name), own, days, is_typed)


def _named(con: duckdb.DuckDBPyConnection, name: str) -> str:
    """A column as SQL names it: bare where that is understood."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return identifier(name)
    try:
        con.execute(f"SELECT {name}::VARCHAR FROM raw LIMIT 0")
    except duckdb.Error:
        return identifier(name)
    return name


def match(table: Table, columns: Sequence[Seen]) -> list[Match]:
    """The best column of the export for each canonical one, each used once, the most alike first."""
    pairs = sorted(
        (-_likeness(table, column, seen), at, number)
        for at, column in enumerate(table.columns)
        for number, seen in enumerate(columns)
        if not seen.is_text_of_people
    )
    taken: dict[int, Match] = {}
    used: set[int] = set()
    for unlike, at, number in pairs:
        if -unlike < LEAST_LIKENESS or at in taken or number in used:
            continue
        found = _guess(table.columns[at], columns[number])
        if found is not None:
            taken[at], used = Match(table.columns[at], columns[number], found, -unlike), used | {number}
    return [taken[at] for at in sorted(taken)]


def _likeness(table: Table, column: Column, seen: Seen) -> float:
    """How alike two columns are; the id of a table is a column that is unique and named like one, or named the same."""
    alike = likeness(column.name, seen.name)
    if are_addresses(seen.values):
        return max(alike, LIKE_PERSON) if column.type == "person" else 0
    if not _is_id_of(table, column) or alike == 1:
        return alike
    return max(alike, LIKE_ID * seen.own if is_named_like_id(seen.name) else 0) if seen.is_unique else 0


def _is_id_of(table: Table, column: Column) -> bool:
    return table.key == (column.name,) and column.type == "id"


def _guess(column: Column, seen: Seen) -> Guess | None:
    """How a column is filled from one of the export, None when the values are of another kind."""
    if column.column_type.is_moment:
        return time_guess(seen.sql, seen.values, seen.days, handed_on=seen.text)
    if column.type == "flag":
        return flag_guess(seen.text, seen.values)
    if not column.column_type.is_number:
        is_told = column.type == "person" and likeness(column.name, seen.name) < LEAST_LIKENESS
        return Guess((Way(seen.sql, "addresses of mail by its values" if is_told else ""),))
    found = number_guess(seen.sql, seen.values, is_whole=column.sql_type == "BIGINT")
    return found and replace(
        found, ways=tuple(in_unit(column, seen.name, way, handed_on=seen.text) for way in found.ways)
    )


def _fit(table: Table, matches: Sequence[Match]) -> tuple[float, int]:
    """Required columns that were found, then how sure all of them are, and how many."""
    required = [column.name for column in table.columns if column.required]
    found = {one.column.name for one in matches}
    sure = sum(one.likeness for one in matches)
    share = sum(name in found for name in required) / len(required) if required else 0.0
    return share * 2 + sure / 4, len(matches)


def _yaml(  # noqa: PLR0917 - the parts of one text
    path: Path, source: str, kind: _Kind, columns: Sequence[Seen], table: Table, matches: Sequence[Match]
) -> Iterator[str]:
    used = {one.seen.name for one in matches}
    yield f"# Drafted from {path.name}: every line is a guess until somebody who knows the export has read it."
    yield f"source: {source}"
    yield f"describes: {source}, drafted"
    yield f"reader: {kind.reader}"
    for key, told in kind.form.unlike(AS_A_RULE).items():
        yield f"{key}: {json.dumps(told)}"
    yield f"files: [{json.dumps(_pattern(path.name), ensure_ascii=False)}]"
    if kind.records:
        yield f"records: {kind.records}"
    yield f"required: {_listed([one.name for one in columns if one.name in used] or [columns[0].name])}"
    yield f"optional: {_listed([one.name for one in columns if one.name not in used])}"
    local = [one.seen.name for one in matches if one.column.type == "time" and has_local_times(one.seen.values)]
    yield "time_zone: UTC  # of times without an offset" + (f", as in {', '.join(local)}" if local else "")
    yield "tables:"
    yield f"  {table.name}:  # {table.meaning}"
    yield "    columns:"
    left = [one for one in columns if one.name not in used and not one.is_text_of_people]
    proposed = {one.column.name: one for one in matches}
    for column in table.columns:
        if column.name in proposed:
            yield from _proposed(proposed[column.name])
            yield from (f"      # {line}" for line in _counted_twice(proposed[column.name], columns))
        elif column.required:
            yield f'      {column.name}: "null"  # missing: {_wanted(column)}'
            for seen, guess in _candidates(table, column, left):
                yield f"      # {column.name}: {_scalar(guess.ways[0].expression)}  # may be {seen.name}{_told(guess)}"
    rest = [one for one in table.columns if one.name not in proposed and not one.required]
    if rest:
        yield "      # Optional, and not filled; without the number sign they are:"
        yield from (f'      # {one.name}: "null"  # {_wanted(one)}{_could_be(table, one, left)}' for one in rest)
    if left:
        yield f"# Not used: {', '.join(one.name for one in left)}"
    texts = [one.name for one in columns if one.is_text_of_people]
    if texts:
        yield f"# Texts of people, better not read: {', '.join(texts)}"


def _proposed(match: Match) -> Iterator[str]:
    """The line of a column; where it may mean two things each of them as a comment, and nothing that stands."""
    name, guess = match.column.name, match.guess
    if not guess.doubt:
        note = guess.ways[0].note
        yield f"      {name}: {_scalar(guess.ways[0].expression)}" + (f"  # {note}" if note else "")
        return
    yield f"      # {name} from {match.seen.name}: {guess.doubt}; take one of these:"
    yield from (f"      # {name}: {_scalar(way.expression)}  # {way.note.removesuffix(' by its values')}"
                for way in guess.ways)  # fmt: skip
    if match.column.required:
        yield f'      {name}: "null"  # to be decided'


def _pattern(name: str) -> str:
    """The names of such files: that of this one, with anything in the place of its numbers, where letters are left."""
    name = name.removesuffix(".gz")
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    anything = re.sub(r"\d+([-_. T]?\d+)*", "*", glob.escape(stem))
    is_narrow = sum(map(str.isalpha, anything)) >= LEAST_LETTERS
    return (anything if is_narrow else glob.escape(stem)) + glob.escape(suffix)


def _counted_twice(match: Match, columns: Sequence[Seen]) -> tuple[str, ...]:
    """What is to be known of input tokens where cached ones stand in columns of their own, and how to subtract them."""
    cached = [one for one in columns if _CACHED.search(one.name) and one != match.seen]
    if match.column.name != "tokens_in_uncached" or not cached or "cach" in match.seen.name.lower():
        return ()
    names, seen = " and ".join(one.name for one in cached), match.seen
    less = "".join(f" - coalesce(try_cast({one.sql} as bigint), 0)" for one in cached)
    told = _scalar(f"coalesce((try_cast({seen.sql} as bigint){less})::varchar, {seen.text})")
    why = f"{seen.name} may hold the cached input of {names} too, and then it counts twice; if so take this:"
    return why, f"tokens_in_uncached: {told}"


_CACHED = re.compile(r"cach.*(token|input|prompt)|(token|input|prompt).*cach", re.IGNORECASE)


def _told(guess: Guess) -> str:
    """What is to be known of a guess, behind what it is of."""
    said = guess.doubt or guess.ways[0].note
    return f": {said}" if said else ""


def _wanted(column: Column) -> str:
    """What a column holds: its type, which says the unit, and its meaning."""
    return f"{column.type}: {column.meaning}" + (f"; one of {', '.join(column.values)}" if column.values else "")


def _could_be(table: Table, column: Column, left: Sequence[Seen]) -> str:
    """What of the unused columns of the export a column may be."""
    found = [seen.name for seen, _ in _candidates(table, column, left)]
    return f"; may be {' or '.join(found)}" if found else ""


def _candidates(table: Table, column: Column, left: Sequence[Seen]) -> Iterator[tuple[Seen, Guess]]:
    """The columns whose values are of the kind that is wanted, where that is a special one, and how they are read."""
    is_special = column.type == "flag" or column.column_type.is_moment or _is_id_of(table, column)
    for seen in left if is_special else ():
        guess = _guess(column, seen) if seen.values else None
        is_one = len(set(seen.values)) == 2 if column.type == "flag" else seen.is_unique or column.type != "id"
        if guess and is_one:
            yield seen, guess


def _scalar(text: str) -> str:
    """A text as YAML, in the quotes that need the fewest signs of escape."""
    if '"' not in text:
        return json.dumps(text, ensure_ascii=False)
    if not text.startswith('"') and not re.search(r": |\s#|[{}\[\]]", text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(json.dumps(name, ensure_ascii=False) for name in names)}]"
