"""How one staged value is written, by the type of its column; all of it SQL over text."""

from __future__ import annotations

import re

from pipeline.sources.sql import literal
from pipeline.tables import Column

_NAME = re.compile(r'"[^"]+"|[A-Za-z_][A-Za-z0-9_]*')
# White space of ASCII, then no-break, figure and narrow spaces, the ideographic space, zero-width space and BOM.
_BLANK = r"[\s\x{0b}\x{a0}\x{2007}\x{202f}\x{3000}\x{200b}\x{feff}]"
_AROUND = literal(rf"^{_BLANK}+|{_BLANK}+$")
_DAY = r"\d{4}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_OFFSET = r"(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2}(:?\d{2})?)?)"
_WITH_OFFSET = literal(rf"{_DAY}[ T]{_CLOCK}\s*{_OFFSET}")
_LOCAL = literal(rf"{_DAY}([ T]{_CLOCK})?")
NOT_A_TIME = "not a time"
"""Stands for a time that cannot be read, so that the contract quarantines it whatever zone the session has."""


def text_sql(expression: str) -> str:
    """An expression as text; NULL when it fails, which a bare column does not."""
    if _NAME.fullmatch(expression.strip()):
        return f"{expression.strip()}::VARCHAR"
    return f"TRY(\n{expression}\n)::VARCHAR"


def trimmed_sql(text: str) -> str:
    """A text without white space around it."""
    return f"regexp_replace({text}, {_AROUND}, '', 'g')"


def value_sql(column: Column, text: str, *, zone: str) -> str:
    """The staged value of a column from its trimmed text."""
    if column.type == "time":
        return _time_sql(text, zone)
    if column.type == "date":
        return _date_sql(text)
    if column.type == "person":
        return f"pseudonym(lower(nfc_normalize({text})))"
    return f"nfc_normalize({text})" if column.type in {"id", "text"} else text


def version_sql(text: str) -> str:
    """A version whose order as text is its order: times in UTC, whole numbers padded, anything else as it is."""
    instant = _iso_sql(_instant_sql(text, "UTC"))
    return f"""CASE WHEN regexp_full_match({text}, '\\d{{1,38}}') THEN lpad({text}, 38, '0')
        ELSE coalesce({instant}, {text}) END"""


def ambiguous_sql(text: str, *, zone: str) -> str:
    """1 for a local time that occurs twice because clocks go back an hour, else 0."""
    instant, local, place = _local_sql(text, zone), f"TRY_CAST({text} AS TIMESTAMP)", literal(zone)
    hours = [f"timezone({place}, {instant} {sign} INTERVAL 1 HOUR) = {local}" for sign in "+-"]
    return f"CASE WHEN regexp_full_match({text}, {_LOCAL}) AND ({' OR '.join(hours)}) THEN 1 ELSE 0 END"


def _time_sql(text: str, zone: str) -> str:
    return f"""CASE WHEN {text} IS NOT NULL
        THEN coalesce({_iso_sql(_instant_sql(text, zone))}, {literal(NOT_A_TIME)}) END"""


def _date_sql(text: str) -> str:
    """A day as it is written; a time with offset becomes its UTC day, a local time its own."""
    return f"""CASE WHEN regexp_full_match({text}, {_WITH_OFFSET})
          THEN coalesce(substr({_iso_sql(_offset_sql(text))}, 1, 10), {literal(NOT_A_TIME)})
        WHEN regexp_full_match({text}, {_LOCAL}) THEN substr({text}, 1, 10) ELSE {text} END"""


def _instant_sql(text: str, zone: str) -> str:
    return f"""CASE WHEN regexp_full_match({text}, {_WITH_OFFSET}) THEN {_offset_sql(text)}
        WHEN regexp_full_match({text}, {_LOCAL}) THEN {_local_sql(text, zone)} END"""


def _offset_sql(text: str) -> str:
    """The instant of a time with offset; what DuckDB does not know, such as `z` or a blank before it, is put right."""
    utc = f"regexp_replace({text}, '\\s*(Z|z|UTC|GMT)$', '+00:00')"
    plain = f"regexp_replace({utc}, '\\s+([+-][0-9:]+)$', '\\1')"
    return f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), TRY_CAST({plain} AS TIMESTAMPTZ))"


def _local_sql(text: str, zone: str) -> str:
    """The instant of a local time; NULL for one that clocks skip. Of one that occurs twice ICU takes the later."""
    local, place = f"TRY_CAST({text} AS TIMESTAMP)", literal(zone)
    if zone == "UTC":
        return f"timezone('UTC', {local})"
    instant = f"timezone({place}, {local})"
    return f"CASE WHEN timezone({place}, {instant}) = {local} THEN {instant} END"


def _iso_sql(instant: str) -> str:
    """An instant as text that casts back to it exactly in a session of any time zone, and sorts as the instants do."""
    return f"(timezone('UTC', {instant})::VARCHAR || '+00:00')"
