"""A draft mapping for an export nobody foresaw: the closest table, its columns and units, and what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import RoiError
from pipeline.sources.model import Reader, SourceMapping
from pipeline.sources.readers import read_raw
from pipeline.sources.recognise import other_separator
from pipeline.sources.shapes import Shape, raw_names, shape_of
from pipeline.sources.sql import identifier
from pipeline.tables import Column, Table, load_tables
from pipeline.warehouse.connection import warehouse

SAMPLE_ROWS = 500
LEAST_LIKENESS = 0.72
"""How alike names must be, by the measure of Ratcliff and Obershelp (1988)."""
LONG_TEXT = 80
"""A column whose values are longer on average holds texts of people, and is never proposed."""

_SAME = {
    "id": ("key", "uuid", "number", "identifier"),
    "person_id": ("user", "userid", "username", "email", "useremail", "login", "employee", "account", "respondent"),
    "requester_id": ("customer", "requester", "caller", "user", "email", "client"),
    "created_at": ("opened", "created", "date", "timestamp", "time", "openedat", "createdon"),
    "started_at": ("start", "starttime", "begin", "timestamp", "time", "createdat", "date"),
    "ended_at": ("end", "endtime", "finished", "completedat"),
    "finished_at": ("end", "endtime", "finished", "completedat"),
    "resolved_at": ("resolved", "end", "closedat"),
    "solved_at": ("resolved", "resolvedat", "solved"),
    "impact_start_at": ("start", "startedat", "begin"),
    "detected_at": ("created", "createdat", "opened", "openedat"),
    "latency_s": ("latency", "latencyms", "duration", "durationms", "elapsed", "responsetime"),
    "ttft_ms": ("ttft", "timetofirsttoken"),
    "cost_reported": ("cost", "spend", "price", "amount", "costcents"),
    "billed_cost": ("cost", "amount", "total", "billed", "net"),
    "tokens_in_uncached": ("inputtokens", "prompttokens", "tokensin"),
    "tokens_out": ("outputtokens", "completiontokens", "tokensout"),
    "topic": ("queue", "category", "subjectarea", "type"),
    "channel": ("via", "source", "medium"),
    "service": ("application", "app", "component", "project", "system"),
    "severity": ("priority", "urgency", "impact"),
    "result": ("status", "outcome", "conclusion"),
    "state": ("status",),
    "score": ("rating", "points", "value"),
    "environment": ("env", "stage"),
    "use_case_id": ("usecase",),
}  # fmt: skip
_TEXTS = ("prompt", "answer", "body", "message", "comment", "description", "content", "input", "output", "response")


@dataclass(frozen=True)
class Seen:
    """A column of the export: its name in `raw`, and what its first values are."""

    name: str
    values: tuple[str, ...]

    @property
    def is_text_of_people(self) -> bool:
        """Prompts, answers and remarks: by name, or because the values are long."""
        mean = sum(map(len, self.values)) / len(self.values) if self.values else 0
        return _folded(self.name) in _TEXTS or mean > LONG_TEXT


@dataclass(frozen=True)
class Match:
    """A canonical column and the expression proposed for it; `note` says what was guessed."""

    column: Column
    seen: Seen
    expression: str
    note: str


@dataclass(frozen=True)
class Draft:
    """What was found out about a file: how it is read, its table, and the proposal as YAML."""

    reader: Reader
    table: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    yaml: str


def draft(path: Path, *, source: str) -> Draft:
    """Propose a mapping named `source` for a file; raises RoiError when it is of no kind that can be read."""
    with warehouse(Path(":memory:")) as con:
        con.execute("CREATE TEMP MACRO pseudonym(x) AS x")
        reader, records, shape = _kind(con, path)
        columns = _columns(con, path, reader, records, shape)
    table, matches = max(
        ((table, match(table, columns)) for table in load_tables().values()), key=lambda one: _fit(*one)
    )
    missing = [one.name for one in table.columns if one.required and one.name not in {m.column.name for m in matches}]
    text = "\n".join(_yaml(path, source, reader, records, columns, table, matches, missing)) + "\n"
    return Draft(reader, table.name, tuple(one.column.name for one in matches), tuple(missing), text)


def _kind(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[Reader, str | None, Shape]:
    """The reader of a file, the path of its records, and its columns."""
    tries: list[tuple[Reader, str | None]] = [
        ("parquet", None), ("json", _list_in(path)), ("jsonl", None), ("csv", None),
    ]  # fmt: skip
    for reader, records in tries:
        shape = shape_of(path, reader=reader, records=records, con=con)
        if shape.names and not shape.problem and (reader != "csv" or len(shape.names) > 1):
            return reader, records, shape
        if reader == "csv" and not shape.problem and (found := other_separator(shape.names)):
            raise RoiError(f"{path.name} sets its columns apart by {found}; save it with commas.")
    raise RoiError(f"{path.name} is neither CSV with a header, JSON, JSON lines nor Parquet; nothing can be drafted.")


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


def _columns(
    con: duckdb.DuckDBPyConnection, path: Path, reader: Reader, records: str | None, shape: Shape
) -> list[Seen]:
    names = [name for name in shape.names if not re.search(r'["\\\x00-\x1f]', name)]
    told = {"source": "draft", "describes": "draft", "reader": reader, "files": ["*"], "required": names,
            "records": records, "ignore": "draft"}  # fmt: skip
    read_raw(con, path, name=path.name, mapping=SourceMapping.model_validate(told))
    return [Seen(name, _values(con, name)) for name in raw_names(names)]


def _values(con: duckdb.DuckDBPyConnection, name: str) -> tuple[str, ...]:
    column = identifier(name)
    sql = f"SELECT trim({column}::VARCHAR) FROM raw WHERE trim({column}::VARCHAR) <> '' LIMIT {SAMPLE_ROWS}"
    return tuple(value for (value,) in con.execute(sql).fetchall())


def match(table: Table, columns: Sequence[Seen]) -> list[Match]:
    """The best column of the export for each canonical one, each used once, the most alike first."""
    pairs = sorted(
        (-likeness(column.name, seen.name), at, number)
        for at, column in enumerate(table.columns)
        for number, seen in enumerate(columns)
        if not seen.is_text_of_people
    )
    taken: dict[int, Match] = {}
    used: set[int] = set()
    for unlike, at, number in pairs:
        if -unlike < LEAST_LIKENESS or at in taken or number in used:
            continue
        found = _expression(table.columns[at], columns[number])
        if found is not None:
            taken[at], used = found, used | {number}
    return [taken[at] for at in sorted(taken)]


def likeness(canonical: str, name: str) -> float:
    """How alike a canonical name and one of the export are but for units; words that mean the same count 0.9."""
    wanted, has = _folded(_UNIT.sub("", canonical)), _folded(_UNIT.sub("", name))
    if wanted == has:
        return 1.0
    if has in _SAME.get(canonical, ()) or (canonical.endswith("_id") and has in _SAME["id"]):
        return 0.9
    return SequenceMatcher(None, wanted, has).ratio()


_UNIT = re.compile(
    r"_(ms|millis|milliseconds|s|sec|secs|seconds|cents?|usd|eur|per_?(1k|1m|1000|thousand|million|mtok))$|Ms$",
    re.IGNORECASE,
)
"""The unit at the end of a name, which is no part of what it names."""


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _expression(column: Column, seen: Seen) -> Match | None:
    """The expression that fills a column from one of the export, None when the values are of another kind."""
    name = seen.name if re.fullmatch(r"[A-Za-z_]\w*", seen.name) else identifier(seen.name)
    if column.type == "time":
        return _time(column, seen, name)
    if column.column_type.is_number and not all(_is_number(value) for value in seen.values):
        return None
    for pattern, kinds, formula, note in _UNITS:
        if column.type in kinds and re.search(pattern, seen.name, re.IGNORECASE):
            return Match(column, seen, f"try_cast({name} as {_cast(column)}) {formula}", note)
    return Match(column, seen, name, "")


_UNITS = (
    (r"(_|^)(ms|millis|milliseconds)$|[a-z]Ms$", ("seconds",), "/ 1000", "milliseconds by its name"),
    (r"(_|^)(ms|millis|milliseconds)$|[a-z]Ms$", ("minutes",), "/ 60000", "milliseconds by its name"),
    (r"(_|^)(s|sec|secs|seconds)$", ("milliseconds",), "* 1000", "seconds by its name"),
    (r"(_|^)(s|sec|secs|seconds)$", ("minutes",), "/ 60", "seconds by its name"),
    (r"cents?(_|$)", ("money", "price"), "/ 100", "cents by its name"),
    (r"per_?(1k|1000|thousand)", ("price",), "/ 1000", "per thousand by its name"),
    (r"per_?(1m|million|mtok)", ("price",), "/ 1000000", "per million by its name"),
)  # fmt: skip


def _cast(column: Column) -> str:
    return "decimal(38, 14)" if column.type in ("money", "price", "minutes") else "double"


def _time(column: Column, seen: Seen, name: str) -> Match | None:
    if seen.values and all(re.fullmatch(r"\d{10}(\.\d+)?", value) for value in seen.values):
        return Match(column, seen, f"to_timestamp(try_cast({name} as double))", "Unix seconds by its values")
    if seen.values and all(re.fullmatch(r"\d{13}", value) for value in seen.values):
        return Match(
            column, seen, f"to_timestamp(try_cast({name} as double) / 1000)", "Unix milliseconds by its values"
        )
    is_time = all(re.match(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}", value) for value in seen.values)
    return Match(column, seen, name, "") if is_time else None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _fit(table: Table, matches: Sequence[Match]) -> tuple[float, int]:
    """Required columns that were found, then how sure all of them are, and how many."""
    required = [column.name for column in table.columns if column.required]
    found = {one.column.name for one in matches}
    sure = sum(likeness(one.column.name, one.seen.name) for one in matches)
    share = sum(name in found for name in required) / len(required) if required else 0.0
    return share * 2 + sure / 4, len(matches)


def _yaml(  # noqa: PLR0917 - the parts of one text
    path: Path,
    source: str,
    reader: Reader,
    records: str | None,
    columns: Sequence[Seen],
    table: Table,
    matches: Sequence[Match],
    missing: Sequence[str],
) -> Iterator[str]:
    used = {one.seen.name for one in matches}
    yield f"# Drafted from {path.name}: every line is a guess until somebody who knows the export has read it."
    yield f"source: {source}"
    yield f"describes: {source}, drafted"
    yield f"reader: {reader}"
    yield f"files: [{json.dumps(f'*{source}*{path.suffix}')}]"
    if records:
        yield f"records: {records}"
    yield f"required: {_listed([one.name for one in columns if one.name in used] or [columns[0].name])}"
    yield f"optional: {_listed([one.name for one in columns if one.name not in used])}"
    yield "time_zone: UTC  # of times without an offset"
    yield "tables:"
    yield f"  {table.name}:  # {table.meaning}"
    yield "    columns:"
    proposed = {one.column.name: one for one in matches}
    for column in table.columns:
        if column.name in proposed:
            one = proposed[column.name]
            yield f"      {column.name}: {json.dumps(one.expression)}" + (f"  # {one.note}" if one.note else "")
        elif column.name in missing:
            yield f'      {column.name}: "null"  # missing: {column.meaning}'
    left = [one.name for one in columns if one.name not in used and not one.is_text_of_people]
    if left:
        yield f"# Not used: {', '.join(left)}"
    texts = [one.name for one in columns if one.is_text_of_people]
    if texts:
        yield f"# Texts of people, better not read: {', '.join(texts)}"


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(json.dumps(name, ensure_ascii=False) for name in names)}]"
