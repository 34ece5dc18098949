"""Where the marks of the drawings must stand, and what the charts must be made of, from recomputed points alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import scorecard_text as text
from oracle_scorecard import Kpi, Point

WIDE, HIGH, EDGE = 100.0, 24.0, 3.0


def bullet(kpi: Kpi) -> list[str]:
    """A bar from zero to the value, or a dot where the scale begins above zero, with its interval and its target."""
    now, limit, unit = kpi.now, kpi.limit, kpi.definition["unit"]
    if now is None or now.value is None or limit is None:
        return []
    aim, ends = float(limit), now.ends
    known = [now.value, aim, *(one for one in ends if one is not None)]
    is_dot = unit == "ratio" and aim >= 0.95
    if is_dot:
        low = min([1 - 3 * max(1 - aim, 0.001), *known])
        low, high = low - 0.05 * (1 - low), 1.0
    else:
        top = max(known) * 1.2
        low, high = 1.2 * min([0.0, *known]), min(top, 1.0) if unit == "ratio" else top

    def place(value: float) -> float:
        return round(WIDE * min(max((value - low) / (high - low), 0), 1), 2)

    at, zero, goal = place(now.value), place(max(low, 0.0)), place(aim)
    width = max(round(abs(at - zero), 2), 0.6)
    bar = f"rect {round(max(at - 1.2, 0), 2)} 3 2.4 10" if is_dot else f"rect {min(zero, at)} 5 {width} 6"
    whisker = [f"path M{place(ends[0])} 8H{place(ends[1])}"] if ends[0] is not None and ends[1] is not None else []
    return ["rect 100 16", bar, *whisker, f"path M{goal} 1V15"]


def spark(points: Sequence[Point]) -> list[str]:
    """Twelve months from left to right, the highest above; a gap in the values is a gap in the line."""
    known = [one.value for one in points if one.value is not None]
    if len(known) < 2:
        return []
    low, high, step = min(known), max(known), (WIDE - 2 * EDGE) / max(len(points) - 1, 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for at, one in enumerate(points):
        if one.value is None:
            runs.append([])
        else:
            up = (one.value - low) / (high - low) if high > low else 0.5
            runs[-1].append((round(EDGE + at * step, 1), round(HIGH - EDGE - up * (HIGH - 2 * EDGE), 1)))
    drawn = [run for run in runs if run]
    lines = ["polyline " + " ".join(f"{x:g},{y:g}" for x, y in run) for run in drawn if len(run) > 1]
    dots = [f"circle {run[0][0]} {run[0][1]}" for run in drawn if len(run) == 1]
    newest = [f"circle {drawn[-1][-1][0]} {drawn[-1][-1][1]}"] if points[-1].value is not None else []
    return [*lines, *dots, *newest]


def bounds(kpi: Kpi) -> tuple[float, float]:
    """The least and the most that a value of its unit can be."""
    is_signed = kpi.definition["unit"] == "points" or kpi.definition["kind"] in ("uplift", "formula")
    top = 1.0 if kpi.definition["unit"] == "ratio" and not is_signed else float("inf")
    return float("-inf") if is_signed else 0.0, top


def numbers(spec: Any) -> Any:
    """The numbers of a chart in the page: what each trace draws at which day, and what the axis spans."""
    traces = {one["name"]: (one["x"], one["y"], one.get("customdata") or one.get("text")) for one in spec["data"]}
    return traces | {"axis": spec["layout"]["yaxis"]["range"]}


def chart(kpi: Kpi, noted: Sequence[Point] = ()) -> Any:
    """The same from recomputed points; `noted` are those with a note of the analyst, in the order of the notes."""
    points, (low, high), is_cut = kpi.drawn, *_axis(kpi)
    days = [one.period.start.isoformat() for one in points]
    known = [one for one in points if one.value is not None]
    thin = [one for one in known if one.status != "computed"]
    begun = [one for one, before in zip(points, [None, *points], strict=False) if _begins(kpi, one, before)]
    traces: dict[str, Any] = {kpi.definition["name"]: (
        days, [_six(one.value if one.status == "computed" else None) for one in points], [one.n for one in points]
    )}  # fmt: skip
    if any(one.ends[0] is not None and one.ends[1] is not None for one in known):
        traces[text.interval_name(kpi) + (", cut at the frame" if is_cut else "")] = _band(points, (low, high))
    if kpi.limits:
        mean, *limits = kpi.limits
        inside = [one for one in limits if bounds(kpi)[0] < one < bounds(kpi)[1]]
        traces["mean"] = _levels(days, [mean])
        traces |= {"limits of the usual range": _levels(days, inside)} if inside else {}
    if thin:
        traces[f"too few data: n below {kpi.definition['min_n']}"] = _marks(thin)
    if kpi.limit is not None:
        since, level = date.fromisoformat(kpi.definition["target"]["since"]), float(kpi.limit)
        held = [one.period.end > since for one in points]
        steps = [*days, points[-1].period.end.isoformat()], [*(level if one else None for one in held), level], None
        traces[f"target: {text.goal(kpi)}"] = _levels(days, [level]) if all(held) else steps
    if begun:
        traces["signal begins"] = (*_marks(begun)[:2], None)
    if noted:
        numbered = [str(number) for number, _ in enumerate(noted, 1)]
        traces["note"] = [one.period.start.isoformat() for one in noted], [_six(low) for _ in noted], numbered
    return traces | {"axis": [_six(low), _six(high)]}


def _six(value: float | None) -> float | None:
    """Six digits that count."""
    return None if value is None else float(f"{value:.6g}")


def _begins(kpi: Kpi, one: Point, before: Point | None) -> bool:
    word, last = (kpi.signals.get(point.period, "") if point else "" for point in (one, before))
    return word not in ("", "none", "trial", last)


def _marks(points: Sequence[Point]) -> tuple[list[str], list[float | None], list[int | None]]:
    days = [one.period.start.isoformat() for one in points]
    return days, [_six(one.value) for one in points], [one.n for one in points]


def _levels(days: Sequence[str], levels: Sequence[float]) -> tuple[list[Any], list[Any], None]:
    """Lines through the whole chart, with a gap between two of them."""
    x = [at for _ in levels for at in (days[0], days[-1], None)][:-1]
    return x, [_six(at) for level in levels for at in (level, level, None)][:-1], None


def _band(points: Sequence[Point], axis: tuple[float, float]) -> tuple[list[Any], list[Any], None]:
    """Up the low ends and back the high ends of each unbroken run, cut at the axis; one point is a quarter as wide."""
    x: list[Any] = []
    y: list[Any] = []
    run: list[tuple[str, float, float]] = []
    hours = 0
    for one in [*points, None]:
        low, high = one.ends if one is not None and one.value is not None else (None, None)
        if one is not None and low is not None and high is not None:
            run.append((one.period.start.isoformat(), *(min(max(end, axis[0]), axis[1]) for end in (low, high))))
            hours = (one.period.end - one.period.start).days * 3
        elif run:
            if len(run) == 1:
                midnight = datetime.fromisoformat(run[0][0])
                run = [((midnight + timedelta(hours=at)).isoformat(), *run[0][1:]) for at in (-hours, hours)]
            x += [day for day, _, _ in run] + [day for day, _, _ in reversed(run)] + [None]
            y += [_six(end) for _, end, _ in run] + [_six(end) for _, _, end in reversed(run)] + [None]
            run = []
    return x[:-1], y[:-1], None


def _axis(kpi: Kpi) -> tuple[tuple[float, float], bool]:
    """What the axis spans: values, target and usual range, intervals as far as half of that beyond it, and 4 %."""
    floor, ceiling = bounds(kpi)
    inner = [one.value for one in kpi.drawn if one.value is not None]
    inner += [float(kpi.limit)] if kpi.limit is not None else []
    inner += [max(kpi.limits[1], floor), min(kpi.limits[2], ceiling)] if kpi.limits else []
    low, high = min(inner), max(inner)
    room = 0.5 * ((high - low) or abs(high) or 1.0)
    ends = [end for one in kpi.drawn if one.value is not None for end in one.ends if end is not None]
    reach = [*inner, *(min(max(end, low - room), high + room) for end in ends)]
    edge = 0.04 * ((max(reach) - min(reach)) or abs(high) or 1.0)
    is_cut = any(not low - room <= end <= high + room for end in ends)
    return (max(min(reach), floor) - edge, min(max(reach), ceiling) + edge), is_cut
