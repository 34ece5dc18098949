"""Whether the columns a KPI names exist in its fact and have the type their use needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import ExpressionError, Measure, parse_measure
from pipeline.catalog.model import AnyMetric, Catalog, Difference, Percentile, Ratio, SurvivalMedian, Total
from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.errors import Problem

MEASURE_KEYS = ("numerator", "denominator", "total", "unknown")
"""Keys of a KPI whose value is a measure."""

_ANY = frozenset({"exact number", "number", "text", "flag", "time", "other"})
_NUMBERS = frozenset({"exact number", "number"})
_FAMILIES = (
    ("exact number", r"(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|INT\d*|LONG|DECIMAL|NUMERIC)\b"),
    ("number", r"(DOUBLE|FLOAT|REAL)\b"),
    ("text", r"(VARCHAR|TEXT|STRING|CHAR|ENUM|UUID)\b"),
    ("flag", r"BOOL(EAN)?\b"),
    ("time", r"(DATE|TIMESTAMP\w*)\b"),
)
# What a literal of a condition may be compared with; texts in a condition also stand for dates.
_COMPARABLE = {"number": _NUMBERS, "text": frozenset({"text", "time"}), "flag": frozenset({"flag"})}
_EXAMPLES = {"number": "a number", "text": "text or a time", "flag": "a flag (true or false)"}


@dataclass(frozen=True)
class _Use:
    """A column named under a key, and the families of type that fit there."""

    key: str
    column: str
    families: frozenset[str]
    expected: str


def family(sql_type: str) -> str:
    """`exact number`, `number` (binary floating point), `text`, `flag`, `time` or `other`."""
    name = sql_type.strip().upper()
    # a list or array of anything is none of these
    matching = (family for family, pattern in _FAMILIES if re.match(pattern, name) and not name.endswith("]"))
    return next(matching, "other")


def measures(metric: AnyMetric) -> dict[str, str]:
    """Key -> text of every measure of the KPI."""
    texts = {key: getattr(metric, key, None) for key in MEASURE_KEYS}
    return {key: text for key, text in texts.items() if text is not None}


def identifying_columns(catalog: Catalog) -> dict[str, set[str]]:
    """Per fact the columns some KPI counts, clusters or dedupes by: they tell single people or sessions apart."""
    found: dict[str, set[str]] = {}
    for metric in catalog.metrics.values():
        columns = found.setdefault(metric.fact, set())
        columns.update(column for key in ("cluster", "first_per") if (column := getattr(metric, key, None)) is not None)
        columns.update(re.findall(r"\bdistinct\s*\(\s*(\w+)", " ".join(measures(metric).values())))
    return found


def check_columns(
    kpi_id: str,
    metric: AnyMetric,
    positions: Positions,
    *,
    facts: Mapping[str, Mapping[str, str]],
    identifying: set[str],
) -> Iterator[Problem]:
    """Fact, expressions, columns and dimensions of one KPI."""
    checker = _Checker(kpi_id, metric, positions, facts.get(metric.fact), identifying)
    parsed, refused = checker.parse()
    yield from refused
    yield from checker.aggregates(parsed)
    yield from checker.cluster()
    yield from checker.same_twice(parsed)
    if metric.fact not in facts:
        where, meant = positions.where("metrics", kpi_id, "fact"), near(metric.fact, facts)
        expected = one_of(facts, otherwise="a fact of pipeline/facts")
        yield problem(where, codes.UNKNOWN_FACT, found=f"fact {quoted(metric.fact)}", expected=expected, meant=meant)
        return
    yield from checker.uses(parsed)
    yield from checker.comparisons(parsed)
    yield from checker.dimensions()


@dataclass(frozen=True)
class _Checker:
    kpi_id: str
    metric: AnyMetric
    positions: Positions
    fact: Mapping[str, str] | None
    identifying: set[str]

    def where(self, *path: str | int) -> str:
        return self.positions.where("metrics", self.kpi_id, *path)

    def parse(self) -> tuple[dict[str, Measure], list[Problem]]:
        """The measures by key, and a problem for each text that is none."""
        parsed, refused = {}, []
        for key, text in measures(self.metric).items():
            try:
                parsed[key] = parse_measure(text)
            except ExpressionError as error:
                where, found = self.where(key), f"{key} {error.found}"
                told = problem(where, codes.BAD_EXPRESSION, found=found, expected=error.expected, meant=error.meant)
                refused.append(told)
        return parsed, refused

    def aggregates(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Sums and counts go with sums and counts, distinct counts with those of the same column; a total adds up."""
        above, below = parsed.get("numerator"), parsed.get("denominator")
        if above and below and self.mixed(above, below):
            found, expected = f"{above.text()} over {below.text()}", "both distinct over one column, or neither"
            yield problem(self.where("numerator"), codes.MIXED_AGGREGATES, found=found, expected=expected)
        for key in ("total", "unknown"):
            if key in parsed and parsed[key].aggregate == "distinct":
                found, expected = f"{key} {parsed[key].text()}", "sum(column) or count(*), which add up over days"
                yield problem(self.where(key), codes.MIXED_AGGREGATES, found=found, expected=expected)

    def mixed(self, above: Measure, below: Measure) -> bool:
        """Distinct over a sum, or over another column; an unknown column is a mistake of its own, not another one."""
        if above.aggregate == below.aggregate == "distinct":
            return above.column != below.column and {above.column, below.column} <= set(self.fact or {})
        return "distinct" in (above.aggregate, below.aggregate)

    def cluster(self) -> Iterator[Problem]:
        """`interval: clustered` names its cluster, and no other interval does."""
        if not isinstance(self.metric, (Ratio, Total)):
            return
        if self.metric.interval == "clustered" and self.metric.cluster is None:
            found, expected = "interval clustered without cluster", "cluster: the column that groups rows"
            yield problem(self.where("interval"), codes.CLUSTER, found=found, expected=expected)
        if self.metric.interval != "clustered" and self.metric.cluster is not None:
            found, expected = f"cluster with interval {self.metric.interval}", "interval: clustered, or no cluster"
            yield problem(self.where("cluster"), codes.CLUSTER, found=found, expected=expected)

    def same_twice(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Numerator and denominator, start and end, treated and control are two things."""
        for first, second in (("numerator", "denominator"), ("start", "end"), ("treated", "control")):
            one = parsed.get(first, getattr(self.metric, first, None))
            if one is not None and one == parsed.get(second, getattr(self.metric, second, None)):
                found = f"the same for {first} and {second}"
                yield problem(self.where(second), codes.SAME_TWICE, found=found, expected="two different ones")

    def uses(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        for use in [*_measure_uses(parsed), *_column_uses(self.metric)]:
            sql_type = self.column_type(use.column)
            if sql_type is None:
                yield self.unknown_column(use.key, use.column)
            elif family(sql_type) not in use.families:
                found = f"{use.key} {use.column} of type {sql_type}"
                yield problem(self.where(use.key), codes.WRONG_COLUMN_TYPE, found=found, expected=use.expected)

    def comparisons(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Columns of conditions exist, and are compared with literals of their own type."""
        for key, measure in parsed.items():
            for column, literals in dict.fromkeys((item.column, item.literals) for item in measure.comparisons):
                sql_type = self.column_type(column)
                if sql_type is None and column != measure.column:
                    yield self.unknown_column(key, column)
                wrong = [kind for kind in literals if sql_type and family(sql_type) not in _COMPARABLE[kind]]
                if sql_type is not None and wrong:
                    found = f"{column} of type {sql_type} used as {_EXAMPLES[wrong[0]]} in {key}"
                    expected = "a literal of the column's own type"
                    yield problem(self.where(key), codes.WRONG_COLUMN_TYPE, found=found, expected=expected)

    def dimensions(self) -> Iterator[Problem]:
        for index, column in enumerate(self.metric.dimensions):
            where, sql_type = self.where("dimensions", index), self.column_type(column)
            if sql_type is None:
                found, meant = f"dimension {quoted(column)}", near(column, self.slices())
                expected = one_of(self.slices(), otherwise=f"a text column of {self.metric.fact}")
                yield problem(where, codes.UNKNOWN_DIMENSION, found=found, expected=expected, meant=meant)
            elif column in self.identifying:
                found, expected = f"dimension {quoted(column)}", "a column that groups people or sessions, not one each"
                yield problem(where, codes.IDENTIFYING_DIMENSION, found=found, expected=expected)
            elif family(sql_type) != "text":
                found, expected = f"dimension {column} of type {sql_type}", "a text column"
                yield problem(where, codes.WRONG_COLUMN_TYPE, found=found, expected=expected)

    def slices(self) -> list[str]:
        """Columns of the fact that could be a dimension."""
        columns = (self.fact or {}).items()
        return [name for name, sql_type in columns if family(sql_type) == "text" and name not in self.identifying]

    def column_type(self, column: str) -> str | None:
        return (self.fact or {}).get(column)

    def unknown_column(self, key: str, column: str) -> Problem:
        columns = self.fact or {}
        found, meant = f"column {quoted(column)} in {key}", near(column, columns)
        expected = one_of(columns, otherwise=f"a column of {self.metric.fact}")
        return problem(self.where(key), codes.UNKNOWN_COLUMN, found=found, expected=expected, meant=meant)


def _measure_uses(parsed: Mapping[str, Measure]) -> Iterator[_Use]:
    exact = "whole numbers or DECIMAL; sums of anything else fail or differ between runs"
    for key, measure in parsed.items():
        if measure.aggregate == "sum":
            yield _Use(key, measure.column, frozenset({"exact number"}), exact)
        elif measure.aggregate == "distinct":
            yield _Use(key, measure.column, _ANY, "any column")


def _column_uses(metric: AnyMetric) -> Iterator[_Use]:
    """Columns that a KPI names directly."""
    if isinstance(metric, (Ratio, Total)) and metric.cluster is not None:
        yield _Use("cluster", metric.cluster, _ANY, "any column")
    elif isinstance(metric, Percentile):
        yield _Use("value", metric.value, _NUMBERS, "a number")
    elif isinstance(metric, SurvivalMedian):
        yield _Use("start", metric.start, frozenset({"time"}), "a date or time")
        yield _Use("end", metric.end, frozenset({"time"}), "a date or time")
    elif isinstance(metric, Difference):
        yield _Use("value", metric.value, frozenset({"exact number"}), "a whole number, 0 or 1")
        yield _Use("arm", metric.arm, frozenset({"text"}), "text")
        yield _Use("first_per", metric.first_per, _ANY, "any column")
