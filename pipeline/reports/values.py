"""The values of an edition, indexed the way pages ask for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

from pipeline.catalog import headline
from pipeline.reports.cells import day, decimal, integer, number, text
from pipeline.reports.model import Value

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.catalog.model import AnyMetric

GRAINS = ("day", "week", "month", "quarter")
QUIET = ("", "none", "trial")
"""Signal words that say nothing was found."""
RUN = 7
"""Points of a shift or a trend, as `words.SIGNALS` says them."""
POINTS_SHOWN = {"day": 400, "week": 60, "month": 36, "quarter": 20}
"""How far back a chart goes; older values are in the downloads."""


def records(frame: pd.DataFrame) -> Iterator[Value]:
    """The rows of a values frame as typed records."""
    names = list(frame.columns)
    columns = (frame[name].astype(object).tolist() for name in names)
    for cells in zip(*columns, strict=True):
        yield _record(dict(zip(names, cells, strict=True)))


def _record(row: dict[str, object]) -> Value:
    return Value(
        kpi_id=str(row["kpi_id"]),
        grain=str(row["grain"]),
        start=day(row["period_start"]),
        end=day(row["period_end"]),
        dimension=text(row["dimension"]),
        dimension_value=text(row["dimension_value"]),
        value=number(row["value"]),
        unit=str(row["unit"]),
        numerator=decimal(row["numerator"]),
        denominator=decimal(row["denominator"]),
        n=integer(row["n"]),
        low=number(row["interval_low"]),
        high=number(row["interval_high"]),
        method=text(row["interval_method"]),
        status=text(row["status"]),
        verdict=text(row["verdict"]),
        signal=text(row["signal"]),
        definition_hash=text(row["definition_hash"]),
        reason=text(row.get("reason")),
        note=text(row.get("exact_note")),
    )


@dataclass(frozen=True)
class Values:
    """Overall values by KPI and grain, oldest first, and the frame for slices; `as_of` is the last day with data."""

    frame: pd.DataFrame
    as_of: date
    overall: dict[tuple[str, str], tuple[Value, ...]]
    sliced: dict[tuple[str, str, date, date], Sequence[int]]
    _asked: dict[tuple[str, str, date, date], list[Value]] = field(default_factory=dict, compare=False)
    """Slices that a page has asked for."""

    def series(self, kpi_id: str, grain: str) -> tuple[Value, ...]:
        """Overall values of a KPI at a grain, oldest first."""
        return self.overall.get((kpi_id, grain), ())

    def slices(self, current: Value) -> list[Value]:
        """Every slice of the period of an overall value."""
        key = (current.kpi_id, current.grain, current.start, current.end)
        found = self._asked.get(key)
        if found is None:
            at = self.sliced.get(key)
            found = self._asked[key] = list(records(self.frame.iloc[at])) if at else []
        return list(found)


def _sliced(frame: pd.DataFrame) -> dict[tuple[str, str, date, date], Sequence[int]]:
    """Positions of the sliced rows by KPI, grain and period."""
    is_slice = (frame["dimension"].fillna("") != "").to_numpy().nonzero()[0]
    part = frame.iloc[is_slice]
    found = part.groupby(["kpi_id", "grain", "period_start", "period_end"], sort=True).indices
    return {(key[0], key[1], day(key[2]), day(key[3])): is_slice[at].tolist() for key, at in found.items()}


def index(frame: pd.DataFrame, as_of: date, since: Mapping[tuple[str, date], date] | None = None) -> Values:
    """Index the overall rows; slices stay in the frame until a page asks.

    `since` has the first month of each running total by KPI and month.
    """
    known = since or {}
    groups: defaultdict[tuple[str, str], list[Value]] = defaultdict(list)
    for row in records(frame[frame["dimension"].fillna("") == ""]):
        start = known.get((row.kpi_id, row.start))
        groups[row.kpi_id, row.grain].append(replace(row, since=start) if start else row)
    overall = {key: tuple(_sided(sorted(rows, key=lambda row: row.end))) for key, rows in sorted(groups.items())}
    return Values(frame, as_of, overall, _sliced(frame))


def _sided(series: Iterable[Value]) -> Iterator[Value]:
    """A series with the side of each signal: it was judged by the mean of the values up to and with its own."""
    total, count = 0.0, 0
    for row in series:
        if row.value is None or row.status != "computed":
            yield row
            continue
        total, count = total + row.value, count + 1
        apart = 0.0 if row.signal in QUIET else row.value * count - total
        yield replace(row, side="above" if apart > 0 else "below") if apart else row


def closed(values: Values, rows: Sequence[Value], metric: AnyMetric) -> list[Value]:
    """The rows whose period is over and whose cohort has matured."""
    return headline.closed(rows, metric, as_of=values.as_of)


def sliced_period(values: Values, now: Value, metric: AnyMetric, dimension: str) -> Value:
    """The period whose slices are shown: the current one, or where it withholds most, a newest month or quarter."""

    def told(period: Value) -> float:
        rows = [row for row in values.slices(period) if row.dimension == dimension]
        return sum(not row.is_withheld for row in rows) / len(rows) if rows else 0.0

    newest = (closed(values, values.series(now.kpi_id, grain), metric)[-1:] for grain in ("month", "quarter"))
    return now if told(now) >= 0.5 else max([now, *(one for rows in newest for one in rows)], key=told)


def current(values: Values, kpi_id: str, metric: AnyMetric) -> Value | None:
    """The value a page headlines."""
    return headline.headlined(lambda grain: values.series(kpi_id, grain), metric, as_of=values.as_of)


def prior(values: Values, now: Value) -> Value | None:
    """The newest earlier period that does not overlap and has a value."""
    earlier = [row for row in values.series(now.kpi_id, now.grain) if row.end <= now.start and row.value is not None]
    return earlier[-1] if earlier else None


def last_known(values: Values, kpi_id: str, metric: AnyMetric) -> Value | None:
    """The newest value there is at the cadence of the KPI, however old.

    A coarser period that lies wholly after all that the cadence knows is newer: where months are withheld or unknown a
    quarter may still be told.
    """
    newest: Value | None = None
    for grain in coarser(metric.grain):
        rows = values.series(kpi_id, grain)
        known = [row for row in (rows if newest is None else closed(values, rows, metric)) if row.value is not None]
        if known and (newest is None or known[-1].start >= newest.end):
            newest = known[-1]
    return newest


def judged(values: Values, kpi_id: str, metric: AnyMetric) -> Value | None:
    """The newest value on which a signal was looked for, a closed one if there is one; finest grain first.

    None where the headlined value is withheld or unknown: what nobody is told, nobody is told the change of.
    """
    now = current(values, kpi_id, metric)
    if now is None or now.value is None:
        return None
    for grain in coarser(metric.grain):
        rows = [row for row in values.series(kpi_id, grain) if row.signal]
        if rows:
            return (closed(values, rows, metric) or rows)[-1]
    return None


def began(values: Values, seen: Value) -> Value | None:
    """The point since which the signal of a judged point has lasted; None when it is a single point.

    It lasts over neighbouring points that were signals themselves, on the same side of their mean. The first of them,
    where it was found as a shift or a trend, completed a run of seven, and the run counts from its own first point.
    """
    series = values.series(seen.kpi_id, seen.grain)
    points = [row for row in series if row.end <= seen.end and row.value is not None and row.status == "computed"]
    if seen.signal in QUIET or not points or points[-1] != seen:
        return None
    first = len(points) - 1
    while first > 0 and points[first - 1].signal not in QUIET and points[first - 1].side == seen.side:
        first -= 1
    if points[first].signal in ("shift", "trend"):
        return points[max(first + 1 - RUN, 0)]
    return points[first] if first < len(points) - 1 else None


def coarser(grain: str) -> tuple[str, ...]:
    """A grain and those above it."""
    return GRAINS[GRAINS.index(grain) :]


def year(values: Values, kpi_id: str, metric: AnyMetric) -> list[Value]:
    """The last twelve closed months."""
    return closed(values, values.series(kpi_id, "month"), metric)[-12:]


def shown(values: Values, kpi_id: str, metric: AnyMetric) -> tuple[Value, ...]:
    """The values a chart draws: those of closed periods, for an open one would look like a fall.

    The finest grain, from the cadence upwards, at which at least half of the known values have enough data to be
    judged, and after which no coarser one knows more; the first value known begins the chart.
    """
    drawn: list[Value] = []
    newest = last_known(values, kpi_id, metric)
    for grain in coarser(metric.grain):
        rows = _from_first_known(closed(values, values.series(kpi_id, grain), metric)[-POINTS_SHOWN[grain] :])
        drawn = rows or drawn
        known = [row for row in rows if row.value is not None]
        if known and _is_outrun(newest, known[-1]):
            continue
        if known and 2 * sum(row.status == "computed" for row in known) >= len(known):
            return tuple(rows)
    return tuple(drawn)


def _is_outrun(newest: Value | None, last: Value) -> bool:
    """Return whether a coarser grain knows a period that lies wholly after the last that this one knows."""
    return newest is not None and newest.grain in coarser(last.grain)[1:] and newest.start >= last.end


def _from_first_known(rows: list[Value]) -> list[Value]:
    first = next((at for at, row in enumerate(rows) if row.value is not None), len(rows))
    return rows[first:]
