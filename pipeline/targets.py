"""Other targets against the values of an edition: which verdicts would change. Nothing that is stored is changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb
import numpy as np

from pipeline.catalog.document import Positions
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.target import Target, read
from pipeline.catalog.units import check_target
from pipeline.errors import ConfigurationError, Problem
from pipeline.statistics.verdict import verdict
from pipeline.warehouse.connection import rows

NONE = "no target"
_BEFORE_ALL = date(1990, 1, 1)
"""Since when a figure is tried that takes no target's place: a year that targets may have, before any period."""
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

    Both hold from the day `since` on; None where there is no target, and every value is judged by the new one.
    """

    kpi_id: str
    side: str
    old: Decimal | None
    new: Decimal
    since: date | None
    values: tuple[Judged, ...]

    @property
    def changed(self) -> tuple[Judged, ...]:
        """Those whose verdict would be another."""
        return tuple(one for one in self.values if one.old != one.new)


def retarget(
    con: duckdb.DuckDBPyConnection, catalog: Catalog, targets: Mapping[str, Decimal]
) -> tuple[Retargeted, ...]:
    """Every KPI named, judged anew by the rule of the nightly run (`statistics.verdict`).

    The target is put in the place of the one that the edition was judged by on its last day with data: on the same
    side and since the same day, so that values of periods before it keep their verdicts. Raises ConfigurationError for
    a KPI that is not in the catalogue and for a target its unit cannot reach.
    """
    problems = [one for name, value in targets.items() for one in _problems(catalog, name, value)]
    if problems:
        raise ConfigurationError("A target cannot be set.", problems)
    held = _held(con)
    return tuple(
        _retargeted(con, name, catalog.metrics[name], held(name, catalog.metrics[name]), value)
        for name, value in targets.items()
    )


def _held(con: duckdb.DuckDBPyConnection) -> Callable[[str, AnyMetric], Target | None]:
    """What tells the target that a KPI was judged by on the last day with data of the newest edition.

    Of an edition that did not keep its targets it is that of the catalogue.
    """
    newest = rows(con, "SELECT as_of, notes FROM kpi.editions ORDER BY number DESC LIMIT 1")
    day = date.fromisoformat(str(newest[0]["as_of"])[:10]) if newest else date.max
    kept = json.loads(str(newest[0]["notes"])).get("dated_targets") if newest else None

    def held(kpi_id: str, metric: AnyMetric) -> Target | None:
        judged = metric if kept is None else metric.judged_by(read(kept.get(kpi_id, ())))
        return judged.target_on(day)

    return held


def _problems(catalog: Catalog, name: str, value: Decimal) -> Iterator[Problem]:
    from difflib import get_close_matches

    metric = catalog.metrics.get(name)
    if metric is None:
        near = get_close_matches(name, sorted(catalog.metrics), 1)
        told = f"did you mean {near[0]}?" if near else "see roi catalog docs for the KPIs"
        yield Problem("--target", "E009", f"found {name!r}, which is no KPI; {told}")
        return
    meant = metric.judged_by((_target(metric, metric.target, value),))
    for one in check_target(name, meant, Positions("--target", {})):
        yield Problem("--target", one.code, f"{name}: {one.message}")


def _target(metric: AnyMetric, held: Target | None, value: Decimal) -> Target:
    side = held.side if held else "at_least" if metric.direction == "up" else "at_most"
    return Target.model_validate({side: value, "since": held.since if held else _BEFORE_ALL, "source": "what if"})


def _retargeted(
    con: duckdb.DuckDBPyConnection, name: str, metric: AnyMetric, held: Target | None, value: Decimal
) -> Retargeted:
    found, target = rows(con, _STANDING, [name]), _target(metric, held, value)
    columns = [np.array([row[key] for row in found], dtype=float) for key in ("value", "interval_low", "interval_high")]
    new = verdict(*columns, **{target.side: float(value)}, exact=metric.interval == "exact")
    judged = tuple(_judged(row, str(word), target.since) for row, word in zip(found, new, strict=True))
    return Retargeted(name, target.side, held.value if held else None, value, held.since if held else None, judged)


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
        now = NONE if one.old is None else f"{side} {one.old:f}"
        since = f", since {one.since}" if one.since else ""
        count = f"{len(one.changed)} of {len(one.values)} verdicts change"
        yield f"{one.kpi_id}: {now} -> {side} {one.new:f}{since}; {count}"
        for change, times in sorted(Counter(value.change for value in one.changed).items()):
            yield f"  {times:>6}  {change}"
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
