"""The KPIs of the model as rows of the frame of values: their numbers, intervals, states and the reasons why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from pipeline.catalog.hashes import definition_hash
from pipeline.catalog.model import AnyMetric, Catalog
from pipeline.catalog.target import Target
from pipeline.engine.values import METHODS, PUBLISHED
from pipeline.roi.inputs import next_month
from pipeline.roi.records import Bill, Point, RoiResult, Spread
from pipeline.roi.results import COMPUTED
from pipeline.roi.words import dollars
from pipeline.statistics.verdict import verdict

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, object]
NOT_SIMULATED = Spread(None, None, None, None)


def with_roi(values: pd.DataFrame, catalog: Catalog, result: RoiResult) -> pd.DataFrame:
    """The frame with the rows of the model's KPIs in the place of those that await it."""
    import pandas as pd

    made = {kpi_id: list(_rows(catalog, kpi_id, result)) for kpi_id in KPIS if kpi_id in catalog.metrics}
    filled = [kpi_id for kpi_id, rows in made.items() if rows]
    kept = values[~values["kpi_id"].isin(filled)]
    rows = [row for kpi_id in filled for row in made[kpi_id]]
    return pd.concat([kept, pd.DataFrame(rows, columns=PUBLISHED)], ignore_index=True) if rows else values


def _rows(catalog: Catalog, kpi_id: str, result: RoiResult) -> Iterator[Row]:
    metric = catalog.metrics[kpi_id]
    for grain, start, end, said in KPIS[kpi_id](result):
        yield _row(kpi_id, metric, (grain, start, end), said)


def _row(kpi_id: str, metric: AnyMetric, period: tuple[str, date, date], said: Row) -> Row:
    """One published row; without a value it is not available, with the reason."""
    value = said.get("value")
    status = str(said.get("status", "computed" if value is not None else "not_available"))
    row: Row = {
        "kpi_id": kpi_id, "owner": metric.owner, "grain": period[0], "period_start": period[1], "period_end": period[2],
        "dimension": "", "dimension_value": "", "value": _float(value), "unit": metric.unit,
        "numerator": _text(said.get("numerator")), "denominator": _text(said.get("denominator")), "n": said.get("n"),
        "interval_low": _float(said.get("low")), "interval_high": _float(said.get("high")),
        "interval_method": METHODS[metric.interval], "status": status, "signal": "",
        "definition_hash": definition_hash(metric), "reason": said.get("reason", ""),
    }  # fmt: skip
    return {**row, "verdict": _verdict(metric.target_on(period[2] - timedelta(days=1)), metric, row)}


def _verdict(target: Target | None, metric: AnyMetric, row: Row) -> str:
    if target is None:
        return ""
    if row["status"] != "computed":
        return "" if row["status"] == "not_available" else "inconclusive"
    ends = [np.array([row[name]], dtype=float) for name in ("value", "interval_low", "interval_high")]
    told = verdict(*ends, **{target.side: float(target.value)}, exact=metric.interval == "exact")
    return str(told[0])


def _float(value: object) -> float:
    return float("nan") if value is None else float(str(value))


def _text(value: object) -> str | None:
    """Numerators travel as text: a frame makes doubles of decimals."""
    return None if value is None else f"{value:f}"


Told = tuple[str, date, date, Row]


def _of_points(tell: Callable[[Point], Row]) -> Callable[[RoiResult], Iterator[Told]]:
    """A row per month from what the programme is worth to its end."""

    def rows(result: RoiResult) -> Iterator[Told]:
        for point in result.points:
            yield "month", point.month, next_month(point.month), _point_row(point, tell(point))

    return rows


def _point_row(point: Point, said: Row) -> Row:
    """What all KPIs of a point say: how far back it looks, how many claims it rests on, and its state."""
    window = f"{point.since:%Y-%m} to {point.month:%Y-%m}, {point.months} of 36 months"
    if point.status != COMPUTED:
        status = "insufficient_data" if point.status == "insufficient evidence" else "not_available"
        return {"status": "not_available", "reason": f"{status.replace('_', ' ')}: {point.reason}", "n": point.claims}
    reasons = [str(said.get("reason") or ""), window]
    return {**said, "n": point.claims, "reason": "; ".join(one for one in reasons if one)}


