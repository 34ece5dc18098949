"""Every error code of the catalogue, with its meaning in one line; a code is never given a second meaning."""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "C001"
TOO_LARGE: Final = "C002"
NOT_UTF8: Final = "C003"
NOT_YAML: Final = "C004"
DUPLICATE_KEY: Final = "C005"
YAML_FEATURE: Final = "C006"
TOO_DEEP: Final = "C007"
UNKNOWN_KEY: Final = "C010"
MISSING_KEY: Final = "C011"
WRONG_VALUE: Final = "C012"
UNKNOWN_KIND: Final = "C013"
TARGET_SIDES: Final = "C014"
UNKNOWN_OWNER: Final = "C020"
UNKNOWN_SUBSCRIPTION: Final = "C021"
OWN_SUBSCRIPTION: Final = "C022"
IDLE_ROLE: Final = "C023"
SAME_NAME: Final = "C024"
LISTED_TWICE: Final = "C025"
UNKNOWN_FACT: Final = "C030"
BAD_EXPRESSION: Final = "C031"
UNKNOWN_COLUMN: Final = "C032"
WRONG_COLUMN_TYPE: Final = "C033"
UNKNOWN_DIMENSION: Final = "C034"
MIXED_AGGREGATES: Final = "C035"
IDENTIFYING_DIMENSION: Final = "C036"
WRONG_UNIT: Final = "C040"
TARGET_DIRECTION: Final = "C041"
TARGET_RANGE: Final = "C042"
CLUSTER: Final = "C043"
SAME_TWICE: Final = "C044"
NOT_ADDITIVE: Final = "C045"
FAN_OUT: Final = "C046"
FAILURES_LEFT_OUT: Final = "C047"
UNKNOWN_INPUT: Final = "C048"
PER: Final = "C049"
POOLED: Final = "C050"
PEOPLE: Final = "C051"
NO_LABELS: Final = "C052"
TOO_FEW: Final = "C053"
TARGET_DATES: Final = "C054"
INTERVAL: Final = "C055"
HEADLINE: Final = "C056"
EXAMPLE_MISSING: Final = "C060"
EXAMPLE_UNREADABLE: Final = "C061"
EXAMPLE_WRONG: Final = "C062"
FACTOR: Final = "C070"
UNKNOWN_FACTOR: Final = "C071"
NOT_MONEY: Final = "C072"
NOT_BY_USE_CASE: Final = "C073"
CLAIMED_TWICE: Final = "C074"
UNKNOWN_LINE: Final = "C075"
LEDGER: Final = "C076"
EVIDENCE: Final = "C077"

