"""Which KPIs tell of groups of people: those that count people, and those told by what people have in common."""

from __future__ import annotations

from functools import cache

from pipeline.catalog.model import AnyMetric
from pipeline.tables import load_tables

SMALLEST_GROUP = 5
"""Of fewer people nothing is told."""
UNKNOWN = "unknown"
"""The slice of rows of which nobody knows to which other slice they belong."""
PERSON = "person_id"
"""Column of a fact that has whose row it is; `unknown`, who counts as one person, where nobody knows or knows yet."""


@cache
def groupings() -> frozenset[str]:
    """Columns of the staff directory that group people, such as their department."""
    return frozenset(column.name for column in load_tables()["people"].columns if column.type in ("text", "category"))


def grouped_by(metric: AnyMetric) -> tuple[str, ...]:
    """Dimensions of a KPI whose slices are groups of people, which it does not count."""
    return () if metric.people else tuple(name for name in metric.dimensions if name in groupings())


def tells_of_people(metric: AnyMetric) -> bool:
    """Whether a KPI counts people, or is told by groups of them."""
    return metric.people or bool(grouped_by(metric))


def unknown_words(dimension: str) -> str:
    """What the slice `unknown` of a dimension holds, in words."""
    name = dimension.replace("_", " ")
    if dimension in groupings():
        return (
            f"{UNKNOWN}: the staff directory does not tell the {name} of the person on that day, or nobody knows whose "
            "row it is."
        )
    return f"{UNKNOWN}: rows of which the exports do not tell the {name}."


def withheld_words(metric: AnyMetric) -> str:
    """What is withheld of a KPI lest it tell of few people, in words; nothing where there is no such thing."""
    if metric.people:
        return f"Groups of fewer than {SMALLEST_GROUP} people are not shown."
    if not (named := grouped_by(metric)):
        return ""
    return f"By {' and '.join(named).replace('_', ' ')}, groups of fewer than {SMALLEST_GROUP} people are not shown."
