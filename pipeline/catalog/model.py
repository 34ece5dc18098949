"""The typed records of the metric catalogue; every key of `metrics_catalog.yaml` is declared here and nowhere else."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError


def _exact(value: object) -> object:
    """A number as the decimal it was written as, without trailing zeros; anything but a number is refused."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise PydanticCustomError("number_type", "a number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise PydanticCustomError("finite_number", "a finite number")
    return Decimal(format(number.normalize(), "f"))


def _calendar_date(value: object) -> object:
    """A date written as YYYY-MM-DD; numbers and times are refused, which pydantic would take for seconds since 1970."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("calendar_date", "a date of the calendar, written as 2026-01-31")


Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[Decimal, BeforeValidator(_exact)]
Day = Annotated[date, BeforeValidator(_calendar_date)]
Cadence = Literal["daily", "weekly", "monthly", "quarterly"]
Unit = Literal["ratio", "USD/session", "s", "h", "points", "count", "USD"]


class _Strict(BaseModel):
    # defer_build: the validators are compiled when the first catalogue is read, not when the package is imported
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, defer_build=True)


class Target(_Strict):
    """A dated target: a value to reach (`at_least`) or to stay under (`at_most`), since when, and who says so."""

    at_least: Number | None = None
    at_most: Number | None = None
    since: Day
    source: Text

    @model_validator(mode="after")
    def _one_side(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            found = "neither" if self.at_least is None else "both"
            raise PydanticCustomError("target_sides", "{found}", {"found": found})
        return self


class Role(_Strict):
    """A reader of the reports: the question its page answers and the KPIs of others it watches."""

    title: Text
    layer: Literal["strategic", "design_governance", "build_operate", "enablement_adoption"]
    tier: Annotated[Whole, Field(ge=1, le=3)]
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
    people: Flag = False
    """True when n counts people: groups under five are suppressed."""
    min_n: Annotated[Whole, Field(ge=1)]
    matures_after_days: Annotated[Whole, Field(ge=0)] = 0
    """Days after the end of a period before its cohort is closed."""
    unknown: Text | None = None
    """Aggregate that counts what could not be measured; above zero the value is not available."""
    target: Target | None = None
    leaves_out: Text
    pitfall: Text
    references: tuple[Text, ...] = ()

    @property
    def grain(self) -> str:
        """The grain it is judged on."""
        return {"daily": "day", "weekly": "week", "monthly": "month"}[self.cadence]

    @property
    def headline_grain(self) -> str:
        """The grain it is headlined on: a month's worth, so that one odd day makes no headline."""
        return "month" if self.cadence == "monthly" else "28d"


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
    percentile: Annotated[float, Field(strict=True, gt=0, lt=1)]
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


AnyMetric = Ratio | Snapshot | Total | Percentile | SurvivalMedian | Difference
"""One KPI; an alias for annotations, `Metric` adds what pydantic needs to tell the kinds apart."""
Metric = Annotated[AnyMetric, Field(discriminator="kind")]
KINDS: dict[str, type[AnyMetric]] = {
    "ratio": Ratio,
    "snapshot": Snapshot,
    "total": Total,
    "percentile": Percentile,
    "survival_median": SurvivalMedian,
    "difference": Difference,
}


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
