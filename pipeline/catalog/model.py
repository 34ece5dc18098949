"""The typed records of the metric catalogue; every key of `metrics_catalog.yaml` is declared here or in benefits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, StringConstraints

from pipeline.catalog.benefits import Benefit
from pipeline.catalog.records import (
    AnyColumn,
    ExactColumn,
    Flag,
    Identifier,
    NumberColumn,
    Strict,
    Text,
    TextColumn,
    TimeColumn,
    Unit,
    Whole,
)
from pipeline.catalog.target import Target, in_force
from pipeline.catalog.worked import Example

Cadence = Literal["daily", "weekly", "monthly", "quarterly"]
InputUnit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,30}(/[A-Za-z0-9_]{1,30})?$")]
"""Unit of what goes into a formula: `USD`, `h`, `USD/month`, ..."""


class Role(Strict):
    """A reader of the reports: the question its page answers and the KPIs of others it watches."""

    title: Text
    layer: Literal["strategic", "design_governance", "build_operate", "enablement_adoption"]
    tier: Annotated[Whole, Field(ge=1, le=3)]
    question: Text
    subscribes: tuple[Identifier, ...] = ()


class _Metric(Strict):
    """What every KPI says, whatever its kind."""

    name: Text
    owner: Identifier
    question: Text
    unit: Unit
    direction: Literal["up", "down"]
    cadence: Cadence
    target: Target | None = None
    earlier_targets: tuple[Target, ...] = ()
    """Those that held before it, the oldest first: a period is judged by the target that holds on its last day."""
    aim: Text | None = None
    """Where it should go when that is no fixed number, and who says so."""
    leaves_out: Text
    pitfall: Text
    references: tuple[Text, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def grain(self) -> str:
        """The grain it is judged on."""
        return {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}[self.cadence]

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target there is, the oldest first."""
        return self.earlier_targets if self.target is None else (*self.earlier_targets, self.target)

    def judged_by(self, targets: Sequence[Target]) -> Self:
        """The same KPI with other targets, the oldest first."""
        return self.model_copy(
            update={"target": targets[-1] if targets else None, "earlier_targets": tuple(targets[:-1])}
        )

    def target_on(self, day: date) -> Target | None:
        """The target that holds on a day; None before the first."""
        return in_force(self.targets, day)

    @property
    def headline_grain(self) -> str:
        """The grain it is headlined on: a month's worth, so that one odd day makes no headline."""
        return self.grain if self.cadence in ("monthly", "quarterly") else "28d"


