"""What is called a share and is above 1: a rate has its interval all the same, and trials fewer than successes none."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from engine_room import CATALOG, empty, fill, value, values

KPI = "change_failure_rate"
UPSIDE_DOWN = {"numerator": "count(*)", "denominator": "sum(is_failed)", "min_n": 1, "examples": ()}


def told(counts: tuple[int, int, int] = (2, 3, 1), **change: Any) -> pd.Series:
    """Deployments by failed ones of three services, of which so many were deployed and one of each failed."""
    metric = CATALOG.metrics[KPI].model_copy(update=UPSIDE_DOWN | change)
    with empty() as con:
        for service, count in zip("abc", counts, strict=True):
            for number in range(count):
                fill(con, "deployments", {
                    "deployment_id": f"{service}{number}", "service": service, "environment": "production",
                    "finished_at": "2026-01-07 10:00:00Z", "result": "succeeded" if number else "failed",
                })  # fmt: skip
        fill(con, "deployments", {"deployment_id": "later", "service": "d", "finished_at": "2026-03-31 10:00:00Z"})
        catalog = CATALOG.model_copy(update={"metrics": {KPI: metric}})
        return value(values(con, catalog), KPI, "month", "2026-01-01")


def test_a_ratio_above_one_has_the_interval_of_a_ratio() -> None:
    """Sums 2, 3 and 1 over 1 each: 2 -+ 1.96 * sqrt(3/2 * 2 / 9), which no share could have."""
    row = told(interval="clustered", cluster="service")
    assert row["value"] == 2
    assert (row["interval_low"], row["interval_high"]) == pytest.approx((0.868, 3.132), abs=1e-3)


def test_what_does_not_vary_is_told_and_not_judged() -> None:
    """Two of each service: 2 without an interval, which no page shows as if it were certain, and no night stops at."""
    row = told((2, 2, 2), interval="clustered", cluster="service")
    assert (row["value"], row["status"], row["verdict"]) == (2, "insufficient_data", "inconclusive")
    assert row["reason"].startswith("too little varies for an interval")
    assert pd.isna(row["interval_low"])
    assert pd.isna(row["interval_high"])


@pytest.mark.parametrize("interval", ["wilson", "clopper_pearson"])
def test_more_successes_than_trials_are_no_share(interval: str) -> None:
    """There is no value, and it is said why."""
    row = told(interval=interval)
    assert row["status"] == "not_available"
    assert row["reason"] == "more in the numerator than in the denominator, which is no share"
    assert pd.isna(row["value"])
    assert told(interval=interval, numerator="sum(is_failed)")["value"] == 1
