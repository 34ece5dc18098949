"""Whether the columns a KPI names exist in its fact and have the type their use needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, get_args

from pydantic.fields import FieldInfo

from pipeline.catalog import codes
from pipeline.catalog.document import Positions
from pipeline.catalog.expressions import Comparison, ExpressionError, Measure, parse_condition, parse_measure
from pipeline.catalog.formula_check import check_formula
from pipeline.catalog.model import AnyMetric, Derived, Difference, Formula, Judged, Ratio, Recurrence, Total
from pipeline.catalog.people import PERSON_COLUMNS, are_of_people
from pipeline.catalog.records import COLUMN
from pipeline.catalog.units import unit_of_column
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
_OUTCOMES = re.compile(
    r"(is_|has_)?(outcome|status|http_status|result|state|success\w*|error\w*|failed|failure\w*|passed|ok|good|correct|"
    r"completed)"
)
_DURATIONS = ("ms", "s", "min", "h", "d")
_FITTING = {"any": _ANY, "number": _NUMBERS, "exact": frozenset({"exact number"}), "text": frozenset({"text"}),
            "time": frozenset({"time"})}  # fmt: skip
_COMPARABLE = {"number": _NUMBERS, "text": frozenset({"text", "time"}), "flag": frozenset({"flag"})}
_NOT_ADDITIVE = re.compile(r"(^|_)(share|rate|ratio|percent|p\d\d|mean|avg|median|score_share)($|_)")
_AS_COMPARED = {"exact number": "{} = 1", "number": "{} = 1.5", "text": "{} = 'text'", "flag": "{}"}
_EXAMPLES = {"number": "a number", "text": "text or a time", "flag": "a flag (true or false)"}


@dataclass(frozen=True)
class _Use:
    """A column named under a key, and the families of type that fit there."""

    key: str
    column: str
    families: frozenset[str]
    expected: str
    is_summed: bool = False


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


def column_keys(metric: AnyMetric) -> dict[str, tuple[str, str]]:
    """Key -> (families of type that fit, the same in words) of every key whose value is a column."""
    found = {}
    for key, field in type(metric).model_fields.items():
        marks = [mark for mark in _marks(field) if COLUMN in mark]
        if marks and getattr(metric, key) is not None and not (key == "per" and getattr(metric, key) == "week"):
            found[key] = (str(marks[0][COLUMN]), str(marks[0]["expected"]))
    return found


def _marks(field: FieldInfo) -> list[dict[str, Any]]:
    """What the declaration of a key says beside its type, through `X | None` as well."""
    own = [field.json_schema_extra] if isinstance(field.json_schema_extra, dict) else []
    inner = [one for part in get_args(field.annotation) for one in getattr(part, "__metadata__", ())]
    return own + [one.json_schema_extra for one in inner if isinstance(getattr(one, "json_schema_extra", None), dict)]


_MEMBERS = ("cluster", "first_per", "member", "query", "document")
"""Keys whose column tells the things apart that a KPI is about."""


def identifying_columns(columns: Iterable[str]) -> set[str]:
    """Those of the columns of a fact that tell single people, sessions or rows apart, whatever KPIs make of them."""
    return {name for name in columns if name in PERSON_COLUMNS or name.endswith(("_id", "_key"))}


def _members(metric: AnyMetric) -> dict[str, str]:
    """Column -> what it is to the KPI: its cluster, its member, ..., or what it counts."""
    counted = re.findall(r"\bdistinct\s*\(\s*(\w+)", " ".join(measures(metric).values()))
    named = {str(column): key for key in _MEMBERS if (column := getattr(metric, key, None)) is not None}
    return dict.fromkeys(counted, "distinct") | named


def check_columns(
    kpi_id: str,
    metric: AnyMetric,
    positions: Positions,
    *,
    facts: Mapping[str, Mapping[str, str]],
) -> Iterator[Problem]:
    """Fact, expressions, columns and dimensions of one KPI."""
    if isinstance(metric, Formula):
        yield from check_formula(kpi_id, metric, positions)
        return
    checker = _Checker(kpi_id, metric, positions, facts)
    parsed, refused = checker.parse()
    yield from refused
    yield from checker.bad_condition()
    yield from checker.aggregates(parsed)
    yield from checker.people(parsed)
    yield from checker.cluster()
    yield from checker.same_twice(parsed)
    yield from checker.failures(parsed)
    yield from checker.unknown_facts()
    yield from checker.uses(parsed)
    yield from checker.comparisons(parsed)
    yield from checker.dimensions()
    yield from checker.labels()


@dataclass(frozen=True)
class _Checker:
    kpi_id: str
    metric: AnyMetric
    positions: Positions
    facts: Mapping[str, Mapping[str, str]]

    @property
    def fact(self) -> Mapping[str, str] | None:
        """Columns of the main fact."""
        return self.facts.get(self.metric.fact)

    @property
    def fact_keys(self) -> dict[str, str]:
        """Key -> fact it names."""
        return {} if isinstance(self.metric, Formula) else self.metric.fact_keys

    def fact_of(self, key: str) -> str:
        """The fact whose columns a key speaks of."""
        return self.metric.over if isinstance(self.metric, Derived) and key == "denominator" else self.metric.fact

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

    def bad_condition(self) -> Iterator[Problem]:
        """The KPI's own condition on rows can be read."""
        condition = getattr(self.metric, "where", None)
        try:
            if condition:
                parse_condition(condition)
        except ExpressionError as error:
            found = f"where {error.found}"
            yield problem(self.where("where"), codes.BAD_EXPRESSION, found=found, expected=error.expected)

    def aggregates(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Sums and counts go with sums and counts, distinct counts with those of the same column; a total adds up."""
        above, below = parsed.get("numerator"), parsed.get("denominator")
        if above and below and not isinstance(self.metric, Derived) and self.mixed(above, below):
            found, expected = f"{above.text()} over {below.text()}", "both distinct over one column, or neither"
            yield problem(self.where("numerator"), codes.MIXED_AGGREGATES, found=found, expected=expected)
        adding = ("total", "unknown", *(("numerator", "denominator") if isinstance(self.metric, Derived) else ()))
        for key in adding:
            if key in parsed and parsed[key].aggregate == "distinct" and not self.counts_members(key):
                found, expected = f"{key} {parsed[key].text()}", "sum(column) or count(*), which add up over days"
                yield problem(self.where(key), codes.MIXED_AGGREGATES, found=found, expected=expected)

        counted = next((key for key, one in parsed.items() if key != "unknown" and one.aggregate == "distinct"), None)
        if "unknown" in parsed and counted is not None:
            found, expected = f"unknown beside {parsed[counted].text()}", "it beside sums and counts alone"
            yield problem(self.where("unknown"), codes.MIXED_AGGREGATES, found=found, expected=expected)

    def people(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """A KPI that counts people, or rows that are theirs, withholds small groups of them."""
        if self.metric.people:
            return
        expected = "people: true, which withholds groups of fewer than five"
        counted = {key: one.column for key, one in parsed.items() if one.aggregate == "distinct"}
        counted |= {"member": self.metric.member} if isinstance(self.metric, Recurrence) else {}
        told = next((key for key, column in counted.items() if column in PERSON_COLUMNS), None)
        if told is not None:
            found = f"{told} of different {counted[told]} without people: true"
            yield problem(self.where(told), codes.PEOPLE, found=found, expected=expected)
        for key, fact in self.fact_keys.items() if told is None else ():
            if are_of_people(self.facts.get(fact, ())):
                found = f"{key} {fact}, whose rows are people or their answers, without people: true"
                yield problem(self.where(key), codes.PEOPLE, found=found, expected=expected)

    def counts_members(self, key: str) -> bool:
        """An exact total may be one of different members: sets of them unite over days."""
        return isinstance(self.metric, Total) and key == "total" and self.metric.interval == "exact"

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
        for first, second in (
            ("numerator", "denominator"),
            ("start", "end"),
            ("treated", "control"),
            ("first", "second"),
        ):
            one = parsed.get(first, getattr(self.metric, first, None))
            if isinstance(self.metric, Derived) and self.metric.fact != self.metric.over:
                continue
            if one is not None and one == parsed.get(second, getattr(self.metric, second, None)):
                found = f"the same for {first} and {second}"
                yield problem(self.where(second), codes.SAME_TWICE, found=found, expected="two different ones")

    def failures(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """A denominator that is picked by how things ended, or how long they took, can leave the failures out.

        A share has no such sum below the line either; what a success costs has, for failures cost above it.
        """
        below = parsed.get("denominator")
        if below is None:
            return
        compared = [one.column for one in below.comparisons]
        picked = [*compared, below.column] if self.metric.unit == "ratio" else compared
        ended = (f"{name}, which says how things ended" for name in picked if _OUTCOMES.fullmatch(name))
        took = (f"{name}, how long things took" for name in compared if unit_of_column(name) in _DURATIONS)
        for column in islice(chain(ended, took), 1):
            expected = "everything that was started; the fact leaves out what was never a try"
            found = f"a denominator picked by {column}"
            yield problem(self.where("denominator"), codes.FAILURES_LEFT_OUT, found=found, expected=expected)

    def unknown_facts(self) -> Iterator[Problem]:
        """Facts that there are not, whose columns cannot be judged, and one that does not tell what came first."""
        for key, fact in self.fact_keys.items():
            if isinstance(self.metric, Difference) and "first_order" not in self.facts.get(fact, {"first_order"}):
                found, expected = f"fact {fact} without first_order", "one that tells which row of several came first"
                yield problem(self.where(key), codes.UNKNOWN_COLUMN, found=found, expected=expected)
            if fact not in self.facts:
                expected = one_of(self.facts, otherwise="a fact; `roi catalog facts` lists them")
                found, meant = f"fact {quoted(fact)}", near(fact, self.facts)
                yield problem(self.where(key), codes.UNKNOWN_FACT, found=found, expected=expected, meant=meant)

    def uses(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Columns exist, and have the type their use needs."""
        for use in [*_measure_uses(parsed), *self.column_uses()]:
            if self.fact_of(use.key) not in self.facts:
                continue
            sql_type = self.column_type(use.column, use.key)
            if sql_type is None:
                yield self.unknown_column(use.key, use.column)
            elif family(sql_type) not in use.families:
                found = f"{use.key} {use.column} of type {sql_type}"
                yield problem(self.where(use.key), codes.WRONG_COLUMN_TYPE, found=found, expected=use.expected)
            elif use.is_summed and _NOT_ADDITIVE.search(use.column) and not use.column.startswith(("is_", "has_")):
                found, expected = (
                    f"the sum of {use.column}",
                    "what it was worked out from; shares and percentiles do not add up",
                )
                yield problem(self.where(use.key), codes.NOT_ADDITIVE, found=found, expected=expected)

    def column_uses(self) -> Iterator[_Use]:
        """Columns that a KPI names directly."""
        for key, (families, expected) in column_keys(self.metric).items():
            is_mean = self.metric.kind == "mean" and key == "value"
            yield _Use(key, str(getattr(self.metric, key)), _FITTING[families], expected, is_summed=is_mean)

    def labels(self) -> Iterator[Problem]:
        """The fact of labels names the judge as the judged rows do, and says what person and judge found."""
        if not isinstance(self.metric, Judged) or self.metric.judge not in (self.fact or {}):
            return
        if self.metric.labels not in self.facts:
            return
        columns, where = self.facts[self.metric.labels], self.where("labels")
        for column, fits in ((self.metric.judge, "text"), ("is_good", "exact number"), ("is_passed", "exact number")):
            told = f"{self.metric.labels}, whose {column} is {columns.get(column, 'not there')}"
            if family(columns.get(column, "")) != fits:
                expected = f"a fact with {column}: {'text' if fits == 'text' else 'whole numbers'}"
                yield problem(where, codes.NO_LABELS, found=told, expected=expected)

    def comparisons(self, parsed: Mapping[str, Measure]) -> Iterator[Problem]:
        """Columns of conditions exist, and are compared with literals of their own type."""
        found = [(key, measure.column, one) for key, measure in parsed.items() for one in measure.comparisons]
        for key, own, comparison in dict.fromkeys([*found, *(("where", "", one) for one in self.condition())]):
            if self.fact_of(key) not in self.facts:
                continue
            column, literals = comparison.column, comparison.literals
            sql_type = self.column_type(column, key)
            if sql_type is None and column != own:
                yield self.unknown_column(key, column)
            wrong = [kind for kind in literals if sql_type and family(sql_type) not in _COMPARABLE[kind]]
            if sql_type is not None and wrong:
                told = f"{column} of type {sql_type} used as {_EXAMPLES[wrong[0]]} in {key}"
                such = _AS_COMPARED.get(family(sql_type), "").format(column)
                expected = "a literal of the column's own type" + (f", such as {such}" if such else "")
                yield problem(self.where(key), codes.WRONG_COLUMN_TYPE, found=told, expected=expected)

    def condition(self) -> tuple[Comparison, ...]:
        """Comparisons of the KPI's own condition; what cannot be read is told elsewhere."""
        text = getattr(self.metric, "where", None)
        try:
            return parse_condition(text)[1] if text else ()
        except ExpressionError:
            return ()

    @property
    def sliced_facts(self) -> list[str]:
        """The facts whose slices are those of the KPI, as far as they exist."""
        return [fact for fact in self.metric.counted_facts if fact in self.facts]

    def dimensions(self) -> Iterator[Problem]:
        """Dimensions are text columns of every fact they slice, and tell no single people apart."""
        worst = getattr(self.metric, "worst_of", None)
        for index, column in enumerate(self.metric.dimensions):
            where = self.where("dimensions", index)
            if worst is not None and column != worst:
                found = f"dimension {quoted(column)} beside worst_of"
                yield problem(where, codes.POOLED, found=found, expected=f"{worst} alone; other slices would pool it")
            types = [self.facts[fact].get(column) for fact in self.sliced_facts]
            if None in types:
                found, meant = f"dimension {quoted(column)}", near(column, self.slices())
                expected = one_of(self.slices(), otherwise=f"a text column of {self.metric.fact}")
                yield problem(where, codes.UNKNOWN_DIMENSION, found=found, expected=expected, meant=meant)
            elif column in identifying_columns([column]):
                found, expected = f"dimension {quoted(column)}", "a column that groups people or sessions, not one each"
                yield problem(where, codes.IDENTIFYING_DIMENSION, found=found, expected=expected)
            elif (key := _members(self.metric).get(column)) is not None:
                found = f"dimension {quoted(column)}, which is under {key} in this KPI"
                yield problem(where, codes.IDENTIFYING_DIMENSION, found=found, expected="one that groups those")
            elif types and family(types[0] or "") != "text":
                found, expected = f"dimension {column} of type {types[0]}", "a text column"
                yield problem(where, codes.WRONG_COLUMN_TYPE, found=found, expected=expected)

    def slices(self) -> list[str]:
        """Columns of its facts that could be a dimension."""
        first, *others = (self.facts[fact] for fact in self.sliced_facts)
        texts = [name for name, sql_type in first.items() if family(sql_type) == "text"]
        apart = identifying_columns(texts) | set(_members(self.metric))
        return [name for name in texts if name not in apart and all(name in other for other in others)]

    def column_type(self, column: str, key: str = "fact") -> str | None:
        return self.facts.get(self.fact_of(key), {}).get(column)

    def unknown_column(self, key: str, column: str) -> Problem:
        fact = self.fact_of(key)
        columns = self.facts.get(fact, {})
        found, meant = f"column {quoted(column)} in {key}", near(column, columns)
        elsewhere = [name for name, others in self.facts.items() if column in others]
        if elsewhere and meant is None:
            others = " and ".join(elsewhere[:2])
            expected = f"a column of {fact}; a join with {others} would multiply rows: use kind derived"
            return problem(self.where(key), codes.FAN_OUT, found=found, expected=expected)
        listed = "" if meant else f"; `roi catalog facts {fact}` lists them"
        expected = one_of(columns, otherwise=f"a column of {fact}{listed}")
        return problem(self.where(key), codes.UNKNOWN_COLUMN, found=found, expected=expected, meant=meant)


def _measure_uses(parsed: Mapping[str, Measure]) -> Iterator[_Use]:
    exact = "whole numbers or DECIMAL; sums of anything else fail or differ between runs"
    for key, measure in parsed.items():
        if measure.aggregate == "sum":
            yield _Use(key, measure.column, frozenset({"exact number"}), exact, is_summed=True)
        elif measure.aggregate == "distinct":
            yield _Use(key, measure.column, _ANY, "any column")
