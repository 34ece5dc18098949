"""What the values of a column of an unknown export are: times in a local form, flags, numbers with commas.

A guess says every way in which the values may be meant. Where there are two, nothing in the values tells which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.sources.sql import literal
from pipeline.tables import Column

_FORMS = {
    "%d.%m.%Y": "day first", "%d.%m.%y": "day first",
    "%d/%m/%Y": "day first", "%m/%d/%Y": "month first", "%d/%m/%y": "day first", "%m/%d/%y": "month first",
    "%d-%m-%Y": "day first", "%m-%d-%Y": "month first",
    "%Y/%m/%d": "year first", "%Y.%m.%d": "year first",
    "%d %b %Y": "names of months", "%d-%b-%Y": "names of months", "%b %d, %Y": "names of months",
}  # fmt: skip
"""Forms of days and what is said of them; with dots between its parts a day stands before its month."""
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", "T%H:%M:%S")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
_OFFSET = re.compile(r"\d{2}:\d{2}.*(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$")
_FLAGS = (("true", "false"), ("yes", "no"), ("y", "n"), ("1", "0"), ("t", "f"), ("ja", "nein"), ("j", "n"),
          ("oui", "non"), ("si", "no"), ("sí", "no"), ("x", "-"))  # fmt: skip
_DECIMAL_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_THOUSANDS_COMMA = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")


@dataclass(frozen=True)
class Way:
    """One way in which values may be meant: the expression that reads them so, and what it takes them for."""

    expression: str
    note: str = ""


@dataclass(frozen=True)
class Guess:
    """Every way in which the values of a column may be meant; `doubt` says why nothing tells which, where it does."""

    ways: tuple[Way, ...]
    doubt: str = ""


def time_guess(column: str, values: Sequence[str], days: Iterable[str] = ()) -> Guess | None:
    """How the times or days of a column (as SQL names it) are written, None when they are neither.

    `days` are all days of the file where `values` are only its first ones: a 20th settles what comes first.
    """
    for pattern, divisor, note in (
        (r"\d{10}(\.\d+)?", "", "Unix seconds"),
        (r"\d{13}", " / 1000", "Unix milliseconds"),
    ):
        if values and all(re.fullmatch(pattern, value) for value in values):
            return Guess((Way(f"to_timestamp(try_cast({column} as double){divisor})", f"{note} by its values"),))
    if all(_ISO.match(value) for value in values):
        return Guess((Way(column),))
    forms = [form for form in _FORMS if _is_written(values, form) and all(_reads(day, form) for day in days)]
    ways = tuple(Way(_as_time(column, values, form), f"{_FORMS[form]} by its values") for form in forms)
    doubt = "day first and month first both fit, for no value has a number above 12 in either place"
    return Guess(ways, doubt if len(ways) > 1 else "") if ways else None


def has_local_times(values: Sequence[str]) -> bool:
    """Some of the times name a clock and no offset."""
    return any(":" in value and not _OFFSET.search(value) for value in values)


def _is_written(values: Sequence[str], form: str) -> bool:
    return all(any(_reads(value, form + clock) for clock in _CLOCKS) for value in values)


def _reads(value: str, form: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True


def _as_time(column: str, values: Sequence[str], form: str) -> str:
    """The expression; what cannot be read is handed on as it is, so that it is refused instead of missing."""
    clocks = [clock for clock in _CLOCKS if any(_reads(value, form + clock) for value in values)]
    forms = [literal(form + clock) for clock in clocks]
    told = forms[0] if len(forms) == 1 else f"[{', '.join(forms)}]"
    return f"coalesce(try_strptime({column}, {told})::varchar, {column})"


def flag_guess(column: str, values: Sequence[str]) -> Guess | None:
    """How a column says yes and no, None when it says something else."""
    words = {value.lower() for value in values}
    for yes, no in _FLAGS:
        if words <= {yes, no}:
            if yes == "true" or not words:
                return Guess((Way(column),))
            told = f"case lower(trim({column})) when {literal(yes)} then 'true' when {literal(no)} then 'false'"
            return Guess((Way(f"{told} else {column} end", f"{yes} and {no} by its values"),))
    return None


def number_guess(column: str, values: Sequence[str], *, is_whole: bool) -> Guess | None:
    """How the numbers of a column are written, None when they are none; `is_whole` ones have no decimals."""
    if all(map(_is_number, values)):
        return Guess((Way(column),))
    ways = []
    if not is_whole and all(map(_DECIMAL_COMMA.fullmatch, values)):
        ways.append(Way(f"replace(replace({column}, '.', ''), ',', '.')", "decimal commas by its values"))
    if all(map(_THOUSANDS_COMMA.fullmatch, values)):
        ways.append(Way(f"replace({column}, ',', '')", "commas between thousands by its values"))
    doubt = "a comma may begin decimals or set thousands apart, for three digits follow each"
    return Guess(tuple(ways), doubt if len(ways) > 1 else "") if ways else None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def in_unit(column: Column, name: str, way: Way) -> Way:
    """A number in the unit of its column, by the unit at the end of the name of the other."""
    for pattern, kinds, formula, note in _UNITS:
        if column.type in kinds and re.search(pattern, name, re.IGNORECASE):
            told = f"try_cast({way.expression} as {_cast(column)}) {formula}"
            return Way(told, ", ".join(filter(None, [note, way.note])))
    return way


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


def is_named_like_id(name: str) -> bool:
    """The last word of a name is one for what tells things apart: `Ticket No`, `ticketId`, `case-number`."""
    words = re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|#", name)
    return bool(words) and words[-1].lower() in _ID_WORDS


_ID_WORDS = frozenset({"id", "no", "nr", "num", "number", "nummer", "key", "uuid", "guid", "ref", "reference", "#"})