class _Measured(_Metric):
    """What every KPI says that is computed from the rows of facts."""

    fact: Identifier
    dimensions: tuple[Identifier, ...] = ()
    people: Flag = False
    """True when n counts people, as it must of rows that are people or their answers: groups under five are suppressed.

    They are suppressed of facts that tell what people did, too.
    """
    min_n: Annotated[Whole, Field(ge=1)]
    matures_after_days: Annotated[Whole, Field(ge=0)] = 0
    """Days after the end of a period before its cohort is closed."""
    cumulative: ClassVar[bool] = False
    headline: Literal["value", "upper_bound"] = "value"
    """`upper_bound` when none seen is no proof that there is none: pages lead with the upper end of the interval."""

    @property
    def fact_keys(self) -> dict[str, str]:
        """Key -> fact it names, the main one first."""
        return {"fact": self.fact}

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts it reads, the main one first."""
        return tuple(self.fact_keys.values())

    @property
    def counted_facts(self) -> tuple[str, ...]:
        """Those of them whose days and slices are those of the KPI."""
        return self.facts


class _Summed(_Measured):
    """What is added up over days, and so cannot be told when some of it could not be measured."""

    unknown: Text | None = None
    """Aggregate that counts what could not be measured; above zero the value is not available."""


class _Told(_Measured):
    """What rows of no value are left out of, or have no place in."""

    unknown: ClassVar[str | None] = None


class Ratio(_Summed):
    """Numerator over denominator, recomputed from sums or distinct counts in every period."""

    kind: Literal["ratio"]
    numerator: Text
    denominator: Text
    per: Annotated[Whole, Field(ge=1)] = 1
    """1000 for a rate per thousand."""
    interval: Literal["exact", "wilson", "clustered", "clopper_pearson", "poisson"]
    cluster: AnyColumn | None = None
    worst_of: TextColumn | None = None
    """A dimension whose worst value is the overall one; values of different tests are never pooled."""


class Snapshot(_Summed):
    """A ratio on the last day of the period that has data."""

    kind: Literal["snapshot"]
    numerator: Text
    denominator: Text
    interval: Literal["exact", "wilson"]


class Total(_Summed):
    """A sum over the period."""

    kind: Literal["total"]
    total: Text
    interval: Literal["exact", "clustered", "poisson"]
    cluster: AnyColumn | None = None


class Mean(_Told):
    """The mean of a column over the rows that have a value."""

    kind: Literal["mean"]
    value: ExactColumn
    interval: Literal["clustered"]
    cluster: AnyColumn


class Median(_Told):
    """The exact median of a column over the rows that have a value."""

    kind: Literal["median"]
    value: ExactColumn
    interval: Literal["order_statistics"]


class Percentile(_Told):
    """A quantile of a column, from histograms with 1 % relative error."""

    kind: Literal["percentile"]
    value: NumberColumn
    percentile: Annotated[float, Field(strict=True, gt=0, lt=1)]
    interval: Literal["order_statistics"]


class SurvivalMedian(_Told):
    """Kaplan-Meier median of end - start, open ones censored."""

    kind: Literal["survival_median"]
    start: TimeColumn
    end: TimeColumn
    interval: Literal["greenwood"]


class Difference(_Told):
    """Share of `value` in the treated arm minus the control arm, in percentage points.

    Values are 1 and 0, or for a net promoter score 1, 0 and -1 with `interval: multinomial`.
    """

    kind: Literal["difference"]
    value: ExactColumn
    arm: TextColumn
    treated: Text
    control: Text
    first_per: AnyColumn
    interval: Literal["newcombe", "multinomial"]


class PairedDifference(_Told):
    """Share of rows with `first` minus share of the same rows with `second`, in percentage points; both are 1 or 0."""

    kind: Literal["paired_difference"]
    first: ExactColumn
    second: ExactColumn
    interval: Literal["newcombe_paired"]


class Uplift(_Told):
    """Relative difference of the mean of `value` between the arms of a randomised experiment, by unit exposed.

    Each row is a unit; `share` is the share of units that was to be treated. When the arms are too uneven for that
    share to be true, nothing is said (sample-ratio mismatch). Experiments are never pooled.
    """

    kind: Literal["uplift"]
    experiment: TextColumn
    value: ExactColumn
    arm: TextColumn
    treated: Text
    control: Text
    share: NumberColumn
    interval: Literal["delta"]


class Recurrence(_Told):
    """Share of the members seen in the period that were seen with at least so many different values of `per`.

    `per: week` counts the period in steps of seven days from its first day; then only periods of four weeks or more
    have a value.
    """

    kind: Literal["recurrence"]
    member: AnyColumn
    where: Text | None = None
    """Condition on rows that count as seen."""
    per: AnyColumn
    at_least: Annotated[Whole, Field(ge=2)]
    interval: Literal["exact", "wilson"]


class Peak(_Told):
    """The most rows that fell into one minute."""

    kind: Literal["peak"]
    at: TimeColumn
    where: Text | None = None
    """Condition on rows that count; all rows show that somebody looked."""
    interval: Literal["exact"]


class Episodes(_Told):
    """Bursts of rows: one begins when nothing was seen for more than `gap_minutes`."""

    kind: Literal["episodes"]
    at: TimeColumn
    gap_minutes: Annotated[Whole, Field(ge=1)]
    where: Text | None = None
    """Condition on rows that count; all rows show that somebody looked."""
    along: TextColumn | None = None
    """Bursts are told apart by it, and added up."""
    interval: Literal["poisson"]


class Ranking(_Told):
    """Mean over judged queries of a measure of ranked lists, through ir_measures; each row is a document of a query.

    Grades are whole numbers. A query with another grade, or with two of one document, is left out and counted.
    """

    kind: Literal["ranking"]
    measure: Annotated[str, StringConstraints(pattern=r"^(nDCG|P|R|RR|AP|Judged|Success)(@[1-9][0-9]{0,3})?$")]
    query: AnyColumn
    document: AnyColumn
    score: NumberColumn
    grade: ExactColumn
    interval: Literal["clustered"]


class Derived(_Summed):
    """A measure of one fact over a measure of another, each summed by itself so that no join multiplies rows."""

    kind: Literal["derived"]
    numerator: Text
    over: Identifier
    """The fact of the denominator."""
    denominator: Text
    interval: Literal["fieller"]

    @property
    def fact_keys(self) -> dict[str, str]:
        """The facts of numerator and denominator."""
        return {"fact": self.fact, "over": self.over}


class Judged(_Summed):
    """A share as judges tell it, corrected by items that people labelled as well."""

    kind: Literal["judged"]
    numerator: Text
    denominator: Text
    judge: TextColumn
    """Who judged; where it is empty a person did, and the row stands as it is."""
    labels: Identifier
    """The fact of items that a person and a judge both labelled: who judged in the column of that name, and is_good and
    is_passed, 1 where the person, or the judge, says so."""
    interval: Literal["judge_corrected"]

    @property
    def fact_keys(self) -> dict[str, str]:
        """The fact of the judged rows, then that of the labels."""
        return {"fact": self.fact, "labels": self.labels}

    @property
    def counted_facts(self) -> tuple[str, ...]:
        """Labels hold for all days and slices after them."""
        return (self.fact,)


class Formula(_Metric):
    """Arithmetic over inputs that another part of the pipeline works out; see `awaits`."""

    kind: Literal["formula"]
    inputs: dict[Identifier, InputUnit]
    """Name -> unit of what goes in."""
    formula: Text
    awaits: Text
    """What must be there before the inputs are known."""
    interval: Literal["simulation", "exact"]
    cumulative: Flag = False
    """True when each value counts everything since the first month of the window, not its own month alone. Pages then
    say since when, and judge no change by the usual range: such values repeat each other."""

    fact: ClassVar[str] = ""
    facts: ClassVar[tuple[str, ...]] = ()
    counted_facts: ClassVar[tuple[str, ...]] = ()
    dimensions: ClassVar[tuple[str, ...]] = ()
    people: ClassVar[bool] = False
    min_n: ClassVar[int] = 1
    matures_after_days: ClassVar[int] = 0
    unknown: ClassVar[str | None] = None
    headline: ClassVar[str] = "value"


AnyMetric = (
    Ratio | Snapshot | Total | Mean | Median | Percentile | SurvivalMedian | Difference | PairedDifference | Uplift
    | Recurrence | Peak | Episodes | Ranking | Derived | Judged | Formula
)  # fmt: skip
"""One KPI; an alias for annotations, `Metric` adds what pydantic needs to tell the kinds apart."""
Metric = Annotated[AnyMetric, Field(discriminator="kind")]
KINDS: dict[str, type[AnyMetric]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(AnyMetric)
}


PAGED_TIER = 2
"""Roles up to this tier have a page of their own."""


class Catalog(Strict):
    """The whole catalogue: roles, the KPIs they own, and the lines of benefit that KPIs are turned into money by."""

    version: Literal[1]
    fiscal_year_begins: int = Field(default=1, ge=1, le=12)
    roles: dict[Identifier, Role]
    metrics: dict[Identifier, Metric]
    benefits: dict[Identifier, Benefit] = Field(default_factory=dict)

    def owned_by(self, role_id: str) -> list[str]:
        """KPI ids the role is accountable for, in catalogue order."""
        return [kpi_id for kpi_id, metric in self.metrics.items() if metric.owner == role_id]

    def reported_roles(self) -> list[str]:
        """Roles that get a page: those of tiers 1 and 2."""
        return [role_id for role_id, role in self.roles.items() if role.tier <= PAGED_TIER]
