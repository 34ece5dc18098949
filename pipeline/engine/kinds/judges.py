"""A share as judges tell it, each judge corrected by items that people labelled as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from pipeline.engine.kinds.base import Floats, Leaf, Look, Measured, from_rows, nothing, slices
from pipeline.engine.kinds.sums import Sums
from pipeline.statistics.intervals import wilson
from pipeline.statistics.judges import judge_corrected, judge_corrected_interval, pooled_by

if TYPE_CHECKING:
    import pandas as pd

LEAST_COUNTS = 10
"""A judge is corrected when at least so many good and so many bad items of it were labelled by people."""
_FOREVER = 36_500
_COUNTS = {
    "good": "sum(is_good)", "good_passed": "sum(is_good * is_passed)",
    "bad": "sum(1 - is_good)", "bad_rejected": "sum((1 - is_good) * (1 - is_passed))",
}  # fmt: skip
"""Name -> aggregate SQL over labels: items people call good and bad, and of each those the judge saw as such."""
_CUT = ["grain", "period_start", "period_end", "dimension", "dimension_value"]


class JudgedKind(Sums):
    """Each judge's share is corrected by itself; the value is their mean, weighted by how much each judged.

    The labels of a period are all those made before its end. Numerator and denominator are as told, uncorrected.
    """

    def measures(self, m: Any, fact: str) -> dict[str, str]:
        """Both sides of the judged rows; labels are only counted."""
        return super().measures(m, fact) if fact == m.fact else {"labelled": "count(*)"}

    def reach_days(self, m: Any) -> int:
        """A label corrects every period that ends after it."""
        return _FOREVER

    def leaves(self, kpi_id: str, m: Any) -> Iterator[Leaf]:
        """Both sides by judge, day and slice; and the labels by judge and day."""
        above, below = self.pair(m)
        columns, groups = slices(m.dimensions, keys=f"day, {m.judge}")
        told = f"SELECT day, {m.judge} AS judge, {columns}, {above} AS x, {below} AS y FROM {from_rows(m.fact)}"
        yield Leaf(f"judged_{kpi_id}", m.fact, f"{told} GROUP BY {groups}")
        counts = ", ".join(f"{sql} AS {name}" for name, sql in _COUNTS.items())
        labelled = f"SELECT day, {m.judge} AS judge, {counts} FROM {from_rows(m.labels)} GROUP BY day, {m.judge}"
        yield Leaf(f"labels_{kpi_id}", m.labels, labelled)

    def measure(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str, m: Any, end: date) -> Measured:
        """The corrected share of each row of the frame, and what the judges said before in its note."""
        value, low, high = nothing(frame), nothing(frame), nothing(frame)
        judged = _by_judge(con, frame, kpi_id)
        told = _Told(*(judged[name].to_numpy(dtype=float) for name in ("x", "y", *_COUNTS)))
        places, group = np.unique(judged["place"].to_numpy(dtype=np.int64), return_inverse=True)
        value[places], low[places], high[places] = pooled_by(group, told.y, *told.corrected())
        note = frame["note"].to_numpy(dtype=object, copy=True)
        note[places] = told.notes(group, judged["judge"].notna().to_numpy())
        frame["note"] = note
        return value, low, high

    def rows_sql(self, m: Any, look: Look) -> str:
        """Shares and labels counted over the rows, the correction written out."""
        above, below = self.pair(m)
        told = f"SELECT {m.judge} AS judge, {above} AS x, {below} AS y {look.source(m.fact)} GROUP BY {m.judge}"
        counts = ", ".join(f"{sql} AS {name}" for name, sql in _COUNTS.items())
        labels = f"SELECT {m.judge} AS judge, {counts} FROM facts.{m.labels} WHERE day < DATE '{look.end}' GROUP BY 1"
        gain = "(good_passed / good + bad_rejected / bad - 1)"
        corrected = f"least(1, greatest(0, (x / y + bad_rejected / bad - 1) / {gain}))"
        is_known = f"good >= {LEAST_COUNTS} AND bad >= {LEAST_COUNTS} AND {gain} > 0"
        return (
            f"SELECT sum(x) AS numerator, sum(y) AS denominator, "
            f"sum(y * CASE WHEN {is_known} THEN {corrected} ELSE x / y END) / sum(y) AS value "
            f"FROM ({told}) AS told LEFT JOIN ({labels}) AS labelled USING (judge) WHERE y > 0"
        )


def _by_judge(con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, kpi_id: str) -> pd.DataFrame:
    """One row per row of the frame (`place`) and judge with x, y and the counts of labels, 0 where there are none."""
    con.register("cuts_frame", frame[_CUT].assign(place=frame.index))
    counts = ", ".join(f"coalesce(sum(l.{name}), 0)::DOUBLE AS {name}" for name in _COUNTS)
    found = con.execute(
        f"""WITH cuts AS (SELECT * REPLACE (period_start::DATE AS period_start, period_end::DATE AS period_end)
                          FROM cuts_frame),
        told AS (
          SELECT c.place, c.period_end, s.judge, sum(s.x)::DOUBLE AS x, sum(s.y)::DOUBLE AS y
          FROM cuts AS c JOIN states.judged_{kpi_id} AS s ON s.day >= c.period_start AND s.day < c.period_end
            AND s.dimension = c.dimension AND s.dimension_value = c.dimension_value
          GROUP BY ALL HAVING sum(s.y) > 0
        ),
        known AS (
          SELECT e.period_end, l.judge, {counts}
          FROM (SELECT DISTINCT period_end FROM cuts) AS e JOIN states.labels_{kpi_id} AS l ON l.day < e.period_end
          GROUP BY ALL
        )
        SELECT place, judge, x, y, {", ".join(f"coalesce({name}, 0) AS {name}" for name in _COUNTS)}
        FROM told LEFT JOIN known USING (period_end, judge) ORDER BY place, judge"""
    ).df()
    con.unregister("cuts_frame")
    return found


@dataclass(frozen=True)
class _Told:
    """What judges said in periods and slices, and what labels say of them; an entry per judge of each."""

    x: Floats
    y: Floats
    good: Floats
    good_passed: Floats
    bad: Floats
    bad_rejected: Floats

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Whether enough is known of the judge, and it is better than chance."""
        is_labelled = (self.good >= LEAST_COUNTS) & (self.bad >= LEAST_COUNTS)
        gain = self.good_passed / np.maximum(self.good, 1) + self.bad_rejected / np.maximum(self.bad, 1) - 1
        return np.asarray(is_labelled & (gain > 0))

    def corrected(self) -> Measured:
        """Value and interval; as told, with Wilson's interval, where a judge cannot be corrected."""
        passes = np.where(self.is_known, self.good_passed / np.maximum(self.good, 1), 1.0)
        rejects = np.where(self.is_known, self.bad_rejected / np.maximum(self.bad, 1), 1.0)
        value = judge_corrected(self.x / self.y, passes, rejects)
        ends = judge_corrected_interval(self.x, self.y, (self.good_passed, self.good, self.bad_rejected, self.bad))
        plain = wilson(self.x, self.y)
        low, high = (np.where(self.is_known & ~np.isnan(a), a, b) for a, b in zip(ends, plain, strict=True))
        return value, np.minimum(low, value), np.maximum(high, value)

    def notes(self, group: NDArray[np.int64], is_judge: NDArray[np.bool_]) -> list[str]:
        """Of each group of judges, what they said, and how much of it could not be corrected."""

        def total(amounts: Floats) -> Floats:
            return np.asarray(np.bincount(group, weights=amounts), dtype=float)

        passed, judged, left = total(self.x), total(self.y), total(self.y * (is_judge & ~self.is_known))
        is_corrected = total(self.is_known.astype(float)) > 0
        return [_note(*one) for one in zip(passed, judged, left, is_corrected, strict=True)]


def _note(passed: float, judged: float, left: float, is_corrected: bool) -> str:
    share = f"{100 * passed / judged:.1f} % as told, before correction"
    uncorrected = f"{int(left)} of {int(judged)} by judges without labels, uncorrected"
    return "; ".join(part for part, is_told in ((share, is_corrected), (uncorrected, left > 0)) if is_told)
