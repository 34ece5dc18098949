"""Every error code of the source mappings, with its meaning in one line; a code is never given a second meaning."""

from __future__ import annotations

from typing import Final

UNKNOWN_KEY: Final = "M001"
MISSING_KEY: Final = "M002"
WRONG_VALUE: Final = "M003"
WRONG_NAME: Final = "M004"
TABLES_OR_IGNORE: Final = "M005"
UNKNOWN_ZONE: Final = "M006"
WRONG_RECORDS: Final = "M007"
NO_FINGERPRINT: Final = "M008"
LISTED_TWICE: Final = "M009"
UNKNOWN_TABLE: Final = "M010"
UNKNOWN_COLUMN: Final = "M011"
MISSING_KEY_COLUMN: Final = "M012"
MISSING_REQUIRED_COLUMN: Final = "M013"
WRONG_TOTAL: Final = "M014"
STILL_TO_FILL: Final = "M015"
NO_CSV: Final = "M016"
BAD_EXPRESSION: Final = "M020"
FAILING_EXPRESSION: Final = "M021"

MEANINGS: Final[dict[str, str]] = {
    UNKNOWN_KEY: "a key a mapping does not have",
    MISSING_KEY: "a key a mapping needs is not there",
    WRONG_VALUE: "a value of the wrong type or outside the choices",
    WRONG_NAME: "the id of the source is not the name of its file",
    TABLES_OR_IGNORE: "a mapping says exactly one of tables and ignore",
    UNKNOWN_ZONE: "the time zone does not exist",
    WRONG_RECORDS: "the path to the records cannot be followed, or the reader takes none",
    NO_FINGERPRINT: "the columns a file is recognised by are missing or have the wrong form",
    LISTED_TWICE: "a list names the same thing twice",
    UNKNOWN_TABLE: "the canonical table does not exist",
    UNKNOWN_COLUMN: "the canonical table has no such column",
    MISSING_KEY_COLUMN: "a column of the table's key is not mapped",
    MISSING_REQUIRED_COLUMN: "a column every row needs is not mapped",
    WRONG_TOTAL: "a control total of a column that is not mapped or does not add up exactly",
    STILL_TO_FILL: "a column every row needs is mapped to nothing, as a draft leaves it that nobody has filled",
    NO_CSV: "how CSV files are laid out is said of a reader that has no use for it",
    BAD_EXPRESSION: "DuckDB cannot bind an expression to the columns of the file",
    FAILING_EXPRESSION: "an expression that chooses or orders records fails on some of them",
}