MEANINGS: Final[dict[str, str]] = {
    UNREADABLE: "the file cannot be read",
    TOO_LARGE: "the file is larger than a catalogue may be",
    NOT_UTF8: "the file is not UTF-8 text",
    NOT_YAML: "the file is not valid YAML",
    DUPLICATE_KEY: "a key stands twice in one mapping",
    YAML_FEATURE: "anchors, aliases, tags, directives and further documents are refused",
    TOO_DEEP: "the YAML is nested too deeply",
    UNKNOWN_KEY: "a key the record does not have",
    MISSING_KEY: "a key the record needs is not there",
    WRONG_VALUE: "a value of the wrong type, outside the choices or outside the limits",
    UNKNOWN_KIND: "a kind of KPI that does not exist",
    TARGET_SIDES: "a target says exactly one of at_least and at_most",
    UNKNOWN_OWNER: "the owner of a KPI is not a role",
    UNKNOWN_SUBSCRIPTION: "a role subscribes to a KPI that does not exist",
    OWN_SUBSCRIPTION: "a role subscribes to a KPI it owns and sees anyway",
    IDLE_ROLE: "a role with a page has no KPI to read",
    SAME_NAME: "two KPIs have one name, or two roles one title",
    LISTED_TWICE: "a list names the same thing twice",
    UNKNOWN_FACT: "the fact does not exist",
    BAD_EXPRESSION: "an expression is outside the language of measures",
    UNKNOWN_COLUMN: "the fact has no such column",
    WRONG_COLUMN_TYPE: "a column has the wrong type for its use",
    UNKNOWN_DIMENSION: "a dimension is not a column of the fact",
    MIXED_AGGREGATES: "aggregates that do not go together, or cannot be added up",
    IDENTIFYING_DIMENSION: "a dimension that tells single people or sessions apart, or what the KPI is about",
    WRONG_UNIT: "the unit does not fit the kind or the columns",
    TARGET_DIRECTION: "the target is on the wrong side of the direction",
    TARGET_RANGE: "the target is outside what the unit can reach",
    CLUSTER: "a clustered interval and a cluster column go together",
    SAME_TWICE: "a thing is compared with itself",
    NOT_ADDITIVE: "shares, means and percentiles are added up or averaged",
    FAN_OUT: "a column of another fact; a join would multiply rows",
    FAILURES_LEFT_OUT: "a denominator that is picked by how things ended",
    UNKNOWN_INPUT: "a formula and its inputs do not name the same things",
    PER: "a rate per so many of something that is already a fraction, or of money",
    POOLED: "a dimension would pool what is never pooled",
    PEOPLE: "people are counted, and groups of fewer than five of them are not withheld",
    NO_LABELS: "a fact that is no fact of labels for its judge",
    TOO_FEW: "a median or percentile is judged from so few values on that it has no interval",
    TARGET_DATES: "the targets of a KPI do not follow each other by date, or one is of no year that has targets",
    INTERVAL: "an interval around what it does not fit: a share of no whole, or counts where there are amounts",
    HEADLINE: "pages would lead with the better end of an interval",
    EXAMPLE_MISSING: "a KPI has fewer than two worked examples",
    EXAMPLE_UNREADABLE: "a worked example names what the fact does not have, or cannot be put into it",
    EXAMPLE_WRONG: "a worked example gives another value than it says",
    FACTOR: "a factor is not exactly one of a KPI, an assumption and an effect, or a remainder of no share",
    UNKNOWN_FACTOR: "a factor names a KPI that does not exist, or is a formula, or has no such part",
    NOT_MONEY: "the factors of a benefit or a deduction do not multiply to money, or a unit is not that of the KPI",
    NOT_BY_USE_CASE: "a KPI that is not told by use case in a line of several use cases",
    CLAIMED_TWICE: "two lines of benefit claim one thing for one use case, or exclude each other and meet",
    UNKNOWN_LINE: "a line excludes or is disjoint with itself, with one that does not exist, or both of one line",
    LEDGER: "a line lacks what its ledger needs, or has what it must not have",
    EVIDENCE: "the design of the evidence does not fit what the line names",
}

_OF_COLUMNS = (
    UNKNOWN_COLUMN, WRONG_COLUMN_TYPE, UNKNOWN_DIMENSION, MIXED_AGGREGATES, IDENTIFYING_DIMENSION, WRONG_UNIT, FAN_OUT,
    NO_LABELS, INTERVAL,
)  # fmt: skip
_OF_MEASURES = (
    MIXED_AGGREGATES, IDENTIFYING_DIMENSION, WRONG_UNIT, SAME_TWICE, UNKNOWN_INPUT, PER, PEOPLE, INTERVAL,
)  # fmt: skip
HIDES: Final[dict[str, tuple[str, ...]]] = {
    WRONG_VALUE: (IDLE_ROLE, SAME_NAME, TOO_FEW),
    UNKNOWN_FACT: _OF_COLUMNS,
    **dict.fromkeys((BAD_EXPRESSION, UNKNOWN_COLUMN, WRONG_COLUMN_TYPE, FAN_OUT), _OF_MEASURES),
    **dict.fromkeys((MIXED_AGGREGATES, PER, WRONG_UNIT), (WRONG_UNIT,)),
    CLUSTER: (IDENTIFYING_DIMENSION,),
    UNKNOWN_FACTOR: (NOT_MONEY,),
}
"""Code -> codes that cannot be known while it stands: of the same KPI or line, or of what it is compared with."""
