"""The kinds of KPI: how each is stored per day, rolled up, turned into a value and recomputed from its rows."""

from __future__ import annotations

from pipeline.catalog.expressions import parse_measure
from pipeline.catalog.model import AnyMetric, Ratio, Total
from pipeline.engine.kinds.base import Kind, Leaf, Look
from pipeline.engine.kinds.distributions import MedianKind, PercentileKind, SurvivalKind
from pipeline.engine.kinds.events import EpisodesKind, PeakKind
from pipeline.engine.kinds.judges import JudgedKind
from pipeline.engine.kinds.members import (
    DifferenceKind,
    DistinctKind,
    DistinctTotalKind,
    PairedDifferenceKind,
    RecurrenceKind,
    UpliftKind,
)
from pipeline.engine.kinds.rankings import RankingKind
from pipeline.engine.kinds.sums import DerivedKind, MeanKind, RatioKind, SnapshotKind, TotalKind

__all__ = ["Kind", "Leaf", "Look", "kind_of"]

_DISTINCT, _DISTINCT_TOTAL = DistinctKind(), DistinctTotalKind()
_KINDS: dict[str, Kind] = {
    "ratio": RatioKind(),
    "snapshot": SnapshotKind(),
    "total": TotalKind(),
    "mean": MeanKind(),
    "median": MedianKind(),
    "percentile": PercentileKind(),
    "survival_median": SurvivalKind(),
    "difference": DifferenceKind(),
    "paired_difference": PairedDifferenceKind(),
    "uplift": UpliftKind(),
    "recurrence": RecurrenceKind(),
    "peak": PeakKind(),
    "episodes": EpisodesKind(),
    "ranking": RankingKind(),
    "derived": DerivedKind(),
    "judged": JudgedKind(),
}


def kind_of(metric: AnyMetric) -> Kind:
    """The mechanics of a KPI; a formula has none, since it reads no fact."""
    if isinstance(metric, Ratio) and parse_measure(metric.denominator).aggregate == "distinct":
        return _DISTINCT
    if isinstance(metric, Total) and parse_measure(metric.total).aggregate == "distinct":
        return _DISTINCT_TOTAL
    return _KINDS[metric.kind]
