"""Other targets against the values of an edition: which verdicts would change. Nothing that is stored is changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb
import numpy as np

from pipeline.catalog.document import Positions
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.target import Target
from pipeline.catalog.units import check_target
from pipeline.errors import ConfigurationError, Problem
from pipeline.statistics.verdict import verdict
from pipeline.warehouse.connection import rows

NONE = "no target"
GRAINS = ("day", "week", "month", "quarter", "28d")
_STANDING = """
SELECT kpi_id, grain, period_start, period_end, dimension, dimension_value, value, interval_low, interval_high, unit,
  verdict
FROM kpi.values WHERE last_edition IS NULL AND kpi_id = ? AND status = 'computed'
ORDER BY dimension, dimension_value, grain, period_start
"""


@dataclass(frozen=True)
class Judged:
    """A published value with its verdict, and the one it would have; '' where there is no target."""

    kpi_id: str
    grain: str
    start: date
    end: date
    dimension: str
    dimension_value: str
    value: float
    low: float | None
    high: float | None
    unit: str
    old: str
    new: str

    @property
    def change(self) -> str:
        """Both verdicts in words."""
        return f"{self.old or NONE} -> {self.new or NONE}"


@dataclass(frozen=True)
class Retargeted:
    """A KPI under another target: the side it bounds, both figures, and every computed value of the edition.

    `old` is that of the catalogue, `judged_by` the one that the edition was judged by, in words; '' where it told none.
    """

    kpi_id: str
    side: str
    old: Decimal | None
    judged_by: str
    new: Decimal
    values: tuple[Judged, ...]

    @property
    def changed(self) -> tuple[Judged, ...]:
        """Those whose verdict would be another."""
        return tuple(one for one in self.values if one.old != one.new)


def retarget(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, targets: Mapping[str, Decimal]
) -> tuple[Retargeted, ...]:
    """Every KPI named, judged anew by the rule of the nightly run (`statistics.verdict`).

    The target bounds the side it bounds now or, where there is none, the one the KPI should move to, and holds since
    the same day: values of periods before it keep their verdicts. Raises ConfigurationError for a KPI that is not in
    the catalogue and for a target its unit cannot reach.
    """
    problems = [one for name, value in targets.items() for one in _problems(catalog, name, value)]
    if problems:
        raise ConfigurationError("A target cannot be set.", problems)
    told = targets_of(con)
    return tuple(
        _retargeted(con, name, catalog.metrics[name], value, judged_by=told.get(name, ""))
        for name, value in targets.items()
    )


def targets_of(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The target of each KPI in words as the newest edition told it; none of an edition that kept none."""
    newest = rows(con, "SELECT notes FROM kpi.editions ORDER BY number DESC LIMIT 1")
    told: dict[str, str] = json.loads(str(newest[0]["notes"])).get("targets", {}) if newest else {}
    return told


def _problems(catalog: Catalog, name: str, value: Decimal) -> Iterator[Problem]:
    from difflib import get_close_matches

    metric = catalog.metrics.get(name)
    if metric is None:
        near = get_close_matches(name, sorted(catalog.metrics), 1)
        told = f"did you mean {near[0]}?" if near else "see roi catalog docs for the KPIs"
        yield Problem("--target", "E009", f"found {name!r}, which is no KPI; {told}")
        return
    meant = metric.model_copy(update={"target": _target(metric, value), "earlier_targets": ()})
    for one in check_target(name, meant, Positions("--target", {})):
        yield Problem("--target", one.code, f"{name}: {one.message}")


def _side(metric: AnyMetric) -> str:
    if metric.target is not None:
        return metric.target.side
    return "at_least" if metric.direction == "up" else "at_most"


def _target(metric: AnyMetric, value: Decimal) -> Target:
    since = date.min if metric.target is None else metric.target.since
    return Target.model_validate({_side(metric): value, "since": since, "source": "what if"})


def _retargeted(
    con: duckdb.DuckDBPyConnection, name: str, metric: AnyMetric, value: Decimal, *, judged_by: str
) -> Retargeted:
    found, target = rows(con, _STANDING, [name]), _target(metric, value)
    columns = [np.array([row[key] for row in found], dtype=float) for key in ("value", "interval_low", "interval_high")]
    new = verdict(*columns, **{target.side: float(value)}, exact=metric.interval == "exact")
    judged = tuple(_judged(row, str(word), target.since) for row, word in zip(found, new, strict=True))
    old = None if metric.target is None else metric.target.value
    return Retargeted(name, target.side, old, judged_by, value, judged)


def _judged(row: Mapping[str, object], new: str, since: date) -> Judged:
    """A value with both verdicts; one whose period ended before the target holds keeps its own."""
    days = [date.fromisoformat(str(row[name])[:10]) for name in ("period_start", "period_end")]
    ends = [None if row[key] is None else float(str(row[key])) for key in ("interval_low", "interval_high")]
    told = [str(row[name] or "") for name in ("kpi_id", "grain", "dimension", "dimension_value", "unit", "verdict")]
    value = float(str(row["value"]))
    is_held = days[1] > since
    return Judged(told[0], told[1], days[0], days[1], told[2], told[3], value, ends[0], ends[1], told[4], told[5],
                  new if is_held else told[5])  # fmt: skip


def target_lines(found: Sequence[Retargeted]) -> Iterator[str]:
    """What would change, as text: how many values, and the newest overall value of each kind of period."""
    for one in found:
        side = one.side.replace("_", " ")
        now = one.judged_by or (NONE if one.old is None else f"{side} {one.old:f}")
        yield f"{one.kpi_id}: {now} -> {side} {one.new:f}; {len(one.changed)} of {len(one.values)} verdicts change"
        for change, count in sorted(Counter(value.change for value in one.changed).items()):
            yield f"  {count:>6}  {change}"
        for newest in _newest(one.values):
            yield f"  {newest.grain:<7} {newest.start}  {_figure(newest)}  {_verdicts(newest)}"


def _newest(values: Sequence[Judged]) -> Iterator[Judged]:
    overall = [one for one in values if not one.dimension]
    for grain in GRAINS:
        held = [one for one in overall if one.grain == grain]
        yield from held[-1:]


def _figure(one: Judged) -> str:
    ends = "" if one.low is None or one.high is None else f" ({one.low:.4g} to {one.high:.4g})"
    return f"{one.value:.4g}{ends} {one.unit}"


def _verdicts(one: Judged) -> str:
    return one.change if one.old != one.new else f"stays {one.new or NONE}"
