"""The row rules of a table, each declared once: its reason, the SQL that finds bad rows, the check that passes good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.contracts.casting import BLANKS, is_blank_sql, literal, text_name
from pipeline.tables import Column, Table, quoted

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import Check

_WANTED = {
    "flag": "a true-or-false value",
    "count": "a whole number",
    "tokens": "a whole number",
    "seconds": "a number of seconds",
    "milliseconds": "a number of milliseconds",
    "minutes": "a number of minutes",
    "number": "a number",
    "money": "an amount of money",
    "price": "a price",
    "time": "a time",
    "date": "a date",
}
"""What a value of each type that may fail to cast should have been."""


@dataclass(frozen=True)
class Rule:
    """One thing every row of a table must satisfy.

    `sql` is TRUE for a bad row of `casting.typed_rows_sql`. `holds` is given the column named by `on`, nulls left out,
    or the whole frame when the rule looks at more than one value or at absence; it returns True for good rows.
    """

    reason: str
    """What the quarantine says; never contains a value of the row."""
    sql: str
    holds: Callable[[pd.Series | pd.DataFrame], pd.Series]
    on: str | None = None

    def check(self) -> Check:
        """The rule as a pandera check that reports one failure at most, so that its messages stay small."""
        from pandera.pandas import Check

        return Check(self.holds, name=self.reason, error=self.reason, ignore_na=self.on is not None, n_failure_cases=1)


def rules_of(table: Table, now: datetime) -> tuple[Rule, ...]:
    """The rules of the table in declaration order: column by column, then pairs in order, then the clock.

    `now` is the run's clock and must carry a time zone; raises ValueError when it does not.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone; pass an aware datetime")
    return (
        *(rule for column in table.columns for rule in _column_rules(column)),
        *(_pair(table.column(first), table.column(second)) for first, second in table.ordered),
        *(_not_future(table.column(name), now.astimezone(UTC)) for name in table.not_future),
    )


def sql_rules(table: Table, now: datetime) -> list[tuple[str, str]]:
    """(reason, SQL predicate that is TRUE for a bad row) of every rule, in declaration order."""
    return [(rule.reason, rule.sql) for rule in rules_of(table, now)]


def _column_rules(column: Column) -> Iterator[Rule]:
    kind = column.column_type
    if column.required:
        yield _present_text(column.name) if kind.is_text else _present(column.name)
    if not kind.is_text:
        yield _of_type(column)
    if column.values:
        yield _one_of(column)
    if column.never_negative:
        yield _not_negative(column.name)
    if column.positive:
        yield _positive(column.name)
    if kind.is_double:
        yield _finite(column.name)


def _present_text(name: str) -> Rule:
    """A text is there; casting has made blank ones null."""
    return Rule(f"{name}: missing", f"{quoted(name)} IS NULL", lambda frame: frame[name].notna())


def _present(name: str) -> Rule:
    """Something is written in the column, whether it can be read or not."""
    text = text_name(name)
    return Rule(
        reason=f"{name}: missing",
        sql=f"{quoted(name)} IS NULL AND coalesce({is_blank_sql(quoted(text))}, TRUE)",
        holds=lambda frame: frame[name].notna() | ~_is_blank(frame[text]),
    )


def _of_type(column: Column) -> Rule:
    name, text = column.name, text_name(column.name)
    return Rule(
        reason=f"{name}: not {_WANTED[column.type]}",
        sql=f"{quoted(name)} IS NULL AND NOT {is_blank_sql(quoted(text))}",
        holds=lambda frame: frame[name].notna() | _is_blank(frame[text]),
    )


def _one_of(column: Column) -> Rule:
    listed = ", ".join(literal(value) for value in column.values)
    return Rule(
        reason=f"{column.name}: not one of {', '.join(column.values)}",
        sql=f"{quoted(column.name)} NOT IN ({listed})",
        holds=lambda values: values.isin(column.values),
        on=column.name,
    )


def _not_negative(name: str) -> Rule:
    return Rule(f"{name}: negative", f"{quoted(name)} < 0", lambda values: values >= 0, on=name)


def _positive(name: str) -> Rule:
    return Rule(f"{name}: not above 0", f"{quoted(name)} <= 0", lambda values: values > 0, on=name)


def _finite(name: str) -> Rule:
    return Rule(
        reason=f"{name}: not a finite number",
        sql=f"NOT isfinite({quoted(name)})",
        holds=_is_finite,
        on=name,
    )


def _pair(first: Column, second: Column) -> Rule:
    is_moment = first.column_type.is_moment
    return _in_order(first.name, second.name) if is_moment else _not_above(first, second)


def _not_above(lesser: Column, greater: Column) -> Rule:
    """Both are there and finite, and the first is not the greater; what is not finite breaks a rule of its own."""
    low, high = lesser.name, greater.name
    finite = f"isfinite({quoted(low)}) AND isfinite({quoted(high)}) AND " if lesser.column_type.is_double else ""
    return Rule(
        reason=f"{low} above {high}",
        sql=f"{finite}{quoted(low)} > {quoted(high)}",
        holds=lambda frame: (
            ~((frame[low] > frame[high]) & _is_finite(frame[low]) & _is_finite(frame[high])).fillna(False)
        ),
    )


def _is_finite(values: pd.Series) -> pd.Series:
    return values.abs() < float("inf")


def _in_order(earlier: str, later: str) -> Rule:
    """Both are there and do not run backwards; the same moment is in order."""
    return Rule(
        reason=f"{earlier} after {later}",
        sql=f"{quoted(earlier)} > {quoted(later)}",
        holds=lambda frame: ~(frame[earlier] > frame[later]),
    )


def _not_future(column: Column, now: datetime) -> Rule:
    """A time lies not after the clock, a day not after the clock's UTC day."""
    limit, literal = now.replace(tzinfo=None), f"TIMESTAMPTZ '{now.isoformat()}'"
    if column.sql_type == "DATE":
        limit = datetime(now.year, now.month, now.day)
        literal = f"DATE '{limit:%Y-%m-%d}'"
    return Rule(
        reason=f"{column.name}: in the future",
        sql=f"{quoted(column.name)} > {literal}",
        holds=lambda values: values <= limit,
        on=column.name,
    )


def _is_blank(text: pd.Series) -> pd.Series:
    is_blank = text.isna()
    return is_blank if is_blank.all() else is_blank | (text.str.strip(BLANKS) == "")
