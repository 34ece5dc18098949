"""Which KPIs tell of groups of people: those that count people, and those that count what people did."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from pipeline.catalog.model import AnyMetric
from pipeline.tables import load_tables

SMALLEST_GROUP = 5
"""Of fewer people nothing is told."""
WITHHELD = "suppressed"
"""How the reason of a value begins that is withheld for the sake of few people, in every edition."""
UNKNOWN = "unknown"
"""The slice of rows of which nobody knows to which other slice they belong."""
PERSON = "person_id"
"""Column of a fact that has whose row it is; empty where nobody knows."""

PERSON_COLUMNS = frozenset({PERSON, "respondent"})
"""Columns of facts whose values are people."""
_DEED_COLUMNS = frozenset({"session_key", "user_key", "unit_key", "contact_id"})
"""Columns of facts that tell one deed of somebody from another; what is told of those looks after itself."""


def are_of_people(columns: Collection[str]) -> bool:
    """Whether the rows of a fact with these columns are people or their answers, and not what they did."""
    return not PERSON_COLUMNS.isdisjoint(columns) and _DEED_COLUMNS.isdisjoint(columns)


@cache
def groupings() -> frozenset[str]:
    """Columns of the staff directory that group people, such as their department."""
    return frozenset(column.name for column in load_tables()["people"].columns if column.type in ("text", "category"))


def tells_of_people(metric: AnyMetric, deeds: Collection[str]) -> bool:
    """Whether a KPI counts people, or what people did: the rows of one of the facts named."""
    return metric.people or not set(metric.counted_facts).isdisjoint(deeds)


def is_withheld(reason: object) -> bool:
    """Whether the reason why a value is not there is that it would tell of few people."""
    return str(reason).startswith(WITHHELD)


def unknown_words(dimension: str) -> str:
    """What the slice `unknown` of a dimension holds, in words."""
    name = dimension.replace("_", " ")
    if dimension in groupings():
        return (
            f"{UNKNOWN}: the staff directory does not tell the {name} of the person on that day, or nobody knows whose "
            "row it is."
        )
    return f"{UNKNOWN}: rows of which the exports do not tell the {name}."


def withheld_words(metric: AnyMetric, deeds: Collection[str]) -> str:
    """What is withheld of a KPI lest it tell of few people, in words; nothing where there is no such thing."""
    return f"Groups of fewer than {SMALLEST_GROUP} people are not shown." if tells_of_people(metric, deeds) else ""
