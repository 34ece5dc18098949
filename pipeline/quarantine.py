"""What is quarantined: listed with what to do, shown row by row without personal text, and found again in its file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipeline.commands import Commands
from pipeline.errors import ConfigurationError, Problem, RoiError
from pipeline.sources.mapping import SourceMapping
from pipeline.sources.naming import file_names
from pipeline.sources.plan import Plan
from pipeline.sources.readers import read_raw
from pipeline.tables import Table, load_tables
from pipeline.warehouse import ledger
from pipeline.warehouse.connection import warehouse

LEAST_ALIKE = 5
"""A word is shown as it is only where at least so many rows of the file hold it, as pages show no smaller group."""
_CODE = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")
"""A word of a code list; what has digits may be the id of somebody in the wrong column."""
_PLAIN = re.compile(r"[-+]?[0-9.,]{1,15}(e[-+]?\d{1,3})?|\d{4}-\d{2}-\d{2}([ T][0-9:.]{5,15}\s*(Z|[+-][0-9:]{2,6})?)?")
_DATE = re.compile(
    r"(?:(?P<first>\d{4})(?P<by>[-./])(?P<rest>\d{1,2}(?P=by)\d{1,2})"
    r"|(?P<one>\d{1,2})(?P<mark>[-./])(?P<two>\d{1,2})(?P=mark)(?P<last>\d{4}|(?<=\.)\d{2}))(?!\d)"
)
_TIMES = ("not a time", "not a date")
NO_DAY = "the calendar has no such day"
_OF_COLUMN = re.compile(r"(\w+): (.+?)(?: \((.+) in the file\))?")
_OF_PAIR = re.compile(r"(\w+) (after|above) (\w+)(?: \((.+) in the file\))?")

_HINTS = (
    ("incomplete", "it is taken by itself once it is whole"),
    ("no source takes this file, and none", "name it in a mapping in sources/ with `ignore`, or keep it elsewhere"),
    ("no source takes", "write a mapping for it: roi sources probe FILE --draft sources/NAME.yaml"),
    ("looks like", "mend the export, or write a mapping: roi sources probe FILE says what it lacks"),
    ("ambiguous", "make `files` of the two mappings differ"),
    ("not UTF-8 text: it is a", "save the sheet with the rows as CSV (UTF-8, set apart by commas) and put that there"),
    ("not UTF-8", "export it as UTF-8"),
    ("cannot be read: give", "give this user read access"),
    ("The mapping", "mend the mapping{at}, then {retry}: it takes the file again"),
    (
        "the file cannot be read as its source says",
        "mend the mapping{at}, then {retry}; or mend the export and put it back under the same name",
    ),
    (
        "other values under the same key",
        "decide which row is right, put it into the file it came from, and {rebuild}",
    ),
    ("held back with its file", "nothing: they are taken with the file"),
)
_RETRY = "mend the mapping{at}, then {retry}"
_HELD = (
    "{export}, mend the rows and put the file back; "
    f"or {_RETRY}, with a higher quarantine_limit if the rows are right to go"
)
_FUTURE = (
    "right once its day has come: then {retry}; else mend the clock, or mend the mapping{at} (time_zone), then {retry}"
)
_ROWS = f"{{export}}, mend the rows, put them back; or {_RETRY}"
_EVERY = f"every row of the file breaks it: {_RETRY}; if it is the rows that are wrong, mend the export"
"""Of a rule that no row keeps the mapping is the likely cause: a form of dates, a word, the wrong column."""


@dataclass(frozen=True)
class Entry:
    """Rows of one file that one reason keeps out of one table; `line` is the first, None for what has no line."""

    file: str
    file_hash: str
    source: str
    table: str
    reason: str
    rows: int
    line: int | None
    next_step: str
    unit: str = "rows"
    """What `rows` counts: `lines` of a file whose records nobody knows."""

    @property
    def counted(self) -> str:
        """How many, as printed: a number of rows, or so many lines."""
        return f"{self.rows}" if self.unit == "rows" else f"{self.rows} line{'' if self.rows == 1 else 's'}"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one row: where, what stands there (without personal text), what was expected."""

    line: int | None
    table: str
    column: str
    found: str
    expected: str
    reason: str


@dataclass(frozen=True)
class HeldFile:
    """A file with open quarantine: its name, its content, its source, and whether all of it is held."""

    name: str
    file_hash: str
    source: str
    is_whole: bool


