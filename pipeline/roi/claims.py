"""One line of benefit in one use case and month: its terms, their product to the cent, and how strongly it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import cached_property

from pipeline.catalog.benefit_checks import HOURS_ARE
from pipeline.catalog.benefits import Benefit, Factor
from pipeline.catalog.units import dimension_of
from pipeline.roi import records as r
from pipeline.roi.evidence import Evidence, evidence_of
from pipeline.roi.finance import CENT, DIGITS
from pipeline.roi.inputs import Inputs, KpiNumber, next_month
from pipeline.roi.records import Claim, Taken, Term
from pipeline.roi.register import Found, Register

_SHOWN = Decimal("0.000001")
"""Numbers of KPIs are rounded to this before they are multiplied, so that what is printed is what was used."""


def cents(amount: Decimal) -> Decimal:
    """An amount to the cent, half away from zero.

    >>> cents(Decimal("0.125")), cents(Decimal("-0.125"))
    (Decimal('0.13'), Decimal('-0.13'))
    """
    with localcontext(prec=DIGITS):
        return amount.quantize(CENT, ROUND_HALF_UP)


def micros(number: Decimal) -> Decimal:
    """A number to six decimals, half away from zero."""
    with localcontext(prec=DIGITS):
        return number.quantize(_SHOWN, ROUND_HALF_UP)


@dataclass(frozen=True)
class Book:
    """The inputs of an evaluation, found quickly."""

    inputs: Inputs

    @cached_property
    def register(self) -> Register:
        """The register of assumptions as it stands on the last day with data."""
        return Register(self.inputs.assumptions, self.inputs.as_of)

    @cached_property
    def _numbers(self) -> Mapping[tuple[str, str, str, date], KpiNumber]:
        return {(one.kpi_id, one.part, one.use_case, one.month): one for one in self.inputs.kpis}

    def number(self, kpi_id: str, part: str, use_case: str, month: date) -> KpiNumber | None:
        """A number of a KPI in a month: of the use case, or in total when `use_case` is empty."""
        return self._numbers.get((kpi_id, part, use_case, month))

    def unit_of(self, use_case: str, month: date) -> str:
        """The business unit of a use case at the end of a month; empty when the portfolio does not say."""
        held = [one for one in self.inputs.portfolio if one.use_case == use_case and one.since < next_month(month)]
        return max(held, key=lambda one: one.since).business_unit if held else r.SHARED

    @cached_property
    def use_cases(self) -> tuple[str, ...]:
        """Use cases that the portfolio knows."""
        return tuple(sorted({one.use_case for one in self.inputs.portfolio}))


@dataclass(frozen=True)
class Maker:
    """Makes the claims of one line; `by_use_case` names the KPIs that are told by use case."""

    name: str
    line: Benefit
    book: Book
    by_use_case: frozenset[str]

    def claim(self, use_case: str, month: date) -> Claim:
        """The claim of a use case and month; not yet held against other lines and against the bill."""
        factors = [self.term(factor, use_case, month) for factor in self.line.factors]
        terms = (*factors, *_conversions(self.line.factors), *self.shares(use_case, month))
        taken = tuple(
            _taken(one.name, (*(self.term(part, use_case, month) for part in one.factors), *_conversions(one.factors)))
            for one in self.line.deductions
        )
        gross, losses = product(terms), [one.amount for one in taken]
        known = None if gross is None or None in losses else gross - sum((x for x in losses if x), Decimal(0))
        evidence = evidence_of(self.line, self.book.inputs.effects)
        status, reason = _status(self.line, [*terms, *(term for one in taken for term in one.terms)], known, evidence)
        return Claim(
            line=self.name,
            use_case=use_case,
            business_unit=self.book.unit_of(use_case, month),
            month=month,
            ledger=self.line.ledger,
            terms=terms,
            gross=gross,
            deductions=taken,
            amount=known,
            hours=self.hours(factors),
            grade=evidence.grade,
            status=status,
            reason=reason,
            realisation=self.line.realisation or "",
            is_perception=self.line.perception_of is not None,
        )

    def hours(self, factors: list[Term]) -> Decimal | None:
        """Hours of a capacity line: the product of what stands before its rate."""
        if self.line.ledger != "capacity":
            return None
        return multiplied((*factors[:-1], *_conversions(self.line.factors)))

    def term(self, factor: Factor, use_case: str, month: date) -> Term:
        """One factor with its number."""
        if factor.kpi is not None:
            return self.kpi_term(factor, factor.kpi, use_case, month)
        if factor.assumption is not None:
            is_default = factor.assumption == self.line.realisation and self.line.ledger == "capacity"
            default = "realisation" if is_default else ""
            found = self.book.register.find(factor.assumption, use_case=use_case, month=month, default=default)
            return assumption_term(factor.assumption, found, unit=factor.unit, is_remainder=factor.remainder)
        return effect_term(factor, evidence_of(self.line, self.book.inputs.effects))

    def kpi_term(self, factor: Factor, kpi_id: str, use_case: str, month: date) -> Term:
        """The number of a KPI: a count or a total as it is, a share or mean only when n suffices to judge it."""
        case = use_case if kpi_id in self.by_use_case else r.SHARED
        name, at = f"{kpi_id}.{factor.part}", f"{month:%Y-%m}" + (f", use_case={case}" if case else "")
        found = self.book.number(kpi_id, factor.part, case, month)
        if found is None or found.value is None:
            reason = f"{kpi_id} {at}: {found.reason if found else 'no data in this period'}"
            return Term(
                name, "kpi", factor.unit, None, source=f"{kpi_id} {at}", reason=reason, may_count=False,
                is_remainder=factor.remainder,
            )  # fmt: skip
        low, high = _around(found)
        is_young = found.status == "immature"
        return Term(
            name, "kpi", factor.unit, exactly(found.value), low, high,
            draws_as="interval" if low != high else "", key=f"{name} {at}", source=f"{kpi_id} {at}",
            standing=found.status, reason=f"{kpi_id} {at}: {found.reason}" if is_young else "", may_count=not is_young,
            is_remainder=factor.remainder,
        )  # fmt: skip

    def shares(self, use_case: str, month: date) -> tuple[Term, ...]:
        """Attribution, realisation and what risk leaves, in this order."""
        found = []
        for what, name in self.line.shares.items():
            default = what if what == "realisation" and self.line.ledger == "capacity" else ""
            held = self.book.register.find(name, use_case=use_case, month=month, default=default)
            found.append(assumption_term(name, held, unit="ratio", is_remainder=what == "risk"))
        return tuple(found)


def exactly(value: Decimal) -> Decimal:
    """A number as it is shown and used: at most six decimals, without zeros behind."""
    shown = value.quantize(_SHOWN).normalize()
    return shown.quantize(Decimal(1)) if shown == shown.to_integral_value() else shown


def _around(found: KpiNumber) -> tuple[Decimal | None, Decimal | None]:
    """The interval of a number, open ends closed at the value."""
    if found.value is None:
        return None, None
    low = found.value if found.low is None else min(found.low, found.value)
    high = found.value if found.high is None else max(found.high, found.value)
    return low, high


def assumption_term(name: str, found: Found, *, unit: str, is_remainder: bool = False) -> Term:
    """A number of the register; one in another unit than the line needs is none."""
    row = found.row
    if row is None:
        none = Term(name, "assumption", unit, None, standing=found.standing, reason=found.reason, may_count=False)
        return replace(none, is_remainder=is_remainder)
    if dimension_of(row.unit) != dimension_of(unit):
        reason = f"{row.assumption_id} is in {row.unit}, and {unit} is needed"
        other = Term(name, "assumption", unit, None, standing="wrong unit", reason=reason, may_count=False)
        return replace(other, is_remainder=is_remainder)
    source = f"{row.source} ({row.place})" if row.place else row.source
    return Term(
        name, "assumption", unit, row.base, row.low, row.high,
        draws_as="" if row.low == row.high else row.distribution or "pert",
        key=found.label, source=source,
        standing=found.standing, reason=found.reason, may_count=found.may_count, is_remainder=is_remainder,
    )  # fmt: skip


def effect_term(factor: Factor, evidence: Evidence) -> Term:
    """The effect that the data of the line show."""
    held, name = evidence.measured, f"effect: {factor.effect}"
    if held is None or held.estimate is None:
        return Term(name, "effect", factor.unit, None, reason=evidence.reason or "no data", may_count=False)
    source = f"{held.experiment}, {held.metric}: {held.method}, n = {held.n}"
    return Term(
        name, "effect", factor.unit, held.estimate, held.low, held.high,
        draws_as="interval" if held.low is not None and held.high is not None else "",
        key=f"{held.experiment} {held.metric}", source=source, reason=held.problem,
    )  # fmt: skip


def _conversions(factors: Iterable[Factor]) -> tuple[Term, ...]:
    """Minutes and seconds are turned into hours by a divisor of their own, which is shown."""
    found = []
    for unit, per_hour in HOURS_ARE.items():
        power = sum(dimension_of(factor.unit)[unit] for factor in factors)
        found += [Term(f"{unit} per h", "conversion", f"{unit}/h", Decimal(per_hour))] * abs(power)
    return tuple(found)


def multiplied(terms: Iterable[Term]) -> Decimal | None:
    """The product of terms, unrounded; conversions divide. None when one is unknown."""
    total = Decimal(1)
    with localcontext(prec=DIGITS):
        for term in sorted(terms, key=lambda term: term.kind == "conversion"):
            if term.factor is None:
                return None
            total = total / term.factor if term.kind == "conversion" else total * term.factor
    return total


def product(terms: Iterable[Term]) -> Decimal | None:
    """The product of terms to the cent; None when one is unknown."""
    found = multiplied(terms)
    return None if found is None else cents(found)


def scaled(claim: Claim) -> tuple[Taken, ...]:
    """The deductions that grow with the realisation, because it is a factor of them as well."""
    return tuple(one for one in claim.deductions if any(term.name == claim.realisation for term in one.terms))


def freed(claim: Claim, *, in_full: bool) -> Decimal | None:
    """What of a capacity claim is proportional to the realisation, now or at a realisation of 1; None when unknown."""
    parts = [claim.terms, *(one.terms for one in scaled(claim))]
    kept = [tuple(term for term in part if not (in_full and term.name == claim.realisation)) for part in parts]
    amounts = [product(terms) for terms in kept]
    known = [amount for amount in amounts if amount is not None]
    return known[0] - sum(known[1:], Decimal(0)) if len(known) == len(amounts) else None


def _taken(name: str, terms: tuple[Term, ...]) -> Taken:
    return Taken(name, terms, product(terms))


def _status(line: Benefit, terms: list[Term], amount: Decimal | None, evidence: Evidence) -> tuple[str, str]:
    """How a claim may count by itself, and why."""
    unknown = [term.reason for term in terms if term.value is None]
    if amount is None:
        return r.UNAVAILABLE, "; ".join(dict.fromkeys(unknown))
    if evidence.status == r.NO_EFFECT:
        return r.NO_EFFECT, evidence.reason
    doubtful = [term for term in terms if not term.may_count]
    out = [term.reason for term in doubtful if term.kind != "kpi"]
    if out:
        return r.KEPT_OUT, "; ".join(dict.fromkeys(out))
    if doubtful:
        return r.PROVISIONAL, "; ".join(dict.fromkeys(term.reason for term in doubtful))
    if line.perception_of is not None:
        return r.STATED, f"what people say about {line.perception_of}"
    return evidence.status, evidence.reason
