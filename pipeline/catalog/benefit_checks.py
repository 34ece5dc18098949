"""What the lines of benefit must keep: factors that come to money, the shape of their ledger, no double claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from pipeline.catalog import codes
from pipeline.catalog.benefits import Benefit, Factor
from pipeline.catalog.document import KeyPath, Positions
from pipeline.catalog.model import AnyMetric, Catalog, Derived, Ratio, Snapshot
from pipeline.catalog.units import Dimension, Facts, dimension_of, dimension_words, unit_of_part
from pipeline.catalog.wording import near, one_of, problem, quoted
from pipeline.errors import Problem

HOURS_ARE = {"min": 60, "s": 3600}
"""Units of time that are turned into hours, and how many of them are one."""
_EXPERIMENTAL = ("randomised", "staggered", "did")


def check_benefits(
    catalog: Catalog, positions: Positions, *, facts: Facts, set_aside: frozenset[KeyPath]
) -> Iterator[Problem]:
    """Every problem of the lines of benefit, each at its key; what `set_aside` names has been told already."""
    away = {section: {str(path[1]) for path in set_aside if path[0] == section} for section in ("metrics", "benefits")}
    for name, line in catalog.benefits.items():
        checker = _Checker(name, line, catalog, positions, facts, away["metrics"])
        yield from checker.owner({str(path[1]) for path in set_aside if path[0] == "roles"})
        yield from checker.ledger()
        yield from checker.span()
        yield from checker.evidence()
        yield from checker.lines()
        yield from _relations(name, line, catalog, positions, away["benefits"])
    yield from _claimed_twice(catalog, positions)


@dataclass(frozen=True)
class _Checker:
    """The checks of one line; `away` names KPIs that are in the file but not in the catalogue."""

    name: str
    line: Benefit
    catalog: Catalog
    positions: Positions
    facts: Facts
    away: set[str]

    def report(self, *path: str | int, code: str, found: str, expected: str, meant: str | None = None) -> Problem:
        where = self.positions.where("benefits", self.name, *path)
        return problem(where, code, found=found, expected=expected, meant=meant)

    def is_unknown(self, *path: str | int) -> bool:
        """Return whether what the line says under the path could not be read."""
        return self.positions.is_unknown("benefits", self.name, *path)

    def owner(self, away: set[str]) -> Iterator[Problem]:
        """The owner is a role."""
        roles = [*self.catalog.roles, *away]
        if self.line.owner not in roles and not self.positions.is_unknown("roles"):
            expected, meant = (
                one_of(roles, otherwise="a role of this catalogue, by its id under roles"),
                near(self.line.owner, roles),
            )
            found = f"owner {quoted(self.line.owner)}"
            yield self.report("owner", code=codes.UNKNOWN_OWNER, found=found, expected=expected, meant=meant)

    def ledger(self) -> Iterator[Problem]:
        """Strategic lines are words; cash and capacity are factors with all three shares and their evidence."""
        line = self.line
        if self.is_unknown("ledger"):
            return
        keys = ("claims", "factors", "attribution", "realisation", "risk", "deductions", "evidence")
        numbers = [key for key in keys if getattr(line, key) or self.is_unknown(key)]
        if line.ledger == "strategic":
            if numbers or line.says is None:
                found = f"a strategic line with {', '.join(numbers)}" if numbers else "a strategic line without says"
                expected = "says: the benefit in words, and no factors"
                yield self.report("ledger", code=codes.LEDGER, found=found, expected=expected)
            return
        lacking = [key for key in keys if key not in (*numbers, "deductions")]
        if lacking or line.says is not None:
            found = f"a {line.ledger} line " + (f"without {', '.join(lacking)}" if lacking else "with says")
            expected = f"{', '.join(key for key in keys if key != 'deductions')}, and no says"
            yield self.report("ledger", code=codes.LEDGER, found=found, expected=expected)
        elif line.ledger == "cash" and any(factor.unit == "USD/h" for factor in line.factors):
            expected = "ledger: capacity, for an hour that is freed is no money yet"
            yield self.report("ledger", code=codes.LEDGER, found="a cash line with a rate in USD/h", expected=expected)
        if line.perception_of is not None and not self._is_perception():
            found = f"perception_of {quoted(line.perception_of)}"
            expected = "another capacity line, from a capacity line with design self_report"
            yield self.report("perception_of", code=codes.LEDGER, found=found, expected=expected)

    def span(self) -> Iterator[Problem]:
        """A line that ends does so after it has begun."""
        line = self.line
        if line.until is None or line.since is None or self.is_unknown("since"):
            return
        if line.until <= line.since:
            found, expected = f"until {line.until} with since {line.since}", "a later day"
            yield self.report("until", code=codes.LEDGER, found=found, expected=expected)

    def _is_perception(self) -> bool:
        """Return whether the line is what people say about the hours of another, as far as both can be read."""
        unreadable = ("benefits", str(self.line.perception_of), "ledger")
        if self.is_unknown("evidence", "design") or self.positions.is_unknown(*unreadable):
            return True
        other = self.catalog.benefits.get(str(self.line.perception_of))
        says = self.line.evidence is not None and self.line.evidence.design == "self_report"
        ledgers = [one.ledger for one in (self.line, other) if one is not None]
        return says and self.line.perception_of != self.name and ledgers == ["capacity", "capacity"]

    def evidence(self) -> Iterator[Problem]:
        """An experimental design names its data; an effect among the factors needs such a design."""
        held = self.line.evidence
        if held is None:
            return
        is_experimental = held.design in _EXPERIMENTAL
        names = {"experiment": held.experiment, "metric": held.metric}
        named = all(one is not None or self.is_unknown("evidence", key) for key, one in names.items())
        if is_experimental and not named:
            found, expected = f"design {held.design} without experiment and metric", "the data it rests on"
            yield self.report("evidence", "design", code=codes.EVIDENCE, found=found, expected=expected)
        if not named and any(factor.effect is not None for factor in self.line.factors):
            found = f"an effect with design {held.design}"
            expected = "evidence with experiment and metric, which give the effect"
            yield self.report("evidence", "design", code=codes.EVIDENCE, found=found, expected=expected)

    def lines(self) -> Iterator[Problem]:
        """The products: of the line itself and of each deduction."""
        if self.line.factors:
            yield from self.product(self.line.factors, ("factors",))
            yield from self.hours_first()
        for index, deduction in enumerate(self.line.deductions):
            yield from self.product(deduction.factors, ("deductions", index, "factors"))

    def product(self, factors: Iterable[Factor], path: KeyPath) -> Iterator[Problem]:
        """Each factor is one thing with its own unit, and together they are money."""
        found: list[Problem] = []
        total: Dimension = dimension_of("ratio")
        for index, factor in enumerate(factors):
            found += self.factor(factor, (*path, index))
            total.update(in_hours(factor.unit))
        yield from found
        money = (dimension_of("USD"), dimension_of("USD/month"))
        kept = {name: power for name, power in total.items() if power}
        is_sure = self.positions.is_whole("benefits", self.name, *path) and all(
            one.code not in (codes.UNKNOWN_FACTOR, codes.NOT_MONEY) for one in found
        )
        if is_sure and kept not in [dict(one) for one in money]:
            units = " × ".join(factor.unit for factor in factors)
            expected = "USD, or USD/month"
            told = f"{units} = {dimension_words(total)}"
            yield self.report(*path, code=codes.NOT_MONEY, found=told, expected=expected)

    def factor(self, factor: Factor, path: KeyPath) -> Iterator[Problem]:
        """A factor is exactly one thing; that of a KPI exists and has the unit of its part."""
        named = [key for key in ("kpi", "assumption", "effect") if getattr(factor, key) is not None]
        if len(named) != 1:
            found = f"{' and '.join(named) or 'none'} of kpi, assumption and effect"
            yield self.report(*path, code=codes.FACTOR, found=found, expected="one of the three")
        elif factor.remainder and factor.unit != "ratio":
            found, expected = f"remainder of {factor.unit}", "unit: ratio, for only a share leaves a remainder"
            yield self.report(*path, "remainder", code=codes.FACTOR, found=found, expected=expected)
        elif factor.kpi is not None and factor.kpi not in self.away:
            yield from self.kpi(factor, factor.kpi, path)

    def kpi(self, factor: Factor, kpi_id: str, path: KeyPath) -> Iterator[Problem]:
        """The KPI is there, has the part, is told by use case where it must be, and has the unit declared."""
        metric = self.catalog.metrics.get(kpi_id)
        if metric is None or not metric.facts:
            found = f"KPI {quoted(kpi_id)}" + ("" if metric is None else ", which is a formula")
            known = [name for name, one in self.catalog.metrics.items() if one.facts]
            meant = near(kpi_id, known) if metric is None else None
            expected = one_of(known, otherwise="a KPI of this catalogue that is computed from rows")
            yield self.report(*path, "kpi", code=codes.UNKNOWN_FACTOR, found=found, expected=expected, meant=meant)
            return
        if not self.positions.is_whole("metrics", kpi_id):
            return
        is_for_several = (len(self.line.use_cases) > 1 or self.line.is_for_every) and not self.is_unknown("use_cases")
        if is_for_several and "use_case" not in metric.dimensions:
            found = f"{kpi_id}, which is not told by use case, in a line of {', '.join(self.line.use_cases)}"
            yield self.report(*path, "kpi", code=codes.NOT_BY_USE_CASE, found=found, expected="one use case")
        if factor.part != "value" and not isinstance(metric, Ratio | Snapshot | Derived):
            found, expected = f"the {factor.part} of a {metric.kind}", "part: value"
            yield self.report(*path, "part", code=codes.UNKNOWN_FACTOR, found=found, expected=expected)
        else:
            yield from self.kpi_unit(factor, metric, path)

    def kpi_unit(self, factor: Factor, metric: AnyMetric, path: KeyPath) -> Iterator[Problem]:
        """The unit declared is that of the part."""
        unit = metric.unit if factor.part == "value" else unit_of_part(metric, factor.part, self.facts)
        if unit is not None and dimension_of(unit) != dimension_of(factor.unit):
            found, expected = f"unit {quoted(factor.unit)}", f"{unit}, the unit of the {factor.part} of {factor.kpi}"
            yield self.report(*path, "unit", code=codes.NOT_MONEY, found=found, expected=expected)

    def hours_first(self) -> Iterator[Problem]:
        """Capacity is hours before it is money: what stands before the rate comes to hours."""
        rates = [index for index, factor in enumerate(self.line.factors) if factor.unit == "USD/h"]
        is_capacity = self.line.ledger == "capacity" or bool(rates)  # a cash line with such a rate was meant to be one
        if not is_capacity or not self.positions.is_whole("benefits", self.name, "factors"):
            return
        if rates != [len(self.line.factors) - 1]:
            found = f"{len(rates)} factors in USD/h" + (", not at the end" if len(rates) == 1 else "")
            expected = "hours first, then one rate in USD/h as the last factor"
            yield self.report("factors", code=codes.LEDGER, found=found, expected=expected)


def in_hours(unit: str) -> Dimension:
    """Powers of a unit with minutes and seconds taken for hours."""
    found = dimension_of(unit)
    for name in HOURS_ARE:
        if name in found:
            found["h"] += found.pop(name)
    return found


def _relations(name: str, line: Benefit, catalog: Catalog, positions: Positions, away: set[str]) -> Iterator[Problem]:
    """Lines that are named exist, are others, and are not named for both."""
    others = [one for one in [*catalog.benefits, *sorted(away)] if one != name]
    for key, named in (("excludes", line.excludes), ("disjoint", tuple(line.disjoint))):
        for index, other in enumerate(named):
            step = index if key == "excludes" else other
            where, found = positions.where("benefits", name, key, step), f"{quoted(other)} in {key}"
            if other not in others:
                expected = one_of(others, otherwise="another line of this catalogue")
                meant = near(other, others)
                yield problem(where, codes.UNKNOWN_LINE, found=found, expected=expected, meant=meant)
            elif key == "disjoint" and other in line.excludes:
                expected = "it in one of excludes and disjoint"
                yield problem(where, codes.UNKNOWN_LINE, found=f"{found} and in excludes", expected=expected)


def _claimed_twice(catalog: Catalog, positions: Positions) -> Iterator[Problem]:
    """Pairs of lines that would count one thing twice, as far as the catalogue alone tells."""
    known = {
        name: line
        for name, line in catalog.benefits.items()
        if all(positions.is_whole("benefits", name, key) for key in _DECIDES_CLAIMS)
    }
    for (first, one), (second, other) in combinations(known.items(), 2):
        why = _double(one, other, first, second)
        if why and one.may_meet(other):
            cases = one.shared_with(other) or ["every use case"]
            found = f"{first} and {second} {why} for {', '.join(cases)}"
            expected = "one of them there, or lines that are disjoint for a reason that is given"
            yield problem(positions.where("benefits", second), codes.CLAIMED_TWICE, found=found, expected=expected)


_DECIDES_CLAIMS = (
    "use_cases", "ledger", "claims", "factors", "since", "until", "excludes", "disjoint", "perception_of",
)  # fmt: skip
"""Keys that decide whether two lines would count one thing twice."""


def _double(one: Benefit, other: Benefit, first: str, second: str) -> str:
    """How two lines that may meet would count twice; empty when they do not, or when only data can tell."""
    excluding = second in one.excludes or first in other.excludes
    disjoint = second in one.disjoint or first in other.disjoint
    if "strategic" in (one.ledger, other.ledger) or one.perception_of or other.perception_of:
        return ""
    if excluding:
        return "exclude each other and both claim" if one.shared_with(other) else ""
    if _counts(one) & _counts(other):
        return "are called disjoint and both count the same number" if disjoint else "both count the same number"
    is_same = one.claims is not None and one.claims == other.claims
    return f"both claim {one.claims}" if is_same and not disjoint else ""


def _counts(line: Benefit) -> set[tuple[str, str]]:
    """The KPI that a line counts by: its first factor."""
    return {(factor.kpi, factor.part) for factor in line.factors[:1] if factor.kpi is not None}


def exclusions(benefits: Mapping[str, Benefit]) -> list[tuple[str, str]]:
    """Pairs of lines that exclude each other, each once, in catalogue order."""
    return [
        (first, second)
        for (first, one), (second, other) in combinations(benefits.items(), 2)
        if second in one.excludes or first in other.excludes
    ]
