"""Plotly figures as plain data; the one module that knows Plotly's words.

Colours are names of style-sheet tokens (`--accent`), which `assets/charts.js` replaces by the colours of the reader's
scheme. Every text is escaped here as well, because Plotly turns `<a href>` in labels into live links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from html import escape
from math import inf
from typing import TYPE_CHECKING, Any

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, words
from pipeline.reports.aims import aims_of, known
from pipeline.reports.model import Chart, ChartRow, Note, Record, Value
from pipeline.reports.shown import shown as as_shown
from pipeline.reports.values import QUIET

if TYPE_CHECKING:
    from pipeline.statistics.process_behaviour import XmR

_TICKS = {"ratio": ".4~%", "points": "+.3~r", "count": ",~r"}
_HOVER = {"day": "%-d %b %Y", "week": "week from %-d %b %Y", "month": "%B %Y", "quarter": "Q%q %Y"}

LEAST_FOR_LIMITS = 5
"""Fewer points than this make no usual range worth drawing."""


def _ticks(unit: str) -> str:
    """Plotly's format of a number in a unit."""
    return _TICKS.get(unit, "$,.4~r" if unit.startswith("USD") else ",.4~r")


def _runs(rows: Sequence[Value]) -> list[list[Value]]:
    runs: list[list[Value]] = [[]]
    for row in rows:
        if row.low is None or row.high is None or row.value is None:
            runs.append([])
        else:
            runs[-1].append(row)
    return [run for run in runs if run]


def _significant(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.6g}")


@dataclass(frozen=True)
class Frame:
    """What the y axis spans, the usual range drawn in it, and whether an interval reaches beyond it."""

    low: float
    high: float
    usual: XmR | None
    is_cut: bool


def _leads(row: Value, metric: AnyMetric) -> bool:
    """Return whether the upper end of a value that can be judged leads the page."""
    return metric.headline == "upper_bound" and row.value is not None and row.status == "computed"


def _bounds(metric: AnyMetric) -> tuple[float, float]:
    """What a value of this unit can be at least and at most."""
    is_signed = metric.unit == "points" or metric.kind in ("uplift", "formula")
    return (-inf if is_signed else 0.0), (1.0 if metric.unit == "ratio" and not is_signed else inf)


def _usual(rows: Sequence[Value], metric: AnyMetric) -> XmR | None:
    """Process limits of the points that have enough data; None where there are too few, and for a running total.

    A running total carries all months before it in each value, so that its steps are no sample of its variation.
    """
    from pipeline.statistics.process_behaviour import limits

    known = _judged(rows)
    return limits(known) if len(known) >= LEAST_FOR_LIMITS and not metric.cumulative else None


def _judged(rows: Sequence[Value]) -> list[float]:
    """The values that have enough data to be judged."""
    return [row.value for row in rows if row.value is not None and row.status == "computed"]


def frame(rows: Sequence[Value], metric: AnyMetric, basis: Sequence[Value] | None = None) -> Frame:
    """An axis made for the values: one wide interval must not press the line flat, so intervals are cut at its edge.

    Where the upper end of the interval is the number that pages lead with, it is a value like any other.
    """
    floor, ceiling = _bounds(metric)
    usual = _usual(rows if basis is None else basis, metric)
    inner = [row.value for row in rows if row.value is not None]
    inner += [row.high for row in rows if _leads(row, metric) and row.high is not None]
    inner += [float(aim.value) for aim in known(aims_of(rows, metric))]
    inner += [max(usual.lower, floor), min(usual.upper, ceiling)] if usual else []
    low, high = min(inner), max(inner)
    room = 0.5 * ((high - low) or abs(high) or 1.0)
    ends = [end for row in rows for end in (row.low, row.high) if end is not None and row.value is not None]
    reach = [*inner, *(min(max(end, low - room), high + room) for end in ends)]
    edge = 0.04 * ((max(reach) - min(reach)) or abs(high) or 1.0)
    is_cut = any(not low - room <= end <= high + room for end in ends)
    return Frame(max(min(reach), floor) - edge, min(max(reach), ceiling) + edge, usual, is_cut)


