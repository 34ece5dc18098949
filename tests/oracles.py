"""A second opinion on every KPI: its value by definition, for every period and slice, held against the engine's.

The arithmetic of each KPI stands in `ORACLES` and `FORMULAS`, written from its definition and not from the catalogue.
Of its record only facts, dimensions, cadence and the bounds of what may be told are used. `expected` cuts rows into
periods and slices and asks the oracle; `differences` says where the engine's frame says something else.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import duckdb
import pandas as pd
from engine_room import CATALOG, values
from oracles_intervals import Row
from oracles_kinds import Answer, Oracle
from oracles_kpis import ORACLES, Period, Place, expected

from pipeline.catalog.model import Catalog

SMALLEST_GROUP = 5


def told(frame: pd.DataFrame, kpi_id: str) -> dict[Place, dict[str, Any]]:
    """What the engine says of a KPI, by place; rows of no group stand under no name, of which nothing is asked."""
    held = frame[(frame["kpi_id"] == kpi_id) & frame["dimension_value"].notna()].to_dict("records")
    return {
        (Period(row["grain"], row["period_start"], row["period_end"]), row["dimension"], row["dimension_value"]): row
        for row in held
    }


class Wrong(NamedTuple):
    """One thing in which the engine and an oracle differ."""

    kpi_id: str
    place: Place
    words: str

    def __str__(self) -> str:
        period, dimension, value = self.place
        where = f" {dimension}={value}" if dimension else ""
        return f"{self.kpi_id} {period.grain} {period.start} to {period.end}{where}: {self.words}"

    def rows(self, facts: Mapping[str, list[Row]]) -> list[Row]:
        """The rows it is about: a small case to look into."""
        period, dimension, value = self.place
        held = [row for fact in CATALOG.metrics[self.kpi_id].facts for row in facts[fact]]
        return [
            row
            for row in held
            if period.start <= row["day"] < period.end and (not dimension or row[dimension] == value)
        ]


def differences(frame: pd.DataFrame, kpi_id: str, facts: Mapping[str, list[Row]], last: date) -> Iterator[Wrong]:
    """Every place and thing of a KPI in which the engine differs from its oracle."""
    metric, oracle = CATALOG.metrics[kpi_id], ORACLES[kpi_id]
    answers, found = expected(oracle, metric, facts, last), told(frame, kpi_id)
    if not answers:
        answers = dict.fromkeys(found)
    for place in [*answers, *(place for place in found if place not in answers)]:
        lines = _at(place, answers, found, oracle, metric=metric, last=last)
        yield from (Wrong(kpi_id, place, words) for words in lines)
    yield from (Wrong(kpi_id, place, words) for place, words in _given_away(_groups(answers, metric), found))


def _at(place: Place, answers: Any, found: Any, oracle: Oracle, *, metric: Any, last: date) -> Iterator[str]:
    """What differs at one place."""
    answer, row = answers.get(place), found.get(place)
    is_of_people = metric.people
    if place not in answers:
        total = (place[0], "", "")
        if not (is_of_people and is_hidden(row) and (answers.get(total) or is_hidden(found[total]))):
            yield "a row where nothing happened"
    elif row is None:
        if place[1] == "" or (answer is not None and answer.value is not None):
            yield f"no row, expected {answer}"
    elif not (is_of_people and is_hidden(row)):
        yield from _values(answer, row, oracle)
        right = _status(answer, place[0], metric, last)
        if row["status"] != right:
            yield f"status {row['status']}, expected {right}"
        yield from _reason(answer, row)


def _reason(answer: Answer | None, row: Row) -> Iterator[str]:
    """What is wrong with the reason of a value that cannot be told or judged."""
    if row["status"] != "computed" and not row["reason"]:
        yield f"no reason for {row['status']}"
    if answer is not None and answer.numerator is not None and row["reason"] == "no data in this period":
        yield "'no data in this period', where there are rows"
    if answer is not None and answer.denominator and row["reason"] == "zero denominator":
        yield f"'zero denominator', expected {answer.denominator}"


def _values(answer: Answer | None, row: Row, oracle: Oracle) -> Iterator[str]:
    nothing = Answer(None, None, 0, None)
    one = answer or nothing
    is_empty = one.n == 0 and one.value is None
    sides = {
        "numerator": (one.numerator, oracle.sums_close), "denominator": (one.denominator, oracle.sums_close),
        "n": (one.n, 0.0), "value": (one.value, oracle.close),
        "interval_low": (one.ends[0], oracle.ends_close), "interval_high": (one.ends[1], oracle.ends_close),
    }  # fmt: skip
    for name, (right, close) in sides.items():
        if not agree(right, row[name], close, zero_is_none=is_empty or name == "n"):
            yield f"{name} {row[name]}, expected {right}"


def agree(right: Any, found: Any, close: float, *, zero_is_none: bool = False) -> bool:
    """Whether a number is the right one: exactly for a closeness of 0, else to a relative difference."""
    one, other = (None if pd.isna(number) else Decimal(str(number)) for number in (right, found))
    if zero_is_none:
        one, other = one or Decimal(0), other or Decimal(0)
    if one is None or other is None:
        return one is None and other is None
    return one == other if close == 0 else math.isclose(one, other, rel_tol=close, abs_tol=min(close, 1e-8))


def _status(answer: Answer | None, period: Period, metric: Any, last: date) -> str:
    """Whether a value can be told, is final, and rests on enough."""
    if answer is None or answer.value is None:
        return "not_available"
    if period.end + timedelta(metric.matures_after_days) > last + timedelta(1):
        return "immature"
    has_interval = metric.interval == "exact" or any(one is not None and not math.isnan(one) for one in answer.ends)
    return "computed" if answer.n >= metric.min_n and has_interval else "insufficient_data"


def is_hidden(row: Row) -> bool:
    """Whether a value is withheld for the sake of few people, with all its numbers."""
    return str(row.get("reason")).startswith("suppressed") and row["status"] == "not_available" and all(
        pd.isna(row[name]) for name in ("value", "numerator", "denominator", "n", "interval_low", "interval_high")
    )  # fmt: skip


Groups = dict[tuple[Period, str], dict[str, int]]


def _groups(answers: Mapping[Place, Answer | None], metric: Any) -> list[Groups]:
    """Whoever is not to be told of when they are few: people that are counted; what people did is made up here."""
    if not metric.people:
        return []
    compared = max((len(one.arms) for one in answers.values() if one is not None), default=0)
    return [_people(answers, arm) for arm in (None, *range(compared))]


def _given_away(every: Sequence[Groups], found: Mapping[Place, Row]) -> Iterator[tuple[Place, str]]:
    """Groups of fewer than five people that are shown or can be worked out, and periods hidden for nothing."""
    is_small_anywhere = any(
        0 < many < SMALLEST_GROUP for groups in every for people in groups.values() for many in people.values()
    )
    for groups in every:
        yield from _given_away_of(groups, found, is_small_anywhere=is_small_anywhere)


def _people(answers: Mapping[Place, Answer | None], arm: int | None) -> Groups:
    """People by period, dimension and slice: all of them, or those of one of the groups that are compared."""
    found: Groups = defaultdict(dict)
    for (period, dimension, value), answer in answers.items():
        if answer is None:
            continue
        people = (answer.n if answer.people is None else answer.people) if arm is None else answer.arms[arm]
        if people:
            found[period, dimension][value] = people
    return found


def _given_away_of(
    groups: Groups, found: Mapping[Place, Row], *, is_small_anywhere: bool
) -> Iterator[tuple[Place, str]]:
    for (period, dimension), people in groups.items():
        small = {
            value for value, many in people.items() if many < SMALLEST_GROUP and (period, dimension, value) in found
        }
        hidden = {value for value in people if is_hidden(found.get((period, dimension, value), {}))}
        if shown := small - hidden:
            yield (period, dimension, min(shown)), f"{people[min(shown)]} people shown"
        whole = groups.get((period, ""), {}).get("", 0)
        rest = whole - sum(many for value, many in people.items() if value not in hidden)
        is_told = not is_hidden(found.get((period, "", ""), {}))
        if dimension and hidden and is_told and 0 < rest < SMALLEST_GROUP:
            yield (period, dimension, min(people)), f"the {rest} of {sorted(hidden)} are the total less the others"
        if hidden and not is_small_anywhere and period.grain != "28d":
            yield (period, dimension, min(people)), f"hidden for nothing are {sorted(hidden)} of {people}"


# Running the engine on rows


def put(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Mapping[str, str]], facts: Mapping[str, list[Row]]
) -> None:
    """Make facts anew as tables with these rows; nothing is left of the ones before."""
    con.execute("DROP SCHEMA IF EXISTS states CASCADE; CREATE SCHEMA states")
    con.execute("DROP SCHEMA IF EXISTS facts CASCADE; CREATE SCHEMA facts")
    for fact, rows in facts.items():
        con.execute(f"CREATE TABLE facts.{fact}({', '.join(f'{name} {kind}' for name, kind in columns[fact].items())})")
        if rows:
            lists = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in columns[fact].values())
            con.execute(
                f"INSERT INTO facts.{fact} SELECT {lists}", [[row.get(name) for row in rows] for name in columns[fact]]
            )


def restricted(kpis: Sequence[str]) -> Catalog:
    """The catalogue with these KPIs alone."""
    return Catalog.model_construct(version=1, roles={}, metrics={kpi_id: CATALOG.metrics[kpi_id] for kpi_id in kpis})


def held_against(
    con: duckdb.DuckDBPyConnection, columns: Mapping[str, Mapping[str, str]], facts: Mapping[str, list[Row]]
) -> tuple[pd.DataFrame, list[Wrong]]:
    """Run the engine once for all KPIs these facts suffice for: its frame, and every difference from the oracles."""
    kpis = [kpi_id for kpi_id, metric in CATALOG.metrics.items() if metric.facts and set(metric.facts) <= set(facts)]
    put(con, columns, facts)
    frame = values(con, restricted(kpis))
    last = max(row["day"] for rows in facts.values() for row in rows)
    return frame, [one for kpi_id in kpis for one in differences(frame, kpi_id, facts, last)]
