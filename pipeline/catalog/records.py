"""What every record of the catalogue is made of: ids, texts, numbers as they were written, days, and columns."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError


def _exact(value: object) -> object:
    """A number as the decimal it was written as, without trailing zeros; anything but a number is refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise PydanticCustomError("number_type", "a number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise PydanticCustomError("finite_number", "a finite number")
    return Decimal(format(number.normalize(), "f"))


def _calendar_date(value: object) -> object:
    """A date written as YYYY-MM-DD; numbers and times are refused, which pydantic would take for seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("calendar_date", "a date of the calendar, written as 2026-01-31")


_PlainUnit = Literal["ratio", "points", "index", "score_1_5", "count", "USD", "s", "min", "h", "d", "months"]
PLAIN_UNITS = get_args(_PlainUnit)
_THING = "[a-z][a-z0-9_]{0,29}"
_OF_THINGS = f"^((USD|tokens)/{_THING}|per_1k_{_THING}s|{_THING}s/min)$"


def _of_things(value: object, otherwise: ValidatorFunctionWrapHandler) -> object:
    """Money or tokens a thing, a rate by a thousand things, things a minute; any other unit is one there is."""
    return value if isinstance(value, str) and re.fullmatch(_OF_THINGS, value) else otherwise(value)


UNIT_FORMS = ("USD/session", "tokens/call", "per_1k_sessions", "calls/min")
"""One of each form that units of things have."""
_FORM = {"pattern": _OF_THINGS, "type": "string", "examples": [*UNIT_FORMS]}
Unit = Annotated[
    _PlainUnit,
    WrapValidator(_of_things),
    PlainSerializer(str),
    WithJsonSchema({"anyOf": [{"enum": [*PLAIN_UNITS], "type": "string"}, _FORM]}),
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[Decimal, BeforeValidator(_exact)]
Day = Annotated[date, BeforeValidator(_calendar_date)]


_IDENTIFIER = r"^[a-z][a-z0-9_]{1,62}$"
Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
COLUMN = "column"
"""Marks a key whose value is a column of the fact; beside it the families of type that fit there, and in words."""


def _column(families: str, expected: str) -> object:
    return Field(pattern=_IDENTIFIER, json_schema_extra={COLUMN: families, "expected": expected})


AnyColumn = Annotated[str, _column("any", "any column")]
NumberColumn = Annotated[str, _column("number", "a number")]
ExactColumn = Annotated[str, _column("exact", "whole numbers or DECIMAL")]
TextColumn = Annotated[str, _column("text", "text")]
TimeColumn = Annotated[str, _column("time", "a date or time")]


class Strict(BaseModel):
    """A record that refuses keys it does not have and is never changed."""

    # defer_build: the validators are compiled when the first catalogue is read, not when the package is imported
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, defer_build=True)
