"""The values of an edition, indexed the way pages ask for them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.reports.model import Value

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.catalog.model import Metric

CADENCE_GRAIN = {"daily": "day", "weekly": "week", "monthly": "month", "quarterly": "quarter"}
"""The grain a KPI is judged on: its chart and its signal."""
WINDOW_GRAIN = {"daily": "28d", "weekly": "28d", "monthly": "month", "quarterly": "quarter"}
"""The grain a KPI is headlined on: a trailing month's worth, so that one odd day makes no headline."""
POINTS_SHOWN = {"day": 400, "week": 60, "month": 36, "quarter": 20}
"""How far back a chart goes; older values are in the downloads."""
_STANDING = {"computed": 0, "insufficient_data": 1, "immature": 2, "not_available": 3}


def _none(value: Any) -> Any:
    """None for every way a frame says unknown: None, NaN, NaT, NA."""
    return None if value is None or value != value or str(value) in ("<NA>", "NaT") else value


def _number(value: Any) -> float | None:
    found = _none(value)
    return float(found) if found is not None and math.isfinite(found) else None


def _decimal(value: Any) -> Decimal | None:
    found = _none(value)
    if found is None or not math.isfinite(found):
        return None
    return found if isinstance(found, Decimal) else Decimal(str(found))


def _date(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def text(value: Any) -> str:
    """Text of a cell; unknown is empty."""
    found = _none(value)
    return "" if found is None else str(found)


def records(frame: pd.DataFrame) -> Iterator[Value]:
    """The rows of a values frame as typed records."""
    names = list(frame.columns)
    for cells in frame.itertuples(index=False, name=None):
        yield _record(dict(zip(names, cells, strict=True)))


def _record(row: dict[str, Any]) -> Value:
    count = _none(row["n"])
    return Value(
        kpi_id=str(row["kpi_id"]),
        grain=str(row["grain"]),
        start=_date(row["period_start"]),
        end=_date(row["period_end"]),
        dimension=text(row["dimension"]),
        dimension_value=text(row["dimension_value"]),
        value=_number(row["value"]),
        unit=str(row["unit"]),
        numerator=_decimal(row["numerator"]),
        denominator=_decimal(row["denominator"]),
        n=None if count is None else int(count),
        low=_number(row["interval_low"]),
        high=_number(row["interval_high"]),
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
    """Overall values by KPI and grain, oldest first, and the frame for slices."""

    frame: pd.DataFrame
    overall: dict[tuple[str, str], tuple[Value, ...]]

    def series(self, kpi_id: str, grain: str) -> tuple[Value, ...]:
        """Overall values of a KPI at a grain, oldest first."""
        return self.overall.get((kpi_id, grain), ())

    def slices(self, current: Value) -> list[Value]:
        """Every slice of the period of an overall value."""
        frame = self.frame
        same = (frame["kpi_id"] == current.kpi_id) & (frame["grain"] == current.grain) & (frame["dimension"] != "")
        part = frame[same]
        inside = [_date(a) == current.start and _date(b) == current.end
                  for a, b in zip(part["period_start"], part["period_end"], strict=True)]  # fmt: skip
        return list(records(part[inside]))


def index(frame: pd.DataFrame) -> Values:
    """Index the overall rows; slices stay in the frame until a page asks."""
    groups: defaultdict[tuple[str, str], list[Value]] = defaultdict(list)
    for row in records(frame[frame["dimension"].fillna("") == ""]):
        groups[row.kpi_id, row.grain].append(row)
    return Values(frame, {key: tuple(sorted(rows, key=lambda row: row.end)) for key, rows in sorted(groups.items())})


def current(values: Values, kpi_id: str, metric: Metric) -> Value | None:
    """The value a page headlines: the newest computed one, else the newest of the best standing there is."""
    for grain in (WINDOW_GRAIN[metric.cadence], CADENCE_GRAIN[metric.cadence]):
        rows = values.series(kpi_id, grain)
        if rows:
            return min(rows, key=lambda row: (_STANDING.get(row.status, 3), -row.end.toordinal()))
    return None


def prior(values: Values, now: Value) -> Value | None:
    """The newest earlier period that does not overlap and has a value."""
    earlier = [row for row in values.series(now.kpi_id, now.grain) if row.end <= now.start and row.value is not None]
    return earlier[-1] if earlier else None


def judged(values: Values, kpi_id: str, metric: Metric) -> Value | None:
    """The newest value of the cadence grain on which a signal was looked for."""
    rows = [row for row in values.series(kpi_id, CADENCE_GRAIN[metric.cadence]) if row.signal]
    return rows[-1] if rows else None


def year(values: Values, kpi_id: str) -> list[Value]:
    """The last twelve months, unfinished ones left out."""
    rows = [row for row in values.series(kpi_id, "month") if row.status != "immature"]
    return rows[-12:]


def shown(values: Values, kpi_id: str, metric: Metric) -> tuple[Value, ...]:
    """The values a chart draws."""
    grain = CADENCE_GRAIN[metric.cadence]
    return values.series(kpi_id, grain)[-POINTS_SHOWN[grain] :]