def entries(con: duckdb.DuckDBPyConnection, mappings: Iterable[SourceMapping] = ()) -> list[Entry]:
    """Everything that is quarantined and not mended, by file, table and reason; what to do names the mappings given."""
    found = con.execute(
        """SELECT f.name, q.file_hash, f.source, q.table_name, coalesce(nullif(f.reason, ''), '') AS whole, q.reason,
             sum(q.rows)::BIGINT, min(q.line), if(f.records_in IS NULL, 'lines', 'rows')
           FROM ledger.counted_quarantine AS q JOIN ledger.files AS f USING (file_hash)
           GROUP BY ALL ORDER BY f.name, q.file_hash, q.table_name, min(q.line) NULLS FIRST, q.reason"""
    ).fetchall()
    none, by_source = _rules_that_no_row_keeps(con), {one.source: one for one in mappings}
    about = ledger.commands(con)
    listed = []
    for name, file_hash, source, table, whole, reason, rows, line, unit in found:
        every = [rule for rule in reason.split("; ") if (file_hash, table, rule) in none]
        at = _place(by_source.get(source), table, every[0] if every else reason)
        step = next_step(whole, reason, is_every=bool(every), at=at, commands=about)
        listed.append(Entry(name, file_hash, source, table, reason, rows, line, step, unit))
    return listed


def _rules_that_no_row_keeps(con: duckdb.DuckDBPyConnection) -> frozenset[tuple[str, str, str]]:
    """Files of two rows and more with a table and one reason that each of these rows has."""
    found = con.execute(
        """WITH said AS (SELECT file_hash, table_name, unnest(string_split(reason, '; ')) AS rule
                         FROM ledger.open_quarantine WHERE line IS NOT NULL AND table_name <> ''),
             brought AS (SELECT file_hash, table_name, sum(rows_in) AS rows FROM ledger.loads GROUP BY ALL)
           SELECT file_hash, table_name, rule FROM said JOIN brought USING (file_hash, table_name)
           GROUP BY ALL HAVING count(*) = any_value(rows) AND count(*) > 1"""
    ).fetchall()
    return frozenset((file_hash, table, rule) for file_hash, table, rule in found)


def _place(mapping: SourceMapping | None, table: str, reason: str) -> str:
    """Where the mapping says what the first column of a reason is, in brackets; '' for one that is not at hand."""
    if mapping is None:
        return ""
    column = re.match(r"\w*", reason)
    where = mapping.where("tables", table, "columns", column[0] if column else "") if table else mapping.where()
    return f" ({where})"


def next_step(
    whole: str, reason: str, *, is_every: bool = False, at: str = "", commands: Commands | None = None
) -> str:
    """What to do about a reason; `whole` is why the whole file is refused, '' when it is not.

    `is_every` says that no row keeps the rule, `at` where the mapping stands; `commands` are those of the warehouse.
    """
    about = commands or Commands()
    named = {
        "{at}": at,
        "{retry}": about.roi("quarantine retry"),
        "{export}": about.roi("quarantine export DIR"),
        "{rebuild}": about.make("rebuild"),
    }
    return re.sub(r"\{\w+\}", lambda found: named[found[0]], _hint(whole, reason, is_every=is_every))


def _hint(whole: str, reason: str, *, is_every: bool) -> str:
    for begin, hint in _HINTS:
        if reason.startswith(begin):
            return hint
    if is_every:
        return _EVERY
    if whole and "held back whole" in whole:
        return _HELD
    if whole:
        return "mend the export and put it back under the same name"
    return _FUTURE if reason.endswith("in the future") or ": in the future (" in reason else _ROWS


def held_files(con: duckdb.DuckDBPyConnection, name: str | None = None) -> list[HeldFile]:
    """The files with open quarantine, or only those that `name` names; raises ConfigurationError when there is none.

    It may be a path, the end of a path, the beginning of a hash, or the number of a load. Of a content that came under
    several names each will do, and so does that of the packed file.
    """
    found = con.execute(
        """SELECT DISTINCT f.name, f.file_hash, f.source, f.status = 'quarantined'
           FROM ledger.open_quarantine AS q JOIN ledger.files AS f USING (file_hash)
           WHERE $name IS NULL OR q.load_id::VARCHAR = $name
             OR (len($name) >= 8 AND starts_with(f.file_hash, $name))
             OR f.file_hash IN (SELECT file_hash FROM ledger.arrivals WHERE ends_with('/' || name, '/' || $plain))
           ORDER BY ALL""",
        {"name": name, "plain": name and name.removesuffix(".gz")},
    ).fetchall()
    if name is not None and not found:
        raise ConfigurationError("Nothing of it is quarantined.", [_unknown(con, name)])
    return [HeldFile(*row) for row in found]


