"""Every error code of the table declaration, with its meaning in one line."""

from __future__ import annotations

from typing import Final

NOT_YAML: Final = "T001"
NOT_A_MAPPING: Final = "T002"
NOT_A_LIST: Final = "T003"
WRITTEN_TWICE: Final = "T004"
NO_TABLES: Final = "T005"
BAD_NAME: Final = "T010"
UNKNOWN_KEY: Final = "T011"
MISSING_KEY: Final = "T012"
NO_MEANING: Final = "T013"
UNKNOWN_TYPE: Final = "T020"
BAD_VALUES: Final = "T021"
UNKNOWN_FLAG: Final = "T022"
BAD_FLAG: Final = "T023"
UNKNOWN_COLUMN: Final = "T030"
NOT_A_MOMENT: Final = "T031"
OPTIONAL_KEY: Final = "T032"
DAY_AND_SPAN: Final = "T033"
NOT_A_PAIR: Final = "T034"
BAD_PAIR: Final = "T035"
NO_ORDER: Final = "T036"

MEANINGS: Final[dict[str, str]] = {
    NOT_YAML: "the file is not valid YAML",
    NOT_A_MAPPING: "entries `name: ...` were expected",
    NOT_A_LIST: "a list of words was expected",
    WRITTEN_TWICE: "a name or flag stands twice",
    NO_TABLES: "the file declares no table",
    BAD_NAME: "a name that SQL would have to quote or that is too long",
    UNKNOWN_KEY: "a key a table does not have",
    MISSING_KEY: "a key a table needs is not there",
    NO_MEANING: "a table or column does not say what it is",
    UNKNOWN_TYPE: "a column type that does not exist",
    BAD_VALUES: "the values of a category are missing, empty, listed twice or on another type",
    UNKNOWN_FLAG: "a flag that does not exist",
    BAD_FLAG: "a flag the type, or another flag beside it, rules out",
    UNKNOWN_COLUMN: "the table has no such column",
    NOT_A_MOMENT: "a date or time column was expected",
    OPTIONAL_KEY: "a column of the key is not required",
    DAY_AND_SPAN: "a table says both day and span",
    NOT_A_PAIR: "two columns were expected",
    BAD_PAIR: "the two columns of a pair have different types",
    NO_ORDER: "a date, time or number column was expected",
}
