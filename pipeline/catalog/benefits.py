"""Benefit lines: what is claimed, the factors that turn it into money, and what the claim rests on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipeline.catalog.records import Day, Flag, Identifier, Strict, Text

AssumptionId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}(\.[a-z0-9_]{1,63})?$")]
"""An assumption of the register; for one use case its figures may stand under `id.use_case`."""
FactorUnit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,30}(/[A-Za-z0-9_]{1,30})?$")]
EVERY = "every"
"""Stands for every use case of the portfolio."""


class Factor(Strict):
    """One number of a product: a KPI, an assumption, or the effect that the evidence of the line measures."""

    kpi: Identifier | None = None
    """A KPI of this catalogue, of the use case where it is told by use case, else in total."""
    part: Literal["value", "numerator", "denominator"] = "value"
    """Which number of the KPI."""
    assumption: AssumptionId | None = None
    """A row of the register of assumptions."""
    effect: Text | None = None
    """What the evidence of the line measures, in words; its estimate is the factor."""
    remainder: Flag = False
    """True for 1 - the number, of a share: what is left."""
    unit: FactorUnit
    """Unit of the number: contact, USD/contact, min/task, ratio, USD/month."""


class Deduction(Strict):
    """What must be taken off a benefit: minutes of review and rework, or a loss of quality, in money."""

    name: Text
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)]
    """Numbers that are multiplied to money."""


class Evidence(Strict):
    """What the effect of a line rests on; the grade follows from the data when it is computed."""

    design: Literal["randomised", "staggered", "did", "before_after", "self_report", "assumption"]
    """How the effect was found."""
    experiment: Text | None = None
    """The experiment or roll-out whose data are judged, by its id in the exports."""
    metric: Text | None = None
    """The outcome of the experiment that is compared."""
    better: Literal["more", "less"] = "more"
    """Whether more or less of the metric is the benefit; of `less`, a fall counts as a gain."""
    says: Text
    """The comparison in words."""


class Benefit(Strict):
    """A line of benefit: units × effect × value × attribution × realisation × (1 - risk) - deductions."""

    name: Text
    owner: Identifier
    """The role that answers for the claim."""
    use_cases: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """The use cases it belongs to, or `[every]`."""
    ledger: Literal["cash", "capacity", "strategic"]
    """Cash left or entered the books; capacity is hours first; strategic is told in words and never added."""
    claims: Literal["contact", "hour", "task", "seat", "spend", "revenue", "risk"] | None = None
    """What it counts; a thing is claimed once per use case and month."""
    factors: tuple[Factor, ...] = ()
    """Numbers that are multiplied, units first; together they are money, or money per month."""
    attribution: AssumptionId | None = None
    """Assumption: the share that is due to the programme."""
    realisation: AssumptionId | None = None
    """Assumption: the share that really reaches the books."""
    risk: AssumptionId | None = None
    """Assumption: the share lost to what may go wrong; the line is multiplied by 1 - risk."""
    deductions: tuple[Deduction, ...] = ()
    """What is taken off."""
    evidence: Evidence | None = None
    """What the effect rests on."""
    excludes: tuple[Identifier, ...] = ()
    """Lines that must not claim in a use case and month in which this one does."""
    disjoint: dict[Identifier, Text] = Field(default_factory=dict)
    """Lines that claim the same sort of thing but never the same one, and why that cannot happen."""
    perception_of: Identifier | None = None
    """A capacity line beside which this one is shown: what people say, which is never added to what is measured."""
    since: Day | None = None
    """First day on which it is claimed."""
    until: Day | None = None
    """First day on which it is no longer claimed."""
    says: Text | None = None
    """A strategic benefit in words."""

    @property
    def kpi_parts(self) -> frozenset[tuple[str, str]]:
        """(KPI, which number of it) of every factor, those of deductions among them."""
        every = (*self.factors, *(factor for one in self.deductions for factor in one.factors))
        return frozenset((factor.kpi, factor.part) for factor in every if factor.kpi is not None)

    def may_meet(self, other: Benefit) -> bool:
        """Return whether both could claim in one use case on one day."""
        apart = (self.until is not None and other.since is not None and self.until <= other.since) or (
            other.until is not None and self.since is not None and other.until <= self.since
        )
        return not apart and (self.is_for_every or other.is_for_every or bool(self.shared_with(other)))

    def shared_with(self, other: Benefit) -> list[str]:
        """Use cases that both name."""
        return [name for name in self.use_cases if name in other.use_cases]

    @property
    def is_for_every(self) -> bool:
        """Return whether it is for every use case, so that only data tell for which it claims."""
        return EVERY in self.use_cases

    @property
    def shares(self) -> dict[str, str]:
        """The shares a line is multiplied by, in order: what for -> assumption."""
        named = {"attribution": self.attribution, "realisation": self.realisation, "risk": self.risk}
        return {what: one for what, one in named.items() if one is not None}
