"""The KPIs of the return worked out anew, month by month, from the trees that `roi explain` prints of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from oracle_return import Line, Return, exact
from oracle_scorecard import Json, Kpi, Point, verdict_of
from oracles_kpis import Period

D = Decimal


@dataclass(frozen=True)
class Model:
    """The KPIs of the return, from its trees, its rows (claims and costs) and the tree of the bill."""

    told: Return
    rows: Sequence[Mapping[str, str]]
    explained: Mapping[str, Json]
    """What `roi explain --course --json` printed of each."""

    def kpi(self, kpi_id: str) -> Kpi:
        """A KPI with a point for each month, or quarter."""
        tell = {"programme_roi": self._roi, "net_benefit": self._net, "payback_months": self._payback,
                "cost_savings": self._savings}.get(kpi_id)  # fmt: skip

        def of_grain(grain: str) -> Sequence[Point]:
            if kpi_id == "evidence_backed_benefit_share":
                return list(self._backed(grain))
            if kpi_id == "bill_reconciliation_gap":
                return list(self._gap(grain))
            months = self.told.months if tell and grain == "month" else []
            return [self._point(kpi_id, code, *tell(code)) for code in months if tell]

        return Kpi(kpi_id, self.explained[kpi_id], of_grain, note=lambda point: self._note(kpi_id, point))

    def _note(self, kpi_id: str, point: Point) -> str:
        """How far back a running total looks, and the chance that the net is above 0."""
        code = f"{point.period.start:%Y-%m}"
        months = sum(month <= code for month in self.told.months)
        chance = 100 * float((self.told.simulated[code] > 0).mean()) if kpi_id == "net_benefit" else None
        window = f"{months} of 36 months" if kpi_id in ("programme_roi", "net_benefit", "payback_months") else ""
        return window if chance is None else f"above 0 in {chance:.1f} % of draws; {window}"

    def _point(self, kpi_id: str, code: str, value: Decimal | None, ends: tuple[Any, Any], n: int) -> Point:
        told = self.explained[kpi_id]
        status, known = "not_available" if value is None else "computed", None if value is None else float(value)
        verdict = verdict_of(told["definition"]["target"], known, ends, status, is_exact=False)
        return Point(_month(code), known, ends, n, status, told["published"]["interval_method"], verdict)

    def _claims(self, until: str) -> int:
        return sum(row["kind"] == "claim" and row["month"][:7] <= until for row in self.rows)

    def _is_told(self, code: str) -> bool:
        return any(one.month <= code for one in self.told.counted)

    def _roi(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        if not self._is_told(code):
            return None, (None, None), self._claims(code)
        gains, spent = self.told.present(code)
        draws = self.told.simulated[code] / self._spent_draws(code)
        value = ((gains - spent) / spent).quantize(D("0.000001"))
        return value, _quantiles(draws, "0.000001"), self._claims(code)

    def _spent_draws(self, code: str) -> Any:
        """Costs to the end of a month as present value, for each draw of the discount rate."""
        held = self.told.told["simulation"]["rate"]
        rate = self.told.draws.get(held["name"], float(held["base"]))
        at = {month: place for place, month in enumerate(self.told.months)}
        paid = [(float(one.amount), at[one.month]) for one in self.told.costs if one.month <= code]
        return sum(amount * (1 + rate) ** (-place / 12) for amount, place in paid)

    def _net(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        if not self._is_told(code):
            return None, (None, None), self._claims(code)
        gains, spent = self.told.present(code)
        return gains - spent, _quantiles(self.told.simulated[code], "0.01"), self._claims(code)

    def _payback(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        paid = self.told.payback
        assert paid is None, "the programme has paid back: work out the months before"
        return None, (None, None), self._claims(code)

    def _savings(self, code: str) -> tuple[Decimal | None, tuple[Any, Any], int]:
        """Counted cash of one month; every cash line of the sample is about spending that fell away."""
        cash = [row for row in self.rows if row["ledger"] == "cash" and row["month"][:7] == code]
        held = [one for one in self.told.counted if one.month == code and one.line in {row["line"] for row in cash}]
        if not held:
            return None, (None, None), len(cash)
        value = sum((exact(one.counted) or D(0) for one in held if one.counted), D(0))
        return value, _quantiles(self._drawn(held), "0.01"), len(cash)

    def _drawn(self, held: Sequence[Line]) -> Any:
        weight = self.told.told["simulation"]["weight"]
        of_grade_c = self.told.draws.get(weight["name"], float(weight["base"]))
        return sum(self.told._gain(one, self.told.draws, of_grade_c) for one in held)

    def _backed(self, grain: str) -> Iterator[Point]:
        """Claims of grade A or B that count over all that claim something themselves, by month and whole quarter."""
        method = self.explained["evidence_backed_benefit_share"]["published"]["interval_method"]
        for period, codes in self._spans(grain):
            (said,) = self.told.beside("said about another line")
            apart = {id(node) for node in said["children"]}
            held = [one for one in self.told.claims if one.month in codes and id(one.amount) not in apart]
            backed = [one for one in held if one.grade in "AB" and one.counted is not None]
            top, bottom = (sum((exact(one.amount) or D(0) for one in part), D(0)) for part in (backed, held))
            value = float(top / bottom) if bottom > 0 else None
            status = "not_available" if value is None else "computed"
            yield Point(period, value, (None, None), len(held), status, method)

    def _spans(self, grain: str) -> Iterator[tuple[Period, list[str]]]:
        months = self.told.months
        if grain == "month":
            yield from ((_month(code), [code]) for code in months)
        for at, code in enumerate(months):
            if grain == "quarter" and int(code[5:]) % 3 == 1 and at + 3 <= len(months):
                yield Period("quarter", _month(code).start, _month(months[at + 2]).end), months[at : at + 3]

    def _gap(self, grain: str) -> Iterator[Point]:
        """The month whose tree was printed: what telemetry and invoice differ by, as a share of the invoice."""
        told = self.explained["bill_reconciliation_gap"]
        if grain == "month":
            difference, invoice = told["tree"]["children"]
            telemetry, billed = (exact(node) or D(0) for node in difference["children"][0]["children"])
            assert billed == exact(invoice)
            value = float((abs(telemetry - billed) / billed).quantize(D("0.000001")))
            verdict = verdict_of(told["definition"]["target"], value, (value, value), "computed", is_exact=True)
            method = told["published"]["interval_method"]
            lines = int(invoice["source"].split()[0])
            yield Point(_month(told["month"][:7]), value, (value, value), lines, "computed", method, verdict)


def _quantiles(draws: Any, step: str) -> tuple[float, float]:
    low, high = (float(D(str(float(end))).quantize(D(step), "ROUND_HALF_UP")) for end in np.quantile(draws, [0.1, 0.9]))
    return low, high


def _month(code: str) -> Period:
    start = date(int(code[:4]), int(code[5:7]), 1)
    return Period("month", start, (start + timedelta(31)).replace(day=1))