def _unknown(con: duckdb.DuckDBPyConnection, name: str) -> Problem:
    from difflib import get_close_matches

    known = [one.name for one in held_files(con)]
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"{ledger.commands(con).roi('quarantine list')} names the files"
    return Problem("FILE", "Q001", f"found {name!r}; {hint}")


def lines_of(con: duckdb.DuckDBPyConnection, held: HeldFile) -> list[tuple[str, int, str]]:
    """Table, line and reason of every quarantined row of a file that has a line, in their order."""
    found = con.execute(
        """SELECT table_name, line, reason FROM ledger.open_quarantine WHERE file_hash = ? AND line IS NOT NULL
           ORDER BY line, table_name, reason""",
        [held.file_hash],
    ).fetchall()
    return [(table, line, reason) for table, line, reason in found]


def faults(
    con: duckdb.DuckDBPyConnection,
    held: HeldFile,
    received: Path,
    mappings: Iterable[SourceMapping],
    *,
    reason: str = "",
    limit: int = 50,
) -> list[Fault]:
    """What is wrong with the rows of a file, one by one, of at most `limit` rows; `reason` picks those that hold it.

    Values are read from the stored file again. Numbers and times are told as they are, words only where at least five
    rows of the file hold them; of anything else only the kind of each character.
    """
    wanted = [one for one in lines_of(con, held) if reason in one[2]][:limit]
    mapping = next((one for one in mappings if one.source == held.source), None)
    if not wanted or mapping is None:
        said = con.execute(
            "SELECT DISTINCT reason FROM ledger.open_quarantine "
            "WHERE file_hash = ? AND line IS NULL AND contains(reason, ?)",
            [held.file_hash, reason],
        ).fetchall()
        bare = [Fault(line, table, "", "", "", why) for table, line, why in wanted]
        return [*(Fault(None, "", "", "", "", why) for (why,) in sorted(said)), *bare]
    with read_again(held, received, mapping) as raw:
        reader = _Values(raw, mapping, wanted)
        return [fault for one in wanted for fault in _faults(reader, *one)]


@contextmanager
def read_again(held: HeldFile, received: Path, mapping: SourceMapping) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory whose table `raw` holds the records of a stored file, with their lines."""
    with warehouse(Path(":memory:"), key=secrets.token_bytes(32)) as con:
        try:
            read_raw(con, stored(held, received), name=held.name, mapping=mapping)
        except duckdb.Error as error:
            raise RoiError(f"{held.name} cannot be read again ({type(error).__name__}).") from None
        yield con


def stored(held: HeldFile, received: Path) -> Path:
    """Where the content of a file lies; raises RoiError when it is not there any more."""
    path = received / held.file_hash[:2] / held.file_hash
    if not path.is_file():
        raise RoiError(f"The content of {held.name} is not among the received files; put the export back.")
    return path


class _Values:
    """The texts that the expressions of a mapping give for some lines, by table and line."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, mapping: SourceMapping, wanted: list[tuple[str, int, str]]
    ) -> None:
        self.mapping = mapping
        self.names = {table: file_names(mapping, table) for table in mapping.tables}
        self.rows = {
            table: _texts(con, mapping, table, sorted({line for name, line, _ in wanted if name == table}))
            for table in mapping.tables if any(name == table for name, _, _ in wanted)
        }  # fmt: skip
        self.common = {table: _common(con, mapping, load_tables()[table]) for table in self.rows}

    def found(self, table: str, line: int, column: str) -> str:
        """What stands in a column of the row, as it may be told; several rows of one line are told apart by nobody."""
        if len(self.rows.get(table, {}).get(line, [])) > 1:
            return "(one of several rows of the line)"
        is_there, value = self._value(table, line, column)
        if not is_there:
            return ""
        kind = load_tables()[table].column(column)
        return redacted(value, is_common=value in self.common[table].get(column, ()), is_text=kind.column_type.is_text)

    def is_no_day(self, table: str, line: int, column: str) -> bool:
        """Whether a date stands in a column of the row that no calendar has."""
        return is_no_day(self._value(table, line, column)[1] or "")

    def _value(self, table: str, line: int, column: str) -> tuple[bool, str | None]:
        """Whether a column of the one row of a line is read, and its text."""
        rows = self.rows.get(table, {}).get(line, [])
        is_there = len(rows) == 1 and column in rows[0]
        return is_there, rows[0][column] if is_there else None


