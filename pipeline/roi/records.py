"""The result of an evaluation: one tree of plain frozen records that JSON, the command line and pages read.

Money is Decimal in USD, rounded to the cent where it is added up, so that every total is the sum of the parts shown.
None is unknown, and a reason stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from pipeline.roi.drawn import Simulated
from pipeline.roi.grades import GradeShare

COUNTED, HALVED, STATED = "counted", "counted in part", "stated, not measured"
KEPT_OUT, BLOCKED, REFUSED = "kept out", "blocked", "refused"
NO_EFFECT, PROVISIONAL, UNAVAILABLE = "no effect shown", "provisional", "not available"
IN_HEADLINE = (COUNTED, HALVED)
SHARED = ""
"""Use case and business unit of what belongs to the programme as a whole."""
NOTHING_KNOWN = "unknown"
"""Category of the costs of a month where nobody tells any; such an item has no place."""


@dataclass(frozen=True)
class Term:
    """One number of a product, with its range; what is shown is what was multiplied."""

    name: str
    kind: str
    """kpi, assumption, effect or conversion."""
    unit: str
    value: Decimal | None
    low: Decimal | None = None
    high: Decimal | None = None
    draws_as: str = ""
    """How a simulation spreads it: interval, pert, triangular; empty for a constant."""
    key: str = ""
    """Name of the input in the simulation; equal keys are one input."""
    source: str = ""
    standing: str = ""
    reason: str = ""
    may_count: bool = True
    is_remainder: bool = False
    """The product takes 1 - value: a risk."""

    @property
    def factor(self) -> Decimal | None:
        """What is multiplied."""
        return 1 - self.value if self.is_remainder and self.value is not None else self.value


@dataclass(frozen=True)
class Taken:
    """A deduction worked out."""

    name: str
    terms: tuple[Term, ...]
    amount: Decimal | None


@dataclass(frozen=True)
class Claim:
    """One line of benefit in one use case and month: gross - deductions = amount; amount × weight = counted."""

    line: str
    use_case: str
    business_unit: str
    month: date
    ledger: str
    terms: tuple[Term, ...]
    gross: Decimal | None
    deductions: tuple[Taken, ...]
    amount: Decimal | None
    hours: Decimal | None
    """Hours of a capacity line before they become money."""
    grade: str
    status: str
    reason: str
    weight: Decimal = Decimal(0)
    counted: Decimal = Decimal("0.00")
    discount: Decimal | None = None
    present: Decimal | None = None
    realisation: str = ""
    """Name of the factor that says which share of what is freed becomes money; also of those of deductions."""
    is_perception: bool = False
    """What people say about another line, shown beside it and never added."""

    @property
    def is_in_headline(self) -> bool:
        """Return whether it is part of the headline."""
        return self.status in IN_HEADLINE

    @property
    def is_claim(self) -> bool:
        """Return whether it claims something of its own; a pair that was refused claims nothing."""
        return not self.is_perception and self.status != REFUSED


@dataclass(frozen=True)
class CostItem:
    """A cost of one month in USD to the cent; None where it cannot be told, which no total survives."""

    month: date
    use_case: str
    business_unit: str
    category: str
    amount: Decimal | None
    how: str
    place: str
    reason: str = ""
    discount: Decimal | None = None
    present: Decimal | None = None

    def is_of(self, dimension: str, name: str) -> bool:
        """Whether it is of one use case or business unit; costs of which nothing is known may be anybody's."""
        return getattr(self, dimension) == name or (self.category == NOTHING_KNOWN and not self.place)


@dataclass(frozen=True)
class Spread:
    """P10, P50 and P90 of a simulated result, and the share of draws above zero."""

    p10: Decimal | None
    p50: Decimal | None
    p90: Decimal | None
    chance: Decimal | None


@dataclass(frozen=True)
class Month:
    """One month of a scope: counted benefits, costs and the running total of their difference."""

    month: date
    benefits: Decimal
    costs: Decimal | None
    net: Decimal | None
    running: Decimal | None


@dataclass(frozen=True)
class FiscalYear:
    """The months of one fiscal year that have data: counted benefits, costs and their difference, not discounted."""

    name: str
    """The calendar year in which it ends."""
    first: date
    last: date
    months: int
    benefits: Decimal | None
    costs: Decimal | None
    net: Decimal | None


@dataclass(frozen=True)
class Budgeted:
    """What was approved for a scope against what the same months cost; a variance above 0 is overspent."""

    months: int
    """Months with an approved budget."""
    approved: Decimal | None
    actual: Decimal | None
    variance: Decimal | None
    beyond: Decimal | None
    """Costs of months without an approved budget, or of nobody's."""
    reason: str = ""
    first: date | None = None
    last: date | None = None
    """The first and the last month with an approved budget."""