def _band(rows: Sequence[Value], metric: AnyMetric, shown: Frame) -> dict[str, Any] | None:
    """The interval as one filled polygon per unbroken run, cut at the frame; of a lone point a narrow column."""
    x: list[str | None] = []
    y: list[float | None] = []

    def cut(end: float | None) -> float | None:
        return None if end is None else _significant(min(max(end, shown.low), shown.high))

    for run in _runs(rows):
        days, rows_of = ([row.start.isoformat() for row in run], run) if run[1:] else (_beside(run[0]), run * 2)
        x += [*days, *reversed(days), None]
        y += [cut(row.low) for row in rows_of] + [cut(row.high) for row in reversed(rows_of)] + [None]
    if not x:
        return None
    name = words.interval_name(rows) + (", whose upper end leads" if metric.headline == "upper_bound" else "")
    name += ", cut at the frame" if shown.is_cut else ""
    return {"type": "scatter", "mode": "lines", "x": x[:-1], "y": y[:-1], "fill": "toself", "fillcolor": "--band",
            "line": {"width": 0}, "hoverinfo": "skip", "name": name}  # fmt: skip


def _beside(row: Value) -> list[str]:
    """An eighth of its period before and after the day a point stands at."""
    start, aside = datetime.combine(row.start, time.min), (row.end - row.start) / 8
    return [(start - aside).isoformat(), (start + aside).isoformat()]


def _points(rows: Sequence[Value]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [row.start.isoformat() for row in rows],
        "y": [_significant(row.value) for row in rows],
        "customdata": [row.n for row in rows],
    }


def _line(rows: Sequence[Value], name: str) -> dict[str, Any]:
    """The values that have enough data; the others leave gaps that `_thin` fills with hollow marks."""
    drawn = _points(rows)
    ys = [y if row.status == "computed" else None for y, row in zip(drawn["y"], rows, strict=True)]
    return drawn | {
        "y": ys,
        "mode": "lines" if len(rows) > 70 else "lines+markers",
        "connectgaps": False,
        "line": {"color": "--accent", "width": 1.3 if len(rows) > 70 else 2},
        "marker": {"color": "--accent", "size": 5},
        "name": escape(name),
    }


def _thin(rows: Sequence[Value], metric: AnyMetric) -> dict[str, Any] | None:
    """Values with too few data to be judged, hollow and unconnected."""
    found = [row for row in rows if row.value is not None and row.status != "computed"]
    if not found:
        return None
    marker = {"color": "--soft", "size": 6, "symbol": "circle-open", "line": {"width": 1.2}}
    return _points(found) | {"mode": "markers", "marker": marker, "name": f"too few data: n below {metric.min_n}"}


def _level(rows: Sequence[Value], levels: Sequence[float], style: dict[str, Any], name: str) -> dict[str, Any]:
    """Horizontal lines through the whole chart."""
    ends = [rows[0].start.isoformat(), rows[-1].start.isoformat()]
    x = [at for _ in levels for at in (*ends, None)][:-1]
    y = [_significant(at) for level in levels for at in (level, level, None)][:-1]
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": style, "hoverinfo": "skip", "name": name}


def _target(rows: Sequence[Value], metric: AnyMetric) -> dict[str, Any] | None:
    """The target of each period as a line, which begins and steps where a target begins to hold; it ends with the last
    period, so that a target of that period alone is a line as well."""
    aims = aims_of(rows, metric)
    style = {"color": "--target", "width": 1.5, "dash": "dash"}
    if metric.target is None or not any(aims):
        return None
    name = f"target: {'; before, '.join(words.aimed(one, metric.unit) for one in known(reversed(aims)))}"
    if set(aims) == {metric.target}:
        return _level(rows, [float(metric.target.value)], style, name)
    x = [*(row.start.isoformat() for row in rows), rows[-1].end.isoformat()]
    y = [None if aim is None else float(aim.value) for aim in (*aims, aims[-1])]
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {**style, "shape": "hv"}, "hoverinfo": "skip",
            "name": name}  # fmt: skip


def _limits(rows: Sequence[Value], metric: AnyMetric, usual: XmR | None) -> dict[str, Any] | None:
    """The limits of the usual range; one that the unit cannot reach is not drawn."""
    if usual is None:
        return None
    floor, ceiling = _bounds(metric)
    levels = [level for level in (usual.lower, usual.upper) if floor < level < ceiling]
    style = {"color": "--soft", "width": 1, "dash": "dot"}
    return _level(rows, levels, style, "limits of the usual range") if levels else None


def _marked(rows: Sequence[Value]) -> dict[str, Any] | None:
    """Where a signal begins, as diamonds; marking every point of a long run would hide the line."""
    before = ["", *(row.signal for row in rows)]
    found = [row for row, last in zip(rows, before, strict=False) if row.signal not in (*QUIET, last)]
    found = [row for row in found if row.value is not None]
    if not found:
        return None
    return {"type": "scatter", "mode": "markers", "x": [row.start.isoformat() for row in found],
            "y": [_significant(row.value) for row in found], "hoverinfo": "skip", "name": "signal begins",
            "marker": {"color": "--signal", "size": 7, "symbol": "diamond"}}  # fmt: skip