def _ends(spread: Spread | None) -> Row:
    """P10 and P90 as the ends of the interval."""
    held = spread or NOT_SIMULATED
    return {"low": held.p10, "high": held.p90}


def _roi(point: Point) -> Row:
    return {"value": point.roi, "numerator": point.net, "denominator": point.pv_costs, **_ends(point.roi_spread)}


def _net(point: Point) -> Row:
    chance = point.net_spread.chance if point.net_spread else None
    reason = "" if chance is None else f"P10 to P90; above 0 in {chance * 100:.1f} % of draws"
    return {"value": point.net, "numerator": point.pv_benefits, **_ends(point.net_spread), "reason": reason}


def _payback(point: Point) -> Row:
    return {"value": point.payback, **_ends(point.payback_spread), "reason": point.payback_reason}


def _savings(result: RoiResult) -> Iterator[Told]:
    """Cash of the month that no longer leaves; the interval is that of the simulation, month by month."""
    for point in result.points:
        held = [one for one in result.claims if one.month == point.month and one.ledger == "cash"]
        reason = "" if point.savings is not None else _no_savings(result, point)
        said: Row = {"value": point.savings, "numerator": point.savings, "n": len(held), "reason": reason}
        yield "month", point.month, next_month(point.month), said | _ends(point.savings_spread)


def _no_savings(result: RoiResult, point: Point) -> str:
    held = [one for one in result.claims if one.month == point.month and one.ledger == "cash"]
    told = dict.fromkeys(f"{one.line}: {one.status} ({one.reason})" for one in held if not one.is_in_headline)
    return "insufficient evidence: " + "; ".join(list(told)[:3]) if told else "no cash line claims anything"


def _gap(result: RoiResult) -> Iterator[Told]:
    """Telemetry against invoice."""
    for bill in result.bills:
        yield "month", bill.month, next_month(bill.month), _bill_row(bill)


def _bill_row(bill: Bill) -> Row:
    said: Row = {"value": bill.gap, "numerator": bill.numerator, "denominator": bill.invoice, "n": bill.lines}
    return {**said, "low": bill.gap, "high": bill.gap, "reason": bill.reason}


def _evidence(result: RoiResult) -> Iterator[Told]:
    """Claims graded A or B over all claims, by month and by quarter."""
    months = [point.month for point in result.points]
    for month in months:
        yield "month", month, next_month(month), _share(result, [month])
    for start in sorted({date(month.year, month.month - (month.month - 1) % 3, 1) for month in months}):
        span = [start, next_month(start), next_month(next_month(start))]
        if all(month in months for month in span):
            yield "quarter", start, next_month(span[-1]), _share(result, span)


def _share(result: RoiResult, months: list[date]) -> Row:
    held = [one for one in result.claims if one.month in months and one.amount is not None and one.is_claim]
    backed = [one for one in held if one.grade in ("A", "B") and one.is_in_headline]
    top, bottom = (sum((one.amount or Decimal(0) for one in part), Decimal("0.00")) for part in (backed, held))
    if bottom <= 0:
        return {"value": None, "n": len(held), "reason": "nothing is claimed in this period"}
    told = f"{dollars(top)} of the {dollars(bottom)} claimed in the period, whether they count or not"
    return {"value": top / bottom, "numerator": top, "denominator": bottom, "n": len(held), "reason": told}


KPIS: dict[str, Callable[[RoiResult], Iterator[Told]]] = {
    "programme_roi": _of_points(_roi),
    "net_benefit": _of_points(_net),
    "payback_months": _of_points(_payback),
    "cost_savings": _savings,
    "evidence_backed_benefit_share": _evidence,
    "bill_reconciliation_gap": _gap,
}
"""The KPIs that the model fills, and how."""
