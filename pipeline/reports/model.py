"""What goes into the reports and the view models that templates read; every text in a view is ready to print."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.catalog.people import is_withheld
from pipeline.commands import SAMPLE_EXPORTS, UNNAMED, Commands

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.catalog.model import Catalog
    from pipeline.roi.bill_records import Statement
    from pipeline.roi.records import RoiResult

Record = dict[str, Any]
SAMPLE = "sample"
"""Name of the warehouse of the made-up organisation."""
CONTRACT_COLUMNS = (
    "kpi_id", "owner", "grain", "period_start", "period_end", "dimension", "dimension_value", "value", "unit",
    "numerator", "denominator", "n", "interval_low", "interval_high", "interval_method", "status", "verdict",
    "signal", "definition_hash", "edition",
)  # fmt: skip
"""Columns of the published values, in this order; others build on them."""


def mended(load: Record) -> int:
    """Of the rows of a file that were quarantined, those that a newer file has mended: all of them, or none."""
    return int(load["quarantined"]) if load.get("mended_by") else 0


@dataclass(frozen=True)
class EditionData:
    """Everything one edition says: values, sources, loads, checks and restatements.

    `quarantine` (by reason) and `quarantined_rows` hold what is open: no newer file of the same name has mended it.
    `definitions` names KPIs that are new, retired or defined otherwise than in the edition before.
    """

    catalog: Catalog
    values: pd.DataFrame
    edition: Record
    sources: list[Record]
    loads: list[Record]
    quarantine: list[Record]
    checks: list[Record]
    restatements: list[Record]
    totals: list[Record]
    quarantined_rows: list[Record] = field(default_factory=list)
    left_out: list[Record] = field(default_factory=list)
    """Per source and table the `rows` that the `where` of the mapping leaves out, `of` so many that it chose from."""
    definitions: list[Record] = field(default_factory=list)
    versions: list[Record] = field(default_factory=list)
    """Each definition of each KPI, with the edition that first used it and how far that one's data reached."""
    history: list[Record] = field(default_factory=list)
    """Restated totals of every edition, the newest first."""
    editions: list[Record] = field(default_factory=list)
    """Every edition, the newest first."""
    before: RoiResult | None = None
    """The return as the edition before said it; None for the first."""
    roi: RoiResult | None = None
    """What the programme is worth; None for an edition made before there was a model."""
    annotations: list[Record] = field(default_factory=list)
    """Notes of the analyst, the oldest first: date, kpi_id (`*` for all), note, told_by."""
    bill: Statement | None = None
    """Telemetry against the invoice of the newest month that has one."""
    targets: list[Record] = field(default_factory=list)
    """Targets that an edition told otherwise than the one before it, the newest first: edition, kpi_id, old, new."""
    by_make: bool = True
    """The project that the pages are of has a Makefile."""

    @property
    def is_sample(self) -> bool:
        """Whether it is of the made-up organisation."""
        return bool(self.edition["warehouse"] == SAMPLE)

    @property
    def commands(self) -> Commands:
        """The commands about its warehouse; a folder that pages do not name is left to be put in."""
        return Commands(SAMPLE_EXPORTS if self.is_sample else str(self.edition.get("exports") or UNNAMED), self.by_make)

    @property
    def quarantined(self) -> int:
        """Rows that are quarantined and that no newer file of the same name has mended."""
        return sum(int(row["rows"]) for row in self.quarantine)

    @property
    def mended(self) -> int:
        """Rows that were quarantined and that a newer file of the same name has mended."""
        return sum(mended(load) for load in self.loads)


@dataclass(frozen=True, slots=True)
class Value:
    """One KPI value of one period and slice; `end` is exclusive; None is unknown, never zero."""

    kpi_id: str
    grain: str
    start: date
    end: date
    dimension: str
    dimension_value: str
    value: float | None
    unit: str
    numerator: Decimal | None
    denominator: Decimal | None
    n: int | None
    low: float | None
    high: float | None
    method: str
    status: str
    verdict: str
    signal: str
    definition_hash: str
    reason: str
    note: str
    since: date | None = None
    """First month of a running total; None for a value of its period alone."""
    side: str = ""
    """Of a signal: above or below the mean that it was judged by."""

    @property
    def is_withheld(self) -> bool:
        """Whether it would tell of a few people."""
        return is_withheld(self.reason)


@dataclass(frozen=True)
class Mark:
    """A word with the shape that stands beside it, so that colour is never the only sign."""

    word: str
    shape: str
    tone: str
    explains: str = ""


@dataclass(frozen=True)
class Figure:
    """A number as printed: `state` is value, zero, missing, suppressed or not-applicable."""

    text: str
    state: str
    why: str = ""