def _layout(metric: AnyMetric, grain: str, shown: Frame) -> dict[str, Any]:
    axis = {"gridcolor": "--rule", "linecolor": "--rule", "zeroline": False, "automargin": True}
    title = {"text": formats.unit_words(metric.unit), "font": {"color": "--soft", "size": 12}, "standoff": 8}
    y_range = [_significant(shown.low), _significant(shown.high)]
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "height": 320,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--ink", "family": "system-ui, sans-serif", "size": 13},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "--paper", "bordercolor": "--rule", "font": {"color": "--ink"}},
        "legend": {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom", "font": {"size": 12}},
        "showlegend": True,
        "xaxis": {**axis, "type": "date", "showgrid": False, "hoverformat": _HOVER[grain]},
        "yaxis": {**axis, "tickformat": _ticks(metric.unit), "title": title, "range": y_range},
        "dragmode": False,
        "separators": f".{formats.THIN}",
    }


def _mean(rows: Sequence[Value], usual: XmR | None) -> dict[str, Any] | None:
    """The mean that the limits lie around."""
    return None if usual is None else _level(rows, [usual.mean], {"color": "--soft", "width": 1}, "mean")


def _restated(rows: Sequence[Value], restated: frozenset[date]) -> dict[str, Any] | None:
    """Values that an edition told otherwise than the one before it, as squares."""
    found = [row for row in rows if row.start in restated and row.value is not None]
    if not found:
        return None
    marker = {"color": "--ink", "size": 9, "symbol": "square-open", "line": {"width": 1.2}}
    return _points(found) | {"mode": "markers", "marker": marker, "hoverinfo": "skip", "name": "restated"}


def _noted(rows: Sequence[Value], notes: Sequence[Note], shown: Frame) -> dict[str, Any] | None:
    """The analyst's notes at the foot of the chart, by number; their texts stand below it."""
    places = [(row.start.isoformat(), note) for note in notes for row in rows if row.start <= note.day < row.end]
    if not places:
        return None
    return {"type": "scatter", "mode": "markers+text", "x": [at for at, _ in places],
            "y": [_significant(shown.low)] * len(places), "text": [str(note.number) for _, note in places],
            "textposition": "top center", "cliponaxis": False, "name": "note",
            "hovertext": [escape(as_shown(note.text)) for _, note in places],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "marker": {"color": "--ink", "size": 9, "symbol": "triangle-up-open"}}  # fmt: skip


def figure(
    rows: Sequence[Value],
    metric: AnyMetric,
    basis: Sequence[Value] | None = None,
    restated: frozenset[date] = frozenset(),
    notes: Sequence[Note] = (),
) -> dict[str, Any]:
    """The figure of one KPI: interval band, usual range, line, points not judged, target, signals, what was restated
    and noted."""
    shown = frame(rows, metric, basis)
    line, thin = _line(rows, metric.name), _thin(rows, metric)
    for trace in (line, thin or {}):
        trace["hovertemplate"] = f"%{{y:{_ticks(metric.unit)}}}, n = %{{customdata:,}}<extra></extra>"
    ranges = [_band(rows, metric, shown), _limits(rows, metric, shown.usual), _mean(rows, shown.usual)]
    traces = [*ranges, line, thin, _target(rows, metric), _marked(rows), _restated(rows, restated)]
    traces += [_noted(rows, notes, shown)]
    return {"data": [trace for trace in traces if trace], "layout": _layout(metric, rows[0].grain, shown)}


def notes_on(annotations: Sequence[Record], kpi_id: str, rows: Sequence[Value]) -> tuple[Note, ...]:
    """The notes on a KPI, or on every one, that fall into the periods drawn, numbered from 1 on."""
    held = [one for one in annotations if one["kpi_id"] in (kpi_id, "*")]
    found = [(date.fromisoformat(str(one["date"])[:10]), one) for one in held]
    drawn = [(day, one) for day, one in found if any(row.start <= day < row.end for row in rows)]
    return tuple(
        Note(number, day, formats.day(day), f"{one['note']} ({one['told_by']})" if one["told_by"] else str(one["note"]))
        for number, (day, one) in enumerate(drawn, 1)
    )


