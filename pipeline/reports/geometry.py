"""Where the marks of the small inline graphics go; the templates draw them."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalog.model import AnyMetric
from pipeline.reports import formats, words
from pipeline.reports.model import Bullet, Spark, Value

WIDTH, SPARK_HEIGHT, MARGIN = 100.0, 24.0, 3.0


def _scale(metric: AnyMetric, known: list[float]) -> tuple[float, float, bool]:
    """Low end, high end, and whether the scale leaves out zero (then a dot, never a bar, may stand on it)."""
    limit = words.limit(metric) or 0.0
    if metric.unit == "ratio" and limit >= 0.95:
        low = min([1 - 3 * max(1 - limit, 0.001), *known])
        return low - 0.05 * (1 - low), 1.0, True
    low, high = min([0.0, *known]), max(known)
    high = min(high * 1.2, 1.0) if metric.unit == "ratio" else high * 1.2
    return (low * 1.2, high, False) if high > low else (low, low + 1, False)


def bullet(row: Value, metric: AnyMetric) -> Bullet | None:
    """A bullet chart (Few, 2006) of the value against its target; none without both."""
    limit = words.limit(metric)
    if row.value is None or limit is None:
        return None
    known = [number for number in (row.value, row.low, row.high, limit) if number is not None]
    low, high, is_dot = _scale(metric, known)

    def place(number: float) -> float:
        return round(WIDTH * min(max((number - low) / (high - low), 0), 1), 2)

    span = formats.interval(row).text
    return Bullet(
        label=f"{words.leading(row, metric).text}, interval {span}, target {words.target(metric)}",
        zero=place(max(low, 0.0)),
        value=place(row.value),
        low=None if row.low is None else place(row.low),
        high=None if row.high is None else place(row.high),
        target=place(limit),
        is_dot=is_dot,
    )


def _runs(marks: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Unbroken runs: a gap in the data is a gap in the line."""
    runs: list[list[tuple[float, float]]] = [[]]
    for mark in marks:
        if mark is None:
            runs.append([])
        else:
            runs[-1].append(mark)
    return [run for run in runs if run]


def _spark_label(rows: Sequence[Value], metric: AnyMetric) -> str:
    known = [row for row in rows if row.value is not None]
    ends = (known[0], known[-1])
    said = [f"{formats.period(row.grain, row.start, row.end)} {words.leading(row, metric).text}" for row in ends]
    numbers = [row.value for row in known if row.value is not None]
    span = f"lowest {words.seen(min(numbers), metric)}, highest {words.seen(max(numbers), metric)}"
    gaps = f", {len(rows) - len(known)} months without a value" if len(known) < len(rows) else ""
    return f"{len(rows)} months: {said[0]} to {said[1]}; {span}{gaps}"


def spark(rows: Sequence[Value], metric: AnyMetric) -> Spark | None:
    """A sparkline of months; fewer than two values draw none, and a last month without a value has no mark."""
    numbers = [row.value for row in rows if row.value is not None]
    if len(numbers) < 2:
        return None
    low, high = min(numbers), max(numbers)
    step = (WIDTH - 2 * MARGIN) / max(len(rows) - 1, 1)

    def place(at: int, value: float | None) -> tuple[float, float] | None:
        if value is None:
            return None
        up = 0.5 if high == low else (value - low) / (high - low)
        return round(MARGIN + at * step, 1), round(SPARK_HEIGHT - MARGIN - up * (SPARK_HEIGHT - 2 * MARGIN), 1)

    runs = _runs([place(at, row.value) for at, row in enumerate(rows)])
    return Spark(
        label=_spark_label(rows, metric),
        lines=tuple(" ".join(f"{x:g},{y:g}" for x, y in run) for run in runs if len(run) > 1),
        dots=tuple(run[0] for run in runs if len(run) == 1),
        last=None if rows[-1].value is None else runs[-1][-1],
    )
