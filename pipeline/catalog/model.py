"""The typed records of the metric catalogue; every key of `metrics_catalog.yaml` is declared here and nowhere else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Text = Annotated[str, Field(min_length=1, max_length=400)]
Cadence = Literal["daily", "weekly", "monthly", "quarterly"]
Unit = Literal["ratio", "USD/session", "s", "h", "points", "count"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Target(_Strict):
    """A dated target: a value to reach (`at_least`) or to stay under (`at_most`), since when, and who says so."""

    at_least: Decimal | None = None
    at_most: Decimal | None = None
    since: date
    source: Text

    @model_validator(mode="after")
    def _one_side(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a target says either at_least or at_most")
        return self


class Role(_Strict):
    """A reader of the reports: the question its page answers and the KPIs of others it watches."""

    title: Text
    layer: Literal["strategic", "design_governance", "build_operate", "enablement_adoption"]
    tier: Annotated[int, Field(ge=1, le=3)]
    question: Text
    subscribes: tuple[Identifier, ...] = ()


class _Metric(_Strict):
    """What every KPI says, whatever its kind."""

    name: Text
    owner: Identifier
    question: Text
    fact: Identifier
    unit: Unit
    direction: Literal["up", "down"]
    cadence: Cadence
    dimensions: tuple[Identifier, ...] = ()
    people: bool = False
    """True when n counts people: groups under five are suppressed."""
    min_n: Annotated[int, Field(ge=1)]
    matures_after_days: Annotated[int, Field(ge=0)] = 0
    """Days after the end of a period before its cohort is closed."""
    unknown: Text | None = None
    """Aggregate that counts what could not be measured; above zero the value is not available."""
    target: Target | None = None
    leaves_out: Text
    pitfall: Text
    references: tuple[Text, ...] = ()


class Ratio(_Metric):
    """Numerator over denominator, recomputed from sums or distinct counts in every period."""

    kind: Literal["ratio"]
    numerator: Text
    denominator: Text
    interval: Literal["exact", "wilson", "clustered"]
    cluster: Identifier | None = None


class Snapshot(_Metric):
    """A ratio on the last day of the period that has data."""

    kind: Literal["snapshot"]
    numerator: Text
    denominator: Text
    interval: Literal["exact", "wilson"]


class Total(_Metric):
    """A sum over the period."""

    kind: Literal["total"]
    total: Text
    interval: Literal["exact", "clustered"]
    cluster: Identifier | None = None


class Percentile(_Metric):
    """A quantile of a column, from histograms with 1 % relative error."""

    kind: Literal["percentile"]
    value: Identifier
    percentile: Annotated[float, Field(gt=0, lt=1)]
    interval: Literal["order_statistics"]


class SurvivalMedian(_Metric):
    """Kaplan-Meier median of end - start, open ones censored."""

    kind: Literal["survival_median"]
    start: Identifier
    end: Identifier
    interval: Literal["greenwood"]


class Difference(_Metric):
    """Share of `value` in the treated arm minus the control arm, in percentage points."""

    kind: Literal["difference"]
    value: Identifier
    arm: Identifier
    treated: Text
    control: Text
    first_per: Identifier
    interval: Literal["newcombe"]


Metric = Annotated[
    Ratio | Snapshot | Total | Percentile | SurvivalMedian | Difference, Field(discriminator="kind")
]


class Catalog(_Strict):
    """The whole catalogue: roles and the KPIs they own."""

    version: Literal[1]
    roles: dict[Identifier, Role]
    metrics: dict[Identifier, Metric]

    def owned_by(self, role_id: str) -> list[str]:
        """KPI ids the role is accountable for, in catalogue order."""
        return [kpi_id for kpi_id, metric in self.metrics.items() if metric.owner == role_id]

    def reported_roles(self) -> list[str]:
        """Roles that get a page: those of tier 1."""
        return [role_id for role_id, role in self.roles.items() if role.tier == 1]