def _row(row: Value, metric: AnyMetric, notes: Sequence[Note] = ()) -> ChartRow:
    return ChartRow(
        period=formats.period(row.grain, row.start, row.end),
        value=words.leading(row, metric),
        interval=formats.interval(row),
        n=formats.count(row.n),
        status=words.status(row, metric),
        signal=words.signal(row).word if row.signal else "",
        notes=", ".join(str(note.number) for note in notes if row.start <= note.day < row.end),
    )


def _range_words(metric: AnyMetric, usual: XmR | None, basis: Sequence[Value]) -> str:
    """Mean and limits as text, and of how many points they are, for readers without the drawing."""
    if metric.cumulative:
        return ". A running total repeats the months before it, so no usual range is drawn"
    if usual is None:
        return ""
    floor, ceiling = _bounds(metric)
    low, high = (formats.average(min(max(end, floor), ceiling), metric.unit) for end in (usual.lower, usual.upper))
    points = formats.counted(len(_judged(basis)), basis[0].grain)
    trial = ", on trial below 13 points" if usual.trial else ""
    said = (
        f". Mean {formats.average(usual.mean, metric.unit)} of {points}, usual range {formats.span(low, high)}{trial}"
    )
    return said + _usual_against_target(metric, usual)


def _usual_against_target(metric: AnyMetric, usual: XmR) -> str:
    """That usual is not good enough, where values within the usual range miss the target."""
    limit = words.limit(metric)
    if metric.target is None or limit is None:
        return ""
    bad, good = (usual.upper, usual.lower) if metric.target.at_most is not None else (usual.lower, usual.upper)
    sign = 1 if metric.target.at_most is not None else -1
    if sign * (good - limit) > 0:
        return "; all of it misses the target, so usual is not good enough"
    return "; a part of it misses the target, so usual is not good enough" if sign * (bad - limit) > 0 else ""


def _subtitle(
    metric: AnyMetric, rows: Sequence[Value], usual: XmR | None, basis: Sequence[Value], *, coarser: str
) -> str:
    """What is drawn, by which grain and over which span; `coarser` says why no finer one is."""
    span = " to ".join(formats.period(row.grain, row.start, row.end) for row in (rows[0], rows[-1]))
    as_seen = " as seen" if metric.headline == "upper_bound" else ""
    said = f"{metric.name} {_per(rows)}{coarser}, in {formats.unit_words(metric.unit)}{as_seen}, {span}"
    return said + _range_words(metric, usual, basis) + _gap_words(rows)


def _gap_words(rows: Sequence[Value]) -> str:
    """Why the line has gaps that no want of data explains."""
    hidden = sum(row.is_withheld for row in rows)
    return f". {hidden} of {len(rows)} withheld to protect small groups: gaps, not zeros" if hidden else ""


def _why_coarser(metric: AnyMetric, rows: Sequence[Value], newest: Value | None) -> str:
    """Why the cadence is not drawn: it does not reach as far as the newest value known, or has too few data."""
    every = metric.grain
    if rows[0].grain == every:
        return ""
    if newest is not None and newest.grain != every:
        return f", because not every {every} is told as far"
    return f", because most {every}s have too few data (n below {metric.min_n})"


def _per(rows: Sequence[Value]) -> str:
    """What one point is: a period of its own, or everything up to the end of a period."""
    start = formats.since(rows[-1])
    return f"{start} to the end of each {rows[0].grain}" if start else f"per {rows[0].grain}"


def chart(
    kpi_id: str,
    metric: AnyMetric,
    rows: Sequence[Value],
    title: str,
    *,
    basis: Sequence[Value] | None = None,
    restated: frozenset[date] = frozenset(),
    annotations: Sequence[Record] = (),
    newest: Value | None = None,
) -> Chart | None:
    """A chart, its table and the analyst's notes; none where there are not two values to compare.

    `basis` are the points from which the usual range is worked out, where they are not those drawn; `newest` is the
    last known value, of whichever grain.
    """
    if sum(row.value is not None for row in rows) < 2:
        return None
    usual = _usual(rows if basis is None else basis, metric)
    notes = notes_on(annotations, kpi_id, rows)
    return Chart(
        id=f"chart-{kpi_id}" if basis is None else f"chart-{kpi_id}-{rows[0].grain}",
        title=title,
        subtitle=_subtitle(
            metric, rows, usual, basis or rows, coarser="" if basis is not None else _why_coarser(metric, rows, newest)
        ),
        spec=figure(rows, metric, basis, restated, notes),
        interval=words.interval_name(rows),
        rows=tuple(_row(row, metric, notes) for row in reversed(rows)),
        notes=notes,
    )
