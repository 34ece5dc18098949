"""The records of the declaration: what a column type is in SQL, what a column is, what a table is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnType:
    """What a declared type is in the warehouse and which row rules it brings."""

    name: str
    sql: str
    meaning: str
    never_negative: bool = False
    """A value below zero is quarantined unless the column is `signed`."""
    signable: bool = False
    """A column of this type may carry the flag `signed`."""

    @property
    def is_text(self) -> bool:
        """Every text is a value of this type, so nothing can fail to cast."""
        return self.sql == "VARCHAR"

    @property
    def is_double(self) -> bool:
        """Values may be NaN or infinite until the contract has looked."""
        return self.sql == "DOUBLE"

    @property
    def is_moment(self) -> bool:
        """A point or a day in time, so it can be ordered and compared with the clock."""
        return self.sql in {"TIMESTAMPTZ", "DATE"}

    @property
    def is_number(self) -> bool:
        """An amount, so it can be compared with another one and with 0."""
        return not (self.is_text or self.is_moment or self.sql == "BOOLEAN")


_ALL_TYPES = (
    ColumnType("id", "VARCHAR", "Identifier, as the source writes it"),
    ColumnType("text", "VARCHAR", "Words; a mail address in them is not kept"),
    ColumnType("person", "VARCHAR", "A person, as a keyed pseudonym"),
    ColumnType("category", "VARCHAR", "One of the values listed"),
    ColumnType("flag", "BOOLEAN", "True or false"),
    ColumnType("count", "BIGINT", "Whole number of things", never_negative=True, signable=True),
    ColumnType("tokens", "BIGINT", "Whole number of tokens", never_negative=True, signable=True),
    ColumnType("seconds", "DOUBLE", "Duration in seconds", never_negative=True),
    ColumnType("milliseconds", "DOUBLE", "Duration in milliseconds", never_negative=True),
    ColumnType("minutes", "DECIMAL(18,6)", "Duration in minutes, exact to 6 decimals", never_negative=True),
    ColumnType("number", "DOUBLE", "Any other number", never_negative=True, signable=True),
    ColumnType("money", "DECIMAL(28,14)", "Amount in the row's currency, exact", never_negative=True, signable=True),
    ColumnType("price", "DECIMAL(24,12)", "Price of one unit, exact", never_negative=True),
    ColumnType("time", "TIMESTAMPTZ", "Point in time, stored as UTC"),
    ColumnType("date", "DATE", "UTC day"),
)

TYPES: dict[str, ColumnType] = {column_type.name: column_type for column_type in _ALL_TYPES}
"""Every type a column may be declared with, by name."""


@dataclass(frozen=True)
class Column:
    """One column of a canonical table, as declared."""

    name: str
    type: str
    """Name of its type, a key of `TYPES`."""
    meaning: str
    values: tuple[str, ...] = ()
    """What a `category` may be; empty for every other type."""
    required: bool = False
    signed: bool = False
    positive: bool = False
    """0 breaks the contract as a value below it does."""

    @property
    def column_type(self) -> ColumnType:
        """The record of its type."""
        return TYPES[self.type]

    @property
    def sql_type(self) -> str:
        """The SQL type it is stored as, such as `DECIMAL(28,14)`."""
        return self.column_type.sql

    @property
    def never_negative(self) -> bool:
        """A value below zero breaks the contract."""
        return self.column_type.never_negative and not self.signed and not self.positive


@dataclass(frozen=True)
class Table:
    """One canonical table, as declared in `tables.yaml`."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    day: str | None = None
    """The column whose UTC day a changed row touches."""
    span: tuple[str, str] | None = None
    """First and first-no-longer day of a row's validity, instead of `day`."""
    ordered: tuple[tuple[str, str], ...] = ()
    """Pairs (earlier, later) of moments, or (lesser, greater) of numbers, that must not run backwards."""
    not_future: tuple[str, ...] = ()
    """Columns that must not lie after the run's clock."""

    def column(self, name: str) -> Column:
        """The column of that name; raises KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of its columns, in declaration order."""
        return tuple(column.name for column in self.columns)