@dataclass(frozen=True)
class Worth:
    """What a scope is worth: the programme, a use case, a business unit."""

    scope: str
    name: str
    status: str
    """computed, insufficient evidence or not available."""
    reason: str
    cash: Decimal
    capacity: Decimal
    stated: Decimal
    """Claims outside of the headline: grades D and E, what was kept out or blocked, and what is felt."""
    costs: Decimal | None
    pv_benefits: Decimal | None
    pv_costs: Decimal | None
    net: Decimal | None
    roi: Decimal | None
    irr: Decimal | None
    irr_reason: str
    payback: int | None
    """The month, counted from 1, in which the running total reaches zero."""
    payback_reason: str
    break_even: Decimal | None
    break_even_reason: str
    outcomes: Decimal | None
    cost_per_outcome: Decimal | None
    spread: Spread | None
    months: tuple[Month, ...] = ()
    brief: Brief | None = None
    """What a decision about a use case rests on; other scopes have none."""
    years: tuple[FiscalYear, ...] = ()
    budget: Budgeted | None = None
    """Business units have none."""
    felt: Decimal = Decimal("0.00")
    """The part of `stated` that people say about another line, and that is never added to it."""

    @property
    def part(self) -> Decimal | None:
        """Its part of the programme's net benefit: what counts less the costs, or the costs alone."""
        return None if self.pv_costs is None else (self.pv_benefits or Decimal("0.00")) - self.pv_costs

    @property
    def is_costs_only(self) -> bool:
        """Return whether its part is costs alone."""
        return self.net is None and self.pv_costs is not None


@dataclass(frozen=True)
class Standing:
    """One assumption as the evaluation used it."""

    assumption_id: str
    use_case: str
    unit: str
    low: Decimal | None
    base: Decimal | None
    high: Decimal | None
    grade: str
    source: str
    owner: str
    approved_by: str
    approved_at: date | None
    valid_from: date | None
    valid_to: date | None
    standing: str
    reason: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class LineSummary:
    """One line over all its use cases and months."""

    line: str
    name: str
    owner: str
    ledger: str
    grade: str
    status: str
    reason: str
    claimed: Decimal | None
    counted: Decimal
    present: Decimal | None
    hours: Decimal | None
    definition_hash: str
    says: str


@dataclass(frozen=True)
class Swing:
    """Net benefit when one input moves from its P10 to its P90 and all others stay."""

    name: str
    at_p10: Decimal
    at_p90: Decimal


@dataclass(frozen=True)
class Turn:
    """One input of a use case, and where within its range its net benefit is zero while all others stay."""

    name: str
    low: Decimal
    base: Decimal
    high: Decimal
    at: Decimal | None


@dataclass(frozen=True)
class Decision:
    """What should be done, the rule that says so, and the figures that met it."""

    word: str
    """scale, fix, stop or not enough evidence."""
    rule: str
    because: str
    says: str = ""
    """The same with a place ({}) for each figure, for those who print numbers in another way."""
    figures: tuple[tuple[Decimal, str], ...] = ()
    """The figures in their order, each with its unit: USD or ratio."""


@dataclass(frozen=True)
class Brief:
    """A use case as whoever decides about it needs it."""

    owner: str
    decision: Decision
    grades: tuple[GradeShare, ...]
    tornado: tuple[Swing, ...]
    turns: tuple[Turn, ...]
    shared_costs: Decimal | None
    """Costs of the programme that name no use case, and are in none of them."""


@dataclass(frozen=True)
class Bill:
    """Telemetry against invoice in one month; `gap` is a fraction."""

    month: date
    telemetry: Decimal
    invoice: Decimal | None
    gap: Decimal | None
    lines: int
    reason: str

    @property
    def numerator(self) -> Decimal | None:
        """The difference without its sign."""
        return None if self.invoice is None else abs(self.telemetry - self.invoice)


@dataclass(frozen=True)
class Perception:
    """Hours that people say they save beside the hours of the line they speak of, over the same months."""

    use_case: str
    months: int
    felt: Decimal | None
    measured: Decimal | None
    """Hours of the line `against`, before they become money; a KPI of hours adds up other tasks in another way."""
    line: str
    against: str
    felt_is: str = ""
    measured_is: str = ""
    """What was multiplied to come to the hours, by name."""


@dataclass(frozen=True)
class Point:
    """The programme to the end of one month, as its KPIs publish it."""

    month: date
    since: date
    months: int
    status: str
    reason: str
    base: Decimal = Decimal(1)
    """The discount factor of the window's first month, by which present values are divided."""
    pv_benefits: Decimal | None = None
    pv_costs: Decimal | None = None
    net: Decimal | None = None
    net_spread: Spread | None = None
    roi: Decimal | None = None
    roi_spread: Spread | None = None
    payback: int | None = None
    payback_reason: str = ""
    payback_spread: Spread | None = None
    savings: Decimal | None = None
    savings_spread: Spread | None = None
    claims: int = 0


@dataclass(frozen=True)
class RoiResult:
    """Everything the model says of one edition."""

    as_of: date
    first_month: date | None
    last_month: date | None
    discount_rate: Decimal | None
    seed: int
    draws: int
    programme: Worth
    use_cases: tuple[Worth, ...]
    business_units: tuple[Worth, ...]
    lines: tuple[LineSummary, ...]
    grades: tuple[GradeShare, ...]
    assumptions: tuple[Standing, ...]
    tornado: tuple[Swing, ...]
    scenarios: dict[str, Decimal]
    perception: tuple[Perception, ...]
    bills: tuple[Bill, ...]
    points: tuple[Point, ...]
    problems: tuple[str, ...]
    saving_lines: tuple[str, ...]
    """Cash lines about spending that fell away."""
    claims: tuple[Claim, ...]
    costs: tuple[CostItem, ...]
    simulated: Simulated = field(default_factory=Simulated)
