"""Charts: which grain is drawn, what is drawn apart, and that one wide interval does not press a line flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from plotly import graph_objects
from test_reports_edition import AS_OF, catalog, edition, row

from pipeline.reports import charts
from pipeline.reports.model import Value
from pipeline.reports.values import _record, index, shown

MONTHS = [(date(2026, month, 1), date(2026, month + 1, 1)) for month in range(1, 8)]
METRIC = catalog().metrics["token_cost_per_session"]


def months(**change: Any) -> list[Value]:
    """Seven months of token cost: 0.01, 0.02 and so on, each half a cent either way."""
    return [
        _record(
            row(catalog(), "token_cost_per_session", "month", *period)
            | {
                "value": at / 100,
                "interval_low": at / 100 - 0.005,
                "interval_high": at / 100 + 0.005,
                "status": "computed",
            }
            | change
        )
        for at, period in enumerate(MONTHS, 1)
    ]


def trace(rows: list[Value], name: str) -> dict[str, Any]:
    """The trace of a figure whose name begins so."""
    return next(found for found in charts.figure(rows, METRIC)["data"] if found["name"].startswith(name))


def test_points_that_were_not_judged_are_drawn_apart() -> None:
    """They are hollow marks, the line has a gap there, and both keep their n."""
    rows = months()
    rows[2] = replace(rows[2], status="insufficient_data")
    line, thin = trace(rows, "Token cost"), trace(rows, "too few data")
    assert line["y"] == [0.01, 0.02, None, 0.04, 0.05, 0.06, 0.07]
    assert (thin["x"], thin["y"], thin["mode"]) == (["2026-03-01"], [0.03], "markers")
    assert thin["customdata"] == [rows[2].n]


def test_the_usual_range_is_that_of_the_judged_points() -> None:
    """Mean 0.04, every moving range 0.01: limits 0.04 -+ 2.66 * 0.01, in the drawing and in words."""
    rows = months()
    low, high = 0.04 - 0.0266, 0.04 + 0.0266
    assert trace(rows, "limits")["y"] == pytest.approx([low, low, None, high, high])
    chart = charts.chart("token_cost_per_session", METRIC, rows, "title")
    assert (
        chart and "Mean $0.04000 of 7 months, usual range $0.01340–$0.06660, on trial below 13 points" in chart.subtitle
    )


def test_a_limit_below_zero_is_not_drawn_for_what_cannot_be_negative() -> None:
    """Mean 0.02 and moving range mean 0.02: the lower limit would be -0.0332."""
    rows = [replace(found, value=value) for found, value in zip(months(), [0.01, 0.03] * 3 + [0.02], strict=False)]
    assert len([y for y in trace(rows, "limits")["y"] if y is not None]) == 2
    chart = charts.chart("token_cost_per_session", METRIC, rows, "title")
    assert chart and "usual range $0–" in chart.subtitle


def test_one_wide_interval_does_not_press_the_line_flat() -> None:
    """Values up to 0.07 with one interval to 9 dollars: the axis ends near the values and the legend says it is cut."""
    rows = months()
    rows[3] = replace(rows[3], high=9.0)
    figure = charts.figure(rows, METRIC)
    low, high = figure["layout"]["yaxis"]["range"]
    assert 0 <= low < min(found.low or 0 for found in rows)
    assert max(found.value or 0 for found in rows) < high < 0.2
    band = trace(rows, "95 % interval")
    assert band["name"].endswith("cut at the frame")
    assert max(y for y in band["y"] if y is not None) == pytest.approx(high, rel=1e-5)
    assert trace(months(), "95 % interval")["name"] == "95 % interval"


def test_axes_have_titles_and_the_target_a_name() -> None:
    """The unit stands at the axis, the target in the legend as it was set."""
    figure = charts.figure(months(), METRIC)
    assert figure["layout"]["yaxis"]["title"]["text"] == "US dollars per session"
    assert trace(months(), "target")["name"] == "target: at most $0.05"


def test_a_single_point_makes_no_chart() -> None:
    """There is nothing to compare; the scorecard has the number."""
    rows = [replace(found, value=None) for found in months()]
    assert charts.chart("token_cost_per_session", METRIC, [*rows[:-1], months()[-1]], "title") is None


def test_a_coarser_grain_is_drawn_where_most_points_are_thin() -> None:
    """Days below min_n give way to weeks, and the subtitle says why; with enough data days are drawn."""
    data = edition()
    metric = data.catalog.metrics["tool_error_rate"]
    drawn = shown(index(data.values, AS_OF), "tool_error_rate", metric)
    assert {found.grain for found in drawn} == {"day"}
    thin = data.values.copy()
    thin.loc[(thin["kpi_id"] == "tool_error_rate") & (thin["grain"] == "day"), "status"] = "insufficient_data"
    weeks = shown(index(thin, AS_OF), "tool_error_rate", metric)
    assert {found.grain for found in weeks} == {"week"}
    assert all(before.end == after.start for before, after in pairwise(weeks))
    chart = charts.chart("tool_error_rate", metric, weeks, "title")
    assert chart and "per week, because most days have too few data (n below 100)" in chart.subtitle


def test_a_chart_begins_with_the_first_value_known() -> None:
    """Months before a source arrived are not an empty half of the picture."""
    data = edition()
    values = data.values.copy()
    early = (values["kpi_id"] == "hours_saved") & (values["period_end"] <= date(2026, 5, 1))
    values.loc[early, "value"] = None
    drawn = shown(index(values, AS_OF), "hours_saved", data.catalog.metrics["hours_saved"])
    assert drawn[0].start == date(2026, 5, 1)


def _painted(part: Any) -> Any:
    """The figure with a colour in place of each token of the style sheet, as the page's script puts it."""
    if isinstance(part, dict):
        return {key: _painted(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_painted(value) for value in part]
    return "#123456" if isinstance(part, str) and part.startswith("--") else part


@pytest.mark.parametrize("kpi_id", list(catalog().metrics))
def test_plotly_knows_every_word_of_a_figure(kpi_id: str) -> None:
    """Its own library refuses a trace or layout with a key or value that there is not."""
    metric = catalog().metrics[kpi_id]
    rows = [replace(value, start=start, end=end) for value, (start, end) in zip(months(), MONTHS, strict=True)]
    rows[3] = replace(rows[3], status="insufficient_data")
    figure = _painted(charts.figure(rows, metric, restated=frozenset([rows[1].start])))
    known = graph_objects.Figure(figure)
    assert [trace.name for trace in known.data] == [trace["name"] for trace in figure["data"]]
    with pytest.raises(ValueError, match="Invalid property"):
        graph_objects.Figure({**figure, "layout": {**figure["layout"], "titel": "typo"}})


def bounded(highs: Sequence[float], **change: Any) -> tuple[Any, list[Value]]:
    """A KPI led by its upper bound, at most 0, with counts of 0 and 1 and these upper ends by month."""
    target = METRIC.target.model_copy(update={"at_most": Decimal(0)}) if METRIC.target else None
    metric = METRIC.model_copy(update={"headline": "upper_bound", "unit": "count", "target": target} | change)
    return metric, [
        replace(row, value=float(at % 2), low=0.0, high=high, unit="count")
        for at, (row, high) in enumerate(zip(months(), highs, strict=True))
    ]


def test_the_number_that_leads_lies_within_the_frame() -> None:
    """Upper ends of 4 and 6 are what the page leads with, so that the frame holds them; of another KPI they are cut."""
    metric, rows = bounded([4.0, 6.0, 4.0, 6.0, 4.0, 6.0, 4.0])
    held = charts.frame(rows, metric)
    assert held.high >= 6.0
    assert not held.is_cut
    plain = charts.frame(rows, metric.model_copy(update={"headline": "value"}))
    assert plain.high < 6.0
    assert plain.is_cut
    band = next(one for one in charts.figure(rows, metric)["data"] if one["name"].startswith("95 %"))
    assert (band["name"], max(y for y in band["y"] if y is not None)) == ("95 % interval, whose upper end leads", 6.0)


def test_a_usual_range_that_misses_the_target_says_so() -> None:
    """0, 1, 0, 1 ...: mean 3/7, moving ranges of 1, so 0 to 3.09 with a target of 0; with one of 10 nothing is said."""
    metric, rows = bounded([4.0] * 7)
    shown = charts.chart("kpi", metric, rows, "title")
    assert shown is not None
    assert "usual range 0\u20133.09" in shown.subtitle
    assert shown.subtitle.endswith("; a part of it misses the target, so usual is not good enough")
    assert METRIC.target is not None
    far = metric.model_copy(update={"target": METRIC.target.model_copy(update={"at_most": Decimal(10)})})
    shown = charts.chart("kpi", far, rows, "title")
    assert shown is not None and "good enough" not in shown.subtitle


@pytest.mark.parametrize(
    ("reason", "says"),
    [("suppressed: fewer than 5 people, or kept back to protect such a group", True), ("no rows", False)],
)
def test_gaps_for_the_sake_of_few_people_are_said(reason: str, says: bool) -> None:
    """A withheld month is no month of nothing; one that nobody measured gives its reason in the table alone."""
    rows = months()
    shown = charts.chart("kpi", METRIC, [*rows[:3], replace(rows[3], value=None, reason=reason), *rows[4:]], "title")
    assert shown is not None
    assert shown.subtitle.endswith(". 1 of 7 withheld to protect small groups: gaps, not zeros") == says
