"""Plotly figures as plain data; the one module that knows Plotly's words.

Colours are names of style-sheet tokens (`--accent`), which `assets/charts.js` replaces by the colours of the reader's
scheme. Every text is escaped here as well, because Plotly turns `<a href>` in labels into live links.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, words
from pipeline.reports.model import Chart, ChartRow, Value
from pipeline.reports.values import CADENCE_GRAIN

_TICKS = {"ratio": ".4~%", "USD/session": "$.3~r", "s": ",.4~r", "h": ",.4~r", "points": "+.3~r", "count": ",~r"}


_QUIET = ("", "none", "trial")


def library() -> Path:
    """The script that draws the charts, as the installed plotly package ships it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


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


def _band(rows: Sequence[Value]) -> dict[str, Any] | None:
    """The interval as one filled polygon per unbroken run."""
    x: list[str | None] = []
    y: list[float | None] = []
    for run in _runs(rows):
        x += [row.start.isoformat() for row in [*run, *reversed(run)]] + [None]
        y += [_significant(row.low) for row in run] + [_significant(row.high) for row in reversed(run)] + [None]
    if not x:
        return None
    return {"type": "scatter", "mode": "lines", "x": x[:-1], "y": y[:-1], "fill": "toself", "fillcolor": "--band",
            "line": {"width": 0}, "hoverinfo": "skip", "name": "95 % interval"}  # fmt: skip


def _line(rows: Sequence[Value], name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(rows) > 70 else "lines+markers",
        "x": [row.start.isoformat() for row in rows],
        "y": [_significant(row.value) for row in rows],
        "customdata": [row.n for row in rows],
        "connectgaps": False,
        "line": {"color": "--accent", "width": 1.3 if len(rows) > 70 else 2},
        "marker": {"color": "--accent", "size": 5},
        "name": escape(name),
    }


def _target(rows: Sequence[Value], limit: float) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "x": [rows[0].start.isoformat(), rows[-1].start.isoformat()],
            "y": [limit, limit], "line": {"color": "--target", "width": 1.5, "dash": "dash"}, "hoverinfo": "skip",
            "name": "target"}  # fmt: skip


def _marked(rows: Sequence[Value]) -> dict[str, Any] | None:
    """Where a signal begins, as diamonds; marking every point of a long run would hide the line."""
    before = ["", *(row.signal for row in rows)]
    found = [row for row, last in zip(rows, before, strict=False) if row.signal not in (*_QUIET, last)]
    found = [row for row in found if row.value is not None]
    if not found:
        return None
    return {"type": "scatter", "mode": "markers", "x": [row.start.isoformat() for row in found],
            "y": [_significant(row.value) for row in found], "hoverinfo": "skip", "name": "signal begins",
            "marker": {"color": "--signal", "size": 7, "symbol": "diamond"}}  # fmt: skip


def _layout(metric: AnyMetric) -> dict[str, Any]:
    axis = {"gridcolor": "--rule", "linecolor": "--rule", "zeroline": False, "automargin": True}
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "height": 300,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--ink", "family": "system-ui, sans-serif", "size": 13},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "--paper", "bordercolor": "--rule"},
        "legend": {"orientation": "h", "y": -0.18, "x": 0},
        "xaxis": {**axis, "type": "date", "showgrid": False},
        "yaxis": {**axis, "tickformat": _TICKS[metric.unit]},
        "dragmode": False,
        "separators": f".{formats.THIN}",
    }


def figure(rows: Sequence[Value], metric: AnyMetric) -> dict[str, Any]:
    """The figure of one KPI: interval band, line, target and signal marks."""
    line = _line(rows, metric.name)
    line["hovertemplate"] = f"%{{y:{_TICKS[metric.unit]}}}, n = %{{customdata:,}}<extra></extra>"
    limit = words.limit(metric)
    traces = [_band(rows), line, _target(rows, limit) if limit is not None else None, _marked(rows)]
    return {"data": [trace for trace in traces if trace], "layout": _layout(metric)}


def _row(row: Value) -> ChartRow:
    signal = words.SIGNALS[row.signal].word if row.signal in words.SIGNALS and row.signal else ""
    return ChartRow(
        period=formats.period(row.grain, row.start, row.end),
        value=formats.figure(row),
        interval=formats.interval(row),
        n=formats.count(row.n),
        status=words.STATUS_WORDS.get(row.status, row.status),
        signal=signal,
    )


def chart(kpi_id: str, metric: AnyMetric, rows: Sequence[Value], title: str) -> Chart | None:
    """A chart and its table; none where there is not a single value."""
    if all(row.value is None for row in rows):
        return None
    span = " to ".join(formats.period(row.grain, row.start, row.end) for row in (rows[0], rows[-1]))
    every = CADENCE_GRAIN[metric.cadence]
    return Chart(
        id=f"chart-{kpi_id}",
        title=title,
        subtitle=f"{metric.name} per {every}, {formats.UNIT_WORDS[metric.unit]}, {span}",
        spec=figure(rows, metric),
        rows=tuple(_row(row) for row in reversed(rows)),
    )