def is_no_day(text: str) -> bool:
    """Whether a text begins with a date that no calendar has, day or month first: 31.02.26, 2026-02-30.

    Which part the year is must be plain: that of four digits, or of two digits the last between dots.
    """
    found = _DATE.match(text)
    if found is None:
        return False
    if found["first"]:
        year, (month, day) = int(found["first"]), map(int, found["rest"].split(found["by"]))
        return not _is_day(year, month, day)
    one, two = int(found["one"]), int(found["two"])
    year = int(found["last"]) + (2000 if len(found["last"]) == 2 else 0)
    return not (_is_day(year, one, two) or _is_day(year, two, one))


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _texts(
    con: duckdb.DuckDBPyConnection, mapping: SourceMapping, table: str, lines: list[int]
) -> dict[int, list[dict[str, Any]]]:
    plan = Plan(mapping, load_tables()[table], mapping.tables[table])
    result = con.execute(f"SELECT * FROM ({plan.raw_sql()}) WHERE _line IN (SELECT unnest(?::BIGINT[]))", [lines])
    names = [column[0] for column in result.description or []]
    found: dict[int, list[dict[str, Any]]] = {}
    for row in result.fetchall():
        found.setdefault(row[0], []).append(dict(zip(names, row, strict=True)))
    return found


def _common(con: duckdb.DuckDBPyConnection, mapping: SourceMapping, table: Table) -> dict[str, frozenset[str]]:
    """Per column of a few words the code-like values that enough rows of the file hold."""
    told = mapping.tables[table.name]
    plan = Plan(mapping, table, told)
    few = [
        column.name for column in table.columns if column.type in ("category", "flag") and column.name in told.columns
    ]
    return {name: _frequent(con, f"({plan.raw_sql()})", name) for name in few}


def _frequent(con: duckdb.DuckDBPyConnection, rows: str, name: str) -> frozenset[str]:
    sql = f'SELECT "{name}" FROM {rows} WHERE "{name}" IS NOT NULL GROUP BY ALL HAVING count(*) >= {LEAST_ALIKE}'
    return frozenset(value for (value,) in con.execute(sql).fetchall() if _CODE.fullmatch(value))


def redacted(value: str | None, *, is_common: bool, is_text: bool) -> str:
    """A value as it may be told: digits become 9, letters a and A, unless it is a number, a time or a common word.

    What is not told as it stands is marked as masked.
    """
    if value is None:
        return "(nothing)"
    if is_common or (not is_text and _PLAIN.fullmatch(value)):
        return value
    shape = re.sub(r"[^\W\d_]", lambda letter: "A" if letter[0].isupper() else "a", re.sub(r"\d", "9", value))
    told = shape if len(shape) <= 60 else f"{shape[:57]}..."
    return value if told == value else f"{told} (masked)"


def _faults(values: _Values, table: str, line: int, reason: str) -> Iterator[Fault]:
    for part in reason.split("; "):
        yield _fault(values, table, line, part)


def _fault(values: _Values, table: str, line: int, reason: str) -> Fault:
    pair, single = _OF_PAIR.fullmatch(reason), _OF_COLUMN.fullmatch(reason)
    names = values.names.get(table, {})
    if pair:
        earlier, word, later = pair[1], pair[2], pair[3]
        both = [f"{names.get(one, one)} = {values.found(table, line, one)}" for one in (earlier, later)]
        return Fault(line, table, f"{earlier}, {later}", ", ".join(both), f"{earlier} not {word} {later}", reason)
    if single and table and single[1] in load_tables()[table].column_names:
        column = single[1]
        shown = f"{names[column]} = " if column in names else ""
        found, wanted = values.found(table, line, column), _expected(single[2])
        is_odd = single[2] in _TIMES and values.is_no_day(table, line, column)
        return Fault(line, table, column, shown + found, f"{wanted}; {NO_DAY}" if is_odd else wanted, reason)
    return Fault(line, table, "", "", "", reason)


def _expected(rule: str) -> str:
    """What a rule wants, from what it says of a row that breaks it."""
    wanted = {"missing": "a value", "negative": "0 or more", "in the future": "not after the clock of the run"}
    return wanted.get(rule, rule.removeprefix("not "))