@dataclass(frozen=True)
class Bullet:
    """Geometry of a bullet chart in a 100 x 16 box: value bar or dot, interval whisker, target mark."""

    label: str
    zero: float
    value: float
    low: float | None
    high: float | None
    target: float
    is_dot: bool

    @property
    def bar_x(self) -> float:
        """Left edge of the bar, whichever side of zero the value is on."""
        return min(self.zero, self.value)

    @property
    def bar_width(self) -> float:
        """Width of the bar; a visible sliver when the value is near zero."""
        return max(round(abs(self.value - self.zero), 2), 0.6)


@dataclass(frozen=True)
class Spark:
    """Geometry of a sparkline in a 100 x 24 box: one polyline per unbroken run; the newest month marked if known."""

    label: str
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None


@dataclass(frozen=True)
class Definition:
    """The definition of a KPI in words, as the catalogue has it."""

    kpi_id: str
    name: str
    question: str
    row: str
    formula: str
    unit: str
    leaves_out: str
    pitfall: str
    target: str
    target_source: str
    hash: str
    references: tuple[str, ...]
    population: str
    command: str


@dataclass(frozen=True)
class KpiRow:
    """One line of a scorecard."""

    definition: Definition
    href: str
    owner: str
    owner_href: str
    period: str
    value: Figure
    interval: Figure
    n: Figure
    bullet: Bullet | None
    verdict: Mark
    prior: Figure
    prior_period: str
    change: str
    spark: Spark | None
    signal: Mark
    signal_period: str
    flags: tuple[Mark, ...]
    status: str
    note: str


@dataclass(frozen=True)
class SliceRow:
    """One slice of a breakdown."""

    name: str
    value: Figure
    interval: Figure
    n: Figure
    verdict: Mark


@dataclass(frozen=True)
class Breakdown:
    """A KPI by one dimension in its current period."""

    kpi: str
    href: str
    dimension: str
    period: str
    rows: tuple[SliceRow, ...]
    left_off: int
    interval: str
    """What its intervals are."""
    note: str = ""
    """What its slice `unknown` holds; empty where it shows none."""


@dataclass(frozen=True)
class ChartRow:
    """One row of the table under a chart: the same numbers the chart draws."""

    period: str
    value: Figure
    interval: Figure
    n: Figure
    status: str
    signal: str
    notes: str = ""
    """Numbers of the notes that fall into the period."""


@dataclass(frozen=True)
class Note:
    """What happened on a day of a chart, numbered as on it."""

    number: int
    day: date
    when: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart for exploring, with its table and a sentence that says the same."""

    id: str
    title: str
    subtitle: str
    spec: dict[str, Any]
    interval: str
    """What its intervals are."""
    rows: tuple[ChartRow, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class SourceRow:
    """How far a source reaches and what became of its rows."""

    name: str
    tables: str
    data_from: str
    data_through: str
    lag: str
    is_stale: bool
    files: str
    rows_in: str
    loaded: str
    duplicate: str
    quarantined: str


@dataclass(frozen=True)
class Correction:
    """A value of the last edition that reads differently now."""

    kpi: str
    period: str
    slice: str
    old: str
    new: str
    why: str
    edition: str = ""
    """The edition that restated it; empty where that is the one at hand."""


@dataclass(frozen=True)
class Headline:
    """One sentence about one KPI or role with its verdict, and for a role its status and what backs the sentence."""

    text: str
    mark: Mark
    href: str = ""
    subject: str = ""
    status: Mark | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worse:
    """A KPI that got worse: what happened, who answers for it, when it is told again, and where its numbers stand."""

    kpi_id: str
    name: str
    href: str
    owner: str
    what: str
    due: str = ""
    """What comes when: the value that shows whether it was mended, and the last day of the period it is of."""


@dataclass(frozen=True)
class WorseLine:
    """What got worse, in a line: how many of how many, and each; `left_off` are more than a line holds.

    `note` says by which rule, and counts the KPIs that cannot be judged; `still` those that missed their target before
    as well and are farther from it.
    """

    title: str
    note: str
    items: tuple[Worse, ...]
    left_off: int
    still: str = ""


@dataclass(frozen=True)
class Download:
    """A file a reader may take away, with its hash."""

    href: str
    what: str
    bytes: str
    sha256: str


@dataclass(frozen=True)
class RolePage:
    """All that one role's page shows."""

    id: str
    title: str
    question: str
    finding: str
    status: Mark
    period: str
    data_through: str
    banner: tuple[str, ...]
    worse: WorseLine
    headlines: tuple[Headline, ...]
    owned: tuple[KpiRow, ...]
    watched: tuple[KpiRow, ...]
    other_roles: tuple[Headline, ...]
    breakdowns: tuple[Breakdown, ...]
    charts: tuple[Chart, ...]
    changes: tuple[str, ...]
    corrections: tuple[Correction, ...]
    corrections_left_off: int
    sources: tuple[SourceRow, ...]
    quarantine: tuple[Record, ...]
    checks: tuple[Record, ...]
