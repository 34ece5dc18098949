"""What the values of a column of an unknown export are: times in a local form, flags, numbers with commas.

A guess says every way in which the values may be meant. Where there are two, nothing in the values tells which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pipeline.sources.alike import in_words
from pipeline.sources.sql import literal
from pipeline.tables import Column

_MOST_ODD = 0.1
"""Share of the values that may be of another kind: a few bad rows do not hide what a column is."""
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


def time_guess(column: str, values: Sequence[str], days: Iterable[str] = (), *, handed_on: str = "") -> Guess | None:
    """How the times or days of a column (as SQL names it) are written, None when they are neither.

    `days` are all days of the file where `values` are only its first ones: a 20th settles what comes first.
    `handed_on` is its text, where the column is none.
    """
    unix = ((r"\d{10}(\.\d+)?", "", "Unix seconds"), (r"\d{13}", " / 1000", "Unix milliseconds"))
    for pattern, divisor, note in unix:
        fit = _fitting(values, partial(re.fullmatch, pattern))
        if values and fit:
            told = f"coalesce(to_timestamp(try_cast({column} as double){divisor})::varchar, {handed_on or column})"
            return Guess((Way(told, _noted(f"{note} by its values", fit, values)),))
    if fit := _fitting(values, _ISO.match):
        return Guess((Way(column, _noted("", fit, values)),))
    days, fits = tuple(days), {form: _fitting(values, partial(_is_written, form)) for form in _FORMS}
    of_days = {form: _fitting(days, partial(_reads, form)) for form, fit in fits.items() if fit}
    best = max((fits[form] + of_days[form] for form in of_days if of_days[form]), default=0)
    ways = tuple(
        Way(_as_time(column, values, form), _noted(f"{_FORMS[form]} by its values", fits[form], values))
        for form in of_days
        if of_days[form] and fits[form] + of_days[form] == best
    )
    doubt = "day first and month first both fit, for no value has a number above 12 in either place"
    return Guess(ways, doubt if len(ways) > 1 else "") if ways else None


def _fitting(values: Sequence[str], is_one: Callable[[str], object]) -> float:
    """How many values are of a kind where nearly all are, else 0; of no values all are, which is more than none."""
    odd, most = 0, len(values) * _MOST_ODD
    for value in values:
        odd += not is_one(value)
        if odd > most:
            return 0
    return len(values) - odd if values else 0.5


def _noted(note: str, fit: float, values: Sequence[str]) -> str:
    """What is said of values, and how many of them are otherwise."""
    odd = len(values) - int(fit) if values else 0
    verb = "is" if odd == 1 else "are"
    told = f"{odd} of {len(values)} values {verb} of another kind and will be refused" if odd else ""
    return ", ".join(filter(None, [note, told]))


def has_local_times(values: Sequence[str]) -> bool:
    """Some of the times name a clock and no offset."""
    return any(":" in value and not _OFFSET.search(value) for value in values)


def _is_written(form: str, value: str) -> bool:
    return any(_reads(form + clock, value) for clock in _CLOCKS)


def _reads(form: str, value: str) -> bool:
    try:
        datetime.strptime(value, form)
    except ValueError:
        return False
    return True


def _as_time(column: str, values: Sequence[str], form: str) -> str:
    """The expression; what cannot be read is handed on as it is, so that it is refused instead of missing."""
    clocks = [clock for clock in _CLOCKS if any(_reads(form + clock, value) for value in values)]
    forms = [literal(form + clock) for clock in clocks]
    told = forms[0] if len(forms) == 1 else f"[{', '.join(forms)}]"
    return f"coalesce(try_strptime({column}, {told})::varchar, {column})"


def flag_guess(column: str, values: Sequence[str]) -> Guess | None:
    """How a column says yes and no, None when it says something else."""
    words = [value.lower() for value in values]
    fits = {pair: _fitting(words, pair.__contains__) for pair in _FLAGS}
    (yes, no), fit = max(fits.items(), key=lambda one: one[1])
    if not fit:
        return None
    if yes == "true":
        return Guess((Way(column, _noted("", fit, values)),))
    told = f"case lower(trim({column})) when {literal(yes)} then 'true' when {literal(no)} then 'false'"
    return Guess((Way(f"{told} else {column} end", _noted(f"{yes} and {no} by its values", fit, values)),))


def number_guess(column: str, values: Sequence[str], *, is_whole: bool) -> Guess | None:
    """How the numbers of a column are written, None when they are none; `is_whole` ones have no decimals."""
    plain, thousands = _fitting(values, _is_number), _fitting(values, _THOUSANDS_COMMA.fullmatch)
    decimal = 0 if is_whole else _fitting(values, _DECIMAL_COMMA.fullmatch)
    fit = max(plain, decimal, thousands)
    if not fit or plain == fit:
        return Guess((Way(column, _noted("", fit, values)),)) if fit else None
    ways = []
    if decimal == fit:
        ways.append((f"replace(replace({column}, '.', ''), ',', '.')", "decimal commas by its values"))
    if thousands == fit:
        ways.append((f"replace({column}, ',', '')", "commas between thousands by its values"))
    doubt = "a comma may begin decimals or set thousands apart, for three digits follow each"
    noted = tuple(Way(told, _noted(note, fit, values)) for told, note in ways)
    return Guess(noted, doubt if len(ways) > 1 else "")


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def in_unit(column: Column, name: str, way: Way, *, handed_on: str) -> Way:
    """A number in the unit of its column, by the unit at the end of the name of the other.

    `handed_on` is the column as SQL names its text: a value of it that is no number is refused as it is.
    """
    for pattern, kinds, cast, factor, note in _UNITS:
        if column.type in kinds and re.search(pattern, in_words(name), re.IGNORECASE):
            told = f"coalesce((try_cast({way.expression} as {cast}) {factor})::varchar, {handed_on})"
            return Way(told, ", ".join(filter(None, [note, way.note])))
    return way


_UNITS = (
    (r"(_|^)(ms|millis|milliseconds)$|[a-z]Ms$", ("seconds",), "double", "/ 1000", "milliseconds by its name"),
    (r"(_|^)(ms|millis|milliseconds)$|[a-z]Ms$", ("minutes",), "double", "/ 60000", "milliseconds by its name"),
    (r"(_|^)(s|sec|secs|seconds)$", ("milliseconds",), "double", "* 1000", "seconds by its name"),
    (r"(_|^)(s|sec|secs|seconds)$", ("minutes",), "double", "/ 60", "seconds by its name"),
    (r"cents?(_|$)", ("money", "price"), "decimal(28, 10)", "* 0.01", "cents by its name"),
    (r"per_?(1k|1000|thousand)", ("price",), "decimal(28, 10)", "* 0.001", "per thousand by its name"),
    (r"per_?(1m|million|mtok)", ("price",), "decimal(28, 10)", "* 0.000001", "per million by its name"),
)  # fmt: skip
"""Units by name: of which kinds of columns, as what they are read, and the factor. Money stays a decimal, and exact:
a quotient is floating point."""


def are_addresses(values: Sequence[str]) -> bool:
    """Nearly all of the values are addresses of mail, so that they name people whatever the column is called."""
    return bool(values) and _fitting(values, _ADDRESS.fullmatch) > 0


_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def is_named_like_id(name: str) -> bool:
    """The last word of a name is one for what tells things apart: `Ticket No`, `ticketId`, `case-number`."""
    words = re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|#", name)
    return bool(words) and words[-1].lower() in _ID_WORDS


_ID_WORDS = frozenset({"id", "no", "nr", "num", "number", "nummer", "key", "uuid", "guid", "ref", "reference", "#"})
