"""The oracles themselves: held to published numbers and to other ways, and shown to notice what is wrong."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import differences, held_against
from oracles_intervals import clopper_pearson, fieller, poisson, wilson_of
from oracles_kinds import kaplan_meier, ndcg
from oracles_kpis import periods
from scipy import stats

from pipeline.assurance import bound_facts
from pipeline.warehouse.connection import create_schemas, warehouse


def test_intervals_of_few_in_many() -> None:
    """0 of 1000, 3 of 12 000 and 1 of 12, as they stand in tables."""
    assert 1000 * wilson_of(0, 1000)[1] == pytest.approx(3.83, abs=0.005)
    assert 1000 * clopper_pearson([], 0, 1000)[1] == pytest.approx(3.68, abs=0.005)
    assert [1000 * end for end in wilson_of(3, 12_000)] == pytest.approx([0.085, 0.735], abs=5e-4)
    assert [1000 * end for end in clopper_pearson([], 3, 12_000)] == pytest.approx([0.052, 0.730], abs=5e-4)
    assert [12_000 * end for end in poisson([], 3, 12_000)] == pytest.approx([0.619, 8.767], abs=5e-4)
    assert wilson_of(1, 12) == pytest.approx((0.015, 0.354), abs=5e-4)


def hours(*spans: float) -> list[timedelta]:
    """Spans of so many hours."""
    return [timedelta(hours=one) for one in spans]


def test_open_ones_stay_at_risk() -> None:
    """Resolved after 0.5, 1, 1.5, 2 and 3 h, open for 30, 48 and 72 h: 7/8, 6/8, 5/8, 4/8 and so 2 h, not 1.6 h."""
    spans = [*((one, True) for one in hours(0.5, 1, 1.5, 2, 3)), *((one, False) for one in hours(30, 48, 72))]
    curve = list(kaplan_meier(spans))
    assert [float(share) for _, share, *_ in curve] == [7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8]
    assert next(span for span, share, *_ in curve if share <= 0.5) == timedelta(hours=2)


spells = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=20)


@pytest.mark.filterwarnings("ignore:The confidence interval is undefined at some observations")
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(spells.filter(lambda spans: any(is_over for _, is_over in spans)))
def test_the_curve_is_that_of_scipy(spans: list[tuple[int, bool]]) -> None:
    """Surviving shares and the ends of their log-log intervals, step by step."""
    ended, still_open = ([span for span, is_over in spans if is_over is wanted] for wanted in (True, False))
    right = stats.ecdf(stats.CensoredData(uncensored=ended, right=still_open)).sf
    low, high = right.confidence_interval(method="log-log")
    for span, share, *ends in kaplan_meier([(timedelta(hours=one), is_over) for one, is_over in spans]):
        at = span / timedelta(hours=1)
        assert float(share) == pytest.approx(float(right.evaluate(at)))
        if 0 < share < 1:
            assert ends == pytest.approx([float(low.evaluate(at)), float(high.evaluate(at))])


def test_fieller_holds_what_a_t_test_does_not_reject() -> None:
    """At both ends r of the interval the p-value of x - r y against 0 is 5 %."""
    costs, successes = [1.0, 2.0, 4.0, 5.0, 3.5], [2.0, 2.0, 3.0, 3.0, 4.0]
    for end in fieller(costs, successes):
        rest = np.array(costs) - end * np.array(successes)
        assert stats.ttest_1samp(rest, 0).pvalue == pytest.approx(0.05)


def test_gain_falls_with_the_logarithm_of_the_rank() -> None:
    """Grades 3, none, 2 and 0 in the order returned, 1 not returned: (3 + 2/2) / (3 + 2/log2(3) + 1/2)."""
    grades, scores = [3.0, None, 2.0, 0.0, 1.0], [9.0, 8.0, 7.0, 6.0, None]
    rows = [{"document": f"d{n}", "grade": grade, "score": score}
            for n, (grade, score) in enumerate(zip(grades, scores, strict=True))]  # fmt: skip
    assert ndcg(rows) == pytest.approx((3 + 2 / 2) / (3 + 2 / math.log2(3) + 1 / 2))
    assert ndcg(rows[1:2]) is None


def test_periods_of_a_turn_of_the_year() -> None:
    """31 December 2025 and 1 January 2026 lie in one ISO week and in two months and quarters."""
    found = periods("weekly", date(2025, 12, 31), date(2026, 1, 1))
    assert sorted((one.grain, str(one.start), str(one.end)) for one in found) == [
        ("28d", "2025-12-05", "2026-01-02"),
        ("day", "2025-12-31", "2026-01-01"),
        ("day", "2026-01-01", "2026-01-02"),
        ("month", "2025-12-01", "2026-01-01"),
        ("month", "2026-01-01", "2026-02-01"),
        ("quarter", "2025-10-01", "2026-01-01"),
        ("quarter", "2026-01-01", "2026-04-01"),
        ("week", "2025-12-29", "2026-01-05"),
    ]


@pytest.mark.parametrize(
    ("column", "factor", "said"),
    [
        ("value", 1 + 1e-6, "value 0.5"),
        ("numerator", 2, "numerator 4"),
        ("n", 2, "n 8"),
        ("interval_low", 1.001, "interval_low 0.12"),
    ],
)
def test_a_wrong_number_is_noticed(column: str, factor: float, said: str) -> None:
    """Two of four tools failed; one published number changed gives one difference, at its place."""
    rows = [{"day": date(2026, 2, 2), "is_error": error, "session_key": f"{n}", "tool": "x", "use_case": "a"}
            for n, error in enumerate((1, 1, 0, 0))]  # fmt: skip
    facts = {"tool_calls": rows}
    with warehouse(Path(":memory:"), threads=1) as con:
        create_schemas(con)
        frame, wrong = held_against(con, bound_facts(), facts)
    assert wrong == []
    place = frame.index[(frame["grain"] == "month") & (frame["dimension"] == "tool")][0]
    frame[column] = frame[column].astype(object)
    frame.loc[place, column] = float(frame.loc[place, column]) * factor
    (found,) = differences(frame, "tool_error_rate", facts, rows[0]["day"])
    assert str(found).startswith("tool_error_rate month 2026-02-01 to 2026-03-01 tool=x: " + said)
    assert found.rows(facts) == rows
