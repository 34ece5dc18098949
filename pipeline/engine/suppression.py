"""Groups of fewer than five people are not published, and cannot be worked out from what is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_GROUP = 5
REASON = f"suppressed: fewer than {SMALLEST_GROUP} people"
_HIDDEN = ["value", "numerator", "denominator", "n", "interval_low", "interval_high"]


def suppress(counted: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Blank the rows of `frame` that count fewer than five people, in place; `counted` are the rows that count people.

    When just one slice of a dimension is blank in a period, the next smallest is blanked too: the total less the
    others would give it away (complementary suppression; Hundepool et al. 2012, Statistical Disclosure Control, 4.2).
    """
    counts = counted["clusters"].fillna(counted["n"])  # several answers of one person are one person
    hidden = set(counted.index[(counts > 0) & (counts < SMALLEST_GROUP)])
    sliced = counted[counted["dimension"] != ""]
    small = sliced.index.to_series().isin(hidden)
    periods = ["kpi_id", "grain", "period_start", "period_end", "dimension"]
    blank = small.groupby([sliced[name] for name in periods], sort=False).transform("sum")
    for _, group in sliced[blank == 1].groupby(periods, sort=False):
        others = group[~group.index.isin(hidden) & (counts[group.index] > 0)]  # nobody cannot hide anybody
        rest = others.sort_values(["n", "dimension_value"], kind="stable")
        hidden.update(rest.index[:1])
    rows = sorted(hidden)
    frame.loc[rows, _HIDDEN] = None
    frame.loc[rows, "status"] = "not_available"
    frame.loc[rows, "reason"] = REASON
    frame.loc[rows, "verdict"] = "inconclusive"
